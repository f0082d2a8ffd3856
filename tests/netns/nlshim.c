/* SPDX-License-Identifier: MIT */
/*
 * nlshim.c: preloaded into an unmodified program (LD_PRELOAD), it gives it netstackd's rtnetlink socket (NSNL_SOCKET: its path) in the place of the kernel's
 * NETLINK_ROUTE. What the messages say is not touched; only the calls that are about the socket itself are translated (conf/netlink_proto.h). For tests.
 */
#define _GNU_SOURCE
#include "../../conf/netlink_proto.h"
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FDS 1024

static struct sockaddr_nl bound[MAX_FDS]; /* nl_family is 0 where the descriptor is none of ours */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int ours(int fd)
{
	return fd >= 0 && fd < MAX_FDS && bound[fd].nl_family;
}

int socket(int family, int type, int protocol)
{
	const char *path = getenv("NSNL_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (family != AF_NETLINK || protocol != NETLINK_ROUTE || !path)
		return REAL(socket)(family, type, protocol);
	fd = REAL(socket)(AF_UNIX, SOCK_SEQPACKET | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), 0);
	if (fd < 0 || fd >= MAX_FDS)
		return fd;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		return -1;
	}
	bound[fd] = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = (uint32_t)getpid() };
	return fd;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (!ours(fd))
		return REAL(bind)(fd, addr, len);
	bound[fd].nl_groups = ((const struct sockaddr_nl *)(const void *)addr)->nl_groups;
	return send(fd, &bound[fd], sizeof(bound[fd]), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	if (!ours(fd))
		return REAL(getsockname)(fd, addr, len);
	memcpy(addr, &bound[fd], *len < sizeof(bound[fd]) ? *len : sizeof(bound[fd]));
	*len = sizeof(bound[fd]);
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct { struct nlmsghdr h; int32_t level, name, value; } m = { .h = { .nlmsg_len = sizeof(m), .nlmsg_type = NSNL_SOCKOPT, .nlmsg_flags = NLM_F_REQUEST } };

	if (!ours(fd) || level != SOL_NETLINK)
		return REAL(setsockopt)(fd, level, name, value, len);
	m.level = level;
	m.name = name;
	memcpy(&m.value, value, len < sizeof(m.value) ? len : sizeof(m.value));
	return send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	socklen_t room = msg->msg_name ? msg->msg_namelen : 0;
	ssize_t n = REAL(recvmsg)(fd, msg, flags);

	if (n >= 0 && ours(fd) && msg->msg_name) {
		memcpy(msg->msg_name, &kernel, room < sizeof(kernel) ? room : sizeof(kernel));
		msg->msg_namelen = sizeof(kernel);
	}
	return n;
}
