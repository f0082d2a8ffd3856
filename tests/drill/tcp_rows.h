/* SPDX-License-Identifier: MIT */
/*
 * tcp_rows.h: the rows with which most drills of TCP begin. l listens on port 80, c is the accepted socket; the peer's ISN and ours are 0.
 */
#ifndef TESTS_DRILL_TCP_ROWS_H
#define TESTS_DRILL_TCP_ROWS_H

#include "drill.h"
#include <criterion/criterion.h>

#define LISTEN_80 "+0 socket l tcp", "+0 bind l :80", "+0 listen l 5"
/* Only an MSS: no window scale, timestamps, SACK. The peer's window is WIN. */
#define OPEN_WIN(win) \
	LISTEN_80, "+0.1 < tcp S 0 win " #win " <mss 1460>", "+0 > tcp S. 0 ack 1 <mss 1460>", "+0.02 < tcp . 1 ack 1 win " #win, "+0 accept l c"
#define OPEN_PLAIN OPEN_WIN(65535)
#define OPEN_SACK \
	LISTEN_80, "+0.1 < tcp S 0 win 65535 <mss 1460,sackOK>", "+0 > tcp S. 0 ack 1 <mss 1460,sackOK>", "+0.02 < tcp . 1 ack 1 win 65535", "+0 accept l c"
/* Everything; the peer's timestamps are 1000 for the SYN, 1020 for the ACK. */
#define OPEN_TS \
	LISTEN_80, "+0.1 < tcp S 0 win 65535 <mss 1460,sackOK,TS val 1000 ecr 0,wscale 7>", \
	"+0 > tcp S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 1000,wscale 7>", "+0.02 < tcp . 1 ack 1 win 512 <TS val 1020 ecr last>", "+0 accept l c"

#endif
