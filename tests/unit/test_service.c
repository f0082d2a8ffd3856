/* SPDX-License-Identifier: MIT */
/*
 * test_service.c: the built-in services over the loopback device of one stack: what a client sends and what comes back, half-closed, pipelined, dripping,
 * and datagrams that must not be answered. Time is the test's.
 */
#include "host.h"
#include "service_priv.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define WALL INT64_C(1792836930123456789) /* Sat, 24 Oct 2026 10:15:30 */

struct bench {
	struct host       *h;
	struct services   *svcs;
	struct service_env env;
	uint64_t           token; /* of the page last asked for; 0: none */
	enum service_page  page;
	int                page_err;
};

static void wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct bench *b = arg;

	(void)h;
	(void)cpu;
	services_wake(b->svcs, cookie, events);
}

static const struct host_ops ops = { .wake = wake };

static int ask_page(void *priv, enum service_page page, uint64_t token)
{
	struct bench *b = priv;

	if (b->page_err)
		return b->page_err;
	b->token = token;
	b->page = page;
	return 0;
}

static int64_t wall_clock(void *priv)
{
	(void)priv;
	return WALL;
}

static void add(struct bench *b, uint8_t proto, uint16_t port, const char *what)
{
	struct service_conf c = { .proto = proto, .port = port };

	strcpy(c.what, what);
	cr_assert_eq(service_check(&c), 0);
	host_touch(b->h, 0);
	cr_assert_eq(services_add(b->svcs, &c), 0);
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->h = host_new("host", 1, 7, &ops, b);
	b->env = (struct service_env){ .priv = b, .page = ask_page, .wall_clock = wall_clock };
	cr_assert_eq(services_new(&b->svcs, b->h->shard[0].stack, &b->env), 0);
	cr_assert_gt(host_link(b->h, "eth0", "10.0.0.1/24", 1, 1500, 0), 0);
	host_apply(b->h);
	return b;
}

/* In steps, as a worker does it: the stack, then the services. */
static void run(struct bench *b, ktime_t how_long)
{
	ktime_t end = b->h->now + how_long;

	while (b->h->now < end) {
		ktime_t next = services_run(b->svcs, stack_now(host_touch(b->h, 0))), until = end;

		if (next < until)
			until = next;
		if (host_next(b->h) < until)
			until = host_next(b->h);
		if (until <= b->h->now)
			until = b->h->now + 100 * NSEC_PER_USEC;
		host_run(b->h, until < end ? until : end);
	}
	services_run(b->svcs, stack_now(host_touch(b->h, 0)));
}

static void bench_free(struct bench *b)
{
	host_touch(b->h, 0);
	services_free(b->svcs);
	host_run(b->h, b->h->now + 200 * NSEC_PER_SEC); /* TIME-WAIT ends */
	cr_assert_null(host_idle_error(b->h), "%s", host_idle_error(b->h));
	host_free(b->h);
	free(b);
}

static struct sockaddr_in sin_of(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr) };
}

static struct socket *dial(struct bench *b, uint16_t port)
{
	struct sockaddr_in sa = sin_of(INADDR_LOOPBACK, port);
	struct socket *s;
	int r;

	cr_assert_eq(ns_socket(host_touch(b->h, 0), AF_INET, SOCK_STREAM, 0, &s), 0);
	r = ns_connect(s, (struct sockaddr *)&sa, sizeof(sa));
	cr_assert(r == 0 || r == -EINPROGRESS, "%d", r);
	run(b, 5 * NSEC_PER_MSEC);
	return s;
}

static void say(struct bench *b, struct socket *s, const char *text)
{
	host_touch(b->h, 0);
	cr_assert_eq(ns_send(s, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	run(b, 5 * NSEC_PER_MSEC);
}

/* What is there to read now, as text behind what buf holds. True: the end of the stream. */
static bool hear(struct bench *b, struct socket *s, char *buf, size_t size)
{
	size_t len = strlen(buf);

	for (;;) {
		ssize_t n;

		host_touch(b->h, 0);
		n = ns_recv(s, buf + len, size - 1 - len, 0);
		if (n <= 0) {
			buf[len] = '\0';
			cr_assert(n == 0 || n == -EAGAIN || n == -ECONNRESET, "%zd", n);
			return n != -EAGAIN;
		}
		len += (size_t)n;
		buf[len] = '\0';
		run(b, NSEC_PER_MSEC);
	}
}

static void hang_up(struct bench *b, struct socket *s)
{
	host_touch(b->h, 0);
	ns_close(s);
	run(b, 10 * NSEC_PER_MSEC);
}

#define H "Host: x\r\n"

static const struct {
	const char *what, *say;
	const char *status; /* first line */
	const char *body; /* behind the empty line; NULL: not looked at */
	bool        closed;
} requests[] = {
	{ "three bytes, the first of which is zero", "GET /bytes/3 HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 OK", "", false },
	{ "head", "HEAD /bytes/1099511627776 HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 OK", "", false },
	{ "too many", "GET /bytes/1099511627777 HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 404 Not Found", NULL, false },
	{ "not a number", "GET /bytes/1x HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 404 Not Found", NULL, false },
	{ "no number", "GET /bytes/ HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 404 Not Found", NULL, false },
	{ "nothing there", "GET /x HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 404 Not Found", NULL, false },
	{ "1.0 closes", "GET /bytes/0 HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "", true },
	{ "1.0 keeps alive", "GET /bytes/0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK", "", false },
	{ "close", "GET /bytes/0 HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "HTTP/1.1 200 OK", "", true },
	{ "cannot be written", "PUT /metrics HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", NULL, false },
	{ "cannot be read", "GET /sink HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 405 Method Not Allowed", NULL, false },
	{ "malformed", "GET /\r\n\r\n", "HTTP/1.1 400 Bad Request", NULL, true },
	{ "unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 501 Not Implemented", NULL, true },
	{ "sink", "PUT /sink HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK", "5 3610a686\n", false },
	{ "empty sink", "POST /sink HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 OK", "0 00000000\n", false },
	{ "put without a length", "PUT /sink HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 411 Length Required", NULL, true },
	{ "chunked sink", "POST /sink HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "HTTP/1.1 200 OK", "5 3610a686\n", false },
	{ "bad chunk", "POST /sink HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 Bad Request", NULL, true },
	{ "huge body", "PUT /sink HTTP/1.1\r\n" H "Content-Length: 1099511627777\r\n\r\n", "HTTP/1.1 413 Content Too Large", NULL, true },
	{ "a body nobody wants", "GET /bytes/0 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK", "", true },
};

Test(service, http_requests_and_answers)
{
	struct bench *b = bench_new();

	add(b, IPPROTO_TCP, 80, "http");
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct socket *s = dial(b, 80);
		char buf[2048] = "", *body;
		bool closed;

		say(b, s, requests[i].say);
		closed = hear(b, s, buf, sizeof(buf));
		cr_assert_eq(strncmp(buf, requests[i].status, strlen(requests[i].status)), 0, "%s: %s", requests[i].what, buf);
		cr_assert_eq(buf[strlen(requests[i].status)], '\r', "%s: %s", requests[i].what, buf);
		cr_assert_eq(closed, requests[i].closed, "%s: %s", requests[i].what, buf);
		cr_assert_eq(strstr(buf, "\r\nConnection: close\r\n") != NULL, requests[i].closed, "%s", requests[i].what);
		cr_assert_not_null(strstr(buf, "\r\nDate: Sat, 24 Oct 2026 10:15:30 GMT\r\n"));
		body = strstr(buf, "\r\n\r\n");
		cr_assert_not_null(body);
		if (requests[i].body)
			cr_assert_str_eq(body + 4, requests[i].body, "%s", requests[i].what);
		hang_up(b, s);
	}
	bench_free(b);
}

Test(service, http_dripping_byte_by_byte_and_pipelined)
{
	static const char one[] = "PUT /sink HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab", two[] = "GET /bytes/0 HTTP/1.1\r\n" H "\r\n";
	struct bench *b = bench_new();
	struct socket *s;
	char buf[4096] = "", all[2048];
	unsigned n = 0;

	add(b, IPPROTO_TCP, 80, "http");
	s = dial(b, 80);
	for (const char *p = one; *p; p++) {
		char c[2] = { *p, 0 };

		say(b, s, c);
	}
	cr_assert_not(hear(b, s, buf, sizeof(buf)));
	cr_assert_not_null(strstr(buf, "\r\n\r\n2 9e83486d\n"));
	snprintf(all, sizeof(all), "%s%s%s%s%s", one, two, one, two, two);
	buf[0] = '\0';
	say(b, s, all);
	/* A client that has closed its side still gets all it asked for. */
	cr_assert_eq(ns_shutdown(s, SHUT_WR), 0);
	run(b, 20 * NSEC_PER_MSEC);
	cr_assert(hear(b, s, buf, sizeof(buf)));
	for (const char *p = buf; (p = strstr(p, "HTTP/1.1 200 OK")); p++)
		n++;
	cr_assert_eq(n, 5, "%s", buf);
	hang_up(b, s);
	bench_free(b);
}

/* Requests in random order, cut at random places and sent without waiting: the answers are those of the same requests one by one. */
Test(service, http_random_conversations)
{
	uint64_t seed = test_seed("http_random_conversations", 3);
	char *single[sizeof(requests) / sizeof(requests[0])] = { NULL };
	struct bench *b = bench_new();
	unsigned nreq = 0, usable[32];

	add(b, IPPROTO_TCP, 80, "http");
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct socket *s;

		if (requests[i].closed || !i) /* the first answer has zero bytes, which are no text */
			continue;
		s = dial(b, 80);
		single[nreq] = calloc(1, 2048);
		say(b, s, requests[i].say);
		hear(b, s, single[nreq], 2048);
		usable[nreq++] = i;
		hang_up(b, s);
	}
	for (unsigned round = 0; round < 60; round++) {
		char *text = calloc(1, 65536), *want = calloc(1, 65536), *got = calloc(1, 65536);
		struct socket *s = dial(b, 80);
		size_t len, at = 0;

		for (unsigned n = 1 + test_random_below(&seed, 40); n; n--) {
			unsigned i = test_random_below(&seed, nreq);

			strcat(text, requests[usable[i]].say);
			strcat(want, single[i]);
		}
		len = strlen(text);
		while (at < len) {
			size_t piece = 1 + test_random_below(&seed, test_random_below(&seed, 4) ? 700 : 10);

			piece = piece < len - at ? piece : len - at;
			host_touch(b->h, 0);
			cr_assert_eq(ns_send(s, text + at, piece, MSG_NOSIGNAL), (ssize_t)piece);
			at += piece;
			if (test_random_below(&seed, 2))
				run(b, NSEC_PER_MSEC);
		}
		for (unsigned wait = 0; wait < 50 && strlen(got) < strlen(want); wait++) { /* small answers wait for delayed acknowledgements */
			run(b, 20 * NSEC_PER_MSEC);
			cr_assert_not(hear(b, s, got, 65536));
		}
		cr_assert_str_eq(got, want, "round %u: got\n%s\nwanted\n%s", round, got, want);
		hang_up(b, s);
		free(text);
		free(want);
		free(got);
	}
	for (unsigned i = 0; i < nreq; i++)
		free(single[i]);
	bench_free(b);
}

Test(service, http_expect_continue)
{
	struct bench *b = bench_new();
	struct socket *s;
	char buf[2048] = "";

	add(b, IPPROTO_TCP, 80, "http");
	s = dial(b, 80);
	say(b, s, "PUT /sink HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	cr_assert_not(hear(b, s, buf, sizeof(buf)));
	cr_assert_str_eq(buf, "HTTP/1.1 100 Continue\r\n\r\n");
	buf[0] = '\0';
	say(b, s, "hello");
	cr_assert_not(hear(b, s, buf, sizeof(buf)));
	cr_assert_not_null(strstr(buf, "\r\n\r\n5 3610a686\n"));
	hang_up(b, s);
	bench_free(b);
}

Test(service, http_bytes_are_the_documented_ones)
{
	enum { N = 1000003 };
	struct bench *b = bench_new();
	uint8_t *got = malloc(N + 4096), *want = malloc(N + 8), *body;
	struct socket *s;
	size_t len = 0;
	ssize_t n;

	for (size_t i = 0; i * 8 < N; i++) {
		uint64_t w = i * UINT64_C(0x9e3779b97f4a7c15);

		memcpy(want + i * 8, &w, 8);
	}
	for (unsigned at = 0; at < 40; at++) { /* from any byte on */
		uint8_t piece[50];

		svc_bytes_fill(at, piece, at + 3);
		cr_assert_eq(memcmp(piece, want + at, at + 3), 0);
	}
	add(b, IPPROTO_TCP, 80, "http");
	s = dial(b, 80);
	say(b, s, "GET /bytes/1000003 HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	for (unsigned turns = 0; turns < 100000; turns++) {
		host_touch(b->h, 0);
		n = ns_recv(s, got + len, N + 4096 - len, 0);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		run(b, NSEC_PER_MSEC);
	}
	body = memmem(got, len, "\r\n\r\n", 4);
	cr_assert_not_null(body);
	body += 4;
	cr_assert_eq(len - (size_t)(body - got), N);
	cr_assert_eq(memcmp(body, want, N), 0);
	hang_up(b, s);
	bench_free(b);
	free(got);
	free(want);
}

Test(service, http_pages_come_when_they_are_ready)
{
	struct bench *b = bench_new();
	struct socket *s;
	char buf[2048] = "";
	uint64_t old;

	add(b, IPPROTO_TCP, 80, "http");
	s = dial(b, 80);
	say(b, s, "GET /metrics HTTP/1.1\r\n" H "\r\nGET /bytes/0 HTTP/1.1\r\n" H "\r\n");
	cr_assert_neq(b->token, 0);
	cr_assert_eq(b->page, PAGE_METRICS);
	cr_assert_not(hear(b, s, buf, sizeof(buf)));
	cr_assert_str_empty(buf, "nothing yet, and the next request waits");
	host_touch(b->h, 0);
	services_page(b->svcs, b->token, "x 1\n", 4);
	run(b, 10 * NSEC_PER_MSEC);
	hear(b, s, buf, sizeof(buf));
	cr_assert_not_null(strstr(buf, "\r\n\r\nx 1\nHTTP/1.1 200 OK\r\n"), "%s", buf);
	services_page(b->svcs, b->token, "again\n", 6); /* a second answer finds nobody waiting */
	b->page_err = -EBUSY;
	buf[0] = '\0';
	say(b, s, "GET / HTTP/1.1\r\n" H "\r\n");
	hear(b, s, buf, sizeof(buf));
	cr_assert_eq(strncmp(buf, "HTTP/1.1 503 ", 13), 0, "%s", buf);
	b->page_err = 0;
	buf[0] = '\0';
	say(b, s, "GET /status.json HTTP/1.1\r\n" H "\r\n");
	host_touch(b->h, 0);
	services_page(b->svcs, b->token, NULL, 0);
	run(b, 10 * NSEC_PER_MSEC);
	hear(b, s, buf, sizeof(buf));
	cr_assert_eq(strncmp(buf, "HTTP/1.1 503 ", 13), 0, "%s", buf);
	say(b, s, "GET / HTTP/1.1\r\n" H "\r\n");
	old = b->token;
	hang_up(b, s);
	run(b, 400 * NSEC_PER_SEC);
	services_page(b->svcs, old, "x", 1); /* the client is gone */
	bench_free(b);
}

Test(service, http_half_a_request_is_not_waited_for)
{
	struct bench *b = bench_new();
	struct services_stats stats;
	struct socket *s, *idle;
	char buf[1024] = "";

	add(b, IPPROTO_TCP, 80, "http");
	s = dial(b, 80);
	idle = dial(b, 80);
	for (unsigned i = 0; i < 20; i++) { /* a drip a second does not buy time */
		struct service_conf none = { .proto = IPPROTO_TCP, .port = 1 };

		cr_assert_eq(services_del(b->svcs, &none), -ENOENT);
		host_touch(b->h, 0);
		ns_send(s, "G", 1, MSG_NOSIGNAL);
		run(b, NSEC_PER_SEC);
	}
	cr_assert(hear(b, s, buf, sizeof(buf)));
	cr_assert_eq(strncmp(buf, "HTTP/1.1 408 ", 13), 0, "%s", buf);
	cr_assert(hear(b, idle, buf, sizeof(buf)), "one that says nothing goes as well");
	services_stats(b->svcs, &stats);
	hang_up(b, s);
	hang_up(b, idle);
	run(b, 10 * NSEC_PER_SEC);
	services_stats(b->svcs, &stats);
	cr_assert_eq(stats.connections, 0);
	cr_assert_eq(stats.accepted, 2);
	bench_free(b);
}

/* As many as a service has places, none of which ever says a word (or reads one), against one who has something to say. */
Test(service, those_who_hold_places_make_room)
{
	enum { PLACES = 4096 };
	static const char say_http[] = "GET /bytes/0 HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
	struct socket **held = calloc(PLACES, sizeof(struct socket *)), *s;
	struct sockaddr_in sa = sin_of(INADDR_LOOPBACK, 80);
	struct bench *b = bench_new();
	struct services_stats stats;
	char buf[1024] = "";

	add(b, IPPROTO_TCP, 80, "http");
	for (unsigned i = 0; i < PLACES; i++) {
		cr_assert_eq(ns_socket(host_touch(b->h, 0), AF_INET, SOCK_STREAM, 0, &held[i]), 0);
		cr_assert_eq(ns_connect(held[i], (struct sockaddr *)&sa, sizeof(sa)), -EINPROGRESS);
		if (i % 256 == 255)
			run(b, 5 * NSEC_PER_MSEC);
	}
	run(b, 500 * NSEC_PER_MSEC);
	services_stats(b->svcs, &stats);
	cr_assert_eq(stats.connections, PLACES);
	s = dial(b, 80);
	cr_assert(hear(b, s, buf, sizeof(buf)), "all that are there are fresh: one more is refused");
	services_stats(b->svcs, &stats);
	cr_assert_eq(stats.refused, 1);
	hang_up(b, s);
	run(b, 2500 * NSEC_PER_MSEC);
	say(b, held[1], "GET /bytes/0 HTTP/1.1\r\n" H "\r\n"); /* this one goes forward */
	for (unsigned i = 0; i < 3; i++) { /* each takes the place of another holder, and leaves it free */
		s = dial(b, 80);
		say(b, s, say_http);
		buf[0] = '\0';
		cr_assert(hear(b, s, buf, sizeof(buf)));
		cr_assert_eq(strncmp(buf, "HTTP/1.1 200 ", 13), 0, "the one that was still for the longest makes room: %s", buf);
		hang_up(b, s);
	}
	services_stats(b->svcs, &stats);
	cr_assert_eq(stats.refused, 2, "the first of them made room for all three");
	buf[0] = '\0';
	cr_assert_not(hear(b, held[1], buf, sizeof(buf)));
	cr_assert_eq(strncmp(buf, "HTTP/1.1 200 ", 13), 0, "one that goes forward keeps its place: %s", buf);
	for (unsigned i = 0; i < PLACES; i++) {
		host_touch(b->h, 0);
		ns_close(held[i]);
	}
	free(held);
	run(b, 10 * NSEC_PER_SEC);
	bench_free(b);
}

Test(service, tcp_echo_chargen_daytime_discard)
{
	enum { N = 300000 };
	struct bench *b = bench_new();
	uint8_t *out = malloc(N), *in = malloc(N + 1);
	struct socket *s;
	size_t sent = 0, got = 0;
	char buf[20000] = "";
	ssize_t n;

	add(b, IPPROTO_TCP, 7, "echo");
	add(b, IPPROTO_TCP, 9, "discard");
	add(b, IPPROTO_TCP, 13, "daytime");
	add(b, IPPROTO_TCP, 19, "chargen");
	for (size_t i = 0; i < N; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	s = dial(b, 7);
	for (unsigned turns = 0; turns < 100000; turns++) {
		host_touch(b->h, 0);
		if (sent < N) {
			n = ns_send(s, out + sent, N - sent, MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
			if (sent == N)
				cr_assert_eq(ns_shutdown(s, SHUT_WR), 0);
		}
		n = ns_recv(s, in + got, N + 1 - got, 0);
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
		run(b, NSEC_PER_MSEC);
	}
	cr_assert_eq(got, N, "%zu of %d came back", got, N);
	cr_assert_eq(memcmp(in, out, N), 0);
	hang_up(b, s);

	s = dial(b, 13);
	cr_assert(hear(b, s, buf, sizeof(buf)));
	cr_assert_str_eq(buf, "Saturday, October 24, 2026 10:15:30-UTC\r\n");
	hang_up(b, s);

	s = dial(b, 9);
	say(b, s, "anything");
	buf[0] = '\0';
	cr_assert_not(hear(b, s, buf, sizeof(buf)));
	cr_assert_str_empty(buf);
	hang_up(b, s);

	s = dial(b, 19);
	for (got = 0; got < sizeof(buf) - 1; run(b, NSEC_PER_MSEC)) {
		host_touch(b->h, 0);
		n = ns_recv(s, buf + got, sizeof(buf) - 1 - got, 0);
		cr_assert(n > 0 || n == -EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	for (size_t i = 0; i < got; i++) {
		unsigned line = (unsigned)(i / 74), col = (unsigned)(i % 74);
		char want = col == 72 ? '\r' : col == 73 ? '\n' : (char)(' ' + (line + col) % 95);

		cr_assert_eq(buf[i], want, "byte %zu", i);
	}
	hang_up(b, s);
	free(in);
	free(out);
	bench_free(b);
}

/* A datagram from one port and address to another; what comes back as text of its own length. -1: nothing. */
static ssize_t ask(struct bench *b, uint32_t from, uint16_t sport, uint32_t to, uint16_t port, const void *data, size_t len, void *buf, size_t size)
{
	struct sockaddr_in local = sin_of(from, sport), peer = sin_of(to, port), who = { 0 };
	socklen_t who_len = sizeof(who);
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_name = &who, .msg_namelen = who_len, .msg_iov = &iov, .msg_iovlen = 1 };
	struct iovec out = { (void *)(uintptr_t)data, len };
	struct msghdr omsg = { .msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &out, .msg_iovlen = 1 };
	struct socket *s;
	int on = 1;
	ssize_t n;

	cr_assert_eq(ns_socket(host_touch(b->h, 0), AF_INET, SOCK_DGRAM, 0, &s), 0);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	cr_assert_eq(ns_bind(s, (struct sockaddr *)&local, sizeof(local)), 0);
	n = ns_sendmsg(s, &omsg, 0);
	cr_assert_eq(n, (ssize_t)len, "%zd", n);
	run(b, 10 * NSEC_PER_MSEC);
	host_touch(b->h, 0);
	n = ns_recvmsg(s, &msg, 0);
	if (n >= 0) {
		cr_assert_eq(who.sin_addr.s_addr, peer.sin_addr.s_addr, "the answer comes from the address that was asked");
		cr_assert_eq(who.sin_port, peer.sin_port);
	}
	ns_close(s);
	return n < 0 ? -1 : n;
}

Test(service, datagrams)
{
	static const uint32_t lo = INADDR_LOOPBACK, other = 0x7f050505;
	struct bench *b = bench_new();
	char buf[2048];

	add(b, IPPROTO_UDP, 7, "echo");
	add(b, IPPROTO_UDP, 9, "discard");
	add(b, IPPROTO_UDP, 13, "daytime");
	add(b, IPPROTO_UDP, 19, "chargen");
	cr_assert_eq(ask(b, lo, 5000, lo, 7, "hello", 5, buf, sizeof(buf)), 5);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	cr_assert_eq(ask(b, lo, 5000, other, 7, "hello", 5, buf, sizeof(buf)), 5);
	cr_assert_eq(ask(b, lo, 5000, lo, 7, "", 0, buf, sizeof(buf)), 0, "an empty datagram is echoed as well");
	cr_assert_eq(ask(b, lo, 1023, lo, 7, "hello", 5, buf, sizeof(buf)), -1, "a service's port is not answered");
	cr_assert_eq(ask(b, 0x0a000001, 5000, 0x0a0000ff, 7, "hello", 5, buf, sizeof(buf)), -1, "nor is a broadcast");
	cr_assert_eq(ask(b, lo, 5000, lo, 9, "hello", 5, buf, sizeof(buf)), -1);
	cr_assert_eq(ask(b, lo, 5000, lo, 13, "", 0, buf, sizeof(buf)), 41);
	cr_assert_eq(memcmp(buf, "Saturday, October 24, 2026 10:15:30-UTC\r\n", 41), 0);
	cr_assert_eq(ask(b, lo, 5000, lo, 19, "12345", 5, buf, sizeof(buf)), 5, "no more than was sent");
	cr_assert_eq(memcmp(buf, " !\"#$", 5), 0);
	memset(buf, 'x', sizeof(buf));
	cr_assert_eq(ask(b, lo, 5000, lo, 19, buf, 2000, buf, sizeof(buf)), 512);
	bench_free(b);
}

Test(service, adding_and_removing)
{
	struct service_conf echo = { .proto = IPPROTO_UDP, .port = 7, .what = "echo" }, bad = { .proto = IPPROTO_UDP, .port = 7, .what = "http" };
	struct sockaddr_in sa = sin_of(INADDR_ANY, 7);
	struct bench *b = bench_new();
	struct services_stats stats;
	struct socket *s;

	cr_assert_eq(service_check(&bad), -EINVAL);
	cr_assert_eq(services_add(b->svcs, &bad), -EINVAL);
	cr_assert_eq(ns_socket(host_touch(b->h, 0), AF_INET, SOCK_DGRAM, 0, &s), 0);
	cr_assert_eq(ns_bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(services_add(b->svcs, &echo), -EADDRINUSE);
	ns_close(s);
	cr_assert_eq(services_add(b->svcs, &echo), 0);
	cr_assert_eq(services_add(b->svcs, &echo), -EEXIST);
	services_stats(b->svcs, &stats);
	cr_assert_eq(stats.services, 1);
	cr_assert_eq(services_del(b->svcs, &echo), 0);
	cr_assert_eq(services_del(b->svcs, &echo), -ENOENT);
	cr_assert_eq(services_add(b->svcs, &echo), 0);
	bench_free(b);
}

Test(service, dates)
{
	static const struct { int64_t secs; const char *line, *http; } rows[] = {
		{ 0, "Thursday, January 1, 1970 00:00:00-UTC\r\n", "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 951782399, "Monday, February 28, 2000 23:59:59-UTC\r\n", "Mon, 28 Feb 2000 23:59:59 GMT" },
		{ 951868799, "Tuesday, February 29, 2000 23:59:59-UTC\r\n", "Tue, 29 Feb 2000 23:59:59 GMT" },
		{ 1709251199, "Thursday, February 29, 2024 23:59:59-UTC\r\n", "Thu, 29 Feb 2024 23:59:59 GMT" },
		{ 4107542400, "Monday, March 1, 2100 00:00:00-UTC\r\n", "Mon, 01 Mar 2100 00:00:00 GMT" },
		{ -1, "Wednesday, December 31, 1969 23:59:59-UTC\r\n", "Wed, 31 Dec 1969 23:59:59 GMT" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[80];

		cr_assert_eq(svc_daytime_line(rows[i].secs * NSEC_PER_SEC, buf, sizeof(buf)), strlen(rows[i].line));
		cr_assert_str_eq(buf, rows[i].line);
		svc_http_date(rows[i].secs * NSEC_PER_SEC, buf, sizeof(buf));
		cr_assert_str_eq(buf, rows[i].http);
	}
}
