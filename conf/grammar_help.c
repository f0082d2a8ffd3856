/* SPDX-License-Identifier: MIT */
/*
 * grammar_help.c: what the table of commands says to people: synopsis lines, help at every level, the manual's list, completion.
 */
#include "grammar_priv.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define ENUM_SHOWN 4 /* so many words are spelt out in a synopsis; more get a name */

const char *arg_meta(const struct arg_def *a, char *buf, size_t size)
{
	static const char *const names[] = {
		[ARG_NAME] = "NAME", [ARG_U16] = "NUMBER", [ARG_U32] = "NUMBER", [ARG_ADDR] = "ADDRESS", [ARG_PREFIX] = "PREFIX", [ARG_LLADDR] = "LLADDR",
		[ARG_NETNS] = "NETNS",
	};
	unsigned n = 0;
	size_t len = 0;

	for (const struct arg_word *w = a->words; w && w->word; w++)
		n++;
	if (a->meta) {
		snprintf(buf, size, "%s", a->meta);
	} else if ((a->type == ARG_ENUM || a->type == ARG_SECTION) && n && n <= ENUM_SHOWN) {
		for (const struct arg_word *w = a->words; w->word; w++)
			len += (size_t)snprintf(buf + len, size > len ? size - len : 0, "%s%s", len ? "|" : "", w->word);
	} else if (a->type < sizeof(names) / sizeof(names[0]) && names[a->type]) {
		snprintf(buf, size, "%s", names[a->type]);
	} else {
		for (len = 0; a->key[len] && len + 1 < size; len++)
			buf[len] = (char)toupper((unsigned char)a->key[len]);
		buf[len] = 0;
	}
	return buf;
}

/* Arguments that exclude each other stand together: [up|down]. Returns the last of them. */
static const struct arg_def *group_end(const struct arg_def *a)
{
	while (a->excl && a[1].key && a[1].excl == a->excl)
		a++;
	return a;
}

/* Appends one argument to buf: for people "via ADDRESS", for the manual "Cm via Ar ADDRESS". */
static void one_arg(char *buf, size_t size, const struct arg_def *a, enum grammar_form form)
{
	bool mdoc = form == GRAMMAR_MDOC;
	size_t n = strlen(buf);
	char meta[64];

	if (!(a->flags & ARG_F_POS)) {
		snprintf(buf + n, size - n, mdoc ? " Cm %s" : "%s", arg_keyword(a));
		if (a->type == ARG_FLAG || (a->type == ARG_SECTION && !a->words))
			return;
		n = strlen(buf);
	}
	arg_meta(a, meta, sizeof(meta));
	if (a->type == ARG_SECTION)
		snprintf(buf + n, size - n, mdoc ? " Oo Cm %s Oc" : " [%s]", meta);
	else if (mdoc) /* words that are typed as they stand, or a name for what is typed */
		snprintf(buf + n, size - n, " %s %s", strpbrk(meta, "|") || islower((unsigned char)meta[0]) ? "Cm" : "Ar", meta);
	else
		snprintf(buf + n, size - n, "%s%s", a->flags & ARG_F_POS ? "" : " ", meta);
}

/* What may follow a section: ring [rx NUMBER] [tx NUMBER]. Returns the last of it. */
static const struct arg_def *section_args(char *buf, size_t size, const struct arg_def *a, enum grammar_form form)
{
	const char *section = a->key;
	bool mdoc = form == GRAMMAR_MDOC;

	while (a[1].key && a[1].under && strcmp(a[1].under, section) == 0) {
		size_t n = strlen(buf);

		snprintf(buf + n, size - n, mdoc ? " Oo" : " [");
		one_arg(buf, size, ++a, form);
		n = strlen(buf);
		snprintf(buf + n, size - n, mdoc ? " Oc" : "]");
	}
	return a;
}

#define WRAP 100 /* columns of help */

/* wrap: indentation of further lines where the first becomes too long; 0: never break. */
static void one_synopsis(FILE *out, const struct cmd_def *d, enum grammar_form form, int wrap)
{
	bool mdoc = form == GRAMMAR_MDOC;
	int col = fprintf(out, "%s%s%s%s", mdoc ? "Ic " : "", d->group, d->verb ? " " : "", d->verb ? d->verb : "");
	const struct arg_def *rest = d->args[0].key && d->args[0].type == ARG_REST ? d->args : NULL; /* is typed last */

	for (const struct arg_def *a = rest ? rest + 1 : d->args; rest || a->key; a++) {
		const struct arg_def *end;
		bool opt;
		char piece[1024] = "";

		if (!a->key) {
			a = rest;
			rest = NULL;
		}
		end = group_end(a);
		opt = !(a->flags & ARG_F_REQ);

		for (;; a++) {
			one_arg(piece, sizeof(piece), a, form);
			if (a->type == ARG_SECTION) {
				a = section_args(piece, sizeof(piece), a, form);
				break;
			}
			if (a == end)
				break;
			strcat(piece, mdoc ? " |" : "|");
		}
		if (wrap && col + (int)strlen(piece) + 3 > WRAP)
			col = fprintf(out, "\n%*s", wrap, "") - 1;
		col += fprintf(out, "%s%s%s", mdoc ? (opt ? " Oo" : "") : (opt ? " [" : " "), piece, mdoc ? (opt ? " Oc" : "") : (opt ? "]" : ""));
		if (a->type == ARG_REST)
			break;
	}
	fputc('\n', out);
}

static void mdoc_args(FILE *out, const struct cmd_def *d)
{
	if (!d->args[0].key)
		return;
	fputs(".Bl -tag -width 12n -compact\n", out);
	for (const struct arg_def *a = d->args; a->key; a++) {
		char what[256] = "";

		if (a->under)
			sprintf(what, " Cm %s", a->under);
		one_arg(what, sizeof(what), a, GRAMMAR_MDOC);
		if (!(a->flags & ARG_F_POS) && a->alias && a->alias[0] == '-')
			sprintf(what + strlen(what), " , Fl %s", a->alias + 1);
		fprintf(out, ".It%s\n%c%s.\n", what, toupper((unsigned char)a->help[0]), a->help + 1);
	}
	fputs(".El\n", out);
}

void grammar_synopsis(FILE *out, enum grammar_form form)
{
	const char *group = "";

	for (const struct cmd_def *d = grammar_table; d->id; d++) {
		if (form != GRAMMAR_MDOC) {
			one_synopsis(out, d, form, 0);
			continue;
		}
		if (strcmp(group, d->group) != 0) { /* a section for each group of commands */
			const struct path_word *g = grammar_groups;

			fputs(*group ? ".El\n" : "", out);
			group = d->group;
			while (strcmp(g->word, group) != 0)
				g++;
			fprintf(out, ".Ss %s\n%c%s.\n.Bl -tag -width Ds\n", group, toupper((unsigned char)g->help[0]), g->help + 1);
		}
		fputs(".It ", out);
		one_synopsis(out, d, form, 0);
		fprintf(out, "%s%s.\n", d->help, d->flags & CMD_F_FILE_ONLY ? " (in the configuration file only)" : "");
		if (d->example) /* the others repeat a command under a second name */
			mdoc_args(out, d);
	}
	if (form == GRAMMAR_MDOC)
		fputs(".El\n", out);
}

/* ---- help ----------------------------------------------------------------------------------------------------------- */

static void help_all(FILE *out)
{
	fputs("Commands (words may be shortened as long as it is clear which is meant):\n\n", out);
	for (const struct path_word *g = grammar_groups; g->word; g++) {
		bool first = true;

		fprintf(out, "  %-8s  %s\n", g->word, g->help);
		for (const struct cmd_def *d = grammar_table; d->id; d++)
			if (strcmp(d->group, g->word) == 0 && d->verb) {
				fprintf(out, "%s%s", first ? "            " : " | ", d->verb);
				first = false;
			}
		if (!first)
			fputc('\n', out);
	}
	fputs("\n\"-n NETNS COMMAND\" is about that network namespace instead of the first.\n", out);
	fputs("\"COMMAND help\" tells more: \"route help\", \"route add help\".\n", out);
}

static void help_command(FILE *out, const struct cmd_def *d)
{
	fprintf(out, "%s%s.\n\n  ", d->help, d->flags & CMD_F_FILE_ONLY ? " (in the configuration file only)" : "");
	one_synopsis(out, d, GRAMMAR_PLAIN, 6);
	if (d->args[0].key)
		fputc('\n', out);
	for (const struct arg_def *a = d->args; a->key; a++) {
		char meta[64], left[128];

		arg_meta(a, meta, sizeof(meta));
		if (a->flags & ARG_F_POS)
			snprintf(left, sizeof(left), "%s", meta);
		else if (a->type == ARG_SECTION && !a->words)
			snprintf(left, sizeof(left), "%s ...", a->key);
		else if (a->under)
			snprintf(left, sizeof(left), "  %s %s", arg_keyword(a), meta);
		else if (a->type == ARG_FLAG)
			snprintf(left, sizeof(left), "%s%s%s", a->key, a->alias ? ", " : "", a->alias ? a->alias : "");
		else
			snprintf(left, sizeof(left), "%s%s%s %s", a->key, a->alias && a->alias[0] == '-' ? ", " : "", a->alias && a->alias[0] == '-' ? a->alias : "", meta);
		fprintf(out, "  %-22s  %s%s\n", left, a->help, (a->flags & ARG_F_REQ) && !(a->flags & ARG_F_POS) ? " (required)" : "");
		for (const struct arg_word *w = a->words; w && w->word; w++)
			if (w->help)
				fprintf(out, "    %-20s  %s\n", w->word, w->help);
	}
	if (d->example)
		fprintf(out, "\nExample: %s\n", d->example);
}

static void help_group(FILE *out, const char *group)
{
	bool verbs = grammar_has_verb(group, NULL), first = true;

	for (const struct cmd_def *d = grammar_table; d->id; d++) {
		if (strcmp(d->group, group) != 0)
			continue;
		if (verbs) {
			one_synopsis(out, d, GRAMMAR_PLAIN, 4);
			fprintf(out, "        %s.\n", d->help);
			continue;
		}
		if (!first)
			fputc('\n', out);
		first = false;
		help_command(out, d);
	}
}

int grammar_help(const char *topic, FILE *out, struct grammar_err *err)
{
	size_t len = strlen(topic);
	char *line = malloc(len + sizeof(" help"));
	struct grammar_err scratch;
	struct cmd cmd;
	const struct cmd_def *d = grammar_table;
	const char *t, *verb;
	int r;

	err = err ? err : &scratch;
	if (!line)
		return -ENOMEM;
	memcpy(line, topic, len);
	memcpy(line + len, " help", sizeof(" help"));
	r = grammar_parse(line, len + 5, &cmd, err);
	free(line);
	if (r == 1) /* a comment: nothing is asked about */
		return help_all(out), 0;
	if (r)
		return r == -ENOMEM ? r : -ENOENT;
	if (cmd.id != CMD_HELP) {
		cmd_free(&cmd);
		grammar_fail(err, 0, topic, "no help about \"%.64s\"", topic);
		return -ENOENT;
	}
	t = cmd.args[0].str;
	verb = strchr(t, ' ');
	if (!*t) {
		help_all(out);
	} else if (!verb) {
		help_group(out, t);
	} else {
		while (d->id && (strncmp(d->group, t, (size_t)(verb - t)) != 0 || d->group[verb - t] || !d->verb || strcmp(d->verb, verb + 1) != 0))
			d++;
		if (d->id)
			help_command(out, d);
	}
	cmd_free(&cmd);
	return 0;
}

/* ---- completion ----------------------------------------------------------------------------------------------------- */

struct filter {
	const char *begin;
	size_t      len;
	void      (*fn)(void *arg, const char *word, const char *value, const char *help);
	void       *arg;
};

static void filter_one(void *arg, const char *word, const struct arg_def *value, const char *help)
{
	struct filter *f = arg;

	if (value)
		f->fn(f->arg, "", value->meta && strcmp(value->meta, "FILE") == 0 ? "FILE" : value->key, help);
	else if (strncmp(word, f->begin, f->len) == 0)
		f->fn(f->arg, word, "", help);
}

void grammar_complete(const char *line, size_t len, void (*fn)(void *arg, const char *word, const char *value, const char *help), void *arg)
{
	struct parse p = { .nwords = 0 };
	struct cmd cmd = { .id = CMD_NONE };
	struct grammar_err err;
	struct filter f = { "", 0, fn, arg };
	unsigned limit;

	if (len > GRAMMAR_LINE_MAX)
		return;
	cmd.buf = malloc(TOPIC_MAX + len + 3);
	if (!cmd.buf)
		return;
	p.cmd = &cmd;
	p.err = &err;
	p.topic = cmd.buf;
	if (parse_split(&p, line, len, cmd.buf + TOPIC_MAX))
		goto out;
	limit = p.nwords;
	if (len && line[len - 1] != ' ' && line[len - 1] != '\t' && limit) {
		limit--;
		f.begin = p.words[limit].str;
		f.len = strlen(f.begin);
	}
	if (!parse_words(&p, limit) && cmd.id != CMD_HELP)
		parse_expected(&p, filter_one, &f);
out:
	free(cmd.buf);
}
