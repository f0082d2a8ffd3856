/* SPDX-License-Identifier: MIT */
/*
 * apply.c: making the world follow the configuration.
 *
 * Theory of operation. A change is a transaction: the state is changed within conf_begin, then the TAPs that it newly needs are opened and their host ends set
 * up. If any of that fails, what was opened is closed and the state rolled back: nothing has happened. Then it is committed, and
 * published to the workers (publish.c). When all have taken it, whoever asked gets his answer. One change at a time.
 *
 * A device is made before the one that it replaces is closed, so a change of the host's name cannot fail half way.
 */
#include "apply.h"

#include "config_file.h"
#include "daemon.h"
#include "gather.h"
#include "host_link.h"
#include "links.h"
#include "log.h"
#include "monitor.h"
#include "notify.h"
#include "priv.h"
#include "publish.h"
#include "vnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif

/* ---- devices ---------------------------------------------------------------------------------------------------------------- */

static bool tap_kept(const struct conf_state *st, const struct tap *tap)
{
	for (unsigned i = 0; i < st->nlinks; i++)
		if (st->links[i].tap == tap)
			return true;
	return false;
}

static int open_tap(struct daemon *d, struct conf_state *st, struct conf_link *cl, struct tap **ret, int *ret_host /* its number there */, struct conf_error *e)
{
	struct link_conf link = *netcfg_link_by_index(st->cfg, cl->ifindex);
	struct host_end end = { .mtu = link.mtu, .txqlen = cl->dev.ring_rx, .up = true, .addr = link.host_addr, .operstate = OPER_UP };
	/* A queue that no worker reads would swallow its share of the frames. */
	unsigned nqueues = link.queues < d->nworkers ? link.queues : d->nworkers;
	struct tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return conf_fail(e, -ENOMEM, "no memory for a device");
	tap->netns = st->id;
	tap->ifindex = cl->ifindex;
	memcpy(tap->link, cl->name, sizeof(tap->link));
	memcpy(tap->host_name, link.host_name, sizeof(tap->host_name));
	err = priv_tap_open(d->priv, cl->name, tap->host_name, nqueues, !cl->dev.no_vnet, tap->fd, ret_host, e);
	if (err) {
		free(tap);
		return err;
	}
	tap->nqueues = nqueues;
	tap->vnet_len = cl->dev.no_vnet ? 0 : VNET_LEN;
	tap->offered = link_dev_offered(tap->fd[0]);
	tap->features = link_dev_features(&cl->dev, tap->offered);
	err = link_dev_set_offload(tap->fd[0], tap->features);
	if (nqueues < link.queues)
		log_link(LOG_NOTICE, cl->name, "%s: %u of %u queues are used: there is one for each worker", cl->name, nqueues, link.queues);
	memcpy(end.name, tap->host_name, sizeof(end.name));
	end.ifindex = *ret_host;
	if (host_link_queue(*ret_host, tap->host_name, &tap->host_dropped, &tap->host_txqlen) < 0)
		tap->host_dropped = 0;
	err = err ? conf_fail(e, err, "%s takes no offloads: %s", tap->host_name, strerror(-err)) : priv_host_set(d->priv, &end, e);
	/* The kernel chose a name, or does not offer everything. */
	if (!err && (strcmp(link.host_name, tap->host_name) != 0 || link.features != tap->features)) {
		memcpy(link.host_name, tap->host_name, sizeof(link.host_name));
		link.features = tap->features;
		err = conf_link_change(st, &link, e);
	}
	if (err) {
		tap_free(tap);
		return err;
	}
	*ret = tap;
	return 0;
}

/* What the host sees of a link: the carrier of its end follows "link set DEV up|down" and "carrier on|off". */
static void tell_carrier(const struct tap *tap, const struct conf_link *cl, const struct link_conf *link)
{
	int on = (link->flags & NS_IFF_UP) && !cl->carrier_off;

	if (tap->nqueues && ioctl(tap->fd[0], TUNSETCARRIER, &on) < 0 && errno != EINVAL && errno != ENOTTY)
		log_link(LOG_WARNING, cl->name, "%s: cannot set the carrier of %s: %s", cl->name, tap->host_name, strerror(errno));
}

static int lies_below(void *arg, const struct link_conf *link)
{
	const struct link_conf *below = arg;

	return link->link == below->ifindex && link->type == LINK_VLAN;
}

/* The host keeps back what is for other stations, unless somebody here wants to see that: a bridge, a VLAN device with an address of its own, anybody. */
static void tell_filter(const struct conf_state *st, struct tap *tap, const struct link_conf *link)
{
	bool all = !(link->features & LINK_F_RX_FILTER) || link->flags & NS_IFF_PROMISC || link->master ||
		   netcfg_link_foreach(st->cfg, lies_below, (void *)(uintptr_t)link);
	int err;

	if (all && !tap->filtered)
		return;
	err = link_dev_set_filter(tap->fd[0], link, all);
	if (err)
		log_link(LOG_WARNING, link->name, "%s: cannot set the address filter of %s: %s", link->name, tap->host_name, strerror(-err));
	else
		tap->filtered = !all;
}

struct host_before { /* of a link: what its host end was told, which may stay, or be another link's now */
	uint32_t        netns;
	int             ifindex, host; /* the latter is the number of its host end */
	uint32_t        mtu, txqlen;
	struct ipprefix addr;
};

static struct host_before *remember_hosts(const struct daemon *d, unsigned *ret_n)
{
	struct conf_state *st = NULL;
	struct host_before *hosts;
	unsigned n = 0;

	while ((st = conf_netns_next(&d->conf, st)))
		n += st->nlinks;
	hosts = calloc(n + 1, sizeof(*hosts));
	n = 0;
	while (hosts && (st = conf_netns_next(&d->conf, st)))
		for (unsigned i = 0; i < st->nlinks; i++) {
			const struct link_conf *link = netcfg_link_by_index(st->cfg, st->links[i].ifindex);

			hosts[n++] = (struct host_before){ .netns = st->id, .ifindex = link->ifindex, .host = st->links[i].host.ifindex, .mtu = link->mtu, .txqlen = st->links[i].dev.ring_rx,
							     .addr = link->host_addr };
		}
	*ret_n = n;
	return hosts;
}

static int change_host(struct daemon *d, const struct conf_link *cl, const struct link_conf *link, const struct host_before *old, struct conf_error *e)
{
	struct host_end end = { .ifindex = cl->host.ifindex, .mtu = link->mtu, .txqlen = cl->dev.ring_rx, .addr = link->host_addr };
	int err;

	if (!end.txqlen && old->txqlen)
		end.txqlen = cl->tap->host_txqlen; /* as it was */
	memcpy(end.name, cl->host.name, sizeof(end.name));
	end.old_addr = old->addr;
	if (ipaddr_equal(&end.addr.addr, &end.old_addr.addr) && end.addr.len == end.old_addr.len)
		end.old_addr = (struct ipprefix){ .len = 0 };
	err = priv_host_set(d->priv, &end, e);
	if (err == -ENODEV) {
		log_link(LOG_WARNING, cl->name, "%s: %s", cl->name, e->text);
		return 0;
	}
	return err;
}

/* Changes of MTU and address at host ends that stay. A host end that was moved to another namespace is not ours any more: a warning. */
static int change_hosts(struct daemon *d, const struct conf_state *st, const struct host_before *hosts, unsigned nhosts, struct conf_error *e)
{
	int err = 0;

	for (unsigned i = 0; i < st->nlinks && !err; i++) {
		const struct conf_link *cl = &st->links[i];
		const struct link_conf *link = netcfg_link_by_index(st->cfg, cl->ifindex);
		const struct host_before *old = NULL;

		for (unsigned k = 0; cl->tap && k < nhosts; k++)
			if ((hosts[k].netns == st->id && hosts[k].ifindex == cl->ifindex) || (cl->host.ifindex && hosts[k].host == cl->host.ifindex)) {
				old = &hosts[k];
				if (hosts[k].host == cl->host.ifindex)
					break;
			}
		if (old && (old->mtu != link->mtu || old->txqlen != cl->dev.ring_rx || !ipaddr_equal(&old->addr.addr, &link->host_addr.addr) || old->addr.len != link->host_addr.len))
			err = change_host(d, cl, link, old, e);
	}
	return err;
}

struct tap_list {
	struct tap **tap;
	unsigned     n;
};

static int list_add(struct tap_list *list, struct tap *tap)
{
	struct tap **p = realloc(list->tap, (list->n + 1) * sizeof(*p));

	if (!p)
		return -ENOMEM;
	list->tap = p;
	p[list->n++] = tap;
	return 0;
}

static int open_new_taps(struct daemon *d, struct conf_state *st, struct tap_list *opened, struct conf_error *e)
{
	for (unsigned i = 0; i < st->nlinks; i++) {
		struct conf_link *cl = &st->links[i];
		const struct link_conf *link = netcfg_link_by_index(st->cfg, cl->ifindex);
		struct tap *tap = NULL;
		int err, host = 0;

		if (link->type != LINK_TAP || (cl->tap && !cl->host.revive && strcmp(cl->host.name, link->host_name) == 0))
			continue;
		err = open_tap(d, st, cl, &tap, &host, e);
		if (err) {
			if (e->column == 0)
				snprintf(e->word, sizeof(e->word), "%s", cl->name);
			return err;
		}
		if (list_add(opened, tap) < 0) {
			tap_free(tap);
			return conf_fail(e, -ENOMEM, "no memory for a device");
		}
		cl->tap = tap;
		memset(&cl->host, 0, sizeof(cl->host));
		cl->host.ifindex = host;
		cl->host.mtu = cl->host.mtu_told = link->mtu;
		memcpy(cl->host.name, tap->host_name, sizeof(cl->host.name));
	}
	return 0;
}

/* ---- transactions --------------------------------------------------------------------------------------------------------------- */

/* a's services that b lacks. */
static int missing_services(const struct service_conf *a, unsigned na, const struct service_conf *b, unsigned nb, struct service_conf **ret, unsigned *ret_n)
{
	struct service_conf *list = malloc(na * sizeof(*list) + 1);
	unsigned n = 0;

	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < na; i++) {
		bool found = false;

		for (unsigned k = 0; k < nb && !found; k++)
			found = memcmp(&a[i], &b[k], sizeof(a[i])) == 0;
		if (!found)
			list[n++] = a[i];
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* What the host may no longer hand over it is told before the workers have smaller buffers; what it now may, when all have larger ones (publish_done). */
static void offload_less(struct tap *tap, uint32_t features)
{
	if (tap && tap->features & ~features && link_dev_set_offload(tap->fd[0], tap->features & features) == 0)
		tap->features &= features;
}

/* Worker k serves queue k of each device. The first device with a list of CPUs decides. */
static void link_pins(struct publish_ns *n, const struct link_dev *dev, unsigned queues, unsigned cpus)
{
	for (unsigned k = 0; k < queues && k < STACK_MAX_CPUS; k++)
		if (!n->pin[k])
			n->pin[k] = (uint16_t)link_dev_cpu(dev, k, cpus);
}

static int list_taps(struct publish_ns *n)
{
	const struct conf_state *st = n->conf;

	n->taps = calloc(st->nlinks + 1, sizeof(*n->taps));
	if (!n->taps)
		return -ENOMEM;
	for (unsigned i = 0; i < st->nlinks; i++) {
		const struct link_conf *link = netcfg_link_by_index(st->cfg, st->links[i].ifindex);

		n->taps[n->ntaps].ifindex = link->ifindex;
		link_dev_tap(&st->links[i].dev, link->mtu, link->features, &n->taps[n->ntaps++].conf);
		offload_less(st->links[i].tap, link->features);
		link_pins(n, &st->links[i].dev, link->queues, st->first->cpus);
	}
	return 0;
}

/* Of a namespace that goes or changed: its TAPs that are not used any more, and the services that come and go. */
static int prepare_one(struct publish_ns *n, const struct conf_undo *was, struct tap_list *opened)
{
	static const struct conf_undo nothing = { .nlinks = 0 };
	const struct conf_state *st = n->conf;
	struct tap_list old = { .tap = NULL };

	was = was ? was : &nothing;
	for (unsigned i = 0; i < was->nlinks; i++)
		if (was->links[i].tap && (n->remove || !tap_kept(st, was->links[i].tap)) && list_add(&old, was->links[i].tap) < 0)
			goto nomem;
	n->detach = old.tap;
	n->ndetach = old.n;
	if (n->remove)
		return 0;
	if (list_taps(n) < 0 || missing_services(st->services, st->nservices, was->services, was->nservices, &n->add, &n->nadd) < 0 ||
	    missing_services(was->services, was->nservices, st->services, st->nservices, &n->del, &n->ndel) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < opened->n; i++)
		if (opened->tap[i]->netns == st->id)
			n->nattach++;
	n->attach = calloc(n->nattach + 1, sizeof(*n->attach));
	if (!n->attach)
		return -ENOMEM;
	for (unsigned i = 0, k = 0; i < opened->n; i++)
		if (opened->tap[i]->netns == st->id)
			n->attach[k++] = opened->tap[i];
	return 0;

nomem:
	free(old.tap);
	return -ENOMEM;
}

static bool namespace_changed(const struct conf_state *st, const struct conf_undo *was)
{
	return !was || netcfg_changed(st->cfg) || st->nlinks != was->nlinks || st->nservices != was->nservices ||
	       (st->nlinks && memcmp(st->links, was->links, st->nlinks * sizeof(*st->links)) != 0) ||
	       (st->nservices && memcmp(st->services, was->services, st->nservices * sizeof(*st->services)) != 0);
}

static int prepare(struct daemon *d, const struct conf_undo *undo, struct publish *p, struct tap_list *opened)
{
	struct conf_state *st = NULL;
	int err = 0;

	while (!err && (st = conf_netns_next(&d->conf, st))) {
		const struct conf_undo *was = conf_undo_of(undo, st);

		if (namespace_changed(st, was))
			err = prepare_one(publish_add(p, st), was, opened);
	}
	for (unsigned i = 0; i < undo->nnetns && !err; i++)
		if (conf_netns_by_id(&d->conf, undo->netns[i].st->id) != undo->netns[i].st) {
			struct publish_ns *n = publish_add(p, undo->netns[i].st);

			n->remove = true;
			err = prepare_one(n, &undo->netns[i], opened);
		}
	return err;
}

/* The last that can fail; and when the first could be had, the change is made: what lacks memory for its snapshot has it published with the next one. */
static int commit(struct publish *p)
{
	for (unsigned i = 0; i < p->nns; i++) {
		if (p->ns[i].remove)
			continue;
		p->ns[i].snap = netcfg_commit(p->ns[i].conf->cfg);
		if (!p->ns[i].snap && i == 0)
			return -ENOMEM;
		if (!p->ns[i].snap)
			log_msg(LOG_CRIT, "no memory to publish the configuration of network namespace %s: it comes with the next change", conf_netns_name(p->ns[i].conf));
	}
	return 0;
}

typedef int (*change_fn)(struct conf_state *st, const void *what, struct conf_error *e);

static void track_changes(struct daemon *d)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st)))
		st->track = atomic_load(&d->monitors) != 0;
}

/* The change itself, and what of the host it needs. */
static int carry_out(struct daemon *d, change_fn change, const void *what, struct tap_list *opened, const struct host_before *hosts, unsigned nhosts,
		     struct conf_error *e)
{
	int err = change(&d->conf, what, e);
	struct conf_state *st = NULL;

	while (!err && (st = conf_netns_next(&d->conf, st)))
		err = open_new_taps(d, st, opened, e);
	for (st = NULL; !err && (st = conf_netns_next(&d->conf, st));)
		err = change_hosts(d, st, hosts, nhosts, e);
	return err;
}

static void tell_host(struct daemon *d)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st))) {
		for (unsigned i = 0; i < st->nlinks; i++)
			if (st->links[i].tap) {
				const struct link_conf *link = netcfg_link_by_index(st->cfg, st->links[i].ifindex);

				tell_carrier(st->links[i].tap, &st->links[i], link);
				tell_filter(st, st->links[i].tap, link);
			}
		links_tell_host(d, st);
	}
}

static int transact(struct daemon *d, change_fn change, const void *what, apply_done done, void *arg, struct conf_error *e)
{
	struct publish *p = publish_new(2 * NETNS_MAX);
	struct tap_list opened = { .tap = NULL };
	struct gather *gather = NULL;
	struct host_before *hosts;
	struct conf_undo undo;
	bool followed = false;
	unsigned nhosts;
	int err = -ENOMEM;

	d->conf.warning[0] = '\0';
	track_changes(d);
	hosts = remember_hosts(d, &nhosts);
	if (!p || !hosts || conf_begin(&d->conf, &undo) < 0) {
		if (p)
			publish_free(p);
		free(hosts);
		return conf_fail(e, err, "no memory to change the configuration");
	}
	conf_watch_begin(&d->conf);
	err = carry_out(d, change, what, &opened, hosts, nhosts, e);
	free(hosts);
	if (!err) {
		p->done = done;
		p->arg = arg;
		gather = publish_gather(d, p);
		err = gather ? links_follow(d) : -ENOMEM;
		followed = !err;
		if (!err)
			err = prepare(d, &undo, p, &opened);
		if (!err)
			err = xdp_prepare(d, &p->xdp);
		if (!err)
			err = commit(p);
		if (err)
			conf_fail(e, err, "no memory to change the configuration");
	}
	if (err) {
		conf_watch_end(&d->conf, false);
		conf_rollback(&d->conf, &undo);
		if (followed)
			links_follow(d);
		for (unsigned i = 0; i < opened.n; i++)
			tap_free(opened.tap[i]);
		free(opened.tap);
		xdp_done(d, p->xdp, false);
		publish_free(p);
		gather_free(gather);
		return err;
	}
	free(opened.tap);
	conf_end(&d->conf, &undo);
	publish_post(d, gather);
	tell_host(d);
	conf_watch_end(&d->conf, true);
	monitor_changes(d);
	return 0;
}

static int change_by_command(struct conf_state *st, const void *what, struct conf_error *e)
{
	const struct cmd *cmd = what;
	int err = conf_command(st, cmd, e);

	return err || cmd->id != CMD_SERVICE_ADD ? err : conf_check(st, e);
}

int apply_command(struct daemon *d, const struct cmd *cmd, apply_done done, void *arg, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	return transact(d, change_by_command, cmd, done, arg, e);
}

int apply_change(struct daemon *d, change_fn change, const void *what, apply_done done, void *arg, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	return transact(d, change, what, done, arg, e);
}

struct revive {
	struct conf_state *st;
	int                ifindex;
};

static int change_revive(struct conf_state *st, const void *what, struct conf_error *e)
{
	const struct revive *r = what;

	(void)st;
	(void)e;
	for (unsigned i = 0; i < r->st->nlinks; i++)
		if (r->st->links[i].ifindex == r->ifindex)
			r->st->links[i].host.revive = r->st->links[i].host.gone;
	return 0;
}

int apply_revive(struct daemon *d, struct conf_state *st, int ifindex, struct conf_error *e)
{
	struct revive r = { .st = st, .ifindex = ifindex };

	memset(e, 0, sizeof(*e));
	return transact(d, change_revive, &r, NULL, NULL, e);
}

static int change_by_state(struct conf_state *st, const void *what, struct conf_error *e)
{
	return conf_follow(st, what, e);
}

int apply_state(struct daemon *d, const struct conf_state *want, apply_done done, void *arg, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	return transact(d, change_by_state, want, done, arg, e);
}

static int open_object(void *priv, const char *path)
{
	return priv_object_open(priv, path);
}

struct warnings { /* about lines of the file */
	const char *file;
	char        first[200];
	unsigned    n;
};

static void reload_warn(void *arg, unsigned line, const char *text)
{
	struct warnings *w = arg;

	log_msg(LOG_WARNING, "%s:%u: %s", w->file, line, text);
	if (!w->n++)
		snprintf(w->first, sizeof(w->first), "line %u: %s", line, text);
}

static int reload(struct daemon *d, apply_done done, void *arg, struct conf_error *e)
{
	struct warnings warnings = { .file = d->config_path };
	struct conf_state want;
	char *text = NULL;
	size_t len = 0;
	int fd, err;

	memset(e, 0, sizeof(*e));
	if (!d->config_path)
		return conf_fail(e, -ENOENT, "netstackd was started without a configuration file");
	fd = priv_config_open(d->priv);
	err = fd < 0 ? fd : config_read(fd, &text, &len);
	if (err)
		return conf_fail(e, err, "%s: %s", d->config_path, strerror(-err));
	err = conf_state_init(&want, d->conf.queues);
	want.cpus = d->conf.cpus;
	want.warn = reload_warn;
	want.warn_arg = &warnings;
	if (err) {
		free(text);
		return conf_fail(e, err, "no memory for the configuration");
	}
	want.check_group = true;
	want.object_open = open_object;
	want.object_arg = d->priv;
	err = config_parse(&want, text, len, e);
	free(text);
	if (!err)
		err = apply_state(d, &want, done, arg, e);
	if (!err && warnings.n)
		conf_warn(&d->conf, "%s", warnings.first);
	if (!err && warnings.n > 1)
		conf_warn(&d->conf, "and %u more, which are in the log", warnings.n - 1);
	conf_state_exit(&want);
	return err;
}

int apply_reload(struct daemon *d, apply_done done, void *arg, struct conf_error *e)
{
	int err = reload(d, done, arg, e);

	d->last_error[0] = '\0';
	if (err) {
		config_error_text(e, d->config_path ? d->config_path : "reload", d->last_error, sizeof(d->last_error));
		notify_status(d);
	}
	return err;
}

/* ---- what happens by itself ------------------------------------------------------------------------------------------------------- */

void apply_link_gone(struct daemon *d, uint32_t netns, int ifindex, const struct tap *tap, int err)
{
	struct conf_state *st = conf_netns_by_id(&d->conf, netns);
	const struct link_conf *link = st ? netcfg_link_by_index(st->cfg, ifindex) : NULL;
	struct conf_link *cl = link ? conf_link_find(st, link->name) : NULL;

	if (!cl || cl->tap != tap || cl->host.gone)
		return; /* gone already, or replaced */
	(void)err;
	cl->host.gone = true;
	cl->host.ifindex = 0;
	links_say_gone(st, cl);
	links_changed(d, st);
}

void apply_publish(struct daemon *d, struct conf_state *st)
{
	struct publish *p = publish_new(NETNS_MAX);
	struct conf_state *any = NULL;
	int err = p ? 0 : -ENOMEM;

	while (!err && (any = conf_netns_next(&d->conf, any))) {
		struct publish_ns *n;

		if (any != st && !netcfg_changed(any->cfg))
			continue;
		n = publish_add(p, any);
		err = list_taps(n);
		if (!err)
			n->snap = netcfg_commit(any->cfg);
		err = n->snap ? 0 : -ENOMEM;
	}
	if (!err)
		err = publish(d, p);
	if (err && p)
		publish_free(p); /* no memory: it goes out with the next change */
}

void apply_close_all(struct daemon *d)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st)))
		for (unsigned i = 0; i < st->nlinks; i++) {
			tap_free(st->links[i].tap);
			st->links[i].tap = NULL;
		}
	xdp_close_all(d);
}
