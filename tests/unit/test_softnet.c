/* SPDX-License-Identifier: MIT */
/*
 * test_softnet.c: from the device to the protocols and back: MAC filter, NAPI and its budgets, the backlog, steering by flow, the queue in front of a device, the life
 * of devices. A whole stack with devices that the test plays.
 */
#include "checksum.h"
#include "dev.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NDEV 3

struct rig {
	struct netcfg *cfg;
	struct stack  *stack;
	int            dev[NDEV];
	ktime_t        now;
	/* the devices */
	unsigned       waiting[NDEV]; /* frames that poll would find */
	unsigned       got[NDEV]; /* frames that poll has handed over */
	ktime_t        poll_cost; /* time that one frame takes */
	ktime_t        clock, clock_step;
	char           polls[64]; /* which device was polled, as letters */
	bool           full; /* xmit says -EAGAIN */
	int            xmit_err;
	unsigned       room; /* frames taken before full; 0: no limit */
	uint32_t       sent[4096]; /* marks of what left, in order */
	unsigned       nsent, sent_csum, sent_gso;
	struct stack_event events[16];
	unsigned       nevents;
	/* steering */
	struct sk_buff *steered[64];
	unsigned       nsteered, steered_cpu[64], steer_room;
};

static const struct eth_addr mac = { { 2, 0, 0, 0, 0, 1 } }, peer = { { 2, 0, 0, 0, 0, 9 } };

static struct sk_buff *frame(struct rig *r, const struct eth_addr *to, const struct eth_addr *from, uint16_t type, uint32_t len)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), SKB_HEADROOM + ETH_HLEN + len, SKB_HEADROOM);
	struct eth_hdr *eth = skb_put(skb, ETH_HLEN);

	*eth = (struct eth_hdr){ *to, *from, cpu_to_be16(type) };
	memset(skb_put(skb, len), 0, len);
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
	for (; n < budget && r->waiting[i]; n++) {
		r->waiting[i]--;
		r->got[i]++;
		stack_rx(r->stack, ifindex, frame(r, &mac, &peer, ETH_P_IPV6, 40), *now);
		*now += r->poll_cost;
	}
	return n;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct rig *r = priv;

	(void)ifindex;
	if (r->xmit_err)
		return r->xmit_err;
	if (r->full)
		return -EAGAIN;
	r->sent[r->nsent++ % 4096] = skb->mark;
	r->sent_csum += skb->ip_summed == CHECKSUM_PARTIAL;
	r->sent_gso += skb_is_gso(skb);
	consume_skb(skb);
	if (r->room && r->nsent >= r->room)
		r->full = true;
	return 0;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct rig *r = priv;

	if (r->nsteered >= r->steer_room)
		return -ENOBUFS;
	r->steered_cpu[r->nsteered] = cpu;
	r->steered[r->nsteered++] = skb;
	return 0;
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg) { (void)priv, (void)cpu, (void)msg; }
static void op_wake(void *priv, uint64_t cookie, uint32_t events) { (void)priv, (void)cookie, (void)events; }

static void op_notify(void *priv, const struct stack_event *ev)
{
	struct rig *r = priv;

	if (ev->type == STACK_EV_LINK)
		r->events[r->nevents++ % 16] = *ev;
}

/* The embedder's clock: it goes on by clock_step at each look. */
static ktime_t op_clock(void *priv)
{
	struct rig *r = priv;

	return r->clock += r->clock_step;
}

static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll, .steer = op_steer, .tell = op_tell, .wake = op_wake, .notify = op_notify, .clock = op_clock };

static void apply(struct rig *r)
{
	const struct net_snapshot *snap = netcfg_commit(r->cfg);

	cr_assert(snap);
	cr_assert_eq(stack_apply(r->stack, snap, r->now), 0);
	netcfg_reclaim(r->cfg, net_snapshot_version(snap));
}

static void link_flags(struct rig *r, int i, bool up, bool carrier, uint32_t txqlen, uint32_t features)
{
	struct link_conf link = *netcfg_link_by_index(r->cfg, r->dev[i]);

	link.flags = up ? link.flags | NS_IFF_UP : link.flags & ~NS_IFF_UP;
	link.txqlen = txqlen;
	link.features = features;
	cr_assert_eq(netcfg_link_set(r->cfg, &link, NULL), 0);
	cr_assert_eq(netcfg_link_set_carrier(r->cfg, r->dev[i], carrier), 0);
}

static struct rig *rig_new(unsigned ncpu)
{
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = ncpu };
	struct rig *r = calloc(1, sizeof(*r));

	r->now = r->clock = 5 * NSEC_PER_SEC;
	r->steer_room = 64;
	r->cfg = netcfg_new();
	for (int i = 0; i < NDEV; i++) {
		struct link_conf link = { .type = LINK_VIRTUAL, .addr = mac, .carrier = 1 };

		snprintf(link.name, sizeof(link.name), "eth%d", i);
		cr_assert_eq(netcfg_link_add(r->cfg, &link, 1, &r->dev[i], NULL), 0);
		link_flags(r, i, true, true, 1000, 0);
	}
	cr_assert_eq(stack_new(&r->stack, &params, &ops, r, r->now), 0);
	apply(r);
	return r;
}

static void rig_free(struct rig *r)
{
	stack_free(r->stack);
	netcfg_free(r->cfg);
	free(r);
}

static uint64_t drops(struct rig *r, enum skb_drop_reason reason) { return skb_pool_stats(stack_skb_pool(r->stack))->drops[reason]; }

static uint64_t processed(struct rig *r)
{
	struct softnet_stats st;

	stack_softnet_stats(r->stack, &st);
	return st.processed;
}

static uint64_t squeezed(struct rig *r)
{
	struct softnet_stats st;

	stack_softnet_stats(r->stack, &st);
	return st.time_squeeze;
}

static void sysctl(struct rig *r, const char *name, const char *value)
{
	cr_assert_eq(netcfg_sysctl_set(r->cfg, name, value, NULL), 0);
	apply(r);
}

/* ---- Ethernet ---- */

Test(softnet, mac_filter)
{
	static const struct eth_addr other = { { 2, 0, 0, 0, 0, 7 } }, bcast = { { 255, 255, 255, 255, 255, 255 } }, all_hosts = { { 1, 0, 0x5e, 0, 0, 1 } },
				     group = { { 1, 0, 0x5e, 1, 2, 3 } }, group6 = { { 0x33, 0x33, 0, 0, 0, 1 } }, stp = { { 1, 0x80, 0xc2, 0, 0, 0 } };
	static const struct {
		const char *what;
		const struct eth_addr *to, *from;
		uint16_t type;
		uint32_t flags, len;
		enum skb_drop_reason reason;
	} rows[] = {
		{ "another station's", &other, &peer, ETH_P_IP, 0, 40, SKB_DROP_OTHERHOST },
		{ "another station's, promiscuous", &other, &peer, ETH_P_IP, NS_IFF_PROMISC, 40, SKB_DROP_OTHERHOST },
		{ "ours, IP", &mac, &peer, ETH_P_IP, 0, 40, SKB_DROP_IP_INHDR },
		{ "broadcast, IP", &bcast, &peer, ETH_P_IP, 0, 40, SKB_DROP_IP_INHDR },
		{ "all hosts, IP", &all_hosts, &peer, ETH_P_IP, 0, 40, SKB_DROP_IP_INHDR },
		{ "another group", &group, &peer, ETH_P_IP, 0, 40, SKB_DROP_IP_MULTICAST },
		{ "another group, all-multicast", &group, &peer, ETH_P_IP, NS_IFF_ALLMULTI, 40, SKB_DROP_IP_INHDR },
		{ "IPv6 group", &group6, &peer, ETH_P_IPV6, 0, 40, SKB_DROP_IP_V6 },
		{ "IPv6", &mac, &peer, ETH_P_IPV6, 0, 40, SKB_DROP_IP_V6 },
		{ "a bridge's", &stp, &peer, 0x26, 0, 40, SKB_DROP_UNHANDLED_PROTO },
		{ "802.3 length", &mac, &peer, 0x05ff, 0, 40, SKB_DROP_UNHANDLED_PROTO },
		{ "VLAN", &mac, &peer, ETH_P_8021Q, 0, 40, SKB_DROP_UNHANDLED_PROTO },
		{ "from a group", &mac, &group, ETH_P_IP, 0, 40, SKB_DROP_ETH_MULTICAST_SOURCE },
		{ "from broadcast", &mac, &bcast, ETH_P_IP, 0, 40, SKB_DROP_ETH_MULTICAST_SOURCE },
		{ "ARP without a body", &mac, &peer, ETH_P_ARP, 0, 0, SKB_DROP_ARP_SHORT },
		{ "IP without a body", &mac, &peer, ETH_P_IP, 0, 0, SKB_DROP_IP_SHORT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(1);
		struct link_conf link = *netcfg_link_by_index(r->cfg, r->dev[0]);

		link.flags |= rows[i].flags;
		cr_assert_eq(netcfg_link_set(r->cfg, &link, NULL), 0);
		apply(r);
		stack_rx(r->stack, r->dev[0], frame(r, rows[i].to, rows[i].from, rows[i].type, rows[i].len), r->now);
		stack_run(r->stack, r->now, 0);
		cr_expect_eq(drops(r, rows[i].reason), 1u, "%s", rows[i].what);
		rig_free(r);
	}
}

Test(softnet, too_short_for_ethernet)
{
	for (uint32_t len = 0; len < ETH_HLEN; len++) {
		struct rig *r = rig_new(1);
		struct sk_buff *skb = frame(r, &mac, &peer, ETH_P_IP, 0);
		struct link_stats st;

		skb_trim(skb, len);
		stack_rx(r->stack, r->dev[0], skb, r->now);
		cr_expect_eq(drops(r, SKB_DROP_ETH_SHORT), 1u);
		cr_expect_eq(stack_link_stats(r->stack, r->dev[0], &st), 0);
		cr_expect(st.rx_errors == 1 && st.rx_length_errors == 1);
		rig_free(r);
	}
}

/* ---- NAPI ---- */

Test(softnet, devices_share_a_round)
{
	struct rig *r = rig_new(1);

	r->waiting[0] = 200;
	r->waiting[1] = 200;
	r->waiting[2] = 10;
	for (int i = 0; i < NDEV; i++)
		stack_irq(r->stack, r->dev[i], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 0), r->now, "300 of 410 were received: it wants to go on at once");
	cr_expect_eq(processed(r), 300u);
	/* 64 of each in turn; c is empty after its first; the fifth poll gets what is left of the budget, 300 - 4 * 64 - 10 = 34 */
	cr_expect_str_eq(r->polls, "abcaba", "%s", r->polls);
	cr_expect_eq(squeezed(r), 1u);
	memset(r->polls, 0, sizeof(r->polls));
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX);
	cr_expect_eq(processed(r), 410u);
	cr_expect_eq(squeezed(r), 1u);
	cr_expect_str_eq(r->polls, "abab", "a has 30 left of the turn that was cut, and then waits for the other: %s", r->polls);
	cr_expect_eq(drops(r, SKB_DROP_IP_V6), 410u);
	memset(r->polls, 0, sizeof(r->polls));
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX);
	cr_expect_str_eq(r->polls, "", "empty devices are not polled without an interrupt");
	rig_free(r);
}

Test(softnet, a_callers_budget_bounds_the_call)
{
	struct rig *r = rig_new(1);

	r->waiting[0] = 1000;
	stack_irq(r->stack, r->dev[0], r->now);
	for (unsigned want = 100; want <= 1000; want += 100) {
		ktime_t next = stack_run(r->stack, r->now, 100);

		cr_expect_eq(processed(r), want);
		cr_expect_eq(next, want < 1000 ? r->now : next);
	}
	cr_expect_eq(stack_run(r->stack, r->now, 100), KTIME_MAX);
	rig_free(r);
}

Test(softnet, time_ends_a_round)
{
	struct rig *r = rig_new(1);
	ktime_t start = r->now;

	r->waiting[0] = 300;
	r->poll_cost = 50 * NSEC_PER_USEC; /* 64 frames take 3.2 ms, the limit is 8 ms: three polls */
	stack_irq(r->stack, r->dev[0], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 192), start + 192 * r->poll_cost, "the driver's clock is heeded");
	cr_expect_str_eq(r->polls, "aaa");
	rig_free(r);
	r = rig_new(1);
	r->waiting[0] = 300;
	r->poll_cost = 200 * NSEC_PER_USEC;
	stack_irq(r->stack, r->dev[0], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 65), r->now + 64 * r->poll_cost, "and no other round begins");
	cr_expect_eq(processed(r), 64u);
	cr_expect_eq(squeezed(r), 1u, "one poll was over the limit");
	rig_free(r);
}

Test(softnet, backlog_is_bounded_and_counted)
{
	struct rig *r = rig_new(1);
	struct softnet_stats st;
	struct link_stats link;

	sysctl(r, "net.core.netdev_max_backlog", "10");
	for (int i = 0; i < 15; i++)
		stack_rx(r->stack, r->dev[1], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	stack_softnet_stats(r->stack, &st);
	cr_expect_eq(st.backlog_len, 10u);
	cr_expect_eq(st.dropped, 5u);
	cr_expect_eq(drops(r, SKB_DROP_CPU_BACKLOG), 5u);
	cr_assert_eq(stack_link_stats(r->stack, r->dev[1], &link), 0);
	cr_expect_eq(link.rx_dropped, 5u);
	cr_expect_eq(st.processed, 0u, "nothing happens before stack_run");
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX);
	cr_expect_eq(processed(r), 10u);
	rig_free(r);
}

Test(softnet, unknown_and_down_devices)
{
	struct rig *r = rig_new(1);

	stack_irq(r->stack, 4711, r->now);
	stack_tx_ready(r->stack, 4711, r->now);
	stack_rx(r->stack, 4711, frame(r, &mac, &peer, ETH_P_IP, 40), r->now);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 1u);
	stack_rx(r->stack, r->dev[0], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	link_flags(r, 0, false, true, 1000, 0);
	apply(r); /* down while its frame waits in the backlog */
	stack_run(r->stack, r->now, 0);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 2u);
	stack_rx(r->stack, r->dev[0], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 3u);
	stack_rx(r->stack, r->dev[1], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	cr_assert_eq(netcfg_link_del(r->cfg, r->dev[1], NULL), 0);
	apply(r); /* gone while its frame waits */
	cr_expect_null(dev_get_by_index(r->stack, r->dev[1]));
	stack_run(r->stack, r->now, 0);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 4u);
	cr_expect(list_empty(&r->stack->dead_devs), "and freed when no packet is left");
	rig_free(r);
}

Test(softnet, link_events_are_told_once)
{
	static const struct { bool up, carrier; unsigned events; } rows[] = {
		{ true, true, 0 }, { true, false, 1 }, { true, false, 0 }, { false, false, 1 }, { false, true, 1 }, { true, true, 1 },
	};
	struct rig *r = rig_new(1);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r->nevents = 0;
		link_flags(r, 1, rows[i].up, rows[i].carrier, 1000, 0);
		apply(r);
		cr_expect_eq(r->nevents, rows[i].events, "row %zu: %u events", i, r->nevents);
		if (r->nevents)
			cr_expect(r->events[0].ifindex == r->dev[1] && r->events[0].up == rows[i].up && r->events[0].carrier == rows[i].carrier, "row %zu", i);
	}
	r->nevents = 0;
	cr_assert_eq(netcfg_link_del(r->cfg, r->dev[1], NULL), 0);
	apply(r);
	cr_expect_eq(r->nevents, 1u);
	cr_expect(!r->events[0].up && !r->events[0].carrier);
	rig_free(r);
}

Test(softnet, the_buffers_of_a_burst_are_given_back_and_then_it_sleeps)
{
	struct rig *r = rig_new(1);
	struct sk_buff_head q;
	ktime_t next;

	skb_queue_init(&q);
	for (int i = 0; i < 3000; i++)
		skb_queue_tail(&q, alloc_skb(stack_skb_pool(r->stack), 100, 0));
	skb_queue_purge(&q, SKB_DROP_DEV_DOWN);
	while ((next = stack_run(r->stack, r->now, 0)) != KTIME_MAX) { /* one wake-up, where anything was kept at all */
		cr_assert_eq(next, r->now + 2 * NSEC_PER_SEC);
		r->now = next;
	}
	cr_expect_not(skb_pool_wants_trim(stack_skb_pool(r->stack)));
	cr_expect_leq(skb_pool_stats(stack_skb_pool(r->stack))->cached_areas, 300u);
	rig_free(r);
}

/* ---- sending ---- */

static int send_one(struct rig *r, int i, uint32_t mark)
{
	struct sk_buff *skb = frame(r, &peer, &mac, ETH_P_IP, 46);

	skb->mark = mark;
	skb->dev = dev_get_by_index(r->stack, r->dev[i]);
	skb->network_header = (uint16_t)(skb_headroom(skb) + ETH_HLEN);
	return dev_queue_xmit(skb);
}

Test(softnet, queue_keeps_order_and_its_bound)
{
	struct rig *r = rig_new(1);
	struct link_stats st;

	link_flags(r, 0, true, true, 8, 0);
	apply(r);
	cr_expect_eq(send_one(r, 0, 0), 0);
	cr_expect_eq(r->nsent, 1u, "an empty queue is passed by");
	r->full = true;
	for (uint32_t i = 1; i <= 8; i++)
		cr_expect_eq(send_one(r, 0, i), 0);
	cr_expect_eq(send_one(r, 0, 99), -ENOBUFS);
	cr_expect_eq(drops(r, SKB_DROP_QDISC_DROP), 1u);
	cr_assert_eq(stack_link_stats(r->stack, r->dev[0], &st), 0);
	cr_expect(st.txq_len == 8 && st.tx_packets == 1 && st.tx_dropped == 1);
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX, "a stopped device is waited for, not polled");
	cr_expect_eq(r->nsent, 1u);
	r->full = false;
	r->room = 4; /* takes three more */
	stack_tx_ready(r->stack, r->dev[0], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX);
	cr_expect_eq(r->nsent, 4u);
	r->full = false;
	r->room = 0;
	cr_expect_eq(send_one(r, 0, 9), 0);
	cr_expect_eq(r->nsent, 4u, "nobody overtakes the queue");
	stack_tx_ready(r->stack, r->dev[0], r->now);
	stack_run(r->stack, r->now, 0);
	cr_assert_eq(r->nsent, 10u);
	for (uint32_t i = 0; i < 10; i++)
		cr_expect_eq(r->sent[i], i);
	rig_free(r);
}

Test(softnet, a_long_queue_is_sent_in_turns)
{
	struct rig *r = rig_new(1);

	r->full = true;
	for (uint32_t i = 0; i < 500; i++)
		send_one(r, 0, i);
	r->full = false;
	stack_tx_ready(r->stack, r->dev[0], r->now);
	while (stack_run(r->stack, r->now, 0) <= r->now)
		;
	cr_assert_eq(r->nsent, 500u);
	for (uint32_t i = 0; i < 500; i++)
		cr_assert_eq(r->sent[i], i);
	rig_free(r);
}

/* Three devices that always have more share what there is, whatever the budget leaves of the last turn; a quiet one gets its few frames at once. */
Test(softnet, a_flood_is_shared_fairly)
{
	static const char *const budgets[] = { "300", "64", "65", "100", "7", "1000" };

	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		struct rig *r = rig_new(1);

		sysctl(r, "net.core.netdev_budget", budgets[i]);
		r->waiting[0] = r->waiting[1] = 10000000;
		r->waiting[2] = 1;
		for (int k = 0; k < NDEV; k++)
			stack_irq(r->stack, r->dev[k], r->now);
		for (int round = 0; round < 3000; round++)
			cr_assert_eq(stack_run(r->stack, r->now, 0), r->now);
		cr_expect_eq(r->got[2], 1u);
		cr_expect(r->got[0] + 64 >= r->got[1] && r->got[1] + 64 >= r->got[0], "budget %s: %u and %u", budgets[i], r->got[0], r->got[1]);
		rig_free(r);
	}
}

/* The backlog is one more member of the list, and shares as a device does. */
Test(softnet, the_backlog_shares_a_round_too)
{
	struct rig *r = rig_new(1);

	for (int i = 0; i < 200; i++)
		stack_rx(r->stack, r->dev[2], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	r->waiting[0] = 200;
	stack_irq(r->stack, r->dev[0], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 0), r->now);
	cr_expect_eq(processed(r), 300u);
	cr_expect_eq(r->got[0], 128u, "64 of the backlog, 64 of a, 64, 64, and 44 of the backlog");
	cr_expect_eq(r->stack->backlog.qlen, 28u);
	rig_free(r);
}

Test(softnet, tunables_work_at_once)
{
	struct rig *r = rig_new(1);

	r->waiting[0] = r->waiting[1] = 1000;
	stack_irq(r->stack, r->dev[0], r->now);
	stack_irq(r->stack, r->dev[1], r->now);
	stack_run(r->stack, r->now, 0);
	cr_expect_str_eq(r->polls, "ababa");
	memset(r->polls, 0, sizeof(r->polls));
	sysctl(r, "net.core.dev_weight", "10");
	sysctl(r, "net.core.netdev_budget", "45");
	stack_run(r->stack, r->now, 0);
	cr_expect_str_eq(r->polls, "ababab", "a was in the middle of a longer turn: it ends; then 10 each, and 4: %s", r->polls);
	cr_expect_eq(processed(r), 345u);
	memset(r->polls, 0, sizeof(r->polls));
	sysctl(r, "net.core.netdev_budget_usecs", "4000");
	r->poll_cost = 300 * NSEC_PER_USEC;
	stack_run(r->stack, r->now, 0);
	cr_expect_str_eq(r->polls, "ba", "6 frames of 300 us, 10 of them, and 4 ms are over: %s", r->polls);
	memset(r->polls, 0, sizeof(r->polls));
	sysctl(r, "net.core.netdev_budget_usecs", "0");
	stack_run(r->stack, r->now, 0);
	cr_expect_eq(strlen(r->polls), 1u, "one poll a round at least, or nothing would ever go on");
	rig_free(r);
}

Test(softnet, defaults_and_ranges_are_linuxs)
{
	static const struct { const char *name, *def, *below, *above; } rows[] = {
		{ "net.core.netdev_budget", "300", "0", "2147483648" },
		{ "net.core.netdev_budget_usecs", "8000", "-1", "2147483648" },
		{ "net.core.dev_weight", "64", "0", "2147483648" },
		{ "net.core.netdev_max_backlog", "1000", "0", "2147483648" },
	};
	struct rig *r = rig_new(1);
	char value[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_gt(netcfg_sysctl_get(r->cfg, rows[i].name, value, sizeof(value)), 0);
		cr_expect_str_eq(value, rows[i].def, "%s", rows[i].name);
		cr_expect_eq(netcfg_sysctl_set(r->cfg, rows[i].name, rows[i].below, NULL), -EINVAL, "%s", rows[i].name);
		cr_expect_eq(netcfg_sysctl_set(r->cfg, rows[i].name, rows[i].above, NULL), -EINVAL, "%s", rows[i].name);
		cr_expect_eq(netcfg_sysctl_set(r->cfg, rows[i].name, "2147483647", NULL), 0, "%s", rows[i].name);
	}
	apply(r);
	r->waiting[0] = 10; /* with the largest values nothing overflows */
	stack_irq(r->stack, r->dev[0], r->now);
	cr_expect_eq(stack_run(r->stack, r->now, 0), KTIME_MAX);
	cr_expect_eq(processed(r), 10u);
	rig_free(r);
}

/* Frames without a driver cost time too: the embedder's clock tells how much. */
Test(softnet, time_ends_a_round_of_the_backlog)
{
	struct rig *r = rig_new(1);
	struct softnet_stats st;

	for (int i = 0; i < 300; i++)
		stack_rx(r->stack, r->dev[0], frame(r, &mac, &peer, ETH_P_IPV6, 40), r->now);
	r->clock_step = 5 * NSEC_PER_MSEC;
	stack_run(r->stack, r->now, 192);
	stack_softnet_stats(r->stack, &st);
	cr_expect_eq(st.processed, 128u);
	cr_expect_eq(st.squeeze_time + st.squeeze_budget, st.time_squeeze);
	cr_expect_eq(st.squeeze_time, 1u, "two polls are 10 ms, the limit is 8");
	cr_expect_eq(stack_now(r->stack), r->now + 2 * r->clock_step);
	rig_free(r);
}

struct order {
	struct timer timer;
	struct rig  *rig;
	char         seen[8];
};

static void order_timer(struct stack *stack, struct timer *t)
{
	struct order *o = container_of(t, struct order, timer);

	(void)stack;
	cr_expect_eq(o->rig->nsent, 0u, "a timer goes before what is to be sent");
	cr_expect_eq(o->rig->got[1], 0u, "and before what is to be received");
	strcat(o->seen, "t");
}

static int order_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct rig *r = priv;

	cr_expect_eq(r->nsent, 3u, "what is to be sent goes before what is to be received");
	return op_poll(priv, ifindex, budget, now);
}

Test(softnet, softirqs_are_served_in_linuxs_order)
{
	static const struct stack_ops order_ops = { .xmit = op_xmit, .poll = order_poll, .wake = op_wake };
	struct rig *r = rig_new(1);
	struct order o = { .rig = r };

	r->stack->ops = &order_ops;
	timer_init(&o.timer, order_timer);
	timer_mod(r->stack, &o.timer, r->now + NSEC_PER_MSEC);
	r->full = true;
	for (uint32_t i = 0; i < 3; i++)
		send_one(r, 0, i);
	r->full = false;
	r->now += 10 * NSEC_PER_MSEC;
	r->waiting[1] = 1;
	stack_irq(r->stack, r->dev[1], r->now); /* raised in the opposite order */
	stack_tx_ready(r->stack, r->dev[0], r->now);
	stack_run(r->stack, r->now, 0);
	cr_expect_str_eq(o.seen, "t");
	cr_expect_eq(r->got[1], 1u);
	rig_free(r);
}

/* A device that raises its interrupt again in its own poll keeps the softirq busy for ever: the call ends after so many rounds and asks for another. */
static int again_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct rig *r = priv;

	(void)budget, (void)now;
	r->got[0]++;
	napi_complete(&dev_get_by_index(r->stack, ifindex)->napi);
	stack_tx_ready(r->stack, r->dev[1], r->now); /* NET_TX once more */
	return 0;
}

static int again_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct rig *r = priv;

	(void)skb;
	if (ifindex == r->dev[1])
		stack_irq(r->stack, r->dev[0], r->now); /* and NET_RX once more */
	return -EAGAIN;
}

Test(softnet, restarts_are_limited)
{
	static const struct stack_ops again = { .xmit = again_xmit, .poll = again_poll, .wake = op_wake };
	struct rig *r = rig_new(1);
	struct softnet_stats st;

	r->stack->ops = &again;
	send_one(r, 1, 0);
	for (unsigned call = 1; call <= 3; call++) {
		cr_expect_eq(stack_run(r->stack, r->now, 0), r->now, "it never ends, so it asks to be called again");
		stack_softnet_stats(r->stack, &st);
		cr_expect_eq(st.restarts_cut, call);
	}
	cr_expect_leq(r->got[0], 33u, "eleven rounds a call: the first and ten restarts");
	cr_expect_geq(r->got[0], 30u);
	r->stack->ops = &ops;
	stack_run(r->stack, r->now, 0);
	rig_free(r);
}

Test(softnet, refused_and_impossible)
{
	struct rig *r = rig_new(1);

	r->xmit_err = -EIO;
	cr_expect_eq(send_one(r, 0, 1), -EIO);
	cr_expect_eq(drops(r, SKB_DROP_DEV_TX_FULL), 1u);
	r->xmit_err = 0;
	link_flags(r, 0, true, false, 1000, 0);
	link_flags(r, 1, false, true, 1000, 0);
	link_flags(r, 2, true, true, 0, 0);
	r->full = true;
	apply(r);
	cr_expect_eq(send_one(r, 0, 2), 0, "a pulled cable swallows");
	cr_expect_eq(drops(r, SKB_DROP_NO_CARRIER), 1u);
	cr_expect_eq(send_one(r, 1, 3), -ENETDOWN);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 1u);
	cr_expect_eq(send_one(r, 2, 4), -ENOBUFS);
	cr_expect_eq(drops(r, SKB_DROP_DEV_TX_FULL), 2u, "no queue at all");
	rig_free(r);
}

Test(softnet, a_device_that_goes_down_loses_its_queue)
{
	struct rig *r = rig_new(1);

	r->full = true;
	for (uint32_t i = 0; i < 5; i++)
		send_one(r, 0, i);
	link_flags(r, 0, false, true, 1000, 0);
	apply(r);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 5u);
	r->full = false;
	link_flags(r, 0, true, true, 1000, 0);
	apply(r);
	cr_expect_eq(send_one(r, 0, 7), 0);
	cr_expect_eq(r->nsent, 1u, "and works again afterwards");
	r->full = true;
	send_one(r, 0, 8);
	cr_assert_eq(netcfg_link_del(r->cfg, r->dev[0], NULL), 0);
	apply(r);
	cr_expect_eq(drops(r, SKB_DROP_DEV_DOWN), 6u);
	rig_free(r);
}

Test(softnet, a_pulled_cable_empties_the_queue)
{
	struct rig *r = rig_new(1);

	r->full = true;
	for (uint32_t i = 0; i < 5; i++)
		send_one(r, 0, i);
	link_flags(r, 0, true, false, 1000, 0);
	apply(r);
	cr_expect_eq(drops(r, SKB_DROP_NO_CARRIER), 5u);
	r->full = false;
	link_flags(r, 0, true, true, 1000, 0);
	apply(r);
	cr_expect_eq(send_one(r, 0, 7), 0);
	cr_expect_eq(r->nsent, 1u);
	rig_free(r);
}

/* A TCP packet of 3 segments with its checksum left open. */
static int send_gso(struct rig *r, int i)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), 8192, SKB_HEADROOM);
	struct eth_hdr *eth = skb_put(skb, ETH_HLEN);
	struct ip_hdr *iph = skb_put(skb, IPV4_HLEN);
	struct tcp_hdr *th = skb_put(skb, sizeof(*th));

	memset(skb_put(skb, 3000), 0x5a, 3000);
	*eth = (struct eth_hdr){ peer, mac, cpu_to_be16(ETH_P_IP) };
	*iph = (struct ip_hdr){ .ver_ihl = 0x45, .tot_len = cpu_to_be16(3040), .ttl = 64, .protocol = NS_IPPROTO_TCP, .saddr = 1, .daddr = 2 };
	*th = (struct tcp_hdr){ .doff = 0x50, .flags = TCPHDR_ACK };
	skb->network_header = (uint16_t)(skb_headroom(skb) + ETH_HLEN);
	skb->transport_header = (uint16_t)(skb->network_header + IPV4_HLEN);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcp_hdr, check);
	skb->gso_size = 1000;
	skb->gso_segs = 3;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->dev = dev_get_by_index(r->stack, r->dev[i]);
	return dev_queue_xmit(skb);
}

Test(softnet, what_the_device_cannot_do_is_done_for_it)
{
	static const struct { uint32_t features; unsigned sent, csum, gso; } rows[] = {
		{ 0, 3, 0, 0 }, { LINK_F_TX_CSUM, 3, 3, 0 }, { LINK_F_TX_CSUM | LINK_F_TSO4, 1, 1, 1 }, { LINK_F_TSO4, 3, 0, 0 }, { LINK_F_TX_CSUM | LINK_F_USO, 3, 3, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(1);

		link_flags(r, 0, true, true, 1000, rows[i].features);
		apply(r);
		cr_expect_eq(send_gso(r, 0), 0);
		cr_expect(r->nsent == rows[i].sent && r->sent_csum == rows[i].csum && r->sent_gso == rows[i].gso, "row %zu: %u frames, %u open sums, %u GSO", i, r->nsent,
			  r->sent_csum, r->sent_gso);
		rig_free(r);
	}
}

/* ---- flows and shards ---- */

struct flow_packet {
	uint8_t  proto;
	be32     saddr, daddr;
	uint16_t sport, dport, frag_off, id;
};

static struct sk_buff *ip_packet(struct rig *r, const struct flow_packet *p, bool eth)
{
	struct sk_buff *skb = frame(r, &mac, &peer, ETH_P_IP, 0);
	struct ip_hdr *iph = skb_put(skb, IPV4_HLEN);
	uint8_t *th;

	if (!eth)
		skb_pull(skb, ETH_HLEN);
	*iph = (struct ip_hdr){ .ver_ihl = 0x45, .tot_len = cpu_to_be16(40), .id = cpu_to_be16(p->id), .frag_off = cpu_to_be16(p->frag_off), .ttl = 64, .protocol = p->proto,
				.saddr = p->saddr, .daddr = p->daddr };
	iph->check = ip_fast_csum(iph, 5);
	th = skb_put(skb, 20);
	memset(th, 0, 20);
	put_be16(th, p->sport);
	put_be16(th + 2, p->dport);
	return skb;
}

static uint32_t hash_of(struct rig *r, const struct flow_packet *p)
{
	struct sk_buff *skb = ip_packet(r, p, false);
	uint32_t h = skb_flow_hash(r->stack, skb);

	cr_expect_neq(h, 0u);
	consume_skb(skb);
	return h;
}

Test(softnet, the_hash_is_symmetric_and_the_tables_agree)
{
	struct rig *r = rig_new(1);
	struct flow_packet there = { 6, 0x0101a8c0, 0x0201a8c0, 40000, 80, IP_DF, 1 }, back = { 6, 0x0201a8c0, 0x0101a8c0, 80, 40000, 0, 2 }, p;
	struct ipaddr a = ipaddr_v4(there.saddr), b = ipaddr_v4(there.daddr);
	uint32_t h = hash_of(r, &there);

	cr_expect_eq(h, hash_of(r, &back));
	cr_expect_eq(h, flow_hash_tuple(r->stack, &a, &b, 40000, 80, 6));
	cr_expect_eq(h, flow_hash_tuple(r->stack, &b, &a, 80, 40000, 6));
	p = there, p.proto = 17;
	cr_expect_neq(h, hash_of(r, &p), "the protocol counts");
	p = there, p.sport = 40001;
	cr_expect_neq(h, hash_of(r, &p));
	p = there, p.sport = 80, p.dport = 40000;
	cr_expect_neq(h, hash_of(r, &p), "the ports belong to their addresses");
	a.family = b.family = 10;
	a.w[3] = 7;
	cr_expect_eq(flow_hash_tuple(r->stack, &a, &b, 1, 2, 6), flow_hash_tuple(r->stack, &b, &a, 2, 1, 6));
	cr_expect_neq(flow_hash_tuple(r->stack, &a, &b, 1, 2, 6), flow_hash_tuple(r->stack, &b, &a, 1, 2, 6));
	rig_free(r);
}

Test(softnet, fragments_of_a_datagram_meet)
{
	struct rig *r = rig_new(1);
	struct flow_packet first = { 17, 0x0101a8c0, 0x0201a8c0, 40000, 80, IP_MF, 77 }, later = { 17, 0x0101a8c0, 0x0201a8c0, 1234, 5678, 100, 77 }, other = later;

	cr_expect_eq(hash_of(r, &first), hash_of(r, &later));
	other.id = 78;
	cr_expect_neq(hash_of(r, &first), hash_of(r, &other));
	rig_free(r);
}

Test(softnet, an_icmp_error_follows_what_it_quotes)
{
	static const struct { uint8_t type; bool error; } rows[] = { { 3, true }, { 4, true }, { 5, true }, { 11, true }, { 12, true }, { 8, false }, { 0, false }, { 13, false } };
	struct rig *r = rig_new(1);
	struct flow_packet ours = { 6, 0x0201a8c0, 0x0101a8c0, 80, 40000, 0, 1 }, outer = { 1, 0x0909a8c0, 0x0201a8c0, 0, 0, 0, 5 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sk_buff *skb = frame(r, &mac, &peer, ETH_P_IP, 0), *quoted = ip_packet(r, &ours, false);
		struct ip_hdr *iph;
		uint8_t *icmp;

		skb_pull(skb, ETH_HLEN);
		iph = skb_put(skb, IPV4_HLEN);
		*iph = (struct ip_hdr){ .ver_ihl = 0x45, .tot_len = cpu_to_be16(56), .ttl = 64, .protocol = 1, .saddr = outer.saddr, .daddr = outer.daddr };
		icmp = skb_put(skb, 8);
		memset(icmp, 0, 8);
		icmp[0] = rows[i].type;
		skb_put_data(skb, quoted->data, 28);
		cr_expect_eq(skb_flow_hash(r->stack, skb) == hash_of(r, &ours), rows[i].error, "type %u", rows[i].type);
		consume_skb(skb);
		consume_skb(quoted);
	}
	rig_free(r);
}

Test(softnet, hash_of_garbage_is_safe)
{
	struct rig *r = rig_new(2);
	uint64_t seed[4] = { 5 };
	struct rng rng;

	rng_init(&rng, seed, 0);
	for (int i = 0; i < 20000; i++) {
		uint32_t len = rng_below(&rng, 80);
		struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), 128, 16);

		rng_bytes(&rng, skb_put(skb, len), len);
		if (len && rng_below(&rng, 2))
			skb->data[0] = 0x45;
		if (len > 9 && rng_below(&rng, 2))
			skb->data[9] = 1;
		cr_assert_neq(skb_flow_hash(r->stack, skb), 0u);
		consume_skb(skb);
	}
	rig_free(r);
}

Test(softnet, flows_spread_over_shards)
{
	struct rig *r = rig_new(8);
	unsigned count[8] = { 0 };
	struct ipaddr a = ipaddr_v4(1), b = ipaddr_v4(2);

	for (uint16_t port = 0; port < 8000; port++) {
		unsigned cpu = flow_cpu(r->stack, flow_hash_tuple(r->stack, &a, &b, port, 80, 6));

		cr_assert_lt(cpu, 8u);
		count[cpu]++;
	}
	for (int i = 0; i < 8; i++)
		cr_expect(count[i] > 800 && count[i] < 1200, "shard %d: %u of 8000", i, count[i]);
	rig_free(r);
}

Test(softnet, steering)
{
	struct rig *r = rig_new(4);
	struct softnet_stats st;
	unsigned home = 0, away = 0;
	struct addr_conf addr = { .ifindex = r->dev[0], .local = { ipaddr_v4(0x0201a8c0), 24 } };

	cr_assert_eq(netcfg_addr_add(r->cfg, &addr, false, NULL), 0);
	apply(r);
	r->steer_room = 20;
	for (uint16_t port = 1; port <= 60; port++) {
		struct flow_packet p = { 17, 0x0101a8c0, 0x0201a8c0, port, 80, 0, 1 };
		unsigned cpu = flow_cpu(r->stack, hash_of(r, &p)), before = r->nsteered;

		stack_rx(r->stack, r->dev[0], ip_packet(r, &p, true), r->now);
		if (cpu == 0) {
			home++;
			cr_expect_eq(r->nsteered, before);
		} else if (away++ < 20) {
			cr_assert_eq(r->nsteered, before + 1);
			cr_expect_eq(r->steered_cpu[before], cpu);
			cr_expect_null(r->steered[before]->pool);
		}
	}
	cr_assert(home > 3 && away > 25);
	cr_expect_eq(drops(r, SKB_DROP_STEER_FULL), away - 20);
	stack_run(r->stack, r->now, 0);
	cr_expect_eq(processed(r), home);
	/* They come back as if another shard had sent them here: they stay, whatever their hash says. */
	for (unsigned i = 0; i < r->nsteered; i++)
		stack_steered(r->stack, r->steered[i], r->now);
	stack_run(r->stack, r->now, 0);
	stack_softnet_stats(r->stack, &st);
	cr_expect_eq(st.processed, home + 20);
	cr_expect_eq(st.received_rps, 1u, "one kick for the batch");
	cr_expect_eq(r->nsteered, 20u);
	rig_free(r);
}

Test(softnet, parameters_are_checked)
{
	struct stack_ops no_xmit = ops, no_steer = ops;
	static const struct { uint32_t cpu, ncpu; int ret; } rows[] = { { 0, 0, -EINVAL }, { 1, 1, -EINVAL }, { 0, STACK_MAX_CPUS + 1, -EINVAL }, { 0, 1, 0 }, { 63, 64, 0 } };
	struct stack_params params = { .ncpu = 1 };
	struct stack *stack;

	no_xmit.xmit = NULL;
	no_steer.steer = NULL;
	cr_expect_eq(stack_new(&stack, &params, &no_xmit, NULL, 0), -EINVAL);
	cr_expect_eq(stack_new(&stack, &params, &no_steer, NULL, 0), 0);
	stack_free(stack);
	params.ncpu = 2;
	cr_expect_eq(stack_new(&stack, &params, &no_steer, NULL, 0), -EINVAL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		params.cpu = rows[i].cpu;
		params.ncpu = rows[i].ncpu;
		cr_expect_eq(stack_new(&stack, &params, &ops, NULL, 0), rows[i].ret, "row %zu", i);
		if (rows[i].ret == 0)
			stack_free(stack);
	}
	stack_free(NULL);
}

Test(softnet, without_a_configuration_all_is_dropped)
{
	struct stack_params params = { .ncpu = 1 };
	struct rig r = { 0 };

	cr_assert_eq(stack_new(&r.stack, &params, &ops, &r, 0), 0);
	stack_rx(r.stack, 2, frame(&r, &mac, &peer, ETH_P_IP, 40), 1);
	cr_expect_eq(drops(&r, SKB_DROP_DEV_DOWN), 1u);
	cr_expect_eq(stack_run(r.stack, 1, 0), KTIME_MAX);
	cr_expect_eq(stack_now(r.stack), 1);
	stack_set_now(r.stack, 0);
	cr_expect_eq(stack_now(r.stack), 1, "time does not go backwards");
	stack_free(r.stack);
}
