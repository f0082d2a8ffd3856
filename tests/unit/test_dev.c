/* SPDX-License-Identifier: MIT */
/*
 * test_dev.c: devices that go while packets wait: what may point at them keeps them, what waits in sockets does not, and they are small until they are freed.
 */
#include "checksum.h"
#include "dev.h"
#include "host.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

struct rig {
	struct host   *h;
	struct stack  *stack;
	int            eth0, eth1;
	struct socket *udp, *packet, *tcp;
};

static void rig_init(struct rig *r)
{
	struct neigh_conf n = { .addr = ipaddr_v4(inet_addr("198.51.100.9")), .lladdr = { { 2, 0, 0, 0, 0, 9 } } };
	struct link_conf v = { .name = "v10", .type = LINK_VLAN, .vlan_id = 10, .flags = NS_IFF_UP };

	r->h = host_new("dev", 1, 1, NULL, NULL);
	r->eth0 = host_link(r->h, "eth0", "192.0.2.1/24", 1, 1500, 0);
	r->eth1 = host_link(r->h, "eth1", "198.51.100.1/24", 2, 1500, 0);
	v.link = r->eth0;
	cr_assert_eq(netcfg_link_add(r->h->cfg, &v, 1, NULL, NULL), 0);
	n.ifindex = r->eth1;
	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &n, false, NULL), 0);
	host_apply(r->h);
	r->stack = r->h->shard[0].stack;
}

static void rig_free(struct rig *r)
{
	struct host_frame *f;

	while ((f = host_sent(r->h)))
		free(f);
	host_free(r->h);
}

/* A datagram of four bytes to port 9. */
static void datagram(struct rig *r, int ifindex, uint8_t mac)
{
	uint8_t f[60] = { 2, 0, 0, 0, 0, mac, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1, 0, 7, 0, 9, 0, 12, 0, 0, 'd', 'a', 't', 'a' };
	uint32_t sum = 0;

	for (unsigned i = 14; i < 34; i += 2)
		sum += get_be16(f + i);
	put_be16(f + 24, (uint16_t)~(sum + (sum >> 16)));
	cr_assert_eq(host_rx(r->h, 0, ifindex, f, sizeof(f)), 0);
	host_run(r->h, r->h->now);
}

static void del(struct rig *r, int ifindex)
{
	cr_assert_eq(netcfg_link_del(r->h->cfg, ifindex, NULL), 0);
	host_apply(r->h);
	host_run(r->h, r->h->now);
}

/* Of each kind of socket one that has a packet which nobody reads: a datagram, a frame, a SYN that nobody answers. */
static void leave_unread(struct rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9) };

	cr_assert_eq(ns_socket(host_touch(r->h, 0), AF_INET, SOCK_DGRAM, 0, &r->udp), 0);
	cr_assert_eq(ns_bind(r->udp, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_assert_eq(ns_socket(r->stack, AF_PACKET, SOCK_RAW, htons(ETH_P_IP), &r->packet), 0);
	datagram(r, r->eth0, 1);
	cr_assert_eq(ns_socket(host_touch(r->h, 0), AF_INET, SOCK_STREAM, 0, &r->tcp), 0);
	sin.sin_addr.s_addr = inet_addr("198.51.100.9");
	cr_assert_eq(ns_connect(r->tcp, (struct sockaddr *)&sin, sizeof(sin)), -EINPROGRESS);
	host_run(r->h, r->h->now);
}

Test(dev, what_sockets_have_not_read_keeps_no_device)
{
	uint8_t buf[100];
	struct rig r;

	rig_init(&r);
	leave_unread(&r);
	cr_assert_geq(skb_pool_stats(r.stack->pool)->outstanding_skbs, 3u);
	del(&r, r.eth0);
	host_run(r.h, r.h->now + 10 * NSEC_PER_SEC);
	cr_expect(list_empty(&r.stack->dead_devs), "eth0 and the VLAN on it");
	cr_expect_geq(skb_pool_stats(r.stack->pool)->outstanding_skbs, 3u, "all waits as before");
	cr_expect_eq(ns_recv(r.udp, buf, sizeof(buf), 0), 4);
	cr_expect_eq(ns_recv(r.packet, buf, sizeof(buf), 0), 60);
	ns_close(r.udp);
	ns_close(r.packet);
	ns_close(r.tcp);
	host_run(r.h, r.h->now);
	rig_free(&r);
}

/* A packet that points at it, wherever it is, keeps it, though no more of it than must be. */
Test(dev, what_points_at_it_keeps_it)
{
	struct sk_buff *held;
	struct net_device *dev;
	struct rig r;

	rig_init(&r);
	leave_unread(&r);
	dev = dev_get_by_index(r.stack, r.eth0);
	cr_assert_not_null(dev->vlans[0]);
	held = alloc_skb(r.stack->pool, 100, 0);
	held->dev = dev;
	del(&r, r.eth0);
	for (unsigned i = 0; i < 100; i++) {
		host_touch(r.h, 0);
		host_run(r.h, r.h->now + NSEC_PER_SEC);
		cr_assert(!list_empty(&r.stack->dead_devs));
	}
	cr_expect(held->dev == dev && dev->dying && !dev_up(dev));
	cr_expect(!dev->vlans[0] && !dev->vlans[1], "its tables went at once");
	consume_skb(held);
	for (unsigned i = 0; i < 300 && !list_empty(&r.stack->dead_devs); i++) {
		host_touch(r.h, 0);
		host_run(r.h, r.h->now + NSEC_PER_SEC);
	}
	cr_expect(list_empty(&r.stack->dead_devs));
	ns_close(r.udp);
	ns_close(r.packet);
	ns_close(r.tcp);
	host_run(r.h, r.h->now);
	rig_free(&r);
}

/* Corked data has found its way already; the device of it stays until the datagram is sent. */
Test(dev, corked_data_keeps_its_way)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("192.0.2.9") };
	struct socket *udp;
	struct rig r;

	rig_init(&r);
	cr_assert_eq(ns_socket(host_touch(r.h, 0), AF_INET, SOCK_DGRAM, 0, &udp), 0);
	cr_assert_eq(ns_connect(udp, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(ns_send(udp, "half", 4, MSG_MORE), 4);
	del(&r, r.eth0);
	cr_expect(!list_empty(&r.stack->dead_devs));
	host_touch(r.h, 0);
	(void)ns_send(udp, "half", 4, 0);
	host_run(r.h, r.h->now + 2 * NSEC_PER_SEC);
	cr_expect(list_empty(&r.stack->dead_devs));
	cr_expect_null(host_sent_peek(r.h), "and it went nowhere");
	ns_close(udp);
	rig_free(&r);
}

/* What waits for the rest of its row is dropped and counted, and the timer for it is no more. */
Test(dev, goes_down_with_what_gro_holds)
{
	uint8_t segment[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 41, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1,
			      0, 7, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0, 'x' };
	uint16_t ip_sum = ip_fast_csum(segment + 14, 5), tcp_sum = csum_fold(csum_partial(segment + 34, 21, csum_partial(segment + 26, 8, cpu_to_be32(6 + 21))));
	struct link_stats st;
	struct link_conf l;
	struct rig r;

	rig_init(&r);
	l = *netcfg_link_by_index(r.h->cfg, r.eth0);
	l.features |= LINK_F_GRO;
	cr_assert_eq(netcfg_link_set(r.h->cfg, &l, NULL), 0);
	cr_assert_eq(netcfg_sysctl_set(r.h->cfg, "net.core.gro_flush_timeout", "1000000", NULL), 0);
	host_apply(r.h);
	memcpy(segment + 24, &ip_sum, 2);
	memcpy(segment + 50, &tcp_sum, 2);
	cr_assert_eq(host_rx(r.h, 0, r.eth0, segment, sizeof(segment)), 0);
	host_run(r.h, r.h->now);
	cr_assert_eq(skb_pool_stats(r.stack->pool)->outstanding_skbs, 1u, "it is held");
	l.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r.h->cfg, &l, NULL), 0);
	host_apply(r.h);
	cr_assert_eq(stack_link_stats(r.stack, r.eth0, &st), 0);
	cr_expect_eq(st.rx_packets, 1u);
	cr_expect_eq(st.rx_dropped, 1u);
	cr_expect_eq(host_drops(r.h, SKB_DROP_DEV_DOWN), 1u);
	cr_expect_null(host_idle_error(r.h));
	cr_expect_eq(timer_pending(&dev_get_by_index(r.stack, r.eth0)->napi.gro_timer), false);
	rig_free(&r);
}
