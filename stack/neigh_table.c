/* SPDX-License-Identifier: MIT */
/*
 * neigh_table.c: the entries of the neighbour table of a shard: how they come and go; what becomes of an entry in between is in neigh.c.
 *
 * Limits. Learned entries stand on one of five lists by what they are worth: failed, heard of but never used, incomplete, stale, live. Within a list the
 * order is the time at which the state was entered. When the table is full (gc_thresh3) a new entry displaces the first of the least valuable list, in
 * constant time; an entry that somebody merely announced displaces only failed and never used ones, a scan displaces at most other
 * incomplete and stale ones. Live entries are never displaced and permanent ones neither counted nor collected, so neither a scan nor an ARP flood cuts
 * off who is being talked to.
 *
 * Owner: the shard. Nothing keeps a pointer to an entry over a call that may send.
 */
#include "neigh_priv.h"
#include <errno.h>
#include <stdlib.h>

#define FORCED_GC_AGE      (5 * NSEC_PER_SEC) /* above gc_thresh2: what was touched this recently stays */
#define NEIGH_MIN_BUCKETS  64u
#define NEIGH_FREE_MAX     64u /* entries kept for reuse */

static void neigh_grow(struct neigh_table *t)
{
	uint32_t buckets = (t->mask + 1) * 2;
	struct hlist_head *fresh = calloc(buckets, sizeof(*fresh)), *old = t->hash;
	uint32_t oldmask = t->mask;

	if (!fresh)
		return; /* longer chains, that is all */
	t->hash = fresh;
	t->mask = buckets - 1;
	for (uint32_t i = 0; i <= oldmask; i++) {
		struct neighbour *n, *tmp;

		hlist_for_each_safe(n, tmp, &old[i], struct neighbour, hash) {
			hlist_del(&n->hash);
			hlist_add_head(&n->hash, &t->hash[neigh_hash(t, n->dev->ifindex, &n->key) & t->mask]);
		}
	}
	free(old);
}

/* ---- life of an entry ------------------------------------------------------------------------------------------------ */

void neigh_notify(struct stack *stack, const struct neighbour *n, enum stack_event_type type)
{
	if (!stack->ops->notify)
		return;
	stack_notify(stack, &(struct stack_event){ .type = type, .ifindex = n->dev->ifindex, .addr = n->key, .lladdr = n->ha, .nud = nud_info[n->state].nud });
}

void neigh_relist(struct stack *stack, struct neighbour *n)
{
	uint8_t list = nud_info[n->state].list;

	if (list == L_STALE && n->used == 0)
		list = L_UNUSED;
	n->list = list;
	list_move_tail(&n->lru, &stack->neigh->lists[list]);
}

void neigh_destroy(struct stack *stack, struct neighbour *n, enum skb_drop_reason reason)
{
	struct neigh_table *t = stack->neigh;

	timer_del(stack, &n->timer);
	hlist_del(&n->hash);
	list_del(&n->lru);
	if (n->list == L_PERMANENT)
		t->permanent--;
	else
		t->entries--;
	t->queue_bytes -= n->queue_bytes;
	skb_queue_purge(&n->queue, reason);
	STACK_MIB_INC(stack, Neigh_Destroys);
	if (t->nfree < NEIGH_FREE_MAX) {
		hlist_add_head(&n->hash, &t->free);
		t->nfree++;
	} else {
		free(n);
	}
}

static bool neigh_evict_first(struct stack *stack, enum neigh_list list)
{
	struct neighbour *n = list_first(&stack->neigh->lists[list], struct neighbour, lru);

	if (!n)
		return false;
	neigh_destroy(stack, n, SKB_DROP_NEIGH_TABLE_FULL);
	return true;
}

/* Above gc_thresh2: gives up what is old and little worth, at most once in FORCED_GC_AGE. */
static void neigh_forced_gc(struct stack *stack)
{
	static const uint8_t order[] = { L_FAILED, L_UNUSED, L_STALE };
	struct neigh_table *t = stack->neigh;

	t->last_forced = stack->now;
	STACK_MIB_INC(stack, Neigh_ForcedGcRuns);
	for (unsigned i = 0; i < sizeof(order); i++) {
		struct neighbour *n, *tmp;

		list_for_each_safe(n, tmp, &t->lists[order[i]], struct neighbour, lru) {
			if (t->entries < (uint32_t)stack->sysctl->neigh_gc_thresh2)
				return;
			if (order[i] != L_FAILED && stack->now - n->updated < FORCED_GC_AGE)
				break;
			neigh_destroy(stack, n, SKB_DROP_NEIGH_TABLE_FULL);
		}
	}
}

/* Room for one more learned entry. heard: somebody announced himself, which is worth less than what a packet needs. */
static bool neigh_make_room(struct stack *stack, bool heard)
{
	struct neigh_table *t = stack->neigh;
	const struct sysctl_values *sc = stack->sysctl;

	if (t->entries >= (uint32_t)sc->neigh_gc_thresh2 && (t->last_forced == 0 || stack->now - t->last_forced >= FORCED_GC_AGE))
		neigh_forced_gc(stack);
	if (t->entries < (uint32_t)sc->neigh_gc_thresh3)
		return true;
	if (neigh_evict_first(stack, L_FAILED) || neigh_evict_first(stack, L_UNUSED))
		return true;
	if (!heard && (neigh_evict_first(stack, L_INCOMPLETE) || neigh_evict_first(stack, L_STALE)))
		return true;
	STACK_MIB_INC(stack, Neigh_TableFulls);
	return false;
}

static void neigh_gc_arm(struct stack *stack)
{
	struct neigh_table *t = stack->neigh;

	if (t->entries && t->entries >= (uint32_t)stack->sysctl->neigh_gc_thresh1 && !timer_pending(&t->gc_timer))
		timer_mod(stack, &t->gc_timer, stack->now + stack->sysctl->neigh_gc_interval * NSEC_PER_SEC);
}

/* Every gc_interval while there are gc_thresh1 entries or more: failed ones, and those that nobody used for gc_stale_time. */
static void neigh_gc(struct stack *stack, struct timer *timer)
{
	static const uint8_t order[] = { L_FAILED, L_UNUSED, L_STALE };
	struct neigh_table *t = stack->neigh;
	ktime_t stale = stack->sysctl->neigh_gc_stale_time * NSEC_PER_SEC;

	(void)timer;
	for (unsigned i = 0; i < sizeof(order); i++) {
		struct neighbour *n, *tmp;

		list_for_each_safe(n, tmp, &t->lists[order[i]], struct neighbour, lru) {
			ktime_t last = n->used > n->updated ? n->used : n->updated;

			if (t->entries < (uint32_t)stack->sysctl->neigh_gc_thresh1)
				return;
			if (order[i] == L_FAILED || stack->now - last >= stale) {
				neigh_notify(stack, n, STACK_EV_NEIGH_DEL);
				neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
			}
		}
	}
	neigh_gc_arm(stack);
}

struct neighbour *neigh_create(struct stack *stack, struct net_device *dev, const struct ipaddr *key, bool permanent, bool heard)
{
	struct neigh_table *t = stack->neigh;
	struct neighbour *n;

	if (!permanent && !neigh_make_room(stack, heard))
		return NULL;
	n = hlist_entry_or_null(t->free.first, struct neighbour, hash);
	if (n) {
		hlist_del(&n->hash);
		t->nfree--;
	} else {
		n = malloc(sizeof(*n));
		if (!n)
			return NULL;
	}
	memset(n, 0, sizeof(*n));
	n->dev = dev;
	n->key = *key;
	n->updated = stack->now;
	n->confirmed = stack->now;
	skb_queue_init(&n->queue);
	timer_init(&n->timer, neigh_timer);
	list_init(&n->lru);
	if (permanent) {
		n->state = S_PERMANENT;
		t->permanent++;
	} else {
		t->entries++;
	}
	neigh_relist(stack, n);
	if (t->entries + t->permanent > t->mask)
		neigh_grow(t);
	hlist_add_head(&n->hash, &t->hash[neigh_hash(t, dev->ifindex, key) & t->mask]);
	STACK_MIB_INC(stack, Neigh_Allocs);
	neigh_gc_arm(stack);
	return n;
}

/* ---- configuration, removal, showing ------------------------------------------------------------------------------------ */

void neigh_drop_learned(struct stack *stack, int ifindex, enum skb_drop_reason reason)
{
	struct neigh_table *t = stack->neigh;

	for (unsigned list = 0; list < L_PERMANENT; list++) {
		struct neighbour *n, *tmp;

		list_for_each_safe(n, tmp, &t->lists[list], struct neighbour, lru) {
			if (ifindex && n->dev->ifindex != ifindex)
				continue;
			neigh_notify(stack, n, STACK_EV_NEIGH_DEL);
			neigh_destroy(stack, n, reason);
		}
	}
}

/* The device is about to go: nothing may point at it afterwards. */
void neigh_dev_down(struct stack *stack, struct net_device *dev)
{
	struct neighbour *n, *tmp;

	if (!stack->neigh)
		return;
	neigh_drop_learned(stack, dev->ifindex, SKB_DROP_NEIGH_DEAD);
	list_for_each_safe(n, tmp, &stack->neigh->lists[L_PERMANENT], struct neighbour, lru) {
		if (n->dev == dev)
			neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
	}
}

static int neigh_apply_permanent(struct stack *stack, const struct neigh_conf *conf, uint8_t mark)
{
	struct net_device *dev = dev_get_by_index(stack, conf->ifindex);
	struct neighbour *n;

	if (!dev)
		return 0;
	n = neigh_lookup(stack->neigh, conf->ifindex, &conf->addr);
	if (n && n->list != L_PERMANENT) {
		/* what waits for the learned entry is sent by way of the permanent one */
		struct sk_buff_head waiting;
		struct sk_buff *skb;

		skb_queue_init(&waiting);
		skb_queue_splice_tail(&n->queue, &waiting);
		stack->neigh->queue_bytes -= n->queue_bytes;
		n->queue_bytes = 0;
		neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
		if (neigh_apply_permanent(stack, conf, mark) < 0) {
			skb_queue_purge(&waiting, SKB_DROP_NOMEM);
			return -ENOMEM;
		}
		while ((skb = skb_dequeue(&waiting)))
			neigh_output(stack, skb);
		return 0;
	}
	if (!n) {
		n = neigh_create(stack, dev, &conf->addr, true, false);
		if (!n)
			return -ENOMEM;
	}
	if (!n->fast || !eth_equal(&n->ha, &conf->lladdr)) {
		neigh_store(n, &conf->lladdr);
		n->fast = true;
		n->updated = stack->now;
		neigh_notify(stack, n, STACK_EV_NEIGH);
	}
	n->mark = mark;
	return 0;
}

/* Follows a new configuration after dev_apply: permanent entries, our own link-layer addresses, links that lost their cable. */
int neigh_apply(struct stack *stack, const struct net_snapshot *to)
{
	struct neigh_table *t = stack->neigh;
	uint8_t mark = ++t->mark;
	struct neighbour *n, *tmp;
	struct net_device *dev;

	list_for_each(dev, &stack->devs, struct net_device, node) {
		if (!dev_running(dev))
			neigh_drop_learned(stack, dev->ifindex, SKB_DROP_NEIGH_DEAD);
	}
	for (unsigned i = 0; i < to->nneighs; i++) {
		int r = neigh_apply_permanent(stack, &to->neighs[i], mark);

		if (r < 0)
			return r;
	}
	list_for_each_safe(n, tmp, &t->lists[L_PERMANENT], struct neighbour, lru) {
		if (n->mark == mark)
			continue;
		neigh_notify(stack, n, STACK_EV_NEIGH_DEL);
		neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
	}
	for (unsigned list = 0; list < NEIGH_LISTS; list++) {
		list_for_each(n, &t->lists[list], struct neighbour, lru)
			memcpy(n->hh + ETH_ADDR_LEN, n->dev->conf->addr.b, ETH_ADDR_LEN);
	}
	return 0;
}

int neigh_delete(struct stack *stack, int ifindex, const struct ipaddr *addr)
{
	struct neighbour *n = neigh_lookup(stack->neigh, ifindex, addr);

	if (stack_multi(stack))
		neigh_tell(stack, STACK_CPU_ALL, SHARD_NEIGH_DEL, ifindex, addr, NULL, 0, 0);
	if (!n || n->list == L_PERMANENT)
		return -ENOENT;
	neigh_notify(stack, n, STACK_EV_NEIGH_DEL);
	neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
	return 0;
}

void neigh_flush(struct stack *stack, int ifindex)
{
	if (stack_multi(stack))
		neigh_tell(stack, STACK_CPU_ALL, SHARD_NEIGH_DEL, ifindex, &IPADDR_NONE, NULL, 0, 0);
	neigh_drop_learned(stack, ifindex, SKB_DROP_NEIGH_DEAD);
}

int neigh_foreach(const struct stack *stack, int (*fn)(void *arg, const struct neigh_info *info), void *arg)
{
	const struct neigh_table *t = stack->neigh;

	for (unsigned list = 0; list < NEIGH_LISTS; list++) {
		const struct neighbour *n;

		list_for_each(n, &t->lists[list], struct neighbour, lru) {
			struct neigh_info info = {
				.ifindex = n->dev->ifindex, .addr = n->key, .lladdr = n->ha, .nud = nud_info[n->state].nud, .probes = n->probes,
				.queued = n->queue.qlen, .used = n->used, .confirmed = n->confirmed, .updated = n->updated,
			};
			int r = fn(arg, &info);

			if (r)
				return r;
		}
	}
	return 0;
}

int neigh_init(struct stack *stack)
{
	struct neigh_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->hash = calloc(NEIGH_MIN_BUCKETS, sizeof(*t->hash));
	if (!t->hash) {
		free(t);
		return -ENOMEM;
	}
	t->mask = NEIGH_MIN_BUCKETS - 1;
	for (unsigned i = 0; i < sizeof(t->key) / sizeof(t->key[0]); i++)
		t->key[i] = rng_u64(&stack->rng) | 1;
	for (unsigned i = 0; i < NEIGH_LISTS; i++)
		list_init(&t->lists[i]);
	timer_init(&t->gc_timer, neigh_gc);
	stack->neigh = t;
	return 0;
}

void neigh_exit(struct stack *stack)
{
	struct neigh_table *t = stack->neigh;
	struct neighbour *n, *tmp;

	if (!t)
		return;
	for (unsigned list = 0; list < NEIGH_LISTS; list++) {
		list_for_each_safe(n, tmp, &t->lists[list], struct neighbour, lru)
			neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
	}
	hlist_for_each_safe(n, tmp, &t->free, struct neighbour, hash) {
		hlist_del(&n->hash);
		free(n);
	}
	timer_del(stack, &t->gc_timer);
	free(t->hash);
	free(t);
	stack->neigh = NULL;
}
