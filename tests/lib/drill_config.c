/* SPDX-License-Identifier: MIT */
/*
 * drill_config.c: the rows of a drill that look at the books and change the configuration.
 */
#include "drill_priv.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static bool row_mib(struct drill *d)
{
	char full[80];

	NEED(d, 2);
	for (int m = 0; m < NET_MIB_MAX; m++) {
		snprintf(full, sizeof(full), "%s%s", net_mib_group((enum net_mib)m), net_mib_name((enum net_mib)m));
		if (strcmp(full, d->w[1]) == 0)
			return drill_expect_number(d, full, host_mib(d->host, (enum net_mib)m));
	}
	return drill_fail(d, "no counter '%s'", d->w[1]);
}

static bool row_gro(struct drill *d)
{
	struct gro_stats st, sum = { 0 };

	NEED(d, 2);
	for (unsigned i = 0; i < d->ncpu; i++)
		if (stack_gro_stats(d->host->shard[i].stack, d->ifindex[0], &st) == 0) {
			sum.normal += st.normal;
			sum.held += st.held;
			sum.merged += st.merged;
		}
	if (strcmp(d->w[1], "normal") == 0)
		return drill_expect_number(d, d->w[1], sum.normal);
	if (strcmp(d->w[1], "held") == 0)
		return drill_expect_number(d, d->w[1], sum.held);
	return strcmp(d->w[1], "merged") == 0 ? drill_expect_number(d, d->w[1], sum.merged) : drill_fail(d, "no counter '%s'", d->w[1]);
}
static bool row_drops(struct drill *d)
{
	NEED(d, 2);
	for (int r = 1; r < SKB_DROP_MAX; r++)
		if (strcmp(skb_drop_reason_name((enum skb_drop_reason)r), d->w[1]) == 0)
			return drill_expect_number(d, d->w[1], host_drops(d->host, (enum skb_drop_reason)r));
	return drill_fail(d, "no drop reason '%s'", d->w[1]);
}

static bool row_seen(struct drill *d)
{
	NEED(d, 2);
	if (!d->observe)
		return drill_fail(d, "nobody looked: the table has to begin with 'set observe'");
	if (strcmp(d->w[1], "in") == 0)
		return drill_expect_number(d, "frames seen coming in", d->host->seen.in);
	if (strcmp(d->w[1], "out") == 0)
		return drill_expect_number(d, "frames seen leaving", d->host->seen.out);
	return strcmp(d->w[1], "drops") == 0 ? drill_expect_number(d, "drops seen", d->host->seen.drops) : drill_fail(d, "in, out or drops?");
}

static int count_sock(void *arg, const struct sock_info *info)
{
	(void)info;
	++*(unsigned *)arg;
	return 0;
}

static bool row_sockets(struct drill *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->ncpu; i++)
		stack_sock_foreach(d->host->shard[i].stack, count_sock, &n);
	return drill_expect_number(d, "number of sockets", n);
}

static bool config_result(struct drill *d, int r, const struct netcfg_err *err)
{
	host_apply(d->host);
	return drill_expect_result(d, r, 0) || (r && *err->text && drill_fail(d, "%d: %s", r, err->text));
}

static int dev_arg(struct drill *d)
{
	const char             *name = drill_after(d, "dev");
	const struct link_conf *l = name ? netcfg_link_by_name(d->host->cfg, name) : NULL;

	return l ? l->ifindex : 0;
}

static bool parse_prefix(struct drill *d, const char *text, struct ipprefix *p)
{
	char           buf[64], *slash;
	struct in_addr a;

	snprintf(buf, sizeof(buf), "%s", strcmp(text, "default") == 0 ? "0.0.0.0/0" : text);
	slash = strchr(buf, '/');
	p->len = slash ? (uint8_t)atoi(slash + 1) : 32;
	if (slash)
		*slash = 0;
	if (!inet_aton(buf, &a))
		return drill_fail(d, "bad prefix '%s'", text);
	p->addr = ipaddr_v4(a.s_addr);
	return true;
}

static bool row_sysctl(struct drill *d)
{
	struct netcfg_err err = { "" };
	char              name[128], *eq;

	NEED(d, 2);
	snprintf(name, sizeof(name), "%s", d->w[1]);
	eq = strchr(name, '=');
	if (!eq)
		return drill_fail(d, "not NAME=VALUE");
	*eq = 0;
	return config_result(d, netcfg_sysctl_set(d->host->cfg, name, eq + 1, &err), &err);
}

static bool row_addr(struct drill *d)
{
	struct addr_conf  a = { .scope = RT_SCOPE_UNIVERSE };
	struct netcfg_err err = { "" };

	NEED(d, 3);
	a.ifindex = dev_arg(d);
	if (!parse_prefix(d, d->w[2], &a.local))
		return false;
	return config_result(d, strcmp(d->w[1], "add") == 0 ? netcfg_addr_add(d->host->cfg, &a, false, &err) : netcfg_addr_del(d->host->cfg, &a, &err), &err);
}

static bool row_route(struct drill *d)
{
	static const struct name types[] = { { "blackhole", RTN_BLACKHOLE }, { "unreachable", RTN_UNREACHABLE }, { "prohibit", RTN_PROHIBIT },
					     { "unicast", RTN_UNICAST }, { NULL, 0 } };
	struct route_conf r = { 0 };
	struct netcfg_err err = { "" };
	const char       *v;
	int               type = 0;

	NEED(d, 3);
	if (!parse_prefix(d, d->w[2], &r.dst))
		return false;
	r.ifindex = dev_arg(d);
	v = drill_after(d, "via");
	if (v)
		r.gateway = ipaddr_v4(inet_addr(v));
	v = drill_after(d, "src");
	if (v)
		r.prefsrc = ipaddr_v4(inet_addr(v));
	v = drill_after(d, "mtu");
	r.mtu = v ? (uint32_t)atoi(v) : 0;
	v = drill_after(d, "metric");
	r.metric = v ? (uint32_t)atoi(v) : 0;
	v = drill_after(d, "type");
	if (v && !drill_name_value(types, v, &type))
		return drill_fail(d, "unknown route type '%s'", v);
	r.type = (uint8_t)type;
	if (strcmp(d->w[1], "del") == 0)
		return config_result(d, netcfg_route_del(d->host->cfg, &r, &err), &err);
	r.protocol = RTPROT_STATIC;
	return config_result(d, netcfg_route_add(d->host->cfg, &r, strcmp(d->w[1], "replace") == 0, &err), &err);
}

static bool row_neigh(struct drill *d)
{
	struct neigh_conf n = { .ifindex = dev_arg(d) };
	struct netcfg_err err = { "" };
	uint8_t          *m = n.lladdr.b;

	NEED(d, 3);
	n.addr = ipaddr_v4(inet_addr(d->w[2]));
	if (strcmp(d->w[1], "del") == 0)
		return config_result(d, netcfg_neigh_del(d->host->cfg, n.ifindex, &n.addr), &err);
	NEED(d, 4);
	if (sscanf(d->w[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6)
		return drill_fail(d, "bad MAC '%s'", d->w[3]);
	return config_result(d, netcfg_neigh_add(d->host->cfg, &n, true, &err), &err);
}

static bool row_link(struct drill *d)
{
	const struct link_conf *l;
	struct link_conf        n;
	struct netcfg_err       err = { "" };

	NEED(d, 3);
	l = netcfg_link_by_name(d->host->cfg, d->w[1]);
	if (!l)
		return drill_fail(d, "no link '%s'", d->w[1]);
	n = *l;
	if (strcmp(d->w[2], "carrier") == 0) {
		NEED(d, 4);
		return config_result(d, netcfg_link_set_carrier(d->host->cfg, n.ifindex, strcmp(d->w[3], "on") == 0), &err);
	}
	if (strcmp(d->w[2], "up") == 0)
		n.flags |= NS_IFF_UP;
	else if (strcmp(d->w[2], "down") == 0)
		n.flags &= ~NS_IFF_UP;
	else if (strcmp(d->w[2], "mtu") == 0 && d->nw > 3)
		n.mtu = (uint32_t)atoi(d->w[3]);
	else if (strcmp(d->w[2], "promisc") == 0)
		n.flags |= NS_IFF_PROMISC;
	else
		return drill_fail(d, "unknown word '%s'", d->w[2]);
	return config_result(d, netcfg_link_set(d->host->cfg, &n, &err), &err);
}

static bool row_txfull(struct drill *d)
{
	NEED(d, 2);
	d->txfull = strcmp(d->w[1], "on") == 0;
	for (unsigned i = 0; !d->txfull && i < d->ndevs; i++)
		host_tx_ready(d->host, d->ifindex[i]);
	return true;
}

static bool row_shutdown_stack(struct drill *d)
{
	for (unsigned i = 0; i < d->ncpu; i++)
		stack_shutdown(host_touch(d->host, i), d->host->now);
	return true;
}

const struct drill_op drill_config_ops[] = {
	{ "mib", row_mib }, { "gro", row_gro }, { "drops", row_drops }, { "seen", row_seen }, { "sockets", row_sockets }, { "sysctl", row_sysctl }, { "addr", row_addr },
	{ "route", row_route }, { "neigh", row_neigh }, { "link", row_link }, { "txfull", row_txfull }, { "shutdown-stack", row_shutdown_stack },
	{ NULL, NULL },
};
