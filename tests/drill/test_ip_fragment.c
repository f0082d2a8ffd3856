/* SPDX-License-Identifier: MIT */
/*
 * test_ip_fragment.c: datagrams put together and cut. RFC 791, RFC 815, RFC 1122 3.3.2, RFC 1858, RFC 3168 5.3, RFC 5722, and the attacks: teardrop, ping of death,
 * overlaps, floods.
 */
#include "drill.h"
#include <criterion/criterion.h>

/* RFC 791 3.2: whatever the order, the datagram is the same. */
DRILL(ip_fragment, in_order,
      "+0   < id=1 frag=0:800 icmp echo id 1 seq 1 (2000)", "+0 < id=1 frag=800:800 icmp echo id 1 seq 1 (2000)",
      "+0   < id=1 frag=1600:408 icmp echo id 1 seq 1 (2000)",
      "+0   > len=1500 frag=0:1480 icmp reply id 1 seq 1 (2000)", "+0 > frag=1480:528 icmp reply id 1 seq 1 (2000)",
      "mib IpReasmReqds = 3", "mib IpReasmOKs = 1", "mib IpReasmFails = 0")
DRILL(ip_fragment, backwards,
      "+0   < id=1 frag=1600:408 icmp echo id 1 seq 1 (2000)", "+0 < id=1 frag=800:800 icmp echo id 1 seq 1 (2000)",
      "+0   < id=1 frag=0:800 icmp echo id 1 seq 1 (2000)",
      "+0   > len=1500 frag=0:1480 icmp reply id 1 seq 1 (2000)", "+0 > frag=1480:528 icmp reply id 1 seq 1 (2000)", "mib IpReasmOKs = 1")
DRILL(ip_fragment, contents_are_right,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=400:400 udp 1>5000 (1000)", "+0 < id=1 frag=800:208 udp 1>5000 (1000)", "+0 < id=1 frag=0:400 udp 1>5000 (1000)",
      "+0   recv s 1000")
/* More pieces than an skb has slots for: 8 bytes each. */
DRILL(ip_fragment, many_small_pieces,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:8 udp 1>5000 (200)", "+0 < id=1 frag=8:8 udp 1>5000 (200)", "+0 < id=1 frag=16:8 udp 1>5000 (200)",
      "+0   < id=1 frag=24:8 udp 1>5000 (200)", "+0 < id=1 frag=32:8 udp 1>5000 (200)", "+0 < id=1 frag=40:8 udp 1>5000 (200)",
      "+0   < id=1 frag=48:8 udp 1>5000 (200)", "+0 < id=1 frag=56:8 udp 1>5000 (200)", "+0 < id=1 frag=64:8 udp 1>5000 (200)",
      "+0   < id=1 frag=72:8 udp 1>5000 (200)", "+0 < id=1 frag=80:8 udp 1>5000 (200)", "+0 < id=1 frag=88:8 udp 1>5000 (200)",
      "+0   < id=1 frag=96:8 udp 1>5000 (200)", "+0 < id=1 frag=104:8 udp 1>5000 (200)", "+0 < id=1 frag=112:8 udp 1>5000 (200)",
      "+0   < id=1 frag=120:8 udp 1>5000 (200)", "+0 < id=1 frag=128:8 udp 1>5000 (200)", "+0 < id=1 frag=136:8 udp 1>5000 (200)",
      "+0   < id=1 frag=144:8 udp 1>5000 (200)", "+0 < id=1 frag=152:8 udp 1>5000 (200)", "+0 < id=1 frag=160:8 udp 1>5000 (200)",
      "+0   < id=1 frag=168:8 udp 1>5000 (200)", "+0 < id=1 frag=176:8 udp 1>5000 (200)", "+0 < id=1 frag=184:8 udp 1>5000 (200)",
      "+0   < id=1 frag=200:8 udp 1>5000 (200)", "+0 < id=1 frag=192:8 udp 1>5000 (200)",
      "+0   recv s 200")
/* Datagrams are told apart by source, destination, protocol and identification. */
DRILL(ip_fragment, two_at_once,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 < id=2 frag=0:400 udp 1>5000 (500)",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "+0 recv s 600",
      "+0   < id=2 frag=400:108 udp 1>5000 (500)", "+0 recv s 500")

/* The same piece again is harmless (retransmission by the link). */
DRILL(ip_fragment, repetition_is_dropped,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 < id=1 frag=0:400 udp 1>5000 (600)", "drops frag_dup = 1",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "+0 recv s 600")
DRILL(ip_fragment, repetition_of_the_last,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "+0 < id=1 frag=400:208 udp 1>5000 (600)", "drops frag_dup = 1",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 recv s 600")
/* RFC 5722, teardrop: an overlap condemns the datagram; later pieces of it make no whole either. */
DRILL(ip_fragment, overlap_condemns,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 < id=1 frag=392:216 udp 1>5000 (600)",
      "drops frag_overlap = 2", "mib IpReasmFails = 1", "mib IpExtReasmOverlaps = 1",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "+30.1 wait", "mib IpReasmOKs = 0", "drops frag_timeout = 1")
DRILL(ip_fragment, teardrop,
      "+0   < id=242 mf off=0 ip 17 (36)", "drops frag_short = 1",
      "+0   < id=242 mf off=0 ip 17 (40)", "+0 < id=242 off=24 ip 17 (4)", "drops frag_overlap = 2")
/* RFC 1858: a piece inside another does not replace it. */
DRILL(ip_fragment, tiny_overlap_of_the_header,
      "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 < id=1 frag=0:8 udp 1>6000 (600)", "drops frag_dup = 1",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "+0 recv s 600")
/* RFC 791: no datagram of more than 65,535 bytes: ping of death. */
DRILL(ip_fragment, ping_of_death,
      "+0   < id=1 off=65528 ip 1 (8)", "drops frag_too_far = 1",
      "+0   < id=1 off=65512 ip 1 (4)", "drops frag_too_far = 2",
      "+0   < id=1 off=65504 ip 1 (11)", "drops frag_too_far = 2",
      "+0   < id=2 mf off=64800 ip 1 (800)", "drops frag_too_far = 3", "mib IpReasmFails = 3")
DRILL(ip_fragment, empty_and_ragged,
      "+0   < id=1 mf off=0 ip 17 (0)", "drops frag_short = 1",
      "+0   < id=1 off=8 ip 17 (0)", "drops frag_short = 2",
      "+0   < id=1 mf off=0 ip 17 (9)", "drops frag_short = 3")
/* Two ends, bytes behind the end. */
DRILL(ip_fragment, two_ends,
      "+0   < id=1 off=800 ip 17 (8)", "+0 < id=1 off=400 ip 17 (8)", "drops frag_inconsistent = 2",
      "+0   < id=2 off=800 ip 17 (8)", "+0 < id=2 mf off=808 ip 17 (8)", "drops frag_inconsistent = 4",
      "+0   < id=3 mf off=808 ip 17 (8)", "+0 < id=3 off=400 ip 17 (8)", "drops frag_inconsistent = 6")

/* RFC 792, RFC 1122 3.3.2: given up after ipfrag_time; the sender hears of it if the first piece was there. */
DRILL(ip_fragment, timeout_with_the_first,
      "+0   < id=1 frag=0:400 udp 1>5000 (600)",
      "+30  > icmp exceeded/reasm quote last", "drops frag_timeout = 1", "mib IpReasmTimeout = 1", "mib IpReasmFails = 1")
DRILL(ip_fragment, timeout_without_the_first,
      "+0   < id=1 frag=400:208 udp 1>5000 (600)",
      "+35  wait", "drops frag_timeout = 1", "mib IcmpOutMsgs = 0")
DRILL(ip_fragment, timeout_is_settable,
      "sysctl net.ipv4.ipfrag_time=2",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)",
      "+2   > icmp exceeded/reasm quote last")

/* Memory: above high_thresh the oldest go. */
DRILL(ip_fragment, memory_is_bounded,
      "sysctl net.ipv4.ipfrag_high_thresh=16000", "sysctl net.ipv4.ipfrag_low_thresh=8000", "socket s udp", "bind s :5000",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "+0 < id=2 frag=0:400 udp 1>5000 (600)", "+0 < id=3 frag=0:400 udp 1>5000 (600)",
      "+0   < id=4 frag=0:400 udp 1>5000 (600)", "+0 < id=5 frag=0:400 udp 1>5000 (600)", "drops frag_mem = 3",
      "+0   < id=5 frag=400:208 udp 1>5000 (600)", "+0 recv s 600",
      "+0   < id=1 frag=400:208 udp 1>5000 (600)", "recv s 600 = EAGAIN")
DRILL(ip_fragment, memory_zero_means_none,
      "sysctl net.ipv4.ipfrag_high_thresh=0", "sysctl net.ipv4.ipfrag_low_thresh=0",
      "+0   < id=1 frag=0:400 udp 1>5000 (600)", "drops frag_mem = 1")

/* RFC 3168 5.3: CE in any piece is CE of the whole; not-ECT among ECT is no datagram. */
DRILL(ip_fragment, ecn_ce_is_kept,
      "+0   < id=1 tos=2 frag=0:800 icmp echo id 1 seq 1 (1000)", "+0 < id=1 tos=3 frag=800:208 icmp echo id 1 seq 1 (1000)",
      "+0   > tos=3 icmp reply id 1 seq 1 (1000)")
DRILL(ip_fragment, ecn_mixture_is_refused,
      "+0   < id=1 tos=0 frag=0:800 icmp echo id 1 seq 1 (1000)", "+0 < id=1 tos=3 frag=800:208 icmp echo id 1 seq 1 (1000)",
      "drops frag_inconsistent = 2")

/* Cutting our own: every piece but the last a multiple of eight, the same identification, offsets that meet. */
DRILL(ip_fragment, own_datagram_is_cut,
      "socket s udp", "bind s :5000", "setsockopt s MTU_DISCOVER 0",
      "+0   send s 4000 to 192.0.2.2:9",
      "+0   > len=1500 frag=0:1480 udp 5000>9 (4000)", "+0 > len=1500 frag=1480:1480 udp 5000>9 (4000)", "+0 > len=1068 frag=2960:1048 udp 5000>9 (4000)",
      "mib IpFragOKs = 1", "mib IpFragCreates = 3", "mib IpOutRequests = 1")
DRILL(ip_fragment, df_is_not_cut,
      "socket s udp", "bind s :5000", "setsockopt s MTU_DISCOVER 2",
      "+0   send s 4000 to 192.0.2.2:9 = EMSGSIZE", "mib IpFragCreates = 0")

/* Shards: pieces meet wherever they come in, and the whole goes on to the shard of its ports. */
DRILL(ip_fragment, shards,
      "set shards 4", "socket a udp cpu 0", "bind a :5000", "socket b udp cpu 3", "bind b :6000",
      "+0   <0@0 id=1 frag=0:400 udp 1>5000 (600)", "+0 <0@3 id=1 frag=400:208 udp 1>5000 (600)", "+0.01 recv a 600",
      "+0   <0@1 id=2 frag=0:400 udp 1>6000 (600)", "+0 <0@2 id=2 frag=400:208 udp 1>6000 (600)", "+0.01 recv b 600",
      "+0   <0@1 id=3 frag=0:400 udp 7>6000 (600)", "+0 <0@2 id=3 frag=400:208 udp 7>6000 (600)", "+0.01 recv b 600")
