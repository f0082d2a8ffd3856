/* SPDX-License-Identifier: MIT */
/*
 * gso.c: cuts a large TCP or UDP packet into packets of gso_size payload bytes each, for a device that does not do it itself.
 *
 * Theory. Each piece gets a copy of the headers and the payload by reference: no payload byte is copied. Lengths, IPv4 identifications and TCP sequence
 * numbers count on from piece to piece (identifications not with SKB_GSO_FIXEDID). FIN and PSH belong to the last piece only, CWR to the first (RFC 3168
 * section 6.1.2). The transport checksum is left to CHECKSUM_PARTIAL: the pseudo-header of the piece is put in. What gro.c merged comes out as it came in.
 * The sender's charge (destructor) moves to the last piece, so that it is settled when all have been sent.
 *
 * Where the headers of a piece go: usually into an area of their own. A packet of gro.c's has each piece's payload in an area that nobody else holds, with
 * room in front where its own headers once stood: they are put there, and the piece is one linear frame again at the cost of a struct sk_buff.
 *
 * A packet that would become more than GSO_MAX_SEGS pieces is refused: no sender makes one, and its pieces would take a thousand times its memory.
 *
 * Not done: encapsulations; IPv6 extension headers but hop-by-hop options, routing and destination options.
 */
#include "bug.h"
#include "checksum.h"
#include "dev.h"
#include "wire/wire.h"

#include <errno.h>

#define GSO_MAX_SEGS 2048 /* 64 KiB at the least MSS a peer may ask for (net.ipv4.tcp_min_snd_mss), with room to spare */
#define GSO_MAX_HDR  256 /* bytes in front of the payload, link layer and tags included */
#define GSO_ROOM     64 /* headroom of a piece that is made in place */

struct gso_layout {
	uint32_t net; /* offsets from data */
	uint32_t trans, payload;
	bool     tcp, v6, fixed_id;
	unsigned char hdr[GSO_MAX_HDR]; /* what stands in front of the payload */
};

/* The network header, as skb says or, with an Ethernet header in front, behind its tags. */
static int gso_find_net(struct sk_buff *skb, struct gso_layout *l)
{
	uint16_t type;

	if (skb->network_header == SKB_NO_HEADER || skb_network_offset(skb) < 0)
		return -EINVAL;
	l->net = (uint32_t)skb_network_offset(skb);
	if (l->net < ETH_HLEN)
		return 0;
	l->net = ETH_HLEN;
	for (int tags = 0; tags <= VLAN_MAX_TAGS; tags++) {
		if (!skb_may_pull(skb, l->net))
			return -EINVAL;
		type = get_be16(skb->data + l->net - 2);
		if (!vlan_is_tag(type))
			return 0;
		l->net += 4;
	}
	return -EINVAL;
}

static int gso_ipv4(struct sk_buff *skb, struct gso_layout *l, uint8_t *proto)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(skb->data + l->net);

	if (ip_hdrlen(iph) < IPV4_HLEN || be16_to_cpu(iph->frag_off) & (IP_MF | IP_OFFSET))
		return -EINVAL;
	l->trans = l->net + ip_hdrlen(iph);
	*proto = iph->protocol;
	return 0;
}

static int gso_ipv6(struct sk_buff *skb, struct gso_layout *l, uint8_t *proto)
{
	uint32_t off = l->net + IPV6_HLEN;
	uint8_t next;

	if (!skb_may_pull(skb, off))
		return -EINVAL;
	next = ((const struct ip6_hdr *)(skb->data + l->net))->nexthdr;
	while (next == NS_IPPROTO_HOPOPTS || next == NS_IPPROTO_ROUTING || next == NS_IPPROTO_DSTOPTS) { /* RFC 8200 section 4: next header, length in 8 bytes less one */
		if (off > GSO_MAX_HDR || !skb_may_pull(skb, off + 8))
			return -EINVAL;
		next = skb->data[off];
		off += 8u * (skb->data[off + 1] + 1u);
	}
	l->v6 = true;
	l->trans = off;
	*proto = next;
	return 0;
}

/* The headers, linear and believable. */
static int gso_parse(struct sk_buff *skb, struct gso_layout *l)
{
	uint8_t proto = 0;
	int err = gso_find_net(skb, l);

	l->v6 = false;
	l->tcp = skb->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6);
	l->fixed_id = skb->gso_type & SKB_GSO_FIXEDID;
	if (err < 0 || !(skb->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_UDP_L4)) || !skb_may_pull(skb, l->net + IPV4_HLEN))
		return -EINVAL;
	switch (skb->data[l->net] >> 4) {
	case 4:
		err = skb->gso_type & SKB_GSO_TCPV6 ? -EINVAL : gso_ipv4(skb, l, &proto);
		break;
	case 6:
		err = skb->gso_type & SKB_GSO_TCPV4 ? -EINVAL : gso_ipv6(skb, l, &proto);
		break;
	default:
		err = -EINVAL;
	}
	if (err < 0 || proto != (l->tcp ? NS_IPPROTO_TCP : NS_IPPROTO_UDP))
		return -EINVAL;
	if (l->tcp) {
		const struct tcp_hdr *th;

		if (l->trans > GSO_MAX_HDR || !skb_may_pull(skb, l->trans + (uint32_t)sizeof(*th)))
			return -EINVAL;
		th = (const struct tcp_hdr *)(skb->data + l->trans);
		if (tcp_hdrlen(th) < sizeof(*th))
			return -EINVAL;
		l->payload = l->trans + tcp_hdrlen(th);
	} else {
		l->payload = l->trans + (uint32_t)sizeof(struct udp_hdr);
	}
	if (l->payload > GSO_MAX_HDR || !skb_may_pull(skb, l->payload))
		return -EINVAL;
	memcpy(l->hdr, skb->data, l->payload);
	return 0;
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

static void gso_ip_header(unsigned char *net, const struct gso_layout *l, uint32_t index, uint32_t len)
{
	struct ip_hdr *iph = (struct ip_hdr *)net;

	if (l->v6) {
		((struct ip6_hdr *)net)->payload_len = cpu_to_be16((uint16_t)(len - IPV6_HLEN));
		return;
	}
	iph->tot_len = cpu_to_be16((uint16_t)len);
	if (!l->fixed_id)
		iph->id = cpu_to_be16((uint16_t)(be16_to_cpu(iph->id) + index));
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->ver_ihl & 15u);
}

/* Not folded; the addresses stand together in either header. */
static uint32_t gso_pseudo(const unsigned char *net, const struct gso_layout *l, uint32_t tlen)
{
	uint32_t sum = cpu_to_be32(tlen + (l->tcp ? NS_IPPROTO_TCP : NS_IPPROTO_UDP));

	if (l->v6)
		return csum_partial(net + offsetof(struct ip6_hdr, saddr), 32, sum);
	return csum_partial(net + offsetof(struct ip_hdr, saddr), 8, sum);
}

/* Writes what differs from piece to piece. The headers in seg are a copy of those of the whole. */
static void gso_headers(struct sk_buff *seg, const struct gso_layout *l, uint32_t index, uint32_t done, uint32_t n, bool last)
{
	uint32_t tlen = l->payload - l->trans + n;
	be16 pseudo = (be16)~csum_fold(gso_pseudo(seg->data + l->net, l, tlen));

	gso_ip_header(seg->data + l->net, l, index, l->trans - l->net + tlen);
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

/* The next n bytes of payload where they are, with room for headers in front: the whole of a fragment that nobody else holds. NULL: there is no such. */
static struct sk_buff *gso_in_place(const struct sk_buff *skb, const struct gso_layout *l, struct gso_cursor *c, uint32_t n)
{
	const struct skb_frag *f;
	struct sk_buff *seg;

	if (c->frag < 0) {
		if (c->off != l->payload || skb_headlen(skb) != l->payload + n || !skb_head_writable(skb) || skb->nohdr || skb->area->free ||
		    skb_headroom(skb) < GSO_ROOM)
			return NULL;
		skb_area_get(skb->area);
		seg = build_skb(skb->pool, skb->area, (uint32_t)(skb->data - skb->area->base), l->payload + n);
	} else {
		f = &skb->frags[c->frag];
		if (c->off || f->len != n || f->area->refcnt != 1 || f->area->free || f->off < l->payload + GSO_ROOM || f->off >= SKB_NO_HEADER)
			return NULL;
		skb_area_get(f->area);
		seg = build_skb(skb->pool, f->area, f->off - l->payload, l->payload + n);
	}
	if (unlikely(!seg))
		return NULL;
	memcpy(seg->data, l->hdr, l->payload);
	c->frag++;
	c->off = 0;
	return seg;
}

static struct sk_buff *gso_piece(const struct sk_buff *skb, const struct gso_layout *l, struct gso_cursor *c, uint32_t n)
{
	struct sk_buff *seg;

	if (c->frag < 0 && c->off == skb_headlen(skb))
		*c = (struct gso_cursor){ 0, 0 };
	else if (c->frag >= 0 && c->off == skb->frags[c->frag].len)
		*c = (struct gso_cursor){ 0, c->frag + 1 };
	seg = n && c->frag < skb->nr_frags ? gso_in_place(skb, l, c, n) : NULL;
	if (!seg) {
		seg = alloc_skb(skb->pool, SKB_HEADROOM + l->payload, SKB_HEADROOM);
		if (unlikely(!seg))
			return NULL;
		skb_put_data(seg, l->hdr, l->payload);
		if (unlikely(gso_take(seg, skb, c, n) < 0)) {
			consume_skb(seg);
			return NULL;
		}
	}
	seg->dev = skb->dev;
	seg->tstamp = skb->tstamp;
	seg->hash = skb->hash;
	seg->mark = skb->mark;
	seg->priority = skb->priority;
	seg->skb_iif = skb->skb_iif;
	seg->protocol = skb->protocol;
	seg->pkt_type = skb->pkt_type;
	seg->rt = skb->rt;
	seg->network_header = (uint16_t)(skb_headroom(seg) + (uint32_t)skb_network_offset(skb));
	if (l->net)
		seg->mac_header = (uint16_t)skb_headroom(seg);
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
	if (left > (uint32_t)skb->gso_size * GSO_MAX_SEGS)
		return -EINVAL;
	do {
		uint32_t n = left < skb->gso_size ? left : skb->gso_size;

		seg = gso_piece(skb, &l, &cur, n);
		if (unlikely(!seg)) {
			err = -ENOMEM;
			goto err_undo;
		}
		skb_queue_tail(segs, seg);
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
	memcpy(skb->data, l.hdr, l.payload); /* a piece may have stood here */
	return err;
}
