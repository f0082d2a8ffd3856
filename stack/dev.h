/* SPDX-License-Identifier: MIT */
/*
 * dev.h: a network device as a shard sees it, NAPI and the softnet data of the shard. Files: dev.c (life and statistics), napi.c (poll list,
 * net_rx_action), softnet.c (backlog, steering), dev_xmit.c and qdisc.c (sending), eth.c, loopback.c.
 */
#ifndef STACK_DEV_H
#define STACK_DEV_H

#include "list.h"
#include "timer.h"
#include <netstack/netcfg.h>
#include <netstack/skbuff.h>
#include <netstack/stack.h>

struct stack;

struct napi_struct {
	struct list_head   poll_list;
	struct net_device *dev;
	int (*poll)(struct napi_struct *napi, int budget); /* returns work done; < budget: completed and off the list */
	bool               scheduled;
};

struct net_device {
	struct list_head        node; /* stack->devs */
	struct hlist_node       hash; /* by ifindex */
	struct stack           *stack;
	int                     ifindex;
	const struct link_conf *conf; /* in the present snapshot; name, mtu, flags, addr, features, v4 */
	const struct addr_conf *addrs; /* likewise */
	unsigned                naddrs;
	struct napi_struct      napi;
	struct link_stats       stats;
	struct sk_buff_head     txq; /* pfifo in front of the device; bounded by conf->txqlen */
	bool                    tx_stopped; /* the driver said -EAGAIN */
	bool                    tx_scheduled;
	struct list_head        tx_list; /* NET_TX softirq */
	bool                    dying;
};

static inline uint32_t dev_mtu(const struct net_device *dev) { return dev->conf->mtu; }
static inline bool dev_up(const struct net_device *dev) { return (dev->conf->flags & NS_IFF_UP) != 0; }
static inline bool dev_running(const struct net_device *dev) { return dev_up(dev) && dev->conf->carrier; }
static inline bool dev_is_loopback(const struct net_device *dev) { return (dev->conf->flags & NS_IFF_LOOPBACK) != 0; }

struct net_device *dev_get_by_index(const struct stack *stack, int ifindex); /* NULL: none */
int  dev_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to); /* makes, changes, removes devices */

/* Sending from the neighbour layer: Ethernet header is there, skb->dev set. Consumes skb. 0 or -errno (already counted and freed). */
int  dev_queue_xmit(struct sk_buff *skb);
/* Pushes an Ethernet header (proto in host order). saddr NULL: the device's. 0 or -ENOMEM. */
int  eth_header(struct sk_buff *skb, struct net_device *dev, uint16_t proto, const struct eth_addr *daddr, const struct eth_addr *saddr);

/* Receiving: the frame begins at skb->data with its Ethernet header. Consumes skb. */
void netif_receive_skb(struct stack *stack, struct sk_buff *skb);
void netif_rx(struct stack *stack, struct sk_buff *skb); /* by way of the backlog */
void napi_schedule(struct napi_struct *napi);
/* Handlers that ptype dispatch calls: skb->data at the network header, network_header set, dev and pkt_type set. Consume skb. */
void ip_rcv(struct stack *stack, struct sk_buff *skb);
void arp_rcv(struct stack *stack, struct sk_buff *skb);

/* Steering (softnet.c): the shard that owns a flow, and handing over. steer_skb consumes skb. */
uint32_t skb_flow_hash(struct stack *stack, struct sk_buff *skb); /* symmetric in both ends; never 0; skb->data at the network header */
unsigned flow_cpu(const struct stack *stack, uint32_t hash);
uint32_t flow_hash_tuple(const struct stack *stack, const struct ipaddr *a, const struct ipaddr *b, uint16_t aport, uint16_t bport, uint8_t proto);
bool steer_skb(struct stack *stack, struct sk_buff *skb, unsigned cpu); /* false: it is for this shard, skb is still the caller's */

extern const struct eth_addr eth_broadcast;
static inline bool eth_is_multicast(const struct eth_addr *a) { return a->b[0] & 1; }
static inline bool eth_equal(const struct eth_addr *a, const struct eth_addr *b) { return memcmp(a, b, ETH_ADDR_LEN) == 0; }

#endif
