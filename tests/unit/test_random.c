/* SPDX-License-Identifier: MIT */
/*
 * test_random.c: ChaCha20 and SipHash against their published vectors; the generator's promises.
 */
#include "random.h"
#include <criterion/criterion.h>

Test(random, chacha20_rfc8439_block)
{
	/* RFC 8439 section 2.3.2 */
	static const uint8_t want[64] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
		0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
		0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	static const uint8_t nonce_bytes[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0 };
	uint8_t key_bytes[32], out[64];
	uint32_t key[8], nonce[3];

	for (int i = 0; i < 32; i++)
		key_bytes[i] = (uint8_t)i;
	memcpy(key, key_bytes, sizeof(key));
	memcpy(nonce, nonce_bytes, sizeof(nonce));
	chacha20_block(key, 1, nonce, out);
	cr_expect_arr_eq(out, want, sizeof(want));
}

Test(random, chacha20_rfc8439_zero_key)
{
	/* RFC 8439 appendix A.1, test vector 1, first half */
	static const uint8_t want[32] = { 0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
					  0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7 };
	uint32_t key[8] = { 0 }, nonce[3] = { 0 };
	uint8_t out[64];

	chacha20_block(key, 0, nonce, out);
	cr_expect_arr_eq(out, want, sizeof(want));
}

Test(random, siphash24_published_vectors)
{
	/* Reference implementation's vectors: key 00..0f, message 00, 01, … of the given length. */
	static const struct { size_t len; uint64_t want; } rows[] = {
		{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 2, 0x0d6c8009d9a94f5a }, { 3, 0x85676696d7fb7e2d },
		{ 7, 0xab0200f58b01d137 }, { 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 }, { 16, 0x3f2acc7f57c29bdb },
		{ 63, 0x958a324ceb064572 },
	};
	struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	uint8_t msg[64];

	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(siphash(&key, msg, rows[i].len), rows[i].want, "length %zu: %016lx", rows[i].len, (unsigned long)siphash(&key, msg, rows[i].len));
}

Test(random, seed_and_stream_decide)
{
	const uint64_t seed[4] = { 1, 2, 3, 4 }, other[4] = { 1, 2, 3, 5 };
	struct rng a, b, c, d;

	rng_init(&a, seed, 0);
	rng_init(&b, seed, 0);
	rng_init(&c, seed, 1);
	rng_init(&d, other, 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rng_u64(&a);

		cr_assert_eq(v, rng_u64(&b));
		cr_assert_neq(v, rng_u64(&c));
		cr_assert_neq(v, rng_u64(&d));
	}
}

Test(random, pieces_of_any_size_make_the_same_stream)
{
	const uint64_t seed[4] = { 9, 9, 9, 9 };
	uint8_t whole[2000], parts[2000];
	struct rng a, b;
	size_t at = 0;

	rng_init(&a, seed, 7);
	rng_init(&b, seed, 7);
	rng_bytes(&a, whole, sizeof(whole));
	for (size_t n = 1; at < sizeof(parts); n = n % 300 + 13) {
		size_t k = n < sizeof(parts) - at ? n : sizeof(parts) - at;

		rng_bytes(&b, parts + at, k);
		at += k;
	}
	cr_expect_arr_eq(whole, parts, sizeof(whole));
}

Test(random, what_was_drawn_is_erased)
{
	const uint64_t seed[4] = { 4, 3, 2, 1 };
	struct rng r;
	uint64_t v;

	rng_init(&r, seed, 0);
	for (int i = 0; i < 100; i++) {
		v = rng_u64(&r);
		for (size_t at = 0; at + 8 <= sizeof(r); at++)
			cr_assert(memcmp((const char *)&r + at, &v, 8) != 0, "the state still knows draw %d", i);
	}
}

Test(random, below_is_even_and_within)
{
	const uint64_t seed[4] = { 5, 6, 7, 8 };
	unsigned count[7] = { 0 };
	struct rng r;

	rng_init(&r, seed, 0);
	for (int i = 0; i < 70000; i++) {
		uint32_t v = rng_below(&r, 7);

		cr_assert_lt(v, 7u);
		count[v]++;
	}
	for (int i = 0; i < 7; i++)
		cr_expect(count[i] > 9500 && count[i] < 10500, "%d came %u times in 70000", i, count[i]);
	cr_expect_eq(rng_below(&r, 1), 0u);
	for (int i = 0; i < 1000; i++)
		cr_assert_lt(rng_below(&r, 0xc0000001u), 0xc0000001u);
}

/* SipHash-1-3 written out once more, from the paper's figure 2.1, byte stream and all. */
static uint64_t rol(uint64_t v, int n) { return v << n | v >> (64 - n); }

static void sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = rol(v[1], 13), v[1] ^= v[0], v[0] = rol(v[0], 32);
	v[2] += v[3], v[3] = rol(v[3], 16), v[3] ^= v[2];
	v[0] += v[3], v[3] = rol(v[3], 21), v[3] ^= v[0];
	v[2] += v[1], v[1] = rol(v[1], 17), v[1] ^= v[2], v[2] = rol(v[2], 32);
}

static uint64_t sip_twin(const struct siphash_key *key, const uint8_t *msg, size_t len, int c, int d)
{
	uint64_t v[4] = { key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d, key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573 };

	for (size_t at = 0; at <= len; at += 8) {
		uint64_t m = 0;

		for (size_t i = 0; i < 8 && at + i < len; i++)
			m |= (uint64_t)msg[at + i] << (8 * i);
		if (len - at < 8)
			m |= (uint64_t)len << 56;
		v[3] ^= m;
		for (int i = 0; i < c; i++)
			sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < d; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

Test(random, siphash13_agrees_with_a_twin_that_knows_the_vectors)
{
	const uint64_t seed[4] = { 13 };
	struct rng r;

	rng_init(&r, seed, 0);
	for (int i = 0; i < 1000; i++) {
		struct siphash_key key = { { rng_u64(&r), rng_u64(&r) } };
		uint64_t words[2] = { rng_u64(&r), rng_u64(&r) };

		cr_assert_eq(sip_twin(&key, (uint8_t *)words, 16, 2, 4), siphash(&key, words, 16));
		cr_assert_eq(sip_twin(&key, (uint8_t *)words, 16, 1, 3), siphash13_2u64(&key, words[0], words[1]));
	}
}
