/* SPDX-License-Identifier: MIT */
/*
 * stack.c: a stack as its embedder sees it: made, configured, driven, ended.
 *
 * Theory. Every entry brings the time. What happens between two calls of stack_run is only noted (softirq_pending, the poll list, the backlog,
 * pending wake-ups); stack_run does it: TIMER, NET_TX, NET_RX, in the order in which Linux serves its softirqs, then the wake-ups, in
 * which applications make socket calls. What those raise is served in the same call, up to a limit of rounds, of time
 * (as far as drivers refresh it) and of frames. Beyond it the rest is left and stack_run asks to be called again at once: the embedder serves its other duties in
 * between, as ksoftirqd lets others run. With nothing left the answer is the wheel's deadline, which is exact.
 *
 * Invariants: now never goes backwards; snap never becomes NULL again; the parts are ended in the reverse of the order in which they were made.
 *
 * Not done: anything that would need a clock of its own; see ops->clock and runtime.c.
 */
#include "bug.h"
#include "ip.h"
#include "neigh.h"
#include "route.h"
#include "runtime.h"
#include "sock.h"
#include "stack_priv.h"
#include "steer.h"

#include <errno.h>
#include <stdlib.h>

#define SOFTIRQ_RESTARTS 10 /* rounds of one stack_run */
#define SOFTIRQ_TIME     (2 * NSEC_PER_MSEC) /* after which no other round begins: both limits are Linux's */
#define TIMER_BATCH      1000 /* timers of one round */
#define TRIM_DELAY       (2 * NSEC_PER_SEC) /* buffers of a burst are kept so long */

/* ---- life ---- */

static const struct {
	int  (*init)(struct stack *stack);
	void (*exit)(struct stack *stack);
} stack_parts[] = {
	{ steer_init, steer_exit },
	{ sock_init, sock_exit },
	{ route_init, route_exit },
	{ neigh_init, neigh_exit },
	{ arp_init, arp_exit },
	{ ip_fragment_init, ip_fragment_exit },
	{ icmp_init, icmp_exit },
	{ inet_hash_init, inet_hash_exit },
	{ udp_init, udp_exit },
	{ tcp_init, tcp_exit },
};

static void trim_timer_fn(struct stack *stack, struct timer *t)
{
	(void)t;
	skb_pool_trim(stack->pool);
}

/* The keys that all shards must agree on come from seed[0..1], the shard's own randomness from all of the seed and its number. */
static void stack_seed(struct stack *stack)
{
	uint64_t common[4] = { stack->params.seed[0], stack->params.seed[1], 0, 0 };
	struct rng r;

	rng_init(&r, common, 0);
	rng_bytes(&r, &stack->flow_key, sizeof(stack->flow_key));
	rng_bytes(&r, &stack->isn_key, sizeof(stack->isn_key));
	rng_bytes(&r, &stack->ts_key, sizeof(stack->ts_key));
	rng_bytes(&r, &stack->ipid_key, sizeof(stack->ipid_key));
	rng_init(&stack->rng, stack->params.seed, (uint64_t)stack->params.cpu + 1);
}

int stack_new(struct stack **ret, const struct stack_params *params, const struct stack_ops *ops, void *priv, ktime_t now)
{
	struct stack *stack;
	size_t made = 0;
	int err = -ENOMEM;

	if (!ops->xmit || !params->ncpu || params->ncpu > STACK_MAX_CPUS || params->cpu >= params->ncpu)
		return -EINVAL;
	if (params->ncpu > 1 && (!ops->steer || !ops->tell))
		return -EINVAL;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	stack->ops = ops;
	stack->priv = priv;
	stack->params = *params;
	stack->now = now;
	stack->sysctl = &sysctl_defaults;
	list_init(&stack->devs);
	list_init(&stack->dead_devs);
	list_init(&stack->poll_list);
	list_init(&stack->tx_list);
	list_init(&stack->taps);
	skb_queue_init(&stack->backlog);
	napi_init(&stack->backlog_napi, NULL, process_backlog);
	timer_init(&stack->trim_timer, trim_timer_fn);
	stack_seed(stack);
	stack->pool = skb_pool_new(params->mem_limit);
	if (!stack->pool)
		goto err_free;
	stack->wheel = timer_wheel_new(now);
	if (!stack->wheel)
		goto err_pool;
	for (; made < sizeof(stack_parts) / sizeof(stack_parts[0]); made++) {
		err = stack_parts[made].init(stack);
		if (err < 0)
			goto err_parts;
	}
	*ret = stack;
	return 0;

err_parts:
	while (made--)
		stack_parts[made].exit(stack);
	timer_wheel_free(stack->wheel);
err_pool:
	skb_pool_free(stack->pool);
err_free:
	free(stack);
	return err;
}

void stack_free(struct stack *stack)
{
	if (!stack)
		return;
	tap_exit(stack);
	dev_purge_queues(stack);
	skb_queue_purge(&stack->backlog, SKB_DROP_DEV_DOWN);
	for (size_t i = sizeof(stack_parts) / sizeof(stack_parts[0]); i--;)
		stack_parts[i].exit(stack);
	dev_purge_queues(stack);
	skb_queue_purge(&stack->backlog, SKB_DROP_DEV_DOWN); /* once more: what an end may have sent */
	dev_exit(stack);
	timer_del(stack, &stack->trim_timer);
	timer_wheel_free(stack->wheel);
	skb_pool_free(stack->pool);
	runtime_exit(stack);
	free(stack);
}

int stack_apply(struct stack *stack, const struct net_snapshot *snap, ktime_t now)
{
	const struct net_snapshot *from = stack->snap;
	int err;

	stack_set_now(stack, now);
	if (snap == from)
		return 0;
	err = dev_prepare(stack, snap);
	if (err < 0)
		return err;
	stack->snap = snap;
	stack->sysctl = &snap->sysctl;
	(void)runtime_apply(stack); /* without memory there are no run times, and the rest goes on */
	dev_apply(stack, from, snap);
	/* A permanent entry that finds no memory is looked up as any other neighbour: nothing is lost by going on. */
	(void)neigh_apply(stack, snap);
	arp_apply(stack, from, snap);
	sock_apply(stack, from, snap);
	steer_apply(stack);
	return 0;
}

void stack_shutdown(struct stack *stack, ktime_t now)
{
	stack_set_now(stack, now);
	tcp_shutdown_all(stack);
}

/* ---- events from outside ---- */

void stack_set_now(struct stack *stack, ktime_t now)
{
	if (now > stack->now)
		stack->now = now;
}

void stack_irq(struct stack *stack, int ifindex, ktime_t now)
{
	struct net_device *dev = dev_get_by_index(stack, ifindex);

	stack_set_now(stack, now);
	if (dev)
		napi_schedule(stack, &dev->napi);
}

void stack_msg(struct stack *stack, const struct shard_msg *msg, ktime_t now)
{
	stack_set_now(stack, now);
	switch (msg->type) {
	case SHARD_NEIGH_UPDATE:
	case SHARD_NEIGH_SOLICIT:
	case SHARD_NEIGH_FAILED:
	case SHARD_NEIGH_DEL:
		neigh_shard_msg(stack, msg);
		break;
	case SHARD_PORT_BIND:
	case SHARD_PORT_UNBIND:
		sock_shard_msg(stack, msg);
		break;
	case SHARD_FDB_UPDATE:
		br_shard_msg(stack, msg);
		break;
	case SHARD_PMTU:
		route_shard_msg(stack, msg);
		break;
	}
}

/* ---- running ---- */

/* What receiving gets of a round of so many frames when what was sent has cost done of them: a device's turn at least, or who sends without end would keep it out. */
static int rx_share(const struct stack *stack, int frames, int done)
{
	int least = frames < stack->sysctl->dev_weight ? frames : stack->sysctl->dev_weight;

	return frames - done > least ? frames - done : least;
}

/* One round in Linux's order. Returns the frames received, and what XDP programs cost beside them. */
static int do_softirq(struct stack *stack, int frames)
{
	int done = 0;

	if (timer_wheel_next(stack->wheel) <= stack->now) {
		runtime_part(stack, RUNTIME_TIMER);
		timer_wheel_run(stack, stack->wheel, stack->now, TIMER_BATCH);
	}
	if (unlikely(stack->xdp_steps >= STACK_XDP_STEPS)) /* of sockets and timers, which sent to a veth */
		done = xdp_settle(stack);
	if (stack->softirq_pending & 1u << NET_TX_SOFTIRQ) {
		runtime_part(stack, RUNTIME_TX);
		net_tx_action(stack);
		if (unlikely(stack->xdp_steps >= STACK_XDP_STEPS))
			done += xdp_settle(stack);
	}
	if (stack->softirq_pending & 1u << NET_RX_SOFTIRQ && frames > 0)
		done += net_rx_action(stack, likely(!done) ? frames : rx_share(stack, frames, done));
	return done;
}

static ktime_t run(struct stack *stack, unsigned budget)
{
	int frames = budget && budget < INT32_MAX ? (int)budget : stack->sysctl->netdev_budget;
	bool woken;
	ktime_t next, end;

	end = stack->now + SOFTIRQ_TIME;
	for (int round = 0;; round++) {
		frames -= do_softirq(stack, frames);
		runtime_part(stack, RUNTIME_WAKE);
		woken = sock_run_wakes(stack);
		runtime_part(stack, RUNTIME_ACKS);
		tcp_run_acks(stack);
		runtime_part(stack, RUNTIME_OTHER);
		next = timer_wheel_next(stack->wheel);
		if (!stack->softirq_pending && !woken && next > stack->now)
			break;
		if (round == SOFTIRQ_RESTARTS || (frames <= 0 && !woken) || (stack->now >= end && stack->softirq_pending)) {
			stack->softnet.restarts_cut++;
			return stack->now;
		}
	}
	dev_reap(stack);
	if (unlikely(skb_pool_wants_trim(stack->pool)) && !timer_pending(&stack->trim_timer)) {
		timer_mod(stack, &stack->trim_timer, stack->now + TRIM_DELAY);
		next = timer_wheel_next(stack->wheel);
	}
	return next;
}

ktime_t stack_run(struct stack *stack, ktime_t now, unsigned budget)
{
	ktime_t next;

	stack_set_now(stack, now);
	if (likely(!stack->runtime))
		return run(stack, budget);
	runtime_begin(stack);
	next = run(stack, budget);
	if (stack->sampling)
		runtime_end(stack);
	return next;
}

/* ---- what can be seen ---- */

const struct net_snapshot *stack_snapshot(const struct stack *stack) { return stack->snap; }
struct skb_pool *stack_skb_pool(struct stack *stack) { return stack->pool; }
unsigned stack_cpu(const struct stack *stack) { return stack->params.cpu; }
ktime_t stack_now(const struct stack *stack) { return stack->now; }
bool stack_raised(const struct stack *stack) { return stack->softirq_pending != 0; }
void *stack_priv(const struct stack *stack) { return stack->priv; }

int stack_neigh_delete(struct stack *stack, int ifindex, const struct ipaddr *addr, ktime_t now)
{
	stack_set_now(stack, now);
	return neigh_delete(stack, ifindex, addr);
}

void stack_neigh_flush(struct stack *stack, int ifindex, ktime_t now)
{
	stack_set_now(stack, now);
	neigh_flush(stack, ifindex);
}

int stack_neigh_foreach(struct stack *stack, int (*fn)(void *arg, const struct neigh_info *info), void *arg)
{
	return neigh_foreach(stack, fn, arg);
}

/* Gauges that are the same everywhere come from shard 0 alone, since the caller adds the shards up. RFC 4293 ipForwarding: 1 yes, 2 no; RFC 4022
 * tcpRtoAlgorithm: 1 is other, as Linux says, times in milliseconds, tcpMaxConn: -1, no fixed limit. */
static void mib_add_gauges(const struct stack *stack, uint64_t *sums)
{
	sums[MIB_Ip_Forwarding] += stack->sysctl->ip_forward ? 1 : 2;
	sums[MIB_Ip_DefaultTTL] += (uint64_t)stack->sysctl->ip_default_ttl;
	sums[MIB_Tcp_RtoAlgorithm] += 1;
	sums[MIB_Tcp_RtoMin] += 200;
	sums[MIB_Tcp_RtoMax] += 120000;
	sums[MIB_Tcp_MaxConn] = (uint64_t)INT64_C(-1);
}

void stack_mib_add(const struct stack *stack, uint64_t *sums)
{
	for (int i = 0; i < NET_MIB_MAX; i++)
		sums[i] += stack->mib[i];
	sums[MIB_Neigh_Lookups] += stack->mib[MIB_Neigh_Hits]; /* the hits count as hits only where it is done often */
	if (stack->params.cpu == 0)
		mib_add_gauges(stack, sums);
}

void stack_drops_add(const struct stack *stack, uint64_t *drops)
{
	const struct skb_pool_stats *st = skb_pool_stats(stack->pool);

	for (int i = 0; i < SKB_DROP_MAX; i++)
		drops[i] += st->drops[i];
}
