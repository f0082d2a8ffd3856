/* SPDX-License-Identifier: MIT */
/*
 * worker.h: a worker thread: one "CPU" with one stack, one event loop, one queue of each device. Everything in struct worker belongs to its thread,
 * except the mailbox, which others post to, and what is marked.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "mailbox.h"
#include "service.h"
#include "tap.h"
#include <netstack/stack.h>

struct daemon;
struct event;
struct event_base;

struct worker {
	struct daemon     *daemon;
	unsigned           cpu;
	pthread_t          thread;
	struct mailbox     mail;
	struct event_base *base;
	struct event      *mail_event, *timer_event;
	int                timer_fd;
	ktime_t            armed; /* when timer_fd goes off; KTIME_MAX: not */
	uint64_t           most_held; /* bytes of buffers, since memory was last given back */
	ktime_t            give_back_at; /* KTIME_MAX: nothing to give back */
	ktime_t            now; /* of this wake-up */
	bool               now_valid;
	bool               quit;
	bool               ending; /* stack_shutdown was called */
	uint64_t           kicks; /* workers whose rings got something in this round */
	struct stack      *stack;
	struct services   *services;
	struct service_env service_env;
	unsigned           pages; /* that the http service waits for */
	struct tapq      **taps; /* by ifindex */
	int                ntaps;
	_Atomic unsigned   events_waiting; /* sent to the control thread and not yet seen there */
	_Atomic unsigned   events_lost;
};

ktime_t clock_now(void);
ktime_t worker_refresh_now(struct worker *worker);
/* The time of this wake-up: read at its first use. */
static inline ktime_t worker_now(struct worker *worker)
{
	return worker->now_valid ? worker->now : worker_refresh_now(worker);
}
/* A device's descriptor failed for good: told to the control thread. */
void worker_link_gone(struct worker *worker, const struct tap *tap, int err);
struct tapq *worker_tap(struct worker *worker, int ifindex); /* NULL: none */

/* The control thread: all workers of a daemon. 0 or -errno; nothing is left behind on failure. */
int  workers_new(struct daemon *daemon, unsigned n);
int  workers_start(struct daemon *daemon);
/* Has them end, joins them, brings what was under way to its end, frees their stacks. -ETIMEDOUT: one is stuck; then nothing is freed. */
int  workers_stop(struct daemon *daemon);

#endif
