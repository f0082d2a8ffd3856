/* SPDX-License-Identifier: MIT */
/*
 * mib.c: names of the counters, from the list in mib.h.
 */
#include <netstack/mib.h>
#include <stddef.h>

struct mib_text {
	const char *group, *name;
};

static const struct mib_text mib_texts[NET_MIB_MAX] = {
#define X(g, n) [MIB_##g##_##n] = { #g, #n },
	NET_MIBS(X, X)
#undef X
};

const char *net_mib_group(enum net_mib m)
{
	return (unsigned)m < NET_MIB_MAX ? mib_texts[m].group : NULL;
}

const char *net_mib_name(enum net_mib m)
{
	return (unsigned)m < NET_MIB_MAX ? mib_texts[m].name : NULL;
}
