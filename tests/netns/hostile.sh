#!/bin/bash
# SPDX-License-Identifier: MIT
# hostile.sh: bad input of every kind, on the wire, at the control socket and in the configuration; afterwards everything still works.
#
#   namespace h:  tap0 10.10.0.1/16  <-- TAP -->  eth0 10.10.255.2/16 (netstackd)
. "$(dirname "$0")/lib.sh"
need python3 curl ping
SEED=${SEED:-${NETSTACK_SEED:-1}}
MAC=02:00:00:00:00:02
ns h
# A forged answer to a question that nobody asked is believed, as Linux believes it, until base_reachable_time has passed (up to 45 s by default):
# here 6 s at the most, then DELAY and three probes.
daemon h <<-CONF
	sysctl net.ipv4.neigh.default.base_reachable_time_ms=4000
	link add eth0 type tap host-name tap0 host-addr 10.10.0.1/16 address $MAC
	link set eth0 up
	addr add 10.10.255.2/16 dev eth0
	service add tcp 7 echo
	service add tcp 80 http
	service add udp 7 echo
CONF
hostile() { in_ns h timeout 500 python3 "$SRC/tests/netns/hostile.py" "$@"; }
rss() { awk '/VmRSS/ { print $2 }' "/proc/$DAEMON_PID/status"; }
well() { # after WHAT: everything still works
	# made-up ARP may have taught it a wrong address for us, as it would teach Linux; it must find out by itself (RFC 4861 7.3.3)
	check "after $1: the neighbour's address is right again" wait_for 40 in_ns h bash -c 'for i in 1 2 3 4 5 6 7 8; do ping -c 1 -W 1 10.10.255.2 || exit 1; done' # on every worker
	check "after $1: ping" lossless h -c 5 -i 0.05 10.10.255.2
	check "after $1: curl" in_ns h curl -sSf -m 200 -o /dev/null http://10.10.255.2/bytes/1000000
	check "after $1: nsctl" nsctl show version
}
well "the start"
echo "# seed $SEED"
check "malformed frames and 60,000 mutations" hostile frames tap0 $MAC 10.10.0.1 10.10.255.2 60000 "$SEED"
well "malformed frames"
check "drops have names" bash -c "[ \$('$NSCTL' show drops | wc -l) -ge 15 ]"
BEFORE=$(rss)
check "20,000 SYNs from as many addresses" hostile synflood tap0 $MAC 10.10 10.10.255.2 80 20000
well "a SYN flood"
check "20,000 ARP requests from made-up neighbours" hostile arpflood tap0 10.10.255.2 20000
well "an ARP flood"
check "the neighbour table stayed within its limit" bash -c "[ \$('$NSCTL' neigh show | wc -l) -le $((1100 * WORKERS)) ]"
AFTER=$(rss)
[ -n "${INSTRUMENTED:-}" ] || check "memory did not run away: $BEFORE kB before the floods, $AFTER kB after" test "$AFTER" -lt $((BEFORE + 60000))
HELD_BEFORE=$(rss)
check "1,000 connections that ask for much and read nothing" hostile hold 10.10.255.2 1000
gave_back() { [ "$(rss)" -lt $((HELD_BEFORE + 30000)) ]; }
[ -n "${INSTRUMENTED:-}" ] || check "the kernel gets the memory back once they are gone" wait_for 15 gave_back
well "readers that do not read"
check "monitors and silent clients do not shut nsctl out" hostile monitors "$NETSTACKD_CONTROL" "$NSCTL"
check "garbage, half requests and a gigabyte at the control socket" hostile control "$NETSTACKD_CONTROL"
well "bad clients"

status() { local want=$1 got; shift; "$@" >"$TMP/out" 2>&1; got=$?; cat "$TMP/out"; [ "$got" -eq "$want" ]; }
check "a wrong word: exit status 2" status 2 nsctl rouet add 10.0.0.0/8
check "and the nearest right one is named" bash -c "'$NSCTL' link sett eth0 up 2>&1 | grep -q set"
check "refused by the daemon: exit status 1" status 1 nsctl route del 10.77.0.0/16
check "no daemon: exit status 3" status 3 "$NSCTL" -s "$TMP/nobody" show version

SAVED=$(nsctl save)
{ cat "$TMP/netstackd.conf"; echo "addr add 10.20.0.1/24 dev eth0"; echo "route add 10.30.0.0/16 vja 10.10.0.9"; } >"$TMP/bad.conf"
check "-n refuses it with file:line:column" bash -c "'$NETSTACKD' -n -c '$TMP/bad.conf' 2>&1 | grep -E 'bad.conf:9:24:.*vja'"
cp "$TMP/netstackd.conf" "$TMP/good.conf"; cp "$TMP/bad.conf" "$TMP/netstackd.conf"
refuse "a reload of a bad file is refused" nsctl reload
check "and nothing of it was applied" test "$SAVED" = "$(nsctl save)"
refusals() { grep -c 'what runs goes on unchanged' "$TMP/daemon.log"; }
one_more() { [ "$(refusals)" -gt "$BEFORE" ]; }
BEFORE=$(refusals)
kill -HUP "$DAEMON_PID"
check "SIGHUP is refused, too" wait_for 5 one_more
check "and nothing of it was applied" test "$SAVED" = "$(nsctl save)"
well "a bad reload"
cp "$TMP/good.conf" "$TMP/netstackd.conf"; echo "addr add 10.20.0.1/24 dev eth0" >>"$TMP/netstackd.conf"
check "a good one is applied" nsctl reload
check "as a difference" wait_for 5 bash -c "'$NSCTL' addr show | grep -q 10.20.0.1/24"
check_stop
plan_end
