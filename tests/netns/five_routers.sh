#!/bin/bash
# SPDX-License-Identifier: MIT
# five_routers.sh: five routers in a row in one daemon, each a network namespace of it, joined by veth pairs.
#
#   namespace a: tapa 10.0.0.1 -- TAP -- r1 == 10.0.1.0/24 == r2 == 10.0.2.0/24 == r3 == 10.0.3.0/24 == r4 == 10.0.4.0/24 == r5 -- TAP -- tapb 10.0.5.2 :namespace b
#   (rK has 10.0.K-1.2 on "left" and 10.0.K.1 on "right"; the daemon runs in namespace a, and the host's end of its second TAP is moved to b)
. "$(dirname "$0")/lib.sh"
need curl ping traceroute python3
SIZE=${SIZE:-$((${INSTRUMENTED:-0} ? 4000000 : 20000000))}
ns a; ns b
# One router's lines, without the links to its neighbours
router() {
	echo "-n r$1 sysctl net.ipv4.ip_forward=1"
	echo "-n r$1 link set left up"; echo "-n r$1 link set right up"
	echo "-n r$1 addr add 10.0.$(($1 - 1)).2/24 dev left"; echo "-n r$1 addr add 10.0.$1.1/24 dev right"
	if [ "$1" -lt 5 ]; then echo "-n r$1 route add default via 10.0.$1.2"; fi
	if [ "$1" -gt 1 ]; then echo "-n r$1 route add 10.0.0.0/24 via 10.0.$(($1 - 1)).1"; fi
}
pair() { echo "-n r$1 link add right type veth peer left netns r$(($1 + 1))"; }
daemon a <<-CONF
	$(for k in 1 2 3 4 5; do echo "netns add r$k"; done)
	-n r1 link add left type tap host-name tapa host-addr 10.0.0.1/24
	-n r5 link add right type tap host-name tapb
	$(for k in 1 2 3 4; do pair $k; done)
	$(for k in 1 2 3 4 5; do router $k; done)
CONF
move a tapb b 10.0.5.2/24 10.0.5.1
in_ns a ip route add 10.0.0.0/16 via 10.0.0.2
NS="NSCTL=$NSCTL; $(declare -f nsctl)"
# hops DIRECTION: all five and the end, each by its address, in their order
hops() {
	local from=a to=10.0.5.2 want="10.0.0.2 10.0.1.2 10.0.2.2 10.0.3.2 10.0.4.2 10.0.5.2 " got
	if [ "$1" = back ]; then from=b to=10.0.0.1 want="10.0.5.1 10.0.4.1 10.0.3.1 10.0.2.1 10.0.1.1 10.0.0.1 "; fi
	shift
	in_ns $from traceroute -n -q 1 -w 10 -m 10 "$@" $to >"$TMP/trace" 2>&1; cat "$TMP/trace"
	got=$(awk '$1 ~ /^[0-9]+$/ { printf "%s ", $2 }' "$TMP/trace")
	[ "$got" = "$want" ]
}
check "there are six network namespaces" test "$(nsctl netns list | awk 'NR > 1 { printf "%s ", $1 }')" = "default r1 r2 r3 r4 r5 "
wait_for 10 in_ns a ping -c 1 -W 1 10.0.5.2
check "ping through five routers" lossless a -c 20 -i 0.05 10.0.5.2
check "and back" lossless b -c 20 -i 0.05 10.0.0.1
check "fragments pass" each_alone a 5 -s 20000 10.0.5.2
check "each takes one of the time to live" bash -c "nsenter --net=/run/netns/$(nsname a) ping -c 1 -W 60 10.0.5.2 | grep -q ttl=59"
check "traceroute shows all five" wait_for 20 hops there
check "traceroute with ICMP too" wait_for 20 hops there -I
check "traceroute from the other end" wait_for 20 hops back
check "the first namespace forwarded nothing" test -z "$(nsctl show counters IpForwDatagrams | awk 'NR > 1')"
check "the third did" bash -c "$NS; nsctl -n r3 show counters IpForwDatagrams | grep -qE '[1-9]'"
check "its own side of a link has a name there" bash -c "$NS; nsctl -n r3 link show left | grep -q 'link-netns r2'"

bg_ns b python3 -m http.server 8000 --bind 10.0.5.2 --directory "$TMP" >/dev/null 2>&1
python3 "$SRC/tests/netns/bytes.py" make "$SIZE" >"$TMP/want"
wait_for 10 in_ns b bash -c 'exec 3<>/dev/tcp/10.0.5.2/8000'
check "$SIZE bytes through all of them" in_ns a curl -sSf -m 400 -o "$TMP/got" http://10.0.5.2:8000/want
check "every byte is right" cmp "$TMP/want" "$TMP/got"

# What one of them drops is counted there, and nowhere else.
nsctl -n r3 sysctl net.ipv4.ip_forward=0
refuse "a router that does not forward stops all" in_ns a ping -q -c 3 -i 0.1 -W 1 10.0.5.2
check "and its own drops say why" bash -c "$NS; nsctl -n r3 show drops | grep -q ip_forwarding_off"
check "those of its neighbour do not" bash -c "$NS; ! nsctl -n r2 show drops | grep -q ip_forwarding_off"
nsctl -n r3 sysctl net.ipv4.ip_forward=1
check "with it forwarding again all passes" lossless a -c 3 -i 0.05 10.0.5.2

# What runs, saved, is what was configured: read again it changes nothing, and connections go on.
nsctl save >"$TMP/saved"
check "what is saved is a good configuration" "$NETSTACKD" -n -c "$TMP/saved"
cp "$TMP/saved" "$TMP/netstackd.conf"
check "read again" nsctl reload
nsctl save >"$TMP/again"
check "it is the same" cmp "$TMP/saved" "$TMP/again"

# One goes in the middle of a transfer; when it is back, the transfer ends well.
in_ns a curl -sSf -m 400 --limit-rate $((SIZE / 5)) -o "$TMP/got2" http://10.0.5.2:8000/want & CURL=$!; PIDS+=($CURL)
wait_for 20 bash -c "test \$(stat -c %s $TMP/got2) -gt 100000"
check "a router is deleted in the middle of a transfer" nsctl netns del r3
check "its neighbours' ends of the links are gone" bash -c "$NS; ! nsctl -n r2 link show | grep -q right && ! nsctl -n r4 link show | grep -q left"
refuse "nothing passes" in_ns a ping -q -c 2 -i 0.2 -W 1 10.0.5.2
check "the transfer has not ended" kill -0 $CURL
{
	echo "netns add r3"; pair 2; pair 3; router 3
	echo "-n r2 link set right up"; echo "-n r2 addr add 10.0.2.1/24 dev right"; echo "-n r2 route add default via 10.0.2.2"
	echo "-n r4 link set left up"; echo "-n r4 addr add 10.0.3.2/24 dev left"; echo "-n r4 route add 10.0.0.0/24 via 10.0.3.1"
} >"$TMP/heal"
heal() { while read -r line; do eval "nsctl $line" || return 1; done <"$TMP/heal"; }
check "it comes back" heal
check "all passes again" wait_for 20 in_ns a ping -q -c 1 -W 1 10.0.5.2
check "the transfer goes on to its end" wait $CURL
check "every byte is right" cmp "$TMP/want" "$TMP/got2"
check "traceroute shows all five again" wait_for 20 hops there

# A reload with one of them missing, and one with it there.
grep -vE 'r3|-n r2 .*(set right|dev right|\.right\.|10\.0\.2\.)|-n r4 .*(set left|dev left|\.left\.|10\.0\.3\.)' "$TMP/saved" >"$TMP/netstackd.conf"
check "a reload takes one away" nsctl reload
check "it is gone" bash -c "$NS; ! nsctl netns list | grep -q r3"
cp "$TMP/saved" "$TMP/netstackd.conf"
check "a reload brings it back" nsctl reload
check "all passes" wait_for 20 in_ns a ping -q -c 1 -W 1 10.0.5.2
# One with a device and connections of its own goes while it sends.
for i in 1 2 3; do
	printf '%s\n' "netns add y" "-n y link add eth0 type tap host-name tapy host-addr 10.9.0.1/24" "-n y link set eth0 up" "-n y addr add 10.9.0.2/24 dev eth0" \
		"-n y service add tcp 19 chargen" >"$TMP/heal"
	heal || not_ok "a namespace with a device"
	reach a 10.9.0.2 || not_ok "its address is reached"
	in_ns a timeout 100 bash -c 'exec 3<>/dev/tcp/10.9.0.2/19; cat <&3' >"$TMP/chargen" 2>&1 & C=$!; PIDS+=($C)
	wait_for 10 test -s "$TMP/chargen" || not_ok "chargen sends"
	nsctl netns del y || not_ok "netns del y"
	wait_for 10 bash -c "! nsenter --net=/run/netns/$(nsname a) ip link show tapy" || not_ok "its device is gone"
	end_pid $C 1 # the device may have taken its FIN along
done
check "those that go while they send leave the rest alone" lossless a -c 3 -i 0.05 10.0.5.2
# A reload with other namespaces: each that comes has the place of one that goes.
for n in p q p; do
	{ cat "$TMP/saved"; for k in 1 2; do echo "netns add $n$k"; done
	  echo "-n ${n}1 link add eth0 type tap host-name tap$n host-addr 10.9.0.1/24"; echo "-n ${n}1 link set eth0 up"; echo "-n ${n}1 addr add 10.9.0.2/24 dev eth0"
	  echo "-n ${n}1 link add v type veth peer v netns ${n}2"; echo "-n ${n}2 link set v up"; echo "-n ${n}2 link add w type veth peer w netns r3"; } >"$TMP/netstackd.conf"
	check "a reload makes namespaces ${n}1 and ${n}2, and takes others away" nsctl reload
	check "${n}1 is there and answers" wait_for 10 in_ns a ping -q -c 1 -W 1 10.9.0.2
done
cp "$TMP/saved" "$TMP/netstackd.conf"
check "a reload without them" nsctl reload
check "the rest has gone on" lossless a -c 3 -i 0.05 10.0.5.2
for i in 1 2 3 4 5 6 7 8 9 10; do nsctl netns add "x$i" && nsctl -n "x$i" link add v type veth peer "v$i" netns default && nsctl -n "x$i" service add tcp 7 echo; done
for i in 1 2 3 4 5 6 7 8 9 10; do nsctl netns del "x$i"; done
nsctl link add m0 type veth peer m1 && nsctl link set m1 netns r1 && nsctl link set m0 up && nsctl -n r1 link set m1 up
check "an end of a pair moves, and there is carrier" bash -c "$NS; nsctl link show m0 | grep -q 'state UP' && nsctl link show m0 | grep -q 'link-netns r1' && nsctl -n r1 link show m1 | grep -q 'link-netns default'"
nsctl -n r1 link del m1
check "namespaces that come and go leave nothing behind" test "$(nsctl netns list | wc -l) $(nsctl link show | grep -c '^[0-9]')" = "7 1"
check_stop
plan_end
