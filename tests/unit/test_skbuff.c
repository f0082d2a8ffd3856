/* SPDX-License-Identifier: MIT */
/*
 * test_skbuff.c: packet buffers: every operation against a flat array of bytes, the rules of sharing, the books of the pool.
 */
#include "checksum.h"
#include "random.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <netstack/skbuff.h>
#include <stdlib.h>

static void fill(uint8_t *p, size_t n, uint32_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((from + i) * 7 + ((from + i) >> 8));
}

static struct sk_buff *make(struct skb_pool *pool, uint32_t headroom, uint32_t lin, uint32_t frags, uint32_t each)
{
	struct sk_buff *skb = alloc_skb(pool, headroom + lin, headroom);

	fill(skb_put(skb, lin), lin, 0);
	for (uint32_t i = 0; i < frags; i++) {
		struct skb_area *area = skb_area_alloc(pool, each + 5);

		fill(area->base + 5, each, lin + i * each);
		cr_assert_eq(skb_add_frag(skb, area, 5, each), 0);
		skb_area_put(pool, area);
	}
	return skb;
}

static void check_sane(const struct sk_buff *skb)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < skb->nr_frags; i++) {
		cr_assert_neq(skb->frags[i].len, 0u);
		cr_assert(skb->frags[i].off + skb->frags[i].len <= skb->frags[i].area->size);
		sum += skb->frags[i].len;
	}
	cr_assert_eq(sum, skb->data_len);
	cr_assert(skb->head <= skb->data && skb->data <= skb->tail && skb->tail <= skb->end);
	cr_assert_eq((uint32_t)(skb->tail - skb->data), skb_headlen(skb));
}

static void check_bytes(const struct sk_buff *skb, const uint8_t *want, uint32_t len)
{
	uint8_t *got = malloc(len + 1);

	check_sane(skb);
	cr_assert_eq(skb->len, len);
	cr_assert_eq(skb_copy_bits(skb, 0, got, len), 0);
	cr_assert(memcmp(got, want, len) == 0);
	free(got);
}

static void pool_done(struct skb_pool *pool)
{
	const struct skb_pool_stats *st = skb_pool_stats(pool);

	cr_expect_eq(st->outstanding_skbs, 0u);
	cr_expect_eq(st->outstanding_areas, 0u);
	cr_expect_eq(st->outstanding_bytes, 0u);
	skb_pool_free(pool);
}

Test(skbuff, random_operations_agree_with_flat_bytes)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t s[4] = { seed };
		struct rng r;
		struct skb_pool *pool = skb_pool_new(0);
		uint8_t *flat = malloc(200000);
		struct sk_buff *skb, *other;
		uint32_t len, n;

		rng_init(&r, s, 0);
		skb = make(pool, rng_below(&r, 200), rng_below(&r, 1500), rng_below(&r, 5), rng_below(&r, 900) + 1);
		len = skb->len;
		fill(flat, len, 0);
		for (int step = 0; step < 60; step++) {
			switch (rng_below(&r, 11)) {
			case 0:
				n = rng_below(&r, len + 1) / 4;
				cr_assert(skb_pull(skb, n));
				memmove(flat, flat + n, len -= n);
				break;
			case 1:
				n = len - rng_below(&r, len + 1) / 4;
				skb_trim(skb, n);
				len = n;
				break;
			case 2:
				n = rng_below(&r, 60);
				cr_assert_eq(skb_cow_head(skb, n), 0);
				memmove(flat + n, flat, len);
				fill(skb_push(skb, n), n, step * 1000u);
				fill(flat, n, step * 1000u);
				len += n;
				break;
			case 3:
				n = rng_below(&r, len + 1);
				cr_assert(skb_may_pull(skb, n));
				cr_assert(skb_headlen(skb) >= n);
				break;
			case 4:
				cr_assert_eq(skb_linearize(skb), 0);
				cr_assert_eq(skb->nr_frags, 0);
				break;
			case 5: /* go on with a clone, while the original changes its head */
				other = skb_clone(skb);
				cr_assert_eq(skb_cow_head(skb, 20), 0);
				memset(skb_push(skb, 20), 0xee, 20);
				consume_skb(skb);
				skb = other;
				break;
			case 6:
				other = skb_copy(skb, rng_below(&r, 100));
				cr_assert_eq(other->nr_frags, 0);
				consume_skb(skb);
				skb = other;
				break;
			case 7: /* split off the front and put it back together */
				other = alloc_skb(pool, 300, 100);
				n = rng_below(&r, len + 1);
				if (skb_shift(other, skb, n) == 0) {
					uint32_t sum = other->truesize + skb->truesize;

					check_bytes(other, flat, n);
					if (skb_shift(other, skb, len - n) == 0) {
						cr_assert_eq(other->truesize + skb->truesize, sum);
						cr_assert_eq(skb->len, 0u);
						consume_skb(skb);
						skb = other;
						break;
					}
					cr_assert(skb_shift(skb, other, 0) == 0);
					memmove(flat, flat + n, len -= n);
				}
				consume_skb(other);
				break;
			case 8:
				cr_assert_eq(skb_unshare(skb), 0);
				skb_disown(skb);
				skb_adopt(pool, skb);
				break;
			case 9:
				n = rng_below(&r, len + 1);
				if (skb_unshare(skb) == 0) {
					uint8_t patch[64];
					uint32_t k = len - n < 64 ? len - n : 64;

					fill(patch, k, step * 77u);
					cr_assert_eq(skb_store_bits(skb, n, patch, k), 0);
					memcpy(flat + n, patch, k);
				}
				break;
			case 10: {
				uint32_t off = rng_below(&r, len + 1), k = rng_below(&r, len - off + 1);

				cr_assert_eq(csum_fold(skb_checksum(skb, off, k, 0)), csum_fold(csum_partial(flat + off, k, 0)), "seed %lu", (unsigned long)seed);
				break;
			}
			}
			check_bytes(skb, flat, len);
		}
		cr_assert_eq(skb_copy_bits(skb, len, flat, 1), -EFAULT);
		cr_assert_eq(skb_copy_bits(skb, UINT32_MAX, flat, 2), -EFAULT);
		cr_assert_null(skb_header_pointer(skb, len, 1, flat));
		cr_assert_not(skb_may_pull(skb, len + 1));
		cr_assert_null(skb_pull(skb, len + 1));
		consume_skb(skb);
		pool_done(pool);
		free(flat);
	}
}

Test(skbuff, a_new_one_is_clean_also_the_second_time)
{
	struct skb_pool *pool = skb_pool_new(0);

	for (int round = 0; round < 2; round++) {
		struct sk_buff *skb = alloc_skb(pool, 1000, SKB_HEADROOM);
		static const unsigned char zero[sizeof(skb->cb)];

		cr_expect(skb->len == 0 && skb->data_len == 0 && skb->nr_frags == 0 && !skb->sk && !skb->destructor && !skb->dev && !skb->rt.dev);
		cr_expect(skb->hash == 0 && skb->gso_size == 0 && skb->ip_summed == CHECKSUM_NONE && skb->cloned == 0 && skb->steered == 0);
		cr_expect(skb->mac_header == SKB_NO_HEADER && skb->network_header == SKB_NO_HEADER && skb->transport_header == SKB_NO_HEADER);
		cr_expect_arr_eq(skb->cb, zero, sizeof(zero));
		cr_expect_eq(skb_headroom(skb), (uint32_t)SKB_HEADROOM);
		cr_expect_geq(skb_tailroom(skb), 1000u - SKB_HEADROOM);
		memset(skb->cb, 0xff, sizeof(skb->cb));
		skb->hash = skb->mark = skb->csum = 1;
		skb->rt.dev = (struct net_device *)(void *)skb;
		skb->gso_size = 1;
		skb->steered = skb->cloned = skb->reassembled = 1;
		consume_skb(skb);
	}
	pool_done(pool);
}

Test(skbuff, write_queue_and_clones_share_without_harm)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *q = make(pool, SKB_HEADROOM, 1400, 0, 1), *tx1, *tx2;
	uint8_t want[1400], out[1440];

	fill(want, sizeof(want), 0);
	skb_header_release(q);
	tx1 = skb_clone(q);
	cr_expect(skb_head_writable(tx1), "the queue reads only the payload");
	cr_expect_eq(skb_cow_head(tx1, 40), 0);
	cr_expect_eq(tx1->area, q->area, "no copy for the first clone");
	memset(skb_push(tx1, 40), 1, 40);
	tx2 = skb_clone(q); /* a retransmission while the first is still in a queue below */
	cr_expect_not(skb_head_writable(tx2));
	cr_expect_eq(skb_cow_head(tx2, 40), 0);
	cr_expect_neq(tx2->area, q->area);
	cr_expect_eq(tx2->nr_frags, 1, "the payload is not copied");
	memset(skb_push(tx2, 40), 2, 40);
	cr_expect_eq(skb_copy_bits(tx1, 0, out, sizeof(out)), 0);
	cr_expect(out[0] == 1 && out[39] == 1 && memcmp(out + 40, want, sizeof(want)) == 0);
	cr_expect_eq(skb_copy_bits(tx2, 0, out, sizeof(out)), 0);
	cr_expect(out[0] == 2 && out[39] == 2 && memcmp(out + 40, want, sizeof(want)) == 0);
	consume_skb(tx1);
	consume_skb(tx2);
	tx1 = skb_clone(q);
	cr_expect(skb_head_writable(tx1), "the way is clear again");
	consume_skb(q); /* acknowledged while the last clone is under way */
	cr_expect(skb_head_writable(tx1));
	check_bytes(tx1, want, sizeof(want));
	consume_skb(tx1);
	pool_done(pool);
}

Test(skbuff, head_of_a_shared_front_is_copied)
{
	/* Bytes moved to another skb by reference lie in front of data: pushing a header there would destroy them. */
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *a = alloc_skb(pool, 200, 100), *b = make(pool, 100, 1200, 0, 1), *tx;
	uint8_t want[1200];

	fill(want, sizeof(want), 0);
	skb_header_release(a);
	skb_header_release(b);
	cr_expect_eq(skb_shift(a, b, 700), 0);
	tx = skb_clone(b);
	cr_expect_eq(skb_cow_head(tx, 60), 0);
	memset(skb_push(tx, 60), 0, 60);
	check_bytes(a, want, 700);
	check_bytes(b, want + 700, 500);
	consume_skb(tx);
	consume_skb(a);
	consume_skb(b);
	pool_done(pool);
}

Test(skbuff, header_offsets_follow)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = make(pool, 64, 1000, 2, 500), *copy, *keep;

	skb_reset_mac_header(skb);
	skb_pull(skb, 14);
	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + 20);
	keep = skb_clone(skb);
	copy = skb_copy(skb, 200);
	cr_expect_eq(skb_network_offset(copy), 0);
	cr_expect_eq(skb_transport_offset(copy), 20);
	cr_expect_arr_eq(skb_mac_header(copy), skb_mac_header(skb), 14);
	cr_expect_eq(skb_cow_head(skb, 300), 0);
	cr_expect_eq(skb_headroom(skb), 300u);
	cr_expect_eq(skb_transport_offset(skb), 20);
	cr_expect_arr_eq(skb_mac_header(skb), skb_mac_header(keep), 14);
	consume_skb(keep);
	cr_expect_eq(skb_linearize(skb), 0);
	cr_expect_eq(skb_network_offset(skb), 0);
	consume_skb(skb);
	skb = skb_copy(copy, 4);
	cr_expect_eq(skb->mac_header, SKB_NO_HEADER, "what no longer fits in front is gone");
	consume_skb(skb);
	consume_skb(copy);
	pool_done(pool);
}

Test(skbuff, limits_and_foreign_memory)
{
	struct skb_pool *pool = skb_pool_new(3 * SKB_SMALL);
	struct sk_buff *a = alloc_skb(pool, 100, 0), *b = alloc_skb(pool, 100, 0), *c = alloc_skb(pool, 100, 0);

	cr_expect(a && b && c);
	cr_expect_null(alloc_skb(pool, 100, 0), "the limit holds");
	cr_expect_null(alloc_skb(pool, 60000, 0));
	cr_expect_null(alloc_skb(pool, 1000000, 0));
	cr_expect_eq(skb_pool_stats(pool)->failed, 3u);
	consume_skb(a);
	a = alloc_skb(pool, 100, 0);
	cr_expect(a, "and is lifted when something is freed");
	consume_skb(a);
	kfree_skb(b, SKB_DROP_IP_TTL);
	kfree_skb(c, SKB_DROP_IP_TTL);
	kfree_skb(NULL, SKB_DROP_IP_TTL);
	cr_expect_eq(skb_pool_stats(pool)->drops[SKB_DROP_IP_TTL], 2u);
	pool_done(pool);
}

static int foreign_freed;
static void foreign_free(struct skb_area *area, void *priv)
{
	cr_expect_eq(priv, &foreign_freed);
	foreign_freed++;
	free(area->base);
	free(area);
}

Test(skbuff, foreign_areas_go_home)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct skb_area *area = calloc(1, sizeof(*area));
	struct sk_buff *skb, *clone;
	uint8_t want[500];

	foreign_freed = 0;
	*area = (struct skb_area){ .refcnt = 1, .size = 600, .free = foreign_free, .priv = &foreign_freed, .base = malloc(600) };
	fill(area->base + 50, 500, 0);
	fill(want, 500, 0);
	skb = build_skb(pool, area, 50, 500);
	clone = skb_clone(skb);
	consume_skb(skb);
	cr_expect_eq(foreign_freed, 0);
	cr_expect_eq(skb_unshare(clone), 0, "before it goes to another shard the driver's memory is left behind");
	cr_expect_eq(foreign_freed, 1);
	check_bytes(clone, want, 500);
	consume_skb(clone);
	pool_done(pool);
}

Test(skbuff, between_pools_the_books_agree)
{
	struct skb_pool *a = skb_pool_new(0), *b = skb_pool_new(0);
	struct sk_buff *skb = make(a, 100, 500, 3, 3000);
	uint64_t bytes = skb_pool_stats(a)->outstanding_bytes;

	skb_disown(skb);
	cr_expect_eq(skb_pool_stats(a)->outstanding_bytes, 0u);
	cr_expect_eq(skb_pool_stats(a)->outstanding_areas, 0u);
	skb_adopt(b, skb);
	cr_expect_eq(skb_pool_stats(b)->outstanding_bytes, bytes);
	cr_expect_eq(skb_pool_stats(b)->outstanding_areas, 4u);
	skb_pool_free(a); /* the skb does not need where it came from */
	consume_skb(skb);
	pool_done(b);
}

/* More fragments than stand in the skb itself: the list moves out, and each clone has one of its own. */
Test(skbuff, long_lists_of_fragments)
{
	struct skb_pool *pool = skb_pool_new(0), *other = skb_pool_new(0);

	for (uint32_t n = SKB_INLINE_FRAGS - 1; n <= SKB_MAX_FRAGS; n += n < SKB_INLINE_FRAGS + 2 ? 1 : 37) {
		uint32_t len = 60 + n * 20;
		struct sk_buff *skb = make(pool, 100, 60, n, 20), *clone, *copy;
		uint8_t *want = malloc(len);
		uint64_t bytes;

		fill(want, len, 0);
		check_bytes(skb, want, len);
		bytes = skb_pool_stats(pool)->outstanding_bytes;
		clone = skb_clone(skb);
		copy = skb_copy(skb, 10);
		skb_trim(skb, 70);
		check_bytes(skb, want, 70);
		consume_skb(skb);
		check_bytes(clone, want, len);
		check_bytes(copy, want, len);
		consume_skb(copy);
		cr_expect_eq(skb_pool_stats(pool)->outstanding_bytes, bytes, "%u fragments", n);
		skb_disown(clone);
		cr_expect_eq(skb_pool_stats(pool)->outstanding_bytes, 0u);
		skb_adopt(other, clone);
		cr_expect_eq(skb_pool_stats(other)->outstanding_bytes, bytes);
		cr_expect_not_null(skb_pull(clone, 60 + (n - 1) * 20));
		check_bytes(clone, want + len - 20, 20);
		consume_skb(clone);
		cr_expect_eq(skb_pool_stats(other)->outstanding_areas, 0u);
		free(want);
	}
	pool_done(pool);
	pool_done(other);
}

Test(skbuff, a_long_list_needs_memory)
{
	struct skb_pool *pool = skb_pool_new((SKB_INLINE_FRAGS + 3) * SKB_SMALL); /* the skb, its fragments, two more; not the list */
	struct sk_buff *skb = make(pool, 0, 10, SKB_INLINE_FRAGS, 10);
	struct skb_area *area = skb_area_alloc(pool, 10), *other = skb_area_alloc(pool, 10);

	cr_assert(area && other);
	cr_expect_eq(skb_add_frag(skb, area, 0, 10), -EMSGSIZE);
	cr_expect_eq(skb->nr_frags, SKB_INLINE_FRAGS);
	skb_area_put(pool, other);
	cr_expect_eq(skb_add_frag(skb, area, 0, 10), 0);
	cr_expect_eq(skb->nr_frags, SKB_INLINE_FRAGS + 1);
	skb_area_put(pool, area);
	cr_expect_null(skb_clone(skb), "a clone needs a list, too");
	consume_skb(skb);
	pool_done(pool);
}

Test(skbuff, checksum_help)
{
	static const struct { uint32_t lin, frags, each, start; uint16_t off; int ret; } rows[] = {
		{ 100, 0, 1, 20, 6, 0 }, { 101, 3, 33, 20, 16, 0 }, { 30, 2, 700, 20, 16, 0 }, { 1300, 1, 1, 1200, 16, 0 },
		{ 100, 0, 1, 90, 9, -EINVAL }, { 100, 0, 1, 101, 0, -EINVAL }, { 100, 2, 50, 199, 2, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct skb_pool *pool = skb_pool_new(0);
		struct sk_buff *skb = make(pool, 64, rows[i].lin, rows[i].frags, rows[i].each), *other = skb_clone(skb);
		uint8_t flat[4000], before[4000];
		uint32_t len = skb->len;

		fill(before, len, 0);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (uint16_t)(skb_headroom(skb) + rows[i].start);
		skb->csum_offset = rows[i].off;
		cr_expect_eq(skb_checksum_help(skb), rows[i].ret, "row %zu", i);
		check_bytes(other, before, len);
		if (rows[i].ret == 0) {
			uint16_t got, want = csum_fold(csum_partial(before + rows[i].start, len - rows[i].start, 0));

			cr_expect_eq(skb->ip_summed, CHECKSUM_NONE);
			skb_copy_bits(skb, 0, flat, len);
			memcpy(&got, flat + rows[i].start + rows[i].off, 2);
			cr_expect_eq(got, want ? want : 0xffff, "row %zu", i);
		}
		consume_skb(other);
		consume_skb(skb);
		pool_done(pool);
	}
}

Test(skbuff, checksum_help_never_stores_zero)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = alloc_skb(pool, 64, 16);
	uint16_t got;

	memset(skb_put(skb, 8), 0xff, 8);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = 16;
	skb->csum_offset = 6;
	cr_expect_eq(skb_checksum_help(skb), 0);
	memcpy(&got, skb->data + 6, 2);
	cr_expect_eq(got, 0xffff);
	consume_skb(skb);
	pool_done(pool);
}

Test(skbuff, queues)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff_head q, p;
	struct sk_buff *s[6], *pos, *tmp;
	char order[8] = "";
	size_t n = 0;

	skb_queue_init(&q);
	skb_queue_init(&p);
	cr_expect_null(skb_dequeue(&q));
	cr_expect_null(skb_peek(&q));
	for (int i = 0; i < 6; i++) {
		s[i] = alloc_skb(pool, 10, 0);
		s[i]->mark = (uint32_t)i;
	}
	skb_queue_tail(&q, s[1]);
	skb_queue_head(&q, s[0]);
	skb_queue_tail(&q, s[3]);
	skb_queue_after(&q, s[1], s[2]);
	skb_queue_tail(&p, s[4]);
	skb_queue_tail(&p, s[5]);
	skb_queue_splice_tail(&p, &q);
	cr_expect(skb_queue_empty(&p) && q.qlen == 6);
	skb_queue_walk(&q, pos)
		order[n++] = (char)('0' + pos->mark);
	cr_expect_str_eq(order, "012345");
	cr_expect(skb_queue_is_last(&q, s[5]) && skb_peek_tail(&q) == s[5] && skb_peek(&q) == s[0]);
	skb_queue_walk_safe(&q, pos, tmp)
		if (pos->mark & 1) {
			skb_unlink(&q, pos);
			consume_skb(pos);
		}
	cr_expect_eq(q.qlen, 3u);
	skb_queue_purge(&q, SKB_DROP_SOCKET_CLOSE);
	cr_expect_eq(skb_pool_stats(pool)->drops[SKB_DROP_SOCKET_CLOSE], 3u);
	pool_done(pool);
}

Test(skbuff, a_burst_is_given_back)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff_head q;

	skb_queue_init(&q);
	for (int i = 0; i < 20000; i++)
		skb_queue_tail(&q, alloc_skb(pool, 100, 0));
	skb_queue_purge(&q, SKB_DROP_SOCKET_CLOSE);
	cr_expect_leq(skb_pool_stats(pool)->cached_areas, 9000u, "there is a bound to what is kept");
	skb_pool_trim(pool);
	cr_expect_not(skb_pool_wants_trim(pool));
	cr_expect_leq(skb_pool_stats(pool)->cached_areas, 300u);
	pool_done(pool);
}

Test(skbuff, every_drop_has_a_name_of_its_own)
{
	for (int i = 0; i < SKB_DROP_MAX; i++) {
		const char *name = skb_drop_reason_name((enum skb_drop_reason)i);

		cr_expect(name && *name && *skb_drop_reason_help((enum skb_drop_reason)i), "reason %d", i);
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(name, skb_drop_reason_name((enum skb_drop_reason)k));
	}
	cr_expect_str_eq(skb_drop_reason_name((enum skb_drop_reason)SKB_DROP_MAX), "?");
}

/* ---- memory of the driver's ------------------------------------------------------------------------------------------ */

static struct skb_area *take(struct skb_pool *pool, uint32_t bytes, unsigned arena)
{
	struct skb_area *area = skb_area_alloc(pool, bytes - (uint32_t)sizeof(struct skb_area));

	cr_assert_not_null(area);
	cr_expect_eq(area->arena, arena);
	cr_expect_eq(area->size + sizeof(*area), bytes);
	memset(area->base, 0x5a, area->size);
	return area;
}

Test(skbuff, arena)
{
	static const uint32_t sizes[] = { SKB_SMALL, SKB_MEDIUM, SKB_LARGE };
	struct skb_pool *pool = skb_pool_new(0), *other = skb_pool_new(0);

	for (unsigned i = 0; i < 3; i++) {
		void *mem = aligned_alloc(64, 3 * sizes[i]);
		struct skb_area *a[3];
		struct sk_buff *skb;

		cr_assert_not_null(mem);
		cr_expect_eq(skb_pool_add_arena(pool, mem, 3 * sizes[i] - 1, sizes[i], 7), 2u, "whole areas only");
		a[0] = take(pool, sizes[i], 7);
		a[1] = take(pool, sizes[i], 7);
		a[2] = take(pool, sizes[i], 0); /* beyond the arena: from malloc, and another time the arena's first again */
		skb_area_put(pool, a[2]);
		skb_area_put(pool, a[0]);
		a[0] = take(pool, sizes[i], 7);
		/* one goes to another pool and stays there; no trim gives it to free() */
		skb = build_skb(pool, a[0], 0, 100);
		skb_disown(skb);
		skb_adopt(other, skb);
		consume_skb(skb);
		skb_area_put(pool, a[1]);
		skb_pool_trim(pool);
		skb_pool_trim(other);
		cr_expect(!skb_pool_wants_trim(pool) && !skb_pool_wants_trim(other));
		a[0] = take(other, sizes[i], 7);
		skb_area_put(other, a[0]);
		a[1] = take(pool, sizes[i], 7);
		skb_area_put(pool, a[1]);
		cr_expect_eq(skb_pool_stats(pool)->outstanding_bytes, 0u);
		cr_expect_eq(skb_pool_stats(other)->outstanding_bytes, 0u);
		/* the pools are made anew, so that nothing points into what is freed here */
		skb_pool_free(pool);
		skb_pool_free(other);
		free(mem);
		pool = skb_pool_new(0);
		other = skb_pool_new(0);
	}
	skb_pool_free(pool);
	skb_pool_free(other);
}

/* More areas than a trim leaves, all of them an arena's, some come from elsewhere: no trim is wanted again and again. */
Test(skbuff, arena_is_no_surplus)
{
	struct skb_pool *pool = skb_pool_new(0);
	void *mem = aligned_alloc(64, 600 * SKB_SMALL);

	cr_assert_not_null(mem);
	cr_expect_eq(skb_pool_add_arena(pool, mem, 600 * SKB_SMALL, SKB_SMALL, 1), 600u);
	cr_expect(!skb_pool_wants_trim(pool));
	skb_pool_trim(pool);
	cr_expect_eq(skb_pool_stats(pool)->cached_areas, 600u);
	skb_pool_free(pool);
	free(mem);
}

/* A frame of an MTU of 9,000 does not stand for 68 KiB. */
Test(skbuff, medium)
{
	struct skb_pool *pool = skb_pool_new(0);
	struct sk_buff *skb = alloc_skb(pool, SKB_HEADROOM + 9018, SKB_HEADROOM);

	cr_assert_not_null(skb);
	cr_expect_leq(skb->truesize, SKB_MEDIUM + sizeof(*skb));
	consume_skb(skb);
	skb = alloc_skb(pool, SKB_HEADROOM + 12000, SKB_HEADROOM);
	cr_expect_geq(skb->truesize, SKB_LARGE);
	consume_skb(skb);
	skb_pool_free(pool);
}
