#!/bin/bash
# SPDX-License-Identifier: MIT
# bulk.sh: a lot of bytes through TCP, each of them right.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd: http, echo, discard, chargen)
. "$(dirname "$0")/lib.sh"
need curl python3
SIZE=${SIZE:-104857600}
ns h
daemon h <<-CONF
	link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
	link set eth0 up
	addr add 10.10.0.2/24 dev eth0
	service add tcp 7 echo
	service add tcp 9 discard
	service add tcp 19 chargen
	service add tcp 80 http
CONF
python3 "$SRC/tests/netns/bytes.py" make "$SIZE" >"$TMP/want"
check "download $SIZE bytes" in_ns h curl -sSf -m 400 -o "$TMP/got" "http://10.10.0.2/bytes/$SIZE"
check "every byte is right" cmp "$TMP/want" "$TMP/got"
rm -f "$TMP/got"
check "upload $SIZE bytes" in_ns h curl -sSf -m 400 -H 'Expect:' -T "$TMP/want" -o "$TMP/answer" http://10.10.0.2/sink
check "the answer is the count and the CRC-32" test "$(cat "$TMP/answer" 2>/dev/null)" = "$(python3 "$SRC/tests/netns/bytes.py" crc "$TMP/want")"
check "echo $SIZE bytes both ways at once, byte-identical" in_ns h timeout 400 python3 "$SRC/tests/netns/bytes.py" echo 10.10.0.2 7 "$SIZE"
check "1,000 downloads, 50 at a time" in_ns h timeout 400 bash -c "
	for i in \$(seq 1000); do printf 'url = http://10.10.0.2/bytes/1000\noutput = $TMP/n/%d\n' \$i; done >$TMP/urls
	mkdir $TMP/n && curl -sSf -Z --parallel-max 50 --parallel-immediate -m 300 -K $TMP/urls"
check "each of the 1,000 is right" bash -c "test \$(cat $TMP/n/* | wc -c) = 1000000 && head -c 1000 $TMP/want >$TMP/k && for f in $TMP/n/*; do cmp \$f $TMP/k || exit 1; done"
check "1,000 processes of curl, 50 at a time" in_ns h timeout 400 bash -c "
	seq 1000 | xargs -P 50 -I{} curl -sSf -m 200 -o /dev/null -w '%{size_download}\n' http://10.10.0.2/bytes/5000 | sort | uniq -c | grep -qE '^ *1000 5000$'"
check "discard takes what it is given" in_ns h timeout 300 python3 - <<-'PY'
	import socket
	a = socket.create_connection(("10.10.0.2", 9), 60)
	for _ in range(100): a.sendall(b"d" * 100000)
	a.shutdown(socket.SHUT_WR); assert a.recv(10) == b""
PY
check "chargen sends the pattern until we hang up" in_ns h timeout 300 python3 - <<-'PY'
	import socket
	a = socket.create_connection(("10.10.0.2", 19), 60); d = b""
	while len(d) < 1000000: d += a.recv(65536)
	lines = d.split(b"\r\n")[:-1]; assert all(len(l) == 72 for l in lines) and len(set(lines)) == 95
PY
check "nothing is left of the connections but TIME-WAIT" wait_for 20 bash -c "NSCTL=$NSCTL; $(declare -f nsctl); ! nsctl show sockets | grep -E 'ESTAB|CLOSE-WAIT|LAST-ACK'"
check_stop
plan_end
