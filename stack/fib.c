/* SPDX-License-Identifier: MIT */
/*
 * fib.c: reading the routing tables: longest prefix match, the rules of today (local, main, default), address types and source selection. RFC 1812 section
 * 5.2.4.3 (longest match, TOS, metric), RFC 1122 section 3.3.1 and 3.3.4.3 (choice of a source address).
 *
 * Everything here is pure and reads the snapshot only. On the way down the nodes that have a leaf for the key are
 * remembered; then the first of them whose leaf is accepted, from the deepest up, is the answer. Mostly that is the deepest.
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

/* Where bit stands among the set bits of map, of which it is one: counts those up to it. hw: see fib_popcount_by. */
static inline __attribute__((always_inline)) unsigned rank_of(uint64_t map, unsigned bit, bool hw) { return fib_popcount_by(map << (63 - bit), hw) - 1; }

struct match { /* a node with a leaf for the key */
	const struct fib_node *node;
	unsigned               chunk, off; /* off: first bit of the node */
};

static inline __attribute__((always_inline)) const struct fib_info *match_pick(const struct match *m, const struct flowi *fl, uint8_t scope, bool hw,
									       unsigned *plen)
{
	const struct fib_node *node = m->node;
	const struct fib_info *fi;

	if (node->full >> m->chunk & 1) {
		fi = leaf_pick((fib_leaf)node->slot[node->nchild + rank_of(node->full, m->chunk, hw)], fl, scope);
		if (fi) {
			*plen = m->off + FIB_STRIDE;
			return fi;
		}
	}
	for (uint64_t map = node->part & fib_part_mask(m->chunk); map;) {
		unsigned b = 63u - (unsigned)__builtin_clzll(map);

		fi = leaf_pick((fib_leaf)node->slot[node->nchild + node->nfull + rank_of(node->part, b, hw)], fl, scope);
		if (fi) {
			*plen = m->off + (31u - (unsigned)__builtin_clz(b));
			return fi;
		}
		map ^= UINT64_C(1) << b;
	}
	return NULL;
}

/* bits: how many the family has, a constant in both callers so that IPv4 works on one word. */
static inline __attribute__((always_inline)) const struct fib_info *tree_lookup(const struct fib_tree *tree, fib_key key, unsigned bits,
										const struct flowi *fl, uint8_t scope, bool hw, unsigned *plen)
{
	const struct fib_node *node = tree->root;
	uint64_t left = (uint64_t)(key >> 64); /* IPv4: what is left of the key, moved to the top */
	struct match match[FIB_MAX_LEVELS];
	unsigned n = 0;

	for (unsigned off = 0; node; off += FIB_STRIDE) {
		unsigned c = bits == 32 ? (unsigned)(left >> 58) : fib_chunk(key, off / FIB_STRIDE);

		if ((node->full >> c & 1) || (node->part && (node->part & fib_part_mask(c))))
			match[n++] = (struct match){ node, c, off };
		if (!(node->child >> c & 1))
			break;
		node = node->slot[rank_of(node->child, c, hw)];
		left <<= FIB_STRIDE;
	}
	while (n--) {
		const struct fib_info *fi = match_pick(&match[n], fl, scope, hw, plen);

		if (fi)
			return fi;
	}
	*plen = 0;
	return tree->dflt ? leaf_pick(tree->dflt, fl, scope) : NULL;
}

/* -EAGAIN: nothing here, or a throw route: go on with the next rule. */
static inline __attribute__((always_inline)) int table_lookup(const struct fib_table *table, const struct flowi *fl, uint8_t scope, bool hw,
								struct fib_result *ret)
{
	const struct fib_info *fi;
	unsigned plen;

	if (__builtin_expect(fl->daddr.family == AF_INET6, 0))
		fi = tree_lookup(&table->v6, fib_key_of(&fl->daddr), 128, fl, scope, hw, &plen);
	else
		fi = tree_lookup(&table->v4, (fib_key)be32_to_cpu(fl->daddr.v4) << 96, 32, fl, scope, hw, &plen);
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

static inline bool maybe_local(const struct net_snapshot *snap, const struct ipaddr *addr)
{
	return !snap->local_filter || addr->family != AF_INET || fib_filter_maybe(snap->local_filter, be32_to_cpu(addr->v4));
}

static inline __attribute__((always_inline)) int rules_lookup(const struct net_snapshot *snap, const struct flowi *fl, bool hw, struct fib_result *ret)
{
	int err = -EAGAIN;

	if (maybe_local(snap, &fl->daddr))
		err = table_lookup(snap->local, fl, 0, hw, ret);
	if (err == -EAGAIN)
		err = table_lookup(snap->main, fl, 0, hw, ret);
	if (err == -EAGAIN && snap->deflt->nroutes)
		err = table_lookup(snap->deflt, fl, 0, hw, ret);
	return err == -EAGAIN ? -ENETUNREACH : err;
}

__attribute__((noinline)) static int rules_lookup_plain(const struct net_snapshot *snap, const struct flowi *fl, struct fib_result *ret)
{
	return rules_lookup(snap, fl, false, ret);
}

#ifdef __x86_64__
__attribute__((target("popcnt"), noinline)) static int rules_lookup_popcnt(const struct net_snapshot *snap, const struct flowi *fl, struct fib_result *ret)
{
	return rules_lookup(snap, fl, true, ret);
}
#endif

int fib_lookup(const struct net_snapshot *snap, const struct flowi *fl, struct fib_result *ret)
{
#ifdef __x86_64__
	if (__builtin_expect(__builtin_cpu_supports("popcnt") != 0, 1))
		return rules_lookup_popcnt(snap, fl, ret);
#endif
	return rules_lookup_plain(snap, fl, ret);
}

int fib_table_lookup(const struct fib_table *table, const struct flowi *fl, uint8_t scope, struct fib_result *ret)
{
	return table_lookup(table, fl, scope, false, ret);
}

uint8_t inet_addr_type(const struct net_snapshot *snap, const struct ipaddr *addr)
{
	struct flowi fl;
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
	if (!maybe_local(snap, addr))
		return RTN_UNICAST;
	memset(&fl, 0, sizeof(fl));
	fl.daddr = *addr;
	return table_lookup(snap->local, &fl, 0, false, &res) ? RTN_UNICAST : res.type;
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
