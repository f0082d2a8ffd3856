/* SPDX-License-Identifier: MIT */
/* packets.h: "nsctl capture": asks for the stream, keeps or prints it. */
#ifndef CLI_PACKETS_H
#define CLI_PACKETS_H

#include "grammar.h"
#include "nsctl.h"

/* An exit status; messages go to standard error. */
int capture_run(const struct nsctl *ctl, const struct cmd *cmd);

/* filter.c: an expression of pcap-filter(7) as the numbers that tcpdump -ddd prints, commas between the lines. Allocated; NULL: why says what is wrong with it, or that this
 * nsctl was built without libpcap. */
char *filter_compile(const char *expression, char *why, size_t size);
/* Of an expression that is no filter: the word that may have been mistyped and what was meant, as an end for a sentence; "" when nothing comes to mind. */
void  filter_hint(const char *expression, char *buf, size_t size);

/* pcapng_read.c: what a pcapng stream says, block by block. */
struct pcapng_link {
	char    name[32];
	uint8_t tsresol; /* if_tsresol */
};
struct pcapng_reader { /* owner: who reads; zero at first, pcapng_reader_free at the end */
	struct pcapng_link *links;
	unsigned            nlinks;
	uint64_t            accepted, delivered, dropped; /* from the statistics blocks */
	char                comment[80]; /* why it ended, if it was not asked to */
	bool                ended; /* there were some: the stream came to its end in order */
};
struct pcapng_view { /* a packet block; points into it */
	const struct pcapng_link *link;
	uint64_t       time; /* ns since 1970 */
	uint32_t       len, caplen, flags; /* epb_flags */
	uint64_t       lost;
	const uint8_t *data;
	const char    *comment; /* not terminated; NULL: none */
	size_t         comment_len;
};
/* Bytes of the first block in buf when all of it is there; 0: more is needed; -EPROTO: this is no pcapng. */
ssize_t pcapng_block(const uint8_t *buf, size_t len);
/* Reads one block. 1: it is a packet, view is filled in; 0: another one, noted; -EPROTO, -ENOMEM. */
int  pcapng_read(struct pcapng_reader *r, const uint8_t *block, size_t len, struct pcapng_view *view);
void pcapng_reader_free(struct pcapng_reader *r);

/* packet_text.c: a packet in a line, for people. At most size bytes, always terminated; only printable characters. */
void packet_text(const uint8_t *data, size_t caplen, size_t len, char *buf, size_t size);

#endif
