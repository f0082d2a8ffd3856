/* SPDX-License-Identifier: MIT */
/*
 * state.h: a configuration as the daemon knows it: netcfg's part and what only the daemon cares for (TAPs, services, the control group). Pure: no descriptor,
 * no thread, so a file is checked by applying it to a state that nobody runs.
 *
 * The state that runs is one of these, too; apply.c makes the world follow it.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "../conf/grammar.h"
#include "link_dev.h"
#include "service.h"
#include "xdp.h"
#include <netstack/netcfg.h>

struct tap;

struct conf_error {
	int          err; /* -errno */
	char         text[384]; /* a sentence */
	unsigned     line, column; /* from 1; 0: not about a place */
	char         word[64], expected[192], suggestion[64];
};

struct conf_link { /* beside its struct link_conf in netcfg */
	int         ifindex;
	char        name[NS_IFNAMSIZ];
	bool        queues_given, addr_given, host_name_given;
	bool        carrier_off; /* "link set DEV carrier off": the cable stays pulled, whatever the device says */
	uint8_t     link_mode; /* enum link_mode: what a carrier gives */
	uint8_t     state; /* enum oper_state, of the state that runs: is to be set, once (links.c); 0: nothing is */
	struct link_dev dev; /* how its device is driven */
	struct tap *tap; /* of the state that runs: the device that is open; NULL: none yet */
	struct { /* of the state that runs: what the host has done to its end of tap (host_watch.c) */
		int      ifindex; /* of the host's kernel; 0: not known */
		char     name[NS_IFNAMSIZ];
		uint32_t mtu, mtu_told; /* as last seen; what was made of it */
		uint8_t  link_mode, operstate; /* as the host was last told; 0: UP */
		bool     gone; /* the host has deleted it */
		bool     down; /* "ip link set tap0 down": the cable is out */
		bool     present, changed; /* while events are read */
		bool     revive; /* is to be opened again, by the transaction that is on its way */
		uint8_t  retries; /* of taking one up that somebody made in its place */
	} host;
};

/* What a change did, for monitors. */
enum conf_change_kind { CHANGE_LINK, CHANGE_ADDR, CHANGE_ROUTE, CHANGE_NEIGH };
struct conf_change {
	enum conf_change_kind kind;
	bool                  deleted;
	char                  dev[NS_IFNAMSIZ]; /* its name: the link may be gone by the time this is shown */
	union {
		int               ifindex;
		struct addr_conf  addr;
		struct route_conf route;
		struct neigh_conf neigh;
	};
};
#define CONF_MAX_CHANGES 1024 /* more in one go are summed up as lost */

#define NETNS_MAX      256 /* network namespaces, the first one included */
#define NETNS_NAME_MAX GRAMMAR_NETNS_MAX /* with the terminating zero */

/* One network namespace. The first one owns the others, and what there is once for all of them. */
struct conf_state {
	struct netcfg       *cfg;
	struct conf_link    *links;
	unsigned             nlinks;
	struct service_conf *services;
	unsigned             nservices;
	struct xdp_list      xdp;
	uint32_t             id; /* the number that links and workers know it by, 16 bits; 0: the first */
	char                 name[NETNS_NAME_MAX]; /* empty: the first, which has none */
	unsigned             refs; /* of who looks at it over a while; not of the first */
	struct conf_state   *first; /* itself in the first */
	struct linkwatch    *lw; /* of a state that runs: the state of its links (links.c) */
	void                *lw_owner;
	/* The first alone: */
	struct conf_state  **netns; /* the others */
	unsigned             nnetns;
	uint8_t              netns_made; /* how many there were so far, modulo 256: a part of their numbers */
	char                 control_group[64]; /* empty: none */
	int (*object_open)(void *arg, const char *path); /* an object file that a line names: a descriptor or -errno. NULL: by open(2) */
	void                *object_arg;
	bool                 check_group; /* a control group that this host does not know is refused */
	unsigned             queues; /* of a TAP that does not say how many: the number of workers */
	unsigned             cpus; /* of this machine; 0: not known */
	char                 warning[256]; /* about the last command: taken, but not all of it has an effect here. Empty: none */
	void (*warn)(void *arg, unsigned line, const char *text); /* of a file that is read: gets these; NULL: nobody */
	void                *warn_arg;
	struct conf_change  *changes; /* since the last conf_changes_reset; NULL while not tracked */
	unsigned             nchanges;
	bool                 track, changes_lost;
	struct conf_watch   *watch; /* between conf_watch_begin and conf_watch_end; NULL: none */
};

int  conf_state_init(struct conf_state *st, unsigned queues); /* lo and defaults; 0 or -ENOMEM */
void conf_state_exit(struct conf_state *st);
struct conf_link *conf_link_find(const struct conf_state *st, const char *name); /* NULL: none */

/* Carries out a command that changes the configuration (cmd_is_config), in the namespace that it names. first: which stands for all. 0, or -errno with e filled (column and word of the culprit where there is one). */
int  conf_command(struct conf_state *first, const struct cmd *cmd, struct conf_error *e);
/* What can be judged only when all is there. 0 or -errno with e filled. */
int  conf_check(const struct conf_state *first, struct conf_error *e);
/* Makes st equal to want, with all namespaces, by the least changes: what is the same in both is not touched. Both are firsts; want stays unchanged. On failure st is
 * anywhere in between: roll back. */
int  conf_follow(struct conf_state *st, const struct conf_state *want, struct conf_error *e);

/* netns.c: namespaces. Who looks at one that may be deleted meanwhile holds on to it; nothing happens to the first. One thread only. */
struct conf_state *conf_state_get(struct conf_state *st);
void conf_state_put(struct conf_state *st); /* NULL is ignored */
/* All of them: the first for NULL, then the one after st; NULL: that was the last. */
struct conf_state *conf_netns_next(const struct conf_state *first, const struct conf_state *st);
struct conf_state *conf_netns_find(const struct conf_state *first, const char *name /* NULL, "" or "default": the first */); /* NULL: none */
struct conf_state *conf_netns_by_id(const struct conf_state *first, uint32_t id); /* NULL: none */
const char *conf_netns_name(const struct conf_state *st); /* "default" for the first */
/* The one that cmd is about; NULL with e filled when it does not exist. */
struct conf_state *conf_netns_of(const struct conf_state *first, const struct cmd *cmd, struct conf_error *e);
int  conf_netns_add(struct conf_state *first, const char *name, struct conf_error *e);
int  conf_netns_del(struct conf_state *first, const char *name, struct conf_error *e); /* what looks at it goes on to see what was there */
int  conf_no_netns(struct conf_error *e, const struct conf_state *first, const char *name); /* fills e; -ENOENT */
void conf_netns_exit(struct conf_state *first);

/* All or nothing, in all namespaces, around any number of the calls above: given the first. 0 or -ENOMEM. */
struct conf_undo {
	struct conf_state   *st; /* whose; held */
	struct conf_link    *links;
	struct service_conf *services;
	unsigned             nlinks, nservices;
	struct xdp_list      xdp;
	/* the first's: */
	char                 control_group[64];
	struct conf_undo    *netns; /* of the others, as there were then */
	unsigned             nnetns;
};
int  conf_begin(struct conf_state *first, struct conf_undo *undo);
void conf_rollback(struct conf_state *first, struct conf_undo *undo);
void conf_end(struct conf_state *first, struct conf_undo *undo);
const struct conf_undo *conf_undo_of(const struct conf_undo *undo, const struct conf_state *st); /* st's part; NULL: st is new */
void conf_changes_reset(struct conf_state *st);
/* Around changes, when track is set: end notes what became of addresses, routes and permanent neighbours, also as a side effect (a link that went down, an
 * address that was flushed), by comparing them with those at begin. Above WATCH_MAX routes only what was asked for is noted. tell false: a rollback. */
#define WATCH_MAX 65536
void conf_watch_begin(struct conf_state *first);
void conf_watch_end(struct conf_state *first, bool tell);
void conf_watch_drop(struct conf_state *st); /* of one namespace, which goes */

/* For diff.c and state.c: the primitive changes, which note what they did. 0 or -errno with e filled. */
int  conf_link_add(struct conf_state *st, const struct link_conf *params, const struct conf_link *extra, struct conf_error *e);
int  conf_link_remove(struct conf_state *st, const char *name, struct conf_error *e);
int  conf_link_move(struct conf_state *st, const char *name, struct conf_state *to, struct conf_error *e);
int  conf_link_change(struct conf_state *st, const struct link_conf *link, struct conf_error *e);
int  conf_link_rename(struct conf_state *st, const char *from, const char *to, struct conf_error *e);
int  conf_addr_change(struct conf_state *st, const struct addr_conf *addr, int how /* enum conf_how */, struct conf_error *e);
int  conf_route_change(struct conf_state *st, const struct route_conf *route, int how, struct conf_error *e);
int  conf_neigh_change(struct conf_state *st, const struct neigh_conf *neigh, int how, struct conf_error *e);
int  conf_veth_add(struct conf_state *st, const struct link_conf *params, struct conf_state *other, const struct link_conf *peer, struct conf_error *e);
int  conf_fdb_change(struct conf_state *st, const struct fdb_conf *fdb, int how, struct conf_error *e);
/* For save.c: what a port has that is not the default, as words with a blank before each; a priority map, likewise, or "". */
size_t port_words_text(const struct link_conf *link, char *buf, size_t size);
size_t qos_map_text(const char *key, const uint8_t *map, unsigned n, char *buf, size_t size);
int  conf_service_add(struct conf_state *st, const struct service_conf *service, struct conf_error *e);
int  conf_service_remove(struct conf_state *st, uint8_t proto, uint16_t port, const struct ipaddr *addr /* NULL: any */, struct conf_error *e);
enum conf_how { CONF_ADD, CONF_REPLACE, CONF_DEL };
/* Fills e about a name that is unknown, with the nearest one that is not. conf_no_link returns -ENODEV. */
int  conf_no_link(struct conf_error *e, const struct netcfg *cfg, const char *name);
void conf_suggest_sysctl(struct conf_error *e, const struct netcfg *cfg, const char *name);
void conf_note(struct conf_state *st, enum conf_change_kind kind, bool deleted, int ifindex, const void *what, size_t size);
const char *conf_watch_name(const struct conf_watch *watch, int ifindex); /* of a link at begin, "" if there was none */
bool conf_watch_silent(const struct conf_watch *watch); /* end will tell */
/* One more thing that the command which is carried out cannot have here. */
void conf_warn(struct conf_state *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int  conf_fail(struct conf_error *e, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4))); /* fills e; returns err */

/* Text of an address, for messages and records; static buffers are not used. */
#define ADDR_TEXT 64
const char *addr_text(const struct ipaddr *addr, char buf[ADDR_TEXT]); /* "" for none */
const char *prefix_text(const struct ipprefix *prefix, char buf[ADDR_TEXT]); /* "10.0.0.0/8" */
const char *lladdr_text(const struct eth_addr *addr, char buf[ADDR_TEXT]);

#endif
