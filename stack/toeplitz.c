/* SPDX-License-Identifier: MIT */
/*
 * toeplitz.c: the hash of RSS. Each bit of the input that is set adds (exclusive or) the 32 bits of the key that begin at its position.
 *
 * It is linear: the hash of a whole is the exclusive or of the hashes of its parts in their places. So a table of the 16 values of each half byte at each place, made once
 * for a key, gives the hash of an IPv4 tuple in 24 looks (struct toeplitz_v4), where the definition takes 96 steps. Linear also means predictable: who knows the
 * key can aim flows at one queue. It is here because cards have it; what the stack itself relies on is the keyed flow hash of softnet.c.
 *
 * Not done: IPv6 extension headers, the hash types for UDP alone.
 */
#include "toeplitz.h"

#include <sys/socket.h>

const uint8_t rss_default_key[RSS_KEY_LEN] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

uint32_t toeplitz_hash(const uint8_t key[RSS_KEY_LEN], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t window = get_be32(key), hash = 0;

	if (len > RSS_KEY_LEN - 4)
		len = RSS_KEY_LEN - 4;
	for (size_t i = 0; i < len; i++)
		for (int bit = 7; bit >= 0; bit--) {
			if (p[i] >> bit & 1)
				hash ^= window;
			window = window << 1 | (key[i + 4] >> bit & 1);
		}
	return hash;
}

uint32_t rss_hash(const uint8_t key[RSS_KEY_LEN], const struct ipaddr *saddr, const struct ipaddr *daddr, bool ports, uint16_t sport, uint16_t dport)
{
	size_t alen = saddr->family == AF_INET6 ? 16 : 4;
	uint8_t data[36];

	memcpy(data, saddr->b, alen);
	memcpy(data + alen, daddr->b, alen);
	put_be16(data + 2 * alen, sport);
	put_be16(data + 2 * alen + 2, dport);
	return toeplitz_hash(key, data, 2 * alen + (ports ? 4 : 0));
}

void toeplitz_v4_init(struct toeplitz_v4 *t, const uint8_t key[RSS_KEY_LEN])
{
	uint8_t data[TOEPLITZ_V4_LEN];

	for (unsigned place = 0; place < 2 * TOEPLITZ_V4_LEN; place++)
		for (unsigned value = 0; value < 16; value++) {
			memset(data, 0, sizeof(data));
			data[place / 2] = (uint8_t)(place % 2 ? value : value << 4);
			t->half[place][value] = toeplitz_hash(key, data, sizeof(data));
		}
}
