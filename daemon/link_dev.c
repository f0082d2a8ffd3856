/* SPDX-License-Identifier: MIT */
/*
 * link_dev.c: the settings of a device, from the words of a command to what the TAP and the kernel are told, and back to words and JSON.
 *
 * Features have ethtool's names. As with a NIC, one may depend on another (segmentation needs checksums), and one that is wanted may not be there: an older
 * kernel's tun takes no UDP segments. What is wanted is kept and saved; what is on follows.
 *
 * Which way is which: tx, tso and uso are about frames that go to the host: a vnet header carries them whether or not anybody was asked before. rx and
 * rx-gro-hw are about frames that come from it: the host is told by TUNSETOFFLOAD what it may hand over as it is; what it may not it completes or cuts itself.
 *
 * The address filter (rx-filter) is the one that is off by default: the host counts what it keeps back as dropped, like what does not fit on the queue, so nobody could
 * tell the one from the other.
 *
 * Not done: hash and tunnel reports, large receive offload (GRO's older brother).
 */
#include "link_dev.h"

#include "state.h"
#include "tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TUN_F_USO4 /* newer than some kernel headers */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* One row a word; key is the argument's in the grammar. */
static const struct {
	const char *key, *ethtool;
	uint32_t    bits;
} features[] = {
	{ "offload-rx", "rx-checksumming", LINK_F_RX_CSUM },
	{ "offload-tx", "tx-checksumming", LINK_F_TX_CSUM },
	{ "offload-tso", NULL, LINK_F_TSO4 | LINK_F_TSO6 },
	{ "offload-tso4", "tx-tcp-segmentation", LINK_F_TSO4 },
	{ "offload-tso6", "tx-tcp6-segmentation", LINK_F_TSO6 },
	{ "offload-uso", "tx-udp-segmentation", LINK_F_USO },
	{ "offload-gro", "generic-receive-offload", LINK_F_GRO },
	{ "offload-rx-udp-gro-forwarding", "rx-udp-gro-forwarding", LINK_F_UDP_GRO_FWD },
	{ "offload-rx-gro-hw", "rx-gro-hw", LINK_F_RX_GRO_HW },
	{ "offload-rx-filter", "rx-filter", LINK_F_RX_FILTER },
};
#define NFEATURES (sizeof(features) / sizeof(features[0]))

#define DRIVER_FEATURES  (LINK_F_RX_CSUM | LINK_F_TX_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO | LINK_F_RX_GRO_HW)
#define DEFAULT_FEATURES (DRIVER_FEATURES | LINK_F_GRO)

static const struct {
	const char *key, *json;
	size_t      off;
	uint32_t    def;
} numbers[] = {
#define NUMBER(word, field, value) { word, #field, offsetof(struct link_dev, field), value }
	NUMBER("ring-rx", ring_rx, 0), NUMBER("ring-tx", ring_tx, TAP_TX_RING), NUMBER("copybreak", copybreak, TAP_COPYBREAK),
	NUMBER("rx-usecs", rx_usecs, 0), NUMBER("rx-frames", rx_frames, 0), NUMBER("busy-poll", busy_poll, 0),
#undef NUMBER
};
#define NNUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const char *const backends[] = { [TAP_AUTO] = "auto", [TAP_URING] = "uring", [TAP_READ] = "read" };

static uint32_t *number(const struct link_dev *dev, size_t i)
{
	return (uint32_t *)(void *)((char *)(uintptr_t)dev + numbers[i].off);
}

void link_dev_init(struct link_dev *dev)
{
	memset(dev, 0, sizeof(*dev));
	dev->features = DEFAULT_FEATURES;
	dev->backend = TAP_AUTO;
	for (size_t i = 0; i < NNUMBERS; i++)
		*number(dev, i) = numbers[i].def;
}

uint32_t link_dev_features(const struct link_dev *dev, uint32_t offered)
{
	uint32_t on = dev->features & (offered | LINK_F_GRO | LINK_F_UDP_GRO_FWD | LINK_F_RX_FILTER);

	if (!(on & LINK_F_TX_CSUM)) /* VIRTIO 1.2 section 5.1.3.1, and any NIC: a segment needs its own checksum */
		on &= ~(uint32_t)(LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO);
	if (!(on & LINK_F_RX_CSUM))
		on &= ~LINK_F_RX_GRO_HW;
	if (!(on & LINK_F_GRO))
		on &= ~(uint32_t)LINK_F_UDP_GRO_FWD;
	if (dev->no_vnet)
		on = (on & ~(uint32_t)DRIVER_FEATURES) | LINK_F_NO_VNET;
	return on;
}

/* ---- words ------------------------------------------------------------------------------------------------------------- */

/* "0-3,8" or "all". */
static int take_cpus(struct link_dev *dev, const char *text)
{
	uint64_t cpus[LINK_DEV_CPUS / 64] = { 0 };

	for (const char *s = text; strcmp(text, "all") != 0; s++) {
		unsigned long a, b;
		char *end;

		if (*s < '0' || *s > '9')
			return -EINVAL;
		a = b = strtoul(s, &end, 10);
		if (*end == '-') {
			s = end + 1;
			if (*s < '0' || *s > '9')
				return -EINVAL;
			b = strtoul(s, &end, 10);
		}
		if (b < a || b >= LINK_DEV_CPUS)
			return -ERANGE;
		for (; a <= b; a++)
			cpus[a / 64] |= UINT64_C(1) << a % 64;
		s = end;
		if (!*s)
			break;
		if (*s != ',')
			return -EINVAL;
	}
	memcpy(dev->cpus, cpus, sizeof(cpus));
	return 0;
}

static bool has_cpu(const struct link_dev *dev, unsigned cpu)
{
	return cpu < LINK_DEV_CPUS && dev->cpus[cpu / 64] >> cpu % 64 & 1;
}

static const char *cpus_text(const struct link_dev *dev, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < LINK_DEV_CPUS && n + 12 < size; i++) {
		unsigned last = i;

		if (!has_cpu(dev, i))
			continue;
		while (has_cpu(dev, last + 1))
			last++;
		n += (size_t)snprintf(buf + n, size - n, last > i ? "%s%u-%u" : "%s%u", n ? "," : "", i, last);
		i = last;
	}
	return n ? buf : "all";
}

int link_dev_take(struct link_dev *dev, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *arg = cmd_arg(cmd, "offload");

	if (arg)
		dev->features = arg->num ? dev->features | DRIVER_FEATURES : dev->features & ~DRIVER_FEATURES;
	for (size_t i = 0; i < NFEATURES; i++) {
		arg = cmd_arg(cmd, features[i].key);
		if (arg)
			dev->features = arg->num ? dev->features | features[i].bits : dev->features & ~features[i].bits;
	}
	for (size_t i = 0; i < NNUMBERS; i++) {
		arg = cmd_arg(cmd, numbers[i].key);
		if (arg)
			*number(dev, i) = arg->num;
	}
	arg = cmd_arg(cmd, "backend");
	if (arg)
		dev->backend = (uint8_t)arg->num;
	arg = cmd_arg(cmd, "vnet-hdr");
	if (arg)
		dev->no_vnet = !arg->num;
	arg = cmd_arg(cmd, "adaptive-rx");
	if (arg)
		dev->adaptive_rx = arg->num != 0;
	arg = cmd_arg(cmd, "irq-affinity");
	if (arg && take_cpus(dev, arg->str) < 0) {
		conf_fail(e, -EINVAL, "\"%.40s\" is no list of CPUs (as 0-3,8, up to %d; or all)", arg->str, LINK_DEV_CPUS - 1);
		e->column = arg->column;
		snprintf(e->word, sizeof(e->word), "%s", arg->str);
		return e->err;
	}
	return 0;
}

void link_dev_warn(struct conf_state *st, const struct cmd *cmd, const struct link_dev *dev)
{
	unsigned cpus = st->first->cpus, here = 0, beyond = 0;
	char text[160];

	for (unsigned i = 0; i < LINK_DEV_CPUS; i++)
		if (has_cpu(dev, i))
			*(i < cpus ? &here : &beyond) += 1;
	if (cpus && beyond && cmd_arg(cmd, "irq-affinity"))
		conf_warn(st, "the CPUs of this machine are 0 to %u: irq-affinity %s %s", cpus - 1, cpus_text(dev, text, sizeof(text)),
			  here ? "has the effect of those that are there" : "has no effect");
}

bool link_dev_given(const struct cmd *cmd, const char **ret_key)
{
	static const char *const others[] = { "offload", "backend", "adaptive-rx", "irq-affinity" };

	for (unsigned i = 0; i < cmd->nargs; i++) {
		const char *key = cmd->args[i].key;
		bool found = strncmp(key, "offload-", 8) == 0;

		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			found |= strcmp(key, others[k]) == 0;
		for (size_t k = 0; k < NNUMBERS; k++)
			found |= strcmp(key, numbers[k].key) == 0;
		*ret_key = key;
		if (found)
			return true;
	}
	return false;
}

static size_t put_feature(char *buf, size_t size, size_t n, size_t i, uint32_t have, bool *first)
{
	n += (size_t)snprintf(buf + n, size - n, "%s %s %s", *first ? " offload" : "", features[i].key + strlen("offload-"), have & features[i].bits ? "on" : "off");
	*first = false;
	return n;
}

/* Every word is 40 bytes at most and the list of CPUs 160: buffers of 1,024 bytes always suffice. */
const char *link_dev_words(const struct link_dev *dev, char *buf, size_t size)
{
	uint32_t have = dev->features, ref = DEFAULT_FEATURES;
	bool first = true;
	struct link_dev def;
	char text[160];
	size_t n = 0;

	link_dev_init(&def);
	buf[0] = '\0';
	if (dev->backend != def.backend)
		n += (size_t)snprintf(buf + n, size - n, " backend %s", backends[dev->backend]);
	if (dev->no_vnet)
		n += (size_t)snprintf(buf + n, size - n, " vnet-hdr off");
	if (!(have & DRIVER_FEATURES)) {
		n += (size_t)snprintf(buf + n, size - n, " offload off");
		ref &= ~DRIVER_FEATURES;
	}
	for (size_t i = 0; i < NFEATURES; i++) {
		uint32_t bits = features[i].bits;

		/* "tso" says it for both of its bits; where they differ each says it for itself. */
		if ((have & bits) == (ref & bits) || ((have & bits) != 0 && (have & bits) != bits))
			continue;
		n = put_feature(buf, size, n, i, have, &first);
		ref = (ref & ~bits) | (have & bits);
	}
	for (size_t i = 0; i < NNUMBERS; i++) {
		const char *dash = strncmp(numbers[i].key, "ring-", 5) == 0 ? numbers[i].key + 4 : NULL;

		if (*number(dev, i) == numbers[i].def)
			continue;
		n += (size_t)snprintf(buf + n, size - n, " %s%s %u", dash ? "ring " : "", dash ? dash + 1 : numbers[i].key, *number(dev, i));
	}
	if (dev->adaptive_rx)
		n += (size_t)snprintf(buf + n, size - n, " adaptive-rx on");
	if (memcmp(dev->cpus, def.cpus, sizeof(def.cpus)) != 0)
		snprintf(buf + n, size - n, " irq-affinity %s", cpus_text(dev, text, sizeof(text)));
	return buf;
}

unsigned link_dev_cpu(const struct link_dev *dev, unsigned queue, unsigned cpus)
{
	unsigned n = 0, end = cpus && cpus < LINK_DEV_CPUS ? cpus : LINK_DEV_CPUS;

	for (unsigned i = 0; i < end; i++)
		n += has_cpu(dev, i);
	queue = n ? queue % n : 0;
	for (unsigned i = 0; i < end; i++)
		if (has_cpu(dev, i) && !queue--)
			return i + 1;
	return 0;
}

void link_dev_tap(const struct link_dev *dev, uint32_t mtu, uint32_t on, struct tap_conf *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->mtu = mtu;
	ret->large = (on & LINK_F_RX_GRO_HW) != 0;
	ret->backend = (enum tap_backend)dev->backend;
	ret->copybreak = dev->copybreak;
	ret->tx_ring = dev->ring_tx;
	ret->rx_usecs = dev->rx_usecs;
	ret->rx_frames = dev->rx_frames;
	ret->adaptive_rx = dev->adaptive_rx;
	ret->busy_poll = dev->busy_poll;
}

json_t *link_dev_record(const struct conf_link *link, uint32_t on)
{
	const struct link_dev *dev = &link->dev;
	uint32_t offered = dev->no_vnet ? 0 : link->tap ? link->tap->offered : ~0u;
	json_t *r = json_object(), *list = json_object();
	char text[160];

	json_object_set_new(r, "backend", json_string(backends[dev->backend]));
	for (size_t i = 0; i < NFEATURES; i++) {
		json_t *f;

		if (!features[i].ethtool)
			continue;
		f = json_object();
		json_object_set_new(f, "active", json_boolean((on & features[i].bits) != 0));
		json_object_set_new(f, "requested", json_boolean((dev->features & features[i].bits) != 0));
		json_object_set_new(f, "fixed", json_boolean((features[i].bits & DRIVER_FEATURES & ~offered) != 0));
		json_object_set_new(list, features[i].ethtool, f);
	}
	json_object_set_new(r, "features", list);
	for (size_t i = 0; i < NNUMBERS; i++)
		json_object_set_new(r, numbers[i].json, json_integer(*number(dev, i)));
	json_object_set_new(r, "vnet_hdr", json_boolean(!dev->no_vnet));
	json_object_set_new(r, "adaptive_rx", json_boolean(dev->adaptive_rx));
	json_object_set_new(r, "irq_affinity", json_string(cpus_text(dev, text, sizeof(text))));
	return r;
}

/* ---- the kernel ------------------------------------------------------------------------------------------------------------ */

int link_dev_set_offload(int fd, uint32_t on)
{
	unsigned flags = 0;

	if (on & LINK_F_RX_CSUM)
		flags |= TUN_F_CSUM;
	if (on & LINK_F_RX_GRO_HW)
		flags |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6;
	if (ioctl(fd, TUNSETOFFLOAD, flags) == 0)
		return 0;
	flags &= ~(unsigned)(TUN_F_USO4 | TUN_F_USO6); /* since Linux 6.2 */
	return ioctl(fd, TUNSETOFFLOAD, flags) == 0 ? 0 : -errno;
}

uint32_t link_dev_offered(int fd)
{
	uint32_t offered = LINK_F_RX_CSUM | LINK_F_TX_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_RX_GRO_HW;

	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6) == 0)
		offered |= LINK_F_USO;
	return ioctl(fd, TUNSETOFFLOAD, 0) == 0 ? offered : 0;
}

int link_dev_set_filter(int fd, const struct link_conf *link, bool all)
{
	union {
		struct tun_filter f;
		uint8_t           bytes[sizeof(struct tun_filter) + 3 * ETH_ADDR_LEN];
	} filter = { .bytes = { 0 } };
	uint8_t *addr = filter.bytes + sizeof(struct tun_filter);

	filter.f.flags = link->flags & NS_IFF_ALLMULTI ? TUN_FLT_ALLMULTI : 0;
	filter.f.count = all ? 0 : 3; /* none: no filter */
	memcpy(addr, link->addr.b, ETH_ADDR_LEN);
	memset(addr + ETH_ADDR_LEN, 0xff, ETH_ADDR_LEN);
	memcpy(addr + 2 * ETH_ADDR_LEN, "\x01\0\x5e\0\0\x01", ETH_ADDR_LEN); /* 224.0.0.1, RFC 1112 section 7.2 */
	return ioctl(fd, TUNSETTXFILTER, &filter) < 0 ? -errno : 0;
}
