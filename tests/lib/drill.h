/* SPDX-License-Identifier: MIT */
/*
 * drill.h: protocol behaviour as a table of rows: time, in or out or call, what. One stack, virtual links, no clock but the table's.
 *
 *	DRILL(tcp_listen, answers_a_syn,
 *	      "+0    socket l tcp",
 *	      "+0    bind l :80",
 *	      "+0    listen l 5",
 *	      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>",
 *	      "+0    > tcp S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 7,wscale *>",
 *	      "+0.02 < tcp . 1 ack 1 <TS val 8 ecr last>",
 *	      "+0    accept l c",
 *	      "+0    < tcp P. 1:11(10) ack 1 <TS val 9 ecr last>",
 *	      "+0    recv c 10",
 *	      "+0.04 > tcp . 1 ack 11")
 *
 * A row is "TIME WHAT". TIME is "+SECONDS" after the row before it (after what really happened there), "+A..B" a range, "*" any time up to 1,000 s.
 * For what is expected the time may be late by 3 ms and an eighth of the wait (the timer wheel's grain), never early. Rows without a time are done at once.
 *
 *   < FRAME             a frame arrives at eth0; <1 at eth1; <0@1 at eth0's queue of shard 1. FRAME: see frame.h
 *   > FRAME             the next frame that leaves by eth0 is this one; >1 by eth1
 *   wait                time passes
 * Whatever leaves must be expected by the next rows: any other row fails when a frame waits that was not looked at, and so does the end of the table.
 *
 *   socket S tcp|udp|raw N [cpu C]    bind S [ADDR]:PORT    listen S N    connect S ADDR:PORT    accept L S    close S    shutdown S rd|wr|rdwr
 *   send S LEN [to ADDR:PORT] [flags F]   send S "text"   recv S LEN [flags F] [from ADDR:PORT]   recv S "text"
 *                       F of peek, more, oob, trunc, errqueue. Bytes are frame_pattern of the offset in the stream, and are checked; a datagram begins with offset 0
 *   setsockopt S NAME V   getsockopt S NAME = V      NAME without SO_, IP_, TCP_: NODELAY CORK KEEPALIVE LINGER SNDBUF ... (table in drill.c)
 *   poll S = IN OUT ...   the level now, exactly     wake S = IN ...   what ops->wake told since the last such row, exactly ("= none")
 *   info S FIELD = N      struct tcp_info, FIELD without tcpi_; state also as ESTABLISHED ...
 *   ioctl S INQ|OUTQ|ATMARK = N
 *   mib NAME = N          counter since the start, as nstat names it (TcpExtTCPTimeouts); N may be ">=N", "A..B"
 *   gro normal|held|merged = N   what GRO did on eth0 ("set gro")
 *   drops NAME = N        the same for a drop reason
 *   seen in|out|drops = N  how many frames packet taps were shown since the start (with "set observe")
 *   sockets = N           how many TIME-WAIT, half-open and full sockets there are (stack_sock_foreach)
 *   sysctl NAME=VALUE     addr add|del ADDR/LEN dev D     route add|del PREFIX [via A] [dev D] [mtu N] [metric N] [type blackhole|unreachable|prohibit]
 *   neigh add ADDR MAC dev D | neigh del ADDR dev D       link D up|down|carrier on|carrier off|mtu N
 *   txfull on|off         the devices take no frames (xmit says -EAGAIN), and do again
 *   shutdown-stack        stack_shutdown
 * A call is expected to return 0 (send and recv: the length; connect: 0 or EINPROGRESS) unless the row ends in "= ERRNO" or "= N".
 *
 * Before the first row with a time:
 *   set shards N | seed N | devs N | arp (no permanent neighbour for the peer) | peer-isn N | nodrain | observe (packet taps look at everything) | tso (TCP sees a device with TSO; without checksums it gets the frames cut) | ports PEER LOCAL ("*": learned from what leaves) | mtu N
 * eth0 is 192.0.2.1/24 with the peer 192.0.2.2, eth1 198.51.100.1/24 with .2, eth2 203.0.113.1/24 with .2. Default ports: the peer's 40000, ours 80; connect sets them.
 *
 * At the end every socket is closed, time runs on for an hour with whatever leaves thrown away, and no packet buffer may be left (nodrain skips the hour).
 */
#ifndef TESTS_DRILL_H
#define TESTS_DRILL_H

/* NULL: as the table says. Else what went wrong, in allocated memory. */
char *drill_run(const char *name, const char *const *rows);

#define DRILL(suite, name, ...) \
	Test(suite, name) \
	{ \
		static const char *const drill_rows[] = { __VA_ARGS__, NULL }; \
		char *drill_error = drill_run(#suite "." #name, drill_rows); \
		cr_assert(drill_error == NULL, "%s", drill_error); \
	}

#endif
