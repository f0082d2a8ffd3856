/* SPDX-License-Identifier: MIT */
/*
 * netcfg_addr.c: addresses, and the routes that follow from them.
 *
 * An address A/len on a link gives (as Linux does): "local A" in table local, whether the link is up or not; and while it is up: "broadcast" for an
 * explicit broadcast address, the connected route net/len (table main; on lo a local route in table local) unless it is a secondary address or /32,
 * and "broadcast" for the highest address of the network unless it is /31 (RFC 3021) or /32. The preferred source of all of them is the primary address.
 * The second address of a network on a link is secondary; secondaries go when their primary goes (promote_secondaries=0).
 * Routes that two addresses give both stand until both are gone. Routes whose preferred source is no longer an address of this host are removed, and all routes
 * by a link whose last address went.
 */
#include "netcfg_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct addr_route {
	struct ipprefix dst;
	struct ipaddr   prefsrc;
	uint8_t         type;
};

#define ADDR_ROUTES_MAX 4

static bool is_loopback(uint32_t a) { return a >> 24 == 127; }

static bool same_subnet(const struct addr_conf *a, const struct addr_conf *b)
{
	return a->local.len == b->local.len && cfg_prefix_has(&a->local, &b->local.addr);
}

static const struct addr_conf *primary_of(const struct snap_link *link, const struct addr_conf *addr)
{
	if (!addr->secondary)
		return addr;
	for (unsigned i = 0; i < link->naddrs; i++)
		if (!link->addrs[i].secondary && same_subnet(&link->addrs[i], addr))
			return &link->addrs[i];
	return addr;
}

static struct ipprefix host_prefix(be32 a) { return (struct ipprefix){ .addr = ipaddr_v4(a), .len = 32 }; }

/* The routes of one address, in order of adding. */
static unsigned addr_routes(const struct snap_link *link, const struct addr_conf *addr, struct addr_route out[ADDR_ROUTES_MAX])
{
	struct ipaddr src = primary_of(link, addr)->local.addr;
	struct ipprefix net = cfg_network(&addr->local);
	be32 mask = net.len ? cpu_to_be32(UINT32_MAX << (32 - net.len)) : 0, last = net.addr.v4 | ~mask;
	bool loopback = link->conf.flags & NS_IFF_LOOPBACK;
	unsigned n = 0;

	out[n++] = (struct addr_route){ .dst = { addr->local.addr, 32 }, .prefsrc = src, .type = RTN_LOCAL };
	if (!(link->conf.flags & NS_IFF_UP))
		return n;
	if (addr->broadcast.family && addr->broadcast.v4 != INADDR_BROADCAST)
		out[n++] = (struct addr_route){ .dst = host_prefix(addr->broadcast.v4), .prefsrc = src, .type = RTN_BROADCAST };
	if (!net.addr.v4 || addr->secondary || net.len == 32)
		return n;
	out[n++] = (struct addr_route){ .dst = net, .prefsrc = src, .type = loopback ? RTN_LOCAL : RTN_UNICAST };
	if (net.len < 31)
		out[n++] = (struct addr_route){ .dst = host_prefix(last), .prefsrc = src, .type = RTN_BROADCAST };
	return n;
}

static struct fib_nexthop_info route_info(const struct snap_link *link, const struct addr_route *r)
{
	struct fib_nexthop_info nh = {
		.prefsrc = r->prefsrc, .ifindex = link->conf.ifindex, .type = r->type, .protocol = RTPROT_KERNEL,
		.scope = r->type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
		.table = r->type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
	};
	return nh;
}

static bool leaf_has(fib_leaf leaf, const struct fib_info *fi)
{
	for (uint32_t i = 0; i < fib_leaf_count(leaf); i++)
		if (fib_leaf_get(leaf, i) == fi)
			return true;
	return false;
}

int cfg_addr_routes_add(struct netcfg *cfg, unsigned link, const struct addr_conf *addr)
{
	struct addr_route r[ADDR_ROUTES_MAX];
	unsigned n = addr_routes(&cfg->links[link], addr, r);

	for (unsigned i = 0; i < n; i++) {
		struct fib_nexthop_info nh = route_info(&cfg->links[link], &r[i]);
		struct fib_table *table = cfg_table(cfg, nh.table);
		struct fib_info *fi = fib_info_get(&cfg->mem, &nh, 0);
		int err;

		if (!fi)
			return -ENOMEM;
		if (leaf_has(fib_route_get(table, &r[i].dst), fi)) {
			fib_info_put(&cfg->mem, fi);
			continue;
		}
		err = fib_route_insert(&cfg->mem, table, &r[i].dst, fi, FIB_APPEND);
		if (err) {
			fib_info_put(&cfg->mem, fi);
			return err;
		}
	}
	return 0;
}

/* Which addresses of a link are going, by position. */
struct going {
	unsigned    link;
	bool        all;
	const bool *gone; /* NULL: none */
};

static bool is_going(const struct going *g, unsigned i) { return g->all || (g->gone && g->gone[i]); }

static bool route_equal(const struct addr_route *a, const struct addr_route *b)
{
	return a->type == b->type && a->dst.len == b->dst.len && ipaddr_equal(&a->dst.addr, &b->dst.addr) && ipaddr_equal(&a->prefsrc, &b->prefsrc);
}

/* Does an address that stays give this route as well? */
static bool route_still_wanted(const struct netcfg *cfg, const struct going *g, const struct addr_route *r)
{
	const struct snap_link *link = &cfg->links[g->link];
	struct addr_route o[ADDR_ROUTES_MAX];

	for (unsigned i = 0; i < link->naddrs; i++) {
		unsigned n;

		if (is_going(g, i))
			continue;
		n = addr_routes(link, &link->addrs[i], o);
		while (n--)
			if (route_equal(&o[n], r))
				return true;
	}
	return false;
}

static int addr_routes_del(struct netcfg *cfg, const struct going *g, const struct addr_conf *addr)
{
	struct addr_route r[ADDR_ROUTES_MAX];
	unsigned n = addr_routes(&cfg->links[g->link], addr, r);

	for (unsigned i = 0; i < n; i++) {
		struct fib_nexthop_info nh = route_info(&cfg->links[g->link], &r[i]);
		struct fib_table *table = cfg_table(cfg, nh.table);
		struct fib_info *fi;
		int err;

		if (!g->all && route_still_wanted(cfg, g, &r[i]))
			continue;
		fi = fib_info_get(&cfg->mem, &nh, 0);
		if (!fi)
			return -ENOMEM;
		err = fib_route_remove(&cfg->mem, table, &r[i].dst, fi);
		fib_info_put(&cfg->mem, fi);
		if (err && err != -ESRCH) /* somebody may have removed the route by hand */
			return err;
	}
	return 0;
}

/* Takes the addresses that are going out of the FIB and then out of the link. */
static int addrs_del(struct netcfg *cfg, const struct going *g)
{
	struct snap_link *link = &cfg->links[g->link];
	struct addr_conf *addrs = cfg_addrs(cfg, g->link);
	struct cfg_fib_save save;
	unsigned to = 0, left = 0;

	if (cfg_fib_save(cfg, &save))
		return -ENOMEM;
	for (unsigned i = 0; i < link->naddrs; i++) {
		if (!is_going(g, i))
			left++;
		else if (addr_routes_del(cfg, g, &addrs[i]))
			goto err_undo;
	}
	if (!left && cfg_routes_drop_dev(cfg, link->conf.ifindex, false))
		goto err_undo;
	for (unsigned i = 0; i < link->naddrs; i++)
		if (is_going(g, i) && inet_addr_type(&cfg->view, &addrs[i].local.addr) != RTN_LOCAL &&
		    cfg_routes_drop_prefsrc(cfg, &addrs[i].local.addr))
			goto err_undo;
	cfg_fib_keep(cfg, &save);
	for (unsigned i = 0; i < link->naddrs; i++)
		if (!is_going(g, i))
			addrs[to++] = addrs[i];
	link->naddrs = to;
	cfg_touch_link(cfg, g->link);
	return 0;
err_undo:
	cfg_fib_undo(cfg, &save);
	return -ENOMEM;
}

static int check_addr(const struct netcfg *cfg, unsigned link, const struct addr_conf *addr, struct netcfg_err *err)
{
	uint32_t a = be32_to_cpu(addr->local.addr.v4);
	char text[CFG_ADDR_TEXT];

	if (addr->local.addr.family != AF_INET)
		return cfg_err(err, -EAFNOSUPPORT, "only IPv4 addresses are supported");
	if (addr->local.len > 32)
		return cfg_err(err, -EINVAL, "a prefix length of %u is too long for IPv4", addr->local.len);
	cfg_addr_text(&addr->local.addr, text);
	if (!a || a == INADDR_BROADCAST || IN_MULTICAST(a))
		return cfg_err(err, -EINVAL, "%s cannot be the address of a host", text);
	if (is_loopback(a) && cfg->links[link].conf.type != LINK_LOOPBACK)
		return cfg_err(err, -EINVAL, "%s is a loopback address, which belongs on lo", text);
	if (addr->broadcast.family && addr->broadcast.family != AF_INET)
		return cfg_err(err, -EINVAL, "the broadcast address is of another family");
	if (strnlen(addr->label, NS_IFNAMSIZ) == NS_IFNAMSIZ)
		return cfg_err(err, -EINVAL, "a label has at most %d characters", NS_IFNAMSIZ - 1);
	return 0;
}

/* An address that is there is given the rest of what the new one says. */
static int addr_replace(struct netcfg *cfg, unsigned link, unsigned at, const struct addr_conf *addr, struct netcfg_err *err)
{
	struct addr_conf *a = &cfg_addrs(cfg, link)[at], was = *a;
	struct going none = { .link = link };
	struct cfg_fib_save save;

	if (cfg_fib_save(cfg, &save))
		return cfg_nomem(err);
	a->broadcast = addr->broadcast;
	if (addr->label[0])
		memcpy(a->label, addr->label, sizeof(a->label));
	if (cfg_addr_routes_add(cfg, link, a) || addr_routes_del(cfg, &none, &was)) {
		*a = was;
		cfg_fib_undo(cfg, &save);
		return cfg_nomem(err);
	}
	cfg_fib_keep(cfg, &save);
	cfg_touch_link(cfg, link);
	return 0;
}

/* Primaries first, by scope as Linux orders them, then secondaries. */
static unsigned insert_place(const struct snap_link *link, const struct addr_conf *addr)
{
	unsigned at = 0;

	if (addr->secondary)
		return link->naddrs;
	for (unsigned i = 0; i < link->naddrs; i++)
		if (!link->addrs[i].secondary && addr->scope <= link->addrs[i].scope)
			at = i + 1;
	return at;
}

int netcfg_addr_add(struct netcfg *cfg, const struct addr_conf *addr, bool replace, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, addr->ifindex), r;
	struct addr_conf a = *addr, *addrs;
	struct cfg_fib_save save;
	struct snap_link *link;
	char text[CFG_ADDR_TEXT];
	unsigned at;
	void *p;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", addr->ifindex);
	link = &cfg->links[i];
	r = check_addr(cfg, (unsigned)i, addr, err);
	if (r)
		return r;
	a.secondary = 0;
	if (!a.scope && is_loopback(be32_to_cpu(a.local.addr.v4)))
		a.scope = RT_SCOPE_HOST;
	if (!a.label[0])
		memcpy(a.label, link->conf.name, sizeof(a.label));
	for (unsigned k = 0; k < link->naddrs; k++) {
		const struct addr_conf *o = &link->addrs[k];

		if (!same_subnet(o, &a))
			continue;
		if (ipaddr_equal(&o->local.addr, &a.local.addr)) {
			if (replace)
				return addr_replace(cfg, (unsigned)i, k, addr, err);
			return cfg_err(err, -EEXIST, "%s has the address %s/%u already", link->conf.name, cfg_addr_text(&a.local.addr, text), a.local.len);
		}
		if (o->scope != a.scope)
			return cfg_err(err, -EINVAL, "another address of the same network on %s has a different scope", link->conf.name);
		a.secondary = 1;
	}
	p = (void *)(uintptr_t)link->addrs;
	if (cfg_reserve(cfg, &p, link->naddrs, &cfg->ext[i].addr_cap, sizeof(*addrs)))
		return cfg_nomem(err);
	link->addrs = addrs = p;
	if (cfg_fib_save(cfg, &save))
		return cfg_nomem(err);
	if (cfg_addr_routes_add(cfg, (unsigned)i, &a)) {
		cfg_fib_undo(cfg, &save);
		return cfg_nomem(err);
	}
	cfg_fib_keep(cfg, &save);
	at = insert_place(link, &a);
	memmove(&addrs[at + 1], &addrs[at], (link->naddrs - at) * sizeof(*addrs));
	addrs[at] = a;
	link->naddrs++;
	cfg_touch_link(cfg, (unsigned)i);
	return 0;
}

int netcfg_addr_del(struct netcfg *cfg, const struct addr_conf *addr, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, addr->ifindex), r;
	const struct addr_conf *victim = NULL;
	struct snap_link *link;
	char text[CFG_ADDR_TEXT];
	struct going g;
	bool *gone;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", addr->ifindex);
	link = &cfg->links[i];
	gone = fib_alloc(&cfg->mem, link->naddrs + 1);
	if (!gone)
		return cfg_nomem(err);
	memset(gone, 0, link->naddrs + 1);
	for (unsigned k = 0; k < link->naddrs && !victim; k++) {
		const struct addr_conf *o = &link->addrs[k];

		if (o->local.len == addr->local.len && ipaddr_equal(&o->local.addr, &addr->local.addr) &&
		    (!addr->label[0] || !strncmp(addr->label, o->label, NS_IFNAMSIZ))) {
			victim = o;
			gone[k] = true;
		}
	}
	if (!victim) {
		free(gone);
		return cfg_err(err, -EADDRNOTAVAIL, "%s does not have the address %s/%u", link->conf.name, cfg_addr_text(&addr->local.addr, text),
			       addr->local.len);
	}
	for (unsigned k = 0; k < link->naddrs; k++)
		if (!victim->secondary && link->addrs[k].secondary && same_subnet(&link->addrs[k], victim))
			gone[k] = true;
	g = (struct going){ .link = (unsigned)i, .gone = gone };
	r = addrs_del(cfg, &g);
	free(gone);
	return r ? cfg_nomem(err) : 0;
}

int netcfg_addr_flush(struct netcfg *cfg, int ifindex)
{
	int i = cfg_link_index(cfg, ifindex);
	struct going g = { .link = (unsigned)i, .all = true };

	if (i < 0)
		return -ENODEV;
	return cfg->links[i].naddrs ? addrs_del(cfg, &g) : 0;
}

int netcfg_addr_foreach(const struct netcfg *cfg, int ifindex, int (*fn)(void *arg, const struct addr_conf *addr), void *arg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		if (ifindex && cfg->links[i].conf.ifindex != ifindex)
			continue;
		for (unsigned k = 0; k < cfg->links[i].naddrs; k++) {
			int r = fn(arg, &cfg->links[i].addrs[k]);

			if (r)
				return r;
		}
	}
	return 0;
}
