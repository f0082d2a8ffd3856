/* SPDX-License-Identifier: MIT */
/*
 * loopback.c: what is sent comes in again through the backlog: the device lo, and the step that a veth shares with it.
 *
 * Nothing on this way damages bytes, so checksums are neither made nor checked: a packet sent as CHECKSUM_PARTIAL arrives as one, which receivers
 * take for good, and GSO packets stay whole. The sender's account is settled on the way (the destructor runs): from here on the packet
 * is the receiver's. Its bytes may still be shared with the sender's write queue; writers make them private (skbuff.h).
 *
 * Between two namespaces (two stacks of one shard, driven by one thread) the packet is made private and changes pools, its mark is forgotten, and
 * the receiver's softirq is raised: who drives the stacks finds that by stack_raised. The flow hash stays when both key it alike, so that a flow has
 * one shard all the way; but not of what was reassembled, whose hash is that of its fragments.
 *
 * Not done: delay, loss.
 */
#include "bug.h"
#include "dev.h"
#include "stack_priv.h"

#include <errno.h>

static bool same_flow_key(const struct stack *a, const struct stack *b)
{
	return a == b || memcmp(&a->flow_key, &b->flow_key, sizeof(a->flow_key)) == 0;
}

int dev_forward_skb(struct net_device *to, struct stack *from, struct sk_buff *skb)
{
	struct stack *stack = to->stack;
	enum skb_drop_reason reason;

	if (skb->destructor) {
		skb->destructor(skb);
		skb->destructor = NULL;
	}
	skb->sk = NULL;
	skb->rt.dev = NULL;
	if (skb->reassembled || !same_flow_key(stack, from))
		skb->hash = 0;
	skb->steered = 0;
	skb->reassembled = 0;
	skb->handed = 0;
	skb->to_raw = 0;
	skb->tapped = 0;
	skb->requeued = 0;
	skb->priority = 0; /* what a tag said on the way here: as in Linux it ends with the link */
	if (skb->ip_summed == CHECKSUM_COMPLETE) /* was taken from another place in the packet */
		skb->ip_summed = CHECKSUM_NONE;
	skb->transport_header = SKB_NO_HEADER;
	if (stack != from) {
		if (unlikely(skb_unshare(skb) < 0)) {
			kfree_skb(skb, SKB_DROP_NOMEM);
			return -ENOMEM;
		}
		skb->mark = 0;
		skb_disown(skb);
		skb_adopt(stack->pool, skb);
		stack_set_now(stack, from->now);
	}
	skb->tstamp = stack->now;
	skb->dev = to;
	skb->skb_iif = to->ifindex;
	to->stats.rx_packets++;
	to->stats.rx_bytes += skb->len;
	if (unlikely(to->hooks & DEV_HOOK_XDP)) {
		skb = xdp_rx(from, to, skb);
		if (!skb)
			return 0;
	}
	reason = eth_type_trans(skb, to);
	if (unlikely(reason)) {
		tap_rx_filtered(stack, skb, reason);
		kfree_skb(skb, reason);
	} else {
		netif_rx(stack, skb);
	}
	return 0;
}

static int loopback_xmit(struct net_device *dev, struct sk_buff *skb)
{
	skb->hash = 0; /* computed anew where it is wanted: the sender's may be that of a fragment, or none */
	return dev_forward_skb(dev, dev->stack, skb);
}

const struct dev_ops loopback_ops = { .xmit = loopback_xmit };
