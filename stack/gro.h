/* SPDX-License-Identifier: MIT */
/*
 * gro.h: generic receive offload, what its files share: gro.c (flows, holding, flushing, IP), gro_tcp.c and gro_udp.c (what may be merged).
 */
#ifndef STACK_GRO_H
#define STACK_GRO_H

#include "bug.h"
#include "dev.h"
#include "stack_priv.h"
#include "wire/wire.h"

enum gro_id { GRO_ID_ONE, GRO_ID_COUNTS, GRO_ID_FIXED }; /* what IPv4 identifications do from segment to segment; ONE: there is but one yet */

/* skb->cb, from napi_gro_receive until the packet goes on. Offsets are counted from data. */
struct gro_cb {
	ktime_t  when; /* it was held */
	uint32_t hash;
	uint32_t next_seq; /* TCP: of the segment that may be merged */
	uint16_t net, trans, payload; /* tags may stand in front of net */
	uint16_t addrs; /* where the addresses stand, with the ports right behind them */
	uint8_t  addrs_len; /* of both */
	uint8_t  proto; /* NS_IPPROTO_TCP or NS_IPPROTO_UDP */
	bool     v6;
	bool     stay; /* may neither be held nor be merged: its flow is flushed and it goes on */
	bool     last; /* nothing may be merged behind it: its flow is flushed with it */
	uint8_t  id_rule; /* enum gro_id */
	uint16_t id; /* IPv4: of the first segment, host order */
	uint16_t mss; /* payload bytes of the first segment: all others' but the last one's */
	uint16_t count; /* segments */
};
#define GRO_CB(skb) ((struct gro_cb *)(void *)(skb)->cb)
_Static_assert(sizeof(struct gro_cb) <= sizeof(((struct sk_buff *)0)->cb), "it stands in skb->cb");

static inline void *gro_net(const struct sk_buff *skb) { return skb->data + GRO_CB(skb)->net; }
static inline void *gro_trans(const struct sk_buff *skb) { return skb->data + GRO_CB(skb)->trans; }
static inline uint32_t gro_payload_len(const struct sk_buff *skb) { return skb->len - GRO_CB(skb)->payload; }

/* The transport's sum is right, or will be made by whoever sends the packet; then ip_summed says so. check: offset of the field from the transport header. */
bool gro_csum_ok(struct sk_buff *skb, uint16_t check);
/* What the IP headers of two packets of a flow must have in common, and whether skb's identification goes on from p's. The rule that is then in force goes to *rule. */
bool gro_ip_follows(const struct sk_buff *p, const struct sk_buff *skb, uint8_t *rule);
/* Joins skb's payload to p by reference; skb is gone on true. On false (too long, no room, no memory) nothing has changed. */
bool gro_join(struct sk_buff *p, struct sk_buff *skb, uint8_t rule);
/* A merged packet is given the form in which a device hands over what it merged: ip_summed, csum_*, and the pseudo-header in the field at check. */
void gro_partial_csum(struct sk_buff *p, uint16_t check);

/* prepare reads the transport header at gro_trans (linear to 4 bytes behind the addresses): payload, stay and last. False: not worth a look (too short).
 * merge: p is held and of the same flow. complete: p has more than one segment. */
struct gro_proto {
	bool (*prepare)(struct stack *stack, struct sk_buff *skb);
	bool (*merge)(struct sk_buff *p, struct sk_buff *skb);
	void (*complete)(struct sk_buff *p);
};
extern const struct gro_proto gro_tcp, gro_udp;

void napi_gro_init(struct napi_struct *napi);
void napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb); /* as netif_receive_skb, in the course of a poll; consumes skb */
void napi_gro_flush(struct napi_struct *napi, bool old_only); /* lets go what is held; old_only: what came before the last GRO_AGE */
void napi_gro_poll_end(struct napi_struct *napi, bool more); /* more: the device has more frames and will be polled again at once */
void napi_gro_purge(struct napi_struct *napi, enum skb_drop_reason reason);

/* Worth a closer look: everything else costs no more than this. */
static inline bool gro_candidate(const struct stack *stack, const struct sk_buff *skb)
{
	if (likely(skb->protocol == ETH_P_IP))
		return likely(skb_headlen(skb) > IPV4_HLEN) && (skb->data[9] == NS_IPPROTO_TCP || (unlikely(stack->udp_gro) && skb->data[9] == NS_IPPROTO_UDP));
	return skb->protocol == ETH_P_IPV6 || skb->protocol == ETH_P_8021Q || skb->protocol == ETH_P_8021AD;
}

#endif
