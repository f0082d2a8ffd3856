/* SPDX-License-Identifier: MIT */
/*
 * test_xdp_cost.c: what XDP programs cost is part of the poll: rounds end by netdev_budget and netdev_budget_usecs as they do with many frames, other devices get
 * their turns, and no frame is lost or overtaken meanwhile. Drivers, clock and programs are the test's; the only time is what a program says it took.
 */
#include "dev.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NDEV  3
#define FLOOD 200

struct rig {
	struct netcfg *cfg;
	struct stack  *stack;
	int            dev[NDEV], va, vb;
	ktime_t        clock;
	unsigned       waiting[NDEV], handed[NDEV];
	char           polls[64]; /* which driver was asked, as letters */
	/* the program */
	uint32_t       steps;
	ktime_t        takes;
	int            action;
	unsigned       calls, late; /* frames that were not the next */
	bool           full; /* the drivers take nothing */
	unsigned       sent;
};

static struct sk_buff *frame(struct rig *r, unsigned number)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), SKB_HEADROOM + 60, SKB_HEADROOM);
	unsigned char *p = skb_put(skb, 60);

	memset(p, 0, 60);
	p[0] = 2;
	p[6] = 4;
	memcpy(p + 14, &number, sizeof(number));
	return skb;
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct rig *r = priv;
	int i = 0, n = 0;

	while (r->dev[i] != ifindex)
		i++;
	if (strlen(r->polls) + 1 < sizeof(r->polls))
		r->polls[strlen(r->polls)] = (char)('a' + i);
	*now = r->clock;
	for (; n < budget && r->waiting[i]; n++, r->waiting[i]--)
		stack_rx(r->stack, ifindex, frame(r, r->handed[i]++), *now);
	return n;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct rig *r = priv;

	(void)ifindex;
	if (r->full)
		return -EAGAIN;
	r->sent++;
	consume_skb(skb);
	return 0;
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg) { (void)priv, (void)cpu, (void)msg; }
static void op_wake(void *priv, uint64_t cookie, uint32_t events) { (void)priv, (void)cookie, (void)events; }
static ktime_t op_clock(void *priv) { return ((struct rig *)priv)->clock; }
static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll, .tell = op_tell, .wake = op_wake, .clock = op_clock };

static int program(void *arg, struct stack_xdp_frame *f)
{
	struct rig *r = arg;
	unsigned number;

	f->redirect_ifindex = r->dev[1];
	memcpy(&number, f->data + 14, sizeof(number));
	r->late += number != r->calls;
	r->calls++;
	r->clock += r->takes;
	f->steps = r->steps;
	return r->action;
}

static void apply(struct rig *r)
{
	const struct net_snapshot *snap = netcfg_commit(r->cfg);

	cr_assert(snap);
	cr_assert_eq(stack_apply(r->stack, snap, r->clock), 0);
	netcfg_reclaim(r->cfg, net_snapshot_version(snap));
}

/* Three devices, the first with the program and each with FLOOD frames; a veth pair. */
static struct rig *rig_new(uint32_t steps, ktime_t takes)
{
	struct link_conf a = { .name = "va", .type = LINK_VETH, .flags = NS_IFF_UP }, b = { .name = "vb", .type = LINK_VETH, .flags = NS_IFF_UP };
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = 1 };
	struct rig *r = calloc(1, sizeof(*r));

	r->clock = 5 * NSEC_PER_SEC;
	r->steps = steps;
	r->takes = takes;
	r->action = STACK_XDP_DROP;
	r->cfg = netcfg_new();
	for (int i = 0; i < NDEV; i++) {
		struct link_conf link = { .type = LINK_VIRTUAL, .addr = { { 2 } }, .carrier = 1, .flags = NS_IFF_UP };

		snprintf(link.name, sizeof(link.name), "eth%d", i);
		cr_assert_eq(netcfg_link_add(r->cfg, &link, 1, &r->dev[i], NULL), 0);
		cr_assert_eq(netcfg_link_set_carrier(r->cfg, r->dev[i], true), 0);
	}
	cr_assert_eq(netcfg_veth_add(r->cfg, &a, &b, 1, &r->va, &r->vb, NULL), 0);
	cr_assert_eq(stack_new(&r->stack, &params, &ops, r, r->clock), 0);
	apply(r);
	cr_assert_eq(stack_xdp_set(r->stack, r->dev[0], program, r), 0);
	for (int i = 0; i < NDEV; i++) {
		r->waiting[i] = FLOOD;
		stack_irq(r->stack, r->dev[i], r->clock);
	}
	return r;
}

static void rig_free(struct rig *r)
{
	stack_free(r->stack);
	netcfg_free(r->cfg);
	free(r);
}

/* Runs until nothing is left: how often. */
static unsigned run_all(struct rig *r)
{
	unsigned n = 1;

	while (stack_run(r->stack, r->clock, 0) <= r->clock && n < 10000)
		n++;
	return n;
}

static const struct skb_pool_stats *pool(const struct rig *r) { return skb_pool_stats(stack_skb_pool(r->stack)); }

static void all_there(struct rig *r)
{
	for (int i = 0; i < NDEV; i++)
		cr_expect_eq(r->handed[i], FLOOD);
	cr_expect_eq(r->calls, FLOOD, "%u of %d frames were shown", r->calls, FLOOD);
	cr_expect_eq(r->late, 0, "%u frames not in their order", r->late);
	cr_expect_eq(pool(r)->drops[SKB_DROP_XDP_DROP], FLOOD);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
}

Test(xdp_cost, a_slow_program_uses_up_the_budget)
{
	struct rig *r = rig_new(65536, 0);
	struct softnet_stats st;

	/* A frame of the first device costs 128 of the budget of 300; the others' turns are 64. So: a, b, c, a; and nothing is left. */
	cr_expect_eq(stack_run(r->stack, r->clock, 0), r->clock, "it wants to go on");
	cr_expect_eq(r->calls, 2, "%u frames of a program that costs as much as 128", r->calls);
	cr_expect_str_eq(r->polls, "abc", "%s", r->polls);
	stack_softnet_stats(r->stack, &st);
	cr_expect_eq(st.squeeze_budget, 1);
	run_all(r);
	all_there(r);
	rig_free(r);
}

Test(xdp_cost, and_the_time)
{
	struct rig *r = rig_new(5000, 2 * NSEC_PER_MSEC);
	struct softnet_stats st;

	/* The poll ends after 7 frames, 35,000 instructions; by then the 8 ms of the round are over. */
	stack_run(r->stack, r->clock, 0);
	cr_expect_eq(r->calls, 7, "%u", r->calls);
	cr_expect_str_eq(r->polls, "a", "%s", r->polls);
	stack_softnet_stats(r->stack, &st);
	cr_expect_eq(st.squeeze_time, 1);
	run_all(r);
	all_there(r);
	rig_free(r);
}

Test(xdp_cost, a_quick_program_changes_nothing)
{
	struct rig *r = rig_new(4, 0);

	stack_run(r->stack, r->clock, 0);
	cr_expect_str_eq(r->polls, "abcab", "%s", r->polls);
	cr_expect_eq(r->calls, 128, "%u", r->calls);
	run_all(r);
	all_there(r);
	rig_free(r);
}

Test(xdp_cost, absurd_costs)
{
	struct rig *r = rig_new(UINT32_MAX, 0);

	stack_run(r->stack, r->clock, 0);
	cr_expect_eq(r->calls, 1);
	cr_expect_leq(run_all(r), 2 * FLOOD);
	all_there(r);
	rig_free(r);
}

/* What is held goes on without a program, in its order; a device that goes down or away takes it along, counted. */
Test(xdp_cost, the_program_goes)
{
	struct rig *r = rig_new(65536, 0);
	unsigned calls;

	stack_run(r->stack, r->clock, 0);
	calls = r->calls;
	cr_assert_eq(stack_xdp_set(r->stack, r->dev[0], NULL, NULL), 0);
	run_all(r);
	cr_expect_eq(r->calls, calls);
	cr_expect_eq(pool(r)->drops[SKB_DROP_XDP_DROP], calls);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}

Test(xdp_cost, the_device_goes_down)
{
	struct rig *r = rig_new(65536, 0);
	struct link_conf link;

	stack_run(r->stack, r->clock, 0);
	link = *netcfg_link_by_index(r->cfg, r->dev[0]);
	link.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r->cfg, &link, NULL), 0);
	apply(r);
	cr_expect_eq(pool(r)->drops[SKB_DROP_DEV_DOWN], 62, "64 of a poll but the two that were shown");
	run_all(r);
	cr_expect_eq(pool(r)->drops[SKB_DROP_DEV_DOWN], FLOOD - 2);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}

Test(xdp_cost, the_device_goes_away)
{
	struct rig *r = rig_new(65536, 0);

	stack_run(r->stack, r->clock, 0);
	cr_assert_eq(netcfg_link_del(r->cfg, r->dev[0], NULL), 0);
	apply(r);
	cr_expect_eq(pool(r)->drops[SKB_DROP_DEV_DOWN], 62);
	r->waiting[0] = 0;
	run_all(r);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}

Test(xdp_cost, the_stack_goes)
{
	struct rig *r = rig_new(65536, 0);

	stack_run(r->stack, r->clock, 0);
	rig_free(r); /* the sanitizer would tell */
}

/* 64 frames that go round between the ends of a veth: NET_TX is charged, too. */
Test(xdp_cost, ping_pong)
{
	struct rig *r = rig_new(65536, NSEC_PER_MSEC);

	for (int i = 0; i < NDEV; i++)
		r->waiting[i] = 0;
	run_all(r);
	r->action = STACK_XDP_TX;
	cr_assert_eq(stack_xdp_set(r->stack, r->va, program, r), 0);
	cr_assert_eq(stack_xdp_set(r->stack, r->vb, program, r), 0);
	for (unsigned i = 0; i < 64; i++)
		stack_rx(r->stack, r->va, frame(r, 0), r->clock);
	r->calls = 0;
	stack_run(r->stack, r->clock, 0);
	cr_expect_leq(r->calls, 2, "%u turns of programs that take 1 ms each", r->calls);
	r->action = STACK_XDP_DROP;
	run_all(r);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}

/* Frames that go round for ever between the ends of a veth, with programs that cost more than all of the budget. */
static void go_round(struct rig *r)
{
	r->steps = 512 * 400;
	r->action = STACK_XDP_TX;
	cr_assert_eq(stack_xdp_set(r->stack, r->va, program, r), 0);
	cr_assert_eq(stack_xdp_set(r->stack, r->vb, program, r), 0);
	for (unsigned i = 0; i < 64; i++)
		stack_rx(r->stack, r->va, frame(r, 0), r->clock);
	stack_run(r->stack, r->clock, 0);
}

static void runs(struct rig *r, unsigned n)
{
	while (n--)
		stack_run(r->stack, r->clock, 0);
}

Test(xdp_cost, what_is_sent_leaves_time_to_receive)
{
	struct rig *r = rig_new(0, 0);

	for (int i = 0; i < NDEV; i++)
		r->waiting[i] = 0;
	run_all(r);
	go_round(r);
	r->waiting[2] = FLOOD;
	stack_irq(r->stack, r->dev[2], r->clock);
	runs(r, 20);
	cr_expect_eq(r->handed[2], FLOOD, "%u of %d frames received beside a veth that is never quiet", r->handed[2], FLOOD);
	r->action = STACK_XDP_DROP;
	run_all(r);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}

Test(xdp_cost, what_waits_to_be_sent_has_its_turn)
{
	struct rig *r = rig_new(0, 0);
	unsigned before;

	r->action = STACK_XDP_REDIRECT;
	r->full = true;
	run_all(r);
	cr_expect_eq(r->sent, 0);
	go_round(r);
	before = r->calls;
	r->full = false;
	stack_tx_ready(r->stack, r->dev[1], r->clock);
	runs(r, 20);
	cr_expect_eq(r->sent, FLOOD, "%u of %d frames sent beside a veth that is never quiet", r->sent, FLOOD);
	cr_expect_gt(r->calls, before, "the veth has its turns, too");
	r->action = STACK_XDP_DROP;
	run_all(r);
	cr_expect_eq(pool(r)->outstanding_skbs, 0);
	rig_free(r);
}
