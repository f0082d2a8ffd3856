#!/bin/bash
# SPDX-License-Identifier: MIT
# idle.sh: what an idle netstackd costs: wake-ups of all threads over SPAN (20) seconds, with and without systemd's watchdog, resident memory, and how long it
# took to be ready. The figures are printed; only generous bounds are asserted, and none on speed.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need ping awk
SPAN=${SPAN:-20}
ns h
wakeups() { cat "/proc/$DAEMON_PID/task"/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'; }
measure() { # what, most wake-ups in SPAN with one worker
	local before after rss try
	in_ns h ping -q -c 2 -i 0.2 -W 60 10.10.0.2 >/dev/null # it has worked; the neighbour's timers then run out
	sleep 12
	for try in 1 2 3 4; do # a page that the machine has to fetch, or a neighbour's timer that it has kept late, is a wake-up, too
		before=$(wakeups); sleep "$SPAN"; after=$(wakeups)
		[ $((after - before)) -gt $(($2 * WORKERS)) ] || break
	done
	rss=$(awk '/VmRSS/ { print $2 }' "/proc/$DAEMON_PID/status")
	echo "# $1: $((after - before)) wake-ups in $SPAN s, $rss kB resident, $(sed -n 's/.*ready in \([0-9]* ms\).*/ready in \1/p' "$TMP/daemon.log" | tail -n 1), $WORKERS worker(s)"
	check "$1: at most one wake-up a second" test $((after - before)) -le $(($2 * WORKERS))
	check "$1: resident memory is moderate" test "$rss" -le $((10240 + 3072 * (WORKERS - 1)))
}
start() {
	daemon h <<-CONF
		link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
		link set eth0 up
		addr add 10.10.0.2/24 dev eth0
		service add tcp 80 http
		service add udp 7 echo
	CONF
}
start
measure "without a watchdog" "$SPAN"
check_stop
export WATCHDOG_USEC=10000000
start
measure "with a watchdog of 10 s" "$SPAN"
check_stop
plan_end
