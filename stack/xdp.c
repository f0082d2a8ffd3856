/* SPDX-License-Identifier: MIT */
/*
 * xdp.c: generic XDP: a function of the embedder's sees each frame of a device before anything else of the stack does, may change it, and says what becomes of it.
 *
 * Theory. The stack knows nothing of programs: it calls a function with the frame's bytes and does what it returns, with the numbers that Linux's enum xdp_action
 * has. It stands behind the driver's counters and in front of GRO, packet taps and the filter of MAC addresses, where Linux's generic XDP stands. The frame
 * is made linear and private first. A frame of a driver that sends offloads may be larger than the MTU and its checksum may be partial, as on Linux.
 *
 * PASS goes on, whatever the frame has become. TX sends it out of the device that it came in by, REDIRECT out of another one of this namespace; both without a queue in
 * front of a driver's device, and by NET_TX for a device without a driver, so that two ends of a veth that play ping-pong use no stack. DROP is no error and is
 * counted as such only here and by its reason; ABORTED and any unknown answer mean that the function has failed.
 *
 * What programs cost is part of a poll, as frames are: STACK_XDP_STEPS instructions count as one. A poll, a run of the backlog or of a queue ends when they have
 * used up what 64 frames may cost, the rest of the budget is less by as much, and the time is looked at again, so that netdev_budget and netdev_budget_usecs cut rounds of
 * slow programs as they cut rounds of many frames. A driver may have read more frames by then: those wait in dev->xdp.held, in order, for the
 * device's next turn, which begins with them. Sending to a veth is charged, too, but never keeps others out: receiving has a device's turn in each round (stack.c),
 * and a device that found the turn of sending used up is first in the next one (net_tx_action).
 *
 * Invariants: dev->hooks has DEV_HOOK_XDP if and only if dev->xdp.fn is set. skb is consumed or returned.
 *
 * Not done: metadata in front of the frame, frames that stay in pieces, AF_XDP.
 */
#include "bug.h"
#include "dev.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>

#define XDP_HEADROOM 256 /* by so much a frame may grow at its head, as on Linux */
#define XDP_FRAME_MAX 65535
#define VLAN_HLEN 4
#define XDP_STEPS_MAX (1u << 28) /* where the sum stays */

struct xdp_run {
	struct stack_xdp_frame frame; /* first */
	struct sk_buff        *skb;
	struct stack          *stack;
	int32_t                grown; /* bytes at the head */
};

static void xdp_point(struct xdp_run *run)
{
	run->frame.data = run->skb->data;
	run->frame.len = run->skb->len;
}

static int xdp_headroom(struct xdp_run *run, uint32_t need)
{
	struct sk_buff *skb;

	if (likely(skb_headroom(run->skb) >= need))
		return 0;
	skb = skb_copy(run->skb, need + SKB_HEADROOM);
	if (!skb)
		return -ENOMEM;
	consume_skb(run->skb);
	run->skb = skb;
	return 0;
}

/* frame.adjust: the caller (the function's side) has checked nothing but that a header remains. */
static int xdp_adjust(struct stack_xdp_frame *frame, int32_t head, int32_t tail)
{
	struct xdp_run *run = (struct xdp_run *)frame;
	int64_t len = (int64_t)run->skb->len - head + tail;

	if (len < ETH_HLEN || len > XDP_FRAME_MAX || head < -XDP_HEADROOM || run->grown - head > XDP_HEADROOM)
		return -EINVAL;
	if (skb_is_gso(run->skb))
		return -EOPNOTSUPP; /* its segments would not be what their headers say */
	if (head > 0 && (uint32_t)head > run->skb->len)
		return -EINVAL;
	if (head < 0 && xdp_headroom(run, (uint32_t)-head) < 0)
		return -ENOMEM;
	if (tail > 0 && (uint32_t)tail > skb_tailroom(run->skb)) {
		xdp_point(run); /* it may have moved, for more room in front */
		return -EINVAL;
	}
	if (head > 0)
		skb_pull(run->skb, (uint32_t)head);
	else if (head < 0)
		memset(skb_push(run->skb, (uint32_t)-head), 0, (size_t)-head);
	if (tail < 0)
		skb_trim(run->skb, (uint32_t)len);
	else if (tail > 0)
		memset(skb_put(run->skb, (uint32_t)tail), 0, (size_t)tail);
	run->grown -= head;
	xdp_point(run);
	return 0;
}

static void xdp_ask_fib(struct stack_xdp_frame *frame, struct stack_xdp_fib *fib)
{
	xdp_fib_lookup(((struct xdp_run *)frame)->stack, fib);
}

/* A checksum that the device is to make may have lost its place. */
static void xdp_fix_csum(struct sk_buff *skb)
{
	uint32_t data = (uint32_t)(skb->data - skb->head);

	if (skb->ip_summed == CHECKSUM_COMPLETE ||
	    (skb->ip_summed == CHECKSUM_PARTIAL && (skb->csum_start < data || skb->csum_start + skb->csum_offset + 2u > data + skb->len)))
		skb->ip_summed = CHECKSUM_NONE;
}

static bool xdp_fits(const struct net_device *to, const struct sk_buff *skb)
{
	return skb_is_gso(skb) || skb->len <= dev_mtu(to) + ETH_HLEN + VLAN_HLEN;
}

/* Consumes skb. False: it was dropped. */
static bool xdp_xmit(struct net_device *to, struct sk_buff *skb)
{
	skb->dev = to;
	skb_reset_mac_header(skb);
	skb->network_header = (uint16_t)(skb->mac_header + ETH_HLEN);
	skb->pkt_type = SKB_PKT_OUTGOING;
	skb->hash = 0;
	if (likely(!to->ops))
		return dev_queue_xmit(skb) == 0;
	if (qdisc_enqueue(to, skb) < 0)
		return false;
	qdisc_schedule(to);
	return true;
}

static void xdp_redirect(struct stack *stack, struct net_device *dev, struct sk_buff *skb, int ifindex)
{
	struct net_device *to = dev_get_by_index(stack, ifindex);
	bool fit = to && dev_running(to) && !dev_is_loopback(to) && xdp_fits(to, skb);

	if (fit && xdp_xmit(to, skb)) {
		dev->xdp.stats.redirect++;
		return;
	}
	dev->xdp.stats.redirect_errors++;
	if (!fit)
		kfree_skb(skb, SKB_DROP_XDP_REDIRECT);
}

static inline void xdp_charge(struct stack *payer, uint32_t steps)
{
	payer->xdp_steps += steps < XDP_STEPS_MAX - payer->xdp_steps ? steps : XDP_STEPS_MAX - payer->xdp_steps;
	if (unlikely(xdp_spent(payer) && payer->polling))
		payer->polling->hooks |= DEV_HOOK_HELD;
}

int xdp_settle(struct stack *stack)
{
	int frames = (int)(stack->xdp_steps / STACK_XDP_STEPS);

	stack->xdp_steps %= STACK_XDP_STEPS;
	if (frames && stack->ops->clock)
		stack_set_now(stack, stack->ops->clock(stack->priv));
	return frames;
}

void xdp_purge(struct net_device *dev)
{
	dev->hooks &= ~(uint32_t)DEV_HOOK_HELD;
	skb_queue_purge(&dev->xdp.held, SKB_DROP_DEV_DOWN);
}

struct sk_buff *xdp_rx(struct stack *payer, struct net_device *dev, struct sk_buff *skb)
{
	struct stack *stack = dev->stack;
	struct xdp_run run = { .frame = { .ingress_ifindex = dev->ifindex, .now = stack->now, .adjust = xdp_adjust, .fib_lookup = xdp_ask_fib },
			       .stack = stack };
	int action;

	if (unlikely((skb->cloned || skb->area->refcnt != 1 || skb_is_nonlinear(skb)) && (skb_unshare(skb) < 0 || skb_linearize(skb) < 0))) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return NULL;
	}
	if (unlikely(skb->len < ETH_HLEN))
		return skb; /* no program expects that; eth_type_trans has the word for it */
	run.skb = skb;
	xdp_point(&run);
	action = dev->xdp.fn(dev->xdp.arg, &run.frame);
	xdp_charge(payer, run.frame.steps);
	skb = run.skb;
	xdp_fix_csum(skb);
	switch (action) {
	case STACK_XDP_PASS:
		dev->xdp.stats.pass++;
		return skb;
	case STACK_XDP_DROP:
		dev->xdp.stats.drop++;
		kfree_skb(skb, SKB_DROP_XDP_DROP);
		return NULL;
	case STACK_XDP_TX:
		if (xdp_xmit(dev, skb))
			dev->xdp.stats.tx++;
		else
			dev->xdp.stats.tx_errors++;
		return NULL;
	case STACK_XDP_REDIRECT:
		xdp_redirect(stack, dev, skb, run.frame.redirect_ifindex);
		return NULL;
	default:
		dev->xdp.stats.aborted++;
		kfree_skb(skb, SKB_DROP_XDP_ABORTED);
		return NULL;
	}
}

int stack_xdp_set(struct stack *stack, int ifindex, stack_xdp_fn fn, void *arg)
{
	struct net_device *dev = dev_get_by_index(stack, ifindex);

	if (!dev)
		return -ENODEV;
	if (fn && dev->ops && dev->ops != &veth_ops) /* it would never be asked: nothing comes in, or by the device below */
		return -EOPNOTSUPP;
	dev->xdp.fn = fn;
	dev->xdp.arg = arg;
	memset(&dev->xdp.stats, 0, sizeof(dev->xdp.stats));
	dev->hooks = fn ? dev->hooks | DEV_HOOK_XDP : dev->hooks & ~(uint32_t)DEV_HOOK_XDP;
	return 0;
}

int stack_xdp_stats(const struct stack *stack, int ifindex, struct stack_xdp_stats *ret)
{
	const struct net_device *dev = dev_get_by_index(stack, ifindex);

	if (!dev)
		return -ENODEV;
	*ret = dev->xdp.stats;
	return 0;
}
