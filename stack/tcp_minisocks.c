/* SPDX-License-Identifier: MIT */
/*
 * tcp_minisocks.c: connections at their two ends, when a full sock would be a waste: half-open ones (SYN-RECEIVED of a passive open) and TIME-WAIT.
 *
 * Half-open. A SYN costs one struct tcp_req (under 300 bytes), at most min(backlog, tcp_max_syn_backlog) of them a listener. When that many wait, the
 * oldest one that has already let one SYN-ACK go unanswered makes room; if there is none the SYN is dropped. So a flood costs bounded memory, and a peer that
 * answers within a second still gets in unless the flood fills the queue in that second. (SYN cookies would take the place of the drop in
 * tcp_conn_request.) The sock is made when the handshake's ACK comes; when the accept queue is full that ACK is dropped and the SYN-ACK goes
 * again until there is room, as on Linux.
 *
 * TIME-WAIT (RFC 9293 3.6, 3.10.7.4; RFC 6191; RFC 1337). 60 seconds. A new SYN with a higher sequence number or a later timestamp starts a
 * new connection. Orphans in FIN-WAIT-2 wait here, too, for tcp_fin_timeout.
 */
#include "tcp.h"
#include <errno.h>
#include <stdlib.h>

/* ---- caches ------------------------------------------------------------------------------------------------------------------------------------- */

struct tcp_chunk { struct tcp_chunk *next; };
#define CHUNK_OBJS 32

void *tcp_cache_get(struct tcp_cache *c)
{
	void *obj = c->free;

	if (!obj) {
		struct tcp_chunk *k = malloc(16 + c->size * CHUNK_OBJS);

		if (!k)
			return NULL;
		k->next = c->chunks;
		c->chunks = k;
		for (unsigned i = 0; i < CHUNK_OBJS; i++) {
			obj = (char *)k + 16 + i * c->size;
			memcpy(obj, &c->free, sizeof(void *));
			c->free = obj;
		}
	}
	memcpy(&c->free, obj, sizeof(void *));
	c->used++;
	return obj;
}

void tcp_cache_put(struct tcp_cache *c, void *obj)
{
	memcpy(obj, &c->free, sizeof(void *));
	c->free = obj;
	if (--c->used == 0) /* after a flood the memory goes back */
		tcp_cache_exit(c);
}

void tcp_cache_exit(struct tcp_cache *c)
{
	struct tcp_chunk *k;

	while ((k = c->chunks)) {
		c->chunks = k->next;
		free(k);
	}
	c->free = NULL;
}

/* ---- half-open: the SYN --------------------------------------------------------------------------------------------------------------------------- */

static void req_send_synack(struct stack *stack, struct tcp_req *req)
{
	struct tcp_syn_opts so = { .mss = req->advmss, .wscale = req->rcv_wscale, .wscale_ok = req->wscale_ok, .ts = req->tstamp_ok, .sack = req->sack_ok,
				   .tsval = tcp_ts_now(stack) + req->ts_off, .tsecr = req->ts_recent };
	struct tcp_ctl ctl = { .saddr = req->eh.saddr, .daddr = req->eh.daddr, .sport = req->eh.sport, .dport = req->eh.dport, .seq = req->snt_isn,
			       .ack = req->rcv_isn + 1, .window = req->rcv_wnd, .flags = TCPHDR_SYN | TCPHDR_ACK, .tos = req->listener->sk.tos,
			       .oif = req->eh.ifindex };

	ctl.optlen = (uint8_t)tcp_options_write_syn(ctl.opt, &so);
	(void)tcp_send_ctl(stack, &ctl);
}

static void req_send_ack(struct stack *stack, struct tcp_req *req)
{
	struct tcp_ctl ctl = { .saddr = req->eh.saddr, .daddr = req->eh.daddr, .sport = req->eh.sport, .dport = req->eh.dport, .seq = req->snt_isn + 1,
			       .ack = req->rcv_isn + 1, .window = req->rcv_wnd >> req->rcv_wscale, .flags = TCPHDR_ACK, .ts = req->tstamp_ok,
			       .tsval = tcp_ts_now(stack) + req->ts_off, .tsecr = req->ts_recent, .tos = req->listener->sk.tos, .oif = req->eh.ifindex };

	(void)tcp_send_ctl(stack, &ctl);
}

void tcp_req_free(struct stack *stack, struct tcp_req *req)
{
	timer_del(stack, &req->timer);
	inet_ehash_remove(stack, &req->eh);
	list_del(&req->node);
	req->listener->listen->nreqs--;
	stack->tcp->req_count--;
	tcp_cache_put(&stack->tcp->reqs, req);
}

static void req_fire(struct stack *stack, struct timer *t)
{
	struct tcp_req *req = container_of(t, struct tcp_req, timer);
	struct tcp_sock *lp = req->listener;
	int max = lp->syn_retries_max ? lp->syn_retries_max : stack->sysctl->tcp_synack_retries;

	if (req->timeouts >= max && !(req->acked && req->timeouts < lp->defer_accept)) {
		STACK_MIB_INC(stack, Tcp_AttemptFails);
		tcp_req_free(stack, req);
		return;
	}
	req->timeouts++;
	/* Deferred accept: the peer is known to be there and only its data is missing; it is asked again near the end. */
	if (!req->acked || !lp->defer_accept || req->timeouts >= lp->defer_accept) {
		req->retrans++;
		STACK_MIB_INC(stack, Tcp_RetransSegs);
		STACK_MIB_INC(stack, TcpExt_TCPSynRetrans);
		req_send_synack(stack, req);
	}
	ktime_t next = TCP_TIMEOUT_INIT << (req->timeouts < 7 ? req->timeouts : 7);

	timer_mod(stack, t, stack->now + (next < TCP_RTO_MAX ? next : TCP_RTO_MAX));
}

static bool req_make_room(struct stack *stack, struct tcp_listen *l)
{
	struct tcp_req *old = list_first(&l->reqs, struct tcp_req, node);

	if (!old || !old->timeouts || old->acked)
		return false;
	STACK_MIB_INC(stack, Tcp_AttemptFails);
	tcp_req_free(stack, old);
	return true;
}

static void req_options(struct stack *stack, struct tcp_sock *lp, struct tcp_req *req, const struct tcp_options *opt, uint32_t mtu)
{
	const struct sysctl_values *sc = stack->sysctl;
	uint32_t mss = opt->mss ? opt->mss : TCP_MSS_DEFAULT, adv = mtu > 40 + TCP_MIN_MSS ? mtu - 40 : TCP_MIN_MSS;

	req->mss = (uint16_t)u32_min(u32_max(mss, (uint32_t)sc->tcp_min_snd_mss), 65535);
	if (lp->user_mss)
		adv = u32_min(adv, lp->user_mss);
	req->advmss = (uint16_t)u32_min(adv, 65495);
	req->tstamp_ok = opt->saw_ts && sc->tcp_timestamps;
	req->sack_ok = opt->sack_perm && sc->tcp_sack;
	req->wscale_ok = opt->saw_wscale && sc->tcp_window_scaling;
	req->snd_wscale = req->wscale_ok ? opt->wscale : 0;
	req->ts_recent = opt->tsval;
	tcp_select_initial_window(stack, tcp_full_space(lp), req->advmss, lp->window_clamp != 65535u << TCP_MAX_WSCALE ? lp->window_clamp : 0,
				  req->wscale_ok, &req->rcv_wnd, &req->window_clamp, &req->rcv_wscale);
}

void tcp_conn_request(struct tcp_sock *lp, struct sk_buff *skb, const struct tcp_options *opt, uint32_t isn)
{
	struct stack *stack = tcp_stack(lp);
	struct tcp_listen *l = lp->listen;
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);
	const struct tcp_hdr *th = tcp_hdr_of(skb);
	uint32_t most = u32_max(u32_min(l->backlog, (uint32_t)stack->sysctl->tcp_max_syn_backlog), 8);
	struct skb_route rt;

	if (l->naccept > l->backlog) {
		STACK_MIB_INC(stack, TcpExt_ListenOverflows);
		STACK_MIB_INC(stack, TcpExt_ListenDrops);
		kfree_skb(skb, SKB_DROP_TCP_LISTEN_OVERFLOW);
		return;
	}
	if (l->nreqs >= most && !req_make_room(stack, l)) {
		STACK_MIB_INC(stack, TcpExt_TCPReqQFullDrop);
		STACK_MIB_INC(stack, TcpExt_ListenDrops);
		kfree_skb(skb, SKB_DROP_TCP_REQ_QUEUE_FULL);
		return;
	}
	struct tcp_req *req = tcp_cache_get(&stack->tcp->reqs);

	if (!req) {
		STACK_MIB_INC(stack, TcpExt_ListenDrops);
		kfree_skb(skb, SKB_DROP_NOMEM);
		return;
	}
	memset(req, 0, sizeof(*req));
	req->eh = (struct ehash_entry){ .saddr = ipaddr_v4(iph->daddr), .daddr = ipaddr_v4(iph->saddr), .sport = be16_to_cpu(th->dest),
					.dport = be16_to_cpu(th->source), .state = SS_NEW_SYN_RECV, .kind = EHASH_REQ, .ifindex = lp->sk.bound_dev_if, .obj = req };
	struct flowi fl = { .daddr = req->eh.daddr, .saddr = req->eh.saddr, .oif = lp->sk.bound_dev_if, .tos = lp->sk.tos, .proto = NS_IPPROTO_TCP,
			    .sport = req->eh.sport, .dport = req->eh.dport, .mark = lp->sk.mark };

	if (ip_route_output(stack, &fl, &rt)) {
		tcp_cache_put(&stack->tcp->reqs, req);
		STACK_MIB_INC(stack, TcpExt_ListenDrops);
		kfree_skb(skb, SKB_DROP_TCP_SYN_DROP);
		return;
	}
	req->listener = lp;
	req->rcv_isn = cb->seq;
	req_options(stack, lp, req, opt, rt.mtu);
	req->snt_isn = isn ? isn : tcp_secure_seq(stack, &req->eh.saddr, req->eh.sport, &req->eh.daddr, req->eh.dport);
	req->ts_off = stack->sysctl->tcp_timestamps == 1 ? tcp_secure_ts_off(stack, &req->eh.saddr, req->eh.sport, &req->eh.daddr, req->eh.dport) : 0;
	req->snt_synack = stack->now;
	req->eh.hash = flow_hash_tuple(stack, &req->eh.saddr, &req->eh.daddr, req->eh.sport, req->eh.dport, NS_IPPROTO_TCP);
	inet_ehash_insert(stack, &req->eh);
	list_add_tail(&req->node, &l->reqs);
	l->nreqs++;
	stack->tcp->req_count++;
	timer_init(&req->timer, req_fire);
	timer_mod(stack, &req->timer, stack->now + TCP_TIMEOUT_INIT);
	req_send_synack(stack, req);
	consume_skb(skb); /* text on a SYN is not taken: it comes again */
}

void tcp_req_err(struct stack *stack, struct tcp_req *req, uint32_t seq)
{
	if (seq != req->snt_isn)
		return;
	STACK_MIB_INC(stack, TcpExt_ListenDrops);
	STACK_MIB_INC(stack, Tcp_AttemptFails);
	tcp_req_free(stack, req);
}

/* ---- half-open: the ACK ----------------------------------------------------------------------------------------------------------------------------- */

static void inherit_options(struct sock *sk, const struct sock *from)
{
	sk->bound_dev_if = from->bound_dev_if;
	sk->reuse = from->reuse;
	sk->reuseport = from->reuseport;
	sk->keepopen = from->keepopen;
	sk->linger_on = from->linger_on;
	sk->linger_secs = from->linger_secs;
	sk->oobinline = from->oobinline;
	sk->timestamp = from->timestamp;
	sk->recverr = from->recverr;
	sk->freebind = from->freebind;
	sk->tos = from->tos;
	sk->ttl = from->ttl;
	sk->min_ttl = from->min_ttl;
	sk->pmtudisc = from->pmtudisc;
	sk->userlocks = from->userlocks;
	sk->rcvlowat = from->rcvlowat;
	sk->priority = from->priority;
	sk->mark = from->mark;
	sk->max_pacing_rate = from->max_pacing_rate;
	sk->rcvtimeo = from->rcvtimeo;
	sk->sndtimeo = from->sndtimeo;
	sk->rcvbuf = from->rcvbuf;
	sk->sndbuf = from->sndbuf;
	memcpy(sk->owner, from->owner, sizeof(sk->owner));
}

static void inherit_tcp(struct tcp_sock *tp, const struct tcp_sock *lp)
{
	tp->user_mss = lp->user_mss;
	tp->nagle = lp->nagle & (TCP_NAGLE_OFF | TCP_NAGLE_CORK);
	tp->keep_probes = lp->keep_probes;
	tp->keep_time = lp->keep_time;
	tp->keep_intvl = lp->keep_intvl;
	tp->syn_retries_max = lp->syn_retries_max;
	tp->user_timeout_ms = lp->user_timeout_ms;
	tp->linger2 = lp->linger2;
	tp->notsent_lowat = lp->notsent_lowat;
	tp->defer_accept = lp->defer_accept;
	tcp_cong_assign(tp, lp->cong_index);
}

static struct tcp_sock *create_child(struct tcp_sock *lp, const struct tcp_req *req)
{
	struct stack *stack = tcp_stack(lp);
	struct sock *sk = sk_alloc(stack, lp->sk.family, &tcp_prot);
	struct tcp_sock *tp = tcp_sk(sk);

	if (!sk)
		return NULL;
	inherit_options(sk, &lp->sk);
	inherit_tcp(tp, lp);
	sk->saddr = sk->rcv_saddr = req->eh.saddr;
	sk->daddr = req->eh.daddr;
	sk->sport = req->eh.sport;
	sk->dport = req->eh.dport;
	sk->hash = req->eh.hash;
	sk->state = SS_SYN_RECV;
	inet_inherit_port(&lp->sk, sk);

	tp->rcv_isn = req->rcv_isn;
	tp->snt_isn = req->snt_isn;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = req->rcv_isn + 1;
	tp->urg_seq = tp->copied_seq - 1;
	tp->snd_una = req->snt_isn;
	tp->snd_nxt = tp->write_seq = tp->pushed_seq = tp->snd_sml = tp->snd_up = tp->high_seq = req->snt_isn + 1;
	tp->snd_wl1 = req->rcv_isn;
	tp->wscale_ok = req->wscale_ok;
	tp->snd_wscale = req->snd_wscale;
	tp->rcv_wscale = req->rcv_wscale;
	tp->tstamp_ok = req->tstamp_ok;
	tp->sack_ok = req->sack_ok;
	tp->ts_recent = req->ts_recent;
	tp->ts_recent_at = stack->now;
	tp->ts_off = req->ts_off;
	tp->mss_clamp = req->mss;
	tp->advmss = req->advmss;
	tp->rcv_wnd = tp->rcv_ssthresh = req->rcv_wnd;
	tp->window_clamp = req->window_clamp;
	tp->snt_synack = req->snt_synack;
	tp->total_retrans = req->retrans;
	tp->lrcvtime = stack->now;
	if (sk_route(sk) == 0)
		tcp_sync_mss(tp, sk->rt.mtu);
	else
		tcp_sync_mss(tp, tp->advmss + 40u);
	tp->rcv_mss = u32_max(u32_min(tp->mss, tp->advmss), TCP_MIN_MSS);
	tcp_init_buffer_space(tp);
	if (sk->keepopen)
		tcp_keep_timer_set(tp, tcp_keep_time(tp));
	return tp;
}

/* The handshake is complete: 0, or the reason for which the ACK is dropped. */
static enum skb_drop_reason req_complete(struct stack *stack, struct tcp_req *req, struct sk_buff *skb, struct tcp_sock **ret)
{
	struct tcp_sock *lp = req->listener, *tp = NULL;
	bool full = lp->listen->naccept > lp->listen->backlog;

	if (!full)
		tp = create_child(lp, req);
	if (!tp) {
		STACK_MIB_INC(stack, TcpExt_ListenOverflows);
		STACK_MIB_INC(stack, TcpExt_ListenDrops);
		if (stack->sysctl->tcp_abort_on_overflow && full) {
			tcp_v4_send_reset(stack, skb);
			tcp_req_free(stack, req);
		} else {
			req->acked = true;
		}
		return full ? SKB_DROP_TCP_LISTEN_OVERFLOW : SKB_DROP_NOMEM;
	}
	STACK_MIB_INC(stack, Tcp_PassiveOpens);
	tcp_req_free(stack, req);
	tcp_ehash_add(tp);
	tp->parent = lp;
	list_add_tail(&tp->accept_node, &lp->listen->accept_queue);
	lp->listen->naccept++;
	sock_hold(&tp->sk);
	sk_wake(&lp->sk, EPOLLIN | EPOLLRDNORM);
	*ret = tp;
	return SKB_CONSUMED;
}

/* SYN-RECEIVED of 3.10.7.4, by its steps. */
struct tcp_sock *tcp_check_req(struct tcp_req *req, struct sk_buff *skb)
{
	struct tcp_sock *lp = req->listener, *ret = NULL;
	struct stack *stack = tcp_stack(lp);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct tcp_options opt;
	enum skb_drop_reason why;
	uint32_t nxt = req->rcv_isn + 1;
	bool paws;

	if (tcp_options_parse(tcp_hdr_of(skb), &opt) < 0) {
		kfree_skb(skb, SKB_DROP_TCP_OPTIONS);
		return NULL;
	}
	paws = opt.saw_ts && req->tstamp_ok && tcp_paws_reject(stack, req->ts_recent, req->snt_synack, opt.tsval, cb->flags & TCPHDR_RST);
	if (cb->seq == req->rcv_isn && (cb->flags & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK)) == TCPHDR_SYN && !paws) { /* the SYN again */
		if (opt.saw_ts && req->tstamp_ok)
			req->ts_recent = opt.tsval;
		if (tcp_oow_limited(stack, &req->last_oow_ack))
			STACK_MIB_INC(stack, TcpExt_TCPACKSkippedSynRecv);
		else
			req_send_synack(stack, req);
		kfree_skb(skb, SKB_DROP_TCP_OLD_DATA);
		return NULL;
	}
	if ((cb->flags & (TCPHDR_ACK | TCPHDR_RST)) == TCPHDR_ACK && cb->rx.ack_seq != req->snt_isn + 1) { /* fifth, but in front as RFC 9293 3.5.2 has it */
		tcp_v4_send_reset(stack, skb);
		kfree_skb(skb, SKB_DROP_TCP_INVALID_ACK);
		return NULL;
	}
	/* First: sequence number. */
	if (paws || before(cb->end_seq, nxt) || after(cb->seq, nxt + req->rcv_wnd)) {
		if (paws)
			STACK_MIB_INC(stack, TcpExt_PAWSEstab);
		if (!(cb->flags & TCPHDR_RST)) {
			if (tcp_oow_limited(stack, &req->last_oow_ack))
				STACK_MIB_INC(stack, TcpExt_TCPACKSkippedSynRecv);
			else
				req_send_ack(stack, req);
		}
		kfree_skb(skb, paws ? SKB_DROP_TCP_PAWS : SKB_DROP_TCP_INVALID_SEQUENCE);
		return NULL;
	}
	/* Second: RST returns to LISTEN; by RFC 5961 only with the exact number. */
	if (cb->flags & TCPHDR_RST) {
		if (cb->seq == nxt) {
			STACK_MIB_INC(stack, TcpExt_EmbryonicRsts);
			STACK_MIB_INC(stack, Tcp_AttemptFails);
			tcp_req_free(stack, req);
			why = SKB_DROP_TCP_RESET;
		} else {
			why = SKB_DROP_TCP_INVALID_RESET;
			if (!tcp_oow_limited(stack, &req->last_oow_ack) && tcp_challenge_allowed(stack))
				req_send_ack(stack, req);
		}
		kfree_skb(skb, why);
		return NULL;
	}
	/* Fourth: SYN. A SYN-ACK with the right numbers would be a simultaneous open of a listener's peer: not possible from LISTEN. */
	if (cb->flags & TCPHDR_SYN) {
		if (!tcp_oow_limited(stack, &req->last_oow_ack) && tcp_challenge_allowed(stack)) {
			STACK_MIB_INC(stack, TcpExt_TCPSYNChallenge);
			req_send_ack(stack, req);
		}
		kfree_skb(skb, SKB_DROP_TCP_INVALID_SYN);
		return NULL;
	}
	if (!(cb->flags & TCPHDR_ACK)) {
		kfree_skb(skb, SKB_DROP_TCP_NO_ACK);
		return NULL;
	}
	if (opt.saw_ts && req->tstamp_ok && !after(cb->seq, nxt))
		req->ts_recent = opt.tsval;
	/* TCP_DEFER_ACCEPT: the listener wants to hear of connections that have data. */
	if (lp->defer_accept && req->timeouts < lp->defer_accept && cb->end_seq == nxt) {
		req->acked = true;
		STACK_MIB_INC(stack, TcpExt_TCPDeferAcceptDrop);
		consume_skb(skb);
		return NULL;
	}
	why = req_complete(stack, req, skb, &ret);
	if (why != SKB_CONSUMED)
		kfree_skb(skb, why);
	return ret;
}

/* ---- TIME-WAIT ---------------------------------------------------------------------------------------------------------------------------------- */

void tcp_tw_free(struct tcp_tw *tw)
{
	struct stack *stack = tw->stack;

	timer_del(stack, &tw->timer);
	inet_ehash_remove(stack, &tw->eh);
	inet_tw_put_port(stack, &tw->port);
	list_del(&tw->node);
	stack->tcp->tw_count--;
	tcp_cache_put(&stack->tcp->tws, tw);
}

static void tw_fire(struct stack *stack, struct timer *t)
{
	STACK_MIB_INC(stack, TcpExt_TW);
	tcp_tw_free(container_of(t, struct tcp_tw, timer));
}

static void tw_restart(struct tcp_tw *tw)
{
	timer_mod(tw->stack, &tw->timer, tw->stack->now + TCP_TIMEWAIT_LEN);
}

void tcp_time_wait(struct tcp_sock *tp, enum tcp_sk_state substate, ktime_t timeo)
{
	struct stack *stack = tcp_stack(tp);
	struct tcp_tw *tw = NULL;
	ktime_t least = tp->rto * 4 - tp->rto / 2;

	if (stack->tcp->tw_count < (uint32_t)stack->sysctl->tcp_max_tw_buckets)
		tw = tcp_cache_get(&stack->tcp->tws);
	if (!tw) {
		STACK_MIB_INC(stack, TcpExt_TCPTimeWaitOverflow);
		if (tp->sk.state == SS_FIN_WAIT1 || tp->sk.state == SS_FIN_WAIT2 || tp->sk.state == SS_CLOSING)
			tcp_set_state(tp, SS_TIME_WAIT);
		tcp_done(tp);
		return;
	}
	memset(tw, 0, sizeof(*tw));
	if (timeo < least)
		timeo = least;
	if (substate == SS_TIME_WAIT)
		timeo = TCP_TIMEWAIT_LEN;
	tw->eh = (struct ehash_entry){ .hash = tp->sk.hash, .saddr = tp->sk.saddr, .daddr = tp->sk.daddr, .sport = tp->sk.sport, .dport = tp->sk.dport,
				       .state = SS_TIME_WAIT, .kind = EHASH_TW, .ifindex = tp->sk.bound_dev_if, .obj = tw };
	tw->stack = stack;
	tw->substate = (uint8_t)substate;
	tw->rcv_nxt = tp->rcv_nxt;
	tw->snd_nxt = tp->snd_nxt;
	tw->rcv_wnd = tcp_receive_window(tp);
	tw->rcv_wscale = tp->rcv_wscale;
	tw->tstamp_ok = tp->tstamp_ok;
	tw->ts_recent = tp->ts_recent;
	tw->ts_recent_at = tp->ts_recent_at;
	tw->ts_off = tp->ts_off;
	tw->tos = tp->sk.tos;
	tw->bound_dev_if = tp->sk.bound_dev_if;
	tw->ino = tp->sk.ino;
	inet_tw_take_port(&tw->port, &tp->sk);
	tcp_ehash_del(tp);
	inet_ehash_insert(stack, &tw->eh);
	list_add_tail(&tw->node, &stack->tcp->tw_list);
	stack->tcp->tw_count++;
	timer_init(&tw->timer, tw_fire);
	timer_mod(stack, &tw->timer, stack->now + timeo);
	if (substate == SS_TIME_WAIT)
		tcp_set_state(tp, SS_TIME_WAIT);
	tcp_done(tp);
}

static void tw_send_ack(struct tcp_tw *tw)
{
	struct tcp_ctl ctl = { .saddr = tw->eh.saddr, .daddr = tw->eh.daddr, .sport = tw->eh.sport, .dport = tw->eh.dport, .seq = tw->snd_nxt,
			       .ack = tw->rcv_nxt, .window = tw->rcv_wnd >> tw->rcv_wscale, .flags = TCPHDR_ACK, .ts = tw->tstamp_ok,
			       .tsval = tcp_ts_now(tw->stack) + tw->ts_off, .tsecr = tw->ts_recent, .tos = tw->tos, .oif = tw->bound_dev_if };

	(void)tcp_send_ctl(tw->stack, &ctl);
}

static void tw_send_ack_limited(struct tcp_tw *tw, enum tcp_sk_state sub)
{
	if (!tcp_oow_limited(tw->stack, &tw->last_oow_ack))
		tw_send_ack(tw);
	else if (sub == SS_FIN_WAIT2)
		STACK_MIB_INC(tw->stack, TcpExt_TCPACKSkippedFinWait2);
	else
		STACK_MIB_INC(tw->stack, TcpExt_TCPACKSkippedTimeWait);
}

static void tw_kill(struct tcp_tw *tw)
{
	STACK_MIB_INC(tw->stack, TcpExt_TWKilled);
	tcp_tw_free(tw);
}

static void tw_store_ts(struct tcp_tw *tw, const struct tcp_options *opt)
{
	if (!opt->saw_ts || !tw->tstamp_ok)
		return;
	tw->ts_recent = opt->tsval;
	tw->ts_recent_at = tw->stack->now;
}

/* FIN-WAIT-2 without an owner: only a FIN is of use. */
static enum skb_drop_reason tw_fin_wait2(struct tcp_tw *tw, struct sk_buff *skb, const struct tcp_options *opt, bool paws)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tw->stack;

	if (paws || before(cb->end_seq, tw->rcv_nxt) || after(cb->seq, tw->rcv_nxt + tw->rcv_wnd)) {
		if (!(cb->flags & TCPHDR_RST))
			tw_send_ack_limited(tw, SS_FIN_WAIT2);
		return paws ? SKB_DROP_TCP_PAWS : SKB_DROP_TCP_INVALID_SEQUENCE;
	}
	if (cb->flags & TCPHDR_RST) {
		if (cb->seq == tw->rcv_nxt)
			tw_kill(tw);
		else
			tw_send_ack_limited(tw, SS_FIN_WAIT2);
		return SKB_DROP_TCP_RESET;
	}
	if (cb->flags & TCPHDR_SYN) {
		tw_send_ack_limited(tw, SS_FIN_WAIT2);
		return SKB_DROP_TCP_INVALID_SYN;
	}
	if (!(cb->flags & TCPHDR_ACK) || !after(cb->end_seq, tw->rcv_nxt) || cb->end_seq == cb->seq)
		return SKB_CONSUMED;
	if (!(cb->flags & TCPHDR_FIN) || cb->end_seq != tw->rcv_nxt + 1) { /* text that nobody will read */
		STACK_MIB_INC(stack, TcpExt_TCPAbortOnData);
		tcp_v4_send_reset(stack, skb);
		tw_kill(tw);
		return SKB_DROP_TCP_ABORT_ON_DATA;
	}
	tw->substate = SS_TIME_WAIT;
	tw->rcv_nxt = cb->end_seq;
	tw_store_ts(tw, opt);
	tw_restart(tw);
	tw_send_ack(tw);
	return SKB_CONSUMED;
}

void tcp_timewait_rcv(struct stack *stack, struct tcp_tw *tw, struct sk_buff *skb, uint32_t hash)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct tcp_options opt;
	enum skb_drop_reason why;
	uint8_t fl = cb->flags;

	if (tcp_options_parse(tcp_hdr_of(skb), &opt) < 0) {
		kfree_skb(skb, SKB_DROP_TCP_OPTIONS);
		return;
	}
	bool ts = opt.saw_ts && tw->tstamp_ok, paws = ts && tcp_paws_reject(stack, tw->ts_recent, tw->ts_recent_at, opt.tsval, fl & TCPHDR_RST);

	if (tw->substate == SS_FIN_WAIT2) {
		why = tw_fin_wait2(tw, skb, &opt, paws);
		goto out;
	}
	why = SKB_DROP_TCP_TIMEWAIT;
	if (!paws && cb->seq == tw->rcv_nxt && (cb->seq == cb->end_seq || (fl & TCPHDR_RST))) {
		if (fl & TCPHDR_RST) {
			if (!stack->sysctl->tcp_rfc1337)
				tw_kill(tw);
			goto out;
		}
		tw_store_ts(tw, &opt);
		goto out;
	}
	/* RFC 6191: a SYN that cannot be old. */
	if ((fl & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK | TCPHDR_FIN)) == TCPHDR_SYN && !paws &&
	    (after(cb->seq, tw->rcv_nxt) || (ts && (int32_t)(opt.tsval - tw->ts_recent) > 0))) {
		struct sock *lsk = inet_lhash_lookup(stack, &tw->eh.saddr, tw->eh.sport, hash, skb->dev ? skb->dev->ifindex : 0);

		if (lsk && lsk->state == SS_LISTEN) {
			uint32_t isn = tw->snd_nxt + 65535 + 2;

			tcp_tw_free(tw);
			STACK_MIB_INC(stack, TcpExt_TWRecycled);
			sock_hold(lsk);
			tcp_conn_request(tcp_sk(lsk), skb, &opt, isn ? isn : 1);
			sock_put(lsk);
			return;
		}
	}
	if (paws)
		STACK_MIB_INC(stack, TcpExt_PAWSEstab);
	if (!(fl & TCPHDR_RST)) {
		/* The peer's FIN again: our ACK was lost, and 2 MSL begin anew. Old text is answered, too, but prolongs nothing. */
		if ((fl & TCPHDR_FIN) && cb->end_seq == tw->rcv_nxt)
			tw_restart(tw);
		tw_send_ack_limited(tw, SS_TIME_WAIT);
	}
out:
	if (why == SKB_CONSUMED)
		consume_skb(skb);
	else
		kfree_skb(skb, why);
}

bool tcp_tw_reuse(struct stack *stack, struct ehash_entry *e)
{
	int mode = stack->sysctl->tcp_tw_reuse;

	if (e->kind != EHASH_TW || !mode)
		return false;
	struct tcp_tw *tw = e->obj;

	if (mode == 2 && !ipv4_is_loopback(tw->eh.daddr.v4))
		return false;
	/* The timestamp must have moved on, or the peer's PAWS takes us for old (RFC 6191). */
	if (!tw->tstamp_ok || stack->now - tw->ts_recent_at <= NSEC_PER_SEC || tw->substate != SS_TIME_WAIT)
		return false;
	stack->tcp->tw_reused.valid = true;
	stack->tcp->tw_reused.ts_recent = tw->ts_recent;
	stack->tcp->tw_reused.ts_recent_at = tw->ts_recent_at;
	stack->tcp->tw_reused.snd_nxt = tw->snd_nxt;
	STACK_MIB_INC(stack, TcpExt_TWRecycled);
	tcp_tw_free(tw);
	return true;
}
