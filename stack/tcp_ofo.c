/* SPDX-License-Identifier: MIT */
/*
 * tcp_ofo.c: what arrived ahead of its turn, and the SACK blocks that tell of it (RFC 2018, RFC 2883).
 *
 * Segments stand in a treap keyed by sequence number, children in skb->prev (left) and skb->next (right), priorities from the stack's generator so that no
 * sender can make it a list: insertion and removal cost O(log n) whatever the order of arrival. Invariants: segments do not overlap; all begin
 * behind rcv_nxt; ofo_last is the rightmost; ofo_truesize is part of rmem.
 *
 * Of overlapping text the copy that came first stays (an attacker's later overlay changes nothing).
 */
#include "tcp.h"

#define L(skb) ((skb)->prev)
#define R(skb) ((skb)->next)
static inline uint32_t seq_of(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->seq; }
static inline uint32_t end_of(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->end_seq; }

/* ---- treap --------------------------------------------------------------------------------------------------------------------------------- */

/* l: begins before seq; r: the others. Depth is logarithmic in expectation. */
static void treap_split(struct sk_buff *t, uint32_t seq, struct sk_buff **l, struct sk_buff **r)
{
	while (t) {
		if (before(seq_of(t), seq)) {
			*l = t;
			l = &R(t);
			t = R(t);
		} else {
			*r = t;
			r = &L(t);
			t = L(t);
		}
	}
	*l = *r = NULL;
}

/* Everything in a is before everything in b. */
static struct sk_buff *treap_merge(struct sk_buff *a, struct sk_buff *b)
{
	struct sk_buff *root = NULL, **at = &root;

	while (a && b) {
		if (TCP_SKB_CB(a)->rx.prio > TCP_SKB_CB(b)->rx.prio) {
			*at = a;
			at = &R(a);
			a = R(a);
		} else {
			*at = b;
			at = &L(b);
			b = L(b);
		}
	}
	*at = a ? a : b;
	return root;
}

static struct sk_buff *treap_max(struct sk_buff *t)
{
	while (t && R(t))
		t = R(t);
	return t;
}

static struct sk_buff *treap_pop_min(struct sk_buff **root)
{
	struct sk_buff **at = root, *n;

	if (!*root)
		return NULL;
	while (L(*at))
		at = &L(*at);
	n = *at;
	*at = R(n);
	n->next = n->prev = NULL;
	return n;
}

static struct sk_buff *treap_min(struct sk_buff *t)
{
	while (t && L(t))
		t = L(t);
	return t;
}

/* ---- SACK blocks to send --------------------------------------------------------------------------------------------------------------------- */

/* The block that the newest segment belongs to goes first (RFC 2018 section 4); blocks that it joins become one. */
static void sack_note(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	struct tcp_sack_block b = { start, end };
	unsigned i, n = 0;

	if (!tp->sack_ok)
		return;
	for (i = 0; i < tp->nsacks; i++) {
		struct tcp_sack_block o = tp->sack_tx[i];

		if (!after(o.start, b.end) && !before(o.end, b.start)) {
			b.start = seq_min(b.start, o.start);
			b.end = seq_max(b.end, o.end);
		} else {
			tp->sack_tx[n++] = o;
		}
	}
	if (n == TCP_NUM_SACKS)
		n--;
	memmove(&tp->sack_tx[1], &tp->sack_tx[0], n * sizeof(b));
	tp->sack_tx[0] = b;
	tp->nsacks = (uint8_t)(n + 1);
}

/* rcv_nxt moved: blocks that it has reached are history. */
static void sack_forget(struct tcp_sock *tp)
{
	unsigned i, n = 0;

	if (!tp->ofo_root) {
		tp->nsacks = 0;
		return;
	}
	for (i = 0; i < tp->nsacks; i++)
		if (after(tp->sack_tx[i].start, tp->rcv_nxt))
			tp->sack_tx[n++] = tp->sack_tx[i];
	tp->nsacks = (uint8_t)n;
}

void tcp_dsack_set(struct tcp_sock *tp, uint32_t start, uint32_t end, bool ofo)
{
	struct stack *stack = tcp_stack(tp);

	if (!tp->sack_ok || !stack->sysctl->tcp_dsack || !before(start, end))
		return;
	if (ofo)
		STACK_MIB_INC(stack, TcpExt_TCPDSACKOfoSent);
	else
		STACK_MIB_INC(stack, TcpExt_TCPDSACKOldSent);
	if (tp->have_dsack && !after(start, tp->dsack.end) && !before(end, tp->dsack.start)) {
		tp->dsack.start = seq_min(start, tp->dsack.start);
		tp->dsack.end = seq_max(end, tp->dsack.end);
		return;
	}
	tp->have_dsack = true;
	tp->dsack.start = start;
	tp->dsack.end = end;
}

/* ---- queue --------------------------------------------------------------------------------------------------------------------------------- */

static void account(struct tcp_sock *tp, const struct sk_buff *skb, bool in)
{
	if (in) {
		tp->ofo_count++;
		tp->ofo_truesize += skb->truesize;
		tcp_rmem_add(tp, skb->truesize);
	} else {
		tp->ofo_count--;
		tp->ofo_truesize -= skb->truesize;
		tcp_rmem_sub(tp, skb->truesize);
	}
}

/* Uncharged. */
static struct sk_buff *tcp_ofo_pop_first(struct tcp_sock *tp)
{
	struct sk_buff *skb = treap_pop_min(&tp->ofo_root);

	if (!skb)
		return NULL;
	account(tp, skb, false);
	if (skb == tp->ofo_last)
		tp->ofo_last = NULL;
	return skb;
}

void tcp_ofo_purge(struct tcp_sock *tp, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = tcp_ofo_pop_first(tp)))
		kfree_skb(skb, reason);
	tp->nsacks = 0;
}

/* Gives up text from the far end, which the sender will have to send again last, until half of the out-of-order memory is free. */
bool tcp_ofo_prune(struct tcp_sock *tp)
{
	uint32_t goal = tp->ofo_truesize / 2;
	struct sk_buff *l, *r, *skb;

	if (!tp->ofo_root)
		return false;
	STACK_MIB_INC(tcp_stack(tp), TcpExt_OfoPruned);
	while (tp->ofo_root && tp->ofo_truesize > goal) {
		struct sk_buff *last = treap_max(tp->ofo_root);

		treap_split(tp->ofo_root, seq_of(last), &l, &r);
		tp->ofo_root = l;
		while ((skb = treap_pop_min(&r))) {
			account(tp, skb, false);
			kfree_skb(skb, SKB_DROP_TCP_OFO_QUEUE_PRUNE);
		}
	}
	tp->ofo_last = treap_max(tp->ofo_root);
	tp->nsacks = 0; /* what was told may be gone: the sender must not build on it (RFC 2018 section 8) */
	return true;
}

static void trim_tail(struct sk_buff *skb, uint32_t end)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->flags & TCPHDR_FIN)
		cb->flags &= (uint8_t)~TCPHDR_FIN;
	skb_trim(skb, end - cb->seq);
	cb->end_seq = end;
}

/* Small text goes into the free end of the segment in front of it: many small ones must not cost a buffer each. */
static bool join(struct tcp_sock *tp, struct sk_buff *to, struct sk_buff *skb)
{
	uint32_t n = skb->len;

	if (!to || end_of(to) != seq_of(skb) || !n || n > 1024 || skb_tailroom(to) < n || to->cloned || to->area->refcnt != 1 ||
	    ((TCP_SKB_CB(skb)->flags | TCP_SKB_CB(to)->flags) & TCPHDR_FIN))
		return false;
	(void)skb_copy_bits(skb, 0, skb_put(to, n), n);
	TCP_SKB_CB(to)->end_seq += n;
	STACK_MIB_INC(tcp_stack(tp), TcpExt_TCPRcvCoalesce);
	consume_skb(skb);
	return true;
}

/* skb, data at its text, begins behind rcv_nxt and ends inside the window; consumed. False: nothing of it was new. */
bool tcp_ofo_insert(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct stack *stack = tcp_stack(tp);
	struct sk_buff *l, *r, *m, *pred;

	STACK_MIB_INC(stack, TcpExt_TCPOFOQueue);
	tp->rcv_ooopack++;
	skb->dev = NULL;
	skb->rt.dev = NULL;
	if (tp->ofo_last && !before(cb->seq, end_of(tp->ofo_last))) { /* usual: at the end */
		l = tp->ofo_root;
		r = NULL;
		pred = tp->ofo_last;
	} else {
		treap_split(tp->ofo_root, cb->seq, &l, &r);
		pred = treap_max(l);
	}
	if (pred && after(end_of(pred), cb->seq)) {
		if (!after(cb->end_seq, end_of(pred)))
			goto duplicate;
		uint32_t n = end_of(pred) - cb->seq;

		tcp_dsack_set(tp, cb->seq, end_of(pred), true);
		STACK_MIB_INC(stack, TcpExt_TCPOFOMerge);
		skb_pull(skb, u32_min(n, skb->len));
		cb->seq += n;
	}
	while ((m = treap_min(r)) && before(seq_of(m), cb->end_seq)) {
		if (seq_of(m) == cb->seq && !before(end_of(m), cb->end_seq))
			goto duplicate;
		STACK_MIB_INC(stack, TcpExt_TCPOFOMerge);
		if (after(end_of(m), cb->end_seq) || (end_of(m) == cb->end_seq && (TCP_SKB_CB(m)->flags & TCPHDR_FIN))) {
			tcp_dsack_set(tp, seq_of(m), cb->end_seq, true);
			trim_tail(skb, seq_of(m)); /* what came first stays */
			break;
		}
		/* Covered: the longer one takes its place, and carries the same bytes unless somebody lies. */
		m = treap_pop_min(&r);
		if (m == tp->ofo_last)
			tp->ofo_last = NULL;
		tcp_dsack_set(tp, seq_of(m), end_of(m), true);
		account(tp, m, false);
		consume_skb(m);
	}
	sack_note(tp, cb->seq, cb->end_seq);
	if (join(tp, pred, skb)) {
		tp->ofo_root = treap_merge(l, r);
	} else {
		cb->rx.prio = rng_u32(&stack->rng);
		skb->next = skb->prev = NULL;
		account(tp, skb, true);
		tp->ofo_root = treap_merge(treap_merge(l, skb), r);
		if (!r)
			tp->ofo_last = skb;
	}
	if (!tp->ofo_last)
		tp->ofo_last = treap_max(tp->ofo_root);
	return true;
duplicate:
	tcp_dsack_set(tp, cb->seq, cb->end_seq, true);
	tp->ofo_root = treap_merge(l, r);
	tp->ofo_last = treap_max(tp->ofo_root);
	kfree_skb(skb, SKB_DROP_TCP_OLD_DATA);
	return false;
}

/* rcv_nxt has moved. The next segment if it is its turn now, with what is old of it cut off; NULL: none. */
struct sk_buff *tcp_ofo_next(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	while ((skb = treap_min(tp->ofo_root)) && !after(seq_of(skb), tp->rcv_nxt)) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		(void)tcp_ofo_pop_first(tp);
		if (!after(cb->end_seq, tp->rcv_nxt)) {
			tcp_dsack_set(tp, cb->seq, cb->end_seq, true);
			kfree_skb(skb, SKB_DROP_TCP_OLD_DATA);
			continue;
		}
		if (before(cb->seq, tp->rcv_nxt)) {
			uint32_t n = tp->rcv_nxt - cb->seq;

			tcp_dsack_set(tp, cb->seq, tp->rcv_nxt, true);
			skb_pull(skb, u32_min(n, skb->len));
			cb->seq += n;
		}
		sack_forget(tp);
		return skb;
	}
	sack_forget(tp);
	return NULL;
}
