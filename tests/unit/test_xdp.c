/* SPDX-License-Identifier: MIT */
/*
 * test_xdp.c: the XDP hook: each verdict, what the function may do to the length, and that every frame is accounted for. Two devices of a router; the functions are
 * the test's own.
 */
#include "dev.h"
#include "host.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEN 60

static struct host *h;
static int eth0, eth1;

static void setup(void)
{
	h = host_new("xdp", 1, 1, NULL, NULL);
	cr_assert_not_null(h);
	eth0 = host_link(h, "eth0", "192.0.2.1/24", 2, 1500, 0);
	eth1 = host_link(h, "eth1", "198.51.100.1/24", 3, 600, 0);
	host_apply(h);
	host_run(h, h->now + NSEC_PER_SEC);
}

static void teardown(void)
{
	const char *error;
	struct host_frame *f;

	while ((f = host_sent(h)))
		free(f);
	host_run(h, h->now + 10 * NSEC_PER_SEC);
	error = host_idle_error(h);
	cr_expect(!error, "%s", error);
	host_free(h);
}

TestSuite(xdp, .init = setup, .fini = teardown);

/* What the function is to do. */
struct script {
	int      action, ifindex;
	int32_t  head, tail;
	int      err; /* of adjust */
	bool     refill; /* writes the whole of the frame */
	unsigned calls;
	uint32_t len; /* seen */
	uint8_t  first;
};

static int play(void *arg, struct stack_xdp_frame *f)
{
	struct script *s = arg;

	s->calls++;
	s->len = f->len;
	s->first = f->data[0];
	cr_expect_eq(f->ingress_ifindex, eth0);
	if (s->head || s->tail)
		s->err = f->adjust(f, s->head, s->tail);
	if (s->refill)
		memset(f->data, 0xee, f->len);
	f->redirect_ifindex = s->ifindex;
	return s->action;
}

/* An ARP request for us, len bytes long. */
static void ask(size_t len)
{
	static const uint8_t arp[LEN] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1 };
	uint8_t frame[2000] = { 0 };

	memcpy(frame, arp, len < sizeof(arp) ? len : sizeof(arp));
	cr_assert_eq(host_rx(h, 0, eth0, frame, len), 0);
	host_run(h, h->now + NSEC_PER_MSEC);
}

static struct stack_xdp_stats stats(void)
{
	struct stack_xdp_stats s;

	cr_assert_eq(stack_xdp_stats(h->shard[0].stack, eth0, &s), 0);
	return s;
}

static void set(struct script *s)
{
	cr_assert_eq(stack_xdp_set(h->shard[0].stack, eth0, s ? play : NULL, s), 0);
}

/* The next frame sent: by which device; its length in *len, its first byte in *first. 0: none. */
static int sent(size_t *len, uint8_t *first)
{
	struct host_frame *f = host_sent(h);
	int ifindex = f ? f->ifindex : 0;

	if (f && len)
		*len = f->len;
	if (f && first)
		*first = f->data[0];
	free(f);
	return ifindex;
}

Test(xdp, pass_and_drop)
{
	struct script pass = { .action = STACK_XDP_PASS }, drop = { .action = STACK_XDP_DROP };

	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), eth0, "without a program ARP answers");
	set(&pass);
	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), eth0);
	cr_expect_eq(pass.calls, 1);
	cr_expect_eq(pass.len, LEN);
	cr_expect_eq(stats().pass, 1);
	set(&drop);
	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), 0);
	cr_expect_eq(host_drops(h, SKB_DROP_XDP_DROP), 1);
	cr_expect_eq(stats().drop, 1);
	cr_expect_eq(stats().pass, 0, "counters begin again");
	set(NULL);
	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), eth0);
	cr_expect_eq(drop.calls, 1);
}

Test(xdp, tx)
{
	struct script s = { .action = STACK_XDP_TX, .refill = true };
	uint8_t first = 0;
	size_t len = 0;

	set(&s);
	ask(LEN);
	cr_expect_eq(sent(&len, &first), eth0);
	cr_expect(len == LEN && first == 0xee);
	cr_expect_eq(stats().tx, 1);
}

Test(xdp, redirect)
{
	struct script s = { .action = STACK_XDP_REDIRECT, .ifindex = eth1 };
	size_t len = 0;

	set(&s);
	ask(LEN);
	cr_expect_eq(sent(&len, NULL), eth1);
	cr_expect_eq(len, LEN);
	cr_expect_eq(stats().redirect, 1);
	ask(600 + ETH_HLEN + 4);
	cr_expect_eq(sent(&len, NULL), eth1, "the MTU and a VLAN tag");
	ask(600 + ETH_HLEN + 5);
	cr_expect_eq(sent(NULL, NULL), 0, "longer than eth1 takes");
	s.ifindex = 99;
	ask(LEN);
	s.ifindex = 0;
	ask(LEN);
	s.ifindex = 1; /* lo */
	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), 0);
	cr_expect_eq(host_drops(h, SKB_DROP_XDP_REDIRECT), 4);
	cr_expect_eq(stats().redirect_errors, 4);
	cr_expect_eq(stats().redirect, 2);
}

Test(xdp, aborted_and_nonsense)
{
	struct script s = { .action = STACK_XDP_ABORTED };

	set(&s);
	ask(LEN);
	s.action = 77;
	ask(LEN);
	s.action = -1;
	ask(LEN);
	cr_expect_eq(sent(NULL, NULL), 0);
	cr_expect_eq(stats().aborted, 3);
	cr_expect_eq(host_drops(h, SKB_DROP_XDP_ABORTED), 3);
}

static const struct {
	const char *what;
	int32_t     head, tail;
	int         err;
} lengths[] = {
	{ "four less in front", 4, 0, 0 }, { "four more in front", -4, 0, 0 }, { "all that may be had in front", -256, 0, 0 }, { "one more than that", -257, 0, -EINVAL },
	{ "down to a header", LEN - ETH_HLEN, 0, 0 }, { "less than a header", LEN - ETH_HLEN + 1, 0, -EINVAL }, { "ten less at the end", 0, -10, 0 },
	{ "down to a header from the end", 0, ETH_HLEN - LEN, 0 }, { "less than a header from the end", 0, ETH_HLEN - LEN - 1, -EINVAL }, { "more at the end", 0, 100, 0 },
	{ "absurdly more at the end", 0, INT32_MAX, -EINVAL }, { "absurdly less", 0, INT32_MIN, -EINVAL }, { "absurdly more in front", INT32_MIN, 0, -EINVAL },
	{ "absurdly less in front", INT32_MAX, 0, -EINVAL }, { "both", -20, 20, 0 },
	{ "both, no room behind", -20, 60000, -EINVAL }, { "both, no room behind and little in front", -250, 60000, -EINVAL }, { "both the other way", 20, 60000, -EINVAL },
	{ "more in front than there is", LEN + 10, 100, -EINVAL }, { "shorter at both ends", 10, -10, 0 },
};

Test(xdp, lengths)
{
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct script s = { .action = STACK_XDP_TX, .head = lengths[i].head, .tail = lengths[i].tail, .refill = true };
		size_t len = 0;

		set(&s);
		ask(LEN);
		cr_expect_eq(sent(&len, NULL), eth0, "%s", lengths[i].what);
		cr_expect_eq(s.err, lengths[i].err, "%s: %d", lengths[i].what, s.err);
		cr_expect_eq(len, (size_t)(LEN + (s.err ? 0 : lengths[i].tail - lengths[i].head)), "%s: %zu", lengths[i].what, len);
	}
}

/* A frame of len bytes of 1 in an area of 2, for eth0; room bytes behind it. */
static struct sk_buff *of_ones(uint32_t len, uint32_t room)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(h->shard[0].stack), 300 + len + room, 300);

	cr_assert_not_null(skb);
	memset(skb->head, 2, (size_t)(skb->end - skb->head));
	memset(skb_put(skb, len), 1, len);
	return skb;
}

static void give(struct sk_buff *skb)
{
	stack_rx(h->shard[0].stack, eth0, skb, h->now);
	host_run(h, h->now + NSEC_PER_MSEC);
}

/* What a frame grows by is zero, not what stood there before. */
Test(xdp, growth_is_of_zeros)
{
	struct script s = { .action = STACK_XDP_TX, .head = -20, .tail = 30 };
	struct host_frame *f;

	set(&s);
	give(of_ones(60, 100));
	f = host_sent(h);
	cr_assert(f && f->len == 110);
	for (unsigned i = 0; i < 110; i++)
		cr_expect_eq(f->data[i], i >= 20 && i < 80, "byte %u is %u", i, f->data[i]);
	free(f);
	s = (struct script){ .action = STACK_XDP_DROP, .tail = 10 };
	give(of_ones(65530, 100));
	cr_expect_eq(s.err, -EINVAL, "more than 65,535 bytes");
	s.tail = 5;
	give(of_ones(65530, 100));
	cr_expect_eq(s.err, 0);
}

/* The bytes of a frame that is shared are not written, also when it is in one piece. */
Test(xdp, a_shared_frame_is_copied)
{
	struct script s = { .action = STACK_XDP_DROP, .refill = true };
	struct sk_buff *skb = of_ones(60, 0), *clone = skb_clone(skb);

	cr_assert_not_null(clone);
	set(&s);
	give(skb);
	cr_expect_eq(s.calls, 1);
	for (unsigned i = 0; i < 60; i++)
		cr_expect_eq(clone->data[i], 1);
	consume_skb(clone);
}

/* Redirected to a device that is down; and a frame of many segments, which any device takes. */
Test(xdp, where_redirects_go)
{
	struct script s = { .action = STACK_XDP_REDIRECT, .ifindex = eth1 };
	struct link_conf l = *netcfg_link_by_index(h->cfg, eth1);
	struct sk_buff *skb;
	size_t len = 0;

	l.features |= LINK_F_TX_CSUM | LINK_F_TSO4;
	cr_assert_eq(netcfg_link_set(h->cfg, &l, NULL), 0);
	host_apply(h);
	set(&s);
	skb = of_ones(3000, 0);
	skb->gso_size = 500;
	skb->gso_type = SKB_GSO_TCPV4;
	give(skb);
	cr_expect_eq(sent(&len, NULL), eth1);
	cr_expect_eq(len, 3000);
	l.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(h->cfg, &l, NULL), 0);
	host_apply(h);
	give(of_ones(60, 0));
	cr_expect_eq(sent(NULL, NULL), 0);
	cr_expect_eq(host_drops(h, SKB_DROP_XDP_REDIRECT), 1);
	cr_expect_eq(stats().redirect, 1);
	cr_expect_eq(stats().redirect_errors, 1);
}

static int refuse(void *arg, struct host *host, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	(void)arg, (void)host, (void)cpu, (void)ifindex, (void)skb;
	return -EIO;
}

static int always_tx(void *arg, struct stack_xdp_frame *f)
{
	(void)arg, (void)f;
	return STACK_XDP_TX;
}

/* What the driver does not take is an error of sending, and no frame that was sent. */
Test(xdp, a_driver_that_refuses)
{
	static const struct host_ops ops = { .xmit = refuse };
	struct host *x = host_new("refused", 1, 1, &ops, NULL);
	int eth = host_link(x, "eth0", NULL, 1, 1500, 0);
	struct stack_xdp_stats st;
	uint8_t frame[60] = { 2 };

	host_apply(x);
	cr_assert_eq(stack_xdp_set(x->shard[0].stack, eth, always_tx, NULL), 0);
	cr_assert_eq(host_rx(x, 0, eth, frame, sizeof(frame)), 0);
	host_run(x, x->now);
	cr_assert_eq(stack_xdp_stats(x->shard[0].stack, eth, &st), 0);
	cr_expect(st.tx == 0 && st.tx_errors == 1, "%llu sent, %llu errors", (unsigned long long)st.tx, (unsigned long long)st.tx_errors);
	host_free(x);
}

static int grow_twice(void *arg, struct stack_xdp_frame *f)
{
	int *err = arg;

	*err = f->adjust(f, -200, 0);
	if (!*err)
		*err = f->adjust(f, -57, 0);
	return STACK_XDP_DROP;
}

Test(xdp, growth_is_bounded_in_sum)
{
	int err = 0;

	cr_assert_eq(stack_xdp_set(h->shard[0].stack, eth0, grow_twice, &err), 0);
	ask(LEN);
	cr_expect_eq(err, -EINVAL);
}

Test(xdp, where_it_cannot_be)
{
	static const enum link_type kinds[] = { LINK_VLAN, LINK_BRIDGE, LINK_DUMMY };
	struct script s = { .action = STACK_XDP_PASS };

	cr_expect_eq(stack_xdp_set(h->shard[0].stack, 1, play, &s), -EOPNOTSUPP, "lo");
	cr_expect_eq(stack_xdp_set(h->shard[0].stack, 99, play, &s), -ENODEV);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct link_conf l = { .type = kinds[i], .link = kinds[i] == LINK_VLAN ? eth0 : 0, .vlan_id = 7, .flags = NS_IFF_UP };
		int ifindex = 0;

		l.name[0] = (char)('a' + i);
		cr_assert_eq(netcfg_link_add(h->cfg, &l, 1, &ifindex, NULL), 0);
		host_apply(h);
		cr_expect_eq(stack_xdp_set(h->shard[0].stack, ifindex, play, &s), -EOPNOTSUPP, "nobody would call it there");
		cr_expect_eq(stack_xdp_set(h->shard[0].stack, ifindex, NULL, NULL), 0);
	}
	set(&s);
	ask(ETH_HLEN - 1);
	cr_expect_eq(s.calls, 0, "less than a header is not shown");
	cr_expect_eq(host_drops(h, SKB_DROP_ETH_SHORT), 1);
}

/* Routes, as a program sees them: Linux's answers of bpf_fib_lookup. */
struct ask_fib {
	struct stack_xdp_fib in, out;
};

static int ask_fib(void *arg, struct stack_xdp_frame *f)
{
	struct ask_fib *a = arg;

	a->out = a->in;
	f->fib_lookup(f, &a->out);
	return STACK_XDP_DROP;
}

Test(xdp, fib_lookup)
{
#define V4(a, b, c, d) cpu_to_be32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
	static const struct { const char *what; uint32_t dst; uint16_t len; bool direct, no_neigh, output; int ifindex; enum stack_xdp_fib_ret want; } rows[] = {
		{ "a neighbour that is known", 0xc6336409, 0, false, false, false, 0, STACK_XDP_FIB_OK },
		{ "by the table main alone", 0xc6336409, 0, true, false, false, 0, STACK_XDP_FIB_OK },
		{ "as much as the MTU", 0xc6336409, 600, false, false, false, 0, STACK_XDP_FIB_OK },
		{ "more than that", 0xc6336409, 601, false, false, false, 0, STACK_XDP_FIB_FRAG_NEEDED },
		{ "a neighbour that is not known", 0xc6336408, 0, false, false, false, 0, STACK_XDP_FIB_NO_NEIGH },
		{ "whose address is not wanted", 0xc6336408, 0, false, true, false, 0, STACK_XDP_FIB_OK },
		{ "by a gateway", 0x0a010203, 0, false, false, false, 0, STACK_XDP_FIB_OK },
		{ "ourselves", 0xc6336401, 0, false, false, false, 0, STACK_XDP_FIB_NOT_FWDED },
		{ "no route", 0x08080808, 0, false, false, false, 0, STACK_XDP_FIB_NOT_FWDED },
		{ "blackhole", 0x0a020001, 0, false, false, false, 0, STACK_XDP_FIB_BLACKHOLE },
		{ "unreachable", 0x0a030001, 0, false, false, false, 0, STACK_XDP_FIB_UNREACHABLE },
		{ "prohibit", 0x0a040001, 0, false, false, false, 0, STACK_XDP_FIB_PROHIBIT },
		{ "out of a device that has no way there", 0xc6336409, 0, false, false, true, 0, STACK_XDP_FIB_NOT_FWDED },
		{ "no such device", 0xc6336409, 0, false, false, false, 99, STACK_XDP_FIB_NOT_FWDED },
	};
	static const struct { uint32_t net; uint8_t type; } refused[] = { { 0x0a020000, RTN_BLACKHOLE }, { 0x0a030000, RTN_UNREACHABLE }, { 0x0a040000, RTN_PROHIBIT } };
	static const struct eth_addr there = { { 2, 0, 0, 0, 0, 0x77 } };
	struct neigh_conf neigh = { .ifindex = eth1, .addr = ipaddr_v4(V4(198, 51, 100, 9)), .lladdr = there };
	struct route_conf route = { .dst = { ipaddr_v4(V4(10, 1, 0, 0)), 16 }, .gateway = ipaddr_v4(V4(198, 51, 100, 9)) };
	struct ask_fib a = { .out = { .ifindex = 0 } };

	cr_assert_eq(netcfg_neigh_add(h->cfg, &neigh, false, NULL), 0);
	cr_assert_eq(netcfg_route_add(h->cfg, &route, false, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		route = (struct route_conf){ .dst = { ipaddr_v4(cpu_to_be32(refused[i].net)), 16 }, .type = refused[i].type };
		cr_assert_eq(netcfg_route_add(h->cfg, &route, false, NULL), 0);
	}
	host_apply(h);
	cr_assert_eq(stack_xdp_set(h->shard[0].stack, eth0, ask_fib, &a), 0);
	a.in = (struct stack_xdp_fib){ .ifindex = eth0, .daddr = V4(198, 51, 100, 9) };
	ask(LEN);
	cr_expect_eq(a.out.ret, STACK_XDP_FIB_FWD_DISABLED, "%d", (int)a.out.ret);
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	host_apply(h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a.in = (struct stack_xdp_fib){ .ifindex = rows[i].ifindex ? rows[i].ifindex : eth0, .daddr = cpu_to_be32(rows[i].dst), .saddr = V4(192, 0, 2, 9), .len = rows[i].len,
					       .main_only = rows[i].direct, .no_neigh = rows[i].no_neigh, .output = rows[i].output };
		ask(LEN);
		cr_expect_eq(a.out.ret, rows[i].want, "%s: %d", rows[i].what, (int)a.out.ret);
		if (a.out.ret != STACK_XDP_FIB_OK)
			continue;
		cr_expect(a.out.ifindex == eth1 && a.out.mtu == 600, "%s", rows[i].what);
		if (!rows[i].no_neigh)
			cr_expect(memcmp(&a.out.dmac, &there, 6) == 0 && a.out.daddr == V4(198, 51, 100, 9), "%s", rows[i].what);
	}
#undef V4
}

/* A frame in pieces, shared with a clone: the function gets one piece of its own. */
Test(xdp, pieces_are_joined)
{
	struct stack *stack = h->shard[0].stack;
	struct skb_pool *pool = stack_skb_pool(stack);
	struct script s = { .action = STACK_XDP_TX, .refill = true };
	struct sk_buff *skb = alloc_skb(pool, 300, 100), *clone;
	struct skb_area *area = skb_area_alloc(pool, 500);
	uint8_t first = 0;
	size_t len = 0;

	cr_assert(skb && area);
	memset(skb_put(skb, 20), 1, 20);
	memset(area->base, 2, 500);
	cr_assert_eq(skb_add_frag(skb, area, 0, 500), 0);
	skb_area_put(pool, area);
	clone = skb_clone(skb);
	cr_assert_not_null(clone);
	set(&s);
	stack_rx(stack, eth0, skb, h->now);
	host_run(h, h->now + NSEC_PER_MSEC);
	cr_expect_eq(s.len, 520);
	cr_expect_eq(sent(&len, &first), eth0);
	cr_expect(len == 520 && first == 0xee);
	cr_expect_eq(clone->data[0], 1, "the clone's bytes are its own");
	consume_skb(clone);
}

/* A frame that stands for several keeps its length. */
Test(xdp, gso_keeps_its_length)
{
	struct stack *stack = h->shard[0].stack;
	struct sk_buff *skb = alloc_skb(stack_skb_pool(stack), 3000, 100);
	struct script s = { .action = STACK_XDP_DROP, .head = -4 };

	cr_assert_not_null(skb);
	memset(skb_put(skb, 2000), 0, 2000);
	skb->gso_size = 1000;
	skb->gso_type = SKB_GSO_TCPV4;
	set(&s);
	stack_rx(stack, eth0, skb, h->now);
	cr_expect_eq(s.err, -EOPNOTSUPP);
}

/* What a device was to sum is cut off: there is nothing to sum any more, and the frame leaves as it is. */
Test(xdp, a_checksum_that_lost_its_place)
{
	static const struct { int32_t head, tail; } rows[] = { { 40, 0 }, { 0, -150 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stack *stack = h->shard[0].stack;
		struct sk_buff *skb = alloc_skb(stack_skb_pool(stack), 300, 100);
		struct script s = { .action = STACK_XDP_TX, .head = rows[i].head, .tail = rows[i].tail };
		size_t len = 0;

		cr_assert_not_null(skb);
		memset(skb_put(skb, 200), 0, 200);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = 134;
		skb->csum_offset = 16;
		set(&s);
		stack_rx(stack, eth0, skb, h->now);
		host_run(h, h->now + NSEC_PER_MSEC);
		cr_expect_eq(s.err, 0);
		cr_expect_eq(sent(&len, NULL), eth0, "row %zu", i);
		cr_expect_eq(len, (size_t)(200 - rows[i].head + rows[i].tail), "row %zu", i);
	}
}

/* Two ends of a veth that send everything back: the frame goes round by turns of NET_TX, not deeper and deeper into the C stack. */
static int back(void *arg, struct stack_xdp_frame *f)
{
	(void)f;
	return ++*(unsigned *)arg < 10000 ? STACK_XDP_TX : STACK_XDP_DROP;
}

Test(xdp, veth_ping_pong)
{
	struct stack *stack = h->shard[0].stack;
	struct link_conf a = { .name = "va", .type = LINK_VETH, .flags = NS_IFF_UP }, b = { .name = "vb", .type = LINK_VETH, .flags = NS_IFF_UP };
	struct netcfg_err err = { "" };
	struct sk_buff *skb;
	unsigned n = 0;
	int va = 0, vb = 0;

	cr_assert_eq(netcfg_veth_add(h->cfg, &a, &b, 1, &va, &vb, &err), 0, "%s", err.text);
	host_apply(h);
	cr_assert_eq(stack_xdp_set(stack, va, back, &n), 0);
	cr_assert_eq(stack_xdp_set(stack, vb, back, &n), 0);
	skb = alloc_skb(stack_skb_pool(stack), 200, 100);
	cr_assert_not_null(skb);
	memset(skb_put(skb, 60), 0, 60);
	stack_rx(stack, va, skb, h->now);
	host_touch(h, 0);
	host_run(h, h->now + NSEC_PER_SEC);
	cr_expect_eq(n, 10000);
}
