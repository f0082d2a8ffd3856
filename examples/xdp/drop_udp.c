// SPDX-License-Identifier: MIT
/*
 * drop_udp.c: drops UDP datagrams to one port and counts them; everything else passes, counted too.
 *
 *	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c drop_udp.c
 *	nsctl link set eth0 xdp drop_udp.o
 *	nsctl xdp map update port key 0 value 9999
 *	nsctl xdp map dump counts
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct count {
	__u64 frames, bytes;
};

/* 0: passed, 1: dropped */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} port SEC(".maps");

/* Who sent the dropped ones. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __u64);
} senders SEC(".maps");

static __attribute__((noinline)) void count(__u32 which, __u64 bytes)
{
	struct count *c = bpf_map_lookup_elem(&counts, &which);

	if (c) {
		c->frames++;
		c->bytes += bytes;
	}
}

static void count_sender(__be32 addr)
{
	__u64 *n = bpf_map_lookup_elem(&senders, &addr), one = 1;

	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&senders, &addr, &one, BPF_NOEXIST);
}

SEC("xdp")
int drop_udp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp;
	__u32 zero = 0, *want = bpf_map_lookup_elem(&port, &zero);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(0x1fff))
		goto pass;
	udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > end || !want || udp->dest != bpf_htons(*want))
		goto pass;
	count_sender(ip->saddr);
	count(1, end - data);
	return XDP_DROP;
pass:
	count(0, end - data);
	return XDP_PASS;
}

char _license[] SEC("license") = "MIT";
