/* SPDX-License-Identifier: MIT */
/*
 * mib.h: the counters of /proc/net/snmp and /proc/net/netstat, by their Linux names, which nstat(8) knows. RFC 4293 (IP-MIB), RFC 4022 (TCP-MIB),
 * RFC 4113 (UDP-MIB), RFC 1213 (ICMP). X(group, name); the enumerator is MIB_group_name. Gauges are marked G.
 */
#ifndef NETSTACK_MIB_H
#define NETSTACK_MIB_H

#define NET_MIBS(X, G) \
	G(Ip, Forwarding) G(Ip, DefaultTTL) X(Ip, InReceives) X(Ip, InHdrErrors) X(Ip, InAddrErrors) X(Ip, ForwDatagrams) \
	X(Ip, InUnknownProtos) X(Ip, InDiscards) X(Ip, InDelivers) X(Ip, OutRequests) X(Ip, OutDiscards) X(Ip, OutNoRoutes) \
	X(Ip, ReasmTimeout) X(Ip, ReasmReqds) X(Ip, ReasmOKs) X(Ip, ReasmFails) X(Ip, FragOKs) X(Ip, FragFails) X(Ip, FragCreates) \
	X(Ip, OutTransmits) \
	X(Icmp, InMsgs) X(Icmp, InErrors) X(Icmp, InCsumErrors) X(Icmp, InDestUnreachs) X(Icmp, InTimeExcds) X(Icmp, InParmProbs) \
	X(Icmp, InSrcQuenchs) X(Icmp, InRedirects) X(Icmp, InEchos) X(Icmp, InEchoReps) X(Icmp, InTimestamps) X(Icmp, InTimestampReps) \
	X(Icmp, InAddrMasks) X(Icmp, InAddrMaskReps) X(Icmp, OutMsgs) X(Icmp, OutErrors) X(Icmp, OutRateLimitGlobal) \
	X(Icmp, OutRateLimitHost) X(Icmp, OutDestUnreachs) X(Icmp, OutTimeExcds) X(Icmp, OutParmProbs) X(Icmp, OutSrcQuenchs) \
	X(Icmp, OutRedirects) X(Icmp, OutEchos) X(Icmp, OutEchoReps) X(Icmp, OutTimestamps) X(Icmp, OutTimestampReps) \
	X(Icmp, OutAddrMasks) X(Icmp, OutAddrMaskReps) \
	G(Tcp, RtoAlgorithm) G(Tcp, RtoMin) G(Tcp, RtoMax) G(Tcp, MaxConn) X(Tcp, ActiveOpens) X(Tcp, PassiveOpens) X(Tcp, AttemptFails) \
	X(Tcp, EstabResets) G(Tcp, CurrEstab) X(Tcp, InSegs) X(Tcp, OutSegs) X(Tcp, RetransSegs) X(Tcp, InErrs) X(Tcp, OutRsts) X(Tcp, InCsumErrors) \
	X(Udp, InDatagrams) X(Udp, NoPorts) X(Udp, InErrors) X(Udp, OutDatagrams) X(Udp, RcvbufErrors) X(Udp, SndbufErrors) X(Udp, InCsumErrors) \
	X(Udp, IgnoredMulti) X(Udp, MemErrors) \
	X(TcpExt, EmbryonicRsts) X(TcpExt, PruneCalled) X(TcpExt, RcvPruned) X(TcpExt, OfoPruned) X(TcpExt, TW) X(TcpExt, TWRecycled) X(TcpExt, TWKilled) \
	X(TcpExt, PAWSActive) X(TcpExt, PAWSEstab) X(TcpExt, DelayedACKs) X(TcpExt, DelayedACKLocked) X(TcpExt, DelayedACKLost) \
	X(TcpExt, ListenOverflows) X(TcpExt, ListenDrops) X(TcpExt, TCPHPHits) X(TcpExt, TCPPureAcks) X(TcpExt, TCPHPAcks) X(TcpExt, TCPRenoRecovery) \
	X(TcpExt, TCPSackRecovery) X(TcpExt, TCPSACKReneging) X(TcpExt, TCPSACKReorder) X(TcpExt, TCPLostRetransmit) X(TcpExt, TCPSackFailures) \
	X(TcpExt, TCPLossFailures) X(TcpExt, TCPFastRetrans) X(TcpExt, TCPSlowStartRetrans) X(TcpExt, TCPTimeouts) X(TcpExt, TCPLossProbes) \
	X(TcpExt, TCPRcvCollapsed) X(TcpExt, TCPDSACKOldSent) X(TcpExt, TCPDSACKOfoSent) X(TcpExt, TCPDSACKRecv) X(TcpExt, TCPAbortOnData) \
	X(TcpExt, TCPAbortOnClose) X(TcpExt, TCPAbortOnMemory) X(TcpExt, TCPAbortOnTimeout) X(TcpExt, TCPAbortOnLinger) X(TcpExt, TCPAbortFailed) \
	X(TcpExt, TCPSACKDiscard) X(TcpExt, TCPBacklogDrop) X(TcpExt, TCPMinTTLDrop) X(TcpExt, TCPDeferAcceptDrop) X(TcpExt, IPReversePathFilter) \
	X(TcpExt, TCPReqQFullDrop) X(TcpExt, TCPRcvCoalesce) X(TcpExt, TCPOFOQueue) X(TcpExt, TCPOFODrop) X(TcpExt, TCPOFOMerge) \
	X(TcpExt, TCPChallengeACK) X(TcpExt, TCPSYNChallenge) X(TcpExt, TCPSpuriousRtxHostQueues) X(TcpExt, TCPAutoCorking) \
	X(TcpExt, TCPFromZeroWindowAdv) X(TcpExt, TCPToZeroWindowAdv) X(TcpExt, TCPWantZeroWindowAdv) X(TcpExt, TCPSynRetrans) X(TcpExt, TCPOrigDataSent) \
	X(TcpExt, TCPHystartTrainDetect) X(TcpExt, TCPHystartTrainCwnd) X(TcpExt, TCPHystartDelayDetect) X(TcpExt, TCPHystartDelayCwnd) \
	X(TcpExt, TCPACKSkippedSynRecv) X(TcpExt, TCPACKSkippedPAWS) X(TcpExt, TCPACKSkippedSeq) X(TcpExt, TCPACKSkippedFinWait2) \
	X(TcpExt, TCPACKSkippedTimeWait) X(TcpExt, TCPACKSkippedChallenge) X(TcpExt, TCPWinProbe) X(TcpExt, TCPKeepAlive) X(TcpExt, TCPDelivered) \
	X(TcpExt, TCPRcvQDrop) X(TcpExt, TCPZeroWindowDrop) X(TcpExt, TCPTimeWaitOverflow) \
	X(IpExt, InNoRoutes) X(IpExt, InTruncatedPkts) X(IpExt, InMcastPkts) X(IpExt, OutMcastPkts) X(IpExt, InBcastPkts) X(IpExt, OutBcastPkts) \
	X(IpExt, InOctets) X(IpExt, OutOctets) X(IpExt, InMcastOctets) X(IpExt, OutMcastOctets) X(IpExt, InBcastOctets) X(IpExt, OutBcastOctets) \
	X(IpExt, InCsumErrors) X(IpExt, ReasmOverlaps) \
	X(Arp, InRequests) X(Arp, InReplies) X(Arp, OutRequests) X(Arp, OutReplies) \
	X(Neigh, Allocs) X(Neigh, Destroys) X(Neigh, ResFailed) X(Neigh, Lookups) X(Neigh, Hits) X(Neigh, UnresDiscards) X(Neigh, ForcedGcRuns) X(Neigh, TableFulls)

enum net_mib {
#define NET_MIB_E(group, name) MIB_##group##_##name,
	NET_MIBS(NET_MIB_E, NET_MIB_E)
#undef NET_MIB_E
	NET_MIB_MAX
};

/* "Ip", "InReceives" for an enumerator; NULL out of range. Static storage. */
const char *net_mib_group(enum net_mib m);
const char *net_mib_name(enum net_mib m);

#endif
