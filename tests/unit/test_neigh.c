/* SPDX-License-Identifier: MIT */
/*
 * test_neigh.c: the neighbour table under load: what a flood can displace and what not, collection, growth.
 */
#include "host.h"
#include "neigh.h"
#include "route.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>

struct census {
	unsigned all, reachable, incomplete, permanent, stale, failed;
	be32     look; /* is this one there? */
	uint8_t  found;
};

static int count(void *arg, const struct neigh_info *i)
{
	struct census *c = arg;

	c->all++;
	c->reachable += i->nud == NUD_REACHABLE;
	c->incomplete += i->nud == NUD_INCOMPLETE;
	c->permanent += i->nud == NUD_PERMANENT;
	c->stale += i->nud == NUD_STALE;
	c->failed += i->nud == NUD_FAILED;
	if (i->addr.v4 == c->look)
		c->found = i->nud;
	return 0;
}

static struct census census(struct host *h, uint32_t look)
{
	struct census c = { .look = cpu_to_be32(look) };

	stack_neigh_foreach(h->shard[0].stack, count, &c);
	return c;
}

static uint32_t addr(unsigned i) { return 0x0a000000u + 100 + i; }

static struct host *make(const char *thresh3)
{
	struct host *h = host_new("h", 1, 3, NULL, NULL);
	struct neigh_conf perm = { .addr = ipaddr_v4(cpu_to_be32(0x0a000002)), .lladdr = { { 2, 0, 0, 0, 1, 2 } } };

	perm.ifindex = host_link(h, "eth0", "10.0.0.1/8", 0x10, 1500, 0);
	netcfg_neigh_add(h->cfg, &perm, false, NULL);
	netcfg_sysctl_set(h->cfg, "net.ipv4.neigh.default.gc_thresh2", "100", NULL);
	netcfg_sysctl_set(h->cfg, "net.ipv4.neigh.default.gc_thresh1", "50", NULL);
	netcfg_sysctl_set(h->cfg, "net.ipv4.neigh.default.gc_thresh3", thresh3, NULL);
	host_apply(h);
	return h;
}

static struct net_device *dev_of(struct host *h) { return dev_get_by_index(h->shard[0].stack, 2); }

static void drain(struct host *h)
{
	struct host_frame *f;

	while ((f = host_sent(h)))
		free(f);
}

/* A packet of our own to the i-th host. */
static int output(struct host *h, uint32_t to)
{
	struct stack *st = host_touch(h, 0);
	struct sk_buff *skb = alloc_skb(stack_skb_pool(st), 256, 128);

	memset(skb_put(skb, 40), 0x45, 40);
	skb_reset_network_header(skb);
	skb->protocol = ETH_P_IP;
	skb->rt = (struct skb_route){ .dev = dev_of(h), .nexthop = ipaddr_v4(cpu_to_be32(to)), .mtu = 1500, .type = RTN_UNICAST, .flags = RT_F_INPUT };
	return neigh_output(st, skb);
}

static void learn(struct host *h, uint32_t who, unsigned flags)
{
	struct ipaddr a = ipaddr_v4(cpu_to_be32(who));
	struct eth_addr mac = { { 2, 1, (uint8_t)(who >> 24), (uint8_t)(who >> 16), (uint8_t)(who >> 8), (uint8_t)who } };

	neigh_learn(host_touch(h, 0), dev_of(h), &a, &mac, flags);
}

static void end(struct host *h)
{
	drain(h);
	host_run(h, h->now + 60 * NSEC_PER_SEC);
	drain(h);
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
}

/* A scan of thousands of addresses where nobody is: live and permanent entries stay, the table keeps its bound, new resolutions go on. */
Test(neigh, scan_displaces_no_live_entry)
{
	struct host *h = make("200");
	struct census c;

	for (unsigned i = 0; i < 40; i++) {
		output(h, addr(i));
		learn(h, addr(i), NEIGH_LEARN_SOLICITED);
	}
	for (unsigned i = 0; i < 5000; i++) {
		cr_assert(output(h, addr(1000 + i)) == 0);
		if (i % 100 == 0) {
			host_run(h, h->now + 5 * NSEC_PER_MSEC);
			drain(h);
		}
	}
	c = census(h, addr(1000 + 4999));
	cr_assert(c.reachable == 40, "%u live entries are left of 40", c.reachable);
	cr_assert(c.permanent == 1 && c.all <= 201, "%u entries", c.all);
	cr_assert(c.found == NUD_INCOMPLETE, "the newcomer was not taken");
	learn(h, addr(1000 + 4999), NEIGH_LEARN_SOLICITED);
	c = census(h, addr(1000 + 4999));
	cr_assert(c.found == NUD_REACHABLE);
	cr_assert(host_drops(h, SKB_DROP_NEIGH_TABLE_FULL) > 4000);
	end(h);
}

/* A flood of ARP requests from invented senders: neither who is live, nor who is being resolved, nor who was talked to goes. */
Test(neigh, announcements_displace_only_each_other)
{
	struct host *h = make("200");
	struct census c;

	for (unsigned i = 0; i < 40; i++) {
		output(h, addr(i));
		learn(h, addr(i), i < 20 ? NEIGH_LEARN_SOLICITED : 0);
	}
	output(h, addr(500));
	for (unsigned i = 0; i < 5000; i++)
		learn(h, addr(1000 + i), NEIGH_LEARN_CREATE);
	c = census(h, addr(500));
	cr_assert(c.reachable == 20 && c.found == NUD_INCOMPLETE && c.permanent == 1 && c.all <= 201);
	for (unsigned i = 20; i < 40; i++)
		cr_assert(census(h, addr(i)).found != 0, "host %u is gone", i);
	end(h);
}

/* A table full of live entries takes no more, and says so. */
Test(neigh, full_of_live_entries)
{
	struct host *h = make("30");

	for (unsigned i = 0; i < 30; i++) {
		output(h, addr(i));
		learn(h, addr(i), NEIGH_LEARN_SOLICITED);
	}
	cr_assert(output(h, addr(99)) == -ENOBUFS);
	cr_assert(host_drops(h, SKB_DROP_NEIGH_TABLE_FULL) == 1 && host_mib(h, MIB_Neigh_TableFulls) == 1);
	cr_assert(census(h, 0).reachable == 30);
	end(h);
}

/* Every gc_interval what nobody used for gc_stale_time goes, down to gc_thresh1; below it everything stays. */
Test(neigh, unused_entries_are_collected)
{
	struct host *h = make("1000");

	for (unsigned i = 0; i < 90; i++)
		learn(h, addr(i), NEIGH_LEARN_CREATE);
	cr_assert(census(h, 0).stale == 90);
	host_run(h, h->now + 50 * NSEC_PER_SEC);
	cr_assert(census(h, 0).stale == 90);
	host_run(h, h->now + 60 * NSEC_PER_SEC);
	cr_assert(census(h, 0).all == 50, "%u", census(h, 0).all);
	host_run(h, h->now + 600 * NSEC_PER_SEC);
	cr_assert(census(h, 0).all == 50 && census(h, 0).permanent == 1);
	end(h);
}

/* With nothing to collect the wheel is empty: an idle shard is not woken. */
Test(neigh, idle_needs_no_timer)
{
	struct host *h = make("1000");

	output(h, addr(1));
	learn(h, addr(1), NEIGH_LEARN_SOLICITED);
	host_run(h, h->now + 100 * NSEC_PER_SEC);
	cr_assert(census(h, addr(1)).found == NUD_STALE);
	cr_assert(host_next(h) == KTIME_MAX);
	end(h);
}

/* The hash grows; every entry is found again. */
Test(neigh, grows)
{
	struct host *h = make("100000");

	netcfg_sysctl_set(h->cfg, "net.ipv4.neigh.default.gc_thresh2", "100000", NULL);
	host_apply(h);
	for (unsigned i = 0; i < 20000; i++)
		learn(h, addr(i), NEIGH_LEARN_CREATE);
	drain(h);
	for (unsigned i = 0; i < 20000; i++)
		output(h, addr(i));
	cr_assert(census(h, 0).all == 20001);
	cr_assert(host_mib(h, MIB_Neigh_Allocs) == 20001 && host_mib(h, MIB_Arp_OutRequests) == 0);
	end(h);
}

/* Deleting by hand, flushing: permanent ones stay. */
Test(neigh, delete_and_flush)
{
	struct host *h = make("1000");
	struct ipaddr a = ipaddr_v4(cpu_to_be32(addr(1))), perm = ipaddr_v4(cpu_to_be32(0x0a000002));

	for (unsigned i = 0; i < 10; i++)
		learn(h, addr(i), NEIGH_LEARN_CREATE);
	output(h, addr(77));
	cr_assert(stack_neigh_delete(h->shard[0].stack, 2, &a, h->now) == 0);
	cr_assert(stack_neigh_delete(h->shard[0].stack, 2, &a, h->now) == -ENOENT);
	cr_assert(stack_neigh_delete(h->shard[0].stack, 2, &perm, h->now) == -ENOENT);
	cr_assert(census(h, 0).all == 11);
	stack_neigh_flush(h->shard[0].stack, 0, h->now);
	cr_assert(census(h, 0).all == 1 && census(h, 0).permanent == 1);
	cr_assert(host_drops(h, SKB_DROP_NEIGH_DEAD) == 1);
	end(h);
}
