/* SPDX-License-Identifier: MIT */
/*
 * bug.h: what cannot be. The library prints nothing and calls no OS function, so a broken invariant traps, in every build: going on would
 * write past a buffer. Never for anything that a packet, a peer or an application can cause.
 */
#ifndef STACK_BUG_H
#define STACK_BUG_H

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define BUG_ON(cond) \
	do { \
		if (unlikely(cond)) \
			__builtin_trap(); \
	} while (0)

#endif
