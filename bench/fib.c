/* SPDX-License-Identifier: MIT */
/*
 * fib.c: figures of the routing table: building a table of a million routes, its memory, one change with its publication, lookups of random and of few
 * destinations. Prints one line a figure. The mix of prefix lengths is like that of the Internet's table: three in five are /24, the rest from /16 up.
 */
#include "fib.h"
#include "netcfg_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOKUPS 3000000u
#define CHANGES 50000u

static uint64_t rng_state = 1;

static uint32_t rnd(void)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rng_state >> 32);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t random_dst(void) { return 0x40000000u | (rnd() % 0x300000u) << 8 | 7; }

static struct route_conf random_route(void)
{
	uint32_t r = rnd(), len = r % 5 < 3 ? 24 : 16 + r / 5 % 9, a = random_dst() & UINT32_MAX << (32 - len);
	struct route_conf c = { .dst = { ipaddr_v4(cpu_to_be32(a)), (uint8_t)len }, .gateway = ipaddr_v4(cpu_to_be32(0x0a000002 + rnd() % 32)) };

	return c;
}

static double lookups(const struct net_snapshot *snap, const struct route_conf *few)
{
	double start = seconds();
	struct fib_result res;
	unsigned found = 0;

	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct flowi fl = { .daddr = few ? few[i & 63].dst.addr : ipaddr_v4(cpu_to_be32(random_dst())) };

		found += !fib_lookup(snap, &fl, &res);
	}
	if (!found)
		abort();
	return (seconds() - start) / LOOKUPS * 1e9;
}

int main(int argc, char **argv)
{
	unsigned want = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1000000, n = 0;
	struct link_conf link = { .name = "eth0", .type = LINK_VIRTUAL, .flags = NS_IFF_UP };
	struct addr_conf addr = { .local = { ipaddr_v4(cpu_to_be32(0x0a000001)), 24 } };
	struct netcfg *cfg = netcfg_new();
	const struct net_snapshot *snap;
	struct route_conf few[64];
	double start;

	if (!cfg || netcfg_link_add(cfg, &link, 1, &addr.ifindex, NULL) || netcfg_addr_add(cfg, &addr, false, NULL))
		return 1;
	start = seconds();
	while (n < want) {
		struct route_conf r = random_route();

		if (netcfg_route_add(cfg, &r, true, NULL))
			return 1;
		n++;
	}
	printf("fib-build %.3f s for %u additions, %zu routes\n", seconds() - start, n, cfg->tables[CFG_MAIN]->nroutes);
	printf("fib-memory %.1f bytes a route\n", (double)cfg->mem.bytes / (double)cfg->tables[CFG_MAIN]->nroutes);
	snap = netcfg_commit(cfg);
	start = seconds();
	for (n = 0; n < CHANGES && snap; n++) {
		struct route_conf r = random_route();

		if (netcfg_route_add(cfg, &r, true, NULL))
			return 1;
		snap = netcfg_commit(cfg);
		if (snap)
			netcfg_reclaim(cfg, net_snapshot_version(snap));
	}
	if (!snap)
		return 1;
	printf("fib-change %.2f us with publication and reclaim\n", (seconds() - start) / CHANGES * 1e6);
	for (unsigned i = 0; i < 64; i++)
		few[i] = random_route();
	printf("fib-lookup-random %.1f ns\n", lookups(snap, NULL));
	printf("fib-lookup-few %.1f ns\n", lookups(snap, few));
	netcfg_free(cfg);
	return 0;
}
