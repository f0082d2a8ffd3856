#!/bin/bash
# SPDX-License-Identifier: MIT
# router.sh: netstackd routes between two namespaces.
#
#   namespace a: tapa 10.1.0.1/24 <-- TAP --> eth0 10.1.0.254   netstackd   eth1 10.2.0.254 <-- TAP --> tapb 10.2.0.1/24 :namespace b
#   (the daemon runs in namespace r; the host ends of its TAPs are moved to a and b)
. "$(dirname "$0")/lib.sh"
need curl ping iperf3 ss traceroute python3
ns r; ns a; ns b
daemon r <<-CONF
	sysctl net.ipv4.ip_forward=1
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
NS="NSCTL=$NSCTL; $(declare -f nsctl)"

check "ping through the router, the first packet too" lossless a -c 50 -i 0.02 10.2.0.1
check "ping the other way" lossless b -c 50 -i 0.02 10.1.0.1
check "the router itself answers on its far address" lossless a -c 5 -i 0.02 10.2.0.254
check "time to live goes down by one" bash -c "nsenter --net=/run/netns/$(nsname a) ping -c 1 -W 60 10.2.0.1 | grep -q ttl=63"
check "fragments pass" each_alone a 10 -s 20000 10.2.0.1
check "traceroute shows each hop" wait_for 10 bash -c "
	out=\$(nsenter --net=/run/netns/$(nsname a) traceroute -n -q 1 -w 10 -m 5 10.2.0.1); echo \"\$out\"
	echo \"\$out\" | grep -qE '^ *1 +10\.1\.0\.254 ' && echo \"\$out\" | grep -qE '^ *2 +10\.2\.0\.1 '"
check "traceroute with ICMP and TCP too" wait_for 10 bash -c "
	for how in -I '-T -p 9'; do out=\$(nsenter --net=/run/netns/$(nsname a) traceroute \$how -n -q 1 -w 10 -m 5 10.2.0.1); echo \"\$out\"
	echo \"\$out\" | grep -qE '^ *1 +10\.1\.0\.254 ' && echo \"\$out\" | grep -qE '^ *2 +10\.2\.0\.1 ' || exit 1; done"
check "a host that is not there: host unreachable from the router" wait_for 10 bash -c "nsenter --net=/run/netns/$(nsname a) ping -c 1 -W 30 10.2.0.99 | grep -qi 'From 10.1.0.254.*Host Unreachable'"
check "a network that is not there: net unreachable" wait_for 10 bash -c "nsenter --net=/run/netns/$(nsname a) ping -c 1 -W 30 10.99.0.1 | grep -qi 'From 10.1.0.254.*Net Unreachable'"

bg_ns b python3 -m http.server 8000 --bind 10.2.0.1 --directory "$TMP" >/dev/null 2>&1
python3 "$SRC/tests/netns/bytes.py" make 20000000 >"$TMP/want"
wait_for 10 in_ns b bash -c 'exec 3<>/dev/tcp/10.2.0.1/8000'
check "curl through the router" in_ns a curl -sSf -m 300 -o "$TMP/got" http://10.2.0.1:8000/want
check "every byte is right" cmp "$TMP/want" "$TMP/got"
check "curl to the router's own service" in_ns b curl -sSf -m 200 -o /dev/null http://10.1.0.254/bytes/100000
for way in "" -R "-u -b 50M" "-P 8"; do
	check "iperf3 $way passes" iperf3_between b 10.2.0.1 a -t 2 $way
done

nsctl link set eth1 mtu 1000; in_ns b ip link set tapb mtu 1000
check "frag-needed tells the next hop's MTU" wait_for 10 bash -c "nsenter --net=/run/netns/$(nsname a) ping -M do -s 1200 -c 1 -W 10 10.2.0.1 2>&1 | grep -qE 'From 10.1.0.254.*mtu ?= ?1000|Frag needed.*1000'"
check "without DF the router fragments" lossless a -M dont -s 1400 -c 5 -i 0.05 10.2.0.1
check "a TCP sender learns the path MTU" in_ns a curl -sSf -m 300 -o "$TMP/got2" http://10.2.0.1:8000/want
check "every byte is right" cmp "$TMP/want" "$TMP/got2"
nsctl link set eth1 mtu 1500; in_ns b ip link set tapb mtu 1500

nsctl sysctl net.ipv4.ip_forward=0
refuse "with ip_forward=0 nothing passes" in_ns a ping -q -c 3 -i 0.1 -W 1 10.2.0.1
refuse "nor does TCP" in_ns a curl -sS -m 2 -o /dev/null http://10.2.0.1:8000/
check "and show drops says why" bash -c "$NS; nsctl show drops | grep -E 'ip_forwarding_off' | grep -qE '[1-9]'"
check "the router's near address still answers" lossless a -c 3 -i 0.05 10.1.0.254
nsctl sysctl net.ipv4.ip_forward=1
check "with ip_forward=1 it passes again" lossless a -c 3 -i 0.05 10.2.0.1
check_stop
plan_end
