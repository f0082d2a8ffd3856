#!/bin/bash
# SPDX-License-Identifier: MIT
# smoke.sh: the daemon around the stack: what it may do, what it costs when idle, reloads, links that come and go, who may control it, how it ends.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd)
. "$(dirname "$0")/lib.sh"
need ping python3 setpriv
ns h
chmod 755 "$TMP"
CONF="link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
link set eth0 up
addr add 10.10.0.2/24 dev eth0
service add tcp 7 echo"
daemon h <<<"$CONF"
NS="NSCTL=$NSCTL; NETSTACKD_CONTROL=$NETSTACKD_CONTROL; $(declare -f nsctl)"
H=$(nsname h)
helper() { pgrep -P "$DAEMON_PID"; }
field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }
check "ping" lossless h -c 3 -i 0.05 10.10.0.2

# ---- privileges and costs
check "the daemon has no capability" test "$(field "$DAEMON_PID" CapEff)$(field "$DAEMON_PID" CapPrm)" = 00000000000000000000000000000000
check "nor has any of its threads" test "$(grep -h '^Cap\(Inh\|Prm\|Eff\|Amb\)' /proc/"$DAEMON_PID"/task/*/status | awk '{ print $2 }' | sort -u)" = 0000000000000000
check "it is not root" test "$(field "$DAEMON_PID" Uid)" != 0
check "it can gain nothing by exec" test "$(field "$DAEMON_PID" NoNewPrivs)" = 1
[ -n "${INSTRUMENTED:-}" ] || check "every thread has a system-call filter" bash -c "! grep -L 'Seccomp:.*2' /proc/$DAEMON_PID/task/*/status | grep ."
check "the helper has CAP_NET_ADMIN and nothing else" test "$(field "$(helper)" CapEff)" = 0000000000001000
switches() { cat /proc/"$1"/task/*/status /proc/"$(helper)"/status | awk '/^voluntary_ctxt/ { n += $2 } END { print n }'; }
# five seconds of quiet: neighbours' timers and what a busy machine has kept late come to their end
quiet() { local a b; a=$(switches "$DAEMON_PID"); sleep 5; b=$(switches "$DAEMON_PID"); echo "$((b - a)) wake-ups in 5 seconds"; [ $((b - a)) -le $((5 * WORKERS)) ]; }
sleep 3
[ -n "${INSTRUMENTED:-}" ] || check "idle: at most $((5 * WORKERS)) wake-ups in 5 seconds" wait_for 10 quiet
RSS=$(field "$DAEMON_PID" VmRSS)
if [ "$WORKERS" -eq 1 ] && [ -z "${INSTRUMENTED:-}" ]; then check "idle: $RSS kB resident" test "$RSS" -le 10240; fi
sed -n 's/.*ready in/# ready in/p' "$TMP/daemon.log"

# ---- reloads, and a connection that lives through them
cat >"$TMP/talk.py" <<'PY'
import socket, sys, time
a = socket.create_connection(("10.10.0.2", 7), 60); a.settimeout(100); i = 0
while True:
    m = b"%d\n" % i; a.sendall(m); d = b""
    while len(d) < len(m):
        x = a.recv(100); assert x; d += x
    assert d == m; i += 1; time.sleep(0.02)
    print(i, flush=True)
PY
bg_ns h python3 "$TMP/talk.py" >"$TMP/talk" 2>&1; TALK=$!
wait_for 5 test -s "$TMP/talk"
said() { grep -c "^[0-9]*$" "$TMP/talk"; }
further() { [ "$(said)" -gt "$1" ]; }
talking() { wait_for 10 further $(($(said) + 10)) || { tail -n 5 "$TMP/talk"; return 1; }; }
check "a connection is there" talking
printf '%s\n' "$CONF" "addr add 10.10.1.2/24 dev eth0" "route add 10.20.0.0/16 via 10.10.0.7" "service add udp 7 echo" "sysctl net.ipv4.ip_forward=1" \
	"link add eth1 type tap host-name tap1 mtu 9000" "link set eth1 up" >"$TMP/netstackd.conf"
check "reload with more of everything" nsctl reload
check "the new link is there, with its MTU on both sides" bash -c "$NS; nsctl link show eth1 | grep -q 'mtu 9000' && nsenter --net=/run/netns/$H ip link show tap1 | grep -q 'mtu 9000'"
check "so are address, route, service and tunable" bash -c "$NS; nsctl addr show | grep -q 10.10.1.2/24 && nsctl route show | grep -q '10.20.0.0/16 via 10.10.0.7' &&
	nsctl save | grep -q 'service add udp 7 echo' && nsctl sysctl net.ipv4.ip_forward | grep -q 1"
check "route show with a destination shows that one only" bash -c "$NS; nsctl route show 10.20.0.0/16 | grep -q '^10.20.0.0/16 via 10.10.0.7' &&
	[ -z \"\$(nsctl route show 10.0.0.0/8; nsctl route show default)\" ]"
check "route flush wants to know which; connected routes stay" bash -c "$NS; ! nsctl route flush && nsctl route flush table main &&
	[ \"\$(nsctl route show | grep -c 'proto kernel')\" = 2 ] && ! nsctl route show | grep 10.20.0.0 && nsctl reload"
check "the connection lives" talking
nsctl save >"$TMP/netstackd.conf"
check "what save wrote can be loaded" nsctl reload
check "and is the same again" bash -c "$NS; nsctl save | cmp - '$TMP/netstackd.conf'"
printf '%s\n' "$CONF" >"$TMP/netstackd.conf"
kill -HUP "$DAEMON_PID"
check "SIGHUP with the first file takes all of it away again" wait_for 5 bash -c "$NS; s=\$(nsctl save) && ! grep -E 'eth1|10.20.0.0|udp|ip_forward' <<<\"\$s\""
check "its TAP, too" wait_for 5 bash -c "! nsenter --net=/run/netns/$H ip link show tap1"
echo "link add eth0 type tap host-name tap0 mtu 12" >>"$TMP/netstackd.conf"
refuse "a bad file is refused" nsctl reload
check "the connection still lives" talking
printf '%s\n' "$CONF" >"$TMP/netstackd.conf"

# ---- links by hand, long after the privileges are gone
check "link add" nsctl link add eth2 type tap host-name tap2 host-addr 10.12.0.1/24
check "link set, addr add" bash -c "$NS; nsctl link set eth2 up && nsctl addr add 10.12.0.2/24 dev eth2"
check "ping over the new link" reach h 10.12.0.2
nsctl link set eth2 down
check "link set down takes the host's carrier away" wait_for 5 bash -c "nsenter --net=/run/netns/$H ip link show tap2 | grep -q NO-CARRIER"
nsctl link set eth2 up
check "and up gives it back" wait_for 5 bash -c "nsenter --net=/run/netns/$H ip link show tap2 | grep -q LOWER_UP"
check "another MTU" nsctl link set eth2 mtu 1400
check "on both ends" wait_for 5 bash -c "nsenter --net=/run/netns/$H ip link show tap2 | grep -q 'mtu 1400'"
check "another name on the host, address and all" bash -c "$NS; nsctl link set eth2 host-name tap3 && nsenter --net=/run/netns/$H ip addr show tap3 | grep -q 10.12.0.1/24 && ! nsenter --net=/run/netns/$H ip link show tap2"
check "ping goes on" reach h 10.12.0.2
in_ns h ip link del tap3
check "a TAP deleted by the host: no carrier" wait_for 5 bash -c "$NS; nsctl link show eth2 | grep -q NO-CARRIER"
check "the others go on" talking
check "link del" nsctl link del eth2
check "a link with offloads" bash -c "$NS; nsctl link add eth4 type tap host-name tap4 host-addr 10.14.0.1/24 offload on && nsctl link set eth4 up && nsctl addr add 10.14.0.2/24 dev eth4"
check "frames of 64 KiB and partial checksums both ways: every byte is right" in_ns h timeout 300 python3 "$SRC/tests/netns/bytes.py" echo 10.14.0.2 7 20000000
check "datagrams over it, too" each_alone h 3 -s 9000 10.14.0.2
large() { nsctl -j link show eth4 | python3 -c 'import json, sys; s = json.load(sys.stdin)[0]["stats"]; sys.exit(s["rx"]["bytes"] < 3000 * s["rx"]["packets"] or s["tx"]["bytes"] < 3000 * s["tx"]["packets"])'; }
check "they were large" large
nsctl link del eth4
for q in 1 3; do
	check "a link with $q queues" bash -c "$NS; nsctl link add eth4 type tap host-name tap4 host-addr 10.14.0.1/24 queues $q && nsctl link set eth4 up && nsctl addr add 10.14.0.2/24 dev eth4"
	check "each of forty flows gets through, whatever its queue" in_ns h python3 - <<-'PY'
		import socket
		for i in range(40):
		    a = socket.create_connection(("10.14.0.2", 7), 60); a.settimeout(60); a.sendall(b"q"); assert a.recv(1) == b"q"; a.close()
	PY
	nsctl link del eth4
done
says() { local want=$1; shift; "$@" >"$TMP/says" 2>&1 && return 1; cat "$TMP/says"; grep -q "$want" "$TMP/says"; }
check "a name that is taken by another kind" says "not a TAP" nsctl link add eth3 type tap host-name lo
check "a name that cannot be" says "a name" nsctl link add eth3 type tap host-name 'a/b'
check "one end for two links" says "eth0" nsctl link add eth3 type tap host-name tap0
cat >"$TMP/hold.py" <<-'PY'
	import fcntl, os, struct, time
	f = os.open("/dev/net/tun", os.O_RDWR); fcntl.ioctl(f, 0x400454CA, struct.pack("16sH22x", b"tapbusy", 0x1102)); print("held", flush=True); time.sleep(600)
PY
bg_ns h python3 "$TMP/hold.py" >"$TMP/hold" 2>&1
wait_for 5 grep -q held "$TMP/hold"
check "a TAP that another program holds" says "in use" nsctl link add eth3 type tap host-name tapbusy
check "nothing is left of what was refused" bash -c "$NS; ! nsctl link show | grep eth3"

# ---- who and how many
"$NSCTL" monitor >"$TMP/monitor" 2>&1 & PIDS+=($!)
told() { nsctl addr add 10.10.8.2/24 dev eth0; nsctl addr del 10.10.8.2/24 dev eth0; grep -q 10.10.8.2 "$TMP/monitor"; }
wait_for 5 told # it listens now
nsctl addr add 10.10.9.2/24 dev eth0; nsctl route add 10.66.0.0/16 via 10.10.0.9; nsctl addr del 10.10.9.2/24 dev eth0
nsctl neigh add 10.10.0.66 lladdr 02:00:00:00:00:66 dev eth0; nsctl neigh del 10.10.0.66 dev eth0
check "monitor sees addresses and routes come and go" wait_for 5 bash -c "grep -q '10.10.9.2' '$TMP/monitor' && grep -q '10.66.0.0/16' '$TMP/monitor' && grep -qi 'deleted' '$TMP/monitor'"
check "and permanent neighbours, without a made-up MAC address" wait_for 5 bash -c "grep -q '^10.10.0.66 dev eth0 lladdr 02:00:00:00:00:66' '$TMP/monitor' &&
	grep -q '^Deleted 10.10.0.66 dev eth0 PERMANENT' '$TMP/monitor'"
nsctl link add ethm type tap host-name tapm; nsctl link set ethm up; nsctl addr add 10.67.0.2/24 dev ethm; nsctl route add 10.68.0.0/16 via 10.67.0.9; nsctl link set ethm down
check "monitor sees the routes that a link takes along when it goes down" wait_for 5 bash -c "grep -q 'Deleted 10.67.0.0/24 dev ethm' '$TMP/monitor' && grep -q 'Deleted 10.68.0.0/16' '$TMP/monitor'"
nsctl link set ethm up; in_ns h ip link del tapm
check "monitor sees that a device is gone" wait_for 5 grep -q 'ethm.*NO-CARRIER' "$TMP/monitor"
nsctl link del ethm
check "and what a removed link takes along" wait_for 5 grep -q 'Deleted inet 10.67.0.2/24' "$TMP/monitor"
refuse "a stranger is refused" setpriv --reuid=2 --regid=2 --clear-groups "$NSCTL" show version
check "forty clients at once, each with its answer" bash -c "$NS; for i in \$(seq 40); do nsctl show counters all >'$TMP/c'.\$i & done; wait; ! grep -L IpInReceives '$TMP'/c.* | grep ."
check "a second netstackd is told that the socket is taken" says "another netstackd" in_ns h "$NETSTACKD" -f -c /dev/null --control "$NETSTACKD_CONTROL"
check "so is one of another user, who may not even ask" says "perhaps by another netstackd: .*own --control" in_ns h setpriv --reuid=2 --regid=2 --clear-groups "$NETSTACKD" -f -c /dev/null --control "$NETSTACKD_CONTROL"
check "the user that it runs as may no more than a stranger" bash -c "chmod 666 '$NETSTACKD_CONTROL'; setpriv --reuid=$(field "$DAEMON_PID" Uid) --clear-groups '$NSCTL' show version 2>&1 | grep 'only root'; s=\$?; chmod 600 '$NETSTACKD_CONTROL'; exit \$s"
# A mount namespace of its own for a command that hides devices: nothing that is mounted in it may be seen outside. In a plain chroot "/" is no mount point, so that
# unshare cannot make all of it private; /dev and /run are then made so by themselves, or the command is not run. For "bash -c": it does not return.
apart() {
	if unshare -m true 2>/dev/null; then exec unshare -m -- "$@"; else
		exec unshare -m --propagation unchanged -- bash -c 'mount --make-rprivate /dev && { ! mountpoint -q /run || mount --make-rprivate /run; } && exec "$@"' bash "$@"
	fi
}
export -f apart
echo 'link add eth0 type tap host-name tap9' >"$TMP/9.conf"
check "without privileges, and it says what is missing" says "as root" in_ns h setpriv --reuid=2 --regid=2 --clear-groups --inh-caps=-all "$NETSTACKD" -f -c "$TMP/9.conf" --control /tmp/"$TAG".sock
# Whatever its user may lock: what a ring registers is not counted when root made it.
may_lock=$(( 0x$(field $$ CapEff) >> 14 & 1 ))
bg_ns h bash -c "ulimit -l 64; exec setpriv --bounding-set=-sys_resource '$NETSTACKD' -f -c '$TMP/9.conf' --control '$TMP/lock.sock'" >"$TMP/lock.log" 2>&1
if [ $may_lock -eq 1 ]; then
	check "with little memory to lock" wait_for 20 grep -q "ready in" "$TMP/lock.log"
	refuse "its rings have theirs all the same" grep -e "cannot register" -e "io_uring here (Cannot allocate" "$TMP/lock.log"
else
	ok "with little memory to lock: # SKIP there is no CAP_IPC_LOCK here"
fi
kill "${PIDS[-1]}"; wait_for 10 bash -c "! kill -0 ${PIDS[-1]}"
check "without /dev/net/tun, and it says what is missing" says "modprobe tun" in_ns h bash -c 'apart "$@"' bash bash -c "mount -t tmpfs none /dev/net && exec '$NETSTACKD' -f -c '$TMP/9.conf' --control /tmp/$TAG.sock"
in_ns h ip tuntap add dev tapu mode tap multi_queue vnet_hdr user 2
in_ns h ip addr add 10.15.0.1/24 dev tapu; in_ns h ip link set tapu up
printf '%s\n' "link add eth0 type tap host-name tapu host-addr 10.15.0.1/24" "link set eth0 up" "addr add 10.15.0.2/24 dev eth0" >"$TMP/u.conf"
bg_ns h bash -c 'apart "$@"' bash bash -c "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && mkdir -m 777 /dev/net/run &&
	exec setpriv --reuid=2 --regid=2 --clear-groups --inh-caps=-all '$NETSTACKD' -f -c '$TMP/u.conf' --control /dev/net/run/control" >"$TMP/u.log" 2>&1
check "without privileges, on a TAP that was made for that user" wait_for 5 in_ns h ping -q -c 1 -W 1 10.15.0.2
kill "${PIDS[-1]}"
check "a file that is not there" says "No such file" "$NETSTACKD" -f -c /nowhere.conf
printf 'link add eth0 type tap\ncontrol group nosuchgrp\n' >"$TMP/group.conf"
check "-n: a control group that is not there" says "group.conf:2:15: .*no group nosuchgrp" "$NETSTACKD" -n -c "$TMP/group.conf"
check "wrong words: status 2" bash -c "'$NETSTACKD' --workers 0; [ \$? -eq 2 ] && '$NETSTACKD' extra; [ \$? -eq 2 ]"
for f in "$TMP/netstackd.conf" "$SRC/conf/netstackd.conf" "$SRC"/conf/examples/*.conf; do check "-n: $(basename "$f") is good" "$NETSTACKD" -n -c "$f"; done

# ---- the end
kill "$TALK" 2>/dev/null
check "it ends with status 0 when told to" stop_daemon
check "its TAP and its socket are gone" wait_for 5 bash -c "! nsenter --net=/run/netns/$H ip link show tap0 && ! test -e '$NETSTACKD_CONTROL'"
printf '%s\ncontrol group daemon\n' "$CONF" >"$TMP/2.conf"
root_hears() {
	local status
	"$NSCTL" monitor link >"$TMP/hears" 2>&1 & PIDS+=($!)
	wait_for 20 bash -c "for m in 1301 1302; do '$NSCTL' link set eth0 mtu \$m; done; grep -q 'eth0.*mtu 130' '$TMP/hears'"; status=$?
	end_pid "${PIDS[-1]}" 1
	return $status
}
daemon h <"$TMP/2.conf"
check "with a control group, its members may" setpriv --reuid=2 --regid=1 --clear-groups "$NSCTL" link set eth0 mtu 1300
refuse "and others may not" setpriv --reuid=2 --regid=2 --clear-groups "$NSCTL" show version
# A member takes all the places that there are, by monitors, captures, answers that it does not read and memberships, until the script ends it.
cat >"$TMP/places.py" <<'PY'
import os, socket, struct, sys, time
os.setgroups([]); os.setgid(1); os.setuid(2)
keep = []
def ask(line): # False: turned away
    c = socket.socket(socket.AF_UNIX); c.settimeout(60); c.connect(sys.argv[1]); c.settimeout(1)
    try:
        c.sendall(line)
        if b"too many" in c.recv(1000, socket.MSG_PEEK): return False
    except OSError: pass
    keep.append(c)
    return True
for line in [b"capture\n"] * 16 + [b"show counters all\n" * 100] * 20: ask(line)
for _ in range(48):
    c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); c.sendall(b"monitor\n"); keep.append(c)
for _ in range(64):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[2]); c.send(struct.pack("=HHII", 16, 0, 0, 1)); keep.append(c)
while True: # who takes nothing of his answer for long loses his place
    if not ask(b"show counters all\n" * 100):
        print("taken", flush=True)
        time.sleep(0.1)
PY
# Root came before, and has not asked yet.
cat >"$TMP/early.py" <<'PY'
import os, socket, struct, sys, time
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
n = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); n.connect(sys.argv[2])
print("there", flush=True)
while not os.path.exists(sys.argv[3]): time.sleep(0.1)
for s, line in ((c, b"show version\n"), (n, struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0))): # RTM_GETLINK
    s.settimeout(60); s.sendall(line)
    if not s.recv(1000): sys.exit(1)
PY
python3 "$TMP/early.py" "$NETSTACKD_CONTROL" "${NETSTACKD_CONTROL%control}rtnetlink" "$TMP/go" >"$TMP/early" 2>&1 & EARLY=$!; PIDS+=("$EARLY")
wait_for 60 grep -q there "$TMP/early"
python3 "$TMP/places.py" "$NETSTACKD_CONTROL" "${NETSTACKD_CONTROL%control}rtnetlink" >"$TMP/places" 2>&1 & PIDS+=($!)
check "a member takes all places of both sockets" wait_for 60 grep -q taken "$TMP/places"
check "another member finds none" wait_for 60 bash -c "setpriv --reuid=2 --regid=1 --clear-groups '$NSCTL' show version 2>&1 | grep -q 'too many clients'"
touch "$TMP/go"
check "root keeps the places that he had" wait "$EARLY"
check "root is served all the same" bash -c "for i in 1 2 3; do '$NSCTL' show version || exit 1; done"
check "and hears of links" root_hears
end_pid "${PIDS[-1]}" 1
HELPER=$(helper)
kill -KILL "$DAEMON_PID"; wait "$DAEMON_PID" 2>/dev/null; DAEMON_PID=
check "killed: the helper takes the socket away and ends, the TAP is gone" wait_for 5 bash -c "! test -e '$NETSTACKD_CONTROL' && { ! kill -0 $HELPER || grep -q '^State:.Z' /proc/$HELPER/status; } && ! nsenter --net=/run/netns/$H ip link show tap0"
# A pipe for its output, as ssh makes one, and a syslog of this test's own: no journal is seen here.
cat >"$TMP/background.py" <<'PY'
import json, os, signal, socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); log.bind("/dev/log"); os.chmod("/dev/log", 0o666); log.settimeout(100)
nsctl, command = sys.argv[1], sys.argv[2:]
r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
sys.stdout.buffer.write(r.stdout); assert r.returncode == 0 and b"ready in" in r.stdout, r.returncode
pid = json.loads(subprocess.check_output([nsctl, "-j", "show", "version"]))[0]["pid"]
os.kill(pid, signal.SIGHUP)
while b"reloaded" not in log.recv(4096): pass
PY
check "in the background: it keeps no pipe of its caller open, and logs to syslog" in_ns h bash -c 'apart "$@"' bash bash -c "mount -t tmpfs -o mode=755 none /dev && mkdir /dev/net &&
	mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/net/tun c 10 200 && { [ ! -d /run/systemd ] || mount -t tmpfs none /run/systemd; } &&
	exec python3 '$TMP/background.py' '$NSCTL' '$NETSTACKD' -c '$TMP/2.conf' --control '$NETSTACKD_CONTROL' --workers '$WORKERS'"
DAEMON_PID=$("$NSCTL" -j show version | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')
nulls() { local p f; for p in "$DAEMON_PID" "$(helper)"; do for f in 0 1 2; do [ "$(stat -L -c %t:%T "/proc/$p/fd/$f")" = 1:3 ] || return 1; done; done; }
check "neither it nor its helper has anything but /dev/null" nulls
check "and it answers" reach h 10.10.0.2
kill "$DAEMON_PID"
check "it ends" wait_for 5 gone "$DAEMON_PID"
DAEMON_PID=
plan_end
