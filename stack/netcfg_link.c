/* SPDX-License-Identifier: MIT */
/*
 * netcfg_link.c: links of a configuration (what holds for each of them; netcfg_upper.c has those that are made of other links), and permanent neighbours, which belong to a link.
 *
 * Rules. Names as Linux's dev_valid_name, without the words "all" and "default" of net.ipv4.conf. A station address is unicast and not zero. A link that
 * goes down loses every route by it that is not of host scope (its addresses stay, and stay local: RFC 1122 section 3.3.4.2, weak end system); a link
 * that comes up gets the routes back that follow from its addresses, and only those. Carrier changes no route.
 * Not done: renaming a link; changing its type or number of queues.
 */
#include "netcfg_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define LINK_MTU_MIN     68 /* RFC 791: every host forwards 68 octets */
#define LINK_MTU_MAX     65520
#define LO_MTU_MAX       65536
#define TXQLEN_DEFAULT   1000
#define QUEUES_MAX       256 /* of a TAP on Linux */

/* What may be set from outside; the rest follows from the type. */
#define FLAGS_SETTABLE (NS_IFF_UP | NS_IFF_NOARP | NS_IFF_PROMISC | NS_IFF_ALLMULTI | NS_IFF_MULTICAST)

static int check_name(const char *name, struct netcfg_err *err)
{
	size_t len = strnlen(name, NS_IFNAMSIZ);

	if (!len)
		return cfg_err(err, -EINVAL, "a link needs a name");
	if (len == NS_IFNAMSIZ)
		return cfg_err(err, -EINVAL, "the name of a link has at most %d characters", NS_IFNAMSIZ - 1);
	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "all") || !strcmp(name, "default"))
		return cfg_err(err, -EINVAL, "\"%s\" cannot be the name of a link", name);
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return cfg_err(err, -EINVAL, "the name of a link has no '/', no ':', no blanks and no control characters");
	return 0;
}

static bool eth_is_zero(const struct eth_addr *a)
{
	static const struct eth_addr zero;

	return !memcmp(a, &zero, sizeof(zero));
}

int cfg_check_station(const struct eth_addr *a, struct netcfg_err *err)
{
	if (eth_is_zero(a))
		return cfg_err(err, -EADDRNOTAVAIL, "a link-layer address cannot be all zero");
	if (a->b[0] & 1)
		return cfg_err(err, -EADDRNOTAVAIL, "%02x:%02x:%02x:%02x:%02x:%02x is a multicast address and cannot be a station's", a->b[0], a->b[1],
			       a->b[2], a->b[3], a->b[4], a->b[5]);
	return 0;
}

static int check_mtu(enum link_type type, uint32_t mtu, struct netcfg_err *err)
{
	uint32_t max = type == LINK_LOOPBACK ? LO_MTU_MAX : LINK_MTU_MAX;

	if (mtu < LINK_MTU_MIN || mtu > max)
		return cfg_err(err, -EINVAL, "the MTU must be from %d to %u, not %u", LINK_MTU_MIN, max, mtu);
	return 0;
}

static bool lladdr_used(const struct netcfg *cfg, const struct eth_addr *a)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		if (!memcmp(&cfg->links[i].conf.addr, a, sizeof(*a)))
			return true;
	return false;
}

/* A locally administered unicast address from the seed; the same seed and name give the same address again. */
static struct eth_addr make_lladdr(const struct netcfg *cfg, uint64_t seed, const char *name)
{
	struct eth_addr a;

	for (const char *p = name; *p; p++)
		seed = (seed ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	do {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		for (unsigned i = 0; i < ETH_ADDR_LEN; i++)
			a.b[i] = (uint8_t)(z >> 8 * i);
		a.b[0] = (uint8_t)((a.b[0] & ~1u) | 2u);
	} while (lladdr_used(cfg, &a));
	return a;
}

const struct link_conf *netcfg_link_by_name(const struct netcfg *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		if (!strcmp(cfg->links[i].conf.name, name))
			return &cfg->links[i].conf;
	return NULL;
}

const struct link_conf *netcfg_link_by_index(const struct netcfg *cfg, int ifindex)
{
	int i = cfg_link_index(cfg, ifindex);

	return i < 0 ? NULL : &cfg->links[i].conf;
}

int cfg_links_reserve(struct netcfg *cfg, unsigned more)
{
	unsigned cap = cfg->links_cap, ext_cap = cfg->links_cap, n = cfg->view.nlinks + more - 1;
	void *p = cfg->links, *q = cfg->ext;

	/* The bigger array may stay when the second one finds no room: links_cap tells what both have. */
	if (cfg_reserve(cfg, &p, n, &cap, sizeof(*cfg->links)))
		return -ENOMEM;
	cfg->links = p;
	cfg->view.links = p;
	if (cfg_reserve(cfg, &q, n, &ext_cap, sizeof(*cfg->ext)))
		return -ENOMEM;
	cfg->ext = q;
	cfg->links_cap = ext_cap;
	return 0;
}

int cfg_link_check(const struct netcfg *cfg, const struct link_conf *params, struct netcfg_err *err)
{
	int r = check_name(params->name, err);

	if (r)
		return r;
	if (netcfg_link_by_name(cfg, params->name))
		return cfg_err(err, -EEXIST, "there is a link %s already", params->name);
	if (params->mtu) {
		r = check_mtu(params->type, params->mtu, err);
		if (r)
			return r;
	}
	if (params->queues > QUEUES_MAX)
		return cfg_err(err, -EINVAL, "a link has at most %d queues", QUEUES_MAX);
	return eth_is_zero(&params->addr) ? 0 : cfg_check_station(&params->addr, err);
}

unsigned cfg_link_insert(struct netcfg *cfg, const struct link_conf *params, uint64_t seed)
{
	unsigned n = cfg->view.nlinks;
	struct link_conf *l = &cfg->links[n].conf;

	memset(&cfg->links[n], 0, sizeof(cfg->links[n]));
	memset(&cfg->ext[n], 0, sizeof(cfg->ext[n]));
	*l = *params;
	l->ifindex = cfg->next_ifindex++;
	l->flags = NS_IFF_BROADCAST | NS_IFF_MULTICAST | (params->flags & FLAGS_SETTABLE);
	l->mtu = params->mtu ? params->mtu : CFG_MTU_DEFAULT;
	l->txqlen = params->txqlen ? params->txqlen : TXQLEN_DEFAULT;
	l->queues = params->queues ? params->queues : 1;
	l->carrier = !cfg_carrier_follows(l->type);
	l->master = 0;
	l->port_flags = 0;
	l->own = (uint8_t)((params->mtu ? LINK_OWN_MTU : 0) | (eth_is_zero(&params->addr) ? 0 : LINK_OWN_ADDR));
	if (!l->vlan_proto)
		l->vlan_proto = CFG_8021Q;
	if (l->type == LINK_BRIDGE && !l->ageing_time)
		l->ageing_time = LINK_AGEING_DEFAULT;
	if (l->type == LINK_BRIDGE && !l->fdb_max_learned)
		l->fdb_max_learned = LINK_FDB_MAX_DEFAULT;
	if (l->type != LINK_TAP && l->type != LINK_VIRTUAL)
		l->features = CFG_SOFT_FEATURES;
	if (eth_is_zero(&l->addr))
		l->addr = make_lladdr(cfg, seed, l->name);
	cfg->ext[n].own = cfg->dflt;
	cfg_devconf_merge(cfg, n, &l->v4);
	cfg->view.nlinks++;
	cfg_touch_link(cfg, n);
	return n;
}

int netcfg_link_add(struct netcfg *cfg, const struct link_conf *params, uint64_t seed, int *ret_ifindex, struct netcfg_err *err)
{
	unsigned n;
	int r;

	cfg_err_clear(err);
	r = cfg_link_check(cfg, params, err);
	if (r)
		return r;
	switch (params->type) {
	case LINK_TAP:
	case LINK_VIRTUAL:
	case LINK_DUMMY:
		break;
	case LINK_VLAN:
	case LINK_BRIDGE:
		r = cfg_upper_check(cfg, params, err);
		if (r)
			return r;
		break;
	case LINK_LOOPBACK:
		return cfg_err(err, -EOPNOTSUPP, "there is one loopback link only, lo");
	default:
		return cfg_err(err, -EOPNOTSUPP, "a link of this type cannot be added alone");
	}
	if (cfg_links_reserve(cfg, 1))
		return cfg_nomem(err);
	n = cfg_link_insert(cfg, params, seed);
	cfg_upper_update(cfg);
	if (ret_ifindex)
		*ret_ifindex = cfg->links[n].conf.ifindex;
	return 0;
}

static void neighs_drop_link(struct netcfg *cfg, int ifindex)
{
	unsigned to = 0;

	for (unsigned i = 0; i < cfg->view.nneighs; i++)
		if (cfg->neighs[i].ifindex != ifindex)
			cfg->neighs[to++] = cfg->neighs[i];
	if (to != cfg->view.nneighs)
		cfg->neighs_dirty = true;
	cfg->view.nneighs = to;
}

/* The routes of a link that goes. Inside a cfg_fib_save: 0 or -ENOMEM. */
static int link_routes_gone(struct netcfg *cfg, unsigned i)
{
	const struct addr_conf *addrs = cfg->links[i].addrs;

	if (cfg_routes_drop_dev(cfg, cfg->links[i].conf.ifindex, false))
		return -ENOMEM;
	for (unsigned k = 0; k < cfg->links[i].naddrs; k++)
		if (inet_addr_type(&cfg->view, &addrs[k].local.addr) != RTN_LOCAL && cfg_routes_drop_prefsrc(cfg, &addrs[k].local.addr))
			return -ENOMEM;
	return 0;
}

static int doomed_routes_gone(struct netcfg *cfg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		if (cfg->ext[i].doomed && link_routes_gone(cfg, i))
			return -ENOMEM;
	return 0;
}

static void port_leave(struct netcfg *cfg, unsigned i)
{
	cfg_fdb_clear(cfg, i);
	cfg->links[i].conf.master = 0;
	cfg->links[i].conf.port_flags = 0;
	cfg_touch_link(cfg, i);
}

static void doomed_remove(struct netcfg *cfg)
{
	unsigned to = 0;

	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		if (cfg->ext[i].doomed) {
			neighs_drop_link(cfg, cfg->links[i].conf.ifindex);
			free(cfg_addrs(cfg, i));
			free(cfg_fdb(cfg, i));
			continue;
		}
		cfg->links[to] = cfg->links[i];
		cfg->ext[to++] = cfg->ext[i];
	}
	cfg->view.nlinks = to;
	for (unsigned i = 0; i < to; i++)
		if (cfg->links[i].conf.master && cfg_link_index(cfg, cfg->links[i].conf.master) < 0)
			port_leave(cfg, i);
	cfg->gen++;
	cfg->links_dirty = true;
	cfg_touch(cfg);
}

static void doom_lift(struct netcfg *cfg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		cfg->ext[i].doomed = false;
}

int netcfg_link_del(struct netcfg *cfg, int ifindex, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, ifindex);
	struct cfg_fib_save save, other_save;
	struct netcfg *other;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", ifindex);
	if (cfg->links[i].conf.type == LINK_LOOPBACK)
		return cfg_err(err, -EOPNOTSUPP, "the loopback link cannot be removed");
	cfg_links_doom(cfg, ifindex);
	other = cfg_doomed_other(cfg);
	if (cfg_fib_save(cfg, &save))
		goto err_lift;
	if (other && cfg_fib_save(other, &other_save))
		goto err_undo;
	if (doomed_routes_gone(cfg) || (other && doomed_routes_gone(other)))
		goto err_undo_other;
	cfg_fib_keep(cfg, &save);
	if (other)
		cfg_fib_keep(other, &other_save);
	doomed_remove(cfg);
	if (other) {
		doomed_remove(other);
		cfg_upper_update(other);
	}
	cfg_upper_update(cfg);
	return 0;

err_undo_other:
	if (other)
		cfg_fib_undo(other, &other_save);
err_undo:
	cfg_fib_undo(cfg, &save);
err_lift:
	if (other)
		doom_lift(other);
	doom_lift(cfg);
	return cfg_nomem(err);
}

static int link_routes_up(struct netcfg *cfg, unsigned i)
{
	for (unsigned k = 0; k < cfg->links[i].naddrs; k++) {
		int r = cfg_addr_routes_add(cfg, i, &cfg->links[i].addrs[k]);

		if (r)
			return r;
	}
	return 0;
}

static int check_set(const struct netcfg *cfg, unsigned i, const struct link_conf *link, struct netcfg_err *err)
{
	const struct link_conf *l = &cfg->links[i].conf;
	int r = check_mtu(l->type, link->mtu, err);

	if (r)
		return r;
	if (link->mtu != l->mtu) {
		r = cfg_upper_mtu_check(cfg, link, err);
		if (r)
			return r;
	}
	if (l->type == LINK_LOOPBACK && !eth_is_zero(&link->addr))
		return cfg_err(err, -EOPNOTSUPP, "the loopback link has no link-layer address");
	if (memcmp(&link->addr, &l->addr, sizeof(l->addr)) != 0) {
		r = cfg_check_station(&link->addr, err);
		if (r)
			return r;
	}
	return link->master && link->master != l->master ? cfg_master_check(cfg, i, link->master, err) : 0;
}

/* What neither fails nor has consequences elsewhere. */
static void set_plain(struct link_conf *l, const struct link_conf *link)
{
	uint8_t changed = (uint8_t)((link->mtu != l->mtu ? LINK_OWN_MTU : 0) | (memcmp(&link->addr, &l->addr, sizeof(l->addr)) ? LINK_OWN_ADDR : 0));

	l->own = (uint8_t)(link->own | (changed & ~(link->own ^ l->own))); /* who changes own says what follows and what does not */
	l->mtu = link->mtu;
	l->txqlen = link->txqlen;
	l->addr = link->addr;
	l->features = link->features;
	l->rps_set = link->rps_set;
	l->rps_cpus = link->rps_cpus;
	l->rps_flow_cnt = link->rps_flow_cnt;
	l->rss = link->rss;
	memcpy(l->host_name, link->host_name, sizeof(l->host_name));
	l->host_name[sizeof(l->host_name) - 1] = '\0';
	l->host_addr = link->host_addr;
	memcpy(l->vlan_ingress, link->vlan_ingress, sizeof(l->vlan_ingress));
	memcpy(l->vlan_egress, link->vlan_egress, sizeof(l->vlan_egress));
	l->ageing_time = link->ageing_time;
	l->fdb_max_learned = link->fdb_max_learned;
}

int netcfg_link_set(struct netcfg *cfg, const struct link_conf *link, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, link->ifindex), r;
	uint32_t flags, old_flags;
	struct cfg_fib_save save;
	struct link_conf *l;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", link->ifindex);
	l = &cfg->links[i].conf;
	r = check_set(cfg, (unsigned)i, link, err);
	if (r)
		return r;
	old_flags = l->flags;
	flags = (old_flags & ~FLAGS_SETTABLE) | (link->flags & FLAGS_SETTABLE);
	if ((flags ^ old_flags) & NS_IFF_UP) {
		if (cfg_fib_save(cfg, &save))
			return cfg_nomem(err);
		l->flags = flags;
		r = flags & NS_IFF_UP ? link_routes_up(cfg, (unsigned)i) : cfg_routes_drop_dev(cfg, l->ifindex, true);
		if (r) {
			l->flags = old_flags;
			cfg_fib_undo(cfg, &save);
			return cfg_nomem(err);
		}
		cfg_fib_keep(cfg, &save);
	}
	l->flags = flags;
	set_plain(l, link);
	if (link->master != l->master) {
		port_leave(cfg, (unsigned)i);
		l->master = link->master;
		l->port_flags = link->master ? LINK_PORT_DEFAULT : 0;
	} else if (l->master) {
		l->port_flags = link->port_flags;
	}
	cfg_touch_link(cfg, (unsigned)i);
	cfg_upper_update(cfg);
	return 0;
}

int netcfg_link_set_carrier(struct netcfg *cfg, int ifindex, bool carrier)
{
	int i = cfg_link_index(cfg, ifindex);

	if (i < 0)
		return -ENODEV;
	if (cfg_carrier_follows(cfg->links[i].conf.type))
		return -EOPNOTSUPP;
	if (cfg->links[i].conf.carrier == carrier)
		return 0;
	cfg->links[i].conf.carrier = carrier;
	cfg_touch_link(cfg, (unsigned)i);
	cfg_upper_update(cfg);
	return 0;
}

/* "eth0" and "eth0:1" become "lan0" and "lan0:1", as far as there is room. */
static void relabel(struct addr_conf *a, const char *from, const char *to)
{
	size_t n = strlen(from), len = strlen(to);
	char rest[NS_IFNAMSIZ] = "";

	if (strncmp(a->label, from, n) != 0 || (a->label[n] && a->label[n] != ':'))
		return;
	memcpy(rest, a->label + n, strlen(a->label + n));
	if (len + strlen(rest) >= sizeof(a->label))
		rest[0] = '\0';
	memset(a->label, 0, sizeof(a->label));
	memcpy(a->label, to, len);
	memcpy(a->label + len, rest, strlen(rest));
}

int netcfg_link_rename(struct netcfg *cfg, int ifindex, const char *name, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, ifindex), r;
	const struct link_conf *other;
	struct link_conf *l;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", ifindex);
	l = &cfg->links[i].conf;
	r = check_name(name, err);
	if (r)
		return r;
	if (l->type == LINK_LOOPBACK && strcmp(name, l->name))
		return cfg_err(err, -EOPNOTSUPP, "the loopback link keeps its name");
	other = netcfg_link_by_name(cfg, name);
	if (other == l)
		return 0;
	if (other)
		return cfg_err(err, -EEXIST, "there is a link %s already", name);
	for (unsigned k = 0; k < cfg->links[i].naddrs; k++)
		relabel(&cfg_addrs(cfg, (unsigned)i)[k], l->name, name);
	memset(l->name, 0, sizeof(l->name));
	memcpy(l->name, name, strlen(name));
	cfg_touch_link(cfg, (unsigned)i);
	return 0;
}

int netcfg_link_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct link_conf *link), void *arg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		int r = fn(arg, &cfg->links[i].conf);

		if (r)
			return r;
	}
	return 0;
}

/* ---- permanent neighbours ---- */

/* Where (ifindex, addr) is, or belongs. */
static unsigned neigh_place(const struct netcfg *cfg, int ifindex, const struct ipaddr *addr, bool *found)
{
	unsigned lo = 0, hi = cfg->view.nneighs;

	*found = false;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct neigh_conf *n = &cfg->neighs[mid];
		int d = n->ifindex != ifindex ? (n->ifindex < ifindex ? -1 : 1) : memcmp(&n->addr, addr, sizeof(*addr));

		if (!d) {
			*found = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int netcfg_neigh_add(struct netcfg *cfg, const struct neigh_conf *neigh, bool replace, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, neigh->ifindex), r;
	char text[CFG_ADDR_TEXT];
	void *p = cfg->neighs;
	uint8_t type;
	unsigned at;
	bool found;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", neigh->ifindex);
	if (cfg->links[i].conf.type == LINK_LOOPBACK)
		return cfg_err(err, -EINVAL, "the loopback link has no neighbours");
	if (neigh->addr.family != AF_INET)
		return cfg_err(err, -EAFNOSUPPORT, "only IPv4 addresses are supported");
	type = inet_addr_type(&cfg->view, &neigh->addr);
	if (type == RTN_MULTICAST || type == RTN_BROADCAST)
		return cfg_err(err, -EINVAL, "%s is not the address of a neighbour", cfg_addr_text(&neigh->addr, text));
	r = cfg_check_station(&neigh->lladdr, err);
	if (r)
		return r;
	at = neigh_place(cfg, neigh->ifindex, &neigh->addr, &found);
	if (found) {
		if (!replace)
			return cfg_err(err, -EEXIST, "there is a permanent neighbour %s on %s already", cfg_addr_text(&neigh->addr, text),
				       cfg->links[i].conf.name);
		cfg->neighs[at] = *neigh;
	} else {
		if (cfg_reserve(cfg, &p, cfg->view.nneighs, &cfg->neighs_cap, sizeof(*cfg->neighs)))
			return cfg_nomem(err);
		cfg->neighs = p;
		cfg->view.neighs = p;
		memmove(&cfg->neighs[at + 1], &cfg->neighs[at], (cfg->view.nneighs - at) * sizeof(*cfg->neighs));
		cfg->neighs[at] = *neigh;
		cfg->view.nneighs++;
	}
	cfg->neighs_dirty = true;
	cfg_touch(cfg);
	return 0;
}

int netcfg_neigh_del(struct netcfg *cfg, int ifindex, const struct ipaddr *addr)
{
	bool found;
	unsigned at = neigh_place(cfg, ifindex, addr, &found);

	if (!found)
		return -ENOENT;
	cfg->view.nneighs--;
	memmove(&cfg->neighs[at], &cfg->neighs[at + 1], (cfg->view.nneighs - at) * sizeof(*cfg->neighs));
	cfg->neighs_dirty = true;
	cfg_touch(cfg);
	return 0;
}

int netcfg_neigh_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct neigh_conf *neigh), void *arg)
{
	for (unsigned i = 0; i < cfg->view.nneighs; i++) {
		int r = fn(arg, &cfg->neighs[i]);

		if (r)
			return r;
	}
	return 0;
}
