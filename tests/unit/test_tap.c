/* SPDX-License-Identifier: MIT */
/*
 * test_tap.c: packet taps: what is shown, when, from which device, with which bytes; and that looking changes nothing.
 */
#include "frame.h"
#include "host.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>

struct seen {
	enum stack_tap_dir   dir;
	int                  ifindex;
	enum skb_drop_reason reason;
	bool                 again, made;
	uint16_t             protocol;
	uint32_t             len;
	uint8_t              bytes[2048];
};

struct log {
	struct seen rows[64];
	unsigned    n;
};

static void note(void *arg, const struct stack_tap_frame *f)
{
	struct log *log = arg;
	struct seen *s = &log->rows[log->n++ % 64];

	*s = (struct seen){ .dir = f->dir, .ifindex = f->ifindex, .reason = f->reason, .again = f->again, .made = f->made, .protocol = f->protocol, .len = f->len };
	cr_assert_eq(stack_tap_copy(f, 0, s->bytes, f->len < sizeof(s->bytes) ? f->len : sizeof(s->bytes)), 0);
	cr_assert_eq(stack_tap_copy(f, f->len, s->bytes, 1), -EFAULT);
	cr_assert_eq(stack_tap_copy(f, 1, s->bytes, f->len), -EFAULT);
}

struct rig {
	struct host     *h;
	struct stack    *stack;
	struct frame_ctx ctx;
	int              eth[2];
	ktime_t          now;
	bool             full;
	unsigned         sent;
};

static int rig_xmit(void *arg, struct host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	struct rig *r = arg;

	(void)h, (void)cpu, (void)ifindex, (void)skb;
	if (r->full)
		return -EAGAIN;
	r->sent++;
	return 0;
}

static const struct host_ops rig_ops = { .xmit = rig_xmit };

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->h = host_new("tap", 1, 7, &rig_ops, r);
	r->eth[0] = host_link(r->h, "eth0", "192.0.2.1/24", 1, 1500, 0);
	r->eth[1] = host_link(r->h, "eth1", "198.51.100.1/24", 2, 1500, 0);
	cr_assert_eq(netcfg_sysctl_set(r->h->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	host_apply(r->h);
	r->stack = r->h->shard[0].stack;
	r->now = r->h->now;
	frame_ctx_init(&r->ctx);
}

static void rig_exit(struct rig *r)
{
	host_free(r->h);
}

static int link_of(struct rig *r, unsigned i) { return r->eth[i]; }

/* Lets a frame arrive that is described in words; returns its length. */
static size_t rx(struct rig *r, unsigned dev, const char *text, uint8_t *copy)
{
	uint8_t buf[4096];
	int len = frame_build(&r->ctx, dev, text, buf, sizeof(buf));

	cr_assert(len > 0, "%s: %s", text, r->ctx.err);
	cr_assert_eq(host_rx(r->h, 0, link_of(r, dev), buf, (size_t)len), 0);
	r->now += NSEC_PER_MSEC;
	host_run(r->h, r->now);
	if (copy)
		memcpy(copy, buf, (size_t)len);
	return (size_t)len;
}

static struct stack_tap *attach(struct rig *r, int ifindex, unsigned what, struct log *log)
{
	struct stack_tap *tap;

	cr_assert_eq(stack_tap_attach(r->stack, ifindex, what, note, log, &tap), 0);
	return tap;
}

static const char mac_words[] = "dmac=02:00:00:00:00:01";

static void describe(char *to, size_t size, const char *words)
{
	snprintf(to, size, "%s %s", mac_words, words);
}

/* The peer's ARP answer, so that the way back is known. */
static void teach(struct rig *r)
{
	struct neigh_conf n = { .ifindex = r->eth[0], .addr = ipaddr_v4(inet_addr("192.0.2.2")), .lladdr = { { 2, 0, 0, 0, 0, 9 } } };

	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &n, false, NULL), 0);
	host_apply(r->h);
}

/* A packet that is to leave and does not find its way died on the way out, at the device that it was for; a damaged frame for us is shown like any that is for us. */
Test(tap, which_way_it_was_going)
{
	struct log log = { .n = 0 }, live = { .n = 0 };
	struct stack_tap *tap, *seen;
	struct rig r;

	rig_init(&r);
	teach(&r);
	tap = attach(&r, 0, STACK_TAP_DROPS, &log);
	seen = attach(&r, r.eth[0], STACK_TAP_RX, &live);
	rx(&r, 0, "dmac=02:00:00:00:00:01 udp 192.0.2.2:7>198.51.100.77:9 (20)", NULL);
	host_run(r.h, r.now += 10 * NSEC_PER_SEC);
	cr_assert_eq(log.n, 1u);
	cr_expect_eq(log.rows[0].dir, STACK_TAP_DIR_OUT);
	cr_expect_eq(log.rows[0].ifindex, r.eth[1]);
	cr_expect_eq(log.rows[0].protocol, ETH_P_IP);
	live.n = 0;
	rx(&r, 0, "dmac=02:00:00:00:00:01 smac=03:00:00:00:00:09 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect_eq(live.n, 1u, "for us");
	rx(&r, 0, "dmac=02:00:00:00:00:02 smac=03:00:00:00:00:09 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect_eq(live.n, 1u, "for another");
	{
		struct link_stats st;

		cr_assert_eq(stack_link_stats(r.stack, r.eth[0], &st), 0);
		cr_expect_eq(st.rx_frame_errors, 2u);
		cr_expect_eq(st.rx_errors, 2u);
	}
	stack_tap_detach(tap);
	stack_tap_detach(seen);
	rig_exit(&r);
}

Test(tap, frames_in_and_out_with_all_their_bytes)
{
	struct log log = { .n = 0 };
	struct stack_tap *tap;
	struct rig r;
	uint8_t frame[4096];
	char text[200];
	size_t len;

	rig_init(&r);
	teach(&r);
	tap = attach(&r, 0, STACK_TAP_RX | STACK_TAP_TX | STACK_TAP_DROPS, &log);
	describe(text, sizeof(text), "icmp echo id 1 seq 1 (300)");
	len = rx(&r, 0, text, frame);
	cr_assert_eq(log.n, 2);
	cr_expect(log.rows[0].dir == STACK_TAP_DIR_IN && log.rows[0].ifindex == r.eth[0] && log.rows[0].reason == SKB_CONSUMED && log.rows[0].protocol == ETH_P_IP);
	cr_expect(log.rows[0].len == len && memcmp(log.rows[0].bytes, frame, len) == 0, "the frame as it came");
	cr_expect(log.rows[1].dir == STACK_TAP_DIR_OUT && log.rows[1].ifindex == r.eth[0] && log.rows[1].len == len && !log.rows[1].made);
	cr_expect(memcmp(log.rows[1].bytes + 6, "\2\0\0\0\0\1", 6) == 0, "the answer has its Ethernet header");
	stack_tap_detach(tap);
	rx(&r, 0, text, NULL);
	cr_expect_eq(log.n, 2, "nothing after the end");
	cr_expect_eq(r.sent, 2);
	rig_exit(&r);
}

Test(tap, what_is_asked_for_and_no_more)
{
	struct log in = { .n = 0 }, out = { .n = 0 }, other = { .n = 0 }, drops = { .n = 0 };
	struct stack_tap *tap;
	struct rig r;
	char text[200];

	rig_init(&r);
	teach(&r);
	cr_expect_eq(stack_tap_attach(r.stack, 0, STACK_TAP_PROMISC, note, &in, &tap), -EINVAL);
	cr_expect_eq(stack_tap_attach(r.stack, -1, STACK_TAP_RX, note, &in, &tap), -EINVAL);
	cr_expect_eq(stack_tap_attach(r.stack, 77, STACK_TAP_RX, note, &in, &tap), -ENODEV);
	attach(&r, r.eth[0], STACK_TAP_RX, &in);
	attach(&r, r.eth[0], STACK_TAP_TX, &out);
	attach(&r, r.eth[1], STACK_TAP_RX | STACK_TAP_TX | STACK_TAP_DROPS, &other);
	attach(&r, r.eth[0], STACK_TAP_DROPS, &drops);
	describe(text, sizeof(text), "icmp echo id 1 seq 1 (56)");
	rx(&r, 0, text, NULL);
	cr_expect(in.n == 1 && out.n == 1 && other.n == 0 && drops.n == 0, "%u %u %u %u", in.n, out.n, other.n, drops.n);
	describe(text, sizeof(text), "sum=bad icmp echo id 1 seq 1 (56)");
	rx(&r, 0, text, NULL);
	cr_expect(in.n == 2 && out.n == 1 && other.n == 0 && drops.n == 1);
	rig_exit(&r); /* the taps go with the stack */
}

Test(tap, a_drop_has_the_frame_the_reason_and_where)
{
	struct log log = { .n = 0 };
	struct rig r;
	uint8_t frame[4096];
	char text[200];
	size_t len;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_RX | STACK_TAP_DROPS, &log);
	describe(text, sizeof(text), "ttl=1 udp 192.0.2.2:7>203.0.113.9:9 (100)");
	len = rx(&r, 0, text, frame);
	cr_assert_geq(log.n, 2);
	cr_expect(log.rows[1].dir == STACK_TAP_DIR_IN && log.rows[1].ifindex == r.eth[0]);
	cr_expect(log.rows[1].reason == SKB_DROP_IP_INNOROUTES || log.rows[1].reason == SKB_DROP_IP_TTL, "%s", skb_drop_reason_name(log.rows[1].reason));
	cr_expect(log.rows[1].again && !log.rows[1].made, "shown when it came");
	cr_expect(log.rows[1].len == len && memcmp(log.rows[1].bytes, frame, len) == 0, "the whole frame, although the stages had taken its header off");
	rig_exit(&r);
}

Test(tap, what_died_at_once_is_told_too)
{
	static const uint8_t stub[5] = { 2, 0, 0, 0, 0 };
	struct log log = { .n = 0 };
	struct link_conf link;
	struct rig r;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_RX | STACK_TAP_DROPS | STACK_TAP_PROMISC, &log);
	cr_assert_eq(host_rx(r.h, 0, r.eth[0], stub, sizeof(stub)), 0);
	host_run(r.h, r.now += NSEC_PER_MSEC);
	cr_assert_eq(log.n, 1);
	cr_expect(log.rows[0].reason == SKB_DROP_ETH_SHORT && log.rows[0].len == 5 && !log.rows[0].again && !log.rows[0].made && log.rows[0].dir == STACK_TAP_DIR_IN);
	link = *netcfg_link_by_index(r.h->cfg, r.eth[0]);
	link.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r.h->cfg, &link, NULL), 0);
	host_apply(r.h);
	cr_assert_eq(host_rx(r.h, 0, r.eth[0], stub, sizeof(stub)), 0);
	host_run(r.h, r.now += NSEC_PER_MSEC);
	cr_assert_eq(log.n, 2);
	cr_expect(log.rows[1].reason == SKB_DROP_DEV_DOWN && log.rows[1].ifindex == r.eth[0] && log.rows[1].dir == STACK_TAP_DIR_IN && log.rows[1].len == 5);
	rig_exit(&r);
}

Test(tap, our_own_packet_that_never_left_gets_an_ethernet_header)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("192.0.2.77") };
	struct log log = { .n = 0 };
	struct socket *sock;
	struct rig r;
	unsigned i;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_DROPS, &log);
	host_touch(r.h, 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_DGRAM, 0, &sock), 0);
	cr_assert_eq(ns_connect(sock, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(ns_send(sock, "hello", 5, 0), 5);
	host_run(r.h, r.now += 10 * NSEC_PER_SEC); /* nobody answers ARP */
	for (i = 0; i < log.n && log.rows[i].reason != SKB_DROP_NEIGH_FAILED; i++)
		;
	cr_assert_lt(i, log.n, "the packet that waited for the neighbour died");
	cr_expect(log.rows[i].dir == STACK_TAP_DIR_OUT && log.rows[i].ifindex == r.eth[0] && log.rows[i].made && log.rows[i].len == 14 + 20 + 8 + 5);
	cr_expect(memcmp(log.rows[i].bytes, "\0\0\0\0\0\0\2\0\0\0\0\1\10\0\105", 15) == 0, "no destination yet, our address, IPv4, and the packet behind it");
	cr_expect(memcmp(log.rows[i].bytes + 42, "hello", 5) == 0);
	ns_close(sock);
	rig_exit(&r);
}

Test(tap, other_stations_only_when_promiscuous_and_nothing_else_changes)
{
	struct log plain = { .n = 0 }, promisc = { .n = 0 };
	struct stack_tap *tap;
	struct rig r;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_RX, &plain);
	rx(&r, 0, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	rx(&r, 0, "dmac=01:00:5e:01:02:03 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect_eq(plain.n, 0);
	tap = attach(&r, r.eth[0], STACK_TAP_RX | STACK_TAP_PROMISC, &promisc);
	rx(&r, 0, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	rx(&r, 0, "dmac=01:00:5e:01:02:03 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect(promisc.n == 2 && plain.n == 2, "as on Linux it is the device that is promiscuous: %u %u", promisc.n, plain.n);
	cr_expect_eq(host_drops(r.h, SKB_DROP_OTHERHOST), 2);
	cr_expect_eq(host_drops(r.h, SKB_DROP_IP_MULTICAST), 2, "the protocols get no more than before");
	stack_tap_detach(tap);
	rx(&r, 0, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect(promisc.n == 2 && plain.n == 2);
	cr_expect_eq(r.sent, 0);
	rig_exit(&r);
}

Test(tap, a_frame_that_waited_for_the_device_is_shown_once)
{
	struct log log = { .n = 0 };
	struct rig r;
	char text[200];

	rig_init(&r);
	teach(&r);
	attach(&r, r.eth[0], STACK_TAP_TX, &log);
	describe(text, sizeof(text), "icmp echo id 1 seq 1 (56)");
	r.full = true;
	rx(&r, 0, text, NULL);
	rx(&r, 0, text, NULL);
	cr_expect(r.sent == 0 && log.n == 1, "the second waits behind the first");
	r.full = false;
	host_tx_ready(r.h, r.eth[0]);
	host_run(r.h, r.now += NSEC_PER_MSEC);
	cr_expect(r.sent == 2 && log.n == 2, "%u sent, %u shown", r.sent, log.n);
	rig_exit(&r);
}

Test(tap, loopback_is_seen_leaving_and_coming)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct log log = { .n = 0 };
	struct socket *sock;
	struct rig r;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_RX | STACK_TAP_TX, &log);
	host_touch(r.h, 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_DGRAM, 0, &sock), 0);
	cr_assert_eq(ns_bind(sock, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(ns_connect(sock, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(ns_send(sock, "hello", 5, 0), 5);
	host_run(r.h, r.now += NSEC_PER_MSEC);
	cr_assert_eq(log.n, 2);
	cr_expect(log.rows[0].dir == STACK_TAP_DIR_OUT && log.rows[1].dir == STACK_TAP_DIR_IN && log.rows[0].ifindex == 1 && log.rows[1].ifindex == 1);
	cr_expect(log.rows[0].len == 47 && log.rows[1].len == 47 && memcmp(log.rows[0].bytes, log.rows[1].bytes, 47) == 0);
	ns_close(sock);
	rig_exit(&r);
}

Test(tap, a_device_that_comes_later_is_covered_and_one_that_goes_is_not_missed)
{
	struct log all = { .n = 0 }, one = { .n = 0 };
	struct stack_tap *tap;
	struct rig r;
	int eth2;

	rig_init(&r);
	attach(&r, 0, STACK_TAP_RX | STACK_TAP_PROMISC, &all);
	tap = attach(&r, r.eth[1], STACK_TAP_RX | STACK_TAP_PROMISC, &one);
	eth2 = host_link(r.h, "eth2", NULL, 3, 1500, 0);
	cr_assert_eq(netcfg_link_del(r.h->cfg, r.eth[1], NULL), 0);
	host_apply(r.h);
	r.eth[0] = eth2;
	rx(&r, 0, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect(all.n == 1 && all.rows[0].ifindex == eth2);
	stack_tap_detach(tap);
	cr_expect_eq(one.n, 0);
	rig_exit(&r);
}

/* Bytes that stand in fragments are reached by stack_tap_copy as the linear ones are. */
Test(tap, copy_reaches_every_byte)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = alloc_skb(pool, 300, 50);
	struct stack_tap_frame f;
	uint8_t want[14 + 200 + 150], got[sizeof(want)];
	struct skb_area *area = skb_area_alloc(pool, 400);
	uint64_t seed = test_seed("tap copy", 11);

	for (unsigned i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)test_random(&seed);
	memcpy(skb_put(skb, 214), want, 214);
	memcpy(area->base + 30, want + 214, 150);
	cr_assert_eq(skb_add_frag(skb, area, 30, 100), 0);
	cr_assert_eq(skb_add_frag(skb, area, 130, 50), 0);
	stack_tap_frame_init(&f, skb);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t off = test_random_below(&seed, sizeof(want) + 1), n = test_random_below(&seed, (uint32_t)sizeof(want) - off + 1);

		cr_assert_eq(stack_tap_copy(&f, off, got, n), 0);
		cr_assert_eq(memcmp(got, want + off, n), 0, "%u bytes from %u", n, off);
		cr_assert_eq(stack_tap_copy(&f, off, got, (uint32_t)sizeof(want) - off + 1), -EFAULT);
	}
	kfree_skb(skb, SKB_DROP_NOMEM);
	skb_area_put(pool, area);
	skb_pool_free(pool);
}
