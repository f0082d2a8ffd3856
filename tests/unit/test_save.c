/* SPDX-License-Identifier: MIT */
/*
 * test_save.c: "save": reading its lines gives the same configuration, and saving that gives the same lines. Random configurations of every setting; a refused
 * command is no failure, as what matters is the state that came of it.
 */
#include "config_file.h"
#include "daemon.h"
#include "link_steer.h"
#include "show.h"
#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What "save" answers, as text. */
static char *saved(struct conf_state *st)
{
	struct answer *a = save_lines(st);
	struct evbuffer *out = evbuffer_new();
	size_t len, n;
	char *text, *line;
	FILE *f = open_memstream(&text, &n);

	cr_assert(a && out && f);
	while (a->next(a, out))
		;
	a->free(a);
	while ((line = evbuffer_readln(out, &len, EVBUFFER_EOL_LF))) {
		json_t *r = json_loads(line, 0, NULL);

		cr_assert(r, "not JSON: %s", line);
		fprintf(f, "%s\n", json_string_value(json_object_get(r, "line")));
		json_decref(r);
		free(line);
	}
	fclose(f);
	evbuffer_free(out);
	return text;
}

static int put_sysctl(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	(void)changed;
	(void)help;
	fprintf(arg, "%s=%s\n", name, value);
	return 0;
}

struct dump {
	FILE                    *f;
	const struct conf_state *st;
};

static const char *dev(const struct dump *d, int ifindex)
{
	const struct link_conf *l = netcfg_link_by_index(d->st->cfg, ifindex);

	return l ? l->name : "-";
}

/* Below and above by name. An address that nobody gave is made anew each time. */
static int put_link(void *arg, const struct link_conf *l)
{
	const struct dump *d = arg;
	const struct conf_state *other = conf_netns_by_id(d->st->first, l->link_netns);
	const struct link_conf *lower = other ? netcfg_link_by_index(other->cfg, l->link) : NULL;
	const struct conf_link *extra = conf_link_find(d->st, l->name);
	char text[ADDR_TEXT], in[160], out[160], words[1024], steer[LINK_STEER_WORDS];

	qos_map_text("in", l->vlan_ingress, sizeof(l->vlan_ingress), in, sizeof(in));
	qos_map_text("out", l->vlan_egress, sizeof(l->vlan_egress), out, sizeof(out));
	fprintf(d->f, "%s type %d flags %x carrier %u mtu %u qlen %u host %s on %s/%s of %s port %x vlan %x %u%s%s ageing %u fdb %u", l->name, l->type, l->flags, l->carrier, l->mtu,
		l->txqlen, l->host_name, lower ? lower->name : "-", lower ? conf_netns_name(other) : "-", dev(d, l->master), l->port_flags, l->vlan_proto, l->vlan_id, in, out,
		l->ageing_time, l->fdb_max_learned);
	link_steer_words(l, steer);
	fprintf(d->f, " queues %u host-addr %s%s", l->queues, l->host_addr.addr.family ? prefix_text(&l->host_addr, text) : "-", steer);
	if (extra)
		fprintf(d->f, " cable %u", !extra->carrier_off);
	if (extra && l->type == LINK_TAP)
		fprintf(d->f, " given %u%u%s", extra->addr_given, extra->queues_given, link_dev_words(&extra->dev, words, sizeof(words)));
	if (l->type != LINK_TAP && l->type != LINK_LOOPBACK)
		fprintf(d->f, " own %u %s", l->own, l->own & LINK_OWN_ADDR ? lladdr_text(&l->addr, text) : "");
	fprintf(d->f, "\n");
	return 0;
}

static int put_fdb(void *arg, const struct fdb_conf *fdb)
{
	const struct dump *d = arg;
	char text[ADDR_TEXT];

	fprintf(d->f, "station %s dev %s %u\n", lladdr_text(&fdb->lladdr, text), dev(d, fdb->ifindex), fdb->local);
	return 0;
}

static int put_addr(void *arg, const struct addr_conf *c)
{
	const struct dump *d = arg;
	char a[ADDR_TEXT], b[ADDR_TEXT];

	fprintf(d->f, "%s %s %s %u %u %s\n", dev(d, c->ifindex), prefix_text(&c->local, a), addr_text(&c->broadcast, b), c->scope, c->secondary, c->label);
	return 0;
}

static int put_route(void *arg, const struct route_conf *r)
{
	const struct dump *d = arg;
	char a[ADDR_TEXT], b[ADDR_TEXT], c[ADDR_TEXT];

	fprintf(d->f, "%s via %s src %s dev %s metric %u table %u mtu %u advmss %u type %u scope %u proto %u\n", prefix_text(&r->dst, a), addr_text(&r->gateway, b),
		addr_text(&r->prefsrc, c), dev(d, r->ifindex), r->metric, r->table, r->mtu, r->advmss, r->type, r->scope, r->protocol);
	return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Everything, line by line in order: numbers of links and the order in which equal routes were made are nobody's setting. */
static char *everything(const struct conf_state *st)
{
	char *text, *sorted, *line[4096], *save = NULL;
	unsigned n = 0;
	size_t len;
	struct dump d = { .f = open_memstream(&text, &len), .st = st };

	netcfg_sysctl_foreach(st->cfg, put_sysctl, d.f);
	netcfg_link_foreach(st->cfg, put_link, &d);
	netcfg_fdb_foreach(st->cfg, put_fdb, &d);
	netcfg_addr_foreach(st->cfg, 0, put_addr, &d);
	netcfg_route_foreach(st->cfg, 0, put_route, &d);
	fclose(d.f);
	for (char *p = strtok_r(text, "\n", &save); p && n < 4096; p = strtok_r(NULL, "\n", &save))
		line[n++] = p;
	cr_assert_lt(n, 4096);
	qsort(line, n, sizeof(line[0]), by_text);
	d.f = open_memstream(&sorted, &len);
	for (unsigned i = 0; i < n; i++)
		fprintf(d.f, "%s\n", line[i]);
	fclose(d.f);
	free(text);
	return sorted;
}

static void load(struct conf_state *st, const char *text)
{
	struct conf_error e;

	cr_assert_eq(conf_state_init(st, 2), 0);
	memset(&e, 0, sizeof(e));
	cr_assert_eq(config_parse(st, text, strlen(text), &e), 0, "line %u column %u: %s\n%s", e.line, e.column, e.text, text);
}

static void check_fixed_point(struct conf_state *st)
{
	struct conf_state again, followed;
	struct conf_error e;
	char *first = saved(st), *second, *third, *was = everything(st), *is;

	load(&again, first);
	second = saved(&again);
	cr_assert_str_eq(first, second, "saved:\n%s\nread and saved again:\n%s", first, second);
	is = everything(&again);
	for (char *p = was, *q = is; *p || *q;) { /* the first line that differs says more than all of them */
		size_t m = strcspn(p, "\n"), k = strcspn(q, "\n");

		cr_assert(m == k && memcmp(p, q, m) == 0, "%s\nwas: %.*s\nis:  %.*s", first, (int)m, p, (int)k, q);
		p += m + (p[m] != 0);
		q += k + (q[k] != 0);
	}
	/* A start and a reload get there by the difference. */
	cr_assert_eq(conf_state_init(&followed, 2), 0);
	cr_assert_eq(conf_follow(&followed, &again, &e), 0, "%s\nwhen following:\n%s", e.text, first);
	third = saved(&followed);
	cr_assert_str_eq(first, third, "saved:\n%s\nfollowed and saved:\n%s", first, third);
	free(first);
	free(second);
	free(third);
	free(was);
	free(is);
	conf_state_exit(&again);
	conf_state_exit(&followed);
}

#define BRIDGE "link add br0 type bridge\nlink set eth0 master br0\nlink set br0 up\n"
#define LINKS "link add eth0 type tap host-name t0\nlink set eth0 up\naddr add 10.0.0.2/24 dev eth0\nlink add \"via\" type tap host-name \"de-v\"\n"

static const char *const cases[] = {
	"",
	LINKS,
	"sysctl net.ipv4.ip_forward=1\nsysctl net.ipv4.conf.all.accept_redirects=1\n",
	"sysctl net.ipv4.conf.all.accept_redirects=0\n",
	LINKS "sysctl net.ipv4.conf.eth0.rp_filter=1\nsysctl net.ipv4.conf.default.rp_filter=2\n",
	"sysctl net.ipv4.conf.default.rp_filter=2\n" LINKS "sysctl net.ipv4.conf.eth0.rp_filter=0\nsysctl net.ipv4.conf.lo.rp_filter=1\n",
	LINKS "sysctl net.ipv4.ip_forward=1\nsysctl net.ipv4.conf.eth0.forwarding=0\n",
	"link add a=b@c type tap host-name t9\nsysctl net.ipv4.conf.default.arp_ignore=3\nlink add x.y type tap host-name t8\n",
	LINKS "link set eth0 mode dormant name lan0\nlink set \"via\" name eth0\nlink add d type dummy\nlink set d mode testing\n",
	LINKS "addr add 10.0.0.3/24 dev eth0 label eth0:1\nroute add 10.3.0.0/16 via 10.0.0.1\nsysctl net.ipv4.conf.eth0.rp_filter=2\nlink set eth0 name lan0\n",
	LINKS "link set eth0 carrier off\nlink set \"via\" promisc on arp off allmulti on\n",
	LINKS "link set eth0 rps-cpus 5 rps-flow-cnt 1024\nlink set \"via\" rss-indir 0,1,1,3 rss-key 01:08:0f:16:1d:24:2b:32:39:40:47:4e:55:5c:63:6a:71:78:7f:86:8d:94:9b:a2:a9:b0:b7:be:c5:cc:d3:da:e1:e8:ef:f6:fd:04:0b:12\n",
	LINKS "link set eth0 rps-cpus 0 rss-indir 2\nsysctl net.core.flow_limit_cpu_bitmap=f\nsysctl net.core.rps_sock_flow_entries=4096\n",
	"link set lo down\n", "link set lo mtu 9000 txqueuelen 7 promisc on\n",
	"addr del 127.0.0.1/8 dev lo\naddr add 127.0.0.2/8 dev lo\n",
	"addr replace 127.0.0.1/8 dev lo label loop\n",
	LINKS "route add 10.30.0.0/16 dev eth0\nroute add default via 10.30.0.1\n",
	LINKS "addr add 10.9.0.1/24 dev eth0\nroute add default via 10.9.0.7\naddr del 10.9.0.1/24 dev eth0\n",
	LINKS "sysctl net.ipv4.tcp_rmem=\"4096 8192 16384\"\nsysctl net.ipv4.tcp_congestion_control=reno\n",
	LINKS "control group \"group\"\nservice add tcp 80 http address 10.0.0.2\nservice add udp 7 echo\n",
	LINKS "link add eth0.7 type vlan link eth0 id 7 egress-qos-map 0:1,5:6\nlink add \"type\" type vlan link eth0.7 id 0 protocol 802.1ad mtu 1400 ingress-qos-map 7:15\n"
	      "link set eth0.7 up\nlink set eth0.7 address 02:00:00:00:00:77\n",
	LINKS BRIDGE "link set \"via\" master br0 isolated on flood off\nfdb add 02:00:00:00:00:09 dev eth0 static\nfdb add 02:00:00:00:00:08 dev br0\n",
	LINKS BRIDGE "link add br0.7 type vlan link br0 id 7\nlink set br0 ageing_time 0 fdb_max_learned 10 mtu 1000\nlink set br0.7 up\n",
	"link add d type dummy mtu 2000\nlink set d up carrier off txqueuelen 0\nlink add a type veth peer b\nlink set b up mtu 1400 address 02:00:00:00:00:0b\nlink set a up\n",
	"netns add red\nnetns add blue\nlink add a type veth peer b netns red\n-n red link add x type veth peer y netns blue\n-n blue link add up type veth peer up netns default\n"
	"-n red link set b up\n-n blue link set y up mtu 1300\nlink set \"up\" up address 02:00:00:00:00:0c\n-n red link add b.5 type vlan link b id 5\n",
	LINKS "addr add 10.0.0.3/24 dev eth0 broadcast 10.0.0.255 label eth0:1\naddr add 10.0.0.4/25 dev eth0 scope link\n",
};

/* Nothing is learned, and not the default: also when the bridge is made so. */
Test(save, an_ageing_time_of_nothing)
{
	struct conf_state st;

	load(&st, "link add br0 type bridge ageing_time 0\nlink add br1 type bridge\n");
	cr_expect_eq(netcfg_link_by_name(st.cfg, "br0")->ageing_time, 0u);
	cr_expect_eq(netcfg_link_by_name(st.cfg, "br1")->ageing_time, 30000u);
	check_fixed_point(&st);
	conf_state_exit(&st);
}

Test(save, what_is_read_is_saved_again)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_state st;

		load(&st, cases[i]);
		check_fixed_point(&st);
		conf_state_exit(&st);
	}
}

/* ---- random ------------------------------------------------------------------------------------------------------------- */

struct names {
	char     name[512][96];
	unsigned n;
};

static int note_name(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	struct names *names = arg;

	(void)value;
	(void)changed;
	(void)help;
	snprintf(names->name[names->n++ % 512], sizeof(names->name[0]), "%s", name);
	return 0;
}

static unsigned below(unsigned *seed, unsigned n) { return (unsigned)rand_r(seed) / 7 % n; }

static void random_sysctl(struct conf_state *st, unsigned *seed, char *line, size_t size)
{
	static const char *const values[] = { "0", "1", "2", "3", "8", "100", "4096", "65536", "reno", "cubic", "\"4096 8192 70000\"", "\"20000 30000\"" };
	static struct names names;

	names.n = 0;
	netcfg_sysctl_foreach(st->cfg, note_name, &names);
	snprintf(line, size, "sysctl %s=%s", names.name[below(seed, names.n)], values[below(seed, sizeof(values) / sizeof(values[0]))]);
}

/* How a device is driven: some of it at random. */
static void random_device(unsigned *seed, const char *dev, char *line, size_t size)
{
	static const char *const words[] = {
		"backend read", "backend uring", "backend auto", "offload off", "offload on", "offload tso off", "offload tso on", "offload tso4 off", "offload tso6 on",
		"offload tso6 off", "offload rx off", "offload tx off", "offload uso off rx-gro-hw off", "offload gro off", "offload rx-udp-gro-forwarding on",
		"offload rx-filter on", "ring rx 512", "ring tx 64 rx 2000", "copybreak 0", "copybreak 1942", "rx-usecs 50", "rx-frames 32", "adaptive-rx on", "busy-poll 20",
		"irq-affinity 0-2,7,63-65", "irq-affinity all",
	};
	size_t n = (size_t)snprintf(line, size, "link set %s", dev);

	for (unsigned k = 0; k < 3; k++)
		n += (size_t)snprintf(line + n, size - n, " %s", words[below(seed, sizeof(words) / sizeof(words[0]))]); /* the same keyword twice is refused: that is fine */
}

static void random_command(struct conf_state *st, unsigned *seed, char *line, size_t size)
{
	static const char *const devs[] = { "eth0", "eth1", "eth2", "\"dev\"", "a.b", "lo", "br0", "br1", "v0", "v1", "q0", "d0" };
	static const char *const onoff[] = { "on", "off" };
	static const char *const types[] = { "", "", "", "blackhole ", "unreachable ", "prohibit ", "throw ", "local ", "broadcast " };
	static const char *const scopes[] = { "", "", " scope link", " scope host", " scope global" };
	static const char *const tables[] = { "", "", " table 100", " table local", " table default" };
	const char *dev = devs[below(seed, below(seed, 2) ? 6 : 12)], *o = onoff[below(seed, 2)];
	unsigned a = below(seed, 4), b = below(seed, 8);
	char more[160] = "";

	switch (below(seed, 23)) {
	case 22:
		random_device(seed, dev, line, size);
		break;
	case 16:
		snprintf(line, size, "link add %s type %s%s", devs[below(seed, 4) + 6], below(seed, 4) ? "bridge" : "dummy", below(seed, 2) ? "" : " mtu 1300");
		break;
	case 17:
		snprintf(line, size, "link add v%u type veth peer v%u%s", below(seed, 2), below(seed, 2), below(seed, 2) ? "" : " address 02:00:00:00:07:01");
		break;
	case 18:
		snprintf(line, size, "link add %s type vlan link %s id %u%s", devs[below(seed, 12)], dev, a, below(seed, 3) ? "" : " mtu 900 egress-qos-map 1:2");
		break;
	case 19:
		snprintf(line, size, below(seed, 5) ? "link set %s master br%u" : "link set %s nomaster", dev, below(seed, 2));
		break;
	case 20:
		snprintf(line, size, "link set %s isolated %s learning %s", dev, o, onoff[below(seed, 2)]);
		break;
	case 21:
		snprintf(line, size, "fdb %s 02:00:00:00:09:0%u dev %s%s", below(seed, 3) ? "replace" : "del", a, dev, below(seed, 3) ? " static" : "");
		break;
	case 0:
		if (below(seed, 2))
			snprintf(more, sizeof(more), " mtu %u txqueuelen %u queues %u address 02:00:00:00:00:0%u host-addr 192.168.%u.1/24 offload %s vnet-hdr %s", 500 + 300 * a,
				 10 * b, 1 + a, b, a, o, onoff[b >> 2]);
		snprintf(line, size, "link add %s type tap host-name t%u%s", dev, b, more);
		break;
	case 1:
		snprintf(line, size, below(seed, 4) ? "link set %s up" : "link del %s", dev);
		break;
	case 2:
		snprintf(line, size, "link set %s %s promisc %s carrier %s", dev, below(seed, 3) ? "up" : "down", o, onoff[below(seed, 2)]);
		break;
	case 3:
		snprintf(line, size, "link set %s mtu %u arp %s allmulti %s txqueuelen %u rps-cpus %x rps-flow-cnt %u", dev, 600 + b, o, onoff[below(seed, 2)], a, b, a);
		break;
	case 4:
	case 5: /* on lo hosts only: a network of lo is all ours, gateways included */
		snprintf(line, size, "addr add 10.%u.0.%u/%u dev %s%s%s", a, 1 + b, strcmp(dev, "lo") == 0 ? 32 : 8 * (1 + below(seed, 4)), dev, below(seed, 2) ? " broadcast +" : "", scopes[below(seed, 5)]);
		break;
	case 6:
		snprintf(line, size, "addr %s 10.%u.0.%u/%u dev %s label %s:%u", below(seed, 2) ? "replace" : "del", a, 1 + b, strcmp(dev, "lo") == 0 ? 32 : 24, dev, "l", b);
		break;
	case 7:
	case 8:
		snprintf(line, size, "route add %s10.%u.%u.0/24 dev %s metric %u%s%s", types[below(seed, 9)], below(seed, 2) ? 100 : a, b ? b : 10, dev, a, tables[below(seed, 5)], scopes[below(seed, 5)]);
		break;
	case 9:
	case 10:
		snprintf(line, size, "route %s %s via 10.%u.0.%u%s%s mtu %u advmss %u proto %u", below(seed, 2) ? "add" : "replace", below(seed, 2) ? "default" : "172.16.0.0/12", a,
			 10 + b, below(seed, 2) ? "" : " onlink dev ", below(seed, 2) ? "" : "eth0", 600 + b, 500 + a, below(seed, 6));
		break;
	case 11:
		snprintf(line, size, "route add 10.77.%u.0/24 src 10.%u.0.%u dev %s", b, a, 1 + b, dev);
		break;
	case 12:
		snprintf(line, size, "neigh replace 10.%u.0.%u lladdr 02:00:00:00:01:%02x dev %s", a, 20 + b, b, dev);
		break;
	case 13:
		snprintf(line, size, "service %s", b < 2 ? "add udp 7 echo" : b < 4 ? "add tcp 80 http" : b < 6 ? "del tcp 80" : "add tcp 8080 http");
		break;
	default:
		random_sysctl(st, seed, line, size);
	}
}

static void random_state(struct conf_state *st, unsigned *seed, unsigned n)
{
	cr_assert_eq(conf_state_init(st, 2), 0);
	for (unsigned i = 0; i < n; i++) {
		struct conf_error e;
		char line[512];

		random_command(st, seed, line, sizeof(line));
		memset(&e, 0, sizeof(e));
		config_parse(st, line, strlen(line), &e);
	}
}

Test(save, random_configurations, .timeout = 120)
{
	unsigned seed = 20261120;

	for (unsigned round = 0; round < 150; round++) {
		struct conf_state st;

		random_state(&st, &seed, 60);
		check_fixed_point(&st);
		conf_state_exit(&st);
	}
}

/* What links are, what they stand on and belong to, after a reload from anything to anything. */
static char *links_of(const struct conf_state *st)
{
	char *all = everything(st), *out, *save = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	for (char *p = strtok_r(all, "\n", &save); p; p = strtok_r(NULL, "\n", &save))
		if (strstr(p, " flags ") || strncmp(p, "station ", 8) == 0)
			fprintf(f, "%s\n", p);
	fclose(f);
	free(all);
	return out;
}

Test(save, from_any_configuration_to_any_other, .timeout = 120)
{
	unsigned seed = 4711;

	for (unsigned round = 0; round < 150; round++) {
		struct conf_state from, to, want;
		struct conf_error e;
		char *text, *is, *was;

		random_state(&from, &seed, 60);
		random_state(&to, &seed, 60);
		text = saved(&to);
		load(&want, text);
		cr_assert_eq(conf_follow(&from, &want, &e), 0, "%s\nwhen following:\n%s", e.text, text);
		was = links_of(&want);
		is = links_of(&from);
		cr_assert_str_eq(is, was, "round %u\n%s\nis:\n%s\nshould be:\n%s", round, text, is, was);
		free(text);
		free(is);
		free(was);
		conf_state_exit(&from);
		conf_state_exit(&to);
		conf_state_exit(&want);
	}
}
