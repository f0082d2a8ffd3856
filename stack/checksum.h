/* SPDX-License-Identifier: MIT */
/*
 * checksum.h: the Internet checksum (RFC 1071, incremental update RFC 1624). Sums are over 16-bit words as they lie in memory
 * (so already in network order when stored back); a 32-bit sum is unfolded.
 */
#ifndef STACK_CHECKSUM_H
#define STACK_CHECKSUM_H

#include <netstack/types.h>

uint32_t csum_partial(const void *buf, size_t len, uint32_t sum); /* sum over buf, added to sum */
uint32_t csum_partial_copy(void *dst, const void *src, size_t len, uint32_t sum); /* the same while copying */
static inline uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
static inline uint32_t csum_add(uint32_t a, uint32_t b)
{
	uint32_t s = a + b;
	return s + (s < b);
}
/* The sum of a block that begins at an odd offset of the whole. */
static inline uint32_t csum_shift(uint32_t sum, size_t off) { return off & 1 ? (sum >> 8) | (sum << 24) : sum; }
/* Pseudo-header; len in host order (bytes of the transport header and its data). Unfolded. */
uint32_t csum_pseudo(const struct ipaddr *src, const struct ipaddr *dst, uint32_t len, uint8_t proto);
static inline uint16_t ip_fast_csum(const void *iph, unsigned ihl_words) { return csum_fold(csum_partial(iph, ihl_words * 4u, 0)); }
/* The checksum over an IPv4 header without options is good. 2^16 is 1 modulo 65535: words of 32 bits may be added as they are, and the ones'-complement sum is all
 * ones if theirs is a multiple of 65535 (it is never zero: the version is not). */
static inline bool ip_csum20_ok(const void *iph)
{
	const struct __attribute__((packed, may_alias)) { uint32_t w[5]; } *h = iph;

	return ((uint64_t)h->w[0] + h->w[1] + h->w[2] + h->w[3] + h->w[4]) % 0xffff == 0;
}
/* check: as stored in the packet; one 16-bit word changed from a to b (both as stored). RFC 1624, equation 3. */
static inline void csum_replace2(uint16_t *check, uint16_t a, uint16_t b)
{
	uint32_t s = (uint32_t)(uint16_t)~*check + (uint16_t)~a + b;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	*check = (uint16_t)~s;
}
/* The time to live of an IPv4 header falls by one: its word does by 0x0100, the checksum rises by as much. RFC 1141. */
static inline uint16_t ip_csum_ttl(uint16_t check)
{
	uint32_t s = (uint32_t)check + cpu_to_be16(0x0100);

	return (uint16_t)(s + (s >= 0xffff));
}

#endif
