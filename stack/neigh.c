/* SPDX-License-Identifier: MIT */
/*
 * neigh.c: the neighbour table of a shard: who is behind a next hop, and is he still there.
 *
 * Theory of operation. An entry is a key (device, address), a state and a prepared Ethernet header. What may happen in which state stands in one table,
 * nud_table; neigh_event is the only function that changes a state. A packet finds its entry by one probe of a hash; in the states in which nothing
 * has to be done besides sending (n->fast) the header is copied in front of it and it leaves.
 *
 *   NONE --output--> INCOMPLETE --answer--> REACHABLE --time--> STALE --output--> DELAY --time--> PROBE --answer--> REACHABLE
 *                        '--no answer--> FAILED                                                     '--no answer--> FAILED
 *
 * Packets for an INCOMPLETE neighbour wait in its queue, bounded in bytes, for one neighbour and for all of them; the oldest goes first. When the neighbour fails, waiting packets of
 * others are answered by ICMP host unreachable and our own become errors of their sockets.
 *
 * Shards. Each has its table. One of them, by hash of the address (neigh_home), sends the solicitations for an address; on the others "soliciting" is a message
 * to it (SHARD_NEIGH_SOLICIT). Its answer, and whatever any shard learns, goes to all (SHARD_NEIGH_UPDATE, SHARD_NEIGH_FAILED) and changes
 * entries that are there; it makes none. What arrives on a shard that has no such entry is told to the others too, for they may have one. How often what nobody asked for
 * is told is bounded (RELAY_RATE a second, answers and the rest apart), and so is how often one asks another to
 * solicit, so that neither a flood of ARP nor a scan becomes a flood of messages. A lost one is asked for again.
 *
 * RFC 4861 7.3.2 (states) and appendix C (transitions), RFC 1122 2.3.2.1 (validation), 2.3.2.2 (queue at least the latest packet).
 * Not done here: address resolution messages themselves (arp.c); proxies; neighbour discovery for IPv6; app_solicit.
 *
 * The table itself, its limits, configuration and showing are in neigh_table.c.
 *
 * Owner: the shard. Nothing keeps a pointer to an entry over a call that may send.
 */
#include "neigh_priv.h"
#include "bug.h"
#include "ip.h"
#include <errno.h>

/* ---- the state machine ------------------------------------------------------------------------------------------- */

enum nud_event {
	E_OUTPUT, /* a packet wants out */
	E_VERIFY, /* another shard wants to know whether he is there */
	E_TIMER, /* the time of the state is over; in INCOMPLETE and PROBE with probes left */
	E_TIMER_USED, /* REACHABLE is over and it was used lately */
	E_TIMER_OVER, /* INCOMPLETE and PROBE: no probes left */
	E_CONFIRM, /* the transport made progress */
	E_ANSWER, /* he answered us, with an address that we accept */
	E_HEARD_SAME, /* he was heard, at the address that we know */
	E_HEARD_NEW, /* he was heard, at another address that we accept */
	E_GIVEN_UP, /* the shard that solicits got no answer */
	NUD_EVENTS
};

/* What is done besides changing the state. Timers follow from the state that is entered. */
enum nud_action {
	A_NONE = 0,
	A_SOLICIT = 1, /* send a probe and wait retrans_time */
	A_STORE = 2, /* take the link-layer address over */
	A_FLUSH = 4, /* send what waits */
	A_FAIL = 8, /* refuse what waits */
	A_REACH = 16, /* reachability is confirmed as of now */
	A_QUEUE = 32, /* the packet has to wait */
};

struct nud_rule {
	uint8_t next;
	uint8_t action;
};

/* One row a state, one cell an event; a row with a missing cell does not compile. */
#define T(state, action) { S_##state, (action) }
#define ROW(state, output, verify, timer, used, over, confirm, answer, same, new, given_up) \
	[S_##state] = { [E_OUTPUT] = output, [E_VERIFY] = verify, [E_TIMER] = timer, [E_TIMER_USED] = used, [E_TIMER_OVER] = over, \
		[E_CONFIRM] = confirm, [E_ANSWER] = answer, [E_HEARD_SAME] = same, [E_HEARD_NEW] = new, [E_GIVEN_UP] = given_up }

static const struct nud_rule nud_table[][NUD_EVENTS] = {
	ROW(NONE,
	    T(INCOMPLETE, A_SOLICIT | A_QUEUE), T(INCOMPLETE, A_SOLICIT), T(NONE, A_NONE), T(NONE, A_NONE), T(NONE, A_NONE),
	    T(NONE, A_NONE), T(REACHABLE, A_STORE | A_REACH), T(STALE, A_STORE), T(STALE, A_STORE), T(NONE, A_NONE)),
	ROW(INCOMPLETE,
	    T(INCOMPLETE, A_QUEUE), T(INCOMPLETE, A_NONE), T(INCOMPLETE, A_SOLICIT), T(INCOMPLETE, A_SOLICIT), T(FAILED, A_FAIL),
	    T(INCOMPLETE, A_NONE), T(REACHABLE, A_STORE | A_REACH | A_FLUSH), T(STALE, A_STORE | A_FLUSH), T(STALE, A_STORE | A_FLUSH), T(FAILED, A_FAIL)),
	ROW(REACHABLE,
	    T(REACHABLE, A_NONE), T(REACHABLE, A_NONE), T(STALE, A_NONE), T(DELAY, A_NONE), T(STALE, A_NONE),
	    T(REACHABLE, A_REACH), T(REACHABLE, A_STORE | A_REACH), T(REACHABLE, A_NONE), T(STALE, A_STORE), T(REACHABLE, A_NONE)),
	ROW(STALE,
	    T(DELAY, A_NONE), T(PROBE, A_SOLICIT), T(STALE, A_NONE), T(STALE, A_NONE), T(STALE, A_NONE),
	    T(REACHABLE, A_REACH), T(REACHABLE, A_STORE | A_REACH), T(STALE, A_NONE), T(STALE, A_STORE), T(STALE, A_NONE)),
	ROW(DELAY,
	    T(DELAY, A_NONE), T(PROBE, A_SOLICIT), T(PROBE, A_SOLICIT), T(PROBE, A_SOLICIT), T(PROBE, A_SOLICIT),
	    T(REACHABLE, A_REACH), T(REACHABLE, A_STORE | A_REACH), T(DELAY, A_NONE), T(STALE, A_STORE), T(DELAY, A_NONE)),
	ROW(PROBE,
	    T(PROBE, A_NONE), T(PROBE, A_NONE), T(PROBE, A_SOLICIT), T(PROBE, A_SOLICIT), T(FAILED, A_FAIL),
	    T(REACHABLE, A_REACH), T(REACHABLE, A_STORE | A_REACH), T(PROBE, A_NONE), T(STALE, A_STORE), T(FAILED, A_FAIL)),
	ROW(FAILED,
	    T(INCOMPLETE, A_SOLICIT | A_QUEUE), T(INCOMPLETE, A_SOLICIT), T(FAILED, A_NONE), T(FAILED, A_NONE), T(FAILED, A_NONE),
	    T(FAILED, A_NONE), T(REACHABLE, A_STORE | A_REACH), T(STALE, A_STORE), T(STALE, A_STORE), T(FAILED, A_NONE)),
	ROW(PERMANENT,
	    T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE),
	    T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE), T(PERMANENT, A_NONE)),
	ROW(NOARP,
	    T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE),
	    T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE), T(NOARP, A_NONE)),
};
_Static_assert(sizeof(nud_table) / sizeof(nud_table[0]) == NUD_STATES, "a NUD state without a row");
_Static_assert(NUD_EVENTS == 10, "a NUD event without a column");

const struct nud_info nud_info[] = {
	[S_NONE] = { NUD_NONE, L_FAILED, false, false },
	[S_INCOMPLETE] = { NUD_INCOMPLETE, L_INCOMPLETE, false, false },
	[S_REACHABLE] = { NUD_REACHABLE, L_LIVE, true, true },
	[S_STALE] = { NUD_STALE, L_STALE, true, false },
	[S_DELAY] = { NUD_DELAY, L_LIVE, true, true },
	[S_PROBE] = { NUD_PROBE, L_LIVE, true, true },
	[S_FAILED] = { NUD_FAILED, L_FAILED, false, false },
	[S_PERMANENT] = { NUD_PERMANENT, L_PERMANENT, true, true },
	[S_NOARP] = { NUD_NOARP, L_PERMANENT, true, true },
};
_Static_assert(sizeof(nud_info) / sizeof(nud_info[0]) == NUD_STATES, "a NUD state without its properties");

#define RELAY_RATE         1000 /* messages a second, and of burst */
#define QUEUE_ALL          32u /* times unres_qlen_bytes wait for all neighbours together; beyond it each keeps its latest packet only */

/* ---- between shards ------------------------------------------------------------------------------------------------ */

#define MSG_F_ANSWER 1u /* SHARD_NEIGH_UPDATE: it was an answer to a solicitation */
#define MSG_F_OVERRIDE 2u /* ... locktime does not hold */
#define MSG_F_VERIFY 1u /* SHARD_NEIGH_SOLICIT: the address is known, his presence is not */

/* The shard that sends solicitations for addr. The same on every shard: only shared keys go in. */
static unsigned neigh_home(const struct stack *stack, const struct ipaddr *addr)
{
	if (!stack_multi(stack))
		return stack->params.cpu;
	return (unsigned)(siphash(&stack->flow_key, addr->b, sizeof(addr->b)) % stack->params.ncpu);
}

void neigh_tell(struct stack *stack, unsigned cpu, enum shard_msg_type type, int ifindex, const struct ipaddr *addr, const struct eth_addr *lladdr,
		       uint8_t nud, uint16_t flags)
{
	struct shard_msg msg = { .type = type, .from = stack->params.cpu, .ifindex = ifindex, .addr = *addr, .nud = nud, .flags = flags, .when = stack->now };

	if (lladdr)
		msg.lladdr = *lladdr;
	if (stack->ops->tell)
		stack->ops->tell(stack->priv, cpu, &msg);
}

/* One more message of this kind may go now. */
static bool neigh_relay_allow(struct stack *stack, unsigned kind)
{
	struct neigh_table *t = stack->neigh;

	if (stack->now - t->relay[kind].since >= NSEC_PER_SEC || !t->relay[kind].since) {
		t->relay[kind].since = stack->now;
		t->relay[kind].left = RELAY_RATE;
	}
	if (t->relay[kind].left <= 0)
		return false;
	t->relay[kind].left--;
	return true;
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

void neigh_store(struct neighbour *n, const struct eth_addr *lladdr)
{
	n->ha = *lladdr;
	memcpy(n->hh, lladdr->b, ETH_ADDR_LEN);
	memcpy(n->hh + ETH_ADDR_LEN, n->dev->conf->addr.b, ETH_ADDR_LEN);
}

static ktime_t reachable_time(struct stack *stack)
{
	uint32_t base = (uint32_t)stack->sysctl->neigh_base_reachable_time;

	/* RFC 4861 6.3.2: uniform between 0.5 and 1.5 times the base, against synchronised probes */
	return (base / 2 + (ktime_t)rng_below(&stack->rng, base + 1)) * NSEC_PER_MSEC;
}

static unsigned probes_max(const struct stack *stack, const struct neighbour *n)
{
	unsigned max = (unsigned)(n->state == S_PROBE ? stack->sysctl->neigh_ucast_solicit : stack->sysctl->neigh_mcast_solicit);

	/* where the home shard does the asking, its verdict should come first */
	return neigh_home(stack, &n->key) == stack->params.cpu ? max : max + 1;
}

static void neigh_solicit(struct stack *stack, struct neighbour *n)
{
	unsigned home = neigh_home(stack, &n->key);

	n->probes++;
	timer_mod(stack, &n->timer, stack->now + stack->sysctl->neigh_retrans_time * NSEC_PER_MSEC);
	/* When too much is asked for (a scan through this router) we solicit ourselves: a frame is dropped when there are too many, a message is not. */
	if (home != stack->params.cpu && neigh_relay_allow(stack, RELAY_QUESTION))
		neigh_tell(stack, home, SHARD_NEIGH_SOLICIT, n->dev->ifindex, &n->key, NULL, nud_info[n->state].nud, n->state == S_PROBE ? MSG_F_VERIFY : 0);
	else
		arp_solicit(stack, n->dev, &n->key, n->state == S_PROBE ? &n->ha : NULL, skb_peek(&n->queue));
}

/* Tells the sender of a waiting packet that the next hop is not there. Consumes skb. */
static void neigh_refuse(struct stack *stack, struct sk_buff *skb)
{
	if (skb->rt.flags & RT_F_INPUT)
		icmp_send(stack, skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else
		icmp_local_error(stack, skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	kfree_skb(skb, SKB_DROP_NEIGH_FAILED);
}

/* Takes what waits out first: handling it may send, and sending may come back here or displace n. n is stale afterwards. */
static void neigh_drain(struct stack *stack, struct neighbour *n, bool send)
{
	struct sk_buff_head q;
	struct sk_buff *skb;

	skb_queue_init(&q);
	skb_queue_splice_tail(&n->queue, &q);
	stack->neigh->queue_bytes -= n->queue_bytes;
	n->queue_bytes = 0;
	while ((skb = skb_dequeue(&q))) {
		if (send)
			neigh_output(stack, skb);
		else
			neigh_refuse(stack, skb);
	}
}

/* Timer of the state that was entered. */
static void neigh_state_timer(struct stack *stack, struct neighbour *n)
{
	switch (n->state) {
	case S_REACHABLE:
		timer_mod(stack, &n->timer, n->confirmed + n->reachable_time);
		break;
	case S_DELAY:
		timer_mod(stack, &n->timer, stack->now + stack->sysctl->neigh_delay_first_probe * NSEC_PER_SEC);
		break;
	case S_INCOMPLETE:
	case S_PROBE:
		break; /* neigh_solicit's */
	default:
		timer_del(stack, &n->timer);
	}
}

/* Does what the table says. Returns the actions; with A_FLUSH or A_FAIL among them n is stale. */
static unsigned neigh_event(struct stack *stack, struct neighbour *n, enum nud_event ev, const struct eth_addr *lladdr)
{
	const struct nud_rule rule = nud_table[n->state][ev];
	bool entered = rule.next != n->state;

	if (rule.action & A_STORE && lladdr)
		neigh_store(n, lladdr);
	if (rule.action & A_REACH) {
		n->confirmed = stack->now;
		n->reachable_time = reachable_time(stack);
	}
	if (entered) {
		n->state = rule.next;
		n->fast = nud_info[n->state].fast;
		n->updated = stack->now;
		n->probes = 0;
		neigh_relist(stack, n);
		neigh_state_timer(stack, n);
		neigh_notify(stack, n, STACK_EV_NEIGH);
		if (n->state == S_FAILED)
			STACK_MIB_INC(stack, Neigh_ResFailed);
		if (n->state == S_FAILED && stack_multi(stack) && neigh_home(stack, &n->key) == stack->params.cpu)
			neigh_tell(stack, STACK_CPU_ALL, SHARD_NEIGH_FAILED, n->dev->ifindex, &n->key, NULL, NUD_FAILED, 0);
	}
	if (rule.action & A_SOLICIT) {
		if (n->probes < probes_max(stack, n))
			neigh_solicit(stack, n);
		else /* configured to ask no one: fails at once, but not inside a sender's call */
			timer_mod(stack, &n->timer, stack->now);
	}
	if (rule.action & (A_FLUSH | A_FAIL))
		neigh_drain(stack, n, rule.action & A_FLUSH);
	return rule.action;
}

void neigh_timer(struct stack *stack, struct timer *t)
{
	struct neighbour *n = container_of(t, struct neighbour, timer);
	ktime_t delay = stack->sysctl->neigh_delay_first_probe * NSEC_PER_SEC;
	enum nud_event ev = E_TIMER;

	switch (n->state) {
	case S_REACHABLE:
		if (n->confirmed + n->reachable_time > stack->now) {
			timer_mod(stack, &n->timer, n->confirmed + n->reachable_time);
			return;
		}
		if (n->used && n->used + delay >= stack->now)
			ev = E_TIMER_USED;
		break;
	case S_INCOMPLETE:
	case S_PROBE:
		if (n->probes >= probes_max(stack, n))
			ev = E_TIMER_OVER;
		break;
	default:
		break;
	}
	neigh_event(stack, n, ev, NULL);
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

static void neigh_queue(struct stack *stack, struct neighbour *n, struct sk_buff *skb)
{
	uint64_t limit = (uint64_t)stack->sysctl->neigh_unres_qlen_bytes, *all = &stack->neigh->queue_bytes;

	/* the latest packet is kept in any case (RFC 1122 2.3.2.2) */
	while ((n->queue_bytes + skb->truesize > limit || *all + skb->truesize > limit * QUEUE_ALL) && !skb_queue_empty(&n->queue)) {
		struct sk_buff *old = skb_dequeue(&n->queue);

		n->queue_bytes -= old->truesize;
		*all -= old->truesize;
		STACK_MIB_INC(stack, Neigh_UnresDiscards);
		kfree_skb(old, SKB_DROP_NEIGH_QUEUEFULL);
	}
	n->queue_bytes += skb->truesize;
	*all += skb->truesize;
	skb_queue_tail(&n->queue, skb);
}

/* Everything but the plain case: unknown, unused or doubtful neighbours. */
static __attribute__((noinline)) int neigh_output_slow(struct stack *stack, struct sk_buff *skb, struct neighbour *n)
{
	struct net_device *dev = skb->rt.dev;

	STACK_MIB_INC(stack, Neigh_Lookups);
	/* A way that was found before the device went (corked data): an entry made for it now would outlive it. */
	if (__builtin_expect(!dev_up(dev), 0)) {
		dev->stats.tx_dropped++;
		kfree_skb(skb, SKB_DROP_DEV_DOWN);
		return -ENETDOWN;
	}
	if (!n) {
		n = neigh_create(stack, dev, &skb->rt.nexthop, false, false);
		if (!n) {
			kfree_skb(skb, SKB_DROP_NEIGH_TABLE_FULL);
			return -ENOBUFS;
		}
	}
	n->used = stack->now;
	if (!nud_info[n->state].valid) {
		/* before the event: a solicitation may take its source address from the packet */
		neigh_queue(stack, n, skb);
		neigh_event(stack, n, E_OUTPUT, NULL);
		return 0;
	}
	neigh_event(stack, n, E_OUTPUT, NULL);
	if (eth_header(skb, dev, skb->protocol, &n->ha, NULL) < 0) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return -ENOMEM;
	}
	return dev_queue_xmit(skb);
}

/* Group addresses and links without address resolution. RFC 1112 6.4 for multicast. */
static __attribute__((noinline)) int neigh_output_mapped(struct stack *stack, struct sk_buff *skb)
{
	struct net_device *dev = skb->rt.dev;
	struct eth_addr mac = dev->conf->addr;

	(void)stack;
	if (!(dev->conf->flags & (NS_IFF_LOOPBACK | NS_IFF_NOARP))) {
		if (skb->rt.type == RTN_MULTICAST) {
			const uint8_t *a = skb->rt.nexthop.b;

			mac = (struct eth_addr){ { 0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3] } };
		} else {
			mac = eth_broadcast;
		}
	}
	if (eth_header(skb, dev, skb->protocol, &mac, NULL) < 0) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return -ENOMEM;
	}
	return dev_queue_xmit(skb);
}

/* As neigh_lookup, for a device and an IPv4 address, which most packets want. */
static inline struct neighbour *neigh_lookup_v4(const struct neigh_table *t, const struct net_device *dev, const struct ipaddr *a)
{
	struct neighbour *n;

	hlist_for_each(n, &t->hash[neigh_hash_v4(t, dev->ifindex, a->v4) & t->mask], struct neighbour, hash) {
		if (likely(n->key.v4 == a->v4 && n->dev == dev && n->key.family == AF_INET))
			return n;
	}
	return NULL;
}

int neigh_output(struct stack *stack, struct sk_buff *skb)
{
	struct net_device *dev = skb->rt.dev;
	struct neighbour *n;
	unsigned char *h;

	skb->dev = dev;
	if (unlikely((dev->conf->flags & (NS_IFF_LOOPBACK | NS_IFF_NOARP)) || skb->rt.type == RTN_BROADCAST || skb->rt.type == RTN_MULTICAST))
		return neigh_output_mapped(stack, skb);
	n = likely(skb->rt.nexthop.family == AF_INET) ? neigh_lookup_v4(stack->neigh, dev, &skb->rt.nexthop) : neigh_lookup(stack->neigh, dev->ifindex, &skb->rt.nexthop);
	h = skb->data - ETH_HLEN;
	if (unlikely(!n || !n->fast || h < skb->head))
		return neigh_output_slow(stack, skb, n);
	STACK_MIB_INC(stack, Neigh_Hits); /* each is a lookup, too: stack_mib_add */
	n->used = stack->now;
	skb->data = h;
	skb->len += ETH_HLEN;
	memcpy(h, n->hh, 12);
	put_be16(h + 12, skb->protocol);
	skb->mac_header = (uint16_t)(h - skb->head);
	return dev_queue_xmit(skb);
}

bool neigh_hwaddr(const struct stack *stack, int ifindex, const struct ipaddr *nexthop, struct eth_addr *ret)
{
	const struct neighbour *n = neigh_lookup(stack->neigh, ifindex, nexthop);

	if (!n || !nud_info[n->state].valid)
		return false;
	*ret = n->ha;
	return true;
}

void neigh_confirm(struct stack *stack, int ifindex, const struct ipaddr *nexthop)
{
	struct neighbour *n = neigh_lookup(stack->neigh, ifindex, nexthop);

	if (!n)
		return;
	if (n->state == S_REACHABLE)
		n->confirmed = stack->now; /* its timer looks when it fires */
	else
		neigh_event(stack, n, E_CONFIRM, NULL);
}

/* ---- learning ---------------------------------------------------------------------------------------------------------- */

/* Judges addr is-at lladdr against an existing entry. True: something changed that other shards should hear of. */
static bool neigh_judge(struct stack *stack, struct neighbour *n, const struct eth_addr *lladdr, unsigned flags)
{
	bool known = nud_info[n->state].valid, same = known && eth_equal(&n->ha, lladdr);
	uint8_t old = n->state;
	enum nud_event ev = flags & NEIGH_LEARN_SOLICITED ? E_ANSWER : same ? E_HEARD_SAME : E_HEARD_NEW;

	if (n->list == L_PERMANENT)
		return false;
	/* An address that was set a moment ago is not changed again: of several answers the first wins (proxies, failover). */
	if (known && !same && !(flags & NEIGH_LEARN_OVERRIDE) && stack->now - n->updated < stack->sysctl->neigh_locktime * NSEC_PER_MSEC)
		return false;
	if (known && !same)
		n->updated = stack->now;
	neigh_event(stack, n, ev, lladdr);
	/* an entry that was valid had nobody waiting, so it is still there */
	if (known && !same && n->state == old)
		neigh_notify(stack, n, STACK_EV_NEIGH);
	return !same || (ev == E_ANSWER && old != S_REACHABLE);
}

void neigh_learn(struct stack *stack, struct net_device *dev, const struct ipaddr *addr, const struct eth_addr *lladdr, unsigned flags)
{
	struct neighbour *n = neigh_lookup(stack->neigh, dev->ifindex, addr);
	bool solicited = flags & NEIGH_LEARN_SOLICITED, asked, news;

	if (!n && flags & NEIGH_LEARN_CREATE)
		n = neigh_create(stack, dev, addr, false, true);
	if (!n) {
		if (stack_multi(stack) && neigh_relay_allow(stack, solicited ? RELAY_ANSWER : RELAY_HEARD))
			neigh_tell(stack, STACK_CPU_ALL, SHARD_NEIGH_UPDATE, dev->ifindex, addr, lladdr, NUD_STALE,
				   (solicited ? MSG_F_ANSWER : 0) | (flags & NEIGH_LEARN_OVERRIDE ? MSG_F_OVERRIDE : 0));
		return;
	}
	/* What was asked for is always passed on, and comes once for each question; what comes by itself may be a flood. */
	asked = n->state == S_INCOMPLETE || n->state == S_PROBE;
	/* An answer that this shard did not ask for is another's, even if it says nothing new here: who asked waits for it. */
	news = neigh_judge(stack, n, lladdr, flags) || (solicited && !asked);
	if (news && stack_multi(stack) && (asked || neigh_relay_allow(stack, solicited ? RELAY_ANSWER : RELAY_HEARD)))
		neigh_tell(stack, STACK_CPU_ALL, SHARD_NEIGH_UPDATE, dev->ifindex, addr, lladdr, solicited ? NUD_REACHABLE : NUD_STALE,
			   MSG_F_OVERRIDE | (solicited ? MSG_F_ANSWER : 0));
}

/* Another shard asks us to find out; we are the one that sends solicitations for this address. */
static void neigh_msg_solicit(struct stack *stack, struct net_device *dev, const struct shard_msg *msg)
{
	struct neighbour *n = neigh_lookup(stack->neigh, dev->ifindex, &msg->addr);
	bool verify = msg->flags & MSG_F_VERIFY;

	if (!n)
		n = neigh_create(stack, dev, &msg->addr, false, false);
	if (!n) {
		neigh_tell(stack, msg->from, SHARD_NEIGH_FAILED, dev->ifindex, &msg->addr, NULL, NUD_FAILED, 0);
		return;
	}
	if (n->state == S_REACHABLE || n->list == L_PERMANENT || (nud_info[n->state].valid && !verify)) {
		bool live = n->state == S_REACHABLE || n->list == L_PERMANENT;

		neigh_tell(stack, msg->from, SHARD_NEIGH_UPDATE, dev->ifindex, &n->key, &n->ha, live ? NUD_REACHABLE : NUD_STALE,
			   MSG_F_OVERRIDE | (live ? MSG_F_ANSWER : 0));
		return;
	}
	n->used = stack->now;
	neigh_event(stack, n, E_VERIFY, NULL);
}

void neigh_shard_msg(struct stack *stack, const struct shard_msg *msg)
{
	struct net_device *dev = dev_get_by_index(stack, msg->ifindex);
	struct neighbour *n;

	if (msg->type == SHARD_NEIGH_DEL && ipaddr_is_any(&msg->addr)) {
		neigh_drop_learned(stack, msg->ifindex, SKB_DROP_NEIGH_DEAD);
		return;
	}
	if (!dev || !dev_running(dev))
		return;
	if (msg->type == SHARD_NEIGH_SOLICIT) {
		neigh_msg_solicit(stack, dev, msg);
		return;
	}
	n = neigh_lookup(stack->neigh, msg->ifindex, &msg->addr);
	if (!n)
		return;
	switch (msg->type) {
	case SHARD_NEIGH_UPDATE:
		neigh_judge(stack, n, &msg->lladdr, (msg->flags & MSG_F_OVERRIDE ? NEIGH_LEARN_OVERRIDE : 0) | (msg->flags & MSG_F_ANSWER ? NEIGH_LEARN_SOLICITED : 0));
		break;
	case SHARD_NEIGH_FAILED:
		neigh_event(stack, n, E_GIVEN_UP, NULL);
		break;
	case SHARD_NEIGH_DEL:
		if (n->list != L_PERMANENT)
			neigh_destroy(stack, n, SKB_DROP_NEIGH_DEAD);
		break;
	default:
		break;
	}
}
