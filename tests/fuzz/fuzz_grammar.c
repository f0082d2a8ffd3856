// SPDX-License-Identifier: MIT
/*
 * fuzz_grammar.c: any bytes as one line, as a whole file and as something to complete. What parses must come out of cmd_format and parse to the same again.
 */
#include "grammar.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_grammar: %s\n", what);
	abort();
}

static void same(const struct cmd *a, const struct cmd *b)
{
	must(a->id == b->id && a->nargs == b->nargs, "the formatted line is another command");
	for (unsigned i = 0; i < a->nargs; i++) {
		must(strcmp(a->args[i].key, b->args[i].key) == 0, "another key");
		must(strcmp(a->args[i].str, b->args[i].str) == 0, "another value");
		must(a->args[i].num == b->args[i].num, "another number");
		must(ipaddr_equal(&a->args[i].prefix.addr, &b->args[i].prefix.addr) && a->args[i].prefix.len == b->args[i].prefix.len, "another prefix");
	}
}

static void check_err(const struct grammar_err *err)
{
	must(memchr(err->word, 0, sizeof(err->word)) && memchr(err->expected, 0, sizeof(err->expected)) && memchr(err->suggestion, 0, sizeof(err->suggestion)) &&
	     memchr(err->text, 0, sizeof(err->text)), "an error text does not end");
	must(err->text[0], "an error without a text");
}

static void count(void *arg, const char *word, const char *value, const char *help)
{
	++*(unsigned *)arg;
	must(word && value && help, "a candidate without a text");
}

static int one_command(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *err)
{
	(void)err;
	must(line >= 1 && cmd_is_config(cmd), "not a configuration command");
	++*(unsigned *)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grammar_err err;
	struct cmd cmd, again;
	unsigned n = 0, line;
	int r = grammar_parse((const char *)data, size, &cmd, &err);

	if (r == 0) {
		int len = cmd_format(&cmd, NULL, 0);
		char *buf = malloc((size_t)len + 1);

		must(buf != NULL, "no memory");
		must(cmd_format(&cmd, buf, (size_t)len + 1) == len && strlen(buf) == (size_t)len, "the length of the formatted line");
		must(len > GRAMMAR_LINE_MAX || grammar_parse(buf, (size_t)len, &again, &err) == 0, "the formatted line does not parse");
		if (len <= GRAMMAR_LINE_MAX) {
			same(&cmd, &again);
			cmd_free(&again);
		}
		free(buf);
		cmd_free(&cmd);
	} else if (r < 0) {
		check_err(&err);
	}
	if (grammar_parse_text((const char *)data, size, one_command, &n, &line, &err) < 0) {
		check_err(&err);
		must(line >= 1, "an error without a line");
	}
	grammar_complete((const char *)data, size, count, &n);
	return 0;
}
