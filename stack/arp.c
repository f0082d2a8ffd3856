/* SPDX-License-Identifier: MIT */
/*
 * arp.c: address resolution for IPv4 on Ethernet: asking, answering, announcing.
 *
 * Theory of operation. arp_rcv checks a packet, then
 *   1. answers a request for one of our addresses (or, as a proxy, for one that we reach by another device);
 *   2. merges what it says about its sender into the neighbour table (RFC 826: an existing entry is updated in any case; a new one is made
 *      only when the packet was a request for us, for then we are about to talk to him).
 * Only a reply sent to us alone proves that the neighbour is there (RFC 4861 7.3.1 for ARP); everything else leaves him STALE.
 *
 * RFC 826; RFC 1122 2.3.2; RFC 5227 2.1.1 (probes with sender 0.0.0.0 are answered and taught nothing) and 2.4 (a conflict is told, our address is
 * not given up); RFC 1027 (proxy); RFC 1812 3.3.2 (no group address is believed). Tunables of net.ipv4.conf.DEV: arp_ignore, arp_announce,
 * arp_accept, arp_filter, arp_notify, proxy_arp.
 * Not done here: the table (neigh.c); probing for conflicts before an address is used; hardware other than Ethernet; RARP; delayed proxy answers.
 */
#include "ip.h"
#include "neigh.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>
#include <stdlib.h>

struct arp_state { /* owner: the shard */
	ktime_t last_conflict; /* told at most once a second */
	bool    told;
};

#define CONFLICT_INTERVAL NSEC_PER_SEC

static const struct eth_addr eth_zero;

/* Builds and sends one ARP packet: op, from us (sip at the device's address) about tip to dest. */
static void arp_send(struct stack *stack, struct net_device *dev, uint16_t op, be32 sip, be32 tip, const struct eth_addr *tha, const struct eth_addr *dest)
{
	struct arp_hdr *arp;
	struct sk_buff *skb = alloc_skb(stack->pool, SKB_HEADROOM + sizeof(*arp), SKB_HEADROOM);

	if (!skb)
		return; /* counted by the pool; a retransmission follows */
	skb->dev = dev;
	skb->protocol = ETH_P_ARP;
	skb_reset_network_header(skb);
	arp = skb_put(skb, sizeof(*arp));
	*arp = (struct arp_hdr){
		.ar_hrd = cpu_to_be16(ARPHRD_ETHER), .ar_pro = cpu_to_be16(ETH_P_IP), .ar_hln = ETH_ADDR_LEN, .ar_pln = 4, .ar_op = cpu_to_be16(op),
		.ar_sha = dev->conf->addr, .ar_sip = sip, .ar_tha = *tha, .ar_tip = tip,
	};
	if (eth_header(skb, dev, ETH_P_ARP, dest, NULL) < 0) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return;
	}
	if (op == ARPOP_REQUEST)
		STACK_MIB_INC(stack, Arp_OutRequests);
	else
		STACK_MIB_INC(stack, Arp_OutReplies);
	dev_queue_xmit(skb);
}

static uint8_t addr_type4(const struct stack *stack, be32 a)
{
	struct ipaddr addr = ipaddr_v4(a);

	return inet_addr_type(stack->snap, &addr);
}

static bool addr_on_dev(const struct net_device *dev, be32 a)
{
	for (unsigned i = 0; i < dev->naddrs; i++) {
		if (dev->addrs[i].local.addr.family == 2 && dev->addrs[i].local.addr.v4 == a)
			return true;
	}
	return false;
}

static be32 prefix_mask(unsigned len)
{
	return len ? cpu_to_be32(~UINT32_C(0) << (32 - len)) : 0;
}

/* Both addresses are in one network of the device. */
static bool same_subnet(const struct net_device *dev, be32 a, be32 b)
{
	for (unsigned i = 0; i < dev->naddrs; i++) {
		const struct ipprefix *p = &dev->addrs[i].local;
		be32 mask = prefix_mask(p->len);

		if (p->addr.family == 2 && !((p->addr.v4 ^ a) & mask) && !((p->addr.v4 ^ b) & mask))
			return true;
	}
	return false;
}

/* The address of ours under which we ask for target. arp_announce: 0 the packet's source if it is ours, 1 only if it is of target's network, 2 never. */
static be32 announce_address(struct stack *stack, struct net_device *dev, const struct ipaddr *target, const struct sk_buff *skb)
{
	if (skb && dev->conf->v4.arp_announce < 2 && !(skb->rt.flags & RT_F_INPUT)) {
		struct ip_hdr buf;
		const struct ip_hdr *iph = skb_header_pointer(skb, 0, sizeof(buf), &buf);

		if (iph && addr_type4(stack, iph->saddr) == RTN_LOCAL && !ipv4_is_loopback(iph->saddr) &&
		    (dev->conf->v4.arp_announce == 0 || same_subnet(dev, target->v4, iph->saddr)))
			return iph->saddr;
	}
	return inet_select_addr(stack->snap, dev->ifindex, target, RT_SCOPE_LINK).v4;
}

void arp_solicit(struct stack *stack, struct net_device *dev, const struct ipaddr *target, const struct eth_addr *lladdr, const struct sk_buff *skb)
{
	if (target->family != 2 || !dev_running(dev))
		return;
	arp_send(stack, dev, ARPOP_REQUEST, announce_address(stack, dev, target, skb), target->v4, lladdr ? lladdr : &eth_zero, lladdr ? lladdr : &eth_broadcast);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------- */

static bool arp_ignored(struct stack *stack, const struct net_device *dev, be32 sip, be32 tip)
{
	switch (dev->conf->v4.arp_ignore) {
	case 0:
		return false;
	case 1: /* only addresses of the device that was asked */
		return !addr_on_dev(dev, tip);
	case 2: /* ... and only for senders of the same network */
		return !addr_on_dev(dev, tip) || (sip && !same_subnet(dev, sip, tip));
	case 3: /* not for addresses of scope host */
		for (unsigned i = 0; i < stack->snap->nlinks; i++) {
			const struct snap_link *l = &stack->snap->links[i];

			for (unsigned j = 0; j < l->naddrs; j++) {
				if (l->addrs[j].local.addr.v4 == tip && l->addrs[j].scope < RT_SCOPE_HOST)
					return false;
			}
		}
		return true;
	case 8:
		return true;
	default:
		return false;
	}
}

/* The device by which we would send to addr; 0: no way. */
static int way_out(struct stack *stack, be32 addr, be32 from)
{
	struct flowi fl = { .daddr = ipaddr_v4(addr), .saddr = ipaddr_v4(from) };
	struct fib_result res;

	if (fib_lookup(stack->snap, &fl, &res) < 0 || res.type != RTN_UNICAST)
		return 0;
	return res.nh->ifindex;
}

/* Somebody else uses one of our addresses: told, not fought over. */
static void arp_conflict(struct stack *stack, struct net_device *dev, be32 addr, const struct eth_addr *who)
{
	struct arp_state *as = stack->arp;

	if (as->told && stack->now - as->last_conflict < CONFLICT_INTERVAL)
		return;
	as->told = true;
	as->last_conflict = stack->now;
	stack_notify(stack, &(struct stack_event){ .type = STACK_EV_ADDR_CONFLICT, .ifindex = dev->ifindex, .addr = ipaddr_v4(addr), .lladdr = *who,
						   .carrier = dev->conf->carrier, .up = dev_up(dev) });
}

/* Checks everything that can be wrong with a packet by itself. SKB_CONSUMED: it is good. */
static enum skb_drop_reason arp_check(const struct net_device *dev, struct sk_buff *skb)
{
	const struct arp_hdr *arp;

	if (dev->conf->flags & (NS_IFF_NOARP | NS_IFF_LOOPBACK))
		return SKB_DROP_UNHANDLED_PROTO;
	if (skb->pkt_type == SKB_PKT_OTHERHOST || skb->pkt_type == SKB_PKT_LOOPBACK)
		return SKB_DROP_OTHERHOST;
	if (!skb_may_pull(skb, sizeof(*arp)))
		return SKB_DROP_ARP_SHORT;
	arp = (const struct arp_hdr *)(const void *)skb->data;
	if (arp->ar_hrd != cpu_to_be16(ARPHRD_ETHER) || arp->ar_pro != cpu_to_be16(ETH_P_IP) || arp->ar_hln != ETH_ADDR_LEN || arp->ar_pln != 4)
		return SKB_DROP_ARP_MALFORMED;
	if (arp->ar_op != cpu_to_be16(ARPOP_REQUEST) && arp->ar_op != cpu_to_be16(ARPOP_REPLY))
		return SKB_DROP_ARP_UNSUPPORTED_OP;
	if (ipv4_is_multicast(arp->ar_tip) || ipv4_is_lbcast(arp->ar_tip) || (ipv4_is_loopback(arp->ar_tip) && !dev->conf->v4.route_localnet))
		return SKB_DROP_ARP_BAD_ADDRESS;
	if (ipv4_is_multicast(arp->ar_sip) || ipv4_is_lbcast(arp->ar_sip) || ipv4_is_loopback(arp->ar_sip))
		return SKB_DROP_ARP_BAD_ADDRESS;
	if (arp->ar_sip && (eth_is_multicast(&arp->ar_sha) || eth_equal(&arp->ar_sha, &eth_zero)))
		return SKB_DROP_ARP_BAD_ADDRESS;
	return SKB_CONSUMED;
}

/* A request: answers it if it is for us. True: the sender may be learned, for he is about to talk to us. */
static bool arp_request(struct stack *stack, struct net_device *dev, const struct arp_hdr *arp, enum skb_drop_reason *reason)
{
	bool local = addr_type4(stack, arp->ar_tip) == RTN_LOCAL;
	int out;

	*reason = SKB_DROP_ARP_NOT_FOR_US;
	if (local) {
		if (arp_ignored(stack, dev, arp->ar_sip, arp->ar_tip))
			return false;
		if (dev->conf->v4.arp_filter && arp->ar_sip && way_out(stack, arp->ar_sip, arp->ar_tip) != dev->ifindex)
			return false;
	} else {
		if (!dev->conf->v4.proxy_arp || !dev->conf->v4.forwarding || !arp->ar_sip)
			return false;
		out = way_out(stack, arp->ar_tip, arp->ar_sip);
		if (!out || out == dev->ifindex)
			return false;
	}
	*reason = SKB_CONSUMED;
	arp_send(stack, dev, ARPOP_REPLY, arp->ar_tip, arp->ar_sip, &arp->ar_sha, &arp->ar_sha);
	return true;
}

void arp_rcv(struct stack *stack, struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	enum skb_drop_reason reason = arp_check(dev, skb);
	unsigned learn = 0;
	struct arp_hdr arp;
	struct ipaddr sip;
	bool gratuitous;

	if (reason != SKB_CONSUMED) {
		kfree_skb(skb, reason);
		return;
	}
	memcpy(&arp, skb->data, sizeof(arp));
	gratuitous = arp.ar_sip == arp.ar_tip;
	sip = ipaddr_v4(arp.ar_sip);
	if (arp.ar_op == cpu_to_be16(ARPOP_REQUEST)) {
		STACK_MIB_INC(stack, Arp_InRequests);
		/* our own address announced by another: answering would only make both sides doubt */
		if (!gratuitous && arp_request(stack, dev, &arp, &reason))
			learn |= NEIGH_LEARN_CREATE;
	} else {
		STACK_MIB_INC(stack, Arp_InReplies);
		if (skb->pkt_type == SKB_PKT_HOST && !gratuitous)
			learn |= NEIGH_LEARN_SOLICITED;
	}
	if (arp.ar_sip) {
		if (addr_type4(stack, arp.ar_sip) != RTN_UNICAST) {
			/* ours, or a broadcast address: nothing to learn */
			if (!eth_equal(&arp.ar_sha, &dev->conf->addr) && addr_on_dev(dev, arp.ar_sip))
				arp_conflict(stack, dev, arp.ar_sip, &arp.ar_sha);
		} else {
			if (gratuitous)
				learn |= NEIGH_LEARN_OVERRIDE;
			if (dev->conf->v4.arp_accept && way_out(stack, arp.ar_sip, 0) == dev->ifindex && (gratuitous || arp.ar_op == cpu_to_be16(ARPOP_REPLY)))
				learn |= NEIGH_LEARN_CREATE;
			neigh_learn(stack, dev, &sip, &arp.ar_sha, learn);
		}
	}
	if (reason == SKB_CONSUMED || gratuitous)
		consume_skb(skb);
	else
		kfree_skb(skb, reason);
}

/* ---- announcing -------------------------------------------------------------------------------------------------------- */

static bool had_address(const struct net_snapshot *from, int ifindex, const struct ipaddr *addr)
{
	const struct snap_link *l = from ? snapshot_link(from, ifindex) : NULL;

	for (unsigned i = 0; l && i < l->naddrs; i++) {
		if (ipaddr_equal(&l->addrs[i].local.addr, addr))
			return true;
	}
	return false;
}

/* Announces (RFC 5227 3: a request with both addresses ours) what is new: an address, a link that came up, another link-layer address. Only shard 0 speaks. */
void arp_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to)
{
	struct net_device *dev;

	(void)to;
	if (stack->params.cpu != 0)
		return;
	list_for_each(dev, &stack->devs, struct net_device, node) {
		const struct snap_link *old = from ? snapshot_link(from, dev->ifindex) : NULL;
		bool fresh;

		if (!dev->conf->v4.arp_notify || !dev_running(dev) || dev->conf->flags & (NS_IFF_NOARP | NS_IFF_LOOPBACK))
			continue;
		fresh = !old || !(old->conf.flags & NS_IFF_UP) || !old->conf.carrier || !eth_equal(&old->conf.addr, &dev->conf->addr);
		for (unsigned i = 0; i < dev->naddrs; i++) {
			const struct ipaddr *a = &dev->addrs[i].local.addr;

			if (a->family == 2 && (fresh || !had_address(from, dev->ifindex, a)))
				arp_send(stack, dev, ARPOP_REQUEST, a->v4, a->v4, &eth_zero, &eth_broadcast);
		}
	}
}

int arp_init(struct stack *stack)
{
	stack->arp = calloc(1, sizeof(*stack->arp));
	return stack->arp ? 0 : -ENOMEM;
}

void arp_exit(struct stack *stack)
{
	free(stack->arp);
	stack->arp = NULL;
}
