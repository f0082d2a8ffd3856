/* SPDX-License-Identifier: MIT */
/*
 * frame.h: frames as one line of text, for drills. The same words build a frame that arrives, describe one that left, and say what is expected of it.
 *
 *   [ATTRIBUTE...] PROTOCOL [TUPLE] WORDS...
 *
 * TUPLE      "SPORT>DPORT", "SADDR>DADDR" or "SADDR:SPORT>DADDR:DPORT"; what is not given comes from the context: peer to us for what arrives, the reverse
 *            for what leaves.
 * ATTRIBUTE  smac=XX:.. dmac=XX:.. type=HEX            Ethernet
 *            ttl=N tos=N id=N df mf off=BYTES rb=1     IPv4; when expected, what is not named is not compared
 *            opts=HEX                                  IPv4 options (padded with zeros)
 *            frag=OFF:LEN                              build the whole datagram, then take this slice of its payload (sets off and mf)
 *            ver=N ihl=N len=N sum=bad                 lies, for what arrives
 *            trunc=N pad=N                             cut the frame to N bytes; add N bytes of padding
 * PROTOCOL   tcp FLAGS [SEQ[:END[(LEN)]]] [ack N] [win N] [urg N] [<OPTION,...>] [sum=bad] [doff=N] [DATA]
 *                FLAGS of S F R P . (ACK) U E W, "-" for none. When expected, P is compared only if it is named.
 *                SEQ and ack are relative: 0 is the SYN of that direction (learned from the SYN seen; without one: absolute). "abs=1" makes all absolute.
 *                OPTION: mss N | wscale N | sackOK | TS val N ecr N | sack A:B [C:D ...] | nop | eol | kind K HEX. When expected: order and nop do not matter, a
 *                list must be complete unless it ends in "...", and without a list options are not compared. "ecr last": the last TS val of the other side.
 *                Payload bytes are frame_pattern(SEQ - 1 ...), and are compared with it, unless DATA is given.
 *            udp (LEN) | udp DATA  [sum=bad] [nosum] [ulen=N]
 *            icmp TYPE[/CODE] [id N] [seq N] [mtu N] [ptr N] [gw ADDR] [quote last | quote {FRAME}] [(LEN) | DATA] [sum=bad]
 *                TYPE: a number or echo, reply, unreach, exceeded, param, redirect, timestamp, timestamp-reply; CODE: a number or net, host, proto, port, frag, ttl, reasm.
 *                "quote last": about the last packet that went the other way, its IP header and eight bytes (more, when expected, is right too)
 *            ip PROTO (LEN) | ip PROTO DATA            any other IP payload
 *            arp request ADDR tell ADDR [from MAC] | arp reply ADDR is-at MAC [to ADDR] | arp hex=...
 *            raw HEX                                   the whole frame; ".." matches any byte when expected
 *            eth (LEN) | eth DATA                      any EtherType (type=)
 * DATA       "text" (with \r \n \x00), or hex=0011...
 * NUMBERS    decimal or 0x; when expected also "*" (any), ">=N", "<=N", "A..B".
 *
 * When expected, the checksums of IP, ICMP, UDP and TCP, the lengths, and the destination MAC (the peer's, or broadcast) are always compared.
 */
#ifndef TESTS_FRAME_H
#define TESTS_FRAME_H

#include <netstack/types.h>

#define FRAME_MAX     70000
#define FRAME_FLOWS   64
#define FRAME_DEVS    4

struct frame_flow { /* one TCP connection, by what the peer and we call ourselves */
	be32     paddr, laddr;
	uint16_t pport, lport;
	uint32_t pisn, lisn; /* initial sequence numbers, when known */
	bool     pknown, lknown;
	uint32_t pts, lts; /* last TS val of each side */
};

struct frame_dev {
	be32     peer, local;
	uint8_t  peer_mac[6], local_mac[6];
	uint8_t  last_in[2048], last_out[2048]; /* beginning of the last frame each way, for "quote last" */
	size_t   last_in_len, last_out_len;
};

struct frame_ctx {
	struct frame_dev  dev[FRAME_DEVS];
	uint16_t          pport, lport; /* defaults; lport 0: learned from the first SYN or datagram that leaves */
	uint32_t          peer_isn; /* of connections that the peer's rows open */
	struct frame_flow flow[FRAME_FLOWS];
	unsigned          nflows;
	char              err[512];
};

void frame_ctx_init(struct frame_ctx *c);
/* The byte at an offset of a stream. */
static inline uint8_t frame_pattern(uint64_t off) { return (uint8_t)(off * 131u + (off >> 8) * 29u + (off >> 16) * 7u + 3u); }
/* Builds a frame that arrives at device dev. Its length, or -1 with c->err. */
int  frame_build(struct frame_ctx *c, unsigned dev, const char *text, uint8_t *buf, size_t size);
/* Does a frame that left by dev look like text? Learns sequence numbers on the way. False: c->err says what differs. */
bool frame_match(struct frame_ctx *c, unsigned dev, const char *text, const uint8_t *buf, size_t len);
/* A frame in the words above (out: it left). */
void frame_describe(struct frame_ctx *c, unsigned dev, bool out, const uint8_t *buf, size_t len, char *text, size_t size);
/* Are lengths and checksums of an IPv4 frame right? False: why. True for what is not IPv4. */
bool frame_sound(const uint8_t *buf, size_t len, char *why, size_t size);

#endif
