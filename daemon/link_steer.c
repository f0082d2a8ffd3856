/* SPDX-License-Identifier: MIT */
/*
 * link_steer.c: see link_steer.h. Masks of workers are written as Linux writes masks of CPUs: hexadecimal, with or without commas between groups of eight digits. A table
 * of RSS is a list of workers that repeats until all its entries are filled; a key is 40 bytes in hexadecimal, as ethtool(8) has it.
 */
#include "link_steer.h"

#include "state.h"

#include <ctype.h>
#include <errno.h>
#include <netstack/stack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(struct conf_error *e, const struct cmd_arg *arg, const char *expected)
{
	conf_fail(e, -EINVAL, "%s takes %s", arg->key, expected);
	e->column = arg->column;
	snprintf(e->word, sizeof(e->word), "%s", arg->str);
	snprintf(e->expected, sizeof(e->expected), "%s", expected);
	return -EINVAL;
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static bool parse_mask(const char *p, uint64_t *ret)
{
	uint64_t v = 0;
	bool any = false;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	for (; *p; p++) {
		if (*p == ',' && any)
			continue;
		if (hex(*p) < 0 || v >> 60)
			return false;
		v = v << 4 | (unsigned)hex(*p);
		any = true;
	}
	*ret = v;
	return any;
}

static bool parse_indir(const char *p, uint8_t indir[RSS_INDIR_LEN])
{
	unsigned n = 0;

	for (;;) {
		char *end;
		unsigned long v = strtoul(p, &end, 10);

		if (!isdigit((unsigned char)*p) || v >= STACK_MAX_CPUS || n == RSS_INDIR_LEN || (*end && *end != ','))
			return false;
		indir[n++] = (uint8_t)v;
		if (!*end)
			break;
		p = end + 1;
	}
	for (unsigned i = n; i < RSS_INDIR_LEN; i++)
		indir[i] = indir[i - n];
	return true;
}

static bool parse_key(const char *p, uint8_t key[RSS_KEY_LEN])
{
	for (unsigned i = 0; i < RSS_KEY_LEN; i++) {
		if (hex(p[0]) < 0 || hex(p[1]) < 0)
			return false;
		key[i] = (uint8_t)(hex(p[0]) << 4 | hex(p[1]));
		p += 2;
		if (*p == ':' && i + 1 < RSS_KEY_LEN)
			p++;
	}
	return !*p;
}

int link_steer_take(struct link_conf *link, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, "rps-cpus");

	if (arg && strcmp(arg->str, "auto") == 0) {
		link->rps_set = 0;
		link->rps_cpus = 0;
	} else if (arg) {
		if (!parse_mask(arg->str, &link->rps_cpus))
			return wrong(e, arg, "auto, or a mask of workers in hexadecimal, as 3 for the first two");
		link->rps_set = 1;
	}
	arg = cmd_arg(cmd, "rps-flow-cnt");
	if (arg)
		link->rps_flow_cnt = arg->num;
	arg = cmd_arg(cmd, "rss-indir");
	if (arg && strcmp(arg->str, "none") == 0) {
		memset(&link->rss, 0, sizeof(link->rss));
	} else if (arg) {
		if (!parse_indir(arg->str, link->rss.indir))
			return wrong(e, arg, "none, or up to 128 workers from 0 to 63, as 0,1,1,3");
		if (!link->rss.set)
			memcpy(link->rss.key, rss_default_key, sizeof(link->rss.key));
		link->rss.set = 1;
	}
	arg = cmd_arg(cmd, "rss-key");
	if (!arg)
		return 0;
	if (!link->rss.set)
		return wrong(e, arg, "effect with a table: rss-indir must be given, too");
	if (strcmp(arg->str, "default") == 0)
		memcpy(link->rss.key, rss_default_key, sizeof(link->rss.key));
	else if (!parse_key(arg->str, link->rss.key))
		return wrong(e, arg, "default, or 40 bytes in hexadecimal with or without colons");
	return 0;
}

void link_steer_warn(struct conf_state *st, const struct cmd *cmd, const struct link_conf *link)
{
	unsigned n = st->first->queues;
	uint64_t all = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;

	if (cmd_arg(cmd, "rps-cpus") && link->rps_set && link->rps_cpus & ~all)
		conf_warn(st, "there %s %u worker%s: rps-cpus %llx counts as %llx", n == 1 ? "is" : "are", n, n == 1 ? "" : "s", (unsigned long long)link->rps_cpus,
			  (unsigned long long)(link->rps_cpus & all));
	for (unsigned i = 0; cmd_arg(cmd, "rss-indir") && link->rss.set && i < RSS_INDIR_LEN; i++)
		if (link->rss.indir[i] >= n) {
			conf_warn(st, "there %s %u worker%s: %u in rss-indir counts as %u", n == 1 ? "is" : "are", n, n == 1 ? "" : "s", link->rss.indir[i],
				  link->rss.indir[i] % n);
			break;
		}
}

bool link_steer_same(const struct link_conf *a, const struct link_conf *b)
{
	return a->rps_set == b->rps_set && a->rps_cpus == b->rps_cpus && a->rps_flow_cnt == b->rps_flow_cnt && memcmp(&a->rss, &b->rss, sizeof(a->rss)) == 0;
}

void link_steer_copy(struct link_conf *to, const struct link_conf *from)
{
	to->rps_set = from->rps_set;
	to->rps_cpus = from->rps_cpus;
	to->rps_flow_cnt = from->rps_flow_cnt;
	to->rss = from->rss;
}

/* The shortest list that repeated gives the table; at most 3 bytes an entry. */
static const char *indir_text(const uint8_t indir[RSS_INDIR_LEN], char buf[3 * RSS_INDIR_LEN + 1])
{
	unsigned n = 1, at = 0;

	while (memcmp(indir, indir + n, RSS_INDIR_LEN - n) != 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		at += (unsigned)snprintf(buf + at, 3 * RSS_INDIR_LEN + 1 - at, "%s%u", i ? "," : "", indir[i]);
	return buf;
}

static const char *key_text(const uint8_t key[RSS_KEY_LEN], char buf[3 * RSS_KEY_LEN])
{
	for (unsigned i = 0; i < RSS_KEY_LEN; i++)
		snprintf(buf + 3 * i, 4, "%02x%s", key[i], i + 1 < RSS_KEY_LEN ? ":" : "");
	return buf;
}

const char *link_steer_words(const struct link_conf *link, char buf[LINK_STEER_WORDS])
{
	char indir[3 * RSS_INDIR_LEN + 1], key[3 * RSS_KEY_LEN];
	int at = 0;

	buf[0] = '\0';
	if (link->rps_set)
		at += snprintf(buf + at, LINK_STEER_WORDS - (size_t)at, " rps-cpus %llx", (unsigned long long)link->rps_cpus);
	if (link->rps_flow_cnt)
		at += snprintf(buf + at, LINK_STEER_WORDS - (size_t)at, " rps-flow-cnt %u", link->rps_flow_cnt);
	if (link->rss.set)
		at += snprintf(buf + at, LINK_STEER_WORDS - (size_t)at, " rss-indir %s", indir_text(link->rss.indir, indir));
	if (link->rss.set && memcmp(link->rss.key, rss_default_key, RSS_KEY_LEN) != 0)
		snprintf(buf + at, LINK_STEER_WORDS - (size_t)at, " rss-key %s", key_text(link->rss.key, key));
	return buf;
}

void link_steer_record(const struct link_conf *link, json_t *r)
{
	char text[3 * RSS_INDIR_LEN + 1];

	snprintf(text, sizeof(text), "%llx", (unsigned long long)link->rps_cpus);
	json_object_set_new(r, "rps_cpus", json_string(link->rps_set ? text : "auto"));
	if (link->rps_flow_cnt)
		json_object_set_new(r, "rps_flow_cnt", json_integer(link->rps_flow_cnt));
	if (!link->rss.set)
		return;
	json_object_set_new(r, "rss_indir", json_string(indir_text(link->rss.indir, text)));
	json_object_set_new(r, "rss_key", json_string(key_text(link->rss.key, text)));
}
