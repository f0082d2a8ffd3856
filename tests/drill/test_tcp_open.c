/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: connections that begin, or do not (RFC 9293 3.5, 3.10.7.1 to 3.10.7.3, SYN-RECEIVED).
 */
#include "tcp_rows.h"

DRILL(tcp_open, passive,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,wscale 7>",
      "+0    > tcp S. 0 ack 1 win 64240 <mss 1460,sackOK,TS val * ecr 7,wscale 7>",
      "+0    poll l = none",
      "+0.02 < tcp . 1 ack 1 win 512 <TS val 8 ecr last>",
      "+0    poll l = IN",
      "+0    accept l c",
      "+0    poll l = none",
      "+0    info c state = ESTABLISHED",
      "+0    poll c = OUT",
      "+0    mib TcpPassiveOpens = 1",
      "+0    mib TcpCurrEstab = 1")

DRILL(tcp_open, active,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0 win 64240 <mss 1460,sackOK,TS val * ecr 0,wscale 7>",
      "+0    poll c = none",
      "+0    connect c 192.0.2.2:80 = EALREADY",
      "+0.02 < tcp S. 0 ack 1 win 65535 <mss 1460,sackOK,TS val 700 ecr last,wscale 7>",
      "+0    > tcp . 1 ack 1 win 502 <TS val * ecr 700>",
      "+0    poll c = OUT",
      "+0    connect c 192.0.2.2:80 = 0",
      "+0    connect c 192.0.2.2:80 = EISCONN",
      "+0    mib TcpActiveOpens = 1",
      "+0    info c snd_wscale = 7",
      "+0    info c rtt = 20000")

DRILL(tcp_open, active_refused,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.02 < tcp R. 0 ack 1 win 0",
      "+0    getsockopt c ERROR = ECONNREFUSED",
      "+0    mib TcpAttemptFails = 1")

/* SHLD: RST without an acceptable ACK is nothing in SYN-SENT. */
DRILL(tcp_open, active_rst_without_ack_is_ignored,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.01 < tcp R 0 win 0",
      "+0    < tcp R. 0 ack 77 win 0",
      "+0    info c state = SYN_SENT",
      "+0.01 < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1")

DRILL(tcp_open, active_bad_ack_is_reset,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.01 < tcp S. 0 ack 500 win 65535 <mss 1460>",
      "+0    > tcp R 500",
      "+0.01 < tcp . 0 ack 0 win 65535",
      "+0    > tcp R 0",
      "+0    info c state = SYN_SENT",
      "+0.01 < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1")

/* Neither SYN nor RST: dropped (fifth). */
DRILL(tcp_open, active_bare_ack_is_dropped,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.01 < tcp . 1 ack 1 win 65535",
      "+0    info c state = SYN_SENT",
      "+0    drops tcp_flags = 1")

DRILL(tcp_open, syn_retries_back_off_and_end,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+1    > tcp S 0",
      "+2    > tcp S 0",
      "+4    > tcp S 0",
      "+8    > tcp S 0",
      "+16   > tcp S 0",
      "+32   > tcp S 0",
      "+72   wait",
      "+0    getsockopt c ERROR = ETIMEDOUT",
      "+0    mib TcpExtTCPSynRetrans = 6")

DRILL(tcp_open, syncnt_limits_retries,
      "+0    socket c tcp",
      "+0    setsockopt c SYNCNT 1",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+1    > tcp S 0",
      "+3    getsockopt c ERROR = ETIMEDOUT")

/* RFC 6298 (5.7): after a lost SYN the first RTO is 3 s. */
DRILL(tcp_open, rto_after_lost_syn,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+1    > tcp S 0",
      "+0.02 < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1",
      "+0    send c 100",
      "+0    > tcp P. 1:101(100) ack 1",
      "+3    > tcp P. 1:101(100) ack 1")

DRILL(tcp_open, synack_retries_back_off_and_end,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+1    > tcp S. 0 ack 1 <mss 1460>",
      "+2    > tcp S. 0 ack 1 <mss 1460>",
      "+4    > tcp S. 0 ack 1 <mss 1460>",
      "+8    > tcp S. 0 ack 1 <mss 1460>",
      "+16   > tcp S. 0 ack 1 <mss 1460>",
      "+40   wait",
      "+0    sockets = 1",
      "+0    < tcp . 1 ack 1 win 65535",
      "+0    > tcp R 1")

DRILL(tcp_open, repeated_syn_gets_synack_again,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.6  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.1  < tcp . 1 ack 1 win 65535",
      "+0    accept l c")

/* RFC 9293 MUST-8 and figure 8: both ends connect. */
DRILL(tcp_open, simultaneous,
      "+0    socket c tcp",
      "+0    bind c :5000",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0 <mss 1460,sackOK,TS val * ecr 0,wscale 7>",
      "+0.01 < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0    info c state = SYN_RECV",
      "+0.01 < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "*     > tcp . 1 ack 1",
      "+0    info c state = ESTABLISHED",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0.01 < tcp . 1 ack 11 win 65535")

DRILL(tcp_open, simultaneous_with_plain_ack,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.01 < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.01 < tcp . 1 ack 1 win 65535",
      "+0    info c state = ESTABLISHED")

/* MUST-13 and 3.5.2: no connection. */
DRILL(tcp_open, closed_port,
      "+0    < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp R. 0 ack 1 win 0",
      "+0    < tcp . 10 ack 4711 win 65535 abs=1",
      "+0    > tcp R 4711 win 0 abs=1",
      "+0    < tcp R 10 win 0 abs=1",
      "+0    < tcp R. 10 ack 5 win 0 abs=1",
      "+0    < tcp F 100:110(10) win 9 abs=1",
      "+0    > tcp R. 0 ack 111 abs=1",
      "+0    mib TcpOutRsts = 3")

DRILL(tcp_open, listen_takes_only_syn,
      LISTEN_80,
      "+0    < tcp R 0 win 0",
      "+0    < tcp . 1 ack 4711 win 65535 abs=1",
      "+0    > tcp R 4711 abs=1",
      "+0    < tcp S. 1 ack 4711 win 65535 abs=1",
      "+0    > tcp R 4711 abs=1",
      "+0    < tcp - 1 win 65535",
      "+0    < tcp F 1 win 65535",
      "+0    < tcp SF 0 win 65535 <mss 1460>",
      "+0    < tcp FPU 0 win 65535",
      "+0    drops tcp_flags = 6",
      "+0    sockets = 1")

DRILL(tcp_open, synrecv_bad_ack_is_reset,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp . 1 ack 2 win 65535",
      "+0    > tcp R 2",
      "+0.02 < tcp . 1 ack 1 win 65535",
      "+0    accept l c")

/* Second: RST returns to LISTEN. Only the exact one, RFC 5961. */
DRILL(tcp_open, synrecv_rst,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp R 100 win 0",
      "+0    > tcp . 1 ack 1",
      "+0    sockets = 2",
      "+0.02 < tcp R 1 win 0",
      "+0    sockets = 1",
      "+0    mib TcpExtEmbryonicRsts = 1",
      "+0    poll l = none")

DRILL(tcp_open, synrecv_syn_in_window_is_challenged,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp S 100 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1",
      "+0.02 < tcp . 1 ack 1 win 65535",
      "+0    accept l c")

DRILL(tcp_open, text_on_syn_is_not_taken,
      LISTEN_80,
      "+0.1  < tcp S 0:10(10) win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp P. 1:11(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    accept l c",
      "+0    recv c 10")

DRILL(tcp_open, fin_with_the_handshakes_ack,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1 <mss 1460>",
      "+0.02 < tcp F. 1:6(5) ack 1 win 65535",
      "+0    > tcp . 1 ack 7",
      "+0    accept l c",
      "+0    recv c 5",
      "+0    recv c 5 = 0",
      "+0    info c state = CLOSE_WAIT")

DRILL(tcp_open, accept_queue_full_drops_the_ack,
      "+0    socket l tcp",
      "+0    bind l :80",
      "+0    listen l 0",
      "+0    < tcp 40000>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40000 S. 0 ack 1",
      "+0    < tcp 40001>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40001 S. 0 ack 1",
      "+0    < tcp 40000>80 . 1 ack 1 win 65535",
      "+0    < tcp 40001>80 . 1 ack 1 win 65535",
      "+0    mib TcpExtListenOverflows = 1",
      "+0    drops tcp_listen_overflow = 1",
      "+1    > tcp 80>40001 S. 0 ack 1",
      "+0    accept l c",
      "+0    < tcp 40001>80 . 1 ack 1 win 65535",
      "+0    accept l d")

DRILL(tcp_open, abort_on_overflow,
      "+0    sysctl net.ipv4.tcp_abort_on_overflow=1",
      "+0    socket l tcp",
      "+0    bind l :80",
      "+0    listen l 0",
      "+0    < tcp 40000>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40000 S. 0 ack 1",
      "+0    < tcp 40001>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40001 S. 0 ack 1",
      "+0    < tcp 40000>80 . 1 ack 1 win 65535",
      "+0    < tcp 40001>80 . 1 ack 1 win 65535",
      "+0    > tcp 80>40001 R 1")

/* A flood fills the queue of half-open connections, whose least size is 8; after a second's silence the oldest makes room. */
DRILL(tcp_open, half_open_queue_is_bounded,
      "+0    socket l tcp",
      "+0    bind l :80",
      "+0    listen l 1",
      "+0    < tcp 1001>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1001 S. 0 ack 1",
      "+0    < tcp 1002>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1002 S. 0 ack 1",
      "+0    < tcp 1003>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1003 S. 0 ack 1",
      "+0    < tcp 1004>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1004 S. 0 ack 1",
      "+0    < tcp 1005>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1005 S. 0 ack 1",
      "+0    < tcp 1006>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1006 S. 0 ack 1",
      "+0    < tcp 1007>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1007 S. 0 ack 1",
      "+0    < tcp 1008>80 S 0 win 9 <mss 1460>", "+0 > tcp 80>1008 S. 0 ack 1",
      "+0    < tcp 1009>80 S 0 win 9 <mss 1460>",
      "+0    drops tcp_req_queue_full = 1",
      "+0    sockets = 9",
      "+1    > tcp 80>1001 S. 0 ack 1", "+0 > tcp 80>1002 S. 0 ack 1", "+0 > tcp 80>1003 S. 0 ack 1", "+0 > tcp 80>1004 S. 0 ack 1",
      "+0    > tcp 80>1005 S. 0 ack 1", "+0 > tcp 80>1006 S. 0 ack 1", "+0 > tcp 80>1007 S. 0 ack 1", "+0 > tcp 80>1008 S. 0 ack 1",
      "+0    < tcp 1009>80 S 0 win 9 <mss 1460>",
      "+0    > tcp 80>1009 S. 0 ack 1",
      "+0    sockets = 9")

/* TCP_DEFER_ACCEPT: the listener hears of a connection when it has data. */
DRILL(tcp_open, defer_accept,
      "+0    socket l tcp",
      "+0    setsockopt l DEFER_ACCEPT 5",
      "+0    bind l :80",
      "+0    listen l 5",
      "+0    < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1",
      "+0.1  < tcp . 1 ack 1 win 65535",
      "+0    poll l = none",
      "+0.2  < tcp P. 1:4(3) ack 1 win 65535",
      "+0    > tcp . 1 ack 4",
      "+0    poll l = IN",
      "+0    accept l c",
      "+0    recv c 3")

DRILL(tcp_open, broadcast_is_not_answered,
      LISTEN_80,
      "+0    < tcp 192.0.2.2:40000>192.0.2.255:80 S 0 win 65535 <mss 1460>",
      "+0    < tcp 192.0.2.2:40000>255.255.255.255:80 S 0 win 65535 <mss 1460>",
      "+0    < tcp 192.0.2.2:40000>224.0.0.1:80 S 0 win 65535 <mss 1460>",
      "+0    sockets = 1",
      "+0    mib TcpOutRsts = 0")

/* An ICMP error that quotes our SYN ends the attempt; one that quotes another sequence number does not (RFC 5927). */
DRILL(tcp_open, icmp_ends_an_attempt,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0.01 < icmp unreach/port quote last",
      "+0    getsockopt c ERROR = ECONNREFUSED")

DRILL(tcp_open, connect_without_a_route,
      "+0    socket c tcp",
      "+0    connect c 10.9.9.9:80 = ENETUNREACH",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0")

/* Bug class 5: close during a connect that has not finished. */
DRILL(tcp_open, close_while_connecting,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:80 = EINPROGRESS",
      "+0    > tcp S 0",
      "+0    close c",
      "+0.01 < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0    > tcp R 1",
      "+0    sockets = 0")

DRILL(tcp_open, listener_closes_with_connections_waiting,
      LISTEN_80,
      "+0    < tcp 40000>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40000 S. 0 ack 1",
      "+0    < tcp 40000>80 . 1 ack 1 win 65535",
      "+0    < tcp 40001>80 S 0 win 65535 <mss 1460>",
      "+0    > tcp 80>40001 S. 0 ack 1",
      "+0    close l",
      "+0    > tcp 80>40000 R. 1 ack 1",
      "+0    sockets = 0")

/* MUST-46: a broadcast or multicast address cannot be connected to. */
DRILL(tcp_open, connect_to_a_group,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.255:80 = ENETUNREACH",
      "+0    connect c 224.0.0.1:80 = ENETUNREACH")

/* A SYN that comes again is answered again, but not faster than tcp_invalid_ratelimit: nobody gets a storm out of one forged peer. */
DRILL(tcp_open, synack_again_has_a_limit,
      LISTEN_80,
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1",
      "+0.1  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 1",
      "+0.01 < tcp S 0 win 65535 <mss 1460>",
      "+0    mib TcpExtTCPACKSkippedSynRecv = 1")

/* tcpi_last_data_recv of the side that connects counts from the handshake until data comes. */
DRILL(tcp_open, last_data_recv_counts_from_the_handshake,
      "+0    socket c tcp",
      "+0    connect c 192.0.2.2:40000",
      "+0    > tcp S 0 <mss 1460,sackOK,TS val * ecr 0,wscale 7>",
      "+0.03 < tcp S. 0 ack 1 win 10000 <mss 1460>",
      "+0    > tcp . 1 ack 1",
      "+0.7  info c last_data_recv = 690..710",
      "+0    < tcp P. 1:11(10) ack 1 win 10000",
      "+0    > tcp . 1 ack 11",
      "+0    info c last_data_recv = 0..5")
