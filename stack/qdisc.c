/* SPDX-License-Identifier: MIT */
/*
 * qdisc.c: the queue in front of a device: first in, first out, bounded by txqueuelen packets.
 *
 * It is used only while the device takes nothing: an empty queue is bypassed (dev_xmit.c). What the device refuses for the moment (-EAGAIN) goes back to
 * the front, so order is kept; stack_tx_ready raises NET_TX, which sends on from there.
 *
 * Not done: classes, pacing, priorities; replaceable disciplines.
 */
#include "bug.h"
#include "dev.h"
#include "stack_priv.h"

#include <errno.h>

int qdisc_enqueue(struct net_device *dev, struct sk_buff *skb)
{
	if (unlikely(dev->txq.qlen >= dev->conf->txqlen)) {
		dev->stats.tx_dropped++;
		kfree_skb(skb, dev->conf->txqlen ? SKB_DROP_QDISC_DROP : SKB_DROP_DEV_TX_FULL);
		return -ENOBUFS;
	}
	skb_queue_tail(&dev->txq, skb);
	return 0;
}

bool qdisc_run(struct net_device *dev, unsigned quota)
{
	struct sk_buff *skb;

	while (!dev->tx_stopped && (skb = skb_peek(&dev->txq))) {
		if (!quota-- || unlikely(xdp_spent(dev->stack)))
			return true;
		skb_unlink(&dev->txq, skb);
		if (dev_hard_start_xmit(dev, skb) == -EAGAIN)
			skb_queue_head(&dev->txq, skb);
	}
	return false;
}

void qdisc_schedule(struct net_device *dev)
{
	struct stack *stack = dev->stack;

	if (!dev->tx_scheduled) {
		dev->tx_scheduled = true;
		list_add_tail(&dev->tx_list, &stack->tx_list);
	}
	stack->softirq_pending |= 1u << NET_TX_SOFTIRQ;
}

void qdisc_purge(struct net_device *dev, enum skb_drop_reason reason)
{
	dev->stats.tx_dropped += dev->txq.qlen;
	skb_queue_purge(&dev->txq, reason);
	list_del(&dev->tx_list);
	dev->tx_scheduled = false;
	dev->tx_stopped = false;
}
