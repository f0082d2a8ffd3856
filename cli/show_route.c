/* SPDX-License-Identifier: MIT */
/*
 * show_route.c: routes and neighbours, a line each, in ip(8)'s words and order, so that most lines could be typed again after "route add" or "neigh add".
 */
#include "format.h"
#include "show.h"
#include <string.h>

void show_route_line(const struct show *s, const json_t *route)
{
	const struct cmd_arg *table = s->cmd ? cmd_arg(s->cmd, "table") : NULL;
	const char *type = rec_str(route, "type"), *in = rec_str(route, "table"), *scope = rec_str(route, "scope"), *proto = rec_str(route, "protocol");
	json_t *flag;
	size_t i;

	if (*type && strcmp(type, "unicast") != 0) {
		put_text(s->out, type);
		fputc(' ', s->out);
	}
	put_text(s->out, rec_str(route, "dst"));
	put_opt(s->out, route, "via", "gateway");
	put_opt(s->out, route, "dev", "dev");
	/* The table that was asked for need not be repeated in each line. */
	if (*in && strcmp(in, "main") != 0 && !(table && strcmp(table->str, in) == 0))
		put_opt(s->out, route, "table", "table");
	if (strcmp(proto, "boot") != 0)
		put_opt(s->out, route, "proto", "protocol");
	if (strcmp(scope, "global") != 0)
		put_opt(s->out, route, "scope", "scope");
	put_opt(s->out, route, "src", "prefsrc");
	if (rec_num(route, "metric"))
		put_opt(s->out, route, "metric", "metric");
	if (rec_num(route, "mtu"))
		put_opt(s->out, route, "mtu", "mtu");
	if (rec_num(route, "advmss"))
		put_opt(s->out, route, "advmss", "advmss");
	json_array_foreach(json_object_get(route, "flags"), i, flag) {
		fputc(' ', s->out);
		put_text(s->out, json_is_string(flag) ? json_string_value(flag) : "?");
	}
	put_opt(s->out, route, "error", "errno");
	fputc('\n', s->out);
}

void show_routes(const struct show *s, const json_t *records)
{
	size_t i;
	json_t *route;

	json_array_foreach(records, i, route)
		show_route_line(s, route);
}

void show_neigh_line(const struct show *s, const json_t *neigh)
{
	put_text(s->out, rec_str(neigh, "dst"));
	put_opt(s->out, neigh, "dev", "dev");
	put_opt(s->out, neigh, "lladdr", "lladdr");
	if (rec_num(neigh, "queued"))
		put_opt(s->out, neigh, "queued", "queued");
	if (rec_num(neigh, "probes"))
		put_opt(s->out, neigh, "probes", "probes");
	put_flags(s->out, json_object_get(neigh, "state"), " ", "\n");
}

/* As bridge(8) writes them. */
void show_fdb(const struct show *s, const json_t *records)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec) {
		put_text(s->out, rec_str(rec, "mac"));
		put_opt(s->out, rec, "dev", "ifname");
		put_opt(s->out, rec, "master", "master");
		if (rec_str(rec, "state")[0])
			put_opt(s->out, rec, "", "state");
		fputc('\n', s->out);
	}
}

/* Every worker knows its neighbours; what two say alike is one line. */
static bool said_before(const json_t *records, size_t n, const json_t *neigh)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(records, i);

		if (strcmp(rec_str(o, "dst"), rec_str(neigh, "dst")) == 0 && strcmp(rec_str(o, "dev"), rec_str(neigh, "dev")) == 0 &&
		    strcmp(rec_str(o, "lladdr"), rec_str(neigh, "lladdr")) == 0 && json_equal(json_object_get(o, "state"), json_object_get(neigh, "state")))
			return true;
	}
	return false;
}

#define NEIGH_MERGE_MAX 4096 /* above, looking for the like would take long, and nobody reads the lines */

void show_neighs(const struct show *s, const json_t *records)
{
	bool many = false;
	size_t i;
	json_t *neigh;

	json_array_foreach(records, i, neigh)
		many |= rec_has(neigh, "cpu") && rec_num(neigh, "cpu") != rec_num(json_array_get(records, 0), "cpu");
	json_array_foreach(records, i, neigh) {
		if (many && json_array_size(records) <= NEIGH_MERGE_MAX && said_before(records, i, neigh))
			continue;
		show_neigh_line(s, neigh);
	}
}
