/* SPDX-License-Identifier: MIT */
/*
 * drill.c: see drill.h. A row is cut into words; the first one chooses a function from a table. The functions return false after saying in d->err why.
 */
#include "drill_priv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

bool drill_fail(struct drill *d, const char *fmt, ...)
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

bool drill_name_value(const struct name *t, const char *s, int *ret)
{
	for (; t->name; t++)
		if (strcmp(t->name, s) == 0) {
			*ret = t->value;
			return true;
		}
	return false;
}

const char *drill_value_name(const struct name *t, int v)
{
	for (; t->name; t++)
		if (t->value == v)
			return t->name;
	return "?";
}

bool drill_errno_value(const char *s, int *ret) { return drill_name_value(errnos, s, ret); }
const char *drill_errno_name(int v) { return drill_value_name(errnos, v); }

const char *drill_after(const struct drill *d, const char *key)
{
	for (unsigned i = 1; i + 1 < d->nw; i++)
		if (strcmp(d->w[i], key) == 0)
			return d->w[i + 1];
	return NULL;
}

/* ---- expectations -------------------------------------------------------------------------------------------------------- */

/* The result of a call against "= ...", or against def when the row says nothing. */
bool drill_expect_result(struct drill *d, long r, long def)
{
	char *end;
	long  want = def;
	int   e;

	if (d->want) {
		want = strtol(d->want, &end, 0);
		if (end == d->want || *end) {
			if (!drill_name_value(errnos, d->want[0] == '-' ? d->want + 1 : d->want, &e))
				return drill_fail(d, "unknown result '%s'", d->want);
			want = -e;
		}
	}
	if (r == want)
		return true;
	return drill_fail(d, "returned %ld%s%s, expected %ld%s%s", r, r < 0 ? " " : "", r < 0 ? drill_value_name(errnos, (int)-r) : "", want, want < 0 ? " " : "",
		    want < 0 ? drill_value_name(errnos, (int)-want) : "");
}

/* A number that the row must give: N, >=N, <=N, A..B, * */
bool drill_expect_number(struct drill *d, const char *what, uint64_t v)
{
	char    *end;
	uint64_t a, b;

	if (!d->want)
		return drill_fail(d, "the row does not say '= N'");
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
		return drill_fail(d, "cannot read '= %s'", d->want);
	return (v >= a && v <= b) || drill_fail(d, "%s is %llu, expected %s", what, (unsigned long long)v, d->want);
}

bool drill_expect_events(struct drill *d, const char *what, uint32_t v)
{
	uint32_t want = 0;
	char     got[80] = "", *save, *w;
	int      e;

	if (!d->want)
		return drill_fail(d, "the row does not say '= EVENTS'");
	for (w = strtok_r(d->want, " |", &save); w; w = strtok_r(NULL, " |", &save)) {
		if (!drill_name_value(events, w, &e))
			return drill_fail(d, "unknown event '%s'", w);
		want |= (uint32_t)e;
	}
	v &= EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI; /* the others say the same again */
	if (v == want)
		return true;
	for (const struct name *t = events; t->name; t++)
		if (t->value && (v & (uint32_t)t->value))
			strcat(strcat(got, " "), t->name);
	return drill_fail(d, "%s:%s", what, *got ? got : " none");
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
		return drill_fail(d, "cannot make a host");
	d->last = d->host->now;
	for (unsigned i = 0; i < d->ndevs; i++) {
		struct netcfg_err err = { "" };
		struct neigh_conf n;

		snprintf(name, sizeof(name), "eth%u", i);
		snprintf(addr, sizeof(addr), "%s/24", inet_ntop(AF_INET, &d->fc.dev[i].local, ip, sizeof(ip)));
		d->ifindex[i] = host_link(d->host, name, addr, d->fc.dev[i].local_mac[5], d->mtu, d->features);
		if (d->ifindex[i] < 0)
			return drill_fail(d, "cannot make %s: %d", name, d->ifindex[i]);
		n = (struct neigh_conf){ .ifindex = d->ifindex[i], .addr = ipaddr_v4(d->fc.dev[i].peer) };
		memcpy(n.lladdr.b, d->fc.dev[i].peer_mac, 6);
		if (!d->arp && netcfg_neigh_add(d->host->cfg, &n, false, &err))
			return drill_fail(d, "neighbour: %s", err.text);
	}
	host_apply(d->host);
	host_run(d->host, d->host->now);
	if (d->observe)
		host_observe(d->host);
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
	return drill_fail(d, "a frame left that no row expects, at +%.6f by eth%u: %s", (double)(f->when - d->last) / 1e9, dev, text);
}

/* ---- rows: time, frames, settings --------------------------------------------------------------------------------------------------------- */

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
		drill_fail(d, "no such device or shard");
	} else {
		n = frame_build(&d->fc, dev, d->rest, buf, FRAME_MAX);
		if (n < 0)
			drill_fail(d, "%s", d->fc.err);
		else
			ok = host_rx(d->host, cpu, d->ifindex[dev], buf, (size_t)n) == 0 || drill_fail(d, "no memory");
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
		return drill_fail(d, "'set' comes before everything else");
	if (strcmp(d->w[1], "arp") == 0)
		return d->arp = true;
	if (strcmp(d->w[1], "observe") == 0)
		return d->observe = true;
	if (strcmp(d->w[1], "nodrain") == 0)
		return d->nodrain = true;
	if (strcmp(d->w[1], "gro") == 0)
		return (d->features |= LINK_F_GRO);
	if (strcmp(d->w[1], "tso") == 0)
		return (d->features = LINK_F_TSO4);
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
		return drill_fail(d, "unknown setting '%s'", d->w[1]);
	return d->ndevs <= 3 || drill_fail(d, "at most three devices");
}

static const struct drill_op own_ops[] = {
	{ "wait", row_wait }, { "quiet", row_wait }, { "set", row_set },
	{ NULL, NULL },
};

static const struct drill_op *find_op(const char *name)
{
	const struct drill_op *const lists[] = { own_ops, drill_sock_ops, drill_config_ops };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct drill_op *op = lists[i]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

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
		return drill_fail(d, "nothing was sent within %.6f s", (double)(hi - d->last) / 1e9);
	got = dev_of_ifindex(d, f->ifindex);
	ok = got == dev || drill_fail(d, "it left by eth%u", got);
	/* Look at it in any case: sequence numbers are learned, and the message wants it described. */
	if (ok)
		ok = frame_match(&d->fc, dev, d->rest, f->data, f->len) || drill_fail(d, "%s", d->fc.err);
	if (ok && (f->when < lo || f->when > hi))
		ok = drill_fail(d, "it left at +%.6f s, not within +%.6f .. +%.6f", (double)(f->when - d->last) / 1e9, (double)(lo - d->last) / 1e9,
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
			return drill_fail(d, "a range of time is for what is expected");
		host_run(d->host, d->last + lo > d->host->now ? d->last + lo : d->host->now);
		if (!no_frame_waits(d))
			return false;
		d->last = d->host->now;
	}
	if (*op == '<') {
		if (!row_in(d, op))
			return false;
	} else {
		const struct drill_op *op_fn;

		snprintf(line, sizeof(line), "%s", p);
		cut(d, line);
		op_fn = find_op(op);
		if (!op_fn)
			return drill_fail(d, "unknown word '%s'", op);
		if (d->host)
			trace(d, "-", p);
		if (!op_fn->fn(d))
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
		return drill_fail(d, "an empty table");
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
	return !idle || drill_fail(d, "an hour after the end: %s", idle);
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
