/* SPDX-License-Identifier: MIT */
/*
 * tcp_cong.c: congestion control: the table of algorithms, what they share, and Reno (RFC 5681). Bytes everywhere.
 *
 * The recovery state machine (tcp_ack.c) owns cwnd during a reduction; an algorithm says to what ssthresh it goes down and how cwnd grows otherwise.
 * Growth counts acknowledged bytes (RFC 3465 with L unlimited, as receivers here and elsewhere acknowledge whole batches) and only while cwnd is what
 * limits (RFC 7661's concern); after idling cwnd decays to the restart window (RFC 5681 4.1, RFC 2861).
 */
#include "tcp.h"
#include <string.h>

static const struct tcp_cong_ops *const table[TCP_CONG_MAX] = { [TCP_CONG_CUBIC] = &tcp_cubic, [TCP_CONG_RENO] = &tcp_reno };

/* The first when out of range. */
static const struct tcp_cong_ops *tcp_cong_get(uint8_t index) { return table[index < TCP_CONG_MAX ? index : 0]; }

const struct tcp_cong_ops *tcp_cong_find(const char *name, size_t len, uint8_t *ret_index)
{
	for (unsigned i = 0; i < TCP_CONG_MAX; i++) {
		size_t n = strnlen(name, len);

		if (strlen(table[i]->name) == n && memcmp(table[i]->name, name, n) == 0) {
			*ret_index = (uint8_t)i;
			return table[i];
		}
	}
	return NULL;
}

void tcp_cong_assign(struct tcp_sock *tp, uint8_t index)
{
	tp->cong_index = index < TCP_CONG_MAX ? index : 0;
	tp->ca = tcp_cong_get(index);
	memset(tp->ca_priv, 0, sizeof(tp->ca_priv));
	if (tp->ca->init)
		tp->ca->init(tp);
}

uint32_t tcp_init_cwnd_bytes(const struct tcp_sock *tp)
{
	/* RFC 6928: min(10 MSS, max(2 MSS, 14600)) */
	return u32_min(TCP_INIT_CWND * tp->mss, u32_max(2 * tp->mss, 14600));
}

/* RFC 5681 3.1. Returns the bytes beyond ssthresh. */
uint32_t tcp_slow_start(struct tcp_sock *tp, uint32_t acked)
{
	uint64_t w = (uint64_t)tp->cwnd + acked;
	uint32_t to = w > tp->ssthresh ? tp->ssthresh : (uint32_t)w;

	acked -= to - tp->cwnd;
	tp->cwnd = to;
	return acked;
}

void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t w, uint32_t acked)
{
	if (!w)
		w = 1;
	if (tp->cwnd_cnt >= w) { /* gathered when steps were further apart: one step, not all of them */
		tp->cwnd_cnt = 0;
		tp->cwnd += tp->mss;
	}
	tp->cwnd_cnt += acked;
	if (tp->cwnd_cnt >= w) {
		uint64_t n = (uint64_t)(tp->cwnd_cnt / w) * tp->mss + tp->cwnd;

		tp->cwnd_cnt %= w;
		tp->cwnd = n < UINT32_C(0x40000000) ? (uint32_t)n : UINT32_C(0x40000000);
	}
}

bool tcp_is_cwnd_limited(const struct tcp_sock *tp)
{
	if (tcp_in_slow_start(tp))
		return tp->cwnd < 2 * u32_max(tp->cwnd_used, tcp_in_flight(tp)) || tp->cwnd_limited;
	return tp->cwnd_limited;
}

/* After sending. limited: cwnd is what stopped us, or nearly. */
void tcp_cwnd_validate(struct tcp_sock *tp, bool limited)
{
	struct stack *stack = tcp_stack(tp);
	uint32_t flight = tcp_out(tp);

	if (!before(tp->snd_una, tp->cwnd_used_seq) || limited) {
		tp->cwnd_used = flight;
		tp->cwnd_limited = limited;
		tp->cwnd_used_seq = tp->snd_nxt;
	} else if (flight > tp->cwnd_used) {
		tp->cwnd_used = flight;
	}
	if (tp->cwnd_limited) {
		tp->cwnd_stamp = stack->now;
	} else if (stack->sysctl->tcp_slow_start_after_idle && !tp->send_head && tp->ca_state == TCP_CA_Open &&
		   stack->now - tp->cwnd_stamp >= tp->rto) {
		/* A whole RTO with less than cwnd in use: nothing was learned about the rest (RFC 2861). */
		uint32_t used = u32_max(tp->cwnd_used, tcp_init_cwnd_bytes(tp));

		if (used < tp->cwnd) {
			tp->ssthresh = u32_max(tp->ssthresh, tp->cwnd / 4 * 3);
			tp->cwnd = (tp->cwnd + used) / 2;
		}
		tp->cwnd_used = flight;
		tp->cwnd_stamp = stack->now;
	}
}

/* The network is empty and we begin anew. */
void tcp_cwnd_after_idle(struct tcp_sock *tp)
{
	struct stack *stack = tcp_stack(tp);
	ktime_t idle = stack->now - tp->lsndtime;
	uint32_t restart = u32_min(tcp_init_cwnd_bytes(tp), tp->cwnd);

	if (!stack->sysctl->tcp_slow_start_after_idle || tcp_out(tp) || !tp->lsndtime || idle <= tp->rto)
		return;
	tp->ssthresh = u32_max(tp->ssthresh, tp->cwnd / 4 * 3);
	while (idle > tp->rto && tp->cwnd > restart) {
		tp->cwnd /= 2;
		idle -= tp->rto;
	}
	tp->cwnd = u32_max(tp->cwnd, restart);
	tp->cwnd_stamp = stack->now;
	tp->cwnd_used = 0;
}

/* ---- Reno ------------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t reno_ssthresh(struct tcp_sock *tp) { return u32_max(tp->cwnd / 2, 2 * tp->mss); }

static void reno_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	tcp_cong_avoid_ai(tp, tp->cwnd, acked);
}

uint32_t tcp_reno_undo_cwnd(struct tcp_sock *tp) { return u32_max(tp->cwnd, tp->prior_cwnd); }

const struct tcp_cong_ops tcp_reno = { .name = "reno", .ssthresh = reno_ssthresh, .cong_avoid = reno_cong_avoid, .undo_cwnd = tcp_reno_undo_cwnd };
