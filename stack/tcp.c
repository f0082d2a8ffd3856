/* SPDX-License-Identifier: MIT */
/*
 * tcp.c: the life of a connection as the application drives it: connect, listen, accept, shutdown, close (RFC 9293 3.10.1 to 3.10.6), and its end.
 *
 * States change in tcp_set_state alone, which asserts the step against a table of RFC 9293 figure 5 (any state may fall to CLOSED: RST, timeout, abort).
 *
 * References. A sock in CLOSED, LISTEN or with a handle is held by the handle; one that waits to be accepted by its listener's queue. tcp_close takes the
 * handle's reference over; it is put by tcp_done when the connection has ended, or at once. So "dead and not CLOSED" owns exactly one reference.
 *
 * Not done here: TCP Fast Open, listening sockets that connect.
 */
#include "tcp.h"
#include "bug.h"
#include <errno.h>
#include <stdlib.h>

/* ---- states -------------------------------------------------------------------------------------------------------------------------------------- */

#define B(s) (1u << SS_##s)
static const uint16_t legal_steps[SS_NEW_SYN_RECV + 1] = {
	[SS_CLOSE] = B(LISTEN) | B(SYN_SENT) | B(CLOSE),
	[SS_LISTEN] = B(CLOSE),
	[SS_SYN_SENT] = B(SYN_RECV) | B(ESTABLISHED) | B(CLOSE),
	[SS_SYN_RECV] = B(ESTABLISHED) | B(FIN_WAIT1) | B(CLOSE_WAIT) | B(CLOSE),
	[SS_ESTABLISHED] = B(FIN_WAIT1) | B(CLOSE_WAIT) | B(CLOSE),
	[SS_FIN_WAIT1] = B(FIN_WAIT2) | B(CLOSING) | B(TIME_WAIT) | B(CLOSE),
	[SS_FIN_WAIT2] = B(TIME_WAIT) | B(CLOSE),
	[SS_CLOSE_WAIT] = B(LAST_ACK) | B(CLOSE),
	[SS_CLOSING] = B(TIME_WAIT) | B(CLOSE),
	[SS_LAST_ACK] = B(CLOSE),
	[SS_TIME_WAIT] = B(CLOSE),
};
_Static_assert(SS_NEW_SYN_RECV == 12 && SS_ESTABLISHED == 1, "numbers of <netinet/tcp.h>");
#undef B

static bool counts_as_established(uint8_t state) { return state == SS_ESTABLISHED || state == SS_CLOSE_WAIT; }

void tcp_set_state(struct tcp_sock *tp, enum tcp_sk_state state)
{
	struct stack *stack = tcp_stack(tp);
	uint8_t old = tp->sk.state;

	BUG_ON(!(legal_steps[old] & (1u << state)));
	if (!counts_as_established(old) && counts_as_established((uint8_t)state))
		STACK_MIB_INC(stack, Tcp_CurrEstab);
	else if (counts_as_established(old) && !counts_as_established((uint8_t)state))
		STACK_MIB_DEC(stack, Tcp_CurrEstab);
	if (state == SS_CLOSE && counts_as_established(old))
		STACK_MIB_INC(stack, Tcp_EstabResets);
	tp->sk.state = (uint8_t)state;
	tp->eh.state = (uint8_t)state;
}

void tcp_ehash_add(struct tcp_sock *tp)
{
	tp->eh = (struct ehash_entry){ .hash = tp->sk.hash, .sport = tp->sk.sport, .dport = tp->sk.dport, .saddr = tp->sk.saddr, .daddr = tp->sk.daddr,
				       .state = tp->sk.state, .kind = EHASH_SOCK, .ifindex = tp->sk.bound_dev_if, .obj = tp };
	inet_ehash_insert(tcp_stack(tp), &tp->eh);
	tp->hashed = true;
}

void tcp_ehash_del(struct tcp_sock *tp)
{
	if (tp->hashed)
		inet_ehash_remove(tcp_stack(tp), &tp->eh);
	tp->hashed = false;
}

static void tcp_orphan_count(struct tcp_sock *tp, bool on)
{
	if (tp->orphan_counted == on)
		return;
	tp->orphan_counted = on;
	tcp_stack(tp)->tcp->orphans += on ? 1u : UINT32_MAX;
}

void tcp_write_queue_purge(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&tp->wq))) {
		tcp_wmem_sub(tp, skb->truesize);
		kfree_skb(skb, SKB_DROP_SOCKET_CLOSE);
	}
	tp->send_head = tp->sack_hint = tp->lost_hint = tp->retx_hint = NULL;
	tp->sacked_out = tp->sacked_segs = tp->lost_out = tp->retrans_out = 0;
	tp->lost_hint_sacked = 0;
	tp->fin_pending = false;
}

static void rcv_queue_purge(struct tcp_sock *tp, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&tp->sk.rcvq))) {
		tcp_rmem_sub(tp, skb->truesize);
		kfree_skb(skb, reason);
	}
}

void tcp_done(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	struct sock *sk = &tp->sk;

	if (sk->state == SS_CLOSE)
		return;
	if (sk->state == SS_SYN_SENT || sk->state == SS_SYN_RECV)
		STACK_MIB_INC(stack, Tcp_AttemptFails);
	/* An orderly end is no reset. */
	if (sk->state == SS_CLOSE_WAIT && !sk->err)
		STACK_MIB_DEC(stack, Tcp_EstabResets);
	tcp_set_state(tp, SS_CLOSE);
	tcp_timers_clear(tp);
	tcp_ehash_del(tp);
	tcp_write_queue_purge(tp);
	tcp_ofo_purge(tp, SKB_DROP_SOCKET_CLOSE);
	tcp_chrono(tp, 0);
	if (sk->auto_port)
		inet_put_port(sk);
	sk->shutdown = SHUTDOWN_RCV | SHUTDOWN_SND;
	tcp_orphan_count(tp, false);
	if (sk->dead) {
		rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
		sock_put(sk);
	} else {
		sk_wake(sk, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
}

void tcp_reset_rcvd(struct tcp_sock *tp)
{
	int err = tp->sk.state == SS_SYN_SENT ? ECONNREFUSED : tp->sk.state == SS_CLOSE_WAIT ? EPIPE : ECONNRESET;

	if (tp->sk.state != SS_CLOSE)
		tcp_abort(tp, err, false);
}

static bool needs_reset(uint8_t state)
{
	return state == SS_ESTABLISHED || state == SS_CLOSE_WAIT || state == SS_FIN_WAIT1 || state == SS_FIN_WAIT2 || state == SS_SYN_RECV;
}

void tcp_abort(struct tcp_sock *tp, int err, bool send_rst)
{
	if (tp->sk.state == SS_CLOSE)
		return;
	if (send_rst && needs_reset(tp->sk.state))
		tcp_send_active_reset(tp);
	if (err && !tp->sk.dead)
		sk_error(&tp->sk, err);
	tcp_done(tp);
}

/* ---- numbers that nobody guesses ------------------------------------------------------------------------------------------------------------------ */

struct tuple_key { struct ipaddr l, r; uint16_t lp, rp; };

static uint64_t tuple_siphash(const struct siphash_key *key, const struct ipaddr *l, uint16_t lp, const struct ipaddr *r, uint16_t rp)
{
	struct tuple_key k;

	memset(&k, 0, sizeof(k));
	k.l = *l;
	k.r = *r;
	k.lp = lp;
	k.rp = rp;
	return siphash(key, &k, sizeof(k));
}

/* RFC 6528: a clock plus a keyed hash of the 4-tuple. 64 ns a tick: the number of a connection cannot be overtaken by its predecessor's below 15 MB/s, and
 * TIME-WAIT cares for the rest. The wall clock lets it go on after a restart. */
uint32_t tcp_secure_seq(const struct stack *stack, const struct ipaddr *l, uint16_t lp, const struct ipaddr *r, uint16_t rp)
{
	return (uint32_t)tuple_siphash(&stack->isn_key, l, lp, r, rp) + (uint32_t)(((uint64_t)stack->now + stack->params.wall_offset_ns) >> 6);
}

/* The same 4-tuple always gets the same offset, so that its timestamps never run backwards (RFC 7323 5.4, RFC 6191). */
uint32_t tcp_secure_ts_off(const struct stack *stack, const struct ipaddr *l, uint16_t lp, const struct ipaddr *r, uint16_t rp)
{
	return (uint32_t)tuple_siphash(&stack->ts_key, l, lp, r, rp);
}

/* ---- birth ------------------------------------------------------------------------------------------------------------------------------------------ */

static void init_fields(struct tcp_sock *tp)
{
	const struct sysctl_values *sc = tcp_stack(tp)->sysctl;

	skb_queue_init(&tp->wq);
	list_init(&tp->ack_node);
	list_init(&tp->accept_node);
	tcp_timers_init(tp);
	tp->rto = TCP_TIMEOUT_INIT;
	tp->rttvar_us = (uint32_t)(TCP_TIMEOUT_INIT / NSEC_PER_USEC);
	tp->ssthresh = TCP_INFINITE_SSTHRESH;
	tp->mss = tp->mss_clamp = TCP_MSS_DEFAULT;
	tp->gso_bytes = tp->mss;
	tp->advmss = TCP_MSS_DEFAULT;
	tp->rcv_mss = TCP_MSS_DEFAULT;
	tp->rcv_ratio = 128;
	tp->reordering = (uint32_t)sc->tcp_reordering;
	tp->cwnd = TCP_INIT_CWND * tp->mss;
	if (!tp->window_clamp)
		tp->window_clamp = 65535u << TCP_MAX_WSCALE;
}

static int tcp_sock_init(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct sysctl_values *sc = sk->stack->sysctl;

	init_fields(tp);
	tcp_cong_assign(tp, sc->tcp_congestion);
	sk->rcvbuf = (uint32_t)sc->tcp_rmem_default;
	sk->sndbuf = (uint32_t)sc->tcp_wmem_default;
	return 0;
}

/* The sock forgets its connection and keeps what the application has set: it may connect again. */
static void forget_connection(struct tcp_sock *tp)
{
	uint8_t nagle = tp->nagle & (TCP_NAGLE_OFF | TCP_NAGLE_CORK), probes = tp->keep_probes, cong = tp->cong_index;
	uint32_t mss = tp->user_mss, kt = tp->keep_time, ki = tp->keep_intvl, da = tp->defer_accept, ut = tp->user_timeout_ms, low = tp->notsent_lowat;
	int32_t linger2 = tp->linger2;
	int8_t syn = tp->syn_retries_max;

	free(tp->listen); /* of a socket that has listened before */
	memset((char *)tp + sizeof(struct sock), 0, sizeof(*tp) - sizeof(struct sock));
	init_fields(tp);
	tp->nagle = nagle;
	tp->keep_probes = probes;
	tp->user_mss = mss;
	tp->keep_time = kt;
	tp->keep_intvl = ki;
	tp->defer_accept = da;
	tp->user_timeout_ms = ut;
	tp->notsent_lowat = low;
	tp->linger2 = linger2;
	tp->syn_retries_max = syn;
	tcp_cong_assign(tp, cong);
}

void tcp_init_xfer(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	tp->cwnd = tcp_init_cwnd_bytes(tp);
	/* RFC 6928, RFC 5681 3.1: if the SYN or SYN-ACK was lost the initial window is one segment. */
	if (tp->total_retrans > 1)
		tp->cwnd = tp->mss;
	tp->cwnd_stamp = tcp_stack(tp)->now;
	if (!(sk->userlocks & 1))
		sk->sndbuf = u32_max(sk->sndbuf, u32_min(4 * TCP_INIT_CWND * TCP_SNDBUF_SEG(tp->mss), (uint32_t)tcp_stack(tp)->sysctl->tcp_wmem_max));
	tp->lsndtime = tp->last_ack_rcv = tcp_stack(tp)->now;
	tp->snd_sml = tp->snd_una;
	tp->backoff = 0;
	tp->retransmits = 0;
	tp->retrans_since = 0;
	tcp_set_ca_state(tp, TCP_CA_Open);
	tp->high_seq = tp->snd_nxt;
	tp->undo_marker = 0;
	tp->ssthresh = TCP_INFINITE_SSTHRESH;
	if (tp->srtt_us)
		tcp_set_rto(tp);
	else if (tp->total_retrans)
		tp->rto = 3 * NSEC_PER_SEC; /* RFC 6298 (5.7) */
	if (sk->keepopen)
		tcp_keep_timer_set(tp, tcp_keep_time(tp));
}

/* ---- connect -------------------------------------------------------------------------------------------------------------------------------------- */

static int tcp_connect_init(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	struct sock *sk = &tp->sk;
	uint32_t clamp = tp->window_clamp == 65535u << TCP_MAX_WSCALE ? 0 : tp->window_clamp;

	tp->mss_clamp = 65535;
	tcp_sync_mss(tp, sk->rt.mtu);
	tp->mss_clamp = TCP_MSS_DEFAULT;
	tp->advmss = (uint16_t)u32_min(tp->mss, 65495);
	tp->rcv_mss = u32_min(tp->advmss, TCP_MSS_DEFAULT);
	tcp_select_initial_window(stack, tcp_full_space(tp), tp->advmss, clamp, stack->sysctl->tcp_window_scaling, &tp->rcv_wnd, &tp->window_clamp,
				  &tp->rcv_wscale);
	tp->rcv_ssthresh = tp->rcv_wnd;
	tp->ts_off = stack->sysctl->tcp_timestamps == 1 ? tcp_secure_ts_off(stack, &sk->saddr, sk->sport, &sk->daddr, sk->dport) : 0;
	if (stack->tcp->tw_reused.valid) {
		tp->snt_isn = stack->tcp->tw_reused.snd_nxt + 65535 + 2;
		tp->ts_recent = stack->tcp->tw_reused.ts_recent;
		tp->ts_recent_at = stack->tcp->tw_reused.ts_recent_at;
	} else {
		tp->snt_isn = tcp_secure_seq(stack, &sk->saddr, sk->sport, &sk->daddr, sk->dport);
	}
	tp->snd_una = tp->snd_nxt = tp->snd_up = tp->snd_sml = tp->high_seq = tp->write_seq = tp->snt_isn;
	tp->rto = TCP_TIMEOUT_INIT;
	return tcp_connect_send(tp);
}

static int connect_route(struct sock *sk)
{
	sk->rt_genid = 0;
	if (!sk->bound_addr)
		sk->saddr = IPADDR_NONE;
	int err = sk_route(sk);

	if (err)
		return err;
	return sk->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST) ? -ENETUNREACH : 0;
}

static int tcp_connect(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct stack *stack = sk->stack;
	int err;

	switch (sk->state) {
	case SS_CLOSE:
		break;
	case SS_SYN_SENT:
	case SS_SYN_RECV:
		return tp->connecting ? -EALREADY : -EISCONN;
	default:
		if (sk->state == SS_LISTEN || !tp->connecting)
			return -EISCONN;
		tp->connecting = false; /* the attempt that was under way has succeeded: this call completes it */
		return 0;
	}
	if (tp->connecting) { /* it has failed: say why, once */
		tp->connecting = false;
		err = sk_take_error(sk);
		forget_connection(tp);
		sk->shutdown = 0;
		return err ? err : -ECONNABORTED;
	}
	if (tp->snt_isn) { /* used before */
		rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
		forget_connection(tp);
	}
	sk->shutdown = 0;
	sk->err = sk->err_soft = 0;
	sk->daddr = *addr;
	sk->dport = port;
	err = connect_route(sk);
	if (err)
		goto fail;
	stack->tcp->tw_reused.valid = false;
	err = inet_connect_port(sk, &sk->daddr, port, tcp_tw_reuse);
	if (err)
		goto fail;
	tcp_set_state(tp, SS_SYN_SENT);
	tcp_ehash_add(tp);
	tp->connecting = true;
	err = tcp_connect_init(tp);
	stack->tcp->tw_reused.valid = false;
	if (err == 0 || err == -ENOBUFS || err == -ENOMEM) /* the timer will try again, if there is a SYN at all */
		if (err == 0 || tp->wq.qlen)
			return -EINPROGRESS;
	tp->connecting = false;
	tcp_done(tp);
	forget_connection(tp);
	sk->shutdown = 0;
fail:
	sk->daddr = IPADDR_NONE;
	sk->dport = 0;
	sk->rt.dev = NULL;
	if (!sk->bound_addr)
		sk->saddr = sk->rcv_saddr = IPADDR_NONE;
	return err;
}

/* ---- listen, accept -------------------------------------------------------------------------------------------------------------------------------- */

static int tcp_listen(struct sock *sk, int backlog)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (sk->state == SS_LISTEN) {
		tp->listen->backlog = (uint32_t)backlog;
		return 0;
	}
	if (!tp->listen) {
		tp->listen = calloc(1, sizeof(*tp->listen));
		if (!tp->listen)
			return -ENOMEM;
	}
	list_init(&tp->listen->reqs);
	list_init(&tp->listen->accept_queue);
	tp->listen->backlog = (uint32_t)backlog;
	sk->shutdown = 0;
	tcp_set_state(tp, SS_LISTEN);
	inet_listen_hash(sk);
	return 0;
}

static void listen_stop(struct tcp_sock *lp)
{
	struct tcp_listen *l = lp->listen;
	struct tcp_req *req;
	struct tcp_sock *tp;

	inet_listen_unhash(&lp->sk);
	while ((req = list_first(&l->reqs, struct tcp_req, node)))
		tcp_req_free(tcp_stack(lp), req);
	while ((tp = list_first(&l->accept_queue, struct tcp_sock, accept_node))) {
		list_del(&tp->accept_node);
		l->naccept--;
		tp->parent = NULL;
		tp->sk.dead = true;
		if (tp->sk.state == SS_CLOSE) {
			rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
			sock_put(&tp->sk);
		} else {
			tcp_abort(tp, 0, true);
		}
	}
	tcp_set_state(lp, SS_CLOSE);
}

static int tcp_accept(struct sock *sk, struct sock **ret)
{
	struct tcp_sock *lp = tcp_sk(sk), *tp;

	if (sk->state != SS_LISTEN)
		return -EINVAL;
	tp = list_first(&lp->listen->accept_queue, struct tcp_sock, accept_node);
	if (!tp)
		return -EAGAIN;
	list_del(&tp->accept_node);
	lp->listen->naccept--;
	tp->parent = NULL;
	*ret = &tp->sk;
	return 0;
}

/* ---- shutdown, close --------------------------------------------------------------------------------------------------------------------------------- */

/* CLOSE call, 3.10.4. True: a FIN is to be sent. */
static bool close_step(struct tcp_sock *tp)
{
	switch (tp->sk.state) {
	case SS_SYN_RECV:
	case SS_ESTABLISHED:
		tcp_set_state(tp, SS_FIN_WAIT1);
		return true;
	case SS_CLOSE_WAIT:
		tcp_set_state(tp, SS_LAST_ACK);
		return true;
	default:
		return false;
	}
}

static int tcp_disconnect(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (sk->state == SS_LISTEN) {
		listen_stop(tp);
	} else if (sk->state != SS_CLOSE) {
		/* RFC 9293 ABORT, 3.10.5; whoever waits learns of it. */
		tcp_abort(tp, ECONNRESET, sk->state != SS_SYN_SENT);
	}
	rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
	inet_put_port(sk);
	forget_connection(tp);
	sk->err = sk->err_soft = 0;
	sk->shutdown = 0;
	sk->daddr = IPADDR_NONE;
	sk->dport = 0;
	sk->rt.dev = NULL;
	sk->rt_genid = 0;
	if (!sk->bound_addr)
		sk->saddr = sk->rcv_saddr = IPADDR_NONE;
	return 0;
}

static int tcp_shutdown(struct sock *sk, int how)
{
	struct tcp_sock *tp = tcp_sk(sk);

	switch (sk->state) {
	case SS_CLOSE:
		return -ENOTCONN;
	case SS_LISTEN:
		if (how & SHUTDOWN_RCV) {
			listen_stop(tp);
			sk_wake(sk, EPOLLIN | EPOLLHUP);
		}
		return 0;
	case SS_SYN_SENT:
		tcp_abort(tp, ECONNRESET, false);
		return 0;
	default:
		break;
	}
	sk->shutdown |= (uint8_t)how;
	if ((how & SHUTDOWN_SND) && close_step(tp))
		tcp_send_fin(tp);
	sk_wake(sk, EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLHUP);
	return 0;
}

/* A closed FIN-WAIT-2 waits a while for the peer's FIN and no longer. */
static void close_fin_wait2(struct tcp_sock *tp)
{
	ktime_t t;

	if (tp->linger2 < 0) {
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnLinger);
		tcp_abort(tp, 0, true);
		return;
	}
	t = tcp_fin_time(tp);
	if (t > TCP_TIMEWAIT_LEN)
		tcp_keep_timer_set(tp, t - TCP_TIMEWAIT_LEN);
	else
		tcp_time_wait(tp, SS_FIN_WAIT2, t);
}

static bool too_many_orphans(const struct stack *stack)
{
	return stack->tcp->orphans > (uint32_t)stack->sysctl->tcp_max_orphans || tcp_mem_over(stack);
}

/* The application lets go. Takes over the handle's reference; ns_close has set dead. */
static void tcp_close(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool unread = tcp_inq(tp) && !skb_queue_empty(&sk->rcvq);

	sk->dead = true;
	sk->shutdown = SHUTDOWN_RCV | SHUTDOWN_SND;
	rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
	if (sk->state == SS_LISTEN)
		listen_stop(tp);
	if (sk->state == SS_CLOSE) {
		sock_put(sk);
		return;
	}
	if (sk->state == SS_SYN_SENT) {
		tcp_done(tp);
		return;
	}
	if (unread) { /* what was acknowledged will never be read: RFC 1122 4.2.2.13, RFC 2525 2.17 */
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnClose);
		tcp_send_active_reset(tp);
		tcp_done(tp);
		return;
	}
	if (sk->linger_on && !sk->linger_secs) {
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnData);
		tcp_abort(tp, 0, true);
		return;
	}
	tcp_orphan_count(tp, true);
	sock_hold(sk);
	if (close_step(tp))
		tcp_send_fin(tp);
	if (sk->state == SS_FIN_WAIT2) {
		close_fin_wait2(tp);
	} else if (sk->state != SS_CLOSE && too_many_orphans(tcp_stack(tp))) {
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnMemory);
		tcp_abort(tp, 0, true);
	}
	sock_put(sk);
}

/* ---- the last of it ------------------------------------------------------------------------------------------------------------------------------------ */

static void tcp_destroy(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (sk->state == SS_LISTEN)
		listen_stop(tp);
	if (sk->state != SS_CLOSE) { /* the stack goes down with the connection in it */
		if (counts_as_established(sk->state))
			STACK_MIB_DEC(tcp_stack(tp), Tcp_CurrEstab);
		sk->state = SS_CLOSE;
	}
	tcp_timers_clear(tp);
	tcp_ehash_del(tp);
	if (tp->parent) {
		list_del(&tp->accept_node);
		tp->parent->listen->naccept--;
		tp->parent = NULL;
	}
	tcp_write_queue_purge(tp);
	tcp_ofo_purge(tp, SKB_DROP_SOCKET_CLOSE);
	rcv_queue_purge(tp, SKB_DROP_SOCKET_CLOSE);
	tcp_orphan_count(tp, false);
	free(tp->listen);
	tp->listen = NULL;
}

/* The configuration changed: a smaller MTU is heeded with the next segment; an address that is gone ends what was bound to it, as a link's loss does not. */
static void tcp_route_changed(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (sk->state == SS_CLOSE || sk->state == SS_LISTEN)
		return;
	if (sk_route(sk) == 0 && sk->rt.mtu < tp->pmtu) {
		tcp_sync_mss(tp, sk->rt.mtu);
		tcp_simple_retransmit(tp);
	}
}

int tcp_init(struct stack *stack)
{
	struct tcp_state *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	list_init(&st->ack_list);
	list_init(&st->tw_list);
	st->reqs.size = sizeof(struct tcp_req);
	st->tws.size = sizeof(struct tcp_tw);
	stack->tcp = st;
	return 0;
}

void tcp_exit(struct stack *stack)
{
	struct tcp_state *st = stack->tcp;
	struct sock *sk;
	struct tcp_tw *tw;
	bool again;

	if (!st)
		return;
	do { /* ending one may end others: a listener its children */
		again = false;
		list_for_each(sk, sock_list(stack), struct sock, node) {
			if (sk->proto != &tcp_prot || sk->state == SS_CLOSE)
				continue;
			if (sk->state == SS_LISTEN) {
				struct tcp_sock *tp;

				/* Silently: nothing is sent from here. */
				list_for_each(tp, &tcp_sk(sk)->listen->accept_queue, struct tcp_sock, accept_node)
					if (tp->sk.state != SS_CLOSE)
						tcp_abort(tp, 0, false);
				listen_stop(tcp_sk(sk));
			} else {
				tcp_abort(tcp_sk(sk), 0, false);
			}
			again = true;
			break;
		}
	} while (again);
	while ((tw = list_first(&st->tw_list, struct tcp_tw, node)))
		tcp_tw_free(tw);
	tcp_cache_exit(&st->reqs);
	tcp_cache_exit(&st->tws);
	/* What sock_exit frees later comes back through tcp_destroy, which finds CLOSED socks with empty send queues but counts received bytes. */
	list_for_each(sk, sock_list(stack), struct sock, node)
		if (sk->proto == &tcp_prot)
			rcv_queue_purge(tcp_sk(sk), SKB_DROP_SOCKET_CLOSE);
	free(st);
	stack->tcp = NULL;
}

void tcp_shutdown_all(struct stack *stack)
{
	struct sock *sk, *tmp;

	list_for_each_safe(sk, tmp, sock_list(stack), struct sock, node) {
		if (sk->proto != &tcp_prot || sk->state == SS_CLOSE)
			continue;
		sock_hold(sk);
		if (sk->state == SS_LISTEN)
			; /* nobody is asked to come any more once the stack is gone */
		else if (sk->state == SS_ESTABLISHED || sk->state == SS_CLOSE_WAIT)
			(void)tcp_shutdown(sk, SHUTDOWN_SND);
		else if (sk->state == SS_SYN_SENT || sk->state == SS_SYN_RECV)
			tcp_abort(tcp_sk(sk), ECONNRESET, true);
		tmp = list_entry(sk->node.next, struct sock, node);
		sock_put(sk);
	}
}

static void tcp_keepalive_set(struct sock *sk, bool on)
{
	tcp_set_keepalive(tcp_sk(sk), on);
}

static unsigned tcp_waiting_skbs(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tp->wq.qlen + tp->ofo_count;
}

const struct proto tcp_prot = {
	.name = "tcp", .obj_size = sizeof(struct tcp_sock), .type = SOCK_STREAM, .protocol = IPPROTO_TCP,
	.init = tcp_sock_init, .destroy = tcp_destroy, .close = tcp_close, .connect = tcp_connect, .disconnect = tcp_disconnect,
	.listen = tcp_listen, .accept = tcp_accept, .shutdown = tcp_shutdown, .sendmsg = tcp_sendmsg, .recvmsg = tcp_recvmsg,
	.recv_inplace = tcp_recv_inplace, .send_fill = tcp_send_fill, .send_area = tcp_send_area, .setsockopt = tcp_setsockopt, .getsockopt = tcp_getsockopt,
	.keepalive = tcp_keepalive_set, .ioctl = tcp_ioctl, .poll = tcp_poll, .info = tcp_info_fill, .mini_info = tcp_mini_info, .route_changed = tcp_route_changed,
	.waiting_skbs = tcp_waiting_skbs,
};
