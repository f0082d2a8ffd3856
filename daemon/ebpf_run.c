/* SPDX-License-Identifier: MIT */
/*
 * ebpf_run.c: the machine: runs a checked program on a frame.
 *
 * Theory. An instruction is an operation of a switch; jumps carry their target. Loads and stores go through vm_mem, which finds the region by the pointer's upper
 * half and compares (ebpf_priv.h). The context is a region of its own kind: struct xdp_md is not in memory, its 32-bit members are answered one by
 * one, data and data_end with pointers of 64 bits, as the kernel's rewriting of these loads does.
 *
 * The budget is counted where the flow of the program bends: a taken jump, a call or a return costs what was run since the last one, so that straight-line code
 * costs nothing extra and no program, however it loops or calls, runs more than EBPF_BUDGET and its own length.
 *
 * What of the budget was used is told to the stack, which charges it to the poll (stack/xdp.c).
 *
 * Other threads write into maps at the same time. Aligned accesses there are whole, as on the CPUs that programs are written for.
 *
 * Invariants: pc stays below prog->n (ebpf.c proved each target and the end); nothing outside of the regions is read or written.
 */
#include "ebpf_priv.h"

#include <errno.h>
#include <stdlib.h>

#define MEMSX        0x80
#define TRACE_LINES  10 /* a second */
#define CALL_STEPS   8 /* instructions that a helper counts as, beyond its work */

void vm_fault(struct ebpf_vm *vm, enum ebpf_fault_kind kind, uint64_t addr, uint64_t size)
{
	vm->faulted = true;
	__atomic_store_n(&vm->fault.kind, kind, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->fault.addr, addr, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->fault.size, size, __ATOMIC_RELAXED);
}

void ebpf_vm_fault(const struct ebpf_vm *vm, struct ebpf_fault *ret)
{
	ret->count = __atomic_load_n(&vm->fault.count, __ATOMIC_RELAXED);
	ret->kind = __atomic_load_n(&vm->fault.kind, __ATOMIC_RELAXED);
	ret->pc = __atomic_load_n(&vm->fault.pc, __ATOMIC_RELAXED);
	ret->addr = __atomic_load_n(&vm->fault.addr, __ATOMIC_RELAXED);
	ret->size = __atomic_load_n(&vm->fault.size, __ATOMIC_RELAXED);
}

const char *ebpf_fault_text(const struct ebpf_fault *f, char *buf, size_t size)
{
	static const char *const places[] = { "address", "the context", "the stack", "the frame" };
	uint32_t region = (uint32_t)(f->addr >> 32);
	int64_t off = (uint32_t)f->addr;
	char place[48];

	if (region == REGION_FRAME)
		off -= FRAME_OFFSET;
	if (region < sizeof(places) / sizeof(places[0]))
		snprintf(place, sizeof(place), "%s%+lld", places[region], (long long)off);
	else if (region < REGION_MAPS + EBPF_MAX_MAPS)
		snprintf(place, sizeof(place), "the values of map %u%+lld", region - REGION_MAPS, (long long)off);
	else
		snprintf(place, sizeof(place), "address 0x%llx", (unsigned long long)f->addr);
	switch (f->kind) {
	case EBPF_FAULT_LOAD:
	case EBPF_FAULT_STORE:
		snprintf(buf, size, "instruction %u: %s %llu bytes at %s", f->pc, f->kind == EBPF_FAULT_LOAD ? "reads" : "writes", (unsigned long long)f->size, place);
		break;
	case EBPF_FAULT_ALIGN:
		snprintf(buf, size, "instruction %u: an atomic operation of %llu bytes at %s, which is not aligned", f->pc, (unsigned long long)f->size, place);
		break;
	case EBPF_FAULT_BUDGET:
		snprintf(buf, size, "instruction %u: more than %d instructions for a frame", f->pc, EBPF_BUDGET);
		break;
	case EBPF_FAULT_DEPTH:
		snprintf(buf, size, "instruction %u: more than %d functions within one another", f->pc, EBPF_FRAMES);
		break;
	case EBPF_FAULT_ARG:
		snprintf(buf, size, "instruction %u: a helper was given something that is not a map of the right kind", f->pc);
		break;
	default:
		if (size)
			buf[0] = '\0';
	}
	return buf;
}

int ebpf_vm_new(struct ebpf_vm **ret, struct ebpf_prog *prog, const struct ebpf_env *env)
{
	struct ebpf_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return -ENOMEM;
	vm->prog = prog;
	vm->env = *env;
	vm->random = 0x9e3779b9u * (env->cpu + 1);
	vm->trace_left = TRACE_LINES;
	vm->regions[REGION_NULL].base = vm->regions[REGION_CTX].base = vm->stack; /* nothing of it: their length is 0 */
	vm->regions[REGION_STACK] = (struct region){ .base = vm->stack, .len = sizeof(vm->stack) };
	for (unsigned i = 0; i < prog->nmaps; i++) {
		const struct ebpf_map *map = prog->maps[i];

		if (map->closed) {
			vm->regions[REGION_MAPS + i] = vm->regions[REGION_NULL];
			continue;
		}
		vm->regions[REGION_MAPS + i] = (struct region){
			.base = map_value(map, env->cpu < map->ncpu ? env->cpu : 0, 0), .len = (uint32_t)((uint64_t)map->stride * map->spec.max_entries),
			.readonly = map->links || (map->spec.flags & BPF_F_RDONLY_PROG), .shared = true,
		};
	}
	vm->nregions = REGION_MAPS + prog->nmaps;
	*ret = vm;
	return 0;
}

void ebpf_vm_free(struct ebpf_vm *vm)
{
	free(vm);
}

void vm_set_frame(struct ebpf_vm *vm)
{
	struct region *r = &vm->regions[REGION_FRAME];

	r->base = vm->frame->data;
	r->len = vm->frame->len;
}

/* ---- memory ---- */

static inline uint64_t get_plain(const unsigned char *p, unsigned size)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, 2);
		return v16;
	case 4:
		memcpy(&v32, p, 4);
		return v32;
	default:
		memcpy(&v64, p, 8);
		return v64;
	}
}

static uint64_t get_shared(const unsigned char *p, unsigned size)
{
	uint64_t v = 0;

	if ((uintptr_t)p % size) {
		copy_shared(&v, p, size); /* little and big endian: the bytes are put where a value of that size has them */
		return get_plain((unsigned char *)&v, size);
	}
	switch (size) {
	case 1:
		return __atomic_load_n(p, __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED);
	}
}

static inline void put_plain(unsigned char *p, unsigned size, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;

	switch (size) {
	case 1:
		*p = (unsigned char)v;
		break;
	case 2:
		memcpy(p, &v16, 2);
		break;
	case 4:
		memcpy(p, &v32, 4);
		break;
	default:
		memcpy(p, &v, 8);
	}
}

static void put_shared(unsigned char *p, unsigned size, uint64_t v)
{
	unsigned char bytes[8];

	if ((uintptr_t)p % size) {
		put_plain(bytes, size, v);
		copy_shared(p, bytes, size);
		return;
	}
	switch (size) {
	case 1:
		__atomic_store_n(p, (unsigned char)v, __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)(void *)p, (uint16_t)v, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)(void *)p, (uint32_t)v, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)(void *)p, v, __ATOMIC_RELAXED);
	}
}

/* struct xdp_md: 32-bit members; the first three are pointers. */
static bool load_ctx(const struct ebpf_vm *vm, uint64_t addr, unsigned size, uint64_t *ret)
{
	uint32_t lo = vm->regions[REGION_FRAME].lo;

	if (addr >> 32 != REGION_CTX || size != 4)
		return false;
	switch ((uint32_t)addr) {
	case offsetof(struct xdp_md, data):
	case offsetof(struct xdp_md, data_meta): /* there is none: it ends where the frame begins, and begins there, too */
		*ret = ADDRESS(REGION_FRAME, lo);
		return true;
	case offsetof(struct xdp_md, data_end):
		*ret = ADDRESS(REGION_FRAME, lo + vm->frame->len);
		return true;
	case offsetof(struct xdp_md, ingress_ifindex):
		*ret = (uint32_t)vm->frame->ingress_ifindex;
		return true;
	case offsetof(struct xdp_md, rx_queue_index):
		*ret = vm->env.cpu; /* a worker reads one queue of each device, the one of its own number */
		return true;
	case offsetof(struct xdp_md, egress_ifindex):
		*ret = 0;
		return true;
	}
	return false;
}

static inline bool load(struct ebpf_vm *vm, uint64_t addr, unsigned size, uint64_t *ret)
{
	const unsigned char *p = vm_mem(vm, addr, size);

	if (unlikely(!p)) {
		if (load_ctx(vm, addr, size, ret))
			return true;
		vm_fault(vm, EBPF_FAULT_LOAD, addr, size);
		return false;
	}
	*ret = unlikely(vm->regions[addr >> 32].shared) ? get_shared(p, size) : get_plain(p, size);
	return true;
}

static inline bool store(struct ebpf_vm *vm, uint64_t addr, unsigned size, uint64_t v)
{
	unsigned char *p = vm_mem(vm, addr, size);

	if (unlikely(!p || vm->regions[addr >> 32].readonly)) {
		vm_fault(vm, EBPF_FAULT_STORE, addr, size);
		return false;
	}
	if (unlikely(vm->regions[addr >> 32].shared))
		put_shared(p, size, v);
	else
		put_plain(p, size, v);
	return true;
}

/* old: r0 of a compare-and-exchange in, what was there out. */
#define ATOMIC(T)                                                                                  \
	do {                                                                                       \
		T *t = (T *)(void *)p, expected = (T)*old;                                         \
		switch (imm & ~BPF_FETCH) {                                                        \
		case BPF_ADD:                                                                      \
			*old = __atomic_fetch_add(t, (T)v, __ATOMIC_SEQ_CST);                      \
			break;                                                                     \
		case BPF_OR:                                                                       \
			*old = __atomic_fetch_or(t, (T)v, __ATOMIC_SEQ_CST);                       \
			break;                                                                     \
		case BPF_AND:                                                                      \
			*old = __atomic_fetch_and(t, (T)v, __ATOMIC_SEQ_CST);                      \
			break;                                                                     \
		case BPF_XOR:                                                                      \
			*old = __atomic_fetch_xor(t, (T)v, __ATOMIC_SEQ_CST);                      \
			break;                                                                     \
		case BPF_XCHG & ~BPF_FETCH:                                                        \
			*old = __atomic_exchange_n(t, (T)v, __ATOMIC_SEQ_CST);                     \
			break;                                                                     \
		default: /* BPF_CMPXCHG */                                                         \
			__atomic_compare_exchange_n(t, &expected, (T)v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
			*old = expected;                                                           \
		}                                                                                  \
	} while (0)

static bool atomic_op(struct ebpf_vm *vm, const struct op *op, uint64_t *reg)
{
	unsigned size = BPF_SIZE(op->code) == BPF_DW ? 8 : 4;
	uint64_t addr = reg[op->dst] + (uint64_t)(int64_t)op->off, v = reg[op->src], before = reg[0], *old = &before;
	unsigned char *p = vm_mem(vm, addr, size);
	int32_t imm = (int32_t)op->imm;

	if (!p || vm->regions[addr >> 32].readonly) {
		vm_fault(vm, EBPF_FAULT_STORE, addr, size);
		return false;
	}
	if ((uintptr_t)p % size) {
		vm_fault(vm, EBPF_FAULT_ALIGN, addr, size);
		return false;
	}
	if (size == 8)
		ATOMIC(uint64_t);
	else
		ATOMIC(uint32_t);
	if (imm == BPF_CMPXCHG)
		reg[0] = before;
	else if (imm & BPF_FETCH)
		reg[op->src] = before;
	return true;
}

/* ---- arithmetic that C does not define, or not so ---- */

static uint64_t swap_bytes(uint64_t v, unsigned bits, bool swap)
{
	switch (bits) {
	case 16:
		return swap ? __builtin_bswap16((uint16_t)v) : (uint16_t)v;
	case 32:
		return swap ? __builtin_bswap32((uint32_t)v) : (uint32_t)v;
	default:
		return swap ? __builtin_bswap64(v) : v;
	}
}

static uint64_t div64(uint64_t a, uint64_t b, bool is_signed)
{
	if (!b)
		return 0;
	if (!is_signed)
		return a / b;
	return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t mod64(uint64_t a, uint64_t b, bool is_signed)
{
	if (!b)
		return a;
	if (!is_signed)
		return a % b;
	return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static uint32_t div32(uint32_t a, uint32_t b, bool is_signed)
{
	if (!b)
		return 0;
	if (!is_signed)
		return a / b;
	return b == UINT32_MAX ? 0 - a : (uint32_t)((int32_t)a / (int32_t)b);
}

static uint32_t mod32(uint32_t a, uint32_t b, bool is_signed)
{
	if (!b)
		return a;
	if (!is_signed)
		return a % b;
	return b == UINT32_MAX ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
}

static uint64_t sign_extend(uint64_t v, unsigned bits)
{
	return bits == 8 ? (uint64_t)(int8_t)v : bits == 16 ? (uint64_t)(int16_t)v : bits == 32 ? (uint64_t)(int32_t)v : v;
}

/* ---- the loop ---- */

/* EXPR in terms of a and b. */
#define ALU(CODE, EXPR64, EXPR32)                                                                  \
	case BPF_ALU64 | CODE | BPF_K: {                                                           \
		uint64_t a = reg[op->dst], b = (uint64_t)op->imm;                                  \
		(void)a;                                                                           \
		reg[op->dst] = EXPR64;                                                             \
		break;                                                                             \
	}                                                                                          \
	case BPF_ALU64 | CODE | BPF_X: {                                                           \
		uint64_t a = reg[op->dst], b = reg[op->src];                                       \
		(void)a;                                                                           \
		reg[op->dst] = EXPR64;                                                             \
		break;                                                                             \
	}                                                                                          \
	case BPF_ALU | CODE | BPF_K: {                                                             \
		uint32_t a = (uint32_t)reg[op->dst], b = (uint32_t)op->imm;                        \
		(void)a;                                                                           \
		reg[op->dst] = (uint32_t)(EXPR32);                                                 \
		break;                                                                             \
	}                                                                                          \
	case BPF_ALU | CODE | BPF_X: {                                                             \
		uint32_t a = (uint32_t)reg[op->dst], b = (uint32_t)reg[op->src];                   \
		(void)a;                                                                           \
		reg[op->dst] = (uint32_t)(EXPR32);                                                 \
		break;                                                                             \
	}

#define JUMP(CODE, CMP, T64, T32)                                                                  \
	case BPF_JMP | CODE | BPF_K:                                                               \
		if ((T64)reg[op->dst] CMP (T64)op->imm)                                            \
			goto jump;                                                                 \
		break;                                                                             \
	case BPF_JMP | CODE | BPF_X:                                                               \
		if ((T64)reg[op->dst] CMP (T64)reg[op->src])                                       \
			goto jump;                                                                 \
		break;                                                                             \
	case BPF_JMP32 | CODE | BPF_K:                                                             \
		if ((T32)reg[op->dst] CMP (T32)op->imm)                                            \
			goto jump;                                                                 \
		break;                                                                             \
	case BPF_JMP32 | CODE | BPF_X:                                                             \
		if ((T32)reg[op->dst] CMP (T32)reg[op->src])                                       \
			goto jump;                                                                 \
		break;

#define MEMORY(SIZE, BYTES)                                                                        \
	case BPF_LDX | BPF_MEM | SIZE:                                                             \
		if (unlikely(!load(vm, reg[op->src] + (uint64_t)(int64_t)op->off, BYTES, &reg[op->dst])))   \
			goto fault;                                                                \
		break;                                                                             \
	case BPF_LDX | MEMSX | SIZE:                                                               \
		if (unlikely(!load(vm, reg[op->src] + (uint64_t)(int64_t)op->off, BYTES, &reg[op->dst])))   \
			goto fault;                                                                \
		reg[op->dst] = sign_extend(reg[op->dst], 8 * BYTES);                               \
		break;                                                                             \
	case BPF_STX | BPF_MEM | SIZE:                                                             \
		if (unlikely(!store(vm, reg[op->dst] + (uint64_t)(int64_t)op->off, BYTES, reg[op->src])))   \
			goto fault;                                                                \
		break;                                                                             \
	case BPF_ST | BPF_MEM | SIZE:                                                              \
		if (unlikely(!store(vm, reg[op->dst] + (uint64_t)(int64_t)op->off, BYTES, (uint64_t)op->imm)))  \
			goto fault;                                                                \
		break;

static int run(struct ebpf_vm *vm)
{
	const struct op *ops = vm->prog->ops, *op;
	uint64_t reg[11] = { [1] = ADDRESS(REGION_CTX, 0), [10] = ADDRESS(REGION_STACK, EBPF_STACK) };
	uint32_t pc = 0, start = 0;
	unsigned depth = 0;

	for (;;) {
		op = &ops[pc++];
		switch (op->code) {
		ALU(BPF_ADD, a + b, a + b)
		ALU(BPF_SUB, a - b, a - b)
		ALU(BPF_MUL, a * b, a * b)
		ALU(BPF_DIV, div64(a, b, op->off != 0), div32(a, b, op->off != 0))
		ALU(BPF_MOD, mod64(a, b, op->off != 0), mod32(a, b, op->off != 0))
		ALU(BPF_OR, a | b, a | b)
		ALU(BPF_AND, a & b, a & b)
		ALU(BPF_XOR, a ^ b, a ^ b)
		ALU(BPF_LSH, a << (b & 63), a << (b & 31))
		ALU(BPF_RSH, a >> (b & 63), a >> (b & 31))
		ALU(BPF_ARSH, (uint64_t)((int64_t)a >> (b & 63)), (uint32_t)((int32_t)a >> (b & 31)))
		ALU(BPF_MOV, unlikely(op->off) ? sign_extend(b, (unsigned)op->off) : b, unlikely(op->off) ? (uint32_t)sign_extend(b, (unsigned)op->off) : b)
		case BPF_ALU64 | BPF_NEG:
			reg[op->dst] = 0 - reg[op->dst];
			break;
		case BPF_ALU | BPF_NEG:
			reg[op->dst] = (uint32_t)(0 - reg[op->dst]);
			break;
		case BPF_ALU | BPF_END | BPF_TO_LE:
			reg[op->dst] = swap_bytes(reg[op->dst], op->arg, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
			break;
		case BPF_ALU | BPF_END | BPF_TO_BE:
			reg[op->dst] = swap_bytes(reg[op->dst], op->arg, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
			break;
		case BPF_ALU64 | BPF_END:
			reg[op->dst] = swap_bytes(reg[op->dst], op->arg, true);
			break;
		JUMP(BPF_JEQ, ==, uint64_t, uint32_t)
		JUMP(BPF_JNE, !=, uint64_t, uint32_t)
		JUMP(BPF_JGT, >, uint64_t, uint32_t)
		JUMP(BPF_JGE, >=, uint64_t, uint32_t)
		JUMP(BPF_JLT, <, uint64_t, uint32_t)
		JUMP(BPF_JLE, <=, uint64_t, uint32_t)
		JUMP(BPF_JSGT, >, int64_t, int32_t)
		JUMP(BPF_JSGE, >=, int64_t, int32_t)
		JUMP(BPF_JSLT, <, int64_t, int32_t)
		JUMP(BPF_JSLE, <=, int64_t, int32_t)
		JUMP(BPF_JSET, &, uint64_t, uint32_t)
		MEMORY(BPF_B, 1)
		MEMORY(BPF_H, 2)
		MEMORY(BPF_W, 4)
		MEMORY(BPF_DW, 8)
		case BPF_STX | BPF_ATOMIC | BPF_W:
		case BPF_STX | BPF_ATOMIC | BPF_DW:
			if (unlikely(!atomic_op(vm, op, reg)))
				goto fault;
			break;
		case BPF_LD | BPF_IMM | BPF_DW:
			reg[op->dst] = (uint64_t)op->imm;
			pc++;
			break;
		case BPF_JMP | BPF_CALL:
			if (op->arg == BPF_PSEUDO_CALL) {
				if (unlikely(depth + 1 == EBPF_FRAMES)) {
					vm_fault(vm, EBPF_FAULT_DEPTH, 0, 0);
					goto fault;
				}
				vm->calls[depth].ret = pc;
				memcpy(vm->calls[depth].saved, &reg[6], sizeof(vm->calls[depth].saved));
				depth++;
				reg[10] += EBPF_STACK;
				goto jump;
			}
			if (unlikely(op->arg == CALL_TAIL)) {
				int64_t to = vm_tail_call(vm, reg);

				memset(&reg[0], 0, 6 * sizeof(reg[0]));
				vm->left -= CALL_STEPS + (int32_t)(pc - start);
				start = pc;
				if (to >= 0) {
					reg[1] = ADDRESS(REGION_CTX, 0);
					pc = start = (uint32_t)to;
				}
				if (unlikely(vm->faulted))
					goto fault;
				if (unlikely(vm->left < 0))
					goto exhausted;
				break;
			}
			vm->left -= CALL_STEPS;
			reg[0] = ((ebpf_helper)(uintptr_t)op->imm)(vm, reg);
			memset(&reg[1], 0, 5 * sizeof(reg[1]));
			if (unlikely(vm->faulted))
				goto fault;
			if (unlikely(vm->left < 0)) /* a call may cost much, and many may follow without a jump */
				goto exhausted;
			break;
		case BPF_JMP | BPF_EXIT:
			if (!depth) {
				vm->left -= (int32_t)(pc - start);
				return (int)(uint32_t)reg[0];
			}
			depth--;
			reg[10] -= EBPF_STACK;
			memcpy(&reg[6], vm->calls[depth].saved, sizeof(vm->calls[depth].saved));
			vm->left -= (int32_t)(pc - start);
			pc = start = vm->calls[depth].ret;
			if (unlikely(vm->left < 0))
				goto exhausted;
			break;
		case BPF_JMP | BPF_JA:
		case BPF_JMP32 | BPF_JA:
jump:
			vm->left -= (int32_t)(pc - start);
			pc = start = (uint32_t)op->off;
			if (unlikely(vm->left < 0))
				goto exhausted;
			break;
		default: /* ebpf.c lets no other through */
			__builtin_unreachable();
		}
	}

exhausted:
	vm_fault(vm, EBPF_FAULT_BUDGET, 0, 0);
	start++; /* as below: one is taken off again, and the place is the one that was not reached any more */
	pc++;
fault:
	vm->left -= (int32_t)(pc - start);
	__atomic_store_n(&vm->fault.pc, pc - 1, __ATOMIC_RELAXED);
	return -1;
}

int ebpf_run(void *arg, struct stack_xdp_frame *frame)
{
	struct ebpf_vm *vm = arg;
	int r;

	vm->frame = frame;
	vm->left = EBPF_BUDGET;
	vm->tails = 0;
	vm->regions[REGION_FRAME].lo = FRAME_OFFSET;
	vm_set_frame(vm);
	vm->faulted = false; /* and vm->fault stays: others read it meanwhile */
	r = run(vm);
	frame->steps = (uint32_t)(EBPF_BUDGET - vm->left);
	if (unlikely(r < 0 && vm->faulted)) {
		__atomic_store_n(&vm->fault.count, vm->fault.count + 1, __ATOMIC_RELAXED);
		return STACK_XDP_ABORTED;
	}
	return r;
}
