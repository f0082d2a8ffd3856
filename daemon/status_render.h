/* SPDX-License-Identifier: MIT */
/*
 * status_render.h: the pages of the http service about the daemon as a whole (status page, /metrics, /status.json) from plain data. Who gathers the data (status.c)
 * fills a struct status_data; nothing here asks anybody for anything.
 */
#ifndef DAEMON_STATUS_RENDER_H
#define DAEMON_STATUS_RENDER_H

#include "service.h"
#include <netstack/drop.h>
#include <netstack/mib.h>
#include <netstack/socket.h>
#include <netstack/stack.h>

struct status_link {
	struct link_conf  conf;
	const char       *operstate; /* "UP", "DOWN", "LOWERLAYERDOWN", ... */
	char              addrs[160]; /* its addresses as text, blanks between them */
	struct link_stats stats; /* sum over the workers */
};

/* Arrays are the caller's. */
struct status_data {
	const char *version;
	int64_t     uptime_ns;
	int         pid;
	unsigned    nworkers, nlinks, nsocks;
	const struct softnet_stats  *softnet; /* nworkers of them */
	const struct services_stats *services; /* nworkers */
	const struct skb_pool_stats *pools; /* nworkers; NULL: not known */
	const struct status_link    *links; /* nlinks */
	const struct sock_info      *socks; /* nsocks: those listed; the caller cuts the list where it likes */
	uint64_t        nsocks_total; /* how many there are, */
	uint64_t        tcp_states[16]; /* by TCP_ESTABLISHED ... of <netinet/tcp.h>, TCP only */
	const char     *netns; /* the network namespace that all of this is about; NULL: there is one only */
	unsigned        nnetns;
	const char *const *all_netns; /* nnetns names */
	const uint64_t *mib; /* NET_MIB_MAX sums */
	const uint64_t *drops; /* SKB_DROP_MAX sums */
};

/* The page, to be freed by the caller; *ret_len without the terminating zero. NULL: no memory. Pure. */
char *status_render(enum service_page page, const struct status_data *data, size_t *ret_len);
/* "text/html; charset=utf-8" and so on. Static storage. */
const char *status_content_type(enum service_page page);

#endif
