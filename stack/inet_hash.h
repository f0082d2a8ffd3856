/* SPDX-License-Identifier: MIT */
/*
 * inet_hash.h: what inet_hash.c (tables of connections and listeners) and inet_port.c (local ports) share. Owner: the shard.
 */
#ifndef STACK_INET_HASH_H
#define STACK_INET_HASH_H

#include "sock_priv.h"

#define EHASH_MIN_BITS 8
#define EHASH_MIN      (1u << EHASH_MIN_BITS)
#define EHASH_SEGS     20 /* up to 2^27 buckets */
#define PORT_PAGE      256
#define PERTURB        256

/* A local port that somebody uses. It exists as long as one of its lists is not empty. */
struct bind_bucket {
	uint16_t          port;
	uint8_t           protocol;
	bool              auto_only; /* every owner was given it by connect: may be shared by different 4-tuples */
	struct hlist_head owners; /* struct sock.bind_node */
	struct hlist_head hashed; /* struct sock.hash_node: TCP listeners, UDP sockets */
	struct hlist_head tws; /* struct inet_tw_port.node */
	struct hlist_head remotes; /* struct port_remote.node */
};

struct port_remote { /* a socket of another shard that packets are to be handed to */
	struct hlist_node node;
	uint64_t          id; /* its inode number */
	struct ipaddr     addr;
	int               ifindex;
	uint32_t          cpu;
	uint16_t          flags; /* PORT_F_* */
	struct ipaddr     peer; /* of a connected TCP socket; else none */
	uint16_t          peer_port;
};
#define PORT_F_REUSE     1u
#define PORT_F_REUSEPORT 2u
#define PORT_F_GRO       4u /* UDP_GRO */

struct port_page {
	unsigned            used;
	struct bind_bucket *slot[PORT_PAGE];
};

struct port_table { /* by port, in two levels: no hash, so no collisions to provoke, and little memory while few ports are in use */
	struct port_page *page[65536 / PORT_PAGE];
};

struct inet_hashinfo {
	struct hlist_head *seg[EHASH_SEGS];
	unsigned           nbuckets, count, iterating;
	struct port_table  tcp, udp;
	struct siphash_key port_key;
	uint32_t           announced; /* sockets here and elsewhere that other shards are told of */
	uint16_t           port_min, port_max; /* the widest that the ephemeral range has been */
	uint32_t           gen; /* changes with what is known of them */
	uint32_t           perturb[PERTURB]; /* RFC 6056 3.3.4: one counter for each class of destinations */
};

struct bind_bucket *port_get(const struct inet_hashinfo *hi, uint8_t protocol, uint16_t port); /* NULL: nobody uses it */
int  inet_port_init(struct stack *stack);
void inet_port_exit(struct stack *stack);

#endif
