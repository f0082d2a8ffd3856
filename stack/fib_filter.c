/* SPDX-License-Identifier: MIT */
/*
 * fib_filter.c: what is surely not in a table; see struct fib_filter in fib.h.
 *
 * Size: 32 bits an address or more, so that at most one foreign address in 32 is looked up in vain; tables with many prefixes that are shorter than an address get
 * none. Not done: IPv6.
 */
#include "fib.h"

#include <errno.h>
#include <stdlib.h>

#define FILTER_BITS_MIN 10 /* 1,024 bits */
#define FILTER_BITS_MAX 24

struct gather {
	struct fib_filter *filter;
	unsigned           nprefixes;
};

static int add_leaf(void *arg, fib_key key, unsigned len, fib_leaf leaf)
{
	struct gather *g = arg;
	uint32_t a = (uint32_t)(key >> 96), at;

	(void)leaf;
	if (len < 32) {
		if (g->nprefixes == FIB_FILTER_PREFIXES)
			return 1;
		g->filter->prefix[g->nprefixes].net = a;
		g->filter->prefix[g->nprefixes++].mask = len ? UINT32_MAX << (32 - len) : 0;
		return 0;
	}
	at = a * 0x9e3779b1u >> g->filter->shift;
	g->filter->bits[at >> 6] |= UINT64_C(1) << (at & 63);
	return 0;
}

int fib_filter_new(struct fib_mem *mem, const struct fib_table *table, struct fib_filter **ret)
{
	unsigned bits = FILTER_BITS_MIN;
	struct gather g = { .nprefixes = 0 };
	size_t size;

	*ret = NULL;
	while (bits < FILTER_BITS_MAX && (size_t)1 << bits < table->nroutes * 32)
		bits++;
	size = sizeof(*g.filter) + ((size_t)1 << bits) / 8;
	g.filter = fib_alloc(mem, size);
	if (!g.filter)
		return -ENOMEM;
	memset(g.filter, 0, size);
	g.filter->refs = 1;
	g.filter->shift = (uint8_t)(32 - bits);
	if (fib_tree_walk(&table->v4, add_leaf, &g)) {
		free(g.filter);
		return 0;
	}
	g.filter->nprefixes = (uint8_t)g.nprefixes;
	*ret = g.filter;
	return 0;
}
