#!/bin/bash
# SPDX-License-Identifier: MIT
# boot.sh: netstackd under a real systemd. Prints TAP; takes about half a minute; needs root.
#
#   this host --- a container: the host's file system below a scratch layer, its own init, its own network
#                    |
#                    +-- netstackd.service ( eth0 10.77.0.2 ) --- nstap0 10.77.0.1 --- ping, curl
#
# The tree is installed into the scratch layer, units are started, reloaded, stopped and killed there. Nothing outside of the layer is changed; mounts live in a mount
# namespace of this script, processes are ended by the pid that was started, and all of it is bounded in time.
set -u
export LC_ALL=C
LIMIT=560
if [ "${BOOT_STAGE:-}" != inside ]; then
	if [ "$(id -u)" != 0 ]; then echo "1..0 # SKIP a container needs root"; exit 0; fi
	for p in systemd-nspawn nsenter unshare ping curl make; do
		command -v "$p" >/dev/null || { echo "1..0 # SKIP $p is not installed"; exit 0; }
	done
	[ -c /dev/net/tun ] || { echo "1..0 # SKIP /dev/net/tun is missing"; exit 0; }
	unshare -m true 2>/dev/null || { echo "1..0 # SKIP no mount namespaces here"; exit 0; }
	BOOT_STAGE=inside exec timeout -k 20 "$LIMIT" unshare -m --propagation private "$0" "$@"
fi

SRC=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-${top_builddir:-$SRC/build}}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/netstackd-boot.XXXXXX") || exit 99
ROOT=$TMP/layer/root
NSPAWN='' LEADER='' TESTS=0 FAILED=0

wait_for() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { "$@"; return; }; sleep 0.1; done; }
gone() { ! kill -0 "$1" 2>/dev/null; }
cleanup() {
	trap - EXIT INT TERM HUP
	if [ "$FAILED" -ne 0 ] && [ -n "$LEADER" ]; then
		echo "# the journal of the unit:"
		inside journalctl --no-pager -n 60 -u netstackd.service -u netstackd.socket 2>/dev/null | sed 's/^/# /'
	fi
	if [ -n "$NSPAWN" ]; then
		kill -TERM "$NSPAWN" 2>/dev/null
		wait_for 15 gone "$NSPAWN" || { [ -n "$LEADER" ] && kill -KILL "$LEADER" 2>/dev/null; wait_for 3 gone "$NSPAWN" || kill -KILL "$NSPAWN" 2>/dev/null; }
		wait "$NSPAWN" 2>/dev/null
	fi
	umount -l "$ROOT" 2>/dev/null
	umount -l "$TMP/layer" 2>/dev/null
	rm -rf --one-file-system "$TMP"
}
trap 'cleanup' EXIT
trap 'exit 1' INT TERM HUP
skip_all() { echo "1..0 # SKIP $*"; exit 0; }

inside() { timeout 60 nsenter -t "$LEADER" -a -- "$@"; }
sctl() { inside systemctl --no-pager "$@"; }
prop() { sctl show -P "$1" netstackd.service; }
net() { timeout 60 nsenter -t "$LEADER" -n -- "$@"; } # the container's network, the host's programs
check() { # TEXT COMMAND...
	local text=$1 out status
	shift
	out=$("$@" 2>&1); status=$?
	TESTS=$((TESTS + 1))
	if [ $status -eq 0 ]; then echo "ok $TESTS - $text"; else
		FAILED=$((FAILED + 1))
		echo "not ok $TESTS - $text"
		echo "# $* : status $status"
		printf '%s\n' "$out" | tail -n 20 | sed 's/^/#   /'
	fi
	return $status
}
not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "\"$1\" instead of \"$2\""; return 1; }; }

finish() { echo "1..$TESTS"; exit "$((FAILED != 0))"; }
# 0 and 1 would be a group of processes, or init
send() { [ "${2:-0}" -gt 1 ] && inside kill "$1" "$2"; }

# ---- the container ------------------------------------------------------------------------------------------------------
mkdir "$TMP/layer" && mount -t tmpfs -o mode=755,size=1g none "$TMP/layer" || skip_all "no tmpfs here"
mkdir "$TMP/layer/up" "$TMP/layer/work" "$ROOT"
mount -t overlay overlay -o "lowerdir=/,upperdir=$TMP/layer/up,workdir=$TMP/layer/work" "$ROOT" 2>/dev/null || skip_all "no overlay over / here"
# another test may be installing from the same folder
if ! flock "$BUILD" make -s -C "$BUILD" install DESTDIR="$ROOT" >"$TMP/install.log" 2>&1; then
	echo "Bail out! make install failed"; tail -n 20 "$TMP/install.log" | sed 's/^/# /'; exit 1
fi
rm -f "$ROOT/etc/machine-id"; : >"$ROOT/etc/machine-id"
unit=$(find "$ROOT/usr/local/lib/systemd" "$ROOT/usr/lib/systemd" "$ROOT/lib/systemd" "$ROOT/etc/systemd" -name netstackd.service 2>/dev/null | head -n 1)
[ -n "$unit" ] || { echo "Bail out! the unit is installed where systemd does not look: configure with --prefix=/usr or /usr/local"; exit 1; }
conf=$(sed -n 's/^ExecStart=.* -c \([^ ]*\).*/\1/p' "$unit")
nsctl=$(sed -n 's/^ExecReload=\([^ ]*\).*/\1/p' "$unit")
mkdir -p "$(dirname "$ROOT$conf")"
cat >"$ROOT$conf" <<'CONF'
link add eth0 type tap host-name nstap0 host-addr 10.77.0.1/24
link set eth0 up
addr add 10.77.0.2/24 dev eth0
route add default via 10.77.0.1
service add tcp 80 http
CONF
mkdir -p "$ROOT/etc/systemd/system/netstackd.service.d"
watchdog() { printf '[Service]\nWatchdogSec=%s\n' "$1" >"$ROOT/etc/systemd/system/netstackd.service.d/test.conf"; }
watchdog 100 # nobody is to be killed because the machine stands still

# udev gives every user the device; without udev the node here may be root's alone: the container gets its own
mknod -m 666 "$TMP/layer/tun" c 10 200 || skip_all "no device nodes here"
setpriv --pdeathsig KILL systemd-nspawn -q --register=no --keep-unit -D "$ROOT" --private-network --bind="$TMP/layer/tun:/dev/net/tun" --capability=all --console=pipe \
	-b systemd.unit=basic.target </dev/null >"$TMP/console" 2>&1 &
NSPAWN=$!
settled() {
	LEADER=$(ps -o pid= --ppid "$NSPAWN" | head -n 1 | tr -d ' ')
	[ -n "$LEADER" ] && [ "$(cat "/proc/$LEADER/comm" 2>/dev/null)" = systemd ] || return 1
	case $(timeout 30 nsenter -t "$LEADER" -a -- systemctl is-system-running 2>/dev/null) in running | degraded) return 0 ;; esac
	return 1
}
if ! wait_for 180 settled; then
	tail -n 5 "$TMP/console" | sed 's/^/# /'
	LEADER=''
	skip_all "a container does not boot here"
fi
inside ip link set lo up

# ---- start -----------------------------------------------------------------------------------------------------------------
status_page() { net curl -sf -m 60 http://10.77.0.2/ >/dev/null; }
bytes() { is "$(net curl -sf -m 60 http://10.77.0.2/bytes/1000000 | wc -c)" 1000000; }
pings() { net ping -q -n -c 3 -i 0.2 -W 20 10.77.0.2; }
check "the user and the group exist" inside getent group netstackd
check "systemctl start netstackd" sctl start netstackd.service || finish
check "it is active" is "$(prop ActiveState)" active
check "it has a status line" test -n "$(prop StatusText)"
check "ping from the host's side" wait_for 30 pings
check "curl of the status page" status_page
check "a megabyte over HTTP" bytes
check "nsctl as root" inside "$nsctl" show version
refused_nobody() { inside setpriv --reuid=65534 --regid=65534 --clear-groups "$nsctl" show version; [ $? -eq 3 ]; }
check "nsctl is refused to a stranger, with status 3" refused_nobody
member() { inside setpriv --reuid=65534 --regid=65534 --groups="$(inside getent group netstackd | cut -d: -f3)" "$nsctl" show version; }
check "nsctl as a member of the group" member

# ---- links: to the host and back, and by the rtnetlink socket that systemd made
is_mode() { is "$(inside stat -c '%a %G %F' /run/netstackd/rtnetlink)" "660 netstackd socket"; }
check "the rtnetlink socket is there, for the group" is_mode
link_is() { inside "$nsctl" link show eth0 | grep -q "$1"; }
host_is() { net ip link show nstap0 | grep -q "$1"; }
timeout 300 nsenter -t "$LEADER" -a -- timeout 280 "$nsctl" monitor link >"$TMP/layer/monitor" 2>&1 &
told() { inside "$nsctl" link set lo mtu 65000; inside "$nsctl" link set lo mtu 65536; grep -q 'lo: ' "$TMP/layer/monitor"; }
wait_for 30 told # it listens now
net ip link set nstap0 down
check "ip link set down on the host pulls the cable" wait_for 60 link_is 'NO-CARRIER.*state DOWN'
net ip link set nstap0 up
check "and up puts it in" wait_for 60 link_is 'LOWER_UP.*state UP'
check "nsctl monitor link, by rtnetlink, has seen it" wait_for 60 grep -q 'eth0: <NO-CARRIER.*state DOWN' "$TMP/layer/monitor"
inside "$nsctl" link set eth0 down
check "link set down is seen by the host" wait_for 60 host_is 'NO-CARRIER.*state DOWN'
inside "$nsctl" link set eth0 up
net ip link del nstap0
check "a TAP that the host deletes is gone" wait_for 60 link_is 'state NOTPRESENT'
check "link set up makes it anew, in the sandbox" inside "$nsctl" link set eth0 up
check "with its state on the host" wait_for 60 host_is 'LOWER_UP.*state UP'
inside "$nsctl" route add default via 10.77.0.1 # went with the link
check "ping again" wait_for 60 pings

# ---- what it may --------------------------------------------------------------------------------------------------------------
pid=$(prop MainPID)
proc_status() { inside sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
check "the process has no capability" is "$(proc_status "$pid" CapEff)" 0000000000000000
check "the process is not root's" not is "$(proc_status "$pid" Uid | cut -f1)" 0
check "no new privileges" is "$(proc_status "$pid" NoNewPrivs)" 1
check "a system call filter" is "$(proc_status "$pid" Seccomp)" 2
score=$(inside systemd-analyze security --no-pager netstackd.service 2>/dev/null | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
check "systemd-analyze security: $score is at most 2.5" awk -v s="${score:-10}" 'BEGIN { exit !(s <= 2.5) }'

# ---- reload --------------------------------------------------------------------------------------------------------------------
echo 'service add tcp 8080 http' >>"$ROOT$conf"
check "systemctl reload" sctl reload netstackd.service
check "what was added serves" wait_for 30 net curl -sf -m 60 -o /dev/null http://10.77.0.2:8080/
check "what was there still serves" status_page
check "the process is the same" is "$(prop MainPID)" "$pid"
echo 'route add 10.99.0.0/16 vai 10.77.0.1' >>"$ROOT$conf"
check "reload of a bad file fails" not sctl reload netstackd.service
says_where() { inside journalctl --no-pager -o cat -u netstackd.service | grep -F "$conf:7:24"; }
check "the journal says in which line and column" wait_for 30 says_where
check "the service goes on" wait_for 30 pings
check "with the same process" is "$(prop MainPID)" "$pid"
sed -i '$d' "$ROOT$conf"

# ---- accidents -------------------------------------------------------------------------------------------------------------------
restarted() { local p; p=$(prop MainPID); [ "$(prop ActiveState)" = active ] && [ "$p" != 0 ] && [ "$p" != "$pid" ]; }
watchdog 2 # the unit's own would take long
sctl daemon-reload; sctl restart netstackd.service
pid=$(prop MainPID)
send -STOP "$pid"
check "a stopped process is killed by the watchdog and started again" wait_for 90 restarted
watchdog 100; sctl daemon-reload # for the next start
check "after the watchdog: ping" wait_for 60 pings
check "after the watchdog: curl" wait_for 30 status_page
pid=$(prop MainPID)
send -KILL "$pid"
check "a killed process is started again" wait_for 60 restarted
check "after the kill: ping" wait_for 60 pings
check "systemctl restart" sctl restart netstackd.service
check "after the restart: nsctl" inside "$nsctl" show version
check "after the restart: curl" wait_for 30 status_page

# ---- stop --------------------------------------------------------------------------------------------------------------------------
no_tap() { ! inside ip link show nstap0 >/dev/null 2>&1; }
no_process() { [ -z "$(inside ps -o pid= -u netstackd)" ]; }
check "systemctl stop" sctl stop netstackd.socket netstackd.service
check "it is inactive, not failed" is "$(prop ActiveState)" inactive
check "no TAP is left" wait_for 30 no_tap
check "no process is left" wait_for 30 no_process
check "no socket is left" not inside test -e /run/netstackd/control -o -e /run/netstackd/rtnetlink
check "nsctl says that there is no daemon, with status 3" is "$(inside "$nsctl" link >/dev/null 2>&1; echo $?)" 3

# ---- by its socket -------------------------------------------------------------------------------------------------------------------
check "systemctl start netstackd.socket" sctl start netstackd.socket
check "the first nsctl starts the service" inside "$nsctl" show version
check "by its socket: curl" wait_for 30 status_page

finish
