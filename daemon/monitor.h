/* SPDX-License-Identifier: MIT */
/* monitor.h: events for "nsctl monitor". */
#ifndef DAEMON_MONITOR_H
#define DAEMON_MONITOR_H

#include <netstack/stack.h>

struct daemon;
struct worker_ns;

void monitor_from_worker(struct worker_ns *ns, const struct stack_event *ev); /* the worker's thread */
void monitor_changes(struct daemon *daemon); /* the control thread: what the last change did (conf.changes) */

#endif
