/* SPDX-License-Identifier: MIT */
/*
 * timer.c: the timer wheel: eight levels of 64 slots, a slot of level n being 64^n milliseconds wide. That is all the time there is.
 *
 * Theory. Time is counted in ticks of one granule. A timer stands at the level of the highest group of six bits in which its tick differs from
 * the wheel's clock, in the slot that this group names. So everything at a level is earlier than everything at the levels above,
 * and within a level the slots are in order: the earliest timer is in the first occupied slot of the lowest occupied level, which two bit
 * scans find. When the clock enters a slot of an upper level, its timers are spread over the levels below (each timer
 * moves at most seven times in its life).
 *
 * Deadline. Each slot of the upper levels remembers the earliest tick that was ever put into it since it was empty. timer_wheel_next
 * returns that one, not the beginning of the slot, so nobody has to wake up only to move timers down. Stopping the earliest
 * timer of such a slot leaves its tick behind: at most one wake-up too many for each slot that is emptied in part.
 *
 * Invariants: a slot is marked occupied if and only if its list is not empty; a timer at level n > 0 is in a slot after the clock's own;
 * a timer fires at its tick, which is the first one at or after its time, never before. One that is started for now
 * while the wheel runs fires with the next tick, so a timer that always starts itself again cannot hold the wheel.
 *
 * Not done: an order within one tick other than that of arrival in the slot.
 */
#include "timer.h"
#include "bug.h"
#include "stack_priv.h"

#include <stdlib.h>

#define SLOT_BITS 6
#define SLOTS     (1u << SLOT_BITS)
#define SLOT_MASK (SLOTS - 1)
#define LEVELS    8 /* 48 bits; KTIME_MAX has 44 bits of ticks */

_Static_assert(KTIME_MAX / TIMER_GRANULE < (INT64_C(1) << (SLOT_BITS * LEVELS)), "every time has a place");

struct timer_wheel {
	uint64_t         clk; /* tick up to which everything before has fired */
	bool             running;
	unsigned         pending;
	uint64_t         occupied[LEVELS];
	uint64_t         first[LEVELS][SLOTS]; /* earliest tick put into the slot */
	struct list_head slots[LEVELS][SLOTS];
};

static uint64_t tick_at_or_after(ktime_t t)
{
	if (t <= 0)
		return 0;
	return ((uint64_t)t + TIMER_GRANULE - 1) / TIMER_GRANULE;
}

/* Where the tick belongs, seen from the clock. tick >= clk. */
static inline void wheel_place(const struct timer_wheel *w, uint64_t tick, unsigned *ret_level, unsigned *ret_slot)
{
	uint64_t diff = tick ^ w->clk;
	unsigned level = diff < SLOTS ? 0 : (63u - (unsigned)__builtin_clzll(diff)) / SLOT_BITS;

	*ret_level = level;
	*ret_slot = (unsigned)(tick >> (SLOT_BITS * level)) & SLOT_MASK;
}

static inline uint64_t timer_tick(const struct timer_wheel *w, ktime_t expires)
{
	uint64_t tick = tick_at_or_after(expires), least = w->clk + w->running;

	return tick < least ? least : tick;
}

static void wheel_add(struct timer_wheel *w, struct timer *t, uint64_t tick)
{
	unsigned level, slot;

	wheel_place(w, tick, &level, &slot);
	if (!(w->occupied[level] >> slot & 1) || tick < w->first[level][slot])
		w->first[level][slot] = tick;
	w->occupied[level] |= UINT64_C(1) << slot;
	t->level = (uint8_t)level;
	t->slot = (uint8_t)slot;
	list_add_tail(&t->node, &w->slots[level][slot]);
}

static void wheel_del(struct timer_wheel *w, struct timer *t)
{
	list_del(&t->node);
	if (list_empty(&w->slots[t->level][t->slot]))
		w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
}

struct timer_wheel *timer_wheel_new(ktime_t now)
{
	struct timer_wheel *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	w->clk = now > 0 ? (uint64_t)now / TIMER_GRANULE : 0;
	w->running = false;
	w->pending = 0;
	memset(w->occupied, 0, sizeof(w->occupied));
	for (unsigned l = 0; l < LEVELS; l++)
		for (unsigned s = 0; s < SLOTS; s++)
			list_init(&w->slots[l][s]);
	return w;
}

void timer_wheel_free(struct timer_wheel *w)
{
	if (!w)
		return;
	BUG_ON(w->pending);
	free(w);
}

void timer_init(struct timer *t, void (*fn)(struct stack *, struct timer *))
{
	list_init(&t->node);
	t->expires = 0;
	t->fn = fn;
	t->pending = false;
	t->level = t->slot = 0;
}

void timer_mod(struct stack *stack, struct timer *t, ktime_t expires)
{
	struct timer_wheel *w = stack->wheel;
	uint64_t tick = timer_tick(w, expires);

	if (t->pending) {
		unsigned level, slot;

		wheel_place(w, tick, &level, &slot);
		if (level == t->level && slot == t->slot) { /* the usual case of a retransmit timer: the list stays as it is */
			if (tick < w->first[level][slot])
				w->first[level][slot] = tick;
			t->expires = expires;
			return;
		}
		wheel_del(w, t);
	} else {
		w->pending++;
		t->pending = true;
	}
	t->expires = expires;
	wheel_add(w, t, tick);
}

void timer_reduce(struct stack *stack, struct timer *t, ktime_t expires)
{
	if (!t->pending || expires < t->expires)
		timer_mod(stack, t, expires);
}

void timer_del(struct stack *stack, struct timer *t)
{
	if (!t->pending)
		return;
	wheel_del(stack->wheel, t);
	t->pending = false;
	stack->wheel->pending--;
}

/* The clock has reached the slot of an upper level: its timers go down. */
static void wheel_cascade(struct timer_wheel *w, unsigned level, unsigned slot)
{
	struct list_head *from = &w->slots[level][slot];
	struct list_head todo;

	list_init(&todo);
	if (!list_empty(from)) {
		todo.next = from->next;
		todo.prev = from->prev;
		todo.next->prev = &todo;
		todo.prev->next = &todo;
		list_init(from);
	}
	w->occupied[level] &= ~(UINT64_C(1) << slot);
	while (!list_empty(&todo)) {
		struct timer *t = list_entry(todo.next, struct timer, node);
		uint64_t tick = timer_tick(w, t->expires);

		list_del(&t->node);
		wheel_add(w, t, tick);
	}
}

/* The first occupied slot in time: false when the wheel is empty. start: the tick at which the slot begins. */
static bool wheel_first(const struct timer_wheel *w, unsigned *ret_level, unsigned *ret_slot, uint64_t *ret_start)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		unsigned s, shift = l * SLOT_BITS;

		if (!w->occupied[l])
			continue;
		s = (unsigned)__builtin_ctzll(w->occupied[l]);
		*ret_level = l;
		*ret_slot = s;
		*ret_start = ((w->clk >> shift & ~(uint64_t)SLOT_MASK) | s) << shift;
		return true;
	}
	return false;
}

unsigned timer_wheel_run(struct stack *stack, struct timer_wheel *w, ktime_t now, unsigned max)
{
	uint64_t target = now > 0 ? (uint64_t)now / TIMER_GRANULE : 0, start;
	unsigned fired = 0, level, slot;

	while (wheel_first(w, &level, &slot, &start) && start <= target) {
		struct timer *t;

		if (start > w->clk)
			w->clk = start;
		if (level) {
			wheel_cascade(w, level, slot);
			continue;
		}
		w->running = true;
		while (fired < max && (t = list_first(&w->slots[0][slot], struct timer, node))) {
			wheel_del(w, t);
			t->pending = false;
			w->pending--;
			fired++;
			t->fn(stack, t);
		}
		w->running = false;
		if (fired >= max && w->occupied[0] >> slot & 1)
			return fired;
	}
	if (target > w->clk)
		w->clk = target;
	return fired;
}

ktime_t timer_wheel_next(const struct timer_wheel *w)
{
	unsigned level, slot;
	uint64_t start, tick;

	if (!wheel_first(w, &level, &slot, &start))
		return KTIME_MAX;
	tick = level ? w->first[level][slot] : start;
	/* A timer for KTIME_MAX itself rounds up past the end of time: it never fires. */
	return tick > (uint64_t)(KTIME_MAX / TIMER_GRANULE) ? KTIME_MAX : (ktime_t)(tick * TIMER_GRANULE);
}

unsigned timer_wheel_pending(const struct timer_wheel *w)
{
	return w->pending;
}
