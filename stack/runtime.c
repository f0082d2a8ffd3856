/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: how long each stage of the stack takes, measured on a sample of its runs.
 *
 * Theory. A stack has no clock; the embedder lends one (ops->clock). While net.core.runtime_stats is on, one run of stack_run in about SAMPLE_EVERY is a sample, at distances
 * that vary, so that no rhythm of the load is met again and again. In a sample, time is one line that is cut into pieces: whoever begins a stage says so
 * (runtime_enter) and the time since the last cut belongs to the stage before; whoever returns into another's stage says that (runtime_leave). So each
 * nanosecond of a sample belongs to exactly one stage, and the shares add up to all of it. What reading the clock takes, found out at the start, is taken off each piece.
 *
 * All devices have DEV_HOOK_SAMPLE while a sample runs: that leads their frames through the marks of softnet.c and dev_xmit.c and sets skb->sampled, on which
 * the stages behind make theirs.
 *
 * Invariants: stack->sampling is not NULL only inside stack_run, and then equals stack->runtime.
 *
 * Not done: what happens outside of stack_run (an application's calls, the embedder's own duties) is not seen.
 */
#include "runtime.h"

#include <errno.h>
#include <stdlib.h>

#define SAMPLE_EVERY 64u /* on average; a power of two */

/* From SAMPLE_EVERY / 2 to 3/2 of it. Not secret: a cheap generator will do. */
static uint32_t next_distance(struct runtime *rt)
{
	rt->lcg = rt->lcg * 1664525u + 1013904223u;
	return SAMPLE_EVERY / 2 + (rt->lcg >> 16) % SAMPLE_EVERY;
}

static ktime_t clock_of(struct stack *stack)
{
	return stack->ops->clock(stack->priv);
}

static ktime_t clock_overhead(struct stack *stack)
{
	ktime_t least = KTIME_MAX, last = clock_of(stack);

	for (int i = 0; i < 16; i++) {
		ktime_t t = clock_of(stack);

		if (t - last < least)
			least = t - last;
		last = t;
	}
	return least > 0 ? least : 0;
}

static void hook_devices(struct stack *stack, bool on)
{
	struct net_device *dev;

	list_for_each(dev, &stack->devs, struct net_device, node)
		dev->hooks = on ? dev->hooks | DEV_HOOK_SAMPLE : dev->hooks & ~(uint32_t)DEV_HOOK_SAMPLE;
}

int runtime_apply(struct stack *stack)
{
	bool on = stack->sysctl->runtime_stats && stack->ops->clock;

	if (on == (stack->runtime != NULL))
		return 0;
	if (!on) {
		runtime_exit(stack);
		return 0;
	}
	stack->runtime = calloc(1, sizeof(*stack->runtime));
	if (!stack->runtime)
		return -ENOMEM;
	stack->runtime->lcg = stack->params.cpu + 1;
	stack->runtime->wait = 1; /* the first run is one: a few frames are enough to see something */
	stack->runtime->overhead = clock_overhead(stack);
	return 0;
}

void runtime_exit(struct stack *stack)
{
	if (stack->sampling)
		hook_devices(stack, false);
	free(stack->runtime);
	stack->runtime = stack->sampling = NULL;
}

void runtime_begin(struct stack *stack)
{
	struct runtime *rt = stack->runtime;

	rt->s.runs++;
	if (--rt->wait)
		return;
	rt->wait = next_distance(rt);
	rt->s.sampled++;
	rt->cur = RUNTIME_OTHER;
	rt->s.stage[RUNTIME_OTHER].calls++;
	hook_devices(stack, true);
	stack->sampling = rt;
	rt->last = clock_of(stack);
}

static void cut(struct runtime *rt, struct stack *stack)
{
	ktime_t now = clock_of(stack), took = now - rt->last - rt->overhead;

	if (took > 0)
		rt->s.stage[rt->cur].ns += (uint64_t)took;
	rt->last = now;
}

void runtime_end(struct stack *stack)
{
	cut(stack->sampling, stack);
	stack->sampling = NULL;
	hook_devices(stack, false);
}

enum runtime_stage runtime_enter(struct runtime *rt, struct stack *stack, enum runtime_stage stage)
{
	enum runtime_stage before = rt->cur;

	cut(rt, stack);
	rt->cur = stage;
	rt->s.stage[stage].calls++;
	return before;
}

void runtime_leave(struct runtime *rt, struct stack *stack, enum runtime_stage back)
{
	cut(rt, stack);
	rt->cur = back;
}

/* ---- what can be seen ---- */

static const struct { const char *name, *help; } stages[RUNTIME_MAX] = {
#define STAGE_TEXT(id, name, help) [RUNTIME_##id] = { name, help },
	RUNTIME_STAGES(STAGE_TEXT)
#undef STAGE_TEXT
};

const char *runtime_stage_name(enum runtime_stage stage) { return (unsigned)stage < RUNTIME_MAX ? stages[stage].name : "?"; }
const char *runtime_stage_help(enum runtime_stage stage) { return (unsigned)stage < RUNTIME_MAX ? stages[stage].help : ""; }

int stack_runtime_stats(const struct stack *stack, struct runtime_stats *ret)
{
	if (!stack->runtime)
		return -ENODATA;
	*ret = stack->runtime->s;
	return 0;
}
