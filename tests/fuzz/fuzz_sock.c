/* SPDX-License-Identifier: MIT */
/*
 * fuzz_sock.c: random calls of socket.h with random arguments, on sockets of a host with a loopback device and a virtual link, one or two shards. Wake-up callbacks make calls,
 * too, and close what they like; the configuration changes under it.
 *
 * Oracles: nothing crashes; a call never reports success for what cannot be; what a datagram socket is charged for is what stands in its queues; an epoll set never reports what
 * ns_poll denies; when everything is closed and an hour has passed no buffer and no charged byte is left; skb_pool_free and the timer wheel assert the rest.
 */
#include "frame.h"
#include "host.h"
#include "sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define MAX_SOCKS 24
#define MAX_EPS   3
#define MAX_OPS   600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	const uint8_t   *p, *end;
	struct host     *host;
	struct socket   *sock[MAX_SOCKS];
	unsigned         cpu[MAX_SOCKS];
	struct ns_epoll *ep[MAX_EPS];
	unsigned         ep_cpu[MAX_EPS];
	int              eth;
	unsigned         ops, depth, frames;
	bool             txfull, raw; /* raw: somebody may have sent what he liked */
};

static uint8_t u8(struct fuzz *z) { return z->p < z->end ? *z->p++ : 0; }
static uint16_t u16(struct fuzz *z)
{
	unsigned hi = u8(z);

	return (uint16_t)(hi << 8 | u8(z));
}

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

static struct sockaddr_in address(struct fuzz *z)
{
	static const uint32_t addrs[] = { 0x7f000001, 0xc0000201, 0, 0x7f000001, 0xc0000202, 0xc00002ff, 0xffffffff, 0xe0000001, 0x08080808, 0x7f010203, 0xe0000105, 0xc6336401 };
	uint8_t               a = u8(z), p = u8(z);

	return (struct sockaddr_in){
		.sin_family = a & 0x80 && a & 0x40 ? u8(z) : AF_INET, .sin_addr.s_addr = htonl(addrs[a % 12]), .sin_port = htons(p & 0x80 ? u16(z) : p & 7),
	};
}

static unsigned pick(struct fuzz *z) { return u8(z) % MAX_SOCKS; }

static struct socket *sock_at(struct fuzz *z, unsigned i)
{
	if (z->sock[i])
		host_touch(z->host, z->cpu[i]);
	return z->sock[i];
}

static void add(struct fuzz *z, struct socket *s, unsigned cpu)
{
	for (unsigned i = 0; i < MAX_SOCKS; i++)
		if (!z->sock[i]) {
			z->sock[i] = s;
			z->cpu[i] = cpu;
			ns_set_cookie(s, i, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
			return;
		}
	ns_close(s);
}

/* ---- the calls ---------------------------------------------------------------------------------------------------------------------------------------- */

/* In place of a type that does not exist: a packet socket, mostly bound, with a filter now and then. */
static void op_packet_socket(struct fuzz *z, uint8_t how, unsigned cpu)
{
	static const uint16_t protos[] = { ETH_P_ALL, ETH_P_IP, ETH_P_ARP, 0 };
	struct sock_filter    code[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, how & 15), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0x800, 0, 1), BPF_STMT(BPF_RET | BPF_K, 40), BPF_STMT(BPF_RET | BPF_A, 0) };
	struct sock_fprog     prog = { 4, code };
	struct sockaddr_ll    ll = { .sll_family = AF_PACKET, .sll_protocol = htons(protos[u8(z) & 3]), .sll_ifindex = how & 0x80 ? z->eth : u8(z) & 3 };
	struct socket        *s = NULL;
	int                   err = ns_socket(host_touch(z->host, cpu), AF_PACKET, how & 8 ? SOCK_RAW : SOCK_DGRAM, htons(protos[how >> 5 & 3]), &s);

	MUST((err == 0) == (s != NULL));
	if (!s)
		return;
	z->raw = true;
	ns_bind(s, (struct sockaddr *)&ll, how & 0x40 ? sizeof(ll) : u8(z) % 40);
	if (how & 0x10)
		MUST(ns_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
	add(z, s, cpu);
}

static void op_socket(struct fuzz *z)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_DGRAM | SOCK_NONBLOCK, SOCK_STREAM };
	uint8_t          how = u8(z), proto = how & 0x80 ? u8(z) : 0;
	unsigned         cpu = (how >> 4) % z->host->ncpu;
	struct socket   *s = NULL;
	int              err;

	if (types[how & 7] == SOCK_SEQPACKET) {
		op_packet_socket(z, how, cpu);
		return;
	}
	if (types[how & 7] == SOCK_RAW && !proto)
		proto = IPPROTO_ICMP;
	err = ns_socket(host_touch(z->host, cpu), how & 0x40 ? AF_INET + (proto & 3) : AF_INET, types[how & 7], proto, &s);
	MUST((err == 0) == (s != NULL));
	if (s)
		add(z, s, cpu);
	z->raw |= types[how & 7] == SOCK_RAW;
}

static void op_names(struct fuzz *z, struct socket *s)
{
	struct sockaddr_in sin[2];
	socklen_t          len = u8(z) % 32, had = len;

	MUST(ns_getsockname(s, (struct sockaddr *)sin, &len) == 0 && (sk_of(s)->family == AF_PACKET ? len == 12 || len == 18 : len == sizeof(sin[0])));
	len = had;
	ns_getpeername(s, (struct sockaddr *)sin, &len);
}

static size_t make_cmsgs(struct fuzz *z, uint8_t *buf, size_t size)
{
	static const struct { int level, type, len; } kinds[] = {
		{ IPPROTO_IP, IP_TTL, 4 }, { IPPROTO_IP, IP_TOS, 1 }, { IPPROTO_IP, IP_PKTINFO, 12 }, { SOL_SOCKET, SO_MARK, 4 }, { IPPROTO_UDP, 103, 2 }, { 77, 1, 4 },
	};
	size_t n = 0;

	memset(buf, 0, size);
	for (unsigned k = u8(z) % 4; k && n + 64 < size; k--) {
		uint8_t        what = u8(z), val = u8(z);
		unsigned       kind = what % 6;
		struct cmsghdr h = { .cmsg_len = CMSG_LEN((size_t)kinds[kind].len), .cmsg_level = kinds[kind].level, .cmsg_type = kinds[kind].type };

		if (what & 0x80)
			h.cmsg_len = u16(z);
		memcpy(buf + n, &h, sizeof(h));
		buf[n + sizeof(h)] = val;
		n += CMSG_SPACE((size_t)kinds[kind].len);
	}
	return n;
}

static int random_flags(struct fuzz *z)
{
	static const int flags[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL, MSG_ERRQUEUE, MSG_MORE, MSG_OOB, MSG_NOSIGNAL, MSG_PEEK | MSG_TRUNC, MSG_DONTROUTE };
	uint8_t          f = u8(z);

	return f & 0x80 ? flags[f % 11] | flags[(f >> 3) % 11] : flags[f % 11] & ~MSG_OOB;
}

static void op_sendmsg(struct fuzz *z, struct socket *s)
{
	static uint8_t     data[70000];
	uint8_t            how = u8(z);
	_Alignas(8) uint8_t control[256];
	struct sockaddr_in to = address(z);
	struct iovec       iov[3];
	struct msghdr      msg = { .msg_iov = iov, .msg_iovlen = how & 3 };
	size_t             sum = 0;
	ssize_t            r;

	for (unsigned i = 0; i < 3; i++)
		iov[i] = (struct iovec){ data, how & 4 ? u16(z) : u8(z) };
	for (unsigned i = 0; i < msg.msg_iovlen; i++)
		sum += iov[i].iov_len;
	if (how & 8) {
		msg.msg_name = &to;
		msg.msg_namelen = how & 0x80 ? u8(z) % 32 : sizeof(to);
		if (msg.msg_namelen > sizeof(to))
			msg.msg_namelen = sizeof(to);
	}
	if (how & 16) {
		msg.msg_control = control;
		msg.msg_controllen = make_cmsgs(z, control, sizeof(control));
	}
	r = ns_sendmsg(s, &msg, random_flags(z));
	MUST(r <= (ssize_t)sum);
}

static void op_recvmsg(struct fuzz *z, struct socket *s)
{
	static uint8_t      data[70000];
	uint8_t             how = u8(z);
	_Alignas(8) uint8_t control[256];
	struct sockaddr_in  from;
	size_t              n = how & 4 ? u16(z) : u8(z), controllen = how & 16 ? u8(z) : 0;
	struct iovec        iov[2] = { { data, n }, { data + 40000, n / 3 } };
	struct msghdr       msg = { .msg_iov = iov, .msg_iovlen = how & 1 ? 2 : 1, .msg_name = how & 8 ? &from : NULL, .msg_namelen = how & 8 ? sizeof(from) : 0 };
	int                 flags = random_flags(z);
	ssize_t             r;

	msg.msg_control = controllen ? control : NULL;
	msg.msg_controllen = controllen;
	r = ns_recvmsg(s, &msg, flags);
	MUST(msg.msg_controllen <= controllen);
	MUST(((flags & MSG_TRUNC) && sk_of(s)->type != SOCK_STREAM) || r <= (ssize_t)(n + n / 3));
	MUST(sk_of(s)->type == SOCK_STREAM || r <= 65536 + 34); /* one datagram or frame; a stream gives what there is room for */
}

static const struct { int level, name; } options[] = {
	{ SOL_SOCKET, SO_REUSEADDR }, { SOL_SOCKET, SO_REUSEPORT }, { SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_LINGER }, { SOL_SOCKET, SO_SNDBUF },
	{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_BINDTODEVICE }, { SOL_SOCKET, SO_TIMESTAMP }, { SOL_SOCKET, SO_ERROR }, { SOL_SOCKET, SO_BINDTOIFINDEX },
	{ SOL_SOCKET, SO_RCVTIMEO }, { SOL_SOCKET, SO_OOBINLINE }, { SOL_SOCKET, SO_MEMINFO }, { IPPROTO_IP, IP_TTL }, { IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IP, IP_OPTIONS }, { IPPROTO_IP, IP_MTU_DISCOVER }, { IPPROTO_IP, IP_MTU }, { IPPROTO_IP, IP_MULTICAST_IF }, { IPPROTO_IP, IP_HDRINCL },
	{ IPPROTO_IP, IP_RECVTTL }, { IPPROTO_IP, IP_MINTTL }, { IPPROTO_IP, IP_FREEBIND }, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT }, { IPPROTO_IP, IP_ADD_MEMBERSHIP },
	{ IPPROTO_UDP, 1 }, { IPPROTO_UDP, 103 }, { IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_CORK }, { IPPROTO_TCP, TCP_MAXSEG }, { IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT }, { IPPROTO_TCP, TCP_INFO }, { IPPROTO_TCP, TCP_LINGER2 }, { IPPROTO_TCP, TCP_USER_TIMEOUT }, { IPPROTO_TCP, TCP_CONGESTION },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP }, { IPPROTO_RAW, 1 }, { SOL_NETSTACK, NS_SO_SHARD_REPLICA }, { SOL_PACKET, PACKET_ADD_MEMBERSHIP }, { SOL_PACKET, PACKET_DROP_MEMBERSHIP },
	{ SOL_PACKET, PACKET_STATISTICS }, { SOL_PACKET, PACKET_AUXDATA }, { SOL_SOCKET, SO_DETACH_FILTER },
};

static void op_sockopt(struct fuzz *z, struct socket *s, bool set)
{
	uint8_t   which = u8(z), val[64] = { 0 };
	unsigned  n = sizeof(options) / sizeof(options[0]);
	int       level = options[which % n].level, name = which >= 0xf0 ? u8(z) : options[which % n].name;
	socklen_t len = 4;

	val[0] = u8(z);
	if (val[0] & 1) {
		val[1] = u8(z);
		val[2] = u8(z);
		val[3] = u8(z) & 0x7f;
	}
	if (val[0] & 2)
		len = u8(z) % sizeof(val);
	if (val[0] & 4)
		memcpy(val, "eth0", 5);
	if (set) {
		ns_setsockopt(s, level, name, val, len);
	} else {
		ns_getsockopt(s, level, name, val, &len);
		MUST(len <= sizeof(val) || level == IPPROTO_TCP);
	}
}

static size_t take_some(void *arg, const void *data, size_t len)
{
	const uint8_t *p = data;
	unsigned       sum = 0;

	for (size_t i = 0; i < len; i += 64)
		sum += p[i];
	*(unsigned *)arg += sum;
	return len > 100 ? len / 2 : len;
}

static void constant_freed(struct skb_area *area, void *priv)
{
	(void)area;
	(void)priv;
	MUST(!"a reference too many was given back");
}

/* For ns_send_area. Nobody writes into it; the reference of our own is never given back. */
static unsigned char constant_bytes[5000];
static struct skb_area constant = { .refcnt = 1, .size = sizeof(constant_bytes), .base = constant_bytes, .free = constant_freed };

static void fill(void *arg, void *data, size_t len)
{
	(void)arg;
	memset(data, 'f', len);
}

static void op_epoll(struct fuzz *z)
{
	uint8_t               how = u8(z);
	unsigned              e = how % MAX_EPS, i = pick(z);
	struct ns_epoll_event ev[5] = { { .events = u8(z) | (uint32_t)(how & 0x20 ? EPOLLET : 0) | (uint32_t)(how & 0x40 ? EPOLLONESHOT : 0), .data = i } };
	int                   n;

	if (!z->ep[e]) {
		z->ep_cpu[e] = (how >> 2) % z->host->ncpu;
		MUST(ns_epoll_create(host_touch(z->host, z->ep_cpu[e]), &z->ep[e]) == 0);
		ns_epoll_set_cookie(z->ep[e], 1000 + e);
		return;
	}
	host_touch(z->host, z->ep_cpu[e]);
	switch (how >> 2 & 7) {
	case 0:
		ns_epoll_close(z->ep[e]);
		z->ep[e] = NULL;
		break;
	case 1:
	case 2:
	case 3:
		if (sock_at(z, i))
			ns_epoll_ctl(z->ep[e], how >> 2 & 3, z->sock[i], ev);
		break;
	default:
		n = ns_epoll_wait(z->ep[e], ev, 1 + how % 5);
		MUST(n >= 0 && n <= 1 + how % 5);
		for (int k = 0; k < n; k++) /* a closed socket is in no set */
			MUST(ev[k].data < MAX_SOCKS && z->sock[ev[k].data] && (ns_poll(z->sock[ev[k].data]) & ev[k].events) == ev[k].events);
	}
}

static int dump_one(void *arg, const struct sock_info *info)
{
	struct fuzz *z = arg;

	MUST(info->owner[31] == 0 && info->local.family == (info->family == AF_PACKET ? 0 : AF_INET));
	if (z->depth < 3 && z->sock[0] && (info->lport & 1)) {
		z->depth++;
		sock_at(z, 0);
		ns_close(z->sock[0]);
		z->sock[0] = NULL;
		z->depth--;
	}
	return 0;
}

static void op_config(struct fuzz *z)
{
	uint8_t          how = u8(z);
	struct addr_conf a = { .ifindex = z->eth, .local = { ipaddr_v4(htonl(0xc0000203)), 24 } };
	struct link_conf l = *netcfg_link_by_index(z->host->cfg, z->eth);

	switch (how & 7) {
	case 0: netcfg_addr_add(z->host->cfg, &a, true, NULL); break;
	case 1: netcfg_addr_del(z->host->cfg, &a, NULL); break;
	case 2:
		l.flags ^= NS_IFF_UP;
		netcfg_link_set(z->host->cfg, &l, NULL);
		break;
	case 3:
		l.mtu = 68 + u16(z) % 9000;
		netcfg_link_set(z->host->cfg, &l, NULL);
		break;
	case 4: netcfg_sysctl_set(z->host->cfg, "net.ipv4.udp_mem_limit", how & 8 ? "65536" : "134217728", NULL); break;
	case 5: netcfg_sysctl_set(z->host->cfg, "net.ipv4.ip_local_port_max", how & 8 ? "32770" : "60999", NULL); break;
	case 6: netcfg_link_set_carrier(z->host->cfg, z->eth, how & 8); break;
	default: netcfg_sysctl_set(z->host->cfg, "net.core.max_sockets", how & 8 ? "5" : "1000", NULL); break;
	}
	host_apply(z->host);
}

/* What a datagram socket is charged for is what stands in its queues. */
static void check_sock(struct socket *s)
{
	const struct sock    *sk = sk_of(s);
	const struct sk_buff *skb;
	size_t                sum = 0;

	if (sk->type == SOCK_STREAM)
		return;
	skb_queue_walk(&sk->rcvq, skb)
		sum += skb->truesize;
	skb_queue_walk(&sk->errq, skb)
		sum += skb->truesize;
	MUST(sum == sk->rmem);
}

static void step(struct fuzz *z)
{
	uint8_t            op = u8(z), v;
	unsigned           i = pick(z), sum = 0;
	struct socket     *s = sock_at(z, i), *n = NULL;
	struct sockaddr_in sin;
	int                val;

	z->ops++;
	switch (op % 26) { /* those that need no socket */
	case 0:
	case 1: op_socket(z); return;
	case 2: op_epoll(z); return;
	case 3: op_epoll(z); return;
	case 4:
		if (!z->depth)
			host_run(z->host, z->host->now + (op & 0x80 ? NSEC_PER_SEC * u8(z) : NSEC_PER_MSEC));
		return;
	case 5:
		if (op & 0x40)
			op_config(z);
		return;
	case 6: stack_sock_foreach(z->host->shard[op % z->host->ncpu].stack, dump_one, z); return;
	case 7:
		z->txfull = op & 0x80;
		if (!z->txfull)
			host_tx_ready(z->host, z->eth);
		return;
	}
	if (!s)
		return;
	check_sock(s);
	switch (op % 26) {
	case 8:
	case 9:
		sin = address(z);
		ns_bind(s, (struct sockaddr *)&sin, op & 0x80 ? u8(z) % 17 : sizeof(sin));
		break;
	case 10:
	case 11:
		sin = address(z);
		ns_connect(s, (struct sockaddr *)&sin, op & 0x80 ? u8(z) % 17 : sizeof(sin));
		break;
	case 12: ns_listen(s, (int8_t)u8(z)); break;
	case 13:
		if (ns_accept(s, &n, NULL, NULL) == 0)
			add(z, n, z->cpu[i]);
		break;
	case 14:
	case 15:
	case 16: op_sendmsg(z, s); break;
	case 17:
	case 18: op_recvmsg(z, s); break;
	case 19:
		ns_close(s);
		z->sock[i] = NULL;
		break;
	case 20: ns_shutdown(s, (int)(op / 26) - 1); break;
	case 21: op_sockopt(z, s, true); break;
	case 22: op_sockopt(z, s, op & 1); break;
	case 23:
		if (op & 0x80) {
			ns_recv_inplace(s, u16(z), take_some, &sum);
		} else {
			v = u8(z);
			MUST(ns_send_fill(s, v, fill, NULL) <= v);
			MUST(ns_send_area(s, &constant, v, u16(z), v & 1 ? MSG_MORE : 0) <= (ssize_t)constant.size);
		}
		break;
	case 24:
		ns_ioctl(s, (unsigned long[]){ FIONREAD, SIOCOUTQ, SIOCATMARK, 12345 }[op >> 6], &val);
		op_names(z, s);
		break;
	default:
		ns_set_cookie(s, i, u8(z) | (uint32_t)(op & 0x80 ? EPOLLONESHOT : 0));
	}
}

static void on_wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct fuzz *z = arg;

	(void)h;
	(void)cpu;
	MUST(events);
	MUST(cookie >= 1000 || (cookie < MAX_SOCKS && z->sock[cookie])); /* never for a closed one */
	if (z->depth || z->ops >= MAX_OPS || z->p >= z->end)
		return;
	z->depth++;
	step(z);
	z->depth--;
}

static int on_xmit(void *arg, struct host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	static uint8_t buf[FRAME_MAX];
	struct fuzz   *z = arg;
	char           why[128];

	(void)h;
	(void)cpu;
	(void)ifindex;
	if (z->txfull)
		return -EAGAIN;
	MUST(++z->frames < 200000);
	MUST(skb->len <= sizeof(buf) && skb_copy_bits(skb, 0, buf, skb->len) == 0);
	if (!z->raw && skb->ip_summed != CHECKSUM_PARTIAL && !frame_sound(buf, skb->len, why, sizeof(why))) {
		fprintf(stderr, "a malformed frame was sent: %s\n", why);
		abort();
	}
	return 0;
}

static const struct host_ops fuzz_ops = { .xmit = on_xmit, .wake = on_wake };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz      z = { .p = data, .end = data + size };
	struct neigh_conf peer = { .addr = ipaddr_v4(htonl(0xc0000202)), .lladdr = { { 2, 0, 0, 0, 0, 0x20 } } };
	uint8_t          how;

	if (size < 2)
		return 0;
	how = u8(&z);
	z.host = host_new("fuzz", 1 + (how & 1), how, &fuzz_ops, &z);
	MUST(z.host);
	z.eth = host_link(z.host, "eth0", "192.0.2.1/24", 0x10, 1500, how & 4 ? LINK_F_TX_CSUM : 0);
	peer.ifindex = z.eth;
	if (how & 2)
		netcfg_neigh_add(z.host->cfg, &peer, true, NULL);
	host_apply(z.host);
	while (z.p < z.end && z.ops < MAX_OPS) {
		step(&z);
		if (z.ops % 4 == 0)
			host_run(z.host, z.host->now);
	}
	z.p = z.end;
	z.txfull = false;
	host_tx_ready(z.host, z.eth);
	for (unsigned i = 0; i < MAX_SOCKS; i++)
		if (sock_at(&z, i)) {
			check_sock(z.sock[i]);
			ns_close(z.sock[i]);
			z.sock[i] = NULL;
		}
	for (unsigned e = 0; e < MAX_EPS; e++)
		if (z.ep[e])
			ns_epoll_close(z.ep[e]);
	host_run(z.host, z.host->now + 3600 * NSEC_PER_SEC);
	if (host_idle_error(z.host)) {
		fprintf(stderr, "%s\n", host_idle_error(z.host));
		abort();
	}
	for (unsigned i = 0; i < z.host->ncpu; i++) {
		MUST(sk_mem_used(z.host->shard[i].stack, IPPROTO_UDP) == 0 && sk_mem_used(z.host->shard[i].stack, IPPROTO_TCP) == 0);
		MUST(list_empty(sock_list(z.host->shard[i].stack)));
		MUST(inet_ehash_count(z.host->shard[i].stack) == 0);
	}
	host_free(z.host);
	return 0;
}
