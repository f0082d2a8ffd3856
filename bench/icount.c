/* SPDX-License-Identifier: MIT */
/*
 * icount: drives the stack with frames in memory, so that callgrind can count what the whole path costs where seconds on a shared machine cannot.
 *	icount forward N	N frames of 64 bytes from one virtual link to another
 *	icount forward-timed N	the same with net.core.runtime_stats on
 *	icount forward-vlan N	the same from a VLAN of one link to a VLAN of the other
 *	icount bridge N		the same across a bridge of the two
 *	icount forward-tcp N	N full segments of one flow from one link to another, merged by GRO and cut again
 *	icount forward-tso N	the same where the way out takes them whole
 *	icount tcp-in N		N full segments into a TCP socket that an application reads in place
 *	icount tcp-out N	N full segments out of a TCP socket, acknowledged every second one
 * The instructions of one frame are the difference of two runs, divided by the difference of their N. What the driver here does for a frame (a buffer from the
 * pool, one copy into it) is included, as a driver's work is part of the path. Without callgrind it prints nanoseconds a frame.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netstack/netcfg.h>
#include <netstack/socket.h>
#include <netstack/stack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define MSS      1448 /* with timestamps */
#define ADDR(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

struct rig {
	struct netcfg *cfg;
	struct stack  *stack;
	int            eth[2];
	unsigned long  left, sent, received; /* frames still to come in, frames that went out, bytes that the application got */
	unsigned char  frame[1600];
	size_t         len;
	ktime_t        now;
	/* the peer of the TCP runs */
	bool           tcp, tso;
	uint32_t       dest; /* of tcp_frame */
	bool           timed, vlan, bridge;
	uint32_t       seq, ack, got_seq;
	uint32_t       tsval, tsecr;
	bool           synack;
	uint8_t        last_flags; /* what stands in frame: a segment like the last one is only renumbered */
	size_t         last_payload;
};

static const struct eth_addr our_mac = { { 2, 0, 0, 0, 0, 2 } }, peer_mac = { { 2, 0, 0, 0, 0, 9 } }, station_mac = { { 2, 0, 0, 0, 0, 7 } };

static void fail(const char *what, int err)
{
	fprintf(stderr, "icount: %s: %s\n", what, strerror(-err));
	exit(1);
}

static uint32_t sum16(const unsigned char *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t fold16(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- the device ---- */

static void rx(struct rig *r, int ifindex, const unsigned char *frame, size_t len)
{
	struct sk_buff *skb = alloc_skb(stack_skb_pool(r->stack), (uint32_t)len + 64, 64);

	if (!skb)
		fail("buffers", -ENOMEM);
	skb_put_data(skb, frame, (uint32_t)len);
	if (r->tcp)
		skb->ip_summed = CHECKSUM_UNNECESSARY; /* the sum of payload bytes is memory bandwidth, not instructions; see bench/README.md */
	stack_rx(r->stack, ifindex, skb, r->now);
}

static void tcp_frame(struct rig *r, uint8_t flags, size_t payload)
{
	unsigned char *ip = r->frame + 14, *th = ip + 20;
	size_t thl = flags & 2 ? 40 : 32;

	if (r->len && flags == r->last_flags && payload == r->last_payload) {
		put_be32(th + 4, r->seq);
		put_be32(th + 8, r->ack);
		put_be32(th + 24, r->tsval);
		put_be32(th + 28, r->tsecr);
		r->seq += (uint32_t)payload;
		return;
	}
	r->last_flags = flags;
	r->last_payload = payload;
	memset(ip, 0, 20 + thl);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + thl + payload));
	ip[6] = 0x40; /* don't fragment */
	ip[8] = 64;
	ip[9] = 6;
	put_be32(ip + 12, ADDR(10, 1, 0, 9));
	put_be32(ip + 16, r->dest);
	put_be16(ip + 10, fold16(sum16(ip, 20, 0)));
	put_be16(th, 40000);
	put_be16(th + 2, 80);
	put_be32(th + 4, r->seq);
	put_be32(th + 8, r->ack);
	th[12] = (unsigned char)(thl / 4 << 4);
	th[13] = flags;
	put_be16(th + 14, 65535);
	if (flags & 2) { /* MSS, SACK permitted, timestamp, window scale */
		static const unsigned char opt[20] = { 2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 10 };

		memcpy(th + 20, opt, sizeof(opt));
	} else {
		th[20] = th[21] = 1;
		th[22] = 8;
		th[23] = 10;
		put_be32(th + 24, r->tsval);
		put_be32(th + 28, r->tsecr);
	}
	r->seq += (uint32_t)payload + !!(flags & 2);
	r->len = 14 + 20 + thl + payload;
}

static int dev_poll(void *priv, int ifindex, int budget, ktime_t *now)
{
	struct rig *r = priv;
	int n = 0;

	(void)now;
	for (; n < budget && r->left; n++, r->left--) {
		if (r->tcp)
			tcp_frame(r, 0x10, MSS);
		rx(r, ifindex, r->frame, r->len);
	}
	return n;
}

static int dev_xmit(void *priv, int ifindex, struct sk_buff *skb)
{
	struct rig *r = priv;
	unsigned char h[74];

	(void)ifindex;
	r->sent++;
	if (r->tcp && skb_copy_bits(skb, 0, h, skb->len < sizeof(h) ? skb->len : sizeof(h)) == 0 && h[12] == 8 && h[13] == 0) {
		uint32_t thl = (h[46] >> 4) * 4u, end = get_be32(h + 38) + (get_be16(h + 16) - 20 - thl) + !!(h[47] & 2);

		if ((int32_t)(end - r->got_seq) > 0 || !r->synack)
			r->got_seq = end;
		if (h[47] & 2)
			r->synack = true;
		r->tsecr = get_be32(h + (h[47] & 2 ? 62 : 58));
	}
	consume_skb(skb);
	return 0;
}

static void no_wake(void *priv, uint64_t cookie, uint32_t events)
{
	(void)priv, (void)cookie, (void)events;
}

/* The machine's only where reading it is what is counted: the time limit of a round would cut off more of them on a machine that is slower or busy. */
static ktime_t bench_clock(void *priv)
{
	const struct rig *r = priv;
	struct timespec ts;

	if (!r->timed)
		return r->now;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static const struct stack_ops ops = { .xmit = dev_xmit, .poll = dev_poll, .wake = no_wake, .clock = bench_clock };

/* ---- set-up ---- */

static int add_vlan(struct rig *r, int lower, int i)
{
	struct link_conf link = { .type = LINK_VLAN, .flags = NS_IFF_UP, .link = lower, .vlan_id = 10 };
	int err, ifindex;

	snprintf(link.name, sizeof(link.name), "vlan%d", i);
	err = netcfg_link_add(r->cfg, &link, 1, &ifindex, NULL);
	if (err < 0)
		fail("VLAN", err);
	return ifindex;
}

/* The frame's destination is behind eth1. */
static void add_bridge(struct rig *r)
{
	struct link_conf link = { .name = "br0", .type = LINK_BRIDGE, .flags = NS_IFF_UP };
	struct fdb_conf station = { .ifindex = r->eth[1], .lladdr = station_mac };
	int err, bridge;

	err = netcfg_link_add(r->cfg, &link, 1, &bridge, NULL);
	for (int i = 0; i < 2 && !err; i++) {
		link = *netcfg_link_by_index(r->cfg, r->eth[i]);
		link.master = bridge;
		err = netcfg_link_set(r->cfg, &link, NULL);
	}
	if (!err)
		err = netcfg_fdb_add(r->cfg, &station, false, NULL);
	if (err)
		fail("bridge", err);
	memcpy(r->frame, &station_mac, 6);
}

static void add_link(struct rig *r, int i, const char *name, uint32_t net)
{
	struct link_conf link = { .type = LINK_VIRTUAL, .addr = our_mac, .flags = NS_IFF_UP | NS_IFF_BROADCAST | NS_IFF_MULTICAST, .carrier = 1 };
	struct addr_conf addr = { .local = { .addr = ipaddr_v4(cpu_to_be32(net | 1)), .len = 24 } };
	struct neigh_conf neigh = { .addr = ipaddr_v4(cpu_to_be32(net | 9)), .lladdr = peer_mac };
	int err;

	snprintf(link.name, sizeof(link.name), "%s", name);
	link.features = LINK_F_GRO | (r->tcp ? LINK_F_TX_CSUM : 0) | (r->tso ? LINK_F_TSO4 : 0);
	err = netcfg_link_add(r->cfg, &link, 1, &r->eth[i], NULL);
	if (err < 0)
		fail("link", err);
	link = *netcfg_link_by_index(r->cfg, r->eth[i]);
	link.flags |= NS_IFF_UP;
	if ((err = netcfg_link_set(r->cfg, &link, NULL)) < 0 || (err = netcfg_link_set_carrier(r->cfg, r->eth[i], true)) < 0)
		fail("link up", err);
	addr.ifindex = neigh.ifindex = r->vlan ? add_vlan(r, r->eth[i], i) : r->eth[i];
	if ((err = netcfg_addr_add(r->cfg, &addr, false, NULL)) < 0 || (err = netcfg_neigh_add(r->cfg, &neigh, false, NULL)) < 0)
		fail("address", err);
}

static void rig_new(struct rig *r)
{
	struct stack_params params = { .seed = { 1, 2, 3, 4 }, .ncpu = 1 };
	const struct net_snapshot *snap;
	int err;

	r->now = NSEC_PER_SEC;
	r->cfg = netcfg_new();
	if (!r->cfg)
		fail("configuration", -ENOMEM);
	add_link(r, 0, "eth0", ADDR(10, 1, 0, 0));
	add_link(r, 1, "eth1", ADDR(10, 2, 0, 0));
	memcpy(r->frame, &our_mac, 6);
	if (r->bridge)
		add_bridge(r);
	if ((err = netcfg_sysctl_set(r->cfg, "net.ipv4.ip_forward", "1", NULL)) < 0)
		fail("ip_forward", err);
	if (r->timed && (err = netcfg_sysctl_set(r->cfg, "net.core.runtime_stats", "1", NULL)) < 0)
		fail("runtime_stats", err);
	snap = netcfg_commit(r->cfg);
	if (!snap)
		fail("configuration", -ENOMEM);
	if ((err = stack_new(&r->stack, &params, &ops, r, r->now)) < 0 || (err = stack_apply(r->stack, snap, r->now)) < 0)
		fail("stack", err);
	memcpy(r->frame + 6, &peer_mac, 6);
	put_be16(r->frame + 12, r->vlan ? 0x8100 : 0x0800);
}

static void rig_free(struct rig *r)
{
	stack_free(r->stack);
	netcfg_free(r->cfg);
}

static void run(struct rig *r)
{
	while (stack_run(r->stack, r->now, 0) <= r->now)
		;
}

static void receive_all(struct rig *r, unsigned long n)
{
	r->left = n;
	stack_irq(r->stack, r->eth[0], r->now);
	run(r);
}

/* ---- what is measured ---- */

static void forward(struct rig *r, unsigned long n)
{
	unsigned char *ip = r->frame + (r->vlan ? 18 : 14);

	r->len = r->vlan ? 68 : 64;
	if (r->vlan) {
		put_be16(ip - 4, 10);
		put_be16(ip - 2, 0x0800);
	}
	ip[0] = 0x45;
	put_be16(ip + 2, 50);
	ip[8] = 64;
	ip[9] = 17;
	put_be32(ip + 12, ADDR(10, 1, 0, 9));
	put_be32(ip + 16, ADDR(10, 2, 0, 9));
	put_be16(ip + 10, fold16(sum16(ip, 20, 0)));
	put_be16(ip + 20, 1000);
	put_be16(ip + 22, 2000);
	put_be16(ip + 24, 30);
	r->sent = 0;
	receive_all(r, n);
	if (r->sent != n)
		fprintf(stderr, "icount: %lu of %lu frames came through\n", r->sent, n);
}

static void forward_tcp(struct rig *r, unsigned long n)
{
	r->sent = 0;
	receive_all(r, n);
	if (r->tso ? r->sent >= n / 8 : r->sent != n)
		fprintf(stderr, "icount: %lu of %lu frames came through\n", r->sent, n);
}

static struct socket *open_connection(struct rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = cpu_to_be16(80) };
	struct socket *listener, *conn;
	int err;

	if ((err = ns_socket(r->stack, AF_INET, SOCK_STREAM, 0, &listener)) < 0 || (err = ns_bind(listener, (struct sockaddr *)&sin, sizeof(sin))) < 0 ||
	    (err = ns_listen(listener, 1)) < 0)
		fail("listen", err);
	r->seq = 1000;
	r->tsval = 1; /* that of the SYN */
	tcp_frame(r, 0x02, 0);
	rx(r, r->eth[0], r->frame, r->len);
	run(r);
	if (!r->synack)
		fail("no SYN-ACK", -ETIMEDOUT);
	r->ack = r->got_seq;
	tcp_frame(r, 0x10, 0);
	rx(r, r->eth[0], r->frame, r->len);
	run(r);
	if ((err = ns_accept(listener, &conn, NULL, NULL)) < 0)
		fail("accept", err);
	ns_close(listener);
	return conn;
}

static size_t take(void *arg, const void *data, size_t len)
{
	(void)data;
	*(unsigned long *)arg += len;
	return len;
}

static void tcp_in(struct rig *r, unsigned long n)
{
	struct socket *conn = open_connection(r);

	while (n) {
		unsigned long k = n < 32 ? n : 32;

		n -= k;
		r->now += 20 * NSEC_PER_USEC;
		r->tsval++;
		receive_all(r, k);
		while (ns_recv_inplace(conn, SIZE_MAX, take, &r->received) > 0)
			;
		run(r);
	}
	ns_close(conn);
}

static void give(void *arg, void *data, size_t len)
{
	(void)arg, (void)data, (void)len;
}

static void tcp_out(struct rig *r, unsigned long n)
{
	struct socket *conn = open_connection(r);
	uint32_t first = r->got_seq, acked = first;

	while (r->got_seq - first < n * MSS) {
		r->now += 20 * NSEC_PER_USEC;
		r->tsval++;
		while (ns_send_fill(conn, 65536, give, NULL) > 0)
			;
		run(r);
		while (r->got_seq - acked) {
			uint32_t step = r->got_seq - acked < 2 * MSS ? r->got_seq - acked : 2 * MSS;

			acked += step;
			r->ack = acked;
			tcp_frame(r, 0x10, 0);
			rx(r, r->eth[0], r->frame, r->len);
		}
		run(r);
	}
	ns_close(conn);
}

int main(int argc, char **argv)
{
	static struct rig rig;
	struct timespec a, b;
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	void (*fn)(struct rig *, unsigned long) = NULL;

	if (n && strcmp(argv[1], "forward") == 0)
		fn = forward;
	else if (n && strcmp(argv[1], "forward-timed") == 0)
		fn = forward, rig.timed = true;
	else if (n && strcmp(argv[1], "tcp-in") == 0)
		fn = tcp_in;
	else if (n && strcmp(argv[1], "tcp-out") == 0)
		fn = tcp_out;
	else if (n && strcmp(argv[1], "forward-vlan") == 0)
		fn = forward, rig.vlan = true;
	else if (n && strcmp(argv[1], "bridge") == 0)
		fn = forward, rig.bridge = true;
	else if (n && strcmp(argv[1], "forward-tcp") == 0)
		fn = forward_tcp;
	else if (n && strcmp(argv[1], "forward-tso") == 0)
		fn = forward_tcp, rig.tso = true;
	if (!fn) {
		fprintf(stderr, "usage: icount forward|forward-timed|forward-vlan|bridge|forward-tcp|forward-tso|tcp-in|tcp-out N\n");
		return 2;
	}
	rig.tcp = fn != forward;
	rig.dest = fn == forward_tcp ? ADDR(10, 2, 0, 9) : ADDR(10, 1, 0, 1);
	rig_new(&rig);
	clock_gettime(CLOCK_MONOTONIC, &a);
	fn(&rig, n);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f ns\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n);
	rig_free(&rig);
	return 0;
}
