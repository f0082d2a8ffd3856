/* SPDX-License-Identifier: MIT */
/*
 * fib_trie.c: changes and walks of the persistent trie, and routes as lists in its leaves. The structure is explained in fib.h.
 *
 * A change is planned from the bottom up (which nodes on the path change their size, which must be copied because someone else may see them), then all memory is
 * allocated, and only then anything is written: a change that finds no memory leaves no trace.
 */
#include "fib.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum slot_kind { SLOT_CHILD, SLOT_FULL, SLOT_PART };

fib_key fib_key_of(const struct ipaddr *addr)
{
	if (addr->family == AF_INET)
		return (fib_key)be32_to_cpu(addr->v4) << 96;
	return (fib_key)be32_to_cpu(addr->w[0]) << 96 | (fib_key)be32_to_cpu(addr->w[1]) << 64 | (fib_key)be32_to_cpu(addr->w[2]) << 32 |
	       be32_to_cpu(addr->w[3]);
}

struct ipaddr fib_key_addr(fib_key key, uint16_t family)
{
	struct ipaddr a = IPADDR_NONE;

	a.family = family;
	a.w[0] = cpu_to_be32((uint32_t)(key >> 96));
	if (family == AF_INET)
		return a;
	a.w[1] = cpu_to_be32((uint32_t)(key >> 64));
	a.w[2] = cpu_to_be32((uint32_t)(key >> 32));
	a.w[3] = cpu_to_be32((uint32_t)key);
	return a;
}

static unsigned node_slots(const struct fib_node *n) { return (unsigned)n->nchild + n->nfull + n->npart; }

static unsigned slot_of(const struct fib_node *n, enum slot_kind kind, unsigned bit)
{
	return kind == SLOT_CHILD ? fib_child_slot(n, bit) : kind == SLOT_FULL ? fib_full_slot(n, bit) : fib_part_slot(n, bit);
}

static bool slot_present(const struct fib_node *n, enum slot_kind kind, unsigned bit)
{
	return (kind == SLOT_CHILD ? n->child : kind == SLOT_FULL ? n->full : n->part) >> bit & 1;
}

/* The place of a prefix inside the node at its level. len >= 1. */
static void leaf_place(fib_key key, unsigned len, unsigned *level, enum slot_kind *kind, unsigned *bit)
{
	unsigned r = (len - 1) % FIB_STRIDE + 1;

	*level = (len - 1) / FIB_STRIDE;
	*kind = r == FIB_STRIDE ? SLOT_FULL : SLOT_PART;
	*bit = r == FIB_STRIDE ? fib_chunk(key, *level) : 1u << r | fib_chunk(key, *level) >> (FIB_STRIDE - r);
}

static void node_flip(struct fib_node *n, enum slot_kind kind, unsigned bit, int by)
{
	uint64_t m = UINT64_C(1) << bit;

	switch (kind) {
	case SLOT_CHILD: n->child ^= m; n->nchild = (uint8_t)(n->nchild + by); break;
	case SLOT_FULL: n->full ^= m; n->nfull = (uint8_t)(n->nfull + by); break;
	case SLOT_PART: n->part ^= m; n->npart = (uint8_t)(n->npart + by); break;
	}
}

static void node_head_copy(struct fib_node *to, const struct fib_node *from)
{
	to->child = from->child;
	to->full = from->full;
	to->part = from->part;
	to->nchild = from->nchild;
	to->nfull = from->nfull;
	to->npart = from->npart;
}

/* to: allocated with one slot more than from (NULL: an empty node). */
static void node_copy_insert(struct fib_node *to, const struct fib_node *from, enum slot_kind kind, unsigned bit, void *val)
{
	unsigned at, n;

	if (!from) {
		to->child = to->full = to->part = 0;
		node_flip(to, kind, bit, 1);
		to->slot[0] = val;
		return;
	}
	at = slot_of(from, kind, bit);
	n = node_slots(from);
	node_head_copy(to, from);
	memcpy(to->slot, from->slot, at * sizeof(void *));
	to->slot[at] = val;
	memcpy(to->slot + at + 1, from->slot + at, (n - at) * sizeof(void *));
	node_flip(to, kind, bit, 1);
}

static void node_copy_remove(struct fib_node *to, const struct fib_node *from, enum slot_kind kind, unsigned bit)
{
	unsigned at = slot_of(from, kind, bit), n = node_slots(from);

	node_head_copy(to, from);
	memcpy(to->slot, from->slot, at * sizeof(void *));
	memcpy(to->slot + at, from->slot + at + 1, (n - at - 1) * sizeof(void *));
	node_flip(to, kind, bit, -1);
}

static void node_copy(struct fib_node *to, const struct fib_node *from)
{
	node_head_copy(to, from);
	memcpy(to->slot, from->slot, node_slots(from) * sizeof(void *));
}

fib_leaf fib_tree_get(const struct fib_tree *tree, fib_key key, unsigned len)
{
	const struct fib_node *node = tree->root;
	unsigned level, bit, c;
	enum slot_kind kind;

	if (!len)
		return tree->dflt;
	leaf_place(key, len, &level, &kind, &bit);
	for (unsigned i = 0; node && i < level; i++) {
		c = fib_chunk(key, i);
		node = node->child >> c & 1 ? node->slot[fib_child_slot(node, c)] : NULL;
	}
	if (!node || !slot_present(node, kind, bit))
		return 0;
	return (fib_leaf)node->slot[slot_of(node, kind, bit)];
}

struct tree_edit {
	struct fib_node *old[FIB_MAX_LEVELS], *new[FIB_MAX_LEVELS]; /* new: allocated; NULL: changed in place, dropped or untouched */
	int              delta[FIB_MAX_LEVELS]; /* slots more or less */
	bool             drop[FIB_MAX_LEVELS];
	unsigned         level, depth; /* depth: how many of old are there */
	enum slot_kind   kind;
	unsigned         bit;
	bool             present; /* the leaf was there */
};

static void edit_descend(struct tree_edit *e, const struct fib_tree *tree, fib_key key)
{
	struct fib_node *node = tree->root;

	for (e->depth = 0; node && e->depth <= e->level; e->depth++) {
		unsigned c = fib_chunk(key, e->depth);

		e->old[e->depth] = node;
		node = node->child >> c & 1 ? node->slot[fib_child_slot(node, c)] : NULL;
	}
	e->present = e->depth > e->level && slot_present(e->old[e->level], e->kind, e->bit);
}

/* How each level changes, and the memory for it: 0 or -ENOMEM (what was got is given back). */
static int edit_plan(struct fib_mem *mem, struct tree_edit *e, bool removing)
{
	bool moved = true; /* the pointer to the level below changes */
	int i;

	for (i = (int)e->level; i >= 0; i--) {
		struct fib_node *old = (unsigned)i < e->depth ? e->old[i] : NULL;
		bool below_dropped = (unsigned)i < e->level && e->drop[i + 1];

		e->new[i] = NULL;
		e->delta[i] = 0;
		e->drop[i] = false;
		if ((unsigned)i == e->level)
			e->delta[i] = removing ? -1 : e->present ? 0 : 1;
		else if (below_dropped)
			e->delta[i] = -1;
		else if ((unsigned)i + 1 >= e->depth)
			e->delta[i] = 1; /* the level below is new */
		if (!moved)
			continue;
		if (old && e->delta[i] < 0 && node_slots(old) == 1) {
			e->drop[i] = true;
			continue;
		}
		if (old && !e->delta[i] && old->epoch > mem->floor) {
			moved = false;
			continue;
		}
		e->new[i] = fib_node_alloc(mem, old ? node_slots(old) + (unsigned)e->delta[i] : 1);
		if (!e->new[i])
			goto err_free;
	}
	return 0;
err_free:
	while (++i <= (int)e->level)
		if (e->new[i]) {
			/* Not filled yet: its size for the account follows from what it was allocated for. */
			unsigned slots = (unsigned)i < e->depth ? node_slots(e->old[i]) + (unsigned)e->delta[i] : 1;

			mem->bytes -= slots * sizeof(void *);
			fib_node_free(mem, e->new[i]);
		}
	return -ENOMEM;
}

int fib_tree_set(struct fib_mem *mem, struct fib_tree *tree, fib_key key, unsigned len, fib_leaf leaf)
{
	struct tree_edit e;
	void *below = (void *)leaf;
	int err;

	if (!len) {
		tree->dflt = leaf;
		return 0;
	}
	leaf_place(key, len, &e.level, &e.kind, &e.bit);
	edit_descend(&e, tree, key);
	if (!leaf && !e.present)
		return 0;
	err = fib_log_reserve(mem, FIB_MAX_LEVELS + 2);
	if (err)
		return err;
	err = edit_plan(mem, &e, !leaf);
	if (err)
		return err;
	for (int i = (int)e.level; i >= 0; i--) {
		struct fib_node *old = (unsigned)i < e.depth ? e.old[i] : NULL, *new = e.new[i];
		enum slot_kind kind = (unsigned)i == e.level ? e.kind : SLOT_CHILD;
		unsigned bit = (unsigned)i == e.level ? e.bit : fib_chunk(key, (unsigned)i);

		if (e.drop[i]) {
			fib_retire(mem, old, FIB_OBJ_NODE);
			below = NULL;
			continue;
		}
		if (!new) { /* in place: nothing above changes */
			old->slot[slot_of(old, kind, bit)] = below;
			return 0;
		}
		if (e.delta[i] > 0) {
			node_copy_insert(new, old, kind, bit, below);
		} else if (e.delta[i] < 0) {
			node_copy_remove(new, old, kind, bit);
		} else {
			node_copy(new, old);
			new->slot[slot_of(new, kind, bit)] = below;
		}
		if (old)
			fib_retire(mem, old, FIB_OBJ_NODE);
		below = new;
	}
	tree->root = below;
	return 0;
}

struct tree_walk {
	int (*fn)(void *, fib_key, unsigned, fib_leaf);
	void *arg;
};

static int walk_node(const struct tree_walk *w, const struct fib_node *node, fib_key prefix, unsigned level)
{
	unsigned off = level * FIB_STRIDE, shift = off + FIB_STRIDE <= 128 ? 128 - off - FIB_STRIDE : 0;
	uint64_t todo = node->child | node->full;
	int err;

	/* A part prefix is met at the first chunk it covers. */
	for (uint64_t m = node->part; m; m &= m - 1) {
		unsigned b = (unsigned)__builtin_ctzll(m), r = 63u - (unsigned)__builtin_clzll(b);

		todo |= UINT64_C(1) << ((b << (FIB_STRIDE - r)) & 63);
	}
	for (; todo; todo &= todo - 1) {
		unsigned c = (unsigned)__builtin_ctzll(todo);
		/* The last level of 128 bits has two bits only, in the upper places of the chunk. */
		fib_key here = prefix | (off + FIB_STRIDE <= 128 ? (fib_key)c << shift : (fib_key)(c >> 4));

		for (unsigned r = 1; r < FIB_STRIDE; r++) {
			unsigned b = 1u << r | c >> (FIB_STRIDE - r);

			if (c & (63u >> r) || !(node->part >> b & 1))
				continue;
			err = w->fn(w->arg, here, off + r, (fib_leaf)node->slot[fib_part_slot(node, b)]);
			if (err)
				return err;
		}
		if (node->full >> c & 1) {
			err = w->fn(w->arg, here, off + FIB_STRIDE, (fib_leaf)node->slot[fib_full_slot(node, c)]);
			if (err)
				return err;
		}
		if (node->child >> c & 1) {
			err = walk_node(w, node->slot[fib_child_slot(node, c)], here, level + 1);
			if (err)
				return err;
		}
	}
	return 0;
}

int fib_tree_walk(const struct fib_tree *tree, int (*fn)(void *arg, fib_key key, unsigned len, fib_leaf leaf), void *arg)
{
	struct tree_walk w = { fn, arg };
	int err = tree->dflt ? fn(arg, 0, 0, tree->dflt) : 0;

	return err || !tree->root ? err : walk_node(&w, tree->root, 0, 0);
}

/* ---- routes ---- */

static struct fib_tree *table_tree(const struct fib_table *table, const struct ipprefix *dst)
{
	return (struct fib_tree *)(uintptr_t)(dst->addr.family == AF_INET6 ? &table->v6 : &table->v4);
}

fib_leaf fib_route_get(const struct fib_table *table, const struct ipprefix *dst)
{
	return fib_tree_get(table_tree(table, dst), fib_key_of(&dst->addr), dst->len);
}

static void leaf_retire(struct fib_mem *mem, fib_leaf leaf)
{
	if (leaf & 1)
		fib_retire(mem, (void *)(leaf & ~(uintptr_t)1), FIB_OBJ_LIST);
}

/* A leaf with n infos, n >= 1, all of which the caller fills in when it is a list. 0: no memory. */
static fib_leaf list_alloc(struct fib_mem *mem, uint32_t n)
{
	struct fib_list *list = fib_alloc(mem, sizeof(*list) + n * sizeof(list->fi[0]));

	if (!list)
		return 0;
	mem->lists++;
	list->epoch = mem->epoch;
	list->n = n;
	return (fib_leaf)list | 1;
}

static void list_drop(struct fib_mem *mem, fib_leaf leaf)
{
	if (leaf & 1) {
		mem->lists--;
		free((void *)(leaf & ~(uintptr_t)1));
	}
}

static const struct fib_info **list_items(fib_leaf leaf) { return ((struct fib_list *)(leaf & ~(uintptr_t)1))->fi; }

/* Greater TOS first, then lower metric. */
static int info_order(const struct fib_info *a, const struct fib_info *b)
{
	if (a->nh.tos != b->nh.tos)
		return a->nh.tos > b->nh.tos ? -1 : 1;
	return a->nh.metric < b->nh.metric ? -1 : a->nh.metric > b->nh.metric;
}

static int leaf_store(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, fib_leaf old, fib_leaf new)
{
	int err = fib_log_reserve(mem, FIB_MAX_LEVELS + 8);

	if (!err)
		err = fib_tree_set(mem, table_tree(table, dst), fib_key_of(&dst->addr), dst->len, new);
	if (err) {
		list_drop(mem, new);
		return err;
	}
	leaf_retire(mem, old);
	return 0;
}

int fib_route_insert(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, struct fib_info *fi, enum fib_where where)
{
	fib_leaf old = fib_route_get(table, dst), new = (fib_leaf)fi;
	uint32_t n = fib_leaf_count(old), at = 0;
	int err;

	if (n) {
		while (at < n && info_order(fib_leaf_get(old, at), fi) < (where == FIB_APPEND ? 1 : 0))
			at++;
		new = list_alloc(mem, n + 1);
		if (!new)
			return -ENOMEM;
		for (uint32_t i = 0; i <= n; i++)
			list_items(new)[i] = i == at ? fi : fib_leaf_get(old, i - (i > at));
	}
	err = leaf_store(mem, table, dst, old, new);
	if (!err)
		table->nroutes++;
	return err;
}

int fib_route_replace(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, const struct fib_info *old_fi, struct fib_info *fi)
{
	fib_leaf old = fib_route_get(table, dst), new = (fib_leaf)fi;
	uint32_t n = fib_leaf_count(old), at = 0;
	int err;

	while (at < n && fib_leaf_get(old, at) != old_fi)
		at++;
	if (at == n)
		return -ESRCH;
	if (n > 1) {
		new = list_alloc(mem, n);
		if (!new)
			return -ENOMEM;
		for (uint32_t i = 0; i < n; i++)
			list_items(new)[i] = i == at ? fi : fib_leaf_get(old, i);
	}
	err = leaf_store(mem, table, dst, old, new);
	if (!err)
		fib_info_put(mem, (struct fib_info *)(uintptr_t)old_fi);
	return err;
}

int fib_route_remove(struct fib_mem *mem, struct fib_table *table, const struct ipprefix *dst, const struct fib_info *fi)
{
	fib_leaf old = fib_route_get(table, dst), new = 0;
	uint32_t n = fib_leaf_count(old), at = 0;
	int err;

	while (at < n && fib_leaf_get(old, at) != fi)
		at++;
	if (at == n)
		return -ESRCH;
	if (n == 2) {
		new = (fib_leaf)fib_leaf_get(old, 1 - at);
	} else if (n > 2) {
		new = list_alloc(mem, n - 1);
		if (!new)
			return -ENOMEM;
		for (uint32_t i = 0; i < n - 1; i++)
			list_items(new)[i] = fib_leaf_get(old, i + (i >= at));
	}
	err = leaf_store(mem, table, dst, old, new);
	if (err)
		return err;
	table->nroutes--;
	fib_info_put(mem, (struct fib_info *)(uintptr_t)fi);
	return 0;
}

struct table_walk {
	int (*fn)(void *, const struct ipprefix *, const struct fib_info *);
	void    *arg;
	uint16_t family;
};

static int walk_leaf(void *arg, fib_key key, unsigned len, fib_leaf leaf)
{
	const struct table_walk *w = arg;
	struct ipprefix dst = { .addr = fib_key_addr(key, w->family), .len = (uint8_t)len };

	for (uint32_t i = 0; i < fib_leaf_count(leaf); i++) {
		int err = w->fn(w->arg, &dst, fib_leaf_get(leaf, i));

		if (err)
			return err;
	}
	return 0;
}

int fib_table_walk(const struct fib_table *table, int (*fn)(void *arg, const struct ipprefix *dst, const struct fib_info *fi), void *arg)
{
	struct table_walk w = { fn, arg, AF_INET };
	int err = fib_tree_walk(&table->v4, walk_leaf, &w);

	if (err)
		return err;
	w.family = AF_INET6;
	return fib_tree_walk(&table->v6, walk_leaf, &w);
}
