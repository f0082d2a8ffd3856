/* SPDX-License-Identifier: MIT */
/*
 * ip_sockglue.c: what sockets of every protocol say to and hear from the IP layer: options of level IPPROTO_IP (ip(7)), ancillary data, the error queue, and the
 * parts that UDP and raw sockets have in common (route, connect, readiness). RFC 1122 4.1.3 (options, TOS, TTL, source address, errors to the application),
 * RFC 1191 (IP_MTU_DISCOVER, IP_MTU).
 *
 * Errors. With IP_RECVERR every ICMP error that quotes a packet of the socket, and every local one, is put on the error queue as the quoted data with a struct
 * sock_extended_err, and becomes the pending error as well. The queue is bounded by SO_RCVBUF.
 *
 * Not done: joining groups (there is no IGMP yet: only 224.0.0.1, which every host is in, is accepted), source routes in IP_OPTIONS, IP_TRANSPARENT, IP_RECVFRAGSIZE.
 */
#include "checksum.h"
#include "ip.h"
#include "sock_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>

#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52 /* newer than some libc's headers */
#endif

/* ---- options ------------------------------------------------------------------------------------------------------------------------------------------ */

static bool *ip_flag_of(struct sock *sk, int name)
{
	switch (name) {
	case IP_PKTINFO: return &sk->pktinfo;
	case IP_RECVTTL: return &sk->recvttl;
	case IP_RECVTOS: return &sk->recvtos;
	case IP_RECVOPTS: return &sk->recvopts;
	case IP_RECVERR: return &sk->recverr;
	case IP_RECVORIGDSTADDR: return &sk->recvorigdst;
	case IP_FREEBIND: return &sk->freebind;
	case IP_NODEFRAG: return &sk->nodefrag;
	case IP_BIND_ADDRESS_NO_PORT: return &sk->bind_no_port;
	case IP_MULTICAST_LOOP: return &sk->mcast_loop;
	case IP_MULTICAST_ALL: return &sk->mcast_all;
	default: return NULL;
	}
}

/* Options that we send must be well formed, and none may move the destination. */
static int set_options(struct sock *sk, const uint8_t *opt, socklen_t len)
{
	uint8_t buf[40] = { 0 };
	unsigned i = 0;

	if (len > sizeof(buf))
		return -EINVAL;
	while (i < len && opt[i] != 0 /* end of list */) {
		if (opt[i] == 1) { /* no operation */
			i++;
			continue;
		}
		if (i + 1 >= len || opt[i + 1] < 2 || opt[i + 1] > len - i)
			return -EINVAL;
		switch (opt[i]) {
		case 7: /* record route: type, length, pointer, whole addresses */
			if (opt[i + 1] < 7 || (opt[i + 1] - 3) % 4 || opt[i + 2] != 4)
				return -EINVAL;
			break;
		case 68: /* timestamp: type, length, pointer, flags */
			if (opt[i + 1] < 8 || opt[i + 1] % 4 || opt[i + 2] != 5)
				return -EINVAL;
			break;
		case 148: /* router alert */
			if (opt[i + 1] != 4)
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
		i += opt[i + 1];
	}
	if (len)
		memcpy(buf, opt, len);
	memcpy(sk->ipopt, buf, sizeof(sk->ipopt));
	sk->optlen = (uint8_t)((len + 3) & ~3u);
	return 0;
}

static int set_mcast_if(struct sock *sk, const void *val, socklen_t len)
{
	struct ip_mreqn m = { 0 };
	struct in_addr a;

	if (len >= sizeof(struct ip_mreqn)) {
		memcpy(&m, val, sizeof(m));
	} else if (len >= sizeof(a)) {
		memcpy(&a, len >= sizeof(struct ip_mreq) ? (const unsigned char *)val + sizeof(a) : val, sizeof(a));
		m.imr_address = a;
	} else {
		return -EINVAL;
	}
	if (!m.imr_ifindex && m.imr_address.s_addr) {
		const struct net_snapshot *snap = sk->stack->snap;

		for (unsigned i = 0; snap && i < snap->nlinks && !m.imr_ifindex; i++)
			for (unsigned j = 0; j < snap->links[i].naddrs; j++)
				if (snap->links[i].addrs[j].local.addr.v4 == m.imr_address.s_addr)
					m.imr_ifindex = snap->links[i].conf.ifindex;
		if (!m.imr_ifindex)
			return -EADDRNOTAVAIL;
	} else if (m.imr_ifindex && (!sk->stack->snap || !snapshot_link(sk->stack->snap, m.imr_ifindex))) {
		return -EADDRNOTAVAIL;
	}
	sk->mcast_if = m.imr_ifindex;
	sk->rt_genid = 0;
	sk->mcast_addr = m.imr_address.s_addr ? ipaddr_v4(m.imr_address.s_addr) : IPADDR_NONE;
	return 0;
}

/* Every host is in 224.0.0.1 (RFC 1112 section 4); any other group needs IGMP to be heard of. */
static int set_membership(const struct sock *sk, const void *val, socklen_t len)
{
	struct ip_mreq m;

	(void)sk;
	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	if (!ipv4_is_multicast(m.imr_multiaddr.s_addr))
		return -EINVAL;
	return m.imr_multiaddr.s_addr == cpu_to_be32(0xe0000001u) ? 0 : -EOPNOTSUPP;
}

static int set_ranged(uint8_t *field, int v, int min, int max)
{
	if (v < min || v > max)
		return -EINVAL;
	*field = (uint8_t)v;
	return 0;
}

int ip_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	bool *flag = ip_flag_of(sk, name);
	int v, err;

	switch (name) {
	case IP_OPTIONS:
		return set_options(sk, val, len);
	case IP_MULTICAST_IF:
		return set_mcast_if(sk, val, len);
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		return set_membership(sk, val, len);
	case IP_TOS:
	case IP_TTL:
	case IP_MINTTL:
	case IP_MTU_DISCOVER:
	case IP_MULTICAST_TTL:
	case IP_UNICAST_IF:
		break;
	default:
		if (!flag)
			return -ENOPROTOOPT;
	}
	err = opt_get_int(val, len, &v);
	if (err)
		return err;
	if (flag) {
		if ((name == IP_MULTICAST_LOOP || name == IP_MULTICAST_ALL || name == IP_FREEBIND) && (v < 0 || v > 1) && name != IP_MULTICAST_LOOP)
			return -EINVAL;
		if (name == IP_NODEFRAG && sk->type != SOCK_RAW)
			return -ENOPROTOOPT;
		*flag = v != 0;
		if (name == IP_RECVERR && !v)
			skb_queue_purge(&sk->errq, SKB_CONSUMED);
		return 0;
	}
	switch (name) {
	case IP_TOS:
		sk->tos = (uint8_t)(sk->type == SOCK_STREAM ? (v & ~3) | (sk->tos & 3) : v); /* TCP's ECN bits are its own */
		sk->rt_genid = 0;
		return 0;
	case IP_TTL:
		if (v == -1)
			v = 0;
		else if (v == 0)
			return -EINVAL;
		return set_ranged(&sk->ttl, v, 0, 255);
	case IP_MINTTL:
		return set_ranged(&sk->min_ttl, v, 0, 255);
	case IP_MTU_DISCOVER:
		return set_ranged(&sk->pmtudisc, v, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT);
	case IP_MULTICAST_TTL:
		if (sk->type == SOCK_STREAM)
			return -EINVAL;
		return set_ranged(&sk->mcast_ttl, v == -1 ? 1 : v, 0, 255);
	default: /* IP_UNICAST_IF: an ifindex in network byte order */
		v = (int)be32_to_cpu((be32)v);
		if (v && (!sk->stack->snap || !snapshot_link(sk->stack->snap, v)))
			return -EADDRNOTAVAIL;
		sk->ucast_if = v;
		sk->rt_genid = 0;
		return 0;
	}
}

/* Linux gives small values back as one byte when the buffer is shorter than an int. */
static int put_small(void *val, socklen_t *len, int v)
{
	uint8_t b = (uint8_t)v;

	if (*len < sizeof(int) && *len > 0 && v >= 0 && v <= 255)
		return opt_put(val, len, &b, 1);
	return opt_put_int(val, len, v);
}

static int get_mtu(struct sock *sk, void *val, socklen_t *len)
{
	if (ipaddr_is_any(&sk->daddr) || sk->state == SS_CLOSE || sk_route(sk))
		return -ENOTCONN;
	return opt_put_int(val, len, (int)ip_rt_pmtu(sk->stack, &sk->daddr, sk->rt.mtu));
}

int ip_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	const bool *flag = ip_flag_of(sk, name);
	struct in_addr a = { .s_addr = sk->mcast_addr.v4 };

	if (flag)
		return put_small(val, len, *flag);
	switch (name) {
	case IP_OPTIONS:
		return opt_put(val, len, sk->ipopt, sk->optlen);
	case IP_TOS:
		return put_small(val, len, sk->tos);
	case IP_TTL:
		return put_small(val, len, sk->ttl ? sk->ttl : sk->stack->sysctl->ip_default_ttl);
	case IP_MINTTL:
		return put_small(val, len, sk->min_ttl);
	case IP_MTU_DISCOVER:
		return put_small(val, len, sk->pmtudisc);
	case IP_MTU:
		return get_mtu(sk, val, len);
	case IP_MULTICAST_TTL:
		return put_small(val, len, sk->mcast_ttl);
	case IP_MULTICAST_IF:
		return opt_put(val, len, &a, sizeof(a));
	case IP_UNICAST_IF:
		return opt_put_int(val, len, (int)cpu_to_be32((uint32_t)sk->ucast_if));
	case IP_PROTOCOL:
		return opt_put_int(val, len, sk->protocol);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- ancillary data ----------------------------------------------------------------------------------------------------------------------------------- */

void ipcm_init(struct ipcm *ipc, const struct sock *sk)
{
	*ipc = (struct ipcm){ .oif = sk->bound_dev_if, .tos = -1, .ttl = -1, .optlen = sk->optlen, .opt = sk->ipopt };
}

/* The next well-formed control message behind pos, or NULL; *bad when something is there that is not well formed. */
static const struct cmsghdr *cmsg_next(const struct msghdr *msg, size_t *pos, bool *bad)
{
	const unsigned char *base = msg->msg_control;
	const struct cmsghdr *h;
	size_t left;

	if (!base || *pos >= msg->msg_controllen || msg->msg_controllen - *pos < sizeof(*h))
		return NULL;
	h = (const struct cmsghdr *)(const void *)(base + *pos);
	left = msg->msg_controllen - *pos;
	if (h->cmsg_len < sizeof(*h) || h->cmsg_len > left) {
		*bad = true;
		return NULL;
	}
	*pos += CMSG_ALIGN(h->cmsg_len);
	return h;
}

static int cmsg_ip(struct sock *sk, const struct cmsghdr *h, struct ipcm *ipc)
{
	const unsigned char *data = CMSG_DATA(h);
	size_t len = h->cmsg_len - CMSG_LEN(0);
	struct in_pktinfo pi;
	int v = 0;

	switch (h->cmsg_type) {
	case IP_PKTINFO:
		if (len != sizeof(pi))
			return -EINVAL;
		memcpy(&pi, data, sizeof(pi));
		if (pi.ipi_ifindex)
			ipc->oif = pi.ipi_ifindex;
		if (pi.ipi_spec_dst.s_addr) {
			struct ipaddr a = ipaddr_v4(pi.ipi_spec_dst.s_addr);

			if (!sk->freebind && (!sk->stack->snap || inet_addr_type(sk->stack->snap, &a) != RTN_LOCAL))
				return -EINVAL;
			ipc->saddr = a;
		}
		return 0;
	case IP_TTL:
		if (len != sizeof(int))
			return -EINVAL;
		memcpy(&v, data, sizeof(v));
		if (v < 1 || v > 255)
			return -EINVAL;
		ipc->ttl = v;
		return 0;
	case IP_TOS:
		if (len == sizeof(int))
			memcpy(&v, data, sizeof(v));
		else if (len == 1)
			v = *data;
		else
			return -EINVAL;
		if (v < 0 || v > 255)
			return -EINVAL;
		ipc->tos = v;
		return 0;
	default:
		return -EINVAL;
	}
}

/* 0 or -EINVAL. */
static int ip_cmsg_send(struct sock *sk, const struct msghdr *msg, struct ipcm *ipc)
{
	const struct cmsghdr *h;
	bool bad = false;
	size_t pos = 0;

	while ((h = cmsg_next(msg, &pos, &bad))) {
		uint16_t v16;
		int err;

		if (h->cmsg_level == IPPROTO_IP) {
			err = cmsg_ip(sk, h, ipc);
			if (err)
				return err;
		} else if (h->cmsg_level == SOL_SOCKET) {
			uint32_t mark;

			if (h->cmsg_type != SO_MARK || h->cmsg_len != CMSG_LEN(sizeof(mark)))
				return -EINVAL;
			memcpy(&mark, CMSG_DATA(h), sizeof(mark));
			ipc->mark = mark;
			ipc->mark_set = true;
		} else if (h->cmsg_level == IPPROTO_UDP && sk->type == SOCK_DGRAM) {
			if (h->cmsg_type != 103 /* UDP_SEGMENT */ || h->cmsg_len != CMSG_LEN(sizeof(v16)))
				return -EINVAL;
			memcpy(&v16, CMSG_DATA(h), sizeof(v16));
			ipc->gso_size = v16;
		}
	}
	return bad ? -EINVAL : 0;
}

void sk_cmsg_time(const struct sock *sk, const struct sk_buff *skb, struct msghdr *msg)
{
	uint64_t wall = (uint64_t)skb->tstamp + sk->stack->params.wall_offset_ns;

	if (sk->timestampns) {
		struct timespec ts = { .tv_sec = (time_t)(wall / NSEC_PER_SEC), .tv_nsec = (long)(wall % NSEC_PER_SEC) };

		put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMPNS_OLD, &ts, sizeof(ts));
	} else if (sk->timestamp) {
		struct timeval tv = { .tv_sec = (time_t)(wall / NSEC_PER_SEC), .tv_usec = (suseconds_t)(wall % NSEC_PER_SEC / NSEC_PER_USEC) };

		put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMP_OLD, &tv, sizeof(tv));
	}
}

/* skb's network_header is right. */
static void ip_cmsg_recv(struct sock *sk, const struct sk_buff *skb, struct msghdr *msg)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	const struct dgram_cb *cb = DGRAM_CB(skb);

	sk_cmsg_time(sk, skb, msg);
	if (sk->rxq_ovfl && cb->dropped)
		put_cmsg(msg, SOL_SOCKET, SO_RXQ_OVFL, &cb->dropped, sizeof(cb->dropped));
	if (sk->pktinfo) {
		struct in_pktinfo pi = { .ipi_ifindex = cb->iif, .ipi_spec_dst.s_addr = cb->spec_dst, .ipi_addr.s_addr = iph->daddr };

		put_cmsg(msg, IPPROTO_IP, IP_PKTINFO, &pi, sizeof(pi));
	}
	if (sk->recvttl) {
		int ttl = iph->ttl;

		put_cmsg(msg, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (sk->recvtos)
		put_cmsg(msg, IPPROTO_IP, IP_TOS, &iph->tos, 1);
	if (sk->recvopts && ip_hdrlen(iph) > IPV4_HLEN)
		put_cmsg(msg, IPPROTO_IP, IP_RECVOPTS, iph + 1, ip_hdrlen(iph) - IPV4_HLEN);
	if (sk->recvorigdst) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = iph->daddr, .sin_port = cpu_to_be16(cb->dport) };

		put_cmsg(msg, IPPROTO_IP, IP_RECVORIGDSTADDR, &in, sizeof(in));
	}
	if (cb->gro_size) {
		int size = cb->gro_size;

		put_cmsg(msg, IPPROTO_UDP, UDP_GRO, &size, sizeof(size));
	}
}

/* ---- the error queue ---------------------------------------------------------------------------------------------------------------------------------- */

struct err_cb { /* skb->cb in sock->errq */
	struct sock_extended_err ee;
	be32     offender; /* 0: none */
	be32     daddr; /* where the packet at fault was going */
	uint16_t dport;
};
#define ERR_CB(skb) ((struct err_cb *)(void *)(skb)->cb)
_Static_assert(sizeof(struct err_cb) <= 64, "skb->cb");

static void errq_add(struct sock *sk, struct sk_buff *skb)
{
	if (sk->rmem + skb->truesize > sk->rcvbuf || !sk_mem_fits(sk, skb->truesize)) {
		kfree_skb(skb, SKB_DROP_SOCKET_RCVBUFF);
		return;
	}
	skb->dev = NULL;
	skb->rt.dev = NULL;
	skb_set_owner_r(skb, sk);
	skb_queue_tail(&sk->errq, skb);
	sk_wake(sk, EPOLLERR);
}

void ip_icmp_error(struct sock *sk, const struct sk_buff *icmp, int err, uint8_t type, uint8_t code, uint16_t port, uint32_t info, uint32_t payload_off)
{
	const struct ip_hdr *inner = (const struct ip_hdr *)(const void *)icmp->data;
	const struct ip_hdr *outer = (const struct ip_hdr *)(const void *)skb_network_header(icmp);
	struct sk_buff *skb = skb_copy(icmp, SKB_HEADROOM);
	struct err_cb cb = {
		.ee = { .ee_errno = (uint32_t)err, .ee_origin = SO_EE_ORIGIN_ICMP, .ee_type = type, .ee_code = code, .ee_info = info },
		.offender = outer->saddr, .daddr = inner->daddr, .dport = port,
	};

	if (!skb)
		return;
	if (!skb_pull(skb, payload_off)) {
		kfree_skb(skb, SKB_DROP_ICMP_SHORT);
		return;
	}
	*ERR_CB(skb) = cb;
	errq_add(sk, skb);
}

void ip_local_error(struct sock *sk, int err, const struct ipaddr *daddr, uint16_t port, uint32_t info)
{
	struct sk_buff *skb;

	if (!sk->recverr)
		return;
	skb = alloc_skb(sk->stack->pool, SKB_HEADROOM, SKB_HEADROOM);
	if (!skb)
		return;
	*ERR_CB(skb) = (struct err_cb){
		.ee = { .ee_errno = (uint32_t)err, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = info }, .daddr = daddr->v4, .dport = port,
	};
	skb->tstamp = sk->stack->now;
	errq_add(sk, skb);
}

ssize_t ip_recv_error(struct sock *sk, struct msghdr *msg)
{
	struct sk_buff *skb = skb_dequeue(&sk->errq), *next;
	struct { struct sock_extended_err ee; struct sockaddr_in offender; } out;
	size_t room = msghdr_len(msg), n;
	struct ipaddr daddr;
	struct err_cb cb;

	if (!skb)
		return -EAGAIN;
	cb = *ERR_CB(skb);
	daddr = ipaddr_v4(cb.daddr);
	n = skb->len < room ? skb->len : room;
	if (skb->len > room)
		msg->msg_flags |= MSG_TRUNC;
	skb_copy_to_msg(skb, 0, msg, 0, n);
	if (msg->msg_name)
		ip_to_sockaddr(&daddr, cb.dport, msg->msg_name, &msg->msg_namelen);
	sk_cmsg_time(sk, skb, msg);
	memset(&out, 0, sizeof(out));
	out.ee = cb.ee;
	if (cb.offender) {
		out.offender.sin_family = AF_INET;
		out.offender.sin_addr.s_addr = cb.offender;
	}
	put_cmsg(msg, IPPROTO_IP, IP_RECVERR, &out, sizeof(out));
	msg->msg_flags |= MSG_ERRQUEUE;
	consume_skb(skb);
	sk->err = 0;
	next = skb_peek(&sk->errq);
	if (next && ERR_CB(next)->ee.ee_origin == SO_EE_ORIGIN_ICMP)
		sk->err = (int)ERR_CB(next)->ee.ee_errno;
	return (ssize_t)n;
}

/* ---- datagram sockets --------------------------------------------------------------------------------------------------------------------------------- */

/* The way for one packet: from the socket's cache when the packet is for its peer and asks for nothing special. */
int datagram_route(struct sock *sk, const struct ipcm *ipc, const struct ipaddr *daddr, uint16_t dport, bool connected, struct skb_route *rt, struct ipaddr *saddr)
{
	bool plain = !ipc->saddr.family && ipc->oif == sk->bound_dev_if && ipc->tos < 0 && !ipc->mark_set && !sk->localroute;
	bool last = plain && sk->state != SS_ESTABLISHED; /* the cache is for the last destination */
	uint32_t genid = route_genid(sk->stack);
	struct flowi fl;
	int err;

	if (connected && plain) {
		err = sk_route(sk);
		if (err)
			return err;
		*rt = sk->rt;
		*saddr = sk->saddr;
		return 0;
	}
	if (last && sk->rt_genid == genid && sk->rt.dev && ipaddr_equal(&sk->last_daddr, daddr)) {
		*rt = sk->rt;
		*saddr = sk->last_saddr;
		return 0;
	}
	fl = (struct flowi){
		.daddr = *daddr, .saddr = ipc->saddr.family ? ipc->saddr : sk->saddr, .oif = ipc->oif, .mark = ipc->mark_set ? ipc->mark : sk->mark,
		.tos = ipc->tos >= 0 ? (uint8_t)ipc->tos : sk->tos, .proto = (uint8_t)sk->protocol, .sport = sk->sport, .dport = dport,
	};
	if (ipv4_is_multicast(daddr->v4)) {
		if (!fl.oif)
			fl.oif = sk->mcast_if;
		if (ipaddr_is_any(&fl.saddr) && sk->mcast_addr.family)
			fl.saddr = sk->mcast_addr;
	} else if (!fl.oif && sk->ucast_if) {
		fl.oif = sk->ucast_if;
	}
	err = ip_route_output(sk->stack, &fl, rt);
	if (err)
		return err;
	if (sk->localroute && (rt->flags & RT_F_GATEWAY))
		return -ENETUNREACH;
	*saddr = fl.saddr;
	if (last) {
		sk->rt = *rt;
		sk->rt_genid = genid;
		sk->last_daddr = *daddr;
		sk->last_saddr = fl.saddr;
	}
	return 0;
}

int datagram_way(struct sock *sk, const struct msghdr *msg, struct ipcm *ipc, struct ipaddr *daddr, uint16_t dport, bool connected, struct skb_route *rt, struct ipaddr *saddr)
{
	int err = msg->msg_controllen ? ip_cmsg_send(sk, msg, ipc) : 0;

	if (!err)
		err = datagram_route(sk, ipc, daddr, dport, connected, rt, saddr);
	if (err)
		return err;
	if ((rt->flags & RT_F_BROADCAST) && !sk->broadcast)
		return -EACCES;
	if (ipaddr_is_any(daddr)) /* to 0.0.0.0: this host */
		*daddr = *saddr;
	return 0;
}

int datagram_build(struct sock *sk, const struct msghdr *msg, uint32_t len, uint32_t headroom, struct sk_buff **ret)
{
	struct sk_buff *skb;
	int err;

	if (sk->wmem && (sk->wmem >= sk->sndbuf || !sk_mem_fits(sk, len)))
		return -EAGAIN;
	skb = alloc_skb(sk->stack->pool, headroom + len, headroom);
	if (!skb)
		return -ENOBUFS;
	err = msg_copy_from(msg, 0, skb_put(skb, len), len);
	if (err) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return err;
	}
	*ret = skb;
	return 0;
}

ssize_t datagram_recv(struct sock *sk, struct msghdr *msg, int flags, struct sk_buff **taken)
{
	struct sk_buff *skb;
	size_t room, n;
	ssize_t ret;

	*taken = NULL;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sk->err)
		return sk_take_error(sk);
	skb = skb_peek(&sk->rcvq);
	if (!skb)
		return sk->shutdown & SHUTDOWN_RCV ? 0 : -EAGAIN;
	room = msghdr_len(msg);
	n = skb->len < room ? skb->len : room;
	if (n < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	ret = skb_copy_to_msg(skb, 0, msg, 0, n);
	if (ret)
		return ret;
	if (msg->msg_name) {
		const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
		struct ipaddr from = ipaddr_v4(iph->saddr);

		ip_to_sockaddr(&from, DGRAM_CB(skb)->sport, msg->msg_name, &msg->msg_namelen);
	}
	if (msg->msg_control)
		ip_cmsg_recv(sk, skb, msg);
	ret = (ssize_t)(flags & MSG_TRUNC ? skb->len : n);
	if (!(flags & MSG_PEEK)) {
		skb_unlink(&sk->rcvq, skb);
		*taken = skb;
	}
	return ret;
}

/* connect(2) of a datagram socket: fixes the peer and, where bind did not, our address. sk->sport is the caller's affair. */
int datagram_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	struct ipaddr saddr = sk->bound_addr ? sk->saddr : IPADDR_NONE;
	struct flowi fl = {
		.daddr = *addr, .saddr = saddr, .oif = sk->bound_dev_if, .mark = sk->mark, .tos = sk->tos, .proto = (uint8_t)sk->protocol, .sport = sk->sport, .dport = port,
	};
	struct skb_route rt;
	int err;

	if (ipv4_is_multicast(addr->v4)) {
		if (!fl.oif)
			fl.oif = sk->mcast_if;
		if (ipaddr_is_any(&fl.saddr) && sk->mcast_addr.family)
			fl.saddr = sk->mcast_addr;
	}
	err = ip_route_output(sk->stack, &fl, &rt);
	if (err)
		return err;
	if ((rt.flags & RT_F_BROADCAST) && !sk->broadcast)
		return -EACCES;
	sk->saddr = fl.saddr;
	if (!sk->bound_addr && sk->type == SOCK_DGRAM && ipaddr_is_any(&sk->rcv_saddr))
		sk->rcv_saddr = fl.saddr;
	sk->daddr = ipaddr_is_any(&fl.daddr) ? fl.saddr : fl.daddr; /* 0.0.0.0 is this host */
	sk->dport = port;
	sk->rt = rt;
	sk->rt_genid = route_genid(sk->stack);
	sk->state = SS_ESTABLISHED;
	return 0;
}

uint32_t datagram_poll(struct sock *sk)
{
	uint32_t mask = 0;

	if (sk->err || !skb_queue_empty(&sk->errq))
		mask |= EPOLLERR;
	if (sk->shutdown & SHUTDOWN_RCV)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sk->shutdown == (SHUTDOWN_RCV | SHUTDOWN_SND))
		mask |= EPOLLHUP;
	if (!skb_queue_empty(&sk->rcvq))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (sk->wmem <= sk->sndbuf / 2)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

int datagram_ioctl(struct sock *sk, unsigned long cmd, int *val)
{
	const struct sk_buff *skb = skb_peek(&sk->rcvq);

	switch (cmd) {
	case FIONREAD: /* SIOCINQ: the next datagram's bytes */
		*val = skb ? (int)skb->len : 0;
		return 0;
	case SIOCOUTQ:
		*val = (int)sk->wmem;
		return 0;
	default:
		return -ENOTTY;
	}
}

/* RFC 1191: DF says that we want to hear of a smaller MTU. WANT does without it for what must be fragmented here already. */
bool ip_sk_df(const struct sock *sk, const struct skb_route *rt, uint32_t total_len)
{
	switch (sk->pmtudisc) {
	case IP_PMTUDISC_DO:
	case IP_PMTUDISC_PROBE:
		return true;
	case IP_PMTUDISC_WANT:
		return total_len <= rt->mtu && !(rt->flags & RT_F_MTU_LOCK);
	default:
		return false;
	}
}
