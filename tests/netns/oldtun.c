/* SPDX-License-Identifier: MIT */
/*
 * oldtun.c: a library to preload, with which io_uring answers as on a kernel before Linux 6.4, whose tun refuses RWF_NOWAIT: such a request is handed over with another
 * flag that no kernel knows, which makes it fail with the same error. tests/netns/backend.sh starts netstackd with it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <liburing.h>

#define RWF_UNKNOWN 0x40000000

static void spoil(struct io_uring *ring)
{
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		struct io_uring_sqe *sqe = &ring->sq.sqes[i & *ring->sq.kring_mask];

		if (sqe->opcode != IORING_OP_ASYNC_CANCEL && sqe->rw_flags & RWF_NOWAIT)
			sqe->rw_flags |= RWF_UNKNOWN;
	}
}

int io_uring_submit(struct io_uring *ring)
{
	static int (*next)(struct io_uring *);

	if (!next)
		next = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");
	spoil(ring);
	return next(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait)
{
	static int (*next)(struct io_uring *, unsigned);

	if (!next)
		next = (int (*)(struct io_uring *, unsigned))dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	spoil(ring);
	return next(ring, wait);
}
