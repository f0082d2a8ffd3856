/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c: what threads of the daemon hand to each other, under ThreadSanitizer: rings, mailboxes with sleep and kick, and two shards on two threads
 * that steer frames to each other while a third thread publishes one configuration after another and frees the old ones.
 *
 * Criterion does not start under gcc's TSan, so this is a plain program that prints TAP. run-test makes a failure of any report.
 */
#include "capture_ring.h"
#include "mailbox.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netstack/netcfg.h>
#include <netstack/socket.h>
#include <netstack/stack.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static unsigned ntests, nfailed;

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++ntests, what);
	fflush(stdout);
	nfailed += !ok;
}

/* ---- a ring between two threads ------------------------------------------------------------------------------------- */

#define RING_ITEMS 200000u

static void *ring_producer(void *arg)
{
	struct ring *r = arg;

	for (uintptr_t i = 1; i <= RING_ITEMS;)
		if (ring_push(r, (void *)i))
			i++;
		else
			sched_yield();
	return NULL;
}

static void test_ring(void)
{
	struct ring *r = ring_new(64);
	pthread_t    t;
	uintptr_t    want = 1;
	bool         ok = true;

	pthread_create(&t, NULL, ring_producer, r);
	while (want <= RING_ITEMS) {
		void *p = ring_pop(r);

		if (!p) {
			sched_yield();
			continue;
		}
		ok = ok && (uintptr_t)p == want;
		want++;
	}
	pthread_join(t, NULL);
	result(ok && ring_empty(r) && !ring_pop(r), "a ring keeps every item, in order");
	for (uintptr_t i = 1; i <= 64; i++)
		ok = ok && ring_push(r, (void *)i);
	result(ok && !ring_push(r, r), "a full ring says so");
	while (ring_pop(r))
		;
	ring_free(r);
}

/* ---- captured packets between two threads ------------------------------------------------------------------------------- */

#define RECORDS 100000u

static void *record_producer(void *arg)
{
	struct capture_ring *r = arg;

	for (uint64_t i = 0; i < RECORDS;) {
		uint32_t n = (uint32_t)(i * 37 % 700);
		struct capture_record *rec = capture_ring_reserve(r, n);

		if (!rec) {
			capture_ring_publish(r);
			sched_yield();
			continue;
		}
		rec->time = i;
		memset(rec->data, (int)(i & 255), n);
		capture_ring_push(r, rec, NULL, 0);
		if (++i % 5 == 0)
			capture_ring_publish(r);
	}
	capture_ring_publish(r);
	return NULL;
}

static void test_capture_ring(void)
{
	struct capture_ring r;
	pthread_t           t;
	bool                ok = capture_ring_init(&r, 16384) == 0;
	uint64_t            want = 0;

	if (ok)
		pthread_create(&t, NULL, record_producer, &r);
	while (ok && want < RECORDS) {
		const struct capture_record *rec = capture_ring_peek(&r);

		if (!rec) {
			sched_yield();
			continue;
		}
		ok = rec->time == want && rec->caplen == want * 37 % 700;
		for (uint32_t i = 0; ok && i < rec->caplen; i++)
			ok = rec->data[i] == (uint8_t)want;
		capture_ring_pop(&r, rec);
		want++;
	}
	if (want == RECORDS)
		pthread_join(t, NULL);
	result(ok && !capture_ring_peek(&r), "captured packets keep their order and their bytes");
	if (want == RECORDS)
		capture_ring_exit(&r);
}

/* ---- a mailbox whose owner sleeps ---------------------------------------------------------------------------------------- */

#define PRODUCERS 3u
#define JOBS      20000u

struct box_job {
	struct job job;
	unsigned   from, nr;
};

struct box {
	struct mailbox mb;
	unsigned       seen[PRODUCERS], from_ring[PRODUCERS];
	bool           wrong;
};

struct producer {
	struct box *box;
	unsigned    id;
};

static void box_run(struct job *job, void *owner)
{
	struct box_job *j = (struct box_job *)(void *)job;
	struct box     *b = owner;

	if (j->nr != b->seen[j->from]++)
		b->wrong = true;
	free(j);
}

static void *box_producer(void *arg)
{
	struct producer *p = arg;

	for (unsigned i = 0; i < JOBS; i++) {
		if (i & 1) {
			struct box_job *j = calloc(1, sizeof(*j));

			*j = (struct box_job){ .job.run = box_run, .from = p->id, .nr = i / 2 };
			mailbox_post(&p->box->mb, &j->job);
		} else {
			while (!ring_push(p->box->mb.ring[p->id], (void *)(uintptr_t)(i / 2 + 1)))
				sched_yield();
			mailbox_kick(&p->box->mb);
		}
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

/* Waits for a kick as an event loop does, edge-triggered. False: nothing came for two minutes, though it was promised. */
static bool box_wait(struct mailbox *mb, int ep)
{
	struct epoll_event ev;
	bool               ok = true;

	if (mailbox_sleep(mb))
		ok = epoll_wait(ep, &ev, 1, 120000) == 1;
	mailbox_awake(mb);
	return ok;
}

static void test_mailbox(void)
{
	struct box         b = { 0 };
	struct producer    p[PRODUCERS];
	pthread_t          t[PRODUCERS];
	int                ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	bool               woken = true;
	unsigned           n = 0;

	if (mailbox_init(&b.mb, PRODUCERS + 1, PRODUCERS, 16) || epoll_ctl(ep, EPOLL_CTL_ADD, b.mb.efd, &ev)) {
		result(false, "a mailbox can be made");
		return;
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		p[i] = (struct producer){ &b, i };
		pthread_create(&t[i], NULL, box_producer, &p[i]);
	}
	while (n < PRODUCERS * JOBS && woken) {
		n += mailbox_run_jobs(&b.mb, &b);
		for (unsigned i = 0; i < PRODUCERS; i++)
			for (void *v; (v = ring_pop(b.mb.ring[i])); n++)
				if ((uintptr_t)v != ++b.from_ring[i])
					b.wrong = true;
		if (n < PRODUCERS * JOBS)
			woken = box_wait(&b.mb, ep);
	}
	result(woken, "no kick is lost while the owner goes to sleep");
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(t[i], NULL);
	result(woken && !b.wrong, "jobs and frames of each producer arrive once and in order");
	mailbox_run_jobs(&b.mb, &b);
	mailbox_exit(&b.mb);
	close(ep);
}

/* ---- two shards on two threads ---------------------------------------------------------------------------------------------- */

#define SHARDS   2u
#define FRAMES   20000u
#define VERSIONS 300u

struct shard {
	unsigned             cpu;
	struct shard        *all;
	struct stack        *stack;
	struct mailbox       mb;
	int                  ep, ifindex;
	unsigned             given, taken, steered_out; /* datagrams made here; received by the socket here; handed over */
	_Atomic uint64_t     version; /* applied */
	_Atomic bool         stop;
	_Atomic bool         made; /* all of its datagrams, for the thread that watches */
	struct socket       *sock;
	ktime_t              now;
};

struct shard_job {
	struct job                 job;
	const struct net_snapshot *snap;
	struct shard_msg           msg;
};

static void job_apply(struct job *job, void *owner)
{
	struct shard_job *j = (struct shard_job *)(void *)job;
	struct shard     *s = owner;

	if (stack_apply(s->stack, j->snap, s->now) == 0)
		atomic_store(&s->version, net_snapshot_version(j->snap));
	free(j);
}

static void job_msg(struct job *job, void *owner)
{
	struct shard_job *j = (struct shard_job *)(void *)job;
	struct shard     *s = owner;

	stack_msg(s->stack, &j->msg, s->now);
	free(j);
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	(void)priv;
	(void)ifindex;
	consume_skb(skb);
	return 0;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct shard *s = priv;

	if (!ring_push(s->all[cpu].mb.ring[s->cpu], skb))
		return -ENOBUFS;
	s->steered_out++;
	mailbox_kick(&s->all[cpu].mb);
	return 0;
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg)
{
	struct shard *s = priv;

	for (unsigned i = 0; i < SHARDS; i++)
		if (i != s->cpu && (cpu == STACK_CPU_ALL || cpu == i)) {
			struct shard_job *j = calloc(1, sizeof(*j));

			*j = (struct shard_job){ .job.run = job_msg, .msg = *msg };
			mailbox_post(&s->all[i].mb, &j->job);
		}
}

static void op_wake(void *priv, uint64_t cookie, uint32_t events)
{
	struct shard *s = priv;
	char          buf[64];

	(void)cookie;
	(void)events;
	while (ns_recv(s->sock, buf, sizeof(buf), 0) > 0)
		s->taken++;
}

static const struct stack_ops shard_ops = { .xmit = op_xmit, .steer = op_steer, .tell = op_tell, .wake = op_wake };

static uint16_t sum16(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* A datagram of flow nr to port 9; its flow may belong to the other shard. */
static void receive_one(struct shard *s, unsigned nr)
{
	uint8_t f[14 + 20 + 8 + 8] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1 };
	struct sk_buff *skb = alloc_skb(stack_skb_pool(s->stack), sizeof(f) + SKB_HEADROOM, SKB_HEADROOM);

	if (!skb)
		return;
	put_be16(f + 24, sum16(f + 14, 20));
	put_be16(f + 34, (uint16_t)(1024 + nr % 997));
	put_be16(f + 36, 9);
	put_be16(f + 38, 16);
	skb_put_data(skb, f, sizeof(f));
	stack_rx(s->stack, s->ifindex, skb, s->now);
	s->given++;
}

static void take_in(struct shard *s)
{
	mailbox_run_jobs(&s->mb, s);
	for (unsigned i = 0; i < SHARDS; i++)
		for (struct sk_buff *skb; i != s->cpu && (skb = ring_pop(s->mb.ring[i]));)
			stack_steered(s->stack, skb, s->now);
	s->now += 10 * NSEC_PER_USEC;
}

static void *shard_main(void *arg)
{
	struct shard *s = arg;
	unsigned      n = 0;

	while (!atomic_load(&s->stop)) {
		take_in(s);
		if (n < FRAMES && atomic_load(&s->version)) {
			for (unsigned k = 0; k < 8; k++)
				receive_one(s, n++);
			stack_run(s->stack, s->now, 0);
			continue;
		}
		atomic_store(&s->made, n >= FRAMES);
		stack_run(s->stack, s->now, 0);
		if (mailbox_sleep(&s->mb)) {
			struct epoll_event ev;
			epoll_wait(s->ep, &ev, 1, 5);
		}
		mailbox_awake(&s->mb);
	}
	return NULL;
}

static void publish(struct netcfg *cfg, struct shard *s)
{
	const struct net_snapshot *snap = netcfg_commit(cfg);
	uint64_t                   oldest = UINT64_MAX;

	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard_job *j = calloc(1, sizeof(*j));

		*j = (struct shard_job){ .job.run = job_apply, .snap = snap };
		mailbox_post(&s[i].mb, &j->job);
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		uint64_t v = atomic_load(&s[i].version);

		if (v < oldest)
			oldest = v;
	}
	if (oldest)
		netcfg_reclaim(cfg, oldest);
}

static void test_shards(void)
{
	struct netcfg     *cfg = netcfg_new();
	struct link_conf   link = { .name = "eth0", .type = LINK_VIRTUAL, .addr = { { 2, 0, 0, 0, 0, 1 } } };
	struct addr_conf   addr = { .local = { .addr = ipaddr_v4(htonl(0xc0000201)), .len = 24 } };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = SHARDS };
	struct netcfg_err  err;
	static struct shard s[SHARDS];
	pthread_t          t[SHARDS];
	unsigned           lost = 0, given = 0, taken = 0, steered = 0;
	uint64_t           drops[SKB_DROP_MAX] = { 0 };
	int                ifindex, one = 1;
	bool               ok = true;

	netcfg_link_add(cfg, &link, 1, &ifindex, &err);
	link = *netcfg_link_by_index(cfg, ifindex);
	link.flags |= NS_IFF_UP;
	link.carrier = 1;
	netcfg_link_set(cfg, &link, &err);
	netcfg_link_set_carrier(cfg, ifindex, true);
	addr.ifindex = ifindex;
	netcfg_addr_add(cfg, &addr, false, &err);
	netcfg_sysctl_set(cfg, "net.core.netdev_max_backlog", "100000", &err);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
		int                big = 4 * 1024 * 1024;

		s[i] = (struct shard){ .cpu = i, .all = s, .ifindex = ifindex, .now = NSEC_PER_SEC };
		params.cpu = i;
		ok = ok && mailbox_init(&s[i].mb, SHARDS, i, 65536) == 0;
		s[i].ep = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(s[i].ep, EPOLL_CTL_ADD, s[i].mb.efd, &ev);
		ok = ok && stack_new(&s[i].stack, &params, &shard_ops, &s[i], s[i].now) == 0;
		ok = ok && ns_socket(s[i].stack, AF_INET, SOCK_DGRAM, 0, &s[i].sock) == 0;
		ns_setsockopt(s[i].sock, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &one, sizeof(one));
		ns_setsockopt(s[i].sock, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
		ok = ok && ns_bind(s[i].sock, (struct sockaddr *)&at, sizeof(at)) == 0;
		ns_set_cookie(s[i].sock, 1, EPOLLIN);
	}
	result(ok, "two shards are made");
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_create(&t[i], NULL, shard_main, &s[i]);
	for (unsigned v = 0; v < VERSIONS; v++) {
		struct route_conf r = { .dst = { .addr = ipaddr_v4(htonl(0x0a000000 + (v % 50) * 256)), .len = 24 }, .gateway = ipaddr_v4(htonl(0xc0000202)) };

		if (v / 50 % 2)
			netcfg_route_del(cfg, &r, &err);
		else
			netcfg_route_add(cfg, &r, true, &err);
		publish(cfg, s);
		if (v % 8 == 0)
			usleep(1000);
	}
	/* every datagram that was made is received or accounted for */
	for (unsigned i = 0; i < SHARDS; i++)
		while (!atomic_load(&s[i].made))
			usleep(1000);
	for (unsigned i = 0; i < SHARDS; i++)
		atomic_store(&s[i].stop, true);
	for (unsigned i = 0; i < SHARDS; i++) {
		mailbox_kick(&s[i].mb);
		pthread_join(t[i], NULL);
	}
	for (unsigned quiet = 0, before = 0; quiet < 100; quiet++, before = taken) { /* what was still under way */
		taken = 0;
		for (unsigned i = 0; i < SHARDS; i++) {
			take_in(&s[i]);
			stack_run(s[i].stack, s[i].now, 0);
			taken += s[i].taken;
		}
		if (taken != before)
			quiet = 0;
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		given += s[i].given;
		steered += s[i].steered_out;
		stack_drops_add(s[i].stack, drops);
		ok = ok && atomic_load(&s[i].version) >= VERSIONS / 2;
	}
	for (unsigned i = 1; i < SKB_DROP_MAX; i++)
		lost += (unsigned)drops[i];
	printf("# %u datagrams, %u steered, %u received, %u dropped, version %llu\n", given, steered, taken, lost, (unsigned long long)atomic_load(&s[0].version));
	result(given == SHARDS * FRAMES && taken + lost == given && steered > 0, "every datagram is received once, on the shard of its flow, or has a drop reason");
	result(ok, "every shard followed the configuration");
	for (unsigned i = 0; i < SHARDS; i++)
		ns_close(s[i].sock);
	for (unsigned i = 0; i < SHARDS; i++) {
		stack_free(s[i].stack);
		mailbox_exit(&s[i].mb);
		close(s[i].ep);
	}
	netcfg_free(cfg);
}

int main(void)
{
	test_ring();
	test_capture_ring();
	test_mailbox();
	test_shards();
	printf("1..%u\n", ntests);
	return nfailed != 0;
}
