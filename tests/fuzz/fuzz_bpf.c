// SPDX-License-Identifier: MIT
/*
 * fuzz_bpf.c: any bytes as a BPF program and a packet. What the check takes must run to its end without leaving the packet, must say the same of a linear packet and of
 * one in pieces, and the same as libpcap's interpreter where that is there.
 *
 * Input: one byte of flags (1: instructions are mended first, since noise rarely passes the check; 2: it is also run behind 34 bytes of headers), one byte with the number of instructions, those (eight bytes each), the packet.
 */
#include "config.h"
#include <netstack/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PROG 255

static uint32_t run(const struct sock_filter *prog, const uint8_t *bytes, uint32_t len, uint32_t linear, bool headers)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = pool ? alloc_skb(pool, 64 + linear, 64) : NULL;
	struct skb_area *area = skb ? skb_area_alloc(pool, len - linear + 1) : NULL;
	struct stack_tap_frame f;
	uint32_t ret;

	if (!area)
		abort();
	memcpy(skb_put(skb, linear), bytes, linear);
	memcpy(area->base, bytes + linear, len - linear);
	if (len > linear && skb_add_frag(skb, area, 0, len - linear))
		abort();
	skb_area_put(pool, area);
	if (headers && linear >= 34) { /* the program sees what stands behind them */
		skb_reset_mac_header(skb);
		skb_pull(skb, 14);
		skb_reset_network_header(skb);
		skb_pull(skb, 20);
	}
	stack_tap_frame_init(&f, skb);
	ret = ns_bpf_run(prog, &f, NULL);
	kfree_skb(skb, SKB_DROP_NOMEM);
	skb_pool_free(pool);
	return ret;
}

/* Turns noise into something that is likely to pass. */
static void mend(struct sock_filter *prog, unsigned n)
{
	static const uint16_t codes[] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d, 0x30, 0x34, 0x35,
					  0x3c, 0x3d, 0x40, 0x44, 0x45, 0x48, 0x4c, 0x4d, 0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84, 0x87, 0x94, 0x9c,
					  0xa4, 0xac, 0xb1 };

	for (unsigned i = 0; i < n; i++) {
		unsigned left = n - 1 - i;

		prog[i].code = left ? codes[prog[i].code % (sizeof(codes) / sizeof(codes[0]))] : 0x16;
		if (left) {
			prog[i].jt = (uint8_t)(prog[i].jt % left);
			prog[i].jf = (uint8_t)(prog[i].jf % left);
		}
		if (prog[i].code == 0x05)
			prog[i].k %= left;
		else if (prog[i].code != 0x00 && prog[i].code != 0x01)
			prog[i].k &= prog[i].k & 0x10000 ? 0x7fffffff : 0x1f;
	}
}

/* Offsets that only we give a meaning: Linux's negative ones. */
static bool plain(const struct sock_filter *prog, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((BPF_CLASS(prog[i].code) == BPF_LD || BPF_CLASS(prog[i].code) == BPF_LDX) && (int32_t)prog[i].k < 0)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sock_filter prog[MAX_PROG];
	unsigned n, flags;
	uint32_t ret, len;

	if (size < 2)
		return 0;
	flags = data[0];
	n = data[1];
	data += 2;
	size -= 2;
	if (size < n * sizeof(prog[0]))
		return 0;
	if (n) /* an empty program has no bytes */
		memcpy(prog, data, n * sizeof(prog[0]));
	data += n * sizeof(prog[0]);
	len = (uint32_t)(size - n * sizeof(prog[0]));
	if (flags & 1)
		mend(prog, n);
	if (ns_bpf_check(prog, n))
		return 0;
	if (flags & 2)
		(void)run(prog, data, len, len < 40 ? len : 40, true);
	ret = run(prog, data, len, len, false);
	for (uint32_t linear = 0; linear < len && linear < 64; linear += 7)
		if (run(prog, data, len, linear, false) != ret) {
			fprintf(stderr, "fuzz_bpf: another result with %u linear bytes\n", linear);
			abort();
		}
#ifdef HAVE_LIBPCAP
	struct bpf_insn twin[MAX_PROG];

	memcpy(twin, prog, n * sizeof(twin[0]));
	if (plain(prog, n) && bpf_filter(twin, data, len, len) != ret) {
		fprintf(stderr, "fuzz_bpf: libpcap's interpreter has another result than %u\n", ret);
		abort();
	}
#else
	(void)plain;
#endif
	return 0;
}
