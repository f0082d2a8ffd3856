/* SPDX-License-Identifier: MIT */
/*
 * ip_forward.c: a packet of others on its way through.
 *
 * Theory of operation. The route is known (skb->rt). What is checked before it leaves, in this order: it was sent to us on the link and may leave its
 * link; it has life left for another hop (RFC 1812 5.3.1: a TTL of 1 ends here, the sender is told); a strict source route names a
 * neighbour; it fits the next link or may be cut (RFC 1191: the error says how large it may be). Then it is made ours to write, its TTL falls by one
 * with the checksum corrected by the difference, options are filled in, and it goes the way of all output.
 * A GSO packet passes if its segments fit; it is never larger on the wire than what came in.
 *
 * RFC 1812 5.2.4, 5.2.6, 5.2.7.2 (redirects), 5.3.1, 5.3.4 (link-layer broadcasts are not forwarded), RFC 3927 2.7 (link scope), RFC 1141/1624.
 * Not done here: filters; multicast. Directed broadcasts pass only where route.c let them (bc_forwarding, RFC 2644).
 */
#include "ip.h"
#include "bug.h"
#include "checksum.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>

static inline bool ipv4_is_linklocal(be32 a) { return (be32_to_cpu(a) >> 16) == 0xa9fe; }

static bool strict_route_broken(const struct sk_buff *skb)
{
	return IPCB(skb)->opt.is_strict && skb->rt.flags & RT_F_GATEWAY;
}

/* Larger than the way out and not to be cut: the sender is told and the packet ends here. */
static bool forward_too_big(struct stack *stack, struct sk_buff *skb, const struct ip_hdr *iph)
{
	if (likely(ip_fits(skb, skb->rt.mtu)) || !(iph->frag_off & cpu_to_be16(IP_DF)))
		return false;
	STACK_MIB_INC(stack, Ip_FragFails);
	icmp_send(stack, skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, skb->rt.mtu);
	return true;
}

void ip_forward(struct stack *stack, struct sk_buff *skb)
{
	struct ip_hdr *iph = (struct ip_hdr *)(void *)skb_network_header(skb);
	enum skb_drop_reason reason;

	if (unlikely(skb->pkt_type != SKB_PKT_HOST || (skb->rt.type != RTN_UNICAST && skb->rt.type != RTN_BROADCAST))) {
		reason = SKB_DROP_FORWARD_BROADCAST;
		goto drop;
	}
	if (unlikely(ipv4_is_linklocal(iph->saddr) || ipv4_is_linklocal(iph->daddr))) {
		reason = SKB_DROP_FORWARD_LINK_SCOPE;
		goto drop;
	}
	if (unlikely(iph->ttl <= 1)) {
		STACK_MIB_INC(stack, Ip_InHdrErrors);
		icmp_send(stack, skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		reason = SKB_DROP_IP_TTL;
		goto drop;
	}
	if (unlikely(strict_route_broken(skb))) {
		icmp_send(stack, skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
		reason = SKB_DROP_IP_SOURCE_ROUTE;
		goto drop;
	}
	if (unlikely(forward_too_big(stack, skb, iph))) {
		reason = SKB_DROP_PKT_TOO_BIG;
		goto drop;
	}
	if (unlikely(!skb_head_writable(skb) || skb_headroom(skb) < ETH_HLEN)) {
		if (skb_cow_head(skb, SKB_HEADROOM) < 0) {
			STACK_MIB_INC(stack, Ip_OutDiscards);
			reason = SKB_DROP_NOMEM;
			goto drop;
		}
		iph = (struct ip_hdr *)(void *)skb_network_header(skb);
	}
	if (unlikely(skb->rt.flags & RT_F_DOREDIRECT) && !IPCB(skb)->opt.srr)
		icmp_send_redirect(stack, skb);
	iph->ttl--;
	iph->check = ip_csum_ttl(iph->check);
	STACK_MIB_INC(stack, Ip_ForwDatagrams);
	if (unlikely(IPCB(skb)->opt.optlen))
		ip_options_forward(stack, skb);
	ip_output(stack, skb);
	return;

drop:
	kfree_skb(skb, reason);
}
