/* SPDX-License-Identifier: MIT */
/*
 * test_ip_output.c: cutting, read as a receiver would: datagrams of random length and geometry over random MTUs, and GSO packets whose segments are larger
 * than the link.
 */
#include "frame.h"
#include "host.h"
#include "ip.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct host *make(void)
{
	struct host *h = host_new("h", 1, 11, NULL, NULL);
	struct neigh_conf n = { .addr = ipaddr_v4(cpu_to_be32(0xc0000202)), .lladdr = { { 2, 0, 0, 0, 0, 0x20 } } };

	n.ifindex = host_link(h, "eth0", "192.0.2.1/24", 0x10, 65520, 0);
	netcfg_neigh_add(h->cfg, &n, false, NULL);
	host_apply(h);
	return h;
}

/* len random bytes, some linear and the rest in random fragments. */
static struct sk_buff *payload(struct stack *st, uint32_t len, uint64_t *rnd, uint8_t *copy)
{
	struct skb_pool *pool = stack_skb_pool(st);
	uint32_t lin = test_random_below(rnd, len < 1500 ? len + 1 : 1500), done;
	struct sk_buff *skb = alloc_skb(pool, SKB_HEADROOM + lin, SKB_HEADROOM);

	for (uint32_t i = 0; i < len; i++)
		copy[i] = (uint8_t)test_random(rnd);
	skb_put_data(skb, copy, lin);
	for (done = lin; done < len;) {
		uint32_t n = skb->nr_frags == SKB_MAX_FRAGS - 1 ? len - done : 1 + test_random_below(rnd, 5000);
		struct skb_area *area;

		if (n > len - done)
			n = len - done;
		area = skb_area_alloc(pool, n);
		memcpy(area->base, copy + done, n);
		cr_assert(skb_add_frag(skb, area, 0, n) == 0);
		skb_area_put(pool, area);
		done += n;
	}
	skb->rt = (struct skb_route){ .dev = dev_get_by_index(st, 2), .nexthop = ipaddr_v4(cpu_to_be32(0xc0000202)), .type = RTN_UNICAST };
	return skb;
}

Test(ip_output, pieces_make_the_datagram)
{
	static uint8_t data[66000], got[66000];
	uint64_t rnd = test_seed("ip_output", 4711);
	struct host *h = make();

	for (unsigned t = 0; t < 600; t++) {
		uint32_t len = 1 + test_random_below(&rnd, t % 10 ? 5000 : 65400), have = 0, mtu = 68 + test_random_below(&rnd, 1500), pieces = 0;
		uint8_t opt[8] = { 0x94, 4, 0, 0, 7, 3, 4, 0 };
		struct ip_tx tx = { .saddr = ipaddr_v4(cpu_to_be32(0xc0000201)), .daddr = ipaddr_v4(cpu_to_be32(0xc0000202)), .proto = 253, .opt = opt,
				    .optlen = test_random_below(&rnd, 2) ? 8 : 0 };
		struct stack *st = host_touch(h, 0);
		struct sk_buff *skb = payload(st, len, &rnd, data);
		struct host_frame *f;
		uint16_t id = 0;

		skb->rt.mtu = mtu;
		cr_assert(ip_build_and_send(st, skb, &tx) == 0);
		memset(got, 0, len);
		while ((f = host_sent(h))) {
			const uint8_t *ip = f->data + 14;
			uint32_t hl = (ip[0] & 15u) * 4, n = get_be16(ip + 2) - hl, off = (get_be16(ip + 6) & IP_OFFSET) * 8u;
			bool more = get_be16(ip + 6) & IP_MF;
			char why[128];

			cr_assert(frame_sound(f->data, f->len, why, sizeof(why)), "%s", why);
			cr_assert(f->len == 14 + hl + n && hl + n <= mtu, "a piece of %zu bytes for an MTU of %u", f->len - 14, mtu);
			cr_assert(!more || n % 8 == 0);
			cr_assert(off == have, "a hole before %u", off);
			cr_assert(more == (off + n < len));
			cr_assert(hl == 20u + (pieces ? tx.optlen / 2 : tx.optlen), "options of %u bytes in piece %u", hl - 20, pieces);
			cr_assert(!pieces || get_be16(ip + 4) == id);
			id = get_be16(ip + 4);
			memcpy(got + off, ip + hl, n);
			have += n;
			pieces++;
			free(f);
		}
		cr_assert(have == len && memcmp(got, data, len) == 0, "datagram %u", t);
	}
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
}

/* A GSO packet: three segments of 1,000 bytes. Whole on a link that they fit (after segmentation); cut further on a smaller one; refused with DF. */
static struct sk_buff *gso(struct stack *st, uint64_t *rnd, bool df)
{
	static uint8_t data[3000];
	struct sk_buff *skb = payload(st, 3000, rnd, data);
	struct tcp_hdr *th;
	struct ip_hdr *iph;

	cr_assert(skb_cow_head(skb, SKB_HEADROOM) == 0);
	th = skb_push(skb, sizeof(*th));
	memset(th, 0, sizeof(*th));
	th->doff = 5 << 4;
	th->flags = TCPHDR_ACK;
	skb_reset_transport_header(skb);
	iph = skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	*iph = (struct ip_hdr){ .ver_ihl = 0x45, .tot_len = cpu_to_be16(3040), .ttl = 64, .protocol = 6, .frag_off = df ? cpu_to_be16(IP_DF) : 0,
				.saddr = cpu_to_be32(0xc0000201), .daddr = cpu_to_be32(0xc0000202) };
	skb->gso_size = 1000;
	skb->gso_segs = 3;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcp_hdr, check);
	skb->protocol = ETH_P_IP;
	return skb;
}

static unsigned frames(struct host *h, uint32_t mtu)
{
	struct host_frame *f;
	char why[128];
	unsigned n = 0;

	while ((f = host_sent(h))) {
		cr_assert(f->len <= 14 + mtu, "%zu bytes for an MTU of %u", f->len - 14, mtu);
		cr_assert(frame_sound(f->data, f->len, why, sizeof(why)), "%s", why);
		free(f);
		n++;
	}
	return n;
}

Test(ip_output, gso_over_small_links)
{
	uint64_t rnd = 5;
	struct host *h = make();
	struct stack *st = host_touch(h, 0);
	static const struct { uint32_t mtu; bool df; int ret; unsigned frames; } t[] = {
		{ 1500, true, 0, 3 }, { 1040, true, 0, 3 }, { 1040, false, 0, 3 }, { 1039, false, 0, 6 }, { 600, false, 0, 6 }, { 300, false, 0, 12 },
		{ 68, false, 0, 66 },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sk_buff *skb = gso(st, &rnd, t[i].df);
		unsigned n;

		skb->rt.mtu = t[i].mtu;
		cr_assert(ip_output(st, skb) == t[i].ret);
		n = frames(h, t[i].mtu);
		cr_assert(n == t[i].frames, "MTU %u: %u frames instead of %u", t[i].mtu, n, t[i].frames);
	}
	{
		struct sk_buff *skb = gso(st, &rnd, true);

		skb->rt.mtu = 1039;
		cr_assert(ip_output(st, skb) == -EMSGSIZE);
		cr_assert(frames(h, 0) == 0);
	}
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
}

/* An MTU below what a header and eight bytes need sends nothing. */
Test(ip_output, no_room_for_a_fragment)
{
	static uint8_t data[100];
	uint64_t rnd = 5;
	struct host *h = make();
	struct stack *st = host_touch(h, 0);
	struct sk_buff *skb = payload(st, 100, &rnd, data);
	struct ip_tx tx = { .saddr = ipaddr_v4(cpu_to_be32(0xc0000201)), .daddr = ipaddr_v4(cpu_to_be32(0xc0000202)), .proto = 253 };

	skb->rt.mtu = 27;
	cr_assert(ip_build_and_send(st, skb, &tx) == -EMSGSIZE);
	cr_assert(frames(h, 0) == 0 && host_drops(h, SKB_DROP_PKT_TOO_BIG) == 1);
	skb = payload(st, 100, &rnd, data);
	skb->rt.mtu = 28;
	cr_assert(ip_build_and_send(st, skb, &tx) == 0);
	cr_assert(frames(h, 28) == 13);
	cr_assert(host_idle_error(h) == NULL);
	host_free(h);
}
