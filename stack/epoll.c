/* SPDX-License-Identifier: MIT */
/*
 * epoll.c: sets of sockets with the meaning of epoll(7), over the sockets of one stack.
 *
 * A member (ns_epitem) stands in two lists for its life, those of its set and of its socket, and in the set's ready list while something may have happened on it.
 * An event on a socket puts its members there; ns_epoll_wait takes them off, asks the socket for its level, and reports what holds. A level-triggered member goes
 * back to the end of the list, to be asked again the next time; an edge-triggered one does not, so it is reported once for each event. The cost is that of the
 * members that are ready, not of those that are in the set.
 *
 * The set itself becomes readable when an event puts a member on its ready list; ops->wake tells that once at the end of stack_run.
 *
 * EPOLLONESHOT switches a member off when it was reported, until EPOLL_CTL_MOD. EPOLLEXCLUSIVE and EPOLLWAKEUP mean nothing here and are ignored.
 *
 * Not done: sets inside sets, sockets of several stacks in one set.
 */
#include "sock_priv.h"

#include <errno.h>
#include <stdlib.h>

#define EP_FLAGS  ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP))
#define EP_ALWAYS ((uint32_t)(EPOLLERR | EPOLLHUP))

struct ns_epitem { /* owner: the set */
	struct list_head ep_node; /* ns_epoll.items */
	struct list_head sk_node; /* sock.epitems */
	struct list_head ready_node; /* ns_epoll.ready */
	struct ns_epoll *ep;
	struct sock     *sk;
	uint32_t         events; /* with EP_FLAGS */
	bool             off; /* one shot was fired */
	uint64_t         data;
};

struct ns_epoll { /* owner: the application */
	struct stack    *stack;
	struct list_head items, ready;
	struct list_head wake_node; /* sock_state.ep_wakes */
	uint64_t         cookie;
	bool             has_cookie;
};

int ns_epoll_create(struct stack *stack, struct ns_epoll **ret)
{
	struct ns_epoll *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return -ENOMEM;
	ep->stack = stack;
	list_init(&ep->items);
	list_init(&ep->ready);
	list_init(&ep->wake_node);
	*ret = ep;
	return 0;
}

static void item_free(struct ns_epitem *it)
{
	list_del(&it->ep_node);
	list_del(&it->sk_node);
	list_del(&it->ready_node);
	free(it);
}

void ns_epoll_close(struct ns_epoll *ep)
{
	struct ns_epitem *it, *tmp;

	list_for_each_safe(it, tmp, &ep->items, struct ns_epitem, ep_node)
		item_free(it);
	list_del(&ep->wake_node);
	free(ep);
}

/* A socket is seldom in more than one set, so its own list is the index. */
static struct ns_epitem *item_find(const struct ns_epoll *ep, struct sock *sk)
{
	struct ns_epitem *it;

	list_for_each(it, &sk->epitems, struct ns_epitem, sk_node)
		if (it->ep == ep)
			return it;
	return NULL;
}

static void ep_announce(struct ns_epoll *ep)
{
	if (ep->has_cookie && list_empty(&ep->wake_node))
		list_add_tail(&ep->wake_node, &ep->stack->socks->ep_wakes);
}

static void item_ready(struct ns_epitem *it)
{
	if (list_empty(&it->ready_node))
		list_add_tail(&it->ready_node, &it->ep->ready);
	ep_announce(it->ep);
}

static uint32_t item_level(struct ns_epitem *it)
{
	return it->off ? 0 : sk_poll(it->sk) & (it->events | EP_ALWAYS) & ~EP_FLAGS;
}

void epoll_sk_event(struct sock *sk, uint32_t events)
{
	struct ns_epitem *it;

	list_for_each(it, &sk->epitems, struct ns_epitem, sk_node)
		if (!it->off && (events & (it->events | EP_ALWAYS) & ~EP_FLAGS))
			item_ready(it);
}

void epoll_sk_closed(struct sock *sk)
{
	struct ns_epitem *it, *tmp;

	list_for_each_safe(it, tmp, &sk->epitems, struct ns_epitem, sk_node)
		item_free(it);
}

bool epoll_run_wakes(struct stack *stack)
{
	struct list_head round;
	struct ns_epoll *ep;
	bool any = false;

	list_init(&round);
	while ((ep = list_first(&stack->socks->ep_wakes, struct ns_epoll, wake_node)))
		list_move_tail(&ep->wake_node, &round);
	while ((ep = list_first(&round, struct ns_epoll, wake_node))) {
		list_del(&ep->wake_node);
		if (list_empty(&ep->ready))
			continue;
		any = true;
		if (stack->ops->wake)
			stack->ops->wake(stack->priv, ep->cookie, EPOLLIN);
	}
	return any;
}

void epoll_exit(struct stack *stack)
{
	struct ns_epoll *ep;

	while ((ep = list_first(&stack->socks->ep_wakes, struct ns_epoll, wake_node)))
		list_del(&ep->wake_node);
}

int ns_epoll_ctl(struct ns_epoll *ep, int op, struct socket *sock, const struct ns_epoll_event *ev)
{
	struct sock *sk = sk_of(sock);
	struct ns_epitem *it = item_find(ep, sk);

	if (sk->stack != ep->stack)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && !ev)
		return -EFAULT;
	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			return -EEXIST;
		it = calloc(1, sizeof(*it));
		if (!it)
			return -ENOMEM;
		it->ep = ep;
		it->sk = sk;
		list_init(&it->ready_node);
		list_add_tail(&it->ep_node, &ep->items);
		list_add_tail(&it->sk_node, &sk->epitems);
		break;
	case EPOLL_CTL_MOD:
		if (!it)
			return -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		item_free(it);
		return 0;
	default:
		return -EINVAL;
	}
	it->events = ev->events;
	it->data = ev->data;
	it->off = false;
	if (item_level(it))
		item_ready(it);
	return 0;
}

int ns_epoll_wait(struct ns_epoll *ep, struct ns_epoll_event *ev, int max)
{
	struct list_head again;
	struct ns_epitem *it;
	int n = 0;

	if (max <= 0 || !ev)
		return -EINVAL;
	list_init(&again);
	while (n < max && (it = list_first(&ep->ready, struct ns_epitem, ready_node))) {
		uint32_t level = item_level(it);

		list_del(&it->ready_node);
		if (!level)
			continue;
		ev[n].events = level;
		ev[n].data = it->data;
		n++;
		if (it->events & EPOLLONESHOT)
			it->off = true;
		else if (!(it->events & EPOLLET))
			list_add_tail(&it->ready_node, &again);
	}
	while ((it = list_first(&again, struct ns_epitem, ready_node)))
		list_move_tail(&it->ready_node, &ep->ready);
	return n;
}

/* What is ready already is announced, so that the order of ctl and set_cookie does not matter. */
void ns_epoll_set_cookie(struct ns_epoll *ep, uint64_t cookie)
{
	ep->cookie = cookie;
	ep->has_cookie = true;
	if (!list_empty(&ep->ready))
		ep_announce(ep);
}
