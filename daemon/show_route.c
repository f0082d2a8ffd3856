/* SPDX-License-Identifier: MIT */
/*
 * show_route.c: "route show" and "route get".
 *
 * A table may have a million routes: they are read CHUNK at a time, between which the loop serves others, and each time from where the last one stopped. As with a
 * dump from Linux, what changes meanwhile may be missed or shown twice.
 */
#include "show.h"

#include "daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1024

struct route_answer {
	struct answer  answer;
	struct conf_state *conf;
	uint32_t       table; /* 0: all */
	int            ifindex; /* 0: any */
	bool           by_type, by_proto, by_prefix;
	uint8_t        type, proto;
	struct ipprefix prefix;
	size_t         done; /* routes passed so far */
	size_t         pos; /* of the present reading */
	unsigned       n, next;
	struct route_conf chunk[CHUNK];
};

static bool same_prefix(const struct ipprefix *a, const struct ipprefix *b)
{
	return a->len == b->len && a->addr.family == b->addr.family && memcmp(a->addr.b, b->addr.b, a->addr.family == AF_INET6 ? 16 : 4) == 0;
}

static int take_route(void *arg, const struct route_conf *route)
{
	struct route_answer *a = arg;

	if (a->pos++ < a->done)
		return 0;
	a->done++;
	if ((a->ifindex && route->ifindex != a->ifindex) || (a->by_type && route->type != a->type) || (a->by_proto && route->protocol != a->proto) ||
	    (a->by_prefix && !same_prefix(&a->prefix, &route->dst)))
		return 0;
	a->chunk[a->n++] = *route;
	return a->n == CHUNK;
}

static bool route_next(struct answer *answer, struct evbuffer *out)
{
	struct route_answer *a = (struct route_answer *)answer;
	const struct route_conf *route;
	const struct link_conf *link;

	if (a->next == a->n) {
		a->next = a->n = 0;
		a->pos = 0;
		netcfg_route_foreach(a->conf->cfg, a->table, take_route, a);
		if (!a->n)
			return false;
	}
	route = &a->chunk[a->next++];
	link = route->ifindex ? netcfg_link_by_index(a->conf->cfg, route->ifindex) : NULL;
	record_add(out, record_route(link ? link->name : "", route, link && !((link->flags & NS_IFF_UP) && link->carrier)));
	return true;
}

static void route_free(struct answer *answer)
{
	conf_state_put(((struct route_answer *)answer)->conf);
	free(answer);
}

struct answer *show_routes(struct conf_state *st, const struct cmd *cmd)
{
	const struct cmd_arg *prefix = cmd_arg(cmd, "prefix"), *table = cmd_arg(cmd, "table"), *dev = cmd_arg(cmd, "dev"), *type = cmd_arg(cmd, "type"),
			     *proto = cmd_arg(cmd, "proto");
	const struct link_conf *link = dev ? netcfg_link_by_name(st->cfg, dev->str) : NULL;
	struct route_answer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->answer = (struct answer){ .next = route_next, .free = route_free };
	a->conf = conf_state_get(st);
	a->table = !table ? RT_TABLE_MAIN : table->num == TABLE_ALL ? 0 : table->num;
	a->ifindex = link ? link->ifindex : dev ? -1 : 0;
	if (type) {
		a->by_type = true;
		a->type = (uint8_t)type->num;
	}
	if (proto) {
		a->by_proto = true;
		a->proto = (uint8_t)proto->num;
	}
	if (prefix) {
		a->by_prefix = true;
		a->prefix = prefix->prefix;
	}
	return &a->answer;
}

static int take_dev(const struct conf_state *st, const struct cmd *cmd, const char *key, int *ret, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, key);
	const struct link_conf *link = dev ? netcfg_link_by_name(st->cfg, dev->str) : NULL;

	if (dev && !link) {
		conf_no_link(e, st->cfg, dev->str);
		e->column = dev->column;
		snprintf(e->word, sizeof(e->word), "%s", dev->str);
		return e->err;
	}
	*ret = link ? link->ifindex : 0;
	return 0;
}

static const char *why_no_way(int err, bool from_us)
{
	switch (err) {
	case -ENETUNREACH:  return "no route to there";
	case -EINVAL:       return from_us ? "a blackhole route, or its source is not an address of ours" : "a blackhole route";
	case -EHOSTUNREACH: return "an unreachable route";
	case -EACCES:       return "a prohibit route";
	default:            return strerror(-err);
	}
}

int show_route_get(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *addr = cmd_arg(cmd, "addr"), *from = cmd_arg(cmd, "from"), *mark = cmd_arg(cmd, "mark");
	struct route_query q = { .daddr = addr->prefix.addr };
	const struct link_conf *link;
	struct route_conf route;
	struct ipaddr src;
	char text[ADDR_TEXT];
	json_t *list, *r;
	int err;

	if (from)
		q.saddr = from->prefix.addr;
	if (mark)
		q.mark = mark->num;
	if (take_dev(st, cmd, "iif", &q.iif, e) < 0 || take_dev(st, cmd, "oif", &q.oif, e) < 0)
		return e->err;
	memset(&route, 0, sizeof(route));
	memset(&src, 0, sizeof(src));
	err = netcfg_route_get(st->cfg, &q, &route, &src);
	if (err)
		return conf_fail(e, err, "%s: %s", addr_text(&q.daddr, text), why_no_way(err, from && !q.iif));
	link = route.ifindex ? netcfg_link_by_index(st->cfg, route.ifindex) : NULL;
	/* What was asked for, not the route's own network. */
	route.dst = (struct ipprefix){ .addr = q.daddr, .len = q.daddr.family == AF_INET6 ? 128 : 32 };
	route.prefsrc = src;
	r = record_route(link ? link->name : "", &route, false);
	list = json_array();
	json_array_append_new(list, r);
	claim_answer(claim, answer_list(list));
	return 0;
}
