#!/bin/bash
# SPDX-License-Identifier: MIT
# end.sh: the end in the middle of everything: pages being made, monitors, transfers, changes on their way, a second signal. ROUNDS (12) of them; each must end
# with status 0 within seconds and leave no TAP, no process and no socket.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need curl
ROUNDS=${ROUNDS:-12}
ns h
bad=0 left=0
for ((round = 0; round < ROUNDS; round++)); do
	daemon h <<-CONF
		link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
		link set eth0 up
		addr add 10.10.0.2/24 dev eth0
		service add tcp 80 http
		service add tcp 7 echo
	CONF
	clients=()
	for page in status.json metrics / bytes/100000000; do
		bg_ns h bash -c "while curl -s -m 5 -o /dev/null http://10.10.0.2/$page; do :; done" >/dev/null 2>&1; clients+=($!)
	done
	nsctl monitor >/dev/null 2>&1 & clients+=($!)
	(while nsctl show sockets && nsctl sysctl net.ipv4.ip_forward=1 && nsctl neigh flush && nsctl reload; do :; done) >/dev/null 2>&1 & clients+=($!)
	in_ns h ping -q -c 1 -W 2 10.10.0.2 >/dev/null
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	pid=$DAEMON_PID DAEMON_PID=
	kill -TERM "$pid"
	[ $((round % 2)) = 0 ] || { sleep 0.0$((RANDOM % 5)); kill -TERM "$pid" 2>/dev/null; }
	wait_for 10 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	wait "$pid"; status=$?
	[ $status = 0 ] || { bad=$((bad + 1)); echo "# round $round: status $status"; }
	for c in "${clients[@]}"; do end_pid "$c" 3; done
	wait_for 5 bash -c "! nsenter --net=/run/netns/$(nsname h) ip link show tap0 && ! [ -e $NETSTACKD_CONTROL ]" || { left=$((left + 1)); echo "# round $round: something is left"; }
done
check "$ROUNDS ends in the middle of everything, each with status 0" test "$bad" = 0
check "nothing was left behind" test "$left" = 0
plan_end
