/* SPDX-License-Identifier: MIT */
/*
 * stack_priv.h: struct stack, and who owns which part of it. Each subsystem keeps what is its own in a structure of its own that is opaque here.
 */
#ifndef STACK_PRIV_H
#define STACK_PRIV_H

#include "dev.h"
#include "list.h"
#include "random.h"
#include "snapshot.h"
#include "timer.h"
#include <netstack/mib.h>
#include <netstack/stack.h>

#define DEV_HASH 64

enum softirq { TIMER_SOFTIRQ, NET_TX_SOFTIRQ, NET_RX_SOFTIRQ, NR_SOFTIRQS }; /* the order in which Linux serves them */

struct stack {
	const struct stack_ops    *ops;
	void                      *priv;
	struct stack_params        params;
	ktime_t                    now; /* of the present entry; never goes backwards */

	const struct net_snapshot *snap; /* never NULL after the first stack_apply */
	const struct sysctl_values *sysctl; /* &snap->sysctl, or the defaults before */

	struct skb_pool           *pool;
	struct timer_wheel        *wheel;
	struct rng                 rng; /* of this shard */
	struct siphash_key         flow_key; /* the same on all shards: steering */
	struct siphash_key         isn_key, ts_key, ipid_key; /* the same on all shards */

	/* dev.c, napi.c, softnet.c, dev_xmit.c */
	struct list_head           devs;
	struct hlist_head          dev_hash[DEV_HASH];
	struct list_head           dead_devs; /* removed; freed by dev_reap */
	ktime_t                    reap_next, reap_wait; /* dev.c: when that is tried again, and the time between */
	struct timer               trim_timer; /* gives buffers back when a burst is over */
	uint32_t                   softirq_pending; /* bits of enum softirq */
	struct list_head           poll_list; /* scheduled napi_structs */
	struct list_head           tx_list; /* devices for NET_TX */
	struct napi_struct         backlog_napi;
	struct sk_buff_head        backlog; /* netif_rx; bounded by netdev_max_backlog */
	struct softnet_stats       softnet;
	struct steer_state        *steer; /* steer.c */
	struct list_head           taps; /* struct stack_tap.node; tap.c */
	uint16_t                   tap_id; /* the last that was given to a frame that was shown */
	uint32_t                   udp_gro, udp_gro_devs; /* sockets and devices that want UDP merged, 0: none is looked at; of these the devices */
	struct runtime            *runtime; /* runtime.c; NULL: net.core.runtime_stats is off */
	struct runtime            *sampling; /* the same, while a sample runs */
	uint32_t                   xdp_steps; /* what XDP programs cost since xdp_settle was last asked, in instructions */
	struct net_device         *polling; /* the device that ops->poll is working on; NULL: none */

	/* opaque parts: allocated by X_init, freed by X_exit */
	struct neigh_table        *neigh; /* neigh.c */
	struct arp_state          *arp; /* arp.c */
	struct ip_frags           *frags; /* ip_fragment.c */
	struct icmp_state         *icmp; /* icmp.c */
	struct route_state        *route; /* route.c */
	struct inet_hashinfo      *hashinfo; /* inet_hash.c */
	struct sock_state         *socks; /* sock.c: list of sockets, wake-ups, inode numbers, memory accounts */
	struct tcp_state          *tcp; /* tcp.c */
	struct udp_state          *udp; /* udp.c */

	uint64_t                   mib[NET_MIB_MAX];
};

#define STACK_MIB_INC(stack, m)    ((void)((stack)->mib[MIB_##m]++))
#define STACK_MIB_DEC(stack, m)    ((void)((stack)->mib[MIB_##m]--))
#define STACK_MIB_ADD(stack, m, n) ((void)((stack)->mib[MIB_##m] += (n)))

/* Programs have used up what one poll, or one run of a queue, may cost: it is to end. */
#define XDP_TURN (64 * STACK_XDP_STEPS)
static inline bool xdp_spent(const struct stack *stack) { return stack->xdp_steps >= XDP_TURN; }

static inline bool stack_multi(const struct stack *stack) { return stack->params.ncpu > 1; }
static inline void stack_notify(struct stack *stack, const struct stack_event *ev)
{
	if (stack->ops->notify)
		stack->ops->notify(stack->priv, ev);
}

/* Life of the parts, called by stack.c in this order (and in reverse at the end). Each returns 0 or -ENOMEM. */
int  sock_init(struct stack *stack);
void sock_exit(struct stack *stack);
int  inet_hash_init(struct stack *stack);
void inet_hash_exit(struct stack *stack);
int  arp_init(struct stack *stack);
void arp_exit(struct stack *stack);
int  udp_init(struct stack *stack);
void udp_exit(struct stack *stack);
int  tcp_init(struct stack *stack);
void tcp_run_acks(struct stack *stack); /* acknowledgements owed for the batch: after softirqs and wake-ups, at the end of stack_run */
void tcp_exit(struct stack *stack); /* aborts every connection silently */

/* Called from stack_run after softirqs: delivers pending wake-ups (sock.c). Returns true when there was one. */
bool sock_run_wakes(struct stack *stack);
void sock_shard_msg(struct stack *stack, const struct shard_msg *msg); /* SHARD_PORT_* */
uint64_t sock_waiting_skbs(const struct stack *stack); /* packets in queues of sockets: none of them points at a device */
void sock_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to); /* addresses that are gone, route caches */
void tcp_shutdown_all(struct stack *stack); /* stack_shutdown: FIN to what is established, RST to the rest */

#endif
