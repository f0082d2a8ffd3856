# SPDX-License-Identifier: MIT
# lib.sh: what the network namespace tests share. Source it; it gives:
#
#   ns NAME                  makes a namespace of this test's own; "$(nsname NAME)" is its real name
#   in_ns NAME CMD...        runs CMD in it
#   daemon NAME <<CONFIG     starts netstackd in namespace NAME with that configuration and waits until it answers
#   nsctl WORDS...           talks to it
#   ok TEXT / not_ok TEXT    one TAP line; check TEXT CMD... runs CMD and reports
#   plan_end                 prints the plan; the exit status says whether all passed
#   wait_for SECONDS CMD...  until CMD succeeds
#   reach NAME ADDRESS       until a ping is answered
#   lossless NAME ARGS...    ping with these arguments: each of the first -c N is answered, however late
#   each_alone NAME N ARGS...   N pings, each after the answer to the one before
#   move FROM TAP TO [ADDRESS/LEN [GATEWAY]]   the host end of a TAP goes to another namespace
#   bad_wire NAME PEER ARGS...   a relay between wire0 in one and wire1 in the other, with these arguments; its pid is in $RELAY_PID
#   join NAME DEV...         devices of a namespace on one bridge, br0
#   iperf3_between SERVER ADDRESS CLIENT ARGS...   one transfer between two namespaces
#
# A machine may stand still for seconds, or have another load: nothing here passes or fails by how long something takes. What is to come is waited for, with a bound
# so generous that only what never comes reaches it; frames are sent so that a queue of some hundred holds what comes while the daemon does not run.
#
# Everything that was made is removed at exit, also after a failure or a signal; only processes that were started here are ended, by
# pid. WORKERS (1) is handed to the daemon, BACKEND (none: auto) to every TAP of its configuration. BUILD is the build folder.
set -u
export LC_ALL=C
# The script itself runs in an empty network namespace, so that a command that missed its own namespace cannot reach the machine's links.
if [ -z "${IN_EMPTY_NET:-}" ] && [ "$(id -u)" -eq 0 ]; then
	export IN_EMPTY_NET=1
	exec unshare --net -- bash "$0" "$@"
fi
SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-${abs_top_builddir:-$SRC/build}}
NETSTACKD=${NETSTACKD:-$BUILD/netstackd}
NSCTL=${NSCTL:-$BUILD/nsctl}
WORKERS=${WORKERS:-1}
export PATIENCE=${PATIENCE:-6} # also for functions that are handed to another shell
TAG=$(printf 'nst%x%x' $$ "$((RANDOM))")
TMP=$(mktemp -d "${TMPDIR:-/tmp}/$TAG.XXXXXX")
TESTS=0 FAILED=0 PIDS=() SPACES=() DAEMON_PID=
export NETSTACKD_CONTROL=$TMP/control

nsname() { printf '%s-%s' "$TAG" "$1"; }
ns() {
	ip netns add "$(nsname "$1")" || bail "cannot make a network namespace (this test needs root)"
	SPACES+=("$(nsname "$1")")
	in_ns "$1" ip link set lo up
	# what a peer's own settings could hide
	in_ns "$1" sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
	:
}
# nsenter, not "ip netns exec": that one wants "/" to be a mount point, which it is not in a plain chroot
in_ns() { local n; n=$(nsname "$1"); shift; nsenter --net="/run/netns/$n" "$@"; }
# run in the background in a namespace; the pid is remembered and stands in $!
bg_ns() { local n; n=$(nsname "$1"); shift; nsenter --net="/run/netns/$n" "$@" & PIDS+=($!); }

end_pid() { # TERM, then KILL after at most $2 (default 5) seconds
	local pid=$1 i n=$((${2:-5} * 20))
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < n; i++)); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	return 0
}
cleanup() {
	local status=$? p s
	# a subshell that is ended right after its fork may still have our traps: what there is belongs to the main shell
	[ "$BASHPID" = $$ ] || exit "$status"
	trap - EXIT INT TERM HUP
	if [ -n "$DAEMON_PID" ]; then end_pid "$DAEMON_PID"; fi
	for p in "${PIDS[@]}"; do end_pid "$p" 1; done
	for s in "${SPACES[@]}"; do ip netns del "$s" 2>/dev/null; done
	if [ "$FAILED" -ne 0 ] && [ -s "$TMP/daemon.log" ]; then
		echo "# the daemon's log:"; tail -n 40 "$TMP/daemon.log" | sed 's/^/# /'
	fi
	rm -rf "$TMP"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

bail() { echo "Bail out! $*"; exit 99; }
ok() { TESTS=$((TESTS + 1)); echo "ok $TESTS - $*"; }
not_ok() { TESTS=$((TESTS + 1)); FAILED=$((FAILED + 1)); echo "not ok $TESTS - $*"; }
# check TEXT CMD...: passes when CMD exits 0; its output is shown when it does not
check() {
	local text=$1 status
	shift
	"$@" >"$TMP/check.out" 2>&1; status=$? # in this shell: it may be one of our own functions, which waits for a child of ours
	if [ $status -eq 0 ]; then ok "$text"; else
		not_ok "$text"; echo "# command: $*"; echo "# status: $status"; tail -n 25 "$TMP/check.out" | sed 's/^/#   /'
	fi
	return $status
}
# refuse TEXT CMD...: passes when CMD fails
refuse() { local text=$1; shift; if "$@" >"$TMP/refuse.out" 2>&1; then not_ok "$text"; sed 's/^/#   /' "$TMP/refuse.out" | tail -n 10; else ok "$text"; fi; }
plan_end() { echo "1..$TESTS"; [ "$FAILED" -eq 0 ]; }
need() { local p; for p; do command -v "$p" >/dev/null || bail "$p is missing"; done; }
# wait_for SECONDS CMD...: until CMD succeeds; SECONDS is enough for a quick machine, PATIENCE (6) times as much is waited. What the last try prints is shown.
wait_for() { local end=$((SECONDS + $1 * ${PATIENCE:-6})); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { "$@"; return; }; sleep 0.05; done; }

move() {
	local tap=$2 to=$3
	in_ns "$1" ip link set "$tap" netns "$(nsname "$to")"
	if [ -n "${4:-}" ]; then in_ns "$to" ip addr add "$4" dev "$tap"; fi
	in_ns "$to" ip link set "$tap" up
	if [ -n "${5:-}" ]; then in_ns "$to" ip route add default via "$5"; fi
}
RELAY=${RELAY:-$BUILD/tests/netns/relay}
bad_wire() {
	local near=$1 far=$2
	shift 2
	[ -x "$RELAY" ] || bail "$RELAY is not built"
	"$RELAY" "$(nsname "$near")" wire0 "$(nsname "$far")" wire1 "$@" >"$TMP/relay.log" 2>&1 &
	RELAY_PID=$!; PIDS+=("$RELAY_PID")
	wait_for 10 grep -q ready "$TMP/relay.log" || bail "the relay did not start: $(cat "$TMP/relay.log")"
}
join() {
	local n=$1 dev
	shift
	in_ns "$n" ip link add br0 type bridge && in_ns "$n" ip link set br0 up
	for dev; do in_ns "$n" ip link set "$dev" master br0 up; done
}

reach() { wait_for 10 in_ns "$1" ping -q -n -c 1 -W 2 "$2"; }
# ping by itself waits for the last answer no longer than two round trips, or one interval: on a busy machine that is no time at all. With a deadline it goes on until so
# many answers are there as -c says; nothing was lost if these are the answers to its first requests. ARGS without -q, -w and -W.
lossless() { # NAME ARGS...
	local n=$1 want='' a
	shift
	for a; do [ "$want" = next ] && want=$a; [ "$a" = -c ] && want=next; done
	in_ns "$n" ping -n -w 200 "$@" >"$TMP/lossless" 2>&1
	tail -n 4 "$TMP/lossless"
	awk -v want="$want" 'match($0, /icmp_seq=[0-9]+/) && / bytes from / { seq = substr($0, RSTART + 9, RLENGTH - 9) + 0; if (seq <= want && !seen[seq]++) n++ }
		END { print n + 0 " of the first " want " were answered"; exit n != want }' "$TMP/lossless"
}
# For large requests: a second's worth of them, or of their answers, would be more than a queue or ping's buffer holds.
each_alone() { # NAME N ARGS...
	local n=$1 i max=$2
	shift 2
	for ((i = 1; i <= max; i++)); do in_ns "$n" ping -n -c 1 -W 60 "$@" || { echo "number $i of $max"; return 1; }; done
}
# stops the daemon until "kill -CONT"; the signal is on its way when kill(1) returns, so wait until every thread has it
freeze() { kill -STOP "$DAEMON_PID" && wait_for 10 frozen; }
frozen() { ! grep -L '^State:.T' /proc/"$DAEMON_PID"/task/*/status | grep -q .; }
# gone PID: has ended, whoever its parent is and whether or not that one has noticed
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null; }
# the first CPU that this process may run on
first_cpu() { sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status; }

listens() { in_ns "$1" ss -Hltn "sport = :$2" | grep -q .; } # NAMESPACE PORT
# Each transfer has a server of its own, on a port of its own: a server that takes one after another is still "busy" with the last for a while.
IPERF3_PORT=5201
iperf3_between() { # server's namespace, its address, client's namespace, the client's arguments
	local s=$1 addr=$2 c=$3 pid status
	shift 3
	IPERF3_PORT=$((IPERF3_PORT + 1))
	nsenter --net="/run/netns/$(nsname "$s")" iperf3 -s -1 -B "$addr" -p "$IPERF3_PORT" >"$TMP/iperf3.log" 2>&1 & pid=$!
	PIDS+=("$pid")
	wait_for 20 listens "$s" "$IPERF3_PORT" && in_ns "$c" timeout 200 iperf3 -c "$addr" -p "$IPERF3_PORT" "$@"; status=$?
	[ "$status" -eq 0 ] || sed 's/^/server: /' "$TMP/iperf3.log"
	end_pid "$pid" 1
	return "$status"
}

nsctl() { "$NSCTL" -s "$NETSTACKD_CONTROL" "$@"; }
daemon() { # namespace; the configuration comes on standard input
	local n=$1; shift
	sed "${BACKEND:+/^[[:space:]]*link add .*type tap/s/\$/ backend $BACKEND/}" >"$TMP/netstackd.conf"
	nsenter --net="/run/netns/$(nsname "$n")" "$NETSTACKD" --foreground -c "$TMP/netstackd.conf" --control "$NETSTACKD_CONTROL" --workers "$WORKERS" "$@" >>"$TMP/daemon.log" 2>&1 &
	DAEMON_PID=$!
	if ! wait_for 20 nsctl show version; then
		sed 's/^/# /' "$TMP/daemon.log"; bail "netstackd did not start"
	fi
}
daemon_alive() { kill -0 "$DAEMON_PID" 2>/dev/null; }
stop_daemon() { # exit status of the daemon
	local pid=$DAEMON_PID status; DAEMON_PID=
	kill "$pid"; wait_for 15 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	wait "$pid"; status=$?
	return $status
}
# one TAP line: the daemon is still there and ends with status 0. Not by way of check, whose subshell could not wait for it.
check_stop() { local status; daemon_alive; status=$?; [ $status -eq 0 ] && { stop_daemon; status=$?; }; if [ $status -eq 0 ]; then ok "the daemon is still there and ends with status 0"; else not_ok "the daemon is still there and ends with status 0: $status"; fi; }
need ip sysctl
[ -x "$NETSTACKD" ] && [ -x "$NSCTL" ] || bail "netstackd and nsctl are not built in $BUILD"
