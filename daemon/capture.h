/* SPDX-License-Identifier: MIT */
/* capture.h: "nsctl capture": packets from the workers' taps to a client, as pcapng. */
#ifndef DAEMON_CAPTURE_H
#define DAEMON_CAPTURE_H

#include "control.h"

#include <netstack/types.h>

struct cmd;
struct worker;

/* Control thread. Begins a capture in the namespace st. 0: the claim will be answered, with a refusal or by the connection becoming a stream; -errno with e: the claim is
 * still the caller's. */
int capture_request(struct daemon *daemon, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e);

/* Control thread. The configuration has changed: a capture of a link that is gone ends. */
void capture_links_changed(struct daemon *daemon);

/* Worker's thread. What was captured in this turn of its loop goes to the control thread; called when worker->captures is not NULL. */
void capture_flush(struct worker *worker);
/* The stack of this namespace is about to be freed, and its taps with it. */
void capture_ns_gone(struct worker *worker, uint32_t netns);

/* tcpdump -ddd's form, commas between the lines ("2,6 0 0 65535,6 0 0 0"), into *ret (allocated): the number of instructions, or -EINVAL with why (static storage), -ENOMEM. */
struct sock_filter;
int capture_parse_program(const char *text, struct sock_filter **ret, const char **why);

#endif
