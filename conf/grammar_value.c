/* SPDX-License-Identifier: MIT */
/*
 * grammar_value.c: one word as a value of the type that its row asks for: numbers in range, addresses, prefixes, MAC addresses, names, words of a list.
 *
 * Form only. Numbers are decimal; IPv4 and IPv6 addresses are those of inet_pton(3); a name is what the kernel takes for a device.
 */
#include "grammar_priv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

static bool parse_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

static bool parse_addr(const char *s, struct ipaddr *ret)
{
	struct ipaddr a = IPADDR_NONE;

	a.family = strchr(s, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, s, a.b) != 1)
		return false;
	*ret = a;
	return true;
}

static bool parse_prefix(const char *s, struct cmd_arg *a)
{
	char buf[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	uint64_t len;

	if (strcmp(s, "default") == 0) {
		a->prefix.addr = ipaddr_v4(0);
		a->prefix.len = 0;
		a->has_len = true;
		return true;
	}
	if (n >= sizeof(buf))
		return false;
	memcpy(buf, s, n);
	buf[n] = 0;
	if (!parse_addr(buf, &a->prefix.addr))
		return false;
	len = a->prefix.addr.family == AF_INET ? 32 : 128;
	if (slash && !parse_number(slash + 1, len, &len))
		return false;
	a->prefix.len = (uint8_t)len;
	a->has_len = slash != NULL;
	return true;
}

static bool parse_lladdr(const char *s, struct eth_addr *ret)
{
	for (int i = 0; i < ETH_ADDR_LEN; i++) {
		unsigned v = 0, digits = 0;

		for (; digits < 2 && isxdigit((unsigned char)*s); s++, digits++)
			v = v * 16 + (unsigned)(isdigit((unsigned char)*s) ? *s - '0' : tolower((unsigned char)*s) - 'a' + 10);
		if (!digits || *s != (i == ETH_ADDR_LEN - 1 ? 0 : ':'))
			return false;
		ret->b[i] = (uint8_t)v;
		s++;
	}
	return true;
}

/* What the kernel takes as a device's name, and printable. */
static bool name_ok(const char *s)
{
	if (!*s || strlen(s) >= NS_IFNAMSIZ || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '/' || *s == ':')
			return false;
	return true;
}

bool grammar_netns_ok(const char *s)
{
	if (!*s || strlen(s) >= GRAMMAR_NETNS_MAX || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '/')
			return false;
	return true;
}

/* The word of list that s is, or begins if it is the only one; *ret_many when several begin so. */
const struct arg_word *arg_find_word(const struct arg_word *list, const char *s, bool *ret_many)
{
	const struct arg_word *found = NULL;
	size_t n = strlen(s);

	*ret_many = false;
	for (const struct arg_word *w = list; n && w && w->word; w++) {
		if (strcmp(w->word, s) == 0) {
			*ret_many = false;
			return w;
		}
		if (strncmp(w->word, s, n) == 0) {
			*ret_many = found != NULL;
			found = w;
		}
	}
	return *ret_many ? NULL : found;
}

static int bad_value(struct parse *p, const struct word *w, const struct arg_def *a, const char *what)
{
	p->value_of = a;
	parse_fail(p, w->column, w->str, "");
	snprintf(p->err->text, sizeof(p->err->text), "\"%s\" is not %s", p->err->word, what);
	if (p->err->suggestion[0]) {
		size_t n = strlen(p->err->text);

		snprintf(p->err->text + n, sizeof(p->err->text) - n, "; did you mean \"%s\"?", p->err->suggestion);
	} else if (a->words && a->type == ARG_ENUM) {
		size_t n = strlen(p->err->text);

		snprintf(p->err->text + n, sizeof(p->err->text) - n, "; expected one of: %s", p->err->expected);
	}
	return -EINVAL;
}

static int bad_number(struct parse *p, const struct word *w, const struct arg_def *a, uint32_t min, uint32_t max)
{
	char what[96];
	int err;

	snprintf(what, sizeof(what), "a number from %u to %u%s", min, max, a->words ? " nor a known word" : "");
	err = bad_value(p, w, a, what);
	snprintf(p->err->expected, sizeof(p->err->expected), "%s", what);
	return err;
}

static struct cmd_arg *new_arg(struct parse *p, const char *key, enum arg_type type, const struct word *w)
{
	struct cmd_arg *a = &p->cmd->args[p->cmd->nargs++];

	memset(a, 0, sizeof(*a));
	a->key = key;
	a->type = type;
	a->str = w->str;
	a->column = w->column;
	return a;
}

/* NAME=VALUE, as sysctl(8) takes it: two arguments. */
static int parse_assign(struct parse *p, const struct word *w, const struct arg_def *def)
{
	char *eq = strrchr(w->str, '='); /* the name of a link may have one, a value has none */
	struct word value = *w;
	const char *s = w->str;

	while (s != eq && (unsigned char)*s > ' ' && *s != 0x7f) /* as the name of a link */
		s++;
	if (!eq || eq == w->str || s != eq)
		return bad_value(p, w, def, "NAME=VALUE");
	*eq = 0;
	value.str = eq + 1;
	value.column += (unsigned)(eq + 1 - w->str);
	new_arg(p, "name", ARG_WORD, w);
	new_arg(p, "value", ARG_WORD, &value);
	return 0;
}

/* Reads the value w of the argument def into a new cmd_arg. */
int parse_value(struct parse *p, const struct arg_def *def, const struct word *w)
{
	struct cmd_arg *a;
	const struct arg_word *word;
	uint32_t min = def->min, max = def->max;
	uint64_t v = 0;
	bool many, ok = true;
	char what[96];

	if (p->cmd->nargs + 2 > CMD_MAX_ARGS) {
		grammar_fail(p->err, w->column, w->str, "too many arguments");
		return -EINVAL;
	}
	if (def->type == ARG_ASSIGN)
		return parse_assign(p, w, def);
	a = new_arg(p, def->key, def->type, w);
	word = arg_find_word(def->words, w->str, &many);
	if (word && (def->type == ARG_ENUM || def->type == ARG_SECTION || !isdigit((unsigned char)w->str[0]))) {
		a->str = word->word;
		a->num = word->num;
		if (def->type == ARG_PREFIX)
			parse_prefix(word->word, a);
		return 0;
	}
	switch (def->type) {
	case ARG_FLAG:
		a->str = def->key;
		return 0;
	case ARG_ENUM:
	case ARG_SECTION:
		return bad_value(p, w, def, many ? "clear: several words begin so" : "known here");
	case ARG_U16:
	case ARG_U32:
		if (!min && !max)
			max = def->type == ARG_U16 ? UINT16_MAX : UINT32_MAX;
		if (!parse_number(w->str, max, &v) || v < min)
			return bad_number(p, w, def, min, max);
		a->num = (uint32_t)v;
		return 0;
	case ARG_ADDR:
		ok = parse_addr(w->str, &a->prefix.addr);
		a->prefix.len = a->prefix.addr.family == AF_INET6 ? 128 : 32;
		snprintf(what, sizeof(what), "an address%s", def->words ? " nor a known word" : "");
		break;
	case ARG_PREFIX:
		ok = parse_prefix(w->str, a);
		snprintf(what, sizeof(what), "an address with its prefix length (10.0.0.0/8)");
		break;
	case ARG_LLADDR:
		ok = parse_lladdr(w->str, &a->lladdr);
		snprintf(what, sizeof(what), "a MAC address (02:00:00:00:00:01)");
		break;
	case ARG_NAME:
		ok = name_ok(w->str);
		snprintf(what, sizeof(what), "a name (1 to %d printable bytes without '/' and ':')", NS_IFNAMSIZ - 1);
		break;
	case ARG_NETNS:
		ok = grammar_netns_ok(w->str);
		snprintf(what, sizeof(what), "a name of a network namespace (1 to %d bytes without '/')", GRAMMAR_NETNS_MAX - 1);
		break;
	case ARG_WORD:
	case ARG_REST:
	case ARG_ASSIGN:
		ok = *w->str != 0;
		snprintf(what, sizeof(what), "a value");
		break;
	}
	return ok ? 0 : bad_value(p, w, def, what);
}
