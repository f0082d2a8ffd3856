/* SPDX-License-Identifier: MIT */
/*
 * capture_ring.h: captured packets on their way from a worker to the control thread: one producer, one consumer, bounded, no locks.
 *
 * Theory of operation. Records of any length stand one behind the other in one block of memory; one that would not fit in front of the end begins at the start, behind a
 * record that says so. The producer fills a record in place, and publishes in batches: what it has not published yet it may still change, which is how a packet that dies
 * shortly after it was captured gets its reason (capture_ring_find). A record that finds no room is lost and counted; the next one that does tells how many.
 *
 * Producer: reserve, push, find, publish. Consumer: peek, pop. Times: wall clock, ns.
 */
#ifndef DAEMON_CAPTURE_RING_H
#define DAEMON_CAPTURE_RING_H

#include <netstack/tap.h>
#include <stdatomic.h>

#define CAPTURE_RING_ALIGN  64u
#define CAPTURE_RING_RECENT 16u /* unpublished records that are remembered by key */

struct capture_record {
	uint64_t time;
	uint64_t lost; /* records that found no room just before this one */
	uint32_t size; /* of all of it, a multiple of CAPTURE_RING_ALIGN */
	uint32_t caplen, len; /* bytes that follow; bytes of the packet */
	int32_t  ifindex;
	uint16_t reason; /* enum skb_drop_reason */
	uint8_t  dir; /* enum stack_tap_dir */
	uint8_t  pkt_type; /* enum skb_pkt_type */
	bool     skip; /* nothing here: the next record stands at the start */
	uint8_t  data[];
};

struct capture_ring {
	/* producer's */
	_Alignas(CAPTURE_RING_ALIGN) _Atomic uint64_t head; /* published up to here; positions count on, their place is the remainder by size */
	uint64_t next, tail_seen, lost;
	struct {
		const void *key;
		uint64_t    pos;
		uint16_t    id;
	} recent[CAPTURE_RING_RECENT];
	unsigned nrecent;
	/* consumer's */
	_Alignas(CAPTURE_RING_ALIGN) _Atomic uint64_t tail;
	/* constant */
	_Alignas(CAPTURE_RING_ALIGN) uint64_t mask;
	uint8_t *bytes;
};

int  capture_ring_init(struct capture_ring *ring, uint64_t size /* is rounded up to a power of two */); /* 0 or -ENOMEM */
void capture_ring_exit(struct capture_ring *ring);

/* Room for a record with caplen bytes; NULL: there is none, and that was counted. The caller fills in what it knows but for lost and size. */
struct capture_record *capture_ring_reserve(struct capture_ring *ring, uint32_t caplen);
/* The one just reserved. key: where the packet stands; id: tells it from others that stood there. */
void capture_ring_push(struct capture_ring *ring, struct capture_record *rec, const void *key, uint16_t id);
struct capture_record *capture_ring_find(struct capture_ring *ring, const void *key, uint16_t id); /* the last of these that is not published; NULL: none */
bool capture_ring_publish(struct capture_ring *ring); /* true: there was something */
static inline uint64_t capture_ring_pending(const struct capture_ring *ring)
{
	return ring->next - atomic_load_explicit(&ring->head, memory_order_relaxed);
}

const struct capture_record *capture_ring_peek(struct capture_ring *ring); /* the oldest; NULL: none */
void capture_ring_pop(struct capture_ring *ring, const struct capture_record *rec);

#endif
