/* SPDX-License-Identifier: MIT */
/*
 * netlink_server.c: clients of the rtnetlink socket: datagrams in and out, acknowledgements, dumps, groups.
 *
 * Theory of operation. A client's packet is taken apart message by message, in order; the next message waits until the answer to this one is on its way. A change needs the
 * workers, and statistics have to be asked of them: such a request leaves a claim behind that is answered later; meanwhile the client is not read. A dump is
 * made packet by packet while the client takes them, so a dump of any size costs one packet of memory, and who does not read only waits for himself.
 *
 * Events go to the members of a group by a queue of each client. What does not fit (QUEUE_MAX) is lost, and the client is told so, as ENOBUFS, when it has read what
 * is there. Answers are never lost: they are made only when there is room.
 *
 * Who may: whoever can connect may ask; changes are for those who may use the control socket (the kernel says who it is). The socket has the control socket's
 * mode, so that is the same unless somebody opens it wider.
 *
 * Messages are built and walked by libnl; lengths are checked here before libnl sees them. A malformed packet is answered as Linux does: a message that is too short, or
 * longer than its packet, ends the packet silently; a known type with bad attributes is an error with the place of the attribute.
 *
 * Invariants: clients[].in is the packet being worked on, in_off where; a client is read only when in is NULL and neither a claim nor a dump is under way.
 * Not done: NLM_F_ECHO; RTM_GETNSID and listening to all namespaces; filters (SO_ATTACH_FILTER is the kernel's, not ours).
 */
#include "netlink_server.h"

#include "control.h"
#include "daemon.h"
#include "links.h"
#include "log.h"
#include "netlink_proto.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS   64
#define QUEUE_MAX     (256u * 1024) /* bytes of events that wait for a client */
#define QUEUE_HIGH    (64u * 1024) /* no further request is taken up while this much waits */
#define MSG_ROOM      8192 /* of one message */
#define MANY_MESSAGES 64 /* of one client at a time */
#define GROUPS        64

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* The objects that are spoken of. Addresses, routes, rules and neighbours are a line each. */
static const struct nl_object *const objects[] = { &nl_links };

struct out {
	STAILQ_ENTRY(out) node;
	size_t            len;
	unsigned char     data[];
};

struct nl_client {
	LIST_ENTRY(nl_client) node;
	struct netlink_server *server;
	struct conf_state *st; /* held */
	int                fd;
	struct event      *read_event, *write_event;
	unsigned char     *in; /* the packet that is worked on; NULL: none */
	size_t             in_len, in_off;
	struct nl_claim   *claims;
	struct nl_dump    *dump;
	STAILQ_HEAD(, out) queue;
	size_t             queued;
	uint64_t           groups; /* bit n - 1: group n */
	uint32_t           pid; /* of bind(); 0: the requests' */
	bool               owner; /* root, or the user that started netstackd */
	bool               may_change, cap_ack, ext_ack, strict, no_enobufs;
	bool               overrun; /* events were lost since the last one that is queued */
	bool               waiting; /* for a change of somebody else's to finish */
	uint64_t           waits_since; /* in the order of asking: each has his turn */
	bool               working; /* in client_work */
};

struct netlink_server {
	struct daemon *daemon;
	int            fd;
	struct event  *accept_event;
	LIST_HEAD(, nl_client) clients; /* the last that came first */
	unsigned       nclients;
	uint64_t       turns; /* how often somebody had to wait */
	struct event  *resume_event;
	_Alignas(8) unsigned char buf[NSNL_REQUEST_MAX + 1];
};

static void client_work(struct nl_client *c);

/* ---- sending ------------------------------------------------------------------------------------------------------------------ */

static void client_free(struct nl_client *c)
{
	struct out *o;

	LIST_REMOVE(c, node);
	c->server->nclients--;
	for (struct nl_claim *claim = c->claims; claim; claim = claim->next)
		claim->client = NULL;
	if (c->dump) {
		conf_state_put(c->dump->st);
		c->dump->free(c->dump);
	}
	while ((o = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, node);
		free(o);
	}
	if (c->read_event)
		event_free(c->read_event);
	if (c->write_event)
		event_free(c->write_event);
	conf_state_put(c->st);
	free(c->in);
	close(c->fd);
	free(c);
}

/* Sends what is queued, as far as the client takes it. False: it has gone (noticed by the loop, which reads 0). */
static void client_flush(struct nl_client *c)
{
	struct out *o;

	while ((o = STAILQ_FIRST(&c->queue))) {
		ssize_t n = send(c->fd, o->data, o->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) {
			event_add(c->write_event, NULL);
			return;
		}
		/* Any other error: the other end is closed, and reading will say so. */
		STAILQ_REMOVE_HEAD(&c->queue, node);
		c->queued -= o->len;
		free(o);
	}
}

static void client_queue(struct nl_client *c, const void *data, size_t len)
{
	struct out *o = malloc(sizeof(*o) + len);

	if (!o) {
		c->overrun = true;
		return;
	}
	o->len = len;
	memcpy(o->data, data, len);
	STAILQ_INSERT_TAIL(&c->queue, o, node);
	c->queued += len;
}

static void client_queue_msg(struct nl_client *c, struct nl_msg *msg)
{
	client_queue(c, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
}

/* In the place of the events that were lost. */
static void client_tell_overrun(struct nl_client *c)
{
	struct { struct nlmsghdr h; struct nlmsgerr e; } m = {
		.h = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR, .nlmsg_pid = c->pid }, .e.error = -ENOBUFS,
	};

	c->overrun = false;
	if (!c->no_enobufs)
		client_queue(c, &m, sizeof(m));
}

static uint32_t reply_pid(const struct nl_client *c, const struct nlmsghdr *nlh)
{
	return c->pid ? c->pid : nlh->nlmsg_pid;
}

uint32_t nl_request_pid(const struct nl_request *q)
{
	return reply_pid(q->client, q->nlh);
}

struct nl_msg *nl_begin(uint32_t pid, uint32_t seq, uint16_t type, uint16_t flags, size_t payload, void **ret_payload)
{
	struct nl_msg *msg = nlmsg_alloc_size(MSG_ROOM);
	struct nlmsghdr *h = msg ? nlmsg_put(msg, pid, seq, type, (int)payload, flags) : NULL;

	if (!h) {
		nlmsg_free(msg);
		return NULL;
	}
	/* libnl fills in numbers of its own choice for 0 */
	h->nlmsg_pid = pid;
	h->nlmsg_seq = seq;
	h->nlmsg_flags = flags;
	memset(nlmsg_data(h), 0, payload);
	*ret_payload = nlmsg_data(h);
	return msg;
}

void nl_reply(struct nl_request *q, struct nl_msg *msg)
{
	client_queue_msg(q->client, msg);
	nlmsg_free(msg);
}

/* As Linux's netlink_ack: the request's header comes back, with its body when it was refused and NETLINK_CAP_ACK is not set. */
static void client_ack(struct nl_client *c, const struct nlmsghdr *nlh, int err, const char *why, size_t bad_offset)
{
	size_t body = err && !c->cap_ack ? nlh->nlmsg_len : sizeof(*nlh), len = sizeof(struct nlmsghdr) + sizeof(int) + NLMSG_ALIGN(body);
	bool tlvs = c->ext_ack && (why || bad_offset);
	size_t why_len = why ? strlen(why) + 1 : 0;
	struct nlmsgerr *e;
	struct nlmsghdr *h;
	unsigned char *p;

	p = calloc(1, len + NLA_HDRLEN * 2 + NLA_ALIGN(why_len) + 4);
	if (!p) {
		c->overrun = true;
		return;
	}
	h = (struct nlmsghdr *)(void *)p;
	e = NLMSG_DATA(h);
	e->error = err;
	memcpy(&e->msg, nlh, body);
	*h = (struct nlmsghdr){ .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = nlh->nlmsg_seq, .nlmsg_pid = reply_pid(c, nlh),
				.nlmsg_flags = body == sizeof(*nlh) ? NLM_F_CAPPED : 0 };
	if (tlvs) {
		h->nlmsg_flags |= NLM_F_ACK_TLVS;
		if (why) {
			*(struct nlattr *)(void *)(p + len) = (struct nlattr){ .nla_type = NLMSGERR_ATTR_MSG, .nla_len = (uint16_t)(NLA_HDRLEN + why_len) };
			memcpy(p + len + NLA_HDRLEN, why, why_len);
			len += NLA_HDRLEN + NLA_ALIGN(why_len);
		}
		if (bad_offset) {
			uint32_t offset = (uint32_t)bad_offset;

			*(struct nlattr *)(void *)(p + len) = (struct nlattr){ .nla_type = NLMSGERR_ATTR_OFFS, .nla_len = NLA_HDRLEN + sizeof(offset) };
			memcpy(p + len + NLA_HDRLEN, &offset, sizeof(offset));
			len += NLA_HDRLEN + sizeof(offset);
		}
	}
	h->nlmsg_len = (uint32_t)len;
	client_queue(c, p, len);
	free(p);
}

/* ---- dumps ----------------------------------------------------------------------------------------------------------------------- */

static void dump_end(struct nl_client *c)
{
	struct nl_dump *d = c->dump;

	c->dump = NULL;
	conf_state_put(d->st);
	d->free(d);
}

/* One packet of it. */
static void dump_packet(struct nl_client *c)
{
	struct nl_dump *d = c->dump;
	unsigned char *buf = c->server->buf;
	size_t len = 0;
	int r = 0, result;

	_Static_assert(sizeof(c->server->buf) >= NSNL_PACKET_MAX && NSNL_PACKET_MAX >= 2 * MSG_ROOM, "a message always fits");
	while (len + MSG_ROOM + NLMSG_LENGTH(sizeof(int)) <= NSNL_PACKET_MAX) {
		struct nl_msg *msg = NULL;

		if (d->generation(d) != d->began)
			d->flags |= NLM_F_DUMP_INTR;
		r = d->next(d, &msg);
		if (r)
			break;
		memcpy(buf + len, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
		len += NLMSG_ALIGN(nlmsg_hdr(msg)->nlmsg_len);
		nlmsg_free(msg);
	}
	if (r) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(buf + len);

		result = r < 0 ? r : 0;
		*h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(int)), .nlmsg_type = NLMSG_DONE, .nlmsg_flags = (uint16_t)(NLM_F_MULTI | d->flags),
					.nlmsg_seq = d->seq, .nlmsg_pid = d->pid };
		memcpy(NLMSG_DATA(h), &result, sizeof(result));
		len += NLMSG_LENGTH(sizeof(int));
		dump_end(c);
	}
	client_queue(c, buf, len);
}

static void dump_begin(struct nl_client *c, struct nl_dump *d, struct conf_state *st, const struct nlmsghdr *nlh)
{
	d->st = conf_state_get(st);
	d->seq = nlh->nlmsg_seq;
	d->pid = reply_pid(c, nlh);
	d->flags = 0;
	d->began = d->generation(d);
	c->dump = d;
}

/* ---- claims ------------------------------------------------------------------------------------------------------------------------- */

struct nl_claim *nl_later(struct nl_request *q)
{
	struct nl_claim *claim = malloc(sizeof(*claim) + q->nlh->nlmsg_len);

	if (!claim)
		return NULL;
	claim->client = q->client;
	claim->st = conf_state_get(q->st);
	claim->nlh = (struct nlmsghdr *)(void *)(claim + 1);
	memcpy(claim->nlh, q->nlh, q->nlh->nlmsg_len);
	claim->pid = reply_pid(q->client, q->nlh);
	claim->next = q->client->claims;
	q->client->claims = claim;
	return claim;
}

static struct nl_client *claim_client(struct nl_claim *claim)
{
	struct nl_client *c = claim->client;
	struct nl_claim **p;

	if (!c)
		return NULL;
	for (p = &c->claims; *p != claim; p = &(*p)->next)
		;
	*p = claim->next;
	return c;
}

static void claim_free(struct nl_claim *claim)
{
	conf_state_put(claim->st);
	free(claim);
}

void nl_done(struct nl_claim *claim, int err, const char *why, size_t bad_offset, struct nl_msg *msg)
{
	struct nl_client *c = claim_client(claim);

	if (c && msg)
		client_queue_msg(c, msg);
	if (c && (err || (claim->nlh->nlmsg_flags & NLM_F_ACK)))
		client_ack(c, claim->nlh, err, why, bad_offset);
	if (msg)
		nlmsg_free(msg);
	claim_free(claim);
	if (c)
		client_work(c);
}

void nl_dump_start(struct nl_claim *claim, struct nl_dump *dump)
{
	struct nl_client *c = claim_client(claim);

	if (c)
		dump_begin(c, dump, claim->st, claim->nlh);
	else
		dump->free(dump);
	claim_free(claim);
	if (c)
		client_work(c);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

int nl_refuse(struct nl_request *q, int err, const struct nlattr *bad, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->text, sizeof(q->text), fmt, ap);
	va_end(ap);
	q->why = q->text;
	q->bad = bad;
	return err;
}

int nl_parse(struct nl_request *q, size_t hdrlen, const struct nlattr *tb[], unsigned max, const struct nl_attr_rule *rules)
{
	const struct nlattr *a;
	int left;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (q->nlh->nlmsg_len < NLMSG_LENGTH(hdrlen))
		return nl_refuse(q, -EINVAL, NULL, "the message is shorter than its header");
	a = nlmsg_attrdata(q->nlh, (int)hdrlen);
	left = nlmsg_attrlen(q->nlh, (int)hdrlen);
	for (; nla_ok(a, left); a = nla_next(a, &left)) {
		unsigned type = (unsigned)nla_type(a);

		if (type > max) {
			if (q->strict)
				return nl_refuse(q, -EINVAL, a, "unknown attribute %u", type);
			continue;
		}
		if (nla_len(a) < rules[type].min || (rules[type].max && nla_len(a) > rules[type].max))
			return nl_refuse(q, -ERANGE, a, "attribute %u has %d bytes", type, nla_len(a));
		tb[type] = a;
	}
	if (left > 0 && q->strict)
		return nl_refuse(q, -EINVAL, NULL, "%d bytes left over after the attributes", left);
	return 0;
}

static const struct nl_handler *handler_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		for (size_t k = 0; k < objects[i]->n; k++)
			if (objects[i]->handlers[k].type == type)
				return &objects[i]->handlers[k];
	return NULL;
}

static int set_netns(struct nl_client *c, struct nl_request *q, const struct nsnl_sockopt *o, size_t len)
{
	char name[NETNS_NAME_MAX];
	struct conf_state *st;
	size_t n = strnlen(o->text, len);

	if (n >= sizeof(name))
		return nl_refuse(q, -EINVAL, NULL, "the name of a network namespace has at most %zu characters", sizeof(name) - 1);
	memcpy(name, o->text, n);
	name[n] = '\0';
	st = links_state_named(c->server->daemon, name);
	if (!st)
		return nl_refuse(q, -ENOENT, NULL, "there is no network namespace %s", name);
	conf_state_get(st);
	conf_state_put(c->st);
	c->st = st;
	return 0;
}

static int set_option(struct nl_client *c, struct nl_request *q)
{
	const struct nsnl_sockopt *o = NLMSG_DATA(q->nlh);
	uint64_t bit;

	if (q->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*o)))
		return nl_refuse(q, -EINVAL, NULL, "the option is cut short");
	if (o->level == SOL_NSNL && o->name == NSNL_NETNS)
		return set_netns(c, q, o, q->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*o)));
	if (o->level != SOL_NETLINK)
		return nl_refuse(q, -ENOPROTOOPT, NULL, "there is no option %d of level %d", o->name, o->level);
	switch (o->name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (o->value < 1 || o->value > GROUPS)
			return nl_refuse(q, -EINVAL, NULL, "there is no group %d", o->value);
		bit = UINT64_C(1) << (o->value - 1);
		c->groups = o->name == NETLINK_ADD_MEMBERSHIP ? c->groups | bit : c->groups & ~bit;
		return 0;
	case NETLINK_CAP_ACK:
		c->cap_ack = o->value != 0;
		return 0;
	case NETLINK_EXT_ACK:
		c->ext_ack = o->value != 0;
		return 0;
	case NETLINK_GET_STRICT_CHK:
		c->strict = o->value != 0;
		return 0;
	case NETLINK_NO_ENOBUFS:
		c->no_enobufs = o->value != 0;
		return 0;
	default:
		return 0;
	}
}

/* True: the answer comes later. */
static int serve(struct nl_client *c, struct nl_request *q)
{
	struct nlmsghdr *nlh = q->nlh;
	const struct nl_handler *h;
	struct nl_dump *dump = NULL;
	bool get;
	int r;

	if (!(nlh->nlmsg_flags & NLM_F_REQUEST))
		return 0;
	if (nlh->nlmsg_type == NSNL_SOCKOPT)
		return set_option(c, q);
	if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
		return 0; /* NLMSG_NOOP and the like */
	if (nlh->nlmsg_type < RTM_BASE || nlh->nlmsg_type > RTM_MAX)
		return nl_refuse(q, -EOPNOTSUPP, NULL, "there is no request %u of rtnetlink", nlh->nlmsg_type);
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtgenmsg)))
		return 0;
	if (conf_netns_by_id(&c->server->daemon->conf, c->st->id) != c->st) /* asked before netlink_netns_gone, perhaps while it waited */
		return nl_refuse(q, -ENODEV, NULL, "the network namespace is gone");
	get = ((nlh->nlmsg_type - RTM_BASE) & 3) == 2;
	if (!get && !c->may_change)
		return nl_refuse(q, -EPERM, NULL, "only root, the user that started netstackd and members of its control group may change things");
	if (!get && c->server->daemon->ending)
		return nl_refuse(q, -ESHUTDOWN, NULL, "netstackd is ending");
	h = handler_of(nlh->nlmsg_type);
	if (get && (nlh->nlmsg_flags & NLM_F_DUMP)) {
		r = h && h->dump ? h->dump(q, &dump) : nl_refuse(q, -EOPNOTSUPP, NULL, "netstackd cannot list this yet");
		if (r == 0)
			dump_begin(c, dump, q->st, nlh);
		return r ? r : NL_LATER;
	}
	return h && h->doit ? h->doit(q) : nl_refuse(q, -EOPNOTSUPP, NULL, "netstackd does not do this over rtnetlink yet");
}

static void client_bind(struct nl_client *c, const struct sockaddr_nl *sa)
{
	c->pid = sa->nl_pid;
	c->groups = (c->groups & ~(uint64_t)UINT32_MAX) | sa->nl_groups;
}

static bool changes_something(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type >= RTM_BASE && ((nlh->nlmsg_type - RTM_BASE) & 3) != 2;
}

/* The next message of the packet. False: the packet is through. */
static bool client_message(struct nl_client *c)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)(c->in + c->in_off);
	size_t left = c->in_len - c->in_off;
	struct nl_request q = { .daemon = c->server->daemon, .client = c, .st = c->st, .nlh = nlh };
	int err;

	if (left < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > left)
		return false;
	q.strict = c->strict && !changes_something(nlh);
	if (changes_something(nlh) && apply_busy(c->server->daemon)) {
		c->waiting = true;
		c->waits_since = ++c->server->turns;
		return true;
	}
	c->in_off += NLMSG_ALIGN(nlh->nlmsg_len) < left ? NLMSG_ALIGN(nlh->nlmsg_len) : left;
	err = serve(c, &q);
	if (err != NL_LATER && (err || (nlh->nlmsg_flags & NLM_F_ACK)))
		client_ack(c, nlh, err, q.why, q.bad ? (size_t)((const char *)q.bad - (const char *)nlh) : 0);
	return true;
}

/* 1: there is a packet; 0: not now; -1: the client has hung up. */
static int client_read(struct nl_client *c)
{
	unsigned char *buf = c->server->buf;
	ssize_t n;

	do
		n = recv(c->fd, buf, sizeof(c->server->buf), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS ? 0 : -1;
	if (n == 0)
		return -1;
	if (n == sizeof(struct sockaddr_nl) && ((struct sockaddr_nl *)(void *)buf)->nl_family == AF_NETLINK) {
		client_bind(c, (struct sockaddr_nl *)(void *)buf);
		return 1;
	}
	if ((size_t)n > NSNL_REQUEST_MAX) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;

		h->nlmsg_len = sizeof(*h);
		client_ack(c, h, -EMSGSIZE, "the packet is longer than netstackd takes", 0);
		return 1;
	}
	c->in = malloc((size_t)n);
	if (!c->in)
		return -1;
	memcpy(c->in, buf, (size_t)n);
	c->in_len = (size_t)n;
	c->in_off = 0;
	return 1;
}

/* Does what can be done now. May free c. */
static void client_work(struct nl_client *c)
{
	unsigned many = 0;

	if (c->working)
		return; /* an answer that was there at once */
	c->working = true;
	for (;;) {
		int r;

		client_flush(c);
		if (c->overrun && !c->queued) {
			client_tell_overrun(c);
			if (c->overrun) /* no memory even for that */
				break;
			continue;
		}
		if (c->queued >= QUEUE_HIGH || c->claims || c->waiting)
			break;
		if (c->dump) {
			if (!c->queued) /* one packet at a time */
				dump_packet(c);
			else
				break;
			continue;
		}
		if (++many > MANY_MESSAGES) { /* the others' turn */
			event_active(c->read_event, EV_READ, 0);
			break;
		}
		if (c->in) {
			if (!client_message(c)) {
				free(c->in);
				c->in = NULL;
			}
			continue;
		}
		r = client_read(c);
		if (r < 0) {
			client_free(c);
			return;
		}
		if (!r)
			break;
	}
	c->working = false;
	/* Who is not read is not watched either, or the loop would turn for nothing. */
	if (c->queued >= QUEUE_HIGH || c->claims || c->waiting || c->dump)
		event_del(c->read_event);
	else
		event_add(c->read_event, NULL);
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_work(arg);
}

void netlink_retry(struct daemon *d)
{
	struct nl_client *c, *longest;

	while (d->netlink && !apply_busy(d)) {
		longest = NULL;
		LIST_FOREACH (c, &d->netlink->clients, node)
			if (c->waiting && (!longest || c->waits_since < longest->waits_since))
				longest = c;
		if (!longest)
			return;
		longest->waiting = false;
		client_work(longest);
	}
}

/* ---- groups ----------------------------------------------------------------------------------------------------------------------------- */

bool nl_anyone(const struct daemon *d, const struct conf_state *st, unsigned group)
{
	const struct nl_client *c;

	if (d->netlink)
		LIST_FOREACH (c, &d->netlink->clients, node)
			if (c->st == st && (c->groups & UINT64_C(1) << (group - 1)))
				return true;
	return false;
}

void nl_broadcast(struct daemon *d, const struct conf_state *st, unsigned group, struct nl_msg *msg)
{
	struct nl_client *c;

	LIST_FOREACH (c, &d->netlink->clients, node) {
		if (c->st != st || !(c->groups & UINT64_C(1) << (group - 1)))
			continue;
		if (!msg || c->overrun || c->queued + nlmsg_hdr(msg)->nlmsg_len > QUEUE_MAX) {
			c->overrun = true; /* and all that follow are lost, until it has read what is there */
		} else {
			client_queue_msg(c, msg);
			client_flush(c);
		}
		if (c->overrun)
			event_add(c->write_event, NULL);
	}
	nlmsg_free(msg);
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------------- */

int netlink_client_add(struct daemon *d, int fd, bool may_change)
{
	struct netlink_server *s = d->netlink;
	struct nl_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->server = s;
	c->fd = fd;
	c->may_change = may_change;
	c->owner = control_owner(d, fd);
	c->st = conf_state_get(&d->conf);
	STAILQ_INIT(&c->queue);
	LIST_INSERT_HEAD(&s->clients, c, node);
	s->nclients++;
	c->read_event = event_new(d->base, fd, EV_READ | EV_PERSIST, on_client, c);
	c->write_event = event_new(d->base, fd, EV_WRITE, on_client, c);
	if (!c->read_event || !c->write_event || event_add(c->read_event, NULL) < 0) {
		client_free(c);
		return -ENOMEM;
	}
	return 0;
}

/* All places are taken: of those who are in no group the one that came first and asks nothing loses its own, or else the one that does not read its answer; and for him
 * whose daemon it is, the one that came last of the others. He himself goes for none of them. */
static bool make_room(struct netlink_server *s, bool owner)
{
	struct nl_client *c, *idle = NULL, *stuck = NULL;

	LIST_FOREACH (c, &s->clients, node) {
		if (c->owner && !owner)
			continue;
		if (!c->groups && !c->claims && !c->dump && !c->in && !c->queued)
			idle = c;
		else if (c->queued)
			stuck = c;
	}
	if (!idle)
		idle = stuck;
	for (c = LIST_FIRST(&s->clients); owner && c && !idle; c = LIST_NEXT(c, node))
		if (!c->owner)
			idle = c;
	if (idle)
		client_free(idle);
	return idle;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct netlink_server *s = arg;

	(void)fd;
	(void)what;
	event_add(s->accept_event, NULL);
}

/* Out of descriptors: it would be tried again at once. */
static void pause_accepting(struct netlink_server *s)
{
	struct timeval moment = { .tv_usec = 200000 };

	event_del(s->accept_event);
	evtimer_add(s->resume_event, &moment);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct netlink_server *s = arg;

	(void)what;
	for (unsigned n = 0; n < MAX_CLIENTS; n++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN)
				pause_accepting(s);
			return;
		}
		if (s->nclients >= MAX_CLIENTS && !make_room(s, control_owner(s->daemon, fd)))
			close(fd);
		else
			netlink_client_add(s->daemon, fd, control_may(s->daemon, fd));
	}
}

int netlink_start(struct daemon *d, int listen_fd)
{
	struct netlink_server *s = calloc(1, sizeof(*s));

	if (!s) {
		if (listen_fd >= 0)
			close(listen_fd);
		return -ENOMEM;
	}
	s->daemon = d;
	s->fd = listen_fd;
	LIST_INIT(&s->clients);
	d->netlink = s;
	if (listen_fd < 0)
		return 0;
	s->accept_event = event_new(d->base, listen_fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume_event = evtimer_new(d->base, on_resume, s);
	if (s->accept_event && s->resume_event && event_add(s->accept_event, NULL) == 0)
		return 0;
	netlink_stop(d);
	return -ENOMEM;
}

void netlink_netns_gone(struct daemon *d)
{
	struct nl_client *c;

	if (d->netlink)
		LIST_FOREACH (c, &d->netlink->clients, node)
			if (conf_netns_by_id(&d->conf, c->st->id) != c->st)
				shutdown(c->fd, SHUT_RDWR); /* reading says so, and frees it */
}

void netlink_stop(struct daemon *d)
{
	struct netlink_server *s = d->netlink;

	if (!s)
		return;
	while (!LIST_EMPTY(&s->clients))
		client_free(LIST_FIRST(&s->clients));
	if (s->accept_event)
		event_free(s->accept_event);
	if (s->resume_event)
		event_free(s->resume_event);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	d->netlink = NULL;
}
