/* SPDX-License-Identifier: MIT */
/*
 * test_taps.c: what packet taps are shown (netstack/tap.h): every frame that comes and leaves once, every packet that dies. The tap of a drill reads each frame to its last byte.
 */
#include "drill.h"
#include <criterion/criterion.h>

#define ROUTER "set devs 2", "set observe", "sysctl net.ipv4.ip_forward=1"

DRILL(taps, a_forwarded_packet_is_seen_on_both_sides,
      ROUTER,
      "+0   < udp 192.0.2.2:1000>198.51.100.2:2000 (100)",
      "+0   >1 udp 192.0.2.2:1000>198.51.100.2:2000 (100)", "seen in = 1", "seen out = 1", "seen drops = 0")
/* The packet that came, that it died, and the error that was sent for it. */
DRILL(taps, a_packet_that_dies_on_the_way,
      ROUTER,
      "+0   < ttl=1 udp 192.0.2.2:1000>198.51.100.2:2000 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 exceeded/ttl quote last",
      "seen in = 1", "seen drops = 1", "seen out = 1", "drops ip_ttl = 1")
/* The bytes that a packet is made of are shown as they came, wherever it dies: shorter than a header, with options, with padding behind it. */
DRILL(taps, malformed_packets,
      ROUTER,
      "+0   < trunc=20 udp 192.0.2.2:1000>192.0.2.1:7 (8)", "seen drops = 1",
      "+0   < ihl=3 udp (8)", "+0 < len=9999 udp (8)", "+0 < sum=bad udp (8)", "seen drops = 4",
      "+0   < opts=07ff04 udp (8)", "+0 > icmp 192.0.2.1>192.0.2.2 param", "seen drops = 5", "seen in = 5", "seen out = 1",
      "+0   < pad=20 udp 192.0.2.2:1000>192.0.2.1:7 (8) sum=bad", "drops udp_csum = 1", "seen drops = 6")
/* A packet that is cut to fragments leaves as these; fragments that come are seen as they come. */
DRILL(taps, fragments,
      ROUTER, "link eth1 mtu 576",
      "+0   < udp 192.0.2.2:1000>198.51.100.2:2000 (1000)",
      "+0   >1 mf frag=0:552 udp 192.0.2.2:1000>198.51.100.2:2000 (1000)", "+0 >1 frag=552:456 udp 192.0.2.2:1000>198.51.100.2:2000 (1000)", "seen in = 1", "seen out = 2",
      "+0   < frag=0:560 id=9 udp 192.0.2.2:1000>192.0.2.1:9 (1000)", "+0 < frag=560:448 id=9 udp 192.0.2.2:1000>192.0.2.1:9 (1000)",
      "+0   > icmp unreach/port", "seen in = 3", "seen drops = 1", "drops no_socket = 1",
      "+0   < frag=0:560 id=10 udp 192.0.2.2:1000>192.0.2.1:9 (1000)", "+30 > icmp exceeded/reasm", "seen drops = 2")
/* Our own packet that waits for a neighbour who does not answer was never sent: it is seen dying, and only the questions are seen leaving. */
DRILL(taps, a_packet_that_never_left,
      "set arp", "set observe",
      "+0   socket s udp", "+0 connect s 192.0.2.2:9", "+0 send s 10",
      "+0   > arp request 192.0.2.2 tell 192.0.2.1", "+1 > arp request 192.0.2.2 tell 192.0.2.1", "+1 > arp request 192.0.2.2 tell 192.0.2.1", "+2 wait",
      "seen out = 3", "seen in = 0", "seen drops = 1", "drops neigh_failed = 1")
/* A TCP conversation: what leaves is a clone of the write queue's, and is shown with its header. */
DRILL(taps, a_conversation,
      "set observe",
      "+0    socket l tcp", "+0 bind l :80", "+0 listen l 5",
      "+0.1  < tcp S 0 win 65535 <mss 1460>", "+0 > tcp S. 0 ack 1 <mss 1460>", "+0.02 < tcp . 1 ack 1", "+0 accept l c",
      "+0    < tcp P. 1:11(10) ack 1", "+0 > tcp . 1 ack 11", "+0 recv c 10",
      "+0    send c 3000", "+0 > tcp . 1:1461(1460) ack 11", "+0 > tcp . 1461:2921(1460) ack 11", "+0 > tcp P. 2921:3001(80) ack 11",
      "+0.01 < tcp . 11 ack 3001", "seen in = 4", "seen out = 5", "seen drops = 0")
/* A device that is full shows a frame once, although it is tried again. */
DRILL(taps, a_device_that_is_full,
      "set observe",
      "+0   txfull on", "+0 < icmp echo id 1 seq 1 (8)", "+0 < icmp echo id 1 seq 2 (8)", "+0 < icmp echo id 1 seq 3 (8)", "seen in = 3",
      "+0   txfull off", "+0 > icmp reply id 1 seq 1 (8)", "+0 > icmp reply id 1 seq 2 (8)", "+0 > icmp reply id 1 seq 3 (8)", "seen out = 3", "seen drops = 0")
