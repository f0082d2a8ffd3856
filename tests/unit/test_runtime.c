/* SPDX-License-Identifier: MIT */
/*
 * test_runtime.c: run times by stage. The clock that the stack borrows is the test's: each device, timer and application takes a known time, so what each stage is
 * charged with is known to the nanosecond.
 */
#include "checksum.h"
#include "dev.h"
#include "runtime.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netstack/socket.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct rig {
	struct netcfg *cfg;
	struct stack  *stack;
	int            eth[2];
	ktime_t        clock, look; /* look: what reading the clock takes */
	unsigned       looks, waiting, sent, woken;
	ktime_t        read_cost, write_cost, wake_cost;
	uint16_t       dport;
	const char    *daddr;
};

static const struct eth_addr mac = { { 2, 0, 0, 0, 0, 1 } }, peer = { { 2, 0, 0, 0, 0, 9 } };

static void udp_frame(struct rig *r, int ifindex)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), SKB_HEADROOM + 64, SKB_HEADROOM);
	struct eth_hdr *eth = skb_put(skb, ETH_HLEN);
	unsigned char *ip = skb_put(skb, 20 + 8 + 4);

	*eth = (struct eth_hdr){ mac, peer, cpu_to_be16(ETH_P_IP) };
	memset(ip, 0, 32);
	ip[0] = 0x45;
	ip[3] = 32;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	put_be32(ip + 12, ntohl(inet_addr("10.1.0.9")));
	put_be32(ip + 16, ntohl(inet_addr(r->daddr)));
	put_be16(ip + 20, 4000);
	put_be16(ip + 22, r->dport);
	put_be16(ip + 24, 12);
	((struct ip_hdr *)(void *)ip)->check = ip_fast_csum((struct ip_hdr *)(void *)ip, 5);
	stack_rx(r->stack, ifindex, skb, r->clock);
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct rig *r = priv;
	int n = 0;

	(void)now;
	for (; n < budget && r->waiting; n++, r->waiting--) {
		r->clock += r->read_cost;
		udp_frame(r, ifindex);
	}
	return n;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct rig *r = priv;

	(void)ifindex;
	r->clock += r->write_cost;
	r->sent++;
	consume_skb(skb);
	return 0;
}

static void op_wake(void *priv, uint64_t cookie, uint32_t events)
{
	struct rig *r = priv;

	(void)cookie, (void)events;
	r->clock += r->wake_cost;
	r->woken++;
}

static ktime_t op_clock(void *priv)
{
	struct rig *r = priv;

	r->looks++;
	return r->clock += r->look;
}

static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll, .wake = op_wake, .clock = op_clock };
static const struct stack_ops no_clock = { .xmit = op_xmit, .poll = op_poll, .wake = op_wake };

static void apply(struct rig *r)
{
	const struct net_snapshot *snap = netcfg_commit(r->cfg);

	cr_assert(snap);
	cr_assert_eq(stack_apply(r->stack, snap, r->clock), 0);
	netcfg_reclaim(r->cfg, net_snapshot_version(snap));
}

static void switched(struct rig *r, const char *value)
{
	cr_assert_eq(netcfg_sysctl_set(r->cfg, "net.core.runtime_stats", value, NULL), 0);
	apply(r);
}

static struct rig *rig_new(const struct stack_ops *with)
{
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = 1 };
	struct rig *r = calloc(1, sizeof(*r));

	r->clock = NSEC_PER_SEC;
	r->daddr = "10.2.0.9";
	r->dport = 7;
	r->cfg = netcfg_new();
	for (int i = 0; i < 2; i++) {
		struct link_conf link = { .type = LINK_VIRTUAL, .addr = mac, .carrier = 1, .flags = NS_IFF_UP | NS_IFF_BROADCAST };
		struct addr_conf addr = { .local = { ipaddr_v4(htonl(0x0a010001u + ((uint32_t)i << 16))), 24 } };
		struct neigh_conf neigh = { .addr = ipaddr_v4(htonl(0x0a010009u + ((uint32_t)i << 16))), .lladdr = peer };

		link.name[0] = 'e';
		link.name[1] = (char)('0' + i);
		cr_assert_eq(netcfg_link_add(r->cfg, &link, 1, &r->eth[i], NULL), 0);
		link = *netcfg_link_by_index(r->cfg, r->eth[i]);
		link.flags |= NS_IFF_UP;
		cr_assert_eq(netcfg_link_set(r->cfg, &link, NULL), 0);
		cr_assert_eq(netcfg_link_set_carrier(r->cfg, r->eth[i], true), 0);
		addr.ifindex = neigh.ifindex = r->eth[i];
		cr_assert_eq(netcfg_addr_add(r->cfg, &addr, false, NULL), 0);
		cr_assert_eq(netcfg_neigh_add(r->cfg, &neigh, false, NULL), 0);
	}
	cr_assert_eq(netcfg_sysctl_set(r->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	cr_assert_eq(stack_new(&r->stack, &params, with, r, r->clock), 0);
	apply(r);
	return r;
}

static void rig_free(struct rig *r)
{
	stack_free(r->stack);
	netcfg_free(r->cfg);
	free(r);
}

static void receive(struct rig *r, unsigned n)
{
	r->waiting = n;
	stack_irq(r->stack, r->eth[0], r->clock);
	while (stack_run(r->stack, r->clock, 0) <= r->clock && r->waiting)
		;
}

Test(runtime, off_by_default_and_then_no_look_at_the_clock)
{
	struct rig *r = rig_new(&ops);
	struct runtime_stats s;

	cr_expect_eq(stack_runtime_stats(r->stack, &s), -ENODATA);
	receive(r, 100);
	cr_expect_eq(r->sent, 100u);
	cr_expect_eq(r->looks, 0u);
	switched(r, "1");
	receive(r, 100);
	cr_expect_gt(r->looks, 100u);
	cr_expect_eq(stack_runtime_stats(r->stack, &s), 0);
	switched(r, "0");
	r->looks = 0;
	receive(r, 100);
	cr_expect_eq(r->looks, 0u);
	cr_expect_eq(stack_runtime_stats(r->stack, &s), -ENODATA);
	rig_free(r);
}

Test(runtime, without_a_clock_there_is_nothing_to_see)
{
	struct rig *r = rig_new(&no_clock);
	struct runtime_stats s;

	switched(r, "1");
	receive(r, 100);
	cr_expect_eq(r->sent, 100u);
	cr_expect_eq(stack_runtime_stats(r->stack, &s), -ENODATA);
	rig_free(r);
}

/* Reading the clock takes 7 ns itself, which nobody is charged with. */
Test(runtime, each_stage_is_charged_with_its_own_time)
{
	struct rig *r = rig_new(&ops);
	struct runtime_stats s;
	uint64_t sum = 0;

	r->look = 7;
	r->read_cost = 1000;
	r->write_cost = 300;
	switched(r, "1");
	receive(r, 64); /* the first run is a sample */
	cr_assert_eq(stack_runtime_stats(r->stack, &s), 0);
	cr_expect_eq(s.sampled, 1u);
	cr_expect_eq(s.stage[RUNTIME_POLL].ns, 64000u, "%llu", (unsigned long long)s.stage[RUNTIME_POLL].ns);
	cr_expect_eq(s.stage[RUNTIME_POLL].frames, 64u);
	cr_expect_eq(s.stage[RUNTIME_XMIT].ns, 64u * 300, "%llu", (unsigned long long)s.stage[RUNTIME_XMIT].ns);
	cr_expect_eq(s.stage[RUNTIME_XMIT].calls, 64u);
	static const enum runtime_stage once[] = { RUNTIME_GRO, RUNTIME_RECEIVE, RUNTIME_IP_RCV, RUNTIME_FORWARD, RUNTIME_XMIT };

	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		cr_expect_eq(s.stage[once[i]].frames, 64u, "%s: %llu", runtime_stage_name(once[i]), (unsigned long long)s.stage[once[i]].frames);
	for (int i = 0; i < RUNTIME_MAX; i++)
		sum += s.stage[i].ns;
	cr_expect_eq(sum, 64u * 1300, "all of the time belongs to someone, none of it twice");
	cr_expect_eq(s.stage[RUNTIME_TCP].calls + s.stage[RUNTIME_UDP].calls + s.stage[RUNTIME_DELIVER].calls, 0u);
	rig_free(r);
}

Test(runtime, local_delivery_and_wake_ups)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(7) };
	struct rig *r = rig_new(&ops);
	struct runtime_stats s;
	struct socket *so;

	cr_assert_eq(ns_socket(r->stack, AF_INET, SOCK_DGRAM, 0, &so), 0);
	cr_assert_eq(ns_bind(so, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ns_set_cookie(so, 1, EPOLLIN);
	r->daddr = "10.1.0.1";
	r->wake_cost = 5000;
	switched(r, "1");
	receive(r, 10);
	cr_assert_eq(stack_runtime_stats(r->stack, &s), 0);
	cr_expect_eq(s.stage[RUNTIME_DELIVER].frames, 10u);
	cr_expect_eq(s.stage[RUNTIME_UDP].frames, 10u);
	cr_expect_eq(s.stage[RUNTIME_FORWARD].calls, 0u);
	cr_expect_geq(r->woken, 1u);
	cr_expect_eq(s.stage[RUNTIME_WAKE].ns, r->woken * 5000u);
	ns_close(so);
	rig_free(r);
}

Test(runtime, the_backlog_has_a_stage_of_its_own)
{
	struct rig *r = rig_new(&ops);
	struct runtime_stats s;

	switched(r, "1");
	for (int i = 0; i < 20; i++)
		udp_frame(r, r->eth[0]); /* outside of a poll */
	stack_run(r->stack, r->clock, 0);
	cr_assert_eq(stack_runtime_stats(r->stack, &s), 0);
	cr_expect_eq(s.stage[RUNTIME_BACKLOG].frames, 20u);
	cr_expect_eq(s.stage[RUNTIME_FORWARD].frames, 20u);
	cr_expect_eq(s.stage[RUNTIME_POLL].frames, 0u);
	rig_free(r);
}

/* Of many runs a few are samples; scaled up they tell what happened in all. */
Test(runtime, samples_stand_for_all)
{
	struct rig *r = rig_new(&ops);
	struct runtime_stats s;
	double frames;

	r->read_cost = 1000;
	switched(r, "1");
	for (int i = 0; i < 20000; i++)
		receive(r, 1 + (unsigned)i % 16);
	cr_assert_eq(stack_runtime_stats(r->stack, &s), 0);
	cr_expect_eq(s.runs, 20000u);
	cr_expect(s.sampled > 20000 / 96 && s.sampled < 20000 / 40, "%llu samples", (unsigned long long)s.sampled);
	frames = (double)s.stage[RUNTIME_POLL].frames * (double)s.runs / (double)s.sampled;
	cr_expect(frames > 0.85 * r->sent && frames < 1.15 * r->sent, "%.0f estimated, %u came", frames, r->sent);
	cr_expect_eq(s.stage[RUNTIME_POLL].ns, s.stage[RUNTIME_POLL].frames * 1000);
	rig_free(r);
}

/* A device that comes, goes or is switched off while times are taken. */
Test(runtime, devices_come_and_go)
{
	struct rig *r = rig_new(&ops);
	struct link_conf link;

	switched(r, "1");
	receive(r, 10);
	link = *netcfg_link_by_index(r->cfg, r->eth[0]);
	link.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r->cfg, &link, NULL), 0);
	apply(r);
	r->waiting = 5;
	stack_irq(r->stack, r->eth[0], r->clock);
	stack_run(r->stack, r->clock, 0);
	cr_expect_eq(skb_pool_stats(stack_skb_pool(r->stack))->drops[SKB_DROP_DEV_DOWN], 5u);
	cr_assert_eq(netcfg_link_del(r->cfg, r->eth[0], NULL), 0);
	apply(r);
	for (int i = 0; i < 200; i++)
		stack_run(r->stack, r->clock, 0);
	cr_expect_eq(r->sent, 10u);
	rig_free(r);
}
