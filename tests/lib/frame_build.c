/* SPDX-License-Identifier: MIT */
/*
 * frame_build.c: from a struct spec to bytes; and whether bytes are sound. The checksum here is the plain loop of RFC 1071, on purpose not the library's.
 */
#include "frame_priv.h"
#include <stdio.h>
#include <stdlib.h>

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

struct frame_flow *frame_flow_get(struct frame_ctx *c, be32 paddr, uint16_t pport, be32 laddr, uint16_t lport)
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
void frame_complete_tuple(struct frame_ctx *c, unsigned dev, bool out, struct spec *s)
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
	struct frame_flow *f = out ? frame_flow_get(c, s->daddr, s->dport, s->saddr, s->sport) : frame_flow_get(c, s->saddr, s->sport, s->daddr, s->dport);
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
			return frame_fail(c, "quote last: nothing went the other way yet"), -1;
		n -= 14;
		if (n > (last[14] & 15u) * 4u + 8)
			n = (last[14] & 15u) * 4u + 8;
		memcpy(l4 + 8, last + 14, n);
		len += (uint32_t)n;
	} else if (s->has_quote) {
		struct spec *q = malloc(sizeof(*q));
		int          n = -1;

		if (q && frame_parse(c, s->quote, q))
			n = frame_build_l3(c, dev, !out, q, l4 + 8, size - 8);
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
int frame_build_l3(struct frame_ctx *c, unsigned dev, bool out, struct spec *s, uint8_t *ip, size_t size)
{
	unsigned hl = 20 + s->ipoptlen;
	uint8_t *l4 = ip + hl;
	int      len = 0;
	uint16_t frag;
	uint32_t sum;

	frame_complete_tuple(c, dev, out, s);
	if (hl + s->data.len + 200 > size)
		return frame_fail(c, "too long"), -1;
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
			return frame_fail(c, "frag=%u:%u is outside of %d bytes", s->frag_off, s->frag_len, len), -1;
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

	if (!s || !frame_parse(c, text, s))
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
		n = frame_build_l3(c, dev, false, s, buf + 14, size - 14);
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
