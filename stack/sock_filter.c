/* SPDX-License-Identifier: MIT */
/*
 * sock_filter.c: SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_LOCK_FILTER (socket(7)): a classic BPF program that says which packets a socket gets, and how much of each.
 *
 * The program is checked when it is attached (bpf.c) and belongs to the socket. It sees a packet socket's frame from its Ethernet header (SOCK_RAW) or its network header
 * (SOCK_DGRAM) on, a raw socket's packet from its IP header on, and a datagram from its UDP header on, as on Linux.
 *
 * Not done: filters of TCP sockets, SO_ATTACH_REUSEPORT_CBPF, SO_GET_FILTER, eBPF programs: -ENOPROTOOPT.
 */
#include "bug.h"
#include "sock_priv.h"

#include <errno.h>
#include <netstack/bpf.h>
#include <stdlib.h>

struct sk_filter {
	unsigned           len;
	struct sock_filter insns[];
};

static int filter_attach(struct sock *sk, const void *val, socklen_t len)
{
	struct sock_fprog prog;
	struct sk_filter *f;

	if (len != sizeof(prog))
		return -EINVAL;
	memcpy(&prog, val, sizeof(prog));
	if (!prog.filter)
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	f = malloc(sizeof(*f) + prog.len * sizeof(f->insns[0]));
	if (!f)
		return -ENOMEM;
	f->len = prog.len;
	memcpy(f->insns, prog.filter, prog.len * sizeof(f->insns[0]));
	if (ns_bpf_check(f->insns, f->len)) {
		free(f);
		return -EINVAL;
	}
	free(sk->filter);
	sk->filter = f;
	return 0;
}

int sk_filter_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v, err = 0;

	if (sk->type == SOCK_STREAM)
		return -ENOPROTOOPT;
	if (sk->filter_locked && (name != SO_LOCK_FILTER))
		return -EPERM;
	switch (name) {
	case SO_ATTACH_FILTER:
		return filter_attach(sk, val, len);
	case SO_DETACH_FILTER:
		if (!sk->filter)
			return -ENOENT;
		sk_filter_free(sk);
		return 0;
	default: /* SO_LOCK_FILTER: once locked it stays so */
		err = len < sizeof(int) ? -EINVAL : opt_get_int(val, len, &v);
		if (err)
			return err;
		if (sk->filter_locked && !v)
			return -EPERM;
		sk->filter_locked = v != 0;
		return 0;
	}
}

void sk_filter_free(struct sock *sk)
{
	free(sk->filter);
	sk->filter = NULL;
}

uint32_t sk_filter_frame(const struct sock *sk, const struct stack_tap_frame *frame)
{
	return sk->filter ? ns_bpf_run(sk->filter->insns, frame, sk->stack) : UINT32_MAX;
}

bool sk_filter_skb(const struct sock *sk, struct sk_buff *skb, uint32_t keep)
{
	struct stack_tap_frame f;
	uint32_t n;

	stack_tap_frame_init(&f, skb);
	f.ifindex = skb->dev ? skb->dev->ifindex : skb->skb_iif;
	n = sk_filter_frame(sk, &f);
	if (!n)
		return false;
	skb_trim(skb, n > keep ? n : keep);
	return true;
}
