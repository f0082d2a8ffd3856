/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: text that arrives. Out of order, twice, outside the window; acknowledging; our window; urgent data.
 */
#include "tcp_rows.h"

/* RFC 9293 3.8.6.3, RFC 1122 4.2.3.2: one segment waits at most 200 ms; a second one does not. */
DRILL(tcp_recv, delayed_ack,
      OPEN_PLAIN,
      "+0    setsockopt c QUICKACK 0",
      "+0    < tcp . 1:1461(1460) ack 1 win 65535",
      "+0.04 > tcp . 1 ack 1461",
      "+0    mib TcpExtDelayedACKs = 1",
      "+0    setsockopt c QUICKACK 0",
      "+0.5  < tcp . 1461:2921(1460) ack 1 win 65535",
      "+0    > tcp . 1 ack 2921", /* after a pause longer than the RTO: the peer may have started again */
      "+0    setsockopt c QUICKACK 0",
      "+0    < tcp . 2921:4381(1460) ack 1 win 65535",
      "+0.01 < tcp . 4381:5841(1460) ack 1 win 65535",
      "+0    > tcp . 1 ack 5841")

DRILL(tcp_recv, quick_acks_at_first,
      OPEN_PLAIN,
      "+0    < tcp . 1:1461(1460) ack 1 win 65535",
      "+0    > tcp . 1 ack 1461",
      "+0.01 < tcp . 1461:2921(1460) ack 1 win 65535",
      "+0    > tcp . 1 ack 2921")

/* An answer carries the ACK. */
DRILL(tcp_recv, ack_rides_on_the_answer,
      OPEN_PLAIN,
      "+0    setsockopt c QUICKACK 0",
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "+0    recv c 10",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 11")

/* MUST-58 to -60 in spirit, RFC 5681 4.2: a hole gives duplicate ACKs at once, its filling an ACK at once. RFC 2018: the latest block first. */
DRILL(tcp_recv, out_of_order,
      OPEN_SACK,
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:201>",
      "+0    < tcp . 301:401(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 301:401 101:201>",
      "+0    < tcp . 501:601(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 501:601 301:401 101:201>",
      "+0    < tcp . 401:501(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 301:601 101:201>",
      "+0    poll c = OUT",
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 201 <sack 301:601>",
      "+0    recv c 200",
      "+0    < tcp . 201:301(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 601 <>",
      "+0    recv c 400",
      "+0    mib TcpExtTCPOFOQueue = 4")

DRILL(tcp_recv, out_of_order_without_sack,
      OPEN_PLAIN,
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <>",
      "+0    < tcp . 201:301(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <>",
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 301",
      "+0    recv c 300")

/* RFC 2883 */
DRILL(tcp_recv, dsack_of_old_text,
      OPEN_SACK,
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 101",
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 101 <sack 1:101>",
      "+0    mib TcpExtTCPDSACKOldSent = 1")

DRILL(tcp_recv, dsack_above_a_hole,
      OPEN_SACK,
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:201>",
      "+0    < tcp . 101:201(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 101:201 101:201>",
      "+0    < tcp . 151:251(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 151:201 101:251>",
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 251",
      "+0    recv c 250",
      "+0    mib TcpExtTCPDSACKOfoSent = 2")

/* Overlaps of every kind; each byte is counted once (bug class 8). */
DRILL(tcp_recv, overlaps,
      OPEN_PLAIN,
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 101",
      "+0    < tcp . 51:151(100) ack 1 win 65535", /* half old */
      "+0    > tcp . 1 ack 151",
      "+0    < tcp . 301:401(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 151",
      "+0    < tcp . 251:451(200) ack 1 win 65535", /* covers what is there */
      "+0    > tcp . 1 ack 151",
      "+0    < tcp . 201:301(100) ack 1 win 65535", /* its end is there */
      "+0    > tcp . 1 ack 151",
      "+0    < tcp . 401:501(100) ack 1 win 65535", /* its beginning is there */
      "+0    > tcp . 1 ack 151",
      "+0    < tcp . 151:351(200) ack 1 win 65535",
      "+0    > tcp . 1 ack 501",
      "+0    recv c 500",
      "+0    info c bytes_received = 500")

/* Sequence numbers that wrap in the middle of a hole (bug class 8). */
DRILL(tcp_recv, wrap,
      "set   peer-isn 4294967200",
      OPEN_SACK,
      "+0    < tcp . 151:251(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 151:251>",
      "+0    < tcp . 51:151(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 1 <sack 51:251>",
      "+0    < tcp . 1:51(50) ack 1 win 65535",
      "+0    > tcp . 1 ack 251",
      "+0    recv c 250")

/* Text to the right of the window is refused, text that crosses its edge is cut. MUST: the window is not shrunk. */
#define SMALL_BUFFER /* twice what is set is reserved; half of that is offered */ \
	"+0 socket l tcp", "+0 setsockopt l RCVBUF 4096", "+0 bind l :80", "+0 listen l 5", "+0.1 < tcp S 0 win 65535 <mss 1460>", \
	"+0 > tcp S. 0 ack 1 win 2920 <mss 1460>", "+0.02 < tcp . 1 ack 1 win 65535", "+0 accept l c"
#define FILL_IT \
	"+0 < tcp . 1:1461(1460) ack 1 win 65535", "* > tcp . 1 ack 1461", "+0 < tcp . 1461:2921(1460) ack 1 win 65535", "* > tcp . 1 ack 2921", \
	"+0 < tcp . 2921:4381(1460) ack 1 win 65535", "* > tcp . 1 ack 2922..4381", "+0.6 < tcp . 4381:5841(1460) ack 1 win 65535", "* > tcp . 1 ack 2922..5841", \
	"+0.6 < tcp . 5841:7301(1460) ack 1 win 65535", "* > tcp . 1 ack 2922..5841 win 0"
DRILL(tcp_recv, window_edges,
      SMALL_BUFFER,
      "+0    < tcp . 1:1461(1460) ack 1 win 65535",
      "*     > tcp . 1 ack 1461",
      "+0    < tcp . 40001:40101(100) ack 1 win 65535", /* wholly beyond it */
      "+0    > tcp . 1 ack 1461",
      "+0    drops tcp_invalid_sequence = 1",
      "+0    < tcp . 1461:11461(10000) ack 1 win 65535", /* across it: what fits is taken */
      "*     > tcp . 1 ack 2921..11460",
      "+0    drops tcp_invalid_sequence = 1")

/* The window closes and never moves back; a probe is answered with the present one; reading opens it and says so (bug class 1). */
DRILL(tcp_recv, window_closes_and_opens,
      SMALL_BUFFER,
      FILL_IT,
      "+0.6  < tcp . 0 ack 1 win 65535", /* a probe */
      "+0    > tcp . 1 ack 2922..5841 win 0",
      "+0    mib TcpExtTCPToZeroWindowAdv = 1",
      "+0    recv c 10", /* a silly window is not told (MUST-39) */
      "+0    recv c 100",
      "+0    recv c 2810",
      "+0    > tcp . 1 ack 2922..5841 win >=1460",
      "+0    mib TcpExtTCPFromZeroWindowAdv = 1")

/* MUST-66: what carries no text counts at a closed window, too. */
DRILL(tcp_recv, rst_and_urg_at_a_closed_window,
      SMALL_BUFFER,
      "+0    < tcp . 1:1461(1460) ack 1 win 65535",
      "*     > tcp . 1 ack 1461",
      "+0    < tcp . 1461:2921(1460) ack 1 win 65535",
      "*     > tcp . 1 ack 2921",
      "+0    < tcp U. 2921 ack 1 win 65535 urg 5",
      "+0    recv c 1 flags oob = EAGAIN", /* the pointer is known, its byte is not */
      "+0    < tcp R 2921 win 0",
      "+0    getsockopt c ERROR = ECONNRESET")

/* A FIN takes no room: it is taken at a closed window. */
DRILL(tcp_recv, fin_at_the_edge,
      SMALL_BUFFER,
      "+0    < tcp F. 1:2921(2920) ack 1 win 65535",
      "*     > tcp . 1 ack 2922",
      "+0    recv c 2920",
      "+0    recv c 1 = 0")

/* Peek, trunc, rcvlowat. */
DRILL(tcp_recv, peek_and_trunc,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    < tcp P. 11:21(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 21",
      "+0    recv c 15 flags peek",
      "+0    ioctl c INQ = 20",
      "+0    recv c 20 flags peek",
      "+0    recv c 20",
      "+0    recv c 1 = EAGAIN")

DRILL(tcp_recv, rcvlowat,
      OPEN_PLAIN,
      "+0    setsockopt c RCVLOWAT 10",
      "+0    < tcp P. 1:6(5) ack 1 win 65535",
      "+0    > tcp . 1 ack 6",
      "+0    poll c = OUT",
      "+0    < tcp P. 6:11(5) ack 1 win 65535",
      "+0    > tcp . 1 ack 11",
      "+0    poll c = IN OUT",
      "+0    recv c 10")

/* RFC 6093: one byte, out of line. */
DRILL(tcp_recv, urgent,
      OPEN_PLAIN,
      "+0    < tcp PU. 1:11(10) ack 1 win 65535 urg 6",
      "+0    > tcp . 1 ack 11",
      "+0    poll c = IN OUT PRI",
      "+0    ioctl c ATMARK = 0",
      "+0    ioctl c INQ = 5",
      "+0    recv c 10 = 5", /* up to the mark */
      "+0    ioctl c ATMARK = 1",
      "+0    recv c 1 flags oob = 1",
      "+0    recv c 1 flags oob = EINVAL",
      "+0    poll c = IN OUT")

DRILL(tcp_recv, urgent_inline,
      OPEN_PLAIN,
      "+0    setsockopt c OOBINLINE 1",
      "+0    < tcp PU. 1:11(10) ack 1 win 65535 urg 6",
      "+0    > tcp . 1 ack 11",
      "+0    recv c 1 flags oob = EINVAL",
      "+0    recv c 5",
      "+0    ioctl c ATMARK = 1",
      "+0    recv c 5")

/* The pointer comes before the byte it points at. */
DRILL(tcp_recv, urgent_ahead,
      OPEN_PLAIN,
      "+0    < tcp PU. 1:11(10) ack 1 win 65535 urg 15",
      "+0    > tcp . 1 ack 11",
      "+0    recv c 1 flags oob = EAGAIN",
      "+0    recv c 10",
      "+0    < tcp PU. 11:21(10) ack 1 win 65535 urg 5",
      "+0    > tcp . 1 ack 21",
      "+0    recv c 10 = 4",
      "+0    recv c 1 flags oob = 1",
      "+0    poll c = IN OUT")

/* Attack classes: pointers to nowhere. */
DRILL(tcp_recv, urgent_pointer_lies,
      OPEN_PLAIN,
      "+0    < tcp PU. 1:11(10) ack 1 win 65535 urg 0",
      "+0    > tcp . 1 ack 11",
      "+0    < tcp PU. 11:21(10) ack 1 win 65535 urg 65535",
      "+0    > tcp . 1 ack 21",
      "+0    recv c 20 = 20",
      "+0    < tcp P. 21:31(10) ack 1 win 65535",
      "+0    > tcp . 1 ack 31",
      "+0    recv c 10")

DRILL(tcp_recv, bad_checksum,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 1 win 65535 sum=bad",
      "+0    mib TcpInCsumErrors = 1",
      "+0    mib TcpInErrs = 1",
      "+0    drops tcp_csum = 1",
      "+0    ioctl c INQ = 0")

DRILL(tcp_recv, truncated_headers,
      OPEN_PLAIN,
      "+0    < ip 6 (19)",
      "+0    < ip 6 (0)",
      "+0    < tcp . 1 ack 1 win 65535 doff=0",
      "+0    drops tcp_short = 3",
      "+0    mib TcpInErrs = 3")

/* Buffers of many small segments are copied together rather than the text thrown away (bug class 8, memory). */
DRILL(tcp_recv, small_segments_do_not_overrun_the_buffer,
      OPEN_PLAIN,
      "+0    setsockopt c RCVBUF 8192",
      "+0    < tcp P. 1:2(1) ack 1 win 65535", "+0 > tcp . 1 ack 2",
      "+0    < tcp P. 2:3(1) ack 1 win 65535", "+0 > tcp . 1 ack 3",
      "+0    < tcp P. 3:4(1) ack 1 win 65535", "+0 > tcp . 1 ack 4",
      "+0    < tcp P. 4:5(1) ack 1 win 65535", "+0 > tcp . 1 ack 5",
      "+0    < tcp P. 5:6(1) ack 1 win 65535", "+0 > tcp . 1 ack 6",
      "+0    < tcp P. 6:7(1) ack 1 win 65535", "+0 > tcp . 1 ack 7",
      "+0    < tcp P. 7:8(1) ack 1 win 65535", "+0 > tcp . 1 ack 8",
      "+0    < tcp P. 8:9(1) ack 1 win 65535", "+0 > tcp . 1 ack 9",
      "+0    recv c 8",
      "+0    mib TcpExtTCPRcvCoalesce = 7",
      "+0    mib TcpExtTCPRcvQDrop = 0")

/* RFC 2883 4.1: the part that came twice is told also when the segment brings something new. */
DRILL(tcp_recv, dsack_of_a_part,
      OPEN_SACK,
      "+0    < tcp . 1:101(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 101",
      "+0    < tcp . 51:151(100) ack 1 win 65535",
      "+0    > tcp . 1 ack 151 <sack 51:101>")

/* A pointer at what has been read long ago, on a segment that brings new text: nothing is urgent. */
DRILL(tcp_recv, old_urgent_pointer,
      OPEN_PLAIN,
      "+0    < tcp P. 1:11(10) ack 1 win 65535",
      "*     > tcp . 1 ack 11",
      "+0    recv c 10",
      "+0    < tcp PU. 6:21(15) ack 1 win 65535 urg 3",
      "*     > tcp . 1 ack 21",
      "+0    poll c = IN OUT",
      "+0    recv c 10",
      "+0    recv c 1 flags oob = EINVAL")

/* ---- merged by GRO -------------------------------------------------------------------------------------------------------------------------- */

/* What comes within the timeout is one packet when TCP gets it. */
#define GRO_MS "set gro", "sysctl net.core.gro_flush_timeout=1000000"

/* Two full segments in one packet are two for the ACK, and one full one in a packet is one (RFC 5681 4.2). */
DRILL(tcp_recv, merged_segments_are_counted_as_such,
      GRO_MS, OPEN_PLAIN,
      "+0    setsockopt c QUICKACK 0",
      "+0    < id=5 df tcp . 1:1461(1460) ack 1 win 65535",
      "+0    < id=6 df tcp . 1461:2921(1460) ack 1 win 65535",
      "+0    gro merged = 1",
      "+0..0.003 > tcp . 1 ack 2921",
      "+0    mib TcpInSegs = 4",
      "+0    info c rcv_mss = 1460",
      "+0    info c segs_in = 3",
      "+0    info c data_segs_in = 2",
      "+0    setsockopt c QUICKACK 0",
      "+0    < id=7 df tcp . 2921:4381(1460) ack 1 win 65535",
      "+0.03..0.06 > tcp . 1 ack 4381",
      "+0    recv c 5000 = 4380")

/* A hole in front of a merged packet: one SACK block for all of it; what fills the hole overlaps it and is cut. */
DRILL(tcp_recv, merged_out_of_order,
      GRO_MS, OPEN_SACK,
      "+0    < id=5 df tcp . 1001:2001(1000) ack 1 win 65535",
      "+0    < id=6 df tcp . 2001:3001(1000) ack 1 win 65535",
      "+0    < id=7 df tcp . 3001:4001(1000) ack 1 win 65535",
      "+0..0.003 > tcp . 1 ack 1 <sack 1001:4001>",
      "+0    gro merged = 2",
      "+0    < id=8 df tcp . 1:501(500) ack 1 win 65535",
      "+0    < id=9 df tcp . 501:1001(500) ack 1 win 65535",
      "+0    < id=10 df tcp . 1001:1501(500) ack 1 win 65535",
      "+0..0.003 > tcp . 1 ack 4001 <...>",
      "+0    recv c 5000 = 4000")

/* The window's edge lies inside a merged packet: what is beyond is cut off, as it is of a segment. */
DRILL(tcp_recv, merged_beyond_the_window,
      GRO_MS, SMALL_BUFFER,
      "+0    < id=5 df tcp . 1:1461(1460) ack 1 win 65535",
      "+0    < id=6 df tcp . 1461:2921(1460) ack 1 win 65535",
      "+0    < id=7 df tcp . 2921:4381(1460) ack 1 win 65535",
      "+0    < id=8 df tcp P. 4381:5841(1460) ack 1 win 65535",
      "*     > tcp . 1 ack 1461..5840",
      "+0    gro merged = 3")

/* FIN goes with the last of them; the acknowledgement and the window of all are the same and count once. */
DRILL(tcp_recv, merged_with_fin,
      GRO_MS, OPEN_PLAIN,
      "+0    < id=5 df tcp . 1:1001(1000) ack 1 win 65535",
      "+0    < id=6 df tcp F. 1001:1501(500) ack 1 win 65535",
      "+0    > tcp . 1 ack 1502",
      "+0    gro merged = 1",
      "+0    recv c 5000 = 1500",
      "+0    recv c 5000 = 0")

/* A pure ACK does not wait, and does not overtake. */
DRILL(tcp_recv, acknowledgements_are_not_held,
      GRO_MS, OPEN_PLAIN,
      "+0    setsockopt c QUICKACK 0",
      "+0    send c 1460",
      "+0    > tcp P. 1:1461(1460) ack 1",
      "+0    < id=5 df tcp . 1:1001(1000) ack 1 win 65535",
      "+0    < id=6 df tcp . 1001 ack 1461 win 65535",
      "+0    info c unacked = 0",
      "+0    gro held = 1",
      "+0    recv c 5000 = 1000")
