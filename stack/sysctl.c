/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c: the table of tunables, made from the one list in sysctl.h. What names mean together (pairs, triples, per-device ones) is in netcfg_sysctl.c.
 */
#include "sysctl_table.h"

#include <errno.h>
#include <stdio.h>

const struct sysctl_values sysctl_defaults = {
#define SYSCTL_DEFAULT(field, type, name, def, min, max, help) .field = def,
	NET_SYSCTLS(SYSCTL_DEFAULT)
#undef SYSCTL_DEFAULT
	.tcp_congestion = TCP_CONG_CUBIC,
};

const struct sysctl_def sysctl_table[] = {
#define SYSCTL_ROW(field, type, name, def, min, max, help) { name, help, SYSCTL_##type, offsetof(struct sysctl_values, field), def, min, max },
	NET_SYSCTLS(SYSCTL_ROW)
#undef SYSCTL_ROW
};
const unsigned sysctl_table_len = sizeof(sysctl_table) / sizeof(sysctl_table[0]);

#define SYSCTL_CHECK(field, type, name, def, min, max, help) \
	_Static_assert((int64_t)(min) <= (int64_t)(def) && (int64_t)(def) <= (int64_t)(max), name " has a default in its range");
NET_SYSCTLS(SYSCTL_CHECK)
#undef SYSCTL_CHECK

const struct sysctl_def *sysctl_find(const char *name)
{
	for (unsigned i = 0; i < sysctl_table_len; i++)
		if (!strcmp(sysctl_table[i].name, name))
			return &sysctl_table[i];
	return NULL;
}

int64_t sysctl_read(const struct sysctl_values *v, const struct sysctl_def *d)
{
	const char *p = (const char *)v + d->offset;
	sysctl_uint u;
	sysctl_mask m;
	sysctl_int i;

	switch (d->type) {
	case SYSCTL_int:
		memcpy(&i, p, sizeof(i));
		return i;
	case SYSCTL_uint:
		memcpy(&u, p, sizeof(u));
		return u;
	case SYSCTL_mask:
		memcpy(&m, p, sizeof(m));
		return m;
	case SYSCTL_bool:
		break;
	}
	return *(const sysctl_bool *)(const void *)p;
}

void sysctl_write(struct sysctl_values *v, const struct sysctl_def *d, int64_t value)
{
	char *p = (char *)v + d->offset;
	sysctl_uint u = (sysctl_uint)value;
	sysctl_int i = (sysctl_int)value;

	switch (d->type) {
	case SYSCTL_int:
		memcpy(p, &i, sizeof(i));
		return;
	case SYSCTL_uint:
		memcpy(p, &u, sizeof(u));
		return;
	case SYSCTL_mask:
		memcpy(p, &value, sizeof(value));
		return;
	case SYSCTL_bool:
		*(sysctl_bool *)(void *)p = value != 0;
		return;
	}
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

int sysctl_parse_mask(const char **text, int64_t *ret)
{
	const char *p = *text;
	uint64_t v = 0;
	int digits = 0;

	while (is_blank(*p))
		p++;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	for (; hex_digit(*p) >= 0 || (*p == ',' && digits); p++) {
		if (*p == ',')
			continue;
		if (v >> 60)
			return -ERANGE;
		v = v << 4 | (uint64_t)hex_digit(*p);
		digits++;
	}
	if (!digits || (*p && !is_blank(*p) && *p != '\n'))
		return -EINVAL;
	while (is_blank(*p) || (*p == '\n' && !p[1]))
		p++;
	*text = p;
	*ret = (int64_t)v;
	return 0;
}

const char *sysctl_text(const struct sysctl_def *d, int64_t value, char buf[SYSCTL_TEXT])
{
	snprintf(buf, SYSCTL_TEXT, d->type == SYSCTL_mask ? "%llx" : "%lld", (long long)value);
	return buf;
}

int sysctl_parse_num(const char **text, int64_t *ret)
{
	const char *p = *text;
	unsigned base = 10;
	bool neg = false;
	uint64_t v = 0;
	int digits = 0;

	while (is_blank(*p))
		p++;
	if (*p == '-' || *p == '+')
		neg = *p++ == '-';
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	for (;; p++, digits++) {
		unsigned d;

		if (*p >= '0' && *p <= '9')
			d = (unsigned)(*p - '0');
		else if (base == 16 && ((*p | 32) >= 'a' && (*p | 32) <= 'f'))
			d = (unsigned)((*p | 32) - 'a') + 10;
		else
			break;
		if (v > (uint64_t)INT64_MAX / base - 1)
			return -ERANGE;
		v = v * base + d;
	}
	if (!digits || (*p && !is_blank(*p) && *p != '\n'))
		return -EINVAL;
	while (is_blank(*p) || (*p == '\n' && !p[1]))
		p++;
	*text = p;
	*ret = neg ? -(int64_t)v : (int64_t)v;
	return 0;
}
