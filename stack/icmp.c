/* SPDX-License-Identifier: MIT */
/*
 * icmp.c: ICMP for IPv4: answers to questions, errors that we send, errors that we get.
 *
 * Theory of operation.
 * Sending: icmp_send is called by whatever stage refuses a packet, just before it drops it. It sends nothing about a packet that is not the first
 * fragment, that came to more than one host on the link or by its address, whose source is not a single host, or that is itself an ICMP error
 * (RFC 1122 3.2.2), nor more than the limits allow: a token bucket over all (icmp_msgs_per_sec, icmp_msgs_burst) and one for each
 * host (icmp_ratelimit, icmp_ratemask). As much of the packet is quoted as fits into 576 bytes (RFC 1812 4.3.2.3). The source is the address that
 * the packet was sent to if it is ours, else the one that the way back suggests (RFC 1812 4.3.2.4).
 * Receiving: one table by type. An echo request becomes its own reply: type, checksum and IP header change, the data stays where it is. Errors are
 * checked to quote a packet that we can have sent, then given to raw sockets and to the transport.
 * Path MTU: an MTU of 0 comes from a router older than RFC 1191 and is replaced by the next lower plateau of its section 7.1. TCP accepts a new
 * path MTU in its err function, where the sequence number tells whether the quote is of a live connection, UDP where it has found the socket; for other
 * protocols it is accepted here if there is a raw socket of that protocol: nobody else can have sent the packet.
 *
 * RFC 792, RFC 1122 3.2.2, RFC 1812 4.3, RFC 1191, RFC 6633 (source quench is ignored), RFC 6918 (information, mask and other old messages are not answered).
 * Not done here: extended errors (RFC 4884), options in errors, router discovery.
 */
#include "bug.h"
#include "checksum.h"
#include "ip.h"
#include "stack_priv.h"
#include "wire/wire.h"
#include <errno.h>
#include <stdlib.h>

#define ICMP_TYPES       19
#define ICMP_QUOTE_MAX   576u
#define TOS_INTERNETCONTROL 0xc0
#define TOS_MASK         0x1e
#define PEER_BUCKETS     1024u
#define PEER_BURST       6 /* errors that one host gets at once after silence */
#define REDIRECT_NUMBER  9 /* redirects without effect after which a host is left alone */
#define REDIRECT_LOAD    (20 * NSEC_PER_MSEC)
#define REDIRECT_SILENCE (REDIRECT_LOAD << (REDIRECT_NUMBER + 1))
#define REDIRECT_HOST    1

struct icmp_peer { /* what was sent to a host lately; one to a bucket, the latest wins */
	be32    addr;
	ktime_t last; /* refill of credit; 0: never */
	ktime_t credit; /* in units of time */
	ktime_t last_redirect;
	uint8_t redirects;
};

struct icmp_state { /* owner: the shard */
	ktime_t          last; /* refill of the bucket over all */
	uint64_t         credit; /* messages times NSEC_PER_SEC */
	bool             started;
	struct icmp_peer peers[PEER_BUCKETS];
};

struct icmp_type {
	void (*handler)(struct stack *stack, struct sk_buff *skb); /* data at the ICMP header, 8 bytes linear; consumes skb */
	uint16_t in_mib, out_mib; /* 0: none */
	bool     error; /* an error message: never answered by another */
};

static void icmp_echo(struct stack *stack, struct sk_buff *skb);
static void icmp_timestamp(struct stack *stack, struct sk_buff *skb);
static void icmp_error(struct stack *stack, struct sk_buff *skb);
static void icmp_redirect(struct stack *stack, struct sk_buff *skb);
static void icmp_accept(struct stack *stack, struct sk_buff *skb);
static void icmp_refuse(struct stack *stack, struct sk_buff *skb);

static const struct icmp_type icmp_types[] = {
	[ICMP_ECHOREPLY] = { icmp_accept, MIB_Icmp_InEchoReps, MIB_Icmp_OutEchoReps, false },
	[1] = { icmp_refuse, 0, 0, true },
	[2] = { icmp_refuse, 0, 0, true },
	[ICMP_DEST_UNREACH] = { icmp_error, MIB_Icmp_InDestUnreachs, MIB_Icmp_OutDestUnreachs, true },
	[ICMP_SOURCE_QUENCH] = { icmp_accept, MIB_Icmp_InSrcQuenchs, MIB_Icmp_OutSrcQuenchs, true },
	[ICMP_REDIRECT] = { icmp_redirect, MIB_Icmp_InRedirects, MIB_Icmp_OutRedirects, true },
	[6] = { icmp_refuse, 0, 0, true },
	[7] = { icmp_refuse, 0, 0, true },
	[ICMP_ECHO] = { icmp_echo, MIB_Icmp_InEchos, MIB_Icmp_OutEchos, false },
	[9] = { icmp_accept, 0, 0, false },
	[10] = { icmp_accept, 0, 0, false },
	[ICMP_TIME_EXCEEDED] = { icmp_error, MIB_Icmp_InTimeExcds, MIB_Icmp_OutTimeExcds, true },
	[ICMP_PARAMETERPROB] = { icmp_error, MIB_Icmp_InParmProbs, MIB_Icmp_OutParmProbs, true },
	[ICMP_TIMESTAMP] = { icmp_timestamp, MIB_Icmp_InTimestamps, MIB_Icmp_OutTimestamps, false },
	[ICMP_TIMESTAMPREPLY] = { icmp_accept, MIB_Icmp_InTimestampReps, MIB_Icmp_OutTimestampReps, false },
	[15] = { icmp_accept, 0, 0, false },
	[16] = { icmp_accept, 0, 0, false },
	[17] = { icmp_accept, MIB_Icmp_InAddrMasks, MIB_Icmp_OutAddrMasks, false },
	[18] = { icmp_accept, MIB_Icmp_InAddrMaskReps, MIB_Icmp_OutAddrMaskReps, false },
};
_Static_assert(sizeof(icmp_types) / sizeof(icmp_types[0]) == ICMP_TYPES, "an ICMP type without a row");

static inline struct ip_hdr *ip_hdr_of(const struct sk_buff *skb)
{
	return (struct ip_hdr *)(void *)skb_network_header(skb);
}

static uint8_t addr_type4(const struct stack *stack, be32 a)
{
	struct ipaddr addr = ipaddr_v4(a);

	return inet_addr_type(stack->snap, &addr);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------ */

static struct icmp_peer *icmp_peer_of(struct stack *stack, be32 addr)
{
	struct icmp_peer *p = &stack->icmp->peers[siphash(&stack->ipid_key, &addr, sizeof(addr)) % PEER_BUCKETS];

	if (p->addr != addr || !p->last)
		*p = (struct icmp_peer){ .addr = addr };
	return p;
}

/* The bucket over all. Its refill is blurred a little, so that its level does not tell an outsider who else was answered (SAD DNS). */
static bool icmp_global_allow(struct stack *stack)
{
	struct icmp_state *is = stack->icmp;
	uint64_t rate = (uint64_t)stack->sysctl->icmp_msgs_per_sec, max = (uint64_t)stack->sysctl->icmp_msgs_burst * NSEC_PER_SEC;

	if (!is->started) {
		is->started = true;
		is->credit = max;
	} else if (stack->now - is->last >= 20 * NSEC_PER_MSEC) {
		ktime_t passed = stack->now - is->last < NSEC_PER_SEC ? stack->now - is->last : NSEC_PER_SEC;
		uint64_t blur = rng_below(&stack->rng, 3) * (uint64_t)NSEC_PER_SEC;

		is->credit += (uint64_t)passed * rate;
		if (is->credit > max)
			is->credit = max;
		is->credit -= blur < is->credit ? blur : 0;
	} else {
		goto take;
	}
	is->last = stack->now;
take:
	if (is->credit < NSEC_PER_SEC)
		return false;
	is->credit -= NSEC_PER_SEC;
	return true;
}

static bool icmp_peer_allow(struct stack *stack, be32 addr)
{
	ktime_t cost = stack->sysctl->icmp_ratelimit * NSEC_PER_MSEC;
	struct icmp_peer *p;

	if (!cost)
		return true;
	p = icmp_peer_of(stack, addr);
	if (!p->last) {
		p->credit = PEER_BURST * cost;
	} else {
		ktime_t passed = stack->now - p->last;

		/* compared before it is added: after a leap of time the sum would be none */
		p->credit = passed >= PEER_BURST * cost - p->credit ? PEER_BURST * cost : p->credit + passed;
	}
	p->last = stack->now ? stack->now : 1;
	if (p->credit < cost)
		return false;
	p->credit -= cost;
	return true;
}

static bool icmp_rate_allow(struct stack *stack, const struct skb_route *rt, be32 addr, uint8_t type, uint8_t code)
{
	if (type >= 32 || !((uint32_t)stack->sysctl->icmp_ratemask >> type & 1))
		return true;
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED)
		return true; /* path MTU discovery must not starve */
	if (dev_is_loopback(rt->dev))
		return true;
	if (!icmp_global_allow(stack)) {
		STACK_MIB_INC(stack, Icmp_OutRateLimitGlobal);
		return false;
	}
	if (!icmp_peer_allow(stack, addr)) {
		STACK_MIB_INC(stack, Icmp_OutRateLimitHost);
		return false;
	}
	return true;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

static void icmp_count_out(struct stack *stack, uint8_t type)
{
	STACK_MIB_INC(stack, Icmp_OutMsgs);
	if (type < ICMP_TYPES && icmp_types[type].out_mib)
		stack->mib[icmp_types[type].out_mib]++;
}

/* The source address stands for one host that is not here. RFC 1122 3.2.2, RFC 1812 4.3.2.7 */
static bool source_is_host(const struct stack *stack, be32 saddr)
{
	uint8_t type;

	if (ipv4_is_zeronet(saddr) || ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr))
		return false;
	type = addr_type4(stack, saddr);
	return type == RTN_UNICAST || type == RTN_LOCAL;
}

/* Nothing forbids an error about the packet with this header; icmp_type is the first byte behind it, NULL when there is none. */
static bool icmp_error_allowed(struct stack *stack, const struct sk_buff *skb, const struct ip_hdr *iph, const uint8_t *icmp_type)
{
	uint8_t dtype;

	if (skb->pkt_type != SKB_PKT_HOST)
		return false;
	if (iph->frag_off & cpu_to_be16(IP_OFFSET))
		return false;
	if (!source_is_host(stack, iph->saddr))
		return false;
	dtype = addr_type4(stack, iph->daddr);
	if (dtype == RTN_BROADCAST || dtype == RTN_MULTICAST || ipv4_is_lbcast(iph->daddr) || ipv4_is_multicast(iph->daddr))
		return false;
	if (iph->protocol == NS_IPPROTO_ICMP) {
		if (!icmp_type || *icmp_type >= ICMP_TYPES || icmp_types[*icmp_type].error)
			return false;
	}
	return true;
}

/* Copies n bytes from skb's network header on, wherever data is by now. */
static int copy_from_network_header(const struct sk_buff *skb, void *to, uint32_t n)
{
	int off = skb_network_offset(skb);
	uint32_t before;

	if (off >= 0)
		return skb_copy_bits(skb, (uint32_t)off, to, n);
	before = (uint32_t)-off < n ? (uint32_t)-off : n;
	memcpy(to, skb_network_header(skb), before);
	return skb_copy_bits(skb, 0, (uint8_t *)to + before, n - before);
}

void icmp_send(struct stack *stack, struct sk_buff *skb_in, uint8_t type, uint8_t code, uint32_t info)
{
	uint32_t total, quote, hlen;
	struct { struct ip_hdr ip; uint8_t rest[40 + 8]; } head; /* the longest header and the first bytes behind it */
	struct icmp_hdr *icmph;
	struct sk_buff *skb;
	struct skb_route rt;
	struct flowi fl;
	struct ip_tx tx;

	if (!stack->snap || skb_in->network_header == SKB_NO_HEADER)
		return;
	total = (uint32_t)((int)skb_in->len - skb_network_offset(skb_in));
	if (total < sizeof(head.ip) || copy_from_network_header(skb_in, &head, total < sizeof(head) ? total : (uint32_t)sizeof(head)) < 0)
		return;
	hlen = ip_hdrlen(&head.ip);
	if (hlen < sizeof(head.ip) || hlen > total)
		return;
	if (!icmp_error_allowed(stack, skb_in, &head.ip, hlen < total ? (const uint8_t *)&head + hlen : NULL))
		return;
	memset(&fl, 0, sizeof(fl));
	fl.daddr = ipaddr_v4(head.ip.saddr);
	if (addr_type4(stack, head.ip.daddr) == RTN_LOCAL)
		fl.saddr = ipaddr_v4(head.ip.daddr);
	fl.proto = NS_IPPROTO_ICMP;
	fl.tos = type == ICMP_REDIRECT ? head.ip.tos & TOS_MASK : (head.ip.tos & TOS_MASK) | TOS_INTERNETCONTROL;
	if (ip_route_output(stack, &fl, &rt) < 0)
		return;
	if (!icmp_rate_allow(stack, &rt, head.ip.saddr, type, code))
		return;
	quote = ICMP_QUOTE_MAX < rt.mtu ? ICMP_QUOTE_MAX : rt.mtu;
	quote -= sizeof(struct ip_hdr) + sizeof(*icmph);
	if (quote > total)
		quote = total;
	skb = alloc_skb(stack->pool, SKB_HEADROOM + sizeof(*icmph) + quote, SKB_HEADROOM);
	if (!skb) {
		STACK_MIB_INC(stack, Icmp_OutErrors);
		return;
	}
	icmph = skb_put(skb, sizeof(*icmph));
	*icmph = (struct icmp_hdr){ .type = type, .code = code };
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED)
		icmph->un.frag.mtu = cpu_to_be16((uint16_t)(info < 65535 ? info : 65535));
	else if (type == ICMP_PARAMETERPROB)
		icmph->un.pointer = (uint8_t)info;
	else if (type == ICMP_REDIRECT)
		icmph->un.gateway = cpu_to_be32(info);
	copy_from_network_header(skb_in, skb_put(skb, quote), quote);
	icmph->checksum = csum_fold(csum_partial(skb->data, skb->len, 0));
	skb->rt = rt;
	icmp_count_out(stack, type);
	tx = (struct ip_tx){ .saddr = fl.saddr, .daddr = fl.daddr, .proto = NS_IPPROTO_ICMP, .tos = fl.tos };
	ip_build_and_send(stack, skb, &tx);
}

void icmp_send_redirect(struct stack *stack, struct sk_buff *skb)
{
	struct icmp_peer *p = icmp_peer_of(stack, ip_hdr_of(skb)->saddr);

	if (!p->last)
		p->last = stack->now ? stack->now : 1;
	if (p->redirects && stack->now - p->last_redirect > REDIRECT_SILENCE)
		p->redirects = 0; /* he was quiet: perhaps he has forgotten */
	if (p->redirects >= REDIRECT_NUMBER) {
		p->last_redirect = stack->now;
		return;
	}
	if (p->redirects && stack->now - p->last_redirect < REDIRECT_LOAD << p->redirects)
		return;
	p->redirects++;
	p->last_redirect = stack->now;
	icmp_send(stack, skb, ICMP_REDIRECT, REDIRECT_HOST, be32_to_cpu(skb->rt.nexthop.v4));
}

/* ---- questions --------------------------------------------------------------------------------------------------------- */

static void icmp_accept(struct stack *stack, struct sk_buff *skb)
{
	(void)stack;
	consume_skb(skb); /* raw sockets had their copy */
}

static void icmp_refuse(struct stack *stack, struct sk_buff *skb)
{
	STACK_MIB_INC(stack, Icmp_InErrors);
	kfree_skb(skb, SKB_DROP_ICMP_TYPE);
}

/* Sends skb, data at its ICMP header, back to where it came from. Consumes skb. */
static void icmp_reply(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *iph = ip_hdr_of(skb);
	uint8_t type = skb->data[0], opt[40];
	struct flowi fl;
	struct ip_tx tx;

	memset(&fl, 0, sizeof(fl));
	fl.daddr = ipaddr_v4(iph->saddr);
	if (skb->rt.type == RTN_LOCAL)
		fl.saddr = ipaddr_v4(iph->daddr);
	fl.proto = NS_IPPROTO_ICMP;
	fl.tos = iph->tos & TOS_MASK;
	tx = (struct ip_tx){ .daddr = fl.daddr, .proto = NS_IPPROTO_ICMP, .tos = iph->tos, .opt = opt };
	if (unlikely(IPCB(skb)->opt.optlen)) {
		tx.optlen = (uint8_t)ip_options_echo(stack, skb, opt);
		tx.daddr = fl.daddr = ipaddr_v4(ip_options_first_hop(skb));
	}
	if (!source_is_host(stack, iph->saddr)) {
		kfree_skb(skb, SKB_DROP_IP_INVALID_SOURCE);
		return;
	}
	if (ip_route_output(stack, &fl, &skb->rt) < 0) {
		STACK_MIB_INC(stack, Ip_OutNoRoutes);
		kfree_skb(skb, SKB_DROP_IP_OUTNOROUTES);
		return;
	}
	if (!icmp_rate_allow(stack, &skb->rt, iph->saddr, type, 0)) {
		kfree_skb(skb, SKB_DROP_ICMP_RATELIMIT);
		return;
	}
	tx.saddr = fl.saddr;
	skb->ip_summed = CHECKSUM_NONE;
	skb->steered = 0; /* a packet of our own from here on */
	skb->reassembled = 0;
	skb->max_frag = 0;
	skb->hash = 0;
	icmp_count_out(stack, type);
	ip_build_and_send(stack, skb, &tx);
}

/* Makes the ICMP header writable and changes its type, with the checksum corrected for it. NULL: no memory; skb was freed. */
static struct icmp_hdr *icmp_turn(struct sk_buff *skb, uint8_t type)
{
	struct icmp_hdr *icmph;
	uint16_t old, new, check;

	/* the received IP header in front of it is still needed */
	if (!skb_head_writable(skb) && skb_cow_head(skb, SKB_HEADROOM) < 0) {
		kfree_skb(skb, SKB_DROP_NOMEM);
		return NULL;
	}
	icmph = (struct icmp_hdr *)(void *)skb->data;
	memcpy(&old, icmph, 2);
	icmph->type = type;
	memcpy(&new, icmph, 2);
	check = icmph->checksum;
	csum_replace2(&check, old, new);
	/* the two zeros of ones' complement are the same, but for a message of zero bytes alone, where only this one is right */
	icmph->checksum = check ? check : 0xffff;
	return icmph;
}

static void icmp_echo(struct stack *stack, struct sk_buff *skb)
{
	if (stack->sysctl->icmp_echo_ignore_all) {
		kfree_skb(skb, SKB_DROP_ICMP_IGNORED);
		return;
	}
	if (icmp_turn(skb, ICMP_ECHOREPLY))
		icmp_reply(stack, skb);
}

/* RFC 792: milliseconds since midnight UT, when it came and when the answer leaves. */
static void icmp_timestamp(struct stack *stack, struct sk_buff *skb)
{
	struct icmp_hdr *icmph;
	uint32_t ms;

	if (!skb_may_pull(skb, sizeof(*icmph) + 12)) {
		STACK_MIB_INC(stack, Icmp_InErrors);
		kfree_skb(skb, SKB_DROP_ICMP_SHORT);
		return;
	}
	icmph = icmp_turn(skb, ICMP_TIMESTAMPREPLY);
	if (!icmph)
		return;
	ms = (uint32_t)(((uint64_t)stack->now + stack->params.wall_offset_ns) / (uint64_t)NSEC_PER_MSEC % 86400000u);
	put_be32((uint8_t *)icmph + 12, ms);
	put_be32((uint8_t *)icmph + 16, ms);
	icmph->checksum = 0;
	icmph->checksum = csum_fold(skb_checksum(skb, 0, skb->len, 0));
	icmp_reply(stack, skb);
}

/* ---- errors that we get -------------------------------------------------------------------------------------------------- */

void icmp_error_to_errno(uint8_t type, uint8_t code, int *err, bool *fatal)
{
	static const struct { int err; bool fatal; } unreach[16] = {
		{ ENETUNREACH, false }, { EHOSTUNREACH, false }, { ENOPROTOOPT, true }, { ECONNREFUSED, true }, { EMSGSIZE, false }, { EOPNOTSUPP, false },
		{ ENETUNREACH, true }, { EHOSTDOWN, true }, { ENONET, true }, { ENETUNREACH, true }, { EHOSTUNREACH, true }, { ENETUNREACH, false },
		{ EHOSTUNREACH, false }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true },
	};

	*err = 0;
	*fatal = false;
	if (type == ICMP_DEST_UNREACH && code < 16) {
		*err = unreach[code].err;
		*fatal = unreach[code].fatal;
	} else if (type == ICMP_TIME_EXCEEDED) {
		*err = EHOSTUNREACH;
	} else if (type == ICMP_PARAMETERPROB) {
		*err = EPROTO;
		*fatal = true;
	}
}

/* RFC 1191 7.1: what the MTU probably is, when a packet of len bytes was too large for a router that does not say. */
static uint32_t mtu_plateau(uint32_t len)
{
	static const uint16_t plateau[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };

	for (unsigned i = 0; i < sizeof(plateau) / sizeof(plateau[0]); i++) {
		if (plateau[i] < len)
			return plateau[i];
	}
	return 68;
}

/* skb->data at a quoted IP header: raw sockets and the transport hear of it. The whole header and 8 bytes are linear. */
static void icmp_deliver_error(struct stack *stack, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_hdr *inner = (const struct ip_hdr *)(const void *)skb->data;
	const struct ip_proto *p = ip_proto_get(inner->protocol);

	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED && !(p && p->err) && raw_in_use(stack, inner->protocol)) {
		struct ipaddr daddr = ipaddr_v4(inner->daddr);

		ip_rt_update_pmtu(stack, &daddr, info);
	}
	raw_err(stack, skb, type, code, info);
	if (p && p->err)
		p->err(stack, skb, type, code, info);
}

/* Moves data from the ICMP header to the quoted packet. False: there is none, or we cannot have sent it. */
static bool icmp_pull_inner(struct stack *stack, struct sk_buff *skb)
{
	const struct ip_hdr *inner;
	unsigned hlen;

	skb_pull(skb, sizeof(struct icmp_hdr));
	if (!skb_may_pull(skb, sizeof(*inner)))
		return false;
	inner = (const struct ip_hdr *)(const void *)skb->data;
	hlen = ip_hdrlen(inner);
	if (inner->ver_ihl >> 4 != 4 || hlen < sizeof(*inner) || !skb_may_pull(skb, hlen + 8))
		return false;
	inner = (const struct ip_hdr *)(const void *)skb->data;
	/* behind the header of a later fragment there are no ports; what we have not sent is no business of ours */
	if (inner->frag_off & cpu_to_be16(IP_OFFSET) || be16_to_cpu(inner->tot_len) < hlen + 8u)
		return false;
	return addr_type4(stack, inner->saddr) == RTN_LOCAL && !ipv4_is_zeronet(inner->daddr);
}

static void icmp_error(struct stack *stack, struct sk_buff *skb)
{
	struct icmp_hdr icmph;
	const struct ip_hdr *inner;
	uint32_t info = 0;

	memcpy(&icmph, skb->data, sizeof(icmph));
	if (!icmp_pull_inner(stack, skb)) {
		STACK_MIB_INC(stack, Icmp_InErrors);
		kfree_skb(skb, SKB_DROP_ICMP_INNER);
		return;
	}
	inner = (const struct ip_hdr *)(const void *)skb->data;
	if (icmph.type == ICMP_DEST_UNREACH) {
		if (icmph.code > 15) {
			STACK_MIB_INC(stack, Icmp_InErrors);
			kfree_skb(skb, SKB_DROP_ICMP_TYPE);
			return;
		}
		/* nobody may say that a broadcast found no one (RFC 1122 3.2.2): such answers are bogus */
		if (stack->sysctl->icmp_ignore_bogus && addr_type4(stack, inner->daddr) == RTN_BROADCAST) {
			kfree_skb(skb, SKB_DROP_ICMP_INNER);
			return;
		}
		if (icmph.code == ICMP_FRAG_NEEDED) {
			uint32_t len = be16_to_cpu(inner->tot_len);

			info = be16_to_cpu(icmph.un.frag.mtu);
			if (!info)
				info = mtu_plateau(len);
			if (info >= len || info < 68) { /* it did fit, or there is no such link */
				STACK_MIB_INC(stack, Icmp_InErrors);
				kfree_skb(skb, SKB_DROP_ICMP_INNER);
				return;
			}
		}
	} else if (icmph.type == ICMP_PARAMETERPROB) {
		info = icmph.un.pointer;
	}
	icmp_deliver_error(stack, skb, icmph.type, icmph.code, info);
	consume_skb(skb);
}

static void icmp_redirect(struct stack *stack, struct sk_buff *skb)
{
	struct ipaddr from = ipaddr_v4(ip_hdr_of(skb)->saddr), gateway, daddr;
	struct icmp_hdr icmph;

	memcpy(&icmph, skb->data, sizeof(icmph));
	if (!icmp_pull_inner(stack, skb) || icmph.code > 3) {
		STACK_MIB_INC(stack, Icmp_InErrors);
		kfree_skb(skb, SKB_DROP_ICMP_INNER);
		return;
	}
	gateway = ipaddr_v4(icmph.un.gateway);
	daddr = ipaddr_v4(((const struct ip_hdr *)(const void *)skb->data)->daddr);
	ip_rt_redirect(stack, &daddr, &gateway, &from, skb->dev);
	consume_skb(skb);
}

void icmp_local_error(struct stack *stack, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_hdr *iph;
	struct sk_buff *copy;
	int off = skb_network_offset(skb);

	/* on a copy of its own: the transport may want to send this very buffer again */
	if (off < 0)
		return;
	copy = skb_clone(skb);
	if (!copy)
		return;
	skb_pull(copy, (uint32_t)off);
	if (skb_may_pull(copy, sizeof(*iph)) && skb_may_pull(copy, ip_hdrlen((const struct ip_hdr *)(const void *)copy->data) + 8))
		icmp_deliver_error(stack, copy, type, code, info);
	consume_skb(copy);
}

/* ---- input --------------------------------------------------------------------------------------------------------------- */

/* To more than one host only questions are put, and they are answered only where somebody wants that. SKB_CONSUMED: go on. */
static enum skb_drop_reason icmp_group_check(const struct stack *stack, uint8_t type)
{
	if (type == ICMP_ECHO || type == ICMP_TIMESTAMP)
		return stack->sysctl->icmp_echo_ignore_broadcasts ? SKB_DROP_ICMP_BROADCAST : SKB_CONSUMED;
	return icmp_types[type].error ? SKB_DROP_ICMP_BROADCAST : SKB_CONSUMED;
}

void icmp_rcv(struct stack *stack, struct sk_buff *skb)
{
	enum skb_drop_reason reason;
	uint8_t type;

	if (likely(!skb->handed))
		STACK_MIB_INC(stack, Icmp_InMsgs);
	if (unlikely(!skb_may_pull(skb, sizeof(struct icmp_hdr)))) {
		reason = SKB_DROP_ICMP_SHORT;
		goto error;
	}
	if (skb->ip_summed != CHECKSUM_UNNECESSARY && skb->ip_summed != CHECKSUM_PARTIAL && csum_fold(skb_checksum(skb, 0, skb->len, 0))) {
		STACK_MIB_INC(stack, Icmp_InCsumErrors);
		reason = SKB_DROP_ICMP_CSUM;
		goto error;
	}
	type = skb->data[0];
	if (type >= ICMP_TYPES) {
		reason = SKB_DROP_ICMP_TYPE;
		goto error;
	}
	if (icmp_types[type].in_mib && !skb->handed)
		stack->mib[icmp_types[type].in_mib]++;
	if (unlikely(skb->rt.type == RTN_BROADCAST || skb->rt.type == RTN_MULTICAST)) {
		reason = icmp_group_check(stack, type);
		if (reason != SKB_CONSUMED) {
			kfree_skb(skb, reason);
			return;
		}
	}
	icmp_types[type].handler(stack, skb);
	return;

error:
	STACK_MIB_INC(stack, Icmp_InErrors);
	kfree_skb(skb, reason);
}

int icmp_init(struct stack *stack)
{
	stack->icmp = calloc(1, sizeof(*stack->icmp));
	return stack->icmp ? 0 : -ENOMEM;
}

void icmp_exit(struct stack *stack)
{
	free(stack->icmp);
	stack->icmp = NULL;
}
