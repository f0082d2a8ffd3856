/* SPDX-License-Identifier: MIT */
/*
 * test_sysctl.c: tunables by name: types, ranges, several values under one name, per-device values and how "all" and a device's own make what holds.
 */
#include "netcfg_priv.h"
#include "sysctl_table.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(sysctl, numbers)
{
	static const struct { const char *text; int want; int64_t value; } rows[] = {
		{ "0", 0, 0 }, { " 42 ", 0, 42 }, { "-1", 0, -1 }, { "+7\n", 0, 7 }, { "0x10", 0, 16 }, { "4294967295", 0, 4294967295 },
		{ "", -EINVAL, 0 }, { "x", -EINVAL, 0 }, { "1x", -EINVAL, 0 }, { "-", -EINVAL, 0 }, { "0x", -EINVAL, 0 }, { "99999999999999999999", -ERANGE, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *p = rows[i].text;
		int64_t v = 0;

		cr_assert_eq(sysctl_parse_num(&p, &v), rows[i].want, "\"%s\"", rows[i].text);
		if (!rows[i].want) {
			cr_assert_eq(v, rows[i].value, "\"%s\"", rows[i].text);
			cr_assert_eq(*p, '\0');
		}
	}
}

Test(sysctl, values_are_checked)
{
	static const struct { const char *name, *value; int want; const char *reads; } rows[] = {
		{ "net.ipv4.ip_default_ttl", "255", 0, "255" },
		{ "net.ipv4.ip_default_ttl", "256", -EINVAL, "255" },
		{ "net.ipv4.ip_default_ttl", "0", -EINVAL, "255" },
		{ "net.ipv4.ip_default_ttl", "1 2", -EINVAL, "255" },
		{ "net.ipv4.ip_default_ttl", "many", -EINVAL, "255" },
		{ "net/ipv4/tcp_sack", "0", 0, "0" },
		{ "net.ipv4.tcp_notsent_lowat", "4294967295", 0, "4294967295" },
		{ "net.ipv4.ip_local_port_range", "2000 3000", 0, "2000 3000" },
		{ "net.ipv4.ip_local_port_range", "3000\t2000", -EINVAL, "2000 3000" },
		{ "net.ipv4.ip_local_port_range", "3000", -EINVAL, "2000 3000" },
		{ "net.ipv4.ip_local_port_range", "1 2 3", -EINVAL, "2000 3000" },
		{ "net.ipv4.ip_local_port_min", "2500", 0, "2500" },
		{ "net.ipv4.ip_local_port_min", "3001", -EINVAL, "2500" },
		{ "net.ipv4.tcp_rmem", "4096 65536 1048576", 0, "4096 65536 1048576" },
		{ "net.ipv4.tcp_congestion_control", "reno", 0, "reno" },
		{ "net.ipv4.tcp_congestion_control", "bbr", -ENOENT, "reno" },
		{ "net.ipv4.conf.lo.rp_filter", "2", 0, "2" },
		{ "net.ipv4.conf.lo.rp_filter", "3", -EINVAL, "2" },
	};
	struct netcfg *cfg = netcfg_new();
	char buf[64];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netcfg_err err;

		cr_assert_eq(netcfg_sysctl_set(cfg, rows[i].name, rows[i].value, &err), rows[i].want, "%s=%s: %s", rows[i].name, rows[i].value, err.text);
		cr_assert_eq(!err.text[0], !rows[i].want);
		cr_assert_eq(netcfg_sysctl_get(cfg, rows[i].name, buf, sizeof(buf)), (int)strlen(rows[i].reads));
		cr_assert_str_eq(buf, rows[i].reads);
	}
	cr_assert_eq(netcfg_commit(cfg)->sysctl.ip_local_port_min, 2500);
	cr_assert_eq(netcfg_commit(cfg)->sysctl.tcp_congestion, TCP_CONG_RENO);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.nothing", "1", NULL), -ENOENT);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.eth9.rp_filter", "1", NULL), -ENOENT);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.rp_filter", "1", NULL), -ENOENT);
	cr_assert_eq(netcfg_sysctl_get(cfg, "", buf, sizeof(buf)), -ENOENT);
	netcfg_free(cfg);
}

Test(sysctl, what_holds_for_a_device)
{
	struct link_conf l = { .name = "eth0.7", .type = LINK_VIRTUAL };
	struct netcfg *cfg = netcfg_new();
	const struct ipv4_devconf *v4;
	int ifindex;

	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.default.rp_filter", "1", NULL), 0);
	cr_assert_eq(netcfg_link_add(cfg, &l, 1, &ifindex, NULL), 0);
#define EFFECTIVE (v4 = &netcfg_link_by_index(cfg, ifindex)->v4)
	cr_assert_eq(EFFECTIVE->rp_filter, 1, "a link begins with default's");
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.all.rp_filter", "2", NULL), 0);
	cr_assert_eq(EFFECTIVE->rp_filter, 2, "the greater one");
	cr_assert_eq(netcfg_sysctl_set(cfg, "net/ipv4/conf/eth0.7/log_martians", "1", NULL), 0);
	cr_assert_eq(EFFECTIVE->log_martians, 1, "either");
	cr_assert_eq(EFFECTIVE->accept_source_route, 0, "both: all is 0");
	cr_assert_eq(EFFECTIVE->accept_redirects, 1);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	cr_assert_eq(EFFECTIVE->forwarding, 1);
	cr_assert_eq(EFFECTIVE->accept_redirects, 0, "a router does not believe redirects");
	cr_assert_eq(cfg->view.sysctl.ip_forward, 1);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.eth0.7.forwarding", "0", NULL), 0);
	cr_assert_eq(EFFECTIVE->forwarding, 0);
	cr_assert_eq(cfg->all.forwarding, 1);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	cr_assert_eq(EFFECTIVE->forwarding, 0, "writing what is there already does nothing");
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.all.forwarding", "0", NULL), 0);
	cr_assert_eq(cfg->view.sysctl.ip_forward, 0);
	netcfg_free(cfg);
}

struct listing {
	char     last[128];
	unsigned n, changed;
	bool     parts;
};

static int list_one(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct listing *l = arg;

	cr_assert_lt(strcmp(l->last, name), 0, "%s after %s", name, l->last);
	cr_assert_str_not_empty(value);
	cr_assert_str_not_empty(help);
	strncpy(l->last, name, sizeof(l->last) - 1);
	l->n++;
	l->changed += changed;
	if (!strcmp(name, "net.ipv4.ip_local_port_min"))
		l->parts = true;
	return 0;
}

Test(sysctl, listing_is_sorted_and_knows_what_changed)
{
	struct netcfg *cfg = netcfg_new();
	struct listing l = { .n = 0 };

	cr_assert_eq(netcfg_sysctl_foreach(cfg, list_one, &l), 0);
	cr_assert_eq(l.changed, 0);
	cr_assert_gt(l.n, sysctl_table_len);
	cr_assert_not(l.parts);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.tcp_wmem", "4096 4096 4096", NULL), 0);
	cr_assert_eq(netcfg_sysctl_set(cfg, "net.ipv4.conf.lo.arp_ignore", "1", NULL), 0);
	l = (struct listing){ .n = 0 };
	cr_assert_eq(netcfg_sysctl_foreach(cfg, list_one, &l), 0);
	cr_assert_eq(l.changed, 2);
	netcfg_free(cfg);
}
