/* SPDX-License-Identifier: MIT */
/*
 * host.c: see host.h.
 */
#include "host.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What one shard hands to another: a frame, or a message when skb is NULL. */
struct host_item {
	struct host_item *next;
	struct sk_buff   *skb;
	struct shard_msg  msg;
};

static int ring_push(struct host_shard *to, struct sk_buff *skb, const struct shard_msg *msg)
{
	struct host_item *it = calloc(1, sizeof(*it));

	if (!it)
		return -ENOBUFS;
	it->skb = skb;
	if (msg)
		it->msg = *msg;
	*to->ring_tail = it;
	to->ring_tail = &it->next;
	to->ring_len++;
	return 0;
}

static struct host_item *ring_pop(struct host_shard *s)
{
	struct host_item *it = s->ring;

	if (!it)
		return NULL;
	s->ring = it->next;
	if (!s->ring)
		s->ring_tail = &s->ring;
	s->ring_len--;
	return it;
}

/* ---- what the stack asks for --------------------------------------------------------------------------------------- */

static void keep_frame(struct host *h, int ifindex, const struct sk_buff *skb)
{
	struct host_frame *f = malloc(sizeof(*f) + skb->len);

	if (!f)
		abort();
	*f = (struct host_frame){ .when = h->now, .ifindex = ifindex, .len = skb->len };
	if (skb_copy_bits(skb, 0, f->data, skb->len))
		abort();
	*h->sent_tail = f;
	h->sent_tail = &f->next;
}

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct host_shard *s = priv;
	struct host       *h = s->host;
	int                r = 0;

	if (h->ops && h->ops->xmit)
		r = h->ops->xmit(h->arg, h, s->cpu, ifindex, skb);
	else
		keep_frame(h, ifindex, skb);
	if (r == 0)
		consume_skb(skb);
	return r;
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct host_shard *s = priv;
	struct sk_buff *skb, *next;
	int n = 0;

	skb_queue_walk_safe(&s->rxq, skb, next) {
		if (skb->skb_iif != ifindex)
			continue;
		if (n == budget)
			break;
		skb_unlink(&s->rxq, skb);
		stack_rx(s->stack, ifindex, skb, *now);
		n++;
	}
	return n;
}

static int op_steer(void *priv, unsigned cpu, struct sk_buff *skb)
{
	struct host_shard *s = priv;
	struct host       *h = s->host;

	if (cpu >= h->ncpu || cpu == s->cpu)
		abort(); /* a frame is never steered nowhere or to oneself */
	if (h->steer_limit && h->shard[cpu].ring_len >= h->steer_limit)
		return -ENOBUFS;
	h->steered++;
	return ring_push(&h->shard[cpu], skb, NULL);
}

static uint32_t op_steer_done(void *priv, unsigned cpu)
{
	struct host_shard *s = priv;

	return stack_steer_done(s->host->shard[cpu].stack, s->cpu);
}

static void op_tell(void *priv, unsigned cpu, const struct shard_msg *msg)
{
	struct host_shard *s = priv;
	struct host       *h = s->host;

	for (unsigned i = 0; i < h->ncpu; i++)
		if (i != s->cpu && (cpu == STACK_CPU_ALL || cpu == i) && ring_push(&h->shard[i], NULL, msg))
			abort();
}

static void op_wake(void *priv, uint64_t cookie, uint32_t events)
{
	struct host_shard *s = priv;

	if (s->host->ops && s->host->ops->wake)
		s->host->ops->wake(s->host->arg, s->host, s->cpu, cookie, events);
}

static struct host *family_member(struct host *h, uint32_t netns)
{
	for (h = h->root; h; h = h->sibling)
		if (h->netns == netns)
			return h;
	return NULL;
}

static struct stack *op_netns(void *priv, uint32_t netns)
{
	struct host_shard *s = priv;
	struct host       *h = family_member(s->host, netns);

	return h ? h->shard[s->cpu].stack : NULL;
}

static struct netcfg *find_netns(void *arg, uint32_t netns)
{
	struct host *h = family_member(arg, netns);

	return h ? h->cfg : NULL;
}

static const struct stack_ops shard_ops = { .xmit = op_xmit, .poll = op_poll, .steer = op_steer, .steer_done = op_steer_done, .tell = op_tell, .wake = op_wake, .netns = op_netns };

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static struct host *host_make(const char *name, unsigned ncpu, uint64_t seed, const struct host_ops *ops, void *arg, struct host *root, uint32_t netns)
{
	struct host        *h = calloc(1, sizeof(*h));
	struct stack_params params = { .ncpu = ncpu, .instance = 1, .netns = netns };

	if (!h || ncpu == 0 || ncpu > HOST_MAX_CPUS) {
		free(h);
		return NULL;
	}
	h->name = name;
	h->ncpu = ncpu;
	h->ops = ops;
	h->arg = arg;
	h->sent_tail = &h->sent;
	h->seed = seed;
	h->root = root ? root : h;
	h->netns = netns;
	h->now = root ? root->now : NSEC_PER_SEC; /* not zero, so that "zero means never" is noticed where it is wrong */
	params.seed[0] = test_random(&seed);
	params.seed[1] = test_random(&seed);
	h->cfg = netcfg_new();
	if (!h->cfg)
		abort();
	netcfg_set_netns(h->cfg, netns, find_netns, h);
	for (unsigned i = 0; i < ncpu; i++) {
		struct host_shard *s = &h->shard[i];

		s->host = h;
		s->cpu = i;
		s->next = h->now;
		s->ring_tail = &s->ring;
		skb_queue_init(&s->rxq);
		params.cpu = i;
		params.seed[2] = test_random(&seed);
		params.seed[3] = test_random(&seed);
		if (stack_new(&s->stack, &params, &shard_ops, s, h->now))
			abort();
	}
	host_apply(h);
	return h;
}

struct host *host_new(const char *name, unsigned ncpu, uint64_t seed, const struct host_ops *ops, void *arg)
{
	return host_make(name, ncpu, seed, ops, arg, NULL, 0);
}

struct host *host_netns(struct host *first, const char *name)
{
	struct host *last = first->root, *h;

	while (last->sibling)
		last = last->sibling;
	h = host_make(name, first->ncpu, first->seed, first->ops, first->arg, first->root, last->netns + 1);
	last->sibling = h;
	return h;
}

/* Aborts when a frame is not what tap.h says. */
static void observe(void *arg, const struct stack_tap_frame *f)
{
	struct host *h = arg;
	unsigned char *copy = malloc(f->len ? f->len : 1);

	if (!copy || stack_tap_copy(f, 0, copy, f->len) || !stack_tap_copy(f, f->len, copy, 1))
		abort();
	if (f->head_len > f->len || f->len - f->head_len != f->skb->len - f->skb_off || f->reason >= SKB_DROP_MAX)
		abort();
	if (!f->reason && (f->made || f->len < 14 || !f->ifindex))
		abort();
	if (f->protocol >= 0x600 && (f->made || !f->reason) && get_be16(copy + 12) != f->protocol)
		abort();
	h->seen.drops += f->reason != 0;
	h->seen.in += !f->reason && f->dir == STACK_TAP_DIR_IN;
	h->seen.out += !f->reason && f->dir == STACK_TAP_DIR_OUT;
	free(copy);
}

void host_observe(struct host *h)
{
	struct stack_tap *tap; /* goes with the stack */

	for (unsigned i = 0; i < h->ncpu; i++)
		if (stack_tap_attach(h->shard[i].stack, 0, STACK_TAP_RX | STACK_TAP_TX | STACK_TAP_DROPS | STACK_TAP_PROMISC, observe, h, &tap))
			abort();
}

void host_free(struct host *h)
{
	struct host_frame *f;
	struct host_item  *it;

	if (!h)
		return;
	if (h->sibling)
		host_free(h->sibling);
	h->sibling = NULL;
	for (unsigned i = 0; i < h->ncpu; i++)
		while ((it = ring_pop(&h->shard[i]))) {
			if (it->skb)
				stack_steered(h->shard[i].stack, it->skb, h->now);
			free(it);
		}
	for (unsigned i = 0; i < h->ncpu; i++) {
		skb_queue_purge(&h->shard[i].rxq, SKB_DROP_DEV_DOWN);
		stack_free(h->shard[i].stack);
	}
	/* what the last moments put into rings */
	for (unsigned i = 0; i < h->ncpu; i++)
		while ((it = ring_pop(&h->shard[i]))) {
			if (it->skb)
				abort(); /* no frame is received while a stack is freed */
			free(it);
		}
	while ((f = host_sent(h)))
		free(f);
	netcfg_free(h->cfg);
	free(h);
}

/* ---- configuration --------------------------------------------------------------------------------------------------- */

int host_link(struct host *h, const char *name, const char *addr, uint8_t mac, uint32_t mtu, uint32_t features)
{
	struct link_conf  link = { .type = LINK_VIRTUAL, .flags = NS_IFF_UP | NS_IFF_BROADCAST | NS_IFF_MULTICAST, .mtu = mtu, .carrier = 1,
				   .features = features, .addr = { { 2, 0, 0, 0, 0, mac } } };
	struct addr_conf  ac = { .scope = RT_SCOPE_UNIVERSE };
	struct netcfg_err err;
	char              text[32];
	char             *slash;
	int               ifindex, r;

	snprintf(link.name, sizeof(link.name), "%s", name);
	r = netcfg_link_add(h->cfg, &link, 1, &ifindex, &err);
	if (r)
		return r;
	link = *netcfg_link_by_index(h->cfg, ifindex);
	link.flags |= NS_IFF_UP;
	r = netcfg_link_set(h->cfg, &link, &err);
	if (!r)
		r = netcfg_link_set_carrier(h->cfg, ifindex, true);
	if (r)
		return r;
	if (addr) {
		snprintf(text, sizeof(text), "%s", addr);
		slash = strchr(text, '/');
		if (!slash)
			return -EINVAL;
		*slash = 0;
		ac.ifindex = ifindex;
		ac.local = (struct ipprefix){ ipaddr_v4(inet_addr(text)), (uint8_t)atoi(slash + 1) };
		r = netcfg_addr_add(h->cfg, &ac, false, &err);
		if (r)
			return r;
	}
	return ifindex;
}

void host_apply(struct host *h)
{
	const struct net_snapshot *snap = netcfg_commit(h->cfg);

	if (!snap)
		abort();
	for (unsigned i = 0; i < h->ncpu; i++) {
		if (stack_apply(h->shard[i].stack, snap, h->now))
			abort();
		h->shard[i].next = h->now;
	}
	netcfg_reclaim(h->cfg, net_snapshot_version(snap));
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

int host_rx(struct host *h, unsigned cpu, int ifindex, const void *frame, size_t len)
{
	const struct link_conf *link = netcfg_link_by_index(h->cfg, ifindex);
	struct stack   *stack = h->shard[cpu].stack;
	struct sk_buff *skb = alloc_skb(stack_skb_pool(stack), (uint32_t)len + SKB_HEADROOM, SKB_HEADROOM);

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, frame, (uint32_t)len);
	skb->tstamp = h->now;
	h->shard[cpu].next = h->now;
	if (link && link->features & LINK_F_GRO) {
		skb->skb_iif = ifindex;
		skb_queue_tail(&h->shard[cpu].rxq, skb);
		stack_irq(stack, ifindex, h->now);
		return 0;
	}
	stack_rx(stack, ifindex, skb, h->now);
	return 0;
}

struct stack *host_touch(struct host *h, unsigned cpu)
{
	h->shard[cpu].next = h->now;
	stack_set_now(h->shard[cpu].stack, h->now);
	return h->shard[cpu].stack;
}

ktime_t host_next(const struct host *h)
{
	ktime_t next = KTIME_MAX;

	for (h = h->root; h; h = h->sibling)
		for (unsigned i = 0; i < h->ncpu; i++) {
			if (h->shard[i].ring || stack_raised(h->shard[i].stack))
				return h->now;
			if (h->shard[i].next < next)
				next = h->shard[i].next;
		}
	return next;
}

static void shard_run(struct host *h, struct host_shard *s)
{
	struct host_item *it;

	while ((it = ring_pop(s))) {
		if (it->skb)
			stack_steered(s->stack, it->skb, h->now);
		else
			stack_msg(s->stack, &it->msg, h->now);
		free(it);
		s->next = h->now;
	}
	if (s->next <= h->now || stack_raised(s->stack))
		s->next = stack_run(s->stack, h->now, 0);
}

static void set_time(struct host *h, ktime_t now)
{
	for (h = h->root; h; h = h->sibling)
		h->now = now;
}

static void run(struct host *h, ktime_t until, bool stop_at_frame)
{
	unsigned rounds = 0;

	while (!(stop_at_frame && h->sent)) {
		ktime_t next = host_next(h);

		if (next > until)
			break;
		if (next > h->now) {
			set_time(h, next);
			rounds = 0;
		} else if (++rounds > 1000000) {
			fprintf(stderr, "%s: a million rounds at one moment: a deadline that is always now\n", h->name);
			abort();
		}
		for (struct host *m = h->root; m; m = m->sibling)
			for (unsigned i = 0; i < m->ncpu; i++)
				shard_run(m, &m->shard[i]);
	}
	if (until > h->now && until != KTIME_MAX && !(stop_at_frame && h->sent))
		set_time(h, until);
}

void host_run(struct host *h, ktime_t until) { run(h, until, false); }
void host_run_until_sent(struct host *h, ktime_t until) { run(h, until, true); }

void host_tx_ready(struct host *h, int ifindex)
{
	for (unsigned i = 0; i < h->ncpu; i++) {
		stack_tx_ready(h->shard[i].stack, ifindex, h->now);
		h->shard[i].next = h->now;
	}
}

struct host_frame *host_sent_peek(const struct host *h) { return h->sent; }

struct host_frame *host_sent(struct host *h)
{
	struct host_frame *f = h->sent;

	if (f) {
		h->sent = f->next;
		if (!h->sent)
			h->sent_tail = &h->sent;
		f->next = NULL;
	}
	return f;
}

/* ---- traffic ------------------------------------------------------------------------------------------------------------------ */

static uint8_t pattern(size_t at) { return (uint8_t)(at * 7 >> 3); }

static void touch_all(struct host *h)
{
	for (unsigned i = 0; i < h->ncpu; i++)
		host_touch(h, i);
}

static size_t transfer_send(struct socket *c, size_t sent, size_t n)
{
	static uint8_t buf[65536];

	while (sent < n) {
		size_t k = n - sent < sizeof(buf) ? n - sent : sizeof(buf);
		ssize_t r;

		for (size_t i = 0; i < k; i++)
			buf[i] = pattern(sent + i);
		r = ns_send(c, buf, k, 0);
		if (r <= 0)
			break;
		sent += (size_t)r;
	}
	return sent;
}

static size_t transfer_receive(struct socket *s, size_t got, bool *ret_bad)
{
	static uint8_t buf[65536];
	ssize_t r;

	while ((r = ns_recv(s, buf, sizeof(buf), 0)) > 0)
		for (ssize_t i = 0; i < r; i++)
			*ret_bad |= buf[i] != pattern(got++);
	return got;
}

size_t host_transfer(struct host *x, struct host *y, const char *addr, size_t n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = inet_addr(addr) };
	struct socket *listener[HOST_MAX_CPUS], *c, *s = NULL;
	size_t sent = 0, got = 0;
	bool bad = false;

	touch_all(y);
	for (unsigned i = 0; i < y->ncpu; i++)
		if (ns_socket(y->shard[i].stack, AF_INET, SOCK_STREAM, 0, &listener[i]) || ns_bind(listener[i], (struct sockaddr *)&to, sizeof(to)) ||
		    ns_listen(listener[i], 5))
			abort();
	if (ns_socket(host_touch(x, 0), AF_INET, SOCK_STREAM, 0, &c) || ns_connect(c, (struct sockaddr *)&to, sizeof(to)) != -EINPROGRESS)
		abort();
	for (int round = 0; round < 100000 && got < n; round++) {
		host_run(x, x->now + NSEC_PER_MSEC);
		touch_all(y);
		for (unsigned i = 0; i < y->ncpu && !s; i++)
			ns_accept(listener[i], &s, NULL, NULL);
		touch_all(x);
		if (s)
			sent = transfer_send(c, sent, n);
		host_run(x, x->now);
		touch_all(y);
		if (s)
			got = transfer_receive(s, got, &bad);
	}
	touch_all(x);
	ns_close(c);
	touch_all(y);
	if (s)
		ns_close(s);
	for (unsigned i = 0; i < y->ncpu; i++)
		ns_close(listener[i]);
	return bad ? 0 : got;
}

/* ---- books ------------------------------------------------------------------------------------------------------------------ */

uint64_t host_mib(const struct host *h, enum net_mib m)
{
	uint64_t sums[NET_MIB_MAX] = { 0 };

	for (unsigned i = 0; i < h->ncpu; i++)
		stack_mib_add(h->shard[i].stack, sums);
	return sums[m];
}

uint64_t host_drops(const struct host *h, enum skb_drop_reason reason)
{
	uint64_t sums[SKB_DROP_MAX] = { 0 };

	for (unsigned i = 0; i < h->ncpu; i++)
		stack_drops_add(h->shard[i].stack, sums);
	return sums[reason];
}

const char *host_idle_error(const struct host *h)
{
	static _Thread_local char text[160];

	for (unsigned i = 0; i < h->ncpu; i++) {
		const struct skb_pool_stats *st = skb_pool_stats(stack_skb_pool(h->shard[i].stack));

		if (st->outstanding_skbs || st->outstanding_areas) {
			snprintf(text, sizeof(text), "%s, shard %u: %llu packets and %llu areas (%llu bytes) were not given back", h->name, i,
				 (unsigned long long)st->outstanding_skbs, (unsigned long long)st->outstanding_areas,
				 (unsigned long long)st->outstanding_bytes);
			return text;
		}
	}
	return NULL;
}

uint64_t test_seed(const char *what, uint64_t def)
{
	const char *s = getenv("NETSTACK_SEED");
	uint64_t    seed = s ? strtoull(s, NULL, 0) : def;

	printf("# %s: NETSTACK_SEED=%llu\n", what, (unsigned long long)seed);
	return seed;
}
