/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_sack.c: the scoreboard against one flag a segment: random SACK blocks, right and wrong, cumulative ACKs, losses.
 */
#include "../lib/host.h"
#include "tcp.h"
#include <criterion/criterion.h>

#define SEGS 200u
#define MSS  100u

struct rig {
	struct host     *h;
	struct tcp_sock *tp;
	uint32_t         base;
	bool             sacked[SEGS], lost[SEGS];
	unsigned         una; /* segments acknowledged */
};

static void rig_init(struct rig *r, uint32_t base, uint32_t skb_segs)
{
	r->h = host_new("a", 1, 1, NULL, NULL);
	r->tp = tcp_sk(sk_alloc(r->h->shard[0].stack, AF_INET, &tcp_prot));
	r->base = base;
	r->tp->mss = MSS;
	r->tp->sack_ok = true;
	r->tp->reordering = 3;
	r->tp->max_window = SEGS * MSS;
	r->tp->snd_una = r->tp->write_seq = r->tp->high_seq = base;
	for (unsigned i = 0; i < SEGS; i += skb_segs) {
		struct sk_buff *skb = tcp_alloc_tx(r->tp, skb_segs * MSS);

		memset(skb_put(skb, skb_segs * MSS), (int)i, skb_segs * MSS);
		TCP_SKB_CB(skb)->end_seq += skb_segs * MSS;
		r->tp->write_seq += skb_segs * MSS;
		tcp_queue_tail(r->tp, skb);
	}
	r->tp->send_head = NULL;
	r->tp->snd_nxt = r->tp->write_seq;
}

static void rig_exit(struct rig *r)
{
	tcp_write_queue_purge(r->tp);
	cr_assert_eq(r->tp->sk.wmem, 0u);
	sock_put(&r->tp->sk);
	cr_assert(host_idle_error(r->h) == NULL);
	host_free(r->h);
}

static void check(const struct rig *r)
{
	const struct tcp_sock *tp = r->tp;
	uint32_t sacked = 0, lost = 0, segs = 0;
	const struct sk_buff *skb;

	for (unsigned i = r->una; i < SEGS; i++) {
		sacked += r->sacked[i] ? MSS : 0;
		lost += r->lost[i] && !r->sacked[i] ? MSS : 0;
	}
	cr_assert_eq(tp->sacked_out, sacked, "sacked %u, expected %u", tp->sacked_out, sacked);
	cr_assert_eq(tp->sacked_segs, sacked / MSS);
	cr_assert_eq(tp->lost_out, lost, "lost %u, expected %u", tp->lost_out, lost);
	skb_queue_walk(&tp->wq, skb) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		unsigned a = (cb->seq - r->base) / MSS, b = (cb->end_seq - r->base) / MSS;

		cr_assert_eq(cb->end_seq - cb->seq, skb->len);
		for (unsigned i = a; i < b; i++) {
			cr_assert_eq(!!(cb->sacked & TCPCB_SACKED_ACKED), r->sacked[i], "segment %u", i);
			cr_assert_eq(!!(cb->sacked & TCPCB_LOST), r->lost[i] && !r->sacked[i], "segment %u lost", i);
		}
		segs += b - a;
	}
	cr_assert_eq(segs, SEGS - r->una);
}

/* RFC 6675 IsLost, said slowly. */
static void twin_mark_lost(struct rig *r)
{
	for (unsigned i = r->una; i < SEGS; i++) {
		unsigned above = 0;

		for (unsigned k = i + 1; k < SEGS; k++)
			above += r->sacked[k];
		if (!r->sacked[i] && above >= r->tp->reordering)
			r->lost[i] = true;
	}
}

static void twin_block(struct rig *r, const struct tcp_sack_block *b)
{
	for (unsigned i = r->una; i < SEGS; i++)
		if (!before(r->base + i * MSS, b->start) && !after(r->base + (i + 1) * MSS, b->end))
			r->sacked[i] = true;
}

static void run(uint64_t *rng, uint32_t base, uint32_t skb_segs, bool odd)
{
	struct rig r;

	memset(&r, 0, sizeof(r));
	rig_init(&r, base, skb_segs);
	for (int round = 0; round < 100 && r.una < SEGS - 1; round++) {
		struct tcp_options opt = { .nsacks = (uint8_t)(1 + test_random_below(rng, 4)) };
		struct tcp_ack_result res = { .flag = 0 };

		for (unsigned i = 0; i < opt.nsacks; i++) {
			uint32_t from = r.una + 1 + test_random_below(rng, SEGS - r.una - 1), n = 1 + test_random_below(rng, 5);
			struct tcp_sack_block *b = &opt.sacks[i];

			b->start = base + from * MSS + (odd ? test_random_below(rng, MSS) : 0);
			b->end = b->start + n * MSS + (odd ? test_random_below(rng, MSS) : 0);
			if (test_random_below(rng, 20) == 0)
				b->end = b->start - test_random_below(rng, 1000); /* backwards */
		}
		/* A first block inside the second is a DSACK; it tags nothing. */
		bool dsack = opt.nsacks > 1 && !before(opt.sacks[0].start, opt.sacks[1].start) && !after(opt.sacks[0].end, opt.sacks[1].end);

		for (unsigned i = dsack ? 1 : 0; i < opt.nsacks; i++)
			if (before(opt.sacks[i].start, opt.sacks[i].end) && !after(opt.sacks[i].end, r.tp->snd_nxt))
				twin_block(&r, &opt.sacks[i]);
		tcp_sacktag(r.tp, &opt, &res);
		tcp_mark_lost(r.tp);
		twin_mark_lost(&r);
		check(&r);
		if (test_random_below(rng, 8) == 0) { /* a cumulative ACK: as clean_rtx_queue does it */
			unsigned to = r.una + test_random_below(rng, 12);
			struct sk_buff *skb;

			to = to < SEGS - 1 ? to : SEGS - 1;
			while ((skb = skb_peek(&r.tp->wq)) && !after(TCP_SKB_CB(skb)->end_seq, base + to * MSS)) {
				tcp_scoreboard_forget(r.tp, skb, skb->len);
				tcp_rtx_unlink_free(r.tp, skb);
			}
			if (skb && before(TCP_SKB_CB(skb)->seq, base + to * MSS)) {
				if (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED)
					to = (TCP_SKB_CB(skb)->seq - base) / MSS; /* the peer does not acknowledge half of what it has */
				else
					tcp_skb_pull_front(r.tp, skb, base + to * MSS - TCP_SKB_CB(skb)->seq);
			}
			r.una = to;
			r.tp->snd_una = base + to * MSS;
			check(&r);
		}
	}
	rig_exit(&r);
}

Test(tcp_sack, like_one_flag_a_segment)
{
	uint64_t rng = test_seed("tcp_sack", 2);

	for (int i = 0; i < 60; i++)
		run(&rng, i % 2 ? (uint32_t)test_random(&rng) : 0u - SEGS * MSS / 2, 1, i % 3 == 0);
}

/* Two blocks of one ACK meet within a segment, which is in neither as a whole; the next ACK's block has all of it, and says nothing else that is new. */
Test(tcp_sack, a_segment_at_the_seam_of_two_blocks)
{
	static const struct tcp_options acks[] = {
		{ .nsacks = 2, .sacks = { { 150, 350 }, { 340, 460 } } },
		{ .nsacks = 1, .sacks = { { 150, 460 } } },
	};
	struct rig r;

	memset(&r, 0, sizeof(r));
	rig_init(&r, 0, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_ack_result res = { .flag = 0 };

		tcp_sacktag(r.tp, &acks[i], &res);
		r.sacked[2] = true;
		r.sacked[3] = i == 1;
		check(&r);
	}
	rig_exit(&r);
}

Test(tcp_sack, large_frames_are_split_at_segments)
{
	uint64_t rng = test_seed("tcp_sack_gso", 3);

	for (int i = 0; i < 60; i++)
		run(&rng, 0u - 700, 1 + test_random_below(&rng, 2) * 9, false);
}

/* CVE-2019-11477 and its kin: a peer that sacks single bytes does not grind the queue. */
Test(tcp_sack, bytes_do_not_split)
{
	struct rig r;

	memset(&r, 0, sizeof(r));
	rig_init(&r, 0, 10);
	uint32_t before_len = r.tp->wq.qlen;

	for (uint32_t i = 1; i < SEGS * MSS - 10; i += 3) {
		struct tcp_options opt = { .nsacks = 1, .sacks = { { i, i + 1 } } };
		struct tcp_ack_result res = { .flag = 0 };

		tcp_sacktag(r.tp, &opt, &res);
	}
	cr_assert_eq(r.tp->wq.qlen, before_len);
	cr_assert_eq(r.tp->sacked_out, 0u);
	rig_exit(&r);
}
