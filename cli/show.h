/* SPDX-License-Identifier: MIT */
/*
 * show.h: records (conf/control_proto.h) as text for people. Each takes an array of records of its kind and prints all of them.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "grammar.h"
#include <jansson.h>
#include <stdio.h>

struct show {
	FILE             *out;
	const struct cmd *cmd; /* what was asked */
	bool              human; /* 1.2M instead of 1234567 */
};

/* Whatever the command answers; records of an unknown kind as JSON lines. links: the records of "link show", for addresses; may be NULL. */
void show_records(const struct show *s, const json_t *records, const json_t *links);
/* One record of "monitor", as a line. */
void show_event(const struct show *s, const json_t *record);

/* show_link.c */
void show_links(const struct show *s, const json_t *records);
void show_features(const struct show *s, const json_t *records);
void show_rings(const struct show *s, const json_t *records);
void show_link_line(const struct show *s, const json_t *link); /* its first line */
void show_addrs(const struct show *s, const json_t *records, const json_t *links);
void show_addr_line(const struct show *s, const json_t *addr);
/* show_route.c */
void show_routes(const struct show *s, const json_t *records);
void show_route_line(const struct show *s, const json_t *route);
void show_neighs(const struct show *s, const json_t *records);
void show_fdb(const struct show *s, const json_t *records);
void show_neigh_line(const struct show *s, const json_t *neigh);
/* show_socket.c */
void show_sockets(const struct show *s, const json_t *records);
/* show_xdp.c */
void show_xdp(const struct show *s, const json_t *records);
void show_xdp_map(const struct show *s, const json_t *records);
/* show_misc.c */
/* A table whose cells are simply the values of keys; heads are the keys' titles. columns: an alignment each, '<' or '>'. Columns at the end that no record has
 * are left out. */
void plain_table(const struct show *s, const json_t *records, const char *columns, const char *const *heads, const char *const *keys);
/* show_softnet.c */
void show_softnet(const struct show *s, const json_t *records, const json_t *links /* TAPs with their counters; NULL: not known */);
void show_gro(const struct show *s, const json_t *records);
void show_runtime(const struct show *s, const json_t *records);

#endif
