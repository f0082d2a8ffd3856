/* SPDX-License-Identifier: MIT */
/*
 * tapcopy: reads frames from one TAP and writes them to another, looking at nothing: the limit of a forwarder that makes one read and one write a
 * frame. tapcopy IN OUT SECONDS CPU; prints "ready", then after SECONDS the number of frames that it wrote.
 */
#include "util.h"

#include <sys/epoll.h>

#define BATCH 64

int main(int argc, char **argv)
{
	static unsigned char buf[2048];
	struct epoll_event ev = { .events = EPOLLIN };
	unsigned long frames = 0;
	int in, out, ep;
	double end;

	if (argc != 5) {
		fprintf(stderr, "usage: tapcopy IN OUT SECONDS CPU\n");
		return 2;
	}
	in = tap_open(argv[1]);
	out = tap_open(argv[2]);
	pin_to_cpu(atoi(argv[4]));
	ep = epoll_create1(0);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, in, &ev) < 0)
		die("epoll");
	printf("ready\n");
	fflush(stdout);
	for (end = seconds() + atof(argv[3]); seconds() < end;) {
		epoll_wait(ep, &ev, 1, 100);
		for (int i = 0; i < BATCH; i++) {
			ssize_t n = read(in, buf, sizeof(buf));

			if (n <= 0)
				break;
			if (write(out, buf, (size_t)n) == n)
				frames++;
		}
	}
	printf("%lu\n", frames);
	return 0;
}
