/* SPDX-License-Identifier: MIT */
/*
 * show_neigh.c: the neighbours that the workers know, shown and forgotten. What one worker knows of a neighbour is told to the others, so each has its own view of
 * it. Those that agree on its address are one row: that of the best state, among equals that which was confirmed last.
 */
#include "show_priv.h"

#include "daemon.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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
	size_t n = show_counted(g);
	json_t *list;

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

	if (show_all_answered(g, show->claim))
		claim_answer(show->claim, answer_list(neigh_records(g, show)));
	show_free_slots(g);
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
	if (show->id == CMD_NEIGH_FLUSH || show_counted(g) || show->all) {
		claim_result(show->claim, NULL);
	} else {
		conf_fail(&e, -ENOENT, "there is no neighbour %s on %s", addr_text(&show->addr, text), show->name);
		claim_result(show->claim, &e);
	}
	free(show);
}

int show_neighs(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return show_ask(d, st, cmd, claim, e, collect_neighs, neighs_done);
}

int show_neigh_remove(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	return show_forget(d, st, cmd, CMD_NEIGH_DEL, claim, e, collect_neigh_remove, neigh_remove_done);
}
