/* SPDX-License-Identifier: MIT */
/*
 * ebpf_map.c: maps: what eBPF programs keep, and share with one another's CPUs and with whoever asks for it.
 *
 * Theory. All elements of a map are there from the start, as in the kernel's preallocated maps: the values of a map are one piece of memory, which is the region
 * that a program's pointers may reach. An element that is deleted while another thread holds a pointer to its value is still a value of this map. An array is just
 * values; a hash map has, under a lock, chains of slots, keys and a list of free slots. Per-CPU kinds have a value for each CPU; a program sees its own.
 * A devmap's values are interface indices, which programs may not write.
 *
 * Values are written by several threads at once without a lock, as on Linux; a reader may see half of an update of a value longer than 8 bytes.
 *
 * The hash is keyed: who sends frames cannot aim them at one chain.
 *
 * Not done: LRU, longest-prefix match, queues, ring buffers, maps in maps, maps pinned or shared between programs, programs in devmap values.
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

static int check_spec(const struct ebpf_map_spec *s, char *why, size_t size)
{
	bool array = false;

	switch (s->type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_DEVMAP:
		array = true;
		break;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
		break;
	default:
		return refuse(why, size, -EOPNOTSUPP, s->name, "only maps of type array, hash, percpu_array, percpu_hash and devmap are supported");
	}
	if (array && s->key_size != 4)
		return refuse(why, size, -EINVAL, s->name, "the key of an array has 4 bytes");
	if (!s->key_size || s->key_size > EBPF_KEY_MAX)
		return refuse(why, size, -EINVAL, s->name, "a key has 1 to 512 bytes");
	if (s->type == BPF_MAP_TYPE_DEVMAP && s->value_size != 4 && s->value_size != 8)
		return refuse(why, size, -EINVAL, s->name, "the value of a devmap has 4 or 8 bytes");
	if (!s->value_size || s->value_size > EBPF_VALUE_MAX)
		return refuse(why, size, -EINVAL, s->name, "a value has 1 to 65536 bytes");
	if (!s->max_entries || s->max_entries > UINT32_MAX / 2)
		return refuse(why, size, -EINVAL, s->name, "the number of elements is missing or absurd");
	if (s->flags & ~(uint32_t)(BPF_F_RDONLY_PROG | BPF_F_NO_PREALLOC | BPF_F_MMAPABLE)) /* the last two change nothing here */
		return refuse(why, size, -EOPNOTSUPP, s->name, "it has flags that are not supported");
	return 0;
}

static bool map_alloc(struct ebpf_map *map)
{
	const struct ebpf_map_spec *s = &map->spec;
	uint32_t buckets = 1;

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
	if (!map->bucket || !map->next || !map->keys || !map->used)
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
	map->hash = spec->type == BPF_MAP_TYPE_HASH || spec->type == BPF_MAP_TYPE_PERCPU_HASH;
	map->percpu = spec->type == BPF_MAP_TYPE_PERCPU_ARRAY || spec->type == BPF_MAP_TYPE_PERCPU_HASH;
	map->ncpu = map->percpu ? ncpu : 1;
	map->stride = (spec->value_size + 7) & ~7u;
	map->seed = seed;
	bytes = (uint64_t)spec->max_entries * ((uint64_t)map->ncpu * map->stride + (map->hash ? spec->key_size + 9 : 0));
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

int64_t map_find(struct ebpf_map *map, const void *key)
{
	uint32_t slot;

	if (!map->hash)
		return array_find(map, key);
	pthread_mutex_lock(&map->lock);
	slot = *hash_find(map, key);
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

static int hash_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, unsigned cpu, bool all_cpus)
{
	uint32_t *link = hash_find(map, key), slot = *link;

	if (slot && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!slot && flags == BPF_EXIST)
		return -ENOENT;
	if (!slot) {
		static const unsigned char zero[8];

		slot = map->free_slot;
		if (!slot)
			return -E2BIG;
		map->free_slot = map->next[slot - 1];
		memcpy(map->keys + (size_t)(slot - 1) * map->spec.key_size, key, map->spec.key_size);
		for (unsigned i = 0; i < map->ncpu && map->percpu; i++) /* what other CPUs have of who was here before */
			for (uint32_t off = 0; off < map->stride; off += 8)
				copy_shared(map_value(map, i, slot - 1) + off, zero, 8);
		set_value(map, slot - 1, value, cpu, all_cpus);
		map->used[slot - 1] = 1;
		map->next[slot - 1] = 0;
		*link = slot;
		return 0;
	}
	set_value(map, slot - 1, value, cpu, all_cpus);
	return 0;
}

int map_update_cpu(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, unsigned cpu, bool all_cpus)
{
	int64_t slot;
	int err;

	if (flags > BPF_EXIST)
		return -EINVAL;
	if (map->hash) {
		pthread_mutex_lock(&map->lock);
		err = hash_update(map, key, value, flags, cpu, all_cpus);
		pthread_mutex_unlock(&map->lock);
		return err;
	}
	slot = array_find(map, key);
	if (slot < 0)
		return -E2BIG;
	if (flags == BPF_NOEXIST && map->spec.type != BPF_MAP_TYPE_DEVMAP)
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
	uint32_t *link, slot;
	int64_t i;

	if (map->spec.type == BPF_MAP_TYPE_DEVMAP) {
		i = array_find(map, key);
		if (i < 0)
			return -EINVAL;
		copy_shared(map_value(map, 0, (uint32_t)i), zero, map->spec.value_size);
		return 0;
	}
	if (!map->hash)
		return -EINVAL; /* the elements of an array stay */
	pthread_mutex_lock(&map->lock);
	link = hash_find(map, key);
	slot = *link;
	if (slot) {
		*link = map->next[slot - 1];
		map->used[slot - 1] = 0;
		map->next[slot - 1] = map->free_slot;
		map->free_slot = slot;
	}
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
