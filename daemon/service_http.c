/* SPDX-License-Identifier: MIT */
/*
 * service_http.c: the http service: what the daemon shows of itself, and a source and a sink of bytes for measuring. HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112).
 *
 *   GET, HEAD  /             a page for people          GET, HEAD  /bytes/N   N bytes (up to 2^40) of a documented sequence: 64-bit little-endian words,
 *   GET, HEAD  /metrics      Prometheus text                                  word k is k times 0x9e3779b97f4a7c15 modulo 2^64, the last one cut
 *   GET, HEAD  /status.json  the same as JSON           PUT, POST  /sink      takes any body; answers "COUNT CRC32\n", zlib's CRC-32 as 8 hex digits
 *
 * A connection is in one of these states, and does in each only what stands there:
 *   HEAD  reads until a request's head is whole (15 s for all of it after its first byte, 300 s for its beginning)
 *   BODY  reads the body into the CRC, in place
 *   PAGE  waits for the daemon's answer about all its workers
 *   SEND  sends the head, then text, then the sequence, straight into packet buffers (60 s without progress end it); then HEAD again, or FIN
 * One request at a time: what a client sends ahead (pipelining) waits in its buffer and in the receive window. A client that has closed its side
 * still gets the answers to what it had asked. After an answer that ends the connection the rest of what the client sends is thrown away for a moment, so that a
 * reset does not destroy the answer.
 * Not done: ranges, compression, conditional requests, TLS.
 */
#include "http_parse.h"
#include "service_priv.h"
#include "status_render.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define TURNS      32
#define FILL_MAX   (1 << 18) /* bytes of one ns_send_fill */
#define TEXT_SMALL 1024

enum state { ST_HEAD, ST_BODY, ST_PAGE, ST_SEND };

struct http_conn {
	struct svc_conn    c;
	enum state         state, after; /* after: where SEND leads to, ST_HEAD or ST_BODY (100 Continue) */
	struct http_req    req; /* its pointers are good while the head is being dealt with only */
	struct http_chunks chunks;
	enum service_page  page;
	bool               eof, close, bad_body; /* close: after this answer */
	size_t             in_len, scanned;
	uint64_t           body_left, count; /* of the sink; chunked: body_left only says whether there is more */
	uint32_t           crc;
	size_t             small_len, text_off, text_len;
	char              *text; /* a page */
	uint64_t           fill_pos, fill_end;
	char               small[TEXT_SMALL]; /* head of the answer, and its text if that is short */
	char               in[HTTP_HEAD_MAX];
};

static struct http_conn *http_of(struct svc_conn *c) { return (struct http_conn *)c; }

void svc_bytes_fill(uint64_t pos, void *buf, size_t len)
{
	uint64_t word = pos / 8 * UINT64_C(0x9e3779b97f4a7c15);
	uint8_t *p = buf;
	unsigned skip = pos % 8;

	/* x86 is little-endian, and types.h refuses others: words are stored as they are. */
	while (len) {
		size_t n = 8 - skip < len ? 8 - skip : len;

		if (n == 8)
			memcpy(p, &word, 8);
		else
			memcpy(p, (const uint8_t *)&word + skip, n);
		p += n;
		len -= n;
		skip = 0;
		word += UINT64_C(0x9e3779b97f4a7c15);
	}
}

static void fill(void *arg, void *data, size_t len)
{
	uint64_t *pos = arg;

	svc_bytes_fill(*pos, data, len);
	*pos += len;
}

/* ---- answers ---- */

static void small_add(struct http_conn *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void small_add(struct http_conn *h, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(h->small + h->small_len, sizeof(h->small) - h->small_len, fmt, ap);
	va_end(ap);
	/* All that is put together here fits: a head of ours has no part that a client makes long. */
	if (n > 0)
		h->small_len += (size_t)n < sizeof(h->small) - h->small_len ? (size_t)n : sizeof(h->small) - h->small_len - 1;
}

static void answer_head(struct http_conn *h, int status, const char *type, uint64_t length)
{
	char date[40];

	svc_http_date(svc_wall_clock(svc_services(&h->c)), date, sizeof(date));
	h->small_len = 0;
	small_add(h, "HTTP/1.1 %d %s\r\nServer: netstackd\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n", status, http_reason(status), date, type,
		  (unsigned long long)length);
	if (h->close)
		small_add(h, "Connection: close\r\n");
	else if (!h->req.minor)
		small_add(h, "Connection: keep-alive\r\n");
	h->state = ST_SEND;
	h->after = ST_HEAD;
	svc_deadline(&h->c, SVC_T_STALL);
}

/* A short text and, for some statuses, one more field. The connection ends after a status that leaves the rest of the request unread. */
static void answer_text(struct http_conn *h, int status, const char *field, const char *text)
{
	answer_head(h, status, "text/plain; charset=utf-8", strlen(text));
	small_add(h, "%s\r\n%s", field, h->req.method == HTTP_HEAD ? "" : text);
}

static void refuse(struct http_conn *h, int status, const char *text)
{
	h->close = true;
	answer_text(h, status, "", text);
}

static const char *refusal_text(int status)
{
	switch (status) {
	case 400: return "The request is malformed.\n";
	case 413: return "A body may have at most 2^40 bytes.\n";
	case 414: return "The target of the request is too long.\n";
	case 417: return "No expectation but 100-continue is met here.\n";
	case 431: return "The head of a request may have at most 8192 bytes and 64 fields.\n";
	case 501: return "This method or transfer coding is not known here.\n";
	case 505: return "HTTP/1.0 and HTTP/1.1 are spoken here.\n";
	}
	return "The request is refused.\n";
}

/* ---- what there is ---- */

static void get_page(struct http_conn *h, enum service_page page)
{
	h->page = page;
	h->state = ST_PAGE;
	svc_deadline(&h->c, SVC_T_STALL);
	if (svc_ask_page(&h->c, page))
		answer_text(h, 503, "Retry-After: 1\r\n", "Too many pages are being made; try again.\n");
}

static void http_run(struct svc_conn *c);

static void http_page(struct svc_conn *c, const char *text, size_t len)
{
	struct http_conn *h = http_of(c);

	if (h->state != ST_PAGE)
		return;
	if (text && h->req.method != HTTP_HEAD) {
		h->text = malloc(len + 1);
		if (h->text)
			memcpy(h->text, text, len);
	}
	if (!text || (h->req.method != HTTP_HEAD && !h->text)) {
		answer_text(h, 503, "Retry-After: 1\r\n", "The page could not be made; try again.\n");
	} else {
		answer_head(h, 200, status_content_type(h->page), len);
		small_add(h, "Cache-Control: no-store\r\n\r\n");
		h->text_off = 0;
		h->text_len = h->text ? len : 0;
	}
	http_run(c);
}

static void get_bytes(struct http_conn *h)
{
	const char *p = h->req.path + 7, *end = h->req.path + h->req.path_len;
	uint64_t n = 0;

	if (p == end || end - p > 13)
		goto err_404;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			goto err_404;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (n > UINT64_C(1) << 40)
		goto err_404;
	answer_head(h, 200, "application/octet-stream", n);
	small_add(h, "\r\n");
	h->fill_pos = 0;
	h->fill_end = h->req.method == HTTP_HEAD ? 0 : n;
	return;
err_404:
	answer_text(h, 404, "", "/bytes/N wants a number up to 1099511627776.\n");
}

static void sink_done(struct http_conn *h)
{
	char text[48];

	snprintf(text, sizeof(text), "%llu %08x\n", (unsigned long long)h->count, h->crc);
	answer_text(h, 200, "", text);
}

static void put_sink(struct http_conn *h)
{
	h->count = 0;
	h->crc = (uint32_t)crc32(0, NULL, 0);
	h->body_left = h->req.chunked ? 1 : h->req.length; /* chunked: 1 until the last chunk */
	h->bad_body = false;
	http_chunks_init(&h->chunks);
	if (!h->req.chunked && !h->req.has_length && h->req.method == HTTP_PUT) {
		refuse(h, 411, "A PUT needs Content-Length or chunked coding.\n");
		return;
	}
	if (!h->body_left) {
		sink_done(h);
		return;
	}
	h->state = ST_BODY;
	svc_deadline(&h->c, SVC_T_STALL);
	if (h->req.expect_continue && !h->in_len) {
		h->small_len = 0;
		small_add(h, "HTTP/1.1 100 Continue\r\n\r\n");
		h->state = ST_SEND;
		h->after = ST_BODY;
	}
}

static bool path_is(const struct http_conn *h, const char *path)
{
	return strlen(path) == h->req.path_len && !memcmp(path, h->req.path, h->req.path_len);
}

static const struct { const char *path; enum service_page page; } pages[] = {
	{ "/", PAGE_STATUS_HTML }, { "/metrics", PAGE_METRICS }, { "/status.json", PAGE_STATUS_JSON },
};

/* A request for what can only be read. */
static void route_get(struct http_conn *h, bool known)
{
	bool body = h->req.chunked || h->req.length;

	/* A body that nobody wants: after the answer the rest is thrown away with the connection. */
	if (body)
		h->close = true;
	if (!known) {
		answer_text(h, 404, "", "There is nothing of that name here. There are /, /metrics, /status.json, /bytes/N and /sink.\n");
		return;
	}
	if (h->req.method != HTTP_GET && h->req.method != HTTP_HEAD) {
		answer_text(h, 405, "Allow: GET, HEAD\r\n", "This can only be read.\n");
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (path_is(h, pages[i].path)) {
			get_page(h, pages[i].page);
			return;
		}
	get_bytes(h);
}

static void route(struct http_conn *h)
{
	bool known = h->req.path_len >= 7 && !memcmp(h->req.path, "/bytes/", 7);

	svc_count_request(svc_services(&h->c));
	h->close = !h->req.keep_alive;
	if (path_is(h, "/sink")) {
		if (h->req.method == HTTP_PUT || h->req.method == HTTP_POST) {
			put_sink(h);
			return;
		}
		h->close |= h->req.chunked || h->req.length;
		answer_text(h, 405, "Allow: PUT, POST\r\n", "This takes what is sent by PUT or POST.\n");
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		known |= path_is(h, pages[i].path);
	route_get(h, known);
}

/* ---- states; each returns true when another one may go on at once ---- */

static void in_consume(struct http_conn *h, size_t n)
{
	h->in_len -= n;
	memmove(h->in, h->in + n, h->in_len);
	h->scanned = 0;
}

static bool head_run(struct http_conn *h)
{
	ssize_t n;
	int r;

	if (h->in_len) {
		r = http_parse_head(h->in, h->in_len, &h->scanned, &h->req);
		if (r < 0) {
			memset(&h->req, 0, sizeof(h->req));
			h->req.minor = 1;
			refuse(h, -r, refusal_text(-r));
			return true;
		}
		if (r > 0) {
			/* The path is dealt with before the bytes that it stands in move. */
			size_t rest = h->in_len - (size_t)r;

			h->in_len = rest;
			route(h);
			memmove(h->in, h->in + r, rest);
			h->scanned = 0;
			return true;
		}
	}
	if (h->eof) {
		svc_close(&h->c);
		return false;
	}
	n = ns_recv(h->c.sock, h->in + h->in_len, sizeof(h->in) - h->in_len, 0);
	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		svc_close(&h->c);
		return false;
	}
	if (n && !h->in_len)
		svc_deadline(&h->c, SVC_T_REQUEST); /* once: later bytes do not move it */
	h->in_len += (size_t)n;
	h->eof = n == 0;
	return true;
}

static void sink_data(struct http_conn *h, const uint8_t *p, size_t n)
{
	h->crc = (uint32_t)crc32_z(h->crc, p, n);
	h->count += n;
}

static bool body_is_done(const struct http_conn *h) { return h->bad_body || !h->body_left; }

/* Bytes of the body; returns how many belong to it. */
static size_t body_take(void *arg, const void *data, size_t len)
{
	struct http_conn *h = arg;
	const uint8_t *p = data, *run;
	size_t done = 0, used, run_len;

	if (!h->req.chunked) {
		if (len > h->body_left)
			len = (size_t)h->body_left;
		sink_data(h, p, len);
		h->body_left -= len;
		return len;
	}
	while (done < len && !body_is_done(h)) {
		enum http_chunk_result r = http_chunks_feed(&h->chunks, p + done, len - done, &used, &run, &run_len);

		if (run_len)
			sink_data(h, run, run_len);
		done += used;
		h->bad_body = r == HTTP_CHUNK_BAD || r == HTTP_CHUNK_TOO_BIG;
		h->body_left = r == HTTP_CHUNK_MORE;
	}
	return done;
}

static bool body_run(struct http_conn *h)
{
	ssize_t n;

	if (h->in_len) {
		in_consume(h, body_take(h, h->in, h->in_len));
	} else {
		n = ns_recv_inplace(h->c.sock, 1 << 20, body_take, h);
		if (n == -EAGAIN)
			return false;
		if (n <= 0 && !body_is_done(h)) { /* the end in the middle of a body */
			svc_close(&h->c);
			return false;
		}
	}
	svc_deadline(&h->c, SVC_T_STALL);
	if (h->bad_body)
		refuse(h, 400, "The chunked coding is malformed or too long.\n");
	else if (!h->body_left)
		sink_done(h);
	return true;
}

static ssize_t send_some(struct http_conn *h)
{
	ssize_t n;

	if (h->small_len) {
		n = ns_send(h->c.sock, h->small, h->small_len, MSG_NOSIGNAL | (h->text_len || h->fill_pos < h->fill_end ? MSG_MORE : 0));
		if (n > 0) {
			h->small_len -= (size_t)n;
			memmove(h->small, h->small + n, h->small_len);
		}
	} else if (h->text_len) {
		n = ns_send(h->c.sock, h->text + h->text_off, h->text_len, MSG_NOSIGNAL);
		if (n > 0) {
			h->text_off += (size_t)n;
			h->text_len -= (size_t)n;
		}
	} else {
		uint64_t pos = h->fill_pos, left = h->fill_end - h->fill_pos;

		n = ns_send_fill(h->c.sock, left < FILL_MAX ? (size_t)left : FILL_MAX, fill, &pos);
		if (n > 0)
			h->fill_pos += (uint64_t)n;
	}
	return n;
}

static bool send_run(struct http_conn *h)
{
	while (h->small_len || h->text_len || h->fill_pos < h->fill_end) {
		ssize_t n = send_some(h);

		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			svc_close(&h->c);
			return false;
		}
		svc_deadline(&h->c, SVC_T_STALL);
	}
	free(h->text);
	h->text = NULL;
	h->state = h->after;
	if (h->after == ST_BODY)
		return true;
	if (h->close) {
		svc_linger(&h->c);
		return false;
	}
	svc_deadline(&h->c, h->in_len ? SVC_T_REQUEST : SVC_T_IDLE);
	return true;
}

static int http_open(struct svc_conn *c)
{
	svc_deadline(c, SVC_T_REQUEST);
	return 0;
}

static void http_run(struct svc_conn *c)
{
	struct http_conn *h = http_of(c);

	for (unsigned turn = 0; turn < TURNS; turn++) {
		bool on = false;

		switch (h->state) {
		case ST_HEAD: on = head_run(h); break;
		case ST_BODY: on = body_run(h); break;
		case ST_SEND: on = send_run(h); break;
		case ST_PAGE: break; /* http_page goes on */
		}
		if (!on)
			return;
	}
	svc_again(c);
}

static void http_timeout(struct svc_conn *c)
{
	struct http_conn *h = http_of(c);

	/* Half a request deserves a word (RFC 9110 section 15.5.9); silence between requests, and a peer that takes nothing, do not. */
	if (h->state != ST_HEAD || !h->in_len) {
		svc_reset(c);
		return;
	}
	memset(&h->req, 0, sizeof(h->req));
	h->req.minor = 1;
	refuse(h, 408, "The request took too long.\n");
	http_run(c);
}

static void http_release(struct svc_conn *c)
{
	free(http_of(c)->text);
}

const struct svc_type svc_http_tcp = {
	.name = "http", .proto = IPPROTO_TCP, .conn_size = sizeof(struct http_conn), .open = http_open, .run = http_run, .timeout = http_timeout,
	.release = http_release, .page = http_page,
};
