/* SPDX-License-Identifier: MIT */
/* show.h: what "show" commands answer; conf/control_proto.h has the records. All on the control thread but for what gathers do. */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include "control.h"
#include "gather.h"
#include "record.h"
#include "tap.h"
#include <netstack/mib.h>

/* Answers a command that changes nothing, about the namespace st. 0: the claim will be answered; -errno with e: the claim is still the caller's. */
int show_request(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
/* show_neigh.c: "neigh del" and "neigh flush" act on what the workers have learned, too. As show_request. */
int show_neigh_remove(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);

/* show_fdb.c: the stations of bridges. "fdb del" and "fdb flush" act on what the workers have learned, too. */
int show_fdb(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
int show_fdb_remove(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
/* show_socket.c */
int show_sockets(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
/* show_route.c */
struct answer *show_routes(struct conf_state *st, const struct cmd *cmd);
int show_route_get(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
/* show_softnet.c: of totals that all workers have filled in */
json_t *softnet_records(const struct gather *gather);
json_t *runtime_records(const struct gather *gather);
/* save.c: the running configuration as lines of the grammar. NULL: no memory. */
struct answer *save_lines(struct conf_state *st);

/* show_totals.c: what a worker counted. */
struct totals {
	uint64_t              mib[NET_MIB_MAX];
	uint64_t              drops[SKB_DROP_MAX];
	struct softnet_stats  softnet;
	uint32_t              input_qlen; /* frames from other workers that wait in the rings */
	uint64_t              kicks_sent, kicks_saved;
	bool                  timed; /* runtime is filled in */
	struct runtime_stats  runtime;
	struct services_stats services;
	struct skb_pool_stats pool;
	unsigned              nlinks;
	struct link_total { int ifindex; struct link_stats stats; struct tap_stats tap; struct gro_stats gro; } links[]; /* of the namespace */
};
void collect_totals(struct gather *gather, struct gather_slot *slot, struct worker *worker); /* slot->data: struct totals */

#endif
