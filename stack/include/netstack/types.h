/* SPDX-License-Identifier: MIT */
/*
 * types.h: the words that every public header of libnetstack shares: time, byte order, addresses of any family.
 */
#ifndef NETSTACK_TYPES_H
#define NETSTACK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Nanoseconds on a monotonic clock of the embedder's choice. The library never reads a clock. */
typedef int64_t ktime_t;
#define KTIME_MAX     INT64_MAX
#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_SEC  INT64_C(1000000000)

/* Integers that hold network byte order, and the ways between it and the host's. */
typedef uint16_t be16;
typedef uint32_t be32;

static inline uint16_t be16_to_cpu(be16 v) { return __builtin_bswap16(v); }
static inline uint32_t be32_to_cpu(be32 v) { return __builtin_bswap32(v); }
static inline be16     cpu_to_be16(uint16_t v) { return __builtin_bswap16(v); }
static inline be32     cpu_to_be32(uint32_t v) { return __builtin_bswap32(v); }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts are not supported yet");

/* Alignment-safe access to wire bytes. */
static inline uint16_t get_be16(const void *p) { uint16_t v; memcpy(&v, p, 2); return be16_to_cpu(v); }
static inline uint32_t get_be32(const void *p) { uint32_t v; memcpy(&v, p, 4); return be32_to_cpu(v); }
static inline void put_be16(void *p, uint16_t h) { be16 v = cpu_to_be16(h); memcpy(p, &v, 2); }
static inline void put_be32(void *p, uint32_t h) { be32 v = cpu_to_be32(h); memcpy(p, &v, 4); }

#define ETH_ADDR_LEN 6
struct eth_addr {
	uint8_t b[ETH_ADDR_LEN];
};

/*
 * An address of either family. family is AF_INET, AF_INET6, or 0 (AF_UNSPEC: no address). Bytes that the family does
 * not use are zero, so that two addresses may be compared and hashed as a whole.
 */
struct ipaddr {
	union {
		uint8_t  b[16];
		be32     w[4];
		be32     v4; /* network byte order */
	};
	uint16_t family;
	uint16_t pad;
};

#define IPADDR_NONE ((struct ipaddr){ .w = { 0, 0, 0, 0 }, .family = 0, .pad = 0 })

static inline struct ipaddr ipaddr_v4(be32 a)
{
	return (struct ipaddr){ .w = { a, 0, 0, 0 }, .family = 2 /* AF_INET */, .pad = 0 };
}

static inline bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* All bytes zero: INADDR_ANY, in6addr_any, or no address at all. */
static inline bool ipaddr_is_any(const struct ipaddr *a)
{
	return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

/* ADDRESS/len. Bits beyond len are zero where the structure stands for a network. */
struct ipprefix {
	struct ipaddr addr;
	uint8_t       len; /* 0 to 32, or 0 to 128 */
};

#define NS_IFNAMSIZ 16 /* with the terminating zero, as IFNAMSIZ */

#endif
