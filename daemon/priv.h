/* SPDX-License-Identifier: MIT */
/*
 * priv.h: privileges: what needs one is done by a small process of its own; the daemon keeps none.
 */
#ifndef DAEMON_PRIV_H
#define DAEMON_PRIV_H

#include "state.h"

struct priv;

#define PRIV_SOCKETS 2

/* What the host's end of a TAP should be. mtu or txqlen 0, addr family 0: leave alone. */
struct host_end {
	char            name[NS_IFNAMSIZ];
	int             ifindex; /* that the name has to mean, as names change hands; 0: whatever it means */
	uint32_t        mtu;
	uint32_t        txqlen; /* frames on its queue, our receive ring */
	bool            up;
	uint8_t         link_mode, operstate; /* IF_LINK_MODE_*, IF_OPER_*: what the state of our end makes of it; operstate 0: leave both alone */
	struct ipprefix addr, old_addr; /* old_addr: to be removed, when it is not addr */
};

/* Starts the helper. Before there is a second thread and before privileges are dropped. Paths may be NULL.
 * In the background it gives up stderr. 0 or -errno. */
int  priv_start(struct priv **ret, const char *config_path, const char *const sockets[PRIV_SOCKETS] /* to be removed at the end; NULL: none */, bool background);
/* Lets go: the helper removes the control socket and ends; waits for it. NULL is ignored. */
void priv_stop(struct priv *priv);
int  priv_fd(const struct priv *priv); /* readable when the helper has died */

/* Calls of the control thread, each answered by the helper; they take as long as the kernel needs. 0, or -errno with e saying what to do. */
int  priv_tap_open(struct priv *priv, const char *link, char host_name[NS_IFNAMSIZ] /* empty: the kernel chooses; filled */, unsigned nqueues, bool vnet,
		   int *fds, int *ret_ifindex /* the host's number of it */, struct conf_error *e);
int  priv_host_set(struct priv *priv, const struct host_end *end, struct conf_error *e);
int  priv_object_open(struct priv *priv, const char *path); /* a descriptor to read an eBPF object file; -ENOEXEC: it is none */
int  priv_config_open(struct priv *priv); /* a descriptor to read the configuration file, or -errno */

/* Gives up root: supplementary groups, user (user NULL: "netstackd", or "nobody" when there is none; "root" stays), every capability but CAP_IPC_LOCK, and the right to
 * get any by exec. group: one to keep (the control socket's), 0 for none. 0 or -errno with e. Before other threads are started. */
int  priv_drop(const char *user, gid_t group, struct conf_error *e);
/* The last capability too, when the rings are made. 0 or -errno. Before other threads are started. */
int  priv_drop_last(void);
/* Only the system calls that a running daemon needs, for all threads. 0 or -errno. */
int  priv_seccomp(void);

#endif
