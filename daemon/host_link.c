/* SPDX-License-Identifier: MIT */
/*
 * host_link.c: the host's end of a TAP: its address, MTU and state, by rtnetlink through libnl-3.
 *
 * Nothing has to be undone at the end: a TAP that is not persistent goes away with its last descriptor, and its addresses with it.
 *
 * Not done here: following what the host does to its end afterwards (host_watch.c).
 */
#include "host_link.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/time.h>
#include <sys/socket.h>

static int errno_of(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : nlerr) {
	case 0:
		return 0;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_INVAL:
	case NLE_RANGE:
		return -EINVAL;
	case NLE_NOADDR:
		return -EADDRNOTAVAIL;
	default:
		return -EIO;
	}
}

static struct nl_sock *nl_open(int *ret_err)
{
	struct nl_sock *sk = nl_socket_alloc();

	*ret_err = sk ? errno_of(nl_connect(sk, NETLINK_ROUTE)) : -ENOMEM;
	if (*ret_err && sk) {
		nl_socket_free(sk);
		sk = NULL;
	}
	return sk;
}

/* ---- what is there ------------------------------------------------------------------------------------------------- */

/* libnl-route knows nothing of IFLA_TUN_*, so the message is taken apart here. */
int host_link_parse(const struct nlmsghdr *nlh, struct host_seen *ret)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *tun[IFLA_TUN_MAX + 1];
	struct nlmsghdr *msg = (struct nlmsghdr *)(uintptr_t)nlh; /* libnl does not change it */
	struct ifinfomsg *ifi;

	memset(ret, 0, sizeof(*ret));
	if (nlmsg_parse(msg, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0)
		return -EINVAL;
	ifi = nlmsg_data(msg);
	ret->ifindex = ifi->ifi_index;
	ret->flags = ifi->ifi_flags;
	if (tb[IFLA_IFNAME])
		nla_strlcpy(ret->name, tb[IFLA_IFNAME], sizeof(ret->name));
	if (tb[IFLA_MTU] && nla_len(tb[IFLA_MTU]) >= 4)
		ret->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_TXQLEN])
		ret->txqlen = nla_get_u32(tb[IFLA_TXQLEN]);
	if (tb[IFLA_OPERSTATE])
		ret->operstate = nla_get_u8(tb[IFLA_OPERSTATE]);
	if (tb[IFLA_LINKMODE])
		ret->link_mode = nla_get_u8(tb[IFLA_LINKMODE]);
	if (!tb[IFLA_LINKINFO] || nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) < 0)
		return 0;
	if (!info[IFLA_INFO_KIND] || nla_strcmp(info[IFLA_INFO_KIND], "tun") != 0 || !info[IFLA_INFO_DATA] ||
	    nla_parse_nested(tun, IFLA_TUN_MAX, info[IFLA_INFO_DATA], NULL) < 0)
		return 0;
	ret->tap = tun[IFLA_TUN_TYPE] && nla_get_u8(tun[IFLA_TUN_TYPE]) == IFF_TAP;
	if (tun[IFLA_TUN_NUM_QUEUES])
		ret->used = nla_get_u32(tun[IFLA_TUN_NUM_QUEUES]) > 0;
	else /* one queue only: carrier is there while a program holds it */
		ret->used = (ret->flags & IFF_UP) && tb[IFLA_CARRIER] && nla_get_u8(tb[IFLA_CARRIER]);
	return 0;
}

static int on_link(struct nl_msg *msg, void *arg)
{
	return host_link_parse(nlmsg_hdr(msg), arg) < 0 ? NL_SKIP : NL_OK;
}

static int link_now(struct nl_sock *sk, const char *name, struct host_seen *ret)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	int err;

	memset(ret, 0, sizeof(*ret));
	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 || nla_put_string(msg, IFLA_IFNAME, name) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	err = nl_send_auto(sk, msg);
	nlmsg_free(msg);
	if (err < 0)
		return errno_of(err);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_link, ret);
	err = nl_recvmsgs_default(sk); /* the link */
	if (err >= 0 && ret->ifindex)
		err = nl_wait_for_ack(sk);
	return err < 0 ? errno_of(err) : ret->ifindex ? 0 : -ENODEV;
}

int host_link_find(const char *name, struct host_seen *ret)
{
	int err;
	struct nl_sock *sk = nl_open(&err);

	if (!sk)
		return err;
	err = link_now(sk, name, ret);
	nl_socket_free(sk);
	return err;
}

enum host_link_use host_link_use(const char *name)
{
	struct host_seen now;
	int err;
	struct nl_sock *sk = nl_open(&err);

	if (!sk)
		return if_nametoindex(name) ? HOST_LINK_OTHER : HOST_LINK_NONE;
	err = link_now(sk, name, &now);
	nl_socket_free(sk);
	if (err)
		return HOST_LINK_NONE;
	return !now.tap ? HOST_LINK_OTHER : now.used ? HOST_LINK_BUSY_TAP : HOST_LINK_FREE_TAP;
}

/* Without libnl: its sockets are bound. */
int host_link_queue(int ifindex, const char *name, uint64_t *ret_dropped, uint32_t *ret_len)
{
	struct {
		struct nlmsghdr  h;
		struct ifinfomsg ifi;
	} q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 1 }, .ifi.ifi_index = ifindex };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_sec = 1 };
	union { struct nlmsghdr h; char b[8192]; } buf;
	struct nlattr *tb[IFLA_MAX + 1];
	struct rtnl_link_stats64 stats;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = -ENODEV;
	ssize_t n;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (sendto(fd, &q, sizeof(q), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 || (n = recv(fd, &buf, sizeof(buf), 0)) < 0) {
		err = -errno;
	} else if (nlmsg_ok(&buf.h, (int)n) && buf.h.nlmsg_type == RTM_NEWLINK && nlmsg_parse(&buf.h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) >= 0 &&
		   tb[IFLA_IFNAME] && strcmp(nla_get_string(tb[IFLA_IFNAME]), name) == 0 && tb[IFLA_STATS64] && nla_len(tb[IFLA_STATS64]) >= (int)sizeof(stats)) {
		memcpy(&stats, nla_data(tb[IFLA_STATS64]), sizeof(stats));
		*ret_dropped = stats.tx_dropped;
		if (ret_len)
			*ret_len = tb[IFLA_TXQLEN] ? nla_get_u32(tb[IFLA_TXQLEN]) : 0;
		err = 0;
	}
	close(fd);
	return err;
}

/* ---- making it so ----------------------------------------------------------------------------------------------------- */

static bool has_addr(const char *name, const struct ipprefix *p)
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr, *m = (const void *)i->ifa_netmask;

		found = a && m && a->sin_family == AF_INET && strcmp(i->ifa_name, name) == 0 && a->sin_addr.s_addr == p->addr.v4 &&
			__builtin_popcount(m->sin_addr.s_addr) == p->len;
	}
	freeifaddrs(list);
	return found;
}

static int change_addr(struct nl_sock *sk, int ifindex, const struct ipprefix *p, bool add)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(p->addr.family, p->addr.b, p->addr.family == AF_INET ? 4 : 16);
	int err = -ENOMEM;

	if (addr && local) {
		nl_addr_set_prefixlen(local, p->len);
		rtnl_addr_set_ifindex(addr, ifindex);
		err = errno_of(rtnl_addr_set_local(addr, local));
		if (!err && add && p->addr.family == AF_INET && p->len < 31) {
			be32 all = p->addr.v4 | cpu_to_be32(UINT32_MAX >> p->len);
			struct nl_addr *bcast = nl_addr_build(AF_INET, &all, 4);

			if (bcast) {
				rtnl_addr_set_broadcast(addr, bcast);
				nl_addr_put(bcast);
			}
		}
		if (!err)
			err = errno_of(add ? rtnl_addr_add(sk, addr, NLM_F_CREATE) : rtnl_addr_delete(sk, addr, 0));
	}
	if (local)
		nl_addr_put(local);
	if (addr)
		rtnl_addr_put(addr);
	if (add && err == -EEXIST)
		err = 0;
	return err;
}

static int change_link(struct nl_sock *sk, int ifindex, uint32_t mtu, uint32_t txqlen, bool up)
{
	struct rtnl_link *orig = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int err = -ENOMEM;

	if (orig && change) {
		rtnl_link_set_ifindex(orig, ifindex);
		if (mtu)
			rtnl_link_set_mtu(change, mtu);
		if (txqlen)
			rtnl_link_set_txqlen(change, txqlen);
		if (up)
			rtnl_link_set_flags(change, IFF_UP);
		err = errno_of(rtnl_link_change(sk, orig, change, 0));
	}
	if (orig)
		rtnl_link_put(orig);
	if (change)
		rtnl_link_put(change);
	return err;
}

/* The kernel changes the state only where that makes sense (DORMANT to UP with a carrier, say), and says nothing when it does not. */
static int change_oper(struct nl_sock *sk, int ifindex, uint8_t link_mode, uint8_t operstate)
{
	struct rtnl_link *orig = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int err = -ENOMEM;

	if (orig && change) {
		rtnl_link_set_ifindex(orig, ifindex);
		rtnl_link_set_linkmode(change, link_mode);
		rtnl_link_set_operstate(change, operstate);
		err = errno_of(rtnl_link_change(sk, orig, change, 0));
	}
	if (orig)
		rtnl_link_put(orig);
	if (change)
		rtnl_link_put(change);
	return err;
}

int host_link_set(const struct host_end *end)
{
	struct host_seen now;
	int err;
	struct nl_sock *sk = nl_open(&err);

	if (!sk)
		return err;
	err = link_now(sk, end->name, &now);
	if (!err && (!now.tap || (end->ifindex && end->ifindex != now.ifindex))) /* the name has gone over to another interface, which is none of ours */
		err = -ENODEV;
	if (err)
		goto out;
	if ((end->mtu && end->mtu != now.mtu) || (end->txqlen && end->txqlen != now.txqlen) || (end->up && !(now.flags & IFF_UP)))
		err = change_link(sk, now.ifindex, end->mtu != now.mtu ? end->mtu : 0, end->txqlen != now.txqlen ? end->txqlen : 0, end->up);
	if (!err && end->operstate && (end->operstate != now.operstate || end->link_mode != now.link_mode))
		err = change_oper(sk, now.ifindex, end->link_mode, end->operstate);
	if (!err && end->old_addr.addr.family && has_addr(end->name, &end->old_addr))
		err = change_addr(sk, now.ifindex, &end->old_addr, false);
	if (!err && end->addr.addr.family && !has_addr(end->name, &end->addr))
		err = change_addr(sk, now.ifindex, &end->addr, true);
out:
	nl_socket_free(sk);
	return err;
}
