/* SPDX-License-Identifier: MIT */
/*
 * ebpf_json.c: elements of maps as a person would write them: bytes in memory and their type (BTF) become JSON.
 *
 * An integer becomes a number, a truth value true or false, an enumerator its name, a pointer "0x..." text; a structure an object with its members' names, those of
 * nameless structures inside of it among them; an array a list. Beyond that, what the networking code's own types say: __be16, __be32 and __be64 are in network
 * order, and of four bytes an IPv4 address, as are struct in_addr and in6_addr; six bytes are a MAC address; an array of char is text if it holds nothing else;
 * other arrays of bytes are hexadecimal text. Variables of a section are an object.
 *
 * Types come from whoever made the object file: depth, the number of all values and the length of all texts are bounded, what lies outside of the bytes is left out.
 *
 * Not done: 128-bit integers as numbers (they are hexadecimal text).
 */
#include "ebpf_btf.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>

#define MAX_DEPTH  16
#define MAX_VALUES 2048
#define MAX_BYTES  65536 /* of all texts and addresses together: members may lie on top of each other */
#define MAX_LOOKS  65536 /* members, enumerators and variables that are looked at */
#define MAX_NAME   128

struct put {
	const struct ebpf_btf *btf;
	unsigned depth, values, looks;
	size_t bytes;
};

/* What a chain of typedefs said on the way to the type. */
struct named {
	const struct btf_type *t;
	bool network; /* __be... */
};

static json_t *put_type(struct put *p, uint32_t id, const unsigned char *bytes, size_t len);

/* A name that is too long is none. */
static const char *name_of(const struct put *p, uint32_t off)
{
	const char *name = btf_name(p->btf, off);

	return strnlen(name, MAX_NAME) < MAX_NAME ? name : "";
}

static bool may_look(struct put *p)
{
	return p->values < MAX_VALUES && p->looks++ < MAX_LOOKS;
}

static struct named look_up(const struct ebpf_btf *b, uint32_t id)
{
	struct named n = { .network = false };
	const struct btf_type *t = btf_type_at(b, id);

	for (int i = 0; t && i < BTF_MAX_CHAIN; i++) {
		uint32_t kind = BTF_INFO_KIND(t->info);

		if (kind == BTF_KIND_TYPEDEF)
			n.network |= strncmp(btf_name(b, t->name_off), "__be", 4) == 0;
		else if (kind != BTF_KIND_CONST && kind != BTF_KIND_VOLATILE && kind != BTF_KIND_RESTRICT && kind != BTF_KIND_TYPE_TAG) {
			n.t = t;
			break;
		}
		t = btf_type_at(b, t->type);
	}
	return n;
}

static json_t *number(uint64_t v, unsigned bits, bool is_signed)
{
	char text[24];

	if (is_signed)
		return json_integer(bits < 64 ? (json_int_t)(v << (64 - bits)) >> (64 - bits) : (json_int_t)v);
	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)v); /* JSON's numbers end here */
	return json_string(text);
}

static uint64_t load(const unsigned char *bytes, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v = v << 8 | bytes[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? size - 1 - i : i];
	return v;
}

static json_t *hexadecimal(const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * n + 1);
	json_t *r;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	r = json_stringn(text, 2 * n);
	free(text);
	return r;
}

static json_t *address(int family, const unsigned char *bytes)
{
	char text[INET6_ADDRSTRLEN];

	return json_string(inet_ntop(family, bytes, text, sizeof(text)) ? text : "");
}

static json_t *put_int(const struct named *n, const unsigned char *bytes)
{
	uint32_t info = *(const uint32_t *)(const void *)(n->t + 1), bits = BTF_INT_BITS(info), off = BTF_INT_OFFSET(info);
	uint64_t v;

	if (n->t->size > 8)
		return hexadecimal(bytes, n->t->size);
	if (n->network && n->t->size == 4)
		return address(AF_INET, bytes);
	v = load(bytes, n->t->size);
	if (n->network)
		return number(n->t->size == 2 ? be16toh((uint16_t)v) : n->t->size == 8 ? be64toh(v) : v, 64, false);
	if (bits && bits < 64 && off < 64 && bits + off <= 8 * n->t->size) /* narrower than its place: how compilers once wrote bit fields */
		v = v >> off & ((UINT64_C(1) << bits) - 1);
	else
		bits = 8 * n->t->size;
	if (BTF_INT_ENCODING(info) & BTF_INT_BOOL)
		return json_boolean(v != 0);
	return number(v, bits, (BTF_INT_ENCODING(info) & BTF_INT_SIGNED) != 0);
}

static json_t *put_enum(struct put *p, const struct btf_type *t, uint64_t v, unsigned bits)
{
	const struct btf_enum *e = (const struct btf_enum *)(const void *)(t + 1);
	const struct btf_enum64 *e64 = (const struct btf_enum64 *)(const void *)(t + 1);
	bool wide = BTF_INFO_KIND(t->info) == BTF_KIND_ENUM64;
	uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;

	for (unsigned i = 0; i < BTF_INFO_VLEN(t->info) && may_look(p); i++) {
		uint64_t one = wide ? (uint64_t)e64[i].val_hi32 << 32 | e64[i].val_lo32 : (uint64_t)(int64_t)e[i].val;

		if ((one & mask) == (v & mask))
			return json_string(name_of(p, wide ? e64[i].name_off : e[i].name_off));
	}
	return number(v, bits, BTF_INFO_KFLAG(t->info));
}

/* Text, and behind it zeros. */
static bool is_text(const unsigned char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && bytes[i] >= ' ' && bytes[i] < 0x7f)
		i++;
	while (i < n && !bytes[i])
		i++;
	return i == n;
}

static json_t *put_bytes(struct put *p, const struct btf_type *t, const unsigned char *bytes, size_t n)
{
	char text[18];

	if (n > MAX_BYTES - p->bytes)
		return NULL;
	p->bytes += n;
	if (strcmp(btf_name(p->btf, t->name_off), "char") == 0 && is_text(bytes, n))
		return json_stringn((const char *)bytes, strnlen((const char *)bytes, n));
	if (n == 6) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
		return json_string(text);
	}
	return hexadecimal(bytes, n);
}

static json_t *put_array(struct put *p, const struct btf_array *a, const unsigned char *bytes, size_t len)
{
	const struct btf_type *t = btf_resolve(p->btf, a->type);
	uint64_t size;
	json_t *r;

	if (!t || !btf_size(p->btf, a->type, &size) || !size || size * a->nelems > len)
		return NULL;
	if (BTF_INFO_KIND(t->info) == BTF_KIND_INT && size == 1)
		return put_bytes(p, t, bytes, a->nelems);
	r = json_array();
	for (uint32_t i = 0; i < a->nelems && may_look(p); i++) {
		json_t *one = put_type(p, a->type, bytes + i * size, (size_t)size);

		json_array_append_new(r, one ? one : json_null());
	}
	return r;
}

/* A bit field of n bits that begins off bits behind bytes. */
static uint64_t load_bits(const unsigned char *bytes, uint32_t off, uint32_t n)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			v |= (uint64_t)(bytes[(off + i) / 8] >> (off + i) % 8 & 1) << i;
		else
			v = v << 1 | (bytes[(off + i) / 8] >> (7 - (off + i) % 8) & 1);
	}
	return v;
}

static json_t *put_bitfield(struct put *p, const struct btf_member *m, const unsigned char *bytes, size_t len)
{
	uint32_t off = BTF_MEMBER_BIT_OFFSET(m->offset), bits = BTF_MEMBER_BITFIELD_SIZE(m->offset);
	const struct btf_type *t = btf_resolve(p->btf, m->type);
	uint64_t v;

	if (!t || bits > 64 || (uint64_t)off + bits > 8 * (uint64_t)len)
		return NULL;
	v = load_bits(bytes, off, bits);
	if (BTF_INFO_KIND(t->info) == BTF_KIND_ENUM || BTF_INFO_KIND(t->info) == BTF_KIND_ENUM64)
		return put_enum(p, t, v, bits);
	return number(v, bits, BTF_INFO_KIND(t->info) == BTF_KIND_INT && (BTF_INT_ENCODING(*(const uint32_t *)(const void *)(t + 1)) & BTF_INT_SIGNED));
}

static json_t *put_members(struct put *p, const struct btf_type *t, const unsigned char *bytes, size_t len)
{
	const struct btf_member *m = (const struct btf_member *)(const void *)(t + 1);
	bool bitfields = BTF_INFO_KFLAG(t->info);
	const char *name = btf_name(p->btf, t->name_off);
	json_t *r;

	if (strcmp(name, "in_addr") == 0 && len == 4)
		return address(AF_INET, bytes);
	if (strcmp(name, "in6_addr") == 0 && len == 16)
		return address(AF_INET6, bytes);
	r = json_object();
	for (unsigned i = 0; i < BTF_INFO_VLEN(t->info) && may_look(p); i++) {
		uint32_t off = (bitfields ? BTF_MEMBER_BIT_OFFSET(m[i].offset) : m[i].offset) / 8;
		const struct btf_type *type = btf_resolve(p->btf, m[i].type);
		json_t *one;

		if (!type || off > len || strcmp(btf_name(p->btf, type->name_off), "bpf_spin_lock") == 0)
			continue;
		if (bitfields && BTF_MEMBER_BITFIELD_SIZE(m[i].offset))
			one = put_bitfield(p, &m[i], bytes, len);
		else
			one = put_type(p, m[i].type, bytes + off, len - off);
		name = name_of(p, m[i].name_off);
		if (name[0])
			json_object_set_new(r, name, one ? one : json_null());
		else if (json_is_object(one)) /* nameless: its members are ours */
			json_object_update(r, one);
		if (!name[0])
			json_decref(one);
	}
	return r;
}

static json_t *put_section(struct put *p, const struct btf_type *t, const unsigned char *bytes, size_t len)
{
	const struct btf_var_secinfo *v = (const struct btf_var_secinfo *)(const void *)(t + 1);
	json_t *r = json_object();

	for (unsigned i = 0; i < BTF_INFO_VLEN(t->info) && may_look(p); i++) {
		const struct btf_type *var = btf_type_at(p->btf, v[i].type);
		json_t *one;

		if (!var || BTF_INFO_KIND(var->info) != BTF_KIND_VAR || v[i].offset > len)
			continue;
		one = put_type(p, var->type, bytes + v[i].offset, len - v[i].offset);
		if (one)
			json_object_set_new(r, name_of(p, var->name_off), one);
	}
	return r;
}

static json_t *put_sized(struct put *p, const struct named *n, const unsigned char *bytes, size_t len)
{
	char text[24];
	double d;
	float f;

	switch (BTF_INFO_KIND(n->t->info)) {
	case BTF_KIND_INT:
		return n->t->size && n->t->size <= 16 ? put_int(n, bytes) : NULL;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return n->t->size && n->t->size <= 8 ? put_enum(p, n->t, load(bytes, n->t->size), 8 * n->t->size) : NULL;
	case BTF_KIND_PTR:
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)load(bytes, 8));
		return json_string(text);
	case BTF_KIND_FLOAT:
		if (n->t->size == sizeof(d))
			memcpy(&d, bytes, sizeof(d));
		else if (n->t->size == sizeof(f))
			d = (double)*(float *)memcpy(&f, bytes, sizeof(f));
		else
			return NULL;
		return json_real(d); /* NULL: not a number */
	case BTF_KIND_ARRAY:
		return put_array(p, btf_array_of(n->t), bytes, len);
	default:
		return put_members(p, n->t, bytes, n->t->size);
	}
}

static json_t *put_type(struct put *p, uint32_t id, const unsigned char *bytes, size_t len)
{
	struct named n = look_up(p->btf, id);
	json_t *r = NULL;
	uint64_t size;

	if (!n.t || p->values >= MAX_VALUES || p->depth == MAX_DEPTH)
		return NULL;
	p->values++;
	p->depth++;
	if (BTF_INFO_KIND(n.t->info) == BTF_KIND_DATASEC)
		r = put_section(p, n.t, bytes, len);
	else if (btf_size(p->btf, id, &size) && size <= len)
		r = put_sized(p, &n, bytes, (size_t)size);
	p->depth--;
	return r;
}

json_t *ebpf_json(const struct ebpf_prog *prog, uint32_t type, const void *bytes, size_t len)
{
	struct put p = { .btf = prog->btf };

	return prog->btf && type ? put_type(&p, type, bytes, len) : NULL;
}
