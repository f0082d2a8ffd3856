/* SPDX-License-Identifier: MIT */
/*
 * tcp_timer.c: what happens when nothing happens: retransmission (RFC 6298 section 5), zero-window probes (RFC 9293 3.8.6.1), delayed ACK (3.8.6.3),
 * keepalive (3.8.4), and giving up (3.8.3: R1, R2; user timeout).
 *
 * One wheel timer serves retransmission and probes: they exclude each other (data is in flight, or it is not). Its deadline moves with every ACK; the wheel's
 * timer is only ever moved to an earlier time and, when it fires before the deadline, started again. So an ACK costs an assignment, and an idle
 * connection has no timer running but, at most once, a stale one.
 *
 * Giving up. In flight: after the time that tcp_retries2 doublings from 200 ms would take (924.6 s by default), or TCP_USER_TIMEOUT. Window closed: never while the
 * peer answers (MUST-37), after tcp_retries2 unanswered probes otherwise. Orphans, which nobody waits for: tcp_orphan_retries, and by backed-off
 * time even if the peer answers.
 */
#include "tcp.h"
#include <errno.h>

/* ---- starting and stopping ------------------------------------------------------------------------------------------------------------------- */

void tcp_rtx_timer_set(struct tcp_sock *tp, enum tcp_timer_kind kind, ktime_t delay)
{
	struct stack *stack = tcp_stack(tp);

	if (delay > TCP_RTO_MAX)
		delay = TCP_RTO_MAX;
	tp->rtx_kind = (uint8_t)kind;
	tp->rtx_deadline = stack->now + delay;
	timer_reduce(stack, &tp->rtx_timer, tp->rtx_deadline);
}

void tcp_rtx_timer_stop(struct tcp_sock *tp)
{
	tp->rtx_kind = TCP_TIMER_NONE;
}

void tcp_delack_timer_set(struct tcp_sock *tp, ktime_t when)
{
	tp->ack_flags |= TCP_ACK_TIMER;
	tp->delack_deadline = when;
	timer_reduce(tcp_stack(tp), &tp->delack_timer, when);
}

void tcp_delack_timer_stop(struct tcp_sock *tp)
{
	tp->ack_flags &= (uint8_t)~TCP_ACK_TIMER;
}

void tcp_keep_timer_set(struct tcp_sock *tp, ktime_t delay)
{
	timer_mod(tcp_stack(tp), &tp->keep_timer, tcp_stack(tp)->now + delay);
}

ktime_t tcp_keep_time(const struct tcp_sock *tp)
{
	return (tp->keep_time ? (ktime_t)tp->keep_time : tcp_stack(tp)->sysctl->tcp_keepalive_time) * NSEC_PER_SEC;
}

ktime_t tcp_keep_intvl(const struct tcp_sock *tp)
{
	return (tp->keep_intvl ? (ktime_t)tp->keep_intvl : tcp_stack(tp)->sysctl->tcp_keepalive_intvl) * NSEC_PER_SEC;
}

unsigned tcp_keep_probes(const struct tcp_sock *tp)
{
	return tp->keep_probes ? tp->keep_probes : (unsigned)tcp_stack(tp)->sysctl->tcp_keepalive_probes;
}

ktime_t tcp_fin_time(const struct tcp_sock *tp)
{
	ktime_t t = (tp->linger2 ? (ktime_t)tp->linger2 : tcp_stack(tp)->sysctl->tcp_fin_timeout) * NSEC_PER_SEC;
	ktime_t least = tp->rto * 4 - tp->rto / 2;

	return t < least ? least : t;
}

void tcp_set_keepalive(struct tcp_sock *tp, bool on)
{
	if (tp->sk.state == SS_CLOSE || tp->sk.state == SS_LISTEN)
		return;
	if (on)
		tcp_keep_timer_set(tp, tcp_keep_time(tp));
	else if (!(tp->sk.state == SS_FIN_WAIT2 && tp->sk.dead))
		timer_del(tcp_stack(tp), &tp->keep_timer);
}

ktime_t tcp_probe0_when(const struct tcp_sock *tp)
{
	ktime_t t = tp->rto > TCP_RTO_MIN ? tp->rto : TCP_RTO_MIN;

	for (unsigned i = 0; i < tp->backoff && t < TCP_RTO_MAX; i++)
		t *= 2;
	if (t > TCP_RTO_MAX)
		t = TCP_RTO_MAX;
	if (tp->user_timeout_ms && tp->probes_since) {
		ktime_t left = tp->probes_since + (ktime_t)tp->user_timeout_ms * NSEC_PER_MSEC - tcp_stack(tp)->now;

		t = left < 2 * NSEC_PER_MSEC ? 2 * NSEC_PER_MSEC : left < t ? left : t;
	}
	return t;
}

/* ---- giving up -------------------------------------------------------------------------------------------------------------------------------- */

static void write_err(struct tcp_sock *tp)
{
	int err = tp->sk.err_soft ? tp->sk.err_soft : ETIMEDOUT;

	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnTimeout);
	tcp_abort(tp, err, false);
}

/* Too many orphans, or no memory left: an orphan goes at once. */
static bool out_of_resources(struct tcp_sock *tp, bool send_rst)
{
	struct stack *stack = tcp_stack(tp);

	if (stack->tcp->orphans <= (uint32_t)stack->sysctl->tcp_max_orphans && !tcp_mem_over(stack))
		return false;
	STACK_MIB_INC(stack, TcpExt_TCPAbortOnMemory);
	tcp_abort(tp, ETIMEDOUT, send_rst);
	return true;
}

static int orphan_retries(const struct tcp_sock *tp, bool alive)
{
	int n = tcp_stack(tp)->sysctl->tcp_orphan_retries;

	if (tp->sk.err_soft && !alive)
		n = 0;
	return n == 0 && alive ? 8 : n;
}

/* The time that n doublings from the least RTO take. */
static ktime_t retries_time(int n)
{
	ktime_t t = TCP_RTO_MIN, sum = 0;

	for (int i = 0; i <= n; i++) {
		sum += t;
		t = t * 2 < TCP_RTO_MAX ? t * 2 : TCP_RTO_MAX;
	}
	return sum;
}

static bool timed_out(const struct tcp_sock *tp, int retries, uint32_t user_ms)
{
	ktime_t limit = user_ms ? (ktime_t)user_ms * NSEC_PER_MSEC : retries_time(retries);

	if (!tp->retransmits || !tp->retrans_since)
		return false;
	return tcp_stack(tp)->now - tp->retrans_since + TIMER_GRANULE >= limit;
}

/* True: the connection is over. */
static bool write_timeout(struct tcp_sock *tp)
{
	const struct sysctl_values *sc = tcp_stack(tp)->sysctl;

	if (tp->retransmits && (tp->retransmits >= sc->tcp_retries1 || tp->sk.state == SS_SYN_SENT))
		tp->sk.rt_genid = 0; /* R1: perhaps there is another way */
	if (tp->sk.state == SS_SYN_SENT || tp->sk.state == SS_SYN_RECV) {
		int max = tp->syn_retries_max ? tp->syn_retries_max : sc->tcp_syn_retries;
		bool user = tp->user_timeout_ms && timed_out(tp, 0, tp->user_timeout_ms);

		if (tp->retransmits < max && !user)
			return false;
		write_err(tp);
		return true;
	}
	int retries = sc->tcp_retries2;

	if (tp->sk.dead) {
		bool alive = tp->rto < TCP_RTO_MAX;

		retries = orphan_retries(tp, alive);
		if (out_of_resources(tp, alive || !timed_out(tp, retries, 0)))
			return true;
	}
	if (!timed_out(tp, retries, tp->user_timeout_ms))
		return false;
	write_err(tp);
	return true;
}

/* ---- retransmission ---------------------------------------------------------------------------------------------------------------------------- */

static void count_timeout(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	if (tp->retransmits)
		return;
	if (tp->ca_state == TCP_CA_Recovery && tp->sack_ok)
		STACK_MIB_INC(stack, TcpExt_TCPSackFailures);
	else if (tp->ca_state == TCP_CA_Loss)
		STACK_MIB_INC(stack, TcpExt_TCPLossFailures);
}

static void back_off(struct tcp_sock *tp)
{
	ktime_t delay;

	if (tp->backoff < UINT8_MAX)
		tp->backoff++;
	if (tp->retransmits < UINT8_MAX)
		tp->retransmits++;
	tp->rto = tp->rto * 2 < TCP_RTO_MAX ? tp->rto * 2 : TCP_RTO_MAX; /* RFC 6298 (5.5) */
	delay = tp->rto;
	if (tp->user_timeout_ms && tp->retrans_since) {
		ktime_t left = tp->retrans_since + (ktime_t)tp->user_timeout_ms * NSEC_PER_MSEC - tcp_stack(tp)->now;

		if (left < delay)
			delay = left > NSEC_PER_MSEC ? left : NSEC_PER_MSEC;
	}
	tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, delay);
}

static void retransmit_timer(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	struct sk_buff *head = skb_peek(&tp->wq);

	if (!tcp_out(tp) || !head || head == tp->send_head)
		return;
	if (tcp_unlikely(!tp->snd_wnd) && !tp->sk.dead && tp->sk.state != SS_SYN_SENT && tp->sk.state != SS_SYN_RECV) {
		/* The peer took its window back with data under way. As long as it answers, this is probing (RFC 9293 3.8.6.1). */
		ktime_t silent = stack->now - tp->last_ack_rcv;

		if (silent > TCP_RTO_MAX * 2 || (tp->user_timeout_ms && tp->retrans_since && timed_out(tp, 0, tp->user_timeout_ms))) {
			write_err(tp);
			return;
		}
		tcp_enter_loss(tp);
		(void)tcp_retransmit_skb(tp, head, tp->mss);
		goto again;
	}
	STACK_MIB_INC(stack, TcpExt_TCPTimeouts);
	if (!tp->retrans_since)
		tp->retrans_since = stack->now;
	if (write_timeout(tp))
		return;
	count_timeout(tp);
	tcp_enter_loss(tp);
	if (tcp_retransmit_skb(tp, head, tp->mss) == -ENOMEM) {
		/* Trouble of our own, not the path's: soon again, without counting. */
		if (!tp->retransmits)
			tp->retransmits = 1;
		tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, tp->rto < 500 * NSEC_PER_MSEC ? tp->rto : 500 * NSEC_PER_MSEC);
		return;
	}
again:
	if (!tp->retrans_since)
		tp->retrans_since = stack->now;
	back_off(tp);
}

/* ---- window probes ----------------------------------------------------------------------------------------------------------------------------- */

static void probe_timer(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	if (tcp_unlikely(tp->fin_pending)) {
		tcp_push_pending(tp);
		if (tp->sk.state == SS_CLOSE)
			return;
	}
	if (tcp_out(tp) || !tp->send_head) {
		tp->probes_out = 0;
		tp->probes_since = 0;
		return;
	}
	if (!tp->probes_since)
		tp->probes_since = stack->now;
	else if (tp->user_timeout_ms && stack->now - tp->probes_since >= (ktime_t)tp->user_timeout_ms * NSEC_PER_MSEC)
		goto give_up;
	int max = stack->sysctl->tcp_retries2;

	if (tp->sk.dead) {
		bool alive = tcp_probe0_when(tp) < TCP_RTO_MAX;

		max = orphan_retries(tp, alive);
		if (!alive && tp->backoff >= max)
			goto give_up;
		if (out_of_resources(tp, true))
			return;
	}
	if (tp->probes_out >= max)
		goto give_up;
	tcp_send_probe0(tp);
	return;
give_up:
	write_err(tp);
}

static void rtx_fire(struct stack *stack, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, rtx_timer);
	uint8_t kind = tp->rtx_kind;

	if (kind == TCP_TIMER_NONE)
		return;
	if (stack->now < tp->rtx_deadline) {
		timer_mod(stack, t, tp->rtx_deadline);
		return;
	}
	sock_hold(&tp->sk);
	tp->rtx_kind = TCP_TIMER_NONE;
	if (kind == TCP_TIMER_RETRANS)
		retransmit_timer(tp);
	else
		probe_timer(tp);
	sock_put(&tp->sk);
}

/* ---- delayed ACK ------------------------------------------------------------------------------------------------------------------------------- */

static void delack_fire(struct stack *stack, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, delack_timer);

	if (!(tp->ack_flags & TCP_ACK_TIMER))
		return;
	if (stack->now < tp->delack_deadline) {
		timer_mod(stack, t, tp->delack_deadline);
		return;
	}
	tp->ack_flags &= (uint8_t)~TCP_ACK_TIMER;
	if (!(tp->ack_flags & TCP_ACK_SCHED) || tp->sk.state == SS_CLOSE)
		return;
	if (tp->pingpong < 3) { /* the guess was wrong: wait longer next time */
		tp->ato = tp->ato * 2 < tp->rto ? tp->ato * 2 : tp->rto;
	} else {
		tp->pingpong = 0; /* no answer came to carry it */
		tp->ato = TCP_DELACK_MIN;
	}
	STACK_MIB_INC(stack, TcpExt_DelayedACKs);
	tcp_send_ack(tp);
}

/* ---- keepalive, and the end of FIN-WAIT-2 -------------------------------------------------------------------------------------------------------- */

static void keepalive(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	ktime_t time = tcp_keep_time(tp), last = tp->last_ack_rcv > tp->lrcvtime ? tp->last_ack_rcv : tp->lrcvtime;
	ktime_t idle = stack->now - last, user = (ktime_t)tp->user_timeout_ms * NSEC_PER_MSEC;

	if (!tp->sk.keepopen || tp->sk.state == SS_CLOSE || tp->sk.state == SS_SYN_SENT)
		return;
	if (tcp_out(tp) || tp->send_head) { /* then retransmission watches */
		tcp_keep_timer_set(tp, time);
		return;
	}
	if (idle < time) {
		tp->keep_probes_out = 0;
		tcp_keep_timer_set(tp, time - idle);
		return;
	}
	if (user ? idle >= user && tp->keep_probes_out : tp->keep_probes_out >= tcp_keep_probes(tp)) {
		STACK_MIB_INC(stack, TcpExt_TCPAbortOnTimeout);
		tcp_abort(tp, tp->sk.err_soft ? tp->sk.err_soft : ETIMEDOUT, true);
		return;
	}
	STACK_MIB_INC(stack, TcpExt_TCPKeepAlive);
	if (tcp_write_wakeup(tp) == -ENOMEM) {
		tcp_keep_timer_set(tp, 500 * NSEC_PER_MSEC);
		return;
	}
	if (tp->keep_probes_out < UINT8_MAX)
		tp->keep_probes_out++;
	tcp_keep_timer_set(tp, tcp_keep_intvl(tp));
}

static void keep_fire(struct stack *stack, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, keep_timer);

	(void)stack;
	sock_hold(&tp->sk);
	if (tp->sk.state == SS_FIN_WAIT2 && tp->sk.dead) {
		/* The first part of a long tcp_fin_timeout is over; the rest is waited for in a minisock. */
		ktime_t rest = tcp_fin_time(tp);

		if (tp->linger2 >= 0 && rest > 0) {
			tcp_time_wait(tp, SS_FIN_WAIT2, rest < TCP_TIMEWAIT_LEN ? rest : TCP_TIMEWAIT_LEN);
		} else {
			tcp_abort(tp, 0, true);
		}
	} else {
		keepalive(tp);
	}
	sock_put(&tp->sk);
}

void tcp_timers_init(struct tcp_sock *tp)
{
	timer_init(&tp->rtx_timer, rtx_fire);
	timer_init(&tp->delack_timer, delack_fire);
	timer_init(&tp->keep_timer, keep_fire);
}

void tcp_timers_clear(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	timer_del(stack, &tp->rtx_timer);
	timer_del(stack, &tp->delack_timer);
	timer_del(stack, &tp->keep_timer);
	tp->rtx_kind = TCP_TIMER_NONE;
	tp->ack_flags = 0;
	if (!list_empty(&tp->ack_node))
		list_del(&tp->ack_node);
}
