/* SPDX-License-Identifier: MIT */
/*
 * sock_priv.h: what the files of the socket layer share among themselves. Owner of each part: the file that is named.
 */
#ifndef STACK_SOCK_PRIV_H
#define STACK_SOCK_PRIV_H

#include "sock.h"

#define RAW_HASH  16
#define MSG_IOV_MAX 1024 /* as UIO_MAXIOV */

struct sock_state { /* stack->socks; sock.c */
	struct list_head  socks; /* struct sock.node: alive */
	struct list_head  zombies; /* struct sock.node: destroyed, but skbs that are charged to them are still under way */
	struct list_head  wakes; /* struct sock.wake_node */
	struct list_head  ep_wakes; /* struct ns_epoll.wake_node */
	struct hlist_head raw[RAW_HASH]; /* struct sock.hash_node by protocol; raw.c */
	struct hlist_head raw_remotes; /* raw sockets of other shards, struct raw_remote.node */
	unsigned          count;
	uint64_t          next_ino;
	size_t            mem_tcp, mem_other; /* bytes charged */
};

/* A socket's level of readiness; remembers that there was no room to send, so that room will be announced. */
uint32_t sk_poll(struct sock *sk);

/* epoll.c */
void epoll_sk_event(struct sock *sk, uint32_t events); /* puts the watchers of sk on their ready lists */
void epoll_sk_closed(struct sock *sk); /* a closed socket vanishes from every set */
bool epoll_run_wakes(struct stack *stack);
void epoll_exit(struct stack *stack); /* sets may outlive the stack; their sockets do not */

/* sockopt.c: level SOL_SOCKET */
int sock_setsockopt(struct sock *sk, int name, const void *val, socklen_t len);
int sock_getsockopt(struct sock *sk, int name, void *val, socklen_t *len);
int ns_private_setsockopt(struct sock *sk, int name, const void *val, socklen_t len); /* level SOL_NETSTACK */
/* Helpers of every option call. The value as int, from 1 to 4 bytes as Linux's IP level takes them: 0 or -EINVAL/-EFAULT. */
int opt_get_int(const void *val, socklen_t len, int *ret);
int opt_put(void *val, socklen_t *len, const void *from, size_t size); /* truncates, sets *len */
int opt_put_int(void *val, socklen_t *len, int v);

/* skb->cb of what stands in the receive queue of a datagram socket: skb->dev may be gone by the time it is read. */
struct dgram_cb {
	int      iif;
	be32     spec_dst; /* our address on that device: the source of an answer */
	uint32_t dropped; /* sk->drops when it was queued */
	uint16_t sport, dport; /* host order; 0 without ports */
	uint16_t gro_size; /* UDP_GRO: bytes of each of the datagrams in it; 0: it is one */
};
#define DGRAM_CB(skb) ((struct dgram_cb *)(void *)(skb)->cb)

#define UDP_GRO 104
/* ip_sockglue.c: ancillary data and the error queue of datagram sockets */
struct ipcm { /* what a sendmsg says for this one packet */
	struct ipaddr  saddr; /* family 0: not given */
	int            oif;
	int            tos, ttl; /* -1: the socket's */
	uint16_t       gso_size; /* UDP_SEGMENT */
	bool           mark_set;
	uint32_t       mark;
	uint8_t        optlen;
	const uint8_t *opt;
};
void ipcm_init(struct ipcm *ipc, const struct sock *sk);
void sk_cmsg_time(const struct sock *sk, const struct sk_buff *skb, struct msghdr *msg); /* SO_TIMESTAMP, SO_TIMESTAMPNS, if asked for */
/* Queues an error for a socket that asked (IP_RECVERR). quoted: the packet at fault from its IP header on; payload_off: where its data begins. */
void ip_icmp_error(struct sock *sk, const struct sk_buff *icmp, int err, uint8_t type, uint8_t code, uint16_t port, uint32_t info, uint32_t payload_off);
void ip_local_error(struct sock *sk, int err, const struct ipaddr *daddr, uint16_t port, uint32_t info);
ssize_t ip_recv_error(struct sock *sk, struct msghdr *msg); /* MSG_ERRQUEUE; -EAGAIN when there is none */
/* Common parts of datagram sockets. */
int      datagram_route(struct sock *sk, const struct ipcm *ipc, const struct ipaddr *daddr, uint16_t dport, bool connected, struct skb_route *rt, struct ipaddr *saddr);
/* datagram_route with what the message's ancillary data says; -EACCES: a broadcast that SO_BROADCAST does not allow. *daddr becomes an address of our own for 0.0.0.0. */
int      datagram_way(struct sock *sk, const struct msghdr *msg, struct ipcm *ipc, struct ipaddr *daddr, uint16_t dport, bool connected, struct skb_route *rt, struct ipaddr *saddr);
/* The message's first len bytes in a buffer, linear, behind that much headroom. -EAGAIN (the send buffer is full), -ENOBUFS, -EFAULT. */
int      datagram_build(struct sock *sk, const struct msghdr *msg, uint32_t len, uint32_t headroom, struct sk_buff **ret);
/* The next datagram to the application: bytes, sender, ancillary data. *taken: it, off the queue, the caller's to free; NULL: nothing was, or it was only looked at. */
ssize_t  datagram_recv(struct sock *sk, struct msghdr *msg, int flags, struct sk_buff **taken);
int      datagram_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port);
uint32_t datagram_poll(struct sock *sk);
int      datagram_ioctl(struct sock *sk, unsigned long cmd, int *val);
int      datagram_icmp_errno(const struct sock *sk, uint8_t type, uint8_t code, bool *hard); /* udp.c */
bool     ip_sk_df(const struct sock *sk, const struct skb_route *rt, uint32_t total_len); /* whether a packet of total_len bytes carries DF */

/* packet.c: type SOCK_RAW or SOCK_DGRAM, proto an EtherType in host order. */
void packet_open(struct sock *sk, int type, uint16_t proto);

/* sock_filter.c */
int      sk_filter_setsockopt(struct sock *sk, int name, const void *val, socklen_t len); /* SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER */
void     sk_filter_free(struct sock *sk);
uint32_t sk_filter_frame(const struct sock *sk, const struct stack_tap_frame *frame); /* how many bytes are wanted; all without a filter */
bool     sk_filter_skb(const struct sock *sk, struct sk_buff *skb, uint32_t keep); /* false: not wanted. Else skb is cut to what is, but not below keep */

/* raw.c */
void raw_hash(struct sock *sk, uint8_t protocol);
void raw_shard_msg(struct stack *stack, const struct shard_msg *msg); /* another shard has, or no longer has, a raw socket */
void raw_exit(struct stack *stack);
#define SHARD_PORT_F_RAW 0x8000u /* in shard_msg.flags of SHARD_PORT_*: proto is what a raw socket wants, port means nothing */

#endif
