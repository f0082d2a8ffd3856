/* SPDX-License-Identifier: MIT */
/*
 * test_flow_limit.c: the flow limit's judgement (skb_flow_limit of steer.c) compared with a twin that keeps all frames and counts the last 128 of them.
 */
#include "dev.h"
#include "host.h"
#include "stack_priv.h"
#include "steer.h"
#include "wire/wire.h"
#include <criterion/criterion.h>

#define FRAMES 6000

static struct host *limited(const char *bitmap, const char *table_len)
{
	struct host *h = host_new("limited", 2, 1, NULL, NULL);

	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.flow_limit_cpu_bitmap", bitmap, NULL), 0);
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.flow_limit_table_len", table_len, NULL), 0);
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.netdev_max_backlog", "100", NULL), 0);
	host_apply(h);
	return h;
}

/* One flow after the other sends too much. It is cut while more than half of the last 128 are its own, and not a frame longer. */
static void compare(const char *table_len, uint32_t first)
{
	struct host *h = limited("1", table_len);
	struct stack *stack = h->shard[0].stack;
	struct sk_buff *skb = alloc_skb(stack->pool, 100, 0);
	uint64_t rng = test_seed("flow_limit", 1);
	static uint32_t flow[FRAMES];
	unsigned cut = 0;

	skb->protocol = ETH_P_IP;
	for (unsigned n = 0; n < FRAMES; n++) {
		unsigned same = 1;

		skb->hash = flow[n] = first + (test_random_below(&rng, 4) ? 1 + n / 300 % 3 : 4 + test_random_below(&rng, 60));
		for (unsigned i = n < 127 ? 0 : n - 127; i < n; i++)
			same += flow[i] == flow[n];
		cr_assert_eq(skb_flow_limit(stack, skb, 50), same > 64, "frame %u of flow %u, %u of the last 128", n, flow[n], same);
		cut += same > 64;
		cr_assert(!skb_flow_limit(stack, skb, 49), "there is room: it is not even counted");
	}
	cr_expect(cut > FRAMES / 4 && cut < FRAMES * 3 / 4, "%u were cut", cut);
	cr_expect_eq(stack->softnet.flow_limit_count, cut);
	consume_skb(skb);
	host_free(h);
}

Test(flow_limit, is_about_the_last_128) { compare("4096", 0); }
Test(flow_limit, in_the_largest_table) { compare("1048576", 1000000); }

/* The table follows its setting while it is in use, and goes with the last bit of the mask. */
Test(flow_limit, settings_count_at_once)
{
	struct host *h = limited("1", "64");

	cr_expect_eq(h->shard[0].stack->steer->limit->nbuckets, 64u);
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.flow_limit_table_len", "256", NULL), 0);
	host_apply(h);
	cr_expect_eq(h->shard[0].stack->steer->limit->nbuckets, 256u);
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.core.flow_limit_cpu_bitmap", "0", NULL), 0);
	host_apply(h);
	cr_expect_null(h->shard[0].stack->steer->limit);
	host_free(h);
}

/* The bitmap says on which shards. */
Test(flow_limit, is_a_shards_own)
{
	struct host *h = limited("2", "4096");

	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct stack *stack = h->shard[cpu].stack;
		struct sk_buff *skb = alloc_skb(stack->pool, 100, 0);
		unsigned cut = 0;

		skb->protocol = ETH_P_IP;
		skb->hash = 7;
		for (unsigned n = 0; n < 100; n++)
			cut += skb_flow_limit(stack, skb, 100);
		cr_expect_eq(cut, cpu ? 36u : 0u, "shard %u: %u", cpu, cut);
		consume_skb(skb);
	}
	host_free(h);
}
