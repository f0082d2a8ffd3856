/* SPDX-License-Identifier: MIT */
/*
 * bridge.c: a transparent bridge (IEEE 802.1D clause 7): frames that come in by a port go to the port behind which their destination is known, or to
 * all others.
 *
 * Theory. Each shard learns from the source addresses of the frames it sees which station is behind which port (the filtering database), and forgets
 * a station that was silent for the ageing time. Frames are steered before they are bridged, so the frames of one flow keep to one shard and in
 * order. But what a shard sees of a station may be one direction only, or nothing but its ARP; so a station that is new, has moved, or is still
 * there after a quarter of the ageing time is told to the other shards (SHARD_FDB_UPDATE), at a limited rate: what is not told now is told with a
 * later frame. A flood of forged addresses fills the table up to fdb_max_learned; then nothing new is learned, and what is not known is flooded, as
 * before.
 *
 * The host is one more port: the device of the bridge itself. Frames to its address, to the addresses of ports (entries LOCAL) and to groups are
 * received by it. Frames are passed on as they are: a clone for each port but the last, whose bytes are shared; nothing is written but by a device
 * that must (checksum, tag), which makes its own copy first. GSO frames and open checksums stay what they are until a port's device cannot do them.
 *
 * Static entries and those of the host come from the configuration and are made anew when it changes. They neither age nor move: 802.1D 7.9.1.
 *
 * Invariants: port->bridge is set if and only if the port is in bridge->ports; an entry's port is in the list, or NULL (LOCAL of the bridge);
 * learned counts the entries that are neither LOCAL nor STATIC; the timer runs while there are any.
 *
 * Of the reserved group addresses (table 7-10) all but one end here. That of the spanning tree's BPDUs is flooded as any group, as Linux does without a spanning tree: bridges
 * around that have one then see a loop through this one and break it.
 *
 * Not done: the spanning tree itself (a loop in the cabling that nobody else breaks is a loop); IGMP snooping; VLAN filtering: a tagged frame is
 * bridged with its tag, and all VLANs share one database.
 */
#include "bridge.h"
#include "bug.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

static const struct eth_addr reserved_group = { { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 } };

/* ---- passing on ---- */

static bool may_leave(const struct net_device *to, const struct net_device *from)
{
	if (!to->forwarding)
		return false;
	if (!from)
		return true;
	if (to == from)
		return to->conf->port_flags & LINK_PORT_HAIRPIN;
	return !(to->conf->port_flags & from->conf->port_flags & LINK_PORT_ISOLATED);
}

/* data is at the Ethernet header. The tag that a VLAN may have put on is not counted. */
static int br_forward(struct net_device *to, struct sk_buff *skb)
{
	if (unlikely(!skb_is_gso(skb) && skb->len > dev_mtu(to) + ETH_HLEN + 4)) {
		to->stats.tx_dropped++;
		kfree_skb(skb, SKB_DROP_PKT_TOO_BIG);
		return -EMSGSIZE;
	}
	skb->dev = to;
	skb->tapped = 0;
	return dev_queue_xmit(skb);
}

/* To every port that takes what kind says (one of LINK_PORT_*FLOOD), a copy each. Consumes skb unless keep. */
static int br_flood(struct net_bridge *br, const struct net_device *from, struct sk_buff *skb, uint8_t kind, bool keep)
{
	struct net_device *port, *prev = NULL;
	struct sk_buff *copy;
	int err = 0;

	list_for_each(port, &br->ports, struct net_device, port_node) {
		if (!(port->conf->port_flags & kind) || !may_leave(port, from))
			continue;
		if (prev) {
			copy = skb_clone(skb);
			if (likely(copy))
				(void)br_forward(prev, copy);
			else
				prev->stats.tx_dropped++;
		}
		prev = port;
	}
	if (!prev) {
		if (!keep)
			kfree_skb(skb, SKB_DROP_BRIDGE_NO_PORT);
		return keep ? 0 : -ENETDOWN;
	}
	copy = keep ? skb_clone(skb) : skb;
	if (likely(copy))
		err = br_forward(prev, copy);
	else
		prev->stats.tx_dropped++;
	return err;
}

static uint8_t flood_kind(const struct eth_addr *dest)
{
	return eth_equal(dest, &eth_broadcast) ? LINK_PORT_BCAST_FLOOD : eth_is_multicast(dest) ? LINK_PORT_MCAST_FLOOD : LINK_PORT_FLOOD;
}

/* ---- receiving ---- */

static enum rx_result br_drop(struct sk_buff *skb, enum skb_drop_reason reason)
{
	skb->dev->stats.rx_dropped++;
	kfree_skb(skb, reason);
	return RX_CONSUMED;
}

/* The bridge's own device has received it. data is at the Ethernet header. */
static enum rx_result br_pass_up(struct net_bridge *br, struct sk_buff *skb)
{
	struct net_device *dev = br->dev;

	skb_pull(skb, ETH_HLEN);
	skb->dev = dev;
	skb->skb_iif = dev->ifindex;
	skb->tapped = 0;
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len + ETH_HLEN;
	eth_classify(skb, dev);
	return RX_AGAIN;
}

static bool listens_to_all(const struct net_device *dev)
{
	return dev->conf->flags & NS_IFF_PROMISC || dev->promiscuity;
}

/* Where a frame goes whose source is in order. data is at the Ethernet header. */
static enum rx_result br_dispatch(struct net_bridge *br, struct net_device *port, struct sk_buff *skb)
{
	const struct eth_addr *dest = &((const struct eth_hdr *)skb->data)->h_dest;
	bool up = eth_is_multicast(dest) || listens_to_all(br->dev);
	const struct fdb_entry *e;

	if (!eth_is_multicast(dest)) {
		e = fdb_find(br, dest, br->dev->stack->now);
		if ((e && e->flags & FDB_LOCAL) || eth_equal(dest, &br->dev->conf->addr)) {
			enum rx_result r = br_pass_up(br, skb);

			skb->pkt_type = SKB_PKT_HOST; /* also by the address of a port */
			return r;
		}
		if (e) {
			if (!may_leave(e->port, port))
				return br_drop(skb, SKB_DROP_BRIDGE_SAME_PORT);
			if (unlikely(up)) {
				struct sk_buff *copy = skb_clone(skb);

				if (copy)
					(void)br_forward(e->port, copy);
				return br_pass_up(br, skb);
			}
			(void)br_forward(e->port, skb);
			return RX_CONSUMED;
		}
	}
	(void)br_flood(br, port, skb, flood_kind(dest), up);
	return up ? br_pass_up(br, skb) : RX_CONSUMED;
}

enum rx_result br_rcv(struct sk_buff *skb)
{
	struct net_device *port = skb->dev;
	struct net_bridge *br = port->bridge;
	const struct eth_hdr *eth = (const struct eth_hdr *)skb_mac_header(skb);

	if (unlikely(!port->forwarding || !dev_up(br->dev)))
		return br_drop(skb, SKB_DROP_DEV_DOWN);
	if (unlikely(eth_is_multicast(&eth->h_dest) && memcmp(&eth->h_dest, &reserved_group, 5) == 0 && eth->h_dest.b[5] && eth->h_dest.b[5] < 0x10))
		return br_drop(skb, SKB_DROP_BRIDGE_RESERVED);
	if (unlikely(!fdb_learn(br, port, &eth->h_source)))
		return br_drop(skb, SKB_DROP_BRIDGE_SOURCE);
	skb_push(skb, ETH_HLEN);
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return br_dispatch(br, port, skb);
}

/* ---- sending ---- */

static int br_xmit(struct net_device *dev, struct sk_buff *skb)
{
	struct net_bridge *br = dev->bridge;
	const struct fdb_entry *e = NULL;
	const struct eth_addr *dest;

	if (unlikely(!skb_may_pull(skb, ETH_HLEN))) {
		kfree_skb(skb, SKB_DROP_ETH_SHORT);
		return -EINVAL;
	}
	dest = &((const struct eth_hdr *)skb->data)->h_dest;
	if (!eth_is_multicast(dest))
		e = fdb_find(br, dest, dev->stack->now);
	if (!e)
		return br_flood(br, NULL, skb, flood_kind(dest), false);
	if (!e->port || e->flags & FDB_LOCAL || !may_leave(e->port, NULL)) { /* ourselves, or a port that is out */
		kfree_skb(skb, SKB_DROP_BRIDGE_NO_PORT);
		return -ENETDOWN;
	}
	return br_forward(e->port, skb);
}

const struct dev_ops bridge_ops = { .xmit = br_xmit };

/* ---- following the configuration ---- */

int br_prepare(struct net_device *dev, const struct link_conf *conf)
{
	struct net_bridge *br;

	(void)conf;
	if (dev->bridge)
		return 0;
	br = calloc(1, sizeof(*br));
	if (!br)
		return -ENOMEM;
	br->dev = dev;
	list_init(&br->ports);
	if (fdb_init(br) < 0) {
		free(br);
		return -ENOMEM;
	}
	dev->bridge = br;
	return 0;
}

static void port_leave(struct net_device *port)
{
	struct net_bridge *br = port->bridge;

	fdb_flush_port(br, port, true);
	list_del(&port->port_node);
	port->bridge = NULL;
	port->forwarding = false;
}

void br_gone(struct net_device *dev)
{
	struct net_bridge *br = dev->bridge;
	struct net_device *port, *tmp;

	if (!br)
		return;
	if (br->dev != dev) {
		port_leave(dev);
		return;
	}
	list_for_each_safe(port, tmp, &br->ports, struct net_device, port_node)
		port_leave(port);
	fdb_exit(br);
	free(br);
	dev->bridge = NULL;
}

/* Ports that have come, gone, or changed their state. */
static void port_apply(struct net_device *port)
{
	struct net_device *master = port->conf->master ? dev_get_by_index(port->stack, port->conf->master) : NULL;
	struct net_bridge *br = master ? master->bridge : NULL;
	bool forwarding = br && dev_running(port);

	if (port->bridge != br) {
		if (port->bridge)
			port_leave(port);
		if (br) {
			port->bridge = br;
			list_add_tail(&port->port_node, &br->ports);
		}
	}
	if (port->bridge && port->forwarding && !forwarding)
		fdb_flush_port(br, port, false); /* what was behind it may come back behind another one */
	port->forwarding = forwarding;
}

/* The entries that the configuration gives. Without memory for one the bridge floods what is for that station: nothing is lost. */
static void br_apply_fdb(struct net_bridge *br, const struct net_snapshot *to)
{
	const struct snap_link *link = snapshot_link(to, br->dev->ifindex);
	struct net_device *port;

	fdb_flush_config(br);
	fdb_add_config(br, NULL, &br->dev->conf->addr, FDB_LOCAL);
	for (unsigned i = 0; link && i < link->nfdb; i++)
		fdb_add_config(br, NULL, &link->fdb[i].lladdr, FDB_LOCAL);
	list_for_each(port, &br->ports, struct net_device, port_node) {
		fdb_add_config(br, port, &port->conf->addr, FDB_LOCAL);
		link = snapshot_link(to, port->ifindex);
		for (unsigned i = 0; link && i < link->nfdb; i++)
			fdb_add_config(br, port, &link->fdb[i].lladdr, link->fdb[i].local ? FDB_LOCAL : FDB_STATIC);
	}
}

void br_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to)
{
	struct net_device *dev;

	if (from && from->links == to->links)
		return;
	list_for_each(dev, &stack->devs, struct net_device, node)
		if (dev->ops != &bridge_ops && (dev->bridge || dev->conf->master))
			port_apply(dev);
	list_for_each(dev, &stack->devs, struct net_device, node)
		if (dev->ops == &bridge_ops)
			br_apply_fdb(dev->bridge, to);
}
