/* SPDX-License-Identifier: MIT */
/* control.h: the control socket; the protocol is in conf/control_proto.h. All on the control thread. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "state.h"

#include <jansson.h>

struct daemon;
struct evbuffer;
struct client;

/* control_listen.c: binds and listens; while still privileged. path may be NULL with an inherited socket (systemd). group: may connect and change things; empty: none. Returns
 * the descriptor, or -errno with e. *ret_inherited: systemd's, the file is not ours to remove. */
int  control_listen(const char *path, const char *group, bool *ret_inherited, struct conf_error *e);
/* A listening socket of that type at path, with the control socket's mode; one that systemd has handed over is taken first. */
int  control_listen_at(const char *path, int type, const char *group, bool *ret_inherited, struct conf_error *e);
bool control_may(const struct daemon *daemon, int fd); /* whoever is at the other end may change things */
bool control_owner(const struct daemon *daemon, int fd); /* and is root, or the user that started netstackd */
int  control_start(struct daemon *daemon, int listen_fd, bool inherited, uid_t owner); /* takes listen_fd over; 0 or -errno */
void control_stop(struct daemon *daemon); /* no more clients; the present ones are cut off */
void control_retry(struct daemon *daemon); /* a change has finished: those who waited for it go on */

/* What remains to be sent to a client. next adds at least one line to out, or says false: that was all. An answer is freed when it is through or the client
 * has gone. Embedded at the start of each kind's own structure. */
struct answer {
	bool (*next)(struct answer *answer, struct evbuffer *out);
	void (*free)(struct answer *answer);
};

/* A client waits for something that takes a while (a gather, a change). Its claim outlives it: */
struct claim {
	struct client *client; /* NULL: it has gone */
	struct claim  *next;
};
/* Each of the two gives the claim back (frees it); nothing is sent when the client has gone. */
void claim_answer(struct claim *claim, struct answer *answer); /* takes answer over */
void claim_result(struct claim *claim, const struct conf_error *e /* NULL: done */);
void claim_done(struct daemon *daemon, void *claim, const struct conf_error *e); /* claim_result, where a change wants to say that it is done (apply.h) */

/* A connection that has become a stream of bytes: requests are over, what is written to its output buffer is sent, what the client sends is thrown away. Owner: who
 * began it. Embedded at the start of its own structure. */
struct stream {
	struct client *client; /* control.c's */
	void (*drained)(struct stream *stream); /* most of what was written is sent */
	void (*hangup)(struct stream *stream); /* the client sends no more: it asks for the end */
	void (*gone)(struct stream *stream); /* the connection has ended: stream and buffer are forgotten */
};
struct evbuffer *stream_begin(struct claim *claim, struct stream *stream); /* gives the claim back. NULL: the client has gone */
void stream_end(struct stream *stream); /* what was written is still sent; nothing is called any more */

/* A list of records, sent one by one; takes records (a JSON array) over. NULL: no memory. */
struct answer *answer_list(json_t *records);
void record_add(struct evbuffer *out, json_t *record); /* one line; takes record over; NULL is ignored */

/* To everyone who monitors what is in mask (MONITOR_*) in this namespace. Takes record over, and adds "netns" when it is not the first. */
void control_event(struct daemon *daemon, const struct conf_state *st, unsigned mask, json_t *record);
void control_netns_gone(struct daemon *daemon); /* namespaces may have been deleted: who monitors one of them is told so */
void control_events_lost(struct daemon *daemon, unsigned n);

#endif
