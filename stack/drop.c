/* SPDX-License-Identifier: MIT */
/*
 * drop.c: names and explanations of the drop reasons, from the list in drop.h.
 */
#include <netstack/drop.h>

struct drop_text {
	const char *name, *help;
};

static const struct drop_text drop_texts[SKB_DROP_MAX] = {
	[SKB_CONSUMED] = { "consumed", "not a drop: delivered, sent or merged" },
#define X(sym, text, why) [SKB_DROP_##sym] = { text, why },
	SKB_DROP_REASONS(X)
#undef X
};

const char *skb_drop_reason_name(enum skb_drop_reason reason)
{
	return (unsigned)reason < SKB_DROP_MAX ? drop_texts[reason].name : "?";
}

const char *skb_drop_reason_help(enum skb_drop_reason reason)
{
	return (unsigned)reason < SKB_DROP_MAX ? drop_texts[reason].help : "?";
}
