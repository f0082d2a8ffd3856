/* SPDX-License-Identifier: MIT */
/*
 * tcp_ack.c: the acknowledgement, RFC 9293 3.10.7.4 step 5, and what the sender concludes from it.
 *
 * Order of work in tcp_ack: is it acceptable (RFC 5961 section 5) - window update - SACK tagging - queue cleaning and RTT (RFC 6298, 7323) - recovery state
 * machine - cwnd - what is to be retransmitted goes.
 *
 * Recovery states (tcp_ca_state), and who leaves them:
 *   Open      -> Disorder on the first duplicate ACK or SACK; limited transmit (RFC 3042) follows from pipe, which leaves sacked bytes out
 *   Disorder  -> Recovery when a segment is known to be lost: reordering (3) segments sacked above it, or as many duplicate ACKs without SACK
 *   Recovery  -> Open when high_seq is acknowledged (RFC 6582, 6675); cwnd by proportional rate reduction (RFC 6937)
 *   any       -> Loss on a retransmission timeout; -> Open when high_seq is acknowledged or the timeout proves spurious
 * Undo. undo_marker remembers where the reduction began. It is taken back when every retransmission was reported as duplicate (DSACK, RFC 3708) or when
 * the ACK echoes a timestamp older than the first retransmission (Eifel, RFC 3522/4015).
 *
 * Without SACK, sacked_out stands for the segments that duplicate ACKs report (RFC 5681's window inflation, RFC 6582), one MSS each.
 *
 * Not done here: RACK-TLP (RFC 8985), F-RTO without timestamps (RFC 5682), ECN (RFC 3168).
 */
#include "tcp.h"
#include "neigh.h"

static inline uint32_t seg_len(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->end_seq - TCP_SKB_CB(skb)->seq; }

void tcp_set_ca_state(struct tcp_sock *tp, enum tcp_ca_state st)
{
	if (tp->ca_state != st && tp->ca->set_state)
		tp->ca->set_state(tp, st);
	tp->ca_state = st;
}

/* ---- round-trip time ----------------------------------------------------------------------------------------------------------------------- */

void tcp_set_rto(struct tcp_sock *tp)
{
	/* RFC 6298 (2.3), with the variance term no smaller than 200 ms: a delayed ACK must not look like a loss. */
	int64_t var = u32_max(tp->rttvar_us, (uint32_t)(TCP_RTO_MIN / NSEC_PER_USEC));
	ktime_t rto = ((int64_t)(tp->srtt_us >> 3) + var) * NSEC_PER_USEC;

	tp->rto = rto > TCP_RTO_MAX ? TCP_RTO_MAX : rto;
}

void tcp_rtt_sample(struct tcp_sock *tp, int64_t rtt_us)
{
	ktime_t now = tcp_stack(tp)->now;

	if (rtt_us < 1)
		rtt_us = 1;
	if (rtt_us > 600 * 1000000ll)
		rtt_us = 600 * 1000000ll;
	if (!tp->srtt_us) { /* (2.2) */
		tp->srtt_us = (uint32_t)rtt_us << 3;
		tp->rttvar_us = (uint32_t)rtt_us << 1;
	} else {
		int64_t err = rtt_us - (int64_t)(tp->srtt_us >> 3), dev = err < 0 ? -err : err;

		/* A sample far below the mean says that things got better: it must not raise the RTO by way of the variance. */
		if (!(err < 0 && dev > (int64_t)(tp->rttvar_us >> 2)))
			tp->rttvar_us = (uint32_t)((int64_t)tp->rttvar_us + dev - (int64_t)(tp->rttvar_us >> 2));
		else
			tp->rttvar_us = (uint32_t)((int64_t)tp->rttvar_us + (dev - (int64_t)(tp->rttvar_us >> 2)) / 8);
		tp->srtt_us = (uint32_t)((int64_t)tp->srtt_us + err);
		if (!tp->srtt_us)
			tp->srtt_us = 1;
	}
	if (!tp->min_rtt_us || rtt_us <= tp->min_rtt_us || now - tp->min_rtt_at > 300 * NSEC_PER_SEC) {
		tp->min_rtt_us = (uint32_t)rtt_us;
		tp->min_rtt_at = now;
	}
	tcp_set_rto(tp);
	tp->backoff = 0; /* RFC 6298 (5.7): a fresh sample ends the back-off */
}

/* Karn's rule: no sample from a segment that was sent twice, unless a timestamp tells which one is acknowledged. */
static int64_t update_rtt(struct tcp_sock *tp, const struct tcp_ack_result *res)
{
	ktime_t now = tcp_stack(tp)->now;
	int64_t rtt = -1;

	if (res->first_sent && !(res->flag & FLAG_RETRANS_ACKED))
		rtt = (now - res->first_sent) / NSEC_PER_USEC;
	else if (!res->first_sent && res->sack_sent && !(res->flag & FLAG_RETRANS_ACKED))
		rtt = (now - res->sack_sent) / NSEC_PER_USEC;
	/* A SYN-ACK may echo the first of several SYNs: no sample from that. */
	if (rtt < 0 && tp->tstamp_ok && tp->rcv_saw_ts && tp->rcv_tsecr && (res->flag & FLAG_ACKED) && !(res->flag & FLAG_SYN_ACKED)) {
		uint32_t d = tcp_ts_now(tcp_stack(tp)) + tp->ts_off - tp->rcv_tsecr;

		if (d < UINT32_C(0x7fffffff) / 1000)
			rtt = d ? (int64_t)d * 1000 : 1000;
	}
	if (rtt >= 0)
		tcp_rtt_sample(tp, rtt);
	if (res->last_sent && !(res->flag & FLAG_RETRANS_ACKED))
		return (now - res->last_sent) / NSEC_PER_USEC;
	return rtt;
}

/* RFC 6298 (5.2), (5.3): called only when new data was acknowledged or first data sent. */
void tcp_rearm_rto(struct tcp_sock *tp)
{
	if (!tcp_out(tp))
		tcp_rtx_timer_stop(tp);
	else
		tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, tp->rto);
}

/* ---- window -------------------------------------------------------------------------------------------------------------------------------- */

static int update_window(struct tcp_sock *tp, const struct sk_buff *skb, uint32_t ack, uint32_t prior_una)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t win = cb->rx.window;
	int flag = 0;

	if (!(cb->flags & TCPHDR_SYN))
		win <<= tp->snd_wscale;
	/* RFC 9293 3.10.7.4: SND.WL1, SND.WL2 keep old segments from changing the window. */
	if (after(ack, prior_una) || after(cb->seq, tp->snd_wl1) || (cb->seq == tp->snd_wl1 && win > tp->snd_wnd)) {
		tp->snd_wl1 = cb->seq;
		if (tp->snd_wnd != win) {
			flag = FLAG_WIN_UPDATE;
			tp->snd_wnd = win;
			if (win > tp->max_window) {
				tp->max_window = win;
				tcp_sync_mss(tp, tp->pmtu);
			}
		}
	}
	return flag;
}

/* The window changed while nothing is in flight and something waits: probing goes on, or ends. */
static void ack_probe(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->send_head;

	if (!skb)
		return;
	if (!after(TCP_SKB_CB(skb)->seq + u32_min(skb->len, tp->mss), tcp_wnd_end(tp))) {
		tp->backoff = 0;
		tp->probes_since = 0;
		if (tp->rtx_kind == TCP_TIMER_PROBE0)
			tcp_rtx_timer_stop(tp);
		/* The caller sends; and if it cannot for another reason, a probe timer is set then. */
	} else if (tp->rtx_kind == TCP_TIMER_NONE || tp->rtx_kind == TCP_TIMER_PROBE0) {
		tcp_rtx_timer_set(tp, TCP_TIMER_PROBE0, tcp_probe0_when(tp));
	}
}

/* ---- cleaning the send queue --------------------------------------------------------------------------------------------------------------- */

void tcp_rtx_unlink_free(struct tcp_sock *tp, struct sk_buff *skb)
{
	skb_unlink(&tp->wq, skb);
	tcp_wmem_sub(tp, skb->truesize);
	consume_skb(skb);
}

static void segment_acked(struct tcp_sock *tp, struct sk_buff *skb, uint32_t bytes, struct tcp_ack_result *res)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->sacked & TCPCB_EVER_RETRANS) {
		res->flag |= FLAG_RETRANS_ACKED;
	} else if (!(cb->sacked & TCPCB_SACKED_ACKED)) {
		if (!res->first_sent)
			res->first_sent = skb->tstamp;
		res->last_sent = skb->tstamp;
		/* A hole was filled by the original: the network reorders. What the same ACK sacks higher up says nothing: an ACK before it was lost. */
		if (res->prior_sacked && before(cb->seq, res->prior_high) && (!res->reordered || before(cb->seq, res->reord))) {
			res->reord = cb->seq;
			res->reordered = true;
		}
		if (!after(cb->end_seq, tp->high_seq))
			res->flag |= FLAG_ORIG_SACK_ACKED;
	}
	if (!(cb->sacked & TCPCB_SACKED_ACKED)) {
		tp->delivered += bytes;
		res->delivered += bytes;
		tcp_rate_delivered(skb, &res->rate);
	}
	if (cb->flags & TCPHDR_SYN) {
		res->flag |= FLAG_SYN_ACKED;
		tp->retrans_stamp = 0;
	} else {
		res->flag |= FLAG_DATA_ACKED;
	}
}

static void clean_rtx_queue(struct tcp_sock *tp, struct tcp_ack_result *res)
{
	struct sk_buff *skb;

	while ((skb = skb_peek(&tp->wq)) && skb != tp->send_head) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (after(cb->end_seq, tp->snd_una)) {
			if (after(tp->snd_una, cb->seq)) { /* in part; the FIN behind the data stays */
				uint32_t n = u32_min(tp->snd_una - cb->seq, skb->len);

				segment_acked(tp, skb, n, res);
				tcp_skb_pull_front(tp, skb, n);
			}
			break;
		}
		segment_acked(tp, skb, seg_len(skb), res);
		tcp_scoreboard_forget(tp, skb, seg_len(skb));
		tcp_rtx_unlink_free(tp, skb);
	}
	/* RFC 2018 section 8: a peer that acknowledges up to a segment which it had sacked must have thrown it away. */
	if (skb && skb != tp->send_head && (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED) && (res->flag & FLAG_SND_UNA_ADVANCED))
		res->flag |= FLAG_SACK_RENEGING;
	if (tp->urg_mode && !before(tp->snd_una, tp->snd_up))
		tp->urg_mode = false;
}

/* ---- duplicate ACKs without SACK ------------------------------------------------------------------------------------------------------------ */

static void reno_reset(struct tcp_sock *tp)
{
	tp->sacked_out = 0;
	tp->dupacks = 0;
}

static void reno_dupack(struct tcp_sock *tp, struct tcp_ack_result *res)
{
	uint32_t out = tcp_out(tp), lost = u32_max(tp->lost_out, 1);

	if (tp->dupacks < UINT8_MAX)
		tp->dupacks++;
	/* Never more than what may have arrived. */
	tp->sacked_out = u32_min(tp->sacked_out + tp->mss, out > lost ? out - lost : 0);
	tp->delivered += tp->mss;
	res->delivered += tp->mss; /* RFC 6937 section 2: DeliveredData of a duplicate is one segment */
}

static void reno_acked(struct tcp_sock *tp, uint32_t acked, struct tcp_ack_result *res)
{
	/* The first segment was the missing one; the others had been reported by duplicates. */
	uint32_t known = acked > tp->mss ? acked - tp->mss : 0, twice = u32_min(u32_min(known, tp->sacked_out), res->delivered);

	res->delivered -= twice; /* counted with the duplicates */
	tp->delivered -= twice;
	tp->sacked_out = tp->sacked_out > known ? tp->sacked_out - known : 0;
	tp->sacked_out = u32_min(tp->sacked_out, tcp_out(tp));
}

static void mark_head_lost(struct tcp_sock *tp)
{
	struct sk_buff *skb = skb_peek(&tp->wq);

	if (!skb || skb == tp->send_head || (TCP_SKB_CB(skb)->sacked & (TCPCB_LOST | TCPCB_SACKED_ACKED)))
		return;
	if (skb->len > tp->mss) {
		skb = tcp_split(tp, skb, tp->mss);
		if (!skb)
			return;
	}
	tcp_mark_skb_lost(tp, skb);
}

/* ---- undo ---------------------------------------------------------------------------------------------------------------------------------- */

/* Eifel detection: the ACK was caused by what was sent before the first retransmission. */
static bool packet_delayed(const struct tcp_sock *tp)
{
	return tp->retrans_stamp && tp->tstamp_ok && tp->rcv_saw_ts && tp->rcv_tsecr && before(tp->rcv_tsecr, tp->retrans_stamp);
}

static bool may_undo(const struct tcp_sock *tp)
{
	return tp->undo_marker && (tp->undo_retrans == 0 || packet_delayed(tp));
}

static bool any_retrans_left(const struct tcp_sock *tp)
{
	const struct sk_buff *skb = skb_peek(&tp->wq);

	return tp->retrans_out || (skb && skb != tp->send_head && (TCP_SKB_CB(skb)->sacked & TCPCB_EVER_RETRANS));
}

static void undo_reduction(struct tcp_sock *tp, bool unmark)
{
	struct sk_buff *skb;

	if (unmark) {
		skb_queue_walk(&tp->wq, skb) {
			if (skb == tp->send_head)
				break;
			if (TCP_SKB_CB(skb)->sacked & TCPCB_LOST) {
				TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_LOST;
				tp->lost_out -= seg_len(skb);
			}
		}
		tp->retx_hint = NULL;
		tp->lost_hint = NULL;
		tp->lost_hint_sacked = 0;
	}
	if (tp->prior_ssthresh) {
		tp->cwnd = u32_max(tp->cwnd, tp->ca->undo_cwnd(tp));
		if (tp->prior_ssthresh > tp->ssthresh)
			tp->ssthresh = tp->prior_ssthresh;
	}
	tp->cwnd_stamp = tcp_stack(tp)->now;
	tp->undo_marker = 0;
}

static void end_reduction(struct tcp_sock *tp)
{
	if (tp->ssthresh < TCP_INFINITE_SSTHRESH && (tp->undo_marker || tp->ca_state == TCP_CA_CWR)) {
		tp->cwnd = tp->ssthresh;
		tp->cwnd_stamp = tcp_stack(tp)->now;
	}
}

/* high_seq is acknowledged. True: stay as we are (RFC 6582 section 4.1, duplicates of the old window are still about). */
static bool try_undo_recovery(struct tcp_sock *tp)
{
	if (may_undo(tp))
		undo_reduction(tp, false);
	if (tp->snd_una == tp->high_seq && !tp->sack_ok) {
		tp->cwnd = u32_min(tp->cwnd, u32_max(tcp_in_flight(tp) + 3 * tp->mss, 2 * tp->mss));
		if (!any_retrans_left(tp))
			tp->retrans_stamp = 0;
		return true;
	}
	tcp_set_ca_state(tp, TCP_CA_Open);
	return false;
}

static void try_undo_dsack(struct tcp_sock *tp)
{
	if (tp->undo_marker && tp->undo_retrans == 0)
		undo_reduction(tp, false);
}

static void try_to_open(struct tcp_sock *tp)
{
	bool left = any_retrans_left(tp);
	enum tcp_ca_state st = tp->sacked_out || tp->lost_out || left ? TCP_CA_Disorder : TCP_CA_Open;

	if (!left)
		tp->retrans_stamp = 0;
	if (tp->ca_state == TCP_CA_CWR)
		return;
	if (tp->ca_state != st) {
		tcp_set_ca_state(tp, st);
		tp->high_seq = tp->snd_nxt;
	}
}

/* ---- entering ------------------------------------------------------------------------------------------------------------------------------ */

static void init_undo(struct tcp_sock *tp)
{
	tp->undo_marker = tp->snd_una;
	if (!tp->undo_marker)
		tp->undo_marker = 1;
	tp->undo_retrans = tp->retrans_out ? (int32_t)((tp->retrans_out + tp->mss - 1) / tp->mss) : -1;
}

static void enter_recovery(struct tcp_sock *tp)
{
	if (tp->sack_ok)
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPSackRecovery);
	else
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPRenoRecovery);
	init_undo(tp);
	tp->high_seq = tp->snd_nxt;
	tp->rescue_done = false;
	if (tp->ca_state < TCP_CA_CWR) {
		tp->prior_ssthresh = tp->ssthresh;
		tp->prior_cwnd = tp->cwnd;
		tp->prr_delivered = tp->prr_out = 0;
		tp->ssthresh = u32_max(tp->ca->ssthresh(tp), 2 * tp->mss);
	}
	tp->cwnd_cnt = 0;
	tcp_set_ca_state(tp, TCP_CA_Recovery);
}

/* RFC 5681 (4), RFC 6298 (5.4)ff: a timeout. Everything in flight is taken for lost; what was sacked stays so unless the peer reneged. */
void tcp_enter_loss(struct tcp_sock *tp)
{
	struct sk_buff *skb, *head = skb_peek(&tp->wq);

	if (tp->ca_state <= TCP_CA_Disorder || !after(tp->high_seq, tp->snd_una) || (tp->ca_state == TCP_CA_Loss && !tp->retransmits)) {
		tp->prior_ssthresh = tp->ssthresh;
		tp->prior_cwnd = tp->cwnd;
		tp->ssthresh = u32_max(tp->ca->ssthresh(tp), 2 * tp->mss);
		init_undo(tp);
	}
	if (tp->sack_ok && head && head != tp->send_head && (TCP_SKB_CB(head)->sacked & TCPCB_SACKED_ACKED)) {
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPSACKReneging);
		tcp_scoreboard_reset(tp);
	}
	if (!tp->sack_ok)
		reno_reset(tp);
	tp->lost_out = tp->retrans_out = 0;
	tp->retx_hint = tp->lost_hint = NULL;
	tp->lost_hint_sacked = 0;
	skb_queue_walk(&tp->wq, skb) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (skb == tp->send_head)
			break;
		cb->sacked &= (uint8_t)~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
		tcp_mark_skb_lost(tp, skb);
	}
	/* With a reordering threshold learned too high, a timeout is what one gets. */
	if (tp->ca_state <= TCP_CA_Disorder && tp->sacked_segs >= (uint32_t)tcp_stack(tp)->sysctl->tcp_reordering)
		tp->reordering = u32_min(tp->reordering, (uint32_t)tcp_stack(tp)->sysctl->tcp_reordering);
	tp->cwnd = tcp_in_flight(tp) + tp->mss;
	tp->cwnd_cnt = 0;
	tp->cwnd_stamp = tcp_stack(tp)->now;
	tp->dupacks = 0;
	tcp_set_ca_state(tp, TCP_CA_Loss);
	tp->high_seq = tp->snd_nxt;
}

/* The path MTU fell below what was sent: those segments are gone, but not for congestion (RFC 1191 6.3, RFC 9293 3.7.5). */
void tcp_simple_retransmit(struct tcp_sock *tp)
{
	struct sk_buff *skb;
	bool any = false;

	skb_queue_walk(&tp->wq, skb) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (skb == tp->send_head)
			break;
		if (skb->len <= tp->mss || (cb->sacked & TCPCB_SACKED_ACKED))
			continue;
		if (cb->sacked & TCPCB_SACKED_RETRANS) {
			cb->sacked &= (uint8_t)~TCPCB_SACKED_RETRANS;
			tp->retrans_out -= seg_len(skb);
		}
		if (cb->sacked & TCPCB_LOST) {
			if (!tp->retx_hint || before(cb->seq, TCP_SKB_CB(tp->retx_hint)->seq))
				tp->retx_hint = skb;
		} else {
			tcp_mark_skb_lost(tp, skb);
		}
		any = true;
	}
	tp->lost_hint = NULL;
	tp->lost_hint_sacked = 0;
	if (!any)
		return;
	if (!tp->sack_ok)
		tp->sacked_out = u32_min(tp->sacked_out, tcp_out(tp) - tp->lost_out);
	if (tp->ca_state != TCP_CA_Loss) {
		tp->high_seq = tp->snd_nxt;
		tp->ssthresh = u32_max(u32_min(tp->ssthresh, tp->cwnd), 2 * tp->mss);
		tp->prior_ssthresh = 0;
		tp->undo_marker = 0;
		tcp_set_ca_state(tp, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(tp);
}

/* ---- the recovery state machine ------------------------------------------------------------------------------------------------------------- */

static bool time_to_recover(const struct tcp_sock *tp)
{
	if (tp->lost_out)
		return true;
	return !tp->sack_ok && tp->dupacks >= tp->reordering;
}

static void find_losses(struct tcp_sock *tp, struct tcp_ack_result *res)
{
	if (!tp->sack_ok) {
		if (tp->dupacks >= tp->reordering)
			mark_head_lost(tp);
	} else if (tcp_mark_lost(tp)) {
		res->flag |= FLAG_LOST_RETRANS;
	}
}

/* In Loss. True: it is over. */
static bool process_loss(struct tcp_sock *tp, bool dupack, struct tcp_ack_result *res)
{
	bool recovered = !before(tp->snd_una, tp->high_seq);

	if ((res->flag & FLAG_SND_UNA_ADVANCED) && may_undo(tp)) { /* the timeout was spurious */
		undo_reduction(tp, true);
		tp->retransmits = 0;
		if (recovered || tp->sack_ok)
			tcp_set_ca_state(tp, TCP_CA_Open);
		return true;
	}
	if (recovered) {
		(void)try_undo_recovery(tp);
		return tp->ca_state == TCP_CA_Open;
	}
	if (!tp->sack_ok) {
		if (res->flag & FLAG_SND_UNA_ADVANCED)
			reno_reset(tp);
		else if (dupack && after(tp->snd_nxt, tp->high_seq))
			reno_dupack(tp, res);
	}
	return false;
}

static void recovery_step(struct tcp_sock *tp, uint32_t prior_una, bool dupack, struct tcp_ack_result *res)
{
	bool advanced = res->flag & FLAG_SND_UNA_ADVANCED;

	if (!tcp_out(tp))
		tp->sacked_out = 0;
	if (res->flag & FLAG_SACK_RENEGING) {
		/* Not at once: the rest of the ACKs may be on the way. Soon: everything sacked may be gone. */
		ktime_t d = (ktime_t)(tp->srtt_us >> 4) * NSEC_PER_USEC;

		tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, d > 10 * NSEC_PER_MSEC ? d : 10 * NSEC_PER_MSEC);
		return;
	}
	if (tp->ca_state == TCP_CA_Open) {
		tp->retrans_stamp = 0;
	} else if (!before(tp->snd_una, tp->high_seq)) {
		if (tp->ca_state == TCP_CA_CWR && tp->snd_una != tp->high_seq) {
			end_reduction(tp);
			tcp_set_ca_state(tp, TCP_CA_Open);
		} else if (tp->ca_state == TCP_CA_Recovery) {
			if (!tp->sack_ok)
				reno_reset(tp);
			end_reduction(tp);
			if (try_undo_recovery(tp))
				return;
		}
	}
	switch (tp->ca_state) {
	case TCP_CA_Recovery:
		if (!advanced) {
			if (!tp->sack_ok && dupack)
				reno_dupack(tp, res);
		} else {
			if (!tp->sack_ok) {
				reno_acked(tp, tp->snd_una - prior_una, res);
				mark_head_lost(tp); /* RFC 6582 3.2 step 3: a partial ACK shows the next hole */
			}
			if (tp->undo_marker && packet_delayed(tp)) { /* the first original arrived after all */
				undo_reduction(tp, true);
				tp->retrans_stamp = any_retrans_left(tp) ? tp->retrans_stamp : 0;
				tcp_set_ca_state(tp, TCP_CA_Open);
				try_to_open(tp);
				return;
			}
		}
		try_undo_dsack(tp);
		break;
	case TCP_CA_Loss:
		if (process_loss(tp, dupack, res) && tp->ca_state == TCP_CA_Open)
			try_to_open(tp);
		if (tp->ca_state == TCP_CA_Loss && tp->sack_ok)
			find_losses(tp, res);
		return;
	default:
		if (!tp->sack_ok) {
			if (advanced)
				reno_reset(tp);
			if (dupack)
				reno_dupack(tp, res);
		}
		if (tp->ca_state <= TCP_CA_Disorder)
			try_undo_dsack(tp);
		if (tp->sack_ok)
			find_losses(tp, res);
		if (!time_to_recover(tp)) {
			try_to_open(tp);
			return;
		}
		enter_recovery(tp);
		break;
	}
	find_losses(tp, res);
}

/* RFC 6937 */
static void prr_cwnd(struct tcp_sock *tp, uint32_t newly, const struct tcp_ack_result *res, bool lost_now)
{
	uint32_t flight = tcp_in_flight(tp);
	int64_t sndcnt;

	if (!newly || !tp->prior_cwnd)
		return;
	tp->prr_delivered += newly;
	if (flight > tp->ssthresh) {
		sndcnt = (int64_t)(((uint64_t)tp->ssthresh * tp->prr_delivered + tp->prior_cwnd - 1) / tp->prior_cwnd) - tp->prr_out;
	} else {
		int64_t limit = (int64_t)tp->prr_delivered - tp->prr_out;

		if (limit < newly)
			limit = newly;
		if ((res->flag & FLAG_SND_UNA_ADVANCED) && !lost_now)
			limit += tp->mss; /* slow start part of the reduction bound */
		sndcnt = (int64_t)tp->ssthresh - flight;
		if (sndcnt > limit)
			sndcnt = limit;
	}
	if (!tp->prr_out && sndcnt < tp->mss)
		sndcnt = tp->mss; /* the fast retransmit itself goes in any case */
	if (sndcnt < 0)
		sndcnt = 0;
	tp->cwnd = flight + (uint32_t)sndcnt;
	if (tp->cwnd < tp->mss)
		tp->cwnd = tp->mss;
}

static void cong_control(struct tcp_sock *tp, uint32_t acked, struct tcp_ack_result *res)
{
	if (tcp_in_cwnd_reduction(tp)) {
		prr_cwnd(tp, res->delivered, res, res->flag & FLAG_LOST_RETRANS);
	} else if ((res->flag & FLAG_DATA_ACKED) && acked && tcp_is_cwnd_limited(tp)) {
		tp->ca->cong_avoid(tp, acked);
		tp->cwnd_stamp = tcp_stack(tp)->now;
	}
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------------------- */

static void replace_ts_recent(struct tcp_sock *tp, uint32_t seq)
{
	/* RFC 7323 4.3 (2): only from a segment that spans Last.ACK.sent, and never backwards unless it is very old. */
	if (tp->rcv_saw_ts && tp->tstamp_ok && !after(seq, tp->rcv_wup)) {
		if ((int32_t)(tp->rcv_tsval - tp->ts_recent) >= 0 ||
		    tcp_stack(tp)->now - tp->ts_recent_at > (ktime_t)TCP_PAWS_24DAYS_MS * NSEC_PER_MSEC)
			tcp_store_ts_recent(tp);
	}
}

static int old_ack(struct tcp_sock *tp, uint32_t ack, const struct tcp_options *opt, struct tcp_ack_result *res)
{
	uint32_t prior_una = tp->snd_una;

	/* RFC 5961 5.2: older than the largest window is not ours. */
	if (before(ack, prior_una - u32_max(tp->max_window, 1))) {
		tcp_send_challenge_ack(tp);
		return -1;
	}
	if (opt && opt->nsacks && tp->sack_ok && tcp_out(tp)) {
		tcp_sacktag(tp, opt, res);
		tcp_update_reordering(tp, res);
		recovery_step(tp, prior_una, false, res);
		if (tcp_in_cwnd_reduction(tp))
			prr_cwnd(tp, res->delivered, res, false);
		tcp_xmit_retransmit_queue(tp);
	}
	return 0;
}

int tcp_ack(struct tcp_sock *tp, const struct sk_buff *skb, const struct tcp_options *opt, int flag)
{
	struct stack *stack = tcp_stack(tp);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct tcp_ack_result res = { .flag = flag, .prior_high = tp->highest_sack, .prior_sacked = tp->sack_ok && tp->sacked_out };
	uint32_t prior_una = tp->snd_una, ack = cb->rx.ack_seq, prior_out = tcp_out(tp), acked;

	if (before(ack, prior_una))
		return old_ack(tp, ack, opt, &res);
	if (tcp_unlikely(after(ack, tp->snd_nxt)))
		return -1;
	if (after(ack, prior_una)) {
		res.flag |= FLAG_SND_UNA_ADVANCED;
		tp->retransmits = 0;
		tp->retrans_since = 0;
	}
	if (flag & FLAG_UPDATE_TS)
		replace_ts_recent(tp, cb->seq);
	if (cb->end_seq != cb->seq)
		res.flag |= FLAG_DATA;
	acked = ack - prior_una;
	res.flag |= update_window(tp, skb, ack, prior_una);
	tp->bytes_acked += acked;
	tp->snd_una = ack;
	if (tcp_unlikely(opt && opt->nsacks) && tp->sack_ok && prior_out)
		tcp_sacktag(tp, opt, &res);
	tp->sk.err_soft = 0;
	tp->probes_out = 0; /* it answers: RFC 1122 4.2.2.17, a zero window may last for ever */
	tp->keep_probes_out = 0;
	tp->last_ack_rcv = stack->now;
	if (!prior_out) {
		if (res.flag & FLAG_DSACKING)
			recovery_step(tp, prior_una, false, &res);
		ack_probe(tp);
		return 1;
	}
	bool plain = !(res.flag & (FLAG_DATA | FLAG_WIN_UPDATE | FLAG_SND_UNA_ADVANCED | FLAG_DATA_SACKED)); /* RFC 5681 section 2: a duplicate */

	clean_rtx_queue(tp, &res);
	if (tcp_unlikely(res.reordered))
		tcp_update_reordering(tp, &res);
	int64_t rtt_us = -1;

	if (res.flag & (FLAG_ACKED | FLAG_DATA_SACKED))
		rtt_us = update_rtt(tp, &res);
	if (res.flag & FLAG_SND_UNA_ADVANCED) {
		tcp_rearm_rto(tp);
		neigh_confirm(stack, tp->sk.rt.dev ? tp->sk.rt.dev->ifindex : 0, &tp->sk.rt.nexthop);
	}
	if (rtt_us >= 0 && tp->ca->pkts_acked)
		tp->ca->pkts_acked(tp, rtt_us);
	bool was_limited_free = tp->ca_state == TCP_CA_Open && !tp->sacked_out && !tp->lost_out;

	if (tcp_unlikely(plain || !was_limited_free || (res.flag & (FLAG_DATA_SACKED | FLAG_DSACKING | FLAG_SACK_RENEGING))))
		recovery_step(tp, prior_una, plain && !tp->sack_ok, &res);
	tcp_rate_sample(tp, &res.rate);
	cong_control(tp, acked, &res);
	if (tcp_unlikely(tp->lost_out || tp->ca_state == TCP_CA_Recovery))
		tcp_xmit_retransmit_queue(tp);
	if (!tcp_out(tp)) {
		tcp_chrono(tp, 0);
		ack_probe(tp);
	}
	return 1;
}
