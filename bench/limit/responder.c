/* SPDX-License-Identifier: MIT */
/*
 * responder: answers TCP on a TAP and does nothing else: the limit for any TCP that makes one read or write a frame.
 *	responder TAP OWN-ADDRESS CPU SECONDS [gso] [spin]
 * gso: with vnet headers: frames of up to 64 KiB both ways, checksums left to the other side, an acknowledgement a frame. spin: never sleeps.
 * Port 9 acknowledges what comes, every second segment and at the end of a batch; port 19 sends as much as the peer's window takes. It computes
 * the checksums that a TCP must, and keeps no data, no timers and no queue: a lost segment ends the measurement, so the TAP must have a long queue.
 */
#include "util.h"

#include <linux/virtio_net.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define BATCH     64
#define MSS       1460
#define GSO_LEN   (65000 / MSS * MSS) /* payload of a frame of several segments */
#define VNET_LEN  ((size_t)10)
#define FIN       0x01
#define SYN       0x02
#define RST       0x04
#define PSH       0x08
#define ACK       0x10
#define PUMP      16 /* segments sent in one go */

struct conn { /* by the peer's port */
	uint32_t rcv_nxt, snd_nxt, snd_una, snd_wnd;
	uint16_t lport;
	uint8_t  wscale;
	unsigned unacked;
	bool     open;
};

static struct conn conns[65536];
static unsigned char frame[64], payload[GSO_LEN], peer_mac[6], own_mac[6] = { 2, 0, 0, 0, 0, 2 };
static uint32_t own_addr, peer_addr;
static int tap;
static bool gso, spin;
static size_t vnet; /* bytes in front of a frame */

static inline uint16_t get16(const void *p) { uint16_t v; memcpy(&v, p, 2); return ntohs(v); }
static inline uint32_t get32(const void *p) { uint32_t v; memcpy(&v, p, 4); return ntohl(v); }
static inline void put16(void *p, uint16_t v) { v = htons(v); memcpy(p, &v, 2); }
static inline void put32(void *p, uint32_t v) { v = htonl(v); memcpy(p, &v, 4); }

static void send_segment(struct conn *c, uint16_t pport, uint8_t flags, size_t len)
{
	size_t thl = flags & SYN ? 28 : 20;
	unsigned char *ip = frame + 14, *th = ip + 20;
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
	struct iovec iov[3] = { { &vh, vnet }, { frame, 34 + thl }, { payload, len } };
	uint64_t sum;
	uint16_t check;

	memcpy(frame, peer_mac, 6);
	memcpy(frame + 6, own_mac, 6);
	put16(frame + 12, 0x0800);
	memset(ip, 0, 20 + thl);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + thl + len));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, &own_addr, 4);
	memcpy(ip + 16, &peer_addr, 4);
	check = sum_fold(sum_bytes(ip, 20, 0));
	memcpy(ip + 10, &check, 2);
	put16(th, c->lport);
	put16(th + 2, pport);
	put32(th + 4, c->snd_nxt);
	put32(th + 8, c->rcv_nxt);
	th[12] = (unsigned char)(thl / 4 << 4);
	th[13] = flags;
	put16(th + 14, 65535);
	if (flags & SYN) {
		static const unsigned char opts[8] = { 2, 4, MSS >> 8, MSS & 255, 3, 3, 10, 0 };

		memcpy(th + 20, opts, sizeof(opts));
	}
	sum = sum_bytes(ip + 12, 8, htons(IPPROTO_TCP)) + htons((uint16_t)(thl + len));
	check = gso ? (uint16_t)~sum_fold(sum) : sum_fold(sum_bytes(payload, len, sum_bytes(th, thl, sum)));
	memcpy(th + 16, &check, 2);
	if (gso && len > MSS) {
		vh.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		vh.gso_size = MSS;
		vh.hdr_len = (uint16_t)(34 + thl);
	}
	if (writev(tap, iov + !gso, (gso ? 2 : 1) + !!len) < 0 && errno != EAGAIN)
		die("write");
	c->snd_nxt += (uint32_t)len + !!(flags & (SYN | FIN));
	c->unacked = 0;
}

static uint8_t find_wscale(const unsigned char *opt, const unsigned char *end)
{
	while (opt + 1 < end && *opt) {
		if (*opt == 1) {
			opt++;
			continue;
		}
		if (*opt == 3 && opt + 2 < end)
			return opt[2] > 14 ? 14 : opt[2];
		opt += opt[1] < 2 ? 2 : opt[1];
	}
	return 0;
}

static void answer_arp(const unsigned char *f)
{
	unsigned char buf[VNET_LEN + 42] = { 0 }, *r = buf + vnet;

	if (get16(f + 20) != 1 || memcmp(f + 38, &own_addr, 4) != 0)
		return;
	memcpy(r, f, 42);
	memcpy(r, f + 6, 6);
	memcpy(r + 6, own_mac, 6);
	r[21] = 2;
	memcpy(r + 22, own_mac, 6);
	memcpy(r + 28, &own_addr, 4);
	memcpy(r + 32, f + 22, 10);
	if (write(tap, buf, vnet + 42) < 0)
		die("write");
}

/* The peer's port of the connection it was about, 0: none. */
static uint16_t receive(const unsigned char *f, size_t n)
{
	const unsigned char *ip = f + 14, *th = ip + 20;
	size_t thl, len, total;
	struct conn *c;
	uint16_t pport;
	uint8_t flags;

	if (n >= 42 && get16(f + 12) == 0x0806)
		answer_arp(f);
	if (n < 54 || get16(f + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != IPPROTO_TCP)
		return 0;
	total = get16(ip + 2);
	thl = (th[12] >> 4) * 4u;
	if (total + 14 > n || thl < 20 || thl + 20 > total)
		return 0;
	len = total - 20 - thl;
	if (!gso && sum_fold(sum_bytes(th, thl + len, sum_bytes(ip + 12, 8, htons(IPPROTO_TCP)) + htons((uint16_t)(thl + len)))) != 0)
		return 0;
	memcpy(peer_mac, f + 6, 6);
	memcpy(&peer_addr, ip + 12, 4);
	pport = get16(th);
	flags = th[13];
	c = &conns[pport];
	if (flags & RST) {
		c->open = false;
		return 0;
	}
	if (flags & SYN) {
		*c = (struct conn){ .rcv_nxt = get32(th + 4) + 1, .snd_nxt = 1000, .snd_una = 1000, .lport = get16(th + 2), .open = true,
				    .wscale = find_wscale(th + 20, th + thl) };
		send_segment(c, pport, SYN | ACK, 0);
		return pport;
	}
	if (!c->open)
		return 0;
	c->snd_una = get32(th + 8);
	c->snd_wnd = (uint32_t)get16(th + 14) << c->wscale;
	if (len && get32(th + 4) == c->rcv_nxt) {
		c->rcv_nxt += (uint32_t)len;
		c->unacked += gso ? 2 : 1;
	} else if (len) {
		c->unacked = 2;
	}
	if (flags & FIN && get32(th + 4) + len == c->rcv_nxt) {
		c->rcv_nxt++;
		send_segment(c, pport, FIN | ACK, 0);
		c->open = false;
	}
	return pport;
}

static void pump(struct conn *c, uint16_t pport)
{
	uint32_t len = gso ? GSO_LEN : MSS;

	for (int i = 0; i < PUMP && c->snd_una + c->snd_wnd - c->snd_nxt >= len && c->snd_una + c->snd_wnd - c->snd_nxt < 1u << 30; i++)
		send_segment(c, pport, ACK, len);
}

int main(int argc, char **argv)
{
	static unsigned char buf[70 * 1024];
	struct epoll_event ev = { .events = EPOLLIN };
	uint16_t source = 0;
	int ep;

	for (int i = 5; i < argc; i++) {
		gso |= strcmp(argv[i], "gso") == 0;
		spin |= strcmp(argv[i], "spin") == 0;
	}
	if (argc < 5) {
		fprintf(stderr, "usage: responder TAP ADDRESS CPU SECONDS [gso] [spin]\n");
		return 2;
	}
	vnet = gso ? VNET_LEN : 0;
	tap = tap_open(argv[1], gso ? IFF_VNET_HDR : 0, gso, true);
	own_addr = inet_addr(argv[2]);
	pin_to_cpu(atoi(argv[3]));
	ep = epoll_create1(0);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, tap, &ev) < 0)
		die("epoll");
	printf("ready\n");
	fflush(stdout);
	for (double end = seconds() + atof(argv[4]); seconds() < end;) {
		uint16_t last = 0;

		if (!spin)
			epoll_wait(ep, &ev, 1, 100);
		for (int i = 0; i < BATCH; i++) {
			ssize_t n = read(tap, buf, sizeof(buf));

			if (n <= (ssize_t)vnet)
				break;
			last = receive(buf + vnet, (size_t)n - vnet);
			if (last && conns[last].lport == 19)
				source = last;
			if (last && conns[last].unacked >= 2)
				send_segment(&conns[last], last, ACK, 0);
		}
		if (last && conns[last].unacked)
			send_segment(&conns[last], last, ACK, 0);
		if (source && conns[source].open)
			pump(&conns[source], source);
	}
	return 0;
}
