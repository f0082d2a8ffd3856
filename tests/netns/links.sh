#!/bin/bash
# SPDX-License-Identifier: MIT
#
# links.sh: links between netstackd and the host's kernel, both ways, and the rtnetlink socket.
#
#   namespace h:  tap0 10.10.0.1 ── eth0 10.10.0.2  netstackd
#                 tap1 10.11.0.1 ── eth1 10.11.0.2
#
# Nothing is slept for: what is to come is waited for.
. "$(dirname "$0")/lib.sh"
need python3
ns h
H=$(nsname h)
daemon h <<EOC
link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24
link set eth0 up
addr add 10.10.0.2/24 dev eth0
link add eth1 type tap host-name tap1 host-addr 10.11.0.1/24
link set eth1 up
addr add 10.11.0.2/24 dev eth1
EOC
routed() { nsctl route show | tee "$TMP/routes"; grep -q -- "$1" "$TMP/routes"; }
saved() { nsctl save | tee "$TMP/saved"; grep -q -- "$1" "$TMP/saved"; }
host() { in_ns h "$@"; }
ours() { nsctl link show "${2:-eth0}" | grep -q -- "$1"; }
hosts() { host ip link show "${2:-tap0}" | grep -q -- "$1"; }
# eventually TEXT CMD...
eventually() { local text=$1; shift; check "$text" wait_for 10 "$@"; }
answers() { host ping -q -c 1 -W 2 "$1"; }
json() { nsctl -j link show "$1" | python3 -c "import json, sys; l = json.load(sys.stdin)[0]; sys.exit(not ($2))"; }

told() { nsctl link set lo mtu 65000; nsctl link set lo mtu 65536; grep -q 'lo: ' "$TMP/$1"; } # who writes that file listens

# ---- the rtnetlink socket
in_ns h ping -q -c 1 -W 60 10.10.0.2 >/dev/null
# several checks in one: rtnetlink.py prints TAP lines of its own, which are counted on
rtnetlink() {
	local line
	while read -r line; do
		case $line in
		"ok "*) ok "rtnetlink: ${line#*- }" ;;
		"not ok "*) not_ok "rtnetlink: ${line#*- }" ;;
		"#"*) echo "$line"; DONE=${line#\# } ;;
		esac
	done < <(timeout 600 python3 "$SRC/tests/netns/rtnetlink.py" "$TMP/rtnetlink" "$NSCTL" "$NETSTACKD_CONTROL" "/run/netns/$H" 2>"$TMP/rtnetlink.err")
}
DONE=
rtnetlink
check "rtnetlink: the client came to its end" bash -c "cat '$TMP/rtnetlink.err'; [ -n '$DONE' ]"
chmod 755 "$TMP"
stranger() { python3 -B - "$SRC/tests/netns" "$TMP/rtnetlink" "$1" <<'PY'
import errno, os, sys
sys.path.insert(0, sys.argv[1])
from rtnetlink import *
os.setgroups([]); os.setresgid(2, 2, 2); os.setresuid(2, 2, 2)
try:
    c = Client(sys.argv[2])
except PermissionError:
    sys.exit(sys.argv[3] != "shut")
assert sys.argv[3] == "open"
eth0 = [link for link in c.dump()[0] if link.name == "eth0"][0]
assert c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(MTU, 1400))[1] == errno.EPERM
assert c.ask(GETLINK, 0, ifinfo(eth0.index))[1] == 0
PY
}
check "a stranger cannot connect" stranger shut
chmod 666 "$TMP/rtnetlink"
check "if the socket is opened for all, strangers may ask, but change nothing" stranger open

refuse "a second netstackd does not take the socket away" timeout 100 "$NETSTACKD" --foreground -c "$TMP/netstackd.conf" --control "$TMP/other" --netlink "$TMP/rtnetlink"
monitored() { timeout 100 "$NSCTL" -s "$NETSTACKD_CONTROL" -n nowhere monitor link 2>&1 | grep -q 'no network namespace nowhere'; }
check "nsctl monitor link in a namespace that there is not says so" monitored
ns_events() { # in a namespace of netstackd's own, and gone with it
	local status
	red_told() { nsctl -n red link set lo mtu 1390; nsctl -n red link set lo mtu 1400; grep -q 'lo: .*mtu 1400' "$TMP/red"; }
	nsctl netns add red
	timeout 300 "$NSCTL" -s "$NETSTACKD_CONTROL" -n red monitor link >"$TMP/red" 2>&1 &
	wait_for 20 red_told # it listens now
	nsctl link set lo mtu 1401; nsctl link set lo mtu 65536
	nsctl -n red link set lo mtu 1402
	wait_for 10 grep -q 'lo: .*mtu 1402' "$TMP/red"; nsctl netns del red
	wait $!; status=$?
	cat "$TMP/red"
	[ $status -eq 3 ] && ! grep -q 1401 "$TMP/red"
}
check "nsctl monitor link in another namespace hears that one, and ends with it" ns_events

# ---- the unmodified ip(8), which takes netstackd for the kernel (nlshim.c)
if ${CC:-cc} -shared -fPIC -O1 -o "$TMP/nlshim.so" "$SRC/tests/netns/nlshim.c" -ldl 2>"$TMP/cc.log"; then
	# In a namespace where nothing of value has a name of ours: an ip that the preloading did not answers would speak to the kernel.
	ns shim
	theirs() { in_ns shim env LD_PRELOAD="$TMP/nlshim.so" NSNL_SOCKET="$TMP/rtnetlink" ip "$@"; }
	shows() { theirs "${@:2}" | tee "$TMP/ip.out"; theirs "${@:2}" | grep -q -- "$1"; }
	check "ip link lists our links" shows '^2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo state UP mode DEFAULT group default qlen 1000' link
	check "ip -s -d link show dev eth0: counters, kind, the host's end" shows 'tun type tap.*parentbus host parentdev tap0' -s -d -o link show dev eth0
	check "ip link show type tun" shows 'eth1: ' link show type tun
	check "ip -j link is JSON" bash -c "nsenter --net='/run/netns/$(nsname shim)' env LD_PRELOAD='$TMP/nlshim.so' NSNL_SOCKET='$TMP/rtnetlink' ip -j link | python3 -c 'import json, sys; assert [l for l in json.load(sys.stdin) if l[\"ifname\"] == \"lo\"][0][\"operstate\"] == \"UNKNOWN\"'"
	bg_ns shim env LD_PRELOAD="$TMP/nlshim.so" NSNL_SOCKET="$TMP/rtnetlink" timeout 300 ip -o monitor link >"$TMP/ipmon.ours" 2>&1
	wait_for 20 told ipmon.ours # it listens now
	check "ip link set mtu" theirs link set dev eth0 mtu 1433
	eventually "which is so" ours 'mtu 1433'
	eventually "and told to ip monitor link" grep -q 'eth0: .*mtu 1433' "$TMP/ipmon.ours"
	complains() { theirs link set dev eth0 mtu 12 2>&1 | tee "$TMP/ip.err"; grep -q 'the MTU must be from 68' "$TMP/ip.err"; }
	check "ip says why not, in netstackd's words" complains
	check "ip link add: a dummy, a bridge with a port, a VLAN" eval 'theirs link add d0 type dummy && theirs link add br0 type bridge && theirs link set d0 master br0 up mtu 1400 && theirs link set br0 up &&
		theirs link add link eth0 name eth0.7 mtu 1300 type vlan id 7'
	check "they are what they should be" shows 'd0: <BROADCAST,.*UP,LOWER_UP> mtu 1400 qdisc noqueue master br0 state UNKNOWN' -o link show master br0
	check "the VLAN, too" shows 'eth0.7@eth0: .*mtu 1300.* vlan protocol 802.1Q id 7' -d -o link show type vlan
	check "ip link del" eval 'theirs link del eth0.7 && theirs link del br0 && theirs link del d0'
	nsctl netns add red; nsctl link add va type veth peer vb netns red
	check "a veth whose other end is in another namespace" shows 'va@if[0-9]*: .* link-netnsid [1-9]' -o link show dev va
	nsctl netns del red
	check "ip link add: a veth pair, each end with what it was given" eval 'theirs link add v0 mtu 1300 type veth peer name v1 mtu 1400 address 02:00:00:00:0a:01 && nsctl link set v0 up && nsctl link set v1 up'
	check "they are what they should be" shows 'v1@v0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 .*02:00:00:00:0a:01 .*veth' -d -o link show dev v1
	check "and gone together" eval 'theirs link del v0 && ! nsctl link show v1'
	check "a kind that is not made so is refused with a sentence" eval 'theirs link add m0 link eth0 type macvlan 2>&1 | grep -q "not known here"'
	check "a link gets another name" eval 'theirs link set dev eth1 name lan1 && nsctl link show lan1 && nsctl addr show lan1 | grep -q "inet 10.11.0.2/24 .* lan1$"'
	eventually "and ip monitor link is told" grep -q ': lan1: ' "$TMP/ipmon.ours"
	check "frames pass" reach h 10.11.0.2
	check "a name that is taken is refused with a sentence" eval 'theirs link set dev lan1 name eth0 2>&1 | grep -q "there is a link eth0 already"'
	check "a reload of a file with the old name gives it back" eval 'nsctl reload && nsctl link show eth1 && ! nsctl link show lan1'
	check "ip link set down" theirs link set dev eth0 down
	eventually "which is so" ours 'state DOWN'
	check "up, with another MAC address" theirs link set dev eth0 mtu 1500 address 02:00:00:00:0e:00 up
	eventually "which is so" ours 'LOWER_UP.*state UP'
else
	ok "# SKIP no compiler for nlshim.c"
fi

# ---- from us to the host
nsenter --net="/run/netns/$H" ip -o monitor link >"$TMP/ipmon" 2>&1 & PIDS+=($!)
wait_for 5 bash -c "nsenter --net=/run/netns/$H ip link set lo down; nsenter --net=/run/netns/$H ip link set lo up; grep -q ': lo:' '$TMP/ipmon'" # it listens now
eventually "eth0 is up, with a carrier" ours 'LOWER_UP.*state UP'
eventually "and so is the host's end" hosts 'LOWER_UP.*state UP'
nsctl link set eth0 down
eventually "ip monitor link on the host shows what link set eth0 down did" grep -q 'tap0: <NO-CARRIER,BROADCAST,MULTICAST,UP>.*state DOWN' "$TMP/ipmon"
: >"$TMP/ipmon"
nsctl link set eth0 up
eventually "and what link set eth0 up did" grep -q 'tap0: <BROADCAST,MULTICAST,UP,LOWER_UP>.*state UP' "$TMP/ipmon"
nsctl link set eth0 carrier off
eventually "a cable that is pulled here is out there" hosts 'NO-CARRIER.*state DOWN'
nsctl link set eth0 carrier on
eventually "and in again" hosts 'LOWER_UP.*state UP'
nsctl link set eth0 mtu 1400
eventually "MTU: the host's end follows" hosts 'mtu 1400'
nsctl link set eth0 mtu 1500
eventually "and back" hosts 'mtu 1500'
eventually "frames pass" answers 10.10.0.2

# ---- link mode and state, names
check "a name that is taken is refused" eval '! nsctl link set eth0 name eth1'
check "link set name: the TAP stays, frames pass" eval 'nsctl link set eth0 name wan && reach h 10.10.0.2 && nsctl -j link show wan | grep -q "\"host_name\":\"tap0\""'
check "and is saved so" saved 'addr add 10.10.0.2/24 dev wan'
nsctl link set wan name eth0
check "mode dormant" nsctl link set eth0 mode dormant
check "is saved" saved 'link set eth0 up mode dormant'
nsctl link set eth0 carrier off
eventually "without a cable it is down" ours 'state DOWN mode DORMANT'
nsctl link set eth0 carrier on
eventually "a cable alone does not bring it up" ours 'state DORMANT mode DORMANT'
eventually "which the host sees" hosts 'state DORMANT mode DORMANT'
check "a state that cannot be is said to stay" eval 'nsctl link set eth0 state testing 2>&1 | grep -q "its state stays DORMANT"'
check "state up does" eval 'nsctl link set eth0 state up && ours "state UP mode DORMANT"'
eventually "for the host, too" hosts 'state UP'
check "a reload takes the mode away" eval 'nsctl reload && ! ours DORMANT'

# ---- from the host to us
nsctl route add 10.50.0.0/16 via 10.10.0.1
"$NSCTL" monitor link >"$TMP/monitor" 2>&1 & PIDS+=($!)
CHANGES=$(nsctl -j link show eth0 | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["carrier_changes"])')
wait_for 20 told monitor # it listens now
host ip link set tap0 down
eventually "ip link set tap0 down pulls the cable of eth0" ours 'NO-CARRIER.*UP>.*state DOWN'
check "its routes stay" routed '10.50.0.0/16 via 10.10.0.1'
check "eth1 knows nothing of it" ours 'LOWER_UP.*state UP' eth1
host ip link set tap0 up
eventually "up puts it in again" ours 'LOWER_UP.*state UP'
eventually "nsctl monitor link has seen both" bash -c "grep -q 'eth0: <NO-CARRIER.*state DOWN' '$TMP/monitor' && grep -q 'eth0: <BROADCAST,MULTICAST,UP,LOWER_UP>.*state UP' '$TMP/monitor'"
check "two changes of carrier were counted" json eth0 "l['carrier_changes'] == $CHANGES + 2"
eventually "frames pass again" answers 10.10.0.2
host ip link set tap0 mtu 1300
eventually "an MTU that the host sets is ours, too" ours 'mtu 1300'
check "and is saved" saved 'eth0 type tap host-name tap0 .*mtu 1300'
nsctl link set eth0 mtu 1500
eventually "until we set another" hosts 'mtu 1500'
host ip link set tap0 down; host ip link set tap0 name cable; host ip link set cable up
eventually "renamed on the host: host-name follows" json eth0 "l['host_name'] == 'cable'"
check "and is saved" saved 'eth0 type tap host-name cable'
eventually "the cable is in" ours 'LOWER_UP.*state UP'
nsctl link set eth0 mtu 1450
eventually "what we change goes to the new name" hosts 'mtu 1450' cable
host ip link add tap0 type bridge
nsctl link set eth0 mtu 1440
check "another's tap0 is left alone" hosts 'mtu 1500' tap0
eventually "ours is changed" hosts 'mtu 1440' cable
host ip link del tap0
host ip link set cable down; host ip link set cable name tap0; host ip link set tap0 up
eventually "named back" json eth0 "l['host_name'] == 'tap0'"

# ---- a TAP deleted under the daemon
eventually "up before" ours 'LOWER_UP.*state UP'
host ip link del tap0
eventually "deleted on the host: no carrier, not present" ours 'NO-CARRIER.*state NOTPRESENT'
eventually "eth1 goes on" answers 10.11.0.2
check "its routes stay" routed '10.50.0.0/16 via 10.10.0.1'
refuse "the host does not get it back by itself" hosts tap0
check "link set up makes it anew" nsctl link set eth0 up
eventually "with a carrier" ours 'LOWER_UP.*state UP'
eventually "and everything that it had: MTU and address" bash -c "nsenter --net=/run/netns/$H ip addr show tap0 | grep -q 'inet 10.10.0.1/24' && nsenter --net=/run/netns/$H ip link show tap0 | grep -q 'mtu 1440'"
eventually "frames pass" answers 10.10.0.2
host ip link del tap0
eventually "deleted again" ours 'NOTPRESENT'
host ip tuntap add tap0 mode tap multi_queue vnet_hdr
eventually "a TAP that somebody makes in its place is taken up" ours 'LOWER_UP.*state UP'
eventually "frames pass" answers 10.10.0.2
host ip link del tap0
eventually "deleted once more" ours 'NOTPRESENT'
check "a reload makes it anew" nsctl reload
eventually "with a carrier" ours 'LOWER_UP.*state UP'
eventually "frames pass" answers 10.10.0.2

# ---- in a network namespace of netstackd's
nsctl netns add blue
nsctl -n blue link add eth0 type tap host-name tapblue
nsctl -n blue link set eth0 up
blue() { nsctl -n blue link show eth0 | grep -q -- "$1"; }
eventually "a TAP of another namespace is up" blue 'LOWER_UP.*state UP'
host ip link set tapblue down
eventually "ip link set down pulls that cable" blue 'NO-CARRIER.*state DOWN'
check "and not that of another link of that name" ours 'LOWER_UP.*state UP'
host ip link set tapblue up
eventually "and up puts it in" blue 'LOWER_UP.*state UP'
host ip link del tapblue
eventually "deleted" blue 'state NOTPRESENT'
check "made anew" nsctl -n blue link set eth0 up
eventually "with a carrier" blue 'LOWER_UP.*state UP'
check "and gone with its namespace" nsctl netns del blue
no_tapblue() { ! host ip link show tapblue; }
eventually "on the host, too" no_tapblue

# ---- more events than the socket holds
freeze
python3 - >"$TMP/batch" <<'PY'
for i in range(1500):
    print(f"link set lo mtu {60000 + i}")
print("link set tap0 down\nlink set tap1 mtu 1234")
PY
host ip -batch "$TMP/batch"
kill -CONT "$DAEMON_PID"
eventually "events are lost, and asked for" grep -q 'asking for all links again' "$TMP/daemon.log"
eventually "the cable that was pulled meanwhile is out" ours 'NO-CARRIER.*state DOWN'
eventually "and the MTU is known" ours 'mtu 1234' eth1
freeze
printf 'link set lo mtu 61000\nlink del tap1\n' >>"$TMP/batch"
host ip -batch "$TMP/batch"
kill -CONT "$DAEMON_PID"
eventually "one that was deleted meanwhile is gone" ours 'NOTPRESENT' eth1
host ip link set tap0 up
eventually "and all goes on" ours 'LOWER_UP.*state UP'
eventually "frames pass" answers 10.10.0.2
check "no assertion and no sanitizer has spoken" bash -c "! grep -iE 'sanitizer|assert' '$TMP/daemon.log'"
check_stop
plan_end
