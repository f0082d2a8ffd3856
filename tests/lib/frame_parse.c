/* SPDX-License-Identifier: MIT */
/*
 * frame_parse.c: from a line of frame.h to a struct spec.
 */
#include "frame_priv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

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
			return frame_fail(c, "too many TCP options");
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
				return frame_fail(c, "bad TS option: %s", o);
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
				return frame_fail(c, "bad option: %s", o);
			s->optlen += 1 + (unsigned)n;
		} else if (strncmp(o, "...", 3) == 0) {
			s->opts_open = true;
		} else {
			return frame_fail(c, "unknown TCP option: %s", o);
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
			return frame_fail(c, "arp: a word is missing after '%s'", w);
		if (strcmp(w, "request") == 0 || strcmp(w, "reply") == 0) {
			s->arp_reply = w[2] == 'p';
			if (!inet_aton(v, (struct in_addr *)(void *)&s->arp_ip))
				return frame_fail(c, "arp: bad address %s", v);
		} else if (strcmp(w, "tell") == 0 || strcmp(w, "to") == 0) {
			s->has_arp_tell = true;
			if (!inet_aton(v, (struct in_addr *)(void *)&s->arp_tell))
				return frame_fail(c, "arp: bad address %s", v);
		} else if (strcmp(w, "is-at") == 0 || strcmp(w, "from") == 0) {
			s->has_arp_mac = parse_mac(v, s->arp_mac);
			if (!s->has_arp_mac)
				return frame_fail(c, "arp: bad MAC %s", v);
		} else {
			return frame_fail(c, "arp: unknown word '%s'", w);
		}
	}
	return true;
}

bool frame_parse(struct frame_ctx *c, const char *text, struct spec *s)
{
	const char *p = text;
	char        w[9000];
	bool        ok;

	memset(s, 0, offsetof(struct spec, data) + offsetof(struct data, bytes));
	memset(s->data.any, 0, sizeof(s->data.any));
	while (s->kind == K_NONE) {
		if (!word(&p, w, sizeof(w)))
			return frame_fail(c, "no protocol in: %s", text);
		if (attribute(w, s, &ok)) {
			if (!ok)
				return frame_fail(c, "bad attribute '%s' in: %s", w, text);
		} else if (!parse_protocol(w, s)) {
			return frame_fail(c, "unknown word '%s' in: %s", w, text);
		}
	}
	if (s->kind == K_ARP)
		return parse_arp(c, &p, s);
	if (s->kind == K_RAW) {
		int n = hexbytes(p, s->data.bytes, s->data.any, sizeof(s->data.bytes));

		s->data.set = true;
		s->data.len = (uint32_t)n;
		return n >= 0 || frame_fail(c, "bad hex in: %s", text);
	}
	for (bool first = true; word(&p, w, sizeof(w));) {
		char again[9000];

		ok = true;
		if (*w != '<' && *w != '"' && *w != '{' && strchr(w, '>') && !s->has_tuple_addr && !s->has_tuple_port && isdigit((unsigned char)*w)) {
			strcpy(again, w);
			if (!parse_tuple(again, s))
				return frame_fail(c, "bad addresses '%s' in: %s", w, text);
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
			return frame_fail(c, "cannot read '%s' in: %s", w, text);
		first = false;
	}
	return true;
}
