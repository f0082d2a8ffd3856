/* SPDX-License-Identifier: MIT */
/*
 * netcfg_route.c: routes of a configuration, and "route get".
 *
 * Rules, as rtnetlink has them. A gateway must be on a link: a route of link scope (or narrower) leads to it by a device that is up; RTNH_F_ONLINK
 * takes the caller's word for it. Destination, TOS and metric name a route: a second one with the same three is refused when adding and takes the place of the
 * first when replacing. Routes that follow from addresses may stand beside others with the same three. Deleting takes the first match, fields that are 0
 * match any; TOS is always compared. Not done: multipath, next-hop objects, rules (policy routing), IPv6.
 */
#include "netcfg_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct fib_table *cfg_table(const struct netcfg *cfg, uint32_t id)
{
	for (size_t i = 0; i < cfg->ntables; i++)
		if (cfg->tables[i]->id == id)
			return cfg->tables[i];
	return NULL;
}

static struct fib_table *table_make(struct netcfg *cfg, uint32_t id)
{
	struct fib_table *t = cfg_table(cfg, id), **p;

	if (t)
		return t;
	if (cfg->ntables == cfg->tables_cap) {
		p = fib_realloc(&cfg->mem, cfg->tables, 2 * cfg->tables_cap * sizeof(*p));
		if (!p)
			return NULL;
		cfg->tables = p;
		cfg->tables_cap *= 2;
	}
	t = fib_alloc(&cfg->mem, sizeof(*t));
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->id = id;
	cfg->tables[cfg->ntables++] = t;
	return t;
}

static uint32_t table_id(const struct route_conf *r)
{
	if (r->table)
		return r->table;
	return r->type == RTN_LOCAL || r->type == RTN_BROADCAST || r->type == RTN_ANYCAST ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

static int check_dst(const struct route_conf *route, struct ipprefix *ret, struct netcfg_err *err)
{
	struct ipprefix net = route->dst;
	char text[CFG_ADDR_TEXT];

	if (!net.addr.family && !net.len && ipaddr_is_any(&net.addr))
		net.addr = ipaddr_v4(0);
	if (net.addr.family != AF_INET)
		return cfg_err(err, -EAFNOSUPPORT, "only IPv4 routes are supported");
	if (net.len > 32)
		return cfg_err(err, -EINVAL, "a prefix length of %u is too long for IPv4", net.len);
	net = cfg_network(&net);
	if (net.addr.v4 != route->dst.addr.v4)
		return cfg_err(err, -EINVAL, "invalid prefix for the given prefix length: %s has bits set beyond /%u", cfg_addr_text(&route->dst.addr, text),
			       route->dst.len);
	*ret = net;
	return 0;
}

static bool type_has_error(uint8_t type) { return type >= RTN_BLACKHOLE && type <= RTN_THROW; }

/* The least scope number that a type of route may have. */
static uint8_t type_scope(uint8_t type)
{
	return type == RTN_LOCAL ? RT_SCOPE_HOST : type == RTN_BROADCAST || type == RTN_ANYCAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static int check_type_scope(const struct route_conf *route, struct fib_nexthop_info *nh, struct netcfg_err *err)
{
	uint8_t least;

	nh->type = route->type ? route->type : RTN_UNICAST;
	if (nh->type > RTN_THROW)
		return cfg_err(err, -EINVAL, "routes of type %u are not supported", nh->type);
	least = type_scope(nh->type);
	nh->scope = route->scope;
	if (nh->scope == RT_SCOPE_UNIVERSE && !type_has_error(nh->type) && !route->gateway.family)
		nh->scope = least > RT_SCOPE_LINK ? least : RT_SCOPE_LINK;
	if (nh->scope < least || nh->scope > RT_SCOPE_HOST)
		return cfg_err(err, -EINVAL, "a route of this type cannot have scope %u", route->scope);
	if (type_has_error(nh->type) && (route->gateway.family || route->ifindex))
		return cfg_err(err, -EINVAL, "a route of this type has neither gateway nor device");
	return 0;
}

static int check_link_up(const struct netcfg *cfg, int ifindex, const struct link_conf **ret, struct netcfg_err *err)
{
	const struct link_conf *l = netcfg_link_by_index(cfg, ifindex);

	if (!l)
		return cfg_err(err, -ENODEV, ifindex ? "there is no link with index %d" : "a route needs a gateway or a device", ifindex);
	if (!(l->flags & NS_IFF_UP))
		return cfg_err(err, -ENETDOWN, "device %s is not up", l->name);
	*ret = l;
	return 0;
}

/* How the gateway is reached: fills in the device. */
static int check_gateway(const struct netcfg *cfg, const struct route_conf *route, struct fib_nexthop_info *nh, struct netcfg_err *err)
{
	struct flowi fl = { .daddr = route->gateway, .oif = route->ifindex };
	const struct fib_table *own = cfg_table(cfg, table_id(route));
	const struct link_conf *link = NULL;
	char text[CFG_ADDR_TEXT];
	struct fib_result res;
	int r = -EAGAIN;

	cfg_addr_text(&route->gateway, text);
	if (route->gateway.family != AF_INET)
		return cfg_err(err, -EAFNOSUPPORT, "the gateway of an IPv4 route must be an IPv4 address");
	if (nh->scope >= RT_SCOPE_LINK)
		return cfg_err(err, -EINVAL, "a route by way of a gateway cannot have link or host scope");
	if (route->ifindex) {
		r = check_link_up(cfg, route->ifindex, &link, err);
		if (r)
			return r;
	}
	if (inet_addr_type(&cfg->view, &route->gateway) != RTN_UNICAST)
		return cfg_err(err, -EINVAL, "Nexthop has invalid gateway: %s is not another host's address", text);
	if (route->flags & RTNH_F_ONLINK) {
		if (!link)
			return cfg_err(err, -EINVAL, "an onlink gateway needs a device");
		return 0;
	}
	if (own && own->id != RT_TABLE_MAIN && own->id != RT_TABLE_LOCAL)
		r = fib_table_lookup(own, &fl, RT_SCOPE_LINK, &res);
	else
		r = -EAGAIN;
	if (r == -EAGAIN)
		r = fib_table_lookup(cfg->view.main, &fl, RT_SCOPE_LINK, &res);
	if (r)
		return cfg_err(err, r == -EAGAIN ? -ENETUNREACH : r, "Nexthop has invalid gateway: %s is not on a connected network%s%s", text,
			       link ? " of " : "", link ? link->name : "");
	if (res.type != RTN_UNICAST)
		return cfg_err(err, -EINVAL, "Nexthop has invalid gateway: %s is not another host's address", text);
	nh->ifindex = res.nh->ifindex;
	return check_link_up(cfg, nh->ifindex, &link, err);
}

static int check_nexthop(const struct netcfg *cfg, const struct route_conf *route, struct fib_nexthop_info *nh, struct netcfg_err *err)
{
	const struct link_conf *link;

	nh->ifindex = route->ifindex;
	if (type_has_error(nh->type))
		return 0;
	if (nh->scope == RT_SCOPE_HOST) {
		if (route->gateway.family)
			return cfg_err(err, -EINVAL, "a route of host scope cannot have a gateway");
		if (!netcfg_link_by_index(cfg, route->ifindex))
			return cfg_err(err, -ENODEV, route->ifindex ? "there is no link with index %d" : "a route needs a gateway or a device", route->ifindex);
		return 0;
	}
	if (route->gateway.family)
		return check_gateway(cfg, route, nh, err);
	if (route->flags & RTNH_F_ONLINK)
		return cfg_err(err, -EINVAL, "onlink says something about a gateway, and there is none");
	return check_link_up(cfg, route->ifindex, &link, err);
}

static bool prefsrc_valid(const struct netcfg *cfg, const struct route_conf *route, const struct ipprefix *dst, uint8_t type)
{
	if (type == RTN_LOCAL && dst->len == 32 && ipaddr_equal(&dst->addr, &route->prefsrc))
		return true;
	return route->prefsrc.family == AF_INET && inet_addr_type(&cfg->view, &route->prefsrc) == RTN_LOCAL;
}

/* From what was asked for to what a leaf says, or a refusal. */
static int route_resolve(const struct netcfg *cfg, const struct route_conf *route, struct ipprefix *dst, struct fib_nexthop_info *nh, struct netcfg_err *err)
{
	char text[CFG_ADDR_TEXT];
	int r;

	memset(nh, 0, sizeof(*nh));
	r = check_dst(route, dst, err);
	if (r)
		return r;
	if (route->tos & 3)
		return cfg_err(err, -EINVAL, "the ECN bits of a route's TOS must be 0");
	if (route->flags & ~RTNH_F_ONLINK)
		return cfg_err(err, -EINVAL, "onlink is the only flag that a route can be given");
	r = check_type_scope(route, nh, err);
	if (r)
		return r;
	r = check_nexthop(cfg, route, nh, err);
	if (r)
		return r;
	if (route->prefsrc.family && !prefsrc_valid(cfg, route, dst, nh->type))
		return cfg_err(err, -EINVAL, "the preferred source %s is not an address of this host", cfg_addr_text(&route->prefsrc, text));
	if (route->mtu && route->mtu < 68)
		return cfg_err(err, -EINVAL, "the MTU of a route is at least 68");
	nh->gateway = route->gateway;
	nh->prefsrc = route->prefsrc;
	nh->metric = route->metric;
	nh->mtu = route->mtu > 65535 - 15 ? 65535 - 15 : route->mtu;
	nh->advmss = route->advmss > 65535 - 40 ? 65535 - 40 : route->advmss;
	nh->protocol = route->protocol ? route->protocol : RTPROT_BOOT;
	nh->tos = route->tos;
	nh->table = table_id(route);
	return 0;
}

/* The first route of the leaf with this TOS and metric. */
static const struct fib_info *leaf_find(fib_leaf leaf, uint8_t tos, uint32_t metric)
{
	for (uint32_t i = 0; i < fib_leaf_count(leaf); i++) {
		const struct fib_info *fi = fib_leaf_get(leaf, i);

		if (fi->nh.tos == tos && fi->nh.metric == metric)
			return fi;
	}
	return NULL;
}

static bool leaf_has(fib_leaf leaf, const struct fib_info *fi)
{
	for (uint32_t i = 0; i < fib_leaf_count(leaf); i++)
		if (fib_leaf_get(leaf, i) == fi)
			return true;
	return false;
}

int netcfg_route_add(struct netcfg *cfg, const struct route_conf *route, bool replace, struct netcfg_err *err)
{
	const struct fib_info *old;
	struct fib_nexthop_info nh;
	struct fib_table *table;
	char text[CFG_ADDR_TEXT];
	struct ipprefix dst;
	struct fib_info *fi;
	fib_leaf leaf;
	int r;

	cfg_err_clear(err);
	r = route_resolve(cfg, route, &dst, &nh, err);
	if (r)
		return r;
	table = table_make(cfg, nh.table);
	if (!table)
		return cfg_nomem(err);
	leaf = fib_route_get(table, &dst);
	old = leaf_find(leaf, nh.tos, nh.metric);
	if (old && !replace)
		return cfg_err(err, -EEXIST, "there is a route to %s with metric %u already", cfg_prefix_text(&dst, text), nh.metric);
	fi = fib_info_get(&cfg->mem, &nh, route->flags);
	if (!fi)
		return cfg_nomem(err);
	if (old == fi) { /* replaced by itself */
		fib_info_put(&cfg->mem, fi);
		return 0;
	}
	if (leaf_has(leaf, fi)) {
		fib_info_put(&cfg->mem, fi);
		return cfg_err(err, -EEXIST, "the same route to %s stands behind another one", cfg_prefix_text(&dst, text));
	}
	r = old ? fib_route_replace(&cfg->mem, table, &dst, old, fi) : fib_route_insert(&cfg->mem, table, &dst, fi, FIB_APPEND);
	if (r) {
		fib_info_put(&cfg->mem, fi);
		return cfg_nomem(err);
	}
	cfg_touch(cfg);
	return 0;
}

static bool route_matches(const struct fib_info *fi, const struct route_conf *r)
{
	const struct fib_nexthop_info *nh = &fi->nh;

	return nh->tos == r->tos && (!r->type || nh->type == r->type) && (!r->scope || nh->scope == r->scope) && (!r->metric || nh->metric == r->metric) &&
	       (!r->protocol || nh->protocol == r->protocol) && (!r->ifindex || nh->ifindex == r->ifindex) && (!r->mtu || nh->mtu == r->mtu) &&
	       (!r->advmss || nh->advmss == r->advmss) && (!r->gateway.family || ipaddr_equal(&nh->gateway, &r->gateway)) &&
	       (!r->prefsrc.family || ipaddr_equal(&nh->prefsrc, &r->prefsrc));
}

int netcfg_route_del(struct netcfg *cfg, const struct route_conf *route, struct netcfg_err *err)
{
	struct fib_table *table = cfg_table(cfg, table_id(route));
	char text[CFG_ADDR_TEXT];
	struct ipprefix dst;
	fib_leaf leaf;
	int r;

	cfg_err_clear(err);
	r = check_dst(route, &dst, err);
	if (r)
		return r;
	leaf = table ? fib_route_get(table, &dst) : 0;
	for (uint32_t i = 0; i < fib_leaf_count(leaf); i++) {
		if (!route_matches(fib_leaf_get(leaf, i), route))
			continue;
		if (fib_route_remove(&cfg->mem, table, &dst, fib_leaf_get(leaf, i)))
			return cfg_nomem(err);
		cfg_touch(cfg);
		return 0;
	}
	return cfg_err(err, -ESRCH, leaf ? "no route to %s has all of these properties" : "there is no route to %s", cfg_prefix_text(&dst, text));
}

/* ---- many at once ---- */

struct route_ref {
	struct ipprefix        dst;
	const struct fib_info *fi;
};

struct collect {
	struct netcfg    *cfg;
	bool (*want)(const struct collect *c, const struct fib_info *fi);
	int               ifindex;
	bool              keep_host_scope;
	struct ipaddr     prefsrc;
	struct route_ref *refs;
	unsigned          n, cap;
};

static int collect_route(void *arg, const struct ipprefix *dst, const struct fib_info *fi)
{
	struct collect *c = arg;
	void *p = c->refs;

	if (!c->want(c, fi))
		return 0;
	if (cfg_reserve(c->cfg, &p, c->n, &c->cap, sizeof(*c->refs)))
		return -ENOMEM;
	c->refs = p;
	c->refs[c->n++] = (struct route_ref){ *dst, fi };
	return 0;
}

static int drop_collected(struct netcfg *cfg, struct fib_table *table, struct collect *c)
{
	int r;

	c->cfg = cfg;
	c->n = 0;
	r = fib_table_walk(table, collect_route, c);
	for (unsigned i = 0; !r && i < c->n; i++)
		r = fib_route_remove(&cfg->mem, table, &c->refs[i].dst, c->refs[i].fi);
	if (!r && c->n)
		cfg_touch(cfg);
	return r;
}

/* Walking a big table is spared when no info of it can match: there are few infos. */
static bool any_info(const struct netcfg *cfg, const struct collect *c)
{
	for (uint32_t i = 0; i < cfg->mem.hash_size; i++)
		for (const struct fib_info *fi = cfg->mem.hash[i]; fi; fi = fi->next)
			if (c->want(c, fi))
				return true;
	return false;
}

static int drop_everywhere(struct netcfg *cfg, struct collect *c)
{
	int r = 0;

	if (!any_info(cfg, c))
		return 0;
	for (size_t i = 0; !r && i < cfg->ntables; i++)
		r = drop_collected(cfg, cfg->tables[i], c);
	free(c->refs);
	return r;
}

static bool want_dev(const struct collect *c, const struct fib_info *fi)
{
	return (!c->ifindex || fi->nh.ifindex == c->ifindex) && !(c->keep_host_scope && fi->nh.scope == RT_SCOPE_HOST);
}

static bool want_flush(const struct collect *c, const struct fib_info *fi)
{
	return want_dev(c, fi) && fi->nh.protocol != RTPROT_KERNEL;
}

static bool want_prefsrc(const struct collect *c, const struct fib_info *fi)
{
	return ipaddr_equal(&fi->nh.prefsrc, &c->prefsrc);
}

int cfg_routes_drop_dev(struct netcfg *cfg, int ifindex, bool keep_host_scope)
{
	struct collect c = { .want = want_dev, .ifindex = ifindex, .keep_host_scope = keep_host_scope };

	return drop_everywhere(cfg, &c);
}

int cfg_routes_drop_prefsrc(struct netcfg *cfg, const struct ipaddr *addr)
{
	struct collect c = { .want = want_prefsrc, .prefsrc = *addr };

	return drop_everywhere(cfg, &c);
}

int netcfg_route_flush(struct netcfg *cfg, uint32_t table, int ifindex)
{
	struct fib_table *t = table == NETCFG_TABLE_ALL ? NULL : cfg_table(cfg, table ? table : RT_TABLE_MAIN);
	struct collect c = { .want = want_flush, .ifindex = ifindex };
	struct cfg_fib_save save;
	int r;

	if (!t && table != NETCFG_TABLE_ALL)
		return 0;
	if (cfg_fib_save(cfg, &save))
		return -ENOMEM;
	if (t) {
		r = drop_collected(cfg, t, &c);
		free(c.refs);
	} else
		r = drop_everywhere(cfg, &c);
	if (r)
		cfg_fib_undo(cfg, &save);
	else
		cfg_fib_keep(cfg, &save);
	return r;
}

/* ---- looking ---- */

static void info_to_conf(const struct ipprefix *dst, const struct fib_info *fi, struct route_conf *ret)
{
	const struct fib_nexthop_info *nh = &fi->nh;

	*ret = (struct route_conf){
		.dst = *dst, .gateway = nh->gateway, .prefsrc = nh->prefsrc, .ifindex = nh->ifindex, .metric = nh->metric, .table = nh->table,
		.mtu = nh->mtu, .advmss = nh->advmss, .type = nh->type, .scope = nh->scope, .protocol = nh->protocol, .tos = nh->tos, .flags = fi->flags,
	};
}

struct route_each {
	int (*fn)(void *arg, const struct route_conf *route);
	void *arg;
};

static int each_route(void *arg, const struct ipprefix *dst, const struct fib_info *fi)
{
	const struct route_each *e = arg;
	struct route_conf conf;

	info_to_conf(dst, fi, &conf);
	return e->fn(e->arg, &conf);
}

int netcfg_route_foreach(const struct netcfg *cfg, uint32_t table, int (*fn)(void *arg, const struct route_conf *route), void *arg)
{
	struct route_each e = { fn, arg };

	for (size_t i = 0; i < cfg->ntables; i++) {
		int r = table && cfg->tables[i]->id != table ? 0 : fib_table_walk(cfg->tables[i], each_route, &e);

		if (r)
			return r;
	}
	return 0;
}

int netcfg_route_get(const struct netcfg *cfg, const struct route_query *q, struct route_conf *ret, struct ipaddr *ret_src)
{
	struct flowi fl = { .daddr = q->daddr, .saddr = q->saddr, .iif = q->iif, .oif = q->oif, .mark = q->mark, .tos = q->tos };
	struct ipprefix dst = { .addr = q->daddr };
	struct fib_result res;
	int r;

	if (q->daddr.family != AF_INET)
		return -EAFNOSUPPORT;
	if ((q->iif && !netcfg_link_by_index(cfg, q->iif)) || (q->oif && !netcfg_link_by_index(cfg, q->oif)))
		return -ENODEV;
	if (q->saddr.family && !q->iif && inet_addr_type(&cfg->view, &q->saddr) != RTN_LOCAL)
		return -EINVAL;
	r = fib_lookup(&cfg->view, &fl, &res);
	if (r)
		return r;
	dst.len = res.prefixlen;
	dst = cfg_network(&dst);
	info_to_conf(&dst, (const struct fib_info *)(const void *)res.nh, ret);
	if (q->saddr.family)
		*ret_src = q->saddr;
	else if (res.nh->prefsrc.family)
		*ret_src = res.nh->prefsrc;
	else if (res.type == RTN_LOCAL)
		*ret_src = q->daddr;
	else
		*ret_src = inet_select_addr(&cfg->view, res.nh->ifindex, res.nh->gateway.family ? &res.nh->gateway : &q->daddr, res.scope);
	return 0;
}
