/* SPDX-License-Identifier: MIT */
/*
 * sock.c: life, memory accounts and wake-ups of sockets, and the small tools that every protocol's socket calls need.
 *
 * Life. sk_alloc gives one reference, for the handle or the accept queue. The last sock_put takes the sock out of its tables, calls proto->destroy and frees
 * the queues. An skb whose destructor leads back to the sock (it is charged to it) may still wait for a neighbour or in front of a device: then the memory
 * stays as a zombie until the last of them is freed. Zombies have no tables, no queues, no readers.
 *
 * Memory. rmem and wmem are bytes of truesize. The sums of a shard are kept for TCP and for all else; a sum over the limit refuses more.
 *
 * Wake-ups. An event puts the sock on a list, with its events gathered; sock_run_wakes, at the end of stack_run, takes each off, asks for the level, and calls
 * ops->wake if anything that the application is interested in holds: that is epoll's edge-triggered meaning (an edge starts it, the level is told, an edge
 * whose cause is gone by then is silent). What is put on the list by the callbacks themselves waits for the next round, so a round is finite. Callbacks may
 * close any socket: a closed one leaves the list.
 *
 * Not here: option values (sockopt.c), the public calls (socket.c), epoll sets (epoll.c).
 */
#include "sock_priv.h"
#include "bug.h"

#include <errno.h>
#include <stdlib.h>

int sock_init(struct stack *stack)
{
	struct sock_state *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	list_init(&st->socks);
	list_init(&st->zombies);
	list_init(&st->wakes);
	list_init(&st->ep_wakes);
	stack->socks = st;
	return 0;
}

static void sk_free(struct sock *sk)
{
	free(sk);
}

/*
 * The protocols have ended their own by now; what is left are raw sockets and whatever lost its protocol's state. Their packets may outlive this call in the
 * pool's hands, so zombies are cut off from the stack and die with their last skb.
 */
void sock_exit(struct stack *stack)
{
	struct sock_state *st = stack->socks;
	struct sock *sk, *tmp;

	if (!st)
		return;
	list_for_each_safe(sk, tmp, &st->socks, struct sock, node) {
		epoll_sk_closed(sk);
		sk->dead = true;
		sk->refcnt = 1;
		sock_put(sk);
	}
	raw_exit(stack);
	epoll_exit(stack);
	list_for_each_safe(sk, tmp, &st->zombies, struct sock, node) {
		list_del(&sk->node);
		sk->stack = NULL;
	}
	stack->socks = NULL;
	free(st);
}

struct list_head *sock_list(struct stack *stack)
{
	return &stack->socks->socks;
}

static void sk_defaults(struct sock *sk)
{
	const struct sysctl_values *ctl = sk->stack->sysctl;

	sk->rcvbuf = (uint32_t)ctl->rmem_default;
	sk->sndbuf = (uint32_t)ctl->wmem_default;
	sk->pmtudisc = ctl->ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	sk->mcast_ttl = 1;
	sk->mcast_loop = true;
	sk->mcast_all = true;
	sk->rcvlowat = 1;
	sk->incoming_cpu = -1;
	sk->max_pacing_rate = UINT64_MAX;
}

struct sock *sk_alloc(struct stack *stack, int family, const struct proto *prot)
{
	struct sock_state *st = stack->socks;
	struct sock *sk = calloc(1, prot->obj_size);

	if (!sk)
		return NULL;
	sk->stack = stack;
	sk->proto = prot;
	sk->family = (uint16_t)family;
	sk->type = prot->type;
	sk->protocol = prot->protocol;
	sk->state = SS_CLOSE;
	sk->refcnt = 1;
	sk->ino = ++st->next_ino * stack->params.ncpu + stack->params.cpu;
	list_init(&sk->wake_node);
	list_init(&sk->epitems);
	skb_queue_init(&sk->rcvq);
	skb_queue_init(&sk->errq);
	sk_defaults(sk);
	if (prot->init && prot->init(sk) < 0) {
		sk_free(sk);
		return NULL;
	}
	list_add_tail(&sk->node, &st->socks);
	st->count++;
	return sk;
}

void sock_put(struct sock *sk)
{
	struct sock_state *st = sk->stack->socks;

	if (--sk->refcnt > 0)
		return;
	sk->dead = true;
	epoll_sk_closed(sk);
	list_del(&sk->wake_node);
	list_del(&sk->node);
	st->count--;
	sk->skb_refs++; /* so that the purges below cannot free it under us */
	if (sk->proto->destroy)
		sk->proto->destroy(sk);
	inet_put_port(sk);
	sk_filter_free(sk);
	skb_queue_purge(&sk->rcvq, SKB_DROP_SOCKET_CLOSE);
	skb_queue_purge(&sk->errq, SKB_DROP_SOCKET_CLOSE);
	if (--sk->skb_refs == 0)
		sk_free(sk);
	else
		list_add_tail(&sk->node, &st->zombies);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------------------------------- */

static size_t *mem_of(const struct stack *stack, uint8_t type)
{
	return type == SOCK_STREAM ? &stack->socks->mem_tcp : &stack->socks->mem_other;
}

bool sk_mem_fits(const struct sock *sk, uint32_t bytes)
{
	const struct sysctl_values *ctl = sk->stack->sysctl;
	size_t limit = (size_t)(sk->type == SOCK_STREAM ? ctl->tcp_mem_limit : ctl->udp_mem_limit);

	return *mem_of(sk->stack, sk->type) + bytes <= limit;
}

size_t sk_mem_used(const struct stack *stack, uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? stack->socks->mem_tcp : stack->socks->mem_other;
}

/* An skb lets go of its sock; true: the sock is still alive. */
static bool skb_leave_sock(struct sk_buff *skb, uint32_t *account)
{
	struct sock *sk = skb->sk;
	uint32_t n = skb->truesize < *account ? skb->truesize : *account;

	*account -= n;
	if (sk->stack) {
		size_t *mem = mem_of(sk->stack, sk->type);

		*mem -= n < *mem ? n : *mem;
	}
	sk->skb_refs--;
	if (sk->refcnt)
		return true;
	if (sk->skb_refs == 0) {
		list_del(&sk->node);
		sk_free(sk);
	}
	return false;
}

static void sock_rfree(struct sk_buff *skb)
{
	skb_leave_sock(skb, &skb->sk->rmem);
}

static void sock_wfree(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	if (skb_leave_sock(skb, &sk->wmem) && sk->nospace && sk->wmem <= sk->sndbuf / 2)
		sk_write_space(sk);
}

/* Calls the destructor. */
static void skb_orphan(struct sk_buff *skb)
{
	if (skb->destructor)
		skb->destructor(skb);
	skb->destructor = NULL;
	skb->sk = NULL;
}

static void skb_join_sock(struct sk_buff *skb, struct sock *sk, uint32_t *account, void (*destructor)(struct sk_buff *))
{
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = destructor;
	sk->skb_refs++;
	*account += skb->truesize;
	*mem_of(sk->stack, sk->type) += skb->truesize;
}

void skb_set_owner_r(struct sk_buff *skb, struct sock *sk)
{
	skb_join_sock(skb, sk, &sk->rmem, sock_rfree);
}

void skb_set_owner_w(struct sk_buff *skb, struct sock *sk)
{
	skb_join_sock(skb, sk, &sk->wmem, sock_wfree);
}

/* As on Linux a datagram is taken while the buffer is not yet full, so that one that is larger than SO_RCVBUF can be received at all. */
int sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb)
{
	if (unlikely(sk->rmem >= sk->rcvbuf)) {
		sk->drops++;
		kfree_skb(skb, SKB_DROP_SOCKET_RCVBUFF);
		return -ENOMEM;
	}
	if (unlikely(!sk_mem_fits(sk, skb->truesize))) {
		sk->drops++;
		kfree_skb(skb, SKB_DROP_PROTO_MEM);
		return -ENOBUFS;
	}
	skb_set_owner_r(skb, sk);
	skb_queue_tail(&sk->rcvq, skb);
	sk_wake(sk, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* ---- wake-ups ----------------------------------------------------------------------------------------------------------------------------------------- */

#define ALWAYS (EPOLLERR | EPOLLHUP)

uint32_t sk_poll(struct sock *sk)
{
	uint32_t mask = sk->proto->poll(sk);

	if (!(mask & EPOLLOUT))
		sk->nospace = true;
	return mask;
}

void sk_wake(struct sock *sk, uint32_t events)
{
	if (unlikely(sk->dead))
		return;
	if (!list_empty(&sk->epitems))
		epoll_sk_event(sk, events);
	if (!sk->sock.interest || !(events & (sk->sock.interest | ALWAYS)))
		return;
	sk->wake_events |= events;
	if (list_empty(&sk->wake_node))
		list_add_tail(&sk->wake_node, &sk->stack->socks->wakes);
}

void sk_write_space(struct sock *sk)
{
	if (!sk->nospace || sk->dead || !(sk->proto->poll(sk) & EPOLLOUT))
		return;
	sk->nospace = false;
	sk_wake(sk, EPOLLOUT | EPOLLWRNORM);
}

void sk_error(struct sock *sk, int err)
{
	sk->err = err;
	sk_wake(sk, EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLOUT);
}

int sk_take_error(struct sock *sk)
{
	int err = sk->err;

	sk->err = 0;
	return -err;
}

bool sock_run_wakes(struct stack *stack)
{
	struct sock_state *st = stack->socks;
	struct list_head round;
	struct sock *sk;
	bool any = false;

	list_init(&round);
	while ((sk = list_first(&st->wakes, struct sock, wake_node)))
		list_move_tail(&sk->wake_node, &round);
	while ((sk = list_first(&round, struct sock, wake_node))) {
		uint32_t ready, interest = sk->sock.interest;
		uint64_t cookie = sk->sock.cookie;

		list_del(&sk->wake_node);
		sk->wake_events = 0;
		ready = interest ? sk_poll(sk) & (interest | ALWAYS) : 0;
		if (!ready)
			continue;
		if (interest & EPOLLONESHOT)
			sk->sock.interest = 0;
		any = true;
		if (stack->ops->wake)
			stack->ops->wake(stack->priv, cookie, ready);
	}
	return epoll_run_wakes(stack) || any;
}

/* ---- the way to the peer ------------------------------------------------------------------------------------------------------------------------------ */

int sk_route(struct sock *sk)
{
	uint32_t genid = route_genid(sk->stack);
	struct flowi fl;
	int err;

	if (likely(sk->rt_genid == genid && sk->rt.dev))
		return 0;
	fl = (struct flowi){
		.daddr = sk->daddr, .saddr = sk->saddr, .oif = sk->bound_dev_if, .mark = sk->mark, .tos = sk->tos, .proto = (uint8_t)sk->protocol,
		.sport = sk->sport, .dport = sk->dport,
	};
	err = ip_route_output(sk->stack, &fl, &sk->rt);
	if (err) {
		sk->rt_genid = 0;
		sk->rt.dev = NULL;
		return err;
	}
	sk->rt_genid = genid;
	if (ipaddr_is_any(&sk->saddr))
		sk->saddr = fl.saddr;
	if (ipaddr_is_any(&sk->daddr))
		sk->daddr = ipaddr_is_any(&fl.daddr) ? fl.saddr : fl.daddr; /* 0.0.0.0 is this host */
	return 0;
}

/*
 * A new configuration. Caches go by the genid; what must be done here is to tell the protocols, and to let go of devices that may be gone: a cached way
 * is not used with an old genid, but it must not even dangle.
 */
void sock_apply(struct stack *stack, const struct net_snapshot *from, const struct net_snapshot *to)
{
	struct sock *sk, *tmp;

	(void)from;
	(void)to;
	list_for_each_safe(sk, tmp, &stack->socks->socks, struct sock, node) {
		sk->rt.dev = NULL;
		sk->rt_genid = 0;
		if (sk->proto->route_changed) {
			sock_hold(sk);
			sk->proto->route_changed(sk);
			tmp = list_entry(sk->node.next, struct sock, node);
			sock_put(sk);
		}
	}
}

uint64_t sock_waiting_skbs(const struct stack *stack)
{
	const struct sock *sk;
	uint64_t n = 0;

	list_for_each(sk, &stack->socks->socks, struct sock, node)
		n += sk->rcvq.qlen + sk->errq.qlen + (sk->proto->waiting_skbs ? sk->proto->waiting_skbs(sk) : 0);
	return n;
}

/* ---- addresses and messages --------------------------------------------------------------------------------------------------------------------------- */

int sockaddr_to_ip(const struct sockaddr *sa, socklen_t len, struct ipaddr *ret_addr, uint16_t *ret_port)
{
	struct sockaddr_in in;

	if (!sa || len < sizeof(sa->sa_family))
		return -EINVAL;
	memcpy(&in.sin_family, &sa->sa_family, sizeof(in.sin_family));
	if (in.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, sa, sizeof(in));
	*ret_addr = ipaddr_v4(in.sin_addr.s_addr);
	*ret_port = be16_to_cpu(in.sin_port);
	return 0;
}

void ip_to_sockaddr(const struct ipaddr *addr, uint16_t port, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = cpu_to_be16(port), .sin_addr.s_addr = addr->v4 };

	if (sa && *len)
		memcpy(sa, &in, *len < sizeof(in) ? *len : sizeof(in));
	*len = sizeof(in);
}

size_t msghdr_len(const struct msghdr *msg)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		n += msg->msg_iov[i].iov_len;
	return n;
}

/* One copy between an iovec array, from byte off, and a flat buffer; to_iov tells the direction. */
static int iov_copy(const struct msghdr *msg, size_t off, unsigned char *buf, size_t len, bool to_iov)
{
	for (size_t i = 0; len && i < msg->msg_iovlen; i++) {
		const struct iovec *v = &msg->msg_iov[i];
		size_t n;

		if (off >= v->iov_len) {
			off -= v->iov_len;
			continue;
		}
		n = v->iov_len - off < len ? v->iov_len - off : len;
		if (to_iov)
			memcpy((unsigned char *)v->iov_base + off, buf, n);
		else
			memcpy(buf, (unsigned char *)v->iov_base + off, n);
		buf += n;
		len -= n;
		off = 0;
	}
	return len ? -EFAULT : 0;
}

int msg_copy_from(const struct msghdr *msg, size_t off, void *to, size_t len)
{
	return iov_copy(msg, off, to, len, false);
}

int msg_copy_to(struct msghdr *msg, size_t off, const void *from, size_t len)
{
	return iov_copy(msg, off, (unsigned char *)(uintptr_t)from, len, true);
}

int skb_copy_to_msg(const struct sk_buff *skb, uint32_t skb_off, struct msghdr *msg, size_t msg_off, size_t len)
{
	uint32_t head = skb_headlen(skb);

	if (skb_off > skb->len || len > skb->len - skb_off)
		return -EFAULT;
	if (skb_off < head) {
		size_t n = head - skb_off < len ? head - skb_off : len;
		int err = msg_copy_to(msg, msg_off, skb->data + skb_off, n);

		if (err)
			return err;
		msg_off += n;
		len -= n;
		skb_off = head;
	}
	skb_off -= head;
	for (unsigned i = 0; len && i < skb->nr_frags; i++) {
		const struct skb_frag *f = &skb->frags[i];
		size_t n;
		int err;

		if (skb_off >= f->len) {
			skb_off -= f->len;
			continue;
		}
		n = f->len - skb_off < len ? f->len - skb_off : len;
		err = msg_copy_to(msg, msg_off, f->area->base + f->off + skb_off, n);
		if (err)
			return err;
		msg_off += n;
		len -= n;
		skb_off = 0;
	}
	return len ? -EFAULT : 0;
}

/*
 * Appends one control message at msg_control, advances msg_control and lowers msg_controllen; ns_recvmsg turns both back into what POSIX returns. Data that
 * does not fit whole is cut, as Linux does it.
 */
int put_cmsg(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
	size_t space = CMSG_SPACE(len);

	if (!msg->msg_control || msg->msg_controllen < sizeof(h)) {
		msg->msg_flags |= MSG_CTRUNC;
		return 0;
	}
	if (msg->msg_controllen < h.cmsg_len) {
		msg->msg_flags |= MSG_CTRUNC;
		h.cmsg_len = msg->msg_controllen;
	}
	memcpy(msg->msg_control, &h, sizeof(h));
	memcpy((unsigned char *)msg->msg_control + CMSG_LEN(0), data, h.cmsg_len - CMSG_LEN(0));
	if (space > msg->msg_controllen)
		space = msg->msg_controllen;
	msg->msg_control = (unsigned char *)msg->msg_control + space;
	msg->msg_controllen -= space;
	return 0;
}
