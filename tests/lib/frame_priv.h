/* SPDX-License-Identifier: MIT */
/*
 * frame_priv.h: what the files of frame.h share: a line of text as a struct spec. frame_parse.c makes it, frame_build.c fills in what it leaves open and
 * writes bytes, frame.c compares what it names.
 */
#ifndef TESTS_FRAME_PRIV_H
#define TESTS_FRAME_PRIV_H

#include "frame.h"
#include "wire/wire.h"

enum kind { K_NONE, K_TCP, K_UDP, K_ICMP, K_IP, K_ARP, K_RAW, K_ETH };

struct num {
	bool     set, any;
	uint32_t lo, hi;
};

struct data {
	bool     set, pattern; /* pattern: len bytes of frame_pattern */
	uint32_t len;
	uint8_t  bytes[4096];
	uint8_t  any[4096]; /* 1: any byte will do */
};

struct spec {
	enum kind kind;
	bool      has_smac, has_dmac, df, mf, bad_ipsum, has_frag, has_tuple_addr, has_tuple_port;
	uint8_t   smac[6], dmac[6];
	struct num type, ttl, tos, id, off, rb, ver, ihl, len, trunc, pad;
	uint8_t   ipopt[40];
	unsigned  ipoptlen;
	uint32_t  frag_off, frag_len;
	be32      saddr, daddr;
	uint16_t  sport, dport;
	/* layer 4 */
	bool      bad_sum, nosum, absolute;
	uint8_t   flags;
	bool      psh_named, has_opts, opts_open;
	struct num seq, end, ack, win, urg, doff, ulen;
	uint8_t   opts[80];
	unsigned  optlen;
	bool      ts_set, ts_ecr_last;
	struct num ts_val, ts_ecr;
	struct { uint32_t a, b; } sack[4];
	unsigned  nsack;
	struct num proto, icmp_type, icmp_code, icmp_id, icmp_seq, icmp_mtu, icmp_ptr;
	be32      icmp_gw;
	bool      has_gw, quote_last, has_quote;
	char      quote[512];
	bool      arp_reply, arp_hex;
	be32      arp_ip, arp_tell;
	bool      has_arp_mac, has_arp_tell;
	uint8_t   arp_mac[6];
	struct data data;
};

/* Says what is wrong; always false. */
bool frame_fail(struct frame_ctx *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool frame_parse(struct frame_ctx *c, const char *text, struct spec *s);
/* An IP packet: its length, or -1. out: it leaves, so that addresses and sequence numbers change sides. */
int  frame_build_l3(struct frame_ctx *c, unsigned dev, bool out, struct spec *s, uint8_t *ip, size_t size);
/* Addresses and ports of a line: what it leaves open comes from the context. */
void frame_complete_tuple(struct frame_ctx *c, unsigned dev, bool out, struct spec *s);
struct frame_flow *frame_flow_get(struct frame_ctx *c, be32 paddr, uint16_t pport, be32 laddr, uint16_t lport);
static inline bool num_ok(const struct num *n, uint32_t v) { return !n->set || n->any || (v >= n->lo && v <= n->hi); }

#endif
