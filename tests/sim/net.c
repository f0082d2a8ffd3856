/* SPDX-License-Identifier: MIT */
/*
 * net.c: see net.h. One heap holds the frames on their way; hosts say themselves when they are due.
 */
#include "net.h"
#include "frame.h"
#include "wire/wire.h"
#include <errno.h>
#include <stdlib.h>

struct flight {
	ktime_t          at;
	uint64_t         serial; /* what was sent first arrives first when times are equal */
	struct sim_link *link;
	unsigned         from; /* end that sent it */
	bool             counted; /* stands in the queue's count */
	uint32_t         len;
	uint8_t          data[];
};

static double unit(struct net *net) { return (double)(test_random(&net->rng) >> 11) * 0x1p-53; }
static bool   chance(struct net *net, double p) { return p > 0 && unit(net) < p; }

/* ---- heap ----------------------------------------------------------------------------------------------------------- */

static bool before(const struct flight *a, const struct flight *b) { return a->at != b->at ? a->at < b->at : a->serial < b->serial; }

static void heap_push(struct net *net, struct flight *f)
{
	size_t i = net->nheap++;

	if (i == net->heap_size) {
		net->heap_size = i ? i * 2 : 256;
		net->heap = realloc(net->heap, net->heap_size * sizeof(struct flight *));
		if (!net->heap)
			abort();
	}
	for (; i && before(f, net->heap[(i - 1) / 2]); i = (i - 1) / 2)
		net->heap[i] = net->heap[(i - 1) / 2];
	net->heap[i] = f;
}

static struct flight *heap_pop(struct net *net)
{
	struct flight *top = net->heap[0], *last = net->heap[--net->nheap];
	size_t         i = 0, c;

	while ((c = 2 * i + 1) < net->nheap) {
		if (c + 1 < net->nheap && before(net->heap[c + 1], net->heap[c]))
			c++;
		if (!before(net->heap[c], last))
			break;
		net->heap[i] = net->heap[c];
		i = c;
	}
	net->heap[i] = last;
	return top;
}

/* ---- the wire ---------------------------------------------------------------------------------------------------------- */

/* The Ethernet header with its tags. */
static uint32_t link_header(const uint8_t *data, uint32_t len)
{
	uint32_t n = ETH_HLEN;

	while (n + 4 < len && (get_be16(data + n - 2) == ETH_P_8021Q || get_be16(data + n - 2) == ETH_P_8021AD))
		n += 4;
	return n;
}

static void flip_bits(struct net *net, uint8_t *data, uint32_t len)
{
	uint32_t head = link_header(data, len), bits = (len - head) * 8, run = 1 + test_random_below(&net->rng, 15), first;

	if (run > bits)
		run = bits;
	first = head * 8 + test_random_below(&net->rng, bits - run + 1);
	for (uint32_t i = 0; i < run; i++)
		if (i == 0 || i == run - 1 || test_random_below(&net->rng, 2))
			data[(first + i) / 8] ^= (uint8_t)(0x80 >> ((first + i) % 8));
}

static void trace(struct net *net, const struct sim_host *h, const char *what, const uint8_t *data, uint32_t len)
{
	static struct frame_ctx ctx; /* only the program that traces gets here */
	char                    text[300];

	if (!net->trace)
		return;
	memset(&ctx, 0, sizeof(ctx));
	frame_describe(&ctx, 0, true, data, len, text, sizeof(text));
	fprintf(net->trace, "%12.6f %-6s %-5s %s\n", (double)(net->now - NSEC_PER_SEC) / 1e9, h->host->name, what, text);
}

/* Puts a copy on the wire, to arrive at the given time. */
static void launch(struct net *net, struct sim_link *l, unsigned from, const struct sk_buff *skb, ktime_t at, bool counted)
{
	struct flight *f = malloc(sizeof(*f) + skb->len);

	if (!f)
		abort();
	*f = (struct flight){ .at = at, .serial = net->serial++, .link = l, .from = from, .counted = counted, .len = skb->len };
	if (skb_copy_bits(skb, 0, f->data, skb->len))
		abort();
	if (chance(net, l->model.corrupt) && skb->len > ETH_HLEN) {
		l->stats.corrupted++;
		if (get_be16(f->data + link_header(f->data, skb->len) - 2) == ETH_P_ARP) {
			if (counted)
				l->end[from].waiting--;
			free(f);
			return;
		}
		flip_bits(net, f->data, skb->len);
	}
	if (chance(net, l->model.swap) && skb->len > 200) { /* two words of the payload change places: no sum sees it */
		uint8_t *a = f->data + skb->len - 100, *b = a + 50, w[2] = { a[0], a[1] };

		memcpy(a, b, 2);
		memcpy(b, w, 2);
	}
	heap_push(net, f);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 29);
}

static void digest_frame(struct net *net, const struct sim_host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	uint8_t  buf[FRAME_MAX + sizeof(uint64_t)];
	uint64_t word;

	memset(buf + skb->len, 0, sizeof(word));
	if (skb->len > FRAME_MAX || skb_copy_bits(skb, 0, buf, skb->len))
		abort();
	net->digest = mix(mix(net->digest, (uint64_t)h->host->now), (uint64_t)h->index << 48 | (uint64_t)cpu << 40 | (uint64_t)(uint32_t)ifindex << 24 | skb->len);
	for (uint32_t i = 0; i < skb->len; i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		net->digest = mix(net->digest, word);
	}
}

static int on_xmit(void *arg, struct host *host, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	struct sim_host *h = arg;
	struct net      *net = h->net;
	struct sim_link *l = NULL;
	unsigned         end = 0;
	ktime_t          at, done;

	if (net->digesting)
		digest_frame(net, h, cpu, ifindex, skb);
	for (unsigned i = 0; i < h->nlinks; i++)
		if (h->port[i].ifindex == ifindex) {
			l = &net->link[h->port[i].link];
			end = h->port[i].end;
		}
	if (!l)
		return -ENODEV;
	net->frames++;
	l->stats.sent++;
	if (net->trace) {
		uint8_t buf[FRAME_MAX];

		skb_copy_bits(skb, 0, buf, skb->len);
		trace(net, h, "sends", buf, skb->len);
	}
	if (chance(net, l->model.loss)) {
		l->stats.lost++;
		return 0;
	}
	if (l->model.queue && l->end[end].waiting >= l->model.queue) {
		l->stats.queue_full++;
		return 0;
	}
	/* The rate: a frame begins when the one before has left. */
	done = l->end[end].free_at > host->now ? l->end[end].free_at : host->now;
	if (l->model.bits_per_sec)
		done += (ktime_t)((uint64_t)(skb->len + 24) * 8 * NSEC_PER_SEC / l->model.bits_per_sec);
	l->end[end].free_at = done;
	at = done + l->model.delay + (ktime_t)(unit(net) * (double)l->model.jitter);
	if (chance(net, l->model.reorder)) {
		/* later ones overtake it */
		at += 1 + (ktime_t)(unit(net) * 4 * (double)(l->model.delay + l->model.jitter + NSEC_PER_MSEC));
		l->stats.reordered++;
	} else {
		if (at < l->end[end].last_at)
			at = l->end[end].last_at;
		l->end[end].last_at = at;
	}
	l->end[end].waiting++;
	launch(net, l, end, skb, at, true);
	if (chance(net, l->model.dup)) {
		l->stats.dup++;
		launch(net, l, end, skb, at + (ktime_t)(unit(net) * (double)(l->model.delay + 1)), false);
	}
	return 0;
}

static void on_wake(void *arg, struct host *host, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct sim_host *h = arg;

	(void)host;
	if (h->net->wake)
		h->net->wake(h->net->arg, h, cpu, cookie, events);
}

static const struct host_ops sim_ops = { .xmit = on_xmit, .wake = on_wake };

/* The queue that a device with several picks is only a hint: any shard must do. One that merges, though, must find a flow's frames in one queue: what waits in two
 * comes out in no order. */
static unsigned queue_of(struct net *net, const struct sim_host *h, int ifindex, const struct flight *f)
{
	uint64_t sum = 0;

	if (!(netcfg_link_by_index(h->host->cfg, ifindex)->features & LINK_F_GRO))
		return test_random_below(&net->rng, h->host->ncpu);
	for (uint32_t i = ETH_HLEN + 12; i + 4 <= f->len && i < ETH_HLEN + 24; i += 4) /* addresses and ports */
		sum = mix(sum, get_be32(f->data + i));
	return (unsigned)(sum % h->host->ncpu);
}

static void deliver(struct net *net, struct flight *f)
{
	struct sim_link *l = f->link;
	struct sim_host *h = l->end[!f->from].host;

	if (f->counted)
		l->end[f->from].waiting--;
	l->stats.delivered++;
	trace(net, h, "gets", f->data, f->len);
	host_run(h->host, net->now);
	if (host_rx(h->host, queue_of(net, h, l->end[!f->from].ifindex, f), l->end[!f->from].ifindex, f->data, f->len))
		abort();
	free(f);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

void net_init(struct net *net, uint64_t seed)
{
	memset(net, 0, sizeof(*net));
	net->rng = seed;
	net->now = NSEC_PER_SEC;
}

void net_free(struct net *net)
{
	while (net->nheap)
		free(heap_pop(net));
	free(net->heap);
	for (unsigned i = 0; i < net->nhosts; i++)
		host_free(net->host[i].host);
}

struct sim_host *net_add_host(struct net *net, const char *name, unsigned ncpu)
{
	struct sim_host *h = &net->host[net->nhosts];

	*h = (struct sim_host){ .net = net, .index = net->nhosts };
	h->host = host_new(name, ncpu, test_random(&net->rng), &sim_ops, h);
	if (h->host && test_random(&net->rng) & 1) /* whether somebody looks makes no difference */
		host_observe(h->host);
	if (!h->host || ++net->nhosts > NET_MAX_HOSTS - 1)
		abort();
	/* What arrives within so many nanoseconds is merged by devices that do it. */
	if (netcfg_sysctl_set(h->host->cfg, "net.core.gro_flush_timeout", (const char *const[]){ "0", "100000", "2000000" }[test_random_below(&net->rng, 3)], NULL))
		abort();
	/* Three questions in a row are lost every hundredth time where one frame in ten is; that is the wire's doing and no error of the stack. */
	if (netcfg_sysctl_set(h->host->cfg, "net.ipv4.neigh.default.mcast_solicit", "30", NULL) ||
	    netcfg_sysctl_set(h->host->cfg, "net.ipv4.neigh.default.ucast_solicit", "30", NULL))
		abort();
	return h;
}

static void attach(struct net *net, struct sim_host *h, const char *addr, uint32_t mtu, unsigned end)
{
	char name[NS_IFNAMSIZ];
	int  ifindex;

	snprintf(name, sizeof(name), "eth%u", h->nlinks);
	ifindex = host_link(h->host, name, addr, (uint8_t)(net->nlinks * 2 + end + 1), mtu, test_random_below(&net->rng, 3) ? LINK_F_GRO : 0);
	if (ifindex < 0) {
		fprintf(stderr, "%s %s: %d\n", name, addr, ifindex);
		abort();
	}
	h->port[h->nlinks].ifindex = ifindex;
	h->port[h->nlinks].link = net->nlinks;
	h->port[h->nlinks++].end = end;
	net->link[net->nlinks].end[end].host = h;
	net->link[net->nlinks].end[end].ifindex = ifindex;
}

void net_join(struct net *net, struct sim_host *a, const char *addr_a, struct sim_host *b, const char *addr_b, uint32_t mtu, const struct link_model *model)
{
	if (net->nlinks == NET_MAX_LINKS)
		abort();
	net->link[net->nlinks] = (struct sim_link){ .model = *model };
	attach(net, a, addr_a, mtu, 0);
	attach(net, b, addr_b, mtu, 1);
	net->nlinks++;
	host_apply(a->host);
	host_apply(b->host);
}

bool net_step(struct net *net, ktime_t until)
{
	ktime_t next = net->nheap ? net->heap[0]->at : KTIME_MAX;

	for (unsigned i = 0; i < net->nhosts; i++) {
		ktime_t n = host_next(net->host[i].host);

		if (n < next)
			next = n;
	}
	if (next > until) {
		net->now = until;
		for (unsigned i = 0; i < net->nhosts; i++)
			host_run(net->host[i].host, until);
		return false;
	}
	if (next > net->now)
		net->now = next;
	while (net->nheap && net->heap[0]->at <= net->now)
		deliver(net, heap_pop(net));
	for (unsigned i = 0; i < net->nhosts; i++)
		if (host_next(net->host[i].host) <= net->now)
			host_run(net->host[i].host, net->now);
	return true;
}
