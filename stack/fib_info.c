/* SPDX-License-Identifier: MIT */
/*
 * fib_info.c: interning of what routes say beyond their destination, so that routes that say the same share one struct fib_info.
 *
 * Invariant: an info is in the hash exactly while its reference count, the number of routes of the working tables that have it, is not 0 (or a caller
 * holds a reference of fib_info_get). Snapshots hold no references: an info that loses its last one goes through the retire log.
 */
#include "fib.h"

#include <errno.h>
#include <stdlib.h>

/* FNV-1a over the fields, none of which an outsider chooses freely enough to make a long chain worth the trouble of a keyed hash. */
static uint32_t hash_add(uint32_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619u;
	return h;
}

static uint32_t nh_hash(const struct fib_nexthop_info *nh, uint8_t flags)
{
	const uint8_t small[] = { nh->type, nh->scope, nh->protocol, nh->tos, flags };
	uint32_t h = 2166136261u;

	h = hash_add(h, &nh->gateway, sizeof(nh->gateway));
	h = hash_add(h, &nh->prefsrc, sizeof(nh->prefsrc));
	h = hash_add(h, &nh->ifindex, sizeof(nh->ifindex));
	h = hash_add(h, &nh->metric, sizeof(nh->metric));
	h = hash_add(h, &nh->mtu, sizeof(nh->mtu));
	h = hash_add(h, &nh->advmss, sizeof(nh->advmss));
	h = hash_add(h, &nh->table, sizeof(nh->table));
	h = hash_add(h, small, sizeof(small));
	return h ^ h >> 15;
}

static bool nh_equal(const struct fib_nexthop_info *a, const struct fib_nexthop_info *b)
{
	return a->ifindex == b->ifindex && a->metric == b->metric && a->mtu == b->mtu && a->advmss == b->advmss && a->table == b->table &&
	       a->type == b->type && a->scope == b->scope && a->protocol == b->protocol && a->tos == b->tos && ipaddr_equal(&a->gateway, &b->gateway) &&
	       ipaddr_equal(&a->prefsrc, &b->prefsrc);
}

/* Failing to grow makes chains longer and nothing else. */
static void hash_grow(struct fib_mem *mem)
{
	uint32_t size = mem->hash_size ? mem->hash_size * 2 : 64;
	struct fib_info **hash = fib_alloc(mem, size * sizeof(*hash));

	if (!hash)
		return;
	memset(hash, 0, size * sizeof(*hash));
	for (uint32_t i = 0; i < mem->hash_size; i++) {
		struct fib_info *fi, *next;

		for (fi = mem->hash[i]; fi; fi = next) {
			next = fi->next;
			fi->next = hash[fi->hash & (size - 1)];
			hash[fi->hash & (size - 1)] = fi;
		}
	}
	free(mem->hash);
	mem->hash = hash;
	mem->hash_size = size;
}

void fib_info_rehash(struct fib_mem *mem, struct fib_info *fi)
{
	struct fib_info **bucket = &mem->hash[fi->hash & (mem->hash_size - 1)];

	fi->next = *bucket;
	*bucket = fi;
	mem->ninfos++;
}

void fib_info_unhash(struct fib_mem *mem, struct fib_info *fi)
{
	struct fib_info **p = &mem->hash[fi->hash & (mem->hash_size - 1)];

	while (*p != fi)
		p = &(*p)->next;
	*p = fi->next;
	mem->ninfos--;
}

struct fib_info *fib_info_get(struct fib_mem *mem, const struct fib_nexthop_info *nh, uint8_t flags)
{
	uint32_t hash = nh_hash(nh, flags);
	struct fib_info *fi;

	if (mem->hash_size)
		for (fi = mem->hash[hash & (mem->hash_size - 1)]; fi; fi = fi->next)
			if (fi->hash == hash && fi->flags == flags && nh_equal(&fi->nh, nh)) {
				fi->refs++;
				return fi;
			}
	if (mem->ninfos >= mem->hash_size)
		hash_grow(mem);
	if (!mem->hash_size)
		return NULL;
	/* Room for the day on which its last reference goes, so that giving one back cannot fail. */
	if (fib_log_reserve(mem, FIB_MAX_LEVELS + 8))
		return NULL;
	fi = fib_alloc(mem, sizeof(*fi));
	if (!fi)
		return NULL;
	memset(fi, 0, sizeof(*fi));
	fi->nh = *nh;
	fi->flags = flags;
	fi->hash = hash;
	fi->refs = 1;
	fi->epoch = mem->epoch;
	fib_info_rehash(mem, fi);
	return fi;
}

void fib_info_put(struct fib_mem *mem, struct fib_info *fi)
{
	if (--fi->refs)
		return;
	fib_info_unhash(mem, fi);
	fib_retire(mem, fi, FIB_OBJ_INFO);
}

void fib_info_foreach(struct fib_mem *mem, void (*fn)(struct fib_mem *, struct fib_info *))
{
	for (uint32_t i = 0; i < mem->hash_size; i++) {
		struct fib_info *fi, *next;

		for (fi = mem->hash[i]; fi; fi = next) {
			next = fi->next;
			fn(mem, fi);
		}
	}
}
