/* SPDX-License-Identifier: MIT */
/*
 * test_vnet.c: vnet headers: what a right one becomes, that every kind of lie is refused, and that what is sent is read back as it was.
 */
#include "vnet.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADROOM 66
#define ETH_IP   (14 + 20)

static struct skb_pool *pool;

static void setup(void)
{
	pool = skb_pool_new(0);
}

static void teardown(void)
{
	cr_assert_eq(skb_pool_stats(pool)->outstanding_skbs, 0);
	cr_assert_eq(skb_pool_stats(pool)->outstanding_areas, 0);
	skb_pool_free(pool);
}

TestSuite(vnet, .init = setup, .fini = teardown);

/* An Ethernet frame of len bytes with IPv4 and a TCP header of thlen bytes. */
static struct sk_buff *frame(uint32_t len, unsigned thlen)
{
	struct sk_buff *skb = alloc_skb(pool, HEADROOM + len, HEADROOM);
	unsigned char *p;

	cr_assert_not_null(skb);
	p = skb_put(skb, len);
	memset(p, 0, len);
	if (len > 14)
		p[14] = 0x45;
	if (len > ETH_IP + 12)
		p[ETH_IP + 12] = (unsigned char)(thlen / 4 << 4);
	return skb;
}

#define N VIRTIO_NET_HDR_F_NEEDS_CSUM
#define V VIRTIO_NET_HDR_F_DATA_VALID
#define T VIRTIO_NET_HDR_GSO_TCPV4
#define T6 VIRTIO_NET_HDR_GSO_TCPV6
#define U VIRTIO_NET_HDR_GSO_UDP_L4
#define E VIRTIO_NET_HDR_GSO_ECN

static const struct {
	const char *what;
	uint32_t    len;
	unsigned    thlen;
	uint8_t     flags, gso_type;
	uint16_t    hdr_len, gso_size, start, offset;
	int         err;
	uint8_t     summed, type;
	uint16_t    segs;
} rows[] = {
	{ "plain", 60, 20, 0, 0, 0, 0, 0, 0, 0, CHECKSUM_NONE, 0, 0 },
	{ "verified", 60, 20, V, 0, 0, 0, 0, 0, 0, CHECKSUM_UNNECESSARY, 0, 0 },
	{ "partial", 60, 20, N, 0, 0, 0, 34, 16, 0, CHECKSUM_PARTIAL, 0, 0 },
	{ "partial, the last two bytes", 60, 20, N, 0, 0, 0, 34, 24, 0, CHECKSUM_PARTIAL, 0, 0 },
	{ "partial, one byte too far", 60, 20, N, 0, 0, 0, 34, 25, -EINVAL, 0, 0, 0 },
	{ "start at the end", 60, 20, N, 0, 0, 0, 60, 0, -EINVAL, 0, 0, 0 },
	{ "start far outside", 60, 20, N, 0, 0, 0, 65535, 16, -EINVAL, 0, 0, 0 },
	{ "both at their largest", 60, 20, N, 0, 0, 0, 65535, 65535, -EINVAL, 0, 0, 0 },
	{ "start inside the Ethernet header", 60, 20, N, 0, 0, 0, 13, 2, -EINVAL, 0, 0, 0 },
	{ "start beyond what offsets can say", 66000, 20, N, 0, 0, 0, 65500, 6, -EINVAL, 0, 0, 0 },
	{ "unknown flag", 60, 20, 0x80, 0, 0, 0, 34, 16, -EINVAL, 0, 0, 0 },
	{ "segments", 54 + 3000, 20, N, T, 54, 1460, 34, 16, 0, CHECKSUM_PARTIAL, SKB_GSO_TCPV4, 3 },
	{ "segments, exactly two", 54 + 2920, 20, N, T, 54, 1460, 34, 16, 0, CHECKSUM_PARTIAL, SKB_GSO_TCPV4, 2 },
	{ "segments with ECN", 54 + 3000, 20, N, T | E, 54, 1460, 34, 16, 0, CHECKSUM_PARTIAL, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, 3 },
	{ "segments, TCP options", 66 + 3000, 32, N, T, 66, 1448, 34, 16, 0, CHECKSUM_PARTIAL, SKB_GSO_TCPV4, 3 },
	{ "one segment only", 54 + 1000, 20, N, T, 54, 1460, 34, 16, 0, CHECKSUM_PARTIAL, 0, 0 },
	{ "gso_size 0", 54 + 3000, 20, N, T, 54, 0, 34, 16, -EINVAL, 0, 0, 0 },
	{ "segments without a checksum to complete", 54 + 3000, 20, 0, T, 54, 1460, 34, 16, -EINVAL, 0, 0, 0 },
	{ "absurd hdr_len is not believed", 54 + 3000, 20, N, T, 65535, 1460, 34, 16, 0, CHECKSUM_PARTIAL, SKB_GSO_TCPV4, 3 },
	{ "TCP header length below five words", 54 + 3000, 16, N, T, 54, 1460, 34, 16, -EINVAL, 0, 0, 0 },
	{ "TCP header up to the end", 54, 20, N, T, 54, 1460, 34, 16, -EINVAL, 0, 0, 0 },
	{ "TCP header cut short", 34 + 18, 20, N, T, 54, 1460, 34, 16, -EINVAL, 0, 0, 0 },
	{ "TCP where IP should be", 54 + 3000, 20, N, T, 54, 1460, 20, 16, -EINVAL, 0, 0, 0 },
	{ "IPv6 segments that begin too early", 54 + 3000, 20, N, T6, 54, 1440, 34, 16, -EINVAL, 0, 0, 0 },
	{ "UDP segments", 42 + 3000, 20, N, U, 42, 1000, 34, 6, 0, CHECKSUM_PARTIAL, SKB_GSO_UDP_L4, 3 },
	{ "UDP segments with ECN", 42 + 3000, 20, N, U | E, 42, 1000, 34, 6, -EINVAL, 0, 0, 0 },
	{ "UFO was never offered", 42 + 3000, 20, N, VIRTIO_NET_HDR_GSO_UDP, 42, 1000, 34, 6, -EINVAL, 0, 0, 0 },
	{ "unknown type", 54 + 3000, 20, N, 0x7f, 54, 1460, 34, 16, -EINVAL, 0, 0, 0 },
};

Test(vnet, received)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct virtio_net_hdr h = { .flags = rows[i].flags, .gso_type = rows[i].gso_type, .hdr_len = rows[i].hdr_len, .gso_size = rows[i].gso_size,
					    .csum_start = rows[i].start, .csum_offset = rows[i].offset };
		struct sk_buff *skb = frame(rows[i].len, rows[i].thlen);
		int err = vnet_to_skb(skb, &h);

		cr_expect_eq(err, rows[i].err, "%s: %d", rows[i].what, err);
		if (!err) {
			cr_expect_eq(skb->ip_summed, rows[i].summed, "%s", rows[i].what);
			cr_expect_eq(skb->gso_segs, rows[i].segs, "%s: %u segments", rows[i].what, skb->gso_segs);
			cr_expect_eq(skb->gso_type & ~SKB_GSO_DODGY, rows[i].type, "%s", rows[i].what);
			cr_expect_eq(skb->gso_size != 0, rows[i].segs != 0, "%s", rows[i].what);
			if (skb->ip_summed == CHECKSUM_PARTIAL)
				cr_expect_eq(skb->csum_start, HEADROOM + rows[i].start, "%s", rows[i].what);
		}
		consume_skb(skb);
	}
}

Test(vnet, sent_is_read_back)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct virtio_net_hdr h = { .flags = rows[i].flags & N, .gso_type = rows[i].gso_type, .hdr_len = rows[i].hdr_len, .gso_size = rows[i].gso_size,
					    .csum_start = rows[i].start, .csum_offset = rows[i].offset };
		struct virtio_net_hdr sent;
		struct sk_buff *skb = frame(rows[i].len, rows[i].thlen);

		if (vnet_to_skb(skb, &h) == 0) {
			vnet_from_skb(&sent, skb);
			cr_expect_eq(sent.flags, h.flags, "%s", rows[i].what);
			if (h.flags) {
				cr_expect_eq(sent.csum_start, h.csum_start, "%s", rows[i].what);
				cr_expect_eq(sent.csum_offset, h.csum_offset, "%s", rows[i].what);
			}
			cr_expect_eq(sent.gso_type, rows[i].segs ? h.gso_type : 0, "%s", rows[i].what);
			if (rows[i].segs) {
				cr_expect_eq(sent.gso_size, h.gso_size, "%s", rows[i].what);
				cr_expect_eq(sent.hdr_len, rows[i].start + (rows[i].gso_type == U ? 8 : rows[i].thlen), "%s", rows[i].what);
			}
		}
		consume_skb(skb);
	}
}

/* Whatever stands in the header: no crash (the sanitizers watch), and what is accepted lies inside the frame. */
Test(vnet, random_headers)
{
	unsigned seed = 20261120;

	for (unsigned i = 0; i < 200000; i++) {
		static const uint32_t lens[] = { 0, 1, 13, 14, 33, 34, 42, 53, 54, 60, 1514, 9000 };
		uint32_t len = lens[(unsigned)rand_r(&seed) % (sizeof(lens) / sizeof(lens[0]))];
		struct sk_buff *skb = frame(len, (unsigned)rand_r(&seed) % 16 * 4);
		unsigned char raw[sizeof(struct virtio_net_hdr)];
		struct virtio_net_hdr h;

		for (size_t k = 0; k < sizeof(raw); k++)
			raw[k] = (unsigned char)(rand_r(&seed) >> 8);
		memcpy(&h, raw, sizeof(h));
		h.flags &= 3; /* more often a header that could be one */
		h.gso_type &= 0x87;
		h.csum_start %= 128;
		h.csum_offset %= 32;
		if (vnet_to_skb(skb, &h) == 0) {
			if (skb->ip_summed == CHECKSUM_PARTIAL)
				cr_assert_leq(skb->csum_start - HEADROOM + skb->csum_offset + 2u, len);
			if (skb->gso_size)
				cr_assert_gt(skb->gso_segs, 1);
		}
		consume_skb(skb);
	}
}
