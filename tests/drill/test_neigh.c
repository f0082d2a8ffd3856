/* SPDX-License-Identifier: MIT */
/*
 * test_neigh.c: the life of a neighbour: RFC 4861 7.3 states, its timers, the queue of what waits, and several shards. RFC 1122 2.3.2.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* INCOMPLETE: mcast_solicit broadcasts, retrans_time apart; then FAILED, and our own sender is told. RFC 1122 2.3.2.1: at most one a second. */
DRILL(neigh, incomplete_probes_then_fails,
      "set arp", "socket s udp", "connect s 192.0.2.9:9", "setsockopt s RECVERR 1",
      "+0   send s 8",
      "+0   > dmac=ff:ff:ff:ff:ff:ff arp request 192.0.2.9 tell 192.0.2.1",
      "+1   > dmac=ff:ff:ff:ff:ff:ff arp request 192.0.2.9 tell 192.0.2.1",
      "+1   > dmac=ff:ff:ff:ff:ff:ff arp request 192.0.2.9 tell 192.0.2.1",
      "+1.2 wait",
      "drops neigh_failed = 1", "mib NeighResFailed = 1",
      "getsockopt s ERROR = EHOSTUNREACH",
      "+0   send s 8",
      "+0   > arp request 192.0.2.9 tell 192.0.2.1",
      "+0.1 < arp reply 192.0.2.9 is-at 02:00:00:00:00:29",
      "+0   > dmac=02:00:00:00:00:29 udp 192.0.2.1>192.0.2.9 (8)")

/* RFC 1122 2.3.2.2: what waits is sent when the answer comes: all of it, in order. */
DRILL(neigh, queue_is_sent_in_order,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   send s 2", "+0   send s 3",
      "+0.3 < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp (1)", "+0   > udp (2)", "+0   > udp (3)")

/* ... but for what unres_qlen_bytes does not hold: the oldest goes. A truesize of a small datagram is between 2,048 and 2,700 bytes. */
DRILL(neigh, queue_is_bounded_oldest_goes,
      "set arp", "sysctl net.ipv4.neigh.default.unres_qlen_bytes=5500", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   send s 2", "+0   send s 3", "+0   send s 4",
      "drops neigh_queuefull = 2", "mib NeighUnresDiscards = 2",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp (3)", "+0   > udp (4)")
DRILL(neigh, queue_keeps_the_latest_in_any_case,
      "set arp", "sysctl net.ipv4.neigh.default.unres_qlen_bytes=0", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   send s 2", "drops neigh_queuefull = 1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp (2)")

/* REACHABLE ends after 0.5 to 1.5 of base_reachable_time. Unused it becomes STALE, and the next packet leaves at once (DELAY); after delay_first_probe_time
 * it is asked by unicast, ucast_solicit times; then FAILED. */
DRILL(neigh, stale_delay_probe_failed,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > udp (1)",
      "+60  wait",
      "+0   send s 2", "+0   > udp (2)",
      "+5   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+0   send s 3", "+0   > udp (3)",
      "+1   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+1   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+1.2 wait", "mib NeighResFailed = 1",
      "+0   send s 4", "+0   > dmac=ff:ff:ff:ff:ff:ff arp request 192.0.2.2 tell 192.0.2.1")

/* An answer in PROBE makes it REACHABLE again: no more questions. */
DRILL(neigh, probe_answered,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2", "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10",
      "+0   send s 1", "+0   > udp (1)",
      "+5   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+0.1 < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+10  send s 2", "+0   > udp (2)", "mib ArpOutRequests = 1")

/* Only a reply to us alone proves reachability (RFC 4861 7.3.1): a broadcast one leaves him STALE, so he is asked after DELAY. */
DRILL(neigh, broadcast_reply_proves_nothing,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < dmac=ff:ff:ff:ff:ff:ff arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > udp (1)",
      "+5   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20")

/* A new address in REACHABLE from a broadcast makes him STALE with it; packets follow at once. */
DRILL(neigh, moved_neighbour_is_followed,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > udp (1)",
      "+2   < arp request 192.0.2.2 tell 192.0.2.2 from 02:00:00:00:00:55",
      "+0   send s 2", "+0   > dmac=02:00:00:00:00:55 udp (2)",
      "+5   > dmac=02:00:00:00:00:55 arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:55")

/* Permanent entries are never asked about, and nothing on the wire changes them. */
DRILL(neigh, permanent_is_not_changed,
      "set arp", "neigh add 192.0.2.2 02:00:00:00:00:42 dev eth0",
      "+0   < arp request 192.0.2.2 tell 192.0.2.2 from 02:00:00:00:00:55",
      "+100 < icmp echo id 1 seq 1 (8)",
      "+0   > dmac=02:00:00:00:00:42 icmp reply id 1 seq 1 (8)",
      "+1   neigh del 192.0.2.2 dev eth0",
      "+0   < icmp echo id 1 seq 2 (8)",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > icmp reply id 1 seq 2 (8)")
/* What waits when an entry is made permanent goes out at once. */
DRILL(neigh, permanent_frees_the_queue,
      "set arp",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0.1 neigh add 192.0.2.2 02:00:00:00:00:42 dev eth0",
      "+0   > dmac=02:00:00:00:00:42 icmp reply id 1 seq 1 (8)")

/* A forwarded packet whose next hop is not there: its sender is told (RFC 1812 4.3.3.1), for every packet that waited. */
DRILL(neigh, forwarded_packet_is_told_of,
      "set arp", "set devs 2", "sysctl net.ipv4.ip_forward=1", "neigh add 192.0.2.2 02:00:00:00:00:20 dev eth0",
      "+0   < udp 192.0.2.2:1000>198.51.100.9:2000 (8)",
      "+0   >1 dmac=ff:ff:ff:ff:ff:ff arp request 198.51.100.9 tell 198.51.100.1",
      "+1   >1 dmac=ff:ff:ff:ff:ff:ff arp request 198.51.100.9 tell 198.51.100.1",
      "+1   >1 dmac=ff:ff:ff:ff:ff:ff arp request 198.51.100.9 tell 198.51.100.1",
      "+1   > icmp 192.0.2.1>192.0.2.2 unreach/host quote last", "drops neigh_failed = 1")

/* A link that loses its cable loses its neighbours. */
DRILL(neigh, carrier_loss_forgets,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2", "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10",
      "+1   link eth0 carrier off", "+1   link eth0 carrier on", "mib NeighDestroys = 1",
      "+0   < icmp echo id 1 seq 1 (8)", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > icmp reply id 1 seq 1 (8)")
DRILL(neigh, link_down_with_packets_waiting,
      "set arp", "socket s udp", "connect s 192.0.2.2:9",
      "+0   send s 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0.1 link eth0 down", "drops neigh_dead = 1")

/* Shards: one asks, all are answered; nothing is lost, whichever shard wants to send and wherever the answer comes in. */
DRILL(neigh, shards_one_asks,
      "set arp", "set shards 4", "socket a udp cpu 0", "socket b udp cpu 1", "socket c udp cpu 2", "socket d udp cpu 3",
      "bind a :1001", "bind b :1002", "bind c :1003", "bind d :1004", "connect a 192.0.2.2:9", "connect b 192.0.2.2:9", "connect c 192.0.2.2:9", "connect d 192.0.2.2:9",
      "+0   send a 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1", "+0   send b 1", "+0   send c 1", "+0   send d 1",
      "mib ArpOutRequests = 1",
      "+0.1 <0@2 arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp 1003>9 (1)", "+0   > udp 1004>9 (1)", "+0   > udp 1001>9 (1)", "+0   > udp 1002>9 (1)")
DRILL(neigh, shards_answer_where_nobody_asked,
      "set arp", "set shards 8", "socket a udp cpu 0", "connect a 192.0.2.2:9",
      "+0   send a 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0.1 <0@7 arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp (1)",
      "+0   send a 2", "+0   > udp (2)")
DRILL(neigh, shards_fail_together,
      "set arp", "set shards 4", "socket a udp cpu 0", "socket b udp cpu 3", "connect a 192.0.2.9:9", "connect b 192.0.2.9:9",
      "setsockopt a RECVERR 1", "setsockopt b RECVERR 1",
      "+0   send a 1", "+0   > arp request 192.0.2.9 tell 192.0.2.1", "+0   send b 2",
      "+1   > arp request 192.0.2.9 tell 192.0.2.1",
      "+1   > arp request 192.0.2.9 tell 192.0.2.1",
      "+1.3 wait", "drops neigh_failed = 2",
      "getsockopt a ERROR = EHOSTUNREACH", "getsockopt b ERROR = EHOSTUNREACH")
/* DELAY on one shard ends in a question by the home shard, and its answer makes both REACHABLE. */
DRILL(neigh, shards_verify,
      "set arp", "set shards 4", "socket a udp cpu 1", "socket b udp cpu 2", "connect a 192.0.2.2:9", "connect b 192.0.2.2:9",
      "+0   send a 1", "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < dmac=ff:ff:ff:ff:ff:ff arp reply 192.0.2.2 is-at 02:00:00:00:00:20", "+0   > udp (1)",
      "+5   > dmac=02:00:00:00:00:20 arp request 192.0.2.2 tell 192.0.2.1",
      "+0   <0@3 arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+10  send a 2", "+0   > udp (2)", "mib ArpOutRequests = 2")
