/* SPDX-License-Identifier: MIT */
/*
 * sysctl_table.h: the tunables of NET_SYSCTLS as a table that code can walk, and values as text.
 */
#ifndef STACK_SYSCTL_TABLE_H
#define STACK_SYSCTL_TABLE_H

#include "sysctl.h"

enum sysctl_type { SYSCTL_int, SYSCTL_uint, SYSCTL_bool, SYSCTL_mask };

struct sysctl_def {
	const char      *name, *help;
	enum sysctl_type type;
	uint16_t         offset; /* in struct sysctl_values */
	int64_t          def, min, max;
};

extern const struct sysctl_def sysctl_table[];
extern const unsigned          sysctl_table_len;

const struct sysctl_def *sysctl_find(const char *name); /* NULL: none */
int64_t sysctl_read(const struct sysctl_values *v, const struct sysctl_def *d);
void    sysctl_write(struct sysctl_values *v, const struct sysctl_def *d, int64_t value); /* in range */
/* Hexadecimal, with or without commas between groups of eight digits, as Linux writes masks of CPUs. 0, -EINVAL or -ERANGE. */
int     sysctl_parse_mask(const char **text, int64_t *ret);
#define SYSCTL_TEXT 48
const char *sysctl_text(const struct sysctl_def *d, int64_t value, char buf[SYSCTL_TEXT]);
/* One decimal or 0x hexadecimal number, blanks around it allowed; *text moves behind it. 0, -EINVAL (no number) or -ERANGE (too big for 64 bits). */
int     sysctl_parse_num(const char **text, int64_t *ret);

#endif
