#!/bin/bash
# SPDX-License-Identifier: MIT
# devices.sh: bridge, VLANs, veth and dummy between Linux hosts. Namespaces are the host's (a, b, c, t, v) or netstackd's own (default, red).
#
#   a: ta 10.0.0.2/24 <-TAP-> eth0 --+
#                                    br0 10.0.0.1/24, br0.7 10.7.0.1/24          (default)
#   b: tb 10.0.0.3/24 <-TAP-> eth1 --+
#
#   v: tv (raw tagged frames) <-TAP-> eth2, eth2.10 10.10.0.1/24, eth2.20 (802.1ad), eth2.20.30 10.30.0.1/24
#
#   c: tc 10.1.0.1/24 <-TAP-> eth3 10.1.0.2 (default, router) eth4.10 10.5.0.1/24 <-TAP-> tt --+
#                                     veth0 10.6.0.1/24                                     Linux bridge in t
#                                       | veth                                              |
#                                     veth1 10.6.0.2/24 (red, http) eth5.10 10.5.0.2 <-TAP-> tu --+
#
# The kernel here need not know VLANs: what goes through eth4.10 in large tagged segments is cut by the host's bridge, as eth5 takes no segments, and checked by red.
. "$(dirname "$0")/lib.sh"
need ping curl python3 cmp iperf3 ss awk
PY=$(dirname "$0")/devices.py
for n in h a b c t v; do ns "$n"; done

daemon h <<-CONF
	netns add red
	link add eth0 type tap host-name ta
	link add eth1 type tap host-name tb
	link add eth2 type tap host-name tv
	link add eth3 type tap host-name tc
	link add eth4 type tap host-name tt
	-n red link add eth5 type tap host-name tu offload off
	link add br0 type bridge
	link set eth0 up master br0
	link set eth1 up master br0
	link set br0 up
	addr add 10.0.0.1/24 dev br0
	link add br0.7 type vlan link br0 id 7
	link set br0.7 up
	addr add 10.7.0.1/24 dev br0.7
	link set eth2 up
	link add eth2.10 type vlan link eth2 id 10
	link set eth2.10 up
	addr add 10.10.0.1/24 dev eth2.10
	link add eth2.20 type vlan link eth2 id 20 protocol 802.1ad
	link set eth2.20 up
	link add eth2.20.30 type vlan link eth2.20 id 30
	link set eth2.20.30 up
	addr add 10.30.0.1/24 dev eth2.20.30
	link set eth3 up
	addr add 10.1.0.2/24 dev eth3
	link set eth4 up
	link add eth4.10 type vlan link eth4 id 10
	link set eth4.10 up
	addr add 10.5.0.1/24 dev eth4.10
	link add veth0 type veth peer veth1 netns red
	link set veth0 up
	addr add 10.6.0.1/24 dev veth0
	link add dummy0 type dummy
	link set dummy0 up
	addr add 10.8.0.1/24 dev dummy0
	sysctl net.ipv4.ip_forward=1
	-n red link set eth5 up
	-n red link add eth5.10 type vlan link eth5 id 10
	-n red link set eth5.10 up
	-n red addr add 10.5.0.2/24 dev eth5.10
	-n red link set veth1 up
	-n red addr add 10.6.0.2/24 dev veth1
	-n red route add 10.1.0.0/24 via 10.5.0.1
	-n red route add 10.0.0.0/24 via 10.6.0.1
	-n red service add tcp 80 http
CONF

move h ta a 10.0.0.2/24; move h tb b 10.0.0.3/24; move h tv v; move h tc c 10.1.0.1/24; move h tt t; move h tu t
in_ns a ip route add default via 10.0.0.1
in_ns c ip route add default via 10.1.0.2
in_ns t ip link add name lbr type bridge
in_ns t ip link set tt master lbr; in_ns t ip link set tu master lbr; in_ns t ip link set lbr up
drops() { nsctl ${2:+-n "$2"} -j show drops all | python3 -c 'import json, sys; print(sum(r["count"] for r in json.load(sys.stdin) if r["reason"] == sys.argv[1]))' "$1"; }
stat() { nsctl -j link show "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["stats"][sys.argv[1]][sys.argv[2]])' "$2" "$3"; }
mac() { nsctl ${2:+-n "$2"} -j link show "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])'; }

echo "# the bridge"
check "two hosts reach each other across it" wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3
check "they reach its own address" wait_for 10 in_ns b ping -q -c 1 -W 1 10.0.0.1
check "ping of 60,000 bytes: fragments" each_alone a 2 -s 60000 10.0.0.3
ma=$(in_ns a ip -br link show ta | awk '{ print $3 }')
learned() { nsctl fdb show | grep -q "^$ma dev $1 master br0\$"; }
check "it has learned where a is" wait_for 5 learned eth0
check "TCP across it (iperf3, 40 MB)" iperf3_between b 10.0.0.3 a -n 40M
check "and the other way" iperf3_between b 10.0.0.3 a -n 40M -R
frames=$(stat eth1 tx packets); bytes=$(stat eth1 tx bytes)
echo "# eth1 sent $bytes bytes in $frames frames"
check "segments cross whole" test $((bytes / frames)) -gt 3000
nsctl fdb flush
check "after a flush it learns anew" wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3
nsctl link set eth0 isolated on; nsctl link set eth1 isolated on
in_ns a ip neigh flush dev ta
refuse "isolated ports do not reach each other" in_ns a ping -q -c 2 -i 0.2 -W 1 10.0.0.3
check "but the host" wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.1
nsctl link set eth0 isolated off; nsctl link set eth1 isolated off
check "and each other again" wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3
nsctl fdb add 02:00:00:00:77:01 dev eth0 static
refuse "a station stands once on a bridge" nsctl fdb add 02:00:00:00:77:01 dev eth1 static
before=$(stat eth1 tx packets)
in_ns a python3 "$PY" ta 02:00:00:00:77:01 storm:300 >/dev/null
flooded() { test $(($(stat eth1 tx packets) - before)) -ge 300; }
check "frames to all go to the other port" wait_for 10 flooded
all_learned() { test "$(nsctl fdb show eth0 | grep -c '^02:77:')" -eq 300; }
check "300 stations were learned" wait_for 10 all_learned
check "tagged frames of the host on it: br0.7" in_ns a python3 "$PY" ta "$(mac br0)" arp:7:10.7.0.1
nsctl link set eth0 carrier off
gone() { ! nsctl fdb show | grep -q '^02:77:'; }
check "a port that loses its carrier takes its stations along" wait_for 10 gone
nsctl link set eth0 carrier on
check "and back" wait_for 20 in_ns a ping -q -c 1 -W 1 10.0.0.3

nsctl link add loop0 type veth peer loop1
nsctl link set loop0 up master br0; nsctl link set loop1 up master br0
before=$(stat loop0 tx packets)
busy() { in_ns a ping -q -c 1 -W 1 -b 10.0.0.255 >/dev/null 2>&1; test $(($(stat loop0 tx packets) - before)) -gt 10000; }
check "a ring of cables goes round and round, and commands are answered all the same" wait_for 20 busy
check "taken apart" nsctl link del loop0
check "it is over" wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3

echo "# VLANs"
m=$(mac eth2)
check "ARP and ping in 802.1Q" in_ns v python3 "$PY" tv "$m" arp:10:10.10.0.1 ping:10:10.10.0.1
check "802.1Q inside 802.1ad" in_ns v python3 "$PY" tv "$m" arp:s20.30:10.30.0.1 ping:s20.30:10.30.0.1
check "nobody answers in another VLAN" in_ns v python3 "$PY" tv "$m" silent:11:10.10.0.1 silent:30:10.30.0.1
unknown() { test "$(drops vlan_unknown)" -gt 0; }
check "an unknown VLAN has a reason" wait_for 5 unknown
before=$(drops vlan_short)
in_ns v python3 "$PY" tv "$m" cut >/dev/null
short() { test $(($(drops vlan_short) - before)) -ge 6; }
check "tags that are cut short have a reason" wait_for 10 short

echo "# TCP through VLANs, in large tagged segments"
head -c 8000000 /dev/urandom >"$TMP/up"
check "an upload" in_ns c curl -sf -m 300 --retry 3 --retry-connrefused -o "$TMP/answer" -T "$TMP/up" http://10.5.0.2/sink
check "a download" in_ns c curl -sf -m 300 -o "$TMP/down" http://10.5.0.2/bytes/8000000
python3 "$(dirname "$0")/bytes.py" make 8000000 >"$TMP/want"
check "every byte of it" cmp "$TMP/down" "$TMP/want"
check "no checksum was wrong" test "$(drops tcp_csum red)" -eq 0
frames=$(stat eth4.10 tx packets); bytes=$(stat eth4.10 tx bytes)
echo "# eth4.10 sent $bytes bytes in $frames frames"
check "segments left it whole" test $((bytes / frames)) -gt 2000

echo "# veth and dummy"
check "a pair between two namespaces carries TCP" in_ns a curl -sf -m 300 -o "$TMP/down" http://10.6.0.2/bytes/3000000
head -c 3000000 "$TMP/want" >"$TMP/want3"
check "every byte of it" cmp "$TMP/down" "$TMP/want3"
nsctl -n red link set veth1 down
no_carrier() { nsctl link show veth0 | grep -q NO-CARRIER; }
check "one end down: the other has no carrier" wait_for 5 no_carrier
nsctl -n red link del veth1
refuse "one end removed: the other is gone" nsctl link show veth0
check "an address of a dummy is reached" reach a 10.8.0.1
swallowed() { in_ns a ping -q -c 1 -W 1 10.8.0.77 >/dev/null; test "$(stat dummy0 tx packets)" -gt 0; }
check "what is for its network is swallowed and counted" wait_for 10 swallowed

echo "# saved, read, and taken apart"
nsctl save >"$TMP/saved"
cp "$TMP/saved" "$TMP/netstackd.conf"
check "what was saved is read again" nsctl reload
nsctl save >"$TMP/again"
check "and saved alike" cmp "$TMP/saved" "$TMP/again"
check "the bridge was not touched" reach a 10.0.0.3
nsctl link del eth2
refuse "VLANs go with their link" nsctl link show eth2.20.30
nsctl link del br0
check "a bridge that goes leaves its ports" nsctl link show eth0
refuse "and a VLAN on it goes" nsctl link show br0.7
check_stop
plan_end
