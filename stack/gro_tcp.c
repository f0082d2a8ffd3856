/* SPDX-License-Identifier: MIT */
/*
 * gro_tcp.c: which TCP segments are merged (gro.c), over IPv4 and IPv6.
 *
 * A segment follows a held one if it begins where that one ends and its header is the same but for sequence number, checksum, PSH and FIN: acknowledgement,
 * window, urgent pointer, reserved bits and options (timestamps, too) are compared bit for bit. All segments are of the size of the first, but for the last. PSH and FIN end the row;
 * CWR stands in the first segment alone (RFC 3168 section 6.1.2), which is where gso.c puts it. A segment without data, or with SYN, RST, URG or without
 * ACK, is merged with nothing and flushes its flow.
 *
 * A checksum of 0xffff is right where 0 is, but nobody who computes it gets it: such a segment would not come out again as it came, and stays alone.
 */
#include "bug.h"
#include "gro.h"

#include <stddef.h>

#define TCP_CHECK ((uint16_t)offsetof(struct tcp_hdr, check))

static bool tcp_prepare(struct stack *stack, struct sk_buff *skb)
{
	struct gro_cb *cb = GRO_CB(skb);
	const struct tcp_hdr *th = gro_trans(skb);

	(void)stack;
	if (unlikely(skb_headlen(skb) < cb->trans + sizeof(*th) || tcp_hdrlen(th) < sizeof(*th) || skb_headlen(skb) < cb->trans + tcp_hdrlen(th)))
		return false;
	cb->payload = (uint16_t)(cb->trans + tcp_hdrlen(th));
	if (cb->stay || skb->len == cb->payload || skb_is_gso(skb) || (th->flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_URG | TCPHDR_ACK)) != TCPHDR_ACK ||
	    th->check == 0xffff || !skb_head_writable(skb)) {
		cb->stay = true;
		return true;
	}
	cb->last = th->flags & (TCPHDR_PSH | TCPHDR_FIN);
	cb->next_seq = be32_to_cpu(th->seq) + gro_payload_len(skb);
	return gro_csum_ok(skb, TCP_CHECK); /* a wrong one must not disturb its flow */
}

static bool tcp_merge(struct sk_buff *p, struct sk_buff *skb)
{
	struct tcp_hdr *a = gro_trans(p);
	const struct tcp_hdr *b = gro_trans(skb);
	uint32_t next = GRO_CB(skb)->next_seq;
	uint8_t flags = b->flags, rule;

	if (be32_to_cpu(b->seq) != GRO_CB(p)->next_seq || gro_payload_len(skb) > GRO_CB(p)->mss)
		return false;
	if ((a->ack_seq ^ b->ack_seq) | (a->doff ^ b->doff) | (a->window ^ b->window) | (a->urg_ptr ^ b->urg_ptr))
		return false;
	if ((a->flags ^ flags) & ~(TCPHDR_CWR | TCPHDR_PSH | TCPHDR_FIN) || flags & TCPHDR_CWR)
		return false;
	if (memcmp(a + 1, b + 1, tcp_hdrlen(b) - sizeof(*b)) || !gro_ip_follows(p, skb, &rule) || !gro_join(p, skb, rule))
		return false;
	a->flags |= flags & (TCPHDR_PSH | TCPHDR_FIN);
	GRO_CB(p)->next_seq = next;
	return true;
}

static void tcp_complete(struct sk_buff *p)
{
	const struct tcp_hdr *th = gro_trans(p);

	p->gso_type |= GRO_CB(p)->v6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	if (th->flags & TCPHDR_CWR)
		p->gso_type |= SKB_GSO_TCP_ECN;
	gro_partial_csum(p, TCP_CHECK);
}

const struct gro_proto gro_tcp = { .prepare = tcp_prepare, .merge = tcp_merge, .complete = tcp_complete };
