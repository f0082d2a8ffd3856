/* SPDX-License-Identifier: MIT */
/*
 * publish.c: what a change means to the workers, told to them.
 *
 * Theory of operation. Each worker gets one job that removes services and devices that are gone, applies the snapshot, and takes up new devices and services, in this
 * order, so that it never has a device of which its stack knows nothing. When all have done so, the old devices' descriptors are closed and netcfg takes back what
 * only older snapshots needed. A service that one worker could not start is withdrawn from all.
 */
#include "publish.h"

#include "control.h"
#include "daemon.h"
#include "gather.h"
#include "netlink_server.h"
#include "notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum worker_failure { FAILED_APPLY = 1, FAILED_DEVICE, FAILED_SERVICE };

struct worker_result { /* in slot->data when slot->err */
	enum worker_failure what;
	unsigned            ns, which;
};

/* ---- on the worker's thread -------------------------------------------------------------------------------------------- */

static int attach_tap(struct worker_ns *ns, struct tap *tap, const struct tap_conf *conf)
{
	if (tap->ifindex >= ns->ntaps) {
		int n = tap->ifindex + 8;
		struct tapq **taps = realloc(ns->taps, (size_t)n * sizeof(*taps));

		if (!taps)
			return -ENOMEM;
		memset(taps + ns->ntaps, 0, (size_t)(n - ns->ntaps) * sizeof(*taps));
		ns->taps = taps;
		ns->ntaps = n;
	}
	return tapq_open(&ns->taps[tap->ifindex], ns, tap, conf);
}

static void failed_on_worker(struct gather_slot *slot, int err, enum worker_failure what, unsigned ns, unsigned which)
{
	struct worker_result *r;

	if (slot->err)
		return; /* the first is told */
	slot->err = err;
	r = malloc(sizeof(*r));
	if (r)
		*r = (struct worker_result){ .what = what, .ns = ns, .which = which };
	slot->data = r;
}

static const struct tap_conf *tap_conf_of(const struct publish_ns *p, int ifindex)
{
	static const struct tap_conf none = { .mtu = 1500, .copybreak = TAP_COPYBREAK, .tx_ring = TAP_TX_RING };

	for (unsigned i = 0; i < p->ntaps; i++)
		if (p->taps[i].ifindex == ifindex)
			return &p->taps[i].conf;
	return &none;
}

static void publish_one(struct gather_slot *slot, const struct publish_ns *p, unsigned which, struct worker *w)
{
	struct worker_ns *ns = worker_ns(w, p->id);
	int err = ns ? 0 : worker_ns_add(w, p->id); /* it is new; or there was no memory for it when it was */

	ns = worker_ns(w, p->id);
	if (!ns) {
		failed_on_worker(slot, err, FAILED_APPLY, which, 0);
		return;
	}
	worker_raise(ns);
	for (unsigned i = 0; i < p->ndel; i++)
		services_del(ns->services, &p->del[i]);
	for (unsigned i = 0; i < p->ndetach; i++) {
		struct tapq *q = worker_tap(ns, p->detach[i]->ifindex);

		if (q && q->tap == p->detach[i]) {
			tapq_close(q);
			ns->taps[p->detach[i]->ifindex] = NULL;
		}
	}
	err = p->snap ? stack_apply(ns->stack, p->snap, w->now) : 0;
	if (err) {
		failed_on_worker(slot, err, FAILED_APPLY, which, 0);
		return;
	}
	for (unsigned i = 0; i < p->ntaps; i++)
		if (worker_tap(ns, p->taps[i].ifindex))
			tapq_configure(worker_tap(ns, p->taps[i].ifindex), &p->taps[i].conf);
	if (p->taps) {
		ns->pin = p->pin[w->cpu];
		worker_pin(w);
	}
	for (unsigned i = 0; i < p->nattach; i++) {
		err = attach_tap(ns, p->attach[i], tap_conf_of(p, p->attach[i]->ifindex));
		if (err)
			failed_on_worker(slot, err, FAILED_DEVICE, which, i);
	}
	for (unsigned i = 0; i < p->nadd; i++) {
		err = services_add(ns->services, &p->add[i]);
		if (err)
			failed_on_worker(slot, err, FAILED_SERVICE, which, i);
	}
}

/*
 * Namespaces go when those that stay have their new links: by then none leads there any more. They come after that, since one that comes may have the place of one
 * that goes (a reload with other namespaces). A veth that leads to one which is not there yet is a cable that is out (stack/veth.c), for a moment.
 */
static void publish_collect(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	const struct publish *p = g->arg;
	uint8_t todo[2 * NETNS_MAX]; /* as many as transact() (apply.c) has room for; below: 0 done, 1 comes */

	for (unsigned i = 0; i < p->nns; i++) {
		todo[i] = !p->ns[i].remove && !worker_ns(w, p->ns[i].id);
		if (!p->ns[i].remove && !todo[i])
			publish_one(slot, &p->ns[i], i, w);
	}
	for (unsigned i = 0; i < p->nns; i++)
		if (p->ns[i].remove)
			worker_ns_del(w, p->ns[i].id);
	for (unsigned i = 0; i < p->nns; i++)
		if (todo[i])
			publish_one(slot, &p->ns[i], i, w);
	xdp_apply(p->xdp, w);
}

/* ---- publishing ------------------------------------------------------------------------------------------------------------ */

void publish_free(struct publish *p)
{
	for (unsigned i = 0; i < p->nns; i++) {
		struct publish_ns *n = &p->ns[i];

		free(n->attach);
		free(n->detach);
		free(n->add);
		free(n->del);
		free(n->taps);
		conf_state_put(n->conf);
	}
	free(p->ns);
	free(p);
}

struct publish *publish_new(unsigned nns)
{
	struct publish *p = calloc(1, sizeof(*p));

	if (p)
		p->ns = calloc(nns + 1, sizeof(*p->ns));
	if (p && !p->ns) {
		free(p);
		return NULL;
	}
	return p;
}

struct publish_ns *publish_add(struct publish *p, struct conf_state *st)
{
	struct publish_ns *n = &p->ns[p->nns++];

	n->conf = conf_state_get(st);
	n->id = st->id;
	return n;
}

static void describe_failure(const struct publish *p, const struct gather_slot *slot, struct conf_error *e)
{
	const struct worker_result *r = slot->data;
	const struct publish_ns *n = r ? &p->ns[r->ns] : NULL;

	if (r && r->what == FAILED_SERVICE)
		conf_fail(e, slot->err, "service %s on port %u cannot start: %s", n->add[r->which].what, n->add[r->which].port, strerror(-slot->err));
	else if (r && r->what == FAILED_DEVICE)
		conf_fail(e, slot->err, "%s cannot be used: %s", n->attach[r->which]->link, strerror(-slot->err));
	else
		conf_fail(e, slot->err, "a worker could not take the new configuration: %s", strerror(-slot->err));
}

static bool same_service(const struct conf_state *st, const struct service_conf *s)
{
	for (unsigned i = 0; i < st->nservices; i++)
		if (memcmp(&st->services[i], s, sizeof(*s)) == 0)
			return true;
	return false;
}

/* A service that could not be had on every shard is not there at all: what was added is taken back from the workers that could. */
static void withdraw_services(struct daemon *d, const struct gather *g, struct publish *p)
{
	struct publish *again = publish_new(p->nns);

	for (unsigned i = 0; i < g->n; i++) {
		const struct worker_result *r = g->slot[i].err ? g->slot[i].data : NULL;
		struct conf_error ignored;

		if (r && r->what == FAILED_SERVICE) {
			const struct service_conf *s = &p->ns[r->ns].add[r->which];

			conf_service_remove(p->ns[r->ns].conf, s->proto, s->port, &s->addr, &ignored);
		}
	}
	for (unsigned i = 0; again && i < p->nns; i++) {
		struct publish_ns *from = &p->ns[i], *to;

		if (from->remove) /* workers would make it anew */
			continue;
		to = publish_add(again, from->conf);
		to->del = from->add;
		for (unsigned k = 0; k < from->nadd; k++)
			if (!same_service(from->conf, &from->add[k]))
				to->del[to->ndel++] = from->add[k];
		from->add = NULL;
		from->nadd = 0;
	}
	if (again && publish(d, again) < 0)
		publish_free(again);
}

static void offload_more(const struct conf_state *st)
{
	for (unsigned i = 0; i < st->nlinks; i++) {
		struct tap *tap = st->links[i].tap;
		const struct link_conf *link = netcfg_link_by_index(st->cfg, st->links[i].ifindex);

		if (tap && link && tap->features != link->features && link_dev_set_offload(tap->fd[0], link->features) == 0)
			tap->features = link->features;
	}
}

static void publish_done(struct gather *g)
{
	struct daemon *d = g->daemon;
	struct publish *p = g->arg;
	struct conf_error e = { .err = 0 };
	bool applied = true, withdraw = false;

	for (unsigned i = 0; i < g->n; i++) {
		const struct worker_result *r = g->slot[i].data;

		if (!g->slot[i].err)
			continue;
		if (!e.err)
			describe_failure(p, &g->slot[i], &e);
		if (!r || r->what == FAILED_APPLY)
			applied = false;
		else if (r->what == FAILED_SERVICE)
			withdraw = true;
	}
	for (unsigned i = 0; i < p->nns; i++) {
		if (applied && p->ns[i].snap)
			netcfg_reclaim(p->ns[i].conf->cfg, net_snapshot_version(p->ns[i].snap));
		for (unsigned k = 0; k < p->ns[i].ndetach; k++)
			tap_free(p->ns[i].detach[k]);
		if (!p->ns[i].remove)
			offload_more(p->ns[i].conf);
	}
	xdp_done(d, p->xdp, true);
	d->publishing--;
	if (withdraw)
		withdraw_services(d, g, p);
	for (unsigned i = 0; i < g->n; i++)
		free(g->slot[i].data);
	if (p->done)
		p->done(d, p->arg, e.err ? &e : NULL);
	publish_free(p);
	notify_status(d);
	if (!apply_busy(d))
		control_retry(d);
	if (!apply_busy(d))
		netlink_retry(d);
}

struct gather *publish_gather(struct daemon *d, struct publish *p)
{
	return gather_new(d, publish_collect, publish_done, p);
}

void publish_post(struct daemon *d, struct gather *gather)
{
	d->publishing++;
	gather_post(gather);
}

int publish(struct daemon *d, struct publish *p)
{
	struct gather *gather = publish_gather(d, p);

	if (!gather)
		return -ENOMEM;
	publish_post(d, gather);
	return 0;
}

bool apply_busy(const struct daemon *d)
{
	return d->publishing != 0;
}
