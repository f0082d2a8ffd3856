/* SPDX-License-Identifier: MIT */
/*
 * skbuff.c: the life of packet buffers: pools, allocation, references, queues. What works on the bytes is in skb_data.c.
 *
 * Theory. A pool keeps lists of free things, last in first out so that what is warm in the cache is used first: struct sk_buff,
 * and areas of three sizes: small (one frame of an Ethernet), medium (a jumbo frame) and large (a 64 KiB GSO frame). It starts empty, takes from malloc what it
 * does not have, and gives back to free() what would be kept beyond a bound or longer than needed (skb_pool_trim). Areas
 * belong to no slab, so one may be allocated in the pool of one shard and freed into another's (skb_disown, skb_adopt)
 * without either knowing of the other. In steady state no packet costs a malloc.
 *
 * Areas of an arena (skb_pool_add_arena) are as any other, but that they are never given to free(): they stay on the list of the pool they are freed into.
 *
 * What allocation clears: everything of struct sk_buff in front of frags. The fragments are valid up to nr_frags only. A list of more than
 * SKB_INLINE_FRAGS moves into a small area, which the skb owns and never shares: every clone has a list of its own.
 *
 * Invariants: outstanding counts are exact, also across shards; an skb that was freed has no pool, so that freeing it again traps at
 * once instead of corrupting a list. With AddressSanitizer nothing is kept, so that it sees every use after the end.
 */
#include <netstack/skbuff.h>

#include "bug.h"

#include <errno.h>

#include <stdlib.h>

enum { AREA_SMALL, AREA_MEDIUM, AREA_LARGE, AREA_CLASSES, AREA_ODD = AREA_CLASSES };

#if defined(__SANITIZE_ADDRESS__)
#define POOL_KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_KEEPS 0
#endif
#endif
#ifndef POOL_KEEPS
#define POOL_KEEPS 1
#endif

/* The bytes of an arena's free area, which malloc's own watch does not cover. */
#if POOL_KEEPS
#define POISON(area)   ((void)(area))
#define UNPOISON(area) ((void)(area))
#else
#include <sanitizer/asan_interface.h>
#define POISON(area)   ASAN_POISON_MEMORY_REGION((area)->base, (area)->size)
#define UNPOISON(area) ASAN_UNPOISON_MEMORY_REGION((area)->base, (area)->size)
#endif

/* Most that is kept for reuse, and what a trim leaves: enough for a ring of frames under way. */
#define KEEP_SKBS        16384u
#define KEEP_SMALL       8192u
#define TRIM_SKBS        512u

static const struct {
	uint32_t size, keep, trim;
} classes[AREA_CLASSES] = { { SKB_SMALL, KEEP_SMALL, 256 }, { SKB_MEDIUM, 512, 16 }, { SKB_LARGE, 128, 4 } };

#define AREA_ALIGN       64
#define AREA_DATA(size)  ((uint32_t)((size) - sizeof(struct skb_area)))

struct skb_pool {
	struct sk_buff  *free_skbs; /* linked by next */
	struct skb_area *free[AREA_CLASSES]; /* linked by priv */
	uint32_t         nskbs, nfree[AREA_CLASSES];
	uint32_t         stay[AREA_CLASSES]; /* of these, as many as the last trim found to be an arena's */
	size_t           limit;
	void           (*drop_hook)(void *arg, const struct sk_buff *skb, enum skb_drop_reason reason); /* NULL: nobody looks */
	void            *drop_arg;
	struct skb_pool_stats stats; /* cached_areas is made up when somebody asks */
};

/* ---- pools ---- */

struct skb_pool *skb_pool_new(size_t limit_bytes)
{
	struct skb_pool *pool = calloc(1, sizeof(*pool));

	if (pool)
		pool->limit = limit_bytes ? limit_bytes : SIZE_MAX;
	return pool;
}

void skb_pool_set_limit(struct skb_pool *pool, size_t limit_bytes)
{
	pool->limit = limit_bytes ? limit_bytes : SIZE_MAX;
}

void skb_pool_set_drop_hook(struct skb_pool *pool, void (*fn)(void *arg, const struct sk_buff *skb, enum skb_drop_reason reason), void *arg)
{
	pool->drop_hook = fn;
	pool->drop_arg = arg;
}

static void trim_areas(struct skb_pool *pool, unsigned class, uint32_t keep)
{
	struct skb_area *area = pool->free[class], *next;

	pool->free[class] = NULL;
	pool->nfree[class] = pool->stay[class] = 0;
	for (; area; area = next) {
		next = area->priv;
		if (area->arena) {
			pool->stay[class]++;
		} else if (!keep) {
			free(area);
			continue;
		} else {
			keep--;
		}
		area->priv = pool->free[class];
		pool->free[class] = area;
		pool->nfree[class]++;
	}
}

static void trim_skbs(struct skb_pool *pool, uint32_t keep)
{
	while (pool->nskbs > keep) {
		struct sk_buff *skb = pool->free_skbs;

		pool->free_skbs = skb->next;
		pool->nskbs--;
		free(skb);
	}
}

void skb_pool_trim(struct skb_pool *pool)
{
	trim_skbs(pool, TRIM_SKBS);
	for (unsigned i = 0; i < AREA_CLASSES; i++)
		if (pool->nfree[i] > classes[i].trim + pool->stay[i])
			trim_areas(pool, i, classes[i].trim);
}

bool skb_pool_wants_trim(const struct skb_pool *pool)
{
	for (unsigned i = 0; i < AREA_CLASSES; i++)
		if (pool->nfree[i] > classes[i].trim + pool->stay[i])
			return true;
	return pool->nskbs > TRIM_SKBS;
}

void skb_pool_free(struct skb_pool *pool)
{
	if (!pool)
		return;
	BUG_ON(pool->stats.outstanding_skbs || pool->stats.outstanding_areas);
	trim_skbs(pool, 0);
	for (unsigned i = 0; i < AREA_CLASSES; i++)
		trim_areas(pool, i, 0);
	free(pool);
}

const struct skb_pool_stats *skb_pool_stats(struct skb_pool *pool)
{
	pool->stats.cached_areas = 0;
	for (unsigned i = 0; i < AREA_CLASSES; i++)
		pool->stats.cached_areas += pool->nfree[i];
	return &pool->stats;
}

/* ---- areas ---- */

static struct skb_area *area_make(uint32_t class, size_t size)
{
	struct skb_area *area = aligned_alloc(AREA_ALIGN, (size + AREA_ALIGN - 1) & ~(size_t)(AREA_ALIGN - 1));

	if (!area)
		return NULL;
	area->size = AREA_DATA(size);
	area->class = (uint8_t)class;
	area->arena = 0;
	area->free = NULL;
	area->base = (unsigned char *)(area + 1);
	return area;
}

unsigned skb_pool_add_arena(struct skb_pool *pool, void *mem, size_t size, uint32_t area_size, uint8_t id)
{
	unsigned class = 0, n = 0;

	while (class < AREA_CLASSES && classes[class].size != area_size)
		class++;
	BUG_ON(class == AREA_CLASSES || !id || (uintptr_t)mem % AREA_ALIGN);
	for (unsigned char *p = mem; size >= area_size; p += area_size, size -= area_size, n++) {
		struct skb_area *area = (struct skb_area *)(void *)p;

		memset(area, 0, sizeof(*area));
		area->size = AREA_DATA(area_size);
		area->class = (uint8_t)class;
		area->arena = id;
		area->base = (unsigned char *)(area + 1);
		area->priv = pool->free[class];
		pool->free[class] = area;
		pool->nfree[class]++;
		pool->stay[class]++;
		POISON(area);
	}
	return n;
}

static inline size_t area_bytes(const struct skb_area *area)
{
	return area->size + sizeof(*area);
}

/* What does not come from the list of small ones. */
static __attribute__((noinline)) struct skb_area *area_alloc_slow(struct skb_pool *pool, uint32_t size)
{
	struct skb_area *area;
	unsigned class = 0;
	size_t bytes;

	while (class < AREA_CLASSES && size > AREA_DATA(classes[class].size))
		class++;
	bytes = class < AREA_CLASSES ? classes[class].size : size + sizeof(struct skb_area);
	if (pool->stats.outstanding_bytes + bytes > pool->limit)
		goto err_full;
	if (class < AREA_CLASSES && pool->free[class]) {
		area = pool->free[class];
		pool->free[class] = area->priv;
		pool->nfree[class]--;
		UNPOISON(area);
	} else {
		area = area_make(class, bytes);
		if (unlikely(!area))
			goto err_full;
	}
	area->refcnt = 1;
	area->nohdr = 0;
	area->priv = NULL;
	pool->stats.outstanding_areas++;
	pool->stats.outstanding_bytes += bytes;
	return area;

err_full:
	pool->stats.failed++;
	return NULL;
}

/* area is the first of the free small ones. */
static inline void area_take(struct skb_pool *pool, struct skb_area *area)
{
	pool->free[AREA_SMALL] = area->priv;
	pool->nfree[AREA_SMALL]--;
	UNPOISON(area);
	area->refcnt = 1;
	area->nohdr = 0;
	area->priv = NULL;
	pool->stats.outstanding_areas++;
	pool->stats.outstanding_bytes += SKB_SMALL;
}

static inline bool area_at_hand(const struct skb_pool *pool, uint32_t size)
{
	return size <= AREA_DATA(SKB_SMALL) && pool->free[AREA_SMALL] && pool->stats.outstanding_bytes + SKB_SMALL <= pool->limit;
}

static inline struct skb_area *area_alloc(struct skb_pool *pool, uint32_t size)
{
	struct skb_area *area = pool->free[AREA_SMALL];

	if (unlikely(!area_at_hand(pool, size)))
		return area_alloc_slow(pool, size);
	area_take(pool, area);
	return area;
}

struct skb_area *skb_area_alloc(struct skb_pool *pool, uint32_t size)
{
	return area_alloc(pool, size);
}

static __attribute__((noinline)) void area_release_slow(struct skb_pool *pool, struct skb_area *area)
{
	if (area->free) {
		area->free(area, area->priv);
		return;
	}
	pool->stats.outstanding_areas--;
	pool->stats.outstanding_bytes -= area_bytes(area);
	if (area->arena || (POOL_KEEPS && area->class < AREA_CLASSES && pool->nfree[area->class] < classes[area->class].keep)) {
		area->priv = pool->free[area->class];
		pool->free[area->class] = area;
		pool->nfree[area->class]++;
		POISON(area);
	} else {
		free(area);
	}
}

/* area goes to the free small ones, where it came from. */
static inline bool area_kept(const struct skb_pool *pool, const struct skb_area *area)
{
	return POOL_KEEPS && area->class == AREA_SMALL && !area->free && pool->nfree[AREA_SMALL] < KEEP_SMALL;
}

static inline void area_keep(struct skb_pool *pool, struct skb_area *area)
{
	pool->stats.outstanding_areas--;
	pool->stats.outstanding_bytes -= SKB_SMALL;
	area->priv = pool->free[AREA_SMALL];
	pool->free[AREA_SMALL] = area;
	pool->nfree[AREA_SMALL]++;
}

static inline void area_release(struct skb_pool *pool, struct skb_area *area)
{
	if (likely(area_kept(pool, area)))
		area_keep(pool, area);
	else
		area_release_slow(pool, area);
}

void skb_area_put(struct skb_pool *pool, struct skb_area *area)
{
	if (--area->refcnt == 0)
		area_release(pool, area);
}

/* ---- struct sk_buff ---- */

/* In pieces that compilers turn into plain vector stores: one large memset becomes a slow string instruction. */
static inline void skb_clear(struct sk_buff *skb)
{
	unsigned char *p = (unsigned char *)skb;

	_Static_assert(offsetof(struct sk_buff, frags) == 256, "four pieces");
	memset(p, 0, 64);
	memset(p + 64, 0, 64);
	memset(p + 128, 0, 64);
	memset(p + 192, 0, 64);
}

static inline void skb_take_struct(struct skb_pool *pool, struct sk_buff *skb)
{
	pool->free_skbs = skb->next;
	pool->nskbs--;
	pool->stats.outstanding_skbs++;
}

static inline struct sk_buff *skb_get_struct(struct skb_pool *pool)
{
	struct sk_buff *skb = pool->free_skbs;

	if (likely(skb)) {
		skb_take_struct(pool, skb);
		return skb;
	}
	skb = aligned_alloc(AREA_ALIGN, (sizeof(*skb) + AREA_ALIGN - 1) & ~(size_t)(AREA_ALIGN - 1));
	if (skb)
		pool->stats.outstanding_skbs++;
	else
		pool->stats.failed++;
	return skb;
}

static inline void skb_keep_struct(struct skb_pool *pool, struct sk_buff *skb)
{
	pool->stats.outstanding_skbs--;
	skb->pool = NULL;
	skb->next = pool->free_skbs;
	pool->free_skbs = skb;
	pool->nskbs++;
}

static inline void skb_put_struct(struct skb_pool *pool, struct sk_buff *skb)
{
	if (likely(POOL_KEEPS && pool->nskbs < KEEP_SKBS)) {
		skb_keep_struct(pool, skb);
	} else {
		pool->stats.outstanding_skbs--;
		skb->pool = NULL;
		free(skb);
	}
}

static inline void skb_init(struct sk_buff *skb, struct skb_pool *pool, struct skb_area *area, uint32_t off, uint32_t len)
{
	skb_clear(skb);
	skb->pool = pool;
	skb->area = area;
	skb->head = area->base;
	skb->data = area->base + off;
	skb->tail = skb->data + len;
	skb->end = area->base + area->size;
	skb->len = len;
	skb->truesize = (uint32_t)(sizeof(*skb) + area_bytes(area));
	skb->frags = skb->inline_frags;
	skb->mac_header = skb->network_header = skb->transport_header = SKB_NO_HEADER;
}

static __attribute__((noinline)) struct sk_buff *alloc_skb_slow(struct skb_pool *pool, uint32_t size, uint32_t headroom)
{
	struct skb_area *area = area_alloc(pool, size);
	struct sk_buff *skb;

	if (unlikely(!area))
		return NULL;
	skb = skb_get_struct(pool);
	if (unlikely(!skb)) {
		skb_area_put(pool, area);
		return NULL;
	}
	skb_init(skb, pool, area, headroom, 0);
	return skb;
}

struct sk_buff *alloc_skb(struct skb_pool *pool, uint32_t size, uint32_t headroom)
{
	struct skb_area *area = pool->free[AREA_SMALL];
	struct sk_buff *skb = pool->free_skbs;

	BUG_ON(headroom > size);
	if (unlikely(!skb || !area_at_hand(pool, size)))
		return alloc_skb_slow(pool, size, headroom);
	area_take(pool, area);
	skb_take_struct(pool, skb);
	skb_init(skb, pool, area, headroom, 0);
	return skb;
}

struct sk_buff *build_skb(struct skb_pool *pool, struct skb_area *area, uint32_t off, uint32_t len)
{
	struct sk_buff *skb;

	BUG_ON(off > area->size || len > area->size - off);
	skb = skb_get_struct(pool);
	if (unlikely(!skb)) {
		skb_area_put(pool, area);
		return NULL;
	}
	skb_init(skb, pool, area, off, len);
	return skb;
}

/* The area that a long list stands in. */
static inline struct skb_area *frags_area(const struct sk_buff *skb)
{
	return (struct skb_area *)(void *)skb->frags - 1;
}

bool skb_frags_grow(struct sk_buff *skb)
{
	struct skb_area *area;

	_Static_assert(SKB_MAX_FRAGS * sizeof(struct skb_frag) <= AREA_DATA(SKB_SMALL), "a small area holds the longest list");
	if (skb->long_frags)
		return true;
	area = area_alloc(skb->pool, SKB_MAX_FRAGS * sizeof(struct skb_frag));
	if (unlikely(!area))
		return false;
	memcpy(area->base, skb->inline_frags, skb->nr_frags * sizeof(struct skb_frag));
	skb->frags = (struct skb_frag *)(void *)area->base;
	skb->long_frags = 1;
	if (!skb->destructor) /* who is charged for it is charged for what it was */
		skb->truesize += (uint32_t)area_bytes(area);
	return true;
}

static __attribute__((noinline)) void skb_release_slow(struct sk_buff *skb)
{
	struct skb_pool *pool = skb->pool;

	if (skb->destructor)
		skb->destructor(skb);
	if (skb->nohdr)
		skb->area->nohdr--;
	if (--skb->area->refcnt == 0)
		area_release(pool, skb->area);
	for (unsigned i = 0; i < skb->nr_frags; i++)
		skb_area_put(pool, skb->frags[i].area);
	if (skb->long_frags)
		area_release(pool, frags_area(skb));
	skb_put_struct(pool, skb);
}

static inline void skb_release(struct sk_buff *skb)
{
	struct skb_pool *pool = skb->pool;
	struct skb_area *area = skb->area;

	BUG_ON(!pool); /* freed before */
	if (unlikely(skb->destructor || (skb->rare | skb->nr_frags) || area->refcnt != 1 || !area_kept(pool, area) || pool->nskbs >= KEEP_SKBS)) {
		skb_release_slow(skb);
		return;
	}
	area_keep(pool, area);
	skb_keep_struct(pool, skb);
}

int skb_append(struct sk_buff *dst, struct sk_buff *src, uint32_t off)
{
	uint32_t lin = skb_headlen(src), more = src->truesize - (uint32_t)sizeof(*src);
	struct skb_pool *pool = src->pool;

	BUG_ON(off > lin || src->destructor || src->nohdr);
	if (unlikely(!skb_frags_room(dst, src->nr_frags + 1u)))
		return -EMSGSIZE;
	dst->len += src->len - off;
	dst->data_len += src->len - off;
	if (likely(lin > off))
		dst->frags[dst->nr_frags++] = (struct skb_frag){ src->area, (uint32_t)(src->data - src->area->base) + off, lin - off };
	else
		skb_area_put(pool, src->area);
	for (unsigned i = 0; i < src->nr_frags; i++)
		dst->frags[dst->nr_frags++] = src->frags[i];
	if (unlikely(src->long_frags))
		area_release(pool, frags_area(src));
	dst->truesize += more;
	skb_put_struct(pool, src);
	return 0;
}

void kfree_skb(struct sk_buff *skb, enum skb_drop_reason reason)
{
	if (!skb)
		return;
	BUG_ON(!skb->pool);
	skb->pool->stats.drops[reason]++;
	if (unlikely(skb->pool->drop_hook))
		skb->pool->drop_hook(skb->pool->drop_arg, skb, reason);
	skb_release(skb);
}

void consume_skb(struct sk_buff *skb)
{
	if (skb)
		skb_release(skb);
}

struct sk_buff *skb_clone(struct sk_buff *skb)
{
	struct sk_buff *n = skb_get_struct(skb->pool);

	if (unlikely(!n))
		return NULL;
	memcpy(n, skb, offsetof(struct sk_buff, frags));
	n->frags = n->inline_frags;
	n->long_frags = 0;
	if (unlikely(skb->nr_frags > SKB_INLINE_FRAGS)) {
		struct skb_area *list = area_alloc(skb->pool, SKB_MAX_FRAGS * sizeof(struct skb_frag));

		if (!list) {
			skb_put_struct(skb->pool, n);
			return NULL;
		}
		n->frags = (struct skb_frag *)(void *)list->base;
		n->long_frags = 1;
	}
	memcpy(n->frags, skb->frags, skb->nr_frags * sizeof(skb->frags[0]));
	n->next = n->prev = NULL;
	n->sk = NULL;
	n->destructor = NULL;
	n->nohdr = 0;
	n->cloned = skb->cloned = 1;
	skb_area_get(n->area);
	for (unsigned i = 0; i < n->nr_frags; i++)
		skb_area_get(n->frags[i].area);
	return n;
}

/* ---- between shards ---- */

static inline bool area_movable(const struct skb_area *area)
{
	return area->refcnt == 1 && !area->free;
}

static void pool_account(struct skb_pool *pool, const struct sk_buff *skb, int sign)
{
	uint64_t bytes = area_bytes(skb->area);
	uint32_t areas = 1u + skb->nr_frags;

	BUG_ON(!area_movable(skb->area));
	for (unsigned i = 0; i < skb->nr_frags; i++) {
		BUG_ON(!area_movable(skb->frags[i].area));
		bytes += area_bytes(skb->frags[i].area);
	}
	if (unlikely(skb->long_frags)) {
		bytes += area_bytes(frags_area(skb));
		areas++;
	}
	pool->stats.outstanding_skbs += (uint64_t)(int64_t)sign;
	pool->stats.outstanding_areas += (uint64_t)((int64_t)sign * areas);
	pool->stats.outstanding_bytes += (uint64_t)sign * bytes;
}

void skb_disown(struct sk_buff *skb)
{
	BUG_ON(skb->destructor);
	pool_account(skb->pool, skb, -1);
	skb->pool = NULL;
	skb->dev = NULL; /* the other shard has its own; drivers and softnet keep the number */
	skb->rt.dev = NULL;
}

void skb_adopt(struct skb_pool *pool, struct sk_buff *skb)
{
	pool_account(pool, skb, 1);
	skb->pool = pool;
}

/* ---- queues ---- */

void skb_queue_splice_tail(struct sk_buff_head *from, struct sk_buff_head *to)
{
	struct sk_buff *first = from->next, *last = from->prev;

	if (skb_queue_empty(from))
		return;
	first->prev = to->prev;
	skb_link(to->prev)->next = first;
	last->next = (struct sk_buff *)(void *)to;
	to->prev = last;
	to->qlen += from->qlen;
	skb_queue_init(from);
}

void skb_queue_purge(struct sk_buff_head *q, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(q)))
		kfree_skb(skb, reason);
}
