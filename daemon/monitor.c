/* SPDX-License-Identifier: MIT */
/*
 * monitor.c: events for "nsctl monitor".
 *
 * Changes of the configuration are known to the control thread, which makes them. What the stacks find out by themselves (neighbours) is sent by the workers as jobs, only
 * while somebody monitors, and at most MAX_WAITING at a time from each: what is more is counted and reported as lost.
 */
#include "monitor.h"

#include "capture.h"
#include "daemon.h"
#include "log.h"
#include "netlink_server.h"
#include "show.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WAITING 1024

struct event_job {
	struct job         job;
	struct worker     *worker;
	uint32_t           netns;
	struct stack_event event;
};

/* Somebody else has an address of ours: for the log, whether anybody monitors or not. */
static void log_conflict(const struct link_conf *link, const struct stack_event *ev)
{
	const uint8_t *m = ev->lladdr.b;
	char addr[INET6_ADDRSTRLEN] = "?";

	inet_ntop(ev->addr.family, ev->addr.b, addr, sizeof(addr));
	log_link(LOG_WARNING, link ? link->name : "", "%s: %s is also claimed by %02x:%02x:%02x:%02x:%02x:%02x: give one of the two another address",
		 link ? link->name : "?", addr, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void log_martian(const struct link_conf *link, const struct stack_event *ev)
{
	const uint8_t *m = ev->lladdr.b;
	char from[INET6_ADDRSTRLEN] = "?", to[INET6_ADDRSTRLEN] = "?";

	inet_ntop(ev->addr.family, ev->addr.b, from, sizeof(from));
	inet_ntop(ev->daddr.family, ev->daddr.b, to, sizeof(to));
	log_link(LOG_WARNING, link ? link->name : "", "%s: a martian: a packet from %s to %s, sent by %02x:%02x:%02x:%02x:%02x:%02x, cannot have come this way (log_martians)",
		 link ? link->name : "?", from, to, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void event_run(struct job *job, void *owner)
{
	struct event_job *ej = (struct event_job *)job;
	const struct stack_event *ev = &ej->event;
	struct daemon *d = owner;
	const struct conf_state *st = conf_netns_by_id(&d->conf, ej->netns);
	const struct link_conf *link = st ? netcfg_link_by_index(st->cfg, ev->ifindex) : NULL;
	unsigned lost = atomic_exchange(&ej->worker->events_lost, 0);
	json_t *r;

	atomic_fetch_sub(&ej->worker->events_waiting, 1);
	if (lost)
		control_events_lost(d, lost);
	if (ev->type == STACK_EV_ADDR_CONFLICT) {
		log_conflict(link, ev);
		free(ej);
		return;
	}
	if (ev->type == STACK_EV_MARTIAN) {
		log_martian(link, ev);
		free(ej);
		return;
	}
	if (!st) { /* gone meanwhile */
		free(ej);
		return;
	}
	r = record_neigh(link ? link->name : "", &ev->addr, &ev->lladdr, ev->nud);
	json_object_set_new(r, "what", json_string("neigh"));
	json_object_set_new(r, "deleted", json_boolean(ev->type == STACK_EV_NEIGH_DEL));
	json_object_set_new(r, "cpu", json_integer(ej->worker->cpu));
	control_event(d, st, MONITOR_NEIGH, r);
	free(ej);
}

void monitor_from_worker(struct worker_ns *ns, const struct stack_event *ev)
{
	struct worker *w = ns->worker;
	struct event_job *ej;

	if (ev->type != STACK_EV_NEIGH && ev->type != STACK_EV_NEIGH_DEL && ev->type != STACK_EV_ADDR_CONFLICT && ev->type != STACK_EV_MARTIAN)
		return; /* the control thread has said so already */
	if (ev->nud & NUD_PERMANENT)
		return; /* likewise */
	ej = atomic_load(&w->events_waiting) < MAX_WAITING ? malloc(sizeof(*ej)) : NULL;
	if (!ej) {
		atomic_fetch_add(&w->events_lost, 1);
		return;
	}
	atomic_fetch_add(&w->events_waiting, 1);
	*ej = (struct event_job){ .job.run = event_run, .worker = w, .netns = ns->id, .event = *ev };
	mailbox_post(&w->daemon->mail, &ej->job);
}

void monitor_link(struct daemon *d, const struct conf_state *st, enum netdev_event event, const struct netdev_state *dev)
{
	bool deleted = event == NETDEV_UNREGISTER;
	json_t *r;

	if (!atomic_load(&d->monitors))
		return;
	if (deleted) {
		r = json_object();
		json_object_set_new(r, "ifindex", json_integer(dev->conf.ifindex));
		json_object_set_new(r, "name", json_string(dev->conf.name));
	} else {
		r = record_link(st, &dev->conf);
	}
	json_object_set_new(r, "what", json_string("link"));
	json_object_set_new(r, "deleted", json_boolean(deleted));
	control_event(d, st, MONITOR_LINK, r);
}

static json_t *change_record(const struct conf_change *c, unsigned *mask, const char **what)
{
	json_t *r;

	switch (c->kind) {
	case CHANGE_ADDR:
		*mask = MONITOR_ADDR;
		*what = "addr";
		return record_addr(c->dev, &c->addr);
	case CHANGE_ROUTE:
		*mask = MONITOR_ROUTE;
		*what = "route";
		return record_route(c->dev, &c->route, false);
	case CHANGE_NEIGH:
	default:
		*mask = MONITOR_NEIGH;
		*what = "neigh";
		r = record_neigh(c->dev, &c->neigh.addr, &c->neigh.lladdr, NUD_PERMANENT);
		if (c->deleted) /* "neigh del" does not say it */
			json_object_del(r, "lladdr");
		return r;
	}
}

static void tell_changes(struct daemon *d, struct conf_state *st)
{
	for (unsigned i = 0; i < st->nchanges; i++) {
		const struct conf_change *c = &st->changes[i];
		const char *what;
		unsigned mask;
		json_t *r;

		if (c->kind == CHANGE_LINK)
			continue; /* told by linkwatch */
		r = change_record(c, &mask, &what);
		json_object_set_new(r, "what", json_string(what));
		json_object_set_new(r, "deleted", json_boolean(c->deleted));
		control_event(d, st, mask, r);
	}
	if (st->changes_lost)
		control_events_lost(d, 1);
	conf_changes_reset(st);
}

void monitor_changes(struct daemon *d)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st)))
		tell_changes(d, st);
	capture_links_changed(d);
	control_netns_gone(d);
	netlink_netns_gone(d);
}
