/* SPDX-License-Identifier: MIT */
/*
 * state_command.c: the words of a command that configures something become netcfg's structures and are carried out on a configuration. Commands about devices that
 * stand on no TAP are in state_device.c.
 */
#include "state_priv.h"

#include "link_steer.h"
#include "tap.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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
	link_dev_warn(st, cmd, &extra.dev);
	if (extra.queues_given && queues > st->first->queues)
		conf_warn(st, "%u of %u queues are used: there is one for each worker", st->first->queues, queues);
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
	link_steer_warn(st, cmd, &link);
	arg = cmd_arg(cmd, "address");
	if (arg)
		link.addr = arg->lladdr;
	err = device_set(st, cmd, &link, e);
	if (err)
		return err;
	if (!extra && (cmd_arg(cmd, "mode") || cmd_arg(cmd, "state"))) {
		conf_fail(e, -EOPNOTSUPP, "the state of %s is always the same", link.name);
		return blame(e, cmd, cmd_arg(cmd, "mode") ? "mode" : "state");
	}
	if (cmd_arg(cmd, "state") && !st->lw) {
		conf_fail(e, -EINVAL, "\"state\" is about the moment: it may not stand in a configuration file (\"mode\" may)");
		return blame(e, cmd, "state");
	}
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
		link_dev_warn(st, cmd, &dev);
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
	arg = cmd_arg(cmd, "mode");
	if (arg)
		extra->link_mode = (uint8_t)arg->num;
	arg = cmd_arg(cmd, "state");
	if (arg)
		extra->state = (uint8_t)arg->num;
	if (!cmd_arg(cmd, "xdp") && (cmd_arg(cmd, "section") || cmd_arg(cmd, "object"))) {
		conf_fail(e, -EINVAL, "this goes with \"xdp FILE\"");
		return blame(e, cmd, cmd_arg(cmd, "section") ? "section" : "object");
	}
	err = cmd_arg(cmd, "xdp") ? xdp_command(st, &link, cmd, e) : 0;
	arg = cmd_arg(cmd, "name");
	if (err || !arg)
		return err;
	return conf_link_rename(st, link.name, arg->str, e) ? blame(e, cmd, "name") : 0;
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

	first->warning[0] = '\0';
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
