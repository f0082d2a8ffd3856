/* SPDX-License-Identifier: MIT */
/*
 * tcp_input.c: RFC 9293 section 3.10.7, the arriving segment, as ordered code with the RFC's step numbers.
 *
 * tcp_v4_rcv has checked the segment and found the connection; LISTEN (3.10.7.2) and a passive SYN-RECEIVED live in tcp_minisocks.c, TIME-WAIT too, CLOSED
 * (3.10.7.1) in tcp_ipv4.c. In front of the steps stands header prediction: in ESTABLISHED most segments are the next in order or a plain ACK, and for
 * those the steps come down to a few comparisons.
 *
 * Sequence check. Stricter RFC words ("trim to the window") and looser practice agree here as on Linux: a segment is acceptable when it ends at or behind the
 * last acknowledged byte and begins at or before the right edge; what of its text is old or beyond the edge is cut in tcp_data.c. RST and SYN follow RFC 5961;
 * answers to unacceptable segments are limited per connection (tcp_invalid_ratelimit) and challenge ACKs per shard, which also ends ping-pong of two
 * confused ends.
 *
 * Acknowledging. RFC 5681 4.2 wants an ACK for every second full segment, so that the sender's clock ticks; RFC 9293 3.10.7.4 (MUST-58, MUST-59) wants a series
 * of queued segments processed before any ACK of them is sent. Frames come in batches here as they do from a
 * GRO-ing driver, and the ACK goes out once at the end of a batch (tcp_run_acks), for at most 64 KiB, after the application has been woken: it then carries
 * the application's answer and its new window. Segments that are out of order, fill a hole, or come while SACK or DSACK must be told are answered one by one.
 * When only one segment came the RFC's delayed ACK applies.
 */
#include "tcp.h"
#include <errno.h>

/* ---- when to acknowledge -------------------------------------------------------------------------------------------------------------------- */

void tcp_schedule_ack(struct tcp_sock *tp)
{
	tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
	if (list_empty(&tp->ack_node))
		list_add_tail(&tp->ack_node, &tcp_stack(tp)->tcp->ack_list);
}

/* So many segments are acknowledged at once, unless this is a conversation. */
void tcp_incr_quickack(struct tcp_sock *tp, unsigned max)
{
	unsigned n = tp->rcv_mss ? tp->rcv_wnd / (2 * tp->rcv_mss) : 2;

	if (n < 2)
		n = 2;
	if (n > max)
		n = max;
	if (tp->quick < n)
		tp->quick = (uint8_t)n;
}

void tcp_enter_quickack(struct tcp_sock *tp, unsigned max)
{
	tcp_incr_quickack(tp, max);
	tp->pingpong = 0;
	tp->ato = TCP_DELACK_MIN;
}

static bool in_quickack(const struct tcp_sock *tp)
{
	return tp->quickack_set || (tp->quick && tp->pingpong < 3);
}

/* Data came: now, at the end of the batch, or later. */
static void tcp_ack_snd_check(struct tcp_sock *tp)
{
	uint32_t owed = tp->rcv_nxt - tp->rcv_wup;

	if (!(tp->ack_flags & TCP_ACK_SCHED) || tp->sk.state == SS_CLOSE)
		return;
	if (tcp_unlikely(tp->ofo_root || tp->have_dsack) || owed >= TCP_ACK_STRETCH) {
		tcp_send_ack(tp);
		return;
	}
	if (owed > tp->rcv_mss || (tp->ack_flags & TCP_ACK_NOW) || in_quickack(tp))
		tcp_schedule_ack(tp);
	else
		tcp_send_delayed_ack(tp);
}

/* The end of a batch: see the head of this file. */
void tcp_run_acks(struct stack *stack)
{
	struct tcp_state *st = stack->tcp;
	struct tcp_sock *tp;

	while ((tp = list_first(&st->ack_list, struct tcp_sock, ack_node))) {
		list_del(&tp->ack_node);
		if (tp->ack_flags & TCP_ACK_SCHED)
			tcp_send_ack(tp);
	}
}

/*
 * Room for two congestion windows: one on its way, one that the application writes meanwhile. With less it is the buffer that limits a long way, cwnd is never
 * filled and does not grow. Only when the application waits for room and less than cwnd is on its way; never beyond tcp_wmem's third value.
 */
static void sndbuf_expand(struct tcp_sock *tp)
{
	const struct stack *stack = tcp_stack(tp);
	uint64_t want = 2 * (uint64_t)(tp->cwnd / tp->mss + 1) * TCP_SNDBUF_SEG(tp->mss);

	if ((tp->sk.userlocks & 1) || tcp_out(tp) >= tp->cwnd || tcp_mem_pressure(stack))
		return;
	if (want > (uint64_t)stack->sysctl->tcp_wmem_max)
		want = (uint64_t)stack->sysctl->tcp_wmem_max;
	tp->sk.sndbuf = u32_max(tp->sk.sndbuf, (uint32_t)want);
}

/* An ACK may have opened the way for data, and freed send space. */
static void tcp_data_snd_check(struct tcp_sock *tp)
{
	if (tp->send_head || tp->fin_pending)
		tcp_push_pending(tp);
	if (tcp_unlikely(tp->sk.nospace)) {
		sndbuf_expand(tp);
		sk_write_space(&tp->sk);
	}
}

/* ---- answers to what is not acceptable ------------------------------------------------------------------------------------------------------- */

void tcp_send_challenge_ack(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	if (tcp_oow_limited(stack, &tp->last_oow_ack)) {
		STACK_MIB_INC(stack, TcpExt_TCPACKSkippedChallenge);
		return;
	}
	if (!tcp_challenge_allowed(stack))
		return;
	STACK_MIB_INC(stack, TcpExt_TCPChallengeACK);
	tcp_send_ack(tp);
}

/* To an unacceptable segment; rate limited. */
static void tcp_send_dupack(struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);

	if (cb->end_seq != cb->seq && before(cb->seq, tp->rcv_nxt)) {
		STACK_MIB_INC(stack, TcpExt_DelayedACKLost);
		tcp_enter_quickack(tp, TCP_MAX_QUICKACKS);
		if (tp->sack_ok && stack->sysctl->tcp_dsack) {
			STACK_MIB_INC(stack, TcpExt_TCPDSACKOldSent);
			tp->have_dsack = true;
			tp->dsack.start = cb->seq;
			tp->dsack.end = after(cb->end_seq, tp->rcv_nxt) ? tp->rcv_nxt : cb->end_seq;
		}
	}
	tcp_send_ack(tp);
}

/* ---- timestamps ------------------------------------------------------------------------------------------------------------------------------ */

void tcp_store_ts_recent(struct tcp_sock *tp)
{
	tp->ts_recent = tp->rcv_tsval;
	tp->ts_recent_at = tcp_stack(tp)->now;
}

/* RFC 7323 5.3 R1; a clock that was not heard for 24 days says nothing (5.5). RST is exempt (5.2). */
bool tcp_paws_reject(const struct stack *stack, uint32_t ts_recent, ktime_t ts_recent_at, uint32_t tsval, bool rst)
{
	if (rst || (int32_t)(ts_recent - tsval) <= 0)
		return false;
	return stack->now - ts_recent_at <= (ktime_t)TCP_PAWS_24DAYS_MS * NSEC_PER_MSEC;
}

/* A pure duplicate ACK that was only overtaken is let through: it carries SACK blocks and harms nothing. */
static bool disordered_ack(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	ktime_t rto_ms = tp->rto / NSEC_PER_MSEC;

	return (cb->flags & ~(TCPHDR_PSH | TCPHDR_ECE | TCPHDR_CWR)) == TCPHDR_ACK && cb->seq == cb->end_seq && cb->seq == tp->rcv_nxt &&
	       cb->rx.ack_seq == tp->snd_una && (cb->rx.window << tp->snd_wscale) == tp->snd_wnd &&
	       (int32_t)(tp->ts_recent - tp->rcv_tsval) <= (int32_t)(rto_ms > 100000 ? 100000 : rto_ms);
}

/* ---- steps 1 to 4 ---------------------------------------------------------------------------------------------------------------------------- */

/* RFC 5961 3.2: only the exactly expected number kills; with SACK the right edge of what was received out of order is as good (the peer sees it). */
static bool rst_exact(const struct tcp_sock *tp, uint32_t seq)
{
	if (seq == tp->rcv_nxt)
		return true;
	if (tp->sack_ok && tp->nsacks) {
		uint32_t edge = tp->sack_tx[0].end;

		for (unsigned i = 1; i < tp->nsacks; i++)
			edge = seq_max(edge, tp->sack_tx[i].end);
		if (seq == edge)
			return true;
	}
	/* After its FIN a peer without a socket answers with the number before it. */
	return seq == tp->rcv_nxt - 1 && (tp->sk.state == SS_CLOSE_WAIT || tp->sk.state == SS_LAST_ACK || tp->sk.state == SS_CLOSING);
}

static bool seq_acceptable(const struct tcp_sock *tp, const struct tcp_skb_cb *cb)
{
	return !before(cb->end_seq, tp->rcv_wup) && !after(cb->seq, tp->rcv_nxt + tcp_receive_window(tp));
}

/* True: go on with step 5. False: skb has been freed. */
static bool validate(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);
	bool rst = cb->flags & TCPHDR_RST;
	enum skb_drop_reason why;

	/* RFC 7323 R1 stands in front of step 1. A peer that stops sending timestamps is heard nevertheless: to be silent would only stall it. */
	if (tp->rcv_saw_ts && tp->tstamp_ok && tcp_paws_reject(stack, tp->ts_recent, tp->ts_recent_at, tp->rcv_tsval, rst) &&
	    !disordered_ack(tp, skb)) {
		STACK_MIB_INC(stack, TcpExt_PAWSEstab);
		if (tcp_oow_limited(stack, &tp->last_oow_ack))
			STACK_MIB_INC(stack, TcpExt_TCPACKSkippedPAWS);
		else
			tcp_send_dupack(tp, skb);
		why = SKB_DROP_TCP_PAWS;
		goto drop;
	}
	/* First, the sequence number. */
	if (tcp_unlikely(!seq_acceptable(tp, cb))) {
		why = SKB_DROP_TCP_INVALID_SEQUENCE;
		if (rst) {
			if (seq_between(cb->seq, tp->rcv_nxt - 1, tp->rcv_nxt) && rst_exact(tp, cb->seq))
				goto reset;
		} else if (cb->flags & TCPHDR_SYN) {
			goto syn;
		} else if (tcp_oow_limited(stack, &tp->last_oow_ack)) {
			STACK_MIB_INC(stack, TcpExt_TCPACKSkippedSeq);
		} else {
			tcp_send_dupack(tp, skb);
		}
		goto drop;
	}
	/* Second, the RST bit (RFC 5961 section 3). */
	if (tcp_unlikely(rst)) {
		if (!rst_exact(tp, cb->seq)) {
			tcp_send_challenge_ack(tp);
			why = SKB_DROP_TCP_INVALID_RESET;
			goto drop;
		}
reset:
		tcp_reset_rcvd(tp);
		why = SKB_DROP_TCP_RESET;
		goto drop;
	}
	/* Third, security: RFC 9293 keeps it for the record. Fourth, the SYN bit (RFC 5961 section 4). */
	if (tcp_unlikely(cb->flags & TCPHDR_SYN)) {
		/* Simultaneous open: the peer's SYN-ACK is its SYN again with the ACK of ours; it has no news but the ACK. */
		if (tp->sk.state == SS_SYN_RECV && (cb->flags & TCPHDR_ACK) && cb->seq == tp->rcv_isn && cb->rx.ack_seq == tp->snd_nxt) {
			cb->seq++; /* from here on it is an ordinary segment */
			cb->flags &= (uint8_t)~TCPHDR_SYN;
			cb->rx.window >>= tp->snd_wscale; /* that of a SYN is not scaled */
			tcp_schedule_ack(tp); /* our own SYN-ACK may have been lost */
			return true;
		}
syn:
		STACK_MIB_INC(stack, TcpExt_TCPSYNChallenge);
		tcp_send_challenge_ack(tp);
		why = SKB_DROP_TCP_INVALID_SYN;
		goto drop;
	}
	return true;
drop:
	kfree_skb(skb, why);
	return false;
}

/* ---- 3.10.7.3 SYN-SENT ---------------------------------------------------------------------------------------------------------------------- */

/* What the peer's SYN offers is taken if we offered it too. */
static void syn_options(struct tcp_sock *tp, const struct tcp_skb_cb *cb, const struct tcp_options *opt)
{
	const struct sysctl_values *sc = tcp_stack(tp)->sysctl;

	tp->tstamp_ok = opt->saw_ts && sc->tcp_timestamps;
	tp->sack_ok = opt->sack_perm && sc->tcp_sack;
	tp->wscale_ok = opt->saw_wscale && sc->tcp_window_scaling;
	tp->snd_wscale = tp->wscale_ok ? opt->wscale : 0;
	if (!tp->wscale_ok) {
		tp->rcv_wscale = 0;
		tp->window_clamp = u32_min(tp->window_clamp, 65535);
	}
	if (tp->tstamp_ok)
		tcp_store_ts_recent(tp);
	tp->rcv_isn = cb->seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = cb->seq + 1;
	tp->snd_wnd = cb->rx.window; /* of a SYN: not scaled */
	tp->snd_wl1 = cb->seq;
	tp->max_window = tp->snd_wnd;
	tp->urg_seq = tp->copied_seq - 1;
	uint32_t mss = opt->mss ? opt->mss : TCP_MSS_DEFAULT;

	tp->mss_clamp = u32_max(mss, (uint32_t)sc->tcp_min_snd_mss);
	tcp_sync_mss(tp, tp->sk.rt.dev ? tp->sk.rt.mtu : tp->pmtu);
	tp->rcv_mss = u32_max(u32_min(tp->mss, tp->advmss), TCP_MIN_MSS);
	tcp_init_buffer_space(tp);
}

static void rcv_syn_sent(struct tcp_sock *tp, struct sk_buff *skb, const struct tcp_options *opt)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);
	uint8_t fl = cb->flags;

	/* First, the ACK bit. */
	if (fl & TCPHDR_ACK) {
		if (!after(cb->rx.ack_seq, tp->snd_una) || after(cb->rx.ack_seq, tp->snd_nxt)) {
			if (!(fl & TCPHDR_RST))
				tcp_v4_send_reset(stack, skb);
			kfree_skb(skb, SKB_DROP_TCP_INVALID_ACK);
			return;
		}
		uint32_t first = (uint32_t)(tp->snt_synack / NSEC_PER_MSEC) + tp->ts_off; /* the first SYN's */

		if (opt->saw_ts && opt->tsecr && !seq_between(opt->tsecr, first, tcp_ts_now(stack) + tp->ts_off)) {
			STACK_MIB_INC(stack, TcpExt_PAWSActive); /* not an echo of ours */
			if (!(fl & TCPHDR_RST))
				tcp_v4_send_reset(stack, skb);
			kfree_skb(skb, SKB_DROP_TCP_PAWS);
			return;
		}
	}
	/* Second, the RST bit. */
	if (fl & TCPHDR_RST) {
		if (fl & TCPHDR_ACK)
			tcp_reset_rcvd(tp);
		kfree_skb(skb, fl & TCPHDR_ACK ? SKB_DROP_TCP_RESET : SKB_DROP_TCP_INVALID_RESET);
		return;
	}
	/* Fourth, the SYN bit (third: security). Fifth: neither SYN nor RST. */
	if (!(fl & TCPHDR_SYN)) {
		kfree_skb(skb, SKB_DROP_TCP_FLAGS);
		return;
	}
	syn_options(tp, cb, opt);
	if (fl & TCPHDR_ACK) {
		(void)tcp_ack(tp, skb, NULL, FLAG_SLOWPATH);
		tcp_sync_mss(tp, tp->pmtu);
		tcp_set_state(tp, SS_ESTABLISHED);
		tcp_init_xfer(tp);
		tp->lrcvtime = tcp_stack(tp)->now; /* the accepting side counts from here as well */
		tcp_enter_quickack(tp, TCP_MAX_QUICKACKS);
		tcp_schedule_ack(tp); /* text on a SYN-ACK is not taken: it comes again */
		sk_wake(&tp->sk, EPOLLOUT | EPOLLWRNORM);
		consume_skb(skb);
		tcp_data_snd_check(tp);
		return;
	}
	/* Simultaneous open. */
	tcp_set_state(tp, SS_SYN_RECV);
	tcp_send_synack(tp);
	consume_skb(skb);
}

/* ---- 3.10.7.4, from step 5 on ---------------------------------------------------------------------------------------------------------------- */

/* Our SYN is acknowledged: SYN-RECEIVED to ESTABLISHED. */
static void synrecv_established(struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	tcp_set_state(tp, SS_ESTABLISHED);
	tp->snd_wnd = cb->rx.window << tp->snd_wscale;
	tp->snd_wl1 = cb->seq;
	tp->max_window = u32_max(tp->max_window, tp->snd_wnd);
	tcp_sync_mss(tp, tp->pmtu);
	tcp_init_xfer(tp);
	if (!tp->srtt_us && tp->snt_synack && !tp->total_retrans)
		tcp_rtt_sample(tp, (tcp_stack(tp)->now - tp->snt_synack) / NSEC_PER_USEC);
	tp->lsndtime = tcp_stack(tp)->now;
	sk_wake(&tp->sk, EPOLLOUT | EPOLLWRNORM);
}

/* Everything of ours, the FIN included, is acknowledged. */
static inline bool fin_acked(const struct tcp_sock *tp)
{
	return tp->snd_una == tp->write_seq && !tp->fin_pending;
}

/* Step 5 for the states that wait for their FIN's ACK. False: the connection is gone or replaced; skb is freed. */
static bool closing_acked(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (!fin_acked(tp))
		return true;
	switch (tp->sk.state) {
	case SS_FIN_WAIT1:
		tcp_set_state(tp, SS_FIN_WAIT2);
		tp->sk.shutdown |= SHUTDOWN_SND;
		if (!tp->sk.dead) {
			sk_wake(&tp->sk, EPOLLOUT | EPOLLWRNORM | (tp->sk.shutdown == 3 ? EPOLLHUP : 0));
			return true;
		}
		/* Nobody will read what may come (RFC 1122 4.2.2.13). */
		if (tp->linger2 < 0) {
			tcp_send_active_reset(tp);
			tcp_done(tp);
			STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPAbortOnData);
			kfree_skb(skb, SKB_DROP_TCP_ABORT_ON_DATA);
			return false;
		}
		if (cb->end_seq != cb->seq && after(cb->end_seq - (cb->flags & TCPHDR_FIN ? 1u : 0u), tp->rcv_nxt))
			return true; /* text: the caller resets */
		if (cb->flags & TCPHDR_FIN)
			return true; /* goes to TIME-WAIT in step 8 */
		ktime_t tmo = tcp_fin_time(tp);

		if (tmo > TCP_TIMEWAIT_LEN) {
			tcp_keep_timer_set(tp, tmo - TCP_TIMEWAIT_LEN);
			return true;
		}
		tcp_time_wait(tp, SS_FIN_WAIT2, tmo);
		consume_skb(skb);
		return false;
	case SS_CLOSING:
		tcp_time_wait(tp, SS_TIME_WAIT, 0);
		consume_skb(skb);
		return false;
	case SS_LAST_ACK:
		tcp_done(tp);
		consume_skb(skb);
		return false;
	default:
		return true;
	}
}

/* Steps 5 to 8 in every synchronised state. Consumes skb. */
static void rcv_steps(struct tcp_sock *tp, struct sk_buff *skb, const struct tcp_options *opt)
{
	const struct tcp_hdr *th = tcp_hdr_of(skb);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);

	/* Fifth, the ACK field. */
	if (!(cb->flags & TCPHDR_ACK)) {
		kfree_skb(skb, SKB_DROP_TCP_NO_ACK);
		return;
	}
	if (tp->sk.state == SS_SYN_RECV && (!after(cb->rx.ack_seq, tp->snd_una) || after(cb->rx.ack_seq, tp->snd_nxt))) {
		tcp_v4_send_reset(stack, skb);
		kfree_skb(skb, SKB_DROP_TCP_INVALID_ACK);
		return;
	}
	int ok = tcp_ack(tp, skb, opt, FLAG_SLOWPATH | FLAG_UPDATE_TS);

	if (ok < 0) { /* of something never sent: RFC 5961 section 5 */
		if (after(cb->rx.ack_seq, tp->snd_nxt))
			tcp_send_challenge_ack(tp);
		kfree_skb(skb, ok == -1 && before(cb->rx.ack_seq, tp->snd_una) ? SKB_DROP_TCP_OLD_ACK : SKB_DROP_TCP_INVALID_ACK);
		return;
	}
	switch (tp->sk.state) {
	case SS_SYN_RECV:
		synrecv_established(tp, skb);
		break;
	case SS_FIN_WAIT1:
	case SS_CLOSING:
	case SS_LAST_ACK:
		if (!closing_acked(tp, skb))
			return;
		break;
	default:
		break;
	}
	/* Sixth, the URG bit. */
	if (tcp_unlikely(cb->flags & TCPHDR_URG))
		tcp_urg(tp, skb, th);
	/* Seventh, the text; eighth, the FIN, which is taken when everything before it is there. */
	bool text = cb->end_seq != cb->seq;

	if (tp->sk.state == SS_FIN_WAIT1 || tp->sk.state == SS_FIN_WAIT2) {
		uint32_t data_end = cb->end_seq - (cb->flags & TCPHDR_FIN ? 1u : 0u);

		/* The application has closed and will never read: say so (RFC 1122 4.2.2.13, RFC 9293 3.6.1). */
		if ((tp->sk.shutdown & SHUTDOWN_RCV) && tp->sk.dead && text && after(data_end, tp->rcv_nxt)) {
			STACK_MIB_INC(stack, TcpExt_TCPAbortOnData);
			tcp_v4_send_reset(stack, skb);
			tcp_abort(tp, EPIPE, false);
			kfree_skb(skb, SKB_DROP_TCP_ABORT_ON_DATA);
			return;
		}
	}
	skb_pull(skb, tcp_hdrlen(th));
	if (text)
		tcp_data_queue(tp, skb);
	else
		consume_skb(skb);
	if (tp->sk.state != SS_CLOSE) {
		tcp_data_snd_check(tp);
		tcp_ack_snd_check(tp);
	}
}

/* ---- header prediction ----------------------------------------------------------------------------------------------------------------------- */

/* ESTABLISHED, nothing unusual in sight: true when skb has been dealt with. */
static bool fast_path(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_hdr *th = tcp_hdr_of(skb);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);
	unsigned hlen = tcp_hdrlen(th);

	if ((cb->flags & ~TCPHDR_PSH) != TCPHDR_ACK || cb->seq != tp->rcv_nxt || after(cb->rx.ack_seq, tp->snd_nxt) || before(cb->rx.ack_seq, tp->snd_una))
		return false;
	if (tp->ofo_root || tp->urg_data || tp->ca_state != TCP_CA_Open || tp->sacked_out)
		return false;
	tp->rcv_saw_ts = false;
	if (tcp_likely(hlen == 32)) {
		if (!tp->tstamp_ok || !tcp_options_fast_ts(th, &tp->rcv_tsval, &tp->rcv_tsecr))
			return false;
		tp->rcv_saw_ts = true;
		if ((int32_t)(tp->rcv_tsval - tp->ts_recent) < 0)
			return false;
	} else if (hlen != 20) {
		return false;
	}
	uint32_t len = skb->len - hlen;

	if (len == 0) {
		if (tp->rcv_saw_ts && tp->rcv_wup == tp->rcv_nxt)
			tcp_store_ts_recent(tp);
		STACK_MIB_INC(stack, TcpExt_TCPPureAcks);
		(void)tcp_ack(tp, skb, NULL, 0);
		consume_skb(skb);
		tcp_data_snd_check(tp);
		return true;
	}
	if (len > tcp_receive_window(tp) || (tp->sk.shutdown & SHUTDOWN_RCV) || !tcp_rmem_ok(tp))
		return false;
	if (tp->rcv_saw_ts && tp->rcv_wup == tp->rcv_nxt)
		tcp_store_ts_recent(tp);
	STACK_MIB_INC(stack, TcpExt_TCPHPHits);
	/* Any other ACK field than the usual one, and a window update, are looked at before the text is queued, as in step 5. */
	if (cb->rx.ack_seq != tp->snd_una || (cb->rx.window << tp->snd_wscale) != tp->snd_wnd)
		(void)tcp_ack(tp, skb, NULL, FLAG_DATA);
	else
		tp->snd_wl1 = cb->seq; /* or it would lie behind, and half the sequence space later window updates would look old */
	skb_pull(skb, hlen);
	tcp_queue_inorder(tp, skb);
	if (tp->send_head || tp->sk.nospace)
		tcp_data_snd_check(tp);
	tcp_ack_snd_check(tp);
	return true;
}

void tcp_rcv_segment(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_hdr *th = tcp_hdr_of(skb);
	struct tcp_options opt;

	tp->segs_in += skb->gso_segs ? skb->gso_segs : 1;
	if (skb->len > tcp_hdrlen(th))
		tp->data_segs_in += skb->gso_segs ? skb->gso_segs : 1;
	if (tcp_likely(tp->sk.state == SS_ESTABLISHED) && tcp_likely(fast_path(tp, skb)))
		return;
	if (tcp_unlikely(tcp_options_parse(th, &opt) < 0)) {
		kfree_skb(skb, SKB_DROP_TCP_OPTIONS);
		return;
	}
	tp->rcv_saw_ts = opt.saw_ts;
	tp->rcv_tsval = opt.tsval;
	tp->rcv_tsecr = opt.tsecr;
	switch (tp->sk.state) {
	case SS_SYN_SENT:
		rcv_syn_sent(tp, skb, &opt);
		return;
	case SS_CLOSE:
	case SS_LISTEN:
		kfree_skb(skb, SKB_DROP_TCP_CLOSE);
		return;
	default:
		if (validate(tp, skb))
			rcv_steps(tp, skb, &opt);
	}
}
