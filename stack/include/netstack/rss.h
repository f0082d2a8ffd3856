/* SPDX-License-Identifier: MIT */
/*
 * rss.h: receive side scaling as network cards do it: the Toeplitz hash under a key of 40 bytes, and a table that leads from the hash to a queue (Microsoft, "RSS hashing
 * types"; Linux: ethtool -X). For embedders that program a card, or play one; and for a device with fewer queues than there are shards, whose
 * forwarded flows the stack spreads by the link's own table (struct link_rss of netcfg.h).
 */
#ifndef NETSTACK_RSS_H
#define NETSTACK_RSS_H

#include <netstack/types.h>

#define RSS_KEY_LEN   40 /* bytes: enough for two IPv6 addresses, two ports and the window of 32 bits */
#define RSS_INDIR_LEN 128 /* entries; a power of two */

extern const uint8_t rss_default_key[RSS_KEY_LEN]; /* the published one, of the verification suite: predictable, so that runs can be compared; a router in the wild wants its own */

/* The hash of len bytes, at most RSS_KEY_LEN - 4. */
uint32_t toeplitz_hash(const uint8_t key[RSS_KEY_LEN], const void *data, size_t len);
/* Of a packet: source address, destination address and, with ports, source and destination port (host order), as they stand in the packet. Both addresses of one family. */
uint32_t rss_hash(const uint8_t key[RSS_KEY_LEN], const struct ipaddr *saddr, const struct ipaddr *daddr, bool ports, uint16_t sport, uint16_t dport);
static inline unsigned rss_entry(uint32_t hash) { return hash & (RSS_INDIR_LEN - 1); }

#endif
