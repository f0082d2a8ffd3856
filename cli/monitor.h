/* SPDX-License-Identifier: MIT */
/* monitor.h: "monitor link" by the rtnetlink socket (conf/netlink_proto.h). */
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include "nsctl.h"
#include "show.h"

/* Prints changes of links until the daemon ends or the output is gone. An exit status, or -1: there is no rtnetlink socket beside the control socket; nothing was printed. */
int monitor_links(const struct nsctl *ctl, const struct show *show);

#endif
