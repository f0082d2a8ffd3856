#!/bin/bash
# SPDX-License-Identifier: MIT
# xdp.sh: eBPF programs, compiled by clang from examples/xdp and from here, on links of the daemon.
#
#   namespace r: the daemon, host ends tapa 10.3.0.1/24 (eth0 10.3.0.2) and tapb, which is moved to
#   namespace b: tapb 10.3.0.9/24 (eth1 has 10.4.0.2: only a program joins the two)
. "$(dirname "$0")/lib.sh"
need ping python3 jq
[ -x "$BUILD/bench/limit/flood" ] || bail "$BUILD/bench/limit/flood is not built"
{ command -v clang && [ -e /usr/include/bpf/bpf_helpers.h ]; } >/dev/null || { echo "1..0 # SKIP clang or libbpf-dev is missing"; exit 0; }
compile() { # SOURCE OBJECT [FLAG...]
	clang -O2 -g -Wall -Werror -target bpf -I"/usr/include/$(uname -m)-linux-gnu" "${@:3}" -c "$1" -o "$2"
}
for p in drop_udp udp_echo patch; do check "clang compiles examples/xdp/$p.c" compile "$SRC/examples/xdp/$p.c" "$TMP/$p.o"; done
cat >"$TMP/bad.c" <<'C'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
/* No bounds are checked: the kernel would refuse it; here it runs until it does wrong. */
SEC("xdp") int beyond(struct xdp_md *ctx) { return ((volatile unsigned char *)(long)ctx->data)[60000] ? XDP_PASS : XDP_DROP; }
SEC("xdp/forever") int forever(struct xdp_md *ctx) { volatile int i = 0; while (i >= 0) i = i + 1 & 7; return XDP_PASS; }
SEC("xdp/encap") int encap(struct xdp_md *ctx) { /* grows and shrinks back: the same frame */
	unsigned char *p, *end;
	if (bpf_xdp_adjust_head(ctx, -200) || bpf_xdp_adjust_tail(ctx, 40)) return XDP_ABORTED;
	p = (void *)(long)ctx->data; end = (void *)(long)ctx->data_end;
	if (p + 1 > end) return XDP_ABORTED;
	p[0] = 0xff;
	if (bpf_xdp_adjust_head(ctx, 200) || bpf_xdp_adjust_tail(ctx, -40)) return XDP_ABORTED;
	return XDP_PASS;
}
C
check "clang compiles programs that do wrong" compile "$TMP/bad.c" "$TMP/bad.o" -Wno-parentheses
cat >"$TMP/typed.c" <<'C'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
typedef _Bool flag;
enum verdict { LET_IN = 3, KEEP_OUT = 9 };
struct flow { __be32 saddr; __be16 dport; __u8 proto, pad; };
struct seen { __u64 frames; __s32 delta; flag odd; unsigned char mac[6]; char tag[5]; enum verdict verdict; unsigned lo : 3, hi : 5; __s16 list[3];
	union { __u32 word; __be16 half[2]; }; struct { __u8 inner; } in; void *where; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, struct flow); __type(value, struct seen); } flows SEC(".maps");
static volatile __u32 runs;
volatile char greeting[8] = "hello";
SEC("xdp") int typed(struct xdp_md *ctx) {
	struct flow k = { bpf_htonl(0x0a030001), bpf_htons(443), 17, 0 };
	struct seen v = { .frames = 7, .delta = -2, .odd = 1, .mac = { 2, 0, 0, 0, 0, 0xab }, .tag = "ab", .verdict = KEEP_OUT, .lo = 5, .hi = 17, .list = { 1, -1, 300 },
		.word = 1, .in = { 4 }, .where = (void *)0x10 };
	runs++;
	return bpf_map_update_elem(&flows, &k, &v, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
}
C
cat >"$TMP/public.c" <<'C'
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
/* What programs that one finds use: tail calls, an LRU map, prefixes, routes, events. */
int block(struct xdp_md *), route(struct xdp_md *);
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int(struct xdp_md *)); } stages SEC(".maps") =
	{ .values = { [1] = (void *)&block } };
struct cidr { __u32 len; __be32 addr; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 16); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct cidr); __type(value, __u32); } blocked SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 2); __type(key, __be32); __type(value, __u64); } recent SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } events SEC(".maps");
static struct iphdr *ip_of(struct xdp_md *ctx) {
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	return (void *)(ip + 1) <= (void *)(long)ctx->data_end && eth->h_proto == bpf_htons(ETH_P_IP) ? ip : 0;
}
SEC("xdp") int first(struct xdp_md *ctx) {
	struct iphdr *ip = ip_of(ctx);
	__u64 now = bpf_ktime_get_ns();
	if (!ip) return XDP_PASS;
	bpf_map_update_elem(&recent, &ip->daddr, &now, BPF_ANY);
	bpf_tail_call(ctx, &stages, 1);
	return XDP_ABORTED;
}
SEC("xdp") int block(struct xdp_md *ctx) {
	struct iphdr *ip = ip_of(ctx);
	struct cidr k = { 32, ip ? ip->saddr : 0 };
	__u32 one = 1;
	if (bpf_map_lookup_elem(&blocked, &k)) { bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &one, 4); return XDP_DROP; }
	bpf_tail_call(ctx, &stages, 2);
	return XDP_PASS;
}
SEC("xdp") int route(struct xdp_md *ctx) {
	struct iphdr *ip = ip_of(ctx);
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct bpf_fib_lookup fib = { .family = 2, .ifindex = ctx->ingress_ifindex };
	if (!ip || ip->ttl < 2) return XDP_PASS;
	fib.ipv4_src = ip->saddr; fib.ipv4_dst = ip->daddr; fib.tot_len = bpf_ntohs(ip->tot_len);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS) return XDP_PASS;
	__builtin_memcpy(eth->h_dest, fib.dmac, 6); __builtin_memcpy(eth->h_source, fib.smac, 6);
	__be32 before, after; /* ttl and protocol */
	__builtin_memcpy(&before, &ip->ttl, 4);
	ip->ttl--;
	__builtin_memcpy(&after, &ip->ttl, 4);
	after &= bpf_htonl(0xffff0000); before &= bpf_htonl(0xffff0000);
	__u64 sum = bpf_csum_diff(&before, 4, &after, 4, ~ip->check & 0xffff);
	ip->check = 0;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
	return bpf_redirect(fib.ifindex, 0);
}
C
check "clang compiles what programs that one finds use" compile "$TMP/public.c" "$TMP/public.o"
printf '%s\n' '#include <linux/bpf.h>' '#include <bpf/bpf_helpers.h>' 'struct { __uint(type, BPF_MAP_TYPE_CPUMAP); __uint(max_entries, 4); __type(key, __u32); __type(value, __u32); } cpus SEC(".maps");' \
	'SEC("xdp") int spread(struct xdp_md *ctx) { return bpf_redirect_map(&cpus, 0, 0); }' >"$TMP/cpumap.c"
printf '%s\n' '#include <linux/bpf.h>' '#include <bpf/bpf_helpers.h>' 'SEC("xdp") int find(struct xdp_md *ctx) { struct bpf_sock_tuple t = {}; return bpf_sk_lookup_tcp(ctx, &t, 12, 0, 0) != 0; }' >"$TMP/socket.c"
check "and what is not supported" eval 'compile "$TMP/cpumap.c" "$TMP/cpumap.o" && compile "$TMP/socket.c" "$TMP/socket.o"'
check "clang compiles a program with types" compile "$TMP/typed.c" "$TMP/typed.o"
cat >"$TMP/udp.py" <<'PY'
import socket, sys
to, n = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
got = 0
for i in range(n):
    s.sendto(b"datagram %d" % i, to)
    if sys.argv[4] == "echo":
        got += s.recv(100) == b"datagram %d" % i
sys.exit(0 if sys.argv[4] != "echo" or got == n else 1)
PY
printf 'link add eth0 type tap\nlink set eth0 xdp %s\n' "$TMP/udp_echo.o" >"$TMP/probe.conf"
check "netstackd -n tries a program, too" "$NETSTACKD" -n -c "$TMP/probe.conf"
ns r; ns b
cp "$TMP/udp_echo.o" "$TMP/conf.o"
chmod 755 "$TMP"
daemon r --netlink "$TMP/rtnetlink" <<-CONF
	link add eth0 type tap host-name tapa host-addr 10.3.0.1/24
	link add eth1 type tap host-name tapb
	link set eth0 up
	link set eth1 up
	addr add 10.3.0.2/24 dev eth0
	addr add 10.4.0.2/24 dev eth1
	service add udp 9999 echo
	link set eth0 xdp $TMP/conf.o section udp_echo
CONF
move r tapb b 10.3.0.9/24
action() { nsctl -j show xdp "$1" | jq -e ".[0].actions.$2 $3" >/dev/null; } # DEV ACTION TEST
drops() { nsctl -j show drops | jq -e "[.[] | select(.reason == \"$1\")][0].count $2" >/dev/null; }
udp() { in_ns r python3 "$TMP/udp.py" "$@"; }
pings() { reach r "$1" && in_ns r ping -q -c 3 -i 0.05 -W 60 "$1" >/dev/null; }

# From the configuration file: TX
check "a program of the configuration file answers datagrams (TX)" udp 10.3.0.2 7 20 echo
check "and is counted" wait_for 5 action eth0 tx '>= 20'
check "its global variable is read as a map" bash -c "$NSCTL -j xdp map dump .bss dev eth0 | jq -e '.[0].value_number == 20'"
check "the stack has the rest: ping" pings 10.3.0.2
check "save writes the line" bash -c "$NSCTL save | grep -qxF 'link set eth0 xdp $TMP/conf.o section udp_echo'"
check "a reload" nsctl reload
check "leaves the same program alone" action eth0 tx '>= 20'
cp "$TMP/drop_udp.o" "$TMP/conf.o"
refuse "a reload with a file that has no such program is refused" nsctl reload
check "and leaves what runs" udp 10.3.0.2 7 2 echo
cp "$TMP/udp_echo.o" "$TMP/conf.o"

# link show and rtnetlink tell of it
check "link show names it" bash -c "$NSCTL link show eth0 | grep -q 'mtu 1500 xdpgeneric' && $NSCTL link show eth0 | grep -qE '^    prog/xdp id [0-9]+ name udp_echo$' && ! $NSCTL link show eth1 | grep -q xdp"
check "link show -j, too" bash -c "$NSCTL -j link show | jq -e 'map(select(.xdp)) | length == 1 and .[0].name == \"eth0\" and .[0].xdp.mode == 2 and .[0].xdp.prog.id > 0 and .[0].xdp.prog.name == \"udp_echo\"'"
bg_ns r timeout 60 "$NSCTL" monitor link >"$TMP/monitor" 2>&1
monitor=$!
monitored() { nsctl link set eth0 xdp "$TMP/udp_echo.o" && grep -q '^2: eth0: .* xdpgeneric' "$TMP/monitor"; }
check "nsctl monitor link is told when a program comes" wait_for 20 monitored
end_pid "$monitor"
if ${CC:-cc} -shared -fPIC -O1 -o "$TMP/nlshim.so" "$SRC/tests/netns/nlshim.c" -ldl 2>"$TMP/cc.log"; then
	ns shim # nothing there has a name of ours
	theirs() { in_ns shim env LD_PRELOAD="$TMP/nlshim.so" NSNL_SOCKET="$TMP/rtnetlink" ip "$@"; }
	theirs -d link show dev eth0 >"$TMP/ip.out"
	check "ip(8) sees it: xdpgeneric" grep -q 'mtu 1500 xdpgeneric' "$TMP/ip.out"
	check "and its number" grep -q "prog/xdp id $(nsctl -j link show eth0 | jq '.[0].xdp.prog.id')" "$TMP/ip.out"
else
	ok "# SKIP no compiler for nlshim.c"
fi

# By hand: DROP and maps
check "another program in its place" bash -c "cd $TMP && $NSCTL link set eth0 xdp drop_udp.o"
check "save has the absolute path" bash -c "$NSCTL save | grep -qxF 'link set eth0 xdp $TMP/drop_udp.o'"
check "before its map is set the echo service answers" udp 10.3.0.2 9999 5 echo
check "a map is written" nsctl xdp map update port key 0 value 9999 dev eth0
check "datagrams are sent" udp 10.3.0.2 9999 30 send
check "and dropped" wait_for 5 action eth0 drop '== 30'
check "the drop has a name" wait_for 5 drops xdp_drop '== 30'
check "a per-CPU map counts them" bash -c "$NSCTL -j xdp map dump counts | jq -e '[.[1] | .cpus[]?, . | .value // empty | select(startswith(\"1e00000000000000\"))] | length == 1'"
check "a hash map knows the sender, by address" bash -c "$NSCTL xdp map dump senders | grep -qxF 'key 10.3.0.1 value 30' && $NSCTL -j xdp map dump senders | jq -e '.[0].key == \"0a030001\" and .[0].value_number == 30'"
check "an element is deleted" nsctl xdp map delete senders key 10.3.0.1
check "and is gone" bash -c "$NSCTL -j xdp map dump senders | jq -e 'length == 0'"
check "other frames pass" pings 10.3.0.2
check "tables for people" bash -c "$NSCTL show xdp | grep -q 'drop_udp from .*interpreter' && $NSCTL xdp map show | grep -qE '^eth0 +senders +hash' && $NSCTL xdp map dump port | grep -qx 'key 0 value 9999'"

# Elements by their types
check "a program with types" nsctl link set eth0 xdp "$TMP/typed.o"
check "runs" pings 10.3.0.2
check "keys and values have names" bash -c "$NSCTL -j xdp map dump flows | jq -ce '.[0].formatted' | tee /dev/stderr | grep -qxF '{\"key\":{\"saddr\":\"10.3.0.1\",\"dport\":443,\"proto\":17,\"pad\":0},\"value\":{\"frames\":7,\"delta\":-2,\"odd\":true,\"mac\":\"02:00:00:00:00:ab\",\"tag\":\"ab\",\"verdict\":\"KEEP_OUT\",\"lo\":5,\"hi\":17,\"list\":[1,-1,300],\"word\":1,\"half\":[256,0],\"in\":{\"inner\":4},\"where\":\"0x10\"}}'"
check "for people, too" bash -c "$NSCTL xdp map dump flows | grep -qF 'key { saddr 10.3.0.1 dport 443 proto 17 pad 0 } value { frames 7 delta -2 odd true mac 02:00:00:00:00:ab tag ab verdict KEEP_OUT lo 5 hi 17 list [1 -1 300] '"
check "and global variables" bash -c "$NSCTL xdp map dump .data | grep -qxF 'key 0 value { greeting hello }' && $NSCTL -j xdp map dump .bss | jq -e '.[0].formatted.value.runs >= 3'"

# Tail calls, LRU, prefixes, routes
check "a program of three stages" nsctl link set eth0 xdp "$TMP/public.o" section first
check "prog_array: the object file lists one, the other is named" bash -c "$NSCTL xdp map dump stages | grep -qxF 'key 1 value block' && $NSCTL xdp map update stages key 2 value route"
refuse "a program that there is not" nsctl xdp map update stages key 2 value nosuch
check "the stack is still reached" pings 10.3.0.2
check "a prefix" nsctl xdp map update blocked key 10.3.0.0/24 value 1
in_ns r ping -q -c 2 -i 0.05 -W 1 10.3.0.2 >/dev/null
check "is blocked" action eth0 drop '>= 2'
check "and shown" bash -c "$NSCTL xdp map dump blocked | grep -qxF 'key 10.3.0.0/24 value 1'"
check "and let through again" bash -c "$NSCTL xdp map delete blocked key 10.3.0.0/24"
check "routing is switched on, and there is a way to b" bash -c "$NSCTL sysctl net.ipv4.ip_forward=1 && $NSCTL neigh add 10.4.0.9 lladdr $(in_ns b ip -j link show tapb | jq -r '.[0].address') dev eth1"
in_ns b ip addr add 10.4.0.9/24 dev tapb
in_ns b ip route add 10.3.0.1/32 via 10.4.0.2
in_ns r ip route add 10.4.0.0/24 via 10.3.0.2
check "frames take it without the stack" pings 10.4.0.9
check "and are counted" action eth0 redirect '>= 3'
check "the LRU map has its two" bash -c "$NSCTL -j xdp map dump recent | jq -e 'length == 2 and any(.[]; .formatted.key == \"10.4.0.9\")'"
in_ns b ip route del 10.3.0.1/32; in_ns b ip addr del 10.4.0.9/24 dev tapb
refuse_with() { local out; out=$(nsctl "${@:2}" 2>&1) && return 1; grep -q "$1" <<<"$out"; }
check "a map that is not supported is named" refuse_with 'map cpus: maps of type cpumap.*rps-cpus' link set eth0 xdp "$TMP/cpumap.o"
check "so is a helper" refuse_with 'bpf_sk_lookup_tcp' link set eth0 xdp "$TMP/socket.o"

# REDIRECT: a wire between the two TAPs
check "a wire, one way" bash -c "$NSCTL link set eth0 xdp $TMP/patch.o && $NSCTL xdp map update wire key 0 value eth1 dev eth0"
check "and the other" bash -c "$NSCTL link set eth1 xdp $TMP/patch.o && $NSCTL xdp map update wire key 0 value eth0 dev eth1"
check "the far host answers as if it were on the cable" pings 10.3.0.9
bg_ns b python3 -c "
import socket
s = socket.create_server(('10.3.0.9', 8000))
c, _ = s.accept()
n = 0
while True:
    d = c.recv(65536)
    if not d: break
    n += len(d)
c.sendall(b'%d' % n)"
wait_for 10 listens b 8000
check "TCP over the wire" bash -c "nsenter --net=/run/netns/$(nsname r) python3 -c \"
import socket
s = socket.create_connection(('10.3.0.9', 8000), 60)
s.settimeout(200)
s.sendall(bytes(3000000)); s.shutdown(socket.SHUT_WR)
raise SystemExit(s.recv(100) != b'3000000')\""
check "redirects are counted" wait_for 5 action eth0 redirect '> 5'
check "to a link that is down:" nsctl link set eth1 down
tried() { in_ns r ping -q -c 1 -W 1 "$1" >/dev/null; "${@:2}"; } # ADDRESS CMD...: CMD after a ping that is not answered
check "the drop has a name" wait_for 5 tried 10.3.0.9 drops xdp_redirect '>= 1'
check "and is counted" wait_for 5 action eth0 redirect_errors '>= 1'
nsctl link set eth1 up
check "the link goes, its program with it" bash -c "$NSCTL link del eth1 && ! $NSCTL show xdp eth1 2>/dev/null && $NSCTL -j show xdp | jq -e 'length == 1'"

# Programs that do wrong
check "a program without bounds checks" nsctl link set eth0 xdp "$TMP/bad.o"
check "is stopped at each frame (ABORTED)" wait_for 10 tried 10.3.0.2 action eth0 aborted '>= 2'
check "the drop has a name" wait_for 5 drops xdp_aborted '>= 2'
check "show xdp says what it did" bash -c "$NSCTL show xdp eth0 | grep -qE 'faults: .* reads 1 bytes at the frame\+60000'"
check "a program that never ends" nsctl link set eth0 xdp "$TMP/bad.o" section forever
check "is stopped, too" wait_for 10 tried 10.3.0.2 bash -c "$NSCTL show xdp eth0 | grep -q 'more than 65536 instructions'"
mac=$(nsctl -j link show eth0 | jq -r '.[0].address')
bg_ns r "$BUILD/bench/limit/flood" tapa 64 800 "$mac" 10.3.0.1 10.4.0.9 -1 >/dev/null 2>&1
flood=$!
check "under a flood" wait_for 60 action eth0 aborted '> 200'
check "commands that ask every worker are answered, each within half a minute" bash -c "for i in \$(seq 20); do timeout 30 $NSCTL show softnet >/dev/null || exit 1; done"
check "and changes of the configuration" bash -c "for i in \$(seq 5); do timeout 30 $NSCTL route add 10.9.\$i.0/24 via 10.3.0.1 && timeout 30 $NSCTL route del 10.9.\$i.0/24 || exit 1; done"
check "the program goes while the flood lasts" nsctl link set eth0 xdp off
end_pid "$flood"
check "a program that grows frames at both ends" nsctl link set eth0 xdp "$TMP/bad.o" section encap
check "and shrinks them again" pings 10.3.0.2
check "nothing was aborted" action eth0 aborted '== 0'
check "off" nsctl link set eth0 xdp off
check "nothing is left" bash -c "$NSCTL -j show xdp | jq -e 'length == 0' && ! $NSCTL save | grep -q xdp"
check "the stack has all again" pings 10.3.0.2

# What is refused
for words in "eth0 xdp /nonexistent" "eth0 xdp /etc/passwd" "eth0 xdp $BUILD/nsctl" "eth0 xdp $TMP" "eth0 xdp $TMP/bad.o section nosuch" "lo xdp $TMP/patch.o" \
	"eth0 xdp off section x" "eth0 section x" "eth0 xdp x object !!!" "eth9 xdp $TMP/patch.o"; do
	refuse "refused: link set $words" nsctl link set $words
done
head -c 3000 "$TMP/drop_udp.o" >"$TMP/short.o"
refuse "half a file" nsctl link set eth0 xdp "$TMP/short.o"
refuse "a map of no program" nsctl xdp map dump counts
check_stop
plan_end
