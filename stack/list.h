/* SPDX-License-Identifier: MIT */
/*
 * list.h: intrusive lists. list_head: doubly linked ring; hlist: single-pointer head for hash buckets.
 */
#ifndef STACK_LIST_H
#define STACK_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct list_head {
	struct list_head *next, *prev;
};

static inline void list_init(struct list_head *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list_head *l) { return l->next == l; }
static inline void list_insert(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	next->prev = n;
	n->next = next;
	n->prev = prev;
	prev->next = n;
}
static inline void list_add(struct list_head *n, struct list_head *head) { list_insert(n, head, head->next); }
static inline void list_add_tail(struct list_head *n, struct list_head *head) { list_insert(n, head->prev, head); }
/* Safe on a node that is already out: it is left pointing at itself. */
static inline void list_del(struct list_head *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	list_init(n);
}
static inline void list_move_tail(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add_tail(n, head);
}
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) (list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_for_each(pos, head, type, member) \
	for (pos = list_entry((head)->next, type, member); &pos->member != (head); pos = list_entry(pos->member.next, type, member))
#define list_for_each_safe(pos, tmp, head, type, member) \
	for (pos = list_entry((head)->next, type, member), tmp = list_entry(pos->member.next, type, member); \
	     &pos->member != (head); pos = tmp, tmp = list_entry(pos->member.next, type, member))

struct hlist_node {
	struct hlist_node *next, **pprev; /* pprev NULL: not in a list */
};
struct hlist_head {
	struct hlist_node *first;
};
static inline bool hlist_unhashed(const struct hlist_node *n) { return n->pprev == NULL; }
static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
	n->pprev = &h->first;
}
static inline void hlist_del(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
	n->next = NULL;
	n->pprev = NULL;
}
#define hlist_entry_or_null(ptr, type, member) \
	({ struct hlist_node *hn_ = (ptr); hn_ ? container_of(hn_, type, member) : NULL; })
#define hlist_for_each(pos, head, type, member) \
	for (pos = hlist_entry_or_null((head)->first, type, member); pos; pos = hlist_entry_or_null(pos->member.next, type, member))
#define hlist_for_each_safe(pos, tmp, head, type, member) \
	for (pos = hlist_entry_or_null((head)->first, type, member); \
	     pos && ((tmp = hlist_entry_or_null(pos->member.next, type, member)), 1); pos = tmp)

#endif
