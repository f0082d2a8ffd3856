/* SPDX-License-Identifier: MIT */
/*
 * test_list.c: the intrusive lists against an array that does the same.
 */
#include "list.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

struct item {
	struct list_head  node;
	struct hlist_node hnode;
	int               id;
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

Test(list, agrees_with_an_array)
{
	enum { N = 16 };
	struct item      items[N];
	struct list_head head;
	int              twin[N], n = 0;
	uint32_t         seed = 1;

	list_init(&head);
	for (int i = 0; i < N; i++) {
		items[i].id = i;
		list_init(&items[i].node);
	}
	for (int step = 0; step < 20000; step++) {
		int i = (int)(next_random(&seed) % N), at = -1;

		for (int k = 0; k < n; k++)
			if (twin[k] == i)
				at = k;
		switch (next_random(&seed) % 4) {
		case 0: /* front */
			if (at >= 0)
				break;
			list_add(&items[i].node, &head);
			memmove(twin + 1, twin, sizeof(int) * (size_t)n++);
			twin[0] = i;
			break;
		case 1: /* back */
			if (at >= 0)
				break;
			list_add_tail(&items[i].node, &head);
			twin[n++] = i;
			break;
		case 2: /* out; twice does no harm */
			list_del(&items[i].node);
			list_del(&items[i].node);
			if (at >= 0)
				memmove(twin + at, twin + at + 1, sizeof(int) * (size_t)(--n - at));
			break;
		case 3: /* to the back */
			if (at < 0)
				break;
			list_move_tail(&items[i].node, &head);
			memmove(twin + at, twin + at + 1, sizeof(int) * (size_t)(n - at - 1));
			twin[n - 1] = i;
			break;
		}
		struct item *pos;
		int          k = 0;
		list_for_each(pos, &head, struct item, node) {
			cr_assert_lt(k, n);
			cr_assert_eq(pos->id, twin[k++], "step %d", step);
		}
		cr_assert_eq(k, n, "step %d", step);
		cr_assert_eq(list_empty(&head), n == 0);
	}
}

Test(list, hlist_removes_while_walking)
{
	struct item       items[8], *pos, *tmp;
	struct hlist_head head = { NULL };
	int               seen = 0, left = 0;

	memset(items, 0, sizeof(items));
	for (int i = 0; i < 8; i++) {
		items[i].id = i;
		cr_assert(hlist_unhashed(&items[i].hnode));
		hlist_add_head(&items[i].hnode, &head);
		cr_assert(!hlist_unhashed(&items[i].hnode));
	}
	hlist_for_each_safe(pos, tmp, &head, struct item, hnode) {
		cr_assert_eq(pos->id, 7 - seen++);
		if (pos->id & 1) {
			hlist_del(&pos->hnode);
			hlist_del(&pos->hnode); /* twice does no harm */
		}
	}
	cr_assert_eq(seen, 8);
	hlist_for_each(pos, &head, struct item, hnode) {
		cr_assert_eq(pos->id & 1, 0);
		left++;
	}
	cr_assert_eq(left, 4);
}
