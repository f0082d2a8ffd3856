/* SPDX-License-Identifier: MIT */
/*
 * host_own.h: which of the host's interfaces the privileged helper has opened, by number, as names change hands. The daemon may have it change these, and no other.
 */
#ifndef DAEMON_HOST_OWN_H
#define DAEMON_HOST_OWN_H

#include <stdbool.h>

struct host_own { /* zeroed: none */
	int     *ifindex; /* allocated */
	unsigned n, room;
};

bool host_own_has(const struct host_own *own, int ifindex);
/* Remembers one more. When there is no room those that exists says are gone are forgotten: for a daemon that makes and removes links all its life. 0 or -ENOMEM. */
int  host_own_add(struct host_own *own, int ifindex, bool (*exists)(int ifindex));

#endif
