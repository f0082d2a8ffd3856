/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_ofo.c: the out-of-order tree against an array of bytes: random segments in random order, overlapping as they like.
 */
#include "../lib/host.h"
#include "tcp.h"
#include <criterion/criterion.h>

#define SPAN 4000u

struct twin { uint8_t have[SPAN]; };

static struct sk_buff *segment(struct stack *stack, uint32_t base, uint32_t off, uint32_t len)
{
	struct sk_buff *skb = alloc_skb(stack->pool, 64 + len, 64);
	uint8_t *p = skb_put(skb, len);

	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)((off + i) * 7 + 1);
	memset(TCP_SKB_CB(skb), 0, sizeof(struct tcp_skb_cb));
	TCP_SKB_CB(skb)->seq = base + off;
	TCP_SKB_CB(skb)->end_seq = base + off + len;
	TCP_SKB_CB(skb)->flags = TCPHDR_ACK;
	return skb;
}

/* Every SACK block tells only of bytes that are there, none of what is in order, and each is as long as it can be. */
static void check_blocks(const struct tcp_sock *tp, const struct twin *t, uint32_t base)
{
	for (unsigned i = 0; i < tp->nsacks; i++) {
		uint32_t a = tp->sack_tx[i].start - base, b = tp->sack_tx[i].end - base;

		cr_assert(a < b && b <= SPAN, "block %u: %u..%u", i, a, b);
		cr_assert(after(tp->sack_tx[i].start, tp->rcv_nxt));
		for (uint32_t k = a; k < b; k++)
			cr_assert(t->have[k], "block %u tells of byte %u", i, k);
		for (unsigned j = 0; j < i; j++)
			cr_assert(b < tp->sack_tx[j].start - base || a > tp->sack_tx[j].end - base, "blocks %u and %u touch", i, j);
	}
}

static void drain(struct tcp_sock *tp, struct twin *t, uint32_t base)
{
	struct sk_buff *skb;

	while ((skb = tcp_ofo_next(tp))) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		cr_assert_eq(cb->seq, tp->rcv_nxt);
		cr_assert_eq(cb->end_seq - cb->seq, skb->len);
		for (uint32_t i = 0; i < skb->len; i++) {
			uint8_t b;

			cr_assert_eq(skb_copy_bits(skb, i, &b, 1), 0);
			cr_assert_eq(b, (uint8_t)((cb->seq - base + i) * 7 + 1));
		}
		tp->rcv_nxt = cb->end_seq;
		consume_skb(skb);
	}
	uint32_t at = tp->rcv_nxt - base;

	cr_assert(at == SPAN || !t->have[at], "byte %u is there and was not given", at);
}

static void one_run(struct host *h, uint64_t *rng, uint32_t base)
{
	struct stack *stack = h->shard[0].stack;
	struct sock *sk = sk_alloc(stack, AF_INET, &tcp_prot);
	struct tcp_sock *tp = tcp_sk(sk);
	static struct twin t;

	memset(&t, 0, sizeof(t));
	tp->sack_ok = true;
	tp->rcv_nxt = base;
	for (int i = 0; i < 300; i++) {
		uint32_t at = tp->rcv_nxt - base, off, len;

		if (at >= SPAN - 1)
			break;
		off = at + test_random_below(rng, SPAN - at < 600 ? SPAN - at : 600);
		len = 1 + test_random_below(rng, SPAN - off < 120 ? SPAN - off : 120);
		if (off == at) { /* in order: the caller's part */
			memset(t.have + off, 1, len);
			tp->rcv_nxt += len;
			drain(tp, &t, base);
		} else {
			bool fresh = memchr(t.have + off, 0, len) != NULL;
			bool took = tcp_ofo_insert(tp, segment(stack, base, off, len));

			cr_assert(took || !fresh, "new bytes in %u+%u were refused", off, len);
			memset(t.have + off, 1, len);
		}
		check_blocks(tp, &t, base);
	}
	cr_assert_eq(sk->rmem, tp->ofo_truesize);
	if (test_random_below(rng, 2) && tp->ofo_root) {
		uint32_t before_prune = tp->ofo_truesize;

		cr_assert(tcp_ofo_prune(tp));
		cr_assert(tp->ofo_truesize <= before_prune / 2);
	}
	tcp_ofo_purge(tp, SKB_DROP_TCP_OFO_QUEUE_PRUNE);
	cr_assert_eq(tp->ofo_count, 0u);
	cr_assert_eq(sk->rmem, 0u);
	cr_assert_eq(stack->tcp->mem, 0u);
	sock_put(sk);
}

Test(tcp_ofo, like_an_array_of_bytes)
{
	uint64_t rng = test_seed("tcp_ofo", 1);
	struct host *h = host_new("a", 1, 1, NULL, NULL);

	for (int i = 0; i < 200; i++)
		one_run(h, &rng, i % 2 ? (uint32_t)test_random(&rng) : 0u - SPAN / 2);
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
}

/* Descending arrival, which would make a list of a tree without balance. */
Test(tcp_ofo, depth_is_logarithmic)
{
	struct host *h = host_new("a", 1, 1, NULL, NULL);
	struct stack *stack = h->shard[0].stack;
	struct sock *sk = sk_alloc(stack, AF_INET, &tcp_prot);
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned depth = 0, right = 0;

	for (uint32_t i = 1000; i > 0; i--)
		tcp_ofo_insert(tp, segment(stack, 0, i * 3, 1));
	for (struct sk_buff *s = tp->ofo_root; s; s = s->prev)
		depth++;
	for (struct sk_buff *s = tp->ofo_root; s; s = s->next)
		right++;
	cr_assert(depth < 60 && right < 60, "%u and %u deep", depth, right);
	cr_assert_eq(tp->ofo_count, 1000u);
	tcp_ofo_purge(tp, SKB_DROP_TCP_OFO_QUEUE_PRUNE);
	sock_put(sk);
	host_free(h);
}
