/* SPDX-License-Identifier: MIT */
/*
 * ip.h: IPv4 between its files and towards the transports. RFC 791, 1122, 1812, 6864.
 */
#ifndef STACK_IP_H
#define STACK_IP_H

#include "route.h"
#include <netstack/skbuff.h>

struct ip_hdr;
struct sock;
struct stack;
struct udp_hdr;

struct ip_options_parsed { /* ip_options.c; offsets are from the IP header, 0: not there */
	uint8_t  optlen; /* bytes, a multiple of 4 */
	uint8_t  srr, rr, ts, router_alert;
	bool     is_strict, rr_needaddr, ts_needtime, ts_needaddr, changed;
};

struct ip_skb_cb { /* skb->cb while in ip_* */
	struct ip_options_parsed opt;
	int      iif;
	uint32_t frag_max_size;
};
#define IPCB(skb) ((struct ip_skb_cb *)(void *)(skb)->cb)

/* Transports: called with data at the transport header, transport_header set, skb->rt for local delivery. Consume skb. */
struct ip_proto {
	void (*handler)(struct stack *stack, struct sk_buff *skb);
	/* An ICMP error quotes a packet of ours. icmp->data is at the quoted IP header (whole header and >= 8 bytes behind it are linear). Does not consume. */
	void (*err)(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info);
};
const struct ip_proto *ip_proto_get(uint8_t proto); /* NULL: none. The table stands in ip_input.c: icmp, udp, tcp */
void tcp_v4_rcv(struct stack *stack, struct sk_buff *skb);
void tcp_v4_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info);
void udp_rcv(struct stack *stack, struct sk_buff *skb);
/* A socket that the packet is for asked for UDP_GRO. */
bool udp_gro_wanted(struct stack *stack, const struct ip_hdr *iph, const struct udp_hdr *uh, int iif);
void udp_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info);
void icmp_rcv(struct stack *stack, struct sk_buff *skb);
/* Raw sockets see a copy of what local delivery sees: data at the transport header, network_header set. Does not consume. True: a socket wanted the protocol, so there is no
 * ICMP protocol unreachable. raw_err: as ip_proto.err, for the raw sockets of the quoted packet's protocol. */
bool raw_rcv(struct stack *stack, struct sk_buff *skb);
void raw_err(struct stack *stack, struct sk_buff *icmp, uint8_t type, uint8_t code, uint32_t info);
bool raw_in_use(const struct stack *stack, uint8_t protocol); /* some shard has a raw socket that may send this protocol */

void ip_local_deliver(struct stack *stack, struct sk_buff *skb);
void ip_forward(struct stack *stack, struct sk_buff *skb);

/* Parses the options at skb's IP header into IPCB(skb)->opt: 0, or -EINVAL with *bad the offset of the culprit from the IP header. */
int  ip_options_compile(struct stack *stack, struct sk_buff *skb, unsigned *bad);
void ip_options_forward(struct stack *stack, struct sk_buff *skb); /* fills in record route and timestamp on the way out; header checksum is made good */
/* A source-routed packet whose present destination is we: on to the next address of its route. Fills skb->rt anew. SKB_CONSUMED: go on with skb. */
enum skb_drop_reason ip_options_source_route(struct stack *stack, struct sk_buff *skb);
/* The options that every fragment but the first carries (RFC 791: those with the copied bit), from opt to out: their length, a multiple of four. */
unsigned ip_options_fragment(const uint8_t *opt, unsigned optlen, uint8_t *out);
/* Options for a reply to skb (echo): into out (40 bytes), returns their length. RFC 1122 3.2.2.6 */
unsigned ip_options_echo(struct stack *stack, const struct sk_buff *skb, uint8_t *out);
be32 ip_options_first_hop(const struct sk_buff *skb); /* where that reply goes first: the source, or the last stop of its source route */

/* A whole datagram when skb completes one (network_header is right, data at it), else NULL and skb is kept or dropped. Timers and limits inside. */
struct sk_buff *ip_defrag(struct stack *stack, struct sk_buff *skb);
int  ip_fragment_init(struct stack *stack);
void ip_fragment_exit(struct stack *stack);
/* Splits skb (whole IP packet at data) to mtu and gives each piece to output. Consumes skb. 0, -EMSGSIZE when DF is set (nothing is sent, skb dropped PKT_TOO_BIG), -ENOMEM. */
int  ip_do_fragment(struct stack *stack, struct sk_buff *skb, uint32_t mtu, int (*output)(struct stack *, struct sk_buff *));

/* Sends a transport packet: data at the transport header, skb->rt filled, headroom >= SKB_HEADROOM or made. Writes the IP header and goes on to
 * ip_output. Consumes skb. df: don't fragment. tos, ttl 0: default. opt: IP options, or NULL. 0 or -errno. */
struct ip_tx { struct ipaddr saddr, daddr; uint8_t proto, tos, ttl; bool df; uint8_t optlen; const uint8_t *opt; uint16_t id; bool id_set; };
int  ip_build_and_send(struct stack *stack, struct sk_buff *skb, const struct ip_tx *tx);
int  ip_output(struct stack *stack, struct sk_buff *skb); /* IP header is there and complete: fragments, GSO, then neigh_output */
/* True: skb is not larger than mtu, or is GSO and its segments are not. network_header, transport_header set, data at the IP header. */
bool ip_fits_gso(const struct sk_buff *skb, uint32_t mtu);
static inline bool ip_fits(const struct sk_buff *skb, uint32_t mtu)
{
	return skb->len <= mtu || ip_fits_gso(skb, mtu);
}

/* Tells the transport that skb (a packet of our own, network_header set) could not be sent, as an ICMP error of that type and code would. Not consumed. */
void icmp_local_error(struct stack *stack, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);

/* icmp.c. Sends an ICMP error about skb_in, where RFC 1122 3.2.2 and the rate limits allow. skb_in is not consumed; its network_header must be set. info: MTU or pointer, host order. */
void icmp_send(struct stack *stack, struct sk_buff *skb_in, uint8_t type, uint8_t code, uint32_t info);
/* Tells the sender of skb, which is about to leave by the device it came in by, of the better first hop skb->rt.nexthop. RFC 1812 5.2.7.2, rate limited. */
void icmp_send_redirect(struct stack *stack, struct sk_buff *skb);
int  icmp_init(struct stack *stack);
void icmp_exit(struct stack *stack);
/* errno and whether it is fatal, for an ICMP error: code 0..15 of destination unreachable and the rest, as Linux's icmp_err_convert. */
void icmp_error_to_errno(uint8_t type, uint8_t code, int *err, bool *fatal);

#endif
