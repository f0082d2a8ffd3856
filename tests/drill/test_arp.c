/* SPDX-License-Identifier: MIT */
/*
 * test_arp.c: address resolution as seen on the wire. RFC 826, RFC 1122 2.3.2, RFC 5227, RFC 1027, and the tunables arp_* of a device.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* RFC 826: a request for our address is answered to its sender alone, and the sender is known from then on. */
DRILL(arp, request_is_answered_and_teaches,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > dmac=02:00:00:00:00:20 arp reply 192.0.2.1 is-at 02:00:00:00:00:10 to 192.0.2.2",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > icmp reply id 1 seq 1 (8)",
      "mib ArpInRequests = 1", "mib ArpOutReplies = 1", "mib ArpOutRequests = 0")

/* RFC 826: what is asked about others is of no concern, and nobody is put into the table for it. */
DRILL(arp, request_for_others_is_ignored,
      "set arp",
      "+0   < arp request 192.0.2.77 tell 192.0.2.2",
      "drops arp_not_for_us = 1", "mib NeighAllocs = 0")

/* RFC 826: an entry that exists is updated by any packet of its owner, also by one for others (after locktime). */
DRILL(arp, merge_updates_what_is_known,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10",
      "+2   < arp request 192.0.2.77 tell 192.0.2.2 from 02:00:00:00:00:99",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > dmac=02:00:00:00:00:99 icmp reply id 1 seq 1 (8)")

/* Of two answers in locktime the first holds. */
DRILL(arp, locktime_keeps_the_first_answer,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10",
      "+0.5 < arp request 192.0.2.77 tell 192.0.2.2 from 02:00:00:00:00:99",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > icmp reply id 1 seq 1 (8)")

/* RFC 5227 2.1.1: a probe (sender 0.0.0.0) is answered; it teaches nothing. */
DRILL(arp, probe_is_answered,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 0.0.0.0",
      "+0   > dmac=02:00:00:00:00:20 arp reply 192.0.2.1 is-at 02:00:00:00:00:10 to 0.0.0.0",
      "mib NeighAllocs = 0")

/* RFC 5227 3: an announcement changes at once what is known, and makes no entry. */
DRILL(arp, announcement_updates_at_once,
      "set arp",
      "+0   < arp request 192.0.2.2 tell 192.0.2.2",
      "mib NeighAllocs = 0",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10",
      "+0.1 < arp request 192.0.2.2 tell 192.0.2.2 from 02:00:00:00:00:77",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > dmac=02:00:00:00:00:77 icmp reply id 1 seq 1 (8)",
      "drops arp_not_for_us = 0")
DRILL(arp, accept_makes_an_entry_of_an_announcement,
      "set arp", "sysctl net.ipv4.conf.all.arp_accept=1",
      "+0   < arp request 192.0.2.2 tell 192.0.2.2",
      "mib NeighAllocs = 1",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > icmp reply id 1 seq 1 (8)")

/* A reply that nobody asked for makes no entry. */
DRILL(arp, unasked_reply_is_ignored,
      "set arp",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:66",
      "mib NeighAllocs = 0",
      "+0   < icmp echo id 1 seq 1 (8)",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > icmp reply id 1 seq 1 (8)")

/* RFC 5227 2.4: somebody else claims our address: nothing is learned, nothing answered. */
DRILL(arp, conflict_changes_nothing,
      "set arp",
      "+0   < arp request 192.0.2.1 tell 192.0.2.1 from 02:00:00:00:00:66",
      "+0   < arp reply 192.0.2.1 is-at 02:00:00:00:00:66",
      "mib NeighAllocs = 0", "mib ArpOutReplies = 0")

/* Malformed packets of every kind: dropped by name, answered by nothing. */
DRILL(arp, malformed,
      "set arp",
      "+0   < trunc=41 arp request 192.0.2.1 tell 192.0.2.2", "drops arp_short = 1",
      "+0   < arp hex=000608000604000102000000002" "0c0000202000000000000c0000201", "drops arp_malformed = 1",
      "+0   < arp hex=000108060604000102000000002" "0c0000202000000000000c0000201", "drops arp_malformed = 2",
      "+0   < arp hex=000108000804000102000000002" "0c0000202000000000000c0000201", "drops arp_malformed = 3",
      "+0   < arp hex=000108000610000102000000002" "0c0000202000000000000c0000201", "drops arp_malformed = 4",
      "+0   < arp hex=000108000604000302000000002" "0c0000202000000000000c0000201", "drops arp_unsupported_op = 1",
      "+0   < arp hex=000108000604000002000000002" "0c0000202000000000000c0000201", "drops arp_unsupported_op = 2",
      "+0   < arp request 224.0.0.1 tell 192.0.2.2", "drops arp_bad_address = 1",
      "+0   < arp request 127.0.0.1 tell 192.0.2.2", "drops arp_bad_address = 2",
      "+0   < arp request 255.255.255.255 tell 192.0.2.2", "drops arp_bad_address = 3",
      "+0   < arp request 192.0.2.1 tell 224.0.0.5", "drops arp_bad_address = 4",
      "+0   < arp request 192.0.2.1 tell 255.255.255.255", "drops arp_bad_address = 5",
      "+0   < arp request 192.0.2.1 tell 127.0.0.1", "drops arp_bad_address = 6",
      "mib NeighAllocs = 0")

/* RFC 1812 3.3.2: a group address is never believed to be a neighbour's. */
DRILL(arp, group_mac_is_not_believed,
      "set arp",
      "+0   < smac=02:00:00:00:00:20 arp request 192.0.2.1 tell 192.0.2.2 from ff:ff:ff:ff:ff:ff", "drops arp_bad_address = 1",
      "+0   < smac=02:00:00:00:00:20 arp request 192.0.2.1 tell 192.0.2.2 from 01:00:5e:00:00:01", "drops arp_bad_address = 2",
      "+0   < smac=02:00:00:00:00:20 arp request 192.0.2.1 tell 192.0.2.2 from 00:00:00:00:00:00", "drops arp_bad_address = 3")

/* A bad target is not learned from either: padding and unicast requests are fine. */
DRILL(arp, padded_unicast_request,
      "set arp",
      "+0   < dmac=02:00:00:00:00:10 pad=18 arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10 to 192.0.2.2")

/* The weak model: an address of another device is answered for, unless arp_ignore says otherwise. */
DRILL(arp, ignore_0_answers_for_every_address,
      "set arp", "set devs 2",
      "+0   < arp request 198.51.100.1 tell 192.0.2.2",
      "+0   > arp reply 198.51.100.1 is-at 02:00:00:00:00:10 to 192.0.2.2")
DRILL(arp, ignore_1_answers_for_the_device_alone,
      "set arp", "set devs 2", "sysctl net.ipv4.conf.all.arp_ignore=1",
      "+0   < arp request 198.51.100.1 tell 192.0.2.2", "drops arp_not_for_us = 1",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10")
DRILL(arp, ignore_2_answers_the_same_network_alone,
      "set arp", "sysctl net.ipv4.conf.all.arp_ignore=2",
      "+0   < arp request 192.0.2.1 tell 203.0.113.9", "drops arp_not_for_us = 1",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2",
      "+0   > arp reply 192.0.2.1 is-at 02:00:00:00:00:10")
DRILL(arp, ignore_8_answers_nobody,
      "set arp", "sysctl net.ipv4.conf.all.arp_ignore=8",
      "+0   < arp request 192.0.2.1 tell 192.0.2.2", "drops arp_not_for_us = 1")
DRILL(arp, filter_answers_where_the_way_back_is,
      "set arp", "set devs 2", "sysctl net.ipv4.conf.all.arp_filter=1",
      "+0   <1 arp request 192.0.2.1 tell 192.0.2.7", "drops arp_not_for_us = 1",
      "+0   < arp request 192.0.2.1 tell 192.0.2.7",
      "+0   > dmac=02:00:00:00:00:20 arp reply 192.0.2.1 is-at 02:00:00:00:00:10 to 192.0.2.7")

/* RFC 1027 */
DRILL(arp, proxy_answers_for_what_is_reached_elsewhere,
      "set arp", "set devs 2", "sysctl net.ipv4.ip_forward=1", "sysctl net.ipv4.conf.eth0.proxy_arp=1",
      "+0   < arp request 198.51.100.2 tell 192.0.2.2",
      "+0   > arp reply 198.51.100.2 is-at 02:00:00:00:00:10 to 192.0.2.2",
      "+0   < arp request 192.0.2.77 tell 192.0.2.2", "drops arp_not_for_us = 1",
      "+0   < arp request 203.0.113.9 tell 192.0.2.2", "drops arp_not_for_us = 2",
      "+0   < arp request 198.51.100.2 tell 0.0.0.0", "drops arp_not_for_us = 3",
      "+0   <1 arp request 192.0.2.2 tell 198.51.100.2", "drops arp_not_for_us = 4")

/* arp_announce: 0 asks in the name of the packet's source, 2 in the name of an address of the target's network. */
DRILL(arp, announce_0_uses_the_source_of_the_packet,
      "set arp", "set devs 2", "socket s udp", "bind s 198.51.100.1:5000",
      "+0   send s 8 to 192.0.2.2:9",
      "+0   > arp request 192.0.2.2 tell 198.51.100.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20 to 198.51.100.1",
      "+0   > udp 198.51.100.1:5000>192.0.2.2:9 (8)")
DRILL(arp, announce_2_uses_an_address_of_the_network,
      "set arp", "set devs 2", "sysctl net.ipv4.conf.all.arp_announce=2", "socket s udp", "bind s 198.51.100.1:5000",
      "+0   send s 8 to 192.0.2.2:9",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1",
      "+0   < arp reply 192.0.2.2 is-at 02:00:00:00:00:20",
      "+0   > udp 198.51.100.1:5000>192.0.2.2:9 (8)")
/* The request for a forwarded packet is never in the name of its source. */
DRILL(arp, forwarded_packet_does_not_lend_its_source,
      "set arp", "set devs 2", "sysctl net.ipv4.ip_forward=1",
      "+0   < udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   >1 arp request 198.51.100.2 tell 198.51.100.1",
      "+0   <1 arp reply 198.51.100.2 is-at 02:00:00:00:00:21",
      "+0   >1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)")

/* arp_notify: a new address and a link that comes up are announced (RFC 5227 3). */
DRILL(arp, notify_announces_addresses,
      "set arp", "sysctl net.ipv4.conf.all.arp_notify=1",
      "+0   addr add 192.0.2.50/24 dev eth0",
      "+0   > arp request 192.0.2.50 tell 192.0.2.50",
      "+1   link eth0 carrier off",
      "+1   link eth0 carrier on",
      "+0   > arp request 192.0.2.1 tell 192.0.2.1",
      "+0   > arp request 192.0.2.50 tell 192.0.2.50")
DRILL(arp, without_notify_nothing_is_announced,
      "set arp",
      "+0   addr add 192.0.2.50/24 dev eth0",
      "+1   link eth0 down", "+1   link eth0 up", "mib ArpOutRequests = 0")
DRILL(arp, notify_with_shards_announces_once,
      "set arp", "set shards 4", "sysctl net.ipv4.conf.all.arp_notify=1",
      "+0   addr add 192.0.2.50/24 dev eth0",
      "+0   > arp request 192.0.2.50 tell 192.0.2.50",
      "+1   wait", "mib ArpOutRequests = 1")
