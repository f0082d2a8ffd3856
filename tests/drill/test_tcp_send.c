/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: text that is sent. Nagle, cork, the peer's window, probes, slow start, idle time, urgent data, path MTU.
 */
#include "tcp_rows.h"

DRILL(tcp_send, segments,
      OPEN_TS,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1 <TS val * ecr 1020>",
      "+0.02 < tcp . 1 ack 11 win 512 <TS val 1040 ecr last>",
      "+0    send c 3000",
      "+0    > tcp . 11:1459(1448) ack 1 <TS val * ecr 1040>",
      "+0    > tcp . 1459:2907(1448) ack 1 <TS val * ecr 1040>",
      "+0    > tcp P. 2907:3011(104) ack 1 <TS val * ecr 1040>",
      "+0.02 < tcp . 1 ack 3011 win 512 <TS val 1060 ecr last>",
      "+0    ioctl c OUTQ = 0")

/* RFC 9293 3.7.4, Minshall: a small segment waits while another small one is out. */
DRILL(tcp_send, nagle,
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0    send c 10",
      "+0    send c 10",
      "+0    ioctl c OUTQ = 30",
      "+0.02 < tcp . 1 ack 11 win 65535",
      "+0    > tcp P. 11:31(20) ack 1",
      "+0    send c 1460",
      "+0    > tcp . 31:1491(1460) ack 1", /* a full one does not wait */
      "+0.02 < tcp . 1 ack 1491 win 65535")

DRILL(tcp_send, nodelay,
      OPEN_PLAIN,
      "+0    setsockopt c NODELAY 1",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0    send c 10",
      "+0    > tcp P. 11:21(10) ack 1")

DRILL(tcp_send, nodelay_lets_go_what_waits,
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0    send c 10",
      "+0    setsockopt c NODELAY 1",
      "+0    > tcp P. 11:21(10) ack 1")

DRILL(tcp_send, cork,
      OPEN_PLAIN,
      "+0    setsockopt c CORK 1",
      "+0    send c 1000",
      "+0    send c 1000",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    setsockopt c CORK 0",
      "+0    > tcp P. 1461:2001(540) ack 1")

/* tcp(7): TCP_NODELAY pushes what waits even under TCP_CORK; the cork stays for what comes later. */
DRILL(tcp_send, nodelay_goes_over_a_cork,
      OPEN_PLAIN,
      "+0    setsockopt c CORK 1",
      "+0    send c 30",
      "+0.05 setsockopt c NODELAY 1",
      "+0    > tcp P. 1:31(30) ack 1",
      "+0.02 < tcp . 1 ack 31 win 65535",
      "+0    send c 20",
      "+0.05 setsockopt c CORK 0",
      "+0    > tcp P. 31:51(20) ack 1")

DRILL(tcp_send, msg_more,
      OPEN_PLAIN,
      "+0    send c 10 flags more",
      "+0    send c 10",
      "+0    > tcp P. 1:21(20) ack 1")

/* RFC 6928: ten segments; RFC 5681: two for each that is acknowledged, then. */
DRILL(tcp_send, initial_window_and_slow_start,
      OPEN_PLAIN,
      "+0    send c 30000",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0    > tcp . 4381:5841(1460) ack 1",
      "+0    > tcp . 5841:7301(1460) ack 1",
      "+0    > tcp . 7301:8761(1460) ack 1",
      "+0    > tcp . 8761:10221(1460) ack 1",
      "+0    > tcp . 10221:11681(1460) ack 1",
      "+0    > tcp . 11681:13141(1460) ack 1",
      "+0    > tcp . 13141:14601(1460) ack 1",
      "+0    info c snd_cwnd = 10",
      "+0.05 < tcp . 1 ack 2921 win 65535",
      "+0    > tcp . 14601:16061(1460) ack 1",
      "+0    > tcp . 16061:17521(1460) ack 1",
      "+0    > tcp . 17521:18981(1460) ack 1",
      "+0    > tcp . 18981:20441(1460) ack 1",
      "+0    info c snd_cwnd = 12",
      "+0    info c rtt = 23750")

/* RFC 5681 4.1: after a pause longer than the RTO cwnd begins anew. */
DRILL(tcp_send, cwnd_after_idle,
      OPEN_PLAIN,
      "+0    send c 14600",
      "+0    > tcp . 1:1461(1460)", "+0 > tcp . 1461:2921(1460)", "+0 > tcp . 2921:4381(1460)", "+0 > tcp . 4381:5841(1460)",
      "+0    > tcp . 5841:7301(1460)", "+0 > tcp . 7301:8761(1460)", "+0 > tcp . 8761:10221(1460)", "+0 > tcp . 10221:11681(1460)",
      "+0    > tcp . 11681:13141(1460)", "+0 > tcp P. 13141:14601(1460)",
      "+0.05 < tcp . 1 ack 14601 win 65535",
      "+0    info c snd_cwnd = 20",
      "+5    send c 1460",
      "+0    > tcp P. 14601:16061(1460)",
      "+0    info c snd_cwnd = 10")

/* The peer's window: nothing beyond it (MUST-34 with 3.8.6), and what it opens goes. */
DRILL(tcp_send, window_limits,
      OPEN_WIN(4000),
      "+0    send c 6000",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0.02 < tcp . 1 ack 2921 win 4000",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0    > tcp . 4381:5841(1460) ack 1",
      "+0    > tcp P. 5841:6001(160) ack 1",
      "+0    info c snd_wnd = 4000")

/* A window that shrinks under what is in flight (MUST-34, SHLD-15 to -17, bug class 7). */
DRILL(tcp_send, window_shrinks,
      OPEN_WIN(10000),
      "+0    send c 4380",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0    > tcp P. 2921:4381(1460) ack 1",
      "+0.02 < tcp . 1 ack 1461 win 500",
      "+0    send c 1000",
      "+0    ioctl c OUTQ = 3920",
      "+0.2..0.4 > tcp . 1461:2921(1460) ack 1", /* retransmitted although it is beyond the edge now */
      "+0.02 < tcp . 1 ack 4381 win 10000",
      "+0    > tcp P. 4381:5381(1000) ack 1")

/* 3.8.6.1: zero window. Probes back off, and never end while the peer answers. Bug class 3. */
DRILL(tcp_send, zero_window_probes,
      OPEN_WIN(1460),
      "+0    setsockopt c NODELAY 1",
      "+0    send c 730",
      "+0    > tcp P. 1:731(730) ack 1",
      "+0.02 < tcp . 1 ack 731 win 0",
      "+0    send c 100",
      "+0.2..0.3 > tcp . 730 ack 1",
      "+0    < tcp . 1 ack 731 win 0",
      "+0.4..0.6 > tcp . 730 ack 1",
      "+0    < tcp . 1 ack 731 win 0",
      "+0.8..1.1 > tcp . 730 ack 1",
      "+0    < tcp . 1 ack 731 win 0",
      "+1.6..2.2 > tcp . 730 ack 1",
      "+0    < tcp . 1 ack 731 win 0",
      "+0    info c probes = 0",
      "+0    < tcp . 1 ack 731 win 1460",
      "+0    > tcp P. 731:831(100) ack 1",
      "+0.02 < tcp . 1 ack 831 win 1460")

/* The window update is lost: a probe finds out (bug class 1). */
DRILL(tcp_send, lost_window_update_is_found_by_a_probe,
      OPEN_WIN(1460),
      "+0    send c 730",
      "+0    > tcp P. 1:731(730) ack 1",
      "+0.02 < tcp . 1 ack 731 win 0",
      "+0    send c 100",
      "+0.2..0.3 > tcp . 730 ack 1",
      "+0    < tcp . 1 ack 731 win 9000",
      "+0    > tcp P. 731:831(100) ack 1")

/* Both windows are closed: probes without text are answered by probes' ACKs, nothing hangs or storms (bug class 3). */
DRILL(tcp_send, probe_answers_carry_no_text,
      OPEN_WIN(1460),
      "+0    send c 730",
      "+0    > tcp P. 1:731(730) ack 1",
      "+0.02 < tcp . 1 ack 731 win 0",
      "+0    send c 100",
      "+0.2..0.3 > tcp . 730 ack 1",
      "+0    < tcp . 0 ack 731 win 0",
      "+0    > tcp . 731 ack 1",
      "+0    < tcp . 1 ack 731 win 0")

/* Silly window, the sender's side (MUST-38): a segment that does not fit whole waits; the override timer sends what fits. */
DRILL(tcp_send, silly_window_override,
      OPEN_WIN(4000),
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460) ack 1",
      "+0.02 < tcp . 1 ack 1461 win 500",
      "+0    send c 1460",
      "+0.2..0.4 > tcp P. 1461:1961(500) ack 1",
      "+0.02 < tcp . 1 ack 1961 win 4000",
      "+0    > tcp P. 1961:2921(960) ack 1")

DRILL(tcp_send, urgent,
      OPEN_PLAIN,
      "+0    send c 5 flags oob",
      "+0    > tcp PU. 1:6(5) ack 1 urg 5",
      "+0.02 < tcp . 1 ack 6 win 65535",
      "+0    send c 5",
      "+0    > tcp P. 6:11(5) ack 1")

/* Send buffer: EAGAIN, then EPOLLOUT when a third is free. */
DRILL(tcp_send, buffer_full_and_writable_again,
      OPEN_WIN(2920),
      "+0    setsockopt c SNDBUF 4608", /* twice that is reserved */
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460)",
      "+0    send c 1460",
      "+0    > tcp P. 1461:2921(1460)",
      "+0    send c 1460",
      "+0    send c 1460",
      "+0    send c 1 = EAGAIN",
      "+0    poll c = none",
      "+0.02 < tcp . 1 ack 1461 win 2920",
      "+0    > tcp . 2921:4381(1460)",
      "+0    poll c = none",
      "+0.02 < tcp . 1 ack 4381 win 2920",
      "+0    > tcp P. 4381:5841(1460)",
      "+0    poll c = OUT",
      "+0    getsockopt c SNDBUF = 9216") /* asked for: it does not grow by itself */

/* The buffer holds two congestion windows, or it would be the buffer that limits a long way. It grows when cwnd has room that the application could not fill. */
DRILL(tcp_send, buffer_grows_with_cwnd,
      OPEN_PLAIN,
      "+0    getsockopt c SNDBUF = 110400",
      "+0    send c 58400",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0    > tcp . 4381:5841(1460) ack 1",
      "+0    > tcp . 5841:7301(1460) ack 1",
      "+0    > tcp . 7301:8761(1460) ack 1",
      "+0    > tcp . 8761:10221(1460) ack 1",
      "+0    > tcp . 10221:11681(1460) ack 1",
      "+0    > tcp . 11681:13141(1460) ack 1",
      "+0    > tcp . 13141:14601(1460) ack 1",
      "+0    send c 14600 = 7300",
      "+0    poll c = none",
      "+0.05 < tcp . 1 ack 14601 win 65535",
      "+0    > tcp . 14601:16061(1460) ack 1",
      "+0    > tcp . 16061:17521(1460) ack 1",
      "+0    > tcp . 17521:18981(1460) ack 1",
      "+0    > tcp . 18981:20441(1460) ack 1",
      "+0    > tcp . 20441:21901(1460) ack 1",
      "+0    > tcp . 21901:23361(1460) ack 1",
      "+0    > tcp . 23361:24821(1460) ack 1",
      "+0    > tcp . 24821:26281(1460) ack 1",
      "+0    > tcp . 26281:27741(1460) ack 1",
      "+0    > tcp . 27741:29201(1460) ack 1",
      "+0    > tcp . 29201:30661(1460) ack 1",
      "+0    > tcp . 30661:32121(1460) ack 1",
      "+0    > tcp . 32121:33581(1460) ack 1",
      "+0    > tcp . 33581:35041(1460) ack 1",
      "+0    > tcp . 35041:36501(1460) ack 1",
      "+0    > tcp . 36501:37961(1460) ack 1",
      "+0    > tcp . 37961:39421(1460) ack 1",
      "+0    > tcp . 39421:40881(1460) ack 1",
      "+0    > tcp . 40881:42341(1460) ack 1",
      "+0    > tcp . 42341:43801(1460) ack 1",
      "+0    getsockopt c SNDBUF = 110400",
      "+0.05 < tcp . 1 ack 43801 win 65535",
      "+0    > tcp . 43801:45261(1460) ack 1",
      "+0    > tcp . 45261:46721(1460) ack 1",
      "+0    > tcp . 46721:48181(1460) ack 1",
      "+0    > tcp . 48181:49641(1460) ack 1",
      "+0    > tcp . 49641:51101(1460) ack 1",
      "+0    > tcp . 51101:52561(1460) ack 1",
      "+0    > tcp . 52561:54021(1460) ack 1",
      "+0    > tcp . 54021:55481(1460) ack 1",
      "+0    > tcp . 55481:56941(1460) ack 1",
      "+0    > tcp P. 56941:58401(1460) ack 1",
      "+0    > tcp . 58401:59861(1460) ack 1",
      "+0    > tcp . 59861:61321(1460) ack 1",
      "+0    > tcp . 61321:62781(1460) ack 1",
      "+0    > tcp . 62781:64241(1460) ack 1",
      "+0    > tcp P. 64241:65701(1460) ack 1",
      "+0    info c snd_cwnd = 40",
      "+0    getsockopt c SNDBUF = 226320",
      "+0    poll c = OUT")

/* RFC 1191 and bug class 12: a smaller path MTU is learned from an error whose quoted number is in flight, and what was too large goes again. */
DRILL(tcp_send, path_mtu,
      OPEN_PLAIN,
      "+0    send c 2920",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp P. 1461:2921(1460) ack 1",
      "+0    < icmp unreach/frag mtu 1000 quote last",
      "+0    > tcp . 1:961(960) ack 1",
      "+0    > tcp . 961:1461(500) ack 1",
      "+0    > tcp . 1461:2421(960) ack 1",
      "+0    > tcp P. 2421:2921(500) ack 1",
      "+0    info c snd_mss = 960",
      "+0    info c pmtu = 1000")

DRILL(tcp_send, path_mtu_error_about_nothing_in_flight,
      OPEN_PLAIN,
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460) ack 1",
      "+0.02 < tcp . 1 ack 1461 win 65535",
      "+0    send c 10",
      "+0    > tcp P. 1461:1471(10) ack 1",
      "+0.02 < tcp . 1 ack 1471 win 65535",
      "+0    < icmp unreach/frag mtu 600 quote {tcp 192.0.2.1:80>192.0.2.2:40000 . 12345 ack 1 (1460) abs=1}",
      "+0    info c snd_mss = 1460")

/* RFC 1122 4.2.3.9, RFC 5927: an error does not end a connection; it is told when the connection ends of it. */
DRILL(tcp_send, icmp_errors_are_soft,
      OPEN_PLAIN,
      "+0    setsockopt c USER_TIMEOUT 1000",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0    < icmp unreach/host quote last",
      "+0    < icmp unreach/port quote last",
      "+0    < icmp exceeded/ttl quote last",
      "+0    info c state = ESTABLISHED",
      "+0.2..0.3 > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "+1    wait",
      "+0    getsockopt c ERROR = EHOSTUNREACH")

/* Without timestamps, too, a SACK block takes its room from the text: a datagram larger than the MTU, sent DF, would go nowhere. */
DRILL(tcp_send, sack_blocks_make_segments_shorter,
      OPEN_SACK,
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:201>",
      "+0    send c 1460",
      "+0    > tcp . 1:1449(1448) ack 1 <sack 101:201>",
      "+0    > tcp P. 1449:1461(12) ack 1 <sack 101:201>",
      "+0.02 < tcp . 1 ack 1461 win 65535",
      "+0    mib TcpRetransSegs = 0")

/* SND.WL1: a segment that was overtaken by others does not change the window, larger or smaller. */
DRILL(tcp_send, overtaken_window_is_not_heeded,
      OPEN_WIN(4000),
      "+0    setsockopt c QUICKACK 0",
      "+0    < tcp . 1:11(10) ack 1 win 4000",
      "+0.001 < tcp . 11:21(10) ack 1 win 4000",
      "+0.001 < tcp . 1 ack 1 win 500",
      "+0.001 < tcp . 1 ack 1 win 60000",
      "+0    send c 5840",
      "+0    > tcp . 1:1461(1460) ack 21",
      "+0    > tcp . 1461:2921(1460) ack 21",
      "+0.02 < tcp . 21 ack 2921 win 4000",
      "+0    > tcp . 2921:4381(1460) ack 21",
      "+0    > tcp P. 4381:5841(1460) ack 21",
      "+0.02 < tcp . 21 ack 5841 win 4000")

/* What goes out in one large frame ends with PSH, as Linux marks it: who merges the pieces again need not wait for more. One segment alone ends with it only where the data does. */
DRILL(tcp_send, large_frames_are_pushed,
      "set tso", OPEN_PLAIN,
      "+0    send c 29200",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0    > tcp . 4381:5841(1460) ack 1",
      "+0    > tcp . 5841:7301(1460) ack 1",
      "+0    > tcp . 7301:8761(1460) ack 1",
      "+0    > tcp . 8761:10221(1460) ack 1",
      "+0    > tcp . 10221:11681(1460) ack 1",
      "+0    > tcp . 11681:13141(1460) ack 1",
      "+0    > tcp P. 13141:14601(1460) ack 1")
