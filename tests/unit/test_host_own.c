/* SPDX-License-Identifier: MIT */
/*
 * test_host_own.c: what the privileged helper has opened: one that lives is never forgotten, and those that are gone do not make the list grow without end.
 */
#include "host_own.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static int alive_up_to, alive_from;

static bool exists(int ifindex)
{
	return ifindex <= alive_up_to || ifindex >= alive_from;
}

Test(host_own, the_first_is_still_known_after_many_came_and_went)
{
	struct host_own own = { .n = 0 };

	alive_up_to = 3;
	for (int i = 1; i <= 5000; i++) {
		alive_from = i; /* the others have come and gone */
		cr_assert_eq(host_own_add(&own, i, exists), 0);
		cr_assert(host_own_has(&own, i));
	}
	for (int i = 1; i <= 3; i++)
		cr_expect(host_own_has(&own, i), "number %d is forgotten", i);
	cr_expect_not(host_own_has(&own, 4));
	cr_expect(own.room <= 128, "room for %u", own.room);
	free(own.ifindex);
}

Test(host_own, as_many_as_there_are)
{
	struct host_own own = { .n = 0 };

	alive_up_to = 4000;
	alive_from = 4001;
	for (int round = 0; round < 2; round++) /* none stands there twice */
		for (int i = 1; i <= 4000; i++)
			cr_assert_eq(host_own_add(&own, i, exists), 0);
	cr_expect_eq(own.n, 4000);
	for (int i = 1; i <= 4000; i++)
		cr_expect(host_own_has(&own, i));
	cr_expect_not(host_own_has(&own, 4001));
	free(own.ifindex);
}
