/* SPDX-License-Identifier: MIT */
/*
 * ebpf_priv.h: addresses, operations and the machine, for the files of the machine.
 *
 * Addresses. A program never sees an address of this process. Its pointers are a region's number in the upper 32 bits and an offset in the lower ones;
 * each access finds its region by number and is compared with what is there: two comparisons prove any access, whatever the program did to reckon
 * the pointer. Region 0 is empty, so that NULL points nowhere; the frame begins at FRAME_OFFSET, so that there are offsets in front of it.
 * A pointer that is moved out of one region may point into another one: all of them are the program's own.
 */
#ifndef DAEMON_EBPF_PRIV_H
#define DAEMON_EBPF_PRIV_H

#include "ebpf.h"

#include <pthread.h>
#include <string.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum { REGION_NULL, REGION_CTX, REGION_STACK, REGION_FRAME, REGION_MAPS /* the first map's values */ };
#define CALL_TAIL 2 /* op.arg of bpf_tail_call; BPF_PSEUDO_CALL is 1, a helper 0 */
#define MAX_TAIL_CALLS 33 /* for a frame, as on Linux */
#define MAP_HANDLE   UINT32_C(0x40000000) /* region number of "pointer to map i": nothing is there, only helpers know it */
#define FRAME_OFFSET UINT32_C(0x10000000)

#define ADDRESS(region, offset) ((uint64_t)(region) << 32 | (uint32_t)(offset))

struct region {
	unsigned char *base; /* of the byte at offset lo */
	uint32_t       lo, len;
	bool           readonly;
	bool           shared; /* other threads write there, too */
};

struct op { /* an instruction, ready to run: its place is that of the instruction */
	uint8_t code, dst, src;
	uint8_t arg; /* width of a byte swap, BPF_PSEUDO_CALL of a call */
	int32_t off; /* target of a jump as a place in the program; else the instruction's off */
	int64_t imm; /* sign-extended; of a 16-byte load all 64 bits */
};

struct ebpf_prog {
	struct op       *ops;
	size_t           n;
	struct ebpf_btf *btf; /* NULL: none */
	unsigned         nentries;
	struct { char name[EBPF_NAME]; uint32_t pc; } entries[EBPF_MAX_ENTRIES];
	unsigned         nmaps;
	struct ebpf_map *maps[EBPF_MAX_MAPS];
};

struct call {
	uint32_t ret;
	uint64_t saved[4]; /* r6 to r9 */
};

struct ebpf_vm {
	const struct ebpf_prog *prog;
	struct ebpf_env         env;
	struct stack_xdp_frame *frame;
	int32_t                 left; /* of the budget */
	uint32_t                tails; /* tail calls so far */
	uint32_t                nregions;
	uint32_t                random;
	bool                    faulted; /* this run: fault, which other threads read, keeps the last one of all runs */
	unsigned                trace_left; /* lines in this second */
	ktime_t                 trace_since;
	struct ebpf_fault       fault;
	struct call             calls[EBPF_FRAMES];
	struct region           regions[REGION_MAPS + EBPF_MAX_MAPS];
	_Alignas(8) unsigned char stack[EBPF_FRAMES * EBPF_STACK];
};

struct ebpf_map {
	struct ebpf_map_spec spec;
	bool            hash, percpu, lru, prefix;
	bool            links, progs; /* values are links, programs */
	bool            closed; /* programs reach it by helpers alone */
	unsigned        ncpu;
	uint32_t        stride; /* bytes from value to value: value_size rounded up to 8 */
	unsigned char  *values; /* [ncpu][max_entries][stride] */
	/* hash maps; under lock */
	pthread_mutex_t lock;
	uint64_t        seed;
	uint32_t       *bucket, *next; /* slot + 1; 0: none */
	uint32_t        mask, free_slot;
	unsigned char  *keys;
	uint8_t        *used;
	struct map_age { uint32_t older, newer; } *age; /* [max_entries + 1] by slot + 1; of LRU maps */
	uint32_t        lengths[8 * EBPF_PREFIX_MAX + 1]; /* elements with a prefix of so many bits */
};

/* The bytes of a pointer, or NULL: size of them are not all within one region. */
static inline unsigned char *vm_mem(const struct ebpf_vm *vm, uint64_t addr, uint64_t size)
{
	uint32_t r = (uint32_t)(addr >> 32), off;
	const struct region *region;

	if (unlikely(r >= vm->nregions))
		return NULL;
	region = &vm->regions[r];
	off = (uint32_t)addr - region->lo;
	if (unlikely(off > region->len || region->len - off < size))
		return NULL;
	return region->base + off;
}

void vm_set_frame(struct ebpf_vm *vm); /* region of the frame, from vm->frame */
void vm_fault(struct ebpf_vm *vm, enum ebpf_fault_kind kind, uint64_t addr, uint64_t size); /* the caller knows the place */

/* ebpf_helper.c */
/* Where bpf_tail_call goes: a place in the program; -1: on, with the next instruction, or vm->faulted. */
int64_t vm_tail_call(struct ebpf_vm *vm, const uint64_t *r);
typedef uint64_t (*ebpf_helper)(struct ebpf_vm *vm, const uint64_t *r /* r[1] to r[5] */);
/* NULL: there is none of this number. Fault: vm->faulted was set by vm_fault and is looked at by the machine. */
ebpf_helper ebpf_helper_find(int32_t id, const char **ret_name);

/* ebpf_map.c. The place of the element: slot, or -ENOENT. */
int64_t  map_find(struct ebpf_map *map, const void *key);
static inline unsigned char *map_value(const struct ebpf_map *map, unsigned cpu, uint32_t slot)
{
	return map->values + ((size_t)(map->percpu ? cpu : 0) * map->spec.max_entries + slot) * map->stride;
}
int  map_update_cpu(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, unsigned cpu, bool all_cpus);
void copy_shared(void *to, const void *from, size_t n); /* either side may be written by other threads: aligned words whole */

#endif
