/* SPDX-License-Identifier: MIT */
/*
 * gather.h: the control thread asks every worker for something and goes on when all have answered; neither side ever waits for the other.
 *
 * gather_start posts one job to each worker. collect runs there, on the worker's thread, and leaves its result in the slot (memory that it allocates is
 * handed over). When the last answer is back, done runs on the control thread and frees what it took; then the gather itself is freed.
 */
#ifndef DAEMON_GATHER_H
#define DAEMON_GATHER_H

#include "mailbox.h"

struct daemon;
struct gather;
struct worker;

struct gather_slot {
	struct job     job; /* first: jobs come back as themselves */
	struct gather *gather;
	struct worker *worker;
	int            err;
	void          *data;
	size_t         n;
};

struct gather {
	struct daemon *daemon;
	void         (*collect)(struct gather *gather, struct gather_slot *slot, struct worker *worker);
	void         (*done)(struct gather *gather);
	void          *arg; /* of who asked: written before the start, read by collect on all workers at once */
	unsigned       pending, n;
	struct gather_slot slot[];
};

/* In two steps, for who must not fail half way. arg is arg of the new gather. NULL: no memory. */
struct gather *gather_new(struct daemon *daemon, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg);
void gather_post(struct gather *gather);
/* Both. 0 or -ENOMEM. */
int  gather_start(struct daemon *daemon, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg);

#endif
