#!/bin/bash
# SPDX-License-Identifier: MIT
# chroot.sh: the README's two commands in a bare Debian 12, so that what happens to be installed on this machine hides no missing step.
#
#     tests/chroot/chroot.sh [demo] [check]      (both without a word)
#
# A minimal Debian is made with mmdebstrap in a temporary folder, a clone of the committed tree is put into it, and "./bootstrap demo" and "./bootstrap check"
# are run there in process, mount and network namespaces of their own; all of it is removed afterwards. CHECK_ARGS is handed to "check".
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
TMP=$(mktemp -d "${TMPDIR:-/tmp}/nsdchroot.XXXXXX")
ROOT=$TMP/root LOG=$TMP/log TESTS=0 FAILED=0
cleanup() {
	local status=$?
	trap - EXIT INT TERM
	# the mounts were made inside a mount namespace that is gone; never follow one that is not
	rm -rf --one-file-system "$TMP"
	exit $status
}
trap cleanup EXIT; trap 'exit 130' INT TERM
report() { TESTS=$((TESTS + 1)); if [ "$1" -eq 0 ]; then echo "ok $TESTS - $2"; else FAILED=1; echo "not ok $TESTS - $2"; tail -n "${3:-60}" "$LOG" | sed 's/^/# /'; fi; }
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 77; }
command -v mmdebstrap >/dev/null || { echo "1..0 # SKIP mmdebstrap is not installed"; exit 77; }
[ $# -gt 0 ] || set -- demo check

for try in 1 2 3; do # a mirror that does not answer may do so a little later
	rm -rf --one-file-system "$ROOT"
	mmdebstrap --variant=minbase --skip=output/dev --aptopt='Acquire::Retries "5"' bookworm "$ROOT" >"$LOG" 2>&1
	made=$?
	[ $made -ne 0 ] && [ $try -lt 3 ] && sleep 20 || break
done
report $made "a bare Debian 12 is made"; [ $FAILED -eq 0 ] || exit 1
cp /etc/resolv.conf /etc/hosts "$ROOT/etc/" 2>/dev/null
mkdir -p "$ROOT/usr/src"
git clone -q "file://$SRC" "$ROOT/usr/src/netstackd" >>"$LOG" 2>&1 || git clone -q "$SRC" "$ROOT/usr/src/netstackd" >>"$LOG" 2>&1
report $? "a clone of the tree is put into it"
for what; do
	# unshare and what is number 1 behind it do not end at SIGTERM
	timeout --kill-after=10 "${CHROOT_TIMEOUT:-1500}" unshare --mount --propagation private --pid --fork --kill-child --uts --ipc bash -c '
		mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp" && mkdir -p "$0/run" && mount -t tmpfs tmpfs "$0/run" &&
		exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C NSD_IN_CHROOT=1 bash -c "cd /usr/src/netstackd && ./bootstrap $1"' "$ROOT" "$what ${CHECK_ARGS:+$([ "$what" = check ] && echo "$CHECK_ARGS")}" >"$LOG" 2>&1 </dev/null
	report $? "./bootstrap $what works there"
	[ "$what" = check ] && grep -E '^[0-9]+ passed' "$LOG" | sed 's/^/# /'
	[ -n "${CHROOT_KEEP_LOG:-}" ] && cp "$LOG" "$CHROOT_KEEP_LOG.$what"
done
echo "1..$TESTS"
[ $FAILED -eq 0 ]
