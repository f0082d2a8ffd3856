/* SPDX-License-Identifier: MIT */
/*
 * show_socket.c: "show sockets", what "ss -tuanpi" would print.
 *
 * Each worker copies what it has to say of its sockets in one go (that is quick: a few hundred bytes each); the text is made from the copies bit by bit, as the client
 * takes it.
 */
#include "show.h"

#include "daemon.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netstack/socket.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOCKETS 262144u /* of a worker in one answer */

enum { S_ESTABLISHED = 1, S_SYN_SENT, S_SYN_RECV, S_FIN_WAIT1, S_FIN_WAIT2, S_TIME_WAIT, S_CLOSE, S_CLOSE_WAIT, S_LAST_ACK, S_LISTEN, S_CLOSING, S_NEW_SYN_RECV };

struct socket_query {
	struct claim *claim;
	bool          info, tcp, udp, listening;
};

struct socket_list { /* of one worker */
	struct sock_info *info;
	size_t            n, cap;
	const struct socket_query *query;
};

struct socket_answer {
	struct answer answer;
	struct conf_state *conf;
	bool     info;
	unsigned nlists, list;
	size_t   next;
	struct socket_list lists[];
};

static bool wanted(const struct socket_query *q, const struct sock_info *s)
{
	bool tcp = s->protocol == IPPROTO_TCP, udp = s->protocol == IPPROTO_UDP;

	if ((q->tcp || q->udp) && !((q->tcp && tcp) || (q->udp && udp)))
		return false;
	return !q->listening || (tcp ? s->state == S_LISTEN : s->state == S_CLOSE);
}

static int take_socket(void *arg, const struct sock_info *info)
{
	struct socket_list *l = arg;

	if (!wanted(l->query, info))
		return 0;
	if (l->n == MAX_SOCKETS)
		return -EOVERFLOW;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		struct sock_info *p = realloc(l->info, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->info = p;
		l->cap = cap;
	}
	l->info[l->n++] = *info;
	return 0;
}

static void collect_sockets(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct socket_list l = { .query = g->arg };

	(void)w;
	slot->err = stack_sock_foreach(slot->ns->stack, take_socket, &l);
	if (slot->err == -EOVERFLOW)
		slot->err = 0; /* the first MAX_SOCKETS are better than none */
	slot->data = l.info;
	slot->n = l.n;
}

static const char *state_name(const struct sock_info *s)
{
	static const char *const names[] = {
		[S_ESTABLISHED] = "ESTAB", [S_SYN_SENT] = "SYN-SENT", [S_SYN_RECV] = "SYN-RECV", [S_FIN_WAIT1] = "FIN-WAIT-1", [S_FIN_WAIT2] = "FIN-WAIT-2",
		[S_TIME_WAIT] = "TIME-WAIT", [S_CLOSE] = "UNCONN", [S_CLOSE_WAIT] = "CLOSE-WAIT", [S_LAST_ACK] = "LAST-ACK", [S_LISTEN] = "LISTEN",
		[S_CLOSING] = "CLOSING", [S_NEW_SYN_RECV] = "SYN-RECV",
	};

	return s->state < sizeof(names) / sizeof(names[0]) && names[s->state] ? names[s->state] : "UNKNOWN";
}

static json_t *tcp_info_record(const struct sock_info *s)
{
#define M(field) { #field, offsetof(struct tcp_info, tcpi_##field), sizeof(((struct tcp_info *)0)->tcpi_##field) }
	static const struct { const char *name; unsigned short off, size; } members[] = {
		M(state), M(ca_state), M(retransmits), M(probes), M(backoff), M(options), M(rto), M(ato), M(snd_mss), M(rcv_mss), M(unacked), M(sacked),
		M(lost), M(retrans), M(fackets), M(last_data_sent), M(last_ack_sent), M(last_data_recv), M(last_ack_recv), M(pmtu), M(rcv_ssthresh),
		M(rtt), M(rttvar), M(snd_ssthresh), M(snd_cwnd), M(advmss), M(reordering), M(rcv_rtt), M(rcv_space), M(total_retrans), M(pacing_rate),
		M(max_pacing_rate), M(bytes_acked), M(bytes_received), M(segs_out), M(segs_in), M(notsent_bytes), M(min_rtt), M(data_segs_in),
		M(data_segs_out), M(delivery_rate), M(busy_time), M(rwnd_limited), M(sndbuf_limited), M(delivered), M(delivered_ce), M(bytes_sent),
		M(bytes_retrans), M(dsack_dups), M(reord_seen), M(rcv_ooopack), M(snd_wnd),
	};
#undef M
	json_t *r = json_object();
	struct tcp_info ti;

	_Static_assert(sizeof(ti) <= sizeof(s->tcp_info), "sock_info has room for struct tcp_info");
	memcpy(&ti, s->tcp_info, sizeof(ti));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		uint64_t v = 0;

		memcpy(&v, (const char *)&ti + members[i].off, members[i].size); /* little-endian, as types.h asserts */
		set_num(r, members[i].name, v);
	}
	set_num(r, "snd_wscale", ti.tcpi_snd_wscale);
	set_num(r, "rcv_wscale", ti.tcpi_rcv_wscale);
	set_num(r, "delivery_rate_app_limited", ti.tcpi_delivery_rate_app_limited);
	return r;
}

static const char *netid(const struct sock_info *s)
{
	if (s->family == AF_PACKET)
		return s->type == SOCK_RAW ? "p_raw" : "p_dgr";
	return s->protocol == IPPROTO_TCP ? "tcp" : s->protocol == IPPROTO_UDP ? "udp" : s->protocol == IPPROTO_ICMP ? "icmp" : "raw";
}

static json_t *socket_record(const struct conf_state *st, const struct sock_info *s, unsigned cpu, bool info)
{
	static const char *const timers[] = { NULL, "on", "keepalive", "timewait", "persist" };
	const struct link_conf *link = s->ifindex ? netcfg_link_by_index(st->cfg, s->ifindex) : NULL;
	json_t *r = json_object(), *mem;
	char text[ADDR_TEXT];

	set_text(r, "netid", netid(s));
	set_text(r, "state", state_name(s));
	set_num(r, "recvq", s->recvq);
	set_num(r, "sendq", s->sendq);
	set_text(r, "local", s->local.family ? addr_text(&s->local, text) : "0.0.0.0");
	set_num(r, "lport", s->lport);
	set_text(r, "peer", s->remote.family ? addr_text(&s->remote, text) : "0.0.0.0");
	set_num(r, "pport", s->rport);
	if (link)
		set_text(r, "dev", link->name);
	if (s->owner[0])
		json_object_set_new(r, "owner", json_stringn(s->owner, strnlen(s->owner, sizeof(s->owner))));
	set_num(r, "cpu", cpu);
	set_num(r, "ino", s->ino);
	if (s->timer && s->timer < sizeof(timers) / sizeof(timers[0])) {
		set_text(r, "timer", timers[s->timer]);
		set_num(r, "expires_ms", s->expires > 0 ? (uint64_t)(s->expires / NSEC_PER_MSEC) : 0);
		set_num(r, "retrans", s->retrans);
	}
	if (!info)
		return r;
	mem = json_object();
	set_num(mem, "rmem", s->rmem);
	set_num(mem, "rcvbuf", s->rcvbuf);
	set_num(mem, "wmem", s->wmem);
	set_num(mem, "sndbuf", s->sndbuf);
	set_num(mem, "drops", s->drops);
	json_object_set_new(r, "skmem", mem);
	if (s->cong[0])
		json_object_set_new(r, "cong", json_stringn(s->cong, strnlen(s->cong, sizeof(s->cong))));
	if (s->has_tcp_info)
		json_object_set_new(r, "tcp_info", tcp_info_record(s));
	return r;
}

static bool socket_next(struct answer *answer, struct evbuffer *out)
{
	struct socket_answer *a = (struct socket_answer *)answer;

	while (a->list < a->nlists && a->next == a->lists[a->list].n) {
		free(a->lists[a->list].info); /* as early as can be */
		a->lists[a->list].info = NULL;
		a->list++;
		a->next = 0;
	}
	if (a->list == a->nlists)
		return false;
	record_add(out, socket_record(a->conf, &a->lists[a->list].info[a->next++], a->list, a->info));
	return true;
}

static void socket_free(struct answer *answer)
{
	struct socket_answer *a = (struct socket_answer *)answer;

	for (unsigned i = 0; i < a->nlists; i++)
		free(a->lists[i].info);
	conf_state_put(a->conf);
	free(a);
}

static void sockets_done(struct gather *g)
{
	struct socket_query *q = g->arg;
	struct socket_answer *a = calloc(1, sizeof(*a) + g->n * sizeof(a->lists[0]));
	struct conf_error e;
	int err = 0;

	for (unsigned i = 0; i < g->n; i++) {
		err = err ? err : g->slot[i].err;
		if (a)
			a->lists[i] = (struct socket_list){ .info = g->slot[i].data, .n = g->slot[i].n };
		else
			free(g->slot[i].data);
	}
	if (a) {
		a->answer = (struct answer){ .next = socket_next, .free = socket_free };
		a->conf = conf_state_get(g->conf);
		a->info = q->info;
		a->nlists = g->n;
	}
	if (a && err) {
		socket_free(&a->answer);
		conf_fail(&e, err, "a worker could not answer: %s", strerror(-err));
		claim_result(q->claim, &e);
	} else {
		claim_answer(q->claim, a ? &a->answer : NULL);
	}
	free(q);
}

int show_sockets(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	struct socket_query *q = calloc(1, sizeof(*q));

	if (!q)
		return conf_fail(e, -ENOMEM, "no memory for the request");
	q->claim = claim;
	q->info = cmd_arg(cmd, "info") != NULL;
	q->tcp = cmd_arg(cmd, "tcp") != NULL;
	q->udp = cmd_arg(cmd, "udp") != NULL;
	q->listening = cmd_arg(cmd, "listening") != NULL;
	if (gather_start_ns(d, st, collect_sockets, sockets_done, q) < 0) {
		free(q);
		return conf_fail(e, -ENOMEM, "no memory for the request");
	}
	return 0;
}
