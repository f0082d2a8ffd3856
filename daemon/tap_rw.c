/* SPDX-License-Identifier: MIT */
/*
 * tap_rw.c: a TAP by read and write: one system call a frame. It works on every kernel and under every sandbox, and it is what tap_uring.c falls back to.
 *
 * A read that finds the queue empty ends the poll: the edge-triggered readiness of the queue is certain to be told anew after it.
 */
#include "tap.h"

#include "vnet.h"
#include "worker.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* The C library's read and write are cancellation points, which in a program with threads costs two atomic operations a call. Nobody cancels a worker. */
static inline ssize_t read_frame(int fd, void *buf, size_t len) { return syscall(SYS_read, fd, buf, len); }
static inline ssize_t write_frame(int fd, const void *buf, size_t len) { return syscall(SYS_write, fd, buf, len); }
static inline ssize_t write_parts(int fd, const struct iovec *iov, int n) { return syscall(SYS_writev, fd, iov, n); }

static int rw_open(struct tapq *q)
{
	(void)q;
	return 0;
}

static void rw_close(struct tapq *q)
{
	(void)q;
}

static int rw_receive(struct tapq *q, int budget, ktime_t now)
{
	int done = 0;

	while (done < budget) {
		bool posted = tapq_post(q, 0);
		ssize_t n = likely(posted) ? read_frame(q->rx_fd, tapq_rx_buf(q, 0), tapq_rx_len(q)) : tapq_discard(q);

		q->stats.rx_calls++;
		if (unlikely(n < 0)) {
			if (tapq_rx_failed(q, -errno, &done))
				break;
			continue;
		}
		done++;
		if (likely(posted))
			tapq_received(q, 0, (uint32_t)n, now);
	}
	return done;
}

int tapq_write(struct tapq *q, struct sk_buff *skb)
{
	struct iovec iov[2 + SKB_MAX_FRAGS];
	struct virtio_net_hdr vnet;
	uint32_t vnet_len = q->vnet_len;
	int parts = 2, skip = vnet_len ? 0 : 1;
	ssize_t n;

	if (vnet_len)
		vnet_from_skb(&vnet, skb);
	if (likely(skb->nr_frags == 0 && skb_headroom(skb) >= vnet_len && skb_head_writable(skb))) {
		if (vnet_len)
			memcpy(skb->data - VNET_LEN, &vnet, VNET_LEN);
		do
			n = write_frame(q->tx_fd, skb->data - vnet_len, vnet_len + skb->len);
		while (unlikely(n < 0 && errno == EINTR));
	} else {
		iov[0] = (struct iovec){ .iov_base = &vnet, .iov_len = VNET_LEN };
		iov[1] = (struct iovec){ .iov_base = skb->data, .iov_len = skb_headlen(skb) };
		for (unsigned i = 0; i < skb->nr_frags; i++, parts++)
			iov[parts] = (struct iovec){ .iov_base = skb->frags[i].area->base + skb->frags[i].off, .iov_len = skb->frags[i].len };
		do
			n = write_parts(q->tx_fd, iov + skip, parts - skip);
		while (unlikely(n < 0 && errno == EINTR));
	}
	if (unlikely(n < 0))
		return -errno;
	consume_skb(skb);
	return 0;
}

static int rw_xmit(struct tapq *q, struct sk_buff *skb)
{
	int err = tapq_write(q, skb);

	return likely(!err) ? 0 : tapq_tx_failed(q, err);
}

const struct tap_ops tap_rw_ops = { .name = "read", .open = rw_open, .close = rw_close, .receive = rw_receive, .xmit = rw_xmit };
