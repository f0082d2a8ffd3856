/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: losses. RTO (RFC 6298), fast retransmit (RFC 5681), limited transmit (RFC 3042), SACK (RFC 6675, 2883), NewReno (RFC 6582), undo (RFC 3522, 3708).
 */
#include "tcp_rows.h"

#define SEND_10 \
	"+0 send c 14600", "+0 > tcp . 1:1461(1460)", "+0 > tcp . 1461:2921(1460)", "+0 > tcp . 2921:4381(1460)", "+0 > tcp . 4381:5841(1460)", \
	"+0 > tcp . 5841:7301(1460)", "+0 > tcp . 7301:8761(1460)", "+0 > tcp . 8761:10221(1460)", "+0 > tcp . 10221:11681(1460)", \
	"+0 > tcp . 11681:13141(1460)", "+0 > tcp P. 13141:14601(1460)"

DRILL(tcp_loss, rto_backs_off_and_ends,
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0.2..0.3   > tcp P. 1:11(10) ack 1",
      "+0.4..0.6   > tcp P. 1:11(10) ack 1",
      "+0.8..1.2   > tcp P. 1:11(10) ack 1",
      "+1.6..2.4   > tcp P. 1:11(10) ack 1",
      "+0    info c backoff = 4",
      "+0    info c retransmits = 4",
      "+0    info c ca_state = 4",
      "+0    mib TcpExtTCPTimeouts = 4",
      "+0.02 < tcp . 1 ack 11 win 65535",
      "+0    info c backoff = 4", /* Karn: no sample yet */
      "+0    send c 10",
      "+0    > tcp P. 11:21(10) ack 1",
      "+0.02 < tcp . 1 ack 21 win 65535",
      "+0    info c backoff = 0",
      "+0    mib TcpRetransSegs = 4")

DRILL(tcp_loss, retries2,
      "+0    sysctl net.ipv4.tcp_retries2=3",
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "+5    poll c = IN OUT ERR HUP RDHUP",
      "+0    getsockopt c ERROR = ETIMEDOUT",
      "+0    mib TcpExtTCPAbortOnTimeout = 1")

DRILL(tcp_loss, user_timeout,
      OPEN_PLAIN,
      "+0    setsockopt c USER_TIMEOUT 2000",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "*     > tcp P. 1:11(10) ack 1",
      "+1.6  getsockopt c ERROR = ETIMEDOUT")

/* RFC 6298 (5.3), bug class 2: only an ACK of new text restarts the timer. */
DRILL(tcp_loss, duplicate_acks_do_not_restart_the_timer,
      OPEN_PLAIN,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0.1  < tcp . 1 ack 1 win 60000", /* a window update */
      "+0.1  < tcp . 1 ack 1 win 60001",
      "+0..0.1 > tcp P. 1:11(10) ack 1")

/* With timestamps a retransmission gives a sample. */
DRILL(tcp_loss, timestamps_end_the_back_off,
      OPEN_TS,
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1",
      "+0.2..0.3   > tcp P. 1:11(10) ack 1",
      "+0.4..0.6   > tcp P. 1:11(10) ack 1",
      "+0.02 < tcp . 1 ack 11 win 512 <TS val 1700 ecr last>",
      "+0    info c backoff = 0",
      "+0    info c rto = 200000..400000")

/* Three duplicates; RFC 3042: new text for each of the first two. NewReno: the partial ACK brings the next hole. */
DRILL(tcp_loss, fast_retransmit_without_sack,
      OPEN_PLAIN,
      SEND_10,
      "+0    send c 5840",
      "+0.05 < tcp . 1 ack 1461 win 65535",
      "+0    > tcp . 14601:16061(1460)",
      "+0    > tcp . 16061:17521(1460)",
      "+0    < tcp . 1 ack 1461 win 65535",
      "+0    > tcp . 17521:18981(1460)", /* limited transmit */
      "+0    < tcp . 1 ack 1461 win 65535",
      "+0    > tcp P. 18981:20441(1460)",
      "+0    < tcp . 1 ack 1461 win 65535",
      "+0    > tcp . 1461:2921(1460)",
      "+0    info c ca_state = 3",
      "+0    mib TcpExtTCPRenoRecovery = 1",
      "+0    mib TcpExtTCPFastRetrans = 1",
      "+0    < tcp . 1 ack 1461 win 65535",
      "+0    < tcp . 1 ack 1461 win 65535",
      "+0.05 < tcp . 1 ack 5841 win 65535", /* partial */
      "+0    > tcp . 5841:7301(1460)",
      "+0.05 < tcp . 1 ack 20441 win 65535",
      "+0    info c retrans = 0",
      "+0    info c lost = 0",
      "+0    info c sacked = 0")

DRILL(tcp_loss, sack_recovery,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 1 win 65535 <sack 1461:2921>",
      "+0    info c ca_state = 1",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:4381>",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:5841>",
      "+0    > tcp . 1:1461(1460)",
      "+0    info c ca_state = 3",
      "+0    info c sacked = 3",
      "+0    info c lost = 1",
      "+0    info c retrans = 1",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:5841 7301:8761>",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:5841 7301:10221>",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:5841 7301:11681>",
      "+0    > tcp . 5841:7301(1460)",
      "+0.05 < tcp . 1 ack 5841 win 65535 <sack 7301:14601>",
      "+0    < tcp . 1 ack 14601 win 65535",
      "+0    info c ca_state = 0",
      "+0    info c retrans = 0",
      "+0    info c total_retrans = 2",
      "+0    mib TcpExtTCPSackRecovery = 1",
      "+0    mib TcpExtTCPTimeouts = 0")

/* The retransmission is lost as well: what was sent after it and sacked tells. */
DRILL(tcp_loss, lost_retransmission,
      OPEN_SACK,
      SEND_10,
      "+0    send c 14600",
      "+0.05 < tcp . 1 ack 1 win 65535 <sack 1461:5841>",
      "+0    > tcp . 1:1461(1460)",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:8761>",
      "+0    > tcp . 14601:16061(1460)",
      "+0    > tcp . 16061:17521(1460)",
      "+0    < tcp . 1 ack 1 win 65535 <sack 1461:14601>",
      "+0    > tcp . 17521:18981(1460)",
      "+0    > tcp . 18981:20441(1460)",
      "+0    > tcp . 20441:21901(1460)",
      "+0    > tcp . 21901:23361(1460)",
      "+0.05 < tcp . 1 ack 1 win 65535 <sack 1461:18981>",
      "+0    > tcp . 1:1461(1460)",
      "+0    > tcp . 23361:24821(1460)",
      "+0    > tcp . 24821:26281(1460)",
      "+0    > tcp . 26281:27741(1460)", /* as many as PRR allows: up to ssthresh, 7 */
      "+0    mib TcpExtTCPLostRetransmit = 1",
      "+0    mib TcpExtTCPTimeouts = 0",
      "+0.05 < tcp . 1 ack 18981 win 65535",
      "*     > tcp . 27741:29201(1460)")

/* Eifel (RFC 3522): the first ACK after a timeout echoes the original: nothing was lost, cwnd comes back. */
DRILL(tcp_loss, spurious_timeout_is_undone,
      "+0    sysctl net.ipv4.tcp_timestamps=2", /* no random offset: the clock in milliseconds */
      OPEN_TS,
      "+0    send c 2896",
      "+0    > tcp . 1:1449(1448) <TS val 1120 ecr 1020>",
      "+0    > tcp P. 1449:2897(1448) <TS val 1120 ecr 1020>",
      "+0.2..0.3 > tcp . 1:1449(1448)",
      "+0    info c ca_state = 4",
      "+0    info c snd_cwnd = 1",
      "+0.05 < tcp . 1 ack 1449 win 512 <TS val 1400 ecr 1120>",
      "+0    info c ca_state = 0",
      "+0    info c snd_cwnd = >=10",
      "+0    info c lost = 0",
      "+0    < tcp . 1 ack 2897 win 512 <TS val 1400 ecr 1120>",
      "+0    info c total_retrans = 1")

/* A DSACK for every retransmission: the recovery was for nothing (RFC 3708). */
DRILL(tcp_loss, dsack_undoes,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 1 win 65535 <sack 1461:5841>",
      "+0    > tcp . 1:1461(1460)",
      "+0    info c ca_state = 3",
      "+0    < tcp . 1 ack 7301 win 65535",
      "+0    < tcp . 1 ack 7301 win 65535 <sack 1:1461>",
      "+0    < tcp . 1 ack 14601 win 65535",
      "+0    info c ca_state = 0",
      "+0    info c snd_cwnd = >=10",
      "+0    info c dsack_dups = 1",
      "+0    mib TcpExtTCPDSACKRecv = 1")

/* RFC 2018 section 8: the peer may throw away what it sacked. */
DRILL(tcp_loss, reneging,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 1 win 65535 <sack 1461:14601>",
      "+0    > tcp . 1:1461(1460)",
      "+0.05 < tcp . 1 ack 1461 win 65535", /* and nothing of the rest */
      "+0.01..0.1 > tcp . 1461:2921(1460)",
      "+0    mib TcpExtTCPSACKReneging = 1",
      "+0.05 < tcp . 1 ack 2921 win 65535",
      "+0    > tcp . 2921:4381(1460)", /* what had been sacked is taken for lost */
      "+0    > tcp . 4381:5841(1460)",
      "+0.05 < tcp . 1 ack 14601 win 65535",
      "+0    info c sacked = 0")

/* Blocks that lie: backwards, of what was never sent, of what is acknowledged, of a single byte of a segment. */
DRILL(tcp_loss, hostile_sack_blocks,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 1461 win 65535 <sack 5841:4381>",
      "+0    < tcp . 1 ack 1461 win 65535 <sack 20000:30000>",
      "+0    < tcp . 1 ack 1461 win 65535 <sack 14601:14602>",
      "+0    < tcp . 1 ack 1461 win 65535 <sack 5841:5841>",
      "+0    < tcp . 1 ack 1461 win 65535 <sack 3000:3001 3002:3003 3004:3005>",
      "+0    info c sacked = 0",
      "+0    info c lost = 0",
      "+0    mib TcpExtTCPSACKDiscard = >=3",
      "+0    < tcp . 1 ack 14601 win 65535",
      "+0    ioctl c OUTQ = 0")

/* Nobody SACKs the last segment: rescue or RTO, but it goes. */
DRILL(tcp_loss, tail_loss,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 13141 win 65535",
      "+0.2..0.4 > tcp P. 13141:14601(1460)",
      "+0.02 < tcp . 1 ack 14601 win 65535",
      "+0    info c ca_state = 0")

/* 3.8.4: keepalive is off by default, then after keepidle, keepintvl apart, keepcnt times. */
DRILL(tcp_loss, keepalive,
      OPEN_PLAIN,
      "+0    setsockopt c KEEPIDLE 10",
      "+0    setsockopt c KEEPINTVL 2",
      "+0    setsockopt c KEEPCNT 3",
      "+0    setsockopt c KEEPALIVE 1",
      "+10   > tcp . 0 ack 1",
      "+0    < tcp . 1 ack 1 win 65535",
      "+10   > tcp . 0 ack 1",
      "+2    > tcp . 0 ack 1",
      "+2    > tcp . 0 ack 1",
      "+2    > tcp R. 1 ack 1",
      "+0    getsockopt c ERROR = ETIMEDOUT",
      "+0    mib TcpExtTCPKeepAlive = 4")

/* A keepalive of the peer is answered (MUST-29 the other way round). */
DRILL(tcp_loss, keepalive_is_answered,
      OPEN_PLAIN,
      "+60   < tcp . 0 ack 1 win 65535",
      "+0    > tcp . 1 ack 1")

/* Karn, RFC 6298 section 3: without timestamps the ACK of what was sent twice gives no sample. */
DRILL(tcp_loss, no_sample_from_what_was_sent_twice,
      OPEN_PLAIN,
      "+0    send c 2920",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp P. 1461:2921(1460) ack 1",
      "+0.2..0.3   > tcp . 1:1461(1460) ack 1",
      "+0.1  < tcp . 1 ack 2921 win 65535", /* also of what was sent once: it may have waited for the other */
      "+0    info c rtt = 18000..24000")

/* What is left of a segment that was acknowledged in part goes again with a checksum of its own. */
DRILL(tcp_loss, rest_of_a_segment,
      OPEN_PLAIN,
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460) ack 1",
      "+0.02 < tcp . 1 ack 702 win 65535",
      "+0.2..0.4   > tcp P. 702:1461(759) ack 1",
      "+0.02 < tcp . 1 ack 1461 win 65535")

/* SHLD-16: beyond the edge of a window that was taken back nothing goes again but the first segment. */
DRILL(tcp_loss, nothing_again_beyond_a_shrunk_window,
      OPEN_WIN(10000),
      "+0    send c 5840",
      "+0    > tcp . 1:1461(1460) ack 1",
      "+0    > tcp . 1461:2921(1460) ack 1",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0    > tcp P. 4381:5841(1460) ack 1",
      "+0.02 < tcp . 1 ack 1461 win 1460",
      "+0.2..0.4 > tcp . 1461:2921(1460) ack 1",
      "+0.02 < tcp . 1 ack 2921 win 1460",
      "+0    > tcp . 2921:4381(1460) ack 1",
      "+0.02 < tcp . 1 ack 4381 win 10000",
      "+0    > tcp P. 4381:5841(1460) ack 1",
      "+0.02 < tcp . 1 ack 5841 win 10000")

/* On a device with TSO nothing may wait for a larger frame while it is duplicate ACKs that come: RFC 3042. */
DRILL(tcp_loss, limited_transmit_with_tso,
      "set tso",
      OPEN_PLAIN,
      "+0    send c 20440",
      "+0 > tcp . 1:1461(1460)", "+0 > tcp . 1461:2921(1460)", "+0 > tcp . 2921:4381(1460)", "+0 > tcp . 4381:5841(1460)",
      "+0 > tcp . 5841:7301(1460)", "+0 > tcp . 7301:8761(1460)", "+0 > tcp . 8761:10221(1460)", "+0 > tcp . 10221:11681(1460)",
      "+0 > tcp . 11681:13141(1460)", "+0 > tcp . 13141:14601(1460)",
      "+0.04 < tcp . 1 ack 1 win 65535",
      "+0    > tcp . 14601:16061(1460)",
      "+0    < tcp . 1 ack 1 win 65535",
      "+0    > tcp . 16061:17521(1460)",
      "+0    < tcp . 1 ack 1 win 65535", /* the third: the fast retransmit and nothing else, for the window shrinks (RFC 6937) */
      "+0    > tcp . 1:1461(1460)",
      "+0    info c snd_cwnd = 9",
      "+0    < tcp . 1 ack 1 win 65535")

/* One ACK after a pause: nobody knows when the next comes, so what it lets go goes. */
DRILL(tcp_loss, a_lone_ack_brings_out_data_with_tso,
      "set tso",
      OPEN_PLAIN,
      "+0    send c 20440",
      "+0 > tcp . 1:1461(1460)", "+0 > tcp . 1461:2921(1460)", "+0 > tcp . 2921:4381(1460)", "+0 > tcp . 4381:5841(1460)",
      "+0 > tcp . 5841:7301(1460)", "+0 > tcp . 7301:8761(1460)", "+0 > tcp . 8761:10221(1460)", "+0 > tcp . 10221:11681(1460)",
      "+0 > tcp . 11681:13141(1460)", "+0 > tcp . 13141:14601(1460)",
      "+0.04 < tcp . 1 ack 1461 win 65535",
      "+0    > tcp . 14601:16061(1460)",
      "+0    > tcp . 16061:17521(1460)")

/* One ACK that moves snd_una and sacks far above it: ACKs before it were lost. That is no sign of reordering, and what the SACK blocks leave out is lost (RFC 6675). */
DRILL(tcp_loss, an_ack_that_moves_and_sacks_is_no_reordering,
      OPEN_SACK,
      SEND_10,
      "+0.05 < tcp . 1 ack 2921 win 65535 <sack 5841:14601>",
      "+0    > tcp . 2921:4381(1460)",
      "+0    > tcp . 4381:5841(1460)",
      "+0    info c ca_state = 3",
      "+0    info c reordering = 3",
      "+0    info c lost = 2",
      "+0    mib TcpExtTCPSACKReorder = 0",
      "+0.05 < tcp . 1 ack 14601 win 65535")
