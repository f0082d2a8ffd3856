/* SPDX-License-Identifier: MIT */
/*
 * test_tapq.c: the driver of a TAP on a socket pair, which keeps frames apart as a TAP does, but takes whatever header is written: what the host's kernel would
 * never say can be said here. The backend is read and write; tests/netns/device.sh has both on real TAPs.
 */
#include "daemon.h"
#include "tap.h"
#include "vnet.h"
#include "worker.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU 1500

static struct daemon *d;
static struct worker *w;
static struct worker_ns ns;
static struct netcfg *cfg;
static struct tap *tap;
static struct tapq *q;
static int host; /* the other end */
static ktime_t now = NSEC_PER_SEC;

static int op_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	(void)priv;
	(void)ifindex;
	return tapq_xmit(q, skb);
}

static int op_poll(void *priv, int ifindex, int budget, ktime_t *ret_now)
{
	int n;

	(void)priv;
	(void)ifindex;
	n = tapq_poll(q, budget, ret_now);
	*ret_now = now;
	return n;
}

static const struct stack_ops ops = { .xmit = op_xmit, .poll = op_poll };

static struct tap_conf conf(void)
{
	return (struct tap_conf){ .mtu = MTU, .backend = TAP_READ, .copybreak = TAP_COPYBREAK, .tx_ring = TAP_TX_RING };
}

static void setup_conf(const struct tap_conf *c)
{
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = 1 };
	struct link_conf link = { .type = LINK_TAP, .name = "eth0", .flags = NS_IFF_UP, .addr = { { 2, 0, 0, 0, 0, 2 } } };
	int fd[2], ifindex;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
	host = fd[1];
	d = calloc(1, sizeof(*d));
	w = calloc(1, sizeof(*w));
	tap = calloc(1, sizeof(*tap));
	cr_assert(d && w && tap);
	cr_assert_eq(mailbox_init(&d->mail, 0, 0, 0), 0);
	w->daemon = d;
	w->base = event_base_new();
	w->uring_err = -ENOSYS;
	ns = (struct worker_ns){ .worker = w };
	cr_assert_eq(stack_new(&ns.stack, &params, &ops, &ns, now), 0);
	cfg = netcfg_new();
	cr_assert_eq(netcfg_link_add(cfg, &link, 1, &ifindex, NULL), 0);
	cr_assert_eq(stack_apply(ns.stack, netcfg_commit(cfg), now), 0);
	tap->ifindex = ifindex;
	tap->nqueues = 1;
	tap->vnet_len = VNET_LEN;
	tap->fd[0] = fd[0];
	strcpy(tap->link, "eth0");
	cr_assert_eq(tapq_open(&q, &ns, tap, c), 0);
}

static void setup(void)
{
	struct tap_conf c = conf();

	setup_conf(&c);
}

static void teardown(void)
{
	tapq_close(q);
	cr_expect_eq(skb_pool_stats(stack_skb_pool(ns.stack))->outstanding_skbs, 0);
	cr_expect_eq(skb_pool_stats(stack_skb_pool(ns.stack))->outstanding_areas, 0);
	stack_free(ns.stack);
	netcfg_free(cfg);
	event_base_free(w->base);
	tap_free(tap);
	close(host);
	while (d->mail.first) {
		struct job *job = d->mail.first;

		d->mail.first = job->next;
		free(job);
	}
	mailbox_exit(&d->mail);
	free(w);
	free(d);
}

TestSuite(tapq, .init = setup, .fini = teardown);

static void from_host(const struct virtio_net_hdr *h, uint32_t len)
{
	static unsigned char buf[VNET_LEN + 70000];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, h, VNET_LEN);
	memcpy(buf + VNET_LEN, "\2\0\0\0\0\2\2\0\0\0\0\xee\x88\xb5\x45", 15); /* an EtherType that nobody handles */
	buf[VNET_LEN + 34 + 12] = 0x50;
	cr_assert_eq(send(host, buf, VNET_LEN + len, 0), (ssize_t)(VNET_LEN + len), "%u: %s", len, strerror(errno));
}

/* One turn of the worker's loop. */
static void turn(void)
{
	w->now = now;
	w->now_valid = true;
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	w->now = now;
	tapq_run_held(w);
	stack_run(ns.stack, now, 0);
}

static uint64_t drops(enum skb_drop_reason reason)
{
	uint64_t all[SKB_DROP_MAX] = { 0 };

	stack_drops_add(ns.stack, all);
	return all[reason];
}

Test(tapq, lies_are_dropped_by_name)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	static const struct virtio_net_hdr lies[] = {
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 5000, .csum_offset = 16 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 60000 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0, .csum_start = 34, .csum_offset = 16, .hdr_len = 54 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16, .hdr_len = 65535 },
		{ .flags = 0xff, .gso_type = 0xff, .hdr_len = 0xffff, .gso_size = 0xffff, .csum_start = 0xffff, .csum_offset = 0xffff },
	};
	struct tap_stats st;
	unsigned n = sizeof(lies) / sizeof(lies[0]);

	for (unsigned i = 0; i < n; i++)
		from_host(&lies[i], 1000);
	from_host(&plain, 60);
	turn();
	cr_expect_eq(drops(SKB_DROP_DEV_HDR), n);
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 1u, "the honest one went on");
	tapq_get_stats(q, &st);
	cr_expect_eq(st.rx_errors, n);
	cr_expect_eq(d->mail.njobs, 0u, "the device lives");
}

Test(tapq, lengths)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct tap_stats st;

	cr_assert_eq(send(host, &plain, VNET_LEN - 1, 0), (ssize_t)VNET_LEN - 1);
	from_host(&plain, 0);
	from_host(&plain, 1);
	from_host(&plain, 13);
	from_host(&plain, MTU + 18); /* with a VLAN tag */
	from_host(&plain, tapq_rx_len(q) - VNET_LEN - 1); /* the most there is room for */
	from_host(&plain, tapq_rx_len(q) - VNET_LEN); /* may have been longer */
	from_host(&plain, 9000);
	turn();
	tapq_get_stats(q, &st);
	cr_expect_eq(st.rx_errors, 1u);
	cr_expect_eq(st.rx_too_long, 2u);
	cr_expect_eq(drops(SKB_DROP_DEV_TOO_LONG), 2u);
	cr_expect_eq(drops(SKB_DROP_ETH_SHORT), 3u);
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 2u);
}

/* A device without vnet headers: what is read and written is the frame and nothing else, in whatever pieces it lies. */
Test(tapq, without_vnet_headers)
{
	unsigned char buf[4096] = "\2\0\0\0\0\2\2\0\0\0\0\xee\x88\xb5\xff", got[4096];
	struct tap_conf c = conf();
	struct sk_buff *skb;
	struct tap_stats st;
	uint32_t most;

	tapq_close(q);
	tap->vnet_len = 0;
	cr_assert_eq(tapq_open(&q, &ns, tap, &c), 0);
	most = tapq_rx_len(q);
	cr_assert_eq(send(host, buf, 60, 0), 60);
	cr_assert_eq(send(host, buf, 13, 0), 13);
	cr_assert_eq(send(host, buf, most - 1, 0), (ssize_t)most - 1);
	cr_assert_eq(send(host, buf, most, 0), (ssize_t)most);
	turn();
	tapq_get_stats(q, &st);
	cr_expect_eq(st.rx_errors, 0u);
	cr_expect_eq(st.rx_too_long, 1u);
	cr_expect_eq(drops(SKB_DROP_DEV_TOO_LONG), 1u);
	cr_expect_eq(drops(SKB_DROP_ETH_SHORT), 1u);
	cr_expect_eq(drops(SKB_DROP_DEV_HDR), 0u, "what stands at the end of the header is not taken for one");
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 2u);

	for (uint32_t frags = 0; frags < 2; frags++) {
		skb = alloc_skb(stack_skb_pool(ns.stack), 1000, 0); /* no room for a header, and none is needed */
		cr_assert_not_null(skb);
		memset(skb_put(skb, 100), 7, 100);
		if (frags) {
			struct skb_area *area = skb_area_alloc(stack_skb_pool(ns.stack), 500);

			cr_assert_not_null(area);
			memset(area->base, 8, 500);
			cr_assert_eq(skb_add_frag(skb, area, 0, 500), 0);
			skb_area_put(stack_skb_pool(ns.stack), area);
		}
		cr_assert_eq(tapq_xmit(q, skb), 0);
		cr_assert_eq(recv(host, got, sizeof(got), 0), frags ? 600 : 100);
		cr_expect(got[0] == 7 && got[99] == 7 && (!frags || (got[100] == 8 && got[599] == 8)));
	}
}

/* A small frame does not take a large area along. */
Test(tapq, copybreak)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct tap_conf c = conf();
	struct skb_area *posted;

	c.large = true;
	c.copybreak = 200;
	tapq_configure(q, &c);
	from_host(&plain, 100);
	turn();
	posted = q->area[0];
	cr_assert_not_null(posted);
	cr_expect_gt(posted->size, 65536u);
	from_host(&plain, 200);
	turn();
	cr_expect_eq(q->area[0], posted, "copied");
	from_host(&plain, 65000);
	from_host(&plain, 201);
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 4u);
	c.copybreak = 0;
	c.large = false;
	tapq_configure(q, &c);
	cr_expect_null(q->area[0], "areas of another size are given back");
	c.mtu = 9000;
	tapq_configure(q, &c);
	from_host(&plain, 9014);
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 5u);
	cr_expect_eq(drops(SKB_DROP_DEV_TOO_LONG), 0u);
}

static struct sk_buff *numbered(uint32_t n)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(ns.stack), SKB_HEADROOM + 1000, SKB_HEADROOM);

	cr_assert_not_null(skb);
	memset(skb_put(skb, 1000), 0, 1000);
	memcpy(skb->data, &n, sizeof(n));
	return skb;
}

/* The queue gets full, the frame stays the caller's; when there is room again all go on in order. */
Test(tapq, full_queue_keeps_the_order)
{
	uint32_t sent = 0, got = 0;
	unsigned blocked = 0;

	while (got < 2000) {
		unsigned char buf[2000];
		ssize_t n;

		while (sent < 2000) {
			struct sk_buff *skb = numbered(sent);
			int err = tapq_xmit(q, skb);

			if (err) {
				cr_assert_eq(err, -EAGAIN);
				consume_skb(skb);
				blocked++;
				break;
			}
			sent++;
		}
		for (unsigned i = 0; i < 50 && (n = recv(host, buf, sizeof(buf), 0)) > 0; i++, got++) {
			uint32_t number;

			cr_assert_eq(n, VNET_LEN + 1000);
			memcpy(&number, buf + VNET_LEN, sizeof(number));
			cr_assert_eq(number, got);
		}
		turn();
	}
	cr_expect_gt(blocked, 0u);
	cr_expect_eq(q->stats.tx_busy > 0, true);
}

/* What was refused after the stack had let go of it, as a ring's answer tells, goes before anything newer. */
Test(tapq, refused_frames_go_first)
{
	unsigned char buf[2000];
	uint32_t sent = 0, number;
	struct sk_buff *skb;

	while (tapq_write(q, skb = numbered(sent)) == 0)
		sent++;
	cr_assert_eq(tapq_tx_failed(q, -EAGAIN), -EAGAIN);
	skb_queue_tail(&q->tx_retry, skb);
	skb = numbered(sent + 1);
	cr_expect_eq(tapq_xmit(q, skb), -EAGAIN);
	for (uint32_t got = 0; got <= sent; got++) {
		cr_assert_gt(recv(host, buf, sizeof(buf), 0), 0);
		memcpy(&number, buf + VNET_LEN, sizeof(number));
		cr_assert_eq(number, got);
		turn();
	}
	cr_assert_eq(tapq_xmit(q, skb), 0);
	cr_assert_gt(recv(host, buf, sizeof(buf), 0), 0);
	memcpy(&number, buf + VNET_LEN, sizeof(number));
	cr_expect_eq(number, sent + 1);
}

Test(tapq, dead_descriptor)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct sk_buff *skb;
	int spare = dup(tap->fd[0]);

	from_host(&plain, 60);
	w->now = now;
	event_base_loop(w->base, EVLOOP_NONBLOCK); /* the interrupt */
	dup2(open("/", O_PATH), tap->fd[0]); /* no longer for reading: EBADF */
	stack_run(ns.stack, now, 0);
	cr_expect(q->dead);
	cr_expect_eq(d->mail.njobs, 1u, "the control thread is told, once");
	skb = numbered(0);
	cr_expect_eq(tapq_xmit(q, skb), -ENETDOWN);
	consume_skb(skb);
	dup2(spare, tap->fd[0]);
	close(spare);
	turn();
	cr_expect_eq(d->mail.njobs, 1u);
}

/* rx-usecs: after frames the descriptor is not watched for that time; then it is asked, and watched again once it was found empty. */
Test(tapq, coalescing)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct tap_conf c = conf();

	c.rx_usecs = 1000;
	tapq_configure(q, &c);
	from_host(&plain, 60);
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 1u, "the first is not held back");
	cr_expect(q->held);
	from_host(&plain, 60);
	now = q->held_until - 1;
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 1u);
	now = q->held_until;
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 2u);
	cr_expect(q->held, "frames came, so more are expected");
	now = q->held_until;
	turn();
	cr_expect_not(q->held, "none came: the interrupt is on again");
	from_host(&plain, 60);
	turn();
	cr_expect_eq(drops(SKB_DROP_UNHANDLED_PROTO), 3u);
	cr_expect(q->held);
}

/* rx-frames: when so many come in less than rx-usecs, the wait is shortened to what they need. Adaptive: single frames are not held back. */
Test(tapq, coalescing_by_frames_and_load)
{
	static const struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct tap_conf c = conf();
	ktime_t before;

	c.rx_usecs = 1000;
	c.rx_frames = 10;
	tapq_configure(q, &c);
	for (unsigned i = 0; i < 40; i++)
		from_host(&plain, 60);
	turn();
	before = w->now;
	cr_expect(q->held);
	cr_expect_leq(q->held_until - before, 250 * NSEC_PER_USEC, "%lld", (long long)(q->held_until - before));
	now = q->held_until;
	turn();
	c = conf();
	c.adaptive_rx = true;
	tapq_configure(q, &c);
	from_host(&plain, 60);
	turn();
	cr_expect_not(q->held, "a single frame");
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < 40; i++)
			from_host(&plain, 60);
		turn();
		cr_expect(q->held);
		now = q->held_until;
	}
	cr_expect_eq(q->level, 3u);
	turn(); /* nothing came */
	cr_expect_not(q->held);
}
