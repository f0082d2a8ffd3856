/* SPDX-License-Identifier: MIT */
/*
 * link_dev.h: how the device of a link (its TAP) is driven: backend, offloads by feature, rings, interrupt coalescing, busy polling, pinning. What ethtool(8)
 * sets on a NIC.
 */
#ifndef DAEMON_LINK_DEV_H
#define DAEMON_LINK_DEV_H

#include "../conf/grammar.h"
#include <jansson.h>
#include <netstack/netcfg.h>

struct conf_error;
struct conf_link;
struct conf_state;
struct tap_conf;

/* Not the stack's business: the host hands over frames of many segments (TUN_F_TSO4 and its kind). As ethtool's rx-gro-hw. */
#define LINK_F_RX_GRO_HW (1u << 31)
#define LINK_F_RX_FILTER (1u << 30) /* the host keeps back what is sent to other stations (TUNSETTXFILTER) */
#define LINK_F_NO_VNET   (1u << 29) /* its frames carry no vnet header, for good: no driver's offload can be on */
#define LINK_DEV_CPUS    256

struct link_dev {
	uint32_t features; /* LINK_F_* that are wanted; link_dev_features says which there are */
	uint8_t  backend; /* enum tap_backend */
	bool     adaptive_rx;
	bool     no_vnet; /* no vnet headers; only said when it is made */
	uint32_t ring_rx; /* frames on the host's queue; 0: as the host has it */
	uint32_t ring_tx;
	uint32_t copybreak;
	uint32_t rx_usecs, rx_frames, busy_poll;
	uint64_t cpus[LINK_DEV_CPUS / 64]; /* that workers of its queues run on, one each in turn; none: all */
};

void link_dev_init(struct link_dev *dev); /* the defaults */
/* The features that are on: what is wanted, as far as the device offers it (offered; ~0u: not known yet) and what it builds on is on. */
uint32_t link_dev_features(const struct link_dev *dev, uint32_t offered);
/* Takes what the command (link add, link set) says. 0, or -errno with e filled. */
int  link_dev_take(struct link_dev *dev, const struct cmd *cmd, struct conf_error *e);
/* What of the command's words has no effect on this machine, as a warning (conf_warn). */
void link_dev_warn(struct conf_state *st, const struct cmd *cmd, const struct link_dev *dev);
bool link_dev_given(const struct cmd *cmd, const char **ret_key); /* the command says something that only a device with a driver knows */
/* What differs from the defaults, as words of "link set". Returns buf. */
const char *link_dev_words(const struct link_dev *dev, char *buf, size_t size);
unsigned link_dev_cpu(const struct link_dev *dev, unsigned queue, unsigned cpus); /* the CPU for it, and 1; 0: any. cpus: of the machine, others are left out; 0: not known */
void link_dev_tap(const struct link_dev *dev, uint32_t mtu, uint32_t features, struct tap_conf *ret); /* what a worker must know */
json_t *link_dev_record(const struct conf_link *link, uint32_t features); /* as "link show -j" has it */

/* TUNSETOFFLOAD on a descriptor for features; and what the kernel offers: LINK_F_*. 0 or -errno. */
int      link_dev_set_offload(int fd, uint32_t features);
uint32_t link_dev_offered(int fd);
/* TUNSETTXFILTER: which frames the host hands over. all: whatever there is. 0 or -errno. */
int      link_dev_set_filter(int fd, const struct link_conf *link, bool all);

#endif
