/* SPDX-License-Identifier: MIT */
/*
 * service_inetd.c: discard (RFC 863), chargen (RFC 864), daytime (RFC 867).
 *
 * chargen over TCP sends RFC 864's recommended pattern: lines of 72 characters and CRLF, each beginning one printing character later. It repeats after 95 lines, so a
 * worker has it once, long enough for the largest segment from any place on, and sends from there without a copy. Over UDP its
 * answer is never longer than the datagram that asked for it, so that a forged sender gains nothing by it; RFC 864 leaves the length open (0 to 512).
 * daytime's line is in UTC, from the worker's wall clock.
 */
#include "service_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netstack/skbuff.h>
#include <netstack/socket.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS        16
#define CHARGEN_LINE 72
#define CHARGEN_UDP_MAX 512
#define PRINTING     95 /* from ' ' to '~' */
#define PERIOD       (PRINTING * (CHARGEN_LINE + 2)) /* bytes after which the pattern is the same again */
#define SEND_LEN     65536u
#define PATTERN_LEN  (PERIOD + SEND_LEN)

struct inetd_conn {
	struct svc_conn c;
	uint64_t        pos; /* chargen: byte of the pattern */
};

static int inetd_open(struct svc_conn *c)
{
	svc_deadline(c, SVC_T_IDLE);
	return 0;
}

static size_t take_all(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	return len;
}

/* Throws away what has come. False: the connection is gone, or is to be run again. */
static bool drain(struct svc_conn *c, bool close_at_eof)
{
	for (unsigned i = 0; i < TURNS; i++) {
		ssize_t n = ns_recv_inplace(c->sock, 1 << 20, take_all, NULL);

		if (n == -EAGAIN || (n == 0 && !close_at_eof))
			return true;
		if (n <= 0) {
			svc_close(c);
			return false;
		}
		svc_deadline(c, SVC_T_IDLE);
	}
	svc_again(c);
	return false;
}

static void discard_run(struct svc_conn *c)
{
	drain(c, true);
}

static ssize_t discard_answer(struct services *svcs, uint8_t *buf, size_t len)
{
	(void)svcs;
	(void)buf;
	(void)len;
	return -1;
}

/* The printing characters twice over: a line is 72 of them in a row, from the line's number on. */
#define PRINTABLE " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
static const char ring[] = PRINTABLE PRINTABLE;
_Static_assert(sizeof(PRINTABLE) - 1 == PRINTING, "from ' ' to '~'");

/* Byte pos of the pattern, which repeats after 95 lines. */
static void chargen_fill(void *arg, void *data, size_t len)
{
	uint64_t *pos = arg;
	char *p = data;
	unsigned line = (unsigned)(*pos / (CHARGEN_LINE + 2) % PRINTING), col = (unsigned)(*pos % (CHARGEN_LINE + 2));

	*pos += len;
	for (; len; col = 0, line = line + 1 == PRINTING ? 0 : line + 1) {
		if (col < CHARGEN_LINE) {
			size_t n = CHARGEN_LINE - col;

			if (n > len)
				n = len;
			if (n == CHARGEN_LINE) /* of a length that the compiler knows: a few vector moves */
				memcpy(p, ring + line, CHARGEN_LINE);
			else
				memcpy(p, ring + line + col, n);
			p += n;
			len -= n;
			col += (unsigned)n;
		}
		if (col == CHARGEN_LINE && len) {
			*p++ = '\r';
			col++;
			len--;
		}
		if (col == CHARGEN_LINE + 1 && len) {
			*p++ = '\n';
			len--;
		}
	}
}

static void pattern_free(struct skb_area *area, void *priv)
{
	(void)priv;
	free(area);
}

static struct skb_area *pattern_get(struct services *svcs)
{
	struct skb_area **p = svc_pattern(svcs);
	uint64_t pos = 0;

	if (*p)
		return *p;
	*p = calloc(1, sizeof(**p) + PATTERN_LEN);
	if (!*p)
		return NULL;
	(*p)->refcnt = 1;
	(*p)->size = PATTERN_LEN;
	(*p)->free = pattern_free;
	(*p)->base = (unsigned char *)(*p + 1);
	chargen_fill(&pos, (*p)->base, PATTERN_LEN);
	return *p;
}

static void chargen_run(struct svc_conn *c)
{
	struct inetd_conn *ic = (struct inetd_conn *)c;
	struct skb_area *pattern;

	if (!drain(c, false))
		return;
	pattern = pattern_get(svc_services(c));
	if (!pattern) {
		svc_reset(c);
		return;
	}
	for (unsigned i = 0; i < TURNS; i++) {
		ssize_t n = ns_send_area(c->sock, pattern, (uint32_t)(ic->pos % PERIOD), SEND_LEN, MSG_MORE); /* it never ends */

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			svc_close(c);
			return;
		}
		ic->pos += (uint64_t)n;
		svc_deadline(c, SVC_T_STALL);
	}
	svc_again(c);
}

static ssize_t chargen_answer(struct services *svcs, uint8_t *buf, size_t len)
{
	uint64_t pos = 0;

	(void)svcs;
	if (len > CHARGEN_UDP_MAX)
		len = CHARGEN_UDP_MAX;
	chargen_fill(&pos, buf, len);
	return (ssize_t)len;
}

struct civil { /* a moment, UTC */
	long long year;
	unsigned  month, day, weekday, hour, minute, second; /* month and day from 1; weekday 0: Sunday */
};

/* Gregorian calendar from days since 1970, by eras of 400 years that begin in March, so that a leap day comes last. */
static struct civil civil_of(int64_t wall_ns)
{
	int64_t secs = wall_ns / NSEC_PER_SEC - (wall_ns % NSEC_PER_SEC < 0), days = secs / 86400 - (secs % 86400 < 0);
	unsigned rest = (unsigned)(secs - days * 86400);
	int64_t shifted = days + 719468; /* since 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned doe = (unsigned)(shifted - era * 146097); /* day of the era */
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	struct civil c = {
		.day = doy - (153 * mp + 2) / 5 + 1, .month = mp < 10 ? mp + 3 : mp - 9, .weekday = (unsigned)(((days + 4) % 7 + 7) % 7),
		.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60,
	};

	c.year = (long long)yoe + era * 400 + (c.month <= 2);
	return c;
}

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
				      "December" };

size_t svc_daytime_line(int64_t wall_ns, char *buf, size_t size)
{
	struct civil c = civil_of(wall_ns);
	int n = snprintf(buf, size, "%s, %s %u, %lld %02u:%02u:%02u-UTC\r\n", weekdays[c.weekday], months[c.month - 1], c.day, c.year, c.hour, c.minute,
			 c.second);

	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

size_t svc_http_date(int64_t wall_ns, char *buf, size_t size)
{
	struct civil c = civil_of(wall_ns);
	int n = snprintf(buf, size, "%.3s, %02u %.3s %lld %02u:%02u:%02u GMT", weekdays[c.weekday], c.day, months[c.month - 1], c.year, c.hour, c.minute,
			 c.second);

	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static void daytime_run(struct svc_conn *c)
{
	char line[80];
	size_t n = svc_daytime_line(svc_wall_clock(svc_services(c)), line, sizeof(line));

	/* The send buffer of a new connection has room for a line; if it has not, the peer is not worth waiting for. */
	if (ns_send(c->sock, line, n, MSG_NOSIGNAL) == (ssize_t)n)
		svc_linger(c);
	else
		svc_reset(c);
}

static ssize_t daytime_answer(struct services *svcs, uint8_t *buf, size_t len)
{
	(void)len;
	return (ssize_t)svc_daytime_line(svc_wall_clock(svcs), (char *)buf, SVC_DATAGRAM_MAX);
}

#define INETD_TCP(n) { .name = #n, .proto = IPPROTO_TCP, .conn_size = sizeof(struct inetd_conn), .open = inetd_open, .run = n##_run }
#define INETD_UDP(n) { .name = #n, .proto = IPPROTO_UDP, .answer = n##_answer }

const struct svc_type svc_discard_tcp = INETD_TCP(discard), svc_discard_udp = INETD_UDP(discard);
const struct svc_type svc_chargen_tcp = INETD_TCP(chargen), svc_chargen_udp = INETD_UDP(chargen);
const struct svc_type svc_daytime_tcp = INETD_TCP(daytime), svc_daytime_udp = INETD_UDP(daytime);
