/* SPDX-License-Identifier: MIT */
/*
 * status.c: the http service's pages about the whole daemon: gathers what they show; status_render.c makes text of it.
 *
 * A page shows the network namespace of the service that was asked for it. It is asked for on a worker's thread, made by the control thread from what all
 * workers answered, and handed back to the worker as a job. At most MAX_PAGES at a time for each worker.
 */
#include "status.h"

#include "daemon.h"
#include "show.h"
#include "status_render.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PAGES 16
#define MAX_SOCKS 200 /* listed on a page, of each worker */

struct page_job {
	struct job        job;
	struct worker    *worker;
	uint32_t          netns; /* whose http service asked */
	enum service_page page;
	uint64_t          token;
	char             *text;
	size_t            len;
};

/* ---- what one worker says -------------------------------------------------------------------------------------------------- */

struct page_part {
	struct totals   *totals;
	uint64_t         nsocks, tcp_states[16];
	unsigned         listed;
	struct sock_info socks[MAX_SOCKS];
};

static int take_socket(void *arg, const struct sock_info *info)
{
	struct page_part *part = arg;

	part->nsocks++;
	if (info->protocol == IPPROTO_TCP)
		part->tcp_states[info->state & 15]++;
	if (part->listed < MAX_SOCKS)
		part->socks[part->listed++] = *info;
	return 0;
}

static void collect_page(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct page_part *part = calloc(1, sizeof(*part));

	if (!part)
		return;
	collect_totals(g, slot, w);
	part->totals = slot->data;
	slot->data = part;
	stack_sock_foreach(slot->ns->stack, take_socket, part);
}

static void part_free(struct page_part *part)
{
	if (part)
		free(part->totals);
	free(part);
}

/* ---- all together --------------------------------------------------------------------------------------------------------------- */

struct page_data { /* what struct status_data points to */
	struct status_data    data;
	struct softnet_stats  softnet[STACK_MAX_CPUS];
	struct services_stats services[STACK_MAX_CPUS];
	struct skb_pool_stats pools[STACK_MAX_CPUS];
	uint64_t              mib[NET_MIB_MAX], drops[SKB_DROP_MAX];
	struct status_link   *links;
	struct sock_info     *socks;
	const struct gather  *gather;
	const char           *netns[NETNS_MAX];
	unsigned              max_links;
};

static void add_stats(struct status_link *to, const struct link_total *from)
{
	const uint64_t *f = &from->stats.rx_packets;
	uint64_t *t = &to->stats.rx_packets;

	/* All members but the last are uint64_t. */
	for (size_t i = 0; i < offsetof(struct link_stats, txq_len) / sizeof(*t); i++)
		t[i] += f[i];
	to->stats.txq_len += from->stats.txq_len;
	to->stats.rx_missed_errors += from->tap.rx_missed;
	to->stats.rx_errors += from->tap.rx_errors + from->tap.rx_too_long;
	to->stats.rx_length_errors += from->tap.rx_too_long;
}

static int add_addr(void *arg, const struct addr_conf *addr)
{
	struct status_link *link = arg;
	size_t n = strlen(link->addrs);
	char text[ADDR_TEXT];

	snprintf(link->addrs + n, sizeof(link->addrs) - n, "%s%s", n ? " " : "", prefix_text(&addr->local, text));
	return 0;
}

static int add_link(void *arg, const struct link_conf *conf)
{
	struct page_data *p = arg;
	struct status_link *link = &p->links[p->data.nlinks];

	if (p->data.nlinks == p->max_links)
		return 1;
	p->data.nlinks++;
	link->conf = *conf;
	link->operstate = link_operstate(p->gather->conf, conf);
	netcfg_addr_foreach(p->gather->conf->cfg, conf->ifindex, add_addr, link);
	for (unsigned i = 0; i < p->gather->n; i++) {
		const struct totals *t = ((struct page_part *)p->gather->slot[i].data)->totals;

		for (unsigned k = 0; k < t->nlinks; k++)
			if (t->links[k].ifindex == conf->ifindex)
				add_stats(link, &t->links[k]);
	}
	return 0;
}

static void add_part(struct page_data *p, const struct page_part *part, unsigned cpu)
{
	const struct totals *t = part->totals;

	p->softnet[cpu] = t->softnet;
	p->services[cpu] = t->services;
	p->pools[cpu] = t->pool;
	for (unsigned i = 0; i < NET_MIB_MAX; i++)
		p->mib[i] += t->mib[i];
	for (unsigned i = 0; i < SKB_DROP_MAX; i++)
		p->drops[i] += t->drops[i];
	for (unsigned i = 0; i < 16; i++)
		p->data.tcp_states[i] += part->tcp_states[i];
	p->data.nsocks_total += part->nsocks;
	memcpy(p->socks + p->data.nsocks, part->socks, part->listed * sizeof(part->socks[0]));
	p->data.nsocks += part->listed;
}

/* Where there is more than one namespace, the page says which it is about. */
static void add_netns(struct page_data *p, const struct gather *g)
{
	const struct daemon *d = g->daemon;
	const struct conf_state *st = NULL;

	if (!d->conf.nnetns)
		return;
	while ((st = conf_netns_next(&d->conf, st)))
		p->netns[p->data.nnetns++] = conf_netns_name(st);
	p->data.all_netns = p->netns;
	p->data.netns = conf_netns_name(g->conf);
}

static struct page_data *page_data(const struct gather *g)
{
	const struct daemon *d = g->daemon;
	struct page_data *p;

	for (unsigned i = 0; i < g->n; i++)
		if (!g->slot[i].data || !((struct page_part *)g->slot[i].data)->totals)
			return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->gather = g;
	p->max_links = g->conf->nlinks + 1; /* and lo */
	p->links = calloc(p->max_links, sizeof(*p->links));
	p->socks = calloc((size_t)g->n * MAX_SOCKS, sizeof(*p->socks));
	if (!p->links || !p->socks) {
		free(p->links);
		free(p->socks);
		free(p);
		return NULL;
	}
	for (unsigned i = 0; i < g->n; i++)
		add_part(p, g->slot[i].data, i);
	netcfg_link_foreach(g->conf->cfg, add_link, p);
	add_netns(p, g);
	p->data.version = netstack_version();
	p->data.uptime_ns = clock_now() - d->started;
	p->data.pid = getpid();
	p->data.nworkers = g->n;
	p->data.softnet = p->softnet;
	p->data.services = p->services;
	p->data.pools = p->pools;
	p->data.links = p->links;
	p->data.socks = p->socks;
	p->data.mib = p->mib;
	p->data.drops = p->drops;
	return p;
}

/* ---- the way of a page ----------------------------------------------------------------------------------------------------------- */

static void page_deliver(struct job *job, void *owner)
{
	struct page_job *pj = (struct page_job *)job;
	struct worker *w = owner;
	struct worker_ns *ns = worker_ns(w, pj->netns);

	w->pages--;
	if (ns) {
		worker_raise(ns);
		stack_set_now(ns->stack, worker_now(w));
		services_page(ns->services, pj->token, pj->text, pj->len);
	}
	free(pj->text);
	free(pj);
}

static void page_send(struct page_job *pj)
{
	pj->job.run = page_deliver;
	mailbox_post(&pj->worker->mail, &pj->job);
}

static void page_make(struct gather *g)
{
	struct page_job *pj = g->arg;
	struct page_data *p = page_data(g);

	if (p) {
		pj->text = status_render(pj->page, &p->data, &pj->len);
		free(p->links);
		free(p->socks);
		free(p);
	}
	for (unsigned i = 0; i < g->n; i++)
		part_free(g->slot[i].data);
	page_send(pj);
}

static void page_start(struct job *job, void *owner)
{
	struct page_job *pj = (struct page_job *)job;
	struct daemon *d = owner;
	struct conf_state *st = conf_netns_by_id(&d->conf, pj->netns);

	if (!st || gather_start_ns(d, st, collect_page, page_make, pj) < 0)
		page_send(pj); /* without a text */
}

int status_page_request(struct worker_ns *ns, enum service_page page, uint64_t token)
{
	struct worker *w = ns->worker;
	struct page_job *pj = w->pages < MAX_PAGES ? calloc(1, sizeof(*pj)) : NULL;

	if (!pj)
		return w->pages < MAX_PAGES ? -ENOMEM : -EBUSY;
	*pj = (struct page_job){ .job.run = page_start, .worker = w, .netns = ns->id, .page = page, .token = token };
	w->pages++;
	mailbox_post(&w->daemon->mail, &pj->job);
	return 0;
}
