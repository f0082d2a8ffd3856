#!/bin/bash
# SPDX-License-Identifier: MIT
# backend.sh: what serves a TAP where the kernel or a sandbox does not offer all of io_uring, and that it says so: no io_uring at all, no memory that may be locked,
# a tun that does not take RWF_NOWAIT (Linux before 6.4, oldtun.c). Frames keep their order with each.
#
#   namespace h:  tap0 10.10.0.1/24  <-- TAP -->  eth0 10.10.0.2/24 (netstackd) eth1 10.11.0.2/24  <-- TAP -->  tap1 10.11.0.1/24
. "$(dirname "$0")/lib.sh"
need python3 curl setpriv prlimit
ns h
REAL=$NETSTACKD
NETSTACKD=$TMP/netstackd

# netstackd behind WORDS...
behind() { { echo '#!/bin/bash'; printf 'exec'; printf ' %q' "$@" "$REAL"; echo ' "$@"'; } >"$TMP/netstackd"; chmod 755 "$TMP/netstackd"; }

# runs a command with io_uring_setup (425 everywhere) refused, as container runtimes do
cat >"$TMP/deny.py" <<'PY'
import ctypes, os, struct, sys
op = lambda code, jt, jf, k: struct.pack("HBBI", code, jt, jf, k)
prog = op(0x20, 0, 0, 0) + op(0x15, 0, 1, 425) + op(0x06, 0, 0, 0x50000 | 1) + op(0x06, 0, 0, 0x7fff0000) # EPERM, else allowed
buf = ctypes.create_string_buffer(prog, len(prog))
fprog = struct.pack("HxxxxxxP", len(prog) // 8, ctypes.addressof(buf))
libc = ctypes.CDLL(None, use_errno=True)
for args in ((38, 1, 0, 0, 0), (22, 2, fprog, 0, 0)): # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
    if libc.prctl(*args):
        raise OSError(ctypes.get_errno(), "prctl")
os.execv(sys.argv[1], sys.argv[1:])
PY

# Numbered datagrams through the router, in bursts of all sizes so that the queue is found empty in every way there is; what arrives must be in order.
cat >"$TMP/order.py" <<'PY'
import random, select, socket, struct, sys
random.seed(1)
total, mac = 4000, bytes.fromhex("020000000002")
def checksum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return 0xffff ^ s
def frame(n):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, n & 0xffff, 0, 9, 17, 0, socket.inet_aton("10.10.0.1"), socket.inet_aton("10.11.0.9"))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return mac + bytes.fromhex("0200000000ee0800") + ip + struct.pack("!HHHHI", 5000, 5001, 12, 0, n) + bytes(14)
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); out.bind(("tap0", 0))
got = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)); got.bind(("tap1", 0))
got.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
seen, sent = [], 0
def collect(wait):
    while len(seen) < sent and select.select([got], [], [], wait)[0]:
        f = got.recv(2048)
        if f[30:34] == socket.inet_aton("10.11.0.9") and f[36:38] == b"\x13\x89":
            seen.append(struct.unpack("!I", f[42:46])[0])
while sent < total:
    for i in range(min(random.choice((1, 2, 3, 5, 8, 13, 30, 60, 90)), total - sent)):
        out.send(frame(sent)); sent += 1
    collect(0 if random.random() < 0.7 else 20) # go on at once, or when all have come
collect(20)
print(f"{len(seen)} of {total} arrived; the first that is out of order: {next((b for a, b in zip(seen, seen[1:]) if b <= a), None)}")
sys.exit(not (seen == sorted(set(seen)) and len(seen) == total))
PY

start() { # with backend auto; the queue holds all frames of order.py
	daemon h <<-CONF
		link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24 address 02:00:00:00:00:02 ring rx 4096
		link add eth1 type tap host-name tap1 host-addr 10.11.0.1/24
		link set eth0 up
		link set eth1 up
		addr add 10.10.0.2/24 dev eth0
		addr add 10.11.0.2/24 dev eth1
		neigh add 10.11.0.9 lladdr 02:00:00:00:00:99 dev eth1
		sysctl net.ipv4.ip_forward=1
		service add tcp 80 http
	CONF
	reach h 10.10.0.2 && reach h 10.11.0.2
}
rings() { nsctl -j show rings eth0 | python3 -c "import json,sys; print(*sorted({q['backend'] + ': ' + q.get('backend_note', '') for q in json.load(sys.stdin)[0]['rings']}), sep='\n')"; }
rings_are() { local got; got=$(rings); echo "$got"; [ "$got" = "$1" ]; }
fetch() { in_ns h curl -sSf -m 100 -o /dev/null -w '%{size_download}\n' "http://10.10.0.2/bytes/$1" | grep -qx "$1"; }
carries() {
	check "$1: every one of 4,000 frames arrives, in order" in_ns h timeout 200 python3 "$TMP/order.py"
	check "$1: TCP" fetch 4000000
}

FORBIDDEN="Operation not permitted (a sandbox, or kernel.io_uring_disabled)"
behind python3 "$TMP/deny.py"
echo "# io_uring is forbidden"; start
check "it goes by read and write, and says why" rings_are "read: no io_uring: $FORBIDDEN"
check "in words, too" bash -c "'$NSCTL' -s '$NETSTACKD_CONTROL' show rings | grep -qx 'eth0, worker 0: no io_uring: $FORBIDDEN'"
check "and with link show" bash -c "'$NSCTL' -s '$NETSTACKD_CONTROL' link show eth0 details | grep -q 'backend auto (read: no io_uring: $FORBIDDEN'"
check "no warning in the log: nobody has asked for it" bash -c "! grep -i warn '$TMP/daemon.log' && grep -q 'no io_uring here (Operation not permitted)' '$TMP/daemon.log'"
carries "read"
nsctl link set eth0 backend read
check "read because it was asked for: no reason to give" wait_for 5 rings_are "read: "
nsctl link set eth0 backend uring
check "backend uring says why it cannot be" wait_for 5 rings_are "read: no io_uring: $FORBIDDEN"
check_stop

behind prlimit --memlock=1048576 setpriv --bounding-set=-ipc_lock,-sys_resource
echo "# less may be locked than is to be registered"; start
if rings | grep -q '^uring'; then
	check "it goes by io_uring, and says what it is without" bash -c "$(declare -f rings nsctl); NSCTL='$NSCTL'; rings | grep -q '^uring: .*no registered memory: Cannot allocate memory (LimitMEMLOCK=, ulimit -l)\$'"
	carries "io_uring without registered memory"
else
	ok "# SKIP no io_uring here: $(rings)"
fi
check_stop

if ${CC:-cc} -shared -fPIC -O1 -o "$TMP/oldtun.so" "$SRC/tests/netns/oldtun.c" -ldl 2>"$TMP/cc.log"; then
	behind env LD_PRELOAD="$TMP/oldtun.so"
	check "a tun without RWF_NOWAIT: it starts" start
	if rings | grep -q '^uring'; then
		check "it goes by io_uring, and says so" rings_are "uring: the host's tun takes no RWF_NOWAIT (Linux 6.4 does)"
		carries "io_uring without RWF_NOWAIT"
		for b in read uring; do
			nsctl link set eth0 backend $b
			check "switched to $b" wait_for 5 bash -c "$(declare -f rings nsctl); NSCTL='$NSCTL'; rings | grep -q '^$b:'"
			carries "$b, switched"
		done
		check "busy-polling" nsctl link set eth0 busy-poll 50
		carries "busy-polling"
	else
		ok "# SKIP no io_uring here: $(rings)"
	fi
	check_stop
else
	ok "# SKIP no compiler for oldtun.c, or no liburing"
fi
plan_end
