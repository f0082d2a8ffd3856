/* SPDX-License-Identifier: MIT */
/*
 * test_sock.c: the socket layer over the loopback device with datagrams: options as a table, readiness (edge by ops->wake, level and edge by epoll sets), memory
 * accounts, ancillary data, what a closed socket leaves behind.
 */
#include "host.h"
#include "sock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#define LOOPBACK 0x7f000001u
#define OURS     0xc0000201u
#define PEER     0xc0000202u

static struct { uint64_t cookie; uint32_t events; } wakes[256];
static unsigned nwakes;
static void (*on_wake)(struct host *h, uint64_t cookie, uint32_t events);

static void wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	(void)arg;
	(void)cpu;
	cr_assert_lt(nwakes, 256, "wakes without end");
	wakes[nwakes].cookie = cookie;
	wakes[nwakes++].events = events;
	if (on_wake)
		on_wake(h, cookie, events);
}

static const struct host_ops ops = { .wake = wake };

static struct host *new_host(unsigned ncpu)
{
	struct host *h = host_new("h", ncpu, 1, &ops, NULL);

	nwakes = 0;
	on_wake = NULL;
	cr_assert(h);
	cr_assert_gt(host_link(h, "eth0", "192.0.2.1/24", 1, 1500, 0), 0);
	host_apply(h);
	host_run(h, h->now);
	return h;
}

static struct sockaddr_in sin_of(uint32_t a, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = cpu_to_be32(a), .sin_port = cpu_to_be16(port) };
}

static struct socket *udp(struct host *h, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin_of(addr, port);
	struct socket *s;

	cr_assert_eq(ns_socket(h->shard[0].stack, AF_INET, SOCK_DGRAM, 0, &s), 0);
	if (port)
		cr_assert_eq(ns_bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return s;
}

static int conn(struct socket *s, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin_of(addr, port);

	return ns_connect(s, (struct sockaddr *)&sin, sizeof(sin));
}

static void run(struct host *h)
{
	host_touch(h, 0);
	host_run(h, h->now);
}

static ssize_t send_to(struct socket *s, uint32_t addr, uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in sin = sin_of(addr, port);
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_name = &sin, .msg_namelen = sizeof(sin), .msg_iov = &iov, .msg_iovlen = 1 };

	return ns_sendmsg(s, &msg, 0);
}

static int set_int(struct socket *s, int level, int name, int v) { return ns_setsockopt(s, level, name, &v, sizeof(v)); }

static int get_int(struct socket *s, int level, int name)
{
	int v = -12345, err;
	socklen_t len = sizeof(v);

	err = ns_getsockopt(s, level, name, &v, &len);
	return err ? err : v;
}

static void expect_wakes(unsigned n, const char *what)
{
	cr_assert_eq(nwakes, n, "%s: %u wakes, not %u", what, nwakes, n);
	nwakes = 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------------------------------- */

static const struct { int domain, type, protocol, want; } makes[] = {
	{ AF_INET, SOCK_DGRAM, 0, 0 },
	{ AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP, 0 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_TCP, -EPROTONOSUPPORT },
	{ AF_INET, SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT },
	{ AF_INET, SOCK_STREAM, 0, 0 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, 0 },
	{ AF_INET, SOCK_RAW, IPPROTO_ICMP, 0 },
	{ AF_INET, SOCK_RAW, 0, -EPROTONOSUPPORT },
	{ AF_INET, SOCK_RAW, 300, -EINVAL },
	{ AF_INET, SOCK_DGRAM, -1, -EINVAL },
	{ AF_INET, SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT },
	{ AF_INET, 77, 0, -ESOCKTNOSUPPORT },
	{ AF_INET6, SOCK_DGRAM, 0, -EAFNOSUPPORT },
	{ AF_UNIX, SOCK_DGRAM, 0, -EAFNOSUPPORT },
	{ -1, SOCK_DGRAM, 0, -EAFNOSUPPORT },
};

Test(sock, makes)
{
	struct host *h = new_host(1);

	for (unsigned i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		struct socket *s = NULL;

		cr_assert_eq(ns_socket(h->shard[0].stack, makes[i].domain, makes[i].type, makes[i].protocol, &s), makes[i].want, "row %u", i);
		cr_assert_eq(s != NULL, makes[i].want == 0, "row %u", i);
		if (s)
			ns_close(s);
	}
	host_free(h);
}

Test(sock, limit_of_sockets)
{
	struct host *h = new_host(1);
	struct socket *s[8], *more;

	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.max_sockets", "8", NULL), 0);
	host_apply(h);
	for (unsigned i = 0; i < 8; i++)
		s[i] = udp(h, 0, 0);
	cr_assert_eq(ns_socket(h->shard[0].stack, AF_INET, SOCK_DGRAM, 0, &more), -EMFILE);
	ns_close(s[3]);
	cr_assert_eq(ns_socket(h->shard[0].stack, AF_INET, SOCK_DGRAM, 0, &more), 0);
	s[3] = more;
	for (unsigned i = 0; i < 8; i++)
		ns_close(s[i]);
	host_free(h);
}

/* ---- options ------------------------------------------------------------------------------------------------------------------------------------------ */

static const struct { int level, name, set, want_set, want_get; } options[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 5, 0, 1 },
	{ SOL_SOCKET, SO_REUSEPORT, 1, 0, 1 },
	{ SOL_SOCKET, SO_BROADCAST, 1, 0, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 1, 0, 1 },
	{ SOL_SOCKET, SO_DONTROUTE, 1, 0, 1 },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1, 0, 1 },
	{ SOL_SOCKET, SO_SNDBUF, 10000, 0, 20000 },
	{ SOL_SOCKET, SO_SNDBUF, 1, 0, 4608 },
	{ SOL_SOCKET, SO_SNDBUF, INT32_MAX, 0, 2 * 4194304 },
	{ SOL_SOCKET, SO_SNDBUF, -1, 0, 2 * 4194304 },
	{ SOL_SOCKET, SO_RCVBUF, 10000, 0, 20000 },
	{ SOL_SOCKET, SO_RCVBUF, 0, 0, 2304 },
	{ SOL_SOCKET, SO_RCVBUF, INT32_MAX, 0, 2 * 4194304 },
	{ SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20, 0, -ENOPROTOOPT },
	{ SOL_SOCKET, SO_PRIORITY, 6, 0, 6 },
	{ SOL_SOCKET, SO_MARK, 77, 0, 77 },
	{ SOL_SOCKET, SO_RCVLOWAT, 100, 0, 100 },
	{ SOL_SOCKET, SO_RCVLOWAT, 0, 0, 1 },
	{ SOL_SOCKET, SO_RCVLOWAT, -5, 0, INT32_MAX },
	{ SOL_SOCKET, SO_SNDLOWAT, 5, -ENOPROTOOPT, 1 },
	{ SOL_SOCKET, SO_TYPE, 1, -ENOPROTOOPT, SOCK_DGRAM },
	{ SOL_SOCKET, SO_DOMAIN, 1, -ENOPROTOOPT, AF_INET },
	{ SOL_SOCKET, SO_PROTOCOL, 1, -ENOPROTOOPT, IPPROTO_UDP },
	{ SOL_SOCKET, SO_ACCEPTCONN, 1, -ENOPROTOOPT, 0 },
	{ SOL_SOCKET, SO_ERROR, 1, -ENOPROTOOPT, 0 },
	{ SOL_SOCKET, SO_INCOMING_CPU, 3, 0, 3 },
	{ SOL_SOCKET, SO_TIMESTAMP, 1, 0, 1 },
	{ SOL_SOCKET, SO_TIMESTAMPNS, 1, 0, 1 },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 12345, 0, 12345 },
	{ SOL_SOCKET, 9999, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ IPPROTO_IP, IP_TOS, 0xb8, 0, 0xb8 },
	{ IPPROTO_IP, IP_TTL, 9, 0, 9 },
	{ IPPROTO_IP, IP_TTL, 0, -EINVAL, 64 },
	{ IPPROTO_IP, IP_TTL, 256, -EINVAL, 64 },
	{ IPPROTO_IP, IP_TTL, -1, 0, 64 },
	{ IPPROTO_IP, IP_MINTTL, 255, 0, 255 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, 0, IP_PMTUDISC_DO },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 6, -EINVAL, IP_PMTUDISC_WANT },
	{ IPPROTO_IP, IP_MTU, 6, -ENOPROTOOPT, -ENOTCONN },
	{ IPPROTO_IP, IP_PKTINFO, 1, 0, 1 },
	{ IPPROTO_IP, IP_RECVERR, 1, 0, 1 },
	{ IPPROTO_IP, IP_RECVTTL, 1, 0, 1 },
	{ IPPROTO_IP, IP_RECVTOS, 1, 0, 1 },
	{ IPPROTO_IP, IP_FREEBIND, 1, 0, 1 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 3, 0, 3 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 256, -EINVAL, 1 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, 0, 0, 0 },
	{ IPPROTO_IP, IP_HDRINCL, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ IPPROTO_IP, 9999, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ IPPROTO_UDP, 1 /* UDP_CORK */, 1, 0, 1 },
	{ IPPROTO_UDP, 103 /* UDP_SEGMENT */, 1000, 0, 1000 },
	{ IPPROTO_UDP, 103, 70000, -EINVAL, 0 },
	{ IPPROTO_TCP, TCP_NODELAY, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ 12345, 1, 1, -ENOPROTOOPT, -ENOPROTOOPT },
};

Test(sock, options)
{
	struct host *h = new_host(1);

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct socket *s = udp(h, 0, 0);

		cr_assert_eq(set_int(s, options[i].level, options[i].name, options[i].set), options[i].want_set, "row %u", i);
		cr_assert_eq(get_int(s, options[i].level, options[i].name), options[i].want_get, "row %u: %d", i, get_int(s, options[i].level, options[i].name));
		ns_close(s);
	}
	host_free(h);
}

Test(sock, options_with_a_form_of_their_own)
{
	struct host *h = new_host(1);
	struct socket *s = udp(h, 0, 0);
	struct linger l = { 1, 7 };
	struct timeval tv = { 3, 500000 };
	struct ip_mreq m = { .imr_multiaddr.s_addr = cpu_to_be32(0xe0000001u) };
	socklen_t len = sizeof(l);
	uint64_t cookie = 0;
	uint8_t byte = 0x10, rr[7] = { 7, 7, 4 };
	char name[16];

	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	l.l_onoff = l.l_linger = 0;
	cr_assert_eq(ns_getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	cr_assert(l.l_onoff == 1 && l.l_linger == 7 && len == sizeof(l));
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4), -EINVAL);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	len = sizeof(tv);
	tv.tv_sec = tv.tv_usec = 0;
	cr_assert_eq(ns_getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len), 0);
	cr_assert(tv.tv_sec == 3 && tv.tv_usec == 500000);
	tv.tv_usec = 1000000;
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), -EDOM);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &byte, 1), -EINVAL, "this level takes an int only");
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_TOS, &byte, 1), 0, "that one a byte, too");
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_TOS, NULL, 4), -EFAULT);
	cr_assert_eq(set_int(s, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20), 0);
	cr_assert_eq(get_int(s, SOL_SOCKET, SO_RCVBUF), 16 << 20, "over rmem_max");
	cr_assert_eq(set_int(s, SOL_SOCKET, SO_SNDBUFFORCE, INT32_MAX), 0);
	cr_assert_eq(get_int(s, SOL_SOCKET, SO_SNDBUF), INT32_MAX);
	byte = 0;
	len = 1;
	cr_assert_eq(ns_getsockopt(s, IPPROTO_IP, IP_TOS, &byte, &len), 0);
	cr_assert(byte == 0x10 && len == 1);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7), -ENODEV);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 4), 0);
	len = sizeof(name);
	cr_assert_eq(ns_getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	cr_assert_str_eq(name, "eth0");
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 1), 0);
	len = sizeof(cookie);
	cr_assert_eq(ns_getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	cr_assert_neq(cookie, 0);
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	m.imr_multiaddr.s_addr = cpu_to_be32(0xe0000105u);
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -EOPNOTSUPP);
	m.imr_multiaddr.s_addr = cpu_to_be32(OURS);
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -EINVAL);
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_OPTIONS, rr, sizeof(rr)), 0);
	rr[1] = 0; /* a length that would never end */
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_OPTIONS, rr, sizeof(rr)), -EINVAL);
	rr[0] = 131; /* loose source route */
	rr[1] = 7;
	cr_assert_eq(ns_setsockopt(s, IPPROTO_IP, IP_OPTIONS, rr, sizeof(rr)), -EINVAL);
	ns_close(s);
	host_free(h);
}

/* ---- readiness: edges by ops->wake --------------------------------------------------------------------------------------------------------------------- */

Test(wake, once_for_each_gathering)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5001);
	char buf[16];

	ns_set_cookie(a, 77, EPOLLIN);
	run(h);
	expect_wakes(0, "nothing to read yet, and OUT was not asked for");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(send_to(b, LOOPBACK, 5000, "x", 1), 1);
	cr_assert_eq(nwakes, 0, "never from inside a call");
	run(h);
	cr_assert_eq(wakes[0].cookie, 77);
	cr_assert_eq(wakes[0].events, EPOLLIN);
	expect_wakes(1, "three datagrams, one round");
	run(h);
	expect_wakes(0, "still readable, but no edge");
	cr_assert_eq(send_to(b, LOOPBACK, 5000, "x", 1), 1);
	run(h);
	expect_wakes(1, "a new edge");
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ns_recv(a, buf, sizeof(buf), 0), 1);
	cr_assert_eq(ns_recv(a, buf, sizeof(buf), 0), -EAGAIN);
	ns_close(a);
	ns_close(b);
	host_free(h);
}

Test(wake, interest)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5001);

	ns_set_cookie(a, 1, EPOLLOUT);
	run(h);
	cr_assert_eq(wakes[0].events, EPOLLOUT);
	expect_wakes(1, "what holds when the cookie is set is told");
	send_to(b, LOOPBACK, 5000, "x", 1);
	run(h);
	expect_wakes(0, "IN was not asked for");
	ns_set_cookie(a, 2, EPOLLIN);
	run(h);
	cr_assert_eq(wakes[0].cookie, 2);
	expect_wakes(1, "it is there already");
	ns_set_cookie(a, 2, 0);
	send_to(b, LOOPBACK, 5000, "x", 1);
	run(h);
	expect_wakes(0, "no interest, no wake");
	ns_set_cookie(a, 3, EPOLLIN | EPOLLONESHOT);
	run(h);
	expect_wakes(1, "one shot");
	send_to(b, LOOPBACK, 5000, "x", 1);
	run(h);
	expect_wakes(0, "it was fired");
	ns_set_cookie(a, 3, EPOLLIN | EPOLLONESHOT);
	run(h);
	expect_wakes(1, "armed again");
	ns_close(a);
	ns_close(b);
	host_free(h);
}

Test(wake, silent_when_the_cause_is_gone)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000);
	char c;

	send_to(a, LOOPBACK, 5000, "x", 1);
	run(h);
	ns_set_cookie(a, 1, EPOLLIN);
	cr_assert_eq(ns_recv(a, &c, 1, 0), 1);
	run(h);
	expect_wakes(0, "read in between");
	ns_close(a);
	host_free(h);
}

static struct socket *victims[8];
static void close_all(struct host *h, uint64_t cookie, uint32_t events)
{
	(void)h;
	(void)cookie;
	(void)events;
	for (unsigned i = 0; i < 8; i++)
		if (victims[i])
			ns_close(victims[i]);
	memset(victims, 0, sizeof(victims));
}

Test(wake, callback_closes_everything)
{
	struct host *h = new_host(1);
	struct socket *b = udp(h, 0, 5100);

	for (unsigned i = 0; i < 8; i++) {
		victims[i] = udp(h, 0, (uint16_t)(5000 + i));
		ns_set_cookie(victims[i], i, EPOLLIN);
		send_to(b, LOOPBACK, (uint16_t)(5000 + i), "x", 1);
	}
	on_wake = close_all;
	run(h);
	expect_wakes(1, "the others are gone");
	ns_close(b);
	host_free(h);
}

static void answer(struct host *h, uint64_t cookie, uint32_t events)
{
	char c;

	(void)h;
	(void)cookie;
	if (events & EPOLLIN)
		while (ns_recv(victims[0], &c, 1, 0) == 1)
			if (c-- > 'a')
				send_to(victims[0], LOOPBACK, 5000, &c, 1);
}

Test(wake, calls_in_the_callback_go_on)
{
	struct host *h = new_host(1);

	victims[0] = udp(h, 0, 5000);
	ns_set_cookie(victims[0], 1, EPOLLIN);
	on_wake = answer;
	send_to(victims[0], LOOPBACK, 5000, "h", 1);
	run(h);
	expect_wakes(8, "h to a");
	ns_close(victims[0]);
	host_free(h);
}

Test(wake, room_to_send)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000);
	char buf[1000] = { 0 };
	unsigned n = 0;

	cr_assert_eq(set_int(a, SOL_SOCKET, SO_SNDBUF, 20000), 0);
	ns_set_cookie(a, 9, EPOLLOUT);
	run(h);
	expect_wakes(1, "OUT");
	while (send_to(a, PEER, 9, buf, sizeof(buf)) == sizeof(buf)) /* they wait for the neighbour's address */
		cr_assert_lt(++n, 1000);
	cr_assert_geq(n, 10);
	cr_assert_eq(send_to(a, PEER, 9, buf, sizeof(buf)), -EAGAIN);
	cr_assert_gt(get_int(a, SOL_SOCKET, SO_SNDBUF), 0);
	cr_assert_eq(ns_poll(a) & EPOLLOUT, 0);
	cr_assert_gt(host_mib(h, MIB_Udp_SndbufErrors), 0);
	run(h);
	expect_wakes(0, "no room yet");
	host_run(h, h->now + 10 * NSEC_PER_SEC); /* the neighbour does not answer: its queue is given up */
	cr_assert_eq(sk_of(a)->wmem, 0);
	cr_assert(ns_poll(a) & EPOLLOUT);
	cr_assert_gt(nwakes, 0);
	cr_assert(wakes[0].events & EPOLLOUT);
	ns_close(a);
	host_free(h);
}

Test(wake, shutdown_and_error)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 0);
	char c;

	cr_assert_eq(ns_shutdown(a, SHUT_RD), -ENOTCONN);
	cr_assert_eq(ns_shutdown(a, 3), -EINVAL);
	ns_close(a);
	a = udp(h, 0, 0);
	cr_assert_eq(conn(a, LOOPBACK, 4999), 0);
	ns_set_cookie(a, 1, EPOLLIN);
	cr_assert_eq(ns_send(a, "x", 1, 0), 1);
	run(h);
	cr_assert_eq(wakes[0].events, EPOLLERR, "port unreachable");
	expect_wakes(1, "error");
	cr_assert_eq(ns_recv(a, &c, 1, 0), -ECONNREFUSED);
	cr_assert_eq(ns_recv(a, &c, 1, 0), -EAGAIN);
	cr_assert_eq(ns_shutdown(a, SHUT_RDWR), 0);
	run(h);
	cr_assert_eq(wakes[0].events, EPOLLIN | EPOLLHUP);
	cr_assert_eq(ns_poll(a) & (EPOLLIN | EPOLLRDHUP | EPOLLHUP), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	cr_assert_eq(ns_recv(a, &c, 1, 0), 0);
	cr_assert_eq(ns_send(a, "x", 1, 0), -EPIPE);
	ns_close(a);
	host_free(h);
}

/* ---- readiness: epoll sets ------------------------------------------------------------------------------------------------------------------------------ */

static int ctl(struct ns_epoll *ep, int op, struct socket *s, uint32_t events, uint64_t data)
{
	struct ns_epoll_event ev = { events, data };

	return ns_epoll_ctl(ep, op, s, &ev);
}

Test(epoll, level_and_edge)
{
	struct host *h = new_host(1);
	struct socket *l = udp(h, 0, 5000), *e = udp(h, 0, 5001), *b = udp(h, 0, 5100);
	struct ns_epoll_event ev[8];
	struct ns_epoll *ep;
	char c;

	cr_assert_eq(ns_epoll_create(h->shard[0].stack, &ep), 0);
	cr_assert_eq(ns_epoll_wait(ep, ev, 0), -EINVAL);
	cr_assert_eq(ctl(ep, EPOLL_CTL_ADD, l, EPOLLIN, 1), 0);
	cr_assert_eq(ctl(ep, EPOLL_CTL_ADD, l, EPOLLIN, 1), -EEXIST);
	cr_assert_eq(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN, 1), -ENOENT);
	cr_assert_eq(ctl(ep, EPOLL_CTL_DEL, e, 0, 0), -ENOENT);
	cr_assert_eq(ctl(ep, 99, e, 0, 0), -EINVAL);
	cr_assert_eq(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLET, 2), 0);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 0);
	send_to(b, LOOPBACK, 5000, "x", 1);
	send_to(b, LOOPBACK, 5001, "x", 1);
	run(h);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 2);
	cr_assert_eq(ev[0].data + ev[1].data, 3);
	cr_assert_eq(ev[0].events, EPOLLIN);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(ns_epoll_wait(ep, ev, 8), 1, "the level stays, the edge is over");
		cr_assert_eq(ev[0].data, 1);
	}
	send_to(b, LOOPBACK, 5001, "x", 1);
	run(h);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 2);
	cr_assert_eq(ns_recv(l, &c, 1, 0), 1);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 0);
	cr_assert_eq(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN | EPOLLET, 22), 0);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 1, "MOD looks again");
	cr_assert_eq(ev[0].data, 22);
	cr_assert_eq(ctl(ep, EPOLL_CTL_MOD, e, EPOLLOUT | EPOLLONESHOT, 3), 0);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 1);
	cr_assert_eq(ev[0].events, EPOLLOUT);
	cr_assert_eq(ns_epoll_wait(ep, ev, 8), 0, "one shot");
	cr_assert_eq(ctl(ep, EPOLL_CTL_DEL, e, 0, 0), 0);
	ns_close(l);
	ns_close(e);
	ns_close(b);
	ns_epoll_close(ep);
	host_free(h);
}

Test(epoll, few_at_a_time_is_fair)
{
	struct host *h = new_host(1);
	struct socket *s[10];
	struct ns_epoll_event ev[3];
	struct ns_epoll *ep;
	unsigned seen[10] = { 0 };

	cr_assert_eq(ns_epoll_create(h->shard[0].stack, &ep), 0);
	for (unsigned i = 0; i < 10; i++) {
		s[i] = udp(h, 0, 0);
		cr_assert_eq(ctl(ep, EPOLL_CTL_ADD, s[i], EPOLLOUT, i), 0);
	}
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_eq(ns_epoll_wait(ep, ev, 3), 3);
		for (unsigned k = 0; k < 3; k++)
			seen[ev[k].data]++;
	}
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(seen[i], 3, "socket %u was told %u times", i, seen[i]);
	for (unsigned i = 0; i < 10; i++)
		ns_close(s[i]);
	cr_assert_eq(ns_epoll_wait(ep, ev, 3), 0, "the closed are gone");
	ns_epoll_close(ep);
	host_free(h);
}

Test(epoll, announces_itself)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5100);
	struct ns_epoll_event ev[4];
	struct ns_epoll *ep, *second;

	cr_assert_eq(ns_epoll_create(h->shard[0].stack, &ep), 0);
	cr_assert_eq(ns_epoll_create(h->shard[0].stack, &second), 0);
	cr_assert_eq(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	cr_assert_eq(ctl(second, EPOLL_CTL_ADD, a, EPOLLIN, 2), 0);
	ns_epoll_set_cookie(ep, 555);
	run(h);
	expect_wakes(0, "empty");
	send_to(b, LOOPBACK, 5000, "x", 1);
	run(h);
	cr_assert_eq(wakes[0].cookie, 555);
	cr_assert_eq(wakes[0].events, EPOLLIN);
	expect_wakes(1, "one has a cookie");
	cr_assert_eq(ns_epoll_wait(ep, ev, 4), 1);
	cr_assert_eq(ns_epoll_wait(second, ev, 4), 1);
	cr_assert_eq(ev[0].data, 2);
	send_to(b, LOOPBACK, 5000, "x", 1);
	run(h);
	expect_wakes(1, "a level that was never gone, but a new event");
	ns_close(a);
	ns_close(b);
	ns_epoll_close(second);
	host_free(h);
	ns_epoll_close(ep); /* may outlive its stack */
}

/* ---- datagrams ------------------------------------------------------------------------------------------------------------------------------------------ */

Test(sock, receive_buffer_is_bounded_and_counted)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5100);
	char buf[100];
	unsigned n = 0;
	int val;

	cr_assert_eq(set_int(a, SOL_SOCKET, SO_RCVBUF, 10000), 0);
	for (int i = 0; i < 100; i++) {
		send_to(b, LOOPBACK, 5000, "0123456789", 10);
		run(h);
	}
	cr_assert_leq(sk_of(a)->rmem, 20000 + 4096);
	cr_assert_eq(ns_ioctl(a, FIONREAD, &val), 0);
	cr_assert_eq(val, 10);
	while (ns_recv(a, buf, sizeof(buf), 0) == 10)
		n++;
	cr_assert(n >= 4 && n < 100, "%u", n);
	cr_assert_eq(sk_of(a)->drops, 100 - n);
	cr_assert_eq(host_mib(h, MIB_Udp_RcvbufErrors), 100 - n);
	cr_assert_eq(host_mib(h, MIB_Udp_InDatagrams), n);
	cr_assert_eq(host_drops(h, SKB_DROP_SOCKET_RCVBUFF), 100 - n);
	cr_assert_eq(sk_of(a)->rmem, 0);
	cr_assert_eq(sk_mem_used(h->shard[0].stack, IPPROTO_UDP), 0);
	ns_close(a);
	ns_close(b);
	host_free(h);
}

Test(sock, memory_of_the_shard_is_bounded)
{
	struct host *h = new_host(1);
	struct socket *a[4], *b = udp(h, 0, 5100);

	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.ipv4.udp_mem_limit", "65536", NULL), 0);
	host_apply(h);
	for (unsigned i = 0; i < 4; i++)
		a[i] = udp(h, 0, (uint16_t)(5000 + i));
	for (int i = 0; i < 100; i++) {
		send_to(b, LOOPBACK, (uint16_t)(5000 + i % 4), "0123456789", 10);
		run(h);
	}
	cr_assert_leq(sk_mem_used(h->shard[0].stack, IPPROTO_UDP), 65536);
	cr_assert_gt(host_mib(h, MIB_Udp_MemErrors), 0);
	cr_assert_gt(host_drops(h, SKB_DROP_PROTO_MEM), 0);
	for (unsigned i = 0; i < 4; i++)
		ns_close(a[i]);
	ns_close(b);
	cr_assert_eq(sk_mem_used(h->shard[0].stack, IPPROTO_UDP), 0);
	host_free(h);
}

Test(sock, peek_truncate_and_scatter)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000);
	char x[3], y[4], z[2];
	struct iovec iov[] = { { x, 3 }, { NULL, 0 }, { y, 4 }, { z, 2 } };
	struct sockaddr_in from;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 4, .msg_name = &from, .msg_namelen = sizeof(from) };

	send_to(a, LOOPBACK, 5000, "abcdefghijkl", 12);
	send_to(a, LOOPBACK, 5000, "", 0);
	run(h);
	cr_assert_eq(ns_recvmsg(a, &msg, MSG_PEEK), 9);
	cr_assert_eq(msg.msg_flags, MSG_TRUNC);
	cr_assert_eq(msg.msg_namelen, sizeof(from));
	cr_assert_eq(from.sin_port, cpu_to_be16(5000));
	cr_assert_eq(from.sin_addr.s_addr, cpu_to_be32(LOOPBACK));
	cr_assert(!memcmp(x, "abc", 3) && !memcmp(y, "defg", 4) && !memcmp(z, "hi", 2));
	cr_assert_eq(ns_recv(a, NULL, 0, MSG_PEEK | MSG_TRUNC), 12, "the real length");
	msg.msg_namelen = 4;
	cr_assert_eq(ns_recvmsg(a, &msg, MSG_TRUNC), 12);
	cr_assert_eq(msg.msg_namelen, sizeof(from), "the address was cut, its length is told");
	cr_assert_eq(ns_recv(a, x, 3, 0), 0, "an empty datagram");
	cr_assert_eq(ns_recv(a, x, 3, 0), -EAGAIN);
	cr_assert_eq(ns_recv(a, x, 3, MSG_OOB), -EOPNOTSUPP);
	ns_close(a);
	host_free(h);
}

static const struct cmsghdr *find_cmsg(struct msghdr *msg, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return c;
	return NULL;
}

Test(sock, ancillary_data)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5100);
	char data[8];
	union { char b[256]; struct cmsghdr align; } ctl_buf, out = { { 0 } };
	struct iovec iov = { data, 8 };
	struct sockaddr_in to = sin_of(0x7f000009u, 5000);
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl_buf, .msg_controllen = sizeof(ctl_buf) };
	struct msghdr send = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &out, .msg_name = &to, .msg_namelen = sizeof(to) };
	struct cmsghdr *c = (struct cmsghdr *)&out;
	const struct in_pktinfo *pi;
	int ttl = 33;

	set_int(a, IPPROTO_IP, IP_PKTINFO, 1);
	set_int(a, IPPROTO_IP, IP_RECVTTL, 1);
	set_int(a, IPPROTO_IP, IP_RECVTOS, 1);
	set_int(a, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set_int(b, IPPROTO_IP, IP_TOS, 0x28);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL };
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	send.msg_controllen = CMSG_SPACE(sizeof(int));
	cr_assert_eq(ns_sendmsg(b, &send, 0), 8);
	cr_assert_eq(ns_sendmsg(b, &send, 0), 8);
	cr_assert_eq(ns_sendmsg(b, &send, 0), 8);
	run(h);
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 8);
	cr_assert_eq(msg.msg_control, &ctl_buf);
	cr_assert_not_null(find_cmsg(&msg, SOL_SOCKET, SO_TIMESTAMPNS));
	cr_assert_eq(*(const int *)CMSG_DATA(find_cmsg(&msg, IPPROTO_IP, IP_TTL)), 33);
	cr_assert_eq(*CMSG_DATA(find_cmsg(&msg, IPPROTO_IP, IP_TOS)), 0x28);
	pi = (const struct in_pktinfo *)CMSG_DATA(find_cmsg(&msg, IPPROTO_IP, IP_PKTINFO));
	cr_assert_eq(pi->ipi_addr.s_addr, cpu_to_be32(0x7f000009u));
	cr_assert_eq(pi->ipi_spec_dst.s_addr, cpu_to_be32(0x7f000009u));
	cr_assert_eq(pi->ipi_ifindex, 1);
	cr_assert_eq(msg.msg_flags, 0);
	msg.msg_controllen = CMSG_SPACE(sizeof(struct timespec)) + sizeof(struct cmsghdr) + 4;
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 8);
	cr_assert_eq(msg.msg_flags, MSG_CTRUNC);
	cr_assert_leq(msg.msg_controllen, CMSG_SPACE(sizeof(struct timespec)) + sizeof(struct cmsghdr) + 4);
	msg.msg_control = NULL;
	msg.msg_controllen = 0;
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 8);
	/* what is malformed is refused */
	ttl = 0;
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	cr_assert_eq(ns_sendmsg(b, &send, 0), -EINVAL);
	c->cmsg_len = 3;
	cr_assert_eq(ns_sendmsg(b, &send, 0), -EINVAL);
	c->cmsg_len = 5000;
	cr_assert_eq(ns_sendmsg(b, &send, 0), -EINVAL);
	ns_close(a);
	ns_close(b);
	host_free(h);
}

/* Datagrams of one size in one call, and back: the size goes as ancillary data both ways, to who asked. */
Test(sock, segments_and_their_size)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5100);
	char data[100];
	union { char b[64]; struct cmsghdr align; } ctl_buf, out = { { 0 } };
	struct iovec iov = { data, sizeof(data) };
	struct sockaddr_in to = sin_of(0x7f000009u, 5000);
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl_buf, .msg_controllen = sizeof(ctl_buf) }, again = msg;
	struct msghdr send = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = CMSG_SPACE(2), .msg_name = &to, .msg_namelen = sizeof(to) };
	struct cmsghdr *c = (struct cmsghdr *)&out;
	uint16_t size = 30;
	int want = 30;

	set_int(a, IPPROTO_UDP, 104 /* UDP_GRO */, 1);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2), .cmsg_level = IPPROTO_UDP, .cmsg_type = 103 /* UDP_SEGMENT */ };
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	cr_assert_eq(ns_sendmsg(b, &send, 0), 100);
	cr_assert_eq(ns_sendmsg(b, &send, 0), 100);
	run(h);
	for (int peek = 1; peek >= 0; peek--) {
		msg = again;
		cr_assert_eq(ns_recvmsg(a, &msg, peek ? MSG_PEEK : 0), 100);
		cr_assert_not_null(find_cmsg(&msg, IPPROTO_UDP, 104));
		cr_expect_eq(memcmp(CMSG_DATA(find_cmsg(&msg, IPPROTO_UDP, 104)), &want, sizeof(want)), 0);
	}
	/* one datagram has no size to tell */
	c->cmsg_len = CMSG_LEN(2);
	size = 100;
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	cr_assert_eq(ns_sendmsg(b, &send, 0), 100);
	run(h);
	msg = again;
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 100);
	msg = again;
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 100);
	cr_expect_null(find_cmsg(&msg, IPPROTO_UDP, 104));
	ns_close(a);
	ns_close(b);
	host_free(h);
}

/* RFC 1122 4.1.3.2: the application says which options are sent, and sees those that came. */
Test(sock, ip_options_both_ways)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000), *b = udp(h, 0, 5100);
	union { char b[256]; struct cmsghdr align; } ctl_buf;
	char data[8];
	struct iovec iov = { data, 8 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl_buf, .msg_controllen = sizeof(ctl_buf) };
	uint8_t rr[11] = { 7, 11, 4 }, got[40]; /* record route, room for two */
	socklen_t len = sizeof(got);
	const struct cmsghdr *c;

	set_int(a, IPPROTO_IP, IP_RECVOPTS, 1);
	cr_assert_eq(ns_setsockopt(b, IPPROTO_IP, IP_OPTIONS, rr, sizeof(rr)), 0);
	cr_assert_eq(ns_getsockopt(b, IPPROTO_IP, IP_OPTIONS, got, &len), 0);
	cr_assert(len == 12 && !memcmp(got, rr, sizeof(rr)));
	cr_assert_eq(send_to(b, LOOPBACK, 5000, "x", 1), 1);
	run(h);
	cr_assert_eq(ns_recvmsg(a, &msg, 0), 1);
	c = find_cmsg(&msg, IPPROTO_IP, IP_RECVOPTS);
	cr_assert_not_null(c);
	cr_assert_eq(c->cmsg_len, CMSG_LEN(12));
	cr_assert(CMSG_DATA(c)[0] == 7 && CMSG_DATA(c)[1] == 11);
	ns_close(a);
	ns_close(b);
	host_free(h);
}

Test(sock, error_queue)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 0);
	char data[64] = "hello";
	union { char b[256]; struct cmsghdr align; } ctl_buf;
	struct iovec iov = { data, sizeof(data) };
	struct sockaddr_in name;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl_buf, .msg_controllen = sizeof(ctl_buf), .msg_name = &name, .msg_namelen = sizeof(name) };
	const struct sock_extended_err *ee;
	char big[2000] = { 0 };

	cr_assert_eq(send_to(a, LOOPBACK, 4999, "hello", 5), 5);
	run(h);
	cr_assert_eq(ns_poll(a) & EPOLLERR, 0, "not connected and not asked for: ignored");
	set_int(a, IPPROTO_IP, IP_RECVERR, 1);
	cr_assert_eq(ns_recvmsg(a, &msg, MSG_ERRQUEUE), -EAGAIN);
	cr_assert_eq(send_to(a, LOOPBACK, 4999, "hello", 5), 5);
	run(h);
	cr_assert(ns_poll(a) & EPOLLERR);
	msg.msg_controllen = sizeof(ctl_buf);
	memset(data, 0, sizeof(data));
	cr_assert_eq(ns_recvmsg(a, &msg, MSG_ERRQUEUE), 5);
	cr_assert(!memcmp(data, "hello", 5));
	cr_assert_eq(msg.msg_flags, MSG_ERRQUEUE);
	cr_assert(name.sin_port == cpu_to_be16(4999) && name.sin_addr.s_addr == cpu_to_be32(LOOPBACK));
	ee = (const struct sock_extended_err *)CMSG_DATA(find_cmsg(&msg, IPPROTO_IP, IP_RECVERR));
	cr_assert(ee->ee_errno == ECONNREFUSED && ee->ee_origin == SO_EE_ORIGIN_ICMP && ee->ee_type == 3 && ee->ee_code == 3);
	cr_assert_eq(((const struct sockaddr_in *)SO_EE_OFFENDER(ee))->sin_addr.s_addr, cpu_to_be32(LOOPBACK));
	cr_assert_eq(ns_poll(a) & EPOLLERR, 0);
	cr_assert_eq(get_int(a, SOL_SOCKET, SO_ERROR), 0, "reading the queue took it");
	/* a local one */
	set_int(a, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	cr_assert_eq(send_to(a, PEER, 9, big, 1473), -EMSGSIZE);
	msg.msg_controllen = sizeof(ctl_buf);
	cr_assert_eq(ns_recvmsg(a, &msg, MSG_ERRQUEUE), 0);
	ee = (const struct sock_extended_err *)CMSG_DATA(find_cmsg(&msg, IPPROTO_IP, IP_RECVERR));
	cr_assert(ee->ee_errno == EMSGSIZE && ee->ee_origin == SO_EE_ORIGIN_LOCAL && ee->ee_info == 1500);
	ns_close(a);
	host_free(h);
}

Test(sock, closed_with_packets_under_way)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000);

	for (int i = 0; i < 5; i++)
		cr_assert_eq(send_to(a, PEER, 9, "x", 1), 1);
	cr_assert_eq(sk_of(a)->skb_refs, 5);
	ns_close(a); /* five packets still wait for the neighbour, charged to it */
	run(h);
	host_run(h, h->now + 10 * NSEC_PER_SEC);
	cr_assert_null(host_idle_error(h));
	a = udp(h, 0, 5000);
	cr_assert_eq(send_to(a, PEER, 9, "x", 1), 1);
	host_free(h); /* neither closed nor sent */
}

/* ---- connect -------------------------------------------------------------------------------------------------------------------------------------------- */

static void names(struct socket *s, uint32_t *laddr, uint16_t *lport, int *peer_err, uint32_t *paddr, uint16_t *pport)
{
	struct sockaddr_in sin = { 0 };
	socklen_t len = sizeof(sin);

	cr_assert_eq(ns_getsockname(s, (struct sockaddr *)&sin, &len), 0);
	*laddr = be32_to_cpu(sin.sin_addr.s_addr);
	*lport = be16_to_cpu(sin.sin_port);
	len = sizeof(sin);
	*peer_err = ns_getpeername(s, (struct sockaddr *)&sin, &len);
	*paddr = be32_to_cpu(sin.sin_addr.s_addr);
	*pport = be16_to_cpu(sin.sin_port);
}

Test(sock, connect_and_undo)
{
	struct host *h = new_host(1);
	struct socket *s = udp(h, 0, 0), *b = udp(h, LOOPBACK, 6000), *bc = udp(h, 0, 0);
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	uint32_t la, pa;
	uint16_t lp, pp;
	int err;

	names(s, &la, &lp, &err, &pa, &pp);
	cr_assert(la == 0 && lp == 0 && err == -ENOTCONN);
	cr_assert_eq(ns_send(s, "x", 1, 0), -EDESTADDRREQ);
	cr_assert_eq(conn(s, PEER, 53), 0);
	names(s, &la, &lp, &err, &pa, &pp);
	cr_assert(la == OURS && lp != 0 && err == 0 && pa == PEER && pp == 53);
	cr_assert_eq(get_int(s, IPPROTO_IP, IP_MTU), 1500);
	cr_assert_eq(ns_connect(s, &unspec, sizeof(unspec)), 0);
	names(s, &la, &lp, &err, &pa, &pp);
	cr_assert(la == 0 && lp == 0 && err == -ENOTCONN, "the stack chose both, so both go");
	cr_assert_eq(conn(b, LOOPBACK, 6001), 0);
	cr_assert_eq(ns_connect(b, &unspec, sizeof(unspec)), 0);
	names(b, &la, &lp, &err, &pa, &pp);
	cr_assert(la == LOOPBACK && lp == 6000 && err == -ENOTCONN, "what was bound stays");
	cr_assert_eq(conn(s, 0x08080808u, 53), -ENETUNREACH);
	cr_assert_eq(conn(s, 0, 6000), 0, "0.0.0.0 is this host");
	names(s, &la, &lp, &err, &pa, &pp);
	cr_assert(la == LOOPBACK && pa == LOOPBACK && pp == 6000);
	cr_assert_eq(ns_send(s, "x", 1, 0), 1);
	run(h);
	cr_assert_eq(ns_poll(b) & EPOLLIN, EPOLLIN);
	cr_assert_eq(conn(bc, 0xc00002ffu, 9), -EACCES);
	set_int(bc, SOL_SOCKET, SO_BROADCAST, 1);
	cr_assert_eq(conn(bc, 0xc00002ffu, 9), 0);
	ns_close(s);
	ns_close(b);
	ns_close(bc);
	host_free(h);
}

/* ---- the dump ------------------------------------------------------------------------------------------------------------------------------------------- */

static int dump_one(void *arg, const struct sock_info *info)
{
	unsigned *n = arg;

	(*n)++;
	if (info->lport == 5000) {
		cr_assert_eq(info->protocol, IPPROTO_UDP);
		cr_assert_eq(info->state, TCP_CLOSE);
		cr_assert_str_eq(info->owner, "an owner with a name that is lo");
		cr_assert_eq(info->cookie, 42);
		cr_assert_gt(info->recvq, 0);
		cr_assert_eq(info->local.family, AF_INET);
	}
	for (unsigned i = 0; i < 8; i++) /* the callback closes what it is shown, and the next one */
		if (victims[i]) {
			ns_close(victims[i]);
			victims[i] = NULL;
			break;
		}
	return 0;
}

Test(sock, dump_while_sockets_close)
{
	struct host *h = new_host(1);
	struct socket *a = udp(h, 0, 5000);
	unsigned n = 0;

	ns_set_owner(a, "an owner with a name that is longer than is kept");
	ns_set_cookie(a, 42, EPOLLIN);
	send_to(a, LOOPBACK, 5000, "x", 1);
	run(h);
	for (unsigned i = 0; i < 8; i++)
		victims[i] = udp(h, 0, 0);
	cr_assert_eq(stack_sock_foreach(h->shard[0].stack, dump_one, &n), 0);
	cr_assert(n >= 1 && n <= 9);
	n = 0;
	while (stack_sock_foreach(h->shard[0].stack, dump_one, &n) == 0 && n > 1)
		n = 0;
	ns_close(a);
	host_free(h);
}
