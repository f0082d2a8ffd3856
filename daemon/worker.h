/* SPDX-License-Identifier: MIT */
/*
 * worker.h: a worker thread: one "CPU" with one event loop, and for each network namespace one stack and one queue of each device. Everything in struct worker
 * and struct worker_ns belongs to its thread, except the mailbox, which others post to, and what is marked.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "mailbox.h"
#include "service.h"
#include "state.h"
#include "tap.h"
#include <netstack/stack.h>
#include <sched.h>

struct daemon;
struct event;
struct event_base;
struct steer_counts;

/* One namespace on one worker: what the operations of its stack get as priv. */
struct worker_ns {
	struct worker     *worker;
	uint32_t           id; /* its number, the same on all workers */
	unsigned           place; /* in worker->list */
	struct stack      *stack;
	struct services   *services;
	struct service_env service_env;
	struct tapq      **taps; /* by ifindex */
	int                ntaps;
	unsigned           pin; /* the CPU that a device of it wants, and 1; 0: none does */
	uint32_t           steer_start[STACK_MAX_CPUS]; /* what each worker's count of our frames was when this began */
};

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
	struct tapq       *held, *busy; /* devices whose interrupt is held back (tap.c); that are polled without one */
	ktime_t            busy_until; /* no sleep before */
	unsigned           spins;
	cpu_set_t          all_cpus; /* that it may run on by itself */
	unsigned           pinned; /* the CPU that it was put on, and 1; 0: none */
	struct uring      *uring; /* NULL: there is none, for the reason uring_err */
	int                uring_err;
	uint64_t           kicks; /* workers whose rings got something in this round */
	struct steer_counts *steer_counts; /* written by us, read by those that hand frames to us */
	uint64_t           kicks_sent, kicks_saved; /* one for a batch: a system call, or none as the other was awake */
	struct worker_ns  *ns[NETNS_MAX]; /* by number modulo NETNS_MAX; NULL: none. 0 is always there */
	struct worker_ns  *list[NETNS_MAX]; /* the same without gaps; the first is number 0 */
	ktime_t            due[NETNS_MAX]; /* of list: when it is to be run; 0: at once */
	unsigned           nns;
	bool               upwards; /* the last round over list went so */
	struct capture_worker *captures; /* capture.c; NULL: none */
	unsigned           pages; /* that http services wait for */
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
/* The namespace of that number; NULL: not here, or not any more. */
static inline struct worker_ns *worker_ns(const struct worker *worker, uint32_t id)
{
	struct worker_ns *ns = worker->ns[id % NETNS_MAX];

	return ns && ns->id == id ? ns : NULL;
}
/* Something was or will be handed to its stack: it is run in this turn of the loop. */
static inline void worker_raise(struct worker_ns *ns)
{
	ns->worker->due[ns->place] = 0;
}
struct tapq *worker_tap(struct worker_ns *ns, int ifindex); /* NULL: none */

/* Runs on the CPU that the first namespace with a wish wants (ns->pin). On the worker's thread. */
void worker_pin(struct worker *worker);

/* A namespace comes and goes, on the worker's thread (or where no other thread runs). add: 0 or -errno. */
int  worker_ns_add(struct worker *worker, uint32_t id);
void worker_ns_del(struct worker *worker, uint32_t id);

/* The control thread: all workers of a daemon. 0 or -errno; nothing is left behind on failure. */
int  workers_new(struct daemon *daemon, unsigned n);
int  workers_start(struct daemon *daemon);
/* Has them end, joins them, brings what was under way to its end, frees their stacks. -ETIMEDOUT: one is stuck; then nothing is freed. */
int  workers_stop(struct daemon *daemon);

#endif
