/* SPDX-License-Identifier: MIT */
/*
 * http_parse.c: the head of a request (RFC 9112 sections 2 to 6, RFC 9110 section 5) and the chunked coding (RFC 9112 section 7.1).
 *
 * Not done: obsolete line folding (refused, as section 5.2 allows), transfer codings other than chunked (501), trailers are checked and dropped,
 * Expect other than 100-continue (417), CONNECT and the asterisk form (no path here matches them).
 */
#include "http_parse.h"

#include <string.h>

static bool is_token_char(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_field_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= 0x20 && u != 0x7f);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

static bool word_is(const char *p, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n && word[i]; i++)
		if (lower(p[i]) != word[i])
			return false;
	return i == n && !word[i];
}

static enum http_method method_of(const char *p, size_t n)
{
	static const struct { const char *name; enum http_method m; } table[] = {
		{ "GET", HTTP_GET }, { "HEAD", HTTP_HEAD }, { "PUT", HTTP_PUT }, { "POST", HTTP_POST }, { "DELETE", HTTP_OTHER }, { "OPTIONS", HTTP_OTHER },
		{ "PATCH", HTTP_OTHER }, { "TRACE", HTTP_OTHER }, { "CONNECT", HTTP_OTHER },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strlen(table[i].name) == n && !memcmp(table[i].name, p, n))
			return table[i].m;
	return HTTP_UNKNOWN;
}

/* Origin form, or absolute form, of which the path is taken (RFC 9112 section 3.2). */
static bool target_path(struct http_req *r, const char *p, size_t n)
{
	const char *end = p + n, *q;

	if (n > 7 && word_is(p, 7, "http://")) {
		p = memchr(p + 7, '/', n - 7);
		if (!p) {
			r->path = "/";
			r->path_len = 1;
			return true;
		}
	} else if (*p != '/' && !(n == 1 && *p == '*') && r->method != HTTP_OTHER) {
		return false;
	}
	q = memchr(p, '?', (size_t)(end - p));
	r->path = p;
	r->path_len = (size_t)((q ? q : end) - p);
	return true;
}

/* METHOD SP target SP HTTP/1.x, without the line's end. 0 or minus a status. */
static int request_line(struct http_req *r, const char *p, size_t n)
{
	const char *end = p + n, *target, *version;
	size_t i = 0, t = 0;

	while (i < n && is_token_char(p[i]))
		i++;
	if (!i || i == n || p[i] != ' ')
		return -400;
	r->method = method_of(p, i);
	target = p + i + 1;
	while (target + t < end && (unsigned char)target[t] > ' ' && target[t] != 0x7f)
		t++;
	if (t > HTTP_TARGET_MAX)
		return -414;
	if (!t || target + t == end || target[t] != ' ')
		return -400;
	version = target + t + 1;
	if (end - version != 8 || memcmp(version, "HTTP/", 5) || version[6] != '.' || version[5] < '0' || version[5] > '9' || version[7] < '0' ||
	    version[7] > '9')
		return -400;
	if (version[5] != '1')
		return -505;
	r->minor = version[7] == '0' ? 0 : 1;
	if (r->method == HTTP_UNKNOWN)
		return -501;
	return target_path(r, target, t) ? 0 : -400;
}

static int content_length(struct http_req *r, const char *v, size_t n)
{
	uint64_t len = 0;

	if (r->has_length || !n)
		return -400;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return -400;
		if (len <= HTTP_BODY_MAX)
			len = len * 10 + (uint64_t)(v[i] - '0');
	}
	if (len > HTTP_BODY_MAX)
		return -413;
	r->has_length = true;
	r->length = len;
	return 0;
}

/* Elements of a comma-separated list, until fn says false. */
static const char *next_element(const char **p, const char *end, size_t *n)
{
	const char *start, *stop;

	while (*p < end && (**p == ' ' || **p == '\t' || **p == ','))
		(*p)++;
	if (*p == end)
		return NULL;
	start = *p;
	stop = memchr(start, ',', (size_t)(end - start));
	*p = stop = stop ? stop : end;
	while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	*n = (size_t)(stop - start);
	return start;
}

struct seen { /* of one head */
	unsigned fields, hosts;
	bool     close, keep_alive;
};

static int field_value(struct http_req *r, struct seen *seen, const char *name, size_t nn, const char *v, size_t vn)
{
	const char *p = v, *e;
	size_t en;

	if (word_is(name, nn, "host")) {
		seen->hosts++;
	} else if (word_is(name, nn, "content-length")) {
		return content_length(r, v, vn);
	} else if (word_is(name, nn, "transfer-encoding")) {
		if (r->chunked)
			return -400;
		if (!word_is(v, vn, "chunked"))
			return -501;
		r->chunked = true;
	} else if (word_is(name, nn, "connection")) {
		while ((e = next_element(&p, v + vn, &en))) {
			seen->close |= word_is(e, en, "close");
			seen->keep_alive |= word_is(e, en, "keep-alive");
		}
	} else if (word_is(name, nn, "expect") && r->minor) {
		if (!word_is(v, vn, "100-continue"))
			return -417;
		r->expect_continue = true;
	}
	return 0;
}

static int field_line(struct http_req *r, struct seen *seen, const char *p, size_t n)
{
	size_t nn = 0, v;

	if (++seen->fields > HTTP_FIELDS_MAX)
		return -431;
	while (nn < n && is_token_char(p[nn]))
		nn++;
	if (!nn || nn == n || p[nn] != ':')
		return -400;
	for (v = nn + 1; v < n; v++)
		if (!is_field_char(p[v]))
			return -400;
	v = nn + 1;
	while (v < n && (p[v] == ' ' || p[v] == '\t'))
		v++;
	while (n > v && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return field_value(r, seen, p, nn, p + v, n - v);
}

static int parse_lines(const char *p, const char *end, struct http_req *r)
{
	struct seen seen = { 0 };
	bool first = true;

	memset(r, 0, sizeof(*r));
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)(eol - p) - 1; /* the scan has seen to it that a CR stands there */
		int err;

		if (!n && !first)
			break;
		err = first ? request_line(r, p, n) : field_line(r, &seen, p, n);
		if (err)
			return err;
		first = false;
		p = eol + 1;
	}
	if (seen.hosts > 1 || (r->minor && !seen.hosts) || (r->chunked && (r->has_length || !r->minor)))
		return -400;
	r->keep_alive = !seen.close && (r->minor || seen.keep_alive);
	return 0;
}

int http_parse_head(const char *buf, size_t len, size_t *scanned, struct http_req *ret)
{
	size_t start = 0, i;
	int err;

	/* Empty lines in front of a request are passed over (RFC 9112 section 2.2). */
	while (start + 1 < len && start < 8 && buf[start] == '\r' && buf[start + 1] == '\n')
		start += 2;
	for (i = *scanned > start ? *scanned : start; i < len; i++) {
		if (buf[i] == '\r' && i + 1 < len && buf[i + 1] != '\n')
			return -400; /* also saves looking for it later */
		if (buf[i] != '\n')
			continue;
		if (i == start || buf[i - 1] != '\r')
			return -400;
		if (i - start >= 3 && buf[i - 2] == '\n')
			break;
	}
	if (i >= HTTP_HEAD_MAX || (i == len && len >= HTTP_HEAD_MAX))
		return memchr(buf + start, '\n', len - start) ? -431 : -414;
	if (i == len) {
		*scanned = len && buf[len - 1] == '\r' ? len - 1 : len;
		return 0;
	}
	err = parse_lines(buf + start, buf + i + 1, ret);
	return err ? err : (int)(i + 1);
}

enum { CH_SIZE, CH_EXT, CH_SIZE_LF, CH_DATA, CH_DATA_CR, CH_DATA_LF, CH_TRAILER, CH_TRAILER_LINE, CH_TRAILER_LF, CH_END_LF, CH_DONE, CH_BAD };

#define CHUNK_EXT_MAX   256
#define TRAILERS_MAX    4096

void http_chunks_init(struct http_chunks *c)
{
	memset(c, 0, sizeof(*c));
}

static int hex_digit(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	b |= 32;
	return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* One byte that is not data. */
static enum http_chunk_result chunk_byte(struct http_chunks *c, uint8_t b)
{
	int d;

	switch (c->state) {
	case CH_SIZE:
		d = hex_digit(b);
		if (d >= 0) {
			if (c->left > HTTP_BODY_MAX || ++c->digits > 16)
				return HTTP_CHUNK_TOO_BIG;
			c->left = c->left << 4 | (unsigned)d;
			return HTTP_CHUNK_MORE;
		}
		if (!c->digits || (b != '\r' && b != ';' && b != ' ' && b != '\t'))
			return HTTP_CHUNK_BAD;
		c->line = 0;
		c->state = b == '\r' ? CH_SIZE_LF : CH_EXT;
		return HTTP_CHUNK_MORE;
	case CH_EXT:
		if (b == '\r')
			c->state = CH_SIZE_LF;
		else if (++c->line > CHUNK_EXT_MAX || !is_field_char((char)b))
			return HTTP_CHUNK_BAD;
		return HTTP_CHUNK_MORE;
	case CH_SIZE_LF:
		if (b != '\n')
			return HTTP_CHUNK_BAD;
		if (c->left > HTTP_BODY_MAX - c->total)
			return HTTP_CHUNK_TOO_BIG;
		c->total += c->left;
		c->state = c->left ? CH_DATA : CH_TRAILER;
		return HTTP_CHUNK_MORE;
	case CH_DATA_CR:
		c->state = CH_DATA_LF;
		return b == '\r' ? HTTP_CHUNK_MORE : HTTP_CHUNK_BAD;
	case CH_DATA_LF:
		c->state = CH_SIZE;
		c->digits = 0;
		return b == '\n' ? HTTP_CHUNK_MORE : HTTP_CHUNK_BAD;
	case CH_TRAILER:
	case CH_TRAILER_LINE:
		if (b == '\r')
			c->state = c->state == CH_TRAILER ? CH_END_LF : CH_TRAILER_LF;
		else if (++c->trailers > TRAILERS_MAX || !is_field_char((char)b))
			return HTTP_CHUNK_BAD;
		else
			c->state = CH_TRAILER_LINE;
		return HTTP_CHUNK_MORE;
	case CH_TRAILER_LF:
		c->state = CH_TRAILER;
		return b == '\n' ? HTTP_CHUNK_MORE : HTTP_CHUNK_BAD;
	case CH_END_LF:
		c->state = CH_DONE;
		return b == '\n' ? HTTP_CHUNK_DONE : HTTP_CHUNK_BAD;
	}
	return HTTP_CHUNK_BAD;
}

enum http_chunk_result http_chunks_feed(struct http_chunks *c, const uint8_t *p, size_t n, size_t *used, const uint8_t **data, size_t *data_len)
{
	enum http_chunk_result r = HTTP_CHUNK_MORE;
	size_t i = 0;

	*data = p;
	*data_len = 0;
	*used = 0;
	if (c->state == CH_DONE)
		return HTTP_CHUNK_DONE;
	while (i < n && r == HTTP_CHUNK_MORE) {
		if (c->state == CH_DATA) {
			*data = p + i;
			*data_len = n - i < c->left ? n - i : (size_t)c->left;
			c->left -= *data_len;
			if (!c->left)
				c->state = CH_DATA_CR;
			*used = i + *data_len;
			return HTTP_CHUNK_MORE;
		}
		r = chunk_byte(c, p[i++]);
	}
	if (r == HTTP_CHUNK_BAD || r == HTTP_CHUNK_TOO_BIG)
		c->state = CH_BAD;
	*used = i;
	return r;
}

const char *http_reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 411: return "Length Required";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 417: return "Expectation Failed";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	}
	return "Error";
}
