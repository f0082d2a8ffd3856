#!/bin/bash
# SPDX-License-Identifier: MIT
# lossy.sh: TCP over a bad wire: 2 % loss, 5 % reordering, 1 % duplication, 20 ms delay each way.
#
#   namespace c:  wire0 10.10.0.1/24 <-- relay --> wire1 -- bridge br0 -- tap0  namespace d  <-- TAP --> eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need curl python3
SIZE=${SIZE:-10485760}
SEED=${SEED:-${NETSTACK_SEED:-1}}
ns c
ns d
echo "# relay seed $SEED"
bad_wire c d --delay 20 --loss 2 --reorder 5 --dup 1 --seed "$SEED"
daemon d <<-CONF
	link add eth0 type tap host-name tap0
	link set eth0 up
	addr add 10.10.0.2/24 dev eth0
	service add tcp 7 echo
	service add tcp 80 http
	service add tcp 19 chargen
CONF
join d tap0 wire1
in_ns c ip addr add 10.10.0.1/24 dev wire0 && in_ns c ip link set wire0 up
wait_for 20 in_ns c ping -c 1 -W 1 10.10.0.2

python3 "$SRC/tests/netns/bytes.py" make "$SIZE" >"$TMP/want"
check "download $SIZE bytes over the bad wire" in_ns c curl -sSf -m 500 -o "$TMP/got" "http://10.10.0.2/bytes/$SIZE"
check "every byte is right" cmp "$TMP/want" "$TMP/got"
check "upload $SIZE bytes over the bad wire" in_ns c curl -sSf -m 500 -H 'Expect:' -T "$TMP/want" -o "$TMP/answer" http://10.10.0.2/sink
check "the answer is the count and the CRC-32" test "$(cat "$TMP/answer" 2>/dev/null)" = "$(python3 "$SRC/tests/netns/bytes.py" crc "$TMP/want")"
check "echo both ways at once over the bad wire" in_ns c timeout 500 python3 "$SRC/tests/netns/bytes.py" echo 10.10.0.2 7 $((SIZE / 5))
cat >"$TMP/chargen.py" <<'PY'
import socket, sys
# RFC 864's lines, which segments refer to without a copy: split, lost and sent again they are the same
p = bytes(range(32, 127)) * 2
period = b"".join(p[i:i + 72] + b"\r\n" for i in range(95))
want = int(sys.argv[1]); s = socket.create_connection(("10.10.0.2", 19), 60); s.settimeout(200); got = 0
while got < want:
    d = s.recv(65536)
    at = got % len(period)
    if not d or d != (period * (len(d) // len(period) + 2))[at:at + len(d)]: sys.exit("wrong at byte %d" % got)
    got += len(d)
PY
check "chargen over the bad wire, every byte right" in_ns c timeout 500 python3 "$TMP/chargen.py" $((SIZE / 5))
check "fast retransmit was at work, not timeouts alone" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl show counters | grep -E 'TCPFastRetrans|TCPSackRecovery' | grep -vqE '[^0-9]0$'"
check_stop
kill "$RELAY_PID"; wait "$RELAY_PID" 2>/dev/null; sed -n '2,$s/^/# relay: /p' "$TMP/relay.log"
check "the wire really was bad" grep -qE 'lost [1-9][0-9]* reordered [1-9][0-9]* duplicated [1-9]' "$TMP/relay.log"
plan_end
