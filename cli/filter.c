/* SPDX-License-Identifier: MIT */
/*
 * filter.c: libpcap's filter language (pcap-filter(7)) to a program that the daemon runs.
 *
 * Names of hosts and networks are looked up here, by libpcap, as for tcpdump. What comes out is checked again by the daemon.
 */
#include "config.h"
#include "packets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct bpf_program prog;
	char *text = NULL;

	snprintf(why, size, "out of memory");
	if (!p)
		return NULL;
	if (pcap_compile(p, &prog, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		if (expression[0] == '-') /* out of the habits of tcpdump: -n, -e, -l */
			snprintf(why, size, "\"%.*s\" is no option of capture; there are -i, -w, -c, -s, -B, -p and --drops (names are never looked up; a network namespace is named before capture)", (int)strcspn(expression, " "),
				 expression);
		else
			snprintf(why, size, "\"%.200s\" is not a filter: %s (pcap-filter(7) has the language; a link is named with -i)", expression, pcap_geterr(p));
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
