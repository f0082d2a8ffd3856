#!/bin/bash
# SPDX-License-Identifier: MIT
# gro.sh: bulk TCP that a sender without offloads puts on the wire in single segments is merged by the router, and arrives as it was sent: by a way out that takes
# large frames, and by one that does not.
#
#   namespace a: tapa 10.1.0.1/24 <-- TAP --> eth0 10.1.0.254   netstackd   eth1 10.2.0.254 <-- TAP --> tapb 10.2.0.1/24 :namespace b
#   (the daemon runs in namespace r; the host ends of its TAPs are moved to a and b)
# How many frames a poll finds depends on who runs when; gro_flush_timeout makes that there is something to merge on a machine that is quick, too.
. "$(dirname "$0")/lib.sh"
need curl ethtool python3
ns r; ns a; ns b
daemon r <<-CONF
	sysctl net.ipv4.ip_forward=1
	sysctl net.core.gro_flush_timeout=2000000
	link add eth0 type tap host-name tapa
	link add eth1 type tap host-name tapb
	link set eth0 up
	link set eth1 up
	addr add 10.1.0.254/24 dev eth0
	addr add 10.2.0.254/24 dev eth1
	service add tcp 80 http
CONF
move r tapa a 10.1.0.1/24 10.1.0.254
move r tapb b 10.2.0.1/24 10.2.0.254
check "the sender cuts its segments itself, and sums them" in_ns a ethtool -K tapa tso off gso off tx off
python3 "$SRC/tests/netns/bytes.py" make 20000000 >"$TMP/want"
bg_ns a python3 -m http.server 8000 --bind 10.1.0.1 --directory "$TMP" >/dev/null 2>&1
wait_for 20 in_ns a bash -c 'exec 3<>/dev/tcp/10.1.0.1/8000'
# of eth0: a column of "show gro"
gro() { nsctl -j show gro | python3 -c '
import json, sys
rows = json.load(sys.stdin)
print(next((r[sys.argv[1]] for r in rows if r["dev"] == "eth0"), 0))' "$1"; }
frames() { in_ns b awk '$1 == "tapb:" { print $3 }' /proc/net/dev; }
fetch() { rm -f "$TMP/got"; in_ns b curl -sSf -m 300 -o "$TMP/got" http://10.1.0.1:8000/want && cmp "$TMP/want" "$TMP/got"; }
more_than() { echo "$1 > $2?"; [ "$1" -gt "$2" ]; }

# what a fetch makes of the counters; how the two machines take turns is chance, so that one of several has to be as it should
counted_fetch() { before=$(frames) merged=$(gro merged); fetch && merged=$(($(gro merged) - merged)) passed=$(($(frames) - before)); }
merging() { counted_fetch && more_than "$merged" 2000 && more_than $((20000000 / 1448)) "$passed"; }
check "20 MB through the router, every byte right" fetch
check "segments are merged, and left whole: fewer frames go out than segments come in" wait_for 10 merging

in_ns a ip link set tapa mtu 576
check "small segments, some hundred in one packet" fetch
in_ns a ip link set tapa mtu 1500
nsctl link set eth1 offload tso off
cutting() { counted_fetch && more_than "$merged" 2000; }
check "the same where the way out takes no large frames: segments are merged" wait_for 10 cutting
check "and cut again: every segment went out" more_than "$passed" $((20000000 / 1448 - 1))
nsctl link set eth1 offload tx off
check "the same where the way out makes no checksums either" fetch

nsctl link set eth1 mtu 1000; in_ns b ip link set tapb mtu 1000
check "the way out is smaller than the segments: the sender learns it" fetch
nsctl link set eth1 mtu 1500; in_ns b ip link set tapb mtu 1500

check "into the router itself" in_ns a curl -sSf -m 300 -T "$TMP/want" -o "$TMP/sunk" http://10.1.0.254/sink
nsctl link set eth0 offload gro off
merged=$(gro merged)
check "with GRO switched off it all passes, too" fetch
check "and nothing is merged" test "$(gro merged)" -eq "$merged"
check "no checksum was wrong" bash -c "[ -z \"\$($NSCTL -s $NETSTACKD_CONTROL show drops | grep -E 'csum')\" ]"
check_stop
plan_end
