#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh BUILD: line coverage of a build with --enable-coverage after its tests, by folder; COVERAGE_FILES=1 for each file.
build=${1:-build}
src=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/netstack-cov.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$build" || exit 1
find stack conf daemon cli -name '*.gcda' 2>/dev/null | while read -r f; do
	gcov -n "$f" 2>/dev/null
done | awk -v src="$src/" -v each="${COVERAGE_FILES:-}" '
	/^File / { f = substr($0, 7, length($0) - 7); sub(src, "", f); sub(/^.*\.\.\//, "", f); next }
	/^Lines executed:/ && f ~ /^(stack|conf|daemon|cli)\/[^.]*\.c$/ {
		split($0, a, /[:% ]+/)
		pct = a[3]; n = a[5]
		dir = f; sub(/\/.*/, "", dir)
		if (pct * n / 100 > hit[f]) hit[f] = pct * n / 100
		lines[f] = n; dirof[f] = dir
		f = ""
	}
	END {
		for (f in lines) { h[dirof[f]] += hit[f]; t[dirof[f]] += lines[f]; if (each) printf "%6.1f %% of %5d  %s\n", 100 * hit[f] / lines[f], lines[f], f | "sort -k5" }
		close("sort -k5")
		printf "coverage:"
		n = split("stack conf daemon cli", order, " ")
		for (i = 1; i <= n; i++) if (t[order[i]]) printf " %s/ %.1f %% of %d lines;", order[i], 100 * h[order[i]] / t[order[i]], t[order[i]]
		print " (unit, drill, sim, fuzz)"
	}'
