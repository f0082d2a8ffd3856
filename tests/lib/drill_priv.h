/* SPDX-License-Identifier: MIT */
/*
 * drill_priv.h: what the files of drill.h share: the state of a table that runs, and what its rows are made of. drill.c runs tables, drill_sock.c has the rows that call
 * sockets, drill_config.c those that look at books and change the configuration.
 */
#ifndef TESTS_DRILL_PRIV_H
#define TESTS_DRILL_PRIV_H

#include "drill.h"
#include "frame.h"
#include "host.h"

#define MAX_SOCKS 64
#define MAX_WORDS 24
#define ANY_TIME  (1000 * NSEC_PER_SEC)
#define DRAIN     (3600 * NSEC_PER_SEC)

struct dsock {
	char           name[16];
	struct socket *sock;
	int            type;
	unsigned       cpu;
	uint64_t       tx, rx; /* offsets in the stream */
	uint32_t       woken;
};

struct drill {
	struct host      *host;
	struct frame_ctx  fc;
	unsigned          ncpu, ndevs;
	uint64_t          seed;
	uint32_t          mtu;
	uint32_t           features; /* LINK_F_* of every device */
	bool              arp, nodrain, observe, txfull;
	int               ifindex[FRAME_DEVS];
	struct dsock      sock[MAX_SOCKS];
	unsigned          nsocks;
	ktime_t           last; /* when the row before happened */
	char             *w[MAX_WORDS]; /* words of the row, without time and expectation */
	unsigned          nw;
	const char       *rest; /* the row behind its first word */
	char             *want; /* behind "=", or NULL */
	char              err[1400];
	char              trace[16][256]; /* the last things that happened */
	unsigned          ntrace;
};

struct name {
	const char *name;
	int         value;
};

struct drill_op { /* a row's first word */
	const char *name; /* NULL: the end of the list */
	bool (*fn)(struct drill *d);
};
extern const struct drill_op drill_sock_ops[], drill_config_ops[];

/* Says what is wrong; always false, which is what a row's function then returns. */
bool drill_fail(struct drill *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool drill_name_value(const struct name *t, const char *s, int *ret);
const char *drill_value_name(const struct name *t, int v);
bool drill_errno_value(const char *s, int *ret);
const char *drill_errno_name(int v);
/* The result of a call against "= ...", or against def when the row says nothing. */
bool drill_expect_result(struct drill *d, long r, long def);
/* A number that the row must give: N, >=N, <=N, A..B, * */
bool drill_expect_number(struct drill *d, const char *what, uint64_t v);
bool drill_expect_events(struct drill *d, const char *what, uint32_t v);
const char *drill_after(const struct drill *d, const char *key); /* the word behind key, or NULL */

#define NEED(d, n) \
	do { \
		if ((d)->nw < (n)) \
			return drill_fail(d, "words are missing"); \
	} while (0)
#define SOCK(d, i, s) \
	struct dsock *s = drill_sock_named(d, (d)->w[i]); \
	if (!s) \
		return false; \
	host_touch((d)->host, s->cpu)

struct dsock *drill_sock_named(struct drill *d, const char *name);

#endif
