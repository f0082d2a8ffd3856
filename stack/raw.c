/* SPDX-License-Identifier: MIT */
/*
 * raw.c: raw sockets (raw(7)): packets of one IP protocol with their IP header, past the transports. RFC 791, RFC 792.
 *
 * A received packet is cloned for every socket of its protocol that its addresses match; the transport gets it all the same. What is sent gets an IP header, unless
 * IP_HDRINCL says that the application wrote it: then its source, identification, length and checksum are completed as raw(7) says. IPPROTO_RAW sends only.
 *
 * Shards. A raw socket belongs to one; the others are told of it (SHARD_PORT_BIND with SHARD_PORT_F_RAW) and hand over a copy of what it wants, marked to_raw, so that it
 * ends at the raw sockets there and no transport sees a packet twice. ICMP errors are told on the shard where they arrive.
 *
 * Not done: IP_NODEFRAG (what is seen has been reassembled), IPV6_CHECKSUM and the like.
 */
#include "bug.h"
#include "checksum.h"
#include "ip.h"
#include "sock_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

#define ICMP_FILTER 1 /* level SOL_RAW: a bit for each ICMP type that is not wanted */

struct raw_sock {
	struct sock sk; /* first */
	bool        hdrincl;
	uint32_t    icmp_filter;
};

static inline struct raw_sock *raw_sk(struct sock *sk)
{
	return (struct raw_sock *)(void *)sk;
}

struct raw_remote { /* a raw socket of another shard; owner: sock_state.raw_remotes */
	struct hlist_node node;
	uint64_t          id; /* its inode number */
	uint32_t          cpu;
	uint8_t           protocol;
};

static void raw_tell(const struct sock *sk, enum shard_msg_type type)
{
	struct stack *stack = sk->stack;
	struct shard_msg msg = { .type = type, .from = stack->params.cpu, .proto = (uint8_t)sk->protocol, .flags = SHARD_PORT_F_RAW, .when = stack->now, .id = sk->ino };

	if (stack->ops->tell)
		stack->ops->tell(stack->priv, STACK_CPU_ALL, &msg);
}

void raw_hash(struct sock *sk, uint8_t protocol)
{
	sk->protocol = protocol;
	if (protocol == IPPROTO_RAW) {
		raw_sk(sk)->hdrincl = true;
		return;
	}
	hlist_add_head(&sk->hash_node, &sk->stack->socks->raw[protocol % RAW_HASH]);
	if (stack_multi(sk->stack)) {
		sk->announced = true;
		raw_tell(sk, SHARD_PORT_BIND);
	}
}

static void raw_unhash(struct sock *sk)
{
	hlist_del(&sk->hash_node);
	if (sk->announced)
		raw_tell(sk, SHARD_PORT_UNBIND);
	sk->announced = false;
}

void raw_shard_msg(struct stack *stack, const struct shard_msg *msg)
{
	struct hlist_head *head = &stack->socks->raw_remotes;
	struct raw_remote *r;

	if (msg->type == SHARD_PORT_BIND) {
		r = calloc(1, sizeof(*r));
		if (!r) /* that socket does not see what arrives here; nothing worse */
			return;
		r->id = msg->id;
		r->cpu = msg->from;
		r->protocol = msg->proto;
		hlist_add_head(&r->node, head);
		return;
	}
	hlist_for_each(r, head, struct raw_remote, node) {
		if (r->id != msg->id || r->cpu != msg->from)
			continue;
		hlist_del(&r->node);
		free(r);
		return;
	}
}

void raw_exit(struct stack *stack)
{
	struct raw_remote *r, *tmp;

	hlist_for_each_safe(r, tmp, &stack->socks->raw_remotes, struct raw_remote, node)
		free(r);
	stack->socks->raw_remotes.first = NULL;
}

/* ---- receiving ---------------------------------------------------------------------------------------------------------------------------------------- */

static bool raw_match(const struct sock *sk, uint8_t protocol, const struct ipaddr *local, const struct ipaddr *peer, int iif)
{
	return sk->protocol == protocol && (ipaddr_is_any(&sk->rcv_saddr) || ipaddr_equal(&sk->rcv_saddr, local)) &&
	       (sk->state != SS_ESTABLISHED || ipaddr_equal(&sk->daddr, peer)) && (!sk->bound_dev_if || sk->bound_dev_if == iif);
}

static bool icmp_filtered(struct sock *sk, const struct sk_buff *skb)
{
	uint8_t type;

	if (sk->protocol != IPPROTO_ICMP || !raw_sk(sk)->icmp_filter || skb_copy_bits(skb, 0, &type, 1))
		return false;
	return type < 32 && (raw_sk(sk)->icmp_filter & (UINT32_C(1) << type));
}

static void raw_queue_rcv(struct sock *sk, const struct sk_buff *skb)
{
	struct sk_buff *clone;
	const struct ip_hdr *iph;
	struct ipaddr saddr;

	if (icmp_filtered(sk, skb))
		return;
	clone = skb_clone((struct sk_buff *)(uintptr_t)skb);
	if (!clone) {
		sk->drops++;
		return;
	}
	skb_push(clone, (uint32_t)(clone->data - skb_network_header(clone)));
	if (unlikely(sk->filter) && !sk_filter_skb(sk, clone, 1)) {
		consume_skb(clone); /* the packet itself goes on */
		return;
	}
	iph = (const struct ip_hdr *)(const void *)clone->data;
	saddr = ipaddr_v4(iph->saddr);
	*DGRAM_CB(clone) = (struct dgram_cb){
		.iif = skb->dev ? skb->dev->ifindex : 0, .dropped = sk->drops,
		.spec_dst = skb->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST) ? inet_select_addr(sk->stack->snap, skb->dev ? skb->dev->ifindex : 0, &saddr, RT_SCOPE_LINK).v4 : iph->daddr,
	};
	clone->dev = NULL;
	clone->rt.dev = NULL;
	if (!clone->tstamp)
		clone->tstamp = sk->stack->now;
	sock_queue_rcv_skb(sk, clone);
}

/* One copy to each other shard that has a raw socket of this protocol. True: there was one. */
static bool raw_steer(struct stack *stack, const struct sk_buff *skb, uint8_t protocol)
{
	struct raw_remote *r;
	uint64_t done = 0;

	hlist_for_each(r, &stack->socks->raw_remotes, struct raw_remote, node) {
		struct sk_buff *copy;

		if (r->protocol != protocol || (done & UINT64_C(1) << r->cpu))
			continue;
		done |= UINT64_C(1) << r->cpu;
		copy = skb_copy(skb, SKB_HEADROOM);
		if (!copy)
			continue;
		skb_push(copy, (uint32_t)(copy->data - skb_network_header(copy)));
		copy->to_raw = 1;
		if (!steer_skb(stack, copy, r->cpu))
			kfree_skb(copy, SKB_DROP_NO_SOCKET);
	}
	return done != 0;
}

bool raw_rcv(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	uint8_t protocol = iph->protocol;
	const struct hlist_head *head = &stack->socks->raw[protocol % RAW_HASH];
	struct ipaddr saddr, daddr;
	bool wanted = false;
	struct sock *sk;

	if (unlikely(stack->socks->raw_remotes.first) && !skb->to_raw)
		wanted = raw_steer(stack, skb, protocol);
	if (likely(!head->first))
		return wanted;
	saddr = ipaddr_v4(iph->saddr);
	daddr = ipaddr_v4(iph->daddr);
	hlist_for_each(sk, head, struct sock, hash_node) {
		if (!raw_match(sk, protocol, &daddr, &saddr, skb->dev ? skb->dev->ifindex : 0))
			continue;
		wanted = true;
		raw_queue_rcv(sk, skb);
	}
	return wanted;
}

bool raw_in_use(const struct stack *stack, uint8_t protocol)
{
	const struct raw_remote *r;
	const struct sock *sk;

	hlist_for_each(sk, &stack->socks->raw[protocol % RAW_HASH], struct sock, hash_node)
		if (sk->protocol == protocol)
			return true;
	hlist_for_each(r, &stack->socks->raw_remotes, struct raw_remote, node)
		if (r->protocol == protocol)
			return true;
	return false;
}

void raw_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)icmp->data;
	struct ipaddr local = ipaddr_v4(iph->saddr), peer = ipaddr_v4(iph->daddr);
	struct sock *sk;
	bool hard;
	int err;

	hlist_for_each(sk, &stack->socks->raw[iph->protocol % RAW_HASH], struct sock, hash_node) {
		if (!raw_match(sk, iph->protocol, &local, &peer, icmp->dev ? icmp->dev->ifindex : 0))
			continue;
		err = datagram_icmp_errno(sk, type, code, &hard);
		if (!err || (!sk->recverr && (!hard || sk->state != SS_ESTABLISHED)))
			continue;
		if (sk->recverr)
			ip_icmp_error(sk, icmp, err, type, code, 0, info, raw_sk(sk)->hdrincl ? 0 : ip_hdrlen(iph));
		sk_error(sk, err);
	}
}

static ssize_t raw_recvmsg(struct sock *sk, struct msghdr *msg, int flags)
{
	struct sk_buff *taken;
	ssize_t ret = datagram_recv(sk, msg, flags, &taken);

	consume_skb(taken);
	return ret;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------------------------ */

static int raw_dest(struct sock *sk, const struct msghdr *msg, struct ipaddr *daddr, bool *connected)
{
	uint16_t port;

	*connected = !msg->msg_name;
	if (msg->msg_name)
		return sockaddr_to_ip(msg->msg_name, msg->msg_namelen, daddr, &port);
	if (sk->state != SS_ESTABLISHED)
		return -EDESTADDRREQ;
	*daddr = sk->daddr;
	return 0;
}

/* The application's own IP header: made good where raw(7) says so. Consumes skb. */
static int raw_send_hdrinc(struct sock *sk, struct sk_buff *skb, const struct skb_route *rt, const struct ipaddr *saddr)
{
	struct ip_hdr *iph = (struct ip_hdr *)(void *)skb->data;

	if (skb->len < IPV4_HLEN || ip_hdrlen(iph) < IPV4_HLEN || ip_hdrlen(iph) > skb->len) {
		kfree_skb(skb, SKB_DROP_IP_INHDR);
		return -EINVAL;
	}
	if (skb->len > rt->mtu) {
		kfree_skb(skb, SKB_DROP_PKT_TOO_BIG);
		return -EMSGSIZE;
	}
	if (!iph->saddr)
		iph->saddr = saddr->v4;
	if (!iph->id)
		iph->id = (be16)rng_u32(&sk->stack->rng);
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, ip_hdrlen(iph) / 4);
	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + ip_hdrlen(iph));
	skb->protocol = ETH_P_IP;
	return ip_output(sk->stack, skb);
}

static int raw_send_skb(struct sock *sk, struct sk_buff *skb, const struct ipcm *ipc, const struct skb_route *rt, const struct ipaddr *saddr, const struct ipaddr *daddr)
{
	struct ip_tx tx = {
		.saddr = *saddr, .daddr = *daddr, .proto = (uint8_t)sk->protocol, .tos = ipc->tos >= 0 ? (uint8_t)ipc->tos : sk->tos,
		.ttl = ipc->ttl > 0 ? (uint8_t)ipc->ttl : rt->flags & RT_F_MULTICAST ? sk->mcast_ttl : sk->ttl,
		.df = ip_sk_df(sk, rt, skb->len + IPV4_HLEN + ipc->optlen), .optlen = ipc->optlen, .opt = ipc->opt,
	};

	skb->rt = *rt;
	skb->mark = ipc->mark_set ? ipc->mark : sk->mark;
	skb_set_owner_w(skb, sk);
	if (raw_sk(sk)->hdrincl)
		return raw_send_hdrinc(sk, skb, rt, saddr);
	skb_reset_transport_header(skb);
	return ip_build_and_send(sk->stack, skb, &tx);
}

static ssize_t raw_sendmsg(struct sock *sk, const struct msghdr *msg, int flags)
{
	size_t len = msghdr_len(msg);
	struct ipaddr daddr, saddr;
	struct skb_route rt;
	struct sk_buff *skb;
	struct ipcm ipc;
	bool connected;
	int err;

	if (len > IPV4_MAX_PACKET - (raw_sk(sk)->hdrincl ? 0u : (unsigned)IPV4_HLEN + sk->optlen))
		return -EMSGSIZE;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sk->shutdown & SHUTDOWN_SND)
		return -EPIPE;
	if (sk->err)
		return sk_take_error(sk);
	err = raw_dest(sk, msg, &daddr, &connected);
	if (err)
		return err;
	ipcm_init(&ipc, sk);
	err = datagram_way(sk, msg, &ipc, &daddr, 0, connected, &rt, &saddr);
	if (err)
		return err;
	err = datagram_build(sk, msg, (uint32_t)len, SKB_HEADROOM, &skb);
	if (err)
		return err;
	err = raw_send_skb(sk, skb, &ipc, &rt, &saddr, &daddr);
	if (err == -ENOBUFS && !sk->recverr)
		err = 0;
	return err ? err : (ssize_t)len;
}

/* ---- the rest of the calls ---------------------------------------------------------------------------------------------------------------------------- */

static int raw_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	(void)port;
	return datagram_connect(sk, addr, 0);
}

static int raw_disconnect(struct sock *sk)
{
	sk->state = SS_CLOSE;
	sk->daddr = IPADDR_NONE;
	sk->rt_genid = 0;
	if (!sk->bound_addr)
		sk->saddr = IPADDR_NONE;
	return 0;
}

static void raw_destroy(struct sock *sk)
{
	raw_unhash(sk);
}

static void raw_close(struct sock *sk)
{
	raw_unhash(sk);
	sock_put(sk);
}

static int raw_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int v;

	if (level == IPPROTO_IP && name == IP_HDRINCL) {
		int err = opt_get_int(val, len, &v);

		if (!err)
			raw_sk(sk)->hdrincl = v != 0;
		return err;
	}
	if (level != IPPROTO_RAW || name != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	if (len < sizeof(uint32_t))
		return -EINVAL;
	memcpy(&raw_sk(sk)->icmp_filter, val, sizeof(uint32_t));
	return 0;
}

static int raw_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	if (level == IPPROTO_IP && name == IP_HDRINCL)
		return opt_put_int(val, len, raw_sk(sk)->hdrincl);
	if (level != IPPROTO_RAW || name != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	return opt_put(val, len, &raw_sk(sk)->icmp_filter, sizeof(uint32_t));
}

const struct proto raw_prot = {
	.name = "RAW",
	.obj_size = sizeof(struct raw_sock),
	.type = SOCK_RAW,
	.protocol = IPPROTO_RAW,
	.destroy = raw_destroy,
	.close = raw_close,
	.connect = raw_connect,
	.disconnect = raw_disconnect,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.ioctl = datagram_ioctl,
	.poll = datagram_poll,
};
