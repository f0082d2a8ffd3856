/* SPDX-License-Identifier: MIT */
/* show.h: what "show" commands answer; conf/control_proto.h has the records. All on the control thread but for what gathers do. */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include "control.h"
#include "gather.h"
#include "tap.h"
#include <netstack/mib.h>

/* Answers a command that changes nothing, about the namespace st. 0: the claim will be answered; -errno with e: the claim is still the caller's. */
int show_request(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
/* "neigh del" and "neigh flush" act on what the workers have learned, too. As show_request. */
int show_neigh_remove(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);

/* Records of single things, also for monitors. NULL: no memory. */
json_t *record_link(const struct conf_state *st, const struct link_conf *link); /* without stats */
json_t *record_addr(const char *dev, const struct addr_conf *addr);
json_t *record_route(const char *dev, const struct route_conf *route, bool linkdown);
json_t *record_neigh(const char *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, uint8_t nud);
const char *link_operstate(const struct conf_state *st, const struct link_conf *link); /* RFC 2863's, as ip(8) writes it */
const char *scope_name(uint8_t scope, char buf[ADDR_TEXT]);
const char *protocol_name(uint8_t protocol, char buf[ADDR_TEXT]);
const char *table_name(uint32_t table, char buf[ADDR_TEXT]);
const char *route_type_name(uint8_t type);

/* show_device.c: what a link stands on and belongs to, into its record; the stations of bridges. "fdb del" and "fdb flush" act on what the workers have learned, too. */
void record_device(json_t *record, const struct conf_state *st, const struct link_conf *link);
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

/* What all workers counted, in one: filled by show_totals on the control thread from slots that collect_totals filled. */
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
