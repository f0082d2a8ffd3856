/* SPDX-License-Identifier: MIT */
/*
 * sysctl.h: every tunable once: X(field, type, "name", default, min, max, "help"). Values live in struct sysctl_values, one immutable copy in each
 * snapshot; stages read stack->sysctl->field. Names, units and defaults are Linux's. Per-device ones (net.ipv4.conf.*) are in netcfg.h's ipv4_devconf.
 */
#ifndef STACK_SYSCTL_H
#define STACK_SYSCTL_H

#include <netstack/types.h>

#define NET_SYSCTLS(X) \
	X(netdev_budget, int, "net.core.netdev_budget", 300, 1, INT32_MAX, "frames received in one round of net_rx_action") \
	X(netdev_budget_usecs, int, "net.core.netdev_budget_usecs", 8000, 0, INT32_MAX, "time limit of one round, microseconds") \
	X(dev_weight, int, "net.core.dev_weight", 64, 1, INT32_MAX, "frames of one poll of one device, and of one turn of sending") \
	X(netdev_max_backlog, int, "net.core.netdev_max_backlog", 1000, 1, INT32_MAX, "frames in the backlog of a shard") \
	X(gro_flush_timeout, int, "net.core.gro_flush_timeout", 0, 0, 1000000000, "nanoseconds that packets may wait after a poll to be merged with what comes") \
	X(flow_limit_cpus, mask, "net.core.flow_limit_cpu_bitmap", 0, INT64_MIN, INT64_MAX, "workers on which large flows are dropped first when a backlog fills, a mask in hexadecimal") \
	X(flow_limit_table_len, int, "net.core.flow_limit_table_len", 4096, 1, 1048576, "flows that the flow limit tells apart, a power of two") \
	X(rps_sock_flow_entries, int, "net.core.rps_sock_flow_entries", 0, 0, 16777216, "flows to sockets of other workers that each worker remembers; 0: it looks for the socket each time") \
	X(runtime_stats, bool, "net.core.runtime_stats", 0, 0, 1, "measure how long each stage takes, on a sample (show runtime)") \
	X(somaxconn, int, "net.core.somaxconn", 4096, 1, 65535, "upper limit of listen()'s backlog") \
	X(rmem_default, int, "net.core.rmem_default", 212992, 2304, INT32_MAX, "receive buffer of a socket, bytes") \
	X(wmem_default, int, "net.core.wmem_default", 212992, 4608, INT32_MAX, "send buffer of a socket, bytes") \
	X(rmem_max, int, "net.core.rmem_max", 4194304, 2304, INT32_MAX, "upper limit of SO_RCVBUF, bytes") \
	X(wmem_max, int, "net.core.wmem_max", 4194304, 4608, INT32_MAX, "upper limit of SO_SNDBUF, bytes") \
	X(ip_forward, bool, "net.ipv4.ip_forward", 0, 0, 1, "forward packets between devices") \
	X(ip_default_ttl, int, "net.ipv4.ip_default_ttl", 64, 1, 255, "time to live of packets sent") \
	X(ip_no_pmtu_disc, int, "net.ipv4.ip_no_pmtu_disc", 0, 0, 3, "1: never set DF") \
	X(ip_forward_use_pmtu, bool, "net.ipv4.ip_forward_use_pmtu", 0, 0, 1, "forwarded packets heed learned path MTUs") \
	X(ip_min_pmtu, int, "net.ipv4.route.min_pmtu", 552, 68, 65535, "smallest path MTU believed, bytes") \
	X(ip_mtu_expires, int, "net.ipv4.route.mtu_expires", 600, 1, 86400, "seconds for which a learned path MTU holds") \
	X(ipfrag_high_thresh, int, "net.ipv4.ipfrag_high_thresh", 4194304, 0, INT32_MAX, "memory for incomplete datagrams, bytes") \
	X(ipfrag_low_thresh, int, "net.ipv4.ipfrag_low_thresh", 3145728, 0, INT32_MAX, "what eviction goes down to, bytes") \
	X(ipfrag_time, int, "net.ipv4.ipfrag_time", 30, 1, 3600, "seconds that the rest of a datagram is waited for") \
	X(icmp_echo_ignore_all, bool, "net.ipv4.icmp_echo_ignore_all", 0, 0, 1, "do not answer ping") \
	X(icmp_echo_ignore_broadcasts, bool, "net.ipv4.icmp_echo_ignore_broadcasts", 1, 0, 1, "do not answer ping to broadcast and multicast") \
	X(icmp_ratelimit, int, "net.ipv4.icmp_ratelimit", 1000, 0, INT32_MAX, "least time between ICMP errors to one host, milliseconds; 0: no limit") \
	X(icmp_ratemask, int, "net.ipv4.icmp_ratemask", 6168, 0, INT32_MAX, "ICMP types that the limit holds for, as bits") \
	X(icmp_msgs_per_sec, int, "net.ipv4.icmp_msgs_per_sec", 1000, 0, INT32_MAX, "ICMP errors a second to all hosts together") \
	X(icmp_msgs_burst, int, "net.ipv4.icmp_msgs_burst", 50, 0, INT32_MAX, "burst of icmp_msgs_per_sec") \
	X(icmp_ignore_bogus, bool, "net.ipv4.icmp_ignore_bogus_error_responses", 1, 0, 1, "be silent about bogus ICMP errors") \
	X(ip_local_port_min, int, "net.ipv4.ip_local_port_min", 32768, 1, 65535, "lowest ephemeral port") \
	X(ip_local_port_max, int, "net.ipv4.ip_local_port_max", 60999, 1, 65535, "highest ephemeral port") \
	X(ip_unprivileged_port_start, int, "net.ipv4.ip_unprivileged_port_start", 0, 0, 65536, "lowest port for unprivileged users") \
	X(tcp_sack, bool, "net.ipv4.tcp_sack", 1, 0, 1, "selective acknowledgements (RFC 2018)") \
	X(tcp_dsack, bool, "net.ipv4.tcp_dsack", 1, 0, 1, "duplicate SACK (RFC 2883)") \
	X(tcp_timestamps, int, "net.ipv4.tcp_timestamps", 1, 0, 2, "timestamps (RFC 7323); 1 with a random offset a connection") \
	X(tcp_window_scaling, bool, "net.ipv4.tcp_window_scaling", 1, 0, 1, "window scale option (RFC 7323)") \
	X(tcp_ecn, int, "net.ipv4.tcp_ecn", 2, 0, 2, "ECN (RFC 3168): 0 no, 1 ask and answer, 2 answer") \
	X(tcp_syn_retries, int, "net.ipv4.tcp_syn_retries", 6, 1, 127, "SYNs sent again before connect gives up") \
	X(tcp_synack_retries, int, "net.ipv4.tcp_synack_retries", 5, 0, 255, "SYN-ACKs sent again") \
	X(tcp_retries1, int, "net.ipv4.tcp_retries1", 3, 0, 255, "retransmissions after which the route is doubted") \
	X(tcp_retries2, int, "net.ipv4.tcp_retries2", 15, 0, 255, "retransmissions after which the connection is given up") \
	X(tcp_orphan_retries, int, "net.ipv4.tcp_orphan_retries", 0, 0, 255, "the same for a closed socket; 0 means 8") \
	X(tcp_fin_timeout, int, "net.ipv4.tcp_fin_timeout", 60, 1, 86400, "seconds an orphan stays in FIN-WAIT-2") \
	X(tcp_keepalive_time, int, "net.ipv4.tcp_keepalive_time", 7200, 1, 32767, "idle seconds before the first keepalive") \
	X(tcp_keepalive_intvl, int, "net.ipv4.tcp_keepalive_intvl", 75, 1, 32767, "seconds between keepalives") \
	X(tcp_keepalive_probes, int, "net.ipv4.tcp_keepalive_probes", 9, 1, 127, "unanswered keepalives before the end") \
	X(tcp_max_syn_backlog, int, "net.ipv4.tcp_max_syn_backlog", 1024, 1, 1000000, "half-open connections of a listener") \
	X(tcp_max_tw_buckets, int, "net.ipv4.tcp_max_tw_buckets", 16384, 0, 10000000, "connections in TIME-WAIT a shard") \
	X(tcp_max_orphans, int, "net.ipv4.tcp_max_orphans", 16384, 0, 10000000, "closed connections that still send, a shard") \
	X(tcp_tw_reuse, int, "net.ipv4.tcp_tw_reuse", 2, 0, 2, "take a TIME-WAIT port for a new connection: 0 no, 1 yes, 2 on loopback") \
	X(tcp_abort_on_overflow, bool, "net.ipv4.tcp_abort_on_overflow", 0, 0, 1, "reset when the accept queue is full") \
	X(tcp_reordering, int, "net.ipv4.tcp_reordering", 3, 1, 300, "duplicate acknowledgements that mean loss, at first") \
	X(tcp_challenge_ack_limit, int, "net.ipv4.tcp_challenge_ack_limit", 1000, 1, INT32_MAX, "challenge ACKs a second (RFC 5961)") \
	X(tcp_invalid_ratelimit, int, "net.ipv4.tcp_invalid_ratelimit", 500, 0, INT32_MAX, "least milliseconds between ACKs to invalid segments of one connection") \
	X(tcp_slow_start_after_idle, bool, "net.ipv4.tcp_slow_start_after_idle", 1, 0, 1, "cwnd decays when idle (RFC 2861)") \
	X(tcp_autocorking, bool, "net.ipv4.tcp_autocorking", 1, 0, 1, "wait with small writes while packets are in the queue") \
	X(tcp_moderate_rcvbuf, bool, "net.ipv4.tcp_moderate_rcvbuf", 1, 0, 1, "receive buffer follows the rate") \
	X(tcp_base_mss, int, "net.ipv4.tcp_base_mss", 1024, 88, 65535, "MSS that path MTU probing begins with") \
	X(tcp_min_snd_mss, int, "net.ipv4.tcp_min_snd_mss", 48, 48, 65535, "smallest MSS accepted from a peer") \
	X(tcp_rmem_min, int, "net.ipv4.tcp_rmem_min", 4096, 1, INT32_MAX, "tcp_rmem, first value") \
	X(tcp_rmem_default, int, "net.ipv4.tcp_rmem_default", 131072, 1, INT32_MAX, "tcp_rmem, second value") \
	X(tcp_rmem_max, int, "net.ipv4.tcp_rmem_max", 6291456, 1, INT32_MAX, "tcp_rmem, third value") \
	X(tcp_wmem_min, int, "net.ipv4.tcp_wmem_min", 4096, 1, INT32_MAX, "tcp_wmem, first value") \
	X(tcp_wmem_default, int, "net.ipv4.tcp_wmem_default", 16384, 1, INT32_MAX, "tcp_wmem, second value") \
	X(tcp_wmem_max, int, "net.ipv4.tcp_wmem_max", 4194304, 1, INT32_MAX, "tcp_wmem, third value") \
	X(tcp_mem_limit, int, "net.ipv4.tcp_mem_limit", 268435456, 65536, INT32_MAX, "bytes that all TCP buffers of a shard may hold") \
	X(tcp_notsent_lowat, uint, "net.ipv4.tcp_notsent_lowat", UINT32_MAX, 0, UINT32_MAX, "unsent bytes below which a socket is writable") \
	X(tcp_rfc1337, bool, "net.ipv4.tcp_rfc1337", 0, 0, 1, "ignore resets in TIME-WAIT") \
	X(udp_rmem_min, int, "net.ipv4.udp_rmem_min", 4096, 1, INT32_MAX, "least receive buffer of a UDP socket") \
	X(udp_mem_limit, int, "net.ipv4.udp_mem_limit", 134217728, 65536, INT32_MAX, "bytes that all UDP and raw buffers of a shard may hold") \
	X(max_sockets, int, "net.core.max_sockets", 262144, 1, INT32_MAX, "sockets that applications may have open in a shard") \
	X(neigh_gc_thresh1, int, "net.ipv4.neigh.default.gc_thresh1", 128, 0, INT32_MAX, "neighbours below which nothing is collected") \
	X(neigh_gc_thresh2, int, "net.ipv4.neigh.default.gc_thresh2", 512, 0, INT32_MAX, "neighbours above which old ones go") \
	X(neigh_gc_thresh3, int, "net.ipv4.neigh.default.gc_thresh3", 1024, 1, INT32_MAX, "most neighbours") \
	X(neigh_gc_interval, int, "net.ipv4.neigh.default.gc_interval", 30, 1, 86400, "seconds between collections") \
	X(neigh_gc_stale_time, int, "net.ipv4.neigh.default.gc_stale_time", 60, 1, 86400, "seconds after which an unused neighbour may go") \
	X(neigh_base_reachable_time, int, "net.ipv4.neigh.default.base_reachable_time_ms", 30000, 1, INT32_MAX, "milliseconds a confirmation holds (randomised 0.5 to 1.5)") \
	X(neigh_retrans_time, int, "net.ipv4.neigh.default.retrans_time_ms", 1000, 1, INT32_MAX, "milliseconds between probes") \
	X(neigh_delay_first_probe, int, "net.ipv4.neigh.default.delay_first_probe_time", 5, 0, 86400, "seconds in DELAY") \
	X(neigh_ucast_solicit, int, "net.ipv4.neigh.default.ucast_solicit", 3, 0, 255, "unicast probes") \
	X(neigh_mcast_solicit, int, "net.ipv4.neigh.default.mcast_solicit", 3, 0, 255, "broadcast probes") \
	X(neigh_unres_qlen_bytes, int, "net.ipv4.neigh.default.unres_qlen_bytes", 212992, 0, INT32_MAX, "bytes that wait for one neighbour") \
	X(neigh_locktime, int, "net.ipv4.neigh.default.locktime_ms", 1000, 0, INT32_MAX, "milliseconds for which a new address cannot be changed again")

/* Congestion controls by name; the enumerator is the value of sysctl_values.tcp_congestion and the index into the table of tcp_cong.c. */
#define TCP_CONGS(X) X(CUBIC, "cubic") X(RENO, "reno")
enum tcp_cong_id {
#define TCP_CONG_E(id, name) TCP_CONG_##id,
	TCP_CONGS(TCP_CONG_E)
#undef TCP_CONG_E
	TCP_CONG_MAX
};

typedef int      sysctl_int;
typedef unsigned sysctl_uint;
typedef bool     sysctl_bool;
typedef int64_t  sysctl_mask; /* bits of workers */

struct sysctl_values {
#define NET_SYSCTL_FIELD(field, type, name, def, min, max, help) sysctl_##type field;
	NET_SYSCTLS(NET_SYSCTL_FIELD)
#undef NET_SYSCTL_FIELD
	uint8_t tcp_congestion; /* enum tcp_cong_id; net.ipv4.tcp_congestion_control, "cubic" */
};

extern const struct sysctl_values sysctl_defaults;

#endif
