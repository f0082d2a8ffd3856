/* SPDX-License-Identifier: MIT */
/*
 * eth.c: Ethernet II frames (RFC 894; IEEE 802.3 clause 3): the MAC filter on the way in, the header on the way out.
 *
 * The filter lets through what is for us: our own address, broadcast, and of the groups the one of all hosts (224.0.0.1, RFC 1112 section 6.4), or
 * everything a device in promiscuous or all-multicast mode may see. Another station's frames end here also in promiscuous
 * mode, which is for packet taps: the protocols never see them. Where VLANs or a bridge stand on the device (DEV_HOOK_UPPER), the filter waits until these have
 * had a look (softnet.c), and is the one of the device that the frame is then received by.
 *
 * Not done: 802.3 frames with a length (LLC): dropped as unhandled, though bridged.
 */
#include "bug.h"
#include "dev.h"
#include "wire/wire.h"

#include <errno.h>

const struct eth_addr eth_broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct eth_addr eth_all_hosts = { { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 } };

/* A group that the filter keeps out: the reason says what it would have been. */
static enum skb_drop_reason eth_group_reason(uint16_t proto)
{
	switch (proto) {
	case ETH_P_IP:
		return SKB_DROP_IP_MULTICAST;
	case ETH_P_IPV6:
		return SKB_DROP_IP_V6;
	default:
		return SKB_DROP_UNHANDLED_PROTO;
	}
}

enum skb_drop_reason eth_type_trans(struct sk_buff *skb, struct net_device *dev)
{
	const struct eth_hdr *eth;

	if (unlikely(!skb_may_pull(skb, ETH_HLEN))) {
		dev->stats.rx_length_errors++;
		dev->stats.rx_errors++;
		return SKB_DROP_ETH_SHORT;
	}
	eth = (const struct eth_hdr *)skb->data;
	skb_reset_mac_header(skb);
	skb->data += ETH_HLEN;
	skb->len -= ETH_HLEN;
	skb_reset_network_header(skb);
	skb->protocol = be16_to_cpu(eth->h_proto);
	if (unlikely(skb->protocol < ETH_P_802_3_MIN))
		skb->protocol = 0; /* a length: 802.3, which nobody here speaks */
	if (unlikely(eth_is_multicast(&eth->h_source))) {
		dev->stats.rx_frame_errors++;
		dev->stats.rx_errors++;
		return SKB_DROP_ETH_MULTICAST_SOURCE;
	}
	if (likely(eth_equal(&eth->h_dest, &dev->conf->addr))) {
		skb->pkt_type = SKB_PKT_HOST;
		return SKB_CONSUMED;
	}
	eth_classify(skb, dev);
	return dev->hooks & DEV_HOOK_UPPER ? SKB_CONSUMED : eth_accept(skb, dev);
}

void eth_classify(struct sk_buff *skb, struct net_device *dev)
{
	const struct eth_addr *dest = &((const struct eth_hdr *)skb_mac_header(skb))->h_dest;

	if (!eth_is_multicast(dest)) {
		skb->pkt_type = eth_equal(dest, &dev->conf->addr) ? SKB_PKT_HOST : SKB_PKT_OTHERHOST;
		return;
	}
	dev->stats.multicast++;
	skb->pkt_type = eth_equal(dest, &eth_broadcast) ? SKB_PKT_BROADCAST : SKB_PKT_MULTICAST;
}

enum skb_drop_reason eth_accept(struct sk_buff *skb, struct net_device *dev)
{
	if (skb->pkt_type == SKB_PKT_OTHERHOST)
		return SKB_DROP_OTHERHOST;
	if (skb->pkt_type != SKB_PKT_MULTICAST || dev->conf->flags & (NS_IFF_ALLMULTI | NS_IFF_PROMISC) ||
	    eth_equal(&((const struct eth_hdr *)skb_mac_header(skb))->h_dest, &eth_all_hosts))
		return SKB_CONSUMED;
	dev->stats.rx_dropped++;
	return eth_group_reason(skb->protocol);
}

int eth_header(struct sk_buff *skb, struct net_device *dev, uint16_t proto, const struct eth_addr *daddr, const struct eth_addr *saddr)
{
	struct eth_hdr *eth;

	if (unlikely(skb_cow_head(skb, ETH_HLEN) < 0))
		return -ENOMEM;
	eth = skb_push(skb, ETH_HLEN);
	eth->h_dest = *daddr;
	eth->h_source = saddr ? *saddr : dev->conf->addr;
	eth->h_proto = cpu_to_be16(proto);
	skb_reset_mac_header(skb);
	return 0;
}
