/* SPDX-License-Identifier: MIT */
/*
 * monitor.c: "monitor link": RTM_NEWLINK and RTM_DELLINK of the rtnetlink socket, in the words of "link show".
 *
 * A daemon whose rtnetlink socket is elsewhere, or that has none, is asked over the control socket instead (nsctl.c), whose records say the same. When events
 * were lost, all links are asked for again and printed as they are now.
 * Not done: JSON, which has keys that rtnetlink does not carry.
 */
#include "monitor.h"

#include "netlink_proto.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netstack/linkwatch.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RECEIVE_MAX 65536

static int connected(const char *control)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (nsnl_path(control, sun.sun_path, sizeof(sun.sun_path)) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int send_message(int fd, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	struct { struct nlmsghdr h; unsigned char body[256]; } m = { .h = { .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = 1 } };

	if (len > sizeof(m.body))
		return -1;
	m.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	memcpy(m.body, body, len);
	return send(fd, &m, m.h.nlmsg_len, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int ask_all(int fd)
{
	struct { struct ifinfomsg ifi; struct rtattr a; uint32_t mask; } q = {
		.a = { .rta_type = IFLA_EXT_MASK, .rta_len = RTA_LENGTH(sizeof(uint32_t)) }, .mask = 1u << 3, /* RTEXT_FILTER_SKIP_STATS */
	};

	return send_message(fd, RTM_GETLINK, NLM_F_DUMP, &q, sizeof(q));
}

/* Into the group of links, in the namespace of the command. */
static int join(int fd, const char *netns)
{
	struct sockaddr_nl bind = { .nl_family = AF_NETLINK, .nl_groups = 1u << (RTNLGRP_LINK - 1) };
	const struct nsnl_sockopt option = { .level = SOL_NSNL, .name = NSNL_NETNS };
	unsigned char body[sizeof(option) + 128];

	if (netns) {
		memcpy(body, &option, sizeof(option));
		snprintf((char *)body + sizeof(option), sizeof(body) - sizeof(option), "%s", netns);
		if (send_message(fd, NSNL_SOCKOPT, NLM_F_ACK, body, sizeof(option) + strlen((char *)body + sizeof(option)) + 1) < 0)
			return -1;
	}
	return send(fd, &bind, sizeof(bind), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* ---- a message as a record ------------------------------------------------------------------------------------------------------- */

static json_t *flag_words(uint32_t flags)
{
	static const struct { uint32_t bit; const char *name; } bits[] = {
		{ NS_IFF_LOOPBACK, "LOOPBACK" }, { NS_IFF_BROADCAST, "BROADCAST" }, { NS_IFF_MULTICAST, "MULTICAST" }, { NS_IFF_NOARP, "NOARP" },
		{ NS_IFF_ALLMULTI, "ALLMULTI" }, { NS_IFF_PROMISC, "PROMISC" }, { NS_IFF_UP, "UP" }, { NS_IFF_LOWER_UP, "LOWER_UP" }, { NS_IFF_DORMANT, "DORMANT" },
	};
	json_t *words = json_array();

	if ((flags & NS_IFF_UP) && !(flags & NS_IFF_RUNNING))
		json_array_append_new(words, json_string("NO-CARRIER"));
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (flags & bits[i].bit)
			json_array_append_new(words, json_string(bits[i].name));
	return words;
}

/* As record_link of the daemon, but for the name, which does not come along. */
static void add_xdp(json_t *r, const struct rtattr *nest)
{
	int left = (int)RTA_PAYLOAD(nest);
	json_int_t mode = XDP_ATTACHED_NONE;
	json_t *prog = json_object();
	uint32_t id;

	for (const struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_XDP_ATTACHED && RTA_PAYLOAD(a) >= 1)
			mode = *(const unsigned char *)RTA_DATA(a);
		if (a->rta_type == IFLA_XDP_PROG_ID && RTA_PAYLOAD(a) >= sizeof(id)) {
			memcpy(&id, RTA_DATA(a), sizeof(id));
			json_object_set_new(prog, "id", json_integer(id));
		}
	}
	if (mode != XDP_ATTACHED_NONE)
		json_object_set_new(r, "xdp", json_pack("{s:I, s:O}", "mode", mode, "prog", prog));
	json_decref(prog);
}

static json_t *link_record(struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(nlh);
	const struct rtattr *a = IFLA_RTA(ifi);
	int left = (int)IFLA_PAYLOAD(nlh);
	bool gone = nlh->nlmsg_type == RTM_DELLINK;
	char name[NS_IFNAMSIZ] = "";
	json_t *r = json_object();
	uint32_t n;

	json_object_set_new(r, "what", json_string("link"));
	json_object_set_new(r, "deleted", json_boolean(gone));
	json_object_set_new(r, "ifindex", json_integer(ifi->ifi_index));
	if (!gone)
		json_object_set_new(r, "flags", flag_words(ifi->ifi_flags));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		const void *data = RTA_DATA(a);
		size_t len = RTA_PAYLOAD(a);

		n = 0;
		memcpy(&n, data, len < sizeof(n) ? len : sizeof(n));
		if (a->rta_type == IFLA_IFNAME)
			snprintf(name, sizeof(name), "%.*s", (int)len, (const char *)data);
		else if (a->rta_type == IFLA_MTU && !gone)
			json_object_set_new(r, "mtu", json_integer(n));
		else if (a->rta_type == IFLA_TXQLEN && !gone)
			json_object_set_new(r, "qlen", json_integer(n));
		else if ((a->rta_type & NLA_TYPE_MASK) == IFLA_XDP && !gone)
			add_xdp(r, a);
		else if (a->rta_type == IFLA_OPERSTATE && !gone)
			json_object_set_new(r, "operstate", json_string(netdev_operstate_name((uint8_t)n)));
	}
	json_object_set_new(r, "name", json_string(name));
	return r;
}

/* 0, or an exit status. */
static int one_message(const struct show *show, int fd, struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);
	json_t *r = NULL;

	if ((nlh->nlmsg_type == RTM_NEWLINK || nlh->nlmsg_type == RTM_DELLINK) && nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		r = link_record(nlh);
	if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error) {
		if (e->error != -ENOBUFS) {
			if (e->error == -ENOENT && show->cmd->netns)
				fprintf(stderr, "nsctl: there is no network namespace %s\n", show->cmd->netns);
			else
				fprintf(stderr, "nsctl: %s\n", strerror(-e->error));
			return NSCTL_REFUSED;
		}
		r = json_pack("{s:s}", "what", "overrun");
		ask_all(fd);
	}
	if (!r)
		return 0;
	show_event(show, r);
	json_decref(r);
	return fflush(show->out) ? NSCTL_REFUSED : 0;
}

int monitor_links(const struct nsctl *ctl, const struct show *show)
{
	struct nlmsghdr *buf = malloc(RECEIVE_MAX);
	int fd = connected(ctl->socket), status = 0;

	if (!buf || fd < 0 || join(fd, show->cmd->netns) < 0)
		status = -1;
	while (!status) {
		ssize_t n = recv(fd, buf, RECEIVE_MAX, 0);
		int len = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fputs("nsctl: netstackd has ended, or cut the connection\n", stderr);
			status = NSCTL_NO_DAEMON;
		}
		for (struct nlmsghdr *nlh = buf; !status && NLMSG_OK(nlh, (unsigned)len); nlh = NLMSG_NEXT(nlh, len))
			status = one_message(show, fd, nlh);
	}
	if (fd >= 0)
		close(fd);
	free(buf);
	return status;
}
