/* SPDX-License-Identifier: MIT */
/*
 * test_packet.c: packet sockets (packet(7)): what they receive, from whom, how much of it; sending; filters; memberships; statistics; and that the protocols notice nothing.
 */
#include "frame.h"
#include "host.h"
#include "sock_priv.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#define PEER_MAC { 2, 0, 0, 0, 0, 9 }
#define TO_US    "dmac=02:00:00:00:00:01 smac=02:00:00:00:00:09 "

struct rig {
	struct host     *h;
	struct stack    *stack;
	struct frame_ctx ctx;
	int              eth[2];
	ktime_t          now;
};

static void rig_init(struct rig *r, unsigned ncpu)
{
	struct neigh_conf n = { .addr = ipaddr_v4(inet_addr("192.0.2.2")), .lladdr = { PEER_MAC } };

	memset(r, 0, sizeof(*r));
	r->h = host_new("packet", ncpu, 7, NULL, NULL);
	n.ifindex = r->eth[0] = host_link(r->h, "eth0", "192.0.2.1/24", 1, 1500, 0);
	r->eth[1] = host_link(r->h, "eth1", "198.51.100.1/24", 2, 1500, 0);
	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &n, false, NULL), 0);
	host_apply(r->h);
	r->stack = r->h->shard[0].stack;
	r->now = r->h->now;
	frame_ctx_init(&r->ctx);
}

static unsigned sent(struct rig *r)
{
	struct host_frame *f;
	unsigned n = 0;

	for (; (f = host_sent(r->h)); n++)
		free(f);
	return n;
}

static void rig_exit(struct rig *r)
{
	sent(r);
	host_free(r->h);
}

static void run(struct rig *r)
{
	host_run(r->h, r->now += NSEC_PER_MSEC);
}

static size_t rx_on(struct rig *r, unsigned cpu, int ifindex, const char *text, uint8_t *copy)
{
	uint8_t buf[4096];
	int len = frame_build(&r->ctx, 0, text, buf, sizeof(buf));

	cr_assert(len > 0, "%s: %s", text, r->ctx.err);
	cr_assert_eq(host_rx(r->h, cpu, ifindex, buf, (size_t)len), 0);
	run(r);
	if (copy)
		memcpy(copy, buf, (size_t)len);
	return (size_t)len;
}

static size_t rx(struct rig *r, const char *text, uint8_t *copy) { return rx_on(r, 0, r->eth[0], text, copy); }

static struct socket *sock_new(struct rig *r, int type, uint16_t proto)
{
	struct socket *s;

	host_touch(r->h, 0);
	cr_assert_eq(ns_socket(r->stack, AF_PACKET, type, htons(proto), &s), 0);
	return s;
}

static void bind_to(struct socket *s, int ifindex, uint16_t proto)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_protocol = htons(proto) };

	cr_assert_eq(ns_bind(s, (struct sockaddr *)&ll, sizeof(ll)), 0);
}

static ssize_t get(struct socket *s, void *buf, size_t size, struct sockaddr_ll *from)
{
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = from, .msg_namelen = from ? sizeof(*from) : 0 };

	return ns_recvmsg(s, &msg, 0);
}

Test(packet, raw_has_the_frame_and_where_it_came_from)
{
	uint8_t frame[4096], buf[4096];
	struct sockaddr_ll from;
	struct socket *s;
	struct rig r;
	size_t len;
	int v;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	cr_expect_eq(get(s, buf, sizeof(buf), &from), -EAGAIN);
	len = rx(&r, TO_US "icmp echo id 1 seq 1 (100)", frame);
	cr_expect_eq(ns_ioctl(s, FIONREAD, &v), 0);
	cr_expect_eq(v, (int)len);
	cr_expect(ns_poll(s) & EPOLLIN);
	cr_assert_eq(get(s, buf, sizeof(buf), &from), (ssize_t)len);
	cr_expect_eq(memcmp(buf, frame, len), 0);
	cr_expect(from.sll_family == AF_PACKET && from.sll_ifindex == r.eth[0] && from.sll_protocol == htons(ETH_P_IP) && from.sll_hatype == ARPHRD_ETHER &&
		  from.sll_pkttype == PACKET_HOST && from.sll_halen == 6 && memcmp(from.sll_addr, frame + 6, 6) == 0);
	cr_assert_eq(get(s, buf, sizeof(buf), &from), (ssize_t)len, "and the answer that we sent");
	cr_expect(from.sll_pkttype == PACKET_OUTGOING && memcmp(from.sll_addr, "\2\0\0\0\0\1", 6) == 0 && memcmp(buf, "\2\0\0\0\0\11", 6) == 0);
	cr_expect_eq(get(s, buf, sizeof(buf), &from), -EAGAIN);
	cr_expect_eq(sent(&r), 1);
	ns_close(s);
	rx(&r, TO_US "icmp echo id 1 seq 1 (100)", frame);
	rig_exit(&r);
}

Test(packet, dgram_begins_at_the_network_header)
{
	uint8_t frame[4096], buf[4096];
	struct sockaddr_ll from;
	struct socket *s;
	struct rig r;
	size_t len;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_DGRAM, ETH_P_ALL);
	len = rx(&r, TO_US "icmp echo id 1 seq 1 (100)", frame);
	cr_assert_eq(get(s, buf, sizeof(buf), &from), (ssize_t)len - 14);
	cr_expect(memcmp(buf, frame + 14, len - 14) == 0 && memcmp(from.sll_addr, frame + 6, 6) == 0);
	cr_assert_eq(get(s, buf, sizeof(buf), &from), (ssize_t)len - 14);
	cr_expect(from.sll_pkttype == PACKET_OUTGOING && buf[0] == 0x45);
	ns_close(s);
	rig_exit(&r);
}

Test(packet, a_protocol_of_its_own_a_device_of_its_own)
{
	struct socket *arp, *eth1, *none;
	uint8_t buf[4096];
	struct rig r;

	rig_init(&r, 1);
	arp = sock_new(&r, SOCK_RAW, ETH_P_ARP);
	eth1 = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	none = sock_new(&r, SOCK_RAW, 0);
	bind_to(eth1, r.eth[1], 0);
	rx(&r, TO_US "icmp echo id 1 seq 1 (100)", NULL);
	rx(&r, "dmac=ff:ff:ff:ff:ff:ff arp request 192.0.2.1 tell 192.0.2.2", NULL);
	cr_assert_eq(get(arp, buf, sizeof(buf), NULL), 42);
	cr_expect(buf[21] == 1 && get(arp, buf, sizeof(buf), NULL) == -EAGAIN, "the request, but not our answer: only ETH_P_ALL sees what leaves");
	cr_expect_eq(get(eth1, buf, sizeof(buf), NULL), -EAGAIN);
	cr_expect_eq(get(none, buf, sizeof(buf), NULL), -EAGAIN);
	rx_on(&r, 0, r.eth[1], "dmac=ff:ff:ff:ff:ff:ff arp request 198.51.100.77 tell 198.51.100.2", NULL);
	cr_expect_eq(get(eth1, buf, sizeof(buf), NULL), 42);
	bind_to(none, r.eth[0], ETH_P_IP);
	rx(&r, TO_US "icmp echo id 1 seq 1 (100)", NULL);
	cr_expect_eq(get(none, buf, sizeof(buf), NULL), 142);
	ns_close(arp);
	ns_close(eth1);
	ns_close(none);
	rig_exit(&r);
}

Test(packet, a_filter_chooses_and_cuts)
{
	struct sock_filter udp40[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1), BPF_STMT(BPF_RET | BPF_K, 40), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter bad[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23) };
	struct sock_fprog prog = { 4, udp40 }, bad_prog = { 1, bad };
	struct tpacket_auxdata aux;
	char control[CMSG_SPACE(sizeof(aux))];
	uint8_t buf[4096];
	struct iovec iov = { buf, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	struct socket *s;
	struct rig r;
	struct cmsghdr *cmsg;
	int on = 1;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	cr_expect_eq(ns_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &bad_prog, sizeof(bad_prog)), -EINVAL);
	cr_expect_eq(ns_setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)), -ENOENT);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	rx(&r, TO_US "icmp echo id 1 seq 1 (100)", NULL);
	rx(&r, TO_US "udp 7>9 (200)", NULL);
	cr_assert_eq(ns_recvmsg(s, &msg, MSG_PEEK | MSG_TRUNC), 40, "cut by the filter, and told so");
	cr_expect(msg.msg_flags & MSG_TRUNC, "ten bytes of room");
	cmsg = CMSG_FIRSTHDR(&msg);
	cr_assert(cmsg);
	if (!cmsg) /* what the assertion says, for compilers that do not see through it */
		return;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	cr_expect(cmsg->cmsg_level == SOL_PACKET && cmsg->cmsg_type == PACKET_AUXDATA);
	cr_expect(aux.tp_len == 242 && aux.tp_snaplen == 40 && aux.tp_mac == 0 && aux.tp_net == 14 && aux.tp_status & TP_STATUS_USER && !(aux.tp_status & TP_STATUS_CSUMNOTREADY));
	cr_expect_eq(get(s, buf, sizeof(buf), NULL), 40);
	cr_expect_eq(get(s, buf, sizeof(buf), NULL), -EAGAIN);
	cr_assert_eq(ns_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	cr_expect(st.tp_packets == 1 && st.tp_drops == 0);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)), 0);
	cr_expect_eq(ns_setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)), -EPERM);
	cr_expect_eq(ns_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), -EPERM);
	ns_close(s);
	rig_exit(&r);
}

Test(packet, a_full_buffer_loses_copies_and_counts_them)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	uint8_t buf[4096];
	struct socket *s;
	unsigned got = 0;
	struct rig r;
	int small = 4096;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_IP);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (unsigned i = 0; i < 50; i++)
		rx(&r, TO_US "icmp echo id 1 seq 1 (1000)", NULL);
	cr_expect_eq(sent(&r), 50, "every echo is answered all the same");
	while (get(s, buf, sizeof(buf), NULL) > 0)
		got++;
	cr_assert_eq(ns_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	cr_expect(got > 0 && got < 50 && st.tp_packets == 50 && st.tp_drops == 50 - got, "%u read, %u counted, %u lost", got, st.tp_packets, st.tp_drops);
	for (unsigned i = 0; i < SKB_DROP_MAX; i++)
		cr_expect_eq(host_drops(r.h, (enum skb_drop_reason)i), 0, "no packet was lost: %s", skb_drop_reason_name((enum skb_drop_reason)i));
	cr_assert_eq(ns_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	cr_expect(st.tp_packets == 0 && st.tp_drops == 0, "reading sets them back");
	rx(&r, TO_US "icmp echo id 1 seq 1 (1000)", NULL);
	ns_close(s); /* with one unread */
	rig_exit(&r);
}

Test(packet, memberships_open_the_filter_for_who_looks)
{
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC }, group = { .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6, .mr_address = { 1, 0, 0x5e, 1, 2, 3 } },
			   all = { .mr_type = PACKET_MR_ALLMULTI }, unicast = { .mr_type = PACKET_MR_UNICAST, .mr_alen = 6, .mr_address = { 2, 0, 0, 0, 0, 0x77 } }, bad = { .mr_type = 9 };
	static const char *const frames[] = { "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", "dmac=01:00:5e:01:02:03 icmp echo id 1 seq 1 (56)",
					      "dmac=01:00:5e:01:02:04 icmp echo id 1 seq 1 (56)", "dmac=02:00:00:00:00:78 icmp echo id 1 seq 1 (56)" };
	struct {
		struct packet_mreq *m;
		bool seen[4];
	} rows[] = {
		{ NULL, { false, false, false, false } }, { &promisc, { true, true, true, true } }, { &group, { false, true, false, false } },
		{ &all, { false, true, true, false } }, { &unicast, { true, false, false, false } }, { NULL, { false, false, false, false } },
	};
	struct sockaddr_ll from;
	uint8_t buf[4096];
	struct socket *s;
	struct rig r;

	rig_init(&r, 1);
	promisc.mr_ifindex = group.mr_ifindex = all.mr_ifindex = unicast.mr_ifindex = bad.mr_ifindex = r.eth[0];
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].m) {
			cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, rows[i].m, sizeof(*rows[i].m)), -EADDRNOTAVAIL);
			cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, rows[i].m, sizeof(*rows[i].m)), 0);
			cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, rows[i].m, sizeof(*rows[i].m)), 0, "twice");
			cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, rows[i].m, sizeof(*rows[i].m)), 0);
		}
		for (unsigned k = 0; k < 4; k++) {
			rx(&r, frames[k], NULL);
			cr_expect_eq(get(s, buf, sizeof(buf), &from) > 0, rows[i].seen[k], "row %u, frame %u", i, k);
			if (rows[i].seen[k])
				cr_expect_eq(from.sll_pkttype, buf[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST);
		}
		if (rows[i].m)
			cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, rows[i].m, sizeof(*rows[i].m)), 0);
	}
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &bad, sizeof(bad)), -EINVAL);
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &bad, 4), -EINVAL);
	promisc.mr_ifindex = 99;
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)), -ENODEV);
	/* one that is open when its device goes, and one when the socket does */
	promisc.mr_ifindex = r.eth[1];
	cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)), 0);
	cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	cr_assert_eq(netcfg_link_del(r.h->cfg, r.eth[1], NULL), 0);
	host_apply(r.h);
	ns_close(s);
	cr_expect_eq(sent(&r), 0, "the protocols got nothing that was not for us");
	rig_exit(&r);
}

Test(packet, sending)
{
	static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 0x55, 0x88, 0xb5, 1, 2, 3 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_halen = 6, .sll_addr = PEER_MAC };
	static uint8_t big[1600];
	struct iovec iov = { (void *)(uintptr_t)frame, sizeof(frame) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct socket *raw, *dgram, *watch;
	struct host_frame *f;
	struct link_conf link;
	uint8_t buf[4096];
	struct rig r;

	rig_init(&r, 1);
	raw = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	dgram = sock_new(&r, SOCK_DGRAM, 0);
	watch = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	cr_expect_eq(ns_send(raw, frame, sizeof(frame), 0), -ENXIO, "by which device?");
	bind_to(raw, r.eth[0], 0);
	bind_to(watch, r.eth[0], 0);
	cr_expect_eq(ns_send(raw, frame, 13, 0), -EINVAL);
	cr_expect_eq(ns_send(raw, big, 1515, 0), -EMSGSIZE);
	cr_expect_eq(ns_send(raw, big, sizeof(big), 0), -EMSGSIZE);
	cr_assert_eq(ns_send(raw, frame, sizeof(frame), 0), 60);
	run(&r);
	f = host_sent(r.h);
	cr_assert(f && f->len == 60 && f->ifindex == r.eth[0] && memcmp(f->data, frame, 60) == 0);
	free(f);
	cr_expect_eq(get(raw, buf, sizeof(buf), NULL), -EAGAIN, "not to who sent it");
	cr_expect_eq(get(watch, buf, sizeof(buf), NULL), 60);
	memcpy(big, frame, 12);
	big[12] = 0x81;
	cr_expect_eq(ns_send(raw, big, 1518, 0), 1518, "a tag does not count");
	to.sll_ifindex = r.eth[1];
	msg.msg_name = &to;
	msg.msg_namelen = sizeof(to);
	iov.iov_len = 50;
	cr_assert_eq(ns_sendmsg(dgram, &msg, 0), 50);
	run(&r);
	free(host_sent(r.h));
	f = host_sent(r.h);
	cr_assert(f && f->len == 64 && f->ifindex == r.eth[1]);
	cr_expect(memcmp(f->data, "\2\0\0\0\0\11\2\0\0\0\0\2\210\265", 14) == 0 && memcmp(f->data + 14, frame, 50) == 0);
	free(f);
	to.sll_halen = 5;
	cr_expect_eq(ns_sendmsg(dgram, &msg, 0), -EINVAL);
	to.sll_halen = 6;
	to.sll_ifindex = 99;
	cr_expect_eq(ns_sendmsg(dgram, &msg, 0), -ENXIO);
	msg.msg_namelen = 12;
	cr_expect_eq(ns_sendmsg(dgram, &msg, 0), -EINVAL);
	link = *netcfg_link_by_index(r.h->cfg, r.eth[0]);
	link.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r.h->cfg, &link, NULL), 0);
	host_apply(r.h);
	cr_expect_eq(ns_send(raw, frame, sizeof(frame), 0), -ENETDOWN);
	ns_close(raw);
	ns_close(dgram);
	ns_close(watch);
	rig_exit(&r);
}

Test(packet, calls_that_make_no_sense)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = 99 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(ll);
	struct socket *s;
	struct rig r;
	int v = 1;

	rig_init(&r, 1);
	cr_expect_eq(ns_socket(r.stack, AF_PACKET, SOCK_STREAM, htons(ETH_P_ALL), &s), -ESOCKTNOSUPPORT);
	s = sock_new(&r, SOCK_DGRAM, ETH_P_IP);
	cr_expect_eq(ns_bind(s, (struct sockaddr *)&ll, sizeof(ll)), -ENODEV);
	cr_expect_eq(ns_bind(s, (struct sockaddr *)&ll, sizeof(ll) - 1), -EINVAL);
	cr_expect_eq(ns_bind(s, (struct sockaddr *)&in, sizeof(in)), -EINVAL);
	cr_expect_eq(ns_connect(s, (struct sockaddr *)&in, sizeof(in)), -EOPNOTSUPP);
	cr_expect_eq(ns_listen(s, 1), -EOPNOTSUPP);
	cr_expect_eq(ns_shutdown(s, SHUT_RDWR), -EOPNOTSUPP);
	cr_expect_eq(ns_getpeername(s, (struct sockaddr *)&ll, &len), -EOPNOTSUPP);
	cr_expect_eq(ns_setsockopt(s, IPPROTO_IP, IP_TTL, &v, sizeof(v)), -ENOPROTOOPT);
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &v, sizeof(v)), -ENOPROTOOPT);
	cr_expect_eq(ns_recv(s, &v, sizeof(v), MSG_OOB), -EINVAL);
	bind_to(s, r.eth[0], ETH_P_ARP);
	len = sizeof(ll);
	cr_assert_eq(ns_getsockname(s, (struct sockaddr *)&ll, &len), 0);
	cr_expect(len == 18 && ll.sll_family == AF_PACKET && ll.sll_ifindex == r.eth[0] && ll.sll_protocol == htons(ETH_P_ARP) && ll.sll_halen == 6 && ll.sll_addr[5] == 1);
	ns_close(s);
	rig_exit(&r);
}

/* What a flow's shard sees, the sockets of the other shards do not; together they see each frame once. */
Test(packet, a_socket_on_each_shard_sees_every_frame_once)
{
	struct socket *s[2];
	uint8_t buf[4096];
	unsigned got[2] = { 0, 0 };
	char text[200];
	struct rig r;

	rig_init(&r, 2);
	for (unsigned i = 0; i < 2; i++) {
		host_touch(r.h, i);
		cr_assert_eq(ns_socket(r.h->shard[i].stack, AF_PACKET, SOCK_RAW, htons(ETH_P_IP), &s[i]), 0);
	}
	for (unsigned i = 0; i < 64; i++) {
		snprintf(text, sizeof(text), TO_US "udp %u>9 (20)", 1000 + i);
		rx_on(&r, i & 1, r.eth[0], text, NULL);
	}
	for (unsigned i = 0; i < 2; i++)
		while (get(s[i], buf, sizeof(buf), NULL) > 0)
			got[i]++;
	cr_expect(got[0] + got[1] == 64 && got[0] > 8 && got[1] > 8, "%u and %u", got[0], got[1]);
	ns_close(s[0]);
	ns_close(s[1]);
	rig_exit(&r);
}

/* The control message of that level and type; NULL: it is not there. */
static const void *cmsg_of(struct msghdr *msg, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static const void *get_cmsg(struct socket *s, int level, int type)
{
	static uint8_t buf[4096], control[512];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	cr_assert_gt(ns_recvmsg(s, &msg, 0), 0);
	return cmsg_of(&msg, level, type);
}

Test(packet, what_is_lost_is_told_with_the_next)
{
	struct socket *s;
	uint32_t lost;
	struct rig r;
	int v = 4096, on = 1;
	uint8_t buf[4096];
	const void *c;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_IP);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)), 0);
	for (unsigned i = 0; i < 50; i++)
		rx(&r, TO_US "icmp echo id 1 seq 1 (1000)", NULL);
	cr_expect_null(get_cmsg(s, SOL_SOCKET, SO_RXQ_OVFL), "none was lost in front of the first");
	for (lost = 49; get(s, buf, sizeof(buf), NULL) > 0;)
		lost--;
	rx(&r, TO_US "icmp echo id 1 seq 1 (1000)", NULL);
	c = get_cmsg(s, SOL_SOCKET, SO_RXQ_OVFL);
	cr_assert_not_null(c);
	cr_expect_eq(memcmp(c, &lost, sizeof(lost)), 0);
	ns_close(s);
	rig_exit(&r);
}

Test(packet, when_and_how_it_was_summed)
{
	struct tpacket_auxdata aux[2];
	struct timespec ts = { 0, 0 };
	struct socket *s;
	struct rig r;
	int on = 1;
	const void *c;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct sk_buff *skb = alloc_skb(stack_skb_pool(r.stack), 200, 64);

		memset(skb_put(skb, 60), 0xff, 60);
		memcpy(skb->data + 6, (uint8_t[]){ 2, 0, 0, 0, 0, 9, 0x88, 0xb5 }, 8);
		skb->ip_summed = i ? CHECKSUM_PARTIAL : CHECKSUM_UNNECESSARY;
		skb->csum_start = 64 + 20;
		host_touch(r.h, 0);
		stack_rx(r.stack, r.eth[0], skb, r.now);
		run(&r);
		c = get_cmsg(s, SOL_PACKET, PACKET_AUXDATA);
		cr_assert_not_null(c);
		memcpy(&aux[i], c, sizeof(aux[i]));
	}
	cr_expect_eq(aux[0].tp_status, TP_STATUS_USER | TP_STATUS_CSUM_VALID);
	cr_expect_eq(aux[1].tp_status, TP_STATUS_USER | TP_STATUS_CSUMNOTREADY);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), 0);
	{
		static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
		struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = r.eth[0], .sll_halen = 6 };
		struct socket *sender = sock_new(&r, SOCK_RAW, 0);
		struct iovec iov = { (void *)(uintptr_t)frame, sizeof(frame) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to) };

		cr_assert_eq(ns_sendmsg(sender, &msg, 0), 60);
		ns_close(sender);
	}
	c = get_cmsg(s, SOL_SOCKET, SO_TIMESTAMPNS);
	cr_assert_not_null(c);
	memcpy(&ts, c, sizeof(ts));
	cr_expect_eq((ktime_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, r.stack->now + (ktime_t)r.stack->params.wall_offset_ns, "what is sent, too, has the time of now");
	ns_close(s);
	rig_exit(&r);
}

static void mark_of(void *arg, const struct stack_tap_frame *f)
{
	*(uint32_t *)arg = f->skb->mark;
}

Test(packet, options_and_bounds)
{
	static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	struct packet_mreq group = { .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6, .mr_address = { 1 } }, promisc = { .mr_type = PACKET_MR_PROMISC };
	struct socket *s, *other;
	uint8_t buf[4096];
	struct stack_tap *tap;
	uint32_t seen = 0;
	struct rig r;
	int on = 1, mark = 7;

	rig_init(&r, 1);
	group.mr_ifindex = promisc.mr_ifindex = r.eth[0];
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	rx(&r, TO_US "icmp echo id 1 seq 1 (100)", NULL);
	cr_expect_eq(get(s, buf, sizeof(buf), NULL), 142);
	cr_expect_eq(get(s, buf, sizeof(buf), NULL), -EAGAIN, "the answer is not shown");
	bind_to(s, r.eth[0], 0);
	cr_assert_eq(stack_tap_attach(r.stack, r.eth[0], STACK_TAP_TX, mark_of, &seen, &tap), 0);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	cr_assert_eq(ns_send(s, frame, sizeof(frame), 0), 60);
	cr_expect_eq(seen, 7u);
	stack_tap_detach(tap);
	for (unsigned i = 0; i < 64; i++) {
		group.mr_address[5] = (uint8_t)i;
		cr_assert_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, i ? &group : &promisc, sizeof(group)), 0);
	}
	group.mr_address[5] = 64;
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof(group)), -ENOBUFS);
	cr_expect_eq(ns_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)), 0, "one that it has");
	other = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	rx(&r, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect_gt(get(other, buf, sizeof(buf), NULL), 0);
	ns_close(s);
	rx(&r, "dmac=02:00:00:00:00:77 icmp echo id 1 seq 1 (56)", NULL);
	rx(&r, "dmac=01:00:00:00:00:05 icmp echo id 1 seq 1 (56)", NULL);
	cr_expect_eq(get(other, buf, sizeof(buf), NULL), -EAGAIN, "its memberships ended with it");
	ns_close(other);
	rig_exit(&r);
}

static int full(void *arg, struct host *host, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	(void)arg, (void)host, (void)cpu, (void)ifindex, (void)skb;
	return -EAGAIN;
}

/* A filter that keeps one byte of a datagram keeps its UDP header: a datagram without data. A second filter takes the place of the first. */
Test(packet, filters_at_their_limits)
{
	static struct sock_filter one[] = { BPF_STMT(BPF_RET | BPF_K, 1) }, many[BPF_MAXINSNS + 1];
	struct sock_fprog prog = { 1, one }, none = { 1, NULL }, empty = { 0, one }, big = { BPF_MAXINSNS + 1, many };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct socket *udp;
	uint8_t buf[100];
	struct rig r;

	rig_init(&r, 1);
	for (unsigned i = 0; i <= BPF_MAXINSNS; i++)
		many[i] = one[0];
	cr_assert_eq(ns_socket(host_touch(r.h, 0), AF_INET, SOCK_DGRAM, 0, &udp), 0);
	cr_assert_eq(ns_bind(udp, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof(none)), -EFAULT);
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &empty, sizeof(empty)), -EINVAL);
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &big, sizeof(big)), -EINVAL);
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog) - 1), -EINVAL);
	big.len--;
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &big, sizeof(big)), 0);
	cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	rx(&r, TO_US "udp 7>9 (20)", NULL);
	cr_expect(ns_poll(udp) & EPOLLIN);
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), 0);
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), -EAGAIN);
	ns_close(udp);
	rig_exit(&r);
}

/* Who has one device to look at hears when it is switched off, when it goes, and when it was off from the beginning: once. */
Test(packet, a_device_that_goes_down)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct socket *s, *any, *other;
	uint8_t buf[4096];
	struct rig r;

	rig_init(&r, 1);
	s = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	any = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	other = sock_new(&r, SOCK_RAW, ETH_P_ALL);
	bind_to(s, r.eth[1], 0);
	bind_to(other, r.eth[0], 0);
	for (unsigned round = 0; round < 3; round++) {
		struct link_conf l = *netcfg_link_by_index(r.h->cfg, r.eth[1]);

		if (round < 2)
			l.flags ^= NS_IFF_UP;
		cr_assert_eq(round < 2 ? netcfg_link_set(r.h->cfg, &l, NULL) : netcfg_link_del(r.h->cfg, r.eth[1], NULL), 0);
		host_apply(r.h);
		cr_expect_eq((ns_poll(s) & EPOLLERR) != 0, round != 1, "round %u", round);
		cr_expect_eq(get(s, buf, sizeof(buf), NULL), round == 1 ? -EAGAIN : -ENETDOWN, "round %u", round);
		cr_expect_eq(get(s, buf, sizeof(buf), NULL), -EAGAIN, "once");
		cr_expect_eq(get(any, buf, sizeof(buf), NULL), -EAGAIN);
		cr_expect_eq(get(other, buf, sizeof(buf), NULL), -EAGAIN);
		if (round == 0) {
			ll.sll_ifindex = r.eth[1];
			cr_expect_eq(ns_bind(s, (struct sockaddr *)&ll, sizeof(ll)), 0, "it may be bound to what is off,");
			cr_expect_eq(get(s, buf, sizeof(buf), NULL), -ENETDOWN, "and is told");
		}
		if (round == 1) {
			rx_on(&r, 0, r.eth[1], "dmac=ff:ff:ff:ff:ff:ff arp request 198.51.100.77 tell 198.51.100.2", NULL);
			cr_expect_eq(get(s, buf, sizeof(buf), NULL), 42, "when it is on again frames come again");
			cr_expect_eq(get(any, buf, sizeof(buf), NULL), 42);
		}
	}
	ns_close(s);
	ns_close(any);
	ns_close(other);
	rig_exit(&r);
}

/* What a device does not take is charged to who sends it. */
Test(packet, a_sender_is_bounded_by_its_buffer)
{
	static const struct host_ops ops = { .xmit = full };
	static const uint8_t frame[1000] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	struct host *h = host_new("full", 1, 1, &ops, NULL);
	int eth = host_link(h, "eth0", NULL, 1, 1500, 0), small = 20000;
	struct socket *s;
	unsigned n = 0;

	host_apply(h);
	cr_assert_eq(ns_socket(host_touch(h, 0), AF_PACKET, SOCK_RAW, 0, &s), 0);
	bind_to(s, eth, 0);
	cr_assert_eq(ns_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	while (n < 500 && ns_send(s, frame, sizeof(frame), 0) == sizeof(frame))
		n++;
	cr_expect(n > 5 && n < 100, "%u", n);
	cr_expect_eq(ns_send(s, frame, sizeof(frame), 0), -EAGAIN);
	ns_close(s);
	host_free(h);
}

/* The way in which filters of UDP sockets look at the source address, and those of packet sockets without Ethernet header at the EtherType. */
Test(packet, filters_reach_the_headers_in_front)
{
	struct sock_filter from9[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc0000209, 0, 1), BPF_STMT(BPF_RET | BPF_K, -1),
				       BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter ip[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 1), BPF_STMT(BPF_RET | BPF_K, -1), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog from9_prog = { 4, from9 }, ip_prog = { 4, ip };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct socket *udp, *dgram;
	uint8_t buf[4096];
	struct rig r;

	rig_init(&r, 1);
	dgram = sock_new(&r, SOCK_DGRAM, ETH_P_ALL);
	cr_assert_eq(ns_setsockopt(dgram, SOL_SOCKET, SO_ATTACH_FILTER, &ip_prog, sizeof(ip_prog)), 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_DGRAM, 0, &udp), 0);
	cr_assert_eq(ns_bind(udp, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &from9_prog, sizeof(from9_prog)), 0);
	rx(&r, TO_US "udp 192.0.2.9:7>192.0.2.1:9 (20)", NULL);
	rx(&r, TO_US "udp 192.0.2.8:7>192.0.2.1:9 (20)", NULL);
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), 20);
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), -EAGAIN);
	cr_expect_eq(ns_recv(dgram, buf, sizeof(buf), 0), 48);
	cr_expect_eq(ns_recv(dgram, buf, sizeof(buf), 0), 48);
	ns_close(udp);
	ns_close(dgram);
	rig_exit(&r);
}

/* SO_ATTACH_FILTER of the other datagram sockets. */
Test(packet, filters_of_udp_and_raw_sockets)
{
	struct sock_filter port7[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1), BPF_STMT(BPF_RET | BPF_K, 12), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter ttl9[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 1), BPF_STMT(BPF_RET | BPF_K, -1), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog udp_prog = { 4, port7 }, raw_prog_ = { 4, ttl9 };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct socket *udp, *raw, *tcp;
	uint8_t buf[4096];
	struct rig r;

	rig_init(&r, 1);
	host_touch(r.h, 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_DGRAM, 0, &udp), 0);
	cr_assert_eq(ns_bind(udp, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &udp_prog, sizeof(udp_prog)), 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_RAW, IPPROTO_UDP, &raw), 0);
	cr_assert_eq(ns_setsockopt(raw, SOL_SOCKET, SO_ATTACH_FILTER, &raw_prog_, sizeof(raw_prog_)), 0);
	cr_assert_eq(ns_socket(r.stack, AF_INET, SOCK_STREAM, 0, &tcp), 0);
	cr_expect_eq(ns_setsockopt(tcp, SOL_SOCKET, SO_ATTACH_FILTER, &udp_prog, sizeof(udp_prog)), -ENOPROTOOPT);
	rx(&r, TO_US "udp 7>9 (20)", NULL);
	rx(&r, TO_US "ttl=9 udp 8>9 (20)", NULL);
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), 4, "port 7, cut to twelve bytes with the header");
	cr_expect_eq(ns_recv(udp, buf, sizeof(buf), 0), -EAGAIN);
	cr_expect_eq(host_drops(r.h, SKB_DROP_SOCKET_FILTER), 1);
	cr_expect_eq(ns_recv(raw, buf, sizeof(buf), 0), 48);
	cr_expect(buf[8] == 9 && ns_recv(raw, buf, sizeof(buf), 0) == -EAGAIN);
	for (int lock = 1; lock >= 0; lock--) { /* locked once, it cannot be unlocked */
		cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_LOCK_FILTER, &lock, sizeof(lock)), lock ? 0 : -EPERM);
		cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_DETACH_FILTER, &lock, sizeof(lock)), -EPERM);
		cr_expect_eq(ns_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &udp_prog, sizeof(udp_prog)), -EPERM);
	}
	ns_close(udp);
	ns_close(raw);
	ns_close(tcp);
	rig_exit(&r);
}
