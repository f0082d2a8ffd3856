/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: options of the header (RFC 9293 3.1, 3.2, 3.7.1, RFC 7323, RFC 2018), right and malformed ones.
 */
#include "tcp_rows.h"

/* MUST-15: without an MSS option, 536. */
DRILL(tcp_options, mss_default_536,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 1 win 65535",
      "+0    accept l c",
      "+0    send c 1000",
      "+0    > tcp . 1:537(536) ack 1",
      "+0    > tcp P. 537:1001(464) ack 1")

DRILL(tcp_options, mss_of_the_peer_is_kept,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 500>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 1 win 65535",
      "+0    accept l c",
      "+0    info c snd_mss = 500",
      "+0    send c 500",
      "+0    > tcp P. 1:501(500) ack 1")

/* A peer must not make us send a byte a packet (CVE-2019-11479). */
DRILL(tcp_options, tiny_mss_is_raised,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 1 win 65535",
      "+0    accept l c",
      "+0    info c snd_mss = 48")

DRILL(tcp_options, maxseg,
      "+0    socket l tcp",
      "+0    setsockopt l MAXSEG 700",
      "+0    bind l :80",
      "+0    listen l 5",
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 700>")

/* MUST-16: timestamps come off the MSS. */
DRILL(tcp_options, timestamps_make_segments_shorter,
      OPEN_TS,
      "+0    info c snd_mss = 1448",
      "+0    send c 1460",
      "+0    > tcp . 1:1449(1448) ack 1",
      "+0    > tcp P. 1449:1461(12) ack 1")

/* RFC 7323 2.2: only when both offered; never scaled in a SYN; at most 14. */
DRILL(tcp_options, window_scale_only_if_offered,
      LISTEN_80,
      "+0.1  < tcp S 0 win 1000 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 1 win 1000",
      "+0    accept l c",
      "+0    info c snd_wnd = 1000")

DRILL(tcp_options, window_scale_15_is_14,
      LISTEN_80,
      "+0.1  < tcp S 0 win 1000 <mss 1460,wscale 15>",
      "+0    > tcp S. 0 ack 1 <mss 1460,wscale 7>",
      "+0.02 < tcp . 1 ack 1 win 2",
      "+0    accept l c",
      "+0    info c snd_wscale = 14",
      "+0    info c snd_wnd = 32768")

DRILL(tcp_options, sysctls_switch_them_off,
      "+0    sysctl net.ipv4.tcp_sack=0",
      "+0    sysctl net.ipv4.tcp_timestamps=0",
      "+0    sysctl net.ipv4.tcp_window_scaling=0",
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,wscale 7>",
      "+0    > tcp S. 0 ack 1 <mss 1460>")

DRILL(tcp_options, answer_to_a_plain_synack_is_plain,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0 <mss 1460,sackOK,TS val * ecr 0,wscale 7>",
      "+0.02 < tcp S. 0 ack 1 win 5000 <mss 1000>",
      "+0    > tcp . 1 ack 1 <>",
      "+0    info c snd_wnd = 5000",
      "+0    info c snd_mss = 1000")

/* MUST-5: options in any segment; MUST-6: unknown ones are passed over; no-operation and end of list anywhere. */
DRILL(tcp_options, unknown_options_are_passed_over,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <kind 253 040102,nop,mss 1200,kind 77 02,eol>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 1 win 65535 <kind 200 0300>",
      "+0    accept l c",
      "+0    info c snd_mss = 1200")

/* MUST-7: a length of zero or one, or past the end, does no harm: the segment is dropped with its reason. */
DRILL(tcp_options, malformed_lengths,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 doff=6 hex=02000000",
      "+0    < tcp S 0 win 65535 doff=6 hex=02010000",
      "+0    < tcp S 0 win 65535 doff=6 hex=02ff05b4",
      "+0    < tcp S 0 win 65535 doff=6 hex=01010108",
      "+0    drops tcp_options = 4",
      "+0    < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0    < tcp . 1 ack 1 win 65535",
      "+0    accept l c",
      "+0    < tcp . 1 ack 1 win 65535 doff=4",
      "+0    < tcp . 1 ack 1 win 65535 doff=15",
      "+0    < tcp . 1 ack 1 win 65535 doff=6 hex=05000000",
      "+0    drops tcp_short = 2",
      "+0    drops tcp_options = 5")

/* RFC 7323 3.2 (and bug class 10): the echo is of the segment that began at or before the last ACK sent. */
DRILL(tcp_options, timestamp_echo_with_a_hole,
      OPEN_TS,
      "+0    < tcp . 1:101(100) ack 1 win 512 <TS val 1030 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 1030>",
      "+0    < tcp . 201:301(100) ack 1 win 512 <TS val 1050 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 1030,sack 201:301>",
      "+0    < tcp . 101:201(100) ack 1 win 512 <TS val 1060 ecr last>",
      "+0    > tcp . 1 ack 301 <TS val * ecr 1060>")

/* RFC 7323 5: PAWS. An old timestamp is answered and thrown away; a RST is exempt. */
DRILL(tcp_options, paws,
      OPEN_TS,
      "+0    < tcp . 1:101(100) ack 1 win 512 <TS val 2000 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 2000>",
      "+0.1  < tcp . 101:201(100) ack 1 win 512 <TS val 1500 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 2000>",
      "+0    mib TcpExtPAWSEstab = 1",
      "+0    drops tcp_paws = 1",
      "+0.1  < tcp . 101:201(100) ack 1 win 512 <TS val 2100 ecr last>",
      "+0    > tcp . 1 ack 201 <TS val * ecr 2100>",
      "+0    < tcp R 201 win 0 <TS val 1 ecr 0>",
      "+0    getsockopt c ERROR = ECONNRESET")

/* Bug class 10: the peer stops sending timestamps in the middle; it is heard. */
DRILL(tcp_options, peer_stops_sending_timestamps,
      OPEN_TS,
      "+0    < tcp . 1:101(100) ack 1 win 512 <TS val 2000 ecr last>",
      "+0    > tcp . 1 ack 101",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 101 <TS val * ecr 2000>",
      "+0.02 < tcp P. 101:201(100) ack 11 win 512",
      "+0    > tcp . 11 ack 201",
      "+0    recv c 200",
      "+0    ioctl c OUTQ = 0")

/* Timestamps that wrapped round 2^32 are later, not earlier. */
DRILL(tcp_options, timestamps_wrap,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 4294967290 ecr 0,wscale 7>",
      "+0    > tcp S. 0 ack 1",
      "+0.02 < tcp . 1 ack 1 win 512 <TS val 4294967295 ecr last>",
      "+0    accept l c",
      "+0.02 < tcp . 1:101(100) ack 1 win 512 <TS val 5 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 5>")

/* A timestamp echo of nothing that was sent: somebody else's SYN-ACK. */
DRILL(tcp_options, synack_with_a_foreign_echo,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.02 < tcp S. 0 ack 1 win 65535 <mss 1460,TS val 700 ecr 12345>",
      "+0    > tcp R 1",
      "+0    mib TcpExtPAWSActive = 1",
      "+0    info c state = SYN_SENT")

/* A SYN that was lost once: the SYN-ACK may echo the first one. */
DRILL(tcp_options, synack_echoes_the_first_syn,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.5  < tcp S. 0 ack 1 win 65535 <mss 1460,TS val 700 ecr last> sum=bad",
      "+0.5  > tcp S 0",
      "+0.02 < tcp S. 0 ack 1 win 65535 <mss 1460,TS val 700 ecr last>",
      "+0    > tcp . 1 ack 1")

/* MUST-64: options need not be aligned. */
DRILL(tcp_options, unaligned,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <nop,mss 1400,nop,nop,wscale 3,sackOK,TS val 7 ecr 0,eol>",
      "+0    > tcp S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 7,wscale 7>",
      "+0.02 < tcp . 1 ack 1 win 1000 <TS val 8 ecr last,nop,nop>",
      "+0    accept l c",
      "+0    info c snd_wnd = 8000",
      "+0    info c snd_mss = 1388")

/* RFC 7323 5.5: a timestamp that was not renewed for 24 days says nothing any more. */
DRILL(tcp_options, paws_forgets_after_24_days,
      OPEN_TS,
      "+2080000 < tcp . 1:101(100) ack 1 win 512 <TS val 5 ecr last>",
      "+0    > tcp . 1 ack 101 <TS val * ecr 5>",
      "+0    mib TcpExtPAWSEstab = 0")
