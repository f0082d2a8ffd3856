/* SPDX-License-Identifier: MIT */
/*
 * test_icmp_error.c: ICMP errors, ours and those of others: when they are sent, how often, how long, and which are believed. RFC 792, RFC 1122 3.2.2,
 * RFC 1812 4.3, RFC 1191, RFC 6633, RFC 6918.
 */
#include "drill.h"
#include <criterion/criterion.h>

#define ROUTER "set devs 2", "sysctl net.ipv4.ip_forward=1"

/* RFC 1812 4.3.2.3: as much of the packet as fits in 576 bytes. */
DRILL(icmp_error, quotes_up_to_576_bytes,
      "+0   < udp 4000>9999 (1400)", "+0 > len=576 icmp unreach/port quote last",
      "+0   < udp 4000>9999 (20)", "+0 > len=76 icmp unreach/port quote last")
/* RFC 1812 4.3.2.5: precedence 6 (internetwork control), the rest of the TOS as it was. */
DRILL(icmp_error, tos,
      "+0   < tos=0x08 udp 4000>9999 (20)", "+0 > tos=0xc8 icmp unreach/port quote last")
/* RFC 1812 4.3.2.4: the source is the address that was asked, or that of the device by which the error leaves. */
DRILL(icmp_error, source_address,
      ROUTER,
      "+0   < udp 192.0.2.2:4000>198.51.100.1:9999 (20)", "+0 > icmp 198.51.100.1>192.0.2.2 unreach/port quote last",
      "+0   < ttl=1 udp 192.0.2.2:4000>198.51.100.2:9999 (20)", "+0 > icmp 192.0.2.1>192.0.2.2 exceeded/ttl quote last")

/* RFC 1122 3.2.2: an error is never about ... */
DRILL(icmp_error, never_about_an_error,
      "+0   < icmp 3/1 quote {udp 9999>4000 (20)}", "+0 < icmp 11/0 quote {udp 9999>4000 (20)}", "+0 < icmp 12 quote {udp 9999>4000 (20)}",
      "+0   < icmp 5/1 gw 192.0.2.9 quote {udp 9999>4000 (20)}", "+0 < icmp 4 quote {udp 9999>4000 (20)}",
      "mib IcmpOutMsgs = 0")
DRILL(icmp_error, never_about_an_error_on_its_way,
      ROUTER,
      "+0   < ttl=1 icmp 192.0.2.2>198.51.100.2 unreach/port quote {udp 9999>4000 (20)}", "drops ip_ttl = 1", "mib IcmpOutMsgs = 0",
      "+0   < ttl=1 icmp 192.0.2.2>198.51.100.2 200", "mib IcmpOutMsgs = 0",
      "+0   < ttl=1 icmp 192.0.2.2>198.51.100.2 echo id 1 seq 1 (8)", "+0 > icmp exceeded/ttl quote last")
DRILL(icmp_error, never_about_groups,
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1>255.255.255.255:9999 (8)",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1>192.0.2.255:9999 (8)",
      "+0   < dmac=01:00:5e:00:00:01 udp 192.0.2.2:1>224.0.0.1:9999 (8)",
      "+0   < dmac=ff:ff:ff:ff:ff:ff ip 99 192.0.2.2>192.0.2.255 (8)",
      "mib IcmpOutMsgs = 0")
DRILL(icmp_error, never_to_what_is_no_host,
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 0.0.0.0:1>255.255.255.255:9999 (8)",
      "+0   < udp 192.0.2.255:1>192.0.2.1:9999 (8)", "mib IcmpOutMsgs = 0")

/* icmp_ratelimit: six at once to one host, then one a second (1,000 ms). Other hosts have their own share; echo is not limited. */
DRILL(icmp_error, limited_to_each_host,
      "neigh add 192.0.2.3 02:00:00:00:00:23 dev eth0",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 < udp 1>9 (1)", "mib IcmpOutRateLimitHost = 2",
      "+0   < udp 192.0.2.3:1>192.0.2.1:9 (1)", "+0 > dmac=02:00:00:00:00:23 icmp 192.0.2.1>192.0.2.3 unreach/port quote last",
      "+0   < icmp echo id 1 seq 1 (8)", "+0 > icmp reply id 1 seq 1 (8)",
      "+1.1 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "mib IcmpOutRateLimitHost = 3")
DRILL(icmp_error, limited_to_all_hosts,
      "sysctl net.ipv4.icmp_msgs_burst=2", "sysctl net.ipv4.icmp_msgs_per_sec=1",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "mib IcmpOutRateLimitGlobal = 1")
DRILL(icmp_error, limit_switched_off,
      "sysctl net.ipv4.icmp_ratelimit=0",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last", "+0 < udp 1>9 (1)", "+0 > icmp unreach/port quote last")
DRILL(icmp_error, mask_frees_a_type,
      "sysctl net.ipv4.icmp_ratemask=0", "sysctl net.ipv4.icmp_msgs_burst=0",
      "+0   < udp 1>9 (1)", "+0 > icmp unreach/port quote last")
/* Path MTU discovery is never starved. */
DRILL(icmp_error, frag_needed_is_not_limited,
      ROUTER, "link eth1 mtu 600", "sysctl net.ipv4.icmp_msgs_burst=0",
      "+0   < df udp 192.0.2.2:1000>198.51.100.2:2000 (800)", "+0 > icmp unreach/frag mtu 600 quote last")

/* What others tell us reaches the right socket (RFC 1122 4.1.3.3). */
DRILL(icmp_error, port_unreachable_reaches_the_socket,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   send s 4", "+0 > udp 5000>9 (4)",
      "+0   < icmp unreach/port quote last",
      "getsockopt s ERROR = ECONNREFUSED", "mib IcmpInDestUnreachs = 1")
/* A quote that is not ours, cut short, of another version, of a later fragment, or of nothing, is not believed. */
DRILL(icmp_error, bogus_quotes,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   < icmp unreach/port quote {udp 192.0.2.77:5000>192.0.2.2:9 (4)}", "drops icmp_inner = 1",
      "+0   < icmp unreach/port quote {udp 192.0.2.1:5000>0.0.0.0:9 (4)}", "drops icmp_inner = 2",
      "+0   < icmp unreach/port", "drops icmp_inner = 3",
      "+0   < icmp unreach/port hex=4500001c", "drops icmp_inner = 4",
      "+0   < icmp unreach/port hex=6500001c0000000040110000c0000201c000020213880009", "drops icmp_inner = 5",
      "+0   < icmp unreach/port hex=4f00001c0000000040110000c0000201c00002021388000900080000", "drops icmp_inner = 6",
      "+0   < icmp unreach/port hex=4100001c0000000040110000c0000201c00002021388000900080000", "drops icmp_inner = 7",
      "+0   < icmp unreach/port hex=4500001c0000000140110000c0000201c00002021388000900080000", "drops icmp_inner = 8",
      "+0   < icmp unreach/port hex=450000140000000040110000c0000201c00002021388000900080000", "drops icmp_inner = 9",
      "+0   < icmp unreach/port hex=4500001c0000000040110000c0000201c0000202138800090008", "drops icmp_inner = 10",
      "getsockopt s ERROR = 0", "mib IcmpInErrors = 10")
/* RFC 6918, RFC 6633: not answered, not heeded. */
DRILL(icmp_error, old_messages,
      "+0   < icmp 15 id 1 seq 1", "+0 < icmp 17 id 1 seq 1 (4)", "+0 < icmp 13 id 1 seq 1", "drops icmp_short = 1",
      "+0   < icmp 4 quote {udp 9999>4000 (20)}", "mib IcmpInSrcQuenchs = 1", "mib IcmpOutMsgs = 0",
      "+0   < icmp 1", "drops icmp_type = 1", "+0 < icmp 19", "drops icmp_type = 2", "+0 < icmp 255", "drops icmp_type = 3",
      "+0   < icmp unreach/16 quote {udp 9999>4000 (20)}", "drops icmp_type = 4")
/* RFC 1122 3.2.2.8 */
DRILL(icmp_error, timestamp_is_answered,
      "+0   < icmp timestamp id 3 seq 4 hex=000000050000000000000000",
      "+0   > len=40 icmp timestamp-reply id 3 seq 4 hex=00000005000003e8000003e8", "mib IcmpOutTimestampReps = 1")

/* RFC 1191: the path MTU of a destination falls, is kept for mtu_expires, and not raised before; min_pmtu is the least believed. */
DRILL(icmp_error, path_mtu_is_learned,
      "socket s udp", "bind s :5000", "setsockopt s MTU_DISCOVER 1", "connect s 192.0.2.2:9",
      "+0   send s 1400", "+0 > df udp 5000>9 (1400)",
      "+0   < icmp unreach/frag mtu 1000 quote last",
      "getsockopt s MTU = 1000",
      "+0   send s 1400 = EMSGSIZE",
      "+0   send s 1400", "+0 > frag=0:976 udp 5000>9 (1400)", "+0 > frag=976:432 udp 5000>9 (1400)",
      "+601 wait", "getsockopt s MTU = 1500")
DRILL(icmp_error, path_mtu_is_told_to_all_shards,
      "set shards 4", "socket a udp cpu 0", "socket b udp cpu 3", "bind a :5000", "bind b :5001", "connect a 192.0.2.2:9", "connect b 192.0.2.2:9",
      "+0   send a 1400", "+0 > df udp 5000>9 (1400)",
      "+0   < icmp unreach/frag mtu 1000 quote last",
      "+0.01 wait", "getsockopt a MTU = 1000", "getsockopt b MTU = 1000")
/* A stranger who guesses addresses alone cannot lower it: the quote must be of a socket of ours. */
DRILL(icmp_error, path_mtu_needs_a_socket,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   < icmp unreach/frag mtu 600 quote {udp 192.0.2.1:5001>192.0.2.2:9 (1000)}",
      "+0   < icmp unreach/frag mtu 600 quote {tcp 192.0.2.1:5000>192.0.2.2:9 . 1:1001(1000) ack 1 abs=1}",
      "getsockopt s MTU = 1500")
/* 7.1: a router that does not say: the plateau below the packet's length. */
DRILL(icmp_error, path_mtu_plateau,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   send s 1472", "+0 > df udp 5000>9 (1472)",
      "+0   < icmp unreach/frag mtu 0 quote last", "getsockopt s MTU = 1492")
DRILL(icmp_error, path_mtu_has_a_floor,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   send s 1400", "+0 > df udp 5000>9 (1400)",
      "+0   < icmp unreach/frag mtu 100 quote last", "getsockopt s MTU = 552")
DRILL(icmp_error, path_mtu_that_cannot_be,
      "socket s udp", "bind s :5000", "connect s 192.0.2.2:9",
      "+0   send s 1000", "+0 > df udp 5000>9 (1000)",
      "+0   < icmp unreach/frag mtu 1028 quote last", "drops icmp_inner = 1",
      "+0   < icmp unreach/frag mtu 67 quote last", "drops icmp_inner = 2", "getsockopt s MTU = 1500")

/* RFC 1122 3.2.2.2: a redirect is heeded from the first hop in use, to a neighbour on that link, where accept_redirects says so. */
DRILL(icmp_error, redirect_is_heeded,
      "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0", "neigh add 192.0.2.8 02:00:00:00:00:28 dev eth0", "route add default via 192.0.2.7",
      "socket s udp", "bind s :5000",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.1:9 (4)",
      "+0   < icmp 192.0.2.66>192.0.2.1 redirect/1 gw 192.0.2.8 quote last",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.1:9 (4)",
      "+0   < icmp 192.0.2.7>192.0.2.1 redirect/1 gw 203.0.113.8 quote last",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.1:9 (4)",
      "+0   < icmp 192.0.2.7>192.0.2.1 redirect/1 gw 192.0.2.8 quote last",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:28 udp 192.0.2.1:5000>10.0.0.1:9 (4)",
      "+0   send s 4 to 10.0.0.2:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.2:9 (4)")
DRILL(icmp_error, redirect_is_ignored,
      "neigh add 192.0.2.7 02:00:00:00:00:27 dev eth0", "route add default via 192.0.2.7",
      "sysctl net.ipv4.conf.all.accept_redirects=0", "sysctl net.ipv4.conf.eth0.accept_redirects=0", "socket s udp", "bind s :5000",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.1:9 (4)",
      "+0   < icmp 192.0.2.7>192.0.2.1 redirect/1 gw 192.0.2.8 quote last",
      "+0   send s 4 to 10.0.0.1:9", "+0 > dmac=02:00:00:00:00:27 udp 192.0.2.1:5000>10.0.0.1:9 (4)")
