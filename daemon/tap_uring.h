/* SPDX-License-Identifier: MIT */
/*
 * tap_uring.h: a worker's io_uring, which all its devices share. uring_new and uring_free belong to the control thread, the rest to the worker's.
 */
#ifndef DAEMON_TAP_URING_H
#define DAEMON_TAP_URING_H

#include <stdbool.h>

struct uring;
struct uring_limits;

/* 0, or -errno: this kernel or sandbox has none (-ENOSYS: nor does this build). Before the filter of system calls is in place. cpu: of the worker. */
int  uring_new(struct uring **ret, unsigned cpu);
void uring_free(struct uring *u); /* after every pool that its memory may have got to. NULL is ignored */
/* Hands what is queued to the kernel and takes its answers. NULL is ignored. True: there is more to come; do not sleep. */
bool uring_flush(struct uring *u);
void uring_get_limits(const struct uring *u, struct uring_limits *ret);

#endif
