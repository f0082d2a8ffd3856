#!/bin/bash
# SPDX-License-Identifier: MIT
# device.sh: a TAP as a NIC, with both backends in turn: rings and what the host drops on them, MTU up to 65,520, offloads by feature while a transfer runs,
# coalescing, busy polling, pinning, a loop that serves everybody under a flood, a device that is taken away.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd);  tap1 10.11.0.1/24 -- eth1 10.11.0.2/24
#   namespace b:  tap2 10.12.0.1/24 -- eth2 10.12.0.2/24, whose MTU the daemon does not see
. "$(dirname "$0")/lib.sh"
need python3 curl ping awk
CPU=$(first_cpu)
ns h; ns b
python3 "$SRC/tests/netns/bytes.py" make 4000000 >"$TMP/want"
key() { nsctl -j link show eth0 | python3 -c "import json,sys; r=json.load(sys.stdin)[0]; print($1)"; } # KEY: an expression of r, the link's record
is() { local got; got=$(key "$1"); echo "$1 is $got"; [ "$got" = "$2" ]; }
at_least() { local got; got=$(key "$1"); echo "$1 is $got"; [ "$got" -ge "$2" ]; }
fetch() { in_ns h curl -sSf -m 300 -o /dev/null -w '%{size_download}\n' "http://10.10.0.2/bytes/$1" | grep -qx "$1"; }
send() { in_ns h curl -sSf -m 300 -o /dev/null -T "$TMP/want" http://10.10.0.2/sink; }
host_has() { in_ns h ip link show "$1" | grep -q "$2"; } # DEV TEXT
set_mtu() { # of both devices, and at both ends: the host's follows
	nsctl link set eth0 mtu "$1" && nsctl link set eth1 mtu "$1" && wait_for 5 host_has tap0 "mtu $1" && wait_for 5 host_has tap1 "mtu $1"
}
both_ways() { fetch 4000000 && send; }

# frames of 60 bytes to the daemon's address, COUNT of them, as fast as they can be made
cat >"$TMP/frames.py" <<'PY'
import socket, sys
dev, count, mac = sys.argv[1], int(sys.argv[2]), (sys.argv + ["02:00:00:00:00:02"])[3]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((dev, 0))
s.setsockopt(263, 20, 1) # SOL_PACKET, PACKET_QDISC_BYPASS
frame = bytes.fromhex(mac.replace(":", "") + "0200000000ee" "88b5") + bytes(46)
done = 0
while done < count:
    try:
        s.send(frame)
        done += 1
    except OSError: # the queue is full: that is the point
        done += 1
PY
# for SECONDS
cat >"$TMP/flood.py" <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
frame = bytes.fromhex("020000000002" "0200000000ee" "88b5") + bytes(46)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    for i in range(100):
        try:
            s.send(frame)
        except OSError:
            pass
PY

with_backend() {
	local b=$1
	BACKEND=$b daemon h <<-CONF
		link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24 address 02:00:00:00:00:02 ring rx 256 tx 64
		link add eth1 type tap host-name tap1 host-addr 10.11.0.1/24 offload off
		link add eth2 type tap host-name tap2 offload off
		link add eth3 type tap host-name tap3 host-addr 10.13.0.1/24 vnet-hdr off
		link set eth0 up
		link set eth1 up
		link set eth2 up
		link set eth3 up
		addr add 10.10.0.2/24 dev eth0
		addr add 10.11.0.2/24 dev eth1
		addr add 10.12.0.2/24 dev eth2
		addr add 10.13.0.2/24 dev eth3
		service add tcp 80 http
		service add udp 7 echo
	CONF
	if [ "$b" = uring ] && grep -q "no io_uring" "$TMP/daemon.log"; then
		ok "$b: # SKIP this kernel or sandbox offers no io_uring: $(grep -o 'no io_uring.*' "$TMP/daemon.log" | head -n 1)"
	else
		check "$b: is the backend of every worker" is '",".join(sorted({q["backend"] for q in r["rings"]}))' "$b"
	fi
	check "$b: ping" lossless h -c 20 -i 0.01 10.10.0.2
	check "$b: the host's queue has the size of the ring" wait_for 5 bash -c "nsenter --net=/run/netns/$(nsname h) ip link show tap0 | grep -q 'qlen 256'"
	check "$b: 4 MB each way" both_ways
	check "$b: 4 MB each way without offloads" bash -c "$(declare -f in_ns nsname); TAG=$TAG; in_ns h curl -sSf -m 300 -o /dev/null http://10.11.0.2/bytes/4000000 && in_ns h curl -sSf -m 300 -o /dev/null -T $TMP/want http://10.11.0.2/sink"
	check "$b: 4 MB each way without vnet headers" bash -c "$(declare -f in_ns nsname); TAG=$TAG; in_ns h curl -sSf -m 300 -o /dev/null http://10.13.0.2/bytes/4000000 && in_ns h curl -sSf -m 300 -o /dev/null -T $TMP/want http://10.13.0.2/sink"
	check "$b: the host says so" bash -c "nsenter --net=/run/netns/$(nsname h) ip -d link show tap3 | grep -q 'vnet_hdr off' && nsenter --net=/run/netns/$(nsname h) ip -d link show tap0 | grep -q 'vnet_hdr on'"
	check "$b: and it can have no offloads" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl link set eth3 offload on && nsctl show features eth3 | grep -q 'tx-tcp-segmentation: off .fixed.' && nsctl show features eth3 | grep -q 'rx-checksumming: off .fixed.' && nsctl link show eth3 details | grep -q 'vnet-hdr off' && nsctl save | grep -q 'host-name tap3.* vnet-hdr off'"
	refuse "$b: nor does a link lose its headers later" nsctl link set eth0 vnet-hdr off

	# offloads come and go while a transfer runs
	( while fetch 5000000; do :; done ) 2>/dev/null & local loop=$!
	PIDS+=("$loop")
	local f bad=0
	for f in "tso off" "rx-gro-hw off" "rx off" "tx off" "tx on tso on" "gro off" "rx on" "rx-gro-hw on gro on" off on; do
		nsctl link set eth0 offload $f || bad=1
		fetch 1000000 || bad=1
	done
	check "$b: each feature is switched while transfers run" test $bad = 0
	kill "$loop" 2>/dev/null; wait "$loop" 2>/dev/null
	check "$b: all features are on again" is 'all(f["active"] for n, f in r["device"]["features"].items() if n not in ("rx-udp-gro-forwarding", "rx-filter") and not f["fixed"])' True

	# MTU 65,520: one frame a ping
	for mtu in 9000 65520; do
		set_mtu $mtu
		for dev in 10.10.0.2 10.11.0.2; do
			check "$b: MTU $mtu, unfragmented, $dev" each_alone h 5 -M do -s $((mtu - 28)) $dev
		done
	done
	check "$b: ping -s 65000 at MTU 65520" each_alone h 20 -s 65000 10.10.0.2
	check "$b: 4 MB each way at MTU 65520" both_ways
	set_mtu 1500
	in_ns h ip link set tap2 netns "$(nsname b)"; in_ns b ip addr add 10.12.0.1/24 dev tap2; in_ns b ip link set tap2 up mtu 9000
	reach b 10.12.0.2 # a second may pass before the carrier is back
	in_ns b ping -q -M do -s 8000 -c 3 -i 0.05 -W 1 10.12.0.2 >/dev/null
	check "$b: a frame that is longer than the MTU lets it be is dropped by name" wait_for 5 bash -c "'$NSCTL' -s '$NETSTACKD_CONTROL' show drops | grep -qE '[1-9][0-9]* +dev_too_long'"
	check "$b: and others pass" lossless b -c 5 -i 0.02 10.12.0.2

	# what the host could not put on the queue: the daemon stands still while more come than the ring holds
	nsctl link set eth0 ring rx 64
	wait_for 5 host_has tap0 'qlen 64'
	local missed=$(key 'r["stats"]["rx"]["missed"]')
	freeze; in_ns h python3 "$TMP/frames.py" tap0 5000; kill -CONT "$DAEMON_PID"
	check "$b: what the host dropped on the queue was missed" wait_for 10 at_least 'r["stats"]["rx"]["missed"]' $((missed + 4800))
	check "$b: and shows as fifo errors too" at_least 'r["stats"]["rx"]["fifo_errors"]' 4800
	check "$b: link show -s -s has the columns" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl link show -s -s eth0 | grep -qE 'RX errors: +length +crc +frame +fifo +overrun'"
	check "$b: the ring was found full at least once" at_least 'max(q["rx_peak"] for q in r["rings"])' 32
	queue_of() { in_ns h ip link show "$1" | sed -n 's/.* qlen //p'; }
	host_queue() { [ "$(queue_of tap0)" = "$1" ]; }
	check "$b: ring rx 1000 is the host's queue" eval 'nsctl link set eth0 ring rx 1000 && wait_for 5 host_queue 1000'
	check "$b: ring rx default gives it the length that other TAPs have" eval 'nsctl link set eth0 ring rx default && wait_for 5 host_queue "$(queue_of tap1)"'
	nsctl link set eth0 ring rx 1000
	wait_for 5 host_has tap0 'qlen 1000'
	cp "$TMP/netstackd.conf" "$TMP/first.conf"; sed -i 's/ ring rx 256//' "$TMP/netstackd.conf"
	check "$b: so does a reload without it" eval 'nsctl reload && wait_for 5 host_queue "$(queue_of tap1)"'
	cp "$TMP/first.conf" "$TMP/netstackd.conf"
	check "$b: and one with it sets it" eval 'nsctl reload && wait_for 5 host_queue 256'

	# the address filter
	strange() { in_ns h python3 "$TMP/frames.py" tap0 200 02:00:00:00:00:77; }
	seen() { nsctl -j show drops | python3 -c 'import json,sys; print(sum(r["count"] for r in json.load(sys.stdin) if r["reason"] == "otherhost"))'; }
	settled() { local a; a=$(seen); in_ns h ping -q -c 1 -W 60 10.10.0.2 && [ "$(seen)" = "$a" ]; } # what came before the ping has been counted
	more_than() { [ "$(seen)" -gt "$1" ]; }
	strange
	check "$b: frames for another station are dropped by name" wait_for 5 bash -c "[ \$('$NSCTL' -s '$NETSTACKD_CONTROL' -j show drops | python3 -c 'import json,sys; print(sum(r[\"count\"] for r in json.load(sys.stdin) if r[\"reason\"] == \"otherhost\"))') -ge 150 ]"
	nsctl link set eth0 offload rx-filter on
	local n1 n2; wait_for 10 settled; n1=$(seen); strange; wait_for 10 settled; n2=$(seen)
	check "$b: with the filter the host keeps them back: $n1, $n2" test "$n1" = "$n2"
	check "$b: and what is for us comes" lossless h -c 5 -i 0.02 10.10.0.2
	nsctl link set eth0 promisc on
	sees_all() { strange; more_than "$n2"; }
	check "$b: a promiscuous device sees all again" wait_for 10 sees_all
	nsctl link set eth0 promisc off offload rx-filter off

	# interrupt moderation and busy polling: everything works, and is set and shown
	check "$b: coalescing" nsctl link set eth0 rx-usecs 200 rx-frames 16
	check "$b: 4 MB each way with it" both_ways
	check "$b: pings with it" lossless h -c 50 -i 0.002 10.10.0.2
	check "$b: adaptive" nsctl link set eth0 adaptive-rx on rx-usecs 0 rx-frames 0
	check "$b: 4 MB each way with it" both_ways
	check "$b: busy polling" nsctl link set eth0 adaptive-rx off busy-poll 100
	check "$b: 4 MB each way with it" both_ways
	check "$b: pings with it" lossless h -c 50 -i 0.002 10.10.0.2
	nsctl link set eth0 busy-poll 0
	nsctl link set eth0 irq-affinity "$CPU"
	check "$b: the workers are pinned" wait_for 5 bash -c "grep -h Cpus_allowed_list /proc/$DAEMON_PID/task/*/status | sort | uniq -c; n=0; for t in /proc/$DAEMON_PID/task/*; do grep -q worker/0 \$t/comm && grep -qE '^Cpus_allowed_list:.$CPU\$' \$t/status && n=1; done; [ \$n = 1 ]"
	warns() { nsctl "${@:2}" 2>&1 | tee "$TMP/warned"; grep -q "nsctl: warning: .*$1" "$TMP/warned"; }
	local cpus; cpus=$(getconf _NPROCESSORS_CONF)
	if [ "$cpus" -lt 256 ]; then
		check "$b: a CPU that is not there is said to have no effect" warns 'irq-affinity 255 has no effect' link set eth0 irq-affinity 255
		check "$b: and no worker stays pinned" wait_for 5 bash -c "[ \$(grep -h Cpus_allowed_list /proc/$DAEMON_PID/task/*/status | sort -u | wc -l) = 1 ]"
	fi
	check "$b: workers that are not there are said to be left out" warns 'rps-cpus 8000000000000000 counts as 0' link set eth0 rps-cpus 8000000000000000
	nsctl link set eth0 irq-affinity all rps-cpus auto
	check "$b: save and reload keep it all" bash -c "NSCTL=$NSCTL; $(declare -f nsctl); nsctl link set eth0 copybreak 256 offload tso4 off && nsctl save >$TMP/netstackd.conf && nsctl save >$TMP/one && nsctl reload && nsctl save | cmp - $TMP/one && grep 'copybreak 256' $TMP/one"
	nsctl link set eth0 offload tso on

	# the smallest budget: there is always work left over, and everybody else is served all the same
	nsctl sysctl net.core.netdev_budget=1 >/dev/null
	bg_ns h python3 "$TMP/flood.py" tap0 300; local flood=$!
	local answered=0 i
	for i in 1 2 3 4 5 6 7 8; do nsctl show softnet >/dev/null && answered=$((answered + 1)); done
	check "$b: commands are answered under a flood" test $answered = 8
	check "$b: pings on the other device are answered under a flood" lossless h -c 10 -i 0.05 10.11.0.2
	check "$b: a connection on the other device, timers and all" in_ns h curl -sSf -m 200 -o /dev/null http://10.11.0.2/bytes/100000
	check "$b: turns are cut and go on" wait_for 10 bash -c "'$NSCTL' -s '$NETSTACKD_CONTROL' -j show softnet | python3 -c 'import json,sys; exit(not any(r[\"deferred\"] for r in json.load(sys.stdin)))'"
	end_pid "$flood"
	nsctl sysctl net.core.netdev_budget=300 >/dev/null

	# taken away under the daemon
	in_ns h ip link del tap1
	check "$b: a TAP that is deleted on the host has no carrier" wait_for 10 bash -c "'$NSCTL' -s '$NETSTACKD_CONTROL' link show eth1 | grep -q NO-CARRIER"
	check "$b: the other goes on" lossless h -c 5 -i 0.02 10.10.0.2
	check_stop
	: >"$TMP/daemon.log"
}
with_backend read
with_backend uring
plan_end
