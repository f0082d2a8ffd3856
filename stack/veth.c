/* SPDX-License-Identifier: MIT */
/*
 * veth.c: a pair of Ethernet devices joined by a wire that costs nothing: what one sends the other receives. Both are in one namespace, or each in
 * another (ops->netns).
 *
 * The two ends know each other by number only, and each frame looks its twin up: the shards of two namespaces follow their configurations at
 * different moments, and a twin that is gone, or is not there yet, is a cable that is out. A frame is believed to have found the right end when that
 * end, too, names this one.
 *
 * Frames enter the twin's backlog (netif_rx), so two stacks never call each other from inside a softirq and no chain of veths grows the C stack.
 * Checksums left to the device, and GSO packets, pass as they are: all of LINK_F_* is on.
 *
 * Invariants: both stacks belong to the same shard and thread. Carrier (both ends up) is the configuration's to know (netcfg_upper.c).
 *
 * Not done: queues of its own, NAPI, XDP on the wire.
 */
#include "bug.h"
#include "dev.h"
#include "stack_priv.h"

#include <errno.h>

static struct net_device *veth_peer(const struct net_device *dev)
{
	struct stack *stack = dev->stack;
	uint32_t netns = stack->params.netns;
	struct net_device *peer;

	if (dev->conf->link_netns != netns)
		stack = stack->ops->netns ? stack->ops->netns(stack->priv, dev->conf->link_netns) : NULL;
	peer = stack ? dev_get_by_index(stack, dev->conf->link) : NULL;
	if (unlikely(!peer || !dev_up(peer) || peer->ops != &veth_ops || peer->conf->link != dev->ifindex || peer->conf->link_netns != netns))
		return NULL;
	return peer;
}

static int veth_xmit(struct net_device *dev, struct sk_buff *skb)
{
	struct net_device *peer = veth_peer(dev);

	if (unlikely(!peer)) {
		dev->stats.tx_carrier_errors++;
		kfree_skb(skb, SKB_DROP_NO_CARRIER);
		return -ENETDOWN;
	}
	return dev_forward_skb(peer, dev->stack, skb);
}

const struct dev_ops veth_ops = { .xmit = veth_xmit };
