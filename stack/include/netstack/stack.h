/* SPDX-License-Identifier: MIT */
/*
 * stack.h: one network stack, as a machine without a clock: frames and time go in, frames and the next deadline come out.
 *
 * Theory of operation. A struct stack is one shard ("CPU") of one network namespace. It makes no system call, reads no
 * clock, starts no thread and has no global state, so many may live in one process and each may be driven from a test.
 * All calls on one stack come from one thread at a time. The embedder
 *   1. publishes a configuration (netcfg.h) with stack_apply;
 *   2. tells of arriving frames: either as an interrupt (stack_irq), to which the stack answers by polling the device with
 *      ops->poll, in whose course the driver hands frames over by stack_rx; or by stack_rx outside of a poll, which
 *      queues to the backlog as a non-NAPI driver's netif_rx does;
 *   3. calls stack_run, which does what is due (softirqs in Linux's order, timers, socket wake-ups) within a budget and says
 *      when it wants to be called again.
 * Before calls on sockets outside of stack_run the embedder says what time it is (stack_set_now).
 */
#ifndef NETSTACK_STACK_H
#define NETSTACK_STACK_H

#include <netstack/netcfg.h>
#include <netstack/skbuff.h>
#include <netstack/types.h>

struct stack;
struct shard_msg;
struct stack_event;

#define STACK_MAX_CPUS 64
#define STACK_CPU_ALL  UINT32_MAX /* for ops->tell: every shard but the sender */

/* XDP: a function that sees each frame of a device before the stack does; see stack_xdp_set. */
enum stack_xdp_action { STACK_XDP_ABORTED, STACK_XDP_DROP, STACK_XDP_PASS, STACK_XDP_TX, STACK_XDP_REDIRECT }; /* the numbers of Linux's enum xdp_action */
#define STACK_XDP_STEPS 512
enum stack_xdp_fib_ret { /* the numbers of Linux's BPF_FIB_LKUP_RET_* */
	STACK_XDP_FIB_OK, STACK_XDP_FIB_BLACKHOLE, STACK_XDP_FIB_UNREACHABLE, STACK_XDP_FIB_PROHIBIT,
	STACK_XDP_FIB_NOT_FWDED, /* local, broadcast, no route: the stack's affair */
	STACK_XDP_FIB_FWD_DISABLED, /* by the device that it came in by */
	STACK_XDP_FIB_NO_NEIGH = 7, STACK_XDP_FIB_FRAG_NEEDED,
};
struct stack_xdp_fib { /* addresses in network order */
	int      ifindex; /* in: the device it came in by (output: it leaves by); out: the one it leaves by */
	be32     saddr, daddr; /* daddr out: the next hop */
	uint8_t  tos;
	uint16_t len; /* of the packet with its IP header, 0: whatever it is */
	bool     output, main_only /* no rules */, no_neigh /* the MAC addresses are not wanted */;
	uint32_t mtu, metric; /* out */
	struct eth_addr smac, dmac; /* out */
	enum stack_xdp_fib_ret ret; /* out */
};
struct stack_xdp_frame {
	unsigned char *data; /* at the Ethernet header; the len bytes may be read and written */
	uint32_t       len;
	int            ingress_ifindex;
	int            redirect_ifindex; /* to be filled in before STACK_XDP_REDIRECT is returned */
	uint32_t       steps; /* 0; to be filled in with what the function cost, in simple instructions: STACK_XDP_STEPS of them count as a received frame */
	ktime_t        now; /* the stack's time */
	/* Takes head bytes away in front (negative: adds zeros, at most 256 in all) and adds tail zeros at the end (negative: takes away). 0; -EINVAL (less than an Ethernet
	 * header would remain, or there is no room), -EOPNOTSUPP (the frame stands for several: GSO), -ENOMEM: the frame has the bytes that it had. data may be
	 * another in any case. */
	int (*adjust)(struct stack_xdp_frame *frame, int32_t head, int32_t tail);
	void (*fib_lookup)(struct stack_xdp_frame *frame, struct stack_xdp_fib *fib); /* where a packet of IPv4 would be forwarded to */
};
typedef int (*stack_xdp_fn)(void *arg, struct stack_xdp_frame *frame); /* enum stack_xdp_action; anything else is STACK_XDP_ABORTED */

struct stack_ops {
	/* Sends a frame: skb->data is at the Ethernet header. 0: taken (the driver frees it with consume_skb). -EAGAIN: the
	 * device is full, the stack keeps skb and waits for stack_tx_ready. Other negative: refused, the stack drops it. */
	int (*xmit)(void *priv, int ifindex, struct sk_buff *skb);
	/* Polls a device after stack_irq: receives at most budget frames and hands each to stack_rx. Returns how many; fewer
	 * than budget means that the device is empty and its interrupt is on again (napi_complete_done is the driver's
	 * part). May refresh *now. NULL: there is no device that polls. */
	int (*poll)(void *priv, int ifindex, int budget, ktime_t *now);
	/* Hands a frame to the shard cpu; there it goes into stack_steered. Consumes skb (already disowned) on 0; on -ENOBUFS the
	 * ring is full and the stack takes the skb back and drops it. NULL with one shard. */
	int (*steer)(void *priv, unsigned cpu, struct sk_buff *skb);
	/* How many of the frames that steer took for shard cpu, since the beginning and modulo 2^32, that shard is done with: what its stack_steer_done said for us after a
	 * stack_run, and after what that sent has reached the device. It may lag behind. With it flows keep their order when their way changes, and netdev_max_backlog
	 * counts what is on its way. NULL: not known. */
	uint32_t (*steer_done)(void *priv, unsigned cpu);
	/* Sends a copy of msg to shard cpu, or to all others (STACK_CPU_ALL); there it goes into stack_msg. Never lost, in order
	 * for each pair of shards. NULL with one shard. */
	void (*tell)(void *priv, unsigned cpu, const struct shard_msg *msg);
	/* Readiness of a socket (socket.h). Called from within stack_run only, never from inside a socket call, so that any
	 * call on any socket is allowed in it. */
	void (*wake)(void *priv, uint64_t cookie, uint32_t events);
	/* Changes that monitors want to see. Called from any entry point; must not call back into the stack. NULL: not wanted. */
	void (*notify)(void *priv, const struct stack_event *ev);
	/* The stack of this very shard in another network namespace, driven by the same thread: a veth hands its frames there. NULL: there is no such namespace, or
	 * (as an operation) never more than one. */
	struct stack *(*netns)(void *priv, uint32_t netns);
	/* The clock that now comes from, nanoseconds. The stack reads it a few times a round at most, to end a long one in time where no driver refreshes now, and while
	 * net.core.runtime_stats is on. NULL: time stands still in a round, and there are no run times. */
	ktime_t (*clock)(void *priv);
};

struct stack_params {
	uint64_t seed[4]; /* all randomness comes from here; shards of one namespace share seed[0..1], which key the flow hash and the ISN */
	uint32_t cpu, ncpu; /* this shard and how many there are (1 to STACK_MAX_CPUS) */
	uint64_t wall_offset_ns; /* wall clock minus ktime at start, for daytime and timestamps shown; 0 in tests */
	size_t   mem_limit; /* bytes of packet areas; 0: none */
	uint32_t netns; /* number of the network namespace, for link_netns; 0: the first, or the only one */
	uint32_t instance; /* telling this start from the one before, for IP IDs and socket identities */
};

/* 0, -EINVAL or -ENOMEM. ops must outlive the stack; a stack without a configuration drops everything. */
int  stack_new(struct stack **ret, const struct stack_params *params, const struct stack_ops *ops, void *priv, ktime_t now);
/* Resets connections without sending, purges queues, frees everything. */
void stack_free(struct stack *stack);

/* Makes the stack follow a new version of the configuration (see netcfg.h). snap stays valid until every shard has applied a
 * later one. 0, or -ENOMEM with the old one still in force. */
int  stack_apply(struct stack *stack, const struct net_snapshot *snap, ktime_t now);
const struct net_snapshot *stack_snapshot(const struct stack *stack); /* the one in force; NULL: none yet */

void stack_irq(struct stack *stack, int ifindex, ktime_t now); /* the device has frames: napi_schedule */
void stack_rx(struct stack *stack, int ifindex, struct sk_buff *skb, ktime_t now); /* consumes skb */
void stack_steered(struct stack *stack, struct sk_buff *skb, ktime_t now); /* from another shard; consumes skb */
uint32_t stack_steer_done(const struct stack *stack, unsigned from); /* frames of shard from that this one is done with, modulo 2^32: for its ops->steer_done */
void stack_msg(struct stack *stack, const struct shard_msg *msg, ktime_t now); /* from another shard */
void stack_tx_ready(struct stack *stack, int ifindex, ktime_t now); /* the device takes frames again */
/* A frame that ops->xmit had taken could not be sent after all: counts it as an error instead, and drops it. Consumes skb. */
void stack_tx_error(struct stack *stack, int ifindex, struct sk_buff *skb);
void stack_set_now(struct stack *stack, ktime_t now); /* time only; never goes backwards */

/* Runs softirqs, timers and wake-ups; budget bounds the frames received in this call (0: net.core.netdev_budget). Returns when it
 * wants to be called next: now or earlier if work is left, KTIME_MAX if only an event can make work. */
ktime_t stack_run(struct stack *stack, ktime_t now, unsigned budget);

struct skb_pool *stack_skb_pool(struct stack *stack); /* where packets for this stack come from; the stack's */
unsigned stack_cpu(const struct stack *stack); /* its params.cpu */
ktime_t  stack_now(const struct stack *stack); /* the time it was told last */
bool     stack_raised(const struct stack *stack); /* something was handed to it since its last stack_run: by a veth of another namespace, by a socket call */
void    *stack_priv(const struct stack *stack); /* what stack_new was given */

/* Ends in order what can be ended at once: FIN or RST to every peer, as SIGTERM wants it. */
void stack_shutdown(struct stack *stack, ktime_t now);

/* ---- between shards: small, copied by value, plain data -------------------------------------------------------- */

enum shard_msg_type {
	SHARD_NEIGH_UPDATE, /* a neighbour was learned or changed */
	SHARD_NEIGH_SOLICIT, /* please resolve: you are the shard that solicits for this next hop */
	SHARD_NEIGH_FAILED,
	SHARD_NEIGH_DEL, /* administrative */
	SHARD_PORT_BIND, /* a UDP socket with one owner shard was bound */
	SHARD_PORT_UNBIND,
	SHARD_FDB_UPDATE, /* a bridge has heard a station: lladdr is behind port ifindex */
	SHARD_PMTU, /* path MTU learned from an ICMP error */
};

struct shard_msg {
	enum shard_msg_type type;
	uint32_t            from; /* sending shard */
	int                 ifindex;
	struct ipaddr       addr; /* neighbour, bound address, or destination of the PMTU */
	struct eth_addr     lladdr;
	uint8_t             nud; /* NUD_* of the neighbour */
	uint8_t             proto; /* IPPROTO_* of a port */
	uint16_t            port; /* host order */
	uint16_t            flags;
	uint32_t            mtu;
	ktime_t             when;
	uint64_t            id; /* SHARD_PORT_*: which socket of the sending shard */
	struct ipaddr       peer; /* SHARD_PORT_BIND of a connected TCP socket: the other end; else none */
	uint16_t            peer_port; /* host order */
};

/* ---- neighbours by hand (permanent entries are part of the configuration; this acts on learned ones) -------------- */
int stack_neigh_delete(struct stack *stack, int ifindex, const struct ipaddr *addr, ktime_t now); /* 0 or -ENOENT */
void stack_neigh_flush(struct stack *stack, int ifindex /* 0: all */, ktime_t now);

/* ---- stations that bridges know (static ones are part of the configuration) ---------------------------------------- */
struct fdb_info {
	int             bridge, ifindex; /* of its port; the bridge's own number: the host itself */
	struct eth_addr lladdr;
	bool            local, is_static; /* neither: learned by this shard, or told by another */
	ktime_t         updated; /* when it was heard last */
};
int  stack_fdb_foreach(struct stack *stack, int (*fn)(void *arg, const struct fdb_info *info), void *arg);
/* Forgets what was learned: of a port or a bridge (0: any), of one station (NULL: any). */
void stack_fdb_flush(struct stack *stack, int ifindex, const struct eth_addr *lladdr, ktime_t now);

/* ---- events --------------------------------------------------------------------------------------------------- */
enum stack_event_type {
	STACK_EV_LINK, STACK_EV_ADDR, STACK_EV_ROUTE, STACK_EV_NEIGH, STACK_EV_NEIGH_DEL, STACK_EV_PMTU,
	STACK_EV_ADDR_CONFLICT, /* lladdr claims addr, which is ours (RFC 5227 2.4); at most one a second from a shard */
	STACK_EV_MARTIAN, /* a packet from addr (by the station lladdr) to daddr was refused for its addresses (log_martians); at most one a second from a shard */
};

struct stack_event {
	enum stack_event_type type;
	int             ifindex;
	struct ipaddr   addr, daddr; /* daddr: STACK_EV_MARTIAN only */
	struct eth_addr lladdr;
	uint8_t         nud;
	bool            carrier, up;
};

/* ---- what can be seen from outside; every shard is asked and the sums are made by the caller ---------------------- */

struct link_stats { /* as IFLA_STATS64 */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast;
	uint64_t rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors, rx_fifo_errors, rx_missed_errors, rx_nohandler;
	uint64_t tx_fifo_errors, tx_carrier_errors;
	uint32_t txq_len; /* frames waiting in the queue in front of the device */
};

struct gro_stats { /* of one device; frames that came in by a poll of a device with LINK_F_GRO */
	uint64_t normal; /* passed as they came: nothing to merge in them */
	uint64_t held; /* began a row */
	uint64_t merged; /* were put behind a held one */
	uint64_t flush_last, flush_other, flush_poll, flush_age, flush_bucket; /* why held ones went on: their last segment came (PSH, FIN, a short one); one that does not
										* fit; the poll's end; too old; too many flows */
};

struct softnet_stats { /* as /proc/net/softnet_stat, and more */
	uint64_t processed, dropped, time_squeeze, received_rps, flow_limit_count;
	uint64_t squeeze_budget, squeeze_time; /* the parts of time_squeeze: cut by netdev_budget, by netdev_budget_usecs */
	uint64_t rounds, restarts_cut; /* runs of NET_RX; calls of stack_run that left work for the next one */
	uint64_t rfs; /* frames that went straight to the shard of a socket which is not the flow's home */
	uint64_t steered, steer_full; /* handed to other shards; dropped because a shard takes no more */
	uint32_t backlog_len;
};

/* Where the time goes: X(identifier, name, help). In the order in which a frame meets them. */
#define RUNTIME_STAGES(X) \
	X(TIMER, "timer", "timers that are due") \
	X(TX, "tx", "queues in front of devices that take frames again (NET_TX)") \
	X(POLL, "poll", "drivers: reading frames") \
	X(GRO, "gro", "Ethernet header, merging of segments, steering to other workers") \
	X(BACKLOG, "backlog", "taking up frames of other workers and of devices without a driver") \
	X(RECEIVE, "netif_receive", "choice of the protocol, packet taps; ARP") \
	X(IP_RCV, "ip_rcv", "checks of the IPv4 header, options, route") \
	X(FORWARD, "ip_forward", "forwarding, and the way out up to the driver") \
	X(DELIVER, "ip_local_deliver", "delivery here: reassembly, raw sockets") \
	X(ICMP, "icmp", "ICMP") \
	X(TCP, "tcp", "TCP segments that came in, and what they let go out") \
	X(UDP, "udp", "UDP datagrams that came in") \
	X(XMIT, "xmit", "drivers: writing frames") \
	X(WAKE, "wake", "services and applications whose sockets became ready, in the stack's call") \
	X(ACKS, "acks", "TCP acknowledgements owed for the batch") \
	X(OTHER, "other", "the loop around it")
enum runtime_stage {
#define RUNTIME_STAGE_ID(id, name, help) RUNTIME_##id,
	RUNTIME_STAGES(RUNTIME_STAGE_ID)
#undef RUNTIME_STAGE_ID
	RUNTIME_MAX
};

struct runtime_stats { /* sampled runs of stack_run; to estimate all, multiply by runs / sampled */
	uint64_t runs, sampled; /* since net.core.runtime_stats was switched on */
	struct { uint64_t calls, frames /* segments: a merged packet counts as many */, ns /* in this stage itself */; } stage[RUNTIME_MAX];
};

struct neigh_info {
	int             ifindex;
	struct ipaddr   addr;
	struct eth_addr lladdr;
	uint8_t         nud;
	uint32_t        probes, queued; /* packets waiting */
	ktime_t         used, confirmed, updated; /* when */
};

struct stack_xdp_stats { /* what became of a device's frames; errors: of those that were to be sent */
	uint64_t aborted, drop, pass, tx, redirect, tx_errors, redirect_errors;
};
/* fn NULL: none. Counters start again. 0, -ENODEV, -EOPNOTSUPP (neither a driver's device nor a veth). It goes with the device. */
int  stack_xdp_set(struct stack *stack, int ifindex, stack_xdp_fn fn, void *arg);
int  stack_xdp_stats(const struct stack *stack, int ifindex, struct stack_xdp_stats *ret); /* 0 or -ENODEV */
int  stack_link_next(const struct stack *stack, int ifindex); /* the next higher number of a link, 0: there is none */
int  stack_link_stats(const struct stack *stack, int ifindex, struct link_stats *ret); /* 0 or -ENODEV */
int  stack_gro_stats(const struct stack *stack, int ifindex, struct gro_stats *ret); /* 0 or -ENODEV */
void stack_softnet_stats(const struct stack *stack, struct softnet_stats *ret);
int  stack_runtime_stats(const struct stack *stack, struct runtime_stats *ret); /* 0, or -ENODATA: net.core.runtime_stats is off, or there is no clock */
const char *runtime_stage_name(enum runtime_stage stage); /* static storage */
const char *runtime_stage_help(enum runtime_stage stage);
/* Calls fn for each neighbour of this shard until it returns non-zero, which is returned. */
int  stack_neigh_foreach(struct stack *stack, int (*fn)(void *arg, const struct neigh_info *info), void *arg);
/* Adds the shard's counters to sums[NET_MIB_MAX] (mib.h) and its drops to drops[SKB_DROP_MAX]. */
void stack_mib_add(const struct stack *stack, uint64_t *sums);
void stack_drops_add(const struct stack *stack, uint64_t *drops);

const char *netstack_version(void); /* of the library that runs, "MAJOR.MINOR.PATCH"; static */

#endif
