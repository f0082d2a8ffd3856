/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c: rings, channels and kicks between threads; see mailbox.h.
 */
#include "mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ring *ring_new(uint32_t size)
{
	size_t bytes = (sizeof(struct ring) + size * sizeof(void *) + 63) & ~(size_t)63;
	struct ring *ring = aligned_alloc(64, bytes);

	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->mask = size - 1;
	return ring;
}

void ring_free(struct ring *ring)
{
	free(ring);
}

bool ring_push(struct ring *ring, void *p)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head - ring->tail_seen > ring->mask) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head - ring->tail_seen > ring->mask)
			return false;
	}
	ring->slot[head & ring->mask] = p;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

void *ring_pop(struct ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	void *p;

	if (tail == ring->head_seen) {
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (tail == ring->head_seen)
			return NULL;
	}
	p = ring->slot[tail & ring->mask];
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return p;
}

bool ring_empty(struct ring *ring)
{
	return atomic_load_explicit(&ring->tail, memory_order_relaxed) == atomic_load_explicit(&ring->head, memory_order_acquire);
}

/* Consumer's view. */
static uint32_t ring_len(struct ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_acquire) - atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

int mailbox_init(struct mailbox *mb, unsigned nrings, unsigned self, uint32_t ring_size)
{
	memset(mb, 0, sizeof(*mb));
	mb->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mb->efd < 0)
		return -errno;
	pthread_mutex_init(&mb->lock, NULL);
	mb->last = &mb->first;
	mb->nrings = nrings;
	for (unsigned i = 0; i < nrings; i++) {
		if (i == self)
			continue;
		mb->ring[i] = ring_new(ring_size);
		if (!mb->ring[i]) {
			mailbox_exit(mb);
			return -ENOMEM;
		}
	}
	return 0;
}

void mailbox_exit(struct mailbox *mb)
{
	for (unsigned i = 0; i < mb->nrings; i++)
		ring_free(mb->ring[i]);
	if (mb->efd >= 0)
		close(mb->efd);
	pthread_mutex_destroy(&mb->lock);
	mb->efd = -1;
	mb->nrings = 0;
}

bool mailbox_kick(struct mailbox *mb)
{
	uint64_t one = 1;
	ssize_t n;

	if (!atomic_exchange_explicit(&mb->sleeping, false, memory_order_acq_rel))
		return false;
	n = write(mb->efd, &one, sizeof(one));
	(void)n; /* EAGAIN: the counter is at its end, which is as good as a kick */
	return true;
}

uint32_t mailbox_frames(struct mailbox *mb)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < mb->nrings; i++)
		if (mb->ring[i])
			n += ring_len(mb->ring[i]);
	return n;
}

void mailbox_post(struct mailbox *mb, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&mb->lock);
	*mb->last = job;
	mb->last = &job->next;
	atomic_fetch_add_explicit(&mb->njobs, 1, memory_order_release);
	pthread_mutex_unlock(&mb->lock);
	mailbox_kick(mb);
}

bool mailbox_sleep(struct mailbox *mb)
{
	bool work;

	atomic_exchange_explicit(&mb->sleeping, true, memory_order_acq_rel);
	work = atomic_load_explicit(&mb->njobs, memory_order_acquire) != 0;
	for (unsigned i = 0; i < mb->nrings && !work; i++)
		work = mb->ring[i] && !ring_empty(mb->ring[i]);
	if (work)
		mailbox_awake(mb);
	return !work;
}

unsigned mailbox_run_jobs(struct mailbox *mb, void *owner)
{
	struct job *job, *next;
	unsigned n = 0;

	if (!atomic_load_explicit(&mb->njobs, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&mb->lock);
	job = mb->first;
	mb->first = NULL;
	mb->last = &mb->first;
	atomic_store_explicit(&mb->njobs, 0, memory_order_relaxed);
	pthread_mutex_unlock(&mb->lock);
	for (; job; job = next, n++) {
		next = job->next;
		job->run(job, owner);
	}
	return n;
}
