/* SPDX-License-Identifier: MIT */
/*
 * twostacks.c: two stacks in one process, joined by a wire in memory. The first serves TCP echo; the second connects, sends a text and reads it back.
 *
 * It uses nothing but the installed headers. The three duties of a program that embeds libnetstack can be seen in it: it carries frames (xmit), it carries
 * time (run_until_idle; this clock is made up, a real one does as well), and it answers wake-ups (wake).
 *
 *	cc twostacks.c $(pkg-config --cflags --libs libnetstack) -o twostacks && ./twostacks
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netstack/netcfg.h>
#include <netstack/socket.h>
#include <netstack/stack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ECHO_PORT 7

struct node {
	const char    *name;
	struct netcfg *cfg;
	struct stack  *stack;
	int            ifindex;
	ktime_t        next; /* when the stack wants to be run */
	struct node   *peer; /* the other end of the wire */
	struct socket *listener; /* the server's */
};

static ktime_t now = NSEC_PER_SEC;
static unsigned long frames;

static void check(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-r));
		exit(1);
	}
}

/* A frame leaves one stack and arrives at the other. It is copied, because a buffer belongs to the stack whose pool it came from. */
static int xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct node    *to = ((struct node *)priv)->peer;
	struct sk_buff *copy = alloc_skb(stack_skb_pool(to->stack), skb->len + SKB_HEADROOM, SKB_HEADROOM);

	(void)ifindex;
	if (copy) {
		skb_copy_bits(skb, 0, skb_put(copy, skb->len), skb->len);
		stack_rx(to->stack, to->ifindex, copy, now);
		to->next = now;
		frames++;
	}
	consume_skb(skb);
	return 0;
}

/* A socket of the server became ready: cookie 1 is the listener, others are the connections, by their address. */
static void wake(void *priv, uint64_t cookie, uint32_t events)
{
	struct node   *n = priv;
	struct socket *s;
	char           buf[512];
	ssize_t        r;

	(void)events;
	if (cookie == 0)
		return; /* the client's socket: its owner looks for itself */
	if (cookie == 1) {
		while (ns_accept(n->listener, &s, NULL, NULL) == 0)
			ns_set_cookie(s, (uintptr_t)s, EPOLLIN | EPOLLRDHUP);
		return;
	}
	s = (struct socket *)(uintptr_t)cookie;
	while ((r = ns_recv(s, buf, sizeof(buf), 0)) > 0)
		ns_send(s, buf, (size_t)r, 0); /* a text this short always fits; a real server keeps what did not */
	if (r == 0) /* the client has sent all */
		ns_close(s);
}

static const struct stack_ops ops = { .xmit = xmit, .wake = wake };

static void node_new(struct node *n, const char *name, const char *addr, struct node *peer)
{
	struct stack_params params = { .seed = { 1, 2, 3, (uintptr_t)name[0] }, .cpu = 0, .ncpu = 1 };
	struct link_conf    link = { .name = "eth0", .type = LINK_VIRTUAL };
	struct addr_conf    ac = { .local = { .addr = ipaddr_v4(inet_addr(addr)), .len = 24 } };
	struct netcfg_err   err = { "" };

	n->name = name;
	n->peer = peer;
	n->cfg = netcfg_new();
	check(n->cfg ? 0 : -1, "netcfg_new");
	check(netcfg_link_add(n->cfg, &link, params.seed[3], &n->ifindex, &err), "netcfg_link_add");
	link = *netcfg_link_by_index(n->cfg, n->ifindex);
	link.flags |= NS_IFF_UP;
	link.carrier = 1;
	check(netcfg_link_set(n->cfg, &link, &err), err.text);
	check(netcfg_link_set_carrier(n->cfg, n->ifindex, true), "netcfg_link_set_carrier");
	ac.ifindex = n->ifindex;
	check(netcfg_addr_add(n->cfg, &ac, false, &err), err.text);
	check(stack_new(&n->stack, &params, &ops, n, now), "stack_new");
	check(stack_apply(n->stack, netcfg_commit(n->cfg), now), "stack_apply");
	n->next = now;
}

/* Runs both stacks until neither has anything to do before the given time. */
static void run(struct node *a, struct node *b, ktime_t until)
{
	for (;;) {
		struct node *n = a->next <= b->next ? a : b;

		if (n->next > until)
			break;
		if (n->next > now)
			now = n->next;
		n->next = stack_run(n->stack, now, 0);
	}
	if (now < until)
		now = until;
}

int main(void)
{
	static const char  text[] = "Hello from a stack without a kernel.";
	struct node        server = { 0 }, client = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(ECHO_PORT) };
	struct socket     *s;
	char               buf[128] = "";
	size_t             got = 0;
	ssize_t            r = -1;

	node_new(&server, "server", "192.0.2.1", &client);
	node_new(&client, "client", "192.0.2.2", &server);

	check(ns_socket(server.stack, AF_INET, SOCK_STREAM, 0, &server.listener), "socket");
	check(ns_bind(server.listener, (struct sockaddr *)&at, sizeof(at)), "bind");
	check(ns_listen(server.listener, 16), "listen");
	ns_set_cookie(server.listener, 1, EPOLLIN);

	check(ns_socket(client.stack, AF_INET, SOCK_STREAM, 0, &s), "socket");
	at.sin_addr.s_addr = inet_addr("192.0.2.1");
	ns_connect(s, (struct sockaddr *)&at, sizeof(at)); /* -EINPROGRESS */
	client.next = now;
	run(&client, &server, now + NSEC_PER_SEC);
	if (!(ns_poll(s) & EPOLLOUT)) {
		fprintf(stderr, "not connected\n");
		return 1;
	}
	check((int)ns_send(s, text, strlen(text), 0), "send");
	check(ns_shutdown(s, SHUT_WR), "shutdown");
	client.next = now;
	run(&client, &server, now + NSEC_PER_SEC);
	while (got < sizeof(buf) - 1 && (r = ns_recv(s, buf + got, sizeof(buf) - 1 - got, 0)) > 0)
		got += (size_t)r;
	printf("sent:     %s\nreceived: %s\n%lu frames went over the wire; version %s\n", text, buf, frames, netstack_version());
	ns_close(s);
	ns_close(server.listener);
	run(&client, &server, now + 300 * NSEC_PER_SEC);
	stack_free(client.stack);
	stack_free(server.stack);
	netcfg_free(client.cfg);
	netcfg_free(server.cfg);
	return r == 0 && strcmp(buf, text) == 0 ? 0 : 1;
}
