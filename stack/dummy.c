/* SPDX-License-Identifier: MIT */
/*
 * dummy.c: a device that takes every frame and forgets it. It holds addresses that shall not depend on a cable, and routes that lead nowhere.
 *
 * Not done: anything else.
 */
#include "dev.h"

static int dummy_xmit(struct net_device *dev, struct sk_buff *skb)
{
	(void)dev;
	consume_skb(skb);
	return 0;
}

const struct dev_ops dummy_ops = { .xmit = dummy_xmit };
