/* SPDX-License-Identifier: MIT */
/*
 * tcp_send.c: the byte stream from the application into the send queue.
 *
 * Bytes are copied once, into the area they are sent from, and summed while they are copied when the device does not sum. A write first fills up the last
 * segment that has not been sent. Buffers have the size of a segment (or of a GSO frame), so a stream of small writes becomes full segments.
 *
 * What an application has in an area of its own anyway is not even copied (tcp_send_area): a segment refers to it, and only its headers are made.
 *
 * Not done here: MSG_ZEROCOPY, automatic corking.
 */
#include "tcp.h"
#include "checksum.h"
#include <errno.h>
#include <sys/uio.h>

bool tcp_stream_memory_free(const struct tcp_sock *tp)
{
	uint32_t low = tp->notsent_lowat ? tp->notsent_lowat : tcp_stack(tp)->sysctl->tcp_notsent_lowat;

	return tp->sk.wmem < tp->sk.sndbuf && tp->write_seq - tp->snd_nxt < low;
}

/* Whoever may send: 0 or -errno. */
static int send_check(struct sock *sk)
{
	if (sk->err)
		return sk_take_error(sk);
	if (sk->shutdown & SHUTDOWN_SND)
		return -EPIPE;
	switch (sk->state) {
	case SS_ESTABLISHED:
	case SS_CLOSE_WAIT:
		return 0;
	case SS_SYN_SENT:
	case SS_SYN_RECV:
		return -EAGAIN;
	default:
		return -EPIPE;
	}
}

static bool wants_csum(const struct tcp_sock *tp)
{
	return !tp->sk.rt.dev || !(tp->sk.rt.dev->conf->features & LINK_F_TX_CSUM);
}

/* The segment to write into, with room in it; NULL: none to be had. */
static struct sk_buff *send_room(struct tcp_sock *tp, size_t left, uint32_t goal, uint32_t *room)
{
	struct sk_buff *skb = tp->send_head ? skb_peek_tail(&tp->wq) : NULL;

	if (skb && skb->len < goal && skb_tailroom(skb) && skb->area->refcnt == 1 && !(TCP_SKB_CB(skb)->flags & TCPHDR_FIN)) {
		*room = u32_min(goal - skb->len, skb_tailroom(skb));
		return skb;
	}
	if (!tcp_stream_memory_free(tp) || (tcp_mem_over(tcp_stack(tp)) && tp->wq.qlen))
		return NULL;
	/* A GSO frame only as large as what is written now; a plain segment always whole. */
	uint32_t size = goal;

	if (left < goal)
		size = u32_max((uint32_t)left, u32_min(goal, SKB_SMALL - SKB_HEADROOM - 128));
	skb = tcp_alloc_tx(tp, size);
	if (!skb)
		return NULL;
	if (!tp->send_head && !tcp_out(tp))
		tcp_cwnd_after_idle(tp);
	tcp_queue_tail(tp, skb);
	*room = u32_min(size, skb_tailroom(skb));
	return skb;
}

static void wrote(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	tp->write_seq += n;
	cb->end_seq += n;
	cb->flags &= (uint8_t)~TCPHDR_PSH;
}

/* A full segment stands there: let it go, so that the wire works while the rest is copied. */
static void filled(struct tcp_sock *tp, struct sk_buff *skb)
{
	if (tp->write_seq - tp->pushed_seq > tp->max_window >> 1) {
		TCP_SKB_CB(skb)->flags |= TCPHDR_PSH;
		tp->pushed_seq = tp->write_seq;
		(void)tcp_push_pending(tp);
	} else if (skb == tp->send_head) {
		tcp_push_one(tp);
	}
}

static ssize_t finish(struct tcp_sock *tp, size_t copied, size_t wanted, int flags)
{
	if (copied < wanted)
		tcp_chrono(tp, 3);
	if (copied) {
		if ((flags & MSG_OOB) && copied == wanted)
			tp->urg_mode = true;
		else
			flags &= ~MSG_OOB;
		/* MSG_MORE with a full buffer would wait for what cannot come. */
		tcp_push(tp, copied < wanted ? flags & ~MSG_MORE : flags, tcp_current_mss(tp), tp->nagle);
		if (copied == wanted)
			tcp_rate_app_limited(tp);
		return (ssize_t)copied;
	}
	return -EAGAIN;
}

/* Where the bytes of a call come from. */
struct source {
	/* The segment for the next of the left bytes, and how many fit into it; NULL: none to be had. */
	struct sk_buff *(*room)(struct tcp_sock *tp, size_t left, uint32_t goal, uint32_t *ret_room);
	/* Adds n bytes to skb, and their sum if csum says so. 0, or -errno: they are not there, and no more are sent. */
	int (*add)(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n, bool csum, void *arg);
};

/* What all calls have in common. In line, so that each has its own code without calls through pointers. */
static inline __attribute__((always_inline)) ssize_t send_loop(struct sock *sk, size_t total, int flags, const struct source *src, void *arg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	size_t done = 0;
	int err = send_check(sk);

	if (err)
		return err;
	(void)tcp_current_mss(tp);
	bool csum = wants_csum(tp);

	while (done < total) {
		uint32_t goal = u32_max(tp->gso_bytes, tp->mss), room;
		struct sk_buff *skb = src->room(tp, total - done, goal, &room);

		if (!skb)
			break;
		uint32_t n = total - done < room ? (uint32_t)(total - done) : room;

		err = src->add(tp, skb, n, csum, arg);
		if (err)
			return done ? (ssize_t)done : err;
		wrote(tp, skb, n);
		done += n;
		if (skb->len >= goal && done < total && !(flags & MSG_OOB))
			filled(tp, skb);
		if (sk->state == SS_CLOSE) /* over the loopback device anything may have happened */
			return (ssize_t)done;
	}
	return total ? finish(tp, done, total, flags) : 0;
}

/* The sum of the n bytes at p, which are skb's from offset at on. */
static inline void add_sum(struct sk_buff *skb, const void *p, uint32_t n, uint32_t at, bool csum)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (csum && cb->csum_valid)
		cb->tx.csum = csum_add(cb->tx.csum, csum_shift(csum_partial(p, n, 0), at));
	else
		cb->csum_valid = false;
}

/* ---- copied from the application ------------------------------------------------------------------------------------------- */

struct from_msg {
	const struct msghdr *msg;
	size_t i, off; /* the next byte */
};

static int add_copy(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n, bool csum, void *arg)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct from_msg *pos = arg;

	(void)tp;
	while (n) {
		const struct iovec *v = &pos->msg->msg_iov[pos->i];
		size_t k = v->iov_len - pos->off;

		if (k == 0) {
			pos->i++;
			pos->off = 0;
			continue;
		}
		if (k > n)
			k = n;
		uint32_t at = skb->len;
		void *dst = skb_put(skb, (uint32_t)k);
		const char *src = (const char *)v->iov_base + pos->off;

		if (csum && cb->csum_valid) {
			uint32_t s = csum_partial_copy(dst, src, k, 0);

			cb->tx.csum = csum_add(cb->tx.csum, csum_shift(s, at));
		} else {
			memcpy(dst, src, k);
			cb->csum_valid = false;
		}
		pos->off += k;
		n -= (uint32_t)k;
	}
	return 0;
}

ssize_t tcp_sendmsg(struct sock *sk, const struct msghdr *msg, int flags)
{
	static const struct source src = { .room = send_room, .add = add_copy };
	struct from_msg from = { .msg = msg };

	return send_loop(sk, msghdr_len(msg), flags, &src, &from);
}

/* ---- written by the application in place -------------------------------------------------------------------------------------- */

struct from_fn {
	void (*fn)(void *arg, void *buf, size_t n);
	void  *arg;
};

/* Has fn fill n bytes behind skb's end; they are not skb's yet. False: fn closed the socket, shut it down or sent something: they are nobody's. */
static bool fill(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n, const struct from_fn *from)
{
	struct skb_pool *pool = tcp_stack(tp)->pool;
	struct skb_area *area = skb->area;
	uint32_t seq = tp->write_seq;

	skb_area_get(area); /* fn may write on after it has closed the socket */
	from->fn(from->arg, skb->tail, n);
	skb_area_put(pool, area);
	return tp->write_seq == seq && tp->send_head && skb_peek_tail(&tp->wq) == skb && !(tp->sk.shutdown & SHUTDOWN_SND);
}

static int add_filled(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n, bool csum, void *arg)
{
	uint32_t at = skb->len;

	if (!fill(tp, skb, n, arg))
		return -EPIPE;
	add_sum(skb, skb_put(skb, n), n, at, csum);
	return 0;
}

ssize_t tcp_send_fill(struct sock *sk, size_t max, void (*fn)(void *, void *, size_t), void *arg)
{
	static const struct source src = { .room = send_room, .add = add_filled };
	struct from_fn from = { .fn = fn, .arg = arg };

	return send_loop(sk, max, 0, &src, &from);
}

/* ---- in the application's own area ------------------------------------------------------------------------------------------ */

struct from_area {
	struct skb_area *area;
	uint32_t         off; /* of the next byte */
};

/* The segment to refer from; NULL: none to be had. */
static struct sk_buff *area_room(struct tcp_sock *tp, size_t left, uint32_t goal, uint32_t *room)
{
	struct sk_buff *skb = tp->send_head ? skb_peek_tail(&tp->wq) : NULL;

	(void)left;
	if (!skb || skb->len >= goal || (TCP_SKB_CB(skb)->flags & TCPHDR_FIN) || !skb_frags_room(skb, 1)) {
		if (!tcp_stream_memory_free(tp) || (tcp_mem_over(tcp_stack(tp)) && tp->wq.qlen))
			return NULL;
		skb = tcp_alloc_tx(tp, 0);
		if (!skb)
			return NULL;
		if (!tp->send_head && !tcp_out(tp))
			tcp_cwnd_after_idle(tp);
		tcp_queue_tail(tp, skb);
	}
	*room = goal - skb->len;
	return skb;
}

static int add_area(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n, bool csum, void *arg)
{
	struct from_area *from = arg;
	uint32_t at = skb->len;

	if (skb_add_frag(skb, from->area, from->off, n) < 0) /* area_room has seen to it that it can */
		return -EAGAIN;
	tcp_wmem_add(tp, n); /* what truesize grew by */
	add_sum(skb, from->area->base + from->off, n, at, csum);
	from->off += n;
	return 0;
}

ssize_t tcp_send_area(struct sock *sk, struct skb_area *area, uint32_t off, size_t len, int flags)
{
	static const struct source src = { .room = area_room, .add = add_area };
	struct from_area from = { .area = area, .off = off };

	return send_loop(sk, len, flags, &src, &from);
}
