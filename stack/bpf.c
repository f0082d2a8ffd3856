/* SPDX-License-Identifier: MIT */
/*
 * bpf.c: classic BPF (McCanne and Jacobson, "The BSD Packet Filter", 1993; Linux's Documentation/networking/filter.rst): a check and an interpreter.
 *
 * Theory. Two registers, sixteen words of memory, jumps that only go forward: a program of n instructions ends after n steps at most, so time is bounded by its length. The
 * check proves once what the interpreter then need not ask: every instruction is known, every jump lands inside, the last instruction returns, constants are no zero
 * divisors and no shifts beyond the word, and on every path a memory word is written before it is read. What depends on the packet is checked at run time:
 * a load beyond the end, or a division by X = 0, ends the program with 0; a shift by X of 32 or more gives 0, as libpcap's interpreter has it.
 *
 * Where a path of instructions may come from several jumps, the words that are surely written are those that are written on all of them. Since jumps go forward, one pass
 * in order knows them all.
 *
 * Not done: SKF_AD_NLATTR, SKF_AD_NLATTR_NEST, SKF_AD_PAY_OFFSET, SKF_AD_RANDOM: programs with them are refused.
 */
#include <netstack/bpf.h>

#include "bug.h"
#include "dev.h"
#include "stack_priv.h"

#include <errno.h>
#include <linux/if_arp.h>

#ifndef SKF_AD_VLAN_TPID
#define SKF_AD_VLAN_TPID 60
#endif

/* ---- the check ---- */

static bool code_known(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LD | BPF_IMM: case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN: case BPF_LDX | BPF_IMM: case BPF_LDX | BPF_MEM: case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_ST: case BPF_STX:
	case BPF_ALU | BPF_ADD | BPF_K: case BPF_ALU | BPF_ADD | BPF_X: case BPF_ALU | BPF_SUB | BPF_K: case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K: case BPF_ALU | BPF_MUL | BPF_X: case BPF_ALU | BPF_DIV | BPF_K: case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_MOD | BPF_K: case BPF_ALU | BPF_MOD | BPF_X: case BPF_ALU | BPF_AND | BPF_K: case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K: case BPF_ALU | BPF_OR | BPF_X: case BPF_ALU | BPF_XOR | BPF_K: case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_LSH | BPF_X: case BPF_ALU | BPF_RSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JEQ | BPF_X: case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JGE | BPF_X: case BPF_JMP | BPF_JSET | BPF_K: case BPF_JMP | BPF_JSET | BPF_X:
	case BPF_RET | BPF_K: case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA:
		return true;
	}
	return false;
}

static bool ancillary_known(uint32_t k)
{
	switch ((int32_t)k - SKF_AD_OFF) {
	case SKF_AD_PROTOCOL: case SKF_AD_PKTTYPE: case SKF_AD_IFINDEX: case SKF_AD_MARK: case SKF_AD_QUEUE: case SKF_AD_HATYPE: case SKF_AD_RXHASH: case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X: case SKF_AD_VLAN_TAG: case SKF_AD_VLAN_TAG_PRESENT: case SKF_AD_VLAN_TPID:
		return true;
	}
	return false;
}

static inline bool is_ancillary(uint32_t k)
{
	return (int32_t)k < 0 && (int32_t)k >= SKF_AD_OFF;
}

/* One instruction by itself; left: how many follow it. */
static bool insn_ok(const struct sock_filter *f, unsigned left)
{
	if (!code_known(f->code))
		return false;
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
		if (BPF_MODE(f->code) == BPF_ABS && is_ancillary(f->k))
			return ancillary_known(f->k);
		return BPF_MODE(f->code) != BPF_MEM || f->k < BPF_MEMWORDS;
	case BPF_LDX:
		return BPF_MODE(f->code) != BPF_MEM || f->k < BPF_MEMWORDS;
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS;
	case BPF_ALU:
		if (BPF_SRC(f->code) != BPF_K)
			return true;
		if (BPF_OP(f->code) == BPF_DIV || BPF_OP(f->code) == BPF_MOD)
			return f->k != 0;
		return (BPF_OP(f->code) != BPF_LSH && BPF_OP(f->code) != BPF_RSH) || f->k < 32;
	case BPF_JMP:
		return BPF_OP(f->code) == BPF_JA ? f->k < left : f->jt < left && f->jf < left;
	}
	return true;
}

/* Control comes to instruction i also with these words written. */
static void join(uint16_t *written, unsigned i, uint16_t words)
{
	written[i] &= words;
}

int ns_bpf_check(const struct sock_filter *prog, unsigned n)
{
	uint16_t written[BPF_MAXINSNS]; /* words that are written on every way to an instruction that was found so far */

	if (!n || n > BPF_MAXINSNS)
		return -EINVAL;
	memset(written, 0xff, n * sizeof(written[0])); /* no way yet */
	written[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct sock_filter *f = &prog[i];
		uint16_t words = written[i];

		if (!insn_ok(f, n - 1 - i))
			return -EINVAL;
		switch (BPF_CLASS(f->code)) {
		case BPF_ST:
		case BPF_STX:
			words |= (uint16_t)(1u << f->k);
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(f->code) == BPF_MEM && !(words & 1u << f->k))
				return -EINVAL;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				join(written, i + 1 + f->k, words);
			} else {
				join(written, i + 1 + f->jt, words);
				join(written, i + 1 + f->jf, words);
			}
			continue;
		case BPF_RET:
			continue;
		}
		if (i + 1 < n)
			join(written, i + 1, words);
	}
	return BPF_CLASS(prog[n - 1].code) == BPF_RET ? 0 : -EINVAL;
}

/* ---- the interpreter ---- */

struct bpf_run {
	const struct stack_tap_frame *frame;
	const struct stack           *stack;
	uint32_t                      a, x;
};

#define NOWHERE INT64_MAX

/* Where a header stands, counted from the frame's first byte: in front of it when the program sees a packet without that header. */
static int64_t header_offset(const struct stack_tap_frame *f, uint16_t header)
{
	return header == SKB_NO_HEADER ? NOWHERE : f->skb->head + header - f->head;
}

/* Byte offset of the frame that K and X mean. */
static int64_t load_offset_special(const struct stack_tap_frame *f, uint32_t k, uint32_t x)
{
	bool net = (int32_t)k >= SKF_NET_OFF;
	int64_t base;

	if ((int32_t)k < SKF_LL_OFF)
		return NOWHERE;
	if (f->made)
		base = net ? f->head_len : 0;
	else
		base = header_offset(f, net ? f->skb->network_header : f->skb->mac_header);
	return base == NOWHERE ? NOWHERE : base + (int64_t)(k - (uint32_t)(net ? SKF_NET_OFF : SKF_LL_OFF)) + x;
}

static inline int64_t load_offset(const struct bpf_run *r, uint32_t k, uint32_t x)
{
	return likely((int32_t)k >= 0) ? (int64_t)k + x : load_offset_special(r->frame, k, x);
}

/* n bytes that begin off bytes in front of the frame, in the linear part of its packet: so far the headers stand that were taken off. NULL: it is not. */
static const unsigned char *in_front(const struct stack_tap_frame *f, uint64_t off, uint32_t n)
{
	const struct sk_buff *skb = f->skb;

	if (off > (uint64_t)(f->head - skb->head) || n > (uint64_t)(skb->tail - f->head) + off)
		return NULL;
	return f->head - off;
}

static inline bool load(const struct bpf_run *r, int64_t at, uint32_t size, uint32_t *ret)
{
	const struct stack_tap_frame *f = r->frame;
	uint64_t off = (uint64_t)at;
	unsigned char buf[4];
	const unsigned char *p = buf;

	if (unlikely(at < 0)) {
		p = in_front(f, (uint64_t)-at, size);
		if (!p)
			return false;
	} else if (unlikely(off > f->len || size > f->len - off)) {
		return false;
	} else if (likely(off + size <= f->head_len)) {
		p = f->head + off;
	} else if (stack_tap_copy(f, (uint32_t)off, buf, size)) {
		return false;
	}
	*ret = size == 4 ? get_be32(p) : size == 2 ? get_be16(p) : *p;
	return true;
}

static uint32_t hatype(const struct bpf_run *r)
{
	const struct net_device *dev = r->stack ? dev_get_by_index(r->stack, r->frame->ifindex) : NULL;

	return !dev ? 0 : dev_is_loopback(dev) ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
}

static uint32_t ancillary(const struct bpf_run *r, uint32_t k)
{
	const struct stack_tap_frame *f = r->frame;

	switch ((int32_t)k - SKF_AD_OFF) {
	case SKF_AD_PROTOCOL: return f->protocol;
	case SKF_AD_PKTTYPE: return f->dir == STACK_TAP_DIR_OUT ? (uint32_t)SKB_PKT_OUTGOING : f->skb->pkt_type;
	case SKF_AD_IFINDEX: return (uint32_t)f->ifindex;
	case SKF_AD_MARK: return f->skb->mark;
	case SKF_AD_HATYPE: return hatype(r);
	case SKF_AD_RXHASH: return f->skb->hash;
	case SKF_AD_QUEUE: /* a shard has one queue of each device */
	case SKF_AD_CPU: return r->stack ? r->stack->params.cpu : 0;
	case SKF_AD_ALU_XOR_X: return r->a ^ r->x;
	default: return 0; /* tags stand in the frame */
	}
}

/* False: the program ends with 0. */
static inline bool alu(struct bpf_run *r, uint16_t op, uint32_t v)
{
	switch (op) {
	case BPF_ADD: r->a += v; break;
	case BPF_SUB: r->a -= v; break;
	case BPF_MUL: r->a *= v; break;
	case BPF_DIV:
		if (!v)
			return false;
		r->a /= v;
		break;
	case BPF_MOD:
		if (!v)
			return false;
		r->a %= v;
		break;
	case BPF_AND: r->a &= v; break;
	case BPF_OR: r->a |= v; break;
	case BPF_XOR: r->a ^= v; break;
	case BPF_LSH: r->a = v < 32 ? r->a << v : 0; break;
	case BPF_RSH: r->a = v < 32 ? r->a >> v : 0; break;
	case BPF_NEG: r->a = -r->a; break;
	}
	return true;
}

static inline bool jump(uint16_t op, uint32_t a, uint32_t v)
{
	switch (op) {
	case BPF_JEQ: return a == v;
	case BPF_JGT: return a > v;
	case BPF_JGE: return a >= v;
	default: return (a & v) != 0;
	}
}

/* LD with a packet offset; false: beyond the end. */
static inline bool load_insn(struct bpf_run *r, const struct sock_filter *f)
{
	uint32_t size = BPF_SIZE(f->code) == BPF_W ? 4 : BPF_SIZE(f->code) == BPF_H ? 2 : 1;

	if (BPF_MODE(f->code) == BPF_IND)
		return load(r, load_offset(r, f->k, r->x), size, &r->a);
	if (unlikely(is_ancillary(f->k))) {
		r->a = ancillary(r, f->k);
		return true;
	}
	return load(r, load_offset(r, f->k, 0), size, &r->a);
}

uint32_t ns_bpf_run(const struct sock_filter *prog, const struct stack_tap_frame *frame, const struct stack *stack)
{
	struct bpf_run r = { .frame = frame, .stack = stack };
	uint32_t mem[BPF_MEMWORDS];

	for (const struct sock_filter *f = prog;; f++) {
		uint32_t v = BPF_SRC(f->code) == BPF_X ? r.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (BPF_MODE(f->code) == BPF_IMM)
				r.a = f->k;
			else if (BPF_MODE(f->code) == BPF_MEM)
				r.a = mem[f->k];
			else if (BPF_MODE(f->code) == BPF_LEN)
				r.a = frame->len;
			else if (!load_insn(&r, f))
				return 0;
			break;
		case BPF_LDX:
			if (BPF_MODE(f->code) == BPF_IMM) {
				r.x = f->k;
			} else if (BPF_MODE(f->code) == BPF_MEM) {
				r.x = mem[f->k];
			} else if (BPF_MODE(f->code) == BPF_LEN) {
				r.x = frame->len;
			} else { /* four times the low nibble: the length of an IP header */
				if (!load(&r, load_offset(&r, f->k, 0), 1, &v))
					return 0;
				r.x = (v & 0xf) << 2;
			}
			break;
		case BPF_ST:
			mem[f->k] = r.a;
			break;
		case BPF_STX:
			mem[f->k] = r.x;
			break;
		case BPF_ALU:
			if (!alu(&r, BPF_OP(f->code), v))
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				f += f->k;
			else
				f += jump(BPF_OP(f->code), r.a, v) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? r.a : f->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				r.x = r.a;
			else
				r.a = r.x;
		}
	}
}
