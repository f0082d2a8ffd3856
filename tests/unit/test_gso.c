/* SPDX-License-Identifier: MIT */
/*
 * test_gso.c: software segmentation. The pieces are put together again by a twin that reads them as a receiver would: every
 * header checked, every checksum computed from scratch, the stream compared byte for byte.
 */
#include "checksum.h"
#include "dev.h"
#include "random.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

struct shape {
	bool     tcp, eth;
	uint32_t optlen, tcpopt, payload, lin /* payload bytes in the linear part */, frag /* bytes a fragment */;
	uint16_t mss;
};

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 13 + (i >> 7)); }

/* One large packet; its transport checksum field is of no account, as gso.c writes it anew. */
static struct sk_buff *make(struct skb_pool *pool, const struct shape *s)
{
	uint32_t ihl = 20 + s->optlen, thl = s->tcp ? 20 + s->tcpopt : 8, hdr = (s->eth ? ETH_HLEN : 0) + ihl + thl;
	struct sk_buff *skb = alloc_skb(pool, 64 + hdr + s->lin, 64);
	uint32_t left = s->payload - s->lin, at = 0;
	struct ip_hdr *iph;

	if (s->eth) {
		struct eth_hdr *eth = skb_put(skb, ETH_HLEN);

		memset(eth, 2, ETH_HLEN);
		eth->h_proto = cpu_to_be16(ETH_P_IP);
	}
	skb->network_header = (uint16_t)(skb_headroom(skb) + skb->len);
	iph = skb_put(skb, ihl);
	memset(iph, 1, ihl); /* options: no operation */
	*iph = (struct ip_hdr){ .ver_ihl = (uint8_t)(0x40 | ihl / 4), .tot_len = cpu_to_be16((uint16_t)(ihl + thl + s->payload)), .id = cpu_to_be16(0xfffe),
				.frag_off = cpu_to_be16(IP_DF), .ttl = 64, .protocol = s->tcp ? NS_IPPROTO_TCP : NS_IPPROTO_UDP,
				.saddr = cpu_to_be32(0x0a000001), .daddr = cpu_to_be32(0x0a000002) };
	iph->check = ip_fast_csum(iph, ihl / 4);
	if (s->tcp) {
		struct tcp_hdr *th = skb_put(skb, thl);

		memset(th, 1, thl);
		*th = (struct tcp_hdr){ .source = cpu_to_be16(1), .dest = cpu_to_be16(2), .seq = cpu_to_be32(0xfffffff0u), .ack_seq = cpu_to_be32(77),
					.doff = (uint8_t)(thl / 4 << 4), .flags = TCPHDR_ACK | TCPHDR_PSH | TCPHDR_FIN | TCPHDR_CWR,
					.window = cpu_to_be16(1000) };
		skb->gso_type = SKB_GSO_TCPV4;
	} else {
		struct udp_hdr *uh = skb_put(skb, thl);

		*uh = (struct udp_hdr){ .source = cpu_to_be16(1), .dest = cpu_to_be16(2), .len = cpu_to_be16((uint16_t)(thl + s->payload)) };
		skb->gso_type = SKB_GSO_UDP_L4;
	}
	for (; at < s->lin; at++)
		*(uint8_t *)skb_put(skb, 1) = byte_at(at);
	while (left) {
		uint32_t n = left < s->frag ? left : s->frag;
		struct skb_area *area = skb_area_alloc(pool, n + 3);

		for (uint32_t i = 0; i < n; i++)
			area->base[3 + i] = byte_at(at++);
		cr_assert_eq(skb_add_frag(skb, area, 3, n), 0);
		skb_area_put(pool, area);
		left -= n;
	}
	skb->gso_size = s->mss;
	skb->ip_summed = CHECKSUM_PARTIAL;
	return skb;
}

static uint32_t destroyed, destroyed_truesize;
static void on_destroy(struct sk_buff *skb)
{
	destroyed++;
	destroyed_truesize = skb->truesize;
}

static void check(const struct shape *s)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = make(pool, s), *seg;
	struct sk_buff_head segs;
	uint32_t done = 0, index = 0, net = s->eth ? ETH_HLEN : 0, charged = skb->truesize;
	uint8_t *flat = malloc(70000);

	destroyed = 0;
	skb->destructor = on_destroy;
	skb_queue_init(&segs);
	cr_assert_eq(skb_gso_segment(skb, &segs), 0);
	cr_expect_eq(destroyed, 0u, "the charge is settled with the last piece");
	while ((seg = skb_dequeue(&segs))) {
		bool last = skb_queue_empty(&segs);
		uint32_t n = s->payload - done < s->mss ? s->payload - done : s->mss, len, ihl, thl;
		struct ip_hdr *iph = (struct ip_hdr *)(flat + net);
		struct ipaddr a, b;

		cr_expect_eq(seg->ip_summed, CHECKSUM_PARTIAL);
		cr_expect_eq(seg->gso_size, 0);
		cr_assert_eq(skb_checksum_help(seg), 0);
		len = seg->len;
		skb_copy_bits(seg, 0, flat, len);
		cr_expect_eq(skb_network_offset(seg), (int)net);
		ihl = ip_hdrlen(iph);
		cr_assert_eq(ihl, 20 + s->optlen);
		cr_expect_eq(be16_to_cpu(iph->tot_len), len - net);
		cr_expect_eq(ip_fast_csum(iph, ihl / 4), 0);
		cr_expect_eq(be16_to_cpu(iph->id), (uint16_t)(0xfffe + index));
		a = ipaddr_v4(iph->saddr);
		b = ipaddr_v4(iph->daddr);
		cr_expect_eq(csum_fold(csum_partial(flat + net + ihl, len - net - ihl, csum_pseudo(&a, &b, len - net - ihl, iph->protocol))), 0);
		if (s->tcp) {
			struct tcp_hdr *th = (struct tcp_hdr *)(flat + net + ihl);

			thl = tcp_hdrlen(th);
			cr_assert_eq(thl, 20 + s->tcpopt);
			cr_expect_eq(be32_to_cpu(th->seq), 0xfffffff0u + done);
			cr_expect_eq(!!(th->flags & TCPHDR_FIN), last);
			cr_expect_eq(!!(th->flags & TCPHDR_PSH), last);
			cr_expect_eq(!!(th->flags & TCPHDR_CWR), index == 0);
			cr_expect(th->flags & TCPHDR_ACK);
		} else {
			thl = 8;
			cr_expect_eq(be16_to_cpu(((struct udp_hdr *)(flat + net + ihl))->len), 8 + n);
		}
		cr_assert_eq(len, net + ihl + thl + n, "piece %u", index);
		for (uint32_t i = 0; i < n; i++)
			cr_assert_eq(flat[net + ihl + thl + i], byte_at(done + i));
		done += n;
		index++;
		consume_skb(seg);
	}
	cr_expect_eq(done, s->payload);
	cr_expect_eq(destroyed, 1u);
	cr_expect_eq(destroyed_truesize, charged);
	cr_expect_eq(skb_pool_stats(pool)->outstanding_areas, 0u);
	skb_pool_free(pool);
	free(flat);
}

Test(gso, pieces_make_the_whole)
{
	static const struct shape rows[] = {
		{ true, true, 0, 12, 64000, 0, 4000, 1448 }, { true, true, 0, 0, 2920, 2920, 1, 1460 }, { true, false, 40, 40, 30000, 700, 1999, 1000 },
		{ true, true, 0, 12, 1448, 0, 1448, 1448 }, { true, true, 0, 12, 1, 0, 1, 1448 }, { false, true, 0, 0, 50000, 100, 5000, 1472 },
		{ false, false, 4, 0, 3000, 3000, 1, 1 + 999 }, { true, true, 0, 0, 65000, 1300, 65000, 536 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

Test(gso, random_shapes)
{
	uint64_t seed[4] = { 11 };
	struct rng r;

	rng_init(&r, seed, 0);
	for (int i = 0; i < 300; i++) {
		struct shape s = { .tcp = rng_below(&r, 2), .eth = rng_below(&r, 2), .optlen = rng_below(&r, 11) * 4, .tcpopt = rng_below(&r, 11) * 4 };

		s.payload = 1 + rng_below(&r, 60000);
		s.lin = rng_below(&r, 2) ? 0 : rng_below(&r, s.payload < 2000 ? s.payload : 2000);
		s.frag = s.payload / 15 + 1 + rng_below(&r, 5000);
		s.mss = (uint16_t)(s.payload / 60 + 1 + rng_below(&r, 3000));
		check(&s);
	}
}

Test(gso, lies_are_refused)
{
	static const struct { const char *what; uint32_t at; uint8_t value; uint8_t type; } rows[] = {
		{ "no version 4", 14, 0x65, SKB_GSO_TCPV4 }, { "header length 16", 14, 0x44, SKB_GSO_TCPV4 }, { "a fragment", 20, 0x20, SKB_GSO_TCPV4 },
		{ "UDP that says TCP", 23, 17, SKB_GSO_TCPV4 }, { "TCP that says UDP", 23, 6, SKB_GSO_UDP_L4 }, { "data offset 4", 46, 0x40, SKB_GSO_TCPV4 },
		{ "IPv6", 14, 0x45, SKB_GSO_TCPV6 }, { "no type", 14, 0x45, 0 },
	};
	struct shape s = { true, true, 0, 0, 3000, 0, 3000, 1000 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = make(pool, &s);
		struct sk_buff_head segs;

		skb_queue_init(&segs);
		skb->data[rows[i].at] = rows[i].value;
		skb->gso_type = rows[i].type;
		cr_expect_eq(skb_gso_segment(skb, &segs), -EINVAL, "%s", rows[i].what);
		cr_expect(skb_queue_empty(&segs));
		consume_skb(skb);
		skb_pool_free(pool);
	}
}

Test(gso, a_thousandfold_is_refused)
{
	static const struct { uint16_t mss; int ret; } rows[] = { { 1, -EINVAL }, { 29, -EINVAL }, { 48, 0 }, { 30, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		uint32_t len = rows[i].mss == 30 ? 2048 * 30 : 60000; /* 30: just as many as may be */
		struct shape s = { true, true, 0, 0, len, 0, len, rows[i].mss };
		struct sk_buff *skb = make(pool, &s);
		struct sk_buff_head segs;

		skb_queue_init(&segs);
		cr_expect_eq(skb_gso_segment(skb, &segs), rows[i].ret, "mss %u", rows[i].mss);
		if (rows[i].ret < 0)
			consume_skb(skb);
		skb_queue_purge(&segs, SKB_DROP_DEV_DOWN);
		skb_pool_free(pool);
	}
}

Test(gso, headers_cut_short)
{
	struct shape s = { true, true, 0, 12, 3000, 0, 3000, 1000 };

	for (uint32_t len = 0; len < 66; len++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = make(pool, &s);
		struct sk_buff_head segs;

		skb_queue_init(&segs);
		skb_trim(skb, len);
		cr_expect_eq(skb_gso_segment(skb, &segs), -EINVAL, "length %u", len);
		consume_skb(skb);
		skb_pool_free(pool);
	}
}

Test(gso, no_memory_leaves_all_as_it_was)
{
	struct skb_pool *pool = skb_pool_new(SKB_LARGE * 2 + 5 * SKB_SMALL);
	struct shape s = { true, true, 0, 12, 64000, 0, 64000, 1000 };
	struct sk_buff *skb = make(pool, &s);
	struct sk_buff_head segs;
	uint64_t before = skb_pool_stats(pool)->outstanding_skbs;

	skb_queue_init(&segs);
	cr_expect_eq(skb_gso_segment(skb, &segs), -ENOMEM);
	cr_expect(skb_queue_empty(&segs));
	cr_expect_eq(skb_pool_stats(pool)->outstanding_skbs, before);
	consume_skb(skb);
	skb_pool_free(pool);
}

/* As gro.c makes it: the head has the first segment, each fragment one more in an area of its own, with what was in front of it still there. */
static struct sk_buff *merged(struct skb_pool *pool, unsigned n, uint32_t headroom)
{
	struct shape s = { true, true, 0, 12, 1000, 1000, 1, 1000 };
	struct sk_buff *skb = make(pool, &s);

	skb->data[14 + 20 + 13] = TCPHDR_ACK | TCPHDR_PSH;
	for (unsigned i = 1; i < n; i++) {
		struct sk_buff *next = alloc_skb(pool, headroom + 66 + 1000, headroom);

		memset(skb_put(next, 66), 0xee, 66);
		for (uint32_t k = 0; k < 1000; k++)
			*(uint8_t *)skb_put(next, 1) = byte_at(i * 1000 + k);
		cr_assert_eq(skb_append(skb, next, 66), 0);
	}
	return skb;
}

/* Headers are put back where they stood: no area more than came in. Where somebody else holds a fragment, or there is no room, its piece gets a head of its own. */
Test(gso, in_place)
{
	static const struct { uint32_t headroom; int shared; uint64_t areas; unsigned linear; } rows[] = {
		{ 64, -1, 5, 5 }, { 128, -1, 5, 5 }, { 63, -1, 5 + 4, 1 }, { 64, 0, 5 + 1, 4 }, { 64, 3, 5 + 1, 4 },
		{ 64, -2, 5 + 1, 4 }, /* its holder has promised never to write in front of the payload */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = merged(pool, 5, rows[i].headroom), *seg;
		struct skb_area *held = NULL;
		struct sk_buff_head segs;
		unsigned n = 0, linear = 0;
		uint8_t flat[1100];

		if (rows[i].shared == -2)
			skb_header_release(skb);
		if (rows[i].shared == 0)
			held = skb->area;
		else if (rows[i].shared > 0)
			held = skb->frags[rows[i].shared].area;
		if (held)
			skb_area_get(held);
		skb_queue_init(&segs);
		cr_assert_eq(skb_gso_segment(skb, &segs), 0);
		cr_expect_eq(skb_pool_stats(pool)->outstanding_areas, rows[i].areas, "row %zu: %llu areas", i, (unsigned long long)skb_pool_stats(pool)->outstanding_areas);
		for (; (seg = skb_dequeue(&segs)); n++) {
			linear += seg->nr_frags == 0;
			cr_assert_eq(seg->len, 1066u);
			cr_assert_eq(skb_copy_bits(seg, 0, flat, seg->len), 0);
			cr_expect_eq(get_be32(flat + 14 + 20 + 4), 0xfffffff0u + n * 1000);
			cr_expect_eq(flat[14 + 20 + 13], TCPHDR_ACK | (n == 4 ? TCPHDR_PSH : 0));
			for (uint32_t k = 0; k < 1000; k++)
				cr_assert_eq(flat[66 + k], byte_at(n * 1000 + k));
			consume_skb(seg);
		}
		cr_expect_eq(n, 5u);
		cr_expect_eq(linear, rows[i].linear, "row %zu: %u", i, linear);
		if (held)
			skb_area_put(pool, held);
		skb_pool_free(pool);
	}
}

/* Pieces that are shorter than the fragments, which so hold more than one: no byte is left out. */
Test(gso, pieces_shorter_than_fragments)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = merged(pool, 5, 64), *seg;
	struct sk_buff_head segs;
	unsigned n = 0;

	skb->gso_size = 500;
	skb_queue_init(&segs);
	cr_assert_eq(skb_gso_segment(skb, &segs), 0);
	for (; (seg = skb_dequeue(&segs)); n++) {
		uint8_t flat[600];

		cr_assert_eq(seg->len, 566u);
		cr_assert_eq(skb_copy_bits(seg, 0, flat, seg->len), 0);
		for (uint32_t k = 0; k < 500; k++)
			cr_assert_eq(flat[66 + k], byte_at(n * 500 + k), "piece %u", n);
		consume_skb(seg);
	}
	cr_expect_eq(n, 10u);
	skb_pool_free(pool);
}

static unsigned given_back, written;
static void give_back(struct skb_area *area, void *priv)
{
	given_back++;
	for (unsigned k = 1; k <= 66; k++)
		written += area->base[64 + 66 - k] != 0xee;
	area->free = NULL;
	area->refcnt = 1;
	skb_area_put(priv, area);
}

/* Memory of somebody else's, who may look at it again: what stands in front of a fragment there is left alone. */
Test(gso, foreign_memory_is_not_written)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = merged(pool, 5, 64), *seg;
	struct sk_buff_head segs;

	for (unsigned i = 0; i < skb->nr_frags; i++) {
		skb->frags[i].area->free = give_back;
		skb->frags[i].area->priv = pool;
	}
	skb_queue_init(&segs);
	cr_assert_eq(skb_gso_segment(skb, &segs), 0);
	while ((seg = skb_dequeue(&segs)))
		consume_skb(seg);
	cr_expect_eq(given_back, 4u);
	cr_expect_eq(written, 0u, "%u bytes", written);
	skb_pool_free(pool);
}

/* What is known of the whole is known of each piece, in place or not. */
Test(gso, pieces_inherit_what_is_known)
{
	for (uint32_t headroom = 63; headroom <= 64; headroom++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = merged(pool, 3, headroom), *seg;
		struct net_device *dev = (struct net_device *)(void *)pool; /* any pointer */
		struct sk_buff_head segs;
		unsigned n = 0;

		skb->dev = skb->rt.dev = dev;
		skb->tstamp = 12345;
		skb->hash = 99;
		skb->mark = 7;
		skb->priority = 5;
		skb->skb_iif = 3;
		skb->protocol = ETH_P_IP;
		skb->pkt_type = SKB_PKT_MULTICAST;
		memset(skb->cb, 0x5a, sizeof(skb->cb));
		skb_queue_init(&segs);
		cr_assert_eq(skb_gso_segment(skb, &segs), 0);
		for (; (seg = skb_dequeue(&segs)); n++) {
			cr_expect(seg->dev == dev && seg->rt.dev == dev && seg->tstamp == 12345 && seg->hash == 99 && seg->mark == 7);
			cr_expect(seg->priority == 5 && seg->skb_iif == 3 && seg->protocol == ETH_P_IP && seg->pkt_type == SKB_PKT_MULTICAST && seg->cb[63] == 0x5a);
			cr_expect_eq(seg->mac_header, skb_headroom(seg));
			consume_skb(seg);
		}
		cr_expect_eq(n, 3u);
		skb_pool_free(pool);
	}
}

/* So far behind the beginning of its area that the offsets of headers, of 16 bits, would not reach. */
Test(gso, not_in_place_beyond_64_kilobytes)
{
	static const uint32_t headroom[] = { 64400, 65300, 65600 };

	for (size_t i = 0; i < sizeof(headroom) / sizeof(headroom[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = merged(pool, 3, headroom[i]), *seg;
		struct sk_buff_head segs;

		skb_queue_init(&segs);
		cr_assert_eq(skb_gso_segment(skb, &segs), 0);
		while ((seg = skb_dequeue(&segs))) {
			cr_expect_eq(skb_network_offset(seg), 14, "row %zu", i);
			cr_expect_eq(seg->csum_start, skb_headroom(seg) + 34u, "row %zu", i);
			cr_expect_eq(skb_checksum_help(seg), 0, "row %zu", i);
			consume_skb(seg);
		}
		skb_pool_free(pool);
	}
}

/* The first piece stood in the head when memory ran out: the head is what it was. */
Test(gso, in_place_undone)
{
	struct skb_pool *pool = skb_pool_new(5 * SKB_SMALL);
	struct sk_buff *skb = merged(pool, 5, 64);
	struct skb_area *held = skb->frags[1].area;
	struct sk_buff_head segs;
	uint8_t before[66];

	memcpy(before, skb->data, sizeof(before));
	skb_area_get(held);
	skb_queue_init(&segs);
	cr_expect_eq(skb_gso_segment(skb, &segs), -ENOMEM);
	cr_expect(skb_queue_empty(&segs));
	cr_expect_eq(memcmp(before, skb->data, sizeof(before)), 0);
	cr_expect_eq(skb->area->refcnt, 1u);
	cr_expect_eq(skb->len, 66u + 5000);
	skb_area_put(pool, held);
	consume_skb(skb);
	skb_pool_free(pool);
}

/* IPv6, with extension headers in front of TCP; tags in front of all. What cannot be believed is refused. */
Test(gso, ipv6_and_tags)
{
	static const struct { const char *what; unsigned tags; uint8_t next, chain[3], ext_len; uint32_t ext; int ret; } rows[] = {
		{ "plain", 0, 6, { 0 }, 0, 0, 0 }, { "two tags", 2, 6, { 0 }, 0, 0, 0 }, { "three", 3, 6, { 0 }, 0, 0, 0 }, { "as many as there may be", 8, 6, { 0 }, 0, 0, 0 },
		{ "one more", 9, 6, { 0 }, 0, 0, -EINVAL },
		{ "hop-by-hop options", 0, 0, { 6 }, 0, 8, 0 }, { "all that may be", 1, 0, { 43, 60, 6 }, 0, 24, 0 }, { "a fragment", 0, 44, { 6 }, 0, 8, -EINVAL },
		{ "an extension header without end", 0, 0, { 6 }, 255, 8, -EINVAL }, { "not TCP", 0, 17, { 0 }, 0, 0, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		uint32_t net = 14 + rows[i].tags * 4, trans = net + 40 + rows[i].ext, hlen = trans + 20;
		struct sk_buff *skb = alloc_skb(pool, 64 + hlen + 2500, 64), *seg;
		uint8_t *p = skb_put(skb, hlen + 2500);
		struct sk_buff_head segs;
		unsigned n = 0;

		memset(p, 0, hlen + 2500);
		for (unsigned t = 0; t <= rows[i].tags; t++)
			put_be16(p + 12 + 4 * t, t < rows[i].tags ? ETH_P_8021Q : ETH_P_IPV6);
		p[net] = 0x60;
		put_be16(p + net + 4, (uint16_t)(hlen + 2500 - net - 40));
		p[net + 6] = rows[i].next;
		p[net + 8] = p[net + 24] = 0x20;
		for (uint32_t e = 0; e < rows[i].ext; e += 8) {
			p[net + 40 + e] = rows[i].chain[e / 8];
			p[net + 40 + e + 1] = rows[i].ext_len;
		}
		put_be32(p + trans + 4, 100);
		p[trans + 12] = 0x50;
		p[trans + 13] = TCPHDR_ACK | TCPHDR_PSH;
		skb->network_header = (uint16_t)(skb_headroom(skb) + 14);
		skb->gso_size = 1000;
		skb->gso_type = SKB_GSO_TCPV6;
		skb_queue_init(&segs);
		cr_expect_eq(skb_gso_segment(skb, &segs), rows[i].ret, "%s", rows[i].what);
		if (rows[i].ret)
			consume_skb(skb);
		for (; (seg = skb_dequeue(&segs)); n++) {
			uint8_t flat[1200];
			uint32_t len;

			cr_assert_eq(skb_checksum_help(seg), 0);
			len = seg->len - trans;
			skb_copy_bits(seg, 0, flat, seg->len);
			cr_expect_eq(get_be16(flat + net + 4), seg->len - net - 40, "%s", rows[i].what);
			cr_expect_eq(get_be32(flat + trans + 4), 100 + n * 1000);
			cr_expect_eq(csum_fold(csum_partial(flat + trans, len, csum_partial(flat + net + 8, 32, cpu_to_be32(len + 6)))), 0);
			consume_skb(seg);
		}
		cr_expect_eq(n, rows[i].ret ? 0u : 3u, "%s", rows[i].what);
		skb_pool_free(pool);
	}
}
