/* SPDX-License-Identifier: MIT */
/*
 * fib_mem.c: the life of the FIB's objects: allocation, the retire log, savepoints, reclaiming. The theory is in fib.h.
 *
 * Invariants: the log is ordered by version; entries of versions that are not published yet stand at its end. An object that was made and dropped between two
 * publications never enters the log for long: it is freed at once, or when the savepoint that might have wanted it back ends.
 */
#include "fib.h"

#include <errno.h>
#include <stdlib.h>

void *fib_alloc(struct fib_mem *mem, size_t size)
{
	if (mem->fail_after >= 0) {
		if (mem->fail_after == 0)
			return NULL;
		mem->fail_after--;
	}
	return malloc(size);
}

void *fib_realloc(struct fib_mem *mem, void *p, size_t size)
{
	if (mem->fail_after >= 0) {
		if (mem->fail_after == 0)
			return NULL;
		mem->fail_after--;
	}
	return realloc(p, size);
}

static size_t node_size(unsigned slots) { return sizeof(struct fib_node) + slots * sizeof(void *); }

struct fib_node *fib_node_alloc(struct fib_mem *mem, unsigned slots)
{
	struct fib_node *node = fib_alloc(mem, node_size(slots));

	if (!node)
		return NULL;
	mem->nodes++;
	mem->bytes += node_size(slots);
	node->epoch = mem->epoch;
	node->nchild = node->nfull = node->npart = 0;
	return node;
}

void fib_node_free(struct fib_mem *mem, struct fib_node *node)
{
	mem->nodes--;
	mem->bytes -= node_size((unsigned)node->nchild + node->nfull + node->npart);
	free(node);
}

static void obj_free(struct fib_mem *mem, void *obj, enum fib_kind kind)
{
	switch (kind) {
	case FIB_OBJ_NODE:
		fib_node_free(mem, obj);
		return;
	case FIB_OBJ_LIST:
		mem->lists--;
		break;
	case FIB_OBJ_INFO:
		break;
	}
	free(obj);
}

static uint64_t obj_epoch(const void *obj, enum fib_kind kind)
{
	switch (kind) {
	case FIB_OBJ_NODE: return ((const struct fib_node *)obj)->epoch;
	case FIB_OBJ_LIST: return ((const struct fib_list *)obj)->epoch;
	case FIB_OBJ_INFO: return ((const struct fib_info *)obj)->epoch;
	}
	return 0;
}

int fib_mem_init(struct fib_mem *mem)
{
	memset(mem, 0, sizeof(*mem));
	mem->fail_after = -1;
	mem->epoch = 1;
	mem->version = 1;
	return fib_log_reserve(mem, 64);
}

int fib_log_reserve(struct fib_mem *mem, size_t n)
{
	size_t cap = mem->log_cap ? mem->log_cap : 64;
	struct fib_retired *log;

	if (mem->log_len + n <= mem->log_cap)
		return 0;
	while (cap < mem->log_len + n)
		cap *= 2;
	log = fib_realloc(mem, mem->log, cap * sizeof(*log));
	if (!log)
		return -ENOMEM;
	mem->log = log;
	mem->log_cap = cap;
	return 0;
}

void fib_retire(struct fib_mem *mem, void *obj, enum fib_kind kind)
{
	if (obj_epoch(obj, kind) > mem->floor) {
		obj_free(mem, obj, kind);
		return;
	}
	mem->log[mem->log_len++] = (struct fib_retired){ .obj = (uintptr_t)obj | kind, .version = mem->version };
}

static void *retired_obj(const struct fib_retired *r, enum fib_kind *kind)
{
	*kind = (enum fib_kind)(r->obj & 3);
	return (void *)(r->obj & ~(uintptr_t)3);
}

void fib_savepoint_begin(struct fib_mem *mem, struct fib_savepoint *sp)
{
	sp->floor = mem->floor;
	sp->log_pos = mem->log_gone + mem->log_len;
	mem->floor = mem->epoch++;
}

void fib_savepoint_end(struct fib_mem *mem, const struct fib_savepoint *sp)
{
	size_t from = sp->log_pos > mem->log_gone ? sp->log_pos - mem->log_gone : 0, to = from;

	mem->floor = sp->floor;
	for (size_t i = from; i < mem->log_len; i++) {
		enum fib_kind kind;
		void *obj = retired_obj(&mem->log[i], &kind);

		if (obj_epoch(obj, kind) > mem->floor)
			obj_free(mem, obj, kind);
		else
			mem->log[to++] = mem->log[i];
	}
	mem->log_len = to;
}

static void free_leaf_younger(struct fib_mem *mem, fib_leaf leaf, uint64_t floor)
{
	struct fib_list *list = (struct fib_list *)(leaf & ~(uintptr_t)1);

	if ((leaf & 1) && list->epoch > floor)
		obj_free(mem, list, FIB_OBJ_LIST);
}

/* Frees what the epochs after floor have made of a tree: by the invariant it is connected from the root down. */
static void free_younger(struct fib_mem *mem, struct fib_node *node, uint64_t floor)
{
	unsigned n = (unsigned)node->nchild + node->nfull + node->npart;

	if (node->epoch <= floor)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (i < node->nchild)
			free_younger(mem, node->slot[i], floor);
		else
			free_leaf_younger(mem, (fib_leaf)node->slot[i], floor);
	}
	fib_node_free(mem, node);
}

static void free_tree_younger(struct fib_mem *mem, const struct fib_tree *tree, uint64_t floor)
{
	if (tree->root)
		free_younger(mem, tree->root, floor);
	free_leaf_younger(mem, tree->dflt, floor);
}

static int count_ref(void *arg, const struct ipprefix *dst, const struct fib_info *fi)
{
	(void)arg;
	(void)dst;
	((struct fib_info *)(uintptr_t)fi)->refs++;
	return 0;
}

static void clear_ref(struct fib_mem *mem, struct fib_info *fi)
{
	(void)mem;
	fi->refs = 0;
}

static void drop_unused(struct fib_mem *mem, struct fib_info *fi)
{
	if (fi->refs)
		return;
	fib_info_unhash(mem, fi);
	obj_free(mem, fi, FIB_OBJ_INFO);
}

void fib_undo_table(struct fib_mem *mem, struct fib_table *table, const struct fib_table *then)
{
	free_tree_younger(mem, &table->v4, mem->floor);
	free_tree_younger(mem, &table->v6, mem->floor);
	*table = *then;
}

void fib_savepoint_undo(struct fib_mem *mem, const struct fib_savepoint *sp, struct fib_table *const *tables, size_t n)
{
	size_t from = sp->log_pos - mem->log_gone;

	/* What the log holds is older than the savepoint (the rest was freed at once), so the restored roots reach it again. */
	for (size_t i = from; i < mem->log_len; i++) {
		enum fib_kind kind;
		void *obj = retired_obj(&mem->log[i], &kind);

		if (kind == FIB_OBJ_INFO)
			fib_info_rehash(mem, obj);
	}
	mem->log_len = from;
	mem->floor = sp->floor;
	/* Counting again costs a walk, and spares every change from keeping an undo list. */
	fib_info_foreach(mem, clear_ref);
	for (size_t i = 0; i < n; i++)
		fib_table_walk(tables[i], count_ref, NULL);
	fib_info_foreach(mem, drop_unused);
}

void fib_publish(struct fib_mem *mem)
{
	mem->floor = mem->epoch++;
	mem->version++;
}

void fib_reclaim(struct fib_mem *mem, uint64_t version)
{
	size_t i = 0;

	for (; i < mem->log_len && mem->log[i].version <= version; i++) {
		enum fib_kind kind;
		void *obj = retired_obj(&mem->log[i], &kind);

		obj_free(mem, obj, kind);
	}
	if (!i)
		return;
	memmove(mem->log, mem->log + i, (mem->log_len - i) * sizeof(*mem->log));
	mem->log_len -= i;
	mem->log_gone += i;
}

static void free_info(struct fib_mem *mem, struct fib_info *fi)
{
	mem->ninfos--;
	obj_free(mem, fi, FIB_OBJ_INFO);
}

void fib_mem_exit(struct fib_mem *mem, struct fib_table *const *tables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free_tree_younger(mem, &tables[i]->v4, 0);
		free_tree_younger(mem, &tables[i]->v6, 0);
	}
	fib_reclaim(mem, UINT64_MAX);
	fib_info_foreach(mem, free_info);
	free(mem->hash);
	free(mem->log);
}
