/* SPDX-License-Identifier: MIT */
/* config_file.h: the configuration file: read, parsed and tried on a state that nobody runs. */
#ifndef DAEMON_CONFIG_FILE_H
#define DAEMON_CONFIG_FILE_H

#include "state.h"

#define CONFIG_MAX_BYTES (256u * 1024 * 1024) /* of a file: a million routes and room */

/* Reads fd to its end; text is to be freed. Takes fd over. 0 or -errno. */
int  config_read(int fd, char **ret_text, size_t *ret_len);
/* want: from conf_state_init. The whole text is carried out on it. 0, or -errno with e's line and column saying where. */
int  config_parse(struct conf_state *want, const char *text, size_t len, struct conf_error *e);
/* "FILE:LINE:COLUMN: text" as compilers write it. */
void config_error_text(const struct conf_error *e, const char *file, char *buf, size_t size);
void config_error_from_grammar(struct conf_error *e, const struct grammar_err *g, int err);

#endif
