/* SPDX-License-Identifier: MIT */
/*
 * random.h: randomness and keyed hashing, all from the stack's seed. get_random_* are of cryptographic strength (ChaCha20 keystream with
 * fast key erasure, RFC 8439); siphash is SipHash-2-4.
 */
#ifndef STACK_RANDOM_H
#define STACK_RANDOM_H

#include <netstack/types.h>

struct rng {
	uint32_t key[8];
	uint64_t block;
	uint8_t  buf[256];
	uint32_t used;
};
void     rng_init(struct rng *r, const uint64_t seed[4], uint64_t stream);
void     rng_bytes(struct rng *r, void *buf, size_t len);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in [0, n), n > 0 */

/* One 64-byte block of the ChaCha20 keystream, RFC 8439 section 2.3. */
void     chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64]);

struct siphash_key { uint64_t k[2]; };
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);
/* SipHash-1-3 of exactly two words: for tables and steering, where nobody sees the value, at half the cost. */
uint64_t siphash13_2u64(const struct siphash_key *key, uint64_t a, uint64_t b);

#endif
