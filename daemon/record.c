/* SPDX-License-Identifier: MIT */
/*
 * record.c: records of single things (conf/control_proto.h): what "show" commands list and monitors are told. Keys and words are those of "ip -j", where it has
 * them. What the workers count is not here (show_totals.c, show_neigh.c).
 */
#include "record.h"

#include "link_steer.h"
#include "links.h"
#include "show.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- words for numbers ------------------------------------------------------------------------------------------------- */

const char *scope_name(uint8_t scope, char buf[ADDR_TEXT])
{
	switch (scope) {
	case RT_SCOPE_UNIVERSE:
		return "global";
	case RT_SCOPE_SITE:
		return "site";
	case RT_SCOPE_LINK:
		return "link";
	case RT_SCOPE_HOST:
		return "host";
	case RT_SCOPE_NOWHERE:
		return "nowhere";
	}
	snprintf(buf, ADDR_TEXT, "%u", scope);
	return buf;
}

const char *protocol_name(uint8_t protocol, char buf[ADDR_TEXT])
{
	switch (protocol) {
	case RTPROT_UNSPEC:
		return "unspec";
	case RTPROT_REDIRECT:
		return "redirect";
	case RTPROT_KERNEL:
		return "kernel";
	case RTPROT_BOOT:
		return "boot";
	case RTPROT_STATIC:
		return "static";
	}
	snprintf(buf, ADDR_TEXT, "%u", protocol);
	return buf;
}

const char *table_name(uint32_t table, char buf[ADDR_TEXT])
{
	switch (table) {
	case RT_TABLE_LOCAL:
		return "local";
	case RT_TABLE_MAIN:
		return "main";
	case RT_TABLE_DEFAULT:
		return "default";
	}
	snprintf(buf, ADDR_TEXT, "%u", table);
	return buf;
}

const char *route_type_name(uint8_t type)
{
	static const char *const names[] = {
		[RTN_UNSPEC] = "unspec", [RTN_UNICAST] = "unicast", [RTN_LOCAL] = "local", [RTN_BROADCAST] = "broadcast", [RTN_ANYCAST] = "anycast",
		[RTN_MULTICAST] = "multicast", [RTN_BLACKHOLE] = "blackhole", [RTN_UNREACHABLE] = "unreachable", [RTN_PROHIBIT] = "prohibit",
		[RTN_THROW] = "throw", [RTN_NAT] = "nat",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

/* ---- members --------------------------------------------------------------------------------------------------------------- */

void set_text(json_t *r, const char *key, const char *text)
{
	json_t *s = json_string(text);
	char *copy;

	if (!s && (copy = strdup(text))) { /* not UTF-8: a name from outside, or a text that was cut within a character */
		for (char *p = copy; *p; p++)
			if (*p & 0x80)
				*p = '?';
		s = json_string(copy);
		free(copy);
	}
	json_object_set_new(r, key, s);
}

void set_given(json_t *r, const char *key, const char *text)
{
	if (text[0])
		set_text(r, key, text);
}

void set_num(json_t *r, const char *key, uint64_t n)
{
	json_object_set_new(r, key, json_integer((json_int_t)n));
}

void set_bool(json_t *r, const char *key, bool v)
{
	json_object_set_new(r, key, json_boolean(v));
}

void set_addr(json_t *r, const char *key, const struct ipaddr *addr)
{
	char text[ADDR_TEXT];

	set_given(r, key, addr_text(addr, text));
}

/* ---- records --------------------------------------------------------------------------------------------------------------- */

const char *link_operstate(const struct conf_state *st, const struct link_conf *link)
{
	const struct netdev_state *dev = links_state(st, link->ifindex);

	return netdev_operstate_name(dev ? netdev_operstate(dev) : link->flags & NS_IFF_UP ? OPER_UNKNOWN : OPER_DOWN);
}

static json_t *qos_record(const uint8_t *map, unsigned n)
{
	json_t *list = NULL;

	for (unsigned i = 0; i < n; i++)
		if (map[i]) {
			json_t *one = json_object();

			set_num(one, "from", i);
			set_num(one, "to", map[i]);
			list = list ? list : json_array();
			json_array_append_new(list, one);
		}
	return list;
}

static json_t *kind_data(const struct link_conf *link)
{
	json_t *d = json_object();

	if (link->type == LINK_VLAN) {
		set_text(d, "protocol", link->vlan_proto == 0x88a8 ? "802.1ad" : "802.1Q");
		set_num(d, "id", link->vlan_id);
		json_object_set_new(d, "ingress_qos", qos_record(link->vlan_ingress, sizeof(link->vlan_ingress)));
		json_object_set_new(d, "egress_qos", qos_record(link->vlan_egress, sizeof(link->vlan_egress)));
	} else if (link->type == LINK_BRIDGE) {
		set_num(d, "ageing_time", link->ageing_time);
		set_num(d, "stp_state", 0);
		set_num(d, "vlan_filtering", 0);
		set_num(d, "fdb_max_learned", link->fdb_max_learned);
	}
	return d;
}

static json_t *port_data(const struct link_conf *link)
{
	static const struct { const char *key; uint8_t bit; } words[] = {
		{ "learning", LINK_PORT_LEARNING }, { "flood", LINK_PORT_FLOOD }, { "mcast_flood", LINK_PORT_MCAST_FLOOD }, { "bcast_flood", LINK_PORT_BCAST_FLOOD },
		{ "hairpin", LINK_PORT_HAIRPIN }, { "isolated", LINK_PORT_ISOLATED },
	};
	json_t *d = json_object();

	set_text(d, "state", (link->flags & NS_IFF_UP) && link->carrier ? "forwarding" : "disabled");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		set_bool(d, words[i].key, link->port_flags & words[i].bit);
	return d;
}

/* What it stands on and belongs to. */
static void add_device(json_t *r, const struct conf_state *st, const struct link_conf *link)
{
	static const char *const kinds[] = { [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };
	const struct conf_state *other = conf_netns_by_id(st->first, link->link_netns);
	const struct link_conf *lower = other && link->link ? netcfg_link_by_index(other->cfg, link->link) : NULL, *master;
	json_t *info = json_object();

	if (lower && other == st)
		set_text(r, "link", lower->name);
	else if (lower)
		set_num(r, "link_index", (uint64_t)lower->ifindex);
	if (lower && other != st)
		set_text(r, "link_netns", conf_netns_name(other));
	master = link->master ? netcfg_link_by_index(st->cfg, link->master) : NULL;
	if (master)
		set_text(r, "master", master->name);
	set_num(r, "promiscuity", (link->flags & NS_IFF_PROMISC ? 1 : 0) + (master != NULL));
	if (link->type < sizeof(kinds) / sizeof(kinds[0]) && kinds[link->type]) {
		set_text(info, "info_kind", kinds[link->type]);
		if (link->type == LINK_VLAN || link->type == LINK_BRIDGE)
			json_object_set_new(info, "info_data", kind_data(link));
	}
	if (master) {
		set_text(info, "info_slave_kind", "bridge");
		json_object_set_new(info, "info_slave_data", port_data(link));
	}
	if (json_object_size(info))
		json_object_set(r, "linkinfo", info);
	json_decref(info);
}

/* In the keys of ip(8). */
static void add_xdp(json_t *r, const struct conf_xdp *x)
{
	json_t *xdp, *prog;

	if (!x)
		return;
	xdp = json_object();
	prog = json_object();
	set_num(xdp, "mode", XDP_ATTACHED_SKB);
	if (x->prog->id) /* not before it runs */
		set_num(prog, "id", x->prog->id);
	set_text(prog, "name", x->prog->name);
	json_object_set_new(xdp, "prog", prog);
	json_object_set_new(r, "xdp", xdp);
}

json_t *record_link(const struct conf_state *st, const struct link_conf *link)
{
	static const struct { uint32_t bit; const char *name; } bits[] = {
		{ NS_IFF_LOOPBACK, "LOOPBACK" }, { NS_IFF_BROADCAST, "BROADCAST" }, { NS_IFF_MULTICAST, "MULTICAST" }, { NS_IFF_NOARP, "NOARP" },
		{ NS_IFF_ALLMULTI, "ALLMULTI" }, { NS_IFF_PROMISC, "PROMISC" }, { NS_IFF_UP, "UP" }, { NS_IFF_LOWER_UP, "LOWER_UP" },
		{ NS_IFF_DORMANT, "DORMANT" },
	}; /* in ip(8)'s order */
	static const char *const types[] = { [LINK_LOOPBACK] = "loopback", [LINK_TAP] = "tap", [LINK_VIRTUAL] = "virtual",
					      [LINK_DUMMY] = "dummy", [LINK_VETH] = "veth", [LINK_VLAN] = "vlan", [LINK_BRIDGE] = "bridge" };
	const struct conf_link *extra = conf_link_find(st, link->name);
	const struct netdev_state *dev = links_state(st, link->ifindex);
	uint32_t flag_bits = dev ? netdev_flags(dev) : link->flags;
	json_t *r = json_object(), *flags = json_array();
	char text[ADDR_TEXT];

	set_num(r, "ifindex", (uint64_t)link->ifindex);
	set_given(r, "name", link->name);
	set_given(r, "type", types[link->type]);
	if ((flag_bits & NS_IFF_UP) && !(flag_bits & NS_IFF_RUNNING))
		json_array_append_new(flags, json_string("NO-CARRIER"));
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (flag_bits & bits[i].bit)
			json_array_append_new(flags, json_string(bits[i].name));
	json_object_set_new(r, "flags", flags);
	set_num(r, "mtu", link->mtu);
	set_num(r, "qlen", link->txqlen);
	set_given(r, "address", lladdr_text(&link->addr, text));
	set_given(r, "operstate", link_operstate(st, link));
	if (dev && dev->link_mode != LINK_MODE_DEFAULT)
		set_given(r, "linkmode", dev->link_mode == LINK_MODE_DORMANT ? "DORMANT" : "TESTING");
	set_bool(r, "carrier", dev ? dev->carrier : link->carrier);
	if (dev) {
		set_num(r, "carrier_changes", (uint64_t)dev->carrier_up_count + dev->carrier_down_count);
		set_num(r, "carrier_up_count", dev->carrier_up_count);
		set_num(r, "carrier_down_count", dev->carrier_down_count);
	}
	set_given(r, "host_name", link->host_name);
	if (link->host_addr.addr.family)
		set_given(r, "host_addr", prefix_text(&link->host_addr, text));
	if (link->type == LINK_TAP) {
		set_num(r, "queues", link->queues);
		set_bool(r, "offload", (link->features & ~(LINK_F_GRO | LINK_F_UDP_GRO_FWD)) != 0);
		if (extra)
			json_object_set_new(r, "device", link_dev_record(extra, link->features));
	}
	link_steer_record(link, r);
	add_xdp(r, xdp_list_find(&st->xdp, link->name));
	add_device(r, st, link);
	return r;
}

json_t *record_addr(const char *dev, const struct addr_conf *addr)
{
	json_t *r = json_object();
	char text[ADDR_TEXT];

	set_given(r, "dev", dev);
	set_addr(r, "local", &addr->local.addr);
	set_num(r, "prefixlen", addr->local.len);
	set_addr(r, "broadcast", &addr->broadcast);
	set_given(r, "scope", scope_name(addr->scope, text));
	set_given(r, "label", addr->label[0] ? addr->label : dev);
	set_bool(r, "secondary", addr->secondary);
	return r;
}

json_t *record_route(const char *dev, const struct route_conf *route, bool linkdown)
{
	json_t *r = json_object();
	char text[ADDR_TEXT];

	set_given(r, "type", route_type_name(route->type ? route->type : RTN_UNICAST));
	if (route->dst.len == 0)
		set_given(r, "dst", "default");
	else if (route->dst.len == (route->dst.addr.family == AF_INET6 ? 128 : 32))
		set_addr(r, "dst", &route->dst.addr);
	else
		set_given(r, "dst", prefix_text(&route->dst, text));
	set_addr(r, "gateway", &route->gateway);
	set_given(r, "dev", dev);
	set_addr(r, "prefsrc", &route->prefsrc);
	if (route->metric)
		set_num(r, "metric", route->metric);
	set_given(r, "table", table_name(route->table ? route->table : RT_TABLE_MAIN, text));
	set_given(r, "scope", scope_name(route->scope, text));
	set_given(r, "protocol", protocol_name(route->protocol, text));
	if (route->mtu)
		set_num(r, "mtu", route->mtu);
	if (route->advmss)
		set_num(r, "advmss", route->advmss);
	if ((route->flags & RTNH_F_ONLINK) || linkdown) {
		json_t *flags = json_array();

		if (route->flags & RTNH_F_ONLINK)
			json_array_append_new(flags, json_string("onlink"));
		if (linkdown)
			json_array_append_new(flags, json_string("linkdown"));
		json_object_set_new(r, "flags", flags);
	}
	return r;
}

json_t *record_neigh(const char *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, uint8_t nud)
{
	static const struct { uint8_t bit; const char *name; } states[] = {
		{ NUD_INCOMPLETE, "INCOMPLETE" }, { NUD_REACHABLE, "REACHABLE" }, { NUD_STALE, "STALE" }, { NUD_DELAY, "DELAY" }, { NUD_PROBE, "PROBE" },
		{ NUD_FAILED, "FAILED" }, { NUD_NOARP, "NOARP" }, { NUD_PERMANENT, "PERMANENT" },
	};
	json_t *r = json_object(), *list = json_array();
	char text[ADDR_TEXT];

	set_addr(r, "dst", addr);
	set_given(r, "dev", dev);
	if (!(nud & (NUD_INCOMPLETE | NUD_FAILED)) && nud)
		set_given(r, "lladdr", lladdr_text(lladdr, text));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (nud & states[i].bit)
			json_array_append_new(list, json_string(states[i].name));
	json_object_set_new(r, "state", list);
	return r;
}
