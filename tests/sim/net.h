/* SPDX-License-Identifier: MIT */
/*
 * net.h: a network of hosts in simulated time: links with delay, rate, loss, reordering, duplication, corruption and a queue, all from one seed.
 *
 * What a corrupted frame is: a run of 1 to 15 bits of its IP packet, some of them flipped (the first and the last one always). Every such run changes a
 * ones'-complement sum (its bits weigh 2^j times a number between -32767 and 32767 that is not 0, and 65535 divides no such product), so IP header, TCP, UDP
 * and ICMP checksums find all of it and "every byte right" can be asked for. What no 16-bit sum can promise to find (swapped words, longer bursts) is not
 * tried here; the Ethernet FCS is there for that on a real wire. ARP has no checksum: a damaged ARP frame is lost, as the FCS would have it.
 * "swap" is such damage on purpose: it shows that the simulator notices a wrong byte when the checksums cannot.
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "host.h"
#include <stdio.h>

#define NET_MAX_HOSTS 16
#define NET_MAX_LINKS 16

struct link_model { /* one direction of a link */
	ktime_t  delay, jitter; /* jitter: uniform in [0, jitter), without reordering */
	double   loss, reorder, dup, corrupt, swap; /* probabilities of a frame */
	uint64_t bits_per_sec; /* 0: no limit */
	unsigned queue; /* frames that wait for the rate; 0: no limit */
};

struct link_stats_sim {
	uint64_t sent, delivered, lost, queue_full, dup, reordered, corrupted;
};

struct net;

struct sim_host {
	struct host *host;
	struct net  *net;
	unsigned     index;
	unsigned     nlinks;
	struct { int ifindex; unsigned link, end; } port[NET_MAX_LINKS];
};

struct sim_link {
	struct link_model     model;
	struct { struct sim_host *host; int ifindex; ktime_t free_at, last_at; unsigned waiting; } end[2]; /* free_at: the wire towards the other end */
	struct link_stats_sim stats;
};

struct net {
	uint64_t         rng;
	ktime_t          now;
	struct sim_host  host[NET_MAX_HOSTS];
	unsigned         nhosts;
	struct sim_link  link[NET_MAX_LINKS];
	unsigned         nlinks;
	struct flight  **heap; /* frames on their way, earliest first */
	size_t           nheap, heap_size;
	uint64_t         serial;
	uint64_t         frames;
	FILE            *trace; /* every frame as a line, or NULL */
	bool             digesting;
	uint64_t         digest; /* of every frame that was sent: when, by whom, and its bytes; only if digesting */
	void           (*wake)(void *arg, struct sim_host *h, unsigned cpu, uint64_t cookie, uint32_t events);
	void            *arg;
};

void net_init(struct net *net, uint64_t seed);
void net_free(struct net *net);
struct sim_host *net_add_host(struct net *net, const char *name, unsigned ncpu);
/* Joins two hosts; addresses as "192.0.2.1/24". */
void net_join(struct net *net, struct sim_host *a, const char *addr_a, struct sim_host *b, const char *addr_b, uint32_t mtu, const struct link_model *model);
/* Goes to the next moment at which something happens, if it is not after until, and does it. False: nothing more until then (now is until). */
bool net_step(struct net *net, ktime_t until);
static inline size_t net_in_flight(const struct net *net) { return net->nheap; }

#endif
