/* SPDX-License-Identifier: MIT */
/*
 * tcp_ipv4.c: TCP's face towards IPv4: segments in (checks, whose they are), ICMP errors in, and segments out on behalf of nobody.
 *
 * Who gets a segment: the table of connections (full socks, half-open ones, TIME-WAIT), then the listeners, then - a port bound by name on another shard - that
 * shard; else it is for CLOSED (RFC 9293 3.10.7.1) and is answered with a RST.
 *
 * ICMP errors (RFC 5927): believed only when the quoted sequence number is in flight. In synchronised states none aborts a connection; what they say is
 * kept for the moment when the connection times out anyhow (RFC 1122 4.2.3.9). A connection attempt ends at once, as on Linux, also for codes that the RFC
 * calls soft: an application then tries the next address (RFC 5461 section 4). Frag-needed lowers the path MTU (RFC 1191). Source quench is ignored (RFC 6633).
 */
#include "tcp.h"
#include "checksum.h"
#include "ip.h"
#include <errno.h>

/* ---- out, without a socket ------------------------------------------------------------------------------------------------------------------- */

int tcp_send_ctl(struct stack *stack, const struct tcp_ctl *ctl)
{
	uint8_t opt[TCP_MAX_OPTLEN];
	unsigned optlen = ctl->ts ? tcp_options_write_ts(opt, ctl->tsval, ctl->tsecr) : 0;
	struct flowi fl = { .daddr = ctl->daddr, .saddr = ctl->saddr, .oif = ctl->oif, .tos = ctl->tos, .proto = NS_IPPROTO_TCP,
			    .sport = ctl->sport, .dport = ctl->dport };
	struct sk_buff *skb = alloc_skb(stack->pool, SKB_HEADROOM + TCP_MAX_HLEN, SKB_HEADROOM);

	if (!skb)
		return -ENOMEM;
	int err = ip_route_output(stack, &fl, &skb->rt);

	if (err) {
		kfree_skb(skb, SKB_DROP_IP_OUTNOROUTES);
		return err;
	}
	if (ctl->optlen) {
		memcpy(opt + optlen, ctl->opt, ctl->optlen);
		optlen += ctl->optlen;
	}
	struct tcp_hdr *th = skb_put(skb, 20 + optlen);

	skb_reset_transport_header(skb);
	th->source = cpu_to_be16(ctl->sport);
	th->dest = cpu_to_be16(ctl->dport);
	th->seq = cpu_to_be32(ctl->seq);
	th->ack_seq = cpu_to_be32(ctl->ack);
	th->doff = (uint8_t)((20 + optlen) / 4 << 4);
	th->flags = ctl->flags;
	th->window = cpu_to_be16((uint16_t)ctl->window);
	th->urg_ptr = 0;
	memcpy(th + 1, opt, optlen);
	th->check = 0;
	th->check = csum_fold(csum_partial(th, 20 + optlen, csum_pseudo(&ctl->saddr, &ctl->daddr, 20 + optlen, NS_IPPROTO_TCP)));
	skb->ip_summed = CHECKSUM_NONE;
	skb->dev = skb->rt.dev;
	STACK_MIB_INC(stack, Tcp_OutSegs);
	if (ctl->flags & TCPHDR_RST)
		STACK_MIB_INC(stack, Tcp_OutRsts);
	struct ip_tx tx = { .saddr = ctl->saddr, .daddr = ctl->daddr, .proto = NS_IPPROTO_TCP, .tos = ctl->tos, .df = true };

	return ip_build_and_send(stack, skb, &tx);
}

/* RFC 9293 3.5.2, group 1 and 2: the RST takes its number from the ACK of what came, or acknowledges it. Never about a RST. */
void tcp_v4_send_reset(struct stack *stack, const struct sk_buff *skb_in)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb_in);
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb_in);
	const struct tcp_hdr *th = tcp_hdr_of(skb_in);

	if (cb->flags & TCPHDR_RST)
		return;
	struct tcp_ctl ctl = { .saddr = ipaddr_v4(iph->daddr), .daddr = ipaddr_v4(iph->saddr), .sport = be16_to_cpu(th->dest),
			       .dport = be16_to_cpu(th->source), .flags = TCPHDR_RST };

	if (cb->flags & TCPHDR_ACK) {
		ctl.seq = cb->rx.ack_seq;
	} else {
		ctl.ack = cb->end_seq;
		ctl.flags |= TCPHDR_ACK;
	}
	(void)tcp_send_ctl(stack, &ctl);
}

/* ---- limits (RFC 5961 section 10) --------------------------------------------------------------------------------------------------------------- */

bool tcp_challenge_allowed(struct stack *stack)
{
	struct tcp_state *st = stack->tcp;
	uint32_t limit = (uint32_t)stack->sysctl->tcp_challenge_ack_limit;

	if (stack->now - st->challenge_start >= NSEC_PER_SEC || !st->challenge_start) {
		/* The exact number must not be countable from outside (CVE-2016-5696). */
		st->challenge_start = stack->now ? stack->now : 1;
		st->challenge_count = limit - limit / 2 + rng_below(&stack->rng, limit ? limit : 1); /* at least one */
	}
	if (!st->challenge_count)
		return false;
	st->challenge_count--;
	return true;
}

bool tcp_oow_limited(struct stack *stack, ktime_t *last)
{
	ktime_t gap = (ktime_t)stack->sysctl->tcp_invalid_ratelimit * NSEC_PER_MSEC;

	if (*last && stack->now - *last < gap)
		return true;
	*last = stack->now ? stack->now : 1;
	return false;
}

/* ---- in ----------------------------------------------------------------------------------------------------------------------------------------- */

static struct ehash_entry *tcp_lookup(struct stack *stack, const struct ipaddr *local, uint16_t lport, const struct ipaddr *peer, uint16_t pport, uint32_t hash, int iif)
{
	if (!hash)
		hash = flow_hash_tuple(stack, local, peer, lport, pport, NS_IPPROTO_TCP);
	return inet_ehash_lookup(stack, hash, peer, pport, local, lport, iif);
}

/* 3.10.7.2 LISTEN */
static void listen_rcv(struct stack *stack, struct tcp_sock *lp, struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct tcp_options opt;

	if (cb->flags & TCPHDR_RST) { /* first */
		kfree_skb(skb, SKB_DROP_TCP_RESET);
	} else if (cb->flags & TCPHDR_ACK) { /* second */
		tcp_v4_send_reset(stack, skb);
		kfree_skb(skb, SKB_DROP_TCP_FLAGS);
	} else if (!(cb->flags & TCPHDR_SYN) || (cb->flags & TCPHDR_FIN)) { /* fourth */
		kfree_skb(skb, SKB_DROP_TCP_FLAGS);
	} else if (tcp_options_parse(tcp_hdr_of(skb), &opt) < 0) {
		kfree_skb(skb, SKB_DROP_TCP_OPTIONS);
	} else { /* third */
		tcp_conn_request(lp, skb, &opt, 0);
	}
}

/* It came straight to a socket that is gone (steer.c): the flow's home has the say, also before our replica of a listener. True: handed over. */
static bool steer_home(struct stack *stack, struct sk_buff *skb, uint32_t hash)
{
	if (!stack_multi(stack) || skb->handed || flow_cpu(stack, hash) == stack->params.cpu)
		return false;
	skb_push(skb, (uint32_t)(skb->data - skb_network_header(skb)));
	skb->handed = 1;
	return steer_skb(stack, skb, flow_cpu(stack, hash));
}

/* Nobody here knows the port. A socket bound to it may live on another shard. True: handed over. */
static bool steer_to_owner(struct stack *stack, struct sk_buff *skb, const struct ipaddr *daddr, uint16_t dport)
{
	if (!stack_multi(stack) || !skb->hash || flow_cpu(stack, skb->hash) != stack->params.cpu)
		return false;
	int cpu = inet_port_owner(stack, IPPROTO_TCP, daddr, dport, skb->dev ? skb->dev->ifindex : 0);

	if (cpu < 0 || (unsigned)cpu == stack->params.cpu)
		return false;
	skb_push(skb, (uint32_t)(skb->data - skb_network_header(skb)));
	skb->handed = 1;
	if (!steer_skb(stack, skb, (unsigned)cpu))
		kfree_skb(skb, SKB_DROP_NO_SOCKET);
	return true;
}

static bool checksum_ok(const struct sk_buff *skb, const struct ipaddr *saddr, const struct ipaddr *daddr)
{
	if (skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	return csum_fold(skb_checksum(skb, 0, skb->len, csum_pseudo(saddr, daddr, skb->len, NS_IPPROTO_TCP))) == 0;
}

static void fill_cb(struct sk_buff *skb, const struct tcp_hdr *th)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint8_t fl = th->flags;

	cb->seq = be32_to_cpu(th->seq);
	cb->flags = fl & (TCPHDR_FIN | TCPHDR_SYN | TCPHDR_RST | TCPHDR_PSH | TCPHDR_ACK | TCPHDR_URG);
	cb->end_seq = cb->seq + (skb->len - tcp_hdrlen(th)) + !!(fl & TCPHDR_SYN) + !!(fl & TCPHDR_FIN);
	cb->sacked = 0;
	cb->rx.ack_seq = be32_to_cpu(th->ack_seq);
	cb->rx.urg_ptr = be16_to_cpu(th->urg_ptr);
	cb->rx.window = be16_to_cpu(th->window);
}

static void deliver(struct stack *stack, struct ehash_entry *e, struct sk_buff *skb, uint32_t hash)
{
	struct tcp_sock *tp;

	switch (e->kind) {
	case EHASH_SOCK:
		tp = e->obj;
		if (tcp_unlikely(tp->sk.min_ttl)) {
			const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);

			if (iph->ttl < tp->sk.min_ttl) { /* RFC 5082 */
				STACK_MIB_INC(stack, TcpExt_TCPMinTTLDrop);
				kfree_skb(skb, SKB_DROP_SOCKET_FILTER);
				return;
			}
		}
		sock_hold(&tp->sk);
		tcp_rcv_segment(tp, skb);
		sock_put(&tp->sk);
		break;
	case EHASH_REQ:
		tp = tcp_check_req(e->obj, skb);
		if (tp) {
			tcp_rcv_segment(tp, skb);
			sock_put(&tp->sk);
		}
		break;
	default:
		tcp_timewait_rcv(stack, e->obj, skb, hash);
	}
}

void tcp_v4_rcv(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph;
	const struct tcp_hdr *th;

	if (tcp_likely(!skb->handed))
		STACK_MIB_ADD(stack, Tcp_InSegs, skb->gso_segs > 1 ? skb->gso_segs : 1);
	if (tcp_unlikely(skb->pkt_type != SKB_PKT_HOST && skb->pkt_type != SKB_PKT_LOOPBACK) || (skb->rt.flags & (RT_F_BROADCAST | RT_F_MULTICAST))) {
		kfree_skb(skb, SKB_DROP_TCP_BROADCAST);
		return;
	}
	if (tcp_unlikely(!skb_may_pull(skb, sizeof(*th))))
		goto truncated;
	th = (const struct tcp_hdr *)(const void *)skb->data;
	if (tcp_unlikely(tcp_hdrlen(th) < sizeof(*th) || !skb_may_pull(skb, tcp_hdrlen(th))))
		goto truncated;
	skb_reset_transport_header(skb);
	th = tcp_hdr_of(skb); /* may have moved */
	iph = (const struct ip_hdr *)(const void *)skb_network_header(skb);

	struct ipaddr peer = ipaddr_v4(iph->saddr), local = ipaddr_v4(iph->daddr);
	uint16_t pport = be16_to_cpu(th->source), lport = be16_to_cpu(th->dest);
	int iif = skb->dev ? skb->dev->ifindex : 0;

	if (tcp_unlikely(!checksum_ok(skb, &peer, &local))) {
		STACK_MIB_INC(stack, Tcp_InCsumErrors);
		STACK_MIB_INC(stack, Tcp_InErrs);
		kfree_skb(skb, SKB_DROP_TCP_CSUM);
		return;
	}
	fill_cb(skb, th);

	/* Steering has computed it already; fragments were steered by something else. */
	uint32_t hash = skb->hash && !skb->reassembled ? skb->hash : flow_hash_tuple(stack, &local, &peer, lport, pport, NS_IPPROTO_TCP);
	struct ehash_entry *e = inet_ehash_lookup(stack, hash, &peer, pport, &local, lport, iif);

	if (tcp_likely(e)) {
		deliver(stack, e, skb, hash);
		return;
	}
	if (steer_home(stack, skb, hash))
		return;
	/* A listener takes what hashes to its shard: the next segments would go there. What was handed over is for a connection alone. */
	bool ours = !skb->handed || flow_cpu(stack, hash) == stack->params.cpu;
	struct sock *lsk = tcp_likely(ours) ? inet_lhash_lookup(stack, &local, lport, hash, iif) : NULL;

	if (lsk && lsk->state == SS_LISTEN) {
		sock_hold(lsk);
		listen_rcv(stack, tcp_sk(lsk), skb);
		sock_put(lsk);
		return;
	}
	if (steer_to_owner(stack, skb, &local, lport))
		return;
	/* 3.10.7.1 CLOSED */
	tcp_v4_send_reset(stack, skb);
	kfree_skb(skb, SKB_DROP_NO_SOCKET);
	return;
truncated:
	STACK_MIB_INC(stack, Tcp_InErrs);
	kfree_skb(skb, SKB_DROP_TCP_SHORT);
}

/* ---- ICMP errors ---------------------------------------------------------------------------------------------------------------------------------- */

static void frag_needed(struct tcp_sock *tp, uint32_t mtu)
{
	struct stack *stack = tcp_stack(tp);

	if (tp->sk.pmtudisc == IP_PMTUDISC_DONT || tp->sk.state == SS_LISTEN || mtu >= tp->pmtu)
		return;
	ip_rt_update_pmtu(stack, &tp->sk.daddr, mtu);
	tp->sk.rt_genid = 0;
	if (sk_route(&tp->sk))
		return;
	if (tp->sk.rt.mtu >= tp->pmtu)
		return;
	tcp_sync_mss(tp, tp->sk.rt.mtu);
	tcp_simple_retransmit(tp);
}

static void sock_err(struct tcp_sock *tp, uint8_t type, uint8_t code, uint32_t info, uint32_t seq)
{
	bool fatal = false;
	int err = 0;

	if (tp->sk.state == SS_CLOSE || !seq_between(seq, tp->snd_una, tp->snd_nxt))
		return;
	if (type == ICMP_REDIRECT || type == ICMP_SOURCE_QUENCH)
		return;
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		frag_needed(tp, info);
		return;
	}
	icmp_error_to_errno(type, code, &err, &fatal);
	if (!err)
		return;
	if (tp->sk.state == SS_SYN_SENT || tp->sk.state == SS_SYN_RECV) {
		tcp_abort(tp, err, false);
	} else if (tp->sk.recverr && !tp->sk.dead) {
		sk_error(&tp->sk, err);
	} else {
		tp->sk.err_soft = err;
	}
}

void tcp_v4_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)icmp->data;
	const uint8_t *th = icmp->data + ip_hdrlen(iph); /* eight bytes are there: ports and sequence number */
	struct ipaddr local = ipaddr_v4(iph->saddr), peer = ipaddr_v4(iph->daddr);
	struct ehash_entry *e = tcp_lookup(stack, &local, get_be16(th), &peer, get_be16(th + 2), 0, 0);
	uint32_t seq = get_be32(th + 4);

	if (!e) {
		STACK_MIB_INC(stack, Icmp_InErrors);
		return;
	}
	if (e->kind == EHASH_REQ) {
		if (type == ICMP_DEST_UNREACH && code != ICMP_FRAG_NEEDED)
			tcp_req_err(stack, e->obj, seq);
	} else if (e->kind == EHASH_SOCK) {
		struct tcp_sock *tp = e->obj;

		sock_hold(&tp->sk);
		sock_err(tp, type, code, info, seq);
		sock_put(&tp->sk);
	}
}
