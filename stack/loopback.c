/* SPDX-License-Identifier: MIT */
/*
 * loopback.c: the device lo: what is sent comes in again through the backlog.
 *
 * Nothing on this way damages bytes, so checksums are neither made nor checked: a packet sent as CHECKSUM_PARTIAL arrives as one, which receivers
 * take for good, and GSO packets stay whole. The sender's account is settled on the way (the destructor runs): from here on the packet
 * is the receiver's. Its bytes may still be shared with the sender's write queue; writers make them private (skbuff.h).
 *
 * Not done: delay, loss.
 */
#include "bug.h"
#include "dev.h"
#include "stack_priv.h"

int loopback_xmit(struct net_device *dev, struct sk_buff *skb)
{
	struct stack *stack = dev->stack;
	enum skb_drop_reason reason;

	if (skb->destructor) {
		skb->destructor(skb);
		skb->destructor = NULL;
	}
	skb->sk = NULL;
	skb->rt.dev = NULL;
	skb->hash = 0; /* computed anew where it is wanted: reassembly may have happened in between */
	skb->steered = 0;
	skb->reassembled = 0;
	skb->handed = 0;
	skb->transport_header = SKB_NO_HEADER;
	skb->tstamp = stack->now;
	skb->dev = dev;
	skb->skb_iif = dev->ifindex;
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
	reason = eth_type_trans(skb, dev);
	if (unlikely(reason))
		kfree_skb(skb, reason);
	else
		netif_rx(stack, skb);
	return 0;
}
