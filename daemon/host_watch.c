/* SPDX-License-Identifier: MIT */
/*
 * host_watch.c: following what the host does to its ends of our TAPs.
 *
 * Theory of operation. A rtnetlink socket in the group of links says what happens to the interfaces of the network namespace that netstackd was started in. All that has
 * come is read first, into conf_link.host, and then acted on once: of many events only the last state counts, and what we did ourselves a moment ago
 * (making a TAP, setting its MTU) has its last event read by the time anything is compared. What the host does means for the link at the other end of the cable:
 *
 *   down, up     the cable is pulled out, put in again: carrier, by way of linkwatch. Routes and addresses stay.
 *   renamed      the link's host-name is the new name: shown, saved, used.
 *   MTU          both ends of a cable want one MTU: who changes it on the host means ours, too. It is saved as ours. One that a link cannot have is logged only.
 *   deleted      the device is gone: no carrier, state NOTPRESENT. It is not made anew by itself, as who deleted it wanted it gone: "link set DEV up" does, a
 *                reload does, and a TAP that somebody makes with its name is taken up again, for which it is tried RETRIES times, as he may still hold it.
 *   moved        to another network namespace: frames go on, and nothing more is known about it here.
 *
 * When there were more events than the socket could hold (ENOBUFS), all links are asked for again; a TAP of ours that is not among them is gone.
 *
 * A host's interface is ours if its number is that of the TAP that we opened; names change hands.
 *
 * Invariant: nothing here waits: the socket does not block, and a dump is a request like any other.
 */
#include "host_watch.h"

#include "daemon.h"
#include "host_link.h"
#include "links.h"
#include "log.h"
#include "tap.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE   32768 /* the kernel's datagrams are at most that */
#define READ_MANY   4096 /* datagrams before what they said is looked at all the same */
#define RETRIES     10
#define RETRY_USEC  500000

struct host_watch {
	struct nl_sock *sk;
	struct event   *event, *retry_event;
	bool            again; /* a dump is wanted: none can be asked for while one is under way */
	bool            dumping;
	uint32_t        dump_seq;
	char            buf[READ_SIZE];
};

static struct conf_link *link_by_host(struct daemon *d, int host_ifindex)
{
	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st))
		for (unsigned i = 0; i < st->nlinks; i++)
			if (st->links[i].host.ifindex == host_ifindex && host_ifindex)
				return &st->links[i];
	return NULL;
}

/* Whether the device of our queues still is; *name: what it is called now, wherever that is. */
static bool tap_lives(const struct tap *tap, char name[NS_IFNAMSIZ])
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	if (!tap || !tap->nqueues || ioctl(tap->fd[0], TUNGETIFF, &ifr) < 0)
		return false;
	memcpy(name, ifr.ifr_name, NS_IFNAMSIZ);
	name[NS_IFNAMSIZ - 1] = '\0';
	return true;
}

static void see_gone(struct conf_link *cl)
{
	char name[NS_IFNAMSIZ];

	if (tap_lives(cl->tap, name)) {
		cl->host.down = false; /* in another namespace: who put it there will switch it on */
		cl->host.changed = true; /* that it went down on the way may have been seen and followed before */
		return;
	}
	cl->host.gone = cl->host.changed = true;
	cl->host.ifindex = 0;
}

/* Somebody has made a TAP with the name that one of ours had: it is for us. */
static void see_stranger(struct daemon *d, const struct host_seen *seen)
{
	if (!seen->tap)
		return;
	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st))
		for (unsigned i = 0; i < st->nlinks; i++) {
			struct conf_link *cl = &st->links[i];
			const struct link_conf *link = netcfg_link_by_index(st->cfg, cl->ifindex);

			if (cl->host.gone && link && strcmp(link->host_name, seen->name) == 0)
				cl->host.retries = RETRIES;
		}
}

static void see_link(struct daemon *d, const struct nlmsghdr *nlh)
{
	struct conf_link *cl;
	struct host_seen seen;

	if (host_link_parse(nlh, &seen) < 0)
		return;
	cl = link_by_host(d, seen.ifindex);
	if (!cl) {
		if (nlh->nlmsg_type == RTM_NEWLINK)
			see_stranger(d, &seen);
		return;
	}
	if (nlh->nlmsg_type == RTM_DELLINK) {
		see_gone(cl);
		return;
	}
	cl->host.present = true; /* for a dump */
	cl->host.down = !(seen.flags & IFF_UP);
	cl->host.changed = true;
	if (seen.mtu)
		cl->host.mtu = seen.mtu;
	memcpy(cl->host.name, seen.name, sizeof(cl->host.name));
}

/* ---- what follows --------------------------------------------------------------------------------------------------------------- */

static void follow_name_and_mtu(struct conf_state *st, struct conf_link *cl)
{
	struct link_conf link = *netcfg_link_by_index(st->cfg, cl->ifindex);
	struct conf_error e;

	if (strcmp(link.host_name, cl->host.name) != 0) {
		log_link(LOG_NOTICE, cl->name, "%s: its host end %s is called %s now", cl->name, link.host_name, cl->host.name);
		memcpy(link.host_name, cl->host.name, sizeof(link.host_name));
		if (conf_link_change(st, &link, &e) < 0) {
			log_link(LOG_WARNING, cl->name, "%s: %s", cl->name, e.text);
			link = *netcfg_link_by_index(st->cfg, cl->ifindex);
			memcpy(cl->host.name, link.host_name, sizeof(cl->host.name));
		}
	}
	if (cl->host.mtu && cl->host.mtu != cl->host.mtu_told && cl->host.mtu != link.mtu) {
		uint32_t old = link.mtu;

		link.mtu = cl->host.mtu;
		if (conf_link_change(st, &link, &e) == 0)
			log_link(LOG_NOTICE, cl->name, "%s: MTU %u, as the host has set it on %s", cl->name, link.mtu, link.host_name);
		else
			log_link(LOG_WARNING, cl->name, "%s: the host has set MTU %u on %s, and it stays %u here: %s", cl->name, link.mtu, link.host_name, old, e.text);
	}
	cl->host.mtu_told = cl->host.mtu;
}

static void try_later(struct daemon *d)
{
	struct timeval tv = { .tv_usec = RETRY_USEC };

	if (d->host_watch->retry_event)
		evtimer_add(d->host_watch->retry_event, &tv);
}

/* A TAP of ours has been made again by somebody: take it up. */
static void revive(struct daemon *d)
{
	bool again = false;

	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st))
		for (unsigned i = 0; i < st->nlinks; i++) {
			const struct conf_link *cl = &st->links[i];
			struct conf_error e;
			int err;

			if (!cl->host.gone || !cl->host.retries)
				continue;
			again = true;
			if (apply_busy(d))
				continue;
			st->links[i].host.retries--;
			err = apply_revive(d, st, cl->ifindex, &e);
			cl = &st->links[i]; /* a change that is taken back has brought the old list back */
			if (!err)
				log_link(LOG_NOTICE, cl->name, "%s: its TAP is back", cl->name);
			else if (!cl->host.retries)
				log_link(LOG_WARNING, cl->name, "%s: a TAP with the name of its host end is there again, but: %s", cl->name, e.text);
		}
	if (again)
		try_later(d);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	revive(arg);
}

static void act(struct daemon *d)
{
	bool wants = false;

	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st)) {
		bool changed = false;

		for (unsigned i = 0; i < st->nlinks; i++) {
			struct conf_link *cl = &st->links[i];

			wants |= cl->host.gone && cl->host.retries;
			if (!cl->host.changed)
				continue;
			cl->host.changed = false;
			changed = true;
			if (cl->host.gone)
				links_say_gone(st, cl);
			else
				follow_name_and_mtu(st, cl);
		}
		if (changed)
			links_changed(d, st);
	}
	if (wants)
		revive(d);
}

/* ---- the socket -------------------------------------------------------------------------------------------------------------------- */

static void ask_all(struct daemon *d)
{
	struct host_watch *hw = d->host_watch;
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct { struct nlmsghdr nlh; struct ifinfomsg ifi; } q = {
		.nlh = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = ++hw->dump_seq }, .ifi = ifi,
	};

	hw->again = hw->dumping;
	if (hw->dumping)
		return; /* the kernel says EBUSY to a second one: when this one has ended */
	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st))
		for (unsigned i = 0; i < st->nlinks; i++)
			st->links[i].host.present = false;
	if (send(nl_socket_get_fd(hw->sk), &q, sizeof(q), MSG_DONTWAIT) == (ssize_t)sizeof(q))
		hw->dumping = true;
	else
		log_msg(LOG_WARNING, "cannot ask the host for its links: %s", strerror(errno));
}

static void dump_ended(struct daemon *d, bool failed)
{
	struct host_watch *hw = d->host_watch;

	hw->dumping = false;
	if (hw->again) {
		ask_all(d);
		return;
	}
	if (failed)
		return;
	for (struct conf_state *st = links_next(d, NULL); st; st = links_next(d, st))
		for (unsigned i = 0; i < st->nlinks; i++)
			if (st->links[i].host.ifindex && !st->links[i].host.present)
				see_gone(&st->links[i]);
}

static void see_messages(struct daemon *d, struct nlmsghdr *nlh, int len)
{
	struct host_watch *hw = d->host_watch;

	for (; nlmsg_ok(nlh, len); nlh = nlmsg_next(nlh, &len)) {
		bool of_dump = hw->dumping && nlh->nlmsg_seq == hw->dump_seq && nlh->nlmsg_seq;

		if (nlh->nlmsg_type == RTM_NEWLINK || nlh->nlmsg_type == RTM_DELLINK)
			see_link(d, nlh);
		if (of_dump && (nlh->nlmsg_flags & NLM_F_DUMP_INTR))
			hw->again = true;
		if (of_dump && (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR))
			dump_ended(d, nlh->nlmsg_type == NLMSG_ERROR);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct host_watch *hw = d->host_watch;

	(void)what;
	for (unsigned n = 0; n < READ_MANY; n++) {
		struct sockaddr_nl from = { .nl_family = 0 };
		socklen_t fromlen = sizeof(from);
		ssize_t len = recvfrom(fd, hw->buf, sizeof(hw->buf), MSG_DONTWAIT, (struct sockaddr *)&from, &fromlen);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			log_msg(LOG_NOTICE, "the host's link events came faster than they were read: asking for all links again");
			ask_all(d);
			continue;
		}
		if (len < 0 && errno != EAGAIN) {
			log_msg(LOG_ERR, "the host's links are no longer followed: %s", strerror(errno));
			event_del(hw->event);
		}
		if (len <= 0)
			break;
		if (from.nl_pid == 0) /* from the kernel */
			see_messages(d, (struct nlmsghdr *)(void *)hw->buf, (int)len);
	}
	act(d);
}

int host_watch_open(struct daemon *d)
{
	struct host_watch *hw = calloc(1, sizeof(*hw));
	int err = hw ? 0 : -ENOMEM;

	if (!err) {
		hw->sk = nl_socket_alloc();
		err = hw->sk ? 0 : -ENOMEM;
	}
	if (!err && (nl_connect(hw->sk, NETLINK_ROUTE) < 0 || nl_socket_add_membership(hw->sk, RTNLGRP_LINK) < 0 || nl_socket_set_nonblocking(hw->sk) < 0))
		err = -EIO;
	if (err) {
		if (hw && hw->sk)
			nl_socket_free(hw->sk);
		free(hw);
		return err;
	}
	d->host_watch = hw;
	return 0;
}

int host_watch_start(struct daemon *d)
{
	struct host_watch *hw = d->host_watch;

	if (!hw)
		return 0;
	hw->event = event_new(d->base, nl_socket_get_fd(hw->sk), EV_READ | EV_PERSIST, on_readable, d);
	hw->retry_event = evtimer_new(d->base, on_retry, d);
	return hw->event && hw->retry_event && event_add(hw->event, NULL) == 0 ? 0 : -ENOMEM;
}

void host_watch_stop(struct daemon *d)
{
	struct host_watch *hw = d->host_watch;

	if (!hw)
		return;
	if (hw->event)
		event_free(hw->event);
	if (hw->retry_event)
		event_free(hw->retry_event);
	nl_socket_free(hw->sk);
	free(hw);
	d->host_watch = NULL;
}
