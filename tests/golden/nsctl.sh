#!/bin/sh
# SPDX-License-Identifier: MIT
# nsctl.sh: what nsctl prints, against nsctl.txt: a transcript of commands, their output and exit statuses, which is played again. With --update the file is
# written anew: look at the difference before it is committed.
set -u
export LC_ALL=C
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${top_builddir:-$src/build}
golden=$src/tests/golden/nsctl.txt
tmp=$(mktemp -d "${TMPDIR:-/tmp}/nsctl-golden.XXXXXX") || exit 99
mkfifo "$tmp/in" "$tmp/out"
pid=
cleanup() {
	exec 8>&- 2>/dev/null
	if [ -n "$pid" ]; then kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; fi
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

"$build/tests/golden/fake_daemon" "$tmp/sock" "$src/tests/golden/answers.txt" <"$tmp/in" >"$tmp/out" &
pid=$!
exec 8>"$tmp/in"
read -r ready <"$tmp/out" && [ "$ready" = ready ] || { echo "Bail out! the fake daemon did not start"; exit 99; }
NETSTACKD_CONTROL=$tmp/sock
export NETSTACKD_CONTROL
cd "$tmp" || exit 99
nsctl() { "$build/nsctl" "$@"; }
# What bash would offer for a command line.
offers() {
	PATH=$build:$PATH bash --norc -c '. "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _nsctl; printf "%s\n" "${COMPREPLY[@]}"' - "$src/cli/completion/nsctl" "$1"
}

# Commands of the transcript are lines that begin with "$ "; everything between is what they printed.
grep '^\$ ' "$golden" | while IFS= read -r line; do
	printf '%s\n' "$line"
	eval "${line#\$ }" >"$tmp/printed" 2>&1 </dev/null 8>&-
	status=$?
	sed "s|$tmp|TMP|g" "$tmp/printed"
	if [ $status -ne 0 ]; then echo "[status $status]"; fi
done >"$tmp/got"
if [ "${1:-}" = --update ]; then
	cat "$tmp/got" >"$golden"
	echo "$golden is new"
	exit 0
fi
echo 1..2
[ "$(grep -c '^\$ ' "$tmp/got")" -gt 40 ] && echo "ok 1 - the transcript was played" || echo "not ok 1 - the transcript was played"
if diff -u "$golden" "$tmp/got" >"$tmp/diff"; then echo "ok 2 - nsctl prints what nsctl.txt says"; else
	echo "not ok 2 - nsctl prints what nsctl.txt says"
	sed 's/^/# /' "$tmp/diff"
	exit 1
fi
