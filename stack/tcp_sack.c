/* SPDX-License-Identifier: MIT */
/*
 * tcp_sack.c: the sender's scoreboard (RFC 6675), kept in the segments of the send queue.
 *
 * A segment that was sent is in one of these conditions (TCPCB_*): in flight (none), ACKED (sacked), LOST, LOST|RETRANS (lost and sent again),
 * RETRANS (sent again as a rescue). sacked_out, lost_out and retrans_out are the bytes of each, so that
 *         pipe = (snd_nxt - snd_una) - sacked_out - lost_out + retrans_out.
 * Invariants: a segment is never ACKED together with LOST or RETRANS; sacked_segs counts segments for the duplicate threshold.
 *
 * Cost. Blocks repeat from ACK to ACK (RFC 2018 section 4), so only what the former ACK's blocks did not cover is looked at, and the walk to it starts at
 * the segment tagged last. A segment is split for a block at multiples of the MSS only, so that a peer cannot grind the queue into bytes.
 *
 * Not done here: RACK (RFC 8985); a block that begins below SND.UNA is taken for a DSACK and tags nothing.
 */
#include "tcp.h"

static inline uint32_t seg_len(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->end_seq - TCP_SKB_CB(skb)->seq; }

static struct sk_buff *sent_next(const struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sk_buff *n = skb_queue_is_last(&tp->wq, skb) ? NULL : skb->next;

	return n == tp->send_head ? NULL : n;
}

static struct sk_buff *sent_first(const struct tcp_sock *tp)
{
	struct sk_buff *n = skb_peek(&tp->wq);

	return n == tp->send_head ? NULL : n;
}

void tcp_scoreboard_forget(struct tcp_sock *tp, struct sk_buff *skb, uint32_t bytes)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	bool whole = bytes >= seg_len(skb);

	if (cb->sacked & TCPCB_SACKED_ACKED) {
		tp->sacked_out -= bytes;
		if (whole) {
			tp->sacked_segs -= cb->tx.sack_segs;
			if (tp->lost_hint && tp->lost_hint != skb && before(cb->seq, TCP_SKB_CB(tp->lost_hint)->seq))
				tp->lost_hint_sacked -= cb->tx.sack_segs;
		}
	}
	if (cb->sacked & TCPCB_LOST)
		tp->lost_out -= bytes;
	if (cb->sacked & TCPCB_SACKED_RETRANS)
		tp->retrans_out -= bytes;
	if (!whole)
		return;
	cb->sacked &= TCPCB_EVER_RETRANS;
	if (tp->sack_hint == skb)
		tp->sack_hint = NULL;
	if (tp->retx_hint == skb)
		tp->retx_hint = NULL;
	if (tp->lost_hint == skb) {
		tp->lost_hint = NULL;
		tp->lost_hint_sacked = 0;
	}
}

void tcp_scoreboard_reset(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	for (skb = sent_first(tp); skb; skb = sent_next(tp, skb))
		TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_SACKED_ACKED;
	tp->sacked_out = tp->sacked_segs = 0;
	tp->lost_hint = tp->sack_hint = NULL;
	tp->lost_hint_sacked = 0;
	memset(tp->sack_cache, 0, sizeof(tp->sack_cache));
}

void tcp_mark_skb_lost(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->sacked & (TCPCB_LOST | TCPCB_SACKED_ACKED))
		return;
	cb->sacked |= TCPCB_LOST;
	tp->lost_out += seg_len(skb);
	if (!tp->retx_hint || before(cb->seq, TCP_SKB_CB(tp->retx_hint)->seq))
		tp->retx_hint = skb;
}

/* ---- tagging ------------------------------------------------------------------------------------------------------------------------------- */

/* Whole segments of a large skb that block covers get an skb of their own. Returns the covered one, or NULL when nothing whole is covered. */
static struct sk_buff *match(struct tcp_sock *tp, struct sk_buff *skb, const struct tcp_sack_block *b)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t mss = tp->mss;

	if (!before(cb->seq, b->start) && !after(cb->end_seq, b->end))
		return skb;
	if (skb->len <= mss)
		return NULL;
	uint32_t from = before(cb->seq, b->start) ? b->start - cb->seq : 0, to = skb->len;

	from += mss - 1 - (from + mss - 1) % mss; /* up: a segment sacked in part is not sacked */
	if (after(cb->end_seq, b->end)) {
		to = b->end - cb->seq;
		to -= to % mss;
	}
	if (from >= to)
		return NULL;
	if (to < skb->len)
		skb = tcp_split(tp, skb, to);
	if (skb && from) {
		skb = tcp_split(tp, skb, from);
		skb = skb ? skb->next : NULL;
	}
	return skb;
}

static void tag_one(struct tcp_sock *tp, struct sk_buff *skb, struct tcp_ack_result *res)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t len = seg_len(skb);

	if (cb->sacked & TCPCB_SACKED_ACKED)
		return;
	if (cb->sacked & TCPCB_SACKED_RETRANS) {
		cb->sacked &= (uint8_t)~TCPCB_SACKED_RETRANS;
		tp->retrans_out -= len;
	} else if (!(cb->sacked & TCPCB_EVER_RETRANS)) {
		/* The original arrived. After something above it: the network reorders. */
		if (tp->sacked_out && before(cb->seq, tp->highest_sack) && (!res->reordered || before(cb->seq, res->reord))) {
			res->reord = cb->seq;
			res->reordered = true;
		}
		if (!after(cb->end_seq, tp->high_seq))
			res->flag |= FLAG_ORIG_SACK_ACKED;
		if (skb->tstamp > res->sack_sent)
			res->sack_sent = skb->tstamp;
	}
	if (cb->sacked & TCPCB_LOST) {
		cb->sacked &= (uint8_t)~TCPCB_LOST;
		tp->lost_out -= len;
	}
	uint32_t segs = tp->mss ? (skb->len + tp->mss - 1) / tp->mss : 1;

	cb->tx.sack_segs = (uint16_t)(segs ? segs : 1);
	cb->sacked |= TCPCB_SACKED_ACKED;
	if (!tp->sacked_out || after(cb->end_seq, tp->highest_sack))
		tp->highest_sack = cb->end_seq;
	tp->sacked_out += len;
	tp->sacked_segs += cb->tx.sack_segs;
	if (tp->lost_hint && before(cb->seq, TCP_SKB_CB(tp->lost_hint)->seq))
		tp->lost_hint_sacked += cb->tx.sack_segs;
	tp->delivered += len;
	res->delivered += len;
	res->flag |= FLAG_DATA_SACKED;
	tcp_rate_delivered(skb, &res->rate);
}

/* First sent segment that ends behind seq. */
static struct sk_buff *seek(struct tcp_sock *tp, uint32_t seq)
{
	struct sk_buff *skb = tp->sack_hint ? tp->sack_hint : sent_first(tp), *first = sent_first(tp);

	if (!skb)
		return NULL;
	while (skb != first && !after(seq, TCP_SKB_CB(skb)->seq))
		skb = skb->prev;
	while (skb && !after(TCP_SKB_CB(skb)->end_seq, seq))
		skb = sent_next(tp, skb);
	return skb;
}

/* Tags what of block b lies in [lo, hi). */
static void tag_range(struct tcp_sock *tp, const struct tcp_sack_block *b, uint32_t lo, uint32_t hi, struct tcp_ack_result *res)
{
	struct sk_buff *skb = seek(tp, lo);

	for (; skb && before(TCP_SKB_CB(skb)->seq, hi); skb = sent_next(tp, skb)) {
		if (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED)
			continue;
		struct sk_buff *m = match(tp, skb, b);

		if (m) {
			tag_one(tp, m, res);
			tp->sack_hint = skb = m;
		}
	}
}

/* A DSACK tells of a segment that came twice: perhaps a retransmission that was not needed (RFC 2883, RFC 3708). */
static void dsack_seen(struct tcp_sock *tp, const struct tcp_sack_block *b, struct tcp_ack_result *res)
{
	uint32_t n = (b->end - b->start + tp->mss - 1) / tp->mss;

	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPDSACKRecv);
	if (n == 0 || n > 64)
		n = 1;
	tp->dsack_dups += n;
	res->flag |= FLAG_DSACKING;
	if (tp->undo_marker && tp->undo_retrans > 0 && after(b->end, tp->undo_marker))
		tp->undo_retrans = tp->undo_retrans > (int32_t)n ? tp->undo_retrans - (int32_t)n : 0;
}

static bool is_dsack(const struct tcp_options *opt, uint32_t una)
{
	const struct tcp_sack_block *b = opt->sacks;

	if (before(b[0].start, una))
		return true;
	return opt->nsacks > 1 && !before(b[0].start, b[1].start) && !after(b[0].end, b[1].end);
}

static bool block_valid(const struct tcp_sock *tp, const struct tcp_sack_block *b, bool dsack)
{
	if (!before(b->start, b->end) || after(b->end, tp->snd_nxt))
		return false;
	if (!before(b->start, tp->snd_una))
		return true;
	return dsack && !before(b->start, tp->snd_una - u32_max(tp->max_window, 65535));
}

void tcp_sacktag(struct tcp_sock *tp, const struct tcp_options *opt, struct tcp_ack_result *res)
{
	struct tcp_sack_block b[TCP_NUM_SACKS];
	unsigned n = 0, i, j;

	if (!tp->sacked_out)
		memset(tp->sack_cache, 0, sizeof(tp->sack_cache));
	for (i = 0; i < opt->nsacks; i++) {
		bool dsack = i == 0 && is_dsack(opt, tp->snd_una);

		if (!block_valid(tp, &opt->sacks[i], dsack)) {
			if (!before(opt->sacks[i].start, tp->snd_una) || i == 0)
				STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPSACKDiscard);
			continue;
		}
		if (dsack) {
			dsack_seen(tp, &opt->sacks[i], res);
			continue;
		}
		for (j = n++; j > 0 && before(opt->sacks[i].start, b[j - 1].start); j--)
			b[j] = b[j - 1];
		b[j] = opt->sacks[i];
	}
	for (i = 0; i < n; i++) {
		uint32_t at = b[i].start;
		bool seam = false; /* at is the end of a former block */

		for (j = 0; j < TCP_NUM_SACKS && before(at, b[i].end); j++) {
			const struct tcp_sack_block *c = &tp->sack_cache[j];

			if (c->start == c->end || !after(c->end, at))
				continue;
			if (!before(c->start, b[i].end))
				break;
			if (before(at, c->start))
				tag_range(tp, &b[i], at, c->start, res);
			else if (seam) /* the segment there may have been whole in neither */
				tag_range(tp, &b[i], at, at + 1, res);
			at = c->end;
			seam = true;
		}
		if (before(at, b[i].end))
			tag_range(tp, &b[i], at, b[i].end, res);
	}
	/* Sorted, unused ones empty. What is below snd_una by now is harmless: nothing is there to be tagged. */
	if (n) {
		memset(tp->sack_cache, 0, sizeof(tp->sack_cache));
		memcpy(tp->sack_cache, b, n * sizeof(b[0]));
	}
}

/* RFC 4653 in spirit: the duplicate threshold follows the reordering that was seen. */
void tcp_update_reordering(struct tcp_sock *tp, const struct tcp_ack_result *res)
{
	if (!res->reordered || tp->ca_state == TCP_CA_Loss || !before(res->reord, tp->highest_sack))
		return;
	uint32_t metric = (tp->highest_sack - res->reord + tp->mss - 1) / tp->mss;

	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPSACKReorder);
	tp->reord_seen++;
	if (metric > tp->reordering)
		tp->reordering = u32_min(metric, 300);
}

/* ---- finding losses ------------------------------------------------------------------------------------------------------------------------ */

/* A retransmission is lost when enough of what was sent after it has been sacked: cumulative proof as for originals. */
static bool mark_lost_retrans(struct tcp_sock *tp)
{
	uint32_t slack = (tp->reordering > 1 ? tp->reordering - 1 : 0) * tp->mss;
	struct sk_buff *skb;
	bool found = false, any = false;
	uint32_t low = 0;

	if (!tp->retrans_out || !tp->sacked_out || !after(tp->highest_sack, tp->lost_retrans_low + slack))
		return false;
	for (skb = sent_first(tp); skb && before(TCP_SKB_CB(skb)->seq, tp->highest_sack); skb = sent_next(tp, skb)) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (!(cb->sacked & TCPCB_SACKED_RETRANS))
			continue;
		if (after(tp->highest_sack, cb->tx.retx_mark + slack)) {
			cb->sacked &= (uint8_t)~TCPCB_SACKED_RETRANS;
			tp->retrans_out -= seg_len(skb);
			tcp_mark_skb_lost(tp, skb);
			if (!tp->retx_hint || before(cb->seq, TCP_SKB_CB(tp->retx_hint)->seq))
				tp->retx_hint = skb;
			STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPLostRetransmit);
			found = true;
		} else if (!any || before(cb->tx.retx_mark, low)) {
			low = cb->tx.retx_mark;
			any = true;
		}
	}
	tp->lost_retrans_low = any ? low : tp->snd_nxt;
	return found;
}

bool tcp_mark_lost(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->lost_hint;
	uint32_t below = tp->lost_hint_sacked;

	if (!tp->sacked_out)
		return false;
	if (!skb) {
		skb = sent_first(tp);
		below = 0;
	}
	for (; skb && before(TCP_SKB_CB(skb)->seq, tp->highest_sack); skb = sent_next(tp, skb)) {
		if (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED) {
			below += TCP_SKB_CB(skb)->tx.sack_segs;
			continue;
		}
		if (tp->sacked_segs < below + tp->reordering)
			break;
		if (!(TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_RETRANS))
			tcp_mark_skb_lost(tp, skb);
	}
	tp->lost_hint = skb;
	tp->lost_hint_sacked = skb ? below : 0;
	return mark_lost_retrans(tp);
}
