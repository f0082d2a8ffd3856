/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c: hostile frames, from Ethernet up, into a host and router of one to four shards with listening TCP, UDP and raw sockets whose owner echoes.
 *
 * With 0x40 in its first byte the input meets more than that: VLANs, one in the other, a bridge of two ports and a veth, whose other end is the host's, and a VLAN on the bridge.
 *
 * The input is a program of small steps: raw frames; frames whose lengths, checksums and TCP sequence numbers are made right, so that what is behind them is
 * reached; time; calls on sockets. Oracles: nothing crashes; every frame that comes from one of our own addresses has right lengths and checksums; an hour
 * after the end no buffer is left and no timer runs; and skb_pool_free and the timer wheel assert the rest.
 */
#include "frame.h"
#include "host.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define MAX_SOCKS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	const uint8_t *p, *end;
	struct host   *host;
	int            ifindex[4]; /* the last two: ports of the bridge, if there is one */
	bool           devices;
	struct { struct socket *sock; bool listener, raw; unsigned cpu; } sock[MAX_SOCKS]; /* raw: only read, for what it sends is its own invention */
	uint8_t        last[64]; /* beginning of the last TCP segment that left */
	uint32_t       last_seq_end, last_ack;
	uint16_t       lport, pport;
	unsigned       frames; /* sent by the stack */
};

static uint8_t u8(struct fuzz *z) { return z->p < z->end ? *z->p++ : 0; }
static uint16_t u16(struct fuzz *z)
{
	unsigned hi = u8(z);

	return (uint16_t)(hi << 8 | u8(z));
}

static uint32_t bytes(struct fuzz *z, uint8_t *to, uint32_t n)
{
	if (n > (size_t)(z->end - z->p))
		n = (uint32_t)(z->end - z->p);
	memcpy(to, z->p, n);
	z->p += n;
	return n;
}

/* ---- the owner of the sockets -------------------------------------------------------------------------------------------- */

static void sock_add(struct fuzz *z, struct socket *s, unsigned cpu, bool listener, bool raw)
{
	for (unsigned i = 0; i < MAX_SOCKS; i++)
		if (!z->sock[i].sock) {
			z->sock[i].sock = s;
			z->sock[i].cpu = cpu;
			z->sock[i].listener = listener;
			z->sock[i].raw = raw;
			ns_set_cookie(s, i + 1, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI);
			return;
		}
	ns_close(s);
}

static void sock_close(struct fuzz *z, unsigned i)
{
	int none = 0;

	host_touch(z->host, z->sock[i].cpu);
	/* A TCP_USER_TIMEOUT of days, set by the input, would rightly keep a closed connection trying beyond the end of the run. */
	(void)ns_setsockopt(z->sock[i].sock, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof(none));
	ns_close(z->sock[i].sock);
	z->sock[i].sock = NULL;
}

static void on_wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct fuzz       *z = arg;
	uint8_t            buf[3000];
	struct sockaddr_in from;
	struct iovec       iov = { buf, sizeof(buf) };
	struct msghdr      msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
	struct socket     *s, *n;
	ssize_t            r = -EAGAIN;

	(void)h;
	(void)events;
	if (cookie < 1 || cookie > MAX_SOCKS || !(s = z->sock[cookie - 1].sock))
		return;
	if (z->sock[cookie - 1].listener) {
		while (ns_accept(s, &n, NULL, NULL) == 0)
			sock_add(z, n, cpu, false, false);
		return;
	}
	for (int i = 0; i < 8 && (r = ns_recvmsg(s, &msg, 0)) > 0; i++) {
		iov.iov_len = (size_t)r;
		if (!z->sock[cookie - 1].raw)
			ns_sendmsg(s, &msg, MSG_NOSIGNAL);
		iov.iov_len = sizeof(buf);
		msg.msg_namelen = sizeof(from);
	}
	if (r == 0 || (r < 0 && r != -EAGAIN && (events & EPOLLHUP)))
		sock_close(z, (unsigned)cookie - 1);
}

static void listener(struct fuzz *z, unsigned cpu, int type, int proto, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct socket     *s;
	int                one = 1;

	if (ns_socket(host_touch(z->host, cpu), AF_INET, type, proto, &s))
		return;
	if (type == SOCK_DGRAM)
		ns_setsockopt(s, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &one, sizeof(one));
	if ((port && ns_bind(s, (struct sockaddr *)&any, sizeof(any))) || (type == SOCK_STREAM && ns_listen(s, 8))) {
		ns_close(s);
		return;
	}
	sock_add(z, s, cpu, type == SOCK_STREAM, type == SOCK_RAW);
}

/* ---- what leaves ------------------------------------------------------------------------------------------------------------ */

static size_t untag(uint8_t *f, size_t len)
{
	while (len >= 18 && (get_be16(f + 12) == ETH_P_8021Q || get_be16(f + 12) == ETH_P_8021AD)) {
		memmove(f + 12, f + 16, len - 16);
		len -= 4;
	}
	return len;
}

static int on_xmit(void *arg, struct host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	static uint8_t buf[FRAME_MAX];
	struct fuzz   *z = arg;
	char           why[128];
	const uint8_t *ip = buf + 14, *l4;
	uint32_t       hl;
	size_t         flen;

	(void)h;
	(void)cpu;
	if (skb->len > sizeof(buf) || skb_copy_bits(skb, 0, buf, skb->len))
		abort();
	if (++z->frames > 100000) {
		fprintf(stderr, "a storm: 100,000 frames from one input\n");
		abort();
	}
	flen = untag(buf, skb->len);
	if (flen < 34 || get_be16(buf + 12) != ETH_P_IP)
		return 0;
	if (memcmp(ip + 12, (uint8_t[]){ 192, 0, 2, 1 }, 4) != 0 && memcmp(ip + 12, (uint8_t[]){ 198, 51, 100, 1 }, 4) != 0 &&
	    (memcmp(ip + 12, (uint8_t[]){ 10, 77 }, 2) != 0 || ip[15] != 1))
		return 0; /* forwarded: what is inside is the sender's */
	if ((z->devices || ip[12] == 10) && ifindex >= z->ifindex[2]) /* may have crossed the bridge, whoever it says that it comes from */
		return 0;
	if (!frame_sound(buf, flen, why, sizeof(why))) {
		static struct frame_ctx ctx;
		char                    text[600];

		frame_describe(&ctx, 0, true, buf, flen, text, sizeof(text));
		fprintf(stderr, "a malformed frame was sent: %s: %s\n", why, text);
		abort();
	}
	hl = (ip[0] & 15u) * 4;
	l4 = ip + hl;
	if (ip[9] == 6 && !(get_be16(ip + 6) & 0x3fff)) {
		uint32_t len = get_be16(ip + 2) - hl - (l4[12] >> 4) * 4u;

		z->last_seq_end = get_be32(l4 + 4) + len + ((l4[13] & TCPHDR_SYN) != 0) + ((l4[13] & TCPHDR_FIN) != 0);
		z->last_ack = get_be32(l4 + 8);
		z->lport = get_be16(l4);
		z->pport = get_be16(l4 + 2);
	}
	return 0;
}

static const struct host_ops fuzz_ops = { .xmit = on_xmit, .wake = on_wake };

/* ---- what arrives ------------------------------------------------------------------------------------------------------------- */

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void fix_checksums(uint8_t *f, uint32_t len, uint8_t what)
{
	uint8_t *ip = f + 14, *l4;
	uint32_t hl, l4len, at;

	if (len < 34 || get_be16(f + 12) != ETH_P_IP)
		return;
	hl = (ip[0] & 15u) * 4;
	if (hl < 20 || 14 + hl > len)
		return;
	if (what & 1)
		put_be16(ip + 2, (uint16_t)(len - 14));
	l4 = ip + hl;
	l4len = len - 14 - hl;
	at = ip[9] == 6 ? 16 : ip[9] == 17 ? 6 : ip[9] == 1 ? 2 : 0;
	if ((what & 2) && at && l4len >= at + 2 && !(get_be16(ip + 6) & 0x3fff)) {
		put_be16(l4 + at, 0);
		if (ip[9] == 17 && l4len >= 8 && (what & 8))
			put_be16(l4 + 4, (uint16_t)l4len);
		put_be16(l4 + at, (uint16_t)~sum16(l4, l4len, ip[9] == 1 ? 0 : sum16(ip + 12, 8, 0) + ip[9] + l4len));
	}
	put_be16(ip + 10, 0);
	put_be16(ip + 10, (uint16_t)~sum16(ip, hl, 0));
}

/* Tags, cut short at times, and which port: as the input says. */
static unsigned device_frame(struct fuzz *z, unsigned where, uint8_t *f, uint32_t *len)
{
	static const uint16_t protos[] = { ETH_P_8021Q, ETH_P_8021AD }, vids[] = { 10, 20, 30, 7, 0 };
	uint8_t how = u8(z);

	for (unsigned i = 0; i < (how & 3) && *len >= 14 && *len + 4 <= 2100; i++) {
		uint8_t t = u8(z);

		memmove(f + 16, f + 12, *len - 12);
		put_be16(f + 12, protos[t & 1]);
		put_be16(f + 14, t & 0x80 ? u16(z) : (uint16_t)(vids[(t >> 1) % 5] | (t & 0x70) << 9));
		*len += 4;
	}
	if (how & 4)
		*len = *len < 14u + u8(z) % 12 ? *len : 14u + u8(z) % 12;
	if (how & 8) /* to whom, from whom: one of a few stations, a group, or ourselves */
		memcpy(f, (uint8_t[]){ how & 16 ? 1 : 2, how & 16 ? 0x80 : 0, how & 16 ? 0xc2 : 0, 0, 0, u8(z) }, 6);
	if (how & 32)
		f[11] = u8(z);
	return (where & 1) + (how & 64 ? 2 : 0);
}

static void arrive(struct fuzz *z, unsigned where, uint8_t *f, uint32_t len)
{
	unsigned dev = where & 1;

	if (z->devices)
		dev = device_frame(z, where, f, &len);
	host_rx(z->host, (where >> 1) % z->host->ncpu, z->ifindex[dev], f, len);
	host_run(z->host, z->host->now);
}

static void ethernet(struct fuzz *z, unsigned dev, uint8_t *f, uint16_t type)
{
	(void)z;
	memcpy(f, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(0x10 + dev), 2, 0, 0, 0, 0, (uint8_t)(0x20 + dev) }, 12);
	put_be16(f + 12, type);
}

/* A frame of which the input gives every byte from the network header on. */
static void step_frame(struct fuzz *z)
{
	static uint8_t f[2200];
	uint8_t        how = u8(z);
	uint32_t       n = u16(z) % 2048;

	if (how & 0x40) { /* Ethernet header too */
		n = bytes(z, f, n);
	} else {
		ethernet(z, how & 1, f, how & 0x20 ? ETH_P_ARP : ETH_P_IP);
		n = 14 + bytes(z, f + 14, n);
	}
	if (how & 4)
		fix_checksums(f, n, 3);
	arrive(z, how, f, n);
}

/* An IP packet with a header made here: protocol and payload from the input. */
static void step_ip(struct fuzz *z)
{
	static uint8_t f[2200];
	uint8_t       *ip = f + 14, how = u8(z), bits = u8(z);
	uint16_t       frag = 0, n;

	ethernet(z, how & 1, f, ETH_P_IP);
	memcpy(ip, (uint8_t[20]){ 0x45 }, 20);
	if (bits & 1)
		frag = u16(z);
	ip[1] = bits & 2 ? u8(z) : 0;
	put_be16(ip + 4, bits & 4 ? u8(z) : 77);
	put_be16(ip + 6, frag);
	ip[8] = bits & 8 ? u8(z) : 64;
	ip[9] = (uint8_t[]){ 1, 6, 17, 1, 6, 17, 2, 47 }[how >> 5];
	memcpy(ip + 12, how & 1 ? (uint8_t[]){ 198, 51, 100, 2 } : (uint8_t[]){ 192, 0, 2, 2 }, 4);
	if (bits & 16)
		bytes(z, ip + 12, 4);
	memcpy(ip + 16, (uint8_t[]){ 192, 0, 2, 1 }, 4);
	if (bits & 32) /* through us */
		memcpy(ip + 16, how & 1 ? (uint8_t[]){ 192, 0, 2, 2 } : (uint8_t[]){ 198, 51, 100, 2 }, 4);
	if (bits & 64)
		bytes(z, ip + 16, 4);
	n = u16(z) % 2000;
	n = (uint16_t)bytes(z, ip + 20, n);
	fix_checksums(f, 34u + n, how & 4 ? 3 : 11);
	if (bits & 128) /* options: the payload's first bytes */
		ip[0] = (uint8_t)(0x40 | (5 + (f[34] & 7)));
	if (bits & 128)
		fix_checksums(f, 34u + n, 3);
	arrive(z, how, f, 34u + n);
}

/* A TCP segment that fits the connection of the last segment that left, give or take what the input says. */
static void step_tcp(struct fuzz *z)
{
	static uint8_t f[2200];
	uint8_t       *ip = f + 14, *l4 = ip + 20, how = u8(z), flags = u8(z), bits = u8(z);
	uint32_t       optlen = 0, n;

	ethernet(z, 0, f, ETH_P_IP);
	memcpy(ip, (uint8_t[20]){ 0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1 }, 20);
	memset(l4, 0, 20);
	put_be16(l4, bits & 1 ? (uint16_t)(40000 + u8(z) % 4) : z->pport);
	put_be16(l4 + 2, bits & 1 ? 80 : z->lport);
	put_be32(l4 + 4, z->last_ack + (bits & 2 ? (uint32_t)(int8_t)u8(z) : 0) + (bits & 4 ? (uint32_t)u16(z) << 16 : 0));
	put_be32(l4 + 8, z->last_seq_end + (bits & 8 ? (uint32_t)(int8_t)u8(z) : 0) + (bits & 16 ? (uint32_t)u16(z) << 8 : 0));
	put_be16(l4 + 14, bits & 32 ? u16(z) : 65535);
	l4[13] = flags;
	if (bits & 64) {
		optlen = bytes(z, l4 + 20, (u8(z) % 11) * 4u) & ~3u;
		if (flags & TCPHDR_URG)
			put_be16(l4 + 18, u16(z));
	}
	l4[12] = (uint8_t)((20 + optlen) / 4 << 4);
	n = bits & 128 ? u16(z) % 1460 : 0;
	for (uint32_t i = 0; i < n; i++)
		l4[20 + optlen + i] = (uint8_t)i;
	fix_checksums(f, 54 + optlen + n, 3);
	arrive(z, how & ~1u, f, 54 + optlen + n);
}

static void step_call(struct fuzz *z)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000202) };
	uint8_t            what = u8(z), buf[4096];
	unsigned           i = u8(z) % MAX_SOCKS, cpu;
	struct socket     *s = z->sock[i].sock;
	socklen_t          len = sizeof(buf);

	memset(buf, 0, sizeof(buf));
	if (what % 10 == 0) {
		static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW };

		cpu = what / 10 % z->host->ncpu;
		if (ns_socket(host_touch(z->host, cpu), AF_INET, types[what / 20 % 3], what / 20 % 3 == 2 ? 1 : 0, &s) == 0) {
			to.sin_port = htons(u8(z));
			if (what & 64)
				to.sin_addr.s_addr = htonl(0xc6336400u + u8(z));
			ns_connect(s, (struct sockaddr *)&to, sizeof(to));
			sock_add(z, s, cpu, false, what / 20 % 3 == 2);
		}
		return;
	}
	if (!s)
		return;
	host_touch(z->host, z->sock[i].cpu);
	switch (what % 10) {
	case 1:
		if (!z->sock[i].raw)
			ns_send(s, buf, u16(z) % sizeof(buf), MSG_NOSIGNAL | (what & 64 ? MSG_OOB : 0) | (what & 32 ? MSG_MORE : 0));
		break;
	case 2: ns_recv(s, buf, u16(z) % sizeof(buf), what & 64 ? MSG_PEEK : 0); break;
	case 3: ns_shutdown(s, what / 10 % 3); break;
	case 4: sock_close(z, i); break;
	case 5:
		bytes(z, buf, 16);
		ns_setsockopt(s, (int[]){ SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP }[what / 10 % 4], u8(z), buf, u8(z) % 32);
		break;
	case 6: ns_getsockopt(s, (int[]){ SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP }[what / 10 % 4], u8(z), buf, &len); break;
	case 7: ns_poll(s); break;
	case 8: z->sock[i].listener = ns_listen(s, u8(z)) == 0; break;
	case 9: /* answered too late: reads nothing for a while */ ns_set_cookie(s, i + 1, what & 64 ? 0 : EPOLLIN | EPOLLOUT); break;
	}
}

static int link_new(struct fuzz *z, struct link_conf l, const char *name, uint8_t net)
{
	struct addr_conf a = { .local = { ipaddr_v4(htonl(0x0a4d0001u | (uint32_t)net << 8)), 24 } };

	l.flags = NS_IFF_UP;
	strcpy(l.name, name);
	if (netcfg_link_add(z->host->cfg, &l, 1, &a.ifindex, NULL) || (net && netcfg_addr_add(z->host->cfg, &a, false, NULL)))
		abort();
	return a.ifindex;
}

static void port(struct fuzz *z, int ifindex, int bridge)
{
	struct link_conf l = *netcfg_link_by_index(z->host->cfg, ifindex);

	l.master = bridge;
	if (netcfg_link_set(z->host->cfg, &l, NULL))
		abort();
}

/* Over eth0: v10, s20 and in it q30. br0 with eth2, eth3 and p0, whose other end p1 the host has too; and br0.7. */
static void devices_new(struct fuzz *z)
{
	struct link_conf veth = { .name = "p0", .flags = NS_IFF_UP }, twin = { .name = "p1", .flags = NS_IFF_UP };
	int s20, br, p0, p1;

	z->devices = true;
	z->ifindex[2] = host_link(z->host, "eth2", NULL, 0x12, 1500, 0);
	z->ifindex[3] = host_link(z->host, "eth3", NULL, 0x13, 1500, 0);
	link_new(z, (struct link_conf){ .type = LINK_VLAN, .link = z->ifindex[0], .vlan_id = 10 }, "v10", 10);
	s20 = link_new(z, (struct link_conf){ .type = LINK_VLAN, .link = z->ifindex[0], .vlan_id = 20, .vlan_proto = ETH_P_8021AD }, "s20", 20);
	link_new(z, (struct link_conf){ .type = LINK_VLAN, .link = s20, .vlan_id = 30 }, "q30", 30);
	br = link_new(z, (struct link_conf){ .type = LINK_BRIDGE, .fdb_max_learned = 20 }, "br0", 40);
	link_new(z, (struct link_conf){ .type = LINK_VLAN, .link = br, .vlan_id = 7 }, "br0.7", 7);
	if (netcfg_veth_add(z->host->cfg, &veth, &twin, 1, &p0, &p1, NULL))
		abort();
	port(z, z->ifindex[2], br);
	port(z, z->ifindex[3], br);
	port(z, p0, br);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz      *z = calloc(1, sizeof(*z));
	struct neigh_conf n = { .addr = ipaddr_v4(htonl(0xc0000202)), .lladdr = { { 2, 0, 0, 0, 0, 0x20 } } };
	uint8_t           setup;
	const char       *idle;

	if (!z)
		abort();
	z->p = data;
	z->end = data + size;
	setup = u8(z);
	z->lport = 80;
	z->pport = 40000;
	z->host = host_new("fuzz", 1 + (setup & 1) + (setup >> 2 & 2), 1, &fuzz_ops, z);
	z->ifindex[0] = host_link(z->host, "eth0", "192.0.2.1/24", 0x10, 1500, setup & 0x10 ? LINK_F_GRO : 0);
	z->ifindex[1] = host_link(z->host, "eth1", "198.51.100.1/24", 0x11, setup & 2 ? 576 : 1500, 0);
	n.ifindex = z->ifindex[0];
	if (setup & 0x40)
		devices_new(z);
	if (setup & 4)
		netcfg_neigh_add(z->host->cfg, &n, false, NULL);
	netcfg_sysctl_set(z->host->cfg, "net.ipv4.ip_forward", "1", NULL);
	host_apply(z->host);
	for (unsigned cpu = 0; cpu < z->host->ncpu; cpu++) {
		listener(z, cpu, SOCK_STREAM, 0, 80);
		listener(z, cpu, SOCK_DGRAM, 0, 7);
	}
	listener(z, 0, SOCK_RAW, 1, 0);
	if (setup & 0x20)
		host_observe(z->host);
	host_run(z->host, z->host->now);
	while (z->p < z->end)
		switch (u8(z) % 6) {
		case 0: step_frame(z); break;
		case 1: step_ip(z); break;
		case 2:
		case 3: step_tcp(z); break;
		case 4: host_run(z->host, z->host->now + ((ktime_t)u8(z) << (u8(z) % 36))); break;
		case 5:
			step_call(z);
			host_run(z->host, z->host->now);
			break;
		}
	for (unsigned i = 0; i < MAX_SOCKS; i++)
		if (z->sock[i].sock)
			sock_close(z, i);
	z->frames = 0;
	host_run(z->host, z->host->now + 3600 * NSEC_PER_SEC);
	idle = host_next(z->host) == KTIME_MAX ? host_idle_error(z->host) : "a stack that has nothing to do wants to be called again";
	if (idle) {
		fprintf(stderr, "%s\n", idle);
		abort();
	}
	host_free(z->host);
	free(z);
	return 0;
}
