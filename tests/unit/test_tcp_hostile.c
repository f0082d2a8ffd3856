/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_hostile.c: a peer that says anything: random flags, numbers around the edges that matter, random options and lengths, ICMP errors about it, while the
 * application does anything, too. After each step the books of every connection are recounted from its queues. At the end nothing may be left.
 */
#include "../lib/host.h"
#include "checksum.h"
#include "tcp.h"
#include <criterion/criterion.h>

#define ALICE 0xc0000201u /* 192.0.2.1: the stack under test */
#define BOB   0xc0000202u

struct rig {
	struct host   *h;
	struct stack  *stack;
	struct socket *listener, *s[8];
	int            ifindex;
	uint64_t       rng;
	uint16_t       lport, pport; /* of the last segment that was seen */
	uint32_t       seq, ack; /* of what Alice sent last */
};

static uint32_t below(struct rig *r, uint32_t n) { return test_random_below(&r->rng, n); }

/* ---- books --------------------------------------------------------------------------------------------------------------------------------------- */

static void audit_send(const struct tcp_sock *tp)
{
	uint32_t sacked = 0, segs = 0, lost = 0, retrans = 0, mem = 0, at = 0;
	bool first = true, sent = true;
	const struct sk_buff *skb;

	skb_queue_walk(&tp->wq, skb) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		uint32_t len = cb->end_seq - cb->seq;

		if (skb == tp->send_head) {
			sent = false;
			cr_assert_eq(cb->seq, tp->snd_nxt);
		}
		if (!first)
			cr_assert_eq(cb->seq, at, "a hole in the send queue");
		cr_assert_eq(len, skb->len + !!(cb->flags & TCPHDR_SYN) + !!(cb->flags & TCPHDR_FIN));
		cr_assert(!((cb->sacked & TCPCB_SACKED_ACKED) && (cb->sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS))));
		cr_assert(sent || !cb->sacked);
		sacked += cb->sacked & TCPCB_SACKED_ACKED ? len : 0;
		segs += cb->sacked & TCPCB_SACKED_ACKED ? cb->tx.sack_segs : 0;
		lost += cb->sacked & TCPCB_LOST ? len : 0;
		retrans += cb->sacked & TCPCB_SACKED_RETRANS ? len : 0;
		mem += skb->truesize;
		at = cb->end_seq;
		first = false;
	}
	if (tp->sack_ok) {
		cr_assert_eq(tp->sacked_out, sacked, "sacked %u, counted %u", tp->sacked_out, sacked);
		cr_assert_eq(tp->sacked_segs, segs);
	}
	cr_assert_eq(tp->lost_out, lost, "lost %u, counted %u", tp->lost_out, lost);
	cr_assert_eq(tp->retrans_out, retrans, "retrans %u, counted %u", tp->retrans_out, retrans);
	cr_assert_eq(tp->sk.wmem, mem);
	if (!first)
		cr_assert_eq(at, tp->write_seq);
	cr_assert(!after(tp->snd_una, tp->snd_nxt) && !after(tp->snd_nxt, tp->write_seq));
	cr_assert(tp->sk.state == SS_CLOSE || tp->sk.state == SS_LISTEN || tp->cwnd >= tp->mss || tp->cwnd > 0);
}

static uint32_t ofo_truesize(const struct tcp_sock *tp, const struct sk_buff *t)
{
	if (!t)
		return 0;
	cr_assert(after(TCP_SKB_CB(t)->seq, tp->rcv_nxt));
	return t->truesize + ofo_truesize(tp, t->prev) + ofo_truesize(tp, t->next);
}

static void audit_recv(const struct tcp_sock *tp)
{
	uint32_t at = tp->copied_seq, mem = ofo_truesize(tp, tp->ofo_root);
	const struct sk_buff *skb;

	cr_assert_eq(mem, tp->ofo_truesize);
	skb_queue_walk(&tp->sk.rcvq, skb) {
		cr_assert_eq(TCP_SKB_CB(skb)->seq, at, "a hole in the receive queue");
		at += skb->len;
		mem += skb->truesize;
	}
	cr_assert_eq(tp->sk.rmem, mem);
	if (tp->sk.state != SS_CLOSE && tp->sk.state != SS_SYN_SENT && tp->sk.state != SS_LISTEN && !tp->sk.dead)
		cr_assert_eq(at + tp->fin_rcvd, tp->rcv_nxt, "state %u: queued to %u, fin %d, rcv_nxt %u, copied %u", tp->sk.state, at, tp->fin_rcvd, tp->rcv_nxt, tp->copied_seq);
}

static void audit(struct rig *r)
{
	uint64_t mem = 0;
	struct sock *sk;

	list_for_each(sk, sock_list(r->stack), struct sock, node) {
		if (sk->proto != &tcp_prot)
			continue;
		audit_send(tcp_sk(sk));
		audit_recv(tcp_sk(sk));
		mem += sk->rmem + sk->wmem;
	}
	cr_assert_eq(r->stack->tcp->mem, mem);
}

/* ---- the peer -------------------------------------------------------------------------------------------------------------------------------------- */

static int on_xmit(void *arg, struct host *h, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	struct rig *r = arg;
	uint8_t b[34 + 20];

	(void)h, (void)cpu, (void)ifindex;
	if (skb_copy_bits(skb, 0, b, sizeof(b)) == 0 && get_be16(b + 12) == ETH_P_IP && b[23] == NS_IPPROTO_TCP) {
		r->lport = get_be16(b + 34);
		r->pport = get_be16(b + 36);
		r->seq = get_be32(b + 38) + (skb->len - 14 - 20 - (b[46] >> 4) * 4) + !!(b[47] & 2) + !!(b[47] & 1);
		r->ack = get_be32(b + 42);
	}
	return 0;
}

static unsigned random_options(struct rig *r, uint8_t *p)
{
	unsigned n = 0;

	switch (below(r, 6)) {
	case 0:
		n = tcp_options_write_ts(p, tcp_ts_now(r->stack) + below(r, 3) * 1000 - 500, (uint32_t)test_random(&r->rng));
		break;
	case 1:
		n = tcp_options_write_syn(p, &(struct tcp_syn_opts){ .mss = (uint16_t)below(r, 3000), .wscale = (uint8_t)below(r, 16), .wscale_ok = below(r, 2),
								     .ts = below(r, 2), .sack = true, .tsval = tcp_ts_now(r->stack) });
		break;
	case 2:
	case 3: {
		struct tcp_sack_block b[4];

		for (int i = 0; i < 4; i++) {
			b[i].start = r->seq - below(r, 20000);
			b[i].end = b[i].start + below(r, 6000) - (below(r, 8) == 0) * 3000;
		}
		n = tcp_options_write_sack(p, NULL, b, 1 + below(r, 4), 40);
		break;
	}
	case 4:
		n = 4 * below(r, 11);
		for (unsigned i = 0; i < n; i++)
			p[i] = (uint8_t)(below(r, 2) ? below(r, 9) : test_random(&r->rng));
		break;
	default:
		break;
	}
	return n;
}

static uint32_t near(struct rig *r, uint32_t x)
{
	static const uint32_t step[] = { 0, 0, 0, 0, 0, 1, (uint32_t)-1, 1460, (uint32_t)-1460, 65535, (uint32_t)-65535, 0x7fffffff, 0x80000000u };

	x += step[below(r, sizeof(step) / sizeof(step[0]))];
	return below(r, 4) ? x : x + below(r, 8000) - 4000;
}

static void segment(struct rig *r)
{
	static const uint8_t usual[] = { TCPHDR_ACK, TCPHDR_ACK, TCPHDR_ACK, TCPHDR_ACK | TCPHDR_PSH, TCPHDR_SYN, TCPHDR_SYN | TCPHDR_ACK, TCPHDR_ACK | TCPHDR_FIN,
					 TCPHDR_RST, TCPHDR_ACK | TCPHDR_URG, TCPHDR_RST | TCPHDR_ACK };
	uint8_t f[2200] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45 }, *ip = f + 14, *th = ip + 20;
	unsigned opt = random_options(r, th + 20), len = below(r, 3) ? below(r, 1500) : 0, tlen = 20 + opt + len;
	struct ipaddr a = ipaddr_v4(cpu_to_be32(ALICE)), b = ipaddr_v4(cpu_to_be32(BOB));
	bool fresh = below(r, 30) == 0 || !r->lport;

	put_be16(ip + 2, (uint16_t)(20 + tlen));
	ip[8] = 64;
	ip[9] = NS_IPPROTO_TCP;
	put_be32(ip + 12, BOB);
	put_be32(ip + 16, ALICE);
	put_be16(ip + 10, 0);
	uint16_t c = ip_fast_csum(ip, 5);
	memcpy(ip + 10, &c, 2);
	put_be16(th, fresh ? (uint16_t)(1000 + below(r, 5)) : r->pport);
	put_be16(th + 2, fresh ? 80 : r->lport);
	put_be32(th + 4, fresh ? below(r, 1000) : near(r, r->ack));
	put_be32(th + 8, near(r, r->seq - (below(r, 3) ? 0 : below(r, 5000))));
	th[12] = (uint8_t)((20 + opt) / 4 << 4);
	th[13] = fresh ? TCPHDR_SYN : below(r, 20) ? usual[below(r, sizeof(usual) - (below(r, 4) ? 3 : 0))] : (uint8_t)test_random(&r->rng);
	put_be16(th + 14, below(r, 4) ? 65535 : (uint16_t)(below(r, 2) ? 0 : below(r, 3000)));
	put_be16(th + 18, (uint16_t)(below(r, 2) ? below(r, 2000) : test_random(&r->rng)));
	for (unsigned i = 0; i < len; i++)
		th[20 + opt + i] = (uint8_t)i;
	c = csum_fold(csum_partial(th, tlen, csum_pseudo(&b, &a, tlen, NS_IPPROTO_TCP)));
	memcpy(th + 16, &c, 2);
	cr_assert_eq(host_rx(r->h, 0, r->ifindex, f, 34 + tlen), 0);
}

static void icmp(struct rig *r)
{
	uint8_t f[14 + 20 + 8 + 28] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45 }, *ip = f + 14, *ic = ip + 20, *q = ic + 8;
	uint16_t c;

	put_be16(ip + 2, 56);
	ip[8] = 64;
	ip[9] = NS_IPPROTO_ICMP;
	put_be32(ip + 12, BOB);
	put_be32(ip + 16, ALICE);
	c = ip_fast_csum(ip, 5);
	memcpy(ip + 10, &c, 2);
	q[0] = 0x45;
	put_be16(q + 2, 1500);
	q[8] = 60;
	q[9] = NS_IPPROTO_TCP;
	put_be32(q + 12, ALICE);
	put_be32(q + 16, BOB);
	c = ip_fast_csum(q, 5);
	memcpy(q + 10, &c, 2);
	put_be16(q + 20, r->lport);
	put_be16(q + 22, r->pport);
	put_be32(q + 24, r->seq - below(r, 3000));
	ic[0] = below(r, 4) ? ICMP_DEST_UNREACH : ICMP_TIME_EXCEEDED;
	ic[1] = (uint8_t)(ic[0] == ICMP_DEST_UNREACH ? below(r, 14) : 0);
	put_be16(ic + 6, (uint16_t)below(r, 1600));
	c = csum_fold(csum_partial(ic, 36, 0));
	memcpy(ic + 2, &c, 2);
	cr_assert_eq(host_rx(r->h, 0, r->ifindex, f, sizeof(f)), 0);
}

/* ---- the application ------------------------------------------------------------------------------------------------------------------------------------ */

static void app(struct rig *r)
{
	struct socket **s = &r->s[below(r, 8)], *child;
	static char buf[20000];
	int one = 1, zero = 0;

	host_touch(r->h, 0);
	if (!*s) {
		if (ns_accept(r->listener, &child, NULL, NULL) == 0) {
			*s = child;
		} else if (below(r, 10) == 0 && ns_socket(r->stack, AF_INET, SOCK_STREAM, 0, s) == 0) {
			struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = cpu_to_be16(99), .sin_addr.s_addr = cpu_to_be32(BOB) };

			(void)ns_connect(*s, (struct sockaddr *)&to, sizeof(to));
		}
		return;
	}
	switch (below(r, 14)) {
	case 0: case 1: case 2:
		(void)ns_recv(*s, buf, below(r, sizeof(buf)), below(r, 4) ? 0 : (int[]){ MSG_PEEK, MSG_OOB, MSG_TRUNC }[below(r, 3)]);
		break;
	case 3: case 4: case 5: case 6:
		(void)ns_send(*s, buf, below(r, sizeof(buf)), below(r, 4) ? 0 : (int[]){ MSG_MORE, MSG_OOB }[below(r, 2)]);
		break;
	case 7:
		(void)ns_shutdown(*s, (int)below(r, 3));
		break;
	case 8:
		if (below(r, 3))
			break;
		ns_close(*s);
		*s = NULL;
		break;
	case 9:
		(void)ns_setsockopt(*s, IPPROTO_TCP, below(r, 2) ? TCP_NODELAY : TCP_CORK, below(r, 2) ? &one : &zero, sizeof(one));
		break;
	case 10: {
		struct linger l = { .l_onoff = (int)below(r, 2), .l_linger = 0 };

		(void)ns_setsockopt(*s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		break;
	}
	case 11: {
		int v = (int)below(r, 100000);

		(void)ns_setsockopt(*s, SOL_SOCKET, below(r, 2) ? SO_RCVBUF : SO_SNDBUF, &v, sizeof(v));
		break;
	}
	case 12: {
		struct tcp_info in;
		socklen_t len = sizeof(in);

		cr_assert_eq(ns_getsockopt(*s, IPPROTO_TCP, TCP_INFO, &in, &len), 0);
		break;
	}
	default: {
		struct sockaddr none = { .sa_family = AF_UNSPEC };

		if (below(r, 10) == 0)
			(void)ns_connect(*s, &none, sizeof(none));
		break;
	}
	}
}

static void one_life(uint64_t seed, int steps)
{
	static const struct host_ops ops = { .xmit = on_xmit };
	struct rig r = { .rng = seed };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = cpu_to_be16(80) };
	struct neigh_conf peer = { .addr = ipaddr_v4(cpu_to_be32(BOB)), .lladdr = { { 2, 0, 0, 0, 0, 2 } } };

	r.h = host_new("alice", 1, seed, &ops, &r);
	r.ifindex = peer.ifindex = host_link(r.h, "eth0", "192.0.2.1/24", 1, 1500, below(&r, 2) ? 0 : LINK_F_TX_CSUM | LINK_F_TSO4);
	cr_assert(r.ifindex > 0);
	cr_assert_eq(netcfg_neigh_add(r.h->cfg, &peer, true, NULL), 0);
	if (below(&r, 3) == 0)
		cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.ipv4.tcp_mem_limit", "65536", NULL), 0);
	host_apply(r.h);
	r.stack = host_touch(r.h, 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_STREAM, 0, &r.listener), 0);
	cr_assert_eq(ns_bind(r.listener, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(ns_listen(r.listener, 3), 0);
	for (int i = 0; i < steps; i++) {
		switch (below(&r, 12)) {
		case 0:
			icmp(&r);
			break;
		case 1: case 2: case 3:
			app(&r);
			break;
		default:
			segment(&r);
		}
		host_run(r.h, r.h->now + (below(&r, 8) ? below(&r, 1000) * NSEC_PER_USEC : below(&r, 20) ? below(&r, 400) * NSEC_PER_MSEC : 100 * NSEC_PER_SEC));
		audit(&r);
	}
	host_touch(r.h, 0);
	for (int i = 0; i < 8; i++)
		if (r.s[i])
			ns_close(r.s[i]);
	ns_close(r.listener);
	host_run(r.h, r.h->now + 3600 * NSEC_PER_SEC);
	cr_assert(list_empty(sock_list(r.stack)), "sockets are left (seed %llu)", (unsigned long long)seed);
	const struct tcp_state *st = r.stack->tcp;

	cr_assert(st->tw_count == 0 && st->req_count == 0 && st->orphans == 0, "%u TIME-WAIT, %u half-open, %u orphans (seed %llu)", st->tw_count, st->req_count,
		  st->orphans, (unsigned long long)seed);
	cr_assert(host_idle_error(r.h) == NULL, "%s (seed %llu)", host_idle_error(r.h), (unsigned long long)seed);
	host_free(r.h);
}

Test(tcp_hostile, anything_may_come, .timeout = 120)
{
	uint64_t seed = test_seed("tcp_hostile", 1);

	for (int i = 0; i < 60; i++)
		one_life(seed + (uint64_t)i, 1500);
}
