/* SPDX-License-Identifier: MIT */
/*
 * filter.c: libpcap's filter language (pcap-filter(7)) to a program that the daemon runs.
 *
 * Names of hosts and networks are looked up here, by libpcap, as for tcpdump. What comes out is checked again by the daemon.
 */
#include "config.h"
#include "packets.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slips of the hand ---- */

/* What may stand in a filter, as far as people use it; what belongs before it: the words of "capture". */
static const char *const filter_words[] = {
	"host", "net", "port", "portrange", "src", "dst", "and", "or", "not", "ether", "gateway", "broadcast", "multicast", "ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp",
	"icmp6", "igmp", "sctp", "vlan", "mpls", "proto", "protochain", "len", "less", "greater", "inbound", "outbound", "mask", "icmptype", "icmpcode", "tcpflags", "tcp-syn",
	"tcp-ack", "tcp-fin", "tcp-rst", "tcp-push", "icmp-echo", "icmp-echoreply", "icmp-unreach", "icmp-timxceed", "stp", "llc", "pppoes", "ah", "esp", "pim", "vrrp",
};
static const char *const capture_words[] = { "dev", "file", "count", "snaplen", "drops", "buffer", "no-promisc" };

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static const char *nearest(const char *word, const char *const *list, size_t n, unsigned *distance)
{
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = grammar_distance(word, list[i]);

		if (d >= *distance)
			continue;
		*distance = d;
		found = list[i];
	}
	return found;
}

/* After these a name may stand that is in no list. */
static bool takes_name(const char *word)
{
	static const char *const list[] = { "host", "net", "port", "portrange", "src", "dst", "gateway", "proto", "protochain" };

	return is_one_of(word, list, LEN(list));
}

static bool hint_word(const char *word, char *buf, size_t size)
{
	unsigned distance = UINT32_MAX;
	const char *filter, *capture;

	if (word[0] == '-' || is_one_of(word, capture_words, LEN(capture_words))) {
		snprintf(buf, size, "; what belongs to capture, as \"%s\", stands before the filter", word);
		return true;
	}
	if (is_one_of(word, filter_words, LEN(filter_words)))
		return false;
	filter = nearest(word, filter_words, LEN(filter_words), &distance);
	capture = nearest(word, capture_words, LEN(capture_words), &distance);
	if (capture)
		snprintf(buf, size, "; did you mean \"%s\", of capture, instead of \"%s\"?", capture, word);
	else if (filter)
		snprintf(buf, size, "; did you mean \"%s\" instead of \"%s\"?", filter, word);
	return filter || capture;
}

void filter_hint(const char *expression, char *buf, size_t size)
{
	char word[32] = "", last[32] = "";

	buf[0] = '\0';
	for (const char *s = expression; *s;) {
		size_t n = strcspn(s, " \t()[]!&|=<>+*/,");

		if (n && n < sizeof(word)) {
			memcpy(word, s, n);
			word[n] = '\0';
			if ((isalpha((unsigned char)word[0]) || word[0] == '-') && !strpbrk(word, ".:") && !takes_name(last) && hint_word(word, buf, size))
				return;
			memcpy(last, word, sizeof(last));
		}
		s += n + (s[n] != '\0');
	}
}

/* ---- the filter ---- */

#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>

#define LINE_MAX_BYTES 26 /* ",65535 255 255 4294967295" */
#define PROGRAM_MAX    2000 /* instructions that fit a request */

static char *program_text(const struct bpf_program *prog)
{
	char *text = malloc(16 + (size_t)prog->bf_len * LINE_MAX_BYTES), *p = text;

	if (!text)
		return NULL;
	p += sprintf(p, "%u", prog->bf_len);
	for (unsigned i = 0; i < prog->bf_len; i++)
		p += sprintf(p, ",%u %u %u %u", prog->bf_insns[i].code, prog->bf_insns[i].jt, prog->bf_insns[i].jf, prog->bf_insns[i].k);
	return text;
}

char *filter_compile(const char *expression, char *why, size_t size)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	char *text = NULL, hint[128];
	struct bpf_program prog;

	snprintf(why, size, "out of memory");
	if (!p)
		return NULL;
	if (pcap_compile(p, &prog, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		if (expression[0] == '-') { /* out of the habits of tcpdump: -n, -e, -l */
			snprintf(why, size, "\"%.*s\" is no option of capture; there are -i, -w, -c, -s, -B, -p and --drops (names are never looked up; a network namespace is named before capture)", (int)strcspn(expression, " "),
				 expression);
		} else {
			filter_hint(expression, hint, sizeof(hint));
			snprintf(why, size, "\"%.200s\" is not a filter: %s%s (pcap-filter(7) has the language; a link is named with -i)", expression, pcap_geterr(p), hint);
		}
	} else {
		if (prog.bf_len > PROGRAM_MAX)
			snprintf(why, size, "the filter is too long: %u instructions, at most %d are possible", prog.bf_len, PROGRAM_MAX);
		else
			text = program_text(&prog);
		pcap_freecode(&prog);
	}
	pcap_close(p);
	return text;
}
#else
char *filter_compile(const char *expression, char *why, size_t size)
{
	snprintf(why, size, "this nsctl was built without libpcap, so it cannot understand the filter \"%.200s\"; capture without one, and filter with tcpdump -r or tshark", expression);
	return NULL;
}
#endif
