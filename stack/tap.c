/* SPDX-License-Identifier: MIT */
/*
 * tap.c: packet taps (netstack/tap.h): the list that packet sockets, captures and embedders stand on, and the hooks that feed it.
 *
 * Theory. A stack keeps one list of taps. What the data path tests is DEV_HOOK_TAP in dev->hooks, which stands while some tap wants frames of that device; only then
 * are tap_rx and tap_tx called. Drops come from the pool's hook, which is set while some tap wants drops: kfree_skb is off the fast path and pays one test.
 * An skb that was shown is marked (skb->tapped) and numbered, so that who hears of its death can tell that it saw it live, and does not take it for one that stood
 * in the same memory before.
 *
 * Frames that the MAC filter refuses never get to the protocols; tap_rx_filtered shows them where the device is promiscuous or takes the group. Promiscuity and
 * groups are counted in the device (by taps and by packet sockets), apart from the flags of the configuration, and only taps look at them: an observer does not change what the
 * protocols get.
 *
 * Invariants: dev->hooks has DEV_HOOK_TAP if and only if a tap with STACK_TAP_RX or STACK_TAP_TX matches the device; dev->promiscuity is the number of taps and
 * memberships that want it.
 *
 * Not done: showing a VLAN tag apart from the frame.
 */
#include <netstack/tap.h>

#include "bug.h"
#include "dev.h"
#include "stack_priv.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

/* ---- frames ---- */

void stack_tap_frame_init(struct stack_tap_frame *f, const struct sk_buff *skb)
{
	memset(f, 0, sizeof(*f));
	f->skb = skb;
	f->protocol = skb->protocol;
	f->len = skb->len;
	f->head = skb->data;
	f->head_len = f->skb_off = skb_headlen(skb);
}

/* The frame begins lead bytes in front of data. */
static void frame_lead(struct stack_tap_frame *f, uint32_t lead)
{
	f->head -= lead;
	f->head_len += lead;
	f->len += lead;
}

/* In front of data comes an Ethernet header that nobody has written yet. */
static void frame_make_header(struct stack_tap_frame *f, const struct net_device *dev)
{
	struct eth_hdr eth = { .h_proto = cpu_to_be16(f->protocol ? f->protocol : ETH_P_IP) };

	if (dev)
		eth.h_source = dev->conf->addr;
	memcpy(f->header, &eth, sizeof(eth));
	f->made = true;
	f->head = f->header;
	f->head_len = ETH_HLEN;
	f->skb_off = 0;
	f->len += ETH_HLEN;
}

int stack_tap_copy(const struct stack_tap_frame *f, uint32_t off, void *to, uint32_t n)
{
	uint32_t part;

	if (off > f->len || n > f->len - off)
		return -EFAULT;
	if (off < f->head_len) {
		part = f->head_len - off < n ? f->head_len - off : n;
		memcpy(to, f->head + off, part);
		to = (unsigned char *)to + part;
		n -= part;
		off = f->head_len;
	}
	return n ? skb_copy_bits(f->skb, f->skb_off + (off - f->head_len), to, n) : 0;
}

/* ---- the hooks ---- */

static void tap_show(struct stack *stack, int ifindex, unsigned what, const struct stack_tap_frame *f)
{
	struct stack_tap *tap;

	list_for_each(tap, &stack->taps, struct stack_tap, node)
		if (tap->what & what && (!tap->ifindex || tap->ifindex == ifindex))
			tap->fn(tap->arg, f);
}

void tap_rx(struct stack *stack, struct sk_buff *skb)
{
	struct stack_tap_frame f;

	stack_tap_frame_init(&f, skb);
	f.dir = STACK_TAP_DIR_IN;
	f.ifindex = skb->dev->ifindex;
	f.when = stack->now;
	if (likely(skb->mac_header != SKB_NO_HEADER))
		frame_lead(&f, (uint32_t)(skb->data - skb_mac_header(skb)));
	skb->tapped = 1;
	f.id = skb->tap_id = ++stack->tap_id;
	tap_show(stack, f.ifindex, STACK_TAP_RX, &f);
}

void tap_tx(struct net_device *dev, struct sk_buff *skb)
{
	struct stack_tap_frame f;

	if (skb->requeued) { /* shown before the driver refused it for the moment */
		skb->requeued = 0;
		return;
	}
	stack_tap_frame_init(&f, skb);
	f.dir = STACK_TAP_DIR_OUT;
	f.ifindex = dev->ifindex;
	f.when = dev->stack->now;
	skb->tapped = 1;
	f.id = skb->tap_id = ++dev->stack->tap_id;
	tap_show(dev->stack, f.ifindex, STACK_TAP_TX, &f);
}

static bool addr_wanted(const struct net_device *dev, const struct eth_addr *addr)
{
	const struct dev_group *g;

	list_for_each(g, &dev->groups, struct dev_group, node)
		if (eth_equal(&g->addr, addr))
			return true;
	return false;
}

void tap_rx_filtered(struct stack *stack, struct sk_buff *skb, enum skb_drop_reason reason)
{
	const struct net_device *dev = skb->dev;
	const struct eth_addr *dest;
	bool wanted = dev->promiscuity || dev->conf->flags & NS_IFF_PROMISC;

	if (!(dev->hooks & DEV_HOOK_TAP) || reason == SKB_DROP_ETH_SHORT)
		return;
	dest = &((const struct eth_hdr *)(const void *)skb_mac_header(skb))->h_dest;
	wanted |= addr_wanted(dev, dest);
	if (eth_is_multicast(dest))
		wanted |= dev->allmulti || dev->conf->flags & NS_IFF_ALLMULTI;
	else if (reason == SKB_DROP_ETH_MULTICAST_SOURCE) /* damaged, but for us or not: the filter has not said */
		wanted |= eth_equal(dest, &dev->conf->addr);
	if (wanted)
		tap_rx(stack, skb);
}

/* Which device a dying packet belongs to, and which way it went: one that left, or was about to leave, by another device than it came in by, or that has its Ethernet
 * header in front again. */
static enum stack_tap_dir drop_direction(const struct sk_buff *skb, int *ret_ifindex)
{
	bool has_mac = skb->mac_header != SKB_NO_HEADER;

	*ret_ifindex = skb->dev ? skb->dev->ifindex : skb->skb_iif;
	if (!skb->skb_iif)
		return STACK_TAP_DIR_OUT;
	if (skb->dev && skb->dev->ifindex != skb->skb_iif)
		return STACK_TAP_DIR_OUT;
	return has_mac && skb_mac_header(skb) == skb->data ? STACK_TAP_DIR_OUT : STACK_TAP_DIR_IN;
}

static void tap_drop(void *arg, const struct sk_buff *skb, enum skb_drop_reason reason)
{
	struct stack *stack = arg;
	bool has_mac = skb->mac_header != SKB_NO_HEADER && skb_mac_header(skb) <= skb->data;
	struct stack_tap_frame f;

	stack_tap_frame_init(&f, skb);
	f.dir = drop_direction(skb, &f.ifindex);
	f.reason = reason;
	f.again = skb->tapped;
	f.id = skb->tap_id;
	f.when = stack->now;
	if (f.dir == STACK_TAP_DIR_IN && has_mac)
		frame_lead(&f, (uint32_t)(skb->data - skb_mac_header(skb)));
	else if (f.dir == STACK_TAP_DIR_IN ? skb->network_header != SKB_NO_HEADER : !has_mac || skb_mac_header(skb) != skb->data)
		frame_make_header(&f, skb->dev);
	/* else: as the device delivered it, or complete as it was to be sent */
	tap_show(stack, f.ifindex, STACK_TAP_DROPS, &f);
}

/* ---- taps ---- */

/* Sets what the hooks of a device look at, after the list of taps has changed. */
static void tap_dev_update(const struct stack *stack, struct net_device *dev)
{
	const struct stack_tap *tap;
	bool wanted = false;

	list_for_each(tap, &stack->taps, struct stack_tap, node)
		if (tap->what & (STACK_TAP_RX | STACK_TAP_TX) && (!tap->ifindex || tap->ifindex == dev->ifindex))
			wanted = true;
	dev->hooks = wanted ? dev->hooks | DEV_HOOK_TAP : dev->hooks & ~DEV_HOOK_TAP;
}

static void tap_update(struct stack *stack)
{
	struct net_device *dev;
	const struct stack_tap *tap;
	bool drops = false;

	list_for_each(dev, &stack->devs, struct net_device, node)
		tap_dev_update(stack, dev);
	list_for_each(tap, &stack->taps, struct stack_tap, node)
		drops |= (tap->what & STACK_TAP_DROPS) != 0;
	skb_pool_set_drop_hook(stack->pool, drops ? tap_drop : NULL, stack);
}

static bool wants_promisc(const struct stack_tap *tap, const struct net_device *dev)
{
	return tap->what & STACK_TAP_PROMISC && (!tap->ifindex || tap->ifindex == dev->ifindex);
}

void tap_dev_init(struct stack *stack, struct net_device *dev)
{
	const struct stack_tap *tap;

	list_init(&dev->groups);
	list_for_each(tap, &stack->taps, struct stack_tap, node)
		dev->promiscuity += wants_promisc(tap, dev);
	tap_dev_update(stack, dev);
}

void tap_dev_exit(struct net_device *dev)
{
	struct dev_group *g, *tmp;

	list_for_each_safe(g, tmp, &dev->groups, struct dev_group, node) {
		list_del(&g->node);
		free(g);
	}
}

void tap_register(struct stack *stack, struct stack_tap *tap)
{
	struct net_device *dev;

	tap->stack = stack;
	list_add_tail(&tap->node, &stack->taps);
	list_for_each(dev, &stack->devs, struct net_device, node)
		dev->promiscuity += wants_promisc(tap, dev);
	tap_update(stack);
}

void tap_unregister(struct stack_tap *tap)
{
	struct net_device *dev;

	list_del(&tap->node);
	list_for_each(dev, &tap->stack->devs, struct net_device, node)
		dev->promiscuity -= wants_promisc(tap, dev);
	tap_update(tap->stack);
}

int stack_tap_attach(struct stack *stack, int ifindex, unsigned what, void (*fn)(void *arg, const struct stack_tap_frame *frame), void *arg, struct stack_tap **ret)
{
	struct stack_tap *tap;

	if (!(what & (STACK_TAP_RX | STACK_TAP_TX | STACK_TAP_DROPS)) || ifindex < 0)
		return -EINVAL;
	if (ifindex && !dev_get_by_index(stack, ifindex))
		return -ENODEV;
	tap = calloc(1, sizeof(*tap));
	if (!tap)
		return -ENOMEM;
	tap->ifindex = ifindex;
	tap->what = what;
	tap->fn = fn;
	tap->arg = arg;
	tap_register(stack, tap);
	*ret = tap;
	return 0;
}

void stack_tap_detach(struct stack_tap *tap)
{
	tap_unregister(tap);
	free(tap);
}

void tap_exit(struct stack *stack)
{
	struct stack_tap *tap, *tmp;

	list_for_each_safe(tap, tmp, &stack->taps, struct stack_tap, node)
		if (!tap->embedded)
			stack_tap_detach(tap);
}

/* ---- addresses, for packet sockets ---- */

int dev_group_add(struct net_device *dev, const struct eth_addr *addr)
{
	struct dev_group *g;

	list_for_each(g, &dev->groups, struct dev_group, node)
		if (eth_equal(&g->addr, addr)) {
			g->users++;
			return 0;
		}
	g = malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->addr = *addr;
	g->users = 1;
	list_add_tail(&g->node, &dev->groups);
	return 0;
}

void dev_group_del(struct net_device *dev, const struct eth_addr *addr)
{
	struct dev_group *g;

	list_for_each(g, &dev->groups, struct dev_group, node)
		if (eth_equal(&g->addr, addr)) {
			if (!--g->users) {
				list_del(&g->node);
				free(g);
			}
			return;
		}
}
