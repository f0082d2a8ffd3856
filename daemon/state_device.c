/* SPDX-License-Identifier: MIT */
/*
 * state_device.c: commands about devices that stand on no TAP of their own: dummies, veth pairs, VLANs, bridges and their ports and stations. What
 * may stand on what is netcfg's to say (netcfg_upper.c); here words become its structures, and words that make no sense for a kind of link are
 * refused.
 */
#include "state_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KIND(type) (1u << (type))
#define KINDS_SOFT (KIND(LINK_DUMMY) | KIND(LINK_VETH) | KIND(LINK_VLAN) | KIND(LINK_BRIDGE))

/* Which words belong to which kinds; all others fit any. */
static const struct { const char *key; uint32_t kinds; const char *whose; } words[] = {
	{ "peer", KIND(LINK_VETH), "a veth" }, { "netns", KIND(LINK_VETH), "a veth" },
	{ "link", KIND(LINK_VLAN), "a VLAN" }, { "id", KIND(LINK_VLAN), "a VLAN" }, { "protocol", KIND(LINK_VLAN), "a VLAN" },
	{ "ingress-qos-map", KIND(LINK_VLAN), "a VLAN" }, { "egress-qos-map", KIND(LINK_VLAN), "a VLAN" },
	{ "ageing_time", KIND(LINK_BRIDGE), "a bridge" }, { "fdb_max_learned", KIND(LINK_BRIDGE), "a bridge" },
	{ "host-name", ~KINDS_SOFT, "a TAP" }, { "host-addr", ~KINDS_SOFT, "a TAP" }, { "queues", ~KINDS_SOFT, "a TAP" },
	{ "vnet-hdr", ~KINDS_SOFT, "a TAP" },
};

int device_words(const struct cmd *cmd, enum link_type type, struct conf_error *e)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!cmd_arg(cmd, words[i].key) || words[i].kinds & KIND(type))
			continue;
		conf_fail(e, -EINVAL, "\"%s\" is of %s only", words[i].key, words[i].whose);
		return blame(e, cmd, words[i].key);
	}
	return 0;
}

/* FROM:TO,FROM:TO. False: it is not such a list. What is not named stays. */
static bool qos_map(const char *s, uint8_t *map, unsigned nfrom, unsigned nto)
{
	while (*s) {
		char *end;
		unsigned long from = strtoul(s, &end, 10), to;

		if (end == s || *end != ':' || from >= nfrom)
			return false;
		s = end + 1;
		to = strtoul(s, &end, 10);
		if (end == s || (*end && *end != ',') || (*end && !end[1]) || to >= nto)
			return false;
		map[from] = (uint8_t)to;
		s = *end ? end + 1 : end;
	}
	return true;
}

static int take_map(const struct cmd *cmd, const char *key, uint8_t *map, unsigned nfrom, unsigned nto, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, key);

	if (!arg || qos_map(arg->str, map, nfrom, nto))
		return 0;
	conf_fail(e, -EINVAL, "\"%s\" is not a list FROM:TO,FROM:TO with FROM below %u and TO below %u", arg->str, nfrom, nto);
	return blame(e, cmd, key);
}

/* What a link of its kind has when it is made and later. */
static int take_kind(const struct cmd *cmd, struct link_conf *link, struct conf_error *e)
{
	int err = device_words(cmd, link->type, e);

	if (!err)
		err = take_map(cmd, "ingress-qos-map", link->vlan_ingress, sizeof(link->vlan_ingress), sizeof(link->vlan_egress), e);
	if (!err)
		err = take_map(cmd, "egress-qos-map", link->vlan_egress, sizeof(link->vlan_egress), sizeof(link->vlan_ingress), e);
	take_u32(cmd, "ageing_time", &link->ageing_time);
	take_u32(cmd, "fdb_max_learned", &link->fdb_max_learned);
	return err;
}

/* ---- making ---- */

int conf_veth_add(struct conf_state *st, const struct link_conf *params, struct conf_state *other, const struct link_conf *peer, struct conf_error *e)
{
	struct conf_link extra = { .ifindex = 0 };
	struct netcfg_err why = { "" };
	struct link_conf a = *params;
	int err, ifindex, peer_ifindex;
	uint64_t seed;

	a.link_netns = other->id;
	err = conf_links_room(st, e);
	if (!err)
		err = conf_links_room(other, e);
	if (!err)
		err = conf_seed(&seed, e);
	if (err)
		return err;
	err = netcfg_veth_add(st->cfg, &a, peer, seed, &ifindex, &peer_ifindex, &why);
	if (err)
		return refused(e, err, &why);
	conf_links_note(st, ifindex, &extra);
	conf_links_note(other, peer_ifindex, &extra);
	return 0;
}

static int veth_add(struct conf_state *st, const struct cmd *cmd, const struct link_conf *link, struct conf_error *e)
{
	const struct cmd_arg *netns = cmd_arg(cmd, "netns");
	struct conf_state *other = netns ? conf_netns_find(st->first, netns->str) : st;
	struct link_conf peer = { .mtu = 0 };
	int err;

	if (!cmd_arg(cmd, "peer")) {
		conf_fail(e, -EINVAL, "a veth needs the name of its other end: peer NAME");
		return blame(e, cmd, "type");
	}
	if (!other) {
		conf_no_netns(e, st->first, netns->str);
		return blame(e, cmd, "netns");
	}
	err = take_name(cmd, "peer", peer.name, "the name", e);
	if (err)
		return err;
	err = conf_veth_add(st, link, other, &peer, e);
	return err ? blame(e, cmd, err == -EEXIST && !netcfg_link_by_name(st->cfg, link->name) ? "peer" : "name") : 0;
}

static int vlan_params(const struct conf_state *st, const struct cmd *cmd, struct link_conf *link, struct conf_error *e)
{
	const struct cmd_arg *id = cmd_arg(cmd, "id"), *protocol = cmd_arg(cmd, "protocol");
	const struct link_conf *lower;

	if (!cmd_arg(cmd, "link") || !id) {
		conf_fail(e, -EINVAL, "a VLAN needs the link that it stands on and a number: link NAME id NUMBER");
		return blame(e, cmd, "type");
	}
	lower = link_of(st, cmd, "link", e);
	if (!lower)
		return e->err;
	link->link = lower->ifindex;
	link->link_netns = st->id;
	link->vlan_id = (uint16_t)id->num;
	link->vlan_proto = (uint16_t)(protocol ? protocol->num : 0);
	return 0;
}

/* The word that netcfg's refusal of a VLAN is about. */
static const char *culprit(int err, const struct conf_state *st, const struct link_conf *link)
{
	if (link->type == LINK_VLAN && err == -ERANGE)
		return "mtu";
	if (link->type == LINK_VLAN && err == -EEXIST && !netcfg_link_by_name(st->cfg, link->name))
		return "id";
	return link->type == LINK_VLAN && (err == -EOPNOTSUPP || err == -EMLINK) ? "link" : "name";
}

int device_add(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *address = cmd_arg(cmd, "address");
	struct link_conf link = { .type = (enum link_type)cmd_arg(cmd, "type")->num };
	struct conf_link extra = { .ifindex = 0 };
	const char *key;
	int err;

	if (link.type == LINK_LOOPBACK) {
		conf_fail(e, -EOPNOTSUPP, "there is one loopback link only, lo");
		return blame(e, cmd, "type");
	}
	if (link_dev_given(cmd, &key)) {
		conf_fail(e, -EOPNOTSUPP, "only a TAP has a device to set up");
		return blame(e, cmd, key);
	}
	err = take_name(cmd, "name", link.name, "the name", e);
	if (!err)
		err = take_kind(cmd, &link, e);
	if (!err && link.type == LINK_VLAN)
		err = vlan_params(st, cmd, &link, e);
	if (err)
		return err;
	take_u32(cmd, "mtu", &link.mtu);
	take_u32(cmd, "txqueuelen", &link.txqlen);
	if (address)
		link.addr = address->lladdr;
	if (link.type == LINK_VETH)
		return veth_add(st, cmd, &link, e);
	extra.addr_given = address != NULL;
	err = conf_link_add(st, &link, &extra, e);
	if (err)
		return blame(e, cmd, culprit(err, st, &link));
	if (!cmd_arg(cmd, "ageing_time") || link.ageing_time)
		return 0;
	link = *netcfg_link_by_name(st->cfg, link.name); /* for a new link 0 is what nobody gave */
	link.ageing_time = 0;
	return conf_link_change(st, &link, e);
}

/* ---- changing ---- */

static const struct { const char *key; uint8_t bit; } port_words[] = {
	{ "learning", LINK_PORT_LEARNING }, { "flood", LINK_PORT_FLOOD }, { "mcast_flood", LINK_PORT_MCAST_FLOOD }, { "bcast_flood", LINK_PORT_BCAST_FLOOD },
	{ "hairpin", LINK_PORT_HAIRPIN }, { "isolated", LINK_PORT_ISOLATED },
};
#define NPORT_WORDS (sizeof(port_words) / sizeof(port_words[0]))

static int port_set(const struct cmd *cmd, struct link_conf *link, struct conf_error *e)
{
	for (size_t i = 0; i < NPORT_WORDS; i++) {
		const struct cmd_arg *arg = cmd_arg(cmd, port_words[i].key);

		if (!arg)
			continue;
		if (!link->master) {
			conf_fail(e, -EINVAL, "%s is not a port of a bridge", link->name);
			return blame(e, cmd, port_words[i].key);
		}
		link->port_flags = (uint8_t)(arg->num ? link->port_flags | port_words[i].bit : link->port_flags & ~port_words[i].bit);
	}
	return 0;
}

int device_set(struct conf_state *st, const struct cmd *cmd, struct link_conf *link, struct conf_error *e)
{
	int err = take_kind(cmd, link, e);

	if (err)
		return err;
	if (cmd_arg(cmd, "nomaster"))
		link->master = 0;
	if (cmd_arg(cmd, "master")) {
		const struct link_conf *master = link_of(st, cmd, "master", e), now = *link;

		if (!master)
			return e->err;
		link->master = master->ifindex;
		if (now.master != link->master) { /* at once, as words of the same command may be about the new port */
			struct link_conf port = *netcfg_link_by_index(st->cfg, link->ifindex);

			port.master = link->master;
			err = conf_link_change(st, &port, e);
			if (err)
				return blame(e, cmd, "master");
			link->port_flags = LINK_PORT_DEFAULT;
			link->mtu = now.mtu;
		}
	}
	return port_set(cmd, link, e);
}

size_t port_words_text(const struct link_conf *link, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < NPORT_WORDS; i++)
		if ((link->port_flags ^ LINK_PORT_DEFAULT) & port_words[i].bit && n < size)
			n += (size_t)snprintf(buf + n, size - n, " %s %s", port_words[i].key, link->port_flags & port_words[i].bit ? "on" : "off");
	return n;
}

size_t qos_map_text(const char *key, const uint8_t *map, unsigned n, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n && len < size; i++)
		if (map[i])
			len += (size_t)snprintf(buf + len, size - len, "%s%s%s%u:%u", len ? "," : " ", len ? "" : key, len ? "" : " ", i, map[i]);
	return len;
}

/* ---- stations ---- */

int conf_fdb_change(struct conf_state *st, const struct fdb_conf *fdb, int how, struct conf_error *e)
{
	struct netcfg_err why = { "" };
	char text[ADDR_TEXT];
	int err;

	if (how != CONF_DEL)
		return refused(e, netcfg_fdb_add(st->cfg, fdb, how == CONF_REPLACE, &why), &why);
	err = netcfg_fdb_del(st->cfg, fdb->ifindex, &fdb->lladdr);
	return err ? conf_fail(e, err, "there is no static station %s there", lladdr_text(&fdb->lladdr, text)) : 0;
}

int device_fdb(struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct link_conf *dev = link_of(st, cmd, "dev", e);
	struct fdb_conf fdb = { .local = cmd_arg(cmd, "static") == NULL };

	if (!dev)
		return e->err;
	fdb.ifindex = dev->ifindex;
	fdb.lladdr = cmd_arg(cmd, "lladdr")->lladdr;
	if (conf_fdb_change(st, &fdb, cmd->id == CMD_FDB_DEL ? CONF_DEL : cmd->id == CMD_FDB_ADD ? CONF_ADD : CONF_REPLACE, e))
		return blame(e, cmd, e->err == -EINVAL ? "dev" : "lladdr");
	return 0;
}
