/* SPDX-License-Identifier: MIT */
/*
 * skb_data.c: what works on the bytes of a packet: growing, shrinking, copying, making linear or private, moving by reference, checksums.
 *
 * Theory. Every function counts offsets from skb->data over the linear part and then the fragments, and compares them with skb->len first.
 * Where the linear part has to move (more headroom, more linear bytes, a private copy), one function, skb_rehead, puts it
 * into a new area with all offsets adjusted; bytes in front of data that still fit (a MAC header already pulled) move along.
 *
 * Invariants: data_len is the sum of the fragments; no fragment is empty; with fragments there is no tailroom.
 *
 * Not done: pulling does not adjust CHECKSUM_COMPLETE.
 */
#include "bug.h"
#include "checksum.h"

#include <errno.h>
#include <netstack/skbuff.h>

#define SKB_UDP_CHECK  6 /* where UDP has its checksum; no other protocol's stands there */
#define COW_LINEAR_MAX 512u /* a longer linear part is not copied when only the head must be private … */
#define COW_LINEAR     256u /* … but for so many bytes: all headers there can be */
#define SHIFT_COPY_MAX 256u /* so few bytes are copied where there is room, rather than holding on to an area of 2 KiB */

static void skb_account(struct sk_buff *skb, int64_t delta)
{
	if (!skb->destructor) /* who is charged for it is charged for what it was */
		skb->truesize = (uint32_t)((int64_t)skb->truesize + delta);
}

static inline uint32_t area_truesize(const struct skb_area *area)
{
	return area->size + (uint32_t)sizeof(*area);
}

static uint16_t moved_offset(uint16_t off, uint32_t old_headroom, uint32_t new_headroom)
{
	int64_t n = (int64_t)off - old_headroom + new_headroom;

	return off == SKB_NO_HEADER || n < 0 || n >= SKB_NO_HEADER ? SKB_NO_HEADER : (uint16_t)n;
}

/*
 * Gives skb a new head: the first lin linear bytes, headroom in front and room bytes in all. The reference to the old area is handed to the
 * caller, who puts it or makes it a fragment. 0 or -ENOMEM with nothing changed.
 */
static int skb_rehead(struct sk_buff *skb, uint32_t headroom, uint32_t lin, uint32_t room, struct skb_area **ret_old)
{
	uint32_t old_headroom = skb_headroom(skb), before = headroom < old_headroom ? headroom : old_headroom;
	struct skb_area *area = skb_area_alloc(skb->pool, room), *old = skb->area;

	if (unlikely(!area))
		return -ENOMEM;
	memcpy(area->base + headroom - before, skb->data - before, before + lin);
	if (skb->nohdr) {
		old->nohdr--;
		skb->nohdr = 0;
	}
	skb->area = area;
	skb->head = area->base;
	skb->data = area->base + headroom;
	skb->tail = skb->data + lin;
	skb->end = area->base + area->size;
	skb->mac_header = moved_offset(skb->mac_header, old_headroom, headroom);
	skb->network_header = moved_offset(skb->network_header, old_headroom, headroom);
	skb->transport_header = moved_offset(skb->transport_header, old_headroom, headroom);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->csum_start = moved_offset(skb->csum_start, old_headroom, headroom);
	skb_account(skb, (int64_t)area_truesize(area) - area_truesize(old));
	*ret_old = old;
	return 0;
}

static void drop_front_frags(struct sk_buff *skb, unsigned n)
{
	skb->nr_frags -= (uint8_t)n;
	memmove(skb->frags, skb->frags + n, skb->nr_frags * sizeof(skb->frags[0]));
}

/* Takes n bytes from the front of the fragments. n <= data_len. */
static void frags_pull(struct sk_buff *skb, uint32_t n)
{
	unsigned gone = 0;

	skb->data_len -= n;
	skb->len -= n;
	while (n) {
		struct skb_frag *f = &skb->frags[gone];

		if (f->len > n) {
			f->off += n;
			f->len -= n;
			break;
		}
		n -= f->len;
		skb_area_put(skb->pool, f->area);
		gone++;
	}
	if (gone)
		drop_front_frags(skb, gone);
}

/* ---- growing and shrinking ---- */

void skb_reserve(struct sk_buff *skb, uint32_t n)
{
	BUG_ON(skb->len || n > skb_tailroom(skb));
	skb->data += n;
	skb->tail += n;
}

void *skb_pull_slow(struct sk_buff *skb, uint32_t n)
{
	uint32_t lin = skb_headlen(skb);

	if (n > skb->len)
		return NULL;
	skb->data = skb->tail;
	skb->len -= lin;
	frags_pull(skb, n - lin);
	return skb->data;
}

void skb_trim(struct sk_buff *skb, uint32_t len)
{
	uint32_t lin = skb_headlen(skb);

	if (len >= skb->len)
		return;
	if (skb->data_len) {
		uint32_t keep = len > lin ? len - lin : 0, seen = 0;
		unsigned n = 0;

		for (unsigned i = 0; i < skb->nr_frags; i++) {
			struct skb_frag *f = &skb->frags[i];

			if (seen >= keep) {
				skb_area_put(skb->pool, f->area);
				continue;
			}
			if (f->len > keep - seen)
				f->len = keep - seen;
			seen += f->len;
			n = i + 1;
		}
		skb->nr_frags = (uint8_t)n;
		skb->data_len = keep;
	}
	if (len < lin)
		skb->tail = skb->data + len;
	skb->len = len;
}

int skb_add_frag(struct sk_buff *skb, struct skb_area *area, uint32_t off, uint32_t len)
{
	struct skb_frag *last = skb->nr_frags ? &skb->frags[skb->nr_frags - 1] : NULL;

	BUG_ON(off > area->size || len > area->size - off);
	if (!len)
		return 0;
	if (last && last->area == area && last->off + last->len == off) {
		last->len += len;
	} else {
		if (!skb_frags_room(skb, 1))
			return -EMSGSIZE;
		skb->frags[skb->nr_frags++] = (struct skb_frag){ area, off, len };
		skb_area_get(area);
	}
	skb->len += len;
	skb->data_len += len;
	skb_account(skb, len);
	return 0;
}

/* ---- linear, private ---- */

bool skb_may_pull_slow(struct sk_buff *skb, uint32_t n)
{
	uint32_t lin = skb_headlen(skb), more;
	struct skb_area *old;

	if (n <= lin)
		return true;
	if (n > skb->len)
		return false;
	more = n - lin;
	if (skb->area->refcnt != 1 || (uint32_t)(skb->end - skb->tail) < more) {
		if (skb_rehead(skb, skb_headroom(skb), lin, skb_headroom(skb) + n, &old) < 0)
			return false;
		skb_area_put(skb->pool, old);
	}
	(void)skb_copy_bits(skb, lin, skb->tail, more);
	skb->tail += more;
	frags_pull(skb, more); /* takes the bytes off len … */
	skb->len += more; /* … which are still there */
	return true;
}

int skb_linearize(struct sk_buff *skb)
{
	return skb_may_pull_slow(skb, skb->len) ? 0 : -ENOMEM;
}

int skb_cow_head_slow(struct sk_buff *skb, uint32_t headroom)
{
	uint32_t lin = skb_headlen(skb), off;
	struct skb_area *old;
	bool split;
	int err;

	if (headroom < skb_headroom(skb) && skb_headroom(skb) <= 2 * SKB_HEADROOM)
		headroom = skb_headroom(skb);
	split = lin > COW_LINEAR_MAX && skb_frags_room(skb, 1);
	off = (uint32_t)(skb->data - skb->area->base) + COW_LINEAR;
	err = skb_rehead(skb, headroom, split ? COW_LINEAR : lin, headroom + (split ? COW_LINEAR : lin), &old);
	if (err < 0)
		return err;
	if (split) {
		memmove(skb->frags + 1, skb->frags, skb->nr_frags * sizeof(skb->frags[0]));
		skb->frags[0] = (struct skb_frag){ old, off, lin - COW_LINEAR };
		skb->nr_frags++;
		skb->data_len += lin - COW_LINEAR;
		skb_account(skb, lin - COW_LINEAR);
	} else {
		skb_area_put(skb->pool, old);
	}
	return 0;
}

static bool skb_is_private(const struct sk_buff *skb)
{
	if (skb->area->refcnt != 1 || skb->area->free)
		return false;
	for (unsigned i = 0; i < skb->nr_frags; i++)
		if (skb->frags[i].area->refcnt != 1 || skb->frags[i].area->free)
			return false;
	return true;
}

int skb_unshare(struct sk_buff *skb)
{
	uint32_t lin = skb_headlen(skb), rest = skb->data_len;
	struct skb_area *old;
	int err;

	if (skb_is_private(skb)) {
		skb->cloned = 0;
		return 0;
	}
	err = skb_rehead(skb, skb_headroom(skb), lin, skb_headroom(skb) + skb->len, &old);
	if (err < 0)
		return err;
	skb_area_put(skb->pool, old);
	if (rest) {
		(void)skb_copy_bits(skb, lin, skb->tail, rest);
		skb->tail += rest;
		frags_pull(skb, rest);
		skb->len += rest;
	}
	skb->cloned = 0;
	return 0;
}

struct sk_buff *skb_copy(const struct sk_buff *skb, uint32_t headroom)
{
	uint32_t old_headroom = skb_headroom(skb), before = headroom < old_headroom ? headroom : old_headroom;
	struct sk_buff *n = alloc_skb(skb->pool, headroom + skb->len, headroom), keep;

	if (!n)
		return NULL;
	memcpy(&keep, n, offsetof(struct sk_buff, rt));
	memcpy(n, skb, offsetof(struct sk_buff, frags));
	n->next = n->prev = NULL;
	n->head = keep.head;
	n->data = keep.data;
	n->tail = keep.tail;
	n->end = keep.end;
	n->area = keep.area;
	n->truesize = keep.truesize;
	n->len = n->data_len = 0;
	n->nr_frags = 0;
	n->sk = NULL;
	n->destructor = NULL;
	n->cloned = n->nohdr = n->long_frags = 0;
	n->mac_header = moved_offset(skb->mac_header, old_headroom, headroom);
	n->network_header = moved_offset(skb->network_header, old_headroom, headroom);
	n->transport_header = moved_offset(skb->transport_header, old_headroom, headroom);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		n->csum_start = moved_offset(skb->csum_start, old_headroom, headroom);
	memcpy(n->data - before, skb->data - before, before);
	(void)skb_copy_bits(skb, 0, skb_put(n, skb->len), skb->len);
	return n;
}

/* ---- moving by reference ---- */

/* Fragments that the first len bytes of src would become behind dst. */
static unsigned shift_slots(const struct sk_buff *src, uint32_t len)
{
	uint32_t lin = skb_headlen(src);
	unsigned n = lin != 0;

	if (len <= lin)
		return n;
	len -= lin;
	for (unsigned i = 0; len; i++, n++)
		len -= src->frags[i].len < len ? src->frags[i].len : len;
	return n;
}

int skb_shift(struct sk_buff *dst, struct sk_buff *src, uint32_t len)
{
	uint32_t lin = skb_headlen(src), left = len, share, dst_true;

	if (len > src->len)
		return -EINVAL;
	if (!len)
		return 0;
	share = src->truesize - (uint32_t)sizeof(*src);
	if (len < src->len && len < share)
		share = len;
	dst_true = dst->truesize;
	if (len <= SHIFT_COPY_MAX && len <= skb_tailroom(dst) && dst->area->refcnt == 1) {
		(void)skb_copy_bits(src, 0, skb_put(dst, len), len);
	} else {
		uint32_t n = left < lin ? left : lin;

		/* One slot fewer may do where fragments merge; that is not worth finding out beforehand. */
		if (!skb_frags_room(dst, shift_slots(src, len)))
			return -EMSGSIZE;
		if (n)
			(void)skb_add_frag(dst, src->area, (uint32_t)(src->data - src->area->base), n);
		left -= n;
		for (unsigned i = 0; left; i++) {
			n = src->frags[i].len < left ? src->frags[i].len : left;
			(void)skb_add_frag(dst, src->frags[i].area, src->frags[i].off, n);
			left -= n;
		}
	}
	(void)skb_pull(src, len);
	dst->truesize = dst_true + share; /* not what each fragment added */
	src->truesize -= share;
	return 0;
}

/* ---- copying and summing ---- */

int skb_copy_bits(const struct sk_buff *skb, uint32_t off, void *to, uint32_t n)
{
	uint32_t lin = skb_headlen(skb), k;
	unsigned char *p = to;

	if (off > skb->len || n > skb->len - off)
		return -EFAULT;
	if (off < lin) {
		k = n < lin - off ? n : lin - off;
		memcpy(p, skb->data + off, k);
		p += k;
		n -= k;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; n; i++) {
		const struct skb_frag *f = &skb->frags[i];

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		k = n < f->len - off ? n : f->len - off;
		memcpy(p, f->area->base + f->off + off, k);
		p += k;
		n -= k;
		off = 0;
	}
	return 0;
}

int skb_store_bits(struct sk_buff *skb, uint32_t off, const void *from, uint32_t n)
{
	uint32_t lin = skb_headlen(skb), k;
	const unsigned char *p = from;

	if (off > skb->len || n > skb->len - off)
		return -EFAULT;
	if (off < lin) {
		k = n < lin - off ? n : lin - off;
		memcpy(skb->data + off, p, k);
		p += k;
		n -= k;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; n; i++) {
		struct skb_frag *f = &skb->frags[i];

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		k = n < f->len - off ? n : f->len - off;
		memcpy(f->area->base + f->off + off, p, k);
		p += k;
		n -= k;
		off = 0;
	}
	return 0;
}

const void *skb_header_pointer(const struct sk_buff *skb, uint32_t off, uint32_t n, void *buf)
{
	uint32_t lin = skb_headlen(skb);

	if (off <= lin && n <= lin - off)
		return skb->data + off;
	return skb_copy_bits(skb, off, buf, n) < 0 ? NULL : buf;
}

uint32_t skb_checksum(const struct sk_buff *skb, uint32_t off, uint32_t n, uint32_t sum)
{
	uint32_t lin = skb_headlen(skb), k, done = 0;

	BUG_ON(off > skb->len || n > skb->len - off);
	if (off < lin) {
		k = n < lin - off ? n : lin - off;
		sum = csum_partial(skb->data + off, k, sum);
		done = k;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; done < n; i++) {
		const struct skb_frag *f = &skb->frags[i];

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		k = n - done < f->len - off ? n - done : f->len - off;
		sum = csum_add(sum, csum_shift(csum_partial(f->area->base + f->off + off, k, 0), done));
		done += k;
		off = 0;
	}
	return sum;
}

int skb_checksum_help(struct sk_buff *skb)
{
	uint32_t start;
	uint16_t check;
	int err;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	if (skb->csum_start < skb_headroom(skb))
		return -EINVAL;
	start = skb->csum_start - skb_headroom(skb);
	if (start + skb->csum_offset + 2u > skb->len)
		return -EINVAL;
	err = skb_cow_head(skb, 0);
	if (err < 0)
		return err;
	if (!skb_may_pull(skb, start + skb->csum_offset + 2u)) /* after: a private head may have become shorter */
		return -ENOMEM;
	check = csum_fold(skb_checksum(skb, start, skb->len - start, 0));
	if (!check && skb->csum_offset == SKB_UDP_CHECK) /* "no checksum" must not come about by chance; nobody else's zero means anything */
		check = 0xffff;
	memcpy(skb->data + start + skb->csum_offset, &check, 2);
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}
