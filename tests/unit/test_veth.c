/* SPDX-License-Identifier: MIT */
/*
 * test_veth.c: pairs of veths, in one namespace and between two, as configuration and as a wire; and dummies, which swallow.
 */
#include "../lib/host.h"
#include "dev.h"
#include "netcfg_priv.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

static void addr_add(struct host *h, int ifindex, const char *text, uint8_t len)
{
	struct addr_conf a = { .ifindex = ifindex, .local = { ipaddr_v4(inet_addr(text)), len } };

	cr_assert_eq(netcfg_addr_add(h->cfg, &a, false, NULL), 0);
}

static void link_up(struct netcfg *cfg, int ifindex, bool up)
{
	struct link_conf l = *netcfg_link_by_index(cfg, ifindex);

	l.flags = up ? l.flags | NS_IFF_UP : l.flags & ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
}

static bool has_carrier(struct netcfg *cfg, int ifindex) { return netcfg_link_by_index(cfg, ifindex)->carrier; }

static void apply_all(struct host *h)
{
	for (h = h->root; h; h = h->sibling)
		host_apply(h);
}

static int pair(struct netcfg *cfg, uint32_t netns, const char *a, const char *b, int *ia, int *ib, struct netcfg_err *err)
{
	struct link_conf l = { .link_netns = netns }, p = { .mtu = 0 };

	strcpy(l.name, a);
	strcpy(p.name, b);
	return netcfg_veth_add(cfg, &l, &p, 1, ia, ib, err);
}

/* ---- configuration ---- */

Test(veth, a_pair_is_made_and_ends_together)
{
	struct netcfg *cfg = netcfg_new();
	struct netcfg_err err;
	int a, b;

	cr_assert_eq(pair(cfg, 0, "veth0", "veth1", &a, &b, &err), 0, "%s", err.text);
	cr_expect_eq(netcfg_link_by_name(cfg, "veth0")->link, b);
	cr_expect_eq(netcfg_link_by_name(cfg, "veth1")->link, a);
	cr_expect_neq(memcmp(&netcfg_link_by_index(cfg, a)->addr, &netcfg_link_by_index(cfg, b)->addr, sizeof(struct eth_addr)), 0);
	cr_expect_eq(pair(cfg, 0, "veth0", "veth2", NULL, NULL, &err), -EEXIST);
	cr_expect_eq(pair(cfg, 0, "veth2", "veth1", NULL, NULL, &err), -EEXIST);
	cr_expect_eq(pair(cfg, 0, "veth2", "veth2", NULL, NULL, &err), -EEXIST, "both ends of one name");
	cr_expect_eq(pair(cfg, 0, "veth2", "a/b", NULL, NULL, &err), -EINVAL);
	cr_expect_eq(pair(cfg, 7, "veth2", "veth3", NULL, NULL, &err), -ENODEV, "no such namespace");
	cr_expect_null(netcfg_link_by_name(cfg, "veth2"), "nothing is left of a refusal");
	cr_expect_eq(netcfg_link_del(cfg, b, &err), 0);
	cr_expect_null(netcfg_link_by_name(cfg, "veth0"));
	cr_expect_null(netcfg_link_by_name(cfg, "veth1"));
	netcfg_free(cfg);
}

Test(veth, carrier_while_both_ends_are_up)
{
	struct netcfg *cfg = netcfg_new();
	int a, b;

	pair(cfg, 0, "veth0", "veth1", &a, &b, NULL);
	cr_expect(!has_carrier(cfg, a) && !has_carrier(cfg, b));
	link_up(cfg, a, true);
	cr_expect(!has_carrier(cfg, a) && !has_carrier(cfg, b));
	link_up(cfg, b, true);
	cr_expect(has_carrier(cfg, a) && has_carrier(cfg, b));
	cr_expect_eq(netcfg_link_set_carrier(cfg, a, false), -EOPNOTSUPP, "nobody pulls it but the other end");
	link_up(cfg, a, false);
	cr_expect(!has_carrier(cfg, a) && !has_carrier(cfg, b));
	netcfg_free(cfg);
}

Test(veth, between_namespaces_both_configurations_change)
{
	struct host *x = host_new("x", 1, 1, NULL, NULL), *y = host_netns(x, "y");
	int a, b, extra;

	pair(y->cfg, 1, "spare0", "spare1", &extra, NULL, NULL); /* so that the numbers differ */
	cr_assert_eq(pair(x->cfg, y->netns, "veth0", "veth1", &a, &b, NULL), 0);
	cr_expect_neq(a, b);
	cr_expect_eq(netcfg_link_by_name(y->cfg, "veth1")->link_netns, x->netns);
	cr_expect_null(netcfg_link_by_name(x->cfg, "veth1"));
	apply_all(x);
	cr_expect(!netcfg_changed(x->cfg) && !netcfg_changed(y->cfg));
	link_up(x->cfg, a, true);
	link_up(y->cfg, b, true);
	apply_all(x);
	cr_expect(has_carrier(x->cfg, a) && has_carrier(y->cfg, b));
	link_up(y->cfg, b, false);
	cr_expect(netcfg_changed(x->cfg), "the other end hears of it");
	cr_expect(!has_carrier(x->cfg, a));
	cr_expect_eq(netcfg_link_del(y->cfg, b, NULL), 0);
	cr_expect_null(netcfg_link_by_name(x->cfg, "veth0"));
	cr_expect_not_null(netcfg_link_by_name(y->cfg, "spare0"));
	apply_all(x);
	host_free(x);
}

/* Whatever allocation fails: either nothing happened in either namespace, or all did. */
Test(veth, no_memory_in_the_middle)
{
	for (long n = 0; n < 40; n++)
		for (int which = 0; which < 2; which++) {
			struct host *x = host_new("x", 1, 1, NULL, NULL), *y = host_netns(x, "y");
			struct netcfg *victim = which ? y->cfg : x->cfg;
			int a, b, r;

			netcfg_fail_after(victim, n);
			r = pair(x->cfg, 1, "veth0", "veth1", &a, &b, NULL);
			netcfg_fail_after(victim, -1);
			cr_expect_eq(r == 0, netcfg_link_by_name(x->cfg, "veth0") != NULL);
			cr_expect_eq(r == 0, netcfg_link_by_name(y->cfg, "veth1") != NULL);
			if (r == 0) {
				addr_add(x, a, "10.0.0.1", 24);
				addr_add(y, b, "10.0.0.2", 24);
				link_up(x->cfg, a, true);
				link_up(y->cfg, b, true);
				netcfg_fail_after(victim, n);
				r = netcfg_link_del(x->cfg, a, NULL);
				netcfg_fail_after(victim, -1);
				cr_expect(r == 0 || r == -ENOMEM);
				cr_expect_eq(r != 0, netcfg_link_by_name(x->cfg, "veth0") != NULL);
				cr_expect_eq(r != 0, netcfg_link_by_name(y->cfg, "veth1") != NULL);
				cr_expect_eq(netcfg_link_del(y->cfg, b, NULL), r ? 0 : -ENODEV, "a second try finds all as it was");
			}
			host_free(x);
		}
}

/* ---- the wire ---- */

struct wire {
	struct host *x, *y; /* the same one for a pair within a namespace */
	int          a, b;
};

static struct wire wire_new(unsigned ncpu)
{
	struct wire w;

	w.x = host_new("x", ncpu, 3, NULL, NULL);
	w.y = host_netns(w.x, "y");
	pair(w.y->cfg, 1, "spare0", "spare1", NULL, NULL, NULL);
	cr_assert_eq(pair(w.x->cfg, 1, "veth0", "veth1", &w.a, &w.b, NULL), 0);
	addr_add(w.x, w.a, "10.0.0.1", 24);
	addr_add(w.y, w.b, "10.0.0.2", 24);
	link_up(w.x->cfg, w.a, true);
	link_up(w.y->cfg, w.b, true);
	apply_all(w.x);
	return w;
}

static void wire_free(struct wire *w)
{
	host_run(w->x, w->x->now + 400 * NSEC_PER_SEC);
	for (struct host *h = w->x; h; h = h->sibling)
		cr_expect_null(host_idle_error(h), "%s", host_idle_error(h));
	host_free(w->x);
}

static struct link_stats stats(struct host *h, int ifindex)
{
	struct link_stats sum = { .rx_packets = 0 }, one;

	for (unsigned i = 0; i < h->ncpu; i++) {
		cr_assert_eq(stack_link_stats(h->shard[i].stack, ifindex, &one), 0);
		sum.rx_packets += one.rx_packets;
		sum.tx_packets += one.tx_packets;
		sum.rx_bytes += one.rx_bytes;
		sum.tx_bytes += one.tx_bytes;
		sum.tx_dropped += one.tx_dropped;
		sum.tx_carrier_errors += one.tx_carrier_errors;
	}
	return sum;
}

Test(veth, tcp_between_namespaces)
{
	for (unsigned ncpu = 1; ncpu <= 4; ncpu += 3) {
		struct wire w = wire_new(ncpu);
		struct link_stats a, b;

		cr_expect_eq(host_transfer(w.x, w.y, "10.0.0.2", 3000000), 3000000u);
		a = stats(w.x, w.a);
		b = stats(w.y, w.b);
		cr_expect_eq(a.tx_packets, b.rx_packets);
		cr_expect_eq(a.tx_bytes, b.rx_bytes);
		cr_expect_eq(b.tx_packets, a.rx_packets);
		cr_expect_lt(a.tx_packets, 1500u, "3 MB in %llu packets: large ones pass whole", (unsigned long long)a.tx_packets);
		cr_expect_eq(w.x->steered, 0u, "both ends of a flow are on one shard: nothing needs steering");
		cr_expect_eq(host_mib(w.x, MIB_TcpExt_TCPTimeouts) + host_mib(w.y, MIB_Tcp_RetransSegs), 0u);
		wire_free(&w);
	}
}

Test(veth, a_twin_that_is_not_there_is_a_cable_that_is_out)
{
	struct wire w = wire_new(1);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.0.0.2") };
	struct neigh_conf n = { .ifindex = w.a, .addr = ipaddr_v4(to.sin_addr.s_addr), .lladdr = { { 2, 0, 0, 0, 0, 7 } } };
	struct socket *u;

	cr_assert_eq(netcfg_neigh_add(w.x->cfg, &n, false, NULL), 0);
	host_apply(w.x);
	cr_assert_eq(netcfg_link_del(w.y->cfg, w.b, NULL), 0);
	host_apply(w.y); /* x has not heard yet */
	cr_assert_eq(ns_socket(host_touch(w.x, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&to, sizeof(to)), 0);
	(void)ns_send(u, "x", 1, 0);
	cr_expect_eq(stats(w.x, w.a).tx_carrier_errors, 1u);
	cr_expect_eq(stats(w.x, w.a).tx_dropped, 1u);
	cr_expect_eq(host_drops(w.x, SKB_DROP_NO_CARRIER), 1u);
	ns_close(u);
	host_apply(w.x);
	wire_free(&w);
}

static void most_mark(void *arg, const struct stack_tap_frame *f)
{
	uint32_t *most = arg;

	if (f->skb->mark > *most)
		*most = f->skb->mark;
}

/* A mark means something to the namespace that made it only. */
Test(veth, a_mark_stays_in_its_namespace)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.0.0.2") };
	struct wire w = wire_new(1);
	uint32_t there = 0, here = 0;
	struct stack_tap *a, *b;
	struct socket *u;
	int mark = 7;

	cr_assert_eq(stack_tap_attach(w.x->shard[0].stack, w.a, STACK_TAP_TX, most_mark, &here, &a), 0);
	cr_assert_eq(stack_tap_attach(w.y->shard[0].stack, w.b, STACK_TAP_RX, most_mark, &there, &b), 0);
	cr_assert_eq(ns_socket(host_touch(w.x, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_setsockopt(u, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_expect_eq(ns_send(u, "x", 1, 0), 1);
	host_run(w.x, w.x->now + NSEC_PER_MSEC);
	cr_expect_eq(here, 7u);
	cr_expect_eq(there, 0u);
	cr_expect_eq(host_mib(w.y, MIB_Udp_NoPorts), 1u, "it was received");
	stack_tap_detach(a);
	stack_tap_detach(b);
	ns_close(u);
	wire_free(&w);
}

/* The end in x has moved to another namespace, where it has the same number. x, which has not heard of it, is no twin any more. */
Test(veth, a_twin_is_told_apart_by_its_namespace)
{
	struct wire w = wire_new(1);
	struct host *z = host_netns(w.x, "z");
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.0.0.2") };
	struct neigh_conf n = { .ifindex = w.a, .addr = ipaddr_v4(to.sin_addr.s_addr), .lladdr = netcfg_link_by_index(w.y->cfg, w.b)->addr };
	struct socket *u;
	int moved;

	cr_assert_eq(netcfg_neigh_add(w.x->cfg, &n, false, NULL), 0);
	host_apply(w.x);
	cr_assert_eq(ns_socket(host_touch(w.x, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(netcfg_link_move(w.x->cfg, w.a, z->netns, &moved, NULL), 0);
	cr_assert_eq(moved, w.a, "the same number");
	link_up(z->cfg, moved, true);
	host_apply(z);
	host_apply(w.y);
	(void)ns_send(u, "x", 1, 0);
	cr_expect_eq(stats(w.x, w.a).tx_carrier_errors, 1u);
	cr_expect_eq(stats(w.y, w.b).rx_packets, 0u);
	/* and back, under another number */
	cr_assert_eq(netcfg_link_move(z->cfg, moved, w.x->netns, &moved, NULL), 0);
	cr_assert_neq(moved, w.a);
	link_up(w.x->cfg, moved, true);
	host_apply(z);
	host_apply(w.y);
	(void)ns_send(u, "x", 1, 0);
	cr_expect_eq(stats(w.x, w.a).tx_carrier_errors, 2u);
	/* the right one, but it is down */
	host_apply(w.x);
	n.ifindex = moved;
	addr_add(w.x, moved, "10.0.0.1", 24);
	cr_assert_eq(netcfg_neigh_add(w.x->cfg, &n, false, NULL), 0);
	host_apply(w.x);
	host_apply(w.y);
	(void)ns_send(u, "x", 1, 0);
	cr_expect_eq(stats(w.y, w.b).rx_packets, 1u);
	link_up(w.y->cfg, w.b, false);
	host_apply(w.y);
	(void)ns_send(u, "x", 1, 0);
	cr_expect_eq(stats(w.y, w.b).rx_packets, 1u);
	cr_expect_eq(stats(w.x, moved).tx_carrier_errors, 1u);
	ns_close(u);
	host_apply(w.x);
	wire_free(&w);
}

/* What a shard did for another one with a frame before it crossed over is no business of the namespace that gets it. */
static void priority_of(void *arg, const struct stack_tap_frame *f)
{
	*(unsigned *)arg = f->skb->priority;
}

Test(veth, a_frame_that_was_steered_begins_anew)
{
	unsigned priority = 99;
	struct stack_tap *tap;
	struct wire w = wire_new(2);
	struct stack *x = w.x->shard[1].stack, *y = w.y->shard[1].stack;
	struct net_device *to = dev_get_by_index(y, w.b);
	struct sk_buff *skb = alloc_skb(stack_skb_pool(x), 200, 64);

	memset(skb_put(skb, 60), 0xff, 60);
	memcpy(skb->data + 6, (uint8_t[]){ 2, 0, 0, 0, 0, 9, 0x88, 0xb5 }, 8); /* nobody's protocol */
	skb->steered = 1;
	skb->from_cpu = 0;
	skb->handed = 1;
	skb->to_raw = 1;
	skb->priority = 5; /* of a tag on the way here */
	cr_assert_eq(stack_tap_attach(y, w.b, STACK_TAP_RX, priority_of, &priority, &tap), 0);
	(void)host_touch(w.x, 1);
	cr_assert_eq(dev_forward_skb(to, x, skb), 0);
	host_run(w.x, w.x->now + NSEC_PER_MSEC);
	cr_expect_eq(stack_steer_done(y, 0), 0u, "shard 0 of y had handed nothing over");
	cr_expect_eq(host_drops(w.y, SKB_DROP_UNHANDLED_PROTO), 1u);
	cr_expect_eq(priority, 0u);
	stack_tap_detach(tap);
	wire_free(&w);
}

/* A frame to a station that is not the twin is received, counted and refused there, as on any Ethernet. */
Test(veth, the_mac_filter_is_that_of_any_ethernet)
{
	struct wire w = wire_new(1);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.0.0.9") };
	struct neigh_conf n = { .ifindex = w.a, .addr = ipaddr_v4(to.sin_addr.s_addr), .lladdr = { { 2, 0, 0, 0, 0, 7 } } };
	struct socket *u;

	cr_assert_eq(netcfg_neigh_add(w.x->cfg, &n, false, NULL), 0);
	host_apply(w.x);
	cr_assert_eq(ns_socket(host_touch(w.x, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_expect_eq(ns_send(u, "x", 1, 0), 1);
	host_run(w.x, w.x->now);
	cr_expect_eq(stats(w.y, w.b).rx_packets, 1u);
	cr_expect_eq(host_drops(w.y, SKB_DROP_OTHERHOST), 1u);
	ns_close(u);
	wire_free(&w);
}

Test(dummy, swallows_and_counts)
{
	struct host *h = host_new("h", 1, 1, NULL, NULL);
	struct link_conf l = { .name = "dummy0", .type = LINK_DUMMY, .flags = NS_IFF_UP };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.1.0.255") };
	struct addr_conf a = { .local = { ipaddr_v4(inet_addr("10.1.0.1")), 24 }, .broadcast = ipaddr_v4(to.sin_addr.s_addr) };
	struct socket *u;
	int one = 1;

	cr_assert_eq(netcfg_link_add(h->cfg, &l, 1, &a.ifindex, NULL), 0);
	cr_assert_eq(netcfg_addr_add(h->cfg, &a, false, NULL), 0);
	host_apply(h);
	cr_assert_eq(ns_socket(host_touch(h, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_setsockopt(u, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_expect_eq(ns_send(u, "hello", 5, 0), 5);
	cr_expect_eq(stats(h, a.ifindex).tx_packets, 1u);
	cr_expect_eq(stats(h, a.ifindex).tx_bytes, 14u + 28u + 5u);
	cr_expect_eq(stats(h, a.ifindex).rx_packets, 0u);
	cr_expect_eq(netcfg_link_set_carrier(h->cfg, a.ifindex, false), 0, "a dummy's cable can be pulled");
	ns_close(u);
	host_run(h, h->now);
	cr_expect_null(host_idle_error(h));
	host_free(h);
}
