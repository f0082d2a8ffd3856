/* SPDX-License-Identifier: MIT */
/*
 * wire.h: headers as they stand on the wire. All multi-byte fields are in network byte order; the structures are packed, so any alignment is right.
 */
#ifndef STACK_WIRE_H
#define STACK_WIRE_H

#include <netstack/types.h>

#define WIRE __attribute__((packed))

#define ETH_HLEN      14
#define ETH_P_IP      0x0800
#define ETH_P_ARP     0x0806
#define ETH_P_8021Q   0x8100
#define ETH_P_8021AD  0x88a8
#define ETH_P_IPV6    0x86dd
#define ETH_P_802_3_MIN 0x0600

struct WIRE eth_hdr { struct eth_addr h_dest, h_source; be16 h_proto; };

#define ARPHRD_ETHER  1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY   2
struct WIRE arp_hdr { be16 ar_hrd, ar_pro; uint8_t ar_hln, ar_pln; be16 ar_op; struct eth_addr ar_sha; be32 ar_sip; struct eth_addr ar_tha; be32 ar_tip; };

#define IP_CE     0x8000
#define IP_DF     0x4000
#define IP_MF     0x2000
#define IP_OFFSET 0x1fff
#define IPV4_HLEN 20
#define IPV4_MAX_PACKET 65535
struct WIRE ip_hdr { uint8_t ver_ihl, tos; be16 tot_len, id, frag_off; uint8_t ttl, protocol; be16 check; be32 saddr, daddr; };
static inline unsigned ip_hdrlen(const struct ip_hdr *h) { return (h->ver_ihl & 15u) * 4u; }

#define IPV6_HLEN 40
struct WIRE ip6_hdr { be32 flow /* version, traffic class, flow label */; be16 payload_len; uint8_t nexthdr, hop_limit, saddr[16], daddr[16]; };

#define NS_IPPROTO_ICMP 1
#define NS_IPPROTO_TCP  6
#define NS_IPPROTO_UDP  17
#define NS_IPPROTO_HOPOPTS 0
#define NS_IPPROTO_ROUTING 43
#define NS_IPPROTO_DSTOPTS 60

#define ICMP_ECHOREPLY      0
#define ICMP_DEST_UNREACH   3
#define ICMP_SOURCE_QUENCH  4
#define ICMP_REDIRECT       5
#define ICMP_ECHO           8
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETERPROB  12
#define ICMP_TIMESTAMP      13
#define ICMP_TIMESTAMPREPLY 14
#define ICMP_NET_UNREACH    0
#define ICMP_HOST_UNREACH   1
#define ICMP_PROT_UNREACH   2
#define ICMP_PORT_UNREACH   3
#define ICMP_FRAG_NEEDED    4
#define ICMP_SR_FAILED      5
#define ICMP_PKT_FILTERED   13
#define ICMP_EXC_TTL        0
#define ICMP_EXC_FRAGTIME   1
struct WIRE icmp_hdr { uint8_t type, code; be16 checksum; union { struct WIRE { be16 id, sequence; } echo; be32 gateway; struct WIRE { be16 unused, mtu; } frag; uint8_t pointer; be32 word; } un; };

struct WIRE udp_hdr { be16 source, dest, len, check; };

#define TCPHDR_FIN 0x01
#define TCPHDR_SYN 0x02
#define TCPHDR_RST 0x04
#define TCPHDR_PSH 0x08
#define TCPHDR_ACK 0x10
#define TCPHDR_URG 0x20
#define TCPHDR_ECE 0x40
#define TCPHDR_CWR 0x80
struct WIRE tcp_hdr { be16 source, dest; be32 seq, ack_seq; uint8_t doff /* high 4 bits: words */, flags; be16 window, check, urg_ptr; };
static inline unsigned tcp_hdrlen(const struct tcp_hdr *h) { return (h->doff >> 4) * 4u; }

_Static_assert(sizeof(struct eth_hdr) == 14 && sizeof(struct arp_hdr) == 28 && sizeof(struct ip_hdr) == 20, "wire");
_Static_assert(sizeof(struct icmp_hdr) == 8 && sizeof(struct udp_hdr) == 8 && sizeof(struct tcp_hdr) == 20, "wire");

static inline bool ipv4_is_loopback(be32 a) { return (be32_to_cpu(a) >> 24) == 127; }
static inline bool ipv4_is_multicast(be32 a) { return (be32_to_cpu(a) >> 28) == 14; }
static inline bool ipv4_is_lbcast(be32 a) { return a == 0xffffffffu; }
static inline bool ipv4_is_zeronet(be32 a) { return (be32_to_cpu(a) >> 24) == 0; }

#endif
