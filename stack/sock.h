/* SPDX-License-Identifier: MIT */
/*
 * sock.h: the socket as the protocols see it, the protocol as the socket layer sees it, and the lookup tables. Files: socket.c (the public calls),
 * sock.c (life, memory accounts, options of SOL_SOCKET, wake-ups), inet_hash.c (tables and local ports), epoll.c, dump.c, udp.c, raw.c, tcp*.c.
 *
 * Life. A struct sock has a reference count (timers, tables and queued skbs do not hold references: the protocol's destroy undoes them; what holds one is
 * the handle of the application, an accept queue, and a running call). ns_close detaches the handle and calls proto->close, which takes over the handle's
 * reference: it puts it now or, for TCP, when the connection has ended (sock->dead meanwhile). The last sock_put calls proto->destroy; the memory stays until
 * the last skb that is charged to the sock (skb_set_owner_*) is freed, which may stand in a neighbour's queue or in front of a device.
 *
 * Directions. In a struct sock and in a struct ehash_entry saddr/sport are ours and daddr/dport the peer's. The lookups take what a received packet has:
 * saddr/sport the peer's, daddr/dport ours.
 */
#ifndef STACK_SOCK_H
#define STACK_SOCK_H

#include "list.h"
#include "route.h"
#include "stack_priv.h"
#include <netinet/in.h>
#include <netstack/socket.h>
#include <sys/epoll.h>

struct msghdr;
struct proto;
struct ns_epitem;
struct bind_bucket; /* a local port in use; inet_hash.c */

/* Socket states are TCP's, as everywhere in Linux; the numbers are those of <netinet/tcp.h>, so that tcp_info and ss agree. */
enum tcp_sk_state {
	SS_ESTABLISHED = 1, SS_SYN_SENT, SS_SYN_RECV, SS_FIN_WAIT1, SS_FIN_WAIT2, SS_TIME_WAIT, SS_CLOSE, SS_CLOSE_WAIT, SS_LAST_ACK, SS_LISTEN, SS_CLOSING,
	SS_NEW_SYN_RECV
};

#define SHUTDOWN_RCV 1
#define SHUTDOWN_SND 2

/* The public handle: what an application holds. Embedded in the sock it stands for. */
struct socket {
	uint64_t cookie;
	uint32_t interest; /* EPOLL* */
};

/* The key of the tables. Hash is flow_hash_tuple for connected ones: the same that steering uses. */
struct sock {
	struct socket       sock; /* first: a handle is its sock */
	struct stack       *stack;
	const struct proto *proto;
	struct hlist_node   hash_node; /* established table, or listening/bound table by port */
	struct hlist_node   bind_node; /* bind bucket */
	struct bind_bucket *bind; /* NULL: no local port */
	struct list_head    node; /* stack->socks, all sockets */
	struct list_head    wake_node; /* waiting for ops->wake */
	struct list_head    epitems; /* ns_epitems that watch it */

	struct ipaddr       daddr, saddr; /* peer and local; saddr any: not bound to one */
	struct ipaddr       rcv_saddr; /* the address bound to; any: all */
	uint16_t            dport, sport; /* host order; 0: none */
	int                 bound_dev_if;
	uint32_t            hash; /* flow hash once connected */
	uint64_t            ino;

	uint16_t            family, protocol;
	uint8_t             type; /* SOCK_* */
	uint8_t             state; /* enum tcp_sk_state */
	uint8_t             shutdown; /* SHUTDOWN_* */
	bool                dead; /* the application has closed */
	bool                hashed_listen;
	bool                auto_port; /* the port was chosen by connect or by the first send, not by bind */
	bool                bound_addr; /* rcv_saddr was given to bind */
	bool                announced; /* other shards know of this port */
	bool                nospace; /* the application was refused room to send: it waits for EPOLLOUT */
	uint32_t            refcnt;
	uint32_t            skb_refs; /* skbs whose destructor will come back to this sock */

	/* options */
	bool                reuse, reuseport, udp_gro, broadcast, localroute, keepopen, linger_on, oobinline, timestamp, pktinfo, recvttl, recvtos, recverr, replica, freebind, nodefrag;
	uint8_t             tos, ttl /* 0: default */, mcast_ttl, pmtudisc, userlocks /* bit 0: SO_SNDBUF set, bit 1: SO_RCVBUF set */;
	bool                mcast_loop, mcast_all, timestampns, recvopts, no_check, bind_no_port, reuse_repeat, rxq_ovfl, recvorigdst;
	uint8_t             min_ttl, optlen, ipopt[40]; /* IP_OPTIONS, sent with each packet */
	int                 mcast_if, ucast_if; /* ifindex of IP_MULTICAST_IF and IP_UNICAST_IF, 0: by route */
	struct ipaddr       mcast_addr; /* the address it was named by */
	int                 linger_secs, rcvlowat, priority, incoming_cpu;
	uint32_t            mark;
	uint64_t            max_pacing_rate; /* bytes a second; UINT64_MAX: none */
	ktime_t             rcvtimeo, sndtimeo;

	/* memory, in bytes of truesize. Receive: what stands in receive queues; send: what was made by the application and not yet freed */
	uint32_t            rcvbuf, sndbuf, rmem, wmem;
	uint32_t            drops;
	struct sk_buff_head rcvq; /* data ready for the application, in order */
	struct sk_buff_head errq; /* SO/IP_RECVERR */
	int                 err; /* SO_ERROR, positive; fatal */
	int                 err_soft; /* reported only if it ends in a timeout */

	uint32_t            wake_events; /* gathered for the next ops->wake */

	struct skb_route    rt; /* cached way to the peer, or of an unconnected datagram socket to last_daddr, from last_saddr */
	struct ipaddr       last_daddr, last_saddr;
	uint32_t            rt_genid; /* route_genid() when it was looked up; 0: never */
	char                owner[32];
	struct sk_filter   *filter; /* SO_ATTACH_FILTER; NULL: none. Owned; sock_filter.c */
	bool                filter_locked;
};

static inline struct sock *sk_of(struct socket *s) { return (struct sock *)(void *)s; }

struct ehash_entry;
struct proto {
	const char *name;
	size_t      obj_size; /* struct tcp_sock, … ; a struct sock is its first member */
	uint8_t     type, protocol;
	int  (*init)(struct sock *sk);
	void (*destroy)(struct sock *sk); /* queues, timers; the sock is out of every table by then; called once, before the memory goes */
	void (*close)(struct sock *sk); /* ns_close; the sock may be gone afterwards */
	int  (*bind)(struct sock *sk, const struct sockaddr *sa, socklen_t len); /* of families other than AF_INET; NULL: as IP does it */
	int  (*getname)(struct sock *sk, struct sockaddr *sa, socklen_t *len); /* likewise */
	int  (*connect)(struct sock *sk, const struct ipaddr *addr, uint16_t port);
	int  (*disconnect)(struct sock *sk); /* connect(AF_UNSPEC) */
	int  (*listen)(struct sock *sk, int backlog); /* NULL: -EOPNOTSUPP */
	int  (*accept)(struct sock *sk, struct sock **ret);
	int  (*shutdown)(struct sock *sk, int how); /* SHUTDOWN_* bits */
	ssize_t (*sendmsg)(struct sock *sk, const struct msghdr *msg, int flags);
	ssize_t (*recvmsg)(struct sock *sk, struct msghdr *msg, int flags);
	ssize_t (*recv_inplace)(struct sock *sk, size_t max, size_t (*fn)(void *, const void *, size_t), void *arg);
	ssize_t (*send_area)(struct sock *sk, struct skb_area *area, uint32_t off, size_t len, int flags); /* NULL: not this protocol */
	ssize_t (*send_fill)(struct sock *sk, size_t max, void (*fn)(void *, void *, size_t), void *arg);
	int  (*setsockopt)(struct sock *sk, int level, int name, const void *val, socklen_t len); /* levels of the protocol; -ENOPROTOOPT */
	int  (*getsockopt)(struct sock *sk, int level, int name, void *val, socklen_t *len);
	void (*keepalive)(struct sock *sk, bool on); /* SO_KEEPALIVE was set; may be NULL */
	unsigned (*waiting_skbs)(const struct sock *sk); /* packets in queues of the protocol's own; NULL: there are none */
	int  (*ioctl)(struct sock *sk, unsigned long cmd, int *val);
	uint32_t (*poll)(struct sock *sk);
	void (*info)(struct sock *sk, struct sock_info *info); /* fills in what only the protocol knows */
	void (*mini_info)(struct stack *stack, const struct ehash_entry *e, struct sock_info *info); /* TCP: timer, expires, retrans of a minisock; may be NULL */
	void (*route_changed)(struct sock *sk); /* the configuration changed; may be NULL */
};
extern const struct proto tcp_prot, udp_prot, raw_prot, packet_prot;

/* sock.c */
struct sock *sk_alloc(struct stack *stack, int family, const struct proto *prot); /* refcnt 1, in stack->socks, options at their defaults, proto->init called; NULL: no memory or limit */
static inline void sock_hold(struct sock *sk) { sk->refcnt++; }
void sock_put(struct sock *sk); /* the last one destroys */
/* All sockets of the shard, by struct sock.node, newest last; tcp_exit walks it. A sock leaves the list when its last reference is put. */
struct list_head *sock_list(struct stack *stack);
/* Readiness changed: events are gathered, ops->wake is called at the end of stack_run. Edge: a set bit that the application has not been told of yet. */
void sk_wake(struct sock *sk, uint32_t events);
void sk_error(struct sock *sk, int err); /* sets err and wakes with ERR|HUP|IN as fits */
int  sk_take_error(struct sock *sk); /* negative errno, or 0; clears it */
/* Receive queue. Takes skb into rmem and queues it, or frees it with the reason and returns -ENOMEM. force: control data that must not be lost. */
int  sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb);
/* Memory of the protocol in this shard, in bytes (tcp_mem_limit, udp_mem_limit): charged by skb_set_owner_r/w, uncharged at the free. */
bool   sk_mem_fits(const struct sock *sk, uint32_t bytes); /* false: the limit would be passed */
size_t sk_mem_used(const struct stack *stack, uint8_t protocol);
void skb_set_owner_r(struct sk_buff *skb, struct sock *sk); /* charges truesize to rmem until the skb is freed or orphaned */
void skb_set_owner_w(struct sk_buff *skb, struct sock *sk); /* to wmem; at the free: sk->wmem falls, and write space is announced when it halves */
void sk_write_space(struct sock *sk); /* wakes with EPOLLOUT if the protocol's poll says so */
/* Way to sk->daddr, from the cache when the genid is right: 0 or -errno. Sets saddr if unset. */
int  sk_route(struct sock *sk);
int  sockaddr_to_ip(const struct sockaddr *sa, socklen_t len, struct ipaddr *ret_addr, uint16_t *ret_port); /* -EINVAL, -EAFNOSUPPORT */
void ip_to_sockaddr(const struct ipaddr *addr, uint16_t port, struct sockaddr *sa, socklen_t *len); /* truncates as getsockname does */
size_t msghdr_len(const struct msghdr *msg);
/* Copies between a msghdr's iovecs and packet bytes, from byte off of the iovecs. 0 or -EFAULT. */
int  msg_copy_from(const struct msghdr *msg, size_t off, void *to, size_t len);
int  msg_copy_to(struct msghdr *msg, size_t off, const void *from, size_t len);
int  skb_copy_to_msg(const struct sk_buff *skb, uint32_t skb_off, struct msghdr *msg, size_t msg_off, size_t len);
int  put_cmsg(struct msghdr *msg, int level, int type, const void *data, size_t len); /* MSG_CTRUNC when it does not fit */
/* IP-level options common to all (IP_TOS, IP_TTL, IP_MTU, IP_RECVERR …). -ENOPROTOOPT: not one of them. */
int  ip_setsockopt(struct sock *sk, int name, const void *val, socklen_t len);
int  ip_getsockopt(struct sock *sk, int name, void *val, socklen_t *len);

/* inet_hash.c: tables keyed by protocol. TCP: established, listening, TIME-WAIT (struct inet_timewait in tcp_minisocks.c has a struct sock_common-like
 * head: it is looked up through struct ehash_entry). The established table is TCP's alone. Several entries of one 4-tuple may stand in it for a moment
 * (a TIME-WAIT and its successor); the last inserted is found. */
struct ehash_entry { /* member of whatever stands in the established table */
	struct hlist_node node;
	uint32_t          hash;
	uint16_t          sport, dport;
	struct ipaddr     saddr, daddr; /* ours, the peer's */
	uint8_t           state; /* SS_TIME_WAIT, SS_NEW_SYN_RECV or a full sock's at the time of hashing */
	uint8_t           kind; /* EHASH_SOCK, EHASH_TW, EHASH_REQ */
	int               ifindex; /* bound device, 0: any */
	void             *obj; /* struct sock *, or the minisock */
};
enum { EHASH_SOCK, EHASH_TW, EHASH_REQ };
void inet_ehash_insert(struct stack *stack, struct ehash_entry *e); /* e->hash from flow_hash_tuple */
void inet_ehash_remove(struct stack *stack, struct ehash_entry *e);
/* As a received packet has them: saddr, sport the peer's; daddr, dport ours. */
struct ehash_entry *inet_ehash_lookup(struct stack *stack, uint32_t hash, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, int iif);
/* Best listener for a destination: address over wildcard, device over none, REUSEPORT spread by hash. NULL: none. */
struct sock *inet_lhash_lookup(struct stack *stack, const struct ipaddr *daddr, uint16_t dport, uint32_t flow_hash, int iif);
/* The port must have been bound and inet_listen_conflict asked (ns_listen does both before proto->listen). */
void inet_listen_hash(struct sock *sk);
int  inet_listen_conflict(const struct sock *sk); /* 0, or -EADDRINUSE: another socket listens there and not both have SO_REUSEPORT */
void inet_listen_unhash(struct sock *sk);
/* Local ports. port 0: an ephemeral one (RFC 6056: random; for a socket that will not be connected). -EADDRINUSE, -EACCES, -EADDRNOTAVAIL. SO_REUSEADDR, SO_REUSEPORT as on Linux. */
int  inet_bind_port(struct sock *sk, const struct ipaddr *addr, uint16_t port);
/* For connect, sk->saddr known: a port such that the reply's flow hash lands on this shard and the 4-tuple is free (TIME-WAIT reuse is asked of tw_reuse, may be NULL;
 * it removes the entry if it agrees). A port that is bound already is kept and only the 4-tuple checked. Sets sk->sport, sk->hash, and rcv_saddr unless bind gave it.
 * -EADDRNOTAVAIL: none is left. */
int  inet_connect_port(struct sock *sk, const struct ipaddr *daddr, uint16_t dport, bool (*tw_reuse)(struct stack *, struct ehash_entry *));
void inet_inherit_port(struct sock *parent, struct sock *child); /* an accepted connection shares its listener's bucket */
void inet_put_port(struct sock *sk); /* sport keeps its value for getsockname; sk->bind is NULL then */
/* A connection in TIME-WAIT goes on occupying its local port after its sock is gone: a member of the minisock. */
struct inet_tw_port {
	struct hlist_node   node;
	struct bind_bucket *bucket;
	struct ipaddr       rcv_saddr;
	int                 bound_dev_if;
	bool                reuse, reuseport;
};
void inet_tw_take_port(struct inet_tw_port *tw, const struct sock *sk); /* shares sk's bucket; call it before sk lets go of its port */
void inet_tw_put_port(struct stack *stack, struct inet_tw_port *tw);
/* Calls fn for every entry of the established table, in no order; fn may remove the entry it is given, nothing else. Stops at non-zero, returns it. */
int  inet_ehash_foreach(struct stack *stack, int (*fn)(void *arg, struct ehash_entry *e), void *arg);
unsigned inet_ehash_count(const struct stack *stack);
/* Another shard that has a matching socket of this port: its number, or -ENOENT. Asked after the local tables had no match (TCP: no connection), and only for a packet
 * that hashes to this shard (flow_cpu(skb->hash)), so that nothing is handed over twice. owners: all of them, as bits. */
int  inet_port_owner(const struct stack *stack, uint8_t protocol, const struct ipaddr *daddr, uint16_t dport, int iif);
bool inet_port_gro(const struct stack *stack, const struct ipaddr *daddr, uint16_t dport, int iif); /* a UDP socket of another shard there asked for UDP_GRO */
void inet_port_announce_again(struct sock *sk); /* what the others know of a socket has changed; no-op for one that they do not know */
/* The shard to which a packet may be handed without asking the flow's home, as that has surely no better socket for it: steer.c. -ENOENT: ask home. hash: the flow's. */
int  inet_port_direct(struct stack *stack, uint8_t protocol, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, uint32_t hash, int iif);
uint64_t inet_port_owners(const struct stack *stack, uint8_t protocol, uint16_t dport);
/* UDP: bound sockets by port. Iterates best match; see udp.c. */
struct sock *inet_uhash_lookup(struct stack *stack, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, uint32_t flow_hash, int iif);
int  inet_uhash_foreach(struct stack *stack, uint16_t dport, int (*fn)(void *arg, struct sock *sk), void *arg); /* for broadcast and multicast */

#endif
