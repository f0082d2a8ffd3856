/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_batch.c: what depends on frames that come, or may go, together: one ACK for a batch, one large frame for a device that segments.
 */
#include "../lib/frame.h"
#include "../lib/host.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct rig {
	struct host     *h;
	struct stack    *stack;
	struct socket   *listener, *sock;
	struct frame_ctx ctx;
	int              ifindex;
	uint8_t          buf[FRAME_MAX];
};

static void in(struct rig *r, const char *text)
{
	int len = frame_build(&r->ctx, 0, text, r->buf, sizeof(r->buf));

	cr_assert(len > 0, "%s", r->ctx.err);
	cr_assert_eq(host_rx(r->h, 0, r->ifindex, r->buf, (size_t)len), 0);
}

static void out(struct rig *r, const char *text)
{
	struct host_frame *f = host_sent(r->h);

	cr_assert(f != NULL, "nothing left, expected: %s", text);
	cr_assert(frame_match(&r->ctx, 0, text, f->data, f->len), "%s: %s", text, r->ctx.err);
	free(f);
}

static void run(struct rig *r) { host_run(r->h, r->h->now); }

static void rig_init(struct rig *r, uint32_t features)
{
	struct neigh_conf peer = { .lladdr = { { 2, 0, 0, 0, 0, 2 } } };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };

	memset(r, 0, sizeof(*r));
	r->h = host_new("a", 1, 1, NULL, NULL);
	r->ifindex = host_link(r->h, "eth0", "192.0.2.1/24", 1, 1500, features);
	cr_assert(r->ifindex > 0);
	frame_ctx_init(&r->ctx);
	r->ctx.pport = 40000;
	r->ctx.lport = 80;
	r->ctx.dev[0].peer = inet_addr("192.0.2.2");
	r->ctx.dev[0].local = inet_addr("192.0.2.1");
	memcpy(r->ctx.dev[0].peer_mac, peer.lladdr.b, 6);
	memcpy(r->ctx.dev[0].local_mac, (uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	peer.ifindex = r->ifindex;
	peer.addr = ipaddr_v4(inet_addr("192.0.2.2"));
	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &peer, true, NULL), 0);
	host_apply(r->h);
	r->stack = host_touch(r->h, 0);
	cr_assert_eq(ns_socket(r->stack, AF_INET, SOCK_STREAM, 0, &r->listener), 0);
	cr_assert_eq(ns_bind(r->listener, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(ns_listen(r->listener, 5), 0);
	in(r, "tcp S 0 win 65535 <mss 1460,wscale 7>");
	run(r);
	out(r, "tcp S. 0 ack 1");
	in(r, "tcp . 1 ack 1 win 20000");
	run(r);
	host_touch(r->h, 0);
	cr_assert_eq(ns_accept(r->listener, &r->sock, NULL, NULL), 0);
}

static void rig_exit(struct rig *r)
{
	struct host_frame *f;

	host_touch(r->h, 0);
	if (r->sock)
		ns_close(r->sock);
	ns_close(r->listener);
	host_run(r->h, r->h->now + 1000 * NSEC_PER_SEC);
	while ((f = host_sent(r->h)))
		free(f);
	cr_assert(host_idle_error(r->h) == NULL, "%s", host_idle_error(r->h));
	host_free(r->h);
}

/* RFC 9293 MUST-58, MUST-59; no more than 64 KiB in one ACK. */
Test(tcp_batch, one_ack_for_a_batch)
{
	static struct rig r;
	char text[100];

	rig_init(&r, 0);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "tcp . %d:%d(1460) ack 1 win 20000", 1 + i * 1460, 1 + (i + 1) * 1460);
		in(&r, text);
	}
	run(&r);
	out(&r, "tcp . 1 ack 14601");
	cr_assert(host_sent_peek(r.h) == NULL, "more than one ACK");
	rig_exit(&r);
}

/* A hole in the batch: each segment behind it is answered at once, with what was in order before it. */
Test(tcp_batch, a_hole_in_a_batch)
{
	static struct rig r;

	rig_init(&r, 0);
	in(&r, "tcp . 1:1461(1460) ack 1 win 20000");
	in(&r, "tcp . 2921:4381(1460) ack 1 win 20000");
	in(&r, "tcp . 4381:5841(1460) ack 1 win 20000");
	run(&r);
	out(&r, "tcp . 1 ack 1461");
	out(&r, "tcp . 1 ack 1461");
	cr_assert(host_sent_peek(r.h) == NULL);
	in(&r, "tcp . 1461:2921(1460) ack 1 win 20000");
	run(&r);
	out(&r, "tcp . 1 ack 5841");
	rig_exit(&r);
}

/* A device that segments gets one frame; one without gets the same bytes as segments. Both are acknowledged in part in the middle of one. */
static void bulk(uint32_t features, size_t *frames, size_t *largest)
{
	static struct rig r;
	static uint8_t data[60000];
	struct host_frame *f;
	size_t bytes = 0;

	rig_init(&r, features);
	*frames = *largest = 0;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = frame_pattern(i);
	host_touch(r.h, 0);
	cr_assert_eq(ns_send(r.sock, data, 14600, 0), 14600);
	run(&r);
	while ((f = host_sent(r.h))) {
		++*frames;
		bytes += f->len - 54;
		*largest = f->len > *largest ? f->len : *largest;
		free(f);
	}
	cr_assert_eq(bytes, 14600u);
	r.h->now += 50 * NSEC_PER_MSEC;
	in(&r, "tcp . 1 ack 7000 win 20000"); /* not on the edge of a segment */
	run(&r);
	in(&r, "tcp . 1 ack 14601 win 20000");
	run(&r);
	rig_exit(&r);
}

Test(tcp_batch, segmentation_offload)
{
	size_t n, largest;

	bulk(0, &n, &largest);
	cr_assert(n == 10 && largest == 1514, "%zu frames, %zu bytes", n, largest);
	bulk(LINK_F_TX_CSUM | LINK_F_TSO4, &n, &largest);
	cr_assert(n <= 3 && largest >= 1514 * 3, "%zu frames, %zu bytes", n, largest);
}

/* The urgent pointer counts from each segment's number; a device that cuts a frame copies it. So urgent text leaves in segments. */
Test(tcp_batch, urgent_text_is_not_left_to_the_device)
{
	static struct rig r;
	static uint8_t data[4380];
	struct host_frame *f;
	unsigned urgent = 0;

	rig_init(&r, LINK_F_TX_CSUM | LINK_F_TSO4);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = frame_pattern(i);
	host_touch(r.h, 0);
	cr_assert_eq(ns_send(r.sock, data, sizeof(data), MSG_OOB), (ssize_t)sizeof(data));
	run(&r);
	while ((f = host_sent(r.h))) {
		uint32_t seq = get_be32(f->data + 38);
		static uint32_t first;

		first = urgent ? first : seq;
		cr_assert(f->len <= 1514, "%zu bytes in one frame", f->len);
		cr_assert(f->data[47] & 0x20, "URG");
		cr_assert_eq(get_be16(f->data + 52) + (seq - first), sizeof(data));
		urgent++;
		free(f);
	}
	cr_assert_eq(urgent, 3u);
	rig_exit(&r);
}

/* One DSACK tells of one segment, however many the retransmitted frame held. */
Test(tcp_batch, retransmissions_count_in_segments)
{
	static struct rig r;
	static uint8_t data[14600];
	struct host_frame *f;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	rig_init(&r, LINK_F_TX_CSUM | LINK_F_TSO4);
	host_touch(r.h, 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = frame_pattern(i);
	cr_assert_eq(ns_send(r.sock, data, sizeof(data), 0), (ssize_t)sizeof(data));
	run(&r);
	while ((f = host_sent(r.h)))
		free(f);
	host_run(r.h, r.h->now + 1500 * NSEC_PER_MSEC); /* everything is taken for lost, the first segment goes again */
	while ((f = host_sent(r.h)))
		free(f);
	in(&r, "tcp . 1 ack 2921 win 20000"); /* then more in one frame */
	in(&r, "tcp . 1 ack 7301 win 20000");
	run(&r);
	size_t bytes = 0;

	while ((f = host_sent(r.h))) {
		bytes += f->len - 54;
		free(f);
	}
	cr_assert_eq(ns_getsockopt(r.sock, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	cr_assert(info.tcpi_total_retrans >= 1 + bytes / 1460, "%u retransmissions, %zu bytes after the first", info.tcpi_total_retrans, bytes);
	cr_assert(bytes >= 2 * 1460);
	rig_exit(&r);
}

/* ---- callbacks that close the socket ---- */

struct closing { struct rig *r; bool reset; unsigned calls; };

static void hang_up(struct closing *c)
{
	struct linger lin = { 1, 0 };

	if (c->calls++)
		return;
	if (c->reset)
		cr_assert_eq(ns_setsockopt(c->r->sock, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)), 0);
	ns_close(c->r->sock);
}

static size_t take_and_close(void *arg, const void *data, size_t len)
{
	uint8_t b = 0;

	if (!((struct closing *)arg)->calls)
		cr_assert_eq(ns_recv(((struct closing *)arg)->r->sock, &b, 1, 0), -EBUSY);
	hang_up(arg);
	for (size_t i = 0; i < len; i++) /* the bytes are there until the callback returns */
		b ^= ((const uint8_t *)data)[i];
	return b == 1 ? len : len; /* looked at, so that it is read */
}

static void fill_and_close(void *arg, void *data, size_t len)
{
	hang_up(arg);
	memset(data, 0x55, len);
}

static void close_inside(bool recv, bool reset)
{
	static struct rig r;
	struct closing c = { &r, reset, 0 };

	rig_init(&r, 0);
	if (recv) {
		in(&r, "tcp P. 1:1001(1000) ack 1 win 20000");
		run(&r);
		out(&r, "tcp . 1 ack 1001");
		host_touch(r.h, 0);
		cr_assert_eq(ns_recv_inplace(r.sock, 4000, take_and_close, &c), 1000);
	} else {
		host_touch(r.h, 0);
		cr_assert_eq(ns_send_fill(r.sock, 4000, fill_and_close, &c), -EPIPE);
	}
	r.sock = NULL;
	cr_assert_eq(c.calls, 1u);
	run(&r);
	out(&r, reset ? (recv ? "tcp R. 1 ack 1001" : "tcp R. 1 ack 1") : recv ? "tcp F. 1 ack 1001" : "tcp F. 1 ack 1");
	cr_assert(host_sent_peek(r.h) == NULL);
	rig_exit(&r);
}

Test(tcp_batch, closed_inside_recv_inplace) { close_inside(true, false); }
Test(tcp_batch, reset_inside_recv_inplace) { close_inside(true, true); }
Test(tcp_batch, closed_inside_send_fill) { close_inside(false, false); }
Test(tcp_batch, reset_inside_send_fill) { close_inside(false, true); }
