/* SPDX-License-Identifier: MIT */
/* ebpf_elf.h: between the readers of an object file. */
#ifndef DAEMON_EBPF_ELF_H
#define DAEMON_EBPF_ELF_H

#include "ebpf_priv.h"

struct ebpf_btf;

/* Takes a copy of section .BTF. 0; -EINVAL or -ENOMEM with why. */
int  ebpf_btf_new(struct ebpf_btf **ret, const void *data, size_t len, char *why, size_t size);
void ebpf_btf_free(struct ebpf_btf *btf); /* NULL is ignored */
/* Calls fn for each map that it describes, until it returns non-zero, which is returned. 0; -EINVAL or -EOPNOTSUPP with why. */
typedef int (*ebpf_map_fn)(void *arg, const struct ebpf_map_spec *spec);
int  ebpf_btf_maps(const struct ebpf_btf *btf, ebpf_map_fn fn, void *arg, char *why, size_t size);
/* The type of a section of variables, 0: none. where: the offset of a variable in its section, or -1. */
uint32_t ebpf_btf_section(struct ebpf_btf *btf, const char *name, int64_t (*where)(void *arg, const char *var), void *arg);

#endif
