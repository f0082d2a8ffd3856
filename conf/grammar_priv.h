/* SPDX-License-Identifier: MIT */
/*
 * grammar_priv.h: the shape of the table of commands, for the files in conf/ that walk it (parser, help, completion).
 *
 * A command is a group word ("route"), mostly a verb ("add"), then values. Values that stand by their position come first in a row, in their order;
 * those that follow a keyword come in any order. All of it is constant data.
 *
 * A section is a keyword (ARG_SECTION) with keywords of its own, which are understood only after it, until another keyword comes: "ring rx 1024 tx 512 mtu 1400". The
 * rows of these follow it and have it as under, and as the beginning of their key: "ring-rx" is the rx under "ring". A section with words may also have one of them
 * for a value.
 */
#ifndef CONF_GRAMMAR_PRIV_H
#define CONF_GRAMMAR_PRIV_H

#include "grammar.h"

/* One word that may stand for a value, and the number it means. help may be NULL. */
struct arg_word {
	const char *word;
	uint32_t    num;
	const char *help;
};

enum {
	ARG_F_POS = 1, /* stands by its position; a keyword, where the row names one, may precede it */
	ARG_F_REQ = 2, /* must be there */
	ARG_F_MANY = 4, /* ARG_FLAG: may stand several times; cmd_count() tells how often */
	ARG_F_NAME = 8, /* the word "name" may stand before the value, as ip(8) wants it: "peer name veth1" */
};

struct arg_def {
	const char            *key; /* what cmd_arg() knows it by; also the keyword, unless positional */
	const char            *alias; /* positional: keyword that may precede it; otherwise other spellings, separated by blanks; NULL: none */
	const char            *meta; /* what the value is called in a synopsis; NULL: made from the type or words */
	const char            *help;
	const struct arg_word *words; /* ends with a NULL word; ARG_ENUM: the only ones, others: also allowed */
	uint32_t               min, max; /* of a number; both 0: the type's */
	enum arg_type          type;
	uint8_t                flags; /* ARG_F_* */
	const char            *under; /* the section that it belongs to; NULL: none */
	uint8_t                excl; /* not 0: excludes every other one with the same number */
};

enum {
	CMD_F_CONFIG = 1, /* may stand in a configuration file */
	CMD_F_READONLY = 2, /* changes nothing */
	CMD_F_SOME = 4, /* needs at least one of its keywords */
	CMD_F_DEFAULT = 8, /* what the group word alone means */
	CMD_F_FILE_ONLY = 16, /* may stand nowhere else than in a configuration file */
	CMD_F_WHOLE = 32, /* about netstackd as a whole: no "-n NAME" before it */
};

struct cmd_def {
	int                   id; /* enum cmd_id */
	uint8_t               flags; /* CMD_F_* */
	const char           *group;
	const char           *verb; /* NULL: the group word is the whole command */
	const struct arg_def *args; /* ends with a NULL key */
	const char           *help; /* one sentence without a full stop */
	const char           *example; /* what could be typed after nsctl; NULL: none */
};

/* A word of the first or second place. Shorter forms down to min letters mean this one even where others begin alike. */
struct path_word {
	const char *word;
	const char *alias; /* other spellings, separated by blanks; NULL: none */
	unsigned    min;
	const char *help;
};

extern const struct path_word grammar_groups[]; /* end with a NULL word */
extern const struct path_word grammar_verbs[];
extern const struct cmd_def   grammar_table[]; /* ends with id CMD_NONE; rows of a group stand together */

/* A parse in progress; also what completion asks when the words run out. */
#define GRAMMAR_WORDS_MAX 64
#define TOPIC_MAX         64

struct word {
	char    *str; /* unquoted */
	unsigned column; /* from 1 */
	bool     quoted; /* then it is never a keyword */
};

struct parse {
	struct word           words[GRAMMAR_WORDS_MAX];
	unsigned              nwords, pos;
	bool                  netns_due; /* "-n" has been read, the name has not */
	unsigned              end; /* column after the last word */
	const char           *group; /* the canonical word, once known */
	const struct cmd_def *def; /* once known */
	const struct arg_def *value_of; /* its keyword has been read, its value has not */
	unsigned              next_pos; /* index of the positional value that comes next */
	const char           *section; /* that was opened; NULL: none */
	const struct arg_def *open; /* the section, while nothing has come after it */
	uint64_t              used; /* a bit for each of def->args */
	char                 *topic; /* TOPIC_MAX bytes for what help was asked about */
	struct cmd           *cmd;
	struct grammar_err   *err;
};

/* Calls fn with each word that may stand where the parse is now; value: not a fixed word but a value of this argument. */
void parse_expected(const struct parse *p, void (*fn)(void *arg, const char *word, const struct arg_def *value, const char *help), void *arg);
/* Splits line into words. 0, or -EINVAL with err. buf holds len + 1 bytes and keeps the words. */
int  parse_split(struct parse *p, const char *line, size_t len, char *buf);
/* Reads words up to limit; 0, or -EINVAL with err. Ends early, with cmd->id CMD_HELP, at the word help. */
int  parse_words(struct parse *p, unsigned limit);
/* Fills the parse's error about a word that cannot stand where the parse is: what (a phrase), what could stand there, the nearest of it. -EINVAL. */
int  parse_fail(struct parse *p, unsigned column, const char *word, const char *what);
/* Reads w as a value of def into a new argument of the command. 0, or -EINVAL with err. */
int  parse_value(struct parse *p, const struct arg_def *def, const struct word *w);
/* The word of list that s is, or alone begins with s; *ret_many: several begin so. */
const struct arg_word *arg_find_word(const struct arg_word *list, const char *s, bool *ret_many);
const char *arg_keyword(const struct arg_def *a); /* of one that does not stand by its position: what is typed */
bool arg_is_keyword(const struct arg_def *a, const char *word); /* in full, or one of its other spellings */
/* The name of an argument's value in a synopsis, into buf; returns buf. */
const char *arg_meta(const struct arg_def *a, char *buf, size_t size);
/* Finds word, a full spelling or an abbreviation, among the groups, or among the verbs of group. NULL: none. */
bool grammar_has_verb(const char *group, const char *verb);
void grammar_fail(struct grammar_err *err, unsigned column, const char *word, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
