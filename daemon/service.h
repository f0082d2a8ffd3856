/* SPDX-License-Identifier: MIT */
/*
 * service.h: the built-in services (echo, discard, chargen, daytime, http) on the stack's own sockets.
 *
 * Theory of operation. Each worker has a struct services on its shard. The control thread validates a service once (service_check), then has every worker
 * add it: a TCP service listens on every shard, a UDP service has a socket on each that is marked NS_SO_SHARD_REPLICA. All calls below but
 * service_check and service_names come from the worker's thread, with the stack's time set (stack_set_now), and never block.
 * Wake-ups of sockets arrive by services_wake; the cookies of service sockets are the services' own business.
 *
 * Pages that show the state of the whole daemon need every shard: the http service asks for them with env->page and gets the text later,
 * on the same thread, by services_page. What is in them is rendered by status.c.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <netstack/stack.h>
#include <netstack/types.h>

#define SERVICE_NAME_MAX 16

struct service_conf {
	uint8_t       proto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t      port; /* host order, 1 to 65535 */
	struct ipaddr addr; /* family 0: any */
	char          what[SERVICE_NAME_MAX]; /* "echo", "http", ... */
};

enum service_page { PAGE_STATUS_HTML, PAGE_METRICS, PAGE_STATUS_JSON };

struct service_env {
	void *priv;
	/* Asks for a page. services_page(services, token, ...) follows later, never from inside this call; also when the daemon cannot make it
	 * (text NULL). 0, or -EBUSY: too many are being made. */
	int (*page)(void *priv, enum service_page page, uint64_t token);
	/* Nanoseconds since the epoch. */
	int64_t (*wall_clock)(void *priv);
};

struct services;
struct services_stats { /* of this worker */
	uint32_t services, connections; /* now */
	uint64_t accepted, requests, refused; /* since start; requests: http */
};

/* env must outlive it. 0 or -ENOMEM. */
int  services_new(struct services **ret, struct stack *stack, const struct service_env *env);
void services_free(struct services *services); /* closes what is open; NULL is ignored */
/* 0; -EADDRINUSE, -EADDRNOTAVAIL, -EEXIST (the same proto, port and address), -ENOMEM, -EMFILE. */
int  services_add(struct services *services, const struct service_conf *conf);
int  services_del(struct services *services, const struct service_conf *conf); /* 0 or -ENOENT; its connections end with it */
void services_wake(struct services *services, uint64_t cookie, uint32_t events);
/* text is only valid during the call. A token whose client has gone away is ignored. */
void services_page(struct services *services, uint64_t token, const char *text, size_t len);
void services_shutdown(struct services *services); /* takes no more connections and closes all in order (FIN) */
void services_stats(const struct services *services, struct services_stats *ret);
/* When time alone makes work (idle limits, drained senders): the next moment, KTIME_MAX if none. Called after every stack_run. */
ktime_t services_run(struct services *services, ktime_t now);
/* That moment, without doing anything; now when there is something to do. What services_run does may give the stack something to do. */
ktime_t services_due(const struct services *services, ktime_t now);

/* Is there such a service for this protocol? 0, or -EINVAL. Pure. */
int service_check(const struct service_conf *conf);
/* "echo discard ..." for messages. Static storage. */
const char *service_names(uint8_t proto);

#endif
