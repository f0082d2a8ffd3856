#!/bin/bash
# SPDX-License-Identifier: MIT
# flood.sh: frames of 64 bytes at the sender's full rate, to be forwarded; meanwhile commands are answered, timers go off, memory stays where it is, a TCP transfer on
# another device is completed, and afterwards what happened is explained. How fast all of this is, is bench/run's to say.
#
#   namespace r: the daemon; tap0 (flood, 10.1.0.9 to 10.2.0.9) -> eth0 -> eth1 -> tap1; tap2 10.8.0.1/24 -- eth2 10.8.0.2
. "$(dirname "$0")/lib.sh"
need ping python3 jq
FLOOD=$BUILD/bench/limit/flood
[ -x "$FLOOD" ] || bail "$FLOOD is not built"
ns r
daemon r <<-CONF
	link add eth0 type tap host-name tap0 address 02:00:00:00:00:02
	link add eth1 type tap host-name tap1 address 02:00:00:00:00:03
	link add eth2 type tap host-name tap2 host-addr 10.8.0.1/24 address 02:00:00:00:00:04
	link set eth0 up
	link set eth1 up
	link set eth2 up
	addr add 10.1.0.1/24 dev eth0
	addr add 10.2.0.1/24 dev eth1
	addr add 10.8.0.2/24 dev eth2
	neigh add 10.1.0.9 lladdr 02:00:00:00:00:ee dev eth0
	neigh add 10.2.0.9 lladdr 02:00:00:00:00:09 dev eth1
	sysctl net.ipv4.ip_forward=1
	service add tcp 80 http
	service add tcp 9 discard
CONF
rss() { awk '/^VmRSS:/{print $2}' "/proc/$DAEMON_PID/status"; }
counter() { nsctl -j show softnet | jq "[.[].$1] | add"; }
rx() { nsctl -j link show eth0 | jq '.[0].stats.rx.packets'; }
cat >"$TMP/transfer.py" <<'PY'
import hashlib, http.client, socket
# 3 MB out of the stack and 3 MB into it, every byte counted, while the flood lasts
c = http.client.HTTPConnection("10.8.0.2", 80, timeout=300)
c.request("GET", "/bytes/3000000")
got = c.getresponse().read()
assert len(got) == 3000000, len(got)
c.request("PUT", "/sink", body=bytes(3000000))
r = c.getresponse()
assert r.status in (200, 201, 204), r.status
r.read()
PY
check "before: a transfer" in_ns r python3 "$TMP/transfer.py"
before=$(rss) squeezed=$(counter time_squeeze) processed=$(counter processed)
bg_ns r "$FLOOD" tap0 64 800 02:00:00:00:00:02 10.1.0.9 10.2.0.9 -1 >/dev/null 2>&1
flood=$!
check "the flood arrives" bash -c "$(declare -f wait_for nsctl rx); NSCTL=$NSCTL; a=\$(rx); for i in \$(seq 500); do sleep 0.2; [ \$((\$(rx) - a)) -gt 5000 ] && exit 0; done; exit 1"
check "twenty commands that ask every worker are answered, each within half a minute" bash -c "for i in \$(seq 20); do timeout 30 $NSCTL show softnet >/dev/null || exit 1; done"
check "and twenty changes of the configuration" bash -c "for i in \$(seq 10); do timeout 30 $NSCTL route add 10.9.\$i.0/24 via 10.2.0.9 && timeout 30 $NSCTL route del 10.9.\$i.0/24 || exit 1; done"
check "a transfer on another device is completed" timeout 300 nsenter --net="/run/netns/$(nsname r)" python3 "$TMP/transfer.py"
in_ns r ip route add 10.2.0.99 via 10.8.0.2
check "timers go off: who does not answer ARP is given up, and the sender is told" bash -c "nsenter --net=/run/netns/$(nsname r) ping -c 1 -W 60 10.2.0.99 | grep -q 'From 10.8.0.2.*Host Unreachable'"
squeezed() { test "$(counter time_squeeze)" -gt "$squeezed"; }
check "rounds are cut (time_squeeze)" wait_for 10 squeezed
check "the flood is still there" kill -0 "$flood"
end_pid "$flood"
after=$(rss)
# Buffers that the flood filled may stay for a while: but no more than so many.
check "memory is bounded: $before kB before, $after kB after" test "$after" -lt $((before + 65536))
check "softnet counts what was processed" test $(($(counter processed) - processed)) -gt 5000
check "show softnet explain says what that means" bash -c "$NSCTL show softnet explain | grep -qi 'time_squeeze'"
check "show softnet names what the host dropped before, if anything" bash -c "[ \$('$NSCTL' -s '$NETSTACKD_CONTROL' -j link show eth0 | jq .[0].stats.rx.fifo_errors) = 0 ] || '$NSCTL' -s '$NETSTACKD_CONTROL' show softnet | grep -q \"^eth0: [0-9]* frames more\""
check "what came was forwarded or its drop has a name" wait_for 5 bash -c "
	$NSCTL -j link show | jq -e '(map(select(.name == \"eth0\"))[0].stats.rx | .packets + .dropped) as \$in | (map(select(.name == \"eth1\"))[0].stats.tx | .packets + .dropped + .errors) as \$out | \$in - \$out | . >= -20' >/dev/null || exit 1 # what asks for neighbours came from nowhere
	lost=\$($NSCTL -j link show | jq '(map(select(.name == \"eth0\"))[0].stats.rx.packets) - (map(select(.name == \"eth1\"))[0].stats.tx.packets)')
	named=\$($NSCTL -j show drops | jq '[.[].count] | add // 0'); echo \"lost \$lost named \$named\"; [ \"\$lost\" -le \"\$named\" ]"
check "afterwards: a transfer" in_ns r python3 "$TMP/transfer.py"
check_stop
plan_end
