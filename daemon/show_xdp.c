/* SPDX-License-Identifier: MIT */
/*
 * show_xdp.c: what XDP programs do, and their maps: read and written here, on the control thread, while the programs run.
 *
 * Keys and values are bytes to a map. In records they are hexadecimal text in the order of memory, and, where they have the size of a number, that number in this
 * machine's order, too; and what their types say, where the object file has type information (ebpf_json.c). In commands they are a number, an IPv4 address (4 bytes, network order), "hex=0a0b...", a prefix as key of an lpm_trie, the name of a link as value of
 * a devmap, or of a program as that of a prog_array.
 */
#include "show.h"
#include "xdp.h"

#include "daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX     12000 /* bytes of all values of an element; a record has its bounds (CONTROL_RECORD_MAX) */
#define FORMATTED_MAX 36000 /* bytes of what type information makes of it */

/* ---- show xdp --------------------------------------------------------------------------------------------------------------- */

struct show_xdp {
	struct claim      *claim;
	struct xdp_list    list; /* as it was when it was asked for: holds the programs */
	int               *ifindex; /* of each */
};

struct xdp_counts { /* slot->data: of each of the list */
	struct stack_xdp_stats stats;
};

static void collect_xdp(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	const struct show_xdp *show = g->arg;
	struct xdp_counts *c = calloc(show->list.n + 1, sizeof(*c));

	(void)w;
	slot->data = c;
	if (!c)
		slot->err = -ENOMEM;
	for (unsigned i = 0; c && slot->ns && i < show->list.n; i++)
		stack_xdp_stats(slot->ns->stack, show->ifindex[i], &c[i].stats);
}

static json_t *fault_record(const struct xdp_prog *prog)
{
	struct ebpf_fault f, last = { .count = 0 };
	json_t *r = json_object();
	uint64_t n = 0;
	char text[200];

	for (unsigned i = 0; i < prog->ncpu; i++) {
		ebpf_vm_fault(prog->vm[i], &f);
		n += f.count;
		if (f.count)
			last = f;
	}
	set_num(r, "count", n);
	if (n)
		set_text(r, "last", ebpf_fault_text(&last, text, sizeof(text)));
	return r;
}

static json_t *xdp_record(const struct gather *g, const struct show_xdp *show, unsigned i)
{
	const struct conf_xdp *x = &show->list.v[i];
	struct stack_xdp_stats s = { .drop = 0 };
	json_t *r = json_object(), *actions = json_object(), *maps = json_array();

	for (unsigned k = 0; k < g->n; k++) {
		const struct xdp_counts *c = g->slot[k].data;

#define SUM(field) s.field += c[i].stats.field
		SUM(aborted), SUM(drop), SUM(pass), SUM(tx), SUM(redirect), SUM(tx_errors), SUM(redirect_errors);
#undef SUM
	}
	set_text(r, "dev", x->dev);
	set_text(r, "program", x->prog->name);
	set_text(r, "path", x->path);
	if (x->section[0])
		set_text(r, "section", x->section);
	set_text(r, "mode", "interpreter");
	set_num(r, "instructions", ebpf_prog_insns(x->prog->prog));
	for (unsigned m = 0; m < ebpf_prog_nmaps(x->prog->prog); m++)
		json_array_append_new(maps, json_string(ebpf_map_spec(ebpf_prog_map(x->prog->prog, m))->name));
	json_object_set_new(r, "maps", maps);
	set_num(actions, "pass", s.pass);
	set_num(actions, "drop", s.drop);
	set_num(actions, "tx", s.tx);
	set_num(actions, "redirect", s.redirect);
	set_num(actions, "aborted", s.aborted);
	set_num(actions, "tx_errors", s.tx_errors);
	set_num(actions, "redirect_errors", s.redirect_errors);
	json_object_set_new(r, "actions", actions);
	json_object_set_new(r, "faults", fault_record(x->prog));
	return r;
}

static void show_free(struct show_xdp *show)
{
	xdp_list_free(&show->list);
	free(show->ifindex);
	free(show);
}

static void xdp_answered(struct gather *g)
{
	struct show_xdp *show = g->arg;
	json_t *list = json_array();
	struct conf_error e;
	int err = 0;

	for (unsigned i = 0; i < g->n; i++)
		err = err ? err : g->slot[i].err;
	for (unsigned i = 0; !err && i < show->list.n; i++)
		json_array_append_new(list, xdp_record(g, show, i));
	if (err) {
		conf_fail(&e, err, "a worker could not answer: %s", strerror(-err));
		claim_result(show->claim, &e);
		json_decref(list);
	} else {
		claim_answer(show->claim, answer_list(list));
	}
	for (unsigned i = 0; i < g->n; i++)
		free(g->slot[i].data);
	show_free(show);
}

static int no_program(const struct conf_state *st, const struct cmd_arg *dev, struct conf_error *e)
{
	if (!netcfg_link_by_name(st->cfg, dev->str))
		conf_no_link(e, st->cfg, dev->str);
	else
		conf_fail(e, -ENOENT, "%s has no XDP program", dev->str);
	e->column = dev->column;
	snprintf(e->word, sizeof(e->word), "%s", dev->str);
	return e->err;
}

int show_xdp(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev");
	struct show_xdp *show;
	int err;

	if (dev && !xdp_list_find(&st->xdp, dev->str))
		return no_program(st, dev, e);
	show = calloc(1, sizeof(*show));
	if (!show)
		return conf_fail(e, -ENOMEM, "no memory for the request");
	show->claim = claim;
	err = xdp_list_copy(&show->list, &st->xdp);
	for (unsigned i = show->list.n; dev && i-- > 0;)
		if (strcmp(show->list.v[i].dev, dev->str) != 0)
			xdp_list_del(&show->list, show->list.v[i].dev);
	show->ifindex = calloc(show->list.n + 1, sizeof(*show->ifindex));
	if (!show->ifindex)
		err = -ENOMEM;
	for (unsigned i = 0; !err && i < show->list.n; i++) {
		const struct link_conf *link = netcfg_link_by_name(st->cfg, show->list.v[i].dev);

		show->ifindex[i] = link ? link->ifindex : 0;
	}
	if (!err)
		err = gather_start_ns(d, st, collect_xdp, xdp_answered, show);
	if (err) {
		show_free(show);
		return conf_fail(e, err, "no memory for the request");
	}
	return 0;
}

/* ---- maps ------------------------------------------------------------------------------------------------------------------- */

static void set_bytes(json_t *r, const char *hex_key, const char *number_key, const unsigned char *p, size_t n, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	json_object_set_new(r, hex_key, json_stringn(hex, 2 * n));
	switch (n) {
	case 1:
		v64 = *p;
		break;
	case 2:
		memcpy(&v16, p, 2);
		v64 = v16;
		break;
	case 4:
		memcpy(&v32, p, 4);
		v64 = v32;
		break;
	case 8:
		memcpy(&v64, p, 8);
		break;
	default:
		return;
	}
	set_num(r, number_key, v64);
}

static uint32_t used(struct ebpf_map *map, unsigned char *key, unsigned char *values)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ebpf_map_spec(map)->max_entries; i++)
		n += ebpf_map_slot(map, i, key, values);
	return n;
}

static bool is_hash(const struct ebpf_map_spec *s)
{
	return strstr(ebpf_map_type(s->type), "hash") || s->type == BPF_MAP_TYPE_LPM_TRIE;
}

static json_t *map_record(const struct conf_xdp *x, struct ebpf_map *map, unsigned char *values)
{
	const struct ebpf_map_spec *s = ebpf_map_spec(map);
	unsigned char key[EBPF_KEY_MAX];
	json_t *r = json_object();

	set_text(r, "dev", x->dev);
	set_text(r, "name", s->name);
	set_text(r, "type", ebpf_map_type(s->type));
	set_num(r, "key_size", s->key_size);
	set_num(r, "value_size", s->value_size);
	set_num(r, "max_entries", s->max_entries);
	set_num(r, "entries", is_hash(s) ? used(map, key, values) : s->max_entries);
	return r;
}

static struct answer *list_maps(const struct conf_state *st, const struct cmd_arg *dev, const struct cmd_arg *name)
{
	unsigned char *values = malloc((size_t)EBPF_VALUE_MAX * STACK_MAX_CPUS);
	json_t *list = json_array();

	for (unsigned i = 0; values && i < st->xdp.n; i++) {
		const struct conf_xdp *x = &st->xdp.v[i];

		for (unsigned m = 0; m < ebpf_prog_nmaps(x->prog->prog); m++) {
			struct ebpf_map *map = ebpf_prog_map(x->prog->prog, m);

			if ((!dev || strcmp(dev->str, x->dev) == 0) && (!name || strcmp(name->str, ebpf_map_spec(map)->name) == 0))
				json_array_append_new(list, map_record(x, map, values));
		}
	}
	if (!values) {
		json_decref(list);
		list = NULL;
	}
	free(values);
	return answer_list(list);
}

struct dump {
	struct answer    answer;
	struct xdp_list  hold;
	struct ebpf_map *map;
	const struct ebpf_prog *prog; /* map's; held by hold */
	uint32_t         slot;
	unsigned char    key[EBPF_KEY_MAX];
	unsigned char   *values;
	char             hex[];
};

/* A prefix of IPv4 or IPv6 as the key of an lpm_trie; NULL: it is none. */
static json_t *prefix_key(const struct ebpf_map_spec *s, const unsigned char *key)
{
	char text[INET6_ADDRSTRLEN + 4];
	uint32_t len;

	if (s->type != BPF_MAP_TYPE_LPM_TRIE || (s->key_size != 8 && s->key_size != 20) || !inet_ntop(s->key_size == 8 ? AF_INET : AF_INET6, key + 4, text, INET6_ADDRSTRLEN))
		return NULL;
	memcpy(&len, key, sizeof(len));
	snprintf(text + strlen(text), 5, "/%u", len);
	return json_string(text);
}

static json_t *program_name(const struct ebpf_prog *prog, const unsigned char *value)
{
	uint32_t entry;

	memcpy(&entry, value, sizeof(entry));
	return entry ? json_string(ebpf_prog_entry_name(prog, entry - 1)) : json_null();
}

/* What the program's type information makes of it, in the keys of bpftool(8). */
static void set_formatted(json_t *r, const struct dump *d, size_t shown)
{
	const struct ebpf_map_spec *s = ebpf_map_spec(d->map);
	json_t *f = json_object(), *key = prefix_key(s, d->key), *values, *one;

	if (!key)
		key = ebpf_json(d->prog, s->key_type, d->key, s->key_size);
	if (key)
		json_object_set_new(f, "key", key);
	if (ebpf_map_ncpu(d->map) == 1) {
		one = s->type == BPF_MAP_TYPE_PROG_ARRAY ? program_name(d->prog, d->values) : ebpf_json(d->prog, s->value_type, d->values, shown);
		if (one)
			json_object_set_new(f, "value", one);
	} else if (s->value_type) {
		values = json_array();
		for (unsigned i = 0; i < ebpf_map_ncpu(d->map); i++) {
			one = ebpf_json(d->prog, s->value_type, d->values + (size_t)i * s->value_size, shown);
			if (one)
				json_array_append_new(values, json_pack("{s:i, s:o}", "cpu", (int)i, "value", one));
		}
		json_object_set_new(f, "values", values);
	}
	if (json_object_size(f) && json_dumpb(f, NULL, 0, JSON_COMPACT) <= FORMATTED_MAX)
		json_object_set(r, "formatted", f);
	json_decref(f);
}

static bool dump_next(struct answer *answer, struct evbuffer *out)
{
	struct dump *d = (struct dump *)answer;
	const struct ebpf_map_spec *s = ebpf_map_spec(d->map);
	size_t shown = SHOWN_MAX / ebpf_map_ncpu(d->map);
	json_t *r, *cpus;

	if (shown > s->value_size)
		shown = s->value_size;

	while (d->slot < s->max_entries && !ebpf_map_slot(d->map, d->slot, d->key, d->values))
		d->slot++;
	if (d->slot == s->max_entries)
		return false;
	d->slot++;
	r = json_object();
	set_bytes(r, "key", "key_number", d->key, s->key_size, d->hex);
	set_formatted(r, d, shown);
	if (ebpf_map_ncpu(d->map) == 1) {
		set_bytes(r, "value", "value_number", d->values, shown, d->hex);
	} else {
		cpus = json_array();
		for (unsigned i = 0; i < ebpf_map_ncpu(d->map); i++) {
			json_t *one = json_object();

			set_bytes(one, "value", "value_number", d->values + (size_t)i * s->value_size, shown, d->hex);
			json_array_append_new(cpus, one);
		}
		json_object_set_new(r, "cpus", cpus);
	}
	if (shown < s->value_size)
		json_object_set_new(r, "truncated", json_true());
	record_add(out, r);
	return true;
}

static void dump_free(struct answer *answer)
{
	struct dump *d = (struct dump *)answer;

	xdp_list_free(&d->hold);
	free(d->values);
	free(d);
}

static struct answer *dump_map(const struct conf_state *st, struct ebpf_map *map, const struct ebpf_prog *prog)
{
	const struct ebpf_map_spec *s = ebpf_map_spec(map);
	struct dump *d = calloc(1, sizeof(*d) + 2 * (size_t)(s->value_size > s->key_size ? s->value_size : s->key_size) + 1);

	if (!d)
		return NULL;
	d->values = malloc((size_t)s->value_size * ebpf_map_ncpu(map));
	if (!d->values || xdp_list_copy(&d->hold, &st->xdp) < 0) {
		free(d->values);
		free(d);
		return NULL;
	}
	d->answer = (struct answer){ .next = dump_next, .free = dump_free };
	d->map = map;
	d->prog = prog;
	return &d->answer;
}

static int hex_bytes(const char *text, unsigned char *to, size_t n)
{
	if (strlen(text) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;

		for (int k = 0; k < 2; k++) {
			char c = text[2 * i + (size_t)k];

			if (c >= '0' && c <= '9')
				v = v << 4 | (unsigned)(c - '0');
			else if ((c | 32) >= 'a' && (c | 32) <= 'f')
				v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
			else
				return -EINVAL;
		}
		to[i] = (unsigned char)v;
	}
	return 0;
}

static int number_bytes(const char *text, unsigned char *to, size_t n)
{
	uint64_t v;
	uint32_t v32;
	uint16_t v16;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || (n < 8 && v >> 8 * n))
		return -EINVAL;
	v32 = (uint32_t)v;
	v16 = (uint16_t)v;
	switch (n) {
	case 1:
		*to = (unsigned char)v;
		return 0;
	case 2:
		memcpy(to, &v16, 2);
		return 0;
	case 4:
		memcpy(to, &v32, 4);
		return 0;
	case 8:
		memcpy(to, &v, 8);
		return 0;
	}
	return -EINVAL;
}

/* The bytes of a key or value as it was typed. */
static int bytes_of(const struct conf_state *st, const struct cmd_arg *arg, size_t n, bool link, unsigned char *to, struct conf_error *e)
{
	const struct link_conf *l = link ? netcfg_link_by_name(st->cfg, arg->str) : NULL;
	int err;

	if (l) {
		uint32_t ifindex = (uint32_t)l->ifindex;

		memset(to, 0, n);
		memcpy(to, &ifindex, sizeof(ifindex));
		return 0;
	}
	if (strncmp(arg->str, "hex=", 4) == 0)
		err = hex_bytes(arg->str + 4, to, n);
	else if (n == 4 && inet_pton(AF_INET, arg->str, to) == 1)
		err = 0;
	else
		err = number_bytes(arg->str, to, n);
	if (!err)
		return 0;
	conf_fail(e, err, "%s %s does not fit: %zu bytes are wanted, as %shex= and %zu digits%s", arg->key, arg->str, n, n <= 8 && !(n & (n - 1)) ? "a number or as " : "", 2 * n,
		  link ? ", or as the name of a link" : n == 4 ? ", or as an address" : "");
	e->column = arg->column;
	snprintf(e->word, sizeof(e->word), "%s", arg->str);
	return err;
}

static struct ebpf_map *map_named(const struct conf_state *st, const struct cmd_arg *name, const struct cmd_arg *dev, const struct ebpf_prog **ret_prog, struct conf_error *e)
{
	struct ebpf_map *found = NULL;
	char names[128] = "";
	unsigned n = 0;

	for (unsigned i = 0; i < st->xdp.n; i++)
		for (unsigned m = 0; m < ebpf_prog_nmaps(st->xdp.v[i].prog->prog); m++) {
			struct ebpf_map *map = ebpf_prog_map(st->xdp.v[i].prog->prog, m);

			if (dev && strcmp(dev->str, st->xdp.v[i].dev) != 0)
				continue;
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] ? ", " : "", ebpf_map_spec(map)->name);
			if (strcmp(ebpf_map_spec(map)->name, name->str) == 0) {
				found = map;
				*ret_prog = st->xdp.v[i].prog->prog;
				n++;
			}
		}
	if (n == 1)
		return found;
	if (n)
		conf_fail(e, -EEXIST, "several programs have a map %s: say whose by \"dev\"", name->str);
	else
		conf_fail(e, -ENOENT, names[0] ? "there is no map %s (there are: %s)" : "there is no map %s", name->str, names);
	e->column = name->column;
	snprintf(e->word, sizeof(e->word), "%s", name->str);
	return NULL;
}

static int missing(struct conf_error *e, const char *what)
{
	return conf_fail(e, -EINVAL, "%s is missing", what);
}

static int word_error(const struct cmd_arg *arg, struct conf_error *e)
{
	e->column = arg->column;
	snprintf(e->word, sizeof(e->word), "%s", arg->str);
	return e->err;
}

/* "10.0.0.0/8" for an lpm_trie; else as bytes_of. */
static int key_of(const struct conf_state *st, const struct cmd_arg *arg, const struct ebpf_map_spec *s, unsigned char *to, struct conf_error *e)
{
	const char *slash = strchr(arg->str, '/');
	char addr[INET6_ADDRSTRLEN], *end;
	unsigned long len;
	uint32_t bits;

	if (s->type != BPF_MAP_TYPE_LPM_TRIE || !slash || (s->key_size != 8 && s->key_size != 20))
		return bytes_of(st, arg, s->key_size, false, to, e);
	len = strtoul(slash + 1, &end, 10);
	bits = (uint32_t)len;
	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - arg->str), arg->str);
	memcpy(to, &bits, sizeof(bits));
	if (slash[1] >= '0' && slash[1] <= '9' && !*end && len <= 8 * (s->key_size - 4) && inet_pton(s->key_size == 8 ? AF_INET : AF_INET6, addr, to + 4) == 1)
		return 0;
	conf_fail(e, -EINVAL, "key %s is no prefix of IPv%d", arg->str, s->key_size == 8 ? 4 : 6);
	return word_error(arg, e);
}

/* The name of a program for a prog_array, of a link for a devmap; else as bytes_of. */
static int value_of(const struct conf_state *st, const struct cmd_arg *arg, const struct ebpf_prog *prog, const struct ebpf_map_spec *s, unsigned char *to, struct conf_error *e)
{
	char names[160] = "";
	uint32_t entry;
	int i;

	if (s->type != BPF_MAP_TYPE_PROG_ARRAY)
		return bytes_of(st, arg, s->value_size, strncmp(ebpf_map_type(s->type), "devmap", 6) == 0, to, e);
	i = ebpf_prog_entry(prog, arg->str);
	if (i >= 0) {
		entry = (uint32_t)i + 1;
		memcpy(to, &entry, sizeof(entry));
		return 0;
	}
	for (unsigned k = 0; ebpf_prog_entry_name(prog, k); k++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", k ? ", " : "", ebpf_prog_entry_name(prog, k));
	conf_fail(e, -ENOENT, "the object file has no program %s for tail calls; it has %s", arg->str, names);
	return word_error(arg, e);
}

static int change_map(const struct conf_state *st, const struct cmd *cmd, struct ebpf_map *map, const struct ebpf_prog *prog, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *key = cmd_arg(cmd, "key"), *value = cmd_arg(cmd, "value");
	const struct ebpf_map_spec *s = ebpf_map_spec(map);
	bool update = cmd_arg(cmd, "what")->num == XDP_MAP_UPDATE;
	unsigned char k[EBPF_KEY_MAX], *v;
	int err;

	if (!key || (update && !value))
		return missing(e, key ? "\"value VALUE\"" : "\"key KEY\"");
	if (!update && value)
		return conf_fail(e, -EINVAL, "\"delete\" takes no value");
	if (!s->max_entries)
		return conf_fail(e, -EOPNOTSUPP, "map %s is a %s: it holds nothing here", s->name, ebpf_map_type(s->type));
	err = key_of(st, key, s, k, e);
	if (err)
		return err;
	v = malloc(s->value_size);
	if (!v)
		return conf_fail(e, -ENOMEM, "no memory for the request");
	err = update ? value_of(st, value, prog, s, v, e) : 0;
	if (!err) {
		err = update ? ebpf_map_update(map, k, v, BPF_ANY) : ebpf_map_delete(map, k);
		if (err == -E2BIG)
			conf_fail(e, err, is_hash(s) ? "map %s is full: it takes %u elements" : "map %s has the keys 0 to %u", s->name, s->max_entries - !is_hash(s));
		else if (err)
			conf_fail(e, err, err == -ENOENT ? "map %s has no such key" : update ? "map %s takes no such key" : "elements of map %s cannot be deleted", s->name);
	}
	free(v);
	if (!err)
		claim_result(claim, NULL);
	return err;
}

int xdp_map_request(struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *what = cmd_arg(cmd, "what"), *name = cmd_arg(cmd, "name"), *dev = cmd_arg(cmd, "dev");
	const struct ebpf_prog *prog = NULL;
	struct ebpf_map *map;

	if (dev && !xdp_list_find(&st->xdp, dev->str))
		return no_program(st, dev, e);
	if (what->num == XDP_MAP_SHOW) {
		claim_answer(claim, list_maps(st, dev, name));
		return 0;
	}
	if (!name)
		return missing(e, "the name of the map");
	map = map_named(st, name, dev, &prog, e);
	if (!map)
		return e->err;
	if (what->num == XDP_MAP_DUMP) {
		claim_answer(claim, dump_map(st, map, prog));
		return 0;
	}
	return change_map(st, cmd, map, prog, claim, e);
}
