#!/bin/sh
# SPDX-License-Identifier: MIT
# The example says what it should. With $EXAMPLE_DESTDIR it is also built against the installed library with what pkg-config says.
echo "1..2"
want="received: Hello from a stack without a kernel."
out=$("${top_builddir:-.}/examples/twostacks" 2>&1)
if [ $? -eq 0 ] && echo "$out" | grep -qxF "$want"; then
	echo "ok 1 - two stacks, one wire, TCP echo"
else
	echo "not ok 1 - two stacks, one wire, TCP echo"
	echo "$out" | sed 's/^/# /'
fi
dir=${EXAMPLE_DESTDIR:-}
pc=$(find "$dir" -name libnetstack.pc 2>/dev/null | head -1)
if [ -z "$dir" ] || [ -z "$pc" ]; then
	echo "ok 2 # SKIP not installed (.ci/run does this)"
	exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/netstack-example.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
flags=$(PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dir pkg-config --cflags --libs libnetstack)
# shellcheck disable=SC2086
if ${CC:-cc} -Wall -Wextra -Werror "${top_srcdir:-.}/examples/twostacks.c" $flags -o "$tmp/twostacks" 2>"$tmp/err" &&
	LD_LIBRARY_PATH=${pc%/pkgconfig/*} "$tmp/twostacks" 2>>"$tmp/err" | grep -qxF "$want"; then
	echo "ok 2 - built against the installed library"
else
	echo "not ok 2 - built against the installed library"
	sed 's/^/# /' "$tmp/err"
fi
