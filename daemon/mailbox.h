/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h: how threads of the daemon hand things to each other.
 *
 * Theory of operation. Each worker, and the control thread, has one mailbox: an eventfd that its event loop watches, a sleep flag, a
 * channel of jobs (any producer, unbounded, in order) and, for workers, one bounded ring of pointers from each other worker (one producer, one
 * consumer, lock-free) for steered frames. Who puts something in kicks afterwards, once for a batch: the kick costs a system call only
 * when the owner has said that it sleeps.
 *
 * The owner, before it blocks: mailbox_sleep(), and if that says false there is something to do. After it wakes: mailbox_awake().
 * Why nothing is lost: both sides exchange the flag atomically. Either the producer's exchange comes first, then the owner's sees what was put in
 * before it; or the owner's comes first, then the producer finds the flag set and writes the eventfd.
 *
 * The eventfd is never read: it is watched edge-triggered, and each write is an edge.
 */
#ifndef DAEMON_MAILBOX_H
#define DAEMON_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAILBOX_MAX_RINGS 64

/* One producer (push), one consumer (pop). Each side keeps a copy of the other's index, so that a line of memory moves between CPUs only
 * when the ring looks full or empty. */
struct ring {
	_Alignas(64) _Atomic uint32_t head; /* written by the producer */
	uint32_t tail_seen; /* producer's */
	_Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
	uint32_t head_seen; /* consumer's */
	_Alignas(64) uint32_t mask;
	void *slot[];
};

struct ring *ring_new(uint32_t size /* a power of two */); /* NULL: no memory */
void ring_free(struct ring *ring); /* what is still in it is the caller's to take out first */
bool ring_push(struct ring *ring, void *p); /* false: full */
void *ring_pop(struct ring *ring); /* NULL: empty */
bool ring_empty(struct ring *ring); /* consumer's view */

struct job {
	struct job *next;
	void (*run)(struct job *job, void *owner); /* on the owner's thread; owns the job from then on */
};

struct mailbox {
	int             efd;
	_Atomic bool    sleeping;
	pthread_mutex_t lock; /* of the channel */
	struct job     *first, **last;
	_Atomic unsigned njobs;
	unsigned        nrings;
	struct ring    *ring[MAILBOX_MAX_RINGS]; /* by producer; NULL: none */
};

int  mailbox_init(struct mailbox *mb, unsigned nrings, unsigned self, uint32_t ring_size); /* 0 or -errno */
void mailbox_exit(struct mailbox *mb);
void mailbox_post(struct mailbox *mb, struct job *job); /* any thread; kicks */
bool mailbox_kick(struct mailbox *mb); /* after pushing to a ring; true: it slept, a system call was made */
uint32_t mailbox_frames(struct mailbox *mb); /* how many wait in the rings; the owner's call */
bool mailbox_sleep(struct mailbox *mb); /* false: there is work, do not block */
static inline void mailbox_awake(struct mailbox *mb) { atomic_exchange_explicit(&mb->sleeping, false, memory_order_acq_rel); }
unsigned mailbox_run_jobs(struct mailbox *mb, void *owner); /* what is there now; returns how many */

#endif
