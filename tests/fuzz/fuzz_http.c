// SPDX-License-Identifier: MIT
/*
 * fuzz_http.c: any bytes as what a client sends: a head, whole and as it comes in two pieces, then a body in the chunked coding, whole and byte by byte. Both ways must
 * find the same.
 */
#include "http_parse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_http: %s\n", what);
	abort();
}

static int parse(const uint8_t *data, size_t n, size_t *scanned, struct http_req *req, char **copy)
{
	*copy = malloc(n + 1);
	must(*copy != NULL, "no memory");
	memcpy(*copy, data, n);
	return http_parse_head(*copy, n, scanned, req);
}

static void check_req(const struct http_req *req, const char *copy, size_t n)
{
	must(req->path >= copy || req->path_len == 1, "a path outside of the request");
	must(req->path_len <= HTTP_TARGET_MAX && (req->path_len == 1 || req->path + req->path_len <= copy + n), "a path that does not end");
	must(req->length <= HTTP_BODY_MAX && !(req->chunked && req->has_length), "a length that must be refused");
	must(req->method != HTTP_UNKNOWN, "an unknown method");
}

static int head(const uint8_t *data, size_t size)
{
	size_t n = size < HTTP_HEAD_MAX ? size : HTTP_HEAD_MAX, half = size ? data[0] % (n + 1) : 0, scanned = 0;
	struct http_req whole, pieces;
	char *a, *b, *c;
	int r = parse(data, n, &scanned, &whole, &a), q;

	must(r <= (int)n && (r >= 0 || (r <= -400 && r > -600)), "neither a length nor a status");
	if (r > 0)
		check_req(&whole, a, n);
	scanned = 0;
	q = parse(data, half, &scanned, &pieces, &b);
	if (!q) {
		q = parse(data, n, &scanned, &pieces, &c);
		/* Beyond the end of a head the first call may have seen nothing wrong yet. */
		must(q == r, "in two pieces it is another request");
		if (q > 0)
			must(whole.method == pieces.method && whole.path_len == pieces.path_len && whole.length == pieces.length, "another meaning");
		free(c);
	}
	free(a);
	free(b);
	return r;
}

struct decoded {
	enum http_chunk_result result;
	uint64_t sum, len;
	size_t   used;
};

static struct decoded decode(const uint8_t *data, size_t size, size_t piece)
{
	struct decoded d = { HTTP_CHUNK_MORE, 0, 0, 0 };
	struct http_chunks c;

	http_chunks_init(&c);
	while (d.used < size && d.result == HTTP_CHUNK_MORE) {
		size_t n = size - d.used < piece ? size - d.used : piece, used, run_len;
		const uint8_t *run;

		d.result = http_chunks_feed(&c, data + d.used, n, &used, &run, &run_len);
		must(used <= n && (used || d.result != HTTP_CHUNK_MORE), "no progress");
		must(run >= data && run + run_len <= data + size, "data outside of the input");
		for (size_t i = 0; i < run_len; i++)
			d.sum = d.sum * 31 + run[i];
		d.len += run_len;
		d.used += used;
	}
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int r = head(data, size);
	size_t skip = r > 0 ? (size_t)r : 0;
	struct decoded a = decode(data + skip, size - skip, size + 1), b = decode(data + skip, size - skip, 1);

	must(a.result == b.result && a.len == b.len && a.sum == b.sum && a.used == b.used, "byte by byte it is another body");
	return 0;
}
