/* SPDX-License-Identifier: MIT */
/*
 * test_vlan.c: VLANs as configuration (what stands on what, what follows from what) and as tags on the wire, both ways.
 */
#include "../lib/host.h"
#include "wire/wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netstack/tap.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- configuration ---- */

static int add(struct netcfg *cfg, const char *name, enum link_type type, int link, uint16_t proto, uint16_t id, int *ret)
{
	struct link_conf l = { .type = type, .link = link, .vlan_proto = proto, .vlan_id = id };

	strcpy(l.name, name);
	return netcfg_link_add(cfg, &l, 1, ret, NULL);
}

static const struct link_conf *of(struct netcfg *cfg, const char *name) { return netcfg_link_by_name(cfg, name); }

static void set_up(struct netcfg *cfg, const char *name, bool up)
{
	struct link_conf l = *of(cfg, name);

	l.flags = up ? l.flags | NS_IFF_UP : l.flags & ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
}

static int set_mtu(struct netcfg *cfg, const char *name, uint32_t mtu)
{
	struct link_conf l = *of(cfg, name);

	l.mtu = mtu;
	return netcfg_link_set(cfg, &l, NULL);
}

Test(vlan, what_may_be_added)
{
	static const struct { const char *name; const char *lower; uint16_t proto, id; int err; } rows[] = {
		{ "eth0.10", "eth0", 0, 10, 0 },
		{ "again", "eth0", ETH_P_8021Q, 10, -EEXIST }, { "other", "eth0", ETH_P_8021AD, 10, 0 }, { "elsewhere", "eth1", 0, 10, 0 },
		{ "zero", "eth0", 0, 0, 0 }, { "last", "eth0", 0, 4094, 0 }, { "beyond", "eth0", 0, 4095, -ERANGE },
		{ "nowhere", NULL, 0, 1, -ENODEV }, { "onlo", "lo", 0, 1, -EOPNOTSUPP }, { "proto", "eth0", 0x9100, 1, -EINVAL },
		{ "eth0.10", "eth0", 0, 11, -EEXIST }, { "inner", "eth0.10", 0, 20, 0 },
	};
	struct netcfg *cfg = netcfg_new();
	int a, b;

	add(cfg, "eth0", LINK_VIRTUAL, 0, 0, 0, &a);
	add(cfg, "eth1", LINK_VIRTUAL, 0, 0, 0, &b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int lower = rows[i].lower ? of(cfg, rows[i].lower)->ifindex : 99;

		cr_expect_eq(add(cfg, rows[i].name, LINK_VLAN, lower, rows[i].proto, rows[i].id, NULL), rows[i].err, "%s", rows[i].name);
	}
	netcfg_free(cfg);
}

Test(vlan, no_more_than_eight_storeys)
{
	struct netcfg *cfg = netcfg_new();
	char name[16];
	int under, r = 0, n = 0;

	add(cfg, "eth0", LINK_VIRTUAL, 0, 0, 0, &under);
	for (; n < 20 && !r; n++) {
		snprintf(name, sizeof(name), "v%d", n);
		r = add(cfg, name, LINK_VLAN, under, 0, 1, &under);
	}
	cr_expect_eq(r, -EMLINK);
	cr_expect_eq(n, 8, "seven stand on eth0, the eighth is refused");
	netcfg_free(cfg);
}

Test(vlan, follows_the_link_below)
{
	struct netcfg *cfg = netcfg_new();
	struct link_conf l;
	int eth;

	add(cfg, "eth0", LINK_VIRTUAL, 0, 0, 0, &eth);
	add(cfg, "v", LINK_VLAN, eth, 0, 1, NULL);
	add(cfg, "w", LINK_VLAN, of(cfg, "v")->ifindex, 0, 2, NULL);
	cr_expect_eq(memcmp(&of(cfg, "w")->addr, &of(cfg, "eth0")->addr, 6), 0, "the address");
	cr_expect(!of(cfg, "v")->carrier, "eth0 is down");
	set_up(cfg, "eth0", true);
	cr_expect(of(cfg, "v")->carrier);
	cr_expect(!of(cfg, "w")->carrier, "v is down");
	set_up(cfg, "v", true);
	cr_expect(of(cfg, "w")->carrier);
	cr_assert_eq(netcfg_link_set_carrier(cfg, eth, false), 0);
	cr_expect(!of(cfg, "w")->carrier);
	cr_assert_eq(netcfg_link_set_carrier(cfg, eth, true), 0);
	cr_expect_eq(netcfg_link_set_carrier(cfg, of(cfg, "v")->ifindex, false), -EOPNOTSUPP);

	cr_expect_eq(of(cfg, "w")->mtu, 1500u);
	cr_expect_eq(set_mtu(cfg, "eth0", 9000), 0);
	cr_expect_eq(of(cfg, "w")->mtu, 9000u);
	cr_expect_eq(set_mtu(cfg, "w", 9001), -ERANGE);
	cr_expect_eq(set_mtu(cfg, "w", 1400), 0);
	cr_expect_eq(set_mtu(cfg, "eth0", 2000), 0);
	cr_expect(of(cfg, "v")->mtu == 2000 && of(cfg, "w")->mtu == 1400, "its own MTU stays");
	cr_expect_eq(set_mtu(cfg, "eth0", 1000), 0);
	cr_expect_eq(of(cfg, "w")->mtu, 1000u, "but is never larger than the one below");

	l = *of(cfg, "eth0");
	l.addr = (struct eth_addr){ { 2, 9, 9, 9, 9, 9 } };
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
	cr_expect_eq(of(cfg, "w")->addr.b[1], 9);
	l = *of(cfg, "v");
	l.addr = (struct eth_addr){ { 2, 8, 8, 8, 8, 8 } };
	cr_assert_eq(netcfg_link_set(cfg, &l, NULL), 0);
	cr_expect_eq(of(cfg, "w")->addr.b[1], 8, "an address of its own is handed on");
	cr_expect_eq(of(cfg, "eth0")->addr.b[1], 9);

	cr_assert_eq(netcfg_link_del(cfg, eth, NULL), 0);
	cr_expect(!of(cfg, "v") && !of(cfg, "w"), "what stands on it goes with it");
	netcfg_free(cfg);
}

/* ---- the wire ---- */

static const struct eth_addr ours = { { 2, 0, 0, 0, 0, 1 } }, theirs = { { 2, 0, 0, 0, 0, 9 } }, all = { { 255, 255, 255, 255, 255, 255 } };

struct rig {
	struct host *h;
	int          eth;
	uint8_t      buf[2048];
	size_t       len;
};

static void link_with_address(struct host *h, const char *name, int lower, uint16_t proto, uint16_t id, const char *addr)
{
	struct link_conf l = { .type = LINK_VLAN, .link = lower, .vlan_proto = proto, .vlan_id = id, .flags = NS_IFF_UP };
	struct addr_conf a = { .local = { ipaddr_v4(inet_addr(addr)), 24 } };

	for (unsigned i = 0; i < 16; i++)
		l.vlan_egress[i] = i < 8 ? (uint8_t)i : 0;
	for (unsigned i = 0; i < 8; i++)
		l.vlan_ingress[i] = (uint8_t)i;
	strcpy(l.name, name);
	cr_assert_eq(netcfg_link_add(h->cfg, &l, 1, &a.ifindex, NULL), 0);
	cr_assert_eq(netcfg_addr_add(h->cfg, &a, false, NULL), 0);
}

static struct rig *rig_new(unsigned ncpu, uint32_t features)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->h = host_new("h", ncpu, 1, NULL, NULL);
	r->eth = host_link(r->h, "eth0", "192.0.2.1/24", 1, 1500, features);
	link_with_address(r->h, "v10", r->eth, ETH_P_8021Q, 10, "10.10.0.1");
	link_with_address(r->h, "s20", r->eth, ETH_P_8021AD, 20, "10.20.0.1");
	link_with_address(r->h, "q30", netcfg_link_by_name(r->h->cfg, "s20")->ifindex, ETH_P_8021Q, 30, "10.30.0.1");
	host_apply(r->h);
	return r;
}

static void rig_free(struct rig *r)
{
	struct host_frame *f;

	host_run(r->h, r->h->now + 400 * NSEC_PER_SEC);
	while ((f = host_sent(r->h)))
		free(f);
	cr_expect_null(host_idle_error(r->h), "%s", host_idle_error(r->h));
	host_free(r->h);
	free(r);
}

static void begin(struct rig *r, const struct eth_addr *to)
{
	memcpy(r->buf, to, 6);
	memcpy(r->buf + 6, &theirs, 6);
	r->len = 12;
}

static void put16(struct rig *r, uint16_t v)
{
	put_be16(r->buf + r->len, v);
	r->len += 2;
}

static void arp_request(struct rig *r, const char *for_addr, const char *tell)
{
	struct arp_hdr *arp = (struct arp_hdr *)(r->buf + r->len + 2);
	be32 t = inet_addr(for_addr), s = inet_addr(tell);

	put16(r, ETH_P_ARP);
	memset(arp, 0, 28);
	memcpy(r->buf + r->len, "\0\1\10\0\6\4\0\1", 8);
	memcpy(r->buf + r->len + 8, &theirs, 6);
	memcpy(r->buf + r->len + 14, &s, 4);
	memcpy(r->buf + r->len + 24, &t, 4);
	r->len += 28;
}

static void give(struct rig *r)
{
	cr_assert_eq(host_rx(r->h, 0, r->eth, r->buf, r->len), 0);
	host_run(r->h, r->h->now);
}

/* tags: proto, TCI, proto, TCI, ..., 0. Asked for address in these tags, the host answers in the same tags, with priority 0, or not at all. */
static void ask(const char *what, const uint16_t *tags, const char *address, const uint16_t *want)
{
	struct rig *r = rig_new(1, 0);
	struct host_frame *f;
	size_t at = 12;

	begin(r, &all);
	for (const uint16_t *t = tags; *t; t += 2) {
		put16(r, t[0]);
		put16(r, t[1]);
	}
	arp_request(r, address, "10.10.0.9");
	give(r);
	f = host_sent(r->h);
	cr_expect_eq(f != NULL, want != NULL, "%s", what);
	if (f && want) {
		cr_expect_eq(memcmp(f->data, &theirs, 6), 0);
		cr_expect_eq(memcmp(f->data + 6, &ours, 6), 0);
		for (; *want; want += 2, at += 4)
			cr_expect(get_be16(f->data + at) == want[0] && get_be16(f->data + at + 2) == want[1], "%s: tag %04x %04x", what, get_be16(f->data + at),
				  get_be16(f->data + at + 2));
		cr_expect_eq(get_be16(f->data + at), ETH_P_ARP, "%s", what);
		cr_expect_eq(f->len, at + 2 + 28);
	}
	free(f);
	rig_free(r);
}

#define TAGS(...) (const uint16_t[]){ __VA_ARGS__, 0 }
#define NO_TAGS (const uint16_t[]){ 0 }

Test(vlan, tags_there_and_back)
{
	ask("no tag", NO_TAGS, "192.0.2.1", NO_TAGS);
	ask("802.1Q", TAGS(ETH_P_8021Q, 10), "10.10.0.1", TAGS(ETH_P_8021Q, 10));
	ask("with priority and drop eligible", TAGS(ETH_P_8021Q, 0xf00a), "10.10.0.1", TAGS(ETH_P_8021Q, 10));
	ask("802.1ad", TAGS(ETH_P_8021AD, 20), "10.20.0.1", TAGS(ETH_P_8021AD, 20));
	ask("802.1Q in 802.1ad", TAGS(ETH_P_8021AD, 20, ETH_P_8021Q, 30), "10.30.0.1", TAGS(ETH_P_8021AD, 20, ETH_P_8021Q, 30));
	ask("priority only", TAGS(ETH_P_8021Q, 0xe000), "192.0.2.1", NO_TAGS);
	ask("priority only, and then a VLAN", TAGS(ETH_P_8021Q, 0, ETH_P_8021Q, 10), "10.10.0.1", TAGS(ETH_P_8021Q, 10));
	ask("a VLAN that there is not", TAGS(ETH_P_8021Q, 11), "10.10.0.1", NULL);
	ask("the other protocol", TAGS(ETH_P_8021AD, 10), "10.10.0.1", NULL);
	ask("not stacked", TAGS(ETH_P_8021Q, 10, ETH_P_8021Q, 30), "10.30.0.1", NULL);
}

/* Somebody else has a look at the bytes, too, and the frame stands far behind the beginning of its buffer, as what TCP sends again after a part was acknowledged. */
Test(vlan, a_tag_is_taken_off_a_shared_frame_far_from_its_head)
{
	static const uint32_t headroom[] = { 64, 256, 400, 40000 };

	for (size_t i = 0; i < sizeof(headroom) / sizeof(headroom[0]); i++) {
		struct rig *r = rig_new(1, 0);
		struct stack *stack = host_touch(r->h, 0);
		struct host_frame *f;
		struct socket *s;
		struct sk_buff *skb = alloc_skb(stack_skb_pool(stack), headroom[i] + 100, headroom[i]);
		uint8_t seen[100];

		cr_assert_eq(ns_socket(stack, AF_PACKET, SOCK_RAW, htons(ETH_P_8021Q), &s), 0);
		begin(r, &all);
		put16(r, ETH_P_8021Q);
		put16(r, 10);
		arp_request(r, "10.10.0.1", "10.10.0.9");
		memcpy(skb_put(skb, (uint32_t)r->len), r->buf, r->len);
		stack_rx(stack, r->eth, skb, r->h->now);
		host_run(r->h, r->h->now);
		f = host_sent(r->h);
		cr_expect(f && get_be16(f->data + 14) == 10, "headroom %u: no answer", headroom[i]);
		free(f);
		cr_expect(ns_recv(s, seen, sizeof(seen), 0) == (ssize_t)r->len && memcmp(seen, r->buf, r->len) == 0, "headroom %u: what was seen has changed", headroom[i]);
		ns_close(s);
		rig_free(r);
	}
}

Test(vlan, a_station_address_of_its_own_adds_to_that_of_the_link)
{
	static const struct eth_addr own = { { 2, 0, 0, 0, 0, 0x77 } }, other = { { 2, 0, 0, 0, 0, 0x78 } };
	const struct { const struct eth_addr *to; bool answered; } rows[] = { { &own, true }, { &ours, true }, { &other, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(1, 0);
		struct link_conf l = *of(r->h->cfg, "v10");
		struct host_frame *f;

		l.addr = own;
		cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
		host_apply(r->h);
		begin(r, rows[i].to);
		put16(r, ETH_P_8021Q);
		put16(r, 10);
		arp_request(r, "10.10.0.1", "10.10.0.9");
		give(r);
		f = host_sent(r->h);
		cr_expect_eq(f != NULL, rows[i].answered, "row %zu", i);
		if (f)
			cr_expect_eq(memcmp(f->data + 6, &own, 6), 0, "the answer comes from the VLAN's own");
		free(f);
		rig_free(r);
	}
}

static void count_frames(void *arg, const struct stack_tap_frame *f)
{
	(void)f;
	++*(unsigned *)arg;
}

Test(vlan, taps_show_a_frame_once_a_link)
{
	const struct { const char *what; const uint16_t *tags; unsigned below, vlan; } rows[] = {
		{ "no tag", NO_TAGS, 1, 0 },
		{ "a priority tag", TAGS(ETH_P_8021Q, 0xe000), 1, 0 },
		{ "a VLAN", TAGS(ETH_P_8021Q, 10), 1, 1 },
		{ "a priority tag and a VLAN", TAGS(ETH_P_8021Q, 0, ETH_P_8021Q, 10), 1, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(1, 0);
		struct stack *stack = r->h->shard[0].stack;
		unsigned below = 0, vlan = 0;
		struct stack_tap *a, *b;

		cr_assert_eq(stack_tap_attach(stack, r->eth, STACK_TAP_RX, count_frames, &below, &a), 0);
		cr_assert_eq(stack_tap_attach(stack, of(r->h->cfg, "v10")->ifindex, STACK_TAP_RX, count_frames, &vlan, &b), 0);
		begin(r, &all);
		for (const uint16_t *t = rows[i].tags; *t; t += 2) {
			put16(r, t[0]);
			put16(r, t[1]);
		}
		arp_request(r, "192.0.2.77", "192.0.2.9");
		give(r);
		cr_expect(below == rows[i].below && vlan == rows[i].vlan, "%s: %u below, %u in the VLAN", rows[i].what, below, vlan);
		stack_tap_detach(a);
		stack_tap_detach(b);
		rig_free(r);
	}
}

Test(vlan, an_address_lives_in_its_vlan)
{
	struct rig *r = rig_new(1, 0);
	struct link_stats st;

	begin(r, &all);
	put16(r, ETH_P_8021Q);
	put16(r, 10);
	arp_request(r, "10.10.0.1", "10.10.0.9");
	give(r);
	free(host_sent(r->h));
	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, netcfg_link_by_name(r->h->cfg, "v10")->ifindex, &st), 0);
	cr_expect(st.rx_packets == 1 && st.rx_bytes == 42 && st.multicast == 1 && st.tx_packets == 1 && st.tx_bytes == 42, "counted without the tag");
	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, r->eth, &st), 0);
	cr_expect(st.rx_packets == 1 && st.rx_bytes == 46 && st.tx_packets == 1 && st.tx_bytes == 46, "and with it");
	rig_free(r);
}

static uint64_t dropped(struct rig *r, enum skb_drop_reason reason) { return host_drops(r->h, reason); }

Test(vlan, named_drops)
{
	struct rig *r = rig_new(1, 0);
	struct link_stats st, was;
	struct link_conf l;

	begin(r, &ours);
	put16(r, ETH_P_8021Q);
	for (size_t cut = 0; cut < 4; cut++) { /* the tag ends in the middle */
		r->len = 14 + cut;
		give(r);
		cr_expect_eq(dropped(r, SKB_DROP_VLAN_SHORT), cut + 1);
	}
	begin(r, &ours); /* the inner one ends */
	put16(r, ETH_P_8021AD);
	put16(r, 20);
	put16(r, ETH_P_8021Q);
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_VLAN_SHORT), 5u);
	begin(r, &ours);
	put16(r, ETH_P_8021Q);
	put16(r, 99);
	put16(r, ETH_P_IP);
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_VLAN_UNKNOWN), 1u);
	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, r->eth, &st), 0);
	cr_expect_eq(st.rx_dropped, 1u);
	begin(r, &ours);
	put16(r, ETH_P_8021Q);
	put16(r, 10);
	put16(r, 40); /* a length: 802.3 */
	memset(r->buf + r->len, 0, 46);
	r->len += 46;
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_UNHANDLED_PROTO), 1u);
	begin(r, &ours);
	for (int i = 0; i < 400; i++) {
		put16(r, ETH_P_8021Q);
		put16(r, 0);
	}
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_VLAN_NESTED), 1u, "tags without an end");
	begin(r, &theirs);
	put16(r, ETH_P_8021Q);
	put16(r, 10);
	arp_request(r, "10.10.0.1", "10.10.0.9");
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_OTHERHOST), 1u, "another station's, seen by the filter of the VLAN");
	l = *netcfg_link_by_name(r->h->cfg, "v10");
	l.flags &= ~NS_IFF_UP;
	cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	host_apply(r->h);
	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, l.ifindex, &was), 0);
	memcpy(r->buf, &ours, 6);
	give(r);
	cr_expect_eq(dropped(r, SKB_DROP_DEV_DOWN), 1u);
	cr_assert_eq(stack_link_stats(r->h->shard[0].stack, l.ifindex, &st), 0);
	cr_expect(st.rx_dropped == was.rx_dropped + 1 && st.rx_packets == was.rx_packets, "it is dropped at the door");
	rig_free(r);
}

Test(vlan, goes_with_its_link_while_frames_arrive)
{
	struct rig *r = rig_new(1, 0);

	begin(r, &all);
	put16(r, ETH_P_8021Q);
	put16(r, 10);
	arp_request(r, "10.10.0.1", "10.10.0.9");
	cr_assert_eq(host_rx(r->h, 0, r->eth, r->buf, r->len), 0); /* waits in the backlog */
	cr_assert_eq(netcfg_link_del(r->h->cfg, netcfg_link_by_name(r->h->cfg, "v10")->ifindex, NULL), 0);
	host_apply(r->h);
	host_run(r->h, r->h->now);
	cr_expect_eq(dropped(r, SKB_DROP_VLAN_UNKNOWN), 1u);
	cr_assert_eq(netcfg_link_del(r->h->cfg, r->eth, NULL), 0);
	host_apply(r->h);
	host_run(r->h, r->h->now);
	cr_expect_null(netcfg_link_by_name(r->h->cfg, "q30"));
	rig_free(r);
}

/* A datagram of n bytes to a neighbour in the VLAN. */
static void send_udp(struct rig *r, const char *dev, const char *to, size_t n, int tos, int priority)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr(to) };
	struct neigh_conf neigh = { .ifindex = netcfg_link_by_name(r->h->cfg, dev)->ifindex, .addr = ipaddr_v4(sin.sin_addr.s_addr), .lladdr = theirs };
	static uint8_t data[4000];
	struct socket *u;

	cr_assert_eq(netcfg_neigh_add(r->h->cfg, &neigh, true, NULL), 0);
	host_apply(r->h);
	cr_assert_eq(ns_socket(host_touch(r->h, 0), AF_INET, SOCK_DGRAM, 0, &u), 0);
	if (tos)
		cr_assert_eq(ns_setsockopt(u, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	if (priority)
		cr_assert_eq(ns_setsockopt(u, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)), 0);
	cr_assert_eq(ns_connect(u, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_expect_eq(ns_send(u, data, n, 0), (ssize_t)n);
	ns_close(u);
	host_run(r->h, r->h->now);
}

Test(vlan, a_full_packet_is_four_bytes_longer_below)
{
	struct rig *r = rig_new(1, 0);
	struct host_frame *f;

	send_udp(r, "v10", "10.10.0.9", 1472, 0, 0);
	f = host_sent(r->h);
	cr_assert_not_null(f);
	cr_expect_eq(f->len, 1518u);
	cr_expect(get_be16(f->data + 12) == ETH_P_8021Q && get_be16(f->data + 14) == 10 && get_be16(f->data + 16) == ETH_P_IP);
	free(f);
	cr_expect_null(host_sent(r->h), "one frame");
	send_udp(r, "q30", "10.30.0.9", 1473, 0, 0); /* two fragments, each in both tags */
	for (int i = 0; i < 2; i++) {
		f = host_sent(r->h);
		cr_assert_not_null(f);
		cr_expect(get_be16(f->data + 12) == ETH_P_8021AD && get_be16(f->data + 14) == 20 && get_be16(f->data + 16) == ETH_P_8021Q &&
			  get_be16(f->data + 18) == 30 && get_be16(f->data + 20) == ETH_P_IP);
		free(f);
	}
	rig_free(r);
}

Test(vlan, priorities_of_what_is_sent)
{
	static const struct { int tos, priority; unsigned pcp; } rows[] = { { 0, 0, 0 }, { 0x08, 0, 2 }, { 0x10, 0, 6 }, { 0x18, 0, 4 }, { 0, 5, 5 }, { 0x10, 3, 3 }, { 0, 9, 0 },
		{ 0, 100, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(1, 0);
		struct host_frame *f;

		send_udp(r, "v10", "10.10.0.9", 10, rows[i].tos, rows[i].priority);
		f = host_sent(r->h);
		cr_assert_not_null(f);
		cr_expect_eq(get_be16(f->data + 14), rows[i].pcp << 13 | 10, "row %zu: %04x", i, get_be16(f->data + 14));
		free(f);
		send_udp(r, "q30", "10.30.0.9", 10, rows[i].tos, rows[i].priority);
		f = host_sent(r->h);
		cr_assert_not_null(f);
		cr_expect_eq(get_be16(f->data + 14), rows[i].pcp << 13 | 20, "row %zu: %04x outside", i, get_be16(f->data + 14));
		cr_expect_eq(get_be16(f->data + 18), rows[i].pcp << 13 | 30, "row %zu: %04x inside", i, get_be16(f->data + 18));
		free(f);
		rig_free(r);
	}
}

/* From one VLAN to another by a bridge: the priority of the one tag is that of the other. */
Test(vlan, a_bridged_frame_keeps_its_priority)
{
	static const char *const ports[] = { "v10", "v11" };
	struct rig *r = rig_new(1, 0);
	struct link_conf l = { .type = LINK_BRIDGE, .flags = NS_IFF_UP, .name = "br0" };
	int br;

	link_with_address(r->h, "v11", r->eth, ETH_P_8021Q, 11, "10.11.0.1");
	cr_assert_eq(netcfg_link_add(r->h->cfg, &l, 1, &br, NULL), 0);
	for (int i = 0; i < 2; i++) {
		l = *of(r->h->cfg, ports[i]);
		l.master = br;
		cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	}
	host_apply(r->h);
	for (unsigned pcp = 0; pcp < 8; pcp++) {
		struct host_frame *f;

		begin(r, &all);
		put16(r, ETH_P_8021Q);
		put16(r, (uint16_t)(pcp << 13 | 10));
		if (pcp & 1) {
			put16(r, ETH_P_IP); /* whatever its TOS says */
			put16(r, 0x4518);
			r->len += 44;
		} else {
			arp_request(r, "192.0.2.77", "192.0.2.9");
		}
		give(r);
		f = host_sent(r->h);
		cr_assert_not_null(f);
		cr_expect_eq(get_be16(f->data + 14), pcp << 13 | 11, "%04x", get_be16(f->data + 14));
		free(f);
	}
	rig_free(r);
}

/* A flooded frame is shared by all who send it: each puts its tag on a head of its own. */
Test(vlan, a_flooded_frame_gets_each_ports_tag)
{
	static const char *const ports[] = { "eth1", "v10", "v11", "eth2" };
	struct rig *r = rig_new(1, 0);
	struct link_conf l = { .type = LINK_BRIDGE, .flags = NS_IFF_UP, .name = "br0" };
	unsigned tagged = 0, plain = 0;
	struct host_frame *f;
	int br, eth1;

	eth1 = host_link(r->h, "eth1", NULL, 0x11, 1500, 0);
	host_link(r->h, "eth2", NULL, 0x12, 1500, 0);
	link_with_address(r->h, "v11", r->eth, ETH_P_8021Q, 11, "10.11.0.1");
	cr_assert_eq(netcfg_link_add(r->h->cfg, &l, 1, &br, NULL), 0);
	for (int i = 0; i < 4; i++) {
		l = *of(r->h->cfg, ports[i]);
		l.master = br;
		cr_assert_eq(netcfg_link_set(r->h->cfg, &l, NULL), 0);
	}
	host_apply(r->h);
	begin(r, &all);
	arp_request(r, "192.0.2.77", "192.0.2.9");
	cr_assert_eq(host_rx(r->h, 0, eth1, r->buf, r->len), 0);
	host_run(r->h, r->h->now);
	while ((f = host_sent(r->h))) {
		uint32_t tag = f->ifindex == r->eth ? 4 : 0;

		if (tag) {
			cr_expect_eq(get_be16(f->data + 12), ETH_P_8021Q);
			tagged |= 1u << (get_be16(f->data + 14) - 10);
		} else {
			plain++;
		}
		cr_expect_eq(f->len, r->len + tag);
		cr_expect(memcmp(f->data, r->buf, 12) == 0 && memcmp(f->data + 12 + tag, r->buf + 12, r->len - 12) == 0);
		free(f);
	}
	cr_expect_eq(tagged, 3u, "once in each VLAN");
	cr_expect_eq(plain, 1u, "and as it is");
	rig_free(r);
}

/* What came under a tag goes to the shard of its flow once the tag is off. */
Test(vlan, flows_are_steered_behind_the_tag)
{
	struct rig *r = rig_new(4, 0);
	struct softnet_stats st;
	unsigned shards = 0;

	for (uint16_t port = 1000; port < 1064; port++) {
		uint32_t sum = 0;

		begin(r, &ours);
		put16(r, ETH_P_8021Q);
		put16(r, 10);
		put16(r, ETH_P_IP);
		memset(r->buf + r->len, 0, 46);
		memcpy(r->buf + r->len, (uint8_t[]){ 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 10, 0, 9, 10, 10, 0, 1 }, 20);
		for (unsigned i = 0; i < 20; i += 2)
			sum += get_be16(r->buf + r->len + i);
		put_be16(r->buf + r->len + 10, (uint16_t)~(sum + (sum >> 16)));
		put_be16(r->buf + r->len + 20, port);
		put_be16(r->buf + r->len + 22, 9);
		put_be16(r->buf + r->len + 24, 12);
		r->len += 46;
		give(r);
	}
	for (unsigned i = 1; i < 4; i++) {
		stack_softnet_stats(r->h->shard[i].stack, &st);
		shards += st.processed > 4;
	}
	cr_expect_eq(shards, 3u);
	cr_expect_eq(host_mib(r->h, MIB_Udp_NoPorts), 64u, "each arrived, at the address of the VLAN");
	rig_free(r);
}

/* ---- TCP between two hosts on a cable ---- */

struct cable {
	struct host *end[2];
	int          eth[2];
	unsigned     frames, longest;
	bool         bad;
};

static int cable_xmit(void *arg, struct host *from, unsigned cpu, int ifindex, const struct sk_buff *skb)
{
	struct cable *c = arg;
	int to = from == c->end[0];
	static uint8_t buf[70000];

	(void)cpu;
	c->bad |= ifindex != c->eth[!to] || skb_copy_bits(skb, 0, buf, skb->len) < 0 || get_be16(buf + 12) != ETH_P_8021AD || get_be16(buf + 16) != ETH_P_8021Q;
	c->frames++;
	if (skb->len > c->longest)
		c->longest = skb->len;
	if (skb_is_gso(skb)) { /* the device would cut it: the test's other end takes it whole, as a veth's would */
		struct sk_buff *copy = skb_copy(skb, SKB_HEADROOM);
		struct stack *stack = host_touch(c->end[to], 0);

		skb_disown(copy);
		skb_adopt(stack_skb_pool(stack), copy);
		stack_rx(stack, c->eth[to], copy, c->end[to]->now);
		return 0;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL) { /* what a device does */
		uint32_t at = skb->csum_start - skb_headroom(skb), sum = 0;

		for (uint32_t i = at; i < skb->len; i += 2)
			sum += i + 1 < skb->len ? get_be16(buf + i) : (uint32_t)buf[i] << 8;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		put_be16(buf + at + skb->csum_offset, (uint16_t)~sum);
	}
	return host_rx(c->end[to], 0, c->eth[to], buf, skb->len);
}

/* Whoever cuts and sums, every segment arrives in both tags and with the right checksum (the receiver checks it). */
Test(vlan, tcp_in_two_tags)
{
	static const struct { uint32_t features; unsigned longest; } rows[] = {
		{ 0, 1522 }, { LINK_F_TX_CSUM, 1522 }, { LINK_F_TX_CSUM | LINK_F_TSO4, 70000 },
	};
	static const struct host_ops ops = { .xmit = cable_xmit };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cable c = { .frames = 0 };

		c.end[0] = host_new("a", 1, 1, &ops, &c);
		c.end[1] = host_netns(c.end[0], "b");
		for (int e = 0; e < 2; e++) {
			c.eth[e] = host_link(c.end[e], "eth0", NULL, (uint8_t)(1 + e), 1500, rows[i].features);
			link_with_address(c.end[e], "s", c.eth[e], ETH_P_8021AD, 20, e ? "10.20.0.2" : "10.20.0.1");
			link_with_address(c.end[e], "q", netcfg_link_by_name(c.end[e]->cfg, "s")->ifindex, ETH_P_8021Q, 30, e ? "10.30.0.2" : "10.30.0.1");
			host_apply(c.end[e]);
		}
		cr_expect_eq(host_transfer(c.end[0], c.end[1], "10.30.0.2", 500000), 500000u, "row %zu", i);
		cr_expect(!c.bad, "row %zu: a frame without its tags", i);
		cr_expect_leq(c.longest, rows[i].longest, "row %zu", i);
		cr_expect(i < 2 ? c.longest == 1522 : c.longest > 10000, "row %zu: %u", i, c.longest);
		cr_expect_eq(host_drops(c.end[1], SKB_DROP_TCP_CSUM), 0u);
		host_run(c.end[0], c.end[0]->now + 400 * NSEC_PER_SEC);
		cr_expect_null(host_idle_error(c.end[0]));
		cr_expect_null(host_idle_error(c.end[1]));
		host_free(c.end[0]);
	}
}
