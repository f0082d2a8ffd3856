/* SPDX-License-Identifier: MIT */
/*
 * tap.h: the driver for /dev/net/tun. A struct tap is a device with its queues, owned by the control thread and unchanged while workers use
 * it; a struct tapq is one worker's end of it and is touched by that worker's thread alone.
 */
#ifndef DAEMON_TAP_H
#define DAEMON_TAP_H

#include <netstack/stack.h>

struct event;
struct worker;
struct worker_ns;

#define TAP_MAX_QUEUES 64

struct tap {
	int      ifindex; /* of the link in the stack */
	char     link[NS_IFNAMSIZ];
	char     host_name[NS_IFNAMSIZ]; /* the host's end */
	bool     offload; /* TUNSETOFFLOAD was given checksum and TSO: the host sends partial checksums and 64 KiB frames */
	unsigned nqueues;
	int      fd[TAP_MAX_QUEUES];
};

struct tap_stats { /* what only the driver sees */
	uint64_t rx_missed; /* frames read and thrown away for want of memory */
	uint64_t rx_errors; /* shorter than the vnet header, or reads that failed */
	uint64_t tx_errors, tx_busy;
};

struct tapq {
	struct worker   *worker;
	struct stack    *stack; /* of the link's namespace */
	struct tap      *tap;
	int              rx_fd; /* -1: this worker has no queue of its own and only sends */
	int              tx_fd;
	struct event    *rx_event, *tx_event;
	struct skb_area *area; /* posted for the next frame; NULL: none */
	uint32_t         area_size; /* of a receive area, from the MTU */
	uint32_t         mtu;
	bool             polling; /* the "interrupt" is masked: the stack polls */
	bool             tx_blocked, dead;
	struct tap_stats stats;
};

/* LINK_F_* that a device with or without offloads has. */
uint32_t tap_features(bool offload);
void    tap_free(struct tap *tap); /* closes the queues: the host's end goes away unless it is persistent. NULL is ignored */

/* On the worker's thread. 0 or -ENOMEM. */
int  tapq_open(struct tapq **ret, struct worker_ns *ns, struct tap *tap, uint32_t mtu);
void tapq_close(struct tapq *q);
void tapq_set_mtu(struct tapq *q, uint32_t mtu);
int  tapq_poll(struct tapq *q, int budget, ktime_t *now); /* ops->poll */
int  tapq_xmit(struct tapq *q, struct sk_buff *skb); /* ops->xmit */

#endif
