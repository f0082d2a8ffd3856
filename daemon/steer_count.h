/* SPDX-License-Identifier: MIT */
/*
 * steer_count.h: how many of the frames that other workers handed over a worker is done with, for each of them and each namespace. Written by the worker that did the
 * work, read by those that handed over; a few of these words lie on one line of memory, and it moves between CPUs once for a batch.
 *
 * Numbers only grow (modulo 2^32), also when a namespace ends and another one gets its number: who hands over remembers where they stood when its stack was made.
 */
#ifndef DAEMON_STEER_COUNT_H
#define DAEMON_STEER_COUNT_H

#include "state.h"
#include <stdatomic.h>

struct stack;
struct worker_ns;

struct steer_counts {
	unsigned nworkers;
	uint64_t owed[NETNS_MAX / 64]; /* namespaces in which something was handed over since everything was said */
	_Alignas(64) struct steer_count { /* [from * NETNS_MAX + namespace % NETNS_MAX], as worker->ns has them */
		_Atomic uint32_t done; /* what others see */
		uint32_t         base; /* of earlier stacks of this number, and of frames that met none */
	} count[]; /* not on the line of owed, which the owner writes for each frame */
};

struct steer_counts *steer_counts_new(unsigned nworkers); /* NULL: no memory */
uint32_t steer_counts_read(const struct steer_counts *counts, unsigned from, uint32_t netns); /* any thread */
/* The owner's: */
static inline void steer_counts_taken(struct steer_counts *counts, uint32_t netns) { counts->owed[netns % NETNS_MAX / 64] |= UINT64_C(1) << netns % 64; }
void steer_counts_lost(struct steer_counts *counts, unsigned from, uint32_t netns); /* a frame whose namespace is not here */
void steer_counts_gone(struct steer_counts *counts, uint32_t netns, const struct stack *stack); /* before its end */
void steer_counts_publish(struct steer_counts *counts, struct worker_ns *const *ns); /* after stack_run, when what it sent is with the device */

#endif
