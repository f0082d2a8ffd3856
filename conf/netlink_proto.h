/* SPDX-License-Identifier: MIT */
/*
 * netlink_proto.h: the rtnetlink socket: an AF_UNIX SOCK_SEQPACKET socket beside the control socket, on which netstackd answers as Linux's NETLINK_ROUTE does
 * (rtnetlink(7)). One packet is one netlink datagram. What the sockets API of AF_NETLINK says beside the messages is said in packets of its own here:
 *
 *   bind()        a packet of 12 bytes that is a struct sockaddr_nl (nl_family AF_NETLINK): nl_groups is the mask of groups 1 to 32 that the client is in from now on,
 *                 nl_pid what answers carry in nlmsg_pid (0: what the request carried). No netlink message is that short. It is not answered.
 *   setsockopt()  a message of type NSNL_SOCKOPT with NLM_F_REQUEST, its payload a struct nsnl_sockopt; answered like any other (NLM_F_ACK).
 *                 Level SOL_NETLINK: NETLINK_ADD_MEMBERSHIP, DROP_MEMBERSHIP, CAP_ACK, EXT_ACK, GET_STRICT_CHK, NO_ENOBUFS; others are accepted and ignored.
 *                 Level SOL_NSNL: below.
 *   ENOBUFS       of recvmsg(): a client that reads more slowly than events come gets, in the place of those that were lost, a NLMSG_ERROR of sequence number 0
 *                 with error -ENOBUFS, and should ask for everything again. Not with NETLINK_NO_ENOBUFS.
 *   getsockname() is the client's own business: nl_pid is what it said in bind().
 */
#ifndef CONF_NETLINK_PROTO_H
#define CONF_NETLINK_PROTO_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NSNL_SOCKOPT 0x8 /* a control message (below NLMSG_MIN_TYPE) that netlink(7) does not use */
#define SOL_NSNL     0x6e73

enum nsnl_option {
	NSNL_NETNS = 1, /* text: the network namespace that this client sees; empty or "default": the first. Without it: the first */
};

struct nsnl_sockopt {
	int32_t level, name, value;
	char    text[]; /* of NSNL_NETNS; to the end of the message, a terminating zero may be there */
};

#define NSNL_REQUEST_MAX 16384 /* bytes of a packet to netstackd; longer ones are refused with EMSGSIZE */
#define NSNL_PACKET_MAX  16384 /* of one from it; a larger one has a single message that is larger */

/* Where it is: beside the control socket, "rtnetlink" beside "control", "X.rtnetlink" beside any other X. 0 or -1: it does not fit. */
static inline int nsnl_path(const char *control, char *buf, size_t size)
{
	const char *base = strrchr(control, '/');
	size_t len = strlen(control);
	int n;

	base = base ? base + 1 : control;
	if (strcmp(base, "control") == 0)
		n = snprintf(buf, size, "%.*srtnetlink", (int)(len - strlen(base)), control);
	else
		n = snprintf(buf, size, "%s.rtnetlink", control);
	return n >= 0 && (size_t)n < size ? 0 : -1;
}

#endif
