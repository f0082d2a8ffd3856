/* SPDX-License-Identifier: MIT */
/*
 * config.c: the configuration file. Its lines are commands of the grammar. All of it is parsed and carried out on a fresh state before anything that runs is
 * touched, so a mistake in the last line leaves everything as it was; "netstackd -n" stops there.
 */
#include "config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int config_read(int fd, char **ret_text, size_t *ret_len)
{
	size_t len = 0, size = 0;
	char *text = NULL;
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		err = S_ISDIR(st.st_mode) ? -EISDIR : -errno;
		goto out;
	}
	for (;;) {
		ssize_t n;

		if (len == size) {
			size_t more = size ? 2 * size : 16384;
			char *p = more > CONFIG_MAX_BYTES ? NULL : realloc(text, more);

			if (!p) {
				err = more > CONFIG_MAX_BYTES ? -EFBIG : -ENOMEM;
				goto out;
			}
			text = p;
			size = more;
		}
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
out:
	close(fd);
	if (err) {
		free(text);
		return err;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

void config_error_from_grammar(struct conf_error *e, const struct grammar_err *g, int err)
{
	conf_fail(e, err, "%s", g->text[0] ? g->text : strerror(-err));
	e->column = g->column;
	memcpy(e->word, g->word, sizeof(e->word));
	memcpy(e->expected, g->expected, sizeof(e->expected));
	memcpy(e->suggestion, g->suggestion, sizeof(e->suggestion));
}

struct parse {
	struct conf_state *want;
	struct conf_error *e;
	bool               refused; /* by conf_command: e is filled */
};

static int on_command(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *g)
{
	struct parse *p = arg;
	int err;

	memset(p->e, 0, sizeof(*p->e));
	if (cmd_is_config(cmd)) {
		err = conf_command(p->want, cmd, p->e);
		if (!err && p->want->warning[0] && p->want->warn)
			p->want->warn(p->want->warn_arg, line, p->want->warning);
		if (!err)
			return 0;
	} else {
		err = conf_fail(p->e, -EINVAL, "this command does something at once: it may not stand in a configuration file");
		p->e->column = 1;
	}
	/* The column goes through the parser, which knows of joined lines. */
	p->refused = true;
	g->column = p->e->column;
	return err;
}

int config_parse(struct conf_state *want, const char *text, size_t len, struct conf_error *e)
{
	struct parse p = { .want = want, .e = e };
	struct grammar_err g;
	unsigned line = 0;
	int err = grammar_parse_text(text, len, on_command, &p, &line, &g);

	if (!err)
		return conf_check(want, e);
	if (!p.refused)
		config_error_from_grammar(e, &g, err);
	e->line = line;
	e->column = g.column;
	return err;
}

void config_error_text(const struct conf_error *e, const char *file, char *buf, size_t size)
{
	size_t n;

	if (e->line && e->column)
		snprintf(buf, size, "%s:%u:%u: %s", file, e->line, e->column, e->text);
	else if (e->line)
		snprintf(buf, size, "%s:%u: %s", file, e->line, e->text);
	else
		snprintf(buf, size, "%s: %s", file, e->text);
	n = strlen(buf);
	if (e->suggestion[0] && !strstr(e->text, e->suggestion))
		snprintf(buf + n, size - n, "; did you mean \"%s\"?", e->suggestion);
	n = strlen(buf);
	if (e->expected[0] && !strstr(e->text, e->expected))
		snprintf(buf + n, size - n, " (expected: %s)", e->expected);
}
