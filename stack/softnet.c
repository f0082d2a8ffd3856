/* SPDX-License-Identifier: MIT */
/*
 * softnet.c: from the device to the protocols: the flow hash, the backlog, and the table of protocols.
 *
 * Theory. Every flow has a home, the shard found by a keyed hash of both ends that gives the same value for both directions. Which shard does the work of a packet is decided
 * in steer.c. A frame that is another shard's is made private, leaves this shard's pool and is handed over (ops->steer); there it joins the backlog and is not steered
 * again. Fragments are hashed by source, destination, protocol and identification, so that all of a datagram meet on one shard; what
 * they are reassembled to is steered once more by its own ports (ip_fragment.c). An ICMP error is hashed by the packet it quotes. Whoever
 * wants the key of a socket's hash takes flow_hash_tuple: steering and tables agree by construction.
 *
 * The hash is SipHash (1-3 for IPv4, 2-4 for the longer key of IPv6) under a key that all shards of a namespace share and nobody outside knows: nobody can aim many flows at
 * one shard or one bucket.
 *
 * Invariants: the backlog never exceeds netdev_max_backlog.
 */
#include "bug.h"
#include "dev.h"
#include "gro.h"
#include "runtime.h"
#include "stack_priv.h"
#include "steer.h"
#include "wire/wire.h"

#include <sys/socket.h>

#define RX_ROUNDS 16 /* links on top of each other, and as many priority tags */

/* ---- flow hash ---- */

static inline uint32_t fold_hash(uint64_t h)
{
	uint32_t v = (uint32_t)h ^ (uint32_t)(h >> 32);

	return v ? v : 1;
}

static inline uint32_t flow_hash_v4(const struct stack *stack, be32 a, be32 b, uint16_t aport, uint16_t bport, uint8_t proto)
{
	uint64_t x = (uint64_t)a << 16 | aport, y = (uint64_t)b << 16 | bport;

	return fold_hash(siphash13_2u64(&stack->flow_key, (x < y ? x : y) | (uint64_t)proto << 48, x < y ? y : x));
}

uint32_t flow_hash_tuple(const struct stack *stack, const struct ipaddr *a, const struct ipaddr *b, uint16_t aport, uint16_t bport, uint8_t proto)
{
	struct {
		uint8_t  lo[16], hi[16];
		uint16_t lport, hport;
		uint32_t proto;
	} key;
	int order;

	if (likely(a->family != AF_INET6))
		return flow_hash_v4(stack, a->v4, b->v4, aport, bport, proto);
	order = memcmp(a->b, b->b, sizeof(key.lo));
	if (order > 0 || (order == 0 && aport > bport)) {
		const struct ipaddr *t = a;
		uint16_t p = aport;

		a = b, b = t;
		aport = bport, bport = p;
	}
	memcpy(key.lo, a->b, sizeof(key.lo));
	memcpy(key.hi, b->b, sizeof(key.hi));
	key.lport = aport;
	key.hport = bport;
	key.proto = proto;
	return fold_hash(siphash(&stack->flow_key, &key, sizeof(key)));
}

static bool icmp_is_error(uint8_t type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/* The IPv4 header at off. inner: quoted by an ICMP error, where only the first 8 bytes behind it are sure to be there. */
static uint32_t hash_ipv4(struct stack *stack, const struct sk_buff *skb, uint32_t off, bool inner)
{
	struct ip_hdr iph_buf;
	const struct ip_hdr *iph = skb_header_pointer(skb, off, sizeof(iph_buf), &iph_buf);
	uint8_t ports_buf[4];
	const uint8_t *ports;
	uint16_t frag;
	uint32_t thoff;

	if (!iph || iph->ver_ihl >> 4 != 4 || ip_hdrlen(iph) < IPV4_HLEN)
		return 1; /* not IPv4: it will be dropped, and any shard can do that */
	frag = be16_to_cpu(iph->frag_off);
	if (frag & IP_OFFSET || (frag & IP_MF && !inner))
		return inner ? 1 : flow_hash_v4(stack, iph->saddr, iph->daddr, iph->id, iph->id, iph->protocol);
	thoff = off + ip_hdrlen(iph);
	switch (iph->protocol) {
	case NS_IPPROTO_TCP:
	case NS_IPPROTO_UDP:
		ports = skb_header_pointer(skb, thoff, 4, ports_buf);
		if (ports)
			return flow_hash_v4(stack, iph->saddr, iph->daddr, get_be16(ports), get_be16(ports + 2), iph->protocol);
		break;
	case NS_IPPROTO_ICMP:
		ports = skb_header_pointer(skb, thoff, 4, ports_buf);
		if (ports && !inner && icmp_is_error(ports[0]))
			return hash_ipv4(stack, skb, thoff + sizeof(struct icmp_hdr), true);
		break;
	}
	return flow_hash_v4(stack, iph->saddr, iph->daddr, 0, 0, iph->protocol);
}

uint32_t skb_flow_hash(struct stack *stack, struct sk_buff *skb)
{
	if (!skb->hash)
		skb->hash = hash_ipv4(stack, skb, 0, false);
	return skb->hash;
}

unsigned flow_cpu(const struct stack *stack, uint32_t hash)
{
	return (unsigned)((uint64_t)hash * stack->params.ncpu >> 32);
}

/* ---- the backlog ---- */

/* Frames are counted as done with in their order, or a flow that changes its way would overtake those of it that wait here: so a drop counts when what waits has gone. */
static void steer_dropped(struct steer_state *st, unsigned from)
{
	if (st->queued[from])
		st->late[from]++;
	else
		st->done[from]++;
}

static inline void steer_taken(struct steer_state *st, unsigned from)
{
	st->done[from]++;
	if (--st->queued[from] == 0) {
		st->done[from] += st->late[from];
		st->late[from] = 0;
	}
}

/* steered: from another shard, which has asked the flow limit if it could. */
static void enqueue_to_backlog(struct stack *stack, struct sk_buff *skb, bool steered)
{
	enum skb_drop_reason reason = SKB_CONSUMED;

	if (unlikely(stack->backlog.qlen >= (uint32_t)stack->sysctl->netdev_max_backlog))
		reason = SKB_DROP_CPU_BACKLOG;
	else if (unlikely(stack->steer->limit) && !(steered && stack->ops->steer_done) && skb_flow_limit(stack, skb, stack->backlog.qlen))
		reason = SKB_DROP_FLOW_LIMIT;
	if (unlikely(reason)) {
		if (steered)
			steer_dropped(stack->steer, skb->from_cpu);
		stack->softnet.dropped++;
		skb->dev->stats.rx_dropped++;
		kfree_skb(skb, reason);
		return;
	}
	stack->steer->queued[skb->from_cpu] += skb->steered;
	skb_queue_tail(&stack->backlog, skb);
	napi_schedule(stack, &stack->backlog_napi);
}

void stack_steered(struct stack *stack, struct sk_buff *skb, ktime_t now)
{
	stack_set_now(stack, now);
	skb_adopt(stack->pool, skb);
	skb->dev = dev_get_by_index(stack, skb->skb_iif);
	if (unlikely(!skb->dev)) { /* removed here already, or not made yet */
		steer_dropped(stack->steer, skb->from_cpu);
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
		return;
	}
	if (!stack->backlog_napi.scheduled)
		stack->softnet.received_rps++;
	enqueue_to_backlog(stack, skb, true);
}

/* ---- to the protocols ---- */

static const struct {
	uint16_t type;
	void (*func)(struct stack *stack, struct sk_buff *skb);
} ptype_base[] = {
	{ ETH_P_IP, ip_rcv },
	{ ETH_P_ARP, arp_rcv },
};

static void ptype_deliver(struct stack *stack, struct sk_buff *skb)
{
	for (size_t i = 0; i < sizeof(ptype_base) / sizeof(ptype_base[0]); i++) {
		if (ptype_base[i].type == skb->protocol) {
			ptype_base[i].func(stack, skb);
			return;
		}
	}
	skb->dev->stats.rx_dropped++;
	kfree_skb(skb, skb->protocol == ETH_P_IPV6 ? SKB_DROP_IP_V6 : SKB_DROP_UNHANDLED_PROTO);
}

/* True: it went to the shard that owns its flow. */
static bool netif_steer(struct stack *stack, struct sk_buff *skb)
{
	return skb->protocol == ETH_P_IP && !skb->steered && steer_receive(stack, skb);
}

/*
 * A frame of a device that something is attached to, or of a protocol other than IP, in Linux's order: taps, VLANs, the bridge, then the protocols. What VLANs and bridges do
 * is to say that the frame is another device's: it begins anew, and a packet that was found under tags goes to its shard now. The number of rounds is bounded: links
 * stand on top of each other up to a limit, and a frame may have no more priority tags than that.
 */
static __attribute__((noinline)) void netif_receive_upper(struct stack *stack, struct sk_buff *skb)
{
	enum skb_drop_reason reason;
	enum rx_result r;

	for (unsigned round = 0;; round++) {
		if (skb->dev->hooks & DEV_HOOK_TAP && !skb->tapped) /* a frame that lost a priority tag is still the same */
			tap_rx(stack, skb);
		r = vlan_is_tag(skb->protocol) ? vlan_rcv(skb) : RX_PASS;
		if (r == RX_PASS && skb->dev->bridge && skb->dev->conf->master)
			r = br_rcv(skb);
		if (r == RX_CONSUMED)
			return;
		if (r == RX_PASS)
			break;
		if (round == RX_ROUNDS) {
			skb->dev->stats.rx_dropped++;
			kfree_skb(skb, SKB_DROP_VLAN_NESTED);
			return;
		}
		if (stack_multi(stack) && netif_steer(stack, skb))
			return;
	}
	reason = skb->mac_header != SKB_NO_HEADER ? eth_accept(skb, skb->dev) : SKB_CONSUMED;
	if (unlikely(reason))
		kfree_skb(skb, reason);
	else
		ptype_deliver(stack, skb);
}

/* Timed, when this frame is one of the sample. */
static __attribute__((noinline)) void netif_receive_hooked(struct stack *stack, struct sk_buff *skb)
{
	struct runtime *rt = stack->sampling;
	enum runtime_stage back = RUNTIME_OTHER;

	skb->sampled = rt != NULL;
	if (rt) {
		back = runtime_enter(rt, stack, RUNTIME_RECEIVE);
		runtime_frames(rt, RUNTIME_RECEIVE, runtime_segs(skb));
	}
	netif_receive_upper(stack, skb);
	if (rt)
		runtime_leave(rt, stack, back);
}

static inline void netif_receive_core(struct stack *stack, struct sk_buff *skb)
{
	stack->softnet.processed++;
	if (unlikely(skb->dev->hooks))
		netif_receive_hooked(stack, skb);
	else if (likely(skb->protocol == ETH_P_IP)) /* the first of the table, by name: a direct call */
		ip_rcv(stack, skb);
	else
		netif_receive_upper(stack, skb);
}

void netif_receive_skb(struct stack *stack, struct sk_buff *skb)
{
	if (stack_multi(stack) && netif_steer(stack, skb))
		return;
	netif_receive_core(stack, skb);
}

void netif_rx(struct stack *stack, struct sk_buff *skb)
{
	if (stack_multi(stack) && netif_steer(stack, skb))
		return;
	enqueue_to_backlog(stack, skb, false);
}

int process_backlog(struct napi_struct *napi, int budget)
{
	struct stack *stack = container_of(napi, struct stack, backlog_napi);
	struct sk_buff *skb;
	int work = 0;

	runtime_part(stack, RUNTIME_BACKLOG);
	while (work < budget && !xdp_spent(stack) && (skb = skb_dequeue(&stack->backlog))) {
		work++;
		if (skb->steered)
			steer_taken(stack->steer, skb->from_cpu);
		if (likely(dev_up(skb->dev))) {
			netif_receive_core(stack, skb);
			continue;
		}
		stack->softnet.processed++; /* the device went down while it waited */
		skb->dev->stats.rx_dropped++;
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
	}
	if (unlikely(stack->sampling))
		runtime_frames(stack->sampling, RUNTIME_BACKLOG, (uint64_t)work);
	if (skb_queue_empty(&stack->backlog) && work < budget)
		napi_complete(napi);
	return work;
}

static void rx_odd(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled);
static inline __attribute__((always_inline)) void rx_count(struct stack *stack, struct net_device *dev, struct sk_buff *skb);
static inline __attribute__((always_inline)) void rx_up(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled);
static inline __attribute__((always_inline)) void rx_frame(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled);

void stack_rx(struct stack *stack, int ifindex, struct sk_buff *skb, ktime_t now)
{
	struct net_device *dev = stack->polling;
	bool polled = dev && dev->ifindex == ifindex;

	if (!polled)
		dev = dev_get_by_index(stack, ifindex);
	if (now > stack->now)
		stack->now = now;
	skb->skb_iif = ifindex;
	if (unlikely(!dev)) {
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
		return;
	}
	skb->dev = dev;
	if (unlikely(dev->hooks))
		rx_odd(stack, dev, skb, polled);
	else
		rx_frame(stack, dev, skb, polled);
}

/* The device is down, or something is attached to it: run times (runtime.c), XDP. */
static __attribute__((noinline)) void rx_odd(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled)
{
	enum runtime_stage back = RUNTIME_OTHER;
	struct runtime *rt = stack->sampling;

	if (dev->hooks & DEV_HOOK_DOWN) {
		dev->stats.rx_dropped++;
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
		return;
	}
	if (dev->hooks & DEV_HOOK_HELD && polled) {
		skb_queue_tail(&dev->xdp.held, skb);
		return;
	}
	if (rt) {
		back = runtime_enter(rt, stack, RUNTIME_GRO);
		runtime_frames(rt, RUNTIME_GRO, runtime_segs(skb));
	}
	if (dev->hooks & DEV_HOOK_XDP) {
		rx_count(stack, dev, skb);
		skb = xdp_rx(stack, dev, skb);
		if (skb)
			rx_up(stack, dev, skb, polled);
	} else {
		rx_frame(stack, dev, skb, polled);
	}
	if (rt)
		runtime_leave(rt, stack, back);
}

int dev_rx_held(struct stack *stack, struct net_device *dev, int budget)
{
	struct sk_buff *skb;
	int work = 0;

	while (work < budget && !xdp_spent(stack) && (skb = skb_dequeue(&dev->xdp.held))) {
		dev->hooks &= ~(uint32_t)DEV_HOOK_HELD; /* this one does not wait again, whatever the one before it cost */
		rx_odd(stack, dev, skb, true);
		work++;
	}
	if (skb_queue_empty(&dev->xdp.held))
		dev->hooks &= ~(uint32_t)DEV_HOOK_HELD;
	else
		dev->hooks |= DEV_HOOK_HELD;
	return work;
}

static inline void rx_count(struct stack *stack, struct net_device *dev, struct sk_buff *skb)
{
	skb->tstamp = stack->now;
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
}

static inline void rx_frame(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled)
{
	rx_count(stack, dev, skb);
	rx_up(stack, dev, skb, polled);
}

static inline void rx_up(struct stack *stack, struct net_device *dev, struct sk_buff *skb, bool polled)
{
	enum skb_drop_reason reason;

	reason = eth_type_trans(skb, dev);
	if (unlikely(reason)) {
		tap_rx_filtered(stack, skb, reason);
		kfree_skb(skb, reason);
	} else if (likely(polled)) {
		if (dev->conf->features & LINK_F_GRO && gro_candidate(stack, skb))
			napi_gro_receive(&dev->napi, skb);
		else
			netif_receive_skb(stack, skb);
	} else {
		netif_rx(stack, skb);
	}
}

void stack_softnet_stats(const struct stack *stack, struct softnet_stats *ret)
{
	*ret = stack->softnet;
	ret->backlog_len = stack->backlog.qlen;
}
