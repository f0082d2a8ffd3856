/* SPDX-License-Identifier: MIT */
/*
 * tap.h: packet taps: every frame that a stack receives or sends, and every packet that dies, shown to a callback.
 *
 * Theory of operation. A tap stands where Linux's ptype_all handlers stand: on receiving behind the device's own work (GRO has merged what it merges, VLAN tags are
 * in the frame) and in front of VLAN devices, bridges and protocols; on sending in front of the driver. Frames for other stations are shown when the device is
 * promiscuous (NS_IFF_PROMISC, or a tap with STACK_TAP_PROMISC), groups that nobody joined also when it takes all groups; showing them changes nothing for the protocols.
 * With STACK_TAP_DROPS the callback also sees each packet that kfree_skb ends, with the reason. A frame that was shown when it came or left and dies after that
 * is shown again as dropped, with again set.
 *
 * A tap sees its own shard: what this stack receives after steering, and what it sends. To see all of a namespace attach one to each of its stacks.
 * Offloads show: a GSO frame is one frame, and a checksum that the device is to make (skb->ip_summed CHECKSUM_PARTIAL) is not there yet, as on Linux.
 *
 * With no tap attached the data path tests one word of the device, and nothing else.
 */
#ifndef NETSTACK_TAP_H
#define NETSTACK_TAP_H

#include <netstack/drop.h>
#include <netstack/skbuff.h>
#include <netstack/types.h>

struct stack;
struct stack_tap;

enum stack_tap_dir { STACK_TAP_DIR_IN, STACK_TAP_DIR_OUT };

/* A frame from its Ethernet header on. A dropped packet that never had an Ethernet header (of our own making, not yet sent) gets one: no destination, the device's
 * address as source, the protocol. */
struct stack_tap_frame {
	const struct sk_buff *skb; /* belongs to the stack: not to be kept or changed */
	enum stack_tap_dir    dir;
	int                   ifindex; /* 0: not known: our own packet, dropped before it had a way */
	enum skb_drop_reason  reason; /* SKB_CONSUMED: not a drop */
	bool                  again; /* a drop: some tap was shown this very skb as received or sent */
	bool                  made; /* the Ethernet header is made up */
	uint16_t              id; /* of this showing; again: of the last one of this skb */
	uint16_t              protocol; /* EtherType, host order; 0: none known */
	ktime_t               when; /* the stack's time */
	uint32_t              len; /* bytes of the frame */
	const unsigned char  *head; /* the first head_len bytes of the frame */
	uint32_t              head_len;
	uint32_t              skb_off; /* byte head_len of the frame is this one of skb, counted from skb->data */
	unsigned char         header[14]; /* a made-up one stands here */
};

/* what */
#define STACK_TAP_RX      0x1u /* frames that are received */
#define STACK_TAP_TX      0x2u /* frames that are sent */
#define STACK_TAP_DROPS   0x4u /* packets that are dropped; with an ifindex those of that device */
#define STACK_TAP_PROMISC 0x8u /* with STACK_TAP_RX: those for other stations, and groups that nobody joined, too */

/* Shows fn what is asked for, of the device ifindex (0: of all that are and will be). fn must not call back into the stack. The tap is removed with
 * stack_tap_detach, or by stack_free; it outlives the device. 0, -EINVAL (nothing asked for), -ENODEV, -ENOMEM. */
int  stack_tap_attach(struct stack *stack, int ifindex, unsigned what, void (*fn)(void *arg, const struct stack_tap_frame *frame), void *arg, struct stack_tap **ret);
void stack_tap_detach(struct stack_tap *tap); /* not from inside a callback */

/* Copies n bytes of the frame from byte off on: 0, or -EFAULT when beyond its end. */
int stack_tap_copy(const struct stack_tap_frame *frame, uint32_t off, void *to, uint32_t n);
/* skb as a frame that begins at its data pointer, for who wants to use the above on any packet. */
void stack_tap_frame_init(struct stack_tap_frame *frame, const struct sk_buff *skb);

#endif
