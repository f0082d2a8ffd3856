/* SPDX-License-Identifier: MIT */
/*
 * netcfg.c: the life of a configuration: making and freeing it, snapshots and their reclaiming, all-or-nothing changes. The rules for links, addresses,
 * routes, neighbours and sysctls are in the netcfg_*.c beside it.
 *
 * Invariants: snapshots form a list from the oldest that a shard may still read to the newest. A block of links or neighbours is shared by neighbouring
 * snapshots and freed with the last of them. The reference counts of blocks belong to the control thread; shards never touch them.
 */
#include "netcfg_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct snap_links {
	unsigned         refs;
	struct snap_link links[]; /* then the addresses of all, and their static stations */
};

struct snap_neighs {
	unsigned          refs;
	struct neigh_conf n[];
};

struct cfg_save {
	struct snap_link    *links; /* with copies of the addresses */
	struct cfg_link_ext *ext;
	struct neigh_conf   *neighs;
	unsigned             nlinks, nneighs, links_cap, neighs_cap;
	struct sysctl_values sysctl;
	struct ipv4_devconf  all, dflt;
	int                  next_ifindex;
	bool                 dirty, links_dirty, neighs_dirty;
	struct cfg_fib_save  fib;
};

int cfg_err(struct netcfg_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

const char *cfg_addr_text(const struct ipaddr *addr, char buf[CFG_ADDR_TEXT])
{
	const uint8_t *b = addr->b;

	if (addr->family == AF_INET)
		snprintf(buf, CFG_ADDR_TEXT, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	else if (addr->family == AF_INET6)
		snprintf(buf, CFG_ADDR_TEXT, "%x:%x:%x:%x:%x:%x:%x:%x", b[0] << 8 | b[1], b[2] << 8 | b[3], b[4] << 8 | b[5], b[6] << 8 | b[7],
			 b[8] << 8 | b[9], b[10] << 8 | b[11], b[12] << 8 | b[13], b[14] << 8 | b[15]);
	else
		snprintf(buf, CFG_ADDR_TEXT, "no address");
	return buf;
}

const char *cfg_prefix_text(const struct ipprefix *prefix, char buf[CFG_ADDR_TEXT])
{
	char addr[CFG_ADDR_TEXT];

	if (!prefix->len && ipaddr_is_any(&prefix->addr))
		snprintf(buf, CFG_ADDR_TEXT, "default");
	else
		snprintf(buf, CFG_ADDR_TEXT, "%.43s/%u", cfg_addr_text(&prefix->addr, addr), prefix->len);
	return buf;
}

struct ipprefix cfg_network(const struct ipprefix *p)
{
	fib_key mask = p->len ? ~(fib_key)0 << (128 - p->len) : 0;
	struct ipprefix net = { .addr = fib_key_addr(fib_key_of(&p->addr) & mask, p->addr.family), .len = p->len };

	return net;
}

bool cfg_prefix_has(const struct ipprefix *net, const struct ipaddr *addr)
{
	struct ipprefix other = { .addr = *addr, .len = net->len }, a = cfg_network(net), b = cfg_network(&other);

	return ipaddr_equal(&a.addr, &b.addr);
}

int cfg_link_index(const struct netcfg *cfg, int ifindex)
{
	const struct snap_link *link = snapshot_link(&cfg->view, ifindex);

	return link ? (int)(link - cfg->links) : -1;
}

void cfg_touch_link(struct netcfg *cfg, unsigned link)
{
	cfg->links[link].conf.gen = ++cfg->gen;
	cfg->links_dirty = cfg->dirty = true;
}

int cfg_reserve(struct netcfg *cfg, void **array, unsigned n, unsigned *cap, size_t size)
{
	unsigned want = *cap ? *cap * 2 : 4;
	void *p;

	if (n < *cap)
		return 0;
	p = fib_realloc(&cfg->mem, *array, want * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = want;
	return 0;
}

int cfg_fib_save(struct netcfg *cfg, struct cfg_fib_save *s)
{
	s->n = cfg->ntables;
	s->more = NULL;
	if (s->n > 3) {
		s->more = fib_alloc(&cfg->mem, (s->n - 3) * sizeof(*s->more));
		if (!s->more)
			return -ENOMEM;
	}
	for (size_t i = 0; i < s->n; i++)
		*(i < 3 ? &s->saved[i] : &s->more[i - 3]) = *cfg->tables[i];
	fib_savepoint_begin(&cfg->mem, &s->sp);
	return 0;
}

void cfg_fib_keep(struct netcfg *cfg, struct cfg_fib_save *s)
{
	fib_savepoint_end(&cfg->mem, &s->sp);
	free(s->more);
	s->more = NULL;
}

void cfg_fib_undo(struct netcfg *cfg, struct cfg_fib_save *s)
{
	for (size_t i = 0; i < cfg->ntables; i++) {
		static const struct fib_table none;
		struct fib_table then = i < s->n ? *(i < 3 ? &s->saved[i] : &s->more[i - 3]) : none;

		then.id = cfg->tables[i]->id;
		fib_undo_table(&cfg->mem, cfg->tables[i], &then);
	}
	fib_savepoint_undo(&cfg->mem, &s->sp, cfg->tables, cfg->ntables);
	free(s->more);
	s->more = NULL;
}

static int new_lo(struct netcfg *cfg)
{
	struct addr_conf addr = { .ifindex = LO_IFINDEX, .scope = RT_SCOPE_HOST };
	struct link_conf *lo;
	void *p = NULL, *q = NULL;
	unsigned cap = 0;

	if (cfg_reserve(cfg, &p, 0, &cap, sizeof(*cfg->links)))
		return -ENOMEM;
	cfg->links = p;
	cap = 0;
	if (cfg_reserve(cfg, &q, 0, &cap, sizeof(*cfg->ext)))
		return -ENOMEM;
	cfg->ext = q;
	cfg->links_cap = cap;
	memset(cfg->links, 0, sizeof(*cfg->links));
	memset(cfg->ext, 0, sizeof(*cfg->ext));
	cfg->view.links = cfg->links;
	cfg->view.nlinks = 1;
	cfg->next_ifindex = LO_IFINDEX + 1;
	lo = &cfg->links[0].conf;
	lo->ifindex = LO_IFINDEX;
	strcpy(lo->name, "lo");
	lo->type = LINK_LOOPBACK;
	lo->flags = NS_IFF_UP | NS_IFF_LOOPBACK;
	lo->mtu = 65536;
	lo->txqlen = 1000;
	lo->queues = 1;
	lo->carrier = 1;
	lo->features = CFG_SOFT_FEATURES;
	lo->gen = ++cfg->gen;
	cfg->ext[0].own = cfg->dflt;
	cfg_devconf_merge(cfg, 0, &lo->v4);
	addr.local = (struct ipprefix){ .addr = ipaddr_v4(cpu_to_be32(INADDR_LOOPBACK)), .len = 8 };
	return netcfg_addr_add(cfg, &addr, false, NULL);
}

struct netcfg *netcfg_new(void)
{
	static const uint32_t ids[3] = { [CFG_LOCAL] = RT_TABLE_LOCAL, [CFG_MAIN] = RT_TABLE_MAIN, [CFG_DEFAULT] = RT_TABLE_DEFAULT };
	struct netcfg *cfg = calloc(1, sizeof(*cfg));

	if (!cfg)
		return NULL;
	if (fib_mem_init(&cfg->mem))
		goto err_free;
	cfg->tables = calloc(4, sizeof(*cfg->tables));
	if (!cfg->tables)
		goto err_free;
	cfg->tables_cap = 4;
	for (unsigned i = 0; i < 3; i++) {
		cfg->tables[i] = calloc(1, sizeof(**cfg->tables));
		if (!cfg->tables[i])
			goto err_free;
		cfg->tables[i]->id = ids[i];
		cfg->ntables++;
	}
	cfg->view.local = cfg->tables[CFG_LOCAL];
	cfg->view.main = cfg->tables[CFG_MAIN];
	cfg->view.deflt = cfg->tables[CFG_DEFAULT];
	cfg->view.sysctl = sysctl_defaults;
	cfg->all = cfg_devconf_all_default();
	cfg->dflt = cfg_devconf_default();
	cfg->dirty = cfg->links_dirty = cfg->neighs_dirty = true;
	if (new_lo(cfg))
		goto err_free;
	return cfg;
err_free:
	netcfg_free(cfg);
	return NULL;
}

void netcfg_set_netns(struct netcfg *cfg, uint32_t netns, netcfg_find_netns *find, void *arg)
{
	cfg->netns = netns;
	cfg->find_netns = find;
	cfg->find_arg = arg;
}

bool netcfg_changed(const struct netcfg *cfg)
{
	return cfg->dirty || !cfg->newest;
}

static void links_free(struct snap_link *links, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free((void *)(uintptr_t)links[i].addrs);
		free((void *)(uintptr_t)links[i].fdb);
	}
	free(links);
}

static void save_free(struct cfg_save *save)
{
	if (!save)
		return;
	links_free(save->links, save->nlinks);
	free(save->ext);
	free(save->neighs);
	free(save);
}

static void snap_free(struct snap *snap)
{
	if (!--snap->links->refs)
		free(snap->links);
	if (!--snap->neighs->refs)
		free(snap->neighs);
	if (snap->filter && !--snap->filter->refs)
		free(snap->filter);
	free(snap);
}

void netcfg_free(struct netcfg *cfg)
{
	struct snap *next;

	if (!cfg)
		return;
	netcfg_end(cfg);
	for (struct snap *s = cfg->oldest; s; s = next) {
		next = s->next;
		snap_free(s);
	}
	fib_mem_exit(&cfg->mem, cfg->tables, cfg->ntables);
	for (size_t i = 0; i < cfg->ntables; i++)
		free(cfg->tables[i]);
	free(cfg->tables);
	links_free(cfg->links, cfg->view.nlinks);
	free(cfg->ext);
	free(cfg->neighs);
	free(cfg);
}

/* ---- snapshots ---- */

static struct snap_links *links_block(struct netcfg *cfg)
{
	unsigned nlinks = cfg->view.nlinks;
	size_t naddrs = 0, nfdb = 0;
	struct snap_links *b;
	struct addr_conf *a;
	struct fdb_conf *f;

	for (unsigned i = 0; i < nlinks; i++) {
		naddrs += cfg->links[i].naddrs;
		nfdb += cfg->links[i].nfdb;
	}
	b = fib_alloc(&cfg->mem, sizeof(*b) + nlinks * sizeof(b->links[0]) + naddrs * sizeof(*a) + nfdb * sizeof(*f));
	if (!b)
		return NULL;
	b->refs = 1;
	a = (struct addr_conf *)(void *)(b->links + nlinks);
	f = (struct fdb_conf *)(void *)(a + naddrs);
	for (unsigned i = 0; i < nlinks; i++) {
		b->links[i] = cfg->links[i];
		b->links[i].addrs = a;
		if (cfg->links[i].naddrs)
			memcpy(a, cfg->links[i].addrs, cfg->links[i].naddrs * sizeof(*a));
		a += cfg->links[i].naddrs;
		b->links[i].fdb = f;
		if (cfg->links[i].nfdb)
			memcpy(f, cfg->links[i].fdb, cfg->links[i].nfdb * sizeof(*f));
		f += cfg->links[i].nfdb;
	}
	return b;
}

static struct snap_neighs *neighs_block(struct netcfg *cfg)
{
	struct snap_neighs *b = fib_alloc(&cfg->mem, sizeof(*b) + cfg->view.nneighs * sizeof(b->n[0]));

	if (!b)
		return NULL;
	b->refs = 1;
	if (cfg->view.nneighs)
		memcpy(b->n, cfg->neighs, cfg->view.nneighs * sizeof(b->n[0]));
	return b;
}

/* The filter of the snapshot before serves again while local is the same; a persistent tree is the same when its root is. */
static int filter_block(struct netcfg *cfg, const struct snap *prev, struct fib_filter **ret)
{
	const struct fib_tree *now = &cfg->tables[CFG_LOCAL]->v4, *then = prev ? &prev->tables[CFG_LOCAL].v4 : NULL;

	if (!then || then->root != now->root || then->dflt != now->dflt)
		return fib_filter_new(&cfg->mem, cfg->tables[CFG_LOCAL], ret);
	*ret = prev->filter;
	if (prev->filter)
		prev->filter->refs++;
	return 0;
}

const struct net_snapshot *netcfg_commit(struct netcfg *cfg)
{
	struct snap *snap, *prev = cfg->newest;

	if (prev && !cfg->dirty)
		return &prev->s;
	snap = fib_alloc(&cfg->mem, sizeof(*snap));
	if (!snap)
		return NULL;
	snap->s = cfg->view;
	snap->next = NULL;
	snap->links = prev && !cfg->links_dirty ? prev->links : links_block(cfg);
	if (!snap->links)
		goto err_snap;
	snap->neighs = prev && !cfg->neighs_dirty ? prev->neighs : neighs_block(cfg);
	if (!snap->neighs)
		goto err_links;
	if (filter_block(cfg, prev, &snap->filter))
		goto err_neighs;
	if (prev && snap->links == prev->links)
		snap->links->refs++;
	if (prev && snap->neighs == prev->neighs)
		snap->neighs->refs++;
	for (unsigned i = 0; i < 3; i++)
		snap->tables[i] = *cfg->tables[i];
	snap->s.version = cfg->mem.version;
	snap->s.links = snap->links->links;
	snap->s.neighs = snap->neighs->n;
	snap->s.local = &snap->tables[CFG_LOCAL];
	snap->s.main = &snap->tables[CFG_MAIN];
	snap->s.deflt = &snap->tables[CFG_DEFAULT];
	snap->s.local_filter = snap->filter;
	snap->s.priv = snap;
	netcfg_end(cfg); /* what has been published cannot be taken back */
	fib_publish(&cfg->mem);
	*(prev ? &prev->next : &cfg->oldest) = snap;
	cfg->newest = snap;
	cfg->dirty = cfg->links_dirty = cfg->neighs_dirty = false;
	return &snap->s;
err_neighs:
	if (!prev || snap->neighs != prev->neighs)
		free(snap->neighs);
err_links:
	if (!prev || snap->links != prev->links)
		free(snap->links);
err_snap:
	free(snap);
	return NULL;
}

uint64_t net_snapshot_version(const struct net_snapshot *snap)
{
	return snap->version;
}

void netcfg_reclaim(struct netcfg *cfg, uint64_t version)
{
	if (!cfg->newest)
		return;
	if (version > cfg->newest->s.version)
		version = cfg->newest->s.version;
	while (cfg->oldest != cfg->newest && cfg->oldest->s.version < version) {
		struct snap *s = cfg->oldest;

		cfg->oldest = s->next;
		snap_free(s);
	}
	fib_reclaim(&cfg->mem, version);
}

/* ---- all or nothing ---- */

/* A copy of an array of cap elements, n of which are in use; NULL for none. */
static int array_copy(struct netcfg *cfg, const void *from, unsigned n, unsigned cap, size_t size, void **ret)
{
	*ret = NULL;
	if (!cap)
		return 0;
	*ret = fib_alloc(&cfg->mem, cap * size);
	if (!*ret)
		return -ENOMEM;
	if (n)
		memcpy(*ret, from, n * size);
	return 0;
}

static struct snap_link *links_copy(struct netcfg *cfg)
{
	unsigned n = cfg->view.nlinks;
	struct snap_link *copy = fib_alloc(&cfg->mem, cfg->links_cap * sizeof(*copy));

	if (!copy)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct snap_link *l = &cfg->links[i];
		void *a, *f;

		copy[i] = *l;
		copy[i].addrs = NULL;
		copy[i].fdb = NULL;
		if (array_copy(cfg, l->addrs, l->naddrs, cfg->ext[i].addr_cap, sizeof(*l->addrs), &a))
			goto err_free;
		copy[i].addrs = a;
		if (array_copy(cfg, l->fdb, l->nfdb, cfg->ext[i].fdb_cap, sizeof(*l->fdb), &f)) {
			free(a);
			goto err_free;
		}
		copy[i].fdb = f;
		continue;
err_free:
		links_free(copy, i);
		return NULL;
	}
	return copy;
}

int netcfg_begin(struct netcfg *cfg)
{
	struct cfg_save *save;

	if (cfg->save)
		return -EALREADY;
	save = fib_alloc(&cfg->mem, sizeof(*save));
	if (!save)
		return -ENOMEM;
	memset(save, 0, sizeof(*save));
	save->links = links_copy(cfg);
	if (!save->links)
		goto err_free;
	save->nlinks = cfg->view.nlinks;
	save->ext = fib_alloc(&cfg->mem, cfg->links_cap * sizeof(*save->ext));
	if (!save->ext)
		goto err_free;
	memcpy(save->ext, cfg->ext, save->nlinks * sizeof(*save->ext));
	if (cfg->neighs_cap) {
		save->neighs = fib_alloc(&cfg->mem, cfg->neighs_cap * sizeof(*save->neighs));
		if (!save->neighs)
			goto err_free;
		memcpy(save->neighs, cfg->neighs, cfg->view.nneighs * sizeof(*save->neighs));
	}
	save->nneighs = cfg->view.nneighs;
	save->links_cap = cfg->links_cap;
	save->neighs_cap = cfg->neighs_cap;
	save->sysctl = cfg->view.sysctl;
	save->all = cfg->all;
	save->dflt = cfg->dflt;
	save->next_ifindex = cfg->next_ifindex;
	save->dirty = cfg->dirty;
	save->links_dirty = cfg->links_dirty;
	save->neighs_dirty = cfg->neighs_dirty;
	if (cfg_fib_save(cfg, &save->fib))
		goto err_free;
	cfg->save = save;
	return 0;
err_free:
	save_free(save);
	return -ENOMEM;
}

void netcfg_rollback(struct netcfg *cfg)
{
	struct cfg_save *save = cfg->save;

	if (!save)
		return;
	cfg_fib_undo(cfg, &save->fib);
	links_free(cfg->links, cfg->view.nlinks);
	free(cfg->ext);
	free(cfg->neighs);
	cfg->links = save->links;
	cfg->ext = save->ext;
	cfg->neighs = save->neighs;
	cfg->links_cap = save->links_cap;
	cfg->neighs_cap = save->neighs_cap;
	cfg->view.links = cfg->links;
	cfg->view.nlinks = save->nlinks;
	cfg->view.neighs = cfg->neighs;
	cfg->view.nneighs = save->nneighs;
	cfg->view.sysctl = save->sysctl;
	cfg->all = save->all;
	cfg->dflt = save->dflt;
	cfg->next_ifindex = save->next_ifindex;
	cfg->dirty = save->dirty;
	cfg->links_dirty = save->links_dirty;
	cfg->neighs_dirty = save->neighs_dirty;
	cfg->save = NULL;
	free(save);
}

void netcfg_end(struct netcfg *cfg)
{
	if (!cfg->save)
		return;
	cfg_fib_keep(cfg, &cfg->save->fib);
	save_free(cfg->save);
	cfg->save = NULL;
}

void netcfg_fail_after(struct netcfg *cfg, long n)
{
	cfg->mem.fail_after = n;
}
