/* SPDX-License-Identifier: MIT */
/*
 * test_stream.c: streams driven by wake-ups alone, both ends on one host: nothing stalls, every byte is right, nothing is left. What a missed wake-up, a stale one
 * or a wrong memory account would break.
 */
#include "host.h"
#include "sock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define MAX_CONNS 600

enum role { LISTENER, SENDER, SINK, ECHO };

struct end {
	struct socket *sock;
	enum role      role;
	unsigned       cpu;
	uint64_t       sent, got, total;
	bool           fin;
};

static struct end ends[2 * MAX_CONNS + 8];
static unsigned nends, ndone, nwakes;
static uint64_t rnd;
static bool inplace;
static struct skb_area *shared; /* the whole stream in one area; NULL: not used */
static uint32_t max_chunk;

static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 31 + (i >> 11) * 7 + (i >> 20)); }

static struct end *add(struct socket *s, enum role role, unsigned cpu)
{
	struct end *e = &ends[nends];

	cr_assert_lt(nends, sizeof(ends) / sizeof(ends[0]));
	*e = (struct end){ .sock = s, .role = role, .cpu = cpu };
	ns_set_cookie(s, nends++, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	return e;
}

static void done(struct end *e)
{
	ns_close(e->sock);
	e->sock = NULL;
	ndone++;
}

static void fill(void *arg, void *data, size_t len)
{
	struct end *e = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)data)[i] = byte_at(e->sent + i);
	e->sent += len;
}

static size_t check(void *arg, const void *data, size_t len)
{
	struct end *e = arg;

	if (len > 3 && test_random_below(&rnd, 4) == 0)
		len -= 3; /* takes less than was offered */
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(((const uint8_t *)data)[i], byte_at(e->got + i), "byte %llu", (unsigned long long)(e->got + i));
	e->got += len;
	return len;
}

static void send_more(struct end *e)
{
	static uint8_t buf[1 << 16];

	while (e->sent < e->total) {
		uint64_t had = e->sent;
		size_t n = 1 + test_random_below(&rnd, max_chunk);
		ssize_t r;

		if (n > e->total - e->sent)
			n = (size_t)(e->total - e->sent);
		if (shared && test_random_below(&rnd, 8)) { /* by reference, and sometimes by copy in between */
			r = ns_send_area(e->sock, shared, (uint32_t)e->sent, n, test_random_below(&rnd, 2) && had + n < e->total ? MSG_MORE : 0);
			e->sent += r > 0 ? (uint64_t)r : 0;
		} else if (inplace) {
			r = ns_send_fill(e->sock, n, fill, e);
			cr_assert(r < 0 ? e->sent == had : e->sent == had + (uint64_t)r);
		} else {
			n = n < sizeof(buf) ? n : sizeof(buf);
			for (size_t i = 0; i < n; i++)
				buf[i] = byte_at(e->sent + i);
			r = ns_send(e->sock, buf, n, 0);
			e->sent += r > 0 ? (uint64_t)r : 0;
		}
		if (r == -EAGAIN)
			return;
		cr_assert_gt(r, 0, "send: %zd", r);
		cr_assert_leq(r, (ssize_t)n);
		if ((size_t)r < n) /* a short count says as much as EAGAIN: the next call comes after a wake-up */
			return;
	}
	if (!e->fin) {
		e->fin = true;
		cr_assert_eq(ns_shutdown(e->sock, SHUT_WR), 0);
	}
}

/* Reads to the end; an echo sends back as much as goes, and reads no further than that. */
static void receive(struct end *e)
{
	static uint8_t buf[1 << 16];
	ssize_t r;

	for (;;) {
		if (e->role == ECHO) {
			e->total = e->got;
			while (e->sent < e->got) {
				size_t n = e->got - e->sent < sizeof(buf) ? (size_t)(e->got - e->sent) : sizeof(buf);

				for (size_t i = 0; i < n; i++)
					buf[i] = byte_at(e->sent + i);
				r = ns_send(e->sock, buf, n, 0);
				if (r == -EAGAIN)
					return;
				cr_assert_gt(r, 0);
				e->sent += (uint64_t)r;
			}
		}
		if (inplace) {
			r = ns_recv_inplace(e->sock, 1 + test_random_below(&rnd, max_chunk), check, e);
		} else {
			size_t most = 1 + test_random_below(&rnd, max_chunk);

			r = ns_recv(e->sock, buf, most < sizeof(buf) ? most : sizeof(buf), 0);
			for (ssize_t i = 0; i < r; i++)
				cr_assert_eq(buf[i], byte_at(e->got + (uint64_t)i));
			e->got += r > 0 ? (uint64_t)r : 0;
		}
		if (r == -EAGAIN)
			return;
		cr_assert_geq(r, 0, "recv: %zd", r);
		if (r == 0) {
			if (e->role == SENDER) {
				cr_assert_eq(e->got, e->total, "got %llu of %llu back", (unsigned long long)e->got, (unsigned long long)e->total);
			}
			done(e);
			return;
		}
	}
}

static void wake(void *arg, struct host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct end *e = &ends[cookie];
	struct socket *s;

	(void)arg;
	cr_assert_not_null(e->sock, "woken after its end");
	cr_assert_eq(cpu, e->cpu);
	cr_assert_lt(nwakes++, 3000000);
	if (e->role == LISTENER) {
		while (ns_accept(e->sock, &s, NULL, NULL) == 0)
			add(s, ECHO, cpu);
		return;
	}
	if (e->role == SENDER && (events & EPOLLOUT))
		send_more(e);
	if (e->sock && (events & (EPOLLIN | EPOLLRDHUP | (e->role == ECHO ? EPOLLOUT : 0))))
		receive(e);
	(void)h;
}

static const struct host_ops ops = { .wake = wake };

static int set_int(struct socket *s, int level, int name, int v) { return ns_setsockopt(s, level, name, &v, sizeof(v)); }

static struct host *start(unsigned ncpu, uint64_t seed)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = cpu_to_be16(7) };
	struct host *h = host_new("h", ncpu, seed, &ops, NULL);

	cr_assert(h);
	cr_assert_gt(host_link(h, "eth0", "192.0.2.1/24", 1, 1500, 0), 0);
	host_apply(h);
	nends = ndone = nwakes = 0;
	rnd = seed;
	inplace = false;
	max_chunk = 30000;
	for (unsigned i = 0; i < ncpu; i++) {
		struct socket *s;

		cr_assert_eq(ns_socket(host_touch(h, i), AF_INET, SOCK_STREAM, 0, &s), 0);
		cr_assert_eq(ns_bind(s, (struct sockaddr *)&any, sizeof(any)), 0);
		cr_assert_eq(ns_listen(s, 4096), 0);
		add(s, LISTENER, i);
	}
	return h;
}

static void client(struct host *h, unsigned cpu, uint64_t total, int sndbuf, int rcvbuf)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = cpu_to_be16(7), .sin_addr.s_addr = cpu_to_be32(0x7f000001u) };
	struct socket *s;

	cr_assert_eq(ns_socket(host_touch(h, cpu), AF_INET, SOCK_STREAM, 0, &s), 0);
	if (sndbuf)
		cr_assert_eq(set_int(s, SOL_SOCKET, SO_SNDBUF, sndbuf), 0);
	if (rcvbuf)
		cr_assert_eq(set_int(s, SOL_SOCKET, SO_RCVBUF, rcvbuf), 0);
	cr_assert_eq(ns_connect(s, (struct sockaddr *)&to, sizeof(to)), -EINPROGRESS);
	add(s, SENDER, cpu)->total = total;
}

static void finish(struct host *h, unsigned conns)
{
	for (int i = 0; i < 1000 && ndone < 2 * conns; i++)
		host_run(h, h->now + NSEC_PER_SEC / 2);
	cr_assert_eq(ndone, 2 * conns, "%u of %u ends are done: the rest is stuck", ndone, 2 * conns);
	for (unsigned i = 0; i < h->ncpu; i++)
		ns_close(ends[i].sock);
	host_run(h, h->now + 200 * NSEC_PER_SEC);
	cr_assert_null(host_idle_error(h));
	for (unsigned i = 0; i < h->ncpu; i++) {
		cr_assert(list_empty(sock_list(h->shard[i].stack)));
		cr_assert_eq(inet_ehash_count(h->shard[i].stack), 0);
	}
	host_free(h);
}

Test(stream, bulk_echo)
{
	struct host *h = start(1, test_seed("stream.bulk_echo", 21));

	client(h, 0, 3000000, 0, 0);
	finish(h, 1);
}

Test(stream, bulk_echo_in_place)
{
	struct host *h = start(1, test_seed("stream.bulk_echo_in_place", 22));

	inplace = true;
	client(h, 0, 3000000, 0, 0);
	finish(h, 1);
}

static void shared_free(struct skb_area *area, void *priv)
{
	*(bool *)priv = true;
	free(area);
}

/* What is sent stands in one area, which segments refer to; it is freed with the last reference, which may be the stack's. */
static void by_reference(unsigned ncpu, uint32_t chunk, int sndbuf)
{
	struct host *h = start(ncpu, test_seed("stream.by_reference", 27));
	const uint32_t size = 600000;
	bool freed = false;

	max_chunk = chunk;
	shared = calloc(1, sizeof(*shared) + size);
	cr_assert_not_null(shared);
	shared->refcnt = 1;
	shared->size = size;
	shared->free = shared_free;
	shared->priv = &freed;
	shared->base = (unsigned char *)(shared + 1);
	for (uint32_t i = 0; i < size; i++)
		shared->base[i] = byte_at(i);
	client(h, 0, size, sndbuf, 0);
	cr_assert_eq(ns_send_area(ends[nends - 1].sock, shared, 1, size, 0), -EINVAL, "beyond its end");
	cr_assert_eq(ns_send_area(ends[nends - 1].sock, shared, UINT32_MAX, 2, 0), -EINVAL);
	finish(h, 1);
	cr_assert_eq(shared->refcnt, 1, "only our own reference is left");
	skb_area_put(NULL, shared);
	cr_assert(freed);
	shared = NULL;
}

Test(stream, by_reference)
{
	by_reference(1, 70000, 0);
	by_reference(1, 700, 4000);
	by_reference(2, 20000, 0);
}

Test(stream, small_buffers_and_small_chunks)
{
	struct host *h = start(1, test_seed("stream.small", 23));

	max_chunk = 700;
	client(h, 0, 200000, 1, 1);
	client(h, 0, 200000, 4000, 100000);
	client(h, 0, 200000, 100000, 4000);
	finish(h, 3);
}

Test(stream, many_at_once)
{
	struct host *h = start(1, test_seed("stream.many", 24));

	for (unsigned i = 0; i < MAX_CONNS; i++)
		client(h, 0, 1 + test_random_below(&rnd, 20000), 0, 0);
	finish(h, MAX_CONNS);
}

Test(stream, shards)
{
	for (unsigned ncpu = 2; ncpu <= 8; ncpu *= 2) {
		struct host *h = start(ncpu, test_seed("stream.shards", 25));

		for (unsigned i = 0; i < 80; i++)
			client(h, i % ncpu, 1 + test_random_below(&rnd, 20000), 0, 0);
		finish(h, 80);
	}
}

/* ---- what the dump says ---------------------------------------------------------------------------------------------------------- */

static unsigned seen[16];

static int dump_one(void *arg, const struct sock_info *info)
{
	(void)arg;
	cr_assert_eq(info->protocol, IPPROTO_TCP);
	cr_assert_eq(info->local.family, AF_INET);
	seen[info->state]++;
	switch (info->state) {
	case TCP_LISTEN:
		cr_assert_eq(info->lport, 7);
		cr_assert_eq(info->sendq, 4096);
		cr_assert_eq(info->rport, 0);
		break;
	case TCP_ESTABLISHED:
		cr_assert(info->has_tcp_info && info->ino && info->lport && info->rport && info->cong[0]);
		cr_assert_eq(info->remote.v4, cpu_to_be32(0x7f000001u));
		break;
	case TCP_TIME_WAIT:
	case TCP_FIN_WAIT2:
		cr_assert_eq(info->timer, 3);
		cr_assert(info->expires > 0 && info->expires <= 61 * NSEC_PER_SEC, "%lld", (long long)info->expires);
		cr_assert_eq(info->ino, 0);
		break;
	}
	return 0;
}

Test(stream, dump)
{
	struct host *h = start(1, 26);
	struct socket *raw;

	cr_assert_eq(ns_socket(host_touch(h, 0), AF_INET, SOCK_STREAM, 0, &raw), 0);
	ns_close(raw);
	for (unsigned i = 0; i < 10; i++)
		client(h, 0, 100000, 0, 0);
	for (unsigned i = 1; i <= 10; i++) /* five go on at once, the others wait for room with nobody to read */
		if (i > 5)
			ends[i].total = 0;
	memset(seen, 0, sizeof(seen));
	host_run(h, h->now);
	cr_assert_eq(stack_sock_foreach(h->shard[0].stack, dump_one, NULL), 0);
	cr_assert_eq(seen[TCP_LISTEN], 1);
	host_run(h, h->now + NSEC_PER_SEC);
	memset(seen, 0, sizeof(seen));
	cr_assert_eq(stack_sock_foreach(h->shard[0].stack, dump_one, NULL), 0);
	cr_assert_eq(seen[TCP_LISTEN], 1);
	cr_assert_eq(seen[TCP_TIME_WAIT], 10, "%u", seen[TCP_TIME_WAIT]);
	finish(h, 10);
}
