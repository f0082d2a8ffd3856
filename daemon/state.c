/* SPDX-License-Identifier: MIT */
/*
 * state.c: changes of a configuration, a struct conf_state. What is right and wrong about addresses and routes is netcfg's to say; what only the daemon knows
 * (TAPs, services) is checked here. state_command.c makes changes of commands.
 */
#include "state_priv.h"


#include <arpa/inet.h>
#include <errno.h>
#include <netstack/linkwatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- text ---------------------------------------------------------------------------------------------------------- */

const char *addr_text(const struct ipaddr *addr, char buf[ADDR_TEXT])
{
	if (!addr->family || !inet_ntop(addr->family, addr->b, buf, ADDR_TEXT))
		buf[0] = '\0';
	return buf;
}

const char *prefix_text(const struct ipprefix *prefix, char buf[ADDR_TEXT])
{
	size_t n;

	addr_text(&prefix->addr, buf);
	n = strlen(buf);
	snprintf(buf + n, ADDR_TEXT - n, "/%u", prefix->len);
	return buf;
}

const char *lladdr_text(const struct eth_addr *a, char buf[ADDR_TEXT])
{
	snprintf(buf, ADDR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2], a->b[3], a->b[4], a->b[5]);
	return buf;
}

int conf_fail(struct conf_error *e, int err, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof(*e));
	e->err = err;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return err;
}

void conf_warn(struct conf_state *st, const char *fmt, ...)
{
	char *buf = st->first->warning;
	size_t n = strlen(buf);
	va_list ap;

	if (n && n + 3 < sizeof(st->first->warning))
		n += (size_t)sprintf(buf + n, "; ");
	va_start(ap, fmt);
	vsnprintf(buf + n, sizeof(st->first->warning) - n, fmt, ap);
	va_end(ap);
}

struct nearest {
	const char        *typed;
	unsigned           distance;
	struct conf_error *e;
};

static int nearer(struct nearest *n, const char *name)
{
	unsigned d = grammar_distance(n->typed, name);

	if (d < n->distance && strlen(name) < sizeof(n->e->suggestion)) {
		n->distance = d;
		strcpy(n->e->suggestion, name);
	}
	return 0;
}

static int nearer_link(void *arg, const struct link_conf *link)
{
	return nearer(arg, link->name);
}

static int nearer_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	(void)value;
	(void)changed;
	(void)help;
	return nearer(arg, name);
}

int conf_no_link(struct conf_error *e, const struct netcfg *cfg, const char *name)
{
	struct nearest n = { name, UINT32_MAX, e };

	conf_fail(e, -ENODEV, "there is no link %s", name);
	netcfg_link_foreach(cfg, nearer_link, &n);
	return e->err;
}

void conf_suggest_sysctl(struct conf_error *e, const struct netcfg *cfg, const char *name)
{
	struct nearest n = { name, UINT32_MAX, e };

	netcfg_sysctl_foreach(cfg, nearer_sysctl, &n);
}

/* netcfg's reason, or errno's text when it gave none. */
int refused(struct conf_error *e, int err, const struct netcfg_err *why)
{
	if (err)
		conf_fail(e, err, "%s", why->text[0] ? why->text : strerror(-err));
	return err;
}

/* Says which word is to blame. */
int blame(struct conf_error *e, const struct cmd *cmd, const char *key)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (arg) {
		e->column = arg->column;
		snprintf(e->word, sizeof(e->word), "%s", arg->str ? arg->str : key);
	}
	return e->err;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

int conf_state_init(struct conf_state *st, unsigned queues)
{
	memset(st, 0, sizeof(*st));
	st->queues = queues;
	st->first = st;
	st->cfg = netcfg_new();
	return st->cfg ? 0 : -ENOMEM;
}

void conf_state_exit(struct conf_state *st)
{
	conf_netns_exit(st);
	linkwatch_free(st->lw);
	free(st->lw_owner);
	if (st->cfg)
		netcfg_free(st->cfg);
	free(st->links);
	free(st->services);
	xdp_list_free(&st->xdp);
	free(st->changes);
	memset(st, 0, sizeof(*st));
}

struct conf_link *conf_link_find(const struct conf_state *st, const char *name)
{
	for (unsigned i = 0; i < st->nlinks; i++)
		if (strcmp(st->links[i].name, name) == 0)
			return &st->links[i];
	return NULL;
}

void conf_changes_reset(struct conf_state *st)
{
	free(st->changes);
	st->changes = NULL;
	st->nchanges = 0;
	st->changes_lost = false;
}

void conf_note(struct conf_state *st, enum conf_change_kind kind, bool deleted, int ifindex, const void *what, size_t size)
{
	const struct link_conf *link = netcfg_link_by_index(st->cfg, ifindex);
	struct conf_change *c;

	if (!st->track || (kind != CHANGE_LINK && conf_watch_silent(st->watch)))
		return;
	if (!st->changes)
		st->changes = malloc(CONF_MAX_CHANGES * sizeof(*st->changes));
	if (!st->changes || st->nchanges == CONF_MAX_CHANGES) {
		st->changes_lost = true;
		return;
	}
	c = &st->changes[st->nchanges++];
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->deleted = deleted;
	snprintf(c->dev, sizeof(c->dev), "%s", link ? link->name : conf_watch_name(st->watch, ifindex));
	memcpy(&c->addr, what, size);
}

/* ---- primitive changes -------------------------------------------------------------------------------------------------- */

static bool host_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= NS_IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == '%' || (unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f /* the grammar is in ASCII */)
			return false;
	return true;
}

/* Two links cannot have one host end, in whatever network namespaces they are. skip: the link of st that asks. */
static int host_name_free(const struct conf_state *st, const char *host_name, int skip, struct conf_error *e)
{
	const struct conf_state *other = NULL;

	if (!host_name_ok(host_name))
		return conf_fail(e, -EINVAL, "\"%s\" cannot be the name of a host interface: 1 to 15 characters of ASCII without blanks, \"/\", \":\" and \"%%\"", host_name);
	while ((other = conf_netns_next(st->first, other)))
		for (unsigned i = 0; i < other->nlinks; i++) {
			const struct link_conf *link = netcfg_link_by_index(other->cfg, other->links[i].ifindex);

			if (!link || (other == st && link->ifindex == skip) || strcmp(link->host_name, host_name) != 0)
				continue;
			if (other->links[i].host.name[0] && strcmp(other->links[i].host.name, host_name) != 0)
				continue; /* the host has given it another by now, which is about to be followed */
			return conf_fail(e, -EEXIST, "host-name %s is used by %s%s%s already", host_name, link->name, other == st ? "" : " of network namespace ",
					 other == st ? "" : conf_netns_name(other));
		}
	return 0;
}

int conf_links_room(struct conf_state *st, struct conf_error *e)
{
	struct conf_link *links = realloc(st->links, (st->nlinks + 2) * sizeof(*links)); /* two: for both ends of a pair */

	if (!links)
		return conf_fail(e, -ENOMEM, "no memory for another link");
	st->links = links;
	return 0;
}

void conf_links_note(struct conf_state *st, int ifindex, const struct conf_link *extra)
{
	struct conf_link *l = &st->links[st->nlinks++];

	*l = *extra;
	l->ifindex = ifindex;
	l->tap = NULL;
	memcpy(l->name, netcfg_link_by_index(st->cfg, ifindex)->name, NS_IFNAMSIZ);
	conf_note(st, CHANGE_LINK, false, ifindex, &ifindex, sizeof(ifindex));
}

int conf_seed(uint64_t *ret, struct conf_error *e)
{
	return getrandom(ret, sizeof(*ret), 0) == sizeof(*ret) ? 0 : conf_fail(e, -errno, "no random number for a MAC address");
}

int conf_link_add(struct conf_state *st, const struct link_conf *params, const struct conf_link *extra, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	int err = 0, ifindex;
	uint64_t seed;

	if (params->host_name[0])
		err = host_name_free(st, params->host_name, 0, e);
	if (!err)
		err = conf_links_room(st, e);
	if (!err)
		err = conf_seed(&seed, e);
	if (err)
		return err;
	err = netcfg_link_add(st->cfg, params, seed, &ifindex, &why);
	if (err)
		return refused(e, err, &why);
	conf_links_note(st, ifindex, extra);
	return 0;
}

/* What is known of links that are gone: one that is removed may take others along, the twin of a veth in another namespace, too. */
static void forget_links(struct conf_state *st)
{
	struct conf_state *any = NULL;

	while ((any = conf_netns_next(st->first, any))) {
		unsigned kept = 0;

		for (unsigned i = 0; i < any->nlinks; i++)
			if (netcfg_link_by_index(any->cfg, any->links[i].ifindex))
				any->links[kept++] = any->links[i];
			else if (any != st)
				conf_note(any, CHANGE_LINK, true, any->links[i].ifindex, &any->links[i].ifindex, sizeof(int));
		any->nlinks = kept;
	}
}

int conf_link_remove(struct conf_state *st, const char *name, struct conf_error *e)
{
	const struct link_conf *link = netcfg_link_by_name(st->cfg, name);
	struct netcfg_err why = { "" };
	int ifindex, err;

	if (!link)
		return conf_no_link(e, st->cfg, name);
	ifindex = link->ifindex;
	conf_note(st, CHANGE_LINK, true, ifindex, &ifindex, sizeof(ifindex));
	err = netcfg_link_del(st->cfg, ifindex, &why);
	if (err)
		return refused(e, err, &why);
	forget_links(st);
	xdp_prune(st);
	return 0;
}

int conf_link_move(struct conf_state *st, const char *name, struct conf_state *to, struct conf_error *e)
{
	const struct conf_link *found = conf_link_find(st, name);
	struct netcfg_err why = { "" };
	struct conf_link extra;
	int ifindex, err;

	if (!found)
		return netcfg_link_by_name(st->cfg, name) ? conf_fail(e, -EOPNOTSUPP, "%s stays where it is", name) : conf_no_link(e, st->cfg, name);
	if (to == st)
		return 0;
	extra = *found;
	err = conf_links_room(to, e);
	if (err)
		return err;
	err = netcfg_link_move(st->cfg, extra.ifindex, to->id, &ifindex, &why);
	if (err)
		return refused(e, err, &why);
	conf_note(st, CHANGE_LINK, true, extra.ifindex, &extra.ifindex, sizeof(extra.ifindex));
	forget_links(st);
	xdp_prune(st);
	conf_links_note(to, ifindex, &extra);
	return 0;
}

int conf_link_change(struct conf_state *st, const struct link_conf *link, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	int err;

	if (link->host_name[0]) {
		err = host_name_free(st, link->host_name, link->ifindex, e);
		if (err)
			return err;
	}
	err = netcfg_link_set(st->cfg, link, &why);
	if (err)
		return refused(e, err, &why);
	conf_note(st, CHANGE_LINK, false, link->ifindex, &link->ifindex, sizeof(link->ifindex));
	return 0;
}

int conf_link_rename(struct conf_state *st, const char *from, const char *to, struct conf_error *e)
{
	const struct link_conf *link = netcfg_link_by_name(st->cfg, from);
	struct conf_link *extra = conf_link_find(st, from);
	struct netcfg_err why = { "" };
	char old[NS_IFNAMSIZ];
	int err;

	if (!link)
		return conf_no_link(e, st->cfg, from);
	memcpy(old, link->name, sizeof(old));
	err = netcfg_link_rename(st->cfg, link->ifindex, to, &why);
	if (err)
		return refused(e, err, &why);
	if (extra)
		memcpy(extra->name, link->name, sizeof(extra->name));
	xdp_list_rename(&st->xdp, old, link->name);
	conf_note(st, CHANGE_LINK, false, link->ifindex, &link->ifindex, sizeof(link->ifindex));
	return 0;
}

int conf_addr_change(struct conf_state *st, const struct addr_conf *addr, int how, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	int err = how == CONF_DEL ? netcfg_addr_del(st->cfg, addr, &why) : netcfg_addr_add(st->cfg, addr, how == CONF_REPLACE, &why);

	if (!err)
		conf_note(st, CHANGE_ADDR, how == CONF_DEL, addr->ifindex, addr, sizeof(*addr));
	return refused(e, err, &why);
}

int conf_route_change(struct conf_state *st, const struct route_conf *route, int how, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	int err = how == CONF_DEL ? netcfg_route_del(st->cfg, route, &why) : netcfg_route_add(st->cfg, route, how == CONF_REPLACE, &why);

	if (!err)
		conf_note(st, CHANGE_ROUTE, how == CONF_DEL, route->ifindex, route, sizeof(*route));
	return refused(e, err, &why);
}

int conf_neigh_change(struct conf_state *st, const struct neigh_conf *neigh, int how, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	int err = how == CONF_DEL ? netcfg_neigh_del(st->cfg, neigh->ifindex, &neigh->addr) : netcfg_neigh_add(st->cfg, neigh, how == CONF_REPLACE, &why);
	char text[ADDR_TEXT];

	if (!err)
		conf_note(st, CHANGE_NEIGH, how == CONF_DEL, neigh->ifindex, neigh, sizeof(*neigh));
	else if (how == CONF_DEL)
		return conf_fail(e, err, "there is no permanent neighbour %s", addr_text(&neigh->addr, text));
	return refused(e, err, &why);
}

static bool service_same(const struct service_conf *s, uint8_t proto, uint16_t port)
{
	return s->proto == proto && s->port == port;
}

int conf_service_add(struct conf_state *st, const struct service_conf *service, struct conf_error *e)
{
	const char *proto = service->proto == IPPROTO_TCP ? "tcp" : "udp";
	struct service_conf *services;

	if (service->port == 0)
		return conf_fail(e, -EINVAL, "a service needs a port from 1 to 65535");
	if (service_check(service))
		return conf_fail(e, -EINVAL, "there is no %s service \"%s\" (there are: %s)", proto, service->what, service_names(service->proto));
	for (unsigned i = 0; i < st->nservices; i++) {
		const struct service_conf *s = &st->services[i];

		if (service_same(s, service->proto, service->port) &&
		    (ipaddr_equal(&s->addr, &service->addr) || !s->addr.family || !service->addr.family))
			return conf_fail(e, -EEXIST, "%s port %u has a service already: %s", proto, service->port, s->what);
	}
	services = realloc(st->services, (st->nservices + 1) * sizeof(*services));
	if (!services)
		return conf_fail(e, -ENOMEM, "no memory for another service");
	st->services = services;
	services[st->nservices++] = *service;
	return 0;
}

int conf_service_remove(struct conf_state *st, uint8_t proto, uint16_t port, const struct ipaddr *addr, struct conf_error *e)
{
	unsigned kept = 0, removed;

	for (unsigned i = 0; i < st->nservices; i++)
		if (!service_same(&st->services[i], proto, port) || (addr && !ipaddr_equal(&st->services[i].addr, addr)))
			st->services[kept++] = st->services[i];
	removed = st->nservices - kept;
	st->nservices = kept;
	return removed ? 0 : conf_fail(e, -ENOENT, "there is no service on %s port %u", proto == IPPROTO_TCP ? "tcp" : "udp", port);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

struct find_local {
	const struct ipaddr *addr;
};

static int match_local(void *arg, const struct addr_conf *addr)
{
	const struct find_local *f = arg;
	bool loopback = (be32_to_cpu(f->addr->v4) >> 24) == 127;

	return loopback || ipaddr_equal(f->addr, &addr->local.addr);
}

static int check_services(const struct conf_state *st, struct conf_error *e)
{
	for (unsigned i = 0; i < st->nservices; i++) {
		const struct service_conf *s = &st->services[i];
		struct find_local f = { &s->addr };
		char text[ADDR_TEXT];

		if (s->addr.family && !netcfg_addr_foreach(st->cfg, 0, match_local, &f))
			return conf_fail(e, -EADDRNOTAVAIL, "service %s on port %u: %s is not an address of any link", s->what, s->port, addr_text(&s->addr, text));
	}
	return 0;
}

int conf_check(const struct conf_state *first, struct conf_error *e)
{
	struct conf_state *st = NULL;
	int err = 0;

	while (!err && (st = conf_netns_next(first, st)))
		err = check_services(st, e);
	return err;
}
