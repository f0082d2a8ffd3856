// SPDX-License-Identifier: MIT
/*
 * udp_echo.c: answers UDP datagrams to port 7 (RFC 862) without the stack: addresses and ports change places, and the frame goes back out of the device that it
 * came in by (XDP_TX). The sums stay right: they do not depend on the order.
 *
 *	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c udp_echo.c
 *	nsctl link set eth0 xdp udp_echo.o
 *	nsctl xdp map dump .bss
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORT_ECHO 7

static __u32 echoed; /* a global variable: nsctl xdp map dump .bss */

SEC("xdp")
int udp_echo(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	unsigned char mac[ETH_ALEN];
	__be32 addr;
	__be16 port;

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_UDP ||
	    ip->frag_off & bpf_htons(0x3fff) || udp->dest != bpf_htons(PORT_ECHO))
		return XDP_PASS;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	addr = ip->daddr;
	ip->daddr = ip->saddr;
	ip->saddr = addr;
	port = udp->dest;
	udp->dest = udp->source;
	udp->source = port;
	__sync_fetch_and_add(&echoed, 1);
	return XDP_TX;
}

char _license[] SEC("license") = "MIT";
