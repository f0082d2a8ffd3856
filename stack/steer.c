/* SPDX-License-Identifier: MIT */
/*
 * steer.c: which shard does the work of a received packet: what Linux calls RPS, RFS and flow limit, and what a network card calls RSS.
 *
 * Theory. A packet is for us, or it is only passing through; the filter of local addresses (fib_filter.c) tells at once.
 *
 * For us: its flow has an owner, and there is no choice. It is the shard that the symmetric flow hash says (home), unless a socket that lives on another shard is bound to the
 * port. Where such sockets are every shard knows (SHARD_PORT_BIND), so the shard that receives the packet hands it straight there, not by way of home
 * (RFS). It does so only when home could not have a better socket of its own; the rules are with inet_port_direct. A shard that was
 * given a packet so and has no socket for it (any more) gives it to home, which decides. net.core.rps_sock_flow_entries is the size of a memory of such
 * decisions, which saves the search for each packet and keeps order when a socket moves.
 *
 * Passing through: any shard can do it. Where a device has as many queues as there are shards the shard that receives a frame forwards it: no hand-over, no hash. TAP's own
 * table follows (the host sends a flow's frames to the queue that its answers come from), so both directions meet there. rps_cpus of a device
 * names shards among which its forwarded flows are spread instead; a device with fewer queues than there are shards uses all, unless told. The flow hash picks one of RSS_INDIR_LEN
 * entries, evenly filled with the shards of the mask; a link with a table and key of its own (struct link_rss) has Toeplitz pick from that.
 *
 * Order. When the way of a flow changes (mask, table, queues, a socket that moves) frames on the old way must be through before one takes the new one. A shard counts what
 * it hands to each other one (qtail) and sees how much of it that one is done with (ops->steer_done). Flows share buckets; a bucket remembers the count at
 * its last frame, and changes its way only when that frame is done with (Linux's last_qtail rule). Until then it goes on the old way. A flow that has gone to its
 * socket by way of home, since that was bound just then, takes the straight way after a pause.
 *
 * Pressure. At most netdev_max_backlog frames are on their way to one shard or waiting there; more are dropped here, before they cost anything over there. Above half of
 * that the flow limit, if net.core.flow_limit_cpu_bitmap names this shard, drops frames of flows that had more than half of the last 128: so a flood of one
 * flow does not push out the others.
 *
 * Invariants: a frame is handed over at most twice before reassembly; away counts the buckets of which cpu or map is not this shard.
 *
 * Not done: order in queues in front of an outgoing device, which each shard has of its own (as with XPS in Linux); owners for forwarded flows, which connection
 * tracking would need; steering of IPv6.
 */
#include "steer.h"
#include "bug.h"
#include "fib.h"
#include "inet_hash.h"
#include "runtime.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

#define FLOW_PAUSE 16 /* in units of 2^20 ns: longer than anything is on its way */

int steer_init(struct stack *stack)
{
	stack->steer = calloc(1, sizeof(*stack->steer));
	return stack->steer ? 0 : -ENOMEM;
}

void steer_exit(struct stack *stack)
{
	struct steer_state *st = stack->steer;

	if (!st)
		return;
	free(st->flows);
	free(st->limit);
	free(st);
	stack->steer = NULL;
}

void steer_dev_exit(struct net_device *dev)
{
	struct dev_steer *ds = dev->steer;

	if (ds && ds->prev) {
		free(ds->prev->rss);
		free(ds->prev);
	}
	if (ds)
		free(ds->rss);
	free(ds);
	dev->steer = NULL;
}

/* ---- what is on its way ---------------------------------------------------------------------------------------------------- */

/* Everything up to the frame with which cpu had been handed tail frames is done with. */
static bool drained(struct stack *stack, unsigned cpu, uint32_t tail)
{
	struct steer_state *st = stack->steer;

	if (cpu == stack->params.cpu)
		return stack->backlog.qlen == 0;
	if (!stack->ops->steer_done)
		return true; /* nobody knows */
	if ((int32_t)(st->done_seen[cpu] - tail) >= 0)
		return true;
	st->done_seen[cpu] = stack->ops->steer_done(stack->priv, cpu);
	return (int32_t)(st->done_seen[cpu] - tail) >= 0;
}

/* Frames between us and the end of cpu's work. Exact when it is much, which is when it matters. */
static uint32_t in_flight(struct stack *stack, unsigned cpu, uint32_t limit)
{
	struct steer_state *st = stack->steer;
	uint32_t n = st->qtail[cpu] - st->done_seen[cpu];

	if (likely(n < limit / 2))
		return n;
	st->done_seen[cpu] = stack->ops->steer_done(stack->priv, cpu);
	n = st->qtail[cpu] - st->done_seen[cpu];
	return (int32_t)n > 0 ? n : 0; /* an embedder that counts too much does no harm */
}

bool skb_flow_limit(struct stack *stack, struct sk_buff *skb, uint32_t qlen)
{
	struct flow_limit *fl = stack->steer->limit;
	uint32_t old, new;

	if (likely(!fl) || qlen < (uint32_t)stack->sysctl->netdev_max_backlog / 2)
		return false;
	new = skb->protocol == ETH_P_IP ? skb_flow_hash(stack, skb) & (fl->nbuckets - 1) : 0;
	old = fl->history[fl->head];
	fl->history[fl->head] = new;
	fl->head = (fl->head + 1) % FLOW_LIMIT_HISTORY;
	if (fl->bucket[old])
		fl->bucket[old]--;
	if (++fl->bucket[new] <= FLOW_LIMIT_HISTORY / 2)
		return false;
	stack->softnet.flow_limit_count++;
	return true;
}

/* SKB_CONSUMED: there is room for it. */
static enum skb_drop_reason admit(struct stack *stack, struct sk_buff *skb, unsigned cpu)
{
	uint32_t max = (uint32_t)stack->sysctl->netdev_max_backlog, n;

	if (!stack->ops->steer_done)
		return SKB_CONSUMED; /* the other shard will judge */
	n = in_flight(stack, cpu, max);
	if (unlikely(n >= max))
		return SKB_DROP_CPU_BACKLOG;
	if (unlikely(skb_flow_limit(stack, skb, n)))
		return SKB_DROP_FLOW_LIMIT;
	return SKB_CONSUMED;
}

static void steer_drop(struct stack *stack, struct sk_buff *skb, enum skb_drop_reason reason)
{
	stack->softnet.dropped++;
	kfree_skb(skb, reason);
}

bool steer_skb(struct stack *stack, struct sk_buff *skb, unsigned cpu)
{
	enum skb_drop_reason reason;

	if (cpu == stack->params.cpu || !stack->ops->steer)
		return false;
	reason = admit(stack, skb, cpu);
	if (unlikely(reason)) {
		steer_drop(stack, skb, reason);
		return true;
	}
	if (unlikely(skb_unshare(skb) < 0)) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return true;
	}
	skb->steered = 1;
	skb->sampled = 0;
	skb->from_cpu = (uint8_t)stack->params.cpu;
	skb_disown(skb);
	if (unlikely(stack->ops->steer(stack->priv, cpu, skb) < 0)) {
		skb_adopt(stack->pool, skb);
		stack->softnet.steer_full++;
		steer_drop(stack, skb, SKB_DROP_STEER_FULL);
		return true;
	}
	stack->steer->qtail[cpu]++;
	stack->softnet.steered++;
	return true;
}

uint32_t stack_steer_done(const struct stack *stack, unsigned from)
{
	return from < STACK_MAX_CPUS ? stack->steer->done[from] : 0;
}

static void dev_steer_apply(struct stack *stack, struct net_device *dev);

/* ---- packets that pass through --------------------------------------------------------------------------------------------------- */

static inline void away_recount(const struct stack *stack, struct dev_steer *ds, uint32_t b, uint8_t cpu)
{
	uint8_t self = (uint8_t)stack->params.cpu, want = ds->map[b & (RSS_INDIR_LEN - 1)];

	ds->away -= ds->bucket[b].cpu != self || want != self;
	ds->bucket[b].cpu = cpu;
	ds->away += cpu != self || want != self;
}

/* The hash that a card would make of it: with ports for TCP and UDP that are not fragments. */
static uint32_t card_hash(const struct toeplitz_v4 *rss, const struct sk_buff *skb, const struct ip_hdr *iph)
{
	uint8_t data[TOEPLITZ_V4_LEN];
	unsigned len = 8;

	memcpy(data, &iph->saddr, 4);
	memcpy(data + 4, &iph->daddr, 4);
	if ((iph->protocol == NS_IPPROTO_TCP || iph->protocol == NS_IPPROTO_UDP) && !(iph->frag_off & cpu_to_be16(IP_OFFSET | IP_MF)) &&
	    skb_copy_bits(skb, ip_hdrlen(iph), data + 8, 4) == 0)
		len = 12;
	return toeplitz_v4(rss, data, len);
}

static inline uint32_t bucket_of(struct stack *stack, struct sk_buff *skb, const struct dev_steer *ds, const struct ip_hdr *iph)
{
	return (unlikely(ds->rss) ? card_hash(ds->rss, skb, iph) : skb_flow_hash(stack, skb)) & (ds->nbuckets - 1);
}

static bool steer_bucket(struct stack *stack, struct sk_buff *skb, struct steer_bucket *bucket)
{
	unsigned cpu = bucket->cpu;

	if (!steer_skb(stack, skb, cpu))
		return false;
	bucket->tail = stack->steer->qtail[cpu];
	return true;
}

/* True: it was the last, and prev is gone; away is to be counted anew. */
static bool prev_move(struct dev_steer *ds, struct steer_bucket *bucket)
{
	bucket->cpu = STEER_MOVED;
	if (--ds->left)
		return false;
	free(ds->prev->rss);
	free(ds->prev);
	ds->prev = NULL;
	return true;
}

static void prev_moved(struct net_device *dev, struct steer_bucket *bucket)
{
	if (prev_move(dev->steer, bucket))
		dev_steer_apply(dev->stack, dev); /* what the configuration may want since */
}

/* Buckets of which no frame came since move too. True: prev is gone. */
static bool prev_sweep(struct net_device *dev)
{
	struct dev_steer *prev = dev->steer->prev;
	uint32_t n = prev->nbuckets;

	for (uint32_t b = 0; b < n; b++)
		if (prev->bucket[b].cpu != STEER_MOVED && drained(dev->stack, prev->bucket[b].cpu, prev->bucket[b].tail) && prev_move(dev->steer, &prev->bucket[b]))
			return true;
	return false;
}

static bool steer_passing(struct stack *stack, struct sk_buff *skb, const struct ip_hdr *iph)
{
	struct dev_steer *ds = skb->dev->steer;
	struct steer_bucket *bucket;
	uint32_t b;
	uint8_t want;

	while (unlikely(ds->prev)) {
		bucket = &ds->prev->bucket[bucket_of(stack, skb, ds->prev, iph)];
		if (bucket->cpu == STEER_MOVED)
			break;
		if (!drained(stack, bucket->cpu, bucket->tail))
			return steer_bucket(stack, skb, bucket);
		prev_moved(skb->dev, bucket);
		ds = skb->dev->steer; /* a change that waited for this one may have had its turn, and made it prev */
	}
	b = bucket_of(stack, skb, ds, iph);
	bucket = &ds->bucket[b];
	want = ds->map[b & (RSS_INDIR_LEN - 1)];
	if (unlikely(bucket->cpu != want) && drained(stack, bucket->cpu, bucket->tail))
		away_recount(stack, ds, b, want);
	return steer_bucket(stack, skb, bucket);
}

/* ---- packets for us ---------------------------------------------------------------------------------------------------------------- */

/* The shard of a socket that is bound to the port and not home's, or home. */
static unsigned owner_of(struct stack *stack, const struct sk_buff *skb, const struct ip_hdr *iph, uint32_t hash)
{
	unsigned home = flow_cpu(stack, hash);
	uint8_t buf[4];
	const uint8_t *ports;
	int cpu;

	if ((iph->protocol != NS_IPPROTO_TCP && iph->protocol != NS_IPPROTO_UDP) || iph->frag_off & cpu_to_be16(IP_OFFSET | IP_MF))
		return home;
	ports = skb_header_pointer(skb, ip_hdrlen(iph), 4, buf);
	if (!ports)
		return home;
	struct ipaddr saddr = ipaddr_v4(iph->saddr), daddr = ipaddr_v4(iph->daddr);

	cpu = inet_port_direct(stack, iph->protocol, &saddr, get_be16(ports), &daddr, get_be16(ports + 2), hash, skb->dev->ifindex);
	return cpu < 0 ? home : (unsigned)cpu;
}

static inline uint32_t coarse_now(const struct stack *stack) { return (uint32_t)(stack->now >> 20); }

/* Home may have handed its frames on to a socket: they are on their way there for as long as nobody tells us. */
static bool paused(const struct stack *stack, const struct rps_flow *f)
{
	return coarse_now(stack) - f->when >= FLOW_PAUSE;
}

static bool steer_owned(struct stack *stack, struct sk_buff *skb, const struct ip_hdr *iph)
{
	struct steer_state *st = stack->steer;
	uint32_t hash = skb_flow_hash(stack, skb);
	unsigned cpu = flow_cpu(stack, hash);
	struct rps_flow *f;

	if (likely(!st->flows)) {
		unsigned owner = stack->hashinfo->announced ? owner_of(stack, skb, iph, hash) : cpu;

		stack->softnet.rfs += owner != cpu;
		return steer_skb(stack, skb, owner);
	}
	f = &st->flows[hash & (st->nflows - 1)];
	if (f->hash != hash) {
		*f = (struct rps_flow){ .hash = hash, .gen = stack->hashinfo->gen, .cpu = (uint8_t)owner_of(stack, skb, iph, hash) };
	} else if (unlikely(f->gen != stack->hashinfo->gen)) {
		unsigned owner = owner_of(stack, skb, iph, hash);

		if (owner == f->cpu || (drained(stack, f->cpu, f->tail) && (f->cpu != cpu || paused(stack, f)))) {
			f->cpu = (uint8_t)owner;
			f->gen = stack->hashinfo->gen;
		}
	}
	f->when = coarse_now(stack);
	stack->softnet.rfs += f->cpu != cpu;
	if (!steer_skb(stack, skb, f->cpu))
		return false;
	f->tail = st->qtail[f->cpu];
	return true;
}

/* No address of ours can be meant, unicast or other. */
static inline bool passes(const struct stack *stack, be32 daddr)
{
	uint32_t a = be32_to_cpu(daddr);

	return stack->snap->local_filter && a < 0xe0000000u && a >> 24 && !fib_filter_maybe(stack->snap->local_filter, a);
}

bool steer_receive(struct stack *stack, struct sk_buff *skb)
{
	struct ip_hdr buf;
	const struct ip_hdr *iph = skb_header_pointer(skb, 0, sizeof(buf), &buf);
	struct dev_steer *ds = skb->dev->steer;

	if (unlikely(!iph || iph->ver_ihl >> 4 != 4 || ip_hdrlen(iph) < IPV4_HLEN))
		return false; /* not IPv4: it will be dropped, and any shard can do that */
	if (!passes(stack, iph->daddr))
		return steer_owned(stack, skb, iph);
	return ds && ds->away && steer_passing(stack, skb, iph);
}

/* ---- settings -------------------------------------------------------------------------------------------------------------------------- */

static uint32_t power_of_two(uint32_t n)
{
	return n < 2 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* The shards that are to share a device's forwarded flows, as a mask; 0: who receives a frame does it. */
static uint64_t spread_over(const struct stack *stack, const struct link_conf *conf)
{
	uint64_t all = stack->params.ncpu == 64 ? UINT64_MAX : (UINT64_C(1) << stack->params.ncpu) - 1;
	const struct net_device *lower;

	if (conf->rps_set)
		return conf->rps_cpus & all; /* shards that are not there are left out, as Linux does with CPUs */
	if (conf->type == LINK_VLAN) { /* what comes by it came by the device below */
		lower = dev_get_by_index(stack, conf->link);
		return lower && lower->conf->type != LINK_VLAN ? spread_over(stack, lower->conf) : 0;
	}
	return (conf->type == LINK_TAP || conf->type == LINK_VIRTUAL) && conf->queues < stack->params.ncpu ? all : 0;
}

static void make_map(const struct stack *stack, const struct net_device *dev, uint8_t map[RSS_INDIR_LEN])
{
	uint64_t mask = spread_over(stack, dev->conf);
	uint8_t cpus[STACK_MAX_CPUS];
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < STACK_MAX_CPUS; cpu++)
		if (mask >> cpu & 1)
			cpus[n++] = (uint8_t)cpu;
	for (unsigned i = 0; i < RSS_INDIR_LEN; i++) {
		if (dev->conf->rss.set && !dev->conf->rps_set)
			map[i] = (uint8_t)(dev->conf->rss.indir[i] % stack->params.ncpu);
		else
			map[i] = n ? cpus[i % n] : (uint8_t)stack->params.cpu;
	}
}

static struct dev_steer *dev_steer_new(const struct stack *stack, uint32_t nbuckets, const uint8_t *key /* NULL: the flow hash */, const uint8_t *map)
{
	struct dev_steer *ds = calloc(1, sizeof(*ds) + nbuckets * sizeof(ds->bucket[0]));

	if (!ds)
		return NULL;
	ds->nbuckets = nbuckets;
	if (key) {
		ds->rss = malloc(sizeof(*ds->rss));
		if (!ds->rss) {
			free(ds);
			return NULL;
		}
		memcpy(ds->key, key, sizeof(ds->key));
		toeplitz_v4_init(ds->rss, key);
	}
	for (uint32_t b = 0; b < nbuckets; b++)
		ds->bucket[b].cpu = map ? map[b & (RSS_INDIR_LEN - 1)] : (uint8_t)stack->params.cpu;
	return ds;
}

/* Flows get other buckets: the old ones stay beside until their frames are through. */
static struct dev_steer *dev_steer_replace(struct stack *stack, struct net_device *dev, uint32_t nbuckets, const uint8_t *key, const uint8_t *map)
{
	struct dev_steer *old = dev->steer, *ds;

	if (old && old->prev && !prev_sweep(dev))
		return old; /* one change at a time: prev_moved comes back for this one */
	ds = dev_steer_new(stack, nbuckets, key, old ? map : NULL);
	if (!ds)
		return old; /* no memory: as it was */
	dev->steer = ds;
	if (!old)
		return ds;
	for (uint32_t b = 0; b < old->nbuckets; b++) {
		if (drained(stack, old->bucket[b].cpu, old->bucket[b].tail))
			old->bucket[b].cpu = STEER_MOVED;
		else
			ds->left++;
	}
	if (ds->left) {
		ds->prev = old;
	} else {
		free(old->rss);
		free(old);
	}
	return ds;
}

static void dev_steer_apply(struct stack *stack, struct net_device *dev)
{
	const struct link_conf *conf = dev->conf;
	const uint8_t *key = conf->rss.set && !conf->rps_set ? conf->rss.key : NULL;
	uint32_t n = power_of_two(conf->rps_flow_cnt > STEER_BUCKETS ? conf->rps_flow_cnt : STEER_BUCKETS);
	uint8_t map[RSS_INDIR_LEN], self = (uint8_t)stack->params.cpu;
	struct dev_steer *ds = dev->steer;
	bool away = false;

	make_map(stack, dev, map);
	for (unsigned i = 0; i < RSS_INDIR_LEN; i++)
		away |= map[i] != self;
	if (!ds && !away)
		return;
	if (!ds || ds->nbuckets != n || (key != NULL) != (ds->rss != NULL) || (key && memcmp(ds->key, key, sizeof(ds->key)) != 0))
		ds = dev_steer_replace(stack, dev, n, key, map);
	if (!ds)
		return; /* no memory: who receives a frame forwards it */
	memcpy(ds->map, map, sizeof(ds->map));
	ds->away = ds->prev != NULL;
	for (uint32_t b = 0; b < ds->nbuckets; b++)
		ds->away += ds->bucket[b].cpu != self || map[b & (RSS_INDIR_LEN - 1)] != self;
}

static void flow_table_apply(struct stack *stack)
{
	uint32_t want = stack->sysctl->rps_sock_flow_entries ? power_of_two((uint32_t)stack->sysctl->rps_sock_flow_entries) : 0;
	struct steer_state *st = stack->steer;

	if (st->nflows == want)
		return;
	free(st->flows);
	st->flows = want ? calloc(want, sizeof(*st->flows)) : NULL;
	st->nflows = st->flows ? want : 0;
}

static void flow_limit_apply(struct stack *stack)
{
	uint32_t n = (uint32_t)stack->sysctl->flow_limit_table_len;
	struct steer_state *st = stack->steer;
	bool on = (uint64_t)stack->sysctl->flow_limit_cpus >> stack->params.cpu & 1;

	if (on && st->limit && st->limit->nbuckets == n)
		return;
	free(st->limit);
	st->limit = on ? calloc(1, sizeof(*st->limit) + n) : NULL;
	if (st->limit)
		st->limit->nbuckets = n;
}

static void port_range_apply(struct stack *stack)
{
	struct inet_hashinfo *hi = stack->hashinfo;
	uint16_t min = (uint16_t)stack->sysctl->ip_local_port_min, max = (uint16_t)stack->sysctl->ip_local_port_max;

	if (!hi->port_max || min < hi->port_min)
		hi->port_min = min;
	if (max > hi->port_max)
		hi->port_max = max;
}

void steer_apply(struct stack *stack)
{
	struct net_device *dev;

	flow_limit_apply(stack);
	if (!stack_multi(stack))
		return;
	port_range_apply(stack);
	flow_table_apply(stack);
	list_for_each(dev, &stack->devs, struct net_device, node)
		dev_steer_apply(stack, dev);
}
