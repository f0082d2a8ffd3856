#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# capture.sh: "nsctl capture" against what reads captures: tcpdump and tshark.
#
#   host (10.9.0.1/24) ---- tap0 = eth0 (10.9.0.2) netstackd (10.8.0.1) eth1 = tap1 ---- far (10.8.0.2/24)
#
# Files and live pipes, filters, drop reasons, a reader that is stopped, a full disk, several captures at once. No test looks at how fast anything is.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
need tcpdump tshark ping unshare

ns host
ns far
daemon host <<CONF
sysctl net.ipv4.ip_forward=1
link add eth0 type tap host-name tap0 host-addr 10.9.0.1/24
link add eth1 type tap host-name tap1
link set eth0 up
link set eth1 up
addr add 10.9.0.2/24 dev eth0
addr add 10.8.0.1/24 dev eth1
service add tcp 9 discard
service add tcp 7 echo
CONF
move host tap1 far 10.8.0.2/24 10.8.0.1
in_ns host ip route add 10.8.0.0/24 via 10.9.0.2
wait_for 10 in_ns host ping -c 1 -W 1 10.8.0.2 || bail "no way through the router"

# capture NAME ARGS...: in the background; its pid is in $CAP; ready when it says so
capture() {
	local name=$1; shift
	"$NSCTL" capture "$@" >"$TMP/$name.out" 2>"$TMP/$name.err" &
	CAP=$!; PIDS+=($CAP)
	wait_for 10 grep -q "capturing on" "$TMP/$name.err" || { sed 's/^/# /' "$TMP/$name.err"; return 1; }
}
# finish PID [SIGNAL]: its status
finish() { kill "-${2:-INT}" "$1" 2>/dev/null; ended "$1"; }
# all at once, and as long as the answers take: no request more than so many, no answer missed
pings() { in_ns host ping -q -c "${2:-3}" -l "${2:-3}" -i 60 -W 60 "$1" >/dev/null; }
# ended PID: its status. One that ought to end and does not is ended.
ended() { wait_for 10 gone "$1" || kill -KILL "$1" 2>/dev/null; wait "$1"; }
# what tshark says of a capture, a line a packet: link direction length kept type-of-ICMP TTL UDP-port SYN seconds comment, of the outermost headers
table() { tshark -n -r "$1" -T fields -E separator='|' -E occurrence=f -e frame.interface_name -e frame.packet_flags_direction -e frame.len -e frame.cap_len -e icmp.type -e ip.ttl \
	-e udp.dstport -e tcp.flags.syn -e frame.time_epoch -e frame.comment >"$1.table" 2>/dev/null; }
# shark N NAME CONDITION: so many packets of it fulfil the condition (awk, with the names below)
shark() {
	local got
	got=$(awk -F'|' '{ link = $1; dir = $2 % 10; len = $3; kept = $4; icmp = $5 == "" ? -1 : $5 + 0; ttl = $6; port = $7; syn = $8; time = int($9); comment = $10 }
		'"$3"' { n++ } END { print n + 0 }' "$TMP/$2.pcapng.table")
	[ "$got" -eq "$1" ] || { echo "$got packets, not $1"; head -n 20 "$TMP/$2.pcapng.table"; return 1; }
}
lines() { wc -l <"$1"; }
# has N COMMAND...: its output has N lines
has() { local n=$1 got; shift; got=$("$@" 2>/dev/null | wc -l); [ "$got" -eq "$n" ] || { echo "$got lines, not $n"; return 1; }; }
err_number() { sed -n "s/^\([0-9]*\) packets $1\$/\1/p" "$TMP/$2.err"; }

# ---- who died. All of it is read in few turns, and each packet stands where the one before it stood
capture told -i eth0 -w "$TMP/told.pcapng" arp
T=$CAP
kill -STOP "$DAEMON_PID"
in_ns host python3 - <<-'PY'
	import socket
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("tap0", 0x0806))
	mac, ip = s.getsockname()[4], bytes([10, 9, 0, 1])
	for i in range(30):
	    s.send(b"\xff" * 6 + mac + b"\x08\x06\0\1\x08\0\6\4\0\2" + mac + ip + mac + ip) # says what is known
	    s.send(b"\xff" * 6 + mac + b"\x88\x99" + bytes(50)) # nobody's protocol
PY
kill -CONT "$DAEMON_PID"
strangers() { [ "$(nsctl show drops | awk '$2 == "unhandled_proto" { print $1 }')" -ge 30 ]; }
check "frames of a strange protocol are dropped" wait_for 20 strangers
check "a capture of ARP ends" finish "$T"
table "$TMP/told.pcapng"
check "what the others died of is not said of packets that stood in the same place" bash -c "[ \"\$(grep -c . '$TMP/told.pcapng.table')\" -ge 30 ] && ! grep dropped '$TMP/told.pcapng.table'"

# ---- a file
capture file -i eth0 -w "$TMP/file.pcapng"
F=$CAP
pings 10.9.0.2 4
in_ns host bash -c 'exec 3<>/dev/tcp/10.9.0.2/7; echo hello >&3; read -r -u 3 x; [ "$x" = hello ]' || not_ok "echo service"
finish "$F"
check "Ctrl-C ends a capture with status 0" [ $? -eq 0 ]
check "tcpdump -r finds the requests and the replies" has 8 tcpdump -nr "$TMP/file.pcapng" icmp
table "$TMP/file.pcapng"
check "tshark -r too, with their direction" shark 4 file 'icmp == 8 && dir == 1'
check "what we sent is marked as sent" shark 4 file 'icmp == 0 && dir == 2'
check "a TCP conversation is whole" shark 2 file 'syn == "1" || syn == "True"'
check "its head says on which system" grep -aqF "$(uname -s) $(uname -r)" "$TMP/file.pcapng"
check "the link has its name" shark "$(err_number captured file)" file 'link == "eth0"'
check "what the filter let pass is told" [ "$(err_number 'received by the filter' file)" = "$(err_number captured file)" ]
check "the statistics at the end agree" [ "$(err_number 'dropped by the capture' file)" = 0 ]
check "times have nanoseconds and are now" shark "$(err_number captured file)" file "time > $(($(date +%s) - 300)) && time <= $(date +%s)"

# ---- filters, text, JSON, an end by count
capture count -i eth0 -c 4 -s 60 -w "$TMP/count.pcapng" icmp and host 10.9.0.2
pings 10.9.0.2 4
ended "$CAP"
check "-c ends by itself" [ $? -eq 0 ]
check "and has so many, the filter's only" has 4 tcpdump -nr "$TMP/count.pcapng" icmp
table "$TMP/count.pcapng"
check "-s cuts them" shark 4 count 'kept == 60 && len == 98'
capture text -c 2 'icmp[icmptype] == icmp-echo or icmp[icmptype] == icmp-echoreply'
pings 10.9.0.2 1
ended "$CAP"
check "without -w: a line a packet" grep -Eq '^[0-9:.]+ in  eth0 10\.9\.0\.1 > 10\.9\.0\.2 ICMP echo request' "$TMP/text.out"
check "both ways" grep -Eq '^[0-9:.]+ out eth0 10\.9\.0\.2 > 10\.9\.0\.1 ICMP echo reply' "$TMP/text.out"
"$NSCTL" -j capture -c 1 -i eth1 outbound and icmp >"$TMP/json.out" 2>"$TMP/json.err" &
J=$!; PIDS+=($J)
wait_for 10 grep -q "capturing on" "$TMP/json.err"
pings 10.8.0.2 1
ended "$J"
check "-j: an object a packet" grep -q '"link":"eth1","direction":"out".*"packet":"10.9.0.1 > 10.8.0.2 ICMP echo request' "$TMP/json.out"
refuse "a wrong filter is refused" nsctl capture -i eth0 -w "$TMP/no.pcapng" this is no filter
check "with a sentence, and no file" test -s "$TMP/refuse.out" -a ! -e "$TMP/no.pcapng"
refuse "a filter with a slip is refused" nsctl capture -i eth0 cuont 3
check "and told what was meant" grep -q 'did you mean "count"' "$TMP/refuse.out"
refuse "an option of tcpdump's that is none here is refused" nsctl capture -n -i eth0 -w "$TMP/no.pcapng"
check "by its name" grep -q '"-n" is no option of capture' "$TMP/refuse.out"
refuse "an unknown link is refused" nsctl capture -i eth9 -w "$TMP/no.pcapng"
check "and leaves no file" test ! -e "$TMP/no.pcapng"
cp "$TMP/count.pcapng" "$TMP/kept.pcapng"
refuse "an unknown link is refused" nsctl capture -i eth9 -w "$TMP/kept.pcapng"
check "and a file that was there keeps what it had" cmp "$TMP/count.pcapng" "$TMP/kept.pcapng"
refuse "a file that cannot be written is refused" nsctl capture -i eth0 -w "$TMP/nowhere/x.pcapng"
check "before anything is captured" sh -c "grep -q 'nowhere/x.pcapng: No such file' '$TMP/refuse.out' && ! grep -q capturing '$TMP/refuse.out'"
refuse "a program that jumps out of itself is refused by the daemon" nsctl capture -i eth0 program '2,21 5 5 1,6 0 0 1'

# ---- live
"$NSCTL" capture -i eth0 -w - icmp 2>"$TMP/live.err" | tshark -n -l -r - >"$TMP/live.out" 2>/dev/null &
L=$!; PIDS+=($L)
wait_for 10 grep -q "capturing on" "$TMP/live.err"
pings 10.9.0.2 3
check "a pipe to tshark shows packets as they pass" wait_for 10 has 6 cat "$TMP/live.out"
kill -0 "$L" 2>/dev/null && ok "and goes on" || not_ok "and goes on"

# ---- drops: each with its reason; and in a capture of packets the reason stands at the packet
capture drops --drops -w "$TMP/drops.pcapng"
D=$CAP
capture all -i any -w "$TMP/all.pcapng"
A=$CAP
in_ns host ping -q -c 1 -t 1 -W 60 10.8.0.2 >/dev/null
in_ns host bash -c 'echo x >/dev/udp/10.9.0.2/4444'
check "drops are counted" wait_for 10 sh -c "\"$NSCTL\" show drops | grep -q no_socket"
finish "$D"; finish "$A"
table "$TMP/drops.pcapng"; table "$TMP/all.pcapng"
check "--drops: the packet whose time ran out" shark 1 drops 'icmp == 8 && ttl == 1 && comment ~ /^dropped: ip_ttl: /'
check "--drops: the datagram that nobody wanted" shark 1 drops 'port == 4444 && comment ~ /^dropped: no_socket: /'
check "--drops: nothing that lived" shark 0 drops 'comment == ""'
check "a capture of packets has it once, with the reason" shark 1 all 'port == 4444 && icmp < 0 && comment ~ /no_socket/'
check "and nothing twice" shark 1 all 'port == 4444 && icmp < 0'
check "-i any names the links" shark 1 all 'ttl == 1 && icmp == 8 && link == "eth0"'

# ---- for other stations
in_ns host ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev tap0
capture promisc -i eth0 -w "$TMP/promisc.pcapng" icmp
P=$CAP
capture plain -p -i eth1 -w "$TMP/plain.pcapng" icmp
Q=$CAP
in_ns far ip neigh replace 10.8.0.77 lladdr 02:00:00:00:00:77 dev tap1
in_ns host ping -q -c 2 -i 0.05 -W 1 10.9.0.77 >/dev/null
in_ns far ping -q -c 2 -i 0.05 -W 1 10.8.0.77 >/dev/null
pings 10.8.0.2 1
wait_for 10 has 2 tcpdump -nr "$TMP/promisc.pcapng" host 10.9.0.77 # by way of another worker, perhaps
finish "$P"; finish "$Q"
check "frames for other stations are seen" has 2 tcpdump -nr "$TMP/promisc.pcapng" host 10.9.0.77
check "but not with -p" has 0 tcpdump -nr "$TMP/plain.pcapng" host 10.8.0.77
check "two captures at once: each has its own packets" has 2 tcpdump -nr "$TMP/plain.pcapng" host 10.8.0.2

# ---- two signals at once, as timeout(1) sends them, are one
capture twice -i eth0 -w "$TMP/twice.pcapng"
pings 10.9.0.2 1
kill -STOP "$CAP"; wait_for 10 grep -q '^State:.T' "/proc/$CAP/status"
kill -INT "$CAP"; kill -TERM "$CAP"; kill -CONT "$CAP"
check "two signals at once are one: the rest and the statistics come" ended "$CAP"
check "as many as were captured" has "$(err_number captured twice)" tcpdump -nr "$TMP/twice.pcapng"
check "and the daemon's numbers" test "$(err_number 'received by the filter' twice)" -gt 0

# ---- nobody reads what we write
mkfifo "$TMP/pipe"; exec 7<>"$TMP/pipe"
"$NSCTL" capture -i eth0 -w - >"$TMP/pipe" 2>"$TMP/stuck.err" & P=$!; PIDS+=($P)
wait_for 10 grep -q "capturing on" "$TMP/stuck.err"
in_ns host timeout 60 ping -q -f -c 300 -s 1400 10.9.0.2 >/dev/null
wait_for 5 grep -q '^1 ' "/proc/$P/syscall" # it is in write(2), where the number is that
again() { kill -INT "$P" 2>/dev/null; gone "$P"; }
check "a second Ctrl-C ends a capture that waits for its reader" wait_for 10 again
exec 7<&-

# ---- a reader that is stopped: everything else goes on, and what it lost is counted
capture slow -i eth0 -B 128 -w "$TMP/slow.pcapng" tcp
S=$CAP
kill -STOP "$S"
check "a transfer of 40 MB goes through while the reader is stopped" timeout 300 nsenter --net="/run/netns/$(nsname host)" bash -c 'head -c 40000000 /dev/zero >/dev/tcp/10.9.0.2/9'
check "pings are answered" pings 10.9.0.2 3
check "the control socket answers" nsctl show version
kill -CONT "$S"
finish "$S" TERM
check "the stopped capture ends well" [ $? -eq 0 ]
check "it says what it lost" [ "$(err_number 'dropped by the capture' slow)" -gt 0 ]
check "and what it has can be read to the end" sh -c "tcpdump -nr '$TMP/slow.pcapng' 2>&1 >/dev/null | { ! grep -q 'truncated'; }"
check "as many as it says" has "$(err_number captured slow)" tcpdump -nr "$TMP/slow.pcapng"

# ---- a full disk
cat >"$TMP/full.sh" <<'FULL'
mount -t tmpfs -o size=64k none "$1/small" || exit 77
"$2" capture -i eth0 -w "$1/small/x.pcapng" 2>"$1/full.err"; status=$?
tcpdump -nr "$1/small/x.pcapng" >"$1/full.out" 2>"$1/full.tcpdump"; echo $? >"$1/full.read"
exit $status
FULL
mkdir "$TMP/small"
unshare -m bash "$TMP/full.sh" "$TMP" "$NSCTL" &
U=$!; PIDS+=($U)
wait_for 10 grep -q "capturing on" "$TMP/full.err"
full() { in_ns host ping -q -c 100 -i 0.002 -s 1000 -W 5 10.9.0.2 >/dev/null; gone "$U"; }
wait_for 10 full
ended "$U"
check "a full disk ends the capture with status 1" [ $? -eq 1 ]
check "and says so" grep -q "No space left on device" "$TMP/full.err"
check "its file ends with a whole packet" grep -qx 0 "$TMP/full.read"
check "which is there" test "$(lines "$TMP/full.out")" -gt 10
check "the daemon goes on" pings 10.9.0.2 1

# ---- a client that is gone, one that goes with its namespace
capture killed -i any -w "$TMP/killed.pcapng"
kill -KILL "$CAP"; wait "$CAP" 2>/dev/null
check "a client that is killed does no harm" pings 10.8.0.2 2
check "a namespace for a capture" nsctl netns add red
"$NSCTL" -n red capture -w "$TMP/red.pcapng" 2>"$TMP/red.err" &
R=$!; PIDS+=($R)
wait_for 10 grep -q "capturing on" "$TMP/red.err"
check "the namespace goes" nsctl netns del red
ended "$R"
check "and its capture ends with it, with status 1" [ $? -eq 1 ]
check "saying why" grep -q "the network namespace was removed" "$TMP/red.err"
check "a link for a capture" nsctl link add dummy0 type dummy
capture dummy -i dummy0 -w "$TMP/dummy.pcapng"
check "the link goes" nsctl link del dummy0
ended "$CAP"
check "and its capture ends, too" [ $? -eq 1 ]
check "saying why" grep -q "dummy0 was removed" "$TMP/dummy.err"
kill "$L" 2>/dev/null # tshark; its nsctl ends with the daemon
check_stop
plan_end
