/* SPDX-License-Identifier: MIT */
/*
 * fib.h: the routing tables: a persistent longest-prefix-match trie, and the route descriptions ("infos") that its leaves point to.
 *
 * Theory of operation. A table is a tree bitmap of stride 6. A node stands for six bits of the address and holds three 64-bit maps: child (which of the 64
 * continuations have a node below), full (which of them are prefixes themselves: lengths 6, 12, 18, 24, ...) and part (prefixes of one to five bits
 * inside the node, as a binary heap: bit 2 is 0/1, bit 3 is 1/1, bits 4 to 7 are length 2, ...). One array of pointers follows, compressed: children, full
 * leaves, part leaves, each in ascending order; a popcount finds the place. So a lookup touches two cache lines a level; 24-bit prefixes,
 * of which real tables mostly consist, end exactly at a node's edge and cost one pointer. Length 0 lies outside of the tree. IPv4 has
 * six levels, IPv6 the same nodes in 22.
 * A leaf is a tagged pointer: to the one info that most prefixes have, or (low bit set) to a fib_list ordered by descending TOS, then ascending metric.
 * Infos are interned: a million routes through five next hops share five infos, and a route costs 8 bytes and its share of the nodes.
 *
 * Persistence. Every object carries the epoch that made it. Those younger than the floor have been seen by nobody else and are changed in place; older
 * ones are copied along the path from the root (at most one node a level), and the old ones go to the retire log with the version that will be the first not to need
 * them. Publishing a version, and starting something that may be undone (a savepoint), raises the floor to the present epoch and begins a new one. Invariant: what lies above an object
 * of epoch E has epoch E or later. Undoing frees what is younger than the savepoint and takes back the end of the log.
 * Readers are the shards: they only follow pointers from the roots in a snapshot. All writing is done by the thread that owns the struct netcfg.
 *
 * Files: fib.c reads (lookups), fib_filter.c says no quickly, fib_trie.c changes the tree, fib_info.c interns, fib_mem.c allocates, retires, undoes and frees.
 * Not done: next hops as groups (multipath), merging of the tables local and main, path compression of the long chains that sparse IPv6 tables would have.
 */
#ifndef STACK_FIB_H
#define STACK_FIB_H

#include "route.h"

#define FIB_STRIDE     6
#define FIB_MAX_LEVELS 22 /* of 128 bits; IPv4 has 6 */

struct fib_info {
	struct fib_nexthop_info nh; /* first: a result points to it */
	uint8_t          flags; /* RTNH_F_ONLINK */
	uint32_t         hash;
	uint32_t         refs; /* routes of the working tables that have it */
	uint64_t         epoch;
	struct fib_info *next; /* in its hash bucket */
};

struct fib_list {
	uint64_t               epoch;
	uint32_t               n; /* 2 or more */
	const struct fib_info *fi[];
};

struct fib_node {
	uint64_t child, full, part;
	uint64_t epoch : 40, nchild : 8, nfull : 8, npart : 8; /* a thousand changes a second for 34 years */
	void    *slot[]; /* nchild nodes, nfull and npart leaves */
};
_Static_assert(sizeof(struct fib_node) == 32, "two nodes' heads fit a cache line");

typedef uintptr_t fib_leaf; /* 0: none */

/* A prefix, left-aligned in 128 bits; an IPv4 address has the top 32. */
typedef unsigned __int128 fib_key;

struct fib_tree {
	struct fib_node *root;
	fib_leaf         dflt; /* length 0 */
};

struct fib_table {
	uint32_t        id; /* RT_TABLE_* */
	size_t          nroutes;
	struct fib_tree v4, v6;
};

/*
 * Most destinations of a router, and most peers of a host, are not its own addresses, and to find that out in the table local costs as much as the way
 * through main. A filter of one bit an address says so at once: false is certain, true means "look". Made with the snapshot, when local has changed.
 */
#define FIB_FILTER_PREFIXES 4
struct fib_filter {
	unsigned refs; /* snapshots that have it; the control thread's */
	uint8_t  shift; /* 32 minus the bits of a place */
	uint8_t  nprefixes;
	struct { uint32_t net, mask; } prefix[FIB_FILTER_PREFIXES]; /* host order: those that are shorter than an address (127.0.0.0/8) */
	uint64_t bits[];
};

/* a: IPv4, host order */
static inline bool fib_filter_maybe(const struct fib_filter *f, uint32_t a)
{
	uint32_t at = a * 0x9e3779b1u >> f->shift;

	for (unsigned i = 0; i < f->nprefixes; i++)
		if ((a & f->prefix[i].mask) == f->prefix[i].net)
			return true;
	return f->bits[at >> 6] >> (at & 63) & 1;
}

enum fib_kind { FIB_OBJ_NODE, FIB_OBJ_LIST, FIB_OBJ_INFO };

struct fib_retired {
	uintptr_t obj; /* pointer with the kind in the low two bits */
	uint64_t  version; /* the first version that does not need it */
};

/* What all tables of one configuration share. */
struct fib_mem {
	uint64_t            epoch, floor; /* objects younger than floor (epoch > floor) have not been seen by anyone who could still want them */
	uint64_t            version; /* of the snapshot that is being made */
	struct fib_retired *log;
	size_t              log_len, log_cap, log_gone; /* log_gone: entries ever taken from the front */
	struct fib_info   **hash;
	uint32_t            hash_size, ninfos; /* size: a power of two, or 0 */
	size_t              nodes, lists, bytes; /* allocated now */
	long                fail_after; /* tests: the n-th allocation from now fails (and all after it); negative: never */
};

struct fib_savepoint {
	uint64_t floor;
	size_t   log_pos; /* log_gone + log_len then */
};

static inline const struct fib_info *fib_leaf_first(fib_leaf leaf)
{
	return leaf & 1 ? ((const struct fib_list *)(leaf & ~(uintptr_t)1))->fi[0] : (const struct fib_info *)leaf;
}
static inline uint32_t fib_leaf_count(fib_leaf leaf)
{
	return leaf & 1 ? ((const struct fib_list *)(leaf & ~(uintptr_t)1))->n : leaf ? 1 : 0;
}
static inline const struct fib_info *fib_leaf_get(fib_leaf leaf, uint32_t i)
{
	return leaf & 1 ? ((const struct fib_list *)(leaf & ~(uintptr_t)1))->fi[i] : (const struct fib_info *)leaf;
}

/* hw: a constant; true in functions that are compiled for processors with a popcnt instruction (all of x86-64 but its first years). */
static inline __attribute__((always_inline)) unsigned fib_popcount_by(uint64_t v, bool hw)
{
	if (hw)
		return (unsigned)__builtin_popcountll(v);
	v -= v >> 1 & UINT64_C(0x5555555555555555);
	v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
	v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}
static inline unsigned fib_popcount(uint64_t v) { return fib_popcount_by(v, false); }
static inline uint64_t fib_below(unsigned bit) { return (UINT64_C(1) << bit) - 1; }
static inline unsigned fib_child_slot(const struct fib_node *n, unsigned c) { return fib_popcount(n->child & fib_below(c)); }
static inline unsigned fib_full_slot(const struct fib_node *n, unsigned c) { return n->nchild + fib_popcount(n->full & fib_below(c)); }
static inline unsigned fib_part_slot(const struct fib_node *n, unsigned b)
{
	return (unsigned)n->nchild + n->nfull + fib_popcount(n->part & fib_below(b));
}
/* The heap places of the five prefixes inside a node that chunk c has. */
static inline uint64_t fib_part_mask(unsigned c)
{
	return UINT64_C(1) << (2 | c >> 5) | UINT64_C(1) << (4 | c >> 4) | UINT64_C(1) << (8 | c >> 3) | UINT64_C(1) << (16 | c >> 2) |
	       UINT64_C(1) << (32 | c >> 1);
}
static inline unsigned fib_chunk(fib_key key, unsigned level)
{
	return level < FIB_MAX_LEVELS - 1 ? (unsigned)(key >> (122 - FIB_STRIDE * level)) & 63 : (unsigned)(key << 4) & 63;
}

fib_key       fib_key_of(const struct ipaddr *addr);
struct ipaddr fib_key_addr(fib_key key, uint16_t family);

/* fib.c. One table, without the rules; scope: routes of a wider one (a lower number) do not count, 0: all do. As fib_lookup, and -EAGAIN: go on. */
int fib_table_lookup(const struct fib_table *table, const struct flowi *fl, uint8_t scope, struct fib_result *ret);

/* fib_filter.c. A filter for the IPv4 routes of a table, to be freed with free(). 0; *ret is NULL when the table is not of a kind for which it would serve.
 * -ENOMEM. */
int fib_filter_new(struct fib_mem *mem, const struct fib_table *table, struct fib_filter **ret);

/* fib_trie.c. len 0 to 128 (bits of key beyond it must be zero). */
fib_leaf fib_tree_get(const struct fib_tree *tree, fib_key key, unsigned len); /* exactly this prefix; 0: none */
/* leaf 0 removes. The old leaf is not retired: it is the caller's. 0 or -ENOMEM with the tree as it was. */
int  fib_tree_set(struct fib_mem *mem, struct fib_tree *tree, fib_key key, unsigned len, fib_leaf leaf);
/* In order of address, then length; until fn returns non-zero, which is returned. fn must not change the tree. */
int  fib_tree_walk(const struct fib_tree *tree, int (*fn)(void *arg, fib_key key, unsigned len, fib_leaf leaf), void *arg);

/* Routes of a table. dst's family chooses the tree. info is one of fib_info_get; its reference goes to the table on success. */
enum fib_where { FIB_PREPEND, FIB_APPEND }; /* among those with the same TOS and metric */
int  fib_route_insert(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, struct fib_info *fi, enum fib_where where);
int  fib_route_replace(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, const struct fib_info *old, struct fib_info *fi);
int  fib_route_remove(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, const struct fib_info *fi); /* 0, -ESRCH, -ENOMEM */
fib_leaf fib_route_get(const struct fib_table *table, const struct ipprefix *dst);
int  fib_table_walk(const struct fib_table *table, int (*fn)(void *arg, const struct ipprefix *dst, const struct fib_info *fi), void *arg);

/* fib_info.c. The info that equals nh and flags, with one reference more; NULL: no memory. */
struct fib_info *fib_info_get(struct fib_mem *mem, const struct fib_nexthop_info *nh, uint8_t flags);
void fib_info_put(struct fib_mem *mem, struct fib_info *fi);
void fib_info_rehash(struct fib_mem *mem, struct fib_info *fi); /* puts one back that was retired */
void fib_info_foreach(struct fib_mem *mem, void (*fn)(struct fib_mem *, struct fib_info *)); /* fn may free the info */
void fib_info_unhash(struct fib_mem *mem, struct fib_info *fi);

/* fib_mem.c */
int   fib_mem_init(struct fib_mem *mem); /* 0 or -ENOMEM */
void  fib_mem_exit(struct fib_mem *mem, struct fib_table *const *tables, size_t n); /* frees the tables' contents and all that is retired */
void *fib_alloc(struct fib_mem *mem, size_t size); /* counted, honours fail_after; every allocation of the configuration comes from here */
void *fib_realloc(struct fib_mem *mem, void *p, size_t size);
struct fib_node *fib_node_alloc(struct fib_mem *mem, unsigned slots);
void  fib_node_free(struct fib_mem *mem, struct fib_node *node);
int   fib_log_reserve(struct fib_mem *mem, size_t n); /* room for n more retirements: 0 or -ENOMEM */
/* Frees obj now when nobody can have seen it, else logs it (room must have been reserved). */
void  fib_retire(struct fib_mem *mem, void *obj, enum fib_kind kind);
void  fib_savepoint_begin(struct fib_mem *mem, struct fib_savepoint *sp);
void  fib_savepoint_end(struct fib_mem *mem, const struct fib_savepoint *sp); /* keeps what was done */
/* Undoes: first each table goes back to its value at the begin, then the rest follows. References to infos that the caller holds are void. */
void  fib_undo_table(struct fib_mem *mem, struct fib_table *table, const struct fib_table *then);
void  fib_savepoint_undo(struct fib_mem *mem, const struct fib_savepoint *sp, struct fib_table *const *tables, size_t n /* all there are */);
void  fib_publish(struct fib_mem *mem); /* the working tables became version mem->version */
/* Frees what versions up to and including version have replaced. */
void  fib_reclaim(struct fib_mem *mem, uint64_t version);

#endif
