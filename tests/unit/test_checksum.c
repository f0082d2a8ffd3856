/* SPDX-License-Identifier: MIT */
/*
 * test_checksum.c: the Internet checksum against the published example of RFC 1071 and against a twin that adds word by word.
 */
#include "checksum.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>

/* RFC 1071 section 4.1, as it stands there: 16-bit words in memory order, an odd last byte as if a zero followed. */
static uint16_t twin(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

Test(checksum, rfc1071_example)
{
	/* Section 3: 00 01 f2 03 f4 f5 f6 f7 gives the sum ddf2 in network order. */
	static const uint8_t data[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint16_t sum = (uint16_t)~csum_fold(csum_partial(data, sizeof(data), 0));

	cr_expect_eq(be16_to_cpu(sum), 0xddf2);
}

Test(checksum, ip_header_example)
{
	/* A header whose checksum is known: 45 00 00 73 00 00 40 00 40 11 b8 61 c0 a8 00 01 c0 a8 00 c7. */
	uint8_t h[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7 };

	cr_expect_eq(ip_fast_csum(h, 5), 0, "a good header sums to zero");
	h[10] = h[11] = 0;
	cr_expect_eq(be16_to_cpu(ip_fast_csum(h, 5)), 0xb861);
}

Test(checksum, agrees_with_the_twin_at_every_length_and_alignment)
{
	enum { MAX = 600 };
	uint8_t buf[MAX + 64], copy[MAX + 64];
	uint32_t seed = 7;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = round == 1 ? 0xff : round == 2 ? 0 : (uint8_t)next_random(&seed);
		for (size_t len = 0; len <= MAX; len++) {
			for (size_t at = 0; at < 33; at += len % 7 + 1) {
				uint16_t want = twin(buf + at, len), got = csum_fold(csum_partial(buf + at, len, 0)), got2;

				/* 0 and ffff are the same number; which of them comes out is fixed only by all-zero input */
				cr_assert(got == want, "length %zu at %zu: %04x, not %04x", len, at, got, want);
				memset(copy, 0x5a, sizeof(copy));
				got2 = csum_fold(csum_partial_copy(copy + 1, buf + at, len, 0));
				cr_assert_eq(got2, want);
				cr_assert(memcmp(copy + 1, buf + at, len) == 0 && copy[0] == 0x5a && copy[len + 1] == 0x5a, "length %zu", len);
			}
		}
	}
}

Test(checksum, long_blocks_do_not_overflow)
{
	size_t len = 70000;
	uint8_t *buf = malloc(len);

	memset(buf, 0xff, len);
	cr_expect_eq(csum_fold(csum_partial(buf, len, 0xffffffff)), twin(buf, len));
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t n = len - 300; n <= len; n++)
		cr_assert_eq(csum_fold(csum_partial(buf, n, 0)), twin(buf, n));
	free(buf);
}

Test(checksum, parts_add_up_also_at_odd_offsets)
{
	uint8_t buf[257];
	uint32_t seed = 99;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)next_random(&seed);
	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		uint32_t s = csum_partial(buf, cut, 0);

		s = csum_add(s, csum_shift(csum_partial(buf + cut, sizeof(buf) - cut, 0), cut));
		cr_assert_eq(csum_fold(s), twin(buf, sizeof(buf)), "cut at %zu", cut);
	}
}

Test(checksum, pseudo_headers)
{
	struct ipaddr a = ipaddr_v4(cpu_to_be32(0xc0a80001)), b = ipaddr_v4(cpu_to_be32(0xc0a800c7)), a6 = { .family = AF_INET6 }, b6 = a6;
	uint8_t v4[12] = { 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7, 0, 17, 0x12, 0x34 }, v6[40] = { 0 };

	cr_expect_eq(csum_fold(csum_pseudo(&a, &b, 0x1234, 17)), twin(v4, sizeof(v4)));
	for (int i = 0; i < 16; i++) {
		v6[i] = a6.b[i] = (uint8_t)(i * 17);
		v6[16 + i] = b6.b[i] = (uint8_t)(255 - i);
	}
	put_be32(v6 + 32, 0x11234);
	v6[39] = 6;
	cr_expect_eq(csum_fold(csum_pseudo(&a6, &b6, 0x11234, 6)), twin(v6, sizeof(v6)));
}

Test(checksum, incremental_update_rfc1624)
{
	uint8_t h[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7 };
	uint16_t check, was, is;
	uint32_t seed = 3;

	for (int i = 0; i < 20000; i++) {
		size_t at = next_random(&seed) % 10 * 2;

		if (at == 10)
			continue;
		memcpy(&check, h + 10, 2);
		memcpy(&was, h + at, 2);
		is = (uint16_t)next_random(&seed);
		memcpy(h + at, &is, 2);
		csum_replace2(&check, was, is);
		memcpy(h + 10, &check, 2);
		cr_assert_eq(ip_fast_csum(h, 5), 0);
	}
}
