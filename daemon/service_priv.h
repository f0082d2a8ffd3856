/* SPDX-License-Identifier: MIT */
/*
 * service_priv.h: between service.c, which keeps sockets, cookies and deadlines, and the services, which know a protocol. All of one worker's thread.
 */
#ifndef DAEMON_SERVICE_PRIV_H
#define DAEMON_SERVICE_PRIV_H

#include "list.h"
#include "service.h"
#include <netstack/socket.h>

/* Deadlines of connections come in a few lengths; each has a list in order of expiry, so that starting one costs nothing. */
enum svc_timeout {
	SVC_T_REQUEST, /* a whole request head must be here by then, however slowly it drips */
	SVC_T_IDLE, /* between requests, and for a connection on which nothing moves */
	SVC_T_STALL, /* a transfer in which nothing moves */
	SVC_T_LINGER, /* the peer's FIN after ours */
	SVC_T_MAX
};

struct svc;
struct services;

struct svc_conn {
	struct list_head node; /* svc->conns; moves to the end with every deadline */
	struct list_head tnode; /* services->timeouts[] */
	struct list_head again; /* services->again, or alone */
	struct svc      *svc;
	struct socket   *sock;
	uint32_t         slot;
	ktime_t          expires, moved; /* moved: when that deadline was set, which is when something went forward */
	bool             lingering; /* our FIN is out: what comes is thrown away */
};

struct svc_type {
	const char *name;
	uint8_t     proto;
	/* TCP. conn_size bytes are allocated for a connection, zeroed, struct svc_conn first. */
	size_t conn_size;
	int  (*open)(struct svc_conn *c); /* 0, or -errno: the connection is reset. Sets the first deadline; conn_run follows */
	void (*run)(struct svc_conn *c); /* something may have become possible. May end with svc_close or svc_linger */
	void (*timeout)(struct svc_conn *c); /* NULL: svc_reset */
	void (*release)(struct svc_conn *c); /* gives back what open and run have got; NULL: nothing */
	void (*page)(struct svc_conn *c, const char *text, size_t len); /* services_page; NULL: never asks */
	/* UDP. Makes the answer to the len bytes in buf (room for SVC_DATAGRAM_MAX) in their place: its length, or -1 for none. */
	ssize_t (*answer)(struct services *svcs, uint8_t *buf, size_t len);
};

extern const struct svc_type svc_echo_tcp, svc_echo_udp, svc_discard_tcp, svc_discard_udp, svc_chargen_tcp, svc_chargen_udp, svc_daytime_tcp,
	svc_daytime_udp, svc_http_tcp;

#define SVC_DATAGRAM_MAX 65536

/* What a connection may use. */
struct services *svc_services(const struct svc_conn *c);
int64_t svc_wall_clock(const struct services *svcs); /* ns since the epoch */
int  svc_ask_page(struct svc_conn *c, enum service_page page); /* 0 or -errno */
struct skb_area **svc_pattern(struct services *svcs); /* for service_inetd.c: its pattern; NULL: not made yet. A reference of the services' own */
void svc_count_request(struct services *svcs);
void svc_deadline(struct svc_conn *c, enum svc_timeout t); /* from now on; replaces the one before */
void svc_again(struct svc_conn *c); /* run is called again after others had their turn */
void svc_close(struct svc_conn *c); /* in order: what was sent arrives, then FIN. c is gone */
void svc_reset(struct svc_conn *c); /* RST. c is gone */
void svc_linger(struct svc_conn *c); /* FIN now; closed when the peer's comes, so that an answer is not lost to a reset */

/* service_inetd.c: RFC 867's line, as text with CRLF; returns its length. */
size_t svc_daytime_line(int64_t wall_ns, char *buf, size_t size);
/* "Fri, 20 Nov 2026 10:15:25 GMT" (RFC 9110 section 5.6.7) */
size_t svc_http_date(int64_t wall_ns, char *buf, size_t size);
/* service_http.c: the sequence of /bytes/N from byte pos on: 64-bit little-endian words, word k is k times 0x9e3779b97f4a7c15 modulo 2^64. */
void svc_bytes_fill(uint64_t pos, void *buf, size_t len);

#endif
