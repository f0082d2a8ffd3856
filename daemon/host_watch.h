/* SPDX-License-Identifier: MIT */
/* host_watch.h: what the host does to its ends of our TAPs, by RTM_NEWLINK and RTM_DELLINK of the host's kernel. All on the control thread. */
#ifndef DAEMON_HOST_WATCH_H
#define DAEMON_HOST_WATCH_H

#include "state.h"

struct daemon;

int  host_watch_open(struct daemon *daemon); /* the netlink socket, before the system-call filter is on. 0 or -errno: then the host's doings are not followed */
int  host_watch_start(struct daemon *daemon); /* when there is a loop; 0 or -ENOMEM */
void host_watch_stop(struct daemon *daemon);

#endif
