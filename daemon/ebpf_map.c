/* SPDX-License-Identifier: MIT */
/*
 * ebpf_map.c: maps: what eBPF programs keep, and share with one another's CPUs and with whoever asks for it.
 *
 * Theory. All elements of a map are there from the start, as in the kernel's preallocated maps: the values of a map are one piece of memory, which is the region
 * that a program's pointers may reach. An element that is deleted while another thread holds a pointer to its value is still a value of this map. An array is just
 * values; a hash map has, under a lock, chains of slots, keys and a list of free slots. Per-CPU kinds have a value for each CPU; a program sees its own.
 * A devmap's values are interface indices, which programs may not write; those of a prog_array, programs of the same object file (ebpf.h), they do not see at all.
 *
 * Values are written by several threads at once without a lock, as on Linux; a reader may see half of an update of a value longer than 8 bytes.
 *
 * The hash is keyed: who sends frames cannot aim them at one chain.
 *
 * An LRU map (also the per-CPU one) keeps its elements in the order of their last use by a program, exactly and for all CPUs together; one that is full gives up the oldest. An
 * lpm_trie is a hash, too: of the masked prefix, asked for each length that there is, from the longest on.
 *
 * Ring buffers and perf event arrays can be named, so that programs that report by them run; nobody reads them, and they hold nothing.
 *
 * Not done: queues, maps in maps, maps pinned or shared between programs, programs in devmap values.
 */
#include "ebpf_priv.h"

#include <errno.h>
#include <stdlib.h>

void copy_shared(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (; n >= 8 && !(((uintptr_t)t | (uintptr_t)f) & 7); n -= 8, t += 8, f += 8)
		__atomic_store_n((uint64_t *)(void *)t, __atomic_load_n((const uint64_t *)(const void *)f, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	for (; n >= 4 && !(((uintptr_t)t | (uintptr_t)f) & 3); n -= 4, t += 4, f += 4)
		__atomic_store_n((uint32_t *)(void *)t, __atomic_load_n((const uint32_t *)(const void *)f, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	for (; n; n--, t++, f++)
		__atomic_store_n(t, __atomic_load_n(f, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static int refuse(char *why, size_t size, int err, const char *name, const char *text)
{
	snprintf(why, size, "map %s: %s", name, text);
	return err;
}

/* What a map of a type is, by the numbers of enum bpf_map_type. Without a shape: known by name, so that a refusal says more than a number. */
enum { NO_SHAPE, ARRAY, HASH, OUTPUT /* holds nothing: who would read it is not there */ };
static const struct {
	const char *name;
	uint8_t     shape;
	bool        percpu, lru, prefix, links, progs;
} types[] = {
	[BPF_MAP_TYPE_ARRAY] = { .name = "array", .shape = ARRAY }, [BPF_MAP_TYPE_PERCPU_ARRAY] = { .name = "percpu_array", .shape = ARRAY, .percpu = true },
	[BPF_MAP_TYPE_HASH] = { .name = "hash", .shape = HASH }, [BPF_MAP_TYPE_PERCPU_HASH] = { .name = "percpu_hash", .shape = HASH, .percpu = true },
	[BPF_MAP_TYPE_LRU_HASH] = { .name = "lru_hash", .shape = HASH, .lru = true }, [BPF_MAP_TYPE_LRU_PERCPU_HASH] = { .name = "lru_percpu_hash", .shape = HASH, .lru = true, .percpu = true },
	[BPF_MAP_TYPE_LPM_TRIE] = { .name = "lpm_trie", .shape = HASH, .prefix = true },
	[BPF_MAP_TYPE_DEVMAP] = { .name = "devmap", .shape = ARRAY, .links = true }, [BPF_MAP_TYPE_DEVMAP_HASH] = { .name = "devmap_hash", .shape = HASH, .links = true },
	[BPF_MAP_TYPE_PROG_ARRAY] = { .name = "prog_array", .shape = ARRAY, .progs = true },
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = { .name = "perf_event_array", .shape = OUTPUT }, [BPF_MAP_TYPE_RINGBUF] = { .name = "ringbuf", .shape = OUTPUT },
	[BPF_MAP_TYPE_STACK_TRACE] = { .name = "stack_trace" }, [BPF_MAP_TYPE_CGROUP_ARRAY] = { .name = "cgroup_array" }, [BPF_MAP_TYPE_ARRAY_OF_MAPS] = { .name = "array_of_maps" },
	[BPF_MAP_TYPE_HASH_OF_MAPS] = { .name = "hash_of_maps" }, [BPF_MAP_TYPE_SOCKMAP] = { .name = "sockmap" }, [BPF_MAP_TYPE_CPUMAP] = { .name = "cpumap" }, [BPF_MAP_TYPE_XSKMAP] = { .name = "xskmap" },
	[BPF_MAP_TYPE_SOCKHASH] = { .name = "sockhash" }, [BPF_MAP_TYPE_REUSEPORT_SOCKARRAY] = { .name = "reuseport_sockarray" }, [BPF_MAP_TYPE_QUEUE] = { .name = "queue" },
	[BPF_MAP_TYPE_STACK] = { .name = "stack" }, [BPF_MAP_TYPE_SK_STORAGE] = { .name = "sk_storage" }, [BPF_MAP_TYPE_STRUCT_OPS] = { .name = "struct_ops" },
};
#define NTYPES (sizeof(types) / sizeof(types[0]))

const char *ebpf_map_type(uint32_t type)
{
	return type < NTYPES && types[type].name ? types[type].name : "unknown";
}

static int unsupported(const struct ebpf_map_spec *s, char *why, size_t size)
{
	const char *instead = s->type == BPF_MAP_TYPE_CPUMAP ? "; which worker takes a flow says \"link set DEV rps-cpus\"" : s->type == BPF_MAP_TYPE_XSKMAP ? " (AF_XDP)" : "";
	size_t n = (size_t)snprintf(why, size, "map %s: maps of type %s (%u) are not supported%s; these are:", s->name, ebpf_map_type(s->type), s->type, instead);

	for (uint32_t i = 0; i < NTYPES; i++)
		if (types[i].shape && n < size)
			n += (size_t)snprintf(why + n, size - n, " %s", types[i].name);
	return -EOPNOTSUPP;
}

static int check_spec(const struct ebpf_map_spec *s, char *why, size_t size)
{
	uint8_t shape = s->type < NTYPES ? types[s->type].shape : NO_SHAPE;

	if (shape == NO_SHAPE)
		return unsupported(s, why, size);
	if (shape == OUTPUT)
		return 0;
	if ((shape == ARRAY || types[s->type].links) && s->key_size != 4)
		return refuse(why, size, -EINVAL, s->name, "the key of an array or devmap has 4 bytes");
	if (types[s->type].prefix && (s->key_size < 5 || s->key_size > 4 + EBPF_PREFIX_MAX))
		return refuse(why, size, -EINVAL, s->name, "the key of an lpm_trie is a length of 4 bytes and 1 to 32 bytes of prefix");
	if (!s->key_size || s->key_size > EBPF_KEY_MAX)
		return refuse(why, size, -EINVAL, s->name, "a key has 1 to 512 bytes");
	if (types[s->type].links && s->value_size != 4 && s->value_size != 8)
		return refuse(why, size, -EINVAL, s->name, "the value of a devmap has 4 or 8 bytes");
	if (types[s->type].progs && s->value_size != 4)
		return refuse(why, size, -EINVAL, s->name, "the value of a prog_array has 4 bytes");
	if (!s->value_size || s->value_size > EBPF_VALUE_MAX)
		return refuse(why, size, -EINVAL, s->name, "a value has 1 to 65536 bytes");
	if (!s->max_entries || s->max_entries > UINT32_MAX / 2)
		return refuse(why, size, -EINVAL, s->name, "the number of elements is missing or absurd");
	if (s->flags & ~(uint32_t)(BPF_F_RDONLY_PROG | BPF_F_NO_PREALLOC | BPF_F_MMAPABLE | BPF_F_NO_COMMON_LRU)) /* the last three change nothing here */
		return refuse(why, size, -EOPNOTSUPP, s->name, "it has flags that are not supported");
	return 0;
}

static bool map_alloc(struct ebpf_map *map)
{
	const struct ebpf_map_spec *s = &map->spec;
	uint32_t buckets = 1;

	if (types[s->type].shape == OUTPUT)
		return true;
	map->values = calloc((size_t)map->ncpu * s->max_entries, map->stride);
	if (!map->values || !map->hash)
		return map->values;
	while (buckets < s->max_entries)
		buckets *= 2;
	map->mask = buckets - 1;
	map->bucket = calloc(buckets, sizeof(*map->bucket));
	map->next = calloc(s->max_entries, sizeof(*map->next));
	map->keys = calloc(s->max_entries, s->key_size);
	map->used = calloc(s->max_entries, 1);
	if (map->lru)
		map->age = calloc((size_t)s->max_entries + 1, sizeof(*map->age));
	if (!map->bucket || !map->next || !map->keys || !map->used || (map->lru && !map->age))
		return false;
	for (uint32_t i = 0; i < s->max_entries; i++)
		map->next[i] = i + 1 < s->max_entries ? i + 2 : 0;
	map->free_slot = 1;
	return true;
}

int ebpf_map_new(struct ebpf_map **ret, const struct ebpf_map_spec *spec, unsigned ncpu, uint64_t seed, const void *init, char *why, size_t size)
{
	struct ebpf_map *map;
	int err = check_spec(spec, why, size);
	uint64_t bytes;

	if (err)
		return err;
	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->spec = *spec;
	map->hash = types[spec->type].shape == HASH;
	map->percpu = types[spec->type].percpu;
	map->lru = types[spec->type].lru;
	map->prefix = types[spec->type].prefix;
	map->links = types[spec->type].links;
	map->progs = types[spec->type].progs;
	map->closed = map->progs || types[spec->type].shape == OUTPUT;
	if (types[spec->type].shape == OUTPUT)
		map->spec.max_entries = map->spec.key_size = map->spec.value_size = 0;
	map->ncpu = map->percpu ? ncpu : 1;
	map->stride = (map->spec.value_size + 7) & ~7u;
	map->seed = seed;
	bytes = (uint64_t)map->spec.max_entries * ((uint64_t)map->ncpu * map->stride + (map->hash ? spec->key_size + 9 : 0) + (map->lru ? sizeof(*map->age) : 0));
	if (bytes > EBPF_MAP_BYTES) {
		free(map);
		return refuse(why, size, -E2BIG, spec->name, "it would need more than 64 MiB");
	}
	pthread_mutex_init(&map->lock, NULL);
	if (!map_alloc(map)) {
		ebpf_map_free(map);
		return -ENOMEM;
	}
	if (init)
		memcpy(map->values, init, spec->value_size);
	*ret = map;
	return 0;
}

void ebpf_map_free(struct ebpf_map *map)
{
	if (!map)
		return;
	pthread_mutex_destroy(&map->lock);
	free(map->values);
	free(map->bucket);
	free(map->next);
	free(map->keys);
	free(map->used);
	free(map->age);
	free(map);
}

const struct ebpf_map_spec *ebpf_map_spec(const struct ebpf_map *map)
{
	return &map->spec;
}

unsigned ebpf_map_ncpu(const struct ebpf_map *map)
{
	return map->ncpu;
}

static uint32_t *hash_bucket(const struct ebpf_map *map, const void *key)
{
	const unsigned char *p = key;
	uint64_t h = map->seed ^ map->spec.key_size;

	for (uint32_t left = map->spec.key_size; left;) {
		uint32_t n = left < 8 ? left : 8;
		uint64_t v = 0;
		__uint128_t m;

		memcpy(&v, p, n);
		m = (__uint128_t)(h ^ v ^ UINT64_C(0xa0761d6478bd642f)) * (map->seed | 1);
		h = (uint64_t)m ^ (uint64_t)(m >> 64);
		p += n;
		left -= n;
	}
	return &map->bucket[(h ^ h >> 32) & map->mask];
}

/* The link that names the key's slot; it holds 0 when there is none. Under the lock. */
static uint32_t *hash_find(struct ebpf_map *map, const void *key)
{
	uint32_t *link = hash_bucket(map, key);

	while (*link && memcmp(map->keys + (size_t)(*link - 1) * map->spec.key_size, key, map->spec.key_size) != 0)
		link = &map->next[*link - 1];
	return link;
}

static int64_t array_find(const struct ebpf_map *map, const void *key)
{
	uint32_t i;

	memcpy(&i, key, sizeof(i));
	return i < map->spec.max_entries ? (int64_t)i : -ENOENT;
}

/* ---- least recently used: a ring of slots + 1 by their last use; place 0 is its head. Under the lock ---- */

static void age_remove(struct ebpf_map *map, uint32_t slot)
{
	map->age[map->age[slot].older].newer = map->age[slot].newer;
	map->age[map->age[slot].newer].older = map->age[slot].older;
}

static void age_newest(struct ebpf_map *map, uint32_t slot)
{
	uint32_t was = map->age[0].older;

	map->age[slot] = (struct map_age){ .older = was, .newer = 0 };
	map->age[was].newer = slot;
	map->age[0].older = slot;
}

static void age_touch(struct ebpf_map *map, uint32_t slot)
{
	if (map->age[0].older == slot)
		return;
	age_remove(map, slot);
	age_newest(map, slot);
}

/* ---- longest prefix: a hash of (length, masked prefix); lengths that there are, counted. Under the lock ---- */

static uint32_t prefix_bits(const struct ebpf_map *map)
{
	return 8 * (map->spec.key_size - 4);
}

/* to becomes the key of the first len bits of key's prefix. */
static void prefix_mask(const struct ebpf_map *map, unsigned char *to, const unsigned char *key, uint32_t len)
{
	uint32_t n = map->spec.key_size - 4;

	memset(to, 0, map->spec.key_size);
	memcpy(to, &len, sizeof(len));
	memcpy(to + 4, key + 4, len / 8);
	if (len % 8 && len / 8 < n)
		to[4 + len / 8] = key[4 + len / 8] & (unsigned char)(0xff00 >> len % 8);
}

/* As it is stored; false: its length is beyond its bits. */
static bool prefix_key(const struct ebpf_map *map, unsigned char *to, const void *key)
{
	uint32_t len;

	memcpy(&len, key, sizeof(len));
	if (len > prefix_bits(map))
		return false;
	prefix_mask(map, to, key, len);
	return true;
}

/* Slot + 1, 0: none. */
static uint32_t prefix_find(struct ebpf_map *map, const unsigned char *key)
{
	unsigned char k[EBPF_KEY_MAX];
	uint32_t len;

	memcpy(&len, key, sizeof(len));
	for (len = len < prefix_bits(map) ? len : prefix_bits(map);; len--) {
		uint32_t slot;

		if (map->lengths[len]) {
			prefix_mask(map, k, key, len);
			slot = *hash_find(map, k);
			if (slot)
				return slot;
		}
		if (!len)
			return 0;
	}
}

int64_t map_find(struct ebpf_map *map, const void *key)
{
	uint32_t slot;

	if (!map->hash)
		return array_find(map, key);
	pthread_mutex_lock(&map->lock);
	slot = map->prefix ? prefix_find(map, key) : *hash_find(map, key);
	if (slot && map->lru)
		age_touch(map, slot);
	pthread_mutex_unlock(&map->lock);
	return slot ? (int64_t)slot - 1 : -ENOENT;
}

static void set_value(struct ebpf_map *map, uint32_t slot, const void *value, unsigned cpu, bool all_cpus)
{
	if (!all_cpus) {
		copy_shared(map_value(map, cpu, slot), value, map->spec.value_size);
		return;
	}
	for (unsigned i = 0; i < map->ncpu; i++)
		copy_shared(map_value(map, i, slot), value, map->spec.value_size);
}

/* Takes the element that link names out. */
static void hash_remove(struct ebpf_map *map, uint32_t *link)
{
	uint32_t slot = *link, len;

	*link = map->next[slot - 1];
	map->used[slot - 1] = 0;
	map->next[slot - 1] = map->free_slot;
	map->free_slot = slot;
	if (map->lru)
		age_remove(map, slot);
	if (map->prefix) {
		memcpy(&len, map->keys + (size_t)(slot - 1) * map->spec.key_size, sizeof(len));
		map->lengths[len]--;
	}
}

/* A free slot, 0: none. An LRU map gives up what was not used for longest. */
static uint32_t hash_slot(struct ebpf_map *map)
{
	if (!map->free_slot && map->lru)
		hash_remove(map, hash_find(map, map->keys + (size_t)(map->age[0].newer - 1) * map->spec.key_size));
	return map->free_slot;
}

static int hash_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, unsigned cpu, bool all_cpus)
{
	uint32_t *link = hash_find(map, key), slot = *link, len;

	if (slot && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!slot && flags == BPF_EXIST)
		return -ENOENT;
	if (!slot) {
		static const unsigned char zero[8];

		slot = hash_slot(map);
		if (!slot)
			return -E2BIG;
		link = hash_find(map, key); /* its chain may have lost one */
		map->free_slot = map->next[slot - 1];
		memcpy(map->keys + (size_t)(slot - 1) * map->spec.key_size, key, map->spec.key_size);
		for (unsigned i = 0; i < map->ncpu && map->percpu; i++) /* what other CPUs have of who was here before */
			for (uint32_t off = 0; off < map->stride; off += 8)
				copy_shared(map_value(map, i, slot - 1) + off, zero, 8);
		set_value(map, slot - 1, value, cpu, all_cpus);
		map->used[slot - 1] = 1;
		map->next[slot - 1] = 0;
		*link = slot;
		if (map->lru)
			age_newest(map, slot);
		if (map->prefix) {
			memcpy(&len, key, sizeof(len));
			map->lengths[len]++;
		}
		return 0;
	}
	set_value(map, slot - 1, value, cpu, all_cpus);
	if (map->lru)
		age_touch(map, slot);
	return 0;
}

int map_update_cpu(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, unsigned cpu, bool all_cpus)
{
	unsigned char k[EBPF_KEY_MAX];
	int64_t slot;
	int err;

	if (flags > BPF_EXIST || !map->spec.max_entries)
		return -EINVAL;
	if (map->prefix && !prefix_key(map, k, key))
		return -EINVAL;
	key = map->prefix ? k : key;
	if (map->hash) {
		pthread_mutex_lock(&map->lock);
		err = hash_update(map, key, value, flags, cpu, all_cpus);
		pthread_mutex_unlock(&map->lock);
		return err;
	}
	slot = array_find(map, key);
	if (slot < 0)
		return -E2BIG;
	if (flags == BPF_NOEXIST && !map->links && !map->progs)
		return -EEXIST;
	set_value(map, (uint32_t)slot, value, cpu, all_cpus);
	return 0;
}

int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
	return map_update_cpu(map, key, value, flags, 0, true);
}

int ebpf_map_delete(struct ebpf_map *map, const void *key)
{
	static const unsigned char zero[8];
	unsigned char k[EBPF_KEY_MAX];
	uint32_t *link, slot;
	int64_t i;

	if (!map->hash && (map->links || map->progs)) {
		i = array_find(map, key);
		if (i < 0)
			return -EINVAL;
		copy_shared(map_value(map, 0, (uint32_t)i), zero, map->spec.value_size);
		return 0;
	}
	if (!map->hash)
		return -EINVAL; /* the elements of an array stay */
	if (map->prefix && !prefix_key(map, k, key))
		return -EINVAL;
	pthread_mutex_lock(&map->lock);
	link = hash_find(map, map->prefix ? k : key);
	slot = *link;
	if (slot)
		hash_remove(map, link);
	pthread_mutex_unlock(&map->lock);
	return slot ? 0 : -ENOENT;
}

bool ebpf_map_slot(struct ebpf_map *map, uint32_t slot, void *key, void *values)
{
	bool there = slot < map->spec.max_entries;
	unsigned char *v = values;

	if (!there)
		return false;
	if (map->hash) {
		pthread_mutex_lock(&map->lock);
		there = map->used[slot];
		if (there)
			memcpy(key, map->keys + (size_t)slot * map->spec.key_size, map->spec.key_size);
		pthread_mutex_unlock(&map->lock);
		if (!there)
			return false;
	} else {
		memcpy(key, &slot, sizeof(slot));
	}
	for (unsigned i = 0; i < map->ncpu; i++, v += map->spec.value_size)
		copy_shared(v, map_value(map, i, slot), map->spec.value_size);
	return true;
}
