/* SPDX-License-Identifier: MIT */
/*
 * show_misc.c: drops, counters, tunables, services, version, and which of the show functions a command wants.
 */
#include "format.h"
#include "show.h"
#include <stdlib.h>
#include <string.h>

static int by_count(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	uint64_t m = rec_num(x, "count"), n = rec_num(y, "count");

	return m < n ? 1 : m > n ? -1 : strcmp(rec_str(x, "reason"), rec_str(y, "reason"));
}

static void show_drops(const struct show *s, const json_t *records)
{
	size_t n = json_array_size(records);
	json_t **sorted = calloc(n + 1, sizeof(*sorted));
	struct table t;
	char num[24];

	if (!sorted)
		return;
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(records, i);
	qsort(sorted, n, sizeof(*sorted), by_count);
	table_init(&t, "><<");
	if (n)
		table_row(&t, (const char *const[]){ "COUNT", "REASON", "WHAT IT MEANS" });
	else
		fputs("nothing was dropped\n", s->out);
	for (size_t i = 0; i < n; i++)
		table_row(&t, (const char *const[]){ units(rec_num(sorted[i], "count"), s->human, num), rec_str(sorted[i], "reason"), rec_str(sorted[i], "help") });
	table_print(&t, s->out);
	free(sorted);
}

void plain_table(const struct show *s, const json_t *records, const char *columns, const char *const *heads, const char *const *keys)
{
	unsigned n = (unsigned)strlen(columns);
	bool used = false;
	char align[17];
	struct table t;
	json_t *rec;
	size_t i;

	while (json_array_size(records) && n > 1 && !used) {
		json_array_foreach(records, i, rec)
			used |= rec_has(rec, keys[n - 1]);
		n -= !used;
	}
	snprintf(align, sizeof(align), "%.*s", (int)n, columns);
	table_init(&t, align);
	table_row(&t, heads);
	json_array_foreach(records, i, rec) {
		const char *cells[16];
		char num[16][24];

		for (unsigned c = 0; c < n; c++)
			cells[c] = json_is_integer(json_object_get(rec, keys[c])) && align[c] == '>' ? units(rec_num(rec, keys[c]), s->human, num[c]) : rec_str(rec, keys[c]);
		table_row(&t, cells);
	}
	table_print(&t, s->out);
}

static void show_services(const struct show *s, const json_t *records)
{
	static const char *const heads[] = { "PROTO", "PORT", "SERVICE", "ADDRESS", "CONNECTIONS", "ACCEPTED" };
	static const char *const keys[] = { "proto", "port", "what", "address", "connections", "accepted" };

	plain_table(s, records, "<><<>>", heads, keys);
}

static void show_netns(const struct show *s, const json_t *records)
{
	static const char *const heads[] = { "NAME", "ID", "LINKS", "SERVICES" };
	static const char *const keys[] = { "name", "id", "links", "services" };

	plain_table(s, records, "<>>>", heads, keys);
}

static void show_counters(const struct show *s, const json_t *records)
{
	struct table t;
	json_t *rec;
	size_t i;
	char num[24];

	table_init(&t, "<>");
	json_array_foreach(records, i, rec) {
		bool negative = json_integer_value(json_object_get(rec, "value")) < 0; /* TcpMaxConn: -1, no limit (RFC 4022) */

		table_row(&t, (const char *const[]){ rec_str(rec, "name"), negative ? rec_str(rec, "value") : units(rec_num(rec, "value"), s->human, num) });
	}
	table_print(&t, s->out);
}

static void show_sysctls(const struct show *s, const json_t *records)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec) {
		put_text(s->out, rec_str(rec, "name"));
		fputs(" = ", s->out);
		put_text(s->out, rec_str(rec, "value"));
		fputc('\n', s->out);
	}
}

static void show_version(const struct show *s, const json_t *records)
{
	const json_t *v = json_array_get(records, 0);
	char buf[24];

	fputs("netstackd ", s->out);
	put_text(s->out, rec_str(v, "version"));
	if (rec_has(v, "pid"))
		fprintf(s->out, ", pid %s", rec_str(v, "pid"));
	if (rec_has(v, "workers"))
		fprintf(s->out, ", %s worker%s", rec_str(v, "workers"), rec_num(v, "workers") == 1 ? "" : "s");
	if (rec_has(v, "uptime_ms"))
		fprintf(s->out, ", up %s", duration(rec_num(v, "uptime_ms"), buf));
	fputc('\n', s->out);
	if (rec_has(v, "config")) {
		fputs("configuration ", s->out);
		put_text(s->out, rec_str(v, "config"));
		fputc('\n', s->out);
	}
}

/* ---- what to use when ---------------------------------------------------------------------------------------------- */

static void show_lines(const struct show *s, const json_t *records)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		fprintf(s->out, "%s\n", rec_str(rec, "line"));
}

static void show_unknown(const struct show *s, const json_t *records)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec) {
		json_dumpf(rec, s->out, JSON_COMPACT);
		fputc('\n', s->out);
	}
}

void show_records(const struct show *s, const json_t *records, const json_t *links)
{
	switch ((enum cmd_id)s->cmd->id) {
	case CMD_LINK_SHOW:
		show_links(s, records);
		break;
	case CMD_ADDR_SHOW:
		show_addrs(s, records, links);
		break;
	case CMD_ROUTE_SHOW:
	case CMD_ROUTE_GET:
		show_routes(s, records);
		break;
	case CMD_NEIGH_SHOW:
		show_neighs(s, records);
		break;
	case CMD_FDB_SHOW:
		show_fdb(s, records);
		break;
	case CMD_SYSCTL_SHOW:
		show_sysctls(s, records);
		break;
	case CMD_SERVICE_SHOW:
		show_services(s, records);
		break;
	case CMD_SHOW_SOCKETS:
		show_sockets(s, records);
		break;
	case CMD_SHOW_DROPS:
		show_drops(s, records);
		break;
	case CMD_SHOW_SOFTNET:
		show_softnet(s, records, links);
		break;
	case CMD_SHOW_RUNTIME:
		show_runtime(s, records);
		break;
	case CMD_SHOW_FEATURES:
		show_features(s, records);
		break;
	case CMD_SHOW_RINGS:
		show_rings(s, records);
		break;
	case CMD_SHOW_GRO:
		show_gro(s, records);
		break;
	case CMD_SHOW_COUNTERS:
		show_counters(s, records);
		break;
	case CMD_SHOW_XDP:
		show_xdp(s, records);
		break;
	case CMD_XDP_MAP:
		show_xdp_map(s, records);
		break;
	case CMD_SHOW_VERSION:
		show_version(s, records);
		break;
	case CMD_NETNS_SHOW:
		show_netns(s, records);
		break;
	case CMD_SAVE:
		show_lines(s, records);
		break;
	default:
		show_unknown(s, records);
	}
}

void show_event(const struct show *s, const json_t *record)
{
	const char *what = rec_str(record, "what");
	json_t *one;

	if (rec_bool(record, "deleted"))
		fputs("Deleted ", s->out);
	if (strcmp(what, "link") == 0) {
		show_link_line(s, record);
	} else if (strcmp(what, "addr") == 0) {
		show_addr_line(s, record);
	} else if (strcmp(what, "route") == 0) {
		show_route_line(s, record);
	} else if (strcmp(what, "neigh") == 0) {
		show_neigh_line(s, record);
	} else {
		one = json_pack("[O]", record);
		show_unknown(s, one);
		json_decref(one);
	}
}
