/* SPDX-License-Identifier: MIT */
/*
 * ip_options.c: the options of an IPv4 header.
 *
 * Theory of operation. ip_options_compile is the only place that walks options of unknown quality: it checks every length and pointer against the header and
 * notes where the ones that we act on stand (IPCB(skb)->opt). The other functions trust these offsets, which hold as long as nobody moves options.
 * Each option that we act on may stand there once. Unknown options are skipped by their length (RFC 1122 3.2.1.8).
 *
 * Record route and timestamp are filled in by whoever forwards a packet, and by the host that answers an echo request. Source routes are followed only where
 * accept_source_route permits (ip_input.c asks); the address that is used up is replaced by that of the interface it leaves by.
 *
 * RFC 791 3.1, RFC 781 (timestamp), RFC 1122 3.2.1.8, RFC 1812 4.2.2.1 and 5.3.13, RFC 2113 (router alert), RFC 7126 (what else may come is ignored).
 * Not done here: security options; stream identifiers.
 */
#include "bug.h"
#include "checksum.h"
#include "ip.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>

#define OPT_END   0
#define OPT_NOOP  1
#define OPT_RR    7
#define OPT_TS    68
#define OPT_LSRR  131
#define OPT_SSRR  137
#define OPT_RA    148
#define OPT_COPIED 0x80 /* goes into every fragment */

enum { TS_TSONLY = 0, TS_TSANDADDR = 1, TS_PRESPEC = 3 };

static inline struct ip_hdr *ip_hdr_of(const struct sk_buff *skb)
{
	return (struct ip_hdr *)(void *)skb_network_header(skb);
}

/* ---- parsing ------------------------------------------------------------------------------------------------------------- */

/* Each returns the offset of the culprit within the option, or -1. len: of the option, at least 2. */
static int parse_source_route(struct ip_options_parsed *o, const uint8_t *p, unsigned off, unsigned len)
{
	if (len < 3)
		return 1;
	if (p[2] < 4)
		return 2;
	if (o->srr)
		return 0;
	o->srr = (uint8_t)off;
	o->is_strict = p[0] == OPT_SSRR;
	return -1;
}

static int parse_record_route(struct ip_options_parsed *o, const uint8_t *p, unsigned off, unsigned len)
{
	if (o->rr)
		return 0;
	if (len < 3)
		return 1;
	if (p[2] < 4)
		return 2;
	if (p[2] <= len) {
		if (p[2] + 3u > len)
			return 2;
		o->rr_needaddr = true;
	}
	o->rr = (uint8_t)off;
	return -1;
}

static int parse_timestamp(const struct stack *stack, struct ip_options_parsed *o, const uint8_t *p, unsigned off, unsigned len)
{
	unsigned flag, need;

	if (o->ts)
		return 0;
	if (len < 4)
		return 1;
	if (p[2] < 5)
		return 2;
	flag = p[3] & 15;
	if (flag != TS_TSONLY && flag != TS_TSANDADDR && flag != TS_PRESPEC)
		return 3;
	need = flag == TS_TSONLY ? 4 : 8;
	if (p[2] <= len) {
		if (p[2] + need - 1 > len)
			return 2;
		if (flag == TS_PRESPEC) {
			struct ipaddr addr = IPADDR_NONE;

			addr.family = 2;
			memcpy(&addr.v4, p + p[2] - 1, 4);
			if (inet_addr_type(stack->snap, &addr) == RTN_LOCAL)
				o->ts_needtime = true;
		} else {
			o->ts_needtime = true;
			o->ts_needaddr = flag == TS_TSANDADDR;
		}
	} else if (p[3] >> 4 == 15) {
		return 3; /* more hops than can be counted as missing */
	}
	o->ts = (uint8_t)off;
	return -1;
}

int ip_options_compile(struct stack *stack, struct sk_buff *skb, unsigned *bad)
{
	const uint8_t *h = skb_network_header(skb);
	unsigned hlen = ip_hdrlen((const struct ip_hdr *)(const void *)h), off = IPV4_HLEN, len;
	struct ip_options_parsed *o = &IPCB(skb)->opt;
	int culprit = -1;

	memset(o, 0, sizeof(*o));
	o->optlen = (uint8_t)(hlen - IPV4_HLEN);
	for (; off < hlen; off += len) {
		const uint8_t *p = h + off;

		if (*p == OPT_END)
			break;
		if (*p == OPT_NOOP) {
			len = 1;
			continue;
		}
		len = off + 1 < hlen ? p[1] : 0;
		if (len < 2 || len > hlen - off) {
			*bad = off + (off + 1 < hlen);
			return -EINVAL;
		}
		switch (*p) {
		case OPT_LSRR:
		case OPT_SSRR:
			culprit = parse_source_route(o, p, off, len);
			break;
		case OPT_RR:
			culprit = parse_record_route(o, p, off, len);
			break;
		case OPT_TS:
			culprit = parse_timestamp(stack, o, p, off, len);
			break;
		case OPT_RA:
			if (len < 4)
				culprit = 1;
			else if (!p[2] && !p[3])
				o->router_alert = (uint8_t)off;
			break;
		default:
			break;
		}
		if (culprit >= 0) {
			*bad = off + (unsigned)culprit;
			return -EINVAL;
		}
	}
	return 0;
}

/* ---- filling in ------------------------------------------------------------------------------------------------------------ */

/* RFC 792: milliseconds since midnight UT. */
static uint32_t ip_timestamp(const struct stack *stack)
{
	return (uint32_t)(((uint64_t)stack->now + stack->params.wall_offset_ns) / (uint64_t)NSEC_PER_MSEC % 86400000u);
}

/* Our address at the option's pointer, which moves on. */
static void put_addr(uint8_t *opt, be32 addr)
{
	memcpy(opt + opt[2] - 1, &addr, 4);
	opt[2] += 4;
}

static void fill_timestamp(const struct stack *stack, const struct ip_options_parsed *o, uint8_t *ts, be32 addr)
{
	if (ts[2] > ts[1]) {
		ts[3] = (uint8_t)(ts[3] + 0x10); /* one more that found no room */
		return;
	}
	if (!o->ts_needtime)
		return;
	if (o->ts_needaddr)
		put_addr(ts, addr);
	else if ((ts[3] & 15) == TS_PRESPEC)
		ts[2] += 4;
	put_be32(ts + ts[2] - 1, ip_timestamp(stack));
	ts[2] += 4;
}

/* The address under which we send by skb's way. */
static be32 out_address(const struct stack *stack, const struct sk_buff *skb)
{
	return inet_select_addr(stack->snap, skb->rt.dev->ifindex, &skb->rt.nexthop, RT_SCOPE_UNIVERSE).v4;
}

void ip_options_forward(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_options_parsed *o = &IPCB(skb)->opt;
	struct ip_hdr *iph = ip_hdr_of(skb);
	uint8_t *h = (uint8_t *)iph;
	be32 addr = out_address(stack, skb);

	if (!(o->rr_needaddr || o->ts || o->changed))
		return;
	if (o->rr_needaddr)
		put_addr(h + o->rr, addr);
	if (o->srr && o->changed) /* the slot that was used up, in front of the pointer */
		memcpy(h + o->srr + h[o->srr + 2] - 5, &addr, 4);
	if (o->ts)
		fill_timestamp(stack, o, h + o->ts, addr);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, ip_hdrlen(iph) / 4);
}

enum skb_drop_reason ip_options_source_route(struct stack *stack, struct sk_buff *skb)
{
	struct ip_options_parsed *o = &IPCB(skb)->opt;
	enum skb_drop_reason reason;
	struct ip_hdr *iph;
	uint8_t *srr;

	if (skb->pkt_type != SKB_PKT_HOST)
		return SKB_DROP_IP_SOURCE_ROUTE;
	if (skb->rt.type != RTN_LOCAL) /* not at a stop of its route: a loose one goes on, a strict one has lost its way */
		return o->is_strict ? SKB_DROP_IP_SOURCE_ROUTE : SKB_CONSUMED;
	if (skb_cow_head(skb, ETH_HLEN) < 0)
		return SKB_DROP_NOMEM;
	iph = ip_hdr_of(skb);
	srr = (uint8_t *)iph + o->srr;
	if (srr[2] > srr[1])
		return SKB_CONSUMED; /* the route is used up: it is for us */
	if (srr[2] + 3u > srr[1]) {
		icmp_send(stack, skb, ICMP_PARAMETERPROB, 0, o->srr + 2u);
		return SKB_DROP_IP_OPTIONS;
	}
	memcpy(&iph->daddr, srr + srr[2] - 1, 4);
	srr[2] += 4;
	o->changed = true;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, ip_hdrlen(iph) / 4);
	reason = ip_route_input(stack, skb, iph->daddr, iph->saddr, iph->tos, skb->dev);
	if (reason != SKB_CONSUMED)
		return reason;
	/* only onward: two stops of one route may not both be here, or a packet could be kept circling inside */
	return skb->rt.type == RTN_UNICAST ? SKB_CONSUMED : SKB_DROP_IP_SOURCE_ROUTE;
}

/* ---- fragments and answers ----------------------------------------------------------------------------------------------- */

unsigned ip_options_fragment(const uint8_t *opt, unsigned optlen, uint8_t *out)
{
	unsigned n = 0, len;

	for (unsigned off = 0; off < optlen; off += len) {
		if (opt[off] == OPT_END)
			break;
		if (opt[off] == OPT_NOOP) {
			len = 1;
			continue;
		}
		len = off + 1 < optlen ? opt[off + 1] : 0;
		if (len < 2 || len > optlen - off)
			break; /* our own header, or a compiled one: cannot be, and is not passed on */
		if (opt[off] & OPT_COPIED) {
			memcpy(out + n, opt + off, len);
			n += len;
		}
	}
	while (n % 4)
		out[n++] = OPT_END;
	return n;
}

/* Stops of a source route that has been followed to its end; 0: there is none. */
static unsigned route_stops(const uint8_t *h, const struct ip_options_parsed *o)
{
	const uint8_t *srr = h + o->srr;

	return o->srr && srr[2] > srr[1] ? (srr[1] - 3u) / 4 : 0;
}

be32 ip_options_first_hop(const struct sk_buff *skb)
{
	const struct ip_options_parsed *o = &IPCB(skb)->opt;
	const uint8_t *h = skb_network_header(skb);
	unsigned stops = route_stops(h, o);
	be32 hop = ((const struct ip_hdr *)(const void *)h)->saddr;

	if (stops)
		memcpy(&hop, h + o->srr + 3 + (stops - 1) * 4, 4);
	return hop;
}

/* The route that skb came by, backwards (RFC 1122 3.2.1.8 c): its last stop is the first hop, its source the last. Returns the length. */
static unsigned echo_source_route(const uint8_t *h, const struct ip_options_parsed *o, uint8_t *out)
{
	unsigned stops = route_stops(h, o), n = 3;

	if (!stops)
		return 0;
	out[0] = h[o->srr];
	out[2] = 4;
	for (unsigned i = stops - 1; i-- > 0; n += 4)
		memcpy(out + n, h + o->srr + 3 + i * 4, 4);
	memcpy(out + n, &((const struct ip_hdr *)(const void *)h)->saddr, 4);
	n += 4;
	out[1] = (uint8_t)n;
	return n;
}

unsigned ip_options_echo(struct stack *stack, const struct sk_buff *skb, uint8_t *out)
{
	const struct ip_options_parsed *o = &IPCB(skb)->opt;
	const uint8_t *h = skb_network_header(skb);
	be32 us = ((const struct ip_hdr *)(const void *)h)->daddr;
	unsigned n = 0;

	if (skb->rt.type != RTN_LOCAL)
		return 0;
	if (o->rr && h[o->rr + 1] <= 40) {
		memcpy(out, h + o->rr, h[o->rr + 1]);
		if (o->rr_needaddr)
			put_addr(out, us);
		n += out[1];
	}
	if (o->ts && n + h[o->ts + 1] <= 40) {
		memcpy(out + n, h + o->ts, h[o->ts + 1]);
		fill_timestamp(stack, o, out + n, us);
		n += out[n + 1];
	}
	if (o->srr && n + h[o->srr + 1] <= 40)
		n += echo_source_route(h, o, out + n);
	while (n % 4)
		out[n++] = OPT_END;
	return n;
}
