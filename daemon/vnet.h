/* SPDX-License-Identifier: MIT */
/* vnet.h: the header in front of each frame of a TAP with IFF_VNET_HDR (VIRTIO 1.2 section 5.1.6, as <linux/if_tun.h> has it), to and from skb fields. */
#ifndef DAEMON_VNET_H
#define DAEMON_VNET_H

#include <linux/virtio_net.h>
#include <netstack/skbuff.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* newer than some kernel headers */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#define VNET_LEN ((uint32_t)sizeof(struct virtio_net_hdr)) /* 10: the kernel's default size, no mergeable buffers */

/* Received: skb->data is at the Ethernet header. Sets ip_summed, csum_*, gso_*. 0, or -EINVAL when the header lies about the frame or asks for what
 * was never offered: the caller drops the frame (SKB_DROP_DEV_HDR). */
int vnet_to_skb(struct sk_buff *skb, const struct virtio_net_hdr *h);
/* To send: fills h from skb, whose data is at the Ethernet header. */
void vnet_from_skb(struct virtio_net_hdr *h, const struct sk_buff *skb);

#endif
