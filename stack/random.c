/* SPDX-License-Identifier: MIT */
/*
 * random.c: the stack's randomness. ChaCha20 (RFC 8439 section 2.3) as the generator, SipHash-2-4 (Aumasson and Bernstein, 2012) as the keyed hash.
 *
 * The generator makes 256 bytes at a time. The first 32 of them become the next key and are never given out, so that whoever learns
 * the state learns nothing of what was drawn before (fast key erasure). All of it follows from the seed: the same seed and
 * stream number give the same numbers.
 *
 * Not done: reseeding. The embedder's seed is all the entropy there is.
 */
#include "random.h"
#include "bug.h"

#define RNG_KEY_BYTES 32

static inline uint32_t rol32(uint32_t v, int n) { return v << n | v >> (32 - n); }
static inline uint64_t rol64(uint64_t v, int n) { return v << n | v >> (64 - n); }

#define QUARTER(a, b, c, d) \
	do { \
		a += b, d = rol32(d ^ a, 16); \
		c += d, b = rol32(b ^ c, 12); \
		a += b, d = rol32(d ^ a, 8); \
		c += d, b = rol32(b ^ c, 7); \
	} while (0)

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
	uint32_t init[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }; /* "expand 32-byte k" */
	uint32_t x[16];

	memcpy(init + 4, key, 32);
	init[12] = counter;
	memcpy(init + 13, nonce, 12);
	memcpy(x, init, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += init[i];
	memcpy(out, x, 64);
}

static void rng_refill(struct rng *r)
{
	uint32_t nonce[3] = { 0, (uint32_t)r->block, (uint32_t)(r->block >> 32) };

	for (unsigned i = 0; i < sizeof(r->buf) / 64; i++)
		chacha20_block(r->key, i, nonce, r->buf + i * 64);
	r->block++;
	memcpy(r->key, r->buf, RNG_KEY_BYTES);
	memset(r->buf, 0, RNG_KEY_BYTES);
	r->used = RNG_KEY_BYTES;
}

void rng_init(struct rng *r, const uint64_t seed[4], uint64_t stream)
{
	uint32_t nonce[3] = { 0x6e657473, (uint32_t)stream, (uint32_t)(stream >> 32) };
	uint8_t block[64];

	memset(r, 0, sizeof(*r));
	memcpy(r->key, seed, sizeof(r->key));
	chacha20_block(r->key, 0, nonce, block); /* every stream has a key of its own */
	memcpy(r->key, block, sizeof(r->key));
	r->used = sizeof(r->buf);
}

void rng_bytes(struct rng *r, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t n;

		if (r->used == sizeof(r->buf))
			rng_refill(r);
		n = sizeof(r->buf) - r->used;
		if (n > len)
			n = len;
		memcpy(to, r->buf + r->used, n);
		memset(r->buf + r->used, 0, n);
		r->used += (uint32_t)n;
		to += n;
		len -= n;
	}
}

uint32_t rng_u32(struct rng *r)
{
	uint32_t v;

	rng_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	rng_bytes(r, &v, sizeof(v));
	return v;
}

/* Multiply and take the high half; the few low halves that would make it uneven are drawn again (Lemire, 2019). */
uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint64_t m;

	BUG_ON(n == 0);
	m = (uint64_t)rng_u32(r) * n;
	if ((uint32_t)m < n) {
		uint32_t least = -n % n;

		while ((uint32_t)m < least)
			m = (uint64_t)rng_u32(r) * n;
	}
	return (uint32_t)(m >> 32);
}

#define SIPROUND(v0, v1, v2, v3) \
	do { \
		v0 += v1, v1 = rol64(v1, 13) ^ v0, v0 = rol64(v0, 32); \
		v2 += v3, v3 = rol64(v3, 16) ^ v2; \
		v0 += v3, v3 = rol64(v3, 21) ^ v0; \
		v2 += v1, v1 = rol64(v1, 17) ^ v2, v2 = rol64(v2, 32); \
	} while (0)

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
	uint64_t v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575), v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d);
	uint64_t v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261), v3 = key->k[1] ^ UINT64_C(0x7465646279746573);
	const uint8_t *p = data;
	uint64_t last = (uint64_t)len << 56, m;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&m, p, 8);
		v3 ^= m;
		SIPROUND(v0, v1, v2, v3);
		SIPROUND(v0, v1, v2, v3);
		v0 ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v3 ^= last;
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t siphash13_2u64(const struct siphash_key *key, uint64_t a, uint64_t b)
{
	uint64_t v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575), v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d);
	uint64_t v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261), v3 = key->k[1] ^ UINT64_C(0x7465646279746573);
	const uint64_t last = UINT64_C(16) << 56; /* the length, in the last word's high byte */

	v3 ^= a;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= a;
	v3 ^= b;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= b;
	v3 ^= last;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}
