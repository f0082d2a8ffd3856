/* SPDX-License-Identifier: MIT */
/* neigh_priv.h: an entry of the neighbour table, between neigh.c (what happens to it) and neigh_table.c (how it comes and goes). */
#ifndef STACK_NEIGH_PRIV_H
#define STACK_NEIGH_PRIV_H

#include "neigh.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <linux/neighbour.h>
#include <sys/socket.h>

enum nud_state { S_NONE, S_INCOMPLETE, S_REACHABLE, S_STALE, S_DELAY, S_PROBE, S_FAILED, S_PERMANENT, S_NOARP, NUD_STATES };

/* Entries stand on lists by what they are worth (neigh_table.c). */
enum neigh_list { L_FAILED, L_UNUSED, L_INCOMPLETE, L_STALE, L_LIVE, L_PERMANENT, NEIGH_LISTS };

/* What is true of a state. */
extern const struct nud_info {
	uint8_t nud; /* the NUD_* bit that is shown */
	uint8_t list;
	bool    valid; /* the link-layer address is known */
	bool    fast; /* sending needs no event */
} nud_info[];

struct neighbour {
	struct hlist_node   hash;
	struct net_device  *dev;
	struct ipaddr       key;
	bool                fast;
	uint8_t             state; /* enum nud_state */
	uint8_t             hh[ETH_HLEN]; /* destination, source; the EtherType is filled in by the sender */
	ktime_t             used; /* last output; 0: never */
	ktime_t             confirmed, updated;
	ktime_t             reachable_time; /* of this confirmation, randomised */
	struct list_head    lru;
	uint8_t             list; /* enum neigh_list */
	uint8_t             mark; /* of neigh_apply */
	uint16_t            probes;
	struct eth_addr     ha;
	struct timer        timer;
	struct sk_buff_head queue;
	uint32_t            queue_bytes;
};

enum { RELAY_HEARD, RELAY_ANSWER, RELAY_QUESTION, RELAY_KINDS }; /* messages to other shards that a peer can cause: what was heard, answers, requests to solicit */

struct neigh_table {
	struct hlist_head *hash;
	uint32_t           mask; /* buckets - 1 */
	uint32_t           entries; /* learned ones: what gc counts */
	uint32_t           permanent;
	uint64_t           queue_bytes; /* waiting, for all neighbours together */
	uint64_t           key[4]; /* of the hash; odd */
	struct list_head   lists[NEIGH_LISTS];
	struct timer       gc_timer;
	ktime_t            last_forced;
	uint8_t            mark;
	struct {
		ktime_t since;
		int     left;
	} relay[RELAY_KINDS];
	struct hlist_head  free;
	unsigned           nfree;
};

/* ---- the hash ---------------------------------------------------------------------------------------------------------- */

/* Keyed, so that nobody can aim at one chain; and the table's size is bounded anyway. */
static inline uint32_t neigh_hash_v4(const struct neigh_table *t, int ifindex, be32 a)
{
	uint64_t h = ((uint64_t)a ^ ((uint64_t)(uint32_t)ifindex << 32)) * t->key[0];

	return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 52);
}

static inline uint32_t neigh_hash(const struct neigh_table *t, int ifindex, const struct ipaddr *a)
{
	uint64_t h = ((uint64_t)a->w[0] ^ ((uint64_t)(uint32_t)ifindex << 32)) * t->key[0];

	if (a->family == AF_INET)
		return neigh_hash_v4(t, ifindex, a->v4);
	h ^= a->w[1] * t->key[1] ^ a->w[2] * t->key[2] ^ a->w[3] * t->key[3];
	return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 52);
}

static inline struct neighbour *neigh_lookup(const struct neigh_table *t, int ifindex, const struct ipaddr *a)
{
	struct neighbour *n;

	hlist_for_each(n, &t->hash[neigh_hash(t, ifindex, a) & t->mask], struct neighbour, hash) {
		if (n->key.w[0] == a->w[0] && n->dev->ifindex == ifindex && ipaddr_equal(&n->key, a))
			return n;
	}
	return NULL;
}

/* ---- neigh_table.c ------------------------------------------------------------------------------------------------------- */

/* A new entry in state NONE; NULL: the table is full, or no memory. Permanent ones are not counted. heard: somebody announced himself. */
struct neighbour *neigh_create(struct stack *stack, struct net_device *dev, const struct ipaddr *key, bool permanent, bool heard);
/* Takes n out of the table. What waits is dropped with the reason, silently: nobody was found to be absent. */
void neigh_destroy(struct stack *stack, struct neighbour *n, enum skb_drop_reason reason);
void neigh_drop_learned(struct stack *stack, int ifindex, enum skb_drop_reason reason); /* of a device (0: of all) */
void neigh_relist(struct stack *stack, struct neighbour *n); /* its state is new: to the end of its list */
void neigh_notify(struct stack *stack, const struct neighbour *n, enum stack_event_type type);

/* ---- neigh.c ------------------------------------------------------------------------------------------------------------- */

void neigh_timer(struct stack *stack, struct timer *timer); /* of an entry */
void neigh_store(struct neighbour *n, const struct eth_addr *lladdr); /* into the prepared header, too */
void neigh_tell(struct stack *stack, unsigned cpu, enum shard_msg_type type, int ifindex, const struct ipaddr *addr, const struct eth_addr *lladdr, uint8_t nud,
		uint16_t flags); /* to another shard, or STACK_CPU_ALL */

#endif
