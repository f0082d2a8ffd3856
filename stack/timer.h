/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the timer wheel of a stack. Starting, moving and stopping a timer cost O(1) and no memory. A timer never fires before
 * its time; it fires at most one granule late (TIMER_GRANULE, and 1/8 of the delay for far ones), whole wheel empty: no deadline.
 */
#ifndef STACK_TIMER_H
#define STACK_TIMER_H

#include "list.h"
#include <netstack/types.h>

#define TIMER_GRANULE NSEC_PER_MSEC

struct stack;
struct timer_wheel;

struct timer {
	struct list_head node; /* wheel's */
	ktime_t          expires; /* absolute; meaningful while pending */
	void (*fn)(struct stack *stack, struct timer *t); /* the timer is no longer pending when it is called, and may be started again */
	bool             pending;
	uint8_t          level, slot; /* wheel's */
};

struct timer_wheel *timer_wheel_new(ktime_t now); /* NULL: no memory */
void timer_wheel_free(struct timer_wheel *w); /* asserts that no timer is pending */
void timer_init(struct timer *t, void (*fn)(struct stack *, struct timer *));
void timer_mod(struct stack *stack, struct timer *t, ktime_t expires); /* starts it, or moves a pending one */
void timer_reduce(struct stack *stack, struct timer *t, ktime_t expires); /* starts it, or moves it to an earlier time */
void timer_del(struct stack *stack, struct timer *t); /* no-op when not pending */
static inline bool timer_pending(const struct timer *t) { return t->pending; }
/* Fires what is due, at most max timers. Returns how many fired. */
unsigned timer_wheel_run(struct stack *stack, struct timer_wheel *w, ktime_t now, unsigned max);
ktime_t timer_wheel_next(const struct timer_wheel *w); /* earliest time at which run has something to do; KTIME_MAX: none */
unsigned timer_wheel_pending(const struct timer_wheel *w);

#endif
