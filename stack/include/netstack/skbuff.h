/* SPDX-License-Identifier: MIT */
/*
 * skbuff.h: the packet buffer.
 *
 * Theory of operation. A struct sk_buff is what a stage knows of a packet; its bytes stand in an area, which one or
 * more sk_buffs (clones) share by reference count, and behind it in up to SKB_MAX_FRAGS fragments of further areas. The
 * list of fragments stands in the skb itself while it is short and in an area of its own when it becomes long (GRO).
 *
 *      head        data              tail      end        frags[0]        frags[1]
 *       | headroom  | linear bytes    | tailroom|          | bytes |       | bytes |
 *       '-------------- one skb_area -----------'          skb_area        skb_area
 *
 * len counts linear bytes and fragments; data_len counts the fragments alone.
 *
 * Ownership: whoever holds an skb frees it, with a reason (kfree_skb) or as delivered (consume_skb). A receive handler
 * consumes its skb on every path. Reference counts are not atomic: an skb belongs to one stack (one shard). What goes to
 * another shard is unshared first (skb_unshare) and changes pools (skb_disown, skb_adopt).
 *
 * Bytes are reached through skb_may_pull and the accessors, which check bounds; header offsets are kept from head.
 *
 * Who may write where. The bytes of an area belong to everybody who holds a reference to it. Two rules follow:
 *   - headers: an skb may push into its headroom, or change bytes of its linear part, when skb_head_writable says so, which
 *     skb_cow_head makes true: no other reference reads in front of the payload. A holder that promises to read only from its
 *     own data pointer on (TCP's write queue) says so once with skb_header_release; a clone made for sending may then push its
 *     headers into the shared headroom. While an earlier clone is still under way the later one gets a head of its own
 *     and the payload becomes a fragment of it: no payload byte is copied.
 *   - tail: skb_put is for the one who built the skb, before it is cloned.
 *
 * Not done here: anything that knows a protocol.
 */
#ifndef NETSTACK_SKBUFF_H
#define NETSTACK_SKBUFF_H

#include <netstack/drop.h>
#include <netstack/types.h>

struct net_device;
struct sock;
struct skb_pool;

#define SKB_INLINE_FRAGS 11 /* so many need no list of their own */
#define SKB_MAX_FRAGS 124 /* so many fit into a small area: 64 KiB in segments of 536 bytes */
#define SKB_HEADROOM  128 /* what the library reserves in front of what it builds; drivers should leave >= 64 */
#define SKB_SMALL     2048 /* area size of the small class, header of the area included */
#define SKB_MEDIUM    (9 * 1024) /* area size of the medium class: a frame of an MTU of 9,000 */
#define SKB_LARGE     (68 * 1024) /* area size of the large class: a 64 KiB GSO frame and its headers */

/* Where packet bytes live; made by the pool, shared by reference count. */
struct skb_area {
	uint32_t refcnt;
	uint32_t size; /* bytes at data[] */
	uint16_t nohdr; /* how many of the references never look in front of the payload (skb_header_release) */
	uint8_t  class; /* pool's own */
	uint8_t  arena; /* which memory of skb_pool_add_arena it lies in; 0: none */
	void (*free)(struct skb_area *area, void *priv); /* foreign memory: called at the last put; NULL: the pool's */
	void    *priv;
	unsigned char *base; /* size bytes; normally follows this header */
};

struct skb_frag {
	struct skb_area *area;
	uint32_t off; /* from area->base */
	uint32_t len;
};

enum skb_ip_summed {
	CHECKSUM_NONE, /* nothing known: software verifies (rx), or the checksum is complete in the packet (tx) */
	CHECKSUM_UNNECESSARY, /* rx: verified, by the device or by GRO */
	CHECKSUM_COMPLETE, /* rx: csum holds the sum over all bytes from data on */
	CHECKSUM_PARTIAL, /* only the pseudo-header is in: sum from csum_start, store at csum_start + csum_offset */
};

enum skb_pkt_type { SKB_PKT_HOST, SKB_PKT_BROADCAST, SKB_PKT_MULTICAST, SKB_PKT_OTHERHOST, SKB_PKT_OUTGOING, SKB_PKT_LOOPBACK };

/* gso_type bits */
enum {
	SKB_GSO_TCPV4 = 1 << 0, SKB_GSO_TCPV6 = 1 << 1, SKB_GSO_UDP_L4 = 1 << 2, SKB_GSO_TCP_ECN = 1 << 3, SKB_GSO_DODGY = 1 << 4,
	SKB_GSO_FIXEDID = 1 << 5, /* IPv4 identifications do not count up from segment to segment */
};

/* Where a routed packet goes; a value, no references but dev, which outlives every queued skb (a device that goes away
 * first purges what is queued for it). */
struct skb_route {
	struct net_device *dev; /* outgoing device, or the receiving one for local delivery */
	struct ipaddr      nexthop; /* the gateway, or the destination itself when it is on the link */
	uint32_t           mtu; /* bytes; what may go this way */
	uint8_t            type; /* RTN_* */
	uint8_t            flags; /* RT_F_* of route.h */
};

struct sk_buff {
	struct sk_buff *next, *prev; /* for struct sk_buff_head; owner of the queue only */

	unsigned char *head, *data, *tail, *end;
	uint32_t       len;
	uint32_t       data_len;
	struct skb_area *area;

	struct skb_pool   *pool; /* of the stack that owns it */
	struct net_device *dev; /* rx: device it came in by; tx: goes out by */
	struct sock       *sk; /* owner socket for memory accounting, or NULL */
	void (*destructor)(struct sk_buff *skb); /* called before sk is forgotten; NULL: none */
	ktime_t            tstamp; /* when it was received or is to be sent */

	uint32_t hash; /* flow hash (symmetric), 0: not computed */
	uint32_t csum; /* CHECKSUM_COMPLETE: folded later, host order of ones'-complement sum over big-endian words */
	uint32_t mark;
	int32_t  skb_iif; /* index of the device it came in by; goes along to another shard, where dev does not */
	uint32_t truesize; /* memory it stands for: struct, area and fragments */
	uint16_t csum_start; /* CHECKSUM_PARTIAL: from head */
	uint16_t csum_offset;
	uint16_t gso_size; /* payload bytes per segment; 0: not GSO */
	uint16_t gso_segs;
	uint16_t protocol; /* EtherType, host order */
	uint16_t mac_header, network_header, transport_header; /* from head; SKB_NO_HEADER when unset */
	uint8_t  gso_type;
	uint8_t  ip_summed : 2;
	uint8_t  pkt_type : 3;
	uint8_t  cloned : 1; /* may share its area */
	uint8_t  steered : 1; /* already handed over between shards once: is not steered again before reassembly */
	union { /* what few packets have: a stage asks for all of it at once (rare), and then what it is */
		uint8_t rare;
		struct {
			uint8_t reassembled : 1; /* from fragments: max_frag holds the largest */
			uint8_t to_raw : 1; /* a copy for this shard's raw sockets; the transport has had its own on another shard */
			uint8_t nohdr : 1; /* skb_header_release was called */
			uint8_t handed : 1; /* from another shard, which had delivered it to its transport and counted it */
			uint8_t tapped : 1; /* shown to a packet tap */
			uint8_t requeued : 1; /* shown to a packet tap, then refused by the driver for the moment */
			uint8_t long_frags : 1; /* frags stands in an area of its own */
			uint8_t sampled : 1; /* its stages are timed (runtime.c) */
		};
	};
	uint8_t  from_cpu; /* on the way to another shard and in its backlog: who handed it over */
	uint8_t  nr_frags;
	uint8_t  priority; /* 0 to 15, from the tag it came in with (vlan.c) */
	uint16_t max_frag; /* largest fragment it was reassembled from, IP header included */
	uint16_t tap_id; /* tapped: which of the stack's showings was the last of this one */
	uint16_t netns; /* on the way to another shard: the embedder's, to know the stack there */

	struct skb_route rt;
	_Alignas(8) unsigned char cb[64]; /* the stage that holds the skb; lost when it moves on */

	struct skb_frag *frags; /* inline_frags, or an area that is this skb's alone; only nr_frags of them are ever initialised */
	struct skb_frag inline_frags[SKB_INLINE_FRAGS]; /* last */
};

#define SKB_NO_HEADER ((uint16_t)0xffff)
_Static_assert(offsetof(struct sk_buff, next) == 0 && offsetof(struct sk_buff, prev) == sizeof(void *), "queues count on it");

/* Pools. A stack has one; a driver allocates what it receives from its shard's stack (stack_skb_pool). */
struct skb_pool_stats {
	uint64_t outstanding_skbs; /* not yet freed; zero when a stack is idle and empty */
	uint64_t outstanding_areas;
	uint64_t outstanding_bytes; /* of areas */
	uint64_t cached_areas; /* free, kept for reuse */
	uint64_t failed; /* allocations refused: limit or no memory */
	uint64_t drops[SKB_DROP_MAX];
};

struct skb_pool *skb_pool_new(size_t limit_bytes /* of areas outstanding; 0: none */);
void             skb_pool_set_limit(struct skb_pool *pool, size_t limit_bytes); /* from now on; what is more already stays until it is freed */
void             skb_pool_free(struct skb_pool *pool); /* asserts that nothing is outstanding */
const struct skb_pool_stats *skb_pool_stats(struct skb_pool *pool);
/* Gives the pool memory of the caller's, cut into areas of one class (area_size: SKB_SMALL, SKB_MEDIUM or SKB_LARGE), which are taken first. A driver does so
 * with memory that its hardware or kernel knows beforehand: id, from 1, comes back in area->arena. mem is aligned to 64 and outlives every pool that
 * areas may get to; it is never freed here. Returns how many areas were made. */
unsigned skb_pool_add_arena(struct skb_pool *pool, void *mem, size_t size, uint32_t area_size, uint8_t id);
void             skb_pool_trim(struct skb_pool *pool); /* gives cached memory back, but for a few */
bool             skb_pool_wants_trim(const struct skb_pool *pool); /* there is more than these few */

/* Calls fn for each packet that kfree_skb drops, before it is freed; NULL: nobody. The library's own: see tap.h. */
void skb_pool_set_drop_hook(struct skb_pool *pool, void (*fn)(void *arg, const struct sk_buff *skb, enum skb_drop_reason reason), void *arg);

/* A new skb with size bytes of linear room, headroom of which are reserved. NULL: no memory. */
struct sk_buff *alloc_skb(struct skb_pool *pool, uint32_t size, uint32_t headroom);
/* An area by itself, for fragments and for receive buffers. Reference count 1. */
struct skb_area *skb_area_alloc(struct skb_pool *pool, uint32_t size);
void             skb_area_put(struct skb_pool *pool, struct skb_area *area);
static inline void skb_area_get(struct skb_area *area) { area->refcnt++; }
/* Puts a filled area under a new skb: data at base + off, len bytes. Takes over the caller's reference, also on failure. */
struct sk_buff *build_skb(struct skb_pool *pool, struct skb_area *area, uint32_t off, uint32_t len);

void kfree_skb(struct sk_buff *skb, enum skb_drop_reason reason); /* the only way to drop; counts the reason. NULL is ignored */
void consume_skb(struct sk_buff *skb); /* the packet reached its end in order */

struct sk_buff *skb_clone(struct sk_buff *skb); /* shares the area and the fragments; NULL: no memory */
struct sk_buff *skb_copy(const struct sk_buff *skb, uint32_t headroom); /* private and linear; NULL: no memory */
/* Makes the head writable (see above) with at least that headroom: 0 or -ENOMEM. Up to 256 bytes from data on are private
 * and linear afterwards; a longer linear part may go on as a fragment. Pointers into the packet are stale after. */
/* Nobody else reads in front of the payload. */
static inline bool skb_head_writable(const struct sk_buff *skb)
{
	return skb->area->refcnt - (uint32_t)(skb->area->nohdr - skb->nohdr) == 1;
}
/* The holder promises to read this skb only from data on, and never to push: what is in front belongs to its clones. */
static inline void skb_header_release(struct sk_buff *skb)
{
	if (!skb->nohdr) {
		skb->nohdr = 1;
		skb->area->nohdr++;
	}
}
int  skb_cow_head_slow(struct sk_buff *skb, uint32_t headroom);
static inline int skb_cow_head(struct sk_buff *skb, uint32_t headroom)
{
	if (__builtin_expect(skb_head_writable(skb) && (uint32_t)(skb->data - skb->head) >= headroom, 1))
		return 0;
	return skb_cow_head_slow(skb, headroom);
}
int  skb_unshare(struct sk_buff *skb); /* makes every byte private: 0 or -ENOMEM */
int  skb_linearize(struct sk_buff *skb); /* everything into the linear part: 0 or -ENOMEM */
static inline bool skb_is_nonlinear(const struct sk_buff *skb) { return skb->data_len != 0; }
static inline bool skb_is_gso(const struct sk_buff *skb) { return skb->gso_size != 0; }
static inline uint32_t skb_headlen(const struct sk_buff *skb) { return skb->len - skb->data_len; }
static inline uint32_t skb_headroom(const struct sk_buff *skb) { return (uint32_t)(skb->data - skb->head); }
static inline uint32_t skb_tailroom(const struct sk_buff *skb)
{
	return skb->data_len ? 0 : (uint32_t)(skb->end - skb->tail);
}

/* To another shard: the sender disowns (leaves its pool's books), the receiver adopts. The skb must be unshared. */
void skb_disown(struct sk_buff *skb);
void skb_adopt(struct skb_pool *pool, struct sk_buff *skb);

/* Growing and shrinking. What does not fit traps (a bug of the caller, never of a packet); pull and trim are checked by the caller's
 * skb_may_pull or by len. */
static inline void *skb_put(struct sk_buff *skb, uint32_t n) /* at the tail; returns the first new byte */
{
	unsigned char *p = skb->tail;

	if (__builtin_expect(n > skb_tailroom(skb), 0))
		__builtin_trap();
	skb->tail += n;
	skb->len += n;
	return p;
}
static inline void *skb_push(struct sk_buff *skb, uint32_t n) /* at the front */
{
	if (__builtin_expect(n > skb_headroom(skb), 0))
		__builtin_trap();
	skb->data -= n;
	skb->len += n;
	return skb->data;
}
static inline void *skb_put_data(struct sk_buff *skb, const void *src, uint32_t n) { return memcpy(skb_put(skb, n), src, n); }
void  skb_reserve(struct sk_buff *skb, uint32_t n); /* headroom of an empty skb */
void *skb_pull_slow(struct sk_buff *skb, uint32_t n);
static inline void *skb_pull(struct sk_buff *skb, uint32_t n) /* from the front, fragments included; NULL when len < n */
{
	if (__builtin_expect(n > skb_headlen(skb), 0))
		return skb_pull_slow(skb, n);
	skb->len -= n;
	return skb->data += n;
}
bool  skb_frags_grow(struct sk_buff *skb); /* the list of fragments gets its full size; false: no memory */
static inline bool skb_frags_room(struct sk_buff *skb, unsigned n) /* n more can be added; false: too many, or no memory */
{
	if (skb->nr_frags + n <= SKB_INLINE_FRAGS)
		return true;
	return skb->nr_frags + n <= SKB_MAX_FRAGS && skb_frags_grow(skb);
}
void  skb_trim(struct sk_buff *skb, uint32_t len); /* from the end, fragments included; no-op when not longer */
/* Adds a reference of its own to area[off, off+len) behind the last byte (one that goes on where the last fragment ends is merged
 * with it): 0, or -EMSGSIZE when there is no free fragment slot. */
int   skb_add_frag(struct sk_buff *skb, struct skb_area *area, uint32_t off, uint32_t len);
/* Moves len bytes from the front of src's payload to the end of dst by reference where it can; the bytes leave src, and with them
 * their share of truesize (the sum of both stays the same, so that memory accounts need no correction).
 * 0, or -EMSGSIZE (no fragment slots) / -EINVAL (src is shorter) with both as they were. */
int   skb_shift(struct sk_buff *dst, struct sk_buff *src, uint32_t len);

/* Puts what stands behind the first off bytes of src at the end of dst by reference, with what memory it stands for, and frees src (which has no destructor). 0, or
 * -EMSGSIZE (no room in the list, or no memory for it) with both as they were. */
int   skb_append(struct sk_buff *dst, struct sk_buff *src, uint32_t off);

/* Makes the first n bytes linear. False: the packet is shorter, or no memory. Pointers into the packet are stale after. */
bool  skb_may_pull_slow(struct sk_buff *skb, uint32_t n);
static inline bool skb_may_pull(struct sk_buff *skb, uint32_t n)
{
	return __builtin_expect(n <= skb_headlen(skb), 1) ? true : skb_may_pull_slow(skb, n);
}

/* Copies n bytes from off (counted from data) out of, or into, the packet: 0 or -EFAULT when beyond the end. */
int skb_copy_bits(const struct sk_buff *skb, uint32_t off, void *to, uint32_t n);
int skb_store_bits(struct sk_buff *skb, uint32_t off, const void *from, uint32_t n);
/* n bytes at off: in place when they are linear, else copied to buf. NULL when beyond the end. */
const void *skb_header_pointer(const struct sk_buff *skb, uint32_t off, uint32_t n, void *buf);

/* Ones'-complement sum over [off, off+n), added to sum; not folded. */
uint32_t skb_checksum(const struct sk_buff *skb, uint32_t off, uint32_t n, uint32_t sum);
/* Resolves CHECKSUM_PARTIAL in software; afterwards CHECKSUM_NONE. 0, -ENOMEM, or -EINVAL when csum_start lies. */
int skb_checksum_help(struct sk_buff *skb);

/* Where headers begin. reset: at skb->data; offset: bytes from skb->data on, negative when it was pulled. A header that was not set means nothing. */
static inline void skb_reset_mac_header(struct sk_buff *skb) { skb->mac_header = (uint16_t)(skb->data - skb->head); }
static inline void skb_reset_network_header(struct sk_buff *skb) { skb->network_header = (uint16_t)(skb->data - skb->head); }
static inline void skb_reset_transport_header(struct sk_buff *skb) { skb->transport_header = (uint16_t)(skb->data - skb->head); }
static inline unsigned char *skb_mac_header(const struct sk_buff *skb) { return skb->head + skb->mac_header; }
static inline unsigned char *skb_network_header(const struct sk_buff *skb) { return skb->head + skb->network_header; }
static inline unsigned char *skb_transport_header(const struct sk_buff *skb) { return skb->head + skb->transport_header; }
static inline int skb_network_offset(const struct sk_buff *skb) { return (int)(skb_network_header(skb) - skb->data); }
static inline int skb_transport_offset(const struct sk_buff *skb) { return (int)(skb_transport_header(skb) - skb->data); }

/* Queues: a ring through next and prev with the head as a member. Not shared between shards. */
struct __attribute__((may_alias)) sk_buff_head {
	struct sk_buff *next, *prev;
	uint32_t        qlen;
};

/* The head stands in the ring as if it were an skb: next and prev are the first members of both. Neighbours, which may be the head, are
 * reached as heads: the smaller of the two. */
static inline struct sk_buff_head *skb_link(struct sk_buff *skb) { return (struct sk_buff_head *)(void *)skb; }
/* Adding gives the skb to the queue; it is in no other. */
static inline void skb_queue_init(struct sk_buff_head *q)
{
	q->next = q->prev = (struct sk_buff *)(void *)q;
	q->qlen = 0;
}
static inline void skb_queue_after(struct sk_buff_head *q, struct sk_buff *pos, struct sk_buff *skb)
{
	struct sk_buff_head *p = skb_link(pos);

	skb->next = p->next;
	skb->prev = pos;
	skb_link(p->next)->prev = skb;
	p->next = skb;
	q->qlen++;
}
static inline void skb_queue_tail(struct sk_buff_head *q, struct sk_buff *skb) { skb_queue_after(q, q->prev, skb); }
static inline void skb_queue_head(struct sk_buff_head *q, struct sk_buff *skb)
{
	skb_queue_after(q, (struct sk_buff *)(void *)q, skb);
}
static inline void skb_unlink(struct sk_buff_head *q, struct sk_buff *skb)
{
	skb_link(skb->next)->prev = skb->prev;
	skb_link(skb->prev)->next = skb->next;
	skb->next = skb->prev = NULL;
	q->qlen--;
}
static inline struct sk_buff *skb_dequeue(struct sk_buff_head *q) /* NULL when empty */
{
	struct sk_buff *skb = q->qlen ? q->next : NULL;

	if (skb)
		skb_unlink(q, skb);
	return skb;
}
void skb_queue_splice_tail(struct sk_buff_head *from, struct sk_buff_head *to); /* from becomes empty */
void skb_queue_purge(struct sk_buff_head *q, enum skb_drop_reason reason);
static inline bool skb_queue_empty(const struct sk_buff_head *q) { return q->qlen == 0; }
static inline struct sk_buff *skb_peek(const struct sk_buff_head *q) { return q->qlen ? q->next : NULL; }
static inline struct sk_buff *skb_peek_tail(const struct sk_buff_head *q) { return q->qlen ? q->prev : NULL; }
static inline bool skb_queue_is_last(const struct sk_buff_head *q, const struct sk_buff *skb)
{
	return skb->next == (const struct sk_buff *)(const void *)q;
}
#define skb_queue_walk(q, skb) \
	for ((skb) = (q)->next; (skb) != (struct sk_buff *)(void *)(q); (skb) = (skb)->next)
#define skb_queue_walk_safe(q, skb, tmp) \
	for ((skb) = (q)->next, (tmp) = (skb)->next; (skb) != (struct sk_buff *)(void *)(q); (skb) = (tmp), (tmp) = (skb)->next)

#endif
