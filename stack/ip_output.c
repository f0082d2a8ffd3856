/* SPDX-License-Identifier: MIT */
/*
 * ip_output.c: IPv4 packets on the way out: the header of our own, and for all the choice between sending whole, segmenting and fragmenting.
 *
 * Theory of operation. Transports give their segment and a route to ip_build_and_send; the forwarder and raw sockets give whole packets to
 * ip_output. What fits the route's MTU, or will when the device (or gso.c) has cut it by gso_size, goes to the neighbour layer as it is.
 *
 * Identification: a packet that may not be fragmented needs none (RFC 6864 4.1) and gets 0; the others get one from ip_ident_reserve.
 * Not done here: choosing source and way (route.c), cutting (ip_fragment.c, gso.c).
 */
#include "ip.h"
#include "bug.h"
#include "checksum.h"
#include "neigh.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>

/* Our own broadcasts, and what goes to the group of all hosts, are heard by ourselves (RFC 1122 3.3.6), by way of lo. */
static void ip_hear_own(struct stack *stack, const struct sk_buff *skb)
{
	struct net_device *lo = dev_get_by_index(stack, 1);
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	struct sk_buff *copy;

	if (!lo || !dev_up(lo) || skb->rt.dev == lo || skb->rt.flags & RT_F_INPUT)
		return;
	if (skb->rt.type == RTN_MULTICAST && be32_to_cpu(iph->daddr) != 0xe0000001u)
		return;
	copy = skb_copy(skb, SKB_HEADROOM);
	if (!copy)
		return;
	copy->dev = lo;
	if (skb_checksum_help(copy) < 0 || eth_header(copy, lo, ETH_P_IP, &eth_broadcast, NULL) < 0) {
		kfree_skb(copy, SKB_DROP_NOMEM);
		return;
	}
	dev_queue_xmit(copy);
}

/* The length on the wire of each segment that a GSO packet becomes, IP header included. */
static uint32_t gso_seglen(const struct sk_buff *skb)
{
	uint32_t off = (uint32_t)(skb->transport_header - skb->network_header), thlen = sizeof(struct udp_hdr);

	if (skb->gso_type & SKB_GSO_TCPV4) {
		struct tcp_hdr buf;
		const struct tcp_hdr *th = skb_header_pointer(skb, off, sizeof(buf), &buf);

		thlen = th ? tcp_hdrlen(th) : sizeof(buf);
	}
	return off + thlen + skb->gso_size;
}

bool ip_fits_gso(const struct sk_buff *skb, uint32_t mtu)
{
	return skb_is_gso(skb) && gso_seglen(skb) <= mtu;
}

static __attribute__((noinline)) int ip_finish_large(struct stack *stack, struct sk_buff *skb)
{
	if (ip_fits_gso(skb, skb->rt.mtu))
		return neigh_output(stack, skb);
	return ip_do_fragment(stack, skb, skb->rt.mtu, neigh_output);
}

static inline int ip_finish_output(struct stack *stack, struct sk_buff *skb)
{
	return likely(skb->len <= skb->rt.mtu) ? neigh_output(stack, skb) : ip_finish_large(stack, skb);
}

static __attribute__((noinline)) void ip_output_group(struct stack *stack, struct sk_buff *skb)
{
	if (skb->rt.type == RTN_BROADCAST) {
		STACK_MIB_INC(stack, IpExt_OutBcastPkts);
		STACK_MIB_ADD(stack, IpExt_OutBcastOctets, skb->len);
	} else {
		STACK_MIB_INC(stack, IpExt_OutMcastPkts);
		STACK_MIB_ADD(stack, IpExt_OutMcastOctets, skb->len);
	}
	ip_hear_own(stack, skb);
}

int ip_output(struct stack *stack, struct sk_buff *skb)
{
	skb->dev = skb->rt.dev;
	skb->protocol = ETH_P_IP;
	STACK_MIB_INC(stack, Ip_OutTransmits);
	STACK_MIB_ADD(stack, IpExt_OutOctets, skb->len);
	if (unlikely(skb->rt.type == RTN_BROADCAST || skb->rt.type == RTN_MULTICAST))
		ip_output_group(stack, skb);
	return ip_finish_output(stack, skb);
}

int ip_build_and_send(struct stack *stack, struct sk_buff *skb, const struct ip_tx *tx)
{
	unsigned hlen = IPV4_HLEN + tx->optlen;
	struct ip_hdr *iph;
	uint16_t id = 0;

	STACK_MIB_INC(stack, Ip_OutRequests);
	if (unlikely(skb->len + hlen > IPV4_MAX_PACKET)) {
		STACK_MIB_INC(stack, Ip_OutDiscards);
		kfree_skb(skb, SKB_DROP_PKT_TOO_BIG);
		return -EMSGSIZE;
	}
	if (unlikely(!skb_head_writable(skb) || skb_headroom(skb) < hlen + ETH_HLEN) && skb_cow_head(skb, SKB_HEADROOM) < 0) {
		STACK_MIB_INC(stack, Ip_OutDiscards);
		kfree_skb(skb, SKB_DROP_NOMEM);
		return -ENOMEM;
	}
	if (tx->id_set)
		id = tx->id;
	else if (!tx->df)
		id = ip_ident_reserve(stack, tx->saddr.v4, tx->daddr.v4, tx->proto, skb->gso_segs ? skb->gso_segs : 1);
	skb_reset_transport_header(skb);
	iph = skb_push(skb, hlen);
	skb_reset_network_header(skb);
	iph->ver_ihl = (uint8_t)(0x40 | hlen / 4);
	iph->tos = tx->tos;
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	iph->id = cpu_to_be16(id);
	iph->frag_off = tx->df ? cpu_to_be16(IP_DF) : 0;
	iph->ttl = tx->ttl ? tx->ttl : (uint8_t)stack->sysctl->ip_default_ttl;
	iph->protocol = tx->proto;
	iph->check = 0;
	iph->saddr = tx->saddr.v4;
	iph->daddr = tx->daddr.v4;
	if (unlikely(tx->optlen))
		memcpy(iph + 1, tx->opt, tx->optlen);
	iph->check = ip_fast_csum(iph, hlen / 4);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	return ip_output(stack, skb);
}
