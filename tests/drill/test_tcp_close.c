/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: connections that end (RFC 9293 3.6, 3.10.4 to 3.10.8; RFC 5961; RFC 6191; RFC 1337; RFC 1122 4.2.2.13).
 */
#include "tcp_rows.h"

DRILL(tcp_close, active_close_time_wait,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp . 1 ack 2 win 65535",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    sockets = 2",
      "+0.6  < tcp F. 1 ack 2 win 65535", /* our ACK was lost */
      "+0    > tcp . 2 ack 2",
      "+55   sockets = 2",
      "+14   sockets = 1",
      "+0    mib TcpExtTW = 1")

DRILL(tcp_close, fin_and_ack_in_one,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    sockets = 2")

DRILL(tcp_close, passive_close,
      OPEN_PLAIN,
      "+0    < tcp F. 1 ack 1 win 65535",
      "+0    > tcp . 1 ack 2",
      "+0    info c state = CLOSE_WAIT",
      "+0    poll c = IN OUT RDHUP",
      "+0    recv c 10 = 0",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 2",
      "+0.02 < tcp . 2 ack 11 win 65535",
      "+0    close c",
      "+0    > tcp F. 11 ack 2",
      "+0.02 < tcp . 2 ack 12 win 65535",
      "+0    sockets = 1",
      "+0    mib TcpEstabResets = 0",
      "+0    mib TcpCurrEstab = 0")

/* 3.6: half-close. What the peer sends is still received and acknowledged. */
DRILL(tcp_close, half_close,
      OPEN_PLAIN,
      "+0    shutdown c wr",
      "+0    > tcp F. 1 ack 1",
      "+0    send c 1 = EPIPE",
      "+0.02 < tcp . 1 ack 2 win 65535",
      "+0    info c state = FIN_WAIT2",
      "+0    < tcp P. 1:1001(1000) ack 2 win 65535",
      "+0    > tcp . 2 ack 1001",
      "+0    recv c 1000",
      "+70   < tcp P. 1001:1101(100) ack 2 win 65535", /* an owner may wait as long as he likes */
      "+0    > tcp . 2 ack 1101",
      "+0    < tcp F. 1101 ack 2 win 65535",
      "+0    > tcp . 2 ack 1102",
      "+0    recv c 100",
      "+0    recv c 1 = 0",
      "+0    poll c = IN OUT RDHUP HUP")

/* Figure 13. */
DRILL(tcp_close, simultaneous_close,
      OPEN_PLAIN,
      "+0    shutdown c wr",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp F. 1 ack 1 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    info c state = CLOSING",
      "+0    < tcp . 2 ack 2 win 65535",
      "+0    sockets = 3",
      "+0    close c",
      "+0    sockets = 2")

DRILL(tcp_close, close_with_unread_text_resets,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    close c",
      "+0    > tcp R. 1 ack 11",
      "+0    sockets = 1",
      "+0    mib TcpExtTCPAbortOnClose = 1")

DRILL(tcp_close, linger_zero_resets,
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0    setsockopt c LINGER 0",
      "+0    close c",
      "+0    > tcp R. 11 ack 1",
      "+0    sockets = 1")

/* Text for a closed socket: the peer must learn that it is lost. */
DRILL(tcp_close, text_after_close_is_reset,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp P. 1:101(100) ack 1 win 65535",
      "+0    > tcp R 1",
      "+0    sockets = 1",
      "+0    mib TcpExtTCPAbortOnData = 1")

DRILL(tcp_close, text_after_close_in_fin_wait_2,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp . 1 ack 2 win 65535",
      "+0    sockets = 2",
      "+0.1  < tcp P. 1:101(100) ack 2 win 65535",
      "+0    > tcp R 2",
      "+0    sockets = 1")

DRILL(tcp_close, fin_wait_2_ends_by_itself,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp . 1 ack 2 win 65535",
      "+55   sockets = 2",
      "+14   sockets = 1",
      "+0    < tcp F. 1 ack 2 win 65535",
      "+0    > tcp R 2")

DRILL(tcp_close, fin_wait_2_longer_than_time_wait,
      "+0    sysctl net.ipv4.tcp_fin_timeout=120",
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp . 1 ack 2 win 65535",
      "+110  sockets = 2",
      "+0    < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+70   sockets = 1")

DRILL(tcp_close, linger2_negative_does_not_wait,
      OPEN_PLAIN,
      "+0    setsockopt c LINGER2 -1",
      "+0    shutdown c wr",
      "+0    > tcp F. 1 ack 1",
      "+0    < tcp . 1 ack 2 win 65535",
      "+0    close c",
      "+0    > tcp R. 2 ack 1",
      "+0    sockets = 1")

/* The FIN is retransmitted with back-off; an orphan is given up in bounded time. */
DRILL(tcp_close, orphan_gives_up,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.2..0.3  > tcp F. 1 ack 1",
      "+0.4..0.6  > tcp F. 1 ack 1",
      "+0.8..1.1  > tcp F. 1 ack 1",
      "+1.7..2.1  > tcp F. 1 ack 1",
      "+3.4..4.1  > tcp F. 1 ack 1",
      "+7..8      > tcp F. 1 ack 1",
      "+14..16    > tcp F. 1 ack 1",
      "+27..32    > tcp F. 1 ack 1",
      "+130  sockets = 1")

/* Text and FIN in one segment; a FIN behind queued text (bug class 9). */
DRILL(tcp_close, fin_behind_text,
      OPEN_PLAIN,
      "+0    send c 2000",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp P. 1461:2001(540) ack 1",
      "+0    close c",
      "+0    > tcp F. 2001 ack 1",
      "+0.02 < tcp . 1 ack 1461 win 65535",
      "+0    < tcp . 1 ack 2001 win 65535",
      "+0    sockets = 2",
      "+0    < tcp . 1 ack 2002 win 65535",
      "+0    < tcp F. 1 ack 2002 win 65535",
      "+0    > tcp . 2002 ack 2")

/* A FIN ahead of its turn counts when the text before it is there. */
DRILL(tcp_close, fin_out_of_order,
      OPEN_SACK,
      "+0    < tcp F. 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:202>",
      "+0    info c state = ESTABLISHED",
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 202",
      "+0    info c state = CLOSE_WAIT",
      "+0    recv c 200",
      "+0    recv c 1 = 0")

/* RFC 5961 section 3 */
DRILL(tcp_close, rst_exact_kills,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    < tcp R 11 win 0",
      "+0    poll c = IN OUT ERR HUP RDHUP",
      "+0    recv c 10",
      "+0    recv c 10 = ECONNRESET",
      "+0    recv c 10 = 0",
      "+0    send c 10 = EPIPE",
      "+0    mib TcpEstabResets = 1")

DRILL(tcp_close, rst_in_window_is_challenged,
      OPEN_PLAIN,
      "+0    < tcp R 5 win 0",
      "+0    > tcp . 1 ack 1",
      "+0    info c state = ESTABLISHED",
      "+0    < tcp R 50000 win 0", /* within half a second of the first: silence */
      "+0    < tcp R 4000000 win 0", /* outside: nothing at all */
      "+0    mib TcpExtTCPChallengeACK = 1",
      "+0    drops tcp_invalid_reset = 2",
      "+0    drops tcp_invalid_sequence = 1")

DRILL(tcp_close, rst_at_the_right_sack_edge_kills,
      OPEN_SACK,
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:201>",
      "+0    < tcp R 201 win 0",
      "+0    getsockopt c ERROR = ECONNRESET")

DRILL(tcp_close, rst_in_close_wait_is_epipe,
      OPEN_PLAIN,
      "+0    < tcp F. 1 ack 1 win 65535",
      "+0    > tcp . 1 ack 2",
      "+0    < tcp R 2 win 0",
      "+0    getsockopt c ERROR = EPIPE")

/* RFC 5961 section 4: a SYN in a connection is challenged, in or out of the window; and not more often than twice a second (bug class 6). */
DRILL(tcp_close, syn_is_challenged,
      OPEN_PLAIN,
      "+0    < tcp S 5 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1",
      "+0    < tcp S 4000000 win 65535 <mss 1460>",
      "+0    < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0.6  < tcp S 0 win 65535 <mss 1460>",
      "+0    > tcp . 1 ack 1",
      "+0    mib TcpExtTCPSYNChallenge = 4",
      "+0    mib TcpExtTCPChallengeACK = 2",
      "+0    info c state = ESTABLISHED")

/* RFC 5961 section 5: ACKs of what was never sent or is older than any window. */
DRILL(tcp_close, impossible_acks,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 500 win 65535",
      "+0    > tcp . 1 ack 1",
      "+0.6  < tcp P. 1:11(10) ack 4294800000 win 65535",
      "+0    > tcp . 1 ack 1",
      "+0    ioctl c INQ = 0",
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    drops tcp_invalid_ack = 1",
      "+0    drops tcp_old_ack = 1")

/* A segment without ACK in a synchronised state (fifth). */
DRILL(tcp_close, no_ack_is_dropped,
      OPEN_PLAIN,
      "+0    < tcp P 1:11(10) win 65535",
      "+0    drops tcp_no_ack = 1",
      "+0    ioctl c INQ = 0")

/* RFC 6191 and 3.10.7.4: a new connection out of TIME-WAIT needs a higher sequence number. */
DRILL(tcp_close, time_wait_takes_a_new_syn,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+1    < tcp S 2 win 65535 <mss 1460>", /* its number is not higher: old */
      "+0    > tcp . 2 ack 2",
      "+1    < tcp S 100000 win 65535 <mss 1460>",
      "+0    > tcp S. 0 ack 100001 <mss 1460>",
      "+0    mib TcpExtTWRecycled = 1")

DRILL(tcp_close, time_wait_and_rst,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    < tcp R 2 win 0",
      "+0    sockets = 1")

DRILL(tcp_close, time_wait_ignores_rst_with_rfc1337,
      "+0    sysctl net.ipv4.tcp_rfc1337=1",
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    < tcp R 2 win 0",
      "+0    sockets = 2")

DRILL(tcp_close, time_wait_buckets_are_limited,
      "+0    sysctl net.ipv4.tcp_max_tw_buckets=0",
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+0    sockets = 1",
      "+0    mib TcpExtTCPTimeWaitOverflow = 1")

/* Two confused ends answer each other's answers only so often (bug class 6). */
DRILL(tcp_close, no_ack_war,
      OPEN_PLAIN,
      "+0    < tcp . 4000000 ack 1 win 65535",
      "+0    > tcp . 1 ack 1",
      "+0    < tcp . 4000000 ack 1 win 65535",
      "+0    < tcp . 4000000 ack 1 win 65535",
      "+0.3  < tcp . 4000000 ack 1 win 65535",
      "+0.3  < tcp . 4000000 ack 1 win 65535",
      "+0    > tcp . 1 ack 1",
      "+0    mib TcpExtTCPACKSkippedSeq = 3")

/* Bug class 4: close() with queued text and a zero window ends, and is probed meanwhile. */
DRILL(tcp_close, close_with_queued_text_and_zero_window,
      OPEN_WIN(100),
      "+0    send c 300",
      "+0    > tcp . 1:51(50) ack 1", /* no segment is larger than half of the largest window */
      "+0    > tcp . 51:101(50) ack 1",
      "+0.02 < tcp . 1 ack 101 win 0",
      "+0    close c",
      "+0.2..0.3 > tcp . 100 ack 1",
      "+0    < tcp . 1 ack 101 win 0",
      "*     > tcp . 100 ack 1",
      "+0    < tcp . 1 ack 101 win 1000",
      "+0    > tcp . 101:151(50) ack 1",
      "+0    > tcp . 151:201(50) ack 1",
      "+0    > tcp . 201:251(50) ack 1",
      "+0    > tcp FP. 251:301(50) ack 1",
      "+0.02 < tcp F. 1 ack 302 win 1000",
      "+0    > tcp . 302 ack 2")

/* And if the peer goes on saying zero, an orphan ends nevertheless. */
DRILL(tcp_close, orphan_with_zero_window_ends,
      OPEN_WIN(100),
      "+0    send c 300",
      "+0    > tcp . 1:51(50) ack 1",
      "+0    > tcp . 51:101(50) ack 1",
      "+0.02 < tcp . 1 ack 101 win 0",
      "+0    close c",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "*     > tcp . 100 ack 1",
      "+130  sockets = 1")

DRILL(tcp_close, shutdown_rd,
      OPEN_PLAIN,
      "+0    shutdown c rd",
      "+0    recv c 10 = 0",
      "+0    poll c = IN OUT RDHUP",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1")

DRILL(tcp_close, stack_shutdown,
      OPEN_PLAIN,
      "+0    shutdown-stack",
      "+0    > tcp F. 1 ack 1")

/* TCP_LINGER2 below 0: no FIN-WAIT-2 without an owner. The peer, who may still be sending, is told. */
DRILL(tcp_close, no_fin_wait2_when_not_wanted,
      OPEN_PLAIN,
      "+0    setsockopt c LINGER2 -1",
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp . 1 ack 2 win 65535",
      "+0    > tcp R. 2 ack 1",
      "+0    sockets = 1")

/* RFC 5961 section 10: challenge ACKs have a limit that all connections share. */
DRILL(tcp_close, challenge_acks_have_a_common_limit,
      "sysctl net.ipv4.tcp_challenge_ack_limit=1", "sysctl net.ipv4.tcp_invalid_ratelimit=0",
      OPEN_PLAIN,
      "+0    < tcp R 100 win 0",
      "+0    > tcp . 1 ack 1",
      "+0    < tcp R 200 win 0",
      "+1.1  < tcp R 300 win 0",
      "+0    > tcp . 1 ack 1",
      "+0    mib TcpExtTCPChallengeACK = 2")

/* 3.10.7.4 step 8: the peer's FIN again starts the 2 MSL anew. */
DRILL(tcp_close, fin_again_restarts_time_wait,
      OPEN_PLAIN,
      "+0    close c",
      "+0    > tcp F. 1 ack 1",
      "+0.02 < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+50   < tcp F. 1 ack 2 win 65535",
      "+0    > tcp . 2 ack 2",
      "+30   wait",
      "+0    sockets = 2",
      "+40   wait",
      "+0    sockets = 1")

/* The window is taken back while text of an orphan is in flight: nobody waits for it, so it ends as other orphans do. */
DRILL(tcp_close, orphan_with_its_window_taken_back_ends,
      OPEN_WIN(10000),
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460) ack 1",
      "+0    close c",
      "+0    > tcp F. 1461 ack 1",
      "+0.02 < tcp . 1 ack 731 win 0",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "*     > tcp P. 731:1461(730) ack 1",
      "+60   wait",
      "+0    sockets = 1")
