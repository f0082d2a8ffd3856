/* SPDX-License-Identifier: MIT */
/*
 * tapcopy: reads frames from one TAP and writes them to another, looking at nothing: the limit of a forwarder.
 *	tapcopy IN OUT SECONDS CPU [WORD...]
 * prints "ready", then after SECONDS the number of frames that it wrote. Words:
 *	uring	by io_uring with registered files and buffers, 64 frames under way, instead of one read and one write a frame
 *	vnet	frames with their vnet headers, of which nothing is made: a memory access and two short copies more in the kernel, 0.1 us
 *	gso	frames of up to 64 KiB with their vnet headers, as with offloads
 *	both	both ways: a wire
 *	twice	two queues of each device, two threads, on CPU and the next one
 */
#include "config.h"
#include "util.h"

#include <pthread.h>
#include <sys/epoll.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#define BATCH     64
#define FRAME_MAX (68 * 1024)

struct way { /* frames from in to out */
	int           in, out;
	unsigned long frames;
};

struct copier { /* a thread */
	struct way     way[2];
	unsigned       nways;
	int            cpu;
	double         end;
	size_t         size; /* of a buffer */
	unsigned char *buf; /* BATCH a way */
	pthread_t      thread;
};

static void copy_read(struct copier *c)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	for (unsigned i = 0; i < c->nways; i++) {
		ev.data.u32 = i;
		if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, c->way[i].in, &ev) < 0)
			die("epoll");
	}
	while (seconds() < c->end) {
		struct epoll_event got[2];
		int n = epoll_wait(ep, got, 2, 100);

		for (int k = 0; k < n; k++) {
			struct way *w = &c->way[got[k].data.u32];

			for (int i = 0; i < BATCH; i++) {
				ssize_t len = read(w->in, c->buf, c->size);

				if (len <= 0)
					break;
				if (write(w->out, c->buf, (size_t)len) == len)
					w->frames++;
			}
		}
	}
	close(ep);
}

#ifdef HAVE_LIBURING
static struct io_uring_sqe *submission(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe) {
		io_uring_submit(ring);
		sqe = io_uring_get_sqe(ring);
	}
	if (!sqe)
		die("io_uring");
	return sqe;
}

/* Buffer i belongs to way i / BATCH; the files of way w are 2 w (in) and 2 w + 1 (out). Bit 31 of user_data: a write. */
static void post(struct copier *c, struct io_uring *ring, unsigned i, int len)
{
	struct io_uring_sqe *sqe = submission(ring);
	unsigned char *buf = c->buf + i * c->size;
	int file = (int)(i / BATCH * 2);

	if (len > 0)
		io_uring_prep_write_fixed(sqe, file + 1, buf, (unsigned)len, 0, (int)i);
	else
		io_uring_prep_read_fixed(sqe, file, buf, (unsigned)c->size, 0, (int)i);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = i | (len > 0 ? UINT64_C(1) << 31 : 0);
}

static void copy_uring(struct copier *c)
{
	struct iovec iov[2 * BATCH];
	struct io_uring ring;
	int files[4];
	unsigned n = c->nways * BATCH;

	if (io_uring_queue_init(4 * BATCH, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) < 0)
		die("io_uring");
	for (unsigned i = 0; i < c->nways; i++) {
		files[2 * i] = c->way[i].in;
		files[2 * i + 1] = c->way[i].out;
	}
	for (unsigned i = 0; i < n; i++)
		iov[i] = (struct iovec){ c->buf + i * c->size, c->size };
	if (io_uring_register_files(&ring, files, 2 * c->nways) < 0 || io_uring_register_buffers(&ring, iov, n) < 0)
		die("io_uring register");
	for (unsigned i = 0; i < n; i++)
		post(c, &ring, i, 0);
	while (seconds() < c->end) {
		struct __kernel_timespec ts = { .tv_nsec = 100000000 };
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &ts, NULL);
		io_uring_for_each_cqe(&ring, head, cqe) {
			unsigned i = (unsigned)(cqe->user_data & 0xffff);

			seen++;
			if (cqe->user_data == LIBURING_UDATA_TIMEOUT)
				continue;
			if (cqe->user_data >> 31)
				c->way[i / BATCH].frames += cqe->res > 0;
			post(c, &ring, i, cqe->user_data >> 31 ? 0 : cqe->res);
		}
		io_uring_cq_advance(&ring, seen);
	}
	io_uring_queue_exit(&ring);
}
#else
static void copy_uring(struct copier *c)
{
	(void)c;
	errno = ENOSYS;
	die("built without io_uring");
}
#endif

static bool by_uring;

static void *copy(void *arg)
{
	struct copier *c = arg;

	pin_to_cpu(c->cpu);
	(by_uring ? copy_uring : copy_read)(c);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct copier copiers[2];
	bool vnet = false, gso = false, both = false, twice = false;
	unsigned long frames = 0;
	int fds[4];

	for (int i = 5; i < argc; i++) {
		by_uring |= strcmp(argv[i], "uring") == 0;
		vnet |= strcmp(argv[i], "vnet") == 0;
		gso |= strcmp(argv[i], "gso") == 0;
		both |= strcmp(argv[i], "both") == 0;
		twice |= strcmp(argv[i], "twice") == 0;
	}
	if (argc < 5) {
		fprintf(stderr, "usage: tapcopy IN OUT SECONDS CPU [uring] [vnet] [gso] [both] [twice]\n");
		return 2;
	}
	for (int i = 0; i < (twice ? 4 : 2); i++)
		fds[i] = tap_open(argv[1 + i % 2], (gso || vnet ? IFF_VNET_HDR : 0) | (twice ? IFF_MULTI_QUEUE : 0), gso, !by_uring);
	for (int i = 0; i < (twice ? 2 : 1); i++) {
		struct copier *c = &copiers[i];

		*c = (struct copier){ .way = { { .in = fds[2 * i], .out = fds[2 * i + 1] }, { .in = fds[2 * i + 1], .out = fds[2 * i] } }, .nways = both ? 2 : 1,
				      .cpu = atoi(argv[4]) + i, .end = seconds() + atof(argv[3]), .size = gso ? FRAME_MAX : 2048 };
		c->buf = calloc(2 * BATCH, c->size);
		if (!c->buf)
			die("memory");
	}
	printf("ready\n");
	fflush(stdout);
	for (int i = 0; i < (twice ? 2 : 1); i++)
		if (pthread_create(&copiers[i].thread, NULL, copy, &copiers[i]) != 0)
			die("thread");
	for (int i = 0; i < (twice ? 2 : 1); i++) {
		pthread_join(copiers[i].thread, NULL);
		frames += copiers[i].way[0].frames + copiers[i].way[1].frames;
	}
	printf("%lu\n", frames);
	return 0;
}
