/* SPDX-License-Identifier: MIT */
/*
 * diff.c: a reload. The new file has become a state of its own (want); here the state that runs is made equal to it by the least changes, so that
 * links, and with them connections, which are the same in both go on as if nothing had happened.
 *
 * Order: links that must go, links that come or change, ports of bridges and their stations, addresses, routes, neighbours, sysctls, services. Removing a link takes what hangs on it along, and
 * removing an address its connected route; so each list is read again before things are added to it. Links are matched by name: their
 * numbers differ between the two, but for a TAP whose host end tells that it is the same under another name. What the daemon chose itself (a MAC address, the host's name for a TAP, when the file gives none) is kept.
 */
#include "state.h"

#include "link_steer.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct array {
	void  *p;
	size_t n, cap, size;
	bool gateways; /* of routes: those with a gateway, or those without */
	bool all; /* of routes: both, and those that follow from addresses */
	const struct conf_state *st; /* whose numbers of links are to be translated to those of "to"; NULL: none */
	const struct conf_state *to;
};

static int array_add(struct array *a, const void *item)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		void *p = realloc(a->p, cap * a->size);

		if (!p)
			return -ENOMEM;
		a->p = p;
		a->cap = cap;
	}
	memcpy((char *)a->p + a->n++ * a->size, item, a->size);
	return 0;
}

static int map_ifindex(const struct array *a, int ifindex)
{
	const struct link_conf *link;

	if (!a->st || !ifindex)
		return ifindex;
	link = netcfg_link_by_index(a->st->cfg, ifindex);
	link = link ? netcfg_link_by_name(a->to->cfg, link->name) : NULL;
	return link ? link->ifindex : 0;
}

/* The collected structures are compared as bytes: each is copied field by field into a cleared one. */

static int collect_addr(void *arg, const struct addr_conf *addr)
{
	struct addr_conf c;

	memset(&c, 0, sizeof(c));
	c.ifindex = map_ifindex(arg, addr->ifindex);
	c.local.addr = addr->local.addr;
	c.local.len = addr->local.len;
	c.broadcast = addr->broadcast;
	c.scope = addr->scope;
	memcpy(c.label, addr->label, strnlen(addr->label, sizeof(c.label)));
	return array_add(arg, &c);
}

static int collect_route(void *arg, const struct route_conf *route)
{
	const struct array *a = arg;
	struct route_conf c;

	if (!a->all && (route->protocol == RTPROT_KERNEL || (route->gateway.family != 0) != a->gateways))
		return 0; /* follows from the addresses; or its turn is another time */
	memset(&c, 0, sizeof(c));
	c.dst.addr = route->dst.addr;
	c.dst.len = route->dst.len;
	c.gateway = route->gateway;
	c.prefsrc = route->prefsrc;
	c.ifindex = map_ifindex(arg, route->ifindex);
	c.metric = route->metric;
	c.table = route->table;
	c.mtu = route->mtu;
	c.advmss = route->advmss;
	c.type = route->type;
	c.scope = route->scope;
	c.protocol = route->protocol;
	c.tos = route->tos;
	c.flags = route->flags & RTNH_F_ONLINK;
	return array_add(arg, &c);
}

static int collect_neigh(void *arg, const struct neigh_conf *neigh)
{
	struct neigh_conf c;

	memset(&c, 0, sizeof(c));
	c.ifindex = map_ifindex(arg, neigh->ifindex);
	c.addr = neigh->addr;
	c.lladdr = neigh->lladdr;
	return array_add(arg, &c);
}

static int gather_addrs(const struct conf_state *st, struct array *a)
{
	a->size = sizeof(struct addr_conf);
	return netcfg_addr_foreach(st->cfg, 0, collect_addr, a);
}

static int gather_routes(const struct conf_state *st, struct array *a)
{
	int err;

	/* A gateway must be reachable when its route is added: the routes that may lead to it go first. */
	a->size = sizeof(struct route_conf);
	a->gateways = false;
	err = netcfg_route_foreach(st->cfg, 0, collect_route, a);
	a->gateways = true;
	return err ? err : netcfg_route_foreach(st->cfg, 0, collect_route, a);
}

static int gather_neighs(const struct conf_state *st, struct array *a)
{
	a->size = sizeof(struct neigh_conf);
	return netcfg_neigh_foreach(st->cfg, collect_neigh, a);
}

static int cmp_item(const void *a, const void *b, void *size)
{
	return memcmp(a, b, *(const size_t *)size);
}

/* Calls fn on each item of a, in a's order, that b lacks. */
static int each_missing(struct conf_state *st, const struct array *a, const struct array *b,
			int (*fn)(struct conf_state *st, const void *item, struct conf_error *e), struct conf_error *e)
{
	char *sorted = malloc(b->n * b->size + 1);
	size_t size = a->size;
	int err = 0;

	if (!sorted)
		return conf_fail(e, -ENOMEM, "no memory to compare configurations");
	if (b->n)
		memcpy(sorted, b->p, b->n * b->size);
	qsort_r(sorted, b->n, b->size, cmp_item, &size);
	for (size_t i = 0; i < a->n && !err; i++) {
		const char *item = (const char *)a->p + i * size;
		size_t lo = 0, hi = b->n;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (memcmp(sorted + mid * size, item, size) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo == b->n || memcmp(sorted + lo * size, item, size) != 0)
			err = fn(st, item, e);
	}
	free(sorted);
	return err;
}

/* One list: what want lacks goes, then what st lacks comes. */
static int follow_list(struct conf_state *st, const struct conf_state *want, int (*gather)(const struct conf_state *, struct array *),
		       int (*del)(struct conf_state *, const void *, struct conf_error *), int (*add)(struct conf_state *, const void *, struct conf_error *),
		       struct conf_error *e)
{
	struct array have = { .p = NULL }, after = { .p = NULL }, wanted = { .st = want, .to = st };
	int err = -ENOMEM;

	if (gather(st, &have) || gather(want, &wanted)) {
		conf_fail(e, err, "no memory to compare configurations");
		goto out;
	}
	err = each_missing(st, &have, &wanted, del, e);
	if (err)
		goto out;
	if (gather(st, &after)) {
		err = conf_fail(e, -ENOMEM, "no memory to compare configurations");
		goto out;
	}
	err = each_missing(st, &wanted, &after, add, e);
out:
	free(have.p);
	free(after.p);
	free(wanted.p);
	return err;
}

static int del_addr(struct conf_state *st, const void *item, struct conf_error *e)
{
	int err = conf_addr_change(st, item, CONF_DEL, e);

	return err == -EADDRNOTAVAIL || err == -ENOENT || err == -ESRCH ? 0 : err; /* went with its primary address */
}

static int add_addr(struct conf_state *st, const void *item, struct conf_error *e)
{
	return conf_addr_change(st, item, CONF_ADD, e);
}

static int del_route(struct conf_state *st, const void *item, struct conf_error *e)
{
	int err = conf_route_change(st, item, CONF_DEL, e);

	return err == -ESRCH || err == -ENOENT ? 0 : err; /* went with another */
}

static int add_route(struct conf_state *st, const void *item, struct conf_error *e)
{
	struct route_conf route = *(const struct route_conf *)item;
	int err = conf_route_change(st, &route, CONF_ADD, e);

	/* What led to its gateway when the route was made is no longer there (an address was removed since): it holds all the same. */
	if (err == -ENETUNREACH && route.gateway.family && route.ifindex && !(route.flags & RTNH_F_ONLINK)) {
		route.flags |= RTNH_F_ONLINK;
		err = conf_route_change(st, &route, CONF_ADD, e);
	}
	/* It was there before an address that brings the same route. */
	return err == -EEXIST ? conf_route_change(st, &route, CONF_REPLACE, e) : err;
}

static int del_neigh(struct conf_state *st, const void *item, struct conf_error *e)
{
	return conf_neigh_change(st, item, CONF_DEL, e);
}

static int add_neigh(struct conf_state *st, const void *item, struct conf_error *e)
{
	return conf_neigh_change(st, item, CONF_REPLACE, e);
}

/* ---- links ------------------------------------------------------------------------------------------------------------- */

/* What the link stands on, or a veth's other end: the same in both? By name, as numbers differ. */
static bool same_lower(const struct conf_state *st, const struct link_conf *have, const struct conf_state *want_st, const struct link_conf *want)
{
	const struct conf_state *a = conf_netns_by_id(st->first, have->link_netns), *b = conf_netns_by_id(want_st->first, want->link_netns);
	const struct link_conf *l = a ? netcfg_link_by_index(a->cfg, have->link) : NULL, *m = b ? netcfg_link_by_index(b->cfg, want->link) : NULL;

	return l && m && strcmp(a->name, b->name) == 0 && strcmp(l->name, m->name) == 0;
}

static bool kind_changed(const struct conf_state *st, const struct link_conf *have, const struct conf_state *want_st, const struct link_conf *want)
{
	if (have->type != LINK_VETH && have->type != LINK_VLAN)
		return false;
	return have->vlan_id != want->vlan_id || have->vlan_proto != want->vlan_proto || !same_lower(st, have, want_st, want);
}

static bool must_be_new(const struct link_conf *have, const struct link_conf *want)
{
	return have->type != want->type || have->queues != want->queues || (have->features ^ want->features) & LINK_F_NO_VNET;
}

/* The link's end on the host is another's now: two cannot exchange their ends and go on, so those that give one up are made anew. */
static bool end_given_up(const struct link_conf *have, const struct conf_state *want_st, const struct link_conf *want)
{
	const struct conf_link *wx = conf_link_find(want_st, want->name);
	const struct conf_state *ns = NULL;

	if (have->type != LINK_TAP || (wx && wx->host_name_given && strcmp(want->host_name, have->host_name) == 0))
		return false;
	while ((ns = conf_netns_next(want_st->first, ns)))
		for (unsigned i = 0; i < ns->nlinks; i++) {
			const struct conf_link *x = &ns->links[i];
			const struct link_conf *l = netcfg_link_by_index(ns->cfg, x->ifindex);

			if (l && l != want && x->host_name_given && strcmp(l->host_name, have->host_name) == 0)
				return true;
		}
	return false;
}

static int remove_links(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	for (unsigned i = 0; i < st->nlinks;) {
		const struct conf_link *hx = &st->links[i];
		const struct link_conf *have = netcfg_link_by_index(st->cfg, hx->ifindex);
		const struct link_conf *new = netcfg_link_by_name(want->cfg, hx->name);
		char name[NS_IFNAMSIZ];
		bool alone;
		int err;

		if (have && new && !must_be_new(have, new) && !kind_changed(st, have, want, new) && !end_given_up(have, want, new)) {
			i++;
			continue;
		}
		alone = have && have->type == LINK_TAP;
		memcpy(name, hx->name, sizeof(name));
		err = conf_link_remove(st, name, e);
		if (err)
			return err;
		if (!alone)
			i = 0; /* it may have taken others along */
	}
	return 0;
}

static int rename_some(struct conf_state *st, const struct conf_state *want, unsigned *renamed, struct conf_error *e)
{
	int err = 0;

	for (unsigned i = 0; i < want->nlinks && !err; i++) {
		const struct conf_link *wx = &want->links[i];
		const struct link_conf *new = netcfg_link_by_index(want->cfg, wx->ifindex), *have = NULL, *same;

		if (new->type != LINK_TAP || !wx->host_name_given || netcfg_link_by_name(st->cfg, wx->name))
			continue;
		for (unsigned k = 0; k < st->nlinks && !have; k++) {
			have = netcfg_link_by_index(st->cfg, st->links[k].ifindex);
			same = netcfg_link_by_name(want->cfg, have->name);
			if (strcmp(have->host_name, new->host_name) != 0 || must_be_new(have, new) || (same && strcmp(same->host_name, new->host_name) == 0))
				have = NULL;
		}
		if (have) {
			err = conf_link_rename(st, have->name, wx->name, e);
			++*renamed;
		}
	}
	return err;
}

/* A TAP that has the same end on the host and another name is renamed, and goes on. One that has its name from another makes that one's free for the next. */
static int rename_links(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	unsigned renamed, all = 0;
	int err;

	do {
		renamed = 0;
		err = rename_some(st, want, &renamed, e);
		all += renamed;
	} while (!err && renamed && all < want->nlinks);
	return err;
}

struct follow {
	struct conf_state       *st;
	const struct conf_state *want;
	struct conf_error       *e;
};

/* The link below, or the bridge above, in the state that runs: 0 when it is not there (yet). */
static int link_there(const struct follow *f, int ifindex)
{
	const struct link_conf *l = ifindex ? netcfg_link_by_index(f->want->cfg, ifindex) : NULL;

	l = l ? netcfg_link_by_name(f->st->cfg, l->name) : NULL;
	return l ? l->ifindex : 0;
}

static int make_link(const struct follow *f, const struct link_conf *want, const struct conf_link *wx)
{
	struct link_conf link = *want, peer;
	const struct conf_state *other;
	struct conf_state *to;

	if (want->type == LINK_TAP ? !wx->addr_given : !(want->own & LINK_OWN_ADDR))
		memset(&link.addr, 0, sizeof(link.addr)); /* made anew: another MAC address for another daemon's life */
	if (want->type != LINK_TAP && !(want->own & LINK_OWN_MTU))
		link.mtu = 0;
	link.master = 0; /* when all are there */
	if (want->type == LINK_VLAN)
		link.link = link_there(f, want->link);
	if (want->type != LINK_VETH)
		return conf_link_add(f->st, &link, wx, f->e);
	other = conf_netns_by_id(f->want->first, want->link_netns);
	to = other ? conf_netns_find(f->st->first, other->name) : NULL;
	if (!to)
		return conf_fail(f->e, -EINVAL, "link %s cannot be made", want->name);
	peer = *netcfg_link_by_index(other->cfg, want->link);
	if (!(peer.own & LINK_OWN_ADDR))
		memset(&peer.addr, 0, sizeof(peer.addr));
	peer.master = 0;
	return conf_veth_add(f->st, &link, to, &peer, f->e);
}

/* What follows from other links is not copied. */
static void take_own(struct link_conf *link, const struct link_conf *want, const struct conf_link *wx)
{
	bool follows = want->type == LINK_VLAN || want->type == LINK_BRIDGE;

	link->own = want->own;
	if (!follows || want->own & LINK_OWN_MTU)
		link->mtu = want->mtu;
	if (want->type == LINK_TAP ? wx && wx->addr_given : want->own & LINK_OWN_ADDR)
		link->addr = want->addr;
	memcpy(link->vlan_ingress, want->vlan_ingress, sizeof(link->vlan_ingress));
	memcpy(link->vlan_egress, want->vlan_egress, sizeof(link->vlan_egress));
	link->ageing_time = want->ageing_time;
	link->fdb_max_learned = want->fdb_max_learned;
}

static bool same_own(const struct link_conf *a, const struct link_conf *b)
{
	return a->mtu == b->mtu && memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && (a->type == LINK_TAP || a->own == b->own) &&
	       memcmp(a->vlan_ingress, b->vlan_ingress, sizeof(a->vlan_ingress)) == 0 && memcmp(a->vlan_egress, b->vlan_egress, sizeof(a->vlan_egress)) == 0 &&
	       a->ageing_time == b->ageing_time && a->fdb_max_learned == b->fdb_max_learned;
}

/* When all links are there: who is a port of whom. */
static int follow_port(void *arg, const struct link_conf *want)
{
	struct follow *f = arg;
	struct link_conf link = *netcfg_link_by_name(f->st->cfg, want->name);
	int master = link_there(f, want->master), err;

	if (link.master != master) {
		link.master = master;
		err = conf_link_change(f->st, &link, f->e);
		if (err)
			return err;
		link = *netcfg_link_by_name(f->st->cfg, want->name);
	}
	if (!master || link.port_flags == want->port_flags)
		return 0;
	link.port_flags = want->port_flags;
	return conf_link_change(f->st, &link, f->e);
}

static int follow_link(void *arg, const struct link_conf *want)
{
	struct follow *f = arg;
	const struct conf_link *wx = conf_link_find(f->want, want->name);
	const struct link_conf *have = netcfg_link_by_name(f->st->cfg, want->name);
	struct conf_link *hx;
	struct link_conf link;
	int err;

	if (!have) {
		err = wx ? make_link(f, want, wx) : conf_fail(f->e, -EINVAL, "link %s cannot be made", want->name);
		if (err)
			return err;
		have = netcfg_link_by_name(f->st->cfg, want->name);
	}
	hx = conf_link_find(f->st, want->name);
	link = *have;
	if (hx && wx) {
		hx->carrier_off = wx->carrier_off;
		hx->link_mode = wx->link_mode;
		hx->dev = wx->dev;
	}
	if (hx)
		hx->host.revive = hx->host.gone; /* a device that the host has deleted is made anew */
	link.flags = want->flags;
	take_own(&link, want, wx);
	link.txqlen = want->txqlen;
	link_steer_copy(&link, want);
	link.features = hx && hx->tap ? link_dev_features(&hx->dev, hx->tap->offered) : want->features;
	link.host_addr = want->host_addr;
	if (wx && wx->host_name_given)
		memcpy(link.host_name, want->host_name, sizeof(link.host_name));
	if (hx && wx) {
		hx->addr_given = wx->addr_given;
		hx->host_name_given = wx->host_name_given;
		hx->queues_given = wx->queues_given;
	}
	if (link.flags == have->flags && same_own(&link, have) && link_steer_same(&link, have) && link.txqlen == have->txqlen && link.features == have->features &&
	    strcmp(link.host_name, have->host_name) == 0 && ipaddr_equal(&link.host_addr.addr, &have->host_addr.addr) &&
	    link.host_addr.len == have->host_addr.len)
		return 0;
	return conf_link_change(f->st, &link, f->e);
}

/* ---- stations of bridges ---- */

static int collect_fdb(void *arg, const struct fdb_conf *fdb)
{
	struct fdb_conf c;

	memset(&c, 0, sizeof(c));
	c.ifindex = map_ifindex(arg, fdb->ifindex);
	c.lladdr = fdb->lladdr;
	c.local = fdb->local;
	return array_add(arg, &c);
}

static int gather_fdb(const struct conf_state *st, struct array *a)
{
	a->size = sizeof(struct fdb_conf);
	return netcfg_fdb_foreach(st->cfg, collect_fdb, a);
}

static int del_fdb(struct conf_state *st, const void *item, struct conf_error *e)
{
	return conf_fdb_change(st, item, CONF_DEL, e);
}

static int add_fdb(struct conf_state *st, const void *item, struct conf_error *e)
{
	return conf_fdb_change(st, item, CONF_REPLACE, e);
}

static int follow_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct follow *f = arg;
	struct netcfg_err why = { "" };
	char have[256];
	int err;

	(void)changed;
	(void)help;
	if (netcfg_sysctl_get(f->st->cfg, name, have, sizeof(have)) >= 0 && strcmp(have, value) == 0)
		return 0;
	err = netcfg_sysctl_set(f->st->cfg, name, value, &why);
	/* A tunable of a link that only the other one has. */
	return err == 0 || err == -ENOENT ? 0 : conf_fail(f->e, err, "%s", why.text);
}

/* ip_forward first: another value of it also sets all.accept_redirects and every forwarding, whose own values come afterwards. */
static int follow_sysctls(struct follow *f)
{
	static const char forward[] = "net.ipv4.ip_forward";
	char value[16];
	int err = 0;

	if (netcfg_sysctl_get(f->want->cfg, forward, value, sizeof(value)) >= 0)
		err = follow_sysctl(f, forward, value, true, "");
	return err ? err : netcfg_sysctl_foreach(f->want->cfg, follow_sysctl, f);
}

static int follow_services(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	struct service_conf *services = malloc(want->nservices * sizeof(*services) + 1);

	if (!services)
		return conf_fail(e, -ENOMEM, "no memory for services");
	if (want->nservices)
		memcpy(services, want->services, want->nservices * sizeof(*services));
	free(st->services);
	st->services = services;
	st->nservices = want->nservices;
	return 0;
}

/* Everything but the links. */
static int follow_rest(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	struct follow f = { .st = st, .want = want, .e = e };
	int err;

	err = netcfg_link_foreach(want->cfg, follow_port, &f);
	if (!err)
		err = follow_list(st, want, gather_fdb, del_fdb, add_fdb, e);
	if (!err)
		err = follow_list(st, want, gather_addrs, del_addr, add_addr, e);
	if (!err)
		err = follow_list(st, want, gather_routes, del_route, add_route, e);
	if (!err)
		err = follow_list(st, want, gather_neighs, del_neigh, add_neigh, e);
	if (!err)
		err = follow_sysctls(&f);
	if (!err)
		err = xdp_follow(st, want, e);
	return err ? err : follow_services(st, want, e);
}

/* Namespaces that must go, and those that come. */
static int follow_netns(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	int err = 0;

	for (unsigned i = st->nnetns; i-- > 0 && !err;)
		if (!conf_netns_find(want, st->netns[i]->name))
			err = conf_netns_del(st, st->netns[i]->name, e);
	for (unsigned i = 0; i < want->nnetns && !err; i++)
		if (!conf_netns_find(st, want->netns[i]->name))
			err = conf_netns_add(st, want->netns[i]->name, e);
	return err;
}

int conf_follow(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	struct conf_state *to;
	int err;

	memset(e, 0, sizeof(*e));
	err = follow_netns(st, want, e);
	for (to = NULL; !err && (to = conf_netns_next(want, to));)
		err = rename_links(conf_netns_find(st, to->name), to, e);
	/* Links may join two namespaces: in all of them links go before any comes. */
	for (to = NULL; !err && (to = conf_netns_next(want, to));)
		err = remove_links(conf_netns_find(st, to->name), to, e);
	for (to = NULL; !err && (to = conf_netns_next(want, to));) {
		struct follow f = { .st = conf_netns_find(st, to->name), .want = to, .e = e };

		err = netcfg_link_foreach(to->cfg, follow_link, &f);
	}
	for (to = NULL; !err && (to = conf_netns_next(want, to));)
		err = follow_rest(conf_netns_find(st, to->name), to, e);
	if (!err)
		memcpy(st->control_group, want->control_group, sizeof(st->control_group));
	return err;
}

/* ---- for monitors ----------------------------------------------------------------------------------------------------------- */

struct conf_watch {
	struct array      addrs, routes, neighs; /* at begin */
	struct conf_link *links; /* ifindex and name, lo left out */
	unsigned          nlinks;
	bool              telling;
};

static int count_route(void *arg, const struct route_conf *route)
{
	(void)route;
	return ++*(unsigned *)arg > WATCH_MAX;
}

static int gather_all(const struct conf_state *st, struct array *addrs, struct array *routes, struct array *neighs)
{
	int err = gather_addrs(st, addrs);

	routes->size = sizeof(struct route_conf);
	routes->all = true;
	if (!err)
		err = netcfg_route_foreach(st->cfg, 0, collect_route, routes);
	return err ? err : gather_neighs(st, neighs);
}

static void watch_free(struct conf_watch *w)
{
	free(w->addrs.p);
	free(w->routes.p);
	free(w->neighs.p);
	free(w->links);
	free(w);
}

bool conf_watch_silent(const struct conf_watch *w)
{
	return w && !w->telling;
}

const char *conf_watch_name(const struct conf_watch *w, int ifindex)
{
	for (unsigned i = 0; w && i < w->nlinks; i++)
		if (w->links[i].ifindex == ifindex)
			return w->links[i].name;
	return "";
}

/* Without memory, as above WATCH_MAX, monitors hear of what was asked for only. */
static void watch_begin(struct conf_state *st)
{
	unsigned n = 0;
	struct conf_watch *w = !st->track || netcfg_route_foreach(st->cfg, 0, count_route, &n) ? NULL : calloc(1, sizeof(*w));

	st->watch = NULL;
	if (!w)
		return;
	w->links = malloc(st->nlinks * sizeof(*w->links) + 1);
	if (!w->links || gather_all(st, &w->addrs, &w->routes, &w->neighs)) {
		watch_free(w);
		return;
	}
	if (st->nlinks)
		memcpy(w->links, st->links, st->nlinks * sizeof(*w->links));
	w->nlinks = st->nlinks;
	st->watch = w;
}

#define NOTE(name, type, kind)                                                                                                              \
	static int name##_gone(struct conf_state *st, const void *item, struct conf_error *e)                                               \
	{                                                                                                                                   \
		(void)e;                                                                                                                    \
		conf_note(st, kind, true, ((const type *)item)->ifindex, item, sizeof(type));                                               \
		return 0;                                                                                                                   \
	}                                                                                                                                   \
	static int name##_new(struct conf_state *st, const void *item, struct conf_error *e)                                                \
	{                                                                                                                                   \
		(void)e;                                                                                                                    \
		conf_note(st, kind, false, ((const type *)item)->ifindex, item, sizeof(type));                                              \
		return 0;                                                                                                                   \
	}
NOTE(route, struct route_conf, CHANGE_ROUTE)
NOTE(addr, struct addr_conf, CHANGE_ADDR)
NOTE(neigh, struct neigh_conf, CHANGE_NEIGH)
#undef NOTE

static void watch_end(struct conf_state *st, bool tell)
{
	struct array addrs = { .p = NULL }, routes = { .p = NULL }, neighs = { .p = NULL };
	struct conf_watch *w = st->watch;
	struct conf_error e;
	int err = 0;

	if (!w)
		return;
	if (tell) {
		w->telling = true;
		err = gather_all(st, &addrs, &routes, &neighs);
		if (!err) /* what depends on others goes first and comes last */
			err = each_missing(st, &w->neighs, &neighs, neigh_gone, &e) | each_missing(st, &w->routes, &routes, route_gone, &e) |
			      each_missing(st, &w->addrs, &addrs, addr_gone, &e) | each_missing(st, &addrs, &w->addrs, addr_new, &e) |
			      each_missing(st, &routes, &w->routes, route_new, &e) | each_missing(st, &neighs, &w->neighs, neigh_new, &e);
		st->changes_lost |= err != 0;
	}
	free(addrs.p);
	free(routes.p);
	free(neighs.p);
	st->watch = NULL;
	watch_free(w);
}

void conf_watch_drop(struct conf_state *st)
{
	watch_end(st, false);
}

/* A namespace that comes meanwhile has no watch, and all that is done in it is noted as it is done. */
void conf_watch_begin(struct conf_state *first)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(first, st)))
		watch_begin(st);
}

void conf_watch_end(struct conf_state *first, bool tell)
{
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(first, st)))
		watch_end(st, tell);
}
