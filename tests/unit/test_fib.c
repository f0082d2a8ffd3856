/* SPDX-License-Identifier: MIT */
/*
 * test_fib.c: the persistent trie against a list that is searched from end to end, on random routes of both families: inserts, replaces, removals,
 * versions that go on answering as they did, savepoints that are undone, and memory that runs out at every allocation in turn.
 */
#include "fib.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static uint64_t rng_state;

static uint32_t rnd(uint32_t n)
{
	rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rng_state >> 33) % n;
}

struct naive_route {
	struct ipprefix         dst;
	struct fib_nexthop_info nh;
	uint32_t                order; /* of arrival, for equals */
};

#define NAIVE_MAX 600

struct naive {
	struct naive_route r[NAIVE_MAX];
	unsigned           n;
};

static struct ipaddr random_addr(uint16_t family)
{
	struct ipaddr a = IPADDR_NONE;

	a.family = family;
	/* Few different bytes, so that prefixes nest and collide. */
	for (unsigned i = 0; i < (family == AF_INET ? 4u : 16u); i++)
		a.b[i] = (uint8_t)(rnd(3) ? rnd(3) * 0x55 : rnd(256));
	return a;
}

static struct ipaddr mask_addr(struct ipaddr a, unsigned len)
{
	for (unsigned i = 0; i < 16; i++)
		a.b[i] &= len >= 8 * (i + 1) ? 0xff : len <= 8 * i ? 0 : (uint8_t)(0xff00 >> (len - 8 * i));
	return a;
}

static struct ipprefix random_prefix(uint16_t family)
{
	static const uint8_t often[] = { 0, 6, 8, 16, 24, 30, 31, 32 };
	struct ipprefix p = { .addr = random_addr(family) };

	p.len = rnd(2) ? often[rnd(sizeof(often))] : (uint8_t)rnd(family == AF_INET ? 33 : 129);
	p.addr = mask_addr(p.addr, p.len);
	return p;
}

static struct fib_nexthop_info random_nh(void)
{
	struct fib_nexthop_info nh = { .ifindex = 1 + (int)rnd(4), .metric = rnd(3), .tos = rnd(6) ? 0 : 16, .type = rnd(12) ? RTN_UNICAST : RTN_THROW,
				       .scope = RT_SCOPE_LINK, .table = 254 };
	return nh;
}

/* Which of two routes to one prefix comes first. */
static bool before(const struct naive_route *a, const struct naive_route *b)
{
	if (a->nh.tos != b->nh.tos)
		return a->nh.tos > b->nh.tos;
	if (a->nh.metric != b->nh.metric)
		return a->nh.metric < b->nh.metric;
	return a->order < b->order;
}

static const struct naive_route *naive_lookup(const struct naive *t, const struct flowi *fl)
{
	const struct naive_route *best = NULL;

	for (unsigned i = 0; i < t->n; i++) {
		const struct naive_route *r = &t->r[i];
		struct ipaddr a;

		if (r->dst.addr.family != fl->daddr.family || (r->nh.tos && r->nh.tos != fl->tos))
			continue;
		if (fl->oif && r->nh.ifindex != fl->oif && r->nh.type != RTN_THROW)
			continue;
		a = mask_addr(fl->daddr, r->dst.len);
		if (!ipaddr_equal(&a, &r->dst.addr))
			continue;
		if (!best || r->dst.len > best->dst.len || (r->dst.len == best->dst.len && before(r, best)))
			best = r;
	}
	return best;
}

static void compare(const struct fib_table *table, const struct naive *t, unsigned lookups)
{
	cr_assert_eq(table->nroutes, t->n);
	for (unsigned i = 0; i < lookups; i++) {
		struct flowi fl = { .daddr = random_addr(rnd(2) ? AF_INET : AF_INET6), .oif = rnd(4) ? 0 : (int)rnd(5), .tos = rnd(4) ? 0 : 16 };
		const struct naive_route *want = naive_lookup(t, &fl);
		struct fib_result res;
		int r;

		if (t->n && rnd(2)) /* something that is likely to match */
			fl.daddr = t->r[rnd(t->n)].dst.addr, want = naive_lookup(t, &fl);
		r = fib_table_lookup(table, &fl, 0, &res);
		if (!want || want->nh.type == RTN_THROW) {
			cr_assert_eq(r, -EAGAIN);
			continue;
		}
		cr_assert_eq(r, 0);
		cr_assert_eq(res.prefixlen, want->dst.len);
		cr_assert_eq(res.nh->ifindex, want->nh.ifindex);
		cr_assert_eq(res.nh->metric, want->nh.metric);
		cr_assert_eq(res.nh->tos, want->nh.tos);
	}
}

struct walk_check {
	const struct naive *t;
	unsigned            n;
	struct ipprefix     last;
	bool                started;
};

static int walk_one(void *arg, const struct ipprefix *dst, const struct fib_info *fi)
{
	struct walk_check *w = arg;
	bool found = false;

	for (unsigned i = 0; i < w->t->n && !found; i++)
		found = !memcmp(&w->t->r[i].dst.addr, &dst->addr, sizeof(dst->addr)) && w->t->r[i].dst.len == dst->len &&
			!memcmp(&w->t->r[i].nh, &fi->nh, sizeof(fi->nh));
	cr_assert(found, "the walk shows a route that is not there");
	if (w->started && w->last.addr.family == dst->addr.family) {
		int d = memcmp(w->last.addr.b, dst->addr.b, 16);

		cr_assert(d < 0 || (d == 0 && w->last.len <= dst->len), "the walk is out of order");
	}
	w->started = true;
	w->last = *dst;
	w->n++;
	return 0;
}

static void check_walk(const struct fib_table *table, const struct naive *t)
{
	struct walk_check w = { .t = t };

	fib_table_walk(table, walk_one, &w);
	cr_assert_eq(w.n, t->n);
}

static int find_same(const struct naive *t, const struct ipprefix *dst, const struct fib_nexthop_info *nh)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->r[i].dst.len == dst->len && ipaddr_equal(&t->r[i].dst.addr, &dst->addr) && !memcmp(&t->r[i].nh, nh, sizeof(*nh)))
			return (int)i;
	return -1;
}

/* One random change of both. False: the trie found no memory, and neither changed. */
static bool change(struct fib_mem *mem, struct fib_table *table, struct naive *t, uint32_t *order)
{
	if (t->n && (rnd(5) < 2 || t->n == NAIVE_MAX)) {
		unsigned i = rnd(t->n);
		struct fib_info *fi = fib_info_get(mem, &t->r[i].nh, 0);
		int r;

		if (!fi)
			return false;
		r = fib_route_remove(mem, table, &t->r[i].dst, fi);
		fib_info_put(mem, fi);
		if (r == -ENOMEM)
			return false;
		cr_assert_eq(r, 0);
		memmove(&t->r[i], &t->r[i + 1], (t->n - i - 1) * sizeof(t->r[0]));
		t->n--;
		return true;
	}
	if (t->n && !rnd(6)) {
		unsigned i = rnd(t->n);
		struct fib_nexthop_info nh = t->r[i].nh;
		struct fib_info *old, *fi;
		int r;

		nh.ifindex = 5 + (int)rnd(3);
		if (find_same(t, &t->r[i].dst, &nh) >= 0)
			return true;
		old = fib_info_get(mem, &t->r[i].nh, 0);
		if (!old)
			return false;
		fi = fib_info_get(mem, &nh, 0);
		if (!fi) {
			fib_info_put(mem, old);
			return false;
		}
		r = fib_route_replace(mem, table, &t->r[i].dst, old, fi);
		fib_info_put(mem, old);
		if (r) {
			cr_assert_eq(r, -ENOMEM);
			fib_info_put(mem, fi);
			return false;
		}
		t->r[i].nh = nh;
		return true;
	} else {
		struct naive_route nr = { .dst = random_prefix(rnd(3) ? AF_INET : AF_INET6), .nh = random_nh(), .order = ++*order };
		struct fib_info *fi;

		if (find_same(t, &nr.dst, &nr.nh) >= 0)
			return true;
		fi = fib_info_get(mem, &nr.nh, 0);
		if (!fi)
			return false;
		if (fib_route_insert(mem, table, &nr.dst, fi, FIB_APPEND)) {
			fib_info_put(mem, fi);
			return false;
		}
		t->r[t->n++] = nr;
		return true;
	}
}

Test(fib, agrees_with_a_list)
{
	for (unsigned seed = 1; seed <= 6; seed++) {
		struct fib_table table = { .id = 254 }, *tables[1] = { &table };
		struct naive *t = calloc(1, sizeof(*t));
		struct fib_mem mem;
		uint32_t order = 0;

		rng_state = seed;
		cr_assert_eq(fib_mem_init(&mem), 0);
		for (unsigned step = 0; step < 3000; step++) {
			cr_assert(change(&mem, &table, t, &order));
			compare(&table, t, 4);
			if (!rnd(100))
				check_walk(&table, t);
			if (!rnd(50))
				fib_publish(&mem);
			if (!rnd(200))
				fib_reclaim(&mem, mem.version - 1);
		}
		fib_mem_exit(&mem, tables, 1);
		cr_assert_eq(mem.nodes, 0);
		cr_assert_eq(mem.lists, 0);
		cr_assert_eq(mem.bytes, 0);
		cr_assert_eq(mem.ninfos, 0, "seed %u", seed);
		free(t);
	}
}

Test(fib, old_versions_answer_as_they_did)
{
	enum { KEEP = 12 };
	struct fib_table table = { .id = 254 }, *tables[1] = { &table }, old[KEEP];
	struct naive *t = calloc(1, sizeof(*t)), *then = calloc(KEEP, sizeof(*then));
	uint64_t version[KEEP];
	unsigned first = 0, n = 0;
	struct fib_mem mem;
	uint32_t order = 0;

	rng_state = 77;
	cr_assert_eq(fib_mem_init(&mem), 0);
	for (unsigned step = 0; step < 400; step++) {
		unsigned at;

		for (unsigned i = rnd(30); i; i--)
			change(&mem, &table, t, &order);
		if (n == KEEP) { /* the oldest one is no longer read: every reader has the next one */
			fib_reclaim(&mem, version[(first + 1) % KEEP]);
			first = (first + 1) % KEEP;
			n--;
		}
		at = (first + n++) % KEEP;
		old[at] = table;
		then[at] = *t;
		version[at] = mem.version;
		fib_publish(&mem);
		for (unsigned i = 0; i < n; i++)
			compare(&old[(first + i) % KEEP], &then[(first + i) % KEEP], 6);
	}
	fib_reclaim(&mem, mem.version - 1);
	cr_assert_eq(mem.log_len, 0);
	compare(&table, t, 100);
	fib_mem_exit(&mem, tables, 1);
	cr_assert_eq(mem.nodes + mem.lists + mem.bytes, 0);
	free(t);
	free(then);
}

Test(fib, savepoints_undo_and_nest)
{
	struct fib_table table = { .id = 254 }, *tables[1] = { &table };
	struct naive *t = calloc(1, sizeof(*t)), *outer = malloc(sizeof(*outer)), *inner = malloc(sizeof(*inner));
	struct fib_mem mem;
	uint32_t order = 0;

	rng_state = 5;
	cr_assert_eq(fib_mem_init(&mem), 0);
	for (unsigned round = 0; round < 300; round++) {
		struct fib_table saved = table, saved_inner;
		struct fib_savepoint sp, sp_inner;
		size_t nodes = mem.nodes, lists = mem.lists, bytes = mem.bytes;
		uint32_t infos = mem.ninfos;

		*outer = *t;
		fib_savepoint_begin(&mem, &sp);
		for (unsigned k = rnd(4); k; k--) {
			for (unsigned i = rnd(20); i; i--)
				change(&mem, &table, t, &order);
			saved_inner = table;
			*inner = *t;
			fib_savepoint_begin(&mem, &sp_inner);
			for (unsigned i = rnd(20); i; i--)
				change(&mem, &table, t, &order);
			if (rnd(2)) {
				fib_undo_table(&mem, &table, &saved_inner);
				fib_savepoint_undo(&mem, &sp_inner, tables, 1);
				*t = *inner;
			} else {
				fib_savepoint_end(&mem, &sp_inner);
			}
			compare(&table, t, 20);
		}
		if (rnd(2)) {
			fib_undo_table(&mem, &table, &saved);
			fib_savepoint_undo(&mem, &sp, tables, 1);
			*t = *outer;
			cr_assert_eq(mem.nodes, nodes + 0, "round %u: %zu nodes, %zu before", round, mem.nodes, nodes);
			cr_assert_eq(mem.lists, lists);
			cr_assert_eq(mem.bytes, bytes);
			cr_assert_eq(mem.ninfos, infos);
		} else {
			fib_savepoint_end(&mem, &sp);
		}
		compare(&table, t, 20);
		if (!rnd(5)) {
			fib_publish(&mem);
			fib_reclaim(&mem, mem.version - 1);
		}
	}
	check_walk(&table, t);
	fib_mem_exit(&mem, tables, 1);
	cr_assert_eq(mem.nodes + mem.lists + mem.bytes, 0);
	free(t);
	free(outer);
	free(inner);
}

Test(fib, no_memory_changes_nothing)
{
	struct fib_table table = { .id = 254 }, *tables[1] = { &table };
	struct naive *t = calloc(1, sizeof(*t));
	unsigned failed = 0, done = 0;
	struct fib_mem mem;
	uint32_t order = 0;

	rng_state = 9;
	cr_assert_eq(fib_mem_init(&mem), 0);
	for (unsigned step = 0; step < 6000; step++) {
		size_t nodes = mem.nodes, lists = mem.lists, bytes = mem.bytes;
		uint32_t infos = mem.ninfos;

		mem.fail_after = rnd(8);
		if (change(&mem, &table, t, &order)) {
			done++;
		} else {
			failed++;
			cr_assert_eq(mem.nodes, nodes);
			cr_assert_eq(mem.lists, lists);
			cr_assert_eq(mem.bytes, bytes);
			cr_assert_eq(mem.ninfos, infos);
		}
		mem.fail_after = -1;
		compare(&table, t, 3);
		if (!rnd(20))
			fib_publish(&mem);
		if (!rnd(50))
			fib_reclaim(&mem, mem.version - 1);
	}
	cr_assert_gt(failed, 500);
	cr_assert_gt(done, 500);
	check_walk(&table, t);
	fib_mem_exit(&mem, tables, 1);
	cr_assert_eq(mem.nodes + mem.lists + mem.bytes, 0);
	free(t);
}

Test(fib, errors_by_type_and_rules)
{
	static const struct { const char *what; uint8_t type; int want; } rows[] = {
		{ "blackhole", RTN_BLACKHOLE, -EINVAL }, { "unreachable", RTN_UNREACHABLE, -EHOSTUNREACH }, { "prohibit", RTN_PROHIBIT, -EACCES },
		{ "throw, to the default table", RTN_THROW, 0 },
	};
	struct fib_table local = { .id = RT_TABLE_LOCAL }, main_table = { .id = RT_TABLE_MAIN }, deflt = { .id = RT_TABLE_DEFAULT };
	struct fib_table *tables[3] = { &local, &main_table, &deflt };
	struct net_snapshot snap = { .local = &local, .main = &main_table, .deflt = &deflt };
	struct fib_nexthop_info nh = { .ifindex = 3, .type = RTN_UNICAST, .table = RT_TABLE_DEFAULT };
	struct flowi fl = { .daddr = ipaddr_v4(cpu_to_be32(0x0a000001)), .oif = 3 };
	struct ipprefix dst = { .addr = ipaddr_v4(0), .len = 0 };
	struct fib_result res;
	struct fib_mem mem;

	cr_assert_eq(fib_mem_init(&mem), 0);
	cr_assert_eq(fib_lookup(&snap, &fl, &res), -ENETUNREACH);
	cr_assert_eq(fib_route_insert(&mem, &deflt, &dst, fib_info_get(&mem, &nh, 0), FIB_APPEND), 0);
	dst = (struct ipprefix){ .addr = ipaddr_v4(cpu_to_be32(0x0a000000)), .len = 8 };
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fib_nexthop_info err = { .type = rows[i].type, .table = RT_TABLE_MAIN };
		struct fib_info *fi = fib_info_get(&mem, &err, 0);

		cr_assert_eq(fib_route_insert(&mem, &main_table, &dst, fi, FIB_APPEND), 0);
		cr_assert_eq(fib_lookup(&snap, &fl, &res), rows[i].want, "%s", rows[i].what);
		cr_assert_eq(fib_route_remove(&mem, &main_table, &dst, fi), 0);
	}
	cr_assert_eq(res.table, RT_TABLE_DEFAULT);
	fib_mem_exit(&mem, tables, 3);
}
