/* SPDX-License-Identifier: MIT */
/*
 * frame.c: see frame.h. A line becomes a struct spec; building fills in what the line leaves open, matching compares what it names.
 *
 * The checksum here is the plain loop of RFC 1071, on purpose not the library's.
 */
#include "frame.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { K_NONE, K_TCP, K_UDP, K_ICMP, K_IP, K_ARP, K_RAW, K_ETH };

struct num {
	bool     set, any;
	uint32_t lo, hi;
};

struct data {
	bool     set, pattern; /* pattern: len bytes of frame_pattern */
	uint32_t len;
	uint8_t  bytes[4096];
	uint8_t  any[4096]; /* 1: any byte will do */
};

struct spec {
	enum kind kind;
	bool      has_smac, has_dmac, df, mf, bad_ipsum, has_frag, has_tuple_addr, has_tuple_port;
	uint8_t   smac[6], dmac[6];
	struct num type, ttl, tos, id, off, rb, ver, ihl, len, trunc, pad;
	uint8_t   ipopt[40];
	unsigned  ipoptlen;
	uint32_t  frag_off, frag_len;
	be32      saddr, daddr;
	uint16_t  sport, dport;
	/* layer 4 */
	bool      bad_sum, nosum, absolute;
	uint8_t   flags;
	bool      psh_named, has_opts, opts_open;
	struct num seq, end, ack, win, urg, doff, ulen;
	uint8_t   opts[80];
	unsigned  optlen;
	bool      ts_set, ts_ecr_last;
	struct num ts_val, ts_ecr;
	struct { uint32_t a, b; } sack[4];
	unsigned  nsack;
	struct num proto, icmp_type, icmp_code, icmp_id, icmp_seq, icmp_mtu, icmp_ptr;
	be32      icmp_gw;
	bool      has_gw, quote_last, has_quote;
	char      quote[512];
	bool      arp_reply, arp_hex;
	be32      arp_ip, arp_tell;
	bool      has_arp_mac, has_arp_tell;
	uint8_t   arp_mac[6];
	struct data data;
};

static bool fail(struct frame_ctx *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct frame_ctx *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->err, sizeof(c->err), fmt, ap);
	va_end(ap);
	return false;
}

void frame_ctx_init(struct frame_ctx *c)
{
	static const char *const nets[FRAME_DEVS] = { "192.0.2.0", "198.51.100.0", "203.0.113.0", "10.0.0.0" };

	memset(c, 0, sizeof(*c));
	c->pport = 40000;
	c->lport = 80;
	c->peer_isn = 1000000;
	for (unsigned i = 0; i < FRAME_DEVS; i++) {
		struct frame_dev *d = &c->dev[i];

		d->local = inet_addr(nets[i]) | htonl(1);
		d->peer = inet_addr(nets[i]) | htonl(2);
		memcpy(d->local_mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(0x10 + i) }, 6);
		memcpy(d->peer_mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(0x20 + i) }, 6);
	}
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

/* Copies the next word: up to white space, but "...", <...> and {...} stay together. False at the end. */
static bool word(const char **p, char *w, size_t size)
{
	size_t n = 0;
	char   close = 0;

	while (isspace((unsigned char)**p))
		(*p)++;
	if (!**p)
		return false;
	if (**p == '"')
		close = '"';
	else if (**p == '<')
		close = '>';
	else if (**p == '{')
		close = '}';
	for (bool first = true; **p; (*p)++, first = false) {
		if (!close && isspace((unsigned char)**p))
			break;
		if (n + 1 < size)
			w[n++] = **p;
		if (close && !first && **p == close && !(close == '"' && (*p)[-1] == '\\')) {
			(*p)++;
			break;
		}
	}
	w[n] = 0;
	return true;
}

static bool number(const char *s, struct num *ret)
{
	char         *end;
	unsigned long a, b;

	*ret = (struct num){ .set = true };
	if (strcmp(s, "*") == 0) {
		ret->any = true;
		ret->hi = UINT32_MAX;
		return true;
	}
	if (s[0] && s[1] == '=' && (s[0] == '>' || s[0] == '<')) {
		a = strtoul(s + 2, &end, 0);
		ret->lo = s[0] == '>' ? (uint32_t)a : 0;
		ret->hi = s[0] == '>' ? UINT32_MAX : (uint32_t)a;
		return end != s + 2 && !*end;
	}
	if (!isdigit((unsigned char)*s) && *s != '-')
		return false;
	a = b = strtoul(s, &end, 0);
	if (end[0] == '.' && end[1] == '.')
		b = strtoul(end + 2, &end, 0);
	ret->lo = (uint32_t)a;
	ret->hi = (uint32_t)b;
	return end != s && !*end;
}

static bool num_ok(const struct num *n, uint32_t v) { return !n->set || n->any || (v >= n->lo && v <= n->hi); }

static bool parse_mac(const char *s, uint8_t mac[6])
{
	return sscanf(s, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

static int hexbytes(const char *s, uint8_t *out, uint8_t *any, size_t size)
{
	size_t n = 0;

	while (*s) {
		unsigned v = 0;
		bool     wild = s[0] == '.' && s[1] == '.';

		if (isspace((unsigned char)*s)) {
			s++;
			continue;
		}
		if (n == size || (!wild && (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) || sscanf(s, "%2x", &v) != 1)) || (wild && !any))
			return -1;
		if (any)
			any[n] = wild;
		out[n++] = (uint8_t)v;
		s += 2;
	}
	return (int)n;
}

/* A payload: (LEN), "text" or hex=... */
static bool parse_data(const char *w, struct data *d)
{
	char *end;
	int   n;

	if (*w == '(') {
		d->len = (uint32_t)strtoul(w + 1, &end, 10);
		d->set = d->pattern = true;
		return end[0] == ')' && !end[1];
	}
	if (*w == '"') {
		d->set = true;
		for (w++; *w && *w != '"'; w++) {
			unsigned ch = (unsigned char)*w;

			if (*w == '\\' && w[1]) {
				w++;
				ch = *w == 'n' ? '\n' : *w == 'r' ? '\r' : *w == 't' ? '\t' : (unsigned char)*w;
				if (*w == 'x' && sscanf(w + 1, "%2x", &ch) == 1)
					w += 2;
			}
			if (d->len < sizeof(d->bytes))
				d->bytes[d->len++] = (uint8_t)ch;
		}
		return true;
	}
	if (strncmp(w, "hex=", 4) == 0) {
		n = hexbytes(w + 4, d->bytes, d->any, sizeof(d->bytes));
		d->set = true;
		d->len = (uint32_t)n;
		return n >= 0;
	}
	return false;
}

static bool endpoint(char *s, be32 *addr, uint16_t *port, bool *has_addr, bool *has_port)
{
	char *colon = strchr(s, ':');

	if (!colon && !strchr(s, '.')) {
		*port = (uint16_t)strtoul(s, NULL, 0);
		*has_port = true;
		return true;
	}
	if (colon) {
		*colon = 0;
		*port = (uint16_t)strtoul(colon + 1, NULL, 0);
		*has_port = true;
	}
	*has_addr = true;
	return inet_aton(s, (struct in_addr *)(void *)addr) == 1;
}

static bool parse_tuple(char *w, struct spec *s)
{
	char *gt = strchr(w, '>');

	if (!gt || !isdigit((unsigned char)*w) || !gt[1])
		return false;
	*gt = 0;
	return endpoint(w, &s->saddr, &s->sport, &s->has_tuple_addr, &s->has_tuple_port) &&
	       endpoint(gt + 1, &s->daddr, &s->dport, &s->has_tuple_addr, &s->has_tuple_port);
}

/* ---- the parser --------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; size_t off; } num_attrs[] = {
	{ "type=", offsetof(struct spec, type) }, { "ttl=", offsetof(struct spec, ttl) }, { "tos=", offsetof(struct spec, tos) },
	{ "id=", offsetof(struct spec, id) }, { "off=", offsetof(struct spec, off) }, { "rb=", offsetof(struct spec, rb) },
	{ "ver=", offsetof(struct spec, ver) }, { "ihl=", offsetof(struct spec, ihl) }, { "len=", offsetof(struct spec, len) },
	{ "trunc=", offsetof(struct spec, trunc) }, { "pad=", offsetof(struct spec, pad) }, { "doff=", offsetof(struct spec, doff) },
	{ "ulen=", offsetof(struct spec, ulen) },
};

static bool attribute(const char *w, struct spec *s, bool *ok)
{
	int n;

	*ok = true;
	for (size_t i = 0; i < sizeof(num_attrs) / sizeof(num_attrs[0]); i++) {
		size_t l = strlen(num_attrs[i].name);

		if (strncmp(w, num_attrs[i].name, l) == 0) {
			*ok = number(w + l, (struct num *)(void *)((char *)s + num_attrs[i].off));
			return true;
		}
	}
	if (strncmp(w, "smac=", 5) == 0) {
		s->has_smac = true;
		*ok = parse_mac(w + 5, s->smac);
	} else if (strncmp(w, "dmac=", 5) == 0) {
		s->has_dmac = true;
		*ok = parse_mac(w + 5, s->dmac);
	} else if (strcmp(w, "df") == 0) {
		s->df = true;
	} else if (strcmp(w, "mf") == 0) {
		s->mf = true;
	} else if (strncmp(w, "opts=", 5) == 0) {
		n = hexbytes(w + 5, s->ipopt, NULL, sizeof(s->ipopt));
		*ok = n >= 0;
		s->ipoptlen = (unsigned)(n + 3) & ~3u;
	} else if (strncmp(w, "frag=", 5) == 0) {
		s->has_frag = true;
		*ok = sscanf(w + 5, "%u:%u", &s->frag_off, &s->frag_len) == 2;
	} else if (strcmp(w, "sum=bad") == 0) {
		if (s->kind == K_NONE)
			s->bad_ipsum = true;
		else
			s->bad_sum = true;
	} else if (strcmp(w, "nosum") == 0) {
		s->nosum = true;
	} else if (strcmp(w, "abs=1") == 0) {
		s->absolute = true;
	} else {
		return false;
	}
	return true;
}

static bool parse_tcp_options(struct frame_ctx *c, char *w, struct spec *s)
{
	char *save, *o;

	s->has_opts = true;
	w[strlen(w) - 1] = 0;
	for (o = strtok_r(w + 1, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		char     a[32], b[32], hex[100];
		uint8_t *p = s->opts + s->optlen;
		unsigned v, at = 0;

		while (*o == ' ')
			o++;
		if (s->optlen > 40)
			return fail(c, "too many TCP options");
		if (sscanf(o, "mss %u", &v) == 1) {
			memcpy(p, (uint8_t[]){ 2, 4, (uint8_t)(v >> 8), (uint8_t)v }, 4);
			s->optlen += 4;
		} else if (sscanf(o, "wscale %u", &v) == 1) {
			memcpy(p, (uint8_t[]){ 3, 3, (uint8_t)v }, 3);
			s->optlen += 3;
		} else if (strncmp(o, "sackOK", 6) == 0) {
			memcpy(p, (uint8_t[]){ 4, 2 }, 2);
			s->optlen += 2;
		} else if (strncmp(o, "nop", 3) == 0) {
			*p = 1;
			s->optlen++;
		} else if (strncmp(o, "eol", 3) == 0) {
			*p = 0;
			s->optlen++;
		} else if (sscanf(o, "TS val %31s ecr %31s", a, b) == 2) {
			s->ts_set = true;
			s->ts_ecr_last = strcmp(b, "last") == 0;
			if (!number(a, &s->ts_val) || (!s->ts_ecr_last && !number(b, &s->ts_ecr)))
				return fail(c, "bad TS option: %s", o);
			memcpy(p, (uint8_t[]){ 8, 10 }, 2); /* values are filled in when the flow is known */
			memset(p + 2, 0, 8);
			s->optlen += 10;
		} else if (strncmp(o, "sack ", 5) == 0) {
			int n;

			for (o += 5; s->nsack < 4 && sscanf(o, " %u:%u%n", &s->sack[s->nsack].a, &s->sack[s->nsack].b, &n) == 2; o += n)
				s->nsack++;
			memset(p, 0, 2 + 8 * s->nsack);
			memcpy(p, (uint8_t[]){ 5, (uint8_t)(2 + 8 * s->nsack) }, 2);
			s->optlen += 2 + 8 * s->nsack;
		} else if (sscanf(o, "kind %u %n", &v, (int *)&at) == 1 && at) {
			int n = hexbytes(strncpy(hex, o + at, sizeof(hex) - 1), p + 1, NULL, 40);

			*p = (uint8_t)v;
			if (n < 0)
				return fail(c, "bad option: %s", o);
			s->optlen += 1 + (unsigned)n;
		} else if (strncmp(o, "...", 3) == 0) {
			s->opts_open = true;
		} else {
			return fail(c, "unknown TCP option: %s", o);
		}
	}
	return true;
}

static bool parse_flags(const char *w, struct spec *s)
{
	for (; *w; w++) {
		static const char names[] = "FSRP.UEW";
		const char       *at = strchr(names, *w);

		if (*w == '-')
			continue;
		if (!at)
			return false;
		s->flags |= (uint8_t)(1u << (at - names));
	}
	s->psh_named = s->flags & TCPHDR_PSH;
	return true;
}

static bool parse_seq(const char *w, struct spec *s)
{
	unsigned a, b, n;

	if (sscanf(w, "%u:%u(%u)", &a, &b, &n) == 3 && strchr(w, ')')) {
		if (b - a != n)
			return false;
		if (n)
			s->data = (struct data){ .set = true, .pattern = true, .len = n };
	} else if (strchr(w, ':') || sscanf(w, "%u", &a) != 1) {
		return false;
	}
	s->seq = (struct num){ .set = true, .lo = a, .hi = a };
	return true;
}

static bool code_number(const char *w, uint32_t type, struct num *n)
{
	static const struct { const char *name; uint32_t type, code; } names[] = {
		{ "net", 3, 0 }, { "host", 3, 1 }, { "proto", 3, 2 }, { "port", 3, 3 }, { "frag", 3, 4 }, { "srcroute", 3, 5 }, { "filtered", 3, 13 },
		{ "ttl", 11, 0 }, { "reasm", 11, 1 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(w, names[i].name) == 0 && names[i].type == type) {
			*n = (struct num){ .set = true, .lo = names[i].code, .hi = names[i].code };
			return true;
		}
	return number(w, n);
}

static bool parse_icmp_type(char *w, struct spec *s)
{
	static const struct { const char *name; uint32_t type; } names[] = {
		{ "reply", 0 }, { "unreach", 3 }, { "quench", 4 }, { "redirect", 5 }, { "echo", 8 }, { "exceeded", 11 }, { "param", 12 },
		{ "timestamp", 13 }, { "timestamp-reply", 14 },
	};
	char *slash = strchr(w, '/');

	if (slash)
		*slash = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(w, names[i].name) == 0)
			s->icmp_type = (struct num){ .set = true, .lo = names[i].type, .hi = names[i].type };
	if (!s->icmp_type.set && !number(w, &s->icmp_type))
		return false;
	s->icmp_code = (struct num){ .set = true };
	return !slash || code_number(slash + 1, s->icmp_type.lo, &s->icmp_code);
}

static bool parse_protocol(const char *w, struct spec *s)
{
	static const char *const names[] = { [K_TCP] = "tcp", [K_UDP] = "udp", [K_ICMP] = "icmp", [K_IP] = "ip", [K_ARP] = "arp", [K_RAW] = "raw", [K_ETH] = "eth" };

	for (enum kind k = K_TCP; k <= K_ETH; k++)
		if (strcmp(w, names[k]) == 0) {
			s->kind = k;
			return true;
		}
	return false;
}

/* "name VALUE" */
static bool named_number(const char *w, const char *name, const char **p, struct num *n, bool *ok)
{
	char v[64];

	if (strcmp(w, name) != 0)
		return false;
	*ok = word(p, v, sizeof(v)) && number(v, n);
	return true;
}

static bool parse_arp(struct frame_ctx *c, const char **p, struct spec *s)
{
	char w[256], v[64];

	while (word(p, w, sizeof(w))) {
		if (parse_data(w, &s->data)) {
			s->arp_hex = true;
			continue;
		}
		if (!word(p, v, sizeof(v)))
			return fail(c, "arp: a word is missing after '%s'", w);
		if (strcmp(w, "request") == 0 || strcmp(w, "reply") == 0) {
			s->arp_reply = w[2] == 'p';
			if (!inet_aton(v, (struct in_addr *)(void *)&s->arp_ip))
				return fail(c, "arp: bad address %s", v);
		} else if (strcmp(w, "tell") == 0 || strcmp(w, "to") == 0) {
			s->has_arp_tell = true;
			if (!inet_aton(v, (struct in_addr *)(void *)&s->arp_tell))
				return fail(c, "arp: bad address %s", v);
		} else if (strcmp(w, "is-at") == 0 || strcmp(w, "from") == 0) {
			s->has_arp_mac = parse_mac(v, s->arp_mac);
			if (!s->has_arp_mac)
				return fail(c, "arp: bad MAC %s", v);
		} else {
			return fail(c, "arp: unknown word '%s'", w);
		}
	}
	return true;
}

static bool parse(struct frame_ctx *c, const char *text, struct spec *s)
{
	const char *p = text;
	char        w[9000];
	bool        ok;

	memset(s, 0, offsetof(struct spec, data) + offsetof(struct data, bytes));
	memset(s->data.any, 0, sizeof(s->data.any));
	while (s->kind == K_NONE) {
		if (!word(&p, w, sizeof(w)))
			return fail(c, "no protocol in: %s", text);
		if (attribute(w, s, &ok)) {
			if (!ok)
				return fail(c, "bad attribute '%s' in: %s", w, text);
		} else if (!parse_protocol(w, s)) {
			return fail(c, "unknown word '%s' in: %s", w, text);
		}
	}
	if (s->kind == K_ARP)
		return parse_arp(c, &p, s);
	if (s->kind == K_RAW) {
		int n = hexbytes(p, s->data.bytes, s->data.any, sizeof(s->data.bytes));

		s->data.set = true;
		s->data.len = (uint32_t)n;
		return n >= 0 || fail(c, "bad hex in: %s", text);
	}
	for (bool first = true; word(&p, w, sizeof(w));) {
		char again[9000];

		ok = true;
		if (*w != '<' && *w != '"' && *w != '{' && strchr(w, '>') && !s->has_tuple_addr && !s->has_tuple_port && isdigit((unsigned char)*w)) {
			strcpy(again, w);
			if (!parse_tuple(again, s))
				return fail(c, "bad addresses '%s' in: %s", w, text);
			continue;
		}
		if (first && s->kind == K_TCP) {
			ok = parse_flags(w, s);
		} else if (first && s->kind == K_ICMP) {
			ok = parse_icmp_type(w, s);
		} else if (first && s->kind == K_IP) {
			ok = number(w, &s->proto);
		} else if (attribute(w, s, &ok) || parse_data(w, &s->data) || named_number(w, "ack", &p, &s->ack, &ok) || named_number(w, "win", &p, &s->win, &ok) ||
			   named_number(w, "urg", &p, &s->urg, &ok) || named_number(w, "id", &p, &s->icmp_id, &ok) || named_number(w, "seq", &p, &s->icmp_seq, &ok) ||
			   named_number(w, "mtu", &p, &s->icmp_mtu, &ok) || named_number(w, "ptr", &p, &s->icmp_ptr, &ok)) {
			;
		} else if (*w == '<') {
			if (!parse_tcp_options(c, w, s))
				return false;
		} else if (strcmp(w, "gw") == 0) {
			ok = word(&p, w, sizeof(w)) && inet_aton(w, (struct in_addr *)(void *)&s->icmp_gw);
			s->has_gw = true;
		} else if (strcmp(w, "quote") == 0) {
			ok = word(&p, w, sizeof(w));
			s->has_quote = true;
			s->quote_last = strcmp(w, "last") == 0;
			if (!s->quote_last) {
				ok = ok && *w == '{' && strlen(w) < sizeof(s->quote);
				if (ok) {
					w[strlen(w) - 1] = 0;
					strcpy(s->quote, w + 1);
				}
			}
		} else if (s->kind == K_TCP && !s->seq.set) {
			ok = parse_seq(w, s);
		} else {
			ok = false;
		}
		if (!ok)
			return fail(c, "cannot read '%s' in: %s", w, text);
		first = false;
	}
	return true;
}

/* ---- checksums ---------------------------------------------------------------------------------------------------------- */

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_sum(const uint8_t *ip, uint32_t l4len)
{
	return sum16(ip + 12, 8, 0) + ip[9] + (l4len & 0xffff) + (l4len >> 16);
}

bool frame_sound(const uint8_t *buf, size_t len, char *why, size_t size)
{
	const uint8_t *ip = buf + 14, *l4;
	uint32_t       total, l4len, sum;
	unsigned       hl;

	if (len < 14)
		return snprintf(why, size, "shorter than an Ethernet header"), false;
	if (get_be16(buf + 12) != ETH_P_IP)
		return true;
	if (len < 34 || (hl = (ip[0] & 15u) * 4u) < 20 || (ip[0] >> 4) != 4 || len < 14u + hl)
		return snprintf(why, size, "bad IP header"), false;
	total = get_be16(ip + 2);
	if (total < hl || total > len - 14)
		return snprintf(why, size, "IP total length %u in %zu bytes", total, len - 14), false;
	if (sum16(ip, hl, 0) != 0xffff)
		return snprintf(why, size, "bad IP header checksum"), false;
	if (get_be16(ip + 6) & 0x3fff)
		return true; /* a fragment: its transport checksum is over more than this */
	l4 = ip + hl;
	l4len = total - hl;
	if ((ip[9] == 6 && l4len < 20) || (ip[9] == 17 && l4len < 8) || (ip[9] == 1 && l4len < 8))
		return snprintf(why, size, "cut-off transport header"), false;
	sum = ip[9] == 1 ? sum16(l4, l4len, 0) : sum16(l4, l4len, pseudo_sum(ip, l4len));
	if (ip[9] == 17 && get_be16(l4 + 4) != l4len)
		return snprintf(why, size, "UDP length %u in %u bytes", get_be16(l4 + 4), l4len), false;
	if ((ip[9] == 1 || ip[9] == 6 || (ip[9] == 17 && get_be16(l4 + 6))) && sum != 0xffff)
		return snprintf(why, size, "bad %s checksum", ip[9] == 1 ? "ICMP" : ip[9] == 6 ? "TCP" : "UDP"), false;
	if (ip[9] == 6 && ((l4[12] >> 4) < 5 || (l4[12] >> 4) * 4u > l4len))
		return snprintf(why, size, "bad TCP data offset"), false;
	return true;
}

/* ---- flows ---------------------------------------------------------------------------------------------------------------- */

static struct frame_flow *flow_get(struct frame_ctx *c, be32 paddr, uint16_t pport, be32 laddr, uint16_t lport)
{
	struct frame_flow *f;

	for (unsigned i = 0; i < c->nflows; i++) {
		f = &c->flow[i];
		if (f->paddr == paddr && f->pport == pport && f->laddr == laddr && f->lport == lport)
			return f;
	}
	f = &c->flow[c->nflows < FRAME_FLOWS ? c->nflows++ : FRAME_FLOWS - 1];
	*f = (struct frame_flow){ .paddr = paddr, .pport = pport, .laddr = laddr, .lport = lport };
	return f;
}

/* Addresses and ports of a line: what it leaves open comes from the context. out: it leaves. */
static void complete_tuple(struct frame_ctx *c, unsigned dev, bool out, struct spec *s)
{
	const struct frame_dev *d = &c->dev[dev];

	if (!s->has_tuple_addr) {
		s->saddr = out ? d->local : d->peer;
		s->daddr = out ? d->peer : d->local;
	}
	if (!s->has_tuple_port) {
		s->sport = out ? c->lport : c->pport;
		s->dport = out ? c->pport : c->lport;
	}
}

/* ---- building ----------------------------------------------------------------------------------------------------------------- */

static void put_data(const struct data *d, uint64_t off, uint8_t *to)
{
	if (d->pattern)
		for (uint32_t i = 0; i < d->len; i++)
			to[i] = frame_pattern(off + i);
	else
		memcpy(to, d->bytes, d->len);
}

static uint32_t build_tcp(struct frame_ctx *c, bool out, const struct spec *s, uint8_t *l4)
{
	struct frame_flow *f = out ? flow_get(c, s->daddr, s->dport, s->saddr, s->sport) : flow_get(c, s->saddr, s->sport, s->daddr, s->dport);
	uint32_t  sbase, abase, hl = (20 + s->optlen + 3) & ~3u;
	uint8_t  *o = l4 + 20;

	if (!out && (s->flags & TCPHDR_SYN) && !f->pknown && !s->absolute) {
		f->pknown = true;
		f->pisn = c->peer_isn;
	}
	sbase = s->absolute ? 0 : out ? f->lisn : f->pisn;
	abase = s->absolute ? 0 : out ? f->pisn : f->lisn;
	memset(l4, 0, hl);
	put_be16(l4, s->sport);
	put_be16(l4 + 2, s->dport);
	put_be32(l4 + 4, s->seq.lo + sbase);
	if (s->ack.set)
		put_be32(l4 + 8, s->ack.lo + abase);
	l4[12] = (uint8_t)((s->doff.set ? s->doff.lo : hl / 4) << 4);
	l4[13] = s->flags;
	put_be16(l4 + 14, s->win.set ? (uint16_t)s->win.lo : 65535);
	put_be16(l4 + 18, (uint16_t)s->urg.lo);
	memcpy(o, s->opts, s->optlen);
	for (uint32_t i = 0; i + 1 < s->optlen; i += o[i] < 2 ? 1 : o[i + 1] < 2 ? 40 : o[i + 1]) {
		if (o[i] == 8 && s->ts_set && o[i + 1] == 10) {
			put_be32(o + i + 2, s->ts_val.lo);
			put_be32(o + i + 6, s->ts_ecr_last ? (out ? f->pts : f->lts) : s->ts_ecr.lo);
			if (out)
				f->lts = s->ts_val.lo;
			else
				f->pts = s->ts_val.lo;
		}
		if (o[i] == 5 && s->nsack)
			for (unsigned k = 0; k < s->nsack; k++) {
				put_be32(o + i + 2 + 8 * k, s->sack[k].a + abase);
				put_be32(o + i + 6 + 8 * k, s->sack[k].b + abase);
			}
	}
	put_data(&s->data, (uint64_t)s->seq.lo - 1 + (s->flags & TCPHDR_SYN ? 1 : 0), l4 + hl);
	return hl + s->data.len;
}

static int build_l3(struct frame_ctx *c, unsigned dev, bool out, struct spec *s, uint8_t *ip, size_t size);

static int build_icmp(struct frame_ctx *c, unsigned dev, bool out, const struct spec *s, uint8_t *l4, size_t size)
{
	const struct frame_dev *d = &c->dev[dev];
	uint32_t                len = 8;

	memset(l4, 0, 8);
	l4[0] = (uint8_t)s->icmp_type.lo;
	l4[1] = (uint8_t)s->icmp_code.lo;
	put_be16(l4 + 4, (uint16_t)s->icmp_id.lo);
	put_be16(l4 + 6, (uint16_t)(s->icmp_seq.set ? s->icmp_seq.lo : s->icmp_mtu.lo));
	if (s->icmp_ptr.set)
		l4[4] = (uint8_t)s->icmp_ptr.lo;
	if (s->has_gw)
		memcpy(l4 + 4, &s->icmp_gw, 4);
	if (s->quote_last) {
		const uint8_t *last = out ? d->last_in : d->last_out;
		size_t         n = out ? d->last_in_len : d->last_out_len;

		if (n < 34)
			return fail(c, "quote last: nothing went the other way yet"), -1;
		n -= 14;
		if (n > (last[14] & 15u) * 4u + 8)
			n = (last[14] & 15u) * 4u + 8;
		memcpy(l4 + 8, last + 14, n);
		len += (uint32_t)n;
	} else if (s->has_quote) {
		struct spec *q = malloc(sizeof(*q));
		int          n = -1;

		if (q && parse(c, s->quote, q))
			n = build_l3(c, dev, !out, q, l4 + 8, size - 8);
		free(q);
		if (n < 0)
			return -1;
		if ((uint32_t)n > (l4[8] & 15u) * 4u + 8)
			n = (int)(l4[8] & 15u) * 4 + 8;
		len += (uint32_t)n;
	}
	put_data(&s->data, 0, l4 + len);
	return (int)(len + s->data.len);
}

/* An IP packet: its length, or -1. */
static int build_l3(struct frame_ctx *c, unsigned dev, bool out, struct spec *s, uint8_t *ip, size_t size)
{
	unsigned hl = 20 + s->ipoptlen;
	uint8_t *l4 = ip + hl;
	int      len = 0;
	uint16_t frag;
	uint32_t sum;

	complete_tuple(c, dev, out, s);
	if (hl + s->data.len + 200 > size)
		return fail(c, "too long"), -1;
	memset(ip, 0, hl);
	switch (s->kind) {
	case K_TCP:
		ip[9] = 6;
		break;
	case K_UDP:
		ip[9] = 17;
		break;
	case K_ICMP:
		ip[9] = 1;
		break;
	default:
		ip[9] = (uint8_t)s->proto.lo;
	}
	memcpy(ip + 12, &s->saddr, 4);
	memcpy(ip + 16, &s->daddr, 4);
	memcpy(ip + 20, s->ipopt, s->ipoptlen);
	switch (s->kind) {
	case K_TCP:
		len = (int)build_tcp(c, out, s, l4);
		sum = sum16(l4, (size_t)len, pseudo_sum(ip, (uint32_t)len));
		put_be16(l4 + 16, (uint16_t)(~sum & 0xffff) ^ (s->bad_sum ? 0x5555 : 0));
		break;
	case K_UDP:
		len = 8 + (int)s->data.len;
		memset(l4, 0, 8);
		put_be16(l4, s->sport);
		put_be16(l4 + 2, s->dport);
		put_be16(l4 + 4, (uint16_t)(s->ulen.set ? s->ulen.lo : (uint32_t)len));
		put_data(&s->data, 0, l4 + 8);
		sum = ~sum16(l4, (size_t)len, pseudo_sum(ip, (uint32_t)len)) & 0xffff;
		if (!s->nosum)
			put_be16(l4 + 6, (uint16_t)((sum ? sum : 0xffff) ^ (s->bad_sum ? 0x5555 : 0)));
		break;
	case K_ICMP:
		len = build_icmp(c, dev, out, s, l4, size - hl);
		if (len < 0)
			return -1;
		put_be16(l4 + 2, (uint16_t)(~sum16(l4, (size_t)len, 0) & 0xffff) ^ (s->bad_sum ? 0x5555 : 0));
		break;
	default:
		put_data(&s->data, 0, l4);
		len = (int)s->data.len;
	}
	frag = (uint16_t)((s->off.lo / 8) | (s->mf ? IP_MF : 0) | (s->df ? IP_DF : 0) | (s->rb.lo ? IP_CE : 0));
	if (s->has_frag) {
		if (s->frag_off > (uint32_t)len || s->frag_len > (uint32_t)len - s->frag_off)
			return fail(c, "frag=%u:%u is outside of %d bytes", s->frag_off, s->frag_len, len), -1;
		memmove(l4, l4 + s->frag_off, s->frag_len);
		frag = (uint16_t)((s->frag_off / 8) | (s->frag_off + s->frag_len < (uint32_t)len || s->mf ? IP_MF : 0));
		len = (int)s->frag_len;
	}
	ip[0] = (uint8_t)((s->ver.set ? s->ver.lo : 4) << 4 | (s->ihl.set ? s->ihl.lo : hl / 4));
	ip[1] = (uint8_t)s->tos.lo;
	put_be16(ip + 2, (uint16_t)(s->len.set ? s->len.lo : hl + (uint32_t)len));
	put_be16(ip + 4, (uint16_t)s->id.lo);
	put_be16(ip + 6, frag);
	ip[8] = s->ttl.set ? (uint8_t)s->ttl.lo : 64;
	put_be16(ip + 10, (uint16_t)(~sum16(ip, hl, 0) & 0xffff) ^ (s->bad_ipsum ? 0x5555 : 0));
	return (int)hl + len;
}

static int build_arp(struct frame_ctx *c, unsigned dev, const struct spec *s, uint8_t *a)
{
	const struct frame_dev *d = &c->dev[dev];
	be32                    sip, tip;

	(void)c;
	if (s->arp_hex) {
		put_data(&s->data, 0, a);
		return (int)s->data.len;
	}
	memset(a, 0, 28);
	memcpy(a, (uint8_t[]){ 0, 1, 8, 0, 6, 4, 0, s->arp_reply ? 2 : 1 }, 8);
	memcpy(a + 8, s->has_arp_mac ? s->arp_mac : s->has_smac ? s->smac : d->peer_mac, 6);
	sip = s->arp_reply ? s->arp_ip : s->has_arp_tell ? s->arp_tell : d->peer;
	tip = s->arp_reply ? (s->has_arp_tell ? s->arp_tell : d->local) : s->arp_ip;
	memcpy(a + 14, &sip, 4);
	if (s->arp_reply)
		memcpy(a + 18, d->local_mac, 6);
	memcpy(a + 24, &tip, 4);
	return 28;
}

int frame_build(struct frame_ctx *c, unsigned dev, const char *text, uint8_t *buf, size_t size)
{
	struct frame_dev *d = &c->dev[dev];
	struct spec      *s = malloc(sizeof(*s));
	int               n = -1;

	if (!s || !parse(c, text, s))
		goto out;
	if (s->kind == K_RAW) {
		memcpy(buf, s->data.bytes, s->data.len);
		n = (int)s->data.len;
		goto keep;
	}
	memcpy(buf, s->has_dmac ? s->dmac : s->kind == K_ARP && !s->arp_reply ? (uint8_t[]){ 255, 255, 255, 255, 255, 255 } : d->local_mac, 6);
	memcpy(buf + 6, s->has_smac ? s->smac : s->kind == K_ARP && s->has_arp_mac ? s->arp_mac : d->peer_mac, 6);
	put_be16(buf + 12, s->type.set ? (uint16_t)s->type.lo : s->kind == K_ARP ? ETH_P_ARP : ETH_P_IP);
	if (s->kind == K_ARP) {
		n = build_arp(c, dev, s, buf + 14);
	} else if (s->kind == K_ETH) {
		put_data(&s->data, 0, buf + 14);
		n = (int)s->data.len;
	} else {
		n = build_l3(c, dev, false, s, buf + 14, size - 14);
	}
	if (n < 0)
		goto out;
	n += 14;
keep:
	if (s->pad.set) {
		memset(buf + n, 0, s->pad.lo);
		n += (int)s->pad.lo;
	}
	if (s->trunc.set && s->trunc.lo < (uint32_t)n)
		n = (int)s->trunc.lo;
	d->last_in_len = (size_t)n < sizeof(d->last_in) ? (size_t)n : sizeof(d->last_in);
	memcpy(d->last_in, buf, d->last_in_len);
out:
	free(s);
	return n;
}

/* ---- matching -------------------------------------------------------------------------------------------------------------------- */

#define WANT(cond, ...) \
	do { \
		if (!(cond)) \
			return fail(c, __VA_ARGS__); \
	} while (0)

static bool match_data(struct frame_ctx *c, const struct data *d, uint64_t off, const uint8_t *p, uint32_t len)
{
	WANT(d->len == len, "%u bytes of data, expected %u", len, d->len);
	for (uint32_t i = 0; i < len; i++)
		WANT(d->pattern ? p[i] == frame_pattern(off + i) : d->any[i] || p[i] == d->bytes[i], "data byte %u is 0x%02x, expected 0x%02x", i, p[i],
		     d->pattern ? frame_pattern(off + i) : d->bytes[i]);
	return true;
}

/* Every option of the line must be there, and nothing else unless the list is open. */
static bool match_tcp_options(struct frame_ctx *c, const struct spec *s, const struct frame_flow *f, const uint8_t *o, unsigned len)
{
	unsigned used = 0; /* bits: options of the line that were found */
	unsigned want = 0, n = 0;

	for (unsigned i = 0; i < s->optlen; n++) {
		if (s->opts[i] < 2) {
			i++;
			n--;
			continue;
		}
		want |= 1u << n;
		i += s->opts[i + 1];
	}
	for (unsigned i = 0; i < len && o[i] != 0;) {
		unsigned k = 0;
		bool     found = false;

		if (o[i] == 1) {
			i++;
			continue;
		}
		WANT(i + 1 < len && o[i + 1] >= 2 && i + o[i + 1] <= len, "malformed TCP options");
		for (unsigned j = 0; j < s->optlen && !found;) {
			const uint8_t *w = s->opts + j;

			if (w[0] < 2) {
				j++;
				continue;
			}
			if (w[0] == o[i]) {
				found = true;
				used |= 1u << k;
				if (w[0] == 8 && s->ts_set) {
					WANT(num_ok(&s->ts_val, get_be32(o + i + 2)), "TS val %u", get_be32(o + i + 2));
					WANT(s->ts_ecr_last ? get_be32(o + i + 6) == f->pts : num_ok(&s->ts_ecr, get_be32(o + i + 6)), "TS ecr %u", get_be32(o + i + 6));
				} else if (w[0] == 5) {
					WANT(o[i + 1] == w[1], "%u SACK blocks", (o[i + 1] - 2u) / 8);
					for (unsigned b = 0; b < s->nsack; b++)
						WANT(get_be32(o + i + 2 + 8 * b) - f->pisn == s->sack[b].a && get_be32(o + i + 6 + 8 * b) - f->pisn == s->sack[b].b,
						     "SACK block %u is %u:%u", b, get_be32(o + i + 2 + 8 * b) - f->pisn, get_be32(o + i + 6 + 8 * b) - f->pisn);
				} else {
					WANT(o[i + 1] == w[1] && memcmp(o + i, w, w[1]) == 0, "TCP option %u differs", o[i]);
				}
			}
			j += w[1];
			k++;
		}
		WANT(found || s->opts_open, "TCP option %u was not expected", o[i]);
		i += o[i + 1];
	}
	WANT((used & want) == want, "a TCP option is missing");
	return true;
}

/* Remembers what an outgoing segment teaches: our ISN, our timestamp, our port. */
static struct frame_flow *learn_out(struct frame_ctx *c, unsigned dev, const uint8_t *ip, const uint8_t *l4, uint32_t l4len)
{
	struct frame_flow *f;
	be32               src, dst;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (!c->lport && src == c->dev[dev].local)
		c->lport = get_be16(l4);
	if (ip[9] != 6)
		return NULL;
	f = flow_get(c, dst, get_be16(l4 + 2), src, get_be16(l4));
	if (l4[13] & TCPHDR_SYN) {
		f->lisn = get_be32(l4 + 4);
		f->lknown = true;
		if (!(l4[13] & TCPHDR_ACK))
			f->pknown = false; /* a new connection on old ports: the peer's SYN comes again */
	}
	for (unsigned i = 20, end = (l4[12] >> 4) * 4u; end <= l4len && i + 1 < end && l4[i];) {
		if (l4[i] == 8 && l4[i + 1] == 10 && i + 10 <= end)
			f->lts = get_be32(l4 + i + 2);
		i += l4[i] == 1 ? 1u : l4[i + 1] < 2 ? 40u : l4[i + 1];
	}
	return f;
}

static bool match_tcp(struct frame_ctx *c, const struct spec *s, struct frame_flow *f, const uint8_t *l4, uint32_t len)
{
	uint32_t hl = (l4[12] >> 4) * 4u, rel = get_be32(l4 + 4) - (s->absolute ? 0 : f->lisn), mask = s->psh_named ? 0xff : 0xff & ~TCPHDR_PSH;

	WANT((l4[13] & mask) == (s->flags & mask), "flags differ");
	WANT(num_ok(&s->seq, rel), "seq is %u, expected %u", rel, s->seq.lo);
	WANT(num_ok(&s->ack, get_be32(l4 + 8) - (s->absolute ? 0 : f->pisn)), "ack is %u, expected %u", get_be32(l4 + 8) - (s->absolute ? 0 : f->pisn), s->ack.lo);
	WANT(num_ok(&s->win, get_be16(l4 + 14)), "win is %u, expected %u..%u", get_be16(l4 + 14), s->win.lo, s->win.hi);
	WANT(num_ok(&s->urg, get_be16(l4 + 18)), "urg is %u, expected %u", get_be16(l4 + 18), s->urg.lo);
	if (s->has_opts && !match_tcp_options(c, s, f, l4 + 20, hl - 20))
		return false;
	return match_data(c, &s->data, (uint64_t)rel - 1 + (l4[13] & TCPHDR_SYN ? 1 : 0), l4 + hl, len - hl);
}

static bool match_icmp(struct frame_ctx *c, unsigned dev, const struct spec *s, const uint8_t *l4, uint32_t len)
{
	const struct frame_dev *d = &c->dev[dev];

	WANT(num_ok(&s->icmp_type, l4[0]) && num_ok(&s->icmp_code, l4[1]), "type %u code %u, expected %u/%u", l4[0], l4[1], s->icmp_type.lo, s->icmp_code.lo);
	WANT(num_ok(&s->icmp_id, get_be16(l4 + 4)), "id is %u, expected %u", get_be16(l4 + 4), s->icmp_id.lo);
	WANT(num_ok(&s->icmp_seq, get_be16(l4 + 6)), "seq is %u, expected %u", get_be16(l4 + 6), s->icmp_seq.lo);
	WANT(num_ok(&s->icmp_mtu, get_be16(l4 + 6)), "mtu is %u, expected %u", get_be16(l4 + 6), s->icmp_mtu.lo);
	WANT(num_ok(&s->icmp_ptr, l4[4]), "pointer is %u, expected %u", l4[4], s->icmp_ptr.lo);
	WANT(!s->has_gw || memcmp(l4 + 4, &s->icmp_gw, 4) == 0, "gateway differs");
	if (s->has_quote) {
		const uint8_t *q = l4 + 8, *last = d->last_in + 14;
		uint32_t       qlen = len - 8, hl = (last[0] & 15u) * 4u;

		WANT(s->quote_last, "only 'quote last' may be expected");
		/* the last frame in may have come by another device */
		for (unsigned i = 0; i < FRAME_DEVS; i++)
			if (c->dev[i].last_in_len >= 34 && qlen >= 20 && memcmp(q + 12, c->dev[i].last_in + 14 + 12, 8) == 0)
				last = c->dev[i].last_in + 14;
		WANT(qlen >= 28, "only %u bytes of the packet are quoted", qlen);
		/* time to live and checksum may have been changed on the way, options too */
		WANT(q[0] == last[0] && memcmp(q + 2, last + 2, 6) == 0 && q[9] == last[9] && memcmp(q + 12, last + 12, 8) == 0, "another IP header is quoted");
		WANT(memcmp(q + hl, last + hl, 8) == 0, "the eight bytes behind the quoted IP header differ");
		return true;
	}
	return !s->data.set || match_data(c, &s->data, 0, l4 + 8, len - 8);
}

static bool match_arp(struct frame_ctx *c, unsigned dev, const struct spec *s, const uint8_t *buf, size_t len)
{
	const struct frame_dev *d = &c->dev[dev];
	const uint8_t          *a = buf + 14;
	static const uint8_t    bcast[6] = { 255, 255, 255, 255, 255, 255 };

	WANT(get_be16(buf + 12) == ETH_P_ARP && len >= 42, "not an ARP packet");
	if (s->arp_hex)
		return match_data(c, &s->data, 0, a, 28);
	WANT(memcmp(a, (uint8_t[]){ 0, 1, 8, 0, 6, 4, 0 }, 7) == 0, "malformed ARP");
	WANT(a[7] == (s->arp_reply ? 2 : 1), "ARP operation %u", a[7]);
	WANT(memcmp(a + 8, s->has_arp_mac ? s->arp_mac : d->local_mac, 6) == 0, "ARP sender MAC differs");
	WANT(memcmp(a + 14, s->arp_reply ? &s->arp_ip : s->has_arp_tell ? &s->arp_tell : &d->local, 4) == 0, "ARP sender address differs");
	if (!s->arp_reply)
		WANT(memcmp(a + 24, &s->arp_ip, 4) == 0, "ARP target address differs");
	else if (s->has_arp_tell)
		WANT(memcmp(a + 24, &s->arp_tell, 4) == 0, "ARP target address differs");
	if (s->has_dmac)
		WANT(memcmp(buf, s->dmac, 6) == 0, "destination MAC differs");
	else if (!s->arp_reply)
		WANT(memcmp(buf, bcast, 6) == 0, "an ARP request that is not broadcast (say dmac= if it should not be)");
	else
		WANT(memcmp(buf, d->peer_mac, 6) == 0, "the ARP reply went to another MAC");
	return true;
}

static bool match_ip(struct frame_ctx *c, unsigned dev, struct spec *s, const uint8_t *buf, size_t len)
{
	const uint8_t     *ip = buf + 14, *l4;
	uint32_t           hl, l4len;
	uint16_t           frag;
	struct frame_flow *f = NULL;
	char               why[128];
	static const uint8_t protos[] = { [K_TCP] = 6, [K_UDP] = 17, [K_ICMP] = 1 };

	WANT(get_be16(buf + 12) == ETH_P_IP, "EtherType 0x%04x", get_be16(buf + 12));
	WANT(frame_sound(buf, len, why, sizeof(why)), "%s", why);
	hl = (ip[0] & 15u) * 4u;
	l4 = ip + hl;
	l4len = get_be16(ip + 2) - hl;
	frag = get_be16(ip + 6);
	WANT(ip[9] == (s->kind == K_IP ? s->proto.lo : protos[s->kind]), "IP protocol %u", ip[9]);
	WANT(num_ok(&s->ttl, ip[8]), "ttl is %u, expected %u", ip[8], s->ttl.lo);
	WANT(num_ok(&s->tos, ip[1]), "tos is %u, expected %u", ip[1], s->tos.lo);
	WANT(num_ok(&s->id, get_be16(ip + 4)), "id is %u, expected %u", get_be16(ip + 4), s->id.lo);
	WANT(!s->df || (frag & IP_DF), "DF is not set");
	WANT(num_ok(&s->len, get_be16(ip + 2)), "total length is %u, expected %u", get_be16(ip + 2), s->len.lo);
	WANT(!s->ipoptlen || (hl == 20 + s->ipoptlen && memcmp(ip + 20, s->ipopt, s->ipoptlen) == 0), "IP options differ");
	if (!(frag & IP_OFFSET) && l4len >= 8)
		f = learn_out(c, dev, ip, l4, l4len);
	complete_tuple(c, dev, true, s);
	WANT(memcmp(ip + 12, &s->saddr, 4) == 0, "source address differs");
	WANT(memcmp(ip + 16, &s->daddr, 4) == 0, "destination address differs");
	WANT(!(s->rb.set && s->rb.lo) || (frag & IP_CE), "reserved bit");
	if (s->has_frag || s->off.set || s->mf) {
		/* build the datagram that it should be a part of, and compare bytes */
		uint8_t *whole = malloc(FRAME_MAX);
		int      n;

		if (!whole)
			abort();
		n = build_l3(c, dev, true, s, whole, FRAME_MAX);
		if (n < 0 || get_be16(whole + 6) != (frag & (IP_MF | IP_OFFSET)) || n - (20 + (int)s->ipoptlen) != (int)l4len ||
		    memcmp(whole + 20 + s->ipoptlen, l4, l4len) != 0) {
			free(whole);
			WANT(n >= 0, "cannot build what is expected");
			return fail(c, "the fragment at %u (%u bytes, mf %d) differs", (frag & IP_OFFSET) * 8u, l4len, !!(frag & IP_MF));
		}
		free(whole);
		return true;
	}
	WANT(!(frag & (IP_MF | IP_OFFSET)), "a fragment");
	if (s->kind == K_TCP || s->kind == K_UDP)
		WANT(get_be16(l4) == s->sport && get_be16(l4 + 2) == s->dport, "ports are %u>%u, expected %u>%u", get_be16(l4), get_be16(l4 + 2), s->sport, s->dport);
	switch (s->kind) {
	case K_TCP:
		return match_tcp(c, s, f, l4, l4len);
	case K_UDP:
		WANT(!s->nosum || get_be16(l4 + 6) == 0, "there is a checksum");
		return match_data(c, &s->data, 0, l4 + 8, l4len - 8);
	case K_ICMP:
		return match_icmp(c, dev, s, l4, l4len);
	default:
		return !s->data.set || match_data(c, &s->data, 0, l4, l4len);
	}
}

bool frame_match(struct frame_ctx *c, unsigned dev, const char *text, const uint8_t *buf, size_t len)
{
	struct frame_dev *d = &c->dev[dev];
	struct spec      *s = malloc(sizeof(*s));
	bool              ok = false;

	d->last_out_len = len < sizeof(d->last_out) ? len : sizeof(d->last_out);
	memcpy(d->last_out, buf, d->last_out_len);
	if (!s || !parse(c, text, s))
		goto out;
	if (len < 14) {
		fail(c, "shorter than an Ethernet header");
		goto out;
	}
	if (s->kind == K_RAW) {
		ok = match_data(c, &s->data, 0, buf, (uint32_t)len);
		goto out;
	}
	if (memcmp(buf + 6, s->has_smac ? s->smac : d->local_mac, 6) != 0) {
		fail(c, "source MAC differs");
		goto out;
	}
	if (s->kind == K_ARP) {
		ok = match_arp(c, dev, s, buf, len);
		goto out;
	}
	if (memcmp(buf, s->has_dmac ? s->dmac : d->peer_mac, 6) != 0) {
		fail(c, "destination MAC differs: %02x:%02x:%02x:%02x:%02x:%02x", buf[0], buf[1], buf[2], buf[3], buf[4], buf[5]);
		goto out;
	}
	if (s->kind == K_ETH)
		ok = (num_ok(&s->type, get_be16(buf + 12)) && match_data(c, &s->data, 0, buf + 14, (uint32_t)len - 14)) || fail(c, "EtherType or payload differs");
	else
		ok = match_ip(c, dev, s, buf, len);
out:
	free(s);
	return ok;
}

/* ---- describing --------------------------------------------------------------------------------------------------------------------- */

struct out {
	char  *p;
	size_t left;
};
static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(o->p, o->left, fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t take = (size_t)n < o->left ? (size_t)n : o->left ? o->left - 1 : 0;
		o->p += take;
		o->left -= take;
	}
}

static void describe_tcp(struct frame_ctx *c, bool out, const uint8_t *ip, const uint8_t *l4, uint32_t len, struct out *o)
{
	static const char  names[] = "FSRP.UEW";
	be32               src, dst;
	struct frame_flow *f;
	uint32_t           hl = (l4[12] >> 4) * 4u, seq, n;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	f = out ? flow_get(c, dst, get_be16(l4 + 2), src, get_be16(l4)) : flow_get(c, src, get_be16(l4), dst, get_be16(l4 + 2));
	if (out && (l4[13] & TCPHDR_SYN))
		f->lisn = get_be32(l4 + 4), f->lknown = true;
	if (hl < 20 || hl > len)
		hl = 20;
	seq = get_be32(l4 + 4) - (out ? f->lisn : f->pisn);
	n = len - hl;
	put(o, "tcp %u>%u ", get_be16(l4), get_be16(l4 + 2));
	for (int i = 0; i < 8; i++)
		if (l4[13] & (1 << i))
			put(o, "%c", names[i]);
	put(o, "%s %u:%u(%u)", l4[13] ? "" : "-", seq, seq + n, n);
	if (l4[13] & TCPHDR_ACK)
		put(o, " ack %u", get_be32(l4 + 8) - (out ? f->pisn : f->lisn));
	put(o, " win %u", get_be16(l4 + 14));
	if (l4[13] & TCPHDR_URG)
		put(o, " urg %u", get_be16(l4 + 18));
	if (hl > 20) {
		const char *sep = " <";

		for (uint32_t i = 20; i < hl && l4[i];) {
			uint32_t ol = l4[i] == 1 ? 1 : i + 1 < hl ? l4[i + 1] : 0;

			if (ol == 0 || i + ol > hl)
				break;
			if (l4[i] == 2 && ol == 4)
				put(o, "%smss %u", sep, get_be16(l4 + i + 2));
			else if (l4[i] == 3 && ol == 3)
				put(o, "%swscale %u", sep, l4[i + 2]);
			else if (l4[i] == 4 && ol == 2)
				put(o, "%ssackOK", sep);
			else if (l4[i] == 8 && ol == 10)
				put(o, "%sTS val %u ecr %u", sep, get_be32(l4 + i + 2), get_be32(l4 + i + 6));
			else if (l4[i] == 5) {
				put(o, "%ssack", sep);
				for (uint32_t k = 2; k + 8 <= ol; k += 8)
					put(o, " %u:%u", get_be32(l4 + i + k) - (out ? f->pisn : f->lisn), get_be32(l4 + i + k + 4) - (out ? f->pisn : f->lisn));
			} else if (l4[i] != 1)
				put(o, "%skind %u", sep, l4[i]);
			if (l4[i] != 1)
				sep = ",";
			i += ol;
		}
		put(o, ">");
	}
}

void frame_describe(struct frame_ctx *c, unsigned dev, bool out, const uint8_t *buf, size_t len, char *text, size_t size)
{
	struct out     o = { text, size };
	const uint8_t *ip = buf + 14, *l4;
	char           a[16], b[16], why[128];
	uint32_t       hl, l4len;
	uint16_t       frag;

	(void)dev;
	*text = 0;
	if (len >= 42 && get_be16(buf + 12) == ETH_P_ARP) {
		inet_ntop(AF_INET, ip + 14, a, sizeof(a));
		inet_ntop(AF_INET, ip + 24, b, sizeof(b));
		if (ip[7] == 1)
			put(&o, "arp request %s tell %s", b, a);
		else
			put(&o, "arp reply %s is-at %02x:%02x:%02x:%02x:%02x:%02x to %s", a, ip[8], ip[9], ip[10], ip[11], ip[12], ip[13], b);
		return;
	}
	if (len < 34 || get_be16(buf + 12) != ETH_P_IP || (ip[0] & 15) < 5 || len < 14 + (ip[0] & 15u) * 4u + 8) {
		put(&o, "raw ");
		for (size_t i = 0; i < len && i < 64; i++)
			put(&o, "%02x", buf[i]);
		return;
	}
	hl = (ip[0] & 15u) * 4u;
	l4 = ip + hl;
	l4len = (uint32_t)(len - 14 - hl);
	if (get_be16(ip + 2) >= hl && get_be16(ip + 2) - hl < l4len)
		l4len = get_be16(ip + 2) - hl;
	frag = get_be16(ip + 6);
	inet_ntop(AF_INET, ip + 12, a, sizeof(a));
	inet_ntop(AF_INET, ip + 16, b, sizeof(b));
	put(&o, "ttl=%u id=%u %s", ip[8], get_be16(ip + 4), frag & IP_DF ? "df " : "");
	if (frag & (IP_MF | IP_OFFSET))
		put(&o, "off=%u%s (%u) proto %u", (frag & IP_OFFSET) * 8u, frag & IP_MF ? " mf" : "", l4len, ip[9]);
	else if (ip[9] == 6 && l4len >= 20)
		describe_tcp(c, out, ip, l4, l4len, &o);
	else if (ip[9] == 17)
		put(&o, "udp %u>%u (%u)", get_be16(l4), get_be16(l4 + 2), l4len - 8);
	else if (ip[9] == 1)
		put(&o, "icmp %u/%u id %u seq %u (%u)", l4[0], l4[1], get_be16(l4 + 4), get_be16(l4 + 6), l4len - 8);
	else
		put(&o, "ip %u (%u)", ip[9], l4len);
	put(&o, " [%s>%s]", a, b);
	if (!frame_sound(buf, len, why, sizeof(why)))
		put(&o, " (%s)", why);
}
