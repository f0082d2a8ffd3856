/* SPDX-License-Identifier: MIT */
/*
 * test_gro.c: what is merged and what is not, by a table; and that what was merged comes out of gso.c as the very frames that came in, on random streams.
 *
 * Theory. Frames arrive in polls of random size at a device with GRO. A tap behind it sees what GRO passes on; there each packet is cut again by skb_gso_segment, its
 * checksums are completed, and each piece must be the next frame of its flow, byte by byte. Frames that GRO does not look at (fragments, options, wrong
 * checksums) may overtake their flow, but not each other.
 */
#include "checksum.h"
#include "dev.h"
#include "host.h"
#include "sock.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>

#pragma GCC diagnostic ignored "-Woverride-init" /* rows of the tables say what differs from a usual segment */

/* ---- frames ----------------------------------------------------------------------------------------------------------------------------------------- */

enum { LIE_NONE, LIE_TCP_SUM, LIE_IP_SUM, LIE_MF, LIE_IHL, LIE_SHORT, LIE_DOFF, LIE_FFFF, LIES };

struct seg {
	unsigned tags; /* of VLANs in front */
	bool     v6, udp, nosum, nodf;
	uint16_t sport;
	uint8_t  flags, tos, ttl, src_mac;
	uint16_t id, win, urg;
	uint32_t seq, ack, ts; /* ts 0: no option */
	uint32_t len, pad;
	int      lie;
};

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 7 + (i >> 8) * 3); }

static uint32_t put_l2(uint8_t *f, const struct seg *s)
{
	uint32_t n = 12;

	memcpy(f, (uint8_t[12]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, s->src_mac }, 12);
	for (unsigned i = 0; i < s->tags; i++, n += 4) {
		put_be16(f + n, i + 1 < s->tags ? ETH_P_8021AD : ETH_P_8021Q);
		put_be16(f + n + 2, (uint16_t)(5 + i));
	}
	put_be16(f + n, s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	return n + 2;
}

static uint32_t put_l4(uint8_t *p, const struct seg *s)
{
	uint32_t hlen = s->udp ? 8 : s->ts ? 32 : 20;

	memset(p, 0, hlen);
	put_be16(p, s->sport);
	put_be16(p + 2, 80);
	if (s->udp) {
		put_be16(p + 4, (uint16_t)(8 + s->len - (s->lie == LIE_DOFF)));
	} else {
		put_be32(p + 4, s->seq);
		put_be32(p + 8, s->ack);
		p[12] = (uint8_t)(s->lie == LIE_DOFF ? 0x40 : hlen / 4 << 4);
		p[13] = s->flags;
		put_be16(p + 14, s->win);
		put_be16(p + 18, s->urg);
		if (s->ts) {
			memcpy(p + 20, (uint8_t[4]){ 1, 1, 8, 10 }, 4);
			put_be32(p + 24, s->ts);
		}
	}
	for (uint32_t i = 0; i < s->len; i++)
		p[hlen + i] = byte_at(s->seq + i);
	return hlen + s->len;
}

static uint32_t build(uint8_t *f, const struct seg *s)
{
	uint32_t net = put_l2(f, s), hl = s->v6 ? 40 : s->lie == LIE_IHL ? 24 : 20, l4 = put_l4(f + net + hl, s), total = hl + l4, sum;
	uint8_t *ip = f + net, *check = ip + hl + (s->udp ? 6 : 16), proto = s->udp ? 17 : 6;
	uint16_t c;

	memset(ip, 0, hl);
	if (s->v6) {
		put_be32(ip, 0x60000000u | (uint32_t)s->tos << 20 | 0x12345);
		put_be16(ip + 4, (uint16_t)l4);
		ip[6] = proto;
		ip[7] = s->ttl;
		memset(ip + 8, 0x20, 15);
		memset(ip + 24, 0x21, 15);
		ip[39] = 1;
	} else {
		ip[0] = (uint8_t)(0x40 | hl / 4);
		ip[1] = s->tos;
		put_be16(ip + 2, (uint16_t)(total + (s->lie == LIE_SHORT ? 9 : 0)));
		put_be16(ip + 4, s->id);
		put_be16(ip + 6, (uint16_t)((s->nodf ? 0 : IP_DF) | (s->lie == LIE_MF ? IP_MF : 0)));
		ip[8] = s->ttl;
		ip[9] = proto;
		put_be32(ip + 12, 0xc0000202u); /* 192.0.2.2 to 198.51.100.9 */
		put_be32(ip + 16, 0xc6336409u);
		if (hl == 24)
			memset(ip + 20, 1, 4);
		c = ip_fast_csum(ip, hl / 4);
		if (s->lie == LIE_IP_SUM)
			c ^= 0x100;
		memcpy(ip + 10, &c, 2);
	}
	sum = csum_partial(ip + (s->v6 ? 8 : 12), s->v6 ? 32 : 8, cpu_to_be32(l4 + proto));
	c = csum_fold(csum_partial(ip + hl, l4, sum));
	if (s->udp && !c)
		c = 0xffff;
	if (s->lie == LIE_FFFF) { /* payload such that the sum is zero, and then the other zero */
		memset(ip + hl + l4 - s->len, 0, 2);
		c = csum_fold(csum_partial(ip + hl, l4, sum));
		memcpy(ip + hl + l4 - s->len, &c, 2);
		c = 0xffff;
	}
	if (s->lie == LIE_TCP_SUM)
		c ^= 0x400;
	if (s->nosum)
		c = 0;
	memcpy(check, &c, 2);
	memset(ip + total, 0, s->pad);
	return net + total + s->pad;
}

/* ---- a device, and who watches behind it -------------------------------------------------------------------------------------------------------------- */

struct frame { struct frame *next; uint32_t len; uint8_t data[]; };
struct fifo { struct frame *first, **end; };

#define FIFOS 64
struct rig {
	struct host *h;
	int          eth0, eth1;
	struct stack_tap *tap;
	char         seen[2000]; /* segments of each packet that passed, as "3 1 1" */
	size_t       nseen;
	struct fifo  want[FIFOS]; /* frames that must still come, by flow */
	unsigned     packets, lost;
	unsigned     gso_type; /* of the last one */
	bool         cut; /* pieces are compared with want */
};

static void fifo_put(struct fifo *q, const uint8_t *data, uint32_t len)
{
	struct frame *f = malloc(sizeof(*f) + len);

	f->next = NULL;
	f->len = len;
	memcpy(f->data, data, len);
	if (!q->first)
		q->end = &q->first;
	*q->end = f;
	q->end = &f->next;
}

/* The next frame of some flow. */
static void expect_frame(struct rig *r, const uint8_t *data, uint32_t len)
{
	for (unsigned i = 0; i < FIFOS; i++) {
		struct frame *f = r->want[i].first;

		if (!f || f->len != len || memcmp(f->data, data, len))
			continue;
		r->want[i].first = f->next;
		free(f);
		return;
	}
	if (!r->lost++) {
		fprintf(stderr, "# not the next of its flow:");
		for (uint32_t i = 0; i < len && i < 80; i++)
			fprintf(stderr, " %02x", data[i]);
		fprintf(stderr, " (%u bytes)\n", len);
	}
}

static void expect_pieces(struct rig *r, struct sk_buff *copy)
{
	struct sk_buff_head segs;
	static uint8_t flat[70000];

	skb_queue_init(&segs);
	if (skb_is_gso(copy))
		cr_assert_eq(skb_gso_segment(copy, &segs), 0);
	else
		skb_queue_tail(&segs, copy);
	while ((copy = skb_dequeue(&segs))) {
		cr_assert_eq(skb_checksum_help(copy), 0);
		skb_copy_bits(copy, 0, flat, copy->len);
		expect_frame(r, flat, copy->len);
		consume_skb(copy);
	}
}

static void on_frame(void *arg, const struct stack_tap_frame *frame)
{
	const struct sk_buff *skb = frame->skb;
	unsigned segs = skb_is_gso(skb) ? skb->gso_segs : 1;
	struct rig *r = arg;

	if (frame->dir != STACK_TAP_DIR_IN || frame->ifindex != r->eth0)
		return;
	r->packets++;
	r->gso_type = skb->gso_type;
	if (r->nseen + 8 < sizeof(r->seen))
		r->nseen += (size_t)snprintf(r->seen + r->nseen, 8, "%s%u", r->nseen ? " " : "", segs);
	if (r->cut) {
		struct sk_buff *copy = skb_copy(skb, SKB_HEADROOM);

		cr_assert(skb_is_gso(skb) == (skb->gso_segs > 1));
		if (skb_is_gso(skb))
			cr_assert(skb->ip_summed == CHECKSUM_PARTIAL && skb->gso_type);
		skb_push(copy, ETH_HLEN);
		expect_pieces(r, copy);
	}
}

static void to_the_peer(struct rig *r, int ifindex);
static void rig_init(struct rig *r, unsigned ncpu, uint64_t seed, uint32_t features)
{
	*r = (struct rig){ .h = host_new("gro", ncpu, seed, NULL, NULL) };
	r->eth0 = host_link(r->h, "eth0", "192.0.2.1/24", 1, 65000, LINK_F_GRO | features);
	r->eth1 = host_link(r->h, "eth1", "198.51.100.1/24", 3, 65000, 0);
	cr_assert_eq(netcfg_sysctl_set(r->h->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	to_the_peer(r, r->eth1);
	host_apply(r->h);
	cr_assert_eq(stack_tap_attach(r->h->shard[0].stack, 0, STACK_TAP_RX, on_frame, r, &r->tap), 0);
}

static void rig_free(struct rig *r)
{
	struct frame *f;

	for (unsigned i = 0; i < FIFOS; i++)
		while ((f = r->want[i].first)) {
			r->want[i].first = f->next;
			free(f);
		}
	stack_tap_detach(r->tap);
	cr_expect_null(host_idle_error(r->h));
	host_free(r->h);
}

static void rx(struct rig *r, const struct seg *s)
{
	static uint8_t f[70000];

	cr_assert_eq(host_rx(r->h, 0, r->eth0, f, build(f, s)), 0);
}

static struct gro_stats stats(const struct rig *r)
{
	struct gro_stats st;

	cr_assert_eq(stack_gro_stats(r->h->shard[0].stack, r->eth0, &st), 0);
	return st;
}

/* ---- the rules -------------------------------------------------------------------------------------------------------------------------------------- */

#define SEG .flags = TCPHDR_ACK, .ttl = 64, .src_mac = 9, .sport = 1000, .ack = 77, .win = 500, .ts = 5
#define AT(n) .seq = 1000 + (n) * 100, .id = 7 + (n), .len = 100
#define ONE(n) { SEG, AT(n) }

static const struct rule {
	const char *what, *seen;
	struct seg seg[6];
} rules[] = {
	{ "three in a row", "3", { ONE(0), ONE(1), ONE(2) } },
	{ "a shorter one ends the row", "3 1", { ONE(0), ONE(1), { SEG, AT(2), .len = 99 }, { SEG, AT(3), .seq = 1299 } } },
	{ "a longer one begins another", "2 1", { ONE(0), ONE(1), { SEG, AT(2), .len = 101 } } },
	{ "PSH ends the row", "2 2", { ONE(0), { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_PSH }, ONE(2), ONE(3) } },
	{ "PSH in the first: not held", "1 2", { { SEG, AT(0), .flags = TCPHDR_ACK | TCPHDR_PSH }, ONE(1), ONE(2) } },
	{ "FIN ends the row", "2", { ONE(0), { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_FIN } } },
	{ "SYN", "1 1", { ONE(0), { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_SYN } } },
	{ "RST", "1 1", { ONE(0), { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_RST } } },
	{ "URG", "1 1 1", { ONE(0), { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_URG, .urg = 1 }, ONE(2) } },
	{ "no ACK", "1 1", { ONE(0), { SEG, AT(1), .flags = 0 } } },
	{ "an urgent pointer without URG", "1 1", { ONE(0), { SEG, AT(1), .urg = 1 } } },
	{ "CWR in the first only", "2 2", { { SEG, AT(0), .flags = TCPHDR_ACK | TCPHDR_CWR }, ONE(1), { SEG, AT(2), .flags = TCPHDR_ACK | TCPHDR_CWR }, ONE(3) } },
	{ "ECE must be the same", "2 1", { { SEG, AT(0), .flags = TCPHDR_ACK | TCPHDR_ECE }, { SEG, AT(1), .flags = TCPHDR_ACK | TCPHDR_ECE }, ONE(2) } },
	{ "a hole", "1 1", { ONE(0), ONE(2) } },
	{ "the same again", "1 1", { ONE(0), ONE(0) } },
	{ "another acknowledgement", "1 2", { ONE(0), { SEG, AT(1), .ack = 78 }, { SEG, AT(2), .ack = 78 } } },
	{ "another window", "1 1", { ONE(0), { SEG, AT(1), .win = 501 } } },
	{ "another timestamp", "1 1", { ONE(0), { SEG, AT(1), .ts = 6 } } },
	{ "an option less", "1 1", { ONE(0), { SEG, AT(1), .ts = 0 } } },
	{ "no data", "1 1 2", { ONE(0), { SEG, AT(1), .len = 0 }, ONE(1), ONE(2) } },
	{ "another TOS", "1 1", { ONE(0), { SEG, AT(1), .tos = 2 } } },
	{ "another TTL", "1 1", { ONE(0), { SEG, AT(1), .ttl = 63 } } },
	{ "DF must be the same", "1 1", { ONE(0), { SEG, AT(1), .nodf = true } } },
	{ "identifications count without DF", "3", { { SEG, AT(0), .nodf = true }, { SEG, AT(1), .nodf = true }, { SEG, AT(2), .nodf = true } } },
	{ "or do not move with DF", "3 1", { { SEG, AT(0), .id = 0 }, { SEG, AT(1), .id = 0 }, { SEG, AT(2), .id = 0 }, { SEG, AT(3), .id = 1 } } },
	{ "but not without", "1 1", { { SEG, AT(0), .nodf = true, .id = 0 }, { SEG, AT(1), .nodf = true, .id = 0 } } },
	{ "an identification left out", "1 1", { ONE(0), { SEG, AT(1), .id = 9 } } },
	{ "they wrap", "3", { { SEG, AT(0), .id = 65535 }, { SEG, AT(1), .id = 0 }, { SEG, AT(2), .id = 1 } } },
	{ "sequence numbers wrap", "3", { { SEG, AT(0), .seq = 0xffffff9c }, { SEG, AT(1), .seq = 0 }, { SEG, AT(2), .seq = 100 } } },
	{ "two flows at a time", "3 2", { ONE(0), { SEG, AT(0), .sport = 2 }, ONE(1), { SEG, AT(1), .sport = 2 }, { SEG, AT(2), .flags = TCPHDR_ACK | TCPHDR_PSH } } },
	{ "another station sent it", "1 1", { ONE(0), { SEG, AT(1), .src_mac = 10 } } },
	{ "padding is not payload", "1 1", { ONE(0), { SEG, AT(1), .pad = 4 } } },
	{ "a wrong checksum passes by", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_TCP_SUM }, ONE(1) } },
	{ "a wrong IP checksum, too", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_IP_SUM }, ONE(1) } },
	{ "a fragment, too", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_MF }, ONE(1) } },
	{ "IP options, too", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_IHL }, ONE(1) } },
	{ "what was cut short, too", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_SHORT }, ONE(1) } },
	{ "a data offset below 5, too", "1 2", { ONE(0), { SEG, AT(1), .lie = LIE_DOFF }, ONE(1) } },
	{ "the other zero as checksum is right, and stays alone", "1 1 1", { ONE(0), { SEG, AT(1), .lie = LIE_FFFF }, ONE(2) } },
	{ "one tag", "2", { { SEG, AT(0), .tags = 1 }, { SEG, AT(1), .tags = 1 } } },
	{ "two tags", "2", { { SEG, AT(0), .tags = 2 }, { SEG, AT(1), .tags = 2 } } },
	{ "another station behind a tag", "1 1", { { SEG, AT(0), .tags = 1 }, { SEG, AT(1), .tags = 1, .src_mac = 10 } } },
	{ "three are too many", "1 1", { { SEG, AT(0), .tags = 3 }, { SEG, AT(1), .tags = 3 } } },
	{ "tags must be the same", "1 1 1", { ONE(0), { SEG, AT(1), .tags = 1 }, { SEG, AT(2), .tags = 2 } } },
	{ "IPv6", "2 1", { { SEG, AT(0), .v6 = true }, { SEG, AT(1), .v6 = true, .flags = TCPHDR_ACK | TCPHDR_PSH }, { SEG, AT(2), .v6 = true } } },
	{ "IPv6, another traffic class", "1 1", { { SEG, AT(0), .v6 = true }, { SEG, AT(1), .v6 = true, .tos = 1 } } },
	{ "IPv6, another hop limit", "1 1", { { SEG, AT(0), .v6 = true }, { SEG, AT(1), .v6 = true, .ttl = 63 } } },
	{ "UDP: nobody asked", "1 1", { { SEG, AT(0), .udp = true }, { SEG, AT(1), .udp = true } } },
};

#define RULES(first, features) rules_hold(first, sizeof(first) / sizeof((first)[0]), features)
static void rules_hold(const struct rule *rule, size_t n, uint32_t features)
{
	for (; n--; rule++) {
		struct rig r;
		unsigned frames = 0;

		rig_init(&r, 1, 1, features);
		for (unsigned i = 0; i < 6 && rule->seg[i].ttl; i++, frames++)
			rx(&r, &rule->seg[i]);
		host_run(r.h, r.h->now);
		cr_expect_str_eq(r.seen, rule->seen, "%s: %s, not %s", rule->what, r.seen, rule->seen);
		cr_expect_eq(stats(&r).normal + stats(&r).held + stats(&r).merged, rule->seg[0].udp && !features ? 0 : frames, "%s", rule->what);
		rig_free(&r);
	}
}

Test(gro, rules) { RULES(rules, 0); }

#define UDP(n, bytes) { SEG, .udp = true, .id = 7 + (n), .seq = (n) * 100, .len = (bytes) }
static const struct rule udp_rules[] = {
	{ "Equal ones and a shorter one", "4 1", { UDP(0, 50), UDP(1, 50), UDP(2, 50), UDP(3, 20), UDP(4, 50) } },
	{ "Longer", "1 1", { UDP(0, 50), UDP(1, 51) } },
	{ "No checksum", "1 1 1", { UDP(0, 50), { SEG, .udp = true, .id = 8, .len = 50, .nosum = true }, UDP(2, 50) } },
	{ "A wrong checksum passes by", "1 2", { UDP(0, 50), { SEG, .udp = true, .id = 8, .len = 50, .lie = LIE_TCP_SUM }, UDP(1, 50) } },
	{ "Empty", "1 1", { UDP(0, 50), UDP(1, 0) } },
	{ "Another identification", "1 1", { UDP(0, 50), UDP(2, 50) } },
	{ "IPv6", "2", { { SEG, .udp = true, .v6 = true, .len = 9 }, { SEG, .udp = true, .v6 = true, .len = 9 } } },
	{ "TCP is merged as always", "2", { ONE(0), ONE(1) } },
	{ "TCP and UDP of the same numbers are two flows", "2 2", { ONE(0), UDP(0, 50), ONE(1), UDP(1, 50) } },
	{ "A UDP length that is not IP's", "1 1", { UDP(0, 50), { SEG, .udp = true, .id = 8, .len = 50, .lie = LIE_DOFF } } },
};

Test(gro, udp_rules) { RULES(udp_rules, LINK_F_UDP_GRO_FWD); }

/* ---- how long, how much ------------------------------------------------------------------------------------------------------------------------------ */

static void rx_row(struct rig *r, unsigned n, uint32_t len, uint32_t *seq, uint16_t *id)
{
	for (; n--; *seq += len, ++*id) {
		struct seg s = { SEG, .seq = *seq, .id = *id, .len = len };

		rx(r, &s);
	}
}

Test(gro, up_to_64_kilobytes)
{
	static const struct { uint32_t len; unsigned n; const char *seen; } rows[] = {
		{ 1448, 50, "45 5" }, /* 45 * 1448 + 52 = 65212 */ { 536, 60, "60" }, { 21827, 4, "3 1" }, { 65000 - 52, 2, "1 1" }, { 1, 64, "64" },
		{ 1284, 51, "50 1" }, /* with the headers one byte more than an IP packet may have */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t seq = 1;
		uint16_t id = 1;
		struct rig r;

		rig_init(&r, 1, 1, 0);
		rx_row(&r, rows[i].n, rows[i].len, &seq, &id);
		host_run(r.h, r.h->now);
		cr_expect_str_eq(r.seen, rows[i].seen, "%u bytes: %s", rows[i].len, r.seen);
		rig_free(&r);
	}
}

/* As many as the list of fragments has room for. */
Test(gro, many_small_ones)
{
	uint32_t seq = 1;
	uint16_t id = 1;
	struct rig r;

	rig_init(&r, 1, 1, 0);
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.dev_weight", "1000", NULL), 0);
	host_apply(r.h);
	rx_row(&r, 2 * (SKB_MAX_FRAGS + 1) + 1, 10, &seq, &id);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "125 125 1");
	rig_free(&r);
}

Test(gro, a_full_bucket_lets_the_oldest_go)
{
	struct gro_stats st;
	struct rig r;

	rig_init(&r, 1, 1, 0);
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.dev_weight", "1000", NULL), 0);
	host_apply(r.h);
	for (uint16_t i = 0; i < 200; i++) {
		struct seg s = { SEG, AT(0), .sport = (uint16_t)(i + 1) };

		rx(&r, &s);
	}
	host_run(r.h, r.h->now);
	st = stats(&r);
	cr_expect_eq(r.packets, 200u);
	cr_expect_eq(st.held, 200u);
	cr_expect(st.flush_bucket >= 200 - 64 && st.flush_poll <= 64 && st.flush_bucket + st.flush_poll == 200, "%d for room, %d at the end", (int)st.flush_bucket, (int)st.flush_poll);
	rig_free(&r);
}

Test(gro, the_end_of_a_poll_and_the_timeout)
{
	uint32_t seq = 1;
	uint16_t id = 1;
	struct rig r;

	rig_init(&r, 1, 1, 0);
	rx_row(&r, 2, 100, &seq, &id);
	host_run(r.h, r.h->now);
	rx_row(&r, 3, 100, &seq, &id);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "2 3");
	cr_expect_eq(stats(&r).flush_poll, 2u);
	/* ten milliseconds of patience */
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.gro_flush_timeout", "10000000", NULL), 0);
	host_apply(r.h);
	for (int i = 0; i < 4; i++) {
		rx_row(&r, 2, 100, &seq, &id);
		host_run(r.h, r.h->now + NSEC_PER_MSEC / 8);
	}
	cr_expect_str_eq(r.seen, "2 3");
	host_run(r.h, r.h->now + 20 * NSEC_PER_MSEC);
	cr_expect_str_eq(r.seen, "2 3 8");
	/* down while it is held */
	rx_row(&r, 2, 100, &seq, &id);
	host_run(r.h, r.h->now);
	{
		struct link_conf link = *netcfg_link_by_index(r.h->cfg, r.eth0);

		link.flags &= ~NS_IFF_UP;
		cr_assert_eq(netcfg_link_set(r.h->cfg, &link, NULL), 0);
	}
	host_apply(r.h);
	cr_expect_eq(host_drops(r.h, SKB_DROP_DEV_DOWN), 1u);
	host_run(r.h, r.h->now);
	cr_expect_gt(host_next(r.h), r.h->now + 30 * NSEC_PER_MSEC, "nothing waits for its end any more");
	host_run(r.h, r.h->now + NSEC_PER_SEC);
	cr_expect_str_eq(r.seen, "2 3 8");
	rig_free(&r);
}

/* The device has more than its weight: its rows go on over polls, and what is old does not wait for them. */
Test(gro, rows_go_on_over_polls)
{
	uint32_t seq = 1;
	uint16_t id = 1;
	struct rig r;

	rig_init(&r, 1, 1, 0);
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.dev_weight", "4", NULL), 0);
	host_apply(r.h);
	rx_row(&r, 11, 100, &seq, &id);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "11");
	rig_free(&r);
}

/* What the device says of checksums and segments: one that it will complete, or has verified, is merged without a look at the payload; one that lies about where it stands,
 * and what is a large frame already, goes on as it is. Of three frames the second one is special, and its checksum is wrong. */
Test(gro, what_the_device_says)
{
	static const struct { const char *what, *seen; unsigned summed; uint16_t start, offset, gso; } rows[] = {
		{ "it will complete it", "3", CHECKSUM_PARTIAL, 34, 16, 0 }, { "but not there", "1 1 1", CHECKSUM_PARTIAL, 36, 16, 0 },
		{ "nor into that field", "1 1 1", CHECKSUM_PARTIAL, 34, 14, 0 }, { "it has verified it", "3", CHECKSUM_UNNECESSARY, 0, 0, 0 },
		{ "it says nothing", "1 1 1", CHECKSUM_NONE, 0, 0, 0 }, { "a large frame", "1 2 1", CHECKSUM_PARTIAL, 34, 16, 50 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static uint8_t frame[2000];
		struct seg s[3] = { ONE(0), { SEG, AT(1), .lie = LIE_TCP_SUM }, ONE(2) };
		struct rig r;

		rig_init(&r, 1, 1, 0);
		for (unsigned k = 0; k < 3; k++) {
			uint32_t len = build(frame, &s[k]);
			struct sk_buff *skb = alloc_skb(stack_skb_pool(r.h->shard[0].stack), SKB_HEADROOM + len, SKB_HEADROOM);

			skb_put_data(skb, frame, len);
			skb->skb_iif = r.eth0;
			if (k == 1) {
				skb->ip_summed = rows[i].summed & 3;
				skb->csum_start = (uint16_t)(SKB_HEADROOM + rows[i].start);
				skb->csum_offset = rows[i].offset;
				skb->gso_size = rows[i].gso;
				skb->gso_segs = rows[i].gso ? 2 : 0;
				skb->gso_type = rows[i].gso ? SKB_GSO_TCPV4 : 0;
			}
			skb_queue_tail(&r.h->shard[0].rxq, skb);
			stack_irq(r.h->shard[0].stack, r.eth0, r.h->now);
		}
		r.h->shard[0].next = r.h->now;
		host_run(r.h, r.h->now);
		cr_expect_str_eq(r.seen, rows[i].seen, "%s: %s, not %s", rows[i].what, r.seen, rows[i].seen);
		rig_free(&r);
	}
}

/* What somebody else may be looking at is not written: it is neither held nor merged. */
Test(gro, a_head_that_is_shared_stays_as_it_is)
{
	static const struct seg rows[2][3] = { { ONE(0), ONE(1), ONE(2) }, { UDP(0, 50), UDP(1, 50), UDP(2, 50) } };

	for (unsigned udp = 0; udp < 2; udp++)
		for (unsigned shared = 0; shared < 2; shared++) {
			static uint8_t frame[2000];
			struct sk_buff *clone = NULL;
			struct rig r;

			rig_init(&r, 1, 1, LINK_F_UDP_GRO_FWD);
			for (unsigned k = 0; k < 3; k++) {
				uint32_t len = build(frame, &rows[udp][k]);
				struct sk_buff *skb = alloc_skb(stack_skb_pool(r.h->shard[0].stack), SKB_HEADROOM + len, SKB_HEADROOM);

				skb_put_data(skb, frame, len);
				skb->skb_iif = r.eth0;
				if (k == shared)
					clone = skb_clone(skb);
				skb_queue_tail(&r.h->shard[0].rxq, skb);
				stack_irq(r.h->shard[0].stack, r.eth0, r.h->now);
			}
			r.h->shard[0].next = r.h->now;
			host_run(r.h, r.h->now);
			cr_expect_str_eq(r.seen, shared ? "1 1 1" : "1 2", "%u, %u: %s", udp, shared, r.seen);
			cr_expect(clone->len == build(frame, &rows[udp][shared]) && memcmp(clone->data, frame, clone->len) == 0, "%u, %u", udp, shared);
			consume_skb(clone);
			rig_free(&r);
		}
}

/* How the one packet says what its segments are, for who cuts it again. */
Test(gro, what_a_merged_packet_says)
{
	static const struct { struct seg seg; unsigned step, type; } rows[] = {
		{ { SEG, AT(0) }, 1, SKB_GSO_TCPV4 }, { { SEG, AT(0) }, 0, SKB_GSO_TCPV4 | SKB_GSO_FIXEDID }, { { SEG, AT(0), .v6 = true }, 0, SKB_GSO_TCPV6 },
		{ { SEG, AT(0), .flags = TCPHDR_ACK | TCPHDR_CWR }, 1, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN }, { { SEG, AT(0), .udp = true }, 1, SKB_GSO_UDP_L4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seg next = rows[i].seg;
		struct rig r;

		rig_init(&r, 1, 1, LINK_F_UDP_GRO_FWD);
		rx(&r, &next);
		next.seq += next.len;
		next.id = (uint16_t)(next.id + rows[i].step);
		next.flags = TCPHDR_ACK;
		rx(&r, &next);
		host_run(r.h, r.h->now);
		cr_expect_str_eq(r.seen, "2", "row %zu", i);
		cr_expect_eq(r.gso_type, rows[i].type, "row %zu: %x", i, r.gso_type);
		rig_free(&r);
	}
}

/* For a socket that asked: as many as it may get at once, and nothing of IPv6, which it does not speak. */
Test(gro, udp_for_a_socket)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct seg s = { SEG, .udp = true, .len = 50 }, six = { SEG, .udp = true, .v6 = true, .len = 50 };
	struct socket *u;
	struct rig r;
	int one = 1;

	rig_init(&r, 1, 1, 0);
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.dev_weight", "1000", NULL), 0);
	host_apply(r.h);
	cr_assert_eq(ns_socket(host_touch(r.h, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_bind(u, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(ns_setsockopt(u, IPPROTO_UDP, 104 /* UDP_GRO */, &one, sizeof(one)), 0);
	for (unsigned i = 0; i < 70; i++, s.id++)
		rx(&r, &s);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "64 6");
	for (unsigned i = 0; i < 3; i++)
		rx(&r, &six);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "64 6 1 1 1");
	ns_close(u);
	rig_free(&r);
}

/* Who asked is counted once, forgotten at the end, and known on the shards that receive for him, also when he asks after the others heard of his port. */
Test(gro, udp_of_another_shard)
{
	struct host *h = host_new("gro", 2, 1, NULL, NULL);
	struct stack *there = h->shard[0].stack, *here = h->shard[1].stack;
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct ipaddr us = ipaddr_v4(inet_addr("192.0.2.1"));
	struct socket *u;

	host_link(h, "eth0", "192.0.2.1/24", 1, 1500, LINK_F_GRO);
	host_apply(h);
	cr_assert_eq(ns_socket(host_touch(h, 1), AF_INET, SOCK_DGRAM, 0, &u), 0);
	cr_assert_eq(ns_bind(u, (struct sockaddr *)&any, sizeof(any)), 0);
	for (int on = 1; on >= 0; on--) {
		for (int twice = 0; twice < 2; twice++)
			cr_assert_eq(ns_setsockopt(u, IPPROTO_UDP, 104 /* UDP_GRO */, &on, sizeof(on)), 0);
		host_run(h, h->now + NSEC_PER_MSEC);
		cr_expect_eq(here->udp_gro, (uint32_t)on);
		cr_expect_eq(there->udp_gro, (uint32_t)on);
		cr_expect_eq(inet_port_gro(there, &us, 80, 0), on != 0);
	}
	ns_close(u);
	host_run(h, h->now + NSEC_PER_MSEC);
	cr_expect(!here->udp_gro && !there->udp_gro);
	host_free(h);
}

Test(gro, off_means_off)
{
	uint32_t seq = 1;
	uint16_t id = 1;
	struct link_conf link;
	struct rig r;

	rig_init(&r, 1, 1, 0);
	link = *netcfg_link_by_index(r.h->cfg, r.eth0);
	link.features &= ~(uint32_t)LINK_F_GRO;
	cr_assert_eq(netcfg_link_set(r.h->cfg, &link, NULL), 0);
	host_apply(r.h);
	rx_row(&r, 3, 100, &seq, &id);
	host_run(r.h, r.h->now);
	cr_expect_str_eq(r.seen, "1 1 1");
	cr_expect_eq(stats(&r).held, 0u);
	rig_free(&r);
}

/* ---- in as out: random streams ------------------------------------------------------------------------------------------------------------------------ */

#define FLOWS 24
struct flow { struct seg next; };

static void flow_new(uint64_t *rng, struct flow *f, unsigned i)
{
	static const uint32_t sizes[] = { 1448, 1448, 1460, 100, 700 };
	static const uint8_t tags[] = { 0, 0, 0, 0, 1, 2 };
	bool udp = test_random_below(rng, 4) == 0;

	f->next = (struct seg){ .flags = TCPHDR_ACK, .ttl = 64, .src_mac = 9, .sport = (uint16_t)(1000 + i), .ack = 1, .win = 500, .udp = udp,
				.seq = (uint32_t)test_random(rng), .id = (uint16_t)test_random(rng), .len = sizes[test_random_below(rng, 5)],
				.ts = test_random_below(rng, 2) ? 9 : 0, .v6 = test_random_below(rng, 5) == 0, .nodf = test_random_below(rng, 3) == 0,
				.tags = tags[test_random_below(rng, 6)] };
}

/* Most of the time what follows; now and then something else. Returns true when GRO will not put it in order with its flow. */
static bool flow_step(uint64_t *rng, struct flow *f, struct seg *s)
{
	struct seg *n = &f->next;

	*s = *n;
	n->seq += s->len;
	n->id = (uint16_t)(n->id + (n->nodf || n->sport % 2));
	switch (test_random_below(rng, 40)) {
	case 0: s->flags |= TCPHDR_PSH; break;
	case 1: s->flags |= TCPHDR_FIN; break;
	case 2: s->flags |= TCPHDR_CWR; break;
	case 3: s->flags |= TCPHDR_ECE; break;
	case 4: s->len = test_random_below(rng, s->len); n->seq = s->seq + s->len; break;
	case 5: n->seq += 1000; break;
	case 6: n->ack += 10; break;
	case 7: n->win ^= 3; break;
	case 8: s->tos = (uint8_t)test_random_below(rng, 4); break;
	case 9: n->id += 5; break;
	case 10: n->ts += n->ts != 0; break;
	case 11: s->urg = 4; s->flags |= test_random_below(rng, 2) ? TCPHDR_URG : 0; break;
	case 12: s->flags = (uint8_t)test_random(rng); break;
	case 13: n->nodf = !n->nodf; break;
	case 14: s->len = 0; n->seq = s->seq; break;
	case 15: s->ttl = 63; break;
	case 16: s->nosum = s->udp; return false;
	case 17:
		s->lie = 1 + (int)test_random_below(rng, LIES - 1);
		if (s->udp && (s->lie == LIE_DOFF || s->lie == LIE_FFFF))
			s->lie = LIE_NONE;
		if (s->lie == LIE_FFFF)
			return false;
		if (s->v6 && (s->lie != LIE_TCP_SUM && s->lie != LIE_DOFF))
			s->lie = LIE_NONE;
		return s->lie != LIE_NONE;
	case 18:
		s->pad = 1 + test_random_below(rng, 9);
		break;
	}
	return false;
}

Test(gro, random_streams_come_out_as_they_came, .timeout = 60)
{
	uint64_t rng = test_seed("gro_random", 11), merged = 0;
	static uint8_t frame[70000];

	for (int round = 0; round < 60; round++) {
		struct flow flows[FLOWS];
		struct rig r;

		rig_init(&r, 1, (uint64_t)round, test_random_below(&rng, 2) ? LINK_F_UDP_GRO_FWD : 0);
		r.cut = true;
		if (test_random_below(&rng, 2))
			cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.gro_flush_timeout", "2000000", NULL), 0);
		host_apply(r.h);
		for (unsigned i = 0; i < FLOWS; i++)
			flow_new(&rng, &flows[i], i);
		for (int poll = 0; poll < 20; poll++) {
			unsigned live = 1 + test_random_below(&rng, FLOWS);

			for (unsigned n = test_random_below(&rng, 200); n--;) {
				unsigned i = test_random_below(&rng, live);
				struct seg s;
				bool apart = flow_step(&rng, &flows[i], &s);
				uint32_t len = build(frame, &s);

				fifo_put(&r.want[apart ? FLOWS + i : i], frame, len);
				cr_assert_eq(host_rx(r.h, 0, r.eth0, frame, len), 0);
			}
			host_run(r.h, r.h->now + test_random_below(&rng, 3) * NSEC_PER_MSEC);
		}
		host_run(r.h, r.h->now + NSEC_PER_SEC);
		merged += stats(&r).merged;
		cr_assert_eq(r.lost, 0u, "round %d: %u frames that did not come in like that", round, r.lost);
		for (unsigned i = 0; i < FIFOS; i++)
			cr_assert_null(r.want[i].first, "round %d: a frame of flow %u did not come out", round, i);
		rig_free(&r);
	}
	cr_expect_gt(merged, 10000u, "a test of merging in which nothing is merged proves nothing");
}

/* ---- through the router ------------------------------------------------------------------------------------------------------------------------------- */

enum way { ROUTED, ROUTED_VLAN, BRIDGED };

/* What a router makes of a frame to 198.51.100.9 (with a VLAN on each side: the tag behind the addresses is another one). A bridge makes nothing of it. */
static void forwarded(uint8_t *f, enum way way)
{
	uint8_t *ip = f + (way == ROUTED_VLAN ? ETH_HLEN + 4 : ETH_HLEN);
	uint16_t c;

	if (way == BRIDGED)
		return;
	memcpy(f, (uint8_t[12]){ 2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 3 }, 12);
	if (way == ROUTED_VLAN)
		put_be16(f + 14, 6);
	ip[8]--;
	ip[10] = ip[11] = 0;
	c = ip_fast_csum(ip, 5);
	memcpy(ip + 10, &c, 2);
}

static int link_add(struct netcfg *cfg, const char *name, enum link_type type, int lower, uint16_t id)
{
	struct link_conf l = { .type = type, .link = lower, .vlan_id = id, .flags = NS_IFF_UP };
	int ifindex;

	snprintf(l.name, sizeof(l.name), "%s", name);
	cr_assert_eq(netcfg_link_add(cfg, &l, 1, &ifindex, NULL), 0);
	l = *netcfg_link_by_index(cfg, ifindex);
	l.flags |= NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
	return ifindex;
}

static void to_the_peer(struct rig *r, int ifindex)
{
	struct addr_conf a = { .ifindex = ifindex, .local = { ipaddr_v4(cpu_to_be32(0xc6336401u)), 24 } };
	struct neigh_conf n = { .ifindex = ifindex, .addr = ipaddr_v4(cpu_to_be32(0xc6336409u)), .lladdr = { { 2, 0, 0, 0, 0, 8 } } };

	if (ifindex != r->eth1)
		cr_assert_eq(netcfg_addr_add(r->h->cfg, &a, false, NULL), 0);
	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &n, false, NULL), 0);
}

/* eth0 and eth1 without addresses, as ports or under VLANs. */
static void rig_init_way(struct rig *r, unsigned ncpu, uint64_t seed, enum way way)
{
	struct netcfg *cfg;
	int in;

	if (way == ROUTED) {
		rig_init(r, ncpu, seed, LINK_F_UDP_GRO_FWD);
		return;
	}
	*r = (struct rig){ .h = host_new("gro", ncpu, seed, NULL, NULL) };
	cfg = r->h->cfg;
	r->eth0 = host_link(r->h, "eth0", NULL, 1, 65000, LINK_F_GRO | LINK_F_UDP_GRO_FWD);
	r->eth1 = host_link(r->h, "eth1", NULL, 3, 65000, 0);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	if (way == BRIDGED) {
		int br = link_add(cfg, "br0", LINK_BRIDGE, 0, 0);

		for (int i = 0; i < 2; i++) {
			struct link_conf l = *netcfg_link_by_index(cfg, i ? r->eth1 : r->eth0);

			l.master = br;
			cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
		}
	} else {
		in = link_add(cfg, "eth0.5", LINK_VLAN, r->eth0, 5);
		cr_assert_eq(netcfg_addr_add(cfg, &(struct addr_conf){ .ifindex = in, .local = { ipaddr_v4(cpu_to_be32(0xc0000201u)), 24 } }, false, NULL), 0);
		to_the_peer(r, link_add(cfg, "eth1.6", LINK_VLAN, r->eth1, 6));
	}
	host_apply(r->h);
	cr_assert_eq(stack_tap_attach(r->h->shard[0].stack, 0, STACK_TAP_RX, on_frame, r, &r->tap), 0);
}

static void forward_streams(uint64_t *rng, unsigned ncpu, enum way way)
{
	static uint8_t frame[70000];
	struct flow flows[FLOWS];
	struct host_frame *f;
	struct rig r;

	rig_init_way(&r, ncpu, test_random(rng), way);
	for (unsigned i = 0; i < FLOWS; i++) {
		flow_new(rng, &flows[i], i);
		if (way == BRIDGED)
			continue;
		flows[i].next.tags = way == ROUTED_VLAN;
		flows[i].next.v6 = false;
	}
	for (int poll = 0; poll < 20; poll++) {
		for (unsigned n = test_random_below(rng, 200), live = 1 + test_random_below(rng, FLOWS); n--;) {
			unsigned i = test_random_below(rng, live);
			struct seg s;
			uint32_t len;

			flow_step(rng, &flows[i], &s);
			s.lie = LIE_NONE;
			if (way != BRIDGED)
				s.pad = 0;
			len = build(frame, &s);
			if (way == BRIDGED)
				frame[5] = 0x55; /* a station behind eth1 */
			cr_assert_eq(host_rx(r.h, 0, r.eth0, frame, len), 0);
			forwarded(frame, way);
			fifo_put(&r.want[i], frame, len);
		}
		host_run(r.h, r.h->now + NSEC_PER_MSEC);
		while ((f = host_sent(r.h))) {
			expect_frame(&r, f->data, (uint32_t)f->len);
			free(f);
		}
	}
	cr_expect_gt(stats(&r).merged, 300u);
	cr_expect_eq(r.lost, 0u, "way %d: %u frames left that are not what came in", way, r.lost);
	for (unsigned i = 0; i < FIFOS; i++)
		cr_expect_null(r.want[i].first, "way %d: a frame of flow %u did not leave", way, i);
	rig_free(&r);
}

Test(gro, forwarded_as_it_came, .timeout = 60)
{
	uint64_t rng = test_seed("gro_forward", 12);

	for (int round = 0; round < 27; round++)
		forward_streams(&rng, 1 + (unsigned)round % 3, (enum way)(round / 3 % 3));
}

static unsigned sent_frames(struct rig *r, size_t *longest)
{
	struct host_frame *f;
	unsigned n = 0;

	for (*longest = 0; (f = host_sent(r->h)); n++, free(f))
		if (f->len > *longest)
			*longest = f->len;
	return n;
}

/* A way out that is too small for the segments, not for the packet: DF makes an error about the segment's size, otherwise each segment is fragmented; a way out with
 * TSO gets the whole. */
Test(gro, the_way_out_decides)
{
	static const struct { uint32_t mtu, features; bool nodf; unsigned frames; size_t longest; bool udp; } rows[] = {
		{ 1500, 0, false, 6, 1514, false }, { 1500, LINK_F_TX_CSUM | LINK_F_TSO4, false, 1, 14 + 52 + 6 * 1448, false }, { 1500, LINK_F_TSO4, false, 6, 1514, false },
		{ 1000, LINK_F_TX_CSUM | LINK_F_TSO4, true, 12, 14 + 996, false }, { 1000, LINK_F_TX_CSUM | LINK_F_TSO4, false, 1, 14 + 20 + 8 + 576 - 28, false },
		{ 1500, LINK_F_TX_CSUM | LINK_F_TSO4, false, 6, 14 + 28 + 1448, true }, { 1500, LINK_F_TX_CSUM | LINK_F_USO, false, 1, 14 + 28 + 6 * 1448, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct link_conf link;
		size_t longest;
		unsigned n;
		struct rig r;

		rig_init(&r, 1, 1, rows[i].udp ? LINK_F_UDP_GRO_FWD : 0);
		link = *netcfg_link_by_index(r.h->cfg, r.eth1);
		link.mtu = rows[i].mtu;
		link.features = rows[i].features;
		cr_assert_eq(netcfg_link_set(r.h->cfg, &link, NULL), 0);
		cr_assert_eq(netcfg_neigh_add(r.h->cfg, &(struct neigh_conf){ .ifindex = r.eth0, .addr = ipaddr_v4(cpu_to_be32(0xc0000202u)), .lladdr = { { 2, 0, 0, 0, 0, 9 } } },
					      false, NULL), 0);
		host_apply(r.h);
		for (unsigned k = 0; k < 6; k++) {
			struct seg s = { SEG, .seq = 1 + k * 1448, .id = (uint16_t)k, .len = 1448, .nodf = rows[i].nodf, .udp = rows[i].udp };

			rx(&r, &s);
		}
		host_run(r.h, r.h->now);
		n = sent_frames(&r, &longest);
		cr_expect(n == rows[i].frames && longest == rows[i].longest, "row %zu: %u frames, the longest of %zu bytes", i, n, longest);
		cr_expect_str_eq(r.seen, "6");
		cr_expect_eq(host_mib(r.h, MIB_Ip_FragFails), rows[i].mtu == 1000 && !rows[i].nodf);
		rig_free(&r);
	}
}
