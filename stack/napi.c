/* SPDX-License-Identifier: MIT */
/*
 * napi.c: the receive softirq: which device is polled, for how long, and in what order.
 *
 * Theory. An interrupt (stack_irq) puts a device on the shard's poll list and raises NET_RX; its further interrupts are off until it has been found
 * empty. net_rx_action polls the list from the front, at most dev_weight frames at a time. A device that used its whole weight has more
 * and goes to the tail, so that several devices share a round; one that used less is empty and leaves the list. A turn that the end of the budget cut short goes on in
 * the next round, or devices would get unequal shares (Linux lets the last poll of a round exceed the budget instead). A round ends after
 * netdev_budget frames or netdev_budget_usecs; if something is left then, the round was squeezed (counted) and NET_RX
 * stays raised. Drivers refresh the time at each poll; for the backlog, which has no driver, the embedder's clock is asked if it lends one. The backlog, to which netif_rx and other shards add, is one more member of the list.
 *
 * Invariants: napi->scheduled if and only if it is on the poll list; NET_RX is raised while the list is not empty.
 *
 * What XDP programs cost counts as frames of the budget, and ends a poll early (xdp.c).
 *
 * What a poll brought and GRO holds (gro.c) goes on when the device is empty, or has been held for long.
 *
 * Not done here: busy polling and interrupt coalescing, which are the driver's.
 */
#include "bug.h"
#include "dev.h"
#include "gro.h"
#include "runtime.h"
#include "stack_priv.h"

void napi_init(struct napi_struct *napi, struct net_device *dev, int (*poll)(struct napi_struct *napi, int budget))
{
	list_init(&napi->poll_list);
	napi->dev = dev;
	napi->poll = poll;
	napi->scheduled = false;
	napi->served = 0;
	napi_gro_init(napi);
}

void napi_schedule(struct stack *stack, struct napi_struct *napi)
{
	if (!napi->scheduled) {
		napi->scheduled = true;
		napi->served = 0;
		list_add_tail(&napi->poll_list, &stack->poll_list);
	}
	stack->softirq_pending |= 1u << NET_RX_SOFTIRQ;
}

void napi_complete(struct napi_struct *napi)
{
	list_del(&napi->poll_list);
	napi->scheduled = false;
}

/* A device of the embedder's: ops->poll hands its frames to stack_rx. */
int dev_napi_poll(struct napi_struct *napi, int budget)
{
	struct stack *stack = napi->dev->stack;
	ktime_t now = stack->now;
	int work, held = 0;

	if (!stack->ops->poll) {
		napi_complete(napi);
		return 0;
	}
	stack->polling = napi->dev;
	if (unlikely(napi->dev->hooks & DEV_HOOK_HELD))
		held = dev_rx_held(stack, napi->dev, budget);
	if (unlikely(held == budget || xdp_spent(stack))) {
		stack->polling = NULL;
		if (napi->gro_bitmask)
			napi_gro_poll_end(napi, true);
		return held;
	}
	runtime_part(stack, RUNTIME_POLL);
	work = stack->ops->poll(stack->priv, napi->dev->ifindex, budget - held, &now) + held;
	if (unlikely(stack->sampling) && work > 0)
		runtime_frames(stack->sampling, RUNTIME_POLL, (uint64_t)work);
	runtime_part(stack, RUNTIME_GRO);
	stack->polling = NULL;
	if (now > stack->now)
		stack->now = now;
	if (napi->gro_bitmask)
		napi_gro_poll_end(napi, work >= budget);
	if (unlikely(napi->dev->hooks & DEV_HOOK_HELD)) {
		if (!skb_queue_empty(&napi->dev->xdp.held))
			return work - (int)napi->dev->xdp.held.qlen; /* the driver may be through; the device is not */
		napi->dev->hooks &= ~(uint32_t)DEV_HOOK_HELD;
	}
	if (work < budget)
		napi_complete(napi);
	return work;
}

static void round_squeezed(struct stack *stack, bool by_budget)
{
	stack->softnet.time_squeeze++;
	if (by_budget)
		stack->softnet.squeeze_budget++;
	else
		stack->softnet.squeeze_time++;
}

int net_rx_action(struct stack *stack, int budget)
{
	const struct sysctl_values *sysctl = stack->sysctl;
	ktime_t time_limit = stack->now + sysctl->netdev_budget_usecs * NSEC_PER_USEC;
	int done = 0, round = budget < sysctl->netdev_budget ? budget : sysctl->netdev_budget;

	stack->softirq_pending &= ~(1u << NET_RX_SOFTIRQ);
	stack->softnet.rounds++;
	while (!list_empty(&stack->poll_list)) {
		struct napi_struct *napi = list_entry(stack->poll_list.next, struct napi_struct, poll_list);
		int turn = sysctl->dev_weight > napi->served ? sysctl->dev_weight - napi->served : 1;
		int weight = turn < round - done ? turn : round - done, work, extra = 0;

		if (unlikely(weight <= 0 || (done && stack->now >= time_limit))) {
			round_squeezed(stack, weight <= 0);
			break;
		}
		work = napi->poll(napi, weight);
		runtime_part(stack, RUNTIME_OTHER);
		if (work > 0)
			done += work;
		if (unlikely(stack->xdp_steps >= STACK_XDP_STEPS))
			done += extra = xdp_settle(stack);
		if (napi->scheduled) { /* else not on the list any more: empty, or its device went away */
			if (work == weight && weight < turn && !extra) {
				napi->served += work;
			} else {
				napi->served = 0;
				list_move_tail(&napi->poll_list, &stack->poll_list);
			}
			if (!napi->dev && stack->ops->clock)
				stack_set_now(stack, stack->ops->clock(stack->priv));
		}
	}
	if (!list_empty(&stack->poll_list))
		stack->softirq_pending |= 1u << NET_RX_SOFTIRQ;
	return done;
}
