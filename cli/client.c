/* SPDX-License-Identifier: MIT */
/*
 * client.c: talks to the daemon: connect, one line out, records in, a final line.
 *
 * A daemon that is stopped, hangs or speaks nonsense ends in a sentence and an error, never in a hang: connecting, sending and the wait for the next bytes are
 * bounded, and a line may not be longer than CONTROL_RECORD_MAX. Not done: reconnecting.
 */
#include "client.h"
#include "control_proto.h"
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define ANSWER_MS  30000 /* between two pieces of an answer */

static void explain(int err, const char *path, char *why, size_t size)
{
	struct stat st;
	struct group *gr;

	switch (err) {
	case ENOENT:
		snprintf(why, size, "there is no control socket %s: is netstackd running (systemctl start netstackd), and with this path (-s PATH)?", path);
		break;
	case ECONNREFUSED:
		if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
			snprintf(why, size, "%s is not a socket", path);
			break;
		}
		snprintf(why, size, "nobody listens on %s: netstackd has ended, or is ending", path);
		break;
	case EACCES:
	case EPERM:
		gr = stat(path, &st) ? NULL : getgrgid(st.st_gid);
		if (gr && st.st_gid)
			snprintf(why, size, "no permission to use %s: it is for root and the group %s", path, gr->gr_name);
		else
			snprintf(why, size, "no permission to use %s: try as root, or see \"control group\" in netstackd.conf(5)", path);
		break;
	case ETIMEDOUT:
	case EAGAIN:
		snprintf(why, size, "netstackd does not answer on %s: is it stopped, or busy?", path);
		break;
	case ENAMETOOLONG:
		snprintf(why, size, "the path of a socket has at most %zu bytes", sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		break;
	default:
		snprintf(why, size, "cannot use %s: %s", path, strerror(err));
	}
}

static int fail(struct client *c, int err, char *why, size_t size)
{
	explain(err, c->path, why, size);
	return -err;
}

int client_open(struct client *c, const char *path, char *why, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { CONNECT_MS / 1000, 0 };

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	snprintf(c->path, sizeof(c->path), "%s", path);
	if (strlen(path) >= sizeof(sa.sun_path))
		return fail(c, ENAMETOOLONG, why, size);
	strcpy(sa.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail(c, errno, why, size);
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)); /* bounds connect too */
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int err = errno == EINPROGRESS ? EAGAIN : errno;

		client_close(c);
		return fail(c, err, why, size);
	}
	return 0;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->buf);
	c->buf = NULL;
	c->len = c->size = 0;
}

static int send_all(struct client *c, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Receives more; 0, -ETIMEDOUT, -ECONNRESET at the end, -errno. */
static int fill(struct client *c, int forever)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	ssize_t n;
	int r;

	if (c->size - c->len < 4096) {
		size_t size = c->size ? c->size * 2 : 16384;
		char *buf = realloc(c->buf, size);

		if (!buf)
			return -ENOMEM;
		c->buf = buf;
		c->size = size;
	}
	do {
		r = poll(&pfd, 1, forever ? -1 : ANSWER_MS);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r ? -errno : -ETIMEDOUT;
	do {
		n = recv(c->fd, c->buf + c->len, c->size - c->len, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	c->len += (size_t)n;
	return 0;
}

/* One line as an object, a new reference. */
static int next_object(struct client *c, int forever, json_t **ret)
{
	size_t seen = 0;
	json_error_t err;

	for (;;) {
		char *nl = memchr(c->buf ? c->buf + seen : "", '\n', c->len - seen);
		int r;

		if (nl) {
			size_t n = (size_t)(nl - c->buf);

			*ret = json_loadb(c->buf, n, JSON_REJECT_DUPLICATES, &err);
			/* Counters above 2^63 exist; jansson has them as reals only. */
			if (!*ret && json_error_code(&err) == json_error_numeric_overflow)
				*ret = json_loadb(c->buf, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &err);
			memmove(c->buf, nl + 1, c->len - n - 1);
			c->len -= n + 1;
			if (!json_is_object(*ret)) {
				json_decref(*ret);
				return -EPROTO;
			}
			return 0;
		}
		seen = c->len;
		if (seen > CONTROL_RECORD_MAX)
			return -EPROTO;
		r = fill(c, forever);
		if (r)
			return r;
	}
}

int client_fill(struct client *c)
{
	return fill(c, 1);
}

/* What went wrong, in words. */
static void explain_answer(const struct client *c, int r, char *why, size_t size)
{
	if (r == -EPROTO)
		snprintf(why, size, "what answers on %s is not netstackd, or another version of it", c->path);
	else if (r == -ECONNRESET || r == -EPIPE)
		snprintf(why, size, "netstackd hung up before it had answered");
	else
		explain(-r, c->path, why, size);
}

int client_ask(struct client *c, const char *line, json_t **ret, char *why, size_t size)
{
	int r = send_all(c, line, strlen(line)), sent;

	if (!r)
		r = send_all(c, "\n", 1);
	sent = r;
	r = next_object(c, 0, ret);
	if (!r)
		return 0;
	r = sent && r == -ECONNRESET ? sent : r;
	explain_answer(c, r, why, size);
	return r;
}

int client_request(struct client *c, const char *line, int forever, int (*fn)(void *arg, json_t *record), void *arg, json_t **ret_final, char *why, size_t size)
{
	json_t *obj;
	int r = send_all(c, line, strlen(line));

	if (!r)
		r = send_all(c, "\n", 1);
	for (;;) {
		/* A request that could not be sent may still have been answered: with why. */
		int sent = r;

		r = next_object(c, forever, &obj);
		if (r) {
			r = sent && r == -ECONNRESET ? sent : r;
			break;
		}
		if (json_object_get(obj, "done")) {
			*ret_final = obj;
			return 0;
		}
		r = fn(arg, obj);
		json_decref(obj);
		if (r)
			return r;
	}
	explain_answer(c, r, why, size);
	return r;
}
