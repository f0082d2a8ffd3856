/* SPDX-License-Identifier: MIT */
/*
 * tcp_sockopt.c: options of level IPPROTO_TCP, with Linux's names, ranges and error numbers (tcp(7)).
 *
 * Not done here: TCP_FASTOPEN, TCP_MD5SIG, TCP_REPAIR, TCP_ULP: -ENOPROTOOPT.
 */
#include "tcp.h"
#include "sock_priv.h"
#include <errno.h>
#include <linux/tcp.h>

int tcp_info_get(struct tcp_sock *tp, struct tcp_info *info);

static int set_congestion(struct tcp_sock *tp, const void *val, socklen_t len)
{
	uint8_t index;

	if (len < 1 || !val)
		return -EINVAL;
	if (!tcp_cong_find(val, len < 15 ? len : 15, &index))
		return -ENOENT;
	if (index != tp->cong_index)
		tcp_cong_assign(tp, index);
	return 0;
}

/* What Nagle's rule or a cork holds goes now; a cork holds what is written from here on. */
static void push_held(struct tcp_sock *tp)
{
	uint8_t keep = tp->nagle;

	if (!tp->send_head)
		return;
	TCP_SKB_CB(skb_peek_tail(&tp->wq))->flags |= TCPHDR_PSH;
	tp->nagle |= TCP_NAGLE_PUSH;
	tcp_push_pending(tp);
	tp->nagle = keep;
}

static int set_nodelay(struct tcp_sock *tp, int v)
{
	if (!v) {
		tp->nagle &= (uint8_t)~TCP_NAGLE_OFF;
		return 0;
	}
	tp->nagle |= TCP_NAGLE_OFF;
	push_held(tp);
	return 0;
}

static int set_cork(struct tcp_sock *tp, int v)
{
	if (v) {
		tp->nagle |= TCP_NAGLE_CORK;
		return 0;
	}
	bool was = tp->nagle & TCP_NAGLE_CORK;

	tp->nagle &= (uint8_t)~TCP_NAGLE_CORK;
	if (was)
		push_held(tp);
	return 0;
}

static int set_keepidle(struct tcp_sock *tp, int v)
{
	if (v < 1 || v > 32767)
		return -EINVAL;
	tp->keep_time = (uint32_t)v;
	if (tp->sk.keepopen && tp->sk.state != SS_CLOSE && tp->sk.state != SS_LISTEN) {
		ktime_t last = tp->last_ack_rcv > tp->lrcvtime ? tp->last_ack_rcv : tp->lrcvtime, idle = tcp_stack(tp)->now - last;
		ktime_t left = tcp_keep_time(tp) > idle ? tcp_keep_time(tp) - idle : 0;

		tcp_keep_timer_set(tp, left);
	}
	return 0;
}

/* Seconds to a number of SYN-ACK timeouts: what the listener waits through. */
static uint32_t secs_to_retrans(int secs)
{
	uint32_t n = 0;
	int t = 1, period = 1;

	if (secs <= 0)
		return 0;
	for (n = 1; secs > period && n < 255; n++) {
		t = t * 2 < 120 ? t * 2 : 120;
		period += t;
	}
	return n;
}

static int retrans_to_secs(uint32_t n)
{
	int t = 1, period = n ? 1 : 0;

	while (n-- > 1) {
		t = t * 2 < 120 ? t * 2 : 120;
		period += t;
	}
	return period;
}

static int set_quickack(struct tcp_sock *tp, int v)
{
	if (!v) {
		tp->quickack_set = false;
		tp->quick = 0;
		tp->pingpong = 3;
		return 0;
	}
	tp->pingpong = 0;
	tp->quickack_set = !!(v & 1);
	if ((tp->sk.state == SS_ESTABLISHED || tp->sk.state == SS_CLOSE_WAIT) && (tp->ack_flags & TCP_ACK_SCHED))
		tcp_send_ack(tp);
	return 0;
}

static int set_maxseg(struct tcp_sock *tp, int v)
{
	if (v && (v < (int)TCP_MIN_MSS + 40 || v > 32767))
		return -EINVAL;
	tp->user_mss = (uint32_t)v;
	if (tp->sk.state != SS_CLOSE && tp->sk.state != SS_LISTEN && tp->pmtu)
		tcp_sync_mss(tp, tp->pmtu);
	return 0;
}

static int set_clamp(struct tcp_sock *tp, int v)
{
	if (!v) {
		if (tp->sk.state != SS_CLOSE)
			return -EINVAL;
		tp->window_clamp = 65535u << TCP_MAX_WSCALE;
		return 0;
	}
	if (v < 0)
		return -EINVAL;
	tp->window_clamp = u32_max((uint32_t)v, 2304 / 2);
	tp->rcv_ssthresh = u32_min(tp->rcv_ssthresh, tp->window_clamp);
	return 0;
}

static int set_linger2(struct tcp_sock *tp, int v)
{
	if (v < 0)
		tp->linger2 = -1;
	else if (v > 120)
		tp->linger2 = 0;
	else
		tp->linger2 = v;
	return 0;
}

int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int v;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION)
		return set_congestion(tp, val, len);
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (name) {
	case TCP_MAXSEG:
		return set_maxseg(tp, v);
	case TCP_NODELAY:
		return set_nodelay(tp, v);
	case TCP_CORK:
		return set_cork(tp, v);
	case TCP_KEEPIDLE:
		return set_keepidle(tp, v);
	case TCP_KEEPINTVL:
		if (v < 1 || v > 32767)
			return -EINVAL;
		tp->keep_intvl = (uint32_t)v;
		return 0;
	case TCP_KEEPCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		tp->keep_probes = (uint8_t)v;
		return 0;
	case TCP_SYNCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		tp->syn_retries_max = (int8_t)v;
		return 0;
	case TCP_LINGER2:
		return set_linger2(tp, v);
	case TCP_DEFER_ACCEPT:
		tp->defer_accept = secs_to_retrans(v);
		return 0;
	case TCP_WINDOW_CLAMP:
		return set_clamp(tp, v);
	case TCP_QUICKACK:
		return set_quickack(tp, v);
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		tp->user_timeout_ms = (uint32_t)v;
		return 0;
	case TCP_NOTSENT_LOWAT:
		tp->notsent_lowat = (uint32_t)v;
		sk_write_space(sk);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct sysctl_values *sc = sk->stack->sysctl;
	int v;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	switch (name) {
	case TCP_MAXSEG:
		v = (int)(tp->mss ? tp->mss : TCP_MSS_DEFAULT);
		if (tp->user_mss && (sk->state == SS_CLOSE || sk->state == SS_LISTEN))
			v = (int)tp->user_mss;
		break;
	case TCP_NODELAY:
		v = !!(tp->nagle & TCP_NAGLE_OFF);
		break;
	case TCP_CORK:
		v = !!(tp->nagle & TCP_NAGLE_CORK);
		break;
	case TCP_KEEPIDLE:
		v = (int)(tcp_keep_time(tp) / NSEC_PER_SEC);
		break;
	case TCP_KEEPINTVL:
		v = (int)(tcp_keep_intvl(tp) / NSEC_PER_SEC);
		break;
	case TCP_KEEPCNT:
		v = (int)tcp_keep_probes(tp);
		break;
	case TCP_SYNCNT:
		v = tp->syn_retries_max ? tp->syn_retries_max : sc->tcp_syn_retries;
		break;
	case TCP_LINGER2:
		v = tp->linger2 < 0 ? -1 : tp->linger2 ? tp->linger2 : sc->tcp_fin_timeout;
		break;
	case TCP_DEFER_ACCEPT:
		v = retrans_to_secs(tp->defer_accept);
		break;
	case TCP_WINDOW_CLAMP:
		v = (int)tp->window_clamp;
		break;
	case TCP_QUICKACK:
		v = tp->quickack_set || tp->pingpong < 3;
		break;
	case TCP_USER_TIMEOUT:
		v = (int)tp->user_timeout_ms;
		break;
	case TCP_NOTSENT_LOWAT:
		v = (int)tp->notsent_lowat;
		break;
	case TCP_CONGESTION: {
		char cong[16] = "";

		strncpy(cong, tp->ca->name, sizeof(cong) - 1);
		return opt_put(val, len, cong, sizeof(cong));
	}
	case TCP_INFO: {
		struct tcp_info info;

		tcp_info_get(tp, &info);
		return opt_put(val, len, &info, sizeof(info));
	}
	default:
		return -ENOPROTOOPT;
	}
	return opt_put_int(val, len, v);
}
