#!/bin/bash
# SPDX-License-Identifier: MIT
# host.sh: netstackd as a host, seen by Linux's own tools.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need arping ping curl nmap
ns h
daemon h <<-CONF
	link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
	link set eth0 up
	addr add 10.10.0.2/24 dev eth0
	service add tcp 7 echo
	service add tcp 9 discard
	service add tcp 13 daytime
	service add tcp 80 http
	service add udp 7 echo
	service add udp 13 daytime
	service add udp 7777 echo
CONF

check "the first ping of all is answered: no first packet is lost" in_ns h ping -c 1 -W 60 10.10.0.2
check "arping is answered" wait_for 10 in_ns h arping -I tap0 -c 3 -w 20 10.10.0.2
check "duplicate address detection finds our address" in_ns h bash -c '! arping -D -I tap0 -c 2 -w 60 10.10.0.2'
check "ping -c 100 -i 0.01 loses nothing" lossless h -c 100 -i 0.01 10.10.0.2
check "ping -i 0 -c 20000 loses nothing" lossless h -i 0 -c 20000 10.10.0.2
check "ping -s 65000 loses nothing: fragments both ways" each_alone h 20 -s 65000 10.10.0.2
check "ping -s 65507, the largest there is" each_alone h 3 -s 65507 10.10.0.2
check "ping with record route is answered" in_ns h ping -q -c 2 -i 0.1 -W 60 -R 10.10.0.2
check "ping with timestamps is answered" in_ns h ping -q -c 2 -i 0.1 -W 60 -T tsandaddr 10.10.0.2
check "an address that is not ours is not answered" in_ns h bash -c '! ping -c 1 -W 1 10.10.0.3'
check "netstackd pings nobody away: the neighbour table knows the host" wait_for 5 bash -c "$(declare -f nsctl); NSCTL=$NSCTL; nsctl neigh show | grep -q '10\.10\.0\.1.*lladdr'"

claim() { # sends it; the log may take only one of some within a while
	grep -q '10\.10\.0\.2 is also claimed by 02:00:00:00:00:99' "$TMP/daemon.log" && return
	in_ns h python3 - <<-'PY'
		import socket
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("tap0", 0x0806))
		mac, us = bytes.fromhex("020000000099"), bytes([10, 10, 0, 2])
		s.send(b"\xff" * 6 + mac + b"\x08\x06" + b"\0\1\x08\0\6\4\0\1" + mac + us + bytes(6) + us)
	PY
	sleep 0.2
	return 1
}
check "another station's claim to our address is logged" wait_for 15 claim

ports=$(in_ns h timeout 600 nmap -sS -n -Pn -p- --min-rate 3000 --max-retries 10 --min-rtt-timeout 1s -oG - 10.10.0.2 2>"$TMP/nmap.err" | grep -oE '[0-9]+/open/tcp' | cut -d/ -f1 | sort -n | paste -sd,)
if [ "$ports" = 7,9,13,80 ]; then ok "nmap -sS -p- finds exactly the open ports"; else not_ok "nmap -sS -p- finds exactly the open ports: found '$ports'"; sed 's/^/# /' "$TMP/nmap.err" | tail -n 5; fi
check "UDP to a closed port gets port unreachable" in_ns h python3 - <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(("10.10.0.2", 9999))
	for i in range(30): # errors are limited in number
	    try: s.send(b"x"); s.recv(10); sys.exit("answered?")
	    except ConnectionRefusedError: sys.exit(0)
	    except socket.timeout: pass
	sys.exit("no error")
PY
check "UDP echo, all sizes up to the largest datagram" in_ns h python3 - <<-'PY'
	import os, socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60); s.connect(("10.10.0.2", 7))
	s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
	for n in [0, 1, 2, 3, 100, 1471, 1472, 1473, 2960, 9000, 30000, 65507]:
	    d = os.urandom(n); s.send(d); r = s.recv(70000); assert r == d, (n, len(r))
PY
check "no service answers the port of a service: two of them would never end" in_ns h python3 - <<-'PY'
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.bind(("10.10.0.1", 7777)); s.sendto(b"x", ("10.10.0.2", 7777))
	try: raise SystemExit(f"answered: {s.recv(10)}")
	except socket.timeout: pass
	t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.settimeout(60); t.sendto(b"x", ("10.10.0.2", 7777)); assert t.recv(10) == b"x"
PY
check "TCP to a closed port is refused" in_ns h python3 - <<-'PY'
	import socket
	try: socket.create_connection(("10.10.0.2", 81), 60); raise SystemExit("connected?")
	except ConnectionRefusedError: pass
PY
check "daytime over TCP and UDP" in_ns h python3 - <<-'PY'
	import socket
	a = socket.create_connection(("10.10.0.2", 13), 60); d = b""
	while (x := a.recv(100)): d += x
	u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(60); u.sendto(b"", ("10.10.0.2", 13)); e = u.recv(100)
	assert b"20" in d and b"20" in e and d.endswith(b"\n"), (d, e)
PY
check "half-close: what was sent before comes back after our FIN" in_ns h python3 - <<-'PY'
	import socket
	a = socket.create_connection(("10.10.0.2", 7), 60); a.sendall(b"z" * 100000); a.shutdown(socket.SHUT_WR); n = 0
	while (x := a.recv(65536)): n += len(x)
	assert n == 100000, n
PY
check "the status page" in_ns h curl -sSf -m 100 -o "$TMP/page" http://10.10.0.2/
check "metrics in Prometheus' text form" bash -c "nsenter --net=/run/netns/$(nsname h) curl -sSf -m 100 http://10.10.0.2/metrics | grep -q '^# TYPE '"
check "status.json is JSON" bash -c "nsenter --net=/run/netns/$(nsname h) curl -sSf -m 100 http://10.10.0.2/status.json | python3 -m json.tool"
check "show sockets lists the listeners" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl show sockets | grep -qE 'LISTEN.*:80'"
check "show counters NAME leaves out zeros unless all are asked for" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl show counters Tcp | grep -q TcpPassiveOpens && ! nsctl show counters Tcp | grep -qE ' 0\$' && nsctl show counters Tcp all | grep -qE ' 0\$'"
check "show drops names what died" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl show drops | grep -q no_socket"
check_stop
check "its TAP is gone with it" wait_for 5 bash -c "! nsenter --net=/run/netns/$(nsname h) ip link show tap0"
plan_end
