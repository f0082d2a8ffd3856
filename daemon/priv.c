/* SPDX-License-Identifier: MIT */
/*
 * priv.c: staged isolation.
 *
 * Theory of operation. The daemon parses hostile packets, so it keeps no privilege at all. What needs one is done by a helper: a child forked before
 * anything else happens, which keeps CAP_NET_ADMIN alone and serves a few fixed requests over a socket pair: open the queues of a TAP, set the host's end of
 * a TAP that it opened, open the configuration file (the one path that it was told at the start), open eBPF object files (and no other files), and, when the daemon is
 * gone for whatever reason, remove the sockets. It never sees a packet, and of what the daemon could be made to ask, it does nothing to other interfaces or files.
 *
 * Why not ambient CAP_NET_ADMIN in the daemon: that capability alone could reroute, sniff and firewall the whole host; whoever got hold of a worker
 * would own the network. With the helper he can add TAPs.
 *
 * The helper keeps the user id that the daemon was started with, so that a configuration that only root reads can be reloaded and the control
 * socket's folder can be root's; both processes have no_new_privs and a seccomp filter. A system call that is not on the list fails with EPERM
 * (and is logged by the kernel's audit) instead of killing the process: a C library that tries something newer first must not take the network down,
 * and a call that fails gives an intruder nothing.
 *
 * Under the sanitizers there are no filters: their runtimes use system calls of their own.
 */
#include "priv.h"

#include "host_link.h"
#include "host_own.h"
#include "log.h"
#include "vnet.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TUN_PATH      "/dev/net/tun"
#define MAX_QUEUES    64
#define MAX_HOST_MTU  65535
#define MAX_TXQLEN    65536 /* the kernel takes any, and memory for it at once */
#define REPLY_SECONDS 10
#define MEMLOCK_BYTES (256u << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_FILTER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAVE_FILTER 0
#endif
#endif
#ifndef HAVE_FILTER
#define HAVE_FILTER 1
#endif

enum priv_op { PRIV_TAP_OPEN = 1, PRIV_HOST_SET, PRIV_CONFIG_OPEN, PRIV_OBJECT_OPEN };

struct priv_request {
	uint32_t        op;
	uint32_t        seq; /* comes back in the reply */
	uint32_t        nqueues;
	bool            vnet; /* frames have vnet headers */
	char            link[NS_IFNAMSIZ];
	struct host_end end; /* name: also the TAP's to open */
	char            path[XDP_PATH_MAX]; /* of an object file */
};

struct priv_reply {
	uint32_t seq;
	int  err;
	int  ifindex; /* the host's, of a TAP that was opened */
	char name[NS_IFNAMSIZ];
	char text[256];
};

struct priv {
	int      fd;
	pid_t    pid;
	uint32_t seq; /* of the last request: an answer that came too late for its request is not taken for another's */
};

struct helper {
	int         fd;
	const char *config_path;
	const char *sockets[PRIV_SOCKETS];
	struct stat files[PRIV_SOCKETS]; /* the sockets' */
	struct host_own own; /* TAPs that were opened */
	bool        background; /* keeps nobody's stderr open */
};

/* ---- the helper ------------------------------------------------------------------------------------------------------ */

static int reply_fail(struct priv_reply *r, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int reply_fail(struct priv_reply *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	r->err = err;
	return err;
}

static bool is_own(const struct helper *h, int ifindex)
{
	return host_own_has(&h->own, ifindex);
}

/* In this network namespace. One that was moved to another is out of reach for good, unless it comes back under a number that may be taken by then. */
static bool is_there(int ifindex)
{
	char name[IF_NAMESIZE];

	return if_indextoname((unsigned)ifindex, name) != NULL;
}

static int tun_open(struct priv_reply *r)
{
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return reply_fail(r, -ENODEV, TUN_PATH " is missing: load the kernel's module (modprobe tun); in a container, hand the device in");
	case EACCES:
	case EPERM:
		return reply_fail(r, -EACCES, "no permission to open " TUN_PATH ": start netstackd as root or by its systemd unit, or let its user read and write " TUN_PATH);
	case EMFILE:
	case ENFILE:
		return reply_fail(r, -errno, "out of file descriptors: raise the limit (ulimit -n, LimitNOFILE=) or use fewer queues");
	default:
		return reply_fail(r, -errno, "cannot open " TUN_PATH ": %s", strerror(errno));
	}
}

static int tun_refused(struct priv_reply *r, const char *name, int err)
{
	switch (err) {
	case -EPERM:
		return reply_fail(r, err, "creating a TAP needs CAP_NET_ADMIN: start netstackd as root or by its systemd unit, or make %s for its user beforehand "
				  "(ip tuntap add dev %s mode tap multi_queue vnet_hdr user NAME)", name[0] ? name : "it", name[0] ? name : "tap0");
	case -EBUSY:
		return reply_fail(r, err, "%s is in use by another program: choose another host-name, or end that program (ip -d link show %s)", name, name);
	case -EINVAL:
		return reply_fail(r, err, "%s cannot be opened as a TAP with several queues: remove it (ip link del %s), or choose another host-name", name, name);
	default:
		return reply_fail(r, err, "cannot open the TAP %s: %s", name, strerror(-err));
	}
}

static int tap_attach(int fd, char name[NS_IFNAMSIZ], unsigned nqueues, bool vnet)
{
	const int flags = IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0);
	struct ifreq ifr = { .ifr_flags = (short)(flags | IFF_MULTI_QUEUE) };

	memcpy(ifr.ifr_name, name, NS_IFNAMSIZ);
	if (!name[0])
		strcpy(ifr.ifr_name, "tap%d");
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		if (errno != EINVAL || nqueues != 1)
			return -errno;
		/* One that was made beforehand, without several queues. */
		ifr.ifr_flags = (short)flags;
		if (ioctl(fd, TUNSETIFF, &ifr) < 0)
			return -errno;
	}
	memcpy(name, ifr.ifr_name, NS_IFNAMSIZ);
	return 0;
}

static int helper_tap_open(struct helper *h, const struct priv_request *q, struct priv_reply *r, int *fds, unsigned *nfds)
{
	int vnet_len = (int)VNET_LEN, err;
	struct host_seen seen;

	memcpy(r->name, q->end.name, NS_IFNAMSIZ);
	if (q->nqueues < 1 || q->nqueues > MAX_QUEUES || strnlen(r->name, NS_IFNAMSIZ) == NS_IFNAMSIZ || strchr(r->name, '%') || strchr(r->name, '/'))
		return reply_fail(r, -EINVAL, "\"%.15s\" cannot be the name of a TAP", r->name);
	if (r->name[0] && !(host_link_find(r->name, &seen) == 0 && is_own(h, seen.ifindex))) {
		enum host_link_use use = host_link_use(r->name);

		if (use == HOST_LINK_OTHER)
			return reply_fail(r, -EEXIST, "there is a network interface %s already, and it is not a TAP: choose another host-name", r->name);
		if (use == HOST_LINK_BUSY_TAP)
			return tun_refused(r, r->name, -EBUSY);
	}
	for (*nfds = 0; *nfds < q->nqueues; (*nfds)++) {
		int fd = tun_open(r);

		if (fd < 0)
			return fd;
		fds[*nfds] = fd;
		err = tap_attach(fd, r->name, q->nqueues, q->vnet);
		if (err) {
			(*nfds)++;
			return tun_refused(r, r->name, err);
		}
	}
	if ((q->vnet && ioctl(fds[0], TUNSETVNETHDRSZ, &vnet_len) < 0) ||
	    ioctl(fds[0], TUNSETOFFLOAD, 0) < 0) /* link_dev.c goes on from there */
		return reply_fail(r, -errno, "the kernel's tun driver lacks what %s needs: %s", r->name, strerror(errno));
	err = host_link_find(r->name, &seen);
	if (err)
		return reply_fail(r, err, "cannot find the TAP %s that was just made: %s", r->name, strerror(-err));
	r->ifindex = seen.ifindex;
	err = host_own_add(&h->own, seen.ifindex, is_there);
	return err ? reply_fail(r, err, "no memory to remember the TAP %s", r->name) : 0;
}

static int helper_host_set(struct helper *h, const struct priv_request *q, struct priv_reply *r)
{
	struct host_end end = q->end;
	char text[ADDR_TEXT];
	struct host_seen seen;
	int err;

	err = strnlen(q->end.name, NS_IFNAMSIZ) == NS_IFNAMSIZ || q->end.mtu > MAX_HOST_MTU || q->end.txqlen > MAX_TXQLEN ? -EINVAL : host_link_find(q->end.name, &seen);
	if (!err && q->end.ifindex && q->end.ifindex != seen.ifindex)
		err = -ENODEV;
	if (!err && !is_own(h, seen.ifindex))
		return reply_fail(r, seen.tap ? -EPERM : -ENODEV, "%s is not a TAP of netstackd", q->end.name);
	if (!err) {
		end.ifindex = seen.ifindex; /* and no other that gets the name just now */
		err = host_link_set(&end);
	}
	if (err == -ENODEV)
		return reply_fail(r, err, "%s is no longer in this network namespace: its host end is left alone", q->end.name);
	if (err == -EPERM)
		return reply_fail(r, err, "setting up the host's end %s needs CAP_NET_ADMIN: start netstackd as root or by its systemd unit", q->end.name);
	if (err)
		return reply_fail(r, err, "cannot set up the host's end %s%s%s: %s", q->end.name, q->end.addr.addr.family ? " with " : "",
				  q->end.addr.addr.family ? prefix_text(&q->end.addr, text) : "", strerror(-err));
	return 0;
}

/* Whatever the daemon asks for, it gets eBPF object files only: the first bytes tell. */
static void helper_object_open(const struct priv_request *q, struct priv_reply *r, int *fds, unsigned *nfds)
{
	Elf64_Ehdr eh;
	struct stat st;
	int fd;

	if (strnlen(q->path, sizeof(q->path)) == sizeof(q->path)) {
		r->err = -ENAMETOOLONG;
		return;
	}
	if (stat(q->path, &st) == 0 && !S_ISREG(st.st_mode)) { /* opening alone does something to some devices (a watchdog) */
		r->err = -ENOEXEC;
		return;
	}
	fd = open(q->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		r->err = -errno;
		return;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || read(fd, &eh, sizeof(eh)) != (ssize_t)sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_machine != EM_BPF || lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		r->err = -ENOEXEC;
		return;
	}
	fds[0] = fd;
	*nfds = 1;
}

static void send_reply(int fd, const struct priv_reply *r, const int *fds, unsigned nfds)
{
	union { char buf[CMSG_SPACE(MAX_QUEUES * sizeof(int))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)r, .iov_len = sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static void helper_serve(struct helper *h, const struct priv_request *q)
{
	struct priv_reply r = { .seq = q->seq };
	int fds[MAX_QUEUES];
	unsigned nfds = 0;

	switch (q->op) {
	case PRIV_TAP_OPEN:
		helper_tap_open(h, q, &r, fds, &nfds);
		break;
	case PRIV_HOST_SET:
		helper_host_set(h, q, &r);
		break;
	case PRIV_CONFIG_OPEN:
		fds[0] = h->config_path ? open(h->config_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
		if (fds[0] < 0)
			r.err = h->config_path ? -errno : -ENOENT;
		else
			nfds = 1;
		break;
	case PRIV_OBJECT_OPEN:
		helper_object_open(q, &r, fds, &nfds);
		break;
	default:
		r.err = -EINVAL;
	}
	send_reply(h->fd, &r, fds, r.err ? 0 : nfds);
	for (unsigned i = 0; i < nfds; i++)
		close(fds[i]);
}

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);

		if (err < 0)
			return err;
	}
	return 0;
}

/* Nothing is created, and nothing but the known paths is worth opening. */
static int allow_open(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_CREAT | O_TRUNC | O_APPEND, 0));
}

#define ALWAYS                                                                                                                                      \
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),        \
	SCMP_SYS(mprotect), SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),                   \
	SCMP_SYS(rt_sigaction), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),                 \
	SCMP_SYS(restart_syscall), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(socket), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),      \
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(ioctl), SCMP_SYS(poll),      \
	SCMP_SYS(ppoll), SCMP_SYS(getrandom), SCMP_SYS(sched_yield)

static int filter_load(const int *calls, size_t n, bool threads)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!ctx)
		return -ENOMEM;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, threads);
	if (!err)
		err = allow(ctx, calls, n);
	if (!err)
		err = allow_open(ctx);
	if (!err) {
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1); /* an old kernel cannot: then nothing is logged */
		err = seccomp_load(ctx);
	}
	seccomp_release(ctx);
	return err;
}

static int keep_only(cap_value_t cap /* -1: none */)
{
	cap_t have = cap_get_proc(), want = cap_init();
	cap_flag_value_t permitted = CAP_CLEAR;
	int err = -ENOMEM;

	if (have && want) {
		if (cap >= 0)
			cap_get_flag(have, cap, CAP_PERMITTED, &permitted);
		if (permitted == CAP_SET) {
			cap_set_flag(want, CAP_PERMITTED, 1, &cap, CAP_SET);
			cap_set_flag(want, CAP_EFFECTIVE, 1, &cap, CAP_SET);
		}
		cap_reset_ambient();
		err = cap_set_proc(want) < 0 ? -errno : 0;
	}
	cap_free(have);
	cap_free(want);
	return err;
}

static void helper_isolate(void)
{
	static const int calls[] = { ALWAYS, SCMP_SYS(bind), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(uname), SCMP_SYS(getuid), SCMP_SYS(fcntl), SCMP_SYS(dup3) };

	if (keep_only(CAP_NET_ADMIN) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	if (HAVE_FILTER && filter_load(calls, sizeof(calls) / sizeof(calls[0]), false) < 0)
		log_msg(LOG_WARNING, "this kernel takes no seccomp filter: the helper runs without one");
}

static void helper_main(struct helper *h)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	struct priv_request q;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (null >= 0) { /* whoever reads our output waits for the daemon, not for the helper */
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	/* It needs one descriptor and its messages: not the listening socket, nor what the daemon was started with. */
	if (h->fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)h->fd - 1, 0);
	close_range((unsigned)h->fd + 1, ~0u, 0);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN); /* it ends when the daemon has ended, not with it */
	prctl(PR_SET_NAME, "netstackd-priv");
	helper_isolate(); /* what it has to say it says here */
	if (null >= 0 && h->background)
		dup3(STDIN_FILENO, STDERR_FILENO, 0);
	for (;;) {
		ssize_t n = recv(h->fd, &q, sizeof(q), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(q))
			break;
		q.link[NS_IFNAMSIZ - 1] = '\0';
		helper_serve(h, &q);
	}
	/* Only ours: another netstackd may have made its own there by now. */
	for (unsigned i = 0; i < PRIV_SOCKETS; i++)
		if (h->sockets[i] && lstat(h->sockets[i], &st) == 0 && st.st_dev == h->files[i].st_dev && st.st_ino == h->files[i].st_ino)
			unlink(h->sockets[i]);
	_exit(0);
}

/* ---- the daemon's side ------------------------------------------------------------------------------------------------ */

int priv_start(struct priv **ret, const char *config_path, const char *const sockets[PRIV_SOCKETS], bool background)
{
	struct priv *priv = malloc(sizeof(*priv));
	struct timeval tv = { .tv_sec = REPLY_SECONDS };
	int fd[2], err;

	if (!priv)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0) {
		err = -errno;
		free(priv);
		return err;
	}
	priv->pid = fork();
	if (priv->pid < 0) {
		err = -errno;
		close(fd[0]);
		close(fd[1]);
		free(priv);
		return err;
	}
	if (priv->pid == 0) {
		static struct helper helper;

		close(fd[0]);
		helper = (struct helper){ .fd = fd[1], .config_path = config_path, .background = background };
		for (unsigned i = 0; i < PRIV_SOCKETS; i++)
			helper.sockets[i] = sockets[i] && lstat(sockets[i], &helper.files[i]) == 0 ? sockets[i] : NULL;
		helper_main(&helper);
	}
	close(fd[1]);
	priv->fd = fd[0];
	priv->seq = 0;
	setsockopt(priv->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*ret = priv;
	return 0;
}

void priv_stop(struct priv *priv)
{
	if (!priv)
		return;
	close(priv->fd);
	while (waitpid(priv->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(priv);
}

int priv_fd(const struct priv *priv)
{
	return priv->fd;
}

/* One reply with its descriptors. False: the helper is gone, or does not answer in time. */
static bool receive(struct priv *priv, struct priv_reply *r, int *fds, unsigned *nfds, bool *ret_truncated)
{
	union { char buf[CMSG_SPACE(MAX_QUEUES * sizeof(int))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = r, .iov_len = sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control) };
	ssize_t n;

	*nfds = 0;
	do
		n = recvmsg(priv->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*r))
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
	}
	*ret_truncated = (msg.msg_flags & MSG_CTRUNC) != 0;
	return true;
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* On failure no descriptor is left open. */
static int call(struct priv *priv, struct priv_request *q, struct priv_reply *r, int *fds, unsigned *nfds)
{
	bool truncated;

	memset(r, 0, sizeof(*r));
	*nfds = 0;
	q->seq = ++priv->seq;
	if (send(priv->fd, q, sizeof(*q), MSG_NOSIGNAL) != (ssize_t)sizeof(*q))
		goto gone;
	for (;;) {
		if (!receive(priv, r, fds, nfds, &truncated))
			goto gone;
		if (r->seq == q->seq)
			break;
		close_all(fds, *nfds);
	}
	if (truncated) {
		snprintf(r->text, sizeof(r->text), "out of file descriptors: raise the limit (ulimit -n, LimitNOFILE=)");
		r->err = -EMFILE;
	}
	if (r->err)
		close_all(fds, *nfds);
	return r->err;

gone:
	snprintf(r->text, sizeof(r->text), "the privileged helper does not answer: restart netstackd to add or change links");
	return r->err = -EPIPE;
}

static int failed(const struct priv_reply *r, struct conf_error *e)
{
	return conf_fail(e, r->err, "%s", r->text[0] ? r->text : strerror(-r->err));
}

int priv_tap_open(struct priv *priv, const char *link, char host_name[NS_IFNAMSIZ], unsigned nqueues, bool vnet, int *fds, int *ret_ifindex,
		  struct conf_error *e)
{
	struct priv_request q = { .op = PRIV_TAP_OPEN, .nqueues = nqueues, .vnet = vnet };
	int got[MAX_QUEUES], err;
	struct priv_reply r;
	unsigned n;

	snprintf(q.link, sizeof(q.link), "%s", link);
	memcpy(q.end.name, host_name, NS_IFNAMSIZ);
	err = call(priv, &q, &r, got, &n);
	if (!err && n != nqueues) {
		close_all(got, n);
		snprintf(r.text, sizeof(r.text), "out of file descriptors");
		err = r.err = -EMFILE;
	}
	if (err)
		return failed(&r, e);
	memcpy(fds, got, n * sizeof(int));
	memcpy(host_name, r.name, NS_IFNAMSIZ);
	*ret_ifindex = r.ifindex;
	return 0;
}

int priv_host_set(struct priv *priv, const struct host_end *end, struct conf_error *e)
{
	struct priv_request q = { .op = PRIV_HOST_SET, .end = *end };
	int fds[MAX_QUEUES];
	struct priv_reply r;
	unsigned n;

	return call(priv, &q, &r, fds, &n) ? failed(&r, e) : 0;
}

int priv_config_open(struct priv *priv)
{
	struct priv_request q = { .op = PRIV_CONFIG_OPEN };
	int fds[MAX_QUEUES], err;
	struct priv_reply r;
	unsigned n;

	err = call(priv, &q, &r, fds, &n);
	return err ? err : n == 1 ? fds[0] : -EMFILE;
}

int priv_object_open(struct priv *priv, const char *path)
{
	struct priv_request q = { .op = PRIV_OBJECT_OPEN };
	int fds[MAX_QUEUES], err;
	struct priv_reply r;
	unsigned n;

	if (strlen(path) >= sizeof(q.path))
		return -ENAMETOOLONG;
	strcpy(q.path, path);
	err = call(priv, &q, &r, fds, &n);
	return err ? err : n == 1 ? fds[0] : -EMFILE;
}

/*
 * io_uring's registered memory counts as locked, for all processes of the user together: with another daemon or two of the same user a common limit of 8 MiB is used up.
 * A ring that is made with CAP_IPC_LOCK is exempt (priv_drop keeps it for so long); for a start without: as much as there is the right to.
 */
static void raise_memlock(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_MEMLOCK, &r) < 0 || r.rlim_cur >= MEMLOCK_BYTES)
		return;
	if (r.rlim_max < MEMLOCK_BYTES && setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ MEMLOCK_BYTES, MEMLOCK_BYTES }) == 0)
		return;
	r.rlim_cur = r.rlim_max < MEMLOCK_BYTES ? r.rlim_max : MEMLOCK_BYTES;
	setrlimit(RLIMIT_MEMLOCK, &r);
}

int priv_drop(const char *user, gid_t group, struct conf_error *e)
{
	const struct passwd *pw;

	raise_memlock();
	if (geteuid() == 0 && !(user && strcmp(user, "root") == 0)) {
		pw = getpwnam(user ? user : "netstackd");
		if (!pw && !user)
			pw = getpwnam("nobody");
		if (!pw)
			return conf_fail(e, -ENOENT, "there is no user %s to run as", user ? user : "netstackd, nor nobody,");
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		if (setgroups(group ? 1 : 0, &group) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
			return conf_fail(e, -errno, "cannot become user %s: %s", pw->pw_name, strerror(errno));
	}
	if (keep_only(CAP_IPC_LOCK) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return conf_fail(e, -errno, "cannot give up privileges: %s", strerror(errno));
	return 0;
}

int priv_drop_last(void)
{
	return keep_only(-1);
}

int priv_seccomp(void)
{
	static const int calls[] = {
		ALWAYS, SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(fcntl), SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(shutdown),
		SCMP_SYS(connect), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_settime),
		SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(wait4), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
		SCMP_SYS(memfd_create), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sysinfo),
		SCMP_SYS(sigaltstack), SCMP_SYS(dup3), SCMP_SYS(uname), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), /* of the rings that are there: tap_uring.c */
	};

	return HAVE_FILTER ? filter_load(calls, sizeof(calls) / sizeof(calls[0]), true) : 0;
}
