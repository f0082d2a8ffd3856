/* SPDX-License-Identifier: MIT */
/*
 * link_steer.h: which workers forward what comes in by a link: the words of "link set" for stack/steer.c, and back.
 */
#ifndef DAEMON_LINK_STEER_H
#define DAEMON_LINK_STEER_H

#include "../conf/grammar.h"
#include <jansson.h>
#include <netstack/netcfg.h>

struct conf_error;
struct conf_state;

#define LINK_STEER_WORDS 640 /* bytes that words of a link take at most */

/* Takes rps-cpus, rps-flow-cnt, rss-indir and rss-key. 0, or -EINVAL with e filled. */
int  link_steer_take(struct link_conf *link, const struct cmd *cmd, struct conf_error *e);
/* What of it has no effect with so many workers: as a warning (conf_warn). */
void link_steer_warn(struct conf_state *st, const struct cmd *cmd, const struct link_conf *link);
bool link_steer_same(const struct link_conf *a, const struct link_conf *b);
void link_steer_copy(struct link_conf *to, const struct link_conf *from);
/* What differs from the defaults, as words of "link set", each with a blank in front. Returns buf. */
const char *link_steer_words(const struct link_conf *link, char buf[LINK_STEER_WORDS]);
void link_steer_record(const struct link_conf *link, json_t *r); /* adds the keys of "link show -j" */

#endif
