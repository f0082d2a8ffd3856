/* SPDX-License-Identifier: MIT */
/*
 * linkwatch.h: the state of links beside their configuration: carrier, dormancy, RFC 2863's operational state, who wants to know.
 *
 * Theory of operation. Who owns a struct netcfg (the control thread, or the embedder) has one struct linkwatch beside it. linkwatch_follow looks at what the
 * configuration has become and tells subscribers what happened (registered, up, down, MTU ...), in Linux's order. A driver says netif_carrier_on or _off; that is
 * remembered at once, and what follows from it (operational state, the queue in front of the device, NETDEV_CHANGE) is done by linkwatch_run, at most once a
 * second, so that a cable with a loose contact does not keep the whole machine busy. What is urgent is done without waiting.
 *
 * The queue in front of a device is active while the device is up and linkwatch has seen its carrier (dev_activate, dev_deactivate): that is link_conf.carrier,
 * which shards obey. So after follow and run the configuration may have changed and wants netcfg_commit.
 *
 * Subscribers are called inside of these calls and may not call back into them.
 */
#ifndef NETSTACK_LINKWATCH_H
#define NETSTACK_LINKWATCH_H

#include <netstack/netcfg.h>

struct linkwatch;

/* Flags that are computed, beside those of netcfg.h; IFF_* as in <linux/if.h>. */
#define NS_IFF_RUNNING  0x40u /* RFC 2863: operational */
#define NS_IFF_LOWER_UP 0x10000u /* the driver has a carrier */
#define NS_IFF_DORMANT  0x20000u /* the driver says that the link waits for something */

enum oper_state { /* RFC 2863 section 6, ifOperStatus; numbers as in <linux/if.h> */
	OPER_UNKNOWN, OPER_NOTPRESENT, OPER_DOWN, OPER_LOWERLAYERDOWN, OPER_TESTING, OPER_DORMANT, OPER_UP,
	OPER_MAX
};
enum link_mode { LINK_MODE_DEFAULT, LINK_MODE_DORMANT /* carrier gives DORMANT; somebody (802.1X) says UP */, LINK_MODE_TESTING };

enum netdev_event {
	NETDEV_REGISTER, NETDEV_UNREGISTER, NETDEV_UP, NETDEV_GOING_DOWN, NETDEV_DOWN,
	NETDEV_CHANGE, /* carrier, operational state or flags of a device that is up */
	NETDEV_CHANGEMTU, NETDEV_CHANGEADDR, NETDEV_CHANGENAME,
	NETDEV_CHANGEINFO, /* anything else that RTM_NEWLINK tells: queue length, promiscuity of a device that is down, master, the host's end */
	NETDEV_EVENT_MAX
};

struct netdev_state { /* owner: the linkwatch; subscribers and callers read it until the next call */
	struct link_conf conf; /* as last followed; its carrier is that of the configuration, see qdisc_active */
	bool             carrier; /* what the driver says, at once */
	bool             dormant, testing; /* likewise */
	bool             present; /* false: the device below is gone */
	bool             qdisc_active; /* false: noop, everything sent is dropped */
	uint8_t          link_mode; /* enum link_mode */
	uint8_t          operstate; /* enum oper_state, whether up or not; netdev_operstate is what to show */
	uint32_t         carrier_up_count, carrier_down_count;
};

struct netdev_notifier {
	/* change: the NS_IFF_* that differ from before, for UP, DOWN, CHANGE and CHANGEINFO. */
	void (*call)(struct netdev_notifier *nb, enum netdev_event event, const struct netdev_state *dev, uint32_t change);
	struct netdev_notifier *next; /* linkwatch's */
};

/* cfg outlives it. NULL: no memory. It begins without devices: linkwatch_follow finds lo and the rest. */
struct linkwatch *linkwatch_new(struct netcfg *cfg);
void linkwatch_free(struct linkwatch *lw); /* NULL is ignored; subscribers are told nothing */
/* In order of registration; a new one is told of what is there already (NETDEV_REGISTER, NETDEV_UP), as register_netdevice_notifier does. */
void linkwatch_subscribe(struct linkwatch *lw, struct netdev_notifier *nb);
void linkwatch_unsubscribe(struct linkwatch *lw, struct netdev_notifier *nb);

/* Looks at the configuration and does what its changes mean. A new device has a carrier if its driver cannot lose it (loopback, dummy, virtual); others
 * get theirs by netif_carrier_on, or from what they stand on (VLAN, veth, bridge). 0, or -ENOMEM: nothing was done. now: ns, monotonic. */
int  linkwatch_follow(struct linkwatch *lw, ktime_t now);
/* Does what is due. True: something was done. */
bool linkwatch_run(struct linkwatch *lw, ktime_t now);
ktime_t linkwatch_deadline(const struct linkwatch *lw); /* when linkwatch_run has something to do; KTIME_MAX: nothing is pending */
/* For devices whose carrier follows from others': another namespace's configuration has changed. */
void linkwatch_transfer(struct linkwatch *lw, ktime_t now);

uint64_t linkwatch_generation(const struct linkwatch *lw); /* changes when a device comes, goes or gets another name */
const struct netdev_state *linkwatch_dev(const struct linkwatch *lw, int ifindex); /* NULL: none */
int  linkwatch_foreach(const struct linkwatch *lw, int after /* ifindex; 0: all */, int (*fn)(void *arg, const struct netdev_state *dev), void *arg);

/* From the driver; ifindex of no device, or of one whose carrier follows from others', is ignored. Saying the same again does nothing. */
void netif_carrier_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now);
void netif_dormant_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now);
void netif_testing_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now);
static inline void netif_carrier_on(struct linkwatch *lw, int ifindex, ktime_t now) { netif_carrier_set(lw, ifindex, true, now); }
static inline void netif_carrier_off(struct linkwatch *lw, int ifindex, ktime_t now) { netif_carrier_set(lw, ifindex, false, now); }
static inline void netif_dormant_on(struct linkwatch *lw, int ifindex, ktime_t now) { netif_dormant_set(lw, ifindex, true, now); }
static inline void netif_dormant_off(struct linkwatch *lw, int ifindex, ktime_t now) { netif_dormant_set(lw, ifindex, false, now); }
static inline void netif_testing_on(struct linkwatch *lw, int ifindex, ktime_t now) { netif_testing_set(lw, ifindex, true, now); }
static inline void netif_testing_off(struct linkwatch *lw, int ifindex, ktime_t now) { netif_testing_set(lw, ifindex, false, now); }
void netif_device_detach(struct linkwatch *lw, int ifindex, ktime_t now); /* gone; no carrier either */
void netif_device_attach(struct linkwatch *lw, int ifindex, ktime_t now); /* back; netif_carrier_on is another matter */

/* From people: "mode" and "state" of ip(8). 0, -ENODEV or -EINVAL. The state can be set to UP, DORMANT and TESTING only, and only where it makes sense: other
 * transitions are ignored, as Linux does. */
int  linkwatch_set_mode(struct linkwatch *lw, int ifindex, uint8_t mode, ktime_t now);
int  linkwatch_set_operstate(struct linkwatch *lw, int ifindex, uint8_t transition, ktime_t now);

/* What to show: RFC 2863's state (a device that is not up is DOWN), and flags as ip(8) and RTM_NEWLINK have them. */
uint8_t  netdev_operstate(const struct netdev_state *dev);
uint32_t netdev_flags(const struct netdev_state *dev);
const char *netdev_operstate_name(uint8_t operstate); /* as ip(8) writes it: "UP"; "?" for a number that there is not */
const char *netdev_event_name(enum netdev_event event); /* "NETDEV_UP" */

#endif
