/* SPDX-License-Identifier: MIT */
/*
 * notify.c: what systemd is told (sd_notify).
 *
 * The watchdog is fed only when every worker has answered since the last time: a worker that is stuck stops it, and systemd starts the daemon anew.
 * Two questions fit into the watchdog's time, as sd_watchdog_enabled(3) recommends; without a watchdog nothing wakes up.
 */
#include "notify.h"

#include "gather.h"
#include "log.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <systemd/sd-daemon.h>

static int count_up(void *arg, const struct link_conf *link)
{
	*(unsigned *)arg += (link->flags & NS_IFF_UP) && link->type != LINK_LOOPBACK;
	return 0;
}

static void status_text(const struct daemon *d, char *buf, size_t size)
{
	unsigned up = 0, nlinks = 0, nservices = 0;
	const struct conf_state *st = NULL;
	int n;

	while ((st = conf_netns_next(&d->conf, st))) {
		netcfg_link_foreach(st->cfg, count_up, &up);
		nlinks += st->nlinks;
		nservices += st->nservices;
	}
	n = snprintf(buf, size, "%u of %u links up, %u services, %u worker%s", up, nlinks, nservices, d->nworkers, d->nworkers == 1 ? "" : "s");
	if (d->conf.nnetns && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, ", %u network namespaces", d->conf.nnetns + 1);
}

void notify_status(const struct daemon *d)
{
	char text[128];

	if (!d->ready || d->ending)
		return;
	status_text(d, text, sizeof(text));
	sd_notifyf(0, "STATUS=%s%s%s", text, d->last_error[0] ? "; the last reload was refused: " : "", d->last_error);
}

void notify_ready(const struct daemon *d)
{
	sd_notify(0, "READY=1");
	notify_status(d);
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=Reloading the configuration", clock_now() / NSEC_PER_USEC);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Ending connections");
}

static void answer(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	(void)g;
	(void)slot;
	(void)w; /* coming here was all */
}

static void all_alive(struct gather *g)
{
	g->daemon->watchdog_pending = false;
	sd_notify(0, "WATCHDOG=1");
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (!d->watchdog_pending && gather_start(d, answer, all_alive, NULL) == 0)
		d->watchdog_pending = true;
}

int notify_watchdog_start(struct daemon *d)
{
	struct timeval tv;

	if (sd_watchdog_enabled(0, &d->watchdog_usec) <= 0)
		return 0;
	tv.tv_sec = (time_t)(d->watchdog_usec / 2 / 1000000);
	tv.tv_usec = (suseconds_t)(d->watchdog_usec / 2 % 1000000);
	d->watchdog_event = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	if (!d->watchdog_event || event_add(d->watchdog_event, &tv) < 0)
		return -ENOMEM;
	on_watchdog(-1, 0, d);
	return 0;
}
