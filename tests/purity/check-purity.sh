#!/bin/sh
# SPDX-License-Identifier: MIT
# libnetstack makes no system call, reads no clock, starts no thread, prints nothing and has no global that changes: its undefined symbols are compared with a
# list, and its objects may have no writable data.
set -u
lib=${top_builddir:-.}/.libs/libnetstack.a
allowed=${top_srcdir:-.}/tests/purity/allowed.txt
nm=${NM:-nm}
nm=${nm%% *}
if [ "${INSTRUMENTED:-no}" = yes ]; then
	echo "1..0 # SKIP an instrumented build calls its run-time library"
	exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/netstack-purity.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
echo "1..3"
"$nm" -g --defined-only "$lib" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$tmp/defined"
"$nm" -u "$lib" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u >"$tmp/undefined"
grep -v '^#' "$allowed" | sort -u >"$tmp/allowed"
comm -23 "$tmp/undefined" "$tmp/defined" | comm -23 - "$tmp/allowed" >"$tmp/strange"
n=$(wc -l <"$tmp/undefined")
if [ "$n" -gt 10 ] && [ ! -s "$tmp/strange" ]; then
	echo "ok 1 - nothing but the allowed functions is called ($n names looked at)"
else
	echo "not ok 1 - libnetstack calls what it must not"
	sed 's/^/# /' "$tmp/strange"
fi
# b, d, B, D, C: data that can change. "d" that is only relocated at load time (.data.rel.ro) is constant.
"$nm" -A "$lib" 2>/dev/null | awk '$(NF-1) ~ /^[bBC]$/ { print }' >"$tmp/data"
objdump -t "$lib" 2>/dev/null | awk '$0 ~ / [lg] .* O .data\t/ || $0 ~ / O \.data\.local/ { print }' >>"$tmp/data"
if [ ! -s "$tmp/data" ]; then
	echo "ok 2 - no global variable that changes"
else
	echo "not ok 2 - libnetstack has variables that change"
	sed 's/^/# /' "$tmp/data"
fi
# What the shared library offers is what the public headers declare.
so=${top_builddir:-.}/.libs/libnetstack.so
if [ -e "$so" ]; then
	cat "${top_srcdir:-.}"/stack/include/netstack/*.h >"$tmp/headers"
	"$nm" -D --defined-only "$so" | awk '{ print $3 }' | while read -r sym; do
		grep -qw "$sym" "$tmp/headers" || echo "$sym"
	done >"$tmp/private"
	if [ ! -s "$tmp/private" ]; then
		echo "ok 3 - the shared library exports what the headers declare"
	else
		echo "not ok 3 - exported, but in no public header"
		sed 's/^/# /' "$tmp/private"
	fi
else
	echo "ok 3 # SKIP no shared library"
fi
