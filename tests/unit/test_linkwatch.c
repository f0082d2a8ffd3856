/* SPDX-License-Identifier: MIT */
/*
 * test_linkwatch.c: linkwatch as tables of time, what happens, and what subscribers are told.
 *
 * in: commands, separated by ';': add NAME TYPE | veth NAME NAME | vlan NAME NAME | del NAME | up NAME | down NAME | on NAME | off NAME | dormant+ NAME | dormant- NAME |
 *     both NAME (a TAP, added and up in one go) | testing+ NAME | testing- NAME | detach NAME | attach NAME | mtu NAME N | mac NAME | promisc NAME |
 *     master NAME NAME | name NAME NAME |
 *     mode NAME N | state NAME N | - (time passes)
 * After them what is due is run. out: events as NAME:EVENT:STATE, "!" behind when the queue is active; then "@MS" for the next deadline if there is one.
 */
#include "../../stack/list.h"
#include "../../stack/netcfg_priv.h"
#include <netstack/linkwatch.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct step {
	long        ms;
	const char *in, *out;
};

struct bench {
	struct netcfg         *cfg;
	struct linkwatch      *lw;
	struct netdev_notifier nb;
	char                   out[2048];
};

static void say(struct bench *b, const char *fmt, ...)
{
	size_t n = strlen(b->out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->out + n, sizeof(b->out) - n, fmt, ap);
	va_end(ap);
}

static void heard(struct netdev_notifier *nb, enum netdev_event event, const struct netdev_state *dev, uint32_t change)
{
	struct bench *b = container_of(nb, struct bench, nb);

	(void)change;
	if (strcmp(dev->conf.name, "lo") != 0)
		say(b, "%s%s:%s:%s%s", b->out[0] ? " " : "", dev->conf.name, netdev_event_name(event) + strlen("NETDEV_"),
		    netdev_operstate_name(netdev_operstate(dev)), dev->qdisc_active ? "!" : "");
}

static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->cfg = netcfg_new();
	b->lw = linkwatch_new(b->cfg);
	cr_assert_not_null(b->lw);
	b->nb.call = heard;
	linkwatch_subscribe(b->lw, &b->nb);
	cr_assert_eq(linkwatch_follow(b->lw, 0), 0);
}

static void bench_exit(struct bench *b)
{
	linkwatch_unsubscribe(b->lw, &b->nb);
	linkwatch_free(b->lw);
	netcfg_free(b->cfg);
}

static enum link_type type_of(const char *word)
{
	static const char *const words[] = { [LINK_TAP] = "tap", [LINK_VIRTUAL] = "virtual", [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth",
					     [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i] && strcmp(words[i], word) == 0)
			return (enum link_type)i;
	cr_assert_fail("%s", word);
	return LINK_TAP;
}

/* Into the configuration as it is kept: what netcfg lets in is not the question here. */
static struct link_conf *link_named(struct bench *b, const char *name)
{
	for (unsigned i = 0; i < b->cfg->view.nlinks; i++)
		if (strcmp(b->cfg->links[i].conf.name, name) == 0) {
			cfg_touch_link(b->cfg, i);
			return &b->cfg->links[i].conf;
		}
	cr_assert_fail("no link %s", name);
	return NULL;
}

static void set_up(struct bench *b, int ifindex, bool up)
{
	struct link_conf conf = *netcfg_link_by_index(b->cfg, ifindex);

	conf.flags = (conf.flags & ~NS_IFF_UP) | (up ? NS_IFF_UP : 0);
	cr_assert_eq(netcfg_link_set(b->cfg, &conf, NULL), 0);
}

static void set_master(struct bench *b, int ifindex, int master)
{
	struct link_conf conf = *netcfg_link_by_index(b->cfg, ifindex);

	conf.master = master;
	cr_assert_eq(netcfg_link_set(b->cfg, &conf, NULL), 0);
}

static void do_word(struct bench *b, char *text, ktime_t now)
{
	char *w[6] = { NULL }, *save = NULL;
	struct link_conf conf = { .flags = 0 };
	const struct link_conf *link;
	int ifindex = 0, n = 0, r = 0;

	for (char *p = strtok_r(text, " ", &save); p && n < 6; p = strtok_r(NULL, " ", &save))
		w[n++] = p;
	if (strcmp(w[0], "-") == 0)
		return;
	if (strcmp(w[0], "add") == 0) {
		conf.type = type_of(w[2]);
		strcpy(conf.name, w[1]);
		cr_assert_eq(netcfg_link_add(b->cfg, &conf, 1, &ifindex, NULL), 0);
	} else if (strcmp(w[0], "vlan") == 0) {
		conf = (struct link_conf){ .type = LINK_VLAN, .vlan_proto = 0x8100, .vlan_id = 5, .link = netcfg_link_by_name(b->cfg, w[2])->ifindex };
		strcpy(conf.name, w[1]);
		cr_assert_eq(netcfg_link_add(b->cfg, &conf, 1, &ifindex, NULL), 0);
	} else if (strcmp(w[0], "both") == 0) { /* added and up in one go */
		strcpy(conf.name, w[1]);
		conf.type = LINK_TAP;
		conf.flags = NS_IFF_UP;
		cr_assert_eq(netcfg_link_add(b->cfg, &conf, 1, &ifindex, NULL), 0);
	} else if (strcmp(w[0], "veth") != 0) {
		link = netcfg_link_by_name(b->cfg, w[1]);
		cr_assert_not_null(link, "%s", w[1]);
		ifindex = link->ifindex;
	}
	if (strcmp(w[0], "del") == 0)
		cr_assert_eq(netcfg_link_del(b->cfg, ifindex, NULL), 0);
	else if (strcmp(w[0], "up") == 0)
		set_up(b, ifindex, true);
	else if (strcmp(w[0], "down") == 0)
		set_up(b, ifindex, false);
	else if (strcmp(w[0], "promisc") == 0)
		link_named(b, w[1])->flags ^= NS_IFF_PROMISC;
	else if (strcmp(w[0], "mtu") == 0)
		link_named(b, w[1])->mtu = (uint32_t)atoi(w[2]);
	else if (strcmp(w[0], "mac") == 0)
		link_named(b, w[1])->addr.b[5]++;
	else if (strcmp(w[0], "master") == 0)
		set_master(b, ifindex, netcfg_link_by_name(b->cfg, w[2])->ifindex);
	else if (strcmp(w[0], "name") == 0)
		cr_assert_eq(netcfg_link_rename(b->cfg, ifindex, w[2], NULL), 0);
	if (strcmp(w[0], "veth") == 0) {
		struct link_conf peer = { .flags = 0 };

		strcpy(conf.name, w[1]);
		strcpy(peer.name, w[2]);
		cr_assert_eq(netcfg_veth_add(b->cfg, &conf, &peer, 1, NULL, NULL, NULL), 0);
	}
	cr_assert_eq(linkwatch_follow(b->lw, now), 0);
	if (strcmp(w[0], "on") == 0)
		netif_carrier_on(b->lw, ifindex, now);
	else if (strcmp(w[0], "off") == 0)
		netif_carrier_off(b->lw, ifindex, now);
	else if (strcmp(w[0], "dormant+") == 0)
		netif_dormant_on(b->lw, ifindex, now);
	else if (strcmp(w[0], "dormant-") == 0)
		netif_dormant_off(b->lw, ifindex, now);
	else if (strcmp(w[0], "testing+") == 0)
		netif_testing_on(b->lw, ifindex, now);
	else if (strcmp(w[0], "testing-") == 0)
		netif_testing_off(b->lw, ifindex, now);
	else if (strcmp(w[0], "detach") == 0)
		netif_device_detach(b->lw, ifindex, now);
	else if (strcmp(w[0], "attach") == 0)
		netif_device_attach(b->lw, ifindex, now);
	else if (strcmp(w[0], "mode") == 0)
		r = linkwatch_set_mode(b->lw, ifindex, (uint8_t)atoi(w[2]), now);
	else if (strcmp(w[0], "state") == 0)
		r = linkwatch_set_operstate(b->lw, ifindex, (uint8_t)atoi(w[2]), now);
	if (r)
		say(b, "%s%d", b->out[0] ? " " : "", r);
	linkwatch_transfer(b->lw, now);
}

static int same_carrier(void *arg, const struct netdev_state *dev)
{
	struct bench *b = arg;
	const struct link_conf *conf = netcfg_link_by_index(b->cfg, dev->conf.ifindex);

	cr_expect_eq(conf->gen >= dev->conf.gen, true);
	if (conf->flags & NS_IFF_UP) /* what shards obey */
		cr_expect_eq(conf->carrier != 0, dev->qdisc_active, "%s", conf->name);
	cr_expect(!dev->qdisc_active || (dev->conf.flags & NS_IFF_UP));
	return 0;
}

static void play(const char *name, const struct step *steps, size_t n)
{
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < n; i++) {
		ktime_t now = steps[i].ms * NSEC_PER_MSEC, next;
		char in[512], *save = NULL;

		b.out[0] = '\0';
		snprintf(in, sizeof(in), "%s", steps[i].in);
		for (char *p = strtok_r(in, ";", &save); p; p = strtok_r(NULL, ";", &save))
			do_word(&b, p, now);
		linkwatch_run(b.lw, now);
		next = linkwatch_deadline(b.lw);
		if (next != KTIME_MAX)
			say(&b, "%s@%ld", b.out[0] ? " " : "", (long)(next / NSEC_PER_MSEC));
		cr_expect_str_eq(b.out, steps[i].out, "%s, step %zu, %ld ms, %s:\n  told  %s\n  not   %s", name, i, steps[i].ms, steps[i].in, b.out, steps[i].out);
		linkwatch_foreach(b.lw, 0, same_carrier, &b);
		cr_assert_not_null(netcfg_commit(b.cfg));
	}
	bench_exit(&b);
}
#define PLAY(name, ...) \
	Test(linkwatch, name) \
	{ \
		static const struct step steps[] = { __VA_ARGS__ }; \
		play(#name, steps, sizeof(steps) / sizeof(steps[0])); \
	}

PLAY(life_of_a_device,
     { 0, "add eth0 tap", "eth0:REGISTER:DOWN" },
     { 10, "on eth0", "" }, /* an event, but nobody is told: the device is down */
     { 20, "up eth0", "eth0:UP:UP!" },
     { 30, "mtu eth0 1400", "eth0:CHANGEMTU:UP!" },
     { 40, "mac eth0", "eth0:CHANGEADDR:UP!" },
     { 45, "name eth0 wan", "wan:CHANGENAME:UP!" },
     { 50, "promisc wan", "wan:CHANGE:UP!" },
     { 60, "down wan", "wan:GOING_DOWN:UP! wan:DOWN:DOWN" },
     { 65, "promisc wan", "wan:CHANGEINFO:DOWN" },
     { 70, "up wan", "wan:UP:UP!" },
     { 80, "del wan", "wan:GOING_DOWN:UP! wan:DOWN:DOWN wan:UNREGISTER:DOWN" })

PLAY(added_and_up_in_one_go,
     { 0, "both eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" })

PLAY(loopback_dummy_virtual_are_unknown_and_work,
     { 0, "add d0 dummy;up d0", "d0:REGISTER:DOWN d0:UP:UNKNOWN!" },
     { 1, "add v0 virtual;up v0;down v0", "v0:REGISTER:DOWN v0:UP:UNKNOWN! v0:GOING_DOWN:UNKNOWN! v0:DOWN:DOWN" })

/* The first loss after a quiet second is told at once, what follows waits for the second to pass; a carrier that comes back to a queue that is off is urgent. */
PLAY(one_run_a_second_urgent_at_once,
     { 0, "add eth0 tap;up eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" },
     { 5000, "off eth0", "eth0:CHANGE:DOWN" },
     { 5100, "on eth0", "eth0:CHANGE:UP!" },
     { 5200, "off eth0", "@6000" },
     { 5300, "on eth0", "@6000" }, /* pending still, and the queue is still on: nothing is urgent */
     { 5400, "off eth0", "@6000" },
     { 5999, "-", "@6000" },
     { 6000, "-", "eth0:CHANGE:DOWN" },
     { 6001, "on eth0", "eth0:CHANGE:UP!" },
     { 6002, "on eth0", "" },
     { 6100, "off eth0;on eth0", "@7000" },
     { 7000, "-", "eth0:CHANGE:UP!" }, /* one event for all of it */
     { 9000, "-", "" })

/* An urgent event runs early for itself only. */
PLAY(urgent_run_leaves_the_others_waiting,
     { 0, "both a;both b;on a;on b", "a:REGISTER:DOWN a:UP:DOWN b:REGISTER:DOWN b:UP:DOWN a:CHANGE:UP! b:CHANGE:UP!" },
     { 2000, "off a", "a:CHANGE:DOWN" },
     { 2100, "off b", "@3000" },
     { 2200, "on a", "a:CHANGE:UP! @3000" },
     { 3000, "-", "b:CHANGE:DOWN" })

PLAY(down_devices_are_not_told_of,
     { 0, "add eth0 tap;on eth0", "eth0:REGISTER:DOWN" },
     { 2000, "off eth0", "" },
     { 2100, "on eth0", "@3000" },
     { 2200, "up eth0", "eth0:UP:DOWN! @3000" }, /* its event is still waiting */
     { 3000, "-", "eth0:CHANGE:UP!" })

PLAY(dormant,
     { 0, "both eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" },
     { 2000, "dormant+ eth0", "eth0:CHANGE:DORMANT!" },
     { 4000, "off eth0", "eth0:CHANGE:DOWN" },
     { 6000, "on eth0", "eth0:CHANGE:DORMANT!" },
     { 8000, "dormant- eth0", "eth0:CHANGE:UP!" },
     { 10000, "testing+ eth0", "eth0:CHANGE:TESTING!" },
     { 12000, "testing- eth0", "eth0:CHANGE:UP!" })

/* 802.1X: the carrier alone does not make it UP; the supplicant does. */
PLAY(link_mode_dormant,
     { 0, "add eth0 tap;up eth0;mode eth0 1", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:DOWN" },
     { 1000, "state eth0 6", "" }, /* without a carrier */
     { 2000, "on eth0", "eth0:CHANGE:DORMANT!" },
     { 2500, "state eth0 6", "eth0:CHANGE:UP!" },
     { 2600, "state eth0 5", "eth0:CHANGE:DORMANT!" },
     { 2700, "state eth0 6;state eth0 4", "eth0:CHANGE:UP! eth0:CHANGE:TESTING!" },
     { 2800, "state eth0 5", "" }, /* from TESTING there is no way to DORMANT */
     { 2900, "state eth0 2;state eth0 99;mode eth0 7", "-22 -22 -22" },
     { 4000, "off eth0", "eth0:CHANGE:DOWN" },
     { 6000, "mode eth0 0;on eth0", "eth0:CHANGE:DOWN eth0:CHANGE:UP!" })

/* A link that has to pass a test first; and nobody gets it up by hand while it is dormant or tested. */
PLAY(link_mode_testing,
     { 0, "add eth0 tap;up eth0;mode eth0 2", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:DOWN" },
     { 2000, "on eth0", "eth0:CHANGE:TESTING!" },
     { 2500, "state eth0 6", "eth0:CHANGE:UP!" },
     { 4000, "dormant+ eth0", "eth0:CHANGE:DORMANT!" },
     { 4500, "state eth0 6", "" },
     { 6000, "dormant- eth0;testing+ eth0", "eth0:CHANGE:TESTING!" },
     { 6500, "state eth0 6", "" })

/* What goes while its event waits takes it along. */
PLAY(gone_while_its_event_waits,
     { 0, "both eth0;on eth0;both eth1;on eth1", "eth0:REGISTER:DOWN eth0:UP:DOWN eth1:REGISTER:DOWN eth1:UP:DOWN eth0:CHANGE:UP! eth1:CHANGE:UP!" },
     { 100, "off eth0;off eth1", "@1000" },
     { 200, "del eth0", "eth0:GOING_DOWN:UP! eth0:DOWN:DOWN eth0:UNREGISTER:DOWN @1000" },
     { 1000, "-", "eth1:CHANGE:DOWN" })

PLAY(device_gone_and_back,
     { 0, "both eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" },
     { 2000, "detach eth0", "eth0:CHANGE:NOTPRESENT" },
     { 2100, "down eth0", "eth0:GOING_DOWN:NOTPRESENT eth0:DOWN:NOTPRESENT" },
     { 2200, "up eth0", "eth0:UP:NOTPRESENT" },
     { 2300, "attach eth0;on eth0", "eth0:CHANGE:UP!" },
     { 2400, "off eth0;on eth0", "@3000" },
     { 2500, "detach eth0", "eth0:CHANGE:NOTPRESENT" }, /* does not wait: what was learned over it must go */
     { 2600, "attach eth0;on eth0", "eth0:CHANGE:UP!" })

PLAY(veth_ends_are_each_others_cable,
     { 0, "veth a b", "a:REGISTER:DOWN b:REGISTER:DOWN" },
     { 10, "up a", "a:UP:LOWERLAYERDOWN" },
     { 20, "up b", "b:UP:LOWERLAYERDOWN a:CHANGE:UP! b:CHANGE:UP!" },
     { 2000, "down a", "a:GOING_DOWN:UP! a:DOWN:DOWN b:CHANGE:LOWERLAYERDOWN" },
     { 2100, "up a", "a:UP:LOWERLAYERDOWN a:CHANGE:UP! b:CHANGE:UP!" }, /* urgent: they stand on each other */
     { 3500, "del a", "b:GOING_DOWN:UP! b:DOWN:DOWN b:UNREGISTER:DOWN a:GOING_DOWN:UP! a:DOWN:DOWN a:UNREGISTER:DOWN" })

PLAY(vlan_follows_what_it_stands_on,
     { 0, "both eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN" },
     { 10, "vlan v5 eth0;up v5", "v5:REGISTER:DOWN v5:UP:LOWERLAYERDOWN" },
     { 20, "on eth0", "eth0:CHANGE:UP! v5:CHANGE:UP!" },
     { 2000, "off eth0", "eth0:CHANGE:DOWN v5:CHANGE:LOWERLAYERDOWN" },
     { 4000, "on eth0", "eth0:CHANGE:UP! v5:CHANGE:UP!" },
     { 6000, "dormant+ eth0", "eth0:CHANGE:DORMANT! v5:CHANGE:DORMANT!" },
     { 8000, "dormant- eth0", "eth0:CHANGE:UP! v5:CHANGE:UP!" })

/* What it came to have while it was down waits, until it is up. */
PLAY(vlan_comes_up_at_once,
     { 0, "both eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" },
     { 100, "vlan v5 eth0", "v5:REGISTER:DOWN @1000" },
     { 200, "up v5", "v5:UP:DOWN! v5:CHANGE:UP!" })

/* QinQ: the news goes up through all of them in one go. */
PLAY(vlan_on_vlan,
     { 0, "both eth0;vlan s eth0;vlan c s;up s;up c",
       "eth0:REGISTER:DOWN eth0:UP:DOWN s:REGISTER:DOWN c:REGISTER:DOWN s:UP:LOWERLAYERDOWN c:UP:LOWERLAYERDOWN" },
     { 10, "on eth0", "eth0:CHANGE:UP! s:CHANGE:UP! c:CHANGE:UP!" },
     { 3000, "testing+ eth0", "eth0:CHANGE:TESTING! s:CHANGE:TESTING! c:CHANGE:TESTING!" })

PLAY(bridge_has_the_carrier_of_its_ports,
     { 0, "add br bridge;up br", "br:REGISTER:DOWN br:UP:DOWN" },
     { 10, "both eth0;master eth0 br", "eth0:REGISTER:DOWN eth0:UP:DOWN br:CHANGEADDR:DOWN eth0:CHANGEINFO:DOWN" },
     { 20, "on eth0", "eth0:CHANGE:UP! br:CHANGE:UP!" },
     { 4000, "off eth0", "eth0:CHANGE:DOWN br:CHANGE:DOWN" })

PLAY(what_is_deleted_is_not_told_of_later,
     { 0, "both eth0;on eth0", "eth0:REGISTER:DOWN eth0:UP:DOWN eth0:CHANGE:UP!" },
     { 100, "off eth0", "@1000" },
     { 200, "del eth0", "eth0:GOING_DOWN:UP! eth0:DOWN:DOWN eth0:UNREGISTER:DOWN @1000" },
     { 1000, "-", "" })

Test(linkwatch, counters_count_changes_not_calls)
{
	struct link_conf conf = { .type = LINK_TAP, .name = "eth0", .flags = NS_IFF_UP };
	const struct netdev_state *dev;
	struct bench b;
	int ifindex;

	bench_init(&b);
	cr_assert_eq(netcfg_link_add(b.cfg, &conf, 1, &ifindex, NULL), 0);
	cr_assert_eq(linkwatch_follow(b.lw, 0), 0);
	for (unsigned i = 0; i < 5; i++) {
		netif_carrier_on(b.lw, ifindex, i);
		netif_carrier_on(b.lw, ifindex, i);
		netif_carrier_off(b.lw, ifindex, i);
		netif_carrier_off(b.lw, ifindex, i);
	}
	netif_carrier_on(b.lw, ifindex, 9);
	netif_carrier_on(b.lw, ifindex + 1, 9);
	dev = linkwatch_dev(b.lw, ifindex);
	cr_assert_not_null(dev);
	cr_expect_eq(dev->carrier_up_count, 6);
	cr_expect_eq(dev->carrier_down_count, 5);
	cr_expect_null(linkwatch_dev(b.lw, ifindex + 1));
	bench_exit(&b);
}

/* The list of devices and their names have a generation; what they do has not. */
Test(linkwatch, generation_of_the_list)
{
	static const struct { const char *in; bool changes; } rows[] = {
		{ "add eth0 tap", true }, { "up eth0", false }, { "on eth0", false }, { "name eth0 wan", true }, { "mtu wan 1400", false }, { "off wan", false }, { "del wan", true },
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = linkwatch_generation(b.lw);
		char in[64];

		snprintf(in, sizeof(in), "%s", rows[i].in);
		do_word(&b, in, (ktime_t)i * NSEC_PER_SEC);
		linkwatch_run(b.lw, (ktime_t)i * NSEC_PER_SEC);
		cr_expect_eq(linkwatch_generation(b.lw) != before, rows[i].changes, "%s", rows[i].in);
	}
	bench_exit(&b);
}

Test(linkwatch, flags_and_state_as_ip_prints_them)
{
	struct netdev_state s = { .conf.flags = NS_IFF_UP | NS_IFF_BROADCAST, .present = true, .carrier = true, .operstate = OPER_UP };

	cr_expect_eq(netdev_flags(&s), NS_IFF_UP | NS_IFF_BROADCAST | NS_IFF_RUNNING | NS_IFF_LOWER_UP);
	s.operstate = OPER_DORMANT;
	s.dormant = true;
	cr_expect_eq(netdev_flags(&s), NS_IFF_UP | NS_IFF_BROADCAST | NS_IFF_LOWER_UP | NS_IFF_DORMANT);
	s.carrier = s.dormant = false;
	s.operstate = OPER_LOWERLAYERDOWN;
	cr_expect_eq(netdev_flags(&s), NS_IFF_UP | NS_IFF_BROADCAST);
	s.conf.flags = 0;
	s.operstate = OPER_UP;
	cr_expect_eq(netdev_operstate(&s), OPER_DOWN);
	cr_expect_eq(netdev_flags(&s), 0);
	s.present = false;
	cr_expect_str_eq(netdev_operstate_name(netdev_operstate(&s)), "NOTPRESENT");
	cr_expect_str_eq(netdev_operstate_name(200), "?");
	cr_expect_str_eq(netdev_event_name(NETDEV_EVENT_MAX), "?");
}

/* More than a run takes: the rest waits for the next one, and none is forgotten or told twice. */
Test(linkwatch, many_devices)
{
	enum { N = 250 };
	struct bench b;
	int ifindex[N];
	unsigned up = 0;

	bench_init(&b);
	linkwatch_unsubscribe(b.lw, &b.nb);
	for (int i = 0; i < N; i++) {
		struct link_conf conf = { .type = LINK_TAP, .flags = NS_IFF_UP };

		snprintf(conf.name, sizeof(conf.name), "eth%d", i);
		cr_assert_eq(netcfg_link_add(b.cfg, &conf, 1, &ifindex[i], NULL), 0);
	}
	cr_assert_eq(linkwatch_follow(b.lw, 0), 0);
	for (int i = 0; i < N; i++)
		netif_carrier_on(b.lw, ifindex[i], 0);
	for (unsigned round = 1; round <= 3; round++) {
		linkwatch_run(b.lw, (ktime_t)(round - 1) * NSEC_PER_SEC);
		up = 0;
		for (int i = 0; i < N; i++)
			up += linkwatch_dev(b.lw, ifindex[i])->qdisc_active;
		cr_expect_eq(up, round < 3 ? 100 * round : N, "round %u: %u", round, up);
	}
	cr_expect_eq(linkwatch_deadline(b.lw), KTIME_MAX);
	bench_exit(&b);
}

/* A subscriber that comes late is told what is there. */
Test(linkwatch, late_subscriber)
{
	struct link_conf conf = { .type = LINK_TAP, .name = "eth0", .flags = NS_IFF_UP };
	struct bench b;
	int ifindex;

	bench_init(&b);
	linkwatch_unsubscribe(b.lw, &b.nb);
	cr_assert_eq(netcfg_link_add(b.cfg, &conf, 1, &ifindex, NULL), 0);
	cr_assert_eq(linkwatch_follow(b.lw, 0), 0);
	cr_expect_str_eq(b.out, "");
	linkwatch_subscribe(b.lw, &b.nb);
	cr_expect_str_eq(b.out, "eth0:REGISTER:DOWN eth0:UP:DOWN");
	bench_exit(&b);
}

/* A change that is taken back after all (no memory to publish it): following again leads back. */
Test(linkwatch, rollback)
{
	struct link_conf conf = { .type = LINK_TAP, .name = "eth0", .flags = NS_IFF_UP };
	struct bench b;
	int ifindex;

	bench_init(&b);
	cr_assert_eq(netcfg_begin(b.cfg), 0);
	cr_assert_eq(netcfg_link_add(b.cfg, &conf, 1, &ifindex, NULL), 0);
	cr_assert_eq(linkwatch_follow(b.lw, 0), 0);
	netif_carrier_on(b.lw, ifindex, 0);
	netcfg_rollback(b.cfg);
	b.out[0] = '\0';
	cr_assert_eq(linkwatch_follow(b.lw, 0), 0);
	cr_expect_str_eq(b.out, "eth0:GOING_DOWN:DOWN eth0:DOWN:DOWN eth0:UNREGISTER:DOWN");
	linkwatch_run(b.lw, 0);
	cr_expect_null(linkwatch_dev(b.lw, ifindex));
	bench_exit(&b);
}
