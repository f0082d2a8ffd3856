/* SPDX-License-Identifier: MIT */
/*
 * pcapng.h: blocks of a pcapng file (draft-ietf-opsawg-pcapng), appended to a buffer. Pure: no descriptor, no clock.
 *
 * Byte order is the host's, as the format allows; times are nanoseconds since 1970 (if_tsresol 9). Each call appends a whole block or nothing: 0 or -ENOMEM.
 */
#ifndef DAEMON_PCAPNG_H
#define DAEMON_PCAPNG_H

#include <netstack/types.h>

struct evbuffer;

struct pcapng_if { /* texts may be NULL: left out */
	const char            *name, *description;
	const char            *filter; /* in libpcap's language */
	const struct eth_addr *addr;
	uint32_t               snaplen; /* 0: all */
};

/* epb_flags */
#define PCAPNG_IN        1u
#define PCAPNG_OUT       2u
#define PCAPNG_UNICAST   (1u << 2)
#define PCAPNG_MULTICAST (2u << 2)
#define PCAPNG_BROADCAST (3u << 2)
#define PCAPNG_PROMISC   (4u << 2)

struct pcapng_packet {
	uint32_t    interface; /* number of its interface block in this section, from 0 */
	uint64_t    time;
	uint32_t    len, caplen; /* of the packet on the wire; of what was kept */
	uint32_t    flags; /* PCAPNG_* */
	uint32_t    queue; /* the worker */
	uint64_t    lost; /* packets not captured between the one before and this one */
	const char *comment; /* NULL: none */
};

struct pcapng_stats { /* of one interface */
	uint32_t interface;
	uint64_t time, start, end;
	uint64_t received, accepted, dropped, delivered; /* seen; chosen by the filter; of these: for which there was no room, and written */
	const char *comment; /* NULL: none */
};

int pcapng_section(struct evbuffer *out, const char *application, const char *os);
int pcapng_interface(struct evbuffer *out, const struct pcapng_if *interface);
int pcapng_packet(struct evbuffer *out, const struct pcapng_packet *packet, const void *data);
int pcapng_statistics(struct evbuffer *out, const struct pcapng_stats *stats);

#endif
