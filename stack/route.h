/* SPDX-License-Identifier: MIT */
/*
 * route.h: from an address to a way: fib_lookup (fib.c) over the snapshot's tables, and what the stages make of it (route.c).
 */
#ifndef STACK_ROUTE_H
#define STACK_ROUTE_H

#include "snapshot.h"
#include <netstack/skbuff.h>

struct net_device;
struct shard_msg;
struct stack;

struct flowi { /* the key of a lookup */
	struct ipaddr daddr, saddr;
	int           iif, oif; /* ifindex; 0: any. oif set: only routes by that device */
	uint32_t      mark;
	uint8_t       tos, proto;
	uint16_t      sport, dport; /* host order */
	bool          anysrc; /* saddr need not be ours (transparent) */
};

struct fib_nexthop_info { /* what a leaf of the trie says; immutable, owned by the snapshot */
	struct ipaddr gateway; /* AF_UNSPEC: on the link */
	struct ipaddr prefsrc;
	int           ifindex;
	uint32_t      metric, mtu, advmss;
	uint8_t       type, scope, protocol, tos;
	uint32_t      table;
};

struct fib_result {
	const struct fib_nexthop_info *nh;
	uint8_t  prefixlen;
	uint8_t  type, scope;
	uint32_t table;
};

/* Longest prefix, then metric, through the rules. 0, -ENETUNREACH (no route), -EINVAL (blackhole), -EHOSTUNREACH (unreachable), -EACCES (prohibit).
 * Pure: reads only snap. */
int fib_lookup(const struct net_snapshot *snap, const struct flowi *fl, struct fib_result *ret);
/* The type an address has here: RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST. */
uint8_t inet_addr_type(const struct net_snapshot *snap, const struct ipaddr *addr);
/* Source address for a destination by a device: prefsrc, else the primary address of the device (best match with dst), else any device's. */
struct ipaddr inet_select_addr(const struct net_snapshot *snap, int ifindex, const struct ipaddr *dst, uint8_t scope);

/* route.c */
#define RT_F_LOCAL     0x01 /* deliver here */
#define RT_F_BROADCAST 0x02
#define RT_F_MULTICAST 0x04
#define RT_F_DOREDIRECT 0x08 /* goes back out by the device it came in by */
#define RT_F_GATEWAY   0x10
#define RT_F_PMTU      0x20 /* mtu is a learned one */
#define RT_F_MTU_LOCK  0x80 /* ... below min_pmtu, which is taken instead: what is larger than the path is to be fragmented on the way */
#define RT_F_INPUT     0x40 /* ip_route_input filled it: a packet of others, not one of our own */

/* A received packet, network_header set: fills skb->rt with local delivery, forwarding or an error. 0, or the drop reason as a positive value
 * (ICMP that Linux sends for it has been sent by then). */
enum skb_drop_reason ip_route_input(struct stack *stack, struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev);
/* Our own packet: fills rt, and fl->saddr when it is unspecified. 0 or -errno (also -ENETDOWN). Destination 0.0.0.0 means loopback as on Linux. */
int ip_route_output(struct stack *stack, struct flowi *fl, struct skb_route *rt);
/* Path MTU learned from an ICMP frag-needed (RFC 1191) for a destination; told to the other shards. */
void ip_rt_update_pmtu(struct stack *stack, const struct ipaddr *daddr, uint32_t mtu);
uint32_t ip_rt_pmtu(struct stack *stack, const struct ipaddr *daddr, uint32_t dev_mtu); /* the smaller of both, expiry heeded */
/* An ICMP redirect from a gateway for daddr: heeded only where accept_redirects says so and RFC 1122 3.2.2.2 allows. */
void ip_rt_redirect(struct stack *stack, const struct ipaddr *daddr, const struct ipaddr *gateway, const struct ipaddr *from, struct net_device *dev);
void route_shard_msg(struct stack *stack, const struct shard_msg *msg); /* SHARD_PMTU */
/* n consecutive IP identifications for packets from saddr to daddr, of which the first is returned, host order (RFC 6864, RFC 7739 5.3). */
uint16_t ip_ident_reserve(struct stack *stack, be32 saddr, be32 daddr, uint8_t proto, unsigned n);
uint32_t route_genid(const struct stack *stack); /* changes when a cached skb_route must be looked up again */
int  route_init(struct stack *stack);
void route_exit(struct stack *stack);

#endif
