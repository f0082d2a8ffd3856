/* SPDX-License-Identifier: MIT */
/*
 * ebpf_elf.c: a program out of an object file, as clang -target bpf -g -c writes it: ELF, 64 bits, of this machine's byte order.
 *
 * What the kernel's loader library does is done here: maps are made from what BTF says of them (ebpf_btf.c), global variables become maps (.bss, .data, .rodata: one
 * value each, the section), and relocations are resolved:
 *   - a reference to a map, or to a global variable, becomes the map's number, and the offset in it;
 *   - a call of a function in .text: .text is put behind the program, and the call points there.
 * Several programs may be in a file: one is chosen by the name of its section or of its function. Where there is a prog_array, the others of XDP come along, for
 * tail calls, and what the array lists (relocations of section .maps) is put in.
 *
 * Why not libbpf: that of Debian 12 (1.1) reads what clang writes, but dies of files that are damaged, as the fuzz program found within seconds; and an
 * object file comes over the control socket. Here every offset and length is checked against the file, and nothing is believed twice. Nor is anything read without
 * end: sections that lie on top of each other, and names as long as the file, cost no more than what honest compilers write.
 *
 * Not done: CO-RE relocations (struct xdp_md needs none), external variables (kconfig, ksyms), maps defined without BTF.
 */
#include "ebpf_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define MAX_SECTIONS 4096
#define NAMES_TOLD   8 /* programs that a message lists, */
#define NAME_TOLD    32 /* with so many characters of each name */
#define MAX_LISTED   1024 /* elements of prog_arrays that are there from the start */
#define MAX_LOOKUPS  256 /* variables that are shown by name */
#define VARIABLE_NAME 64 /* characters in which names of variables are told apart */

/* Where a piece of code came from and where it is now, in instructions. */
struct piece {
	size_t      section, from, count, base;
	const char *name;
};

struct load {
	const unsigned char *file; /* aligned to 8 */
	size_t      len;
	const Elf64_Shdr *sections;
	size_t      nsections, text;
	const char *names; /* of sections */
	size_t      names_len;
	const Elf64_Sym *symbols;
	size_t      nsyms;
	const char *strings; /* of symbols */
	size_t      strings_len;
	unsigned    ncpu;
	uint64_t    seed;
	struct ebpf_btf *btf;
	struct ebpf_map *maps[EBPF_MAX_MAPS];
	unsigned    nmaps;
	size_t      looked_in; /* section whose variables are looked for */
	unsigned    lookups;
	struct bpf_insn *insns;
	size_t      n, nrels;
	struct piece pieces[EBPF_MAX_ENTRIES];
	unsigned    npieces;
	char       *why;
	size_t      size;
};

static int refuse(const struct load *l, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(const struct load *l, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, l->size, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- sections and symbols ---- */

static int damaged(const struct load *l)
{
	return refuse(l, -ENOEXEC, "the object file is damaged");
}

/* n bytes at off, aligned for what is read there; NULL: not in the file. */
static const void *bytes_at(const struct load *l, uint64_t off, uint64_t n, size_t align)
{
	return off <= l->len && n <= l->len - off && off % align == 0 ? l->file + off : NULL;
}

static const unsigned char *section_bytes(const struct load *l, size_t i, size_t align, size_t *ret_len)
{
	const Elf64_Shdr *sh = &l->sections[i];

	if (sh->sh_type == SHT_NOBITS)
		return NULL;
	*ret_len = sh->sh_size;
	return bytes_at(l, sh->sh_offset, sh->sh_size, align);
}

/* Text at off of a string table whose last byte is 0. */
static const char *text_at(const char *table, size_t len, uint64_t off)
{
	return off < len ? table + off : "";
}

static const char *section_name(const struct load *l, size_t i)
{
	return i < l->nsections ? text_at(l->names, l->names_len, l->sections[i].sh_name) : "";
}

static const char *symbol_name(const struct load *l, const Elf64_Sym *sym)
{
	return text_at(l->strings, l->strings_len, sym->st_name);
}

static const char *string_table(const struct load *l, size_t i, size_t *ret_len)
{
	const unsigned char *p = i < l->nsections ? section_bytes(l, i, 1, ret_len) : NULL;

	return p && *ret_len && !p[*ret_len - 1] ? (const char *)p : NULL;
}

static int open_symbols(struct load *l, size_t i)
{
	size_t len = 0;

	l->symbols = (const void *)section_bytes(l, i, 8, &len);
	l->nsyms = len / sizeof(*l->symbols);
	l->strings = string_table(l, l->sections[i].sh_link, &l->strings_len);
	return l->symbols && l->strings ? 0 : damaged(l);
}

static int open_elf(struct load *l)
{
	const Elf64_Ehdr *eh = bytes_at(l, 0, sizeof(*eh), 8);

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(l, -ENOEXEC, "this is not an object file (ELF)");
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) || eh->e_type != ET_REL ||
	    eh->e_machine != EM_BPF)
		return refuse(l, -ENOEXEC, "this is an object file, but not one for eBPF on this machine (clang -target bpf -c)");
	l->nsections = eh->e_shnum;
	l->sections = bytes_at(l, eh->e_shoff, l->nsections * sizeof(*l->sections), 8);
	if (!l->sections || !l->nsections || l->nsections > MAX_SECTIONS || eh->e_shentsize != sizeof(*l->sections))
		return damaged(l);
	l->names = string_table(l, eh->e_shstrndx, &l->names_len);
	if (!l->names)
		return damaged(l);
	for (size_t i = 1; i < l->nsections; i++) {
		if (l->sections[i].sh_type == SHT_SYMTAB && !l->symbols) {
			int err = open_symbols(l, i);

			if (err)
				return err;
		} else if (strcmp(section_name(l, i), ".text") == 0) {
			l->text = i;
		}
	}
	return l->symbols ? 0 : refuse(l, -ENOEXEC, "the object file has no symbols");
}

static const Elf64_Sym *symbol(const struct load *l, size_t i)
{
	return i < l->nsyms ? &l->symbols[i] : NULL;
}

/* ---- maps ---- */

static int add_map(struct load *l, const struct ebpf_map_spec *spec, const void *init)
{
	int err;

	if (l->nmaps == EBPF_MAX_MAPS)
		return refuse(l, -EINVAL, "a program has at most %d maps", EBPF_MAX_MAPS);
	err = ebpf_map_new(&l->maps[l->nmaps], spec, l->ncpu, l->seed, init, l->why, l->size);
	if (!err)
		l->nmaps++;
	return err;
}

static int add_btf_map(void *arg, const struct ebpf_map_spec *spec)
{
	return add_map(arg, spec, NULL);
}

/* A section of global variables. */
static bool is_data(const char *name)
{
	return strcmp(name, ".bss") == 0 || strcmp(name, ".data") == 0 || strncmp(name, ".data.", 6) == 0 || strcmp(name, ".rodata") == 0 || strncmp(name, ".rodata.", 8) == 0;
}

/* Where a variable of section l->looked_in is. */
static int64_t variable_at(void *arg, const char *name)
{
	struct load *l = arg;

	if (l->lookups++ >= MAX_LOOKUPS)
		return -1;
	for (size_t i = 0; i < l->nsyms; i++) {
		const Elf64_Sym *sym = &l->symbols[i];

		if (sym->st_shndx == l->looked_in && ELF64_ST_TYPE(sym->st_info) == STT_OBJECT && strncmp(symbol_name(l, sym), name, VARIABLE_NAME) == 0)
			return sym->st_value <= EBPF_VALUE_MAX ? (int64_t)sym->st_value : -1;
	}
	return -1;
}

static int load_types(struct load *l)
{
	int err = 0;

	for (size_t i = 1; i < l->nsections && !err; i++) {
		size_t len = 0;
		const void *p;

		if (strcmp(section_name(l, i), ".BTF") != 0)
			continue;
		p = section_bytes(l, i, 4, &len);
		err = p && !l->btf ? ebpf_btf_new(&l->btf, p, len, l->why, l->size) : damaged(l);
	}
	return err;
}

static int load_maps(struct load *l)
{
	int err = load_types(l);

	if (!err && l->btf)
		err = ebpf_btf_maps(l->btf, add_btf_map, l, l->why, l->size);

	for (size_t i = 1; i < l->nsections && !err; i++) {
		const char *name = section_name(l, i);
		const Elf64_Shdr *sh = &l->sections[i];
		struct ebpf_map_spec spec = { .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1 };
		size_t len = 0;
		const void *p = section_bytes(l, i, 4, &len);

		if (is_data(name) && sh->sh_size) {
			if ((!p && sh->sh_type != SHT_NOBITS) || sh->sh_size > EBPF_VALUE_MAX)
				return refuse(l, -EINVAL, "section %s is damaged or too long", name);
			spec.value_size = (uint32_t)sh->sh_size;
			spec.flags = strncmp(name, ".rodata", 7) == 0 ? BPF_F_RDONLY_PROG : 0;
			snprintf(spec.name, sizeof(spec.name), "%s", name);
			l->looked_in = i;
			spec.value_type = l->btf ? ebpf_btf_section(l->btf, name, variable_at, l) : 0;
			err = add_map(l, &spec, p);
		}
	}
	return err;
}

static int find_map(const struct load *l, const char *name)
{
	for (unsigned i = 0; i < l->nmaps; i++)
		if (strcmp(ebpf_map_spec(l->maps[i])->name, name) == 0)
			return (int)i;
	return -1;
}

/* ---- code ---- */

static bool is_function(const struct load *l, const Elf64_Sym *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx && sym->st_shndx < l->nsections && sym->st_shndx != l->text &&
	       (l->sections[sym->st_shndx].sh_flags & SHF_EXECINSTR);
}

/* xdp, xdp/name, xdp.frags and the like. */
static bool is_xdp(const char *section)
{
	return strncmp(section, "xdp", 3) == 0 && (!section[3] || section[3] == '/' || section[3] == '.' || section[3] == '_');
}

/* How well a program answers what is wanted: 0 not at all. Without a wish, section "xdp" itself is better than xdp/NAME. */
static unsigned answers(const char *want, const char *section, const char *name)
{
	if (want && want[0])
		return strcmp(want, name) == 0 ? 2 : strcmp(want, section) == 0;
	return strcmp(section, "xdp") == 0 ? 2 : is_xdp(section);
}

static int choose(const struct load *l, const char *want, const Elf64_Sym **ret)
{
	unsigned best = 0, found = 0, programs = 0;
	char names[160] = "";

	for (size_t i = 0; i < l->nsyms; i++) {
		const Elf64_Sym *sym = &l->symbols[i];
		const char *name, *section;
		unsigned n;

		if (!is_function(l, sym))
			continue;
		name = symbol_name(l, sym);
		section = section_name(l, sym->st_shndx);
		programs++;
		if (programs <= NAMES_TOLD)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s (section %.*s)", names[0] ? ", " : "", NAME_TOLD, name, NAME_TOLD, section);
		n = answers(want, section, name);
		if (!n || n < best)
			continue;
		found = n > best ? 1 : found + 1;
		best = n;
		*ret = sym;
	}
	if (!programs)
		return refuse(l, -ENOENT, "the object file has no program");
	if (!found)
		return refuse(l, -ENOENT, "the object file has no %s \"%s\"; it has %s", want && want[0] ? "program" : "section", want && want[0] ? want : "xdp", names);
	if (found > 1)
		return refuse(l, -EINVAL, "the object file has several such programs: say which by \"section\": %s", names);
	return 0;
}

static int append(struct load *l, size_t section, uint64_t from, uint64_t len)
{
	size_t have = 0;
	const unsigned char *bytes = section_bytes(l, section, 8, &have);
	struct bpf_insn *p;

	if (!bytes || from > have || have - from < len || from % sizeof(*p) || len % sizeof(*p) || !len)
		return damaged(l);
	if (len / sizeof(*p) > EBPF_MAX_INSNS - l->n)
		return refuse(l, -E2BIG, "a program has at most %d instructions", EBPF_MAX_INSNS);
	p = realloc(l->insns, l->n * sizeof(*p) + len);
	if (!p)
		return -ENOMEM;
	memcpy(p + l->n, bytes + from, len);
	l->insns = p;
	l->n += len / sizeof(*p);
	return 0;
}

static int relocate_load(struct load *l, struct bpf_insn *in, const Elf64_Sym *sym)
{
	const char *section = section_name(l, sym->st_shndx);
	int map = find_map(l, symbol_name(l, sym));

	if (strcmp(section, ".maps") == 0) {
		if (map < 0)
			return refuse(l, -EINVAL, "there is no map %s (was it compiled with -g?)", symbol_name(l, sym));
		in[0].src_reg = BPF_PSEUDO_MAP_FD;
		in[0].imm = map;
		in[1].imm = 0;
		return 0;
	}
	if (strcmp(section, "maps") == 0)
		return refuse(l, -EOPNOTSUPP, "map %s is defined in the old way (section \"maps\"); what is read is section \".maps\", with BTF", symbol_name(l, sym));
	map = find_map(l, section);
	if (map < 0)
		return refuse(l, -EOPNOTSUPP, "a reference to %s in section \"%s\" cannot be resolved", symbol_name(l, sym), section);
	in[0].src_reg = BPF_PSEUDO_MAP_VALUE;
	in[1].imm = (int32_t)((uint32_t)in[0].imm + (uint32_t)sym->st_value);
	in[0].imm = map;
	return 0;
}

static int relocate_call(struct load *l, struct bpf_insn *in, const Elf64_Sym *sym, const struct piece *piece, size_t text_base)
{
	int64_t at = in - l->insns, to = (int64_t)(sym->st_value / sizeof(*in));

	if (ELF64_ST_TYPE(sym->st_info) == STT_SECTION)
		to += (int64_t)in->imm + 1;
	if (sym->st_shndx == l->text && text_base)
		to += (int64_t)text_base;
	else if (sym->st_shndx == piece->section && to >= (int64_t)piece->from && to < (int64_t)(piece->from + piece->count))
		to += (int64_t)piece->base - (int64_t)piece->from;
	else if (sym->st_shndx == piece->section)
		return refuse(l, -EOPNOTSUPP, "a call of %s, which is another program of its section", symbol_name(l, sym));
	else
		return refuse(l, -EOPNOTSUPP, "a call of %s, which is not in this object file", symbol_name(l, sym));
	if (to < 0 || to >= (int64_t)l->n)
		return damaged(l);
	in->imm = (int32_t)(to - at - 1);
	return 0;
}

static int relocate_one(struct load *l, const Elf64_Rel *rel, const struct piece *piece, size_t text_base)
{
	uint64_t at = rel->r_offset / sizeof(struct bpf_insn);
	const Elf64_Sym *sym = symbol(l, ELF64_R_SYM(rel->r_info));
	struct bpf_insn *in;

	if (at < piece->from || at >= piece->from + piece->count)
		return 0;
	if (!sym || rel->r_offset % sizeof(*in))
		return damaged(l);
	in = &l->insns[piece->base + at - piece->from];
	if (in->code == (BPF_LD | BPF_IMM | BPF_DW) && at + 1 < piece->from + piece->count)
		return relocate_load(l, in, sym);
	if (in->code == (BPF_JMP | BPF_CALL) && in->src_reg == BPF_PSEUDO_CALL)
		return relocate_call(l, in, sym, piece, text_base);
	return refuse(l, -EOPNOTSUPP, "a reference to %s that is not supported", symbol_name(l, sym));
}

static int relocate(struct load *l, const struct piece *piece, size_t text_base)
{
	for (size_t i = 1; i < l->nsections; i++) {
		const Elf64_Rel *rels;
		size_t len = 0;

		if (l->sections[i].sh_type != SHT_REL || l->sections[i].sh_info != piece->section)
			continue;
		rels = (const void *)section_bytes(l, i, 8, &len);
		if (!rels)
			return damaged(l);
		l->nrels += len / sizeof(*rels);
		if (l->nrels > EBPF_MAX_INSNS) /* sections may lie on top of each other: a small file would be a day's work */
			return refuse(l, -E2BIG, "the object file has more than %d references", EBPF_MAX_INSNS);
		for (size_t k = 0; k < len / sizeof(*rels); k++) {
			int err = relocate_one(l, &rels[k], piece, text_base);

			if (err)
				return err;
		}
	}
	return 0;
}

static int add_piece(struct load *l, const Elf64_Sym *sym)
{
	struct piece *p = &l->pieces[l->npieces];
	int err;

	if (l->npieces == EBPF_MAX_ENTRIES)
		return refuse(l, -E2BIG, "more than %d programs, which tail calls may go to", EBPF_MAX_ENTRIES);
	*p = (struct piece){ .section = sym->st_shndx, .from = sym->st_value / sizeof(struct bpf_insn), .base = l->n, .name = symbol_name(l, sym) };
	err = append(l, sym->st_shndx, sym->st_value, sym->st_size);
	p->count = l->n - p->base;
	l->npieces += !err;
	return err;
}

static bool has_prog_array(const struct load *l)
{
	for (unsigned i = 0; i < l->nmaps; i++)
		if (l->maps[i]->progs)
			return true;
	return false;
}

/* The program that is to run and, where it may call others instead of returning, those. */
static int append_programs(struct load *l, const Elf64_Sym *first)
{
	int err = add_piece(l, first);

	for (size_t i = 0; !err && has_prog_array(l) && i < l->nsyms; i++)
		if (&l->symbols[i] != first && is_function(l, &l->symbols[i]) && is_xdp(section_name(l, l->symbols[i].st_shndx)))
			err = add_piece(l, &l->symbols[i]);
	return err;
}

static int load_code(struct load *l, const char *section, char name[EBPF_NAME])
{
	const Elf64_Sym *sym = NULL;
	struct piece text = { .section = l->text };
	int err = choose(l, section, &sym);

	if (!err)
		err = append_programs(l, sym);
	if (err)
		return err;
	snprintf(name, EBPF_NAME, "%s", symbol_name(l, sym));
	if (l->text && l->sections[l->text].sh_size) {
		text.base = l->n;
		err = append(l, l->text, 0, l->sections[l->text].sh_size);
		text.count = l->n - text.base;
	}
	for (unsigned i = 0; !err && i < l->npieces; i++)
		err = relocate(l, &l->pieces[i], text.base);
	return !err && text.count ? relocate(l, &text, text.base) : err;
}

/* ---- what prog_arrays hold from the start: references in section .maps ---- */

static const Elf64_Sym *map_at(const struct load *l, size_t section, uint64_t off)
{
	for (size_t i = 0; i < l->nsyms; i++)
		if (l->symbols[i].st_shndx == section && ELF64_ST_TYPE(l->symbols[i].st_info) == STT_OBJECT && off - l->symbols[i].st_value < l->symbols[i].st_size)
			return &l->symbols[i];
	return NULL;
}

static int fill_one(struct load *l, struct ebpf_prog *prog, size_t section, const Elf64_Rel *rel)
{
	const Elf64_Sym *var = map_at(l, section, rel->r_offset), *func = symbol(l, ELF64_R_SYM(rel->r_info));
	int map = var ? find_map(l, symbol_name(l, var)) : -1, entry = func ? ebpf_prog_entry(prog, symbol_name(l, func)) : -1;
	uint64_t off;
	uint32_t key, value;

	if (map < 0 || !prog->maps[map]->progs)
		return refuse(l, -EOPNOTSUPP, "elements of map %s that the object file lists are not supported", var ? symbol_name(l, var) : "?");
	if (entry < 0)
		return refuse(l, -EINVAL, "map %s lists %s, which is no XDP program of this object file", symbol_name(l, var), func ? symbol_name(l, func) : "?");
	off = rel->r_offset - var->st_value - ebpf_map_spec(prog->maps[map])->values_at;
	key = (uint32_t)(off / 8);
	value = (uint32_t)entry + 1;
	if (off > UINT32_MAX || ebpf_map_update(prog->maps[map], &key, &value, BPF_ANY) < 0)
		return refuse(l, -E2BIG, "map %s lists more elements than it has", symbol_name(l, var));
	return 0;
}

static int fill_prog_arrays(struct load *l, struct ebpf_prog *prog)
{
	size_t n = 0;
	int err = 0;

	for (unsigned i = 0; i < l->npieces && !err; i++)
		err = ebpf_prog_add_entry(prog, l->pieces[i].name, l->pieces[i].base);
	for (size_t i = 1; i < l->nsections && !err; i++) {
		const Elf64_Rel *rels;
		size_t len = 0;

		if (l->sections[i].sh_type != SHT_REL || strcmp(section_name(l, l->sections[i].sh_info), ".maps") != 0)
			continue;
		rels = (const void *)section_bytes(l, i, 8, &len);
		if (!rels)
			return damaged(l);
		n += len / sizeof(*rels);
		if (n > MAX_LISTED)
			return refuse(l, -E2BIG, "maps list more than %d elements", MAX_LISTED);
		for (size_t k = 0; k < len / sizeof(*rels) && !err; k++)
			err = fill_one(l, prog, l->sections[i].sh_info, &rels[k]);
	}
	return err;
}

int ebpf_load_object(struct ebpf_prog **ret, const void *object, size_t len, const char *section, unsigned ncpu, uint64_t seed, char name[EBPF_NAME],
		     char *why, size_t size)
{
	struct load l = { .len = len, .ncpu = ncpu, .seed = seed, .why = why, .size = size };
	struct ebpf_prog *prog = NULL;
	void *copy;
	int err;

	why[0] = '\0';
	if (len > EBPF_OBJECT_MAX)
		return refuse(&l, -EFBIG, "an object file has at most %d KiB", EBPF_OBJECT_MAX / 1024);
	copy = malloc(len + 1); /* aligned, which the caller's bytes may not be */
	if (!copy)
		return -ENOMEM;
	memcpy(copy, object, len);
	l.file = copy;
	err = open_elf(&l);
	if (!err)
		err = load_maps(&l);
	if (!err)
		err = load_code(&l, section, name);
	if (!err) {
		unsigned nmaps = l.nmaps;

		l.nmaps = 0; /* the program's from now on, whatever happens */
		err = ebpf_prog_new(&prog, l.insns, l.n, l.maps, nmaps, why, size);
		l.nmaps = err ? 0 : nmaps;
		if (!err)
			err = fill_prog_arrays(&l, prog);
		l.nmaps = 0;
	}
	if (!err) {
		prog->btf = l.btf;
		*ret = prog;
	} else {
		ebpf_prog_free(prog);
		ebpf_btf_free(l.btf);
	}
	for (unsigned i = 0; i < l.nmaps; i++)
		ebpf_map_free(l.maps[i]);
	free(l.insns);
	free(copy);
	return err;
}
