// SPDX-License-Identifier: MIT
/*
 * patch.c: a wire between two devices: what comes in by one leaves by the other (XDP_REDIRECT), and the stack sees nothing of it. Which other: element 0 of the
 * devmap "wire" holds its index, or its name when nsctl writes it.
 *
 *	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c patch.c
 *	nsctl link set eth0 xdp patch.o
 *	nsctl xdp map update wire key 0 value eth1 dev eth0
 *
 * Section "one_arp_a_second" of the same file lets ARP pass once in a second; it shows a clock, a loop and several programs in one file.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wire SEC(".maps");

SEC("xdp")
int patch(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&wire, 0, XDP_PASS);
}

static __u64 last;
static volatile const __u64 interval = 1000000000;

SEC("xdp/one_arp_a_second")
int one_arp_a_second(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u64 now = bpf_ktime_get_ns();
	unsigned char *p = (unsigned char *)(eth + 1);
	__u32 sum = 0;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_ARP))
		return XDP_PASS;
	for (int i = 0; i < 28 && (void *)(p + i + 1) <= end; i++)
		sum += p[i];
	if (now - last < interval) {
		bpf_printk("ARP dropped, the sum of its bytes is %u", sum);
		return XDP_DROP;
	}
	last = now;
	return XDP_PASS;
}

char _license[] SEC("license") = "MIT";
