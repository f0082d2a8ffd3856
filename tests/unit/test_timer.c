/* SPDX-License-Identifier: MIT */
/*
 * test_timer.c: the timer wheel against a plain array that is searched each time.
 */
#include "stack_priv.h"
#include <criterion/criterion.h>
#include <stdlib.h>

#define MS NSEC_PER_MSEC

enum { N = 200 };

struct rig {
	struct stack stack;
	struct entry {
		struct timer t;
		bool         pending;
		ktime_t      expires;
		uint64_t     due; /* the twin's tick */
		unsigned     fired;
	} e[N];
	ktime_t  now;
	unsigned fired;
	ktime_t  rearm; /* delay with which a firing timer starts itself again; 0: not */
};

static ktime_t tick_up(ktime_t t) { return (t + TIMER_GRANULE - 1) / TIMER_GRANULE * TIMER_GRANULE; }

static void on_timer(struct stack *stack, struct timer *t)
{
	struct rig *r = stack->priv;
	struct entry *e = container_of(t, struct entry, t);

	cr_assert(!timer_pending(t));
	cr_assert(e->pending, "fired though it was not started");
	cr_assert_leq(e->expires, r->now, "fired before its time");
	e->pending = false;
	e->fired++;
	r->fired++;
	if (r->rearm) {
		e->expires = r->now + r->rearm;
		e->pending = true;
		timer_mod(stack, t, e->expires);
	}
}

static struct rig *rig_new(ktime_t now)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->now = r->stack.now = now;
	r->stack.priv = r;
	r->stack.wheel = timer_wheel_new(now);
	for (int i = 0; i < N; i++)
		timer_init(&r->e[i].t, on_timer);
	return r;
}

static void rig_free(struct rig *r)
{
	for (int i = 0; i < N; i++)
		timer_del(&r->stack, &r->e[i].t);
	cr_expect_eq(timer_wheel_pending(r->stack.wheel), 0u);
	cr_expect_eq(timer_wheel_next(r->stack.wheel), KTIME_MAX);
	timer_wheel_free(r->stack.wheel);
	free(r);
}

static void start(struct rig *r, int i, ktime_t expires)
{
	r->e[i].pending = true;
	r->e[i].expires = expires;
	timer_mod(&r->stack, &r->e[i].t, expires);
}

static void run_to(struct rig *r, ktime_t now)
{
	r->now = r->stack.now = now;
	timer_wheel_run(&r->stack, r->stack.wheel, now, UINT32_MAX);
}

Test(timer, fires_at_the_granule_and_not_before)
{
	static const ktime_t delays[] = { 0, 1, MS - 1, MS, MS + 1, 63 * MS, 64 * MS, 65 * MS, 200 * MS, 4095 * MS, 4096 * MS, 4097 * MS, 60000 * MS,
					  7200000 * MS, 86400000 * MS, 30 * 86400000ll * MS, 4000 * 86400000ll * MS };
	static const ktime_t starts[] = { 0, 1, 5 * MS, 63 * MS, 64 * MS + 17, 1000000007, 123456789012345678 };

	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (size_t d = 0; d < sizeof(delays) / sizeof(delays[0]); d++) {
			struct rig *r = rig_new(starts[s]);
			ktime_t at = starts[s] + delays[d], want = tick_up(at), next;

			start(r, 0, at);
			next = timer_wheel_next(r->stack.wheel);
			if (want > starts[s]) {
				cr_assert_eq(next, want, "start %ld delay %ld: the deadline is exact", (long)starts[s], (long)delays[d]);
				run_to(r, want - 1);
				cr_assert_eq(r->fired, 0u);
				cr_assert_eq(timer_wheel_next(r->stack.wheel), want, "and stays so");
			} else {
				cr_assert_leq(next, starts[s]);
			}
			run_to(r, want);
			cr_assert_eq(r->fired, 1u, "start %ld delay %ld", (long)starts[s], (long)delays[d]);
			rig_free(r);
		}
	}
}

/* Random starts, moves and stops; the clock goes in leaps of all sizes. After each leap exactly those must have fired that the twin says. */
static void against_the_twin(uint64_t seed, int steps)
{
	struct rig *r = rig_new((ktime_t)(seed % 1000000007) * 977);
	uint64_t s[4] = { seed, 1, 2, 3 };
	struct rng rng;

	rng_init(&rng, s, 0);
	for (int step = 0; step < steps; step++) {
		int i = (int)rng_below(&rng, N);
		struct entry *e = &r->e[i];
		ktime_t delay = (ktime_t)(rng_u64(&rng) >> (20 + rng_below(&rng, 40)));

		switch (rng_below(&rng, 8)) {
		case 0: case 1: case 2:
			start(r, i, r->now + delay);
			break;
		case 3:
			if (!e->pending || r->now + delay < e->expires)
				e->expires = r->now + delay;
			e->pending = true;
			timer_reduce(&r->stack, &e->t, r->now + delay);
			break;
		case 4: case 5:
			timer_del(&r->stack, &e->t);
			e->pending = false;
			break;
		default: {
			ktime_t to = r->now + (ktime_t)(rng_u64(&rng) >> (24 + rng_below(&rng, 36))), earliest = KTIME_MAX;
			unsigned pending = 0, before = r->fired, due = 0;

			for (int k = 0; k < N; k++) {
				if (!r->e[k].pending)
					continue;
				pending++;
				if (tick_up(r->e[k].expires) < earliest)
					earliest = tick_up(r->e[k].expires);
			}
			cr_assert_eq(timer_wheel_pending(r->stack.wheel), pending);
			cr_assert_leq(timer_wheel_next(r->stack.wheel), earliest > r->now ? earliest : r->now + MS, "sleeps past a timer, seed %lu", (unsigned long)seed);
			if (!pending)
				cr_assert_eq(timer_wheel_next(r->stack.wheel), KTIME_MAX);
			if (earliest != KTIME_MAX && rng_below(&rng, 2))
				to = earliest > r->now ? earliest : r->now;
			for (int k = 0; k < N; k++)
				due += r->e[k].pending && tick_up(r->e[k].expires) <= to / MS * MS;
			run_to(r, to);
			cr_assert_eq(r->fired - before, due, "seed %lu step %d: %u fired, %u were due", (unsigned long)seed, step, r->fired - before, due);
		}
		}
		cr_assert_eq(timer_pending(&e->t), e->pending);
	}
	rig_free(r);
}

Test(timer, agrees_with_an_array)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		against_the_twin(seed, 20000);
}

Test(timer, an_idle_wheel_wakes_nobody)
{
	/* Without stopped timers in between, every wake-up fires something: going from deadline to deadline takes as many runs as there are ticks. */
	struct rig *r = rig_new(12345);
	uint64_t s[4] = { 42 };
	struct rng rng;
	unsigned runs = 0;

	rng_init(&rng, s, 0);
	for (int i = 0; i < N; i++)
		start(r, i, r->now + (ktime_t)(rng_u64(&rng) >> (10 + rng_below(&rng, 30))));
	while (timer_wheel_next(r->stack.wheel) != KTIME_MAX) {
		unsigned before = r->fired;

		run_to(r, timer_wheel_next(r->stack.wheel));
		cr_assert_gt(r->fired, before, "a wake-up for nothing");
		runs++;
	}
	cr_expect_eq(r->fired, (unsigned)N);
	cr_expect_leq(runs, (unsigned)N);
	rig_free(r);
}

Test(timer, one_that_starts_itself_does_not_hold_the_wheel)
{
	struct rig *r = rig_new(0);

	r->rearm = 1;
	start(r, 0, 5 * MS);
	run_to(r, 5 * MS);
	cr_expect_eq(r->fired, 1u);
	run_to(r, 8 * MS);
	cr_expect_eq(r->fired, 2u, "it asked for one nanosecond after now, which is past the ticks that were caught up with");
	rig_free(r);
}

Test(timer, a_budget_leaves_the_rest_due)
{
	struct rig *r = rig_new(0);

	for (int i = 0; i < 10; i++)
		start(r, i, 3 * MS);
	r->now = r->stack.now = 4 * MS;
	cr_expect_eq(timer_wheel_run(&r->stack, r->stack.wheel, r->now, 4), 4u);
	cr_expect_leq(timer_wheel_next(r->stack.wheel), r->now);
	cr_expect_eq(timer_wheel_run(&r->stack, r->stack.wheel, r->now, 100), 6u);
	cr_expect_eq(timer_wheel_next(r->stack.wheel), KTIME_MAX);
	rig_free(r);
}

static struct timer *victim;
static unsigned kills;

static void kill_victim(struct stack *stack, struct timer *t)
{
	(void)t;
	kills++;
	timer_del(stack, victim);
}

Test(timer, one_may_stop_another_of_the_same_tick)
{
	struct rig *r = rig_new(0);

	kills = 0;
	r->e[0].t.fn = kill_victim;
	victim = &r->e[1].t;
	start(r, 0, 3 * MS);
	start(r, 1, 3 * MS);
	run_to(r, 3 * MS);
	cr_expect_eq(kills, 1u);
	cr_expect_eq(r->fired, 0u);
	rig_free(r);
}
