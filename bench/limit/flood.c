/* SPDX-License-Identifier: MIT */
/*
 * flood: sends UDP frames of one size out of a device as fast as it takes them, for a bounded time, with 64 source ports.
 * flood DEVICE SIZE SECONDS DESTINATION-MAC SOURCE DESTINATION CPU; prints how many were sent.
 */
#include "util.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#define BATCH 64
#define PORT  5001

static void frame_build(unsigned char *f, size_t size, const unsigned char *dmac, uint32_t src, uint32_t dst, unsigned sport)
{
	static const unsigned char smac[6] = { 2, 0, 0, 0, 0, 0xee };
	unsigned char *ip = f + 14, *udp = ip + 20;
	uint16_t word;

	memset(f, 0, size);
	memcpy(f, dmac, 6);
	memcpy(f + 6, smac, 6);
	f[12] = 8;
	ip[0] = 0x45;
	word = htons((uint16_t)(size - 14));
	memcpy(ip + 2, &word, 2);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	word = sum_fold(sum_bytes(ip, 20, 0));
	memcpy(ip + 10, &word, 2);
	word = htons((uint16_t)sport);
	memcpy(udp, &word, 2);
	word = htons(PORT);
	memcpy(udp + 2, &word, 2);
	word = htons((uint16_t)(size - 34)); /* the checksum stays zero: none */
	memcpy(udp + 4, &word, 2);
}

int main(int argc, char **argv)
{
	static unsigned char frames[BATCH][2048];
	static struct mmsghdr msgs[BATCH];
	static struct iovec iovs[BATCH];
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	unsigned char mac[6];
	unsigned long sent = 0;
	size_t size;
	int fd, one = 1;
	double end;

	if (argc != 8 || sscanf(argv[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
		fprintf(stderr, "usage: flood DEVICE SIZE SECONDS MAC SOURCE DESTINATION CPU\n");
		return 2;
	}
	size = (size_t)atoi(argv[2]);
	if (size < 42 || size > sizeof(frames[0]))
		return 2;
	for (unsigned i = 0; i < BATCH; i++) {
		frame_build(frames[i], size, mac, inet_addr(argv[5]), inet_addr(argv[6]), 1024 + i);
		iovs[i] = (struct iovec){ frames[i], size };
		msgs[i].msg_hdr.msg_iov = &iovs[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	pin_to_cpu(atoi(argv[7]));
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("packet socket");
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	addr.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(argv[1]);
	for (end = seconds() + atof(argv[3]); seconds() < end;) {
		for (int i = 0; i < 8; i++) {
			int n = sendmmsg(fd, msgs, BATCH, 0);

			if (n > 0)
				sent += (unsigned long)n;
			else if (errno != ENOBUFS && errno != EAGAIN && errno != ENETDOWN)
				die("send");
		}
	}
	printf("%lu\n", sent);
	return 0;
}
