/* SPDX-License-Identifier: MIT */
/*
 * netcfg_upper.c: links that are made of other links: veth pairs, VLANs, bridges; and the static stations of bridges. What goes with what, and whose
 * carrier, MTU and address follow from whose.
 *
 * Rules.
 * - The ends of a veth pair live and die together, also when they are in two namespaces; each has carrier while both are up.
 * - A VLAN goes with the link below it, and has that link's MTU and address unless it was given its own; the MTU is never larger than the lower
 *   one's, whose frames become four bytes longer than its own would be (IEEE 802.1Q clause 6.7). It has carrier while the lower one is up and has
 *   it. Switched on or off it is by itself: what Linux calls a loose binding.
 * - A bridge has the least MTU and the least address of its ports (IEEE 802.1D clause 7.12.5 wants the address of one of them) unless it was given
 *   its own, without ports the default MTU and the last address; it has carrier while a port has it. Its ports become free when it goes. A bridge is
 *   no port of a bridge.
 * - No link stands on itself, and no more than MAX_DEPTH on top of each other.
 * - A station stands once on a bridge.
 * - What moves to another namespace is made there and removed here; a veth's twin learns the new place in between, so it stays.
 */
#include "netcfg_priv.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_DEPTH  8 /* as Linux's MAX_NEST_DEV */
#define VLAN_ID_MAX 4094 /* 4095 is reserved: IEEE 802.1Q table 9-2 */

/* cfg itself, another one, or NULL. */
static struct netcfg *cfg_netns(struct netcfg *cfg, uint32_t netns)
{
	if (netns == cfg->netns)
		return cfg;
	return cfg->find_netns ? cfg->find_netns(cfg->find_arg, netns) : NULL;
}

/* The place of a veth's twin, and whose it is; -1: it is nowhere. */
static int veth_twin(struct netcfg *cfg, const struct link_conf *l, struct netcfg **ret)
{
	struct netcfg *other = cfg_netns(cfg, l->link_netns);
	int i = other ? cfg_link_index(other, l->link) : -1;

	if (i < 0 || other->links[i].conf.type != LINK_VETH || other->links[i].conf.link != l->ifindex || other->links[i].conf.link_netns != cfg->netns)
		return -1;
	*ret = other;
	return i;
}

int netcfg_veth_add(struct netcfg *cfg, const struct link_conf *params, const struct link_conf *peer, uint64_t seed, int *ret_ifindex, int *ret_peer,
		    struct netcfg_err *err)
{
	struct netcfg *other = cfg_netns(cfg, params->link_netns);
	struct link_conf a = *params, b = *peer;
	unsigned i, k;
	int r;

	cfg_err_clear(err);
	if (!other)
		return cfg_err(err, -ENODEV, "there is no namespace number %u", params->link_netns);
	a.type = b.type = LINK_VETH;
	r = cfg_link_check(cfg, &a, err);
	if (!r)
		r = cfg_link_check(other, &b, err);
	if (r)
		return r;
	if (other == cfg && strcmp(a.name, b.name) == 0)
		return cfg_err(err, -EEXIST, "the two ends of a pair cannot both be called %s", a.name);
	b.link_netns = cfg->netns;
	b.link = cfg->next_ifindex;
	a.link = other == cfg ? b.link + 1 : other->next_ifindex;
	if (cfg_links_reserve(cfg, other == cfg ? 2 : 1) || (other != cfg && cfg_links_reserve(other, 1)))
		return cfg_nomem(err);
	i = cfg_link_insert(cfg, &a, seed);
	k = cfg_link_insert(other, &b, ~seed);
	cfg_upper_update(cfg);
	if (ret_ifindex)
		*ret_ifindex = cfg->links[i].conf.ifindex;
	if (ret_peer)
		*ret_peer = other->links[k].conf.ifindex;
	return 0;
}

/* ---- on top of each other ---- */

/* Links in the longest chain from this one down, itself included. */
static unsigned depth_below(const struct netcfg *cfg, unsigned i)
{
	const struct link_conf *l = &cfg->links[i].conf;
	unsigned most = 0, n;

	if (l->type == LINK_VLAN) {
		int k = cfg_link_index(cfg, l->link);

		most = k < 0 ? 0 : depth_below(cfg, (unsigned)k);
	} else if (l->type == LINK_BRIDGE) {
		for (unsigned k = 0; k < cfg->view.nlinks; k++)
			if (cfg->links[k].conf.master == l->ifindex && (n = depth_below(cfg, k)) > most)
				most = n;
	}
	return most + 1;
}

static bool is_above(const struct link_conf *upper, const struct link_conf *lower)
{
	return (upper->type == LINK_VLAN && upper->link == lower->ifindex) || (lower->master && lower->master == upper->ifindex);
}

static unsigned depth_above(const struct netcfg *cfg, unsigned i)
{
	unsigned most = 0, n;

	for (unsigned k = 0; k < cfg->view.nlinks; k++)
		if (is_above(&cfg->links[k].conf, &cfg->links[i].conf) && (n = depth_above(cfg, k)) > most)
			most = n;
	return most + 1;
}

/* Whether link i stands on the link with this number, or is it. */
static bool stands_on(const struct netcfg *cfg, unsigned i, int ifindex)
{
	const struct link_conf *l = &cfg->links[i].conf;

	if (l->ifindex == ifindex)
		return true;
	for (unsigned k = 0; k < cfg->view.nlinks; k++)
		if (is_above(l, &cfg->links[k].conf) && stands_on(cfg, k, ifindex))
			return true;
	return false;
}

static int vlan_check(const struct netcfg *cfg, const struct link_conf *params, struct netcfg_err *err)
{
	uint16_t proto = params->vlan_proto ? params->vlan_proto : CFG_8021Q;
	int i = cfg_link_index(cfg, params->link);
	const struct link_conf *lower;

	if (i < 0)
		return cfg_err(err, -ENODEV, "a VLAN needs a link below it");
	lower = &cfg->links[i].conf;
	if (lower->type == LINK_LOOPBACK)
		return cfg_err(err, -EOPNOTSUPP, "the loopback link carries no VLANs");
	if (proto != CFG_8021Q && proto != CFG_8021AD)
		return cfg_err(err, -EINVAL, "the protocol of a VLAN is 802.1Q or 802.1ad");
	if (params->vlan_id > VLAN_ID_MAX)
		return cfg_err(err, -ERANGE, "the ID of a VLAN is from 0 to %d, not %u", VLAN_ID_MAX, params->vlan_id);
	for (unsigned k = 0; k < cfg->view.nlinks; k++) {
		const struct link_conf *l = &cfg->links[k].conf;

		if (l->type == LINK_VLAN && l->link == params->link && l->vlan_proto == proto && l->vlan_id == params->vlan_id)
			return cfg_err(err, -EEXIST, "VLAN %u of %s is there already: %s", params->vlan_id, lower->name, l->name);
	}
	for (unsigned k = 0; k < sizeof(params->vlan_ingress); k++)
		if (params->vlan_ingress[k] > 15)
			return cfg_err(err, -EINVAL, "a priority is from 0 to 15");
	for (unsigned k = 0; k < sizeof(params->vlan_egress); k++)
		if (params->vlan_egress[k] > 7)
			return cfg_err(err, -EINVAL, "the priority in a tag is from 0 to 7");
	if (depth_below(cfg, (unsigned)i) >= MAX_DEPTH)
		return cfg_err(err, -EMLINK, "no more than %d links may stand on top of each other", MAX_DEPTH);
	return params->mtu ? cfg_upper_mtu_check(cfg, params, err) : 0;
}

int cfg_upper_check(const struct netcfg *cfg, const struct link_conf *params, struct netcfg_err *err)
{
	return params->type == LINK_VLAN ? vlan_check(cfg, params, err) : 0;
}

int cfg_upper_mtu_check(const struct netcfg *cfg, const struct link_conf *link, struct netcfg_err *err)
{
	int i = link->type == LINK_VLAN ? cfg_link_index(cfg, link->link) : -1;

	if (i >= 0 && link->mtu > cfg->links[i].conf.mtu)
		return cfg_err(err, -ERANGE, "the MTU of a VLAN cannot be larger than that of %s, which is %u", cfg->links[i].conf.name, cfg->links[i].conf.mtu);
	return 0;
}

int cfg_master_check(const struct netcfg *cfg, unsigned link, int master, struct netcfg_err *err)
{
	const struct link_conf *l = &cfg->links[link].conf;
	int m = cfg_link_index(cfg, master);

	if (m < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", master);
	if (cfg->links[m].conf.type != LINK_BRIDGE)
		return cfg_err(err, -EINVAL, "%s is not a bridge: it has no ports", cfg->links[m].conf.name);
	if (l->type == LINK_LOOPBACK)
		return cfg_err(err, -EINVAL, "the loopback link cannot be a port of a bridge");
	if (l->type == LINK_BRIDGE)
		return cfg_err(err, -ELOOP, "a bridge cannot be a port of a bridge");
	if (stands_on(cfg, link, master))
		return cfg_err(err, -ELOOP, "%s stands on %s and cannot be a port of it", l->name, cfg->links[m].conf.name);
	if (depth_below(cfg, link) + depth_above(cfg, (unsigned)m) > MAX_DEPTH)
		return cfg_err(err, -EMLINK, "no more than %d links may stand on top of each other", MAX_DEPTH);
	return 0;
}

int netcfg_link_move(struct netcfg *cfg, int ifindex, uint32_t netns, int *ret_ifindex, struct netcfg_err *err)
{
	struct netcfg *to = cfg_netns(cfg, netns), *peers = NULL;
	int i = cfg_link_index(cfg, ifindex), twin = -1, r;
	struct link_conf conf, *moved;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", ifindex);
	if (!to)
		return cfg_err(err, -ENODEV, "there is no namespace number %u", netns);
	conf = cfg->links[i].conf;
	if (conf.type != LINK_DUMMY && conf.type != LINK_VETH)
		return cfg_err(err, -EOPNOTSUPP, "%s stays where it is: only dummies and ends of veth pairs go to another network namespace", conf.name);
	*ret_ifindex = ifindex;
	if (to == cfg)
		return 0;
	if (conf.type == LINK_VETH)
		twin = veth_twin(cfg, &conf, &peers);
	conf.flags &= ~NS_IFF_UP;
	r = cfg_link_check(to, &conf, err);
	if (r)
		return r;
	if (cfg_links_reserve(to, 1))
		return cfg_nomem(err);
	moved = &to->links[cfg_link_insert(to, &conf, 0)].conf;
	moved->own = conf.own;
	if (twin >= 0) {
		peers->links[twin].conf.link = moved->ifindex;
		peers->links[twin].conf.link_netns = netns;
		cfg_touch_link(peers, (unsigned)twin);
	}
	*ret_ifindex = moved->ifindex;
	r = netcfg_link_del(cfg, ifindex, err);
	if (r) { /* no memory: it is here still, and the one there was the last of them */
		to->view.nlinks--;
		if (twin >= 0) {
			peers->links[twin].conf.link = ifindex;
			peers->links[twin].conf.link_netns = cfg->netns;
		}
		return r;
	}
	cfg_upper_update(to);
	return 0;
}

/* ---- what goes with a link ---- */

void cfg_links_doom(struct netcfg *cfg, int ifindex)
{
	int i = cfg_link_index(cfg, ifindex), k;
	struct netcfg *other;

	if (i < 0 || cfg->ext[i].doomed)
		return;
	cfg->ext[i].doomed = true;
	for (unsigned v = 0; v < cfg->view.nlinks; v++)
		if (cfg->links[v].conf.type == LINK_VLAN && cfg->links[v].conf.link == ifindex)
			cfg_links_doom(cfg, cfg->links[v].conf.ifindex);
	if (cfg->links[i].conf.type != LINK_VETH)
		return;
	k = veth_twin(cfg, &cfg->links[i].conf, &other);
	if (k >= 0)
		cfg_links_doom(other, cfg->links[i].conf.link);
}

struct netcfg *cfg_doomed_other(struct netcfg *cfg)
{
	struct netcfg *other;

	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		const struct link_conf *l = &cfg->links[i].conf;

		if (cfg->ext[i].doomed && l->type == LINK_VETH && l->link_netns != cfg->netns && veth_twin(cfg, l, &other) >= 0)
			return other;
	}
	return NULL;
}

/* ---- what follows from other links ---- */

bool cfg_carrier_follows(enum link_type type)
{
	return type == LINK_VETH || type == LINK_VLAN || type == LINK_BRIDGE;
}

static bool link_running(const struct link_conf *l)
{
	return (l->flags & NS_IFF_UP) && l->carrier;
}

static bool follow(struct netcfg *cfg, unsigned i, bool carrier, uint32_t mtu, const struct eth_addr *addr)
{
	struct link_conf *l = &cfg->links[i].conf;

	if (l->carrier == carrier && l->mtu == mtu && memcmp(&l->addr, addr, sizeof(*addr)) == 0)
		return false;
	l->carrier = carrier;
	l->mtu = mtu;
	l->addr = *addr;
	cfg_touch_link(cfg, i);
	return true;
}

static bool veth_follow(struct netcfg *cfg, unsigned i)
{
	const struct link_conf *l = &cfg->links[i].conf;
	struct netcfg *other;
	int k = veth_twin(cfg, l, &other);
	bool carrier = k >= 0 && (l->flags & other->links[k].conf.flags & NS_IFF_UP);

	/* In the same namespace the twin has its own turn; in another one this is its turn. */
	if (k >= 0 && other != cfg && follow(other, (unsigned)k, carrier, other->links[k].conf.mtu, &other->links[k].conf.addr))
		cfg_upper_update(other);
	return follow(cfg, i, carrier, l->mtu, &l->addr);
}

static bool vlan_follow(struct netcfg *cfg, unsigned i)
{
	const struct link_conf *l = &cfg->links[i].conf, *lower;
	int k = cfg_link_index(cfg, l->link);
	uint32_t mtu;

	if (k < 0)
		return false;
	lower = &cfg->links[k].conf;
	mtu = l->own & LINK_OWN_MTU && l->mtu < lower->mtu ? l->mtu : lower->mtu;
	return follow(cfg, i, link_running(lower), mtu, l->own & LINK_OWN_ADDR ? &l->addr : &lower->addr);
}

static bool bridge_follow(struct netcfg *cfg, unsigned i)
{
	const struct link_conf *l = &cfg->links[i].conf;
	const struct cfg_link_ext *x = &cfg->ext[i];

	uint32_t mtu = l->own & LINK_OWN_MTU ? l->mtu : x->ports.any ? x->ports.mtu : CFG_MTU_DEFAULT;

	return follow(cfg, i, x->ports.carrier, mtu,
		      l->own & LINK_OWN_ADDR || !x->ports.any ? &l->addr : &x->ports.addr);
}

/* Sums up the ports of each bridge. */
static void ports_gather(struct netcfg *cfg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		memset(&cfg->ext[i].ports, 0, sizeof(cfg->ext[i].ports));
	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		const struct link_conf *l = &cfg->links[i].conf;
		int m = l->master ? cfg_link_index(cfg, l->master) : -1;
		struct cfg_link_ext *x;

		if (m < 0)
			continue;
		x = &cfg->ext[m];
		if (!x->ports.any || l->mtu < x->ports.mtu)
			x->ports.mtu = l->mtu;
		if (!x->ports.any || memcmp(&l->addr, &x->ports.addr, sizeof(l->addr)) < 0)
			x->ports.addr = l->addr;
		x->ports.any = true;
		x->ports.carrier |= link_running(l);
	}
}

/* Links stand on others in no order of their numbers: it is repeated until nothing changes, at most once for each storey. */
void cfg_upper_update(struct netcfg *cfg)
{
	bool changed = true;

	for (unsigned pass = 0; changed && pass <= MAX_DEPTH; pass++) {
		changed = false;
		ports_gather(cfg);
		for (unsigned i = 0; i < cfg->view.nlinks; i++) {
			switch (cfg->links[i].conf.type) {
			case LINK_VETH:
				changed |= veth_follow(cfg, i);
				break;
			case LINK_VLAN:
				changed |= vlan_follow(cfg, i);
				break;
			case LINK_BRIDGE:
				changed |= bridge_follow(cfg, i);
				break;
			default:
				break;
			}
		}
	}
}

/* ---- static stations ---- */

void cfg_fdb_clear(struct netcfg *cfg, unsigned link)
{
	cfg->links[link].nfdb = 0;
}

static unsigned fdb_place(const struct netcfg *cfg, unsigned link, const struct eth_addr *a, bool *found)
{
	const struct fdb_conf *f = cfg->links[link].fdb;
	unsigned n = cfg->links[link].nfdb, i = 0;

	while (i < n && memcmp(&f[i].lladdr, a, sizeof(*a)) < 0)
		i++;
	*found = i < n && memcmp(&f[i].lladdr, a, sizeof(*a)) == 0;
	return i;
}

static void fdb_remove(struct netcfg *cfg, unsigned link, unsigned at)
{
	struct fdb_conf *f = cfg_fdb(cfg, link);

	cfg->links[link].nfdb--;
	memmove(&f[at], &f[at + 1], (cfg->links[link].nfdb - at) * sizeof(*f));
	cfg_touch_link(cfg, link);
}

/* The link of this bridge, itself or a port, that has the station; -1: none. */
static int fdb_holder(const struct netcfg *cfg, int bridge, const struct eth_addr *a, unsigned *ret_at)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		const struct link_conf *l = &cfg->links[i].conf;
		bool found;

		if (!cfg->links[i].nfdb || (l->ifindex != bridge && l->master != bridge))
			continue;
		*ret_at = fdb_place(cfg, i, a, &found);
		if (found)
			return (int)i;
	}
	return -1;
}

int netcfg_fdb_add(struct netcfg *cfg, const struct fdb_conf *fdb, bool replace, struct netcfg_err *err)
{
	int i = cfg_link_index(cfg, fdb->ifindex), holder, r;
	const struct link_conf *l;
	struct snap_link *link;
	unsigned at;
	bool found;
	void *p;

	cfg_err_clear(err);
	if (i < 0)
		return cfg_err(err, -ENODEV, "there is no link with index %d", fdb->ifindex);
	link = &cfg->links[i];
	l = &link->conf;
	if (l->type != LINK_BRIDGE && !l->master)
		return cfg_err(err, -EINVAL, "%s is neither a bridge nor a port of one", l->name);
	if (l->type == LINK_BRIDGE && !fdb->local)
		return cfg_err(err, -EINVAL, "%s is a bridge: a static station stands behind one of its ports", l->name);
	r = cfg_check_station(&fdb->lladdr, err);
	if (r)
		return r;
	holder = fdb_holder(cfg, l->type == LINK_BRIDGE ? l->ifindex : l->master, &fdb->lladdr, &at);
	if (holder >= 0 && !replace)
		return cfg_err(err, -EEXIST, "that station is known on %s already", cfg->links[holder].conf.name);
	if (holder != i) {
		p = cfg_fdb(cfg, (unsigned)i);
		if (cfg_reserve(cfg, &p, link->nfdb, &cfg->ext[i].fdb_cap, sizeof(*fdb)))
			return cfg_nomem(err);
		link->fdb = p;
		if (holder >= 0)
			fdb_remove(cfg, (unsigned)holder, at);
		at = fdb_place(cfg, (unsigned)i, &fdb->lladdr, &found);
		memmove(&cfg_fdb(cfg, (unsigned)i)[at + 1], &link->fdb[at], (link->nfdb - at) * sizeof(*fdb));
		link->nfdb++;
	}
	cfg_fdb(cfg, (unsigned)i)[at] = *fdb;
	cfg_touch_link(cfg, (unsigned)i);
	return 0;
}

int netcfg_fdb_del(struct netcfg *cfg, int ifindex, const struct eth_addr *lladdr)
{
	int i = cfg_link_index(cfg, ifindex);
	bool found = false;
	unsigned at = i < 0 ? 0 : fdb_place(cfg, (unsigned)i, lladdr, &found);

	if (!found)
		return -ENOENT;
	fdb_remove(cfg, (unsigned)i, at);
	return 0;
}

int netcfg_fdb_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct fdb_conf *fdb), void *arg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		for (unsigned k = 0; k < cfg->links[i].nfdb; k++) {
			int r = fn(arg, &cfg->links[i].fdb[k]);

			if (r)
				return r;
		}
	return 0;
}
