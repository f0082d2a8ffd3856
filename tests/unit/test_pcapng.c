/* SPDX-License-Identifier: MIT */
/*
 * test_pcapng.c: the pcapng writer of captures against bytes, against libpcap, and against nsctl's reader; that reader against noise.
 */
#include "config.h"
#include "host.h"
#include "packets.h"
#include "pcapng.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>
#include <unistd.h>
#endif

static uint8_t *contents(struct evbuffer *out, size_t *len)
{
	*len = evbuffer_get_length(out);
	return evbuffer_pullup(out, -1);
}

Test(pcapng, section_and_interface_are_what_the_format_says)
{
	static const uint8_t section[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
		4, 0, 5, 0, 'a', 'p', 'p', ' ', '1', 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
	};
	static const uint8_t interface[] = {
		1, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 96, 0, 0, 0, 2, 0, 4, 0, 'e', 't', 'h', '0', 6, 0, 6, 0, 2, 0, 0, 0, 0, 1, 0, 0,
		9, 0, 1, 0, 9, 0, 0, 0, 11, 0, 4, 0, 0, 't', 'c', 'p', 0, 0, 0, 0, 72, 0, 0, 0,
	};
	static const struct eth_addr mac = { { 2, 0, 0, 0, 0, 1 } };
	struct pcapng_if i = { .name = "eth0", .addr = &mac, .snaplen = 96, .filter = "tcp" };
	struct evbuffer *out = evbuffer_new();
	uint8_t want[sizeof(interface)];
	size_t len;
	uint8_t *p;

	cr_assert_eq(pcapng_section(out, "app 1", NULL), 0);
	p = contents(out, &len);
	cr_assert_eq(len, sizeof(section));
	cr_expect_eq(memcmp(p, section, len), 0);
	evbuffer_drain(out, len);
	cr_assert_eq(pcapng_interface(out, &i), 0);
	p = contents(out, &len);
	memcpy(want, interface, sizeof(want));
	want[4] = want[sizeof(want) - 4] = (uint8_t)sizeof(want);
	cr_assert_eq(len, sizeof(want));
	cr_expect_eq(memcmp(p, want, len), 0);
	evbuffer_free(out);
}

/* Everything that the writer may be given comes out of the reader again. */
Test(pcapng, reader_gets_what_the_writer_was_given)
{
	uint64_t rng = test_seed("pcapng", 31);
	struct evbuffer *out = evbuffer_new();
	struct pcapng_reader r = { .nlinks = 0 };
	struct pcapng_packet given[300];
	uint8_t data[300], *p;
	char comment[300][40];
	unsigned n = 0, links = 0;
	size_t len, used = 0;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	cr_assert_eq(pcapng_section(out, "x", "Linux"), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct pcapng_packet *k = &given[n];
		char name[20];

		if (!links || !test_random_below(&rng, 40)) {
			snprintf(name, sizeof(name), "link%u", links++);
			cr_assert_eq(pcapng_interface(out, &(struct pcapng_if){ .name = name, .filter = links & 1 ? "ip" : NULL }), 0);
		}
		snprintf(comment[n], sizeof(comment[n]), "%.*s", (int)test_random_below(&rng, 30), "dropped: because of something or other");
		*k = (struct pcapng_packet){ .interface = test_random_below(&rng, links), .time = test_random(&rng), .caplen = test_random_below(&rng, 301), .flags = test_random_below(&rng, 64),
					     .lost = test_random_below(&rng, 2) ? test_random(&rng) : 0, .comment = comment[n][0] ? comment[n] : NULL };
		k->len = k->caplen + test_random_below(&rng, 3);
		cr_assert_eq(pcapng_packet(out, k, data), 0);
		n++;
	}
	cr_assert_eq(pcapng_statistics(out, &(struct pcapng_stats){ .delivered = 298, .dropped = 7 }), 0);
	cr_assert_eq(pcapng_statistics(out, &(struct pcapng_stats){ .interface = 1, .delivered = 2, .dropped = 1, .comment = "eth0 was removed" }), 0);
	p = contents(out, &len);
	n = 0;
	while (used < len) {
		ssize_t size = pcapng_block(p + used, len - used);
		struct pcapng_view v;
		char name[20];
		int what;

		cr_assert_gt(size, 0);
		cr_assert_eq(pcapng_block(p + used, (size_t)size - 1), 0, "one byte is missing");
		what = pcapng_read(&r, p + used, (size_t)size, &v);
		cr_assert_geq(what, 0);
		used += (size_t)size;
		if (!what)
			continue;
		snprintf(name, sizeof(name), "link%u", given[n].interface);
		cr_expect(strcmp(v.link->name, name) == 0 && v.time == given[n].time && v.len == given[n].len && v.caplen == given[n].caplen && v.flags == given[n].flags && v.lost == given[n].lost);
		cr_expect_eq(memcmp(v.data, data, v.caplen), 0);
		cr_expect(given[n].comment ? v.comment_len == strlen(given[n].comment) && memcmp(v.comment, given[n].comment, v.comment_len) == 0 : !v.comment);
		n++;
	}
	cr_expect(n == 300 && r.ended && r.delivered == 300 && r.dropped == 8 && strcmp(r.comment, "eth0 was removed") == 0);
	pcapng_reader_free(&r);
	evbuffer_free(out);
}

/* Noise, and good blocks with a few bytes changed: the reader must stay inside (the sanitizers look). */
Test(pcapng, reader_of_noise)
{
	uint64_t rng = test_seed("pcapng noise", 32);
	struct evbuffer *good = evbuffer_new();
	struct pcapng_packet k = { .caplen = 100, .len = 100, .comment = "dropped: x: y", .lost = 3 };
	uint8_t bytes[100] = { 0 }, *p;
	size_t len;

	cr_assert(!pcapng_section(good, "x", "y") && !pcapng_interface(good, &(struct pcapng_if){ .name = "eth0" }) && !pcapng_packet(good, &k, bytes) &&
		  !pcapng_statistics(good, &(struct pcapng_stats){ .delivered = 1 }));
	p = contents(good, &len);
	for (unsigned round = 0; round < 20000; round++) {
		struct pcapng_reader r = { .nlinks = 0 };
		uint8_t *copy = malloc(len);
		size_t used = 0;

		memcpy(copy, p, len);
		for (unsigned i = test_random_below(&rng, 6); i; i--)
			copy[test_random_below(&rng, (uint32_t)len)] = (uint8_t)test_random(&rng);
		while (used < len) {
			ssize_t size = pcapng_block(copy + used, len - used);
			uint8_t *exact;
			struct pcapng_view v;
			char text[200];

			if (size <= 0)
				break;
			exact = malloc((size_t)size); /* a block of just that size */
			memcpy(exact, copy + used, (size_t)size);
			if (pcapng_read(&r, exact, (size_t)size, &v) == 1)
				packet_text(v.data, v.caplen, v.len, text, sizeof(text));
			free(exact);
			used += (size_t)size;
		}
		pcapng_reader_free(&r);
		free(copy);
	}
	evbuffer_free(good);
}

#ifdef HAVE_LIBPCAP
Test(pcapng, libpcap_reads_it)
{
	char path[] = "/tmp/netstack-test-pcapng-XXXXXX", err[PCAP_ERRBUF_SIZE];
	struct evbuffer *out = evbuffer_new();
	struct pcapng_packet k = { .time = UINT64_C(1700000000123456789), .caplen = 60, .len = 1514, .flags = PCAPNG_OUT };
	uint8_t data[60] = { 1, 2, 3 }, *p;
	struct pcap_pkthdr *h;
	const uint8_t *got;
	int fd = mkstemp(path);
	size_t len;
	pcap_t *pcap;

	cr_assert(fd >= 0 && !pcapng_section(out, "x", NULL) && !pcapng_interface(out, &(struct pcapng_if){ .name = "eth0", .snaplen = 60 }) && !pcapng_packet(out, &k, data) &&
		  !pcapng_statistics(out, &(struct pcapng_stats){ .delivered = 1 }));
	p = contents(out, &len);
	cr_assert_eq(write(fd, p, len), (ssize_t)len);
	close(fd);
	pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
	unlink(path);
	cr_assert(pcap, "%s", err);
	cr_assert_eq(pcap_next_ex(pcap, &h, &got), 1, "%s", pcap_geterr(pcap));
	cr_expect(h->ts.tv_sec == 1700000000 && h->ts.tv_usec == 123456789 && h->caplen == 60 && h->len == 1514 && memcmp(got, data, 60) == 0);
	cr_expect_eq(pcap_next_ex(pcap, &h, &got), PCAP_ERROR_BREAK);
	pcap_close(pcap);
	evbuffer_free(out);
}
#endif
