/* SPDX-License-Identifier: MIT */
/*
 * host.h: a host for tests: one network namespace of 1 to 8 shards in one thread, with a configuration, a clock that only the test moves, and rings in
 * memory for what shards hand to each other. Frames that it sends go to a function of the test's, or are kept in order (host_sent).
 *
 * Invariants: stack_run is called for a shard whenever something was given to it or its deadline has come; time moves from deadline to deadline.
 * A host that is freed has given every buffer back: skb_pool_free asserts it, host_idle_error says it in words before.
 */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include <netstack/mib.h>
#include <netstack/netcfg.h>
#include <netstack/socket.h>
#include <netstack/stack.h>
#include <netstack/tap.h>

#define HOST_MAX_CPUS 8

struct host;

struct host_frame { /* what a host sent */
	struct host_frame *next;
	ktime_t            when;
	int                ifindex;
	size_t             len;
	uint8_t            data[];
};

struct host_shard {
	struct host       *host;
	unsigned           cpu;
	struct stack      *stack;
	ktime_t            next; /* when it wants to be run; KTIME_MAX: only on an event */
	struct host_item  *ring, **ring_tail; /* from other shards, in order; producers: their callbacks, consumer: host_run */
	unsigned           ring_len;
	struct sk_buff_head rxq; /* frames of devices that are polled (LINK_F_GRO), in order */
};

struct host_ops { /* all may be NULL */
	/* A frame leaves. data is at the Ethernet header. 0 or -EAGAIN (the device is full; call host_tx_ready later). The frame is copied by whoever wants it. */
	int (*xmit)(void *arg, struct host *host, unsigned cpu, int ifindex, const struct sk_buff *skb);
	void (*wake)(void *arg, struct host *host, unsigned cpu, uint64_t cookie, uint32_t events);
};

struct host {
	const char         *name;
	unsigned            ncpu;
	struct netcfg      *cfg;
	ktime_t             now;
	struct host_shard   shard[HOST_MAX_CPUS];
	const struct host_ops *ops;
	void               *arg;
	struct host_frame  *sent, **sent_tail; /* oldest first; filled when ops->xmit is NULL */
	uint64_t            seed;
	uint32_t            netns; /* 0: the first of its family */
	struct host        *root, *sibling; /* hosts whose stacks are namespaces of the same shards: the first one, and the next */
	unsigned            steer_limit; /* frames in a ring; beyond it steer says -ENOBUFS. 0: no limit */
	uint64_t            steered; /* frames that went from shard to shard */
	struct { uint64_t in, out, drops; } seen; /* what taps showed, after host_observe */
};

/* NULL: no memory. seed makes every random choice of the stacks repeatable. */
struct host *host_new(const char *name, unsigned ncpu, uint64_t seed, const struct host_ops *ops, void *arg);
/* Another namespace on the shards of first, whose time it shares: running one runs all. Freed after all of them: host_free of first frees the family. */
struct host *host_netns(struct host *first, const char *name);
void host_free(struct host *h);

/* A link for frames (LINK_VIRTUAL), up, with an address if addr is not NULL ("192.0.2.1/24"). mac: its last byte; the others are 02:00:00:00:00. Returns its ifindex or
 * -errno. The change counts after host_apply. */
int  host_link(struct host *h, const char *name, const char *addr, uint8_t mac, uint32_t mtu, uint32_t features);
void host_apply(struct host *h); /* commits the configuration and gives it to every shard */

/* A frame arrives on shard cpu: copied into a buffer of that shard. 0 or -ENOMEM. Takes effect at the next host_run. A device with LINK_F_GRO is polled then; what
 * comes for it until then is one poll. */
int  host_rx(struct host *h, unsigned cpu, int ifindex, const void *frame, size_t len);
/* Says that a call was made on a socket of that shard, which has to run soon. Before the call: host_touch, so that time is right. */
struct stack *host_touch(struct host *h, unsigned cpu);
/* Puts a tap on all that every shard receives, sends and drops. Each frame that is shown is read to its last byte and must be what tap.h says; they are counted in seen. */
void host_observe(struct host *h);
/* The next time at which something is due: now or earlier when work is left. */
ktime_t host_next(const struct host *h);
/* Does what is due up to and including until, and leaves the clock there. */
void host_run(struct host *h, ktime_t until);
/* As host_run, but stops as soon as a frame was kept (host_sent). */
void host_run_until_sent(struct host *h, ktime_t until);
void host_tx_ready(struct host *h, int ifindex);

struct host_frame *host_sent(struct host *h); /* takes the oldest kept frame, NULL: none; the caller frees it with free() */
struct host_frame *host_sent_peek(const struct host *h);

/* A TCP connection from a shard of x to a listener on every shard of y, which is at addr, carries n bytes that are compared. Runs both, which are of one family (or x itself).
 * Returns how many arrived as they were sent; fewer than n within 100 s of simulated time is a failure. */
size_t host_transfer(struct host *x, struct host *y, const char *addr, size_t n);

/* Sums over the shards. */
uint64_t host_mib(const struct host *h, enum net_mib m);
uint64_t host_drops(const struct host *h, enum skb_drop_reason reason);
/* NULL when no packet buffer is outstanding on any shard, else a sentence (static storage of the host's thread). */
const char *host_idle_error(const struct host *h);

/* The seed of a test: $NETSTACK_SEED if set, else def; printed as a TAP comment so that a failure can be repeated. */
uint64_t test_seed(const char *what, uint64_t def);

/* Small repeatable generator for tests (splitmix64): not the stack's. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
static inline uint32_t test_random_below(uint64_t *state, uint32_t n) { return (uint32_t)((test_random(state) >> 32) * n >> 32); }

#endif
