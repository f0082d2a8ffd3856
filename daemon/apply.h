/* SPDX-License-Identifier: MIT */
/* apply.h: making the world follow the configuration. All on the control thread. */
#ifndef DAEMON_APPLY_H
#define DAEMON_APPLY_H

#include "state.h"

struct daemon;

/* Called once, when every worker runs what was asked for (e NULL), or when that failed. */
typedef void (*apply_done)(struct daemon *daemon, void *arg, const struct conf_error *e);

/* Each: 0: done follows later; -errno with e filled: refused, everything is as before, done is not called. While another change is on its way
 * (apply_busy) they may not be called. */
int  apply_command(struct daemon *daemon, const struct cmd *cmd, apply_done done, void *arg, struct conf_error *e);
int  apply_state(struct daemon *daemon, const struct conf_state *want, apply_done done, void *arg, struct conf_error *e);
/* Reads the configuration file again and follows it. */
int  apply_reload(struct daemon *daemon, apply_done done, void *arg, struct conf_error *e);
bool apply_busy(const struct daemon *daemon);

/* What was changed besides transactions (carriers): commits and publishes it, in st and wherever else it had an effect. */
void apply_publish(struct daemon *daemon, struct conf_state *st);
/* Any other change: of the namespaces of first. As apply_command. */
int  apply_change(struct daemon *daemon, int (*change)(struct conf_state *first, const void *what, struct conf_error *e), const void *what, apply_done done,
		  void *arg, struct conf_error *e);
/* A device that the host had deleted is there again: opens it. As apply_command, without done. */
int  apply_revive(struct daemon *daemon, struct conf_state *st, int ifindex, struct conf_error *e);
void apply_link_gone(struct daemon *daemon, uint32_t netns, int ifindex, const struct tap *tap, int err); /* a worker's device failed; tap is only compared */
void apply_close_all(struct daemon *daemon); /* after the workers have ended: the TAPs go away */

#endif
