/* SPDX-License-Identifier: MIT */
/*
 * bpf.h: classic BPF programs over frames: what SO_ATTACH_FILTER takes, libpcap compiles and tcpdump -ddd prints. The instruction is Linux's struct sock_filter.
 *
 * Offsets count from the first byte of the frame. Loads of Linux's ancillary data (SKF_AD_OFF) that are known: PROTOCOL, PKTTYPE, IFINDEX, MARK, QUEUE, HATYPE, RXHASH, CPU,
 * ALU_XOR_X, VLAN_TAG and VLAN_TAG_PRESENT (always 0: tags stand in the frame), VLAN_TPID. SKF_NET_OFF and SKF_LL_OFF count from the network header and the Ethernet header, also
 * where these stand in front of what the program sees (the filter of a UDP socket begins at the UDP header); where there is none the program ends with 0.
 */
#ifndef NETSTACK_BPF_H
#define NETSTACK_BPF_H

#include <linux/filter.h>
#include <netstack/tap.h>

/* Does it end on every path, stay inside itself, and read no memory word that it may not have written? n instructions. 0 or -EINVAL. Only a checked program may be run. */
int ns_bpf_check(const struct sock_filter *prog, unsigned n);
/* What the program returns: how many bytes of the frame are wanted, 0: none. A load beyond the frame and a division by zero end it with 0. stack may be NULL: then
 * HATYPE and CPU read as 0. */
uint32_t ns_bpf_run(const struct sock_filter *prog, const struct stack_tap_frame *frame, const struct stack *stack);

#endif
