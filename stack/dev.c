/* SPDX-License-Identifier: MIT */
/*
 * dev.c: the devices of a shard: made, changed and removed by following the configuration; found by index; counted.
 *
 * Theory. A link's settings live in the snapshot and are read through dev->conf; what is the shard's own (queue, NAPI, counters) lives here. A
 * new snapshot moves the pointers, and a change from up to down purges the queue and tells the neighbour table.
 * A device that is removed cannot be freed at once, since packets of it may wait in any queue of the stack: it becomes a dead one, down
 * and without addresses, and is freed when no packet is left but those that wait in sockets, which know no device.
 *
 * Invariants: dev->conf is never NULL; a dead device is in no hash bucket and never up.
 *
 * Not done: carrier transitions are not damped; the control thread does that before it publishes.
 */
#include "dev.h"
#include "gro.h"
#include "bug.h"
#include "neigh.h"
#include "sock.h"
#include "stack_priv.h"
#include "steer.h"

#include <errno.h>
#include <stdlib.h>

static const struct dev_ops *const dev_ops[] = {
	[LINK_LOOPBACK] = &loopback_ops, [LINK_TAP] = NULL, [LINK_VIRTUAL] = NULL, [LINK_DUMMY] = &dummy_ops, [LINK_VETH] = &veth_ops,
	[LINK_VLAN] = &vlan_ops, [LINK_BRIDGE] = &bridge_ops,
};

#define REAP_WAIT     NSEC_PER_SEC /* between two tries to free what is dead: this, and twice as long each time, */
#define REAP_WAIT_MAX (3600 * NSEC_PER_SEC) /* up to this */

static inline struct hlist_head *dev_bucket(struct stack *stack, int ifindex)
{
	return &stack->dev_hash[(unsigned)ifindex % DEV_HASH];
}

struct net_device *dev_get_by_index(const struct stack *stack, int ifindex)
{
	struct net_device *dev;

	hlist_for_each(dev, &stack->dev_hash[(unsigned)ifindex % DEV_HASH], struct net_device, hash)
		if (dev->ifindex == ifindex)
			return dev;
	return NULL;
}

static void dev_point(struct net_device *dev, const struct snap_link *link)
{
	dev->conf = &link->conf;
	dev->addrs = link->addrs;
	dev->naddrs = link->naddrs;
	dev->hooks = dev_up(dev) ? dev->hooks & ~(uint32_t)DEV_HOOK_DOWN : dev->hooks | DEV_HOOK_DOWN;
}

static void dev_free(struct net_device *dev)
{
	tap_dev_exit(dev);
	steer_dev_exit(dev);
	br_gone(dev);
	free(dev->vlans[0]);
	free(dev->vlans[1]);
	free(dev);
}

/* What a device of its kind needs before it can follow its settings. */
static int dev_prepare_kind(struct net_device *dev, const struct link_conf *conf)
{
	switch (conf->type) {
	case LINK_VLAN:
		return vlan_prepare(dev, conf);
	case LINK_BRIDGE:
		return br_prepare(dev, conf);
	default:
		return 0;
	}
}

static void dev_unmake(struct list_head *made)
{
	struct net_device *dev, *tmp;

	list_for_each_safe(dev, tmp, made, struct net_device, node) {
		list_del(&dev->node);
		hlist_del(&dev->hash);
		dev_free(dev);
	}
}

int dev_prepare(struct stack *stack, const struct net_snapshot *to)
{
	struct list_head made;
	struct net_device *dev, *tmp;

	list_init(&made);
	for (unsigned i = 0; i < to->nlinks; i++) {
		const struct snap_link *link = &to->links[i];

		if (dev_get_by_index(stack, link->conf.ifindex))
			continue;
		dev = calloc(1, sizeof(*dev));
		if (!dev)
			goto err_undo;
		dev->stack = stack;
		dev->ops = dev_ops[link->conf.type];
		dev->ifindex = link->conf.ifindex;
		dev_point(dev, link);
		napi_init(&dev->napi, dev, dev_napi_poll);
		skb_queue_init(&dev->txq);
		skb_queue_init(&dev->xdp.held);
		list_init(&dev->tx_list);
		tap_dev_init(stack, dev);
		list_init(&dev->port_node);
		list_add_tail(&dev->node, &made);
		hlist_add_head(&dev->hash, dev_bucket(stack, dev->ifindex));
	}
	for (unsigned i = 0; i < to->nlinks; i++) {
		dev = dev_get_by_index(stack, to->links[i].conf.ifindex);
		if (dev && dev_prepare_kind(dev, &to->links[i].conf) < 0)
			goto err_undo;
	}
	list_for_each_safe(dev, tmp, &made, struct net_device, node)
		list_move_tail(&dev->node, &stack->devs);
	return 0;

err_undo:
	dev_unmake(&made);
	return -ENOMEM;
}

static void dev_link_event(struct net_device *dev)
{
	struct stack_event ev = { .type = STACK_EV_LINK, .ifindex = dev->ifindex, .carrier = dev->conf->carrier != 0, .up = dev_up(dev) };

	if (dev->stack->params.cpu == 0) /* every shard applies the same configuration; one tells of it */
		stack_notify(dev->stack, &ev);
}

static void dev_close(struct net_device *dev)
{
	packet_dev_down(dev->stack, dev);
	xdp_purge(dev);
	napi_gro_purge(&dev->napi, SKB_DROP_DEV_DOWN);
	qdisc_purge(dev, SKB_DROP_DEV_DOWN);
	neigh_dev_down(dev->stack, dev);
}

static void dev_kill(struct stack *stack, struct net_device *dev)
{
	dev->last_conf = *dev->conf; /* of the old snapshot, which is about to go */
	dev->last_conf.flags &= ~NS_IFF_UP;
	dev->last_conf.carrier = 0;
	dev->conf = &dev->last_conf;
	dev->hooks |= DEV_HOOK_DOWN;
	dev->addrs = NULL;
	dev->naddrs = 0;
	dev->dying = true;
	vlan_gone(dev);
	br_gone(dev);
	napi_complete(&dev->napi);
	dev_close(dev);
	hlist_del(&dev->hash);
	list_move_tail(&dev->node, &stack->dead_devs);
	stack->reap_next = stack->now;
	stack->reap_wait = REAP_WAIT / 2;
	dev_link_event(dev);
}

/* What the dead have is small from here on: all that stood on them has gone with them. */
static void dev_shed(struct stack *stack)
{
	struct net_device *dev;

	list_for_each(dev, &stack->dead_devs, struct net_device, node) {
		steer_dev_exit(dev);
		for (unsigned i = 0; i < 2; i++) {
			free(dev->vlans[i]);
			dev->vlans[i] = NULL;
		}
	}
}

/* Which devices something stands on. */
static void upper_apply(struct stack *stack)
{
	struct net_device *dev;

	list_for_each(dev, &stack->devs, struct net_device, node)
		dev->hooks &= ~(uint32_t)DEV_HOOK_UPPER;
	list_for_each(dev, &stack->devs, struct net_device, node) {
		if (dev->ops == &vlan_ops) {
			vlan_apply(dev);
			dev->lower->hooks |= DEV_HOOK_UPPER;
		}
		if (dev->bridge && dev->ops != &bridge_ops)
			dev->hooks |= DEV_HOOK_UPPER;
	}
}

void dev_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to)
{
	struct net_device *dev, *tmp;
	uint32_t udp_gro = 0;

	list_for_each_safe(dev, tmp, &stack->devs, struct net_device, node) {
		const struct snap_link *link = snapshot_link(to, dev->ifindex);
		const struct snap_link *old = from ? snapshot_link(from, dev->ifindex) : NULL;
		bool was_up = old && (old->conf.flags & NS_IFF_UP), had_carrier = old && old->conf.carrier;

		if (!link) {
			dev_kill(stack, dev);
			continue;
		}
		dev_point(dev, link);
		udp_gro += (link->conf.features & (LINK_F_GRO | LINK_F_UDP_GRO_FWD)) == (LINK_F_GRO | LINK_F_UDP_GRO_FWD);
		if (was_up && !dev_up(dev))
			dev_close(dev);
		else if (had_carrier && !dev->conf->carrier)
			qdisc_purge(dev, SKB_DROP_NO_CARRIER); /* when the cable is back, old frames are of no use */
		if (!old || was_up != dev_up(dev) || had_carrier != (dev->conf->carrier != 0))
			dev_link_event(dev);
	}
	stack->udp_gro += udp_gro - stack->udp_gro_devs;
	stack->udp_gro_devs = udp_gro;
	dev_shed(stack);
	br_apply(stack, from, to);
	upper_apply(stack);
}

/* No packet points at any device that is gone. What waits in sockets never does; whether that is all there is takes a look at each of them, so not too often. */
static bool dev_unused(struct stack *stack)
{
	uint64_t left = skb_pool_stats(stack->pool)->outstanding_skbs;

	if (!left)
		return true;
	if (stack->now < stack->reap_next)
		return false;
	stack->reap_wait = stack->reap_wait < REAP_WAIT_MAX ? 2 * stack->reap_wait : REAP_WAIT_MAX;
	stack->reap_next = stack->now + stack->reap_wait;
	return left == sock_waiting_skbs(stack);
}

void dev_reap(struct stack *stack)
{
	struct net_device *dev, *tmp;

	if (likely(list_empty(&stack->dead_devs)) || !dev_unused(stack))
		return;
	list_for_each_safe(dev, tmp, &stack->dead_devs, struct net_device, node) {
		list_del(&dev->node);
		dev_free(dev);
	}
}

void dev_purge_queues(struct stack *stack)
{
	struct net_device *dev;

	list_for_each(dev, &stack->devs, struct net_device, node) {
		xdp_purge(dev);
		napi_gro_purge(&dev->napi, SKB_DROP_DEV_DOWN);
		qdisc_purge(dev, SKB_DROP_DEV_DOWN);
	}
}

void dev_exit(struct stack *stack)
{
	struct net_device *dev, *tmp;

	list_for_each_safe(dev, tmp, &stack->devs, struct net_device, node) {
		napi_complete(&dev->napi);
		list_del(&dev->node);
		dev_free(dev);
	}
	list_for_each_safe(dev, tmp, &stack->dead_devs, struct net_device, node) {
		list_del(&dev->node);
		dev_free(dev);
	}
}

int stack_link_stats(const struct stack *stack, int ifindex, struct link_stats *ret)
{
	const struct net_device *dev = dev_get_by_index(stack, ifindex);

	if (!dev)
		return -ENODEV;
	*ret = dev->stats;
	ret->txq_len = dev->txq.qlen;
	return 0;
}

int stack_link_next(const struct stack *stack, int ifindex)
{
	const struct net_snapshot *snap = stack->snap;

	for (unsigned i = 0; snap && i < snap->nlinks; i++)
		if (snap->links[i].conf.ifindex > ifindex)
			return snap->links[i].conf.ifindex;
	return 0;
}
