/* SPDX-License-Identifier: MIT */
/*
 * nsctl.h: the parts of nsctl that main.c starts.
 */
#ifndef CLI_NSCTL_H
#define CLI_NSCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses, as nsctl(1) says. */
enum { NSCTL_DONE = 0, NSCTL_REFUSED = 1, NSCTL_WORDS = 2, NSCTL_NO_DAEMON = 3 };

struct cmd;

struct nsctl {
	const char *socket; /* path of the control socket */
	bool        json, human;
};

/* Joins words to a line of the grammar, quoted where a shell had taken the quotes away. NULL: no memory. The caller frees it. */
char *nsctl_join(int n, char *const *words);
/* Does what line says; messages go to standard error. An exit status. */
int   nsctl_run(const struct nsctl *ctl, const char *line);
/* Says on standard error why the daemon's last line refuses line, if it does. An exit status. */
int   nsctl_verdict(const char *line, const json_t *final);
/* Prints candidates for the last word of a command line that begins with the program's name, one a line; "@file" stands for file names. */
void  nsctl_complete(const struct nsctl *ctl, const char *line);
/* Of "link set DEV xdp FILE": the line to send, with an absolute path and the file. *ret_line is left alone for any other command. 0 or -errno about the file. cmd is
 * good for cmd_free only afterwards. */
int   nsctl_add_object(struct cmd *cmd, char **ret_line);
/* Writes len bytes to path so that it holds either all of it or what it held before. 0, or -errno. */
int   nsctl_write_file(const char *path, const char *data, size_t len);

#endif
