/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c: what a peer, a flood, or a change of configuration at the wrong moment must not achieve. One test for each wrong that was once possible.
 */
#include "frame.h"
#include "host.h"
#include "neigh.h"
#include "sock.h"
#include "wire/wire.h"
#include "checksum.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>

#define OURS   0xc0000201u
#define PEER   0xc0000202u
#define BEYOND 0xc6336402u /* 198.51.100.2 */

static struct host *new_host(unsigned ncpu)
{
	struct host *h = host_new("h", ncpu, 1, NULL, NULL);
	struct neigh_conf n = { .addr = ipaddr_v4(cpu_to_be32(PEER)), .lladdr = { { 2, 0, 0, 0, 0, 0x20 } } };

	cr_assert(h);
	n.ifindex = host_link(h, "eth0", "192.0.2.1/24", 0x10, 1500, 0);
	cr_assert_gt(n.ifindex, 0);
	cr_assert_gt(host_link(h, "eth1", "198.51.100.1/24", 0x11, 576, 0), 0);
	cr_assert_eq(netcfg_neigh_add(h->cfg, &n, false, NULL), 0);
	n.addr = ipaddr_v4(cpu_to_be32(BEYOND));
	n.ifindex++;
	cr_assert_eq(netcfg_neigh_add(h->cfg, &n, false, NULL), 0);
	host_apply(h);
	host_run(h, h->now);
	return h;
}

static unsigned drain(struct host *h)
{
	struct host_frame *f;
	unsigned n = 0;

	while ((f = host_sent(h))) {
		free(f);
		n++;
	}
	return n;
}

static void end(struct host *h)
{
	host_run(h, h->now + 120 * NSEC_PER_SEC);
	drain(h);
	cr_assert(host_idle_error(h) == NULL, "%s", host_idle_error(h));
	host_free(h);
}

static struct sockaddr_in sin_of(uint32_t a, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = cpu_to_be32(a), .sin_port = cpu_to_be16(port) };
}

static struct socket *udp(struct host *h, unsigned cpu, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin_of(addr, port);
	struct socket *s;

	cr_assert_eq(ns_socket(host_touch(h, cpu), AF_INET, SOCK_DGRAM, 0, &s), 0);
	cr_assert_eq(ns_bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	host_run(h, h->now);
	return s;
}

static ssize_t send_to(struct socket *s, uint32_t addr, uint16_t port, const void *data, size_t len, int flags)
{
	struct sockaddr_in to = sin_of(addr, port);
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1 };

	return ns_sendmsg(s, &msg, flags);
}

/* An IPv4 frame for the host, as it stands in f[]: returns its length. */
static uint32_t ip_frame(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, uint16_t frag, const void *payload, uint32_t len)
{
	struct ip_hdr ip = {
		.ver_ihl = 0x45, .tot_len = cpu_to_be16((uint16_t)(20 + len)), .id = 7, .frag_off = cpu_to_be16(frag), .ttl = 64, .protocol = proto,
		.saddr = cpu_to_be32(src), .daddr = cpu_to_be32(dst),
	};

	memcpy(f, (uint8_t[]){ 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x20, 8, 0 }, 14);
	ip.check = ip_fast_csum(&ip, 5);
	memcpy(f + 14, &ip, 20);
	memcpy(f + 34, payload, len);
	return 34 + len;
}

static void rx(struct host *h, unsigned cpu, const uint8_t *f, uint32_t len)
{
	cr_assert_eq(host_rx(h, cpu, 2, f, len), 0);
	host_run(h, h->now);
}

/* Corked data knows its way; the device goes before it leaves. Nothing may be entered into the neighbour table for a device that is no more. */
Test(hostile, corked_data_and_a_device_that_is_gone)
{
	struct ipaddr gone = ipaddr_v4(cpu_to_be32(0xc0000233u));
	struct host *h = new_host(1);
	struct socket *s = udp(h, 0, 0, 4000);

	cr_assert_eq(send_to(s, 0xc0000233u, 9, "abc", 3, MSG_MORE), 3);
	cr_assert_eq(netcfg_link_del(h->cfg, 2, NULL), 0);
	host_apply(h);
	cr_assert_lt(send_to(s, 0xc0000233u, 9, "def", 3, 0), 0);
	cr_assert_gt(host_drops(h, SKB_DROP_DEV_DOWN), 0);
	ns_close(s);
	host_run(h, h->now + 10 * NSEC_PER_SEC); /* the dead device is freed */
	cr_assert_eq(stack_neigh_delete(h->shard[0].stack, 2, &gone, h->now), -ENOENT, "a neighbour on a device that is gone");
	end(h);
}

/* RFC 1122 3.2.1.3 (g): 127.0.0.0/8 must not appear outside of a host, not even as the source of a socket that is bound to it. */
Test(hostile, no_loopback_source_on_the_wire)
{
	struct host *h = new_host(1);
	struct socket *s = udp(h, 0, 0x7f000001u, 4000);
	struct sockaddr_in to = sin_of(PEER, 9);
	struct link_conf l;

	cr_assert_eq(send_to(s, PEER, 9, "abc", 3, 0), -EINVAL);
	cr_assert_eq(ns_connect(s, (struct sockaddr *)&to, sizeof(to)), -EINVAL);
	cr_assert_eq(drain(h), 0);
	cr_assert_eq(send_to(s, OURS, 9, "abc", 3, 0), 3, "our own addresses are reached by way of lo");
	ns_close(s);
	/* where somebody asked for it, it is routed */
	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.ipv4.conf.eth0.route_localnet", "1", NULL), 0);
	host_apply(h);
	l = *netcfg_link_by_index(h->cfg, 2);
	cr_assert_eq(l.v4.route_localnet, 1);
	s = udp(h, 0, 0x7f000001u, 4000);
	cr_assert_eq(send_to(s, PEER, 9, "abc", 3, 0), 3);
	cr_assert_eq(drain(h), 1);
	ns_close(s);
	end(h);
}

/* What one shard hands to another above IP is received and delivered once, and so says the MIB. */
Test(hostile, handed_over_is_counted_once)
{
	struct host *h = new_host(4);
	struct socket *s = udp(h, 2, 0, 5000), *raw;
	uint8_t f[200], p[8 + 20 + 8 + 12] = { 0 };
	uint32_t n;

	for (uint16_t port = 1; port <= 40; port++) {
		put_be16(p, port);
		put_be16(p + 2, 5000);
		put_be16(p + 4, 12);
		n = ip_frame(f, PEER, OURS, 17, 0, p, 12);
		rx(h, port % 4, f, n);
	}
	cr_assert_gt(h->steered, 20);
	cr_assert_eq(host_mib(h, MIB_Ip_InReceives), 40, "%llu received", (unsigned long long)host_mib(h, MIB_Ip_InReceives));
	cr_assert_eq(host_mib(h, MIB_Ip_InDelivers), 40, "%llu delivered", (unsigned long long)host_mib(h, MIB_Ip_InDelivers));
	cr_assert_eq(host_mib(h, MIB_IpExt_InOctets), 40 * 32);
	/* ICMP errors about datagrams of that socket */
	for (uint16_t port = 1; port <= 40; port++) {
		memset(p, 0, sizeof(p));
		p[0] = 3;
		p[1] = 1;
		ip_frame(f, OURS, PEER, 17, 0, p + 8, 12);
		memcpy(p + 8, f + 14, 20);
		put_be16(p + 28, 5000);
		put_be16(p + 30, port);
		put_be16(p + 32, 20);
		put_be16(p + 2, 0);
		put_be16(p + 2, be16_to_cpu(csum_fold(csum_partial(p, 8 + 20 + 12, 0))));
		n = ip_frame(f, PEER, OURS, 1, 0, p, 8 + 20 + 12);
		rx(h, port % 4, f, n);
	}
	cr_assert_eq(host_mib(h, MIB_Icmp_InErrors), 0);
	cr_assert_eq(host_mib(h, MIB_Icmp_InMsgs), 40, "%llu ICMP messages", (unsigned long long)host_mib(h, MIB_Icmp_InMsgs));
	cr_assert_eq(host_mib(h, MIB_Icmp_InDestUnreachs), 40);
	cr_assert_eq(host_mib(h, MIB_Ip_InReceives), 80);
	ns_close(s);
	/* a raw socket's copy */
	cr_assert_eq(ns_socket(host_touch(h, 1), AF_INET, SOCK_RAW, 17, &raw), 0);
	host_run(h, h->now);
	memset(p, 0, sizeof(p));
	put_be16(p + 4, 12);
	for (uint16_t port = 1; port <= 40; port++) {
		put_be16(p, port);
		put_be16(p + 2, 5001);
		n = ip_frame(f, PEER, OURS, 17, 0, p, 12);
		rx(h, port % 4, f, n);
	}
	cr_assert_eq(host_mib(h, MIB_Ip_InReceives), 120, "%llu received", (unsigned long long)host_mib(h, MIB_Ip_InReceives));
	ns_close(raw);
	end(h);
}

static uint32_t arp_frame(uint8_t *f, uint16_t op, uint32_t sip, uint32_t tip, uint8_t mac)
{
	memset(f, 0, 60);
	memset(f, 0xff, 6);
	memcpy(f + 6, (uint8_t[]){ 2, 1, (uint8_t)(sip >> 16), (uint8_t)(sip >> 8), (uint8_t)sip, mac, 8, 6, 0, 1, 8, 0, 6, 4 }, 14);
	put_be16(f + 20, op);
	memcpy(f + 22, f + 6, 6);
	put_be32(f + 28, sip);
	put_be32(f + 38, tip);
	return 60;
}

/* A flood of ARP makes no flood of messages between shards, whether it invents senders or makes one change his address all the time. */
Test(hostile, arp_flood_is_no_flood_of_messages)
{
	struct host *h = new_host(2);
	unsigned worst = 0, told = 0;
	uint8_t f[60];

	for (unsigned i = 0; i < 6000; i++) {
		unsigned before = h->shard[1].ring_len;

		if (i % 2)
			arp_frame(f, 1, 0xc0000264u, 0xc0000264u, (uint8_t)(i / 2)); /* gratuitous, another address each time */
		else
			arp_frame(f, 1, 0xc0000200u + 10 + i / 2 % 200, OURS, (uint8_t)(i / 400));
		host_rx(h, 0, 2, f, 60);
		stack_run(h->shard[0].stack, h->now, 0);
		told += h->shard[1].ring_len - before;
		if (h->shard[1].ring_len > worst)
			worst = h->shard[1].ring_len;
	}
	cr_assert_leq(told, 2000, "%u messages for 6,000 frames within a moment", told);
	drain(h);
	end(h);
}

/* A router that scans a large network on behalf of somebody else: what waits for neighbours who are not there is bounded as a whole. */
Test(hostile, what_waits_for_neighbours_is_bounded)
{
	struct host *h = host_new("h", 1, 1, NULL, NULL);
	struct stack *st;
	uint64_t most = 0;
	int ifindex = host_link(h, "eth0", "10.0.0.1/8", 0x10, 1500, 0);

	host_apply(h);
	st = host_touch(h, 0);
	for (unsigned i = 0; i < 60000; i++) {
		struct sk_buff *skb = alloc_skb(stack_skb_pool(st), 256, 128);

		cr_assert(skb);
		memset(skb_put(skb, 40), 0x45, 40);
		skb_reset_network_header(skb);
		skb->protocol = ETH_P_IP;
		skb->rt = (struct skb_route){ .dev = dev_get_by_index(st, ifindex), .nexthop = ipaddr_v4(cpu_to_be32(0x0a000100u + i % 1000)), .mtu = 1500,
					      .type = RTN_UNICAST, .flags = RT_F_INPUT };
		neigh_output(st, skb);
		if (skb_pool_stats(stack_skb_pool(st))->outstanding_bytes > most)
			most = skb_pool_stats(stack_skb_pool(st))->outstanding_bytes;
	}
	cr_assert_leq(most, 16u << 20, "%llu bytes wait", (unsigned long long)most);
	drain(h);
	end(h);
}

/* "Fragmentation needed" about a protocol of which nobody here sends anything is not believed: it would fill the table of paths. */
Test(hostile, path_mtu_of_what_was_never_sent)
{
	struct host *h = new_host(1);
	struct stack *st = h->shard[0].stack;
	uint8_t f[200], p[8 + 20 + 12];
	struct ipaddr dst;
	struct socket *raw;
	uint32_t n;

	for (unsigned proto = 0; proto < 256; proto++) {
		if (proto == 6 || proto == 17)
			continue;
		memset(p, 0, sizeof(p));
		p[0] = 3;
		p[1] = 4;
		put_be16(p + 6, 600);
		ip_frame(f, OURS, 0xcb007100u + proto, (uint8_t)proto, 0, p + 8, 12);
		memcpy(p + 8, f + 14, 20);
		put_be16(p + 10, 1400);
		put_be16(p + 2, be16_to_cpu(csum_fold(csum_partial(p, sizeof(p), 0))));
		n = ip_frame(f, PEER, OURS, 1, 0, p, sizeof(p));
		rx(h, 0, f, n);
		dst = ipaddr_v4(cpu_to_be32(0xcb007100u + proto));
		cr_assert_eq(ip_rt_pmtu(st, &dst, 1500), 1500, "protocol %u", proto);
	}
	/* with a raw socket of that protocol it may be true */
	cr_assert_eq(ns_socket(host_touch(h, 0), AF_INET, SOCK_RAW, 255 - 1, &raw), 0);
	p[17] = 254;
	put_be16(p + 2, 0);
	put_be16(p + 2, be16_to_cpu(csum_fold(csum_partial(p, sizeof(p), 0))));
	n = ip_frame(f, PEER, OURS, 1, 0, p, sizeof(p));
	rx(h, 0, f, n);
	cr_assert_eq(ip_rt_pmtu(st, &dst, 1500), 600);
	ns_close(raw);
	end(h);
}

/* A fragment that ends beyond 65,535 bytes is not cut into fragments whose offsets have come round to the beginning. */
Test(hostile, fragment_beyond_the_end_is_not_cut)
{
	struct host *h = new_host(1);
	uint8_t f[1514], p[1480] = { 0 };
	uint32_t n;

	cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.ipv4.ip_forward", "1", NULL), 0);
	host_apply(h);
	n = ip_frame(f, PEER, BEYOND, 17, 0x1fff, p, sizeof(p));
	rx(h, 0, f, n);
	cr_assert_eq(drain(h), 0);
	cr_assert_eq(host_drops(h, SKB_DROP_FRAG_TOO_FAR), 1);
	n = ip_frame(f, PEER, BEYOND, 17, 0x1f00, p, sizeof(p));
	rx(h, 0, f, n);
	cr_assert_eq(drain(h), 3);
	end(h);
}

/* Time that leaps to the far end and stays there. */
Test(hostile, far_time)
{
	struct host *h = new_host(1);
	uint8_t f[200], p[12] = { 0 };
	uint32_t n;

	put_be16(p, 9);
	put_be16(p + 2, 9);
	put_be16(p + 4, 12);
	n = ip_frame(f, PEER, OURS, 17, 0, p, 12);
	rx(h, 0, f, n);
	cr_assert_eq(drain(h), 1, "port unreachable");
	h->now = KTIME_MAX / 4 * 3 + 1000;
	rx(h, 0, f, n);
	cr_assert_eq(drain(h), 1);
	for (unsigned i = 0; i < 3; i++)
		stack_run(h->shard[0].stack, h->now, 0);
	drain(h);
	host_free(h);
}

static unsigned martians;

static int discard(void *priv, int ifindex, struct sk_buff *skb)
{
	(void)priv;
	(void)ifindex;
	consume_skb(skb);
	return 0;
}

static void notice(void *priv, const struct stack_event *ev)
{
	(void)priv;
	if (ev->type != STACK_EV_MARTIAN)
		return;
	martians++;
	cr_assert_eq(ev->ifindex, 2);
	cr_assert_eq(ev->addr.v4, cpu_to_be32(OURS));
	cr_assert_eq(ev->daddr.v4, cpu_to_be32(OURS));
	cr_assert_eq(ev->lladdr.b[5], 0x20);
}

/* log_martians: told with everything that finds the culprit, and no more often than once a second. */
Test(hostile, martians_are_told)
{
	static const struct stack_ops ops = { .xmit = discard, .notify = notice };
	struct host *h = new_host(1); /* its configuration serves a stack of this test's own */
	struct stack_params params = { .ncpu = 1 };
	struct stack *st;
	uint8_t f[100], p[8] = { 0 };
	uint32_t n = ip_frame(f, OURS, OURS, 17, 0, p, 8);

	cr_assert_eq(stack_new(&st, &params, &ops, NULL, NSEC_PER_SEC), 0);
	for (unsigned on = 0; on < 2; on++) {
		cr_assert_eq(netcfg_sysctl_set(h->cfg, "net.ipv4.conf.eth0.log_martians", on ? "1" : "0", NULL), 0);
		cr_assert_eq(stack_apply(st, netcfg_commit(h->cfg), NSEC_PER_SEC), 0);
		for (unsigned i = 0; i < 300; i++) {
			ktime_t now = (10 * on + 1) * NSEC_PER_SEC + i * 10 * NSEC_PER_MSEC;
			struct sk_buff *skb = alloc_skb(stack_skb_pool(st), 256, 128);

			skb_put_data(skb, f, n);
			stack_rx(st, 2, skb, now);
			stack_run(st, now, 0);
		}
		cr_assert_eq(martians, on ? 3 : 0, "%u told", martians);
	}
	stack_free(st);
	host_free(h);
}

/* A listener that was shut down may connect; what it listened with is given back (LeakSanitizer sees to it), also when that fails. */
Test(hostile, a_listener_connects)
{
	struct sockaddr_in sin = sin_of(0, 80), to = sin_of(PEER, 81), nowhere = sin_of(0x08080808u, 81);
	struct host *h = new_host(1);
	struct socket *s;
	int err;

	cr_assert_eq(ns_socket(host_touch(h, 0), AF_INET, SOCK_STREAM, 0, &s), 0);
	cr_assert_eq(ns_bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	for (unsigned i = 0; i < 3; i++) {
		host_touch(h, 0);
		cr_assert_eq(ns_listen(s, 5), 0);
		cr_assert_eq(ns_shutdown(s, SHUT_RD), 0);
		cr_assert_eq(ns_connect(s, (struct sockaddr *)&nowhere, sizeof(nowhere)), -ENETUNREACH);
		cr_assert_eq(ns_connect(s, (struct sockaddr *)&to, sizeof(to)), -EINPROGRESS);
		host_run(h, h->now + 300 * NSEC_PER_SEC); /* nobody answers */
		drain(h);
		err = ns_connect(s, (struct sockaddr *)&to, sizeof(to));
		cr_assert_eq(err, -ETIMEDOUT, "%d in round %u", err, i);
	}
	ns_close(s);
	end(h);
}

/* RFC 791 2.3: source, destination, protocol and identification make a datagram, not the devices its fragments came by. */
Test(hostile, fragments_by_two_devices)
{
	struct host *h = new_host(1);
	uint8_t f[1514], p[64] = { 0 }, mac[6] = { 2, 0, 0, 0, 0, 0x11 };
	struct socket *s = udp(h, 0, 0, 5000);
	uint32_t n;

	put_be16(p, 77);
	put_be16(p + 2, 5000);
	put_be16(p + 4, 64);
	n = ip_frame(f, PEER, OURS, 17, 0x2000, p, 32);
	rx(h, 0, f, n);
	n = ip_frame(f, PEER, OURS, 17, 4, p + 32, 32);
	memcpy(f, mac, 6);
	cr_assert_eq(host_rx(h, 0, 3, f, n), 0);
	host_run(h, h->now);
	cr_assert_eq(ns_recv(s, p, sizeof(p), 0), 56);
	ns_close(s);
	end(h);
}

/* A path that takes less than min_pmtu: that much is sent, and without DF, so that it arrives. */
Test(hostile, path_mtu_below_the_least)
{
	struct host *h = new_host(1);
	struct ipaddr dst = ipaddr_v4(cpu_to_be32(PEER));
	static const struct {
		uint32_t mtu;
		size_t   len;
		unsigned frames;
		bool     df;
	} row[] = { { 600, 500, 1, true }, { 296, 500, 1, false }, { 296, 1000, 2, false }, { 580, 500, 1, false } };
	struct socket *s = udp(h, 0, 0, 5000);
	uint8_t p[1000] = { 0 };
	struct host_frame *f;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		ip_rt_update_pmtu(host_touch(h, 0), &dst, row[i].mtu);
		cr_assert_eq(send_to(s, PEER, 9, p, row[i].len, 0), (ssize_t)row[i].len);
		f = host_sent(h);
		cr_assert(f);
		cr_assert_eq((f->data[20] & 0x40) != 0, row[i].df, "row %u", i);
		free(f);
		cr_assert_eq(drain(h), row[i].frames - 1, "row %u", i);
	}
	ns_close(s);
	end(h);
}

/* A broadcast for a socket of another shard is not ignored, and nothing is dropped. */
Test(hostile, broadcast_for_another_shard)
{
	struct host *h = new_host(4);
	struct socket *s = udp(h, 2, 0, 5000);
	uint8_t f[200], p[12] = { 0 };
	uint32_t n;

	for (uint16_t port = 1; port <= 40; port++) {
		put_be16(p, port);
		put_be16(p + 2, 5000);
		put_be16(p + 4, 12);
		n = ip_frame(f, PEER, 0xc00002ffu, 17, 0, p, 12);
		memset(f, 0xff, 6);
		rx(h, port % 4, f, n);
		cr_assert_eq(ns_recv(s, p, sizeof(p), 0), 4, "port %u", port);
		cr_assert_eq(ns_recv(s, p, sizeof(p), 0), -EAGAIN, "port %u comes twice", port);
	}
	cr_assert_eq(host_mib(h, MIB_Udp_IgnoredMulti), 0, "%llu ignored", (unsigned long long)host_mib(h, MIB_Udp_IgnoredMulti));
	cr_assert_eq(host_drops(h, SKB_DROP_NO_SOCKET), 0);
	cr_assert_eq(host_mib(h, MIB_IpExt_InBcastPkts), 40);
	ns_close(s);
	end(h);
}

/* Neither a scan through a router nor a flood of ICMP becomes a flood of messages between shards. */
Test(hostile, scan_and_icmp_are_no_flood_of_messages)
{
	struct host *h = host_new("h", 2, 1, NULL, NULL);
	int ifindex = host_link(h, "eth0", "10.0.0.1/8", 0x10, 1500, 0);
	struct stack *st;
	unsigned before;

	host_apply(h);
	host_run(h, h->now);
	st = host_touch(h, 0);
	before = h->shard[1].ring_len;
	for (unsigned i = 0; i < 8000; i++) {
		struct sk_buff *skb = alloc_skb(stack_skb_pool(st), 256, 128);

		memset(skb_put(skb, 40), 0x45, 40);
		skb_reset_network_header(skb);
		skb->protocol = ETH_P_IP;
		skb->rt = (struct skb_route){ .dev = dev_get_by_index(st, ifindex), .nexthop = ipaddr_v4(cpu_to_be32(0x0a000100u + i)), .mtu = 1500,
					      .type = RTN_UNICAST, .flags = RT_F_INPUT };
		neigh_output(st, skb);
	}
	cr_assert_leq(h->shard[1].ring_len - before, 1100, "%u messages for a scan of 8,000", h->shard[1].ring_len - before);
	cr_assert_gt(drain(h), 6000, "what another shard is not asked for is asked here");
	before = h->shard[1].ring_len;
	for (unsigned i = 0; i < 8000; i++) {
		struct ipaddr dst = ipaddr_v4(cpu_to_be32(0x0b000000u + i));

		ip_rt_update_pmtu(st, &dst, 600);
	}
	cr_assert_leq(h->shard[1].ring_len - before, 1000, "%u messages for 8,000 paths", h->shard[1].ring_len - before);
	end(h);
}
