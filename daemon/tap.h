/* SPDX-License-Identifier: MIT */
/*
 * tap.h: the driver for /dev/net/tun. A struct tap is a device with its queues, owned by the control thread and unchanged while workers use
 * it; a struct tapq is one worker's end of it and is touched by that worker's thread alone.
 *
 * How frames get over the border to the kernel is a backend's (struct tap_ops): tap_rw.c makes a system call a frame, tap_uring.c one for a batch. All else
 * is tap.c's.
 */
#ifndef DAEMON_TAP_H
#define DAEMON_TAP_H

#include "../conf/grammar_ids.h"
#include <netstack/stack.h>
#include <sys/types.h>

struct event;
struct tap_ops;
struct uring;
struct worker;
struct worker_ns;

#define TAP_MAX_QUEUES 64
#define TAP_MAX_POSTED 64 /* receive areas that stand ready: a NAPI weight */

struct tap {
	uint32_t netns; /* number of the namespace that the link is in */
	int      ifindex; /* of the link in the stack */
	char     link[NS_IFNAMSIZ]; /* its name when the device was opened: for messages of workers */
	char     host_name[NS_IFNAMSIZ]; /* the host's end */
	uint32_t offered; /* LINK_F_* that the host's kernel knows */
	uint32_t features; /* LINK_F_* that the host was told (TUNSETOFFLOAD); the control thread's alone */
	uint64_t host_dropped; /* what the host had dropped before; the control thread's alone */
	uint32_t host_txqlen; /* what the host's queue held before anybody asked for a length; 0: not known. The control thread's alone */
	bool     filtered; /* the host has an address filter; the control thread's alone */
	uint32_t vnet_len; /* bytes of header in front of each frame: VNET_LEN of vnet.h, or 0 */
	unsigned nqueues;
	int      fd[TAP_MAX_QUEUES];
};

struct tap_conf { /* what may change while the device is there */
	uint32_t mtu;
	enum tap_backend backend;
	bool     large; /* the host may hand over frames of 64 KiB, whatever the MTU */
	bool     adaptive_rx;
	uint32_t rx_usecs, rx_frames; /* interrupt coalescing */
	uint32_t busy_poll; /* microseconds */
	uint32_t copybreak; /* a frame of at most so many bytes is copied out of an area that is larger than it needs */
	uint32_t tx_ring; /* frames that may be on their way to the kernel */
};
#define TAP_RX_OFF    (64 + 2) /* where the Ethernet header begins in a receive area: room to grow a header by, and an IP header that is aligned to four */
#define TAP_COPYBREAK (SKB_SMALL - (uint32_t)sizeof(struct skb_area) - TAP_RX_OFF) /* whatever fits a small area */
#define TAP_TX_RING   256

struct uring_limits { /* what io_uring has to do without */
	bool no_nowait; /* tun does not take RWF_NOWAIT */
	int  mem_err; /* -errno: why no memory is registered */
};

struct tap_stats { /* what only the driver sees */
	uint64_t rx_missed; /* frames read and thrown away for want of memory */
	uint64_t rx_errors; /* shorter than the vnet header, or reads that failed */
	uint64_t rx_too_long; /* longer than what was made ready for it */
	uint64_t tx_busy;
	uint64_t rx_calls; /* how often the kernel was asked for frames */
	bool     present, uring; /* the worker has a queue or sends by one; its backend */
	int      uring_err; /* -errno: why it is not io_uring, which was asked for */
	struct uring_limits limits; /* of io_uring, if it is */
	uint32_t posted, rx_peak; /* areas that stand ready; most frames that one poll found */
	uint32_t tx_pending, tx_peak; /* frames on their way to the kernel, now and at most */
};

struct tapq {
	struct worker   *worker;
	struct worker_ns *ns; /* the link's namespace, */
	struct stack    *stack; /* and its stack */
	struct tap      *tap;
	const struct tap_ops *ops;
	struct tap_conf  conf;
	int              rx_fd; /* -1: this worker has no queue of its own and only sends */
	int              tx_fd;
	struct event    *rx_event, *tx_event;
	uint32_t         copy_max; /* a frame up to this is copied: conf.copybreak, where the copy is in a smaller area */
	uint32_t         vnet_len; /* the device's */
	uint32_t         area_size; /* of a receive area, from the MTU and the offloads */
	unsigned         batch, batch_max; /* reads to ask for next, and at most, in one call */
	bool             held; /* the interrupt is off until held_until: coalescing */
	uint8_t          level; /* of adaptive coalescing: 0 to ADAPTIVE_LEVELS */
	uint32_t         session; /* frames since the interrupt */
	ktime_t          held_until;
	struct tapq     *held_next, *busy_next; /* the worker's lists */
	bool             on_held, on_busy;
	bool             polling; /* the "interrupt" is masked: the stack polls */
	bool             tx_blocked, dead;
	unsigned         tx_pending; /* frames handed to the backend and not done with */
	int              uring_err; /* why the backend is not io_uring */
	int              rx_slot, tx_slot; /* of the backend's table of files; -1: none */
	struct sk_buff_head tx_retry; /* what the kernel refused for the moment, in order; only while tx_blocked */
	struct tap_stats stats;
	struct skb_area *area[TAP_MAX_POSTED]; /* posted for the next frames, from the front; NULL: none */
};

/* A backend. Everything is called on the queue's thread. */
struct tap_ops {
	const char *name;
	/* 0, or -errno: the kernel does not offer it, and nothing was done. */
	int  (*open)(struct tapq *q);
	void (*close)(struct tapq *q); /* nothing is under way afterwards */
	/* Receives at most budget frames; fewer: the queue was found empty, or is dead. */
	int  (*receive)(struct tapq *q, int budget, ktime_t now);
	/* As stack_ops.xmit: consumes skb on 0. */
	int  (*xmit)(struct tapq *q, struct sk_buff *skb);
};
extern const struct tap_ops tap_rw_ops, tap_uring_ops;

void    tap_free(struct tap *tap); /* closes the queues: the host's end goes away unless it is persistent. NULL is ignored */

/* On the worker's thread. 0 or -ENOMEM. */
int  tapq_open(struct tapq **ret, struct worker_ns *ns, struct tap *tap, const struct tap_conf *conf);
void tapq_close(struct tapq *q);
void tapq_configure(struct tapq *q, const struct tap_conf *conf);
int  tapq_poll(struct tapq *q, int budget, ktime_t *now); /* ops->poll */
int  tapq_xmit(struct tapq *q, struct sk_buff *skb); /* ops->xmit */
/* Frames of devices whose interrupt was held back until now: stack_irq for each. Returns when the next one is due. */
ktime_t tapq_run_held(struct worker *worker);
/* Asks every device that wants to be polled without an interrupt. */
void tapq_run_busy(struct worker *worker);
void tapq_get_stats(const struct tapq *q, struct tap_stats *ret);

/* ---- what tap.c lends to the backends ---------------------------------------------------------------------------- */

/* The area that receives next frame i: false without memory. What stands there is read into from tapq_rx_buf on, at most tapq_rx_len bytes. */
bool tapq_post(struct tapq *q, unsigned i);
unsigned char *tapq_rx_buf(const struct tapq *q, unsigned i);
uint32_t tapq_rx_len(const struct tapq *q);
/* n bytes, vnet header (if the device has one) included, were read into area i. */
void tapq_received(struct tapq *q, unsigned i, uint32_t n, ktime_t now);
/* A read failed: true when it is of no use to go on (the queue is empty, or dead). *done counts a frame that could not be had. */
bool tapq_rx_failed(struct tapq *q, int err, int *done);
/* There is no memory for a frame. It is read all the same, as a NIC's ring overwrites: what is left on the queue would never be signalled again. As read(2). */
ssize_t tapq_discard(struct tapq *q);
/* Writes one frame with one system call. 0 with skb consumed; -errno with skb still the caller's. */
int  tapq_write(struct tapq *q, struct sk_buff *skb);
/* The kernel said err about a frame: -EAGAIN blocks the queue until it is writable. What stack_ops.xmit is to return. */
int  tapq_tx_failed(struct tapq *q, int err);

#endif
