#!/bin/bash
# SPDX-License-Identifier: MIT
# churn.sh: links, namespaces, devices, captures and services come and go at random while traffic runs, the host does its own to its ends, and what is saved is read back;
# and some orders of events that went wrong once. SEED repeats a run, CHURN_SECONDS makes it longer.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd), which stays; tap1 ... tap4 come and go
. "$(dirname "$0")/lib.sh"
need python3 ping
SEED=${SEED:-${NETSTACK_SEED:-1}}
ns h
daemon h <<-CONF
	link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
	link add eth9 type tap host-name tap9
	link set eth0 up
	link set eth9 up
	addr add 10.10.0.2/24 dev eth0
	service add udp 7 echo
	service add tcp 9 discard
	netns add red
	-n red link add d0 type dummy
CONF
saved_matches() { nsctl save >"$TMP/saved" && grep -Eq "$1" "$TMP/saved"; }
cp "$TMP/netstackd.conf" "$TMP/first.conf"

# A service that cannot start, in the reload that removes a namespace: workers made the namespace anew when the service was withdrawn, and never ended.
{ grep -v red "$TMP/first.conf"; echo "addr del 127.0.0.1/8 dev lo"; echo "service add tcp 99 echo address 127.0.0.1"; } >"$TMP/netstackd.conf"
refuse "a reload that removes a namespace, with a service that cannot start, says so" nsctl reload
check "the namespace is gone, and another can be made in its place" nsctl netns add blue
check "the service is not there" bash -c "! '$NSCTL' service show | grep -q ' 99 '"
cp "$TMP/first.conf" "$TMP/netstackd.conf"
check "the first configuration is taken again" nsctl reload

swap() { # TAP TAP: the host gives two ends each other's names, between two looks of netstackd
	local pair
	freeze
	for pair in "$1:tapx" "$2:$1" "tapx:$2"; do
		in_ns h ip link set "${pair%:*}" down; in_ns h ip link set "${pair%:*}" name "${pair#*:}"; in_ns h ip link set "${pair#*:}" up
	done
	kill -CONT "$DAEMON_PID"
}
swap tap0 tap9
check "two host ends that have changed names are known by them" wait_for 20 saved_matches 'eth0 .*host-name tap9'
check "and each has its own MTU" bash -c "'$NSCTL' link set eth0 mtu 1400 && '$NSCTL' link set eth9 mtu 1300"
mtu_is() { in_ns h ip -o link show "$1" | grep -q " mtu $2 "; }
check "at the right end of the one" wait_for 5 mtu_is tap9 1400
check "and of the other" wait_for 5 mtu_is tap0 1300
swap tap0 tap9
check "and back" wait_for 20 saved_matches 'eth0 .*host-name tap0'
# And the same by a reload: the links are made anew, and their host ends lose what the other's had.
{ sed -e 's/host-name tap0 host-addr/host-name tap9 host-addr/; s/eth9 type tap host-name tap9/eth9 type tap host-name tap0/' "$TMP/first.conf"; } >"$TMP/netstackd.conf"
has_addr() { in_ns h ip -o -4 addr show "$1" | grep -q "10\.10\.0\.1/24"; }
check "a reload may exchange them, too" nsctl reload
check "the address on the host goes along" wait_for 5 has_addr tap9
refuse "and is not left where it was" has_addr tap0
check "and it works" reach h 10.10.0.2
cp "$TMP/first.conf" "$TMP/netstackd.conf"
check "and back" nsctl reload
strange=$(printf 't\033[1m9')
in_ns h ip link set tap9 down; in_ns h ip link set tap9 name "$strange"
check "a name with a control character is logged without it" wait_for 20 grep -q 'tap9 is called t?\[1m9 now' "$TMP/daemon.log"
check "and does not become the link's" saved_matches 'eth9 .*host-name tap9'
other=$(printf 'h\303\251')
in_ns h ip link set "$strange" name "$other"; in_ns h ip link set "$other" up
check "nor does one that a configuration cannot have" wait_for 20 grep -q 'is called h.* now' "$TMP/daemon.log"
check "and what is saved can be read" bash -c "'$NSCTL' save >'$TMP/a' && grep -q 'eth9 .*host-name tap9' '$TMP/a' && '$NETSTACKD' -n -c '$TMP/a'"
in_ns h ip link set "$other" down; in_ns h ip link set "$other" name tap9; in_ns h ip link set tap9 up

# At random. Every command may be refused; no daemon (3) or a wrong word (2) are failures of the test.
bg_ns h ping -q -f -w $((${CHURN_SECONDS:-6} + 1)) 10.10.0.2 >/dev/null 2>&1
in_ns h timeout 200 python3 "$SRC/tests/netns/churn.py" "$NSCTL" "$NETSTACKD_CONTROL" "$SEED" "${CHURN_SECONDS:-6}" "$TMP/netstackd.conf" >"$TMP/churn.out" 2>&1; status=$?
if [ $status -eq 0 ]; then ok "$(tail -n 1 "$TMP/churn.out")"; else not_ok "churn with seed $SEED: status $status"; tail -n 25 "$TMP/churn.out" | sed 's/^/# /'; fi
check "what is saved then is what a reload makes of it" bash -c "'$NSCTL' save >'$TMP/a' && cp '$TMP/a' '$TMP/netstackd.conf' && '$NSCTL' reload && '$NSCTL' save >'$TMP/b' && diff '$TMP/a' '$TMP/b'"
cp "$TMP/first.conf" "$TMP/netstackd.conf"
check "the first configuration is taken again" nsctl reload
pings() { in_ns h ping -c 1 -W 1 10.10.0.2; }
check "and the first link answers" wait_for 20 pings
check "nothing of the others is left" bash -c "[ \$('$NSCTL' -j link show | grep -o '\"ifindex\"' | wc -l) -eq 3 ]"
check_stop
plan_end
