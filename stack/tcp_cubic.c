/* SPDX-License-Identifier: MIT */
/*
 * tcp_cubic.c: CUBIC, RFC 9438. C = 0.4, beta = 0.7, in integers: time in milliseconds, windows in bytes.
 *
 *   W_cubic(t) = C (t - K)^3 + W_max      (section 4.2; W in segments, t in seconds)
 *   K = cbrt((W_max - cwnd_epoch) / C)
 *   W_est: what Reno with the same beta would have by now (4.3); the larger of both is the target
 * Fast convergence (4.7) lowers W_max when a flow loses before it has regained its old window. A spurious reduction restores W_max and the epoch (4.9).
 *
 * Not done here: HyStart (RFC 9406).
 */
#include "tcp.h"

struct cubic {
	uint32_t w_max, w_est, est_cnt; /* bytes */
	uint32_t cwnd_prior; /* cwnd when the last reduction came: where alpha becomes 1 */
	uint32_t k_ms;
	uint32_t undo_w_max, undo_k_ms;
	uint32_t origin; /* W_max of the running epoch */
	ktime_t  epoch, undo_epoch; /* 0: a new one begins with the next ACK */
	uint32_t undo_w_est, undo_cwnd_prior, undo_origin;
};
_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_sock *)0)->ca_priv), "fits");

static struct cubic *cubic_of(struct tcp_sock *tp) { return (struct cubic *)(void *)tp->ca_priv; }

uint32_t tcp_cubic_root(uint64_t a);

/* Largest r with r^3 <= a. */
uint32_t tcp_cubic_root(uint64_t a)
{
	uint64_t r = 0;

	for (int s = 20; s >= 0; s--) {
		uint64_t t = r | (UINT64_C(1) << s);

		if (t * t * t <= a)
			r = t;
	}
	return (uint32_t)r;
}

static uint32_t cubic_ssthresh(struct tcp_sock *tp)
{
	struct cubic *c = cubic_of(tp);

	c->undo_w_max = c->w_max;
	c->undo_k_ms = c->k_ms;
	c->undo_epoch = c->epoch;
	c->undo_w_est = c->w_est;
	c->undo_cwnd_prior = c->cwnd_prior;
	c->undo_origin = c->origin;
	c->epoch = 0;
	c->cwnd_prior = tp->cwnd;
	if (tp->cwnd < c->w_max)
		c->w_max = (uint32_t)((uint64_t)tp->cwnd * 17 / 20); /* (1 + beta) / 2 */
	else
		c->w_max = tp->cwnd;
	return u32_max((uint32_t)((uint64_t)tp->cwnd * 7 / 10), 2 * tp->mss);
}

static void epoch_start(struct tcp_sock *tp, struct cubic *c)
{
	c->epoch = tcp_stack(tp)->now ? tcp_stack(tp)->now : 1;
	c->w_est = tp->cwnd;
	c->est_cnt = 0;
	tp->cwnd_cnt = 0;
	if (c->w_max <= tp->cwnd) {
		c->k_ms = 0;
		c->origin = tp->cwnd;
	} else {
		uint64_t segs = (c->w_max - tp->cwnd) / tp->mss;

		c->k_ms = tcp_cubic_root(segs * UINT64_C(2500000000)); /* cbrt(segs / 0.4) seconds */
		c->origin = c->w_max;
	}
}

static uint32_t w_cubic(const struct tcp_sock *tp, const struct cubic *c, int64_t t_ms)
{
	int64_t d = t_ms - (int64_t)c->k_ms;
	bool neg = d < 0;

	if (neg)
		d = -d;
	if (d > 100000)
		d = 100000;
	/* 0.4 (d/1000)^3 segments */
	uint64_t delta = (uint64_t)d * (uint64_t)d * (uint64_t)d / 1000 * 4 * tp->mss / 10000000;

	if (neg)
		return delta < c->origin ? c->origin - (uint32_t)delta : tp->mss;
	uint64_t w = c->origin + delta;

	return w < UINT32_C(0x40000000) ? (uint32_t)w : UINT32_C(0x40000000);
}

static void reno_friendly(struct tcp_sock *tp, struct cubic *c, uint32_t acked)
{
	/* alpha = 3 (1 - beta) / (1 + beta) = 9/17 until the old window is regained, then 1 */
	uint64_t need = tp->cwnd;

	if (c->w_est < c->cwnd_prior)
		need = need * 17 / 9;
	c->est_cnt += acked;
	if (need && c->est_cnt >= need) {
		c->w_est += (uint32_t)(c->est_cnt / need) * tp->mss;
		c->est_cnt %= (uint32_t)need;
	}
}

static void cubic_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	struct cubic *c = cubic_of(tp);

	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	if (!c->epoch)
		epoch_start(tp, c);
	int64_t t = (tcp_stack(tp)->now - c->epoch) / NSEC_PER_MSEC + (tp->srtt_us >> 3) / 1000;
	uint32_t target = w_cubic(tp, c, t), most = tp->cwnd + tp->cwnd / 2;

	reno_friendly(tp, c, acked);
	target = u32_max(u32_min(target, most), u32_min(c->w_est, most));
	if (target > tp->cwnd)
		tcp_cong_avoid_ai(tp, (uint32_t)((uint64_t)tp->cwnd * tp->mss / (target - tp->cwnd)), acked);
	else
		tcp_cong_avoid_ai(tp, u32_min(tp->cwnd, UINT32_MAX / 128) * 100, acked);
}

static uint32_t cubic_undo(struct tcp_sock *tp)
{
	struct cubic *c = cubic_of(tp);

	c->w_max = c->undo_w_max;
	c->k_ms = c->undo_k_ms;
	c->epoch = c->undo_epoch;
	c->w_est = c->undo_w_est;
	c->cwnd_prior = c->undo_cwnd_prior;
	c->origin = c->undo_origin;
	return tcp_reno_undo_cwnd(tp);
}

static void cubic_state(struct tcp_sock *tp, enum tcp_ca_state to)
{
	if (to == TCP_CA_Loss)
		cubic_of(tp)->epoch = 0; /* 4.8: after a timeout a new epoch begins */
}

/* Time without sending is no time for the curve. */
static void cubic_tx_start(struct tcp_sock *tp)
{
	struct cubic *c = cubic_of(tp);
	ktime_t idle = tcp_stack(tp)->now - tp->lsndtime;

	if (!c->epoch || idle <= 0 || !tp->lsndtime)
		return;
	c->epoch += idle;
	if (c->epoch > tcp_stack(tp)->now)
		c->epoch = tcp_stack(tp)->now;
}

const struct tcp_cong_ops tcp_cubic = { .name = "cubic", .ssthresh = cubic_ssthresh, .cong_avoid = cubic_cong_avoid, .undo_cwnd = cubic_undo,
					.set_state = cubic_state, .tx_start = cubic_tx_start };
