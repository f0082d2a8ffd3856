/* SPDX-License-Identifier: MIT */
/*
 * xdp.h: XDP programs of links: from "link set DEV xdp FILE" to a machine on every worker. All on the control thread but for xdp_apply.
 */
#ifndef DAEMON_XDP_H
#define DAEMON_XDP_H

#include "ebpf.h"

struct claim;
struct cmd;
struct conf_error;
struct conf_state;
struct daemon;
struct link_conf;
struct worker;

#define XDP_PATH_MAX 256

/* A loaded program and its machines, one a worker; for one link. Counted references, control thread only. */
struct xdp_prog {
	unsigned          refs, ncpu;
	char              dev[NS_IFNAMSIZ]; /* the name of the link when it was loaded, for messages */
	uint32_t          id; /* 0: it was never attached */
	char              name[EBPF_NAME]; /* the function's */
	uint64_t          digest; /* of the object file */
	struct ebpf_prog *prog;
	struct ebpf_vm   *vm[];
};

struct conf_xdp { /* what is configured */
	char             dev[NS_IFNAMSIZ], path[XDP_PATH_MAX], section[EBPF_NAME]; /* section empty: not said */
	struct xdp_prog *prog; /* a reference */
};

struct xdp_list { /* a part of struct conf_state */
	struct conf_xdp *v;
	unsigned         n;
};

struct xdp_port { uint32_t netns; int ifindex; struct xdp_prog *prog; }; /* where a program is attached */
struct xdp_ports { /* a part of struct daemon */
	struct xdp_port *v;
	unsigned         n;
	uint32_t         made; /* programs that have been attached so far */
};

/* For conf_begin and the like. copy: 0 or -ENOMEM. */
int  xdp_list_copy(struct xdp_list *to, const struct xdp_list *from);
void xdp_list_free(struct xdp_list *list); /* empty afterwards */
const struct conf_xdp *xdp_list_find(const struct xdp_list *list, const char *dev); /* NULL: none */
void xdp_list_del(struct xdp_list *list, const char *dev);
void xdp_list_rename(struct xdp_list *list, const char *from, const char *to); /* a link has another name; from may have no program */
void xdp_prune(struct conf_state *st); /* after a link went: programs of links that are not there, of a veth's twin too */
/* Carries out the words "xdp" and "section" of a "link set". 0 or -errno with e filled. */
int  xdp_command(struct conf_state *st, const struct link_conf *link, const struct cmd *cmd, struct conf_error *e);
int  xdp_open_nothing(void *arg, const char *path); /* conf_state.object_open of the state that runs: files come with the lines */
/* A reload: a program that is the same in both (path, section and contents of the file) stays, with its maps. 0 or -errno with e filled. */
int  xdp_follow(struct conf_state *st, const struct conf_state *want, struct conf_error *e);

/*
 * Making the workers follow, as a part of a change: prepare compares what is attached with what is configured (NULL: nothing to do; 0 or -ENOMEM), apply is called on
 * every worker after its stacks have the new configuration, done when all have (commit true), or when the change was given up.
 */
struct xdp_change;
int  xdp_prepare(struct daemon *daemon, struct xdp_change **ret);
void xdp_apply(const struct xdp_change *change, struct worker *worker);
void xdp_done(struct daemon *daemon, struct xdp_change *change, bool commit); /* NULL is ignored */

void xdp_close_all(struct daemon *daemon); /* after the workers have ended */

/* show_xdp.c: "show xdp" and "xdp map". As show_request. */
int  show_xdp(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);
int  xdp_map_request(struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);

#endif
