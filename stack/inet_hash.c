/* SPDX-License-Identifier: MIT */
/*
 * inet_hash.c: who is a received segment or datagram for? The table of TCP connections, and the search among the listeners or UDP sockets of a port.
 *
 * The connection table is keyed by the flow hash of the 4-tuple, which is keyed SipHash: nobody outside can aim at a bucket. It grows and shrinks one bucket
 * at a time (linear hashing, W. Litwin 1980): with more entries than buckets an insert splits the next bucket in turn; with four times fewer a removal merges the
 * last one back. So no operation ever moves more than one or two chains, a lookup looks at exactly one bucket, and memory is got in segments that double and never
 * move. If a segment cannot be had the chains just get longer.
 *
 * The flow hash also chooses the shard, so within a shard its values are a subset that may well agree in some bits: it is mixed before bits are taken.
 *
 * Invariants: nbuckets >= EHASH_MIN; an entry e stands in bucket ehash_index(nbuckets, e->hash); the segments below nbuckets exist.
 *
 * Not here: local ports (inet_port.c).
 */
#include "inet_hash.h"
#include "bug.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t ehash_mix(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	return h ^ (h >> 16);
}

/* The bucket of a hash when there are n: the low bits, one bit less where that bucket has not been split off yet. */
static inline unsigned ehash_index(unsigned n, uint32_t hash)
{
	unsigned hi = 1u << (32 - __builtin_clz(n - 1)); /* smallest power of two >= n */
	unsigned i = ehash_mix(hash) & (hi - 1);

	return i < n ? i : i & (hi / 2 - 1);
}

static inline unsigned seg_of(unsigned i)
{
	return i < EHASH_MIN ? 0 : 32 - (unsigned)__builtin_clz(i >> EHASH_MIN_BITS);
}

static inline unsigned seg_start(unsigned seg)
{
	return seg ? EHASH_MIN << (seg - 1) : 0;
}

static inline struct hlist_head *ehash_bucket(const struct inet_hashinfo *hi, unsigned i)
{
	unsigned s = seg_of(i);

	return &hi->seg[s][i - seg_start(s)];
}

int inet_hash_init(struct stack *stack)
{
	struct inet_hashinfo *hi = calloc(1, sizeof(*hi));

	if (!hi)
		return -ENOMEM;
	hi->seg[0] = calloc(EHASH_MIN, sizeof(*hi->seg[0]));
	if (!hi->seg[0]) {
		free(hi);
		return -ENOMEM;
	}
	hi->nbuckets = EHASH_MIN;
	stack->hashinfo = hi;
	return inet_port_init(stack);
}

void inet_hash_exit(struct stack *stack)
{
	struct inet_hashinfo *hi = stack->hashinfo;

	if (!hi)
		return;
	inet_port_exit(stack);
	for (unsigned i = 0; i < EHASH_SEGS; i++)
		free(hi->seg[i]);
	stack->hashinfo = NULL;
	free(hi);
}

/* The buddy of a bucket is the one it was split from: the same number without its highest bit. */
static unsigned buddy_of(unsigned i)
{
	return i & ~(1u << (31 - __builtin_clz(i)));
}

static void ehash_grow(struct inet_hashinfo *hi)
{
	unsigned i = hi->nbuckets, s = seg_of(i);
	struct hlist_head *from, *to;
	struct ehash_entry *e, *tmp;

	if (s >= EHASH_SEGS)
		return;
	if (!hi->seg[s]) {
		hi->seg[s] = calloc(seg_start(s), sizeof(*hi->seg[s])); /* as many as there are below it */
		if (!hi->seg[s])
			return;
	}
	hi->nbuckets++;
	from = ehash_bucket(hi, buddy_of(i));
	to = ehash_bucket(hi, i);
	hlist_for_each_safe(e, tmp, from, struct ehash_entry, node) {
		if (ehash_index(hi->nbuckets, e->hash) != i)
			continue;
		hlist_del(&e->node);
		hlist_add_head(&e->node, to);
	}
}

static void ehash_shrink(struct inet_hashinfo *hi)
{
	unsigned i = hi->nbuckets - 1, s = seg_of(i);
	struct hlist_head *from = ehash_bucket(hi, i), *to = ehash_bucket(hi, buddy_of(i));
	struct ehash_entry *e, *tmp;

	hi->nbuckets--;
	hlist_for_each_safe(e, tmp, from, struct ehash_entry, node) {
		hlist_del(&e->node);
		hlist_add_head(&e->node, to);
	}
	if (i == seg_start(s)) {
		free(hi->seg[s]);
		hi->seg[s] = NULL;
	}
}

void inet_ehash_insert(struct stack *stack, struct ehash_entry *e)
{
	struct inet_hashinfo *hi = stack->hashinfo;

	hi->count++;
	if (hi->count > hi->nbuckets && !hi->iterating)
		ehash_grow(hi);
	hlist_add_head(&e->node, ehash_bucket(hi, ehash_index(hi->nbuckets, e->hash)));
}

void inet_ehash_remove(struct stack *stack, struct ehash_entry *e)
{
	struct inet_hashinfo *hi = stack->hashinfo;

	if (hlist_unhashed(&e->node))
		return;
	hlist_del(&e->node);
	hi->count--;
	for (int i = 0; i < 2 && hi->nbuckets > EHASH_MIN && hi->count < hi->nbuckets / 4 && !hi->iterating; i++)
		ehash_shrink(hi);
}

struct ehash_entry *inet_ehash_lookup(struct stack *stack, uint32_t hash, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, int iif)
{
	const struct inet_hashinfo *hi = stack->hashinfo;
	const struct hlist_head *head = ehash_bucket(hi, ehash_index(hi->nbuckets, hash));
	struct ehash_entry *e;

	hlist_for_each(e, head, struct ehash_entry, node)
		if (e->hash == hash && e->dport == sport && e->sport == dport && ipaddr_equal(&e->daddr, saddr) && ipaddr_equal(&e->saddr, daddr) &&
		    (!e->ifindex || !iif || e->ifindex == iif))
			return e;
	return NULL;
}

int inet_ehash_foreach(struct stack *stack, int (*fn)(void *arg, struct ehash_entry *e), void *arg)
{
	struct inet_hashinfo *hi = stack->hashinfo;
	struct ehash_entry *e, *tmp;
	int ret = 0;

	hi->iterating++;
	for (unsigned i = 0; !ret && i < hi->nbuckets; i++)
		hlist_for_each_safe(e, tmp, ehash_bucket(hi, i), struct ehash_entry, node) {
			ret = fn(arg, e);
			if (ret)
				break;
		}
	hi->iterating--;
	return ret;
}

unsigned inet_ehash_count(const struct stack *stack)
{
	return stack->hashinfo->count;
}

/* ---- by local port ------------------------------------------------------------------------------------------------------------------------------------ */

/*
 * How well a socket fits a packet: -1 not at all; each thing that it names and that agrees counts. Only UDP sockets have a peer here: a listener has none.
 */
static int sk_score(const struct sock *sk, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, int iif)
{
	int score = 0;

	if (!ipaddr_is_any(&sk->rcv_saddr)) {
		if (!ipaddr_equal(&sk->rcv_saddr, daddr))
			return -1;
		score += 4;
	}
	if (sk->bound_dev_if) {
		if (sk->bound_dev_if != iif)
			return -1;
		score += 4;
	}
	if (sk->dport) {
		if (sk->dport != sport || !ipaddr_equal(&sk->daddr, saddr))
			return -1;
		score += 8;
	}
	return score;
}

/* The best of a port; sockets of a SO_REUSEPORT group that are equally good share the flows by hash. Without a group the youngest wins, as on Linux. */
static struct sock *best_of(const struct bind_bucket *b, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint32_t flow_hash, int iif)
{
	struct sock *sk, *best = NULL;
	int best_score = -1;
	unsigned group = 0, pick;

	hlist_for_each(sk, &b->hashed, struct sock, hash_node) {
		int score = sk_score(sk, saddr, sport, daddr, iif);

		if (score > best_score) {
			best = sk;
			best_score = score;
			group = 1;
		} else if (score >= 0 && score == best_score && sk->reuseport) {
			group++;
		}
	}
	if (likely(group <= 1) || !best->reuseport || best->dport)
		return best;
	if (!flow_hash) /* a single shard has no need of it before */
		flow_hash = flow_hash_tuple(best->stack, saddr, daddr, sport, best->sport, (uint8_t)best->protocol);
	pick = (unsigned)(((uint64_t)ehash_mix(flow_hash + 0x9e3779b9u) * group) >> 32);
	hlist_for_each(sk, &b->hashed, struct sock, hash_node)
		if (sk->reuseport && sk_score(sk, saddr, sport, daddr, iif) == best_score && pick-- == 0)
			return sk;
	return best;
}

struct sock *inet_lhash_lookup(struct stack *stack, const struct ipaddr *daddr, uint16_t dport, uint32_t flow_hash, int iif)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, IPPROTO_TCP, dport);

	return b && b->hashed.first ? best_of(b, daddr, 0, daddr, flow_hash, iif) : NULL;
}

struct sock *inet_uhash_lookup(struct stack *stack, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, uint32_t flow_hash, int iif)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, IPPROTO_UDP, dport);

	return b ? best_of(b, saddr, sport, daddr, flow_hash, iif) : NULL;
}

int inet_uhash_foreach(struct stack *stack, uint16_t dport, int (*fn)(void *arg, struct sock *sk), void *arg)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, IPPROTO_UDP, dport);
	struct sock *sk, *tmp;
	int ret;

	if (!b)
		return 0;
	hlist_for_each_safe(sk, tmp, &b->hashed, struct sock, hash_node) {
		ret = fn(arg, sk);
		if (ret)
			return ret;
	}
	return 0;
}

void inet_listen_hash(struct sock *sk)
{
	BUG_ON(!sk->bind);
	if (sk->hashed_listen)
		return;
	hlist_add_head(&sk->hash_node, &sk->bind->hashed);
	sk->hashed_listen = true;
}

void inet_listen_unhash(struct sock *sk)
{
	if (!sk->hashed_listen)
		return;
	hlist_del(&sk->hash_node);
	sk->hashed_listen = false;
}
