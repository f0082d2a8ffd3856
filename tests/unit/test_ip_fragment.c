/* SPDX-License-Identifier: MIT */
/*
 * test_ip_fragment.c: reassembly against a naive twin: random pieces, in random order, repeated, overlapping and contradicting; the twin keeps one flag a byte.
 */
#include "host.h"
#include "ip.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DATA_MAX 66000

struct twin { /* one datagram as RFC 791 describes it, with the project's rules for what contradicts */
	uint8_t *data, *there;
	uint32_t end, highest, have;
	bool     any;
};

static void twin_clear(struct twin *t)
{
	memset(t->there, 0, DATA_MAX);
	t->end = t->highest = t->have = 0;
	t->any = false;
}

/* Returns the length of the whole when this piece completes it, else 0. */
static uint32_t twin_take(struct twin *t, uint32_t off, const uint8_t *p, uint32_t len, bool more)
{
	uint32_t n = 0, units = (len + 7) / 8 * 8, whole;

	if (!len || (more && len % 8) || off + len + 20 > 65535)
		return 0;
	for (uint32_t i = 0; i < units; i++)
		n += t->there[off + i];
	if (n == units && (more || off + len == t->end) && (!t->end || off + len <= t->end))
		return 0; /* there already */
	if (n || (t->end && (off + len > t->end || !more)) || (!more && off + len < t->highest)) {
		twin_clear(t);
		return 0;
	}
	memcpy(t->data + off, p, len);
	memset(t->there + off, 1, units);
	t->have += len;
	if (off + len > t->highest)
		t->highest = off + len;
	if (!more)
		t->end = off + len;
	if (!t->end || t->have != t->end)
		return 0;
	whole = t->end;
	twin_clear(t);
	return whole;
}

static uint16_t csum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void send_piece(struct host *h, unsigned cpu, int ifindex, uint16_t id, uint32_t off, const uint8_t *p, uint32_t len, bool more)
{
	static uint8_t f[70000];
	uint8_t *ip = f + 14;

	memcpy(f, (uint8_t[14]){ 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x20, 8, 0 }, 14);
	memcpy(ip, (uint8_t[20]){ 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1 }, 20);
	put_be16(ip + 2, (uint16_t)(20 + len));
	put_be16(ip + 4, id);
	put_be16(ip + 6, (uint16_t)(off / 8 | (more ? IP_MF : 0)));
	put_be16(ip + 10, csum(ip, 20));
	memcpy(ip + 20, p, len);
	cr_assert(host_rx(h, cpu, ifindex, f, 34 + len) == 0);
	host_run(h, h->now);
}

/* Pieces that mostly fit together, and some that do not. */
static void trial(struct host *h, unsigned ncpu, int ifindex, struct socket *raw, struct twin *t, uint64_t *rnd, uint16_t id, unsigned *wholes)
{
	static uint8_t piece[2000], got[70000];
	uint32_t total = 16 + test_random_below(rnd, test_random_below(rnd, 8) ? 3000 : 60000), unit = 8 * (1 + test_random_below(rnd, total / 8 < 180 ? total / 8 - 1 : 180));
	unsigned n = (total + unit - 1) / unit, steps = n + test_random_below(rnd, n + 4), hostile = test_random_below(rnd, 3);
	unsigned *order = malloc(sizeof(*order) * n);

	for (unsigned i = 0; i < n; i++) {
		unsigned j = test_random_below(rnd, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	twin_clear(t);
	for (unsigned s = 0; s < steps; s++) {
		uint32_t off = order[s % n] * unit, len = total - off < unit ? total - off : unit, whole;
		bool more = off + len < total;

		if (hostile && !test_random_below(rnd, 2 * n + 2)) {
			off = 8 * test_random_below(rnd, total / 8 + 2);
			len = 1 + test_random_below(rnd, 64);
			more = off == 0 || test_random_below(rnd, 4); /* without either it is no fragment */
		}
		for (uint32_t i = 0; i < len; i++)
			piece[i] = (uint8_t)test_random(rnd);
		whole = twin_take(t, off, piece, len, more);
		send_piece(h, test_random_below(rnd, ncpu), ifindex, id, off, piece, len, more);
		if (whole) {
			ssize_t r;

			host_touch(h, 0);
			r = ns_recv(raw, got, sizeof(got), 0);
			cr_assert(r == (ssize_t)whole + 20, "datagram %u: %zd bytes instead of %u", id, r, whole + 20);
			cr_assert(memcmp(got + 20, t->data, whole) == 0, "datagram %u: other bytes", id);
			cr_assert(get_be16(got + 2) == whole + 20 && !(get_be16(got + 6) & (IP_MF | IP_OFFSET)) && csum(got, 20) == 0, "datagram %u: header", id);
			++*wholes;
		}
	}
	host_touch(h, 0);
	cr_assert(ns_recv(raw, got, sizeof(got), 0) == -EAGAIN, "datagram %u: one that the twin has not", id);
	free(order);
}

static void compare(unsigned ncpu, unsigned trials)
{
	uint64_t rnd = test_seed("ip_fragment", 20261120);
	struct host *h = host_new("h", ncpu, rnd, NULL, NULL);
	int ifindex = host_link(h, "eth0", "192.0.2.1/24", 0x10, 65520, 0), big = 1 << 25;
	struct twin t = { .data = malloc(DATA_MAX), .there = malloc(DATA_MAX) };
	struct socket *raw; /* on shard 0: it sees what every shard receives */
	unsigned wholes = 0;

	/* a datagram of some thousand pieces of eight bytes stands for megabytes */
	netcfg_sysctl_set(h->cfg, "net.core.rmem_max", "67108864", NULL);
	netcfg_sysctl_set(h->cfg, "net.ipv4.ipfrag_high_thresh", "67108864", NULL);
	host_apply(h);
	cr_assert(ns_socket(host_touch(h, 0), AF_INET, SOCK_RAW, 253, &raw) == 0);
	cr_assert(ns_setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big)) == 0);
	host_run(h, h->now);
	for (unsigned i = 0; i < trials; i++)
		trial(h, ncpu, ifindex, raw, &t, &rnd, (uint16_t)(i + 1), &wholes);
	cr_assert(wholes > trials / 4, "only %u whole datagrams of %u", wholes, trials);
	host_touch(h, 0);
	ns_close(raw);
	host_run(h, h->now + 60 * NSEC_PER_SEC);
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
	free(t.data);
	free(t.there);
}

Test(ip_fragment, as_the_naive_twin) { compare(1, 400); }
Test(ip_fragment, as_the_naive_twin_with_shards) { compare(4, 200); }

/* A flood of datagrams that are never completed, each from another source: memory stays under the threshold, and an honest one still gets through. */
Test(ip_fragment, flood_is_bounded)
{
	struct host *h = host_new("h", 1, 7, NULL, NULL);
	int ifindex = host_link(h, "eth0", "192.0.2.1/24", 0x10, 1500, 0);
	uint8_t data[1600] = { 0 }, got[2000];
	struct socket *raw;

	netcfg_sysctl_set(h->cfg, "net.ipv4.ipfrag_high_thresh", "300000", NULL);
	netcfg_sysctl_set(h->cfg, "net.ipv4.ipfrag_low_thresh", "200000", NULL);
	host_apply(h);
	cr_assert(ns_socket(host_touch(h, 0), AF_INET, SOCK_RAW, 253, &raw) == 0);
	send_piece(h, 0, ifindex, 9, 0, data, 800, true); /* the honest one: an old one of a source that holds little */
	for (unsigned i = 0; i < 5000; i++) {
		static uint8_t f[200];
		uint8_t *ip = f + 14;

		memcpy(f, (uint8_t[14]){ 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x20, 8, 0 }, 14);
		memcpy(ip, (uint8_t[20]){ 0x45, 0, 0, 124, (uint8_t)(i >> 8), (uint8_t)i, 0x20, 0, 64, 253, 0, 0, 10, 1, 1, 1, 192, 0, 2, 1 }, 20);
		put_be16(ip + 10, csum(ip, 20));
		cr_assert(host_rx(h, 0, ifindex, f, 138) == 0);
		host_run(h, h->now);
		cr_assert(skb_pool_stats(stack_skb_pool(h->shard[0].stack))->outstanding_bytes <= 300000);
	}
	send_piece(h, 0, ifindex, 9, 800, data, 100, false);
	host_touch(h, 0);
	cr_assert(ns_recv(raw, got, sizeof(got), 0) == 920, "one source pushed out another");
	cr_assert(host_drops(h, SKB_DROP_FRAG_MEM) > 4500);
	ns_close(raw);
	host_run(h, h->now + 60 * NSEC_PER_SEC);
	cr_assert(host_idle_error(h) == NULL);
	host_free(h);
}
