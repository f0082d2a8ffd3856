/* SPDX-License-Identifier: MIT */
/*
 * test_netcfg.c: links, addresses, routes, neighbours: what follows from what, what is refused and with which error; snapshots; all or nothing; memory that runs out.
 */
#include "netcfg_priv.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define IP(a, b, c, d) ipaddr_v4(cpu_to_be32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))

static int add_link(struct netcfg *cfg, const char *name, bool up)
{
	struct link_conf l = { .type = LINK_VIRTUAL, .flags = up ? NS_IFF_UP : 0 };
	int ifindex = 0;

	snprintf(l.name, sizeof(l.name), "%s", name);
	cr_assert_eq(netcfg_link_add(cfg, &l, 42, &ifindex, NULL), 0);
	return ifindex;
}

static struct addr_conf addr_of(int ifindex, struct ipaddr a, uint8_t len)
{
	return (struct addr_conf){ .ifindex = ifindex, .local = { a, len } };
}

static int add_addr(struct netcfg *cfg, int ifindex, struct ipaddr a, uint8_t len)
{
	struct addr_conf c = addr_of(ifindex, a, len);

	return netcfg_addr_add(cfg, &c, false, NULL);
}

static int del_addr(struct netcfg *cfg, int ifindex, struct ipaddr a, uint8_t len)
{
	struct addr_conf c = addr_of(ifindex, a, len);

	return netcfg_addr_del(cfg, &c, NULL);
}

static void set_up(struct netcfg *cfg, int ifindex, bool up)
{
	struct link_conf l = *netcfg_link_by_index(cfg, ifindex);

	l.flags = up ? l.flags | NS_IFF_UP : l.flags & ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
}

/* Routes as text, one a line: "TABLE TYPE DST/LEN via GW dev IFINDEX src SRC metric M". */
struct text {
	char   buf[8192];
	size_t len;
};

static void put_addr(char *out, const struct ipaddr *a)
{
	if (a->family)
		sprintf(out, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2], a->b[3]);
	else
		strcpy(out, "-");
}

static int put_route(void *arg, const struct route_conf *r)
{
	static const char *const types[] = { "unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw" };
	struct text *t = arg;
	char dst[32], gw[32], src[32];

	if (r->ifindex == LO_IFINDEX)
		return 0;
	put_addr(dst, &r->dst.addr);
	put_addr(gw, &r->gateway);
	put_addr(src, &r->prefsrc);
	t->len += (size_t)snprintf(t->buf + t->len, sizeof(t->buf) - t->len, "%s %s %s/%u via %s dev %d src %s metric %u\n",
				   r->table == RT_TABLE_LOCAL ? "local" : r->table == RT_TABLE_MAIN ? "main" : "other", types[r->type], dst, r->dst.len, gw,
				   r->ifindex, src, r->metric);
	return 0;
}

static void expect_routes(struct netcfg *cfg, const char *what, const char *want)
{
	struct text t = { .len = 0 };

	t.buf[0] = '\0';
	netcfg_route_foreach(cfg, 0, put_route, &t);
	cr_assert_str_eq(t.buf, want, "%s: got\n%swanted\n%s", what, t.buf, want);
}

Test(netcfg, an_address_makes_routes_while_the_link_is_up)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", false);

	cr_assert_eq(eth, 2);
	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	expect_routes(cfg, "down", "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n");
	set_up(cfg, eth, true);
	expect_routes(cfg, "up",
		      "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local broadcast 10.0.0.255/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "main unicast 10.0.0.0/24 via - dev 2 src 10.0.0.1 metric 0\n");
	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 2), 24), 0);
	expect_routes(cfg, "a secondary gives its local route only",
		      "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local local 10.0.0.2/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local broadcast 10.0.0.255/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "main unicast 10.0.0.0/24 via - dev 2 src 10.0.0.1 metric 0\n");
	set_up(cfg, eth, false);
	expect_routes(cfg, "down again",
		      "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local local 10.0.0.2/32 via - dev 2 src 10.0.0.1 metric 0\n");
	cr_assert_eq(del_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	expect_routes(cfg, "the primary takes its secondaries along", "");
	cr_assert_eq(netcfg_link_by_index(cfg, eth)->flags & NS_IFF_BROADCAST, NS_IFF_BROADCAST);
	netcfg_free(cfg);
}

Test(netcfg, prefix_lengths_and_broadcasts)
{
	static const struct { uint8_t len; const char *want; } rows[] = {
		{ 32, "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n" },
		{ 31, "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\nmain unicast 10.0.0.0/31 via - dev 2 src 10.0.0.1 metric 0\n" },
		{ 30, "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\nlocal broadcast 10.0.0.3/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "main unicast 10.0.0.0/30 via - dev 2 src 10.0.0.1 metric 0\n" },
		{ 0, "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netcfg *cfg = netcfg_new();

		cr_assert_eq(add_addr(cfg, add_link(cfg, "eth0", true), IP(10, 0, 0, 1), rows[i].len), 0);
		expect_routes(cfg, "prefix length", rows[i].want);
		netcfg_free(cfg);
	}
}

Test(netcfg, an_explicit_broadcast_address_can_be_replaced)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true);
	struct addr_conf a = addr_of(eth, IP(10, 0, 0, 1), 24);

	a.broadcast = IP(10, 0, 0, 99);
	cr_assert_eq(netcfg_addr_add(cfg, &a, false, NULL), 0);
	a.broadcast = IP(10, 0, 0, 255);
	cr_assert_eq(netcfg_addr_add(cfg, &a, false, NULL), -EEXIST);
	cr_assert_eq(netcfg_addr_add(cfg, &a, true, NULL), 0);
	expect_routes(cfg, "replaced",
		      "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local broadcast 10.0.0.255/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "main unicast 10.0.0.0/24 via - dev 2 src 10.0.0.1 metric 0\n");
	netcfg_free(cfg);
}

Test(netcfg, routes_that_two_addresses_give_stand_until_both_are_gone)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true);

	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 16), 0);
	cr_assert_eq(del_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	expect_routes(cfg, "one left",
		      "local local 10.0.0.1/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "local broadcast 10.0.255.255/32 via - dev 2 src 10.0.0.1 metric 0\n"
		      "main unicast 10.0.0.0/16 via - dev 2 src 10.0.0.1 metric 0\n");
	cr_assert_eq(del_addr(cfg, eth, IP(10, 0, 0, 1), 16), 0);
	expect_routes(cfg, "none left", "");
	netcfg_free(cfg);
}

Test(netcfg, routes_fall_with_link_source_and_last_address)
{
	struct netcfg *cfg = netcfg_new();
	int a = add_link(cfg, "a", true), b = add_link(cfg, "b", true);
	struct route_conf by_gw = { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 9) };
	struct route_conf by_src = { .dst = { IP(30, 0, 0, 0), 8 }, .ifindex = b, .prefsrc = IP(10, 0, 0, 1) };

	cr_assert_eq(add_addr(cfg, a, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(add_addr(cfg, b, IP(10, 1, 0, 1), 24), 0);
	cr_assert_eq(netcfg_route_add(cfg, &by_gw, false, NULL), 0);
	cr_assert_eq(netcfg_route_add(cfg, &by_src, false, NULL), 0);
	set_up(cfg, a, false);
	cr_assert_eq(netcfg_route_del(cfg, &by_gw, NULL), -ESRCH, "a link that goes down takes its routes along");
	set_up(cfg, a, true);
	cr_assert_eq(netcfg_route_del(cfg, &by_gw, NULL), -ESRCH, "and gets only those back that follow from addresses");
	cr_assert_eq(netcfg_route_add(cfg, &by_gw, false, NULL), 0);
	cr_assert_eq(del_addr(cfg, a, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(netcfg_route_del(cfg, &by_gw, NULL), -ESRCH, "the last address of a link takes its routes along");
	cr_assert_eq(netcfg_route_del(cfg, &by_src, NULL), -ESRCH, "a preferred source that is gone takes its routes along");
	cr_assert_eq(netcfg_link_del(cfg, b, NULL), 0);
	expect_routes(cfg, "all gone", "");
	cr_assert_null(netcfg_link_by_name(cfg, "b"));
	cr_assert_eq(add_link(cfg, "b", true), 4, "an index is not used twice");
	netcfg_free(cfg);
}

Test(netcfg, routes_that_are_refused)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true), down = add_link(cfg, "eth1", false);
	struct netcfg_err err;
	const struct {
		const char       *what;
		struct route_conf r;
		int               want;
	} rows[] = {
		{ "gateway on no network", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(9, 9, 9, 9) }, -ENETUNREACH },
		{ "gateway behind a gateway", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(40, 0, 0, 1) }, -ENETUNREACH },
		{ "gateway of our own", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 1) }, -EINVAL },
		{ "gateway a broadcast address", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 255) }, -EINVAL },
		{ "gateway a multicast address", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(224, 0, 0, 1) }, -EINVAL },
		{ "gateway on another device", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 9), .ifindex = LO_IFINDEX }, -ENETUNREACH },
		{ "neither gateway nor device", { .dst = { IP(20, 0, 0, 0), 8 } }, -ENODEV },
		{ "no such device", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = 77 }, -ENODEV },
		{ "device down", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = down }, -ENETDOWN },
		{ "host bits", { .dst = { IP(20, 0, 0, 1), 8 }, .ifindex = eth }, -EINVAL },
		{ "length", { .dst = { IP(20, 0, 0, 0), 33 }, .ifindex = eth }, -EINVAL },
		{ "source not ours", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = eth, .prefsrc = IP(1, 2, 3, 4) }, -EINVAL },
		{ "blackhole with device", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = eth, .type = RTN_BLACKHOLE }, -EINVAL },
		{ "unknown type", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = eth, .type = RTN_NAT }, -EINVAL },
		{ "link scope with gateway", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 9), .scope = RT_SCOPE_LINK }, -EINVAL },
		{ "onlink without device", { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(9, 9, 9, 9), .flags = RTNH_F_ONLINK }, -EINVAL },
		{ "ECN bits", { .dst = { IP(20, 0, 0, 0), 8 }, .ifindex = eth, .tos = 1 }, -EINVAL },
		{ "IPv6", { .dst = { { .family = AF_INET6 }, 0 }, .ifindex = eth }, -EAFNOSUPPORT },
		{ "a second one", { .dst = { IP(40, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 8) }, -EEXIST },
	};
	struct route_conf ok = { .dst = { IP(40, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 7) };
	struct route_conf onlink = { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(9, 9, 9, 9), .ifindex = eth, .flags = RTNH_F_ONLINK };

	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(netcfg_route_add(cfg, &ok, false, &err), 0);
	cr_assert_str_empty(err.text);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(netcfg_route_add(cfg, &rows[i].r, false, &err), rows[i].want, "%s", rows[i].what);
		cr_assert_str_not_empty(err.text);
	}
	cr_assert_eq(netcfg_route_add(cfg, &onlink, false, &err), 0, "%s", err.text);
	netcfg_free(cfg);
}

Test(netcfg, deleting_takes_the_first_match)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true);
	struct route_conf r = { .dst = { IP(20, 0, 0, 0), 8 }, .gateway = IP(10, 0, 0, 7), .metric = 20 }, probe = { .dst = { IP(20, 0, 0, 0), 8 } };

	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(netcfg_route_add(cfg, &r, false, NULL), 0);
	r.metric = 10;
	r.gateway = IP(10, 0, 0, 8);
	cr_assert_eq(netcfg_route_add(cfg, &r, false, NULL), 0);
	probe.gateway = IP(10, 0, 0, 9);
	cr_assert_eq(netcfg_route_del(cfg, &probe, NULL), -ESRCH);
	probe.gateway = IPADDR_NONE;
	cr_assert_eq(netcfg_route_del(cfg, &probe, NULL), 0);
	probe.metric = 10;
	cr_assert_eq(netcfg_route_del(cfg, &probe, NULL), -ESRCH, "the lower metric went first");
	r.metric = 20;
	r.gateway = IP(10, 0, 0, 9);
	cr_assert_eq(netcfg_route_add(cfg, &r, true, NULL), 0);
	probe.metric = 0;
	probe.gateway = IP(10, 0, 0, 9);
	cr_assert_eq(netcfg_route_del(cfg, &probe, NULL), 0, "replace put its own in place of the other");
	netcfg_free(cfg);
}

Test(netcfg, links_that_are_refused)
{
	static const struct { const char *what; struct link_conf l; int want; } rows[] = {
		{ "no name", { .type = LINK_TAP }, -EINVAL },
		{ "slash", { .name = "a/b", .type = LINK_TAP }, -EINVAL },
		{ "blank", { .name = "a b", .type = LINK_TAP }, -EINVAL },
		{ "all", { .name = "all", .type = LINK_TAP }, -EINVAL },
		{ "dots", { .name = "..", .type = LINK_TAP }, -EINVAL },
		{ "too long", { .name = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p' }, .type = LINK_TAP }, -EINVAL },
		{ "twice", { .name = "lo", .type = LINK_TAP }, -EEXIST },
		{ "small MTU", { .name = "a", .type = LINK_TAP, .mtu = 67 }, -EINVAL },
		{ "big MTU", { .name = "a", .type = LINK_TAP, .mtu = 65521 }, -EINVAL },
		{ "multicast address", { .name = "a", .type = LINK_TAP, .addr = { { 1, 0, 0, 0, 0, 1 } } }, -EADDRNOTAVAIL },
		{ "second loopback", { .name = "lo1", .type = LINK_LOOPBACK }, -EOPNOTSUPP },
	};
	struct netcfg *cfg = netcfg_new();
	const struct link_conf *l;
	struct netcfg_err err;
	int a, b;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(netcfg_link_add(cfg, &rows[i].l, 1, NULL, &err), rows[i].want, "%s", rows[i].what);
		cr_assert_str_not_empty(err.text);
	}
	a = add_link(cfg, "a", true);
	b = add_link(cfg, "b", true);
	l = netcfg_link_by_index(cfg, a);
	cr_assert_eq(l->addr.b[0] & 3, 2, "locally administered, not a group");
	cr_assert_neq(memcmp(&l->addr, &netcfg_link_by_index(cfg, b)->addr, ETH_ADDR_LEN), 0);
	cr_assert_eq(l->mtu, 1500);
	cr_assert_eq(l->carrier, 1);
	cr_assert_eq(netcfg_link_del(cfg, LO_IFINDEX, &err), -EOPNOTSUPP);
	cr_assert_eq(netcfg_link_del(cfg, 99, &err), -ENODEV);
	cr_assert_eq(netcfg_link_set_carrier(cfg, 99, true), -ENODEV);
	netcfg_free(cfg);
}

Test(netcfg, addresses_that_are_refused)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true);
	const struct { const char *what; struct addr_conf a; int want; } rows[] = {
		{ "no link", addr_of(99, IP(10, 0, 0, 1), 24), -ENODEV },
		{ "zero", addr_of(eth, IP(0, 0, 0, 0), 24), -EINVAL },
		{ "multicast", addr_of(eth, IP(224, 0, 0, 1), 24), -EINVAL },
		{ "all ones", addr_of(eth, IP(255, 255, 255, 255), 24), -EINVAL },
		{ "loopback", addr_of(eth, IP(127, 0, 0, 1), 8), -EINVAL },
		{ "length", addr_of(eth, IP(10, 0, 0, 1), 33), -EINVAL },
		{ "again", addr_of(eth, IP(10, 9, 0, 1), 16), -EEXIST },
	};

	cr_assert_eq(add_addr(cfg, eth, IP(10, 9, 0, 1), 16), 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(netcfg_addr_add(cfg, &rows[i].a, false, NULL), rows[i].want, "%s", rows[i].what);
	cr_assert_eq(del_addr(cfg, eth, IP(10, 9, 0, 1), 24), -EADDRNOTAVAIL, "the length counts");
	cr_assert_eq(del_addr(cfg, eth, IP(10, 9, 0, 1), 16), 0);
	netcfg_free(cfg);
}

Test(netcfg, neighbours)
{
	struct netcfg *cfg = netcfg_new();
	int eth = add_link(cfg, "eth0", true);
	struct neigh_conf n = { .ifindex = eth, .addr = IP(10, 0, 0, 9), .lladdr = { { 2, 0, 0, 0, 0, 9 } } }, bad = n;

	cr_assert_eq(netcfg_neigh_add(cfg, &n, false, NULL), 0);
	cr_assert_eq(netcfg_neigh_add(cfg, &n, false, NULL), -EEXIST);
	cr_assert_eq(netcfg_neigh_add(cfg, &n, true, NULL), 0);
	bad.lladdr.b[0] = 1;
	cr_assert_eq(netcfg_neigh_add(cfg, &bad, true, NULL), -EADDRNOTAVAIL);
	bad = n;
	bad.addr = IP(224, 0, 0, 1);
	cr_assert_eq(netcfg_neigh_add(cfg, &bad, false, NULL), -EINVAL);
	bad = n;
	bad.ifindex = 50;
	cr_assert_eq(netcfg_neigh_add(cfg, &bad, false, NULL), -ENODEV);
	for (unsigned i = 10; i < 40; i++) {
		n.addr = IP(10, 0, 0, 50 - i);
		cr_assert_eq(netcfg_neigh_add(cfg, &n, true, NULL), 0);
	}
	n.addr = IP(10, 0, 0, 20);
	cr_assert_eq(netcfg_neigh_del(cfg, eth, &n.addr), 0);
	cr_assert_eq(netcfg_neigh_del(cfg, eth, &n.addr), -ENOENT);
	cr_assert_eq(netcfg_commit(cfg)->nneighs, 30);
	cr_assert_eq(netcfg_link_del(cfg, eth, NULL), 0);
	cr_assert_eq(netcfg_commit(cfg)->nneighs, 0);
	netcfg_free(cfg);
}

Test(netcfg, route_get_and_source_selection)
{
	struct netcfg *cfg = netcfg_new();
	int a = add_link(cfg, "a", true), b = add_link(cfg, "b", true);
	struct route_conf dflt = { .gateway = IP(10, 0, 0, 254) };
	const struct { const char *what; struct route_query q; int want; int dev; struct ipaddr src; } rows[] = {
		{ "connected", { .daddr = IP(10, 0, 0, 9) }, 0, a, IP(10, 0, 0, 1) },
		{ "the other network of the link", { .daddr = IP(10, 2, 0, 9) }, 0, a, IP(10, 2, 0, 1) },
		{ "default, the source fits the gateway", { .daddr = IP(8, 8, 8, 8) }, 0, a, IP(10, 0, 0, 1) },
		{ "local", { .daddr = IP(10, 1, 0, 1) }, 0, b, IP(10, 1, 0, 1) },
		{ "loopback", { .daddr = IP(127, 5, 5, 5) }, 0, LO_IFINDEX, IP(127, 0, 0, 1) },
		{ "by a device without the route", { .daddr = IP(8, 8, 8, 8), .oif = b }, -ENETUNREACH, 0, IPADDR_NONE },
		{ "from an address that is not ours", { .daddr = IP(8, 8, 8, 8), .saddr = IP(7, 7, 7, 7) }, -EINVAL, 0, IPADDR_NONE },
	};

	cr_assert_eq(add_addr(cfg, a, IP(10, 0, 0, 1), 24), 0);
	cr_assert_eq(add_addr(cfg, a, IP(10, 2, 0, 1), 24), 0);
	cr_assert_eq(add_addr(cfg, b, IP(10, 1, 0, 1), 24), 0);
	cr_assert_eq(netcfg_route_add(cfg, &dflt, false, NULL), 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route_conf r;
		struct ipaddr src;

		cr_assert_eq(netcfg_route_get(cfg, &rows[i].q, &r, &src), rows[i].want, "%s", rows[i].what);
		if (rows[i].want)
			continue;
		cr_assert_eq(r.ifindex, rows[i].dev, "%s", rows[i].what);
		cr_assert(ipaddr_equal(&src, &rows[i].src), "%s", rows[i].what);
	}
	cr_assert_eq(inet_addr_type(&cfg->view, &rows[3].q.daddr), RTN_LOCAL);
	cr_assert_eq(inet_addr_type(&cfg->view, &(struct ipaddr){ .b = { 10, 1, 0, 255 }, .family = AF_INET }), RTN_BROADCAST);
	cr_assert_eq(inet_addr_type(&cfg->view, &(struct ipaddr){ .b = { 224, 1, 0, 255 }, .family = AF_INET }), RTN_MULTICAST);
	cr_assert_eq(inet_addr_type(&cfg->view, &(struct ipaddr){ .b = { 10, 1, 0, 7 }, .family = AF_INET }), RTN_UNICAST);
	netcfg_free(cfg);
}

Test(netcfg, snapshots_do_not_change)
{
	struct netcfg *cfg = netcfg_new();
	const struct net_snapshot *one = netcfg_commit(cfg), *two;
	struct flowi fl = { .daddr = IP(10, 0, 0, 9) };
	struct fib_result res;
	int eth;

	cr_assert_eq(netcfg_commit(cfg), one, "nothing changed");
	cr_assert_eq(net_snapshot_version(one), 1);
	eth = add_link(cfg, "eth0", true);
	cr_assert_eq(add_addr(cfg, eth, IP(10, 0, 0, 1), 24), 0);
	two = netcfg_commit(cfg);
	cr_assert_eq(net_snapshot_version(two), 2);
	cr_assert_eq(one->nlinks, 1);
	cr_assert_eq(two->nlinks, 2);
	cr_assert_eq(snapshot_link(two, eth)->naddrs, 1);
	cr_assert_null(snapshot_link(one, eth));
	cr_assert_eq(fib_lookup(one, &fl, &res), -ENETUNREACH);
	cr_assert_eq(fib_lookup(two, &fl, &res), 0);
	cr_assert_eq(netcfg_link_del(cfg, eth, NULL), 0);
	netcfg_commit(cfg);
	cr_assert_eq(fib_lookup(two, &fl, &res), 0, "the old one goes on");
	cr_assert_eq(res.nh->ifindex, eth);
	netcfg_reclaim(cfg, 3);
	cr_assert_eq(cfg->mem.log_len, 0);
	cr_assert_eq(cfg->oldest, cfg->newest);
	netcfg_free(cfg);
}

Test(netcfg, a_filter_spares_the_local_table)
{
	struct route_conf r = { .type = RTN_LOCAL, .ifindex = LO_IFINDEX };
	struct netcfg *cfg = netcfg_new();
	const struct net_snapshot *one, *two;
	unsigned maybe = 0;

	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(add_addr(cfg, LO_IFINDEX, IP(10, 7, i, 1), 32), 0);
	one = netcfg_commit(cfg);
	cr_assert_not_null(one->local_filter);
	for (unsigned i = 0; i < 200; i++)
		cr_assert(fib_filter_maybe(one->local_filter, 0x0a070001 + (i << 8)));
	cr_assert(fib_filter_maybe(one->local_filter, 0x7f123456));
	for (unsigned i = 0; i < 10000; i++)
		maybe += fib_filter_maybe(one->local_filter, 0xc0000000 + i * 7);
	cr_assert_lt(maybe, 600, "%u of 10000", maybe);
	add_link(cfg, "eth0", true);
	two = netcfg_commit(cfg);
	cr_assert_eq(one->local_filter, two->local_filter, "local has not changed");
	for (unsigned i = 0; i < FIB_FILTER_PREFIXES; i++) {
		r.dst = (struct ipprefix){ IP(20 + i, 0, 0, 0), 8 };
		cr_assert_eq(netcfg_route_add(cfg, &r, false, NULL), 0);
	}
	cr_assert_null(netcfg_commit(cfg)->local_filter, "too many networks to go through");
	netcfg_reclaim(cfg, 3);
	netcfg_free(cfg);
}

/* ---- random changes against rules applied from scratch ---- */

static uint64_t rng_state;

static uint32_t rnd(uint32_t n)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rng_state >> 33) % n;
}

#define MODEL_LINKS 4
#define MODEL_ADDRS 64
#define MODEL_ROUTES 200

struct model_addr {
	unsigned link;
	uint32_t a;
	uint8_t  len;
	bool     secondary;
	uint32_t primary;
};

struct model {
	bool              up[MODEL_LINKS];
	struct model_addr addr[MODEL_ADDRS];
	unsigned          naddrs;
	struct route_conf user[MODEL_ROUTES]; /* what was added by hand */
	unsigned          nuser;
};

static uint32_t mask_of(unsigned len) { return len ? UINT32_MAX << (32 - len) : 0; }

/* Without whatever stands between the fields, so that routes can be compared as a whole. */
static void plain(struct route_conf *out, const struct route_conf *r)
{
	memset(out, 0, sizeof(*out));
	out->dst.addr = r->dst.addr;
	out->dst.len = r->dst.len;
	out->gateway = r->gateway;
	out->prefsrc = r->prefsrc;
	out->ifindex = r->ifindex;
	out->metric = r->metric;
	out->table = r->table;
	out->mtu = r->mtu;
	out->advmss = r->advmss;
	out->type = r->type;
	out->scope = r->scope;
	out->protocol = r->protocol;
	out->tos = r->tos;
	out->flags = r->flags;
}

/* All routes there should be, from the addresses and the state of links alone. */
static unsigned model_routes(const struct model *m, struct route_conf *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->naddrs; i++) {
		const struct model_addr *a = &m->addr[i];
		struct route_conf cand[3];
		unsigned nc = 0;
		uint32_t net = a->a & mask_of(a->len);

		cand[nc++] = (struct route_conf){ .dst = { ipaddr_v4(cpu_to_be32(a->a)), 32 }, .type = RTN_LOCAL, .table = RT_TABLE_LOCAL, .scope = RT_SCOPE_HOST };
		if (m->up[a->link] && !a->secondary && a->len < 32) {
			cand[nc++] = (struct route_conf){ .dst = { ipaddr_v4(cpu_to_be32(net)), a->len }, .type = RTN_UNICAST, .table = RT_TABLE_MAIN,
							  .scope = RT_SCOPE_LINK };
			if (a->len < 31)
				cand[nc++] = (struct route_conf){ .dst = { ipaddr_v4(cpu_to_be32(net | ~mask_of(a->len))), 32 }, .type = RTN_BROADCAST,
								  .table = RT_TABLE_LOCAL, .scope = RT_SCOPE_LINK };
		}
		for (unsigned k = 0; k < nc; k++) {
			bool dup = false;

			cand[k].ifindex = (int)a->link + 2;
			cand[k].protocol = RTPROT_KERNEL;
			cand[k].prefsrc = ipaddr_v4(cpu_to_be32(a->secondary ? a->primary : a->a));
			plain(&out[n], &cand[k]);
			for (unsigned j = 0; j < n && !dup; j++)
				dup = !memcmp(&out[j], &out[n], sizeof(out[n]));
			n += !dup;
		}
	}
	for (unsigned i = 0; i < m->nuser; i++)
		plain(&out[n++], &m->user[i]);
	return n;
}

static bool model_is_local(const struct model *m, uint32_t a)
{
	for (unsigned i = 0; i < m->naddrs; i++)
		if (m->addr[i].a == a)
			return true;
	return false;
}

static void model_drop_users(struct model *m, unsigned link, bool all_of_link)
{
	unsigned to = 0;

	for (unsigned i = 0; i < m->nuser; i++) {
		struct route_conf *r = &m->user[i];
		bool drop = (all_of_link && r->ifindex == (int)link + 2) || (r->prefsrc.family && !model_is_local(m, be32_to_cpu(r->prefsrc.v4)));

		if (!drop)
			m->user[to++] = *r;
	}
	m->nuser = to;
}

static void model_addr_del(struct model *m, unsigned at)
{
	struct model_addr v = m->addr[at];
	unsigned to = 0, left = 0;

	for (unsigned i = 0; i < m->naddrs; i++) {
		struct model_addr *a = &m->addr[i];
		bool drop = i == at || (!v.secondary && a->secondary && a->link == v.link && a->len == v.len && !((a->a ^ v.a) & mask_of(v.len)));

		if (drop)
			continue;
		left += a->link == v.link;
		m->addr[to++] = *a;
	}
	m->naddrs = to;
	model_drop_users(m, v.link, !left);
}

static int route_cmp(const void *a, const void *b) { return memcmp(a, b, sizeof(struct route_conf)); }

struct gathered {
	struct route_conf r[MODEL_ROUTES + 3 * MODEL_ADDRS];
	unsigned          n;
};

static int gather(void *arg, const struct route_conf *r)
{
	struct gathered *g = arg;

	if (r->ifindex != LO_IFINDEX)
		plain(&g->r[g->n++], r);
	return 0;
}

static void model_compare(const struct netcfg *cfg, const struct model *m, unsigned step)
{
	struct gathered *got = calloc(1, sizeof(*got)), *want = calloc(1, sizeof(*want));

	netcfg_route_foreach(cfg, 0, gather, got);
	want->n = model_routes(m, want->r);
	cr_assert_eq(got->n, want->n, "step %u: %u routes, %u wanted", step, got->n, want->n);
	qsort(got->r, got->n, sizeof(got->r[0]), route_cmp);
	qsort(want->r, want->n, sizeof(want->r[0]), route_cmp);
	for (unsigned i = 0; i < got->n; i++)
		cr_assert_eq(memcmp(&got->r[i], &want->r[i], sizeof(got->r[i])), 0, "step %u: route %u of %u differs", step, i, got->n);
	/* The longest match of a few addresses. */
	for (unsigned k = 0; k < 4; k++) {
		struct route_query q = { .daddr = IP(10, rnd(3), rnd(3), rnd(256)) };
		struct route_conf r;
		struct ipaddr src;
		int best = -1, rc = netcfg_route_get(cfg, &q, &r, &src);
		bool local = false;

		for (unsigned i = 0; i < want->n; i++) {
			struct route_conf *w = &want->r[i];

			if (cfg_prefix_has(&w->dst, &q.daddr) && w->table == RT_TABLE_LOCAL)
				local = true;
		}
		for (unsigned i = 0; i < want->n; i++) {
			struct route_conf *w = &want->r[i];

			if (cfg_prefix_has(&w->dst, &q.daddr) && (w->table == RT_TABLE_LOCAL) == local && w->dst.len > best)
				best = w->dst.len;
		}
		cr_assert_eq(rc, best < 0 ? -ENETUNREACH : 0);
		if (!rc)
			cr_assert_eq(r.dst.len, best);
	}
	free(got);
	free(want);
}

static int model_step(struct netcfg *cfg, struct model *m, struct netcfg_err *err)
{
	static const uint8_t lens[] = { 8, 16, 23, 24, 25, 30, 31, 32 };
	unsigned link = rnd(MODEL_LINKS);
	int r;

	switch (rnd(8)) {
	case 0:
	case 1:
	case 2: { /* an address more */
		static const uint8_t hosts[] = { 1, 2, 5, 6 }; /* none is another one's broadcast address: the first route in the leaf decides then */
		struct model_addr a = { .link = link, .a = 0x0a000000 | rnd(3) << 16 | rnd(3) << 8 | hosts[rnd(4)], .len = lens[rnd(sizeof(lens))] };
		struct addr_conf c = addr_of((int)link + 2, ipaddr_v4(cpu_to_be32(a.a)), a.len);
		bool exists = false;

		if (m->naddrs == MODEL_ADDRS)
			return 0;
		for (unsigned i = 0; i < m->naddrs; i++) {
			struct model_addr *o = &m->addr[i];

			if (o->link != link || o->len != a.len || ((o->a ^ a.a) & mask_of(a.len)))
				continue;
			exists |= o->a == a.a;
			if (!o->secondary)
				a.primary = o->a;
			a.secondary = true;
		}
		r = netcfg_addr_add(cfg, &c, false, err);
		if (r == -ENOMEM)
			return r;
		cr_assert_eq(r, exists ? -EEXIST : 0, "%s", err->text);
		if (!r)
			m->addr[m->naddrs++] = a;
		return 0;
	}
	case 3: { /* one less */
		unsigned at = m->naddrs ? rnd(m->naddrs) : 0;
		struct addr_conf c;

		if (!m->naddrs)
			return 0;
		c = addr_of((int)m->addr[at].link + 2, ipaddr_v4(cpu_to_be32(m->addr[at].a)), m->addr[at].len);
		r = netcfg_addr_del(cfg, &c, err);
		if (r == -ENOMEM)
			return r;
		cr_assert_eq(r, 0, "%s", err->text);
		model_addr_del(m, at);
		return 0;
	}
	case 4: { /* a link up or down */
		struct link_conf l = *netcfg_link_by_index(cfg, (int)link + 2);

		l.flags ^= NS_IFF_UP;
		r = netcfg_link_set(cfg, &l, err);
		if (r == -ENOMEM)
			return r;
		cr_assert_eq(r, 0);
		m->up[link] = !m->up[link];
		model_drop_users(m, link, !m->up[link]);
		return 0;
	}
	case 5:
	case 6: { /* a route more */
		struct route_conf c = { .dst = { IP(10, rnd(3), 0, 0), 16 }, .metric = 5 + rnd(3), .ifindex = (int)link + 2, .protocol = RTPROT_STATIC };
		bool exists = false;

		if (m->naddrs && rnd(2))
			c.prefsrc = ipaddr_v4(cpu_to_be32(m->addr[rnd(m->naddrs)].a));
		for (unsigned i = 0; i < m->nuser; i++)
			exists |= m->user[i].metric == c.metric && ipaddr_equal(&m->user[i].dst.addr, &c.dst.addr);
		r = netcfg_route_add(cfg, &c, false, err);
		if (r == -ENOMEM)
			return r;
		cr_assert_eq(r, !m->up[link] ? -ENETDOWN : exists ? -EEXIST : 0, "%s", err->text);
		if (r)
			return 0;
		c.type = RTN_UNICAST;
		c.table = RT_TABLE_MAIN;
		c.scope = RT_SCOPE_LINK;
		m->user[m->nuser++] = c;
		return 0;
	}
	default: /* one less */
		if (m->nuser) {
			unsigned at = rnd(m->nuser);

			r = netcfg_route_del(cfg, &m->user[at], err);
			if (r == -ENOMEM)
				return r;
			cr_assert_eq(r, 0, "%s", err->text);
			memmove(&m->user[at], &m->user[at + 1], (m->nuser - at - 1) * sizeof(m->user[0]));
			m->nuser--;
		}
		return 0;
	}
}

/* A snapshot says what the working state said when it was made, by whatever shortcut. */
static void snapshot_compare(const struct netcfg *cfg, const struct net_snapshot *s)
{
	for (unsigned i = 0; i < 30; i++) {
		struct flowi fl = { .daddr = rnd(10) ? IP(10, rnd(3), rnd(3), rnd(8)) : IP(127 + rnd(2), rnd(3), 0, 1) };
		struct fib_result a = { .prefixlen = 0 }, b = { .prefixlen = 0 };
		int r = fib_lookup(s, &fl, &a);

		cr_assert_eq(r, fib_lookup(&cfg->view, &fl, &b));
		cr_assert_eq(a.nh, b.nh);
		cr_assert_eq(a.prefixlen, b.prefixlen);
		cr_assert_eq(inet_addr_type(s, &fl.daddr), inet_addr_type(&cfg->view, &fl.daddr));
	}
}

static void run_model(unsigned seed, bool no_memory, bool roll)
{
	static const char *const names[MODEL_LINKS] = { "a", "b", "c", "d" };
	struct netcfg *cfg = netcfg_new();
	struct model *m = calloc(1, sizeof(*m)), *saved = calloc(1, sizeof(*m));
	struct netcfg_err err;
	unsigned failures = 0;
	bool begun = false;

	rng_state = seed;
	for (unsigned i = 0; i < MODEL_LINKS; i++) {
		m->up[i] = rnd(2);
		cr_assert_eq(add_link(cfg, names[i], m->up[i]), (int)i + 2);
	}
	for (unsigned step = 0; step < 1500; step++) {
		if (no_memory)
			netcfg_fail_after(cfg, rnd(30));
		failures += model_step(cfg, m, &err) == -ENOMEM;
		netcfg_fail_after(cfg, -1);
		model_compare(cfg, m, step);
		if (roll && !rnd(20)) {
			if (!begun) {
				cr_assert_eq(netcfg_begin(cfg), 0);
				*saved = *m;
			} else if (rnd(2)) {
				netcfg_rollback(cfg);
				*m = *saved;
				model_compare(cfg, m, step);
			} else {
				netcfg_end(cfg);
			}
			begun = !begun;
		}
		if (!begun && !rnd(10)) {
			const struct net_snapshot *s;

			if (no_memory) { /* all or nothing here, too */
				netcfg_fail_after(cfg, rnd(5));
				s = netcfg_commit(cfg);
				netcfg_fail_after(cfg, -1);
			}
			s = netcfg_commit(cfg);
			cr_assert_not_null(s);
			snapshot_compare(cfg, s);
			if (rnd(2))
				netcfg_reclaim(cfg, net_snapshot_version(s));
		}
	}
	cr_assert(!no_memory || failures > 50);
	netcfg_free(cfg);
	free(m);
	free(saved);
}

Test(netcfg, agrees_with_rules_applied_from_scratch) { for (unsigned seed = 1; seed < 5; seed++) run_model(seed, false, false); }
Test(netcfg, no_memory_changes_nothing) { for (unsigned seed = 11; seed < 14; seed++) run_model(seed, true, false); }
Test(netcfg, rollback_returns) { for (unsigned seed = 21; seed < 24; seed++) run_model(seed, true, true); }
