/* SPDX-License-Identifier: MIT */
/*
 * steer_count.c: see steer_count.h.
 */
#include "steer_count.h"

#include "worker.h"

#include <stdlib.h>
#include <string.h>

static struct steer_count *count_of(struct steer_counts *c, unsigned from, uint32_t netns)
{
	return &c->count[from * NETNS_MAX + netns % NETNS_MAX];
}

struct steer_counts *steer_counts_new(unsigned nworkers)
{
	size_t size = (sizeof(struct steer_counts) + (size_t)nworkers * NETNS_MAX * sizeof(struct steer_count) + 63) / 64 * 64;
	struct steer_counts *c = aligned_alloc(64, size);

	if (!c)
		return NULL;
	memset(c, 0, size);
	c->nworkers = nworkers;
	return c;
}

uint32_t steer_counts_read(const struct steer_counts *c, unsigned from, uint32_t netns)
{
	return atomic_load_explicit(&c->count[from * NETNS_MAX + netns % NETNS_MAX].done, memory_order_acquire);
}

static void say(struct steer_count *n, uint32_t done)
{
	if (atomic_load_explicit(&n->done, memory_order_relaxed) != done)
		atomic_store_explicit(&n->done, done, memory_order_release);
}

void steer_counts_lost(struct steer_counts *c, unsigned from, uint32_t netns)
{
	struct steer_count *n = count_of(c, from, netns);

	n->base++;
	say(n, atomic_load_explicit(&n->done, memory_order_relaxed) + 1);
}

void steer_counts_gone(struct steer_counts *c, uint32_t netns, const struct stack *stack)
{
	for (unsigned from = 0; from < c->nworkers; from++) {
		struct steer_count *n = count_of(c, from, netns);

		n->base += stack_steer_done(stack, from);
		say(n, n->base);
	}
}

/* A namespace is asked again as long as its stack has work left: that may be frames of others. */
void steer_counts_publish(struct steer_counts *c, struct worker_ns *const *ns)
{
	for (unsigned w = 0; w < NETNS_MAX / 64; w++) {
		for (uint64_t owed = c->owed[w]; owed; owed &= owed - 1) {
			uint32_t id = w * 64 + (uint32_t)__builtin_ctzll(owed);

			for (unsigned from = 0; ns[id] && from < c->nworkers; from++)
				say(count_of(c, from, id), count_of(c, from, id)->base + stack_steer_done(ns[id]->stack, from));
			if (!ns[id] || !stack_raised(ns[id]->stack))
				c->owed[w] &= ~(UINT64_C(1) << id % 64);
		}
	}
}
