/* SPDX-License-Identifier: MIT */
/*
 * fuzz_gro.c: what GRO merges, GSO must give back.
 *
 * Input: a byte of settings, then frames, each a byte that says how it is made and bytes for it: a segment that follows its flow with one field changed, or raw bytes.
 * Each packet that passes GRO is seen by a tap behind it, cut again, its checksums completed, and looked for among the frames that went in: it must be
 * there, byte by byte, and no frame may come out twice or not at all. (In what order, tests/unit/test_gro.c says.)
 */
#include "checksum.h"
#include "dev.h"
#include "host.h"
#include "wire/wire.h"

#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAMES 256
#define FLOWS  4

struct in { /* what goes in and has not come out */
	uint32_t len;
	uint8_t *bytes;
};

struct fuzz {
	const uint8_t *p, *end;
	struct host   *h;
	int            eth;
	struct in      in[FRAMES];
	unsigned       n;
	struct { uint32_t seq; uint16_t id; } flow[FLOWS];
};

static uint8_t take(struct fuzz *z) { return z->p < z->end ? *z->p++ : 0; }

static void bug(const char *what)
{
	fprintf(stderr, "fuzz_gro: %s\n", what);
	abort();
}

static void comes_out(struct fuzz *z, const uint8_t *bytes, uint32_t len)
{
	for (unsigned i = 0; i < z->n; i++) {
		if (!z->in[i].bytes || z->in[i].len != len || memcmp(z->in[i].bytes, bytes, len))
			continue;
		free(z->in[i].bytes);
		z->in[i].bytes = NULL;
		return;
	}
	bug("a frame came out that did not go in");
}

static void on_frame(void *arg, const struct stack_tap_frame *frame)
{
	struct fuzz *z = arg;
	struct sk_buff *copy = skb_copy(frame->skb, SKB_HEADROOM);
	static uint8_t flat[70000];
	struct sk_buff_head segs;

	skb_queue_init(&segs);
	skb_push(copy, ETH_HLEN);
	if (!skb_is_gso(copy))
		skb_queue_tail(&segs, copy);
	else if (skb_gso_segment(copy, &segs))
		bug("a merged packet that cannot be cut");
	while ((copy = skb_dequeue(&segs))) {
		if (skb_checksum_help(copy))
			bug("a checksum that cannot be made");
		skb_copy_bits(copy, 0, flat, copy->len);
		comes_out(z, flat, copy->len);
		consume_skb(copy);
	}
}

static void goes_in(struct fuzz *z, const uint8_t *frame, uint32_t len)
{
	z->in[z->n].bytes = malloc(len);
	z->in[z->n].len = len;
	memcpy(z->in[z->n++].bytes, frame, len);
	if (host_rx(z->h, 0, z->eth, frame, len))
		abort();
}

/* A segment or datagram of a flow, with the checksums right, and then one byte of it set to something. */
static uint32_t make(struct fuzz *z, uint8_t how, uint8_t *f)
{
	unsigned i = how & 3;
	bool v6 = how & 4, udp = how & 8, tag = how & 16;
	uint32_t net = tag ? 18 : 14, hl = v6 ? 40 : 20, thl = udp ? 8 : 20, payload = 1 + take(z) % 64u, l4 = thl + payload, sum;
	uint8_t *ip = f + net, *th = ip + hl, proto = udp ? NS_IPPROTO_UDP : NS_IPPROTO_TCP, at = take(z), to = take(z);
	uint16_t c;

	memset(f, 0, net + hl + l4);
	memcpy(f, (uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
	f[6] = 2;
	put_be16(f + net - 2, v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (tag)
		put_be16(f + 12, ETH_P_8021Q);
	put_be16(th, (uint16_t)(1000 + i));
	put_be16(th + 2, 80);
	if (udp) {
		put_be16(th + 4, (uint16_t)l4);
	} else {
		put_be32(th + 4, z->flow[i].seq);
		th[12] = 5 << 4;
		th[13] = TCPHDR_ACK | (how & 64 ? TCPHDR_PSH : 0);
		z->flow[i].seq += payload;
	}
	if (v6) {
		ip[0] = 0x60;
		put_be16(ip + 4, (uint16_t)l4);
		ip[6] = proto;
		ip[7] = 64;
		ip[8] = ip[24] = 0x20;
	} else {
		ip[0] = 0x45;
		put_be16(ip + 2, (uint16_t)(hl + l4));
		put_be16(ip + 4, z->flow[i].id++);
		ip[6] = how & 32 ? 0x40 : 0;
		ip[8] = 64;
		ip[9] = proto;
		put_be32(ip + 12, 0xc0000202);
		put_be32(ip + 16, 0xc0000203);
	}
	if (at && at < net + hl + l4)
		f[at] = to;
	if (!v6) {
		put_be16(ip + 10, 0);
		c = ip_fast_csum(ip, 5);
		memcpy(ip + 10, &c, 2);
	}
	put_be16(th + (udp ? 6 : 16), 0);
	sum = csum_partial(ip + (v6 ? 8 : 12), v6 ? 32 : 8, cpu_to_be32(l4 + proto));
	c = csum_fold(csum_partial(th, l4, sum));
	if (udp && !c)
		c = 0xffff;
	memcpy(th + (udp ? 6 : 16), &c, 2);
	return net + hl + l4;
}

static uint32_t make_raw(struct fuzz *z, uint8_t *f)
{
	uint32_t len = ETH_HLEN + take(z);

	memset(f, 0, len);
	memcpy(f, (uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
	for (uint32_t i = 12; i < len && z->p < z->end; i++)
		f[i] = take(z);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz z = { .p = data, .end = data + size };
	uint8_t how = take(&z), frame[600];
	struct stack_tap *tap;
	struct link_conf promisc;

	z.h = host_new("gro", 1, 1, NULL, NULL);
	z.eth = host_link(z.h, "eth0", "192.0.2.1/24", 1, 1500, LINK_F_GRO | (how & 1 ? LINK_F_UDP_GRO_FWD : 0));
	promisc = *netcfg_link_by_index(z.h->cfg, z.eth);
	promisc.flags |= NS_IFF_PROMISC; /* the tap is to see what is not for us, too */
	if (netcfg_link_set(z.h->cfg, &promisc, NULL) || (how & 2 && netcfg_sysctl_set(z.h->cfg, "net.core.gro_flush_timeout", "1000000", NULL)))
		abort();
	host_apply(z.h);
	if (stack_tap_attach(z.h->shard[0].stack, z.eth, STACK_TAP_RX, on_frame, &z, &tap))
		abort();
	while (z.p < z.end && z.n < FRAMES) {
		uint8_t op = take(&z);

		if (op == 0xff)
			host_run(z.h, z.h->now + take(&z) * (NSEC_PER_MSEC / 8));
		else
			goes_in(&z, frame, op & 0x80 ? make_raw(&z, frame) : make(&z, op, frame));
	}
	host_run(z.h, z.h->now + 60 * NSEC_PER_SEC); /* what waits for a neighbour gives up, too */
	for (unsigned i = 0; i < z.n; i++) {
		/* the one kind that no tap sees: a multicast source address, which no station has */
		if (z.in[i].bytes && !(z.in[i].bytes[6] & 1))
			bug("a frame went in and did not come out");
		free(z.in[i].bytes);
	}
	stack_tap_detach(tap);
	if (host_idle_error(z.h))
		bug(host_idle_error(z.h));
	host_free(z.h);
	return 0;
}
