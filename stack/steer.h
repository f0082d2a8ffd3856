/* SPDX-License-Identifier: MIT */
/*
 * steer.h: which shard does the work of a received packet, and how order is kept when that changes; see steer.c.
 */
#ifndef STACK_STEER_H
#define STACK_STEER_H

#include "dev.h"
#include "toeplitz.h"

#define STEER_BUCKETS 128 /* of a device that does not say more (rps_flow_cnt) */

#define STEER_MOVED 0xff

struct steer_bucket { /* forwarded flows that go one way */
	uint32_t tail; /* of the shard that they go to: how many frames it had been handed with the last of ours */
	uint8_t  cpu; /* where they go now; STEER_MOVED in prev: its flows are in their new buckets */
};

struct dev_steer { /* of one device on one shard */
	uint8_t              map[RSS_INDIR_LEN]; /* where they are to go */
	uint32_t             nbuckets; /* a power of two */
	uint32_t             away; /* buckets that go, or are to go, elsewhere; 0: nothing to do for a frame that is forwarded */
	struct toeplitz_v4  *rss; /* the hash that picks the bucket; NULL: the flow hash */
	uint8_t              key[RSS_KEY_LEN]; /* of rss */
	struct dev_steer    *prev; /* buckets by another hash or of another number, until all of their frames are done with; NULL: none */
	uint32_t             left; /* of prev: buckets that are not MOVED */
	struct steer_bucket  bucket[];
};

struct rps_flow { /* a flow to a socket of ours: where the socket is */
	uint32_t hash; /* 0: free */
	uint32_t gen; /* of the knowledge about ports that cpu comes from */
	uint32_t tail;
	uint32_t when; /* of the last frame, in units of 2^20 ns */
	uint8_t  cpu;
};

#define FLOW_LIMIT_HISTORY 128
struct flow_limit {
	uint32_t nbuckets, head;
	uint32_t history[FLOW_LIMIT_HISTORY];
	uint8_t  bucket[]; /* how many of the history; at most FLOW_LIMIT_HISTORY */
};

struct steer_state {
	uint32_t qtail[STACK_MAX_CPUS]; /* frames handed to a shard */
	uint32_t done_seen[STACK_MAX_CPUS]; /* of these it is done with, as far as we looked */
	uint32_t done[STACK_MAX_CPUS]; /* frames of a shard that we are done with, and with all that came before them */
	uint32_t queued[STACK_MAX_CPUS]; /* that wait in the backlog */
	uint32_t late[STACK_MAX_CPUS]; /* that were dropped while others of the same shard waited: done with when those are */
	struct rps_flow   *flows; /* net.core.rps_sock_flow_entries; NULL: 0, or no memory */
	uint32_t           nflows; /* a power of two */
	struct flow_limit *limit; /* net.core.flow_limit_cpu_bitmap names this shard; else NULL */
};

int  steer_init(struct stack *stack); /* 0 or -ENOMEM */
void steer_exit(struct stack *stack);
void steer_apply(struct stack *stack); /* follows the snapshot: tunables, and the settings of all devices */
void steer_dev_exit(struct net_device *dev);
bool steer_receive(struct stack *stack, struct sk_buff *skb); /* true: it went to another shard; else it is for this one. skb->data at the network header */
/* Linux's flow limit: when more than half of max frames wait and this flow has more than half of what came lately. */
bool skb_flow_limit(struct stack *stack, struct sk_buff *skb, uint32_t qlen);

#endif
