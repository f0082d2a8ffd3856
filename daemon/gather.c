/* SPDX-License-Identifier: MIT */
/*
 * gather.c: one question to all workers; see gather.h.
 */
#include "gather.h"

#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void gather_back(struct job *job, void *owner)
{
	struct gather *g = ((struct gather_slot *)job)->gather;

	(void)owner;
	if (--g->pending)
		return;
	if (g->done)
		g->done(g);
	gather_free(g);
}

static void gather_collect(struct job *job, void *owner)
{
	struct gather_slot *slot = (struct gather_slot *)job;
	struct gather *g = slot->gather;
	struct worker *w = owner;

	slot->ns = worker_ns(w, g->netns);
	if (slot->ns) {
		worker_raise(slot->ns);
		stack_set_now(slot->ns->stack, w->now);
		g->collect(g, slot, w);
	} else {
		slot->err = -ESHUTDOWN;
	}
	job->run = gather_back;
	mailbox_post(&g->daemon->mail, job);
}

struct gather *gather_new(struct daemon *d, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg)
{
	struct gather *g = calloc(1, sizeof(*g) + d->nworkers * sizeof(g->slot[0]));

	if (!g)
		return NULL;
	g->daemon = d;
	g->conf = &d->conf;
	g->collect = collect;
	g->done = done;
	g->arg = arg;
	g->n = g->pending = d->nworkers;
	for (unsigned i = 0; i < g->n; i++) {
		g->slot[i].job.run = gather_collect;
		g->slot[i].gather = g;
		g->slot[i].worker = &d->workers[i];
	}
	return g;
}

void gather_free(struct gather *g)
{
	if (g)
		conf_state_put(g->conf);
	free(g);
}

void gather_post(struct gather *g)
{
	unsigned n = g->n; /* g may be gone after the last */

	if (!n) { /* no workers: a test of what is around them */
		if (g->done)
			g->done(g);
		gather_free(g);
		return;
	}

	for (unsigned i = 0; i < n; i++)
		mailbox_post(&g->slot[i].worker->mail, &g->slot[i].job);
}

int gather_start_ns(struct daemon *d, struct conf_state *conf, void (*collect)(struct gather *, struct gather_slot *, struct worker *),
		    void (*done)(struct gather *), void *arg)
{
	struct gather *g = gather_new(d, collect, done, arg);

	if (!g)
		return -ENOMEM;
	g->conf = conf_state_get(conf);
	g->netns = conf->id;
	gather_post(g);
	return 0;
}

int gather_start(struct daemon *d, void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *), void *arg)
{
	return gather_start_ns(d, &d->conf, collect, done, arg);
}

int gather_add(struct gather_slot *slot, const void *item, size_t size)
{
	if ((slot->n & (slot->n + 1)) == 0) { /* room for 2^k - 1 */
		void *list = realloc(slot->data, (2 * slot->n + 1) * size);

		if (!list)
			return -ENOMEM;
		slot->data = list;
	}
	memcpy((char *)slot->data + slot->n++ * size, item, size);
	return 0;
}
