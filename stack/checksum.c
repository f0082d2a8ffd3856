/* SPDX-License-Identifier: MIT */
/*
 * checksum.c: the Internet checksum, RFC 1071, and the pseudo-headers of RFC 9293 section 3.1 and RFC 8200 section 8.1.
 *
 * The sum is commutative and does not depend on the word size (RFC 1071 section 2), so eight bytes are added at a time and the result is folded at
 * the end. Long blocks go through vectors of 64-bit lanes, into which 32-bit halves are added: a lane cannot overflow before
 * 2^32 additions. AVX2 is used where the processor has it; what the compiler makes of the same code without it serves
 * everywhere else.
 */
#include "checksum.h"

#include <sys/socket.h>

#define CSUM_LONG 128 /* from here on vectors win */

typedef uint64_t v4u64 __attribute__((vector_size(32)));
typedef uint64_t v4u64u __attribute__((vector_size(32), aligned(1), may_alias));

static inline uint32_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)sum;
}

static inline uint64_t add_carry(uint64_t sum, uint64_t v)
{
	sum += v;
	return sum + (sum < v);
}

/* Fewer than 8 bytes, as if zeros followed. */
static inline uint64_t load_tail(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	if (len & 4) {
		uint32_t w;

		memcpy(&w, p, 4);
		v = w;
		p += 4;
	}
	if (len & 2) {
		uint16_t h;

		memcpy(&h, p, 2);
		v += (uint64_t)h << (len & 4 ? 32 : 0);
		p += 2;
	}
	if (len & 1)
		v += (uint64_t)*p << 8 * (len & 6);
	return v;
}

static inline uint64_t sum_short(const uint8_t *p, size_t len, uint64_t sum)
{
	uint64_t v;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		sum = add_carry(sum, v);
	}
	return add_carry(sum, load_tail(p, len));
}

/* The body of both versions below; len is a multiple of 128. */
static inline __attribute__((always_inline)) uint64_t sum_vectors(const uint8_t *p, size_t len)
{
	const v4u64 low = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	v4u64 a = { 0 }, b = { 0 };

	for (; len; p += 128, len -= 128) {
		v4u64 v0 = *(const v4u64u *)(const void *)p, v1 = *(const v4u64u *)(const void *)(p + 32);
		v4u64 v2 = *(const v4u64u *)(const void *)(p + 64), v3 = *(const v4u64u *)(const void *)(p + 96);

		a += (v0 & low) + (v0 >> 32) + (v1 & low) + (v1 >> 32);
		b += (v2 & low) + (v2 >> 32) + (v3 & low) + (v3 >> 32);
	}
	a += b;
	return (uint64_t)fold64(a[0]) + fold64(a[1]) + fold64(a[2]) + fold64(a[3]);
}

static inline __attribute__((always_inline)) uint64_t copy_vectors(uint8_t *to, const uint8_t *p, size_t len)
{
	const v4u64 low = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	v4u64 a = { 0 }, b = { 0 };

	for (; len; p += 128, to += 128, len -= 128) {
		v4u64 v0 = *(const v4u64u *)(const void *)p, v1 = *(const v4u64u *)(const void *)(p + 32);
		v4u64 v2 = *(const v4u64u *)(const void *)(p + 64), v3 = *(const v4u64u *)(const void *)(p + 96);

		*(v4u64u *)(void *)to = v0;
		*(v4u64u *)(void *)(to + 32) = v1;
		*(v4u64u *)(void *)(to + 64) = v2;
		*(v4u64u *)(void *)(to + 96) = v3;
		a += (v0 & low) + (v0 >> 32) + (v1 & low) + (v1 >> 32);
		b += (v2 & low) + (v2 >> 32) + (v3 & low) + (v3 >> 32);
	}
	a += b;
	return (uint64_t)fold64(a[0]) + fold64(a[1]) + fold64(a[2]) + fold64(a[3]);
}

static uint64_t sum_long(const uint8_t *p, size_t len) { return sum_vectors(p, len); }
static uint64_t copy_long(uint8_t *to, const uint8_t *p, size_t len) { return copy_vectors(to, p, len); }

#if defined(__x86_64__) && !defined(__AVX2__)
__attribute__((target("avx2"))) static uint64_t sum_long_avx2(const uint8_t *p, size_t len) { return sum_vectors(p, len); }
__attribute__((target("avx2"))) static uint64_t copy_long_avx2(uint8_t *to, const uint8_t *p, size_t len) { return copy_vectors(to, p, len); }
#define DISPATCH(plain, avx2, ...) (__builtin_cpu_supports("avx2") ? avx2(__VA_ARGS__) : plain(__VA_ARGS__))
#else
#define DISPATCH(plain, avx2, ...) plain(__VA_ARGS__)
#endif

uint32_t csum_partial(const void *buf, size_t len, uint32_t sum)
{
	const uint8_t *p = buf;
	uint64_t s = sum;

	if (len >= CSUM_LONG) {
		size_t n = len & ~(size_t)127;

		s += DISPATCH(sum_long, sum_long_avx2, p, n);
		p += n;
		len -= n;
	}
	return fold64(sum_short(p, len, s));
}

uint32_t csum_partial_copy(void *dst, const void *src, size_t len, uint32_t sum)
{
	uint8_t *to = dst;
	const uint8_t *p = src;
	uint64_t s = sum;

	if (len >= CSUM_LONG) {
		size_t n = len & ~(size_t)127;

		s += DISPATCH(copy_long, copy_long_avx2, to, p, n);
		p += n;
		to += n;
		len -= n;
	}
	memcpy(to, p, len);
	return fold64(sum_short(p, len, s));
}

uint32_t csum_pseudo(const struct ipaddr *src, const struct ipaddr *dst, uint32_t len, uint8_t proto)
{
	uint64_t s = (uint64_t)cpu_to_be32(len) + ((uint32_t)proto << 24);

	/* The length is 16 bits wide for IPv4 and 32 for IPv6; as a sum both are the same. An IPv4 address leaves the other words zero. */
	for (int i = 0; i < (src->family == AF_INET6 ? 4 : 1); i++)
		s += (uint64_t)src->w[i] + dst->w[i];
	return fold64(s);
}
