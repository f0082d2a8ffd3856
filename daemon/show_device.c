/* SPDX-License-Identifier: MIT */
/*
 * show_device.c: what "link show" says of links that stand on others, and the stations that bridges know. Keys are those of "ip -j -d link" and
 * "bridge -j fdb", where these have one.
 *
 * Each worker has learned stations of its own or was told of them: those of the same bridge and address are one row, that of the worker which heard
 * the station last.
 */
#include "show.h"

#include "apply.h"
#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_text(json_t *r, const char *key, const char *text) { json_object_set_new(r, key, json_string(text)); }
static void set_num(json_t *r, const char *key, uint64_t n) { json_object_set_new(r, key, json_integer((json_int_t)n)); }
static void set_bool(json_t *r, const char *key, bool v) { json_object_set_new(r, key, json_boolean(v)); }

/* ---- links ---- */

static json_t *qos_record(const uint8_t *map, unsigned n)
{
	json_t *list = NULL;

	for (unsigned i = 0; i < n; i++)
		if (map[i]) {
			json_t *one = json_object();

			set_num(one, "from", i);
			set_num(one, "to", map[i]);
			list = list ? list : json_array();
			json_array_append_new(list, one);
		}
	return list;
}

static json_t *kind_data(const struct link_conf *link)
{
	json_t *d = json_object();

	if (link->type == LINK_VLAN) {
		set_text(d, "protocol", link->vlan_proto == 0x88a8 ? "802.1ad" : "802.1Q");
		set_num(d, "id", link->vlan_id);
		json_object_set_new(d, "ingress_qos", qos_record(link->vlan_ingress, sizeof(link->vlan_ingress)));
		json_object_set_new(d, "egress_qos", qos_record(link->vlan_egress, sizeof(link->vlan_egress)));
	} else if (link->type == LINK_BRIDGE) {
		set_num(d, "ageing_time", link->ageing_time);
		set_num(d, "stp_state", 0);
		set_num(d, "vlan_filtering", 0);
		set_num(d, "fdb_max_learned", link->fdb_max_learned);
	}
	return d;
}

static json_t *port_data(const struct link_conf *link)
{
	static const struct { const char *key; uint8_t bit; } words[] = {
		{ "learning", LINK_PORT_LEARNING }, { "flood", LINK_PORT_FLOOD }, { "mcast_flood", LINK_PORT_MCAST_FLOOD }, { "bcast_flood", LINK_PORT_BCAST_FLOOD },
		{ "hairpin", LINK_PORT_HAIRPIN }, { "isolated", LINK_PORT_ISOLATED },
	};
	json_t *d = json_object();

	set_text(d, "state", (link->flags & NS_IFF_UP) && link->carrier ? "forwarding" : "disabled");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		set_bool(d, words[i].key, link->port_flags & words[i].bit);
	return d;
}

void record_device(json_t *r, const struct conf_state *st, const struct link_conf *link)
{
	static const char *const kinds[] = { [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };
	const struct conf_state *other = conf_netns_by_id(st->first, link->link_netns);
	const struct link_conf *lower = other && link->link ? netcfg_link_by_index(other->cfg, link->link) : NULL, *master;
	json_t *info = json_object();

	if (lower && other == st)
		set_text(r, "link", lower->name);
	else if (lower)
		set_num(r, "link_index", (uint64_t)lower->ifindex);
	if (lower && other != st)
		set_text(r, "link_netns", conf_netns_name(other));
	master = link->master ? netcfg_link_by_index(st->cfg, link->master) : NULL;
	if (master)
		set_text(r, "master", master->name);
	set_num(r, "promiscuity", (link->flags & NS_IFF_PROMISC ? 1 : 0) + (master != NULL));
	if (link->type < sizeof(kinds) / sizeof(kinds[0]) && kinds[link->type]) {
		set_text(info, "info_kind", kinds[link->type]);
		if (link->type == LINK_VLAN || link->type == LINK_BRIDGE)
			json_object_set_new(info, "info_data", kind_data(link));
	}
	if (master) {
		set_text(info, "info_slave_kind", "bridge");
		json_object_set_new(info, "info_slave_data", port_data(link));
	}
	if (json_object_size(info))
		json_object_set(r, "linkinfo", info);
	json_decref(info);
}

/* ---- stations ---- */

struct fdb_show {
	struct claim   *claim;
	bool            flush;
	int             ifindex;
	bool            has_lladdr;
	struct eth_addr lladdr;
	char            name[NS_IFNAMSIZ];
};

static struct fdb_show *fdb_show_new(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev"), *lladdr = cmd_arg(cmd, "lladdr");
	const struct link_conf *link = dev ? netcfg_link_by_name(st->cfg, dev->str) : NULL;
	struct fdb_show *s = calloc(1, sizeof(*s));

	if (dev && !link) {
		free(s);
		conf_no_link(e, st->cfg, dev->str);
		e->column = dev->column;
		snprintf(e->word, sizeof(e->word), "%s", dev->str);
		return NULL;
	}
	if (!s) {
		conf_fail(e, -ENOMEM, "no memory for the request");
		return NULL;
	}
	s->claim = claim;
	s->flush = cmd->id == CMD_FDB_FLUSH;
	s->ifindex = link ? link->ifindex : 0;
	if (link)
		memcpy(s->name, link->name, sizeof(s->name));
	s->has_lladdr = lladdr != NULL;
	if (lladdr)
		s->lladdr = lladdr->lladdr;
	return s;
}

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

static json_t *station_records(const struct gather *g, const struct fdb_show *show)
{
	struct fdb_info *rows;
	ktime_t now = clock_now();
	json_t *list = json_array();
	size_t n = 0;

	for (unsigned i = 0; i < g->n; i++)
		n += g->slot[i].n;
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
	struct fdb_show *show = g->arg;
	struct conf_error e;
	bool failed = false;

	for (unsigned i = 0; i < g->n; i++)
		failed |= g->slot[i].err != 0;
	if (failed) {
		conf_fail(&e, -ENOMEM, "no memory for the answer");
		claim_result(show->claim, &e);
	} else {
		claim_answer(show->claim, answer_list(station_records(g, show)));
	}
	for (unsigned i = 0; i < g->n; i++)
		free(g->slot[i].data);
	free(show);
}

/* Takes away what was learned; data tells whether there was any such station. */
static int count_station(void *arg, const struct fdb_info *info)
{
	struct gather_slot *slot = arg;
	const struct fdb_show *show = slot->data;

	slot->n += show->has_lladdr && !info->local && !info->is_static && info->ifindex == show->ifindex &&
		   memcmp(&info->lladdr, &show->lladdr, sizeof(info->lladdr)) == 0;
	return 0;
}

static void collect_forget(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct fdb_show *show = g->arg;

	slot->data = show;
	stack_fdb_foreach(slot->ns->stack, count_station, slot);
	slot->data = NULL;
	stack_fdb_flush(slot->ns->stack, show->ifindex, show->has_lladdr ? &show->lladdr : NULL, w->now);
}

static void forget_done(struct gather *g)
{
	struct fdb_show *show = g->arg;
	struct conf_error e;
	char text[ADDR_TEXT];
	size_t removed = 0;

	for (unsigned i = 0; i < g->n; i++)
		removed += g->slot[i].n;
	if (show->flush || removed) {
		claim_result(show->claim, NULL);
	} else {
		conf_fail(&e, -ENOENT, "there is no station %s behind %s that could be forgotten", lladdr_text(&show->lladdr, text), show->name);
		claim_result(show->claim, &e);
	}
	free(show);
}

static int ask(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e,
	       void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *))
{
	struct fdb_show *show = fdb_show_new(st, cmd, claim, e);

	if (!show)
		return e->err;
	if (gather_start_ns(d, st, collect, done, show) < 0) {
		free(show);
		return conf_fail(e, -ENOMEM, "no memory for the request");
	}
	return 0;
}

int show_fdb(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return ask(d, st, cmd, claim, e, collect_stations, stations_done);
}

static void static_done(struct daemon *d, void *arg, const struct conf_error *e)
{
	(void)d;
	claim_result(arg, e);
}

int show_fdb_remove(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	int err;

	if (cmd->id == CMD_FDB_DEL) {
		err = apply_command(d, cmd, static_done, claim, e);
		if (err != -ENOENT)
			return err;
	}
	return ask(d, st, cmd, claim, e, collect_forget, forget_done);
}
