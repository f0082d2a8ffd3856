/* SPDX-License-Identifier: MIT */
/*
 * test_ip_forward.c: packets of others on their way through. RFC 1812 4.2, 4.3, 5.2, 5.3; RFC 1191; RFC 3927 2.7.
 */
#include "drill.h"
#include <criterion/criterion.h>

#define ROUTER "set devs 2", "sysctl net.ipv4.ip_forward=1"

/* RFC 1812 5.3.1: the TTL falls by one, and nothing else changes; the checksum is right (compared with every frame). */
DRILL(ip_forward, ttl_falls_by_one,
      ROUTER,
      "+0   < ttl=64 tos=0x28 id=4711 udp 192.0.2.2:1000>198.51.100.2:2000 (100)",
      "+0   >1 dmac=02:00:00:00:00:21 smac=02:00:00:00:00:11 ttl=63 tos=0x28 id=4711 udp 192.0.2.2:1000>198.51.100.2:2000 (100)",
      "+0   < ttl=2 df udp 192.0.2.2:1000>198.51.100.2:2000 (0)",
      "+0   >1 ttl=1 df udp 192.0.2.2:1000>198.51.100.2:2000 (0)",
      "+0   < ttl=255 tcp 192.0.2.2:1000>198.51.100.2:2000 S 5 win 10 abs=1",
      "+0   >1 ttl=254 tcp 192.0.2.2:1000>198.51.100.2:2000 S 5 win 10 abs=1",
      "+0   <1 ttl=64 icmp 198.51.100.2>192.0.2.2 echo id 7 seq 1 (56)",
      "+0   > ttl=63 icmp 198.51.100.2>192.0.2.2 echo id 7 seq 1 (56)",
      "mib IpForwDatagrams = 4", "mib IpOutRequests = 0")
/* RFC 1812 4.3.3.4, 5.3.1: life ends at 1 or 0, the sender is told; but what is for us is taken whatever its TTL. */
DRILL(ip_forward, ttl_exceeded,
      ROUTER,
      "+0   < ttl=1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 exceeded/ttl quote last",
      "+0   < ttl=0 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 exceeded/ttl quote last",
      "drops ip_ttl = 2", "mib IpInHdrErrors = 2", "mib IcmpOutTimeExcds = 2",
      "+0   < ttl=1 icmp echo id 1 seq 1 (8)", "+0 > ttl=64 icmp reply id 1 seq 1 (8)",
      "+0   < ttl=0 icmp echo id 1 seq 2 (8)", "+0 > icmp reply id 1 seq 2 (8)")
/* ip_forward=0 */
DRILL(ip_forward, off_nothing_passes,
      "set devs 2",
      "+0   < udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "drops ip_forwarding_off = 1",
      "+0   < ttl=1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "drops ip_forwarding_off = 2", "mib IpForwDatagrams = 0")
DRILL(ip_forward, off_on_one_device,
      ROUTER, "sysctl net.ipv4.conf.eth1.forwarding=0",
      "+0   <1 udp 198.51.100.2:1000>192.0.2.2:2000 (8)", "drops ip_forwarding_off = 1",
      "+0   < udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "+0 >1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)")

/* RFC 1191 3: too large and DF: the error carries the MTU of the next hop. Without DF it is cut, at multiples of eight. */
DRILL(ip_forward, frag_needed,
      ROUTER, "link eth1 mtu 1000",
      "+0   < df udp 192.0.2.2:1000>198.51.100.2:2000 (973)",
      "+0   > icmp 192.0.2.1>192.0.2.2 unreach/frag mtu 1000 quote last", "drops pkt_too_big = 1", "mib IpFragFails = 1",
      "+0   < df udp 192.0.2.2:1000>198.51.100.2:2000 (972)", "+0 >1 df len=1000 udp 192.0.2.2:1000>198.51.100.2:2000 (972)")
DRILL(ip_forward, fragments_what_may_be_cut,
      ROUTER, "link eth1 mtu 1000",
      "+0   < id=77 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)",
      "+0   >1 id=77 len=996 frag=0:976 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)",
      "+0   >1 id=77 len=452 frag=976:432 udp 192.0.2.2:1000>198.51.100.2:2000 (1400)",
      "mib IpFragOKs = 1", "mib IpFragCreates = 2")
/* A fragment that is cut again keeps its place and its MF. RFC 791 3.2 */
DRILL(ip_forward, fragments_of_fragments,
      ROUTER, "link eth1 mtu 576",
      "+0   < id=9 frag=800:800 udp 192.0.2.2:1000>198.51.100.2:2000 (2000)",
      "+0   >1 id=9 frag=800:552 udp 192.0.2.2:1000>198.51.100.2:2000 (2000)",
      "+0   >1 id=9 mf frag=1352:248 udp 192.0.2.2:1000>198.51.100.2:2000 (2000)")
/* ip_route mtu */
DRILL(ip_forward, mtu_of_the_route,
      ROUTER, "route add 198.51.100.0/25 dev eth1 mtu 700",
      "+0   < df udp 192.0.2.2:1000>198.51.100.2:2000 (800)",
      "+0   > icmp unreach/frag mtu 700 quote last")

/* RFC 1812 4.3.3.1, 5.2.7.1 */
DRILL(ip_forward, no_route,
      ROUTER,
      "+0   < udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 unreach/net quote last", "drops ip_innoroutes = 1", "mib IpExtInNoRoutes = 1")
DRILL(ip_forward, refusing_routes,
      ROUTER, "route add 10.1.0.0/16 type unreachable", "route add 10.2.0.0/16 type prohibit", "route add 10.3.0.0/16 type blackhole",
      "+0   < udp 192.0.2.2:1000>10.1.0.1:2000 (8)", "+0 > icmp unreach/host quote last", "drops ip_unreachable = 1",
      "+0   < udp 192.0.2.2:1000>10.2.0.1:2000 (8)", "+0 > icmp unreach/13 quote last", "drops ip_prohibit = 1",
      "+0   < udp 192.0.2.2:1000>10.3.0.1:2000 (8)", "drops ip_blackhole = 1")

/* RFC 1812 5.3.4, 5.3.5: what came by a link-layer broadcast, and broadcasts, are not forwarded; no error is sent about them. */
DRILL(ip_forward, broadcasts_stay,
      ROUTER,
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "drops unicast_in_l2_multicast = 1",
      "+0   < udp 192.0.2.2:1000>198.51.100.255:2000 (8)", "mib IpForwDatagrams = 0",
      "+0   < dmac=ff:ff:ff:ff:ff:ff ttl=1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "mib IcmpOutMsgs = 0")
/* RFC 2644: a directed broadcast passes only where that was asked for. */
DRILL(ip_forward, directed_broadcast_where_asked_for,
      ROUTER, "sysctl net.ipv4.conf.all.bc_forwarding=1", "sysctl net.ipv4.conf.eth0.bc_forwarding=1",
      "+0   < ttl=64 udp 192.0.2.2:1000>198.51.100.255:2000 (8)",
      "+0   >1 dmac=ff:ff:ff:ff:ff:ff ttl=63 udp 192.0.2.2:1000>198.51.100.255:2000 (8)",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1000>192.0.2.255:2000 (8)", "mib IpForwDatagrams = 1")
/* RFC 3927 2.7 */
DRILL(ip_forward, link_scope_stays,
      ROUTER,
      "+0   < udp 169.254.1.1:1000>198.51.100.2:2000 (8)", "drops forward_link_scope = 1")
DRILL(ip_forward, martians_are_not_forwarded,
      ROUTER,
      "+0   < udp 198.51.100.1:1000>198.51.100.2:2000 (8)", "drops ip_martian_source = 1",
      "+0   < udp 127.0.0.1:1000>198.51.100.2:2000 (8)", "drops ip_localnet = 1",
      "+0   < udp 224.0.0.1:1000>198.51.100.2:2000 (8)", "drops ip_invalid_source = 1",
      "+0   < udp 192.0.2.2:1000>224.1.2.3:2000 (8)", "drops ip_multicast = 1")

/* RFC 1812 5.2.7.2: out by the device that it came in by: forwarded, and the sender is told of the better hop; rarer and rarer, then not at all. */
DRILL(ip_forward, redirect,
      "sysctl net.ipv4.ip_forward=1", "route add 10.0.0.0/8 via 192.0.2.7", "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0",
      "+0   < ttl=64 udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 redirect/1 gw 192.0.2.7 quote last",
      "+0   > dmac=02:00:00:00:00:27 ttl=63 udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   < udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   > dmac=02:00:00:00:00:27 udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0.1 < udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   > icmp redirect/1 gw 192.0.2.7",
      "+0   > dmac=02:00:00:00:00:27 udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "mib IcmpOutRedirects = 2")
DRILL(ip_forward, redirect_switched_off,
      "sysctl net.ipv4.ip_forward=1", "sysctl net.ipv4.conf.all.send_redirects=0", "sysctl net.ipv4.conf.eth0.send_redirects=0",
      "route add 10.0.0.0/8 via 192.0.2.7", "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0",
      "+0   < udp 192.0.2.2:1000>10.0.0.1:2000 (8)",
      "+0   > dmac=02:00:00:00:00:27 udp 192.0.2.2:1000>10.0.0.1:2000 (8)")
/* ... and not to one that is not on that link. */
DRILL(ip_forward, redirect_only_to_neighbours,
      "sysctl net.ipv4.ip_forward=1", "route add 10.0.0.0/8 via 192.0.2.7", "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0",
      "route add 172.16.0.0/12 via 192.0.2.2",
      "+0   < udp 172.16.0.9:1000>10.0.0.1:2000 (8)",
      "+0   > dmac=02:00:00:00:00:27 udp 172.16.0.9:1000>10.0.0.1:2000 (8)", "mib IcmpOutRedirects = 0")

/* Forwarded fragments pass as they are: no reassembly on the way. */
DRILL(ip_forward, fragments_pass,
      ROUTER,
      "+0   < id=5 frag=0:1000 udp 192.0.2.2:1000>198.51.100.2:2000 (1500)",
      "+0   >1 id=5 frag=0:1000 udp 192.0.2.2:1000>198.51.100.2:2000 (1500)",
      "+0   < id=5 frag=1000:508 udp 192.0.2.2:1000>198.51.100.2:2000 (1500)",
      "+0   >1 id=5 frag=1000:508 udp 192.0.2.2:1000>198.51.100.2:2000 (1500)",
      "mib IpReasmReqds = 0")
/* ... and no error is sent about one that is not the first. RFC 1122 3.2.2 */
DRILL(ip_forward, no_error_about_a_later_fragment,
      ROUTER,
      "+0   < ttl=1 id=5 frag=8:8 udp 192.0.2.2:1000>198.51.100.2:2000 (100)", "drops ip_ttl = 1", "mib IcmpOutMsgs = 0",
      "+0   < ttl=1 id=5 frag=0:8 udp 192.0.2.2:1000>198.51.100.2:2000 (100)", "+0 > icmp exceeded/ttl quote last")

/* Two and more shards: the same, wherever a frame comes in. */
DRILL(ip_forward, with_shards,
      "set shards 4", ROUTER,
      "+0   <0@0 ttl=64 udp 192.0.2.2:1000>198.51.100.2:2000 (8)", "+0 >1 ttl=63 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   <0@3 ttl=64 udp 192.0.2.2:1000>198.51.100.2:2000 (9)", "+0 >1 ttl=63 udp 192.0.2.2:1000>198.51.100.2:2000 (9)",
      "+0   <0@1 ttl=1 udp 192.0.2.2:1001>198.51.100.2:2000 (9)", "+0 > icmp exceeded/ttl quote last")
