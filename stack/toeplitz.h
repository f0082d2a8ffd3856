/* SPDX-License-Identifier: MIT */
/*
 * toeplitz.h: the hash of RSS by tables, for the data path; see toeplitz.c and <netstack/rss.h>.
 */
#ifndef STACK_TOEPLITZ_H
#define STACK_TOEPLITZ_H

#include <netstack/rss.h>

#define TOEPLITZ_V4_LEN 12 /* two addresses and two ports */

struct toeplitz_v4 {
	uint32_t half[2 * TOEPLITZ_V4_LEN][16];
};

void toeplitz_v4_init(struct toeplitz_v4 *t, const uint8_t key[RSS_KEY_LEN]);
/* len: 12, or 8 without ports. */
static inline uint32_t toeplitz_v4(const struct toeplitz_v4 *t, const uint8_t *data, unsigned len)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < len; i++)
		hash ^= t->half[2 * i][data[i] >> 4] ^ t->half[2 * i + 1][data[i] & 15];
	return hash;
}

#endif
