/* SPDX-License-Identifier: MIT */
/*
 * inet_port.c: local ports of TCP and UDP: who may bind what, and which port a connection or an unbound datagram socket gets. RFC 6056 (section 3.3.4, double-hash
 * port selection), RFC 6335 (ranges).
 *
 * Conflicts are Linux's. Two sockets overlap on a port when their addresses are equal or one is the wildcard and they are not bound to different devices. TCP:
 * overlapping sockets are allowed if both have SO_REUSEADDR and the other does not listen, or both have SO_REUSEPORT; listen() asks again, so of two
 * SO_REUSEADDR sockets only one gets to listen. UDP: allowed if both have the one or both the other. A connection in TIME-WAIT counts as one that does not listen.
 *
 * Shards. A TCP connection must get a port with which the peer's segments hash to this shard; every shard binds listeners for itself. A UDP socket has one owner shard,
 * so its port must be unique among them: a port that the stack chooses is one whose number belongs to this shard (port % ncpu), and every port that is bound without a
 * peer is announced with SHARD_PORT_BIND, so that a shard that receives for it hands over, and refuses a conflicting bind of its own. Two shards that bind the same number by
 * name at the same instant both succeed, and each serves what hashes to it: there is no lock to ask. A TCP socket that was bound by name before it connects may
 * belong to a flow that hashes elsewhere: it is announced as well.
 */
#include "inet_hash.h"
#include "bug.h"

#include <errno.h>
#include <stdlib.h>

int inet_port_init(struct stack *stack)
{
	struct inet_hashinfo *hi = stack->hashinfo;

	rng_bytes(&stack->rng, &hi->port_key, sizeof(hi->port_key));
	rng_bytes(&stack->rng, hi->perturb, sizeof(hi->perturb));
	return 0;
}

static struct port_table *table_of(struct inet_hashinfo *hi, uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? &hi->tcp : &hi->udp;
}

struct bind_bucket *port_get(const struct inet_hashinfo *hi, uint8_t protocol, uint16_t port)
{
	const struct port_table *t = protocol == IPPROTO_TCP ? &hi->tcp : &hi->udp;
	const struct port_page *page = t->page[port / PORT_PAGE];

	return page ? page->slot[port % PORT_PAGE] : NULL;
}

static struct bind_bucket *port_make(struct stack *stack, uint8_t protocol, uint16_t port)
{
	struct port_page **page = &table_of(stack->hashinfo, protocol)->page[port / PORT_PAGE];
	struct bind_bucket **b;

	if (!*page && !(*page = calloc(1, sizeof(**page))))
		return NULL;
	b = &(*page)->slot[port % PORT_PAGE];
	if (*b)
		return *b;
	*b = calloc(1, sizeof(**b));
	if (!*b) {
		if (!(*page)->used) {
			free(*page);
			*page = NULL;
		}
		return NULL;
	}
	(*page)->used++;
	(*b)->port = port;
	(*b)->protocol = protocol;
	(*b)->auto_only = true;
	return *b;
}

static void port_release(struct stack *stack, struct bind_bucket *b)
{
	struct port_page **page = &table_of(stack->hashinfo, b->protocol)->page[b->port / PORT_PAGE];

	if (b->owners.first || b->hashed.first || b->tws.first || b->remotes.first)
		return;
	(*page)->slot[b->port % PORT_PAGE] = NULL;
	free(b);
	if (--(*page)->used == 0) {
		free(*page);
		*page = NULL;
	}
}

/* Sockets and minisocks are gone by now; what other shards announced goes here. */
static void table_free(struct port_table *t)
{
	struct port_remote *r, *tmp;

	for (unsigned p = 0; p < 65536 / PORT_PAGE; p++) {
		for (unsigned i = 0; t->page[p] && i < PORT_PAGE; i++) {
			struct bind_bucket *b = t->page[p]->slot[i];

			if (!b)
				continue;
			hlist_for_each_safe(r, tmp, &b->remotes, struct port_remote, node)
				free(r);
			while (b->owners.first) {
				struct sock *sk = container_of(b->owners.first, struct sock, bind_node);

				hlist_del(&sk->bind_node);
				sk->bind = NULL;
			}
			free(b);
		}
		free(t->page[p]);
	}
}

void inet_port_exit(struct stack *stack)
{
	table_free(&stack->hashinfo->tcp);
	table_free(&stack->hashinfo->udp);
}

/* ---- conflicts ---------------------------------------------------------------------------------------------------------------------------------------- */

static bool overlap(const struct ipaddr *a, int adev, const struct ipaddr *b, int bdev)
{
	if (adev && bdev && adev != bdev)
		return false;
	return ipaddr_is_any(a) || ipaddr_is_any(b) || ipaddr_equal(a, b);
}

static bool pair_conflict(const struct sock *sk, const struct ipaddr *addr, const struct sock *other)
{
	if (other == sk || !overlap(addr, sk->bound_dev_if, &other->rcv_saddr, other->bound_dev_if))
		return false;
	if (sk->reuseport && other->reuseport)
		return false;
	return !(sk->reuse && other->reuse && other->state != SS_LISTEN);
}

static bool bind_conflict(const struct sock *sk, const struct ipaddr *addr, const struct bind_bucket *b)
{
	const struct sock *other;
	const struct inet_tw_port *tw;
	const struct port_remote *r;

	hlist_for_each(other, &b->hashed, struct sock, hash_node) /* few, and most likely to object; accepted connections are many */
		if (pair_conflict(sk, addr, other))
			return true;
	hlist_for_each(other, &b->owners, struct sock, bind_node)
		if (pair_conflict(sk, addr, other))
			return true;
	hlist_for_each(tw, &b->tws, struct inet_tw_port, node)
		if (overlap(addr, sk->bound_dev_if, &tw->rcv_saddr, tw->bound_dev_if) && !(sk->reuse && tw->reuse) && !(sk->reuseport && tw->reuseport))
			return true;
	if (b->protocol == IPPROTO_TCP)
		return false;
	hlist_for_each(r, &b->remotes, struct port_remote, node)
		if (overlap(addr, sk->bound_dev_if, &r->addr, r->ifindex) && !(sk->reuse && (r->flags & PORT_F_REUSE)) && !(sk->reuseport && (r->flags & PORT_F_REUSEPORT)))
			return true;
	return false;
}

int inet_listen_conflict(const struct sock *sk)
{
	const struct sock *other;

	hlist_for_each(other, &sk->bind->hashed, struct sock, hash_node)
		if (pair_conflict(sk, &sk->rcv_saddr, other))
			return -EADDRINUSE;
	return 0;
}

/* ---- between shards ------------------------------------------------------------------------------------------------------------------------------------ */

static void port_tell(const struct sock *sk, enum shard_msg_type type, const struct ipaddr *peer, uint16_t peer_port)
{
	struct stack *stack = sk->stack;
	struct shard_msg msg = {
		.type = type, .from = stack->params.cpu, .ifindex = sk->bound_dev_if, .addr = sk->rcv_saddr, .proto = (uint8_t)sk->protocol, .port = sk->sport, .id = sk->ino,
		.peer = peer ? *peer : IPADDR_NONE, .peer_port = peer_port, .flags = (uint16_t)((sk->reuse ? PORT_F_REUSE : 0) | (sk->reuseport ? PORT_F_REUSEPORT : 0) | (sk->udp_gro ? PORT_F_GRO : 0)),
	};

	if (stack->ops->tell)
		stack->ops->tell(stack->priv, STACK_CPU_ALL, &msg);
}

static void port_known(struct stack *stack, int one)
{
	stack->hashinfo->announced += (uint32_t)one;
	stack->hashinfo->gen++;
}

/* peer: of a TCP socket that connects; NULL: of any. */
static void port_announce(struct sock *sk, const struct ipaddr *peer, uint16_t peer_port)
{
	if (!stack_multi(sk->stack) || sk->announced || sk->replica)
		return;
	sk->announced = true;
	port_known(sk->stack, 1);
	port_tell(sk, SHARD_PORT_BIND, peer, peer_port);
}

void inet_port_announce_again(struct sock *sk)
{
	if (!sk->announced || sk->sport == 0)
		return;
	port_tell(sk, SHARD_PORT_UNBIND, NULL, 0);
	port_tell(sk, SHARD_PORT_BIND, NULL, 0);
}

void sock_shard_msg(struct stack *stack, const struct shard_msg *msg)
{
	struct bind_bucket *b;
	struct port_remote *r;

	if (msg->flags & SHARD_PORT_F_RAW) {
		raw_shard_msg(stack, msg);
		return;
	}
	if (msg->type == SHARD_PORT_BIND) {
		r = calloc(1, sizeof(*r));
		b = r ? port_make(stack, msg->proto, msg->port) : NULL;
		if (!b) { /* packets that hash here will not find their socket; nothing worse */
			free(r);
			return;
		}
		r->id = msg->id;
		r->addr = msg->addr;
		r->ifindex = msg->ifindex;
		r->cpu = msg->from;
		r->flags = msg->flags;
		r->peer = msg->peer;
		r->peer_port = msg->peer_port;
		port_known(stack, 1);
		stack->udp_gro += (r->flags & PORT_F_GRO) != 0;
		b->auto_only = false;
		hlist_add_head(&r->node, &b->remotes);
		return;
	}
	b = port_get(stack->hashinfo, msg->proto, msg->port);
	if (!b)
		return;
	hlist_for_each(r, &b->remotes, struct port_remote, node) {
		if (r->cpu != msg->from || r->id != msg->id)
			continue;
		hlist_del(&r->node);
		stack->udp_gro -= (r->flags & PORT_F_GRO) != 0;
		free(r);
		port_known(stack, -1);
		port_release(stack, b);
		return;
	}
}

int inet_port_owner(const struct stack *stack, uint8_t protocol, const struct ipaddr *daddr, uint16_t dport, int iif)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, protocol, dport);
	const struct port_remote *r;
	int cpu = -ENOENT;

	if (likely(!b || !b->remotes.first))
		return -ENOENT;
	hlist_for_each(r, &b->remotes, struct port_remote, node) {
		if (r->ifindex && r->ifindex != iif)
			continue;
		if (ipaddr_equal(&r->addr, daddr))
			return (int)r->cpu;
		if (ipaddr_is_any(&r->addr))
			cpu = (int)r->cpu;
	}
	return cpu;
}

bool inet_port_gro(const struct stack *stack, const struct ipaddr *daddr, uint16_t dport, int iif)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, IPPROTO_UDP, dport);
	const struct port_remote *r;

	if (b)
		hlist_for_each(r, &b->remotes, struct port_remote, node)
			if ((r->flags & PORT_F_GRO) && (!r->ifindex || r->ifindex == iif) && (ipaddr_is_any(&r->addr) || ipaddr_equal(&r->addr, daddr)))
				return true;
	return false;
}

/* Of the ephemeral range a number is one shard's, for datagram sockets whose port nobody named: see port_mine. Outside of it nobody has a port that he did not name and so
 * announced. The range may have been another one: what it ever was counts. */
static bool port_certain(const struct stack *stack, uint16_t port, unsigned cpu)
{
	const struct inet_hashinfo *hi = stack->hashinfo;

	return port < hi->port_min || port > hi->port_max || port % stack->params.ncpu == cpu;
}

struct direct { /* the best so far of those that may have a datagram */
	int      cpu;
	unsigned score, equal;
};

static void direct_one(struct direct *d, unsigned cpu, const struct ipaddr *addr, const struct ipaddr *daddr)
{
	unsigned score = ipaddr_equal(addr, daddr) ? 2 : 1;

	if (score < d->score)
		return;
	d->equal = score == d->score ? d->equal + 1 : 1;
	d->score = score;
	d->cpu = (int)cpu;
}

static int udp_direct(const struct stack *stack, const struct bind_bucket *b, const struct ipaddr *daddr, int iif)
{
	struct direct d = { .cpu = -ENOENT };
	const struct port_remote *r;
	const struct sock *sk;

	hlist_for_each(sk, &b->hashed, struct sock, hash_node) {
		if (!sk->announced || sk->reuse || sk->reuseport)
			return -ENOENT; /* home may have one as well */
		if (overlap(daddr, iif, &sk->rcv_saddr, sk->bound_dev_if))
			direct_one(&d, stack->params.cpu, &sk->rcv_saddr, daddr);
	}
	hlist_for_each(r, &b->remotes, struct port_remote, node) {
		if (r->flags & (PORT_F_REUSE | PORT_F_REUSEPORT))
			return -ENOENT;
		if (overlap(daddr, iif, &r->addr, r->ifindex))
			direct_one(&d, r->cpu, &r->addr, daddr);
	}
	return d.equal == 1 && port_certain(stack, b->port, (unsigned)d.cpu) ? d.cpu : -ENOENT; /* of two that bound it at the same instant each has what hashes to it */
}

int inet_port_direct(struct stack *stack, uint8_t protocol, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport, uint32_t hash, int iif)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, protocol, dport);
	const struct port_remote *r;

	if (!b)
		return -ENOENT;
	if (protocol == IPPROTO_UDP)
		return udp_direct(stack, b, daddr, iif);
	/* A connection is matched as a whole, and there is one at most. */
	hlist_for_each(r, &b->remotes, struct port_remote, node)
		if (r->peer_port == sport && ipaddr_equal(&r->peer, saddr) && (ipaddr_is_any(&r->addr) || ipaddr_equal(&r->addr, daddr)))
			return (int)r->cpu;
	return inet_ehash_lookup(stack, hash, saddr, sport, daddr, dport, iif) ? (int)stack->params.cpu : -ENOENT;
}

uint64_t inet_port_owners(const struct stack *stack, uint8_t protocol, uint16_t dport)
{
	const struct bind_bucket *b = port_get(stack->hashinfo, protocol, dport);
	const struct port_remote *r;
	uint64_t cpus = 0;

	if (b)
		hlist_for_each(r, &b->remotes, struct port_remote, node)
			cpus |= UINT64_C(1) << r->cpu;
	return cpus;
}

/* ---- binding ------------------------------------------------------------------------------------------------------------------------------------------- */

static void port_take(struct sock *sk, struct bind_bucket *b, bool by_connect)
{
	sk->bind = b;
	sk->sport = b->port;
	sk->auto_port = by_connect;
	if (!by_connect)
		b->auto_only = false;
	hlist_add_head(&sk->bind_node, &b->owners);
	if (sk->type != SOCK_STREAM)
		hlist_add_head(&sk->hash_node, &b->hashed);
}

/* The ephemeral range: how many ports from *min on. */
static uint32_t port_range(const struct stack *stack, uint32_t *min)
{
	uint32_t max = (uint32_t)stack->sysctl->ip_local_port_max;

	*min = (uint32_t)stack->sysctl->ip_local_port_min;
	return max >= *min ? max - *min + 1 : 0;
}

/* On several shards a number that the stack chooses for a datagram socket is one of this shard's, so that no two shards choose the same, and whoever knows of a socket that
 * was bound to such a number knows that no other shard has chosen it (port_certain). */
static bool port_mine(const struct sock *sk, uint16_t port)
{
	const struct stack_params *p = &sk->stack->params;

	return sk->type == SOCK_STREAM || p->ncpu == 1 || sk->replica || port % p->ncpu == p->cpu;
}

/* A port of nobody, from a random place on. On several shards a datagram socket takes one whose number is this shard's. */
static int port_any(struct sock *sk, uint16_t *ret)
{
	struct stack *stack = sk->stack;
	uint32_t min, n = port_range(stack, &min), at = n ? rng_below(&stack->rng, n) : 0;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(min + (at + i) % n);

		if (!port_mine(sk, port))
			continue;
		if (port_get(stack->hashinfo, (uint8_t)sk->protocol, port))
			continue;
		*ret = port;
		return 0;
	}
	return -EADDRINUSE;
}

int inet_bind_port(struct sock *sk, const struct ipaddr *addr, uint16_t port)
{
	struct stack *stack = sk->stack;
	bool chosen = port == 0;
	struct bind_bucket *b;
	int err;

	if (sk->bind)
		return -EINVAL;
	if (chosen) {
		err = port_any(sk, &port);
		if (err)
			return err;
	} else if (port < stack->sysctl->ip_unprivileged_port_start) {
		return -EACCES;
	}
	b = port_get(stack->hashinfo, (uint8_t)sk->protocol, port);
	if (b && bind_conflict(sk, addr, b))
		return -EADDRINUSE;
	b = port_make(stack, (uint8_t)sk->protocol, port);
	if (!b)
		return -ENOMEM;
	sk->rcv_saddr = *addr;
	port_take(sk, b, false);
	if (sk->type != SOCK_STREAM)
		port_announce(sk, NULL, 0);
	return 0;
}

/* Whether the 4-tuple with this port may be used: 0, or -EADDRNOTAVAIL. b: the port's bucket. */
static int tuple_free(struct sock *sk, const struct bind_bucket *b, const struct ipaddr *daddr, uint16_t dport, uint32_t hash,
		      bool (*tw_reuse)(struct stack *, struct ehash_entry *))
{
	struct ehash_entry *e;

	if (!b)
		return 0;
	if (sk->type != SOCK_STREAM)
		return -EADDRNOTAVAIL;
	e = inet_ehash_lookup(sk->stack, hash, daddr, dport, &sk->saddr, b->port, sk->bound_dev_if);
	if (!e || (e->kind == EHASH_TW && tw_reuse && tw_reuse(sk->stack, e)))
		return 0;
	return -EADDRNOTAVAIL;
}

static uint32_t tuple_hash(const struct sock *sk, const struct ipaddr *daddr, uint16_t dport, uint16_t port)
{
	return flow_hash_tuple(sk->stack, daddr, &sk->saddr, dport, port, (uint8_t)sk->protocol);
}

/* Where to begin for this destination (RFC 6056 3.3.4): an offset that only we can know, and a counter shared by few destinations. */
static uint32_t port_offset(struct sock *sk, const struct ipaddr *daddr, uint16_t dport, uint32_t **counter)
{
	struct inet_hashinfo *hi = sk->stack->hashinfo;
	struct { struct ipaddr s, d; uint32_t port, proto; } key = { sk->saddr, *daddr, dport, sk->protocol };
	uint64_t h = siphash(&hi->port_key, &key, sizeof(key));

	*counter = &hi->perturb[(h >> 32) % PERTURB];
	return (uint32_t)h;
}

static int connect_bound_port(struct sock *sk, const struct ipaddr *daddr, uint16_t dport, bool (*tw_reuse)(struct stack *, struct ehash_entry *))
{
	uint32_t hash = tuple_hash(sk, daddr, dport, sk->sport);
	int err = sk->type == SOCK_STREAM ? tuple_free(sk, sk->bind, daddr, dport, hash, tw_reuse) : 0;

	if (err)
		return err;
	if (flow_cpu(sk->stack, hash) != sk->stack->params.cpu)
		port_announce(sk, sk->type == SOCK_STREAM ? daddr : NULL, dport);
	sk->hash = hash;
	return 0;
}

int inet_connect_port(struct sock *sk, const struct ipaddr *daddr, uint16_t dport, bool (*tw_reuse)(struct stack *, struct ehash_entry *))
{
	struct stack *stack = sk->stack;
	uint32_t min, n = port_range(stack, &min), *counter, at;

	if (sk->bind)
		return connect_bound_port(sk, daddr, dport, tw_reuse);
	at = port_offset(sk, daddr, dport, &counter) + *counter;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(min + (at + i) % n);
		struct bind_bucket *b = port_get(stack->hashinfo, (uint8_t)sk->protocol, port);
		uint32_t hash;

		if ((b && (!b->auto_only || sk->type != SOCK_STREAM)) || !port_mine(sk, port))
			continue;
		hash = tuple_hash(sk, daddr, dport, port);
		if (flow_cpu(stack, hash) != stack->params.cpu || tuple_free(sk, b, daddr, dport, hash, tw_reuse))
			continue;
		b = port_make(stack, (uint8_t)sk->protocol, port);
		if (!b)
			return -ENOMEM;
		*counter += i + 1;
		sk->hash = hash;
		if (!sk->bound_addr)
			sk->rcv_saddr = sk->saddr;
		port_take(sk, b, true);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

void inet_inherit_port(struct sock *parent, struct sock *child)
{
	BUG_ON(!parent->bind || child->bind);
	child->bind = parent->bind;
	child->sport = parent->bind->port;
	child->auto_port = true; /* its own close gives it back */
	hlist_add_head(&child->bind_node, &child->bind->owners);
}

/* sport stays for getsockname, as on Linux after a reset; sk->bind says whether a port is held. */
void inet_put_port(struct sock *sk)
{
	struct bind_bucket *b = sk->bind;

	if (!b)
		return;
	if (sk->announced) {
		port_known(sk->stack, -1);
		port_tell(sk, SHARD_PORT_UNBIND, NULL, 0);
	}
	sk->announced = false;
	inet_listen_unhash(sk);
	if (sk->type != SOCK_STREAM)
		hlist_del(&sk->hash_node);
	hlist_del(&sk->bind_node);
	sk->bind = NULL;
	port_release(sk->stack, b);
}

void inet_tw_take_port(struct inet_tw_port *tw, const struct sock *sk)
{
	tw->bucket = sk->bind;
	if (!sk->bind)
		return;
	tw->rcv_saddr = sk->rcv_saddr;
	tw->bound_dev_if = sk->bound_dev_if;
	tw->reuse = sk->reuse;
	tw->reuseport = sk->reuseport;
	hlist_add_head(&tw->node, &sk->bind->tws);
}

void inet_tw_put_port(struct stack *stack, struct inet_tw_port *tw)
{
	struct bind_bucket *b = tw->bucket;

	if (!b)
		return;
	tw->bucket = NULL;
	hlist_del(&tw->node);
	port_release(stack, b);
}
