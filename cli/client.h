/* SPDX-License-Identifier: MIT */
/*
 * client.h: one connection to the daemon's control socket (conf/control_proto.h).
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stddef.h>

struct client {
	int    fd;
	char  *buf; /* what was received and not yet handed on */
	size_t len, size;
	char   path[128];
};

/* Connects to path within a few seconds. 0, or -errno with a sentence and what to do about it in why. */
int  client_open(struct client *c, const char *path, char *why, size_t size);
void client_close(struct client *c);
/*
 * Sends one line (without its end) and reads the answer: fn gets every record (borrowed) until it returns non-zero, which is returned; *ret_final gets the
 * last line's object (a new reference). forever: wait without limit between records. 0, or -errno with why filled: the connection is of no more use.
 */
int  client_request(struct client *c, const char *line, int forever, int (*fn)(void *arg, json_t *record), void *arg, json_t **ret_final, char *why, size_t size);
/* The same for an answer whose first line says how it goes on: *ret gets that (a new reference); what follows is in buf, and comes with client_fill. */
int  client_ask(struct client *c, const char *line, json_t **ret, char *why, size_t size);
int  client_fill(struct client *c); /* waits for more into buf: 0, -ECONNRESET at the end, -errno */

#endif
