/* SPDX-License-Identifier: MIT */
/* monitor.h: events for "nsctl monitor". */
#ifndef DAEMON_MONITOR_H
#define DAEMON_MONITOR_H

#include <netstack/linkwatch.h>
#include <netstack/stack.h>

struct conf_state;
struct daemon;
struct worker_ns;

void monitor_from_worker(struct worker_ns *ns, const struct stack_event *ev); /* the worker's thread */
void monitor_link(struct daemon *daemon, const struct conf_state *st, enum netdev_event event, const struct netdev_state *dev); /* the control thread: of a link */
void monitor_changes(struct daemon *daemon); /* the control thread: what the last change did, in all namespaces (conf_state.changes) */

#endif
