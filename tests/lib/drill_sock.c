/* SPDX-License-Identifier: MIT */
/*
 * drill_sock.c: the rows of a drill that call sockets.
 */
#include "drill_priv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static const struct name states[] = {
	{ "ESTABLISHED", 1 }, { "SYN_SENT", 2 }, { "SYN_RECV", 3 }, { "FIN_WAIT1", 4 }, { "FIN_WAIT2", 5 }, { "TIME_WAIT", 6 }, { "CLOSE", 7 },
	{ "CLOSE_WAIT", 8 }, { "LAST_ACK", 9 }, { "LISTEN", 10 }, { "CLOSING", 11 }, { NULL, 0 },
};
static const struct name msg_flags[] = {
	{ "peek", MSG_PEEK }, { "more", MSG_MORE }, { "oob", MSG_OOB }, { "trunc", MSG_TRUNC }, { "errqueue", MSG_ERRQUEUE }, { "waitall", MSG_WAITALL },
	{ "dontwait", MSG_DONTWAIT }, { NULL, 0 },
};
static const struct {
	const char *name;
	int         level, opt;
} sockopts[] = {
#define S(n) { #n, SOL_SOCKET, SO_##n }
#define I(n) { #n, IPPROTO_IP, IP_##n }
#define T(n) { #n, IPPROTO_TCP, TCP_##n }
	S(REUSEADDR), S(REUSEPORT), S(KEEPALIVE), S(BROADCAST), S(LINGER), S(OOBINLINE), S(SNDBUF), S(RCVBUF), S(RCVLOWAT), S(ERROR), S(TYPE), S(PROTOCOL),
	S(DOMAIN), S(ACCEPTCONN), S(BINDTODEVICE), S(MARK), S(PRIORITY), S(TIMESTAMP), S(INCOMING_CPU), S(COOKIE), S(DONTROUTE),
	I(TOS), I(TTL), I(MTU), I(MTU_DISCOVER), I(RECVERR), I(PKTINFO), I(RECVTTL), I(RECVTOS), I(HDRINCL), I(FREEBIND), I(MULTICAST_TTL), I(MULTICAST_LOOP),
	I(MINTTL), I(NODEFRAG), I(RECVOPTS), I(MULTICAST_IF), { "UDP_CORK", IPPROTO_UDP, 1 }, { "UDP_SEGMENT", IPPROTO_UDP, 103 }, { "UDP_GRO", IPPROTO_UDP, 104 },
	{ "SHARD_REPLICA", SOL_NETSTACK, NS_SO_SHARD_REPLICA },
	T(NODELAY), T(CORK), T(MAXSEG), T(KEEPIDLE), T(KEEPINTVL), T(KEEPCNT), T(SYNCNT), T(LINGER2), T(DEFER_ACCEPT), T(WINDOW_CLAMP), T(QUICKACK),
	T(USER_TIMEOUT), T(NOTSENT_LOWAT), T(CONGESTION), T(FASTOPEN), T(TIMESTAMP),
#undef S
#undef I
#undef T
};
static const struct {
	const char *name;
	uint8_t     off, size;
} info_fields[] = {
#define F(n) { #n, offsetof(struct tcp_info, tcpi_##n), sizeof(((struct tcp_info *)0)->tcpi_##n) }
	F(state), F(last_data_recv), F(ca_state), F(retransmits), F(probes), F(backoff), F(options), F(rto), F(ato), F(snd_mss), F(rcv_mss), F(unacked), F(sacked), F(lost),
	F(retrans), F(fackets), F(pmtu), F(rcv_ssthresh), F(rtt), F(rttvar), F(snd_ssthresh), F(snd_cwnd), F(advmss), F(reordering), F(rcv_rtt), F(rcv_space),
	F(total_retrans), F(bytes_acked), F(bytes_received), F(segs_out), F(segs_in), F(notsent_bytes), F(min_rtt), F(data_segs_in), F(data_segs_out),
	F(bytes_sent), F(bytes_retrans), F(dsack_dups), F(reord_seen), F(rcv_ooopack), F(snd_wnd),
#undef F
};

struct dsock *drill_sock_named(struct drill *d, const char *name)
{
	for (unsigned i = 0; i < d->nsocks; i++)
		if (strcmp(d->sock[i].name, name) == 0 && d->sock[i].sock)
			return &d->sock[i];
	drill_fail(d, "no socket '%s'", name);
	return NULL;
}

static struct dsock *sock_add(struct drill *d, const char *name, struct socket *sock, int type, unsigned cpu)
{
	struct dsock *s;

	if (d->nsocks == MAX_SOCKS) {
		ns_close(sock);
		drill_fail(d, "too many sockets");
		return NULL;
	}
	s = &d->sock[d->nsocks++];
	*s = (struct dsock){ .sock = sock, .type = type, .cpu = cpu };
	snprintf(s->name, sizeof(s->name), "%s", name);
	ns_set_cookie(sock, d->nsocks, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI);
	return s;
}

static bool parse_sockaddr(struct drill *d, const char *text, struct sockaddr_in *sa)
{
	char  host[64];
	char *colon;

	snprintf(host, sizeof(host), "%s", text);
	*sa = (struct sockaddr_in){ .sin_family = AF_INET };
	colon = strchr(host, ':');
	if (colon) {
		*colon = 0;
		sa->sin_port = htons((uint16_t)atoi(colon + 1));
	}
	if (*host && !inet_aton(host, &sa->sin_addr))
		return drill_fail(d, "bad address '%s'", text);
	return true;
}

static bool row_socket(struct drill *d)
{
	struct socket *sock = NULL;
	const char    *cpu = drill_after(d, "cpu");
	unsigned       c = cpu ? (unsigned)atoi(cpu) : 0;
	int            type, proto = 0, r;

	NEED(d, 3);
	type = strcmp(d->w[2], "tcp") == 0 ? SOCK_STREAM : strcmp(d->w[2], "udp") == 0 ? SOCK_DGRAM : SOCK_RAW;
	if (type == SOCK_RAW && d->nw > 3)
		proto = atoi(d->w[3]);
	if (c >= d->ncpu)
		return drill_fail(d, "no shard %u", c);
	r = ns_socket(host_touch(d->host, c), AF_INET, type, proto, &sock);
	if (!drill_expect_result(d, r, 0))
		return false;
	return r != 0 || sock_add(d, d->w[1], sock, type, c) != NULL;
}

static bool row_bind(struct drill *d)
{
	struct sockaddr_in sa;

	NEED(d, 3);
	SOCK(d, 1, s);
	return parse_sockaddr(d, d->w[2], &sa) && drill_expect_result(d, ns_bind(s->sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static bool row_listen(struct drill *d)
{
	NEED(d, 3);
	SOCK(d, 1, s);
	return drill_expect_result(d, ns_listen(s->sock, atoi(d->w[2])), 0);
}

static bool row_connect(struct drill *d)
{
	struct sockaddr_in sa, me = { 0 };
	socklen_t          len = sizeof(me);
	int                r;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (strcmp(d->w[2], "none") == 0)
		sa = (struct sockaddr_in){ .sin_family = AF_UNSPEC };
	else if (!parse_sockaddr(d, d->w[2], &sa))
		return false;
	r = ns_connect(s->sock, (struct sockaddr *)&sa, sizeof(sa));
	if ((r == 0 || r == -EINPROGRESS) && sa.sin_family == AF_INET && ns_getsockname(s->sock, (struct sockaddr *)&me, &len) == 0) {
		d->fc.pport = ntohs(sa.sin_port);
		d->fc.lport = ntohs(me.sin_port);
	}
	return drill_expect_result(d, r, r == -EINPROGRESS ? r : 0);
}

static bool row_accept(struct drill *d)
{
	struct socket *sock = NULL;
	int            r;

	NEED(d, 3);
	SOCK(d, 1, s);
	r = ns_accept(s->sock, &sock, NULL, NULL);
	if (!drill_expect_result(d, r, 0))
		return false;
	return r != 0 || sock_add(d, d->w[2], sock, SOCK_STREAM, s->cpu) != NULL;
}

static bool row_close(struct drill *d)
{
	NEED(d, 2);
	SOCK(d, 1, s);
	ns_close(s->sock);
	s->sock = NULL;
	return true;
}

static bool row_shutdown(struct drill *d)
{
	NEED(d, 3);
	SOCK(d, 1, s);
	return drill_expect_result(d, ns_shutdown(s->sock, strcmp(d->w[2], "rd") == 0 ? SHUT_RD : strcmp(d->w[2], "wr") == 0 ? SHUT_WR : SHUT_RDWR), 0);
}

static bool parse_msg_flags(struct drill *d, int *flags)
{
	const char *f = drill_after(d, "flags");
	char        buf[64], *save, *w;
	int         v;

	*flags = 0;
	if (!f)
		return true;
	snprintf(buf, sizeof(buf), "%s", f);
	for (w = strtok_r(buf, "|,", &save); w; w = strtok_r(NULL, "|,", &save)) {
		if (!drill_name_value(msg_flags, w, &v))
			return drill_fail(d, "unknown flag '%s'", w);
		*flags |= v;
	}
	return true;
}

static size_t unquote(const char *w, uint8_t *buf, size_t size)
{
	size_t n = 0;

	for (w++; *w && *w != '"' && n < size; w++) {
		if (*w == '\\' && w[1])
			buf[n++] = *++w == 'n' ? '\n' : *w == 'r' ? '\r' : (uint8_t)*w;
		else
			buf[n++] = (uint8_t)*w;
	}
	return n;
}

static bool row_send(struct drill *d)
{
	struct sockaddr_in to;
	const char        *dest = drill_after(d, "to");
	struct iovec       iov;
	struct msghdr      msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint8_t           *buf;
	size_t             len;
	ssize_t            r;
	int                flags;
	bool               ok;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (!parse_msg_flags(d, &flags) || (dest && !parse_sockaddr(d, dest, &to)))
		return false;
	len = *d->w[2] == '"' ? strlen(d->w[2]) : strtoul(d->w[2], NULL, 0);
	buf = malloc(len + 1);
	if (!buf)
		abort();
	if (*d->w[2] == '"')
		len = unquote(d->w[2], buf, len);
	else
		for (size_t i = 0; i < len; i++)
			buf[i] = frame_pattern((s->type == SOCK_STREAM ? s->tx : 0) + i);
	iov = (struct iovec){ buf, len };
	if (dest) {
		msg.msg_name = &to;
		msg.msg_namelen = sizeof(to);
		if (s->type == SOCK_DGRAM)
			d->fc.pport = ntohs(to.sin_port);
	}
	r = ns_sendmsg(s->sock, &msg, flags);
	if (r > 0)
		s->tx += (uint64_t)r;
	if (s->type == SOCK_DGRAM && r >= 0) {
		struct sockaddr_in me;
		socklen_t          ml = sizeof(me);

		if (ns_getsockname(s->sock, (struct sockaddr *)&me, &ml) == 0)
			d->fc.lport = ntohs(me.sin_port);
	}
	ok = drill_expect_result(d, (long)r, (long)len);
	free(buf);
	return ok;
}

static bool row_recv(struct drill *d)
{
	struct sockaddr_in from = { 0 }, want;
	const char        *src = drill_after(d, "from");
	uint8_t            text[2048];
	struct iovec       iov;
	struct msghdr      msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
	size_t             len, tlen = 0;
	ssize_t            r;
	uint8_t           *buf;
	int                flags;
	bool               ok;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (!parse_msg_flags(d, &flags))
		return false;
	if (*d->w[2] == '"')
		tlen = unquote(d->w[2], text, sizeof(text));
	len = *d->w[2] == '"' ? tlen : strtoul(d->w[2], NULL, 0);
	buf = malloc(len + 1);
	if (!buf)
		abort();
	iov = (struct iovec){ buf, len };
	r = ns_recvmsg(s->sock, &msg, flags);
	ok = drill_expect_result(d, (long)r, (long)len);
	for (ssize_t i = 0; ok && i < r && (size_t)i < len; i++) {
		uint8_t w = *d->w[2] == '"' ? text[i] : frame_pattern((s->type == SOCK_STREAM ? s->rx : 0) + (uint64_t)i);

		if (s->type == SOCK_RAW)
			break;
		if (buf[i] != w)
			ok = drill_fail(d, "byte %zd of what was received is 0x%02x, expected 0x%02x", i, buf[i], w);
	}
	if (r > 0 && !(flags & (MSG_PEEK | MSG_OOB)))
		s->rx += (uint64_t)r;
	if (ok && src && r >= 0)
		ok = parse_sockaddr(d, src, &want) && ((want.sin_addr.s_addr == from.sin_addr.s_addr && (want.sin_port == from.sin_port || !want.sin_port)) ||
						       drill_fail(d, "came from %s:%u", inet_ntoa(from.sin_addr), ntohs(from.sin_port)));
	free(buf);
	return ok;
}

static bool find_sockopt(struct drill *d, const char *name, int *level, int *opt)
{
	for (size_t i = 0; i < sizeof(sockopts) / sizeof(sockopts[0]); i++)
		if (strcmp(sockopts[i].name, name) == 0) {
			*level = sockopts[i].level;
			*opt = sockopts[i].opt;
			return true;
		}
	return drill_fail(d, "unknown socket option '%s'", name);
}

static bool row_setsockopt(struct drill *d)
{
	struct linger lg;
	const void   *p;
	socklen_t     len;
	int           level, opt, v;

	NEED(d, 4);
	SOCK(d, 1, s);
	if (!find_sockopt(d, d->w[2], &level, &opt))
		return false;
	v = (int)strtol(d->w[3], NULL, 0);
	p = &v;
	len = sizeof(v);
	if (level == SOL_SOCKET && opt == SO_LINGER) { /* seconds, or "off" */
		lg = (struct linger){ strcmp(d->w[3], "off") != 0, v };
		p = &lg;
		len = sizeof(lg);
	} else if (!isdigit((unsigned char)*d->w[3]) && *d->w[3] != '-') {
		p = d->w[3];
		len = (socklen_t)strlen(d->w[3]);
	}
	return drill_expect_result(d, ns_setsockopt(s->sock, level, opt, p, len), 0);
}

static bool row_getsockopt(struct drill *d)
{
	char      buf[64] = "";
	socklen_t len = sizeof(buf) - 1;
	int       level, opt, r, v = 0, e;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (!find_sockopt(d, d->w[2], &level, &opt))
		return false;
	r = ns_getsockopt(s->sock, level, opt, buf, &len);
	if (r < 0)
		return drill_expect_result(d, r, 0);
	memcpy(&v, buf, sizeof(v));
	if (level == SOL_SOCKET && opt == SO_ERROR && d->want && drill_errno_value(d->want, &e))
		return v == e || drill_fail(d, "SO_ERROR is %d %s", v, drill_errno_name(v));
	if (d->want && isalpha((unsigned char)*d->want))
		return strcmp(buf, d->want) == 0 || drill_fail(d, "is '%s'", buf);
	return drill_expect_number(d, d->w[2], (uint64_t)(int64_t)v);
}

static bool row_poll(struct drill *d)
{
	NEED(d, 2);
	SOCK(d, 1, s);
	return drill_expect_events(d, "ready", ns_poll(s->sock));
}

static bool row_wake(struct drill *d)
{
	uint32_t ev;

	NEED(d, 2);
	SOCK(d, 1, s);
	ev = s->woken;
	s->woken = 0;
	return drill_expect_events(d, "woken with", ev);
}

static bool row_info(struct drill *d)
{
	struct tcp_info ti;
	socklen_t       len = sizeof(ti);
	int             r, st;

	NEED(d, 3);
	SOCK(d, 1, s);
	memset(&ti, 0, sizeof(ti));
	r = ns_getsockopt(s->sock, IPPROTO_TCP, TCP_INFO, &ti, &len);
	if (r)
		return drill_fail(d, "TCP_INFO: %d", r);
	if (strcmp(d->w[2], "state") == 0 && d->want && drill_name_value(states, d->want, &st))
		return ti.tcpi_state == st || drill_fail(d, "state is %s", drill_value_name(states, ti.tcpi_state));
	for (size_t i = 0; i < sizeof(info_fields) / sizeof(info_fields[0]); i++)
		if (strcmp(info_fields[i].name, d->w[2]) == 0) {
			uint64_t v = 0;

			memcpy(&v, (char *)&ti + info_fields[i].off, info_fields[i].size);
			return drill_expect_number(d, d->w[2], v);
		}
	if (strcmp(d->w[2], "snd_wscale") == 0)
		return drill_expect_number(d, d->w[2], ti.tcpi_snd_wscale);
	if (strcmp(d->w[2], "rcv_wscale") == 0)
		return drill_expect_number(d, d->w[2], ti.tcpi_rcv_wscale);
	return drill_fail(d, "unknown field '%s'", d->w[2]);
}

static bool row_ioctl(struct drill *d)
{
	static const struct name cmds[] = { { "INQ", SIOCINQ }, { "OUTQ", SIOCOUTQ }, { "ATMARK", SIOCATMARK }, { NULL, 0 } };
	int                      cmd, v = 0, r;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (!drill_name_value(cmds, d->w[2], &cmd))
		return drill_fail(d, "unknown ioctl '%s'", d->w[2]);
	r = ns_ioctl(s->sock, (unsigned long)cmd, &v);
	return r ? drill_expect_result(d, r, 0) : drill_expect_number(d, d->w[2], (uint64_t)v);
}

const struct drill_op drill_sock_ops[] = {
	{ "socket", row_socket }, { "bind", row_bind }, { "listen", row_listen }, { "connect", row_connect }, { "accept", row_accept },
	{ "close", row_close }, { "shutdown", row_shutdown }, { "send", row_send }, { "recv", row_recv }, { "setsockopt", row_setsockopt },
	{ "getsockopt", row_getsockopt }, { "poll", row_poll }, { "wake", row_wake }, { "info", row_info }, { "ioctl", row_ioctl },
	{ NULL, NULL },
};
