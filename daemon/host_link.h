/* SPDX-License-Identifier: MIT */
/* host_link.h: the host's end of a TAP, by rtnetlink (libnl-3). Called in the privileged helper. */
#ifndef DAEMON_HOST_LINK_H
#define DAEMON_HOST_LINK_H

#include "priv.h"

enum host_link_use { HOST_LINK_NONE /* no such interface */, HOST_LINK_FREE_TAP /* a persistent TAP that nobody uses */, HOST_LINK_BUSY_TAP, HOST_LINK_OTHER };

/* What an interface of that name is now. */
enum host_link_use host_link_use(const char *name);
struct host_seen { /* what a RTM_NEWLINK or RTM_DELLINK says */
	int      ifindex;
	uint32_t flags, mtu, txqlen; /* mtu, txqlen 0: it does not say */
	uint8_t  link_mode, operstate;
	bool     tap, used; /* used: a program holds a queue */
	char     name[NS_IFNAMSIZ];
};
struct nlmsghdr;
int host_link_parse(const struct nlmsghdr *nlh, struct host_seen *ret); /* 0 or -EINVAL */
int host_link_find(const char *name, struct host_seen *ret); /* asks the kernel: 0, -ENODEV or another -errno */
/* What the host could not put on the queues of one of its TAPs, so far, and their length. Needs no privilege, and no bind(2). 0, -ENODEV (not in this namespace), -errno. */
int host_link_queue(int ifindex, const char *name, uint64_t *ret_dropped, uint32_t *ret_len /* NULL: not wanted */);
/* Brings MTU, address and state to what end says; changes only what differs. 0, -ENODEV (not in this network namespace any more), -EPERM, or another -errno. */
int host_link_set(const struct host_end *end);

#endif
