/* SPDX-License-Identifier: MIT */
/*
 * netcfg_priv.h: the configuration between its files: netcfg.c (life, snapshots, all-or-nothing), netcfg_link.c, netcfg_addr.c, netcfg_route.c,
 * netcfg_upper.c, netcfg_sysctl.c.
 *
 * The working state is kept in the form in which snapshots show it (view), so that the same lookups serve both. Owner of all of it: the control thread.
 * How a change keeps "out of memory leaves everything as it was": room in the arrays is made first, then the FIB is changed inside a savepoint, then, when
 * nothing can fail any more, the arrays.
 */
#ifndef STACK_NETCFG_PRIV_H
#define STACK_NETCFG_PRIV_H

#include "fib.h"
#include "snapshot.h"

#define LO_IFINDEX 1

struct cfg_link_ext { /* beside each link; not for shards */
	struct ipv4_devconf own; /* net.ipv4.conf.DEV.* as set; link.conf.v4 has what comes out with "all" */
	unsigned            addr_cap, fdb_cap;
	bool                doomed; /* within netcfg_link_del: goes with it */
	struct {
		bool            any, carrier;
		uint32_t        mtu;
		struct eth_addr addr;
	} ports; /* within cfg_upper_update: what a bridge's ports come to */
};

struct snap_links; /* a block shared by the snapshots between which no link changed */
struct snap_neighs;

struct snap {
	struct net_snapshot s; /* first */
	struct fib_table    tables[3];
	struct snap_links  *links;
	struct snap_neighs *neighs;
	struct fib_filter  *filter; /* NULL: none */
	struct snap        *next; /* the next newer one */
};

enum { CFG_LOCAL, CFG_MAIN, CFG_DEFAULT };

struct cfg_save;

struct netcfg {
	struct fib_mem       mem;
	struct net_snapshot  view; /* links, neighs, tables, sysctl: the working state */
	struct snap_link    *links; /* view.links; addrs of each are an array of its own */
	struct cfg_link_ext *ext; /* of the same index */
	unsigned             links_cap;
	struct neigh_conf   *neighs; /* view.neighs, sorted by ifindex and address */
	unsigned             neighs_cap;
	struct ipv4_devconf  all, dflt; /* net.ipv4.conf.all, .default */
	struct fib_table   **tables; /* CFG_LOCAL, CFG_MAIN, CFG_DEFAULT, then others in order of creation */
	size_t               ntables, tables_cap;
	int                  next_ifindex;
	uint32_t             gen;
	uint32_t             netns; /* our number */
	netcfg_find_netns   *find_netns; /* NULL: we are the only one */
	void                *find_arg;
	bool                 dirty, links_dirty, neighs_dirty; /* since the newest snapshot */
	struct snap         *oldest, *newest;
	struct cfg_save     *save; /* between begin and end */
};

/* Writes the sentence, if wanted, and returns code. */
int  cfg_err(struct netcfg_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static inline void cfg_err_clear(struct netcfg_err *err)
{
	if (err)
		err->text[0] = '\0';
}
static inline int cfg_nomem(struct netcfg_err *err) { return cfg_err(err, -12 /* -ENOMEM */, "out of memory"); }

#define CFG_ADDR_TEXT 48
const char *cfg_addr_text(const struct ipaddr *addr, char buf[CFG_ADDR_TEXT]);
const char *cfg_prefix_text(const struct ipprefix *prefix, char buf[CFG_ADDR_TEXT]);

/* The prefix with the bits beyond its length cleared. */
struct ipprefix cfg_network(const struct ipprefix *p);
bool cfg_prefix_has(const struct ipprefix *net, const struct ipaddr *addr);

/* An index into cfg->links, or -1. */
int  cfg_link_index(const struct netcfg *cfg, int ifindex);
static inline struct fdb_conf *cfg_fdb(const struct netcfg *cfg, unsigned link) { return (struct fdb_conf *)(uintptr_t)cfg->links[link].fdb; }
static inline struct addr_conf *cfg_addrs(const struct netcfg *cfg, unsigned link) { return (struct addr_conf *)(uintptr_t)cfg->links[link].addrs; }
/* Makes room for one element more: 0 or -ENOMEM. */
int  cfg_reserve(struct netcfg *cfg, void **array, unsigned n, unsigned *cap, size_t size);
static inline void cfg_touch(struct netcfg *cfg) { cfg->dirty = true; }
void cfg_touch_link(struct netcfg *cfg, unsigned link);

/* What a change of the FIB needs to be undone. Taken by value on the stack of the call that changes. */
struct cfg_fib_save {
	struct fib_savepoint sp;
	struct fib_table     saved[3];
	struct fib_table    *more; /* tables beyond the fixed three */
	size_t               n;
};
int  cfg_fib_save(struct netcfg *cfg, struct cfg_fib_save *s); /* 0 or -ENOMEM */
void cfg_fib_keep(struct netcfg *cfg, struct cfg_fib_save *s);
void cfg_fib_undo(struct netcfg *cfg, struct cfg_fib_save *s);

/* What a device without a driver can do: everything, as nothing has to be done. */
#define CFG_SOFT_FEATURES (LINK_F_TX_CSUM | LINK_F_RX_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO)

#define CFG_MTU_DEFAULT 1500
#define CFG_8021Q   0x8100 /* EtherTypes of the tags: IEEE 802.1Q table 9-1 */
#define CFG_8021AD  0x88a8

/* netcfg_link.c */
int  cfg_link_check(const struct netcfg *cfg, const struct link_conf *params, struct netcfg_err *err); /* what every new link must fulfil */
int  cfg_check_station(const struct eth_addr *a, struct netcfg_err *err); /* unicast and not zero */
int  cfg_links_reserve(struct netcfg *cfg, unsigned more); /* room for so many more: 0 or -ENOMEM */
unsigned cfg_link_insert(struct netcfg *cfg, const struct link_conf *params, uint64_t seed); /* after these two; its place */
/* netcfg_upper.c: links made of other links */
void cfg_links_doom(struct netcfg *cfg, int ifindex); /* marks what goes when this link goes */
struct netcfg *cfg_doomed_other(struct netcfg *cfg); /* the other configuration in which links are marked, or NULL */
int  cfg_upper_check(const struct netcfg *cfg, const struct link_conf *params, struct netcfg_err *err); /* a new VLAN or bridge */
int  cfg_master_check(const struct netcfg *cfg, unsigned link, int master, struct netcfg_err *err);
int  cfg_upper_mtu_check(const struct netcfg *cfg, const struct link_conf *link, struct netcfg_err *err);
void cfg_fdb_clear(struct netcfg *cfg, unsigned link);
void cfg_upper_update(struct netcfg *cfg); /* carriers, and inherited MTUs and addresses, anew; in the namespaces of veth twins too */
bool cfg_carrier_follows(enum link_type type); /* from other links: nobody sets it */

/* netcfg_addr.c: routes that follow from addresses. Inside a cfg_fib_save. */
int  cfg_addr_routes_add(struct netcfg *cfg, unsigned link, const struct addr_conf *addr);
/* netcfg_route.c. Inside a cfg_fib_save: 0 or -ENOMEM. */
int  cfg_routes_drop_dev(struct netcfg *cfg, int ifindex, bool keep_host_scope); /* in every table */
int  cfg_routes_drop_prefsrc(struct netcfg *cfg, const struct ipaddr *addr);
struct fib_table *cfg_table(const struct netcfg *cfg, uint32_t id); /* NULL: there is none */

/* netcfg_sysctl.c */
struct ipv4_devconf cfg_devconf_default(void);
struct ipv4_devconf cfg_devconf_all_default(void);
void cfg_devconf_merge(const struct netcfg *cfg, unsigned link, struct ipv4_devconf *ret);

/* Tests: the n-th allocation from now fails, and all after it; negative: none does. */
void netcfg_fail_after(struct netcfg *cfg, long n);

#endif
