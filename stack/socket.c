/* SPDX-License-Identifier: MIT */
/*
 * socket.c: the public calls of socket.h. Each checks what is common to all protocols, in the order in which Linux finds fault, and hands on to the protocol.
 *
 * A call holds a reference while it runs, so that nothing that happens in it (a reset that arrives over the loopback device, for one) can take the sock away
 * under it. Nothing here blocks: MSG_DONTWAIT is implied, MSG_WAITALL and the time-outs have no effect.
 *
 * Room to send is announced only to who was refused it: the calls note a refusal or a short count in sk->nospace, and so does a poll without EPOLLOUT.
 *
 * AF_PACKET is packet.c's. Not done: AF_INET6, SOCK_SEQPACKET, MSG_OOB for other than TCP.
 */
#include "sock_priv.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static const struct proto *proto_find(int type, int protocol, int *err)
{
	static const struct proto *const table[] = { &tcp_prot, &udp_prot, &raw_prot };
	bool type_known = false;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct proto *p = table[i];

		if (p->type != type)
			continue;
		type_known = true;
		if (p->type == SOCK_RAW ? protocol > 0 && protocol < 256 : !protocol || protocol == p->protocol)
			return p;
	}
	*err = type_known ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
	return NULL;
}

/* AF_PACKET: the protocol is an EtherType in network byte order. */
static int packet_socket(struct stack *stack, int type, int protocol, struct socket **ret)
{
	struct sock *sk;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (stack->socks->count >= (unsigned)stack->sysctl->max_sockets)
		return -EMFILE;
	sk = sk_alloc(stack, AF_PACKET, &packet_prot);
	if (!sk)
		return -ENOMEM;
	packet_open(sk, type, be16_to_cpu((be16)protocol));
	*ret = &sk->sock;
	return 0;
}

int ns_socket(struct stack *stack, int domain, int type, int protocol, struct socket **ret)
{
	const struct proto *prot;
	struct sock *sk;
	int err = 0;

	if (domain == AF_PACKET)
		return packet_socket(stack, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol, ret);
	if (domain != AF_INET)
		return -EAFNOSUPPORT;
	if (protocol < 0 || protocol >= 256)
		return -EINVAL;
	prot = proto_find(type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol, &err);
	if (!prot)
		return err;
	if (stack->socks->count >= (unsigned)stack->sysctl->max_sockets)
		return -EMFILE;
	sk = sk_alloc(stack, domain, prot);
	if (!sk)
		return -ENOMEM;
	if (prot->type == SOCK_RAW)
		raw_hash(sk, (uint8_t)protocol);
	*ret = &sk->sock;
	return 0;
}

/* May a socket have this address? Ours, a broadcast or a multicast one; any other only with IP_FREEBIND. */
static int bind_addr_ok(const struct sock *sk, const struct ipaddr *addr)
{
	uint8_t type;

	if (ipaddr_is_any(addr) || sk->freebind)
		return 0;
	if (!sk->stack->snap)
		return -EADDRNOTAVAIL;
	type = inet_addr_type(sk->stack->snap, addr);
	return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_MULTICAST ? 0 : -EADDRNOTAVAIL;
}

static bool addr_is_group(const struct sock *sk, const struct ipaddr *addr)
{
	uint8_t type = ipaddr_is_any(addr) || !sk->stack->snap ? RTN_LOCAL : inet_addr_type(sk->stack->snap, addr);

	return type == RTN_BROADCAST || type == RTN_MULTICAST;
}

static int bind_parse(const struct sockaddr *sa, socklen_t len, struct ipaddr *addr, uint16_t *port)
{
	struct sockaddr_in in;

	if (sa && len >= sizeof(in)) { /* AF_UNSPEC with the wildcard is taken for AF_INET, as old programs want it */
		memcpy(&in, sa, sizeof(in));
		if (in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == 0)
			in.sin_family = AF_INET;
		return sockaddr_to_ip((const struct sockaddr *)(const void *)&in, len, addr, port);
	}
	return -EINVAL;
}

int ns_bind(struct socket *sock, const struct sockaddr *sa, socklen_t len)
{
	struct sock *sk = sk_of(sock);
	struct ipaddr addr;
	uint16_t port;
	int err;

	if (sk->proto->bind)
		return sk->proto->bind(sk, sa, len);
	err = bind_parse(sa, len, &addr, &port);
	if (err)
		return err;
	err = bind_addr_ok(sk, &addr);
	if (err)
		return err;
	if (sk->state != SS_CLOSE || sk->bind)
		return -EINVAL;
	if (sk->type == SOCK_RAW) {
		sk->rcv_saddr = addr;
	} else if (port || !sk->bind_no_port) {
		err = inet_bind_port(sk, &addr, port);
		if (err)
			return err;
	} else {
		sk->rcv_saddr = addr;
	}
	sk->bound_addr = !ipaddr_is_any(&addr);
	sk->saddr = addr_is_group(sk, &addr) ? IPADDR_NONE : addr; /* a group can receive, but is no source */
	sk->daddr = IPADDR_NONE;
	sk->dport = 0;
	sk->rt_genid = 0;
	return 0;
}

static int listen_prepare(struct sock *sk)
{
	struct ipaddr any = ipaddr_v4(0);

	if (!sk->bind) {
		int err = inet_bind_port(sk, sk->bound_addr ? &sk->rcv_saddr : &any, 0);

		if (err)
			return err;
	}
	return inet_listen_conflict(sk);
}

int ns_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sk_of(sock);
	int err;

	if (!sk->proto->listen)
		return -EOPNOTSUPP;
	if (sk->state != SS_CLOSE && sk->state != SS_LISTEN)
		return -EINVAL;
	if ((unsigned)backlog > (unsigned)sk->stack->sysctl->somaxconn)
		backlog = sk->stack->sysctl->somaxconn;
	if (sk->state == SS_CLOSE) {
		err = listen_prepare(sk);
		if (err)
			return err;
	}
	return sk->proto->listen(sk, backlog);
}

int ns_connect(struct socket *sock, const struct sockaddr *sa, socklen_t len)
{
	struct sock *sk = sk_of(sock);
	struct ipaddr addr;
	sa_family_t family;
	uint16_t port;
	int err;

	if (!sa || len < sizeof(family))
		return -EINVAL;
	memcpy(&family, &sa->sa_family, sizeof(family));
	if (sk->family != AF_INET)
		return -EOPNOTSUPP;
	sock_hold(sk);
	if (family == AF_UNSPEC) {
		err = sk->proto->disconnect(sk);
	} else {
		err = sockaddr_to_ip(sa, len, &addr, &port);
		if (!err)
			err = sk->proto->connect(sk, &addr, port);
	}
	sock_put(sk);
	return err;
}

int ns_accept(struct socket *sock, struct socket **ret, struct sockaddr *sa, socklen_t *len)
{
	struct sock *sk = sk_of(sock), *child;
	int err;

	if (!sk->proto->accept)
		return -EOPNOTSUPP;
	err = sk->proto->accept(sk, &child);
	if (err)
		return err;
	if (sa && len)
		ip_to_sockaddr(&child->daddr, child->dport, sa, len);
	*ret = &child->sock;
	return 0;
}

static int msg_check(const struct msghdr *msg)
{
	size_t sum = 0;

	if (!msg)
		return -EFAULT;
	if (msg->msg_iovlen > MSG_IOV_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		if (msg->msg_iov[i].iov_len > (size_t)SSIZE_MAX - sum)
			return -EINVAL;
		sum += msg->msg_iov[i].iov_len;
		if (msg->msg_iov[i].iov_len && !msg->msg_iov[i].iov_base)
			return -EFAULT;
	}
	return 0;
}

/* After every way of sending: was all taken, and is there room for more? */
static void note_space(struct sock *sk, ssize_t ret, size_t wanted)
{
	if (ret == -EAGAIN || ret == -ENOBUFS || (ret >= 0 && (size_t)ret < wanted) || !(sk->proto->poll(sk) & EPOLLOUT))
		sk->nospace = true;
}

ssize_t ns_sendmsg(struct socket *sock, const struct msghdr *msg, int flags)
{
	struct sock *sk = sk_of(sock);
	ssize_t ret = msg_check(msg);

	if (ret)
		return ret;
	sock_hold(sk);
	ret = sk->proto->sendmsg(sk, msg, flags);
	note_space(sk, ret, msghdr_len(msg));
	sock_put(sk);
	return ret;
}

/*
 * What recvmsg(2) changes in the header: msg_namelen becomes the whole length of the address, msg_controllen what was written, msg_flags. put_cmsg moves
 * msg_control and lowers msg_controllen as it goes.
 */
ssize_t ns_recvmsg(struct socket *sock, struct msghdr *msg, int flags)
{
	struct sock *sk = sk_of(sock);
	socklen_t controllen;
	void *control;
	ssize_t ret = msg_check(msg);

	if (ret)
		return ret;
	control = msg->msg_control;
	controllen = (socklen_t)msg->msg_controllen;
	msg->msg_flags = 0;
	sock_hold(sk);
	ret = (flags & MSG_ERRQUEUE) && sk->type != SOCK_STREAM ? ip_recv_error(sk, msg) : sk->proto->recvmsg(sk, msg, flags);
	sock_put(sk);
	if (control) {
		msg->msg_controllen = ret < 0 ? 0 : controllen - msg->msg_controllen;
		msg->msg_control = control;
	} else {
		msg->msg_controllen = 0;
	}
	return ret;
}

ssize_t ns_send(struct socket *sock, const void *buf, size_t len, int flags)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return ns_sendmsg(sock, &msg, flags);
}

ssize_t ns_recv(struct socket *sock, void *buf, size_t len, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return ns_recvmsg(sock, &msg, flags);
}

ssize_t ns_recv_inplace(struct socket *sock, size_t max, size_t (*fn)(void *arg, const void *data, size_t len), void *arg)
{
	struct sock *sk = sk_of(sock);
	ssize_t ret;

	if (!sk->proto->recv_inplace)
		return -EOPNOTSUPP;
	sock_hold(sk);
	ret = sk->proto->recv_inplace(sk, max, fn, arg);
	sock_put(sk);
	return ret;
}

ssize_t ns_send_fill(struct socket *sock, size_t max, void (*fn)(void *arg, void *data, size_t len), void *arg)
{
	struct sock *sk = sk_of(sock);
	ssize_t ret;

	if (!sk->proto->send_fill)
		return -EOPNOTSUPP;
	sock_hold(sk);
	ret = sk->proto->send_fill(sk, max, fn, arg);
	note_space(sk, ret, max);
	sock_put(sk);
	return ret;
}

ssize_t ns_send_area(struct socket *sock, struct skb_area *area, uint32_t off, size_t len, int flags)
{
	struct sock *sk = sk_of(sock);
	ssize_t ret;

	if (!sk->proto->send_area)
		return -EOPNOTSUPP;
	if (off > area->size || len > area->size - off)
		return -EINVAL;
	sock_hold(sk);
	ret = sk->proto->send_area(sk, area, off, len, flags & MSG_MORE);
	note_space(sk, ret, len);
	sock_put(sk);
	return ret;
}

/* An unconnected datagram socket is shut down although the call says ENOTCONN: that is how Linux lets others who wait for it see EPOLLHUP. */
int ns_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sk_of(sock);
	int bits, err;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	bits = how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 to bits */
	sock_hold(sk);
	if (sk->proto->shutdown) {
		err = sk->proto->shutdown(sk, bits);
	} else {
		err = sk->state == SS_CLOSE ? -ENOTCONN : 0;
		sk->shutdown |= (uint8_t)bits;
		sk_wake(sk, EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLOUT);
	}
	sock_put(sk);
	return err;
}

void ns_close(struct socket *sock)
{
	struct sock *sk = sk_of(sock);

	sock_hold(sk);
	epoll_sk_closed(sk);
	list_del(&sk->wake_node);
	sk->sock.interest = 0;
	sk->dead = true;
	sk->proto->close(sk);
	sock_put(sk);
}

int ns_getsockname(struct socket *sock, struct sockaddr *sa, socklen_t *len)
{
	const struct sock *sk = sk_of(sock);

	if (!len)
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (sk->proto->getname)
		return sk->proto->getname(sk_of(sock), sa, len);
	ip_to_sockaddr(ipaddr_is_any(&sk->rcv_saddr) ? &sk->saddr : &sk->rcv_saddr, sk->sport, sa, len);
	return 0;
}

int ns_getpeername(struct socket *sock, struct sockaddr *sa, socklen_t *len)
{
	const struct sock *sk = sk_of(sock);

	if (!len)
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (sk->family != AF_INET)
		return -EOPNOTSUPP;
	if (sk->state == SS_CLOSE || sk->state == SS_LISTEN || sk->state == SS_SYN_SENT || (!sk->dport && sk->type != SOCK_RAW))
		return -ENOTCONN;
	ip_to_sockaddr(&sk->daddr, sk->dport, sa, len);
	return 0;
}

int ns_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	struct sock *sk = sk_of(sock);
	int err;

	if (len > INT32_MAX)
		return -EINVAL;
	if (len && !val)
		return -EFAULT;
	if (level == IPPROTO_IP && sk->family != AF_INET)
		return -ENOPROTOOPT;
	sock_hold(sk);
	switch (level) {
	case SOL_SOCKET:
		err = sock_setsockopt(sk, name, val, len);
		break;
	case SOL_NETSTACK:
		err = ns_private_setsockopt(sk, name, val, len);
		break;
	case IPPROTO_IP:
		err = ip_setsockopt(sk, name, val, len);
		if (err != -ENOPROTOOPT)
			break;
		/* fall through */
	default:
		err = sk->proto->setsockopt ? sk->proto->setsockopt(sk, level, name, val, len) : -ENOPROTOOPT;
	}
	sock_put(sk);
	return err;
}

int ns_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	struct sock *sk = sk_of(sock);
	int err;

	if (!len || (*len && !val))
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (level == IPPROTO_IP && sk->family != AF_INET)
		return -ENOPROTOOPT;
	switch (level) {
	case SOL_SOCKET:
		return sock_getsockopt(sk, name, val, len);
	case SOL_NETSTACK:
		if (name != NS_SO_SHARD_REPLICA)
			return -ENOPROTOOPT;
		return opt_put_int(val, len, sk->replica);
	case IPPROTO_IP:
		err = ip_getsockopt(sk, name, val, len);
		if (err != -ENOPROTOOPT)
			return err;
		/* fall through */
	default:
		return sk->proto->getsockopt ? sk->proto->getsockopt(sk, level, name, val, len) : -ENOPROTOOPT;
	}
}

int ns_ioctl(struct socket *sock, unsigned long cmd, int *val)
{
	struct sock *sk = sk_of(sock);

	if (!val)
		return -EFAULT;
	return sk->proto->ioctl ? sk->proto->ioctl(sk, cmd, val) : -ENOTTY;
}

/* As EPOLL_CTL_ADD and EPOLL_CTL_MOD: what is ready already is told as if it had just happened. */
void ns_set_cookie(struct socket *sock, uint64_t cookie, uint32_t interest)
{
	struct sock *sk = sk_of(sock);

	sock->cookie = cookie;
	sock->interest = interest;
	if (interest & ~(uint32_t)(EPOLLONESHOT | EPOLLET))
		sk_wake(sk, sk_poll(sk));
	else
		list_del(&sk->wake_node);
}

uint32_t ns_poll(struct socket *sock)
{
	return sk_poll(sk_of(sock));
}

struct stack *ns_stack(struct socket *sock)
{
	return sk_of(sock)->stack;
}

void ns_set_owner(struct socket *sock, const char *owner)
{
	struct sock *sk = sk_of(sock);
	size_t n = owner ? strnlen(owner, sizeof(sk->owner) - 1) : 0;

	if (n)
		memcpy(sk->owner, owner, n);
	memset(sk->owner + n, 0, sizeof(sk->owner) - n);
}
