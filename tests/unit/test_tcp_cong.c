/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_cong.c: CUBIC and Reno against their formulas in floating point, the RTT estimator against RFC 6298, sequence comparison, numbers of a connection.
 */
#include "../lib/host.h"
#include "tcp.h"
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>

uint32_t tcp_cubic_root(uint64_t a);

static struct tcp_sock *new_sock(struct host *h, uint8_t cong)
{
	struct tcp_sock *tp = tcp_sk(sk_alloc(h->shard[0].stack, AF_INET, &tcp_prot));

	tcp_cong_assign(tp, cong);
	tp->mss = 1000;
	tp->srtt_us = 50000 << 3;
	tp->cwnd_limited = true;
	return tp;
}

Test(tcp_cong, cube_root)
{
	uint64_t rng = test_seed("cube_root", 5);

	for (uint32_t r = 0; r < 2000; r++) {
		uint64_t c = (uint64_t)r * r * r;

		cr_assert_eq(tcp_cubic_root(c), r);
		if (r > 1)
			cr_assert_eq(tcp_cubic_root(c - 1), r - 1);
	}
	for (int i = 0; i < 10000; i++) {
		uint64_t a = test_random(&rng) >> (1 + test_random_below(&rng, 62));
		uint64_t r = tcp_cubic_root(a);

		cr_assert(r == (1u << 21) - 1 || (r * r * r <= a && (r + 1) * (r + 1) * (r + 1) > a));
	}
}

Test(tcp_cong, reno)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);
	struct tcp_sock *tp = new_sock(h, TCP_CONG_RENO);

	tp->cwnd = 10000;
	tp->ssthresh = 20000;
	for (int i = 0; i < 10; i++)
		tp->ca->cong_avoid(tp, 1000);
	cr_assert_eq(tp->cwnd, 20000u); /* slow start doubles */
	for (int i = 0; i < 20; i++)
		tp->ca->cong_avoid(tp, 1000);
	cr_assert_eq(tp->cwnd, 21000u); /* then one segment a window */
	cr_assert_eq(tp->ca->ssthresh(tp), 10500u);
	tp->cwnd = 1500;
	cr_assert_eq(tp->ca->ssthresh(tp), 2000u);
	sock_put(&tp->sk);
	host_free(h);
}

/* A window of 100 segments at 50 ms: after a loss it follows W(t) = 0.4 (t - K)^3 + 100. */
Test(tcp_cong, cubic_follows_its_curve)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);
	struct stack *stack = h->shard[0].stack;
	struct tcp_sock *tp = new_sock(h, TCP_CONG_CUBIC);

	tp->cwnd = 200000;
	tp->ssthresh = tp->ca->ssthresh(tp);
	cr_assert_eq(tp->ssthresh, 140000u); /* beta = 0.7 */
	tp->cwnd = tp->ssthresh;
	double k = cbrt(60 / 0.4);
	ktime_t t0 = stack->now + NSEC_PER_MSEC;

	for (int rtt = 0; rtt < 240; rtt++) {
		stack_set_now(stack, t0 + (ktime_t)rtt * 50 * NSEC_PER_MSEC);
		uint32_t w = tp->cwnd / tp->mss;

		for (uint32_t i = 0; i < w; i++)
			tp->ca->cong_avoid(tp, 1000);
		/* Reno's part: 9/17 of a segment a round trip until the old window is regained, then one. */
		double t = (rtt + 1) * 0.05, want = 0.4 * pow(t - k, 3) + 200, reno = 140 + 9.0 / 17 * rtt;

		if (reno > 200)
			reno = 200 + (rtt - 60 * 17 / 9.0);

		if (want < reno)
			want = reno;
		cr_assert(fabs(tp->cwnd / 1000.0 - want) < want * 0.04 + 2, "at %.2f s: %.1f, expected %.1f", t, tp->cwnd / 1000.0, want);
	}
	sock_put(&tp->sk);
	host_free(h);
}

Test(tcp_cong, cubic_fast_convergence_and_undo)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);
	struct tcp_sock *tp = new_sock(h, TCP_CONG_CUBIC);

	tp->cwnd = 100000;
	(void)tp->ca->ssthresh(tp);
	uint32_t w_max = (uint32_t)tp->ca_priv[0];

	cr_assert_eq(w_max, 100000u);
	tp->cwnd = 80000;
	(void)tp->ca->ssthresh(tp);
	cr_assert_eq((uint32_t)tp->ca_priv[0], 68000u); /* 80 * (1 + 0.7) / 2 */
	tp->prior_cwnd = 80000;
	tp->cwnd = 56000;
	cr_assert_eq(tp->ca->undo_cwnd(tp), 80000u);
	cr_assert_eq((uint32_t)tp->ca_priv[0], 100000u);
	sock_put(&tp->sk);
	host_free(h);
}

/* RFC 6298 section 2, for samples that do not fall below the mean by more than the variance. */
Test(tcp_cong, rtt_estimator)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);
	struct tcp_sock *tp = new_sock(h, TCP_CONG_RENO);
	double srtt = 0, var = 0;
	uint64_t rng = test_seed("rtt", 6);

	tp->srtt_us = 0;
	for (int i = 0; i < 1000; i++) {
		double r = 400000 + test_random_below(&rng, 300000);

		if (i == 0) {
			srtt = r;
			var = r / 2;
		} else {
			if (r < srtt && srtt - r > var)
				r = srtt - var;
			var = 0.75 * var + 0.25 * fabs(srtt - r);
			srtt = 0.875 * srtt + 0.125 * r;
		}
		tcp_rtt_sample(tp, (int64_t)r);
		cr_assert(fabs((tp->srtt_us >> 3) - srtt) < 50, "srtt %u, expected %f", tp->srtt_us >> 3, srtt);
		cr_assert(fabs((tp->rttvar_us >> 2) - var) < 50, "rttvar %u, expected %f", tp->rttvar_us >> 2, var);
		double rto = srtt + (4 * var > 200000 ? 4 * var : 200000);

		cr_assert(fabs((double)tp->rto / 1000 - rto) < 500);
	}
	tcp_rtt_sample(tp, 1000000000000);
	cr_assert(tp->rto <= TCP_RTO_MAX);
	sock_put(&tp->sk);
	host_free(h);
}

Test(tcp_cong, sequence_comparison_wraps)
{
	cr_assert(before(0xffffffffu, 0) && after(0, 0xffffffffu) && before(1, 2) && !before(2, 2));
	cr_assert(seq_between(0, 0xfffffff0u, 10) && !seq_between(11, 0xfffffff0u, 10) && seq_between(5, 5, 5));
	cr_assert_eq(seq_max(0xfffffff0u, 5), 5u);
}

/* RFC 6528: the same tuple moves with the clock; others are elsewhere; another key, another place. */
Test(tcp_cong, initial_sequence_numbers)
{
	struct host *a = host_new("a", 1, 1, NULL, NULL), *b = host_new("b", 1, 2, NULL, NULL);
	struct ipaddr l = ipaddr_v4(0x01020304), r = ipaddr_v4(0x05060708);
	struct stack *s = a->shard[0].stack;
	uint32_t x = tcp_secure_seq(s, &l, 80, &r, 1000), off = tcp_secure_ts_off(s, &l, 80, &r, 1000);

	cr_assert_neq(x, tcp_secure_seq(s, &l, 80, &r, 1001));
	cr_assert_neq(x, tcp_secure_seq(s, &l, 81, &r, 1000));
	cr_assert_neq(x, tcp_secure_seq(s, &r, 80, &l, 1000));
	cr_assert_neq(x, tcp_secure_seq(b->shard[0].stack, &l, 80, &r, 1000));
	stack_set_now(s, s->now + 64000);
	cr_assert_eq(tcp_secure_seq(s, &l, 80, &r, 1000), x + 1000);
	cr_assert_eq(tcp_secure_ts_off(s, &l, 80, &r, 1000), off);
	host_free(a);
	host_free(b);
}

Test(tcp_cong, illegal_step_traps, .signal = SIGILL)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);

	tcp_set_state(new_sock(h, TCP_CONG_RENO), SS_ESTABLISHED); /* not from CLOSED */
}

/* What an idle connection costs. */
Test(tcp_cong, size)
{
	cr_assert(sizeof(struct tcp_sock) <= 2048, "%zu bytes", sizeof(struct tcp_sock));
	cr_assert(sizeof(struct tcp_req) <= 320, "%zu bytes", sizeof(struct tcp_req));
	cr_assert(sizeof(struct tcp_tw) <= 400, "%zu bytes", sizeof(struct tcp_tw));
}
