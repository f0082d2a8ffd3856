/* SPDX-License-Identifier: MIT */
/*
 * gro_udp.c: which UDP datagrams are merged (gro.c): those for a socket that asked (UDP_GRO), and with rx-udp-gro-forwarding any.
 *
 * Unlike bytes of TCP, datagrams have borders that count: all are of the size of the first, the last one may be shorter, and gso_size tells whoever gets them where
 * to cut. A datagram without a checksum stays alone, since all would have to be without. At most UDP_GRO_SEGS are merged, as a sender may send at once
 * with UDP_SEGMENT, so that what was merged can be forwarded.
 *
 * Not done: IPv6 sockets (there are none yet: only what is forwarded is merged).
 */
#include "bug.h"
#include "gro.h"
#include "ip.h"

#include <stddef.h>

#define UDP_GRO_SEGS 64
#define UDP_CHECK    ((uint16_t)offsetof(struct udp_hdr, check))

static bool udp_prepare(struct stack *stack, struct sk_buff *skb)
{
	struct gro_cb *cb = GRO_CB(skb);
	const struct udp_hdr *uh = gro_trans(skb);

	if (unlikely(skb_headlen(skb) < cb->trans + sizeof(*uh)))
		return false;
	if (!(skb->dev->conf->features & LINK_F_UDP_GRO_FWD) && (cb->v6 || !udp_gro_wanted(stack, gro_net(skb), uh, skb->dev->ifindex)))
		return false;
	cb->payload = (uint16_t)(cb->trans + sizeof(*uh));
	if (cb->stay || be16_to_cpu(uh->len) != skb->len - cb->trans || skb->len == cb->payload || skb_is_gso(skb) || !uh->check || !skb_head_writable(skb)) {
		cb->stay = true;
		return true;
	}
	return gro_csum_ok(skb, UDP_CHECK);
}

static bool udp_merge(struct sk_buff *p, struct sk_buff *skb)
{
	uint8_t rule;

	return GRO_CB(p)->count < UDP_GRO_SEGS && gro_payload_len(skb) <= GRO_CB(p)->mss && gro_ip_follows(p, skb, &rule) && gro_join(p, skb, rule);
}

static void udp_complete(struct sk_buff *p)
{
	struct udp_hdr *uh = gro_trans(p);

	uh->len = cpu_to_be16((uint16_t)(p->len - GRO_CB(p)->trans));
	p->gso_type |= SKB_GSO_UDP_L4;
	gro_partial_csum(p, UDP_CHECK);
}

const struct gro_proto gro_udp = { .prepare = udp_prepare, .merge = udp_merge, .complete = udp_complete };
