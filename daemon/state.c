/* SPDX-License-Identifier: MIT */
/*
 * state.c: commands that change a configuration, carried out on a struct conf_state. What is right and wrong about addresses and routes is netcfg's to say;
 * here the words of a command become its structures, and what only the daemon knows (TAPs, services) is checked.
 */
#include "state_priv.h"

#include "link_steer.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
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
		if (*name == '/' || *name == ':' || *name == '%' || (unsigned char)*name <= ' ' || (unsigned char)*name == 0x7f)
			return false;
	return true;
}

/* Two links cannot have one host end, in whatever network namespaces they are. skip: the link of st that asks. */
static int host_name_free(const struct conf_state *st, const char *host_name, int skip, struct conf_error *e)
{
	const struct conf_state *other = NULL;

	if (!host_name_ok(host_name))
		return conf_fail(e, -EINVAL, "\"%s\" cannot be the name of a host interface: 1 to 15 characters without blanks, \"/\", \":\" and \"%%\"", host_name);
	while ((other = conf_netns_next(st->first, other)))
		for (unsigned i = 0; i < other->nlinks; i++) {
			const struct link_conf *link = netcfg_link_by_index(other->cfg, other->links[i].ifindex);

			if (!link || (other == st && link->ifindex == skip) || strcmp(link->host_name, host_name) != 0)
				continue;
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

/* ---- commands ------------------------------------------------------------------------------------------------------------- */

const struct link_conf *link_of(const struct conf_state *st, const struct cmd *cmd, const char *key, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);
	const struct link_conf *link = arg ? netcfg_link_by_name(st->cfg, arg->str) : NULL;

	if (arg && !link) {
		conf_no_link(e, st->cfg, arg->str);
		blame(e, cmd, key);
	}
	return link;
}

/* 0 with *ret as it is when the key is missing. */
static int ifindex_of(const struct conf_state *st, const struct cmd *cmd, const char *key, int *ret, struct conf_error *e)
{
	const struct link_conf *link;

	if (!cmd_arg(cmd, key))
		return 0;
	link = link_of(st, cmd, key, e);
	if (!link)
		return e->err;
	*ret = link->ifindex;
	return 0;
}

void take_u32(const struct cmd *cmd, const char *key, uint32_t *ret)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (arg)
		*ret = arg->num;
}

static void take_u8(const struct cmd *cmd, const char *key, uint8_t *ret)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (arg)
		*ret = (uint8_t)arg->num;
}

static void take_addr(const struct cmd *cmd, const char *key, struct ipaddr *ret)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (arg)
		*ret = arg->prefix.addr;
}

int take_name(const struct cmd *cmd, const char *key, char ret[NS_IFNAMSIZ], const char *what, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (!arg)
		return 0;
	if (strlen(arg->str) >= NS_IFNAMSIZ) {
		conf_fail(e, -ENAMETOOLONG, "%s \"%s\" is longer than 15 characters", what, arg->str);
		return blame(e, cmd, key);
	}
	memset(ret, 0, NS_IFNAMSIZ);
	memcpy(ret, arg->str, strlen(arg->str));
	return 0;
}

static int host_addr(const struct cmd *cmd, struct ipprefix *ret, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, "host-addr");

	if (!arg)
		return 0;
	if (arg->prefix.addr.family != AF_INET || ipaddr_is_any(&arg->prefix.addr)) {
		conf_fail(e, -EINVAL, "host-addr wants an IPv4 address and its length, as in 10.10.0.1/24");
		return blame(e, cmd, "host-addr");
	}
	*ret = arg->prefix;
	return 0;
}

static int do_link_add(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *type = cmd_arg(cmd, "type"), *arg;
	struct link_conf link = { .type = (enum link_type)(type ? type->num : LINK_TAP) };
	struct conf_link extra = { .ifindex = 0 };
	uint32_t queues = st->first->queues;
	int err;

	if (link.type != LINK_TAP)
		return device_add(st, cmd, e);
	err = device_words(cmd, link.type, e);
	if (!err)
		err = take_name(cmd, "name", link.name, "the name", e);
	if (!err)
		err = take_name(cmd, "host-name", link.host_name, "host-name", e);
	if (!err)
		err = host_addr(cmd, &link.host_addr, e);
	if (err)
		return err;
	take_u32(cmd, "mtu", &link.mtu);
	take_u32(cmd, "txqueuelen", &link.txqlen);
	arg = cmd_arg(cmd, "address");
	if (arg)
		link.addr = arg->lladdr;
	extra.addr_given = arg != NULL;
	extra.host_name_given = cmd_arg(cmd, "host-name") != NULL;
	extra.queues_given = cmd_arg(cmd, "queues") != NULL;
	take_u32(cmd, "queues", &queues);
	if (queues < 1 || queues > 64) {
		conf_fail(e, -EINVAL, "a TAP has 1 to 64 queues");
		return blame(e, cmd, "queues");
	}
	link.queues = (uint16_t)queues;
	link_dev_init(&extra.dev);
	err = link_dev_take(&extra.dev, cmd, e);
	if (err)
		return err;
	link.features = link_dev_features(&extra.dev, ~0u);
	err = conf_link_add(st, &link, &extra, e);
	return err ? blame(e, cmd, err == -EEXIST && !netcfg_link_by_name(st->cfg, link.name) ? "host-name" : "name") : 0;
}

static void set_flag(const struct cmd *cmd, const char *key, bool invert, uint32_t bit, uint32_t *flags)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (!arg)
		return;
	if ((arg->num != 0) != invert)
		*flags |= bit;
	else
		*flags &= ~bit;
}

static int do_link_move(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev"), *netns = cmd_arg(cmd, "netns");
	struct conf_state *to = conf_netns_find(st->first, netns->str);

	if (!to) {
		conf_no_netns(e, st->first, netns->str);
		return blame(e, cmd, "netns");
	}
	if (!link_of(st, cmd, "dev", e))
		return e->err;
	if (cmd->nargs > 2) {
		conf_fail(e, -EINVAL, "\"netns\" goes alone: what is changed with it would stay behind");
		return blame(e, cmd, "netns");
	}
	return conf_link_move(st, dev->str, to, e) ? blame(e, cmd, e->err == -EEXIST ? "netns" : "dev") : 0;
}

static int do_link_set(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct link_conf *old = link_of(st, cmd, "dev", e);
	struct conf_link *extra;
	const struct cmd_arg *arg;
	struct link_conf link;
	struct link_dev dev;
	const char *key;
	int err;

	if (cmd_arg(cmd, "netns"))
		return do_link_move(st, cmd, e);
	if (!old)
		return e->err;
	link = *old;
	extra = conf_link_find(st, link.name);
	if (cmd_arg(cmd, "up")) {
		link.flags |= NS_IFF_UP;
		if (extra)
			extra->host.revive = extra->host.gone;
	}
	if (cmd_arg(cmd, "down"))
		link.flags &= ~NS_IFF_UP;
	set_flag(cmd, "promisc", false, NS_IFF_PROMISC, &link.flags);
	set_flag(cmd, "allmulti", false, NS_IFF_ALLMULTI, &link.flags);
	set_flag(cmd, "arp", true, NS_IFF_NOARP, &link.flags);
	take_u32(cmd, "mtu", &link.mtu);
	take_u32(cmd, "txqueuelen", &link.txqlen);
	err = link_steer_take(&link, cmd, e);
	if (err)
		return err;
	arg = cmd_arg(cmd, "address");
	if (arg)
		link.addr = arg->lladdr;
	err = device_set(st, cmd, &link, e);
	if (err)
		return err;
	if (!extra && (cmd_arg(cmd, "host-name") || cmd_arg(cmd, "host-addr"))) {
		conf_fail(e, -EINVAL, "%s is not a TAP: it has no end on the host", link.name);
		return blame(e, cmd, cmd_arg(cmd, "host-name") ? "host-name" : "host-addr");
	}
	if (link.type != LINK_TAP && link.type != LINK_DUMMY && cmd_arg(cmd, "carrier")) {
		conf_fail(e, -EOPNOTSUPP, "%s is not a TAP: it has no cable", link.name);
		return blame(e, cmd, "carrier");
	}
	if (link.type != LINK_TAP && link_dev_given(cmd, &key)) {
		conf_fail(e, -EOPNOTSUPP, "%s is not a TAP: it has no device to set up", link.name);
		return blame(e, cmd, key);
	}
	if (link.type == LINK_TAP) {
		dev = extra->dev;
		err = link_dev_take(&dev, cmd, e);
		if (err)
			return err;
		link.features = link_dev_features(&dev, extra->tap ? extra->tap->offered : ~0u);
	}
	err = take_name(cmd, "host-name", link.host_name, "host-name", e);
	if (!err)
		err = host_addr(cmd, &link.host_addr, e);
	if (!err)
		err = conf_link_change(st, &link, e);
	if (err)
		return e->column ? err : blame(e, cmd, cmd_arg(cmd, "mtu") ? "mtu" : cmd_arg(cmd, "host-name") ? "host-name" : "dev");
	if (link.type == LINK_TAP)
		extra->dev = dev;
	if (extra && cmd_arg(cmd, "address"))
		extra->addr_given = true;
	if (extra && cmd_arg(cmd, "host-name"))
		extra->host_name_given = true;
	arg = cmd_arg(cmd, "carrier");
	if (arg)
		extra->carrier_off = arg->num == 0; /* links.c tells linkwatch */
	if (cmd_arg(cmd, "xdp"))
		return xdp_command(st, &link, cmd, e);
	if (cmd_arg(cmd, "section") || cmd_arg(cmd, "object")) {
		conf_fail(e, -EINVAL, "this goes with \"xdp FILE\"");
		return blame(e, cmd, cmd_arg(cmd, "section") ? "section" : "object");
	}
	return 0;
}

static int do_addr(struct conf_state *st, const struct cmd *cmd, int how, struct conf_error *e)
{
	const struct cmd_arg *prefix = cmd_arg(cmd, "prefix"), *arg;
	struct addr_conf addr = { .local = prefix->prefix };
	int err = ifindex_of(st, cmd, "dev", &addr.ifindex, e);

	if (err)
		return err;
	if ((be32_to_cpu(addr.local.addr.v4) >> 24) == 127)
		addr.scope = RT_SCOPE_HOST;
	take_u8(cmd, "scope", &addr.scope);
	arg = cmd_arg(cmd, "broadcast");
	if (arg && arg->prefix.addr.family)
		addr.broadcast = arg->prefix.addr;
	else if (arg && arg->num == BROADCAST_AUTO && addr.local.len < 31)
		addr.broadcast = ipaddr_v4(addr.local.addr.v4 | cpu_to_be32(UINT32_MAX >> addr.local.len));
	err = take_name(cmd, "label", addr.label, "the label", e);
	if (err)
		return err;
	err = conf_addr_change(st, &addr, how, e);
	return err ? blame(e, cmd, "prefix") : 0;
}

static int do_route(struct conf_state *st, const struct cmd *cmd, int how, struct conf_error *e)
{
	const struct cmd_arg *prefix = cmd_arg(cmd, "prefix");
	struct route_conf route = { .dst = prefix->prefix };
	int err = ifindex_of(st, cmd, "dev", &route.ifindex, e);

	if (err)
		return err;
	if (how != CONF_DEL)
		route.protocol = RTPROT_STATIC;
	take_u8(cmd, "type", &route.type);
	take_addr(cmd, "via", &route.gateway);
	take_addr(cmd, "src", &route.prefsrc);
	take_u32(cmd, "metric", &route.metric);
	take_u32(cmd, "table", &route.table);
	take_u32(cmd, "mtu", &route.mtu);
	take_u32(cmd, "advmss", &route.advmss);
	take_u8(cmd, "scope", &route.scope);
	take_u8(cmd, "proto", &route.protocol);
	if (cmd_arg(cmd, "onlink"))
		route.flags |= RTNH_F_ONLINK;
	if (how != CONF_DEL && route.protocol == RTPROT_KERNEL) { /* would neither be saved nor survive a reload */
		conf_fail(e, -EINVAL, "routes of protocol kernel follow from addresses: they cannot be added");
		return blame(e, cmd, "proto");
	}
	err = conf_route_change(st, &route, how, e);
	return err ? blame(e, cmd, route.gateway.family && err == -ENETUNREACH ? "via" : "prefix") : 0;
}

static int do_neigh(struct conf_state *st, const struct cmd *cmd, int how, struct conf_error *e)
{
	const struct cmd_arg *lladdr = cmd_arg(cmd, "lladdr");
	struct neigh_conf neigh = { .ifindex = 0 };
	int err = ifindex_of(st, cmd, "dev", &neigh.ifindex, e);

	if (err)
		return err;
	take_addr(cmd, "addr", &neigh.addr);
	if (lladdr)
		neigh.lladdr = lladdr->lladdr;
	err = conf_neigh_change(st, &neigh, how, e);
	return err ? blame(e, cmd, "addr") : 0;
}

static int do_sysctl(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *name = cmd_arg(cmd, "name"), *value = cmd_arg(cmd, "value");
	struct netcfg_err why = { "" };
	int err = netcfg_sysctl_set(st->cfg, name->str, value->str, &why);

	if (!err)
		return 0;
	refused(e, err, &why);
	if (err == -ENOENT)
		conf_suggest_sysctl(e, st->cfg, name->str);
	return blame(e, cmd, err == -ENOENT ? "name" : "value");
}

static int do_service(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *proto = cmd_arg(cmd, "proto"), *port = cmd_arg(cmd, "port"), *what = cmd_arg(cmd, "what"), *addr = cmd_arg(cmd, "address");
	struct service_conf service = { .proto = (uint8_t)proto->num, .port = (uint16_t)port->num };

	if (cmd->id == CMD_SERVICE_DEL) {
		if (conf_service_remove(st, service.proto, service.port, addr ? &addr->prefix.addr : NULL, e))
			return blame(e, cmd, "port");
		return 0;
	}
	if (strlen(what->str) >= sizeof(service.what)) {
		conf_fail(e, -EINVAL, "there is no %s service \"%s\" (there are: %s)", proto->str, what->str, service_names(service.proto));
		return blame(e, cmd, "what");
	}
	memcpy(service.what, what->str, strlen(what->str));
	if (addr && !ipaddr_is_any(&addr->prefix.addr))
		service.addr = addr->prefix.addr;
	if (conf_service_add(st, &service, e))
		return blame(e, cmd, service_check(&service) ? "what" : "port");
	return 0;
}

static int do_flush(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	uint32_t table = RT_TABLE_MAIN;
	int ifindex = 0, err = ifindex_of(st, cmd, "dev", &ifindex, e);

	if (err)
		return err;
	take_u32(cmd, "table", &table);
	if (cmd->id == CMD_ADDR_FLUSH)
		err = netcfg_addr_flush(st->cfg, ifindex);
	else
		err = netcfg_route_flush(st->cfg, table == TABLE_ALL ? NETCFG_TABLE_ALL : table, ifindex);
	return err ? conf_fail(e, err, "%s", strerror(-err)) : 0;
}

static int do_group(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *group = cmd_arg(cmd, "group");

	if (strlen(group->str) >= sizeof(st->control_group)) {
		conf_fail(e, -ENAMETOOLONG, "the name of the group is too long");
		return blame(e, cmd, "group");
	}
	if (st->check_group && !getgrnam(group->str)) {
		conf_fail(e, -ENOENT, "control group: there is no group %s", group->str);
		return blame(e, cmd, "group");
	}
	memset(st->control_group, 0, sizeof(st->control_group));
	memcpy(st->control_group, group->str, strlen(group->str));
	return 0;
}

static int do_netns(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const char *key = cmd->id == CMD_NETNS_ADD ? "name" : "netns", *name = cmd_arg(cmd, key)->str;
	int err = cmd->id == CMD_NETNS_ADD ? conf_netns_add(st->first, name, e) : conf_netns_del(st->first, name, e);

	return err ? blame(e, cmd, key) : 0;
}

int conf_command(struct conf_state *first, const struct cmd *cmd, struct conf_error *e)
{
	struct conf_state *st = conf_netns_of(first, cmd, e);

	if (!st)
		return e->err;
	switch (cmd->id) {
	case CMD_NETNS_ADD:
	case CMD_NETNS_DEL:
		return do_netns(st, cmd, e);
	case CMD_LINK_ADD:
		return do_link_add(st, cmd, e);
	case CMD_LINK_SET:
		return do_link_set(st, cmd, e);
	case CMD_LINK_DEL:
		return link_of(st, cmd, "dev", e) ? conf_link_remove(st, cmd_arg(cmd, "dev")->str, e) : e->err;
	case CMD_ADDR_ADD:
		return do_addr(st, cmd, CONF_ADD, e);
	case CMD_ADDR_REPLACE:
		return do_addr(st, cmd, CONF_REPLACE, e);
	case CMD_ADDR_DEL:
		return do_addr(st, cmd, CONF_DEL, e);
	case CMD_ADDR_FLUSH:
	case CMD_ROUTE_FLUSH:
		return do_flush(st, cmd, e);
	case CMD_ROUTE_ADD:
		return do_route(st, cmd, CONF_ADD, e);
	case CMD_ROUTE_REPLACE:
		return do_route(st, cmd, CONF_REPLACE, e);
	case CMD_ROUTE_DEL:
		return do_route(st, cmd, CONF_DEL, e);
	case CMD_NEIGH_ADD:
		return do_neigh(st, cmd, CONF_ADD, e);
	case CMD_NEIGH_REPLACE:
		return do_neigh(st, cmd, CONF_REPLACE, e);
	case CMD_NEIGH_DEL:
		return do_neigh(st, cmd, CONF_DEL, e);
	case CMD_FDB_ADD:
	case CMD_FDB_REPLACE:
	case CMD_FDB_DEL:
		return device_fdb(st, cmd, e);
	case CMD_SYSCTL_SET:
		return do_sysctl(st, cmd, e);
	case CMD_SERVICE_ADD:
	case CMD_SERVICE_DEL:
		return do_service(st, cmd, e);
	case CMD_CONTROL_GROUP:
		return do_group(st, cmd, e);
	default:
		return conf_fail(e, -EINVAL, "this is not a command that configures something");
	}
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
