/* SPDX-License-Identifier: MIT */
/*
 * log.c: messages. Under systemd (JOURNAL_STREAM names our stderr) they go to the journal with fields, else to stderr as one line each. A daemon in the
 * background keeps nobody's stderr open: there they go to the journal if it runs, else to syslog(3).
 *
 * Not done: rate limits. Nothing on the path of a packet logs.
 */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* the place in the source is of no use to who reads it */
#include <systemd/sd-journal.h>

static atomic_bool to_journal, to_syslog;
static bool journal_runs;

void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0)
		to_journal = st.st_dev == dev && st.st_ino == ino;
}

void log_prepare_detach(void)
{
	journal_runs = access("/run/systemd/journal/socket", F_OK) == 0; /* libsystemd takes messages without a journal, and drops them */
	openlog("netstackd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_detach(void)
{
	to_syslog = true;
	if (journal_runs)
		to_journal = true;
}

static void log_text(int priority, const char *link, const char *fmt, va_list ap)
{
	char text[1024];
	int saved = errno;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) /* of a name that the host has given to an interface, say: no lines and colours of others' in a log */
			*p = '?';
	/* A refused send (no journal any more) falls through. */
	if (!to_journal || (link ? sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, "NETSTACKD_LINK=%s", link, NULL)
				 : sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, NULL)) < 0) {
		if (to_syslog)
			syslog(priority, "%s", text);
		else
			dprintf(STDERR_FILENO, "netstackd: %s\n", text);
	}
	errno = saved;
}

void log_msg(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(priority, NULL, fmt, ap);
	va_end(ap);
}

void log_link(int priority, const char *link, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(priority, link, fmt, ap);
	va_end(ap);
}
