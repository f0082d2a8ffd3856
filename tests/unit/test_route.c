/* SPDX-License-Identifier: MIT */
/*
 * test_route.c: identifications of IP packets, learned path MTUs, and that the cache of input routes never outlives what it was made from.
 */
#include "host.h"
#include "route.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static be32 a4(uint32_t h) { return cpu_to_be32(h); }

/* RFC 6864 4.1: packets of one (source, destination, protocol) do not repeat an identification, whichever shard sends them. */
Test(route, idents_are_unique_over_shards)
{
	static uint8_t seen[65536];
	struct host *h = host_new("h", 4, 5, NULL, NULL);

	host_apply(h);
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 10000; i++) {
		for (unsigned c = 0; c < 4; c++) {
			uint16_t id = ip_ident_reserve(h->shard[c].stack, a4(0xc0000201), a4(0xc0000202), 17, 1);

			/* the shards' counters are apart, so they come round at different times: within a quarter of the space nothing comes twice on one shard */
			cr_assert(!(seen[id] & 1 << c), "identification %u again on shard %u", id, c);
			seen[id] |= (uint8_t)(1 << c);
			cr_assert(seen[id] == 1 << c, "identification %u on two shards", id);
		}
	}
	host_free(h);
}

/* n in a row are really reserved; destinations are not in step with each other. */
Test(route, idents_reserve_and_differ)
{
	struct host *h = host_new("h", 1, 5, NULL, NULL);
	struct stack *st = h->shard[0].stack;
	uint16_t a, b;
	unsigned same = 0;

	host_apply(h);
	a = ip_ident_reserve(st, 1, 2, 17, 40);
	b = ip_ident_reserve(st, 1, 2, 17, 1);
	cr_assert(b == (uint16_t)(a + 40));
	for (uint32_t i = 0; i < 1000; i++)
		same += ip_ident_reserve(st, 1, 1000 + i, 17, 1) == ip_ident_reserve(st, 1, 5000 + i, 17, 1);
	cr_assert(same < 5);
	/* time that has passed hides how many went elsewhere */
	a = ip_ident_reserve(st, 1, 2, 17, 1);
	host_run(h, h->now + 10 * NSEC_PER_SEC);
	host_touch(h, 0);
	b = ip_ident_reserve(st, 1, 2, 17, 1);
	cr_assert((uint16_t)(b - a) != 1);
	host_free(h);
}

static void add_route(struct host *h, uint32_t dst, uint8_t len, uint32_t gw, bool replace)
{
	struct route_conf r = { .dst = { ipaddr_v4(a4(dst)), len }, .gateway = ipaddr_v4(a4(gw)) };
	struct netcfg_err err;

	cr_assert(netcfg_route_add(h->cfg, &r, replace, &err) == 0, "%s", err.text);
}

static enum skb_drop_reason input(struct host *h, uint32_t daddr, uint32_t saddr, struct skb_route *rt)
{
	struct stack *st = host_touch(h, 0);
	struct sk_buff *skb = alloc_skb(stack_skb_pool(st), 256, 128);
	enum skb_drop_reason r;

	skb->dev = dev_get_by_index(st, 2);
	memset(skb_put(skb, 20), 0, 20);
	skb_reset_network_header(skb);
	r = ip_route_input(st, skb, a4(daddr), a4(saddr), 0, skb->dev);
	*rt = skb->rt;
	consume_skb(skb);
	return r;
}

/* The second answer comes from the cache; every change of the configuration is heeded by the very next packet. */
Test(route, input_cache_follows_the_configuration)
{
	struct host *h = host_new("h", 1, 5, NULL, NULL);
	struct route_conf del = { .dst = { ipaddr_v4(a4(0x0a000000)), 8 } };
	struct skb_route rt, again;
	int e0 = host_link(h, "eth0", "192.0.2.1/24", 0x10, 1500, 0), e1 = host_link(h, "eth1", "198.51.100.1/24", 0x11, 1500, 0);
	struct link_conf l;

	cr_assert(e0 == 2 && e1 == 3);
	netcfg_sysctl_set(h->cfg, "net.ipv4.ip_forward", "1", NULL);
	add_route(h, 0x0a000000, 8, 0xc6336407, false);
	host_apply(h);
	cr_assert(input(h, 0x0a000001, 0xc0000202, &rt) == SKB_CONSUMED && rt.nexthop.v4 == a4(0xc6336407) && rt.dev->ifindex == e1);
	cr_assert(input(h, 0x0a000001, 0xc0000202, &again) == SKB_CONSUMED && memcmp(&rt, &again, sizeof(rt)) == 0);
	add_route(h, 0x0a000000, 8, 0xc6336408, true);
	host_apply(h);
	cr_assert(input(h, 0x0a000001, 0xc0000202, &rt) == SKB_CONSUMED && rt.nexthop.v4 == a4(0xc6336408));
	l = *netcfg_link_by_index(h->cfg, e1);
	l.mtu = 1400;
	cr_assert(netcfg_link_set(h->cfg, &l, NULL) == 0);
	host_apply(h);
	cr_assert(input(h, 0x0a000001, 0xc0000202, &rt) == SKB_CONSUMED && rt.mtu == 1400);
	netcfg_sysctl_set(h->cfg, "net.ipv4.conf.all.rp_filter", "1", NULL);
	host_apply(h);
	cr_assert(input(h, 0x0a000001, 0xc6336402, &rt) == SKB_DROP_IP_RPFILTER);
	netcfg_sysctl_set(h->cfg, "net.ipv4.conf.all.rp_filter", "0", NULL);
	cr_assert(netcfg_route_del(h->cfg, &del, NULL) == 0);
	host_apply(h);
	cr_assert(input(h, 0x0a000001, 0xc0000202, &rt) == SKB_DROP_IP_INNOROUTES);
	netcfg_sysctl_set(h->cfg, "net.ipv4.ip_forward", "0", NULL);
	host_apply(h);
	cr_assert(input(h, 0xc6336402, 0xc0000202, &rt) == SKB_DROP_IP_FORWARDING_OFF);
	host_run(h, h->now + NSEC_PER_SEC);
	while (host_sent_peek(h))
		free(host_sent(h));
	host_run(h, h->now + 10 * NSEC_PER_SEC);
	while (host_sent_peek(h))
		free(host_sent(h));
	host_free(h);
}

/* A flood of learned MTUs keeps its bound, and forgets the oldest; the values expire. */
Test(route, path_mtus_are_bounded)
{
	struct host *h = host_new("h", 2, 5, NULL, NULL);
	struct stack *st;
	struct ipaddr d = ipaddr_v4(a4(0x0b000000));
	uint32_t genid;

	host_apply(h);
	st = host_touch(h, 0);
	genid = route_genid(st);
	for (uint32_t i = 0; i < 10000; i++) {
		d.v4 = a4(0x0b000000 + i);
		ip_rt_update_pmtu(st, &d, 1000);
	}
	cr_assert(route_genid(st) != genid);
	cr_assert(ip_rt_pmtu(st, &d, 1500) == 1000);
	d.v4 = a4(0x0b000000);
	cr_assert(ip_rt_pmtu(st, &d, 1500) == 1500);
	host_run(h, h->now + NSEC_PER_SEC);
	d.v4 = a4(0x0b000000 + 9999);
	/* in a flood other shards are told of some only; when it is over, of each again */
	cr_assert(ip_rt_pmtu(h->shard[1].stack, &d, 1500) == 1500);
	ip_rt_update_pmtu(host_touch(h, 0), &d, 1000);
	host_run(h, h->now);
	cr_assert(ip_rt_pmtu(h->shard[1].stack, &d, 1500) == 1000, "the other shard was not told");
	ip_rt_update_pmtu(host_touch(h, 0), &d, 1200);
	cr_assert(ip_rt_pmtu(st, &d, 1500) == 1000, "a larger value replaced a smaller one before its time");
	genid = route_genid(st);
	host_run(h, h->now + 700 * NSEC_PER_SEC);
	cr_assert(ip_rt_pmtu(st, &d, 1500) == 1500 && route_genid(st) != genid);
	cr_assert(host_next(h) == KTIME_MAX);
	host_free(h);
}
