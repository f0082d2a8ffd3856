/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_options.c: the options parser: a table, what is written is read back, and random bytes.
 */
#include "../lib/host.h"
#include "tcp.h"
#include <criterion/criterion.h>

struct __attribute__((packed)) hdr { struct tcp_hdr th; uint8_t opt[40]; };

static int parse(const void *opt, unsigned len, struct tcp_options *o)
{
	struct hdr h;

	memset(&h, 0, sizeof(h));
	memcpy(h.opt, opt, len);
	h.th.doff = (uint8_t)((20 + (len + 3) / 4 * 4) / 4 << 4);
	return tcp_options_parse(&h.th, o);
}

Test(tcp_options_unit, table)
{
	static const struct { const char *opt; unsigned len; int ret; uint16_t mss; int wscale; bool ts, sack; unsigned nsacks; } t[] = {
		{ "", 0, 0, 0, -1, false, false, 0 },
		{ "\x02\x04\x05\xb4", 4, 0, 1460, -1, false, false, 0 },
		{ "\x02\x03\x05\x01", 4, 0, 0, -1, false, false, 0 }, /* MSS of another length: passed over */
		{ "\x02\x00\x05\xb4", 4, -22, 0, -1, false, false, 0 },
		{ "\x02\x01\x05\xb4", 4, -22, 0, -1, false, false, 0 },
		{ "\x02\x05\x05\xb4", 4, -22, 0, -1, false, false, 0 },
		{ "\x01\x01\x01\x02", 4, -22, 0, -1, false, false, 0 }, /* no room for a length */
		{ "\x00\x02\x00\x02", 4, 0, 0, -1, false, false, 0 }, /* nothing counts behind the end */
		{ "\x03\x03\x0f\x00", 4, 0, 0, 14, false, false, 0 },
		{ "\x03\x03\xff\x00", 4, 0, 0, 14, false, false, 0 },
		{ "\x04\x02\x08\x0a\0\0\0\1\0\0\0\2", 12, 0, 0, -1, true, true, 0 },
		{ "\x05\x0a\0\0\0\1\0\0\0\2\x01\x01", 12, 0, 0, -1, false, false, 1 },
		{ "\x05\x0b\0\0\0\1\0\0\0\2\x01\x01", 12, 0, 0, -1, false, false, 0 },
		{ "\x05\x02\x01\x01", 4, 0, 0, -1, false, false, 0 },
		{ "\xfd\x28", 2, -22, 0, -1, false, false, 0 },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct tcp_options o;
		int ret = parse(t[i].opt, t[i].len, &o);

		cr_assert_eq(ret, t[i].ret, "row %u", i);
		if (ret)
			continue;
		cr_assert_eq(o.mss, t[i].mss, "row %u", i);
		cr_assert_eq(o.saw_wscale ? o.wscale : -1, t[i].wscale, "row %u", i);
		cr_assert_eq(o.saw_ts, t[i].ts, "row %u", i);
		cr_assert_eq(o.sack_perm, t[i].sack, "row %u", i);
		cr_assert_eq(o.nsacks, t[i].nsacks, "row %u", i);
	}
}

Test(tcp_options_unit, written_is_read_back)
{
	for (unsigned m = 0; m < 8; m++) {
		struct tcp_syn_opts w = { .mss = 1234, .wscale = 9, .wscale_ok = m & 1, .ts = m & 2, .sack = m & 4, .tsval = 0x01020304, .tsecr = 0xfffefdfc };
		uint8_t buf[40];
		struct tcp_options o;
		unsigned n = tcp_options_write_syn(buf, &w);

		cr_assert(n <= 40 && n % 4 == 0);
		cr_assert_eq(parse(buf, n, &o), 0);
		cr_assert_eq(o.mss, 1234);
		cr_assert_eq(o.saw_wscale, w.wscale_ok);
		cr_assert_eq(o.sack_perm, w.sack);
		cr_assert_eq(o.saw_ts, w.ts);
		if (w.ts)
			cr_assert(o.tsval == w.tsval && o.tsecr == w.tsecr);
	}
}

Test(tcp_options_unit, sack_fits_what_is_left)
{
	struct tcp_sack_block b[4] = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } }, d = { 9, 10 };
	uint8_t buf[40];
	struct tcp_options o;

	for (unsigned room = 0; room <= 40; room += 4)
		for (unsigned n = 0; n <= 4; n++)
			for (int dup = 0; dup < 2; dup++) {
				unsigned len = tcp_options_write_sack(buf, dup ? &d : NULL, b, n, room), want = n + (unsigned)dup;
				unsigned max = room < 12 ? 0 : (room - 4) / 8;

				cr_assert(len <= room && len % 4 == 0);
				cr_assert_eq(parse(buf, len, &o), 0);
				cr_assert_eq(o.nsacks, (want < max ? want : max) > 4 ? 4 : want < max ? want : max);
				if (dup && o.nsacks)
					cr_assert_eq(o.sacks[0].start, 9u);
			}
}

Test(tcp_options_unit, random_bytes)
{
	uint64_t rng = test_seed("tcp_options", 4);

	for (int i = 0; i < 200000; i++) {
		uint8_t buf[40];
		struct tcp_options o;
		unsigned len = test_random_below(&rng, 11) * 4;

		for (unsigned k = 0; k < len; k++)
			buf[k] = (uint8_t)(test_random(&rng) >> (test_random_below(&rng, 2) ? 60 : 32));
		if (parse(buf, len, &o) == 0)
			cr_assert(o.nsacks <= TCP_NUM_SACKS && o.wscale <= TCP_MAX_WSCALE);
	}
}
