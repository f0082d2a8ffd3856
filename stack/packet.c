/* SPDX-License-Identifier: MIT */
/*
 * packet.c: packet sockets (packet(7)): frames as a device has them, both ways, past the protocols.
 *
 * Theory. A packet socket stands on a tap (tap.c) of the device that it is bound to, or of all. What the tap shows is filtered by protocol and by the socket's program
 * before anything is copied; what passes is cloned (its bytes are shared with the packet that goes on) into the receive queue, as far as that has room: what finds none is
 * counted in PACKET_STATISTICS, and the packet itself goes its way. A socket whose one device is switched off, or goes, gets ENETDOWN. SOCK_RAW has frames with their Ethernet header, SOCK_DGRAM without. A protocol other than ETH_P_ALL gets
 * received frames only. What is sent goes straight to the device (dev_queue_xmit), behind what waits there.
 *
 * Memberships count in the device and are undone when the socket closes. They are for taps: promiscuity and groups of a packet socket let frames be seen, they do not
 * make the protocols take them.
 *
 * Shards. A packet socket sees the frames of its own shard: those of the flows that the shard owns, and what the shard sends. Who wants all of them makes one on every shard, as
 * services do with listeners; sending by one of them is enough.
 *
 * Not done: PACKET_RX_RING and TX_RING, PACKET_FANOUT, PACKET_VNET_HDR, PACKET_TIMESTAMP, VLAN tags apart from the frame (tp_vlan_tci is 0), SOCK_PACKET.
 */
#include "bug.h"
#include "dev.h"
#include "sock_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define MAX_MEMBERSHIPS 64 /* of one socket */

struct packet_member {
	struct packet_mreq mreq;
	unsigned           count;
};

struct packet_sock {
	struct sock          sk; /* first */
	struct stack_tap     tap; /* on the stack's list while running */
	bool                 running, auxdata, ignore_outgoing;
	uint16_t             proto; /* EtherType, host order; ETH_P_ALL; 0: nothing is received */
	uint64_t             packets, drops; /* since PACKET_STATISTICS was read: taken, and for which there was no room */
	struct packet_member *members;
	unsigned             nmembers;
};

struct packet_cb { /* skb->cb of what stands in the receive queue */
	uint32_t        origlen, snaplen; /* of the frame; of what may be read */
	int             ifindex;
	uint32_t        dropped; /* sk->drops when it was queued */
	uint16_t        protocol, net; /* host order; where the network header is */
	uint8_t         pkttype;
	bool            loopback;
	struct eth_addr source;
};
#define PACKET_CB(skb) ((struct packet_cb *)(void *)(skb)->cb)
_Static_assert(sizeof(struct packet_cb) <= sizeof(((struct sk_buff *)0)->cb), "packet_cb fits");

static inline struct packet_sock *pkt_sk(struct sock *sk)
{
	return (struct packet_sock *)(void *)sk;
}

/* ---- receiving ---------------------------------------------------------------------------------------------------------------------------------------- */

static bool packet_wants(const struct packet_sock *po, const struct stack_tap_frame *f)
{
	if (f->dir == STACK_TAP_DIR_OUT)
		return po->proto == ETH_P_ALL && !po->ignore_outgoing && f->skb->sk != &po->sk;
	return po->proto == ETH_P_ALL || po->proto == f->protocol;
}

/* The frame without its Ethernet header: what SOCK_DGRAM and its filter see. The length of the header. */
static uint32_t packet_pull(struct stack_tap_frame *f)
{
	const struct sk_buff *skb = f->skb;
	uint32_t n = ETH_HLEN;

	if (skb->network_header != SKB_NO_HEADER && skb_network_header(skb) > f->head && skb_network_header(skb) <= f->head + f->head_len)
		n = (uint32_t)(skb_network_header(skb) - f->head);
	if (n > f->head_len)
		n = f->head_len;
	f->head += n;
	f->head_len -= n;
	f->len -= n;
	return n;
}

static void packet_queue(struct packet_sock *po, const struct stack_tap_frame *f, uint32_t net, uint32_t snaplen)
{
	struct sock *sk = &po->sk;
	struct sk_buff *skb = (struct sk_buff *)(uintptr_t)f->skb, *clone;
	const struct net_device *dev = dev_get_by_index(sk->stack, f->ifindex);
	struct packet_cb cb = {
		.origlen = f->len, .snaplen = snaplen, .ifindex = f->ifindex, .dropped = sk->drops, .protocol = f->protocol, .net = (uint16_t)net,
		.pkttype = f->dir == STACK_TAP_DIR_OUT ? SKB_PKT_OUTGOING : f->skb->pkt_type, .loopback = dev && dev_is_loopback(dev),
	};

	clone = sk->rmem < sk->rcvbuf && sk_mem_fits(sk, skb->truesize) ? skb_clone(skb) : NULL;
	if (!clone) {
		po->drops++;
		sk->drops++;
		return;
	}
	if (f->head < clone->data)
		skb_push(clone, (uint32_t)(clone->data - f->head));
	else if (f->head > clone->data)
		skb_pull(clone, (uint32_t)(f->head - clone->data));
	if (clone->mac_header != SKB_NO_HEADER)
		cb.source = ((const struct eth_hdr *)(const void *)skb_mac_header(clone))->h_source;
	*PACKET_CB(clone) = cb;
	clone->dev = NULL; /* may be gone before the application reads */
	clone->rt.dev = NULL;
	clone->tstamp = f->when;
	skb_set_owner_r(clone, sk);
	skb_queue_tail(&sk->rcvq, clone);
	po->packets++;
	sk_wake(sk, EPOLLIN | EPOLLRDNORM);
}

static void packet_rcv(void *arg, const struct stack_tap_frame *frame)
{
	struct packet_sock *po = arg;
	struct stack_tap_frame f = *frame;
	uint32_t net, n;

	if (!packet_wants(po, &f))
		return;
	if (po->sk.type == SOCK_DGRAM) {
		packet_pull(&f);
		net = 0;
	} else {
		net = f.len < ETH_HLEN ? f.len : ETH_HLEN;
	}
	n = sk_filter_frame(&po->sk, &f);
	if (n)
		packet_queue(po, &f, net, n < f.len ? n : f.len);
}

static void packet_cmsgs(struct sock *sk, const struct sk_buff *skb, struct msghdr *msg)
{
	const struct packet_cb *cb = PACKET_CB(skb);

	sk_cmsg_time(sk, skb, msg);
	if (sk->rxq_ovfl && cb->dropped)
		put_cmsg(msg, SOL_SOCKET, SO_RXQ_OVFL, &cb->dropped, sizeof(cb->dropped));
	if (pkt_sk(sk)->auxdata) {
		struct tpacket_auxdata aux = { .tp_status = TP_STATUS_USER, .tp_len = cb->origlen, .tp_snaplen = cb->snaplen, .tp_net = cb->net };

		if (skb->ip_summed == CHECKSUM_PARTIAL)
			aux.tp_status |= TP_STATUS_CSUMNOTREADY;
		else if (cb->pkttype != SKB_PKT_OUTGOING && skb->ip_summed != CHECKSUM_NONE)
			aux.tp_status |= TP_STATUS_CSUM_VALID;
		put_cmsg(msg, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
	}
}

static void packet_put_name(const struct packet_cb *cb, struct msghdr *msg)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = cpu_to_be16(cb->protocol), .sll_ifindex = cb->ifindex, .sll_hatype = cb->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
		.sll_pkttype = cb->pkttype, .sll_halen = ETH_ADDR_LEN,
	};

	memcpy(ll.sll_addr, &cb->source, ETH_ADDR_LEN);
	if (msg->msg_name && msg->msg_namelen)
		memcpy(msg->msg_name, &ll, msg->msg_namelen < sizeof(ll) ? msg->msg_namelen : sizeof(ll));
	msg->msg_namelen = sizeof(ll);
}

static ssize_t packet_recvmsg(struct sock *sk, struct msghdr *msg, int flags)
{
	struct sk_buff *skb;
	size_t room, len, n;
	ssize_t ret;

	if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_ERRQUEUE | MSG_WAITALL | MSG_NOSIGNAL))
		return -EINVAL;
	if (sk->err)
		return sk_take_error(sk);
	skb = skb_peek(&sk->rcvq);
	if (!skb)
		return -EAGAIN;
	len = PACKET_CB(skb)->snaplen;
	room = msghdr_len(msg);
	n = len < room ? len : room;
	if (n < len)
		msg->msg_flags |= MSG_TRUNC;
	ret = skb_copy_to_msg(skb, 0, msg, 0, n);
	if (ret)
		return ret;
	if (msg->msg_name)
		packet_put_name(PACKET_CB(skb), msg);
	if (msg->msg_control)
		packet_cmsgs(sk, skb, msg);
	ret = (ssize_t)(flags & MSG_TRUNC ? len : n);
	if (!(flags & MSG_PEEK)) {
		skb_unlink(&sk->rcvq, skb);
		consume_skb(skb);
	}
	return ret;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------------------------ */

struct packet_tx {
	struct net_device *dev;
	uint16_t           proto;
	struct eth_addr    dest; /* SOCK_DGRAM */
};

static int packet_dest(struct sock *sk, const struct msghdr *msg, struct packet_tx *tx)
{
	const struct packet_sock *po = pkt_sk(sk);
	struct sockaddr_ll ll = { .sll_ifindex = po->tap.ifindex, .sll_protocol = cpu_to_be16(po->proto), .sll_halen = sk->type == SOCK_DGRAM ? 0 : ETH_ADDR_LEN };

	if (msg->msg_name) {
		if (msg->msg_namelen < offsetof(struct sockaddr_ll, sll_addr) + (sk->type == SOCK_DGRAM ? ETH_ADDR_LEN : 0u))
			return -EINVAL;
		memcpy(&ll, msg->msg_name, msg->msg_namelen < sizeof(ll) ? msg->msg_namelen : sizeof(ll));
		if (ll.sll_family != AF_PACKET)
			return -EAFNOSUPPORT;
	}
	tx->dev = dev_get_by_index(sk->stack, ll.sll_ifindex);
	tx->proto = be16_to_cpu(ll.sll_protocol);
	if (!tx->dev)
		return -ENXIO;
	if (sk->type == SOCK_DGRAM) {
		if (ll.sll_halen != ETH_ADDR_LEN)
			return -EINVAL;
		memcpy(&tx->dest, ll.sll_addr, ETH_ADDR_LEN);
	}
	return dev_up(tx->dev) ? 0 : -ENETDOWN;
}

/* len without an Ethernet header. */
static bool packet_too_long(const struct packet_tx *tx, const struct sk_buff *skb, size_t len)
{
	size_t max = dev_mtu(tx->dev);

	if (skb->protocol == ETH_P_8021Q)
		max += 4;
	return len > max;
}

static int packet_send_skb(struct sock *sk, struct sk_buff *skb, const struct packet_tx *tx)
{
	int err;

	skb->dev = tx->dev;
	skb->mark = sk->mark;
	skb->skb_iif = 0;
	if (sk->type == SOCK_RAW) {
		skb->protocol = get_be16(skb->data + 12);
		if (skb->protocol < ETH_P_802_3_MIN)
			skb->protocol = 0;
		skb_reset_mac_header(skb);
		skb->network_header = (uint16_t)(skb->mac_header + ETH_HLEN);
	} else {
		skb->protocol = tx->proto;
		skb_reset_network_header(skb);
	}
	if (packet_too_long(tx, skb, skb->len - (sk->type == SOCK_RAW ? (unsigned)ETH_HLEN : 0))) {
		kfree_skb(skb, SKB_DROP_PKT_TOO_BIG);
		return -EMSGSIZE;
	}
	if (sk->type == SOCK_DGRAM) {
		err = eth_header(skb, tx->dev, tx->proto, &tx->dest, NULL);
		if (err) {
			kfree_skb(skb, SKB_DROP_NOMEM);
			return err;
		}
	}
	skb_set_owner_w(skb, sk);
	return dev_queue_xmit(skb);
}

static ssize_t packet_sendmsg(struct sock *sk, const struct msghdr *msg, int flags)
{
	size_t len = msghdr_len(msg);
	struct packet_tx tx = { .dev = NULL };
	struct sk_buff *skb;
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sk->err)
		return sk_take_error(sk);
	err = packet_dest(sk, msg, &tx);
	if (err)
		return err;
	if (sk->type == SOCK_RAW && len < ETH_HLEN)
		return -EINVAL;
	if (len > dev_mtu(tx.dev) + (size_t)ETH_HLEN + 4)
		return -EMSGSIZE;
	if (sk->wmem && (sk->wmem >= sk->sndbuf || !sk_mem_fits(sk, (uint32_t)len)))
		return -EAGAIN;
	skb = alloc_skb(sk->stack->pool, SKB_HEADROOM + (uint32_t)len, SKB_HEADROOM);
	if (!skb)
		return -ENOBUFS;
	err = msg_copy_from(msg, 0, skb_put(skb, (uint32_t)len), len);
	if (err) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return err;
	}
	err = packet_send_skb(sk, skb, &tx);
	return err ? err : (ssize_t)len;
}

/* ---- memberships -------------------------------------------------------------------------------------------------------------------------------------- */

static int member_apply(struct stack *stack, const struct packet_mreq *m, bool add)
{
	struct net_device *dev = dev_get_by_index(stack, m->mr_ifindex);
	struct eth_addr addr;

	if (!dev)
		return add ? -ENODEV : 0;
	memcpy(&addr, m->mr_address, ETH_ADDR_LEN);
	switch (m->mr_type) {
	case PACKET_MR_PROMISC:
		dev->promiscuity += add ? 1 : -1u;
		return 0;
	case PACKET_MR_ALLMULTI:
		dev->allmulti += add ? 1 : -1u;
		return 0;
	default: /* PACKET_MR_MULTICAST, PACKET_MR_UNICAST */
		if (add)
			return dev_group_add(dev, &addr);
		dev_group_del(dev, &addr);
		return 0;
	}
}

static struct packet_member *member_find(struct packet_sock *po, const struct packet_mreq *m)
{
	for (unsigned i = 0; i < po->nmembers; i++)
		if (!memcmp(&po->members[i].mreq, m, sizeof(*m)))
			return &po->members[i];
	return NULL;
}

static int member_parse(const void *val, socklen_t len, struct packet_mreq *ret)
{
	struct packet_mreq m;

	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	memset(ret, 0, sizeof(*ret)); /* padding and unused bytes are compared */
	ret->mr_ifindex = m.mr_ifindex;
	ret->mr_type = m.mr_type;
	switch (m.mr_type) {
	case PACKET_MR_PROMISC:
	case PACKET_MR_ALLMULTI:
		return 0;
	case PACKET_MR_MULTICAST:
	case PACKET_MR_UNICAST:
		if (m.mr_alen != ETH_ADDR_LEN)
			return -EINVAL;
		ret->mr_alen = m.mr_alen;
		memcpy(ret->mr_address, m.mr_address, ETH_ADDR_LEN);
		return 0;
	}
	return -EINVAL;
}

static int member_add(struct sock *sk, const void *val, socklen_t len)
{
	struct packet_sock *po = pkt_sk(sk);
	struct packet_member *m;
	struct packet_mreq mreq;
	int err = member_parse(val, len, &mreq);

	if (err)
		return err;
	m = member_find(po, &mreq);
	if (m) {
		m->count++;
		return 0;
	}
	if (po->nmembers >= MAX_MEMBERSHIPS)
		return -ENOBUFS;
	m = realloc(po->members, (po->nmembers + 1) * sizeof(*m));
	if (!m)
		return -ENOMEM;
	po->members = m;
	err = member_apply(sk->stack, &mreq, true);
	if (!err)
		po->members[po->nmembers++] = (struct packet_member){ .mreq = mreq, .count = 1 };
	return err;
}

static int member_drop(struct sock *sk, const void *val, socklen_t len)
{
	struct packet_sock *po = pkt_sk(sk);
	struct packet_member *m;
	struct packet_mreq mreq;
	int err = member_parse(val, len, &mreq);

	if (err)
		return err;
	m = member_find(po, &mreq);
	if (!m)
		return -EADDRNOTAVAIL;
	if (--m->count)
		return 0;
	member_apply(sk->stack, &mreq, false);
	*m = po->members[--po->nmembers];
	return 0;
}

/* ---- the rest of the calls ---------------------------------------------------------------------------------------------------------------------------- */

static void packet_stop(struct packet_sock *po)
{
	if (po->running)
		tap_unregister(&po->tap);
	po->running = false;
}

static void packet_start(struct packet_sock *po)
{
	po->tap.what = po->proto == ETH_P_ALL ? STACK_TAP_RX | STACK_TAP_TX : STACK_TAP_RX;
	if (po->proto)
		tap_register(po->sk.stack, &po->tap);
	po->running = po->proto != 0;
}

void packet_open(struct sock *sk, int type, uint16_t proto)
{
	struct packet_sock *po = pkt_sk(sk);

	sk->type = (uint8_t)type;
	sk->protocol = proto;
	po->proto = proto;
	po->tap.embedded = true;
	po->tap.fn = packet_rcv;
	po->tap.arg = po;
	list_init(&po->tap.node);
	packet_start(po);
}

/* Linux's packet_notifier: a socket that has one device to look at hears of its end. */
void packet_dev_down(struct stack *stack, const struct net_device *dev)
{
	struct stack_tap *tap;

	list_for_each(tap, &stack->taps, struct stack_tap, node)
		if (tap->fn == packet_rcv && tap->ifindex == dev->ifindex)
			sk_error(tap->arg, ENETDOWN);
}

static int packet_bind(struct sock *sk, const struct sockaddr *sa, socklen_t len)
{
	struct packet_sock *po = pkt_sk(sk);
	const struct net_device *dev;
	struct sockaddr_ll ll;

	if (!sa || len < sizeof(ll))
		return -EINVAL;
	memcpy(&ll, sa, sizeof(ll));
	if (ll.sll_family != AF_PACKET)
		return -EINVAL;
	dev = ll.sll_ifindex ? dev_get_by_index(sk->stack, ll.sll_ifindex) : NULL;
	if (ll.sll_ifindex && !dev)
		return -ENODEV;
	packet_stop(po);
	if (ll.sll_protocol)
		po->proto = be16_to_cpu(ll.sll_protocol);
	sk->protocol = po->proto;
	sk->bound_dev_if = po->tap.ifindex = ll.sll_ifindex;
	packet_start(po);
	if (po->running && dev && !dev_up(dev))
		sk_error(sk, ENETDOWN);
	return 0;
}

static int packet_getname(struct sock *sk, struct sockaddr *sa, socklen_t *len)
{
	const struct packet_sock *po = pkt_sk(sk);
	const struct net_device *dev = dev_get_by_index(sk->stack, po->tap.ifindex);
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = cpu_to_be16(po->proto), .sll_ifindex = po->tap.ifindex };
	socklen_t size = offsetof(struct sockaddr_ll, sll_addr);

	if (dev) {
		ll.sll_hatype = dev_is_loopback(dev) ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		ll.sll_halen = ETH_ADDR_LEN;
		memcpy(ll.sll_addr, &dev->conf->addr, ETH_ADDR_LEN);
		size += ETH_ADDR_LEN;
	}
	if (sa && *len)
		memcpy(sa, &ll, *len < size ? *len : size);
	*len = size;
	return 0;
}

/* Before the socket's memory goes: what waits is not a loss of a packet, it was a copy. */
static void packet_destroy(struct sock *sk)
{
	struct packet_sock *po = pkt_sk(sk);
	struct sk_buff *skb;

	packet_stop(po);
	while (po->nmembers)
		member_apply(sk->stack, &po->members[--po->nmembers].mreq, false);
	free(po->members);
	po->members = NULL;
	while ((skb = skb_dequeue(&sk->rcvq)))
		consume_skb(skb);
}

static void packet_close(struct sock *sk)
{
	packet_stop(pkt_sk(sk));
	sock_put(sk);
}

static int packet_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	(void)sk, (void)addr, (void)port;
	return -EOPNOTSUPP;
}

static int packet_disconnect(struct sock *sk)
{
	(void)sk;
	return -EOPNOTSUPP;
}

static int packet_shutdown(struct sock *sk, int how)
{
	(void)sk, (void)how;
	return -EOPNOTSUPP;
}

static int packet_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	struct packet_sock *po = pkt_sk(sk);
	bool *flag = name == PACKET_AUXDATA ? &po->auxdata : name == PACKET_IGNORE_OUTGOING ? &po->ignore_outgoing : NULL;
	int v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_ADD_MEMBERSHIP:
		return member_add(sk, val, len);
	case PACKET_DROP_MEMBERSHIP:
		return member_drop(sk, val, len);
	}
	if (!flag)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	*flag = v != 0;
	return 0;
}

static int packet_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	struct packet_sock *po = pkt_sk(sk);
	struct tpacket_stats st;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS: /* reading sets them back */
		st = (struct tpacket_stats){ .tp_packets = (unsigned)(po->packets + po->drops), .tp_drops = (unsigned)po->drops };
		po->packets = po->drops = 0;
		return opt_put(val, len, &st, sizeof(st));
	case PACKET_AUXDATA:
		return opt_put_int(val, len, po->auxdata);
	case PACKET_IGNORE_OUTGOING:
		return opt_put_int(val, len, po->ignore_outgoing);
	}
	return -ENOPROTOOPT;
}

static int packet_ioctl(struct sock *sk, unsigned long cmd, int *val)
{
	const struct sk_buff *skb = skb_peek(&sk->rcvq);

	if (cmd != FIONREAD)
		return datagram_ioctl(sk, cmd, val);
	*val = skb ? (int)PACKET_CB(skb)->snaplen : 0;
	return 0;
}

/* Addresses mean nothing here; the EtherType stands for the port, as in ss. */
static void packet_info(struct sock *sk, struct sock_info *info)
{
	info->local.family = info->remote.family = 0;
	info->lport = pkt_sk(sk)->proto;
}

const struct proto packet_prot = {
	.name = "PACKET",
	.obj_size = sizeof(struct packet_sock),
	.type = SOCK_RAW, /* or SOCK_DGRAM: packet_open */
	.destroy = packet_destroy,
	.close = packet_close,
	.bind = packet_bind,
	.getname = packet_getname,
	.connect = packet_connect,
	.disconnect = packet_disconnect,
	.shutdown = packet_shutdown,
	.sendmsg = packet_sendmsg,
	.recvmsg = packet_recvmsg,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.ioctl = packet_ioctl,
	.poll = datagram_poll,
	.info = packet_info,
};
