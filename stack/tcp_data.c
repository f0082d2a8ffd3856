/* SPDX-License-Identifier: MIT */
/*
 * tcp_data.c: RFC 9293 3.10.7.4 steps 6 to 8 - the urgent pointer (RFC 6093), text, FIN - and the receive buffer behind them.
 *
 * Buffer. rmem counts truesize; the window we offer counts payload. rcv_ratio, payload per 256 bytes of truesize as observed, converts. rcv_ssthresh limits
 * what is offered while there is no evidence yet that segments are full. The buffer grows with the rate at which the application reads (dynamic
 * right-sizing: twice what it copied in a round trip), up to tcp_rmem_max, unless SO_RCVBUF was set.
 *
 * When memory is short: small buffers are copied together, then out-of-order text is given up from its far end; text in order is refused last, and never when
 * the queue is empty, so that a connection always makes progress.
 */
#include "tcp.h"

/* ---- buffer -------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t tcp_win_from_space(const struct tcp_sock *tp, uint32_t space) { return (uint32_t)((uint64_t)space * tp->rcv_ratio >> 8); }
static uint32_t space_from_win(const struct tcp_sock *tp, uint64_t win)
{
	uint64_t s = (win << 8) / tp->rcv_ratio;

	return s > INT32_MAX ? INT32_MAX : (uint32_t)s;
}

uint32_t tcp_full_space(const struct tcp_sock *tp) { return tcp_win_from_space(tp, tp->sk.rcvbuf); }

uint32_t tcp_space(const struct tcp_sock *tp)
{
	return tp->sk.rmem < tp->sk.rcvbuf ? tcp_win_from_space(tp, tp->sk.rcvbuf - tp->sk.rmem) : 0;
}

uint32_t tcp_receive_window(const struct tcp_sock *tp)
{
	int32_t w = (int32_t)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);

	return w > 0 ? (uint32_t)w : 0;
}

void tcp_init_buffer_space(struct tcp_sock *tp)
{
	uint32_t full = tcp_full_space(tp);

	tp->window_clamp = u32_min(tp->window_clamp, u32_max(full, 2u * tp->advmss));
	tp->rcv_ssthresh = u32_min(u32_max(tp->rcv_wnd, tp->rcv_ssthresh), tp->window_clamp);
	tp->rcvq_space = u32_min(tp->rcv_wnd, TCP_INIT_CWND * tp->advmss);
	if (!tp->rcvq_space)
		tp->rcvq_space = tp->advmss;
	tp->rcvq_seq = tp->copied_seq;
	tp->rcvq_time = tp->rcv_rtt_time = tcp_stack(tp)->now;
	tp->rcv_rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
}

/* Copies the segments of the receive queue together where they waste more than half of their memory. */
static void tcp_collapse(struct tcp_sock *tp)
{
	struct sk_buff_head old, *q = &tp->sk.rcvq;
	struct sk_buff *skb, *into = NULL;
	uint32_t waste = 0;

	skb_queue_walk(q, skb)
		if (skb->len < skb->truesize / 2)
			waste += skb->len;
	skb_queue_init(&old);
	skb_queue_splice_tail(q, &old);
	while ((skb = skb_dequeue(&old))) {
		bool small = skb->len < skb->truesize / 2;

		if (small && (!into || skb_tailroom(into) < skb->len)) {
			uint32_t room = u32_min(u32_max(waste, skb->len), 32768);

			into = alloc_skb(tcp_stack(tp)->pool, room, 0);
			if (into && into->truesize - u32_min(room, waste) < skb->truesize * 2u) {
				*TCP_SKB_CB(into) = *TCP_SKB_CB(skb);
				TCP_SKB_CB(into)->end_seq = TCP_SKB_CB(skb)->seq;
				tcp_rmem_add(tp, into->truesize);
				skb_queue_tail(q, into);
			} else if (into) {
				consume_skb(into);
				into = NULL;
			}
		}
		if (small && into) {
			(void)skb_copy_bits(skb, 0, skb_put(into, skb->len), skb->len);
			TCP_SKB_CB(into)->end_seq += skb->len;
			waste -= skb->len;
			tcp_rmem_sub(tp, skb->truesize);
			consume_skb(skb);
			STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPRcvCollapsed);
			continue;
		}
		into = NULL;
		skb_queue_tail(q, skb);
	}
}

static bool may_grow(const struct tcp_sock *tp)
{
	const struct sysctl_values *sc = tcp_stack(tp)->sysctl;

	return !(tp->sk.userlocks & 2) && tp->sk.rcvbuf < (uint32_t)sc->tcp_rmem_max && !tcp_mem_pressure(tcp_stack(tp));
}

static bool prune(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	STACK_MIB_INC(stack, TcpExt_PruneCalled);
	if (may_grow(tp)) /* the estimate of overhead was too low: the promise of the window comes first */
		tp->sk.rcvbuf = u32_min(u32_max(tp->sk.rmem + 4096, tp->sk.rcvbuf), (uint32_t)stack->sysctl->tcp_rmem_max);
	else
		tp->rcv_ssthresh = u32_min(tp->rcv_ssthresh, 4u * tp->advmss);
	if (tp->sk.rmem <= tp->sk.rcvbuf && !tcp_mem_over(stack))
		return true;
	tcp_collapse(tp);
	if (tp->sk.rmem <= tp->sk.rcvbuf && !tcp_mem_over(stack))
		return true;
	while (tcp_ofo_prune(tp))
		if (tp->sk.rmem <= tp->sk.rcvbuf && !tcp_mem_over(stack))
			return true;
	STACK_MIB_INC(stack, TcpExt_RcvPruned);
	return false;
}

bool tcp_rmem_ok(struct tcp_sock *tp)
{
	if (tcp_likely(tp->sk.rmem <= tp->sk.rcvbuf && !tcp_mem_over(tcp_stack(tp))))
		return true;
	return prune(tp);
}

/* ---- what an arrival teaches ------------------------------------------------------------------------------------------------------------------ */

static void tcp_grow_window(struct tcp_sock *tp, const struct sk_buff *skb)
{
	uint32_t room = u32_min(tp->window_clamp, tcp_space(tp));

	if (tp->rcv_ssthresh >= room || tcp_mem_pressure(tcp_stack(tp)))
		return;
	tp->rcv_ssthresh += u32_min(room - tp->rcv_ssthresh, u32_max(2u * tp->advmss, 2u * skb->len));
	if (!tp->quick)
		tp->quick = 1;
}

static void rcv_rtt_update(struct tcp_sock *tp, ktime_t sample, bool by_window)
{
	uint32_t m = sample > 0 ? (uint32_t)(sample / NSEC_PER_USEC) : 1;

	if (m == 0)
		m = 1;
	if (!tp->rcv_rtt_us)
		tp->rcv_rtt_us = m << 3;
	else if (!by_window)
		tp->rcv_rtt_us = tp->rcv_rtt_us - (tp->rcv_rtt_us >> 3) + m;
	else if (m << 3 < tp->rcv_rtt_us)
		tp->rcv_rtt_us = m << 3; /* a window took that long at most */
}

static void measure_rcv_rtt(struct tcp_sock *tp, const struct sk_buff *skb)
{
	struct stack *stack = tcp_stack(tp);

	if (tp->rcv_saw_ts && tp->rcv_tsecr && tp->rcv_tsecr != tp->rcv_rtt_last_tsecr && skb->len >= tp->rcv_mss) {
		uint32_t d = tcp_ts_now(stack) + tp->ts_off - tp->rcv_tsecr;

		tp->rcv_rtt_last_tsecr = tp->rcv_tsecr;
		if (d < 60000)
			rcv_rtt_update(tp, (ktime_t)(d ? d : 1) * NSEC_PER_MSEC, false);
	}
	if (!before(tp->rcv_nxt, tp->rcv_rtt_seq)) {
		if (!tp->tstamp_ok)
			rcv_rtt_update(tp, stack->now - tp->rcv_rtt_time, true);
		tp->rcv_rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
		tp->rcv_rtt_time = stack->now;
	}
}

static void measure_segment(struct tcp_sock *tp, const struct sk_buff *skb)
{
	uint32_t len = skb->gso_size ? skb->gso_size : skb->len;

	if (len >= tp->rcv_mss) {
		tp->rcv_mss = u32_max(u32_min(len, tp->advmss), TCP_MIN_MSS);
		uint32_t ratio = (uint32_t)((uint64_t)skb->len * 256 / skb->truesize);

		tp->rcv_ratio = (uint16_t)(ratio < 8 ? 8 : ratio > 240 ? 240 : ratio);
	} else if (len >= 88 && (TCP_SKB_CB(skb)->flags & TCPHDR_PSH) && tp->rcv_mss > TCP_MSS_DEFAULT && len * 4 > tp->rcv_mss * 3) {
		tp->rcv_mss = len; /* a peer with slightly smaller segments: SACK options, a tunnel */
	}
	if (len < tp->rcv_mss && (TCP_SKB_CB(skb)->flags & TCPHDR_PSH))
		tp->ack_flags |= TCP_ACK_PUSHED;
}

static void tcp_event_data_recv(struct tcp_sock *tp, struct sk_buff *skb)
{
	ktime_t now = tcp_stack(tp)->now;

	tp->ack_flags |= TCP_ACK_SCHED;
	measure_segment(tp, skb);
	measure_rcv_rtt(tp, skb);
	if (!tp->ato) {
		tcp_incr_quickack(tp, TCP_MAX_QUICKACKS); /* slow start at the other end wants ACKs */
		tp->ato = TCP_DELACK_MIN;
	} else {
		ktime_t m = now - tp->lrcvtime;

		if (m <= TCP_DELACK_MIN / 2) {
			tp->ato = tp->ato / 2 + TCP_DELACK_MIN / 2;
		} else if (m < tp->ato) {
			tp->ato = tp->ato / 2 + m;
			if (tp->ato > tp->rto)
				tp->ato = tp->rto;
		} else if (m > tp->rto) {
			tcp_enter_quickack(tp, TCP_MAX_QUICKACKS); /* after a pause: the peer may have restarted from a small window */
		}
	}
	tp->lrcvtime = now;
	if (skb->len >= 128)
		tcp_grow_window(tp, skb);
}

void tcp_rcv_space_adjust(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	ktime_t rtt = (ktime_t)(tp->rcv_rtt_us >> 3) * NSEC_PER_USEC;

	if (!tp->rcv_rtt_us || stack->now - tp->rcvq_time < rtt)
		return;
	uint32_t copied = tp->copied_seq - tp->rcvq_seq;

	if (copied > tp->rcvq_space) {
		if (stack->sysctl->tcp_moderate_rcvbuf && may_grow(tp)) {
			uint64_t win = ((uint64_t)copied << 1) + 16u * tp->advmss, grow = win * (copied - tp->rcvq_space);

			win += grow / tp->rcvq_space << 1;
			uint32_t buf = u32_min(space_from_win(tp, win), (uint32_t)stack->sysctl->tcp_rmem_max);

			if (buf > tp->sk.rcvbuf) {
				tp->sk.rcvbuf = buf;
				tp->window_clamp = u32_min(tcp_win_from_space(tp, buf), 65535u << tp->rcv_wscale);
			}
		}
		tp->rcvq_space = copied;
	}
	tp->rcvq_seq = tp->copied_seq;
	tp->rcvq_time = stack->now;
}

/* ---- step 6: urgent -------------------------------------------------------------------------------------------------------------------------- */

/* The pointer stands behind the urgent byte, as all implementations have it (RFC 6093 section 3.1). */
static void check_urg(struct tcp_sock *tp, const struct tcp_skb_cb *cb)
{
	uint32_t ptr = cb->rx.urg_ptr;

	if (!ptr)
		return; /* no urgent byte in front of it */
	ptr += cb->seq - 1;
	if (after(tp->copied_seq, ptr) || before(ptr, tp->rcv_nxt))
		return; /* old */
	if (tp->urg_data && !after(ptr, tp->urg_seq))
		return;
	sk_wake(&tp->sk, EPOLLPRI);
	/* The old urgent byte was never read and the next is here: it is skipped as read urgent bytes are, or it would turn into ordinary text. */
	if (tp->urg_seq == tp->copied_seq && tp->urg_data && !tp->sk.oobinline && tp->copied_seq != tp->rcv_nxt) {
		struct sk_buff *skb = skb_peek(&tp->sk.rcvq);

		tp->copied_seq++;
		if (skb && skb->len) {
			skb_pull(skb, 1);
			TCP_SKB_CB(skb)->seq++;
			if (!skb->len) {
				skb_unlink(&tp->sk.rcvq, skb);
				tcp_rmem_sub(tp, skb->truesize);
				consume_skb(skb);
			}
		}
	}
	tp->urg_data = TCP_URG_NOTYET;
	tp->urg_seq = ptr;
}

/* skb->data is at the header still. */
void tcp_urg(struct tcp_sock *tp, struct sk_buff *skb, const struct tcp_hdr *th)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint8_t byte;

	if (tp->sk.state != SS_ESTABLISHED && tp->sk.state != SS_FIN_WAIT1 && tp->sk.state != SS_FIN_WAIT2)
		return; /* after the peer's FIN: cannot be; ignored as the RFC says */
	check_urg(tp, cb);
	if (tp->urg_data != TCP_URG_NOTYET || before(tp->urg_seq, cb->seq))
		return;
	uint32_t off = tp->urg_seq - cb->seq;

	if (off < skb->len - tcp_hdrlen(th) && skb_copy_bits(skb, tcp_hdrlen(th) + off, &byte, 1) == 0) {
		tp->urg_data = (uint16_t)(TCP_URG_VALID | byte);
		sk_wake(&tp->sk, EPOLLPRI | EPOLLIN);
	}
}

/* ---- step 8: FIN ------------------------------------------------------------------------------------------------------------------------------ */

static void tcp_fin(struct tcp_sock *tp)
{
	tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
	tp->fin_rcvd = true;
	tp->sk.shutdown |= SHUTDOWN_RCV;
	tcp_ofo_purge(tp, SKB_DROP_TCP_OVERWINDOW); /* behind the end there is nothing */
	if (!tp->sk.dead)
		sk_wake(&tp->sk, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | (tp->sk.shutdown == (SHUTDOWN_RCV | SHUTDOWN_SND) ? EPOLLHUP : 0));
	switch (tp->sk.state) {
	case SS_SYN_RECV:
	case SS_ESTABLISHED:
		tcp_set_state(tp, SS_CLOSE_WAIT);
		tp->pingpong = 3; /* the application's answer or FIN may carry the ACK */
		tcp_schedule_ack(tp);
		break;
	case SS_FIN_WAIT1: /* both closed at once */
		tcp_send_ack(tp);
		tcp_set_state(tp, SS_CLOSING);
		break;
	case SS_FIN_WAIT2:
		tcp_send_ack(tp);
		tcp_time_wait(tp, SS_TIME_WAIT, 0);
		break;
	default:
		break;
	}
}

/* ---- step 7: text ---------------------------------------------------------------------------------------------------------------------------- */

/* Into the receive queue. skb begins at rcv_nxt. */
static void queue_tail(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct sk_buff *tail = skb_peek_tail(&tp->sk.rcvq);
	uint32_t n = skb->len;

	tp->rcv_nxt = cb->end_seq;
	tp->bytes_received += n;
	if (!n) {
		consume_skb(skb);
		return;
	}
	if (tail && n <= 1024 && skb_tailroom(tail) >= n && !tail->cloned && tail->area->refcnt == 1) {
		(void)skb_copy_bits(skb, 0, skb_put(tail, n), n);
		TCP_SKB_CB(tail)->end_seq = cb->seq + n;
		STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPRcvCoalesce);
		consume_skb(skb);
		return;
	}
	skb->dev = NULL;
	skb->rt.dev = NULL;
	tcp_rmem_add(tp, skb->truesize);
	skb_queue_tail(&tp->sk.rcvq, skb);
}

static void data_ready(struct tcp_sock *tp)
{
	if (!tp->sk.dead && tcp_inq(tp) >= (uint32_t)(tp->sk.rcvlowat > 0 ? tp->sk.rcvlowat : 1))
		sk_wake(&tp->sk, EPOLLIN | EPOLLRDNORM);
}

void tcp_queue_inorder(struct tcp_sock *tp, struct sk_buff *skb)
{
	tcp_event_data_recv(tp, skb);
	queue_tail(tp, skb);
	data_ready(tp);
}

/* Text that was received before, or lies outside the window: an ACK at once tells where we are. */
static void refuse(struct tcp_sock *tp, struct sk_buff *skb, enum skb_drop_reason why)
{
	tcp_enter_quickack(tp, TCP_MAX_QUICKACKS);
	kfree_skb(skb, why);
	tcp_send_ack(tp);
}

static void in_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	bool fin = cb->flags & TCPHDR_FIN, had_ofo = tp->ofo_root != NULL;

	if (skb->len)
		tcp_event_data_recv(tp, skb);
	queue_tail(tp, skb);
	while (tp->ofo_root && !fin) {
		skb = tcp_ofo_next(tp);
		if (!skb)
			break;
		fin = TCP_SKB_CB(skb)->flags & TCPHDR_FIN;
		queue_tail(tp, skb);
	}
	if (tp->nsacks && !tp->ofo_root)
		tp->nsacks = 0;
	if (had_ofo)
		tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW; /* RFC 5681 4.2: a segment that fills a hole, in part or whole */
	if (fin)
		tcp_fin(tp);
	data_ready(tp);
	if (had_ofo && tp->sk.state != SS_CLOSE)
		tcp_send_ack(tp);
}

static void trim_to_window(struct sk_buff *skb, uint32_t edge)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (!after(cb->end_seq, edge))
		return;
	/* A FIN right behind text that ends at the edge takes no room. */
	if ((cb->flags & TCPHDR_FIN) && cb->end_seq - 1 == edge)
		return;
	cb->flags &= (uint8_t)~TCPHDR_FIN;
	skb_trim(skb, edge - cb->seq);
	cb->end_seq = edge;
}

static void out_of_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct stack *stack = tcp_stack(tp);

	if (!tcp_rmem_ok(tp)) {
		STACK_MIB_INC(stack, TcpExt_TCPOFODrop);
		kfree_skb(skb, SKB_DROP_TCP_OFO_DROP);
		tcp_send_ack(tp);
		return;
	}
	tp->ack_flags |= TCP_ACK_SCHED;
	measure_segment(tp, skb);
	if (tcp_ofo_insert(tp, skb) && tp->ofo_last)
		tcp_grow_window(tp, tp->ofo_last);
	tcp_send_ack(tp); /* one duplicate ACK for each: RFC 5681 4.2, RFC 2018 section 4 */
}

void tcp_data_queue(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);
	uint32_t win = tcp_receive_window(tp), edge = tp->rcv_nxt + win;

	switch (tp->sk.state) {
	case SS_ESTABLISHED:
	case SS_FIN_WAIT1:
	case SS_FIN_WAIT2:
		break;
	default: /* the peer has sent its FIN: nothing can follow; a repeated FIN is acknowledged again */
		if (!after(cb->end_seq, tp->rcv_nxt)) {
			refuse(tp, skb, SKB_DROP_TCP_OLD_DATA);
			return;
		}
		kfree_skb(skb, SKB_DROP_TCP_CLOSE);
		return;
	}
	if (!after(cb->end_seq, tp->rcv_nxt)) {
		STACK_MIB_INC(stack, TcpExt_DelayedACKLost);
		tcp_dsack_set(tp, cb->seq, cb->end_seq, false);
		refuse(tp, skb, SKB_DROP_TCP_OLD_DATA);
		return;
	}
	if (before(cb->seq, tp->rcv_nxt)) {
		uint32_t n = tp->rcv_nxt - cb->seq;

		tcp_dsack_set(tp, cb->seq, tp->rcv_nxt, false);
		skb_pull(skb, u32_min(n, skb->len));
		cb->seq = tp->rcv_nxt;
	}
	bool bare_fin = skb->len == 0; /* takes no room: may come into a closed window */

	if (!bare_fin && !before(cb->seq, edge)) {
		if (win == 0) {
			STACK_MIB_INC(stack, TcpExt_TCPZeroWindowDrop);
			refuse(tp, skb, SKB_DROP_TCP_ZEROWINDOW);
		} else {
			refuse(tp, skb, SKB_DROP_TCP_OVERWINDOW);
		}
		return;
	}
	if (!bare_fin)
		trim_to_window(skb, edge);
	if (cb->seq != tp->rcv_nxt) {
		out_of_order(tp, skb);
		return;
	}
	if (!bare_fin && !skb_queue_empty(&tp->sk.rcvq) && !tcp_rmem_ok(tp)) {
		STACK_MIB_INC(stack, TcpExt_TCPRcvQDrop);
		data_ready(tp);
		kfree_skb(skb, tcp_mem_over(stack) ? SKB_DROP_PROTO_MEM : SKB_DROP_TCP_RCVBUF);
		tcp_send_ack(tp);
		return;
	}
	in_order(tp, skb);
}
