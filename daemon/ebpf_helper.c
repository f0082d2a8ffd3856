/* SPDX-License-Identifier: MIT */
/*
 * ebpf_helper.c: what a program may call, by the kernel's numbers and with the kernel's meaning (bpf-helpers(7)).
 *
 * Where the kernel's verifier would have refused a program (a pointer that leads nowhere, a map of the wrong kind), the call is a fault and the frame is
 * aborted. Calls that copy cost the budget by their bytes.
 */
#include "ebpf_priv.h"

#include <errno.h>
#include <sys/socket.h>

#define ETH_HLEN     14
#define BYTES_A_STEP 16 /* copied bytes that count as one instruction */
#define BYTES_MAX    (1u << 24) /* more than that exhausts any budget */
#define LOOKUP_STEPS 24 /* what a look into a hash counts as */
#define TRACE_LINES  10 /* a second */
#define TRACE_ARGS   3
#define FIB_STEPS    192
#define FIB_SKIP_NEIGH (1u << 2) /* BPF_FIB_LOOKUP_SKIP_NEIGH, which older headers lack */
#define HZ           250 /* of the jiffies that programs see */

static uint64_t fault(struct ebpf_vm *vm, enum ebpf_fault_kind kind, uint64_t addr, uint64_t size)
{
	vm_fault(vm, kind, addr, size);
	return 0;
}

static struct ebpf_map *map_of(struct ebpf_vm *vm, uint64_t handle)
{
	uint32_t i = (uint32_t)(handle >> 32) - MAP_HANDLE;

	if (likely(i < vm->prog->nmaps && !(uint32_t)handle))
		return vm->prog->maps[i];
	vm_fault(vm, EBPF_FAULT_ARG, handle, 0);
	return NULL;
}

static bool is_ctx(struct ebpf_vm *vm, uint64_t addr)
{
	if (likely(addr == ADDRESS(REGION_CTX, 0)))
		return true;
	vm_fault(vm, EBPF_FAULT_ARG, addr, 0);
	return false;
}

static void charge_bytes(struct ebpf_vm *vm, uint64_t size)
{
	vm->left -= (int32_t)((size < BYTES_MAX ? size : BYTES_MAX) / BYTES_A_STEP);
}

/* Memory that is read; NULL after a fault. */
static const unsigned char *in(struct ebpf_vm *vm, uint64_t addr, uint64_t size)
{
	const unsigned char *p = vm_mem(vm, addr, size);

	if (unlikely(!p))
		vm_fault(vm, EBPF_FAULT_LOAD, addr, size);
	charge_bytes(vm, size);
	return p;
}

static unsigned char *out(struct ebpf_vm *vm, uint64_t addr, uint64_t size)
{
	unsigned char *p = vm_mem(vm, addr, size);

	if (unlikely(!p || vm->regions[addr >> 32].readonly)) {
		vm_fault(vm, EBPF_FAULT_STORE, addr, size);
		return NULL;
	}
	charge_bytes(vm, size);
	return p;
}

/* A key may itself lie in a map that others write. */
static bool take_key(struct ebpf_vm *vm, const struct ebpf_map *map, uint64_t addr, unsigned char key[EBPF_KEY_MAX])
{
	const unsigned char *p = in(vm, addr, map->spec.key_size);

	if (p)
		copy_shared(key, p, map->spec.key_size);
	return p;
}

/* What looking for an element costs beyond a call: a lock, hashing; an lpm_trie may look once for each length. */
static void charge_lookup(struct ebpf_vm *vm, const struct ebpf_map *map)
{
	if (map->hash)
		vm->left -= LOOKUP_STEPS + (int32_t)(map->prefix ? map->spec.key_size * 8 : map->spec.key_size / BYTES_A_STEP);
}

static bool may_write(struct ebpf_vm *vm, const struct ebpf_map *map, uint64_t handle)
{
	charge_lookup(vm, map);
	if (likely(!map->links && !map->closed && !(map->spec.flags & BPF_F_RDONLY_PROG)))
		return true;
	vm_fault(vm, EBPF_FAULT_ARG, handle, 0);
	return false;
}

static uint64_t map_lookup_elem(struct ebpf_vm *vm, const uint64_t *r)
{
	struct ebpf_map *map = map_of(vm, r[1]);
	_Alignas(8) unsigned char key[EBPF_KEY_MAX];
	int64_t slot;

	if (!map || !take_key(vm, map, r[2], key))
		return 0;
	if (unlikely(map->closed))
		return fault(vm, EBPF_FAULT_ARG, r[1], 0);
	charge_lookup(vm, map);
	slot = map_find(map, key);
	return slot < 0 ? 0 : ADDRESS(REGION_MAPS + (uint32_t)(r[1] >> 32) - MAP_HANDLE, slot * map->stride);
}

static uint64_t map_update_elem(struct ebpf_vm *vm, const uint64_t *r)
{
	struct ebpf_map *map = map_of(vm, r[1]);
	_Alignas(8) unsigned char key[EBPF_KEY_MAX];
	const unsigned char *value;

	if (!map || !take_key(vm, map, r[2], key))
		return 0;
	value = in(vm, r[3], map->spec.value_size);
	if (!value)
		return 0;
	if (!may_write(vm, map, r[1]))
		return 0;
	return (uint64_t)(int64_t)map_update_cpu(map, key, value, r[4], vm->env.cpu < map->ncpu ? vm->env.cpu : 0, false);
}

static uint64_t map_delete_elem(struct ebpf_vm *vm, const uint64_t *r)
{
	struct ebpf_map *map = map_of(vm, r[1]);
	_Alignas(8) unsigned char key[EBPF_KEY_MAX];

	if (!map || !take_key(vm, map, r[2], key))
		return 0;
	if (!may_write(vm, map, r[1]))
		return 0;
	return (uint64_t)(int64_t)ebpf_map_delete(map, key);
}

static uint64_t ktime_get_ns(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)r;
	return (uint64_t)vm->frame->now;
}

static uint64_t get_prandom_u32(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)r; /* pseudo-random, as its name says: xorshift32 */
	vm->random ^= vm->random << 13;
	vm->random ^= vm->random >> 17;
	vm->random ^= vm->random << 5;
	return vm->random;
}

static uint64_t get_smp_processor_id(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)r;
	return vm->env.cpu;
}

/* The kernel's conversions of bpf_trace_printk that make sense without its structures: d i u x p, with l or ll, and c. */
static int trace_format(char *buf, size_t size, const unsigned char *fmt, uint64_t len, const uint64_t *args)
{
	size_t n = 0;
	unsigned arg = 0;

	for (uint64_t i = 0; i < len && fmt[i] && n + 24 < size; i++) {
		unsigned longs = 0;
		uint64_t v;

		if (fmt[i] != '%') {
			buf[n++] = (char)(fmt[i] >= ' ' && fmt[i] < 0x7f ? fmt[i] : ' ');
			continue;
		}
		if (i + 1 < len && fmt[i + 1] == '%') {
			buf[n++] = '%';
			i++;
			continue;
		}
		for (i++; i < len && (fmt[i] == 'l' || (fmt[i] >= '0' && fmt[i] <= '9')); i++)
			longs += fmt[i] == 'l';
		if (i == len || !fmt[i] || arg == TRACE_ARGS)
			return -EINVAL;
		v = args[arg++];
		if (!longs && fmt[i] != 'p')
			v = (uint32_t)v;
		if (fmt[i] == 'd' || fmt[i] == 'i')
			n += (size_t)snprintf(buf + n, size - n, "%lld", longs ? (long long)v : (long long)(int32_t)v);
		else if (fmt[i] == 'u')
			n += (size_t)snprintf(buf + n, size - n, "%llu", (unsigned long long)v);
		else if (fmt[i] == 'x' || fmt[i] == 'p')
			n += (size_t)snprintf(buf + n, size - n, "%llx", (unsigned long long)v);
		else if (fmt[i] == 'c')
			buf[n++] = (char)(v >= ' ' && v < 0x7f ? v : '?');
		else
			return -EINVAL;
	}
	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
	return (int)n;
}

static uint64_t trace_printk(struct ebpf_vm *vm, const uint64_t *r)
{
	const unsigned char *fmt = in(vm, r[1], (uint32_t)r[2]);
	char line[256];
	int n;

	if (!fmt)
		return 0;
	if (vm->frame->now - vm->trace_since >= NSEC_PER_SEC) {
		vm->trace_since = vm->frame->now;
		vm->trace_left = TRACE_LINES;
	}
	n = trace_format(line, sizeof(line), fmt, (uint32_t)r[2], &r[3]);
	if (n >= 0 && vm->trace_left && vm->env.trace) {
		vm->trace_left--;
		vm->env.trace(vm->env.arg, line);
	}
	return (uint64_t)(int64_t)n;
}

int64_t vm_tail_call(struct ebpf_vm *vm, const uint64_t *r)
{
	const struct ebpf_map *map = is_ctx(vm, r[1]) ? map_of(vm, r[2]) : NULL;
	uint32_t i = (uint32_t)r[3], entry = 0;

	if (!map)
		return -1;
	if (!map->progs) {
		vm_fault(vm, EBPF_FAULT_ARG, r[2], 0);
		return -1;
	}
	if (i < map->spec.max_entries)
		copy_shared(&entry, map_value(map, 0, i), sizeof(entry));
	if (!entry || entry > vm->prog->nentries || vm->tails == MAX_TAIL_CALLS)
		return -1;
	vm->tails++;
	return vm->prog->entries[entry - 1].pc;
}

static uint64_t redirect(struct ebpf_vm *vm, const uint64_t *r)
{
	if (r[2])
		return STACK_XDP_ABORTED;
	vm->frame->redirect_ifindex = (int)(uint32_t)r[1];
	return STACK_XDP_REDIRECT;
}

static uint64_t redirect_map(struct ebpf_vm *vm, const uint64_t *r)
{
	struct ebpf_map *map = map_of(vm, r[1]);
	uint32_t key = (uint32_t)r[2], ifindex = 0;
	int64_t slot;

	if (!map)
		return 0;
	if (!map->links)
		return fault(vm, EBPF_FAULT_ARG, r[1], 0);
	if (r[3] & ~(uint64_t)3)
		return STACK_XDP_ABORTED;
	charge_lookup(vm, map);
	slot = map_find(map, &key);
	if (slot >= 0)
		copy_shared(&ifindex, map_value(map, 0, (uint32_t)slot), sizeof(ifindex));
	if (!ifindex)
		return r[3]; /* the lower two bits of the flags say what then */
	vm->frame->redirect_ifindex = (int)ifindex;
	return STACK_XDP_REDIRECT;
}

/* Ones'-complement sum of 32-bit words; not folded, as the kernel's. */
static uint32_t csum_words(const unsigned char *p, uint64_t n, uint32_t sum, bool minus)
{
	for (uint64_t i = 0; i + 4 <= n; i += 4) {
		uint32_t v;

		copy_shared(&v, p + i, 4);
		v = minus ? ~v : v;
		sum += v;
		sum += sum < v;
	}
	return sum;
}

static uint64_t csum_diff(struct ebpf_vm *vm, const uint64_t *r)
{
	uint32_t from_size = (uint32_t)r[2], to_size = (uint32_t)r[4], sum = (uint32_t)r[5];
	const unsigned char *p;

	if ((from_size | to_size) & 3 || from_size > EBPF_KEY_MAX || to_size > EBPF_KEY_MAX)
		return (uint64_t)(int64_t)-EINVAL;
	if (from_size) {
		p = in(vm, r[1], from_size);
		if (!p)
			return 0;
		sum = csum_words(p, from_size, sum, true);
	}
	if (to_size) {
		p = in(vm, r[3], to_size);
		if (!p)
			return 0;
		sum = csum_words(p, to_size, sum, false);
	}
	return sum;
}

static uint64_t adjust(struct ebpf_vm *vm, int32_t head, int32_t tail)
{
	struct stack_xdp_frame *f = vm->frame;
	int64_t len = (int64_t)f->len - head + tail;
	int err;

	if (len < ETH_HLEN || !f->adjust)
		return (uint64_t)(int64_t)-EINVAL;
	err = f->adjust(f, head, tail);
	if (err)
		return (uint64_t)(int64_t)err;
	vm->regions[REGION_FRAME].lo += (uint32_t)head;
	vm_set_frame(vm);
	return 0;
}

static uint64_t xdp_adjust_head(struct ebpf_vm *vm, const uint64_t *r)
{
	return is_ctx(vm, r[1]) ? adjust(vm, (int32_t)r[2], 0) : 0;
}

static uint64_t xdp_adjust_tail(struct ebpf_vm *vm, const uint64_t *r)
{
	return is_ctx(vm, r[1]) ? adjust(vm, 0, (int32_t)r[2]) : 0;
}

static uint64_t xdp_adjust_meta(struct ebpf_vm *vm, const uint64_t *r)
{
	return is_ctx(vm, r[1]) ? (uint64_t)(int64_t)-EOPNOTSUPP : 0; /* nobody behind a program reads metadata here */
}

static uint64_t xdp_get_buff_len(struct ebpf_vm *vm, const uint64_t *r)
{
	return is_ctx(vm, r[1]) ? vm->frame->len : 0;
}

static uint64_t xdp_load_bytes(struct ebpf_vm *vm, const uint64_t *r)
{
	uint32_t off = (uint32_t)r[2], len = (uint32_t)r[4];
	unsigned char *to;

	if (!is_ctx(vm, r[1]))
		return 0;
	to = out(vm, r[3], len);
	if (!to)
		return 0;
	if (off > vm->frame->len || vm->frame->len - off < len)
		return (uint64_t)(int64_t)-EINVAL;
	copy_shared(to, vm->frame->data + off, len);
	return 0;
}

static uint64_t xdp_store_bytes(struct ebpf_vm *vm, const uint64_t *r)
{
	uint32_t off = (uint32_t)r[2], len = (uint32_t)r[4];
	const unsigned char *from;

	if (!is_ctx(vm, r[1]))
		return 0;
	from = in(vm, r[3], len);
	if (!from)
		return 0;
	if (off > vm->frame->len || vm->frame->len - off < len)
		return (uint64_t)(int64_t)-EINVAL;
	copy_shared(vm->frame->data + off, from, len);
	return 0;
}

/* Events for somebody who is not there: what the kernel answers when no ring is attached, or it is full. */
static uint64_t perf_event_output(struct ebpf_vm *vm, const uint64_t *r)
{
	const struct ebpf_map *map = is_ctx(vm, r[1]) ? map_of(vm, r[2]) : NULL;

	if (!map)
		return 0;
	if (map->spec.type != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		return fault(vm, EBPF_FAULT_ARG, r[2], 0);
	return in(vm, r[4], (uint32_t)r[5]) ? (uint64_t)(int64_t)-ENOENT : 0;
}

static bool is_ring(struct ebpf_vm *vm, uint64_t handle)
{
	const struct ebpf_map *map = map_of(vm, handle);

	if (map && map->spec.type == BPF_MAP_TYPE_RINGBUF)
		return true;
	if (map)
		vm_fault(vm, EBPF_FAULT_ARG, handle, 0);
	return false;
}

static uint64_t ringbuf_output(struct ebpf_vm *vm, const uint64_t *r)
{
	return is_ring(vm, r[1]) && in(vm, r[2], r[3]) ? (uint64_t)(int64_t)-EAGAIN : 0;
}

static uint64_t ringbuf_reserve(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)is_ring(vm, r[1]);
	return 0;
}

static uint64_t ringbuf_submit(struct ebpf_vm *vm, const uint64_t *r)
{
	return fault(vm, EBPF_FAULT_ARG, r[1], 0); /* nothing was ever reserved */
}

static uint64_t ringbuf_query(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)is_ring(vm, r[1]);
	return 0;
}

static uint64_t get_numa_node_id(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)vm, (void)r;
	return 0;
}

static uint64_t jiffies64(struct ebpf_vm *vm, const uint64_t *r)
{
	(void)r;
	return (uint64_t)(vm->frame->now / (NSEC_PER_SEC / HZ));
}

/* Of IPv4 (stack_xdp_fib). params: struct bpf_fib_lookup. */
static uint64_t fib_lookup(struct ebpf_vm *vm, const uint64_t *r)
{
	enum { KNOWN = BPF_FIB_LOOKUP_DIRECT | BPF_FIB_LOOKUP_OUTPUT | FIB_SKIP_NEIGH };
	struct bpf_fib_lookup p;
	struct stack_xdp_fib fib;
	unsigned char *at;
	uint32_t size = (uint32_t)r[3];

	if (!is_ctx(vm, r[1]))
		return 0;
	at = out(vm, r[2], size);
	if (!at)
		return 0;
	if (size < sizeof(p) || r[4] & ~(uint64_t)KNOWN)
		return (uint64_t)(int64_t)-EINVAL;
	copy_shared(&p, at, sizeof(p));
	if (p.family != AF_INET || !vm->frame->fib_lookup)
		return (uint64_t)(int64_t)-EAFNOSUPPORT;
	vm->left -= FIB_STEPS;
	fib = (struct stack_xdp_fib){ .ifindex = (int)p.ifindex, .tos = p.tos, .len = p.tot_len, .output = r[4] & BPF_FIB_LOOKUP_OUTPUT, .main_only = r[4] & BPF_FIB_LOOKUP_DIRECT,
				      .no_neigh = r[4] & FIB_SKIP_NEIGH };
	memcpy(&fib.saddr, &p.ipv4_src, sizeof(fib.saddr));
	memcpy(&fib.daddr, &p.ipv4_dst, sizeof(fib.daddr));
	vm->frame->fib_lookup(vm->frame, &fib);
	if (fib.ret == STACK_XDP_FIB_OK || fib.ret == STACK_XDP_FIB_NO_NEIGH || fib.ret == STACK_XDP_FIB_FRAG_NEEDED) {
		p.ifindex = (uint32_t)fib.ifindex;
		if (fib.ret == STACK_XDP_FIB_FRAG_NEEDED || p.tot_len)
			p.mtu_result = (uint16_t)(fib.mtu < UINT16_MAX ? fib.mtu : UINT16_MAX);
		if (fib.ret != STACK_XDP_FIB_FRAG_NEEDED) {
			memcpy(&p.ipv4_dst, &fib.daddr, sizeof(fib.daddr));
			p.rt_metric = fib.metric;
			p.h_vlan_proto = p.h_vlan_TCI = 0;
		}
		if (fib.ret == STACK_XDP_FIB_OK && !fib.no_neigh) {
			memcpy(p.smac, fib.smac.b, sizeof(p.smac));
			memcpy(p.dmac, fib.dmac.b, sizeof(p.dmac));
		}
		copy_shared(at, &p, sizeof(p));
	}
	return (uint64_t)fib.ret;
}

#define NAME(id) "bpf_" #id
static const char *const names[] = { __BPF_FUNC_MAPPER(NAME) };

/* By enum bpf_func_id. */
static const ebpf_helper helpers[] = {
	[BPF_FUNC_map_lookup_elem] = map_lookup_elem,
	[BPF_FUNC_map_update_elem] = map_update_elem,
	[BPF_FUNC_map_delete_elem] = map_delete_elem,
	[BPF_FUNC_ktime_get_ns] = ktime_get_ns,
	[BPF_FUNC_trace_printk] = trace_printk,
	[BPF_FUNC_get_prandom_u32] = get_prandom_u32,
	[BPF_FUNC_get_smp_processor_id] = get_smp_processor_id,
	[BPF_FUNC_redirect] = redirect,
	[BPF_FUNC_perf_event_output] = perf_event_output,
	[BPF_FUNC_csum_diff] = csum_diff,
	[BPF_FUNC_get_numa_node_id] = get_numa_node_id,
	[BPF_FUNC_xdp_adjust_head] = xdp_adjust_head,
	[BPF_FUNC_redirect_map] = redirect_map,
	[BPF_FUNC_xdp_adjust_meta] = xdp_adjust_meta,
	[BPF_FUNC_xdp_adjust_tail] = xdp_adjust_tail,
	[BPF_FUNC_fib_lookup] = fib_lookup,
	[BPF_FUNC_jiffies64] = jiffies64,
	[BPF_FUNC_ktime_get_boot_ns] = ktime_get_ns,
	[BPF_FUNC_ringbuf_output] = ringbuf_output,
	[BPF_FUNC_ringbuf_reserve] = ringbuf_reserve,
	[BPF_FUNC_ringbuf_submit] = ringbuf_submit,
	[BPF_FUNC_ringbuf_discard] = ringbuf_submit,
	[BPF_FUNC_ringbuf_query] = ringbuf_query,
	[BPF_FUNC_ktime_get_coarse_ns] = ktime_get_ns,
	[BPF_FUNC_xdp_get_buff_len] = xdp_get_buff_len,
	[BPF_FUNC_xdp_load_bytes] = xdp_load_bytes,
	[BPF_FUNC_xdp_store_bytes] = xdp_store_bytes,
};

ebpf_helper ebpf_helper_find(int32_t id, const char **ret_name)
{
	*ret_name = id > 0 && (size_t)id < sizeof(names) / sizeof(names[0]) ? names[id] : NULL;
	return id > 0 && (size_t)id < sizeof(helpers) / sizeof(helpers[0]) ? helpers[id] : NULL;
}
