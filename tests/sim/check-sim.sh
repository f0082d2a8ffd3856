#!/bin/sh
# SPDX-License-Identifier: MIT
# The simulator, on several kinds of bad wire with 1, 2 and 8 shards each. SIM_CONNECTIONS (500) is how many connections each run makes; .ci/run says 10000.
sim=${top_builddir:-.}/tests/sim/sim
n=${SIM_CONNECTIONS:-500}
seed=${NETSTACK_SEED:-1}
tmp=$(mktemp "${TMPDIR:-/tmp}/netstack-sim.XXXXXX") || exit 99
trap 'rm -f "$tmp"' EXIT
one() {
	"$sim" --seed "$seed" --shards 1,2,8 --connections "$n" "$@" >"$tmp" 2>&1
	rc=$?
	lines=$(grep -cE '^(not )?ok ' "$tmp")
	sed -n -E -e "s/^((not )?ok) [0-9]+ - /\1 - $*: /p" -e '/^#/p' "$tmp"
	if [ "$rc" -gt 1 ] || [ "$lines" -ne 3 ]; then
		sed 's/^/# /' "$tmp" | tail -n 40
		echo "Bail out! sim $*: status $rc"
		exit 1
	fi
}
echo "1..37"
one --loss 2 --reorder 5 --dup 1 --corrupt 1
one --loss 10 --reorder 20 --dup 5 --corrupt 2 --delay 40 --jitter 20
one --loss 0 --reorder 0 --dup 0 --corrupt 0 --rate 20 --queue 20
one --loss 1 --reorder 2 --dup 1 --corrupt 1 --mtu 576
one --loss 1 --reorder 2 --dup 1 --corrupt 1 --router --clients 3 --mtu 1400
one --loss 0 --reorder 0 --dup 0 --corrupt 0
one --loss 1 --reorder 2 --dup 1 --corrupt 1 --bridge --clients 3
# Steering that changes all the time: on a perfect wire no segment may be sent again, as none overtakes another.
one --loss 0 --reorder 0 --dup 0 --corrupt 0 --router --clients 3 --steer
one --loss 1 --reorder 2 --dup 1 --corrupt 1 --router --clients 3 --steer
# The same seed gives the same frames, at the same time and from the same shard: nothing depends on addresses in memory, on clocks or on what ran before.
"$sim" --seed "$seed" --shards 1,2,8 --connections $((n / 5 + 1)) --twice --loss 2 --reorder 5 --dup 1 --corrupt 1 --router --clients 2 >"$tmp" 2>&1
sed -n -E -e "s/^((not )?ok) [0-9]+ - /\1 - twice: /p" "$tmp"
# A wire that swaps words of the payload, which checksums cannot see: the simulator must.
if "$sim" --seed "$seed" --shards 1 --connections 50 --swap 5 >"$tmp" 2>&1 || ! grep -q 'a wrong byte' "$tmp"; then
	echo "not ok - a wrong byte is noticed"
else
	echo "ok - a wrong byte is noticed"
fi
