/* SPDX-License-Identifier: MIT */
/*
 * ebpf_elf.c: a program out of an object file, as clang -target bpf writes it.
 *
 * libbpf reads what the file says of its maps (in BTF, so the file must have been compiled with -g) and the first contents of its global variables; it only opens
 * the object and never asks the kernel for anything. libelf gives sections, symbols and relocations, and what libbpf would do while it loads is done here:
 *   - a reference to a map, or to a global variable (which lies in a map, too), becomes the map's number;
 *   - a call of a function in .text: .text is put behind the program, and the call points there.
 *
 * Several programs may be in a file: one is chosen by the name of its section or of its function.
 *
 * Not done: CO-RE relocations (struct xdp_md needs none), external variables (kconfig, ksyms), maps defined without BTF.
 */
#include "config.h"
#include "ebpf_priv.h"

#include <errno.h>

#ifdef HAVE_XDP

#include <bpf/libbpf.h>
#include <gelf.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdlib.h>

#define MAX_FUNCTION_BYTES (EBPF_MAX_INSNS * sizeof(struct bpf_insn))
#ifndef EM_BPF
#define EM_BPF 247
#endif

struct load {
	Elf        *elf;
	Elf_Data   *symtab;
	size_t      nsyms, strtab, text;
	struct bpf_object *object;
	struct ebpf_map *maps[EBPF_MAX_MAPS];
	char        map_name[EBPF_MAX_MAPS][EBPF_NAME]; /* of the symbol, or of the section of global variables */
	unsigned    nmaps;
	struct bpf_insn *insns;
	size_t      n;
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

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* ---- maps ---- */

static int load_map(struct load *l, const struct bpf_map *m, unsigned ncpu, uint64_t seed)
{
	struct ebpf_map_spec spec = {
		.type = (uint32_t)bpf_map__type(m), .key_size = bpf_map__key_size(m), .value_size = bpf_map__value_size(m),
		.max_entries = bpf_map__max_entries(m), .flags = bpf_map__map_flags(m),
	};
	const char *name = bpf_map__name(m), *section = name;
	const void *init = NULL;
	size_t init_size = 0;
	int err;

	if (!name || l->nmaps == EBPF_MAX_MAPS)
		return refuse(l, -EINVAL, "a program has at most %d maps", EBPF_MAX_MAPS);
	if (bpf_map__is_internal(m)) { /* global variables: the name is the start of the object's and the section's */
		section = strchr(name, '.');
		init = bpf_map__initial_value((struct bpf_map *)(uintptr_t)m, &init_size);
		if (!section || (init && init_size != spec.value_size))
			return refuse(l, -EOPNOTSUPP, "global variables of the kind \"%s\" are not supported", name);
		name = section;
	}
	snprintf(spec.name, sizeof(spec.name), "%s", name);
	snprintf(l->map_name[l->nmaps], EBPF_NAME, "%s", section);
	err = ebpf_map_new(&l->maps[l->nmaps], &spec, ncpu, seed, init, l->why, l->size);
	if (!err)
		l->nmaps++;
	return err;
}

static int load_maps(struct load *l, unsigned ncpu, uint64_t seed)
{
	const struct bpf_map *m = NULL;

	while ((m = bpf_object__next_map(l->object, m))) {
		int err = load_map(l, m, ncpu, seed);

		if (err)
			return err;
	}
	return 0;
}

static int find_map(const struct load *l, const char *name)
{
	for (unsigned i = 0; i < l->nmaps; i++)
		if (strcmp(l->map_name[i], name) == 0)
			return (int)i;
	return -1;
}

/* ---- sections and symbols ---- */

static const char *section_name(const struct load *l, size_t index)
{
	Elf_Scn *scn = elf_getscn(l->elf, index);
	GElf_Shdr sh;
	size_t strings;
	const char *name = NULL;

	if (scn && gelf_getshdr(scn, &sh) && elf_getshdrstrndx(l->elf, &strings) == 0)
		name = elf_strptr(l->elf, strings, sh.sh_name);
	return name ? name : "";
}

static const char *symbol_name(const struct load *l, const GElf_Sym *sym)
{
	const char *name = elf_strptr(l->elf, l->strtab, sym->st_name);

	return name ? name : "";
}

static int open_elf(struct load *l, const void *object, size_t len)
{
	Elf_Scn *scn = NULL;
	GElf_Ehdr eh;
	GElf_Shdr sh;

	elf_version(EV_CURRENT);
	l->elf = elf_memory((char *)(uintptr_t)object, len);
	if (!l->elf || elf_kind(l->elf) != ELF_K_ELF || !gelf_getehdr(l->elf, &eh))
		return refuse(l, -ENOEXEC, "this is not an object file (ELF)");
	if (eh.e_machine != EM_BPF || eh.e_type != ET_REL || gelf_getclass(l->elf) != ELFCLASS64)
		return refuse(l, -ENOEXEC, "this is an object file, but not one for eBPF (clang -target bpf -c)");
	if (eh.e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return refuse(l, -ENOEXEC, "this object file is for machines of the other byte order");
	while ((scn = elf_nextscn(l->elf, scn))) {
		if (!gelf_getshdr(scn, &sh))
			return refuse(l, -ENOEXEC, "the object file is damaged");
		if (sh.sh_type == SHT_SYMTAB) {
			l->symtab = elf_getdata(scn, NULL);
			l->strtab = sh.sh_link;
		} else if (strcmp(section_name(l, elf_ndxscn(scn)), ".text") == 0) {
			l->text = elf_ndxscn(scn);
		}
	}
	if (!l->symtab)
		return refuse(l, -ENOEXEC, "the object file has no symbols");
	l->nsyms = l->symtab->d_size / sizeof(Elf64_Sym);
	return 0;
}

static bool symbol(const struct load *l, size_t i, GElf_Sym *ret)
{
	return i < l->nsyms && i <= INT32_MAX && gelf_getsym(l->symtab, (int)i, ret);
}

/* ---- code ---- */

static bool is_function(const struct load *l, const GElf_Sym *sym)
{
	Elf_Scn *scn = sym->st_shndx && sym->st_shndx < SHN_LORESERVE ? elf_getscn(l->elf, sym->st_shndx) : NULL;
	GElf_Shdr sh;

	return GELF_ST_TYPE(sym->st_info) == STT_FUNC && scn && sym->st_shndx != l->text && gelf_getshdr(scn, &sh) && (sh.sh_flags & SHF_EXECINSTR);
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

static int choose(const struct load *l, const char *want, GElf_Sym *ret)
{
	unsigned best = 0, found = 0, programs = 0;
	char names[160] = "";
	GElf_Sym sym;

	for (size_t i = 0; i < l->nsyms; i++) {
		const char *name, *section;
		unsigned n;

		if (!symbol(l, i, &sym) || !is_function(l, &sym))
			continue;
		name = symbol_name(l, &sym);
		section = section_name(l, sym.st_shndx);
		programs++;
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s (section %s)", names[0] ? ", " : "", name, section);
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
	Elf_Scn *scn = elf_getscn(l->elf, section);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	struct bpf_insn *p;

	if (!data || !data->d_buf || from > data->d_size || data->d_size - from < len || from % sizeof(*p) || len % sizeof(*p) || !len ||
	    len > MAX_FUNCTION_BYTES - l->n * sizeof(*p))
		return refuse(l, -ENOEXEC, "the object file is damaged or the program is too long");
	p = realloc(l->insns, l->n * sizeof(*p) + len);
	if (!p)
		return -ENOMEM;
	memcpy(p + l->n, (const char *)data->d_buf + from, len);
	l->insns = p;
	l->n += len / sizeof(*p);
	return 0;
}

static int relocate_load(struct load *l, struct bpf_insn *in, const GElf_Sym *sym)
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
	map = find_map(l, section);
	if (map < 0)
		return refuse(l, -EOPNOTSUPP, "a reference to %s in section \"%s\" cannot be resolved", symbol_name(l, sym), section);
	in[0].src_reg = BPF_PSEUDO_MAP_VALUE;
	in[1].imm = (int32_t)((uint32_t)in[0].imm + (uint32_t)sym->st_value);
	in[0].imm = map;
	return 0;
}

/* The relocations of [from, from + count) instructions of a section, which are at base in the program. */
static int relocate_from(struct load *l, Elf_Data *rels, size_t section, size_t from, size_t base, size_t count, size_t text_base)
{
	for (size_t i = 0; i < rels->d_size / sizeof(Elf64_Rel) && i <= INT32_MAX; i++) {
		struct bpf_insn *in;
		GElf_Rel rel;
		GElf_Sym sym;
		size_t at;
		int err;

		if (!gelf_getrel(rels, (int)i, &rel))
			return refuse(l, -ENOEXEC, "the object file is damaged");
		at = rel.r_offset / sizeof(*in);
		if (at < from || at >= from + count)
			continue;
		in = &l->insns[base + at - from];
		if (!symbol(l, GELF_R_SYM(rel.r_info), &sym))
			return refuse(l, -ENOEXEC, "the object file is damaged");
		if (in->code == (BPF_LD | BPF_IMM | BPF_DW) && at + 1 < from + count) {
			err = relocate_load(l, in, &sym);
			if (err)
				return err;
		} else if (in->code == (BPF_JMP | BPF_CALL) && in->src_reg == BPF_PSEUDO_CALL) {
			int64_t to = (int64_t)(sym.st_value / sizeof(*in)) + (GELF_ST_TYPE(sym.st_info) == STT_SECTION ? (int64_t)in->imm + 1 : 0);

			if (sym.st_shndx == l->text && text_base)
				to += (int64_t)text_base;
			else if (sym.st_shndx == section)
				to += (int64_t)base - (int64_t)from;
			else
				return refuse(l, -EOPNOTSUPP, "a call of %s, which is not in this object file", symbol_name(l, &sym));
			in->imm = (int32_t)(to - (int64_t)(in - l->insns) - 1);
		} else {
			return refuse(l, -EOPNOTSUPP, "a reference to %s that is not supported", symbol_name(l, &sym));
		}
	}
	return 0;
}

static int relocate(struct load *l, size_t section, size_t from, size_t base, size_t count, size_t text_base)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(l->elf, scn))) {
		Elf_Data *rels;
		int err;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_REL || sh.sh_info != section)
			continue;
		rels = elf_getdata(scn, NULL);
		err = rels ? relocate_from(l, rels, section, from, base, count, text_base) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int load_code(struct load *l, const char *section, char name[EBPF_NAME])
{
	size_t text_base = 0, n;
	GElf_Shdr sh;
	GElf_Sym sym = { .st_size = 0 };
	int err = choose(l, section, &sym);

	if (!err)
		err = append(l, sym.st_shndx, sym.st_value, sym.st_size);
	if (err)
		return err;
	snprintf(name, EBPF_NAME, "%s", symbol_name(l, &sym));
	n = l->n;
	if (l->text && gelf_getshdr(elf_getscn(l->elf, l->text), &sh) && sh.sh_size) {
		text_base = l->n;
		err = append(l, l->text, 0, sh.sh_size);
	}
	if (!err)
		err = relocate(l, sym.st_shndx, sym.st_value / sizeof(struct bpf_insn), 0, n, text_base);
	if (!err && text_base)
		err = relocate(l, l->text, 0, text_base, l->n - text_base, text_base);
	return err;
}

int ebpf_load_object(struct ebpf_prog **ret, const void *object, size_t len, const char *section, unsigned ncpu, uint64_t seed, char name[EBPF_NAME],
		     char *why, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "xdp");
	struct load l = { .why = why, .size = size };
	int err;

	why[0] = '\0';
	if (len > EBPF_OBJECT_MAX)
		return refuse(&l, -EFBIG, "an object file has at most %d KiB", EBPF_OBJECT_MAX / 1024);
	err = open_elf(&l, object, len);
	if (!err) {
		libbpf_set_print(quiet);
		l.object = bpf_object__open_mem(object, len, &opts);
		if (!l.object)
			err = refuse(&l, errno == ENOMEM ? -ENOMEM : -ENOEXEC, "libbpf cannot read the object file (%s)", strerror(errno));
	}
	if (!err)
		err = load_maps(&l, ncpu, seed);
	if (!err)
		err = load_code(&l, section, name);
	if (!err) {
		err = ebpf_prog_new(ret, l.insns, l.n, l.maps, l.nmaps, why, size);
		l.nmaps = 0; /* the program's now */
	}
	for (unsigned i = 0; i < l.nmaps; i++)
		ebpf_map_free(l.maps[i]);
	free(l.insns);
	bpf_object__close(l.object);
	elf_end(l.elf);
	return err;
}

#else

int ebpf_load_object(struct ebpf_prog **ret, const void *object, size_t len, const char *section, unsigned ncpu, uint64_t seed, char name[EBPF_NAME],
		     char *why, size_t size)
{
	(void)ret, (void)object, (void)len, (void)section, (void)ncpu, (void)seed, (void)name;
	snprintf(why, size, "this netstackd was built without eBPF: configure found no libbpf (on Debian: libbpf-dev and libelf-dev)");
	return -EOPNOTSUPP;
}

#endif
