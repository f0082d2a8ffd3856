/* SPDX-License-Identifier: MIT */
/*
 * netcfg_sysctl.c: tunables by name, as sysctl(8) knows them: the plain ones of sysctl.c, those that hold several values (ip_local_port_range, tcp_rmem,
 * tcp_wmem), the congestion control by its name, and net.ipv4.conf.{all,default,DEV}.*.
 *
 * Per-device values. A link begins with a copy of "default". What holds for it is its own value and that of "all" together, each in Linux's way (see
 * DEVCONFS). "all.forwarding" and ip_forward are one switch: writing another value to it writes it to every link and to "default" and sets
 * all.accept_redirects to the opposite, as RFC 1812 section 5.2.7.2 and RFC 1122 section 3.2.2.2 want of routers and hosts.
 */
#include "netcfg_priv.h"
#include "sysctl_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum merge { MERGE_DEV, MERGE_AND, MERGE_OR, MERGE_MAX, MERGE_REDIRECTS };

/* X(field, merge, default of "default" and of links, default of "all", max, help) */
#define DEVCONFS(X) \
	X(forwarding, MERGE_DEV, 0, 0, 1, "forward packets that come in by this device") \
	X(rp_filter, MERGE_MAX, 0, 0, 2, "check the way back to the source: 0 no, 1 by this device, 2 by any") \
	X(accept_source_route, MERGE_AND, 1, 0, 1, "accept packets with a source route option") \
	X(accept_redirects, MERGE_REDIRECTS, 1, 1, 1, "accept ICMP redirects") \
	X(send_redirects, MERGE_OR, 1, 1, 1, "send ICMP redirects") \
	X(log_martians, MERGE_OR, 0, 0, 1, "log packets with impossible addresses") \
	X(proxy_arp, MERGE_OR, 0, 0, 1, "answer ARP for what is reached by another device") \
	X(arp_ignore, MERGE_MAX, 0, 0, 8, "which ARP requests are not answered") \
	X(arp_announce, MERGE_MAX, 0, 0, 2, "which source address ARP requests carry") \
	X(arp_accept, MERGE_MAX, 0, 0, 2, "make neighbours of gratuitous ARP from strangers") \
	X(arp_filter, MERGE_OR, 0, 0, 1, "answer ARP only where the way back leaves by the same device") \
	X(arp_notify, MERGE_MAX, 0, 0, 1, "send gratuitous ARP when the device or an address comes up") \
	X(route_localnet, MERGE_OR, 0, 0, 1, "127.0.0.0/8 may be routed") \
	X(bc_forwarding, MERGE_AND, 0, 0, 1, "forward directed broadcasts")

struct devconf_def {
	const char *name, *help;
	uint16_t    offset; /* in struct ipv4_devconf */
	uint8_t     merge, def, def_all, max;
};

static const struct devconf_def devconfs[] = {
#define DEVCONF_ROW(field, merge, def, def_all, max, help) { #field, help, offsetof(struct ipv4_devconf, field), merge, def, def_all, max },
	DEVCONFS(DEVCONF_ROW)
#undef DEVCONF_ROW
};
#define NDEVCONFS (sizeof(devconfs) / sizeof(devconfs[0]))
_Static_assert(NDEVCONFS == sizeof(struct ipv4_devconf), "every field of ipv4_devconf has its row");

static const char conf_prefix[] = "net.ipv4.conf.";
static const char name_forward[] = "net.ipv4.ip_forward";
static const char name_flow_limit[] = "net.core.flow_limit_table_len";
static const char name_cong[] = "net.ipv4.tcp_congestion_control";

#define MAX_VALUES 3
/* Names that hold several of the plain ones. The plain ones are taken too, but not listed. */
static const struct multi_def {
	const char *name, *help;
	const char *parts[MAX_VALUES]; /* in order; each must not be greater than the next */
} multis[] = {
	{ "net.ipv4.ip_local_port_range", "lowest and highest ephemeral port", { "net.ipv4.ip_local_port_min", "net.ipv4.ip_local_port_max" } },
	{ "net.ipv4.tcp_rmem", "receive buffer of a TCP socket: least, default, most, bytes",
	  { "net.ipv4.tcp_rmem_min", "net.ipv4.tcp_rmem_default", "net.ipv4.tcp_rmem_max" } },
	{ "net.ipv4.tcp_wmem", "send buffer of a TCP socket: least, default, most, bytes",
	  { "net.ipv4.tcp_wmem_min", "net.ipv4.tcp_wmem_default", "net.ipv4.tcp_wmem_max" } },
};
#define NMULTIS (sizeof(multis) / sizeof(multis[0]))

static const char *const cong_names[TCP_CONG_MAX] = {
#define CONG_NAME(id, name) [TCP_CONG_##id] = name,
	TCP_CONGS(CONG_NAME)
#undef CONG_NAME
};

static uint8_t *devconf_at(struct ipv4_devconf *c, const struct devconf_def *d) { return (uint8_t *)c + d->offset; }
static uint8_t devconf_get(const struct ipv4_devconf *c, const struct devconf_def *d) { return *((const uint8_t *)c + d->offset); }

struct ipv4_devconf cfg_devconf_default(void)
{
	struct ipv4_devconf c;

	for (unsigned i = 0; i < NDEVCONFS; i++)
		*devconf_at(&c, &devconfs[i]) = devconfs[i].def;
	return c;
}

struct ipv4_devconf cfg_devconf_all_default(void)
{
	struct ipv4_devconf c;

	for (unsigned i = 0; i < NDEVCONFS; i++)
		*devconf_at(&c, &devconfs[i]) = devconfs[i].def_all;
	return c;
}

void cfg_devconf_merge(const struct netcfg *cfg, unsigned link, struct ipv4_devconf *ret)
{
	const struct ipv4_devconf *own = &cfg->ext[link].own;

	for (unsigned i = 0; i < NDEVCONFS; i++) {
		uint8_t a = devconf_get(&cfg->all, &devconfs[i]), d = devconf_get(own, &devconfs[i]), v = d;

		switch ((enum merge)devconfs[i].merge) {
		case MERGE_DEV: break;
		case MERGE_AND: v = a && d; break;
		case MERGE_OR: v = a || d; break;
		case MERGE_MAX: v = a > d ? a : d; break;
		case MERGE_REDIRECTS: v = own->forwarding ? a && d : a || d; break; /* a router needs both */
		}
		*devconf_at(ret, &devconfs[i]) = v;
	}
}

static void devconf_apply(struct netcfg *cfg)
{
	for (unsigned i = 0; i < cfg->view.nlinks; i++) {
		struct ipv4_devconf v4;

		cfg_devconf_merge(cfg, i, &v4);
		if (!memcmp(&v4, &cfg->links[i].conf.v4, sizeof(v4)))
			continue;
		cfg->links[i].conf.v4 = v4;
		cfg_touch_link(cfg, i);
	}
	cfg_touch(cfg);
}

static void set_forwarding(struct netcfg *cfg, bool on)
{
	if (cfg->all.forwarding == on)
		return;
	cfg->all.forwarding = cfg->dflt.forwarding = on;
	cfg->all.accept_redirects = !on;
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		cfg->ext[i].own.forwarding = on;
	cfg->view.sysctl.ip_forward = on;
	devconf_apply(cfg);
}

/* ---- names ---- */

#define NAME_MAX_LEN 96

/* "net/ipv4/conf/eth0.1/rp_filter" to dots as sysctl(8) does: a dot in slash notation belongs to a name and stays. */
static int name_normalise(const char *name, char out[NAME_MAX_LEN])
{
	size_t len = strnlen(name, NAME_MAX_LEN);
	const char *first = strpbrk(name, "./");
	bool slashes = first && *first == '/';

	if (len == NAME_MAX_LEN)
		return -ENOENT;
	for (size_t i = 0; i <= len; i++)
		out[i] = slashes && name[i] == '/' ? '.' : name[i];
	return 0;
}

/* net.ipv4.conf.WHO.FIELD; the name of a device may have dots of its own. NULL: not such a name. */
static struct ipv4_devconf *conf_find(const struct netcfg *cfg, const char *name, const struct devconf_def **ret_def)
{
	const char *who = name + sizeof(conf_prefix) - 1, *field;
	struct netcfg *c = (struct netcfg *)(uintptr_t)cfg;
	char dev[NAME_MAX_LEN];
	const struct link_conf *l;

	if (strncmp(name, conf_prefix, sizeof(conf_prefix) - 1))
		return NULL;
	field = strrchr(who, '.');
	if (!field)
		return NULL;
	memcpy(dev, who, (size_t)(field - who));
	dev[field - who] = '\0';
	field++;
	for (unsigned i = 0; i < NDEVCONFS; i++) {
		if (strcmp(devconfs[i].name, field))
			continue;
		*ret_def = &devconfs[i];
		if (!strcmp(dev, "all"))
			return &c->all;
		if (!strcmp(dev, "default"))
			return &c->dflt;
		l = netcfg_link_by_name(cfg, dev);
		return l ? &c->ext[cfg_link_index(cfg, l->ifindex)].own : NULL;
	}
	return NULL;
}

static const struct multi_def *multi_find(const char *name)
{
	for (unsigned i = 0; i < NMULTIS; i++)
		if (!strcmp(multis[i].name, name))
			return &multis[i];
	return NULL;
}

static bool is_part(const char *name)
{
	for (unsigned i = 0; i < NMULTIS; i++)
		for (unsigned k = 0; k < MAX_VALUES && multis[i].parts[k]; k++)
			if (!strcmp(multis[i].parts[k], name))
				return true;
	return false;
}

/* ---- writing ---- */

static int parse_in_range(const char *name, const char **text, int64_t min, int64_t max, int64_t *ret, struct netcfg_err *err)
{
	int64_t v;
	int r = sysctl_parse_num(text, &v);

	if (r == -EINVAL)
		return cfg_err(err, -EINVAL, "%.72s takes a number", name);
	if (r || v < min || v > max)
		return cfg_err(err, -EINVAL, "%.72s must be from %lld to %lld", name, (long long)min, (long long)max);
	*ret = v;
	return 0;
}

static int parse_mask(const char *name, const char **text, int64_t *ret, struct netcfg_err *err)
{
	int r = sysctl_parse_mask(text, ret);

	return r ? cfg_err(err, -EINVAL, "%s takes a mask in hexadecimal, as \"3\" for the first two workers", name) : 0;
}

static int set_multi(struct netcfg *cfg, const struct multi_def *m, const char *value, struct netcfg_err *err)
{
	struct sysctl_values v = cfg->view.sysctl;
	int64_t last = INT64_MIN, n;

	for (unsigned k = 0; k < MAX_VALUES && m->parts[k]; k++) {
		const struct sysctl_def *d = sysctl_find(m->parts[k]);
		int r = parse_in_range(m->name, &value, d->min, d->max, &n, err);

		if (r)
			return r;
		if (n < last)
			return cfg_err(err, -EINVAL, "the values of %s must not fall", m->name);
		sysctl_write(&v, d, n);
		last = n;
	}
	if (*value)
		return cfg_err(err, -EINVAL, "too many values for %s", m->name);
	cfg->view.sysctl = v;
	cfg_touch(cfg);
	return 0;
}

/* A plain one that is part of several must keep their order. */
static int check_parts(const struct sysctl_values *v, struct netcfg_err *err)
{
	for (unsigned i = 0; i < NMULTIS; i++)
		for (unsigned k = 1; k < MAX_VALUES && multis[i].parts[k]; k++)
			if (sysctl_read(v, sysctl_find(multis[i].parts[k - 1])) > sysctl_read(v, sysctl_find(multis[i].parts[k])))
				return cfg_err(err, -EINVAL, "the values of %s must not fall", multis[i].name);
	return 0;
}

static int set_plain(struct netcfg *cfg, const struct sysctl_def *d, const char *value, struct netcfg_err *err)
{
	struct sysctl_values v = cfg->view.sysctl;
	int64_t n;
	int r = d->type == SYSCTL_mask ? parse_mask(d->name, &value, &n, err) : parse_in_range(d->name, &value, d->min, d->max, &n, err);

	if (!r && d == sysctl_find(name_flow_limit) && (n & (n - 1)))
		r = cfg_err(err, -EINVAL, "%s must be a power of two", d->name);
	if (!r && *value)
		r = cfg_err(err, -EINVAL, "%s takes one number", d->name);
	if (r)
		return r;
	if (!strcmp(d->name, name_forward)) {
		set_forwarding(cfg, n != 0);
		return 0;
	}
	sysctl_write(&v, d, n);
	r = check_parts(&v, err);
	if (r)
		return r;
	cfg->view.sysctl = v;
	cfg_touch(cfg);
	return 0;
}

static int set_cong(struct netcfg *cfg, const char *value, struct netcfg_err *err)
{
	size_t len;

	value += strspn(value, " \t");
	len = strcspn(value, " \t\n");
	for (unsigned i = 0; i < TCP_CONG_MAX; i++)
		if (strlen(cong_names[i]) == len && !memcmp(cong_names[i], value, len)) {
			cfg->view.sysctl.tcp_congestion = (uint8_t)i;
			cfg_touch(cfg);
			return 0;
		}
	return cfg_err(err, -ENOENT, "there is no congestion control \"%.16s\", but cubic and reno", value);
}

static int set_devconf(struct netcfg *cfg, struct ipv4_devconf *conf, const struct devconf_def *d, const char *name, const char *value,
		       struct netcfg_err *err)
{
	int64_t n;
	int r = parse_in_range(name, &value, 0, d->max, &n, err);

	if (!r && *value)
		r = cfg_err(err, -EINVAL, "%.72s takes one number", name);
	if (r)
		return r;
	if (conf == &cfg->all && d->offset == offsetof(struct ipv4_devconf, forwarding)) {
		set_forwarding(cfg, n != 0);
		return 0;
	}
	*devconf_at(conf, d) = (uint8_t)n;
	devconf_apply(cfg);
	return 0;
}

int netcfg_sysctl_set(struct netcfg *cfg, const char *name, const char *value, struct netcfg_err *err)
{
	const struct devconf_def *dd = NULL;
	const struct multi_def *m;
	const struct sysctl_def *d;
	struct ipv4_devconf *conf;
	char n[NAME_MAX_LEN];

	cfg_err_clear(err);
	if (name_normalise(name, n))
		return cfg_err(err, -ENOENT, "there is no sysctl of such a long name");
	conf = conf_find(cfg, n, &dd);
	if (conf)
		return set_devconf(cfg, conf, dd, n, value, err);
	m = multi_find(n);
	if (m)
		return set_multi(cfg, m, value, err);
	if (!strcmp(n, name_cong))
		return set_cong(cfg, value, err);
	d = sysctl_find(n);
	return d ? set_plain(cfg, d, value, err) : cfg_err(err, -ENOENT, "there is no sysctl %s", n);
}

/* ---- reading ---- */

static int format_multi(const struct sysctl_values *v, const struct multi_def *m, char *buf, size_t size)
{
	long long n[MAX_VALUES] = { 0 };
	unsigned k;

	for (k = 0; k < MAX_VALUES && m->parts[k]; k++)
		n[k] = sysctl_read(v, sysctl_find(m->parts[k]));
	return k == 2 ? snprintf(buf, size, "%lld %lld", n[0], n[1]) : snprintf(buf, size, "%lld %lld %lld", n[0], n[1], n[2]);
}

int netcfg_sysctl_get(const struct netcfg *cfg, const char *name, char *buf, size_t size)
{
	const struct sysctl_values *v = &cfg->view.sysctl;
	const struct devconf_def *dd = NULL;
	const struct ipv4_devconf *conf;
	const struct multi_def *m;
	const struct sysctl_def *d;
	char n[NAME_MAX_LEN], text[SYSCTL_TEXT];

	if (name_normalise(name, n))
		return -ENOENT;
	conf = conf_find(cfg, n, &dd);
	if (conf)
		return snprintf(buf, size, "%u", devconf_get(conf, dd));
	m = multi_find(n);
	if (m)
		return format_multi(v, m, buf, size);
	if (!strcmp(n, name_cong))
		return snprintf(buf, size, "%s", cong_names[v->tcp_congestion]);
	d = sysctl_find(n);
	return d ? snprintf(buf, size, "%s", sysctl_text(d, sysctl_read(v, d), text)) : -ENOENT;
}

#define VALUE_MAX 48

struct listed {
	char        name[NAME_MAX_LEN];
	char        value[VALUE_MAX];
	bool        changed;
	const char *help;
};

static int listed_cmp(const void *a, const void *b) { return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name); }

static unsigned list_devconf(struct listed *l, const char *who, const struct ipv4_devconf *conf, const struct ipv4_devconf *def)
{
	for (unsigned i = 0; i < NDEVCONFS; i++, l++) {
		uint8_t v = devconf_get(conf, &devconfs[i]);

		snprintf(l->name, sizeof(l->name), "%s%s.%s", conf_prefix, who, devconfs[i].name);
		snprintf(l->value, sizeof(l->value), "%u", v);
		l->changed = v != devconf_get(def, &devconfs[i]);
		l->help = devconfs[i].help;
	}
	return NDEVCONFS;
}

static unsigned list_plain(const struct netcfg *cfg, struct listed *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sysctl_table_len; i++) {
		const struct sysctl_def *d = &sysctl_table[i];
		int64_t v = sysctl_read(&cfg->view.sysctl, d);

		if (is_part(d->name))
			continue;
		snprintf(l[n].name, sizeof(l[n].name), "%s", d->name);
		sysctl_text(d, v, l[n].value);
		l[n].changed = v != d->def;
		l[n++].help = d->help;
	}
	for (unsigned i = 0; i < NMULTIS; i++, n++) {
		char def[VALUE_MAX];

		snprintf(l[n].name, sizeof(l[n].name), "%s", multis[i].name);
		format_multi(&cfg->view.sysctl, &multis[i], l[n].value, sizeof(l[n].value));
		format_multi(&sysctl_defaults, &multis[i], def, sizeof(def));
		l[n].changed = strcmp(def, l[n].value) != 0;
		l[n].help = multis[i].help;
	}
	snprintf(l[n].name, sizeof(l[n].name), "%s", name_cong);
	snprintf(l[n].value, sizeof(l[n].value), "%s", cong_names[cfg->view.sysctl.tcp_congestion]);
	l[n].changed = cfg->view.sysctl.tcp_congestion != sysctl_defaults.tcp_congestion;
	l[n++].help = "congestion control of new connections: cubic or reno";
	return n;
}

int netcfg_sysctl_foreach(const struct netcfg *cfg, int (*fn)(void *arg, const char *name, const char *value, bool changed, const char *help), void *arg)
{
	struct ipv4_devconf def = cfg_devconf_default(), def_all = cfg_devconf_all_default();
	size_t max = sysctl_table_len + NMULTIS + 1 + (cfg->view.nlinks + 2) * NDEVCONFS;
	struct listed *l = malloc(max * sizeof(*l));
	unsigned n = 0;
	int r = 0;

	if (!l)
		return -ENOMEM;
	n += list_plain(cfg, l);
	n += list_devconf(l + n, "all", &cfg->all, &def_all);
	n += list_devconf(l + n, "default", &cfg->dflt, &def);
	/* A link begins with the values of "default": only what differs from them was set for it. */
	for (unsigned i = 0; i < cfg->view.nlinks; i++)
		n += list_devconf(l + n, cfg->links[i].conf.name, &cfg->ext[i].own, &cfg->dflt);
	qsort(l, n, sizeof(*l), listed_cmp);
	for (unsigned i = 0; !r && i < n; i++)
		r = fn(arg, l[i].name, l[i].value, l[i].changed, l[i].help);
	free(l);
	return r;
}
