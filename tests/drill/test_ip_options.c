/* SPDX-License-Identifier: MIT */
/*
 * test_ip_options.c: IPv4 options, well and badly formed. RFC 791 3.1, RFC 781, RFC 1122 3.2.1.8, RFC 1812 4.2.2.1 and 5.3.13, RFC 2113.
 */
#include "drill.h"
#include <criterion/criterion.h>

#define ROUTER "set devs 2", "sysctl net.ipv4.ip_forward=1"

/* RFC 1122 3.2.1.8: what we do not know is skipped, no-operation and end are what they are. */
DRILL(ip_options, unknown_is_skipped,
      "+0   < opts=01010100 icmp echo id 1 seq 1 (8)", "+0 > icmp reply id 1 seq 1 (8)",
      "+0   < opts=1e0401020000 icmp echo id 1 seq 2 (8)", "+0 > icmp reply id 1 seq 2 (8)",
      "+0   < opts=00ffffff icmp echo id 1 seq 3 (8)", "+0 > icmp reply id 1 seq 3 (8)")
/* A length of 0 or 1, or past the end: named drop, and a parameter problem that points at it (RFC 1122 3.2.2.5). */
DRILL(ip_options, length_zero,
      "+0   < opts=07000401 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 21 quote last", "drops ip_options = 1", "mib IpInHdrErrors = 1")
DRILL(ip_options, length_one,
      "+0   < opts=44010501 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 21 quote last", "drops ip_options = 1")
DRILL(ip_options, length_past_the_end,
      "+0   < opts=1e050000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 21 quote last", "drops ip_options = 1",
      "+0   < opts=01010144 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 23 quote last", "drops ip_options = 2")
DRILL(ip_options, bad_pointers,
      "+0   < opts=0707030000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 22 quote last",
      "+0   < opts=0707050000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 22 quote last",
      "+0   < opts=4408040000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 22 quote last",
      "+0   < opts=4408060000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 22 quote last",
      "+0   < opts=4408050200000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 23 quote last",
      "+1   < opts=8307030000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 22 quote last", "drops ip_options = 6")
DRILL(ip_options, the_same_twice,
      "+0   < opts=070704000000000707040000000000 icmp echo id 1 seq 1 (8)", "+0 > icmp param ptr 27 quote last", "drops ip_options = 1")
DRILL(ip_options, no_error_about_a_broadcast,
      "+0   < dmac=ff:ff:ff:ff:ff:ff opts=07000401 icmp echo 192.0.2.2>192.0.2.255 id 1 seq 1 (8)", "drops ip_options = 1", "mib IcmpOutMsgs = 0")

/* RFC 1122 3.2.2.6: record route and timestamp come back in an echo reply with our address in. */
DRILL(ip_options, echo_records_route,
      "+0   < opts=070f04000000000000000000000000 icmp echo id 1 seq 1 (8)",
      "+0   > opts=070f08c0000201000000000000000000 icmp reply id 1 seq 1 (8)",
      "+0   < opts=070704c000020200 icmp echo id 1 seq 2 (8)",
      "+0   > opts=070708c000020100 icmp reply id 1 seq 2 (8)",
      "+0   < opts=070708c000020200 icmp echo id 1 seq 3 (8)",
      "+0   > opts=070708c000020200 icmp reply id 1 seq 3 (8)")
/* RFC 1812 5.3.13: a router records the address it sends from. */
DRILL(ip_options, router_records_route,
      ROUTER,
      "+0   < opts=070b040000000000000000 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   >1 opts=070b08c633640100000000 ttl=63 udp 192.0.2.2:1000>198.51.100.2:2000 (8)")
DRILL(ip_options, router_stamps,
      ROUTER,
      "+0   < opts=440c0501000000000000000000 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   >1 ttl=63 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      /* no room: one more hop is missing */
      "+0   < opts=44080910000000000000 udp 192.0.2.2:1000>198.51.100.2:2000 (9)",
      "+0   >1 opts=440809200000000000000000 udp 192.0.2.2:1000>198.51.100.2:2000 (9)",
      /* ... and sixteen of them cannot be counted */
      "+0   < opts=440809f0000000000000 udp 192.0.2.2:1000>198.51.100.2:2000 (9)",
      "+0   > icmp param ptr 23 quote last")

/* Source routes are refused by default. */
DRILL(ip_options, source_route_is_refused,
      ROUTER,
      "+0   < opts=830704c633640200 udp 192.0.2.2:1000>192.0.2.1:2000 (8)", "drops ip_source_route = 1",
      "+0   < opts=890704c633640200 udp 192.0.2.2:1000>192.0.2.1:2000 (8)", "drops ip_source_route = 2")
/* Where it is permitted (RFC 1812 5.2.4.1): on to the next stop, with our address in its place. */
DRILL(ip_options, source_route_is_followed,
      ROUTER, "sysctl net.ipv4.conf.all.accept_source_route=1", "sysctl net.ipv4.conf.eth0.accept_source_route=1",
      "+0   < opts=830704c633640200 ttl=64 udp 192.0.2.2:1000>192.0.2.1:2000 nosum (8)",
      "+0   >1 opts=830708c633640100 ttl=63 udp 192.0.2.2:1000>198.51.100.2:2000 nosum (8)")
DRILL(ip_options, strict_route_must_be_on_the_link,
      ROUTER, "sysctl net.ipv4.conf.all.accept_source_route=1", "route add 10.0.0.0/8 via 198.51.100.2",
      "+0   < opts=8907040a00000100 udp 192.0.2.2:1000>192.0.2.1:2000 (8)",
      "+0   > icmp unreach/5", "drops ip_source_route = 1")
/* ... and at its end the answer goes back the way it came. */
DRILL(ip_options, source_route_is_reversed,
      "sysctl net.ipv4.conf.all.accept_source_route=1", "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0",
      "+0   < opts=830708c000020700 icmp echo 10.9.9.9>192.0.2.1 id 1 seq 1 (8)",
      "+0   > dmac=02:00:00:00:00:27 icmp 192.0.2.1>192.0.2.7 reply id 1 seq 1 (8)")

/* RFC 791: only options with the copied bit go into later fragments. */
DRILL(ip_options, fragments_carry_copied_options,
      ROUTER, "link eth1 mtu 1000",
      "+0   < id=3 opts=070704000000009404000000 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)",
      "+0   >1 id=3 len=1000 opts=070708c63364019404000000 frag=0:968 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)",
      "+0   >1 id=3 opts=94040000 frag=968:440 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)")
