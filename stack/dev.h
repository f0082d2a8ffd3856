/* SPDX-License-Identifier: MIT */
/*
 * dev.h: a network device as a shard sees it, NAPI and the softnet data of the shard. Files: dev.c (life and statistics), napi.c (poll list,
 * net_rx_action), softnet.c (backlog, steering), dev_xmit.c and qdisc.c (sending), eth.c;
 * devices without a driver: loopback.c, dummy.c, veth.c, vlan.c, bridge.c.
 */
#ifndef STACK_DEV_H
#define STACK_DEV_H

#include "list.h"
#include "timer.h"
#include <netstack/netcfg.h>
#include <netstack/skbuff.h>
#include <netstack/stack.h>
#include <netstack/tap.h>

struct stack;

#define GRO_BUCKETS    8 /* of packets held for merging, and how many in each */
#define GRO_BUCKET_MAX 8

struct napi_struct {
	struct list_head   poll_list;
	struct net_device *dev;
	int (*poll)(struct napi_struct *napi, int budget); /* returns work done; < budget: completed and off the list */
	bool               scheduled;
	int                served; /* frames of a turn that the budget cut short */
	uint8_t            gro_bitmask; /* gro.c: buckets that are not empty */
	struct sk_buff_head gro[GRO_BUCKETS]; /* packets held, the oldest first */
	struct timer       gro_timer; /* net.core.gro_flush_timeout */
	struct gro_stats   gro_stats;
};

struct net_device;

/* What a device is made of when it has no driver below it: by link_type, in dev.c. */
struct dev_ops {
	int (*xmit)(struct net_device *dev, struct sk_buff *skb); /* at the Ethernet header. Consumes skb, also on failure: 0 or -errno */
};

/* What is attached to a device beside the protocols: bits of dev->hooks. The data path tests the whole word, once on receiving and once on sending, and looks at the
 * bits when it is not zero. */
enum {
	DEV_HOOK_TAP = 1, /* packet taps (tap.c), both ways */
	DEV_HOOK_XDP = 2, /* xdp.c: on receiving, before all else */
	DEV_HOOK_UPPER = 4, /* VLANs or a bridge stand on it: frames for other stations come further than eth_type_trans */
	DEV_HOOK_HELD = 8, /* frames wait in xdp.held: what comes goes behind them */
	DEV_HOOK_DOWN = 1u << 30, /* the device is switched off: nothing is received */
	DEV_HOOK_SAMPLE = 1u << 31, /* frames are timed (runtime.c), both ways */
};
#define DEV_HOOKS_TX (~(uint32_t)(DEV_HOOK_XDP | DEV_HOOK_UPPER | DEV_HOOK_HELD)) /* those that sending asks for */

struct dev_group { /* an address, mostly of a group, that somebody wants; owner: net_device.groups */
	struct list_head node;
	struct eth_addr  addr;
	unsigned         users;
};

struct net_bridge; /* bridge.c */

struct net_device {
	struct list_head        node; /* stack->devs */
	struct hlist_node       hash; /* by ifindex */
	struct stack           *stack;
	const struct dev_ops   *ops; /* NULL: the embedder's driver */
	int                     ifindex;
	uint32_t                hooks; /* DEV_HOOK_*: tested where conf is read, so both stand together */
	const struct link_conf *conf; /* in the present snapshot; name, mtu, flags, addr, features, v4 */
	const struct addr_conf *addrs; /* likewise */
	unsigned                naddrs;
	struct dev_steer       *steer; /* steer.c; NULL: who receives a frame forwards it */
	struct napi_struct      napi;
	struct link_stats       stats;
	struct sk_buff_head     txq; /* pfifo in front of the device; bounded by conf->txqlen */
	bool                    tx_stopped; /* the driver said -EAGAIN */
	bool                    tx_scheduled;
	struct list_head        tx_list; /* NET_TX softirq */
	uint32_t                promiscuity, allmulti; /* how many taps want frames for others, or all groups; only taps look at these */
	struct list_head        groups; /* struct dev_group: likewise */
	struct { /* xdp.c; fn is set while hooks has DEV_HOOK_XDP */
		stack_xdp_fn fn;
		void        *arg;
		struct stack_xdp_stats stats;
		struct sk_buff_head held; /* frames that came in a poll whose time the programs had used up; between polls, DEV_HOOK_HELD stands if there are any */
	} xdp;
	struct net_device      *lower; /* of a VLAN: what it stands on, which lives as long */
	struct net_device     **vlans[2]; /* VLANs that stand on it, by ID, 802.1Q and 802.1ad; NULL: there are none */
	struct net_bridge      *bridge; /* of a bridge: its own; of a port: the bridge's; else NULL */
	struct list_head        port_node; /* of a port: in the bridge's list */
	bool                    forwarding; /* of a port: it was up and had carrier at the last configuration */
	bool                    dying; /* removed from the configuration; the structure waits until no packet points at it */
	struct link_conf        last_conf; /* what conf points at then */
};

static inline uint32_t dev_mtu(const struct net_device *dev) { return dev->conf->mtu; }
static inline bool dev_up(const struct net_device *dev) { return (dev->conf->flags & NS_IFF_UP) != 0; }
static inline bool dev_running(const struct net_device *dev) { return dev_up(dev) && dev->conf->carrier; }
static inline bool dev_is_loopback(const struct net_device *dev) { return (dev->conf->flags & NS_IFF_LOOPBACK) != 0; }

struct net_device *dev_get_by_index(const struct stack *stack, int ifindex); /* NULL: none */
/* Follows the snapshot in three steps: dev_prepare makes what is new (0, or -ENOMEM and nothing was made), dev_apply changes and removes once
 * stack->snap is the new one, dev_reap frees removed devices when no packet is left that could point at one. */
int  dev_prepare(struct stack *stack, const struct net_snapshot *to);
void dev_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to);
void dev_reap(struct stack *stack);
void dev_purge_queues(struct stack *stack); /* before the sockets end that are charged for what waits there */
void dev_exit(struct stack *stack);

/* Sending from the neighbour layer: Ethernet header is there, skb->dev and network_header set. Consumes skb. 0 or -errno (already counted and freed):
 * -ENETDOWN, -ENOBUFS (queue full), -ENOMEM. A device without carrier swallows (0), as a cable that is pulled out does. */
int  dev_queue_xmit(struct sk_buff *skb);
int  dev_hard_start_xmit(struct net_device *dev, struct sk_buff *skb); /* to the driver; -EAGAIN: skb is still the caller's, else consumed */
extern const struct dev_ops loopback_ops, dummy_ops, veth_ops, vlan_ops, bridge_ops;
/* loopback.c: a frame that left comes in by the backlog of to, which may be a device of another namespace's stack of this shard: the sender's account is settled, what
 * belongs to the sender's side is wiped off, and between namespaces the packet becomes the other stack's. Counts it as received by to. Consumes skb: 0 or -ENOMEM. */
int  dev_forward_skb(struct net_device *to, struct stack *from, struct sk_buff *skb);
void net_tx_action(struct stack *stack);
/* qdisc.c: the pfifo in front of a device. */
int  qdisc_enqueue(struct net_device *dev, struct sk_buff *skb); /* 0 or -ENOBUFS; consumes skb */
bool qdisc_run(struct net_device *dev, unsigned quota); /* true: more could be sent now */
void qdisc_schedule(struct net_device *dev);
void qdisc_purge(struct net_device *dev, enum skb_drop_reason reason);
/* gso.c: cuts a GSO packet (network_header set, data at or before it) into packets of gso_size payload bytes each, CHECKSUM_PARTIAL. 0: segs has them and skb is
 * consumed. -EINVAL (headers do not fit the GSO type), -ENOMEM: skb is still the caller's and segs is empty. */
int  skb_gso_segment(struct sk_buff *skb, struct sk_buff_head *segs);
/* Pushes an Ethernet header (proto in host order). saddr NULL: the device's. 0 or -ENOMEM. */
int  eth_header(struct sk_buff *skb, struct net_device *dev, uint16_t proto, const struct eth_addr *daddr, const struct eth_addr *saddr);

/* Receiving. eth_type_trans takes off the Ethernet header (skb->data at it, skb->dev set) and fills in pkt_type and protocol; 0, or why the frame is dropped
 * (the device's counters are done). The others take what it left, data and network_header at the network header. They consume skb. */
enum skb_drop_reason eth_type_trans(struct sk_buff *skb, struct net_device *dev);
void eth_classify(struct sk_buff *skb, struct net_device *dev); /* pkt_type as dev sees it; mac_header is set */
enum skb_drop_reason eth_accept(struct sk_buff *skb, struct net_device *dev); /* whether the MAC filter lets a classified frame to the protocols: 0, or why not (counted) */
/* What stands on a device has a look at a frame, as eth_type_trans left it. */
enum rx_result {
	RX_PASS, /* nothing for us */
	RX_AGAIN, /* it is another device's now (skb->dev), or another protocol's: from the start */
	RX_CONSUMED,
};
#define VLAN_MAX_TAGS 8 /* of a frame: as many as links may stand on top of each other */
static inline bool vlan_is_tag(uint16_t proto) { return proto == 0x8100 || proto == 0x88a8; }
enum rx_result vlan_rcv(struct sk_buff *skb); /* vlan.c: skb->protocol is that of a tag */
enum rx_result br_rcv(struct sk_buff *skb); /* bridge.c: skb->dev is a port */
uint32_t vlan_depth(const struct sk_buff *skb); /* bytes of the tags behind the Ethernet header at data */
/* Following the configuration, from dev.c. prepare: 0 or -ENOMEM; it may be repeated and is harmless when the configuration is not applied after all. */
int  vlan_prepare(struct net_device *dev, const struct link_conf *conf);
void vlan_apply(struct net_device *dev); /* new: lower and its table */
void vlan_gone(struct net_device *dev);
int  br_prepare(struct net_device *dev, const struct link_conf *conf);
void br_gone(struct net_device *dev); /* a bridge or a port */
void br_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to); /* ports, static stations */
void br_shard_msg(struct stack *stack, const struct shard_msg *msg); /* SHARD_FDB_UPDATE */
void netif_receive_skb(struct stack *stack, struct sk_buff *skb);
void netif_rx(struct stack *stack, struct sk_buff *skb); /* by way of the backlog */
void napi_init(struct napi_struct *napi, struct net_device *dev, int (*poll)(struct napi_struct *napi, int budget));
void napi_schedule(struct stack *stack, struct napi_struct *napi);
void napi_complete(struct napi_struct *napi); /* off the poll list */
int  net_rx_action(struct stack *stack, int budget); /* returns the frames received */
int  dev_napi_poll(struct napi_struct *napi, int budget);
int  process_backlog(struct napi_struct *napi, int budget);
/* Handlers that ptype dispatch calls: skb->data at the network header, network_header set, dev and pkt_type set. Consume skb. */
void ip_rcv(struct stack *stack, struct sk_buff *skb);
void arp_rcv(struct stack *stack, struct sk_buff *skb);

/* Steering (softnet.c): the shard that owns a flow, and handing over. steer_skb consumes skb. */
uint32_t skb_flow_hash(struct stack *stack, struct sk_buff *skb); /* symmetric in both ends; never 0; skb->data at the network header */
unsigned flow_cpu(const struct stack *stack, uint32_t hash);
uint32_t flow_hash_tuple(const struct stack *stack, const struct ipaddr *a, const struct ipaddr *b, uint16_t aport, uint16_t bport, uint8_t proto);
bool steer_skb(struct stack *stack, struct sk_buff *skb, unsigned cpu); /* steer.c; false: it is for this shard, skb is still the caller's */

/* xdp.c, when dev->hooks has DEV_HOOK_XDP: a frame at its Ethernet header. What goes on to the stack, which may be another skb, or NULL: it went elsewhere.
 * payer: the stack that is running, to whose poll the program is charged; that of the device, or of the other end of a veth. */
struct sk_buff *xdp_rx(struct stack *payer, struct net_device *dev, struct sk_buff *skb);
void xdp_fib_lookup(struct stack *stack, struct stack_xdp_fib *fib); /* xdp_fib.c */
/* What programs cost since the last call, in frames; time is refreshed if there was anything. */
int  xdp_settle(struct stack *stack);
void xdp_purge(struct net_device *dev); /* the frames that are held */
/* softnet.c: receives frames that were held, at most budget, until programs have used up the poll again. How many. */
int  dev_rx_held(struct stack *stack, struct net_device *dev, int budget);
/* tap.c: packet taps, what netstack/tap.h declares. The hooks are called when dev->hooks has DEV_HOOK_TAP, or at once off the fast path. */
struct stack_tap {
	struct list_head node; /* stack->taps */
	struct stack    *stack;
	int              ifindex; /* 0: any */
	unsigned         what; /* STACK_TAP_* */
	bool             embedded; /* part of a packet socket, which frees it */
	void           (*fn)(void *arg, const struct stack_tap_frame *frame);
	void            *arg;
};
void tap_rx(struct stack *stack, struct sk_buff *skb); /* data at the network header, mac_header set */
void tap_tx(struct net_device *dev, struct sk_buff *skb); /* data at the Ethernet header */
void tap_rx_filtered(struct stack *stack, struct sk_buff *skb, enum skb_drop_reason reason); /* refused by eth_type_trans: shown if the device is promiscuous; any device */
void tap_register(struct stack *stack, struct stack_tap *tap); /* ifindex, what, fn, arg are filled in */
void tap_unregister(struct stack_tap *tap);
void tap_dev_init(struct stack *stack, struct net_device *dev); /* a new device; dev.c */
void tap_dev_exit(struct net_device *dev);
void tap_exit(struct stack *stack);
void packet_dev_down(struct stack *stack, const struct net_device *dev); /* packet.c: it was switched off, or is gone */
int  dev_group_add(struct net_device *dev, const struct eth_addr *addr); /* 0 or -ENOMEM */
void dev_group_del(struct net_device *dev, const struct eth_addr *addr);

extern const struct eth_addr eth_broadcast;
static inline bool eth_is_multicast(const struct eth_addr *a) { return a->b[0] & 1; }
static inline bool eth_equal(const struct eth_addr *a, const struct eth_addr *b) { return memcmp(a, b, ETH_ADDR_LEN) == 0; }

#endif
