/* SPDX-License-Identifier: MIT */
/*
 * vnet.c: vnet headers. What the host's kernel says of a frame is checked here before anything believes it: offsets inside the frame, a segment size
 * that is one, and for TCP segments to be cut that the headers which are copied to each are there.
 *
 * Not done: UFO (gso_type UDP, which modern kernels do not make), tunnels (hash reports, inner offsets), big-endian headers.
 */
#include "vnet.h"

#include <errno.h>
#include <netinet/in.h>

#define ETH_HEADER 14

/* How many bytes before the TCP payload: checks Ethernet, IP and TCP as far as segmentation will need them. */
static int gso_tcp_headers(const struct sk_buff *skb, uint32_t thoff, bool v6)
{
	unsigned char buf[20];
	const unsigned char *th = skb_header_pointer(skb, thoff, 20, buf);
	uint32_t thlen;

	if (!th || thoff < ETH_HEADER + (v6 ? 40u : 20u))
		return -EINVAL;
	thlen = (th[12] >> 4) * 4u;
	if (thlen < 20 || thoff + thlen >= skb->len)
		return -EINVAL;
	return (int)(thoff + thlen);
}

static int gso_to_skb(struct sk_buff *skb, const struct virtio_net_hdr *h, uint32_t start)
{
	uint32_t payload;
	int headers;
	uint8_t type;

	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		type = SKB_GSO_TCPV4;
		headers = gso_tcp_headers(skb, start, false);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		type = SKB_GSO_TCPV6;
		headers = gso_tcp_headers(skb, start, true);
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		type = SKB_GSO_UDP_L4;
		headers = start + 8 < skb->len && start >= ETH_HEADER + 20 ? (int)start + 8 : -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (headers < 0 || h->gso_size == 0)
		return -EINVAL;
	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN) {
		if (type == SKB_GSO_UDP_L4)
			return -EINVAL;
		type |= SKB_GSO_TCP_ECN;
	}
	payload = skb->len - (uint32_t)headers;
	if (payload <= h->gso_size)
		return 0; /* one segment: nothing to cut */
	skb->gso_type = type | SKB_GSO_DODGY;
	skb->gso_size = h->gso_size;
	skb->gso_segs = (uint16_t)((payload + h->gso_size - 1) / h->gso_size);
	return 0;
}

int vnet_to_skb(struct sk_buff *skb, const struct virtio_net_hdr *h)
{
	uint32_t start = h->csum_start, head = skb_headroom(skb);

	if (h->flags & ~(VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		return -EINVAL;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (start < ETH_HEADER || start + h->csum_offset + 2u > skb->len || head + start > UINT16_MAX)
			return -EINVAL;
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (uint16_t)(head + start);
		skb->csum_offset = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 0;
	/* VIRTIO 1.2 5.1.6.2: a frame to be segmented has its checksum to be completed, too. It also says where TCP begins. */
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return -EINVAL;
	return gso_to_skb(skb, h, start);
}

void vnet_from_skb(struct virtio_net_hdr *h, const struct sk_buff *skb)
{
	unsigned char buf[20];
	const unsigned char *th;
	uint32_t start;

	*h = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return;
	start = skb->csum_start - skb_headroom(skb);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = (uint16_t)start;
	h->csum_offset = skb->csum_offset;
	if (!skb_is_gso(skb))
		return;
	h->gso_size = skb->gso_size;
	if (skb->gso_type & SKB_GSO_UDP_L4) {
		h->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		h->hdr_len = (uint16_t)(start + 8);
		return;
	}
	h->gso_type = skb->gso_type & SKB_GSO_TCPV6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	if (skb->gso_type & SKB_GSO_TCP_ECN)
		h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	th = skb_header_pointer(skb, start, 20, buf);
	h->hdr_len = (uint16_t)(start + (th ? (th[12] >> 4) * 4u : 20u));
}
