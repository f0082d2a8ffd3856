/* SPDX-License-Identifier: MIT */
/*
 * test_ebpf.c: the eBPF machine: what each instruction yields, what is refused before it runs, what is stopped while it runs, helpers and maps. Programs are put
 * together by hand; those of examples/xdp are tests/netns/xdp.sh's.
 */
#include "ebpf_elf.h"
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <jansson.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

#define I(c, d, s, o, i)  { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, i)         I(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOVR(d, s)        I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ALU(op, d, i)     I(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define ALUR(op, d, s)    I(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALU32(op, d, i)   I(BPF_ALU | (op) | BPF_K, d, 0, 0, i)
#define LDX(sz, d, s, o)  I(BPF_LDX | BPF_MEM | (sz), d, s, o, 0)
#define STX(sz, d, s, o)  I(BPF_STX | BPF_MEM | (sz), d, s, o, 0)
#define ST(sz, d, o, i)   I(BPF_ST | BPF_MEM | (sz), d, 0, o, i)
#define JMP(op, d, i, o)  I(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define JMPR(op, d, s, o) I(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JMP32(op, d, i, o) I(BPF_JMP32 | (op) | BPF_K, d, 0, o, i)
#define JA(o)             I(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(f)           I(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define LOCAL(o)          I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, o)
#define EXIT              I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LD64(d, src, lo, hi) I(BPF_LD | BPF_IMM | BPF_DW, d, src, 0, lo), I(0, 0, 0, 0, hi)
#define ATOMIC(sz, d, s, o, op) I(BPF_STX | BPF_ATOMIC | (sz), d, s, o, op)
#define MAX 24

static unsigned char bytes[256];
static char why[256];
static char traced[256];

static void trace(void *arg, const char *line)
{
	++*(unsigned *)arg;
	snprintf(traced, sizeof(traced), "%s", line);
}

/* The frame is in bytes, from 64 on. */

static int adjust(struct stack_xdp_frame *f, int32_t head, int32_t tail)
{
	unsigned char *data = f->data + head, *end = f->data + f->len + tail;

	if (data < bytes || end > bytes + sizeof(bytes) || end < data + 14)
		return -EINVAL;
	f->data = data;
	f->len = (uint32_t)(end - data);
	return 0;
}

static struct stack_xdp_frame frame_new(uint32_t len)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	return (struct stack_xdp_frame){ .data = bytes + 64, .len = len, .ingress_ifindex = 7, .now = 1234567890123, .adjust = adjust };
}

static struct ebpf_map *map_new(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max, uint32_t flags)
{
	struct ebpf_map_spec spec = { .name = "m", .type = type, .key_size = key_size, .value_size = value_size, .max_entries = max, .flags = flags };
	struct ebpf_map *map = NULL;

	cr_assert_eq(ebpf_map_new(&map, &spec, 2, 99, NULL, why, sizeof(why)), 0, "%s", why);
	return map;
}

/* The number of instructions of a table's row. */
static size_t length(const struct bpf_insn *insns)
{
	size_t n = MAX;

	while (n && !insns[n - 1].code && !insns[n - 1].imm)
		n--;
	return n;
}

static int load(struct ebpf_prog **prog, const struct bpf_insn *insns, struct ebpf_map *const *maps, unsigned nmaps)
{
	return ebpf_prog_new(prog, insns, length(insns), maps, nmaps, why, sizeof(why));
}

/* Runs and frees. fault: text of it. */
static int run_maps(const struct bpf_insn *insns, struct stack_xdp_frame *f, struct ebpf_map *const *maps, unsigned nmaps, unsigned cpu, char *fault, size_t size)
{
	struct ebpf_prog *prog = NULL;
	unsigned lines = 0;
	struct ebpf_env env = { .cpu = cpu, .trace = trace, .arg = &lines };
	struct ebpf_fault ft;
	struct ebpf_vm *vm;
	int r;

	cr_assert_eq(load(&prog, insns, maps, nmaps), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	r = ebpf_run(vm, f);
	ebpf_vm_fault(vm, &ft);
	ebpf_fault_text(&ft, fault, size);
	cr_assert_eq(ft.count != 0, fault[0] != '\0');
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
	return r;
}

static int run(const struct bpf_insn *insns, struct stack_xdp_frame *f, char *fault, size_t size)
{
	return run_maps(insns, f, NULL, 0, 1, fault, size);
}

/* ---- arithmetic: r0 of each, folded to 32 bits by the program itself ---- */

static const struct {
	const char     *what;
	uint32_t        want;
	struct bpf_insn insns[MAX];
} sums[] = {
	{ "a constant", 42, { MOV(0, 42), EXIT } },
	{ "add and multiply", 50, { MOV(0, 2), ALU(BPF_ADD, 0, 3), ALU(BPF_MUL, 0, 10), EXIT } },
	{ "a negative constant is extended", 1, { MOV(1, -1), MOV(0, 0), JMP(BPF_JNE, 1, -1, 1), MOV(0, 1), EXIT } },
	{ "32 bits clear the upper half", 1, { MOV(1, -1), ALU32(BPF_MOV, 1, 5), MOV(0, 0), JMP(BPF_JNE, 1, 5, 1), MOV(0, 1), EXIT } },
	{ "64 bits at once", 0x1234, { LD64(1, 0, 0, 0x1234), ALU(BPF_RSH, 1, 32), MOVR(0, 1), EXIT } },
	{ "division by a register that is 0 gives 0", 0, { MOV(0, 7), MOV(1, 0), ALUR(BPF_DIV, 0, 1), EXIT } },
	{ "modulo by a register that is 0 changes nothing", 7, { MOV(0, 7), MOV(1, 0), ALUR(BPF_MOD, 0, 1), EXIT } },
	{ "unsigned division", 0x7fffffff, { MOV(0, -2), I(BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0, 2), EXIT } },
	{ "signed division", (uint32_t)-3, { MOV(0, -7), I(BPF_ALU64 | BPF_DIV | BPF_K, 0, 0, 1, 2), EXIT } },
	{ "signed modulo", (uint32_t)-1, { MOV(0, -7), I(BPF_ALU64 | BPF_MOD | BPF_K, 0, 0, 1, 2), EXIT } },
	{ "the smallest number by -1", 0, { LD64(0, 0, 0, INT32_MIN), MOV(1, -1), I(BPF_ALU64 | BPF_DIV | BPF_X, 0, 1, 1, 0), EXIT } },
	{ "and modulo -1", 0, { LD64(0, 0, 0, INT32_MIN), MOV(1, -1), I(BPF_ALU64 | BPF_MOD | BPF_X, 0, 1, 1, 0), EXIT } },
	{ "the same in 32 bits", 0x80000000, { ALU32(BPF_MOV, 0, INT32_MIN), MOV(1, -1), I(BPF_ALU | BPF_DIV | BPF_X, 0, 1, 1, 0), EXIT } },
	{ "a shift by a register counts its low bits only", 2, { MOV(0, 1), MOV(1, 65), ALUR(BPF_LSH, 0, 1), EXIT } },
	{ "arithmetic shift", (uint32_t)-4, { MOV(0, -16), ALU(BPF_ARSH, 0, 2), EXIT } },
	{ "arithmetic shift in 32 bits", 0xff000000, { ALU32(BPF_MOV, 0, INT32_MIN), ALU32(BPF_ARSH, 0, 7), EXIT } },
	{ "negate", (uint32_t)-5, { MOV(0, 5), I(BPF_ALU64 | BPF_NEG, 0, 0, 0, 0), EXIT } },
	{ "move with the sign of 8 bits", (uint32_t)-1, { MOV(1, 255), I(BPF_ALU64 | BPF_MOV | BPF_X, 0, 1, 8, 0), EXIT } },
	{ "bytes of the network, 16 bits", 0x0201, { MOV(0, 0x30102), I(BPF_ALU | BPF_END | BPF_TO_BE, 0, 0, 0, 16), EXIT } },
	{ "bytes of the network, 32 bits", 0x04030201, { MOV(0, 0x01020304), I(BPF_ALU | BPF_END | BPF_TO_BE, 0, 0, 0, 32), EXIT } },
	{ "to little endian cuts", 0x0102, { MOV(0, 0x30102), I(BPF_ALU | BPF_END | BPF_TO_LE, 0, 0, 0, 16), EXIT } },
	{ "swap of all 64 bits", 0x01000000, { MOV(0, 1), I(BPF_ALU64 | BPF_END, 0, 0, 0, 64), ALU(BPF_RSH, 0, 32), EXIT } },
	{ "xor, or, and", 0x0e, { MOV(0, 12), ALU(BPF_XOR, 0, 10), ALU(BPF_OR, 0, 8), ALU(BPF_AND, 0, 15), EXIT } },
	{ "unsigned comparison", 1, { MOV(0, 0), MOV(1, -1), JMP(BPF_JLE, 1, 5, 1), MOV(0, 1), EXIT } },
	{ "signed comparison", 1, { MOV(0, 1), MOV(1, -1), JMP(BPF_JSLE, 1, 5, 1), MOV(0, 0), EXIT } },
	{ "comparison of 32 bits", 1, { MOV(0, 1), LD64(1, 0, 3, 9), JMP32(BPF_JEQ, 1, 3, 1), MOV(0, 0), EXIT } },
	{ "bits", 1, { MOV(0, 1), MOV(1, 6), JMP(BPF_JSET, 1, 2, 1), MOV(0, 0), EXIT } },
	{ "a loop that ends", 5050, { MOV(0, 0), MOV(1, 100), ALUR(BPF_ADD, 0, 1), ALU(BPF_SUB, 1, 1), JMP(BPF_JNE, 1, 0, -3), EXIT } },
	{ "the stack", 77, { ST(BPF_DW, 10, -8, 77), LDX(BPF_DW, 0, 10, -8), EXIT } },
	{ "the stack, its last byte", 3, { ST(BPF_B, 10, -512, 3), LDX(BPF_B, 0, 10, -512), EXIT } },
	{ "a load that extends the sign", (uint32_t)-2, { ST(BPF_B, 10, -1, 254), I(BPF_LDX | 0x80 | BPF_B, 0, 10, -1, 0), EXIT } },
	{ "a function: its registers and stack are its own", 12, { MOV(6, 5), ST(BPF_DW, 10, -8, 5), MOV(1, 2), LOCAL(4), LDX(BPF_DW, 1, 10, -8), ALUR(BPF_ADD, 0, 6),
	  ALUR(BPF_ADD, 0, 1), EXIT, MOVR(0, 1), MOV(6, 9), ST(BPF_DW, 10, -8, 9), EXIT } },
	{ "fetch and add", 11, { ST(BPF_DW, 10, -8, 10), MOV(1, 1), ATOMIC(BPF_DW, 10, 1, -8, BPF_ADD | BPF_FETCH), LDX(BPF_DW, 0, 10, -8), JMP(BPF_JEQ, 1, 10, 1), MOV(0, 0), EXIT } },
	{ "exchange", 10, { ST(BPF_W, 10, -8, 10), MOV(1, 1), ATOMIC(BPF_W, 10, 1, -8, BPF_XCHG), MOVR(0, 1), EXIT } },
	{ "compare and exchange", 5, { ST(BPF_DW, 10, -8, 10), MOV(0, 10), MOV(1, 5), ATOMIC(BPF_DW, 10, 1, -8, BPF_CMPXCHG), LDX(BPF_DW, 0, 10, -8), EXIT } },
	{ "compare and do not exchange", 10, { ST(BPF_DW, 10, -8, 10), MOV(0, 9), MOV(1, 5), ATOMIC(BPF_DW, 10, 1, -8, BPF_CMPXCHG), EXIT } },
	{ "atomic xor, and, or without fetch", 0x0d, { ST(BPF_DW, 10, -8, 3), MOV(1, 6), ATOMIC(BPF_DW, 10, 1, -8, BPF_XOR), MOV(1, 4), ATOMIC(BPF_DW, 10, 1, -8, BPF_AND),
	  MOV(1, 9), ATOMIC(BPF_DW, 10, 1, -8, BPF_OR), LDX(BPF_DW, 0, 10, -8), EXIT } },
	{ "a long jump", 1, { MOV(0, 1), I(BPF_JMP32 | BPF_JA, 0, 0, 0, 1), MOV(0, 2), EXIT } },
	{ "registers are zero, and after a helper r1 to r5 are again", 0, { ALUR(BPF_ADD, 9, 8), MOV(5, 3), CALL(BPF_FUNC_get_smp_processor_id), MOVR(0, 5), ALUR(BPF_ADD, 0, 9), EXIT } },
	{ "the context: the frame's first byte", 64, { LDX(BPF_W, 2, 1, 0), LDX(BPF_B, 0, 2, 0), EXIT } },
	{ "its length", 60, { LDX(BPF_W, 2, 1, 0), LDX(BPF_W, 0, 1, 4), ALUR(BPF_SUB, 0, 2), EXIT } },
	{ "its device", 7, { LDX(BPF_W, 0, 1, offsetof(struct xdp_md, ingress_ifindex)), EXIT } },
	{ "its queue", 1, { LDX(BPF_W, 0, 1, offsetof(struct xdp_md, rx_queue_index)), EXIT } },
	{ "its last byte", 123, { LDX(BPF_W, 2, 1, 4), LDX(BPF_B, 0, 2, -1), EXIT } },
	{ "bytes in the machine's order", 0x43424140, { LDX(BPF_W, 2, 1, 0), LDX(BPF_W, 0, 2, 0), EXIT } },
	{ "time", 1, { CALL(BPF_FUNC_ktime_get_ns), LD64(1, 0, (int32_t)(1234567890123 & 0xffffffff), 1234567890123 >> 32), JMPR(BPF_JEQ, 0, 1, 1), MOV(1, 0), MOVR(0, 1), JMP(BPF_JEQ, 0, 0, 1), MOV(0, 1), EXIT } },
	{ "helper: length", 60, { CALL(BPF_FUNC_xdp_get_buff_len), EXIT } },
	{ "helper: adjust the head", 60 + 20, { MOVR(6, 1), MOV(2, -20), CALL(BPF_FUNC_xdp_adjust_head), JMP(BPF_JNE, 0, 0, 3), LDX(BPF_W, 2, 6, 0), LDX(BPF_W, 0, 6, 4), ALUR(BPF_SUB, 0, 2), EXIT } },
	{ "after it there is more in front", 44, { MOVR(6, 1), MOV(2, -20), CALL(BPF_FUNC_xdp_adjust_head), LDX(BPF_W, 2, 6, 0), LDX(BPF_B, 0, 2, 0), EXIT } },
	{ "helper: too much of it", (uint32_t)-EINVAL, { MOV(2, 47), CALL(BPF_FUNC_xdp_adjust_head), EXIT } },
	{ "helper: adjust the tail", 50, { MOVR(6, 1), MOV(2, -10), CALL(BPF_FUNC_xdp_adjust_tail), MOVR(1, 6), CALL(BPF_FUNC_xdp_get_buff_len), EXIT } },
	{ "helper: no metadata", (uint32_t)-EOPNOTSUPP, { MOV(2, -4), CALL(BPF_FUNC_xdp_adjust_meta), EXIT } },
	{ "helper: load bytes", 70, { MOV(2, 6), MOVR(3, 10), ALU(BPF_ADD, 3, -8), MOV(4, 8), CALL(BPF_FUNC_xdp_load_bytes), LDX(BPF_B, 0, 10, -8), EXIT } },
	{ "helper: load bytes beyond the end", (uint32_t)-EINVAL, { MOV(2, 55), MOVR(3, 10), ALU(BPF_ADD, 3, -8), MOV(4, 8), CALL(BPF_FUNC_xdp_load_bytes), EXIT } },
	{ "helper: store bytes", 9, { MOVR(6, 1), ST(BPF_B, 10, -1, 9), MOV(2, 59), MOVR(3, 10), ALU(BPF_ADD, 3, -1), MOV(4, 1), CALL(BPF_FUNC_xdp_store_bytes), LDX(BPF_W, 2, 6, 4), LDX(BPF_B, 0, 2, -1), EXIT } },
	{ "helper: difference of checksums", 5, { ST(BPF_W, 10, -8, 10), ST(BPF_W, 10, -4, 15), MOVR(1, 10), ALU(BPF_ADD, 1, -8), MOV(2, 4), MOVR(3, 10), ALU(BPF_ADD, 3, -4), MOV(4, 4), MOV(5, 0),
	  CALL(BPF_FUNC_csum_diff), EXIT } },
};

Test(ebpf, arithmetic)
{
	char fault[200];

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		struct stack_xdp_frame f = frame_new(60);
		int r = run(sums[i].insns, &f, fault, sizeof(fault));

		cr_expect(f.steps > 0 && f.steps < 1000, "%s: %u steps", sums[i].what, f.steps);
		cr_expect_eq((uint32_t)r, sums[i].want, "%s: 0x%x and not 0x%x %s", sums[i].what, (unsigned)r, sums[i].want, fault);
		cr_expect(!fault[0], "%s: %s", sums[i].what, fault);
	}
}

/* ---- refused before it runs ---- */

static const struct {
	const char     *what, *why;
	struct bpf_insn insns[MAX];
} refused[] = {
	{ "an opcode that there is not", "no opcode 0xe6", { I(0xe6, 0, 0, 0, 1), EXIT } },
	{ "another one", "no opcode 0xf7", { I(0xf7, 0, 0, 0, 0), EXIT } },
	{ "register 11", "no register r11", { MOV(11, 0), EXIT } },
	{ "register 15 as source", "no register r15", { MOVR(0, 15), EXIT } },
	{ "writing r10", "r10 cannot be written", { MOV(10, 0), EXIT } },
	{ "loading r10", "r10 cannot be written", { LDX(BPF_DW, 10, 1, 0), EXIT } },
	{ "fetching into r10", "r10 cannot be written", { ATOMIC(BPF_DW, 1, 10, 0, BPF_XCHG), EXIT } },
	{ "no end", "does not end", { MOV(0, 0), MOV(1, 0) } },
	{ "an end that may be passed", "does not end", { MOV(0, 0), JMP(BPF_JEQ, 0, 0, -1) } },
	{ "a jump beyond the end", "a jump to instruction 3", { MOV(0, 0), JA(1), EXIT } },
	{ "a jump in front of the start", "a jump to instruction -1", { JA(-2), EXIT } },
	{ "a jump into a 16-byte load", "a jump to instruction 2", { JA(1), LD64(0, 0, 1, 2), EXIT } },
	{ "a call beyond the end", "a call to instruction 9", { LOCAL(8), EXIT } },
	{ "half of a 16-byte load", "half of a 16-byte load", { I(BPF_LD | BPF_IMM | BPF_DW, 0, 0, 0, 1), EXIT } },
	{ "a 16-byte load at the end", "half of a 16-byte load", { EXIT, I(BPF_LD | BPF_IMM | BPF_DW, 0, 0, 0, 1) } },
	{ "classic packet access", "classic BPF", { I(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, 0), EXIT } },
	{ "division by 0", "division by 0", { ALU(BPF_DIV, 0, 0), EXIT } },
	{ "modulo 0", "division by 0", { ALU(BPF_MOD, 0, 0), EXIT } },
	{ "a shift of 64", "shift by 64", { ALU(BPF_LSH, 0, 64), EXIT } },
	{ "a shift of 32 in 32 bits", "shift by 32", { ALU32(BPF_RSH, 0, 32), EXIT } },
	{ "a shift of -1", "shift by -1", { ALU(BPF_ARSH, 0, -1), EXIT } },
	{ "a swap of 24 bits", "24-bit", { I(BPF_ALU | BPF_END | BPF_TO_BE, 0, 0, 0, 24), EXIT } },
	{ "a helper that there is not", "helper 99999", { CALL(99999), EXIT } },
	{ "a helper that is known by name only", "bpf_sk_lookup_tcp", { CALL(BPF_FUNC_sk_lookup_tcp), EXIT } },
	{ "another one", "bpf_loop", { CALL(BPF_FUNC_loop), EXIT } },
	{ "a call of the kernel's own functions", "calls of this kind (2)", { I(BPF_JMP | BPF_CALL, 0, 2, 0, 5), EXIT } },
	{ "a map that there is not", "no map 0", { LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), EXIT } },
	{ "a load of another kind", "of this kind (3)", { LD64(1, 3, 0, 0), EXIT } },
	{ "beyond the stack", "outside of the stack", { LDX(BPF_B, 0, 10, 0), EXIT } },
	{ "below the stack", "outside of the stack", { ST(BPF_B, 10, -513, 0), EXIT } },
	{ "a part beyond the stack", "outside of the stack", { LDX(BPF_DW, 0, 10, -7), EXIT } },
	{ "an atomic operation that there is not", "no atomic operation 0x11", { ATOMIC(BPF_DW, 10, 1, -8, 0x11), EXIT } },
	{ "an atomic operation of a byte", "no opcode", { ATOMIC(BPF_B, 10, 1, -8, BPF_ADD), EXIT } },
	{ "a reserved field", "must be 0", { I(BPF_JMP | BPF_EXIT, 0, 0, 0, 1), EXIT } },
	{ "a reserved field of a load", "must be 0", { I(BPF_LDX | BPF_MEM | BPF_B, 0, 1, 0, 1), EXIT } },
	{ "a reserved field of a sum", "must be 0", { I(BPF_ALU64 | BPF_ADD | BPF_X, 0, 1, 0, 1), EXIT } },
	{ "a reserved offset", "must be 0", { I(BPF_ALU64 | BPF_ADD | BPF_K, 0, 0, 1, 1), EXIT } },
};

Test(ebpf, refused)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct ebpf_prog *prog = NULL;
		int r = load(&prog, refused[i].insns, NULL, 0);

		cr_expect_eq(r, -EINVAL, "%s: %d", refused[i].what, r);
		cr_expect(strstr(why, refused[i].why) != NULL, "%s: \"%s\"", refused[i].what, why);
		ebpf_prog_free(prog);
	}
	cr_expect_eq(ebpf_prog_new(&(struct ebpf_prog *){ NULL }, sums[0].insns, 0, NULL, 0, why, sizeof(why)), -EINVAL, "an empty program");
}

/* ---- stopped while it runs ---- */

static const struct {
	const char     *what, *why;
	struct bpf_insn insns[MAX];
} stopped[] = {
	{ "one byte beyond the frame", "instruction 1: reads 1 bytes at the frame+60", { LDX(BPF_W, 2, 1, 0), LDX(BPF_B, 0, 2, 60), EXIT } },
	{ "the last bytes and one more", "reads 4 bytes at the frame+57", { LDX(BPF_W, 2, 1, 0), LDX(BPF_W, 0, 2, 57), EXIT } },
	{ "one byte in front of the frame", "writes 1 bytes at the frame-1", { LDX(BPF_W, 2, 1, 0), ST(BPF_B, 2, -1, 0), EXIT } },
	{ "far beyond", "reads 8 bytes at the frame+32767", { LDX(BPF_W, 2, 1, 0), LDX(BPF_DW, 0, 2, 32767), EXIT } },
	{ "NULL", "reads 8 bytes at address+0", { LDX(BPF_DW, 0, 0, 0), EXIT } },
	{ "any address", "writes 8 bytes at address 0x", { LD64(2, 0, 0x12345678, 0x7fff), STX(BPF_DW, 2, 2, 0), EXIT } },
	{ "the highest address", "address 0xffff", { MOV(2, -1), LDX(BPF_DW, 0, 2, 0), EXIT } },
	{ "the stack by a register", "writes 8 bytes at the stack+4092", { MOVR(2, 10), ALU(BPF_ADD, 2, 4092 - 512), ST(BPF_DW, 2, 0, 0), EXIT } },
	{ "below the stack by a register", "writes 8 bytes at the context+4294967295", { MOVR(2, 10), ALU(BPF_SUB, 2, 513), ST(BPF_DW, 2, 0, 0), EXIT } },
	{ "writing the context", "writes 4 bytes at the context+0", { ST(BPF_W, 1, 0, 0), EXIT } },
	{ "the context by bytes", "reads 1 bytes at the context+0", { LDX(BPF_B, 0, 1, 0), EXIT } },
	{ "beyond the context", "reads 4 bytes at the context+24", { LDX(BPF_W, 0, 1, 24), EXIT } },
	{ "for ever, from the first on", "instruction 0: more than 65536 instructions", { JA(-1), EXIT } },
	{ "for ever", "more than 65536 instructions", { JA(-1), EXIT } },
	{ "for ever, with work", "more than 65536 instructions", { MOV(0, 0), ALU(BPF_ADD, 0, 1), JMP(BPF_JNE, 0, -1, -2), EXIT } },
	{ "functions within functions", "more than 8 functions", { LOCAL(-1), EXIT } },
	{ "two functions for ever", "more than", { LOCAL(1), EXIT, LOCAL(1), JA(-2), EXIT } },
	{ "a helper in a loop", "more than 65536 instructions", { CALL(BPF_FUNC_get_prandom_u32), JA(-2), EXIT } },
	{ "an unaligned atomic operation", "is not aligned", { ATOMIC(BPF_DW, 10, 1, -9, BPF_ADD), EXIT } },
	{ "no map", "not a map", { MOV(1, 0), CALL(BPF_FUNC_map_lookup_elem), EXIT } },
	{ "no context", "a helper", { MOV(1, 0), CALL(BPF_FUNC_xdp_get_buff_len), EXIT } },
	{ "a helper that reads beyond", "reads 9 bytes at the stack+4088", { MOV(2, 0), MOVR(3, 10), ALU(BPF_ADD, 3, 4096 - 520), MOV(4, 9), CALL(BPF_FUNC_xdp_store_bytes), EXIT } },
	{ "a stale pointer after the frame shrank", "reads 1 bytes at the frame+0", { MOVR(6, 1), LDX(BPF_W, 7, 1, 0), MOV(2, 14), CALL(BPF_FUNC_xdp_adjust_head), LDX(BPF_B, 0, 7, 0), EXIT } },
};

Test(ebpf, stopped)
{
	char fault[200];

	for (size_t i = 0; i < sizeof(stopped) / sizeof(stopped[0]); i++) {
		struct stack_xdp_frame f = frame_new(60);
		unsigned char before[sizeof(bytes)];
		int r;

		memcpy(before, bytes, sizeof(bytes));
		r = run(stopped[i].insns, &f, fault, sizeof(fault));
		cr_expect_eq(r, STACK_XDP_ABORTED, "%s: %d", stopped[i].what, r);
		cr_expect(strstr(fault, stopped[i].why) != NULL, "%s: \"%s\"", stopped[i].what, fault);
		cr_expect_eq(memcmp(before, bytes, sizeof(bytes)), 0, "%s: it wrote", stopped[i].what);
	}
}

/* ---- maps ---- */

Test(ebpf, array_of_a_program)
{
	/* r0 = ++m[1]; a missing element is NULL */
	static const struct bpf_insn insns[MAX] = {
		ST(BPF_W, 10, -4, 1), MOVR(2, 10), ALU(BPF_ADD, 2, -4), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), JMP(BPF_JEQ, 0, 0, 3),
		MOV(1, 1), ATOMIC(BPF_DW, 0, 1, 0, BPF_ADD), LDX(BPF_DW, 0, 0, 0), EXIT,
	};
	static const struct bpf_insn beyond[MAX] = {
		ST(BPF_W, 10, -4, 4), MOVR(2, 10), ALU(BPF_ADD, 2, -4), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), EXIT,
	};
	/* The map is 4 values of 8 bytes: offset 31 is the last, and one after it is not. */
	static const struct bpf_insn last[MAX] = { LD64(1, BPF_PSEUDO_MAP_VALUE, 0, 0), ST(BPF_B, 1, 31, 6), LDX(BPF_B, 0, 1, 31), EXIT };
	static const struct bpf_insn after[MAX] = { LD64(1, BPF_PSEUDO_MAP_VALUE, 0, 0), ST(BPF_B, 1, 32, 6), EXIT };
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	struct ebpf_env env = { .cpu = 0 };
	struct ebpf_vm *vm;
	uint64_t value = 5;
	uint32_t key = 1;
	char fault[200];

	cr_assert_eq(load(&prog, insns, &map, 1), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	cr_expect_eq(ebpf_run(vm, &f), 1);
	cr_expect_eq(ebpf_run(vm, &f), 2);
	cr_expect_eq(ebpf_map_update(map, &key, &value, 0), 0);
	cr_expect_eq(ebpf_run(vm, &f), 6);
	cr_expect(ebpf_map_slot(map, 1, &key, &value));
	cr_expect_eq(value, 6);
	cr_expect_eq(key, 1);
	cr_expect(!ebpf_map_slot(map, 4, &key, &value));
	cr_expect_eq(ebpf_map_update(map, &key, &value, BPF_NOEXIST), -EEXIST);
	cr_expect_eq(ebpf_map_delete(map, &key), -EINVAL, "an array's elements stay");
	key = 4;
	cr_expect_eq(ebpf_map_update(map, &key, &value, 0), -E2BIG);
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
	map = map_new(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	cr_expect_eq(run_maps(beyond, &f, &map, 1, 0, fault, sizeof(fault)), 0);
	map = map_new(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	cr_expect_eq(run_maps(last, &f, &map, 1, 0, fault, sizeof(fault)), 6);
	map = map_new(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	cr_expect_eq(run_maps(after, &f, &map, 1, 0, fault, sizeof(fault)), 0);
	cr_expect(strstr(fault, "writes 1 bytes at the values of map 0+32") != NULL, "%s", fault);
	map = map_new(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY_PROG);
	run_maps(last, &f, &map, 1, 0, fault, sizeof(fault));
	cr_expect(strstr(fault, "writes 1 bytes at the values of map 0+31") != NULL, "a map that programs only read: %s", fault);
}

Test(ebpf, hash)
{
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_HASH, 5, 3, 100, 0);
	unsigned char key[5] = "abcd", value[3] = { 1, 2, 3 }, got[3];
	unsigned n = 0;

	for (int i = 0; i < 100; i++) {
		key[0] = (unsigned char)i;
		value[0] = (unsigned char)(i + 1);
		cr_assert_eq(ebpf_map_update(map, key, value, i % 2 ? BPF_NOEXIST : BPF_ANY), 0);
	}
	key[0] = 200;
	cr_expect_eq(ebpf_map_update(map, key, value, 0), -E2BIG, "full");
	cr_expect_eq(ebpf_map_update(map, key, value, BPF_EXIST), -ENOENT);
	cr_expect_eq(ebpf_map_delete(map, key), -ENOENT);
	key[0] = 50;
	cr_expect_eq(ebpf_map_update(map, key, value, BPF_NOEXIST), -EEXIST);
	cr_expect_eq(ebpf_map_delete(map, key), 0);
	cr_expect_eq(ebpf_map_delete(map, key), -ENOENT);
	key[0] = 200;
	cr_expect_eq(ebpf_map_update(map, key, value, 0), 0, "the one that was free again");
	for (uint32_t i = 0; i < 100; i++)
		if (ebpf_map_slot(map, i, key, got)) {
			n++;
			cr_expect(key[0] == 200 || got[0] == key[0] + 1);
			cr_expect(key[0] != 50);
		}
	cr_expect_eq(n, 100);
	cr_expect_eq(ebpf_map_update(map, key, value, 3), -EINVAL);
	ebpf_map_free(map);
}

/* Per CPU: each machine sees its own value; an element that is new is zero for the others. */
Test(ebpf, per_cpu)
{
	static const struct bpf_insn insns[MAX] = {
		ST(BPF_W, 10, -4, 7), MOVR(2, 10), ALU(BPF_ADD, 2, -4), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), JMP(BPF_JEQ, 0, 0, 4),
		LDX(BPF_DW, 1, 0, 0), ALU(BPF_ADD, 1, 1), STX(BPF_DW, 0, 1, 0), MOVR(0, 1), EXIT,
	};
	static const struct bpf_insn update[MAX] = {
		ST(BPF_W, 10, -4, 7), ST(BPF_DW, 10, -16, 40), MOVR(2, 10), ALU(BPF_ADD, 2, -4), MOVR(3, 10), ALU(BPF_ADD, 3, -16), MOV(4, 0), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0),
		CALL(BPF_FUNC_map_update_elem), EXIT,
	};
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0);
	struct stack_xdp_frame f = frame_new(60);
	uint64_t values[2];
	uint32_t key;
	struct ebpf_prog *prog = NULL;
	struct ebpf_env env[2] = { { .cpu = 0 }, { .cpu = 1 } };
	struct ebpf_vm *vm[2];

	cr_expect_eq(ebpf_map_ncpu(map), 2);
	cr_assert_eq(load(&prog, insns, &map, 1), 0, "%s", why);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(ebpf_vm_new(&vm[i], prog, &env[i]), 0);
	cr_expect_eq(ebpf_run(vm[0], &f), 0, "there is none yet");
	key = 7;
	values[0] = 10;
	cr_expect_eq(ebpf_map_update(map, &key, values, 0), 0);
	cr_expect_eq(ebpf_run(vm[0], &f), 11);
	cr_expect_eq(ebpf_run(vm[0], &f), 12);
	cr_expect_eq(ebpf_run(vm[1], &f), 11);
	cr_expect(ebpf_map_slot(map, 0, &key, values));
	cr_expect(values[0] == 12 && values[1] == 11);
	for (int i = 0; i < 2; i++)
		ebpf_vm_free(vm[i]);
	ebpf_prog_free(prog);
	map = map_new(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0);
	cr_assert_eq(load(&prog, update, &map, 1), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm[1], prog, &env[1]), 0);
	cr_expect_eq(ebpf_run(vm[1], &f), 0);
	cr_expect(ebpf_map_slot(map, 0, &key, values));
	cr_expect(key == 7 && values[0] == 0 && values[1] == 40, "only its own");
	ebpf_vm_free(vm[1]);
	ebpf_prog_free(prog);
}

Test(ebpf, redirect)
{
	static const struct bpf_insn direct[MAX] = { MOV(1, 9), MOV(2, 0), CALL(BPF_FUNC_redirect), EXIT };
	static const struct bpf_insn flags[MAX] = { MOV(1, 9), MOV(2, 1), CALL(BPF_FUNC_redirect), EXIT };
	static const struct bpf_insn by_map[MAX] = { LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), MOV(2, 2), MOV(3, XDP_PASS), CALL(BPF_FUNC_redirect_map), EXIT };
	static const struct bpf_insn write_map[MAX] = { LD64(1, BPF_PSEUDO_MAP_VALUE, 0, 0), ST(BPF_W, 1, 0, 1), EXIT };
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0);
	struct stack_xdp_frame f = frame_new(60);
	uint32_t key = 2, ifindex = 33;
	char fault[200];

	cr_expect_eq(run(direct, &f, fault, sizeof(fault)), STACK_XDP_REDIRECT);
	cr_expect_eq(f.redirect_ifindex, 9);
	cr_expect_eq(run(flags, &f, fault, sizeof(fault)), STACK_XDP_ABORTED);
	cr_expect_eq(run_maps(by_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_PASS, "an empty element: what the flags say");
	map = map_new(BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0);
	cr_expect_eq(ebpf_map_update(map, &key, &ifindex, 0), 0);
	cr_expect_eq(run_maps(by_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_REDIRECT);
	cr_expect_eq(f.redirect_ifindex, 33);
	map = map_new(BPF_MAP_TYPE_ARRAY, 4, 4, 4, 0);
	cr_expect_eq(run_maps(by_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_ABORTED, "not a devmap");
	map = map_new(BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0);
	cr_expect_eq(run_maps(write_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_ABORTED, "programs do not write devmaps");
}

Test(ebpf, devmap_hash)
{
	static const struct bpf_insn by_map[MAX] = { LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), MOV(2, 70000), MOV(3, XDP_DROP), CALL(BPF_FUNC_redirect_map), EXIT };
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 4, 0);
	struct stack_xdp_frame f = frame_new(60);
	uint32_t key = 70000, ifindex = 5;
	char fault[200];

	cr_expect_eq(run_maps(by_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_DROP);
	map = map_new(BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 4, 0);
	cr_expect_eq(ebpf_map_update(map, &key, &ifindex, 0), 0);
	cr_expect_eq(run_maps(by_map, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_REDIRECT);
	cr_expect_eq(f.redirect_ifindex, 5);
}

/* ---- LRU against a naive twin: an array in the order of use ---- */

Test(ebpf, lru)
{
	enum { ROOM = 8, KEYS = 20, ROUNDS = 20000 };
	/* r0 = m[first 4 bytes of the frame] != NULL: a program's look counts as use */
	static const struct bpf_insn look[MAX] = {
		LDX(BPF_W, 2, 1, 0), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), JMP(BPF_JEQ, 0, 0, 1), MOV(0, 1), EXIT,
	};
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_LRU_HASH, 4, 4, ROOM, 0);
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	struct ebpf_env env = { .cpu = 0 };
	uint32_t twin[ROOM + 1], n = 0, random = 1;
	struct ebpf_vm *vm;

	cr_assert_eq(load(&prog, look, &map, 1), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t key = (random = random * 1103515245 + 12345) >> 16, at = 0, what = key >> 8 & 3, there = 0;

		key %= KEYS;
		while (at < n && twin[at] != key)
			at++;
		there = at < n;
		memcpy(f.data, &key, sizeof(key));
		if (what == 0) {
			cr_assert_eq(ebpf_map_delete(map, &key), there ? 0 : -ENOENT, "round %u", round);
		} else if (what == 1) {
			cr_assert_eq(ebpf_run(vm, &f), (int)there, "round %u: key %u", round, key);
		} else {
			cr_assert_eq(ebpf_map_update(map, &key, &round, BPF_ANY), 0, "round %u", round);
		}
		if (there)
			memmove(twin + at, twin + at + 1, (--n - at) * sizeof(*twin));
		if (what > 1 || (what == 1 && there))
			twin[n++] = key; /* the newest is the last */
		if (n > ROOM)
			memmove(twin, twin + 1, --n * sizeof(*twin));
	}
	for (uint32_t key = 0, slots = 0, value; key < ROOM; key++) {
		slots += ebpf_map_slot(map, key, &(uint32_t){ 0 }, &value);
		if (key == ROOM - 1)
			cr_expect_eq(slots, n);
	}
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
}

/* ---- longest prefix ---- */

Test(ebpf, longest_prefix)
{
	static const struct { uint32_t len; unsigned char prefix[4]; uint32_t value; } rows[] = {
		{ 0, { 0 }, 1 }, { 8, { 10, 99 }, 2 }, { 23, { 10, 1, 2 }, 3 }, { 32, { 10, 1, 3, 7 }, 4 },
	};
	static const struct { unsigned char addr[4]; uint32_t len, want; } looks[] = {
		{ { 192, 0, 2, 1 }, 32, 1 }, { { 10, 200, 0, 1 }, 32, 2 }, { { 10, 1, 2, 1 }, 32, 3 }, { { 10, 1, 3, 1 }, 32, 3 }, { { 10, 1, 3, 7 }, 32, 4 },
		{ { 10, 1, 3, 7 }, 31, 3 }, { { 10, 1, 3, 7 }, 22, 2 }, { { 10, 1, 3, 7 }, 0, 1 }, { { 10, 1, 3, 7 }, 99, 4 },
	};
	static const struct bpf_insn look[MAX] = {
		LDX(BPF_W, 2, 1, 0), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), JMP(BPF_JEQ, 0, 0, 1), LDX(BPF_W, 0, 0, 0), EXIT,
	};
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 4, BPF_F_NO_PREALLOC);
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	struct ebpf_env env = { .cpu = 0 };
	struct { uint32_t len; unsigned char prefix[4]; } key = { 33, { 1 } };
	struct ebpf_vm *vm;
	uint32_t value = 9;

	cr_assert_eq(load(&prog, look, &map, 1), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(ebpf_map_update(map, &rows[i], &rows[i].value, BPF_NOEXIST), 0, "%zu", i);
	cr_expect_eq(ebpf_map_update(map, &key, &value, 0), -EINVAL, "33 bits of 32");
	cr_expect_eq(ebpf_map_delete(map, &key), -EINVAL);
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		memcpy(f.data, &looks[i].len, 4);
		memcpy(f.data + 4, looks[i].addr, 4);
		cr_expect_eq((uint32_t)ebpf_run(vm, &f), looks[i].want, "%zu", i);
	}
	key.len = 8;
	memcpy(key.prefix, (unsigned char[]){ 10, 3, 3, 3 }, 4);
	cr_expect_eq(ebpf_map_delete(map, &key), 0, "bits behind the prefix do not count");
	memcpy(f.data, &(uint32_t){ 32 }, 4);
	memcpy(f.data + 4, looks[1].addr, 4);
	cr_expect_eq(ebpf_run(vm, &f), 1);
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
}

/* ---- tail calls ---- */

Test(ebpf, tail_calls)
{
	/* 0: r6 = 1, goes to element [first byte of the frame]; 0 when there is none. 8: 40 and what r6 is not any more. 10: itself, for ever. */
	static const struct bpf_insn insns[MAX] = {
		LDX(BPF_W, 3, 1, 0), LDX(BPF_B, 3, 3, 0), LD64(2, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_tail_call), MOV(0, 0), EXIT, JA(-1),
		MOV(0, 40), EXIT,
		MOV(3, 2), LD64(2, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_tail_call), MOV(0, 7), EXIT,
	};
	static const struct { unsigned char element; int want; } rows[] = { { 0, 0 }, { 1, 40 }, { 2, 7 }, { 3, 0 }, { 200, 0 } };
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0), *other;
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	struct ebpf_env env = { .cpu = 0 };
	struct ebpf_vm *vm;
	char fault[200];

	cr_assert_eq(load(&prog, insns, &map, 1), 0, "%s", why);
	cr_expect_eq(ebpf_prog_add_entry(prog, "forty", 8), 0);
	cr_expect_eq(ebpf_prog_add_entry(prog, "again", 10), 0);
	cr_expect_eq(ebpf_prog_add_entry(prog, "x", 3), -EINVAL, "half of an instruction");
	cr_expect_eq(ebpf_prog_add_entry(prog, "x", 99), -EINVAL);
	cr_expect_eq(ebpf_prog_entry(prog, "again"), 1);
	cr_expect_eq(ebpf_prog_entry(prog, "x"), -ENOENT);
	cr_expect_eq(ebpf_map_update(map, &(uint32_t){ 1 }, &(uint32_t){ 1 }, 0), 0);
	cr_expect_eq(ebpf_map_update(map, &(uint32_t){ 2 }, &(uint32_t){ 2 }, 0), 0);
	cr_expect_eq(ebpf_map_update(map, &(uint32_t){ 3 }, &(uint32_t){ 77 }, 0), 0, "no program has this number");
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.data[0] = rows[i].element;
		cr_expect_eq(ebpf_run(vm, &f), rows[i].want, "element %u", rows[i].element);
	}
	f.data[0] = 1;
	cr_expect_eq(ebpf_map_delete(map, &(uint32_t){ 1 }), 0);
	cr_expect_eq(ebpf_run(vm, &f), 0, "it was taken out");
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
	other = map_new(BPF_MAP_TYPE_ARRAY, 4, 4, 4, 0);
	cr_expect_eq(run_maps(insns, &f, &other, 1, 0, fault, sizeof(fault)), STACK_XDP_ABORTED, "not a prog_array");
}

/* ---- events that nobody reads; what programs may not look into ---- */

Test(ebpf, outputs)
{
	static const struct bpf_insn perf[MAX] = { ST(BPF_DW, 10, -8, 1), LD64(2, BPF_PSEUDO_MAP_FD, 0, 0), MOV(3, -1), MOVR(4, 10), ALU(BPF_ADD, 4, -8), MOV(5, 8),
						   CALL(BPF_FUNC_perf_event_output), EXIT };
	static const struct bpf_insn reserve[MAX] = { LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), MOV(2, 16), MOV(3, 0), CALL(BPF_FUNC_ringbuf_reserve), EXIT };
	static const struct bpf_insn output[MAX] = { ST(BPF_DW, 10, -8, 1), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), MOVR(2, 10), ALU(BPF_ADD, 2, -8), MOV(3, 8), MOV(4, 0),
						     CALL(BPF_FUNC_ringbuf_output), EXIT };
	static const struct bpf_insn peek[MAX] = { LD64(1, BPF_PSEUDO_MAP_VALUE, 0, 0), LDX(BPF_B, 0, 1, 0), EXIT };
	static const struct bpf_insn lookup[MAX] = { ST(BPF_W, 10, -4, 0), MOVR(2, 10), ALU(BPF_ADD, 2, -4), LD64(1, BPF_PSEUDO_MAP_FD, 0, 0), CALL(BPF_FUNC_map_lookup_elem), EXIT };
	static const struct { const struct bpf_insn *insns; uint32_t type; int want; } rows[] = {
		{ perf, BPF_MAP_TYPE_PERF_EVENT_ARRAY, -ENOENT }, { perf, BPF_MAP_TYPE_RINGBUF, STACK_XDP_ABORTED },
		{ reserve, BPF_MAP_TYPE_RINGBUF, 0 }, { reserve, BPF_MAP_TYPE_PERF_EVENT_ARRAY, STACK_XDP_ABORTED }, { output, BPF_MAP_TYPE_RINGBUF, -EAGAIN },
		{ peek, BPF_MAP_TYPE_RINGBUF, STACK_XDP_ABORTED }, { peek, BPF_MAP_TYPE_PROG_ARRAY, STACK_XDP_ABORTED }, { lookup, BPF_MAP_TYPE_PROG_ARRAY, STACK_XDP_ABORTED },
	};
	char fault[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ebpf_map *map = map_new(rows[i].type, 4, 4, 4096, 0);
		struct stack_xdp_frame f = frame_new(60);

		cr_expect_eq(run_maps(rows[i].insns, &f, &map, 1, 0, fault, sizeof(fault)), rows[i].want, "row %zu: %s", i, fault);
	}
}

/* ---- routes: what goes to the stack and what comes back ---- */

static struct stack_xdp_fib asked;

static void fib(struct stack_xdp_frame *frame, struct stack_xdp_fib *ret)
{
	(void)frame;
	asked = *ret;
	ret->ifindex = 9;
	ret->mtu = 1400;
	ret->dmac = (struct eth_addr){ { 2, 0, 0, 0, 0, 9 } };
	ret->ret = ret->tos == 1 ? STACK_XDP_FIB_NO_NEIGH : ret->len > 1400 ? STACK_XDP_FIB_FRAG_NEEDED : STACK_XDP_FIB_OK;
}

Test(ebpf, fib_lookup)
{
	/* the frame holds the parameters; r0 is the answer */
	static const struct bpf_insn insns[MAX] = { LDX(BPF_W, 2, 1, 0), MOV(3, sizeof(struct bpf_fib_lookup)), MOV(4, BPF_FIB_LOOKUP_OUTPUT), CALL(BPF_FUNC_fib_lookup), EXIT };
	static const struct bpf_insn small[MAX] = { LDX(BPF_W, 2, 1, 0), MOV(3, 20), MOV(4, 0), CALL(BPF_FUNC_fib_lookup), EXIT };
	static const struct bpf_insn flags[MAX] = { LDX(BPF_W, 2, 1, 0), MOV(3, sizeof(struct bpf_fib_lookup)), MOV(4, 1024), CALL(BPF_FUNC_fib_lookup), EXIT };
	struct bpf_fib_lookup p = { .family = 2, .tot_len = 100, .ifindex = 3, .ipv4_src = 0x01020304, .ipv4_dst = 0x05060708 };
	struct stack_xdp_frame f = frame_new(100);
	char fault[200];

	memcpy(f.data, &p, sizeof(p));
	cr_expect_eq(run(insns, &f, fault, sizeof(fault)), -EAFNOSUPPORT, "nobody to ask");
	f.fib_lookup = fib;
	cr_expect_eq(run(insns, &f, fault, sizeof(fault)), 0);
	cr_expect(asked.ifindex == 3 && asked.saddr == 0x01020304 && asked.daddr == 0x05060708 && asked.len == 100 && asked.output && !asked.main_only);
	memcpy(&p, f.data, sizeof(p));
	cr_expect(p.ifindex == 9 && p.mtu_result == 1400 && p.dmac[5] == 9 && p.ipv4_dst == 0x05060708);
	p.tot_len = 1401;
	memcpy(f.data, &p, sizeof(p));
	cr_expect_eq(run(insns, &f, fault, sizeof(fault)), BPF_FIB_LKUP_RET_FRAG_NEEDED);
	p.tos = 1;
	memcpy(f.data, &p, sizeof(p));
	cr_expect_eq(run(insns, &f, fault, sizeof(fault)), BPF_FIB_LKUP_RET_NO_NEIGH);
	cr_expect_eq(run(small, &f, fault, sizeof(fault)), -EINVAL);
	cr_expect_eq(run(flags, &f, fault, sizeof(fault)), -EINVAL);
	p.family = 10;
	memcpy(f.data, &p, sizeof(p));
	cr_expect_eq(run(insns, &f, fault, sizeof(fault)), -EAFNOSUPPORT);
}

/* Who asks while the program runs sees the last fault, too. */
static void look(void *arg, const char *line)
{
	struct ebpf_vm *const *vm = arg;
	struct ebpf_fault ft;

	(void)line;
	ebpf_vm_fault(*vm, &ft);
	ebpf_fault_text(&ft, traced, sizeof(traced));
}

Test(ebpf, fault_stays_to_be_seen)
{
	static const struct bpf_insn insns[MAX] = { ST(BPF_W, 10, -8, 'x'), ST(BPF_W, 10, -4, 0), MOVR(1, 10), ALU(BPF_ADD, 1, -8), MOV(2, 8), CALL(BPF_FUNC_trace_printk), MOV(1, 0), LDX(BPF_B, 0, 1, 0), EXIT };
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	struct ebpf_vm *vm = NULL;
	struct ebpf_env env = { .trace = look, .arg = &vm };
	struct ebpf_fault ft;

	cr_assert_eq(load(&prog, insns, NULL, 0), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	cr_expect_eq(ebpf_run(vm, &f), STACK_XDP_ABORTED);
	cr_expect_str_eq(traced, "", "before the first: %s", traced);
	cr_expect_eq(ebpf_run(vm, &f), STACK_XDP_ABORTED);
	cr_expect(strstr(traced, "instruction 7: reads 1 bytes at address+0") != NULL, "in the second run: \"%s\"", traced);
	ebpf_vm_fault(vm, &ft);
	cr_expect_eq(ft.count, 2);
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
}

Test(ebpf, trace_is_limited)
{
	/* "n=%d\0" on the stack */
	static const struct bpf_insn insns[MAX] = { ST(BPF_W, 10, -8, 'n' | '=' << 8 | '%' << 16 | 'd' << 24), ST(BPF_W, 10, -4, 0), MOVR(1, 10), ALU(BPF_ADD, 1, -8), MOV(2, 8), MOV(3, -5), CALL(BPF_FUNC_trace_printk), EXIT };
	struct stack_xdp_frame f = frame_new(60);
	struct ebpf_prog *prog = NULL;
	unsigned lines = 0;
	struct ebpf_env env = { .trace = trace, .arg = &lines };
	struct ebpf_vm *vm;

	cr_assert_eq(load(&prog, insns, NULL, 0), 0, "%s", why);
	cr_assert_eq(ebpf_vm_new(&vm, prog, &env), 0);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(ebpf_run(vm, &f), 4);
	cr_expect_str_eq(traced, "n=-5");
	cr_expect_eq(lines, 10);
	f.now += NSEC_PER_SEC;
	ebpf_run(vm, &f);
	cr_expect_eq(lines, 11);
	ebpf_vm_free(vm);
	ebpf_prog_free(prog);
}

/* What a call costs counts where it is made: not at the next jump, which may never come. */
Test(ebpf, calls_cost_what_they_read)
{
	static const struct bpf_insn insns[MAX] = { LD64(1, BPF_PSEUDO_MAP_VALUE, 0, 0), MOV(2, 1 << 20), CALL(BPF_FUNC_trace_printk), MOV(0, 1), EXIT };
	struct ebpf_map *map = map_new(BPF_MAP_TYPE_ARRAY, 4, 65536, 17, 0);
	struct stack_xdp_frame f = frame_new(60);
	char fault[128];

	cr_expect_eq(run_maps(insns, &f, &map, 1, 0, fault, sizeof(fault)), STACK_XDP_ABORTED, "a format of 1 MiB");
	cr_expect_not_null(strstr(fault, "more than"), "%s", fault);
	cr_expect_gt(f.steps, 65536);
}

Test(ebpf, bad_maps)
{
	static const struct ebpf_map_spec bad[] = {
		{ .type = BPF_MAP_TYPE_QUEUE, .key_size = 4, .value_size = 4, .max_entries = 1 },
		{ .type = 4096, .key_size = 4, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_LPM_TRIE, .key_size = 4, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_LPM_TRIE, .key_size = 37, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 8, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_HASH, .key_size = 0, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_HASH, .key_size = 513, .value_size = 4, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 0, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 0 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 65536, .max_entries = 65536 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 65537, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = UINT32_MAX },
		{ .type = BPF_MAP_TYPE_DEVMAP, .key_size = 4, .value_size = 16, .max_entries = 1 },
		{ .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1, .flags = BPF_F_NUMA_NODE },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ebpf_map *map = NULL;

		why[0] = '\0';
		cr_expect_lt(ebpf_map_new(&map, &bad[i], 1, 1, NULL, why, sizeof(why)), 0, "%zu", i);
		cr_expect(why[0] && !map);
	}
}

Test(ebpf, objects_that_are_none)
{
	static const char text[] = "this is not an object file, whatever its name says";
	struct ebpf_prog *prog = NULL;
	char name[EBPF_NAME];

	cr_expect_lt(ebpf_load_object(&prog, text, sizeof(text), NULL, 1, 1, name, why, sizeof(why)), 0);
	cr_expect(why[0] && !prog);
}

/* ---- objects that are more work than they look: sections on top of each other, names as long as the file ---- */

struct object {
	Elf64_Ehdr      eh;
	struct bpf_insn insns[2];
	Elf64_Sym       syms[40];
	Elf64_Rel       rels[256];
	char            btf[32];
	char            strings[2048]; /* 1: "xdp", 5: ".BTF", 16: a long name */
	Elf64_Shdr      sections[520];
};

static struct object *object_new(unsigned nsyms)
{
	struct object *o = calloc(1, sizeof(*o));

	cr_assert_not_null(o);
	memcpy(o->eh.e_ident, ELFMAG, SELFMAG);
	o->eh.e_ident[EI_CLASS] = ELFCLASS64;
	o->eh.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	o->eh.e_type = ET_REL;
	o->eh.e_machine = EM_BPF;
	o->eh.e_shoff = offsetof(struct object, sections);
	o->eh.e_shentsize = sizeof(Elf64_Shdr);
	o->eh.e_shstrndx = 2;
	o->eh.e_shnum = 4;
	o->insns[0] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 2 };
	o->insns[1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	memcpy(o->strings + 1, "xdp\0.BTF", 9);
	memset(o->strings + 16, 'A', sizeof(o->strings) - 17);
	for (unsigned i = 1; i <= nsyms; i++)
		o->syms[i] = (Elf64_Sym){ .st_name = 16, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_size = sizeof(o->insns) };
	o->sections[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_flags = SHF_EXECINSTR, .sh_offset = offsetof(struct object, insns),
				       .sh_size = sizeof(o->insns) };
	o->sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct object, strings), .sh_size = sizeof(o->strings) };
	o->sections[3] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB, .sh_link = 2, .sh_offset = offsetof(struct object, syms), .sh_size = (nsyms + 1) * sizeof(Elf64_Sym) };
	return o;
}

static void object_section(struct object *o, uint32_t name, uint32_t type, uint64_t off, uint64_t size)
{
	o->sections[o->eh.e_shnum++] = (Elf64_Shdr){ .sh_name = name, .sh_type = type, .sh_offset = off, .sh_size = size, .sh_link = 3, .sh_info = 1 };
}

static int object_load_one(struct object *o, const char *section)
{
	struct ebpf_prog *prog = NULL;
	char name[EBPF_NAME];
	int err = ebpf_load_object(&prog, o, sizeof(*o), section, 1, 1, name, why, sizeof(why));

	ebpf_prog_free(prog);
	free(o);
	return err;
}

static int object_load(struct object *o)
{
	return object_load_one(o, NULL);
}

Test(ebpf, objects_that_are_endless)
{
	static const struct btf_header btf = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(btf), .str_len = 1 };
	struct object *o = object_new(1);

	cr_assert_eq(object_load(o), 0, "%s", why);
	o = object_new(1);
	for (unsigned i = 0; i < 256; i++)
		o->rels[i].r_offset = 1 << 20; /* of no code that we take */
	for (unsigned i = 0; i < 256; i++)
		object_section(o, 0, SHT_REL, offsetof(struct object, rels), sizeof(o->rels));
	cr_assert_eq(object_load(o), 0, "as many references as a program can have: %s", why);
	o = object_new(1);
	for (unsigned i = 0; i < 257; i++)
		object_section(o, 0, SHT_REL, offsetof(struct object, rels), sizeof(o->rels));
	for (unsigned i = 0; i < 256; i++)
		o->rels[i].r_offset = 1 << 20;
	cr_assert_eq(object_load(o), -E2BIG);
	cr_assert_not_null(strstr(why, "references"), "%s", why);

	o = object_new(1);
	memcpy(o->btf, &btf, sizeof(btf));
	object_section(o, 5, SHT_PROGBITS, offsetof(struct object, btf), sizeof(btf) + 1);
	cr_assert_eq(object_load(o), 0, "%s", why);
	o = object_new(1);
	memcpy(o->btf, &btf, sizeof(btf));
	object_section(o, 5, SHT_PROGBITS, offsetof(struct object, btf), sizeof(btf) + 1);
	object_section(o, 5, SHT_PROGBITS, offsetof(struct object, btf), sizeof(btf) + 1);
	cr_assert_eq(object_load(o), -ENOEXEC, "the same type information twice: %s", why);

	cr_assert_eq(object_load(object_new(39)), -EINVAL);
	cr_assert_not_null(strstr(why, "AAAA (section xdp)"), "the names are cut, not the message: %s", why);
}

/* A union: each member is all of the value once more. */
Test(ebpf, types_on_top_of_each_other)
{
	enum { VALUE = 12000, MEMBERS = 100 };
	static unsigned char value[VALUE];
	static struct {
		struct btf_header  h;
		struct btf_type    byte; /* 1 */
		uint32_t           byte_bits;
		struct btf_type    list; /* 2 */
		struct btf_array   list_of;
		struct btf_type    all; /* 3 */
		struct btf_member  members[MEMBERS];
		char               strings[MEMBERS + 2];
	} o = {
		.h = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(o.h), .type_len = offsetof(typeof(o), strings) - sizeof(o.h),
		       .str_off = offsetof(typeof(o), strings) - sizeof(o.h), .str_len = sizeof(o.strings) },
		.byte = { .info = BTF_KIND_INT << 24, .size = 1 }, .byte_bits = 8,
		.list = { .info = BTF_KIND_ARRAY << 24 }, .list_of = { .type = 1, .index_type = 1, .nelems = VALUE },
		.all = { .info = BTF_KIND_UNION << 24 | MEMBERS, .size = VALUE },
	};
	struct ebpf_prog prog = { .n = 0 };
	json_t *r, *first;

	memset(o.strings + 1, 'm', MEMBERS);
	for (uint32_t i = 0; i < MEMBERS; i++)
		o.members[i] = (struct btf_member){ .name_off = i + 1, .type = 2 };
	cr_assert_eq(ebpf_btf_new(&prog.btf, &o, sizeof(o), why, sizeof(why)), 0, "%s", why);
	r = ebpf_json(&prog, 3, value, sizeof(value));
	cr_assert_eq(json_object_size(r), MEMBERS);
	first = json_object_get(r, o.strings + 1);
	cr_expect_eq(json_string_length(first), 2 * VALUE);
	cr_expect_lt(json_dumpb(r, NULL, 0, JSON_COMPACT), 200000, "what is read is bounded, however many members there are");
	json_decref(r);
	ebpf_btf_free(prog.btf);
}

/* Of two programs in a section one is taken: a call of the other would lead anywhere. */
Test(ebpf, call_of_what_was_not_taken)
{
	struct object *o = object_new(2);

	memcpy(o->strings + 16, "one", 4);
	memcpy(o->strings + 20, "two", 4);
	o->insns[0] = (struct bpf_insn)LOCAL(-1);
	o->syms[2].st_name = 20;
	o->syms[1].st_size = o->syms[2].st_value = o->syms[2].st_size = sizeof(o->insns[0]);
	o->rels[0].r_info = ELF64_R_INFO(2, 10);
	object_section(o, 0, SHT_REL, offsetof(struct object, rels), sizeof(o->rels[0]));
	cr_assert_lt(object_load_one(o, "one"), 0);
	cr_assert_not_null(strstr(why, "another program"), "%s", why);
}
