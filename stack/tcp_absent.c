/* SPDX-License-Identifier: MIT */
/*
 * tcp_absent.c: lets the library link while TCP is not in it: segments are dropped as having no socket, TCP sockets cannot be made to do anything. The
 * landing of tcp.c deletes this file and its line in local.mk.
 */
#include "ip.h"
#include "sock.h"

#include <errno.h>

static int tcp_refuse(struct sock *sk)
{
	(void)sk;
	return -EPROTONOSUPPORT;
}

static void tcp_nothing(struct sock *sk) { (void)sk; }

const struct proto tcp_prot = { .name = "TCP", .obj_size = sizeof(struct sock), .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .init = tcp_refuse, .destroy = tcp_nothing };

int tcp_init(struct stack *stack) { (void)stack; return 0; }
void tcp_exit(struct stack *stack) { (void)stack; }
void tcp_shutdown_all(struct stack *stack) { (void)stack; }

void tcp_v4_rcv(struct stack *stack, struct sk_buff *skb)
{
	(void)stack;
	kfree_skb(skb, SKB_DROP_NO_SOCKET);
}

void tcp_v4_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info)
{
	(void)stack, (void)icmp, (void)type, (void)code, (void)info;
}
