/* SPDX-License-Identifier: MIT */
/*
 * relay.c: a bad wire. Carries frames between two TAPs, each in a network namespace of its own, and loses, delays, reorders and
 * duplicates them by a seeded generator. There is no netem on every kernel; this needs only /dev/net/tun.
 *
 *     relay NETNS-A IF-A NETNS-B IF-B --delay MS --loss PERCENT --reorder PERCENT --dup PERCENT --seed N [--queue FRAMES]
 *
 * Prints "ready" when both TAPs are there. A frame that is reordered skips half of its delay, so it overtakes others. Ends at SIGTERM,
 * printing what it did. One thread, a heap of frames by the time at which they are due.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048

struct frame {
	int64_t  due;
	uint64_t order; /* frames due at the same time leave in the order they came */
	int      to;
	uint32_t len;
	uint8_t  bytes[FRAME_MAX];
};

static struct frame **heap;
static size_t         heap_len, heap_max = 20000;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t state;

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool chance(double percent)
{
	return (double)(next_random() >> 11) / (double)(UINT64_C(1) << 53) * 100.0 < percent;
}

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_push(struct frame *f)
{
	size_t i = heap_len++;

	while (i > 0 && before(f, heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = f;
}

static struct frame *heap_pop(void)
{
	struct frame *top = heap[0], *last = heap[--heap_len];
	size_t        i = 0, child;

	while ((child = 2 * i + 1) < heap_len) {
		if (child + 1 < heap_len && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

/* A TAP in a namespace of "ip netns"; the caller's own namespace is changed by it. */
static int open_tap(const char *netns, const char *name)
{
	struct ifreq ifr;
	char         path[256];
	int          fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		perror("/dev/net/tun");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' }, { "loss", required_argument, NULL, 'l' },
		{ "reorder", required_argument, NULL, 'r' }, { "dup", required_argument, NULL, 'u' },
		{ "seed", required_argument, NULL, 's' }, { "queue", required_argument, NULL, 'q' }, { NULL, 0, NULL, 0 },
	};
	double   delay_ms = 0, loss = 0, reorder = 0, dup = 0;
	uint64_t seed = 1, order = 0, carried = 0, lost = 0, reordered = 0, duplicated = 0, full = 0;
	int      fd[2], opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd': delay_ms = atof(optarg); break;
		case 'l': loss = atof(optarg); break;
		case 'r': reorder = atof(optarg); break;
		case 'u': dup = atof(optarg); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'q': heap_max = strtoull(optarg, NULL, 0); break;
		default: return 2;
		}
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: relay NETNS-A IF-A NETNS-B IF-B [--delay MS] [--loss %%] [--reorder %%] [--dup %%] [--seed N]\n");
		return 2;
	}
	state = seed;
	heap = calloc(heap_max + 2, sizeof(struct frame *));
	if (!heap)
		return 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	fd[0] = open_tap(argv[optind], argv[optind + 1]);
	fd[1] = open_tap(argv[optind + 2], argv[optind + 3]);
	printf("ready seed %llu\n", (unsigned long long)seed);
	fflush(stdout);

	while (!stop) {
		struct pollfd   p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
		struct timespec ts = { .tv_sec = 1 }, *timeout = &ts;
		int64_t         now = now_ns();

		if (heap_len) {
			int64_t left = heap[0]->due > now ? heap[0]->due - now : 0;

			ts.tv_sec = left / 1000000000;
			ts.tv_nsec = left % 1000000000;
		}
		if (ppoll(p, 2, timeout, NULL) < 0 && errno != EINTR)
			break;
		now = now_ns();
		for (int side = 0; side < 2; side++) {
			for (int batch = 0; batch < 64; batch++) {
				static uint8_t bytes[FRAME_MAX];
				ssize_t        n = read(fd[side], bytes, sizeof(bytes));
				int            copies;

				if (n <= 0)
					break;
				if (chance(loss)) {
					lost++;
					continue;
				}
				copies = chance(dup) ? 2 : 1;
				duplicated += (uint64_t)(copies - 1);
				while (copies-- > 0) {
					struct frame *f;
					bool          early = chance(reorder);

					if (heap_len >= heap_max || !(f = malloc(sizeof(*f)))) {
						full++;
						continue;
					}
					reordered += early;
					f->due = now + (int64_t)(delay_ms * 1e6 * (early ? 0.5 : 1.0));
					f->order = order++;
					f->to = !side;
					f->len = (uint32_t)n;
					memcpy(f->bytes, bytes, (size_t)n);
					heap_push(f);
				}
			}
		}
		while (heap_len && heap[0]->due <= now) {
			struct frame *f = heap_pop();

			if (write(fd[f->to], f->bytes, f->len) == (ssize_t)f->len)
				carried++;
			free(f);
		}
	}
	while (heap_len)
		free(heap_pop());
	free(heap);
	printf("carried %llu lost %llu reordered %llu duplicated %llu overflow %llu\n", (unsigned long long)carried, (unsigned long long)lost,
	       (unsigned long long)reordered, (unsigned long long)duplicated, (unsigned long long)full);
	return 0;
}
