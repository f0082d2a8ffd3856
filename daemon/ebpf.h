/* SPDX-License-Identifier: MIT */
/*
 * ebpf.h: a machine for eBPF programs of the type XDP: checked, interpreted, and unable to reach anything but its frame, its stack and its maps.
 *
 * Files: ebpf.c (a program: what is checked before it may run), ebpf_run.c (the machine), ebpf_helper.c (what it may call), ebpf_map.c (maps), ebpf_elf.c
 * (object files). None makes a system call or needs the kernel's bpf().
 *
 * Why a machine of our own. DPDK's librte_bpf was tried first. Its verifier knows pointers to the context, the stack and its external symbols; what a program loads
 * from the context is a number to it, so that the first access to a frame's bytes (r2 = ctx->data; r0 = *(u8 *)r2) is refused: "destination is
 * not a pointer"; it refuses every loop, every 32-bit jump (clang -mcpu=v3) and every call between functions, too. No ordinary XDP program passes. Making
 * each access a call of an external symbol would leave nothing of its speed, and would move all checks here anyway.
 *
 * Who owns what: a struct ebpf_prog with its maps belongs to whoever made it and does not change while a machine runs it; a struct ebpf_vm runs it on one thread.
 * Several may run one program, as CPUs do: they share the maps but those of the per-CPU kinds.
 */
#ifndef DAEMON_EBPF_H
#define DAEMON_EBPF_H

#include <linux/bpf.h> /* instructions and constants: the format of object files */
#include <netstack/stack.h>
#include <stdio.h>

#define EBPF_MAX_INSNS  65536
#define EBPF_BUDGET     65536 /* instructions a frame may cost; a call of a helper counts as several */
#define EBPF_STACK      512 /* bytes of a function */
#define EBPF_FRAMES     8 /* functions within one another */
#define EBPF_MAX_MAPS   32
#define EBPF_KEY_MAX    512
#define EBPF_VALUE_MAX  65536
#define EBPF_PREFIX_MAX 32 /* bytes of a prefix in an lpm_trie */
#define EBPF_MAP_BYTES  (UINT64_C(64) << 20) /* of the values and keys of one map, all CPUs */
#define EBPF_NAME       64
#define EBPF_OBJECT_MAX (768 * 1024) /* bytes of an object file */

struct ebpf_map;
struct ebpf_prog;
struct ebpf_vm;

/* ---- maps. Calls from any thread. ---- */

struct ebpf_map_spec {
	char     name[EBPF_NAME];
	uint32_t type; /* BPF_MAP_TYPE_* */
	uint32_t key_size, value_size, max_entries; /* bytes, bytes, elements */
	uint32_t flags; /* BPF_F_RDONLY_PROG or 0; others are refused */
	uint32_t key_type, value_type; /* in the program's BTF; 0: not known */
	uint32_t values_at; /* where in the object's variable its first elements are listed; for who loads it */
};

/* 0; -EINVAL, -EOPNOTSUPP or -E2BIG with why filled; -ENOMEM. seed: of a hash map's hash. init: the first value's bytes, or NULL. */
int  ebpf_map_new(struct ebpf_map **ret, const struct ebpf_map_spec *spec, unsigned ncpu, uint64_t seed, const void *init, char *why, size_t size);
void ebpf_map_free(struct ebpf_map *map); /* NULL is ignored */
const char *ebpf_map_type(uint32_t type); /* "array", ...; "unknown" */
const struct ebpf_map_spec *ebpf_map_spec(const struct ebpf_map *map);
unsigned ebpf_map_ncpu(const struct ebpf_map *map); /* values of an element: 1 but for the per-CPU kinds */
/* The element in slot (0 to max_entries - 1): key, and ncpu values one behind another, each value_size bytes. False: there is none. */
bool ebpf_map_slot(struct ebpf_map *map, uint32_t slot, void *key, void *values);
/* As the calls of a program: 0, -ENOENT, -EEXIST, -E2BIG (full or no such index), -EINVAL. value: on a per-CPU map it becomes that of every CPU. */
int  ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
int  ebpf_map_delete(struct ebpf_map *map, const void *key);

/* ---- programs ---- */

/*
 * Checks insns and makes a program of them. References to maps: a 16-byte load with src_reg BPF_PSEUDO_MAP_FD has the map's place in maps as imm,
 * BPF_PSEUDO_MAP_VALUE also an offset into its first value as the next imm. Takes maps (the maps, not the array) over, also on failure. 0; -EINVAL with why filled
 * ("instruction 7: ..."); -ENOMEM.
 */
int  ebpf_prog_new(struct ebpf_prog **ret, const struct bpf_insn *insns, size_t n, struct ebpf_map *const *maps, unsigned nmaps, char *why, size_t size);
void ebpf_prog_free(struct ebpf_prog *prog); /* with its maps, once no machine runs it. NULL is ignored */
/*
 * Where bpf_tail_call may go: programs among the instructions, each by the name of its function and the place of its first instruction. An element of a prog_array is the number of
 * one and 1; 0: empty. add: 0, -EINVAL (no instruction is there), -E2BIG.
 */
#define EBPF_MAX_ENTRIES 64
int  ebpf_prog_add_entry(struct ebpf_prog *prog, const char *name, size_t pc);
int  ebpf_prog_entry(const struct ebpf_prog *prog, const char *name); /* its number or -ENOENT */
const char *ebpf_prog_entry_name(const struct ebpf_prog *prog, unsigned i); /* NULL: there is none */
size_t ebpf_prog_insns(const struct ebpf_prog *prog);
unsigned ebpf_prog_nmaps(const struct ebpf_prog *prog);
struct ebpf_map *ebpf_prog_map(const struct ebpf_prog *prog, unsigned i);
/* The len bytes of a key or value of a map of this program, by its type: numbers, texts, objects with the names of members. NULL: the type is not known, or does not
 * fit, or there is no memory. A reference of the caller's. */
struct json_t *ebpf_json(const struct ebpf_prog *prog, uint32_t type, const void *bytes, size_t len);

/* Reads an object file (ELF, machine BPF) in memory. section: of the program, or its function's name; NULL or "": the only program, or the only
 * one of section "xdp". name gets the function's name. 0; -errno with why filled. */
int  ebpf_load_object(struct ebpf_prog **ret, const void *object, size_t len, const char *section, unsigned ncpu, uint64_t seed, char name[EBPF_NAME],
		      char *why, size_t size);

/* ---- the machine ---- */

struct ebpf_env {
	unsigned cpu;
	void (*trace)(void *arg, const char *line); /* bpf_trace_printk; NULL: into nothing */
	void *arg;
};

/* What went wrong last. Written by the machine's thread, read by any; the parts may be of different faults while they follow one another quickly. */
enum ebpf_fault_kind { EBPF_OK, EBPF_FAULT_LOAD, EBPF_FAULT_STORE, EBPF_FAULT_ALIGN, EBPF_FAULT_BUDGET, EBPF_FAULT_DEPTH, EBPF_FAULT_ARG, EBPF_FAULT_MAX };
struct ebpf_fault {
	uint64_t count;
	uint32_t kind, pc;
	uint64_t addr, size;
};

int  ebpf_vm_new(struct ebpf_vm **ret, struct ebpf_prog *prog, const struct ebpf_env *env); /* 0 or -ENOMEM; prog must outlive it */
void ebpf_vm_free(struct ebpf_vm *vm);
/* Runs the program on a frame: what it returned, STACK_XDP_ABORTED after a fault; frame->steps becomes what it cost. Fits stack_xdp_fn; arg is the struct ebpf_vm. */
int  ebpf_run(void *vm, struct stack_xdp_frame *frame);
void ebpf_vm_fault(const struct ebpf_vm *vm, struct ebpf_fault *ret);
/* "instruction 17: reads 4 bytes beyond the end of the frame"; empty when there was no fault. */
const char *ebpf_fault_text(const struct ebpf_fault *fault, char *buf, size_t size);

#endif
