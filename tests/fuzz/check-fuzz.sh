#!/bin/sh
# SPDX-License-Identifier: MIT
# Every fuzz program: its corpus, then FUZZ_SECONDS (2) of random changes of it.
build=${top_builddir:-.}/tests/fuzz
src=${top_srcdir:-.}/tests/fuzz
tmp=$(mktemp -d "${TMPDIR:-/tmp}/netstack-fuzz.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
set -- "$src"/corpus-*
echo "1..$#"
n=0
for corpus; do
	n=$((n + 1))
	name=${corpus##*/corpus-}
	if (cd "$tmp" && "$build/fuzz_$name" --seconds "${FUZZ_SECONDS:-2}" --seed "${NETSTACK_SEED:-1}" "$corpus") >"$tmp/out" 2>&1; then
		echo "ok $n - $name: $(sed -n 's/^ok 1 - //p' "$tmp/out")"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/out" | tail -50
		if [ -e "$tmp/crash-input" ]; then
			kept=${TMPDIR:-/tmp}/netstack-crash-$name.$$
			cp "$tmp/crash-input" "$kept"
			echo "# the input is in $kept: $build/fuzz_$name $kept"
			echo "# base64 -d | gzip -d gives it, too:"
			gzip -c "$tmp/crash-input" | base64 -w 150 | sed 's/^/# /' | head -n 60
		fi
	fi
done
