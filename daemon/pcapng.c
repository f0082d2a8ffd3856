/* SPDX-License-Identifier: MIT */
/*
 * pcapng.c: writes pcapng blocks (draft-ietf-opsawg-pcapng: section header 4.1, interface description 4.2, enhanced packet 4.3, interface statistics 4.6).
 *
 * A block is its type, its length, a fixed part, options, and its length again; every part is padded to 32 bits. Its length is known before the first byte is written, so
 * a block is filled in place in the buffer, or not begun.
 *
 * Not done: reading (nsctl does), name resolution and custom blocks.
 */
#include "pcapng.h"

#include <errno.h>
#include <event2/buffer.h>
#include <sys/uio.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
enum { OPT_END, OPT_COMMENT };
enum { SHB_HARDWARE = 2, SHB_OS, SHB_USERAPPL };
enum { IF_NAME = 2, IF_DESCRIPTION, IF_MACADDR = 6, IF_TSRESOL = 9, IF_FILTER = 11, IF_OS };
enum { EPB_FLAGS = 2, EPB_DROPCOUNT = 4, EPB_QUEUE = 6 };
enum { ISB_STARTTIME = 2, ISB_ENDTIME, ISB_IFRECV, ISB_FILTERACCEPT = 6, ISB_OSDROP, ISB_USRDELIV };

#define LINKTYPE_ETHERNET 1
#define BYTE_ORDER_MAGIC  0x1a2b3c4du
#define OPTION_MAX        65535u

struct block {
	struct evbuffer      *out;
	struct evbuffer_iovec vec;
	unsigned char        *p;
	uint32_t              size;
};

static uint32_t padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

static uint32_t option_size(size_t len)
{
	return 4 + padded((uint32_t)(len > OPTION_MAX ? OPTION_MAX : len));
}

static uint32_t text_size(const char *text)
{
	return text ? option_size(strlen(text)) : 0;
}

static void put(struct block *b, const void *data, uint32_t len)
{
	memcpy(b->p, data, len);
	memset(b->p + len, 0, padded(len) - len);
	b->p += padded(len);
}

static void put32(struct block *b, uint32_t v) { put(b, &v, sizeof(v)); }

static void put_time(struct block *b, uint64_t t) /* the upper half stands first, whatever the byte order */
{
	put32(b, (uint32_t)(t >> 32));
	put32(b, (uint32_t)t);
}

static void put_option(struct block *b, uint16_t code, const void *data, size_t len)
{
	uint16_t head[2] = { code, (uint16_t)(len > OPTION_MAX ? OPTION_MAX : len) };

	put(b, head, sizeof(head));
	put(b, data, head[1]);
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	if (text)
		put_option(b, code, text, strlen(text));
}

static void put_end(struct block *b)
{
	put_option(b, OPT_END, "", 0);
}

/* size: of everything between the two lengths. */
static int block_begin(struct block *b, struct evbuffer *out, uint32_t type, uint32_t size)
{
	b->out = out;
	b->size = size + 12;
	if (evbuffer_reserve_space(out, b->size, &b->vec, 1) < 1 || b->vec.iov_len < b->size)
		return -ENOMEM;
	b->p = b->vec.iov_base;
	put32(b, type);
	put32(b, b->size);
	return 0;
}

static int block_end(struct block *b)
{
	put32(b, b->size);
	b->vec.iov_len = b->size;
	return evbuffer_commit_space(b->out, &b->vec, 1) < 0 ? -ENOMEM : 0;
}

int pcapng_section(struct evbuffer *out, const char *application, const char *os)
{
	uint16_t version[2] = { 1, 0 };
	int64_t length = -1; /* not known */
	struct block b;

	if (block_begin(&b, out, BLOCK_SECTION, 16 + text_size(application) + text_size(os) + 4))
		return -ENOMEM;
	put32(&b, BYTE_ORDER_MAGIC);
	put(&b, version, sizeof(version));
	put(&b, &length, sizeof(length));
	put_text(&b, SHB_OS, os);
	put_text(&b, SHB_USERAPPL, application);
	put_end(&b);
	return block_end(&b);
}

int pcapng_interface(struct evbuffer *out, const struct pcapng_if *i)
{
	static const uint8_t nanoseconds = 9;
	size_t filter_len = i->filter ? strlen(i->filter) : 0;
	uint32_t size = 8 + text_size(i->name) + text_size(i->description) + (i->addr ? option_size(ETH_ADDR_LEN) : 0) + option_size(1);
	unsigned char *at;
	struct block b;

	if (filter_len > OPTION_MAX - 1)
		filter_len = OPTION_MAX - 1;
	if (i->filter)
		size += option_size(1 + filter_len);
	if (block_begin(&b, out, BLOCK_INTERFACE, size + 4))
		return -ENOMEM;
	put32(&b, LINKTYPE_ETHERNET);
	put32(&b, i->snaplen);
	put_text(&b, IF_NAME, i->name);
	put_text(&b, IF_DESCRIPTION, i->description);
	if (i->addr)
		put_option(&b, IF_MACADDR, i->addr->b, ETH_ADDR_LEN);
	put_option(&b, IF_TSRESOL, &nanoseconds, 1);
	if (i->filter) { /* its first byte, 0, says that libpcap's language follows */
		uint16_t head[2] = { IF_FILTER, (uint16_t)(1 + filter_len) };

		put(&b, head, sizeof(head));
		at = b.p;
		memset(at, 0, padded((uint32_t)(1 + filter_len)));
		memcpy(at + 1, i->filter, filter_len);
		b.p += padded((uint32_t)(1 + filter_len));
	}
	put_end(&b);
	return block_end(&b);
}

int pcapng_packet(struct evbuffer *out, const struct pcapng_packet *k, const void *data)
{
	uint32_t size = 20 + padded(k->caplen) + option_size(4) + option_size(4) + (k->lost ? option_size(8) : 0) + text_size(k->comment) + 4;
	struct block b;

	if (block_begin(&b, out, BLOCK_PACKET, size))
		return -ENOMEM;
	put32(&b, k->interface);
	put_time(&b, k->time);
	put32(&b, k->caplen);
	put32(&b, k->len);
	put(&b, data, k->caplen);
	put_text(&b, OPT_COMMENT, k->comment);
	put_option(&b, EPB_FLAGS, &k->flags, 4);
	if (k->lost)
		put_option(&b, EPB_DROPCOUNT, &k->lost, 8);
	put_option(&b, EPB_QUEUE, &k->queue, 4);
	put_end(&b);
	return block_end(&b);
}

static void put_option_time(struct block *b, uint16_t code, uint64_t t)
{
	uint32_t halves[2] = { (uint32_t)(t >> 32), (uint32_t)t };

	put_option(b, code, halves, 8);
}

int pcapng_statistics(struct evbuffer *out, const struct pcapng_stats *s)
{
	struct block b;

	if (block_begin(&b, out, BLOCK_STATISTICS, 12 + text_size(s->comment) + 6 * option_size(8) + 4))
		return -ENOMEM;
	put32(&b, s->interface);
	put_time(&b, s->time);
	put_text(&b, OPT_COMMENT, s->comment);
	put_option_time(&b, ISB_STARTTIME, s->start);
	put_option_time(&b, ISB_ENDTIME, s->end);
	put_option(&b, ISB_IFRECV, &s->received, 8);
	put_option(&b, ISB_FILTERACCEPT, &s->accepted, 8);
	put_option(&b, ISB_OSDROP, &s->dropped, 8);
	put_option(&b, ISB_USRDELIV, &s->delivered, 8);
	put_end(&b);
	return block_end(&b);
}
