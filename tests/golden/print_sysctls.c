// SPDX-License-Identifier: MIT
/*
 * print_sysctls.c: every tunable as an item of netstackd.conf(5), for manual.sh.
 */
#include <netstack/netcfg.h>
#include <stdio.h>

static int print(void *arg, const char *name, const char *value, bool changed, const char *help)
{
	(void)arg;
	(void)changed;
	printf(".It Li %s Pq %s\n%s.\n", name, value, help);
	return 0;
}

int main(void)
{
	struct netcfg *cfg = netcfg_new();

	if (!cfg)
		return 1;
	netcfg_sysctl_foreach(cfg, print, NULL);
	netcfg_free(cfg);
	return 0;
}
