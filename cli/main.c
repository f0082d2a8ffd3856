/* SPDX-License-Identifier: MIT */
/*
 * main.c: nsctl's options. What follows them is a line of the grammar (conf/grammar.h); nsctl(1) is the manual.
 */
#include "config.h"
#include "control_proto.h"
#include "grammar.h"
#include "nsctl.h"
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_COMPLETE = 256, OPT_SYNOPSIS };

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "human", no_argument, NULL, 'H' },
	{ "info", no_argument, NULL, 'i' },
	{ "netns", required_argument, NULL, 'n' },
	{ "socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "complete", required_argument, NULL, OPT_COMPLETE }, /* for the shell */
	{ "synopsis", optional_argument, NULL, OPT_SYNOPSIS }, /* for the manual */
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: nsctl [-j] [-H] [-s PATH] [-n NETNS] COMMAND\n\n"
	      "  -j, --json         JSON instead of tables\n"
	      "  -H, --human        1.2M instead of 1234567\n"
	      "  -i, --info         show sockets: the inside of TCP too\n"
	      "  -n, --netns NETNS  about this network namespace (default: the first)\n"
	      "  -s, --socket PATH  the daemon's control socket\n"
	      "                     (default: $" CONTROL_PATH_ENV " or " CONTROL_PATH_DEFAULT ")\n"
	      "  -h, --help         this\n"
	      "  -V, --version      version of nsctl\n\n",
	      out);
	grammar_help("", out, NULL);
}

/* Whether word is an option that may follow the command, too; then it is noted. */
static bool late_option(struct nsctl *ctl, const char *word)
{
	if (strcmp(word, "-j") == 0 || strcmp(word, "--json") == 0)
		ctl->json = true;
	else if (strcmp(word, "-H") == 0 || strcmp(word, "--human") == 0)
		ctl->human = true;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *env = getenv(CONTROL_PATH_ENV);
	struct nsctl ctl = { .socket = env && *env ? env : CONTROL_PATH_DEFAULT };
	const char *complete = NULL;
	char info_word[] = "-i", netns_word[] = "-n", name[] = "nsctl", *netns = NULL;
	bool info = false;
	int c, n = 0, status;
	char **words, *line;

	setlocale(LC_CTYPE, "");
	argv[0] = name; /* in getopt's messages */
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is seen when output ends */
	while ((c = getopt_long(argc, argv, "+jHin:s:hV", options, NULL)) != -1)
		switch (c) {
		case 'j':
			ctl.json = true;
			break;
		case 'H':
			ctl.human = true;
			break;
		case 'i':
			info = true;
			break;
		case 'n':
			netns = optarg;
			break;
		case 's':
			ctl.socket = optarg;
			break;
		case 'h':
			usage(stdout);
			return fflush(stdout) ? NSCTL_REFUSED : NSCTL_DONE;
		case 'V':
			printf("nsctl %s\n", PACKAGE_VERSION);
			return fflush(stdout) ? NSCTL_REFUSED : NSCTL_DONE;
		case OPT_COMPLETE:
			complete = optarg;
			break;
		case OPT_SYNOPSIS:
			grammar_synopsis(stdout, optarg && strcmp(optarg, "mdoc") == 0 ? GRAMMAR_MDOC : GRAMMAR_PLAIN);
			return fflush(stdout) ? NSCTL_REFUSED : NSCTL_DONE;
		default:
			fputs("nsctl: \"nsctl --help\" tells which options there are\n", stderr);
			return NSCTL_WORDS;
		}
	if (complete) {
		nsctl_complete(&ctl, complete);
		return NSCTL_DONE;
	}
	words = calloc((size_t)(argc - optind) + 4, sizeof(*words));
	if (!words)
		goto nomem;
	if (netns) {
		words[n++] = netns_word;
		words[n++] = netns;
	}
	for (int i = optind; i < argc; i++)
		if (!late_option(&ctl, argv[i]))
			words[n++] = argv[i];
	if (n == (netns ? 2 : 0)) {
		free(words);
		usage(stderr);
		return NSCTL_WORDS;
	}
	if (info)
		words[n++] = info_word;
	line = nsctl_join(n, words);
	free(words);
	if (!line)
		goto nomem;
	status = nsctl_run(&ctl, line);
	free(line);
	return status;
nomem:
	fputs("nsctl: out of memory\n", stderr);
	return NSCTL_REFUSED;
}
