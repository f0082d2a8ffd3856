/* SPDX-License-Identifier: MIT */
/*
 * test_steer.c: the Toeplitz hash on the published vectors; which shard does the work of a packet (masks, tables of a card, sockets of other shards); flow limit; and
 * order: a cluster of shards whose rings, runs and news are moved by chance while steering changes all the time.
 */
#include "checksum.h"
#include "dev.h"
#include "inet_hash.h"
#include "sock.h"
#include "stack_priv.h"
#include "steer.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netstack/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* ---- the hash of cards ---------------------------------------------------------------------------------------------------- */

static struct ipaddr address(const char *text)
{
	struct ipaddr a = IPADDR_NONE;

	a.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	cr_assert_eq(inet_pton(a.family, text, a.b), 1);
	return a;
}

/* Microsoft, "Verifying the RSS hash calculation" */
Test(toeplitz, published_vectors)
{
	static const struct { const char *dst; uint16_t dport; const char *src; uint16_t sport; uint32_t ip, tcp; } rows[] = {
		{ "161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178 },
		{ "65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea },
		{ "12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a },
		{ "209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f },
		{ "202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2 },
		{ "3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d },
		{ "ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf },
		{ "fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985, 0x02d1feef },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipaddr src = address(rows[i].src), dst = address(rows[i].dst);

		cr_expect_eq(rss_hash(rss_default_key, &src, &dst, false, 0, 0), rows[i].ip, "%s", rows[i].dst);
		cr_expect_eq(rss_hash(rss_default_key, &src, &dst, true, rows[i].sport, rows[i].dport), rows[i].tcp, "%s with ports", rows[i].dst);
	}
}

Test(toeplitz, tables_agree_with_the_definition)
{
	struct toeplitz_v4 t;
	uint64_t seed = 42;
	struct rng r;

	rng_init(&r, (uint64_t[4]){ seed }, 0);
	for (int k = 0; k < 20; k++) {
		uint8_t key[RSS_KEY_LEN], data[TOEPLITZ_V4_LEN];

		rng_bytes(&r, key, sizeof(key));
		toeplitz_v4_init(&t, key);
		for (int i = 0; i < 200; i++) {
			rng_bytes(&r, data, sizeof(data));
			cr_assert_eq(toeplitz_v4(&t, data, 12), toeplitz_hash(key, data, 12));
			cr_assert_eq(toeplitz_v4(&t, data, 8), toeplitz_hash(key, data, 8));
		}
	}
}

Test(toeplitz, a_key_of_equal_halves_is_symmetric)
{
	uint8_t key[RSS_KEY_LEN];
	struct ipaddr a = address("192.0.2.1"), b = address("198.51.100.7");

	for (unsigned i = 0; i < RSS_KEY_LEN; i++)
		key[i] = i % 2 ? 0x5a : 0x6d;
	cr_expect_eq(rss_hash(key, &a, &b, true, 1000, 2000), rss_hash(key, &b, &a, true, 2000, 1000));
	cr_expect_neq(rss_hash(rss_default_key, &a, &b, true, 1000, 2000), rss_hash(rss_default_key, &b, &a, true, 2000, 1000));
	cr_expect_eq(toeplitz_hash(key, "", 0), 0u);
	cr_expect_eq(toeplitz_hash(rss_default_key, rss_default_key, 36), toeplitz_hash(rss_default_key, rss_default_key, 4000), "never beyond the key");
}

/* ---- a cluster of shards ---------------------------------------------------------------------------------------------------- */

#define MAX_SHARDS 8
#define FLOWS      64
#define PORT       5000

struct item { /* on its way from a shard to another */
	struct item     *next;
	struct sk_buff  *skb; /* or msg */
	struct shard_msg msg;
	unsigned         from;
};

struct fifo { struct item *first, **last; unsigned n; };

struct cluster;
struct shard {
	struct cluster *c;
	unsigned        cpu;
	struct stack   *stack;
	struct fifo     frames[MAX_SHARDS], news; /* frames by the shard that handed them over; shard_msg in order */
	uint32_t        done[MAX_SHARDS]; /* published */
	struct fifo     queue; /* of the device */
	const struct net_snapshot *snap;
	struct socket  *sock;
	unsigned        in;
};

struct cluster {
	struct netcfg *cfg;
	int            eth[2];
	unsigned       n;
	struct shard   shard[MAX_SHARDS];
	ktime_t        now;
	uint64_t       rng;
	uint32_t       seq[FLOWS], last[FLOWS]; /* of each flow: sent, and last seen at its end */
	unsigned       came, disorder;
	unsigned       queue_of[FLOWS]; /* of the device: a card keeps a flow on a queue */
	const char    *daddr;
	uint32_t       syn_seq; /* of the last SYN that left */
	unsigned       resets; /* that left */
};

static const struct eth_addr mac = { { 2, 0, 0, 0, 0, 1 } }, peer = { { 2, 0, 0, 0, 0, 9 } };

static uint32_t chance(struct cluster *c, uint32_t n)
{
	c->rng = c->rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((c->rng >> 33) * n >> 31);
}

static void fifo_put(struct fifo *f, struct item *it)
{
	if (!f->first)
		f->last = &f->first;
	it->next = NULL;
	*f->last = it;
	f->last = &it->next;
	f->n++;
}

static struct item *fifo_get(struct fifo *f)
{
	struct item *it = f->first;

	if (it) {
		f->first = it->next;
		f->n--;
	}
	return it;
}

static void seen(struct cluster *c, uint32_t flow, uint32_t seq)
{
	cr_assert_lt(flow, (uint32_t)FLOWS);
	c->came++;
	c->disorder += seq <= c->last[flow];
	if (seq > c->last[flow])
		c->last[flow] = seq;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct shard *s = priv;
	uint8_t data[8], tcp[14], proto;

	if (skb_copy_bits(skb, ETH_HLEN + 9, &proto, 1) == 0 && proto == IPPROTO_TCP && skb_copy_bits(skb, ETH_HLEN + 20, tcp, sizeof(tcp)) == 0) {
		if (tcp[13] == 2)
			s->c->syn_seq = get_be32(tcp + 4);
		s->c->resets += (tcp[13] & 4) != 0;
	}
	if (ifindex == s->c->eth[1] && skb_copy_bits(skb, ETH_HLEN + 28, data, 8) == 0)
		seen(s->c, get_be32(data), get_be32(data + 4));
	consume_skb(skb);
	return 0;
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct shard *s = priv;
	struct item *it;
	int n = 0;

	for (; n < budget && (it = fifo_get(&s->queue)); n++) {
		stack_rx(s->stack, ifindex, it->skb, *now);
		s->in++;
		free(it);
	}
	return n;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct shard *s = priv;
	struct item *it = calloc(1, sizeof(*it));

	cr_assert(cpu < s->c->n && cpu != s->cpu);
	it->skb = skb;
	fifo_put(&s->c->shard[cpu].frames[s->cpu], it);
	return 0;
}

static uint32_t op_steer_done(void *priv, unsigned cpu)
{
	struct shard *s = priv;

	return s->c->shard[cpu].done[s->cpu];
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg)
{
	struct shard *s = priv;

	for (unsigned i = 0; i < s->c->n; i++) {
		struct item *it;

		if (i == s->cpu || (cpu != STACK_CPU_ALL && cpu != i))
			continue;
		it = calloc(1, sizeof(*it));
		it->msg = *msg;
		fifo_put(&s->c->shard[i].news, it);
	}
}

static void op_wake(void *priv, uint64_t cookie, uint32_t events) { (void)priv, (void)cookie, (void)events; }

static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll, .steer = op_steer, .steer_done = op_steer_done, .tell = op_tell, .wake = op_wake };
/* Without the knowledge of what is done with. */
static const struct stack_ops blind = { .xmit = op_xmit, .poll = op_poll, .steer = op_steer, .tell = op_tell, .wake = op_wake };

static void apply_one(struct cluster *c, struct shard *s, const struct net_snapshot *snap)
{
	uint64_t oldest = UINT64_MAX;

	cr_assert_eq(stack_apply(s->stack, snap, c->now), 0);
	s->snap = snap;
	for (unsigned i = 0; i < c->n; i++) {
		uint64_t version = c->shard[i].snap ? net_snapshot_version(c->shard[i].snap) : 0;

		oldest = version < oldest ? version : oldest;
	}
	netcfg_reclaim(c->cfg, oldest);
}

static void apply(struct cluster *c)
{
	const struct net_snapshot *snap = netcfg_commit(c->cfg);

	cr_assert(snap);
	for (unsigned i = 0; i < c->n; i++)
		apply_one(c, &c->shard[i], snap);
}

static struct link_conf link_of(struct cluster *c, int i) { return *netcfg_link_by_index(c->cfg, c->eth[i]); }

static struct cluster *cluster_new(unsigned n, uint64_t seed, uint16_t queues, const struct stack_ops *with)
{
	struct cluster *c = calloc(1, sizeof(*c));

	c->n = n;
	c->rng = seed * 2 + 1;
	c->now = 5 * NSEC_PER_SEC;
	c->daddr = "10.2.0.9";
	c->cfg = netcfg_new();
	for (int i = 0; i < 2; i++) {
		struct link_conf link = { .type = LINK_VIRTUAL, .addr = mac, .queues = queues };
		struct addr_conf addr = { .local = { ipaddr_v4(htonl(0x0a010001u + ((uint32_t)i << 16))), 24 } };
		struct neigh_conf neigh = { .addr = ipaddr_v4(htonl(0x0a010009u + ((uint32_t)i << 16))), .lladdr = peer };

		snprintf(link.name, sizeof(link.name), "eth%d", i);
		cr_assert_eq(netcfg_link_add(c->cfg, &link, 1, &c->eth[i], NULL), 0);
		link = link_of(c, i);
		link.flags |= NS_IFF_UP;
		cr_assert_eq(netcfg_link_set(c->cfg, &link, NULL), 0);
		cr_assert_eq(netcfg_link_set_carrier(c->cfg, c->eth[i], true), 0);
		addr.ifindex = neigh.ifindex = c->eth[i];
		cr_assert_eq(netcfg_addr_add(c->cfg, &addr, false, NULL), 0);
		cr_assert_eq(netcfg_neigh_add(c->cfg, &neigh, false, NULL), 0);
	}
	cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		struct stack_params params = { .seed = { 1, 2, 3, 4 + i }, .cpu = i, .ncpu = n };

		c->shard[i] = (struct shard){ .c = c, .cpu = i };
		cr_assert_eq(stack_new(&c->shard[i].stack, &params, with, &c->shard[i], c->now), 0);
	}
	for (unsigned f = 0; f < FLOWS; f++)
		c->queue_of[f] = f % (queues < n ? queues : n);
	apply(c);
	return c;
}

static struct sk_buff *packet(struct cluster *c, struct stack *stack, uint32_t flow, uint32_t seq)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(stack), SKB_HEADROOM + 64, SKB_HEADROOM);
	struct eth_hdr *eth = skb_put(skb, ETH_HLEN);
	unsigned char *ip = skb_put(skb, 36);

	*eth = (struct eth_hdr){ mac, peer, cpu_to_be16(ETH_P_IP) };
	memset(ip, 0, 36);
	ip[0] = 0x45;
	put_be16(ip + 2, 36);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	put_be32(ip + 12, 0x0a010009);
	put_be32(ip + 16, ntohl(inet_addr(c->daddr)));
	put_be16(ip + 20, (uint16_t)(1000 + flow));
	put_be16(ip + 22, PORT);
	put_be16(ip + 24, 16);
	put_be32(ip + 28, flow);
	put_be32(ip + 32, seq);
	((struct ip_hdr *)(void *)ip)->check = ip_fast_csum((struct ip_hdr *)(void *)ip, 5);
	return skb;
}

static void inject(struct cluster *c, uint32_t flow)
{
	struct shard *s = &c->shard[c->queue_of[flow]];
	struct item *it = calloc(1, sizeof(*it));

	it->skb = packet(c, s->stack, flow, ++c->seq[flow]);
	fifo_put(&s->queue, it);
	stack_irq(s->stack, c->eth[0], c->now);
}

static void take_frames(struct cluster *c, struct shard *s, unsigned max)
{
	struct item *it;

	for (unsigned k = 0, from = chance(c, c->n); k < c->n; k++, from = (from + 1) % c->n)
		for (unsigned i = 0; i < max && (it = fifo_get(&s->frames[from])); i++) {
			stack_steered(s->stack, it->skb, c->now);
			free(it);
		}
}

static void take_news(struct cluster *c, struct shard *s)
{
	struct item *it;

	while ((it = fifo_get(&s->news))) {
		stack_msg(s->stack, &it->msg, c->now);
		free(it);
	}
}

static void publish(struct shard *s)
{
	for (unsigned i = 0; i < s->c->n; i++)
		s->done[i] = stack_steer_done(s->stack, i);
}

static void read_socket(struct shard *s)
{
	uint8_t data[8];

	while (s->sock && ns_recv(s->sock, data, sizeof(data), 0) == 8)
		seen(s->c, get_be32(data), get_be32(data + 4));
}

/* Everything that is on its way arrives. */
static void settle(struct cluster *c)
{
	for (int round = 0; round < 200; round++)
		for (unsigned i = 0; i < c->n; i++) {
			take_news(c, &c->shard[i]);
			take_frames(c, &c->shard[i], 1000);
			stack_run(c->shard[i].stack, c->now, 0);
			read_socket(&c->shard[i]);
			publish(&c->shard[i]);
		}
}

static void cluster_free(struct cluster *c)
{
	settle(c);
	for (unsigned i = 0; i < c->n; i++) {
		struct shard *s = &c->shard[i];
		struct item *it;

		if (s->sock)
			ns_close(s->sock);
		s->sock = NULL;
		while ((it = fifo_get(&s->queue))) {
			kfree_skb(it->skb, SKB_DROP_DEV_DOWN);
			free(it);
		}
	}
	settle(c);
	for (unsigned i = 0; i < c->n; i++)
		stack_free(c->shard[i].stack);
	for (unsigned i = 0; i < c->n; i++) { /* what the ends told each other */
		struct item *it;

		while ((it = fifo_get(&c->shard[i].news)))
			free(it);
	}
	netcfg_free(c->cfg);
	free(c);
}

/* One thing that may happen on a shard. */
static void step(struct cluster *c)
{
	struct shard *s = &c->shard[chance(c, c->n)];

	c->now += chance(c, 20) * NSEC_PER_USEC;
	switch (chance(c, 8)) {
	case 0:
	case 1:
		take_frames(c, s, 1 + chance(c, 8));
		break;
	case 2:
	case 3:
	case 4:
		stack_run(s->stack, c->now, 1 + chance(c, 40));
		break;
	case 5:
		publish(s);
		break;
	case 6:
		take_news(c, s);
		break;
	default:
		read_socket(s);
	}
}

static uint64_t total(struct cluster *c, size_t off)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct softnet_stats st;

		stack_softnet_stats(c->shard[i].stack, &st);
		sum += *(const uint64_t *)(const void *)((const char *)&st + off);
	}
	return sum;
}
#define TOTAL(c, field) total(c, offsetof(struct softnet_stats, field))

static uint64_t drops(struct cluster *c, enum skb_drop_reason reason)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->n; i++)
		sum += skb_pool_stats(stack_skb_pool(c->shard[i].stack))->drops[reason];
	return sum;
}

static void set_rps(struct cluster *c, uint64_t mask)
{
	struct link_conf link = link_of(c, 0);

	link.rps_set = 1;
	link.rps_cpus = mask;
	cr_assert_eq(netcfg_link_set(c->cfg, &link, NULL), 0);
}

/* ---- who does the work ---------------------------------------------------------------------------------------------------------- */

static void forward_all(struct cluster *c, unsigned each)
{
	for (unsigned k = 0; k < each; k++) {
		for (uint32_t f = 0; f < FLOWS; f++)
			inject(c, f);
		settle(c);
	}
}

static unsigned workers_of(struct cluster *c)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct softnet_stats st;

		stack_softnet_stats(c->shard[i].stack, &st);
		mask |= st.processed ? 1u << i : 0;
	}
	return mask;
}

/* As many queues as shards: no hand-over. Fewer: all shards, or those of the mask; none in it: who receives. Shards that are not there are left out. */
Test(steer, forwarded_flows)
{
	static const struct { uint16_t queues; bool set; uint64_t mask; unsigned workers; } rows[] = {
		{ 4, false, 0, 15 }, { 4, true, 0, 15 }, { 1, false, 0, 15 }, { 1, true, 0, 1 }, { 1, true, 1, 1 }, { 1, true, 2, 2 }, { 1, true, 6, 6 },
		{ 2, true, 8, 8 }, { 4, true, 4, 4 }, { 1, true, 0xf00, 1 }, { 1, true, 0xf04, 4 }, { 1, true, UINT64_MAX, 15 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cluster *c = cluster_new(4, i, rows[i].queues, &ops);

		if (rows[i].set)
			set_rps(c, rows[i].mask);
		apply(c);
		forward_all(c, 3);
		cr_expect_eq(c->came, 3u * FLOWS, "row %zu: %u came", i, c->came);
		cr_expect_eq(workers_of(c), rows[i].workers, "row %zu: workers %x", i, workers_of(c));
		if (rows[i].queues == 4 && !rows[i].mask)
			cr_expect_eq(TOTAL(c, steered), 0u, "row %zu", i);
		cluster_free(c);
	}
}

Test(steer, a_flow_stays_on_its_shard)
{
	struct cluster *c = cluster_new(4, 1, 1, &ops);

	for (uint32_t f = 0; f < FLOWS; f++) {
		uint64_t before[4];
		unsigned moved = 0;

		for (unsigned i = 0; i < 4; i++)
			before[i] = c->shard[i].stack->softnet.processed;
		for (int k = 0; k < 10; k++)
			inject(c, f);
		settle(c);
		for (unsigned i = 0; i < 4; i++)
			moved += c->shard[i].stack->softnet.processed != before[i];
		cr_expect_eq(moved, 1u);
	}
	cluster_free(c);
}

/* A table and key of the link's own: the shard is what the card's hash says. */
Test(steer, the_table_of_a_card)
{
	struct cluster *c = cluster_new(4, 1, 1, &ops);
	struct link_conf link = link_of(c, 0);

	link.rss.set = 1;
	memcpy(link.rss.key, rss_default_key, RSS_KEY_LEN);
	for (unsigned i = 0; i < RSS_INDIR_LEN; i++)
		link.rss.indir[i] = (uint8_t)(i * 7 % 4);
	cr_assert_eq(netcfg_link_set(c->cfg, &link, NULL), 0);
	apply(c);
	for (uint32_t f = 0; f < FLOWS; f++) {
		struct ipaddr src = address("10.1.0.9"), dst = address("10.2.0.9");
		unsigned want = link.rss.indir[rss_entry(rss_hash(link.rss.key, &src, &dst, true, (uint16_t)(1000 + f), PORT))];
		uint64_t before = c->shard[want].stack->softnet.processed;

		inject(c, f);
		settle(c);
		cr_expect_eq(c->shard[want].stack->softnet.processed, before + 1, "flow %u", f);
	}
	cluster_free(c);
}

static struct socket *udp_socket(struct shard *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct socket *so;

	cr_assert_eq(ns_socket(s->stack, AF_INET, SOCK_DGRAM, 0, &so), 0);
	if (ns_bind(so, (struct sockaddr *)&sin, sizeof(sin))) {
		ns_close(so);
		return NULL;
	}
	return so;
}

/* A datagram goes straight to the socket's shard: one hand-over, whatever the flow's home is, with and without the memory. */
Test(steer, straight_to_the_socket)
{
	for (unsigned memory = 0; memory <= 64; memory += 64) {
		struct cluster *c = cluster_new(4, 3, 4, &ops);
		char text[16];

		snprintf(text, sizeof(text), "%u", memory);
		cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.rps_sock_flow_entries", text, NULL), 0);
		c->daddr = "10.1.0.1";
		apply(c);
		c->shard[2].sock = udp_socket(&c->shard[2]);
		settle(c);
		forward_all(c, 4);
		cr_expect_eq(c->came, 4u * FLOWS);
		cr_expect_eq(TOTAL(c, steered), 4u * FLOWS * 3 / 4, "all but what came in on its shard: %llu", (unsigned long long)TOTAL(c, steered));
		cr_expect_gt(TOTAL(c, rfs), 4u * FLOWS / 2);
		cr_expect_eq(c->shard[2].stack->mib[MIB_Udp_InDatagrams], 4u * FLOWS);
		cr_expect_eq(c->shard[0].stack->mib[MIB_Ip_InReceives] + c->shard[1].stack->mib[MIB_Ip_InReceives] + c->shard[3].stack->mib[MIB_Ip_InReceives], 0u);
		cluster_free(c);
	}
}

/* The socket is closed and not all know it: its shard gives the datagrams to home, which answers for all. */
Test(steer, a_socket_that_is_gone)
{
	struct cluster *c = cluster_new(4, 3, 4, &ops);

	c->daddr = "10.1.0.1";
	apply(c);
	c->shard[2].sock = udp_socket(&c->shard[2]);
	settle(c);
	ns_close(c->shard[2].sock);
	c->shard[2].sock = NULL;
	for (uint32_t f = 0; f < FLOWS; f++)
		inject(c, f);
	for (int k = 0; k < 50; k++) /* frames move, news do not */
		for (unsigned i = 0; i < c->n; i++) {
			take_frames(c, &c->shard[i], 100);
			stack_run(c->shard[i].stack, c->now, 0);
		}
	cr_expect_eq(drops(c, SKB_DROP_NO_SOCKET), (uint64_t)FLOWS, "%llu", (unsigned long long)drops(c, SKB_DROP_NO_SOCKET));
	cr_expect_eq(c->came, 0u);
	cluster_free(c);
}

static void tcp_segment(struct cluster *c, unsigned queue, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct shard *s = &c->shard[queue];
	struct sk_buff *skb = alloc_skb(stack_skb_pool(s->stack), SKB_HEADROOM + 64, SKB_HEADROOM);
	struct item *it = calloc(1, sizeof(*it));
	struct eth_hdr *eth = skb_put(skb, ETH_HLEN);
	unsigned char *ip = skb_put(skb, 40);

	*eth = (struct eth_hdr){ mac, peer, cpu_to_be16(ETH_P_IP) };
	memset(ip, 0, 40);
	ip[0] = 0x45;
	ip[3] = 40;
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put_be32(ip + 12, 0x0a010009);
	put_be32(ip + 16, 0x0a010001);
	put_be16(ip + 20, sport);
	put_be16(ip + 22, dport);
	put_be32(ip + 24, seq);
	put_be32(ip + 28, ack);
	ip[32] = 5 << 4;
	ip[33] = flags;
	put_be16(ip + 34, 60000);
	((struct ip_hdr *)(void *)ip)->check = ip_fast_csum((struct ip_hdr *)(void *)ip, 5);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	it->skb = skb;
	fifo_put(&s->queue, it);
	stack_irq(s->stack, c->eth[0], c->now);
}

/* A connection from a port that was bound by name: its segments hash to another shard than its own, and go straight to its own all the same. When it is gone, and nobody has
 * said so yet, home has the say: one reset, and no listener here that takes it for its own. */
Test(steer, straight_to_a_connection)
{
	struct cluster *c = cluster_new(4, 3, 4, &ops);
	struct ipaddr us = address("10.1.0.1"), them = address("10.1.0.9");
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.1.0.9") }, me = { .sin_family = AF_INET, .sin_port = htons(6000) };
	struct socket *so, *listener;
	uint16_t port = 7;
	uint64_t before;
	unsigned home;

	while ((home = flow_cpu(c->shard[2].stack, flow_hash_tuple(c->shard[2].stack, &them, &us, port, 6000, IPPROTO_TCP))) != 3)
		port++;
	to.sin_port = htons(port);
	cr_assert_eq(ns_socket(c->shard[2].stack, AF_INET, SOCK_STREAM, 0, &so), 0);
	cr_assert_eq(ns_bind(so, (struct sockaddr *)&me, sizeof(me)), 0);
	cr_assert_eq(ns_connect(so, (struct sockaddr *)&to, sizeof(to)), -EINPROGRESS);
	settle(c);
	before = TOTAL(c, steered);
	tcp_segment(c, 1, port, 6000, 0x12, 1000, c->syn_seq + 1);
	settle(c);
	cr_expect(ns_poll(so) & EPOLLOUT, "it is established");
	cr_expect_eq(TOTAL(c, steered), before + 1, "one hand-over, not two");
	cr_expect_eq(TOTAL(c, rfs), 1u);
	tcp_segment(c, 2, port, 6000, 0x10, 1001, c->syn_seq + 1);
	settle(c);
	cr_expect_eq(TOTAL(c, steered), before + 1, "what comes in on its own shard stays there");
	cr_expect_eq(c->resets, 0u);

	ns_setsockopt(so, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	ns_close(so);
	stack_run(c->shard[2].stack, c->now, 0);
	c->resets = 0;
	cr_assert_eq(ns_socket(c->shard[2].stack, AF_INET, SOCK_STREAM, 0, &listener), 0);
	cr_assert_eq(ns_bind(listener, (struct sockaddr *)&me, sizeof(me)), 0);
	cr_assert_eq(ns_listen(listener, 5), 0);
	tcp_segment(c, 1, port, 6000, 0x02, 5000, 0); /* a SYN of the same four numbers; shard 1 has not heard that the connection is gone */
	for (int k = 0; k < 20; k++)
		for (unsigned i = 0; i < c->n; i++) {
			take_frames(c, &c->shard[i], 100);
			stack_run(c->shard[i].stack, c->now, 0);
		}
	cr_expect_eq(c->resets, 1u, "home has no listener: it refuses");
	cr_expect_eq(c->shard[2].stack->mib[MIB_Tcp_PassiveOpens], 0u);
	ns_close(listener);
	cluster_free(c);
}

/* A connected socket that the stack chose a port for, and one that another shard binds to the same number by name afterwards: each gets what is its own. */
Test(steer, an_ephemeral_port_is_not_taken_from_its_owner)
{
	struct cluster *c = cluster_new(4, 3, 4, &ops);
	unsigned conflicts = 0;

	for (unsigned k = 0; k < 40; k++) {
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = inet_addr("10.1.0.9") }, me = { 0 };
		struct shard *s = &c->shard[k % 4], *other = &c->shard[(k + 1) % 4];
		struct ipaddr src = address("10.1.0.9"), dst = address("10.1.0.1");
		socklen_t len = sizeof(me);
		struct socket *so, *named;
		uint32_t hash;

		cr_assert_eq(ns_socket(s->stack, AF_INET, SOCK_DGRAM, 0, &so), 0);
		cr_assert_eq(ns_connect(so, (struct sockaddr *)&to, sizeof(to)), 0);
		cr_assert_eq(ns_getsockname(so, (struct sockaddr *)&me, &len), 0);
		cr_expect_eq(ntohs(me.sin_port) % 4, s->cpu);
		cr_assert_eq(ns_socket(other->stack, AF_INET, SOCK_DGRAM, 0, &named), 0);
		me.sin_addr.s_addr = 0;
		cr_assert_eq(ns_bind(named, (struct sockaddr *)&me, sizeof(me)), 0);
		for (unsigned i = 0; i < c->n; i++)
			take_news(c, &c->shard[i]);
		hash = flow_hash_tuple(s->stack, &src, &dst, 7, ntohs(me.sin_port), IPPROTO_UDP);
		cr_expect_eq(flow_cpu(s->stack, hash), s->cpu);
		for (unsigned i = 0; i < 4; i++, conflicts++)
			cr_expect_eq(inet_port_direct(c->shard[i].stack, IPPROTO_UDP, &src, 7, &dst, ntohs(me.sin_port), hash, c->eth[0]), -ENOENT, "home must be asked");
		ns_close(so);
		ns_close(named);
	}
	cr_expect_eq(conflicts, 160u);
	cluster_free(c);
}

/* ---- order ---------------------------------------------------------------------------------------------------------------------- */

static void change_steering(struct cluster *c)
{
	struct link_conf link = link_of(c, 0);

	switch (chance(c, 4)) {
	case 0:
		link.rps_set = 1;
		link.rps_cpus = chance(c, 1u << c->n);
		break;
	case 1:
		link.rps_set = 0;
		link.rss.set = 0;
		break;
	case 2:
		link.rps_set = 0;
		link.rss.set = 1;
		for (unsigned i = 0; i < RSS_KEY_LEN; i++)
			link.rss.key[i] = (uint8_t)chance(c, 256);
		for (unsigned i = 0; i < RSS_INDIR_LEN; i++)
			link.rss.indir[i] = (uint8_t)chance(c, c->n);
		break;
	default:
		link.rps_flow_cnt = chance(c, 2) ? 0 : 1024;
	}
	cr_assert_eq(netcfg_link_set(c->cfg, &link, NULL), 0);
	cr_assert(netcfg_commit(c->cfg));
}

/* What spares frames the search is right: the buckets of which present or wanted shard is another one, and the buckets of before. */
static void check_away(const struct cluster *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct dev_steer *ds = dev_get_by_index(c->shard[i].stack, c->eth[0])->steer;
		uint32_t away = ds && ds->prev;

		for (uint32_t b = 0; ds && b < ds->nbuckets; b++)
			away += ds->bucket[b].cpu != i || ds->map[b % RSS_INDIR_LEN] != i;
		if (ds)
			cr_assert_eq(ds->away, away, "shard %u: %u, not %u", i, ds->away, away);
	}
}

/* Frames of FLOWS flows in bursts, shards that run when they like, settings that change under way and reach the shards one by one. Returns how many overtook another. */
static unsigned shuffle(unsigned n, uint64_t seed, const struct stack_ops *with, unsigned *ways)
{
	struct cluster *c = cluster_new(n, seed, (uint16_t)(1 + seed % n), with);
	unsigned sent = 0, disorder;

	for (unsigned t = 0; t < 6000; t++) {
		if (chance(c, 3) == 0)
			for (unsigned k = chance(c, 4), f = chance(c, FLOWS); k-- && ++sent;)
				inject(c, f);
		if (chance(c, 100) == 0)
			change_steering(c);
		if (chance(c, 20) == 0) {
			struct shard *s = &c->shard[chance(c, n)];

			apply_one(c, s, netcfg_commit(c->cfg));
		}
		step(c);
		if (t % 16 == 0)
			check_away(c);
	}
	settle(c);
	cr_assert_eq(c->came, sent, "seed %llu: %u of %u came", (unsigned long long)seed, c->came, sent);
	*ways += TOTAL(c, steered) > 0 && TOTAL(c, steered) < sent;
	disorder = c->disorder;
	cluster_free(c);
	return disorder;
}

Test(steer, order_is_kept_when_steering_changes)
{
	unsigned runs = 0, ways = 0;

	for (unsigned n = 2; n <= MAX_SHARDS; n++)
		for (uint64_t seed = 0; seed < 6; seed++, runs++)
			cr_expect_eq(shuffle(n, seed, &ops, &ways), 0u, "%u shards, seed %llu", n, (unsigned long long)seed);
	cr_expect_gt(ways, runs / 2, "the ways did change");
}

/* The test can fail: shards that do not know what is done with let frames overtake each other. */
Test(steer, order_is_lost_without_the_rule)
{
	unsigned disorder = 0, ways = 0;

	for (uint64_t seed = 0; seed < 6; seed++)
		disorder += shuffle(4, seed, &blind, &ways);
	cr_expect_gt(disorder, 0u);
}

/* A socket that is closed on one shard and bound on another again and again, while frames for it keep coming. Of the new one the shards learn one by one, so its first
 * datagrams go by way of home. What was under way to the old one may end at the new one, late: that has come before it is bound. */
Test(steer, order_is_kept_when_a_socket_moves)
{
	unsigned came = 0;
	uint64_t straight = 0;

	for (unsigned n = 2; n <= MAX_SHARDS; n += 2)
		for (uint64_t seed = 0; seed < 6; seed++) {
			struct cluster *c = cluster_new(n, seed, (uint16_t)n, &ops);
			unsigned at = 0;

			cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.rps_sock_flow_entries", "65536", NULL), 0); /* room for each flow: one that loses its place is a new one */
			c->daddr = "10.1.0.1";
			apply(c);
			for (unsigned t = 0; t < 6000; t++) {
				if (chance(c, 3) == 0)
					for (unsigned k = chance(c, 4), f = chance(c, FLOWS); k--;)
						inject(c, f);
				if (chance(c, 300) == 0) {
					if (c->shard[at].sock) {
						read_socket(&c->shard[at]);
						ns_close(c->shard[at].sock);
						c->shard[at].sock = NULL;
						settle(c);
					}
					at = chance(c, n);
					c->shard[at].sock = udp_socket(&c->shard[at]);
					cr_assert(c->shard[at].sock);
				}
				if (chance(c, 200) == 0) { /* a pause */
					settle(c);
					c->now += 20 * NSEC_PER_MSEC;
				}
				step(c);
			}
			settle(c);
			cr_expect_eq(c->disorder, 0u, "%u shards, seed %llu: %u of %u", n, (unsigned long long)seed, c->disorder, c->came);
			came += c->came;
			straight += TOTAL(c, rfs);
			cluster_free(c);
		}
	cr_expect_gt(came, 10000u);
	cr_expect_gt(straight, came / 10);
}

/* ---- pressure ---------------------------------------------------------------------------------------------------------------------- */

/* One flow floods, others send now and then: with the flow limit they get through although the other shard's backlog is full of the flood. */
static void pressure(bool limit, unsigned *honest, uint64_t *flood_drops)
{
	struct cluster *c = cluster_new(2, 1, 1, &ops);

	set_rps(c, 2); /* all to the second */
	cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.netdev_max_backlog", "200", NULL), 0);
	cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.flow_limit_cpu_bitmap", limit ? "1" : "0", NULL), 0);
	apply(c);
	for (unsigned t = 0; t < 200; t++) {
		for (int k = 0; k < 50; k++)
			inject(c, 0);
		inject(c, 1 + t % 20);
		while (c->shard[0].queue.n)
			stack_run(c->shard[0].stack, c->now, 0);
		take_frames(c, &c->shard[1], 10); /* slower than what comes */
		stack_run(c->shard[1].stack, c->now, 0);
		publish(&c->shard[1]);
	}
	settle(c);
	*honest = 0;
	for (uint32_t f = 1; f <= 20; f++)
		*honest += c->last[f];
	*flood_drops = TOTAL(c, flow_limit_count);
	cr_expect_eq(drops(c, SKB_DROP_FLOW_LIMIT), *flood_drops);
	cr_expect_eq(drops(c, SKB_DROP_FLOW_LIMIT) + drops(c, SKB_DROP_CPU_BACKLOG) + c->came, 200u * 51);
	cr_expect_eq(TOTAL(c, dropped), drops(c, SKB_DROP_FLOW_LIMIT) + drops(c, SKB_DROP_CPU_BACKLOG));
	cluster_free(c);
}

Test(steer, flow_limit)
{
	unsigned without, with;
	uint64_t dropped;

	pressure(false, &without, &dropped);
	cr_expect_eq(dropped, 0u);
	pressure(true, &with, &dropped);
	cr_expect_gt(dropped, 5000u);
	cr_expect_gt(with, without, "%u against %u", with, without);
}

/* A frame of a device that is gone here is done with, too: else the other shard would count it as on its way for ever. */
Test(steer, frames_of_unknown_devices_are_done_with)
{
	struct cluster *c = cluster_new(2, 1, 1, &ops);
	struct sk_buff *skb = alloc_skb(stack_skb_pool(c->shard[0].stack), 100, 64);
	uint32_t before = stack_steer_done(c->shard[1].stack, 0);

	skb->skb_iif = 999;
	skb->steered = 1;
	skb->from_cpu = 0;
	skb_disown(skb);
	stack_steered(c->shard[1].stack, skb, c->now);
	cr_expect_eq(stack_steer_done(c->shard[1].stack, 0), before + 1);
	cr_expect_eq(drops(c, SKB_DROP_DEV_DOWN), 1u);
	cluster_free(c);
}

/* What waits for another shard is bounded by netdev_max_backlog on this side, before it costs anything on the other. */
Test(steer, what_is_on_its_way_is_bounded)
{
	struct cluster *c = cluster_new(2, 1, 1, &ops);

	set_rps(c, 2);
	cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.netdev_max_backlog", "100", NULL), 0);
	apply(c);
	for (int k = 0; k < 300; k++)
		inject(c, (uint32_t)k % FLOWS);
	while (c->shard[0].queue.n)
		stack_run(c->shard[0].stack, c->now, 0);
	cr_expect_eq(c->shard[1].frames[0].n, 100u);
	cr_expect_eq(drops(c, SKB_DROP_CPU_BACKLOG), 200u);
	settle(c);
	cr_expect_eq(c->came, 100u);
	inject(c, 0);
	settle(c);
	cr_expect_eq(c->came, 101u, "and there is room again");
	cluster_free(c);
}

/* A frame that the other shard has no room for is done with when those are that came before it, or a flow would take its new way too early and overtake them. */
Test(steer, a_drop_is_done_with_in_its_turn)
{
	struct cluster *c = cluster_new(2, 1, 1, &ops);
	struct stack *to = c->shard[1].stack;
	uint32_t before = stack_steer_done(to, 0);

	set_rps(c, 2);
	apply(c);
	for (int k = 0; k < 90; k++)
		inject(c, (uint32_t)k % FLOWS);
	while (c->shard[0].queue.n)
		stack_run(c->shard[0].stack, c->now, 0);
	cr_assert_eq(netcfg_sysctl_set(c->cfg, "net.core.netdev_max_backlog", "30", NULL), 0);
	apply(c);
	take_frames(c, &c->shard[1], 1000);
	cr_expect_eq(drops(c, SKB_DROP_CPU_BACKLOG), 60u);
	cr_expect_eq(stack_steer_done(to, 0), before, "thirty still wait");
	settle(c);
	cr_expect_eq(c->came, 30u);
	cr_expect_eq(stack_steer_done(to, 0), before + 90);
	cluster_free(c);
}

Test(steer, tunables)
{
	struct netcfg *cfg = netcfg_new();
	struct netcfg_err err;
	char value[32];
	static const struct { const char *text; int ret; const char *shown; } rows[] = {
		{ "3", 0, "3" }, { "ff", 0, "ff" }, { "0x10", 0, "10" }, { "00000001,00000002", 0, "100000002" }, { "ffffffffffffffff", 0, "ffffffffffffffff" }, { "0", 0, "0" },
		{ "10000000000000000", -EINVAL, "0" }, { "g", -EINVAL, "0" }, { "", -EINVAL, "0" }, { "-1", -EINVAL, "0" }, { "1 2", -EINVAL, "0" }, { ",1", -EINVAL, "0" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(netcfg_sysctl_set(cfg, "net.core.flow_limit_cpu_bitmap", rows[i].text, &err), rows[i].ret, "%s: %s", rows[i].text, err.text);
		cr_expect_gt(netcfg_sysctl_get(cfg, "net.core.flow_limit_cpu_bitmap", value, sizeof(value)), 0);
		cr_expect_str_eq(value, rows[i].shown, "%s: %s", rows[i].text, value);
	}
	cr_expect_eq(netcfg_sysctl_set(cfg, "net.core.flow_limit_table_len", "4095", &err), -EINVAL);
	cr_expect_eq(netcfg_sysctl_set(cfg, "net.core.flow_limit_table_len", "8192", &err), 0);
	cr_expect_eq(netcfg_sysctl_set(cfg, "net.core.rps_sock_flow_entries", "32768", &err), 0);
	netcfg_free(cfg);
}
