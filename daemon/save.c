/* SPDX-License-Identifier: MIT */
/*
 * save.c: the running configuration as lines of the grammar, in an order in which they can be read again: tunables, links, addresses, routes, neighbours,
 * services. What is as it would be anyway is left out.
 *
 * Routes come in pieces, as there may be a million (show_route.c says what that means).
 */
#include "show.h"

#include "daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1024

struct save_answer {
	struct answer  answer;
	struct daemon *daemon;
	json_t        *lines; /* what is made at once: before and after the routes */
	size_t         next, routes_at;
	bool           routes_done;
	size_t         done, pos;
	unsigned       n, i;
	struct route_conf chunk[CHUNK];
};

struct line { /* being put together */
	char   text[1024];
	size_t len;
};

static void put(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = l->len + (size_t)n < sizeof(l->text) ? l->len + (size_t)n : sizeof(l->text) - 1;
}

static json_t *line_record(const struct line *l)
{
	json_t *r = json_object();

	json_object_set_new(r, "line", json_string(l->text));
	return r;
}

static void end_line(struct save_answer *a, struct line *l)
{
	json_array_append_new(a->lines, line_record(l));
	l->len = 0;
	l->text[0] = '\0';
}

#define NAME_TEXT (2 * NS_IFNAMSIZ + 3)

/* Names may look like keywords, so they are quoted where that matters. */
static const char *dev_name(const struct daemon *d, int ifindex, char buf[NAME_TEXT])
{
	const struct link_conf *link = netcfg_link_by_index(d->conf.cfg, ifindex);

	return grammar_quote(link ? link->name : "", buf, NAME_TEXT);
}

static int save_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct line l = { .len = 0 };

	(void)help;
	if (changed) {
		put(&l, strpbrk(value, " \t") ? "sysctl %s=\"%s\"" : "sysctl %s=%s", name, value);
		end_line(arg, &l);
	}
	return 0;
}

static int save_link(void *arg, const struct link_conf *link)
{
	struct save_answer *a = arg;
	const struct conf_link *extra = conf_link_find(&a->daemon->conf, link->name);
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], name[NAME_TEXT], host[NAME_TEXT];

	grammar_quote(link->name, name, sizeof(name));
	if (link->type == LINK_TAP) {
		put(&l, "link add %s type tap host-name %s", name, grammar_quote(link->host_name, host, sizeof(host)));
		if (link->host_addr.addr.family)
			put(&l, " host-addr %s", prefix_text(&link->host_addr, text));
		if (link->mtu != 1500)
			put(&l, " mtu %u", link->mtu);
		if (link->txqlen != 1000)
			put(&l, " txqueuelen %u", link->txqlen);
		if (extra && extra->addr_given)
			put(&l, " address %s", lladdr_text(&link->addr, text));
		if (extra && extra->queues_given)
			put(&l, " queues %u", link->queues);
		if (extra && extra->offload)
			put(&l, " offload on");
		end_line(a, &l);
		if (link->flags & (NS_IFF_UP | NS_IFF_PROMISC | NS_IFF_ALLMULTI | NS_IFF_NOARP)) {
			put(&l, "link set %s%s%s%s%s", name, link->flags & NS_IFF_UP ? " up" : "", link->flags & NS_IFF_PROMISC ? " promisc on" : "",
			    link->flags & NS_IFF_ALLMULTI ? " allmulti on" : "", link->flags & NS_IFF_NOARP ? " arp off" : "");
			end_line(a, &l);
		}
	} else if (link->type == LINK_LOOPBACK) {
		if (!(link->flags & NS_IFF_UP)) {
			put(&l, "link set %s down", name);
			end_line(a, &l);
		}
		if (link->mtu != 65536) {
			put(&l, "link set %s mtu %u", name, link->mtu);
			end_line(a, &l);
		}
	}
	return 0;
}

static int save_addr(void *arg, const struct addr_conf *addr)
{
	struct save_answer *a = arg;
	const struct link_conf *link = netcfg_link_by_index(a->daemon->conf.cfg, addr->ifindex);
	bool loopback = (be32_to_cpu(addr->local.addr.v4) >> 24) == 127;
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], name[NAME_TEXT];

	if (addr->ifindex == 1 && addr->local.len == 8 && be32_to_cpu(addr->local.addr.v4) == INADDR_LOOPBACK)
		return 0; /* is there by itself */
	put(&l, "addr add %s dev %s", prefix_text(&addr->local, text), dev_name(a->daemon, addr->ifindex, name));
	if (addr->broadcast.family)
		put(&l, " broadcast %s", addr_text(&addr->broadcast, text));
	if (addr->scope != (loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE))
		put(&l, " scope %s", scope_name(addr->scope, text));
	if (addr->label[0] && !(link && strcmp(addr->label, link->name) == 0))
		put(&l, " label %s", grammar_quote(addr->label, name, sizeof(name)));
	end_line(a, &l);
	return 0;
}

static int save_neigh(void *arg, const struct neigh_conf *neigh)
{
	struct save_answer *a = arg;
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], mac[ADDR_TEXT], name[NAME_TEXT];

	put(&l, "neigh add %s lladdr %s dev %s", addr_text(&neigh->addr, text), lladdr_text(&neigh->lladdr, mac),
	    dev_name(a->daemon, neigh->ifindex, name));
	end_line(a, &l);
	return 0;
}

static void route_line(const struct daemon *d, const struct route_conf *route, struct line *l)
{
	char text[ADDR_TEXT], name[NAME_TEXT];

	put(l, "route add ");
	if (route->type != RTN_UNICAST && route->type != RTN_UNSPEC)
		put(l, "%s ", route_type_name(route->type));
	if (route->dst.len == 0)
		put(l, "default");
	else
		put(l, "%s", prefix_text(&route->dst, text));
	if (route->gateway.family)
		put(l, " via %s", addr_text(&route->gateway, text));
	if (route->ifindex)
		put(l, " dev %s", dev_name(d, route->ifindex, name));
	if (route->metric)
		put(l, " metric %u", route->metric);
	if (route->prefsrc.family)
		put(l, " src %s", addr_text(&route->prefsrc, text));
	if (route->table && route->table != RT_TABLE_MAIN)
		put(l, " table %s", table_name(route->table, text));
	if (route->mtu)
		put(l, " mtu %u", route->mtu);
	if (route->advmss)
		put(l, " advmss %u", route->advmss);
	if (route->type == RTN_UNICAST && route->scope != (route->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK))
		put(l, " scope %s", scope_name(route->scope, text));
	if (route->flags & RTNH_F_ONLINK)
		put(l, " onlink");
	if (route->protocol != RTPROT_STATIC)
		put(l, " proto %s", protocol_name(route->protocol, text));
}

static int take_route(void *arg, const struct route_conf *route)
{
	struct save_answer *a = arg;

	if (a->pos++ < a->done)
		return 0;
	a->done++;
	if (route->protocol == RTPROT_KERNEL)
		return 0; /* follows from an address */
	a->chunk[a->n++] = *route;
	return a->n == CHUNK;
}

static bool next_route(struct save_answer *a, struct evbuffer *out)
{
	struct line l = { .len = 0 };

	if (a->i == a->n) {
		a->i = a->n = 0;
		a->pos = 0;
		netcfg_route_foreach(a->daemon->conf.cfg, 0, take_route, a);
		if (!a->n) {
			a->routes_done = true;
			return false;
		}
	}
	route_line(a->daemon, &a->chunk[a->i++], &l);
	record_add(out, line_record(&l));
	return true;
}

static bool save_next(struct answer *answer, struct evbuffer *out)
{
	struct save_answer *a = (struct save_answer *)answer;

	if (a->next == a->routes_at && !a->routes_done && next_route(a, out))
		return true;
	if (a->next == json_array_size(a->lines))
		return false;
	record_add(out, json_incref(json_array_get(a->lines, a->next++)));
	return true;
}

static void save_free(struct answer *answer)
{
	json_decref(((struct save_answer *)answer)->lines);
	free(answer);
}

struct answer *save_lines(struct daemon *d)
{
	struct save_answer *a = calloc(1, sizeof(*a));
	struct line l = { .len = 0 };
	char text[ADDR_TEXT];

	if (!a)
		return NULL;
	a->answer = (struct answer){ .next = save_next, .free = save_free };
	a->daemon = d;
	a->lines = json_array();
	if (d->conf.control_group[0]) {
		put(&l, "control group %s", d->conf.control_group);
		end_line(a, &l);
	}
	netcfg_sysctl_foreach(d->conf.cfg, save_sysctl, a);
	netcfg_link_foreach(d->conf.cfg, save_link, a);
	netcfg_addr_foreach(d->conf.cfg, 0, save_addr, a);
	a->routes_at = json_array_size(a->lines);
	netcfg_neigh_foreach(d->conf.cfg, save_neigh, a);
	for (unsigned i = 0; i < d->conf.nservices; i++) {
		const struct service_conf *s = &d->conf.services[i];

		put(&l, "service add %s %u %s", s->proto == IPPROTO_TCP ? "tcp" : "udp", s->port, s->what);
		if (s->addr.family)
			put(&l, " address %s", addr_text(&s->addr, text));
		end_line(a, &l);
	}
	return &a->answer;
}
