/* SPDX-License-Identifier: MIT */
/*
 * test_inet_hash.c: the table of connections against a naive twin, while it grows and shrinks; who may bind what, as a table; ephemeral ports, with one shard and several.
 */
#include "host.h"
#include "dev.h"
#include "sock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct ipaddr ip(uint32_t a) { return ipaddr_v4(cpu_to_be32(a)); }

static struct sockaddr_in sin_of(uint32_t a, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = cpu_to_be32(a), .sin_port = cpu_to_be16(port) };
}

#define LOOPBACK 0x7f000001u
#define OURS     0xc0000201u /* 192.0.2.1 */

static struct host *new_host(unsigned ncpu, uint64_t seed)
{
	struct host *h = host_new("h", ncpu, seed, NULL, NULL);

	cr_assert(h);
	cr_assert_gt(host_link(h, "eth0", "192.0.2.1/24", 1, 1500, 0), 0);
	host_apply(h);
	return h;
}

static void set_sysctl(struct host *h, const char *name, const char *value)
{
	struct netcfg_err err;

	cr_assert_eq(netcfg_sysctl_set(h->cfg, name, value, &err), 0, "%s", err.text);
	host_apply(h);
}

static int do_bind(struct socket *s, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin_of(addr, port);

	return ns_bind(s, (struct sockaddr *)&sin, sizeof(sin));
}

static uint16_t port_of(struct socket *s)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	cr_assert_eq(ns_getsockname(s, (struct sockaddr *)&sin, &len), 0);
	return be16_to_cpu(sin.sin_port);
}

/* ---- the table of connections -------------------------------------------------------------------------------------------------------------------------- */

#define TWIN 12000

static void twin_fill(struct ehash_entry *e, unsigned i, uint64_t *rnd)
{
	memset(e, 0, sizeof(*e));
	e->saddr = ip(OURS + i % 3);
	e->daddr = ip(0x0a000000u + i / 7);
	e->sport = (uint16_t)(i % 7 + 1);
	e->dport = (uint16_t)i;
	e->hash = i % 5 ? (uint32_t)test_random(rnd) : i % 50; /* some share all of their hash */
	e->obj = e;
}

static struct ehash_entry *find(struct stack *st, const struct ehash_entry *e)
{
	return inet_ehash_lookup(st, e->hash, &e->daddr, e->dport, &e->saddr, e->sport, 1);
}

Test(inet_hash, twin)
{
	uint64_t rnd = test_seed("inet_hash.twin", 7);
	struct host *h = new_host(1, 1);
	struct stack *st = h->shard[0].stack;
	struct ehash_entry *e = calloc(TWIN, sizeof(*e));
	bool *in = calloc(TWIN, sizeof(*in));
	unsigned count = 0;

	for (unsigned i = 0; i < TWIN; i++)
		twin_fill(&e[i], i, &rnd);
	/* insertions win at first, so it grows to thousands; then removals, down to nothing */
	for (unsigned step = 0; step < 200000 || count; step++) {
		unsigned i = test_random_below(&rnd, TWIN), growing = step < 100000 ? 60 : 25;

		if (step >= 200000) {
			for (i = 0; !in[i]; i++)
				;
			growing = 0;
		}
		cr_assert_eq(find(st, &e[i]), in[i] ? &e[i] : NULL, "entry %u at step %u", i, step);
		if (!in[i] && test_random_below(&rnd, 100) < growing) {
			inet_ehash_insert(st, &e[i]);
			in[i] = true;
			count++;
		} else if (in[i] && test_random_below(&rnd, 100) >= growing) {
			inet_ehash_remove(st, &e[i]);
			inet_ehash_remove(st, &e[i]); /* twice is once */
			in[i] = false;
			count--;
		}
		cr_assert_eq(inet_ehash_count(st), count);
		if (step % 20000 == 0)
			for (unsigned k = 0; k < TWIN; k++)
				cr_assert_eq(find(st, &e[k]), in[k] ? &e[k] : NULL);
	}
	free(in);
	free(e);
	host_free(h);
}

static int count_and_remove(void *arg, struct ehash_entry *e)
{
	struct { struct stack *st; unsigned n; } *a = arg;

	a->n++;
	inet_ehash_remove(a->st, e);
	return 0;
}

static int stop_at_three(void *arg, struct ehash_entry *e)
{
	(void)e;
	return ++*(int *)arg == 3 ? 42 : 0;
}

Test(inet_hash, foreach_may_remove)
{
	uint64_t rnd = 3;
	struct host *h = new_host(1, 1);
	struct { struct stack *st; unsigned n; } a = { h->shard[0].stack, 0 };
	struct ehash_entry *e = calloc(5000, sizeof(*e));
	int seen = 0;

	for (unsigned i = 0; i < 5000; i++) {
		twin_fill(&e[i], i, &rnd);
		inet_ehash_insert(a.st, &e[i]);
	}
	cr_assert_eq(inet_ehash_foreach(a.st, stop_at_three, &seen), 42);
	cr_assert_eq(inet_ehash_foreach(a.st, count_and_remove, &a), 0);
	cr_assert_eq(a.n, 5000);
	cr_assert_eq(inet_ehash_count(a.st), 0);
	for (unsigned i = 0; i < 5000; i++)
		cr_assert_null(find(a.st, &e[i]));
	free(e);
	host_free(h);
}

Test(inet_hash, device_and_order)
{
	struct host *h = new_host(1, 1);
	struct stack *st = h->shard[0].stack;
	struct ehash_entry a = { .hash = 5, .sport = 80, .dport = 9, .saddr = ip(OURS), .daddr = ip(1) }, b = a;
	uint64_t rnd = 9;

	(void)rnd;
	a.ifindex = 7;
	inet_ehash_insert(st, &a);
	cr_assert_eq(inet_ehash_lookup(st, 5, &a.daddr, 9, &a.saddr, 80, 7), &a);
	cr_assert_null(inet_ehash_lookup(st, 5, &a.daddr, 9, &a.saddr, 80, 8));
	cr_assert_null(inet_ehash_lookup(st, 5, &a.saddr, 80, &a.daddr, 9, 7), "the other end's view is another connection");
	inet_ehash_insert(st, &b); /* the successor of a TIME-WAIT is found first */
	cr_assert_eq(inet_ehash_lookup(st, 5, &a.daddr, 9, &a.saddr, 80, 7), &b);
	inet_ehash_remove(st, &b);
	cr_assert_eq(inet_ehash_lookup(st, 5, &a.daddr, 9, &a.saddr, 80, 7), &a);
	inet_ehash_remove(st, &a);
	host_free(h);
}

/* ---- who may bind what --------------------------------------------------------------------------------------------------------------------------------- */

enum { NONE = 0, REUSE = 1, PORT = 2, LISTEN = 4 };

static const struct bind_row {
	int      type, first, second; /* options of each */
	uint32_t addr1, addr2;
	int      bind, listen; /* what the second gets; listen is asked if bind succeeded and it is TCP */
} bind_rows[] = {
	{ SOCK_STREAM, NONE, NONE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, NONE, NONE, LOOPBACK, OURS, 0, 0 },
	{ SOCK_STREAM, NONE, NONE, LOOPBACK, LOOPBACK, -EADDRINUSE, 0 },
	{ SOCK_STREAM, NONE, NONE, 0, OURS, -EADDRINUSE, 0 },
	{ SOCK_STREAM, NONE, NONE, OURS, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, REUSE, NONE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, NONE, REUSE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, REUSE, REUSE, 0, 0, 0, 0 },
	{ SOCK_STREAM, REUSE | LISTEN, REUSE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, REUSE | LISTEN, REUSE, OURS, LOOPBACK, 0, 0 },
	{ SOCK_STREAM, REUSE | LISTEN, REUSE, OURS, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, PORT | LISTEN, PORT, 0, 0, 0, 0 },
	{ SOCK_STREAM, PORT | LISTEN, REUSE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, PORT, NONE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_STREAM, PORT | REUSE, REUSE, 0, 0, 0, 0 },
	{ SOCK_DGRAM, NONE, NONE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_DGRAM, NONE, NONE, LOOPBACK, OURS, 0, 0 },
	{ SOCK_DGRAM, NONE, NONE, 0, OURS, -EADDRINUSE, 0 },
	{ SOCK_DGRAM, REUSE, REUSE, 0, 0, 0, 0 },
	{ SOCK_DGRAM, REUSE, NONE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_DGRAM, PORT, PORT, 0, 0, 0, 0 },
	{ SOCK_DGRAM, PORT, REUSE, 0, 0, -EADDRINUSE, 0 },
	{ SOCK_DGRAM, PORT | REUSE, PORT, OURS, 0, 0, 0 },
};

static struct socket *make(struct stack *st, int type, int opts)
{
	struct socket *s;
	int one = 1;

	cr_assert_eq(ns_socket(st, AF_INET, type, 0, &s), 0);
	if (opts & REUSE)
		cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	if (opts & PORT)
		cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	return s;
}

Test(inet_port, conflicts)
{
	struct host *h = new_host(1, 1);
	struct stack *st = h->shard[0].stack;

	for (unsigned i = 0; i < sizeof(bind_rows) / sizeof(bind_rows[0]); i++) {
		const struct bind_row *r = &bind_rows[i];
		struct socket *a = make(st, r->type, r->first), *b = make(st, r->type, r->second);

		cr_assert_eq(do_bind(a, r->addr1, 7000), 0, "row %u", i);
		cr_assert_eq(do_bind(a, r->addr1, 7001), -EINVAL, "row %u: bound twice", i);
		if (r->first & LISTEN)
			cr_assert_eq(ns_listen(a, 5), 0, "row %u", i);
		cr_assert_eq(do_bind(b, r->addr2, 7000), r->bind, "row %u", i);
		if (!r->bind && r->type == SOCK_STREAM)
			cr_assert_eq(ns_listen(b, 5), r->listen, "row %u", i);
		ns_close(a);
		if (r->bind)
			cr_assert_eq(do_bind(b, r->addr2, 7000), 0, "row %u: the port is free again", i);
		ns_close(b);
	}
	host_free(h);
}

Test(inet_port, one_of_two_reusers_listens)
{
	struct host *h = new_host(1, 1);
	struct socket *a = make(h->shard[0].stack, SOCK_STREAM, REUSE), *b = make(h->shard[0].stack, SOCK_STREAM, REUSE);

	cr_assert_eq(do_bind(a, 0, 7000), 0);
	cr_assert_eq(do_bind(b, 0, 7000), 0);
	cr_assert_eq(ns_listen(a, 5), 0);
	cr_assert_eq(ns_listen(b, 5), -EADDRINUSE);
	ns_close(a);
	cr_assert_eq(ns_listen(b, 5), 0);
	ns_close(b);
	host_free(h);
}

Test(inet_port, devices_keep_apart)
{
	struct host *h = new_host(1, 1);
	struct socket *a = make(h->shard[0].stack, SOCK_DGRAM, NONE), *b = make(h->shard[0].stack, SOCK_DGRAM, NONE);

	cr_assert_eq(ns_setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	cr_assert_eq(ns_setsockopt(b, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
	cr_assert_eq(do_bind(a, 0, 7000), 0);
	cr_assert_eq(do_bind(b, 0, 7000), 0);
	ns_close(a);
	ns_close(b);
	host_free(h);
}

Test(inet_port, time_wait_holds)
{
	struct host *h = new_host(1, 1);
	struct stack *st = h->shard[0].stack;
	struct socket *a = make(st, SOCK_STREAM, NONE), *b = make(st, SOCK_STREAM, NONE), *c;
	struct inet_tw_port tw = { 0 };

	cr_assert_eq(do_bind(a, 0, 7000), 0);
	inet_tw_take_port(&tw, sk_of(a));
	ns_close(a);
	cr_assert_eq(do_bind(b, 0, 7000), -EADDRINUSE);
	cr_assert_eq(do_bind(b, 0, 7001), 0);
	inet_tw_put_port(st, &tw);
	c = make(st, SOCK_STREAM, REUSE);
	cr_assert_eq(do_bind(c, 0, 7000), 0);
	inet_tw_take_port(&tw, sk_of(c)); /* the closed one had SO_REUSEADDR, and so has its heir */
	ns_close(c);
	c = make(st, SOCK_STREAM, REUSE);
	cr_assert_eq(do_bind(c, 0, 7000), 0);
	inet_tw_put_port(st, &tw);
	ns_close(b);
	ns_close(c);
	host_free(h);
}

static const struct { uint32_t addr; uint16_t port; sa_family_t family; socklen_t len; int want; } bad_binds[] = {
	{ 0xc0000202u, 5, AF_INET, 16, -EADDRNOTAVAIL }, /* a neighbour's address */
	{ 0x08080808u, 5, AF_INET, 16, -EADDRNOTAVAIL },
	{ 0, 5, AF_INET6, 28, -EAFNOSUPPORT },
	{ 0, 5, AF_UNIX, 16, -EAFNOSUPPORT },
	{ 0, 5, AF_INET, 15, -EINVAL },
	{ 0, 5, AF_INET, 2, -EINVAL },
	{ OURS, 5, AF_UNSPEC, 16, -EAFNOSUPPORT },
	{ 0, 5, AF_UNSPEC, 16, 0 }, /* as on Linux */
	{ 0xc00002ffu, 5, AF_INET, 16, 0 }, /* the directed broadcast */
	{ 0xffffffffu, 5, AF_INET, 16, 0 },
	{ 0xe0000001u, 5, AF_INET, 16, 0 }, /* a group */
	{ 0x7f010203u, 5, AF_INET, 16, 0 }, /* all of 127/8 is ours */
};

Test(inet_port, addresses)
{
	struct host *h = new_host(1, 1);

	for (unsigned i = 0; i < sizeof(bad_binds) / sizeof(bad_binds[0]); i++) {
		struct socket *s = make(h->shard[0].stack, SOCK_DGRAM, NONE);
		union { struct sockaddr_in in; uint8_t b[28]; } sa = { .in = sin_of(bad_binds[i].addr, bad_binds[i].port) };

		sa.in.sin_family = bad_binds[i].family;
		cr_assert_eq(ns_bind(s, (struct sockaddr *)&sa, bad_binds[i].len), bad_binds[i].want, "row %u", i);
		ns_close(s);
	}
	host_free(h);
}

Test(inet_port, privileged_ports_are_nobodys_unless_set)
{
	struct host *h = new_host(1, 1);
	struct socket *s = make(h->shard[0].stack, SOCK_DGRAM, NONE);

	set_sysctl(h, "net.ipv4.ip_unprivileged_port_start", "1024");
	cr_assert_eq(do_bind(s, 0, 1023), -EACCES);
	cr_assert_eq(do_bind(s, 0, 1024), 0);
	ns_close(s);
	host_free(h);
}

/* ---- ephemeral ports ------------------------------------------------------------------------------------------------------------------------------------ */

static void small_range(struct host *h, const char *min, const char *max)
{
	set_sysctl(h, "net.ipv4.ip_local_port_min", min);
	set_sysctl(h, "net.ipv4.ip_local_port_max", max);
}

Test(inet_port, bind_any_exhausts)
{
	struct host *h = new_host(1, 2);
	struct socket *s[65], *more;
	bool used[65536] = { 0 };

	small_range(h, "40000", "40063");
	for (unsigned i = 0; i < 64; i++) {
		s[i] = make(h->shard[0].stack, SOCK_DGRAM, NONE);
		cr_assert_eq(do_bind(s[i], 0, 0), 0);
		cr_assert(port_of(s[i]) >= 40000 && port_of(s[i]) <= 40063 && !used[port_of(s[i])]);
		used[port_of(s[i])] = true;
	}
	more = make(h->shard[0].stack, SOCK_DGRAM, NONE);
	cr_assert_eq(do_bind(more, 0, 0), -EADDRINUSE);
	ns_close(s[17]);
	cr_assert_eq(do_bind(more, 0, 0), 0);
	s[17] = more;
	for (unsigned i = 0; i < 64; i++)
		ns_close(s[i]);
	host_free(h);
}

/* What TCP's connect does, without its segments. */
static int fake_connect(struct sock *sk, uint32_t daddr, uint16_t dport, struct ehash_entry *e)
{
	struct ipaddr d = ip(daddr);
	int err;

	sk->saddr = ip(OURS);
	err = inet_connect_port(sk, &d, dport, NULL);
	if (err)
		return err;
	*e = (struct ehash_entry){ .hash = sk->hash, .sport = sk->sport, .dport = dport, .saddr = sk->saddr, .daddr = d, .obj = sk };
	inet_ehash_insert(sk->stack, e);
	return 0;
}

Test(inet_port, connects_share_ports_not_tuples)
{
	struct host *h = new_host(1, 3);
	struct stack *st = h->shard[0].stack;
	struct socket *s[3 * 32 + 1];
	struct ehash_entry e[3 * 32];
	bool used[3][65536] = { 0 };
	unsigned n = 0;

	small_range(h, "50000", "50031");
	for (unsigned d = 0; d < 3; d++)
		for (unsigned i = 0; i < 32; i++, n++) {
			s[n] = make(st, SOCK_STREAM, NONE);
			cr_assert_eq(fake_connect(sk_of(s[n]), 0xc0000202u, (uint16_t)(80 + d), &e[n]), 0);
			cr_assert(!used[d][sk_of(s[n])->sport]);
			used[d][sk_of(s[n])->sport] = true;
		}
	s[n] = make(st, SOCK_STREAM, NONE);
	cr_assert_eq(inet_connect_port(sk_of(s[n]), &e[0].daddr, 80, NULL), 0, "another source address is another tuple");
	ns_close(s[n]);
	s[n] = make(st, SOCK_STREAM, NONE);
	sk_of(s[n])->saddr = ip(OURS);
	cr_assert_eq(inet_connect_port(sk_of(s[n]), &e[0].daddr, 80, NULL), -EADDRNOTAVAIL);
	cr_assert_eq(do_bind(s[n], 0, 50003), -EADDRINUSE, "a port that connections use is taken");
	for (unsigned i = 0; i < n; i++)
		inet_ehash_remove(st, &e[i]);
	for (unsigned i = 0; i <= n; i++)
		ns_close(s[i]);
	host_free(h);
}

static unsigned tw_asked;
static bool tw_yes(struct stack *stack, struct ehash_entry *e)
{
	tw_asked++;
	inet_ehash_remove(stack, e);
	return true;
}

Test(inet_port, time_wait_may_be_taken_over)
{
	struct host *h = new_host(1, 3);
	struct stack *st = h->shard[0].stack;
	struct socket *s = make(st, SOCK_STREAM, NONE), *t = make(st, SOCK_STREAM, NONE);
	struct ehash_entry e;

	small_range(h, "50000", "50000");
	cr_assert_eq(fake_connect(sk_of(s), 0xc0000202u, 80, &e), 0);
	sk_of(t)->saddr = ip(OURS);
	cr_assert_eq(inet_connect_port(sk_of(t), &e.daddr, 80, tw_yes), -EADDRNOTAVAIL, "it lives");
	cr_assert_eq(tw_asked, 0);
	e.kind = EHASH_TW;
	cr_assert_eq(inet_connect_port(sk_of(t), &e.daddr, 80, tw_yes), 0);
	cr_assert_eq(tw_asked, 1);
	ns_close(s);
	ns_close(t);
	host_free(h);
}

/* RFC 6056 3.3.4: ports for one destination go up one by one, those of another do not tell where. */
Test(inet_port, offsets_differ_by_destination)
{
	struct host *h = new_host(1, test_seed("inet_port.offsets", 5));
	struct stack *st = h->shard[0].stack;
	struct socket *s[64];
	unsigned same = 0;

	for (unsigned i = 0; i < 64; i++) {
		struct ipaddr d = ip(0xc0000202u + i);

		s[i] = make(st, SOCK_STREAM, NONE);
		sk_of(s[i])->saddr = ip(OURS);
		cr_assert_eq(inet_connect_port(sk_of(s[i]), &d, 80, NULL), 0);
		for (unsigned k = 0; k < i; k++)
			same += sk_of(s[k])->sport + 64 > sk_of(s[i])->sport && sk_of(s[i])->sport + 64 > sk_of(s[k])->sport;
	}
	cr_assert_lt(same, 60, "%u of 2016 pairs are near each other: they should be spread over 28,232 ports", same);
	for (unsigned i = 0; i < 64; i++)
		ns_close(s[i]);
	host_free(h);
}

Test(inet_port, replies_hash_home)
{
	for (unsigned ncpu = 2; ncpu <= 8; ncpu *= 2) {
		struct host *h = new_host(ncpu, test_seed("inet_port.home", 11));

		for (unsigned i = 0; i < 64; i++) {
			struct stack *st = h->shard[i % ncpu].stack;
			struct ipaddr peer = ip(0xc0000202u), us = ip(OURS);
			struct socket *s = make(st, i & 8 ? SOCK_DGRAM : SOCK_STREAM, NONE);
			struct sock *sk = sk_of(s);

			sk->saddr = us;
			cr_assert_eq(inet_connect_port(sk, &peer, (uint16_t)(i + 1), NULL), 0);
			cr_assert_eq(sk->hash, flow_hash_tuple(st, &peer, &us, (uint16_t)(i + 1), sk->sport, (uint8_t)sk->protocol));
			cr_assert_eq(flow_cpu(st, sk->hash), i % ncpu);
			ns_close(s);
		}
		host_free(h);
	}
}

Test(inet_port, datagram_ports_are_unique_among_shards)
{
	struct host *h = new_host(4, 13);
	struct socket *s[128];
	bool used[65536] = { 0 };

	for (unsigned i = 0; i < 128; i++) {
		s[i] = make(h->shard[i % 4].stack, SOCK_DGRAM, NONE);
		cr_assert_eq(do_bind(s[i], 0, 0), 0);
		cr_assert_eq(port_of(s[i]) % 4, i % 4);
		cr_assert(!used[port_of(s[i])]);
		used[port_of(s[i])] = true;
	}
	for (unsigned i = 0; i < 128; i++)
		ns_close(s[i]);
	host_free(h);
}

Test(inet_port, announced_to_other_shards)
{
	struct host *h = new_host(2, 13);
	struct stack *st0 = h->shard[0].stack, *st1 = h->shard[1].stack;
	struct socket *a = make(st0, SOCK_DGRAM, NONE), *b = make(st1, SOCK_DGRAM, NONE), *r0 = make(st0, SOCK_DGRAM, NONE), *r1 = make(st1, SOCK_DGRAM, NONE);
	struct ipaddr ours = ip(OURS), lo = ip(LOOPBACK);
	int one = 1;

	cr_assert_eq(do_bind(a, OURS, 7000), 0);
	host_touch(h, 0);
	host_run(h, h->now);
	cr_assert_eq(do_bind(b, 0, 7000), -EADDRINUSE, "the other shard has it");
	cr_assert_eq(do_bind(b, LOOPBACK, 7000), 0);
	cr_assert_eq(inet_port_owner(st1, IPPROTO_UDP, &ours, 7000, 0), 0);
	cr_assert_eq(inet_port_owner(st1, IPPROTO_UDP, &lo, 7000, 0), -ENOENT);
	host_touch(h, 1);
	host_run(h, h->now);
	cr_assert_eq(inet_port_owner(st0, IPPROTO_UDP, &lo, 7000, 0), 1);
	cr_assert_eq(inet_port_owners(st0, IPPROTO_UDP, 7000), 2);
	ns_close(a);
	ns_close(b);
	host_run(h, h->now);
	cr_assert_eq(inet_port_owner(st1, IPPROTO_UDP, &ours, 7000, 0), -ENOENT);
	cr_assert_eq(inet_port_owners(st0, IPPROTO_UDP, 7000), 0);
	/* replicas are nobody else's business */
	cr_assert_eq(ns_setsockopt(r0, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &one, sizeof(one)), 0);
	cr_assert_eq(ns_setsockopt(r1, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &one, sizeof(one)), 0);
	cr_assert_eq(do_bind(r0, 0, 7), 0);
	host_run(h, h->now);
	cr_assert_eq(do_bind(r1, 0, 7), 0);
	cr_assert_eq(ns_setsockopt(r1, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &one, sizeof(one)), -EINVAL, "too late");
	ns_close(r0);
	ns_close(r1);
	host_free(h);
}

/* ---- which socket of a port ----------------------------------------------------------------------------------------------------------------------------- */

Test(inet_hash, best_listener)
{
	struct host *h = new_host(1, 1);
	struct stack *st = h->shard[0].stack;
	struct socket *any = make(st, SOCK_STREAM, PORT), *one = make(st, SOCK_STREAM, PORT), *two = make(st, SOCK_STREAM, PORT), *dev = make(st, SOCK_STREAM, PORT);
	struct ipaddr ours = ip(OURS), lo = ip(LOOPBACK);
	unsigned hits[2] = { 0 };

	cr_assert_eq(do_bind(any, 0, 80), 0);
	cr_assert_eq(do_bind(one, OURS, 80), 0);
	cr_assert_eq(do_bind(two, OURS, 80), 0);
	cr_assert_eq(ns_listen(any, 1), 0);
	cr_assert_null(inet_lhash_lookup(st, &ours, 81, 1, 2));
	cr_assert_eq(inet_lhash_lookup(st, &ours, 80, 1, 2), sk_of(any), "the others do not listen yet");
	cr_assert_eq(ns_listen(one, 1), 0);
	cr_assert_eq(ns_listen(two, 1), 0);
	cr_assert_eq(inet_lhash_lookup(st, &lo, 80, 1, 1), sk_of(any));
	for (uint32_t i = 1; i <= 1000; i++) {
		struct sock *sk = inet_lhash_lookup(st, &ours, 80, i * 2654435761u, 2);

		cr_assert_eq(sk, inet_lhash_lookup(st, &ours, 80, i * 2654435761u, 2), "a flow stays with its listener");
		cr_assert(sk == sk_of(one) || sk == sk_of(two));
		hits[sk == sk_of(two)]++;
	}
	cr_assert(hits[0] > 350 && hits[1] > 350, "%u and %u", hits[0], hits[1]);
	cr_assert_eq(ns_setsockopt(dev, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	cr_assert_eq(do_bind(dev, 0, 80), 0);
	cr_assert_eq(ns_listen(dev, 1), 0);
	cr_assert_eq(inet_lhash_lookup(st, &lo, 80, 1, 1), sk_of(dev), "a device over none");
	ns_close(any);
	ns_close(one);
	ns_close(two);
	ns_close(dev);
	host_free(h);
}
