/* SPDX-License-Identifier: MIT */
/*
 * netcfg.h: the configuration of a namespace: links, addresses, routes, permanent neighbours, sysctls.
 *
 * Theory of operation. One thread (the control thread, or the embedder) owns a struct netcfg and changes it with the calls
 * below, which validate everything and refuse what makes no sense. netcfg_commit makes an immutable struct net_snapshot of
 * the present state, which the owner hands to every shard (stack_apply). Snapshots share all that did not change; the
 * FIB is a persistent trie of which a change copies one path only. When every shard has applied version N, the owner calls
 * netcfg_reclaim(cfg, N) and what only older versions needed is freed. No locks, no reference counts on the read side.
 *
 * Side effects follow Linux: an address adds its local and broadcast routes (table local) and the connected route (table main);
 * a link that goes down loses its routes in main but keeps its addresses, and gets the connected routes back when it comes up.
 */
#ifndef NETSTACK_NETCFG_H
#define NETSTACK_NETCFG_H

#include <linux/rtnetlink.h> /* RTN_*, RT_SCOPE_*, RT_TABLE_*, RTPROT_*, RTNH_F_*, NUD_*: constants only */
#include <netstack/rss.h>
#include <netstack/types.h>

struct netcfg;
struct net_snapshot;

/* Why a change was refused, for people. */
struct netcfg_err {
	char text[160]; /* one sentence without a full stop, empty if none */
};

enum link_type {
	LINK_LOOPBACK, LINK_TAP,
	LINK_VIRTUAL, /* frames through ops->xmit and stack_rx, no driver: tests, embedding */
	LINK_DUMMY, LINK_VETH, LINK_VLAN, LINK_BRIDGE, /* made of nothing but the stack */
};

/* IFF_* as in <linux/if.h>; only these are meaningful. */
#define NS_IFF_UP        0x1u
#define NS_IFF_BROADCAST 0x2u
#define NS_IFF_LOOPBACK  0x8u
#define NS_IFF_NOARP     0x80u
#define NS_IFF_PROMISC   0x100u
#define NS_IFF_ALLMULTI  0x200u
#define NS_IFF_MULTICAST 0x1000u

struct ipv4_devconf { /* net.ipv4.conf.DEV.*; effective values, "all" already merged in as Linux does */
	uint8_t forwarding, rp_filter, accept_source_route, accept_redirects, send_redirects, log_martians, proxy_arp;
	uint8_t arp_ignore, arp_announce, arp_accept, arp_filter, arp_notify, route_localnet, bc_forwarding;
};

struct link_rss { /* rss.h: in place of the even spread of rps_cpus, while that is not given */
	uint8_t set; /* 0: none */
	uint8_t key[RSS_KEY_LEN], indir[RSS_INDIR_LEN]; /* indir: shards, modulo their number */
};

struct link_conf {
	int             ifindex; /* > 0; stable for the life of the link; lo is 1 */
	char            name[NS_IFNAMSIZ];
	enum link_type  type;
	uint32_t        flags; /* NS_IFF_* */
	uint32_t        mtu; /* 68 to 65520; lo 65536 */
	uint32_t        txqlen; /* frames; default 1000 */
	struct eth_addr addr;
	uint8_t         carrier; /* 0: no cable */
	uint16_t        queues; /* of the device; 1 or more */
	uint32_t        features; /* LINK_F_*: what the driver below offers and is switched on */
	int             link; /* IFLA_LINK: the device below a VLAN, the other end of a veth pair; 0: none */
	uint32_t        link_netns; /* the network namespace that link is in; only a veth's may differ from our own */
	int             master; /* the bridge that it is a port of; 0: none */
	uint16_t        vlan_proto, vlan_id; /* LINK_VLAN: ETH_P_8021Q or ETH_P_8021AD, and 0 to 4094 */
	uint8_t         vlan_ingress[8]; /* LINK_VLAN: priority (0 to 15) of a frame that comes in with this PCP */
	uint8_t         vlan_egress[16]; /* LINK_VLAN: PCP (0 to 7) of a frame of this priority that goes out */
	uint8_t         own; /* LINK_OWN_*: what was set by hand and does not follow from other links */
	uint8_t         port_flags; /* LINK_PORT_*, while master is not 0 */
	uint32_t        ageing_time; /* LINK_BRIDGE: hundredths of a second after which a station that was not heard is forgotten; default 30000 */
	uint32_t        fdb_max_learned; /* LINK_BRIDGE: stations learned by each shard; default 8192 */
	uint8_t         rps_set; /* rps_cpus was given; else a device with fewer queues than there are shards uses all, any other none */
	uint64_t        rps_cpus; /* shards among which its forwarded flows are spread, bit 0 the first; none: who receives a frame forwards it */
	uint32_t        rps_flow_cnt; /* how many bundles of flows are told apart when that changes; 0: 128 */
	struct link_rss rss;
	uint32_t        gen; /* changes whenever anything of this link does */
	char            host_name[NS_IFNAMSIZ]; /* LINK_TAP: the host's end; set by the daemon, opaque here */
	struct ipprefix host_addr;
	struct ipv4_devconf v4;
};

enum {
	LINK_F_TX_CSUM = 1, LINK_F_TSO4 = 2, LINK_F_TSO6 = 4, LINK_F_USO = 8, LINK_F_RX_CSUM = 16,
	LINK_F_GRO = 32, /* the stack merges what a poll brings (gro.c); nothing that a driver must know */
	LINK_F_UDP_GRO_FWD = 64, /* with it also UDP that no local socket asked to be merged (rx-udp-gro-forwarding) */
};

enum { LINK_OWN_MTU = 1, LINK_OWN_ADDR = 2 };
enum { LINK_PORT_LEARNING = 1, LINK_PORT_FLOOD = 2, LINK_PORT_MCAST_FLOOD = 4, LINK_PORT_BCAST_FLOOD = 8, LINK_PORT_HAIRPIN = 16, LINK_PORT_ISOLATED = 32 };
#define LINK_PORT_DEFAULT (LINK_PORT_LEARNING | LINK_PORT_FLOOD | LINK_PORT_MCAST_FLOOD | LINK_PORT_BCAST_FLOOD)
#define LINK_AGEING_DEFAULT 30000u /* IEEE 802.1Q table 8-6 */
#define LINK_FDB_MAX_DEFAULT 8192u

struct addr_conf {
	int             ifindex;
	struct ipprefix local; /* the address, and the length of its network */
	struct ipaddr   broadcast; /* AF_UNSPEC: none */
	uint8_t         scope; /* RT_SCOPE_* */
	uint8_t         secondary; /* not the first of its network */
	char            label[NS_IFNAMSIZ];
};


struct route_conf {
	struct ipprefix dst; /* len 0: default */
	struct ipaddr   gateway; /* AF_UNSPEC: on the link */
	struct ipaddr   prefsrc; /* AF_UNSPEC: chosen by the device and scope */
	int             ifindex; /* 0: from the gateway (only when adding), or a type that needs no device */
	uint32_t        metric; /* RTA_PRIORITY; lower wins */
	uint32_t        table; /* RT_TABLE_*, 0 means main; local for the types local, broadcast and anycast */
	uint32_t        mtu; /* 0: the device's */
	uint32_t        advmss; /* 0: from the MTU */
	uint8_t         type; /* RTN_*, 0 means unicast */
	uint8_t         scope; /* RT_SCOPE_*; RT_SCOPE_UNIVERSE with no gateway becomes link */
	uint8_t         protocol; /* RTPROT_* */
	uint8_t         tos;
	uint8_t         flags; /* RTNH_F_ONLINK 4 */
};

struct neigh_conf { /* permanent */
	int             ifindex;
	struct ipaddr   addr;
	struct eth_addr lladdr;
};

/* The configuration of another namespace of this process, owned by the same thread; NULL: there is none. */
typedef struct netcfg *netcfg_find_netns(void *arg, uint32_t netns);
struct fdb_conf { /* where a station is, as an administrator says */
	int             ifindex; /* the bridge's port; the bridge itself with local set */
	struct eth_addr lladdr;
	uint8_t         local; /* frames to it are for this host ("permanent" to bridge(8)); 0: they leave by the port ("static") */
};

struct netcfg *netcfg_new(void); /* with lo (127.0.0.1/8) present and up, sysctls at their defaults; NULL: no memory */
void netcfg_free(struct netcfg *cfg); /* after every stack that uses it */
/* Which namespace this is (stack_params.netns; 0 if never said), and how to come by the others, for veth pairs between two. With a pair, calls on one end change the
 * configuration of the other end's namespace too: commit, begin and roll back both. */
void netcfg_set_netns(struct netcfg *cfg, uint32_t netns, netcfg_find_netns *find, void *arg);
bool netcfg_changed(const struct netcfg *cfg); /* since the last commit */
/* Every call returns 0 or -errno; err may be NULL. -EEXIST, -ENOENT / -ENODEV / -ESRCH, -EINVAL, -ENETUNREACH, -ENOMEM as rtnetlink does. */

/* params: name, type; a VLAN's link, vlan_proto (0: 802.1Q) and vlan_id; mtu, txqlen, queues 0 for the default; addr all zero for a locally administered one made from seed; flags that can be set
 * (NS_IFF_UP ...), features, host_*. A new link has carrier, a VLAN its lower link's, a bridge none. -EEXIST (also: a VLAN of that link, protocol and ID), -EINVAL (name,
 * MTU, queues), -ERANGE (VLAN ID; an MTU above the lower link's), -EADDRNOTAVAIL (MAC address), -EMLINK (eight links on top of each other), -EOPNOTSUPP (a second loopback;
 * a VLAN over lo; a veth: netcfg_veth_add). */
int netcfg_link_add(struct netcfg *cfg, const struct link_conf *params, uint64_t seed, int *ret_ifindex, struct netcfg_err *err);
/* A veth pair, which is the only way to make one: params in cfg, peer in the namespace params->link_netns (the same one: give its own number). link and the peer's
 * link_netns are filled in here. Also -ENODEV (no such namespace). Carrier: both ends are up. */
int netcfg_veth_add(struct netcfg *cfg, const struct link_conf *params, const struct link_conf *peer, uint64_t seed, int *ret_ifindex, int *ret_peer,
		    struct netcfg_err *err);
/* Its addresses, routes, neighbours too; the twin of a veth; VLANs above it; a bridge's ports become free. */
int netcfg_link_del(struct netcfg *cfg, int ifindex, struct netcfg_err *err);
/* A dummy or an end of a veth pair becomes one of another namespace, as IFLA_NET_NS does it: switched off, without addresses, routes, neighbours, VLANs and master, with
 * a number of that namespace; a pair stays one. -ENODEV (no such link or namespace), -EEXIST (its name is taken there), -EOPNOTSUPP (of another type). */
int netcfg_link_move(struct netcfg *cfg, int ifindex, uint32_t netns, int *ret_ifindex, struct netcfg_err *err);
/* Another name, as IFLA_IFNAME gives it to a link that is up or down; labels of its addresses that begin with the old one follow. -ENODEV, -EINVAL (no name for a link),
 * -EEXIST, -EOPNOTSUPP (lo). */
int netcfg_link_rename(struct netcfg *cfg, int ifindex, const char *name, struct netcfg_err *err);
/* Replaces flags, mtu, txqlen, addr, features, rps_*, rss, host_*, own, master, port_flags, ageing_time, fdb_max_learned, VLAN maps; name, type, queues and what it stands on stay.
 * An MTU or an address that differs from what was is own from now on, unless own differs too. A new master (-EINVAL: no bridge; -ELOOP; -EMLINK) gives default port_flags and takes the static
 * stations of the old one away. */
int netcfg_link_set(struct netcfg *cfg, const struct link_conf *link, struct netcfg_err *err);
/* 0, -ENODEV, or -EOPNOTSUPP: the carrier of a veth, VLAN or bridge follows from other links. */
int netcfg_link_set_carrier(struct netcfg *cfg, int ifindex, bool carrier);
const struct link_conf *netcfg_link_by_name(const struct netcfg *cfg, const char *name); /* NULL: none; valid until the next change */
const struct link_conf *netcfg_link_by_index(const struct netcfg *cfg, int ifindex);

/* secondary is found out here; label empty: the link's name; scope 0 for 127.0.0.0/8 becomes host. replace: an address that is there gets this broadcast and label.
 * -EEXIST, -ENODEV, -EINVAL. */
int netcfg_addr_add(struct netcfg *cfg, const struct addr_conf *addr, bool replace, struct netcfg_err *err);
/* By address, length and, if not empty, label. Secondaries of its network go with a primary one. -EADDRNOTAVAIL: not there. */
int netcfg_addr_del(struct netcfg *cfg, const struct addr_conf *addr, struct netcfg_err *err);
int netcfg_addr_flush(struct netcfg *cfg, int ifindex);

/* -EEXIST (destination, TOS and metric are taken), -ENETUNREACH (the gateway is not on a link), -ENETDOWN, -ENODEV, -EINVAL. */
int netcfg_route_add(struct netcfg *cfg, const struct route_conf *route, bool replace, struct netcfg_err *err);
int netcfg_route_del(struct netcfg *cfg, const struct route_conf *route, struct netcfg_err *err); /* the first match; fields that are 0 match any, but tos; -ESRCH */
/* All but those that addresses made (RTPROT_KERNEL): a host without them reaches nobody, and its addresses stay. */
#define NETCFG_TABLE_ALL UINT32_MAX
int netcfg_route_flush(struct netcfg *cfg, uint32_t table /* 0: main, or NETCFG_TABLE_ALL */, int ifindex /* 0: any */);

/* A permanent neighbour. -ENODEV, -EAFNOSUPPORT (IPv4 only), -EINVAL (lo, or no address that a neighbour can have), -EEXIST (replace changes it), -ENOMEM. */
int netcfg_neigh_add(struct netcfg *cfg, const struct neigh_conf *neigh, bool replace, struct netcfg_err *err);
int netcfg_neigh_del(struct netcfg *cfg, int ifindex, const struct ipaddr *addr); /* 0 or -ENOENT: not a permanent one */

/* -ENODEV, -EINVAL (neither a port nor, with local, a bridge), -EADDRNOTAVAIL (no station's address), -EEXIST (the bridge knows it already; replace moves it). */
int netcfg_fdb_add(struct netcfg *cfg, const struct fdb_conf *fdb, bool replace, struct netcfg_err *err);
int netcfg_fdb_del(struct netcfg *cfg, int ifindex, const struct eth_addr *lladdr); /* 0 or -ENOENT: not a static one there */

/* name as "net.ipv4.ip_forward" (dots or slashes). value is text, checked against the type and range of the table; several numbers for ip_local_port_range,
 * tcp_rmem and tcp_wmem. 0, -ENOENT (no such name) or -EINVAL. */
int netcfg_sysctl_set(struct netcfg *cfg, const char *name, const char *value, struct netcfg_err *err);
int netcfg_sysctl_get(const struct netcfg *cfg, const char *name, char *buf, size_t size); /* length, or -ENOENT */
/* Every name with its value, sorted by name. changed: differs from the default; for a link's own: from net.ipv4.conf.default's. -ENOMEM. */
int netcfg_sysctl_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const char *name, const char *value, bool changed, const char *help), void *arg);

/* fn is called in a stable order until it returns non-zero, which is returned. */
int netcfg_link_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct link_conf *link), void *arg);
int netcfg_addr_foreach(const struct netcfg *cfg, int ifindex /* 0: all */, int (*fn)(void *arg, const struct addr_conf *addr), void *arg);
int netcfg_route_foreach(const struct netcfg *cfg, uint32_t table /* 0: all */, int (*fn)(void *arg, const struct route_conf *route), void *arg);
int netcfg_neigh_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct neigh_conf *neigh), void *arg);
int netcfg_fdb_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const struct fdb_conf *fdb), void *arg);

/* What would be done with a packet: "route get". saddr, iif, tos and mark narrow it; 0 or the errno the lookup gives. */
struct route_query { struct ipaddr daddr, saddr; int iif, oif; uint32_t mark; uint8_t tos; };
int netcfg_route_get(const struct netcfg *cfg, const struct route_query *q, struct route_conf *ret, struct ipaddr *ret_src);

/* Publishing. The snapshot is immutable; version grows by one with each commit that changed something (an unchanged
 * configuration gives the same snapshot again). NULL: no memory, nothing changed. */
const struct net_snapshot *netcfg_commit(struct netcfg *cfg);
uint64_t net_snapshot_version(const struct net_snapshot *snap);
void netcfg_reclaim(struct netcfg *cfg, uint64_t version /* every shard has applied it */);

/* All or nothing: netcfg_begin remembers the state, netcfg_rollback returns to it (nothing between them was committed),
 * netcfg_end forgets it. They do not nest. */
int  netcfg_begin(struct netcfg *cfg); /* 0 or -ENOMEM */
void netcfg_rollback(struct netcfg *cfg);
void netcfg_end(struct netcfg *cfg);

#endif
