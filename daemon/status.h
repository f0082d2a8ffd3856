/* SPDX-License-Identifier: MIT */
/* status.h: pages about the whole daemon, for the http service. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "service.h"

struct worker_ns;

/* On the worker's thread (service_env.page). 0, -EBUSY or -ENOMEM. */
int status_page_request(struct worker_ns *ns, enum service_page page, uint64_t token);

#endif
