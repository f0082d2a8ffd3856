/* SPDX-License-Identifier: MIT */
/*
 * xdp_fib.c: what an XDP program may ask of the routing tables: where a packet of IPv4 would be forwarded to, and with which MAC addresses. The steps and answers
 * are those of Linux's bpf_fib_lookup: it decides nothing, it changes nothing, and it asks nobody for an address that is not known.
 *
 * Not done: IPv6, tables other than those that the rules name, VLAN tags of the way out.
 */
#include "dev.h"
#include "fib.h"
#include "neigh.h"
#include "snapshot.h"
#include "stack_priv.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static enum stack_xdp_fib_ret refused(int err)
{
	switch (err) {
	case -EINVAL:
		return STACK_XDP_FIB_BLACKHOLE;
	case -EHOSTUNREACH:
		return STACK_XDP_FIB_UNREACHABLE;
	case -EACCES:
		return STACK_XDP_FIB_PROHIBIT;
	}
	return STACK_XDP_FIB_NOT_FWDED;
}

static enum stack_xdp_fib_ret next_hop(struct stack *stack, const struct fib_nexthop_info *nh, struct stack_xdp_fib *fib)
{
	struct net_device *out = dev_get_by_index(stack, nh->ifindex);
	struct ipaddr hop;

	if (!out || (nh->gateway.family && nh->gateway.family != AF_INET))
		return STACK_XDP_FIB_NOT_FWDED;
	fib->mtu = nh->mtu && nh->mtu < dev_mtu(out) ? nh->mtu : dev_mtu(out);
	fib->metric = nh->metric;
	fib->ifindex = nh->ifindex;
	if (fib->len > fib->mtu)
		return STACK_XDP_FIB_FRAG_NEEDED;
	if (nh->gateway.family)
		fib->daddr = nh->gateway.v4;
	if (fib->no_neigh)
		return STACK_XDP_FIB_OK;
	hop = ipaddr_v4(fib->daddr);
	if (!neigh_hwaddr(stack, nh->ifindex, &hop, &fib->dmac))
		return STACK_XDP_FIB_NO_NEIGH;
	fib->smac = out->conf->addr;
	return STACK_XDP_FIB_OK;
}

void xdp_fib_lookup(struct stack *stack, struct stack_xdp_fib *fib)
{
	const struct net_device *dev = dev_get_by_index(stack, fib->ifindex);
	struct flowi fl = { .daddr = ipaddr_v4(fib->daddr), .saddr = ipaddr_v4(fib->saddr), .tos = fib->tos };
	struct fib_result res;
	int err;

	if (!dev) {
		fib->ret = STACK_XDP_FIB_NOT_FWDED;
		return;
	}
	if (!dev->conf->v4.forwarding) {
		fib->ret = STACK_XDP_FIB_FWD_DISABLED;
		return;
	}
	*(fib->output ? &fl.oif : &fl.iif) = fib->ifindex;
	err = fib->main_only ? fib_table_lookup(stack->snap->main, &fl, 0, &res) : fib_lookup(stack->snap, &fl, &res);
	if (err)
		fib->ret = refused(err);
	else if (res.type != RTN_UNICAST)
		fib->ret = STACK_XDP_FIB_NOT_FWDED;
	else
		fib->ret = next_hop(stack, res.nh, fib);
}
