/* SPDX-License-Identifier: MIT */
/*
 * tcp_rate.c: how fast data is delivered, and what limits a connection, for tcp_info.
 *
 * Delivery rate (draft-cheng-iccrg-delivery-rate-estimation): a segment remembers, when it is sent, how much had been delivered by then; when it is delivered, the difference over
 * the longer of the sending and the acknowledging interval is a sample. Samples taken while the application did not fill the window are marked.
 */
#include "tcp.h"

void tcp_rate_sent(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	ktime_t now = tcp_stack(tp)->now;

	skb->tstamp = now ? now : 1;
	if (!tcp_out(tp)) {
		tp->first_tx = now;
		tp->delivered_at = now;
	}
	cb->tx.first_tx = tp->first_tx;
	cb->tx.delivered_at = tp->delivered_at;
	cb->tx.delivered = tp->delivered;
	cb->tx.app_limited = tp->app_limited != 0;
}

void tcp_rate_delivered(const struct sk_buff *skb, struct tcp_rate_mark *mark)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (!skb->tstamp || skb->tstamp < mark->sent)
		return;
	mark->sent = skb->tstamp;
	mark->delivered_at = cb->tx.delivered_at;
	mark->first_tx = cb->tx.first_tx;
	mark->delivered = cb->tx.delivered;
	mark->app_limited = cb->tx.app_limited;
	mark->retrans = cb->sacked & TCPCB_EVER_RETRANS;
}

void tcp_rate_sample(struct tcp_sock *tp, const struct tcp_rate_mark *mark)
{
	ktime_t now = tcp_stack(tp)->now, snd, ack, iv;

	if (!mark->sent)
		return;
	tp->delivered_at = now;
	tp->first_tx = mark->sent;
	if (tp->app_limited && tp->delivered > tp->app_limited)
		tp->app_limited = 0;
	snd = mark->sent - mark->first_tx;
	ack = now - mark->delivered_at;
	iv = snd > ack ? snd : ack;
	if (iv <= 0 || iv < (ktime_t)tp->min_rtt_us * NSEC_PER_USEC)
		return; /* shorter than any round trip: a compressed batch */
	uint64_t bytes = tp->delivered - mark->delivered;
	uint32_t us = (uint32_t)(iv / NSEC_PER_USEC);

	if (!us)
		us = 1;
	/* A sample that the application limited counts only if it is the better one. */
	if (!mark->app_limited || !tp->rate_interval_us || bytes * tp->rate_interval_us >= tp->rate_delivered * us) {
		tp->rate_delivered = bytes;
		tp->rate_interval_us = us;
		tp->rate_app_limited = mark->app_limited;
	}
}

void tcp_rate_app_limited(struct tcp_sock *tp)
{
	if (!tp->send_head && tcp_in_flight(tp) < tp->cwnd && tp->lost_out <= tp->retrans_out)
		tp->app_limited = tp->delivered + tcp_in_flight(tp) ? tp->delivered + tcp_in_flight(tp) : 1;
}

/* what: 0 idle, 1 busy, 2 waiting for the peer's window, 3 waiting for send buffer */
void tcp_chrono(struct tcp_sock *tp, uint8_t what)
{
	ktime_t now = tcp_stack(tp)->now;

	if (tp->chrono == what)
		return;
	if (tp->chrono)
		tp->chrono_stat[tp->chrono - 1] += now - tp->chrono_start;
	tp->chrono = what;
	tp->chrono_start = now;
}
