/* SPDX-License-Identifier: MIT */
/*
 * grammar.h: the one grammar: what a person types after nsctl, what stands in netstackd.conf, what "nsctl save" writes and what the control socket takes.
 *
 * One table of commands (grammar.c) yields the parser, the help, the man page's synopsis and the shell completion. Words may be abbreviated as long as they
 * are unambiguous, as with ip(8). The parser knows words and the form of values, not whether a thing exists: that is the daemon's.
 */
#ifndef CONF_GRAMMAR_H
#define CONF_GRAMMAR_H

#include <netstack/types.h>

/* How a value looks. */
enum arg_type { ARG_FLAG, ARG_NAME, ARG_WORD, ARG_U16, ARG_U32, ARG_ADDR, ARG_PREFIX /* ADDRESS[/LEN], host bits kept */, ARG_LLADDR, ARG_ENUM, ARG_REST };

#define CMD_MAX_ARGS 24

struct cmd_arg {
	const char     *key; /* "dev", "via"; for a positional value its name in lower case: "name", "prefix" */
	enum arg_type   type;
	const char     *str; /* the word as typed (unquoted; points into the cmd's buffer); an enum's canonical word */
	uint32_t        num;
	struct ipprefix prefix; /* ARG_ADDR and ARG_PREFIX; "default" is 0.0.0.0/0 */
	bool            has_len; /* ARG_PREFIX: /LEN was typed */
	struct eth_addr lladdr;
	unsigned        column; /* from 1 */
};

struct cmd_def; /* a row of the table */

struct cmd {
	const struct cmd_def *def;
	int            id; /* enum cmd_id */
	unsigned       nargs;
	struct cmd_arg args[CMD_MAX_ARGS];
	char          *buf; /* owned; cmd_free */
};

struct grammar_err {
	unsigned column; /* from 1; 0: the line as a whole */
	char     word[64]; /* what stood there, shortened */
	char     expected[192]; /* what could have stood there */
	char     suggestion[32]; /* nearest right word, or empty */
	char     text[384]; /* all of it as a sentence */
};

/* 1: an empty line or a comment (#), 0: ret is filled, -EINVAL: err says why, -ENOMEM. */
int  grammar_parse(const char *line, size_t len, struct cmd *ret, struct grammar_err *err);
void cmd_free(struct cmd *cmd);
const struct cmd_arg *cmd_arg(const struct cmd *cmd, const char *key); /* NULL: not given */
/* The canonical line (full words, quoted where needed) into buf; length as snprintf. */
int  cmd_format(const struct cmd *cmd, char *buf, size_t size);
bool cmd_is_config(const struct cmd *cmd); /* may stand in a configuration file */
bool cmd_is_readonly(const struct cmd *cmd); /* changes nothing: allowed to every client that may connect */

#endif
