/* SPDX-License-Identifier: MIT */
/* notify.h: what systemd is told: readiness, a status line, reloading, the watchdog. Nothing happens when systemd did not start us. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "daemon.h"

void notify_ready(const struct daemon *daemon);
void notify_status(const struct daemon *daemon); /* after every change */
void notify_reloading(void);
void notify_stopping(void);
int  notify_watchdog_start(struct daemon *daemon); /* 0 or -ENOMEM */

#endif
