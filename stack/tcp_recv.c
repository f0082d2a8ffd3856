/* SPDX-License-Identifier: MIT */
/*
 * tcp_recv.c: the byte stream from the receive queue to the application, urgent data (RFC 6093), readiness, and the window updates that reading brings.
 *
 * What has been read is pulled off the front of the queue's first segment, so that its seq equals copied_seq.
 */
#include "tcp.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

uint32_t tcp_inq(const struct tcp_sock *tp)
{
	uint32_t n = tp->rcv_nxt - tp->copied_seq - (tp->fin_rcvd ? 1u : 0u);

	return (int32_t)n > 0 ? n : 0;
}

static void tcp_cleanup_rbuf(struct tcp_sock *tp, uint32_t copied)
{
	if (tp->sk.state == SS_CLOSE || tp->sk.state == SS_LISTEN || tp->sk.state == SS_SYN_SENT)
		return;
	if ((tp->ack_flags & TCP_ACK_SCHED) && !(tp->ack_flags & TCP_ACK_NOW)) {
		if (tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss ||
		    (copied && (tp->ack_flags & TCP_ACK_PUSHED) && tp->pingpong < 3 && skb_queue_empty(&tp->sk.rcvq)))
			tcp_schedule_ack(tp);
	}
	/* RFC 9293 3.8.6.2.2: tell of new room when the window has at least doubled; an ACK that goes at the end of the batch tells it anyhow. */
	if (!copied || (tp->sk.shutdown & SHUTDOWN_RCV) || !list_empty(&tp->ack_node))
		return;
	uint32_t now = tcp_receive_window(tp);

	if (2 * now > tp->window_clamp)
		return;
	uint32_t then = tcp_offer_window(tp);

	if (then && then >= 2 * now && then > now)
		tcp_send_ack(tp);
}

static void eat(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n)
{
	tp->copied_seq += n;
	if (n >= skb->len) {
		skb_unlink(&tp->sk.rcvq, skb);
		tcp_rmem_sub(tp, skb->truesize);
		consume_skb(skb);
	} else {
		skb_pull(skb, n);
		TCP_SKB_CB(skb)->seq += n;
	}
	if (tcp_unlikely(tp->urg_data) && after(tp->copied_seq, tp->urg_seq))
		tp->urg_data = 0;
}

/* Nothing to read: why? 0 is the end of the stream. */
static ssize_t nothing(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (tp->fin_rcvd)
		return 0;
	if (sk->err)
		return sk_take_error(sk);
	if (sk->shutdown & SHUTDOWN_RCV)
		return 0;
	if (sk->state == SS_CLOSE)
		return -ENOTCONN;
	return -EAGAIN;
}

static ssize_t recv_urg(struct tcp_sock *tp, struct msghdr *msg, int flags)
{
	uint8_t byte;

	if (tp->sk.oobinline || !tp->urg_data || tp->urg_data == TCP_URG_READ)
		return -EINVAL;
	if (!(tp->urg_data & TCP_URG_VALID))
		return tp->sk.state == SS_CLOSE || (tp->sk.shutdown & SHUTDOWN_RCV) ? 0 : -EAGAIN;
	byte = (uint8_t)tp->urg_data;
	if (!(flags & MSG_PEEK))
		tp->urg_data = TCP_URG_READ;
	msg->msg_flags |= MSG_OOB;
	if (msghdr_len(msg) == 0) {
		msg->msg_flags |= MSG_TRUNC;
		return 0;
	}
	if (!(flags & MSG_TRUNC) && msg_copy_to(msg, 0, &byte, 1))
		return -EFAULT;
	return 1;
}

/* How many of the n bytes at seq may be given before the urgent mark; *skip: the byte at seq is the urgent one and is left out. */
static uint32_t up_to_mark(const struct tcp_sock *tp, uint32_t seq, uint32_t n, bool *skip)
{
	uint32_t off = tp->urg_seq - seq;

	*skip = false;
	if (tcp_likely(!tp->urg_data) || off >= n)
		return n;
	if (off)
		return off;
	if (!tp->sk.oobinline)
		*skip = true;
	return n;
}

ssize_t tcp_recvmsg(struct sock *sk, struct msghdr *msg, int flags)
{
	struct tcp_sock *tp = tcp_sk(sk);
	size_t len = msghdr_len(msg), copied = 0;
	uint32_t seq = tp->copied_seq;
	struct sk_buff *skb, *next;
	int err = 0;

	if (sk->state == SS_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (flags & MSG_OOB)
		return recv_urg(tp, msg, flags);
	if (tcp_unlikely(tp->in_place))
		return -EBUSY;
	for (skb = skb_peek(&sk->rcvq); skb && copied < len; skb = next) {
		uint32_t off = seq - TCP_SKB_CB(skb)->seq, n = skb->len - off;
		bool skip;

		next = skb_queue_is_last(&sk->rcvq, skb) ? NULL : skb->next;
		if (tcp_unlikely(tp->urg_data) && tp->urg_seq == seq && copied)
			break; /* the mark ends a read */
		n = up_to_mark(tp, seq, n, &skip);
		if (skip) {
			seq++;
			off++;
			n--;
			if (!(flags & MSG_PEEK))
				eat(tp, skb, 1);
			if (!n)
				continue;
			if (!(flags & MSG_PEEK))
				off = 0;
		}
		if (n > len - copied)
			n = (uint32_t)(len - copied);
		if (!(flags & MSG_TRUNC)) {
			err = skb_copy_to_msg(skb, off, msg, copied, n);
			if (err)
				break;
		}
		copied += n;
		seq += n;
		if (!(flags & MSG_PEEK)) {
			bool rest = n < skb->len;

			eat(tp, skb, n);
			if (rest) /* stopped at the mark, or full */
				next = skb;
		} else if (off + n < skb->len) {
			next = skb;
		}
	}
	if (!copied)
		return err ? err : len == 0 ? 0 : nothing(sk);
	if (!(flags & MSG_PEEK)) {
		tcp_rcv_space_adjust(tp);
		tcp_cleanup_rbuf(tp, (uint32_t)copied);
	}
	return (ssize_t)copied;
}

/* Offers n bytes at offset 0 of skb, piece by piece; returns what was taken. */
static uint32_t offer(const struct sk_buff *skb, uint32_t n, size_t (*fn)(void *, const void *, size_t), void *arg)
{
	uint32_t taken = 0, head = u32_min(skb_headlen(skb), n), k;

	if (head) {
		k = (uint32_t)fn(arg, skb->data, head);
		taken += u32_min(k, head);
		if (taken < head)
			return taken;
	}
	for (unsigned i = 0; i < skb->nr_frags && taken < n; i++) {
		uint32_t m = u32_min(skb->frags[i].len, n - taken);

		k = u32_min((uint32_t)fn(arg, skb->frags[i].area->base + skb->frags[i].off, m), m);
		taken += k;
		if (k < m)
			break;
	}
	return taken;
}

ssize_t tcp_recv_inplace(struct sock *sk, size_t max, size_t (*fn)(void *, const void *, size_t), void *arg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;
	size_t total = 0;

	if (sk->state == SS_LISTEN)
		return -ENOTCONN;
	if (tcp_unlikely(tp->in_place))
		return -EBUSY;
	while (total < max && (skb = skb_peek(&sk->rcvq))) {
		uint32_t n = max - total < skb->len ? (uint32_t)(max - total) : skb->len, took;
		bool skip;

		n = up_to_mark(tp, tp->copied_seq, n, &skip);
		if (skip) {
			eat(tp, skb, 1);
			continue;
		}
		/* Out of the queue while it is looked at: fn may close the socket, which empties the queue. It stays charged. */
		skb_unlink(&sk->rcvq, skb);
		tp->in_place = true;
		took = offer(skb, n, fn, arg);
		total += took;
		if (tcp_unlikely(!tp->in_place || sk->dead)) { /* disconnected or closed inside fn */
			tp->in_place = false;
			tcp_rmem_sub(tp, skb->truesize);
			consume_skb(skb);
			return (ssize_t)total;
		}
		tp->in_place = false;
		skb_queue_head(&sk->rcvq, skb);
		if (took)
			eat(tp, skb, took);
		if (took < n)
			break;
	}
	if (!total)
		return skb_queue_empty(&sk->rcvq) ? nothing(sk) : -EAGAIN;
	tcp_rcv_space_adjust(tp);
	tcp_cleanup_rbuf(tp, (uint32_t)total);
	return (ssize_t)total;
}

/* ---- readiness ---------------------------------------------------------------------------------------------------------------------------------- */

static bool readable(const struct tcp_sock *tp)
{
	uint32_t want = tp->sk.rcvlowat > 0 ? (uint32_t)tp->sk.rcvlowat : 1, n = tcp_inq(tp);

	if (tp->urg_data && tp->urg_seq == tp->copied_seq && !tp->sk.oobinline)
		want++; /* the urgent byte alone is nothing to read */
	/* A buffer that cannot hold rcvlowat bytes must not wait for them for ever. */
	return n >= want || (n && tcp_receive_window(tp) <= tp->rcv_mss);
}

uint32_t tcp_poll(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t mask = 0;

	if (sk->state == SS_LISTEN)
		return tp->listen->naccept ? EPOLLIN | EPOLLRDNORM : 0;
	if (sk->shutdown == (SHUTDOWN_RCV | SHUTDOWN_SND) || sk->state == SS_CLOSE)
		mask |= EPOLLHUP;
	if (sk->shutdown & SHUTDOWN_RCV)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (sk->state != SS_SYN_SENT && sk->state != SS_SYN_RECV) {
		if (readable(tp))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (sk->shutdown & SHUTDOWN_SND)
			mask |= EPOLLOUT | EPOLLWRNORM;
		else if (tcp_stream_memory_free(tp) && (sk->sndbuf - sk->wmem >= sk->wmem / 2))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (tp->urg_data & TCP_URG_VALID)
			mask |= EPOLLPRI;
	}
	if (sk->err)
		mask |= EPOLLERR | EPOLLIN | EPOLLOUT;
	return mask;
}

int tcp_ioctl(struct sock *sk, unsigned long cmd, int *val)
{
	struct tcp_sock *tp = tcp_sk(sk);

	switch (cmd) {
	case SIOCINQ: {
		uint32_t n = tcp_inq(tp);

		if (sk->state == SS_LISTEN)
			return -EINVAL;
		if (sk->state == SS_SYN_SENT || sk->state == SS_SYN_RECV)
			n = 0;
		else if (!sk->oobinline && tp->urg_data && !before(tp->urg_seq, tp->copied_seq) && before(tp->urg_seq, tp->rcv_nxt))
			n = tp->urg_seq - tp->copied_seq; /* up to the mark */
		*val = (int)n;
		return 0;
	}
	case SIOCATMARK:
		*val = tp->urg_data && tp->urg_seq == tp->copied_seq;
		return 0;
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		if (sk->state == SS_LISTEN)
			return -EINVAL;
		*val = sk->state == SS_SYN_SENT || sk->state == SS_CLOSE ? 0 : (int)(tp->write_seq - (cmd == SIOCOUTQ ? tp->snd_una : tp->snd_nxt));
		return 0;
	default:
		return -ENOTTY;
	}
}
