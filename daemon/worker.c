/* SPDX-License-Identifier: MIT */
/*
 * worker.c: the loop of a worker thread.
 *
 * Theory of operation. One turn of the loop: wait for events (frames on a TAP, a kick, the timer); callbacks only note what happened (stack_irq); then
 * jobs and steered frames are taken in, stack_run does what is due within its budget, and the other workers that got frames are kicked, once each.
 * stack_run says when it wants to be called again: later sets the timer; at once means that work is left, and the loop then only
 * looks for events without waiting. So a flood is served in rounds of one budget, with timers and jobs served between any two of them: that is what
 * ksoftirqd's low priority is for, without a second thread.
 *
 * What was sent in a turn by way of io_uring is handed to the kernel at its end, in one call (tap_uring.c); the kernel's answers are there when it returns. Devices that are
 * polled without an interrupt (busy-poll) keep the loop from sleeping for a while after each frame; devices whose interrupt is held back (rx-usecs) have a deadline
 * like a timer.
 *
 * The clock is read once a wake-up, and again at the start of each poll of a device, whose frames it stamps.
 *
 * The timer is a timerfd, watched edge-triggered (no read). It is set only when the deadline comes closer; one that has moved away is found out by one
 * early wake-up, which is cheaper than a system call each time a retransmission timer is pushed back. An idle stack has no deadline and no wake-ups.
 *
 * What the stack asks of its embedder (struct stack_ops) is at the end of the file.
 */
#include "worker.h"

#include "capture.h"
#include "daemon.h"
#include "log.h"
#include "monitor.h"
#include "status.h"
#include "steer_count.h"
#include "tap_uring.h"

#include <errno.h>
#include <event2/event.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <netstack/socket.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE    4096 /* frames on the way from one worker to another */
#define SETTLE_TURNS 1000
#define JOIN_SECONDS 3
#define MAX_ROUNDS   10 /* over all namespaces, before the loop looks for events again */
#define ROUNDS_TIME  (2 * NSEC_PER_MSEC)
#define LEAST_SHARE  ((size_t)16 << 20) /* bytes of packet memory that a namespace may hold, however many there are */
#define GIVE_BACK_BYTES (UINT64_C(32) << 20) /* so much became free: worth the walk through malloc's lists */
#define GIVE_BACK_DELAY (3 * NSEC_PER_SEC) /* after the pool of buffers has trimmed itself */
#define SPIN_EVENTS 16 /* turns of a busy poll for one look at all other events; kicks and jobs are seen in each */
#define THREAD_STACK (512 * 1024) /* address space; touched pages alone are memory */

ktime_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

ktime_t worker_refresh_now(struct worker *w)
{
	w->now = clock_now();
	w->now_valid = true;
	return w->now;
}

struct tapq *worker_tap(struct worker_ns *ns, int ifindex)
{
	return ifindex > 0 && ifindex < ns->ntaps ? ns->taps[ifindex] : NULL;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* The namespace of a frame may have gone on this worker already, or not have come yet. */
static void steered_in(struct worker *w, struct sk_buff *skb)
{
	struct worker_ns *ns = worker_ns(w, skb->netns);

	if (ns) {
		worker_raise(ns);
		steer_counts_taken(w->steer_counts, skb->netns);
		stack_steered(ns->stack, skb, w->now);
	} else {
		steer_counts_lost(w->steer_counts, skb->from_cpu, skb->netns);
		skb_adopt(stack_skb_pool(w->ns[0]->stack), skb);
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
	}
}

/* Frames from other workers: at most what a ring holds, so that a producer that never stops cannot keep us here. */
static void take_steered(struct worker *w)
{
	for (unsigned i = 0; i < w->mail.nrings; i++) {
		struct sk_buff *skb;

		if (!w->mail.ring[i])
			continue;
		for (unsigned n = 0; n < RING_SIZE && (skb = ring_pop(w->mail.ring[i])); n++)
			steered_in(w, skb);
	}
}

static void kick_others(struct worker *w)
{
	while (w->kicks) {
		unsigned cpu = (unsigned)__builtin_ctzll(w->kicks);

		w->kicks &= w->kicks - 1;
		if (mailbox_kick(&w->daemon->workers[cpu].mail))
			w->kicks_sent++;
		else
			w->kicks_saved++;
	}
}

static void set_timer(struct worker *w, ktime_t deadline)
{
	struct itimerspec its = { .it_value = { .tv_sec = deadline / NSEC_PER_SEC, .tv_nsec = deadline % NSEC_PER_SEC } };

	if (deadline >= w->armed)
		return;
	if (timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &its, NULL) == 0)
		w->armed = deadline;
}

/*
 * malloc keeps what a flood of buffers filled, once it lies in pieces, however much of it is free again: whoever made a worker hold its limit of memory once would
 * have made it do so for ever. So when much has become free, and some time after the pool has let go of it (stack_run), the pages go back
 * to the kernel. Returns when it wants to be called next.
 */
static ktime_t give_back_memory(struct worker *w)
{
	uint64_t held = 0;

	for (unsigned i = 0; i < w->nns; i++)
		held += skb_pool_stats(stack_skb_pool(w->list[i]->stack))->outstanding_bytes;
	if (w->now >= w->give_back_at) {
#ifdef __GLIBC__
		malloc_trim(0);
#endif
		w->most_held = held;
		w->give_back_at = KTIME_MAX;
	}
	if (held > w->most_held)
		w->most_held = held;
	if (w->most_held - held >= GIVE_BACK_BYTES && w->give_back_at == KTIME_MAX)
		w->give_back_at = w->now + GIVE_BACK_DELAY;
	return w->give_back_at;
}

/* What is due in one namespace. Returns when it wants to be called next. */
static ktime_t run_ns(struct worker *w, struct worker_ns *ns)
{
	ktime_t deadline = stack_run(ns->stack, w->now, 0), due = services_due(ns->services, w->now);

	if (due <= w->now)
		services_run(ns->services, w->now); /* and once more around: this may have given the stack something to do */
	return due < deadline ? due : deadline;
}

/*
 * What is due in all of them. Frames that one hands to another by a veth make that one due, so this goes over the list until all are quiet, but not without end: then the
 * loop looks for events and comes back. Each may use up its budget once a round, so none is left out. The rounds go up and down in turn: a chain of
 * routers, made in its order, passes frames of both directions on from end to end in two.
 */
static ktime_t run_due(struct worker *w)
{
	ktime_t deadline = KTIME_MAX, until = w->now + ROUNDS_TIME;

	if (w->nns == 1)
		return run_ns(w, w->list[0]);
	for (unsigned round = 0; round < MAX_ROUNDS && w->now < until; round++) {
		bool quiet = true;

		w->upwards = !w->upwards;
		for (unsigned k = 0; k < w->nns; k++) {
			unsigned i = w->upwards ? k : w->nns - 1 - k;
			ktime_t due;

			if (w->due[i] > w->now)
				continue;
			quiet = false;
			w->due[i] = KTIME_MAX; /* before: what it sends may come back to it */
			due = run_ns(w, w->list[i]);
			if (due < w->due[i])
				w->due[i] = due;
		}
		if (quiet)
			break;
	}
	for (unsigned i = 0; i < w->nns; i++)
		if (w->due[i] < deadline)
			deadline = w->due[i];
	return deadline;
}

/* A device wants to be asked for frames for a while rather than to wake us. */
static bool spinning(const struct worker *w)
{
	return w->busy && w->busy_until > w->now;
}

static void worker_loop(struct worker *w)
{
	bool work_left = true;

	while (!w->quit) {
		ktime_t deadline, due, held;
		bool spin = spinning(w), wait = !work_left && !spin && mailbox_sleep(&w->mail);

		w->now_valid = false;
		if (!spin || w->spins++ % SPIN_EVENTS == 0)
			event_base_loop(w->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
		if (wait)
			mailbox_awake(&w->mail);
		worker_now(w);
		if (w->nns == 1)
			stack_set_now(w->list[0]->stack, w->now);
		mailbox_run_jobs(&w->mail, w);
		take_steered(w);
		held = tapq_run_held(w);
		if (spin)
			tapq_run_busy(w);
		deadline = run_due(w);
		if (w->held) /* also what this turn has added */
			held = tapq_run_held(w);
		if (held < deadline)
			deadline = held;
		due = give_back_memory(w);
		if (due < deadline)
			deadline = due;
		work_left = uring_flush(w->uring) || deadline <= w->now;
		if (w->captures)
			capture_flush(w);
		steer_counts_publish(w->steer_counts, w->ns);
		kick_others(w);
		if (!work_left && deadline != KTIME_MAX)
			set_timer(w, deadline);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	worker_loop(w);
	return NULL;
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* waking up was all: the loop looks at the mailbox */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	((struct worker *)arg)->armed = KTIME_MAX;
}

/* ---- what the stack asks for --------------------------------------------------------------------------------------- */

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct tapq *q = worker_tap(priv, ifindex);

	return q ? tapq_xmit(q, skb) : -ENETDOWN;
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct tapq *q = worker_tap(priv, ifindex);

	return q && q->rx_fd >= 0 ? tapq_poll(q, budget, now) : 0;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct worker_ns *ns = priv;
	struct worker *w = ns->worker;

	skb->netns = (uint16_t)ns->id;
	/* Also when it is full: the owner may sleep on a kick that this very round still owes it. */
	w->kicks |= UINT64_C(1) << cpu;
	return ring_push(w->daemon->workers[cpu].mail.ring[w->cpu], skb) ? 0 : -ENOBUFS;
}

static uint32_t op_steer_done(void *priv, unsigned cpu)
{
	const struct worker_ns *ns = priv;
	const struct worker *w = ns->worker;

	return steer_counts_read(w->daemon->workers[cpu].steer_counts, w->cpu, ns->id) - ns->steer_start[cpu];
}

struct tell_job {
	struct job       job;
	uint32_t         netns;
	struct shard_msg msg;
};

static void tell_run(struct job *job, void *owner)
{
	struct tell_job *t = (struct tell_job *)job;
	struct worker *w = owner;

	struct worker_ns *ns = worker_ns(w, t->netns);

	if (ns) {
		worker_raise(ns);
		stack_msg(ns->stack, &t->msg, w->now);
	}
	free(t);
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg)
{
	struct worker_ns *ns = priv;
	struct worker *w = ns->worker;

	for (unsigned i = 0; i < w->daemon->nworkers; i++) {
		struct tell_job *t;

		if (i == w->cpu || (cpu != STACK_CPU_ALL && i != cpu))
			continue;
		t = malloc(sizeof(*t));
		if (!t) {
			log_msg(LOG_CRIT, "no memory for a message between workers; a neighbour or port may be known to one of them only");
			return;
		}
		t->job.run = tell_run;
		t->netns = ns->id;
		t->msg = *msg;
		mailbox_post(&w->daemon->workers[i].mail, &t->job);
	}
}

static void op_wake(void *priv, uint64_t cookie, uint32_t events)
{
	services_wake(((struct worker_ns *)priv)->services, cookie, events);
}

static void op_notify(void *priv, const struct stack_event *ev)
{
	struct worker_ns *ns = priv;

	if (ev->type == STACK_EV_ADDR_CONFLICT || ev->type == STACK_EV_MARTIAN || atomic_load_explicit(&ns->worker->daemon->monitors, memory_order_relaxed))
		monitor_from_worker(ns, ev);
}

static ktime_t op_clock(void *priv)
{
	(void)priv;
	return clock_now();
}

static struct stack *op_netns(void *priv, uint32_t netns)
{
	struct worker_ns *ns = worker_ns(((struct worker_ns *)priv)->worker, netns);

	if (!ns)
		return NULL;
	worker_raise(ns); /* it is asked for to be handed something */
	return ns->stack;
}

static const struct stack_ops worker_ops = {
	.xmit = op_xmit, .poll = op_poll, .steer = op_steer, .steer_done = op_steer_done, .tell = op_tell, .wake = op_wake, .notify = op_notify, .netns = op_netns, .clock = op_clock,
};

struct gone_job {
	struct job job;
	const struct tap *tap; /* to tell which: it may have been freed by then */
	uint32_t   netns;
	int        ifindex, err;
};

static void gone_run(struct job *job, void *owner)
{
	struct gone_job *g = (struct gone_job *)job;

	apply_link_gone(owner, g->netns, g->ifindex, g->tap, g->err);
	free(g);
}

void worker_link_gone(struct worker *w, const struct tap *tap, int err)
{
	struct gone_job *g = malloc(sizeof(*g));

	if (!g)
		return; /* the queue stays dead; frames to it are counted as errors */
	*g = (struct gone_job){ .job.run = gone_run, .tap = tap, .netns = tap->netns, .ifindex = tap->ifindex, .err = err };
	mailbox_post(&w->daemon->mail, &g->job);
}

/* ---- what the http service asks for ---------------------------------------------------------------------------------- */

static int env_page(void *priv, enum service_page page, uint64_t token)
{
	return status_page_request(priv, page, token);
}

static int64_t env_wall_clock(void *priv)
{
	struct worker *w = ((struct worker_ns *)priv)->worker;

	return worker_now(w) + w->daemon->wall_offset;
}

/* ---- life, on the control thread --------------------------------------------------------------------------------------- */

/* Each namespace has a pool of its own. What the worker may hold is shared out evenly, but for a little that each may hold anyway. */
static void share_memory(struct worker *w)
{
	size_t share = w->nns ? w->daemon->mem_limit / w->nns : 0;

	for (unsigned i = 0; i < w->nns; i++)
		skb_pool_set_limit(stack_skb_pool(w->list[i]->stack), share && share < LEAST_SHARE ? LEAST_SHARE : share);
}

void worker_pin(struct worker *w)
{
	unsigned want = 0;
	cpu_set_t set;

	for (unsigned i = 0; i < w->nns && !want; i++)
		want = w->list[i]->pin;
	if (want == w->pinned)
		return;
	w->pinned = want;
	set = w->all_cpus;
	if (want) {
		CPU_ZERO(&set);
		CPU_SET(want - 1, &set);
	}
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return;
	log_msg(LOG_WARNING, "worker %u cannot run on CPU %u: %s", w->cpu, want - 1, strerror(errno));
	sched_setaffinity(0, sizeof(w->all_cpus), &w->all_cpus); /* nor does it stay where it was put before */
}

int worker_ns_add(struct worker *w, uint32_t id)
{
	const struct daemon *d = w->daemon;
	struct stack_params params = { .cpu = w->cpu, .ncpu = d->nworkers, .wall_offset_ns = (uint64_t)d->wall_offset, .mem_limit = d->mem_limit, .netns = id };
	struct worker_ns *ns = calloc(1, sizeof(*ns));
	int err;

	if (!ns)
		return -ENOMEM;
	ns->worker = w;
	ns->id = id;
	ns->service_env = (struct service_env){ .priv = ns, .page = env_page, .wall_clock = env_wall_clock };
	memcpy(params.seed, d->seed, sizeof(params.seed));
	if (getrandom(&params.seed[2], 2 * sizeof(params.seed[0]), 0) < 0) {
		err = -errno;
		goto err_free;
	}
	for (unsigned i = 0; i < d->nworkers; i++)
		if (d->workers[i].steer_counts) /* else it begins with us */
			ns->steer_start[i] = steer_counts_read(d->workers[i].steer_counts, w->cpu, id);
	params.instance = (uint32_t)d->seed[2];
	err = stack_new(&ns->stack, &params, &worker_ops, ns, clock_now());
	if (err)
		goto err_free;
	err = services_new(&ns->services, ns->stack, &ns->service_env);
	if (err)
		goto err_stack;
	ns->place = w->nns++;
	w->list[ns->place] = ns;
	w->due[ns->place] = 0;
	w->ns[id % NETNS_MAX] = ns;
	share_memory(w);
	return 0;

err_stack:
	stack_free(ns->stack);
err_free:
	free(ns);
	return err;
}

void worker_ns_del(struct worker *w, uint32_t id)
{
	struct worker_ns *ns = worker_ns(w, id);

	if (!ns)
		return;
	services_free(ns->services); /* first: what ends connections goes out by the devices */
	for (int i = 0; i < ns->ntaps; i++)
		if (ns->taps[i])
			tapq_close(ns->taps[i]);
	free(ns->taps);
	ns->taps = NULL;
	ns->ntaps = 0; /* what the end of the stack may send finds none */
	capture_ns_gone(w, id);
	steer_counts_gone(w->steer_counts, id, ns->stack);
	stack_free(ns->stack);
	w->ns[id % NETNS_MAX] = NULL;
	w->nns--;
	for (unsigned i = ns->place; i < w->nns; i++) {
		w->list[i] = w->list[i + 1];
		w->list[i]->place = i;
		w->due[i] = w->due[i + 1];
	}
	share_memory(w);
	free(ns);
}

static int worker_init(struct worker *w, struct daemon *d, unsigned cpu)
{
	struct event_config *ec;
	int err;

	w->daemon = d;
	w->cpu = cpu;
	w->armed = KTIME_MAX;
	w->give_back_at = KTIME_MAX;
	w->timer_fd = -1;
	w->mail.efd = -1;
	err = mailbox_init(&w->mail, d->nworkers, cpu, RING_SIZE);
	if (err)
		return err;
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->timer_fd < 0)
		return -errno;
	/* One thread uses the base: no locks; nothing here needs libevent's clock. */
	ec = event_config_new();
	if (!ec)
		return -ENOMEM;
	event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
	event_config_require_features(ec, EV_FEATURE_ET);
	w->base = event_base_new_with_config(ec);
	event_config_free(ec);
	if (!w->base)
		return -ENOMEM;
	w->mail_event = event_new(w->base, w->mail.efd, EV_READ | EV_PERSIST | EV_ET, on_kick, w);
	w->timer_event = event_new(w->base, w->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer, w);
	if (!w->mail_event || !w->timer_event || event_add(w->mail_event, NULL) < 0 || event_add(w->timer_event, NULL) < 0)
		return -ENOMEM;
	if (sched_getaffinity(0, sizeof(w->all_cpus), &w->all_cpus) < 0)
		return -errno;
	w->steer_counts = steer_counts_new(d->nworkers);
	if (!w->steer_counts)
		return -ENOMEM;
	w->uring_err = uring_new(&w->uring, cpu);
	return worker_ns_add(w, 0);
}

/* First all stacks go: one that is freed may still tell the others something. */
static void worker_exit_stacks(struct worker *w)
{
	for (unsigned i = 0; w->ns[0] && i < w->mail.nrings; i++) {
		struct sk_buff *skb;

		while (w->mail.ring[i] && (skb = ring_pop(w->mail.ring[i])))
			steered_in(w, skb);
	}
	while (w->nns)
		worker_ns_del(w, w->list[w->nns - 1]->id);
}

static void worker_exit(struct worker *w)
{
	struct job *job;

	/* Messages between workers that came after the end; questions of the control thread are answered before. */
	while ((job = w->mail.first)) {
		w->mail.first = job->next;
		if (job->run == tell_run)
			free(job);
	}
	free(w->steer_counts);
	uring_free(w->uring);
	if (w->mail_event)
		event_free(w->mail_event);
	if (w->timer_event)
		event_free(w->timer_event);
	if (w->base)
		event_base_free(w->base);
	if (w->timer_fd >= 0)
		close(w->timer_fd);
	if (w->mail.efd >= 0)
		mailbox_exit(&w->mail);
}

static void workers_free(struct daemon *d)
{
	for (unsigned i = 0; i < d->nworkers; i++)
		worker_exit_stacks(&d->workers[i]);
	for (unsigned i = 0; i < d->nworkers; i++)
		worker_exit(&d->workers[i]);
	free(d->workers);
	d->workers = NULL;
	d->nworkers = 0;
}

int workers_new(struct daemon *d, unsigned n)
{
	int err;

	d->workers = calloc(n, sizeof(d->workers[0]));
	if (!d->workers)
		return -ENOMEM;
	d->nworkers = n;
	for (unsigned i = 0; i < n; i++) {
		err = worker_init(&d->workers[i], d, i);
		if (err) {
			d->nworkers = i + 1;
			workers_free(d);
			return err;
		}
	}
	return 0;
}

struct quit_job {
	struct job job;
};

static void quit_run(struct job *job, void *owner)
{
	((struct worker *)owner)->quit = true;
	free(job);
}

static int worker_quit(struct worker *w)
{
	struct quit_job *q = malloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->job.run = quit_run;
	mailbox_post(&w->mail, &q->job);
	return 0;
}

int workers_start(struct daemon *d)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (unsigned i = 0; i < d->nworkers && !err; i++) {
		struct worker *w = &d->workers[i];
		char name[16];

		err = -pthread_create(&w->thread, &attr, worker_main, w);
		if (err) {
			for (unsigned k = 0; k < i; k++)
				if (worker_quit(&d->workers[k]) == 0)
					pthread_join(d->workers[k].thread, NULL);
			break;
		}
		snprintf(name, sizeof(name), "worker/%u", i % STACK_MAX_CPUS);
		pthread_setname_np(w->thread, name);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/* Questions and answers that were on their way between the threads: here, where no other thread runs, this one is the owner of every mailbox. */
static void settle(struct daemon *d)
{
	unsigned n, turns = 0;

	do {
		n = mailbox_run_jobs(&d->mail, d);
		for (unsigned i = 0; i < d->nworkers; i++) {
			worker_refresh_now(&d->workers[i]);
			n += mailbox_run_jobs(&d->workers[i].mail, &d->workers[i]);
		}
	} while (n && ++turns < SETTLE_TURNS);
}

int workers_stop(struct daemon *d)
{
	struct timespec deadline;

	for (unsigned i = 0; i < d->nworkers; i++)
		while (worker_quit(&d->workers[i]) < 0)
			usleep(1000);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += JOIN_SECONDS;
	for (unsigned i = 0; i < d->nworkers; i++)
		if (pthread_timedjoin_np(d->workers[i].thread, NULL, &deadline) != 0) {
			log_msg(LOG_CRIT, "worker %u does not end", i);
			return -ETIMEDOUT;
		}
	settle(d);
	workers_free(d);
	return 0;
}
