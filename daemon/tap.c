/* SPDX-License-Identifier: MIT */
/*
 * tap.c: the driver for /dev/net/tun: what the receive and send rings of a NIC are to Linux.
 *
 * Theory of operation. Readiness of the queue is the interrupt. It is watched edge-triggered, so it costs no system call to mask it: while the stack polls,
 * an edge is ignored; the poll ends when read says EAGAIN, and the next frame is a new edge. A frame is read together with its vnet header straight
 * into the area that becomes the skb; the area that found nothing stays posted for the next time. When areas are large (MTU, offloads) and the frame is
 * small, it is copied to a small area instead and the large one stays posted (copybreak).
 *
 * Sending is one write from any thread: a worker without a queue of its own sends by another's descriptor. The vnet header goes into the headroom of a
 * frame that has no fragments, so that one buffer is all there is to tell; any other frame is a writev of header, linear part and fragments.
 * EAGAIN keeps the frame with the stack, and only then is writability watched.
 *
 * Invariant: a struct tap outlives every tapq on it; its descriptors are closed by the control thread after all workers have let go.
 *
 * Not done here: io_uring, coalescing (both: the next issue); creating the device (priv.c) and the host's end (host_link.c).
 */
#include "tap.h"

#include "vnet.h"
#include "worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Where the Ethernet header begins in a receive area: room to grow a header by, and an IP header that is aligned to four. */
#define RX_OFF     (64 + 2)
#define RX_TRAILER 4 /* a VLAN tag on top of the MTU */
#define ETH_HEADER 14
#define SMALL_AREA (SKB_SMALL - (uint32_t)sizeof(struct skb_area))
#define LARGE_AREA (SKB_LARGE - (uint32_t)sizeof(struct skb_area))

/* The C library's read and write are cancellation points, which in a program with threads costs two atomic operations a call. Nobody cancels a worker. */
static inline ssize_t read_frame(int fd, void *buf, size_t len) { return syscall(SYS_read, fd, buf, len); }
static inline ssize_t write_frame(int fd, const void *buf, size_t len) { return syscall(SYS_write, fd, buf, len); }
static inline ssize_t write_parts(int fd, const struct iovec *iov, int n) { return syscall(SYS_writev, fd, iov, n); }

uint32_t tap_features(bool offload)
{
	return offload ? LINK_F_TX_CSUM | LINK_F_TSO4 | LINK_F_RX_CSUM : 0;
}

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
	stack_irq(q->stack, q->tap->ifindex, worker_now(q->worker));
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tapq *q = arg;

	(void)fd;
	(void)what;
	q->tx_blocked = false;
	stack_tx_ready(q->stack, q->tap->ifindex, worker_now(q->worker));
}

static void drop_area(struct tapq *q)
{
	if (q->area)
		skb_area_put(stack_skb_pool(q->stack), q->area);
	q->area = NULL;
}

void tapq_set_mtu(struct tapq *q, uint32_t mtu)
{
	/* One byte more than the largest frame, so that a longer one does not look whole. */
	uint32_t size = RX_OFF + ETH_HEADER + RX_TRAILER + mtu + 1;

	if (q->tap->offload)
		size = LARGE_AREA;
	else if (size < SMALL_AREA)
		size = SMALL_AREA;
	q->mtu = mtu;
	if (size == q->area_size)
		return;
	drop_area(q);
	q->area_size = size;
}

int tapq_open(struct tapq **ret, struct worker_ns *ns, struct tap *tap, uint32_t mtu)
{
	struct worker *worker = ns->worker;
	unsigned cpu = stack_cpu(ns->stack);
	struct tapq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->worker = worker;
	q->stack = ns->stack;
	q->tap = tap;
	q->rx_fd = cpu < tap->nqueues ? tap->fd[cpu] : -1;
	q->tx_fd = tap->fd[cpu % tap->nqueues];
	tapq_set_mtu(q, mtu);
	q->tx_event = event_new(worker->base, q->tx_fd, EV_WRITE, on_writable, q);
	if (!q->tx_event)
		goto err_free;
	if (q->rx_fd >= 0) {
		q->rx_event = event_new(worker->base, q->rx_fd, EV_READ | EV_PERSIST | EV_ET, on_readable, q);
		if (!q->rx_event || event_add(q->rx_event, NULL) < 0)
			goto err_events;
	}
	*ret = q;
	return 0;

err_events:
	if (q->rx_event)
		event_free(q->rx_event);
	event_free(q->tx_event);
err_free:
	free(q);
	return -ENOMEM;
}

void tapq_close(struct tapq *q)
{
	if (q->rx_event)
		event_free(q->rx_event);
	event_free(q->tx_event);
	drop_area(q);
	free(q);
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
	worker_link_gone(q->worker, q->tap, err);
}

/* There is no memory for a frame. It is read all the same, as a NIC's ring overwrites: what is left on the queue would never be signalled again. */
static ssize_t read_and_discard(struct tapq *q)
{
	unsigned char scratch[VNET_LEN + ETH_HEADER];
	ssize_t n = read(q->rx_fd, scratch, sizeof(scratch));

	if (n >= 0)
		q->stats.rx_missed++;
	return n;
}

static struct sk_buff *frame_to_skb(struct tapq *q, struct skb_pool *pool, uint32_t len)
{
	struct skb_area *area = q->area;
	struct sk_buff *skb;

	if (q->area_size > SMALL_AREA && RX_OFF + len <= SMALL_AREA) {
		area = skb_area_alloc(pool, SMALL_AREA);
		if (unlikely(!area))
			return NULL;
		memcpy(area->base + RX_OFF, q->area->base + RX_OFF, len);
	} else {
		q->area = NULL;
	}
	skb = build_skb(pool, area, RX_OFF, len);
	return skb;
}

static void receive_frame(struct tapq *q, struct skb_pool *pool, uint32_t n, ktime_t now)
{
	struct virtio_net_hdr vnet;
	struct sk_buff *skb;

	if (unlikely(n < VNET_LEN)) {
		q->stats.rx_errors++;
		return;
	}
	memcpy(&vnet, q->area->base + RX_OFF - VNET_LEN, VNET_LEN);
	skb = frame_to_skb(q, pool, n - VNET_LEN);
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

int tapq_poll(struct tapq *q, int budget, ktime_t *now)
{
	struct skb_pool *pool = stack_skb_pool(q->stack);
	int done = 0;

	*now = worker_refresh_now(q->worker);
	while (done < budget && !q->dead) {
		ssize_t n;

		if (!q->area)
			q->area = skb_area_alloc(pool, q->area_size);
		if (likely(q->area))
			n = read_frame(q->rx_fd, q->area->base + RX_OFF - VNET_LEN, q->area_size - RX_OFF + VNET_LEN);
		else
			n = read_and_discard(q);
		if (unlikely(n < 0)) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				break;
			q->stats.rx_errors++;
			if (errno == EBADFD || errno == EIO || errno == ENODEV || errno == ENXIO || errno == EBADF) {
				tapq_dead(q, -errno);
				break;
			}
			done++; /* this one frame could not be had (the kernel refuses to describe it); the next may be */
			continue;
		}
		done++;
		if (likely(q->area))
			receive_frame(q, pool, (uint32_t)n, *now);
	}
	if (done < budget)
		q->polling = false; /* the queue was empty: a frame that comes now is a new edge */
	return done;
}

/* One system call: what it returns, errno set. */
static ssize_t send_skb(struct tapq *q, struct sk_buff *skb)
{
	struct iovec iov[2 + SKB_MAX_FRAGS];
	struct virtio_net_hdr vnet;
	int n = 2;

	vnet_from_skb(&vnet, skb);
	if (likely(skb->nr_frags == 0 && skb_headroom(skb) >= VNET_LEN && skb_head_writable(skb))) {
		memcpy(skb->data - VNET_LEN, &vnet, VNET_LEN);
		return write_frame(q->tx_fd, skb->data - VNET_LEN, VNET_LEN + skb->len);
	}
	iov[0] = (struct iovec){ .iov_base = &vnet, .iov_len = VNET_LEN };
	iov[1] = (struct iovec){ .iov_base = skb->data, .iov_len = skb_headlen(skb) };
	for (unsigned i = 0; i < skb->nr_frags; i++, n++)
		iov[n] = (struct iovec){ .iov_base = skb->frags[i].area->base + skb->frags[i].off, .iov_len = skb->frags[i].len };
	return write_parts(q->tx_fd, iov, n);
}

int tapq_xmit(struct tapq *q, struct sk_buff *skb)
{
	int err;

	if (unlikely(q->dead))
		return -ENETDOWN;
	if (unlikely(q->tx_blocked))
		return -EAGAIN;
	while (unlikely(send_skb(q, skb) < 0)) {
		err = -errno;
		if (err == -EINTR)
			continue;
		if (err == -EAGAIN) {
			q->stats.tx_busy++;
			if (event_add(q->tx_event, NULL) == 0) {
				q->tx_blocked = true;
				return -EAGAIN;
			}
			return -ENOBUFS;
		}
		q->stats.tx_errors++;
		if (err == -EBADFD || err == -ENXIO)
			tapq_dead(q, err);
		return err; /* EIO: the host's end is down */
	}
	consume_skb(skb);
	return 0;
}
