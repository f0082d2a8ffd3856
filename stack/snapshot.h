/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h: what a published configuration looks like to the stages that read it. Immutable. Producer: netcfg.c; consumers: all shards.
 */
#ifndef STACK_SNAPSHOT_H
#define STACK_SNAPSHOT_H

#include "sysctl.h"
#include <netstack/netcfg.h>

struct fib_table; /* persistent trie of one table; fib.h */
struct fib_filter; /* what is surely not in a table; fib.h */

struct snap_link {
	struct link_conf        conf;
	const struct addr_conf *addrs; /* of this link, primary ones first in order of adding */
	unsigned                naddrs;
	const struct fdb_conf  *fdb; /* static stations behind this port, sorted by address */
	unsigned                nfdb;
};

struct net_snapshot {
	uint64_t                version;
	struct sysctl_values    sysctl;
	const struct snap_link *links; /* sorted by ifindex */
	unsigned                nlinks;
	const struct neigh_conf *neighs; /* permanent entries */
	unsigned                nneighs;
	/* Rules of today: local (0), main (32766), default (32767), in that order; rules come with policy routing. */
	const struct fib_table *local, *main, *deflt;
	const struct fib_filter *local_filter; /* of local; NULL: none */
	const void             *priv; /* netcfg's */
};

const struct snap_link *snapshot_link(const struct net_snapshot *snap, int ifindex); /* NULL: none */

#endif
