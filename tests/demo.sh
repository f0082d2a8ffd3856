#!/bin/bash
# SPDX-License-Identifier: MIT
# demo.sh: shows the main job, in network namespaces of its own; nothing outside of them is touched.
. "$(dirname "$0")/netns/lib.sh"
need ping curl
if [ -t 1 ]; then B=$(tput bold 2>/dev/null) N=$(tput sgr0 2>/dev/null); else B='' N=''; fi
say() { printf '\n%s%s%s\n' "$B" "$*" "$N"; }
show() { # namespace command...: prints it as it would be typed, then what it answers
	local n=$1; shift
	printf '  %s$ %s\n' "$([ "$n" = - ] || printf '[%s] ' "$n")" "$*"
	if [ "$n" = - ]; then "$@"; else in_ns "$n" "$@"; fi 2>&1 | sed 's/^/      /'
	[ "${PIPESTATUS[0]}" -eq 0 ] || { FAILED=1; echo "      (this failed)"; }
}
ns left; ns right; ns router

say "1. A second network stack in an ordinary process"
cat <<-TEXT
	  netstackd is starting in a network namespace of its own. It opens two TAP devices; everything behind them (ARP, IP, ICMP,
	  UDP, TCP, routing) is done by netstackd, not by the kernel. This is its whole configuration:
TEXT
cat >"$TMP/demo.conf" <<-CONF
	link add eth0 type tap host-name tapleft
	link add eth1 type tap host-name tapright
	link set eth0 up
	link set eth1 up
	addr add 10.10.1.254/24 dev eth0
	addr add 10.10.2.254/24 dev eth1
	sysctl net.ipv4.ip_forward=1
	service add tcp 80 http
	service add tcp 7 echo
CONF
sed 's/^/      /' "$TMP/demo.conf"
daemon router <"$TMP/demo.conf"
for side in left:1 right:2; do
	i=${side#*:} n=${side%:*}
	in_ns router ip link set "tap$n" netns "$(nsname "$n")"
	in_ns "$n" ip addr add "10.10.$i.1/24" dev "tap$n"; in_ns "$n" ip link set "tap$n" up
	in_ns "$n" ip route add default via "10.10.$i.254"
done
cat <<-TEXT

	      namespace "left"                netstackd                 namespace "right"
	      tapleft 10.10.1.1  <-TAP->  eth0 10.10.1.254
	                                  eth1 10.10.2.254  <-TAP->  tapright 10.10.2.1
TEXT

say "2. ping and curl are answered by netstackd"
show left ping -c 3 -i 0.2 10.10.1.254
show left curl -sS -o /dev/null -w '%{http_code}, %{size_download} bytes in %{time_total} s\n' http://10.10.1.254/bytes/100000000
show left curl -sS -o /dev/null -w '%{http_code}: counters for Prometheus, %{size_download} bytes\n' http://10.10.1.254/metrics

say "3. nsctl shows what is going on inside"
in_ns left bash -c 'exec 3<>/dev/tcp/10.10.1.254/7 && printf hello >&3 && exec sleep 60' & PIDS+=($!)
wait_for 5 bash -c "$NSCTL show sockets | grep -q ESTAB" || FAILED=1
show - nsctl show sockets
show - nsctl neigh show
show - nsctl route show
show - nsctl route get 10.10.2.1

say "4. A router between two TAPs: from left to right and back"
show left ping -c 3 -i 0.2 10.10.2.1
command -v traceroute >/dev/null && show left traceroute -n -q 1 10.10.2.1

say "5. Every drop has a name: a wrong port, a network that is not there, forwarding switched off"
printf '  %s\n' "[left] \$ curl http://10.10.1.254:81/    (nobody listens)"; in_ns left curl -sS -m 2 http://10.10.1.254:81/ 2>&1 | sed 's/^/      /'
printf '  %s\n' "[left] \$ ping -c 1 10.99.0.1           (no route)"; in_ns left ping -c 1 -W 1 10.99.0.1 2>&1 | grep -i from | sed 's/^/      /'
show - nsctl sysctl net.ipv4.ip_forward=0
printf '  %s\n' "[left] \$ ping -c 1 10.10.2.1           (no forwarding now)"; in_ns left ping -c 1 -W 1 10.10.2.1 2>&1 | tail -n 2 | head -n 1 | sed 's/^/      /'
show - nsctl show drops

say "6. A wrong word gets a helpful answer"
printf '  $ nsctl route ad 10.0.0.0/8 vai 10.10.1.9\n'; nsctl route ad 10.0.0.0/8 vai 10.10.1.9 2>&1 | sed 's/^/      /'
printf '  $ nsctl link sett eth0 up\n'; nsctl link sett eth0 up 2>&1 | sed 's/^/      /'

stop_daemon || FAILED=1
say "Done: netstackd has ended, its TAPs and the three namespaces are gone."
[ "$FAILED" -eq 0 ]
