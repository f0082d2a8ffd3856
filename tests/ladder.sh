#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ladder.sh: all tests, from unit tests to a booted systemd; "./bootstrap check" calls it after the build. One line for each rung, the failures' output only,
# and at the end "N passed, N failed".
#
#	tests/ladder.sh [RUNG...]       only these (names as in the list at the end)
#
# Everything is built in a temporary folder, so that build/ and other runs are left alone; KEEP=1 keeps it. Rungs run in lanes at once: one builds and
# runs the sanitizers, one the other compilers, two what needs the built daemon with one and two workers, one what mostly waits.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
SRC=$PWD
STEP= # set when this script runs one rung of another run of it, under a time limit
if [ "${1:-}" = --step ]; then STEP=1; shift; else T=$(mktemp -d "${TMPDIR:-/tmp}/netstack-ladder.XXXXXX") || exit 1; fi
export T
JOBS=${JOBS:-$(nproc)}
export NETSTACK_SEED=${NETSTACK_SEED:-1}
LANES=()
RUNG= # the timeout(1) of the rung that this shell runs
WANTED=("$@")
ROOT= # may make network namespaces and TAPs
[ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ] || ROOT=1

cleanup() {
	local p
	trap - EXIT INT TERM HUP
	for p in "${LANES[@]}"; do kill "$p" 2>/dev/null; done # each ends its rung, and waits for what that has to clean up
	[ -z "$RUNG" ] || kill "$RUNG" 2>/dev/null
	wait
	if [ -n "${KEEP:-}" ]; then echo "kept: $T"; else chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"; fi
}
if [ -z "$STEP" ]; then
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$T/results"
fi

# why LOG: what is needed to understand a failure: its seeds, each failed check with what is said about it, what compilers and make say, the log of the daemon.
why() {
	grep -E '^# .*seed' "$1" | sort -u | head -n 5
	awk '
		/^== / { left = 80; whole = 1; shown = 1 }
		/^(not ok |Bail out!|FAIL: |ERROR: |XPASS: )|: (fatal )?error: |: undefined reference |^make.*\*\*\* |ERROR: [A-Z][A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:/ { if (left < 30) { left = 30; whole = 0 } shown = 1 }
		/^# the daemon/ { left = 50; whole = 0 }
		/^(ok |PASS: |SKIP: )/ && !whole && left > 2 { left = 2 }
		left > 0 { left--; if (++n <= 250) print }
		END { if (n > 250) print "... and " n - 250 " more lines"; exit !shown }' "$1" || { echo "..."; tail -n 40 "$1"; }
	# killed: where it was
	grep -qE '^1\.\.[0-9]|^# PASS: ' "$1" || { echo "..."; tail -n 10 "$1"; }
}

# rung NAME WHAT COMMAND...: runs it and counts: "make check" summaries, TAP lines, or else the exit status as one test.
rung() {
	local name=$1 what=$2 log=$T/$1.log status passed failed skipped t0=$SECONDS
	shift 2
	if [ ${#WANTED[@]} -gt 0 ]; then
		case " ${WANTED[*]} " in *" ${name%%-[12]} "* | *" $name "*) ;; *) return 0 ;; esac
	fi
	# in a session of its own, so that nothing of it survives; in the background, so that a signal to this shell reaches it
	timeout --signal=TERM --kill-after=60 "${RUNG_SECONDS:-1100}" setsid -w bash tests/ladder.sh --step "$T/$name.session" "$@" >"$log" 2>&1 </dev/null &
	RUNG=$!
	wait "$RUNG"
	status=$?
	RUNG=
	[ ! -s "$T/$name.session" ] || pkill -KILL -s "$(cat "$T/$name.session")"
	if grep -q '^# PASS: ' "$log"; then
		passed=$(awk '/^# PASS: /{n += $3} END {print n + 0}' "$log")
		failed=$(awk '/^# (FAIL|XPASS|ERROR): /{n += $3} END {print n + 0}' "$log")
		skipped=$(awk '/^# SKIP: /{n += $3} END {print n + 0}' "$log")
	else
		skipped=$(grep -cE '^ok .*# SKIP|^1\.\.0 ' "$log")
		passed=$(($(grep -cE '^ok ' "$log") - $(grep -cE '^ok .*# SKIP' "$log")))
		failed=$(grep -cE '^not ok |^Bail out!' "$log")
	fi
	[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
	[ "$status" -ne 0 ] || [ "$failed" -gt 0 ] || [ "$passed" -gt 0 ] || [ "$skipped" -gt 0 ] || passed=1
	echo "$passed $failed $skipped" >"$T/results/$name"
	{
		printf '%-6s %-52s %5d passed' "$([ "$failed" -eq 0 ] && echo ok || echo FAILED)" "$what" "$passed"
		[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
		[ "$failed" -eq 0 ] || printf ', %d failed' "$failed"
		printf '  (%d s)\n' $((SECONDS - t0))
		grep -hE '^coverage: ' "$log"
		if [ "$failed" -ne 0 ]; then
			echo "  status $status, NETSTACK_SEED=$NETSTACK_SEED$([ "$status" -ne 124 ] && [ "$status" -ne 137 ] || echo ", it took longer than ${RUNG_SECONDS:-1100} s")"
			why "$log" | sed 's/^/    /'
		fi
	} >"$T/$name.report"
	flock "$T" cat "$T/$name.report"
	return "$([ "$failed" -eq 0 ] && echo 0 || echo 1)"
}

# configured DIR ARGUMENT...: an out-of-tree configuration
configured() {
	local dir=$T/$1
	shift
	[ -f "$dir/Makefile" ] || { mkdir -p "$dir" && (cd "$dir" && "$SRC/configure" -q "$@"); }
}
sanitizer_config() { # asan or tsan
	local list=address,undefined
	[ "$1" = asan ] || list=thread
	configured "$1" --with-sanitizer=$list --disable-shared CC=gcc CFLAGS='-O1 -g'
}
build() {
	local dir=$1
	shift
	configured "$dir" "$@" && make -C "$T/$dir" -s -j "$JOBS" && echo "ok 1 - builds"
}
check_in() { # what one build folder's own tests say; logs of failures too
	local dir=$T/$1
	shift
	make -C "$dir" -j "$JOBS" check "$@" && return 0
	find "$dir/tests" "$dir/examples" -name '*.trs' -exec grep -lE 'global-test-result: (FAIL|ERROR)' {} + 2>/dev/null | sed 's/trs$/log/' | while read -r l; do
		echo "== $l"
		why "$l"
	done
	return 1
}
built_tests() { # all of the tests are built, none is run
	configured "$@" && make -C "$T/$1" -s -j "$JOBS" && make -C "$T/$1" -s -j "$JOBS" check TESTS= && echo "ok 1 - builds"
}

gcc_werror() { build gcc --enable-werror CC=gcc && check_in gcc; }
clang_werror() { built_tests clang --enable-werror --disable-shared CC=clang; }
sanitized() {
	sanitizer_config asan && FUZZ_SECONDS=8 SIM_CONNECTIONS=300 check_in asan
}
threads() {
	sanitizer_config tsan && make -C "$T/tsan" -s -j "$JOBS" check-threads
}
sim_long() {
	top_builddir=$T/gcc top_srcdir=$SRC SIM_CONNECTIONS=10000 sh tests/sim/check-sim.sh
}
installed() {
	flock "$T/gcc" make -C "$T/gcc" -s install DESTDIR="$T/inst" && top_builddir=$T/gcc top_srcdir=$SRC EXAMPLE_DESTDIR=$T/inst sh examples/check-example.sh
}
distcheck() {
	# what is in the archive is what is tested: a short run is enough
	SIM_CONNECTIONS=20 FUZZ_SECONDS=0 make -C "$T/gcc" -s -j "$JOBS" distcheck AM_DISTCHECK_CONFIGURE_FLAGS=--disable-shared && echo "ok 1 - make distcheck"
}
coverage() {
	configured cov --enable-coverage --disable-shared CC=gcc CFLAGS='-O0 -g' && FUZZ_SECONDS=0 SIM_CONNECTIONS=150 check_in cov && sh tests/coverage.sh "$T/cov"
}
script() { # WORKERS SCRIPT
	BUILD=$T/gcc WORKERS=$1 bash "$2"
}
# The daemon as a sanitizer build, two workers, under a test of tests/netns. What a sanitizer says goes to files, since the daemon has dropped its rights; any
# file is a failure. Leaks are not looked for here (LeakSanitizer needs ptrace); the stack's own books are what tests/unit and tests/sim check.
sanitized_daemon() { # BUILD SCRIPT
	local logs=$T/$1-logs status
	sanitizer_config "$1" && make -C "$T/$1" -s -j "$JOBS" all || return 1
	chmod 755 "$T" && mkdir -p "$logs" && chmod 1777 "$logs"
	ASAN_OPTIONS="log_path=$logs/asan:detect_leaks=0:quarantine_size_mb=4" UBSAN_OPTIONS="log_path=$logs/ubsan:print_stacktrace=1" \
		TSAN_OPTIONS="log_path=$logs/tsan:halt_on_error=0" INSTRUMENTED=1 BUILD=$T/$1 WORKERS=2 bash "$2"
	status=$?
	if [ -n "$(ls -A "$logs")" ]; then
		echo "not ok - the sanitizer has something to say"
		head -n 60 "$logs"/*
		status=1
	fi
	return $status
}
bare_debian() {
	CHECK_ARGS="gcc host" bash tests/chroot/chroot.sh
}
if [ -n "$STEP" ]; then
	echo $$ >"$1"
	shift
	# all of the session is told to end, also what timeout(1) has given a process group of its own
	trap 'trap "" TERM; pkill -TERM -s $$; wait; exit 143' TERM
	(trap : TERM; "$@") & # it waits for what it runs to clean up
	wait $!
	exit
fi

lane_sanitizers() {
	rung asan "unit, drill, sim, fuzz under ASan and UBSan" sanitized
	rung threads "threads under TSan" threads
	[ -n "$ROOT" ] || return 0
	rung asan-daemon "netns/hostile.sh, 2 workers, ASan and UBSan" sanitized_daemon asan tests/netns/hostile.sh
	rung asan-links "netns/links.sh, 2 workers, ASan and UBSan" sanitized_daemon asan tests/netns/links.sh
	rung tsan-daemon "netns/host.sh, 2 workers, TSan" sanitized_daemon tsan tests/netns/host.sh
	rung tsan-netns "netns/five_routers.sh, 2 workers, TSan" sanitized_daemon tsan tests/netns/five_routers.sh
}
lane_compilers() {
	rung clang "clang, warnings are errors" clang_werror
	rung coverage "unit, drill, sim: coverage" coverage
	rung distcheck "make distcheck" distcheck
}
netns_script() { # WORKERS SCRIPT
	rung "$(basename "$2" .sh)-$1" "${2#tests/}, $1 worker$([ "$1" = 1 ] || echo s)" script "$1" "$2"
}
lane_netns() { # WORKERS
	local s
	for s in tests/netns/*.sh; do
		case $s in */lib.sh | */idle.sh) continue ;; esac
		netns_script "$1" "$s"
	done
}
lane_daemon() {
	rung sim "10,000 connections over bad wires" sim_long
	rung install "installed library, pkg-config" installed
	[ -n "$ROOT" ] || { echo "not run: tests/netns, tests/boot and tests/chroot (they need root and /dev/net/tun)"; return 0; }
	lane_netns 1
}
lane_waits() { # what mostly waits
	local s w
	[ -n "$ROOT" ] || return 0
	for w in 1 2; do netns_script "$w" tests/netns/idle.sh; done
	for s in tests/boot/*.sh; do
		[ -e "$s" ] || continue
		RUNG_SECONDS=600 rung "$(basename "$s" .sh)" "${s#tests/}" script 1 "$s"
	done
	# the README's two commands in a bare Debian; there the second one is short, and does not do this again
	if [ -z "${NSD_IN_CHROOT:-}" ] && command -v mmdebstrap >/dev/null; then
		rung chroot "the README's two commands in a bare Debian 12" bare_debian
	fi
}
lane_daemon_2() {
	local s
	[ -n "$ROOT" ] || return 0
	lane_netns 2
	# on a kernel that offers io_uring, what it falls back to elsewhere
	for s in router bulk; do
		BACKEND=read rung "$s-read" "netns/$s.sh, TAPs by read and write" script 1 "tests/netns/$s.sh"
	done
}

# total LOST: the last line. A rung whose count cannot be read (a full disk), or that there is none of that name, has not passed.
total() {
	local r p f passed=0 failed=$1
	for r in "$T"/results/*; do
		p='' f=''
		[ ! -s "$r" ] || read -r p f _ <"$r"
		[ -n "$f" ] || echo "FAILED $([ -e "$r" ] && echo "$(basename "$r"): its count was lost" || echo "no rung was run")"
		passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
	done
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}

# Everything else runs what this one builds.
if ! rung gcc "gcc, warnings are errors; make check" gcc_werror && [ ! -x "$T/gcc/netstackd" ]; then
	total 0
	exit 1
fi
[ -d "$T/gcc" ] || build gcc CC=gcc >/dev/null 2>&1
lane() { # NAME: a lane of its own, which hands a signal on to its rung
	trap '[ -z "$RUNG" ] || kill "$RUNG" 2>/dev/null; wait; exit 130' TERM
	trap - EXIT
	"$1"
	: >"$T/$1.done"
}
lanes="lane_sanitizers lane_compilers lane_daemon lane_daemon_2 lane_waits"
for l in $lanes; do lane "$l" & LANES+=($!); done
wait "${LANES[@]}"
LANES=()
lost=0
for l in $lanes; do # what was not run has not passed
	[ -e "$T/$l.done" ] || { echo "FAILED $l was killed: its last rungs were not run"; lost=$((lost + 1)); }
done
total "$lost"
