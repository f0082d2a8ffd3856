// SPDX-License-Identifier: MIT
/*
 * fuzz_ebpf.c: any bytes as an eBPF program, in three ways by the first byte: as instructions as they are; as instructions that are bent into valid ones, so that
 * programs get deep; as an object file. What is accepted is run on a frame. A program may do what it likes with its frame, its stack and its maps, but nothing
 * around them may change, it must end, and it must do the same again from the same start.
 */
#include "ebpf.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INSNS 256
#define ROOM      512
#define LEN       100
#define NMAPS     8 /* a power of 2 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_ebpf: %s\n", what);
	abort();
}

/* The frame in the middle of room that the program may ask for, and guards around that. */
struct room {
	unsigned char before[64], bytes[ROOM], after[64];
};

static struct room room;

static int adjust(struct stack_xdp_frame *f, int32_t head, int32_t tail)
{
	int64_t start = f->data - room.bytes + (int64_t)head, end = f->data - room.bytes + (int64_t)f->len + tail;

	if (start < 0 || end > ROOM || end - start < 14)
		return -1;
	f->data = room.bytes + start;
	f->len = (uint32_t)(end - start);
	return 0;
}

static void trace(void *arg, const char *line)
{
	*(size_t *)arg += strlen(line);
}

static int run(struct ebpf_prog *prog, struct stack_xdp_frame *f)
{
	size_t traced = 0;
	struct ebpf_env env = { .cpu = 1, .trace = trace, .arg = &traced };
	struct ebpf_fault fault;
	struct ebpf_vm *vm;
	char text[200];
	int r;

	memset(&room, 0xa5, sizeof(room));
	for (int i = 0; i < ROOM; i++)
		room.bytes[i] = (unsigned char)i;
	*f = (struct stack_xdp_frame){ .data = room.bytes + 200, .len = LEN, .ingress_ifindex = 3, .now = 1000, .adjust = adjust };
	must(ebpf_vm_new(&vm, prog, &env) == 0, "no memory");
	r = ebpf_run(vm, f);
	ebpf_vm_fault(vm, &fault);
	must(strlen(ebpf_fault_text(&fault, text, sizeof(text))) < sizeof(text) && (fault.count == 0) == (text[0] == 0), "a fault without a text");
	for (int i = 0; i < 64; i++)
		must(room.before[i] == 0xa5 && room.after[i] == 0xa5, "it wrote outside of its frame");
	ebpf_vm_free(vm);
	return r;
}

static void bend(struct bpf_insn *in, size_t i, size_t n)
{
	static const uint8_t codes[] = {
		0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x57, 0x5f, 0x67, 0x6f, 0x77, 0x7f, 0x87, 0x97, 0x9f, 0xa7, 0xaf, 0xb7, 0xbf, 0xc7, 0xcf, 0xd7,
		0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb4, 0xbc, 0xc4, 0xcc, 0xd4, 0xdc,
		0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b, 0xc3, 0xdb, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x55,
		0x5d, 0x65, 0x6d, 0x75, 0x7d, 0x85, 0x95, 0xa5, 0xad, 0xb5, 0xbd, 0xc5, 0xcd, 0xd5, 0xdd, 0x16, 0x1e, 0x26, 0x2e, 0x46, 0x4e, 0x56, 0xa6, 0xc6, 0x06, 0x18,
	};
	static const int32_t calls[] = { 1, 2, 3, 5, 6, 7, 8, 12, 23, 25, 28, 44, 51, 54, 65, 69, 118, 130, 131, 134, 188, 189, 190 };
	static const int32_t atomics[] = { 0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1 };
	uint8_t class, op;

	in->code = codes[in->code % sizeof(codes)];
	in->dst_reg %= 10;
	in->src_reg %= 11;
	class = BPF_CLASS(in->code);
	op = BPF_OP(in->code);
	if (class == BPF_JMP || class == BPF_JMP32) {
		int32_t to = (int32_t)((uint16_t)in->off % n);

		in->off = op == BPF_EXIT || op == BPF_CALL ? 0 : (int16_t)(to - (int32_t)i - 1);
		if (op == BPF_CALL && in->src_reg & 1) {
			in->src_reg = 1;
			in->imm = (int32_t)((uint32_t)in->imm % n) - (int32_t)i - 1;
		} else if (op == BPF_CALL) {
			in->src_reg = 0;
			in->imm = calls[(uint32_t)in->imm % (sizeof(calls) / sizeof(calls[0]))];
		} else if (op == BPF_EXIT || op == BPF_JA) {
			in->src_reg = 0;
			in->imm = op == BPF_JA && class == BPF_JMP32 ? in->off : 0;
			in->off = op == BPF_JA && class == BPF_JMP ? in->off : 0;
		} else if (BPF_SRC(in->code) == BPF_X) {
			in->imm = 0;
		} else {
			in->src_reg = 0;
		}
		if (op == BPF_CALL || op == BPF_EXIT || op == BPF_JA)
			in->dst_reg = 0;
	} else if (class == BPF_ALU || class == BPF_ALU64) {
		in->off = 0;
		if (op == BPF_END) {
			in->src_reg = 0;
			in->imm = 16 << (uint32_t)in->imm % 3;
		} else if (op == BPF_NEG) {
			in->src_reg = 0;
			in->imm = 0;
		} else if (BPF_SRC(in->code) == BPF_X) {
			in->imm = 0;
		} else {
			in->src_reg = 0;
			if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
				in->imm &= 31;
			in->imm |= op == BPF_DIV || op == BPF_MOD;
		}
	} else if (class == BPF_LDX || (class == BPF_STX && BPF_MODE(in->code) == BPF_MEM)) {
		in->imm = 0;
	} else if (class == BPF_STX) {
		in->imm = atomics[(uint32_t)in->imm % (sizeof(atomics) / sizeof(atomics[0]))];
		in->src_reg %= 10;
	} else if (class == BPF_ST) {
		in->src_reg = 0;
	}
	if ((class == BPF_LDX ? in->src_reg : in->dst_reg) == 10 && class != BPF_JMP)
		in->off = (int16_t)-8 - (int16_t)((uint16_t)in->off % 500);
}

static void maps_new(struct ebpf_map *maps[NMAPS])
{
	static const struct ebpf_map_spec specs[NMAPS] = {
		{ .name = "array", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 12, .max_entries = 3 },
		{ .name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 5, .value_size = 9, .max_entries = 3 },
		{ .name = "percpu", .type = BPF_MAP_TYPE_PERCPU_HASH, .key_size = 4, .value_size = 8, .max_entries = 2 },
		{ .name = "dev", .type = BPF_MAP_TYPE_DEVMAP, .key_size = 4, .value_size = 4, .max_entries = 2 },
		{ .name = "lru", .type = BPF_MAP_TYPE_LRU_HASH, .key_size = 1, .value_size = 8, .max_entries = 3 },
		{ .name = "lpm", .type = BPF_MAP_TYPE_LPM_TRIE, .key_size = 8, .value_size = 8, .max_entries = 3 },
		{ .name = "prog", .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 4 },
		{ .name = "ring", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096 },
	};
	char why[200];

	for (int i = 0; i < NMAPS; i++)
		must(ebpf_map_new(&maps[i], &specs[i], 2, 7, NULL, why, sizeof(why)) == 0, "a map");
}

static struct ebpf_prog *program(const uint8_t *data, size_t size, bool bent)
{
	struct bpf_insn insns[MAX_INSNS];
	size_t n = size / sizeof(insns[0]);
	struct ebpf_prog *prog = NULL;
	struct ebpf_map *maps[NMAPS];
	char why[256];

	n = n < MAX_INSNS - 1 ? n : MAX_INSNS - 1;
	memcpy(insns, data, n * sizeof(insns[0]));
	for (size_t i = 0; bent && i < n; i++) {
		bend(&insns[i], i, n + 1);
		if (insns[i].code == 0x18 && i + 1 < n) {
			insns[i].src_reg %= 3;
			insns[i].off = 0;
			insns[i].imm = insns[i].src_reg ? insns[i].imm & (NMAPS - 1) : insns[i].imm;
			insns[i + 1] = (struct bpf_insn){ .imm = insns[i].src_reg == 2 ? insns[i + 1].imm & 3 : insns[i + 1].imm & 7 };
			i++;
		} else if (insns[i].code == 0x18) {
			insns[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
		}
	}
	if (bent)
		insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	maps_new(maps);
	why[0] = '\0';
	if (ebpf_prog_new(&prog, insns, n, maps, NMAPS, why, sizeof(why)) < 0) {
		must(why[0] && !prog, "refused without a reason");
		return NULL;
	}
	for (uint32_t i = 0; i < 4; i++) { /* tail calls to the start, into the middle, and to nowhere */
		ebpf_prog_add_entry(prog, "entry", i * n / 4);
		ebpf_map_update(ebpf_prog_map(prog, 6), &i, &(uint32_t){ i + 1 }, 0);
	}
	return prog;
}

/* What people are shown of it. */
static void show(struct ebpf_prog *prog)
{
	for (unsigned m = 0; m < ebpf_prog_nmaps(prog); m++) {
		struct ebpf_map *map = ebpf_prog_map(prog, m);
		const struct ebpf_map_spec *s = ebpf_map_spec(map);
		unsigned char key[EBPF_KEY_MAX];
		unsigned char *values = malloc((size_t)s->value_size * ebpf_map_ncpu(map) + 1);

		must(values, "no memory");
		for (uint32_t slot = 0; slot < s->max_entries && slot < 16; slot++) {
			if (!ebpf_map_slot(map, slot, key, values))
				continue;
			json_decref(ebpf_json(prog, s->key_type, key, s->key_size));
			json_decref(ebpf_json(prog, s->value_type, values, s->value_size));
		}
		free(values);
	}
}

static struct ebpf_prog *object(const uint8_t *data, size_t size)
{
	struct ebpf_prog *prog = NULL;
	char why[256] = "", name[EBPF_NAME];

	if (ebpf_load_object(&prog, data, size, size % 2 ? "xdp" : NULL, 2, 7, name, why, sizeof(why)) < 0)
		must(why[0] && !prog, "refused without a reason");
	return prog;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size ? data[0] % 3 : 0;
	struct stack_xdp_frame f[2];
	struct ebpf_prog *prog;
	unsigned char once[ROOM];
	int r[2];

	if (!size)
		return 0;
	for (int i = 0; i < 2; i++) {
		prog = how == 2 ? object(data + 1, size - 1) : program(data + 1, size - 1, how == 1);
		if (!prog)
			return 0;
		r[i] = run(prog, &f[i]);
		show(prog);
		ebpf_prog_free(prog);
		if (!i)
			memcpy(once, room.bytes, ROOM);
	}
	must(r[0] == r[1] && f[0].len == f[1].len && memcmp(once, room.bytes, ROOM) == 0, "the second time it did something else");
	return 0;
}
