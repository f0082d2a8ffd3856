/* SPDX-License-Identifier: MIT */
/*
 * tcp_options.c: the options of the TCP header: RFC 9293 3.1 and 3.2 (end, no-operation, MSS), RFC 7323 (window scale, timestamps), RFC 2018 and 2883 (SACK).
 *
 * Every length is hostile. A length of 0 or 1, or one that runs past the header, makes the whole segment malformed (MUST-7). A known option with another length
 * than its own is passed over like an unknown one (MUST-6); so are options that belong to a SYN elsewhere, which the callers see to.
 *
 * Not done: TCP Fast Open, MD5 and AO signatures, MPTCP, user timeout option: skipped.
 */
#include "tcp.h"
#include <errno.h>

enum { OPT_EOL, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_PERM, OPT_SACK, OPT_TS = 8 };

bool tcp_options_fast_ts(const struct tcp_hdr *th, uint32_t *tsval, uint32_t *tsecr)
{
	const uint8_t *p = (const uint8_t *)(th + 1);

	if (get_be32(p) != (OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10))
		return false;
	*tsval = get_be32(p + 4);
	*tsecr = get_be32(p + 8);
	return true;
}

static void parse_one(const uint8_t *p, unsigned len, struct tcp_options *o)
{
	switch (p[0]) {
	case OPT_MSS:
		if (len == 4)
			o->mss = get_be16(p + 2);
		break;
	case OPT_WSCALE:
		if (len == 3) {
			o->saw_wscale = true;
			o->wscale = p[2] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : p[2]; /* RFC 7323 2.3 */
		}
		break;
	case OPT_SACK_PERM:
		if (len == 2)
			o->sack_perm = true;
		break;
	case OPT_SACK:
		if (len < 10 || (len - 2) % 8)
			break;
		for (unsigned off = 2; off < len && o->nsacks < TCP_NUM_SACKS; off += 8)
			o->sacks[o->nsacks++] = (struct tcp_sack_block){ get_be32(p + off), get_be32(p + off + 4) };
		break;
	case OPT_TS:
		if (len == 10) {
			o->saw_ts = true;
			o->tsval = get_be32(p + 2);
			o->tsecr = get_be32(p + 6);
		}
		break;
	default:
		break;
	}
}

int tcp_options_parse(const struct tcp_hdr *th, struct tcp_options *ret)
{
	const uint8_t *p = (const uint8_t *)(th + 1), *end = (const uint8_t *)th + tcp_hdrlen(th);

	memset(ret, 0, sizeof(*ret));
	while (p < end) {
		if (*p == OPT_EOL)
			return 0;
		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return -EINVAL;
		parse_one(p, p[1], ret);
		p += p[1];
	}
	return 0;
}

unsigned tcp_options_write_ts(uint8_t *p, uint32_t tsval, uint32_t tsecr)
{
	put_be32(p, OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10);
	put_be32(p + 4, tsval);
	put_be32(p + 8, tsecr);
	return 12;
}

unsigned tcp_options_write_syn(uint8_t *p, const struct tcp_syn_opts *o)
{
	unsigned n = 4;

	put_be32(p, (uint32_t)OPT_MSS << 24 | 4 << 16 | o->mss);
	if (o->ts) {
		/* SACK-permitted takes the place of the padding. */
		uint32_t pad = o->sack ? (uint32_t)OPT_SACK_PERM << 24 | 2 << 16 : (uint32_t)OPT_NOP << 24 | OPT_NOP << 16;

		put_be32(p + n, pad | OPT_TS << 8 | 10);
		put_be32(p + n + 4, o->tsval);
		put_be32(p + n + 8, o->tsecr);
		n += 12;
	} else if (o->sack) {
		put_be32(p + n, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_PERM << 8 | 2);
		n += 4;
	}
	if (o->wscale_ok) {
		put_be32(p + n, OPT_NOP << 24 | OPT_WSCALE << 16 | 3 << 8 | o->wscale);
		n += 4;
	}
	return n;
}

unsigned tcp_options_write_sack(uint8_t *p, const struct tcp_sack_block *dsack, const struct tcp_sack_block *blocks, unsigned n, unsigned room)
{
	unsigned max = room < 12 ? 0 : (room - 4) / 8, k = 0;

	if (max > TCP_NUM_SACKS)
		max = TCP_NUM_SACKS;
	if (!max || !(n || dsack))
		return 0;
	if (dsack) { /* first, RFC 2883 section 4 */
		put_be32(p + 4, dsack->start);
		put_be32(p + 8, dsack->end);
		k = 1;
	}
	for (unsigned i = 0; i < n && k < max; i++, k++) {
		put_be32(p + 4 + 8 * k, blocks[i].start);
		put_be32(p + 8 + 8 * k, blocks[i].end);
	}
	put_be32(p, (uint32_t)(OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8) | (2 + 8 * k));
	return 4 + 8 * k;
}
