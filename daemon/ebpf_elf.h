/* SPDX-License-Identifier: MIT */
/* ebpf_elf.h: between the readers of an object file. */
#ifndef DAEMON_EBPF_ELF_H
#define DAEMON_EBPF_ELF_H

#include "ebpf_priv.h"

/* Calls fn for each map that section .BTF describes, until it returns non-zero, which is returned. data: aligned to 4. 0; -EINVAL or -EOPNOTSUPP with why; -ENOMEM. */
typedef int (*ebpf_map_fn)(void *arg, const struct ebpf_map_spec *spec);
int ebpf_btf_maps(const void *data, size_t len, ebpf_map_fn fn, void *arg, char *why, size_t size);

#endif
