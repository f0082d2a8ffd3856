/* SPDX-License-Identifier: MIT */
/*
 * grammar_table.c: every command, once. The parser (grammar.c), the help, the manual's synopsis and the completion (grammar_help.c) walk these rows.
 *
 * The words are those of ip(8), ss(8) and sysctl(8). What a row accepts is form only; whether a link of that name exists, or a route may be made, is
 * for the daemon to say. Not here: anything that the daemon cannot do.
 */
#include "grammar_priv.h"
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netstack/linkwatch.h>
#include <netstack/netcfg.h>

static const struct arg_word link_types[] = {
	{ "tap", LINK_TAP, "a TAP device of the host: the other end is a link there" },
	{ "loopback", LINK_LOOPBACK, "sends to itself: lo, which is there already; no other can be added" },
	{ "dummy", LINK_DUMMY, "takes every frame and forgets it" },
	{ "veth", LINK_VETH, "one of a pair: what goes in here comes out at its peer" },
	{ "vlan", LINK_VLAN, "the frames of a link that have a tag" },
	{ "bridge", LINK_BRIDGE, "joins the links that have it for a master into one Ethernet" },
	{ NULL, 0, NULL },
};

static const struct arg_word vlan_protocols[] = {
	{ "802.1Q", 0x8100, "tags as in IEEE 802.1Q (what is meant without a protocol)" },
	{ "802.1ad", 0x88a8, "service tags, with 802.1Q tags inside" },
	{ NULL, 0, NULL },
};

static const struct arg_word backends[] = {
	{ "auto", TAP_AUTO, "io_uring where the kernel offers it, else read and write" },
	{ "uring", TAP_URING, "io_uring: one system call for many frames (else, with a warning, read and write)" },
	{ "read", TAP_READ, "read and write: one system call a frame" },
	{ NULL, 0, NULL },
};

static const struct arg_word host_ring[] = { { "default", 0, NULL }, { NULL, 0, NULL } };

static const struct arg_word link_modes[] = {
	{ "default", LINK_MODE_DEFAULT, NULL }, { "dormant", LINK_MODE_DORMANT, NULL }, { "testing", LINK_MODE_TESTING, NULL }, { NULL, 0, NULL },
};

static const struct arg_word oper_states[] = { { "up", OPER_UP, NULL }, { "dormant", OPER_DORMANT, NULL }, { "testing", OPER_TESTING, NULL }, { NULL, 0, NULL } };

static const struct arg_word on_off[] = { { "on", 1, NULL }, { "off", 0, NULL }, { NULL, 0, NULL } };

static const struct arg_word broadcasts[] = {
	{ "+", BROADCAST_AUTO, "the last address of the prefix" },
	{ "-", BROADCAST_NONE, "none" },
	{ NULL, 0, NULL },
};

static const struct arg_word route_types[] = {
	{ "unicast", RTN_UNICAST, "to the gateway or the link (what is meant without a type)" },
	{ "local", RTN_LOCAL, "is delivered here" },
	{ "broadcast", RTN_BROADCAST, "goes out as a link broadcast" },
	{ "blackhole", RTN_BLACKHOLE, "is dropped silently" },
	{ "unreachable", RTN_UNREACHABLE, "is dropped, ICMP host unreachable" },
	{ "prohibit", RTN_PROHIBIT, "is dropped, ICMP administratively prohibited" },
	{ "throw", RTN_THROW, "ends the lookup in this table" },
	{ NULL, 0, NULL },
};

static const struct arg_word scopes[] = {
	{ "global", RT_SCOPE_UNIVERSE, "valid everywhere" },
	{ "site", RT_SCOPE_SITE, "valid inside the site" },
	{ "link", RT_SCOPE_LINK, "valid on its link" },
	{ "host", RT_SCOPE_HOST, "valid inside this host" },
	{ NULL, 0, NULL },
};

static const struct arg_word route_protos[] = {
	{ "unspec", RTPROT_UNSPEC, "nobody says" },
	{ "redirect", RTPROT_REDIRECT, "made by an ICMP redirect" },
	{ "kernel", RTPROT_KERNEL, "made by the stack itself" },
	{ "boot", RTPROT_BOOT, "made by hand" },
	{ "static", RTPROT_STATIC, "made by an administrator" },
	{ NULL, 0, NULL },
};

static const struct arg_word tables[] = {
	{ "main", RT_TABLE_MAIN, NULL },
	{ "local", RT_TABLE_LOCAL, NULL },
	{ "default", RT_TABLE_DEFAULT, NULL },
	{ NULL, 0, NULL },
};

static const struct arg_word tables_or_all[] = {
	{ "main", RT_TABLE_MAIN, NULL },
	{ "local", RT_TABLE_LOCAL, NULL },
	{ "default", RT_TABLE_DEFAULT, NULL },
	{ "all", TABLE_ALL, "every table" },
	{ NULL, 0, NULL },
};

static const struct arg_word destinations[] = { { "default", 0, "0.0.0.0/0: whatever no other route fits" }, { NULL, 0, NULL } };

static const struct arg_word transports[] = { { "tcp", IPPROTO_TCP, NULL }, { "udp", IPPROTO_UDP, NULL }, { NULL, 0, NULL } };

static const struct arg_word monitors[] = {
	{ "link", MONITOR_LINK, NULL }, { "addr", MONITOR_ADDR, NULL }, { "route", MONITOR_ROUTE, NULL },
	{ "neigh", MONITOR_NEIGH, NULL }, { "all", MONITOR_ALL, NULL }, { NULL, 0, NULL },
};

#define END { .key = NULL }

/* ---- link ------------------------------------------------------------------------------------------------------- */

/* How a TAP is driven, as ethtool(8) has it for a NIC; the same when it is made and later. */
#define OFFLOAD(word, text) { .key = "offload-" word, .under = "offload", .type = ARG_ENUM, .words = on_off, .help = text }
#define DEVICE_ARGS \
	{ .key = "backend", .type = ARG_ENUM, .words = backends, .help = "how frames are handed to the host's kernel (default: auto)" }, \
	{ .key = "offload", .type = ARG_SECTION, .words = on_off, .help = "checksums and segmentation left to the other side: all of it, or by feature (default: on)" }, \
	OFFLOAD("rx", "receive partial checksums, which need no check"), \
	OFFLOAD("tx", "send partial checksums, which the host completes"), \
	OFFLOAD("tso", "send TCP segments of up to 64 KiB, both tso4 and tso6"), \
	OFFLOAD("tso4", "send TCP segments of up to 64 KiB over IPv4"), \
	OFFLOAD("tso6", "send TCP segments of up to 64 KiB over IPv6"), \
	OFFLOAD("uso", "send UDP datagrams of many segments"), \
	OFFLOAD("gro", "put received segments together before they go up"), \
	OFFLOAD("rx-udp-gro-forwarding", "put received UDP datagrams together that are to be forwarded (default: off)"), \
	OFFLOAD("rx-gro-hw", "receive frames of many segments as the host has them"), \
	OFFLOAD("rx-filter", "the host keeps back frames for other stations, and counts them as missed (default: off)"), \
	{ .key = "ring", .type = ARG_SECTION, .help = "how many frames may wait between the kernel and netstackd" }, \
	{ .key = "ring-rx", .under = "ring", .meta = "NUMBER|default", .type = ARG_U32, .words = host_ring, .min = 16, .max = 65536, .help = "on the host's queue, for each queue of the device (default: as the host has it)" }, \
	{ .key = "ring-tx", .under = "ring", .type = ARG_U32, .min = 16, .max = 1024, .help = "on their way to the kernel, for each worker (default: 256)" }, \
	{ .key = "copybreak", .type = ARG_U32, .min = 0, .max = 9000, .help = "copy frames of up to so many bytes out of large buffers (default: 1942)" }, \
	{ .key = "rx-usecs", .type = ARG_U32, .min = 0, .max = 100000, .help = "microseconds between two wake-ups for frames (default: 0, at once)" }, \
	{ .key = "rx-frames", .type = ARG_U32, .min = 0, .max = 10000, .help = "wait no longer than so many frames take to come (default: 0, no matter how many)" }, \
	{ .key = "adaptive-rx", .type = ARG_ENUM, .words = on_off, .help = "wait only while many frames come (default: off)" }, \
	{ .key = "busy-poll", .type = ARG_U32, .min = 0, .max = 1000000, .help = "microseconds after a frame in which the worker asks for more without sleeping (default: 0)" }, \
	{ .key = "irq-affinity", .meta = "CPUS", .type = ARG_WORD, .help = "CPUs that the workers of its queues run on, one each: 0-3,8 or all (default: all)" }
/* Of kinds of links, when they are made and later. */
#define KIND_ARGS \
	{ .key = "ingress-qos-map", .meta = "FROM:TO,...", .type = ARG_WORD, .help = "of a VLAN: priority in the tag (0 to 7) to priority inside (0 to 15)" }, \
	{ .key = "egress-qos-map", .meta = "FROM:TO,...", .type = ARG_WORD, .help = "of a VLAN: priority inside (0 to 15) to priority in the tag (0 to 7)" }, \
	{ .key = "ageing_time", .type = ARG_U32, .min = 0, .max = 100000000, .help = "of a bridge: hundredths of a second until a silent station is forgotten (default: 30000)" }, \
	{ .key = "fdb_max_learned", .type = ARG_U32, .min = 1, .max = 1000000, .help = "of a bridge: how many stations each worker learns (default: 8192)" }

static const struct arg_def link_add_args[] = {
	{ .key = "name", .alias = "name", .type = ARG_NAME, .flags = ARG_F_POS | ARG_F_REQ, .help = "name of the new link" },
	{ .key = "type", .type = ARG_ENUM, .words = link_types, .flags = ARG_F_REQ, .help = "kind of link" },
	{ .key = "host-name", .type = ARG_NAME, .help = "name of the host's end of a TAP (default: chosen by the host)" },
	{ .key = "host-addr", .type = ARG_PREFIX, .help = "address that the host's end gets, with its length" },
	{ .key = "mtu", .type = ARG_U32, .min = 68, .max = 65520, .help = "largest packet, bytes (default: 1500)" },
	{ .key = "address", .alias = "lladdr", .type = ARG_LLADDR, .help = "MAC address (default: a locally administered one)" },
	{ .key = "peer", .type = ARG_NAME, .flags = ARG_F_NAME, .help = "name of a veth's other end" },
	{ .key = "netns", .type = ARG_NETNS, .help = "network namespace of a veth's other end (default: the same)" },
	{ .key = "link", .type = ARG_NAME, .help = "the link that a VLAN stands on" },
	{ .key = "id", .type = ARG_U16, .min = 0, .max = 4094, .help = "number of the VLAN" },
	{ .key = "protocol", .alias = "proto", .type = ARG_ENUM, .words = vlan_protocols, .help = "kind of a VLAN's tags (default: 802.1Q)" },
	KIND_ARGS,
	{ .key = "queues", .type = ARG_U16, .min = 1, .max = 64, .help = "queues, one for each worker (default: as many as workers)" },
	{ .key = "vnet-hdr", .type = ARG_ENUM, .words = on_off, .help = "of a TAP: its frames carry the headers that offloads need; off: no offloads, and small frames cost less (default: on)" },
	{ .key = "txqueuelen", .alias = "txqlen qlen", .type = ARG_U32, .min = 1, .max = 1000000, .help = "frames that may wait to be sent (default: 1000)" },
	DEVICE_ARGS,
	END
};

static const struct arg_def link_set_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS | ARG_F_REQ, .help = "the link" },
	{ .key = "up", .type = ARG_FLAG, .excl = 1, .help = "switch the link on" },
	{ .key = "down", .type = ARG_FLAG, .excl = 1, .help = "switch the link off; its routes go, its addresses stay" },
	{ .key = "mtu", .type = ARG_U32, .min = 68, .max = 65536, .help = "largest packet, bytes; above 65520 for lo only" },
	{ .key = "address", .alias = "lladdr", .type = ARG_LLADDR, .help = "MAC address" },
	{ .key = "txqueuelen", .alias = "txqlen qlen", .type = ARG_U32, .min = 0, .max = 1000000, .help = "frames that may wait to be sent" },
	{ .key = "carrier", .type = ARG_ENUM, .words = on_off, .help = "plug or pull the cable" },
	{ .key = "name", .type = ARG_NAME, .help = "another name; addresses, routes, programs and what is connected stay" },
	{ .key = "mode", .type = ARG_ENUM, .words = link_modes, .help = "what a carrier brings: UP, or a state that waits for \"state up\" (default: default)" },
	{ .key = "state", .type = ARG_ENUM, .words = oper_states, .help = "the operational state of a link that has a carrier, until that changes" },
	{ .key = "promisc", .type = ARG_ENUM, .words = on_off, .help = "receive frames for other stations too" },
	{ .key = "allmulti", .alias = "allmulticast", .type = ARG_ENUM, .words = on_off, .help = "receive all multicast" },
	{ .key = "arp", .type = ARG_ENUM, .words = on_off, .help = "resolve and answer with ARP" },
	{ .key = "master", .type = ARG_NAME, .excl = 2, .help = "make it a port of this bridge" },
	{ .key = "nomaster", .type = ARG_FLAG, .excl = 2, .help = "it is no port any more" },
	{ .key = "learning", .type = ARG_ENUM, .words = on_off, .help = "of a port: learn which stations are behind it (default: on)" },
	{ .key = "flood", .type = ARG_ENUM, .words = on_off, .help = "of a port: send to it what is for unknown stations (default: on)" },
	{ .key = "mcast_flood", .type = ARG_ENUM, .words = on_off, .help = "of a port: send multicast to it (default: on)" },
	{ .key = "bcast_flood", .type = ARG_ENUM, .words = on_off, .help = "of a port: send broadcasts to it (default: on)" },
	{ .key = "hairpin", .type = ARG_ENUM, .words = on_off, .help = "of a port: frames may leave where they came in (default: off)" },
	{ .key = "isolated", .type = ARG_ENUM, .words = on_off, .help = "of a port: no frames between it and other isolated ports (default: off)" },
	KIND_ARGS,
	{ .key = "host-name", .type = ARG_NAME, .help = "name of the host's end of a TAP" },
	{ .key = "host-addr", .type = ARG_PREFIX, .help = "address of the host's end of a TAP" },
	{ .key = "netns", .type = ARG_NETNS, .help = "of a dummy or a veth: move it to this network namespace; it is down there and has no address" },
	{ .key = "xdp", .meta = "FILE", .type = ARG_WORD, .help = "eBPF object file with a program that sees each frame first; off: none" },
	{ .key = "section", .meta = "NAME", .type = ARG_WORD, .help = "the program's section or function (default: xdp)" },
	{ .key = "object", .meta = "BASE64", .type = ARG_WORD, .help = "the object file itself; nsctl adds it" },
	DEVICE_ARGS,
	{ .key = "rps-cpus", .meta = "MASK", .type = ARG_WORD, .help = "workers that forward what comes in by it, a mask in hexadecimal; 0: who receives it; auto: that, or all if it has fewer queues (default: auto)" },
	{ .key = "rps-flow-cnt", .type = ARG_U32, .min = 0, .max = 1048576, .help = "bundles of flows that change their worker one by one (default: 0, which is 128)" },
	{ .key = "rss-indir", .meta = "WORKERS", .type = ARG_WORD, .help = "in place of rps-cpus: a table of workers, repeated to 128 entries, as 0,1,1,3; none (default: none)" },
	{ .key = "rss-key", .meta = "KEY", .type = ARG_WORD, .help = "with rss-indir: key of its Toeplitz hash, 40 bytes in hexadecimal (default: the published one)" },
	END
};

static const struct arg_def link_del_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS | ARG_F_REQ, .help = "the link" },
	END
};

static const struct arg_def link_show_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only this link" },
	{ .key = "up", .type = ARG_FLAG, .help = "only links that are switched on" },
	{ .key = "details", .alias = "-d", .type = ARG_FLAG, .help = "how the device is set up, too" },
	{ .key = "stats", .alias = "-s", .type = ARG_FLAG, .flags = ARG_F_MANY, .help = "counters (always so); given twice: also the kinds of errors" },
	END
};

static const struct arg_def device_show_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only this link" },
	END
};

/* ---- fdb -------------------------------------------------------------------------------------------------------- */

static const struct arg_def fdb_add_args[] = {
	{ .key = "lladdr", .type = ARG_LLADDR, .flags = ARG_F_POS | ARG_F_REQ, .help = "MAC address of the station" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the port that it is behind" },
	{ .key = "master", .type = ARG_FLAG, .help = "in the port's bridge (always meant)" },
	{ .key = "static", .type = ARG_FLAG, .excl = 1, .help = "frames to it leave by the port" },
	{ .key = "permanent", .alias = "local", .type = ARG_FLAG, .excl = 1, .help = "frames to it are for this host (what is meant without either)" },
	END
};

static const struct arg_def fdb_del_args[] = {
	{ .key = "lladdr", .type = ARG_LLADDR, .flags = ARG_F_POS | ARG_F_REQ, .help = "MAC address of the station" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the port that it is behind" },
	{ .key = "master", .type = ARG_FLAG, .help = "in the port's bridge (always meant)" },
	END
};

static const struct arg_def fdb_show_args[] = {
	{ .key = "dev", .alias = "dev brport br", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only those of this port or bridge" },
	END
};

/* ---- addr ------------------------------------------------------------------------------------------------------- */

static const struct arg_def addr_add_args[] = {
	{ .key = "prefix", .alias = "local", .type = ARG_PREFIX, .flags = ARG_F_POS | ARG_F_REQ, .help = "the address and the length of its network" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the link that gets it" },
	{ .key = "broadcast", .alias = "brd", .type = ARG_ADDR, .words = broadcasts, .help = "broadcast address" },
	{ .key = "scope", .type = ARG_ENUM, .words = scopes, .help = "where the address is valid (default: global)" },
	{ .key = "label", .type = ARG_WORD, .help = "a name to show with the address" },
	END
};

static const struct arg_def addr_del_args[] = {
	{ .key = "prefix", .alias = "local", .type = ARG_PREFIX, .flags = ARG_F_POS | ARG_F_REQ, .help = "the address" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the link that has it" },
	END
};

static const struct arg_def addr_flush_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS | ARG_F_REQ, .help = "the link that loses its addresses" },
	END
};

static const struct arg_def addr_show_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only this link" },
	END
};

/* ---- route ------------------------------------------------------------------------------------------------------ */

static const struct arg_def route_add_args[] = {
	{ .key = "type", .type = ARG_ENUM, .words = route_types, .flags = ARG_F_POS, .help = "what becomes of a packet (default: unicast)" },
	{ .key = "prefix", .alias = "to", .type = ARG_PREFIX, .words = destinations, .flags = ARG_F_POS | ARG_F_REQ, .help = "destinations; default is 0.0.0.0/0" },
	{ .key = "via", .type = ARG_ADDR, .help = "the next router" },
	{ .key = "dev", .alias = "oif", .type = ARG_NAME, .help = "the link to send on" },
	{ .key = "metric", .alias = "preference priority", .type = ARG_U32, .help = "the lower one wins (default: 0)" },
	{ .key = "src", .type = ARG_ADDR, .help = "source address of packets of our own" },
	{ .key = "table", .meta = "TABLE", .type = ARG_U32, .words = tables, .min = 1, .max = UINT32_MAX - 1, .help = "routing table: main, local, default or a number (default: main)" },
	{ .key = "mtu", .type = ARG_U32, .min = 68, .max = 65535, .help = "path MTU, bytes (default: the link's)" },
	{ .key = "advmss", .type = ARG_U32, .min = 48, .max = 65535, .help = "MSS that TCP announces (default: from the MTU)" },
	{ .key = "scope", .type = ARG_ENUM, .words = scopes, .help = "how far the destinations are (default: link without a gateway, else global)" },
	{ .key = "onlink", .type = ARG_FLAG, .help = "the router is on the link although no route says so" },
	{ .key = "proto", .alias = "protocol", .meta = "PROTO", .type = ARG_U32, .words = route_protos, .min = 0, .max = 255, .help = "who made the route (default: static)" },
	END
};

static const struct arg_def route_flush_args[] = {
	{ .key = "table", .meta = "TABLE", .type = ARG_U32, .words = tables_or_all, .min = 1, .max = UINT32_MAX - 1, .help = "routing table: main, local, default, all or a number (default: main)" },
	{ .key = "dev", .alias = "oif", .type = ARG_NAME, .help = "only routes over this link" },
	END
};

static const struct arg_def route_get_args[] = {
	{ .key = "addr", .alias = "to", .type = ARG_ADDR, .flags = ARG_F_POS | ARG_F_REQ, .help = "destination of the packet" },
	{ .key = "from", .type = ARG_ADDR, .help = "its source address" },
	{ .key = "iif", .type = ARG_NAME, .help = "the link it came in on" },
	{ .key = "oif", .alias = "dev", .type = ARG_NAME, .help = "the link it must leave by" },
	{ .key = "mark", .type = ARG_U32, .help = "its mark" },
	END
};

static const struct arg_def route_show_args[] = {
	{ .key = "prefix", .alias = "to", .type = ARG_PREFIX, .words = destinations, .flags = ARG_F_POS, .help = "only this destination" },
	{ .key = "table", .meta = "TABLE", .type = ARG_U32, .words = tables_or_all, .min = 1, .max = UINT32_MAX - 1, .help = "routing table: main, local, default, all or a number (default: main)" },
	{ .key = "dev", .alias = "oif", .type = ARG_NAME, .help = "only routes over this link" },
	{ .key = "type", .type = ARG_ENUM, .words = route_types, .help = "only routes of this type" },
	{ .key = "proto", .alias = "protocol", .meta = "PROTO", .type = ARG_U32, .words = route_protos, .min = 0, .max = 255, .help = "only routes made so" },
	END
};

/* ---- neigh ------------------------------------------------------------------------------------------------------ */

static const struct arg_def neigh_add_args[] = {
	{ .key = "addr", .alias = "to", .type = ARG_ADDR, .flags = ARG_F_POS | ARG_F_REQ, .help = "the neighbour" },
	{ .key = "lladdr", .alias = "address", .type = ARG_LLADDR, .flags = ARG_F_REQ, .help = "its MAC address" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the link it is on" },
	END
};

static const struct arg_def neigh_del_args[] = {
	{ .key = "addr", .alias = "to", .type = ARG_ADDR, .flags = ARG_F_POS | ARG_F_REQ, .help = "the neighbour" },
	{ .key = "dev", .type = ARG_NAME, .flags = ARG_F_REQ, .help = "the link it is on" },
	END
};

static const struct arg_def neigh_flush_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only on this link" },
	END
};

static const struct arg_def neigh_show_args[] = {
	{ .key = "addr", .alias = "to", .type = ARG_ADDR, .flags = ARG_F_POS, .help = "only this neighbour" },
	{ .key = "dev", .type = ARG_NAME, .help = "only on this link" },
	END
};

/* ---- sysctl and services ------------------------------------------------------------------------------------------ */

static const struct arg_def sysctl_set_args[] = {
	{ .key = "name=value", .alias = "-w", .meta = "NAME=VALUE", .type = ARG_ASSIGN, .flags = ARG_F_POS | ARG_F_REQ, .help = "the tunable and its new value" },
	END
};

static const struct arg_def sysctl_show_args[] = {
	{ .key = "name", .type = ARG_WORD, .flags = ARG_F_POS, .excl = 1, .help = "the tunable, or several by the words before a dot (net.core)" },
	{ .key = "all", .alias = "-a", .type = ARG_FLAG, .excl = 1, .help = "every one (the same as no name)" },
	END
};

static const struct arg_word service_names[] = {
	{ "echo", 0, "sends back what it gets (RFC 862)" },
	{ "discard", 0, "throws away what it gets (RFC 863)" },
	{ "chargen", 0, "sends characters (RFC 864)" },
	{ "daytime", 0, "tells the time (RFC 867)" },
	{ "http", 0, "status page, /metrics, /status.json, /bytes/N, /sink (TCP only)" },
	{ NULL, 0, NULL },
};

static const struct arg_def service_add_args[] = {
	{ .key = "proto", .type = ARG_ENUM, .words = transports, .flags = ARG_F_POS | ARG_F_REQ, .help = "transport" },
	{ .key = "port", .meta = "PORT", .type = ARG_U16, .min = 1, .max = 65535, .flags = ARG_F_POS | ARG_F_REQ, .help = "port" },
	{ .key = "what", .meta = "SERVICE", .type = ARG_ENUM, .words = service_names, .flags = ARG_F_POS | ARG_F_REQ, .help = "the service" },
	{ .key = "address", .type = ARG_ADDR, .help = "only on this address of ours (default: all)" },
	END
};

static const struct arg_def service_del_args[] = {
	{ .key = "proto", .type = ARG_ENUM, .words = transports, .flags = ARG_F_POS | ARG_F_REQ, .help = "transport" },
	{ .key = "port", .meta = "PORT", .type = ARG_U16, .min = 1, .max = 65535, .flags = ARG_F_POS | ARG_F_REQ, .help = "port" },
	{ .key = "address", .type = ARG_ADDR, .help = "the address it was given, if any" },
	END
};

/* ---- show and the rest ------------------------------------------------------------------------------------------- */

static const struct arg_def show_sockets_args[] = {
	{ .key = "info", .alias = "-i", .type = ARG_FLAG, .help = "TCP's inner state too" },
	{ .key = "tcp", .alias = "-t", .type = ARG_FLAG, .help = "TCP sockets" },
	{ .key = "udp", .alias = "-u", .type = ARG_FLAG, .help = "UDP sockets" },
	{ .key = "listening", .alias = "-l", .type = ARG_FLAG, .help = "only sockets that wait for peers" },
	{ .key = "all", .alias = "-a", .type = ARG_FLAG, .help = "those that wait for peers too (always so)" },
	{ .key = "numeric", .alias = "-n", .type = ARG_FLAG, .help = "numbers instead of names (always so)" },
	END
};

static const struct arg_def show_drops_args[] = {
	{ .key = "all", .alias = "-a", .type = ARG_FLAG, .help = "reasons that never happened too" },
	END
};

static const struct arg_def show_softnet_args[] = {
	{ .key = "proc", .alias = "--proc", .type = ARG_FLAG, .excl = 1, .help = "the columns of /proc/net/softnet_stat, for programs that read it" },
	{ .key = "explain", .alias = "--explain", .type = ARG_FLAG, .excl = 1, .help = "what each column means" },
	END
};

static const struct arg_def show_xdp_args[] = {
	{ .key = "dev", .alias = "dev", .type = ARG_NAME, .flags = ARG_F_POS, .help = "only this link" },
	END
};

static const struct arg_word xdp_map_verbs[] = {
	{ "show", XDP_MAP_SHOW, "the maps themselves" },
	{ "dump", XDP_MAP_DUMP, "the elements of a map" },
	{ "update", XDP_MAP_UPDATE, "give a key a value" },
	{ "delete", XDP_MAP_DELETE, "forget a key" },
	{ NULL, 0, NULL },
};

static const struct arg_def xdp_map_args[] = {
	{ .key = "what", .meta = "ACTION", .type = ARG_ENUM, .words = xdp_map_verbs, .flags = ARG_F_POS | ARG_F_REQ, .help = "what to do with maps" },
	{ .key = "name", .type = ARG_WORD, .flags = ARG_F_POS, .help = "the map" },
	{ .key = "dev", .type = ARG_NAME, .help = "the link whose program has it" },
	{ .key = "key", .type = ARG_WORD, .help = "a number, an IPv4 address, or hex=BYTES" },
	{ .key = "value", .type = ARG_WORD, .help = "the same, or the name of a link for a devmap" },
	END
};

static const struct arg_def show_counters_args[] = {
	{ .key = "name", .type = ARG_WORD, .flags = ARG_F_POS, .help = "only counters whose name begins so" },
	{ .key = "all", .alias = "-a", .type = ARG_FLAG, .help = "counters that are 0 too" },
	END
};

static const struct arg_def no_args[] = { END };

static const struct arg_def netns_add_args[] = {
	{ .key = "name", .type = ARG_NETNS, .flags = ARG_F_POS | ARG_F_REQ, .help = "name of the new network namespace" },
	END
};

static const struct arg_def netns_del_args[] = {
	{ .key = "netns", .type = ARG_NETNS, .flags = ARG_F_POS | ARG_F_REQ, .help = "the network namespace" },
	END
};

static const struct arg_def save_args[] = {
	{ .key = "file", .meta = "FILE", .type = ARG_WORD, .flags = ARG_F_POS, .help = "write there, at once or not at all (default: standard output)" },
	END
};

static const struct arg_def monitor_args[] = {
	{ .key = "what", .type = ARG_ENUM, .words = monitors, .flags = ARG_F_POS, .help = "only these changes: link, addr, route, neigh or all (default: all)" },
	END
};

static const struct arg_def capture_args[] = {
	{ .key = "filter", .alias = "filter", .meta = "FILTER", .type = ARG_REST, .flags = ARG_F_POS, .help = "only packets that this expression of pcap-filter(7) chooses" },
	{ .key = "dev", .alias = "-i", .type = ARG_NAME, .help = "packets of this link (default: any, which is all of them)" },
	{ .key = "file", .alias = "-w", .meta = "FILE", .type = ARG_WORD, .help = "write pcapng there, - for standard output (default: a line of text for each packet)" },
	{ .key = "count", .alias = "-c", .type = ARG_U32, .min = 1, .max = UINT32_MAX, .help = "end after so many packets" },
	{ .key = "snaplen", .alias = "-s", .type = ARG_U32, .min = 1, .max = 262144, .help = "bytes kept of each packet (default: all)" },
	{ .key = "drops", .alias = "--drops", .type = ARG_FLAG, .help = "only packets that were dropped, each with its reason" },
	{ .key = "buffer", .alias = "-B", .type = ARG_U32, .min = 128, .max = 1048576, .help = "KiB a worker for packets that wait to be written (default: 4096)" },
	{ .key = "no-promisc", .alias = "-p", .type = ARG_FLAG, .help = "no frames for other stations, unless the link is promiscuous anyway" },
	{ .key = "program", .meta = "PROGRAM", .type = ARG_WORD, .help = "the filter as numbers, as tcpdump -ddd prints it, with commas between the lines; nsctl makes it from FILTER" },
	END
};

static const struct arg_def control_args[] = {
	{ .key = "group", .meta = "GROUP", .type = ARG_WORD, .flags = ARG_F_REQ, .help = "the group whose members may use the control socket" },
	END
};

const struct path_word grammar_groups[] = {
	{ "link", NULL, 1, "devices: TAPs, loopback, dummies, veth pairs, VLANs, bridges and their ports" },
	{ "addr", "address", 1, "addresses of links" },
	{ "route", NULL, 1, "routes" },
	{ "neigh", "neighbour neighbor arp", 1, "neighbours: who has which MAC address" },
	{ "fdb", NULL, 1, "stations that bridges know (\"bridge fdb\" means the same)" },
	{ "netns", NULL, 3, "network namespaces: each has links, routes, sockets and tunables of its own" },
	{ "sysctl", NULL, 2, "tunables, by the names that Linux gives them" },
	{ "service", NULL, 2, "servers built into netstackd" },
	{ "xdp", NULL, 1, "programs that see frames before the stack does" },
	{ "show", NULL, 1, "what goes on: sockets, drops, counters and more" },
	{ "monitor", NULL, 1, "changes as they happen" },
	{ "capture", NULL, 2, "packets as they pass, and those that die" },
	{ "save", NULL, 2, "the running configuration, as lines of a configuration file" },
	{ "reload", NULL, 2, "read the configuration file again and apply the difference" },
	{ "control", NULL, 1, "the control socket (in the configuration file)" },
	{ NULL, NULL, 0, NULL },
};

const struct path_word grammar_verbs[] = {
	{ "add", NULL, 1, NULL },
	{ "replace", NULL, 1, NULL },
	{ "set", NULL, 1, NULL },
	{ "del", "delete remove", 1, NULL },
	{ "flush", NULL, 1, NULL },
	{ "get", NULL, 1, NULL },
	{ "show", "list ls", 1, NULL },
	{ "sockets", NULL, 1, NULL },
	{ "links", NULL, 1, NULL },
	{ "addrs", "addresses", 1, NULL },
	{ "routes", NULL, 1, NULL },
	{ "neigh", "neighbours neighbors", 1, NULL },
	{ "drops", NULL, 1, NULL },
	{ "features", NULL, 1, NULL },
	{ "rings", NULL, 2, NULL },
	{ "softnet", NULL, 3, NULL },
	{ "runtime", NULL, 3, NULL },
	{ "gro", NULL, 1, NULL },
	{ "counters", NULL, 1, NULL },
	{ "xdp", NULL, 1, NULL },
	{ "map", NULL, 1, NULL },
	{ "sysctl", NULL, 2, NULL },
	{ "services", NULL, 2, NULL },
	{ "version", NULL, 1, NULL },
	{ NULL, NULL, 0, NULL },
};

#define C CMD_F_CONFIG
#define R CMD_F_READONLY

const struct cmd_def grammar_table[] = {
	{ CMD_LINK_ADD, C, "link", "add", link_add_args, "Make a link",
	  "link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24 mtu 1500 address 02:00:00:00:00:02" },
	{ CMD_LINK_SET, C | CMD_F_SOME, "link", "set", link_set_args, "Change a link", "link set eth0 up mtu 1400" },
	{ CMD_LINK_DEL, C, "link", "del", link_del_args, "Remove a link with its addresses, routes and neighbours", "link del eth0" },
	{ CMD_LINK_SHOW, R | CMD_F_DEFAULT, "link", "show", link_show_args, "Show links, their state and what passed", "link show eth0" },

	{ CMD_ADDR_ADD, C, "addr", "add", addr_add_args, "Give a link an address", "addr add 10.10.0.2/24 dev eth0" },
	{ CMD_ADDR_REPLACE, C, "addr", "replace", addr_add_args, "Give a link an address, or change the one that it has", "addr replace 10.10.0.2/24 dev eth0 broadcast +" },
	{ CMD_ADDR_DEL, C, "addr", "del", addr_del_args, "Take an address away", "addr del 10.10.0.2/24 dev eth0" },
	{ CMD_ADDR_FLUSH, C, "addr", "flush", addr_flush_args, "Take all addresses of a link away", "addr flush dev eth0" },
	{ CMD_ADDR_SHOW, R | CMD_F_DEFAULT, "addr", "show", addr_show_args, "Show addresses by link", "addr show dev eth0" },

	{ CMD_ROUTE_ADD, C, "route", "add", route_add_args, "Make a route", "route add 10.20.0.0/16 via 10.10.0.7 dev eth0 metric 100" },
	{ CMD_ROUTE_REPLACE, C, "route", "replace", route_add_args, "Make a route, or change the one to this destination", "route replace default via 10.10.0.1" },
	{ CMD_ROUTE_DEL, C, "route", "del", route_add_args, "Remove a route; what is not given matches any", "route del 10.20.0.0/16" },
	{ CMD_ROUTE_FLUSH, C | CMD_F_SOME, "route", "flush", route_flush_args, "Remove routes of a table or link (one must be given); those of proto kernel stay", "route flush table main dev eth0" },
	{ CMD_ROUTE_GET, R, "route", "get", route_get_args, "Show the way that a packet would take", "route get 10.20.1.1 from 10.10.0.9 iif eth0" },
	{ CMD_ROUTE_SHOW, R | CMD_F_DEFAULT, "route", "show", route_show_args, "Show routes", "route show table all" },

	{ CMD_NEIGH_ADD, C, "neigh", "add", neigh_add_args, "Make a permanent neighbour", "neigh add 10.10.0.9 lladdr 02:00:00:00:00:09 dev eth0" },
	{ CMD_NEIGH_REPLACE, C, "neigh", "replace", neigh_add_args, "Make a permanent neighbour, or change it",
	  "neigh replace 10.10.0.9 lladdr 02:00:00:00:00:0a dev eth0" },
	{ CMD_NEIGH_DEL, C, "neigh", "del", neigh_del_args, "Forget a neighbour, learned or permanent", "neigh del 10.10.0.9 dev eth0" },
	{ CMD_NEIGH_FLUSH, C, "neigh", "flush", neigh_flush_args, "Forget the learned neighbours", "neigh flush dev eth0" },
	{ CMD_NEIGH_SHOW, R | CMD_F_DEFAULT, "neigh", "show", neigh_show_args, "Show neighbours", "neigh show dev eth0" },

	{ CMD_FDB_ADD, C, "fdb", "add", fdb_add_args, "Say which port of a bridge a station is behind", "fdb add 02:00:00:00:00:09 dev eth1 static" },
	{ CMD_FDB_REPLACE, C, "fdb", "replace", fdb_add_args, "Say which port of a bridge a station is behind, or change it",
	  "fdb replace 02:00:00:00:00:09 dev eth2 static" },
	{ CMD_FDB_DEL, C, "fdb", "del", fdb_del_args, "Forget a station, learned or static", "fdb del 02:00:00:00:00:09 dev eth1" },
	{ CMD_FDB_FLUSH, C, "fdb", "flush", fdb_show_args, "Forget the learned stations", "fdb flush dev br0" },
	{ CMD_FDB_SHOW, R | CMD_F_DEFAULT, "fdb", "show", fdb_show_args, "Show the stations that bridges know", "fdb show br0" },

	{ CMD_NETNS_ADD, C | CMD_F_WHOLE, "netns", "add", netns_add_args, "Make a network namespace; \"-n NETNS COMMAND\" is about it", "netns add red" },
	{ CMD_NETNS_DEL, C | CMD_F_WHOLE, "netns", "del", netns_del_args, "Remove a network namespace with all that is in it", "netns del red" },
	{ CMD_NETNS_SHOW, R | CMD_F_DEFAULT, "netns", "show", no_args, "Show the network namespaces; the first one, which is always there, has no name", "netns show" },

	{ CMD_SYSCTL_SET, C, "sysctl", NULL, sysctl_set_args, "Set a tunable", "sysctl net.ipv4.ip_forward=1" },
	{ CMD_SYSCTL_SHOW, R | CMD_F_DEFAULT, "sysctl", NULL, sysctl_show_args, "Show tunables", "sysctl net.ipv4.ip_forward" },

	{ CMD_SERVICE_ADD, C, "service", "add", service_add_args, "Start a built-in server", "service add tcp 80 http" },
	{ CMD_SERVICE_DEL, C, "service", "del", service_del_args, "Stop a built-in server", "service del tcp 80" },
	{ CMD_SERVICE_SHOW, R | CMD_F_DEFAULT, "service", "show", no_args, "Show the built-in servers", "service show" },

	{ CMD_SHOW_SOCKETS, R, "show", "sockets", show_sockets_args, "Show sockets as ss(8) does", "show sockets -ti" },
	{ CMD_LINK_SHOW, R, "show", "links", link_show_args, "The same as link show", NULL },
	{ CMD_ADDR_SHOW, R, "show", "addrs", addr_show_args, "The same as addr show", NULL },
	{ CMD_ROUTE_SHOW, R, "show", "routes", route_show_args, "The same as route show", NULL },
	{ CMD_NEIGH_SHOW, R, "show", "neigh", neigh_show_args, "The same as neigh show", NULL },
	{ CMD_SHOW_DROPS, R, "show", "drops", show_drops_args, "Show why packets were dropped, and how many", "show drops" },
	{ CMD_SHOW_SOFTNET, R, "show", "softnet", show_softnet_args, "Show what each worker received in this network namespace and handed on, and which limits cut", "show softnet explain" },
	{ CMD_SHOW_RUNTIME, R, "show", "runtime", no_args, "Show how long each stage takes in this network namespace, on a sample, while net.core.runtime_stats is 1", "show runtime" },
	{ CMD_SHOW_FEATURES, R, "show", "features", device_show_args, "Show what a TAP leaves to the other side, as ethtool -k does", "show features eth0" },
	{ CMD_SHOW_RINGS, R, "show", "rings", device_show_args, "Show the rings of TAPs and what is in them, by worker", "show rings eth0" },
	{ CMD_SHOW_GRO, R, "show", "gro", no_args, "Show what of each device's frames was merged (generic receive offload), and what ended it", "show gro" },
	{ CMD_SHOW_XDP, R, "show", "xdp", show_xdp_args, "Show XDP programs and what became of their frames", "show xdp eth0" },
	{ CMD_SHOW_COUNTERS, R, "show", "counters", show_counters_args, "Show the counters that nstat(8) knows", "show counters Tcp" },
	{ CMD_SYSCTL_SHOW, R, "show", "sysctl", sysctl_show_args, "The same as sysctl without a value", NULL },
	{ CMD_SERVICE_SHOW, R, "show", "services", no_args, "The same as service show", NULL },
	{ CMD_SHOW_VERSION, R, "show", "version", no_args, "Show the daemon's version, age and workers", "show version" },

	{ CMD_SHOW_XDP, R | CMD_F_DEFAULT, "xdp", "show", show_xdp_args, "The same as show xdp", NULL },
	{ CMD_XDP_MAP, R, "xdp", "map", xdp_map_args, "Show, dump or change the maps of XDP programs", "xdp map update port key 0 value 9999 dev eth0" },

	{ CMD_MONITOR, R, "monitor", NULL, monitor_args, "Print changes until interrupted", "monitor link" },
	{ CMD_CAPTURE, R, "capture", NULL, capture_args, "Show packets as they pass, or keep them in a file, until interrupted", "capture -i eth0 -w eth0.pcapng tcp port 80" },
	{ CMD_SAVE, R, "save", NULL, save_args, "Print the running configuration", "save /etc/netstackd/netstackd.conf" },
	{ CMD_RELOAD, CMD_F_WHOLE, "reload", NULL, no_args, "Read the configuration file again; refuse all of it at an error, otherwise apply the difference", "reload" },
	{ CMD_CONTROL_GROUP, C | CMD_F_FILE_ONLY | CMD_F_WHOLE, "control", NULL, control_args, "Let the members of a group use the control socket", "control group netstackd" },
	{ CMD_NONE, 0, NULL, NULL, NULL, NULL, NULL },
};
