/* SPDX-License-Identifier: MIT */
/* show_priv.h: a "show" command on its way through the workers; between show.c and the files that know what it asks them. */
#ifndef DAEMON_SHOW_PRIV_H
#define DAEMON_SHOW_PRIV_H

#include "show.h"

struct show { /* a show command on its way through the workers */
	struct claim *claim;
	int           id;
	bool          all, up;
	char          name[64]; /* link, or start of a counter's name */
	int           ifindex;
	struct ipaddr addr;
	bool          has_lladdr;
	struct eth_addr lladdr;
};

/* Asks all workers of st's namespace: arg of the gather is a struct show made from the words of cmd, which done frees. 0, or -errno with e: the claim is still the
 * caller's. */
int show_ask(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e,
	     void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *));
/* The same for a word that takes something away, where "del" may also mean what is configured: that is tried first, the workers are asked if there is no such thing. */
int show_forget(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, int del, struct claim *claim, struct conf_error *e,
		void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *));
size_t show_counted(const struct gather *gather); /* the sum of what the workers have counted in slot->n */
bool show_all_answered(struct gather *gather, struct claim *claim); /* false: a worker failed, and the claim with it */
void show_free_slots(struct gather *gather); /* what each slot's data points to */

/* As show_request. */
int show_totals(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
int show_neighs(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);

#endif
