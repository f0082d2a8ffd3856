#!/bin/sh
# SPDX-License-Identifier: MIT
# The simulator, briefly; SIM_CONNECTIONS=10000 makes it the long run that .ci/run does.
sim=${top_builddir:-.}/tests/sim/sim
n=${SIM_CONNECTIONS:-300}
seed=${NETSTACK_SEED:-1}
echo "1..9"
# number the lines of several runs in one sequence
one() {
	"$sim" --seed "$seed" --connections "$n" "$@" >"$tmp" 2>&1
	rc=$?
	lines=$(grep -cE '^(not )?ok ' "$tmp")
	sed -n -E -e "s/^((not )?ok) [0-9]+ - /\1 - $* : /p" -e '/^#/p' "$tmp"
	[ "$rc" -le 1 ] && [ "$lines" -eq 3 ] || { cat "$tmp"; echo "Bail out! sim $*: status $rc"; exit 1; }
}
tmp=$(mktemp "${TMPDIR:-/tmp}/netstack-sim.XXXXXX") || exit 99
trap 'rm -f "$tmp"' EXIT
one --loss 2 --reorder 5 --dup 1 --corrupt 1
one --router --clients 3 --mtu 1400 --loss 1 --reorder 2 --dup 1 --corrupt 1
one --loss 0 --reorder 0 --dup 0 --corrupt 0 --rate 20 --queue 20
