/* SPDX-License-Identifier: MIT */
/*
 * host_own.c: see host_own.h. A list: it is looked at when a link is made or changed, never for a packet.
 *
 * Invariant: an interface that still exists and was added once is never forgotten, however many came and went since.
 */
#include "host_own.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 64u

bool host_own_has(const struct host_own *own, int ifindex)
{
	for (unsigned i = 0; i < own->n; i++)
		if (own->ifindex[i] == ifindex)
			return true;
	return false;
}

static void forget_gone(struct host_own *own, bool (*exists)(int ifindex))
{
	unsigned kept = 0;

	for (unsigned i = 0; i < own->n; i++)
		if (exists(own->ifindex[i]))
			own->ifindex[kept++] = own->ifindex[i];
	own->n = kept;
}

int host_own_add(struct host_own *own, int ifindex, bool (*exists)(int ifindex))
{
	bool full = false;

	if (host_own_has(own, ifindex))
		return 0;
	if (own->n == own->room) {
		unsigned before = own->n;

		forget_gone(own, exists);
		full = own->n > before / 2; /* few were gone: more room, so that this is not done for each one that comes */
	}
	if (full || !own->room) {
		unsigned room = own->room ? 2 * own->room : FIRST_ROOM;
		int *list = realloc(own->ifindex, room * sizeof(*list));

		if (!list && own->n == own->room)
			return -ENOMEM;
		if (list) {
			own->ifindex = list;
			own->room = room;
		}
	}
	own->ifindex[own->n++] = ifindex;
	return 0;
}
