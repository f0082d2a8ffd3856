/* SPDX-License-Identifier: MIT */
/*
 * fuzz_netlink.c: any packets from a client of the rtnetlink socket, to the real server on a configuration without workers: whatever comes, what goes out are well-formed
 * netlink messages, in answer to the sender and as events to another client, and the server goes on.
 *
 * Input: one byte of options (1: nobody reads while packets come; 2: the client may not change anything), then packets: two bytes of length (least significant first),
 * that many bytes. A length beyond the input is cut to it.
 */
#include "apply.h"
#include "daemon.h"
#include "links.h"
#include "netlink_server.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_netlink: %s\n", what);
	abort();
}

static int add(struct conf_state *st, enum link_type type, const char *name, int lower)
{
	struct link_conf link = { .type = type, .flags = NS_IFF_UP, .link = lower, .vlan_proto = 0x8100, .vlan_id = 5 };
	int ifindex = 0;

	snprintf(link.name, sizeof(link.name), "%s", name);
	must(netcfg_link_add(st->cfg, &link, 1, &ifindex, NULL) == 0, "a link cannot be made");
	return ifindex;
}

static void configure(struct conf_state *st)
{
	struct link_conf a = { .name = "va", .flags = NS_IFF_UP }, b = { .name = "vb" };
	int d0;

	must(conf_state_init(st, 1) == 0, "no memory");
	d0 = add(st, LINK_DUMMY, "d0", 0);
	add(st, LINK_DUMMY, "d1", 0);
	add(st, LINK_VLAN, "d0.5", d0);
	add(st, LINK_BRIDGE, "br0", 0);
	add(st, LINK_VIRTUAL, "v0", 0);
	must(netcfg_veth_add(st->cfg, &a, &b, 1, NULL, NULL, NULL) == 0, "a pair cannot be made");
}

static void check_packet(const unsigned char *p, size_t n)
{
	while (n) {
		struct nlmsghdr h;

		must(n >= sizeof(h), "a rest that is no message");
		memcpy(&h, p, sizeof(h));
		must(h.nlmsg_len >= sizeof(h) && h.nlmsg_len <= n, "a message that is longer than its packet");
		if (h.nlmsg_type == NLMSG_ERROR) {
			int err;

			must(h.nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)), "an error that is cut short");
			memcpy(&err, p + sizeof(h), sizeof(err));
			must(err <= 0 && err > -4096, "an error that is none");
		} else if (h.nlmsg_type == RTM_NEWLINK || h.nlmsg_type == RTM_DELLINK) {
			struct nlattr *tb[IFLA_MAX + 1];
			unsigned char *copy = malloc(h.nlmsg_len);

			must(copy != NULL, "no memory");
			memcpy(copy, p, h.nlmsg_len);
			must(nlmsg_parse((struct nlmsghdr *)(void *)copy, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) >= 0, "attributes that cannot be read");
			must(tb[IFLA_IFNAME] && tb[IFLA_MTU] && tb[IFLA_OPERSTATE], "a link without a name, MTU or state");
			free(copy);
		} else {
			must(h.nlmsg_type == NLMSG_DONE, "a message of another kind");
		}
		n -= NLMSG_ALIGN(h.nlmsg_len) < n ? NLMSG_ALIGN(h.nlmsg_len) : n;
		p += NLMSG_ALIGN(h.nlmsg_len);
	}
}

/* Everything that is there. */
static void drain(int fd)
{
	static unsigned char buf[1 << 17];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		check_packet(buf, (size_t)n);
	must(n < 0 && (errno == EAGAIN || errno == ECONNRESET || errno == EPIPE), "the server has hung up");
}

static void turn(struct daemon *d)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(d->base, EVLOOP_NONBLOCK);
}

static void packets(struct daemon *d, const uint8_t *p, size_t size, bool reads, int fd, int member)
{
	while (size >= 2) {
		size_t n = p[0] | (size_t)p[1] << 8;

		p += 2;
		size -= 2;
		n = n < size ? n : size;
		if (n && send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			must(errno == EAGAIN || errno == EMSGSIZE, "the server does not take a packet");
		p += n;
		size -= n;
		turn(d);
		if (reads) {
			drain(fd);
			drain(member);
		}
	}
	for (unsigned i = 0; i < 64; i++) { /* and all answers get out in the end */
		turn(d);
		drain(fd);
		drain(member);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sockaddr_nl bind = { .nl_family = AF_NETLINK, .nl_groups = 1, .nl_pid = 9 };
	struct daemon d = { .mail.efd = -1, .ready_fd = -1 };
	int a[2], b[2];

	if (size < 1)
		return 0;
	d.base = event_base_new();
	must(d.base != NULL, "no memory");
	configure(&d.conf);
	must(links_follow(&d) == 0 && netlink_start(&d, -1) == 0, "no memory");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, a) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, b) == 0, "no sockets");
	must(netlink_client_add(&d, a[0], !(data[0] & 2)) == 0 && netlink_client_add(&d, b[0], false) == 0, "no memory");
	must(send(b[1], &bind, sizeof(bind), 0) == (ssize_t)sizeof(bind), "no member");
	turn(&d);
	packets(&d, data + 1, size - 1, !(data[0] & 1), a[1], b[1]);
	must(!apply_busy(&d), "a change has not ended");
	close(a[1]);
	turn(&d);
	close(b[1]);
	netlink_stop(&d);
	links_stop(&d);
	conf_state_exit(&d.conf);
	event_base_free(d.base);
	return 0;
}
