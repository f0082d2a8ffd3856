/* SPDX-License-Identifier: MIT */
/* links.h: the state of links (carrier, operational state) between devices, configuration and those who want to know. All on the control thread. */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

#include "state.h"
#include <netstack/linkwatch.h>

struct daemon;

/* A transaction has changed something and will commit it: in all namespaces the link states follow, carriers are told, and what is due of linkwatch is done, so that all of it is
 * published at once. Called again after a rollback. 0 or -ENOMEM: nothing was done. */
int  links_follow(struct daemon *daemon);
/* A device or the host has said something (conf_link.host, tap): does what follows, and publishes it. */
void links_changed(struct daemon *daemon, struct conf_state *st);
void links_tell_host(struct daemon *daemon, struct conf_state *st); /* what dormancy and testing make of its ends */
void links_say_gone(const struct conf_state *st, const struct conf_link *cl); /* to the log: its TAP */
/* Every configuration that runs: the first for NULL, then the one after st; NULL: that was the last. */
struct conf_state *links_next(struct daemon *daemon, const struct conf_state *st);
struct conf_state *links_state_named(struct daemon *daemon, const char *name); /* "" or "default": the first; NULL: there is none */
void links_stop(struct daemon *daemon);

/* What there is to show of a link: NULL in a state that does not run. */
const struct netdev_state *links_state(const struct conf_state *st, int ifindex);

#endif
