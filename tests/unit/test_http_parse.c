/* SPDX-License-Identifier: MIT */
/*
 * test_http_parse.c: heads of requests and the chunked coding, good and bad, whole and byte by byte.
 */
#include "http_parse.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define H "Host: x\r\n"

static const struct {
	const char      *what, *text;
	int              want; /* 1: the whole text is the head; 0: more is needed; negative: status */
	enum http_method method;
	const char      *path;
	bool             keep_alive, chunked;
	uint64_t         length;
} heads[] = {
	{ "get", "GET / HTTP/1.1\r\n" H "\r\n", 1, HTTP_GET, "/", true, false, 0 },
	{ "1.0", "GET / HTTP/1.0\r\n\r\n", 1, HTTP_GET, "/", false, false, 0 },
	{ "1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 1, HTTP_GET, "/", true, false, 0 },
	{ "close", "GET / HTTP/1.1\r\n" H "Connection: foo , CLOSE\r\n\r\n", 1, HTTP_GET, "/", false, false, 0 },
	{ "query", "HEAD /a/b?c=d HTTP/1.1\r\n" H "\r\n", 1, HTTP_HEAD, "/a/b", true, false, 0 },
	{ "absolute form", "GET http://h:80/p?q HTTP/1.1\r\n" H "\r\n", 1, HTTP_GET, "/p", true, false, 0 },
	{ "absolute form without a path", "GET http://h HTTP/1.1\r\n" H "\r\n", 1, HTTP_GET, "/", true, false, 0 },
	{ "length", "PUT /sink HTTP/1.1\r\n" H "content-length:  17 \r\n\r\n", 1, HTTP_PUT, "/sink", true, false, 17 },
	{ "chunked", "POST /sink HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n", 1, HTTP_POST, "/sink", true, true, 0 },
	{ "empty lines in front", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 1, HTTP_GET, "/", true, false, 0 },
	{ "other method", "DELETE /x HTTP/1.1\r\n" H "\r\n", 1, HTTP_OTHER, "/x", true, false, 0 },
	{ "empty value", "GET / HTTP/1.1\r\n" H "X:\r\n\r\n", 1, HTTP_GET, "/", true, false, 0 },
	{ "half a line", "GET / HT", 0, 0, NULL, false, false, 0 },
	{ "no end", "GET / HTTP/1.1\r\n" H, 0, 0, NULL, false, false, 0 },
	{ "nothing", "", 0, 0, NULL, false, false, 0 },
	{ "no host", "GET / HTTP/1.1\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "bare LF", "GET / HTTP/1.1\n" H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "bare CR", "GET / HTTP/1.1\rX: y\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "only empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "blank before colon", "GET / HTTP/1.1\r\n" H "X : y\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "folded", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "control character", "GET / HTTP/1.1\r\n" H "X: a\001\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "no name", "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "two blanks", "GET  / HTTP/1.1\r\n" H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "blank at the end", "GET / HTTP/1.1 \r\n" H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "no version", "GET /\r\n" H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "no slash", "GET x HTTP/1.1\r\n" H "\r\n", -400, 0, NULL, false, false, 0 },
	{ "two lengths", "PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "negative length", "PUT / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "length list", "PUT / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "huge length", "PUT / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\n", -413, 0, NULL, false, false, 0 },
	{ "length and chunked", "PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "chunked in 1.0", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "chunked twice", "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", -400, 0, NULL, false, false, 0 },
	{ "gzip", "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", -501, 0, NULL, false, false, 0 },
	{ "unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", -501, 0, NULL, false, false, 0 },
	{ "version 2", "GET / HTTP/2.0\r\n" H "\r\n", -505, 0, NULL, false, false, 0 },
	{ "expectation", "PUT / HTTP/1.1\r\n" H "Expect: coffee\r\n\r\n", -417, 0, NULL, false, false, 0 },
};

static void check_head(unsigned i, int r, const struct http_req *req)
{
	size_t len = strlen(heads[i].text);

	cr_assert_eq(r, heads[i].want == 1 ? (int)len : heads[i].want, "%s: %d", heads[i].what, r);
	if (r <= 0)
		return;
	cr_assert_eq(req->method, heads[i].method, "%s", heads[i].what);
	cr_assert_eq(req->path_len, strlen(heads[i].path), "%s", heads[i].what);
	cr_assert_eq(memcmp(req->path, heads[i].path, req->path_len), 0, "%s", heads[i].what);
	cr_assert_eq(req->keep_alive, heads[i].keep_alive, "%s", heads[i].what);
	cr_assert_eq(req->chunked, heads[i].chunked, "%s", heads[i].what);
	cr_assert_eq(req->length, heads[i].length, "%s", heads[i].what);
}

Test(http_parse, heads_whole_and_byte_by_byte)
{
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		size_t len = strlen(heads[i].text), scanned = 0;
		struct http_req req;
		int r = http_parse_head(heads[i].text, len, &scanned, &req);

		check_head(i, r, &req);
		scanned = 0;
		for (size_t n = 0; n <= len; n++) {
			char *copy = malloc(n + 1); /* so that reading beyond the end is seen */

			memcpy(copy, heads[i].text, n);
			r = http_parse_head(copy, n, &scanned, &req);
			if (r || n == len) {
				check_head(i, r, &req);
				n = len;
			}
			free(copy);
		}
	}
}

static int parse_long(const char *before, size_t repeat, const char *unit, const char *after)
{
	size_t unit_len = strlen(unit), len = strlen(before), scanned = 0;
	char *buf = malloc(len + repeat * unit_len + strlen(after) + 1);
	struct http_req req;
	int r;

	strcpy(buf, before);
	for (size_t i = 0; i < repeat; i++, len += unit_len)
		strcpy(buf + len, unit);
	strcpy(buf + len, after);
	len += strlen(after);
	if (len > HTTP_HEAD_MAX)
		len = HTTP_HEAD_MAX; /* as much as a connection holds */
	r = http_parse_head(buf, len, &scanned, &req);
	free(buf);
	return r;
}

Test(http_parse, bounds)
{
	cr_assert_gt(parse_long("GET /", HTTP_TARGET_MAX - 1, "a", " HTTP/1.1\r\n" H "\r\n"), 0);
	cr_assert_eq(parse_long("GET /", HTTP_TARGET_MAX, "a", " HTTP/1.1\r\n" H "\r\n"), -414);
	cr_assert_eq(parse_long("GET /", 9000, "a", " HTTP/1.1\r\n" H "\r\n"), -414);
	cr_assert_gt(parse_long("GET / HTTP/1.1\r\n" H, HTTP_FIELDS_MAX - 1, "a: b\r\n", "\r\n"), 0);
	cr_assert_eq(parse_long("GET / HTTP/1.1\r\n" H, HTTP_FIELDS_MAX, "a: b\r\n", "\r\n"), -431);
	cr_assert_eq(parse_long("GET / HTTP/1.1\r\n" H "a: ", 9000, "b", "\r\n\r\n"), -431);
}

static const struct {
	const char             *what, *text;
	enum http_chunk_result  want;
	const char             *data;
} chunks[] = {
	{ "two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", HTTP_CHUNK_DONE, "abcde" },
	{ "hexadecimal", "A\r\n0123456789\r\n00\r\n\r\n", HTTP_CHUNK_DONE, "0123456789" },
	{ "extension", "1;a=\"b\"\r\nx\r\n0 \r\n\r\n", HTTP_CHUNK_DONE, "x" },
	{ "trailer", "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", HTTP_CHUNK_DONE, "x" },
	{ "not yet", "5\r\nab", HTTP_CHUNK_MORE, "ab" },
	{ "no size", "\r\n", HTTP_CHUNK_BAD, "" },
	{ "not a number", "x\r\n", HTTP_CHUNK_BAD, "" },
	{ "sign", "-1\r\n", HTTP_CHUNK_BAD, "" },
	{ "bare LF", "1\nx\r\n0\r\n\r\n", HTTP_CHUNK_BAD, "" },
	{ "data longer than said", "1\r\nxy\r\n", HTTP_CHUNK_BAD, "x" },
	{ "control character in a trailer", "0\r\na\001\r\n\r\n", HTTP_CHUNK_BAD, "" },
	{ "too big", "fffffffffffffff\r\n", HTTP_CHUNK_TOO_BIG, "" },
	{ "too many digits", "00000000000000001\r\n", HTTP_CHUNK_TOO_BIG, "" },
	{ "together too big", "1\r\nx\r\n10000000000\r\n", HTTP_CHUNK_TOO_BIG, "x" },
};

Test(http_parse, chunks_in_pieces_of_every_size)
{
	for (unsigned i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		size_t len = strlen(chunks[i].text);

		for (size_t piece = 1; piece <= len; piece++) {
			enum http_chunk_result r = HTTP_CHUNK_MORE;
			size_t at = 0, got = 0;
			struct http_chunks c;
			char data[64];

			http_chunks_init(&c);
			while (at < len && r == HTTP_CHUNK_MORE) {
				size_t n = len - at < piece ? len - at : piece, used, run_len;
				const uint8_t *run;

				r = http_chunks_feed(&c, (const uint8_t *)chunks[i].text + at, n, &used, &run, &run_len);
				memcpy(data + got, run, run_len);
				got += run_len;
				at += used;
			}
			cr_assert_eq(r, chunks[i].want, "%s in pieces of %zu", chunks[i].what, piece);
			cr_assert_eq(got, strlen(chunks[i].data), "%s in pieces of %zu", chunks[i].what, piece);
			cr_assert_eq(memcmp(data, chunks[i].data, got), 0, "%s", chunks[i].what);
			if (r == HTTP_CHUNK_DONE)
				cr_assert_eq(at, len);
		}
	}
}

Test(http_parse, a_body_ends_where_the_next_request_begins)
{
	const char text[] = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
	size_t used, run_len, at = 0;
	struct http_chunks c;
	const uint8_t *run;

	http_chunks_init(&c);
	while (http_chunks_feed(&c, (const uint8_t *)text + at, sizeof(text) - 1 - at, &used, &run, &run_len) == HTTP_CHUNK_MORE)
		at += used;
	at += used;
	cr_assert_eq(strncmp(text + at, "GET", 3), 0);
}
