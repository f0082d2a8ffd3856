/* SPDX-License-Identifier: MIT */
/*
 * dev_xmit.c: the last stage of sending: what the device cannot do is done for it, then the frame goes to the driver or into the queue.
 *
 * Theory. A GSO packet goes out whole to a device that cuts it itself (LINK_F_TSO4, LINK_F_USO; always with LINK_F_TX_CSUM) and is cut by gso.c for one that
 * does not. CHECKSUM_PARTIAL is resolved here for a device without LINK_F_TX_CSUM. With nothing in the queue the driver is called
 * at once, in the sender's context. When the driver says -EAGAIN, the device is stopped: its frames wait in the queue (qdisc.c) until
 * stack_tx_ready, then NET_TX sends them in order.
 *
 * Not done: a choice of TX queue; the driver of a shard has one.
 */
#include "bug.h"
#include "dev.h"
#include "runtime.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>

/* A device without a driver never says that it is full: its queue stays empty. */
static __attribute__((noinline)) int virt_xmit(struct net_device *dev, struct sk_buff *skb)
{
	uint32_t len = skb->len;
	int err = dev->ops->xmit(dev, skb);

	if (likely(err == 0)) {
		dev->stats.tx_packets++;
		dev->stats.tx_bytes += len;
	} else {
		dev->stats.tx_dropped++;
	}
	return err;
}

/* The driver's work, timed. */
static __attribute__((noinline)) int xmit_sampled(struct stack *stack, struct net_device *dev, struct sk_buff *skb)
{
	uint32_t segs = runtime_segs(skb);
	enum runtime_stage back;
	int err;

	if (!stack->sampling)
		return stack->ops->xmit(stack->priv, dev->ifindex, skb);
	back = runtime_enter(stack->sampling, stack, RUNTIME_XMIT);
	err = stack->ops->xmit(stack->priv, dev->ifindex, skb);
	if (!err)
		runtime_frames(stack->sampling, RUNTIME_XMIT, segs);
	runtime_leave(stack->sampling, stack, back);
	return err;
}

/* The driver did not take it: -EAGAIN, and skb is still the caller's; or any other error, and it is gone. */
static __attribute__((noinline)) int xmit_refused(struct net_device *dev, struct sk_buff *skb, int err)
{
	if (err == -EAGAIN) {
		dev->tx_stopped = true;
		skb->requeued = (dev->hooks & DEV_HOOK_TAP) != 0;
		return err;
	}
	dev->stats.tx_errors++;
	kfree_skb(skb, err == -ENOMEM || err == -ENOBUFS ? SKB_DROP_NOMEM : SKB_DROP_DEV_TX_FULL);
	return err;
}

static inline int start_xmit(struct net_device *dev, struct sk_buff *skb)
{
	struct stack *stack = dev->stack;
	uint32_t len = skb->len;
	int err;

	if (unlikely(dev->hooks & DEV_HOOKS_TX)) {
		if (dev->hooks & DEV_HOOK_TAP)
			tap_tx(dev, skb);
		err = dev->ops ? virt_xmit(dev, skb) : xmit_sampled(stack, dev, skb);
		if (dev->ops)
			return err;
	} else if (unlikely(dev->ops)) {
		return virt_xmit(dev, skb);
	} else {
		err = stack->ops->xmit(stack->priv, dev->ifindex, skb);
	}
	if (likely(err == 0)) {
		dev->stats.tx_packets++;
		dev->stats.tx_bytes += len;
		return 0;
	}
	return xmit_refused(dev, skb, err);
}

int dev_hard_start_xmit(struct net_device *dev, struct sk_buff *skb)
{
	return start_xmit(dev, skb);
}

static inline int xmit_one(struct net_device *dev, struct sk_buff *skb)
{
	int err;

	if (unlikely(dev->tx_stopped || !skb_queue_empty(&dev->txq)))
		return qdisc_enqueue(dev, skb);
	err = start_xmit(dev, skb);
	return unlikely(err == -EAGAIN) ? qdisc_enqueue(dev, skb) : err;
}

static bool dev_can_gso(const struct net_device *dev, const struct sk_buff *skb)
{
	uint32_t need = LINK_F_TX_CSUM;

	if (skb->gso_type & SKB_GSO_TCPV4)
		need |= LINK_F_TSO4;
	if (skb->gso_type & SKB_GSO_TCPV6)
		need |= LINK_F_TSO6;
	if (skb->gso_type & SKB_GSO_UDP_L4)
		need |= LINK_F_USO;
	return (dev->conf->features & need) == need;
}

static int xmit_drop(struct net_device *dev, struct sk_buff *skb, int err)
{
	dev->stats.tx_dropped++;
	kfree_skb(skb, err == -ENOMEM ? SKB_DROP_NOMEM : SKB_DROP_DEV_HDR);
	return err;
}

/* Makes the checksum where the device does not, and sends. */
static inline int xmit_csum(struct net_device *dev, struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && !(dev->conf->features & LINK_F_TX_CSUM)) {
		int err = skb_checksum_help(skb);

		if (unlikely(err < 0))
			return xmit_drop(dev, skb, err);
	}
	return xmit_one(dev, skb);
}

static int xmit_gso(struct net_device *dev, struct sk_buff *skb)
{
	struct sk_buff_head segs;
	struct sk_buff *seg;
	int err, ret = 0;

	if (unlikely(vlan_is_tag(skb->protocol))) /* bridged with its tag: the IP header is behind it */
		skb->network_header = (uint16_t)(skb_headroom(skb) + ETH_HLEN + vlan_depth(skb));
	skb_queue_init(&segs);
	err = skb_gso_segment(skb, &segs);
	if (err < 0)
		return xmit_drop(dev, skb, err);
	while ((seg = skb_dequeue(&segs))) {
		err = xmit_csum(dev, seg);
		if (err < 0)
			ret = err; /* the rest may still pass: to the receiver it is a loss like any other */
	}
	return ret;
}

static __attribute__((noinline)) int queue_xmit_slow(struct net_device *dev, struct sk_buff *skb)
{
	if (unlikely(!dev_running(dev))) {
		dev->stats.tx_dropped++;
		if (dev_up(dev)) {
			dev->stats.tx_carrier_errors++;
			kfree_skb(skb, SKB_DROP_NO_CARRIER);
			return 0;
		}
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
		return -ENETDOWN;
	}
	if (skb_is_gso(skb) && !dev_can_gso(dev, skb))
		return xmit_gso(dev, skb);
	return xmit_csum(dev, skb);
}

int dev_queue_xmit(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct stack *stack = dev->stack;
	uint32_t len = skb->len;
	int err;

	/* all that is unusual, in tests of words that are at hand: the plain frame goes straight to the driver */
	if (unlikely(!dev_running(dev) || skb->gso_size || skb->ip_summed == CHECKSUM_PARTIAL || dev->tx_stopped || dev->txq.qlen || dev->hooks & DEV_HOOKS_TX || dev->ops))
		return queue_xmit_slow(dev, skb);
	err = stack->ops->xmit(stack->priv, dev->ifindex, skb);
	if (unlikely(err))
		return xmit_refused(dev, skb, err) == -EAGAIN ? qdisc_enqueue(dev, skb) : err;
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += len;
	return 0;
}

void net_tx_action(struct stack *stack)
{
	struct list_head todo, *n;

	stack->softirq_pending &= ~(1u << NET_TX_SOFTIRQ);
	list_init(&todo);
	while ((n = stack->tx_list.next) != &stack->tx_list)
		list_move_tail(n, &todo);
	while ((n = todo.next) != &todo) {
		struct net_device *dev = list_entry(n, struct net_device, tx_list);

		list_del(n);
		dev->tx_scheduled = false;
		if (qdisc_run(dev, (unsigned)stack->sysctl->dev_weight))
			qdisc_schedule(dev);
		if (unlikely(xdp_spent(stack)))
			break;
	}
	while ((n = todo.prev) != &todo) { /* programs behind a veth have used up the turn: who had none is first in the next one */
		list_del(n);
		list_add(n, &stack->tx_list);
		stack->softirq_pending |= 1u << NET_TX_SOFTIRQ;
	}
}

void stack_tx_ready(struct stack *stack, int ifindex, ktime_t now)
{
	struct net_device *dev = dev_get_by_index(stack, ifindex);

	stack_set_now(stack, now);
	if (!dev)
		return;
	dev->tx_stopped = false;
	if (!skb_queue_empty(&dev->txq))
		qdisc_schedule(dev);
}

void stack_tx_error(struct stack *stack, int ifindex, struct sk_buff *skb)
{
	struct net_device *dev = dev_get_by_index(stack, ifindex);

	if (dev) {
		dev->stats.tx_packets--;
		dev->stats.tx_bytes -= skb->len;
		dev->stats.tx_errors++;
	}
	kfree_skb(skb, SKB_DROP_DEV_TX_FULL);
}
