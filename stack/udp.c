/* SPDX-License-Identifier: MIT */
/*
 * udp.c: the User Datagram Protocol. RFC 768; RFC 1122 section 4.1 (port unreachable, source address, checksums, errors to the application, limited broadcast); RFC 8085.
 *
 * Sending. A datagram is built in one linear skb, header in front, and given to IP, which fragments. Where the device sums (LINK_F_TX_CSUM) and one packet is
 * enough the checksum is left to it. With UDP_CORK or MSG_MORE data gathers in sk->pending until it is released. UDP_SEGMENT makes one call's data datagrams of
 * equal size: one GSO packet, which goes through the stack once and is cut by the device (LINK_F_USO) or in front of it (gso.c).
 *
 * Receiving. The checksum is verified before a datagram is queued, so that what poll announces can be read. A broadcast or multicast goes to every socket that
 * matches; a unicast to the best match. Without one, on several shards, a shard that announced such a socket (inet_port.c) is given the packet: only the shard that the
 * flow hashes to may hand over, so that nothing goes round.
 *
 * UDP_GRO: datagrams that gro.c or the sender's UDP_SEGMENT left as one GSO packet go to a socket that asked as one message, with their size as ancillary data; for
 * any other socket they are cut again first.
 *
 * Memory. A datagram in an area far larger than itself (a driver's 64 KiB buffer) is copied, or a few small datagrams would fill SO_RCVBUF.
 *
 * Not done: UDP-Lite, encapsulation sockets, multicast loopback to this host, multicast groups but 224.0.0.1.
 */
#include "bug.h"
#include "checksum.h"
#include "ip.h"
#include "sock_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <linux/errqueue.h>

#define UDP_CORK     1
#define UDP_SEGMENT  103
#define UDP_HLEN     ((uint32_t)sizeof(struct udp_hdr))
#define UDP_MAX_DATA (IPV4_MAX_PACKET - IPV4_HLEN - UDP_HLEN) /* 65,507 */
#define UDP_MAX_SEGS 128

struct udp_flow { /* where one datagram goes, and how */
	struct skb_route rt;
	struct ipaddr    saddr, daddr;
	uint16_t         dport, gso_size;
	uint8_t          tos, ttl, optlen;
	uint8_t          opt[40];
	uint32_t         mark;
};

struct udp_sock {
	struct sock     sk; /* first */
	bool            cork;
	uint16_t        gso_size;
	struct sk_buff *pending; /* corked data, no header yet */
	struct udp_flow flow; /* of pending */
};

static inline struct udp_sock *udp_sk(struct sock *sk)
{
	return (struct udp_sock *)(void *)sk;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------------------------ */

/* Largest packet that may go this way unfragmented; path MTU discovery switched off or probing looks at the device alone. */
static uint32_t udp_mtu(const struct sock *sk, const struct skb_route *rt)
{
	return sk->pmtudisc >= IP_PMTUDISC_PROBE ? dev_mtu(rt->dev) : rt->mtu;
}

static int udp_too_big(struct sock *sk, const struct udp_flow *fl, uint32_t total)
{
	uint32_t mtu = udp_mtu(sk, &fl->rt);

	if (total <= mtu || sk->pmtudisc < IP_PMTUDISC_DO || sk->pmtudisc > IP_PMTUDISC_PROBE)
		return 0;
	ip_local_error(sk, EMSGSIZE, &fl->daddr, fl->dport, mtu);
	return -EMSGSIZE;
}

/* data: linear, from skb->data on. Writes the header in front of it and sends. Consumes skb. */
static int udp_send_skb(struct sock *sk, struct sk_buff *skb, const struct udp_flow *fl, uint32_t data_sum, bool summed)
{
	struct stack *stack = sk->stack;
	bool gso = fl->gso_size && skb->len > fl->gso_size;
	uint32_t len = skb->len + UDP_HLEN, total = (gso ? fl->gso_size + UDP_HLEN : len) + IPV4_HLEN + fl->optlen;
	struct udp_hdr *uh = skb_push(skb, UDP_HLEN);
	struct ip_tx tx = {
		.saddr = fl->saddr, .daddr = fl->daddr, .proto = IPPROTO_UDP, .tos = fl->tos, .ttl = fl->ttl, .df = ip_sk_df(sk, &fl->rt, total), .optlen = fl->optlen,
		.opt = fl->opt,
	};
	int err;

	if (gso) {
		skb->gso_size = fl->gso_size;
		skb->gso_segs = (uint16_t)((skb->len - UDP_HLEN + fl->gso_size - 1) / fl->gso_size);
		skb->gso_type = SKB_GSO_UDP_L4;
	}
	skb_reset_transport_header(skb);
	uh->source = cpu_to_be16(sk->sport);
	uh->dest = cpu_to_be16(fl->dport);
	uh->len = cpu_to_be16((uint16_t)len);
	uh->check = 0;
	if (sk->no_check) {
		skb->ip_summed = CHECKSUM_NONE;
	} else if (summed) {
		uint32_t sum = csum_pseudo(&fl->saddr, &fl->daddr, len, IPPROTO_UDP);

		uh->check = csum_fold(csum_partial(uh, UDP_HLEN, csum_add(sum, data_sum)));
		if (uh->check == 0)
			uh->check = 0xffff; /* zero on the wire means none (RFC 768) */
	} else {
		uh->check = (uint16_t)~csum_fold(csum_pseudo(&fl->saddr, &fl->daddr, len, IPPROTO_UDP));
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb->transport_header;
		skb->csum_offset = offsetof(struct udp_hdr, check);
	}
	skb->rt = fl->rt;
	skb->rt.mtu = udp_mtu(sk, &fl->rt);
	skb->mark = fl->mark;
	skb_set_owner_w(skb, sk);
	err = ip_build_and_send(stack, skb, &tx);
	if (err == -ENOBUFS && !sk->recverr)
		err = 0; /* the queue in front of the device was full: a loss like any other, unless the socket asks */
	if (!err)
		STACK_MIB_INC(stack, Udp_OutDatagrams);
	else if (err == -ENOBUFS)
		STACK_MIB_INC(stack, Udp_SndbufErrors);
	return err;
}

/* May the device do the sum? Not when the datagram will be fragments. total 0: the pieces of a GSO packet are summed when they are made. */
static bool udp_offload(const struct sock *sk, const struct udp_flow *fl, uint32_t total)
{
	return !total || ((fl->rt.dev->conf->features & LINK_F_TX_CSUM) && total <= udp_mtu(sk, &fl->rt));
}

/* UDP_SEGMENT: len bytes may go as datagrams of fl->gso_size. */
static int udp_check_segments(const struct sock *sk, size_t len, const struct udp_flow *fl)
{
	if (fl->gso_size + UDP_HLEN + IPV4_HLEN + fl->optlen > udp_mtu(sk, &fl->rt))
		return -EMSGSIZE;
	return len > (size_t)fl->gso_size * UDP_MAX_SEGS || sk->no_check ? -EINVAL : 0;
}

/* What a message of len bytes is to IP: its size as one datagram, or 0 as many that are known to fit. */
static uint32_t udp_whole(const struct udp_flow *fl, uint32_t len)
{
	return fl->gso_size && len > fl->gso_size ? 0 : len + UDP_HLEN + IPV4_HLEN + fl->optlen;
}

/* The message as one datagram, or as several (UDP_SEGMENT). */
static int udp_send_one(struct sock *sk, const struct msghdr *msg, uint32_t len, const struct udp_flow *fl)
{
	uint32_t total = udp_whole(fl, len), sum = 0;
	bool summed = !udp_offload(sk, fl, total);
	struct sk_buff *skb;
	int err;

	err = total ? udp_too_big(sk, fl, total) : udp_check_segments(sk, len, fl);
	if (err)
		return err;
	err = datagram_build(sk, msg, len, SKB_HEADROOM + UDP_HLEN, &skb);
	if (unlikely(err)) {
		if (err != -EFAULT)
			STACK_MIB_INC(sk->stack, Udp_SndbufErrors);
		return err;
	}
	if (summed && !sk->no_check)
		sum = csum_partial(skb->data, len, 0);
	return udp_send_skb(sk, skb, fl, sum, summed);
}

static void udp_drop_pending(struct udp_sock *up)
{
	kfree_skb(up->pending, SKB_DROP_SOCKET_CLOSE);
	up->pending = NULL;
}

static int udp_push_pending(struct udp_sock *up)
{
	struct sock *sk = &up->sk;
	struct sk_buff *skb = up->pending;
	uint32_t total, sum = 0;
	bool summed;
	int err;

	if (!skb)
		return 0;
	total = udp_whole(&up->flow, skb->len);
	err = total ? udp_too_big(sk, &up->flow, total) : udp_check_segments(sk, skb->len, &up->flow);
	if (err) {
		udp_drop_pending(up);
		return err;
	}
	up->pending = NULL;
	summed = !udp_offload(sk, &up->flow, total);
	if (summed && !sk->no_check)
		sum = csum_partial(skb->data, skb->len, 0);
	return udp_send_skb(sk, skb, &up->flow, sum, summed);
}

/* Adds to what is corked; the first piece decided where it goes. A failure gives up all of it, as on Linux. */
static int udp_append(struct udp_sock *up, const struct msghdr *msg, uint32_t len)
{
	uint32_t have = up->pending ? up->pending->len : 0;
	int err;

	if (have + len > UDP_MAX_DATA - up->flow.optlen) {
		err = -EMSGSIZE;
		goto err_drop;
	}
	if (!up->pending) {
		up->pending = alloc_skb(up->sk.stack->pool, SKB_HEADROOM + UDP_HLEN + UDP_MAX_DATA, SKB_HEADROOM + UDP_HLEN);
		if (!up->pending)
			return -ENOBUFS;
		skb_set_owner_w(up->pending, &up->sk);
	}
	err = msg_copy_from(msg, 0, skb_put(up->pending, len), len);
	if (err)
		goto err_drop;
	return 0;

err_drop:
	udp_drop_pending(up);
	return err;
}

static int udp_autobind(struct sock *sk)
{
	struct ipaddr addr = sk->bound_addr ? sk->rcv_saddr : ipaddr_v4(0);

	if (sk->bind)
		return 0;
	if (inet_bind_port(sk, &addr, 0))
		return -EAGAIN; /* Linux's word for it */
	sk->auto_port = true;
	return 0;
}

/* The destination of a message: the name in it, or the peer. */
static int udp_dest(struct sock *sk, const struct msghdr *msg, struct ipaddr *daddr, uint16_t *dport, bool *connected)
{
	struct sockaddr_in in;

	if (!msg->msg_name) {
		if (sk->state != SS_ESTABLISHED)
			return -EDESTADDRREQ;
		*daddr = sk->daddr;
		*dport = sk->dport;
		*connected = true;
		return 0;
	}
	if (msg->msg_namelen < sizeof(in))
		return -EINVAL;
	memcpy(&in, msg->msg_name, sizeof(in));
	if (in.sin_family != AF_INET && in.sin_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	if (in.sin_port == 0)
		return -EINVAL;
	*daddr = ipaddr_v4(in.sin_addr.s_addr);
	*dport = be16_to_cpu(in.sin_port);
	*connected = false;
	return 0;
}

static int udp_make_flow(struct sock *sk, const struct msghdr *msg, struct udp_flow *fl)
{
	struct ipaddr daddr;
	struct ipcm ipc;
	bool connected;
	int err;

	err = udp_dest(sk, msg, &daddr, &fl->dport, &connected);
	if (err)
		return err;
	err = udp_autobind(sk);
	if (err)
		return err;
	ipcm_init(&ipc, sk);
	ipc.gso_size = udp_sk(sk)->gso_size;
	err = datagram_way(sk, msg, &ipc, &daddr, fl->dport, connected, &fl->rt, &fl->saddr);
	if (err)
		return err;
	fl->daddr = daddr;
	fl->gso_size = ipc.gso_size;
	fl->tos = ipc.tos >= 0 ? (uint8_t)ipc.tos : sk->tos;
	fl->ttl = ipc.ttl > 0 ? (uint8_t)ipc.ttl : (fl->rt.flags & RT_F_MULTICAST) ? sk->mcast_ttl : sk->ttl;
	fl->mark = ipc.mark_set ? ipc.mark : sk->mark;
	fl->optlen = ipc.optlen;
	if (unlikely(ipc.optlen))
		memcpy(fl->opt, ipc.opt, sizeof(fl->opt));
	return 0;
}

static ssize_t udp_sendmsg(struct sock *sk, const struct msghdr *msg, int flags)
{
	struct udp_sock *up = udp_sk(sk);
	size_t len = msghdr_len(msg);
	bool cork = up->cork || (flags & MSG_MORE);
	struct udp_flow fl;
	int err;

	if (len > IPV4_MAX_PACKET)
		return -EMSGSIZE;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sk->shutdown & SHUTDOWN_SND)
		return -EPIPE;
	if (unlikely(sk->err))
		return sk_take_error(sk);
	if (unlikely(cork || up->pending)) {
		err = up->pending ? 0 : udp_make_flow(sk, msg, &up->flow);
		if (!err)
			err = udp_append(up, msg, (uint32_t)len);
		if (!err && !cork)
			err = udp_push_pending(up);
		return err ? err : (ssize_t)len;
	}
	err = udp_make_flow(sk, msg, &fl);
	if (err)
		return err;
	if (unlikely((fl.rt.flags & RT_F_MULTICAST) && fl.ttl == 0))
		return (ssize_t)len; /* scope of this host, and nobody here hears it */
	if (len > UDP_MAX_DATA - fl.optlen)
		return -EMSGSIZE;
	err = udp_send_one(sk, msg, (uint32_t)len, &fl);
	return err ? err : (ssize_t)len;
}

/* ---- receiving ---------------------------------------------------------------------------------------------------------------------------------------- */

static ssize_t udp_recvmsg(struct sock *sk, struct msghdr *msg, int flags)
{
	struct sk_buff *taken;
	ssize_t ret = datagram_recv(sk, msg, flags, &taken);

	if (taken) {
		STACK_MIB_INC(sk->stack, Udp_InDatagrams);
		consume_skb(taken);
	}
	return ret;
}

/* The whole datagram's sum, header and pseudo-header included. */
static bool udp_csum_ok(const struct sk_buff *skb, const struct udp_hdr *uh, const struct ipaddr *saddr, const struct ipaddr *daddr, uint32_t ulen)
{
	if (uh->check == 0 || skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	return csum_fold(skb_checksum(skb, 0, ulen, csum_pseudo(saddr, daddr, ulen, IPPROTO_UDP))) == 0;
}

/* Our address on the device that a packet came in by: what an answer to it should come from. */
static be32 spec_dst(const struct stack *stack, const struct sk_buff *skb, const struct ipaddr *saddr, be32 daddr)
{
	if (likely(!(skb->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST))))
		return daddr;
	return inet_select_addr(stack->snap, skb->dev ? skb->dev->ifindex : 0, saddr, RT_SCOPE_LINK).v4;
}

/* Gives skb, data at the UDP header, to a socket. Consumes skb. */
static void udp_queue_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct stack *stack = sk->stack;
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	const struct udp_hdr *uh = (const struct udp_hdr *)(const void *)skb->data;
	struct ipaddr saddr = ipaddr_v4(iph->saddr);
	struct dgram_cb cb = {
		.iif = skb->dev ? skb->dev->ifindex : 0, .spec_dst = spec_dst(stack, skb, &saddr, iph->daddr), .dropped = sk->drops, .sport = be16_to_cpu(uh->source),
		.dport = be16_to_cpu(uh->dest), .gro_size = skb->gso_size,
	};
	int err;

	if (sk->min_ttl && iph->ttl < sk->min_ttl) {
		STACK_MIB_INC(stack, Udp_InErrors);
		kfree_skb(skb, SKB_DROP_SOCKET_FILTER);
		return;
	}
	if (unlikely(sk->filter) && !sk_filter_skb(sk, skb, UDP_HLEN)) {
		STACK_MIB_INC(stack, Udp_InErrors);
		sk->drops++;
		kfree_skb(skb, SKB_DROP_SOCKET_FILTER);
		return;
	}
	if (skb->truesize > 4 * skb->len + 2 * SKB_SMALL && sk->rmem + skb->truesize > sk->rcvbuf / 4) {
		struct sk_buff *small = skb_copy(skb, skb_headroom(skb) < SKB_HEADROOM ? SKB_HEADROOM : skb_headroom(skb));

		if (small) {
			consume_skb(skb);
			skb = small;
		}
	}
	skb_pull(skb, UDP_HLEN);
	*DGRAM_CB(skb) = cb;
	skb->dev = NULL; /* may be gone before the application reads */
	skb->rt.dev = NULL;
	if (!skb->tstamp)
		skb->tstamp = stack->now;
	err = sock_queue_rcv_skb(sk, skb);
	if (unlikely(err)) {
		STACK_MIB_INC(stack, Udp_InErrors);
		if (err == -ENOMEM)
			STACK_MIB_INC(stack, Udp_RcvbufErrors);
		else
			STACK_MIB_INC(stack, Udp_MemErrors);
	}
}

/*
 * skb, data at the UDP header: datagrams that travel as one GSO packet become a queue of them, each as udp_rcv has it. False: it could not be done, and skb is gone.
 */
static bool udp_unmerge(struct stack *stack, struct sk_buff *skb, struct sk_buff_head *segs)
{
	uint32_t hlen = (uint32_t)(skb->data - skb_network_header(skb));
	struct sk_buff *seg;
	int err;

	skb_push(skb, hlen);
	err = skb_gso_segment(skb, segs);
	if (unlikely(err < 0)) {
		STACK_MIB_INC(stack, Udp_InErrors);
		kfree_skb(skb, err == -ENOMEM ? SKB_DROP_NOMEM : SKB_DROP_UDP_SHORT);
		return false;
	}
	skb_queue_walk(segs, seg)
		skb_pull(seg, hlen);
	return true;
}

/* To a socket, in the form that it wants. Consumes skb. */
static void udp_unicast(struct stack *stack, struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff_head segs;

	if (likely(!skb_is_gso(skb) || sk->udp_gro)) {
		udp_queue_rcv(sk, skb);
		return;
	}
	skb_queue_init(&segs);
	if (!udp_unmerge(stack, skb, &segs))
		return;
	while ((skb = skb_dequeue(&segs)))
		udp_queue_rcv(sk, skb);
}

struct udp_mcast { /* one delivery to all */
	struct sk_buff *skb;
	struct sock    *last; /* the one before gets a clone, the last the original */
	struct ipaddr   saddr, daddr;
	uint16_t        sport;
	int             iif;
};

static int udp_mcast_one(void *arg, struct sock *sk)
{
	struct udp_mcast *m = arg;
	struct sk_buff *clone;

	if (!ipaddr_is_any(&sk->rcv_saddr) && !ipaddr_equal(&sk->rcv_saddr, &m->daddr))
		return 0;
	if (sk->dport && (sk->dport != m->sport || !ipaddr_equal(&sk->daddr, &m->saddr)))
		return 0;
	if (sk->bound_dev_if && sk->bound_dev_if != m->iif)
		return 0;
	if (m->last) {
		clone = skb_clone(m->skb);
		if (clone) {
			clone->dev = m->skb->dev;
			udp_queue_rcv(m->last, clone);
		} else {
			m->last->drops++;
			STACK_MIB_INC(sk->stack, Udp_RcvbufErrors);
		}
	}
	m->last = sk;
	return 0;
}

/* Hands a copy of the whole packet to another shard. */
static void udp_steer_copy(struct stack *stack, const struct sk_buff *skb, unsigned cpu)
{
	struct sk_buff *copy = skb_copy(skb, SKB_HEADROOM);

	if (!copy)
		return;
	copy->dev = skb->dev;
	copy->handed = 1;
	skb_push(copy, (uint32_t)(copy->data - skb_network_header(copy)));
	if (!steer_skb(stack, copy, cpu))
		kfree_skb(copy, SKB_DROP_NO_SOCKET);
}

/* Does the flow belong to this shard? Only then may it hand a packet on to a socket's owner. */
static bool udp_is_home(const struct stack *stack, const struct sk_buff *skb, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport, uint16_t dport)
{
	uint32_t hash = skb->hash ? skb->hash : flow_hash_tuple(stack, saddr, daddr, sport, dport, IPPROTO_UDP);

	return flow_cpu(stack, hash) == stack->params.cpu;
}

/* Broadcast and multicast, trimmed and verified: to every socket here. elsewhere: another shard was given a copy. */
static void udp_deliver_all(struct stack *stack, struct sk_buff *skb, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport, uint16_t dport, bool elsewhere)
{
	struct udp_mcast m = { .skb = skb, .saddr = *saddr, .daddr = *daddr, .sport = sport, .iif = skb->dev ? skb->dev->ifindex : 0 };

	inet_uhash_foreach(stack, dport, udp_mcast_one, &m);
	if (m.last) {
		udp_queue_rcv(m.last, skb);
		return;
	}
	if (elsewhere) {
		consume_skb(skb);
		return;
	}
	STACK_MIB_INC(stack, Udp_IgnoredMulti);
	kfree_skb(skb, SKB_DROP_NO_SOCKET);
}

/* True: there was another shard to give it to. */
static bool udp_steer_all(struct stack *stack, const struct sk_buff *skb, uint16_t dport)
{
	uint64_t cpus = inet_port_owners(stack, IPPROTO_UDP, dport);
	bool any = cpus != 0;

	for (unsigned cpu = 0; cpus; cpu++, cpus >>= 1)
		if (cpus & 1)
			udp_steer_copy(stack, skb, cpu);
	return any;
}

/* Nobody here: another shard's socket, or nobody's. True: handed over. */
static bool udp_steer_owner(struct stack *stack, struct sk_buff *skb, const struct ipaddr *daddr, uint16_t dport)
{
	int cpu = inet_port_owner(stack, IPPROTO_UDP, daddr, dport, skb->dev ? skb->dev->ifindex : 0);

	if (cpu < 0 || (unsigned)cpu == stack->params.cpu)
		return false;
	skb_push(skb, (uint32_t)(skb->data - skb_network_header(skb)));
	skb->handed = 1;
	if (steer_skb(stack, skb, (unsigned)cpu))
		return true;
	kfree_skb(skb, SKB_DROP_NO_SOCKET);
	return true;
}

bool udp_gro_wanted(struct stack *stack, const struct ip_hdr *iph, const struct udp_hdr *uh, int iif)
{
	struct ipaddr saddr = ipaddr_v4(iph->saddr), daddr = ipaddr_v4(iph->daddr);
	struct sock *sk = inet_uhash_lookup(stack, &saddr, be16_to_cpu(uh->source), &daddr, be16_to_cpu(uh->dest), 0, iif);

	return sk ? sk->udp_gro : stack_multi(stack) && inet_port_gro(stack, &daddr, be16_to_cpu(uh->dest), iif);
}

void udp_rcv(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph;
	const struct udp_hdr *uh;
	struct sk_buff_head segs;
	struct ipaddr saddr, daddr;
	uint16_t sport, dport;
	uint32_t ulen;
	struct sock *sk;
	bool group, home = false, elsewhere = false;

	if (unlikely(!skb_may_pull(skb, UDP_HLEN)))
		goto short_packet;
	uh = (const struct udp_hdr *)(const void *)skb->data;
	iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	saddr = ipaddr_v4(iph->saddr);
	daddr = ipaddr_v4(iph->daddr);
	sport = be16_to_cpu(uh->source);
	dport = be16_to_cpu(uh->dest);
	ulen = be16_to_cpu(uh->len);
	if (unlikely(ulen < UDP_HLEN || ulen > skb->len))
		goto short_packet;
	if (unlikely(!udp_csum_ok(skb, uh, &saddr, &daddr, ulen))) {
		STACK_MIB_INC(stack, Udp_InCsumErrors);
		STACK_MIB_INC(stack, Udp_InErrors);
		kfree_skb(skb, SKB_DROP_UDP_CSUM);
		return;
	}
	group = (skb->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST)) != 0;
	sk = group ? NULL : inet_uhash_lookup(stack, &saddr, sport, &daddr, dport, skb->hash, skb->dev ? skb->dev->ifindex : 0);
	if (unlikely(!sk) && stack_multi(stack))
		home = udp_is_home(stack, skb, &saddr, &daddr, sport, dport);
	if (unlikely(!sk) && stack_multi(stack) && !home && !group && !skb->handed) { /* it came straight to a socket that is gone (steer.c) */
		skb_push(skb, (uint32_t)(skb->data - skb_network_header(skb)));
		skb->handed = 1;
		if (!skb->hash)
			skb->hash = flow_hash_tuple(stack, &saddr, &daddr, sport, dport, IPPROTO_UDP);
		if (steer_skb(stack, skb, flow_cpu(stack, skb->hash)))
			return;
	}
	if (home && group)
		elsewhere = udp_steer_all(stack, skb, dport);
	else if (home && udp_steer_owner(stack, skb, &daddr, dport))
		return;
	if (unlikely(group)) {
		skb_trim(skb, ulen); /* what IP's length has more than UDP's is no data */
		if (likely(!skb_is_gso(skb))) {
			udp_deliver_all(stack, skb, &saddr, &daddr, sport, dport, elsewhere);
			return;
		}
		skb_queue_init(&segs);
		if (udp_unmerge(stack, skb, &segs))
			while ((skb = skb_dequeue(&segs)))
				udp_deliver_all(stack, skb, &saddr, &daddr, sport, dport, elsewhere);
		return;
	}
	if (likely(sk)) {
		skb_trim(skb, ulen);
		udp_unicast(stack, sk, skb);
		return;
	}
	STACK_MIB_INC(stack, Udp_NoPorts);
	icmp_send(stack, skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	kfree_skb(skb, SKB_DROP_NO_SOCKET);
	return;

short_packet:
	STACK_MIB_INC(stack, Udp_InErrors);
	kfree_skb(skb, SKB_DROP_UDP_SHORT);
}

/* ---- errors ------------------------------------------------------------------------------------------------------------------------------------------- */

/* What an ICMP error means to a datagram socket: errno, or 0 for none; *hard: a connected socket is told without having asked. */
int datagram_icmp_errno(const struct sock *sk, uint8_t type, uint8_t code, bool *hard)
{
	int err = EHOSTUNREACH;

	*hard = false;
	switch (type) {
	case ICMP_DEST_UNREACH:
		if (code == ICMP_FRAG_NEEDED) { /* the MTU itself is noted for the route */
			*hard = sk->pmtudisc != IP_PMTUDISC_DONT;
			return *hard ? EMSGSIZE : 0;
		}
		icmp_error_to_errno(type, code, &err, hard);
		return err;
	case ICMP_PARAMETERPROB:
		*hard = true;
		return EPROTO;
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	default:
		return 0; /* source quench (RFC 6633), redirects */
	}
}

void udp_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)icmp->data;
	const struct udp_hdr *uh = (const struct udp_hdr *)(const void *)(icmp->data + ip_hdrlen(iph));
	struct ipaddr ours = ipaddr_v4(iph->saddr), peer = ipaddr_v4(iph->daddr);
	uint16_t sport = be16_to_cpu(uh->source), dport = be16_to_cpu(uh->dest);
	int iif = icmp->dev ? icmp->dev->ifindex : 0, err;
	struct sock *sk = inet_uhash_lookup(stack, &peer, dport, &ours, sport, icmp->hash, iif);
	bool hard;

	if (!sk) {
		int cpu = stack_multi(stack) && udp_is_home(stack, icmp, &peer, &ours, dport, sport) ? inet_port_owner(stack, IPPROTO_UDP, &ours, sport, iif) : -ENOENT;

		if (cpu >= 0)
			udp_steer_copy(stack, icmp, (unsigned)cpu);
		else
			STACK_MIB_INC(stack, Icmp_InErrors);
		return;
	}
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) /* believed only because the quote is of a socket of ours */
		ip_rt_update_pmtu(stack, &peer, info);
	err = datagram_icmp_errno(sk, type, code, &hard);
	if (!err || (!sk->recverr && (!hard || sk->state != SS_ESTABLISHED)))
		return;
	if (sk->recverr)
		ip_icmp_error(sk, icmp, err, type, code, dport, info, ip_hdrlen(iph) + UDP_HLEN);
	sk_error(sk, err);
}

/* ---- the rest of the calls ---------------------------------------------------------------------------------------------------------------------------- */

static int udp_disconnect(struct sock *sk)
{
	sk->state = SS_CLOSE;
	sk->daddr = IPADDR_NONE;
	sk->dport = 0;
	sk->rt_genid = 0;
	sk->hash = 0;
	if (!sk->bound_addr) {
		sk->rcv_saddr = ipaddr_v4(0);
		sk->saddr = IPADDR_NONE;
	}
	if (sk->auto_port) {
		inet_put_port(sk);
		sk->sport = 0;
		sk->auto_port = false;
	}
	return 0;
}

static int udp_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	bool had_port = sk->bind != NULL;
	int err = datagram_connect(sk, addr, port);

	if (err)
		return err;
	err = inet_connect_port(sk, &sk->daddr, port, NULL);
	if (!err)
		return 0;
	sk->auto_port = !had_port;
	udp_disconnect(sk);
	return err == -EADDRNOTAVAIL ? -EAGAIN : err;
}

/* What gro.c asks first is whether anybody wants UDP merged at all. Other shards receive for this socket, too. */
static void udp_set_gro(struct sock *sk, bool on)
{
	if (sk->udp_gro == on)
		return;
	sk->stack->udp_gro += on ? 1u : -1u;
	sk->udp_gro = on;
	inet_port_announce_again(sk);
}

static void udp_close(struct sock *sk)
{
	udp_drop_pending(udp_sk(sk));
	inet_put_port(sk);
	udp_set_gro(sk, false);
	sock_put(sk);
}

static void udp_destroy(struct sock *sk)
{
	udp_set_gro(sk, false);
	udp_drop_pending(udp_sk(sk));
}

static int udp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	struct udp_sock *up = udp_sk(sk);
	int v;

	if (level != IPPROTO_UDP)
		return -ENOPROTOOPT;
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (name) {
	case UDP_CORK:
		up->cork = v != 0;
		return v ? 0 : udp_push_pending(up);
	case UDP_SEGMENT:
		if (v < 0 || v > UINT16_MAX)
			return -EINVAL;
		up->gso_size = (uint16_t)v;
		return 0;
	case UDP_GRO:
		udp_set_gro(sk, v != 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	const struct udp_sock *up = udp_sk(sk);

	if (level != IPPROTO_UDP)
		return -ENOPROTOOPT;
	switch (name) {
	case UDP_CORK:
		return opt_put_int(val, len, up->cork);
	case UDP_SEGMENT:
		return opt_put_int(val, len, up->gso_size);
	case UDP_GRO:
		return opt_put_int(val, len, sk->udp_gro);
	default:
		return -ENOPROTOOPT;
	}
}

int udp_init(struct stack *stack)
{
	(void)stack; /* everything UDP has stands in the sockets and the port table */
	return 0;
}

void udp_exit(struct stack *stack)
{
	struct sock *sk, *tmp;

	if (!stack->socks)
		return;
	list_for_each_safe(sk, tmp, sock_list(stack), struct sock, node) {
		if (sk->proto != &udp_prot)
			continue;
		sk->refcnt = 1; /* handles that are still held mean nothing any more */
		sock_put(sk);
	}
}

const struct proto udp_prot = {
	.name = "UDP",
	.obj_size = sizeof(struct udp_sock),
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_UDP,
	.destroy = udp_destroy,
	.close = udp_close,
	.connect = udp_connect,
	.disconnect = udp_disconnect,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = datagram_ioctl,
	.poll = datagram_poll,
};
