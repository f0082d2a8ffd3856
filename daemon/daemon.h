/* SPDX-License-Identifier: MIT */
/*
 * daemon.h: struct daemon, which the control (main) thread owns. Workers read only what is set before they start: nworkers, workers, mail (to post to),
 * seed, wall_offset, monitors.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "apply.h"
#include "mailbox.h"
#include "worker.h"

struct control;
struct event;
struct event_base;
struct priv;

struct daemon {
	char              *config_path; /* absolute; NULL: none (everything comes from the control socket) */
	char              *control_path;
	char              *netlink_path;
	const char        *user; /* --user; NULL: the default */
	unsigned           nworkers;
	struct worker     *workers;
	struct event_base *base;
	struct mailbox     mail; /* of the control thread */
	struct event      *links_event; /* linkwatch has something to do later (links.c); NULL: it has never had */
	struct event      *mail_event, *term_event, *int_event, *hup_event, *watchdog_event, *shutdown_event, *late_event, *priv_event;
	struct priv       *priv;
	struct host_watch *host_watch; /* NULL: the host's links are not followed */
	struct control    *control;
	struct netlink_server *netlink; /* NULL: there is no rtnetlink socket */
	struct conf_state  conf; /* what runs */
	struct xdp_ports   xdp; /* programs that run: xdp.c */
	uint64_t           seed[4];
	int64_t            wall_offset; /* wall clock minus monotonic clock at the start, ns */
	ktime_t            started;
	size_t             mem_limit; /* bytes of packet memory a worker; 0: none */
	bool               foreground;
	_Atomic unsigned   monitors; /* clients that want events: workers send none while it is 0 */
	unsigned           captures; /* that run */
	struct capture    *capture_list; /* capture.c */
	unsigned           publishing; /* gathers under way that change the configuration */
	bool               ready, ending;
	bool               reload_wanted; /* a SIGHUP came while another change was on its way */
	unsigned           shutdown_rounds;
	int                exit_status;
	int                ready_fd; /* to the waiting parent of a daemon in the background; -1: none */
	char               last_error[512]; /* why the last reload was refused; empty: it was not */
	/* watchdog (notify.c) */
	uint64_t           watchdog_usec;
	bool               watchdog_pending;
};


#endif
