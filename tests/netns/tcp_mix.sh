#!/bin/bash
# SPDX-License-Identifier: MIT
# tcp_mix.sh: 200 odd applications at once (tcp_mix.py) against the echo service, over a bad wire; then with tiny buffers on our side, too. At the end no
# connection may be left behind.
#
#   namespace c:  wire0 10.10.0.1/24 <-- relay --> wire1 -- bridge br0 -- tap0  namespace d  <-- TAP --> eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need python3
SEED=${SEED:-${NETSTACK_SEED:-1}}
CONNS=${CONNS:-200}
ns c
ns d
echo "# seed $SEED"
bad_wire c d --delay 3 --loss 1 --reorder 3 --dup 1 --seed "$SEED"
daemon d <<-CONF
	link add eth0 type tap host-name tap0
	link set eth0 up
	addr add 10.10.0.2/24 dev eth0
	service add tcp 7 echo
CONF
join d tap0 wire1
in_ns c ip addr add 10.10.0.1/24 dev wire0 && in_ns c ip link set wire0 up
wait_for 20 in_ns c ping -c 1 -W 1 10.10.0.2

mix() { in_ns c timeout 400 python3 "$SRC/tests/netns/tcp_mix.py" 10.10.0.2 7 "$CONNS" "$1" 300; }
# Nobody but those in TIME-WAIT, and those that have nothing to say and whose peer's only RST the wire has lost.
left() {
	nsctl show sockets >"$TMP/sockets" || return 1
	awk '$2 ~ /ESTAB|SYN|CLOS|LAST|FIN/ && !($2 == "ESTAB" && $3 == 0 && $4 == 0) { bad = 1; print } END { exit bad }' "$TMP/sockets"
}
none_left() { wait_for 20 left || { cat "$TMP/sockets"; return 1; }; }
check "$CONNS odd applications at once, every byte right (seed $SEED)" mix "$SEED"
check "nothing is left of them" none_left
check "tiny buffers on our side" nsctl sysctl net.ipv4.tcp_rmem="2304 4096 8192"
check "and for sending" nsctl sysctl net.ipv4.tcp_wmem="4608 4608 8192"
again() { nsctl service del tcp 7 && nsctl service add tcp 7 echo; }
check "the service begins again: a connection's buffers are those its listener was made with" again
check "$CONNS odd applications with tiny buffers at both ends (seed $((SEED + 1)))" mix $((SEED + 1))
check "nothing is left of them" none_left
check_stop
plan_end
