/* SPDX-License-Identifier: MIT */
/*
 * ebpf_btf.c: what BTF (the type information that clang -g puts into section .BTF) says of an object's maps.
 *
 * A map is a variable in section .maps, of a structure type whose members are read as libbpf reads them: __uint(NAME, N) is a pointer to an array of N integers,
 * __type(NAME, T) a pointer to T, of which the size counts. The format: Documentation/bpf/btf.rst of Linux. All that is known of a type is its number, so
 * they are walked through once and their places noted.
 *
 * Every offset, count and type number is checked against what there is; chains of types end after BTF_MAX_CHAIN steps.
 *
 * It is kept as long as the program, so that elements of maps can be shown with the names that their members have (ebpf_json.c). Where the variables of a section
 * are, compilers leave to the symbols: ebpf_btf_section puts it in.
 *
 * Not done: maps inside of maps, BTF of the other byte order, split BTF.
 */
#include "ebpf_btf.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_TYPES (1u << 20)

/* Bytes of what follows struct btf_type; UINT32_MAX: a kind that there is not. */
static uint64_t tail_of(const struct btf_type *t)
{
	uint64_t n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
	case BTF_KIND_DATASEC:
		return n * 12;
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	}
	return UINT32_MAX;
}

/* Notes where each type begins. */
static int index_types(struct ebpf_btf *b)
{
	uint32_t off = 0, cap = 0;

	b->n = 1;
	while (b->types_len - off >= sizeof(struct btf_type)) {
		uint64_t len = sizeof(struct btf_type) + tail_of((const struct btf_type *)(const void *)(b->types + off));

		if (len > b->types_len - off || b->n == MAX_TYPES)
			return -EINVAL;
		if (b->n >= cap) {
			uint32_t *p = realloc(b->at, (cap = 2 * cap + 64) * sizeof(*p));

			if (!p)
				return -ENOMEM;
			b->at = p;
		}
		b->at[b->n++] = off;
		off += (uint32_t)len;
	}
	return off == b->types_len ? 0 : -EINVAL;
}

static int open_btf(struct ebpf_btf *b, size_t len)
{
	const unsigned char *data = b->data;
	struct btf_header h;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, data, sizeof(h));
	if (h.magic != BTF_MAGIC || h.hdr_len < sizeof(h) || h.hdr_len > len || h.hdr_len % 4 || h.type_off % 4)
		return -EINVAL;
	data += h.hdr_len;
	len -= h.hdr_len;
	if (h.type_off > len || len - h.type_off < h.type_len || h.str_off > len || len - h.str_off < h.str_len || !h.str_len || h.type_len % 4)
		return -EINVAL;
	b->types = data + h.type_off;
	b->types_len = h.type_len;
	b->strings = (const char *)data + h.str_off;
	b->strings_len = h.str_len;
	if (b->strings[h.str_len - 1])
		return -EINVAL;
	return index_types(b);
}

int ebpf_btf_new(struct ebpf_btf **ret, const void *data, size_t len, char *why, size_t size)
{
	struct ebpf_btf *b = calloc(1, sizeof(*b));
	int err = -ENOMEM;

	if (b)
		b->data = malloc(len + 1);
	if (b && b->data) {
		memcpy(b->data, data, len);
		err = open_btf(b, len);
	}
	if (err) {
		snprintf(why, size, err == -ENOMEM ? "no memory" : "the object file's type information is damaged");
		ebpf_btf_free(b);
		return err;
	}
	*ret = b;
	return 0;
}

void ebpf_btf_free(struct ebpf_btf *b)
{
	if (!b)
		return;
	free(b->at);
	free(b->data);
	free(b);
}

const struct btf_type *btf_resolve(const struct ebpf_btf *b, uint32_t id)
{
	for (int i = 0; i < BTF_MAX_CHAIN; i++) {
		const struct btf_type *t = btf_type_at(b, id);

		if (!t)
			return NULL;
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			id = t->type;
			break;
		default:
			return t;
		}
	}
	return NULL;
}

bool btf_size(const struct ebpf_btf *b, uint32_t id, uint64_t *ret)
{
	uint64_t times = 1;

	for (int i = 0; i < BTF_MAX_CHAIN; i++) {
		const struct btf_type *t = btf_resolve(b, id);
		const struct btf_array *a = btf_array_of(t);

		if (!t)
			return false;
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			*ret = times * t->size;
			return times <= UINT32_MAX;
		case BTF_KIND_PTR:
			*ret = times * 8;
			return times <= UINT32_MAX;
		case BTF_KIND_ARRAY:
			times *= a->nelems;
			id = a->type;
			if (times > UINT32_MAX)
				return false;
			break;
		default:
			return false;
		}
	}
	return false;
}

/* The N of __uint(NAME, N), or the size of the T of __type(NAME, T). */
static bool member_value(const struct ebpf_btf *b, const struct btf_member *m, bool size, uint32_t *ret, uint32_t *ret_type)
{
	const struct btf_type *t = btf_resolve(b, m->type);
	const struct btf_array *a;
	uint64_t v;

	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_PTR)
		return false;
	if (size) {
		if (!btf_size(b, t->type, &v) || v > UINT32_MAX)
			return false;
		*ret = (uint32_t)v;
		*ret_type = t->type;
		return true;
	}
	a = btf_array_of(btf_resolve(b, t->type));
	if (!a)
		return false;
	*ret = a->nelems;
	return true;
}

static int read_map(const struct ebpf_btf *b, const struct btf_type *var, struct ebpf_map_spec *spec, char *why, size_t size)
{
	static const struct { const char *name; size_t offset; bool size; } members[] = {
		{ "type", offsetof(struct ebpf_map_spec, type), false }, { "max_entries", offsetof(struct ebpf_map_spec, max_entries), false },
		{ "key_size", offsetof(struct ebpf_map_spec, key_size), false }, { "value_size", offsetof(struct ebpf_map_spec, value_size), false },
		{ "key", offsetof(struct ebpf_map_spec, key_size), true }, { "value", offsetof(struct ebpf_map_spec, value_size), true },
		{ "map_flags", offsetof(struct ebpf_map_spec, flags), false },
	};
	const struct btf_type *t = btf_resolve(b, var->type);
	const struct btf_member *m;

	memset(spec, 0, sizeof(*spec));
	snprintf(spec->name, sizeof(spec->name), "%s", btf_name(b, var->name_off));
	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_STRUCT) {
		snprintf(why, size, "map %s is not a structure", spec->name);
		return -EINVAL;
	}
	m = (const struct btf_member *)(const void *)(t + 1);
	for (unsigned i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		size_t k = 0;

		if (strcmp(btf_name(b, m[i].name_off), "values") == 0) { /* of a prog_array: its first elements */
			spec->values_at = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset) / 8 : m[i].offset / 8;
			spec->value_size = spec->value_size ? spec->value_size : 4; /* they are all of one size, which need not be said */
			continue;
		}
		while (k < sizeof(members) / sizeof(members[0]) && strcmp(members[k].name, btf_name(b, m[i].name_off)) != 0)
			k++;
		if (k == sizeof(members) / sizeof(members[0]) ||
		    !member_value(b, &m[i], members[k].size, (uint32_t *)(void *)((char *)spec + members[k].offset),
				  members[k].offset == offsetof(struct ebpf_map_spec, key_size) ? &spec->key_type : &spec->value_type)) {
			snprintf(why, size, "map %s: \"%s\" is not supported", spec->name, btf_name(b, m[i].name_off));
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static int each_map(const struct ebpf_btf *b, const struct btf_type *section, ebpf_map_fn fn, void *arg, char *why, size_t size)
{
	const struct btf_var_secinfo *v = (const struct btf_var_secinfo *)(const void *)(section + 1);

	for (unsigned i = 0; i < BTF_INFO_VLEN(section->info); i++) {
		const struct btf_type *var = btf_type_at(b, v[i].type);
		struct ebpf_map_spec spec;
		int err;

		if (!var || BTF_INFO_KIND(var->info) != BTF_KIND_VAR) {
			snprintf(why, size, "the object file's type information is damaged");
			return -EINVAL;
		}
		err = read_map(b, var, &spec, why, size);
		if (!err)
			err = fn(arg, &spec);
		if (err)
			return err;
	}
	return 0;
}

/* The type of a section's variables, 0: none. */
static uint32_t find_section(const struct ebpf_btf *b, const char *name)
{
	for (uint32_t i = 1; i < b->n; i++)
		if (BTF_INFO_KIND(btf_type_at(b, i)->info) == BTF_KIND_DATASEC && strcmp(btf_name(b, btf_type_at(b, i)->name_off), name) == 0)
			return i;
	return 0;
}

int ebpf_btf_maps(const struct ebpf_btf *b, ebpf_map_fn fn, void *arg, char *why, size_t size)
{
	uint32_t id = find_section(b, ".maps");

	return id ? each_map(b, btf_type_at(b, id), fn, arg, why, size) : 0;
}

uint32_t ebpf_btf_section(struct ebpf_btf *b, const char *name, int64_t (*where)(void *arg, const char *var), void *arg)
{
	uint32_t id = find_section(b, name);
	const struct btf_type *t = btf_type_at(b, id);
	struct btf_var_secinfo v;

	for (unsigned i = 0; t && i < BTF_INFO_VLEN(t->info); i++) {
		unsigned char *at = b->data + ((const unsigned char *)(t + 1) - b->data) + i * sizeof(v);
		const struct btf_type *var;
		int64_t off;

		memcpy(&v, at, sizeof(v));
		var = btf_type_at(b, v.type);
		off = var && BTF_INFO_KIND(var->info) == BTF_KIND_VAR ? where(arg, btf_name(b, var->name_off)) : -1;
		v.offset = off >= 0 && off < BTF_NOWHERE ? (uint32_t)off : BTF_NOWHERE;
		memcpy(at, &v, sizeof(v));
	}
	return id;
}
