/* SPDX-License-Identifier: MIT */
/*
 * control.c: the control socket and its clients. The protocol is in conf/control_proto.h.
 *
 * Theory of operation. A client has at most one request at a time: a line is taken from what it has sent, and the next one only when the answer is complete and
 * gone. Until then reading stops at a high-water mark, so whoever sends a gigabyte fills his own socket. Answers are made piece by piece: an answer
 * adds records while less than OUT_HIGH waits to be sent, and goes on when that has drained; a client that takes nothing for STALL_SECONDS is dropped.
 * What needs the workers (show sockets, every change) is asked for by a gather: nobody waits for anybody, and a client that goes away in
 * between only leaves a claim behind that nobody answers.
 *
 * Who may: root, the user that netstackd was started by, and members of the group of "control group"; the kernel says who it is (SO_PEERCRED). The user that it
 * runs as is none of them: that may be "nobody", whom other programs run as, too. Whom systemd's own socket lets in may as well. Everyone else is told so and cut off.
 */
#include "control.h"

#include "apply.h"
#include "capture.h"
#include "control_proto.h"
#include "daemon.h"
#include "config_file.h"
#include "log.h"
#include "record.h"
#include "show.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS   96
#define MAX_MONITORS  48 /* of them: they stay, as captures do (16), and must not shut out who has a question */
#define OUT_HIGH      (64u * 1024) /* an answer pauses when this much waits to be sent */
#define EVENTS_HIGH   (256u * 1024) /* a monitor loses events when this much waits */
#define STALL_SECONDS 30
#define MAX_GROUPS    256

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

struct client {
	LIST_ENTRY(client) node;
	struct control     *control;
	struct bufferevent *bev;
	struct answer      *answer; /* being sent */
	struct claim       *claims; /* being made */
	char               *waiting; /* a change that waits for another to finish: its line */
	size_t              waiting_len;
	struct stream      *stream; /* the connection has become one */
	unsigned            monitors; /* MONITOR_* */
	struct conf_state  *conf; /* whose; held. NULL: monitors nothing */
	unsigned            lost; /* events since the last record that went out */
	bool                owner; /* root, or the user that started netstackd */
	bool                eof; /* sends no more */
	bool                closing; /* gets what is there and is then cut off */
	bool                in_request; /* what is answered at once does not take the next request from inside this one */
};

struct control {
	struct daemon *daemon;
	int            fd, spare_fd;
	uid_t          owner;
	bool           inherited;
	struct event  *accept_event, *resume_event;
	LIST_HEAD(, client) clients;
	unsigned       nclients;
};

static void client_next(struct client *client);

/* ---- records ------------------------------------------------------------------------------------------------------------ */

void record_add(struct evbuffer *out, json_t *record)
{
	char *text = record ? json_dumps(record, JSON_COMPACT) : NULL;

	/* All of the line or nothing of it: who pumps notices that nothing came. */
	if (text)
		evbuffer_add_printf(out, "%s\n", text);
	free(text);
	json_decref(record);
}

static json_t *final_record(const struct conf_error *e, const char *warning, const char *config_path)
{
	json_t *r = json_object();

	json_object_set_new(r, "done", json_boolean(!e));
	if (!e && *warning)
		set_text(r, "warning", warning);
	if (!e)
		return r;
	json_object_set_new(r, "errno", json_string(strerrorname_np(-e->err) ? strerrorname_np(-e->err) : "EIO"));
	set_text(r, "error", e->text);
	if (e->line && config_path)
		json_object_set_new(r, "file", json_string(config_path));
	if (e->line)
		json_object_set_new(r, "line", json_integer(e->line));
	if (e->column)
		json_object_set_new(r, "column", json_integer(e->column));
	if (e->word[0])
		set_text(r, "word", e->word);
	if (e->expected[0])
		set_text(r, "expected", e->expected);
	if (e->suggestion[0])
		set_text(r, "suggestion", e->suggestion);
	return r;
}

struct list_answer {
	struct answer answer;
	json_t       *records;
	size_t        i;
};

static bool list_next(struct answer *answer, struct evbuffer *out)
{
	struct list_answer *l = (struct list_answer *)answer;

	if (l->i == json_array_size(l->records))
		return false;
	record_add(out, json_incref(json_array_get(l->records, l->i++)));
	return true;
}

static void list_free(struct answer *answer)
{
	json_decref(((struct list_answer *)answer)->records);
	free(answer);
}

struct answer *answer_list(json_t *records)
{
	struct list_answer *l = records ? malloc(sizeof(*l)) : NULL;

	if (!l) {
		json_decref(records);
		return NULL;
	}
	*l = (struct list_answer){ .answer = { .next = list_next, .free = list_free }, .records = records };
	return &l->answer;
}

/* ---- clients --------------------------------------------------------------------------------------------------------------- */

static void client_free(struct client *client)
{
	struct control *c = client->control;
	struct claim *claim;

	LIST_REMOVE(client, node);
	c->nclients--;
	if (client->monitors)
		atomic_fetch_sub(&c->daemon->monitors, 1);
	conf_state_put(client->conf);
	for (claim = client->claims; claim; claim = claim->next)
		claim->client = NULL;
	if (client->answer)
		client->answer->free(client->answer);
	if (client->stream)
		client->stream->gone(client->stream);
	free(client->waiting);
	bufferevent_free(client->bev);
	free(client);
}

/* Cut off once everything is sent. */
static void client_close(struct client *client)
{
	client->closing = true;
	bufferevent_disable(client->bev, EV_READ);
	if (evbuffer_get_length(bufferevent_get_output(client->bev)) == 0)
		client_free(client);
}

static bool client_busy(const struct client *client)
{
	return client->answer || client->claims || client->waiting || client->monitors || client->stream;
}

/* Every request gets its last line: a client that waited for one in vain would wait for ever. Without memory for one, the connection ends. */
static void client_warned(struct client *client, const struct conf_error *e, const char *warning)
{
	static const char nomem[] = "{\"done\":false,\"errno\":\"ENOMEM\",\"error\":\"netstackd is out of memory\"}\n";
	json_t *r = final_record(e, warning, client->control->daemon->config_path);
	char *text = json_object_get(r, "done") ? json_dumps(r, JSON_COMPACT) : NULL;
	struct evbuffer *out = bufferevent_get_output(client->bev);

	if (text ? evbuffer_add_printf(out, "%s\n", text) < 0 : evbuffer_add(out, nomem, sizeof(nomem) - 1) < 0)
		shutdown(bufferevent_getfd(client->bev), SHUT_RDWR); /* seen by the loop, which frees the client */
	free(text);
	json_decref(r);
	bufferevent_enable(client->bev, EV_WRITE); /* it is; but libevent may have had no memory to notice that there is something to send */
}

static void client_result(struct client *client, const struct conf_error *e)
{
	client_warned(client, e, "");
}

/* Sends on with the answer until enough waits. True: it is complete. */
static bool client_pump(struct client *client)
{
	struct evbuffer *out = bufferevent_get_output(client->bev);
	struct conf_error e;

	while (client->answer && evbuffer_get_length(out) < OUT_HIGH) {
		size_t before = evbuffer_get_length(out);
		bool more = client->answer->next(client->answer, out), failed = more && evbuffer_get_length(out) == before;

		if (more && !failed)
			continue;
		client->answer->free(client->answer);
		client->answer = NULL;
		if (failed)
			conf_fail(&e, -ENOMEM, "no memory for the rest of the answer");
		client_result(client, failed ? &e : NULL);
	}
	return !client->answer;
}

/* NULL: no memory. */
static struct claim *claim_new(struct client *client)
{
	struct claim *claim = malloc(sizeof(*claim));

	if (!claim)
		return NULL;
	claim->client = client;
	claim->next = client->claims;
	client->claims = claim;
	return claim;
}

static struct client *claim_release(struct claim *claim)
{
	struct client *client = claim->client;

	if (client) {
		struct claim **p = &client->claims;

		while (*p != claim)
			p = &(*p)->next;
		*p = claim->next;
	}
	free(claim);
	return client;
}

static void client_go_on(struct client *client)
{
	if (client->in_request)
		return;
	if (client_pump(client) && !client_busy(client))
		client_next(client);
}

void claim_answer(struct claim *claim, struct answer *answer)
{
	struct client *client = claim_release(claim);
	struct conf_error e;

	if (!client) {
		if (answer)
			answer->free(answer);
		return;
	}
	client->answer = answer;
	if (!answer) {
		conf_fail(&e, -ENOMEM, "no memory for the answer");
		client_result(client, &e);
	}
	client_go_on(client);
}

static void claim_warned(struct claim *claim, const struct conf_error *e, const char *warning)
{
	struct client *client = claim_release(claim);

	if (!client)
		return;
	client_warned(client, e, warning);
	client_go_on(client);
}

void claim_result(struct claim *claim, const struct conf_error *e)
{
	claim_warned(claim, e, "");
}

/* A change is published, and no other has begun: what it was warned of is this one's. */
void claim_done(struct daemon *d, void *claim, const struct conf_error *e)
{
	claim_warned(claim, e, d->conf.warning);
}

struct evbuffer *stream_begin(struct claim *claim, struct stream *stream)
{
	struct client *client = claim_release(claim);

	if (!client)
		return NULL;
	client->stream = stream;
	stream->client = client;
	bufferevent_set_timeouts(client->bev, NULL, NULL); /* it may read as slowly as it likes: what waits is bounded */
	if (client->eof)
		stream->hangup(stream);
	return bufferevent_get_output(client->bev);
}

void stream_end(struct stream *stream)
{
	struct client *client = stream->client;

	client->stream = NULL;
	client_close(client);
}

/* ---- requests ---------------------------------------------------------------------------------------------------------------- */

static int start_monitor(struct client *client, struct conf_state *st, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *what = cmd_arg(cmd, "what");

	if (atomic_load(&client->control->daemon->monitors) >= MAX_MONITORS)
		return conf_fail(e, -EBUSY, "%u clients monitor already: that is all that may", (unsigned)MAX_MONITORS);
	client->monitors = what && what->num ? what->num : MONITOR_ALL;
	client->conf = conf_state_get(st);
	atomic_fetch_add(&client->control->daemon->monitors, 1);
	return 0;
}

/* Carries cmd out. Returns 0 when the answer was or will be given; -errno with e otherwise. */
static int execute(struct client *client, const struct cmd *cmd, struct conf_error *e)
{
	struct daemon *d = client->control->daemon;
	struct conf_state *st;
	struct claim *claim;
	int err;

	memset(e, 0, sizeof(*e));
	st = conf_netns_of(&d->conf, cmd, e);
	if (!st)
		return e->err;
	if (cmd->id == CMD_MONITOR)
		return start_monitor(client, st, cmd, e);
	claim = claim_new(client);
	if (!claim)
		return conf_fail(e, -ENOMEM, "no memory for the request");
	if (d->ending)
		err = conf_fail(e, -ESHUTDOWN, "netstackd is ending");
	else if (cmd->id == CMD_RELOAD)
		err = apply_reload(d, claim_done, claim, e);
	else if (cmd->id == CMD_CONTROL_GROUP)
		err = conf_fail(e, -EINVAL, "the control group is set in the configuration file only");
	else if (cmd->id == CMD_NEIGH_DEL || cmd->id == CMD_NEIGH_FLUSH)
		err = show_neigh_remove(d, st, cmd, claim, e);
	else if (cmd->id == CMD_CAPTURE)
		err = capture_request(d, st, cmd, claim, e);
	else if (cmd->id == CMD_FDB_DEL || cmd->id == CMD_FDB_FLUSH)
		err = show_fdb_remove(d, st, cmd, claim, e);
	else if (cmd_is_readonly(cmd))
		err = show_request(d, st, cmd, claim, e);
	else
		err = apply_command(d, cmd, claim_done, claim, e);
	if (err)
		claim_release(claim);
	return err;
}

static bool changes_something(const struct cmd *cmd)
{
	return !cmd_is_readonly(cmd);
}

/* False: it waits for another change to finish, with its line kept. */
static bool client_request(struct client *client, const char *line, size_t len)
{
	struct grammar_err g;
	struct conf_error e;
	struct cmd cmd;
	int r = grammar_parse(line, len, &cmd, &g);

	if (r == 1) {
		client_result(client, NULL);
		return true;
	}
	if (r < 0) {
		config_error_from_grammar(&e, &g, r);
		client_result(client, &e);
		return true;
	}
	if (changes_something(&cmd) && apply_busy(client->control->daemon)) {
		cmd_free(&cmd);
		return false;
	}
	client->in_request = true;
	if (execute(client, &cmd, &e) < 0)
		client_result(client, &e);
	client->in_request = false;
	cmd_free(&cmd);
	return true;
}

static void limit_patience(struct client *client, bool half_a_line)
{
	struct timeval stall = { .tv_sec = STALL_SECONDS };

	bufferevent_set_timeouts(client->bev, half_a_line ? &stall : NULL, &stall);
}

/* Takes request after request while they are answered at once. Frees the client when it is through. */
static void client_next(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);

	if (!client->eof && !client->closing)
		bufferevent_enable(client->bev, EV_READ);
	while (!client_busy(client) && !client->closing && evbuffer_get_length(bufferevent_get_output(client->bev)) < OUT_HIGH) {
		size_t len;
		char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
		struct conf_error e;

		if (!line && evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0) {
			conf_fail(&e, -ENOMEM, "no memory for the request");
			client_result(client, &e);
			client_close(client);
			return;
		}
		if (!line) {
			size_t rest = evbuffer_get_length(in);

			if (rest >= CONTROL_REQUEST_MAX) {
				conf_fail(&e, -EMSGSIZE, "a request is one line of at most %d bytes", CONTROL_REQUEST_MAX);
				client_result(client, &e);
			} else if (rest && client->eof) {
				conf_fail(&e, -EBADMSG, "the request did not end with a newline");
				client_result(client, &e);
			}
			limit_patience(client, rest != 0);
			if (client->eof || rest >= CONTROL_REQUEST_MAX)
				client_close(client);
			return;
		}
		limit_patience(client, false); /* the whole line is here; how long the answer takes is another matter */
		if (!client_request(client, line, len)) {
			client->waiting = line;
			client->waiting_len = len;
			return;
		}
		free(line);
		client_pump(client);
	}
	if (client->eof && client->monitors)
		client_close(client); /* a monitor ends by hanging up */
}

void control_retry(struct daemon *d)
{
	struct control *c = d->control;
	struct client *client, *next;

	if (!c)
		return;
	for (client = LIST_FIRST(&c->clients); client && !apply_busy(d); client = next) {
		char *line = client->waiting;

		next = LIST_NEXT(client, node);
		if (!line)
			continue;
		client->waiting = NULL;
		if (!client_request(client, line, client->waiting_len)) {
			client->waiting = line;
			continue;
		}
		free(line);
		client_go_on(client);
	}
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	if (client->monitors || client->stream)
		evbuffer_drain(in, evbuffer_get_length(in)); /* it has nothing to say */
	else if (!client_busy(client) && evbuffer_get_length(bufferevent_get_output(bev)) < OUT_HIGH)
		client_next(client);
	else if (evbuffer_get_length(in) >= CONTROL_REQUEST_MAX)
		bufferevent_disable(bev, EV_READ); /* until its turn; libevent's own high-water mark does not survive a lack of memory */
}

static void on_drained(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (evbuffer_get_length(bufferevent_get_output(bev)) == 0 && client->closing)
		client_free(client);
	else if (client->stream)
		client->stream->drained(client->stream);
	else
		client_go_on(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;
	struct conf_error e;

	(void)bev;
	if (what & BEV_EVENT_ERROR) {
		client_free(client);
	} else if (what & BEV_EVENT_EOF) {
		client->eof = true;
		if (client->monitors)
			client_free(client);
		else if (client->stream)
			client->stream->hangup(client->stream);
		else if (!client_busy(client))
			client_next(client);
	} else if (what & BEV_EVENT_TIMEOUT) {
		if (what & BEV_EVENT_READING) {
			conf_fail(&e, -ETIMEDOUT, "half a request for %d seconds", STALL_SECONDS);
			client_result(client, &e);
			client_close(client);
		} else {
			client_free(client);
		}
	}
}

/* ---- events -------------------------------------------------------------------------------------------------------------------- */

void control_event(struct daemon *d, const struct conf_state *st, unsigned mask, json_t *record)
{
	struct client *client;
	char *text;

	if (st->id)
		json_object_set_new(record, "netns", json_string(st->name));
	text = record ? json_dumps(record, JSON_COMPACT) : NULL;
	json_decref(record);
	if (!text || !d->control) {
		free(text);
		return;
	}
	LIST_FOREACH (client, &d->control->clients, node) {
		struct evbuffer *out = bufferevent_get_output(client->bev);

		if (!(client->monitors & mask) || client->conf != st || client->closing)
			continue;
		if (evbuffer_get_length(out) > EVENTS_HIGH) {
			client->lost++;
			continue;
		}
		if (client->lost) {
			evbuffer_add_printf(out, "{\"what\":\"overrun\",\"lost\":%u}\n", client->lost);
			client->lost = 0;
		}
		evbuffer_add_printf(out, "%s\n", text);
	}
	free(text);
}

void control_netns_gone(struct daemon *d)
{
	struct client *client, *next;

	for (client = d->control ? LIST_FIRST(&d->control->clients) : NULL; client; client = next) {
		struct conf_error e;

		next = LIST_NEXT(client, node);
		if (!client->conf || client->closing || conf_netns_by_id(&d->conf, client->conf->id) == client->conf)
			continue;
		conf_fail(&e, -ENOENT, "network namespace %s is gone", client->conf->name);
		client_result(client, &e);
		client_close(client);
	}
}

void control_events_lost(struct daemon *d, unsigned n)
{
	struct client *client;

	if (!d->control)
		return;
	LIST_FOREACH (client, &d->control->clients, node)
		if (client->monitors)
			client->lost += n;
}

/* ---- accepting --------------------------------------------------------------------------------------------------------------------- */

static bool in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[MAX_GROUPS];
	socklen_t len = sizeof(groups);

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool control_owner(const struct daemon *d, int fd)
{
	const struct control *c = d->control;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return c && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && (cred.uid == 0 || cred.uid == c->owner);
}

bool control_may(const struct daemon *d, int fd)
{
	const struct control *c = d->control;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	const struct group *gr;

	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (control_owner(d, fd))
		return true;
	if (c->inherited) /* its unit says whose it is, and the kernel has let this one in */
		return true;
	gr = c->daemon->conf.control_group[0] ? getgrnam(c->daemon->conf.control_group) : NULL;
	return gr && in_group(fd, cred.gid, gr->gr_gid);
}

static void turn_away(int fd, int err, const char *why)
{
	struct conf_error e;
	json_t *r;
	char *text;

	conf_fail(&e, err, "%s", why);
	r = final_record(&e, "", NULL);
	text = r ? json_dumps(r, JSON_COMPACT) : NULL;
	json_decref(r);
	if (text) {
		dprintf(fd, "%s\n", text); /* the socket is empty: this does not block */
		free(text);
	}
	close(fd);
}

static void client_new(struct control *c, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	struct bufferevent *bev = client ? bufferevent_socket_new(c->daemon->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;

	if (!bev) {
		free(client);
		turn_away(fd, -ENOMEM, "netstackd is out of memory");
		return;
	}
	client->control = c;
	client->bev = bev;
	client->owner = control_owner(c->daemon, fd);
	LIST_INSERT_HEAD(&c->clients, client, node);
	c->nclients++;
	bufferevent_setcb(bev, on_read, on_drained, on_event, client);
	bufferevent_setwatermark(bev, EV_WRITE, OUT_HIGH / 4, 0);
	limit_patience(client, false);
	if (bufferevent_enable(bev, EV_READ | EV_WRITE) < 0)
		client_free(client);
}

/* All places are taken: the client that came first of those who ask nothing loses its own. Members of the control group may take all places, by captures, monitors and
 * answers that they do not read; but not keep out whose daemon it is: for him the one of them goes that came last,
 * and he goes for none of them: he may just have come, and not have said yet what he wants. */
static bool client_make_room(struct control *c, bool owner)
{
	struct client *client, *goes = NULL;

	LIST_FOREACH(client, &c->clients, node) /* the last that came is the first in the list */
		if ((owner || !client->owner) && !client_busy(client) && evbuffer_get_length(bufferevent_get_output(client->bev)) == 0)
			goes = client;
	for (client = LIST_FIRST(&c->clients); owner && client && !goes; client = LIST_NEXT(client, node))
		if (!client->owner)
			goes = client;
	if (goes)
		client_free(goes);
	return goes;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	event_add(c->accept_event, NULL);
}

/* No descriptor is left: the spare one serves to tell the client, and accepting pauses for a moment, for it would be tried again at once. */
static void out_of_descriptors(struct control *c)
{
	struct timeval moment = { .tv_usec = 200000 };
	int fd;

	if (c->spare_fd >= 0) {
		close(c->spare_fd);
		fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			turn_away(fd, -EMFILE, "netstackd is out of file descriptors");
		c->spare_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	}
	event_del(c->accept_event);
	evtimer_add(c->resume_event, &moment);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct control *c = arg;

	(void)what;
	for (unsigned n = 0; n < MAX_CLIENTS; n++) { /* whoever connects without end does not keep the others from being served */
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
				out_of_descriptors(c);
			else if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return;
		}
		if (!control_may(c->daemon, fd))
			turn_away(fd, -EPERM, "only root, the user that started netstackd and members of its control group may do this");
		else if (c->nclients >= MAX_CLIENTS && !client_make_room(c, control_owner(c->daemon, fd)))
			turn_away(fd, -EBUSY, "too many clients: try again later");
		else
			client_new(c, fd);
	}
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

int control_start(struct daemon *d, int listen_fd, bool inherited, uid_t owner)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c) {
		close(listen_fd);
		return -ENOMEM;
	}
	c->daemon = d;
	c->fd = listen_fd;
	c->owner = owner;
	c->inherited = inherited;
	LIST_INIT(&c->clients);
	c->spare_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	c->accept_event = event_new(d->base, listen_fd, EV_READ | EV_PERSIST, on_accept, c);
	c->resume_event = evtimer_new(d->base, on_resume, c);
	d->control = c;
	if (!c->accept_event || !c->resume_event || event_add(c->accept_event, NULL) < 0) {
		control_stop(d);
		return -ENOMEM;
	}
	return 0;
}

void control_stop(struct daemon *d)
{
	struct control *c = d->control;

	if (!c)
		return;
	while (!LIST_EMPTY(&c->clients))
		client_free(LIST_FIRST(&c->clients));
	if (c->accept_event)
		event_free(c->accept_event);
	if (c->resume_event)
		event_free(c->resume_event);
	if (c->spare_fd >= 0)
		close(c->spare_fd);
	close(c->fd);
	free(c);
	d->control = NULL;
}
