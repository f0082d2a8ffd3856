/* SPDX-License-Identifier: MIT */
/*
 * complete.c: what the shell's completion asks: the grammar knows the words, the daemon the names of links and tunables. Silent in every case of trouble.
 */
#include "client.h"
#include "grammar.h"
#include "nsctl.h"
#include "format.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const opts[] = { "-j", "--json", "-H", "--human", "-i", "--info", "-n", "--netns", "-s", "--socket", "-h", "--help", "-V", "--version" };

struct wants {
	struct nsctl ctl;
	const char  *begin; /* of the last word */
	char         netns[2 * GRAMMAR_NETNS_MAX + 8]; /* "-n NAME ", or empty */
};

struct names {
	const char *begin, *key;
};

static int print_name(void *arg, json_t *record)
{
	const struct names *n = arg;
	const char *s = rec_str(record, n->key);

	if (*s && strncmp(s, n->begin, strlen(n->begin)) == 0)
		puts(s);
	return 0;
}

/* Prints the values of key in the records that line gives. */
static void ask(const struct wants *w, const char *line, const char *key)
{
	struct names n = { w->begin, key };
	char why[512], whole[sizeof(w->netns) + 32];
	struct client c;
	json_t *final = NULL;

	snprintf(whole, sizeof(whole), "%s%s", w->netns, line);
	if (client_open(&c, w->ctl.socket, why, sizeof(why)))
		return;
	client_request(&c, whole, 0, print_name, &n, &final, why, sizeof(why));
	json_decref(final);
	client_close(&c);
}

static void candidate(void *arg, const char *word, const char *value, const char *help)
{
	const struct wants *w = arg;

	(void)help;
	if (*word)
		puts(word);
	else if (strcmp(value, "FILE") == 0)
		puts("@file");
	else if (strcmp(value, "dev") == 0 || strcmp(value, "oif") == 0 || strcmp(value, "iif") == 0)
		ask(w, "link show", "name");
	else if (strcmp(value, "netns") == 0)
		ask(w, "netns show", "name");
	else if (strcmp(value, "name") == 0 || strcmp(value, "name=value") == 0)
		ask(w, "sysctl", "name");
}

/* Skips one word and the blanks after it. */
static const char *skip(const char *s)
{
	while (*s && !isblank((unsigned char)*s))
		s++;
	while (isblank((unsigned char)*s))
		s++;
	return s;
}

void nsctl_complete(const struct nsctl *ctl, const char *line)
{
	struct wants w = { .ctl = *ctl };
	const char *s = line, *next;
	char path[256] = "";

	while (isblank((unsigned char)*s))
		s++;
	s = skip(s);
	for (; *s == '-'; s = next) {
		bool with_path = strncmp(s, "-s ", 3) == 0 || strncmp(s, "--socket ", 9) == 0;
		bool with_netns = strncmp(s, "-n ", 3) == 0 || strncmp(s, "--netns ", 8) == 0;

		next = skip(s);
		if (!*next && !isblank((unsigned char)line[strlen(line) - 1])) {
			for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
				if (strncmp(opts[i], s, strlen(s)) == 0)
					puts(opts[i]);
			return;
		}
		if (with_path) {
			size_t n = strcspn(next, " \t");

			if (!next[n]) {
				puts("@file");
				return;
			}
			snprintf(path, sizeof(path), "%.*s", n < sizeof(path) ? (int)n : 0, next);
			w.ctl.socket = path;
			next = skip(next);
		}
		if (with_netns) {
			size_t n = strcspn(next, " \t");

			w.begin = next;
			if (!next[n]) {
				candidate(&w, "", "netns", "");
				return;
			}
			snprintf(w.netns, sizeof(w.netns), "-n %.*s ", n < GRAMMAR_NETNS_MAX ? (int)n : 0, next);
			next = skip(next);
		}
	}
	w.begin = s;
	for (const char *p = s; *p; p++)
		if (isblank((unsigned char)*p))
			w.begin = p + 1;
	grammar_complete(s, strlen(s), candidate, &w);
}
