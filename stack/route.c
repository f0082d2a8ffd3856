/* SPDX-License-Identifier: MIT */
/*
 * route.c: what is done with a packet, from the FIB's answer: deliver, forward or refuse (input), and the way of our own packets (output).
 *
 * Theory of operation. fib_lookup says which route holds for an address; this file adds what a route alone does not know: whether the source
 * may come in here (martians, rp_filter), whether this device forwards, which ICMP error a refusal deserves, the source address of our own
 * packets, and what was learned about a path (its MTU, RFC 1191; a better first hop, RFC 1122 3.2.2.2).
 *
 * Input has a small direct-mapped cache in front, keyed by (destination, source, device, TOS): the same question gets the same answer while
 * the configuration stands. An entry is good only for the version of the configuration under which it was made. Refusals are never cached.
 *
 * What was learned about paths stands in a bounded table (PATH_MAX_ENTRIES), oldest out first; each entry expires. A shard that learns an
 * MTU tells the others (SHARD_PMTU).
 *
 * The identifications of IP packets are kept here too, by hash of where they go.
 *
 * RFC 1812 5.2 (order of decisions), 5.3.7 and 5.3.8 (martian and source address validation), 4.3.3.1 (unreachables); RFC 1122 3.2.1.3 (addresses),
 * 3.3.1 (routing of own packets), 3.3.6 (broadcasts); RFC 3704 (rp_filter: 1 strict, 2 loose); RFC 1191.
 * Not done here: the FIB (fib.c); rules beyond local, main and default; multicast routing and memberships beyond 224.0.0.1 (no IGMP).
 */
#include "route.h"
#include "bug.h"
#include "ip.h"
#include "neigh.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>
#include <stdlib.h>

#define RT_CACHE_BITS    10u
#define RT_CACHE_SIZE    (1u << RT_CACHE_BITS)
#define PATH_BUCKETS     512u
#define PATH_MAX_ENTRIES 2048u
#define IDENT_BUCKETS    2048u
#define MARTIAN_INTERVAL NSEC_PER_SEC
#define PMTU_TELL_RATE   1000u /* messages a second about learned MTUs */

struct rt_cache_entry {
	be32             daddr, saddr;
	int              iif;
	uint32_t         genid; /* 0: empty */
	uint8_t          tos;
	struct skb_route rt;
};

struct path { /* what is known of the way to one destination */
	struct hlist_node hash;
	struct list_head  lru; /* oldest first */
	struct ipaddr     daddr;
	uint32_t          mtu; /* 0: nothing learned */
	bool              mtu_lock; /* the path takes less than mtu: no DF */
	ktime_t           mtu_expires;
	struct ipaddr     gateway; /* AF_UNSPEC: no redirect */
	int               gw_ifindex;
	ktime_t           gw_expires;
};

struct ident { /* a counter of IP identifications, shared by the flows that hash to it */
	uint32_t next;
	uint32_t stamp; /* milliseconds, of its last use */
};

struct route_state { /* owner: the shard */
	struct timer          expire; /* earliest of the paths' expiries; not pending: none */
	ktime_t               tell_since; /* the present second of PMTU_TELL_RATE */
	unsigned              told;
	ktime_t               martian_next; /* before that no other martian is told of */
	uint32_t              bumps; /* changes of routing that no snapshot tells of */
	uint64_t              key[2]; /* odd: the cache's hash */
	struct hlist_head     paths[PATH_BUCKETS];
	struct list_head      lru;
	unsigned              npaths;
	struct ident          idents[IDENT_BUCKETS];
	struct rt_cache_entry cache[RT_CACHE_SIZE];
};

/* ---- paths ----------------------------------------------------------------------------------------------------------- */

uint32_t route_genid(const struct stack *stack)
{
	uint32_t g = (uint32_t)(stack->snap ? stack->snap->version : 0) + stack->route->bumps;

	return g ? g : 1; /* 0 is "never" */
}

static struct hlist_head *path_bucket(const struct stack *stack, const struct ipaddr *daddr)
{
	uint64_t h = (daddr->w[0] ^ ((uint64_t)daddr->w[1] << 32)) * stack->route->key[0] ^ (daddr->w[2] ^ ((uint64_t)daddr->w[3] << 32)) * stack->route->key[1];

	return &stack->route->paths[(h >> 40) % PATH_BUCKETS];
}

static struct path *path_lookup(const struct stack *stack, const struct ipaddr *daddr)
{
	struct path *p;

	if (!stack->route->npaths)
		return NULL;
	hlist_for_each(p, path_bucket(stack, daddr), struct path, hash) {
		if (ipaddr_equal(&p->daddr, daddr))
			return p;
	}
	return NULL;
}

static void path_free(struct route_state *rs, struct path *p)
{
	hlist_del(&p->hash);
	list_del(&p->lru);
	rs->npaths--;
	free(p);
}

static struct path *path_get(struct stack *stack, const struct ipaddr *daddr)
{
	struct route_state *rs = stack->route;
	struct path *p = path_lookup(stack, daddr);

	if (!p) {
		if (rs->npaths >= PATH_MAX_ENTRIES)
			path_free(rs, list_first(&rs->lru, struct path, lru));
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->daddr = *daddr;
		list_init(&p->lru);
		hlist_add_head(&p->hash, path_bucket(stack, daddr));
		rs->npaths++;
	}
	list_move_tail(&p->lru, &rs->lru);
	return p;
}

static ktime_t path_expiry(const struct path *p)
{
	ktime_t mtu = p->mtu ? p->mtu_expires : KTIME_MAX, gw = p->gateway.family ? p->gw_expires : KTIME_MAX;

	return mtu < gw ? mtu : gw;
}

/* Forgets what has expired, so that cached routes are looked up again. */
static void path_expire(struct stack *stack, struct timer *t)
{
	struct route_state *rs = stack->route;
	ktime_t next = KTIME_MAX;
	struct path *p, *tmp;

	list_for_each_safe(p, tmp, &rs->lru, struct path, lru) {
		if (p->mtu && p->mtu_expires <= stack->now) {
			p->mtu = 0;
			rs->bumps++;
		}
		if (p->gateway.family && p->gw_expires <= stack->now) {
			p->gateway = IPADDR_NONE;
			rs->bumps++;
		}
		if (path_expiry(p) == KTIME_MAX)
			path_free(rs, p);
		else if (path_expiry(p) < next)
			next = path_expiry(p);
	}
	if (next != KTIME_MAX)
		timer_mod(stack, t, next);
}

static bool path_learn_mtu(struct stack *stack, const struct ipaddr *daddr, uint32_t mtu)
{
	uint32_t least = (uint32_t)stack->sysctl->ip_min_pmtu;
	bool lock = mtu < least;
	struct path *p;

	if (lock)
		mtu = least;
	p = path_lookup(stack, daddr);
	/* a larger value while a smaller one holds is stale news; a probe upward waits for the expiry (RFC 1191 6.3) */
	if (p && p->mtu && p->mtu_expires > stack->now && (mtu > p->mtu || (p->mtu_lock && !lock)))
		return false;
	p = path_get(stack, daddr);
	if (!p)
		return false;
	if (p->mtu != mtu || p->mtu_lock != lock || p->mtu_expires <= stack->now)
		stack->route->bumps++;
	p->mtu = mtu;
	p->mtu_lock = lock;
	p->mtu_expires = stack->now + stack->sysctl->ip_mtu_expires * NSEC_PER_SEC;
	timer_reduce(stack, &stack->route->expire, p->mtu_expires);
	return true;
}

/* A flood of ICMP must not become one of messages, which are never dropped. A shard that is not told learns from the next error that is its own. */
static bool path_may_tell(struct stack *stack)
{
	struct route_state *rs = stack->route;

	if (stack->now - rs->tell_since >= NSEC_PER_SEC) {
		rs->tell_since = stack->now;
		rs->told = 0;
	}
	return rs->told++ < PMTU_TELL_RATE;
}

void ip_rt_update_pmtu(struct stack *stack, const struct ipaddr *daddr, uint32_t mtu)
{
	if (!path_learn_mtu(stack, daddr, mtu))
		return;
	stack_notify(stack, &(struct stack_event){ .type = STACK_EV_PMTU, .addr = *daddr });
	if (stack_multi(stack) && stack->ops->tell && path_may_tell(stack)) {
		struct shard_msg msg = { .type = SHARD_PMTU, .from = stack->params.cpu, .addr = *daddr, .mtu = mtu, .when = stack->now };

		stack->ops->tell(stack->priv, STACK_CPU_ALL, &msg);
	}
}

void route_shard_msg(struct stack *stack, const struct shard_msg *msg)
{
	path_learn_mtu(stack, &msg->addr, msg->mtu);
}

uint32_t ip_rt_pmtu(struct stack *stack, const struct ipaddr *daddr, uint32_t dev_mtu)
{
	const struct path *p = path_lookup(stack, daddr);

	if (!p || !p->mtu || p->mtu >= dev_mtu)
		return dev_mtu;
	if (p->mtu_expires <= stack->now)
		return dev_mtu;
	return p->mtu;
}

void ip_rt_redirect(struct stack *stack, const struct ipaddr *daddr, const struct ipaddr *gateway, const struct ipaddr *from, struct net_device *dev)
{
	struct flowi fl = { .daddr = *daddr };
	struct fib_result res;
	struct path *p;

	if (!dev->conf->v4.accept_redirects || dev->conf->v4.forwarding)
		return;
	/* RFC 1122 3.2.2.2: from the present first hop, to a neighbour on the same link */
	if (inet_addr_type(stack->snap, gateway) != RTN_UNICAST || ipv4_is_zeronet(gateway->v4) || ipv4_is_loopback(gateway->v4))
		return;
	if (fib_lookup(stack->snap, &fl, &res) < 0 || res.type != RTN_UNICAST || res.nh->ifindex != dev->ifindex || !res.nh->gateway.family)
		return;
	p = path_lookup(stack, daddr);
	if (!ipaddr_equal(&res.nh->gateway, from) && !(p && ipaddr_equal(&p->gateway, from)))
		return;
	fl.daddr = *gateway;
	if (fib_lookup(stack->snap, &fl, &res) < 0 || res.type != RTN_UNICAST || res.nh->ifindex != dev->ifindex || res.nh->gateway.family)
		return;
	p = path_get(stack, daddr);
	if (!p)
		return;
	p->gateway = *gateway;
	p->gw_ifindex = dev->ifindex;
	p->gw_expires = stack->now + stack->sysctl->ip_mtu_expires * NSEC_PER_SEC;
	timer_reduce(stack, &stack->route->expire, p->gw_expires);
	stack->route->bumps++;
}

/* ---- input ----------------------------------------------------------------------------------------------------------- */

/*
 * May saddr come in by dev? SKB_CONSUMED: yes. on_link, if wanted: it is a neighbour there. A cheap answer needs only the local
 * table; the way back is looked up when rp_filter or a redirect asks for it.
 */
static enum skb_drop_reason validate_source(struct stack *stack, be32 saddr, struct net_device *dev, uint8_t tos, bool *on_link)
{
	struct ipaddr src = ipaddr_v4(saddr);
	struct flowi fl;
	struct fib_result res;

	if (inet_addr_type(stack->snap, &src) != RTN_UNICAST) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_MARTIAN_SOURCE;
	}
	if (!dev->conf->v4.rp_filter && !on_link)
		return SKB_CONSUMED;
	memset(&fl, 0, sizeof(fl));
	fl.daddr = src;
	fl.tos = tos;
	if (fib_lookup(stack->snap, &fl, &res) < 0 || res.type != RTN_UNICAST) {
		if (!dev->conf->v4.rp_filter)
			return SKB_CONSUMED;
		goto filtered;
	}
	if (on_link)
		*on_link = res.nh->ifindex == dev->ifindex && !res.nh->gateway.family;
	if (dev->conf->v4.rp_filter == 1 && res.nh->ifindex != dev->ifindex)
		goto filtered;
	return SKB_CONSUMED;

filtered:
	STACK_MIB_INC(stack, TcpExt_IPReversePathFilter);
	return SKB_DROP_IP_RPFILTER;
}

/* No way for a received packet: says so as a router has to, unless we are none. RFC 1812 4.3.3.1, 5.2.7.1 */
static enum skb_drop_reason input_refused(struct stack *stack, struct sk_buff *skb, const struct net_device *dev, int err)
{
	enum skb_drop_reason reason;
	uint8_t code;

	if (!dev->conf->v4.forwarding) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_FORWARDING_OFF;
	}
	switch (err) {
	case -ENETUNREACH:
		STACK_MIB_INC(stack, IpExt_InNoRoutes);
		code = ICMP_NET_UNREACH;
		reason = SKB_DROP_IP_INNOROUTES;
		break;
	case -EHOSTUNREACH:
		code = ICMP_HOST_UNREACH;
		reason = SKB_DROP_IP_UNREACHABLE;
		break;
	case -EACCES:
		code = ICMP_PKT_FILTERED;
		reason = SKB_DROP_IP_PROHIBIT;
		break;
	default:
		return SKB_DROP_IP_BLACKHOLE;
	}
	/* an error about a datagram that asks more than one host, or came as a link-layer broadcast, is never sent: icmp_send sees to it */
	icmp_send(stack, skb, ICMP_DEST_UNREACH, code, 0);
	return reason;
}

static void input_local(struct skb_route *rt, struct net_device *dev, be32 daddr, uint8_t type)
{
	rt->dev = dev;
	rt->nexthop = ipaddr_v4(daddr);
	rt->mtu = dev_mtu(dev);
	rt->type = type;
	rt->flags = RT_F_INPUT | RT_F_LOCAL;
	if (type == RTN_BROADCAST)
		rt->flags |= RT_F_BROADCAST;
	else if (type == RTN_MULTICAST)
		rt->flags |= RT_F_MULTICAST;
}

/* Group addresses: only the group of all hosts, of which everybody is a member (RFC 1112 4). */
static enum skb_drop_reason input_multicast(struct stack *stack, struct skb_route *rt, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev)
{
	enum skb_drop_reason r;

	if (be32_to_cpu(daddr) != 0xe0000001u)
		return SKB_DROP_IP_MULTICAST;
	if (ipv4_is_zeronet(saddr) || (ipv4_is_loopback(saddr) && !dev_is_loopback(dev)))
		return SKB_DROP_IP_INVALID_SOURCE;
	if (!dev_is_loopback(dev) && (r = validate_source(stack, saddr, dev, tos, NULL)) != SKB_CONSUMED)
		return r;
	input_local(rt, dev, daddr, RTN_MULTICAST);
	return SKB_CONSUMED;
}

static enum skb_drop_reason input_broadcast(struct stack *stack, struct skb_route *rt, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev)
{
	enum skb_drop_reason r;

	if (saddr) { /* 0.0.0.0 is a host that does not know its address yet (RFC 1122 3.2.1.3) */
		if (ipv4_is_zeronet(saddr))
			return SKB_DROP_IP_INVALID_SOURCE;
		if (!dev_is_loopback(dev) && (r = validate_source(stack, saddr, dev, tos, NULL)) != SKB_CONSUMED)
			return r;
	}
	input_local(rt, dev, daddr, RTN_BROADCAST);
	return SKB_CONSUMED;
}

static enum skb_drop_reason input_forward(struct stack *stack, struct sk_buff *skb, const struct fib_nexthop_info *nh, be32 daddr, be32 saddr, uint8_t tos,
					  struct net_device *dev)
{
	struct net_device *out = dev_get_by_index(stack, nh->ifindex);
	struct skb_route *rt = &skb->rt;
	bool on_link = false, redirect;
	enum skb_drop_reason r;

	if (!out || !dev_up(out))
		return input_refused(stack, skb, dev, -EHOSTUNREACH);
	redirect = out == dev && dev->conf->v4.send_redirects;
	r = validate_source(stack, saddr, dev, tos, redirect ? &on_link : NULL);
	if (r != SKB_CONSUMED)
		return r;
	rt->dev = out;
	rt->nexthop = nh->gateway.family ? nh->gateway : ipaddr_v4(daddr);
	rt->mtu = nh->mtu && nh->mtu < dev_mtu(out) ? nh->mtu : dev_mtu(out);
	rt->type = RTN_UNICAST;
	rt->flags = RT_F_INPUT | (nh->gateway.family ? RT_F_GATEWAY : 0) | (on_link ? RT_F_DOREDIRECT : 0);
	if (stack->sysctl->ip_forward_use_pmtu) {
		struct ipaddr dst = ipaddr_v4(daddr);
		uint32_t mtu = ip_rt_pmtu(stack, &dst, rt->mtu);

		if (mtu < rt->mtu) {
			rt->mtu = mtu;
			rt->flags |= RT_F_PMTU;
		}
	}
	return SKB_CONSUMED;
}

static enum skb_drop_reason route_input_slow(struct stack *stack, struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev)
{
	bool lo = dev_is_loopback(dev);
	enum skb_drop_reason r;
	struct fib_result res;
	struct flowi fl;
	int err;

	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr)) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_INVALID_SOURCE;
	}
	if (ipv4_is_multicast(daddr))
		return input_multicast(stack, &skb->rt, daddr, saddr, tos, dev);
	if (ipv4_is_lbcast(daddr) || (!saddr && !daddr))
		return input_broadcast(stack, &skb->rt, daddr, saddr, tos, dev);
	if (ipv4_is_zeronet(saddr)) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_INVALID_SOURCE;
	}
	if (ipv4_is_zeronet(daddr)) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_INVALID_DEST;
	}
	if (!lo && !dev->conf->v4.route_localnet && (ipv4_is_loopback(daddr) || ipv4_is_loopback(saddr))) {
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_LOCALNET;
	}
	memset(&fl, 0, sizeof(fl));
	fl.daddr = ipaddr_v4(daddr);
	fl.saddr = ipaddr_v4(saddr);
	fl.iif = dev->ifindex;
	fl.tos = tos;
	fl.mark = skb->mark;
	err = fib_lookup(stack->snap, &fl, &res);
	if (err < 0)
		return input_refused(stack, skb, dev, err);
	switch (res.type) {
	case RTN_LOCAL:
		if (!lo && (r = validate_source(stack, saddr, dev, tos, NULL)) != SKB_CONSUMED)
			return r;
		input_local(&skb->rt, dev, daddr, RTN_LOCAL);
		return SKB_CONSUMED;
	case RTN_BROADCAST:
		/* a directed broadcast of another link (RFC 2644: only where that was asked for) */
		if (dev->conf->v4.bc_forwarding && dev->conf->v4.forwarding && !lo && res.nh->ifindex != dev->ifindex) {
			r = input_forward(stack, skb, res.nh, daddr, saddr, tos, dev);
			skb->rt.type = RTN_BROADCAST;
			return r;
		}
		return input_broadcast(stack, &skb->rt, daddr, saddr, tos, dev);
	case RTN_UNICAST:
		if (!dev->conf->v4.forwarding || lo)
			return input_refused(stack, skb, dev, -EHOSTUNREACH);
		return input_forward(stack, skb, res.nh, daddr, saddr, tos, dev);
	default:
		STACK_MIB_INC(stack, Ip_InAddrErrors);
		return SKB_DROP_IP_INVALID_DEST;
	}
}

/* log_martians. What is told is one packet a second: a flood of them must not become one of log lines. */
static void input_martian(struct stack *stack, const struct sk_buff *skb, be32 daddr, be32 saddr, const struct net_device *dev, enum skb_drop_reason why)
{
	struct stack_event ev = { .type = STACK_EV_MARTIAN, .ifindex = dev->ifindex, .addr = ipaddr_v4(saddr), .daddr = ipaddr_v4(daddr) };

	if (why != SKB_DROP_IP_MARTIAN_SOURCE && why != SKB_DROP_IP_INVALID_SOURCE && why != SKB_DROP_IP_INVALID_DEST && why != SKB_DROP_IP_LOCALNET &&
	    why != SKB_DROP_IP_RPFILTER)
		return;
	if (stack->now < stack->route->martian_next)
		return;
	stack->route->martian_next = stack->now + MARTIAN_INTERVAL;
	if (skb->mac_header != SKB_NO_HEADER && skb->mac_header + ETH_HLEN == skb->network_header)
		ev.lladdr = ((const struct eth_hdr *)(const void *)skb_mac_header(skb))->h_source;
	stack_notify(stack, &ev);
}

static inline struct rt_cache_entry *rt_cache_slot(struct route_state *rs, be32 daddr, be32 saddr, const struct net_device *dev)
{
	uint64_t h = (daddr ^ ((uint64_t)saddr << 32)) * rs->key[0] + (uint32_t)dev->ifindex * rs->key[1];

	return &rs->cache[h >> (64 - RT_CACHE_BITS)];
}

/* What was learned about paths does not touch it: no ICMP message can make the cache cold. */
static inline uint32_t rt_cache_genid(const struct stack *stack)
{
	return (uint32_t)stack->snap->version + 1;
}

static __attribute__((noinline)) enum skb_drop_reason route_input_miss(struct stack *stack, struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev)
{
	enum skb_drop_reason r;

	r = route_input_slow(stack, skb, daddr, saddr, tos, dev);
	if (unlikely(r != SKB_CONSUMED && dev->conf->v4.log_martians))
		input_martian(stack, skb, daddr, saddr, dev, r);
	/* a learned MTU expires by itself, so it is asked for each time */
	if (r == SKB_CONSUMED && !skb->mark && !stack->sysctl->ip_forward_use_pmtu)
		*rt_cache_slot(stack->route, daddr, saddr, dev) =
			(struct rt_cache_entry){ .daddr = daddr, .saddr = saddr, .iif = dev->ifindex, .genid = rt_cache_genid(stack), .tos = tos, .rt = skb->rt };
	return r;
}

enum skb_drop_reason ip_route_input(struct stack *stack, struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev)
{
	const struct rt_cache_entry *e = rt_cache_slot(stack->route, daddr, saddr, dev);

	if (unlikely((e->genid ^ rt_cache_genid(stack)) | (e->daddr ^ daddr) | (e->saddr ^ saddr) | (uint32_t)(e->iif ^ dev->ifindex) | (uint32_t)(e->tos ^ tos) | skb->mark))
		return route_input_miss(stack, skb, daddr, saddr, tos, dev);
	skb->rt = e->rt;
	return SKB_CONSUMED;
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

/* RFC 1122 3.2.1.3 (g): 127.0.0.0/8 stays inside, unless route_localnet says otherwise. */
static bool output_loopback_leaves(const struct flowi *fl, const struct net_device *dev)
{
	return unlikely(ipv4_is_loopback(fl->saddr.v4)) && !dev_is_loopback(dev) && !dev->conf->v4.route_localnet;
}

/* The device on which daddr is taken to be directly reachable: group addresses, and destinations without a route when the device was given. */
static int output_onlink(struct stack *stack, struct flowi *fl, struct net_device *dev, struct skb_route *rt)
{
	if (!dev || !dev_up(dev))
		return -ENETUNREACH;
	if (output_loopback_leaves(fl, dev))
		return -EINVAL;
	if (ipaddr_is_any(&fl->saddr))
		fl->saddr = inet_select_addr(stack->snap, dev->ifindex, &fl->daddr, RT_SCOPE_LINK);
	rt->dev = dev;
	rt->nexthop = fl->daddr;
	rt->mtu = dev_mtu(dev);
	rt->flags = 0;
	rt->type = RTN_UNICAST;
	if (ipv4_is_multicast(fl->daddr.v4)) {
		rt->type = RTN_MULTICAST;
		rt->flags = RT_F_MULTICAST;
	} else if (ipv4_is_lbcast(fl->daddr.v4)) {
		rt->type = RTN_BROADCAST;
		rt->flags = RT_F_BROADCAST;
	}
	return 0;
}

/* The device that has this address; NULL: none. */
static struct net_device *dev_of_addr(const struct stack *stack, const struct ipaddr *addr)
{
	struct net_device *dev;

	list_for_each(dev, &stack->devs, struct net_device, node) {
		for (unsigned i = 0; i < dev->naddrs; i++) {
			if (ipaddr_equal(&dev->addrs[i].local.addr, addr))
				return dev;
		}
	}
	return NULL;
}

static int output_local(struct stack *stack, struct flowi *fl, const struct fib_nexthop_info *nh, struct skb_route *rt)
{
	struct net_device *lo = dev_get_by_index(stack, 1);

	if (!lo || !dev_up(lo))
		return -ENETDOWN;
	if (ipaddr_is_any(&fl->saddr))
		fl->saddr = nh->prefsrc.family ? nh->prefsrc : fl->daddr;
	*rt = (struct skb_route){ .dev = lo, .nexthop = fl->daddr, .mtu = dev_mtu(lo), .type = RTN_LOCAL, .flags = RT_F_LOCAL };
	return 0;
}

/* What was learned about the way: a smaller MTU, another first hop. */
static void output_learned(struct stack *stack, const struct ipaddr *daddr, struct skb_route *rt)
{
	const struct path *p = path_lookup(stack, daddr);

	if (!p)
		return;
	if (p->mtu && p->mtu < rt->mtu && p->mtu_expires > stack->now) {
		rt->mtu = p->mtu;
		rt->flags |= RT_F_PMTU | (p->mtu_lock ? RT_F_MTU_LOCK : 0);
	}
	if (p->gateway.family && p->gw_expires > stack->now && p->gw_ifindex == rt->dev->ifindex && rt->flags & RT_F_GATEWAY)
		rt->nexthop = p->gateway;
}

/* RFC 1122 3.2.1.3: what may stand as our source. */
static int output_check_source(struct stack *stack, const struct flowi *fl)
{
	be32 s = fl->saddr.v4;

	if (ipv4_is_multicast(s) || ipv4_is_lbcast(s) || ipv4_is_zeronet(s))
		return -EINVAL;
	if (!fl->anysrc && inet_addr_type(stack->snap, &fl->saddr) != RTN_LOCAL)
		return -EINVAL;
	return 0;
}

static int output_via(struct stack *stack, struct flowi *fl, const struct fib_result *res, struct skb_route *rt)
{
	const struct fib_nexthop_info *nh = res->nh;
	struct net_device *dev = dev_get_by_index(stack, nh->ifindex);

	if (!dev)
		return -ENETUNREACH;
	if (!dev_up(dev))
		return -ENETDOWN;
	if (output_loopback_leaves(fl, dev))
		return -EINVAL;
	if (ipaddr_is_any(&fl->saddr)) {
		if (nh->prefsrc.family)
			fl->saddr = nh->prefsrc;
		else
			fl->saddr = inet_select_addr(stack->snap, nh->ifindex, nh->gateway.family ? &nh->gateway : &fl->daddr, nh->scope);
	}
	rt->dev = dev;
	rt->mtu = nh->mtu && nh->mtu < dev_mtu(dev) ? nh->mtu : dev_mtu(dev);
	rt->type = res->type;
	rt->flags = 0;
	rt->nexthop = fl->daddr;
	if (res->type == RTN_BROADCAST) {
		rt->flags = RT_F_BROADCAST;
	} else if (ipv4_is_multicast(fl->daddr.v4)) {
		rt->type = RTN_MULTICAST;
		rt->flags = RT_F_MULTICAST;
	} else if (nh->gateway.family) {
		rt->nexthop = nh->gateway;
		rt->flags = RT_F_GATEWAY;
	}
	output_learned(stack, &fl->daddr, rt);
	return 0;
}

int ip_route_output(struct stack *stack, struct flowi *fl, struct skb_route *rt)
{
	struct net_device *oif = NULL;
	struct fib_result res;
	bool group;
	int err;

	if (!stack->snap)
		return -ENETUNREACH;
	if (fl->daddr.family && fl->daddr.family != 2)
		return -EAFNOSUPPORT;
	if (!ipaddr_is_any(&fl->saddr)) {
		err = output_check_source(stack, fl);
		if (err < 0)
			return err;
	}
	if (ipaddr_is_any(&fl->daddr)) /* "this host", as on Linux */
		fl->daddr = ipaddr_is_any(&fl->saddr) ? ipaddr_v4(cpu_to_be32(0x7f000001u)) : fl->saddr;
	group = ipv4_is_multicast(fl->daddr.v4) || ipv4_is_lbcast(fl->daddr.v4);
	if (fl->oif) {
		oif = dev_get_by_index(stack, fl->oif);
		if (!oif)
			return -ENODEV;
		if (!dev_up(oif))
			return -ENETUNREACH;
	} else if (group && !ipaddr_is_any(&fl->saddr)) {
		oif = dev_of_addr(stack, &fl->saddr);
	}
	if (group && oif)
		return output_onlink(stack, fl, oif, rt);
	err = fib_lookup(stack->snap, fl, &res);
	if (err == -ENETUNREACH && oif)
		return output_onlink(stack, fl, oif, rt); /* the caller knows better than the table, as on Linux */
	if (err < 0)
		return err;
	if (res.type == RTN_LOCAL)
		return output_local(stack, fl, res.nh, rt);
	if (res.type != RTN_UNICAST && res.type != RTN_BROADCAST && res.type != RTN_MULTICAST)
		return -EINVAL;
	return output_via(stack, fl, &res, rt);
}

/* ---- identification ---------------------------------------------------------------------------------------------------- */

/*
 * A counter per bucket of (source, destination, protocol), so that an observer of one flow learns nothing of others; it advances by a random step
 * for the time that has passed, so that it cannot be used to count what we send to a third party. Each flow sees the counter at
 * an offset of its own. Shards take every ncpu-th value: flows of one key may live on several.
 */
uint16_t ip_ident_reserve(struct stack *stack, be32 saddr, be32 daddr, uint8_t proto, unsigned n)
{
	struct { be32 saddr, daddr; uint32_t proto; } key = { saddr, daddr, proto };
	uint64_t h = siphash(&stack->ipid_key, &key, sizeof(key));
	struct ident *id = &stack->route->idents[h % IDENT_BUCKETS];
	uint32_t now = (uint32_t)(stack->now / NSEC_PER_MSEC), delta = now - id->stamp, first;

	if (delta) {
		id->stamp = now;
		id->next += rng_below(&stack->rng, delta < 4096 ? delta : 4096);
	}
	first = id->next;
	id->next += n;
	return (uint16_t)((h >> 32) + first * stack->params.ncpu + stack->params.cpu);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

int route_init(struct stack *stack)
{
	struct route_state *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return -ENOMEM;
	list_init(&rs->lru);
	timer_init(&rs->expire, path_expire);
	rng_bytes(&stack->rng, rs->idents, sizeof(rs->idents));
	rs->key[0] = rng_u64(&stack->rng) | 1;
	rs->key[1] = rng_u64(&stack->rng) | 1;
	stack->route = rs;
	return 0;
}

void route_exit(struct stack *stack)
{
	struct route_state *rs = stack->route;

	if (!rs)
		return;
	timer_del(stack, &rs->expire);
	while (!list_empty(&rs->lru))
		path_free(rs, list_first(&rs->lru, struct path, lru));
	free(rs);
	stack->route = NULL;
}
