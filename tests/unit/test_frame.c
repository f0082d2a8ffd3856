/* SPDX-License-Identifier: MIT */
/*
 * test_frame.c: the words of the drills: what is built is sound and matches itself, and what differs is noticed. A drill that cannot fail would prove nothing.
 */
#include "frame.h"
#include <criterion/criterion.h>
#include <string.h>

static uint8_t          buf[FRAME_MAX];
static struct frame_ctx ctx;

/* A frame that arrives becomes one that leaves when the two ends change places. */
static int build_outgoing(const char *text)
{
	struct frame_ctx mirror;
	int              n;

	frame_ctx_init(&mirror);
	mirror.dev[0].local = ctx.dev[0].peer;
	mirror.dev[0].peer = ctx.dev[0].local;
	memcpy(mirror.dev[0].local_mac, ctx.dev[0].peer_mac, 6);
	memcpy(mirror.dev[0].peer_mac, ctx.dev[0].local_mac, 6);
	mirror.pport = ctx.lport;
	mirror.lport = ctx.pport;
	mirror.peer_isn = 5000;
	n = frame_build(&mirror, 0, text, buf, sizeof(buf));
	cr_assert_gt(n, 0, "%s: %s", text, mirror.err);
	return n;
}

static const char *const lines[] = {
	"tcp S 0 win 1000 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>",
	"tcp S 0:100(100) win 1000",
	"ttl=3 tos=4 id=9 df udp (100)",
	"udp \"hello\\n\"",
	"udp (0)",
	"icmp echo id 4 seq 5 (56)",
	"icmp unreach/frag mtu 1200 (28)",
	"ip 47 (33)",
	"id=7 frag=8:16 udp (100)",
	"opts=07040400 icmp echo id 1 seq 1 (8)",
};

Test(frame, what_is_built_matches_itself)
{
	char why[128], text[300];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int n;

		frame_ctx_init(&ctx);
		n = build_outgoing(lines[i]);
		cr_expect(frame_sound(buf, (size_t)n, why, sizeof(why)), "%s: %s", lines[i], why);
		cr_expect(frame_match(&ctx, 0, lines[i], buf, (size_t)n), "%s: %s", lines[i], ctx.err);
		frame_describe(&ctx, 0, true, buf, (size_t)n, text, sizeof(text));
		cr_expect(*text);
	}
}

static const struct {
	const char *sent, *expected;
} differ[] = {
	{ "tcp S 0", "tcp S. 0" },
	{ "tcp S 0", "tcp - 0" },
	{ "tcp S 0 win 1000", "tcp S 0 win 1001" },
	{ "tcp S 0 win 1000", "tcp S 0 win >=1001" },
	{ "tcp S 0:10(10)", "tcp S 0" },
	{ "tcp S 0", "tcp S 0:10(10)" },
	{ "tcp S 0 <mss 1460>", "tcp S 0 <mss 1461>" },
	{ "tcp S 0 <mss 1460>", "tcp S 0 <>" },
	{ "tcp S 0 <mss 1460,sackOK>", "tcp S 0 <mss 1460>" },
	{ "tcp S 0 <mss 1460>", "tcp S 0 <mss 1460,sackOK>" },
	{ "tcp S 0 <TS val 5 ecr 6>", "tcp S 0 <TS val 5 ecr 7>" },
	{ "tcp 41>42 S 0", "tcp 40>42 S 0" },
	{ "udp (10)", "udp (11)" },
	{ "udp \"abc\"", "udp \"abd\"" },
	{ "udp (10)", "tcp - 0" },
	{ "ttl=3 udp (10)", "ttl=4 udp (10)" },
	{ "udp (10)", "df udp (10)" },
	{ "udp (10) sum=bad", "udp (10)" },
	{ "sum=bad udp (10)", "udp (10)" },
	{ "len=30 udp (10)", "udp (10)" },
	{ "udp 192.0.2.1:40>192.0.2.9:41 (10)", "udp 40>41 (10)" },
	{ "smac=02:00:00:00:00:99 udp (10)", "udp (10)" },
	{ "dmac=02:00:00:00:00:99 udp (10)", "udp (10)" },
	{ "icmp echo id 1 seq 1 (8)", "icmp reply id 1 seq 1 (8)" },
	{ "icmp echo id 1 seq 1 (8)", "icmp echo id 1 seq 2 (8)" },
	{ "id=7 frag=8:16 udp (100)", "id=7 frag=16:16 udp (100)" },
	{ "id=7 frag=8:16 udp (100)", "udp (100)" },
	{ "id=7 udp (100)", "id=7 frag=0:16 udp (100)" },
	{ "arp request 192.0.2.2 tell 192.0.2.1", "arp request 192.0.2.3 tell 192.0.2.1" },
	{ "arp reply 192.0.2.1 is-at 02:00:00:00:00:10", "arp reply 192.0.2.1 is-at 02:00:00:00:00:11" },
	{ "raw 0011223344556677889900112233", "raw 0011223344556677889900112234" },
};

Test(frame, what_differs_is_noticed)
{
	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		int n;

		frame_ctx_init(&ctx);
		n = build_outgoing(differ[i].sent);
		cr_expect(!frame_match(&ctx, 0, differ[i].expected, buf, (size_t)n), "%s passes for %s", differ[i].sent, differ[i].expected);
		cr_expect(*ctx.err);
	}
}

Test(frame, nonsense_is_refused)
{
	static const char *const bad[] = { "", "hello", "tcp X 0", "tcp S zero", "udp (x)", "ttl=x udp (1)", "tcp S 0 <mss>", "icmp what", "arp request",
					   "raw 0", "udp (1) what", "tcp S 5:9(3)" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		frame_ctx_init(&ctx);
		cr_expect_eq(frame_build(&ctx, 0, bad[i], buf, sizeof(buf)), -1, "%s", bad[i]);
	}
}

Test(frame, sequence_numbers_are_learned)
{
	int n;

	frame_ctx_init(&ctx);
	ctx.pport = 1234;
	n = build_outgoing("tcp S 0 <TS val 99 ecr 0>"); /* our ISN is 5000 here */
	cr_assert(frame_match(&ctx, 0, "tcp S 0 <TS val * ecr 0>", buf, (size_t)n), "%s", ctx.err);
	cr_assert_eq(ctx.flow[0].lisn, 5000);
	n = frame_build(&ctx, 0, "tcp S. 0 ack 1 <TS val 3 ecr last>", buf, sizeof(buf));
	cr_assert_gt(n, 0);
	cr_assert_eq(get_be32(buf + 14 + 20 + 4), ctx.peer_isn);
	cr_assert_eq(get_be32(buf + 14 + 20 + 8), 5001u);
	cr_assert_eq(get_be32(buf + 14 + 40 + 6), 99u);
}
