/* SPDX-License-Identifier: MIT */
/*
 * tcp_info.c: struct tcp_info of <linux/tcp.h>, and the line of a show command. What Linux counts in segments and we in bytes is divided by the MSS.
 *
 * Not filled, because nothing here has them: fast open, ECN (delivered_ce), pacing rates (no pacing: all ones, as an unpaced Linux socket has).
 */
#include "tcp.h"
#include <linux/tcp.h>

int tcp_info_get(struct tcp_sock *tp, struct tcp_info *info);

static uint32_t segs(const struct tcp_sock *tp, uint32_t bytes) { return tp->mss ? (bytes + tp->mss - 1) / tp->mss : 0; }
static uint32_t ms_ago(const struct tcp_sock *tp, ktime_t when) { return when ? (uint32_t)((tcp_stack(tp)->now - when) / NSEC_PER_MSEC) : 0; }

static void fill_times(struct tcp_sock *tp, struct tcp_info *in)
{
	ktime_t st[3];

	in->tcpi_rto = (uint32_t)(tp->rto / NSEC_PER_USEC);
	in->tcpi_ato = (uint32_t)(tp->ato / NSEC_PER_USEC);
	in->tcpi_last_data_sent = ms_ago(tp, tp->lsndtime);
	in->tcpi_last_data_recv = ms_ago(tp, tp->lrcvtime);
	in->tcpi_last_ack_recv = ms_ago(tp, tp->last_ack_rcv);
	in->tcpi_rtt = tp->srtt_us >> 3;
	in->tcpi_rttvar = tp->rttvar_us >> 2;
	in->tcpi_rcv_rtt = tp->rcv_rtt_us >> 3;
	in->tcpi_min_rtt = tp->min_rtt_us ? tp->min_rtt_us : UINT32_MAX;
	memcpy(st, tp->chrono_stat, sizeof(st));
	if (tp->chrono)
		st[tp->chrono - 1] += tcp_stack(tp)->now - tp->chrono_start;
	in->tcpi_busy_time = (uint64_t)((st[0] + st[1] + st[2]) / NSEC_PER_USEC);
	in->tcpi_rwnd_limited = (uint64_t)(st[1] / NSEC_PER_USEC);
	in->tcpi_sndbuf_limited = (uint64_t)(st[2] / NSEC_PER_USEC);
}

static void fill_sender(struct tcp_sock *tp, struct tcp_info *in)
{
	in->tcpi_snd_mss = tp->mss;
	in->tcpi_unacked = segs(tp, tcp_out(tp));
	in->tcpi_sacked = segs(tp, tp->sacked_out);
	in->tcpi_lost = segs(tp, tp->lost_out);
	in->tcpi_retrans = segs(tp, tp->retrans_out);
	in->tcpi_pmtu = tp->pmtu;
	in->tcpi_snd_ssthresh = tp->ssthresh >= TCP_INFINITE_SSTHRESH ? TCP_INFINITE_SSTHRESH : segs(tp, tp->ssthresh);
	in->tcpi_snd_cwnd = segs(tp, tp->cwnd);
	in->tcpi_reordering = tp->reordering;
	in->tcpi_total_retrans = tp->total_retrans;
	in->tcpi_pacing_rate = in->tcpi_max_pacing_rate = UINT64_MAX;
	in->tcpi_bytes_acked = tp->bytes_acked;
	in->tcpi_segs_out = tp->segs_out;
	in->tcpi_notsent_bytes = tp->send_head ? tp->write_seq - tp->snd_nxt : 0;
	in->tcpi_data_segs_out = tp->data_segs_out;
	if (tp->rate_interval_us) {
		in->tcpi_delivery_rate = tp->rate_delivered * 1000000 / tp->rate_interval_us;
		in->tcpi_delivery_rate_app_limited = tp->rate_app_limited;
	}
	in->tcpi_delivered = tp->mss ? (uint32_t)(tp->delivered / tp->mss) : 0;
	in->tcpi_bytes_sent = tp->bytes_sent;
	in->tcpi_bytes_retrans = tp->bytes_retrans;
	in->tcpi_dsack_dups = tp->dsack_dups;
	in->tcpi_reord_seen = tp->reord_seen;
	in->tcpi_snd_wnd = tp->snd_wnd;
}

int tcp_info_get(struct tcp_sock *tp, struct tcp_info *in)
{
	memset(in, 0, sizeof(*in));
	in->tcpi_state = tp->sk.state;
	if (tp->sk.state == SS_LISTEN) { /* as Linux shows it: queue and its limit */
		in->tcpi_unacked = tp->listen->naccept;
		in->tcpi_sacked = tp->listen->backlog;
		in->tcpi_reordering = tp->reordering;
		return 0;
	}
	in->tcpi_ca_state = tp->ca_state;
	in->tcpi_retransmits = tp->retransmits;
	in->tcpi_probes = tp->probes_out;
	in->tcpi_backoff = tp->backoff;
	if (tp->tstamp_ok)
		in->tcpi_options |= TCPI_OPT_TIMESTAMPS;
	if (tp->sack_ok)
		in->tcpi_options |= TCPI_OPT_SACK;
	if (tp->wscale_ok) {
		in->tcpi_options |= TCPI_OPT_WSCALE;
		in->tcpi_snd_wscale = tp->snd_wscale & 15;
		in->tcpi_rcv_wscale = tp->rcv_wscale & 15;
	}
	in->tcpi_rcv_mss = tp->rcv_mss;
	in->tcpi_advmss = tp->advmss;
	in->tcpi_rcv_ssthresh = tp->rcv_ssthresh;
	in->tcpi_rcv_space = tp->rcvq_space;
	in->tcpi_bytes_received = tp->bytes_received;
	in->tcpi_segs_in = tp->segs_in;
	in->tcpi_data_segs_in = tp->data_segs_in;
	in->tcpi_rcv_ooopack = tp->rcv_ooopack;
	fill_times(tp, in);
	fill_sender(tp, in);
	return 0;
}

static void fill_timer(const struct tcp_sock *tp, struct sock_info *info)
{
	ktime_t now = tcp_stack(tp)->now;

	if (tp->rtx_kind != TCP_TIMER_NONE) {
		info->timer = tp->rtx_kind == TCP_TIMER_RETRANS ? 1 : 4;
		info->expires = tp->rtx_deadline - now;
		info->retrans = tp->rtx_kind == TCP_TIMER_RETRANS ? tp->retransmits : tp->probes_out;
	} else if (timer_pending(&tp->keep_timer)) {
		info->timer = 2;
		info->expires = tp->keep_timer.expires - now;
		info->retrans = tp->keep_probes_out;
	}
}

void tcp_info_fill(struct sock *sk, struct sock_info *info)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_info in;

	if (sk->state == SS_LISTEN) {
		info->recvq = tp->listen->naccept;
		info->sendq = tp->listen->backlog;
	} else {
		info->recvq = tcp_inq(tp);
		info->sendq = tp->write_seq - tp->snd_una;
	}
	fill_timer(tp, info);
	info->has_tcp_info = true;
	strncpy(info->cong, tp->ca->name, sizeof(info->cong) - 1);
	tcp_info_get(tp, &in);
	memcpy(info->tcp_info, &in, sizeof(in) < sizeof(info->tcp_info) ? sizeof(in) : sizeof(info->tcp_info));
}

/* What the dump of sockets shows of half-open connections and of TIME-WAIT. */
void tcp_mini_info(struct stack *stack, const struct ehash_entry *e, struct sock_info *info)
{
	if (e->kind == EHASH_REQ) {
		const struct tcp_req *req = container_of(e, const struct tcp_req, eh);

		info->retrans = req->retrans;
		info->expires = timer_pending(&req->timer) ? req->timer.expires - stack->now : 0;
	} else if (e->kind == EHASH_TW) {
		const struct tcp_tw *tw = container_of(e, const struct tcp_tw, eh);

		info->state = tw->substate;
		info->expires = timer_pending(&tw->timer) ? tw->timer.expires - stack->now : 0;
	}
}
