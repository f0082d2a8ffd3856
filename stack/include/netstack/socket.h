/* SPDX-License-Identifier: MIT */
/*
 * socket.h: sockets on a stack. The calls mean what their POSIX namesakes mean on Linux for a non-blocking descriptor, with
 * errors as negative return values. None of them blocks; -EAGAIN tells to wait for readiness.
 *
 * Readiness. A socket has a cookie of the application's choice and an interest mask. When something happens on it, the stack
 * calls ops->wake(cookie, events) at the end of stack_run, once, with what is ready now (EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP,
 * EPOLLRDHUP, EPOLLPRI): edge triggered. ns_poll gives the level. struct ns_epoll offers both as epoll(7) does.
 * The five moments that must wake: a connection in the accept queue (IN), data (IN), acknowledged data freed send space (OUT),
 * FIN (IN|RDHUP), RST or an ICMP error (ERR|HUP|IN).
 *
 * A socket belongs to the stack (shard) it was made on. A TCP listener serves the connections that hash to its shard: make
 * one on every shard. A UDP socket is found from every shard; NS_SO_SHARD_REPLICA says that its like exists on each, as a
 * service does, so that no datagram has to be handed over.
 */
#ifndef NETSTACK_SOCKET_H
#define NETSTACK_SOCKET_H

#include <netstack/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct stack;
struct skb_area;
struct socket; /* public handle; opaque */

/* domain AF_INET (AF_INET6: -EAFNOSUPPORT until that family is here); SOCK_STREAM, SOCK_DGRAM, SOCK_RAW. AF_PACKET: SOCK_RAW, SOCK_DGRAM, protocol an EtherType in network
 * byte order (packet(7)); such a socket sees the frames of its own shard: make one on each to see them all. -EPROTONOSUPPORT, -EMFILE, -ENOMEM. */
int ns_socket(struct stack *stack, int domain, int type, int protocol, struct socket **ret);
int ns_bind(struct socket *sock, const struct sockaddr *addr, socklen_t len);
int ns_listen(struct socket *sock, int backlog);
int ns_connect(struct socket *sock, const struct sockaddr *addr, socklen_t len); /* -EINPROGRESS for TCP; AF_UNSPEC: disconnects */
int ns_accept(struct socket *sock, struct socket **ret, struct sockaddr *addr, socklen_t *len); /* addr may be NULL */
ssize_t ns_sendmsg(struct socket *sock, const struct msghdr *msg, int flags);
ssize_t ns_recvmsg(struct socket *sock, struct msghdr *msg, int flags);
ssize_t ns_send(struct socket *sock, const void *buf, size_t len, int flags);
ssize_t ns_recv(struct socket *sock, void *buf, size_t len, int flags);
int ns_shutdown(struct socket *sock, int how);
/* As close(2): the handle is gone at once; what was sent goes on being delivered, SO_LINGER applies without blocking. */
void ns_close(struct socket *sock);
int ns_getsockname(struct socket *sock, struct sockaddr *addr, socklen_t *len);
int ns_getpeername(struct socket *sock, struct sockaddr *addr, socklen_t *len);
int ns_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len);
int ns_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len); /* TCP_INFO: struct tcp_info of <linux/tcp.h> */
int ns_ioctl(struct socket *sock, unsigned long cmd, int *val); /* FIONREAD/SIOCINQ, SIOCOUTQ, SIOCATMARK */

/* Zero-copy receive for services inside the process: calls fn on up to max bytes in place, in order, and consumes what fn says
 * it took; stops when it takes less than offered. Returns the sum taken, 0 at end of stream, -EAGAIN, or an error. fn may send on the socket
 * and may close it; receiving from it inside fn is -EBUSY. */
ssize_t ns_recv_inplace(struct socket *sock, size_t max, size_t (*fn)(void *arg, const void *data, size_t len), void *arg);
/* Zero-copy send: data is written straight into packet buffers by fn, which fills len bytes. Returns bytes queued or -EAGAIN …
 * fn may shut the socket down or close it, and what it was filling then is not sent; it is not to send on it. */
ssize_t ns_send_fill(struct socket *sock, size_t max, void (*fn)(void *arg, void *data, size_t len), void *arg);

/* Sends len bytes from off of an area without copying them (TCP): segments hold references to it (skbuff.h), so what is in it must not change while any is left;
 * the caller keeps his own. For what is sent again and again; foreign memory has area->free. The area and all references belong to the socket's shard. Returns bytes
 * queued, -EAGAIN, -EINVAL (beyond its end), -EOPNOTSUPP. */
ssize_t ns_send_area(struct socket *sock, struct skb_area *area, uint32_t off, size_t len, int flags /* MSG_MORE: more follows at once */);

/* interest 0: no wake-ups. EPOLLONESHOT: one, and none after it until the next call of this. What holds already is told at the end of the next stack_run, as
 * EPOLL_CTL_ADD and EPOLL_CTL_MOD do it. */
void     ns_set_cookie(struct socket *sock, uint64_t cookie, uint32_t interest);
uint32_t ns_poll(struct socket *sock); /* EPOLL* bits that hold now */
struct stack *ns_stack(struct socket *sock);

#define SOL_NETSTACK       0x4e53
#define NS_SO_SHARD_REPLICA 1 /* int; UDP, before bind */

/* epoll(7) over sockets of one stack. Events carry the cookie given to ctl. */
struct ns_epoll;
struct ns_epoll_event { uint32_t events; uint64_t data; };
int  ns_epoll_create(struct stack *stack, struct ns_epoll **ret);
int  ns_epoll_ctl(struct ns_epoll *ep, int op /* EPOLL_CTL_* */, struct socket *sock, const struct ns_epoll_event *ev);
int  ns_epoll_wait(struct ns_epoll *ep, struct ns_epoll_event *ev, int max); /* 0 when none: never blocks */
void ns_epoll_set_cookie(struct ns_epoll *ep, uint64_t cookie); /* ops->wake(cookie, EPOLLIN) when it becomes non-empty */
void ns_epoll_close(struct ns_epoll *ep);

/* One line of "ss -tuanpi", for show commands. */
struct sock_info {
	int           family, type, protocol;
	uint8_t       state; /* TCP_ESTABLISHED … of <netinet/tcp.h>; UDP: TCP_ESTABLISHED connected, TCP_CLOSE not */
	struct ipaddr local, remote; /* AF_PACKET: none; lport is the EtherType */
	uint16_t      lport, rport; /* host order */
	int           ifindex; /* bound device, 0: none */
	uint32_t      recvq, sendq; /* bytes; listener: queue length and backlog */
	uint64_t      cookie, ino; /* application's cookie; a number unique in this instance */
	char          owner[32]; /* who uses it: "http", "echo", a process */
	uint32_t      rmem, rcvbuf, wmem, sndbuf, drops;
	uint8_t       timer; /* 0 none, 1 retransmit, 2 keepalive, 3 time-wait, 4 zero-window probe */
	uint8_t       retrans;
	ktime_t       expires; /* of timer, in ns from now */
	bool          has_tcp_info;
	char          cong[16];
	uint64_t      tcp_info[40]; /* struct tcp_info of <linux/tcp.h>, as many bytes as fit */
};
void ns_set_owner(struct socket *sock, const char *owner); /* at most 31 bytes are kept */
int  stack_sock_foreach(struct stack *stack, int (*fn)(void *arg, const struct sock_info *info), void *arg);

#endif
