/* SPDX-License-Identifier: MIT */
/*
 * test_ip_input.c: which packets are taken for IPv4 and for ours. RFC 791, RFC 1122 3.2.1, RFC 1812 5.2.2 to 5.3.8, RFC 3704.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* RFC 1812 5.2.2: the five checks of a header, each with its reason. */
DRILL(ip_input, shorter_than_a_header,
      "+0   < trunc=33 icmp echo id 1 seq 1 (8)", "drops ip_short = 1", "mib IpInHdrErrors = 1")
DRILL(ip_input, version_is_not_4,
      "+0   < ver=5 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 1",
      "+0   < ver=6 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 2",
      "+0   < ver=0 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 3")
DRILL(ip_input, header_length_below_five,
      "+0   < ihl=4 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 1",
      "+0   < ihl=0 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 2")
DRILL(ip_input, header_length_beyond_the_packet,
      "+0   < ihl=15 trunc=50 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 1")
DRILL(ip_input, header_checksum,
      "+0   < sum=bad icmp echo id 1 seq 1 (8)", "drops ip_csum = 1", "mib IpExtInCsumErrors = 1", "mib IpInHdrErrors = 1")
DRILL(ip_input, total_length_below_the_header,
      "+0   < len=19 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 1",
      "+0   < len=0 icmp echo id 1 seq 1 (8)", "drops ip_inhdr = 2")
DRILL(ip_input, total_length_beyond_the_packet,
      "+0   < len=37 icmp echo id 1 seq 1 (8)", "drops ip_truncated = 1", "mib IpExtInTruncatedPkts = 1",
      "+0   < len=65535 icmp echo id 1 seq 1 (8)", "drops ip_truncated = 2")
/* RFC 1122 3.2.1 / RFC 894: padding of the link is no data. */
DRILL(ip_input, padding_is_cut,
      "+0   < pad=18 icmp echo id 1 seq 1 (0)",
      "+0   > len=28 icmp reply id 1 seq 1 (0)",
      "+0   < pad=1000 icmp echo id 1 seq 2 (5)",
      "+0   > len=33 icmp reply id 1 seq 2 (5)")

/* RFC 1122 3.2.1.3, RFC 1812 5.3.7: what cannot be a source. */
DRILL(ip_input, impossible_sources,
      "+0   < icmp echo 224.0.0.5>192.0.2.1 id 1 seq 1 (8)", "drops ip_invalid_source = 1",
      "+0   < icmp echo 255.255.255.255>192.0.2.1 id 1 seq 1 (8)", "drops ip_invalid_source = 2",
      "+0   < icmp echo 0.0.0.0>192.0.2.1 id 1 seq 1 (8)", "drops ip_invalid_source = 3",
      "+0   < icmp echo 0.1.2.3>192.0.2.1 id 1 seq 1 (8)", "drops ip_invalid_source = 4",
      "+0   < icmp echo 192.0.2.255>192.0.2.1 id 1 seq 1 (8)", "drops ip_martian_source = 1",
      "+0   < icmp echo 192.0.2.1>192.0.2.1 id 1 seq 1 (8)", "drops ip_martian_source = 2")
/* RFC 1122 3.2.1.3 (g): 127/8 never on a wire. */
DRILL(ip_input, loopback_on_the_wire,
      "+0   < icmp echo 127.0.0.1>192.0.2.1 id 1 seq 1 (8)", "drops ip_localnet = 1",
      "+0   < icmp echo 192.0.2.2>127.0.0.1 id 1 seq 1 (8)", "drops ip_localnet = 2")
DRILL(ip_input, impossible_destinations,
      "+0   < icmp echo 192.0.2.2>0.1.2.3 id 1 seq 1 (8)", "drops ip_invalid_dest = 1",
      "+0   < icmp echo 192.0.2.2>0.0.0.0 id 1 seq 1 (8)", "drops ip_invalid_dest = 2")

/* RFC 1122 3.3.6: a packet to one host in a link-layer broadcast is not accepted. */
DRILL(ip_input, unicast_in_a_broadcast_frame,
      "+0   < dmac=ff:ff:ff:ff:ff:ff icmp echo id 1 seq 1 (8)", "drops unicast_in_l2_multicast = 1",
      "+0   < dmac=01:00:5e:00:00:01 icmp echo id 1 seq 1 (8)", "drops unicast_in_l2_multicast = 2")
DRILL(ip_input, frame_for_another_station,
      "+0   < dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (8)", "drops otherhost = 1", "mib IpInReceives = 0")

/* Broadcast and the group of all hosts are ours, other groups not. RFC 1112 */
DRILL(ip_input, broadcast_and_all_hosts,
      "socket s udp", "bind s :5000", "sysctl net.ipv4.icmp_echo_ignore_broadcasts=0",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1>255.255.255.255:5000 (4)", "+0 recv s 4", "mib IpExtInBcastPkts = 1",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.2:1>192.0.2.255:5000 (5)", "+0 recv s 5", "mib IpExtInBcastPkts = 2",
      "+0   < dmac=ff:ff:ff:ff:ff:ff udp 0.0.0.0:1>255.255.255.255:5000 (6)", "+0 recv s 6",
      "+0   < dmac=01:00:5e:00:00:01 icmp echo 192.0.2.2>224.0.0.1 id 1 seq 1 (8)",
      "+0   > icmp 192.0.2.1>192.0.2.2 reply id 1 seq 1 (8)", "mib IpExtInMcastPkts = 1",
      "+0   < dmac=ff:ff:ff:ff:ff:ff icmp echo 192.0.2.2>224.0.0.9 id 1 seq 1 (8)", "drops ip_multicast = 1")

/* Weak model (RFC 1122 3.3.4.2): any address of ours by any device. */
DRILL(ip_input, weak_model,
      "set devs 2",
      "+0   < icmp echo 192.0.2.2>198.51.100.1 id 1 seq 1 (8)",
      "+0   > icmp 198.51.100.1>192.0.2.2 reply id 1 seq 1 (8)")

/* RFC 3704: strict and loose. */
DRILL(ip_input, rp_filter_strict,
      "set devs 2", "sysctl net.ipv4.conf.all.rp_filter=1",
      "+0   < icmp echo 198.51.100.2>192.0.2.1 id 1 seq 1 (8)", "drops ip_rpfilter = 1", "mib TcpExtIPReversePathFilter = 1",
      "+0   < icmp echo 10.9.9.9>192.0.2.1 id 1 seq 1 (8)", "drops ip_rpfilter = 2",
      "+0   < icmp echo id 1 seq 1 (8)", "+0 > icmp reply id 1 seq 1 (8)")
DRILL(ip_input, rp_filter_loose,
      "set devs 2", "sysctl net.ipv4.conf.all.rp_filter=2",
      "+0   < icmp echo 198.51.100.2>192.0.2.1 id 1 seq 1 (8)",
      "+0   >1 icmp 192.0.2.1>198.51.100.2 reply id 1 seq 1 (8)",
      "+0   < icmp echo 10.9.9.9>192.0.2.1 id 1 seq 1 (8)", "drops ip_rpfilter = 1")
DRILL(ip_input, rp_filter_off,
      "set devs 2", "sysctl net.ipv4.conf.all.rp_filter=0",
      "+0   < icmp echo 198.51.100.2>192.0.2.1 id 1 seq 1 (8)",
      "+0   >1 icmp 192.0.2.1>198.51.100.2 reply id 1 seq 1 (8)")

/* Not ours and we do not forward: silence, with a reason. */
DRILL(ip_input, not_for_us,
      "+0   < icmp echo 192.0.2.2>10.0.0.1 id 1 seq 1 (8)", "drops ip_forwarding_off = 1", "mib IpInAddrErrors = 1",
      "+0   < icmp echo 192.0.2.2>192.0.2.77 id 1 seq 1 (8)", "drops ip_forwarding_off = 2")

/* RFC 1122 3.2.2.1: no protocol. */
DRILL(ip_input, unknown_protocol,
      "+0   < ip 253 (8)", "+0 > icmp unreach/proto quote last", "mib IpInUnknownProtos = 1", "drops ip_noproto = 1")
DRILL(ip_input, raw_socket_takes_the_protocol,
      "socket r raw 253",
      "+0   < ip 253 (8)", "mib IpInDelivers = 1", "mib IpInUnknownProtos = 0")

/* Talking to ourselves, over lo, by any of our addresses and by 127/8. */
DRILL(ip_input, to_ourselves,
      "socket a udp", "bind a :5000", "socket b udp",
      "+0   send b 4 to 192.0.2.1:5000", "+0.01 recv a 4",
      "+0   send b 5 to 127.0.0.1:5000", "+0.01 recv a 5",
      "+0   send b 6 to 127.9.9.9:5000", "+0.01 recv a 6")
/* RFC 1122 3.3.6: our own broadcasts are heard by ourselves as by all others. */
DRILL(ip_input, own_broadcast_is_heard,
      "socket a udp", "bind a :5000", "socket b udp", "bind b :5001", "setsockopt b BROADCAST 1",
      "+0   send b 4 to 192.0.2.255:5000",
      "+0   > dmac=ff:ff:ff:ff:ff:ff udp 192.0.2.1:5001>192.0.2.255:5000 (4)",
      "+0.01 recv a 4")
DRILL(ip_input, refused_by_ourselves,
      "socket a udp", "connect a 127.0.0.1:9",
      "+0   send a 4", "+0.01 wait", "getsockopt a ERROR = ECONNREFUSED")
