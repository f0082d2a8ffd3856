/* SPDX-License-Identifier: MIT */
/*
 * ebpf.c: an eBPF program (RFC 9669) before it runs: every instruction is checked and translated.
 *
 * What is proved here: each instruction exists and its unused fields are zero; registers are r0 to r10, and r10 is never written; jumps land on an instruction;
 * the end of the program is never run over; shifts and constant divisors make sense; called helpers exist; maps that are named are there; constant
 * offsets from r10 stay within the stack. What the machine proves at each step: every access to memory, the number of steps, the depth of calls.
 * So a loop needs no proof that it ends, and no pointer a proof where it points: what the kernel's verifier refuses here runs until it does wrong.
 *
 * All of RFC 9669's groups base32, base64, divmul32, divmul64, atomic32, atomic64 are there, and the instructions of cpu v4 but for the 32-bit jump's.
 *
 * Not done: the legacy packet group (BPF_ABS, BPF_IND), CO-RE relocations, uninitialised registers (they are zero).
 */
#include "ebpf_elf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define MEMSX 0x80 /* mode of a load that extends the sign (cpu v4) */

struct check {
	struct ebpf_prog *prog;
	const struct bpf_insn *insns;
	size_t  n, pc;
	char   *why;
	size_t  size;
};

static int refuse(const struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct check *c, const char *fmt, ...)
{
	int n = snprintf(c->why, c->size, "instruction %zu: ", c->pc);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < c->size)
		vsnprintf(c->why + n, c->size - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int reserved(const struct check *c)
{
	return refuse(c, "opcode 0x%02x has something in a field that must be 0", c->insns[c->pc].code);
}

static int unknown(const struct check *c)
{
	return refuse(c, "there is no opcode 0x%02x", c->insns[c->pc].code);
}

static int check_swap(const struct check *c, const struct bpf_insn *in, struct op *op)
{
	if (in->off || in->src_reg || (BPF_SRC(in->code) != BPF_K && BPF_CLASS(in->code) == BPF_ALU64))
		return reserved(c);
	if (in->imm != 16 && in->imm != 32 && in->imm != 64)
		return refuse(c, "bytes of a %d-bit value cannot be swapped", in->imm);
	op->arg = (uint8_t)in->imm;
	return 0;
}

static int check_alu(const struct check *c, const struct bpf_insn *in, struct op *op)
{
	bool wide = BPF_CLASS(in->code) == BPF_ALU64, by_reg = BPF_SRC(in->code) == BPF_X;
	uint8_t code = BPF_OP(in->code);

	if (code == BPF_END)
		return check_swap(c, in, op);
	if (code > BPF_END)
		return unknown(c);
	if (code == BPF_NEG) {
		if (by_reg || in->src_reg || in->off || in->imm)
			return reserved(c);
		return 0;
	}
	if (by_reg ? in->imm : in->src_reg)
		return reserved(c);
	if (code == BPF_MOV && by_reg && in->off) { /* with the sign of 8, 16 or 32 bits */
		if (in->off != 8 && in->off != 16 && !(in->off == 32 && wide))
			return reserved(c);
	} else if ((code == BPF_DIV || code == BPF_MOD) && in->off) { /* signed */
		if (in->off != 1)
			return reserved(c);
	} else if (in->off) {
		return reserved(c);
	}
	if ((code == BPF_DIV || code == BPF_MOD) && !by_reg && !in->imm)
		return refuse(c, "division by 0");
	if ((code == BPF_LSH || code == BPF_RSH || code == BPF_ARSH) && !by_reg && (in->imm < 0 || in->imm >= (wide ? 64 : 32)))
		return refuse(c, "shift by %d bits", in->imm);
	return 0;
}

static bool lands(const struct check *c, int64_t to)
{
	/* The second halves of 16-byte loads are marked. */
	return to >= 0 && to < (int64_t)c->n && c->prog->ops[to].arg != UINT8_MAX;
}

static int check_jump(const struct check *c, const struct bpf_insn *in, struct op *op)
{
	bool wide = BPF_CLASS(in->code) == BPF_JMP;
	uint8_t code = BPF_OP(in->code);
	int64_t to = (int64_t)c->pc + 1 + in->off;
	ebpf_helper helper;
	const char *name;

	if (code == BPF_EXIT || code == BPF_CALL) {
		if (!wide || BPF_SRC(in->code) != BPF_K)
			return unknown(c);
		if (in->dst_reg || in->off || (code == BPF_EXIT && (in->src_reg || in->imm)))
			return reserved(c);
		if (code == BPF_EXIT)
			return 0;
		op->arg = in->src_reg;
		if (in->src_reg == BPF_PSEUDO_CALL) {
			to = (int64_t)c->pc + 1 + in->imm;
			if (!lands(c, to))
				return refuse(c, "a call to instruction %lld, which there is not", (long long)to);
			op->off = (int32_t)to;
			return 0;
		}
		if (in->src_reg)
			return refuse(c, "calls of this kind (%u) are not supported", in->src_reg);
		if (in->imm == BPF_FUNC_tail_call) {
			op->arg = CALL_TAIL;
			return 0;
		}
		helper = ebpf_helper_find(in->imm, &name);
		if (!helper)
			return refuse(c, "helper %d%s%s%s is not supported", in->imm, name ? " (" : "", name ? name : "", name ? ")" : "");
		op->imm = (int64_t)(uintptr_t)helper;
		return 0;
	}
	if (code > BPF_JSLE)
		return unknown(c);
	if (code == BPF_JA) {
		if (BPF_SRC(in->code) != BPF_K || in->dst_reg || in->src_reg || (wide ? in->imm : in->off))
			return reserved(c);
		if (!wide)
			to = (int64_t)c->pc + 1 + in->imm;
	} else if (BPF_SRC(in->code) == BPF_X ? in->imm : in->src_reg) {
		return reserved(c);
	}
	if (!lands(c, to))
		return refuse(c, "a jump to instruction %lld, which there is not", (long long)to);
	op->off = (int32_t)to;
	return 0;
}

static unsigned bytes_of(uint8_t code)
{
	static const uint8_t bytes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };

	return bytes[BPF_SIZE(code) >> 3];
}

static int check_stack(const struct check *c, uint8_t reg, const struct bpf_insn *in)
{
	if (reg == BPF_REG_10 && (in->off < -EBPF_STACK || in->off + (int)bytes_of(in->code) > 0))
		return refuse(c, "r10%+d is outside of the stack of %d bytes", in->off, EBPF_STACK);
	return 0;
}

static int check_atomic(const struct check *c, const struct bpf_insn *in)
{
	if (BPF_SIZE(in->code) != BPF_W && BPF_SIZE(in->code) != BPF_DW)
		return unknown(c);
	switch (in->imm) {
	case BPF_ADD:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		break;
	case BPF_ADD | BPF_FETCH:
	case BPF_OR | BPF_FETCH:
	case BPF_AND | BPF_FETCH:
	case BPF_XOR | BPF_FETCH:
	case BPF_XCHG:
		if (in->src_reg == BPF_REG_10)
			return refuse(c, "r10 cannot be written");
		break;
	case BPF_CMPXCHG:
		break;
	default:
		return refuse(c, "there is no atomic operation 0x%02x", (unsigned)in->imm);
	}
	return check_stack(c, in->dst_reg, in);
}

static int check_memory(const struct check *c, const struct bpf_insn *in)
{
	uint8_t mode = BPF_MODE(in->code);

	switch (BPF_CLASS(in->code)) {
	case BPF_LDX:
		if (mode != BPF_MEM && !(mode == MEMSX && BPF_SIZE(in->code) != BPF_DW))
			return unknown(c);
		return in->imm ? reserved(c) : check_stack(c, in->src_reg, in);
	case BPF_ST:
		if (mode != BPF_MEM)
			return unknown(c);
		return in->src_reg ? reserved(c) : check_stack(c, in->dst_reg, in);
	default: /* BPF_STX */
		if (mode == BPF_ATOMIC)
			return check_atomic(c, in);
		if (mode != BPF_MEM)
			return unknown(c);
		return in->imm ? reserved(c) : check_stack(c, in->dst_reg, in);
	}
}

static int check_load_imm(const struct check *c, const struct bpf_insn *in, struct op *op)
{
	const struct ebpf_prog *prog = c->prog;

	if (in->code != (BPF_LD | BPF_IMM | BPF_DW))
		return refuse(c, "opcode 0x%02x (packet access of classic BPF) is not supported", in->code);
	if (c->pc + 1 == c->n || in[1].code || in[1].dst_reg || in[1].src_reg || in[1].off || in->off)
		return refuse(c, "half of a 16-byte load");
	op->imm = (int64_t)((uint64_t)(uint32_t)in[1].imm << 32 | (uint32_t)in->imm);
	if (!in->src_reg)
		return 0;
	if (in->src_reg != BPF_PSEUDO_MAP_FD && in->src_reg != BPF_PSEUDO_MAP_VALUE)
		return refuse(c, "16-byte loads of this kind (%u) are not supported", in->src_reg);
	if (in->imm < 0 || (unsigned)in->imm >= prog->nmaps)
		return refuse(c, "there is no map %d", in->imm);
	if (in->src_reg == BPF_PSEUDO_MAP_FD)
		op->imm = (int64_t)ADDRESS(MAP_HANDLE + (uint32_t)in->imm, 0);
	else if (in[1].imm < 0 || (uint32_t)in[1].imm > prog->maps[in->imm]->spec.value_size)
		return refuse(c, "offset %d is outside of map %s", in[1].imm, prog->maps[in->imm]->spec.name);
	else
		op->imm = (int64_t)ADDRESS(REGION_MAPS + (uint32_t)in->imm, in[1].imm);
	return 0;
}

static int check_one(const struct check *c)
{
	const struct bpf_insn *in = &c->insns[c->pc];
	struct op *op = &c->prog->ops[c->pc];
	uint8_t class = BPF_CLASS(in->code);

	if (in->dst_reg > BPF_REG_10 || in->src_reg > BPF_REG_10)
		return refuse(c, "there is no register r%u", in->dst_reg > BPF_REG_10 ? in->dst_reg : in->src_reg);
	if (in->dst_reg == BPF_REG_10 && (class == BPF_ALU || class == BPF_ALU64 || class == BPF_LDX || class == BPF_LD))
		return refuse(c, "r10 cannot be written");
	switch (class) {
	case BPF_ALU:
	case BPF_ALU64:
		return check_alu(c, in, op);
	case BPF_JMP:
	case BPF_JMP32:
		return check_jump(c, in, op);
	case BPF_LD:
		return check_load_imm(c, in, op);
	default:
		return check_memory(c, in);
	}
}

/* Whether what comes after this instruction is run next. */
static bool goes_on(uint8_t code)
{
	return code != (BPF_JMP | BPF_EXIT) && code != (BPF_JMP | BPF_JA) && code != (BPF_JMP32 | BPF_JA);
}

static int check_all(struct check *c)
{
	size_t last = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct bpf_insn *in = &c->insns[i];

		c->prog->ops[i] = (struct op){ .code = in->code, .dst = in->dst_reg, .src = in->src_reg, .off = in->off, .imm = in->imm };
		last = i;
		if (in->code == (BPF_LD | BPF_IMM | BPF_DW) && i + 1 < c->n)
			c->prog->ops[++i].arg = UINT8_MAX; /* not a place to land on */
	}
	for (c->pc = 0; c->pc < c->n; c->pc++) {
		int err;

		if (c->prog->ops[c->pc].arg == UINT8_MAX)
			continue;
		err = check_one(c);
		if (err)
			return err;
	}
	c->pc = last;
	return goes_on(c->insns[last].code) ? refuse(c, "the program does not end here") : 0;
}

int ebpf_prog_new(struct ebpf_prog **ret, const struct bpf_insn *insns, size_t n, struct ebpf_map *const *maps, unsigned nmaps, char *why, size_t size)
{
	struct ebpf_prog *prog = calloc(1, sizeof(*prog));
	struct check c = { .prog = prog, .insns = insns, .n = n, .why = why, .size = size };
	int err = -ENOMEM;

	why[0] = '\0';
	if (!prog || nmaps > EBPF_MAX_MAPS) {
		for (unsigned i = 0; i < nmaps; i++)
			ebpf_map_free(maps[i]);
		free(prog);
		if (nmaps > EBPF_MAX_MAPS)
			snprintf(why, size, "a program has at most %d maps", EBPF_MAX_MAPS);
		return nmaps > EBPF_MAX_MAPS ? -EINVAL : -ENOMEM;
	}
	for (unsigned i = 0; i < nmaps; i++)
		prog->maps[prog->nmaps++] = maps[i];
	if (n == 0 || n > EBPF_MAX_INSNS) {
		snprintf(why, size, n ? "a program has at most %d instructions" : "the program is empty", EBPF_MAX_INSNS);
		err = -EINVAL;
	} else {
		prog->n = n;
		prog->ops = calloc(n, sizeof(*prog->ops));
		if (prog->ops)
			err = check_all(&c);
	}
	if (err) {
		ebpf_prog_free(prog);
		return err;
	}
	*ret = prog;
	return 0;
}

void ebpf_prog_free(struct ebpf_prog *prog)
{
	if (!prog)
		return;
	for (unsigned i = 0; i < prog->nmaps; i++)
		ebpf_map_free(prog->maps[i]);
	ebpf_btf_free(prog->btf);
	free(prog->ops);
	free(prog);
}

int ebpf_prog_add_entry(struct ebpf_prog *prog, const char *name, size_t pc)
{
	if (pc >= prog->n || prog->ops[pc].arg == UINT8_MAX)
		return -EINVAL;
	if (prog->nentries == EBPF_MAX_ENTRIES)
		return -E2BIG;
	snprintf(prog->entries[prog->nentries].name, EBPF_NAME, "%s", name);
	prog->entries[prog->nentries++].pc = (uint32_t)pc;
	return 0;
}

int ebpf_prog_entry(const struct ebpf_prog *prog, const char *name)
{
	for (unsigned i = 0; i < prog->nentries; i++)
		if (strcmp(prog->entries[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

const char *ebpf_prog_entry_name(const struct ebpf_prog *prog, unsigned i)
{
	return i < prog->nentries ? prog->entries[i].name : NULL;
}

size_t ebpf_prog_insns(const struct ebpf_prog *prog)
{
	return prog->n;
}

unsigned ebpf_prog_nmaps(const struct ebpf_prog *prog)
{
	return prog->nmaps;
}

struct ebpf_map *ebpf_prog_map(const struct ebpf_prog *prog, unsigned i)
{
	return i < prog->nmaps ? prog->maps[i] : NULL;
}
