/* SPDX-License-Identifier: MIT */
/*
 * show.c: what "show" commands answer. What the configuration knows is answered at once, and here; what the workers know is gathered from all of them by files of
 * their own (show_totals.c, show_neigh.c, show_fdb.c, show_socket.c, show_xdp.c). Long lists are sent piece by piece (show_socket.c, show_route.c).
 */
#include "show_priv.h"

#include "apply.h"
#include "daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- from the configuration ------------------------------------------------------------------------------------------------ */

struct list_of {
	const struct conf_state *st;
	const struct netcfg *defaults;
	json_t              *list;
	const char          *name;
	bool                 found;
};

static int add_addr(void *arg, const struct addr_conf *addr)
{
	struct list_of *l = arg;
	const struct link_conf *link = netcfg_link_by_index(l->st->cfg, addr->ifindex);

	json_array_append_new(l->list, record_addr(link ? link->name : "", addr));
	return 0;
}

static int add_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct list_of *l = arg;
	char def[256];
	json_t *r;

	if (l->name) {
		/* A whole name, or a branch of the tree: "net.ipv4" or "net.ipv4.". Slashes are dots. */
		size_t n = strlen(l->name);

		for (size_t i = 0; i < n; i++)
			if ((l->name[i] == '/' ? '.' : l->name[i]) != name[i])
				return 0;
		if (name[n] && name[n] != '.' && l->name[n - 1] != '.')
			return 0;
	}
	r = json_object();
	set_given(r, "name", name);
	json_object_set_new(r, "value", json_string(value));
	set_bool(r, "changed", changed);
	if (l->defaults && netcfg_sysctl_get(l->defaults, name, def, sizeof(def)) >= 0)
		json_object_set_new(r, "default", json_string(def));
	set_given(r, "help", help);
	json_array_append_new(l->list, r);
	l->found = true;
	return 0;
}

static json_t *sysctl_records(const struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *name = cmd_arg(cmd, "name");
	struct list_of l = { .st = st, .name = name && name->str[0] ? name->str : NULL, .list = json_array() };
	struct netcfg *defaults = netcfg_new();

	l.defaults = defaults;
	netcfg_sysctl_foreach(st->cfg, add_sysctl, &l);
	if (defaults)
		netcfg_free(defaults);
	if (l.found || !l.name)
		return l.list;
	conf_fail(e, -ENOENT, "there is no sysctl %s", l.name);
	conf_suggest_sysctl(e, st->cfg, l.name);
	e->column = name->column;
	snprintf(e->word, sizeof(e->word), "%s", l.name);
	json_decref(l.list);
	return NULL;
}

static json_t *service_records(const struct conf_state *st)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < st->nservices; i++) {
		const struct service_conf *s = &st->services[i];
		json_t *r = json_object();

		set_given(r, "proto", s->proto == IPPROTO_TCP ? "tcp" : "udp");
		set_num(r, "port", s->port);
		set_given(r, "what", s->what);
		set_addr(r, "address", &s->addr);
		json_array_append_new(list, r);
	}
	return list;
}

/* The first one, which has no name, is called as "-n" calls it. */
static json_t *netns_records(const struct daemon *d)
{
	json_t *list = json_array();
	struct conf_state *st = NULL;

	while ((st = conf_netns_next(&d->conf, st))) {
		json_t *r = json_object();

		set_given(r, "name", conf_netns_name(st));
		set_num(r, "id", st->id);
		set_num(r, "links", st->nlinks + 1); /* and lo */
		set_num(r, "services", st->nservices);
		json_array_append_new(list, r);
	}
	return list;
}

static int count_route(void *arg, const struct route_conf *route)
{
	(void)route;
	++*(uint64_t *)arg;
	return 0;
}

static int count_link(void *arg, const struct link_conf *link)
{
	(void)link;
	++*(uint64_t *)arg;
	return 0;
}

static json_t *version_records(const struct daemon *d, const struct conf_state *st)
{
	uint64_t routes = 0, links = 0;
	json_t *list = json_array(), *r = json_object();

	netcfg_route_foreach(st->cfg, RT_TABLE_MAIN, count_route, &routes);
	netcfg_link_foreach(st->cfg, count_link, &links);
	set_given(r, "version", netstack_version());
	set_num(r, "workers", d->nworkers);
	set_num(r, "uptime_ms", (uint64_t)((clock_now() - d->started) / NSEC_PER_MSEC));
	set_num(r, "pid", (uint64_t)getpid());
	set_given(r, "config", d->config_path ? d->config_path : "");
	set_given(r, "control", d->control_path ? d->control_path : "");
	set_num(r, "links", links);
	set_num(r, "routes", routes);
	json_array_append_new(list, r);
	return list;
}

/* ---- requests ----------------------------------------------------------------------------------------------------------------------- */

static int take_dev(const struct conf_state *st, const struct cmd *cmd, struct show *show, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev");
	const struct link_conf *link = dev ? netcfg_link_by_name(st->cfg, dev->str) : NULL;

	if (!dev)
		return 0;
	snprintf(show->name, sizeof(show->name), "%s", dev->str);
	if (link && link->type != LINK_TAP && (cmd->id == CMD_SHOW_FEATURES || cmd->id == CMD_SHOW_RINGS)) {
		conf_fail(e, -EOPNOTSUPP, "%s is not a TAP: it has no %s", link->name, cmd->id == CMD_SHOW_RINGS ? "rings" : "offloads that could be switched");
	} else if (link) {
		show->ifindex = link->ifindex;
		return 0;
	} else {
		conf_no_link(e, st->cfg, dev->str);
	}
	e->column = dev->column;
	snprintf(e->word, sizeof(e->word), "%s", dev->str);
	return e->err;
}

static struct show *show_new(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *name = cmd_arg(cmd, "name"), *addr = cmd_arg(cmd, "addr"), *lladdr = cmd_arg(cmd, "lladdr");
	struct show *show = calloc(1, sizeof(*show));

	if (!show) {
		conf_fail(e, -ENOMEM, "no memory for the request");
		return NULL;
	}
	show->claim = claim;
	show->id = cmd->id;
	show->all = cmd_arg(cmd, "all") != NULL;
	show->up = cmd_arg(cmd, "up") != NULL;
	if (name)
		snprintf(show->name, sizeof(show->name), "%s", name->str);
	if (addr)
		show->addr = addr->prefix.addr;
	show->has_lladdr = lladdr != NULL;
	if (lladdr)
		show->lladdr = lladdr->lladdr;
	if (take_dev(st, cmd, show, e) < 0) {
		free(show);
		return NULL;
	}
	return show;
}

void show_free_slots(struct gather *g)
{
	for (unsigned i = 0; i < g->n; i++)
		free(g->slot[i].data);
}

bool show_all_answered(struct gather *g, struct claim *claim)
{
	struct conf_error e;

	for (unsigned i = 0; i < g->n; i++) {
		if (!g->slot[i].err)
			continue;
		conf_fail(&e, g->slot[i].err, "a worker could not answer: %s", strerror(-g->slot[i].err));
		claim_result(claim, &e);
		return false;
	}
	return true;
}

int show_ask(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e,
	     void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *))
{
	struct show *show = show_new(st, cmd, claim, e);

	if (!show)
		return e->err;
	if (gather_start_ns(d, st, collect, done, show) < 0) {
		free(show);
		return conf_fail(e, -ENOMEM, "no memory for the request");
	}
	return 0;
}

int show_forget(struct daemon *d, struct conf_state *st, const struct cmd *cmd, int del, struct claim *claim, struct conf_error *e,
		void (*collect)(struct gather *, struct gather_slot *, struct worker *), void (*done)(struct gather *))
{
	if (cmd->id == del) {
		int err = apply_command(d, cmd, claim_done, claim, e);

		if (err != -ENOENT)
			return err;
	}
	return show_ask(d, st, cmd, claim, e, collect, done);
}

size_t show_counted(const struct gather *g)
{
	size_t n = 0;

	for (unsigned i = 0; i < g->n; i++)
		n += g->slot[i].n;
	return n;
}

static int answer_now(struct claim *claim, struct answer *answer, struct conf_error *e)
{
	if (!answer)
		return e->err ? e->err : conf_fail(e, -ENOMEM, "no memory for the answer");
	claim_answer(claim, answer);
	return 0;
}

static int show_addrs(const struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	struct show show = { .ifindex = 0 };
	struct list_of l = { .st = st };

	if (take_dev(st, cmd, &show, e) < 0)
		return e->err;
	l.list = json_array();
	netcfg_addr_foreach(st->cfg, show.ifindex, add_addr, &l);
	return answer_now(claim, answer_list(l.list), e);
}

int show_request(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	memset(e, 0, sizeof(*e));
	switch (cmd->id) {
	case CMD_LINK_SHOW:
	case CMD_SHOW_FEATURES:
	case CMD_SHOW_RINGS:
	case CMD_SHOW_DROPS:
	case CMD_SHOW_SOFTNET:
	case CMD_SHOW_RUNTIME:
	case CMD_SHOW_GRO:
	case CMD_SHOW_COUNTERS:
		return show_totals(d, st, cmd, claim, e);
	case CMD_SHOW_XDP:
		return show_xdp(d, st, cmd, claim, e);
	case CMD_XDP_MAP:
		return xdp_map_request(st, cmd, claim, e);
	case CMD_NEIGH_SHOW:
		return show_neighs(d, st, cmd, claim, e);
	case CMD_FDB_SHOW:
		return show_fdb(d, st, cmd, claim, e);
	case CMD_SHOW_SOCKETS:
		return show_sockets(d, st, cmd, claim, e);
	case CMD_ADDR_SHOW:
		return show_addrs(st, cmd, claim, e);
	case CMD_ROUTE_SHOW:
		return answer_now(claim, show_routes(st, cmd), e);
	case CMD_ROUTE_GET:
		return show_route_get(st, cmd, claim, e);
	case CMD_SYSCTL_SHOW:
		return answer_now(claim, answer_list(sysctl_records(st, cmd, e)), e);
	case CMD_SERVICE_SHOW:
		return answer_now(claim, answer_list(service_records(st)), e);
	case CMD_SHOW_VERSION:
		return answer_now(claim, answer_list(version_records(d, st)), e);
	case CMD_NETNS_SHOW:
		return answer_now(claim, answer_list(netns_records(d)), e);
	case CMD_SAVE:
		return answer_now(claim, save_lines(st), e);
	default:
		return conf_fail(e, -EINVAL, "this command is answered by nsctl, not by the daemon");
	}
}
