/* SPDX-License-Identifier: MIT */
/*
 * frame.c: see frame.h. Matching compares what a line names; describing turns bytes into such a line.
 */
#include "frame_priv.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool frame_fail(struct frame_ctx *c, const char *fmt, ...)
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

/* ---- matching -------------------------------------------------------------------------------------------------------------------- */

#define WANT(cond, ...) \
	do { \
		if (!(cond)) \
			return frame_fail(c, __VA_ARGS__); \
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
	f = frame_flow_get(c, dst, get_be16(l4 + 2), src, get_be16(l4));
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
	frame_complete_tuple(c, dev, true, s);
	WANT(memcmp(ip + 12, &s->saddr, 4) == 0, "source address differs");
	WANT(memcmp(ip + 16, &s->daddr, 4) == 0, "destination address differs");
	WANT(!(s->rb.set && s->rb.lo) || (frag & IP_CE), "reserved bit");
	if (s->has_frag || s->off.set || s->mf) {
		/* build the datagram that it should be a part of, and compare bytes */
		uint8_t *whole = malloc(FRAME_MAX);
		int      n;

		if (!whole)
			abort();
		n = frame_build_l3(c, dev, true, s, whole, FRAME_MAX);
		if (n < 0 || get_be16(whole + 6) != (frag & (IP_MF | IP_OFFSET)) || n - (20 + (int)s->ipoptlen) != (int)l4len ||
		    memcmp(whole + 20 + s->ipoptlen, l4, l4len) != 0) {
			free(whole);
			WANT(n >= 0, "cannot build what is expected");
			return frame_fail(c, "the fragment at %u (%u bytes, mf %d) differs", (frag & IP_OFFSET) * 8u, l4len, !!(frag & IP_MF));
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
	if (!s || !frame_parse(c, text, s))
		goto out;
	if (len < 14) {
		frame_fail(c, "shorter than an Ethernet header");
		goto out;
	}
	if (s->kind == K_RAW) {
		ok = match_data(c, &s->data, 0, buf, (uint32_t)len);
		goto out;
	}
	if (memcmp(buf + 6, s->has_smac ? s->smac : d->local_mac, 6) != 0) {
		frame_fail(c, "source MAC differs");
		goto out;
	}
	if (s->kind == K_ARP) {
		ok = match_arp(c, dev, s, buf, len);
		goto out;
	}
	if (memcmp(buf, s->has_dmac ? s->dmac : d->peer_mac, 6) != 0) {
		frame_fail(c, "destination MAC differs: %02x:%02x:%02x:%02x:%02x:%02x", buf[0], buf[1], buf[2], buf[3], buf[4], buf[5]);
		goto out;
	}
	if (s->kind == K_ETH)
		ok = (num_ok(&s->type, get_be16(buf + 12)) && match_data(c, &s->data, 0, buf + 14, (uint32_t)len - 14)) || frame_fail(c, "EtherType or payload differs");
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
	f = out ? frame_flow_get(c, dst, get_be16(l4 + 2), src, get_be16(l4)) : frame_flow_get(c, src, get_be16(l4), dst, get_be16(l4 + 2));
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
