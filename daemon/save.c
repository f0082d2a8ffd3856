/* SPDX-License-Identifier: MIT */
/*
 * save.c: the running configuration as lines of the grammar, in an order in which they can be read again: tunables, links, tunables of links, addresses, routes,
 * neighbours, services; tunables and links of all network namespaces first, as links may join two. Reading them gives the same configuration, and saving that gives the same
 * lines, but that ends of pairs between namespaces may come in another order the first time.
 *
 * What is as it would be anyway is left out. What it would be is found out by doing it: a second configuration (ref) gets each tunable and link as its line is
 * made, so that a default which an earlier line has changed (ip_forward sets accept_redirects, a link begins with the values of "default") is known.
 *
 * Routes come in pieces, as there may be a million (show_route.c says what that means); in three turns:
 * those that need no address before the addresses, whose own routes would else be in their way; those that only have a source address; those with a
 * gateway last, as others may lead to it.
 */
#include "show.h"

#include "daemon.h"
#include "link_steer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netstack/linkwatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1024
#define ROUTE_TURNS 3

struct save_part { /* a namespace: its addresses and what comes after them */
	struct conf_state *conf; /* held */
	struct netcfg     *ref; /* what reading the lines so far would give; while lines are made */
	json_t            *lines; /* what is made at once: before and after the routes */
	size_t             turn_at[ROUTE_TURNS]; /* before which line each turn of routes comes */
};

struct save_answer {
	struct answer  answer;
	json_t        *lines; /* tunables and links of all namespaces */
	unsigned       nparts, part;
	bool           head_done;
	size_t         next;
	unsigned       turn;
	size_t         done, pos;
	unsigned       n, i;
	struct route_conf chunk[CHUNK];
	struct save_part  parts[];
};

struct line { /* being put together */
	char   text[2048];
	size_t len, cmd; /* cmd: where its command begins */
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

/* What a carrier brings, of "link set". */
static void put_mode(struct line *l, const struct conf_link *extra)
{
	if (extra && extra->link_mode)
		put(l, " mode %s", extra->link_mode == LINK_MODE_DORMANT ? "dormant" : "testing");
}

static json_t *line_record(const struct conf_state *st, const struct line *l)
{
	char name[2 * NETNS_NAME_MAX + 3];
	json_t *r = json_object();

	if (st->id)
		json_object_set_new(r, "line", json_sprintf("%.*s-n %s %s", (int)l->cmd, l->text, grammar_quote(st->name, name, sizeof(name)), l->text + l->cmd));
	else
		json_object_set_new(r, "line", json_string(l->text));
	return r;
}

static void end_line(const struct conf_state *st, json_t *lines, struct line *l)
{
	json_array_append_new(lines, line_record(st, l));
	l->len = l->cmd = 0;
	l->text[0] = '\0';
}

#define NAME_TEXT (2 * NS_IFNAMSIZ + 3)

/* Names may look like keywords, so they are quoted where that matters. */
static const char *dev_name(const struct conf_state *st, int ifindex, char buf[NAME_TEXT])
{
	const struct link_conf *link = netcfg_link_by_index(st->cfg, ifindex);

	return grammar_quote(link ? link->name : "", buf, NAME_TEXT);
}

struct saver { /* of one part */
	const struct save_answer *a;
	struct conf_state  *conf;
	struct netcfg      *ref;
	json_t             *lines; /* where they go */
	bool                alone; /* only this namespace is saved */
	bool                of_links; /* tunables: whose turn it is */
};

/* net.ipv4.conf.DEV.FIELD, where DEV is neither "all" nor "default". */
static bool sysctl_of_link(const char *name)
{
	static const char prefix[] = "net.ipv4.conf.";
	const char *who = name + sizeof(prefix) - 1, *field;
	size_t n;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || !(field = strrchr(who, '.')))
		return false;
	n = (size_t)(field - who);
	return !(n == 3 && memcmp(who, "all", n) == 0) && !(n == 7 && memcmp(who, "default", n) == 0);
}

static int save_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct saver *s = arg;
	char have[256], assign[256], quoted[sizeof(assign) * 2 + 3];
	struct line l = { .len = 0 };

	(void)changed; /* from the table's default, which is not the question */
	(void)help;
	if (sysctl_of_link(name) != s->of_links || (netcfg_sysctl_get(s->ref, name, have, sizeof(have)) >= 0 && strcmp(have, value) == 0))
		return 0;
	netcfg_sysctl_set(s->ref, name, value, NULL);
	snprintf(assign, sizeof(assign), "%s=%s", name, value);
	put(&l, "sysctl %s", grammar_quote(assign, quoted, sizeof(quoted)));
	end_line(s->conf, s->lines, &l);
	return 0;
}

/* ip_forward first, as it sets others. */
static void save_sysctls(struct saver *s)
{
	const struct netcfg *cfg = s->conf->cfg;
	static const char forward[] = "net.ipv4.ip_forward";
	char value[16];

	if (!s->of_links && netcfg_sysctl_get(cfg, forward, value, sizeof(value)) >= 0)
		save_sysctl(s, forward, value, true, "");
	netcfg_sysctl_foreach(cfg, save_sysctl, s);
}

#define FLAG_WORDS(link, def, bit, on, off) (((link)->flags ^ (def)) & (bit) ? ((link)->flags & (bit)) ? on : off : "")

static void save_link_set(struct saver *s, const struct link_conf *link, uint32_t def, const char *more)
{
	static const uint32_t bits = NS_IFF_UP | NS_IFF_PROMISC | NS_IFF_ALLMULTI | NS_IFF_NOARP;
	struct line l = { .len = 0 };
	char name[NAME_TEXT], steer[LINK_STEER_WORDS];

	link_steer_words(link, steer);
	if (!((link->flags ^ def) & bits) && !more[0] && !steer[0])
		return;
	put(&l, "link set %s%s%s%s%s%s%s", grammar_quote(link->name, name, sizeof(name)), FLAG_WORDS(link, def, NS_IFF_UP, " up", " down"),
	    FLAG_WORDS(link, def, NS_IFF_PROMISC, " promisc on", " promisc off"), FLAG_WORDS(link, def, NS_IFF_ALLMULTI, " allmulti on", " allmulti off"),
	    FLAG_WORDS(link, def, NS_IFF_NOARP, " arp off", " arp on"), more, steer);
	end_line(s->conf, s->lines, &l);
}

static void save_loopback(struct saver *s, const struct link_conf *link)
{
	const struct link_conf *def = netcfg_link_by_name(s->ref, link->name);
	struct line more = { .len = 0 };

	if (!def)
		return;
	if (link->mtu != def->mtu)
		put(&more, " mtu %u", link->mtu);
	if (link->txqlen != def->txqlen)
		put(&more, " txqueuelen %u", link->txqlen);
	save_link_set(s, link, def->flags, more.text);
}

static const char *netns_word(const struct conf_state *st, char *buf, size_t size)
{
	grammar_quote(conf_netns_name(st), buf, size);
	return buf;
}

/* False: it is made by the line of its other end, in this namespace or one that comes first. */
static bool put_veth(const struct saver *s, struct line *l, const struct link_conf *link)
{
	const struct conf_state *other = conf_netns_by_id(s->conf->first, link->link_netns);
	const struct link_conf *peer = other ? netcfg_link_by_index(other->cfg, link->link) : NULL;
	char name[NAME_TEXT], netns[2 * NETNS_NAME_MAX + 3];
	const struct conf_state *st = NULL;

	if (!peer)
		return false;
	if (other == s->conf && peer->ifindex < link->ifindex)
		return false;
	while (other != s->conf && (st = conf_netns_next(s->conf->first, st)) != s->conf)
		if (st == other && !s->alone)
			return false;
	put(l, " peer %s", grammar_quote(peer->name, name, sizeof(name)));
	if (other != s->conf)
		put(l, " netns %s", netns_word(other, netns, sizeof(netns)));
	return true;
}

/* A link that stands on no TAP of its own. */
static void save_device(struct saver *s, const struct link_conf *link)
{
	static const char *const types[] = { [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };
	struct line l = { .len = 0 }, more = { .len = 0 };
	const struct conf_link *extra = conf_link_find(s->conf, link->name);
	char name[NAME_TEXT], text[ADDR_TEXT], map[128];
	struct link_conf ref = *link;
	bool twin = false;

	put(&l, "link add %s type %s", grammar_quote(link->name, name, sizeof(name)), types[link->type]);
	if (link->type == LINK_VLAN) {
		put(&l, " link %s id %u", dev_name(s->conf, link->link, name), link->vlan_id);
		if (link->vlan_proto != 0x8100)
			put(&l, " protocol 802.1ad");
		qos_map_text("ingress-qos-map", link->vlan_ingress, sizeof(link->vlan_ingress), map, sizeof(map));
		put(&l, "%s", map);
		qos_map_text("egress-qos-map", link->vlan_egress, sizeof(link->vlan_egress), map, sizeof(map));
		put(&l, "%s", map);
	} else if (link->type == LINK_BRIDGE) {
		if (link->ageing_time != LINK_AGEING_DEFAULT)
			put(&more, " ageing_time %u", link->ageing_time); /* 0 means the default to "link add" */
		if (link->fdb_max_learned != LINK_FDB_MAX_DEFAULT)
			put(&l, " fdb_max_learned %u", link->fdb_max_learned);
	} else if (link->type == LINK_VETH) {
		twin = !put_veth(s, &l, link);
	}
	if (link->own & LINK_OWN_MTU)
		put(twin ? &more : &l, " mtu %u", link->mtu);
	if (link->txqlen && link->txqlen != 1000)
		put(twin ? &more : &l, " txqueuelen %u", link->txqlen);
	if (link->own & LINK_OWN_ADDR)
		put(twin ? &more : &l, " address %s", lladdr_text(&link->addr, text));
	if (!twin)
		end_line(s->conf, s->lines, &l);
	put(&more, "%s%s", link->txqlen ? "" : " txqueuelen 0", extra && extra->carrier_off ? " carrier off" : "");
	put_mode(&more, extra);
	save_link_set(s, link, 0, more.text);
	ref.type = LINK_DUMMY; /* all it is there for is its tunables */
	ref.mtu = 0;
	netcfg_link_add(s->ref, &ref, 1, NULL, NULL);
}

/* Ports and stations, when all links are there. */
static int save_port(void *arg, const struct link_conf *link)
{
	struct saver *s = arg;
	struct line l = { .len = 0 };
	char name[NAME_TEXT], words[160];

	if (!link->master)
		return 0;
	put(&l, "link set %s", grammar_quote(link->name, name, sizeof(name)));
	port_words_text(link, words, sizeof(words));
	put(&l, " master %s%s", dev_name(s->conf, link->master, name), words);
	end_line(s->conf, s->lines, &l);
	return 0;
}

static int save_fdb(void *arg, const struct fdb_conf *fdb)
{
	struct saver *s = arg;
	struct line l = { .len = 0 };
	char name[NAME_TEXT], text[ADDR_TEXT];

	put(&l, "fdb add %s dev %s %s", lladdr_text(&fdb->lladdr, text), dev_name(s->conf, fdb->ifindex, name), fdb->local ? "permanent" : "static");
	end_line(s->conf, s->lines, &l);
	return 0;
}

static int save_link(void *arg, const struct link_conf *link)
{
	struct saver *s = arg;
	const struct conf_link *extra = conf_link_find(s->conf, link->name);
	struct line l = { .len = 0 }, more = { .len = 0 };
	char text[ADDR_TEXT], name[NAME_TEXT], host[NAME_TEXT], words[1024];
	int ifindex;

	grammar_quote(link->name, name, sizeof(name));
	if (link->type == LINK_TAP) {
		put(&l, "link add %s type tap host-name %s", name, grammar_quote(link->host_name, host, sizeof(host)));
		if (link->host_addr.addr.family)
			put(&l, " host-addr %s", prefix_text(&link->host_addr, text));
		if (link->mtu != 1500)
			put(&l, " mtu %u", link->mtu);
		if (link->txqlen && link->txqlen != 1000)
			put(&l, " txqueuelen %u", link->txqlen);
		if (extra && extra->addr_given)
			put(&l, " address %s", lladdr_text(&link->addr, text));
		if (extra && extra->queues_given)
			put(&l, " queues %u", link->queues);
		if (extra)
			put(&l, "%s", link_dev_words(&extra->dev, words, sizeof(words)));
		end_line(s->conf, s->lines, &l);
		put(&more, "%s%s", link->txqlen ? "" : " txqueuelen 0", extra && extra->carrier_off ? " carrier off" : ""); /* "link add" takes 0 for the default */
		put_mode(&more, extra);
		save_link_set(s, link, 0, more.text);
		netcfg_link_add(s->ref, link, 1, &ifindex, NULL); /* if it fails, all its tunables are saved, which does no harm */
	} else if (link->type == LINK_LOOPBACK) {
		save_loopback(s, link);
	} else {
		save_device(s, link);
	}
	return 0;
}

static void save_xdp(struct saver *s)
{
	char name[NAME_TEXT], path[2 * XDP_PATH_MAX + 3], section[2 * EBPF_NAME + 3];

	for (unsigned i = 0; i < s->conf->xdp.n; i++) {
		const struct conf_xdp *x = &s->conf->xdp.v[i];
		struct line l = { .len = 0 };

		put(&l, "link set %s xdp %s", grammar_quote(x->dev, name, sizeof(name)), grammar_quote(x->path, path, sizeof(path)));
		if (x->section[0])
			put(&l, " section %s", grammar_quote(x->section, section, sizeof(section)));
		end_line(s->conf, s->lines, &l);
	}
}

struct find_addr {
	const struct addr_conf *want;
	bool                    found, same;
};

static int match_addr(void *arg, const struct addr_conf *addr)
{
	struct find_addr *f = arg;

	if (addr->ifindex != f->want->ifindex || addr->local.len != f->want->local.len || !ipaddr_equal(&addr->local.addr, &f->want->local.addr))
		return 0;
	f->found = true;
	f->same = ipaddr_equal(&addr->broadcast, &f->want->broadcast) && addr->scope == f->want->scope && strcmp(addr->label, f->want->label) == 0;
	return 1;
}

/* What lo has by itself and was taken from it. */
static int save_addr_gone(void *arg, const struct addr_conf *addr)
{
	struct saver *s = arg;
	struct find_addr f = { .want = addr };
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], name[NAME_TEXT];

	netcfg_addr_foreach(s->conf->cfg, addr->ifindex, match_addr, &f);
	if (!f.found) {
		put(&l, "addr del %s dev %s", prefix_text(&addr->local, text), dev_name(s->conf, addr->ifindex, name));
		end_line(s->conf, s->lines, &l);
	}
	return 0;
}

static int save_addr(void *arg, const struct addr_conf *addr)
{
	struct saver *s = arg;
	const struct link_conf *link = netcfg_link_by_index(s->conf->cfg, addr->ifindex);
	bool loopback = (be32_to_cpu(addr->local.addr.v4) >> 24) == 127;
	struct find_addr f = { .want = addr };
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], name[NAME_TEXT];

	if (link && link->type == LINK_LOOPBACK)
		netcfg_addr_foreach(s->ref, addr->ifindex, match_addr, &f);
	if (f.same)
		return 0; /* is there by itself */
	put(&l, "addr %s %s dev %s", f.found ? "replace" : "add", prefix_text(&addr->local, text), dev_name(s->conf, addr->ifindex, name));
	if (addr->broadcast.family)
		put(&l, " broadcast %s", addr_text(&addr->broadcast, text));
	if (addr->scope != (loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE))
		put(&l, " scope %s", scope_name(addr->scope, text));
	if (addr->label[0] && !(link && strcmp(addr->label, link->name) == 0))
		put(&l, " label %s", grammar_quote(addr->label, name, sizeof(name)));
	end_line(s->conf, s->lines, &l);
	return 0;
}

static int save_neigh(void *arg, const struct neigh_conf *neigh)
{
	struct saver *s = arg;
	struct line l = { .len = 0 };
	char text[ADDR_TEXT], mac[ADDR_TEXT], name[NAME_TEXT];

	put(&l, "neigh add %s lladdr %s dev %s", addr_text(&neigh->addr, text), lladdr_text(&neigh->lladdr, mac),
	    dev_name(s->conf, neigh->ifindex, name));
	end_line(s->conf, s->lines, &l);
	return 0;
}

enum gateway_now { GATEWAY_ON_LINK, GATEWAY_FAR, GATEWAY_OURS };

/* What reading the line would find of the gateway. FAR: the route was made when there was a way to it, and must be said to be onlink. OURS: it has become an
 * address of this host, and the route could not be made now. */
static enum gateway_now gateway_now(const struct conf_state *st, const struct route_conf *route)
{
	struct route_query q = { .daddr = route->gateway };
	struct route_conf way = { .ifindex = 0 };
	struct ipaddr src = { .family = 0 };

	if (netcfg_route_get(st->cfg, &q, &way, &src) == 0 && (way.type == RTN_LOCAL || way.type == RTN_BROADCAST))
		return GATEWAY_OURS;
	q.oif = route->ifindex;
	return netcfg_route_get(st->cfg, &q, &way, &src) == 0 && !way.gateway.family ? GATEWAY_ON_LINK : GATEWAY_FAR;
}

/* What a route's scope is when nothing is said. */
static uint8_t default_scope(const struct route_conf *route)
{
	switch (route->type) {
	case RTN_LOCAL:
		return RT_SCOPE_HOST;
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_THROW:
		return RT_SCOPE_UNIVERSE;
	default:
		return route->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	}
}

static void route_line(const struct conf_state *st, const struct route_conf *route, struct line *l)
{
	enum gateway_now gateway = route->gateway.family ? gateway_now(st, route) : GATEWAY_ON_LINK;
	char text[ADDR_TEXT], name[NAME_TEXT];

	if (gateway == GATEWAY_OURS)
		put(l, "# its gateway is an address of this host now: ");
	l->cmd = l->len;
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
		put(l, " dev %s", dev_name(st, route->ifindex, name));
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
	if (route->scope != default_scope(route))
		put(l, " scope %s", scope_name(route->scope, text));
	if ((route->flags & RTNH_F_ONLINK) || (route->ifindex && gateway == GATEWAY_FAR))
		put(l, " onlink");
	if (route->protocol != RTPROT_STATIC)
		put(l, " proto %s", protocol_name(route->protocol, text));
}

static unsigned route_turn(const struct route_conf *route)
{
	return route->gateway.family ? 2 : route->prefsrc.family ? 1 : 0;
}

static int take_route(void *arg, const struct route_conf *route)
{
	struct save_answer *a = arg;

	if (a->pos++ < a->done)
		return 0;
	a->done++;
	if (route->protocol == RTPROT_KERNEL)
		return 0; /* follows from an address */
	if (route_turn(route) != a->turn)
		return 0;
	a->chunk[a->n++] = *route;
	return a->n == CHUNK;
}

static bool next_route(struct save_answer *a, const struct conf_state *st, struct evbuffer *out)
{
	struct line l = { .len = 0 };

	if (a->i == a->n) {
		a->i = a->n = 0;
		a->pos = 0;
		netcfg_route_foreach(st->cfg, 0, take_route, a);
		if (!a->n) {
			a->turn++;
			a->done = 0;
			return false;
		}
	}
	route_line(st, &a->chunk[a->i++], &l);
	record_add(out, line_record(st, &l));
	return true;
}

static bool next_of_part(struct save_answer *a, const struct save_part *part, struct evbuffer *out)
{
	while (a->turn < ROUTE_TURNS && a->next == part->turn_at[a->turn])
		if (next_route(a, part->conf, out))
			return true;
	if (a->next == json_array_size(part->lines))
		return false;
	record_add(out, json_incref(json_array_get(part->lines, a->next++)));
	return true;
}

static bool save_next(struct answer *answer, struct evbuffer *out)
{
	struct save_answer *a = (struct save_answer *)answer;

	if (!a->head_done && a->next < json_array_size(a->lines)) {
		record_add(out, json_incref(json_array_get(a->lines, a->next++)));
		return true;
	}
	if (!a->head_done)
		a->next = 0;
	a->head_done = true;
	for (; a->part < a->nparts; a->part++) {
		if (next_of_part(a, &a->parts[a->part], out))
			return true;
		a->next = 0;
		a->turn = 0;
		a->done = 0;
	}
	return false;
}

static void save_free(struct answer *answer)
{
	struct save_answer *a = (struct save_answer *)answer;

	for (unsigned i = 0; i < a->nparts; i++) {
		struct save_part *part = &a->parts[i];

		json_decref(part->lines);
		conf_state_put(part->conf);
		if (part->ref)
			netcfg_free(part->ref);
	}
	json_decref(a->lines);
	free(a);
}

static void save_services(struct saver *s)
{
	struct line l = { .len = 0 };
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < s->conf->nservices; i++) {
		const struct service_conf *sc = &s->conf->services[i];

		put(&l, "service add %s %u %s", sc->proto == IPPROTO_TCP ? "tcp" : "udp", sc->port, sc->what);
		if (sc->addr.family)
			put(&l, " address %s", addr_text(&sc->addr, text));
		end_line(s->conf, s->lines, &l);
	}
}

/* What there is once for all namespaces, and which there are. */
static void save_whole(struct saver *s)
{
	struct conf_state *first = s->conf->first;
	struct line l = { .len = 0 };
	char text[2 * NETNS_NAME_MAX + 3];

	_Static_assert(sizeof(first->control_group) <= NETNS_NAME_MAX, "text has room for it");
	if (first->control_group[0]) {
		put(&l, "control group %s", grammar_quote(first->control_group, text, sizeof(text)));
		end_line(first, s->lines, &l);
	}
	for (unsigned i = 0; i < first->nnetns; i++) {
		put(&l, "netns add %s", grammar_quote(first->netns[i]->name, text, sizeof(text)));
		end_line(first, s->lines, &l);
	}
}

/* The rest of a part, once the links of all are there. */
static void save_part(struct saver *s, struct save_part *part)
{
	s->lines = part->lines;
	part->turn_at[0] = 0;
	netcfg_addr_foreach(s->ref, 1, save_addr_gone, s);
	netcfg_addr_foreach(s->conf->cfg, 0, save_addr, s);
	part->turn_at[1] = part->turn_at[2] = json_array_size(part->lines);
	netcfg_neigh_foreach(s->conf->cfg, save_neigh, s);
	save_services(s);
	netcfg_free(part->ref);
	part->ref = NULL;
}

static struct save_answer *save_new(struct conf_state *st)
{
	unsigned n = st->id ? 1 : st->nnetns + 1;
	struct save_answer *a = calloc(1, sizeof(*a) + n * sizeof(a->parts[0]));

	if (!a)
		return NULL;
	a->answer = (struct answer){ .next = save_next, .free = save_free };
	a->lines = json_array();
	for (; a->nparts < n; a->nparts++) {
		struct save_part *part = &a->parts[a->nparts];

		part->conf = conf_state_get(a->nparts ? st->netns[a->nparts - 1] : st);
		part->ref = netcfg_new();
		part->lines = json_array();
		if (!part->ref) {
			a->nparts++;
			save_free(&a->answer);
			return NULL;
		}
	}
	return a;
}

struct answer *save_lines(struct conf_state *st)
{
	struct save_answer *a = save_new(st);
	struct saver *s = a ? calloc(a->nparts, sizeof(*s)) : NULL;

	if (!s) {
		if (a)
			save_free(&a->answer);
		return NULL;
	}
	for (unsigned i = 0; i < a->nparts; i++)
		s[i] = (struct saver){ .a = a, .conf = a->parts[i].conf, .ref = a->parts[i].ref, .lines = a->lines, .alone = st->id != 0 };
	if (!st->id)
		save_whole(&s[0]);
	for (unsigned i = 0; i < a->nparts; i++)
		save_sysctls(&s[i]);
	for (unsigned i = 0; i < a->nparts; i++)
		netcfg_link_foreach(s[i].conf->cfg, save_link, &s[i]);
	for (unsigned i = 0; i < a->nparts; i++) {
		netcfg_link_foreach(s[i].conf->cfg, save_port, &s[i]);
		netcfg_fdb_foreach(s[i].conf->cfg, save_fdb, &s[i]);
	}
	for (unsigned i = 0; i < a->nparts; i++) {
		save_xdp(&s[i]);
		s[i].of_links = true;
		save_sysctls(&s[i]);
	}
	for (unsigned i = 0; i < a->nparts; i++)
		save_part(&s[i], &a->parts[i]);
	free(s);
	return &a->answer;
}
