/* SPDX-License-Identifier: MIT */
/*
 * test_bridge.c: bridges as configuration, and as what they do to frames: compared with a naive twin on random frames, on one shard and on several; and TCP across one.
 */
#include "../lib/host.h"
#include "bridge.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>

#define NPORTS 4

static const struct link_conf *of(struct netcfg *cfg, const char *name) { return netcfg_link_by_name(cfg, name); }

static int add(struct netcfg *cfg, const char *name, enum link_type type, int link, uint8_t mac)
{
	struct link_conf l = { .type = type, .link = link, .vlan_id = 7 };
	int ifindex;

	if (mac)
		l.addr = (struct eth_addr){ { 2, 0, 0, 0, 0, mac } };
	strcpy(l.name, name);
	cr_assert_eq(netcfg_link_add(cfg, &l, 1, &ifindex, NULL), 0);
	return ifindex;
}

static int set_master(struct netcfg *cfg, const char *name, const char *master)
{
	struct link_conf l = *of(cfg, name);

	l.master = master ? of(cfg, master)->ifindex : 0;
	return netcfg_link_set(cfg, &l, NULL);
}

static void set_up(struct netcfg *cfg, const char *name, bool up)
{
	struct link_conf l = *of(cfg, name);

	l.flags = up ? l.flags | NS_IFF_UP : l.flags & ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
}

/* ---- configuration ---- */

Test(bridge, who_may_be_a_port)
{
	struct netcfg *cfg = netcfg_new();

	add(cfg, "br0", LINK_BRIDGE, 0, 0);
	add(cfg, "br1", LINK_BRIDGE, 0, 0);
	add(cfg, "eth0", LINK_VIRTUAL, 0, 0);
	add(cfg, "eth0.7", LINK_VLAN, of(cfg, "eth0")->ifindex, 0);
	add(cfg, "br0.7", LINK_VLAN, of(cfg, "br0")->ifindex, 0);
	cr_expect_eq(set_master(cfg, "eth0", "br0"), 0);
	cr_expect_eq(of(cfg, "eth0")->port_flags, LINK_PORT_DEFAULT);
	cr_expect_eq(set_master(cfg, "eth0.7", "br0"), 0, "a VLAN of a port may be a port as well");
	cr_expect_eq(set_master(cfg, "eth0.7", "br1"), 0, "from one bridge to another");
	cr_expect_eq(set_master(cfg, "br0.7", "br0"), -ELOOP);
	cr_expect_eq(set_master(cfg, "br1", "br0"), -ELOOP);
	cr_expect_eq(set_master(cfg, "br0", "br0"), -ELOOP);
	cr_expect_eq(set_master(cfg, "br0.7", "br1"), 0);
	cr_expect_eq(set_master(cfg, "lo", "br0"), -EINVAL);
	cr_expect_eq(set_master(cfg, "eth0", "eth0.7"), -EINVAL, "not a bridge");
	cr_expect_eq(set_master(cfg, "eth0", NULL), 0);
	cr_expect_eq(of(cfg, "eth0")->port_flags, 0);
	cr_expect_eq(netcfg_link_del(cfg, of(cfg, "br1")->ifindex, NULL), 0);
	cr_expect_eq(of(cfg, "br0.7")->master, 0, "its ports become free");
	{ /* seven storeys of VLANs on a bridge: a port would be the ninth */
		int under = add(cfg, "tall", LINK_BRIDGE, 0, 0);
		char name[16];

		for (int i = 0; i < 7; i++) {
			snprintf(name, sizeof(name), "s%d", i);
			cr_expect_eq(set_master(cfg, "eth0", NULL), 0);
			under = add(cfg, name, LINK_VLAN, under, 0);
			cr_expect_eq(set_master(cfg, "eth0", "tall"), i < 6 ? 0 : -EMLINK, "%d VLANs", i + 1);
		}
	}
	netcfg_free(cfg);
}

Test(bridge, follows_its_ports)
{
	struct netcfg *cfg = netcfg_new();
	struct link_conf l;

	add(cfg, "br0", LINK_BRIDGE, 0, 0);
	add(cfg, "eth0", LINK_VIRTUAL, 0, 0x20);
	add(cfg, "eth1", LINK_VIRTUAL, 0, 0x10);
	set_up(cfg, "br0", true);
	set_up(cfg, "eth0", true);
	cr_expect(!of(cfg, "br0")->carrier);
	set_master(cfg, "eth0", "br0");
	cr_expect(of(cfg, "br0")->carrier);
	cr_expect_eq(of(cfg, "br0")->addr.b[5], 0x20);
	set_master(cfg, "eth1", "br0");
	cr_expect_eq(of(cfg, "br0")->addr.b[5], 0x10, "the least address");
	l = *of(cfg, "eth1");
	l.mtu = 1400;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
	cr_expect_eq(of(cfg, "br0")->mtu, 1400u, "the least MTU");
	set_master(cfg, "eth1", NULL);
	cr_expect_eq(of(cfg, "br0")->mtu, 1500u);
	set_up(cfg, "eth0", false);
	cr_expect(!of(cfg, "br0")->carrier);
	set_master(cfg, "eth0", NULL);
	cr_expect_eq(of(cfg, "br0")->addr.b[5], 0x20, "keeps its last address without ports");
	l = *of(cfg, "br0");
	l.addr.b[5] = 0x33;
	l.mtu = 2000;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
	set_master(cfg, "eth0", "br0");
	cr_expect(of(cfg, "br0")->addr.b[5] == 0x33 && of(cfg, "br0")->mtu == 2000, "unless they are its own");
	netcfg_free(cfg);
}

struct count_fdb { unsigned n; int ifindex; };
static int count_fdb(void *arg, const struct fdb_conf *f)
{
	struct count_fdb *c = arg;

	c->n++;
	c->ifindex = f->ifindex;
	return 0;
}

Test(bridge, static_stations)
{
	struct netcfg *cfg = netcfg_new();
	struct fdb_conf f = { .lladdr = { { 2, 0, 0, 0, 9, 9 } } };
	struct count_fdb c = { 0 };

	add(cfg, "br0", LINK_BRIDGE, 0, 0);
	add(cfg, "eth0", LINK_VIRTUAL, 0, 0);
	add(cfg, "eth1", LINK_VIRTUAL, 0, 0);
	f.ifindex = of(cfg, "eth0")->ifindex;
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), -EINVAL, "no port");
	set_master(cfg, "eth0", "br0");
	set_master(cfg, "eth1", "br0");
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), 0);
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), -EEXIST);
	f.ifindex = of(cfg, "eth1")->ifindex;
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), -EEXIST, "once on a bridge");
	cr_expect_eq(netcfg_begin(cfg), 0);
	cr_expect_eq(netcfg_fdb_add(cfg, &f, true, NULL), 0);
	netcfg_fdb_foreach(cfg, count_fdb, &c);
	cr_expect(c.n == 1 && c.ifindex == f.ifindex, "moved");
	netcfg_rollback(cfg);
	c.n = 0;
	netcfg_fdb_foreach(cfg, count_fdb, &c);
	cr_expect(c.n == 1 && c.ifindex == of(cfg, "eth0")->ifindex, "and taken back");
	cr_expect_eq(netcfg_fdb_del(cfg, f.ifindex, &f.lladdr), -ENOENT);
	f.lladdr.b[0] = 1;
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), -EADDRNOTAVAIL);
	f.lladdr.b[0] = 2;
	f.ifindex = of(cfg, "br0")->ifindex;
	f.lladdr.b[5] = 1;
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), -EINVAL);
	f.local = 1;
	cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), 0);
	f.ifindex = of(cfg, "eth0")->ifindex;
	set_master(cfg, "eth0", NULL);
	c.n = 0;
	netcfg_fdb_foreach(cfg, count_fdb, &c);
	cr_expect_eq(c.n, 1u, "those of a port that leaves are forgotten");
	for (unsigned i = 0; i < 300; i++) {
		f.ifindex = of(cfg, "eth1")->ifindex;
		f.local = 0;
		f.lladdr = (struct eth_addr){ { 2, 0, 0, 1, (uint8_t)(i * 7), (uint8_t)(i * 7 >> 8) } };
		cr_expect_eq(netcfg_fdb_add(cfg, &f, false, NULL), 0);
	}
	cr_expect_eq(netcfg_fdb_del(cfg, f.ifindex, &f.lladdr), 0);
	netcfg_free(cfg);
}

/* ---- frames, against a naive twin ---- */

/* What a bridge knows, told plainly: of each station the port and when it was heard. */
struct twin {
	struct {
		struct eth_addr addr;
		int             port; /* -1: the host */
		bool            fixed;
		ktime_t         heard;
	} s[256];
	unsigned n, max;
	bool     up[NPORTS], learning[NPORTS], isolated[NPORTS], hairpin[NPORTS], flood[NPORTS];
	ktime_t  ageing;
};

static int twin_find(struct twin *t, const struct eth_addr *a)
{
	for (unsigned i = 0; i < t->n; i++)
		if (memcmp(&t->s[i].addr, a, 6) == 0)
			return (int)i;
	return -1;
}

static void twin_forget(struct twin *t, unsigned i) { t->s[i] = t->s[--t->n]; }

static bool twin_may(const struct twin *t, int from, int to)
{
	if (!t->up[to] || (from == to && !t->hairpin[to]))
		return false;
	return from == to || !(t->isolated[from] && t->isolated[to]);
}

static unsigned twin_flood(const struct twin *t, int from, bool group)
{
	unsigned out = group ? 1u << NPORTS : 0;

	for (int p = 0; p < NPORTS; p++)
		if (twin_may(t, from, p) && (group || t->flood[p]))
			out |= 1u << p;
	return out;
}

/* Which ports it leaves by, as bits; bit NPORTS: the host has it. *ret_late: the destination was not heard for so long that a shard which is told of it four times in the ageing
 * time may have forgotten it. */
static unsigned twin_frame(struct twin *t, int from, const struct eth_addr *dst, const struct eth_addr *src, ktime_t now, bool *ret_late)
{
	static const uint8_t reserved[5] = { 1, 0x80, 0xc2, 0, 0 };
	bool group = dst->b[0] & 1;
	int i;

	*ret_late = false;
	for (unsigned k = t->n; k--;)
		if (!t->s[k].fixed && now - t->s[k].heard >= t->ageing)
			twin_forget(t, k);
	if (!t->up[from] || (group && memcmp(dst, reserved, 5) == 0 && dst->b[5] && dst->b[5] < 16))
		return 0;
	i = twin_find(t, src);
	if (i >= 0 && t->s[i].fixed && t->s[i].port < 0)
		return 0;
	if (t->learning[from] && (i < 0 || !t->s[i].fixed)) {
		if (i < 0 && t->n < t->max)
			i = (int)t->n++;
		if (i >= 0) {
			t->s[i].addr = *src;
			t->s[i].port = from;
			t->s[i].fixed = false;
			t->s[i].heard = now;
		}
	}
	i = group ? -1 : twin_find(t, dst);
	if (i >= 0 && t->s[i].port < 0)
		return 1u << NPORTS;
	if (i < 0)
		return twin_flood(t, from, group);
	*ret_late = !t->s[i].fixed && now - t->s[i].heard >= t->ageing * 3 / 4;
	return twin_may(t, from, t->s[i].port) ? 1u << t->s[i].port : 0;
}

struct rig {
	struct host *h;
	int          port[NPORTS], br;
	struct twin  twin;
	uint64_t     rnd;
};

static void twin_fix(struct twin *t, const struct eth_addr *a, int port)
{
	int i = twin_find(t, a);

	if (i < 0)
		i = (int)t->n++;
	t->s[i].addr = *a;
	t->s[i].port = port;
	t->s[i].fixed = true;
}

static struct rig *rig_new(unsigned ncpu, uint64_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct link_conf l;
	char name[16];

	r->rnd = seed;
	r->h = host_new("bridge", ncpu, seed, NULL, NULL);
	r->br = add(r->h->cfg, "br0", LINK_BRIDGE, 0, 0);
	l = *of(r->h->cfg, "br0");
	l.flags |= NS_IFF_UP;
	l.ageing_time = 30000;
	l.fdb_max_learned = 200;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	r->twin.ageing = 300 * NSEC_PER_SEC;
	r->twin.max = 200;
	for (int i = 0; i < NPORTS; i++) {
		snprintf(name, sizeof(name), "eth%d", i);
		r->port[i] = host_link(r->h, name, NULL, (uint8_t)(0x80 + i), 1500, 0);
		cr_assert_eq(set_master(r->h->cfg, name, "br0"), 0);
		r->twin.up[i] = r->twin.learning[i] = r->twin.flood[i] = true;
		twin_fix(&r->twin, &of(r->h->cfg, name)->addr, -1);
	}
	host_apply(r->h);
	return r;
}

static void rig_free(struct rig *r)
{
	cr_expect_null(host_idle_error(r->h), "%s", host_idle_error(r->h));
	host_free(r->h);
	free(r);
}

static struct eth_addr station(uint32_t n) { return (struct eth_addr){ { 2, 0, 1, 0, (uint8_t)(n >> 8), (uint8_t)n } }; }

static struct eth_addr random_dest(struct rig *r)
{
	switch (test_random_below(&r->rnd, 12)) {
	case 0:
		return (struct eth_addr){ { 255, 255, 255, 255, 255, 255 } };
	case 1:
		return (struct eth_addr){ { 1, 0, 0x5e, 1, 2, (uint8_t)test_random(&r->rnd) } };
	case 2:
		return (struct eth_addr){ { 1, 0x80, 0xc2, 0, 0, (uint8_t)test_random_below(&r->rnd, 0x20) } };
	case 3:
		return (struct eth_addr){ { 2, 0, 0, 0, 0, (uint8_t)(0x80 + test_random_below(&r->rnd, NPORTS)) } };
	default:
		return station(test_random_below(&r->rnd, 40));
	}
}

/* Now and then the configuration changes, in both. */
static void random_change(struct rig *r)
{
	int p = (int)test_random_below(&r->rnd, NPORTS);
	struct link_conf l = *netcfg_link_by_index(r->h->cfg, r->port[p]);
	struct eth_addr a = station(test_random_below(&r->rnd, 40));
	struct fdb_conf f = { .ifindex = r->port[p], .lladdr = a };
	int i;

	switch (test_random_below(&r->rnd, 7)) {
	case 0:
		l.flags ^= NS_IFF_UP;
		r->twin.up[p] = l.flags & NS_IFF_UP;
		for (unsigned k = r->twin.n; !r->twin.up[p] && k--;)
			if (!r->twin.s[k].fixed && r->twin.s[k].port == p)
				twin_forget(&r->twin, k);
		break;
	case 1:
		l.port_flags ^= LINK_PORT_ISOLATED;
		r->twin.isolated[p] = l.port_flags & LINK_PORT_ISOLATED;
		break;
	case 2:
		l.port_flags ^= LINK_PORT_HAIRPIN;
		r->twin.hairpin[p] = l.port_flags & LINK_PORT_HAIRPIN;
		break;
	case 3:
		l.port_flags ^= LINK_PORT_LEARNING;
		r->twin.learning[p] = l.port_flags & LINK_PORT_LEARNING;
		break;
	case 4:
		l.port_flags ^= LINK_PORT_FLOOD;
		r->twin.flood[p] = l.port_flags & LINK_PORT_FLOOD;
		break;
	case 5:
		cr_assert_eq(netcfg_fdb_add(r->h->cfg, &f, true, NULL), 0);
		twin_fix(&r->twin, &a, p);
		break;
	case 6:
		i = twin_find(&r->twin, &a);
		if (i < 0 || !r->twin.s[i].fixed)
			return;
		cr_assert_eq(netcfg_fdb_del(r->h->cfg, r->port[r->twin.s[i].port], &a), 0);
		twin_forget(&r->twin, (unsigned)i);
		break;
	}
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
}

static uint64_t bridge_rx(struct rig *r)
{
	struct link_stats st;
	uint64_t n = 0;

	for (unsigned i = 0; i < r->h->ncpu; i++) {
		cr_assert_eq(stack_link_stats(r->h->shard[i].stack, r->br, &st), 0);
		n += st.rx_packets;
	}
	return n;
}

static void random_frame(struct rig *r, unsigned nr)
{
	int from = (int)test_random_below(&r->rnd, NPORTS);
	struct eth_addr dst = random_dest(r), src = station(test_random_below(&r->rnd, 40));
	uint8_t frame[128];
	size_t len = 14 + test_random_below(&r->rnd, sizeof(frame) - 14);
	uint64_t before = bridge_rx(r);
	struct host_frame *f;
	unsigned want, got = 0;
	bool late;

	if (test_random_below(&r->rnd, 30) == 0)
		src = netcfg_link_by_index(r->h->cfg, r->port[test_random_below(&r->rnd, NPORTS)])->addr; /* our own: a loop */
	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)test_random(&r->rnd);
	memcpy(frame, &dst, 6);
	memcpy(frame + 6, &src, 6);
	put_be16(frame + 12, (uint16_t[]){ 0x88b5, ETH_P_IP, ETH_P_8021Q, 40 }[test_random_below(&r->rnd, 4)]); /* experimental, IP (is steered), tagged, 802.3 */
	if (get_be16(frame + 12) == ETH_P_8021Q && len < 18)
		len = 18; /* one cut short is no frame */
	cr_assert_eq(host_rx(r->h, test_random_below(&r->rnd, r->h->ncpu), r->port[from], frame, len), 0);
	host_run(r->h, r->h->now);
	want = twin_frame(&r->twin, from, &dst, &src, r->h->now, &late);
	while ((f = host_sent(r->h))) {
		for (int p = 0; p < NPORTS; p++)
			if (r->port[p] == f->ifindex) {
				cr_expect(!(got & 1u << p), "twice");
				got |= 1u << p;
			}
		cr_expect(f->len == len && memcmp(f->data, frame, len) == 0, "frame %u was changed", nr);
		free(f);
	}
	if (bridge_rx(r) != before)
		got |= 1u << NPORTS;
	if (late && r->h->ncpu > 1 && got == twin_flood(&r->twin, from, false))
		return;
	cr_assert_eq(got, want, "frame %u from port %d to %02x:..:%02x type %04x: left by %x, should by %x", nr, from, dst.b[0], dst.b[5], get_be16(frame + 12), got, want);
}

static void compare(unsigned ncpu, uint64_t seed, unsigned frames)
{
	struct rig *r = rig_new(ncpu, test_seed("bridge", seed));

	for (unsigned i = 0; i < frames; i++) {
		if (test_random_below(&r->rnd, 40) == 0)
			random_change(r);
		if (test_random_below(&r->rnd, 100) == 0)
			host_run(r->h, r->h->now + (ktime_t)test_random_below(&r->rnd, 400) * NSEC_PER_SEC);
		else
			host_run(r->h, r->h->now + (ktime_t)test_random_below(&r->rnd, 20) * NSEC_PER_MSEC);
		random_frame(r, i);
	}
	rig_free(r);
}

Test(bridge, as_its_naive_twin) { compare(1, 1, 20000); }
Test(bridge, as_its_naive_twin_on_three_shards) { compare(3, 2, 20000); }

/* ---- single points ---- */

static void give(struct rig *r, unsigned cpu, int from, const struct eth_addr *dst, const struct eth_addr *src, size_t len)
{
	static uint8_t frame[2000];

	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	put_be16(frame + 12, 0x88b5);
	cr_assert_eq(host_rx(r->h, cpu, r->port[from], frame, len), 0);
	host_run(r->h, r->h->now);
}

static unsigned left(struct rig *r)
{
	struct host_frame *f;
	unsigned n = 0;

	while ((f = host_sent(r->h))) {
		n++;
		free(f);
	}
	return n;
}

Test(bridge, a_flood_of_forged_sources_is_bounded)
{
	struct rig *r = rig_new(2, 1);
	struct eth_addr honest = station(1), victim = station(2);
	uint64_t told = 0;

	give(r, 0, 1, &victim, &honest, 60);
	left(r);
	for (unsigned i = 0; i < 5000; i++) {
		struct eth_addr a = { { 2, 7, 7, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		give(r, 0, 0, &victim, &a, 60);
		cr_expect_eq(left(r), 3u, "the destination is unknown: all other ports");
	}
	told = skb_pool_stats(stack_skb_pool(r->h->shard[0].stack))->outstanding_skbs;
	cr_expect_eq(told, 0u);
	give(r, 0, 2, &honest, &victim, 60);
	cr_expect_eq(left(r), 1u, "who was known stays known");
	host_run(r->h, r->h->now + 301 * NSEC_PER_SEC);
	give(r, 0, 2, &honest, &victim, 60);
	cr_expect_eq(left(r), 3u, "until it is forgotten");
	cr_expect_eq(host_next(r->h) > r->h->now + NSEC_PER_SEC, true, "the timer of a bridge is a slow one");
	rig_free(r);
}

/* A station that one shard hears, the other one knows; also after a long time in which only one of them hears it. */
Test(bridge, shards_tell_each_other)
{
	struct rig *r = rig_new(2, 1);
	struct eth_addr a = station(1), b = station(2);

	give(r, 0, 0, &b, &a, 60);
	left(r);
	for (int i = 0; i < 40; i++) {
		host_run(r->h, r->h->now + 30 * NSEC_PER_SEC);
		give(r, 0, 0, &b, &a, 60);
		left(r);
		give(r, 1, 1, &a, &b, 60);
		cr_expect_eq(left(r), 1u, "minute %d", i / 2);
	}
	give(r, 0, 3, &b, &a, 60); /* moves */
	left(r);
	give(r, 1, 1, &a, &b, 60);
	struct host_frame *f = host_sent(r->h);
	cr_assert_not_null(f);
	cr_expect_eq(f->ifindex, r->port[3]);
	free(f);
	rig_free(r);
}

/* What another shard heard before us is old news. */
Test(bridge, who_heard_a_station_last_is_believed)
{
	struct rig *r = rig_new(2, 1);
	struct eth_addr a = station(1), b = station(2);
	struct shard_msg msg = { .type = SHARD_FDB_UPDATE, .from = 1, .ifindex = r->port[1], .lladdr = a };
	struct host_frame *f;

	host_run(r->h, r->h->now + NSEC_PER_SEC);
	give(r, 0, 0, &b, &a, 60);
	left(r);
	for (int newer = 0; newer < 2; newer++) {
		msg.when = r->h->now + (newer ? 0 : -1);
		stack_msg(r->h->shard[0].stack, &msg, r->h->now);
		give(r, 0, 2, &a, &b, 60);
		f = host_sent(r->h);
		cr_assert_not_null(f);
		cr_expect_eq(f->ifindex, r->port[newer]);
		free(f);
	}
	rig_free(r);
}

static struct link_stats stats_of(struct rig *r, int ifindex)
{
	struct link_stats st;

	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, ifindex, &st), 0);
	return st;
}

/* The table grows with what is in it, never beyond what may be learned, and is empty again when all were silent long enough: nobody need ask for them. */
Test(bridge, the_table_grows_and_is_emptied)
{
	struct rig *r = rig_new(1, 1);
	struct net_bridge *br = dev_get_by_index(r->h->shard[0].stack, r->br)->bridge;
	struct link_conf l = *of(r->h->cfg, "br0");
	struct eth_addr victim = station(9999);
	unsigned config = br->entries;

	l.fdb_max_learned = 3000;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	for (unsigned i = 0; i < 4000; i++) {
		struct eth_addr a = station(i);

		give(r, 0, 0, &victim, &a, 60);
		left(r);
		if (i == 2000)
			host_run(r->h, r->h->now + 200 * NSEC_PER_SEC); /* so that not all go at one time */
	}
	cr_expect_eq(br->learned, 3000u);
	cr_expect_eq(br->entries, 3000u + config);
	cr_expect_eq(br->nbuckets, 2048u, "no chain is long: %u", br->nbuckets);
	host_run(r->h, r->h->now + 1000 * NSEC_PER_SEC);
	cr_expect_eq(br->learned, 0u);
	cr_expect_eq(br->entries, config);
	rig_free(r);
}

/* At 300 seconds a station is forgotten, not a nanosecond before; with an ageing time of 0 none is learned. */
Test(bridge, ageing_to_the_nanosecond)
{
	struct rig *r = rig_new(1, 1);
	struct eth_addr a = station(1), b = station(2);
	struct link_conf l = *of(r->h->cfg, "br0");
	ktime_t heard = r->h->now;

	give(r, 0, 0, &b, &a, 60);
	left(r);
	host_run(r->h, heard + 300 * NSEC_PER_SEC - 1);
	give(r, 0, 1, &a, &b, 60);
	cr_expect_eq(left(r), 1u);
	host_run(r->h, heard + 300 * NSEC_PER_SEC);
	give(r, 0, 1, &a, &b, 60);
	cr_expect_eq(left(r), 3u);
	l.ageing_time = 0;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	give(r, 0, 0, &b, &a, 60);
	left(r);
	give(r, 0, 1, &a, &b, 60);
	cr_expect_eq(left(r), 3u, "a hub");
	rig_free(r);
}

/* Stations of a flood are told to the other shards at a rate, not each. */
Test(bridge, a_flood_is_not_told_in_full)
{
	struct rig *r = rig_new(2, 1);
	struct link_conf l = *of(r->h->cfg, "br0");
	struct eth_addr victim = station(9999);

	l.fdb_max_learned = 3000;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	for (unsigned i = 0; i < 2000; i++) {
		struct eth_addr a = station(i);

		give(r, 0, 0, &victim, &a, 60);
		left(r);
	}
	cr_expect_eq(dev_get_by_index(r->h->shard[0].stack, r->br)->bridge->learned, 2000u);
	cr_expect_eq(dev_get_by_index(r->h->shard[1].stack, r->br)->bridge->learned, 256u, "no time has passed: the burst");
	host_run(r->h, r->h->now + 1000 * NSEC_PER_SEC);
	rig_free(r);
}

/* What does not pass is counted where it ends. */
Test(bridge, losses_are_counted)
{
	struct rig *r = rig_new(1, 1);
	struct eth_addr a = station(1), b = station(2);
	struct link_conf l = *of(r->h->cfg, "eth1");

	give(r, 0, 0, &b, &a, 60);
	left(r);
	give(r, 0, 0, &a, &b, 60); /* both behind one port */
	cr_expect_eq(left(r), 0u);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_SAME_PORT), 1u);
	cr_expect_eq(stats_of(r, r->port[0]).rx_dropped, 1u);
	l.mtu = 600;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	l = *of(r->h->cfg, "br0");
	l.mtu = 1500;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	give(r, 0, 1, &a, &b, 60);
	left(r);
	give(r, 0, 0, &b, &a, 619);
	cr_expect_eq(left(r), 0u);
	cr_expect_eq(host_drops(r->h, SKB_DROP_PKT_TOO_BIG), 1u);
	cr_expect_eq(stats_of(r, r->port[1]).tx_dropped, 1u);
	give(r, 0, 0, &b, &a, 618);
	cr_expect_eq(left(r), 1u);
	cr_assert_eq(netcfg_link_set_carrier(r->h->cfg, r->port[0], false), 0);
	host_apply(r->h);
	give(r, 0, 0, &b, &a, 60);
	cr_expect_eq(left(r), 0u, "a port without carrier");
	cr_expect_eq(host_drops(r->h, SKB_DROP_DEV_DOWN), 1u);
	set_up(r->h->cfg, "br0", false);
	host_apply(r->h);
	give(r, 0, 1, &a, &b, 60);
	cr_expect_eq(left(r), 0u, "a bridge that is switched off");
	cr_expect_eq(host_drops(r->h, SKB_DROP_DEV_DOWN), 2u);
	rig_free(r);
}

static void count_frame(void *arg, const struct stack_tap_frame *f)
{
	unsigned *n = arg;

	n[f->ifindex & 15]++;
}

/* The bridge's own device: in promiscuous mode, and when somebody looks at it so, it gets what only passes; otherwise not. A look at all shows such a frame at both. */
Test(bridge, who_looks_at_the_bridge_sees_what_passes)
{
	struct rig *r = rig_new(1, 1);
	struct stack *stack = r->h->shard[0].stack;
	struct eth_addr a = station(1), b = station(2);
	struct link_conf l = *of(r->h->cfg, "br0");
	unsigned seen[16] = { 0 };
	struct stack_tap *tap;

	give(r, 0, 1, &a, &b, 60);
	give(r, 0, 0, &b, &a, 60);
	left(r);
	cr_expect_eq(stats_of(r, r->br).rx_packets, 0u);
	cr_assert_eq(stack_tap_attach(stack, 0, STACK_TAP_RX | STACK_TAP_PROMISC, count_frame, seen, &tap), 0);
	give(r, 0, 0, &b, &a, 60);
	cr_expect_eq(left(r), 1u, "and it passes");
	cr_expect_eq(stats_of(r, r->br).rx_packets, 1u);
	cr_expect_eq(stats_of(r, r->br).rx_bytes, 60u);
	cr_expect_eq(seen[r->port[0] & 15], 1u);
	cr_expect_eq(seen[r->br & 15], 1u);
	stack_tap_detach(tap);
	give(r, 0, 0, &b, &a, 60);
	cr_expect_eq(stats_of(r, r->br).rx_packets, 1u);
	l.flags |= NS_IFF_PROMISC;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	give(r, 0, 0, &b, &a, 60);
	cr_expect_eq(stats_of(r, r->br).rx_packets, 2u);
	left(r);
	rig_free(r);
}

/* What the host itself sends by the bridge: not to itself, and not by a port that is out. */
Test(bridge, the_hosts_own_frames)
{
	struct rig *r = rig_new(1, 1);
	struct fdb_conf f = { .ifindex = r->port[1], .lladdr = station(1) };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = r->br };
	uint8_t frame[60] = { 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0x55, 0x88, 0xb5 };
	const struct eth_addr to[] = { station(1), station(2), of(r->h->cfg, "br0")->addr, of(r->h->cfg, "eth2")->addr };
	struct socket *s;

	cr_assert_eq(netcfg_fdb_add(r->h->cfg, &f, false, NULL), 0);
	host_apply(r->h);
	cr_assert_eq(ns_socket(host_touch(r->h, 0), AF_PACKET, SOCK_RAW, 0, &s), 0);
	cr_assert_eq(ns_bind(s, (struct sockaddr *)&ll, sizeof(ll)), 0);
	for (unsigned i = 0; i < 4; i++) {
		memcpy(frame, &to[i], 6);
		(void)ns_send(s, frame, sizeof(frame), 0);
		cr_expect_eq(left(r), i == 0 ? 1u : i == 1 ? 4u : 0u, "row %u", i);
	}
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_NO_PORT), 2u);
	cr_assert_eq(netcfg_link_set_carrier(r->h->cfg, r->port[1], false), 0);
	host_apply(r->h);
	memcpy(frame, &to[0], 6);
	cr_expect_eq(ns_send(s, frame, sizeof(frame), 0), -ENETDOWN);
	cr_expect_eq(left(r), 0u);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_NO_PORT), 3u);
	ns_close(s);
	host_run(r->h, r->h->now);
	rig_free(r);
}

/* A packet for the host that came by a port belongs to the shard of its flow. */
Test(bridge, flows_are_steered_behind_the_bridge)
{
	struct rig *r = rig_new(4, 1);
	struct addr_conf a = { .ifindex = r->br, .local = { ipaddr_v4(inet_addr("192.0.2.1")), 24 } };
	struct eth_addr mac = of(r->h->cfg, "br0")->addr;
	struct softnet_stats st;
	unsigned shards = 0;

	cr_assert_eq(netcfg_addr_add(r->h->cfg, &a, false, NULL), 0);
	host_apply(r->h);
	for (uint16_t port = 1000; port < 1064; port++) {
		uint8_t f[60] = { 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0x55, 8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1 };
		uint32_t sum = 0;

		memcpy(f, &mac, 6);
		for (unsigned i = 14; i < 34; i += 2)
			sum += get_be16(f + i);
		put_be16(f + 24, (uint16_t)~(sum + (sum >> 16)));
		put_be16(f + 34, port);
		put_be16(f + 36, 9);
		put_be16(f + 38, 12);
		cr_assert_eq(host_rx(r->h, 0, r->port[0], f, sizeof(f)), 0);
		host_run(r->h, r->h->now);
	}
	left(r);
	for (unsigned i = 1; i < 4; i++) {
		stack_softnet_stats(r->h->shard[i].stack, &st);
		shards += st.processed > 4;
	}
	cr_expect_eq(shards, 3u);
	cr_expect_eq(host_mib(r->h, MIB_Udp_NoPorts), 64u);
	host_run(r->h, r->h->now + 400 * NSEC_PER_SEC);
	left(r);
	rig_free(r);
}

static int count_station(void *arg, const struct fdb_info *info)
{
	unsigned *n = arg;

	*n += info->lladdr.b[1] == 7;
	return 0;
}

/* The other shard may follow another configuration: what it says of a port that is none here, is down, or does not learn, is not believed. */
Test(bridge, what_shards_tell_of_other_ports_is_ignored)
{
	struct rig *r = rig_new(2, 1);
	struct stack *stack = r->h->shard[0].stack;
	struct shard_msg msg = { .type = SHARD_FDB_UPDATE, .from = 1, .when = r->h->now };
	struct link_conf l;
	int ports[6] = { r->port[0], r->port[1], r->port[2], r->port[3], r->br, 99 };
	unsigned n = 0;

	set_up(r->h->cfg, "eth1", false);
	l = *of(r->h->cfg, "eth2");
	l.port_flags &= (uint8_t)~LINK_PORT_LEARNING;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	cr_assert_eq(set_master(r->h->cfg, "eth3", NULL), 0);
	host_apply(r->h);
	for (unsigned i = 0; i < 6; i++) {
		msg.ifindex = ports[i];
		msg.lladdr = (struct eth_addr){ { 2, 7, 0, 0, 0, (uint8_t)i } };
		n = 0;
		stack_msg(stack, &msg, r->h->now);
		cr_expect_eq(stack_fdb_foreach(stack, count_station, &n), 0);
		cr_expect_eq(n, 1u, "port %u: eth0's alone is known", i);
	}
	rig_free(r);
}

/* Who asks for the host by the address of a port gets an answer, as by that of the bridge. */
Test(bridge, the_address_of_a_port_is_the_hosts)
{
	struct rig *r = rig_new(1, 1);
	struct addr_conf a = { .ifindex = r->br, .local = { ipaddr_v4(inet_addr("192.0.2.1")), 24 } };
	struct fdb_conf more = { .ifindex = r->port[1], .lladdr = { { 2, 7, 7, 7, 7, 7 } }, .local = 1 };
	struct eth_addr src = station(1), dst[4];
	uint8_t arp[60] = { 0 };

	cr_assert_eq(netcfg_addr_add(r->h->cfg, &a, false, NULL), 0);
	cr_assert_eq(netcfg_fdb_add(r->h->cfg, &more, false, NULL), 0);
	host_apply(r->h);
	dst[0] = of(r->h->cfg, "br0")->addr;
	dst[1] = of(r->h->cfg, "eth2")->addr; /* not the least, so not the bridge's; the frame comes in by it */
	dst[2] = of(r->h->cfg, "eth3")->addr; /* of another port */
	dst[3] = more.lladdr;
	for (int i = 0; i < 4; i++) {
		struct host_frame *f;

		memcpy(arp, &dst[i], 6);
		memcpy(arp + 6, &src, 6);
		memcpy(arp + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
		memcpy(arp + 22, &src, 6);
		memcpy(arp + 28, (uint8_t[]){ 192, 0, 2, 9 }, 4);
		memcpy(arp + 38, (uint8_t[]){ 192, 0, 2, 1 }, 4);
		cr_assert_eq(host_rx(r->h, 0, r->port[2], arp, sizeof(arp)), 0);
		host_run(r->h, r->h->now);
		f = host_sent(r->h);
		cr_expect(f && f->ifindex == r->port[2], "address %d: no answer", i);
		free(f);
	}
	cr_expect_eq(host_drops(r->h, SKB_DROP_OTHERHOST), 0u);
	rig_free(r);
}

Test(bridge, named_drops)
{
	struct rig *r = rig_new(1, 1);
	struct eth_addr a = station(1), b = station(2), own = of(r->h->cfg, "eth0")->addr, nobody = { { 0 } };

	for (uint8_t last = 1; last < 16; last++)
		give(r, 0, 0, &(struct eth_addr){ { 1, 0x80, 0xc2, 0, 0, last } }, &a, 60);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_RESERVED), 15u);
	cr_expect_eq(left(r), 0u);
	give(r, 0, 0, &(struct eth_addr){ { 1, 0x80, 0xc2, 0, 0, 0 } }, &a, 60);
	cr_expect_eq(left(r), NPORTS - 1u, "a BPDU, which a bridge without a spanning tree does not understand, goes on");
	give(r, 0, 0, &b, &own, 60);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_SOURCE), 1u);
	give(r, 0, 0, &b, &nobody, 60);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_SOURCE), 2u);
	give(r, 0, 0, &b, &a, 60);
	give(r, 0, 0, &a, &b, 60);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_SAME_PORT), 1u);
	left(r);
	give(r, 0, 1, &a, &b, 1519);
	cr_expect_eq(host_drops(r->h, SKB_DROP_PKT_TOO_BIG), 1u);
	give(r, 0, 1, &a, &b, 1518);
	cr_expect_eq(left(r), 1u, "a tag more is in order");
	for (int i = 1; i < NPORTS; i++)
		set_up(r->h->cfg, (char[]){ 'e', 't', 'h', (char)('0' + i), 0 }, false);
	host_apply(r->h);
	give(r, 0, 0, &(struct eth_addr){ { 2, 5, 5, 5, 5, 5 } }, &a, 60);
	cr_expect_eq(host_drops(r->h, SKB_DROP_BRIDGE_NO_PORT), 1u);
	rig_free(r);
}

/* The bridge goes, or a port, while frames of it wait somewhere. */
Test(bridge, removed_under_traffic)
{
	static const char *const victims[] = { "br0", "eth1", "eth0" };

	for (size_t i = 0; i < sizeof(victims) / sizeof(victims[0]); i++) {
		struct rig *r = rig_new(2, 1);
		struct eth_addr all = { { 255, 255, 255, 255, 255, 255 } }, a = station(1);
		uint8_t frame[60] = { 0 };

		give(r, 0, 0, &all, &a, 60);
		left(r);
		memcpy(frame, &all, 6);
		memcpy(frame + 6, &a, 6);
		put_be16(frame + 12, ETH_P_ARP);
		cr_assert_eq(host_rx(r->h, 0, r->port[0], frame, sizeof(frame)), 0);
		cr_assert_eq(netcfg_link_del(r->h->cfg, of(r->h->cfg, victims[i])->ifindex, NULL), 0);
		host_apply(r->h);
		host_run(r->h, r->h->now);
		cr_expect_eq(left(r), i == 1 ? 2u : 0u, "%s", victims[i]);
		rig_free(r);
	}
}

static int count_info(void *arg, const struct fdb_info *info)
{
	unsigned *n = arg;

	n[info->local ? 0 : info->is_static ? 1 : 2]++;
	return 0;
}

Test(bridge, shown_and_flushed)
{
	struct rig *r = rig_new(1, 1);
	struct stack *stack = r->h->shard[0].stack;
	struct eth_addr a = station(1), b = station(2);
	unsigned n[3] = { 0 };

	give(r, 0, 0, &b, &a, 60);
	give(r, 0, 1, &a, &b, 60);
	left(r);
	stack_fdb_foreach(stack, count_info, n);
	cr_expect(n[0] == NPORTS && n[1] == 0 && n[2] == 2, "%u local, %u static, %u learned", n[0], n[1], n[2]);
	stack_fdb_flush(stack, r->port[0], NULL, r->h->now);
	give(r, 0, 1, &a, &b, 60);
	cr_expect_eq(left(r), 3u);
	stack_fdb_flush(stack, 0, &b, r->h->now);
	give(r, 0, 2, &b, &a, 60);
	cr_expect_eq(left(r), 3u);
	rig_free(r);
}

/* ---- TCP over a VLAN over a veth over a bridge ---- */

static void veth(struct host *x, const char *name, struct host *sw, const char *port, const char *addr)
{
	struct link_conf a = { .link_netns = sw->netns, .flags = NS_IFF_UP }, b = { .flags = NS_IFF_UP };
	struct link_conf v = { .type = LINK_VLAN, .vlan_id = 10, .flags = NS_IFF_UP };
	struct addr_conf ac = { .local = { ipaddr_v4(inet_addr(addr)), 24 } };
	int pb;

	strcpy(a.name, name);
	strcpy(b.name, port);
	cr_assert_eq(netcfg_veth_add(x->cfg, &a, &b, x->netns + 5, &v.link, &pb, NULL), 0);
	cr_assert_eq(set_master(sw->cfg, port, "br0"), 0);
	strcpy(v.name, "vlan10");
	cr_assert_eq(netcfg_link_add(x->cfg, &v, 1, &ac.ifindex, NULL), 0);
	cr_assert_eq(netcfg_addr_add(x->cfg, &ac, false, NULL), 0);
}

Test(bridge, tcp_over_vlan_over_veth_over_bridge)
{
	for (unsigned ncpu = 1; ncpu <= 3; ncpu += 2) {
		struct host *sw = host_new("switch", ncpu, 9, NULL, NULL), *x = host_netns(sw, "x"), *y = host_netns(sw, "y");
		struct link_stats st;
		uint64_t packets = 0;

		add(sw->cfg, "br0", LINK_BRIDGE, 0, 0);
		set_up(sw->cfg, "br0", true);
		veth(x, "veth0", sw, "port0", "10.0.0.1");
		veth(y, "veth0", sw, "port1", "10.0.0.2");
		for (struct host *h = sw; h; h = h->sibling)
			host_apply(h);
		cr_expect_eq(host_transfer(x, y, "10.0.0.2", 2000000), 2000000u, "%u shards", ncpu);
		for (unsigned i = 0; i < ncpu; i++) {
			stack_link_stats(sw->shard[i].stack, of(sw->cfg, "port1")->ifindex, &st);
			packets += st.tx_packets;
		}
		cr_expect_lt(packets, 1000u, "2 MB in %llu frames: GSO frames cross whole, tag and all", (unsigned long long)packets);
		cr_expect_eq(host_mib(x, MIB_Tcp_RetransSegs), 0u);
		host_run(sw, sw->now + 400 * NSEC_PER_SEC);
		for (struct host *h = sw; h; h = h->sibling)
			cr_expect_null(host_idle_error(h), "%s", host_idle_error(h));
		host_free(sw);
	}
}
