/* SPDX-License-Identifier: MIT */
/*
 * netcfg_upper.c: links that are made of other links: veth pairs. What goes with what, and whose carrier follows from whose.
 *
 * Rules. The ends of a veth pair live and die together, also when they are in two namespaces; each has carrier while both are up. An end that is switched off keeps its
 * twin up, without carrier.
 *
 * Not done: moving a link to another namespace after it was made.
 */
#include "netcfg_priv.h"

#include <errno.h>

struct netcfg *cfg_netns(struct netcfg *cfg, uint32_t netns)
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

/* ---- what goes with a link ---- */

void cfg_links_doom(struct netcfg *cfg, int ifindex)
{
	int i = cfg_link_index(cfg, ifindex), k;
	struct netcfg *other;

	if (i < 0 || cfg->ext[i].doomed)
		return;
	cfg->ext[i].doomed = true;
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

/* ---- carrier ---- */

bool cfg_carrier_follows(enum link_type type)
{
	return type == LINK_VETH;
}

static bool veth_carrier(struct netcfg *cfg, const struct link_conf *l)
{
	struct netcfg *other;
	int k = veth_twin(cfg, l, &other);

	return k >= 0 && l->flags & other->links[k].conf.flags & NS_IFF_UP;
}

static bool set_carrier(struct netcfg *cfg, unsigned i, bool carrier)
{
	if (cfg->links[i].conf.carrier == carrier)
		return false;
	cfg->links[i].conf.carrier = carrier;
	cfg_touch_link(cfg, i);
	return true;
}

void cfg_upper_update(struct netcfg *cfg)
{
	struct netcfg *other;

	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		struct link_conf *l = &cfg->links[i].conf;
		bool carrier;
		int k;

		if (l->type != LINK_VETH)
			continue;
		carrier = veth_carrier(cfg, l);
		set_carrier(cfg, i, carrier);
		k = veth_twin(cfg, l, &other);
		if (k >= 0)
			set_carrier(other, (unsigned)k, carrier);
	}
}
