#!/bin/sh
# SPDX-License-Identifier: MIT
# manual.sh: the manual's lists of commands and tunables are those of the tables, and the pages are well-formed. With --update the lists are written anew.
set -u
export LC_ALL=C
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${top_builddir:-$src/build}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/manual.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0

result() { # STATUS TEXT
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
# fill PAGE WHAT LIST: PAGE with LIST between its marks, on standard output
fill() {
	awk -v list="$3" -v what="$2" '
		$0 == ".\\\" END " what { inside = 0 }
		!inside { print }
		$0 == ".\\\" BEGIN " what { inside = 1; while ((getline line < list) > 0) print line }
	' "$1"
}
page() { # PAGE WHAT LIST
	fill "$src/man/$1" "$2" "$3" >"$tmp/$1"
	if [ "$update" = --update ]; then cat "$tmp/$1" >"$src/man/$1"; return; fi
	diff -u "$src/man/$1" "$tmp/$1" >"$tmp/diff"
	result $? "$1: the list is that of the table (tests/golden/manual.sh --update)"
	if [ -s "$tmp/diff" ]; then head -n 40 "$tmp/diff" | sed 's/^/# /'; fi
}
update=${1:-}
"$build/nsctl" --synopsis=mdoc >"$tmp/commands" || exit 99
"$build/tests/golden/print_sysctls" >"$tmp/sysctls" || exit 99
page nsctl.1 COMMANDS "$tmp/commands"
page netstackd.conf.5 SYSCTLS "$tmp/sysctls"
if [ "$update" = --update ]; then exit 0; fi
for p in nsctl.1 netstackd.conf.5 netstackd.8; do
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -W warning "$src/man/$p" >"$tmp/lint" 2>&1
		result $? "$p: mandoc has nothing against it"
		sed 's/^/# /' "$tmp/lint"
	else
		n=$((n + 1))
		echo "ok $n # SKIP mandoc is not installed"
	fi
done
# Every command has its place in the manual.
"$build/nsctl" --synopsis | while read -r group verb rest; do
	case $verb in [a-z]*) words="$group \(Cm \)\?$verb" ;; *) words=$group ;; esac
	grep -q "^\.It Ic $words" "$src/man/nsctl.1" || echo "$group $verb"
done >"$tmp/missing"
[ ! -s "$tmp/missing" ]
result $? "every command is in nsctl.1"
sed 's/^/# /' "$tmp/missing"
echo "1..$n"
exit $failed
