/* SPDX-License-Identifier: MIT */
/*
 * drop.h: every reason for which a packet can die, once. The names follow Linux's SKB_DROP_REASON_* where Linux has
 * one. Counters, "nsctl show drops", traces and captures are all made from this list.
 *
 * X(NAME, "name shown to people", "what it means and, where there is something to do, what to do")
 */
#ifndef NETSTACK_DROP_H
#define NETSTACK_DROP_H

#define SKB_DROP_REASONS(X) \
	/* device and softnet */ \
	X(DEV_DOWN, "dev_down", "the device is administratively down or being removed") \
	X(DEV_HDR, "dev_hdr", "the device's own header (vnet) was malformed") \
	X(DEV_TOO_LONG, "dev_too_long", "the device cut the frame, which was longer than its MTU allows") \
	X(FLOW_LIMIT, "flow_limit", "one flow had more than its share of a backlog that was filling (net.core.flow_limit_cpu_bitmap)") \
	X(CPU_BACKLOG, "cpu_backlog", "the backlog of the shard was full (net.core.netdev_max_backlog)") \
	X(STEER_FULL, "steer_full", "the ring to the shard that owns the flow was full") \
	X(DEV_TX_FULL, "dev_tx_full", "the device did not take the frame and its queue was full") \
	X(QDISC_DROP, "qdisc_drop", "the queue in front of the device was full (txqueuelen)") \
	X(XDP_DROP, "xdp_drop", "the device's XDP program wanted it so") \
	X(XDP_ABORTED, "xdp_aborted", "the device's XDP program failed; show xdp says where") \
	X(XDP_REDIRECT, "xdp_redirect", "an XDP program sent it to a device that is not there, is down, or has a smaller MTU") \
	X(NO_CARRIER, "no_carrier", "the outgoing device has no carrier") \
	X(NOMEM, "nomem", "no memory for a copy or a header") \
	X(PKT_TOO_SMALL, "pkt_too_small", "the frame is shorter than its own header says") \
	X(FULL_RING, "full_ring", "a ring towards a packet tap was full") \
	/* Ethernet */ \
	X(ETH_SHORT, "eth_short", "shorter than an Ethernet header") \
	X(ETH_MULTICAST_SOURCE, "eth_multicast_source", "the source MAC address is a group address") \
	X(OTHERHOST, "otherhost", "sent to another station's MAC address") \
	X(UNHANDLED_PROTO, "unhandled_proto", "no protocol handler for this EtherType") \
	X(VLAN_SHORT, "vlan_short", "a VLAN tag that is cut short") \
	X(VLAN_UNKNOWN, "vlan_unknown", "tagged for a VLAN that does not exist here (link add DEV.ID link DEV type vlan id ID)") \
	X(VLAN_NESTED, "vlan_nested", "more VLAN tags on top of each other than anybody has a use for") \
	X(BRIDGE_SOURCE, "bridge_source", "came in by a port of a bridge from no station's address, or from one of our own: a loop in the cabling?") \
	X(BRIDGE_RESERVED, "bridge_reserved", "sent to 01:80:c2:00:00:01 to :0f, which no bridge passes on (IEEE 802.1D table 7-10)") \
	X(BRIDGE_SAME_PORT, "bridge_same_port", "the station is behind the port that the frame came in by, or may not be reached from it (hairpin, isolated)") \
	X(BRIDGE_NO_PORT, "bridge_no_port", "there is no other port of the bridge that it could leave by") \
	/* ARP and neighbours */ \
	X(ARP_SHORT, "arp_short", "shorter than an ARP packet for Ethernet and IPv4") \
	X(ARP_MALFORMED, "arp_malformed", "hardware type, protocol type or lengths are not Ethernet and IPv4") \
	X(ARP_BAD_ADDRESS, "arp_bad_address", "a multicast, loopback or broadcast address inside an ARP packet") \
	X(ARP_UNSUPPORTED_OP, "arp_unsupported_op", "neither request nor reply") \
	X(ARP_NOT_FOR_US, "arp_not_for_us", "an ARP request for an address that is not ours") \
	X(NEIGH_QUEUEFULL, "neigh_queuefull", "too many packets wait for the neighbour's address (unres_qlen_bytes)") \
	X(NEIGH_FAILED, "neigh_failed", "the neighbour did not answer") \
	X(NEIGH_TABLE_FULL, "neigh_table_full", "the neighbour table is full (gc_thresh3)") \
	X(NEIGH_DEAD, "neigh_dead", "the neighbour's entry was removed") \
	/* IP input */ \
	X(IP_SHORT, "ip_short", "shorter than an IP header") \
	X(IP_INHDR, "ip_inhdr", "bad version, header length or total length") \
	X(IP_CSUM, "ip_csum", "bad IP header checksum") \
	X(IP_TRUNCATED, "ip_truncated", "shorter than its total length says") \
	X(IP_OPTIONS, "ip_options", "malformed IP options") \
	X(IP_SOURCE_ROUTE, "ip_source_route", "source-routed packet and accept_source_route is 0") \
	X(IP_INVALID_SOURCE, "ip_invalid_source", "the source address cannot be a source (broadcast, multicast, zero)") \
	X(IP_INVALID_DEST, "ip_invalid_dest", "the destination address cannot be a destination") \
	X(IP_MARTIAN_SOURCE, "ip_martian_source", "the source address may not come in here (loopback or one of our own)") \
	X(IP_RPFILTER, "ip_rpfilter", "the way back to the source leaves by another device (rp_filter)") \
	X(IP_LOCALNET, "ip_localnet", "a loopback address on the wire") \
	X(UNICAST_IN_L2_MULTICAST, "unicast_in_l2_multicast", "a unicast packet inside a broadcast or multicast frame") \
	X(IP_NOPROTO, "ip_noproto", "no handler for the IP protocol") \
	X(IP_INNOROUTES, "ip_innoroutes", "no route to the destination of a received packet") \
	X(IP_OUTNOROUTES, "ip_outnoroutes", "no route to the destination of a packet of our own") \
	X(IP_BLACKHOLE, "ip_blackhole", "a blackhole route") \
	X(IP_UNREACHABLE, "ip_unreachable", "an unreachable route") \
	X(IP_PROHIBIT, "ip_prohibit", "a prohibit route") \
	X(IP_MULTICAST, "ip_multicast", "multicast that nobody here joined") \
	X(IP_V6, "ip_v6", "IPv6 is not enabled on this device") \
	/* fragments */ \
	X(FRAG_SHORT, "frag_short", "a fragment whose length is not a multiple of eight, or empty") \
	X(FRAG_TOO_FAR, "frag_too_far", "a fragment beyond 65,535 bytes") \
	X(FRAG_OVERLAP, "frag_overlap", "fragments overlap; the whole datagram is given up") \
	X(FRAG_DUP, "frag_dup", "the same fragment again") \
	X(FRAG_INCONSISTENT, "frag_inconsistent", "two last fragments, or data beyond the last one") \
	X(FRAG_TIMEOUT, "frag_timeout", "the rest of the datagram did not come in time (ipfrag_time)") \
	X(FRAG_MEM, "frag_mem", "too much memory in incomplete datagrams (ipfrag_high_thresh)") \
	/* forwarding */ \
	X(IP_FORWARDING_OFF, "ip_forwarding_off", "not for us and net.ipv4.ip_forward is 0") \
	X(IP_TTL, "ip_ttl", "time to live ran out on the way through") \
	X(PKT_TOO_BIG, "pkt_too_big", "larger than the outgoing MTU and may not be fragmented") \
	X(FORWARD_BROADCAST, "forward_broadcast", "a directed broadcast is not forwarded") \
	X(FORWARD_LINK_SCOPE, "forward_link_scope", "an address that may not leave its link") \
	/* ICMP */ \
	X(ICMP_SHORT, "icmp_short", "shorter than an ICMP header or its quoted packet") \
	X(ICMP_CSUM, "icmp_csum", "bad ICMP checksum") \
	X(ICMP_TYPE, "icmp_type", "an ICMP type that is not answered") \
	X(ICMP_BROADCAST, "icmp_broadcast", "echo to a broadcast address (icmp_echo_ignore_broadcasts)") \
	X(ICMP_IGNORED, "icmp_ignored", "echo is switched off (icmp_echo_ignore_all)") \
	X(ICMP_INNER, "icmp_inner", "an ICMP error about a packet that we cannot have sent") \
	X(ICMP_RATELIMIT, "icmp_ratelimit", "our own ICMP error, over the rate limit") \
	/* UDP, raw and sockets */ \
	X(NO_SOCKET, "no_socket", "no socket for this address and port") \
	X(UDP_SHORT, "udp_short", "shorter than a UDP header, or than its length field says") \
	X(UDP_CSUM, "udp_csum", "bad UDP checksum") \
	X(SOCKET_RCVBUFF, "socket_rcvbuff", "the socket's receive buffer was full (SO_RCVBUF)") \
	X(SOCKET_FILTER, "socket_filter", "refused by the socket's filter, or by its connected peer address") \
	X(SOCKET_CLOSE, "socket_close", "the socket was closed with this still queued") \
	X(SOCKET_BACKLOG, "socket_backlog", "the listen queue was full (somaxconn)") \
	X(PROTO_MEM, "proto_mem", "the memory limit of the protocol was reached") \
	/* TCP */ \
	X(TCP_SHORT, "tcp_short", "shorter than a TCP header, or a bad data offset") \
	X(TCP_CSUM, "tcp_csum", "bad TCP checksum") \
	X(TCP_FLAGS, "tcp_flags", "flags that make no sense in this state") \
	X(TCP_OPTIONS, "tcp_options", "malformed TCP options") \
	X(TCP_BROADCAST, "tcp_broadcast", "TCP to a broadcast or multicast address") \
	X(TCP_CLOSE, "tcp_close", "a segment for a closed connection") \
	X(TCP_LISTEN_OVERFLOW, "tcp_listen_overflow", "the accept queue was full") \
	X(TCP_REQ_QUEUE_FULL, "tcp_req_queue_full", "too many half-open connections (tcp_max_syn_backlog)") \
	X(TCP_OLD_DATA, "tcp_old_data", "data that was received before") \
	X(TCP_OVERWINDOW, "tcp_overwindow", "data beyond the window") \
	X(TCP_ZEROWINDOW, "tcp_zerowindow", "data while our window was closed") \
	X(TCP_INVALID_SEQUENCE, "tcp_invalid_sequence", "sequence numbers outside the window") \
	X(TCP_INVALID_ACK, "tcp_invalid_ack", "an acknowledgement of what was never sent") \
	X(TCP_OLD_ACK, "tcp_old_ack", "an acknowledgement of what was acknowledged long before") \
	X(TCP_INVALID_SYN, "tcp_invalid_syn", "a SYN inside a connection (answered by a challenge ACK, RFC 5961)") \
	X(TCP_RESET, "tcp_reset", "a valid reset; the connection is gone") \
	X(TCP_INVALID_RESET, "tcp_invalid_reset", "a reset whose sequence number is not exactly expected (RFC 5961)") \
	X(TCP_PAWS, "tcp_paws", "an old timestamp (RFC 7323)") \
	X(TCP_NO_ACK, "tcp_no_ack", "a segment without ACK in a state that needs one") \
	X(TCP_OFO_QUEUE_PRUNE, "tcp_ofo_queue_prune", "out-of-order data given up for want of buffer") \
	X(TCP_OFO_DROP, "tcp_ofo_drop", "out-of-order data while the buffer was full") \
	X(TCP_RCVBUF, "tcp_rcvbuf", "the receive buffer was full") \
	X(TCP_ABORT_ON_DATA, "tcp_abort_on_data", "data after the application had closed") \
	X(TCP_FASTOPEN, "tcp_fastopen", "data on a SYN is not accepted here") \
	X(TCP_SYN_DROP, "tcp_syn_drop", "the SYN could not be served (no route back or no memory)") \
	X(TCP_TIMEWAIT, "tcp_timewait", "a segment for a connection in TIME-WAIT")

enum skb_drop_reason {
	SKB_CONSUMED = 0, /* not a drop: the packet was delivered, sent or merged */
#define X(name, text, help) SKB_DROP_##name,
	SKB_DROP_REASONS(X)
#undef X
	SKB_DROP_MAX
};

/* The word for a reason ("ip_ttl"), "?" out of range. Static storage. */
const char *skb_drop_reason_name(enum skb_drop_reason reason);
/* The sentence that explains it. Static storage. */
const char *skb_drop_reason_help(enum skb_drop_reason reason);

#endif
