/* SPDX-License-Identifier: MIT */
/*
 * show_fdb.c: the stations that bridges know, shown and forgotten. Keys are those of "bridge -j fdb", where it has one.
 *
 * Each worker has learned stations of its own or was told of them: those of the same bridge and address are one row, that of the worker which heard
 * the station last.
 */
#include "show_priv.h"

#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_station(void *arg, const struct fdb_info *info)
{
	return gather_add(arg, info, sizeof(*info));
}

static void collect_stations(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	(void)g;
	(void)w;
	slot->err = stack_fdb_foreach(slot->ns->stack, add_station, slot);
}

static int cmp_station(const void *pa, const void *pb)
{
	const struct fdb_info *a = pa, *b = pb;
	int c = a->bridge - b->bridge;

	if (!c)
		c = (int)b->local + b->is_static - (int)a->local - a->is_static;
	if (!c)
		c = memcmp(&a->lladdr, &b->lladdr, sizeof(a->lladdr));
	return c ? c : (b->updated > a->updated) - (b->updated < a->updated);
}

static bool same_station(const struct fdb_info *a, const struct fdb_info *b)
{
	return a->bridge == b->bridge && memcmp(&a->lladdr, &b->lladdr, sizeof(a->lladdr)) == 0;
}

static json_t *station_record(const struct conf_state *st, const struct fdb_info *info, ktime_t now)
{
	const struct link_conf *dev = netcfg_link_by_index(st->cfg, info->ifindex), *bridge = netcfg_link_by_index(st->cfg, info->bridge);
	char text[ADDR_TEXT];
	json_t *r = json_object();

	set_text(r, "mac", lladdr_text(&info->lladdr, text));
	set_text(r, "ifname", dev ? dev->name : "");
	json_object_set_new(r, "flags", json_array());
	set_text(r, "master", bridge ? bridge->name : "");
	set_text(r, "state", info->local ? "permanent" : info->is_static ? "static" : "");
	if (!info->local && !info->is_static)
		set_num(r, "updated_ms", info->updated < now ? (uint64_t)((now - info->updated) / NSEC_PER_MSEC) : 0);
	return r;
}

static json_t *station_records(const struct gather *g, const struct show *show)
{
	struct fdb_info *rows;
	ktime_t now = clock_now();
	json_t *list = json_array();
	size_t n = show_counted(g);

	rows = malloc((n + 1) * sizeof(*rows));
	if (!rows) {
		json_decref(list);
		return NULL;
	}
	n = 0;
	for (unsigned i = 0; i < g->n; i++)
		for (size_t k = 0; k < g->slot[i].n; k++)
			rows[n++] = ((struct fdb_info *)g->slot[i].data)[k];
	qsort(rows, n, sizeof(*rows), cmp_station);
	for (size_t i = 0; i < n; i++) {
		if (i && same_station(&rows[i - 1], &rows[i]))
			continue;
		if (!show->ifindex || show->ifindex == rows[i].ifindex || show->ifindex == rows[i].bridge)
			json_array_append_new(list, station_record(g->conf, &rows[i], now));
	}
	free(rows);
	return list;
}

static void stations_done(struct gather *g)
{
	struct show *show = g->arg;

	if (show_all_answered(g, show->claim))
		claim_answer(show->claim, answer_list(station_records(g, show)));
	show_free_slots(g);
	free(show);
}

/* Takes away what was learned; data tells whether there was any such station. */
static int count_station(void *arg, const struct fdb_info *info)
{
	struct gather_slot *slot = arg;
	const struct show *show = slot->data;

	slot->n += show->has_lladdr && !info->local && !info->is_static && info->ifindex == show->ifindex &&
		   memcmp(&info->lladdr, &show->lladdr, sizeof(info->lladdr)) == 0;
	return 0;
}

static void collect_forget(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct show *show = g->arg;

	slot->data = show;
	stack_fdb_foreach(slot->ns->stack, count_station, slot);
	slot->data = NULL;
	stack_fdb_flush(slot->ns->stack, show->ifindex, show->has_lladdr ? &show->lladdr : NULL, w->now);
}

static void forget_done(struct gather *g)
{
	struct show *show = g->arg;
	struct conf_error e;
	char text[ADDR_TEXT];
	if (show->id == CMD_FDB_FLUSH || show_counted(g)) {
		claim_result(show->claim, NULL);
	} else {
		conf_fail(&e, -ENOENT, "there is no station %s behind %s that could be forgotten", lladdr_text(&show->lladdr, text), show->name);
		claim_result(show->claim, &e);
	}
	free(show);
}

int show_fdb(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return show_ask(d, st, cmd, claim, e, collect_stations, stations_done);
}

int show_fdb_remove(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return show_forget(d, st, cmd, CMD_FDB_DEL, claim, e, collect_forget, forget_done);
}
