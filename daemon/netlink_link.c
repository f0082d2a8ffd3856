/* SPDX-License-Identifier: MIT */
/*
 * netlink_link.c: links over rtnetlink: RTM_GETLINK (one, or all), RTM_NEWLINK and RTM_SETLINK (new ones; up, down, MTU, address, queue length, flags, bridge,
 * carrier, link mode, operational state), RTM_DELLINK, and what RTNLGRP_LINK is told.
 *
 * Theory of operation. What a message says of a link comes from linkwatch, which has its configuration and its state; counters come from the workers,
 * which are asked before the answer begins (not with RTEXT_FILTER_SKIP_STATS). Events carry no counters: asking the workers would let them come out of order.
 * A change is a transaction as any command is (apply.c), attribute by attribute, so that the one that is refused is known.
 *
 * The host's end of a TAP is told as its parent device: IFLA_PARENT_DEV_NAME, on the bus "host".
 *
 * Not done: making TAPs and veths (dummies, bridges and VLANs are made); renaming; alternative names, groups other than 0, aliases, VFs; moving to another namespace; events of other namespaces.
 */
#include "netlink_server.h"

#include "apply.h"
#include "daemon.h"
#include "gather.h"
#include "links.h"
#include "tap.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netstack/stack.h>
#include <stdlib.h>
#include <string.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define LINK_ATTR_MAX IFLA_MAX
#define LINK_TYPES    (LINK_BRIDGE + 1)

static const struct nl_attr_rule rules[LINK_ATTR_MAX + 1] = {
	[IFLA_IFNAME] = { 1, NS_IFNAMSIZ }, [IFLA_ADDRESS] = { 0, 32 }, [IFLA_BROADCAST] = { 0, 32 }, [IFLA_MTU] = { 4, 4 }, [IFLA_LINK] = { 4, 4 },
	[IFLA_MASTER] = { 4, 4 }, [IFLA_TXQLEN] = { 4, 4 }, [IFLA_OPERSTATE] = { 1, 1 }, [IFLA_LINKMODE] = { 1, 1 }, [IFLA_LINKINFO] = { 0, 0 },
	[IFLA_NET_NS_PID] = { 4, 4 }, [IFLA_NET_NS_FD] = { 4, 4 }, [IFLA_GROUP] = { 4, 4 }, [IFLA_EXT_MASK] = { 4, 4 }, [IFLA_PROMISCUITY] = { 4, 4 },
	[IFLA_NUM_TX_QUEUES] = { 4, 4 }, [IFLA_NUM_RX_QUEUES] = { 4, 4 }, [IFLA_CARRIER] = { 1, 1 }, [IFLA_PROTO_DOWN] = { 1, 1 },
	[IFLA_ALT_IFNAME] = { 1, 128 },
};

struct link_counters { /* of all workers */
	int               *ifindex; /* in order */
	struct link_stats *stats;
	unsigned           n;
};

/* ---- what is told ---------------------------------------------------------------------------------------------------------------- */

static const char *kind_of(enum link_type type)
{
	static const char *const kinds[] = { [LINK_TAP] = "tun", [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };

	return (size_t)type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : NULL;
}

static int put_info(struct nl_msg *msg, const struct link_conf *conf)
{
	const char *kind = kind_of(conf->type);
	struct nlattr *info, *data;
	int err;

	if (!kind)
		return 0;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	err = info ? nla_put_string(msg, IFLA_INFO_KIND, kind) : -1;
	if (!err && conf->type == LINK_TAP) {
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		err = !data || nla_put_u8(msg, IFLA_TUN_TYPE, IFF_TAP) || nla_put_u8(msg, IFLA_TUN_PI, 0) || nla_put_u8(msg, IFLA_TUN_VNET_HDR, !(conf->features & LINK_F_NO_VNET)) ||
			nla_put_u8(msg, IFLA_TUN_PERSIST, 0) || nla_put_u8(msg, IFLA_TUN_MULTI_QUEUE, conf->queues > 1) ||
			nla_put_u32(msg, IFLA_TUN_NUM_QUEUES, conf->queues) || nla_put_u32(msg, IFLA_TUN_NUM_DISABLED_QUEUES, 0) ? -1 : nla_nest_end(msg, data);
	} else if (!err && conf->type == LINK_VLAN) {
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		err = !data || nla_put_u16(msg, IFLA_VLAN_ID, conf->vlan_id) || nla_put_u16(msg, IFLA_VLAN_PROTOCOL, cpu_to_be16(conf->vlan_proto)) ? -1 :
			nla_nest_end(msg, data);
	}
	return err ? err : nla_nest_end(msg, info);
}

static int put_ipv4(struct nl_msg *msg, const struct ipv4_devconf *v4)
{
	uint32_t conf[IPV4_DEVCONF_MAX] = { 0 };
	struct nlattr *spec, *inet;

	conf[IPV4_DEVCONF_FORWARDING - 1] = v4->forwarding;
	conf[IPV4_DEVCONF_PROXY_ARP - 1] = v4->proxy_arp;
	conf[IPV4_DEVCONF_ACCEPT_REDIRECTS - 1] = v4->accept_redirects;
	conf[IPV4_DEVCONF_SEND_REDIRECTS - 1] = v4->send_redirects;
	conf[IPV4_DEVCONF_RP_FILTER - 1] = v4->rp_filter;
	conf[IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE - 1] = v4->accept_source_route;
	conf[IPV4_DEVCONF_LOG_MARTIANS - 1] = v4->log_martians;
	conf[IPV4_DEVCONF_ARPFILTER - 1] = v4->arp_filter;
	conf[IPV4_DEVCONF_ARP_ANNOUNCE - 1] = v4->arp_announce;
	conf[IPV4_DEVCONF_ARP_IGNORE - 1] = v4->arp_ignore;
	conf[IPV4_DEVCONF_ARP_ACCEPT - 1] = v4->arp_accept;
	conf[IPV4_DEVCONF_ARP_NOTIFY - 1] = v4->arp_notify;
	conf[IPV4_DEVCONF_ROUTE_LOCALNET - 1] = v4->route_localnet;
	conf[IPV4_DEVCONF_BC_FORWARDING - 1] = v4->bc_forwarding;
	spec = nla_nest_start(msg, IFLA_AF_SPEC);
	inet = spec ? nla_nest_start(msg, AF_INET) : NULL;
	if (!inet || nla_put(msg, IFLA_INET_CONF, sizeof(conf), conf))
		return -1;
	nla_nest_end(msg, inet);
	return nla_nest_end(msg, spec);
}

static int put_stats(struct nl_msg *msg, const struct link_stats *s)
{
	struct rtnl_link_stats64 s64 = {
		.rx_packets = s->rx_packets, .tx_packets = s->tx_packets, .rx_bytes = s->rx_bytes, .tx_bytes = s->tx_bytes, .rx_errors = s->rx_errors,
		.tx_errors = s->tx_errors, .rx_dropped = s->rx_dropped, .tx_dropped = s->tx_dropped, .multicast = s->multicast,
		.rx_missed_errors = s->rx_missed_errors, .rx_nohandler = s->rx_nohandler, .tx_fifo_errors = s->tx_fifo_errors,
		.tx_carrier_errors = s->tx_carrier_errors,
	};
	struct rtnl_link_stats s32 = {
		.rx_packets = (uint32_t)s->rx_packets, .tx_packets = (uint32_t)s->tx_packets, .rx_bytes = (uint32_t)s->rx_bytes,
		.tx_bytes = (uint32_t)s->tx_bytes, .rx_errors = (uint32_t)s->rx_errors, .tx_errors = (uint32_t)s->tx_errors,
		.rx_dropped = (uint32_t)s->rx_dropped, .tx_dropped = (uint32_t)s->tx_dropped, .multicast = (uint32_t)s->multicast,
		.rx_missed_errors = (uint32_t)s->rx_missed_errors, .rx_nohandler = (uint32_t)s->rx_nohandler,
		.tx_fifo_errors = (uint32_t)s->tx_fifo_errors, .tx_carrier_errors = (uint32_t)s->tx_carrier_errors,
	};

	return nla_put(msg, IFLA_STATS64, sizeof(s64), &s64) || nla_put(msg, IFLA_STATS, sizeof(s32), &s32) ? -1 : 0;
}

/* netns: whose link it is. The number of a veth's other end means nothing here when that is in another. */
static int put_names(struct nl_msg *msg, const struct link_conf *conf, uint32_t netns)
{
	if (conf->link && nla_put_u32(msg, IFLA_LINK, (uint32_t)conf->link))
		return -1;
	if (conf->type == LINK_VETH && conf->link_netns != netns && nla_put_u32(msg, IFLA_LINK_NETNSID, conf->link_netns))
		return -1;
	if (conf->master && nla_put_u32(msg, IFLA_MASTER, (uint32_t)conf->master))
		return -1;
	if (conf->type == LINK_TAP && conf->host_name[0] &&
	    (nla_put_string(msg, IFLA_PARENT_DEV_NAME, conf->host_name) || nla_put_string(msg, IFLA_PARENT_DEV_BUS_NAME, "host")))
		return -1;
	return 0;
}

static const char *qdisc_of(const struct link_conf *conf)
{
	if (!(conf->flags & NS_IFF_UP))
		return "noop";
	return conf->type == LINK_TAP || conf->type == LINK_VIRTUAL ? "pfifo" : "noqueue";
}

static int put_xdp(struct nl_msg *msg, const struct conf_xdp *x)
{
	struct nlattr *xdp = nla_nest_start(msg, IFLA_XDP);

	if (!xdp || nla_put_u8(msg, IFLA_XDP_ATTACHED, x ? XDP_ATTACHED_SKB : XDP_ATTACHED_NONE) ||
	    (x && (nla_put_u32(msg, IFLA_XDP_PROG_ID, x->prog->id) || nla_put_u32(msg, IFLA_XDP_SKB_PROG_ID, x->prog->id))))
		return -EMSGSIZE;
	nla_nest_end(msg, xdp);
	return 0;
}

/* Header and attributes, in the order in which Linux has them. stats may be NULL. 0 or -EMSGSIZE. */
static int put_link(struct nl_msg *msg, const struct netdev_state *dev, const struct conf_state *st, uint32_t change, const struct link_stats *stats)
{
	static const uint8_t everybody[ETH_ADDR_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, nobody[ETH_ADDR_LEN];
	const struct link_conf *conf = &dev->conf;
	bool lo = conf->type == LINK_LOOPBACK;
	struct ifinfomsg *ifi = nlmsg_data(nlmsg_hdr(msg));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	ifi->ifi_index = conf->ifindex;
	ifi->ifi_flags = netdev_flags(dev);
	ifi->ifi_change = change;
	if (nla_put_string(msg, IFLA_IFNAME, conf->name) || nla_put_u32(msg, IFLA_TXQLEN, conf->txqlen) || nla_put_u8(msg, IFLA_OPERSTATE, netdev_operstate(dev)) ||
	    nla_put_u8(msg, IFLA_LINKMODE, dev->link_mode) || nla_put_u32(msg, IFLA_MTU, conf->mtu) || nla_put_u32(msg, IFLA_MIN_MTU, 68) ||
	    nla_put_u32(msg, IFLA_MAX_MTU, lo ? 65536 : 65520) || nla_put_u32(msg, IFLA_GROUP, 0) ||
	    nla_put_u32(msg, IFLA_PROMISCUITY, !!(conf->flags & NS_IFF_PROMISC)) || nla_put_u32(msg, IFLA_NUM_TX_QUEUES, conf->queues) ||
	    nla_put_u32(msg, IFLA_NUM_RX_QUEUES, conf->queues) || nla_put_u32(msg, IFLA_GSO_MAX_SEGS, 65535) || nla_put_u32(msg, IFLA_GSO_MAX_SIZE, 65536) ||
	    nla_put_u32(msg, IFLA_GRO_MAX_SIZE, 65536) || nla_put_u32(msg, IFLA_TSO_MAX_SIZE, 65536) || nla_put_u32(msg, IFLA_TSO_MAX_SEGS, 65535) ||
	    nla_put_u8(msg, IFLA_CARRIER, dev->carrier) || nla_put_string(msg, IFLA_QDISC, qdisc_of(conf)) ||
	    nla_put_u32(msg, IFLA_CARRIER_CHANGES, dev->carrier_up_count + dev->carrier_down_count) ||
	    nla_put_u32(msg, IFLA_CARRIER_UP_COUNT, dev->carrier_up_count) || nla_put_u32(msg, IFLA_CARRIER_DOWN_COUNT, dev->carrier_down_count) ||
	    nla_put_u8(msg, IFLA_PROTO_DOWN, 0) || nla_put(msg, IFLA_ADDRESS, ETH_ADDR_LEN, conf->addr.b) ||
	    nla_put(msg, IFLA_BROADCAST, ETH_ADDR_LEN, lo ? nobody : everybody) || (stats && put_stats(msg, stats)))
		return -EMSGSIZE;
	return put_xdp(msg, xdp_list_find(&st->xdp, conf->name)) || put_names(msg, conf, st->id) || put_info(msg, conf) || put_ipv4(msg, &conf->v4) ? -EMSGSIZE : 0;
}

void netlink_link_event(struct daemon *d, struct conf_state *st, enum netdev_event event, const struct netdev_state *dev, uint32_t change)
{
	struct ifinfomsg *ifi;
	struct nl_msg *msg;

	if (!nl_anyone(d, st, RTNLGRP_LINK))
		return;
	if (event == NETDEV_REGISTER || event == NETDEV_UNREGISTER)
		change = UINT32_MAX;
	msg = nl_begin(0, 0, event == NETDEV_UNREGISTER ? RTM_DELLINK : RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi);
	if (msg && put_link(msg, dev, st, change, NULL) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	nl_broadcast(d, st, RTNLGRP_LINK, msg);
}

/* ---- questions ---------------------------------------------------------------------------------------------------------------------- */

struct link_filter {
	int            ifindex; /* of one link; 0: all */
	int            master;
	enum link_type type;
	bool           by_type;
};

struct link_query { /* one RTM_GETLINK, until its counters are there */
	struct nl_claim     *claim;
	struct link_filter   filter;
	bool                 dump;
	struct link_counters counters;
};

struct link_dump {
	struct nl_dump       dump; /* first */
	struct link_filter   filter;
	struct link_counters counters;
	int                  after; /* ifindex */
};

static void counters_free(struct link_counters *c)
{
	free(c->ifindex);
	free(c->stats);
}

static const struct link_stats *counters_of(const struct link_counters *c, int ifindex)
{
	unsigned lo = 0, hi = c->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (c->ifindex[mid] < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n && c->ifindex[lo] == ifindex ? &c->stats[lo] : NULL;
}

static int count_one(void *arg, const struct netdev_state *dev)
{
	(void)dev;
	++*(unsigned *)arg;
	return 0;
}

static int note_one(void *arg, const struct netdev_state *dev)
{
	struct link_counters *c = arg;

	c->ifindex[c->n++] = dev->conf.ifindex;
	return 0;
}

static int counters_init(struct link_counters *c, const struct conf_state *st)
{
	unsigned n = 0;

	linkwatch_foreach(st->lw, 0, count_one, &n);
	c->ifindex = calloc(n + 1, sizeof(*c->ifindex));
	c->stats = calloc(n + 1, sizeof(*c->stats));
	c->n = 0;
	if (!c->ifindex || !c->stats)
		return -ENOMEM;
	linkwatch_foreach(st->lw, 0, note_one, c);
	return 0;
}

static bool matches(const struct link_filter *f, const struct netdev_state *dev)
{
	return (!f->ifindex || f->ifindex == dev->conf.ifindex) && (!f->master || f->master == dev->conf.master) && (!f->by_type || f->type == dev->conf.type);
}

struct next_link {
	const struct link_filter  *filter;
	const struct netdev_state *dev;
};

static int take_next(void *arg, const struct netdev_state *dev)
{
	struct next_link *n = arg;

	n->dev = dev;
	return matches(n->filter, dev);
}

static int dump_next(struct nl_dump *dump, struct nl_msg **ret)
{
	struct link_dump *d = (struct link_dump *)dump;
	struct next_link n = { .filter = &d->filter };
	struct ifinfomsg *ifi;
	int err;

	if (!linkwatch_foreach(dump->st->lw, d->after, take_next, &n))
		return 1;
	d->after = n.dev->conf.ifindex;
	*ret = nl_begin_dump(dump, RTM_NEWLINK, sizeof(*ifi), (void **)&ifi);
	err = *ret ? put_link(*ret, n.dev, dump->st, 0, counters_of(&d->counters, d->after)) : -ENOMEM;
	if (err && *ret)
		nlmsg_free(*ret);
	return err;
}

static void dump_free(struct nl_dump *dump)
{
	counters_free(&((struct link_dump *)dump)->counters);
	free(dump);
}

static uint64_t dump_generation(const struct nl_dump *dump)
{
	return linkwatch_generation(dump->st->lw);
}

static struct nl_dump *dump_new(struct link_query *lq)
{
	struct link_dump *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->dump = (struct nl_dump){ .next = dump_next, .free = dump_free, .generation = dump_generation };
	d->filter = lq->filter;
	d->counters = lq->counters;
	memset(&lq->counters, 0, sizeof(lq->counters));
	return &d->dump;
}

static struct nl_msg *one_link(const struct link_query *lq, const struct conf_state *st, uint32_t pid, uint32_t seq, int *ret_err)
{
	const struct netdev_state *dev = linkwatch_dev(st->lw, lq->filter.ifindex);
	struct ifinfomsg *ifi;
	struct nl_msg *msg;

	*ret_err = dev ? -ENOMEM : -ENODEV;
	msg = dev ? nl_begin(pid, seq, RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi) : NULL;
	if (!msg)
		return NULL;
	*ret_err = put_link(msg, dev, st, 0, counters_of(&lq->counters, lq->filter.ifindex));
	if (*ret_err) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static void query_free(struct link_query *lq)
{
	counters_free(&lq->counters);
	free(lq);
}

static void collect_counters(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	const struct link_query *lq = g->arg;
	struct link_stats *s = calloc(lq->counters.n + 1, sizeof(*s));

	(void)w;
	for (unsigned i = 0; s && i < lq->counters.n; i++) {
		const struct tapq *tap = worker_tap(slot->ns, lq->counters.ifindex[i]);

		if (stack_link_stats(slot->ns->stack, lq->counters.ifindex[i], &s[i]) < 0)
			memset(&s[i], 0, sizeof(s[i]));
		if (!tap)
			continue;
		s[i].rx_missed_errors += tap->stats.rx_missed;
		s[i].rx_errors += tap->stats.rx_errors + tap->stats.rx_too_long;
		s[i].rx_length_errors += tap->stats.rx_too_long;
	}
	slot->data = s;
}

static void counters_done(struct gather *g)
{
	struct link_query *lq = g->arg;
	struct nl_dump *dump;
	struct nl_msg *msg;
	int err;

	for (unsigned i = 0; i < g->n; i++) {
		const uint64_t *from = g->slot[i].data;

		/* a structure of counters, and nothing else */
		_Static_assert(sizeof(struct link_stats) % sizeof(uint64_t) == 0, "link_stats is an array of 64 bit counters");
		for (size_t k = 0; from && k < lq->counters.n * sizeof(struct link_stats) / sizeof(uint64_t); k++)
			((uint64_t *)lq->counters.stats)[k] += from[k];
		free(g->slot[i].data);
	}
	if (lq->dump) {
		dump = dump_new(lq);
		if (dump)
			nl_dump_start(lq->claim, dump);
		else
			nl_done(lq->claim, -ENOMEM, NULL, 0, NULL);
	} else {
		msg = one_link(lq, lq->claim->st, lq->claim->pid, lq->claim->nlh->nlmsg_seq, &err);
		nl_done(lq->claim, err, err == -ENODEV ? "the link has gone meanwhile" : NULL, 0, msg);
	}
	query_free(lq);
}

/* Asks the workers for the counters. 0: the answer follows, lq is taken over. */
static int ask_counters(struct nl_request *q, struct link_query *lq)
{
	lq->claim = nl_later(q);
	if (!lq->claim)
		return -ENOMEM;
	if (counters_init(&lq->counters, q->st) == 0 && gather_start_ns(q->daemon, q->st, collect_counters, counters_done, lq) == 0)
		return 0;
	nl_done(lq->claim, -ENOMEM, NULL, 0, NULL);
	query_free(lq);
	return 0;
}

static bool wants_stats(const struct nl_request *q, const struct nlattr *const tb[])
{
	return q->daemon->nworkers && !(tb[IFLA_EXT_MASK] && nla_get_u32(tb[IFLA_EXT_MASK]) & RTEXT_FILTER_SKIP_STATS);
}

static int attr_name(struct nl_request *q, const struct nlattr *a, char name[NS_IFNAMSIZ])
{
	size_t n = strnlen(nla_data(a), (size_t)nla_len(a));

	if (n == 0 || n >= NS_IFNAMSIZ)
		return nl_refuse(q, -EINVAL, a, "the name of a link has 1 to %d characters", NS_IFNAMSIZ - 1);
	memcpy(name, nla_data(a), n);
	name[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~') /* a configuration file takes no other, and JSON has no words for it */
			return nl_refuse(q, -EINVAL, a, "the name of a link has printable characters of ASCII only");
	return 0;
}

/* The link that a request is about: by number, or by name. */
static int find_link(struct nl_request *q, const struct ifinfomsg *ifi, const struct nlattr *const tb[], const struct netdev_state **ret)
{
	const struct nlattr *a = tb[IFLA_IFNAME] ? tb[IFLA_IFNAME] : tb[IFLA_ALT_IFNAME];
	const struct link_conf *link;
	char name[NS_IFNAMSIZ];
	int err;

	if (ifi->ifi_index < 0)
		return nl_refuse(q, -EINVAL, NULL, "the number of a link is greater than 0");
	if (ifi->ifi_index > 0) {
		*ret = linkwatch_dev(q->st->lw, ifi->ifi_index);
		return *ret ? 0 : nl_refuse(q, -ENODEV, NULL, "there is no link with number %d", ifi->ifi_index);
	}
	if (!a) /* ip(8) finds out by ENODEV that RTM_NEWLINK is there */
		return nl_refuse(q, q->nlh->nlmsg_type == RTM_NEWLINK ? -ENODEV : -EINVAL, NULL, "neither the number nor the name of a link is given");
	err = attr_name(q, a, name);
	if (err)
		return err;
	link = netcfg_link_by_name(q->st->cfg, name);
	*ret = link ? linkwatch_dev(q->st->lw, link->ifindex) : NULL;
	return *ret ? 0 : nl_refuse(q, -ENODEV, a, "there is no link %s", name);
}

static int get_link(struct nl_request *q)
{
	const struct nlattr *tb[LINK_ATTR_MAX + 1];
	const struct netdev_state *dev;
	struct link_query *lq;
	struct nl_msg *msg;
	int err = nl_parse(q, sizeof(struct ifinfomsg), tb, LINK_ATTR_MAX, rules);

	if (!err)
		err = find_link(q, NLMSG_DATA(q->nlh), tb, &dev);
	if (err)
		return err;
	lq = calloc(1, sizeof(*lq));
	if (!lq)
		return -ENOMEM;
	lq->filter.ifindex = dev->conf.ifindex;
	if (wants_stats(q, tb)) {
		err = ask_counters(q, lq);
		if (err)
			query_free(lq);
		return err ? err : NL_LATER;
	}
	msg = one_link(lq, q->st, nl_request_pid(q), q->nlh->nlmsg_seq, &err);
	if (msg)
		nl_reply(q, msg);
	query_free(lq);
	return err;
}

static int kind_filter(struct nl_request *q, const struct nlattr *a, struct link_filter *f)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(info, IFLA_INFO_MAX, (struct nlattr *)(uintptr_t)a, NULL) < 0)
		return nl_refuse(q, -EINVAL, a, "the kind of link cannot be read");
	if (!info[IFLA_INFO_KIND])
		return 0;
	f->by_type = true;
	f->type = LINK_TYPES; /* of which there is none */
	for (int t = 0; t < LINK_TYPES; t++) {
		const char *kind = kind_of((enum link_type)t);
		size_t len = kind ? strlen(kind) : 0;

		/* ip(8) sends it without the terminating zero */
		if (kind && strnlen(nla_data(info[IFLA_INFO_KIND]), (size_t)nla_len(info[IFLA_INFO_KIND])) == len && !memcmp(nla_data(info[IFLA_INFO_KIND]), kind, len))
			f->type = (enum link_type)t;
	}
	return 0;
}

static int dump_links(struct nl_request *q, struct nl_dump **ret)
{
	const struct nlattr *tb[LINK_ATTR_MAX + 1] = { NULL };
	const struct ifinfomsg *ifi = NLMSG_DATA(q->nlh);
	struct link_query *lq;
	int err = 0;

	/* Old programs send a struct rtgenmsg; its family is the first byte of either. */
	if (ifi->ifi_family != AF_UNSPEC && ifi->ifi_family != AF_PACKET && ifi->ifi_family != AF_INET && ifi->ifi_family != AF_INET6)
		return nl_refuse(q, -EOPNOTSUPP, NULL, "links of family %u cannot be listed", ifi->ifi_family);
	if (q->strict && q->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)))
		return nl_refuse(q, -EINVAL, NULL, "the header of the request is cut short");
	if (q->strict && (ifi->ifi_type || ifi->ifi_flags || ifi->ifi_change || ifi->ifi_index))
		return nl_refuse(q, -EINVAL, NULL, "a list of links takes no number, type or flags: filters are attributes");
	if (q->nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*ifi)))
		err = nl_parse(q, sizeof(*ifi), tb, LINK_ATTR_MAX, rules);
	if (err)
		return err;
	lq = calloc(1, sizeof(*lq));
	if (!lq)
		return -ENOMEM;
	lq->dump = true;
	if (tb[IFLA_MASTER])
		lq->filter.master = (int)nla_get_u32(tb[IFLA_MASTER]);
	if (tb[IFLA_LINKINFO])
		err = kind_filter(q, tb[IFLA_LINKINFO], &lq->filter);
	if (!err && wants_stats(q, tb)) {
		err = ask_counters(q, lq);
		if (!err)
			return NL_LATER;
	} else if (!err) {
		*ret = dump_new(lq);
		err = *ret ? 0 : -ENOMEM;
	}
	query_free(lq);
	return err;
}

/* ---- changes ------------------------------------------------------------------------------------------------------------------------- */

struct link_change {
	struct conf_state   *st;
	struct nl_request   *q;
	const struct nlattr *tb[LINK_ATTR_MAX + 1], *peer_tb[LINK_ATTR_MAX + 1];
	struct ifinfomsg     ifi;
	int                  ifindex;
	bool                 del, make;
	struct link_conf     link, peer; /* to be made; peer: of a veth */
};

/* One attribute's worth; a is blamed when it is refused. */
static int change_part(struct link_change *c, const struct link_conf *to, const struct nlattr *a, struct conf_error *e)
{
	int err = conf_link_change(c->st, to, e);

	if (err)
		c->q->bad = a;
	return err;
}

static int change_address(struct link_change *c, struct link_conf *link, struct conf_error *e)
{
	const struct nlattr *a = c->tb[IFLA_ADDRESS];
	struct conf_link *extra = conf_link_find(c->st, link->name);
	int err;

	if (nla_len(a) != ETH_ADDR_LEN) {
		c->q->bad = a;
		return conf_fail(e, -EINVAL, "a MAC address has %d bytes", ETH_ADDR_LEN);
	}
	memcpy(link->addr.b, nla_data(a), ETH_ADDR_LEN);
	err = change_part(c, link, a, e);
	if (!err && extra)
		extra->addr_given = true;
	return err;
}

static void change_flags(const struct ifinfomsg *ifi, struct link_conf *link)
{
	static const uint32_t ours = NS_IFF_UP | NS_IFF_NOARP | NS_IFF_PROMISC | NS_IFF_ALLMULTI | NS_IFF_MULTICAST;
	uint32_t mask = ifi->ifi_change ? ifi->ifi_change : UINT32_MAX; /* 0 means all, for programs older than ifi_change */

	if (ifi->ifi_flags || ifi->ifi_change)
		link->flags = (link->flags & ~(mask & ours)) | (ifi->ifi_flags & mask & ours);
}

static int change_state(struct link_change *c, struct conf_error *e)
{
	const struct nlattr *mode = c->tb[IFLA_LINKMODE], *state = c->tb[IFLA_OPERSTATE];
	const struct link_conf *link = netcfg_link_by_index(c->st->cfg, c->ifindex);
	struct conf_link *extra = conf_link_find(c->st, link->name);
	ktime_t now = clock_now();

	if (mode && nla_get_u8(mode) > LINK_MODE_TESTING) {
		c->q->bad = mode;
		return conf_fail(e, -EINVAL, "there is no link mode %u", nla_get_u8(mode));
	}
	if (mode && nla_get_u8(mode) != (extra ? extra->link_mode : LINK_MODE_DEFAULT)) {
		if (!extra) {
			c->q->bad = mode;
			return conf_fail(e, -EOPNOTSUPP, "the state of this link is always the same");
		}
		extra->link_mode = nla_get_u8(mode); /* links.c tells linkwatch */
	}
	if (state && linkwatch_set_operstate(c->st->lw, c->ifindex, nla_get_u8(state), now) < 0) {
		c->q->bad = state;
		return conf_fail(e, -EINVAL, "the state can be set to up, dormant or testing");
	}
	return 0;
}

static int change_name(struct link_change *c, struct conf_error *e)
{
	const struct link_conf *link = netcfg_link_by_index(c->st->cfg, c->ifindex);
	const struct nlattr *a = c->tb[IFLA_IFNAME];
	char name[NS_IFNAMSIZ];
	int err;

	if (!a || attr_name(c->q, a, name) < 0) /* it was looked at before */
		return 0;
	err = conf_link_rename(c->st, link->name, name, e);
	if (err)
		c->q->bad = a;
	return err;
}

static int change_master(struct link_change *c, struct link_conf *link, struct conf_error *e)
{
	int master = (int)nla_get_u32(c->tb[IFLA_MASTER]), err;

	if (link->master == master)
		return 0;
	link->master = master;
	err = change_part(c, link, c->tb[IFLA_MASTER], e);
	if (!err)
		*link = *netcfg_link_by_index(c->st->cfg, c->ifindex); /* with what a new port begins with */
	return err;
}

/* MAC address and MTU of a new link. */
static int make_values(struct link_change *c, const struct nlattr *const tb[], struct link_conf *link, struct conf_error *e)
{
	if (tb[IFLA_ADDRESS]) {
		if (nla_len(tb[IFLA_ADDRESS]) != ETH_ADDR_LEN) {
			c->q->bad = tb[IFLA_ADDRESS];
			return conf_fail(e, -EINVAL, "a MAC address has %d bytes", ETH_ADDR_LEN);
		}
		memcpy(link->addr.b, nla_data(tb[IFLA_ADDRESS]), ETH_ADDR_LEN);
	}
	if (tb[IFLA_MTU])
		link->mtu = nla_get_u32(tb[IFLA_MTU]);
	return 0;
}

static int make(struct link_change *c, struct conf_error *e)
{
	struct conf_link extra = { .addr_given = c->tb[IFLA_ADDRESS] != NULL };
	int err = make_values(c, c->tb, &c->link, e);

	if (!err && c->link.type == LINK_VETH)
		err = make_values(c, c->peer_tb, &c->peer, e);
	if (err)
		return err;
	return c->link.type == LINK_VETH ? conf_veth_add(c->st, &c->link, c->st, &c->peer, e) : conf_link_add(c->st, &c->link, &extra, e);
}

static int change_link(struct conf_state *first, const void *what, struct conf_error *e)
{
	struct link_change *c = (struct link_change *)(uintptr_t)what;
	const struct link_conf *old = netcfg_link_by_index(c->st->cfg, c->ifindex);
	struct conf_link *extra;
	struct link_conf link;
	int err = 0;

	(void)first;
	if (c->make) {
		err = make(c, e);
		old = netcfg_link_by_name(c->st->cfg, c->link.name);
		if (err)
			return err;
		c->ifindex = old->ifindex;
	}
	if (!old)
		return conf_fail(e, -ENODEV, "there is no link with number %d", c->ifindex);
	link = *old;
	if (c->del)
		return conf_link_remove(c->st, link.name, e);
	extra = conf_link_find(c->st, link.name);
	if (c->tb[IFLA_MTU]) {
		link.mtu = nla_get_u32(c->tb[IFLA_MTU]);
		err = change_part(c, &link, c->tb[IFLA_MTU], e);
	}
	if (!err && c->tb[IFLA_TXQLEN]) {
		link.txqlen = nla_get_u32(c->tb[IFLA_TXQLEN]);
		err = change_part(c, &link, c->tb[IFLA_TXQLEN], e);
	}
	if (!err && c->tb[IFLA_ADDRESS])
		err = change_address(c, &link, e);
	if (!err && c->tb[IFLA_MASTER])
		err = change_master(c, &link, e);
	if (!err && c->tb[IFLA_CARRIER]) {
		if (!extra || (link.type != LINK_TAP && link.type != LINK_DUMMY)) {
			c->q->bad = c->tb[IFLA_CARRIER];
			return conf_fail(e, -EOPNOTSUPP, "%s has no cable", link.name);
		}
		extra->carrier_off = !nla_get_u8(c->tb[IFLA_CARRIER]);
	}
	if (!err) {
		change_flags(&c->ifi, &link);
		if (extra && (link.flags & NS_IFF_UP))
			extra->host.revive = extra->host.gone;
		err = change_part(c, &link, NULL, e);
	}
	if (!err)
		err = change_state(c, e);
	return err ? err : change_name(c, e);
}

static void change_done(struct daemon *d, void *arg, const struct conf_error *e)
{
	(void)d;
	nl_done(arg, e ? e->err : 0, e ? e->text : NULL, 0, NULL);
}

static int carry_out(struct link_change *c)
{
	struct nl_claim *claim = nl_later(c->q);
	struct conf_error e;
	size_t bad;
	int err;

	if (!claim)
		return -ENOMEM;
	err = apply_change(c->q->daemon, change_link, c, change_done, claim, &e);
	if (err) {
		bad = c->q->bad ? (size_t)((const char *)c->q->bad - (const char *)c->q->nlh) : 0;
		nl_done(claim, err, e.text, bad, NULL);
	}
	return NL_LATER;
}

static int unsupported(struct nl_request *q, const struct nlattr *const tb[], const struct netdev_state *dev)
{
	static const struct { unsigned attr; const char *why; } list[] = {
		{ IFLA_NET_NS_PID, "a link stays in the network namespace that it was made in" },
		{ IFLA_NET_NS_FD, "a link stays in the network namespace that it was made in" },
		{ IFLA_BROADCAST, "the broadcast address cannot be changed" },
		{ IFLA_IFALIAS, "links have no alias" },
	};
	char name[NS_IFNAMSIZ];

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (tb[list[i].attr])
			return nl_refuse(q, -EOPNOTSUPP, tb[list[i].attr], "%s", list[i].why);
	if (tb[IFLA_GROUP] && nla_get_u32(tb[IFLA_GROUP]))
		return nl_refuse(q, -EOPNOTSUPP, tb[IFLA_GROUP], "links have no group but the default one");
	if (dev && tb[IFLA_LINK] && (int)nla_get_u32(tb[IFLA_LINK]) != dev->conf.link)
		return nl_refuse(q, -EOPNOTSUPP, tb[IFLA_LINK], "what a link stands on cannot be changed");
	return dev && tb[IFLA_IFNAME] ? attr_name(q, tb[IFLA_IFNAME], name) : 0;
}

static int new_vlan(struct link_change *c, struct nlattr *info)
{
	struct nlattr *data[IFLA_VLAN_MAX + 1];
	struct nl_request *q = c->q;

	if (!info || nla_parse_nested(data, IFLA_VLAN_MAX, info, NULL) < 0 || !c->tb[IFLA_LINK] || !data[IFLA_VLAN_ID] || nla_len(data[IFLA_VLAN_ID]) < 2)
		return nl_refuse(q, -EINVAL, c->tb[IFLA_LINKINFO], "a VLAN needs the link that it stands on and a number");
	c->link.link = (int)nla_get_u32(c->tb[IFLA_LINK]);
	c->link.link_netns = c->st->id;
	c->link.vlan_id = nla_get_u16(data[IFLA_VLAN_ID]);
	c->link.vlan_proto = data[IFLA_VLAN_PROTOCOL] && nla_len(data[IFLA_VLAN_PROTOCOL]) >= 2 ? be16_to_cpu(nla_get_u16(data[IFLA_VLAN_PROTOCOL])) : ETH_P_8021Q;
	return 0;
}

/* VETH_INFO_PEER is a link in itself: a struct ifinfomsg and attributes. Both ends are in this namespace: a namespace of the host's kernel means nothing here. */
static int new_veth(struct link_change *c, struct nlattr *info)
{
	const int head = NLMSG_ALIGN(sizeof(struct ifinfomsg));
	struct nlattr *data[VETH_INFO_MAX + 1], *tb[LINK_ATTR_MAX + 1], *peer;
	struct nl_request *q = c->q;
	int err;

	if (!info || nla_parse_nested(data, VETH_INFO_MAX, info, NULL) < 0 || !data[VETH_INFO_PEER] || nla_len(data[VETH_INFO_PEER]) < head)
		return nl_refuse(q, -EINVAL, c->tb[IFLA_LINKINFO], "a veth needs the name of its other end");
	peer = data[VETH_INFO_PEER];
	if (nla_parse(tb, LINK_ATTR_MAX, (struct nlattr *)(void *)((char *)nla_data(peer) + head), nla_len(peer) - head, NULL) < 0 || !tb[IFLA_IFNAME])
		return nl_refuse(q, -EINVAL, c->tb[IFLA_LINKINFO], "a veth needs the name of its other end");
	for (unsigned i = 0; i <= LINK_ATTR_MAX; i++) {
		if (tb[i] && (nla_len(tb[i]) < rules[i].min || (rules[i].max && nla_len(tb[i]) > rules[i].max)))
			return nl_refuse(q, -ERANGE, tb[i], "attribute %u of the other end has %d bytes", i, nla_len(tb[i]));
		c->peer_tb[i] = tb[i];
	}
	err = attr_name(q, tb[IFLA_IFNAME], c->peer.name);
	return err ? err : unsupported(q, c->peer_tb, NULL);
}

/* NLM_F_CREATE: all kinds but a TAP, which needs names on the host: nsctl has the words. */
static int new_link(struct link_change *c)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];
	struct nl_request *q = c->q;
	struct link_filter kind = { .type = LINK_TYPES };
	int err;

	if (!c->tb[IFLA_IFNAME])
		return nl_refuse(q, -EINVAL, NULL, "a new link needs a name");
	err = attr_name(q, c->tb[IFLA_IFNAME], c->link.name);
	if (!err && c->tb[IFLA_LINKINFO])
		err = kind_filter(q, c->tb[IFLA_LINKINFO], &kind);
	if (err)
		return err;
	if (kind.type == LINK_TAP)
		return nl_refuse(q, -EOPNOTSUPP, c->tb[IFLA_LINKINFO], "a TAP has an end on the host: it is made with nsctl link add");
	if (kind.type != LINK_DUMMY && kind.type != LINK_BRIDGE && kind.type != LINK_VLAN && kind.type != LINK_VETH)
		return nl_refuse(q, -EOPNOTSUPP, c->tb[IFLA_LINKINFO], "links of this kind are not known here: there are dummy, veth, vlan and bridge");
	c->make = true;
	c->link.type = kind.type;
	if (nla_parse_nested(info, IFLA_INFO_MAX, (struct nlattr *)(uintptr_t)c->tb[IFLA_LINKINFO], NULL) < 0)
		return nl_refuse(q, -EINVAL, c->tb[IFLA_LINKINFO], "the kind of link cannot be read");
	if (kind.type == LINK_VLAN)
		err = new_vlan(c, info[IFLA_INFO_DATA]);
	else if (kind.type == LINK_VETH)
		err = new_veth(c, info[IFLA_INFO_DATA]);
	return err ? err : unsupported(q, c->tb, NULL);
}

static int set_link(struct nl_request *q)
{
	struct link_change c = { .st = q->st, .q = q };
	bool new = q->nlh->nlmsg_type == RTM_NEWLINK;
	const struct netdev_state *dev;
	int err = nl_parse(q, sizeof(c.ifi), c.tb, LINK_ATTR_MAX, rules);

	if (err)
		return err;
	memcpy(&c.ifi, NLMSG_DATA(q->nlh), sizeof(c.ifi));
	err = find_link(q, &c.ifi, c.tb, &dev);
	if (err == -ENODEV && new && (q->nlh->nlmsg_flags & NLM_F_CREATE)) {
		q->why = NULL;
		err = new_link(&c);
		return err ? err : carry_out(&c);
	}
	if (err)
		return err;
	if (new && (q->nlh->nlmsg_flags & NLM_F_EXCL))
		return nl_refuse(q, -EEXIST, c.tb[IFLA_IFNAME], "there is a link %s already", dev->conf.name);
	if (new && (q->nlh->nlmsg_flags & NLM_F_REPLACE))
		return nl_refuse(q, -EOPNOTSUPP, NULL, "a link cannot be replaced");
	err = unsupported(q, c.tb, dev);
	if (err)
		return err;
	c.ifindex = dev->conf.ifindex;
	return carry_out(&c);
}

static int del_link(struct nl_request *q)
{
	struct link_change c = { .st = q->st, .q = q, .del = true };
	const struct netdev_state *dev;
	int err = nl_parse(q, sizeof(c.ifi), c.tb, LINK_ATTR_MAX, rules);

	if (err)
		return err;
	memcpy(&c.ifi, NLMSG_DATA(q->nlh), sizeof(c.ifi));
	err = find_link(q, &c.ifi, c.tb, &dev);
	if (err)
		return err;
	c.ifindex = dev->conf.ifindex;
	return carry_out(&c);
}

static const struct nl_handler handlers[] = {
	{ RTM_GETLINK, get_link, dump_links },
	{ RTM_NEWLINK, set_link, NULL },
	{ RTM_SETLINK, set_link, NULL },
	{ RTM_DELLINK, del_link, NULL },
};

const struct nl_object nl_links = { handlers, sizeof(handlers) / sizeof(handlers[0]) };
