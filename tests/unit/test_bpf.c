/* SPDX-License-Identifier: MIT */
/*
 * test_bpf.c: the check of classic BPF programs and their interpreter: tables, and libpcap's own interpreter as the naive twin on random programs and packets.
 */
#include "config.h"
#include "host.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <netstack/bpf.h>
#include <stdlib.h>
#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>
#undef BPF_STMT /* the same, with a cast to libpcap's type */
#undef BPF_JUMP
#define BPF_STMT(code, k) { (uint16_t)(code), 0, 0, (uint32_t)(k) }
#define BPF_JUMP(code, k, jt, jf) { (uint16_t)(code), jt, jf, (uint32_t)(k) }
#endif

#define LEN(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))

/* bytes as a packet whose first linear bytes are in the head and the rest in fragments */
static struct sk_buff *packet(struct skb_pool *pool, const uint8_t *bytes, uint32_t len, uint32_t linear)
{
	struct sk_buff *skb = alloc_skb(pool, 64 + linear, 64);

	memcpy(skb_put(skb, linear), bytes, linear);
	while (linear < len) {
		uint32_t n = (len - linear + 1) / 2;
		struct skb_area *area = skb_area_alloc(pool, n);

		memcpy(area->base, bytes + linear, n);
		cr_assert_eq(skb_add_frag(skb, area, 0, n), 0);
		skb_area_put(pool, area);
		linear += n;
	}
	return skb;
}

static uint32_t run(const struct sock_filter *prog, const uint8_t *bytes, uint32_t len, uint32_t linear)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = packet(pool, bytes, len, linear);
	struct stack_tap_frame f;
	uint32_t ret;

	skb_reset_mac_header(skb);
	stack_tap_frame_init(&f, skb);
	ret = ns_bpf_run(prog, &f, NULL);
	kfree_skb(skb, SKB_DROP_NOMEM);
	skb_pool_free(pool);
	return ret;
}

Test(bpf, check_refuses_what_cannot_be_run)
{
	static const struct {
		const char *what;
		unsigned n;
		int ret;
		struct sock_filter prog[6];
	} rows[] = {
		{ "accept all", 1, 0, { BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "no instruction", 0, -EINVAL, { BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "no return at the end", 1, -EINVAL, { BPF_STMT(BPF_LD | BPF_IMM, 1) } },
		{ "a return in the middle only", 2, -EINVAL, { BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_LD | BPF_IMM, 1) } },
		{ "return X", 1, -EINVAL, { BPF_STMT(BPF_RET | BPF_X, 1) } },
		{ "unknown code", 2, -EINVAL, { BPF_STMT(0xffff, 1), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "code with a high bit", 1, -EINVAL, { BPF_STMT(BPF_RET | BPF_K | 0x100, 1) } },
		{ "load of a double word", 2, -EINVAL, { BPF_STMT(BPF_LD | 0x18 | BPF_ABS, 1), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "jump to the end", 2, 0, { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "jump past the end", 2, -EINVAL, { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "the other way past the end", 2, -EINVAL, { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "ja past the end", 2, -EINVAL, { BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "ja that wraps", 2, -EINVAL, { BPF_STMT(BPF_JMP | BPF_JA, -1), BPF_STMT(BPF_RET | BPF_K, 1) } },
		{ "a jump as the last one", 1, -EINVAL, { BPF_STMT(BPF_JMP | BPF_JA, 0) } },
		{ "division by 0", 2, -EINVAL, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "remainder of 0", 2, -EINVAL, { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "division by X", 2, 0, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "shift by 31", 2, 0, { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 31), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "shift by 32", 2, -EINVAL, { BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "store beyond the memory", 2, -EINVAL, { BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "load beyond the memory", 2, -EINVAL, { BPF_STMT(BPF_LDX | BPF_MEM, 16), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "load of what was stored", 3, 0, { BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_MEM, 15), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "load of what was never stored", 3, -EINVAL, { BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_MEM, 14), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "stored on one way only", 4, -EINVAL,
		  { BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "stored on both ways", 6, 0,
		  { BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 2), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_STX, 0),
		    BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "a return between a store and its load", 6, 0,
		  { BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 2), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, 1),
		    BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "known ancillary", 2, 0, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "unknown ancillary", 2, -EINVAL, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 2), BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ "netlink attributes", 2, -EINVAL, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR), BPF_STMT(BPF_RET | BPF_A, 0) } },
	};
	static struct sock_filter big[BPF_MAXINSNS + 1];

	for (unsigned i = 0; i < LEN(rows); i++)
		cr_expect_eq(ns_bpf_check(rows[i].prog, rows[i].n), rows[i].ret, "%s", rows[i].what);
	for (unsigned i = 0; i < LEN(big); i++)
		big[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 1);
	cr_expect_eq(ns_bpf_check(big, BPF_MAXINSNS), 0);
	cr_expect_eq(ns_bpf_check(big, BPF_MAXINSNS + 1), -EINVAL);
}

Test(bpf, loads_stay_inside_the_frame)
{
	static const uint8_t bytes[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	static const struct {
		uint16_t code;
		uint32_t k, x, ret; /* ret 0: the program ended */
	} rows[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, 0x01020304 }, { BPF_LD | BPF_W | BPF_ABS, 6, 0, 0x0708090a }, { BPF_LD | BPF_W | BPF_ABS, 7, 0, 0 },
		{ BPF_LD | BPF_W | BPF_ABS, 3, 0, 0x04050607 }, { BPF_LD | BPF_H | BPF_ABS, 8, 0, 0x090a }, { BPF_LD | BPF_H | BPF_ABS, 9, 0, 0 },
		{ BPF_LD | BPF_H | BPF_ABS, 4, 0, 0x0506 }, { BPF_LD | BPF_B | BPF_ABS, 9, 0, 10 }, { BPF_LD | BPF_B | BPF_ABS, 10, 0, 0 },
		{ BPF_LD | BPF_B | BPF_ABS, 0x7fffffff, 0, 0 }, { BPF_LD | BPF_W | BPF_ABS, 0x80000000, 0, 0 }, { BPF_LD | BPF_B | BPF_IND, 4, 5, 10 },
		{ BPF_LD | BPF_B | BPF_IND, 5, 5, 0 }, { BPF_LD | BPF_B | BPF_IND, 1, UINT32_MAX, 0 }, { BPF_LD | BPF_W | BPF_IND, UINT32_MAX, 1, 0 },
		{ BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_LL_OFF + 2, 0, 3 }, { BPF_LD | BPF_B | BPF_IND, (uint32_t)SKF_LL_OFF + 2, 1, 4 },
		{ BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_LL_OFF + 10, 0, 0 }, { BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF, 0, 0 }, /* no network header known */
		{ BPF_LD | BPF_W | BPF_LEN, 0, 0, 10 },
	};

	for (unsigned i = 0; i < LEN(rows); i++) {
		const struct sock_filter prog[] = { BPF_STMT(BPF_LDX | BPF_IMM, rows[i].x), BPF_STMT(rows[i].code, rows[i].k), BPF_STMT(BPF_RET | BPF_A, 0) };

		cr_assert_eq(ns_bpf_check(prog, 3), 0, "row %u", i);
		for (uint32_t linear = 0; linear <= 10; linear++)
			cr_expect_eq(run(prog, bytes, 10, linear), rows[i].ret, "row %u, %u bytes linear", i, linear);
	}
}

Test(bpf, ancillary_data_and_the_network_header)
{
	struct host *h = host_new("bpf", 2, 3, NULL, NULL);
	int eth = host_link(h, "eth0", NULL, 1, 1500, 0);
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = alloc_skb(pool, 100, 20);
	struct stack_tap_frame f;
	const struct {
		int32_t  what;
		uint32_t ret;
	} rows[] = {
		{ SKF_AD_PROTOCOL, ETH_P_ARP }, { SKF_AD_PKTTYPE, SKB_PKT_BROADCAST }, { SKF_AD_IFINDEX, (uint32_t)eth }, { SKF_AD_MARK, 77 }, { SKF_AD_QUEUE, 0 },
		{ SKF_AD_HATYPE, ARPHRD_ETHER }, { SKF_AD_RXHASH, 0x12345678 }, { SKF_AD_CPU, 0 }, { SKF_AD_VLAN_TAG, 0 }, { SKF_AD_VLAN_TAG_PRESENT, 0 },
	};

	host_apply(h);
	for (uint8_t i = 0; i < 40; i++)
		*(uint8_t *)skb_put(skb, 1) = i;
	skb->network_header = (uint16_t)(skb->data + 14 - skb->head);
	skb->protocol = ETH_P_ARP;
	skb->pkt_type = SKB_PKT_BROADCAST;
	skb->mark = 77;
	skb->hash = 0x12345678;
	stack_tap_frame_init(&f, skb);
	f.ifindex = eth;
	for (unsigned i = 0; i < LEN(rows); i++) {
		const struct sock_filter prog[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + rows[i].what), BPF_STMT(BPF_RET | BPF_A, 0) };

		cr_expect_eq(ns_bpf_check(prog, 2), 0);
		cr_expect_eq(ns_bpf_run(prog, &f, h->shard[0].stack), rows[i].ret, "ancillary %d", rows[i].what);
	}
	{
		const struct sock_filter net[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + 3), BPF_STMT(BPF_RET | BPF_A, 0) };
		const struct sock_filter xor[] = { BPF_STMT(BPF_LDX | BPF_IMM, 0xff00), BPF_STMT(BPF_LD | BPF_IMM, 0x0ff0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X),
						   BPF_STMT(BPF_RET | BPF_A, 0) };

		cr_expect_eq(ns_bpf_run(net, &f, NULL), 17);
		cr_expect_eq(ns_bpf_run(xor, &f, NULL), 0xf0f0);
		f.made = true; /* an Ethernet header that nobody wrote stands in front */
		f.head = f.header;
		f.head_len = 14;
		f.skb_off = 0;
		f.len = 14 + skb->len;
		cr_expect_eq(ns_bpf_run(net, &f, NULL), 3);
		stack_tap_frame_init(&f, skb);
		f.ifindex = eth;
		cr_expect_eq(ns_bpf_run((const struct sock_filter[]){ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_CPU), BPF_STMT(BPF_RET | BPF_A, 0) }, &f, h->shard[1].stack), 1);
		f.dir = STACK_TAP_DIR_OUT;
		cr_expect_eq(ns_bpf_run((const struct sock_filter[]){ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), BPF_STMT(BPF_RET | BPF_A, 0) }, &f, NULL), SKB_PKT_OUTGOING);
		f.ifindex = 1;
		cr_expect_eq(ns_bpf_run((const struct sock_filter[]){ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_HATYPE), BPF_STMT(BPF_RET | BPF_A, 0) }, &f, h->shard[0].stack),
			     ARPHRD_LOOPBACK);
	}
	kfree_skb(skb, SKB_DROP_NOMEM);
	skb_pool_free(pool);
	host_free(h);
}

/* A program that sees a packet from its transport header on reaches the headers in front of it, as far as they are linear, and nothing in front of these. */
Test(bpf, headers_in_front_of_what_is_seen)
{
	static const struct {
		uint16_t size;
		int32_t  k;
		uint32_t x, ret; /* ret 0: the program ended */
	} rows[] = {
		{ BPF_B, SKF_LL_OFF + 1, 0, 1 }, { BPF_H, SKF_LL_OFF + 12, 0, 0x0c0d }, { BPF_W, SKF_LL_OFF + 12, 0, 0x0c0d0e0f }, { BPF_W, SKF_LL_OFF + 4, 8, 0x0c0d0e0f },
		{ BPF_W, SKF_NET_OFF + 12, 0, 0x1a1b1c1d }, { BPF_W, SKF_NET_OFF + 18, 0, 0x20212223 /* the last of the network header, the first of what is seen */ },
		{ BPF_W, SKF_NET_OFF + 20, 0, 0x22232425 }, { BPF_B, SKF_NET_OFF, 1, 0x0f }, { BPF_W, SKF_NET_OFF + 22, 0, 0x24252627 }, { BPF_B, SKF_NET_OFF + 25, 0, 0x27 },
		{ BPF_W, SKF_NET_OFF + 24, 0, 0x26272829 /* half of it in a fragment */ }, { BPF_B, SKF_NET_OFF + 45, 0, 0x3b }, { BPF_B, SKF_NET_OFF + 46, 0, 0 },
		{ BPF_W, SKF_NET_OFF + 43, 0, 0 }, { BPF_W, SKF_LL_OFF + 0xfffff, UINT32_MAX, 0 }, { BPF_B, SKF_LL_OFF - 1, 0, 0 }, { BPF_B, 0, 0, 0x22 }, { BPF_B, 26, 0, 0 },
	};

	for (unsigned i = 0; i < LEN(rows); i++) {
		const struct sock_filter prog[] = { BPF_STMT(BPF_LDX | BPF_IMM, rows[i].x), BPF_STMT(BPF_LD | rows[i].size | BPF_IND, rows[i].k), BPF_STMT(BPF_RET | BPF_A, 0) };
		struct skb_pool *pool = skb_pool_new(0);
		struct stack_tap_frame f;
		struct sk_buff *skb;
		uint8_t bytes[60];

		for (uint8_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = b;
		skb = packet(pool, bytes, sizeof(bytes), 40);
		skb_reset_mac_header(skb);
		skb_pull(skb, 14);
		skb_reset_network_header(skb);
		skb_pull(skb, 20);
		stack_tap_frame_init(&f, skb);
		cr_expect_eq(ns_bpf_run(prog, &f, NULL), rows[i].ret, "row %u: %x", i, ns_bpf_run(prog, &f, NULL));
		skb->mac_header = skb->network_header = SKB_NO_HEADER;
		if (rows[i].k < 0)
			cr_expect_eq(ns_bpf_run(prog, &f, NULL), 0u, "row %u: no such header", i);
		kfree_skb(skb, SKB_DROP_NOMEM);
		skb_pool_free(pool);
	}
}

/* Across the end of the headers that were taken off the bytes must be linear, as they must be for Linux. */
Test(bpf, in_front_means_linear)
{
	const struct sock_filter prog[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_LL_OFF + 12), BPF_STMT(BPF_RET | BPF_A, 0) };
	static const uint8_t bytes[40] = { [12] = 1, [15] = 2 };

	for (uint32_t linear = 14; linear <= 17; linear++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = packet(pool, bytes, sizeof(bytes), linear);
		struct stack_tap_frame f;

		skb_reset_mac_header(skb);
		skb_pull(skb, 14);
		stack_tap_frame_init(&f, skb);
		cr_expect_eq(ns_bpf_run(prog, &f, NULL), linear < 16 ? 0u : 0x01000002u, "%u bytes linear", linear);
		kfree_skb(skb, SKB_DROP_NOMEM);
		skb_pool_free(pool);
	}
}

#ifdef HAVE_LIBPCAP
static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM, BPF_LDX | BPF_B | BPF_MSH, BPF_ST, BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_MOD | BPF_X, BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K, BPF_ALU | BPF_OR | BPF_X, BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X, BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X, BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X, BPF_RET | BPF_K, BPF_RET | BPF_A,
	BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
};

/* Mostly sensible: a program of pure noise ends at its first load. */
static struct sock_filter random_insn(uint64_t *rng, unsigned left)
{
	struct sock_filter f = { .code = codes[test_random_below(rng, LEN(codes))] };

	if (!left)
		f.code = test_random_below(rng, 2) ? BPF_RET | BPF_A : BPF_RET | BPF_K;
	else if (BPF_CLASS(f.code) == BPF_RET && test_random_below(rng, 4))
		f.code = BPF_ALU | BPF_ADD | BPF_X;
	f.k = test_random_below(rng, 40);
	if (!test_random_below(rng, 6))
		f.k = (uint32_t)test_random(rng) >> 1;
	if (BPF_CLASS(f.code) == BPF_JMP) {
		if (BPF_OP(f.code) == BPF_JA)
			f.k = test_random_below(rng, left);
		f.jt = (uint8_t)test_random_below(rng, left);
		f.jf = (uint8_t)test_random_below(rng, left);
	}
	if (BPF_CLASS(f.code) == BPF_ST || BPF_CLASS(f.code) == BPF_STX || f.code == (BPF_LD | BPF_MEM) || f.code == (BPF_LDX | BPF_MEM))
		f.k = test_random_below(rng, 4);
	return f;
}

Test(bpf, libpcap_says_the_same_of_random_programs_and_packets)
{
	uint64_t rng = test_seed("bpf", 20);
	unsigned valid = 0, nonzero = 0;

	for (unsigned round = 0; round < 40000; round++) {
		unsigned n = 1 + test_random_below(&rng, 24);
		struct sock_filter prog[30];
		struct bpf_insn twin[30];
		uint8_t bytes[96];
		uint32_t len = test_random_below(&rng, sizeof(bytes) + 1), want;

		for (unsigned i = 0; i < n; i++)
			prog[i] = random_insn(&rng, n - 1 - i);
		_Static_assert(sizeof(twin) == sizeof(prog), "libpcap's instruction is Linux's");
		memcpy(twin, prog, n * sizeof(twin[0]));
		if (ns_bpf_check(prog, n)) /* memory is read that may not have been written: libpcap lets that pass */
			continue;
		valid++;
		cr_assert(bpf_validate(twin, (int)n), "round %u: libpcap refuses what we take", round);
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)test_random(&rng);
		want = bpf_filter(twin, bytes, len, len);
		nonzero += want != 0;
		cr_assert_eq(run(prog, bytes, len, len), want, "round %u", round);
		cr_assert_eq(run(prog, bytes, len, test_random_below(&rng, len + 1)), want, "round %u, in fragments", round);
	}
	cr_expect(valid > 10000 && nonzero > 2000, "%u programs ran, %u gave something", valid, nonzero);
}

/* What is not valid for libpcap is not valid here. */
Test(bpf, libpcap_refuses_nothing_that_we_take)
{
	uint64_t rng = test_seed("bpf noise", 21);

	for (unsigned round = 0; round < 200000; round++) {
		unsigned n = 1 + test_random_below(&rng, 3);
		struct sock_filter prog[3];
		struct bpf_insn twin[3];

		for (unsigned i = 0; i < n; i++)
			prog[i] = (struct sock_filter){ (uint16_t)test_random_below(&rng, 256), (uint8_t)test_random_below(&rng, 3), (uint8_t)test_random_below(&rng, 3),
							test_random_below(&rng, 40) };
		memcpy(twin, prog, n * sizeof(twin[0]));
		if (!ns_bpf_check(prog, n))
			cr_assert(bpf_validate(twin, (int)n), "round %u: %04x", round, prog[0].code);
	}
}

Test(bpf, what_libpcap_compiles_selects_what_it_says)
{
	static const uint8_t arp[42] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t tcp[54] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1, 0x9c, 0x40, 0, 80,
					 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2 };
	static const uint8_t udp[50] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 36, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1, 0x9c, 0x40, 0, 53, 0, 16 };
	static const struct {
		const char *filter;
		bool arp, tcp, udp;
	} rows[] = {
		{ "", true, true, true }, { "arp", true, false, false }, { "ip", false, true, true }, { "tcp port 80", false, true, false },
		{ "host 192.0.2.2", false, true, true }, { "udp and not port 53", false, false, false }, { "tcp[tcpflags] & tcp-syn != 0", false, true, false },
		{ "ether broadcast", true, false, false }, { "less 45", true, false, false }, { "net 192.0.2.0/24 and (port 53 or port 80)", false, true, true },
		{ "vlan", false, false, false }, { "inbound", true, true, true }, { "outbound", false, false, false },
	};
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);

	for (unsigned i = 0; i < LEN(rows); i++) {
		struct bpf_program c;
		struct sock_filter prog[200];

		cr_assert_eq(pcap_compile(p, &c, rows[i].filter, 1, PCAP_NETMASK_UNKNOWN), 0, "%s: %s", rows[i].filter, pcap_geterr(p));
		cr_assert_leq(c.bf_len, LEN(prog));
		memcpy(prog, c.bf_insns, c.bf_len * sizeof(prog[0]));
		cr_assert_eq(ns_bpf_check(prog, c.bf_len), 0, "%s", rows[i].filter);
		cr_expect_eq(run(prog, arp, sizeof(arp), sizeof(arp)) != 0, rows[i].arp, "%s, ARP", rows[i].filter);
		cr_expect_eq(run(prog, tcp, sizeof(tcp), 20) != 0, rows[i].tcp, "%s, TCP", rows[i].filter);
		cr_expect_eq(run(prog, udp, sizeof(udp), 30) != 0, rows[i].udp, "%s, UDP", rows[i].filter);
		pcap_freecode(&c);
	}
	pcap_close(p);
}
#endif
