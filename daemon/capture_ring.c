/* SPDX-License-Identifier: MIT */
/*
 * capture_ring.c: the ring between a worker and the writer of a capture; see capture_ring.h.
 *
 * Invariants: tail <= head <= next <= tail + size; every position is a multiple of CAPTURE_RING_ALIGN, so that in front of the end there is always room for the record
 * that says "go on at the start".
 */
#include "capture_ring.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(sizeof(struct capture_record) <= CAPTURE_RING_ALIGN, "the head of a record fits wherever one may begin");

int capture_ring_init(struct capture_ring *r, uint64_t size)
{
	uint64_t n = CAPTURE_RING_ALIGN;

	while (n < size)
		n *= 2;
	memset(r, 0, sizeof(*r));
	r->bytes = aligned_alloc(CAPTURE_RING_ALIGN, n);
	r->mask = n - 1;
	return r->bytes ? 0 : -ENOMEM;
}

void capture_ring_exit(struct capture_ring *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

static struct capture_record *record_at(struct capture_ring *r, uint64_t pos)
{
	return (struct capture_record *)(void *)(r->bytes + (pos & r->mask));
}

static bool has_room(struct capture_ring *r, uint64_t need)
{
	if (r->next + need - r->tail_seen <= r->mask + 1)
		return true;
	r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	return r->next + need - r->tail_seen <= r->mask + 1;
}

struct capture_record *capture_ring_reserve(struct capture_ring *r, uint32_t caplen)
{
	uint64_t size = (sizeof(struct capture_record) + caplen + CAPTURE_RING_ALIGN - 1) & ~(uint64_t)(CAPTURE_RING_ALIGN - 1);
	uint64_t to_end = r->mask + 1 - (r->next & r->mask), skip = to_end < size ? to_end : 0;
	struct capture_record *rec;

	if (size > r->mask + 1 || !has_room(r, skip + size)) {
		r->lost++;
		return NULL;
	}
	if (skip) {
		rec = record_at(r, r->next);
		*rec = (struct capture_record){ .size = (uint32_t)skip, .skip = true };
		r->next += skip;
	}
	rec = record_at(r, r->next);
	*rec = (struct capture_record){ .size = (uint32_t)size, .caplen = caplen, .lost = r->lost };
	return rec;
}

void capture_ring_push(struct capture_ring *r, struct capture_record *rec, const void *key, uint16_t id)
{
	unsigned i = r->nrecent++ % CAPTURE_RING_RECENT;

	r->recent[i].key = key;
	r->recent[i].id = id;
	r->recent[i].pos = r->next;
	r->lost = 0;
	r->next += rec->size;
}

struct capture_record *capture_ring_find(struct capture_ring *r, const void *key, uint16_t id)
{
	unsigned n = r->nrecent < CAPTURE_RING_RECENT ? r->nrecent : CAPTURE_RING_RECENT;

	for (unsigned i = 1; i <= n; i++) {
		unsigned at = (r->nrecent - i) % CAPTURE_RING_RECENT;

		if (r->recent[at].key == key && r->recent[at].id == id)
			return record_at(r, r->recent[at].pos);
	}
	return NULL;
}

bool capture_ring_publish(struct capture_ring *r)
{
	r->nrecent = 0;
	if (!capture_ring_pending(r))
		return false;
	atomic_store_explicit(&r->head, r->next, memory_order_release);
	return true;
}

const struct capture_record *capture_ring_peek(struct capture_ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	while (tail != atomic_load_explicit(&r->head, memory_order_acquire)) {
		const struct capture_record *rec = record_at(r, tail);

		if (!rec->skip)
			return rec;
		tail += rec->size;
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	return NULL;
}

void capture_ring_pop(struct capture_ring *r, const struct capture_record *rec)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + rec->size, memory_order_release);
}
