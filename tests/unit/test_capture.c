/* SPDX-License-Identifier: MIT */
/*
 * test_capture.c: the parts of "nsctl capture" on both ends: the ring against a queue of its records, the form of programs, packets as text.
 */
#include "config.h"
#include "capture.h"
#include "capture_ring.h"
#include "host.h"
#include "packets.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))

/* ---- the ring ---- */

/* The naive twin: what was taken stands in an array; random sizes, a producer and a consumer that take turns at random. */
Test(capture_ring, gives_back_what_it_took_in_order)
{
	uint64_t rng = test_seed("capture ring", 33);
	struct capture_ring r;
	uint64_t given = 0, taken = 0, lost = 0, told = 0;
	static uint32_t sizes[200000];

	cr_assert_eq(capture_ring_init(&r, 8000), 0);
	cr_expect_eq(r.mask, 8191);
	for (unsigned step = 0; step < 300000 && given < LEN(sizes); step++) {
		if (test_random_below(&rng, 2)) {
			uint32_t n = test_random_below(&rng, test_random_below(&rng, 10) ? 200 : 9000);
			struct capture_record *rec = capture_ring_reserve(&r, n);

			if (!rec) {
				lost++;
				continue;
			}
			memset(rec->data, (int)(given & 0xff), n);
			rec->time = given;
			sizes[given++] = n;
			capture_ring_push(&r, rec, NULL, 0);
		} else if (test_random_below(&rng, 2)) {
			capture_ring_publish(&r);
		} else {
			const struct capture_record *rec = capture_ring_peek(&r);

			if (!rec)
				continue;
			cr_assert(rec->time == taken && rec->caplen == sizes[taken] && !rec->skip);
			for (uint32_t i = 0; i < rec->caplen; i++)
				cr_assert_eq(rec->data[i], (uint8_t)taken);
			told += rec->lost;
			taken++;
			capture_ring_pop(&r, rec);
		}
	}
	capture_ring_publish(&r);
	for (const struct capture_record *rec; (rec = capture_ring_peek(&r)); taken++) {
		cr_assert(rec->time == taken && rec->caplen == sizes[taken]);
		told += rec->lost;
		capture_ring_pop(&r, rec);
	}
	cr_expect(taken == given && given > 20000 && lost > 100 && told + r.lost == lost, "%llu of %llu, %llu lost", (unsigned long long)taken, (unsigned long long)given, (unsigned long long)lost);
	capture_ring_exit(&r);
}

Test(capture_ring, a_record_can_be_found_until_it_is_published)
{
	struct capture_record *rec[40];
	struct capture_ring r;
	int keys[40];

	cr_assert_eq(capture_ring_init(&r, 65536), 0);
	cr_expect_null(capture_ring_find(&r, &keys[0], 1));
	for (unsigned i = 0; i < 40; i++) {
		rec[i] = capture_ring_reserve(&r, 100);
		capture_ring_push(&r, rec[i], &keys[i == 39 ? 38 : i], 1);
		cr_expect_eq(capture_ring_find(&r, &keys[i == 39 ? 38 : i], 1), rec[i], "the newest of a key");
	}
	cr_expect_eq(capture_ring_find(&r, &keys[30], 1), rec[30]);
	cr_expect_null(capture_ring_find(&r, &keys[30], 2), "another packet that stands where one stood");
	cr_expect_null(capture_ring_find(&r, &keys[3], 1), "only the last ones are remembered");
	cr_expect_null(capture_ring_peek(&r), "nothing is published");
	cr_expect(capture_ring_publish(&r));
	cr_expect_not(capture_ring_publish(&r));
	cr_expect_null(capture_ring_find(&r, &keys[30], 1));
	cr_expect_eq(capture_ring_peek(&r), rec[0]);
	capture_ring_exit(&r);
}

/* ---- programs ---- */

Test(capture, programs_in_tcpdumps_form)
{
	static const struct {
		const char *text;
		int ret;
	} rows[] = {
		{ "1,6 0 0 65535", 1 }, { "1,6 0 0 65535,", 1 }, { "2,40 0 0 12,6 0 0 0", 2 }, { "1,6 0 0 4294967295", 1 }, { "", -EINVAL }, { "0", -EINVAL }, { "0,", -EINVAL },
		{ "1", -EINVAL }, { "1,", -EINVAL }, { "2,6 0 0 1", -EINVAL }, { "1,6 0 0 1,6 0 0 1", -EINVAL }, { "1,6 0 0", -EINVAL }, { "1,6 0 0 4294967296", -EINVAL },
		{ "1,65536 0 0 1", -EINVAL }, { "1,6 256 0 1", -EINVAL }, { "1,6 0 0 -1", -EINVAL }, { "1, 6 0 0 1", -EINVAL }, { "1,6 0 0 1x", -EINVAL }, { "1 6 0 0 1", -EINVAL },
		{ "4097,6 0 0 1", -EINVAL }, { "99999999999999999999,6 0 0 1", -EINVAL }, { "1,5 0 0 0", -EINVAL }, { "1,21 0 0 1", -EINVAL }, { "2,96 0 0 1,6 0 0 1", -EINVAL },
	};

	for (unsigned i = 0; i < LEN(rows); i++) {
		struct sock_filter *prog = NULL;
		const char *why = NULL;
		int n = capture_parse_program(rows[i].text, &prog, &why);

		cr_expect_eq(n, rows[i].ret, "\"%s\": %d", rows[i].text, n);
		cr_expect((n > 0) == (prog != NULL) && (n > 0 || why), "\"%s\"", rows[i].text);
		free(prog);
	}
}

Test(capture, filters_become_programs_that_pass)
{
	static const char *const filters[] = { "tcp", "port 80 or port 443", "host 10.0.0.1 and not icmp", "ip[8] < 5", "ether proto 0x88b5", "vlan 7 and ip", "inbound", "greater 1000" };
	char why[512];

#ifdef HAVE_LIBPCAP
	for (unsigned i = 0; i < LEN(filters); i++) {
		char *text = filter_compile(filters[i], why, sizeof(why));
		struct sock_filter *prog = NULL;
		const char *bad = "";

		cr_assert(text, "%s: %s", filters[i], why);
		cr_expect_gt(capture_parse_program(text, &prog, &bad), 0, "%s: %s", filters[i], bad);
		free(prog);
		free(text);
	}
	cr_expect_null(filter_compile("no such filter", why, sizeof(why)));
	cr_expect(strstr(why, "no such filter") && strstr(why, "pcap-filter"), "%s", why);
#else
	cr_expect_null(filter_compile(filters[0], why, sizeof(why)));
	cr_expect(strstr(why, "libpcap"), "%s", why);
#endif
}

/* ---- text ---- */

/* ---- slips of the hand in a filter ---- */

Test(capture, a_wrong_filter_names_the_word_that_was_meant)
{
	static const struct { const char *filter, *hint; } rows[] = {
		{ "cuont 3", "; did you mean \"count\", of capture, instead of \"cuont\"?" },
		{ "tpc port 80", "; did you mean \"tcp\" instead of \"tpc\"?" },
		{ "tcp prot 80", "; did you mean \"port\" instead of \"prot\"?" },
		{ "(icmp)&&(hsot 10.0.0.1)", "; did you mean \"host\" instead of \"hsot\"?" },
		{ "icmp count 3", "; what belongs to capture, as \"count\", stands before the filter" },
		{ "icmp -c 3", "; what belongs to capture, as \"-c\", stands before the filter" },
		{ "host tpc", "" }, /* a name */
		{ "tcp 80", "" }, { "qwertzuiop", "" }, { "10.0.0.1 tcp.", "" }, { "", "" }, { " ( ", "" },
		{ "averyveryveryveryveryveryveryverylongword", "" },
	};
	char hint[128];

	for (unsigned i = 0; i < LEN(rows); i++) {
		filter_hint(rows[i].filter, hint, sizeof(hint));
		cr_expect_str_eq(hint, rows[i].hint, "%s: %s", rows[i].filter, hint);
	}
}

Test(capture, packets_as_text)
{
	static const struct {
		const char *hex;
		uint32_t len;
		const char *text;
	} rows[] = {
		{ "ffffffffffff0200000000090806000108000604000102000000000 9c0000202000000000000c0000201", 42, "ARP who has 192.0.2.1? tell 192.0.2.2" },
		{ "0200000000010200000000090806000108000604000202000000 0009c000020202000000 0001c0000201", 42, "ARP 192.0.2.2 is at 02:00:00:00:00:09" },
		{ "02000000000102000000000908004500003c000040004006 0000c0000202c00002019c4000500000000a000000005002fde80000 0000", 74,
		  "192.0.2.2:40000 > 192.0.2.1:80 TCP [S] seq 10 win 65000 len 20" },
		{ "020000000001020000000009080045000028000040004006 0000c0000202c00002019c4000500000000a000000145011fde80000 0000", 54,
		  "192.0.2.2:40000 > 192.0.2.1:80 TCP [F.] seq 10 ack 20 win 65000 len 0" },
		{ "020000000001020000000009080045000021000000004011 0000c0000202c000020100070009000d0000", 47, "192.0.2.2:7 > 192.0.2.1:9 UDP len 5" },
		{ "0200000000010200000000098100000508004500001c000000004001 0000c0000202c00002010800000000010002", 46,
		  "vlan 5 192.0.2.2 > 192.0.2.1 ICMP echo request id 1 seq 2 len 8" },
		{ "020000000001020000000009080045000038000000004001 0000c0000202c000020103040000000005dc", 70, "192.0.2.2 > 192.0.2.1 ICMP fragmentation needed mtu 1500 len 36" },
		{ "020000000001020000000009080045000038000020b94011 0000c0000202c000020103040000000005dc", 70, "192.0.2.2 > 192.0.2.1 fragment of protocol 17 at 1480 len 36+" },
		{ "02000000000102000000000986dd60000000000406403ffe00000000000000000000000000013ffe000000000000000000000000000200160050", 58,
		  "[3ffe::1]:22 > [3ffe::2]:80 TCP [cut]" },
		{ "020000000001020000000009 88b5 0102", 60, "02:00:00:00:00:09 > 02:00:00:00:00:01 ethertype 0x88b5 len 46" },
		{ "0180c2000000020000000009 0026 4242", 60, "02:00:00:00:00:09 > 01:80:c2:00:00:00 802.3 len 46" },
		{ "0200000000010200000000090800450000", 60, "IPv4 [cut]" },
		{ "02000000000102000000000908004500002800004000400600 00c0000202c000020100500051", 54, "192.0.2.2:80 > 192.0.2.1:81 TCP [cut]" },
		{ "0102", 2, "a frame of 2 bytes" },
	};

	for (unsigned i = 0; i < LEN(rows); i++) {
		uint8_t *bytes = malloc(strlen(rows[i].hex) / 2 + 1);
		char text[256], tiny[8];
		size_t n = 0;
		unsigned v;

		for (const char *s = rows[i].hex; *s; s += 2) {
			char two[3];

			while (*s == ' ')
				s++;
			two[0] = s[0];
			while (s[1] == ' ')
				s++;
			two[1] = s[1];
			two[2] = 0;
			cr_assert_eq(sscanf(two, "%2x", &v), 1);
			bytes[n++] = (uint8_t)v;
		}
		packet_text(bytes, n, rows[i].len, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].text, "row %u: %s", i, text);
		packet_text(bytes, n, rows[i].len, tiny, sizeof(tiny));
		cr_expect(strlen(tiny) < sizeof(tiny) && strncmp(tiny, text, strlen(tiny)) == 0);
		for (size_t cut = 0; cut < n; cut++) { /* whatever is missing: no byte behind it is read */
			uint8_t *exact = malloc(cut ? cut : 1);

			memcpy(exact, bytes, cut);
			packet_text(exact, cut, rows[i].len, text, sizeof(text));
			cr_expect_lt(strlen(text), sizeof(text));
			free(exact);
		}
		free(bytes);
	}
}
