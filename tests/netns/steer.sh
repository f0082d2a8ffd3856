#!/bin/bash
# SPDX-License-Identifier: MIT
# steer.sh: which worker forwards a frame, and that a flow keeps its order while that changes: sixteen UDP flows through the router, numbered, with rps-cpus and tables
# of RSS changed under way. And what "show softnet" and "show runtime" tell of it.
#
#   namespace a: tap0 10.1.0.9 -- eth0 [netstackd in r] eth1 -- tap1 10.2.0.9: namespace b
. "$(dirname "$0")/lib.sh"
need python3 jq
ns r; ns a; ns b
daemon r <<-CONF
	link add eth0 type tap host-name tap0
	link add eth1 type tap host-name tap1
	link set eth0 up
	link set eth1 up
	addr add 10.1.0.1/24 dev eth0
	addr add 10.2.0.1/24 dev eth1
	sysctl net.ipv4.ip_forward=1
CONF
move r tap0 a 10.1.0.9/24 10.1.0.1
move r tap1 b 10.2.0.9/24 10.2.0.1
# The receiver counts in a file that the sender looks at: no more are under way than the queues hold, so that on a machine of any speed all of them come. A sender that
# sees nothing come for long takes what is under way for lost.
cat >"$TMP/flows.py" <<'PY'
import mmap, os, socket, struct, sys, time
role, run, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]  # run: what is late belongs to an earlier one
count = mmap.mmap(os.open(path, os.O_RDWR), 8)
if role == "recv":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    s.bind(("10.2.0.9", 5000))
    s.settimeout(60)
    last, n, disorder = {}, 0, 0
    print("ready", flush=True)
    try:
        while True:
            data, who = s.recvfrom(64)
            of, seq = struct.unpack("!QQ", data)
            if of != run:
                continue
            if seq == 0:
                break
            disorder += seq <= last.get(who, 0)
            last[who] = seq
            n += 1
            count[:] = struct.pack("=Q", n)
    except socket.timeout:
        pass
    print(n, disorder, len(last), flush=True)
else:
    flows = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
    for s in flows:
        s.connect(("10.2.0.9", 5000))
    limit, enough = int(sys.argv[4]), sys.argv[5]
    sent, seq, lost = 0, 0, 0

    def wait(most):
        global lost
        came, since = -1, time.monotonic()
        while True:
            n = struct.unpack("=Q", count[:])[0]
            if sent - lost - n <= most:
                return
            if n != came:
                came, since = n, time.monotonic()
            elif time.monotonic() - since > 20:
                lost = sent - n
                return
            time.sleep(0.0005)

    while sent < limit and not os.path.exists(enough):
        seq += 1
        for s in flows:
            for _ in range(4):
                s.send(struct.pack("!QQ", run, seq * 4 + _))
                sent += 1
        wait(256)
    wait(0)
    for _ in range(50):
        try:
            flows[0].send(struct.pack("!QQ", run, 0))
        except ConnectionRefusedError:  # the first of them has ended the receiver
            break
        time.sleep(0.1)
    print(sent, flush=True)
PY
field() { nsctl -j show softnet | jq "[.[].$1] | add"; }
cpu_field() { nsctl -j show softnet | jq ".[$2].$1"; }
# in_order: all that was sent came, nothing overtook, all flows were there
in_order() { local n d f; read -r n d f <<<"$got"; [ "$n" -eq "$sent" ] && [ "$d" = 0 ] && [ "$f" = 16 ]; }
# flows LIMIT CHANGES: so many datagrams, or until CHANGES has made the file "enough"; what the receiver says in $got (count, disorder, flows), what was sent in $sent
flows() {
	local r s
	RUN=$((RUN + 1))
	: >"$TMP/recv.out" # here: the "ready" of the run before is not this one's
	rm -f "$TMP/enough"; head -c 8 /dev/zero >"$TMP/count"
	in_ns b python3 "$TMP/flows.py" recv "$RUN" "$TMP/count" >"$TMP/recv.out" & r=$!; PIDS+=("$r")
	wait_for 10 grep -q ready "$TMP/recv.out"
	in_ns a python3 "$TMP/flows.py" send "$RUN" "$TMP/count" "$1" "$TMP/enough" >"$TMP/send.out" & s=$!; PIDS+=("$s")
	"$2"
	wait "$s"; wait "$r"
	read -r sent <"$TMP/send.out"; got=$(tail -n 1 "$TMP/recv.out")
}
RUN=0
nothing() { :; }
change() { # each of the changes four times, and for three seconds at least
	local i=0 end=$((SECONDS + 3)) words=("rps-cpus 1" "rps-cpus 2" "rps-cpus 3" "rps-cpus 0" "rps-cpus auto" "rps-cpus auto rss-indir 0,1" "rss-indir 1,0 rss-key $(printf '%02x' {17..56})" "rss-indir 1 rss-key default"
			 "rss-indir none rps-flow-cnt 1024" "rps-cpus 2" "rps-flow-cnt 0")
	while [ $i -lt $((4 * ${#words[@]})) ] || [ $SECONDS -lt $end ]; do
		# shellcheck disable=SC2086
		nsctl link set eth0 ${words[i++ % ${#words[@]}]} || { echo "not changed: ${words[--i]}"; break; }
	done
	changes=$i
	touch "$TMP/enough"
}
check "the way through is there" reach a 10.2.0.9
last=$((WORKERS - 1))
check "rps-cpus $((1 << last)): one worker is to forward all" nsctl link set eth0 rps-cpus "$((1 << last))"
before=$(cpu_field processed $last)
flows 3200 nothing
check "what was sent came, in order: $sent sent, $got" in_order
check "and that worker did it" test $(($(cpu_field processed "$last") - before)) -gt $((sent / 2))
check "rps-cpus 0: who receives a frame forwards it" nsctl link set eth0 rps-cpus 0
before=$(field steered)
flows 3200 nothing
check "what was sent came, in order: $sent sent, $got" in_order
check "and nothing was handed over" test $(($(field steered) - before)) -lt 50
changes=0
flows 100000000 change
read -r n disorder nflows <<<"$got"
check "no flow lost its order in $changes changes: $sent sent, $n came" test "$disorder" = 0 -a "$nflows" = 16 -a "$n" = "$sent" -a "$changes" -ge 44
check "link set eth0 up rps-cpus 3 rps-flow-cnt 256" nsctl link set eth0 up rps-cpus 3 rps-flow-cnt 256 rss-indir 0,1,1
check "show has it" bash -c "$NSCTL -s $NETSTACKD_CONTROL link show eth0 details | grep -q 'rps-cpus 3 rps-flow-cnt 256 rss-indir 0,1,1'"
check "save has it" bash -c "$NSCTL -s $NETSTACKD_CONTROL save | grep -q 'link set eth0.* rps-cpus 3 rps-flow-cnt 256 rss-indir 0,1,1'"
check "a reload of the file takes it back" bash -c "$NSCTL -s $NETSTACKD_CONTROL reload && $NSCTL -s $NETSTACKD_CONTROL -j link show eth0 | jq -e '.[0].rps_cpus == \"auto\" and (.[0] | has(\"rss_indir\") | not)'"
refuse "a mask that is none" nsctl link set eth0 rps-cpus xyz
check "show softnet proc: fifteen columns of eight digits for each worker" bash -c "
	$NSCTL -s $NETSTACKD_CONTROL show softnet --proc >$TMP/proc; [ \$(wc -l <$TMP/proc) = $WORKERS ] && ! grep -Evq '^([0-9a-f]{8} ){14}[0-9a-f]{8}\$' $TMP/proc"
check "no fewer than the host's own" test "$(awk '{print NF; exit}' /proc/net/softnet_stat)" -le "$(awk '{print NF; exit}' "$TMP/proc")"
check "show runtime says how to switch it on" bash -c "$NSCTL -s $NETSTACKD_CONTROL show runtime | grep -q runtime_stats=1"
check "runtime_stats on" nsctl sysctl net.core.runtime_stats=1
flows 3200 nothing
check "the same number came" in_order
# only some of the polls are looked at
stages() { flows 3200 nothing; bash -c "
	$NSCTL -s $NETSTACKD_CONTROL -j show runtime | jq -e '[.[] | select(.frames > 0 and .ns > 0) | .stage] as \$s | all(\"poll\", \"gro\", \"ip_rcv\", \"ip_forward\", \"xmit\"; IN(\$s[]))'"; }
check "show runtime has the stages of a forwarded frame" wait_for 10 stages
check_stop
plan_end
