/* SPDX-License-Identifier: MIT */
/*
 * gso.c: cuts a large TCP or UDP packet over IPv4 into packets of gso_size payload bytes, for a device that does not do it itself.
 *
 * Theory. Each piece has a head of its own with a copy of the headers, and the payload by reference: no payload byte is copied. Lengths, IP identification
 * and TCP sequence numbers count on from piece to piece. FIN and PSH belong to the last piece only, CWR to the first (RFC 3168
 * section 6.1.2). The transport checksum is left to CHECKSUM_PARTIAL: the pseudo-header of the piece is put in.
 * The sender's charge (destructor) moves to the last piece, so that it is settled when all have been sent.
 *
 * A packet that would become more than GSO_MAX_SEGS pieces is refused: no sender makes one, and its pieces would take a thousand times its memory.
 *
 * Not done: IPv6, encapsulations.
 */
#include "bug.h"
#include "checksum.h"
#include "dev.h"
#include "wire/wire.h"

#include <errno.h>

#define GSO_MAX_SEGS 2048 /* 64 KiB at the least MSS a peer may ask for (net.ipv4.tcp_min_snd_mss), with room to spare */

struct gso_layout {
	uint32_t net; /* offsets from data */
	uint32_t trans, payload;
	bool     tcp;
};

/* The headers, linear and believable. */
static int gso_parse(struct sk_buff *skb, struct gso_layout *l)
{
	const struct ip_hdr *iph;

	if (skb->network_header == SKB_NO_HEADER || skb_network_offset(skb) < 0)
		return -EINVAL;
	l->net = (uint32_t)skb_network_offset(skb);
	l->tcp = skb->gso_type & SKB_GSO_TCPV4;
	if (!(skb->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_UDP_L4)))
		return -EINVAL;
	if (!skb_may_pull(skb, l->net + IPV4_HLEN))
		return -EINVAL;
	iph = (const struct ip_hdr *)(skb->data + l->net);
	if (iph->ver_ihl >> 4 != 4 || ip_hdrlen(iph) < IPV4_HLEN || iph->protocol != (l->tcp ? NS_IPPROTO_TCP : NS_IPPROTO_UDP) ||
	    be16_to_cpu(iph->frag_off) & (IP_MF | IP_OFFSET))
		return -EINVAL;
	l->trans = l->net + ip_hdrlen(iph);
	if (l->tcp) {
		const struct tcp_hdr *th;

		if (!skb_may_pull(skb, l->trans + (uint32_t)sizeof(*th)))
			return -EINVAL;
		th = (const struct tcp_hdr *)(skb->data + l->trans);
		if (tcp_hdrlen(th) < sizeof(*th))
			return -EINVAL;
		l->payload = l->trans + tcp_hdrlen(th);
	} else {
		l->payload = l->trans + (uint32_t)sizeof(struct udp_hdr);
	}
	return skb_may_pull(skb, l->payload) ? 0 : -EINVAL;
}

/* Where the reading of the payload stands. */
struct gso_cursor {
	uint32_t off; /* in the linear part, or in the fragment */
	int      frag; /* -1: the linear part */
};

static int gso_take(struct sk_buff *seg, const struct sk_buff *skb, struct gso_cursor *c, uint32_t n)
{
	while (n) {
		struct skb_area *area;
		uint32_t base, have, k;
		int err;

		if (c->frag < 0) {
			area = skb->area;
			base = (uint32_t)(skb->data - area->base);
			have = skb_headlen(skb);
		} else {
			area = skb->frags[c->frag].area;
			base = skb->frags[c->frag].off;
			have = skb->frags[c->frag].len;
		}
		if (c->off >= have) {
			c->frag++;
			c->off = 0;
			continue;
		}
		k = n < have - c->off ? n : have - c->off;
		err = skb_add_frag(seg, area, base + c->off, k);
		if (unlikely(err < 0))
			return err;
		c->off += k;
		n -= k;
	}
	return 0;
}

/* Writes what differs from piece to piece. The headers in seg are a copy of those of the whole. */
static void gso_headers(struct sk_buff *seg, const struct gso_layout *l, uint32_t index, uint32_t done, uint32_t n, bool last)
{
	struct ip_hdr *iph = (struct ip_hdr *)(seg->data + l->net);
	uint32_t tlen = l->payload - l->trans + n;
	struct ipaddr src = ipaddr_v4(iph->saddr), dst = ipaddr_v4(iph->daddr);
	be16 pseudo = (be16)~csum_fold(csum_pseudo(&src, &dst, tlen, iph->protocol));

	iph->tot_len = cpu_to_be16((uint16_t)(l->trans - l->net + tlen));
	iph->id = cpu_to_be16((uint16_t)(be16_to_cpu(iph->id) + index));
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->ver_ihl & 15u);
	if (l->tcp) {
		struct tcp_hdr *th = (struct tcp_hdr *)(seg->data + l->trans);

		th->seq = cpu_to_be32(be32_to_cpu(th->seq) + done);
		if (!last)
			th->flags &= (uint8_t)~(TCPHDR_FIN | TCPHDR_PSH);
		if (index)
			th->flags &= (uint8_t)~TCPHDR_CWR;
		th->check = pseudo;
		seg->csum_offset = offsetof(struct tcp_hdr, check);
	} else {
		struct udp_hdr *uh = (struct udp_hdr *)(seg->data + l->trans);

		uh->len = cpu_to_be16((uint16_t)tlen);
		uh->check = pseudo;
		seg->csum_offset = offsetof(struct udp_hdr, check);
	}
	seg->ip_summed = CHECKSUM_PARTIAL;
	seg->transport_header = (uint16_t)(skb_headroom(seg) + l->trans);
	seg->csum_start = seg->transport_header;
}

static struct sk_buff *gso_piece(const struct sk_buff *skb, const struct gso_layout *l)
{
	struct sk_buff *seg = alloc_skb(skb->pool, SKB_HEADROOM + l->payload, SKB_HEADROOM);

	if (unlikely(!seg))
		return NULL;
	skb_put_data(seg, skb->data, l->payload);
	seg->dev = skb->dev;
	seg->tstamp = skb->tstamp;
	seg->hash = skb->hash;
	seg->mark = skb->mark;
	seg->skb_iif = skb->skb_iif;
	seg->protocol = skb->protocol;
	seg->pkt_type = skb->pkt_type;
	seg->rt = skb->rt;
	seg->network_header = (uint16_t)(SKB_HEADROOM + l->net);
	if (l->net)
		seg->mac_header = SKB_HEADROOM;
	memcpy(seg->cb, skb->cb, sizeof(seg->cb));
	return seg;
}

int skb_gso_segment(struct sk_buff *skb, struct sk_buff_head *segs)
{
	struct gso_cursor cur = { 0, -1 };
	uint32_t left, done = 0, index = 0;
	struct gso_layout l;
	struct sk_buff *seg = NULL;
	int err;

	if (!skb->gso_size)
		return -EINVAL;
	err = gso_parse(skb, &l);
	if (err < 0)
		return err;
	cur.off = l.payload;
	left = skb->len - l.payload;
	if (left / skb->gso_size >= GSO_MAX_SEGS)
		return -EINVAL;
	do {
		uint32_t n = left < skb->gso_size ? left : skb->gso_size;

		seg = gso_piece(skb, &l);
		if (unlikely(!seg)) {
			err = -ENOMEM;
			goto err_undo;
		}
		skb_queue_tail(segs, seg);
		err = gso_take(seg, skb, &cur, n);
		if (unlikely(err < 0))
			goto err_undo;
		gso_headers(seg, &l, index++, done, n, n == left);
		done += n;
		left -= n;
	} while (left);
	if (skb->destructor) {
		seg->destructor = skb->destructor;
		seg->sk = skb->sk;
		seg->truesize = skb->truesize; /* what was charged */
		skb->destructor = NULL;
		skb->sk = NULL;
	}
	consume_skb(skb);
	return 0;

err_undo:
	while ((seg = skb_dequeue(segs)))
		consume_skb(seg);
	return err;
}
