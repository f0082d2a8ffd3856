/* SPDX-License-Identifier: MIT */
/*
 * test_udp.c: UDP as RFC 768, RFC 1122 section 4.1 and Linux want it, one group of rows a requirement.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* ---- RFC 1122 4.1.3.1: ports ---------------------------------------------------------------------------------------------- */

DRILL(udp, delivers_to_the_bound_port,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (20)",
      "wait",
      "poll s = IN OUT",
      "recv s 20 from 192.0.2.2:4000",
      "recv s 20 = EAGAIN",
      "mib UdpInDatagrams = 1")

DRILL(udp, nobody_there_is_port_unreachable,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>81 (20)",
      "+0   > icmp unreach/port quote last",
      "mib UdpNoPorts = 1", "mib UdpInErrors = 0")

DRILL(udp, a_closed_port_is_nobodys,
      "socket s udp", "bind s :80", "close s",
      "+0   < udp 4000>80 (20)",
      "+0   > icmp unreach/port quote last")

DRILL(udp, empty_datagrams_are_datagrams,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (0)",
      "wait", "poll s = IN OUT", "recv s 0 from 192.0.2.2:4000",
      "+0   send s 0 to 192.0.2.2:4000",
      "+0   > udp 80>4000 (0)")

/* ---- 4.1.3.2, 4.1.4: options, TOS and TTL are the application's to choose ------------------------------------------------------- */

DRILL(udp, ttl_and_tos,
      "socket s udp", "bind s :80",
      "+0   send s 4 to 192.0.2.2:9",
      "+0   > ttl=64 tos=0 udp 80>9 (4)",
      "setsockopt s TTL 7", "setsockopt s TOS 184",
      "+0   send s 4 to 192.0.2.2:9",
      "+0   > ttl=7 tos=184 udp 80>9 (4)")

DRILL(udp, minimum_ttl,
      "socket s udp", "bind s :80", "setsockopt s MINTTL 255",
      "+0   < ttl=254 udp 4000>80 (4)",
      "+0   < ttl=255 udp 4000>80 (5)",
      "wait", "recv s 5", "recv s 5 = EAGAIN", "drops socket_filter = 1")

/* ---- 4.1.3.3: ICMP errors reach the application ---------------------------------------------------------------------------------- */

DRILL(udp, port_unreachable_to_a_connected_socket,
      "socket s udp", "connect s 192.0.2.2:53",
      "+0   send s 10",
      "+0   > udp (10)",
      "+0   < icmp unreach/port quote last",
      "wait", "wake s = ERR OUT", "poll s = ERR OUT",
      "recv s 1 = ECONNREFUSED",
      "recv s 1 = EAGAIN", "poll s = OUT")

DRILL(udp, the_error_is_told_once_to_send_or_getsockopt,
      "socket s udp", "connect s 192.0.2.2:53",
      "+0   send s 10",
      "+0   > udp (10)",
      "+0   < icmp unreach/port quote last",
      "wait",
      "send s 10 = ECONNREFUSED",
      "+0   send s 10",
      "+0   > udp (10)",
      "+0   < icmp unreach/port quote last",
      "wait",
      "getsockopt s ERROR = ECONNREFUSED", "getsockopt s ERROR = 0")

DRILL(udp, an_unconnected_socket_is_not_told_unless_it_asks,
      "socket s udp", "bind s :80",
      "+0   send s 10 to 192.0.2.2:53",
      "+0   > udp 80>53 (10)",
      "+0   < icmp unreach/port quote last",
      "wait", "poll s = OUT",
      "setsockopt s RECVERR 1",
      "+0   send s 10 to 192.0.2.2:53",
      "+0   > udp 80>53 (10)",
      "+0   < icmp unreach/port quote last",
      "wait", "poll s = ERR OUT",
      "recv s 0 flags errqueue from 192.0.2.2:53",
      "poll s = OUT")

/* Codes that are not fatal (host unreachable, time exceeded) are for those who ask. RFC 1122 4.2.3.9 in spirit; Linux's table. */
DRILL(udp, soft_errors,
      "socket s udp", "connect s 192.0.2.2:53",
      "+0   send s 10",
      "+0   > udp (10)",
      "+0   < icmp unreach/host quote last",
      "+0   < icmp exceeded/ttl quote last",
      "wait", "poll s = OUT",
      "+0   < icmp param quote last",
      "wait", "recv s 1 = EPROTO",
      "setsockopt s RECVERR 1",
      "+0   < icmp unreach/host quote last",
      "wait", "recv s 1 = EHOSTUNREACH")

DRILL(udp, errors_about_what_others_sent,
      "socket s udp", "connect s 192.0.2.2:53",
      "+0   send s 10",
      "+0   > udp (10)",
      "+0   < icmp unreach/port quote {udp 4444>53 (10)}",
      "wait", "poll s = OUT")

/* ---- 4.1.3.4: checksums ------------------------------------------------------------------------------------------------------------ */

DRILL(udp, bad_checksum_is_silently_discarded,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (20) sum=bad",
      "+1   wait", "poll s = OUT",
      "mib UdpInCsumErrors = 1", "mib UdpInErrors = 1", "drops udp_csum = 1")

DRILL(udp, zero_checksum_means_none,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (20) nosum",
      "wait", "recv s 20")

DRILL(udp, bad_checksum_is_not_answered,
      "+0   < udp 4000>80 (20) sum=bad",
      "+1   wait", "mib UdpNoPorts = 0")

DRILL(udp, odd_and_large_sums,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (1471)",
      "+0   < udp 4000>80 (1)",
      "wait", "recv s 1471", "recv s 1",
      "+0   send s 1471 to 192.0.2.2:9",
      "+0   > udp 80>9 (1471)",
      "+0   send s 1 to 192.0.2.2:9",
      "+0   > udp 80>9 (1)")

/* ---- RFC 768: length --------------------------------------------------------------------------------------------------------------- */

DRILL(udp, lengths_that_lie,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (20) ulen=29",
      "+0   < udp 4000>80 (20) ulen=7",
      "+0   < udp 4000>80 (20) ulen=0",
      "+1   wait", "poll s = OUT",
      "mib UdpInErrors = 3", "drops udp_short = 3")

DRILL(udp, shorter_than_ip_says_is_cut,
      "socket s udp", "bind s :80",
      "+0   < udp 4000>80 (20) ulen=18 nosum",
      "wait", "recv s 10")

DRILL(udp, shorter_than_a_header,
      "socket s udp", "bind s :80",
      "+0   < ip 17 (7)",
      "+1   wait", "drops udp_short = 1")

/* ---- 4.1.3.5: multihoming ------------------------------------------------------------------------------------------------------------ */

DRILL(udp, the_source_is_what_was_bound_or_what_the_route_says,
      "set devs 2",
      "addr add 192.0.2.11/24 dev eth0",
      "socket a udp", "bind a 192.0.2.11:80",
      "+0   send a 4 to 192.0.2.2:9",
      "+0   > udp 192.0.2.11:80>192.0.2.2:9 (4)",
      "socket b udp", "bind b :81",
      "+0   send b 4 to 192.0.2.2:9",
      "+0   > udp 192.0.2.1:81>192.0.2.2:9 (4)",
      "+0   send b 4 to 198.51.100.2:9",
      "+0   >1 udp 198.51.100.1:81>198.51.100.2:9 (4)")

DRILL(udp, the_most_specific_socket_gets_it,
      "socket any udp", "setsockopt any REUSEADDR 1", "bind any :80",
      "socket one udp", "setsockopt one REUSEADDR 1", "bind one 192.0.2.1:80",
      "socket con udp", "setsockopt con REUSEADDR 1", "bind con 192.0.2.1:80", "connect con 192.0.2.2:4000",
      "+0   < udp 4000>80 (4)",
      "+0   < udp 4001>80 (5)",
      "wait", "recv con 4", "recv one 5", "poll any = OUT")

DRILL(udp, a_connected_socket_hears_its_peer_only,
      "socket s udp", "bind s :80", "connect s 192.0.2.2:4000",
      "+0   < udp 4000>80 (4)",
      "+0   < udp 4001>80 (5)",
      "+0   > icmp unreach/port quote last",
      "recv s 4", "recv s 4 = EAGAIN")

/* ---- broadcast and multicast --------------------------------------------------------------------------------------------------------- */

DRILL(udp, broadcast_goes_to_every_socket,
      "socket a udp", "setsockopt a REUSEADDR 1", "bind a :80",
      "socket b udp", "setsockopt b REUSEADDR 1", "bind b :80",
      "socket c udp", "setsockopt c REUSEADDR 1", "bind c 192.0.2.255:80",
      "socket d udp", "setsockopt d REUSEADDR 1", "bind d 192.0.2.1:80",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4000>192.0.2.255:80 (9)",
      "wait", "recv a 9", "recv b 9", "recv c 9", "poll d = OUT")

DRILL(udp, limited_broadcast_is_received,
      "socket a udp", "bind a :80",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4000>255.255.255.255:80 (9)",
      "wait", "recv a 9 from 192.0.2.2:4000")

/* RFC 1122 3.2.2, 4.1.3.1: no error about a broadcast. */
DRILL(udp, broadcast_that_nobody_wants,
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4000>192.0.2.255:81 (9)",
      "+1   wait", "mib UdpIgnoredMulti = 1", "mib UdpNoPorts = 0")

DRILL(udp, broadcast_must_be_permitted,
      "socket s udp", "bind s :80",
      "send s 4 to 192.0.2.255:9 = EACCES",
      "setsockopt s BROADCAST 1",
      "+0   send s 4 to 192.0.2.255:9",
      "+0   > dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.1:80>192.0.2.255:9 (4)")

/* ---- sizes, fragments, path MTU ------------------------------------------------------------------------------------------------------- */

DRILL(udp, too_long_for_ip,
      "socket s udp", "bind s :80",
      "send s 65508 to 192.0.2.2:9 = EMSGSIZE",
      "send s 70000 to 192.0.2.2:9 = EMSGSIZE")

DRILL(udp, fragments_when_larger_than_the_mtu,
      "socket s udp", "bind s :80",
      "+0   send s 1472 to 192.0.2.2:9",
      "+0   > udp 80>9 (1472)",
      "+0   send s 1473 to 192.0.2.2:9",
      "+0   > frag=0:1480 udp 80>9 (1473)",
      "+0   > frag=1480:1 udp 80>9 (1473)")

DRILL(udp, dont_fragment,
      "socket s udp", "bind s :80", "setsockopt s MTU_DISCOVER 2",
      "+0   send s 1472 to 192.0.2.2:9",
      "+0   > df udp 80>9 (1472)",
      "send s 1473 to 192.0.2.2:9 = EMSGSIZE",
      "setsockopt s MTU_DISCOVER 0",
      "+0   send s 4 to 192.0.2.2:9",
      "+0   > udp 80>9 (4)")

DRILL(udp, a_smaller_path_is_learned,
      "socket s udp", "connect s 192.0.2.2:9", "setsockopt s MTU_DISCOVER 2",
      "getsockopt s MTU = 1500",
      "+0   send s 1400",
      "+0   > df udp (1400)",
      "+0   < icmp unreach/frag mtu 1000 quote last",
      "wait",
      "recv s 1 = EMSGSIZE",
      "getsockopt s MTU = 1000",
      "send s 973 = EMSGSIZE",
      "+0   send s 972",
      "+0   > df udp (972)")

/* ---- corking, segments ------------------------------------------------------------------------------------------------------------------ */

DRILL(udp, more,
      "socket s udp", "bind s :80",
      "+0   send s \"one \" to 192.0.2.2:9 flags more",
      "+0   send s \"two \" to 192.0.2.2:9 flags more",
      "+0   send s \"three\" to 192.0.2.2:9",
      "+0   > udp 80>9 \"one two three\"",
      "+0   send s \"four\" to 192.0.2.2:9",
      "+0   > udp 80>9 \"four\"")

DRILL(udp, cork,
      "socket s udp", "bind s :80", "setsockopt s UDP_CORK 1",
      "+0   send s \"one \" to 192.0.2.2:9",
      "+0   send s \"two\" to 192.0.2.2:9",
      "+1   wait",
      "+0   setsockopt s UDP_CORK 0",
      "+0   > udp 80>9 \"one two\"")

DRILL(udp, cork_too_much,
      "socket s udp", "bind s :80",
      "send s 60000 to 192.0.2.2:9 flags more",
      "send s 6000 to 192.0.2.2:9 flags more = EMSGSIZE",
      "+0   send s \"fresh\" to 192.0.2.2:9",
      "+0   > udp 80>9 \"fresh\"")

DRILL(udp, corked_and_closed,
      "socket s udp", "bind s :80",
      "send s 600 to 192.0.2.2:9 flags more",
      "close s")

DRILL(udp, segments,
      "socket s udp", "bind s :80", "setsockopt s UDP_SEGMENT 4",
      "+0   send s \"abcdefghij\" to 192.0.2.2:9",
      "+0   > udp 80>9 \"abcd\"",
      "+0   > udp 80>9 \"efgh\"",
      "+0   > udp 80>9 \"ij\"",
      "+0   send s \"abc\" to 192.0.2.2:9",
      "+0   > udp 80>9 \"abc\"",
      "setsockopt s UDP_SEGMENT 1473",
      "send s 3000 to 192.0.2.2:9 = EMSGSIZE",
      "setsockopt s UDP_SEGMENT 1",
      "send s 129 to 192.0.2.2:9 = EINVAL")

/* ---- calls ------------------------------------------------------------------------------------------------------------------------------- */

DRILL(udp, destinations,
      "socket s udp",
      "send s 4 = EDESTADDRREQ",
      "send s 4 to 192.0.2.2:0 = EINVAL",
      "send s 4 to 8.8.8.8:53 = ENETUNREACH",
      "route add 0.0.0.0/0 via 192.0.2.2 dev eth0",
      "+0   send s 4 to 8.8.8.8:53",
      "+0   > udp 192.0.2.1>8.8.8.8 (4)",
      "listen s 5 = EOPNOTSUPP",
      "accept s c = EOPNOTSUPP")

DRILL(udp, a_connected_socket_may_send_elsewhere,
      "socket s udp", "bind s :80", "connect s 192.0.2.2:4000",
      "+0   send s 4 to 192.0.2.2:4001",
      "+0   > udp 80>4001 (4)",
      "+0   connect s none",
      "send s 4 = EDESTADDRREQ")

DRILL(udp, routes_follow_the_configuration,
      "set devs 2",
      "route add 203.0.113.0/24 via 192.0.2.2 dev eth0",
      "socket s udp", "bind s :80", "connect s 203.0.113.9:9",
      "+0   send s 4",
      "+0   > udp 192.0.2.1:80>203.0.113.9:9 (4)",
      "route del 203.0.113.0/24 dev eth0",
      "send s 4 = ENETUNREACH",
      "route add 203.0.113.0/24 via 198.51.100.2 dev eth1",
      "+0   send s 4",
      "+0   >1 udp 192.0.2.1:80>203.0.113.9:9 (4)")

DRILL(udp, the_last_way_is_not_kept_too_long,
      "set devs 2",
      "socket s udp", "bind s :80",
      "route add 203.0.113.0/24 via 192.0.2.2 dev eth0",
      "+0   send s 4 to 203.0.113.9:9",
      "+0   > udp 192.0.2.1:80>203.0.113.9:9 (4)",
      "+0   send s 4 to 198.51.100.2:9",
      "+0   >1 udp 198.51.100.1:80>198.51.100.2:9 (4)",
      "route del 203.0.113.0/24 dev eth0", "route add 203.0.113.0/24 via 198.51.100.2 dev eth1",
      "+0   send s 4 to 203.0.113.9:9",
      "+0   >1 udp 198.51.100.1:80>203.0.113.9:9 (4)",
      "setsockopt s BINDTODEVICE eth0",
      "setsockopt s MTU_DISCOVER 2",
      "+0   send s 1400 to 192.0.2.2:9",
      "+0   > udp 192.0.2.1:80>192.0.2.2:9 (1400)",
      "+0   < icmp unreach/frag mtu 1000 quote last",
      "wait", "send s 973 to 192.0.2.2:9 = EMSGSIZE",
      "+0   connect s 192.0.2.2:9",
      "+0   send s 5",
      "+0   > udp 192.0.2.1:80>192.0.2.2:9 (5)",
      "connect s none", "setsockopt s BINDTODEVICE eth1",
      "+0   send s 6 to 203.0.113.9:9",
      "+0   >1 udp 198.51.100.1:80>203.0.113.9:9 (6)")

DRILL(udp, to_myself,
      "socket a udp", "bind a :80", "socket b udp", "bind b :81",
      "+0   send a 9 to 192.0.2.1:81",
      "wait", "recv b 9 from 192.0.2.1:80",
      "+0   send b 9 to 127.0.0.1:80",
      "wait", "recv a 9 from 127.0.0.1:81",
      "+0   send a 65507 to 127.0.0.1:81",
      "wait", "recv b 65507 from 127.0.0.1:80")

DRILL(udp, device_bound_sockets_hear_their_device,
      "set devs 2",
      "socket a udp", "setsockopt a BINDTODEVICE eth1", "bind a :80",
      "+0   < udp 4000>80 (4)",
      "+0   > icmp unreach/port quote last",
      "+0   <1 udp 4000>80 (4)",
      "wait", "recv a 4 from 198.51.100.2:4000")

/* ---- shards -------------------------------------------------------------------------------------------------------------------------------- */

DRILL(udp, any_shard_finds_the_owner,
      "set shards 4",
      "socket s udp cpu 2", "bind s :80",
      "+0   < udp 4000>80 (5)", "+0   < udp 4001>80 (5)", "+0   < udp 4002>80 (5)", "+0   < udp 4003>80 (5)", "+0   < udp 4004>80 (5)", "+0   < udp 4005>80 (5)",
      "+0.1 wait",
      "ioctl s INQ = 5", "mib UdpNoPorts = 0",
      "recv s 5", "recv s 5", "recv s 5", "recv s 5", "recv s 5", "recv s 5", "recv s 5 = EAGAIN")

DRILL(udp, nobody_on_any_shard,
      "set shards 4",
      "socket s udp cpu 2", "bind s :80", "+0 wait", "close s",
      "+0.1 < udp 4000>80 (1)",
      "+0   > icmp unreach/port quote last",
      "+0   < udp 4001>80 (1)",
      "+0   > icmp unreach/port quote last",
      "+0   < udp 4002>80 (1)",
      "+0   > icmp unreach/port quote last")

DRILL(udp, a_broadcast_reaches_every_shard_once,
      "set shards 3",
      "socket a udp cpu 0", "setsockopt a REUSEADDR 1", "bind a :80", "+0 wait",
      "socket b udp cpu 1", "setsockopt b REUSEADDR 1", "bind b :80", "+0 wait",
      "socket c udp cpu 2", "setsockopt c REUSEADDR 1", "bind c :80", "+0 wait",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4000>192.0.2.255:80 (9)",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:4001>192.0.2.255:80 (8)",
      "+0.1 wait",
      "recv a 9", "recv a 8", "recv a 9 = EAGAIN",
      "recv b 9", "recv b 8", "recv b 9 = EAGAIN",
      "recv c 9", "recv c 8", "recv c 9 = EAGAIN")

DRILL(udp, errors_find_the_owner,
      "set shards 4",
      "socket s udp cpu 1", "bind s :80", "setsockopt s RECVERR 1",
      "+0   send s 10 to 192.0.2.2:53",
      "+0   > udp 80>53 (10)",
      "+0   < icmp unreach/port quote last",
      "+0.1 wait", "recv s 0 flags errqueue from 192.0.2.2:53",
      "+0   send s 10 to 192.0.2.2:54",
      "+0   > udp 80>54 (10)",
      "+0   < icmp unreach/port quote last",
      "+0.1 wait", "recv s 0 flags errqueue from 192.0.2.2:54",
      "+0   send s 10 to 192.0.2.2:55",
      "+0   > udp 80>55 (10)",
      "+0   < icmp unreach/port quote last",
      "+0.1 wait", "recv s 0 flags errqueue from 192.0.2.2:55")

DRILL(udp, replicas_serve_their_own,
      "set shards 2",
      "socket a udp cpu 0", "setsockopt a SHARD_REPLICA 1", "bind a :7",
      "socket b udp cpu 1", "setsockopt b SHARD_REPLICA 1", "bind b :7",
      "+0   < udp 4000>7 (1)", "+0   < udp 4001>7 (1)", "+0   < udp 4002>7 (1)", "+0   < udp 4003>7 (1)", "+0   < udp 4004>7 (1)",
      "+0   < udp 4005>7 (1)", "+0   < udp 4006>7 (1)", "+0   < udp 4007>7 (1)", "+0   < udp 4008>7 (1)", "+0   < udp 4009>7 (1)",
      "+0.1 wait",
      "poll a = IN OUT", "poll b = IN OUT", "mib UdpNoPorts = 0")

/* ---- raw sockets ---------------------------------------------------------------------------------------------------------------------------- */

DRILL(raw, sees_icmp_with_its_ip_header,
      "socket r raw 1", "+0 wait",
      "+0   < icmp echo id 7 seq 1 (8)",
      "+0   > icmp reply id 7 seq 1 (8)",
      "poll r = IN OUT",
      "recv r 36 from 192.0.2.2",
      "recv r 36 = EAGAIN")

DRILL(raw, an_unknown_protocol_is_known_to_it,
      "socket r raw 99", "+0 wait",
      "+0   < ip 99 (20)",
      "wait", "recv r 40", "recv r 40 = EAGAIN",
      "close r", "+0 wait",
      "+0   < ip 99 (20)",
      "+0   > icmp unreach/proto quote last")

DRILL(raw, sends_with_a_header_made_for_it,
      "set shards 1", /* another shard does not know whom a raw socket is connected to */
      "socket r raw 99", "setsockopt r TTL 5",
      "send r 4 = EDESTADDRREQ",
      "+0   send r 20 to 192.0.2.2",
      "+0   > ttl=5 ip 99 (20)",
      "connect r 192.0.2.2",
      "+0   send r 20",
      "+0   > ip 99 (20)",
      "neigh add 192.0.2.9 02:00:00:00:00:09 dev eth0",
      "+0   < ip 99 192.0.2.9>192.0.2.1 (20)",
      "+0   > dmac=02:00:00:00:00:09 icmp 192.0.2.1>192.0.2.9 unreach/proto quote last")

DRILL(raw, every_shard_hands_over_once,
      "set shards 4",
      "socket a raw 1 cpu 3", "socket b raw 1 cpu 1", "socket c raw 1 cpu 1", "+0 wait",
      "+0   < icmp echo id 7 seq 1 (8)",
      "+0   > icmp reply id 7 seq 1 (8)",
      "+0   < icmp 192.0.2.9>192.0.2.1 reply id 7 seq 1 (9)",
      "wait",
      "recv a 36", "recv a 37", "recv a 36 = EAGAIN",
      "recv b 36", "recv b 37", "recv b 36 = EAGAIN",
      "recv c 36", "recv c 37", "recv c 36 = EAGAIN",
      "mib IcmpInEchos = 1")

/* ---- merged by GRO ----------------------------------------------------------------------------------------------------------------------- */

#define GRO_MS "set gro", "sysctl net.core.gro_flush_timeout=1000000"

/* Only who asks gets several datagrams as one message; when nobody does, none is held. */
DRILL(udp, merged_for_who_asks,
      GRO_MS, "socket s udp", "bind s :80", "socket t udp", "bind t :81",
      "+0   < id=5 df udp 9>80 \"abcd\"",
      "+0   recv s \"abcd\"",
      "+0   setsockopt s UDP_GRO 1",
      "+0   getsockopt s UDP_GRO = 1",
      "+0   < id=6 df udp 9>80 \"abcd\"",
      "+0   < id=7 df udp 9>80 \"efgh\"",
      "+0   < id=90 df udp 9>81 \"other\"",
      "+0   recv t \"other\"",
      "+0   recv s 100 = EAGAIN",
      "+0   < id=8 df udp 9>80 \"ij\"",
      "+0   recv s \"abcdefghij\"",
      "+0   gro merged = 2",
      "+0   setsockopt s UDP_GRO 0",
      "+0   < id=6 df udp 9>80 \"abcd\"",
      "+0   recv s \"abcd\"")

/* It asked no more by the time the packet came: the datagrams are what was sent. */
DRILL(udp, merged_too_late,
      GRO_MS, "socket s udp", "bind s :80", "setsockopt s UDP_GRO 1",
      "+0   < id=6 df udp 9>80 \"abcd\"",
      "+0   < id=7 df udp 9>80 \"efg\"",
      "+0   < id=8 df udp 9>80 \"abcd\"",
      "+0   < id=9 df udp 9>80 \"efgh\"",
      "+0   setsockopt s UDP_GRO 0",
      "+0.01 recv s \"abcdefg\"",
      "+0   recv s \"abcd\"",
      "+0   recv s \"efgh\"",
      "+0   recv s 100 = EAGAIN",
      "+0   mib UdpInErrors = 0")

/* What goes to oneself with UDP_SEGMENT stays one packet, and is cut for who did not ask. */
DRILL(udp, segments_to_myself,
      "socket s udp", "bind s :80", "socket t udp", "bind t :81",
      "+0   setsockopt s UDP_SEGMENT 4",
      "+0   send s \"abcdefghij\" to 192.0.2.1:81",
      "+0   recv t \"abcd\"",
      "+0   recv t \"efgh\"",
      "+0   recv t \"ij\"",
      "+0   setsockopt t UDP_GRO 1",
      "+0   send s \"abcdefghij\" to 192.0.2.1:81",
      "+0   recv t \"abcdefghij\"",
      "+0   recv t 100 = EAGAIN")

/* Corked data is cut when it is let go. */
DRILL(udp, segments_of_corked_data,
      "socket s udp", "bind s :80", "connect s 192.0.2.2:9", "setsockopt s UDP_SEGMENT 4", "setsockopt s UDP_CORK 1",
      "+0   send s \"abcdef\"",
      "+0   send s \"ghij\"",
      "+0   setsockopt s UDP_CORK 0",
      "+0   > udp 80>9 \"abcd\"",
      "+0   > udp 80>9 \"efgh\"",
      "+0   > udp 80>9 \"ij\"")

/* Whatever shard the frames come to, what they are merged for is known there, and forgotten when the socket goes. */
DRILL(udp, merged_on_any_shard,
      "set shards 3", GRO_MS, "socket s udp cpu 0", "bind s :80", "setsockopt s UDP_GRO 1",
      "+0   <0@2 id=6 df udp 9>80 \"abcd\"",
      "+0   <0@2 id=7 df udp 9>80 \"efgh\"",
      "+0   <0@1 id=6 df udp 10>80 \"abcd\"",
      "+0   <0@1 id=7 df udp 10>80 \"efgh\"",
      "+0   gro merged = 2",
      "+0.01 recv s \"abcdefgh\"",
      "+0   recv s \"abcdefgh\"",
      "+0   setsockopt s UDP_GRO 0",
      "+0   <0@1 id=8 df udp 10>80 \"abcd\"",
      "+0   recv s \"abcd\"",
      "+0   setsockopt s UDP_GRO 1",
      "+0   <0@1 id=8 df udp 10>80 \"abcd\"",
      "+0   gro held = 3",
      "+0.01 close s",
      "+0   <0@1 id=9 df udp 10>80 \"abcd\"",
      "+0   > icmp unreach/port",
      "+0   gro held = 3")
