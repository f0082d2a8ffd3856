/* SPDX-License-Identifier: MIT */
/*
 * tap.c: the driver for /dev/net/tun: what the receive and send rings of a NIC are to Linux. What both backends (tap_rw.c, tap_uring.c) share.
 *
 * Theory of operation. Readiness of the queue is the interrupt. It is watched edge-triggered, so it costs no system call to mask it: while the stack polls,
 * an edge is ignored; the poll ends when a read finds the queue empty, and the next frame is a new edge. A frame is read together with its vnet header straight
 * into the area that becomes the skb; the areas that found nothing stay posted for the next time. When areas are large (MTU, offloads) and the frame is
 * small, it is copied to a small area instead and the large one stays posted (copybreak). A device made with "vnet-hdr off" has frames without header: a tenth
 * of what a small one costs is the kernel's work for it, most of that a cache miss on what it says of segments.
 *
 * Sending may be by any thread: a worker without a queue of its own sends by another's descriptor. EAGAIN keeps the frame with the stack, and only then is
 * writability watched.
 *
 * Bad input: a frame that fills its area to the last byte was longer than any frame may be and has been cut; a vnet header is believed only after vnet.c
 * has checked it against the frame. Both are dropped by name. A queue whose descriptor fails for good is dead: it is not touched again, and the control thread
 * takes the link's carrier away.
 *
 * Invariant: a struct tap outlives every tapq on it; its descriptors are closed by the control thread after all workers have let go.
 *
 * Not done here: creating the device (priv.c) and the host's end (host_link.c).
 */
#include "tap.h"

#include "log.h"
#include "tap_uring.h"
#include "vnet.h"
#include "worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define RX_TRAILER  8 /* two VLAN tags on top of the MTU */
#define ETH_HEADER  14
#define SMALL_AREA  (SKB_SMALL - (uint32_t)sizeof(struct skb_area))
#define MEDIUM_AREA (SKB_MEDIUM - (uint32_t)sizeof(struct skb_area))
#define LARGE_AREA  (SKB_LARGE - (uint32_t)sizeof(struct skb_area))

/* Areas that stand ready: more of the large ones would hold memory for little, as a system call is cheap beside what they bring. */
#define POSTED_MEDIUM 32
#define POSTED_LARGE  16
#define BATCH_START   4

#define ADAPTIVE_LEVELS 4
#define ADAPTIVE_USECS  64 /* with adaptive-rx and no rx-usecs */
#define ADAPTIVE_MANY   8 /* frames found after an interrupt: wait longer for the next */
#define ADAPTIVE_FEW    2

void tap_free(struct tap *tap)
{
	if (!tap)
		return;
	for (unsigned i = 0; i < tap->nqueues; i++)
		close(tap->fd[i]);
	free(tap);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tapq *q = arg;

	(void)fd;
	(void)what;
	if (q->polling || q->dead)
		return;
	q->polling = true;
	worker_raise(q->ns);
	stack_irq(q->stack, q->tap->ifindex, worker_now(q->worker));
}

/* What was refused goes first, so that the order is kept. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tapq *q = arg;
	struct sk_buff *skb;

	(void)fd;
	(void)what;
	q->tx_blocked = false;
	worker_raise(q->ns);
	while ((skb = skb_dequeue(&q->tx_retry))) {
		int err = tapq_write(q, skb);

		if (err == -EAGAIN && tapq_tx_failed(q, err) == -EAGAIN) {
			skb_queue_head(&q->tx_retry, skb);
			return;
		}
		if (err)
			stack_tx_error(q->stack, q->tap->ifindex, skb);
	}
	stack_tx_ready(q->stack, q->tap->ifindex, worker_now(q->worker));
}

/* ---- receive areas --------------------------------------------------------------------------------------------------- */

static void drop_areas(struct tapq *q)
{
	struct skb_pool *pool = stack_skb_pool(q->stack);

	for (unsigned i = 0; i < TAP_MAX_POSTED; i++) {
		if (q->area[i])
			skb_area_put(pool, q->area[i]);
		q->area[i] = NULL;
	}
}

bool tapq_post(struct tapq *q, unsigned i)
{
	if (likely(q->area[i]))
		return true;
	q->area[i] = skb_area_alloc(stack_skb_pool(q->stack), q->area_size);
	return q->area[i] != NULL;
}

unsigned char *tapq_rx_buf(const struct tapq *q, unsigned i) { return q->area[i]->base + TAP_RX_OFF - q->vnet_len; }
uint32_t tapq_rx_len(const struct tapq *q) { return q->area_size - TAP_RX_OFF + q->vnet_len; }

static void choose_backend(struct tapq *q);
static void set_busy(struct tapq *q, bool on);

void tapq_configure(struct tapq *q, const struct tap_conf *conf)
{
	bool switched = q->ops && conf->backend != q->conf.backend;
	/* One byte more than the largest frame, so that a longer one does not look whole. */
	uint32_t size = TAP_RX_OFF + ETH_HEADER + RX_TRAILER + conf->mtu + 1;

	if (conf->large || size > MEDIUM_AREA)
		size = LARGE_AREA;
	else
		size = size <= SMALL_AREA ? SMALL_AREA : MEDIUM_AREA;
	q->conf = *conf;
	/* Only where it saves something. */
	q->copy_max = size == SMALL_AREA ? 0 : (size == MEDIUM_AREA ? SMALL_AREA : MEDIUM_AREA) - TAP_RX_OFF;
	if (q->copy_max > conf->copybreak)
		q->copy_max = conf->copybreak;
	set_busy(q, conf->busy_poll && q->rx_fd >= 0);
	if (size != q->area_size) {
		drop_areas(q);
		q->area_size = size;
		q->batch_max = size == SMALL_AREA ? TAP_MAX_POSTED : size == MEDIUM_AREA ? POSTED_MEDIUM : POSTED_LARGE;
		q->batch = BATCH_START;
	}
	if (switched) {
		q->ops->close(q);
		choose_backend(q);
	}
}

static struct sk_buff *frame_to_skb(struct tapq *q, struct skb_pool *pool, unsigned i, uint32_t len)
{
	struct skb_area *area = q->area[i];

	if (len <= q->copy_max) {
		area = skb_area_alloc(pool, TAP_RX_OFF + len);
		if (unlikely(!area))
			return NULL;
		memcpy(area->base + TAP_RX_OFF, q->area[i]->base + TAP_RX_OFF, len);
	} else {
		q->area[i] = NULL;
	}
	return build_skb(pool, area, TAP_RX_OFF, len);
}

/* How the frame died is counted like any other's, although the stack has not seen it. */
static void drop_frame(struct tapq *q, unsigned i, uint32_t len, enum skb_drop_reason reason)
{
	struct sk_buff *skb = build_skb(stack_skb_pool(q->stack), q->area[i], TAP_RX_OFF, len);

	q->area[i] = NULL;
	kfree_skb(skb, reason);
}

void tapq_received(struct tapq *q, unsigned i, uint32_t n, ktime_t now)
{
	struct skb_pool *pool = stack_skb_pool(q->stack);
	struct virtio_net_hdr vnet = { .flags = 0 };
	uint32_t vnet_len = q->vnet_len;
	struct sk_buff *skb;

	if (unlikely(n < vnet_len)) {
		q->stats.rx_errors++;
		return;
	}
	if (unlikely(n >= tapq_rx_len(q))) {
		q->stats.rx_too_long++;
		drop_frame(q, i, n - vnet_len, SKB_DROP_DEV_TOO_LONG);
		return;
	}
	if (vnet_len)
		memcpy(&vnet, tapq_rx_buf(q, i), VNET_LEN);
	skb = frame_to_skb(q, pool, i, n - vnet_len);
	if (unlikely(!skb)) {
		q->stats.rx_missed++;
		return;
	}
	if (unlikely((vnet.flags | vnet.gso_type) != 0) && vnet_to_skb(skb, &vnet) < 0) {
		q->stats.rx_errors++;
		kfree_skb(skb, SKB_DROP_DEV_HDR);
		return;
	}
	stack_rx(q->stack, q->tap->ifindex, skb, now);
}

/* The device is gone (deleted on the host) or broken: no more calls on it; the control thread takes the carrier away. */
static void tapq_dead(struct tapq *q, int err)
{
	if (q->dead)
		return;
	q->dead = true;
	if (q->rx_event)
		event_del(q->rx_event);
	event_del(q->tx_event);
	skb_queue_purge(&q->tx_retry, SKB_DROP_DEV_DOWN);
	worker_link_gone(q->worker, q->tap, err);
}

bool tapq_rx_failed(struct tapq *q, int err, int *done)
{
	switch (err) {
	case -EINTR:
		return false;
	case -EAGAIN:
		return true;
	case -EBADFD:
	case -EIO:
	case -ENODEV:
	case -ENXIO:
	case -EBADF:
		q->stats.rx_errors++;
		tapq_dead(q, err);
		return true;
	default:
		q->stats.rx_errors++;
		++*done; /* this one frame could not be had (the kernel refuses to describe it); the next may be */
		return false;
	}
}

ssize_t tapq_discard(struct tapq *q)
{
	unsigned char scratch[VNET_LEN + ETH_HEADER];
	ssize_t n = read(q->rx_fd, scratch, sizeof(scratch));

	if (n >= 0)
		q->stats.rx_missed++;
	return n;
}

/* ---- the interrupt -------------------------------------------------------------------------------------------------------- */

/*
 * How long the next interrupt is held back, ns. A TAP does not count its frames for us, so rx-frames is judged by the rate at which they came: no longer than so
 * many of them take. Adaptive: longer by a step each time that many were found, shorter when few.
 */
static ktime_t moderation(struct tapq *q)
{
	uint64_t usecs = q->conf.rx_usecs;

	if (q->conf.adaptive_rx) {
		if (q->session >= ADAPTIVE_MANY && q->level < ADAPTIVE_LEVELS)
			q->level++;
		else if (q->session <= ADAPTIVE_FEW && q->level)
			q->level--;
		usecs = (usecs ? usecs : ADAPTIVE_USECS) * q->level / ADAPTIVE_LEVELS;
	}
	if (q->conf.rx_frames && q->session > q->conf.rx_frames)
		usecs = usecs * q->conf.rx_frames / q->session;
	return (ktime_t)usecs * NSEC_PER_USEC;
}

static void unhold(struct tapq *q)
{
	q->held = false;
	if (!q->dead && event_add(q->rx_event, NULL) < 0) /* what has come meanwhile is told at once */
		log_link(LOG_CRIT, q->tap->link, "%s: no memory to wait for frames", q->tap->link);
}

/* The queue was found empty. While frames come, the descriptor is not even watched: the timer alone wakes us. */
static void moderate(struct tapq *q)
{
	struct worker *w = q->worker;
	ktime_t wait = moderation(q);

	if (!wait || !q->session) {
		if (q->held)
			unhold(q);
		return;
	}
	if (!q->held)
		event_del(q->rx_event);
	q->held = true;
	q->held_until = w->now + wait;
	if (!q->on_held) {
		q->on_held = true;
		q->held_next = w->held;
		w->held = q;
	}
}

static void unlist_held(struct tapq *q)
{
	for (struct tapq **p = &q->worker->held; *p; p = &(*p)->held_next)
		if (*p == q) {
			*p = q->held_next;
			break;
		}
	q->on_held = false;
}

ktime_t tapq_run_held(struct worker *w)
{
	struct tapq **p = &w->held, *q;
	ktime_t next = KTIME_MAX;

	while ((q = *p)) {
		if (q->held_until > w->now) {
			if (q->held_until < next)
				next = q->held_until;
			p = &q->held_next;
			continue;
		}
		*p = q->held_next;
		q->on_held = false;
		if (q->polling || q->dead)
			continue;
		q->polling = true;
		worker_raise(q->ns);
		stack_irq(q->stack, q->tap->ifindex, w->now);
	}
	return next;
}

static void set_busy(struct tapq *q, bool on)
{
	struct worker *w = q->worker;

	if (on == q->on_busy)
		return;
	q->on_busy = on;
	if (on) {
		q->busy_next = w->busy;
		w->busy = q;
		return;
	}
	for (struct tapq **p = &w->busy; *p; p = &(*p)->busy_next)
		if (*p == q) {
			*p = q->busy_next;
			break;
		}
}

void tapq_run_busy(struct worker *w)
{
	for (struct tapq *q = w->busy; q; q = q->busy_next) {
		if (q->polling || q->dead)
			continue;
		q->polling = true;
		worker_raise(q->ns);
		stack_irq(q->stack, q->tap->ifindex, w->now);
	}
}

int tapq_poll(struct tapq *q, int budget, ktime_t *now)
{
	int done = 0;

	*now = worker_refresh_now(q->worker);
	if (likely(!q->dead))
		done = q->ops->receive(q, budget, *now);
	if ((uint32_t)done > q->stats.rx_peak)
		q->stats.rx_peak = (uint32_t)done;
	q->session += (uint32_t)done;
	if (unlikely(q->on_busy) && done && q->worker->busy_until < *now + q->conf.busy_poll * NSEC_PER_USEC)
		q->worker->busy_until = *now + q->conf.busy_poll * NSEC_PER_USEC;
	if (done < budget) {
		q->polling = false; /* the queue was empty: a frame that comes now is a new edge */
		if (unlikely(q->conf.rx_usecs || q->conf.adaptive_rx || q->held))
			moderate(q);
		q->session = 0;
	}
	return done;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------ */

int tapq_tx_failed(struct tapq *q, int err)
{
	if (err == -EAGAIN) {
		q->stats.tx_busy++;
		if (event_add(q->tx_event, NULL) < 0)
			return -ENOBUFS;
		q->tx_blocked = true;
		return -EAGAIN;
	}
	if (err == -EBADFD || err == -ENXIO || err == -ENODEV)
		tapq_dead(q, err);
	return err; /* EIO: the host's end is down */
}

int tapq_xmit(struct tapq *q, struct sk_buff *skb)
{
	if (unlikely(q->dead))
		return -ENETDOWN;
	if (unlikely(q->tx_blocked))
		return -EAGAIN;
	return q->ops->xmit(q, skb);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

/* The backend that was asked for, or the one that always works. */
static void choose_backend(struct tapq *q)
{
	int err = q->conf.backend == TAP_READ ? -ENOTSUP : tap_uring_ops.open(q);

	q->ops = err ? &tap_rw_ops : &tap_uring_ops;
	q->uring_err = q->conf.backend == TAP_READ ? 0 : err;
	if (q->ops == &tap_rw_ops)
		tap_rw_ops.open(q);
	if (err && q->conf.backend != TAP_READ && q->worker->cpu == 0)
		log_link(q->conf.backend == TAP_URING ? LOG_WARNING : LOG_INFO, q->tap->link, "%s: no io_uring here (%s): %s is served by read and write",
			 q->tap->link, strerror(-err), q->tap->host_name);
}

int tapq_open(struct tapq **ret, struct worker_ns *ns, struct tap *tap, const struct tap_conf *conf)
{
	struct worker *worker = ns->worker;
	unsigned cpu = stack_cpu(ns->stack);
	struct tapq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->worker = worker;
	q->ns = ns;
	q->stack = ns->stack;
	q->tap = tap;
	q->vnet_len = tap->vnet_len;
	q->rx_fd = cpu < tap->nqueues ? tap->fd[cpu] : -1;
	q->tx_fd = tap->fd[cpu % tap->nqueues];
	q->rx_slot = q->tx_slot = -1;
	skb_queue_init(&q->tx_retry);
	tapq_configure(q, conf);
	q->tx_event = event_new(worker->base, q->tx_fd, EV_WRITE, on_writable, q);
	if (!q->tx_event)
		goto err_free;
	if (q->rx_fd >= 0) {
		q->rx_event = event_new(worker->base, q->rx_fd, EV_READ | EV_PERSIST | EV_ET, on_readable, q);
		if (!q->rx_event || event_add(q->rx_event, NULL) < 0)
			goto err_events;
	}
	choose_backend(q);
	*ret = q;
	return 0;

err_events:
	if (q->rx_event)
		event_free(q->rx_event);
	event_free(q->tx_event);
err_free:
	set_busy(q, false);
	free(q);
	return -ENOMEM;
}

void tapq_close(struct tapq *q)
{
	q->ops->close(q);
	set_busy(q, false);
	if (q->on_held)
		unlist_held(q);
	skb_queue_purge(&q->tx_retry, SKB_DROP_DEV_DOWN);
	if (q->rx_event)
		event_free(q->rx_event);
	event_free(q->tx_event);
	drop_areas(q);
	free(q);
}

void tapq_get_stats(const struct tapq *q, struct tap_stats *ret)
{
	*ret = q->stats;
	ret->present = true;
	ret->uring = q->ops == &tap_uring_ops;
	ret->uring_err = q->uring_err;
	if (ret->uring)
		uring_get_limits(q->worker->uring, &ret->limits);
	ret->tx_pending = q->tx_pending + q->tx_retry.qlen;
	for (unsigned i = 0; i < TAP_MAX_POSTED; i++)
		ret->posted += q->area[i] != NULL;
}
