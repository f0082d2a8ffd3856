/* SPDX-License-Identifier: MIT */
/*
 * neigh.h: the neighbour table of a shard (neigh.c), for any family; arp.c asks and answers for IPv4. RFC 4861 section 7.3 states, RFC 826, RFC 1122 2.3.2.
 */
#ifndef STACK_NEIGH_H
#define STACK_NEIGH_H

#include "dev.h"

/* States are NUD_* of <linux/neighbour.h> outside of neigh.c. */

struct neighbour; /* opaque: neigh.c */

int  neigh_init(struct stack *stack);
void neigh_exit(struct stack *stack);
int  neigh_apply(struct stack *stack, const struct net_snapshot *to); /* permanent entries; entries of devices that are gone or down */
void neigh_dev_down(struct stack *stack, struct net_device *dev);
/* Sends skb (data at the network header, protocol set) to skb->rt.nexthop by skb->rt.dev; queues it while the address is unknown. Consumes skb. 0 or -errno. */
int  neigh_output(struct stack *stack, struct sk_buff *skb);
/* TCP made progress with this next hop: reachability is confirmed (RFC 4861 7.3.1). */
void neigh_confirm(struct stack *stack, int ifindex, const struct ipaddr *nexthop);
bool neigh_hwaddr(const struct stack *stack, int ifindex, const struct ipaddr *nexthop, struct eth_addr *ret); /* false: it is not known */
void neigh_shard_msg(struct stack *stack, const struct shard_msg *msg);
void arp_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to); /* gratuitous ARP for new addresses (arp_notify) */
int  neigh_foreach(const struct stack *stack, int (*fn)(void *arg, const struct neigh_info *info), void *arg);
int  neigh_delete(struct stack *stack, int ifindex, const struct ipaddr *addr); /* learned entries only; on the other shards too. 0 or -ENOENT */
void neigh_flush(struct stack *stack, int ifindex);

/* Between arp.c and neigh.c. */

/* What an address resolution message said: addr is at lladdr. */
#define NEIGH_LEARN_SOLICITED 1u /* an answer to us alone: reachability is proven */
#define NEIGH_LEARN_CREATE    2u /* make an entry when there is none */
#define NEIGH_LEARN_OVERRIDE  4u /* locktime does not protect the old address */
void neigh_learn(struct stack *stack, struct net_device *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, unsigned flags);

/* Asks for target's address on dev: by unicast to lladdr, or by broadcast when it is NULL. skb (may be NULL) is a packet that waits for the answer; its source
 * address may be used as ours. */
void arp_solicit(struct stack *stack, struct net_device *dev, const struct ipaddr *target, const struct eth_addr *lladdr, const struct sk_buff *skb);

#endif
