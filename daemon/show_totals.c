/* SPDX-License-Identifier: MIT */
/*
 * show_totals.c: what the workers count: links, drops, counters, GRO. Each worker copies all it has in one go (collect_totals); a command takes from the copies what
 * it shows, summed.
 */
#include "show_priv.h"

#include "daemon.h"
#include "host_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* NULL when a worker had no memory. */
static struct totals *slot_totals(const struct gather *g, unsigned i)
{
	return g->slot[i].data;
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

/* Why it is not the best that there is: "" if it is, or was asked for. */
static const char *backend_note(const struct tap_stats *tap, char buf[160])
{
	const char *mem = tap->limits.mem_err ? strerror(-tap->limits.mem_err) : "";
	const char *hint = tap->uring_err == -EPERM ? " (a sandbox, or kernel.io_uring_disabled)" : tap->uring_err == -ENOMEM ? " (LimitMEMLOCK=, ulimit -l)" : "";

	buf[0] = '\0';
	if (!tap->uring && tap->uring_err)
		snprintf(buf, 160, "no io_uring: %s%s", strerror(-tap->uring_err), hint);
	else if (tap->uring)
		snprintf(buf, 160, "%s%s%s%s%s", tap->limits.no_nowait ? "the host's tun takes no RWF_NOWAIT (Linux 6.4 does)" : "", tap->limits.no_nowait && mem[0] ? "; " : "",
			 mem[0] ? "no registered memory: " : "", mem,
			 tap->limits.mem_err == -ENOMEM ? " (LimitMEMLOCK=, ulimit -l)" : "");
	return buf;
}

/* What of a device's frames waits where, by worker. */
static json_t *rings_record(const struct gather *g, int ifindex)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n; i++) {
		const struct totals *t = slot_totals(g, i);

		for (unsigned k = 0; k < t->nlinks; k++) {
			const struct tap_stats *tap = &t->links[k].tap;
			char note[160];
			json_t *r;

			if (t->links[k].ifindex != ifindex || !tap->present)
				continue;
			r = json_object();
			set_num(r, "worker", i);
			set_given(r, "backend", tap->uring ? "uring" : "read");
			if (backend_note(tap, note)[0])
				set_given(r, "backend_note", note);
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

	if (!cl || !cl->tap || !cl->host.ifindex || cl->host.gone || host_link_queue(cl->host.ifindex, cl->host.name, &n, NULL) < 0)
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
		set_given(r, "reason", skb_drop_reason_name(reason));
		set_num(r, "count", n);
		set_given(r, "help", skb_drop_reason_help(reason));
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
	if (link->type != LINK_TAP && !(link->features & LINK_F_GRO) && !s.held) /* nothing was ever merged there, nor will be */
		return 0;
	r = json_object();
	set_given(r, "dev", link->name);
	set_bool(r, "gro", link->features & LINK_F_GRO);
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
		set_given(r, "name", name);
		json_object_set_new(r, "value", json_integer((json_int_t)n));
		json_array_append_new(list, r);
	}
	return list;
}

static void totals_done(struct gather *g)
{
	struct show *show = g->arg;
	json_t *list = NULL;

	if (show_all_answered(g, show->claim)) {
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
	show_free_slots(g);
	free(show);
}

int show_totals(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return show_ask(d, st, cmd, claim, e, collect_totals, totals_done);
}
