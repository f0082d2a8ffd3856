/* SPDX-License-Identifier: MIT */
/*
 * tcpbulk: the kernel's side of the TCP benchmarks, bounded in time.
 *	tcpbulk send ADDRESS PORT SECONDS CPU	connects and sends; prints bytes a second that the peer acknowledged
 *	tcpbulk recv ADDRESS PORT SECONDS CPU	connects and receives; prints bytes a second
 *	tcpbulk serve SECONDS CPU		discard on port 9 and chargen on port 19, one connection at a time each, for the comparison over veth
 */
#include "util.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char buf[256 * 1024];

static double run_send(int fd, double secs)
{
	double start = seconds(), now;
	uint64_t sent = 0;
	int unacked = 0;

	while ((now = seconds()) - start < secs) {
		ssize_t n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (uint64_t)n;
	}
	ioctl(fd, SIOCOUTQ, &unacked);
	return (double)(sent - (uint64_t)unacked) / (now - start);
}

static double run_recv(int fd, double secs)
{
	double start = seconds(), now;
	uint64_t got = 0;

	while ((now = seconds()) - start < secs) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			break;
		got += (uint64_t)n;
	}
	return (double)got / (now - start);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0)
		die("listen");
	return fd;
}

static void serve(double secs)
{
	struct pollfd p[2] = { { .fd = listen_on(9), .events = POLLIN }, { .fd = listen_on(19), .events = POLLIN } };

	printf("ready\n");
	fflush(stdout);
	for (double end = seconds() + secs; seconds() < end;) {
		if (poll(p, 2, 100) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			int fd = p[i].revents & POLLIN ? accept(p[i].fd, NULL, NULL) : -1;

			if (fd < 0)
				continue;
			if (i == 0)
				run_recv(fd, end - seconds());
			else
				run_send(fd, end - seconds());
			close(fd);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	bool sender = argc == 6 && strcmp(argv[1], "send") == 0;
	struct timeval tv = { .tv_sec = 2 };
	int fd;

	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		signal(SIGPIPE, SIG_IGN);
		pin_to_cpu(atoi(argv[3]));
		serve(atof(argv[2]));
		return 0;
	}
	if (argc != 6 || (!sender && strcmp(argv[1], "recv") != 0)) {
		fprintf(stderr, "usage: tcpbulk send|recv ADDRESS PORT SECONDS CPU\n       tcpbulk serve SECONDS CPU\n");
		return 2;
	}
	pin_to_cpu(atoi(argv[5]));
	sa.sin_port = htons((uint16_t)atoi(argv[3]));
	sa.sin_addr.s_addr = inet_addr(argv[2]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("connect");
	printf("%.0f\n", sender ? run_send(fd, atof(argv[4])) : run_recv(fd, atof(argv[4])));
	return 0;
}
