/* SPDX-License-Identifier: MIT */
/*
 * bridge.h: a bridge of a shard, between its files: bridge.c (frames, ports) and bridge_fdb.c (the filtering database).
 */
#ifndef STACK_BRIDGE_H
#define STACK_BRIDGE_H

#include "dev.h"

enum { FDB_LOCAL = 1, FDB_STATIC = 2 };

struct fdb_entry { /* a station; owner: the bridge */
	struct hlist_node  node;
	struct eth_addr    addr;
	uint8_t            flags; /* FDB_*; 0: learned */
	struct net_device *port; /* NULL: the bridge's own device */
	ktime_t            updated; /* when it was heard last */
	ktime_t            told; /* when the other shards were told last; 0: never */
};

struct net_bridge { /* owner: the device of the bridge */
	struct net_device *dev;
	struct list_head   ports; /* struct net_device, by port_node */
	struct hlist_head *buckets;
	unsigned           nbuckets; /* a power of two: 64 minus its logarithm is */
	unsigned           hash_shift;
	uint64_t           hash_key; /* odd; the shard's secret */
	unsigned           entries, learned;
	struct timer       gc;
	ktime_t            tell_refill; /* limit of SHARD_FDB_UPDATE: a bucket of tokens */
	uint32_t           tell_tokens;
};

int  fdb_init(struct net_bridge *br); /* 0 or -ENOMEM */
void fdb_exit(struct net_bridge *br);
/* NULL: not known, or too old. Valid until the database changes. */
struct fdb_entry *fdb_find(struct net_bridge *br, const struct eth_addr *addr, ktime_t now);
/* A frame of this station came in by port. False: it cannot have: the address is ours, or nobody's. */
bool fdb_learn(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr);
void fdb_flush_port(struct net_bridge *br, const struct net_device *port, bool all); /* what was learned; all: what is configured too */
void fdb_flush_config(struct net_bridge *br);
void fdb_add_config(struct net_bridge *br, struct net_device *port, const struct eth_addr *addr, uint8_t flags); /* in place of one that was learned */

#endif
