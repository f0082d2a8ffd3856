/* SPDX-License-Identifier: MIT */
/*
 * gro.c: generic receive offload: segments of a flow that arrive in one poll become one packet, which goes through the stack once.
 *
 * Theory. Between the driver and netif_receive_skb each frame of a device with LINK_F_GRO is looked at. If the flow that it belongs to has a packet held in
 * the NAPI's table and the frame is exactly what would follow, its payload is put behind the held one by reference; if it is not, the held one goes on its way
 * first, so that a flow is never reordered. What begins a row is held. Held packets go on when a segment says so (PSH, FIN, a shorter one), when 64 KiB are
 * full, when their bucket is, at the end of the poll, or, while a device never gets empty, after GRO_AGE. net.core.gro_flush_timeout lets them wait
 * longer than a poll, for devices that are polled for every few frames.
 *
 * What follows is defined such that gso.c makes of a merged packet again the frames that came: the same link-layer header and tags, the same IP header but for
 * length, identification (counting up; or, with DF, all the same) and checksum, the same transport header but for sequence number, PSH, FIN and checksum.
 * The rules for transports are theirs (gro_tcp.c, gro_udp.c); a merged packet looks like what a device with TSO sends: gso_size, CHECKSUM_PARTIAL.
 *
 * A frame whose IP header is not a plain, right one (options, fragments, checksum) passes untouched, as does what is a GSO packet already.
 * The transport's checksum is verified for whatever is held, once: nothing wrong is merged, and nobody needs to sum it again.
 *
 * Invariants: at most GRO_BUCKET_MAX packets a bucket; gro_bitmask has the bits of the buckets that are not empty; what is held has a writable head and its
 * headers linear; nothing is held between a poll's end and the next without gro_flush_timeout's timer running, or the NAPI on the poll list.
 *
 * Not done: encapsulations; IPv6 extension headers; extensions beyond 64 KiB (BIG TCP); IPv4 options.
 */
#include "bug.h"
#include "checksum.h"
#include "gro.h"

#include <errno.h>

#define GRO_AGE NSEC_PER_MSEC /* held for so long while the device is never empty */

static inline const struct gro_proto *gro_proto_of(const struct sk_buff *skb)
{
	return likely(GRO_CB(skb)->proto == NS_IPPROTO_TCP) ? &gro_tcp : &gro_udp;
}

/* ---- what is merged ------------------------------------------------------------------------------------------------------------------------------- */

bool gro_csum_ok(struct sk_buff *skb, uint16_t check)
{
	const struct gro_cb *cb = GRO_CB(skb);
	uint32_t len = skb->len - cb->trans, sum;

	if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		return true;
	if (skb->ip_summed == CHECKSUM_PARTIAL) /* of this very header, or it is none of our business */
		return skb->csum_start == skb_headroom(skb) + cb->trans && skb->csum_offset == check;
	sum = csum_partial(skb->data + cb->addrs, cb->addrs_len, cpu_to_be32(len + cb->proto)); /* the pseudo-header */
	if (csum_fold(skb_checksum(skb, cb->trans, len, sum)))
		return false;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return true;
}

static bool ipv4_follows(const struct sk_buff *p, const struct sk_buff *skb, uint8_t *rule)
{
	const struct ip_hdr *a = gro_net(p), *b = gro_net(skb);
	const struct gro_cb *cb = GRO_CB(p);
	uint16_t step = (uint16_t)(be16_to_cpu(b->id) - cb->id);

	if ((a->tos ^ b->tos) | (a->ttl ^ b->ttl) | (a->frag_off ^ b->frag_off))
		return false;
	*rule = cb->id_rule;
	if (cb->id_rule == GRO_ID_ONE) /* what it will be; without DF identifications that are the same mean trouble (RFC 6864 4.1) */
		*rule = step == 0 && (a->frag_off & cpu_to_be16(IP_DF)) ? GRO_ID_FIXED : GRO_ID_COUNTS;
	return step == (*rule == GRO_ID_FIXED ? 0 : cb->count);
}

bool gro_ip_follows(const struct sk_buff *p, const struct sk_buff *skb, uint8_t *rule)
{
	const struct ip6_hdr *a = gro_net(p), *b = gro_net(skb);

	if (likely(!GRO_CB(p)->v6))
		return ipv4_follows(p, skb, rule);
	*rule = GRO_ID_FIXED;
	return a->flow == b->flow && a->hop_limit == b->hop_limit; /* version, traffic class and flow label in one word */
}

bool gro_join(struct sk_buff *p, struct sk_buff *skb, uint8_t rule)
{
	uint32_t payload = GRO_CB(skb)->payload;

	if (p->len - GRO_CB(p)->net + (skb->len - payload) > IPV4_MAX_PACKET || skb_append(p, skb, payload) < 0)
		return false;
	GRO_CB(p)->id_rule = rule;
	GRO_CB(p)->count++;
	return true;
}

void gro_partial_csum(struct sk_buff *p, uint16_t check)
{
	const struct gro_cb *cb = GRO_CB(p);
	uint32_t sum = csum_partial(p->data + cb->addrs, cb->addrs_len, cpu_to_be32(p->len - cb->trans + cb->proto));
	be16 pseudo = (be16)~csum_fold(sum);

	memcpy(p->data + cb->trans + check, &pseudo, sizeof(pseudo));
	p->ip_summed = CHECKSUM_PARTIAL;
	p->csum_start = (uint16_t)(skb_headroom(p) + cb->trans);
	p->csum_offset = check;
}

/* ---- going on ------------------------------------------------------------------------------------------------------------------------------------- */

static void gro_complete(struct sk_buff *p)
{
	const struct gro_cb *cb = GRO_CB(p);

	if (cb->v6) {
		struct ip6_hdr *ip6 = gro_net(p);

		ip6->payload_len = cpu_to_be16((uint16_t)(p->len - cb->trans));
	} else {
		struct ip_hdr *iph = gro_net(p);
		be16 len = cpu_to_be16((uint16_t)(p->len - cb->net));
		uint16_t check = iph->check;

		csum_replace2(&check, iph->tot_len, len);
		iph->tot_len = len;
		iph->check = check;
	}
	p->gso_size = cb->mss;
	p->gso_segs = cb->count;
	p->gso_type = cb->id_rule == GRO_ID_FIXED && !cb->v6 ? SKB_GSO_FIXEDID : 0;
	gro_proto_of(p)->complete(p);
}

/* p is in no list any more. */
static void gro_pass(struct napi_struct *napi, struct sk_buff *p)
{
	if (GRO_CB(p)->count > 1)
		gro_complete(p);
	netif_receive_skb(napi->dev->stack, p);
}

static void gro_unlink(struct napi_struct *napi, struct sk_buff *p)
{
	unsigned i = GRO_CB(p)->hash % GRO_BUCKETS;

	skb_unlink(&napi->gro[i], p);
	if (skb_queue_empty(&napi->gro[i]))
		napi->gro_bitmask &= (uint8_t)~(1u << i);
}

static void gro_let_go(struct napi_struct *napi, struct sk_buff *p, uint64_t *why)
{
	++*why;
	gro_unlink(napi, p);
	gro_pass(napi, p);
}

void napi_gro_flush(struct napi_struct *napi, bool old_only)
{
	ktime_t limit = napi->dev->stack->now - (old_only ? GRO_AGE : 0);

	for (unsigned i = 0; i < GRO_BUCKETS && napi->gro_bitmask; i++) {
		struct sk_buff *p;

		while ((p = skb_peek(&napi->gro[i])) && GRO_CB(p)->when <= limit) /* the first is the oldest */
			gro_let_go(napi, p, old_only ? &napi->gro_stats.flush_age : &napi->gro_stats.flush_poll);
	}
}

static void gro_timer_fn(struct stack *stack, struct timer *t)
{
	(void)stack;
	napi_gro_flush(container_of(t, struct napi_struct, gro_timer), false);
}

void napi_gro_poll_end(struct napi_struct *napi, bool more)
{
	struct stack *stack = napi->dev->stack;
	ktime_t wait = stack->sysctl->gro_flush_timeout;

	napi_gro_flush(napi, more || wait);
	if (wait && !more && napi->gro_bitmask && !timer_pending(&napi->gro_timer))
		timer_mod(stack, &napi->gro_timer, stack->now + wait);
}

void napi_gro_purge(struct napi_struct *napi, enum skb_drop_reason reason)
{
	for (unsigned i = 0; i < GRO_BUCKETS; i++) {
		napi->dev->stats.rx_dropped += napi->gro[i].qlen;
		skb_queue_purge(&napi->gro[i], reason);
	}
	napi->gro_bitmask = 0;
	timer_del(napi->dev->stack, &napi->gro_timer);
}

void napi_gro_init(struct napi_struct *napi)
{
	for (unsigned i = 0; i < GRO_BUCKETS; i++)
		skb_queue_init(&napi->gro[i]);
	timer_init(&napi->gro_timer, gro_timer_fn);
}

/* ---- what comes in -------------------------------------------------------------------------------------------------------------------------------- */

static bool gro_ipv4(struct sk_buff *skb, struct gro_cb *cb)
{
	const struct ip_hdr *iph = gro_net(skb);
	uint32_t len = skb->len - cb->net;

	if (skb_headlen(skb) < cb->net + IPV4_HLEN + 8u || iph->ver_ihl != 0x45 || (iph->frag_off & ~cpu_to_be16(IP_DF)) || !ip_csum20_ok(iph))
		return false;
	if (be16_to_cpu(iph->tot_len) > len)
		return false;
	cb->stay = be16_to_cpu(iph->tot_len) != len; /* what pads a frame is not payload */
	cb->v6 = false;
	cb->proto = iph->protocol;
	cb->id = be16_to_cpu(iph->id);
	cb->addrs = (uint16_t)(cb->net + offsetof(struct ip_hdr, saddr));
	cb->addrs_len = 8;
	return true;
}

static bool gro_ipv6(struct sk_buff *skb, struct gro_cb *cb)
{
	const struct ip6_hdr *ip6 = gro_net(skb);
	uint32_t len;

	if (skb_headlen(skb) < cb->net + IPV6_HLEN + 8u || be32_to_cpu(ip6->flow) >> 28 != 6)
		return false;
	len = skb->len - cb->net - IPV6_HLEN;
	if (be16_to_cpu(ip6->payload_len) > len)
		return false;
	cb->stay = be16_to_cpu(ip6->payload_len) != len;
	cb->v6 = true;
	cb->proto = ip6->nexthdr;
	cb->addrs = (uint16_t)(cb->net + offsetof(struct ip6_hdr, saddr));
	cb->addrs_len = 32;
	return true;
}

/* Of addresses and ports; keyed, though all that somebody who aims at a bucket can get is that less is merged. */
static inline uint32_t gro_hash(const struct stack *stack, const unsigned char *p, unsigned addrs_len)
{
	uint64_t sum = stack->flow_key.k[0], w;
	uint32_t ports;

	memcpy(&ports, p + addrs_len, sizeof(ports));
	for (const unsigned char *end = p + addrs_len; p < end; p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		sum = (sum ^ w) * (stack->flow_key.k[1] | 1);
	}
	return (uint32_t)((sum ^ ports) * (stack->flow_key.k[1] | 1) >> 32);
}

/* Fills GRO_CB(skb). False: it is nothing for us. */
static bool gro_parse(struct stack *stack, struct sk_buff *skb)
{
	struct gro_cb *cb = GRO_CB(skb);
	uint16_t type = skb->protocol;
	uint32_t off = 0;

	if (unlikely(skb->mac_header == SKB_NO_HEADER))
		return false;
	for (int tags = 0; unlikely(type == ETH_P_8021Q || type == ETH_P_8021AD); tags++) {
		if (tags == 2 || skb_headlen(skb) < off + 4)
			return false;
		type = get_be16(skb->data + off + 2);
		off += 4;
	}
	cb->net = (uint16_t)off;
	if (!(likely(type == ETH_P_IP) ? gro_ipv4(skb, cb) : type == ETH_P_IPV6 && gro_ipv6(skb, cb)))
		return false;
	cb->trans = (uint16_t)(cb->addrs + cb->addrs_len);
	if (cb->proto != NS_IPPROTO_TCP && !(cb->proto == NS_IPPROTO_UDP && stack->udp_gro))
		return false;
	cb->hash = gro_hash(stack, skb->data + cb->addrs, cb->addrs_len);
	cb->last = false;
	cb->id_rule = GRO_ID_ONE;
	cb->count = 1;
	return gro_proto_of(skb)->prepare(stack, skb);
}

/* The same link-layer header, tags, addresses and ports. */
static bool gro_same_flow(const struct sk_buff *p, const struct sk_buff *skb)
{
	const struct gro_cb *a = GRO_CB(p), *b = GRO_CB(skb);
	const unsigned char *ka = p->data + a->addrs, *kb = skb->data + b->addrs, *ma = skb_mac_header(p), *mb = skb_mac_header(skb);
	ptrdiff_t l2 = p->data - ma;

	if (a->hash != b->hash || a->net != b->net || a->trans != b->trans || a->proto != b->proto || p->mark != skb->mark || l2 != skb->data - mb)
		return false;
	if (likely(!a->v6 && !a->net && l2 == ETH_HLEN)) /* lengths that the compiler knows */
		return !b->v6 && memcmp(ka, kb, 12) == 0 && memcmp(ma, mb, ETH_HLEN) == 0;
	return a->v6 == b->v6 && memcmp(ka, kb, a->addrs_len + 4u) == 0 && memcmp(ma, mb, (size_t)l2 + a->net) == 0;
}

static struct sk_buff *gro_find(struct napi_struct *napi, const struct sk_buff *skb)
{
	struct sk_buff_head *bucket = &napi->gro[GRO_CB(skb)->hash % GRO_BUCKETS];
	struct sk_buff *p;

	if (!skb_queue_empty(bucket))
		skb_queue_walk(bucket, p)
			if (gro_same_flow(p, skb))
				return p;
	return NULL;
}

static void gro_hold(struct napi_struct *napi, struct sk_buff *skb)
{
	struct gro_cb *cb = GRO_CB(skb);
	unsigned i = cb->hash % GRO_BUCKETS;

	if (unlikely(napi->gro[i].qlen >= GRO_BUCKET_MAX))
		gro_let_go(napi, skb_peek(&napi->gro[i]), &napi->gro_stats.flush_bucket);
	cb->mss = (uint16_t)gro_payload_len(skb);
	cb->when = napi->dev->stack->now;
	skb_queue_tail(&napi->gro[i], skb);
	napi->gro_bitmask |= (uint8_t)(1u << i);
	napi->gro_stats.held++;
}

void napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	struct stack *stack = napi->dev->stack;
	struct sk_buff *p;

	if (!gro_parse(stack, skb))
		goto normal;
	p = gro_find(napi, skb);
	if (p) {
		bool last = GRO_CB(skb)->last || gro_payload_len(skb) < GRO_CB(p)->mss; /* a shorter one ends the row */

		if (!GRO_CB(skb)->stay && gro_proto_of(p)->merge(p, skb)) {
			napi->gro_stats.merged++;
			if (last)
				gro_let_go(napi, p, &napi->gro_stats.flush_last);
			return;
		}
		gro_let_go(napi, p, &napi->gro_stats.flush_other);
	}
	if (GRO_CB(skb)->stay || GRO_CB(skb)->last)
		goto normal;
	gro_hold(napi, skb);
	return;

normal:
	napi->gro_stats.normal++;
	netif_receive_skb(stack, skb);
}

int stack_gro_stats(const struct stack *stack, int ifindex, struct gro_stats *ret)
{
	const struct net_device *dev = dev_get_by_index(stack, ifindex);

	if (!dev)
		return -ENODEV;
	*ret = dev->napi.gro_stats;
	return 0;
}
