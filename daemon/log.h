/* SPDX-License-Identifier: MIT */
/* log.h: messages to the journal (with fields) when systemd started us, else to stderr, or, in the background, to the journal or syslog. Any thread. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <syslog.h> /* LOG_ERR and its kind */

void log_init(void);
/* Makes the connections that log_detach needs; before the filter of system calls. */
void log_prepare_detach(void);
/* From now on nothing is written to stderr. */
void log_detach(void);
void log_msg(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with the field NETSTACKD_LINK=link, which "journalctl NETSTACKD_LINK=eth0" finds. */
void log_link(int priority, const char *link, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
