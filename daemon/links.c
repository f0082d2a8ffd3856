/* SPDX-License-Identifier: MIT */
/*
 * links.c: the state of links between devices, configuration and those who want to know.
 *
 * Theory of operation. Each namespace has a linkwatch (stack/linkwatch.c) beside its configuration. What decides about the carrier of a TAP is brought together here:
 * the device is there, nobody has pulled the cable ("carrier off"), and the host's end is up (host_watch.c). A transaction calls links_follow before it
 * commits, so that switching a link on, and the carrier that it has then, are one change for the workers. What happens by itself (a device that goes, the host, linkwatch's own
 * timer) is published by itself.
 *
 * Everything that RTM_NEWLINK would tell goes from here to the monitors of the control socket, to the clients of the rtnetlink socket and, as far as carrier
 * is concerned, to the log.
 *
 * Invariant: the timer is set for the earliest of all linkwatches, or not at all: an idle daemon does not wake up.
 */
#include "links.h"

#include "daemon.h"
#include "log.h"
#include "monitor.h"
#include "netlink_server.h"
#include "priv.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

struct links { /* conf_state.lw_owner */
	struct netdev_notifier nb;
	struct daemon         *daemon;
	struct conf_state     *st;
};

const struct netdev_state *links_state(const struct conf_state *st, int ifindex)
{
	return st->lw ? linkwatch_dev(st->lw, ifindex) : NULL;
}

static void log_carrier(const struct conf_state *st, const struct netdev_state *dev)
{
	log_link(LOG_INFO, dev->conf.name, dev->carrier ? "%s%s%s: carrier, state %s" : "%s%s%s: no carrier, state %s", st->name, st->name[0] ? " " : "", dev->conf.name,
		 netdev_operstate_name(netdev_operstate(dev)));
}

static void heard(struct netdev_notifier *nb, enum netdev_event event, const struct netdev_state *dev, uint32_t change)
{
	struct links *links = (struct links *)nb;

	if (event == NETDEV_CHANGE && (change & NS_IFF_LOWER_UP))
		log_carrier(links->st, dev);
	if (event == NETDEV_GOING_DOWN)
		return;
	monitor_link(links->daemon, links->st, event, dev);
	netlink_link_event(links->daemon, links->st, event, dev, change);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

/* For the earliest of all. */
static void arm(struct daemon *d)
{
	ktime_t at = KTIME_MAX, left;
	struct conf_state *st = NULL;
	struct timeval tv;

	while ((st = conf_netns_next(&d->conf, st)))
		if (st->lw && linkwatch_deadline(st->lw) < at)
			at = linkwatch_deadline(st->lw);
	if (at == KTIME_MAX) {
		if (d->links_event)
			event_del(d->links_event);
		return;
	}
	if (!d->links_event)
		d->links_event = evtimer_new(d->base, on_timer, d);
	left = at - clock_now();
	if (left < 0)
		left = 0;
	left += NSEC_PER_USEC - 1; /* never before its time */
	tv = (struct timeval){ .tv_sec = left / NSEC_PER_SEC, .tv_usec = left % NSEC_PER_SEC / NSEC_PER_USEC };
	if (d->links_event)
		evtimer_add(d->links_event, &tv);
}

static void sync_carriers(struct conf_state *st, ktime_t now)
{
	for (unsigned i = 0; i < st->nlinks; i++) {
		const struct conf_link *cl = &st->links[i];
		const struct link_conf *link = netcfg_link_by_index(st->cfg, cl->ifindex);
		bool gone = link->type == LINK_TAP && (!cl->tap || cl->host.gone);

		if (gone)
			netif_device_detach(st->lw, cl->ifindex, now);
		else
			netif_device_attach(st->lw, cl->ifindex, now);
		linkwatch_set_mode(st->lw, cl->ifindex, cl->link_mode, now); /* before the carrier that it is about */
		netif_carrier_set(st->lw, cl->ifindex, !gone && !cl->host.down && !cl->carrier_off, now);
	}
}

/* "link set DEV state ...": when all else of the change is so. */
static void set_states(struct conf_state *st, ktime_t now)
{
	for (unsigned i = 0; i < st->nlinks; i++) {
		struct conf_link *cl = &st->links[i];
		const struct netdev_state *dev = links_state(st, cl->ifindex);

		if (!cl->state || !dev)
			continue;
		linkwatch_set_operstate(st->lw, cl->ifindex, cl->state, now);
		if (dev->operstate != cl->state)
			conf_warn(st, "%s cannot be %s now: its state stays %s", cl->name, netdev_operstate_name(cl->state), netdev_operstate_name(netdev_operstate(dev)));
		cl->state = 0;
	}
}

/* The carrier is told by the queue (apply.c) and makes UP or DOWN of the host's end by itself. What is in between is set by hand. */
void links_tell_host(struct daemon *d, struct conf_state *st)
{
	for (unsigned i = 0; i < st->nlinks; i++) {
		struct conf_link *cl = &st->links[i];
		const struct netdev_state *dev = links_state(st, cl->ifindex);
		struct host_end end = { .ifindex = cl->host.ifindex, .operstate = OPER_UP };
		struct conf_error e;

		if (!dev || !cl->tap || cl->host.gone || !cl->host.ifindex || !dev->carrier || !(dev->conf.flags & NS_IFF_UP))
			continue;
		if (dev->operstate == OPER_DORMANT || dev->operstate == OPER_TESTING)
			end.operstate = dev->operstate;
		end.link_mode = dev->link_mode == LINK_MODE_DORMANT ? LINK_MODE_DORMANT : LINK_MODE_DEFAULT;
		if (end.operstate == (cl->host.operstate ? cl->host.operstate : OPER_UP) && end.link_mode == cl->host.link_mode)
			continue;
		memcpy(end.name, cl->host.name, sizeof(end.name));
		if (priv_host_set(d->priv, &end, &e) < 0)
			log_link(LOG_NOTICE, cl->name, "%s: its state is not told to the host: %s", cl->name, e.text);
		cl->host.operstate = end.operstate;
		cl->host.link_mode = end.link_mode;
	}
}

static int links_new(struct daemon *d, struct conf_state *st)
{
	struct links *links = calloc(1, sizeof(*links));

	st->lw = links ? linkwatch_new(st->cfg) : NULL;
	if (!st->lw) {
		free(links);
		return -ENOMEM;
	}
	*links = (struct links){ .nb.call = heard, .daemon = d, .st = st };
	st->lw_owner = links;
	linkwatch_subscribe(st->lw, &links->nb);
	return 0;
}

static int follow_one(struct daemon *d, struct conf_state *st, ktime_t now)
{
	int err = st->lw ? 0 : links_new(d, st);

	if (!err)
		err = linkwatch_follow(st->lw, now);
	if (err)
		return err;
	sync_carriers(st, now);
	linkwatch_run(st->lw, now);
	set_states(st, now);
	return 0;
}

int links_follow(struct daemon *d)
{
	struct conf_state *st = NULL;
	ktime_t now = clock_now();
	int err = 0;

	while (!err && (st = conf_netns_next(&d->conf, st)))
		err = follow_one(d, st, now);
	arm(d);
	return err;
}

void links_changed(struct daemon *d, struct conf_state *st)
{
	ktime_t now = clock_now();

	if (!st->lw)
		return;
	linkwatch_follow(st->lw, now); /* no memory: with the next change */
	sync_carriers(st, now);
	linkwatch_run(st->lw, now);
	apply_publish(d, st);
	links_tell_host(d, st);
	arm(d);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct conf_state *st = NULL;

	(void)fd;
	(void)what;
	while ((st = conf_netns_next(&d->conf, st)))
		links_changed(d, st);
}

void links_say_gone(const struct conf_state *st, const struct conf_link *cl)
{
	const struct link_conf *link = netcfg_link_by_index(st->cfg, cl->ifindex);

	log_link(LOG_ERR, cl->name, "%s%s%s: its TAP %s is gone: no carrier; \"link set %s up\" makes it anew", st->name, st->name[0] ? " " : "", cl->name,
		 link ? link->host_name : "", cl->name);
}

struct conf_state *links_next(struct daemon *d, const struct conf_state *st)
{
	return conf_netns_next(&d->conf, st);
}

struct conf_state *links_state_named(struct daemon *d, const char *name)
{
	return conf_netns_find(&d->conf, name);
}

void links_stop(struct daemon *d)
{
	if (d->links_event)
		event_free(d->links_event);
	d->links_event = NULL;
}
