/* SPDX-License-Identifier: MIT */
/*
 * runtime.h: how long each stage takes, on a sample (runtime.c). Off, it costs a test of stack->runtime in each stack_run and one of stack->sampling in each round and poll;
 * what a single frame passes tests nothing of its own: marks hang on bits that are looked at anyway (dev->hooks, skb->sampled beside skb->to_raw).
 */
#ifndef STACK_RUNTIME_H
#define STACK_RUNTIME_H

#include "bug.h"
#include "stack_priv.h"

struct runtime {
	struct runtime_stats s;
	ktime_t              last; /* of the present sample: when the present stage began */
	ktime_t              overhead; /* of reading the clock once */
	enum runtime_stage   cur;
	uint32_t             wait, lcg; /* runs until the next sample; where the next distance comes from */
};

int  runtime_apply(struct stack *stack); /* follows net.core.runtime_stats: 0 or -ENOMEM */
void runtime_exit(struct stack *stack);
void runtime_begin(struct stack *stack); /* of a stack_run; stack->sampling is set when this one is a sample */
void runtime_end(struct stack *stack);
/* A stage begins. Returns the one before, to go back to. */
enum runtime_stage runtime_enter(struct runtime *rt, struct stack *stack, enum runtime_stage stage);
void runtime_leave(struct runtime *rt, struct stack *stack, enum runtime_stage back);

static inline void runtime_frames(struct runtime *rt, enum runtime_stage stage, uint64_t frames) { rt->s.stage[stage].frames += frames; }
static inline uint32_t runtime_segs(const struct sk_buff *skb) { return skb->gso_segs > 1 ? skb->gso_segs : 1; }

/* A packet of a sample goes on to the next stage. */
static inline void runtime_packet(struct stack *stack, const struct sk_buff *skb, enum runtime_stage stage)
{
	struct runtime *rt = stack->sampling;

	if (!rt)
		return; /* it comes from an earlier sample */
	runtime_enter(rt, stack, stage);
	runtime_frames(rt, stage, runtime_segs(skb));
}

/* A part of a round, by the batch. */
static inline void runtime_part(struct stack *stack, enum runtime_stage stage)
{
	if (unlikely(stack->sampling))
		runtime_enter(stack->sampling, stack, stage);
}

#endif
