/* SPDX-License-Identifier: MIT */
/*
 * version.c: which release this is; the number stands in configure.ac.
 */
#include "config.h"
#include <netstack/stack.h>

const char *netstack_version(void)
{
	return PACKAGE_VERSION;
}
