/* SPDX-License-Identifier: MIT */
/*
 * service_echo.c: the echo service (RFC 862): what comes goes back, until the peer has closed its side and has everything.
 *
 * Nothing is read while something waits to be sent: a peer that sends and does not read is held up by its own window, and a connection stands for one
 * buffer only, which it has while it carries something.
 */
#include "service_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define ECHO_BUF   65536
#define ECHO_TURNS 16

struct echo_conn {
	struct svc_conn c;
	uint8_t        *buf;
	size_t          off, len;
	bool            eof;
};

static int echo_open(struct svc_conn *c)
{
	svc_deadline(c, SVC_T_IDLE);
	return 0;
}

static void echo_release(struct svc_conn *c)
{
	free(((struct echo_conn *)c)->buf);
}

/* The buffer goes when nothing is in it: most connections are idle most of the time. */
static void echo_wait(struct echo_conn *e)
{
	if (e->len)
		return;
	free(e->buf);
	e->buf = NULL;
}

static void echo_run(struct svc_conn *c)
{
	struct echo_conn *e = (struct echo_conn *)c;

	for (unsigned turn = 0; turn < ECHO_TURNS;) {
		ssize_t n;

		if (e->len) {
			n = ns_send(c->sock, e->buf + e->off, e->len, MSG_NOSIGNAL);
			if (n > 0) {
				e->off += (size_t)n;
				e->len -= (size_t)n;
				svc_deadline(c, SVC_T_IDLE);
			}
		} else if (e->eof) {
			svc_close(c);
			return;
		} else {
			if (!e->buf)
				e->buf = malloc(ECHO_BUF);
			if (!e->buf) {
				svc_reset(c);
				return;
			}
			n = ns_recv(c->sock, e->buf, ECHO_BUF, 0);
			if (n > 0) {
				e->off = 0;
				e->len = (size_t)n;
			}
			e->eof = n == 0;
			turn++;
		}
		if (n == -EAGAIN) {
			echo_wait(e);
			return;
		}
		if (n < 0) {
			svc_close(c);
			return;
		}
	}
	svc_again(c);
}

static ssize_t echo_answer(struct services *svcs, uint8_t *buf, size_t len)
{
	(void)svcs;
	(void)buf;
	return (ssize_t)len;
}

const struct svc_type svc_echo_tcp = {
	.name = "echo", .proto = IPPROTO_TCP, .conn_size = sizeof(struct echo_conn), .open = echo_open, .run = echo_run, .release = echo_release,
};
const struct svc_type svc_echo_udp = { .name = "echo", .proto = IPPROTO_UDP, .answer = echo_answer };
