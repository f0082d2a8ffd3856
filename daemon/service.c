/* SPDX-License-Identifier: MIT */
/*
 * service.c: the built-in services of one worker: which there are, their sockets, their connections and deadlines. The protocols are in service_echo.c,
 * service_inetd.c and service_http.c.
 *
 * Cookies. A socket's cookie is a tag, the generation of a slot and its index. A slot is used again with another generation, so a wake-up or a page that
 * comes late finds nobody.
 * Fairness. A connection does a bounded piece of work in its turn and asks to be run again (svc_again); services_run gives those their turns and says "now" as
 * its deadline while there are any.
 * Limits. CONNS_MAX connections a service and worker. Every connection has a deadline at all times, so that no place is held for ever; but many who only
 * hold theirs (a window of zero, half a request) must not lock the others out until then: when all places are taken, the connection that has been still for
 * the longest is reset for the new one, if that is EVICT_NS or more. Else the new one is, at once, which tells a client more than silence.
 * Datagrams. A service answers only a datagram that was sent to one address of this host, from a port that no service has, neither by custom nor here, where
 * another netstackd may have the same: two such services would else send to each other for ever (RFC 862 to 867 know no end), and a forged sender would set
 * them on a third. The answer leaves from the address that was asked.
 */
#include "service_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define CONNS_MAX     4096
#define EVICT_NS      (2 * NSEC_PER_SEC) /* longer than a first retransmission takes */
#define LISTEN_BACKLOG 1024
#define ACCEPT_BATCH  64
#define DATAGRAM_BATCH 64
#define RUN_BATCH     256 /* connections in one services_run */
#define RETRY_NS      (100 * NSEC_PER_MSEC) /* accepting again after memory ran out */
#define COOKIE_TAG    UINT64_C(0x5376)
#define PRIVILEGED    1024 /* ports below belong to services */

static const ktime_t timeouts[SVC_T_MAX] = {
	[SVC_T_REQUEST] = 15 * NSEC_PER_SEC, [SVC_T_IDLE] = 300 * NSEC_PER_SEC, [SVC_T_STALL] = 60 * NSEC_PER_SEC, [SVC_T_LINGER] = 5 * NSEC_PER_SEC,
};

enum slot_kind { SLOT_FREE, SLOT_SERVICE, SLOT_CONN };

struct slot {
	void    *obj;
	uint32_t next_free; /* index + 1; 0: none */
	uint16_t gen;
	uint8_t  kind;
};

struct svc {
	struct list_head       node; /* services->list */
	struct list_head       conns; /* the one that has been still for the longest comes first */
	struct services       *services;
	const struct svc_type *type;
	struct service_conf    conf;
	struct socket         *sock; /* listener or datagram socket; NULL after services_shutdown */
	uint32_t               slot;
	unsigned               nconns;
	bool                   more; /* accepting or answering was cut short */
};

struct services {
	struct stack             *stack;
	const struct service_env *env;
	struct list_head          list; /* svc.node, in order of adding */
	struct list_head          timeouts[SVC_T_MAX]; /* svc_conn.tnode */
	struct list_head          again; /* svc_conn.again */
	struct slot              *slots;
	uint32_t                  nslots, free_slot; /* free_slot: index + 1 */
	ktime_t                   retry; /* accept again; KTIME_MAX: no need */
	struct services_stats     stats;
	struct skb_area          *pattern; /* of chargen, made when it is first wanted */
	uint8_t                   datagram[SVC_DATAGRAM_MAX];
};

static const struct svc_type *const types[] = {
	&svc_echo_tcp, &svc_echo_udp, &svc_discard_tcp, &svc_discard_udp, &svc_chargen_tcp, &svc_chargen_udp, &svc_daytime_tcp, &svc_daytime_udp, &svc_http_tcp,
};

static const struct svc_type *type_find(uint8_t proto, const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->proto == proto && !strncmp(types[i]->name, name, SERVICE_NAME_MAX))
			return types[i];
	return NULL;
}

int service_check(const struct service_conf *conf)
{
	return conf->port && type_find(conf->proto, conf->what) ? 0 : -EINVAL;
}

const char *service_names(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "echo discard chargen daytime http" : proto == IPPROTO_UDP ? "echo discard chargen daytime" : "";
}

/* ---- slots and cookies ---- */

static int slot_get(struct services *svcs, void *obj, enum slot_kind kind, uint32_t *ret)
{
	struct slot *s;

	if (!svcs->free_slot) {
		uint32_t n = svcs->nslots ? svcs->nslots * 2 : 16;
		struct slot *slots = realloc(svcs->slots, n * sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		memset(slots + svcs->nslots, 0, (n - svcs->nslots) * sizeof(*slots));
		for (uint32_t i = n; i > svcs->nslots; i--) {
			slots[i - 1].next_free = svcs->free_slot;
			svcs->free_slot = i;
		}
		svcs->slots = slots;
		svcs->nslots = n;
	}
	*ret = svcs->free_slot - 1;
	s = &svcs->slots[*ret];
	svcs->free_slot = s->next_free;
	s->obj = obj;
	s->kind = kind;
	return 0;
}

static void slot_put(struct services *svcs, uint32_t i)
{
	struct slot *s = &svcs->slots[i];

	s->obj = NULL;
	s->kind = SLOT_FREE;
	s->gen++;
	s->next_free = svcs->free_slot;
	svcs->free_slot = i + 1;
}

static uint64_t slot_cookie(const struct services *svcs, uint32_t i) { return COOKIE_TAG << 48 | (uint64_t)svcs->slots[i].gen << 32 | i; }

static struct slot *slot_of(const struct services *svcs, uint64_t cookie)
{
	uint32_t i = (uint32_t)cookie;

	if (cookie >> 48 != COOKIE_TAG || i >= svcs->nslots || svcs->slots[i].gen != (uint16_t)(cookie >> 32))
		return NULL;
	return svcs->slots[i].kind == SLOT_FREE ? NULL : &svcs->slots[i];
}

/* ---- connections ---- */

struct services *svc_services(const struct svc_conn *c) { return c->svc->services; }
int64_t svc_wall_clock(const struct services *svcs) { return svcs->env->wall_clock(svcs->env->priv); }
struct skb_area **svc_pattern(struct services *svcs) { return &svcs->pattern; }
void svc_count_request(struct services *svcs) { svcs->stats.requests++; }

int svc_ask_page(struct svc_conn *c, enum service_page page)
{
	const struct service_env *env = c->svc->services->env;

	return env->page(env->priv, page, slot_cookie(c->svc->services, c->slot));
}

void svc_deadline(struct svc_conn *c, enum svc_timeout t)
{
	struct services *svcs = c->svc->services;

	c->moved = stack_now(svcs->stack);
	c->expires = c->moved + timeouts[t];
	list_move_tail(&c->tnode, &svcs->timeouts[t]);
	list_move_tail(&c->node, &c->svc->conns);
}

void svc_again(struct svc_conn *c)
{
	if (list_empty(&c->again))
		list_add_tail(&c->again, &c->svc->services->again);
}

static void conn_free(struct svc_conn *c)
{
	struct services *svcs = c->svc->services;
	struct svc *svc = c->svc;

	if (svc->type->release)
		svc->type->release(c);
	if (c->sock) {
		ns_set_cookie(c->sock, 0, 0);
		ns_close(c->sock);
	}
	slot_put(svcs, c->slot);
	list_del(&c->node);
	list_del(&c->tnode);
	list_del(&c->again);
	svc->nconns--;
	svcs->stats.connections--;
	free(c);
}

void svc_close(struct svc_conn *c)
{
	conn_free(c);
}

static void socket_abort(struct socket *sock)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	ns_setsockopt(sock, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	ns_close(sock);
}

void svc_reset(struct svc_conn *c)
{
	ns_set_cookie(c->sock, 0, 0);
	socket_abort(c->sock);
	c->sock = NULL;
	conn_free(c);
}

static size_t take_all(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	return len;
}

static void linger_run(struct svc_conn *c)
{
	for (unsigned i = 0; i < 16; i++) {
		ssize_t n = ns_recv_inplace(c->sock, 1 << 20, take_all, NULL);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			svc_close(c);
			return;
		}
	}
	svc_again(c);
}

void svc_linger(struct svc_conn *c)
{
	int err = ns_shutdown(c->sock, SHUT_WR);

	if (err) {
		svc_close(c);
		return;
	}
	c->lingering = true;
	svc_deadline(c, SVC_T_LINGER); /* not moved by what comes: a peer that never ends is cut off */
	linger_run(c);
}

static void conn_run(struct svc_conn *c)
{
	if (c->lingering)
		linger_run(c);
	else
		c->svc->type->run(c);
}

/* All places are taken: is there one to be had? */
static bool evict(struct svc *svc)
{
	struct svc_conn *c = list_first(&svc->conns, struct svc_conn, node);

	if (stack_now(svc->services->stack) - c->moved < EVICT_NS)
		return false;
	svc->services->stats.refused++;
	svc_reset(c);
	return true;
}

static void conn_new(struct svc *svc, struct socket *sock)
{
	struct services *svcs = svc->services;
	struct svc_conn *c;
	int on = 1;

	svcs->stats.accepted++;
	c = svc->nconns < CONNS_MAX || evict(svc) ? calloc(1, svc->type->conn_size) : NULL;
	if (!c)
		goto err_sock;
	if (slot_get(svcs, c, SLOT_CONN, &c->slot))
		goto err_conn;
	c->svc = svc;
	c->sock = sock;
	list_init(&c->tnode);
	list_init(&c->again);
	list_add_tail(&c->node, &svc->conns);
	svc->nconns++;
	svcs->stats.connections++;
	ns_set_owner(sock, svc->type->name);
	ns_setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ns_set_cookie(sock, slot_cookie(svcs, c->slot), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	if (svc->type->open(c)) {
		svcs->stats.refused++;
		svc_reset(c);
		return;
	}
	svc->type->run(c); /* data may have come with the connection */
	return;
err_conn:
	free(c);
err_sock:
	svcs->stats.refused++;
	socket_abort(sock);
}

static void svc_accept(struct svc *svc)
{
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct socket *sock;
		int err = ns_accept(svc->sock, &sock, NULL, NULL);

		if (err == -EAGAIN)
			return;
		if (err == -ECONNABORTED)
			continue;
		if (err) { /* memory or sockets ran out: what waits goes on waiting */
			svc->services->retry = stack_now(svc->services->stack) + RETRY_NS;
			return;
		}
		conn_new(svc, sock);
	}
	svc->more = true;
}

/* ---- datagrams ---- */

struct datagram {
	struct sockaddr_in peer;
	struct in_pktinfo  info; /* ipi_addr: where it was sent to */
	size_t             len;
};

static ssize_t datagram_recv(struct svc *svc, struct datagram *d)
{
	struct services *svcs = svc->services;
	union { char buf[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = svcs->datagram, .iov_len = sizeof(svcs->datagram) };
	struct msghdr msg = { .msg_name = &d->peer, .msg_namelen = sizeof(d->peer), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	ssize_t n = ns_recvmsg(svc->sock, &msg, 0);

	if (n < 0)
		return n;
	d->len = (size_t)n;
	memset(&d->info, 0, sizeof(d->info));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&d->info, CMSG_DATA(c), sizeof(d->info));
	return 0;
}

static void datagram_send(struct svc *svc, const struct datagram *d, size_t len)
{
	union { char buf[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = svc->services->datagram, .iov_len = len };
	struct sockaddr_in peer = d->peer;
	struct msghdr msg = { .msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct in_pktinfo info = { .ipi_spec_dst = d->info.ipi_addr };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	ns_sendmsg(svc->sock, &msg, 0); /* a datagram that cannot be sent is lost, as any may be */
}

static bool is_service_port(const struct services *svcs, uint16_t port)
{
	const struct svc *svc;

	if (port < PRIVILEGED)
		return true;
	list_for_each(svc, &svcs->list, struct svc, node)
		if (svc->conf.proto == IPPROTO_UDP && svc->conf.port == port)
			return true;
	return false;
}

static bool datagram_answerable(const struct services *svcs, const struct datagram *d)
{
	/* ipi_spec_dst is our own address; it differs from where the datagram went when that was a broadcast or multicast. */
	return !is_service_port(svcs, ntohs(d->peer.sin_port)) && d->info.ipi_addr.s_addr && d->info.ipi_spec_dst.s_addr == d->info.ipi_addr.s_addr;
}

static void svc_datagrams(struct svc *svc)
{
	struct services *svcs = svc->services;

	for (unsigned i = 0; i < DATAGRAM_BATCH; i++) {
		struct datagram d;
		ssize_t n = datagram_recv(svc, &d);

		if (n == -EAGAIN)
			return;
		if (n < 0) /* an ICMP error about an answer of ours */
			continue;
		svcs->stats.requests++;
		if (!datagram_answerable(svcs, &d)) {
			svcs->stats.refused++;
			continue;
		}
		n = svc->type->answer(svcs, svcs->datagram, d.len);
		if (n >= 0)
			datagram_send(svc, &d, (size_t)n);
	}
	svc->more = true;
}

/* ---- services ---- */

int services_new(struct services **ret, struct stack *stack, const struct service_env *env)
{
	struct services *svcs = malloc(sizeof(*svcs));

	if (!svcs)
		return -ENOMEM;
	memset(svcs, 0, offsetof(struct services, datagram));
	svcs->stack = stack;
	svcs->env = env;
	svcs->retry = KTIME_MAX;
	list_init(&svcs->list);
	list_init(&svcs->again);
	for (unsigned i = 0; i < SVC_T_MAX; i++)
		list_init(&svcs->timeouts[i]);
	*ret = svcs;
	return 0;
}

static void svc_stop_listening(struct svc *svc)
{
	if (!svc->sock)
		return;
	ns_set_cookie(svc->sock, 0, 0);
	ns_close(svc->sock);
	svc->sock = NULL;
}

static void svc_close_conns(struct svc *svc)
{
	struct svc_conn *c, *tmp;

	list_for_each_safe(c, tmp, &svc->conns, struct svc_conn, node)
		svc_close(c);
}

static void svc_free(struct svc *svc)
{
	svc_stop_listening(svc);
	svc_close_conns(svc);
	slot_put(svc->services, svc->slot);
	list_del(&svc->node);
	svc->services->stats.services--;
	free(svc);
}

void services_free(struct services *svcs)
{
	struct svc *svc, *tmp;

	if (!svcs)
		return;
	list_for_each_safe(svc, tmp, &svcs->list, struct svc, node)
		svc_free(svc);
	if (svcs->pattern)
		skb_area_put(stack_skb_pool(svcs->stack), svcs->pattern); /* segments may still refer to it */
	free(svcs->slots);
	free(svcs);
}

static struct svc *svc_find(const struct services *svcs, const struct service_conf *conf)
{
	struct svc *svc;

	list_for_each(svc, &svcs->list, struct svc, node)
		if (svc->conf.proto == conf->proto && svc->conf.port == conf->port && ipaddr_equal(&svc->conf.addr, &conf->addr))
			return svc;
	return NULL;
}

static int svc_socket(const struct svc *svc, struct socket **ret)
{
	bool tcp = svc->conf.proto == IPPROTO_TCP;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(svc->conf.port), .sin_addr.s_addr = svc->conf.addr.v4 };
	struct socket *sock;
	int on = 1, err;

	if (svc->conf.addr.family && svc->conf.addr.family != AF_INET)
		return -EAFNOSUPPORT;
	err = ns_socket(svc->services->stack, AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0, &sock);
	if (err)
		return err;
	/* After a restart connections of the one before may still be in TIME-WAIT. For UDP the option would let two services share a port. */
	if (tcp)
		err = ns_setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else
		err = ns_setsockopt(sock, SOL_NETSTACK, NS_SO_SHARD_REPLICA, &on, sizeof(on));
	if (!err && !tcp)
		err = ns_setsockopt(sock, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	if (!err)
		err = ns_bind(sock, (const struct sockaddr *)&sa, sizeof(sa));
	if (!err && tcp)
		err = ns_listen(sock, LISTEN_BACKLOG);
	if (err) {
		ns_close(sock);
		return err;
	}
	*ret = sock;
	return 0;
}

int services_add(struct services *svcs, const struct service_conf *conf)
{
	const struct svc_type *type = type_find(conf->proto, conf->what);
	struct svc *svc;
	int err;

	if (!type || !conf->port)
		return -EINVAL;
	if (svc_find(svcs, conf))
		return -EEXIST;
	svc = calloc(1, sizeof(*svc));
	if (!svc)
		return -ENOMEM;
	svc->services = svcs;
	svc->type = type;
	svc->conf = *conf;
	list_init(&svc->conns);
	err = slot_get(svcs, svc, SLOT_SERVICE, &svc->slot);
	if (err)
		goto err_svc;
	err = svc_socket(svc, &svc->sock);
	if (err)
		goto err_slot;
	ns_set_owner(svc->sock, type->name);
	ns_set_cookie(svc->sock, slot_cookie(svcs, svc->slot), EPOLLIN);
	list_add_tail(&svc->node, &svcs->list);
	svcs->stats.services++;
	return 0;
err_slot:
	slot_put(svcs, svc->slot);
err_svc:
	free(svc);
	return err;
}

int services_del(struct services *svcs, const struct service_conf *conf)
{
	struct svc *svc = svc_find(svcs, conf);

	if (!svc)
		return -ENOENT;
	svc_free(svc);
	return 0;
}

void services_shutdown(struct services *svcs)
{
	struct svc *svc;

	list_for_each(svc, &svcs->list, struct svc, node) {
		svc_stop_listening(svc);
		svc_close_conns(svc);
	}
}

static void svc_run(struct svc *svc)
{
	svc->more = false;
	if (!svc->sock)
		return;
	if (svc->conf.proto == IPPROTO_TCP)
		svc_accept(svc);
	else
		svc_datagrams(svc);
}

void services_wake(struct services *svcs, uint64_t cookie, uint32_t events)
{
	struct slot *s = slot_of(svcs, cookie);
	struct svc_conn *c;

	if (!s)
		return;
	if (s->kind == SLOT_SERVICE) {
		svc_run(s->obj);
		return;
	}
	c = s->obj;
	if (events & EPOLLERR)
		svc_close(c);
	else
		conn_run(c);
}

void services_page(struct services *svcs, uint64_t token, const char *text, size_t len)
{
	struct slot *s = slot_of(svcs, token);
	struct svc_conn *c = s && s->kind == SLOT_CONN ? s->obj : NULL;

	if (c && !c->lingering && c->svc->type->page)
		c->svc->type->page(c, text, len);
}

void services_stats(const struct services *svcs, struct services_stats *ret)
{
	*ret = svcs->stats;
}

static void conn_expired(struct svc_conn *c)
{
	if (!c->lingering && c->svc->type->timeout)
		c->svc->type->timeout(c);
	else
		svc_reset(c);
}

ktime_t services_due(const struct services *svcs, ktime_t now)
{
	ktime_t next = svcs->retry;
	struct svc *svc;

	if (!list_empty(&svcs->again))
		return now;
	list_for_each(svc, &svcs->list, struct svc, node)
		if (svc->more)
			return now;
	for (unsigned t = 0; t < SVC_T_MAX; t++) {
		const struct svc_conn *c = list_first(&svcs->timeouts[t], struct svc_conn, tnode);

		if (c && c->expires < next)
			next = c->expires;
	}
	return next;
}

ktime_t services_run(struct services *svcs, ktime_t now)
{
	struct svc *svc;
	bool retry;

	for (unsigned n = 0; n < RUN_BATCH && !list_empty(&svcs->again); n++) {
		struct svc_conn *c = list_first(&svcs->again, struct svc_conn, again);

		list_del(&c->again);
		conn_run(c);
	}
	for (unsigned t = 0; t < SVC_T_MAX; t++)
		for (;;) {
			struct svc_conn *c = list_first(&svcs->timeouts[t], struct svc_conn, tnode);

			if (!c || c->expires > now)
				break;
			conn_expired(c);
		}
	retry = now >= svcs->retry;
	if (retry)
		svcs->retry = KTIME_MAX;
	list_for_each(svc, &svcs->list, struct svc, node)
		if (svc->more || retry)
			svc_run(svc);
	return services_due(svcs, now);
}
