/* SPDX-License-Identifier: MIT */
/*
 * grammar_format.c: a command as the line that parses to it again: full words, the order in which they were given, quotes where a value would be read as
 * something else.
 */
#include "grammar_priv.h"

struct out {
	char  *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_str(struct out *o, const char *s)
{
	while (*s)
		put(o, *s++);
}

/* Whether a value would be read as something else, were it not quoted. */
static bool needs_quotes(const struct cmd *cmd, const char *s)
{
	size_t n = strlen(s);

	if (!n || s[0] == '#' || s[0] == '-' || strpbrk(s, " \t\"'\\") || strcmp(s, "help") == 0)
		return true;
	for (const struct arg_def *a = cmd->def->args; a->key; a++) {
		const char *kw = a->flags & ARG_F_POS ? a->alias : arg_keyword(a);

		if ((kw && strncmp(kw, s, n) == 0) || arg_is_keyword(a, s))
			return true;
	}
	return false;
}

/* What stands between quotes, if it does. */
static void put_escaped(struct out *o, const char *s, bool quoted)
{
	for (; *s; s++) {
		if (quoted && (*s == '"' || *s == '\\'))
			put(o, '\\');
		put(o, *s);
	}
}

static void put_quoted(struct out *o, const char *s, bool quote)
{
	if (quote)
		put(o, '"');
	put_escaped(o, s, quote);
	if (quote)
		put(o, '"');
}

static void put_value(struct out *o, const struct cmd *cmd, const char *s, bool word)
{
	put_quoted(o, s, !word && needs_quotes(cmd, s));
}

/* Whether word is, or begins, a keyword of any command. */
static bool is_any_keyword(const char *word)
{
	for (const struct cmd_def *d = grammar_table; d->id; d++)
		for (const struct arg_def *a = d->args; a->key; a++) {
			const char *kw = a->flags & ARG_F_POS ? a->alias : arg_keyword(a);

			if (arg_is_keyword(a, word) || (kw && strncmp(kw, word, strlen(word)) == 0))
				return true;
		}
	return strcmp(word, "help") == 0;
}

const char *grammar_quote(const char *word, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	bool quote = !*word || word[0] == '#' || word[0] == '-' || strpbrk(word, " \t\"'\\") || is_any_keyword(word);

	if (quote)
		put(&o, '"');
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			put(&o, '\\');
		put(&o, *word);
	}
	if (quote)
		put(&o, '"');
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return buf;
}

int cmd_format(const struct cmd *cmd, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	if (cmd->id == CMD_HELP) {
		put_str(&o, "help");
		if (cmd->args[0].str[0]) {
			put(&o, ' ');
			put_str(&o, cmd->args[0].str);
		}
	} else {
		if (cmd->netns) {
			put_str(&o, "-n ");
			put_quoted(&o, cmd->netns, strpbrk(cmd->netns, "\"'\\") || cmd->netns[0] == '#');
			put(&o, ' ');
		}
		put_str(&o, cmd->def->group);
		if (cmd->def->verb) {
			put(&o, ' ');
			put_str(&o, cmd->def->verb);
		}
	}
	for (unsigned i = 0; cmd->id != CMD_HELP && i < cmd->nargs; i++) {
		const struct cmd_arg *a = &cmd->args[i];
		const struct arg_def *d = cmd->def->args;

		put(&o, ' ');
		if (d->type == ARG_ASSIGN) { /* one word, quoted as a whole */
			const char *part[] = { a->str, cmd->args[i + 1].str };
			bool quote = a->str[0] == '#' || strpbrk(part[0], " \t\"'\\") || strpbrk(part[1], " \t\"'\\");

			if (quote)
				put(&o, '"');
			put_escaped(&o, part[0], quote);
			put(&o, '=');
			put_escaped(&o, part[1], quote);
			if (quote)
				put(&o, '"');
			break;
		}
		while (d->key && strcmp(d->key, a->key) != 0)
			d++;
		if (!(d->flags & ARG_F_POS)) {
			if (d->under) {
				put_str(&o, d->under);
				put(&o, ' ');
			}
			put_str(&o, arg_keyword(d));
			if (a->type == ARG_FLAG)
				continue;
			put(&o, ' ');
		}
		put_value(&o, cmd, a->str, a->type == ARG_ENUM || a->type == ARG_SECTION);
	}
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}
