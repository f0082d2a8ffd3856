/* SPDX-License-Identifier: MIT */
/*
 * bridge_fdb.c: the filtering database of a bridge (IEEE 802.1D clause 7.9): which station is behind which port.
 *
 * Theory. A table with chains, keyed by the address under a secret of the shard (multiply-shift, which is universal: who does not know the odd
 * factor cannot aim at one chain), doubled when the chains become long. An entry that is older than the ageing time is as good as gone at once; a timer takes it away later, and rests when nothing is learned. What
 * other shards are told, and how often, stands at the head of bridge.c; what they tell counts as if it had been heard here at the time they say, so
 * the last one to hear a station is believed.
 *
 * Invariants: an address stands in it once.
 *
 * Not done: entries for each VLAN.
 */
#include "bridge.h"
#include "bug.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

#define FDB_BUCKETS_LOG 8
#define FDB_BUCKETS  (1u << FDB_BUCKETS_LOG)
#define FDB_BUCKETS_MAX 65536u
#define TELL_RATE    1000u /* a second, */
#define TELL_BURST   256u /* and at once */
#define TELL_PART    4 /* a station that stays is told again after this part of the ageing time */

static ktime_t ageing(const struct net_bridge *br)
{
	return (ktime_t)br->dev->conf->ageing_time * (NSEC_PER_SEC / 100);
}

static struct hlist_head *bucket(const struct net_bridge *br, const struct eth_addr *addr)
{
	uint64_t key = (uint64_t)get_be32(addr->b) << 16 | get_be16(addr->b + 4);

	return &br->buckets[key * br->hash_key >> br->hash_shift];
}

static void gc_timer_fn(struct stack *stack, struct timer *t);

int fdb_init(struct net_bridge *br)
{
	br->nbuckets = FDB_BUCKETS;
	br->hash_shift = 64 - FDB_BUCKETS_LOG;
	br->hash_key = rng_u64(&br->dev->stack->rng) | 1;
	br->buckets = calloc(br->nbuckets, sizeof(*br->buckets));
	br->tell_tokens = TELL_BURST;
	timer_init(&br->gc, gc_timer_fn);
	return br->buckets ? 0 : -ENOMEM;
}

static void fdb_free(struct net_bridge *br, struct fdb_entry *e)
{
	br->entries--;
	br->learned -= !e->flags;
	hlist_del(&e->node);
	free(e);
}

#define FDB_FOREACH(br, i, e, tmp) \
	for (unsigned i = 0; i < (br)->nbuckets; i++) \
		hlist_for_each_safe(e, tmp, &(br)->buckets[i], struct fdb_entry, node)

void fdb_exit(struct net_bridge *br)
{
	struct fdb_entry *e, *tmp;

	FDB_FOREACH(br, i, e, tmp)
		fdb_free(br, e);
	timer_del(br->dev->stack, &br->gc);
	free(br->buckets);
}

/* Longer chains are all that comes of it when there is no memory. */
static void fdb_grow(struct net_bridge *br)
{
	struct hlist_head *more, *old = br->buckets;
	unsigned n = br->nbuckets;
	struct fdb_entry *e, *tmp;

	if (br->entries < 2 * n || n >= FDB_BUCKETS_MAX)
		return;
	more = calloc(2 * (size_t)n, sizeof(*more));
	if (!more)
		return;
	br->buckets = more;
	br->nbuckets = 2 * n;
	br->hash_shift--;
	for (unsigned i = 0; i < n; i++)
		hlist_for_each_safe(e, tmp, &old[i], struct fdb_entry, node) {
			hlist_del(&e->node);
			hlist_add_head(&e->node, bucket(br, &e->addr));
		}
	free(old);
}

static struct fdb_entry *fdb_lookup(const struct net_bridge *br, const struct eth_addr *addr)
{
	struct fdb_entry *e;

	hlist_for_each(e, bucket(br, addr), struct fdb_entry, node)
		if (eth_equal(&e->addr, addr))
			return e;
	return NULL;
}

static bool fdb_expired(const struct net_bridge *br, const struct fdb_entry *e, ktime_t now)
{
	return !e->flags && now - e->updated >= ageing(br);
}

struct fdb_entry *fdb_find(struct net_bridge *br, const struct eth_addr *addr, ktime_t now)
{
	struct fdb_entry *e = fdb_lookup(br, addr);

	return e && !fdb_expired(br, e, now) ? e : NULL;
}

static struct fdb_entry *fdb_new(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr, uint8_t flags)
{
	struct fdb_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->addr = *addr;
	e->flags = flags;
	e->port = port;
	br->entries++;
	br->learned += !flags;
	hlist_add_head(&e->node, bucket(br, addr));
	fdb_grow(br);
	return e;
}

/* ---- learning ---- */

/* When the oldest entry may be due: a quarter of the ageing time is fine enough, since expired ones are not believed anyway. */
static void gc_start(struct net_bridge *br)
{
	ktime_t after = ageing(br) / TELL_PART;

	if (br->learned && !timer_pending(&br->gc))
		timer_mod(br->dev->stack, &br->gc, br->dev->stack->now + (after > NSEC_PER_SEC ? after : NSEC_PER_SEC));
}

static void gc_timer_fn(struct stack *stack, struct timer *t)
{
	struct net_bridge *br = container_of(t, struct net_bridge, gc);
	struct fdb_entry *e, *tmp;

	FDB_FOREACH(br, i, e, tmp)
		if (fdb_expired(br, e, stack->now))
			fdb_free(br, e);
	gc_start(br);
}

static bool tell_allowed(struct net_bridge *br, ktime_t now)
{
	uint64_t more = (uint64_t)(now - br->tell_refill) * TELL_RATE / (uint64_t)NSEC_PER_SEC;

	if (more) {
		br->tell_tokens = more + br->tell_tokens > TELL_BURST ? TELL_BURST : br->tell_tokens + (uint32_t)more;
		br->tell_refill = now;
	}
	if (!br->tell_tokens)
		return false;
	br->tell_tokens--;
	return true;
}

static void fdb_tell(struct net_bridge *br, struct fdb_entry *e)
{
	struct stack *stack = br->dev->stack;
	struct shard_msg msg = { .type = SHARD_FDB_UPDATE, .from = stack->params.cpu, .ifindex = e->port->ifindex, .lladdr = e->addr, .when = stack->now };

	if (!stack_multi(stack) || !tell_allowed(br, stack->now))
		return;
	e->told = stack->now;
	stack->ops->tell(stack->priv, STACK_CPU_ALL, &msg);
}

/* Notes that the station was heard behind port. The entry, or NULL: not to be learned. *ret_news: other shards should know. */
static struct fdb_entry *fdb_update(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr, ktime_t when, bool *ret_news)
{
	struct fdb_entry *e = fdb_lookup(br, addr);

	*ret_news = false;
	if (!e) {
		if (br->learned >= br->dev->conf->fdb_max_learned || !ageing(br))
			return NULL;
		e = fdb_new(br, port, addr, 0);
		if (!e)
			return NULL;
		gc_start(br);
		*ret_news = true;
	} else if (e->flags || when < e->updated) {
		return NULL;
	} else if (e->port != port) {
		e->port = port;
		*ret_news = true;
	} else {
		*ret_news = when - e->told >= ageing(br) / TELL_PART;
	}
	e->updated = when;
	return e;
}

bool fdb_learn(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr)
{
	static const struct eth_addr nobody;
	struct fdb_entry *e;
	bool news;

	if (unlikely(eth_equal(addr, &nobody)))
		return false;
	if (unlikely(!(port->conf->port_flags & LINK_PORT_LEARNING))) {
		e = fdb_lookup(br, addr);
		return !e || !(e->flags & FDB_LOCAL);
	}
	e = fdb_update(br, port, addr, br->dev->stack->now, &news);
	if (!e) {
		e = fdb_lookup(br, addr);
		return !e || !(e->flags & FDB_LOCAL);
	}
	if (news)
		fdb_tell(br, e);
	return true;
}

void br_shard_msg(struct stack *stack, const struct shard_msg *msg)
{
	struct net_device *port = dev_get_by_index(stack, msg->ifindex);
	struct fdb_entry *e;
	bool news;

	/* The other shard may follow a configuration that is older or newer than ours. */
	if (!port || !port->bridge || port->bridge->dev == port || !port->forwarding || !(port->conf->port_flags & LINK_PORT_LEARNING))
		return;
	e = fdb_update(port->bridge, port, &msg->lladdr, msg->when, &news);
	if (e)
		e->told = msg->when; /* everybody has heard */
}

/* ---- what goes ---- */

void fdb_flush_port(struct net_bridge *br, const struct net_device *port, bool all)
{
	struct fdb_entry *e, *tmp;

	FDB_FOREACH(br, i, e, tmp)
		if (e->port == port && (all || !e->flags))
			fdb_free(br, e);
}

void fdb_flush_config(struct net_bridge *br)
{
	struct fdb_entry *e, *tmp;

	FDB_FOREACH(br, i, e, tmp)
		if (e->flags)
			fdb_free(br, e);
}

void fdb_add_config(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr, uint8_t flags)
{
	struct fdb_entry *e = fdb_lookup(br, addr);

	if (e && e->flags)
		return; /* the first that says so: the host's own addresses are added before what an administrator wrote */
	if (e)
		fdb_free(br, e);
	(void)fdb_new(br, port, addr, flags);
}

/* ---- from outside ---- */

int stack_fdb_foreach(struct stack *stack, int (*fn)(void *arg, const struct fdb_info *info), void *arg)
{
	struct net_device *dev;
	struct fdb_entry *e, *tmp;

	list_for_each(dev, &stack->devs, struct net_device, node) {
		if (dev->ops != &bridge_ops)
			continue;
		FDB_FOREACH(dev->bridge, i, e, tmp) {
			struct fdb_info info = { .bridge = dev->ifindex, .ifindex = e->port ? e->port->ifindex : dev->ifindex, .lladdr = e->addr,
						 .local = e->flags & FDB_LOCAL, .is_static = e->flags & FDB_STATIC, .updated = e->updated };
			int r;

			if (fdb_expired(dev->bridge, e, stack->now))
				continue;
			r = fn(arg, &info);
			if (r)
				return r;
		}
	}
	return 0;
}

void stack_fdb_flush(struct stack *stack, int ifindex, const struct eth_addr *lladdr, ktime_t now)
{
	struct net_device *dev;
	struct fdb_entry *e, *tmp;

	stack_set_now(stack, now);
	list_for_each(dev, &stack->devs, struct net_device, node) {
		if (dev->ops != &bridge_ops)
			continue;
		FDB_FOREACH(dev->bridge, i, e, tmp)
			if (!e->flags && (!ifindex || ifindex == dev->ifindex || ifindex == e->port->ifindex) && (!lladdr || eth_equal(lladdr, &e->addr)))
				fdb_free(dev->bridge, e);
	}
}
