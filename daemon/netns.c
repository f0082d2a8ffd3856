/* SPDX-License-Identifier: MIT */
/*
 * netns.c: the network namespaces of a configuration.
 *
 * Theory of operation. Each namespace is a struct conf_state. The first one is always there and has no name ("default" says it where one must be said); it owns the
 * others, in the order in which they were made, and stands for the whole: commands, transactions, checks and reloads are given the first and find their way from
 * there ("-n NAME" in front of a command).
 *
 * A namespace is known to links (link_netns), workers and frames on their way between workers by its number: the place in the workers' tables, and above it a
 * count of the namespaces made so far. So what still carries the number of one that is gone does not reach another that got its place.
 *
 * References are counted, by the control thread alone, since who lists a namespace's routes to a slow client may see it deleted meanwhile. It then goes on to list what
 * was there.
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char first_name[] = "default";

struct conf_state *conf_state_get(struct conf_state *st)
{
	if (st->id)
		st->refs++;
	return st;
}

void conf_state_put(struct conf_state *st)
{
	if (!st || !st->id || --st->refs)
		return;
	conf_state_exit(st);
	free(st);
}

struct conf_state *conf_netns_next(const struct conf_state *first, const struct conf_state *st)
{
	unsigned i = 0;

	if (!st)
		return first->first;
	if (st != first)
		while (i < first->nnetns && first->netns[i++] != st)
			;
	return i < first->nnetns ? first->netns[i] : NULL;
}

struct conf_state *conf_netns_find(const struct conf_state *first, const char *name)
{
	if (!name || !name[0] || strcmp(name, first_name) == 0)
		return first->first;
	for (unsigned i = 0; i < first->nnetns; i++)
		if (strcmp(first->netns[i]->name, name) == 0)
			return first->netns[i];
	return NULL;
}

struct conf_state *conf_netns_by_id(const struct conf_state *first, uint32_t id)
{
	if (id == first->id)
		return first->first;
	for (unsigned i = 0; i < first->nnetns; i++)
		if (first->netns[i]->id == id)
			return first->netns[i];
	return NULL;
}

const char *conf_netns_name(const struct conf_state *st)
{
	return st->id ? st->name : first_name;
}

static struct netcfg *find_netcfg(void *arg, uint32_t netns)
{
	struct conf_state *st = conf_netns_by_id(arg, netns);

	return st ? st->cfg : NULL;
}

int conf_no_netns(struct conf_error *e, const struct conf_state *first, const char *name)
{
	unsigned best = UINT32_MAX;

	conf_fail(e, -ENOENT, "there is no network namespace %s", name);
	for (unsigned i = 0; i < first->nnetns; i++) {
		const char *other = first->netns[i]->name;
		unsigned d = grammar_distance(name, other);

		if (d < best && strlen(other) < sizeof(e->suggestion)) {
			best = d;
			strcpy(e->suggestion, other);
		}
	}
	return e->err;
}

struct conf_state *conf_netns_of(const struct conf_state *first, const struct cmd *cmd, struct conf_error *e)
{
	struct conf_state *st = conf_netns_find(first, cmd->netns);

	if (st)
		return st;
	conf_no_netns(e, first, cmd->netns);
	e->column = cmd->netns_column;
	snprintf(e->word, sizeof(e->word), "%s", cmd->netns);
	return NULL;
}

/* ---- coming and going ----------------------------------------------------------------------------------------------------- */

static uint32_t free_id(struct conf_state *first)
{
	uint32_t place = 1;

	for (unsigned i = 0; i < first->nnetns;)
		if (first->netns[i++]->id % NETNS_MAX == place) {
			place++;
			i = 0;
		}
	first->netns_made++;
	return place + first->netns_made * NETNS_MAX;
}

int conf_netns_add(struct conf_state *first, const char *name, struct conf_error *e)
{
	struct conf_state **list, *st;

	if (!grammar_netns_ok(name) || strlen(name) >= sizeof(st->name))
		return conf_fail(e, -EINVAL, "\"%s\" cannot be the name of a network namespace", name);
	if (strcmp(name, first_name) == 0)
		return conf_fail(e, -EEXIST, "\"%s\" means the first network namespace, which is always there", name);
	if (conf_netns_find(first, name))
		return conf_fail(e, -EEXIST, "there is a network namespace %s already", name);
	if (first->nnetns == NETNS_MAX - 1)
		return conf_fail(e, -ENOSPC, "there may be %d network namespaces, and there are", NETNS_MAX);
	list = realloc(first->netns, (first->nnetns + 1) * sizeof(*list));
	if (list)
		first->netns = list;
	st = malloc(sizeof(*st));
	if (!list || !st || conf_state_init(st, 0) < 0) {
		free(st);
		return conf_fail(e, -ENOMEM, "no memory for another network namespace");
	}
	st->first = first;
	st->id = free_id(first);
	st->refs = 1;
	st->track = first->track;
	memcpy(st->name, name, strlen(name));
	netcfg_set_netns(st->cfg, st->id, find_netcfg, first);
	netcfg_set_netns(first->cfg, first->id, find_netcfg, first);
	list[first->nnetns++] = st;
	return 0;
}

/* The ends of veth pairs, as their other ends go with them. */
static int remove_veths(struct conf_state *st, struct conf_error *e)
{
	for (unsigned i = 0; i < st->nlinks;) {
		const struct link_conf *link = netcfg_link_by_index(st->cfg, st->links[i].ifindex);
		char name[NS_IFNAMSIZ];
		int err;

		if (!link || link->type != LINK_VETH || link->link_netns == st->id) {
			i++;
			continue;
		}
		memcpy(name, link->name, sizeof(name));
		err = conf_link_remove(st, name, e);
		if (err)
			return err;
		i = 0; /* it may have taken others along */
	}
	return 0;
}

int conf_netns_del(struct conf_state *first, const char *name, struct conf_error *e)
{
	struct conf_state *st = conf_netns_find(first, name);
	unsigned i = 0;
	int err;

	if (!st)
		return conf_no_netns(e, first, name);
	if (st == first)
		return conf_fail(e, -EBUSY, "the first network namespace cannot be removed");
	err = remove_veths(st, e);
	if (err)
		return err;
	while (first->netns[i] != st)
		i++;
	conf_watch_drop(st);
	first->nnetns--;
	memmove(&first->netns[i], &first->netns[i + 1], (first->nnetns - i) * sizeof(first->netns[0]));
	conf_state_put(st);
	return 0;
}

void conf_netns_exit(struct conf_state *first)
{
	while (first->nnetns)
		conf_state_put(first->netns[--first->nnetns]);
	free(first->netns);
}

/* ---- transactions ------------------------------------------------------------------------------------------------------------ */

static void *copy_array(const void *from, size_t n, size_t size)
{
	void *to = malloc(n * size + 1); /* one more: never zero bytes, so NULL is always an error */

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

static int begin_one(struct conf_state *st, struct conf_undo *undo)
{
	int err = netcfg_begin(st->cfg);

	if (err)
		return err;
	undo->st = conf_state_get(st);
	undo->links = copy_array(st->links, st->nlinks, sizeof(*st->links));
	undo->services = copy_array(st->services, st->nservices, sizeof(*st->services));
	undo->nlinks = st->nlinks;
	undo->nservices = st->nservices;
	return undo->links && undo->services ? xdp_list_copy(&undo->xdp, &st->xdp) : -ENOMEM;
}

int conf_begin(struct conf_state *first, struct conf_undo *undo)
{
	int err;

	memset(undo, 0, sizeof(*undo));
	memcpy(undo->control_group, first->control_group, sizeof(undo->control_group));
	undo->netns = calloc(first->nnetns + 1, sizeof(*undo->netns));
	err = undo->netns ? begin_one(first, undo) : -ENOMEM;
	for (unsigned i = 0; i < first->nnetns && !err; i++) {
		undo->nnetns++;
		err = begin_one(first->netns[i], &undo->netns[i]);
	}
	if (err)
		conf_end(first, undo);
	return err;
}

static void rollback_one(struct conf_undo *undo)
{
	struct conf_state *st = undo->st;

	netcfg_rollback(st->cfg);
	free(st->links);
	free(st->services);
	xdp_list_free(&st->xdp);
	st->xdp = undo->xdp;
	st->links = undo->links;
	st->nlinks = undo->nlinks;
	st->services = undo->services;
	st->nservices = undo->nservices;
	conf_changes_reset(st);
}

void conf_rollback(struct conf_state *first, struct conf_undo *undo)
{
	/* Those of before are held by undo, so what is given back here for good is what came since. The table has room: it had it before. */
	while (first->nnetns)
		conf_state_put(first->netns[--first->nnetns]);
	rollback_one(undo);
	memcpy(first->control_group, undo->control_group, sizeof(first->control_group));
	for (unsigned i = 0; i < undo->nnetns; i++) {
		rollback_one(&undo->netns[i]);
		first->netns[first->nnetns++] = undo->netns[i].st;
	}
	free(undo->netns);
}

static void end_one(struct conf_undo *undo)
{
	if (!undo->st) /* never begun: out of memory */
		return;
	netcfg_end(undo->st->cfg);
	free(undo->links);
	free(undo->services);
	xdp_list_free(&undo->xdp);
	conf_state_put(undo->st);
}

void conf_end(struct conf_state *first, struct conf_undo *undo)
{
	(void)first;
	for (unsigned i = 0; i < undo->nnetns; i++)
		end_one(&undo->netns[i]);
	free(undo->netns);
	end_one(undo);
}

const struct conf_undo *conf_undo_of(const struct conf_undo *undo, const struct conf_state *st)
{
	if (undo->st == st)
		return undo;
	for (unsigned i = 0; i < undo->nnetns; i++)
		if (undo->netns[i].st == st)
			return &undo->netns[i];
	return NULL;
}
