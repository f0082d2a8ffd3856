/* SPDX-License-Identifier: MIT */
/*
 * fib.c: reading the routing tables: longest prefix match, the rules of today (local, main, default), address types and source selection. RFC 1812 section
 * 5.2.4.3 (longest match, TOS, metric), RFC 1122 section 3.3.1 and 3.3.4.3 (choice of a source address).
 *
 * Everything here is pure and reads the snapshot only. Way down: remember the nodes passed (their heads are in the cache then); way back up: the first leaf
 * that the key accepts. Mostly that is the deepest, so the way up is short.
 */
#include "fib.h"

#include <errno.h>
#include <netinet/in.h>

const struct snap_link *snapshot_link(const struct net_snapshot *snap, int ifindex)
{
	unsigned lo = 0, hi = snap->nlinks;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (snap->links[mid].conf.ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < snap->nlinks && snap->links[lo].conf.ifindex == ifindex ? &snap->links[lo] : NULL;
}

static bool type_is_error(uint8_t type) { return type >= RTN_BLACKHOLE && type <= RTN_THROW; }

/* scope: routes of a wider scope (a lower number) do not count; 0, a constant on the fast path: all do. */
static inline bool info_accepts(const struct fib_info *fi, const struct flowi *fl, uint8_t scope)
{
	if (scope && fi->nh.scope < scope)
		return false;
	if (fi->nh.tos && fi->nh.tos != (fl->tos & 0xfc))
		return false;
	return !fl->oif || fl->oif == fi->nh.ifindex || type_is_error(fi->nh.type);
}

static inline const struct fib_info *leaf_pick(fib_leaf leaf, const struct flowi *fl, uint8_t scope)
{
	const struct fib_list *list;

	if (__builtin_expect(!(leaf & 1), 1)) {
		const struct fib_info *fi = (const struct fib_info *)leaf;

		return info_accepts(fi, fl, scope) ? fi : NULL;
	}
	list = (const struct fib_list *)(leaf & ~(uintptr_t)1);
	for (uint32_t i = 0; i < list->n; i++)
		if (info_accepts(list->fi[i], fl, scope))
			return list->fi[i];
	return NULL;
}

/* bits: how many the family has, a constant in both callers so that IPv4 works on one word. */
static inline __attribute__((always_inline)) const struct fib_info *tree_lookup(const struct fib_tree *tree, fib_key key, unsigned bits,
										const struct flowi *fl, uint8_t scope, unsigned *plen)
{
	const struct fib_node *path[FIB_MAX_LEVELS], *node = tree->root;
	const struct fib_info *fi;
	uint64_t key32 = (uint64_t)(key >> 64); /* IPv4: the whole key */
	unsigned n = 0;

#define CHUNK(i) (bits == 32 ? (unsigned)(key32 << FIB_STRIDE * (i) >> 58) : fib_chunk(key, (i)))
	while (node) {
		unsigned c = CHUNK(n);

		path[n++] = node;
		if (!(node->child >> c & 1))
			break;
		node = node->slot[fib_child_slot(node, c)];
	}
	while (n--) {
		unsigned c = CHUNK(n);
		uint64_t m;

		node = path[n];
		if (node->full >> c & 1) {
			fi = leaf_pick((fib_leaf)node->slot[fib_full_slot(node, c)], fl, scope);
			if (fi) {
				*plen = (n + 1) * FIB_STRIDE;
				return fi;
			}
		}
		for (m = node->part & fib_part_mask(c); m;) {
			unsigned b = 63u - (unsigned)__builtin_clzll(m);

			fi = leaf_pick((fib_leaf)node->slot[fib_part_slot(node, b)], fl, scope);
			if (fi) {
				*plen = n * FIB_STRIDE + (31u - (unsigned)__builtin_clz(b));
				return fi;
			}
			m ^= UINT64_C(1) << b;
		}
	}
#undef CHUNK
	*plen = 0;
	return tree->dflt ? leaf_pick(tree->dflt, fl, scope) : NULL;
}

/* -EAGAIN: nothing here, or a throw route: go on with the next rule. */
static inline __attribute__((always_inline)) int table_lookup(const struct fib_table *table, const struct flowi *fl, uint8_t scope, struct fib_result *ret)
{
	const struct fib_info *fi;
	unsigned plen;

	if (__builtin_expect(fl->daddr.family == AF_INET6, 0))
		fi = tree_lookup(&table->v6, fib_key_of(&fl->daddr), 128, fl, scope, &plen);
	else
		fi = tree_lookup(&table->v4, (fib_key)be32_to_cpu(fl->daddr.v4) << 96, 32, fl, scope, &plen);
	if (!fi)
		return -EAGAIN;
	switch (fi->nh.type) {
	case RTN_BLACKHOLE: return -EINVAL;
	case RTN_UNREACHABLE: return -EHOSTUNREACH;
	case RTN_PROHIBIT: return -EACCES;
	case RTN_THROW: return -EAGAIN;
	default: break;
	}
	ret->nh = &fi->nh;
	ret->prefixlen = (uint8_t)plen;
	ret->type = fi->nh.type;
	ret->scope = fi->nh.scope;
	ret->table = table->id;
	return 0;
}

int fib_lookup(const struct net_snapshot *snap, const struct flowi *fl, struct fib_result *ret)
{
	int err = table_lookup(snap->local, fl, 0, ret);

	if (err == -EAGAIN)
		err = table_lookup(snap->main, fl, 0, ret);
	if (err == -EAGAIN && snap->deflt->nroutes)
		err = table_lookup(snap->deflt, fl, 0, ret);
	return err == -EAGAIN ? -ENETUNREACH : err;
}

int fib_table_lookup(const struct fib_table *table, const struct flowi *fl, uint8_t scope, struct fib_result *ret)
{
	return table_lookup(table, fl, scope, ret);
}

uint8_t inet_addr_type(const struct net_snapshot *snap, const struct ipaddr *addr)
{
	struct flowi fl = { .daddr = *addr };
	struct fib_result res;

	if (addr->family == AF_INET) {
		uint32_t a = be32_to_cpu(addr->v4);

		if (!a || a == INADDR_BROADCAST)
			return RTN_BROADCAST;
		if (IN_MULTICAST(a))
			return RTN_MULTICAST;
	} else if (addr->b[0] == 0xff) {
		return RTN_MULTICAST;
	}
	return table_lookup(snap->local, &fl, 0, &res) ? RTN_UNICAST : res.type;
}

static bool same_network(const struct ipprefix *net, const struct ipaddr *addr)
{
	fib_key diff;

	if (net->addr.family != addr->family)
		return false;
	diff = fib_key_of(&net->addr) ^ fib_key_of(addr);
	return !net->len || !(diff >> (128 - net->len));
}

/* An address of the link with at most this scope: one whose network has dst, else the first. NULL: none. */
static const struct ipaddr *link_source(const struct snap_link *link, const struct ipaddr *dst, uint8_t scope)
{
	uint8_t local_scope = link->conf.v4.route_localnet ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	const struct ipaddr *first = NULL;

	for (unsigned i = 0; i < link->naddrs; i++) {
		const struct addr_conf *a = &link->addrs[i];

		if (a->secondary || (a->scope < local_scope ? a->scope : local_scope) > scope)
			continue;
		if (!dst || same_network(&a->local, dst))
			return &a->local.addr;
		if (!first)
			first = &a->local.addr;
	}
	return first;
}

struct ipaddr inet_select_addr(const struct net_snapshot *snap, int ifindex, const struct ipaddr *dst, uint8_t scope)
{
	const struct snap_link *link = ifindex ? snapshot_link(snap, ifindex) : NULL;
	const struct ipaddr *src = link ? link_source(link, dst && dst->family ? dst : NULL, scope) : NULL;

	if (src)
		return *src;
	/* A device without an address of its own borrows one of this host's (RFC 1122 section 3.3.4.2, the host is one whole). */
	for (unsigned i = 0; i < snap->nlinks; i++)
		for (unsigned k = 0; k < snap->links[i].naddrs; k++) {
			const struct addr_conf *a = &snap->links[i].addrs[k];

			if (!a->secondary && a->scope != RT_SCOPE_LINK && a->scope <= scope)
				return a->local.addr;
		}
	return IPADDR_NONE;
}
