/* SPDX-License-Identifier: MIT */
/*
 * show.c: what "show" commands answer. What the configuration knows is answered at once; what the workers count is gathered from all of them and summed.
 * Long lists have files of their own (show_socket.c, show_route.c), as they are sent piece by piece.
 */
#include "show.h"

#include "daemon.h"
#include "link_steer.h"
#include "host_link.h"
#include "links.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- words for numbers ------------------------------------------------------------------------------------------------- */

const char *scope_name(uint8_t scope, char buf[ADDR_TEXT])
{
	switch (scope) {
	case RT_SCOPE_UNIVERSE:
		return "global";
	case RT_SCOPE_SITE:
		return "site";
	case RT_SCOPE_LINK:
		return "link";
	case RT_SCOPE_HOST:
		return "host";
	case RT_SCOPE_NOWHERE:
		return "nowhere";
	}
	snprintf(buf, ADDR_TEXT, "%u", scope);
	return buf;
}

const char *protocol_name(uint8_t protocol, char buf[ADDR_TEXT])
{
	switch (protocol) {
	case RTPROT_UNSPEC:
		return "unspec";
	case RTPROT_REDIRECT:
		return "redirect";
	case RTPROT_KERNEL:
		return "kernel";
	case RTPROT_BOOT:
		return "boot";
	case RTPROT_STATIC:
		return "static";
	}
	snprintf(buf, ADDR_TEXT, "%u", protocol);
	return buf;
}

const char *table_name(uint32_t table, char buf[ADDR_TEXT])
{
	switch (table) {
	case RT_TABLE_LOCAL:
		return "local";
	case RT_TABLE_MAIN:
		return "main";
	case RT_TABLE_DEFAULT:
		return "default";
	}
	snprintf(buf, ADDR_TEXT, "%u", table);
	return buf;
}

const char *route_type_name(uint8_t type)
{
	static const char *const names[] = {
		[RTN_UNSPEC] = "unspec", [RTN_UNICAST] = "unicast", [RTN_LOCAL] = "local", [RTN_BROADCAST] = "broadcast", [RTN_ANYCAST] = "anycast",
		[RTN_MULTICAST] = "multicast", [RTN_BLACKHOLE] = "blackhole", [RTN_UNREACHABLE] = "unreachable", [RTN_PROHIBIT] = "prohibit",
		[RTN_THROW] = "throw", [RTN_NAT] = "nat",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

static void set_text(json_t *r, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(r, key, json_string(text));
}

static void set_num(json_t *r, const char *key, uint64_t n)
{
	json_object_set_new(r, key, json_integer((json_int_t)n));
}

static void set_addr(json_t *r, const char *key, const struct ipaddr *addr)
{
	char text[ADDR_TEXT];

	set_text(r, key, addr_text(addr, text));
}

/* ---- records --------------------------------------------------------------------------------------------------------------- */

const char *link_operstate(const struct conf_state *st, const struct link_conf *link)
{
	const struct netdev_state *dev = links_state(st, link->ifindex);

	return netdev_operstate_name(dev ? netdev_operstate(dev) : link->flags & NS_IFF_UP ? OPER_UNKNOWN : OPER_DOWN);
}

json_t *record_link(const struct conf_state *st, const struct link_conf *link)
{
	static const struct { uint32_t bit; const char *name; } bits[] = {
		{ NS_IFF_LOOPBACK, "LOOPBACK" }, { NS_IFF_BROADCAST, "BROADCAST" }, { NS_IFF_MULTICAST, "MULTICAST" }, { NS_IFF_NOARP, "NOARP" },
		{ NS_IFF_ALLMULTI, "ALLMULTI" }, { NS_IFF_PROMISC, "PROMISC" }, { NS_IFF_UP, "UP" }, { NS_IFF_LOWER_UP, "LOWER_UP" },
		{ NS_IFF_DORMANT, "DORMANT" },
	}; /* in ip(8)'s order */
	static const char *const types[] = { [LINK_LOOPBACK] = "loopback", [LINK_TAP] = "tap", [LINK_VIRTUAL] = "virtual",
					      [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };
	const struct conf_link *extra = conf_link_find(st, link->name);
	const struct netdev_state *dev = links_state(st, link->ifindex);
	uint32_t flag_bits = dev ? netdev_flags(dev) : link->flags;
	json_t *r = json_object(), *flags = json_array();
	char text[ADDR_TEXT];

	set_num(r, "ifindex", (uint64_t)link->ifindex);
	set_text(r, "name", link->name);
	set_text(r, "type", types[link->type]);
	if ((flag_bits & NS_IFF_UP) && !(flag_bits & NS_IFF_RUNNING))
		json_array_append_new(flags, json_string("NO-CARRIER"));
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (flag_bits & bits[i].bit)
			json_array_append_new(flags, json_string(bits[i].name));
	json_object_set_new(r, "flags", flags);
	set_num(r, "mtu", link->mtu);
	set_num(r, "qlen", link->txqlen);
	set_text(r, "address", lladdr_text(&link->addr, text));
	set_text(r, "operstate", link_operstate(st, link));
	json_object_set_new(r, "carrier", json_boolean(dev ? dev->carrier : link->carrier));
	if (dev) {
		set_num(r, "carrier_changes", (uint64_t)dev->carrier_up_count + dev->carrier_down_count);
		set_num(r, "carrier_up_count", dev->carrier_up_count);
		set_num(r, "carrier_down_count", dev->carrier_down_count);
	}
	set_text(r, "host_name", link->host_name);
	if (link->host_addr.addr.family)
		set_text(r, "host_addr", prefix_text(&link->host_addr, text));
	if (link->type == LINK_TAP) {
		set_num(r, "queues", link->queues);
		json_object_set_new(r, "offload", json_boolean((link->features & ~(LINK_F_GRO | LINK_F_UDP_GRO_FWD)) != 0));
		if (extra)
			json_object_set_new(r, "device", link_dev_record(extra, link->features));
	}
	link_steer_record(link, r);
	record_device(r, st, link);
	return r;
}

json_t *record_addr(const char *dev, const struct addr_conf *addr)
{
	json_t *r = json_object();
	char text[ADDR_TEXT];

	set_text(r, "dev", dev);
	set_addr(r, "local", &addr->local.addr);
	set_num(r, "prefixlen", addr->local.len);
	set_addr(r, "broadcast", &addr->broadcast);
	set_text(r, "scope", scope_name(addr->scope, text));
	set_text(r, "label", addr->label[0] ? addr->label : dev);
	json_object_set_new(r, "secondary", json_boolean(addr->secondary));
	return r;
}

json_t *record_route(const char *dev, const struct route_conf *route, bool linkdown)
{
	json_t *r = json_object();
	char text[ADDR_TEXT];

	set_text(r, "type", route_type_name(route->type ? route->type : RTN_UNICAST));
	if (route->dst.len == 0)
		set_text(r, "dst", "default");
	else if (route->dst.len == (route->dst.addr.family == AF_INET6 ? 128 : 32))
		set_addr(r, "dst", &route->dst.addr);
	else
		set_text(r, "dst", prefix_text(&route->dst, text));
	set_addr(r, "gateway", &route->gateway);
	set_text(r, "dev", dev);
	set_addr(r, "prefsrc", &route->prefsrc);
	if (route->metric)
		set_num(r, "metric", route->metric);
	set_text(r, "table", table_name(route->table ? route->table : RT_TABLE_MAIN, text));
	set_text(r, "scope", scope_name(route->scope, text));
	set_text(r, "protocol", protocol_name(route->protocol, text));
	if (route->mtu)
		set_num(r, "mtu", route->mtu);
	if (route->advmss)
		set_num(r, "advmss", route->advmss);
	if ((route->flags & RTNH_F_ONLINK) || linkdown) {
		json_t *flags = json_array();

		if (route->flags & RTNH_F_ONLINK)
			json_array_append_new(flags, json_string("onlink"));
		if (linkdown)
			json_array_append_new(flags, json_string("linkdown"));
		json_object_set_new(r, "flags", flags);
	}
	return r;
}

json_t *record_neigh(const char *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, uint8_t nud)
{
	static const struct { uint8_t bit; const char *name; } states[] = {
		{ NUD_INCOMPLETE, "INCOMPLETE" }, { NUD_REACHABLE, "REACHABLE" }, { NUD_STALE, "STALE" }, { NUD_DELAY, "DELAY" }, { NUD_PROBE, "PROBE" },
		{ NUD_FAILED, "FAILED" }, { NUD_NOARP, "NOARP" }, { NUD_PERMANENT, "PERMANENT" },
	};
	json_t *r = json_object(), *list = json_array();
	char text[ADDR_TEXT];

	set_addr(r, "dst", addr);
	set_text(r, "dev", dev);
	if (!(nud & (NUD_INCOMPLETE | NUD_FAILED)) && nud)
		set_text(r, "lladdr", lladdr_text(lladdr, text));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (nud & states[i].bit)
			json_array_append_new(list, json_string(states[i].name));
	json_object_set_new(r, "state", list);
	return r;
}

/* ---- totals -------------------------------------------------------------------------------------------------------------------- */

void collect_totals(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	const struct worker_ns *ns = slot->ns;
	struct totals *t;
	size_t n = 0;

	for (int i = 0; (i = stack_link_next(ns->stack, i)) != 0;)
		n++;
	t = calloc(1, sizeof(*t) + n * sizeof(t->links[0]));
	(void)g;
	slot->data = t;
	if (!t) {
		slot->err = -ENOMEM;
		return;
	}
	stack_mib_add(ns->stack, t->mib);
	stack_drops_add(ns->stack, t->drops);
	stack_softnet_stats(ns->stack, &t->softnet);
	t->timed = stack_runtime_stats(ns->stack, &t->runtime) == 0;
	t->input_qlen = mailbox_frames(&w->mail);
	t->kicks_sent = w->kicks_sent;
	t->kicks_saved = w->kicks_saved;
	services_stats(ns->services, &t->services);
	t->pool = *skb_pool_stats(stack_skb_pool(ns->stack));
	for (int i = 0; (i = stack_link_next(ns->stack, i)) != 0;) {
		const struct tapq *q = worker_tap(slot->ns, i);
		struct link_total *l = &t->links[t->nlinks];

		if (stack_link_stats(ns->stack, i, &l->stats) < 0)
			continue;
		l->ifindex = i;
		if (q)
			tapq_get_stats(q, &l->tap);
		(void)stack_gro_stats(ns->stack, i, &l->gro);
		t->nlinks++;
	}
}

struct show { /* a show command on its way through the workers */
	struct claim *claim;
	int           id;
	bool          all, up;
	char          name[64]; /* link, or start of a counter's name */
	int           ifindex;
	struct ipaddr addr;
};

/* NULL when any worker had no memory. */
static struct totals *slot_totals(const struct gather *g, unsigned i)
{
	return g->slot[i].data;
}

static void free_slots(struct gather *g)
{
	for (unsigned i = 0; i < g->n; i++)
		free(g->slot[i].data);
}

/* Fails the claim if any worker failed. */
static bool all_answered(struct gather *g, struct claim *claim)
{
	struct conf_error e;

	for (unsigned i = 0; i < g->n; i++) {
		if (!g->slot[i].err)
			continue;
		conf_fail(&e, g->slot[i].err, "a worker could not answer: %s", strerror(-g->slot[i].err));
		claim_result(claim, &e);
		return false;
	}
	return true;
}

static void sum_link(const struct gather *g, int ifindex, struct link_stats *s, struct tap_stats *tap)
{
	memset(s, 0, sizeof(*s));
	memset(tap, 0, sizeof(*tap));
	for (unsigned i = 0; i < g->n; i++) {
		const struct totals *t = slot_totals(g, i);

		for (unsigned k = 0; k < t->nlinks; k++) {
			const struct link_total *l = &t->links[k];

			if (l->ifindex != ifindex)
				continue;
#define SUM(field) s->field += l->stats.field
			SUM(rx_packets), SUM(tx_packets), SUM(rx_bytes), SUM(tx_bytes), SUM(rx_errors), SUM(tx_errors), SUM(rx_dropped), SUM(tx_dropped);
			SUM(multicast), SUM(rx_length_errors), SUM(rx_over_errors), SUM(rx_crc_errors), SUM(rx_frame_errors), SUM(rx_fifo_errors);
			SUM(rx_missed_errors), SUM(rx_nohandler), SUM(tx_fifo_errors), SUM(tx_carrier_errors), SUM(txq_len);
#undef SUM
			tap->rx_missed += l->tap.rx_missed;
			tap->rx_errors += l->tap.rx_errors;
			tap->rx_too_long += l->tap.rx_too_long;
			tap->tx_busy += l->tap.tx_busy;
		}
	}
}

/* What of a device's frames waits where, by worker. */
static json_t *rings_record(const struct gather *g, int ifindex)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n; i++) {
		const struct totals *t = slot_totals(g, i);

		for (unsigned k = 0; k < t->nlinks; k++) {
			const struct tap_stats *tap = &t->links[k].tap;
			json_t *r;

			if (t->links[k].ifindex != ifindex || !tap->present)
				continue;
			r = json_object();
			set_num(r, "worker", i);
			set_text(r, "backend", tap->uring ? "uring" : "read");
			set_num(r, "rx_posted", tap->posted);
			set_num(r, "rx_peak", tap->rx_peak);
			set_num(r, "rx_calls", tap->rx_calls);
			set_num(r, "tx_pending", tap->tx_pending);
			set_num(r, "tx_peak", tap->tx_peak);
			set_num(r, "tx_queued", t->links[k].stats.txq_len);
			json_array_append_new(list, r);
		}
	}
	return list;
}

/* What the host could not put on our queue is what a NIC's ring misses. */
static uint64_t host_missed(const struct conf_state *st, const struct link_conf *link)
{
	const struct conf_link *cl = conf_link_find(st, link->name);
	uint64_t n = 0;

	if (!cl || !cl->tap || !cl->host.ifindex || cl->host.gone || host_link_dropped(cl->host.ifindex, cl->host.name, &n) < 0)
		return 0;
	return n > cl->tap->host_dropped ? n - cl->tap->host_dropped : 0;
}

static json_t *link_stats_record(const struct gather *g, const struct link_conf *link)
{
	uint64_t missed = host_missed(g->conf, link);
	int ifindex = link->ifindex;
	json_t *rx = json_object(), *tx = json_object(), *r = json_object();
	struct tap_stats tap;
	struct link_stats s;

	sum_link(g, ifindex, &s, &tap);
	set_num(rx, "bytes", s.rx_bytes);
	set_num(rx, "packets", s.rx_packets);
	set_num(rx, "errors", s.rx_errors + tap.rx_errors + tap.rx_too_long);
	set_num(rx, "dropped", s.rx_dropped);
	set_num(rx, "missed", s.rx_missed_errors + tap.rx_missed + missed);
	set_num(rx, "multicast", s.multicast);
	set_num(rx, "length_errors", s.rx_length_errors + tap.rx_too_long);
	set_num(rx, "over_errors", s.rx_over_errors);
	set_num(rx, "crc_errors", s.rx_crc_errors);
	set_num(rx, "frame_errors", s.rx_frame_errors);
	set_num(rx, "fifo_errors", s.rx_fifo_errors + missed);
	set_num(rx, "nohandler", s.rx_nohandler);
	set_num(tx, "bytes", s.tx_bytes);
	set_num(tx, "packets", s.tx_packets);
	set_num(tx, "errors", s.tx_errors);
	set_num(tx, "dropped", s.tx_dropped);
	set_num(tx, "carrier", s.tx_carrier_errors);
	set_num(tx, "fifo_errors", s.tx_fifo_errors);
	set_num(tx, "busy", tap.tx_busy);
	set_num(tx, "queued", s.txq_len);
	json_object_set_new(r, "rx", rx);
	json_object_set_new(r, "tx", tx);
	return r;
}

struct link_list {
	const struct gather *g;
	const struct show   *show;
	json_t              *list;
};

static int add_link(void *arg, const struct link_conf *link)
{
	struct link_list *l = arg;
	json_t *r;

	if ((l->show->name[0] && strcmp(l->show->name, link->name) != 0) || (l->show->up && !(link->flags & NS_IFF_UP)))
		return 0;
	if (l->show->id != CMD_LINK_SHOW && link->type != LINK_TAP)
		return 0;
	r = record_link(l->g->conf, link);
	json_object_set_new(r, "stats", link_stats_record(l->g, link));
	if (link->type == LINK_TAP)
		json_object_set_new(r, "rings", rings_record(l->g, link->ifindex));
	json_array_append_new(l->list, r);
	return 0;
}

static json_t *links_records(const struct gather *g, const struct show *show)
{
	struct link_list l = { .g = g, .show = show, .list = json_array() };

	netcfg_link_foreach(g->conf->cfg, add_link, &l);
	return l.list;
}

static json_t *drops_records(const struct gather *g, const struct show *show)
{
	json_t *list = json_array();

	for (unsigned reason = 1; reason < SKB_DROP_MAX; reason++) {
		uint64_t n = 0;
		json_t *r;

		for (unsigned i = 0; i < g->n; i++)
			n += slot_totals(g, i)->drops[reason];
		if (!n && !show->all)
			continue;
		r = json_object();
		set_text(r, "reason", skb_drop_reason_name(reason));
		set_num(r, "count", n);
		set_text(r, "help", skb_drop_reason_help(reason));
		json_array_append_new(list, r);
	}
	return list;
}

static int add_gro(void *arg, const struct link_conf *link)
{
	struct link_list *l = arg;
	struct gro_stats s = { 0 };
	json_t *r;

	for (unsigned i = 0; i < l->g->n; i++) {
		const struct totals *t = slot_totals(l->g, i);

		for (unsigned k = 0; k < t->nlinks; k++) {
			const struct gro_stats *one = &t->links[k].gro;

			if (t->links[k].ifindex != link->ifindex)
				continue;
			s.normal += one->normal, s.held += one->held, s.merged += one->merged;
			s.flush_last += one->flush_last, s.flush_other += one->flush_other, s.flush_poll += one->flush_poll;
			s.flush_age += one->flush_age, s.flush_bucket += one->flush_bucket;
		}
	}
	if (!(link->features & LINK_F_GRO) && !s.held) /* nothing was ever merged there, nor will be */
		return 0;
	r = json_object();
	set_text(r, "dev", link->name);
	json_object_set_new(r, "gro", json_boolean(link->features & LINK_F_GRO));
	set_num(r, "normal", s.normal);
	set_num(r, "held", s.held);
	set_num(r, "merged", s.merged);
	set_num(r, "flush_last", s.flush_last);
	set_num(r, "flush_other", s.flush_other);
	set_num(r, "flush_poll", s.flush_poll);
	set_num(r, "flush_age", s.flush_age);
	set_num(r, "flush_bucket", s.flush_bucket);
	json_array_append_new(l->list, r);
	return 0;
}

static json_t *gro_records(const struct gather *g, const struct show *show)
{
	struct link_list l = { .g = g, .show = show, .list = json_array() };

	netcfg_link_foreach(g->conf->cfg, add_gro, &l);
	return l.list;
}

static json_t *counters_records(const struct gather *g, const struct show *show)
{
	json_t *list = json_array();

	for (unsigned m = 0; m < NET_MIB_MAX; m++) {
		char name[64];
		uint64_t n = 0;
		json_t *r;

		for (unsigned i = 0; i < g->n; i++)
			n += slot_totals(g, i)->mib[m];
		snprintf(name, sizeof(name), "%s%s", net_mib_group(m), net_mib_name(m));
		if ((!n && !show->all) || strncasecmp(name, show->name, strlen(show->name)) != 0)
			continue;
		r = json_object();
		set_text(r, "name", name);
		json_object_set_new(r, "value", json_integer((json_int_t)n));
		json_array_append_new(list, r);
	}
	return list;
}

static void totals_done(struct gather *g)
{
	struct show *show = g->arg;
	json_t *list = NULL;

	if (all_answered(g, show->claim)) {
		if (show->id == CMD_LINK_SHOW || show->id == CMD_SHOW_FEATURES || show->id == CMD_SHOW_RINGS)
			list = links_records(g, show);
		else if (show->id == CMD_SHOW_DROPS)
			list = drops_records(g, show);
		else if (show->id == CMD_SHOW_SOFTNET)
			list = softnet_records(g);
		else if (show->id == CMD_SHOW_RUNTIME)
			list = runtime_records(g);
		else if (show->id == CMD_SHOW_GRO)
			list = gro_records(g, show);
		else
			list = counters_records(g, show);
		claim_answer(show->claim, answer_list(list));
	}
	free_slots(g);
	free(show);
}

/* ---- neighbours ------------------------------------------------------------------------------------------------------------------ */

static int add_neigh(void *arg, const struct neigh_info *info)
{
	return gather_add(arg, info, sizeof(*info));
}

static void collect_neighs(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	(void)g;
	(void)w;
	slot->err = stack_neigh_foreach(slot->ns->stack, add_neigh, slot);
}

/* What one worker knows of a neighbour is told to the others, so each has its own view of it. Those that agree on its address are one row: that of the best
 * state, among equals that which was confirmed last. */
struct neigh_row {
	struct neigh_info info;
	unsigned          cpu;
};

/* 0: the best. */
static unsigned nud_rank(uint8_t nud)
{
	static const uint8_t order[] = { NUD_PERMANENT, NUD_NOARP, NUD_REACHABLE, NUD_DELAY, NUD_PROBE, NUD_STALE, NUD_INCOMPLETE, NUD_FAILED };
	unsigned i = 0;

	while (i < sizeof(order) && !(nud & order[i]))
		i++;
	return i;
}

static bool has_lladdr(const struct neigh_info *info)
{
	return info->nud && !(info->nud & (NUD_INCOMPLETE | NUD_FAILED));
}

static int cmp_neigh_addr(const struct neigh_info *a, const struct neigh_info *b)
{
	int c = a->ifindex - b->ifindex;

	if (!c)
		c = a->addr.family - b->addr.family;
	return c ? c : memcmp(a->addr.b, b->addr.b, a->addr.family == AF_INET6 ? 16 : 4);
}

static int cmp_neigh(const void *pa, const void *pb)
{
	const struct neigh_row *a = pa, *b = pb;
	int c = cmp_neigh_addr(&a->info, &b->info);

	if (!c)
		c = (int)nud_rank(a->info.nud) - (int)nud_rank(b->info.nud);
	if (!c)
		c = (b->info.confirmed > a->info.confirmed) - (b->info.confirmed < a->info.confirmed);
	return c ? c : (b->info.updated > a->info.updated) - (b->info.updated < a->info.updated);
}

/* Whether a row before i, of the same neighbour, says all that row i says. */
static bool neigh_said(const struct neigh_row *rows, size_t i)
{
	for (size_t k = i; k-- > 0 && cmp_neigh_addr(&rows[k].info, &rows[i].info) == 0;)
		if (!has_lladdr(&rows[i].info) || (has_lladdr(&rows[k].info) && memcmp(&rows[k].info.lladdr, &rows[i].info.lladdr, sizeof(rows[i].info.lladdr)) == 0))
			return true;
	return false;
}

static void set_age(json_t *r, const char *key, ktime_t now, ktime_t then)
{
	if (then > 0)
		set_num(r, key, then < now ? (uint64_t)((now - then) / NSEC_PER_MSEC) : 0);
}

static json_t *neigh_records(const struct gather *g, const struct show *show)
{
	ktime_t now = clock_now();
	struct neigh_row *rows;
	size_t n = 0;
	json_t *list;

	for (unsigned i = 0; i < g->n; i++)
		n += g->slot[i].n;
	rows = malloc((n + 1) * sizeof(*rows));
	if (!rows)
		return NULL;
	list = json_array();
	n = 0;
	for (unsigned i = 0; i < g->n; i++)
		for (size_t k = 0; k < g->slot[i].n; k++)
			rows[n++] = (struct neigh_row){ .info = ((struct neigh_info *)g->slot[i].data)[k], .cpu = i };
	qsort(rows, n, sizeof(*rows), cmp_neigh);
	for (size_t i = 0; i < n; i++) {
		const struct neigh_info *info = &rows[i].info;
		const struct link_conf *link = netcfg_link_by_index(g->conf->cfg, info->ifindex);
		json_t *r;

		if (neigh_said(rows, i))
			continue;
		if ((show->ifindex && show->ifindex != info->ifindex) || (show->addr.family && !ipaddr_equal(&show->addr, &info->addr)))
			continue;
		r = record_neigh(link ? link->name : "", &info->addr, &info->lladdr, info->nud);
		set_num(r, "probes", info->probes);
		set_num(r, "queued", info->queued);
		set_age(r, "used_ms", now, info->used);
		set_age(r, "confirmed_ms", now, info->confirmed);
		set_age(r, "updated_ms", now, info->updated);
		set_num(r, "cpu", rows[i].cpu);
		json_array_append_new(list, r);
	}
	free(rows);
	return list;
}

static void neighs_done(struct gather *g)
{
	struct show *show = g->arg;

	if (all_answered(g, show->claim))
		claim_answer(show->claim, answer_list(neigh_records(g, show)));
	free_slots(g);
	free(show);
}

static void collect_neigh_remove(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	const struct show *show = g->arg;

	if (show->id == CMD_NEIGH_FLUSH)
		stack_neigh_flush(slot->ns->stack, show->ifindex, w->now);
	else
		slot->n = stack_neigh_delete(slot->ns->stack, show->ifindex, &show->addr, w->now) == 0;
}

static void neigh_remove_done(struct gather *g)
{
	struct show *show = g->arg;
	struct conf_error e;
	char text[ADDR_TEXT];
	size_t removed = 0;

	for (unsigned i = 0; i < g->n; i++)
		removed += g->slot[i].n;
	if (show->id == CMD_NEIGH_FLUSH || removed || show->all) {
		claim_result(show->claim, NULL);
	} else {
		conf_fail(&e, -ENOENT, "there is no neighbour %s on %s", addr_text(&show->addr, text), show->name);
		claim_result(show->claim, &e);
	}
	free(show);
}

/* ---- the rest, from the configuration ------------------------------------------------------------------------------------------------ */

struct list_of {
	const struct conf_state *st;
	const struct netcfg *defaults;
	json_t              *list;
	const char          *name;
	bool                 found;
};

static int add_addr(void *arg, const struct addr_conf *addr)
{
	struct list_of *l = arg;
	const struct link_conf *link = netcfg_link_by_index(l->st->cfg, addr->ifindex);

	json_array_append_new(l->list, record_addr(link ? link->name : "", addr));
	return 0;
}

static int add_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct list_of *l = arg;
	char def[256];
	json_t *r;

	if (l->name) {
		/* A whole name, or a branch of the tree: "net.ipv4" or "net.ipv4.". Slashes are dots. */
		size_t n = strlen(l->name);

		for (size_t i = 0; i < n; i++)
			if ((l->name[i] == '/' ? '.' : l->name[i]) != name[i])
				return 0;
		if (name[n] && name[n] != '.' && l->name[n - 1] != '.')
			return 0;
	}
	r = json_object();
	set_text(r, "name", name);
	json_object_set_new(r, "value", json_string(value));
	json_object_set_new(r, "changed", json_boolean(changed));
	if (l->defaults && netcfg_sysctl_get(l->defaults, name, def, sizeof(def)) >= 0)
		json_object_set_new(r, "default", json_string(def));
	set_text(r, "help", help);
	json_array_append_new(l->list, r);
	l->found = true;
	return 0;
}

static json_t *sysctl_records(const struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *name = cmd_arg(cmd, "name");
	struct list_of l = { .st = st, .name = name && name->str[0] ? name->str : NULL, .list = json_array() };
	struct netcfg *defaults = netcfg_new();

	l.defaults = defaults;
	netcfg_sysctl_foreach(st->cfg, add_sysctl, &l);
	if (defaults)
		netcfg_free(defaults);
	if (l.found || !l.name)
		return l.list;
	conf_fail(e, -ENOENT, "there is no sysctl %s", l.name);
	conf_suggest_sysctl(e, st->cfg, l.name);
	e->column = name->column;
	snprintf(e->word, sizeof(e->word), "%s", l.name);
	json_decref(l.list);
	return NULL;
}

static json_t *service_records(const struct conf_state *st)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < st->nservices; i++) {
		const struct service_conf *s = &st->services[i];
		json_t *r = json_object();

		set_text(r, "proto", s->proto == IPPROTO_TCP ? "tcp" : "udp");
		set_num(r, "port", s->port);
		set_text(r, "what", s->what);
		set_addr(r, "address", &s->addr);
		json_array_append_new(list, r);
	}
	return list;
}

/* The first one, which has no name, is called as "-n" calls it. */
static json_t *netns_records(const struct daemon *d)
{
	json_t *list = json_array();
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st))) {
		json_t *r = json_object();

		set_text(r, "name", conf_netns_name(st));
		set_num(r, "id", st->id);
		set_num(r, "links", st->nlinks + 1); /* and lo */
		set_num(r, "services", st->nservices);
		json_array_append_new(list, r);
	}
	return list;
}

static int count_route(void *arg, const struct route_conf *route)
{
	(void)route;
	++*(uint64_t *)arg;
	return 0;
}

static int count_link(void *arg, const struct link_conf *link)
{
	(void)link;
	++*(uint64_t *)arg;
	return 0;
}

static json_t *version_records(const struct daemon *d, const struct conf_state *st)
{
	uint64_t routes = 0, links = 0;
	json_t *list = json_array(), *r = json_object();

	netcfg_route_foreach(st->cfg, RT_TABLE_MAIN, count_route, &routes);
	netcfg_link_foreach(st->cfg, count_link, &links);
	set_text(r, "version", netstack_version());
	set_num(r, "workers", d->nworkers);
	set_num(r, "uptime_ms", (uint64_t)((clock_now() - d->started) / NSEC_PER_MSEC));
	set_num(r, "pid", (uint64_t)getpid());
	set_text(r, "config", d->config_path ? d->config_path : "");
	set_text(r, "control", d->control_path ? d->control_path : "");
	set_num(r, "links", links);
	set_num(r, "routes", routes);
	json_array_append_new(list, r);
	return list;
}

/* ---- requests ----------------------------------------------------------------------------------------------------------------------- */

static int take_dev(const struct conf_state *st, const struct cmd *cmd, struct show *show, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev");
	const struct link_conf *link = dev ? netcfg_link_by_name(st->cfg, dev->str) : NULL;

	if (!dev)
		return 0;
	snprintf(show->name, sizeof(show->name), "%s", dev->str);
	if (link) {
		show->ifindex = link->ifindex;
		return 0;
	}
	conf_no_link(e, st->cfg, dev->str);
	e->column = dev->column;
	snprintf(e->word, sizeof(e->word), "%s", dev->str);
	return e->err;
}

static struct show *show_new(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *name = cmd_arg(cmd, "name"), *addr = cmd_arg(cmd, "addr");
	struct show *show = calloc(1, sizeof(*show));

	if (!show) {
		conf_fail(e, -ENOMEM, "no memory for the request");
		return NULL;
	}
	show->claim = claim;
	show->id = cmd->id;
	show->all = cmd_arg(cmd, "all") != NULL;
	show->up = cmd_arg(cmd, "up") != NULL;
	if (name)
		snprintf(show->name, sizeof(show->name), "%s", name->str);
	if (addr)
		show->addr = addr->prefix.addr;
	if (take_dev(st, cmd, show, e) < 0) {
		free(show);
		return NULL;
	}
	return show;
}

static int ask_workers(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e,
		       void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *))
{
	struct show *show = show_new(st, cmd, claim, e);

	if (!show)
		return e->err;
	if (gather_start_ns(d, st, collect, done, show) < 0) {
		free(show);
		return conf_fail(e, -ENOMEM, "no memory for the request");
	}
	return 0;
}

static int answer_now(struct claim *claim, struct answer *answer, struct conf_error *e)
{
	if (!answer)
		return e->err ? e->err : conf_fail(e, -ENOMEM, "no memory for the answer");
	claim_answer(claim, answer);
	return 0;
}

static int show_addrs(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	struct show show = { .ifindex = 0 };
	struct list_of l = { .st = st };

	if (take_dev(st, cmd, &show, e) < 0)
		return e->err;
	l.list = json_array();
	netcfg_addr_foreach(st->cfg, show.ifindex, add_addr, &l);
	return answer_now(claim, answer_list(l.list), e);
}

int show_request(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	switch (cmd->id) {
	case CMD_LINK_SHOW:
	case CMD_SHOW_FEATURES:
	case CMD_SHOW_RINGS:
	case CMD_SHOW_DROPS:
	case CMD_SHOW_SOFTNET:
	case CMD_SHOW_RUNTIME:
	case CMD_SHOW_GRO:
	case CMD_SHOW_COUNTERS:
		return ask_workers(d, st, cmd, claim, e, collect_totals, totals_done);
	case CMD_SHOW_XDP:
		return show_xdp(d, st, cmd, claim, e);
	case CMD_XDP_MAP:
		return xdp_map_request(st, cmd, claim, e);
	case CMD_NEIGH_SHOW:
		return ask_workers(d, st, cmd, claim, e, collect_neighs, neighs_done);
	case CMD_FDB_SHOW:
		return show_fdb(d, st, cmd, claim, e);
	case CMD_SHOW_SOCKETS:
		return show_sockets(d, st, cmd, claim, e);
	case CMD_ADDR_SHOW:
		return show_addrs(st, cmd, claim, e);
	case CMD_ROUTE_SHOW:
		return answer_now(claim, show_routes(st, cmd), e);
	case CMD_ROUTE_GET:
		return show_route_get(st, cmd, claim, e);
	case CMD_SYSCTL_SHOW:
		return answer_now(claim, answer_list(sysctl_records(st, cmd, e)), e);
	case CMD_SERVICE_SHOW:
		return answer_now(claim, answer_list(service_records(st)), e);
	case CMD_SHOW_VERSION:
		return answer_now(claim, answer_list(version_records(d, st)), e);
	case CMD_NETNS_SHOW:
		return answer_now(claim, answer_list(netns_records(d)), e);
	case CMD_SAVE:
		return answer_now(claim, save_lines(st), e);
	default:
		return conf_fail(e, -EINVAL, "this command is answered by nsctl, not by the daemon");
	}
}


static void permanent_done(struct daemon *d, void *arg, const struct conf_error *e)
{
	(void)d;
	claim_result(arg, e);
}

int show_neigh_remove(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	int err;

	if (cmd->id == CMD_NEIGH_DEL) {
		err = apply_command(d, cmd, permanent_done, claim, e);
		if (err != -ENOENT)
			return err;
	}
	return ask_workers(d, st, cmd, claim, e, collect_neigh_remove, neigh_remove_done);
}
