/* SPDX-License-Identifier: MIT */
/*
 * tcp_output.c: from the send queue to IP.
 *
 * tcp_transmit_skb is the one place where a header is written. tcp_write_xmit decides what of the queue may go: cwnd (RFC 5681), the peer's window,
 * Nagle's rule in Minshall's form (RFC 9293 3.7.4), the sender's side of silly-window avoidance (3.8.6.2.1: a segment that does not fit the window
 * whole waits, and tcp_timer.c's probe sends what fits). A segment is split only here and for SACK.
 *
 * The window we offer never moves its right edge to the left (RFC 9293 3.8.6, SHLD-14), and moves it right only in steps of min(half the buffer, MSS)
 * (3.8.6.2.2, MUST-39).
 *
 * Not done here: pacing, tail loss probes (RFC 8985), path MTU probing (RFC 4821), collapsing small segments when they are retransmitted.
 */
#include "tcp.h"
#include "checksum.h"
#include "ip.h"
#include <errno.h>

/* ---- segment size -------------------------------------------------------------------------------------------------------------------------- */

static unsigned sack_opt_len(const struct tcp_sock *tp)
{
	unsigned n = tp->nsacks + (tp->have_dsack ? 1u : 0u);

	if (tcp_likely(n == 0))
		return 0;
	if (n > (tp->tstamp_ok ? 3u : 4u))
		n = tp->tstamp_ok ? 3 : 4;
	return 4 + 8 * n;
}

static bool dev_has(const struct tcp_sock *tp, unsigned feature)
{
	const struct net_device *dev = tp->sk.rt.dev;

	return dev && (dev->conf->features & feature);
}

/* Payload of a full segment for a path MTU: RFC 9293 3.7.1, Eff.snd.MSS. */
void tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu)
{
	uint32_t mss = pmtu > 40 + TCP_MIN_MSS ? pmtu - 40 : TCP_MIN_MSS;

	tp->pmtu = pmtu;
	mss = u32_min(mss, tp->mss_clamp);
	if (tp->user_mss)
		mss = u32_min(mss, tp->user_mss);
	mss = u32_max(mss, TCP_MIN_MSS);
	if (tp->tstamp_ok)
		mss -= 12;
	/* Never more than half of the largest window the peer ever offered: otherwise small receivers stall (SWS). */
	if (tp->max_window && mss > u32_max(tp->max_window >> 1, 68u - 40u))
		mss = u32_max(tp->max_window >> 1, 68u - 40u);
	tp->mss = mss;
	tp->gso_bytes = mss;
	if (dev_has(tp, LINK_F_TSO4)) {
		uint32_t n = TCP_MAX_GSO_BYTES / mss;

		if (tp->max_window)
			n = u32_min(n, u32_max((tp->max_window >> 1) / mss, 1));
		tp->gso_bytes = mss * u32_max(n, 1);
	}
}

uint32_t tcp_current_mss(struct tcp_sock *tp)
{
	if (tcp_unlikely(tp->sk.rt_genid != route_genid(tp->sk.stack) || !tp->sk.rt.dev))
		(void)sk_route(&tp->sk);
	if (tcp_unlikely(tp->sk.rt.dev && tp->sk.rt.mtu != tp->pmtu))
		tcp_sync_mss(tp, tp->sk.rt.mtu);
	unsigned sack = sack_opt_len(tp);

	return tcp_unlikely(sack && tp->mss > sack + 8) ? tp->mss - sack : tp->mss;
}

/* ---- our window ---------------------------------------------------------------------------------------------------------------------------- */

void tcp_select_initial_window(const struct stack *stack, uint32_t space, uint32_t mss, uint32_t clamp, bool wscale_ok, uint32_t *ret_wnd,
			       uint32_t *ret_clamp, uint8_t *ret_wscale)
{
	uint8_t scale = 0;

	if (!clamp)
		clamp = 65535u << TCP_MAX_WSCALE;
	space = u32_min(space, clamp);
	if (space > mss)
		space -= space % mss;
	if (wscale_ok) {
		/* What autotuning may reach must be expressible: the scale is fixed for the life of the connection. */
		uint32_t most = u32_max(u32_max((uint32_t)stack->sysctl->tcp_rmem_max, (uint32_t)stack->sysctl->rmem_max), space);

		most = u32_min(most, clamp);
		while (most > 65535 && scale < TCP_MAX_WSCALE) {
			most >>= 1;
			scale++;
		}
	}
	*ret_wscale = scale;
	*ret_wnd = u32_min(space, 65535); /* of a SYN: never scaled */
	*ret_clamp = u32_min(65535u << scale, clamp);
}

uint32_t tcp_offer_window(const struct tcp_sock *tp)
{
	uint32_t full = u32_min(tcp_full_space(tp), tp->window_clamp), space = tcp_space(tp), cur = tcp_receive_window(tp);
	uint32_t step = u32_min(full / 2, tp->rcv_mss);

	if (tcp_unlikely(tcp_mem_pressure(tp->sk.stack)) && space < full / 2)
		space = u32_min(space, 4u * tp->advmss);
	space = u32_min(u32_min(space, full), tp->rcv_ssthresh);
	if (space < step)
		return cur; /* a silly window is no window */
	if (space < cur + step)
		return cur; /* hold the right edge until it can move by a step */
	return space;
}

static uint32_t tcp_select_window(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	uint32_t old = tp->rcv_wnd, cur = tcp_receive_window(tp), win = tcp_offer_window(tp);
	uint32_t unit = 1u << tp->rcv_wscale;

	if (win < cur)
		win = cur;
	win = (win + unit - 1) & ~(unit - 1); /* rounding down would take back what was offered */
	win = u32_min(win, 65535u << tp->rcv_wscale);
	tp->rcv_wnd = win;
	tp->rcv_wup = tp->rcv_nxt;
	win >>= tp->rcv_wscale;
	if (tcp_unlikely(win == 0)) {
		if (old)
			STACK_MIB_INC(stack, TcpExt_TCPToZeroWindowAdv);
	} else if (tcp_unlikely(old == 0)) {
		STACK_MIB_INC(stack, TcpExt_TCPFromZeroWindowAdv);
	}
	return win;
}

/* ---- one segment --------------------------------------------------------------------------------------------------------------------------- */

static unsigned write_options(struct tcp_sock *tp, const struct tcp_skb_cb *cb, uint8_t *opt)
{
	uint32_t ts = tcp_ts_now(tcp_stack(tp)) + tp->ts_off;
	unsigned n = 0;

	if (tcp_unlikely(cb->flags & TCPHDR_SYN)) {
		const struct sysctl_values *sc = tcp_stack(tp)->sysctl;
		bool answer = cb->flags & TCPHDR_ACK;
		struct tcp_syn_opts so = {
			.mss = tp->advmss,
			.wscale = tp->rcv_wscale, .wscale_ok = answer ? tp->wscale_ok : sc->tcp_window_scaling,
			.ts = answer ? tp->tstamp_ok : sc->tcp_timestamps != 0, .tsval = ts, .tsecr = answer ? tp->ts_recent : 0,
			.sack = answer ? tp->sack_ok : sc->tcp_sack,
		};
		return tcp_options_write_syn(opt, &so);
	}
	if (tcp_likely(tp->tstamp_ok))
		n = tcp_options_write_ts(opt, ts, tp->ts_recent);
	if (tcp_unlikely(tp->nsacks || tp->have_dsack) && !(cb->flags & TCPHDR_RST))
		n += tcp_options_write_sack(opt + n, tp->have_dsack ? &tp->dsack : NULL, tp->sack_tx, tp->nsacks, TCP_MAX_OPTLEN - n);
	return n;
}

static void ack_sent(struct tcp_sock *tp)
{
	if (tp->quick)
		tp->quick--;
	tp->have_dsack = false;
	tp->ack_flags = 0;
	if (!list_empty(&tp->ack_node))
		list_del(&tp->ack_node);
	tcp_delack_timer_stop(tp);
}

static void data_sent(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);

	if (tcp_out(tp) == 0 && tp->ca->tx_start)
		tp->ca->tx_start(tp);
	/* An answer within the delayed-ACK time: this is a conversation, the ACKs can ride on the answers. */
	if (stack->now - tp->lrcvtime < tp->ato && tp->pingpong < 3)
		tp->pingpong++;
	tp->lsndtime = stack->now;
}

static void set_checksum(struct tcp_sock *tp, struct sk_buff *tx, struct tcp_hdr *th, unsigned hlen, struct tcp_skb_cb *cb, uint32_t payload)
{
	uint32_t pseudo = csum_pseudo(&tp->sk.saddr, &tp->sk.daddr, tx->len, NS_IPPROTO_TCP);

	if (dev_has(tp, LINK_F_TX_CSUM) || skb_is_gso(tx)) {
		tx->ip_summed = CHECKSUM_PARTIAL;
		tx->csum_start = tx->transport_header;
		tx->csum_offset = offsetof(struct tcp_hdr, check);
		th->check = (uint16_t)~csum_fold(pseudo);
		return;
	}
	tx->ip_summed = CHECKSUM_NONE;
	th->check = 0;
	if (payload && !cb->csum_valid) {
		cb->tx.csum = skb_checksum(tx, hlen, payload, 0);
		cb->csum_valid = true;
	}
	if (payload)
		pseudo = csum_add(pseudo, cb->tx.csum);
	th->check = csum_fold(csum_partial(th, hlen, pseudo));
}

/* 0 or -errno; without clone skb is consumed. */
static int tcp_transmit_skb(struct tcp_sock *tp, struct sk_buff *skb, bool clone)
{
	struct stack *stack = tcp_stack(tp);
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t payload = skb->len;
	struct sk_buff *tx = skb;
	uint8_t opt[TCP_MAX_OPTLEN];
	int err = 0;

	if (tcp_unlikely(tp->sk.rt_genid != route_genid(stack) || !tp->sk.rt.dev)) {
		err = sk_route(&tp->sk);
		if (err) {
			if (!clone)
				kfree_skb(skb, SKB_DROP_IP_OUTNOROUTES);
			return err;
		}
	}
	if (clone) {
		tx = skb_clone(skb);
		if (tcp_unlikely(!tx))
			return -ENOMEM;
		if (tcp_unlikely(skb_cow_head(tx, TCP_MAX_HLEN + 60))) { /* a head of its own while an earlier clone is under way */
			kfree_skb(tx, SKB_DROP_NOMEM);
			return -ENOMEM;
		}
	}

	unsigned optlen = write_options(tp, cb, opt), hlen = 20 + optlen;
	struct tcp_hdr *th = skb_push(tx, hlen);
	uint8_t flags = cb->flags;

	skb_reset_transport_header(tx);
	th->source = cpu_to_be16(tp->sk.sport);
	th->dest = cpu_to_be16(tp->sk.dport);
	th->seq = cpu_to_be32(cb->seq);
	th->ack_seq = flags & TCPHDR_ACK ? cpu_to_be32(tp->rcv_nxt) : 0;
	th->doff = (uint8_t)(hlen / 4 << 4);
	if (tcp_unlikely(flags & TCPHDR_SYN))
		th->window = cpu_to_be16((uint16_t)u32_min(tp->rcv_wnd, 65535));
	else
		th->window = cpu_to_be16((uint16_t)tcp_select_window(tp));
	th->urg_ptr = 0;
	if (tcp_unlikely(tp->urg_mode) && before(cb->seq, tp->snd_up) && !(flags & TCPHDR_SYN)) {
		uint32_t off = tp->snd_up - cb->seq;

		th->urg_ptr = cpu_to_be16((uint16_t)u32_min(off, 65535));
		flags |= TCPHDR_URG;
	}
	th->flags = flags;
	memcpy(th + 1, opt, optlen);

	uint32_t mss = tp->mss;
	tx->gso_size = 0;
	tx->gso_segs = 1;
	tx->gso_type = 0;
	unsigned usual = tp->tstamp_ok ? 32 : 20; /* what mss has been made for; SACK blocks come on top of it */

	if (tcp_unlikely(payload > mss - (hlen > usual ? hlen - usual : 0)) && payload > (mss = tcp_current_mss(tp))) {
		tx->gso_size = (uint16_t)mss;
		tx->gso_segs = (uint16_t)((payload + mss - 1) / mss);
		tx->gso_type = SKB_GSO_TCPV4;
		th->flags = flags |= TCPHDR_PSH; /* as Linux marks what it sends in one go, so that who merges it again need not wait for more */
		cb->flags |= TCPHDR_PSH;
	}
	set_checksum(tp, tx, th, hlen, cb, payload);

	unsigned segs = tx->gso_segs;
	if (flags & TCPHDR_ACK)
		ack_sent(tp);
	if (payload) {
		data_sent(tp);
		tp->data_segs_out += segs;
		tp->bytes_sent += payload;
	}
	tp->segs_out += segs;
	STACK_MIB_ADD(stack, Tcp_OutSegs, segs);

	tx->rt = tp->sk.rt;
	tx->dev = tp->sk.rt.dev;
	tx->mark = tp->sk.mark;
	tx->hash = tp->sk.hash;
	tx->tstamp = 0;
	struct ip_tx ip = { .saddr = tp->sk.saddr, .daddr = tp->sk.daddr, .proto = NS_IPPROTO_TCP, .tos = tp->sk.tos, .ttl = tp->sk.ttl,
			    .df = tp->sk.pmtudisc != IP_PMTUDISC_DONT && !(tp->sk.rt.flags & RT_F_MTU_LOCK && tp->sk.pmtudisc == IP_PMTUDISC_WANT) };
	err = ip_build_and_send(stack, tx, &ip);
	if (tcp_likely(err == 0) && clone && payload + (flags & (TCPHDR_SYN | TCPHDR_FIN)))
		tcp_rate_sent(tp, skb);
	return err;
}

/* ---- the send queue ------------------------------------------------------------------------------------------------------------------------ */

struct sk_buff *tcp_alloc_tx(struct tcp_sock *tp, uint32_t payload)
{
	struct sk_buff *skb = alloc_skb(tcp_stack(tp)->pool, SKB_HEADROOM + payload, SKB_HEADROOM);

	if (tcp_unlikely(!skb))
		return NULL;
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	cb->seq = cb->end_seq = tp->write_seq;
	cb->flags = TCPHDR_ACK;
	cb->sacked = 0;
	cb->csum_valid = true; /* of nothing */
	cb->tx.csum = 0;
	skb_header_release(skb);
	return skb;
}

void tcp_queue_tail(struct tcp_sock *tp, struct sk_buff *skb)
{
	skb_queue_tail(&tp->wq, skb);
	tcp_wmem_add(tp, skb->truesize);
	if (!tp->send_head)
		tp->send_head = skb;
	if (tp->nagle & TCP_NAGLE_PUSH)
		tp->nagle &= (uint8_t)~TCP_NAGLE_PUSH;
}

struct sk_buff *tcp_split(struct tcp_sock *tp, struct sk_buff *skb, uint32_t len)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb), *ncb;
	uint32_t rest = skb->len - len;
	bool copy_front = len < rest;
	struct sk_buff *n = alloc_skb(tcp_stack(tp)->pool, SKB_HEADROOM + (copy_front ? len : rest), SKB_HEADROOM);

	if (!n)
		return NULL;
	skb_header_release(n);
	n->tstamp = skb->tstamp;
	ncb = TCP_SKB_CB(n);
	*ncb = *cb;
	cb->csum_valid = ncb->csum_valid = false;
	(void)skb_copy_bits(skb, copy_front ? 0 : len, skb_put(n, copy_front ? len : rest), copy_front ? len : rest);
	tcp_wmem_add(tp, n->truesize);
	if (copy_front) {
		ncb->end_seq = cb->seq = ncb->seq + len;
		ncb->flags &= (uint8_t)~(TCPHDR_FIN | TCPHDR_PSH);
		skb_pull(skb, len);
		skb_queue_after(&tp->wq, skb->prev, n);
		if (tp->send_head == skb)
			tp->send_head = n;
		if (tp->lost_hint == skb)
			tp->lost_hint = n;
		if (tp->retx_hint == skb)
			tp->retx_hint = n;
		return n;
	}
	ncb->seq = cb->end_seq = cb->seq + len;
	cb->flags &= (uint8_t)~(TCPHDR_FIN | TCPHDR_PSH);
	skb_trim(skb, len);
	skb_queue_after(&tp->wq, skb, n);
	return skb;
}

void tcp_skb_pull_front(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	tcp_scoreboard_forget(tp, skb, n);
	skb_pull(skb, n);
	cb->seq += n;
	cb->csum_valid = false;
}

static void advance_send_head(struct tcp_sock *tp, struct sk_buff *skb)
{
	uint32_t prior = tcp_out(tp);

	tp->send_head = skb_queue_is_last(&tp->wq, skb) ? NULL : skb->next;
	tp->snd_nxt = TCP_SKB_CB(skb)->end_seq;
	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPOrigDataSent);
	if (!prior || tp->rtx_kind != TCP_TIMER_RETRANS)
		tcp_rearm_rto(tp);
}

/* ---- what may be sent when ----------------------------------------------------------------------------------------------------------------- */

/* Nagle with Minshall's change: a small segment waits only while another small one is unacknowledged. True: it may go. */
static bool nagle_test(const struct tcp_sock *tp, const struct sk_buff *skb, uint32_t mss, int nonagle)
{
	if ((nonagle & TCP_NAGLE_PUSH) || skb->len >= mss || tp->urg_mode || (TCP_SKB_CB(skb)->flags & TCPHDR_FIN))
		return true;
	if (nonagle & TCP_NAGLE_CORK)
		return false;
	if (nonagle & TCP_NAGLE_OFF)
		return true;
	return !(tcp_out(tp) && after(tp->snd_sml, tp->snd_una) && !after(tp->snd_sml, tp->snd_nxt));
}

/* The largest frame. The urgent pointer counts from each segment's own number, and who cuts a large frame copies it as it is: then no large frames. */
static uint32_t gso_limit(const struct tcp_sock *tp, uint32_t mss)
{
	return tcp_unlikely(tp->urg_mode) ? mss : u32_max(tp->gso_bytes, mss);
}

/* How many bytes of skb go now: all of it, or whole segments up to limit; the small end stays when Nagle holds it. */
static uint32_t split_point(const struct tcp_sock *tp, const struct sk_buff *skb, uint32_t mss, uint32_t limit, int nonagle)
{
	uint32_t n = u32_min(skb->len, limit);

	if (n <= mss)
		return n;
	uint32_t part = n % mss;

	if (part == 0)
		return n;
	if (n < skb->len)
		return n - part;
	if (!(nonagle & TCP_NAGLE_PUSH) && !(TCP_SKB_CB(skb)->flags & TCPHDR_FIN) && !tp->urg_mode) {
		if ((nonagle & TCP_NAGLE_CORK) || (!(nonagle & TCP_NAGLE_OFF) && after(tp->snd_sml, tp->snd_una) && !after(tp->snd_sml, tp->snd_nxt)))
			return n - part;
	}
	return n;
}

/* With TSO: rather one large frame soon than a small one now. To wait is right only while an ACK is sure to come soon and will let the data go: in a flow without
 * losses (a duplicate ACK has to bring out new data at once, RFC 3042, and proportional rate reduction counts on it, RFC 6937), in the course of a
 * burst, and when what is oldest in flight was sent half a round trip ago or more. */
static bool tso_defer(const struct tcp_sock *tp, const struct sk_buff *skb, uint32_t quota, uint32_t limit, uint32_t wnd)
{
	const struct sk_buff *oldest = skb_peek(&tp->wq);
	ktime_t now = tcp_stack(tp)->now;

	if (limit >= skb->len || limit >= tp->gso_bytes / 2 || quota >= tp->cwnd / 4 || limit >= wnd)
		return false;
	if (tp->ca_state != TCP_CA_Open || now - tp->lsndtime >= NSEC_PER_MSEC)
		return false;
	return oldest && oldest != skb && now - oldest->tstamp >= (ktime_t)(tp->srtt_us >> 4) * NSEC_PER_USEC;
}

/* True: stuck with nothing in flight: a probe is needed. */
static bool tcp_write_xmit(struct tcp_sock *tp, uint32_t mss, int nonagle, bool push_one)
{
	struct sk_buff *skb;
	uint32_t sent = 0;
	bool cwnd_limited = false, rwnd_limited = false;

	while ((skb = tp->send_head)) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		uint32_t flight = tcp_in_flight(tp), seg = u32_min(skb->len, mss);
		uint32_t quota = tp->cwnd > flight ? tp->cwnd - flight : 0;

		if (quota < seg && flight) {
			cwnd_limited = true;
			break;
		}
		/* A FIN counts in the sequence space but may lie on the edge of the window. */
		if (after(cb->seq + seg, tcp_wnd_end(tp)) || (seg == 0 && after(cb->seq, tcp_wnd_end(tp)))) {
			rwnd_limited = true;
			break;
		}
		int ng = skb_queue_is_last(&tp->wq, skb) ? nonagle : TCP_NAGLE_PUSH;

		if (skb->len <= mss) {
			if (!nagle_test(tp, skb, mss, ng))
				break;
		} else {
			uint32_t wnd = tcp_wnd_end(tp) - cb->seq, limit = u32_min(u32_max(quota, mss), wnd);

			if (!push_one && flight && tso_defer(tp, skb, quota, limit, wnd)) {
				cwnd_limited = true;
				break;
			}
			limit = split_point(tp, skb, mss, u32_min(limit, gso_limit(tp, mss)), ng);
			if (limit < skb->len) {
				skb = tcp_split(tp, skb, limit);
				if (!skb)
					break;
				cb = TCP_SKB_CB(skb);
			}
		}
		if (tcp_transmit_skb(tp, skb, true))
			break;
		if (skb->len < mss)
			tp->snd_sml = cb->end_seq;
		sent += cb->end_seq - cb->seq;
		advance_send_head(tp, skb);
		if (push_one)
			break;
	}
	if (sent) {
		if (tcp_in_cwnd_reduction(tp))
			tp->prr_out += sent;
		tcp_cwnd_validate(tp, cwnd_limited || tcp_in_flight(tp) + mss > tp->cwnd);
	} else if (cwnd_limited) {
		tp->cwnd_limited = true;
	}
	if (rwnd_limited)
		tcp_chrono(tp, 2);
	else if (tcp_out(tp))
		tcp_chrono(tp, 1);
	return tcp_out(tp) == 0 && tp->send_head;
}

/* Nothing is in flight and something waits: no ACK will come that restarts us, so a timer must. */
static void check_probe_timer(struct tcp_sock *tp)
{
	if (tcp_out(tp) == 0 && tp->rtx_kind == TCP_TIMER_NONE)
		tcp_rtx_timer_set(tp, TCP_TIMER_PROBE0, tcp_probe0_when(tp));
}

static void push_frames(struct tcp_sock *tp, uint32_t mss, int nonagle)
{
	if (tcp_unlikely(tp->fin_pending))
		tcp_send_fin(tp);
	if (tp->sk.state == SS_CLOSE || !tp->send_head)
		return;
	if (tcp_write_xmit(tp, mss, nonagle, false))
		check_probe_timer(tp);
}

void tcp_push_pending(struct tcp_sock *tp)
{
	if (tp->send_head || tp->fin_pending)
		push_frames(tp, tcp_current_mss(tp), tp->nagle);
}

/* After a write. flags: MSG_*. */
void tcp_push(struct tcp_sock *tp, int flags, uint32_t mss, int nonagle)
{
	struct sk_buff *tail = skb_peek_tail(&tp->wq);

	if (!tp->send_head || !tail)
		return;
	if (!(flags & MSG_MORE) || tp->write_seq - tp->pushed_seq > tp->max_window >> 1) {
		TCP_SKB_CB(tail)->flags |= TCPHDR_PSH;
		tp->pushed_seq = tp->write_seq;
	}
	if (flags & MSG_OOB)
		tp->snd_up = tp->write_seq;
	push_frames(tp, mss, flags & MSG_MORE ? TCP_NAGLE_CORK : nonagle);
}

void tcp_push_one(struct tcp_sock *tp)
{
	(void)tcp_write_xmit(tp, tcp_current_mss(tp), TCP_NAGLE_PUSH, true);
}

/* ---- retransmission ------------------------------------------------------------------------------------------------------------------------ */

int tcp_retransmit_skb(struct tcp_sock *tp, struct sk_buff *skb, uint32_t max_bytes)
{
	struct stack *stack = tcp_stack(tp);
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t mss = tcp_current_mss(tp);

	if (before(cb->seq, tp->snd_una) && !(cb->flags & TCPHDR_SYN))
		tcp_skb_pull_front(tp, skb, u32_min(tp->snd_una - cb->seq, skb->len));
	/* The peer took its window back: nothing but the first segment, which also probes. */
	if (!before(cb->seq, tcp_wnd_end(tp)) && cb->seq != tp->snd_una)
		return -EAGAIN;
	max_bytes = u32_max(u32_min(max_bytes, gso_limit(tp, mss)), mss);
	max_bytes -= max_bytes % mss;
	if (skb->len > max_bytes) {
		skb = tcp_split(tp, skb, max_bytes);
		if (!skb)
			return -ENOMEM;
		cb = TCP_SKB_CB(skb);
	}

	int err = tcp_transmit_skb(tp, skb, true);
	uint32_t len = cb->end_seq - cb->seq;

	uint32_t segs = skb->len > mss ? (skb->len + mss - 1) / mss : 1;

	STACK_MIB_ADD(stack, Tcp_RetransSegs, segs);
	if (cb->flags & TCPHDR_SYN)
		STACK_MIB_INC(stack, TcpExt_TCPSynRetrans);
	tp->total_retrans += segs;
	tp->bytes_retrans += skb->len;
	if (err)
		return err;
	if (!(cb->sacked & TCPCB_SACKED_RETRANS)) {
		cb->sacked |= TCPCB_SACKED_RETRANS;
		tp->retrans_out += len;
	}
	cb->sacked |= TCPCB_EVER_RETRANS;
	cb->tx.retx_mark = tp->snd_nxt;
	if (tp->retrans_out == len || before(tp->snd_nxt, tp->lost_retrans_low))
		tp->lost_retrans_low = tp->snd_nxt;
	if (!tp->retrans_stamp) {
		tp->retrans_stamp = tcp_ts_now(stack) + tp->ts_off;
		if (!tp->retrans_stamp)
			tp->retrans_stamp = 1;
	}
	if (tp->undo_retrans < 0)
		tp->undo_retrans = 0;
	tp->undo_retrans += (int32_t)segs; /* one DSACK tells of one segment */
	return 0;
}

static bool new_data_can_go(const struct tcp_sock *tp)
{
	return tp->send_head && !after(TCP_SKB_CB(tp->send_head)->seq + u32_min(tp->send_head->len, tp->mss), tcp_wnd_end(tp));
}

/* Old enough that its SACK is overdue. */
static bool overdue(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	uint32_t us = (tp->srtt_us >> 3) + u32_max(tp->rttvar_us, tp->srtt_us >> 5);

	return tcp_stack(tp)->now - skb->tstamp > (ktime_t)us * NSEC_PER_USEC;
}

/* RFC 6675 NextSeg rules 3 and 4: nothing is known to be lost and nothing new can be sent, but cwnd has room. What lies below the highest SACK goes
 * again; and once in a recovery the very last segment, whose loss no SACK can show. Both only when more than a round trip has passed since they were sent:
 * the RFC does not ask for that, but without it a mere reordering costs retransmissions. */
static void retransmit_rescue(struct tcp_sock *tp)
{
	struct sk_buff *skb, *last = NULL;

	if (tp->ca_state != TCP_CA_Recovery || !tp->sack_ok || new_data_can_go(tp))
		return;
	skb_queue_walk(&tp->wq, skb) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (skb == tp->send_head)
			break;
		if (tcp_in_flight(tp) + u32_min(skb->len, tp->mss) > tp->cwnd)
			return;
		if ((cb->sacked & (TCPCB_SACKED_ACKED | TCPCB_EVER_RETRANS)) || !overdue(tp, skb))
			continue;
		if (tp->sacked_out && before(cb->seq, tp->highest_sack)) {
			uint32_t out = tp->prr_out;

			if (tcp_retransmit_skb(tp, skb, tp->mss))
				return;
			tp->prr_out = out + (TCP_SKB_CB(skb)->end_seq - TCP_SKB_CB(skb)->seq);
			STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPFastRetrans);
		} else {
			last = skb;
		}
	}
	if (last && !tp->rescue_done && !before(tp->high_seq, TCP_SKB_CB(last)->end_seq)) {
		tp->rescue_done = true;
		if (tcp_retransmit_skb(tp, last, tp->mss) == 0)
			tp->prr_out += TCP_SKB_CB(last)->end_seq - TCP_SKB_CB(last)->seq;
	}
}

void tcp_xmit_retransmit_queue(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	if (tp->lost_out > tp->retrans_out || (tp->lost_out && !tp->sack_ok)) {
		skb = tp->retx_hint ? tp->retx_hint : skb_peek(&tp->wq);
		for (; skb && skb != tp->send_head; skb = skb_queue_is_last(&tp->wq, skb) ? NULL : skb->next) {
			struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
			uint32_t flight = tcp_in_flight(tp);

			tp->retx_hint = skb;
			if (!(cb->sacked & TCPCB_LOST) || (cb->sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS)))
				continue;
			if (flight && flight + u32_min(skb->len, tp->mss) > tp->cwnd)
				return;
			bool first = skb == skb_peek(&tp->wq), again = cb->sacked & TCPCB_EVER_RETRANS;
			uint32_t room = tp->cwnd > flight ? tp->cwnd - flight : tp->mss;

			if (tcp_retransmit_skb(tp, skb, room))
				return;
			/* It may have been split; the front piece stands in front of it or is it. */
			if (!(TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_RETRANS))
				skb = skb->prev;
			if (tp->ca_state == TCP_CA_Loss)
				STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPSlowStartRetrans);
			else
				STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPFastRetrans);
			if (tcp_in_cwnd_reduction(tp))
				tp->prr_out += TCP_SKB_CB(skb)->end_seq - TCP_SKB_CB(skb)->seq;
			if (first && !again)
				tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, tp->rto);
		}
		if (!skb || skb == tp->send_head)
			tp->retx_hint = NULL;
	}
	if (tp->lost_out <= tp->retrans_out && tp->ca_state == TCP_CA_Recovery)
		retransmit_rescue(tp);
}

/* ---- segments without data ----------------------------------------------------------------------------------------------------------------- */

/* In the peer's window even if it has shrunk it: otherwise the segment would be thrown away. */
static uint32_t acceptable_seq(const struct tcp_sock *tp)
{
	if (!before(tcp_wnd_end(tp), tp->snd_nxt) || (tp->wscale_ok && tp->snd_nxt - tcp_wnd_end(tp) < 1u << tp->snd_wscale))
		return tp->snd_nxt;
	return tcp_wnd_end(tp);
}

static int send_bare(struct tcp_sock *tp, uint32_t seq, uint8_t flags)
{
	struct sk_buff *skb = tcp_alloc_tx(tp, 0);

	if (!skb)
		return -ENOMEM;
	TCP_SKB_CB(skb)->seq = TCP_SKB_CB(skb)->end_seq = seq;
	TCP_SKB_CB(skb)->flags = flags;
	return tcp_transmit_skb(tp, skb, false);
}

void tcp_send_ack(struct tcp_sock *tp)
{
	if (tp->sk.state == SS_CLOSE)
		return;
	if (send_bare(tp, acceptable_seq(tp), TCPHDR_ACK) == -ENOMEM) {
		tp->ack_flags |= TCP_ACK_SCHED;
		tp->ato = TCP_DELACK_MIN;
		tcp_delack_timer_set(tp, tcp_stack(tp)->now + TCP_DELACK_MAX);
	}
}

/* RFC 9293 3.8.6.3: at most half a second; here the observed rhythm of the peer, 40 to 200 ms. */
void tcp_send_delayed_ack(struct tcp_sock *tp)
{
	ktime_t now = tcp_stack(tp)->now, ato = tp->ato;

	if (ato > TCP_DELACK_MIN) {
		ktime_t max = TCP_DELACK_MAX;

		if (tp->pingpong < 3 && tp->srtt_us) {
			ktime_t rtt = (ktime_t)(tp->srtt_us >> 3) * NSEC_PER_USEC;

			if (rtt < max)
				max = rtt > TCP_DELACK_MIN ? rtt : TCP_DELACK_MIN;
		}
		ato = ato < max ? ato : max;
	}
	ktime_t when = now + ato;

	if ((tp->ack_flags & TCP_ACK_TIMER) && tp->delack_deadline < when)
		when = tp->delack_deadline;
	tp->ack_flags |= TCP_ACK_SCHED;
	tcp_delack_timer_set(tp, when);
}

void tcp_send_active_reset(struct tcp_sock *tp)
{
	STACK_MIB_INC(tcp_stack(tp), Tcp_OutRsts);
	(void)send_bare(tp, acceptable_seq(tp), TCPHDR_ACK | TCPHDR_RST);
}

void tcp_send_fin(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->send_head ? skb_peek_tail(&tp->wq) : NULL;

	tp->fin_pending = false;
	if (!skb) {
		skb = tcp_alloc_tx(tp, 0);
		if (!skb) { /* bug class "FIN lost": remembered, and a timer asks again */
			tp->fin_pending = true;
			if (tp->rtx_kind == TCP_TIMER_NONE)
				tcp_rtx_timer_set(tp, TCP_TIMER_PROBE0, TCP_RTO_MIN);
			return;
		}
		tcp_queue_tail(tp, skb);
	}
	TCP_SKB_CB(skb)->flags |= TCPHDR_FIN;
	TCP_SKB_CB(skb)->end_seq++;
	tp->write_seq++;
	push_frames(tp, tcp_current_mss(tp), TCP_NAGLE_PUSH);
}

static int queue_and_send_syn(struct tcp_sock *tp, uint8_t flags)
{
	struct sk_buff *skb = tcp_alloc_tx(tp, 0);

	if (!skb)
		return -ENOBUFS;
	TCP_SKB_CB(skb)->seq = tp->snt_isn;
	TCP_SKB_CB(skb)->end_seq = tp->snt_isn + 1;
	TCP_SKB_CB(skb)->flags = flags;
	tp->write_seq = tp->snt_isn + 1;
	tcp_queue_tail(tp, skb);
	tp->retrans_stamp = 0;
	tp->snt_synack = tcp_stack(tp)->now;
	int err = tcp_transmit_skb(tp, skb, true);

	tp->send_head = NULL;
	tp->snd_nxt = tp->pushed_seq = tp->write_seq;
	tcp_rtx_timer_set(tp, TCP_TIMER_RETRANS, tp->rto);
	return err;
}

int tcp_connect_send(struct tcp_sock *tp)
{
	int err = queue_and_send_syn(tp, TCPHDR_SYN);

	STACK_MIB_INC(tcp_stack(tp), Tcp_ActiveOpens);
	return err == -ENETUNREACH || err == -EHOSTUNREACH ? 0 : err; /* the way may come back before the SYN is given up */
}

/* Simultaneous open: our SYN goes again, now with an ACK (RFC 9293 3.10.7.3, last case). */
void tcp_send_synack(struct tcp_sock *tp)
{
	struct sk_buff *skb = skb_peek(&tp->wq);

	if (!skb || !(TCP_SKB_CB(skb)->flags & TCPHDR_SYN))
		return;
	TCP_SKB_CB(skb)->flags |= TCPHDR_ACK;
	(void)tcp_transmit_skb(tp, skb, true);
}

/* ---- probes -------------------------------------------------------------------------------------------------------------------------------- */

/* A byte that the peer has already: it must answer with its present window (RFC 9293 3.10.7.4 step 1; 3.8.4 for keepalives). */
static int send_probe_skb(struct tcp_sock *tp, bool urgent)
{
	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPWinProbe);
	return send_bare(tp, tp->snd_una - (urgent ? 0u : 1u), TCPHDR_ACK);
}

int tcp_write_wakeup(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->send_head;

	if (tp->sk.state == SS_CLOSE)
		return -1;
	if (skb && before(TCP_SKB_CB(skb)->seq, tcp_wnd_end(tp))) {
		uint32_t mss = tcp_current_mss(tp), n = u32_min(u32_min(skb->len, mss), tcp_wnd_end(tp) - TCP_SKB_CB(skb)->seq);

		if (n && n < skb->len) {
			skb = tcp_split(tp, skb, n);
			if (!skb)
				return -ENOMEM;
		}
		TCP_SKB_CB(skb)->flags |= TCPHDR_PSH;
		int err = tcp_transmit_skb(tp, skb, true);

		if (err == 0)
			advance_send_head(tp, skb);
		return err;
	}
	if (tp->urg_mode && seq_between(tp->snd_up, tp->snd_una + 1, tp->snd_una + 0xffff))
		(void)send_probe_skb(tp, true);
	return send_probe_skb(tp, false);
}

void tcp_send_probe0(struct tcp_sock *tp)
{
	int err = tcp_write_wakeup(tp);

	if (tcp_out(tp) || !tp->send_head) {
		tp->probes_out = 0;
		tp->backoff = 0;
		tp->probes_since = 0;
		return;
	}
	if (tp->probes_out < UINT8_MAX)
		tp->probes_out++;
	if (err == -ENOMEM || err == -ENOBUFS) {
		tcp_rtx_timer_set(tp, TCP_TIMER_PROBE0, 500 * NSEC_PER_MSEC); /* our own trouble is no reason to back off */
		return;
	}
	if (tp->backoff < tcp_stack(tp)->sysctl->tcp_retries2)
		tp->backoff++;
	tcp_rtx_timer_set(tp, TCP_TIMER_PROBE0, tcp_probe0_when(tp));
}
