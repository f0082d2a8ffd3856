/* SPDX-License-Identifier: MIT */
/*
 * test_state.c: a configuration's text carried out on a state, refusals with their place, and a reload: whatever ran before, afterwards it is as if only the new
 * text had ever been read, and what is in both was not touched.
 */
#include "config_file.h"
#include "record.h"
#include "state.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_text(struct conf_state *st, const char *text, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	return config_parse(st, text, strlen(text), e);
}

static void must(struct conf_state *st, const char *text)
{
	struct conf_error e;

	cr_assert_eq(conf_state_init(st, 1), 0);
	cr_assert_eq(read_text(st, text, &e), 0, "line %u column %u: %s\n%s", e.line, e.column, e.text, text);
}

/* ---- a state as text, its lists sorted ----------------------------------------------------------------------------------- */

struct dump {
	const struct conf_state *st;
	char    *line[512];
	unsigned n;
};

static void add(struct dump *d, const char *text)
{
	cr_assert_lt(d->n, 512);
	d->line[d->n++] = strdup(text);
}

static const char *dev(const struct dump *d, int ifindex)
{
	const struct link_conf *l = netcfg_link_by_index(d->st->cfg, ifindex);

	return l ? l->name : "-";
}

static int dump_link(void *arg, const struct link_conf *l)
{
	struct dump *d = arg;
	const struct conf_link *x = conf_link_find(d->st, l->name);
	char text[512], a[ADDR_TEXT];

	snprintf(text, sizeof(text), "link %s type %d flags %x mtu %u qlen %u queues %u host %s %s features %x", l->name, l->type, l->flags, l->mtu, l->txqlen,
		 l->queues, l->host_name, prefix_text(&l->host_addr, a), x ? x->dev.features : 0);
	add(d, text);
	return 0;
}

static int dump_addr(void *arg, const struct addr_conf *c)
{
	struct dump *d = arg;
	char text[256], a[ADDR_TEXT], b[ADDR_TEXT];

	snprintf(text, sizeof(text), "addr %s dev %s brd %s scope %u label %s", prefix_text(&c->local, a), dev(d, c->ifindex), addr_text(&c->broadcast, b), c->scope, c->label);
	add(d, text);
	return 0;
}

static int dump_route(void *arg, const struct route_conf *r)
{
	struct dump *d = arg;
	char text[256], a[ADDR_TEXT], b[ADDR_TEXT], c[ADDR_TEXT];

	snprintf(text, sizeof(text), "route %u %s via %s dev %s metric %u table %u mtu %u scope %u proto %u src %s", r->type, prefix_text(&r->dst, a),
		 addr_text(&r->gateway, b), dev(d, r->ifindex), r->metric, r->table, r->mtu, r->scope, r->protocol, addr_text(&r->prefsrc, c));
	add(d, text);
	return 0;
}

static int dump_neigh(void *arg, const struct neigh_conf *n)
{
	struct dump *d = arg;
	char text[256], a[ADDR_TEXT], b[ADDR_TEXT];

	snprintf(text, sizeof(text), "neigh %s %s dev %s", addr_text(&n->addr, a), lladdr_text(&n->lladdr, b), dev(d, n->ifindex));
	add(d, text);
	return 0;
}

static int dump_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	char text[256];

	(void)help;
	snprintf(text, sizeof(text), "sysctl %s=%s", name, value);
	if (changed)
		add(arg, text);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *state_text(const struct conf_state *st)
{
	struct dump d = { .st = st };
	size_t len;
	char *out;
	FILE *f = open_memstream(&out, &len);

	netcfg_link_foreach(st->cfg, dump_link, &d);
	netcfg_addr_foreach(st->cfg, 0, dump_addr, &d);
	netcfg_route_foreach(st->cfg, 0, dump_route, &d);
	netcfg_neigh_foreach(st->cfg, dump_neigh, &d);
	netcfg_sysctl_foreach(st->cfg, dump_sysctl, &d);
	for (unsigned i = 0; i < st->nservices; i++) {
		char text[64];

		snprintf(text, sizeof(text), "service %u %u %s", st->services[i].proto, st->services[i].port, st->services[i].what);
		add(&d, text);
	}
	qsort(d.line, d.n, sizeof(d.line[0]), by_text);
	for (unsigned i = 0; i < d.n; i++) {
		fprintf(f, "%s\n", d.line[i]);
		free(d.line[i]);
	}
	fprintf(f, "group %s\n", st->control_group);
	fclose(f);
	return out;
}

/* ---- refusals --------------------------------------------------------------------------------------------------------------- */

#define ETH0 "link add eth0 type tap host-name tap0\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n"

static const struct {
	const char *text;
	int         err;
	unsigned    line, column;
	const char *says;
} refused[] = {
	{ "link add eth0 type tap\nlnk set eth0 up\n", -EINVAL, 2, 1, "lnk" },
	{ "addr add 10.0.0.1/24 dev eth7\n", -ENODEV, 1, 26, "eth7" },
	{ ETH0 "link add eth0 type tap\n", -EEXIST, 4, 10, "eth0" },
	{ ETH0 "link add eth1 type tap host-name tap0\n", -EEXIST, 4, 34, "tap0" },
	{ ETH0 "route add 10.9.0.0/16 via 192.168.0.1\n", -ENETUNREACH, 4, 27, "" },
	{ ETH0 "addr add 10.0.0.2/24 dev eth0\n", -EEXIST, 4, 10, "" },
	{ "show links\n", -EINVAL, 1, 1, "configuration file" },
	{ "sysctl net.ipv4.ip_forward=7\n", -EINVAL, 1, 0, "" },
	{ "sysctl net.no.such=7\n", -ENOENT, 1, 8, "net.no.such" },
	{ "service add tcp 80 http\nservice add tcp 80 echo\n", -EEXIST, 2, 17, "http" },
	{ ETH0 "service add tcp 80 http address 10.77.0.1\n", -EADDRNOTAVAIL, 0, 0, "10.77.0.1" },
	{ ETH0 "\\\n", 0, 0, 0, "" },
	{ "", 0, 0, 0, "" },
	{ "# nothing\n\n", 0, 0, 0, "" },
};

Test(state, refusals_say_where)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct conf_state st;
		struct conf_error e;
		int err;

		cr_assert_eq(conf_state_init(&st, 1), 0);
		err = read_text(&st, refused[i].text, &e);
		cr_expect_eq(err, refused[i].err, "%s: %d %s", refused[i].text, err, e.text);
		cr_expect_eq(e.line, refused[i].line, "%s: line %u", refused[i].text, e.line);
		if (refused[i].column)
			cr_expect_eq(e.column, refused[i].column, "%s: column %u", refused[i].text, e.column);
		if (err)
			cr_expect(strstr(e.text, refused[i].says), "%s: %s", refused[i].text, e.text);
		conf_state_exit(&st);
	}
}

Test(state, unknown_group)
{
	struct conf_state st;
	struct conf_error e;

	for (int check = 0; check <= 1; check++) {
		cr_assert_eq(conf_state_init(&st, 1), 0);
		st.check_group = check;
		cr_expect_eq(read_text(&st, "\n  control group no-such-group\n", &e), check ? -ENOENT : 0);
		cr_expect_eq(e.line, check ? 2 : 0);
		cr_expect_eq(e.column, check ? 17 : 0, "column %u", e.column);
		conf_state_exit(&st);
	}
}

Test(state, all_or_nothing)
{
	struct conf_state st;
	struct conf_undo undo;
	struct conf_error e;
	char *before, *after;

	must(&st, ETH0 "route add default via 10.0.0.1\nservice add tcp 80 http\n");
	before = state_text(&st);
	cr_assert_eq(conf_begin(&st, &undo), 0);
	cr_assert_eq(read_text(&st, "link add eth1 type tap host-name t1\nlink del eth0\nservice del tcp 80\nservice add udp 7 echo\nsysctl net.ipv4.ip_forward=1\n", &e), 0, "%s", e.text);
	conf_rollback(&st, &undo);
	after = state_text(&st);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
	conf_state_exit(&st);
}

#define ROUTES "route add 10.1.0.0/16 via 10.0.0.1\nroute add 10.2.0.0/16 via 10.0.1.1\nroute add 10.3.0.0/16 via 10.0.0.1 table 100\n"

/* What is flushed is as if it had never been added, and what addresses made stays. */
Test(state, route_flush)
{
	static const struct { const char *command, *left; } flushes[] = {
		{ "route flush table main\n", "route add 10.3.0.0/16 via 10.0.0.1 table 100\n" },
		{ "route flush table all\n", "" },
		{ "route flush table local\n", ROUTES },
		{ "route flush dev eth1\n", "route add 10.1.0.0/16 via 10.0.0.1\nroute add 10.3.0.0/16 via 10.0.0.1 table 100\n" },
		{ "route flush table all dev eth0\n", "route add 10.2.0.0/16 via 10.0.1.1\n" },
	};
	static const char links[] = ETH0 "link add eth1 type tap host-name tap1\nlink set eth1 up\naddr add 10.0.1.2/24 dev eth1\n";

	for (size_t i = 0; i < sizeof(flushes) / sizeof(flushes[0]); i++) {
		struct conf_state st, want;
		char text[1024], *got, *wanted;

		snprintf(text, sizeof(text), "%s%s%s", links, ROUTES, flushes[i].command);
		must(&st, text);
		snprintf(text, sizeof(text), "%s%s", links, flushes[i].left);
		must(&want, text);
		got = state_text(&st);
		wanted = state_text(&want);
		cr_expect_str_eq(got, wanted, "%sgot:\n%s\nwanted:\n%s", flushes[i].command, got, wanted);
		free(got);
		free(wanted);
		conf_state_exit(&st);
		conf_state_exit(&want);
	}
}

/* ---- reload ------------------------------------------------------------------------------------------------------------------ */

static void follow(struct conf_state *st, const char *text)
{
	struct conf_state want;
	struct conf_error e;
	char *got, *wanted;

	must(&want, text);
	cr_assert_eq(conf_follow(st, &want, &e), 0, "%s\nwanted:\n%s", e.text, text);
	got = state_text(st);
	wanted = state_text(&want);
	cr_assert_str_eq(got, wanted, "text:\n%s\ngot:\n%s\nwanted:\n%s", text, got, wanted);
	free(got);
	free(wanted);
	conf_state_exit(&want);
}

Test(state, reload_keeps_what_is_the_same)
{
	struct conf_state st;
	struct link_conf before;

	must(&st, ETH0);
	before = *netcfg_link_by_name(st.cfg, "eth0");
	follow(&st, ETH0);
	cr_assert_eq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, before.ifindex);
	cr_assert_eq(netcfg_link_by_name(st.cfg, "eth0")->gen, before.gen, "nothing of it changed");
	follow(&st, ETH0 "link add eth1 type tap host-name t1\naddr add 10.0.1.1/24 dev eth1\n");
	cr_assert_eq(netcfg_link_by_name(st.cfg, "eth0")->gen, before.gen, "another link is no change of this one");
	cr_assert_arr_eq(&netcfg_link_by_name(st.cfg, "eth0")->addr, &before.addr, sizeof(before.addr), "a MAC address that was chosen stays");
	follow(&st, "link add eth0 type tap host-name tap0 mtu 1400\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n");
	cr_assert_eq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, before.ifindex, "another MTU is no other link");
	follow(&st, "link add eth0 type tap host-name tap0 queues 4\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n");
	cr_assert_neq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, before.ifindex, "other queues are");
	follow(&st, "link add eth0 type tap host-name tap0 vnet-hdr off\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n");
	before = *netcfg_link_by_name(st.cfg, "eth0");
	cr_expect_eq(before.features, LINK_F_NO_VNET | LINK_F_GRO, "offloads are wanted, and none can be had");
	follow(&st, "link add eth0 type tap host-name tap0 vnet-hdr off offload off\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n");
	cr_assert_eq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, before.ifindex);
	follow(&st, ETH0);
	cr_assert_neq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, before.ifindex, "one with vnet headers is another");
	follow(&st, "");
	cr_assert_eq(st.nlinks, 0);
	conf_state_exit(&st);
}

/* Another name is no other link: by a command, and in a reload, where the end on the host tells that it is the same. */
Test(state, renaming)
{
	static const struct { const char *line, *word; int err; } bad[] = {
		{ "link set lo name l0", "l0", -EOPNOTSUPP }, { "link set eth0 name t0", "t0", -EEXIST }, { "link set eth0 name all", "all", -EINVAL },
		{ "link set lo mode dormant", "dormant", -EOPNOTSUPP }, { "link set eth0 state dormant", "dormant", -EINVAL },
	};
	struct conf_state st;
	struct conf_error e;
	int ifindex;

	must(&st, ETH0 "link add t0 type dummy\naddr add 10.0.7.1/24 dev eth0 label eth0:7\naddr add 10.0.8.1/24 dev eth0 label other\nlink set eth0 name lan0 mtu 1400\n");
	cr_expect_null(netcfg_link_by_name(st.cfg, "eth0"));
	cr_expect_not_null(conf_link_find(&st, "lan0"));
	cr_expect_eq(netcfg_link_by_name(st.cfg, "lan0")->mtu, 1400u);
	ifindex = netcfg_link_by_name(st.cfg, "lan0")->ifindex;
	follow(&st, ETH0 "addr add 10.0.7.1/24 dev eth0 label eth0:7\n");
	cr_expect_eq(netcfg_link_by_name(st.cfg, "eth0")->ifindex, ifindex, "renamed back");
	follow(&st, ETH0 "link set eth0 name wan\nlink add eth0 type tap host-name other\n");
	cr_expect_eq(netcfg_link_by_name(st.cfg, "wan")->ifindex, ifindex, "its name is another's now");
	conf_state_exit(&st);
	must(&st, "link add eth0 type tap host-name t0\nlink add eth1 type tap host-name t1\nlink add eth2 type tap host-name t2\n");
	ifindex = netcfg_link_by_name(st.cfg, "eth0")->ifindex;
	follow(&st, "link add eth1 type tap host-name t0\nlink add eth2 type tap host-name t1\nlink add eth3 type tap host-name t2\n");
	cr_expect_eq(netcfg_link_by_name(st.cfg, "eth1")->ifindex, ifindex, "each has the name that the next one had");
	conf_state_exit(&st);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		must(&st, ETH0 "link add t0 type dummy\n");
		cr_expect_eq(config_parse(&st, bad[i].line, strlen(bad[i].line), &e), bad[i].err, "%s: %s", bad[i].line, e.text);
		cr_expect_str_eq(e.word, bad[i].word, "%s: %s", bad[i].line, e.word);
		conf_state_exit(&st);
	}
}

/* A name on the host that one link gives up and another takes in the same reload. */
Test(state, host_names_change_hands)
{
	struct conf_state st;
	int ifindex;

	must(&st, "netns add red\nlink add eth0 type tap host-name t0\nlink add eth1 type tap host-name t1\nlink add eth2 type tap host-name t2\n");
	ifindex = netcfg_link_by_name(st.cfg, "eth2")->ifindex;
	follow(&st, "netns add red\nlink add eth0 type tap host-name t1\nlink add eth1 type tap host-name t0\nlink add eth2 type tap host-name t2\n");
	cr_expect_eq(netcfg_link_by_name(st.cfg, "eth2")->ifindex, ifindex, "who has no part in it goes on");
	follow(&st, "netns add red\nlink add new type tap host-name t0\nlink add eth0 type tap host-name t1\nlink add eth1 type tap host-name t3\nlink add eth2 type tap host-name t2\n");
	follow(&st, "netns add red\n-n red link add eth5 type tap host-name t1\nlink add new type tap host-name t0\nlink add eth0 type tap host-name t4\n");
	conf_state_exit(&st);
}

/* Words of steering: what they become, which are refused and at which column; another mask is no other link. */
Test(state, steering_words)
{
	static const struct { const char *words, *culprit; } bad[] = {
		{ "rps-cpus x", "x" }, { "rps-cpus 10000000000000000", "10000000000000000" }, { "rps-cpus ,1", ",1" }, { "rss-indir 0,,1", "0,,1" }, { "rss-indir 64", "64" },
		{ "rss-indir 1,", "1," }, { "rss-key default", "default" }, { "rss-indir 1 rss-key 00:11", "00:11" },
	};
	struct conf_state st;
	const struct link_conf *link;
	int ifindex;

	must(&st, ETH0 "link set eth0 rps-cpus 0x1,00000003 rps-flow-cnt 512\n");
	link = netcfg_link_by_name(st.cfg, "eth0");
	ifindex = link->ifindex;
	cr_expect(link->rps_set && link->rps_cpus == 0x100000003u && link->rps_flow_cnt == 512);
	follow(&st, ETH0 "link set eth0 rss-indir 3,1\n");
	link = netcfg_link_by_name(st.cfg, "eth0");
	cr_expect_eq(link->ifindex, ifindex);
	cr_expect(!link->rps_set && !link->rps_flow_cnt && link->rss.set && link->rss.indir[0] == 3 && link->rss.indir[127] == 1);
	cr_expect_arr_eq(link->rss.key, rss_default_key, RSS_KEY_LEN);
	follow(&st, ETH0 "link set eth0 rps-cpus auto rss-indir none\n");
	link = netcfg_link_by_name(st.cfg, "eth0");
	cr_expect(!link->rps_set && !link->rss.set);
	conf_state_exit(&st);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct conf_error e;
		char text[512];

		snprintf(text, sizeof(text), ETH0 "link set eth0 %s\n", bad[i].words);
		cr_assert_eq(conf_state_init(&st, 2), 0);
		cr_expect_eq(config_parse(&st, text, strlen(text), &e), -EINVAL, "%s", bad[i].words);
		cr_expect_str_eq(e.word, bad[i].culprit, "%s: %s", bad[i].words, e.text);
		cr_expect_eq(e.line, 4u);
		conf_state_exit(&st);
	}
}

/* What is taken and has no effect with so many workers and CPUs is said, once, with the line in a file. */
static unsigned warned_line;
static void note_line(void *arg, unsigned line, const char *text)
{
	(void)arg;
	(void)text;
	warned_line = line;
}

Test(state, warnings)
{
	static const struct { const char *words, *warning; } rows[] = {
		{ "set eth0 rps-cpus 3", "" }, { "set eth0 rps-cpus auto", "" }, { "set eth0 rss-indir 0,1", "" }, { "set eth0 irq-affinity 0-2", "" }, { "set eth0 up", "" },
		{ "set eth0 rps-cpus f", "there are 2 workers: rps-cpus f counts as 3" },
		{ "set eth0 rps-cpus 4 rss-indir 0,3", "there are 2 workers: rps-cpus 4 counts as 0; there are 2 workers: 3 in rss-indir counts as 1" },
		{ "set eth0 irq-affinity 1-3", "the CPUs of this machine are 0 to 2: irq-affinity 1-3 has the effect of those that are there" },
		{ "set eth0 irq-affinity 7", "the CPUs of this machine are 0 to 2: irq-affinity 7 has no effect" },
		{ "set eth0 mtu 1400", "" }, /* what was warned of before is over */
		{ "add t1 type tap host-name t1 queues 2", "" }, { "add t4 type tap host-name t4 queues 4", "2 of 4 queues are used: there is one for each worker" },
	};
	struct conf_state st;
	struct conf_error e;
	char text[256];

	must(&st, ETH0);
	st.queues = 2;
	st.cpus = 3;
	st.warn = note_line;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "\nlink %s\n", rows[i].words);
		warned_line = 0;
		cr_assert_eq(config_parse(&st, text, strlen(text), &e), 0, "%s: %s", rows[i].words, e.text);
		cr_expect_str_eq(st.warning, rows[i].warning, "%s: %s", rows[i].words, st.warning);
		cr_expect_eq(warned_line, rows[i].warning[0] ? 2u : 0u);
	}
	conf_state_exit(&st);
	/* The CPUs that are there are taken in turn. */
	must(&st, ETH0 "link set eth0 irq-affinity 1-3,7\n");
	cr_expect_eq(link_dev_cpu(&st.links[0].dev, 2, 0), 4u);
	cr_expect_eq(link_dev_cpu(&st.links[0].dev, 2, 3), 2u);
	cr_expect_eq(link_dev_cpu(&st.links[0].dev, 1, 3), 3u);
	cr_expect_eq(link_dev_cpu(&st.links[0].dev, 0, 1), 0u, "none of them is there: any");
	conf_state_exit(&st);
}

Test(state, random_reloads)
{
	static const char *const optional[] = {
		"sysctl net.ipv4.ip_forward=1\n", "sysctl net.core.netdev_budget=77\n",
		"addr add 10.0.0.3/24 dev eth0\n", "addr add 10.0.5.1/16 dev eth0\n", "addr add 10.0.0.4/32 dev eth0\n",
		"route add default via 10.0.0.1\n", "route add default via 10.0.0.9 metric 50\n", "route add 10.8.0.0/16 via 10.0.0.7 dev eth0 metric 100\n",
		"route add 10.8.1.0/24 dev eth0\n", "route add blackhole 10.66.0.0/16\n", "route add unreachable 10.67.0.0/16 metric 9\n",
		"route add 10.9.0.0/16 via 10.0.0.8 table 100\n", "route add 10.10.0.0/16 via 10.0.0.8 mtu 1300\n",
		"neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0\n", "neigh add 10.0.0.10 lladdr 02:00:00:00:00:0a dev eth0\n",
		"service add tcp 80 http\n", "service add udp 7 echo\n", "service add tcp 7 echo\n",
		"link add eth1 type tap host-name t1 mtu 9000\nlink set eth1 up\naddr add 192.168.1.1/24 dev eth1\nroute add 172.16.0.0/12 via 192.168.1.7\n",
		"link add eth2 type tap host-name t2 host-addr 10.3.0.1/24\n", "control group adm\n",
	};
	static const char *const first[] = { ETH0, ETH0, "link add eth0 type tap host-name other txqueuelen 50\nlink set eth0 up promisc on\naddr add 10.0.0.2/24 dev eth0\n",
					     "link add eth0 type tap host-name tap0 queues 2\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\n" };
	unsigned seed = 4711;
	struct conf_state st;

	cr_assert_eq(conf_state_init(&st, 1), 0);
	for (unsigned round = 0; round < 300; round++) {
		char text[8192];

		strcpy(text, first[(unsigned)rand_r(&seed) % 4]);
		for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
			if (rand_r(&seed) >> 4 & 1)
				strcat(text, optional[i]);
		follow(&st, text);
	}
	conf_state_exit(&st);
}

/* ---- what is said of it --------------------------------------------------------------------------------------------------- */

Test(record, text_that_is_no_utf8_is_not_lost)
{
	static const struct {
		const char *text, *want;
	} texts[] = {
		{ "", "" }, { "plain", "plain" }, { "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "map wire: \"\xffmax\" is not supported", "map wire: \"?max\" is not supported" },
		{ "cut within a letter: caf\xc3", "cut within a letter: caf?" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *r = json_object();
		const char *got;

		set_text(r, "error", texts[i].text);
		got = json_string_value(json_object_get(r, "error"));
		cr_expect(got && strcmp(got, texts[i].want) == 0, "%s: %s", texts[i].want, got ? got : "nothing");
		json_decref(r);
	}
}
