/* SPDX-License-Identifier: MIT */
/*
 * test_icmp.c: what a host answers by itself: echo, unreachable ports and protocols. RFC 792, RFC 1122 section 3.2.2.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* RFC 1122 3.2.2.6: the reply returns identifier, sequence number and all data; the source is the address that was asked. */
DRILL(icmp, answers_echo,
      "+0   < icmp echo id 77 seq 1 (56)",
      "+0   > ttl=64 icmp reply id 77 seq 1 (56)",
      "+1   < icmp echo id 77 seq 2 (1472)",
      "+0   > icmp reply id 77 seq 2 (1472)",
      "+0   < icmp echo id 77 seq 3 (0)",
      "+0   > icmp reply id 77 seq 3 (0)",
      "mib IcmpInEchos = 3", "mib IcmpOutEchoReps = 3")

DRILL(icmp, bad_checksum_is_dropped,
      "+0   < icmp echo id 1 seq 1 (8) sum=bad",
      "+1   wait",
      "mib IcmpInCsumErrors = 1", "drops icmp_csum = 1")

DRILL(icmp, echo_to_broadcast_is_ignored,
      "+0   < dmac=ff:ff:ff:ff:ff:ff icmp echo 192.0.2.2>192.0.2.255 id 1 seq 1 (8)",
      "+1   wait", "drops icmp_broadcast = 1")

DRILL(icmp, echo_can_be_switched_off,
      "sysctl net.ipv4.icmp_echo_ignore_all=1",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+1   wait", "drops icmp_ignored = 1")

/* RFC 1122 3.2.2.1, 4.1.3.1: a datagram for a port without a socket. The error quotes the IP header and at least eight bytes. */
DRILL(icmp, port_unreachable,
      "+0   < udp 4000>9999 (20)",
      "+0   > icmp unreach/port quote last",
      "mib UdpNoPorts = 1", "drops no_socket = 1")

DRILL(icmp, protocol_unreachable,
      "+0   < ip 99 (20)",
      "+0   > icmp unreach/proto quote last")

/* RFC 1122 3.2.2: never an error about an ICMP error, a broadcast, a multicast, or a fragment that is not the first. */
DRILL(icmp, no_error_about_an_error,
      "+0   < icmp unreach/port quote {udp 9999>4000 (20)}",
      "+1   wait")
DRILL(icmp, no_error_about_a_broadcast,
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4000>192.0.2.255:9999 (20)",
      "+1   wait")

/* The first packet is not lost: it waits while the neighbour is asked (RFC 1122 2.3.2.2). */
DRILL(icmp, the_first_reply_waits_for_arp,
      "set arp",
      "+0   < icmp echo id 5 seq 1 (32)",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0.1 < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > icmp reply id 5 seq 1 (32)")

DRILL(icmp, arp_is_answered,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10 to 192.0.2.2",
      "+0   < arp request 192.0.2.77 tell 192.0.2.2",
      "+1   wait")

/* The checksum of a reply that is otherwise all zero is 0xffff: corrected by the difference it would come out as 0, which no receiver accepts. */
DRILL(icmp, reply_of_zeros,
      "+0   < icmp echo id 0 seq 0 hex=00000000",
      "+0   > icmp reply id 0 seq 0 hex=00000000")
