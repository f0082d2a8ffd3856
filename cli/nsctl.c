/* SPDX-License-Identifier: MIT */
/*
 * nsctl.c: one command from words to exit status: parse here (so that a slip costs no round trip and needs no daemon), send the canonical line, print the answer.
 *
 * What a record looks like to people is in show_*.c. With -j records go out as they came, as one array; "monitor" is a stream and prints an object a line.
 */
#include "nsctl.h"
#include "packets.h"
#include "client.h"
#include "monitor.h"
#include "control_proto.h"
#include "format.h"
#include "grammar.h"
#include "show.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *nsctl_join(int n, char *const *words)
{
	size_t size = 1;
	char *line, *o;

	for (int i = 0; i < n; i++)
		size += 2 * strlen(words[i]) + 3;
	line = o = malloc(size);
	if (!line)
		return NULL;
	for (int i = 0; i < n; i++) {
		const char *w = words[i];
		bool quote = !*w || *w == '#' || strpbrk(w, " \t\"'\\");

		if (i)
			*o++ = ' ';
		if (!quote) {
			o = stpcpy(o, w);
			continue;
		}
		*o++ = '"';
		for (; *w; w++) {
			if (*w == '"' || *w == '\\')
				*o++ = '\\';
			*o++ = *w;
		}
		*o++ = '"';
	}
	*o = 0;
	return line;
}

/* ---- messages ------------------------------------------------------------------------------------------------------- */

/* The line with a mark under the word. Only for a line that fits a terminal and where the column is inside. */
static void mark(const char *line, unsigned column, const char *word)
{
	size_t len = strlen(line), n = strlen(word);

	if (!column || column > len + 1 || len > 200)
		return;
	fputs("  ", stderr);
	put_text(stderr, line);
	fputs("\n  ", stderr);
	for (unsigned i = 1; i < column; i++)
		fputc(' ', stderr);
	for (size_t i = 0; i < (n && column - 1 + n <= len ? n : 1); i++)
		fputc('^', stderr);
	fputc('\n', stderr);
}

static int wrong_words(const char *line, const struct grammar_err *err)
{
	fprintf(stderr, "nsctl: %s\n", err->text);
	mark(line, err->column, err->word);
	if (err->expected[0] && err->suggestion[0])
		fprintf(stderr, "  expected: %s\n", err->expected);
	return NSCTL_WORDS;
}

int nsctl_verdict(const char *line, const json_t *final)
{
	const char *text = rec_str(final, "error"), *word = rec_str(final, "word"), *suggestion = rec_str(final, "suggestion"), *expected = rec_str(final, "expected");
	unsigned column = (unsigned)rec_num(final, "column");

	if (rec_bool(final, "done")) {
		if (rec_has(final, "warning")) {
			fputs("nsctl: warning: ", stderr);
			put_text(stderr, rec_str(final, "warning"));
			fputc('\n', stderr);
		}
		return NSCTL_DONE;
	}
	fputs("nsctl: ", stderr);
	if (rec_has(final, "file")) { /* of a configuration that was read */
		put_text(stderr, rec_str(final, "file"));
		fprintf(stderr, ":%s:%s%s", rec_str(final, "line"), rec_str(final, "column"), column ? ": " : " ");
	}
	put_text(stderr, *text ? text : rec_has(final, "errno") ? rec_str(final, "errno") : "refused");
	if (*suggestion && !strstr(text, suggestion)) {
		fputs("; did you mean \"", stderr);
		put_text(stderr, suggestion);
		fputs("\"?", stderr);
	}
	fputc('\n', stderr);
	/* A column may also be one of a file: mark only what stands there. */
	if (!rec_has(final, "file") && *word && column && column <= strlen(line) && strncmp(line + column - 1, word, strlen(word)) == 0)
		mark(line, column, word);
	if (*expected && !strstr(text, expected)) {
		fputs("  expected: ", stderr);
		put_text(stderr, expected);
		fputc('\n', stderr);
	}
	return NSCTL_REFUSED;
}

/* Output that did not get out (a full disk, a reader that left) is not done. */
static int flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "nsctl: standard output: %s\n", strerror(errno));
	return status ? status : NSCTL_REFUSED;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

struct answer {
	const struct nsctl *ctl;
	const struct show  *show;
	json_t             *records; /* collected, for tables; NULL: printed as they come */
	bool                stream; /* monitor */
	unsigned            n;
};

static int one_record(void *arg, json_t *record)
{
	struct answer *a = arg;

	if (a->records)
		return json_array_append(a->records, record) ? -ENOMEM : 0;
	if (!a->ctl->json) {
		show_event(a->show, record);
	} else {
		if (!a->stream)
			fputs(a->n ? ",\n" : "[", stdout);
		json_dumpf(record, stdout, JSON_COMPACT);
		if (a->stream)
			fputc('\n', stdout);
	}
	a->n++;
	if (a->stream && fflush(stdout))
		return -EPIPE;
	return ferror(stdout) ? -EPIPE : 0;
}

/* Collects the records of line into *ret (a new reference). An exit status. */
static int collect(struct client *c, const struct nsctl *ctl, const char *line, json_t **ret)
{
	struct answer a = { .ctl = ctl, .records = json_array() };
	json_t *final = NULL;
	char why[512] = "out of memory";
	int r = a.records ? client_request(c, line, 0, one_record, &a, &final, why, sizeof(why)) : -ENOMEM;

	if (r) {
		json_decref(a.records);
		fprintf(stderr, "nsctl: %s\n", why);
		return r == -ENOMEM ? NSCTL_REFUSED : NSCTL_NO_DAEMON;
	}
	*ret = a.records;
	r = nsctl_verdict(line, final);
	json_decref(final);
	return r;
}

/* The file of "save FILE" gets what the daemon says; nothing is touched unless all of it came. */
static int save_to(const json_t *records, const char *path)
{
	char *text;
	size_t len, i;
	json_t *rec;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f) {
		fputs("nsctl: out of memory\n", stderr);
		return NSCTL_REFUSED;
	}
	json_array_foreach(records, i, rec)
		fprintf(f, "%s\n", rec_str(rec, "line"));
	r = fclose(f) ? -ENOMEM : nsctl_write_file(path, text, len);
	free(text);
	if (!r)
		return NSCTL_DONE;
	fprintf(stderr, "nsctl: %s: %s\n", path, strerror(-r));
	return NSCTL_REFUSED;
}

#define NETNS_PREFIX (2 * GRAMMAR_NETNS_MAX + 8)

/* What must stand before another command about the namespace of cmd. */
static void netns_prefix(const struct cmd *cmd, char buf[NETNS_PREFIX])
{
	char name[2 * GRAMMAR_NETNS_MAX + 3];

	buf[0] = '\0';
	if (cmd->netns)
		snprintf(buf, NETNS_PREFIX, "-n %s ", grammar_quote(cmd->netns, name, sizeof(name)));
}

static int run_table(struct client *c, const struct nsctl *ctl, const struct show *show, const char *line)
{
	const struct cmd_arg *file = show->cmd->id == CMD_SAVE ? cmd_arg(show->cmd, "file") : NULL, *dev;
	char netns[NETNS_PREFIX + 8];
	json_t *records = NULL, *links = NULL;
	int status = NSCTL_DONE;

	netns_prefix(show->cmd, netns);
	if (show->cmd->id == CMD_ADDR_SHOW) { /* addresses are shown under their links */
		char ask[sizeof(netns) + 64];

		dev = cmd_arg(show->cmd, "dev");
		snprintf(ask, sizeof(ask), "%slink show%s%s%s", netns, dev ? " dev \"" : "", dev ? dev->str : "", dev ? "\"" : "");
		status = collect(c, ctl, ask, &links);
	}
	if (show->cmd->id == CMD_SHOW_SOFTNET && !cmd_arg(show->cmd, "proc")) { /* what was lost before it */
		char ask[sizeof(netns) + 16];

		snprintf(ask, sizeof(ask), "%sshow rings", netns);
		status = collect(c, ctl, ask, &links);
	}
	if (!status)
		status = collect(c, ctl, file ? strcat(netns, "save") : line, &records);
	if (!status && file)
		status = save_to(records, file->str);
	else if (records && (!status || json_array_size(records)))
		show_records(show, records, links);
	json_decref(records);
	json_decref(links);
	return status;
}

/* With -j what refuses is told in JSON, too: an object in place of the array. */
static void print_refusal(const json_t *final)
{
	static const char *const keys[][2] = { { "errno", "errno" }, { "error", "text" }, { "file", "file" }, { "line", "line" }, { "column", "column" } };
	json_t *error = json_object(), *whole = json_pack("{s:o}", "error", error);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(final, keys[i][0]))
			json_object_set(error, keys[i][1], json_object_get(final, keys[i][0]));
	json_dumpf(whole, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(whole);
}

static int run_stream(struct client *c, const struct nsctl *ctl, const struct show *show, const char *line)
{
	struct answer a = { .ctl = ctl, .show = show, .stream = show->cmd->id == CMD_MONITOR };
	json_t *final = NULL;
	char why[512] = "";
	int r = client_request(c, line, a.stream, one_record, &a, &final, why, sizeof(why));

	if (!a.stream && !r && !a.n && !rec_bool(final, "done"))
		print_refusal(final);
	else if (!a.stream)
		fputs(a.n ? "]\n" : "[]\n", stdout);
	if (r) {
		if (why[0])
			fprintf(stderr, "nsctl: %s\n", why);
		return why[0] ? NSCTL_NO_DAEMON : NSCTL_REFUSED;
	}
	r = nsctl_verdict(line, final);
	json_decref(final);
	return r;
}

/* ---- a command -------------------------------------------------------------------------------------------------------- */

/* The line to send, to be freed; NULL: no memory. */
static char *canonical(const struct cmd *cmd)
{
	size_t size = (size_t)cmd_format(cmd, NULL, 0) + 1;
	char *line = malloc(size);

	if (line)
		cmd_format(cmd, line, size);
	else
		fputs("nsctl: out of memory\n", stderr);
	return line;
}

/* The same, with a file that the command names. */
static char *line_of(struct cmd *cmd)
{
	const struct cmd_arg *file = cmd_arg(cmd, "xdp");
	char *line = NULL;
	int err = nsctl_add_object(cmd, &line);

	if (!err)
		return line ? line : canonical(cmd);
	fprintf(stderr, "nsctl: %s: %s\n", file ? file->str : "xdp", strerror(-err));
	return NULL;
}

static int run_remote(const struct nsctl *ctl, struct cmd *cmd)
{
	struct show show = { .out = stdout, .cmd = cmd, .human = ctl->human };
	char *line = line_of(cmd), why[512];
	struct client c;
	int status;

	if (!line)
		return NSCTL_REFUSED;
	if (cmd->id == CMD_MONITOR && !ctl->json && cmd_arg(cmd, "what") && cmd_arg(cmd, "what")->num == MONITOR_LINK) {
		status = monitor_links(ctl, &show);
		if (status >= 0) {
			free(line);
			return flushed(status);
		}
	}
	if (client_open(&c, ctl->socket, why, sizeof(why))) {
		fprintf(stderr, "nsctl: %s\n", why);
		free(line);
		return NSCTL_NO_DAEMON;
	}
	if (cmd->id == CMD_MONITOR || (ctl->json && !(cmd->id == CMD_SAVE && cmd_arg(cmd, "file"))))
		status = run_stream(&c, ctl, &show, line);
	else
		status = run_table(&c, ctl, &show, line);
	client_close(&c);
	free(line);
	return flushed(status);
}

int nsctl_run(const struct nsctl *ctl, const char *line)
{
	struct grammar_err err;
	struct cmd cmd;
	int status, r = grammar_parse(line, strlen(line), &cmd, &err);

	if (r == -ENOMEM) {
		fputs("nsctl: out of memory\n", stderr);
		return NSCTL_REFUSED;
	}
	if (r == 1) {
		fputs("nsctl: no command; \"nsctl help\" tells what there is\n", stderr);
		return NSCTL_WORDS;
	}
	if (r)
		return wrong_words(line, &err);
	if (cmd.id == CMD_HELP) {
		grammar_help(cmd.args[0].str, stdout, &err);
		status = flushed(NSCTL_DONE);
	} else if (cmd.id == CMD_CONTROL_GROUP) {
		fputs("nsctl: \"control\" may stand in the configuration file only: change it there, then \"nsctl reload\"\n", stderr);
		status = NSCTL_WORDS;
	} else if (cmd.id == CMD_CAPTURE) {
		status = capture_run(ctl, &cmd);
	} else {
		status = run_remote(ctl, &cmd);
	}
	cmd_free(&cmd);
	return status;
}
