/* SPDX-License-Identifier: MIT */
/*
 * ip_fragment.c: datagrams put together from fragments, and cut into them.
 *
 * Theory of operation, reassembly. Incomplete datagrams stand in a hash keyed by (source, destination, protocol, identification), by whatever
 * devices the fragments come (RFC 791; paths may be several). Which eighths
 * of bytes are there is kept as a bitmap of 8,192 bits: whether a fragment is new, a repetition or overlaps costs the same for each
 * fragment, whatever came before and in whatever order, so there is no sequence of fragments that is expensive. Pieces wait in a plain list; their offsets matter only
 * at the end, when they become fragments of one skb by reference, or, when there are more than fit, one copy into a large area.
 *   - a piece that is there already is dropped; one that overlaps in part condemns the whole datagram (the choice of RFC 5722, as on Linux)
 *   - two ends, or bytes behind the end, condemn it as well
 *   - no datagram grows beyond 65,535 bytes (ping of death)
 *
 * Limits. What all of it stands for in memory is bounded by ipfrag_high_thresh; above it, datagrams are given up until ipfrag_low_thresh is
 * reached: always the oldest of that source (hashed into PEERS classes) which holds most, so that one sender cannot push out the others. After
 * ipfrag_time the rest is not waited for; if the first fragment was there and somebody can be told, he is (RFC 792, RFC 1122 3.3.2).
 *
 * Theory of operation, fragmentation. Each piece is a fresh header and references into the original's areas: no payload byte is copied.
 *
 * Shards: all fragments of a datagram meet on one (softnet.c hashes source, destination, protocol, identification); the whole is hashed again by its own
 * ports and may go on to another.
 *
 * RFC 791 2.3 and 3.2, RFC 815 (the task, not the method), RFC 1122 3.3.2, RFC 1812 4.2.2.7, RFC 3168 5.3 (ECN), RFC 6864.
 * Not done here: when to fragment (ip_output.c); reassembly of what is only forwarded.
 */
#include "bug.h"
#include "checksum.h"
#include "ip.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>
#include <stdlib.h>

#define FRAG_BUCKETS 256u
#define PEERS        256u
#define FRAG_UNITS   8192u /* of eight bytes */
#define FREE_MAX     32u

struct frag_key {
	be32     saddr, daddr;
	be16     id;
	uint8_t  proto, pad;
};

struct frag_queue { /* one incomplete datagram */
	struct hlist_node   hash;
	struct list_head    age; /* of its peer, oldest first */
	struct frag_key     key;
	struct timer        timer;
	struct sk_buff_head pieces; /* data at the payload, cb: struct frag_cb; as they came */
	uint32_t            mem; /* truesize of pieces and of this */
	uint32_t            have; /* payload bytes there */
	uint32_t            end; /* payload bytes in all; 0: the last piece is not there */
	uint32_t            highest; /* end of the highest piece */
	uint16_t            max_size; /* largest piece with its header */
	uint16_t            max_df_size; /* likewise of those with DF */
	uint8_t             ecn; /* bit (1 << ECN field) of each piece */
	uint8_t             peer;
	uint64_t            bits[FRAG_UNITS / 64];
};

struct frag_cb {
	uint32_t off, len; /* of its payload */
};
#define FRAG_CB(skb) ((struct frag_cb *)(void *)((skb)->cb + sizeof(struct ip_skb_cb)))
_Static_assert(sizeof(struct ip_skb_cb) % _Alignof(struct frag_cb) == 0 && sizeof(struct ip_skb_cb) + sizeof(struct frag_cb) <= sizeof(((struct sk_buff *)0)->cb), "cb");

struct ip_frags { /* owner: the shard */
	struct hlist_head hash[FRAG_BUCKETS];
	struct {
		struct list_head ages;
		uint64_t         mem;
	} peers[PEERS];
	struct siphash_key key;
	uint64_t           mem;
	uint32_t           nqueues;
	struct list_head   free; /* by age */
	uint32_t           nfree;
};

static inline struct ip_hdr *ip_hdr_of(const struct sk_buff *skb)
{
	return (struct ip_hdr *)(void *)skb_network_header(skb);
}

/* ---- queues ---------------------------------------------------------------------------------------------------------------- */

static void frag_timeout(struct stack *stack, struct timer *t);

static void frag_charge(struct ip_frags *f, struct frag_queue *q, uint32_t bytes)
{
	q->mem += bytes;
	f->mem += bytes;
	f->peers[q->peer].mem += bytes;
}

/* Ends q. What is still in it is dropped with the reason. */
static void frag_destroy(struct stack *stack, struct frag_queue *q, enum skb_drop_reason reason)
{
	struct ip_frags *f = stack->frags;

	timer_del(stack, &q->timer);
	hlist_del(&q->hash);
	list_del(&q->age);
	skb_queue_purge(&q->pieces, reason);
	f->mem -= q->mem;
	f->peers[q->peer].mem -= q->mem;
	f->nqueues--;
	if (f->nfree < FREE_MAX) {
		list_add(&q->age, &f->free);
		f->nfree++;
	} else {
		free(q);
	}
}

static void frag_fail(struct stack *stack, struct frag_queue *q, enum skb_drop_reason reason)
{
	STACK_MIB_INC(stack, Ip_ReasmFails);
	frag_destroy(stack, q, reason);
}

/* Down to the low threshold: from whoever holds most, his oldest. */
static void frag_evict(struct stack *stack)
{
	struct ip_frags *f = stack->frags;
	uint64_t low = (uint64_t)stack->sysctl->ipfrag_low_thresh, high = (uint64_t)stack->sysctl->ipfrag_high_thresh;

	if (f->mem <= high)
		return;
	if (low > high)
		low = high;
	while (f->mem > low) {
		struct frag_queue *q;
		unsigned most = 0;

		for (unsigned i = 1; i < PEERS; i++) {
			if (f->peers[i].mem > f->peers[most].mem)
				most = i;
		}
		q = list_first(&f->peers[most].ages, struct frag_queue, age);
		if (!q)
			return;
		frag_fail(stack, q, SKB_DROP_FRAG_MEM);
	}
}

static struct frag_queue *frag_create(struct stack *stack, const struct frag_key *key, uint64_t h)
{
	struct ip_frags *f = stack->frags;
	struct frag_queue *q = list_first(&f->free, struct frag_queue, age);

	if (q) {
		list_del(&q->age);
		f->nfree--;
	} else {
		q = malloc(sizeof(*q));
		if (!q)
			return NULL;
	}
	memset(q, 0, sizeof(*q));
	q->key = *key;
	q->peer = (uint8_t)(siphash(&f->key, &key->saddr, sizeof(key->saddr)) % PEERS);
	skb_queue_init(&q->pieces);
	timer_init(&q->timer, frag_timeout);
	timer_mod(stack, &q->timer, stack->now + stack->sysctl->ipfrag_time * NSEC_PER_SEC);
	hlist_add_head(&q->hash, &f->hash[h % FRAG_BUCKETS]);
	list_init(&q->age);
	list_add_tail(&q->age, &f->peers[q->peer].ages);
	f->nqueues++;
	frag_charge(f, q, sizeof(*q));
	return q;
}

static struct frag_queue *frag_find(struct stack *stack, const struct sk_buff *skb)
{
	const struct ip_hdr *iph = ip_hdr_of(skb);
	struct frag_key key = { .saddr = iph->saddr, .daddr = iph->daddr, .id = iph->id, .proto = iph->protocol };
	uint64_t h = siphash(&stack->frags->key, &key, sizeof(key));
	struct frag_queue *q;

	hlist_for_each(q, &stack->frags->hash[h % FRAG_BUCKETS], struct frag_queue, hash) {
		if (memcmp(&q->key, &key, sizeof(key)) == 0)
			return q;
	}
	return frag_create(stack, &key, h);
}

static struct sk_buff *frag_first(const struct frag_queue *q)
{
	struct sk_buff *skb;

	skb_queue_walk(&q->pieces, skb) {
		if (FRAG_CB(skb)->off == 0)
			return skb;
	}
	return NULL;
}

static void frag_timeout(struct stack *stack, struct timer *t)
{
	struct frag_queue *q = container_of(t, struct frag_queue, timer);
	struct sk_buff *first = frag_first(q);

	STACK_MIB_INC(stack, Ip_ReasmTimeout);
	if (first) {
		/* out of the queue while the error is made: sending may come back here */
		skb_unlink(&q->pieces, first);
		frag_fail(stack, q, SKB_DROP_FRAG_TIMEOUT);
		icmp_send(stack, first, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
		kfree_skb(first, SKB_DROP_FRAG_TIMEOUT);
		return;
	}
	frag_fail(stack, q, SKB_DROP_FRAG_TIMEOUT);
}

/* ---- reassembly ------------------------------------------------------------------------------------------------------------ */

enum { UNITS_NONE, UNITS_SOME, UNITS_ALL };

/* How much of the units [from, to) is there already; from < to. */
static int bits_look(const uint64_t *bits, unsigned from, unsigned to)
{
	bool some = false, missing = false;

	while (from < to) {
		unsigned bit = from % 64, k = 64 - bit < to - from ? 64 - bit : to - from;
		uint64_t mask = (k == 64 ? ~UINT64_C(0) : ((UINT64_C(1) << k) - 1)) << bit, got = bits[from / 64] & mask;

		some |= got != 0;
		missing |= got != mask;
		from += k;
	}
	return !some ? UNITS_NONE : missing ? UNITS_SOME : UNITS_ALL;
}

static void bits_set(uint64_t *bits, unsigned from, unsigned to)
{
	while (from < to) {
		unsigned bit = from % 64, k = 64 - bit < to - from ? 64 - bit : to - from;

		bits[from / 64] |= (k == 64 ? ~UINT64_C(0) : ((UINT64_C(1) << k) - 1)) << bit;
		from += k;
	}
}

/* What is wrong with a fragment by itself. SKB_CONSUMED: nothing. */
static enum skb_drop_reason frag_check(const struct ip_hdr *iph, uint32_t off, uint32_t len, bool more)
{
	if (!len || (more && len % 8))
		return SKB_DROP_FRAG_SHORT;
	if (off + len + ip_hdrlen(iph) > IPV4_MAX_PACKET)
		return SKB_DROP_FRAG_TOO_FAR;
	return SKB_CONSUMED;
}

/* Judges [off, off+len) against what is there. fatal: the datagram is to be given up. */
static enum skb_drop_reason frag_judge(struct stack *stack, const struct frag_queue *q, uint32_t off, uint32_t len, bool more, bool *fatal)
{
	uint32_t end = off + len;
	int there = bits_look(q->bits, off / 8, (end + 7) / 8);

	*fatal = false;
	if (there == UNITS_ALL && (more || end == q->end) && (!q->end || end <= q->end))
		return SKB_DROP_FRAG_DUP;
	*fatal = true;
	if (there != UNITS_NONE) {
		STACK_MIB_INC(stack, IpExt_ReasmOverlaps);
		return SKB_DROP_FRAG_OVERLAP;
	}
	if (q->end && (end > q->end || !more))
		return SKB_DROP_FRAG_INCONSISTENT;
	if (!more && end < q->highest)
		return SKB_DROP_FRAG_INCONSISTENT;
	return SKB_CONSUMED;
}

/* RFC 3168 5.3: the ECN field of the whole. -1: pieces that cannot be of one datagram. */
static int frag_ecn(uint8_t seen)
{
	enum { NOT_ECT = 1, ECT1 = 2, ECT0 = 4, CE = 8 };

	if (seen & NOT_ECT)
		return seen == NOT_ECT ? 0 : -1;
	if (seen & CE)
		return 3;
	return seen & ECT0 ? 2 : 1;
}

/* All pieces as references behind the first. False: they do not fit; nothing has changed. */
static bool frag_join(struct frag_queue *q, struct sk_buff *first)
{
	struct sk_buff *sorted[SKB_MAX_FRAGS + 1], *skb;
	unsigned n = 0, slots = 0;

	skb_queue_walk(&q->pieces, skb) {
		unsigned i;

		if (n == SKB_MAX_FRAGS + 1)
			return false;
		slots += skb->nr_frags + (skb != first && skb_headlen(skb));
		for (i = n; i > 0 && FRAG_CB(sorted[i - 1])->off > FRAG_CB(skb)->off; i--)
			sorted[i] = sorted[i - 1];
		sorted[i] = skb;
		n++;
	}
	if (slots > SKB_MAX_FRAGS || !skb_frags_room(first, slots - first->nr_frags))
		return false;
	skb_unlink(&q->pieces, first);
	for (unsigned i = 1; i < n; i++) {
		skb_unlink(&q->pieces, sorted[i]);
		/* by reference in every case: there is room for the slots counted above */
		if (skb_shift(first, sorted[i], sorted[i]->len) < 0)
			BUG_ON(true);
		consume_skb(sorted[i]);
	}
	return true;
}

/* One linear packet with first's headers and all payload. NULL: no memory. */
static struct sk_buff *frag_copy(struct stack *stack, struct frag_queue *q, struct sk_buff *first)
{
	uint32_t hlen = (uint32_t)(skb_headroom(first) - first->network_header), headroom = SKB_HEADROOM + hlen;
	struct sk_buff *whole = alloc_skb(stack->pool, headroom + q->end, headroom), *skb;

	if (!whole)
		return NULL;
	memcpy(whole->data - hlen, first->data - hlen, hlen);
	skb_put(whole, q->end);
	skb_queue_walk(&q->pieces, skb) {
		if (skb_copy_bits(skb, 0, whole->data + FRAG_CB(skb)->off, FRAG_CB(skb)->len) < 0)
			BUG_ON(true);
	}
	whole->dev = first->dev;
	whole->skb_iif = first->skb_iif;
	whole->tstamp = first->tstamp;
	whole->mark = first->mark;
	whole->protocol = first->protocol;
	whole->pkt_type = first->pkt_type;
	whole->rt = first->rt;
	whole->network_header = (uint16_t)(skb_headroom(whole) - hlen);
	memcpy(whole->cb, first->cb, sizeof(whole->cb));
	return whole;
}

/* q is complete: makes one datagram of it and ends q. NULL: no memory, or not acceptable. */
static struct sk_buff *frag_finish(struct stack *stack, struct frag_queue *q)
{
	struct sk_buff *first = frag_first(q), *skb = first;
	int ecn = frag_ecn(q->ecn);
	struct ip_hdr *iph;
	uint32_t hlen;
	bool linear = false;

	if (ecn < 0) {
		frag_fail(stack, q, SKB_DROP_FRAG_INCONSISTENT);
		return NULL;
	}
	if (!skb_head_writable(first) && skb_cow_head(first, SKB_HEADROOM) < 0)
		goto nomem;
	if (!frag_join(q, first)) {
		skb = frag_copy(stack, q, first);
		if (!skb)
			goto nomem;
		linear = true;
	}
	hlen = (uint32_t)(skb_headroom(skb) - skb->network_header);
	skb_push(skb, hlen);
	iph = ip_hdr_of(skb);
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	/* DF again when the largest piece had it: the path need not be tried for more (RFC 791 does not say; as Linux) */
	iph->frag_off = q->max_df_size == q->max_size ? cpu_to_be16(IP_DF) : 0;
	iph->tos = (uint8_t)((iph->tos & ~3) | ecn);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, ip_hdrlen(iph) / 4);
	skb->transport_header = (uint16_t)(skb->network_header + hlen);
	skb->ip_summed = CHECKSUM_NONE;
	skb->gso_size = skb->gso_segs = 0; /* whatever the device said of the first piece */
	skb->gso_type = 0;
	skb->reassembled = 1;
	skb->max_frag = q->max_size;
	IPCB(skb)->frag_max_size = q->max_size;
	skb->hash = 0;
	skb->steered = 0;
	STACK_MIB_INC(stack, Ip_ReasmOKs);
	if (linear) {
		struct sk_buff *piece;

		while ((piece = skb_dequeue(&q->pieces)))
			consume_skb(piece);
	}
	frag_destroy(stack, q, SKB_CONSUMED);
	return skb;

nomem:
	frag_fail(stack, q, SKB_DROP_NOMEM);
	return NULL;
}

/* Takes skb into q. True: q is complete. Consumes skb, and q when it is given up (then false). */
static bool frag_queue_piece(struct stack *stack, struct frag_queue *q, struct sk_buff *skb)
{
	const struct ip_hdr *iph = ip_hdr_of(skb);
	uint16_t frag = be16_to_cpu(iph->frag_off), size = be16_to_cpu(iph->tot_len);
	uint32_t hlen = ip_hdrlen(iph), off = (frag & IP_OFFSET) * 8u, len = size - hlen;
	bool more = frag & IP_MF, fatal = false;
	enum skb_drop_reason reason = frag_judge(stack, q, off, len, more, &fatal);

	if (reason != SKB_CONSUMED) {
		kfree_skb(skb, reason);
		if (fatal)
			frag_fail(stack, q, reason);
		return false;
	}
	q->ecn |= (uint8_t)(1u << (iph->tos & 3));
	if (size > q->max_size)
		q->max_size = size;
	if (frag & IP_DF && size > q->max_df_size)
		q->max_df_size = size;
	skb_pull(skb, hlen);
	FRAG_CB(skb)->off = off;
	FRAG_CB(skb)->len = len;
	bits_set(q->bits, off / 8, (off + len + 7) / 8);
	q->have += len;
	if (off + len > q->highest)
		q->highest = off + len;
	if (!more)
		q->end = off + len;
	skb_queue_tail(&q->pieces, skb);
	frag_charge(stack->frags, q, skb->truesize);
	return q->end && q->have == q->end;
}

struct sk_buff *ip_defrag(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph = ip_hdr_of(skb);
	uint16_t frag = be16_to_cpu(iph->frag_off);
	enum skb_drop_reason reason;
	struct frag_queue *q;

	STACK_MIB_INC(stack, Ip_ReasmReqds);
	reason = frag_check(iph, (frag & IP_OFFSET) * 8u, be16_to_cpu(iph->tot_len) - ip_hdrlen(iph), frag & IP_MF);
	if (reason != SKB_CONSUMED) {
		STACK_MIB_INC(stack, Ip_ReasmFails);
		kfree_skb(skb, reason);
		return NULL;
	}
	q = frag_find(stack, skb);
	if (!q) {
		STACK_MIB_INC(stack, Ip_ReasmFails);
		kfree_skb(skb, SKB_DROP_NOMEM);
		return NULL;
	}
	if (!frag_queue_piece(stack, q, skb)) {
		frag_evict(stack);
		return NULL;
	}
	skb = frag_finish(stack, q);
	if (skb && stack_multi(stack)) {
		skb->hash = skb_flow_hash(stack, skb);
		if (steer_skb(stack, skb, flow_cpu(stack, skb->hash)))
			return NULL;
	}
	return skb;
}

/* ---- fragmentation --------------------------------------------------------------------------------------------------------- */

struct frag_cursor { /* where the reading of the payload stands */
	uint32_t off; /* in the linear part, or in the fragment */
	int      frag; /* -1: the linear part */
};

/* The next n bytes of skb behind piece, by reference. 0 or -EMSGSIZE. */
static int frag_take(struct sk_buff *piece, const struct sk_buff *skb, struct frag_cursor *c, uint32_t n)
{
	while (n) {
		const struct skb_frag *f = c->frag < 0 ? NULL : &skb->frags[c->frag];
		uint32_t have = f ? f->len : skb_headlen(skb), k = n < have - c->off ? n : have - c->off;
		int err;

		if (!k) {
			c->frag++;
			c->off = 0;
			continue;
		}
		err = f ? skb_add_frag(piece, f->area, f->off + c->off, k) : skb_add_frag(piece, skb->area, (uint32_t)(skb->data - skb->area->base) + c->off, k);
		if (err < 0)
			return err;
		c->off += k;
		n -= k;
	}
	return 0;
}

struct frag_plan { /* what all pieces but the first have in common */
	struct ip_hdr iph;
	uint8_t       opt[40];
	unsigned      optlen;
};

/* A piece with its header: n payload bytes from byte off (of the original datagram) on. NULL: no memory. */
static struct sk_buff *frag_piece(struct sk_buff *skb, const struct frag_plan *plan, struct frag_cursor *cur, uint32_t off, uint32_t n, bool first, bool more)
{
	unsigned hlen = first ? ip_hdrlen(&plan->iph) : IPV4_HLEN + plan->optlen;
	struct sk_buff *piece = alloc_skb(skb->pool, SKB_HEADROOM + hlen, SKB_HEADROOM);
	struct ip_hdr *iph;

	if (!piece)
		return NULL;
	piece->dev = skb->dev;
	piece->rt = skb->rt;
	piece->protocol = skb->protocol;
	piece->pkt_type = skb->pkt_type;
	piece->mark = skb->mark;
	piece->hash = skb->hash;
	piece->tstamp = skb->tstamp;
	piece->skb_iif = skb->skb_iif;
	memcpy(piece->cb, skb->cb, sizeof(piece->cb));
	skb_reset_network_header(piece);
	iph = skb_put(piece, hlen);
	if (first) {
		memcpy(iph, skb->data, hlen);
	} else {
		*iph = plan->iph;
		iph->ver_ihl = (uint8_t)(0x40 | hlen / 4);
		memcpy(iph + 1, plan->opt, plan->optlen);
	}
	skb_reset_transport_header(piece);
	piece->transport_header = (uint16_t)(piece->network_header + hlen);
	if (frag_take(piece, skb, cur, n) < 0) {
		consume_skb(piece);
		return NULL;
	}
	iph->tot_len = cpu_to_be16((uint16_t)(hlen + n));
	iph->frag_off = cpu_to_be16((uint16_t)(off / 8 | (more ? IP_MF : 0)));
	iph->check = 0;
	iph->check = ip_fast_csum(iph, hlen / 4);
	return piece;
}

static int fragment_failed(struct stack *stack, struct sk_buff *skb, enum skb_drop_reason reason, int err)
{
	STACK_MIB_INC(stack, Ip_FragFails);
	kfree_skb(skb, reason);
	return err;
}

/* A GSO packet whose segments are still too large: cut by gso_size first. */
static int fragment_gso(struct stack *stack, struct sk_buff *skb, uint32_t mtu, int (*output)(struct stack *, struct sk_buff *))
{
	struct sk_buff_head segs;
	struct sk_buff *seg;
	int err, ret = 0;

	skb_queue_init(&segs);
	err = skb_gso_segment(skb, &segs);
	if (err < 0)
		return fragment_failed(stack, skb, SKB_DROP_PKT_TOO_BIG, err);
	while ((seg = skb_dequeue(&segs))) {
		err = seg->len <= mtu ? output(stack, seg) : ip_do_fragment(stack, seg, mtu, output);
		if (err < 0)
			ret = err;
	}
	return ret;
}

/* All pieces, or none: a datagram of which a part is missing is of no use to anybody. */
static int fragment_cut(struct sk_buff *skb, uint32_t mtu, struct sk_buff_head *pieces)
{
	struct frag_plan plan;
	struct frag_cursor cur;
	uint32_t hlen, left, off;
	bool first = true, tail;

	memcpy(&plan.iph, skb->data, sizeof(plan.iph));
	hlen = ip_hdrlen(&plan.iph);
	plan.optlen = ip_options_fragment(skb->data + IPV4_HLEN, hlen - IPV4_HLEN, plan.opt);
	left = skb->len - hlen;
	off = (be16_to_cpu(plan.iph.frag_off) & IP_OFFSET) * 8u;
	tail = plan.iph.frag_off & cpu_to_be16(IP_MF); /* a fragment that is cut again */
	cur = (struct frag_cursor){ hlen, -1 };
	while (left) {
		uint32_t room = mtu - (first ? hlen : IPV4_HLEN + plan.optlen), n = left <= room ? left : room & ~7u;
		struct sk_buff *piece = frag_piece(skb, &plan, &cur, off, n, first, n < left || tail);

		if (!piece) {
			skb_queue_purge(pieces, SKB_DROP_NOMEM);
			return -ENOMEM;
		}
		skb_queue_tail(pieces, piece);
		first = false;
		left -= n;
		off += n;
	}
	return 0;
}

int ip_do_fragment(struct stack *stack, struct sk_buff *skb, uint32_t mtu, int (*output)(struct stack *, struct sk_buff *))
{
	const struct ip_hdr *iph = (const struct ip_hdr *)(const void *)skb->data;
	struct sk_buff_head pieces;
	struct sk_buff *piece;
	int err, ret = 0;

	if (skb_is_gso(skb))
		return fragment_gso(stack, skb, mtu, output);
	if (iph->frag_off & cpu_to_be16(IP_DF))
		return fragment_failed(stack, skb, SKB_DROP_PKT_TOO_BIG, -EMSGSIZE);
	if (mtu < ip_hdrlen(iph) + 8)
		return fragment_failed(stack, skb, SKB_DROP_PKT_TOO_BIG, -EMSGSIZE);
	/* a fragment of somebody else's that ends where no datagram can: its pieces would count on from 0 */
	if ((be16_to_cpu(iph->frag_off) & IP_OFFSET) * 8u + skb->len > IPV4_MAX_PACKET)
		return fragment_failed(stack, skb, SKB_DROP_FRAG_TOO_FAR, -EINVAL);
	err = skb_checksum_help(skb);
	/* one piece may have to hold everything but the header, which takes no slot */
	if (err == 0 && skb->nr_frags == SKB_MAX_FRAGS)
		err = skb_linearize(skb);
	if (err < 0)
		return fragment_failed(stack, skb, SKB_DROP_NOMEM, err);
	skb_queue_init(&pieces);
	err = fragment_cut(skb, mtu, &pieces);
	if (err < 0)
		return fragment_failed(stack, skb, SKB_DROP_NOMEM, err);
	piece = skb_peek_tail(&pieces);
	if (skb->destructor && piece) { /* the sender's charge is settled with the last piece */
		piece->destructor = skb->destructor;
		piece->sk = skb->sk;
		piece->truesize = skb->truesize;
		skb->destructor = NULL;
		skb->sk = NULL;
	}
	consume_skb(skb);
	while ((piece = skb_dequeue(&pieces))) {
		STACK_MIB_INC(stack, Ip_FragCreates);
		err = output(stack, piece);
		if (err < 0)
			ret = err;
	}
	STACK_MIB_INC(stack, Ip_FragOKs);
	return ret;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

int ip_fragment_init(struct stack *stack)
{
	struct ip_frags *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; i < PEERS; i++)
		list_init(&f->peers[i].ages);
	list_init(&f->free);
	rng_bytes(&stack->rng, &f->key, sizeof(f->key));
	stack->frags = f;
	return 0;
}

void ip_fragment_exit(struct stack *stack)
{
	struct ip_frags *f = stack->frags;
	struct frag_queue *q;

	if (!f)
		return;
	for (unsigned i = 0; i < PEERS; i++) {
		while ((q = list_first(&f->peers[i].ages, struct frag_queue, age)))
			frag_destroy(stack, q, SKB_DROP_FRAG_TIMEOUT);
	}
	while ((q = list_first(&f->free, struct frag_queue, age))) {
		list_del(&q->age);
		free(q);
	}
	free(f);
	stack->frags = NULL;
}
