/* SPDX-License-Identifier: MIT */
/* publish.h: what a change means to the workers; between apply.c, which works it out, and publish.c. On the control thread; workers only read it. */
#ifndef DAEMON_PUBLISH_H
#define DAEMON_PUBLISH_H

#include "apply.h"
#include "tap.h"

struct gather;

struct link_tap { /* how its TAP is to be driven */
	int             ifindex;
	struct tap_conf conf;
};

struct publish_ns { /* what becomes of one namespace */
	struct conf_state  *conf; /* held */
	uint32_t            id; /* for workers, which may not look at conf */
	bool                remove;
	const struct net_snapshot *snap; /* NULL: as it is */
	struct tap        **attach, **detach;
	unsigned            nattach, ndetach;
	struct service_conf *add, *del;
	unsigned            nadd, ndel;
	struct link_tap    *taps;
	unsigned            ntaps;
	uint16_t            pin[STACK_MAX_CPUS]; /* by worker: as in struct worker_ns */
};

struct publish { /* owned by the gather; workers only read it */
	struct publish_ns  *ns;
	unsigned            nns;
	apply_done          done;
	void               *arg;
	struct xdp_change  *xdp; /* NULL: no program comes or goes */
};

struct publish *publish_new(unsigned nns); /* room for that many namespaces. NULL: no memory */
struct publish_ns *publish_add(struct publish *p, struct conf_state *st); /* one more of them, held until publish_free */
void publish_free(struct publish *p); /* one that was not published */
/* In two steps, for who must not fail half way: what may lack memory (NULL), to be posted or freed (gather_free), and the rest. apply_busy until all workers have it. */
struct gather *publish_gather(struct daemon *daemon, struct publish *p);
void publish_post(struct daemon *daemon, struct gather *gather); /* takes p over */
int  publish(struct daemon *daemon, struct publish *p); /* both. Takes p over on 0; -ENOMEM */

#endif
