/* SPDX-License-Identifier: MIT */
/*
 * gather.h: the control thread asks every worker for something and goes on when all have answered; neither side ever waits for the other.
 *
 * gather_start posts one job to each worker. collect runs there, on the worker's thread, and leaves its result in the slot (memory that it allocates is
 * handed over). When the last answer is back, done runs on the control thread and frees what it took; then the gather itself is freed.
 *
 * A gather is about one network namespace: another than the first by gather_start_ns. It holds on to its configuration until the end; collect finds the
 * worker's side of it in the slot. A worker that does not have the namespace, or has it no more, answers -ESHUTDOWN without collect being called.
 */
#ifndef DAEMON_GATHER_H
#define DAEMON_GATHER_H

#include "mailbox.h"

struct conf_state;
struct daemon;
struct gather;
struct worker;
struct worker_ns;

struct gather_slot {
	struct job     job; /* first: jobs come back as themselves */
	struct gather *gather;
	struct worker *worker;
	struct worker_ns *ns; /* set before collect is called, and valid in it alone */
	int            err;
	void          *data;
	size_t         n;
};

struct gather {
	struct daemon *daemon;
	struct conf_state *conf; /* of the namespace that it is about; for the control thread */
	uint32_t       netns; /* its number */
	void         (*collect)(struct gather *gather, struct gather_slot *slot, struct worker *worker);
	void         (*done)(struct gather *gather);
	void          *arg; /* of who asked: written before the start, read by collect on all workers at once */
	unsigned       pending, n;
	struct gather_slot slot[];
};

/* On the worker: a copy of one more item of size bytes, at the end of the array that data is. 0 or -ENOMEM. */
int  gather_add(struct gather_slot *slot, const void *item, size_t size);
/* In two steps, for who must not fail half way. arg is arg of the new gather. NULL: no memory. */
struct gather *gather_new(struct daemon *daemon, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg);
void gather_post(struct gather *gather);
void gather_free(struct gather *gather); /* one that was not posted; NULL is ignored */
/* Both; of the first namespace, or of conf's. 0 or -ENOMEM. */
int  gather_start(struct daemon *daemon, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg);

int  gather_start_ns(struct daemon *daemon, struct conf_state *conf, void (*collect)(struct gather *, struct gather_slot *, struct worker *),
		     void (*done)(struct gather *), void *arg);

#endif
