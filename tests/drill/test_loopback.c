/* SPDX-License-Identifier: MIT */
/*
 * test_loopback.c: stream sockets as an application sees them, both ends on one host by way of the loopback device: the five moments that must wake, readiness, errors, names,
 * orders of closing. RFC 9293 3.10 as seen from above; POSIX; Linux where POSIX is silent.
 */
#include "drill.h"
#include <criterion/criterion.h>

#define OPEN "socket l tcp", "setsockopt l REUSEADDR 1", "bind l :80", "listen l 5", "socket c tcp", "+0 connect c 127.0.0.1:80 = EINPROGRESS", "wait", "accept l s", "wait"

/* ---- the five moments ---------------------------------------------------------------------------------------------------------- */

DRILL(loopback, wakes_when_a_connection_can_be_accepted_and_is_made,
      "socket l tcp", "bind l :80", "listen l 5", "wait", "poll l = none",
      "socket c tcp", "+0 connect c 127.0.0.1:80 = EINPROGRESS",
      "wait",
      "poll l = IN", "poll c = OUT",
      "accept l s", "accept l t = EAGAIN", "poll l = none",
      "poll s = OUT")

DRILL(loopback, wakes_when_data_comes,
      OPEN, "wake s = OUT",
      "+0   send c 100",
      "wait", "wake s = IN OUT", "poll s = IN OUT",
      "wait", "wake s = none",
      "ioctl s INQ = 100",
      "recv s 40 flags peek", "recv s 40", "recv s 60", "recv s 1 = EAGAIN", "poll s = OUT",
      "+0   send s 7",
      "wait", "recv c 7")

DRILL(loopback, wakes_on_fin,
      OPEN, "wake s = OUT", "wake c = OUT HUP",
      "+0   shutdown c wr",
      "wait", "wake s = IN OUT RDHUP", "poll s = IN OUT RDHUP",
      "recv s 10 = 0", "recv s 10 = 0",
      "send c 1 = EPIPE",
      "+0   send s 10", "wait", "recv c 10", "wake c = IN OUT",
      "+0   shutdown s wr",
      "wait", "poll c = IN OUT HUP RDHUP", "recv c 1 = 0")

DRILL(loopback, wakes_on_reset,
      OPEN, "wake c = OUT HUP", /* HUP: before connect there is no connection, as Linux has it */
      "+0   send c 10", "wait",
      "close s", /* with data unread: a reset */
      "wait", "wake c = IN OUT ERR HUP RDHUP",
      "recv c 1 = ECONNRESET", "recv c 1 = 0", "send c 1 = EPIPE",
      "poll c = IN OUT HUP RDHUP")

/* ---- connect ---------------------------------------------------------------------------------------------------------------------- */

DRILL(loopback, refused,
      "socket c tcp",
      "+0   connect c 127.0.0.1:81 = EINPROGRESS",
      "wait", "poll c = IN OUT ERR HUP RDHUP",
      "getsockopt c ERROR = ECONNREFUSED", "getsockopt c ERROR = 0",
      "recv c 1 = 0",
      "socket l tcp", "bind l :81", "listen l 1",
      "connect c 127.0.0.1:81 = ECONNABORTED", /* the end of the first try, its error having been taken */
      "+0   connect c 127.0.0.1:81 = EINPROGRESS",
      "wait", "poll c = OUT", "poll l = IN")

DRILL(loopback, connect_errors,
      OPEN,
      "connect c 127.0.0.1:80", /* tells that what was pending is done, as on Linux */
      "connect c 127.0.0.1:80 = EISCONN",
      "connect l 127.0.0.1:80 = EISCONN",
      "socket x tcp",
      "send x 1 = EPIPE", "recv x 1 = ENOTCONN", "shutdown x wr = ENOTCONN",
      "accept x y = EINVAL", "accept c y = EINVAL",
      "listen c 5 = EINVAL",
      "connect x 8.8.8.8:80 = ENETUNREACH",
      "connect x 192.0.2.255:80 = ENETUNREACH")

DRILL(loopback, pending_connect,
      "set nodrain",
      "socket c tcp",
      "+0   connect c 192.0.2.2:80 = EINPROGRESS",
      "+0   > tcp S 0",
      "connect c 192.0.2.2:80 = EALREADY",
      "poll c = none",
      "recv c 1 = EAGAIN",
      "close c")

DRILL(loopback, this_host_by_zero,
      "socket l tcp", "bind l :80", "listen l 5", "socket c tcp",
      "+0   connect c 0.0.0.0:80 = EINPROGRESS",
      "wait", "accept l s", "poll c = OUT",
      "+0   send s 5", "wait", "recv c 5")

DRILL(loopback, with_itself,
      "socket c tcp", "bind c 127.0.0.1:4444",
      "+0   connect c 127.0.0.1:4444 = EINPROGRESS",
      "wait", "poll c = OUT",
      "+0   send c 10", "wait", "recv c 10",
      "+0   shutdown c wr", "wait", "recv c 1 = 0")

/* ---- listening ---------------------------------------------------------------------------------------------------------------------- */

DRILL(loopback, listening_twice_changes_the_backlog,
      "socket l tcp", "bind l :80", "listen l 1", "listen l 9", "listen l 0",
      "getsockopt l ACCEPTCONN = 1", "send l 1 = EPIPE", "recv l 1 = ENOTCONN")

DRILL(loopback, listen_without_bind_takes_a_port,
      "socket l tcp", "listen l 1", "getsockopt l ACCEPTCONN = 1")

DRILL(loopback, the_listener_goes,
      "socket l tcp", "bind l :80", "listen l 5", "socket c tcp",
      "+0   connect c 127.0.0.1:80 = EINPROGRESS",
      "wait", "poll c = OUT",
      "close l", /* nobody accepted it: a reset */
      "wait", "recv c 1 = ECONNRESET")

DRILL(loopback, accepted_ones_outlive_their_listener,
      OPEN, "close l",
      "+0   send c 10", "wait", "recv s 10",
      "socket d tcp", "+0 connect d 127.0.0.1:80 = EINPROGRESS", "wait", "getsockopt d ERROR = ECONNREFUSED")

DRILL(loopback, gone_before_it_was_accepted,
      "socket l tcp", "bind l :80", "listen l 5", "socket c tcp",
      "+0   connect c 127.0.0.1:80 = EINPROGRESS",
      "wait",
      "+0   send c 10", "close c",
      "wait", "accept l s", "poll s = IN OUT RDHUP", "recv s 10", "recv s 1 = 0")

/* ---- closing ------------------------------------------------------------------------------------------------------------------------- */

DRILL(loopback, data_before_close_arrives,
      OPEN,
      "+0   send c 50000", "close c",
      "wait", "+1 wait", "recv s 50000", "recv s 1 = 0", "close s")

DRILL(loopback, linger_zero_resets,
      OPEN, "setsockopt c LINGER 0",
      "close c",
      "wait", "recv s 1 = ECONNRESET", "sockets = 2")

DRILL(loopback, time_wait_is_shown_and_ends,
      OPEN,
      "close c", "wait", "recv s 1 = 0", "close s", "wait", "sockets = 2",
      "+70  wait", "sockets = 1")

DRILL(loopback, time_wait_keeps_the_port_from_who_does_not_reuse,
      "socket l tcp", "bind l :80", "listen l 5", "socket c tcp", "+0 connect c 127.0.0.1:80 = EINPROGRESS", "wait", "accept l s", "wait",
      "close s", "wait", "recv c 1 = 0", "close c", "close l", "wait",
      "socket m tcp", "bind m :80 = EADDRINUSE",
      "+70  wait", "bind m :80", "listen m 1")

DRILL(loopback, time_wait_and_reuse,
      OPEN,
      "close s", "wait", "recv c 1 = 0", "close c", "close l", "wait", "sockets = 1",
      "socket m tcp", "setsockopt m REUSEADDR 1", "bind m :80", "listen m 1",
      "socket d tcp", "+0 connect d 127.0.0.1:80 = EINPROGRESS", "wait", "accept m t", "poll d = OUT")

/* ---- marks and windows ----------------------------------------------------------------------------------------------------------------- */

DRILL(loopback, low_water_mark,
      OPEN, "setsockopt s RCVLOWAT 10",
      "+0   send c 9", "wait", "poll s = OUT",
      "+0   send c 1", "wait", "poll s = IN OUT", "recv s 10")

DRILL(loopback, names_of_devices_do_not_matter_to_the_unbound,
      "socket l tcp", "setsockopt l BINDTODEVICE eth0", "bind l :80", "listen l 5", "socket c tcp",
      "+0   connect c 127.0.0.1:80 = EINPROGRESS",
      "wait", "getsockopt c ERROR = ECONNREFUSED")

DRILL(loopback, disconnect_and_again,
      OPEN,
      "connect c none", "wait", "poll s = IN OUT ERR HUP RDHUP",
      "+0   connect c 127.0.0.1:80 = EINPROGRESS",
      "wait", "accept l t", "+0 send c 4", "wait", "recv t 4")

/* ---- shards ------------------------------------------------------------------------------------------------------------------------------- */

/* A port that was chosen by name may belong to a flow that hashes to another shard: the segments find their socket all the same. */
DRILL(shards, a_bound_port_is_found_from_any_shard,
      "set shards 4",
      "socket a tcp cpu 0", "setsockopt a REUSEADDR 1", "bind a 192.0.2.1:1000",
      "+0   connect a 192.0.2.2:8000 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send a 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv a 5", "+0 setsockopt a LINGER 0", "+0 close a",
      "+0   > tcp R. 11 ack 6",
      "socket b tcp cpu 1", "setsockopt b REUSEADDR 1", "bind b 192.0.2.1:1001",
      "+0   connect b 192.0.2.2:8001 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send b 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv b 5", "+0 setsockopt b LINGER 0", "+0 close b",
      "+0   > tcp R. 11 ack 6",
      "socket c tcp cpu 2", "setsockopt c REUSEADDR 1", "bind c 192.0.2.1:1002",
      "+0   connect c 192.0.2.2:8002 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send c 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv c 5", "+0 setsockopt c LINGER 0", "+0 close c",
      "+0   > tcp R. 11 ack 6",
      "socket d tcp cpu 3", "setsockopt d REUSEADDR 1", "bind d 192.0.2.1:1003",
      "+0   connect d 192.0.2.2:8003 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send d 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv d 5", "+0 setsockopt d LINGER 0", "+0 close d",
      "+0   > tcp R. 11 ack 6",
      "socket e tcp cpu 0", "setsockopt e REUSEADDR 1", "bind e 192.0.2.1:1004",
      "+0   connect e 192.0.2.2:8004 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send e 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv e 5", "+0 setsockopt e LINGER 0", "+0 close e",
      "+0   > tcp R. 11 ack 6",
      "socket f tcp cpu 1", "setsockopt f REUSEADDR 1", "bind f 192.0.2.1:1005",
      "+0   connect f 192.0.2.2:8005 = EINPROGRESS",
      "+0   > tcp S 0 <mss 1460,...>",
      "+0   < tcp S. 0 ack 1 win 65535 <mss 1460>",
      "+0   > tcp . 1 ack 1",
      "+0   send f 10",
      "+0   > tcp P. 1:11(10) ack 1",
      "+0   < tcp P. 1:6(5) ack 11 win 65535",
      "+0   > tcp . 11 ack 6",
      "recv f 5", "+0 setsockopt f LINGER 0", "+0 close f",
      "+0   > tcp R. 11 ack 6")
