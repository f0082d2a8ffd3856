/* SPDX-License-Identifier: MIT */
/*
 * netlink_server.h: the rtnetlink socket (conf/netlink_proto.h). netlink_server.c knows clients, datagrams, acknowledgements, dumps and groups; what the messages are
 * about is in one file an object (netlink_link.c: links), each a table of handlers. All on the control thread.
 */
#ifndef DAEMON_NETLINK_SERVER_H
#define DAEMON_NETLINK_SERVER_H

#include "state.h"

#include <netlink/msg.h>
#include <netstack/linkwatch.h>

struct daemon;
struct nl_client;

/* ---- for main.c and apply.c ---- */

int  netlink_start(struct daemon *daemon, int listen_fd /* taken over; -1: only clients that are handed in */); /* 0 or -ENOMEM */
void netlink_stop(struct daemon *daemon);
void netlink_retry(struct daemon *daemon); /* a change has finished: those who waited for it go on */
/* A connected socket; taken over. may_change: not only questions. 0 or -errno. */
int  netlink_client_add(struct daemon *daemon, int fd, bool may_change);
void netlink_netns_gone(struct daemon *daemon); /* one was deleted: its clients are cut off */

/* ---- for the objects' files ---- */

/* A message being answered. The handler sets bad (an attribute inside of it) and why (a sentence that outlives the call, or in text) when it refuses. */
struct nl_request {
	struct daemon     *daemon;
	struct nl_client  *client;
	struct conf_state *st; /* the namespace that it is about */
	struct nlmsghdr   *nlh;
	bool               strict; /* NETLINK_GET_STRICT_CHK */
	const struct nlattr *bad;
	const char        *why;
	char               text[256];
};

/* What is being told piece by piece, while the client takes it. */
struct nl_dump {
	/* Puts the next message into *ret (nl_begin with dump, then attributes). 0, 1: there is none left, or -errno: the dump ends with it. */
	int (*next)(struct nl_dump *dump, struct nl_msg **ret);
	void (*free)(struct nl_dump *dump);
	uint64_t (*generation)(const struct nl_dump *dump); /* when that differs from what it was at the start, the dump is marked as interrupted */
	/* the server's: */
	struct conf_state *st;
	uint64_t           began;
	uint32_t           seq, pid;
	uint16_t           flags; /* NLM_F_DUMP_INTR */
};

#define NL_LATER 1 /* nl_later has been called: the answer follows by nl_done or nl_dump_start */

struct nl_handler {
	uint16_t type; /* RTM_* of a request */
	int (*doit)(struct nl_request *q); /* 0, -errno or NL_LATER; NULL: -EOPNOTSUPP */
	int (*dump)(struct nl_request *q, struct nl_dump **ret); /* likewise; on 0 *ret is the server's */
};
struct nl_object {
	const struct nl_handler *handlers;
	size_t                   n;
};
extern const struct nl_object nl_links;

/* A claim on an answer that comes later; outlives the client. */
struct nl_claim {
	struct nl_client  *client; /* NULL: it has gone */
	struct conf_state *st; /* held */
	struct nlmsghdr   *nlh; /* a copy of the request */
	uint32_t           pid; /* what its answers carry */
	struct nl_claim   *next;
};
struct nl_claim *nl_later(struct nl_request *q); /* NULL: no memory */
/* Each ends the claim. msg: an answer before the acknowledgement, or NULL; taken over. bad_offset: of the attribute to blame in the request, or 0. */
void nl_done(struct nl_claim *claim, int err, const char *why, size_t bad_offset, struct nl_msg *msg);
void nl_dump_start(struct nl_claim *claim, struct nl_dump *dump);

/* A new message with room for attributes, header and payload (zeroed, *ret_payload) in it. NULL: no memory. */
struct nl_msg *nl_begin(uint32_t pid, uint32_t seq, uint16_t type, uint16_t flags, size_t payload, void **ret_payload);
static inline struct nl_msg *nl_begin_dump(const struct nl_dump *d, uint16_t type, size_t payload, void **ret_payload)
{
	return nl_begin(d->pid, d->seq, type, (uint16_t)(NLM_F_MULTI | d->flags), payload, ret_payload);
}
uint32_t nl_request_pid(const struct nl_request *q); /* what its answers carry */
void nl_reply(struct nl_request *q, struct nl_msg *msg); /* takes msg over */
/* To all members of a group in that namespace. Takes msg over; NULL: lost, they are told so. */
void nl_broadcast(struct daemon *daemon, const struct conf_state *st, unsigned group, struct nl_msg *msg);
bool nl_anyone(const struct daemon *daemon, const struct conf_state *st, unsigned group); /* listens */

/* Attributes of a request, by number, after hdrlen bytes of payload; checked against policy. -EINVAL with bad and why. */
struct nl_attr_rule { uint16_t min, max; /* bytes; max 0: any */ };
int  nl_parse(struct nl_request *q, size_t hdrlen, const struct nlattr *tb[], unsigned max, const struct nl_attr_rule *rules);
int  nl_refuse(struct nl_request *q, int err, const struct nlattr *bad, const char *fmt, ...) __attribute__((format(printf, 4, 5))); /* returns err */

/* netlink_link.c: what linkwatch has told. */
void netlink_link_event(struct daemon *daemon, struct conf_state *st, enum netdev_event event, const struct netdev_state *dev, uint32_t change);

#endif
