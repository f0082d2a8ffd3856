/* SPDX-License-Identifier: MIT */
/*
 * grammar.h: the one grammar: what a person types after nsctl, what stands in netstackd.conf, what "nsctl save" writes and what the control socket takes.
 *
 * One table of commands (grammar.c) yields the parser, the help, the man page's synopsis and the shell completion. Words may be abbreviated as long as they
 * are unambiguous, as with ip(8). "-n NAME" in front of a command says which network namespace it is about. The parser knows words and the form of values, not whether a thing exists: that is the daemon's.
 */
#ifndef CONF_GRAMMAR_H
#define CONF_GRAMMAR_H

#include "grammar_ids.h"
#include <netstack/types.h>
#include <stdio.h>

#define GRAMMAR_LINE_MAX (1088 * 1024) /* bytes of a line, continuations joined; longer ones are refused */

/* How a value looks. */
enum arg_type { ARG_FLAG, ARG_NAME, ARG_WORD, ARG_U16, ARG_U32, ARG_ADDR, ARG_PREFIX /* ADDRESS[/LEN], host bits kept */, ARG_LLADDR, ARG_ENUM, ARG_REST /* all words to the end, as one */,
	ARG_NETNS /* of a network namespace */,
	ARG_ASSIGN /* NAME=VALUE in the table; a cmd has it as the two args "name" and "value" */,
	ARG_SECTION /* of the table only: a keyword that opens a section, "ring" of "ring rx 1024"; see grammar_priv.h */ };

#define CMD_MAX_ARGS 64

struct cmd_arg {
	const char     *key; /* "dev", "via"; for a positional value its name in lower case: "name", "prefix" */
	enum arg_type   type;
	const char     *str; /* the word as typed (unquoted; points into the cmd's buffer); an enum's canonical word */
	uint32_t        num; /* ARG_U16, ARG_U32; the constant that an enum's word stands for (grammar_ids.h) */
	struct ipprefix prefix; /* ARG_ADDR and ARG_PREFIX; "default" is 0.0.0.0/0; family 0 where a word stands for an address (num) */
	bool            has_len; /* ARG_PREFIX: /LEN was typed */
	struct eth_addr lladdr;
	unsigned        column; /* from 1 */
};

struct cmd_def; /* a row of the table */

struct cmd {
	const struct cmd_def *def;
	int            id; /* enum cmd_id */
	const char    *netns; /* "-n NAME" stood before it; NULL: it did not. Points into buf */
	unsigned       netns_column;
	unsigned       nargs;
	struct cmd_arg args[CMD_MAX_ARGS];
	char          *buf; /* owned; cmd_free */
};

struct grammar_err {
	unsigned column; /* from 1; 0: the line as a whole */
	char     word[64]; /* what stood there, shortened */
	char     expected[192]; /* what could have stood there */
	char     suggestion[64]; /* nearest right word, or empty */
	char     text[384]; /* all of it as a sentence */
};

/* 1: an empty line or a comment (#), 0: ret is filled, -EINVAL: err says why, -ENOMEM. */
int  grammar_parse(const char *line, size_t len, struct cmd *ret, struct grammar_err *err);
void cmd_free(struct cmd *cmd);
const struct cmd_arg *cmd_arg(const struct cmd *cmd, const char *key); /* NULL: not given */
unsigned cmd_count(const struct cmd *cmd, const char *key); /* how often */
/* The canonical line (full words, quoted where needed) into buf; length as snprintf. */
int  cmd_format(const struct cmd *cmd, char *buf, size_t size);
/* word as a value in a line: quoted if it would be read as something else. Into buf, which is returned; 2 * strlen(word) + 3 bytes always suffice. */
const char *grammar_quote(const char *word, char *buf, size_t size);
bool cmd_is_config(const struct cmd *cmd); /* may stand in a configuration file */
bool cmd_is_readonly(const struct cmd *cmd); /* changes nothing: allowed to every client that may connect */

bool grammar_netns_ok(const char *name); /* what ip(8) takes as the name of a network namespace, and printable */
#define GRAMMAR_NETNS_MAX 64 /* bytes of such a name, the terminating zero included */

/* How many slips of the hand lie between what was typed and the word right; UINT32_MAX when too many for right to have been meant. For suggestions. */
unsigned grammar_distance(const char *typed, const char *right);
/* The next candidates for the last word of line (empty after a blank), for completion. value: "" or the key of a value that only the daemon knows
 * ("dev"), or "FILE"; then word is empty. fn may be called several times; len is at most GRAMMAR_LINE_MAX. */
void grammar_complete(const char *line, size_t len, void (*fn)(void *arg, const char *word, const char *value, const char *help), void *arg);
/* Help for the words in topic ("", "route", "route add") as plain text; 0, or -ENOENT with err filled. */
int grammar_help(const char *topic, FILE *out, struct grammar_err *err);
/* Every command's synopsis: plain for people, or as mdoc(7) for the manual. */
enum grammar_form { GRAMMAR_PLAIN, GRAMMAR_MDOC };
void grammar_synopsis(FILE *out, enum grammar_form form);

/*
 * A whole configuration: lines end with LF or CRLF, a backslash at the end of one joins the next to it. fn gets each command with its line (from 1); it may
 * take cmd over by setting cmd->buf to NULL, and refuses by -errno with err filled (column 0: the line as a whole). Parsing ends at the first error.
 * 0, or -errno with *ret_line and err set; err->column counts from the start of the line *ret_line, also inside a continued one.
 */
int grammar_parse_text(const char *text, size_t len, int (*fn)(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *err), void *arg,
		       unsigned *ret_line, struct grammar_err *err);

#endif
