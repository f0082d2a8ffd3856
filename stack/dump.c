/* SPDX-License-Identifier: MIT */
/*
 * dump.c: what "ss -tuanpi" shows of a shard's sockets: stack_sock_foreach.
 *
 * Full sockets come first, in the order of their making, then the minisocks of TCP (half-open connections and TIME-WAIT), which stand only in the connection
 * table. The callback may call anything on sockets but must not receive frames or run timers: a reference holds the sock that it is told of, so that it may
 * even close it.
 */
#include "sock_priv.h"

static void info_from_sock(struct sock *sk, struct sock_info *info)
{
	*info = (struct sock_info){
		.family = sk->family, .type = sk->type, .protocol = sk->protocol, .state = sk->state, .local = ipaddr_is_any(&sk->rcv_saddr) ? sk->saddr : sk->rcv_saddr,
		.remote = sk->daddr, .lport = sk->type == SOCK_RAW ? sk->protocol : sk->sport, .rport = sk->dport, .ifindex = sk->bound_dev_if, .recvq = sk->rmem,
		.sendq = sk->wmem, .cookie = sk->sock.cookie, .ino = sk->dead ? 0 : sk->ino, .rmem = sk->rmem, .rcvbuf = sk->rcvbuf, .wmem = sk->wmem,
		.sndbuf = sk->sndbuf, .drops = sk->drops,
	};
	memcpy(info->owner, sk->owner, sizeof(info->owner));
	if (!info->local.family)
		info->local.family = sk->family;
	if (!info->remote.family)
		info->remote.family = sk->family;
	if (sk->proto->info)
		sk->proto->info(sk, info);
}

struct mini_dump {
	struct stack *stack;
	int (*fn)(void *arg, const struct sock_info *info);
	void *arg;
};

static int mini_one(void *arg, struct ehash_entry *e)
{
	struct mini_dump *d = arg;
	struct sock_info info;

	if (e->kind == EHASH_SOCK)
		return 0;
	info = (struct sock_info){
		.family = e->saddr.family, .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .local = e->saddr, .remote = e->daddr, .lport = e->sport, .rport = e->dport,
		.state = e->kind == EHASH_TW ? SS_TIME_WAIT : SS_SYN_RECV, .ifindex = e->ifindex, .timer = e->kind == EHASH_TW ? 3 : 1,
	};
	if (tcp_prot.mini_info)
		tcp_prot.mini_info(d->stack, e, &info);
	return d->fn(d->arg, &info);
}

int stack_sock_foreach(struct stack *stack, int (*fn)(void *arg, const struct sock_info *info), void *arg)
{
	struct mini_dump d = { .stack = stack, .fn = fn, .arg = arg };
	struct sock *sk = list_first(sock_list(stack), struct sock, node), *next;
	struct sock_info info;
	int ret = 0;

	if (sk)
		sock_hold(sk);
	while (sk && !ret) {
		info_from_sock(sk, &info);
		ret = fn(arg, &info);
		next = sk->node.next == sock_list(stack) ? NULL : list_entry(sk->node.next, struct sock, node);
		if (next)
			sock_hold(next);
		sock_put(sk);
		sk = next;
	}
	if (sk)
		sock_put(sk);
	return ret ? ret : inet_ehash_foreach(stack, mini_one, &d);
}
