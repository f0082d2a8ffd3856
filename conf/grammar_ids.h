/* SPDX-License-Identifier: MIT */
/*
 * grammar_ids.h: what a parsed command is. Behind each: the words, then the keys that cmd_arg() knows (in brackets when they may be missing).
 *
 * Two spellings of one request have one id: "show links" is CMD_LINK_SHOW, as "link show" is. An enum's num is the constant of <linux/rtnetlink.h>
 * that the word stands for. DEVICE: [backend] (num is enum tap_backend) [offload] [offload-FEATURE]... [ring-rx] [ring-tx] [copybreak] [rx-usecs] [rx-frames]
 * [adaptive-rx] [busy-poll] [irq-affinity]. (type unicast: RTN_UNICAST; scope link: RT_SCOPE_LINK; proto static: RTPROT_STATIC; table main: RT_TABLE_MAIN), on is 1 and off is 0.
 */
#ifndef CONF_GRAMMAR_IDS_H
#define CONF_GRAMMAR_IDS_H

enum cmd_id {
	CMD_NONE,
	CMD_HELP, /* help in any place: topic (the words before it, possibly empty); answered where it is typed */

	CMD_LINK_ADD, /* name type [host-name] [host-addr] [mtu] [address] [queues] [vnet-hdr] [txqueuelen] [DEVICE]; type's num is enum link_type of netcfg.h */
	CMD_LINK_SET, /* dev [up] [down] [mtu] [address] [txqueuelen] [carrier] [promisc] [allmulti] [arp] [host-name] [host-addr] [DEVICE] */
	/* and [xdp] (a path, or "off") [section] [object] (the file in base64) */
	/* Both also: [ingress-qos-map] [egress-qos-map] [ageing_time] [fdb_max_learned]; LINK_ADD: [peer] [netns] [link] [id] [protocol] (its num is the EtherType); LINK_SET:
	 * [master] [nomaster] [learning] [flood] [mcast_flood] [bcast_flood] [hairpin] [isolated]; or [netns] alone */
	CMD_LINK_DEL, /* dev */
	CMD_LINK_SHOW, /* [dev] [up] [details] [stats]... */

	CMD_ADDR_ADD, /* prefix dev [broadcast] [scope] [label]; broadcast: an address, or num BROADCAST_AUTO or BROADCAST_NONE */
	CMD_ADDR_REPLACE, /* the same */
	CMD_ADDR_DEL, /* prefix dev */
	CMD_ADDR_FLUSH, /* dev */
	CMD_ADDR_SHOW, /* [dev] */

	CMD_ROUTE_ADD, /* [type] prefix [via] [dev] [metric] [src] [table] [mtu] [advmss] [scope] [onlink] [proto] */
	CMD_ROUTE_REPLACE, /* the same */
	CMD_ROUTE_DEL, /* the same; what is missing matches any */
	CMD_ROUTE_FLUSH, /* [table] [dev] */
	CMD_ROUTE_GET, /* addr [from] [iif] [oif] [mark] */
	CMD_ROUTE_SHOW, /* [prefix] [table] [dev] [type] [proto]; table's num is TABLE_ALL for all */

	CMD_NEIGH_ADD, /* addr lladdr dev */
	CMD_NEIGH_REPLACE, /* the same */
	CMD_NEIGH_DEL, /* addr dev */
	CMD_NEIGH_FLUSH, /* [dev] */
	CMD_NEIGH_SHOW, /* [addr] [dev] */

	CMD_SYSCTL_SET, /* name value */
	CMD_SYSCTL_SHOW, /* [name] [all]; neither: all */

	CMD_SERVICE_ADD, /* proto port what [address]; proto's num is IPPROTO_* */
	CMD_SERVICE_DEL, /* proto port [address] */
	CMD_SERVICE_SHOW, /* - */

	CMD_SHOW_SOCKETS, /* [info] [tcp] [udp] [listening] */
	CMD_SHOW_DROPS, /* [all] (those that never happened too) */
	CMD_SHOW_SOFTNET, /* [proc] [explain] */
	CMD_SHOW_RUNTIME, /* - */
	CMD_SHOW_GRO, /* - */
	CMD_SHOW_FEATURES, /* [dev] */
	CMD_SHOW_RINGS, /* [dev] */
	CMD_SHOW_XDP, /* [dev] */
	CMD_XDP_MAP, /* what [name] [dev] [key] [value]; what's num is XDP_MAP_* */
	CMD_SHOW_COUNTERS, /* [name] (the start of it) [all] (those that are 0 too) */
	CMD_SHOW_VERSION, /* - */

	CMD_FDB_ADD, /* lladdr dev [master] [static] [permanent] */
	CMD_FDB_REPLACE, /* the same */
	CMD_FDB_DEL, /* lladdr dev [master] */
	CMD_FDB_FLUSH, /* [dev] */
	CMD_FDB_SHOW, /* [dev]: a port or a bridge */

	CMD_NETNS_ADD, /* name */
	CMD_NETNS_DEL, /* netns */
	CMD_NETNS_SHOW, /* - */

	CMD_CAPTURE, /* [filter] [dev] [file] [count] [snaplen] [drops] [buffer] [no-promisc] [program]; after {"capture":true,...} the connection is a pcapng stream; file is nsctl's */
	CMD_SAVE, /* [file]; the daemon answers records {"line":"..."}, the file is written by the one who asks */
	CMD_MONITOR, /* [what]: num is a mask of MONITOR_*, all without it */
	CMD_RELOAD, /* - */

	CMD_CONTROL_GROUP, /* group; may stand in the file only */
	CMD_ID_MAX
};

enum tap_backend { TAP_AUTO, TAP_URING, TAP_READ };
enum { BROADCAST_AUTO = 1, BROADCAST_NONE = 2 };
enum { MONITOR_LINK = 1, MONITOR_ADDR = 2, MONITOR_ROUTE = 4, MONITOR_NEIGH = 8, MONITOR_ALL = 15 };
enum { XDP_MAP_SHOW, XDP_MAP_DUMP, XDP_MAP_UPDATE, XDP_MAP_DELETE };
#define TABLE_ALL UINT32_MAX

#endif
