/* SPDX-License-Identifier: MIT */
/*
 * tap_uring.c: a TAP by io_uring: one system call for a batch of reads, and for whatever is to be sent at that moment.
 *
 * Theory of operation. Each worker has one ring for all its devices. Every request is marked not to wait (RWF_NOWAIT), so the kernel carries it out while it
 * is handed in, in order, and its answer is there when the call returns: the queue's order is kept, nothing is ever under way while the worker sleeps, an idle
 * ring costs no wake-up, and the interrupt stays what it is for any backend: readiness of the queue. (Reads that wait in the kernel were the alternative: each
 * frame that comes to an empty queue wakes all of them, and all but one are armed anew.)
 *
 * A poll asks for as many frames as the last one found and one more, doubled while all of them come, within the ring's size: so a queue with one
 * frame is not asked thirty times in vain, and a flood is read by the batch. What is sent meanwhile only gets a place in the ring; it goes along with the next
 * reads, or at the end of the worker's turn (uring_flush), or when TX_BATCH frames wait.
 *
 * Files and memory are registered, which is worth as much as the batching. The memory is an arena of areas (skb_pool_add_arena) for the worker's first namespace,
 * large ones to receive into and small ones to forward in; an area from elsewhere does as well, only not as fast. All workers'
 * arenas are registered with every ring, as a frame that is steered is sent by another worker. The memory is touched and pinned when the first device comes.
 *
 * Security. The ring is made before the filter of system calls is in place, which forbids to make another, and restricted: it can read and write files that are
 * open, cancel that, and nothing else. What it may be made to do the daemon may do anyway. Where the daemon has CAP_IPC_LOCK at its start the ring is
 * made with it (priv.c): what is registered is then not counted against what all processes of the user may lock.
 *
 * A tun before Linux 6.4 (Debian 12 has 6.1) refuses RWF_NOWAIT, which is probed with a write that no device takes. There the descriptor's O_NONBLOCK has to do: the
 * kernel carries out in order, and at once, what it can; what would have to wait it keeps until the file is ready. This is cancelled before anything else is done, so that there too nothing
 * is under way while the worker sleeps. A frame that comes just then may be read by any request that waits, hence answers are taken in the order in which they
 * were given, which is the queue's. As a read too many costs more there than a system call, the queue is found empty by plain reads, and only what is
 * believed to be there is asked for by the batch. Files are not registered there: such a kernel lets go of one only up to a second after it was told to, and a TAP
 * that was taken away would stay on the host for so long.
 *
 * Needs: Linux 5.19 for a sparse table of files. On any failure: tap_rw.c.
 *
 * Not done: waiting reads and writes, zero-copy sends (tun copies).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "tap_uring.h"

#include "daemon.h"
#include "log.h"
#include "tap.h"

#include <errno.h>

#ifdef HAVE_LIBURING
#include "vnet.h"
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define SQ_ENTRIES  512u
#define TX_REQS     (SQ_ENTRIES - TAP_MAX_POSTED) /* there is always room for a batch of reads */
#define BUSY_READS  8 /* so many frames one by one, before it is a flood */
#define TX_BATCH    64u /* frames that wait make a call of their own */
#define IOVECS      1024u
#define FILES       512u
#define LARGE_AREAS 16u
#define SMALL_AREAS 256u
#define ARENA_BYTES ((size_t)LARGE_AREAS * SKB_LARGE + (size_t)SMALL_AREAS * SKB_SMALL)

/* What a completion belongs to: a tx_req (an aligned pointer), or the read with this number. */
#define RX_DATA(i)  ((uint64_t)(i) << 1 | 1)
#define CANCEL_DATA RX_DATA(TAP_MAX_POSTED) /* a cancellation's own: of no interest */
#define NO_ANSWER   INT32_MAX

struct tx_req {
	struct tx_req  *next; /* free ones */
	struct tapq    *q;
	struct sk_buff *skb;
	struct virtio_net_hdr vnet; /* of a frame without room for it */
};

struct uring {
	struct io_uring ring;
	unsigned        cpu;
	bool            started, broken;
	int             rw_flags; /* of each request: RWF_NOWAIT, or none where tun does not take it */
	uint64_t        registered; /* bit: the arena of that worker */
	int             mem_err; /* why there is none */
	unsigned        pending; /* handed to the ring and not answered */
	unsigned        tx_waiting; /* writes since the last call */
	struct tx_req  *free;
	unsigned        niov;
	unsigned        rx_asked, rx_answered; /* of the last batch */
	uint8_t         rx_order[TAP_MAX_POSTED]; /* of its answers */
	int             rx_res[TAP_MAX_POSTED];
	unsigned        nfiles;
	bool            slot_used[FILES];
	void           *arena;
	struct iovec    iov[IOVECS]; /* of the writes since the last call */
	struct tx_req   req[TX_REQS];
};

/* ---- the ring ---------------------------------------------------------------------------------------------------------- */

static void tx_done(struct uring *u, struct tx_req *req, int res)
{
	struct sk_buff *skb = req->skb;
	struct tapq *q = req->q;

	req->skb = NULL;
	req->next = u->free;
	u->free = req;
	q->tx_pending--;
	if (likely(res >= 0)) {
		consume_skb(skb);
		return;
	}
	if (res == -EAGAIN && !q->dead && (q->tx_blocked || tapq_tx_failed(q, res) == -EAGAIN)) {
		skb_queue_tail(&q->tx_retry, skb);
		return;
	}
	tapq_tx_failed(q, res == -EAGAIN ? -ENOBUFS : res);
	stack_tx_error(q->stack, q->tap->ifindex, skb);
}

static void reap(struct uring *u)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0 && cqe) {
		uint64_t data = cqe->user_data;
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe); /* first: what follows may come back here */
		u->pending--;
		if (unlikely(data == CANCEL_DATA))
			continue;
		if (unlikely(res == -ECANCELED))
			res = -EAGAIN;
		if (data & 1) {
			u->rx_res[data >> 1] = res;
			u->rx_order[u->rx_answered++] = (uint8_t)(data >> 1);
		} else {
			tx_done(u, (struct tx_req *)(uintptr_t)data, res);
		}
	}
}

/* No call on the ring is of use any more: what is in it is given up. */
static void ring_broken(struct uring *u, int err)
{
	if (!u->broken)
		log_msg(LOG_ERR, "worker %u: io_uring failed (%s): its devices are served by read and write from now on", u->cpu, strerror(-err));
	u->broken = true;
	for (unsigned i = 0; i < TAP_MAX_POSTED; i++)
		if (u->rx_res[i] > 0)
			u->rx_res[i] = -EAGAIN;
	for (unsigned i = 0; i < TX_REQS; i++)
		if (u->req[i].skb)
			tx_done(u, &u->req[i], -EIO);
	u->pending = 0;
}

/* wait: until there is at least one answer. */
static void enter(struct uring *u, unsigned wait)
{
	int n;

	do
		n = io_uring_submit_and_wait(&u->ring, wait);
	while (unlikely(n == -EINTR));
	if (io_uring_sq_ready(&u->ring) == 0)
		u->niov = 0; /* the kernel has its own copies */
	if (unlikely(n < 0 && n != -EAGAIN && n != -EBUSY)) {
		ring_broken(u, n);
		return;
	}
	reap(u);
}

static void cancel(struct uring *u, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (unlikely(!sqe))
		return; /* the next round */
	io_uring_prep_cancel64(sqe, data, 0);
	sqe->user_data = CANCEL_DATA;
	u->pending++;
}

/* What the kernel has kept is taken back. Each round ends with the answers to its own cancellations, so it does not wait for a frame. */
static void take_back(struct uring *u)
{
	while (u->pending && !u->broken) {
		unsigned reads = u->rx_asked - u->rx_answered;

		for (unsigned i = 0; reads && i < u->rx_asked; i++)
			if (u->rx_res[i] == NO_ANSWER)
				cancel(u, RX_DATA(i));
		for (unsigned i = 0; u->pending > 2 * reads && i < TX_REQS; i++)
			if (u->req[i].skb)
				cancel(u, (uint64_t)(uintptr_t)&u->req[i]);
		enter(u, 1);
	}
}

static void submit(struct uring *u)
{
	u->tx_waiting = 0;
	enter(u, 0);
	if (unlikely(!u->rw_flags && u->pending))
		take_back(u);
}

bool uring_flush(struct uring *u)
{
	if (!u || !u->pending)
		return false;
	submit(u);
	return u->pending != 0;
}

void uring_get_limits(const struct uring *u, struct uring_limits *ret)
{
	*ret = (struct uring_limits){ .no_nowait = !u->rw_flags, .mem_err = u->mem_err };
}

/* ---- receiving ------------------------------------------------------------------------------------------------------------ */

static inline bool registered(const struct uring *u, const struct skb_area *area)
{
	return area->arena && u->registered >> (area->arena - 1u) & 1;
}

static inline void common(const struct uring *u, struct io_uring_sqe *sqe, uint64_t data)
{
	if (likely(u->rw_flags))
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->rw_flags = u->rw_flags;
	sqe->user_data = data;
}

static void ask(struct uring *u, struct tapq *q, unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	const struct skb_area *area = q->area[i];

	if (likely(registered(u, area)))
		io_uring_prep_read_fixed(sqe, q->rx_slot, tapq_rx_buf(q, i), tapq_rx_len(q), 0, area->arena - 1);
	else
		io_uring_prep_read(sqe, q->rx_slot, tapq_rx_buf(q, i), tapq_rx_len(q), 0);
	common(u, sqe, RX_DATA(i));
	u->rx_res[i] = NO_ANSWER;
	u->pending++;
}

/* One call: n reads and whatever waits to be sent. Their answers stand in rx_res, in the order rx_order. */
static void read_batch(struct uring *u, struct tapq *q, unsigned n)
{
	while (io_uring_sq_space_left(&u->ring) < n && !u->broken) /* writes that the kernel would not take at once */
		submit(u);
	if (u->broken)
		return;
	u->rx_asked = n;
	u->rx_answered = 0;
	for (unsigned i = 0; i < n; i++)
		ask(u, q, i);
	submit(u);
	while (unlikely(u->rx_answered < n) && !u->broken)
		enter(u, 1);
	q->stats.rx_calls++;
}

/* Goes on with tap_rw.c: the kernel does not do what it did when the device was opened. */
static int fall_back(struct tapq *q, int budget, ktime_t now)
{
	q->uring_err = q->worker->uring->broken ? -EIO : -EOPNOTSUPP;
	q->ops->close(q);
	q->ops = &tap_rw_ops;
	return q->ops->receive(q, budget, now);
}

/* At most n frames by plain reads. True: the queue is empty; else there is more, maybe. */
static bool look(struct tapq *q, unsigned n, int budget, ktime_t now, int *done)
{
	while (n-- && *done < budget && !q->dead && tapq_post(q, 0)) {
		ssize_t len = syscall(SYS_read, q->rx_fd, tapq_rx_buf(q, 0), tapq_rx_len(q));

		q->stats.rx_calls++;
		if (len < 0) {
			if (tapq_rx_failed(q, -errno, done))
				return true;
			continue;
		}
		++*done;
		tapq_received(q, 0, (uint32_t)len, now);
	}
	return false;
}

/* Reads at most n frames in one call. Returns how many there were, or -EOPNOTSUPP: the kernel does not do what it did when the device was opened. */
static int receive_batch(struct uring *u, struct tapq *q, unsigned n, ktime_t now, int *done, bool *empty)
{
	int got = 0;

	for (unsigned i = 0; i < n; i++)
		if (unlikely(!tapq_post(q, i)))
			n = i;
	if (unlikely(!n)) { /* no memory at all */
		if (tapq_discard(q) < 0)
			*empty = tapq_rx_failed(q, -errno, done);
		else
			++*done;
		return 0;
	}
	read_batch(u, q, n);
	if (unlikely(u->broken || u->rx_res[0] == -EOPNOTSUPP))
		return -EOPNOTSUPP;
	for (unsigned k = 0; k < n; k++) {
		unsigned i = u->rx_order[k];
		int res = u->rx_res[i];

		if (likely(res >= 0)) {
			got++;
			tapq_received(q, i, (uint32_t)res, now);
		} else if (tapq_rx_failed(q, res, done)) {
			*empty = true;
		}
	}
	*done += got;
	return got;
}

static inline unsigned at_most(unsigned n, unsigned max) { return n < max ? n : max; }

/* Where a read too many is dear: three quarters of what the last poll found by the batch, the rest one by one, and more batches only if that does not end. */
static int frugal_receive(struct uring *u, struct tapq *q, int budget, ktime_t now)
{
	unsigned want = q->batch;
	bool empty = false;
	int done = 0;

	while (done < budget && !empty && !q->dead) {
		if (want < BUSY_READS) {
			empty = look(q, BUSY_READS, budget, now, &done);
			want = 2 * BUSY_READS;
		} else if (receive_batch(u, q, at_most(at_most(want, q->batch_max), (unsigned)(budget - done)), now, &done, &empty) < 0) {
			return done + fall_back(q, budget - done, now);
		} else {
			want = 0;
		}
	}
	q->batch = empty ? (unsigned)(done - done / 4) : at_most(2 * (unsigned)done, q->batch_max);
	return done;
}

static int uring_receive(struct tapq *q, int budget, ktime_t now)
{
	struct uring *u = q->worker->uring;
	bool empty = false;
	int done = 0;

	if (unlikely(!u->rw_flags))
		return frugal_receive(u, q, budget, now);
	/* While the worker busy-polls it mostly finds nothing, and asking for it is cheaper by a plain read. */
	if (unlikely(q->on_busy) && q->batch < BUSY_READS)
		empty = look(q, BUSY_READS, budget, now, &done);
	while (done < budget && !empty && !q->dead) {
		int got = receive_batch(u, q, at_most(q->batch, (unsigned)(budget - done)), now, &done, &empty);

		if (unlikely(got < 0))
			return done + fall_back(q, budget - done, now);
		if ((unsigned)got == q->batch)
			q->batch = at_most(2 * q->batch, q->batch_max);
		else if (empty)
			q->batch = got + 1 > 2 ? (unsigned)got + 1 : 2;
	}
	return done;
}

/* ---- sending ---------------------------------------------------------------------------------------------------------------- */

static bool room(const struct uring *u, const struct tapq *q, unsigned iovs)
{
	return u->free && q->tx_pending < q->conf.tx_ring && u->niov + iovs <= IOVECS && io_uring_sq_space_left(&u->ring) > 0;
}

static void prep_parts(struct uring *u, struct tapq *q, struct io_uring_sqe *sqe, struct tx_req *req, unsigned iovs)
{
	const struct sk_buff *skb = req->skb;
	struct iovec *iov = &u->iov[u->niov];
	unsigned skip = q->vnet_len ? 0 : 1;

	u->niov += iovs;
	iov[0] = (struct iovec){ .iov_base = &req->vnet, .iov_len = VNET_LEN };
	iov[1] = (struct iovec){ .iov_base = skb->data, .iov_len = skb_headlen(skb) };
	for (unsigned i = 0; i < skb->nr_frags; i++)
		iov[2 + i] = (struct iovec){ .iov_base = skb->frags[i].area->base + skb->frags[i].off, .iov_len = skb->frags[i].len };
	io_uring_prep_writev(sqe, q->tx_slot, iov + skip, iovs - skip, 0);
}

static int uring_xmit(struct tapq *q, struct sk_buff *skb)
{
	bool flat = skb->nr_frags == 0 && skb_headroom(skb) >= q->vnet_len && skb_head_writable(skb);
	unsigned iovs = flat ? 0 : 2u + skb->nr_frags;
	struct uring *u = q->worker->uring;
	struct io_uring_sqe *sqe;
	struct tx_req *req;

	if (unlikely(u->broken))
		return tap_rw_ops.xmit(q, skb);
	if (unlikely(!room(u, q, iovs))) {
		submit(u);
		if (q->tx_blocked || q->dead || !room(u, q, iovs))
			return q->dead ? -ENETDOWN : q->tx_blocked ? -EAGAIN : tapq_tx_failed(q, -EAGAIN);
	}
	req = u->free;
	u->free = req->next;
	req->q = q;
	req->skb = skb;
	sqe = io_uring_get_sqe(&u->ring);
	if (q->vnet_len)
		vnet_from_skb(&req->vnet, skb);
	if (likely(flat)) {
		unsigned char *p = skb->data - q->vnet_len;

		if (q->vnet_len)
			memcpy(p, &req->vnet, VNET_LEN);
		if (likely(registered(u, skb->area)))
			io_uring_prep_write_fixed(sqe, q->tx_slot, p, q->vnet_len + skb->len, 0, skb->area->arena - 1);
		else
			io_uring_prep_write(sqe, q->tx_slot, p, q->vnet_len + skb->len, 0);
	} else {
		prep_parts(u, q, sqe, req, iovs);
	}
	common(u, sqe, (uint64_t)(uintptr_t)req);
	u->pending++;
	if (++q->tx_pending > q->stats.tx_peak)
		q->stats.tx_peak = q->tx_pending;
	if (++u->tx_waiting >= TX_BATCH)
		submit(u);
	return 0;
}

/* ---- life of a queue ---------------------------------------------------------------------------------------------------------- */

static int file_get(struct uring *u, int fd, int *ret_slot)
{
	for (unsigned i = 0; i < FILES; i++) {
		int n;

		if (u->slot_used[i])
			continue;
		n = io_uring_register_files_update(&u->ring, i, &fd, 1);
		if (n < 0)
			return n;
		u->slot_used[i] = true;
		u->nfiles++;
		*ret_slot = (int)i;
		return 0;
	}
	return -ENFILE;
}

static void file_put(struct uring *u, int slot)
{
	int none = -1;

	if (slot < 0)
		return;
	io_uring_register_files_update(&u->ring, (unsigned)slot, &none, 1);
	u->slot_used[slot] = false;
	u->nfiles--;
}

/* The first device: memory. Without it, or with its own alone, the ring does as well, only not as fast: no failure is one. */
static void start(struct uring *u, const struct daemon *d, struct skb_pool *pool)
{
	struct iovec iov[64] = { { .iov_len = 0 } };
	unsigned n = d->nworkers < 64 ? d->nworkers : 64;
	unsigned char *p = u->arena;
	uint64_t mask = 0;
	int err;

	u->started = true;
	for (unsigned i = 0; i < n; i++)
		if (d->workers[i].uring && d->workers[i].uring->arena) {
			iov[i] = (struct iovec){ .iov_base = d->workers[i].uring->arena, .iov_len = ARENA_BYTES };
			mask |= UINT64_C(1) << i;
		}
	err = io_uring_register_buffers(&u->ring, iov, n);
	if (err < 0) { /* more than RLIMIT_MEMLOCK allows, maybe */
		mask = UINT64_C(1) << u->cpu;
		for (unsigned i = 0; i < n; i++)
			if (i != u->cpu)
				iov[i] = (struct iovec){ .iov_len = 0 };
		err = io_uring_register_buffers(&u->ring, iov, n);
	}
	if (err < 0) {
		u->mem_err = err;
		log_msg(LOG_INFO, "worker %u: io_uring cannot register memory (%s; LimitMEMLOCK=, ulimit -l): it goes without", u->cpu, strerror(-err));
		return;
	}
	u->registered = mask;
	skb_pool_add_arena(pool, p, (size_t)LARGE_AREAS * SKB_LARGE, SKB_LARGE, (uint8_t)(u->cpu + 1));
	skb_pool_add_arena(pool, p + (size_t)LARGE_AREAS * SKB_LARGE, (size_t)SMALL_AREAS * SKB_SMALL, SKB_SMALL, (uint8_t)(u->cpu + 1));
}

/* A frame that is shorter than any header is refused as such by a tun that takes requests of this kind. */
static int try_write(struct uring *u, struct tapq *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	unsigned char nothing = 0;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_write(sqe, q->tx_fd, &nothing, 1, 0);
	sqe->rw_flags = u->rw_flags;
	sqe->user_data = RX_DATA(0);
	u->rx_res[0] = NO_ANSWER;
	u->rx_asked = 1;
	u->rx_answered = 0;
	u->pending++;
	submit(u);
	while (!u->rx_answered && !u->broken)
		enter(u, 1);
	if (u->broken)
		return -EIO;
	return u->rx_res[0] == -EINVAL ? 0 : u->rx_res[0] < 0 ? u->rx_res[0] : -EOPNOTSUPP;
}

/* All TAPs are of one kernel: what is found out for the first goes for the others. */
static int probe(struct uring *u, struct tapq *q)
{
	int err = try_write(u, q);

	if (err != -EOPNOTSUPP || !u->rw_flags || u->nfiles)
		return err;
	u->rw_flags = 0;
	return try_write(u, q);
}

static void uring_close(struct tapq *q)
{
	struct uring *u = q->worker->uring;

	if (q->tx_pending && !u->broken)
		submit(u);
	while (q->tx_pending && !u->broken)
		enter(u, 1);
	if (u->rw_flags && q->rx_slot != q->tx_slot)
		file_put(u, q->rx_slot);
	if (u->rw_flags)
		file_put(u, q->tx_slot);
	q->rx_slot = q->tx_slot = -1;
}

static int uring_open(struct tapq *q)
{
	struct worker *w = q->worker;
	struct uring *u = w->uring;
	int err;

	if (!u || u->broken)
		return w->uring_err ? w->uring_err : -EIO;
	err = probe(u, q);
	if (err)
		return err;
	if (!u->rw_flags) {
		q->tx_slot = q->tx_fd;
		q->rx_slot = q->rx_fd >= 0 ? q->rx_fd : q->tx_fd;
	} else {
		err = file_get(u, q->tx_fd, &q->tx_slot);
		if (err < 0)
			return err;
		q->rx_slot = q->tx_slot;
		if (q->rx_fd >= 0 && q->rx_fd != q->tx_fd)
			err = file_get(u, q->rx_fd, &q->rx_slot);
		if (err) {
			uring_close(q);
			return err;
		}
	}
	if (!u->started)
		start(u, w->daemon, stack_skb_pool(w->ns[0]->stack));
	return 0;
}

/* ---- life of the ring ------------------------------------------------------------------------------------------------------------ */

/* Nothing but reading and writing files that are open. */
static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction r[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ_FIXED },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE_FIXED },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ASYNC_CANCEL },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_ENABLE_RINGS },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_BUFFERS },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_FILES_UPDATE },
	};

	/* Debian's liburing declares these two and leaves them out. */
	if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, r, sizeof(r) / sizeof(r[0])) < 0 ||
	    syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	return 0;
}

int uring_new(struct uring **ret, unsigned cpu)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->cpu = cpu;
	u->rw_flags = RWF_NOWAIT;
	u->arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (u->arena == MAP_FAILED) {
		err = -errno;
		goto err_free;
	}
	for (unsigned i = TX_REQS; i--;) {
		u->req[i].next = u->free;
		u->free = &u->req[i];
	}
	err = io_uring_queue_init(SQ_ENTRIES, &u->ring, IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP);
	if (err < 0)
		goto err_unmap;
	err = io_uring_register_files_sparse(&u->ring, FILES);
	if (!err)
		err = restrict_ring(&u->ring);
	if (err < 0)
		goto err_ring;
	*ret = u;
	return 0;

err_ring:
	io_uring_queue_exit(&u->ring);
err_unmap:
	munmap(u->arena, ARENA_BYTES);
err_free:
	free(u);
	return err;
}

void uring_free(struct uring *u)
{
	if (!u)
		return;
	io_uring_queue_exit(&u->ring);
	munmap(u->arena, ARENA_BYTES);
	free(u);
}

#else /* without liburing */

int uring_new(struct uring **ret, unsigned cpu)
{
	(void)ret;
	(void)cpu;
	return -ENOSYS;
}

void uring_free(struct uring *u) { (void)u; }

bool uring_flush(struct uring *u)
{
	(void)u;
	return false;
}

void uring_get_limits(const struct uring *u, struct uring_limits *ret)
{
	(void)u;
	*ret = (struct uring_limits){ .mem_err = -ENOSYS };
}

static int uring_open(struct tapq *q) { return q->worker->uring_err; }
static void uring_close(struct tapq *q) { (void)q; }
static int uring_receive(struct tapq *q, int budget, ktime_t now) { return tap_rw_ops.receive(q, budget, now); }
static int uring_xmit(struct tapq *q, struct sk_buff *skb) { return tap_rw_ops.xmit(q, skb); }

#endif

const struct tap_ops tap_uring_ops = { .name = "uring", .open = uring_open, .close = uring_close, .receive = uring_receive, .xmit = uring_xmit };
