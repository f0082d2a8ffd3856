/* SPDX-License-Identifier: MIT */
/*
 * grammar.c: the parser of the one grammar: a line becomes words, words become a command with typed values, a command becomes a line again.
 *
 * Theory of operation. parse_split cuts the line into words: blanks separate, '#' at the start of a word begins a comment, "..." and '...' quote, a backslash takes
 * the next byte as it is. Bytes below a blank (but the tab) and DEL are refused wherever they stand. parse_words then walks the words along one row of the table,
 * never backwards, in time that does not depend on values. What may come next at any moment is a question to the same state (parse_expected), which is
 * how errors and completion know it.
 *
 * Which of several readings a word gets: a keyword in full; help; an optional word of the place; a required value of the place; a keyword's beginning, if only
 * one begins so; an optional value of the place. A quoted word is always a value, so cmd_format quotes values that look like keywords: what it writes parses to the same command.
 *
 * Not done: anything that needs to know what exists.
 */
#include "grammar_priv.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- errors ----------------------------------------------------------------------------------------------------- */

/* Puts src into dst, cut at size; bytes that would confuse a terminal become '?'. */
static void put_clean(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src && n + 1 < size; src++)
		dst[n++] = (unsigned char)*src < ' ' || *src == 0x7f ? '?' : *src;
	if (*src && size > 4)
		memcpy(dst + size - 4, "...", 3);
	dst[n] = 0;
}

void grammar_fail(struct grammar_err *err, unsigned column, const char *word, const char *fmt, ...)
{
	va_list ap;

	err->column = column;
	err->expected[0] = 0;
	err->suggestion[0] = 0;
	put_clean(err->word, sizeof(err->word), word ? word : "");
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
}

/* Damerau-Levenshtein with adjacent transpositions. */
unsigned grammar_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned char d[64][64];

	if (n > 63 || m > 63)
		return UINT32_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned char)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			unsigned best = d[i - 1][j - 1] + (tolower((unsigned char)a[i - 1]) != b[j - 1]);

			if (d[i - 1][j] + 1u < best)
				best = d[i - 1][j] + 1u;
			if (d[i][j - 1] + 1u < best)
				best = d[i][j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1u < best)
				best = d[i - 2][j - 2] + 1u;
			d[i][j] = (unsigned char)best;
		}
	/* A slip or two of the hand, not another word. */
	return d[n][m] <= (m < 8 ? 1 + m / 4 : 3) && d[n][m] < m ? d[n][m] : UINT32_MAX;
}

struct collect {
	struct grammar_err *err;
	const char *word;
	const char *best;
	unsigned    best_distance;
	size_t      len;
	bool        more;
};

static void collect_one(void *arg, const char *word, const struct arg_def *value, const char *help)
{
	struct collect *c = arg;
	char name[64];
	const char *shown = value ? arg_meta(value, name, sizeof(name)) : word;
	size_t n;

	(void)help;
	if (!value) {
		unsigned d = grammar_distance(c->word, word);

		if (d < c->best_distance) {
			c->best = word;
			c->best_distance = d;
		}
	}
	n = strlen(shown);
	if (c->len + n + 2 + 5 >= sizeof(c->err->expected)) {
		c->more = true;
		return;
	}
	c->len += (size_t)sprintf(c->err->expected + c->len, "%s%s", c->len ? ", " : "", shown);
}

/* An error about a word that cannot stand here: adds what could, and the nearest right word. */
int parse_fail(struct parse *p, unsigned column, const char *word, const char *what)
{
	struct grammar_err *err = p->err;
	struct collect c = { .err = err, .word = word, .best_distance = UINT32_MAX };
	size_t n;

	grammar_fail(err, column, word, "%s", "");
	parse_expected(p, collect_one, &c);
	if (c.more)
		strcat(err->expected, ", ...");
	if (c.best)
		snprintf(err->suggestion, sizeof(err->suggestion), "%s", c.best);
	n = (size_t)(*word ? snprintf(err->text, sizeof(err->text), "%s \"%s\"", what, err->word) : snprintf(err->text, sizeof(err->text), "%s", what));
	if (err->suggestion[0])
		snprintf(err->text + n, sizeof(err->text) - n, "; did you mean \"%s\"?", err->suggestion);
	else if (err->expected[0])
		snprintf(err->text + n, sizeof(err->text) - n, "; expected %s%s", strchr(err->expected, ',') ? "one of: " : "", err->expected);
	return -EINVAL;
}

/* ---- a line into words -------------------------------------------------------------------------------------------- */

int parse_split(struct parse *p, const char *line, size_t len, char *buf)
{
	size_t i = 0, o = 0;

	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len > GRAMMAR_LINE_MAX) {
		grammar_fail(p->err, 0, "", "the line is longer than %d bytes", GRAMMAR_LINE_MAX);
		return -EINVAL;
	}
	for (size_t k = 0; k < len; k++) {
		unsigned char b = (unsigned char)line[k];

		if ((b < ' ' && b != '\t') || b == 0x7f) {
			grammar_fail(p->err, (unsigned)k + 1, "", "a control byte (0x%02x) may not stand in a line", b);
			return -EINVAL;
		}
	}
	p->nwords = 0;
	p->end = 1;
	for (;;) {
		struct word *w;
		char quote = 0;
		unsigned open = 0;

		while (i < len && (line[i] == ' ' || line[i] == '\t'))
			i++;
		if (i == len || line[i] == '#')
			break;
		if (p->nwords == GRAMMAR_WORDS_MAX) {
			grammar_fail(p->err, (unsigned)i + 1, "", "too many words");
			return -EINVAL;
		}
		w = &p->words[p->nwords++];
		w->str = buf + o;
		w->column = (unsigned)i + 1;
		w->quoted = false;
		for (; i < len && (quote || (line[i] != ' ' && line[i] != '\t')); i++) {
			char b = line[i];

			if (quote && b == quote) {
				quote = 0;
			} else if (!quote && (b == '"' || b == '\'')) {
				quote = b;
				open = (unsigned)i + 1;
				w->quoted = true;
			} else if (b == '\\' && quote != '\'') {
				if (++i == len) {
					grammar_fail(p->err, (unsigned)i, "\\", "a backslash at the end of the line has nothing to quote");
					return -EINVAL;
				}
				w->quoted = true;
				buf[o++] = line[i];
			} else {
				buf[o++] = b;
			}
		}
		if (quote) {
			buf[o] = 0;
			grammar_fail(p->err, open, w->str, "a quote (%c) is not closed", quote);
			p->err->word[0] = quote;
			p->err->word[1] = 0;
			return -EINVAL;
		}
		buf[o++] = 0; /* the blank that ended the word made room; at the end of the line buf is one longer */
		p->end = (unsigned)i + 1;
	}
	return 0;
}

/* ---- the words of a path ------------------------------------------------------------------------------------------ */

/* Whether word is one of the blank-separated spellings in list. */
static bool in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list; s && *s; s += strspn(s, " ")) {
		size_t m = strcspn(s, " ");

		if (m == n && memcmp(s, word, n) == 0)
			return true;
		s += m;
	}
	return false;
}

bool grammar_has_verb(const char *group, const char *verb)
{
	for (const struct cmd_def *d = grammar_table; d->id; d++)
		if (strcmp(d->group, group) == 0 && d->verb && (!verb || strcmp(d->verb, verb) == 0))
			return true;
	return false;
}

static const struct path_word *path_find(const char *group, const char *word)
{
	const struct path_word *list = group ? grammar_verbs : grammar_groups, *found = NULL;
	size_t n = strlen(word);

	for (const struct path_word *w = list; w->word; w++) {
		if (group && !grammar_has_verb(group, w->word))
			continue;
		if (strcmp(w->word, word) == 0 || in_list(w->alias, word))
			return w;
		if (!found && n >= w->min && strncmp(w->word, word, n) == 0)
			found = w;
	}
	return found;
}

static const struct cmd_def *group_default(const char *group)
{
	const struct cmd_def *found = NULL;

	for (const struct cmd_def *d = grammar_table; d->id; d++)
		if (strcmp(d->group, group) == 0 && ((d->flags & CMD_F_DEFAULT) || (!found && !d->verb)))
			found = d;
	return found;
}

/* ---- the arguments of a command ----------------------------------------------------------------------------------- */

/* The positional value that is due, or NULL. */
static const struct arg_def *pending(const struct parse *p)
{
	for (unsigned i = p->next_pos; p->def->args[i].key && (p->def->args[i].flags & ARG_F_POS); i++)
		if (!(p->used >> i & 1))
			return &p->def->args[i];
	return NULL;
}

static bool excluded(const struct parse *p, const struct arg_def *a)
{
	if (!a->excl)
		return false;
	for (unsigned i = 0; p->def->args[i].key; i++)
		if ((p->used >> i & 1) && p->def->args[i].excl == a->excl)
			return true;
	return false;
}

const char *arg_keyword(const struct arg_def *a)
{
	return a->under ? a->key + strlen(a->under) + 1 : a->key;
}

bool arg_is_keyword(const struct arg_def *a, const char *word)
{
	if (a->flags & ARG_F_POS)
		return a->alias && in_list(a->alias, word);
	return strcmp(arg_keyword(a), word) == 0 || in_list(a->alias, word);
}

static bool in_section(const struct parse *p, const struct arg_def *a)
{
	return a->under && p->section && strcmp(a->under, p->section) == 0;
}

/* The argument that the word names, in full. */
static const struct arg_def *keyword_exact(const struct parse *p, const char *word)
{
	const struct arg_def *found = NULL;

	for (const struct arg_def *a = p->def->args; a->key; a++)
		if (arg_is_keyword(a, word) && (!a->under || in_section(p, a)) && (!found || a->under))
			found = a;
	return found;
}

/* The argument whose keyword alone begins with the word among those not yet given. */
static const struct arg_def *keyword_begun(const struct parse *p, const char *word, bool *ret_many)
{
	const struct arg_def *found = NULL;
	size_t n = strlen(word);

	*ret_many = false;
	for (unsigned i = 0; n && p->def->args[i].key; i++) {
		const struct arg_def *a = &p->def->args[i];
		const char *kw = a->flags & ARG_F_POS ? a->alias : arg_keyword(a);

		if (!kw || (p->used >> i & 1) || (a->under && !in_section(p, a)) || excluded(p, a) || strncmp(kw, word, n) != 0)
			continue;
		*ret_many = found != NULL;
		found = a;
	}
	return *ret_many ? NULL : found;
}

static int take(struct parse *p, const struct arg_def *a, const struct word *w)
{
	unsigned i = (unsigned)(a - p->def->args);
	int err = parse_value(p, a, w);

	if (err)
		return err;
	p->used |= UINT64_C(1) << i;
	if (a->flags & ARG_F_POS)
		p->next_pos = i + 1;
	p->value_of = NULL;
	return 0;
}

static const struct arg_word *exact_word(const struct arg_word *list, const struct word *w)
{
	while (list && list->word && (w->quoted || strcmp(list->word, w->str) != 0))
		list++;
	return list && list->word ? list : NULL;
}

/* The value of a section, if it has one, is typed in full: a keyword may begin like it. */
static int take_section(struct parse *p, const struct arg_def *a, unsigned limit)
{
	p->section = a->key;
	p->open = a;
	if (p->pos == limit || !exact_word(a->words, &p->words[p->pos]))
		return 0;
	p->open = NULL;
	return take(p, a, &p->words[p->pos++]);
}

static int take_keyword(struct parse *p, const struct arg_def *a, const struct word *w, unsigned limit)
{
	unsigned i = (unsigned)(a - p->def->args);

	if (p->open && !in_section(p, a))
		return parse_fail(p, w->column, w->str, "unexpected word");
	p->open = NULL;
	if (!in_section(p, a))
		p->section = NULL;
	if (a->type == ARG_SECTION && !(p->used >> i & 1 && p->pos < limit && exact_word(a->words, &p->words[p->pos])))
		return take_section(p, a, limit);
	if (p->used >> i & 1 && !(a->flags & ARG_F_MANY)) {
		grammar_fail(p->err, w->column, w->str, "\"%s\" is given twice", w->str);
		return -EINVAL;
	}
	if (excluded(p, a)) {
		grammar_fail(p->err, w->column, w->str, "\"%s\" contradicts what stands before it", w->str);
		return -EINVAL;
	}
	if (a->type == ARG_FLAG)
		return take(p, a, w);
	p->value_of = a;
	if (a->flags & ARG_F_NAME && p->pos + 1 < limit && !p->words[p->pos].quoted && strcmp(p->words[p->pos].str, "name") == 0)
		p->pos++;
	if (p->pos == limit)
		return 0; /* the caller decides whether that is an error */
	return take(p, a, &p->words[p->pos++]);
}

/* "-ti": each letter is the flag with that alias. 1: it was one; 0: it is not; -EINVAL. */
static int take_cluster(struct parse *p, const struct word *w)
{
	char one[3] = "-";

	if (w->str[0] != '-' || !w->str[1] || w->str[1] == '-')
		return 0;
	for (const char *s = w->str + 1; *s; s++) {
		const struct arg_def *a;

		one[1] = *s;
		a = keyword_exact(p, one);
		if (!a || a->type != ARG_FLAG)
			return s == w->str + 1 ? 0 : parse_fail(p, w->column, w->str, "unknown option in");
		if (take_keyword(p, a, w, p->pos))
			return -EINVAL;
	}
	return 1;
}

/* All words from w on are one value, with a blank between any two. They lie one behind the other, each ended by a zero. */
static int take_rest(struct parse *p, const struct arg_def *a, const struct word *w, unsigned limit)
{
	char *end = w->str + strlen(w->str);

	for (; p->pos < limit; p->pos++) {
		const char *next = p->words[p->pos].str;
		size_t n = strlen(next);

		*end++ = ' ';
		memmove(end, next, n + 1);
		end += n;
	}
	return take(p, a, w);
}

static int parse_arg(struct parse *p, unsigned limit)
{
	const struct word *w = &p->words[p->pos++];
	const struct arg_def *a = w->quoted ? NULL : keyword_exact(p, w->str), *pos;
	bool many = false;
	int r;

	if (a)
		return take_keyword(p, a, w, limit);
	if (!w->quoted) {
		r = take_cluster(p, w);
		if (r)
			return r < 0 ? r : 0;
	}
	pos = pending(p);
	if (pos && pos->type == ARG_ENUM && !(pos->flags & ARG_F_REQ) && !w->quoted && arg_find_word(pos->words, w->str, &many))
		return take(p, pos, w);
	if (pos && pos->type == ARG_ENUM && !(pos->flags & ARG_F_REQ) && pos[1].key && (pos[1].flags & ARG_F_POS)) {
		p->next_pos++; /* not given: the next place is meant */
		pos = pending(p);
	}
	if (pos && (pos->flags & ARG_F_REQ))
		return take(p, pos, w);
	if (!w->quoted && (a = keyword_begun(p, w->str, &many)))
		return take_keyword(p, a, w, limit);
	if (many)
		return parse_fail(p, w->column, w->str, "several words begin with");
	if (pos && pos->type == ARG_REST)
		return take_rest(p, pos, w, limit);
	if (pos && !excluded(p, pos)) {
		bool other = false; /* then a word that is no value may be a misspelt keyword */

		for (const struct arg_def *k = p->def->args; k->key; k++)
			other |= !(k->flags & ARG_F_POS);
		if (!take(p, pos, w))
			return 0;
		if (!other || pos->type == ARG_ENUM)
			return -EINVAL;
		p->value_of = NULL;
		p->cmd->nargs--;
	}
	return parse_fail(p, w->column, w->str, "unexpected word");
}

/* All that must be there is there. */
static int check_complete(struct parse *p)
{
	char name[64];

	if (p->open)
		return parse_fail(p, p->end, "", "something must follow the last word");

	if (p->value_of) {
		snprintf(p->err->expected, sizeof(p->err->expected), "%s", "");
		snprintf(name, sizeof(name), "%s", p->value_of->key);
		parse_fail(p, p->end, "", "");
		snprintf(p->err->text, sizeof(p->err->text), "the value of \"%s\" is missing; expected %s%s", name,
			 strchr(p->err->expected, ',') ? "one of: " : "", p->err->expected);
		return -EINVAL;
	}
	for (unsigned i = 0; p->def->args[i].key; i++) {
		const struct arg_def *a = &p->def->args[i];
		char meta[64];

		if (!(a->flags & ARG_F_REQ) || (p->used >> i & 1))
			continue;
		arg_meta(a, meta, sizeof(meta));
		grammar_fail(p->err, p->end, "", "%s%s%s is missing (%s)", a->flags & ARG_F_POS ? "" : a->key, a->flags & ARG_F_POS ? "" : " ", meta, a->help);
		snprintf(p->err->expected, sizeof(p->err->expected), "%s%s%s", a->flags & ARG_F_POS ? "" : a->key, a->flags & ARG_F_POS ? "" : " ", meta);
		return -EINVAL;
	}
	if (!(p->def->flags & CMD_F_SOME))
		return 0;
	for (unsigned i = 0; p->def->args[i].key; i++)
		if (!(p->def->args[i].flags & ARG_F_POS) && (p->used >> i & 1))
			return 0;
	return parse_fail(p, p->end, "", strcmp(p->def->verb, "flush") == 0 ? "nothing to flush is given" : "nothing to change is given");
}

/* ---- a command -------------------------------------------------------------------------------------------------- */

/* The word help, where a keyword could stand. */
static bool is_help(const struct word *w)
{
	return !w->quoted && (strcmp(w->str, "help") == 0 || strcmp(w->str, "--help") == 0);
}

static void make_help(struct parse *p)
{
	struct cmd_arg *a = &p->cmd->args[0];

	p->cmd->id = CMD_HELP;
	p->cmd->nargs = 1;
	memset(a, 0, sizeof(*a));
	a->key = "topic";
	a->type = ARG_REST;
	a->column = 1;
	a->str = p->topic;
	snprintf(p->topic, TOPIC_MAX, "%s%s%s", p->group ? p->group : "", p->def && p->def->verb ? " " : "", p->def && p->def->verb ? p->def->verb : "");
}

static int parse_path(struct parse *p, unsigned limit)
{
	const struct path_word *w;

	if (p->pos == limit)
		return 0;
	if (is_help(&p->words[p->pos])) {
		p->pos++;
		if (p->pos < limit && (w = path_find(NULL, p->words[p->pos].str))) {
			p->group = w->word;
			p->pos++;
			if (p->pos < limit && (w = path_find(p->group, p->words[p->pos].str)))
				for (p->def = grammar_table; strcmp(p->def->group, p->group) != 0 || !p->def->verb || strcmp(p->def->verb, w->word) != 0; p->def++)
					;
		}
		make_help(p);
		return 0;
	}
	/* "bridge fdb", as bridge(8) has it. */
	if (p->pos + 1 < limit && strcmp(p->words[p->pos].str, "bridge") == 0 && strcmp(p->words[p->pos + 1].str, "fdb") == 0)
		p->pos++;
	w = path_find(NULL, p->words[p->pos].str);
	if (!w)
		return parse_fail(p, p->words[p->pos].column, p->words[p->pos].str, "unknown command");
	p->group = w->word;
	p->pos++;
	if (!grammar_has_verb(p->group, NULL)) {
		const struct word *next = &p->words[p->pos];
		const struct cmd_def *d = group_default(p->group);

		/* sysctl NAME=VALUE sets, anything else shows. NAME = VALUE was meant to set, and is told how. */
		if (p->pos < limit && (strchr(next->str, '=') || (!next->quoted && strcmp(next->str, "-w") == 0) || (p->pos + 1 < limit && next[1].str[0] == '=')))
			for (const struct cmd_def *o = grammar_table; o->id; o++)
				if (strcmp(o->group, p->group) == 0 && o->args[0].type == ARG_ASSIGN)
					d = o;
		p->def = d;
		return 0;
	}
	if (p->pos == limit) {
		p->def = NULL;
		return 0;
	}
	if (is_help(&p->words[p->pos])) {
		make_help(p);
		return 0;
	}
	w = path_find(p->group, p->words[p->pos].str);
	if (!w)
		return parse_fail(p, p->words[p->pos].column, p->words[p->pos].str, "unknown word after the command,");
	p->pos++;
	for (const struct cmd_def *d = grammar_table; d->id; d++)
		if (strcmp(d->group, p->group) == 0 && d->verb && strcmp(d->verb, w->word) == 0)
			p->def = d;
	return 0;
}

/* "-n NAME" in front of all else. */
static int parse_netns(struct parse *p, unsigned limit)
{
	const struct word *w = p->words;

	if (p->pos == limit || w[0].quoted || strcmp(w[0].str, "-n") != 0)
		return 0;
	p->pos++;
	p->netns_due = p->pos == limit;
	if (p->netns_due)
		return 0;
	p->pos++;
	if (!grammar_netns_ok(w[1].str)) {
		grammar_fail(p->err, w[1].column, w[1].str, "\"%.64s\" cannot be the name of a network namespace: 1 to %d bytes without blanks and '/'", w[1].str,
			     GRAMMAR_NETNS_MAX - 1);
		return -EINVAL;
	}
	p->cmd->netns = w[1].str;
	p->cmd->netns_column = w[1].column;
	return 0;
}

static int check_whole(struct parse *p)
{
	if (!p->cmd->netns || !p->def || !(p->def->flags & CMD_F_WHOLE))
		return 0;
	grammar_fail(p->err, p->words[0].column, "-n", "\"%s%s%s\" is about netstackd as a whole: no \"-n NAME\" may stand before it", p->def->group,
		     p->def->verb ? " " : "", p->def->verb ? p->def->verb : "");
	return -EINVAL;
}

int parse_words(struct parse *p, unsigned limit)
{
	int err = parse_netns(p, limit);

	if (err || p->netns_due)
		return err;
	err = parse_path(p, limit);
	if (err || p->cmd->id == CMD_HELP || !p->def)
		return err;
	while (p->pos < limit) {
		if (is_help(&p->words[p->pos])) {
			make_help(p);
			return 0;
		}
		err = parse_arg(p, limit);
		if (err)
			return err;
	}
	return 0;
}

int grammar_parse(const char *line, size_t len, struct cmd *ret, struct grammar_err *err)
{
	struct parse p = { .nwords = 0 };
	struct cmd cmd = { .id = CMD_NONE };
	struct grammar_err scratch;
	int r;

	p.err = err ? err : &scratch;
	memset(p.err, 0, sizeof(*p.err));
	cmd.buf = malloc(TOPIC_MAX + (len < GRAMMAR_LINE_MAX ? len : GRAMMAR_LINE_MAX) + 3);
	if (!cmd.buf)
		return -ENOMEM;
	p.topic = cmd.buf;
	p.cmd = &cmd;
	r = parse_split(&p, line, len, cmd.buf + TOPIC_MAX);
	if (!r && !p.nwords)
		r = 1;
	if (!r)
		r = parse_words(&p, p.nwords);
	if (!r && cmd.id != CMD_HELP) {
		if (!p.def && p.group)
			p.def = group_default(p.group);
		r = p.netns_due ? parse_fail(&p, p.end, "", "the name of the network namespace is missing") :
		    !p.group	? parse_fail(&p, p.end, "", "a command is missing") :
		    !p.def	? parse_fail(&p, p.end, "", "a word is missing") :
				  check_complete(&p);
		if (!r)
			r = check_whole(&p);
		if (!r) {
			cmd.def = p.def;
			cmd.id = p.def->id;
		}
	}
	if (r) {
		free(cmd.buf);
		return r;
	}
	*ret = cmd;
	return 0;
}

void cmd_free(struct cmd *cmd)
{
	free(cmd->buf);
	cmd->buf = NULL;
	cmd->nargs = 0;
}

const struct cmd_arg *cmd_arg(const struct cmd *cmd, const char *key)
{
	for (unsigned i = 0; i < cmd->nargs; i++)
		if (strcmp(cmd->args[i].key, key) == 0)
			return &cmd->args[i];
	return NULL;
}

unsigned cmd_count(const struct cmd *cmd, const char *key)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cmd->nargs; i++)
		n += strcmp(cmd->args[i].key, key) == 0;
	return n;
}

bool cmd_is_config(const struct cmd *cmd)
{
	return cmd->id != CMD_HELP && cmd->def && (cmd->def->flags & CMD_F_CONFIG);
}

bool cmd_is_readonly(const struct cmd *cmd)
{
	return cmd->id == CMD_HELP || (cmd->def && (cmd->def->flags & CMD_F_READONLY));
}

/* ---- what may come next ------------------------------------------------------------------------------------------ */

static void expected_value(const struct arg_def *a, void (*fn)(void *arg, const char *word, const struct arg_def *value, const char *help), void *arg)
{
	for (const struct arg_word *w = a->words; w && w->word; w++)
		fn(arg, w->word, NULL, w->help ? w->help : a->help);
	if (a->type != ARG_ENUM && a->type != ARG_FLAG && a->type != ARG_SECTION)
		fn(arg, "", a, a->help);
}

/* What belongs to the section that is open, and, once one of it has come, whatever else may. */
static void expected_keywords(const struct parse *p, void (*fn)(void *arg, const char *word, const struct arg_def *value, const char *help), void *arg)
{
	if (p->open)
		expected_value(p->open, fn, arg);
	for (unsigned i = 0; p->def->args[i].key; i++) {
		const struct arg_def *a = &p->def->args[i];
		bool again = (a->flags & ARG_F_MANY) || a->type == ARG_SECTION;

		if ((a->flags & ARG_F_POS) || (p->used >> i & 1 && !again) || excluded(p, a) || (a->under ? !in_section(p, a) : p->open != NULL))
			continue;
		fn(arg, arg_keyword(a), NULL, a->help);
	}
}

void parse_expected(const struct parse *p, void (*fn)(void *arg, const char *word, const struct arg_def *value, const char *help), void *arg)
{
	static const struct arg_def netns = { .key = "netns", .type = ARG_NETNS, .help = "a network namespace" };
	const struct arg_def *pos;

	if (p->netns_due) {
		fn(arg, "", &netns, netns.help);
		return;
	}
	if (!p->group) {
		for (const struct path_word *w = grammar_groups; w->word; w++)
			fn(arg, w->word, NULL, w->help);
		fn(arg, "help", NULL, "what can be typed");
		return;
	}
	if (!p->def) {
		for (const struct cmd_def *d = grammar_table; d->id; d++)
			if (strcmp(d->group, p->group) == 0)
				fn(arg, d->verb, NULL, d->help);
		fn(arg, "help", NULL, "what can be typed");
		return;
	}
	if (p->value_of) {
		const struct arg_def *a = p->value_of;

		if (a > p->def->args && (a->flags & ARG_F_POS) && (a[-1].flags & ARG_F_POS) && !(a[-1].flags & ARG_F_REQ))
			expected_value(a - 1, fn, arg); /* it could have stood here too */
		expected_value(a, fn, arg);
		return;
	}
	pos = pending(p);
	for (; pos && (pos->flags & ARG_F_POS) && pos->key; pos++) {
		if (!excluded(p, pos))
			expected_value(pos, fn, arg);
		if (pos->flags & ARG_F_REQ)
			return; /* nothing else is of use before it */
	}
	expected_keywords(p, fn, arg);
}
