/* SPDX-License-Identifier: MIT */
/*
 * util.h: what the limit programs share. They measure what the machine allows to a program that does nothing but move bytes, so that a figure of
 * netstackd can be given as a ratio to one from the same run. They are started by bench/run inside network namespaces of its own.
 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static inline void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Opens (and makes, where it is not there) a TAP, or a queue of it; flags beside IFF_TAP and IFF_NO_PI. offload: partial checksums and 64 KiB frames come in. */
static inline int tap_open(const char *name, int flags, bool offload, bool nonblock)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };
	int fd = open("/dev/net/tun", O_RDWR | (nonblock ? O_NONBLOCK : 0));

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || (offload && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0))
		die(name);
	return fd;
}

/* The Internet checksum's sum, 8 bytes at a time (RFC 1071). */
static inline uint64_t sum_bytes(const void *buf, size_t len, uint64_t sum)
{
	const unsigned char *p = buf;

	for (; len >= 8; p += 8, len -= 8) {
		uint32_t w[2];

		memcpy(w, p, 8);
		sum += (uint64_t)w[0] + w[1];
	}
	for (; len >= 2; p += 2, len -= 2) {
		uint16_t h;

		memcpy(&h, p, 2);
		sum += h;
	}
	return len ? sum + *p : sum;
}

static inline uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
