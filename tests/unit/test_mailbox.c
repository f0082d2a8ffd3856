/* SPDX-License-Identifier: MIT */
/*
 * test_mailbox.c: rings and channels, in one thread: order, fullness, kicks. tests/thread has the same with two.
 */
#include "mailbox.h"
#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static bool kicked(const struct mailbox *mb)
{
	struct pollfd p = { .fd = mb->efd, .events = POLLIN };
	uint64_t n;

	if (poll(&p, 1, 0) != 1)
		return false;
	cr_assert_eq(read(mb->efd, &n, sizeof(n)), sizeof(n));
	return true;
}

/* Against a plain array that does the same. */
Test(mailbox, ring_is_a_queue)
{
	struct ring *ring = ring_new(16);
	uintptr_t pushed = 0, popped = 0;
	unsigned seed = 7;

	cr_assert_not_null(ring);
	for (unsigned i = 0; i < 100000; i++) {
		if (rand_r(&seed) & 1) {
			bool room = pushed - popped < 16;

			cr_assert_eq(ring_push(ring, (void *)(pushed + 1)), room);
			pushed += room;
		} else {
			void *p = ring_pop(ring);

			cr_assert_eq((uintptr_t)p, popped < pushed ? popped + 1 : 0);
			popped += p != NULL;
		}
		cr_assert_eq(ring_empty(ring), pushed == popped);
	}
	ring_free(ring);
}

struct numbered {
	struct job job;
	unsigned   n;
};

static unsigned expected;

static void run_numbered(struct job *job, void *owner)
{
	struct numbered *n = (struct numbered *)job;

	cr_assert_eq(owner, &expected);
	cr_assert_eq(n->n, expected++);
	free(n);
}

static void post(struct mailbox *mb, unsigned n)
{
	struct numbered *job = malloc(sizeof(*job));

	*job = (struct numbered){ .job.run = run_numbered, .n = n };
	mailbox_post(mb, &job->job);
}

Test(mailbox, jobs_run_in_order)
{
	struct mailbox mb;

	expected = 0;
	cr_assert_eq(mailbox_init(&mb, 0, 0, 0), 0);
	cr_assert_eq(mailbox_run_jobs(&mb, &expected), 0);
	for (unsigned i = 0; i < 10; i++)
		post(&mb, i);
	cr_assert_eq(mailbox_run_jobs(&mb, &expected), 10);
	post(&mb, 10);
	cr_assert_eq(mailbox_run_jobs(&mb, &expected), 1);
	cr_assert_eq(expected, 11);
	mailbox_exit(&mb);
}

Test(mailbox, kicks_only_a_sleeper_and_once)
{
	struct mailbox mb;

	expected = 0;
	cr_assert_eq(mailbox_init(&mb, 0, 0, 0), 0);
	post(&mb, 0);
	cr_assert_not(kicked(&mb), "the owner is awake");
	cr_assert_not(mailbox_sleep(&mb), "there is work");
	post(&mb, 1);
	cr_assert_not(kicked(&mb), "it did not fall asleep");
	mailbox_run_jobs(&mb, &expected);
	cr_assert(mailbox_sleep(&mb));
	post(&mb, 2);
	post(&mb, 3);
	cr_assert(kicked(&mb));
	cr_assert_not(kicked(&mb), "one kick for both");
	mailbox_awake(&mb);
	mailbox_run_jobs(&mb, &expected);
	cr_assert_eq(expected, 4);
	mailbox_exit(&mb);
}

Test(mailbox, a_frame_in_a_ring_keeps_the_owner_awake)
{
	struct mailbox mb;

	cr_assert_eq(mailbox_init(&mb, 3, 1, 8), 0);
	cr_assert_null(mb.ring[1], "no ring to oneself");
	cr_assert(ring_push(mb.ring[2], &mb));
	cr_assert_not(mailbox_sleep(&mb));
	cr_assert_eq(ring_pop(mb.ring[2]), &mb);
	cr_assert(mailbox_sleep(&mb));
	cr_assert(ring_push(mb.ring[0], &mb));
	mailbox_kick(&mb);
	cr_assert(kicked(&mb));
	mailbox_exit(&mb);
}
