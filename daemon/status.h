/* SPDX-License-Identifier: MIT */
/* status.h: pages about the whole daemon, for the http service. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "service.h"

struct worker;

/* On the worker's thread (service_env.page). 0, -EBUSY or -ENOMEM. */
int status_page_request(struct worker *worker, enum service_page page, uint64_t token);

#endif
