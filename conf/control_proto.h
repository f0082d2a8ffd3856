/* SPDX-License-Identifier: MIT */
/*
 * control_proto.h: what passes over the control socket, between daemon/control.c and cli/client.c or any other program.
 *
 * AF_UNIX, SOCK_STREAM, text in lines. The client sends one line of the grammar; the daemon answers with zero or more records and one final line. Requests may
 * follow one another on a connection, one at a time. "monitor" sends records until the client hangs up.
 *
 * "capture" is different: where it is not refused the daemon answers one record {"capture":true,"workers":N,"snaplen":N} and from the next byte on the connection is a pcapng
 * stream, in the daemon's byte order, until it is closed. The client ends it by sending no more (shutdown of its sending side): what was captured by then still comes, and
 * an interface statistics block for each link. A filter comes as "program", in the form of tcpdump -ddd with commas between the lines, and with its text as "filter".
 *
 * A record is one JSON object in a line; keys that have nothing to say are left out. The final line is
 *   {"done":true}, with "warning":"sentence" where not all of the change has an effect here
 *   {"done":false,"errno":"ENOENT","error":"sentence","column":N,"word":"...","expected":"...","suggestion":"..."}  (what is known of the last four)
 * with "file" and "line" where the column is one of the configuration file and not of the request
 *
 * Records, by command. Numbers are JSON numbers; addresses, MAC addresses and prefixes are text ("10.0.0.1", "02:00:00:00:00:01", "10.0.0.0/8").
 *   link     ifindex name type("tap","loopback","dummy","veth","vlan","bridge") flags["UP","BROADCAST","LOOPBACK","NOARP","PROMISC","ALLMULTI","MULTICAST","LOWER_UP","NO-CARRIER"]
 *            mtu qlen address operstate("UP","DOWN","LOWERLAYERDOWN","DORMANT","TESTING","NOTPRESENT","UNKNOWN") linkmode("DORMANT","TESTING": not DEFAULT) carrier(bool)
 *            carrier_changes carrier_up_count carrier_down_count host_name host_addr queues offload(bool)
 *            link(name of what a VLAN stands on, or of a veth's other end) or link_index and link_netns(of one in another namespace) master(bridge) promiscuity
 *            xdp{mode(2: generic) prog{id name}} linkinfo{info_kind info_data{VLAN: protocol("802.1Q","802.1ad") id ingress_qos[{from to}] egress_qos; bridge: ageing_time fdb_max_learned ...}
 *            info_slave_kind("bridge") info_slave_data{state("forwarding","disabled") learning flood mcast_flood bcast_flood hairpin isolated}}
 *            stats{rx{bytes packets errors dropped missed multicast ...} tx{bytes packets errors dropped carrier queued ...}}
 *   addr     dev local prefixlen broadcast scope("global","host",...) label secondary(bool)
 *   route    type("unicast",...) dst("default","10.0.0.0/8","10.0.0.1") gateway dev prefsrc metric table("main" or a number) scope protocol mtu advmss
 *            flags["onlink","linkdown"]; "route get" answers one: dst is the address, prefsrc the source that would be used, errno if there is no way
 *   neigh    dst dev lladdr state["REACHABLE"] probes queued used_ms confirmed_ms updated_ms cpu
 *   fdb      mac ifname(port; the bridge: this host) master(bridge) flags[] state("permanent","static","": learned) updated_ms
 *   socket   netid("tcp","udp","raw","icmp") state("LISTEN","ESTAB","TIME-WAIT","UNCONN",...: as ss(8)) recvq sendq local lport peer pport dev owner cpu ino
 *            timer("on","keepalive","timewait","persist") expires_ms retrans skmem{rmem rcvbuf wmem sndbuf drops} cong
 *            tcp_info{the members of struct tcp_info of <linux/tcp.h> without "tcpi_"} (with info)
 *   drop     reason count help
 *   softnet  cpu processed dropped time_squeeze received_rps flow_limit backlog(= input_qlen + process_qlen) input_qlen process_qlen squeeze_budget squeeze_time rounds
 *            deferred steered steer_full rfs kicks kicks_saved, and the limits netdev_budget netdev_budget_usecs netdev_max_backlog
 *   runtime  cpu stage calls frames(segments) ns help, estimated from sampled of all runs of the worker's stack; no record: net.core.runtime_stats is 0
 *   xdp      dev program path section mode("interpreter") instructions maps[names] actions{pass drop tx redirect aborted tx_errors redirect_errors}
 *            faults{count last(a sentence: the last thing that a program did wrong)}
 *   xdp map  show: dev name type key_size value_size max_entries entries
 *            dump: key(hexadecimal) key_number value value_number, or, of a per-CPU map, cpus[{value value_number}]; numbers where sizes are 1, 2, 4 or 8 bytes;
 *            formatted{key and value, or values[{cpu value}], by their types: numbers, texts, lists, objects} where the program has type information;
 *            truncated(bool): a value is longer than what is shown of it
 *   counter  name("IpInReceives") value
 *   sysctl   name value changed(bool) default help
 *   service  proto port what address connections accepted requests
 *   netns    name("default" for the first) id links services
 *   version  version workers uptime_ms pid config control links routes
 *   save     line
 *   monitor  netns (when it is not the first) what("link","addr","route","neigh") deleted(bool), and the keys of such a record
 */
#ifndef CONF_CONTROL_PROTO_H
#define CONF_CONTROL_PROTO_H

#define CONTROL_PATH_DEFAULT "/run/netstackd/control"
#define CONTROL_PATH_ENV     "NETSTACKD_CONTROL"
#define CONTROL_REQUEST_MAX  (1088 * 1024) /* bytes of a request with its newline */
#define CONTROL_RECORD_MAX   65536 /* bytes of a line of an answer */

#endif
