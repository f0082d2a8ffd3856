/* SPDX-License-Identifier: MIT */
/*
 * vlan.c: VLANs (IEEE 802.1Q; stacked: 802.1ad), each a device above another one, told apart by a tag of four bytes behind the addresses of a frame.
 *
 * Theory. A tag that arrives names, with the device it came in by, a VLAN device: the tag is taken off and the frame is received again, by that
 * device. So tags in tags need nothing more. A tag of VLAN 0 says a priority only, and without a device for it the frame is one of the device
 * itself. On the way out the tag is put on and the frame goes on to the device below, whose work it is to make checksums and segments: those of a
 * GSO frame get the tag of the whole.
 *
 * Each device keeps, for each kind of tag, an array of the VLANs above it, made when it gets its first one: a lookup is one load.
 *
 * Priorities. What comes in gets a priority from its PCP by the ingress map. What goes out gets a PCP by the egress map from its priority: of a
 * packet that was routed or sent by a socket, SO_PRIORITY or what its TOS says (as Linux reads it: low delay 6, throughput 2, both 4); of a frame
 * that was bridged, what it came in with.
 *
 * Invariants: a VLAN's lower device lives as long as it does; vlans[] has no device that is dying.
 *
 * Not done: GVRP, MVRP; the drop eligible bit is ignored and sent as 0.
 */
#include "bug.h"
#include "dev.h"
#include "sock.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

#define VLAN_HLEN     4u
#define VLAN_IDS      4096u
#define VLAN_ID_MASK  0x0fff
#define VLAN_PCP_SHIFT 13

static inline unsigned tag_kind(uint16_t proto) { return proto == ETH_P_8021AD; }

/* ---- following the configuration ---- */

/* Makes the table of the device below. */
int vlan_prepare(struct net_device *dev, const struct link_conf *conf)
{
	struct net_device *lower = dev_get_by_index(dev->stack, conf->link);
	struct net_device ***table = lower ? &lower->vlans[tag_kind(conf->vlan_proto)] : NULL;

	if (!table || *table)
		return 0;
	*table = calloc(VLAN_IDS, sizeof(**table));
	return *table ? 0 : -ENOMEM;
}

void vlan_apply(struct net_device *dev)
{
	if (likely(dev->lower))
		return;
	dev->lower = dev_get_by_index(dev->stack, dev->conf->link);
	BUG_ON(!dev->lower); /* netcfg removes both together */
	dev->lower->vlans[tag_kind(dev->conf->vlan_proto)][dev->conf->vlan_id & VLAN_ID_MASK] = dev;
}

void vlan_gone(struct net_device *dev)
{
	if (dev->lower)
		dev->lower->vlans[tag_kind(dev->conf->vlan_proto)][dev->conf->vlan_id & VLAN_ID_MASK] = NULL;
	dev->lower = NULL;
}

/* ---- receiving ---- */

/* Takes the tag off: the addresses move up to the EtherType behind it. data is at the tag. */
static bool vlan_untag(struct sk_buff *skb, uint16_t inner)
{
	unsigned char *mac;

	if (unlikely(skb_cow_head(skb, (uint32_t)(skb->data - skb_mac_header(skb))) < 0)) /* a head of its own has the addresses, too */
		return false;
	mac = skb_mac_header(skb);
	skb_pull(skb, VLAN_HLEN);
	memmove(mac + VLAN_HLEN, mac, 2 * ETH_ADDR_LEN);
	skb->mac_header = (uint16_t)(skb->mac_header + VLAN_HLEN);
	skb_reset_network_header(skb);
	skb->protocol = inner < ETH_P_802_3_MIN ? 0 : inner;
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return true;
}

static enum rx_result vlan_drop(struct sk_buff *skb, struct net_device *dev, enum skb_drop_reason reason)
{
	dev->stats.rx_dropped++;
	kfree_skb(skb, reason);
	return RX_CONSUMED;
}

/* The frame becomes one that vlan has received. */
static void vlan_take(struct sk_buff *skb, struct net_device *vlan, uint16_t tci)
{
	skb->dev = vlan;
	skb->skb_iif = vlan->ifindex;
	skb->priority = vlan->conf->vlan_ingress[tci >> VLAN_PCP_SHIFT];
	skb->tapped = 0;
	vlan->stats.rx_packets++;
	vlan->stats.rx_bytes += skb->len + ETH_HLEN;
	if (skb->pkt_type != SKB_PKT_HOST) /* what was sent to the link below is for the host, whatever address the VLAN has (as in Linux) */
		eth_classify(skb, vlan);
}

enum rx_result vlan_rcv(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev, **table = dev->vlans[tag_kind(skb->protocol)], *vlan;
	uint16_t tci, inner;

	if (unlikely(!skb_may_pull(skb, VLAN_HLEN))) {
		dev->stats.rx_length_errors++;
		dev->stats.rx_errors++;
		kfree_skb(skb, SKB_DROP_VLAN_SHORT);
		return RX_CONSUMED;
	}
	tci = get_be16(skb->data);
	inner = get_be16(skb->data + 2);
	vlan = table ? table[tci & VLAN_ID_MASK] : NULL;
	if (!vlan && dev->bridge && dev->conf->master) /* crosses the bridge with its tag */
		return RX_PASS;
	if (!vlan && tci & VLAN_ID_MASK)
		return vlan_drop(skb, dev, SKB_DROP_VLAN_UNKNOWN);
	if (unlikely(vlan && !dev_up(vlan)))
		return vlan_drop(skb, vlan, SKB_DROP_DEV_DOWN);
	if (unlikely(!vlan_untag(skb, inner)))
		return vlan_drop(skb, dev, SKB_DROP_NOMEM);
	if (vlan)
		vlan_take(skb, vlan, tci);
	return RX_AGAIN;
}

uint32_t vlan_depth(const struct sk_buff *skb)
{
	uint32_t depth = 0;
	uint8_t buf[2];
	const uint8_t *p;

	while (depth < VLAN_MAX_TAGS * VLAN_HLEN && (p = skb_header_pointer(skb, 2 * ETH_ADDR_LEN + depth, 2, buf)) && vlan_is_tag(get_be16(p)))
		depth += VLAN_HLEN;
	return depth;
}

/* ---- sending ---- */

static unsigned tos_priority(uint8_t tos)
{
	static const uint8_t by_bits[4] = { 0, 2, 6, 4 };

	return by_bits[tos >> 3 & 3];
}

/* The Ethernet header is linear. */
static unsigned frame_priority(const struct sk_buff *skb)
{
	uint32_t at = 2 * ETH_ADDR_LEN;
	const uint8_t *p;
	uint8_t buf[4];

	if (skb->sk && skb->sk->priority > 0)
		return (unsigned)skb->sk->priority;
	if (!skb->rt.dev)
		return skb->priority;
	if (unlikely(vlan_is_tag(get_be16(skb->data + at))))
		at += vlan_depth(skb);
	p = skb_header_pointer(skb, at, 4, buf); /* EtherType behind the tags that are on already, IP's version, TOS */
	return p && get_be16(p) == ETH_P_IP ? tos_priority(p[3]) : skb->priority;
}

static int vlan_xmit(struct net_device *dev, struct sk_buff *skb)
{
	unsigned priority;
	uint16_t tci;

	if (unlikely(!skb_may_pull(skb, ETH_HLEN) || skb_cow_head(skb, VLAN_HLEN) < 0)) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return -ENOMEM;
	}
	priority = frame_priority(skb);
	tci = dev->conf->vlan_id;
	if (priority < sizeof(dev->conf->vlan_egress))
		tci |= (uint16_t)(dev->conf->vlan_egress[priority] << VLAN_PCP_SHIFT);
	skb_push(skb, VLAN_HLEN);
	memmove(skb->data, skb->data + VLAN_HLEN, 2 * ETH_ADDR_LEN);
	put_be16(skb->data + 2 * ETH_ADDR_LEN, dev->conf->vlan_proto);
	put_be16(skb->data + 2 * ETH_ADDR_LEN + 2, tci);
	skb_reset_mac_header(skb);
	skb->protocol = dev->conf->vlan_proto;
	skb->tapped = 0;
	skb->dev = dev->lower;
	return dev_queue_xmit(skb);
}

const struct dev_ops vlan_ops = { .xmit = vlan_xmit };
