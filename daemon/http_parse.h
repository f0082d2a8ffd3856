/* SPDX-License-Identifier: MIT */
/*
 * http_parse.h: HTTP/1.x messages as bytes: the head of a request, and the chunked coding. Pure: no memory of its own, no I/O. RFC 9110, RFC 9112.
 *
 * Strict where being lenient has led to requests that two parties read differently: lines end with CRLF, no blanks before a colon, no folded lines, no control
 * characters, no second Content-Length, not both Content-Length and Transfer-Encoding, one Host. Everything is bounded.
 */
#ifndef DAEMON_HTTP_PARSE_H
#define DAEMON_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX   8192 /* bytes of a request's head, the empty line included */
#define HTTP_TARGET_MAX 2048
#define HTTP_FIELDS_MAX 64
#define HTTP_BODY_MAX   (UINT64_C(1) << 40)

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_OTHER /* known, but served nowhere here */, HTTP_UNKNOWN };

struct http_req {
	enum http_method method;
	const char *path; /* into the buffer: the path of the target, without scheme, authority and query */
	size_t      path_len;
	uint8_t     minor; /* HTTP/1.minor: 0 or 1 */
	bool        keep_alive; /* as the version and Connection say */
	bool        chunked, expect_continue, has_length;
	uint64_t    length; /* Content-Length; 0 when there is none */
};

/* Looks for a whole head at the start of buf. Returns its length, 0 when more bytes are needed, or minus the status that the request deserves
 * (400, 413, 414, 417, 431, 501, 505). *scanned: 0 at the first call for a request, kept between calls (what need not be looked at again). */
int http_parse_head(const char *buf, size_t len, size_t *scanned, struct http_req *ret);

struct http_chunks {
	uint8_t  state;
	uint8_t  digits;
	uint16_t line; /* bytes of the present line of extensions or trailers */
	uint32_t trailers; /* bytes of trailers so far */
	uint64_t left; /* of the present chunk */
	uint64_t total;
};

enum http_chunk_result { HTTP_CHUNK_MORE, HTTP_CHUNK_DONE, HTTP_CHUNK_BAD, HTTP_CHUNK_TOO_BIG };

void http_chunks_init(struct http_chunks *c);
/* Takes bytes until a run of data, the end, or the end of the input. *used: how many of n it has taken. *data, *data_len: the run, inside p (length 0: none).
 * Call again with the rest while it says HTTP_CHUNK_MORE and used < n. */
enum http_chunk_result http_chunks_feed(struct http_chunks *c, const uint8_t *p, size_t n, size_t *used, const uint8_t **data, size_t *data_len);

const char *http_reason(int status);

#endif
