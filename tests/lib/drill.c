/* SPDX-License-Identifier: MIT */
/*
 * drill.c: see drill.h. A row is cut into words; the first one chooses a function from a table. The functions return false after saying in d->err why.
 */
#include "drill.h"
#include "frame.h"
#include "host.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#define MAX_SOCKS 64
#define MAX_WORDS 24
#define ANY_TIME  (1000 * NSEC_PER_SEC)
#define DRAIN     (3600 * NSEC_PER_SEC)

struct dsock {
	char           name[16];
	struct socket *sock;
	int            type;
	unsigned       cpu;
	uint64_t       tx, rx; /* offsets in the stream */
	uint32_t       woken;
};

struct drill {
	struct host      *host;
	struct frame_ctx  fc;
	unsigned          ncpu, ndevs;
	uint64_t          seed;
	uint32_t          mtu;
	bool              arp, nodrain, txfull;
	int               ifindex[FRAME_DEVS];
	struct dsock      sock[MAX_SOCKS];
	unsigned          nsocks;
	ktime_t           last; /* when the row before happened */
	char             *w[MAX_WORDS]; /* words of the row, without time and expectation */
	unsigned          nw;
	const char       *rest; /* the row behind its first word */
	char             *want; /* behind "=", or NULL */
	char              err[1400];
	char              trace[16][256]; /* the last things that happened */
	unsigned          ntrace;
};

static bool fail(struct drill *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct drill *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->err, sizeof(d->err), fmt, ap);
	va_end(ap);
	return false;
}

static void trace(struct drill *d, const char *what, const char *text)
{
	snprintf(d->trace[d->ntrace++ % 16], sizeof(d->trace[0]), "%10.6f %.8s %.200s", (double)(d->host->now - NSEC_PER_SEC) / 1e9, what, text);
}

/* ---- names of numbers ------------------------------------------------------------------------------------------------- */

struct name {
	const char *name;
	int         value;
};

#define E(n) { #n, n }
static const struct name errnos[] = {
	E(EAGAIN), E(EINPROGRESS), E(EALREADY), E(EISCONN), E(ENOTCONN), E(ECONNREFUSED), E(ECONNRESET), E(ECONNABORTED), E(ETIMEDOUT), E(EPIPE), E(EINVAL),
	E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETUNREACH), E(EHOSTUNREACH), E(ENETDOWN), E(EHOSTDOWN), E(EMSGSIZE), E(ENOBUFS), E(ENOMEM), E(EACCES), E(EPERM),
	E(EOPNOTSUPP), E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(EAFNOSUPPORT), E(EDESTADDRREQ), E(EPROTO), E(ENOTSOCK), E(EFAULT), E(ENODEV), E(ENOENT), E(EEXIST),
	E(ESRCH), E(EPROTOTYPE), E(ENOPROTOOPT), E(EDOM), E(ERANGE), E(EMFILE), E(EBADF), E(ENONET), E(EIO), E(EBUSY), { NULL, 0 },
};
#undef E
static const struct name events[] = {
	{ "IN", EPOLLIN }, { "OUT", EPOLLOUT }, { "ERR", EPOLLERR }, { "HUP", EPOLLHUP }, { "RDHUP", EPOLLRDHUP }, { "PRI", EPOLLPRI },
	{ "none", 0 }, { NULL, 0 },
};
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
	I(MINTTL), I(NODEFRAG), I(RECVOPTS), I(MULTICAST_IF), { "UDP_CORK", IPPROTO_UDP, 1 }, { "UDP_SEGMENT", IPPROTO_UDP, 103 },
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
	F(state), F(ca_state), F(retransmits), F(probes), F(backoff), F(options), F(rto), F(ato), F(snd_mss), F(rcv_mss), F(unacked), F(sacked), F(lost),
	F(retrans), F(fackets), F(pmtu), F(rcv_ssthresh), F(rtt), F(rttvar), F(snd_ssthresh), F(snd_cwnd), F(advmss), F(reordering), F(rcv_rtt), F(rcv_space),
	F(total_retrans), F(bytes_acked), F(bytes_received), F(segs_out), F(segs_in), F(notsent_bytes), F(min_rtt), F(data_segs_in), F(data_segs_out),
	F(bytes_sent), F(bytes_retrans), F(dsack_dups), F(reord_seen), F(rcv_ooopack), F(snd_wnd),
#undef F
};

static bool name_value(const struct name *t, const char *s, int *ret)
{
	for (; t->name; t++)
		if (strcmp(t->name, s) == 0) {
			*ret = t->value;
			return true;
		}
	return false;
}

static const char *value_name(const struct name *t, int v)
{
	for (; t->name; t++)
		if (t->value == v)
			return t->name;
	return "?";
}

/* ---- expectations -------------------------------------------------------------------------------------------------------- */

/* The result of a call against "= ...", or against def when the row says nothing. */
static bool expect_result(struct drill *d, long r, long def)
{
	char *end;
	long  want = def;
	int   e;

	if (d->want) {
		want = strtol(d->want, &end, 0);
		if (end == d->want || *end) {
			if (!name_value(errnos, d->want[0] == '-' ? d->want + 1 : d->want, &e))
				return fail(d, "unknown result '%s'", d->want);
			want = -e;
		}
	}
	if (r == want)
		return true;
	return fail(d, "returned %ld%s%s, expected %ld%s%s", r, r < 0 ? " " : "", r < 0 ? value_name(errnos, (int)-r) : "", want, want < 0 ? " " : "",
		    want < 0 ? value_name(errnos, (int)-want) : "");
}

/* A number that the row must give: N, >=N, <=N, A..B, * */
static bool expect_number(struct drill *d, const char *what, uint64_t v)
{
	char    *end;
	uint64_t a, b;

	if (!d->want)
		return fail(d, "the row does not say '= N'");
	if (strcmp(d->want, "*") == 0) {
		return true;
	} else if (d->want[0] == '>' || d->want[0] == '<') {
		b = strtoull(d->want + 2, &end, 0);
		a = d->want[0] == '>' ? b : 0;
		b = d->want[0] == '>' ? UINT64_MAX : b;
	} else {
		a = b = strtoull(d->want, &end, 0);
		if (end[0] == '.' && end[1] == '.')
			b = strtoull(end + 2, &end, 0);
	}
	if (*end)
		return fail(d, "cannot read '= %s'", d->want);
	return (v >= a && v <= b) || fail(d, "%s is %llu, expected %s", what, (unsigned long long)v, d->want);
}

static bool expect_events(struct drill *d, const char *what, uint32_t v)
{
	uint32_t want = 0;
	char     got[80] = "", *save, *w;
	int      e;

	if (!d->want)
		return fail(d, "the row does not say '= EVENTS'");
	for (w = strtok_r(d->want, " |", &save); w; w = strtok_r(NULL, " |", &save)) {
		if (!name_value(events, w, &e))
			return fail(d, "unknown event '%s'", w);
		want |= (uint32_t)e;
	}
	v &= EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI; /* the others say the same again */
	if (v == want)
		return true;
	for (const struct name *t = events; t->name; t++)
		if (t->value && (v & (uint32_t)t->value))
			strcat(strcat(got, " "), t->name);
	return fail(d, "%s:%s", what, *got ? got : " none");
}

/* ---- the host behind the table ------------------------------------------------------------------------------------------- */

static int on_xmit(void *arg, struct host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	struct drill      *d = arg;
	struct host_frame *f;

	(void)cpu;
	if (d->txfull)
		return -EAGAIN;
	f = malloc(sizeof(*f) + skb->len);
	if (!f)
		abort();
	*f = (struct host_frame){ .when = h->now, .ifindex = ifindex, .len = skb->len };
	if (skb_copy_bits(skb, 0, f->data, skb->len))
		abort();
	*h->sent_tail = f;
	h->sent_tail = &f->next;
	return 0;
}

static void on_wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t ev)
{
	struct drill *d = arg;

	(void)h;
	(void)cpu;
	if (cookie >= 1 && cookie <= d->nsocks)
		d->sock[cookie - 1].woken |= ev;
}

static const struct host_ops drill_ops = { .xmit = on_xmit, .wake = on_wake };

static bool start(struct drill *d)
{
	char name[16], addr[32], ip[16];

	if (d->host)
		return true;
	d->host = host_new("drill", d->ncpu, d->seed, &drill_ops, d);
	if (!d->host)
		return fail(d, "cannot make a host");
	d->last = d->host->now;
	for (unsigned i = 0; i < d->ndevs; i++) {
		struct netcfg_err err = { "" };
		struct neigh_conf n;

		snprintf(name, sizeof(name), "eth%u", i);
		snprintf(addr, sizeof(addr), "%s/24", inet_ntop(AF_INET, &d->fc.dev[i].local, ip, sizeof(ip)));
		d->ifindex[i] = host_link(d->host, name, addr, d->fc.dev[i].local_mac[5], d->mtu, 0);
		if (d->ifindex[i] < 0)
			return fail(d, "cannot make %s: %d", name, d->ifindex[i]);
		n = (struct neigh_conf){ .ifindex = d->ifindex[i], .addr = ipaddr_v4(d->fc.dev[i].peer) };
		memcpy(n.lladdr.b, d->fc.dev[i].peer_mac, 6);
		if (!d->arp && netcfg_neigh_add(d->host->cfg, &n, false, &err))
			return fail(d, "neighbour: %s", err.text);
	}
	host_apply(d->host);
	host_run(d->host, d->host->now);
	for (struct host_frame *f; (f = host_sent(d->host));)
		free(f); /* announcements of the new addresses are not a table's business */
	return true;
}

static unsigned dev_of_ifindex(const struct drill *d, int ifindex)
{
	for (unsigned i = 0; i < d->ndevs; i++)
		if (d->ifindex[i] == ifindex)
			return i;
	return 0;
}

static bool no_frame_waits(struct drill *d)
{
	struct host_frame *f = host_sent_peek(d->host);
	char               text[600];
	unsigned           dev;

	if (!f)
		return true;
	dev = dev_of_ifindex(d, f->ifindex);
	frame_describe(&d->fc, dev, true, f->data, f->len, text, sizeof(text));
	return fail(d, "a frame left that no row expects, at +%.6f by eth%u: %s", (double)(f->when - d->last) / 1e9, dev, text);
}

static struct dsock *sock_named(struct drill *d, const char *name)
{
	for (unsigned i = 0; i < d->nsocks; i++)
		if (strcmp(d->sock[i].name, name) == 0 && d->sock[i].sock)
			return &d->sock[i];
	fail(d, "no socket '%s'", name);
	return NULL;
}

static struct dsock *sock_add(struct drill *d, const char *name, struct socket *sock, int type, unsigned cpu)
{
	struct dsock *s;

	if (d->nsocks == MAX_SOCKS) {
		ns_close(sock);
		fail(d, "too many sockets");
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
		return fail(d, "bad address '%s'", text);
	return true;
}

/* ---- rows: sockets ----------------------------------------------------------------------------------------------------------- */

#define NEED(d, n) \
	do { \
		if ((d)->nw < (n)) \
			return fail(d, "words are missing"); \
	} while (0)
#define SOCK(d, i, s) \
	struct dsock *s = sock_named(d, (d)->w[i]); \
	if (!s) \
		return false; \
	host_touch((d)->host, s->cpu)

static const char *after(const struct drill *d, const char *key)
{
	for (unsigned i = 1; i + 1 < d->nw; i++)
		if (strcmp(d->w[i], key) == 0)
			return d->w[i + 1];
	return NULL;
}

static bool row_socket(struct drill *d)
{
	struct socket *sock = NULL;
	const char    *cpu = after(d, "cpu");
	unsigned       c = cpu ? (unsigned)atoi(cpu) : 0;
	int            type, proto = 0, r;

	NEED(d, 3);
	type = strcmp(d->w[2], "tcp") == 0 ? SOCK_STREAM : strcmp(d->w[2], "udp") == 0 ? SOCK_DGRAM : SOCK_RAW;
	if (type == SOCK_RAW && d->nw > 3)
		proto = atoi(d->w[3]);
	if (c >= d->ncpu)
		return fail(d, "no shard %u", c);
	r = ns_socket(host_touch(d->host, c), AF_INET, type, proto, &sock);
	if (!expect_result(d, r, 0))
		return false;
	return r != 0 || sock_add(d, d->w[1], sock, type, c) != NULL;
}

static bool row_bind(struct drill *d)
{
	struct sockaddr_in sa;

	NEED(d, 3);
	SOCK(d, 1, s);
	return parse_sockaddr(d, d->w[2], &sa) && expect_result(d, ns_bind(s->sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static bool row_listen(struct drill *d)
{
	NEED(d, 3);
	SOCK(d, 1, s);
	return expect_result(d, ns_listen(s->sock, atoi(d->w[2])), 0);
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
	return expect_result(d, r, r == -EINPROGRESS ? r : 0);
}

static bool row_accept(struct drill *d)
{
	struct socket *sock = NULL;
	int            r;

	NEED(d, 3);
	SOCK(d, 1, s);
	r = ns_accept(s->sock, &sock, NULL, NULL);
	if (!expect_result(d, r, 0))
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
	return expect_result(d, ns_shutdown(s->sock, strcmp(d->w[2], "rd") == 0 ? SHUT_RD : strcmp(d->w[2], "wr") == 0 ? SHUT_WR : SHUT_RDWR), 0);
}

static bool parse_msg_flags(struct drill *d, int *flags)
{
	const char *f = after(d, "flags");
	char        buf[64], *save, *w;
	int         v;

	*flags = 0;
	if (!f)
		return true;
	snprintf(buf, sizeof(buf), "%s", f);
	for (w = strtok_r(buf, "|,", &save); w; w = strtok_r(NULL, "|,", &save)) {
		if (!name_value(msg_flags, w, &v))
			return fail(d, "unknown flag '%s'", w);
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
	const char        *dest = after(d, "to");
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
	ok = expect_result(d, (long)r, (long)len);
	free(buf);
	return ok;
}

static bool row_recv(struct drill *d)
{
	struct sockaddr_in from = { 0 }, want;
	const char        *src = after(d, "from");
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
	ok = expect_result(d, (long)r, (long)len);
	for (ssize_t i = 0; ok && i < r && (size_t)i < len; i++) {
		uint8_t w = *d->w[2] == '"' ? text[i] : frame_pattern((s->type == SOCK_STREAM ? s->rx : 0) + (uint64_t)i);

		if (s->type == SOCK_RAW)
			break;
		if (buf[i] != w)
			ok = fail(d, "byte %zd of what was received is 0x%02x, expected 0x%02x", i, buf[i], w);
	}
	if (r > 0 && !(flags & (MSG_PEEK | MSG_OOB)))
		s->rx += (uint64_t)r;
	if (ok && src && r >= 0)
		ok = parse_sockaddr(d, src, &want) && ((want.sin_addr.s_addr == from.sin_addr.s_addr && (want.sin_port == from.sin_port || !want.sin_port)) ||
						       fail(d, "came from %s:%u", inet_ntoa(from.sin_addr), ntohs(from.sin_port)));
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
	return fail(d, "unknown socket option '%s'", name);
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
	return expect_result(d, ns_setsockopt(s->sock, level, opt, p, len), 0);
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
		return expect_result(d, r, 0);
	memcpy(&v, buf, sizeof(v));
	if (level == SOL_SOCKET && opt == SO_ERROR && d->want && name_value(errnos, d->want, &e))
		return v == e || fail(d, "SO_ERROR is %d %s", v, value_name(errnos, v));
	if (d->want && isalpha((unsigned char)*d->want))
		return strcmp(buf, d->want) == 0 || fail(d, "is '%s'", buf);
	return expect_number(d, d->w[2], (uint64_t)(int64_t)v);
}

static bool row_poll(struct drill *d)
{
	NEED(d, 2);
	SOCK(d, 1, s);
	return expect_events(d, "ready", ns_poll(s->sock));
}

static bool row_wake(struct drill *d)
{
	uint32_t ev;

	NEED(d, 2);
	SOCK(d, 1, s);
	ev = s->woken;
	s->woken = 0;
	return expect_events(d, "woken with", ev);
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
		return fail(d, "TCP_INFO: %d", r);
	if (strcmp(d->w[2], "state") == 0 && d->want && name_value(states, d->want, &st))
		return ti.tcpi_state == st || fail(d, "state is %s", value_name(states, ti.tcpi_state));
	for (size_t i = 0; i < sizeof(info_fields) / sizeof(info_fields[0]); i++)
		if (strcmp(info_fields[i].name, d->w[2]) == 0) {
			uint64_t v = 0;

			memcpy(&v, (char *)&ti + info_fields[i].off, info_fields[i].size);
			return expect_number(d, d->w[2], v);
		}
	if (strcmp(d->w[2], "snd_wscale") == 0)
		return expect_number(d, d->w[2], ti.tcpi_snd_wscale);
	if (strcmp(d->w[2], "rcv_wscale") == 0)
		return expect_number(d, d->w[2], ti.tcpi_rcv_wscale);
	return fail(d, "unknown field '%s'", d->w[2]);
}

static bool row_ioctl(struct drill *d)
{
	static const struct name cmds[] = { { "INQ", SIOCINQ }, { "OUTQ", SIOCOUTQ }, { "ATMARK", SIOCATMARK }, { NULL, 0 } };
	int                      cmd, v = 0, r;

	NEED(d, 3);
	SOCK(d, 1, s);
	if (!name_value(cmds, d->w[2], &cmd))
		return fail(d, "unknown ioctl '%s'", d->w[2]);
	r = ns_ioctl(s->sock, (unsigned long)cmd, &v);
	return r ? expect_result(d, r, 0) : expect_number(d, d->w[2], (uint64_t)v);
}

/* ---- rows: books and configuration ------------------------------------------------------------------------------------------- */

static bool row_mib(struct drill *d)
{
	char full[80];

	NEED(d, 2);
	for (int m = 0; m < NET_MIB_MAX; m++) {
		snprintf(full, sizeof(full), "%s%s", net_mib_group((enum net_mib)m), net_mib_name((enum net_mib)m));
		if (strcmp(full, d->w[1]) == 0)
			return expect_number(d, full, host_mib(d->host, (enum net_mib)m));
	}
	return fail(d, "no counter '%s'", d->w[1]);
}

static bool row_drops(struct drill *d)
{
	NEED(d, 2);
	for (int r = 1; r < SKB_DROP_MAX; r++)
		if (strcmp(skb_drop_reason_name((enum skb_drop_reason)r), d->w[1]) == 0)
			return expect_number(d, d->w[1], host_drops(d->host, (enum skb_drop_reason)r));
	return fail(d, "no drop reason '%s'", d->w[1]);
}

static int count_sock(void *arg, const struct sock_info *info)
{
	(void)info;
	++*(unsigned *)arg;
	return 0;
}

static bool row_sockets(struct drill *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->ncpu; i++)
		stack_sock_foreach(d->host->shard[i].stack, count_sock, &n);
	return expect_number(d, "number of sockets", n);
}

static bool config_result(struct drill *d, int r, const struct netcfg_err *err)
{
	host_apply(d->host);
	return expect_result(d, r, 0) || (r && *err->text && fail(d, "%d: %s", r, err->text));
}

static int dev_arg(struct drill *d)
{
	const char             *name = after(d, "dev");
	const struct link_conf *l = name ? netcfg_link_by_name(d->host->cfg, name) : NULL;

	return l ? l->ifindex : 0;
}

static bool parse_prefix(struct drill *d, const char *text, struct ipprefix *p)
{
	char           buf[64], *slash;
	struct in_addr a;

	snprintf(buf, sizeof(buf), "%s", strcmp(text, "default") == 0 ? "0.0.0.0/0" : text);
	slash = strchr(buf, '/');
	p->len = slash ? (uint8_t)atoi(slash + 1) : 32;
	if (slash)
		*slash = 0;
	if (!inet_aton(buf, &a))
		return fail(d, "bad prefix '%s'", text);
	p->addr = ipaddr_v4(a.s_addr);
	return true;
}

static bool row_sysctl(struct drill *d)
{
	struct netcfg_err err = { "" };
	char              name[128], *eq;

	NEED(d, 2);
	snprintf(name, sizeof(name), "%s", d->w[1]);
	eq = strchr(name, '=');
	if (!eq)
		return fail(d, "not NAME=VALUE");
	*eq = 0;
	return config_result(d, netcfg_sysctl_set(d->host->cfg, name, eq + 1, &err), &err);
}

static bool row_addr(struct drill *d)
{
	struct addr_conf  a = { .scope = RT_SCOPE_UNIVERSE };
	struct netcfg_err err = { "" };

	NEED(d, 3);
	a.ifindex = dev_arg(d);
	if (!parse_prefix(d, d->w[2], &a.local))
		return false;
	return config_result(d, strcmp(d->w[1], "add") == 0 ? netcfg_addr_add(d->host->cfg, &a, false, &err) : netcfg_addr_del(d->host->cfg, &a, &err), &err);
}

static bool row_route(struct drill *d)
{
	static const struct name types[] = { { "blackhole", RTN_BLACKHOLE }, { "unreachable", RTN_UNREACHABLE }, { "prohibit", RTN_PROHIBIT },
					     { "unicast", RTN_UNICAST }, { NULL, 0 } };
	struct route_conf r = { 0 };
	struct netcfg_err err = { "" };
	const char       *v;
	int               type = 0;

	NEED(d, 3);
	if (!parse_prefix(d, d->w[2], &r.dst))
		return false;
	r.ifindex = dev_arg(d);
	v = after(d, "via");
	if (v)
		r.gateway = ipaddr_v4(inet_addr(v));
	v = after(d, "src");
	if (v)
		r.prefsrc = ipaddr_v4(inet_addr(v));
	v = after(d, "mtu");
	r.mtu = v ? (uint32_t)atoi(v) : 0;
	v = after(d, "metric");
	r.metric = v ? (uint32_t)atoi(v) : 0;
	v = after(d, "type");
	if (v && !name_value(types, v, &type))
		return fail(d, "unknown route type '%s'", v);
	r.type = (uint8_t)type;
	if (strcmp(d->w[1], "del") == 0)
		return config_result(d, netcfg_route_del(d->host->cfg, &r, &err), &err);
	r.protocol = RTPROT_STATIC;
	return config_result(d, netcfg_route_add(d->host->cfg, &r, strcmp(d->w[1], "replace") == 0, &err), &err);
}

static bool row_neigh(struct drill *d)
{
	struct neigh_conf n = { .ifindex = dev_arg(d) };
	struct netcfg_err err = { "" };
	uint8_t          *m = n.lladdr.b;

	NEED(d, 3);
	n.addr = ipaddr_v4(inet_addr(d->w[2]));
	if (strcmp(d->w[1], "del") == 0)
		return config_result(d, netcfg_neigh_del(d->host->cfg, n.ifindex, &n.addr), &err);
	NEED(d, 4);
	if (sscanf(d->w[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6)
		return fail(d, "bad MAC '%s'", d->w[3]);
	return config_result(d, netcfg_neigh_add(d->host->cfg, &n, true, &err), &err);
}

static bool row_link(struct drill *d)
{
	const struct link_conf *l;
	struct link_conf        n;
	struct netcfg_err       err = { "" };

	NEED(d, 3);
	l = netcfg_link_by_name(d->host->cfg, d->w[1]);
	if (!l)
		return fail(d, "no link '%s'", d->w[1]);
	n = *l;
	if (strcmp(d->w[2], "carrier") == 0) {
		NEED(d, 4);
		return config_result(d, netcfg_link_set_carrier(d->host->cfg, n.ifindex, strcmp(d->w[3], "on") == 0), &err);
	}
	if (strcmp(d->w[2], "up") == 0)
		n.flags |= NS_IFF_UP;
	else if (strcmp(d->w[2], "down") == 0)
		n.flags &= ~NS_IFF_UP;
	else if (strcmp(d->w[2], "mtu") == 0 && d->nw > 3)
		n.mtu = (uint32_t)atoi(d->w[3]);
	else if (strcmp(d->w[2], "promisc") == 0)
		n.flags |= NS_IFF_PROMISC;
	else
		return fail(d, "unknown word '%s'", d->w[2]);
	return config_result(d, netcfg_link_set(d->host->cfg, &n, &err), &err);
}

static bool row_txfull(struct drill *d)
{
	NEED(d, 2);
	d->txfull = strcmp(d->w[1], "on") == 0;
	for (unsigned i = 0; !d->txfull && i < d->ndevs; i++)
		host_tx_ready(d->host, d->ifindex[i]);
	return true;
}

static bool row_shutdown_stack(struct drill *d)
{
	for (unsigned i = 0; i < d->ncpu; i++)
		stack_shutdown(host_touch(d->host, i), d->host->now);
	return true;
}

static bool row_wait(struct drill *d)
{
	(void)d;
	return true;
}

static bool row_in(struct drill *d, const char *where)
{
	uint8_t *buf = malloc(FRAME_MAX);
	unsigned dev = 0, cpu = 0;
	int      n;
	bool     ok = false;

	if (!buf)
		abort();
	if (isdigit((unsigned char)where[1]))
		dev = (unsigned)(where[1] - '0');
	if (strchr(where, '@'))
		cpu = (unsigned)atoi(strchr(where, '@') + 1);
	if (dev >= d->ndevs || cpu >= d->ncpu) {
		fail(d, "no such device or shard");
	} else {
		n = frame_build(&d->fc, dev, d->rest, buf, FRAME_MAX);
		if (n < 0)
			fail(d, "%s", d->fc.err);
		else
			ok = host_rx(d->host, cpu, d->ifindex[dev], buf, (size_t)n) == 0 || fail(d, "no memory");
		if (n > 0) {
			char text[200];

			frame_describe(&d->fc, dev, false, buf, (size_t)n, text, sizeof(text));
			trace(d, where, text);
		}
	}
	free(buf);
	return ok;
}

static bool row_set(struct drill *d)
{
	NEED(d, 2);
	if (d->host)
		return fail(d, "'set' comes before everything else");
	if (strcmp(d->w[1], "arp") == 0)
		return d->arp = true;
	if (strcmp(d->w[1], "nodrain") == 0)
		return d->nodrain = true;
	NEED(d, 3);
	if (strcmp(d->w[1], "shards") == 0)
		d->ncpu = (unsigned)atoi(d->w[2]);
	else if (strcmp(d->w[1], "seed") == 0)
		d->seed = strtoull(d->w[2], NULL, 0);
	else if (strcmp(d->w[1], "devs") == 0)
		d->ndevs = (unsigned)atoi(d->w[2]);
	else if (strcmp(d->w[1], "mtu") == 0)
		d->mtu = (uint32_t)atoi(d->w[2]);
	else if (strcmp(d->w[1], "peer-isn") == 0)
		d->fc.peer_isn = (uint32_t)strtoul(d->w[2], NULL, 0);
	else if (strcmp(d->w[1], "ports") == 0 && d->nw == 4)
		d->fc.pport = (uint16_t)atoi(d->w[2]), d->fc.lport = (uint16_t)atoi(d->w[3]); /* "*" is 0: learned */
	else
		return fail(d, "unknown setting '%s'", d->w[1]);
	return d->ndevs <= 3 || fail(d, "at most three devices");
}

static const struct {
	const char *name;
	bool (*fn)(struct drill *d);
} rows_table[] = {
	{ "socket", row_socket }, { "bind", row_bind }, { "listen", row_listen }, { "connect", row_connect }, { "accept", row_accept }, { "close", row_close },
	{ "shutdown", row_shutdown }, { "send", row_send }, { "recv", row_recv }, { "setsockopt", row_setsockopt }, { "getsockopt", row_getsockopt },
	{ "poll", row_poll }, { "wake", row_wake }, { "info", row_info }, { "ioctl", row_ioctl }, { "mib", row_mib }, { "drops", row_drops },
	{ "sockets", row_sockets }, { "sysctl", row_sysctl }, { "addr", row_addr }, { "route", row_route }, { "neigh", row_neigh }, { "link", row_link },
	{ "txfull", row_txfull }, { "shutdown-stack", row_shutdown_stack }, { "wait", row_wait }, { "quiet", row_wait }, { "set", row_set },
};

/* ---- the table ----------------------------------------------------------------------------------------------------------------------- */

static bool expect_frame(struct drill *d, const char *where, ktime_t lo, ktime_t hi)
{
	unsigned           dev = isdigit((unsigned char)where[1]) ? (unsigned)(where[1] - '0') : 0, got;
	struct host_frame *f;
	char               text[600];
	bool               ok;

	host_run_until_sent(d->host, hi);
	f = host_sent(d->host);
	if (!f)
		return fail(d, "nothing was sent within %.6f s", (double)(hi - d->last) / 1e9);
	got = dev_of_ifindex(d, f->ifindex);
	ok = got == dev || fail(d, "it left by eth%u", got);
	/* Look at it in any case: sequence numbers are learned, and the message wants it described. */
	if (ok)
		ok = frame_match(&d->fc, dev, d->rest, f->data, f->len) || fail(d, "%s", d->fc.err);
	if (ok && (f->when < lo || f->when > hi))
		ok = fail(d, "it left at +%.6f s, not within +%.6f .. +%.6f", (double)(f->when - d->last) / 1e9, (double)(lo - d->last) / 1e9,
			  (double)(hi - d->last) / 1e9);
	frame_describe(&d->fc, got, true, f->data, f->len, text, sizeof(text));
	trace(d, where, text);
	if (!ok) {
		size_t l = strlen(d->err);
		snprintf(d->err + l, sizeof(d->err) - l, "\n    it was: %s", text);
	}
	d->last = f->when;
	free(f);
	return ok;
}

/* "+0.5", "+0.5..0.7", "*". False: the row has no time. */
static bool parse_time(const char **p, ktime_t *lo, ktime_t *hi, bool *exact)
{
	char *end;

	while (isspace((unsigned char)**p))
		(*p)++;
	*exact = false;
	if ((*p)[0] == '*' && isspace((unsigned char)(*p)[1])) {
		*lo = 0;
		*hi = ANY_TIME;
		(*p)++;
		return true;
	}
	if (**p != '+')
		return false;
	*lo = *hi = (ktime_t)(strtod(*p + 1, &end) * 1e9 + 0.5);
	*exact = true;
	/* strtod eats the first dot of "1..2" */
	if (end[-1] == '.' && end[0] == '.')
		end--;
	if (end[0] == '.' && end[1] == '.') {
		*hi = (ktime_t)(strtod(end + 2, &end) * 1e9 + 0.5);
		*exact = false;
	}
	*p = end;
	return true;
}

/* Cuts the row into words; "text" stays together; what follows " = " is d->want. */
static void cut(struct drill *d, char *line)
{
	char *eq = NULL;

	for (char *q = line; (q = strstr(q, " = ")); q += 3)
		eq = q;
	d->want = NULL;
	if (eq) {
		*eq = 0;
		d->want = eq + 3;
		while (isspace((unsigned char)*d->want))
			d->want++;
	}
	for (d->nw = 0; d->nw < MAX_WORDS;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line)
			break;
		d->w[d->nw++] = line;
		if (*line == '"') {
			for (line++; *line && !(*line == '"' && line[-1] != '\\'); line++)
				;
			if (*line)
				line++;
		} else {
			while (*line && !isspace((unsigned char)*line))
				line++;
		}
		if (*line)
			*line++ = 0;
	}
}

static bool do_row(struct drill *d, const char *row)
{
	char        line[9000];
	const char *p = row;
	char        op[32];
	ktime_t     lo = 0, hi = 0;
	bool        timed, exact;
	size_t      n = 0;

	timed = parse_time(&p, &lo, &hi, &exact);
	while (isspace((unsigned char)*p))
		p++;
	while (p[n] && !isspace((unsigned char)p[n]) && n < sizeof(op) - 1)
		n++;
	memcpy(op, p, n);
	op[n] = 0;
	d->rest = p + n;
	if (strcmp(op, "set") != 0 && !start(d))
		return false;
	if (*op == '>') {
		if (exact)
			hi = lo + lo / 8 + 3 * NSEC_PER_MSEC;
		return expect_frame(d, op, d->last + lo, d->last + hi);
	}
	if (d->host) {
		if (timed && !exact)
			return fail(d, "a range of time is for what is expected");
		host_run(d->host, d->last + lo > d->host->now ? d->last + lo : d->host->now);
		if (!no_frame_waits(d))
			return false;
		d->last = d->host->now;
	}
	if (*op == '<') {
		if (!row_in(d, op))
			return false;
	} else {
		size_t i;

		snprintf(line, sizeof(line), "%s", p);
		cut(d, line);
		for (i = 0; i < sizeof(rows_table) / sizeof(rows_table[0]); i++)
			if (strcmp(rows_table[i].name, op) == 0)
				break;
		if (i == sizeof(rows_table) / sizeof(rows_table[0]))
			return fail(d, "unknown word '%s'", op);
		if (d->host)
			trace(d, "-", p);
		if (!rows_table[i].fn(d))
			return false;
	}
	if (d->host)
		host_run(d->host, d->host->now);
	return true;
}

static bool finish(struct drill *d)
{
	const char *idle;

	if (!d->host)
		return fail(d, "an empty table");
	host_run(d->host, d->host->now);
	if (!no_frame_waits(d))
		return false;
	d->txfull = false;
	for (unsigned i = 0; i < d->nsocks; i++)
		if (d->sock[i].sock) {
			host_touch(d->host, d->sock[i].cpu);
			ns_close(d->sock[i].sock);
			d->sock[i].sock = NULL;
		}
	if (d->nodrain)
		return true;
	for (ktime_t end = d->host->now + DRAIN; d->host->now < end;) {
		struct host_frame *f;

		host_run(d->host, d->host->now + DRAIN / 60);
		while ((f = host_sent(d->host)))
			free(f);
	}
	idle = host_idle_error(d->host);
	return !idle || fail(d, "an hour after the end: %s", idle);
}

char *drill_run(const char *name, const char *const *rows)
{
	struct drill *d = calloc(1, sizeof(*d));
	char         *msg = NULL;
	unsigned      row = 0;
	bool          ok = true;
	const char   *cpus = getenv("DRILL_SHARDS");

	if (!d)
		abort();
	frame_ctx_init(&d->fc);
	d->ncpu = cpus ? (unsigned)atoi(cpus) : 1;
	d->ndevs = 1;
	d->seed = 1;
	d->mtu = 1500;
	for (; ok && rows[row]; row++)
		ok = do_row(d, rows[row]);
	if (ok) {
		ok = finish(d);
		row++;
	}
	if (!ok) {
		size_t size = 8192, n;

		msg = malloc(size);
		if (!msg)
			abort();
		n = (size_t)snprintf(msg, size, "%s, row %u: %s\n    %s\n", name, row, rows[row - 1] ? rows[row - 1] : "(the end)", d->err);
		for (unsigned i = d->ntrace > 16 ? d->ntrace - 16 : 0; i < d->ntrace && n < size; i++)
			n += (size_t)snprintf(msg + n, size - n, "    %s\n", d->trace[i % 16]);
	}
	for (unsigned i = 0; i < d->nsocks; i++)
		if (d->sock[i].sock)
			ns_close(d->sock[i].sock);
	host_free(d->host);
	free(d);
	return msg;
}
