/* SPDX-License-Identifier: MIT */
/*
 * show_softnet.c: records of "show softnet" and "show runtime": one a worker, one a worker and stage.
 */
#include "show.h"

#include "daemon.h"

#include <stdlib.h>

static const struct totals *slot_totals(const struct gather *g, unsigned i)
{
	return g->slot[i].data;
}

/* A limit as it stands now, for whoever explains what was cut. */
static void set_limit(json_t *r, const struct netcfg *cfg, const char *key)
{
	char name[64], value[32];

	snprintf(name, sizeof(name), "net.core.%s", key);
	if (netcfg_sysctl_get(cfg, name, value, sizeof(value)) >= 0)
		set_num(r, key, strtoull(value, NULL, 10));
}

json_t *softnet_records(const struct gather *g)
{
	static const char *const limits[] = { "netdev_budget", "netdev_budget_usecs", "netdev_max_backlog" };
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n; i++) {
		const struct totals *t = slot_totals(g, i);
		const struct softnet_stats *s = &t->softnet;
		json_t *r = json_object();

		set_num(r, "cpu", i);
		set_num(r, "processed", s->processed);
		set_num(r, "dropped", s->dropped);
		set_num(r, "time_squeeze", s->time_squeeze);
		set_num(r, "received_rps", s->received_rps);
		set_num(r, "flow_limit", s->flow_limit_count);
		set_num(r, "backlog", s->backlog_len + t->input_qlen);
		set_num(r, "input_qlen", t->input_qlen);
		set_num(r, "process_qlen", s->backlog_len);
		set_num(r, "squeeze_budget", s->squeeze_budget);
		set_num(r, "squeeze_time", s->squeeze_time);
		set_num(r, "rounds", s->rounds);
		set_num(r, "deferred", s->restarts_cut);
		set_num(r, "steered", s->steered);
		set_num(r, "steer_full", s->steer_full);
		set_num(r, "rfs", s->rfs);
		set_num(r, "kicks", t->kicks_sent);
		set_num(r, "kicks_saved", t->kicks_saved);
		for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++)
			set_limit(r, g->conf->cfg, limits[k]);
		json_array_append_new(list, r);
	}
	return list;
}

/* n of the sampled runs, for all of them. */
static uint64_t scaled(const struct runtime_stats *rt, uint64_t n)
{
	return (uint64_t)((double)n * ((double)rt->runs / (double)rt->sampled) + 0.5);
}

json_t *runtime_records(const struct gather *g)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n; i++) {
		const struct runtime_stats *rt = &slot_totals(g, i)->runtime;

		for (int stage = 0; slot_totals(g, i)->timed && rt->sampled && stage < RUNTIME_MAX; stage++) {
			json_t *r;

			if (!rt->stage[stage].calls)
				continue;
			r = json_object();
			set_num(r, "cpu", i);
			set_text(r, "stage", runtime_stage_name(stage));
			set_num(r, "calls", scaled(rt, rt->stage[stage].calls));
			set_num(r, "frames", scaled(rt, rt->stage[stage].frames));
			set_num(r, "ns", scaled(rt, rt->stage[stage].ns));
			set_num(r, "runs", rt->runs);
			set_num(r, "sampled", rt->sampled);
			set_text(r, "help", runtime_stage_help(stage));
			json_array_append_new(list, r);
		}
	}
	return list;
}
