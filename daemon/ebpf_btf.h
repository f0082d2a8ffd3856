/* SPDX-License-Identifier: MIT */
/* ebpf_btf.h: types of an object file, for those who read them. */
#ifndef DAEMON_EBPF_BTF_H
#define DAEMON_EBPF_BTF_H

#include "ebpf_elf.h"

#include <jansson.h>
#include <linux/btf.h>

#define BTF_MAX_CHAIN 16 /* typedefs and the like behind one another */
#define BTF_NOWHERE   UINT32_MAX /* offset of a variable that no symbol knows */

struct ebpf_btf {
	unsigned char *data; /* the section; types and strings point there */
	const unsigned char *types;
	const char    *strings;
	uint32_t       types_len, strings_len;
	uint32_t      *at; /* where type i begins, from 1 */
	uint32_t       n; /* types, with type 0, void */
};

static inline const struct btf_type *btf_type_at(const struct ebpf_btf *b, uint32_t id) /* NULL: there is none, or void */
{
	return id && id < b->n ? (const struct btf_type *)(const void *)(b->types + b->at[id]) : NULL;
}

static inline const char *btf_name(const struct ebpf_btf *b, uint32_t off)
{
	return off < b->strings_len ? b->strings + off : ""; /* the last byte of all strings is 0 */
}

static inline const struct btf_array *btf_array_of(const struct btf_type *t)
{
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_ARRAY ? (const struct btf_array *)(const void *)(t + 1) : NULL;
}

const struct btf_type *btf_resolve(const struct ebpf_btf *b, uint32_t id); /* behind typedef, const and the like; NULL: nothing, or too far */
bool btf_size(const struct ebpf_btf *b, uint32_t id, uint64_t *ret); /* bytes; false: it has no size */

#endif
