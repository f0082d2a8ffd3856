/* SPDX-License-Identifier: MIT */
/*
 * ip_input.c: a received IPv4 packet: is it one, is it allowed, whose is it.
 *
 * Theory of operation. ip_rcv looks at the header alone, in the order of RFC 1812 5.2.2: enough bytes, version, header length, checksum, total length; it
 * cuts off the padding of the link. ip_rcv_finish compiles options, asks ip_route_input where it goes, and hands it to ip_local_deliver or
 * ip_forward. Local delivery reassembles, lets raw sockets look, and calls the transport from the table ip_protos.
 * A packet to one host that came in a link-layer broadcast is not accepted (RFC 1122 3.3.6).
 *
 * RFC 791, RFC 1122 3.2.1, RFC 1812 5.2. Weak end-system model (RFC 1122 3.3.4.2), as on Linux.
 * Not done here: where things go (route.c), options (ip_options.c), fragments (ip_fragment.c).
 */
#include "ip.h"
#include "runtime.h"
#include "bug.h"
#include "checksum.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>

static const struct ip_proto icmp_protocol = { .handler = icmp_rcv };
static const struct ip_proto tcp_protocol = { .handler = tcp_v4_rcv, .err = tcp_v4_err };
static const struct ip_proto udp_protocol = { .handler = udp_rcv, .err = udp_err };

static const struct ip_proto *const ip_protos[256] = {
	[NS_IPPROTO_ICMP] = &icmp_protocol,
	[NS_IPPROTO_TCP] = &tcp_protocol,
	[NS_IPPROTO_UDP] = &udp_protocol,
};

const struct ip_proto *ip_proto_get(uint8_t proto)
{
	return ip_protos[proto];
}

static inline struct ip_hdr *ip_hdr_of(const struct sk_buff *skb)
{
	return (struct ip_hdr *)(void *)skb_network_header(skb);
}

/* Another shard has counted it: it was handed over above IP, or was put together there from fragments. */
static inline bool ip_counted(const struct sk_buff *skb)
{
	return skb->handed | skb->reassembled | skb->to_raw;
}

static inline void ip_count(struct stack *stack, const struct sk_buff *skb)
{
	STACK_MIB_INC(stack, Ip_InReceives);
	STACK_MIB_ADD(stack, IpExt_InOctets, skb->len);
}

/* A packet of a sample goes to its protocol. */
static __attribute__((noinline)) void ip_sample_protocol(struct stack *stack, const struct sk_buff *skb, uint8_t proto)
{
	if (proto == NS_IPPROTO_TCP || proto == NS_IPPROTO_UDP || proto == NS_IPPROTO_ICMP)
		runtime_packet(stack, skb, proto == NS_IPPROTO_TCP ? RUNTIME_TCP : proto == NS_IPPROTO_UDP ? RUNTIME_UDP : RUNTIME_ICMP);
}

/* ---- local delivery ---------------------------------------------------------------------------------------------------- */

static void ip_protocol_deliver(struct stack *stack, struct sk_buff *skb)
{
	uint8_t proto = ip_hdr_of(skb)->protocol;
	const struct ip_proto *p = ip_protos[proto];
	bool raw;

	skb_pull(skb, ip_hdrlen(ip_hdr_of(skb)));
	skb_reset_transport_header(skb);
	raw = raw_rcv(stack, skb);
	if (unlikely(skb->rare)) {
		if (skb->to_raw) {
			kfree_skb(skb, raw ? SKB_CONSUMED : SKB_DROP_NO_SOCKET);
			return;
		}
		if (skb->sampled)
			ip_sample_protocol(stack, skb, proto);
	}
	if (likely(p)) {
		if (likely(!skb->handed))
			STACK_MIB_INC(stack, Ip_InDelivers);
		p->handler(stack, skb);
		return;
	}
	if (raw) {
		STACK_MIB_INC(stack, Ip_InDelivers);
		consume_skb(skb);
		return;
	}
	STACK_MIB_INC(stack, Ip_InUnknownProtos);
	icmp_send(stack, skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	kfree_skb(skb, SKB_DROP_IP_NOPROTO);
}

void ip_local_deliver(struct stack *stack, struct sk_buff *skb)
{
	if (unlikely(ip_hdr_of(skb)->frag_off & cpu_to_be16(IP_MF | IP_OFFSET))) {
		skb = ip_defrag(stack, skb);
		if (!skb)
			return;
	}
	ip_protocol_deliver(stack, skb);
}

/* ---- routing ----------------------------------------------------------------------------------------------------------- */

/* Options are good, and source routing is permitted where it is asked for. SKB_CONSUMED: go on. */
static enum skb_drop_reason ip_rcv_options(struct stack *stack, struct sk_buff *skb)
{
	unsigned bad;

	if (ip_options_compile(stack, skb, &bad) < 0) {
		STACK_MIB_INC(stack, Ip_InHdrErrors);
		icmp_send(stack, skb, ICMP_PARAMETERPROB, 0, bad);
		return SKB_DROP_IP_OPTIONS;
	}
	if (IPCB(skb)->opt.srr && !skb->dev->conf->v4.accept_source_route) {
		STACK_MIB_INC(stack, Ip_InHdrErrors);
		return SKB_DROP_IP_SOURCE_ROUTE;
	}
	return SKB_CONSUMED;
}

static void ip_rcv_group(struct stack *stack, const struct sk_buff *skb)
{
	if (skb->rt.type == RTN_MULTICAST) {
		STACK_MIB_INC(stack, IpExt_InMcastPkts);
		STACK_MIB_ADD(stack, IpExt_InMcastOctets, skb->len);
	} else {
		STACK_MIB_INC(stack, IpExt_InBcastPkts);
		STACK_MIB_ADD(stack, IpExt_InBcastOctets, skb->len);
	}
}

static void ip_rcv_finish(struct stack *stack, struct sk_buff *skb, const struct ip_hdr *iph)
{
	enum skb_drop_reason reason;

	if (unlikely(iph->ver_ihl != 0x45)) {
		reason = ip_rcv_options(stack, skb);
		if (reason != SKB_CONSUMED)
			goto drop;
		iph = ip_hdr_of(skb);
	}
	reason = ip_route_input(stack, skb, iph->daddr, iph->saddr, iph->tos, skb->dev);
	if (unlikely(reason != SKB_CONSUMED))
		goto drop;
	if (unlikely(skb->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST))) {
		if (!ip_counted(skb))
			ip_rcv_group(stack, skb);
	} else if (unlikely(skb->pkt_type == SKB_PKT_BROADCAST || skb->pkt_type == SKB_PKT_MULTICAST)) {
		reason = SKB_DROP_UNICAST_IN_L2_MULTICAST;
		goto drop;
	}
	if (unlikely(IPCB(skb)->opt.srr)) {
		reason = ip_options_source_route(stack, skb);
		if (reason != SKB_CONSUMED)
			goto drop;
	}
	if (unlikely(skb->rare)) {
		if (skb->to_raw && !(skb->rt.flags & RT_F_LOCAL)) {
			reason = SKB_DROP_NO_SOCKET; /* the address is no longer ours; a copy is not sent on */
			goto drop;
		}
		if (skb->sampled)
			runtime_packet(stack, skb, skb->rt.flags & RT_F_LOCAL ? RUNTIME_DELIVER : RUNTIME_FORWARD);
	}
	if (skb->rt.flags & RT_F_LOCAL)
		ip_local_deliver(stack, skb);
	else
		ip_forward(stack, skb);
	return;

drop:
	kfree_skb(skb, reason);
}

/* ---- validation -------------------------------------------------------------------------------------------------------- */

static void ip_rcv_error(struct stack *stack, struct sk_buff *skb, enum skb_drop_reason reason)
{
	if (reason == SKB_DROP_IP_CSUM)
		STACK_MIB_INC(stack, IpExt_InCsumErrors);
	if (reason == SKB_DROP_IP_TRUNCATED)
		STACK_MIB_INC(stack, IpExt_InTruncatedPkts);
	else
		STACK_MIB_INC(stack, Ip_InHdrErrors);
	kfree_skb(skb, reason);
}

void ip_rcv(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph;
	unsigned hlen;
	uint32_t len;

	if (unlikely(skb->pkt_type == SKB_PKT_OTHERHOST)) {
		kfree_skb(skb, SKB_DROP_OTHERHOST);
		return;
	}
	if (unlikely(skb->rare)) {
		if (skb->sampled)
			runtime_packet(stack, skb, RUNTIME_IP_RCV);
		if (!ip_counted(skb))
			ip_count(stack, skb);
	} else {
		ip_count(stack, skb);
	}
	if (unlikely(!skb_may_pull(skb, sizeof(*iph)))) {
		ip_rcv_error(stack, skb, SKB_DROP_IP_SHORT);
		return;
	}
	iph = (const struct ip_hdr *)(const void *)skb->data;
	hlen = ip_hdrlen(iph);
	if (likely(iph->ver_ihl == 0x45)) {
		if (unlikely(!ip_csum20_ok(iph))) {
			ip_rcv_error(stack, skb, SKB_DROP_IP_CSUM);
			return;
		}
	} else {
		if (iph->ver_ihl >> 4 != 4 || hlen < sizeof(*iph) || !skb_may_pull(skb, hlen)) {
			ip_rcv_error(stack, skb, SKB_DROP_IP_INHDR);
			return;
		}
		iph = (const struct ip_hdr *)(const void *)skb->data;
		if (ip_fast_csum(iph, hlen / 4)) {
			ip_rcv_error(stack, skb, SKB_DROP_IP_CSUM);
			return;
		}
	}
	len = be16_to_cpu(iph->tot_len);
	if (unlikely(len < hlen)) {
		ip_rcv_error(stack, skb, SKB_DROP_IP_INHDR);
		return;
	}
	if (unlikely(skb->len < len)) {
		ip_rcv_error(stack, skb, SKB_DROP_IP_TRUNCATED);
		return;
	}
	if (skb->len > len)
		skb_trim(skb, len);
	if (unlikely(skb->ip_summed == CHECKSUM_COMPLETE))
		skb->ip_summed = CHECKSUM_NONE; /* the sum covers padding and headers that go */
	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + hlen);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	IPCB(skb)->iif = skb->dev->ifindex;
	ip_rcv_finish(stack, skb, iph);
}
