/* SPDX-License-Identifier: MIT */
/*
 * grammar_text.c: a whole configuration file as commands of the grammar.
 *
 * A backslash as the last byte of a physical line joins the next line to it: both bytes become nothing. Columns are kept by remembering where each
 * physical line began in the joined one, so that an error points into the file as an editor shows it. A backslash inside a comment joins too.
 */
#include "grammar_priv.h"
#include <errno.h>
#include <stdlib.h>

struct joined {
	char    *buf;
	size_t   len;
	unsigned first; /* physical line that it begins on */
};

/* Appends physical lines to j until one does not end in a backslash. Returns the bytes of text used. */
static size_t join(struct joined *j, const char *text, size_t len, unsigned *ret_lines)
{
	size_t used = 0;

	j->len = 0;
	*ret_lines = 0;
	while (used < len) {
		const char *nl = memchr(text + used, '\n', len - used);
		size_t n = nl ? (size_t)(nl - (text + used)) : len - used, body = n;
		bool more;

		if (body && text[used + body - 1] == '\r')
			body--;
		more = body && text[used + body - 1] == '\\' && nl;
		if (more)
			body--;
		/* Too long a line is kept too long by one byte, which the parser refuses. */
		if (j->len + body > GRAMMAR_LINE_MAX + 1)
			body = GRAMMAR_LINE_MAX + 1 - j->len;
		memcpy(j->buf + j->len, text + used, body);
		j->len += body;
		used += n + (nl != NULL);
		++*ret_lines;
		if (!more)
			break;
	}
	return used;
}

/* Turns a column of the joined line into line and column of the file: walks the physical lines again, which only an error has to pay for. */
static void place(const char *text, size_t len, unsigned *line, unsigned *column)
{
	size_t pos = 0, before = 0;

	while (*column && pos < len) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - (text + pos)) : len - pos;

		if (n && text[pos + n - 1] == '\r')
			n--;
		if (!nl || !n || text[pos + n - 1] != '\\' || *column <= before + n - 1)
			break;
		before += n - 1;
		pos = (size_t)(nl - text) + 1;
		++*line;
	}
	if (*column)
		*column -= (unsigned)before;
}

static int one_line(const struct joined *j, int (*fn)(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *err), void *arg, struct grammar_err *err)
{
	struct cmd cmd;
	int r = grammar_parse(j->buf, j->len, &cmd, err);

	if (r)
		return r == 1 ? 0 : r;
	if (!cmd_is_config(&cmd)) {
		grammar_fail(err, 1, cmd.def ? cmd.def->group : "help", "this command may not stand in a configuration file");
		r = -EINVAL;
	} else {
		memset(err, 0, sizeof(*err));
		r = fn(arg, j->first, &cmd, err);
	}
	cmd_free(&cmd);
	return r;
}

int grammar_parse_text(const char *text, size_t len, int (*fn)(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *err), void *arg,
		       unsigned *ret_line, struct grammar_err *err)
{
	struct joined j = { .first = 1 };
	struct grammar_err scratch;
	int r = 0;

	err = err ? err : &scratch;
	memset(err, 0, sizeof(*err));
	j.buf = malloc(GRAMMAR_LINE_MAX + 2);
	if (!j.buf)
		return -ENOMEM;
	while (len) {
		unsigned lines;
		size_t used = join(&j, text, len, &lines);

		r = one_line(&j, fn, arg, err);
		if (r) {
			unsigned line = j.first;

			place(text, used, &line, &err->column);
			if (ret_line)
				*ret_line = line;
			break;
		}
		j.first += lines;
		text += used;
		len -= used;
	}
	free(j.buf);
	return r;
}
