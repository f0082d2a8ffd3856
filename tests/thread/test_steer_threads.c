/* SPDX-License-Identifier: MIT */
/*
 * test_steer_threads.c: three shards on three threads forward numbered flows while a fourth thread changes rps_cpus and tables of RSS. What the last number of a flow was
 * is kept in plain memory, written by whichever shard forwards it: so ThreadSanitizer sees a race if a flow ever changes its shard before what is under way
 * is done with and known to be (ops->steer_done), and the numbers show it if a frame overtakes another.
 *
 * Frames and changes keep step on a machine of any speed: a shard makes no more than what belongs to the change under way and the two behind it, and the next
 * change is not made before as many frames are.
 */
#include "mailbox.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netstack/netcfg.h>
#include <netstack/stack.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHARDS  3u
#define FLOWS   48u /* each comes in on one shard */
#define FRAMES  30006u /* of a shard */
#define CHANGES 300u
#define PORT    5000

struct cluster;
struct shard {
	struct cluster  *c;
	unsigned         cpu;
	struct stack    *stack;
	struct mailbox   mb;
	_Atomic unsigned sent;
	unsigned         pending, forwarded, handed;
	ktime_t          now;
	_Atomic uint64_t version;
	_Atomic uint32_t done[SHARDS];
	_Atomic bool     idle;
};

struct cluster {
	struct shard  shard[SHARDS];
	struct netcfg *cfg;
	int           eth[2];
	uint32_t      seq[FLOWS]; /* of the shard that a flow comes in on */
	uint32_t      last[FLOWS]; /* of the shard that forwards it now */
	_Atomic unsigned disorder;
	_Atomic unsigned quota; /* so many frames may each shard have made by now */
	_Atomic bool  stop;
};

static unsigned ntests, nfailed;

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++ntests, what);
	fflush(stdout);
	nfailed += !ok;
}

static const struct eth_addr mac = { { 2, 0, 0, 0, 0, 1 } }, peer = { { 2, 0, 0, 0, 0, 9 } };

static uint16_t sum16(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct shard *s = priv;
	uint8_t       b[8];

	if (ifindex == s->c->eth[1] && skb_copy_bits(skb, 14 + 28, b, 8) == 0) {
		uint32_t flow = get_be32(b), seq = get_be32(b + 4);

		if (seq <= s->c->last[flow])
			atomic_fetch_add(&s->c->disorder, 1);
		s->c->last[flow] = seq;
		s->forwarded++;
	}
	consume_skb(skb);
	return 0;
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct shard *s = priv;
	int           n = 0;

	for (; n < budget && s->pending; n++, s->pending--, atomic_fetch_add(&s->sent, 1)) {
		uint32_t        flow = atomic_load(&s->sent) / 3 % (FLOWS / SHARDS) * SHARDS + s->cpu; /* three at a time */
		struct sk_buff *skb = alloc_skb(stack_skb_pool(s->stack), SKB_HEADROOM + 64, SKB_HEADROOM);
		uint8_t        *b = skb_put(skb, 14 + 36);

		memset(b, 0, 50);
		memcpy(b, &mac, 6);
		memcpy(b + 6, &peer, 6);
		put_be16(b + 12, 0x0800);
		b[14] = 0x45;
		b[17] = 36;
		b[22] = 64;
		b[23] = 17;
		put_be32(b + 26, 0x0a010009);
		put_be32(b + 30, 0x0a020009);
		put_be16(b + 24, sum16(b + 14, 20));
		put_be16(b + 34, (uint16_t)(1000 + flow));
		put_be16(b + 36, PORT);
		b[39] = 16;
		put_be32(b + 42, flow);
		put_be32(b + 46, ++s->c->seq[flow]);
		stack_rx(s->stack, ifindex, skb, *now);
	}
	return n;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct shard *s = priv;

	if (!ring_push(s->c->shard[cpu].mb.ring[s->cpu], skb))
		return -ENOBUFS;
	s->handed++;
	return 0;
}

static uint32_t op_steer_done(void *priv, unsigned cpu)
{
	struct shard *s = priv;

	return atomic_load_explicit(&s->c->shard[cpu].done[s->cpu], memory_order_acquire);
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg) { (void)priv, (void)cpu, (void)msg; }
static void op_wake(void *priv, uint64_t cookie, uint32_t events) { (void)priv, (void)cookie, (void)events; }

static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll, .steer = op_steer, .steer_done = op_steer_done, .tell = op_tell, .wake = op_wake };

struct apply_job {
	struct job                 job;
	const struct net_snapshot *snap;
};

static void job_apply(struct job *job, void *owner)
{
	struct apply_job *j = (struct apply_job *)(void *)job;
	struct shard     *s = owner;

	if (stack_apply(s->stack, j->snap, s->now) == 0)
		atomic_store(&s->version, net_snapshot_version(j->snap));
	free(j);
}

static unsigned turn(struct shard *s, unsigned frames)
{
	unsigned n = mailbox_run_jobs(&s->mb, s);

	s->now += 10 * NSEC_PER_USEC;
	for (unsigned i = 0; i < SHARDS; i++)
		for (struct sk_buff *skb; i != s->cpu && (skb = ring_pop(s->mb.ring[i])); n++)
			stack_steered(s->stack, skb, s->now);
	if (frames) {
		s->pending += frames;
		stack_irq(s->stack, s->c->eth[0], s->now);
	}
	stack_run(s->stack, s->now, 0);
	for (unsigned i = 0; i < SHARDS; i++)
		atomic_store_explicit(&s->done[i], stack_steer_done(s->stack, i), memory_order_release);
	return n;
}

static void *shard_main(void *arg)
{
	struct shard *s = arg;

	while (!atomic_load(&s->c->stop)) {
		unsigned made = atomic_load(&s->sent) + s->pending;
		unsigned frames = made < FRAMES && made < atomic_load(&s->c->quota) && atomic_load(&s->version) ? 9 : 0;
		unsigned n = turn(s, frames);

		atomic_store(&s->idle, !n && made >= FRAMES && !s->pending);
		if (!n)
			sched_yield();
	}
	return NULL;
}

static void publish(struct cluster *c, bool now)
{
	const struct net_snapshot *snap = netcfg_commit(c->cfg);
	uint64_t                   oldest = UINT64_MAX;

	for (unsigned i = 0; i < SHARDS; i++) {
		struct apply_job *j = calloc(1, sizeof(*j));

		*j = (struct apply_job){ .job.run = job_apply, .snap = snap };
		if (now)
			job_apply(&j->job, &c->shard[i]);
		else
			mailbox_post(&c->shard[i].mb, &j->job);
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		uint64_t v = atomic_load(&c->shard[i].version);

		oldest = v < oldest ? v : oldest;
	}
	netcfg_reclaim(c->cfg, oldest);
}

static void configure(struct cluster *c)
{
	struct netcfg_err err;

	c->cfg = netcfg_new();
	for (unsigned i = 0; i < 2; i++) {
		struct link_conf  link = { .type = LINK_VIRTUAL, .addr = mac, .queues = SHARDS };
		struct addr_conf  addr = { .local = { ipaddr_v4(htonl(0x0a010001u + (i << 16))), 24 } };
		struct neigh_conf neigh = { .addr = ipaddr_v4(htonl(0x0a010009u + (i << 16))), .lladdr = peer };

		snprintf(link.name, sizeof(link.name), "eth%u", i);
		netcfg_link_add(c->cfg, &link, 1, &c->eth[i], &err);
		link = *netcfg_link_by_index(c->cfg, c->eth[i]);
		link.flags |= NS_IFF_UP;
		netcfg_link_set(c->cfg, &link, &err);
		netcfg_link_set_carrier(c->cfg, c->eth[i], true);
		addr.ifindex = neigh.ifindex = c->eth[i];
		netcfg_addr_add(c->cfg, &addr, false, &err);
		netcfg_neigh_add(c->cfg, &neigh, false, &err);
	}
	netcfg_sysctl_set(c->cfg, "net.ipv4.ip_forward", "1", &err);
}

static void change(struct cluster *c, unsigned v)
{
	struct link_conf  link = *netcfg_link_by_index(c->cfg, c->eth[0]);
	struct netcfg_err err;

	link.rps_set = v % 3 != 2;
	link.rps_cpus = v * 5 % 8;
	link.rss.set = v % 3 == 2;
	for (unsigned i = 0; i < RSS_KEY_LEN; i++)
		link.rss.key[i] = (uint8_t)(rss_default_key[i] ^ v);
	for (unsigned i = 0; i < RSS_INDIR_LEN; i++)
		link.rss.indir[i] = (uint8_t)((i + v) % SHARDS);
	netcfg_link_set(c->cfg, &link, &err);
}

static unsigned total(struct cluster *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHARDS; i++)
		n += atomic_load(&c->shard[i].sent);
	return n;
}

int main(void)
{
	static struct cluster c;
	unsigned              sent = 0, forwarded = 0, handed = 0, lost = 0, quiet = 0;
	uint64_t              drops[SKB_DROP_MAX] = { 0 };
	pthread_t             t[SHARDS];
	bool                  ok = true;

	configure(&c);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct stack_params params = { .seed = { 1, 2, 3, 4 + i }, .cpu = i, .ncpu = SHARDS };
		struct shard       *s = &c.shard[i];

		s->c = &c;
		s->cpu = i;
		s->now = NSEC_PER_SEC;
		ok = ok && mailbox_init(&s->mb, SHARDS, i, 4096) == 0 && stack_new(&s->stack, &params, &ops, s, s->now) == 0;
	}
	result(ok, "three shards are made");
	publish(&c, true);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_create(&t[i], NULL, shard_main, &c.shard[i]);
	for (unsigned v = 0; v < CHANGES; v++) {
		atomic_store(&c.quota, (v + 3) * (FRAMES / CHANGES));
		while (total(&c) < v * SHARDS * (FRAMES / CHANGES))
			usleep(100);
		change(&c, v);
		publish(&c, false);
	}
	atomic_store(&c.quota, FRAMES);
	while (quiet < 20) { /* all have nothing to do, for a while */
		bool idle = true;

		for (unsigned i = 0; i < SHARDS; i++)
			idle = idle && atomic_load(&c.shard[i].idle);
		quiet = idle ? quiet + 1 : 0;
		usleep(2000);
	}
	atomic_store(&c.stop, true);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_join(t[i], NULL);
	for (unsigned round = 0; round < 1000; round++) /* what was still under way: each has a budget for a turn */
		for (unsigned i = 0; i < SHARDS; i++)
			turn(&c.shard[i], 0);
	for (unsigned i = 0; i < SHARDS; i++) {
		sent += atomic_load(&c.shard[i].sent);
		forwarded += c.shard[i].forwarded;
		handed += c.shard[i].handed;
		stack_drops_add(c.shard[i].stack, drops);
	}
	for (unsigned i = 1; i < SKB_DROP_MAX; i++)
		lost += (unsigned)drops[i];
	printf("# %u frames, %u handed over, %u forwarded, %u dropped\n", sent, handed, forwarded, lost);
	result(sent == SHARDS * FRAMES && forwarded + lost == sent, "every frame is forwarded once or has a drop reason");
	result(handed > sent / 10 && handed < sent, "shards changed under way");
	result(atomic_load(&c.disorder) == 0, "no frame overtook another of its flow");
	for (unsigned i = 0; i < SHARDS; i++) {
		stack_free(c.shard[i].stack);
		mailbox_exit(&c.shard[i].mb);
	}
	netcfg_free(c.cfg);
	printf("1..%u\n", ntests);
	return nfailed != 0;
}
