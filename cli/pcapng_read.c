/* SPDX-License-Identifier: MIT */
/*
 * pcapng_read.c: reads the pcapng blocks that netstackd writes: section, interfaces, packets, statistics. Byte order is the host's, since both ends are on one machine.
 *
 * Every length is checked against what is there, as of bytes from anywhere. Other blocks and options are passed over.
 */
#include "packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
enum { OPT_COMMENT = 1, IF_NAME = 2, IF_TSRESOL = 9, EPB_FLAGS = 2, EPB_DROPCOUNT = 4, ISB_FILTERACCEPT = 6, ISB_OSDROP, ISB_USRDELIV = 8 };

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_MAX        (16u << 20)
#define LINKS_MAX        65536u

static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint16_t get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

ssize_t pcapng_block(const uint8_t *buf, size_t len)
{
	uint32_t size;

	if (len < 8)
		return 0;
	size = get32(buf + 4);
	if (size < 12 || size % 4 || size > BLOCK_MAX)
		return -EPROTO;
	if (len < size)
		return 0;
	return get32(buf + size - 4) == size ? (ssize_t)size : -EPROTO;
}

/* The next option in [*p, end): its code, or 0 at the end. */
static uint16_t next_option(const uint8_t **p, const uint8_t *end, const uint8_t **value, uint16_t *len)
{
	uint16_t code;

	if (end - *p < 4)
		return 0;
	code = get16(*p);
	*len = get16(*p + 2);
	*value = *p + 4;
	if ((size_t)(end - *value) < (size_t)((*len + 3u) & ~3u))
		return 0;
	*p = *value + ((*len + 3u) & ~3u);
	return code;
}

static int read_interface(struct pcapng_reader *r, const uint8_t *p, const uint8_t *end)
{
	struct pcapng_link *l = r->nlinks < LINKS_MAX ? realloc(r->links, (r->nlinks + 1) * sizeof(*l)) : NULL;
	const uint8_t *v;
	uint16_t code, n;

	if (!l)
		return -ENOMEM;
	r->links = l;
	l += r->nlinks++;
	memset(l, 0, sizeof(*l));
	l->tsresol = 6;
	if (end - p < 8)
		return -EPROTO;
	p += 8;
	while ((code = next_option(&p, end, &v, &n))) {
		if (code == IF_NAME)
			memcpy(l->name, v, n < sizeof(l->name) ? n : sizeof(l->name) - 1);
		else if (code == IF_TSRESOL && n == 1)
			l->tsresol = *v;
	}
	return 0;
}

static uint64_t to_ns(uint64_t t, uint8_t resol)
{
	for (; resol < 9; resol++)
		t *= 10;
	return t;
}

static int read_packet(const struct pcapng_reader *r, const uint8_t *p, const uint8_t *end, struct pcapng_view *k)
{
	const uint8_t *v;
	uint32_t id, room;
	uint16_t code, n;

	if (end - p < 20)
		return -EPROTO;
	memset(k, 0, sizeof(*k));
	id = get32(p);
	if (id >= r->nlinks)
		return -EPROTO;
	k->link = &r->links[id];
	k->time = to_ns((uint64_t)get32(p + 4) << 32 | get32(p + 8), k->link->tsresol);
	k->caplen = get32(p + 12);
	k->len = get32(p + 16);
	p += 20;
	room = (uint32_t)(end - p);
	if (k->caplen > room || ((k->caplen + 3) & ~3u) > room)
		return -EPROTO;
	k->data = p;
	p += (k->caplen + 3) & ~3u;
	while ((code = next_option(&p, end, &v, &n))) {
		if (code == OPT_COMMENT) {
			k->comment = (const char *)v;
			k->comment_len = n;
		} else if (code == EPB_FLAGS && n == 4) {
			k->flags = get32(v);
		} else if (code == EPB_DROPCOUNT && n == 8) {
			k->lost = get64(v);
		}
	}
	return 1;
}

static int read_statistics(struct pcapng_reader *r, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *v;
	uint16_t code, n;

	if (end - p < 12)
		return -EPROTO;
	p += 12;
	while ((code = next_option(&p, end, &v, &n))) {
		if (code == ISB_FILTERACCEPT && n == 8)
			r->accepted += get64(v);
		else if (code == ISB_OSDROP && n == 8)
			r->dropped += get64(v);
		else if (code == ISB_USRDELIV && n == 8)
			r->delivered += get64(v);
		else if (code == OPT_COMMENT && n < sizeof(r->comment)) {
			memcpy(r->comment, v, n);
			r->comment[n] = 0;
		}
	}
	r->ended = true;
	return 0;
}

int pcapng_read(struct pcapng_reader *r, const uint8_t *block, size_t len, struct pcapng_view *view)
{
	const uint8_t *p = block + 8, *end = block + len - 4;

	switch (get32(block)) {
	case BLOCK_SECTION:
		return len >= 28 && get32(p) == BYTE_ORDER_MAGIC ? 0 : -EPROTO;
	case BLOCK_INTERFACE:
		return read_interface(r, p, end);
	case BLOCK_PACKET:
		return read_packet(r, p, end, view);
	case BLOCK_STATISTICS:
		return read_statistics(r, p, end);
	default:
		return 0;
	}
}

void pcapng_reader_free(struct pcapng_reader *r)
{
	free(r->links);
	memset(r, 0, sizeof(*r));
}
