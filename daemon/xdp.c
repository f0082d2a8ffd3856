/* SPDX-License-Identifier: MIT */
/*
 * xdp.c: XDP programs of links.
 *
 * Theory of operation. A program belongs to the configuration: "link set DEV xdp FILE" loads it when the line is carried out, so that a file that is no program
 * makes the line wrong. The file comes in the line itself (nsctl reads it with the rights of who types, and puts it there in base64), for the daemon
 * can open nobody's files; or, where the line stands in the configuration file, it is opened as that one is: by the privileged helper, which hands out nothing but eBPF
 * object files. "nsctl save" writes the path, not the bytes.
 *
 * A program has one machine for each worker from the start, so that attaching it cannot fail any more. What is attached (daemon.xdp) follows what is configured as a part
 * of each change; a program ends when no state names it and no worker runs it. Each "link set" makes maps of its own, new ones.
 *
 * Where a program may be: at TAPs, whose frames come in by stack_rx, and at the ends of veth pairs.
 *
 * Not done: one program on several links with common maps, pinning, replacing a program while keeping its maps.
 */
#include "xdp.h"

#include "../conf/base64.h"
#include "config_file.h"
#include "daemon.h"
#include "links.h"
#include "log.h"
#include "netlink_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- programs ------------------------------------------------------------------------------------------------------------- */

static struct xdp_prog *prog_get(struct xdp_prog *p)
{
	if (p)
		p->refs++;
	return p;
}

static void prog_put(struct xdp_prog *p)
{
	if (!p || --p->refs)
		return;
	for (unsigned i = 0; i < p->ncpu; i++)
		ebpf_vm_free(p->vm[i]);
	ebpf_prog_free(p->prog);
	free(p);
}

static void traced(void *arg, const char *line)
{
	const struct xdp_prog *p = arg;

	log_link(LOG_INFO, p->dev, "%s: xdp: %s", p->dev, line);
}

/* FNV-1a: tells whether a file has changed, not who changed it. */
static uint64_t digest(const unsigned char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

static int prog_load(struct xdp_prog **ret, const char *dev, const void *object, size_t len, const char *section, unsigned ncpu, struct conf_error *e)
{
	struct xdp_prog *p = calloc(1, sizeof(*p) + ncpu * sizeof(p->vm[0]));
	char why[256];
	uint64_t seed;
	int err;

	if (!p)
		return conf_fail(e, -ENOMEM, "no memory for a program");
	p->refs = 1;
	snprintf(p->dev, sizeof(p->dev), "%s", dev);
	p->digest = digest(object, len);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = p->digest ^ (uint64_t)clock_now();
	err = ebpf_load_object(&p->prog, object, len, section, ncpu, seed, p->name, why, sizeof(why));
	if (err)
		conf_fail(e, err, "%s", why[0] ? why : strerror(-err));
	for (; !err && p->ncpu < ncpu; p->ncpu++) {
		struct ebpf_env env = { .cpu = p->ncpu, .trace = traced, .arg = p };

		err = ebpf_vm_new(&p->vm[p->ncpu], p->prog, &env);
		if (err) {
			conf_fail(e, err, "no memory for a program");
			break;
		}
	}
	if (err) {
		prog_put(p);
		return err;
	}
	*ret = p;
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------ */

int xdp_list_copy(struct xdp_list *to, const struct xdp_list *from)
{
	to->n = 0;
	to->v = malloc((from->n + 1) * sizeof(*to->v));
	if (!to->v)
		return -ENOMEM;
	for (; to->n < from->n; to->n++) {
		to->v[to->n] = from->v[to->n];
		prog_get(to->v[to->n].prog);
	}
	return 0;
}

void xdp_list_free(struct xdp_list *list)
{
	while (list->n)
		prog_put(list->v[--list->n].prog);
	free(list->v);
	list->v = NULL;
}

static struct conf_xdp *find(const struct xdp_list *list, const char *dev)
{
	for (unsigned i = 0; i < list->n; i++)
		if (strcmp(list->v[i].dev, dev) == 0)
			return &list->v[i];
	return NULL;
}

const struct conf_xdp *xdp_list_find(const struct xdp_list *list, const char *dev)
{
	return find(list, dev);
}

void xdp_list_rename(struct xdp_list *list, const char *from, const char *to)
{
	struct conf_xdp *x = find(list, from);

	if (x)
		snprintf(x->dev, sizeof(x->dev), "%s", to);
}

void xdp_list_del(struct xdp_list *list, const char *dev)
{
	struct conf_xdp *x = find(list, dev);

	if (!x)
		return;
	prog_put(x->prog);
	list->n--;
	memmove(x, x + 1, (size_t)(list->v + list->n - x) * sizeof(*x));
}

void xdp_prune(struct conf_state *st)
{
	for (unsigned i = st->xdp.n; i-- > 0;)
		if (!netcfg_link_by_name(st->cfg, st->xdp.v[i].dev))
			xdp_list_del(&st->xdp, st->xdp.v[i].dev);
}

/* Takes x's reference over on 0. */
static int list_set(struct xdp_list *list, const struct conf_xdp *x)
{
	struct conf_xdp *old = find(list, x->dev), *v;

	if (old) {
		prog_put(old->prog);
		*old = *x;
		return 0;
	}
	v = realloc(list->v, (list->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n++] = *x;
	return 0;
}

/* ---- the words of a line -------------------------------------------------------------------------------------------------- */

static int blame(struct conf_error *e, const struct cmd_arg *arg)
{
	e->column = arg->column;
	snprintf(e->word, sizeof(e->word), "%s", arg->str);
	return e->err;
}

static int read_object(const struct conf_state *st, const char *path, unsigned char **ret, size_t *ret_len, struct conf_error *e)
{
	const struct conf_state *first = st->first;
	char *text = NULL;
	int fd, err;

	if (path[0] != '/')
		return conf_fail(e, -EINVAL, "xdp %s: in a configuration file the path of an object file begins with \"/\"", path);
	if (first->object_open) {
		fd = first->object_open(first->object_arg, path);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		fd = fd < 0 ? -errno : fd;
	}
	err = fd < 0 ? fd : config_read(fd, &text, ret_len);
	if (err)
		return conf_fail(e, err, "xdp %s: %s", path, err == -ENOEXEC ? "this is not an object file for eBPF" :
				 err == -ENOMSG ? "the object file must come with the command, as nsctl sends it" : strerror(-err));
	*ret = (unsigned char *)text;
	return 0;
}

int xdp_open_nothing(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	return -ENOMSG;
}

static int get_object(const struct conf_state *st, const struct cmd *cmd, const char *path, unsigned char **ret, size_t *ret_len, struct conf_error *e)
{
	const struct cmd_arg *object = cmd_arg(cmd, "object");
	int err;

	if (!object)
		return read_object(st, path, ret, ret_len, e);
	err = base64_decode(object->str, ret, ret_len);
	if (!err)
		return 0;
	conf_fail(e, err, err == -ENOMEM ? "no memory for an object file" : "\"object\" wants an object file in base64; nsctl adds it by itself");
	e->column = object->column;
	return err;
}

int xdp_command(struct conf_state *st, const struct link_conf *link, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *file = cmd_arg(cmd, "xdp"), *section = cmd_arg(cmd, "section");
	struct conf_xdp x = { .prog = NULL };
	unsigned char *object = NULL;
	size_t len = 0;
	int err;

	if (strcmp(file->str, "off") == 0) {
		if (section) {
			conf_fail(e, -EINVAL, "\"section\" goes with a file, not with \"xdp off\"");
			return blame(e, section);
		}
		xdp_list_del(&st->xdp, link->name);
		return 0;
	}
	if (link->type != LINK_TAP && link->type != LINK_VETH) {
		conf_fail(e, -EOPNOTSUPP, "%s is neither a TAP nor a veth: it takes no XDP program", link->name);
		return blame(e, file);
	}
	if (strlen(file->str) >= sizeof(x.path) || (section && strlen(section->str) >= sizeof(x.section))) {
		conf_fail(e, -ENAMETOOLONG, "a path has at most %zu characters, a section's name %zu", sizeof(x.path) - 1, sizeof(x.section) - 1);
		return blame(e, file);
	}
	memcpy(x.dev, link->name, sizeof(x.dev));
	strcpy(x.path, file->str);
	if (section)
		strcpy(x.section, section->str);
	err = get_object(st, cmd, x.path, &object, &len, e);
	if (!err)
		err = prog_load(&x.prog, x.dev, object, len, x.section, st->first->queues, e);
	free(object);
	if (!err && list_set(&st->xdp, &x) < 0) {
		prog_put(x.prog);
		err = conf_fail(e, -ENOMEM, "no memory for a program");
	}
	return err && !e->column ? blame(e, file) : err;
}

int xdp_follow(struct conf_state *st, const struct conf_state *want, struct conf_error *e)
{
	for (unsigned i = st->xdp.n; i-- > 0;)
		if (!find(&want->xdp, st->xdp.v[i].dev))
			xdp_list_del(&st->xdp, st->xdp.v[i].dev);
	for (unsigned i = 0; i < want->xdp.n; i++) {
		const struct conf_xdp *w = &want->xdp.v[i], *have = find(&st->xdp, w->dev);

		if (have && strcmp(have->path, w->path) == 0 && strcmp(have->section, w->section) == 0 && have->prog->digest == w->prog->digest)
			continue;
		if (list_set(&st->xdp, w) < 0)
			return conf_fail(e, -ENOMEM, "no memory for a program");
		prog_get(w->prog);
	}
	return 0;
}

/* ---- on the workers --------------------------------------------------------------------------------------------------------- */

struct xdp_change {
	struct xdp_ports now; /* what will be attached; its references */
	struct xdp_port *set; /* what changes; prog NULL: off. No references: they are now's and those that stay attached until done */
	unsigned         nset;
};

static const struct xdp_port *port_find(const struct xdp_ports *ports, uint32_t netns, int ifindex)
{
	for (unsigned i = 0; i < ports->n; i++)
		if (ports->v[i].netns == netns && ports->v[i].ifindex == ifindex)
			return &ports->v[i];
	return NULL;
}

static void ports_free(struct xdp_ports *ports)
{
	while (ports->n)
		prog_put(ports->v[--ports->n].prog);
	free(ports->v);
	ports->v = NULL;
}

static int add_ports(struct xdp_ports *ports, const struct conf_state *st)
{
	struct xdp_port *v = realloc(ports->v, (ports->n + st->xdp.n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	ports->v = v;
	for (unsigned i = 0; i < st->xdp.n; i++) {
		const struct link_conf *link = netcfg_link_by_name(st->cfg, st->xdp.v[i].dev);

		if (link)
			v[ports->n++] = (struct xdp_port){ .netns = st->id, .ifindex = link->ifindex, .prog = prog_get(st->xdp.v[i].prog) };
	}
	return 0;
}

/* Numbers of programs are far away from those of the host's kernel, which ip(8) asks when it shows one. */
#define PROG_ID_FIRST 1000000000

static int wanted_ports(struct daemon *d, struct xdp_ports *ports)
{
	struct conf_state *st = NULL;
	int err = 0;

	while (!err && (st = conf_netns_next(&d->conf, st)))
		err = add_ports(ports, st);
	for (unsigned i = 0; i < ports->n; i++)
		if (!ports->v[i].prog->id)
			ports->v[i].prog->id = PROG_ID_FIRST + d->xdp.made++ % PROG_ID_FIRST;
	return err;
}

int xdp_prepare(struct daemon *d, struct xdp_change **ret)
{
	struct xdp_change *c = calloc(1, sizeof(*c));
	int err = c ? wanted_ports(d, &c->now) : -ENOMEM;

	if (!err) {
		c->set = calloc(c->now.n + d->xdp.n + 1, sizeof(*c->set));
		err = c->set ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; !err && i < d->xdp.n; i++)
		if (!port_find(&c->now, d->xdp.v[i].netns, d->xdp.v[i].ifindex))
			c->set[c->nset++] = (struct xdp_port){ .netns = d->xdp.v[i].netns, .ifindex = d->xdp.v[i].ifindex };
	for (unsigned i = 0; !err && i < c->now.n; i++) {
		const struct xdp_port *old = port_find(&d->xdp, c->now.v[i].netns, c->now.v[i].ifindex);

		if (!old || old->prog != c->now.v[i].prog)
			c->set[c->nset++] = c->now.v[i];
	}
	if (err || !c->nset) {
		xdp_done(d, c, false);
		c = NULL;
	}
	*ret = c;
	return err;
}

void xdp_apply(const struct xdp_change *c, struct worker *w)
{
	for (unsigned i = 0; c && i < c->nset; i++) {
		const struct xdp_port *port = &c->set[i];
		struct worker_ns *ns = worker_ns(w, port->netns);

		/* The device may be gone, with what was attached to it. That it takes none was found out before. */
		if (ns && port->prog)
			stack_xdp_set(ns->stack, port->ifindex, ebpf_run, port->prog->vm[w->cpu]);
		else if (ns)
			stack_xdp_set(ns->stack, port->ifindex, NULL, NULL);
	}
}

/* RTM_NEWLINK, as on Linux. */
static void tell(struct daemon *d, const struct xdp_change *c)
{
	for (unsigned i = 0; i < c->nset; i++) {
		struct conf_state *st = NULL;
		const struct netdev_state *dev;

		while ((st = conf_netns_next(&d->conf, st)) && st->id != c->set[i].netns)
			;
		dev = st ? links_state(st, c->set[i].ifindex) : NULL;
		if (dev)
			netlink_link_event(d, st, NETDEV_CHANGEINFO, dev, 0);
	}
}

void xdp_done(struct daemon *d, struct xdp_change *c, bool commit)
{
	if (!c)
		return;
	if (commit) {
		struct xdp_ports old = d->xdp;

		c->now.made = old.made;
		d->xdp = c->now;
		c->now = old;
		tell(d, c);
	}
	ports_free(&c->now);
	free(c->set);
	free(c);
}

void xdp_close_all(struct daemon *d)
{
	ports_free(&d->xdp);
}
