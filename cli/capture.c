/* SPDX-License-Identifier: MIT */
/*
 * capture.c: "nsctl capture": asks the daemon for packets, and writes them to a file or a pipe as they come, or prints a line for each.
 *
 * Theory of operation. After one line of JSON the connection is a pcapng stream (control_proto.h). It is read block by block: with -w whole blocks are written as they are,
 * at once, so that a reader at the other end of a pipe is never behind, and so that a file that cannot be written any more (a full disk) ends with a whole block. Without -w
 * each packet becomes a line, with -j an object. SIGINT and SIGTERM ask the daemon for the end (by shutting down our side of the connection); the rest and the statistics still
 * come, and go to standard error. A second signal, a second later or more, ends at once, also while nobody takes what we write.
 *
 * Exit status: 0 also when the reader of the pipe went away first, as it does when Ctrl-C ends both; NSCTL_REFUSED when the file could not be written.
 */
#include "packets.h"
#include "client.h"
#include "format.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STREAM_BUFFER (512u * 1024) /* fewer and larger reads and writes */

struct capture {
	const struct nsctl  *ctl;
	struct client        client;
	struct pcapng_reader reader;
	const char          *file; /* as it was named; NULL: text */
	int                  fd; /* -1: text */
	bool                 created; /* a file of our own, which can be cut */
	bool                 fresh; /* which was not there before */
	off_t                good; /* its bytes that are whole blocks */
	uint64_t             packets;
	bool                 piped_out; /* the reader of our pipe has gone */
};

static volatile sig_atomic_t interrupted;
static struct timespec interrupted_at; /* the first time */

/* timeout(1) sends its signal to the process and to the group, which is once meant: a second one counts after a second. */
static void on_signal(int sig)
{
	struct timespec now;

	(void)sig;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!interrupted) {
		interrupted_at = now;
		interrupted = 1;
	} else if (now.tv_sec - interrupted_at.tv_sec > 1 || (now.tv_sec - interrupted_at.tv_sec == 1 && now.tv_nsec >= interrupted_at.tv_nsec)) {
		_exit(130);
	}
}

/* ---- the file --------------------------------------------------------------------------------------------------------------- */

static int file_open(struct capture *c)
{
	if (strcmp(c->file, "-") == 0) {
		if (isatty(STDOUT_FILENO)) {
			fputs("nsctl: a capture is not for a terminal: write it to a file (-w FILE), into a pipe, or leave -w away\n", stderr);
			return NSCTL_WORDS;
		}
		c->fd = STDOUT_FILENO;
		return NSCTL_DONE;
	}
	/* What people say to each other will be in it. */
	c->fd = open(c->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	c->fresh = c->fd >= 0;
	if (c->fd < 0 && errno == EEXIST)
		c->fd = open(c->file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (c->fd < 0) {
		fprintf(stderr, "nsctl: %s: %s\n", c->file, strerror(errno));
		return NSCTL_REFUSED;
	}
	c->created = true;
	return NSCTL_DONE;
}

/* The daemon has refused or agreed: only now a file that was there loses what it had, and one that was not goes again. */
static int file_settle(const struct capture *c, int status)
{
	struct stat st;

	if (!c->created)
		return status;
	if (status && c->fresh)
		unlink(c->file);
	if (!status && !c->fresh && fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(c->fd, 0) < 0) {
		fprintf(stderr, "nsctl: %s: %s\n", c->file, strerror(errno));
		status = NSCTL_REFUSED;
	}
	return status;
}

static int file_failed(struct capture *c, int err)
{
	if (err == EPIPE) {
		c->piped_out = true;
		return -EPIPE;
	}
	fprintf(stderr, "nsctl: %s: %s; the capture has ended\n", c->created ? c->file : "standard output", strerror(err));
	if (c->created && ftruncate(c->fd, c->good) < 0) /* without the beginning of a block that could not be finished */
		fprintf(stderr, "nsctl: %s: the last packet in it is cut short\n", c->file);
	return -err;
}

/* Whole blocks. 0 or -errno, which has been told. */
static int file_write(struct capture *c, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(c->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { /* a pipe that somebody made non-blocking */
			struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };

			poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0)
			return file_failed(c, errno);
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------------------- */

/* "dropped: ip_ttl: time to live ran out": the word and the sentence. */
static void split_comment(const struct pcapng_view *k, char *buf, size_t size, char **reason, char **why)
{
	size_t n = k->comment_len < size - 1 ? k->comment_len : size - 1;
	char *colon;

	*reason = *why = NULL;
	if (!k->comment)
		return;
	memcpy(buf, k->comment, n);
	buf[n] = 0;
	if (strncmp(buf, "dropped: ", 9) != 0)
		return;
	*reason = buf + 9;
	colon = strstr(*reason, ": ");
	if (colon) {
		*colon = 0;
		*why = colon + 2;
	}
}

static const char *direction(const struct pcapng_view *k)
{
	return (k->flags & 3) == 2 ? "out" : (k->flags & 3) == 1 ? "in" : "-";
}

static int print_json(const struct pcapng_view *k, const char *text, const char *reason)
{
	json_t *r = json_object();
	int err;

	json_object_set_new(r, "time", json_integer((json_int_t)k->time));
	json_object_set_new(r, "link", json_string(k->link->name));
	json_object_set_new(r, "direction", json_string(direction(k)));
	json_object_set_new(r, "len", json_integer(k->len));
	json_object_set_new(r, "packet", json_string(text));
	if (reason)
		json_object_set_new(r, "dropped", json_string(reason));
	if (k->lost)
		json_object_set_new(r, "lost", json_integer((json_int_t)k->lost));
	err = json_dumpf(r, stdout, JSON_COMPACT);
	json_decref(r);
	fputc('\n', stdout);
	return err;
}

static int print_packet(struct capture *c, const struct pcapng_view *k)
{
	char text[256], comment[256], when[16], *reason, *why;
	time_t seconds = (time_t)(k->time / NSEC_PER_SEC);
	struct tm tm;

	packet_text(k->data, k->caplen, k->len, text, sizeof(text));
	split_comment(k, comment, sizeof(comment), &reason, &why);
	if (c->ctl->json) {
		print_json(k, text, reason);
	} else {
		localtime_r(&seconds, &tm);
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
		printf("%s.%06u %-3s ", when, (unsigned)(k->time % NSEC_PER_SEC / NSEC_PER_USEC), direction(k));
		put_text(stdout, k->link->name);
		fputc(' ', stdout);
		put_text(stdout, text);
		if (reason) {
			fputs(" dropped ", stdout);
			put_text(stdout, reason);
			fputs(why ? " (" : "", stdout);
			put_text(stdout, why ? why : "");
			fputs(why ? ")" : "", stdout);
		}
		fputc('\n', stdout);
	}
	return ferror(stdout) ? -EPIPE : 0;
}

/* ---- the stream ------------------------------------------------------------------------------------------------------------- */

/* Takes all whole blocks from what was received. 0 or -errno. */
static int take_blocks(struct capture *c)
{
	const uint8_t *buf = (const uint8_t *)c->client.buf;
	size_t used = 0;
	int err = 0;

	while (!err) {
		struct pcapng_view view;
		ssize_t n = pcapng_block(buf + used, c->client.len - used);
		int r;

		if (n <= 0) {
			err = (int)n;
			break;
		}
		r = pcapng_read(&c->reader, buf + used, (size_t)n, &view);
		if (r == 1) {
			c->packets++;
			err = c->fd < 0 ? print_packet(c, &view) : 0;
		} else {
			err = r;
		}
		used += (size_t)n;
	}
	if (used && c->fd >= 0 && (!err || err == -EPROTO)) {
		int r = file_write(c, c->client.buf, used);

		err = r ? r : err;
		if (!r)
			c->good += (off_t)used;
	}
	if (c->fd < 0 && fflush(stdout))
		err = -EPIPE;
	memmove(c->client.buf, c->client.buf + used, c->client.len - used);
	c->client.len -= used;
	return err;
}

/* Until the daemon has sent the last byte. 0, or -errno: -EPIPE and what file_write told are ends of their own. */
static int follow(struct capture *c, const sigset_t *unblocked)
{
	bool asked = false;
	sigset_t blocked;
	int err;

	/* Signals are held back but while we wait, for the daemon or for who reads what we write: so none is overlooked before ppoll. */
	sigprocmask(SIG_SETMASK, unblocked, &blocked);
	err = take_blocks(c);
	while (!err) {
		struct pollfd pfd = { .fd = c->client.fd, .events = POLLIN };

		sigprocmask(SIG_SETMASK, &blocked, NULL);
		if (interrupted && !asked) {
			shutdown(c->client.fd, SHUT_WR);
			asked = true;
		}
		if (ppoll(&pfd, 1, NULL, unblocked) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		err = client_fill(&c->client);
		if (err == -ECONNRESET)
			return c->reader.ended || asked ? 0 : -ECONNRESET;
		sigprocmask(SIG_SETMASK, unblocked, NULL);
		if (!err)
			err = take_blocks(c);
	}
	return err;
}

static int end(struct capture *c, int err)
{
	int status = NSCTL_DONE;

	if (c->created && close(c->fd) < 0 && !err)
		err = file_failed(c, errno);
	if (err == -ECONNRESET) {
		fputs("nsctl: netstackd hung up\n", stderr);
		status = NSCTL_NO_DAEMON;
	} else if (err == -EPROTO) {
		fputs("nsctl: what came is not a capture\n", stderr);
		status = NSCTL_NO_DAEMON;
	} else if (err && err != -EPIPE) {
		if (err == -ENOMEM)
			fputs("nsctl: out of memory\n", stderr);
		status = NSCTL_REFUSED;
	}
	if (c->reader.comment[0]) { /* the daemon has ended it */
		fputs("nsctl: ", stderr);
		put_text(stderr, c->reader.comment);
		fputs("; the capture has ended\n", stderr);
		status = status ? status : NSCTL_REFUSED;
	}
	fprintf(stderr, "%llu packets captured\n", (unsigned long long)(c->reader.ended && !err ? c->reader.delivered : c->packets));
	if (c->reader.ended)
		fprintf(stderr, "%llu packets received by the filter\n%llu packets dropped by the capture\n", (unsigned long long)c->reader.accepted,
			(unsigned long long)c->reader.dropped);
	return status;
}

/* ---- the request ------------------------------------------------------------------------------------------------------------ */

/* The line for the daemon: everything but the file, and the filter with its program. NULL: out of memory, or why says. */
static char *request_line(const struct cmd *cmd, char *why, size_t size)
{
	const struct cmd_arg *filter = cmd_arg(cmd, "filter"), *file = cmd_arg(cmd, "file"), *program = cmd_arg(cmd, "program");
	struct cmd copy = *cmd;
	char *prog = NULL, *line, *quoted;
	size_t len;

	copy.nargs = 0;
	for (unsigned i = 0; i < cmd->nargs; i++)
		if (&cmd->args[i] != filter && &cmd->args[i] != file)
			copy.args[copy.nargs++] = cmd->args[i];
	snprintf(why, size, "out of memory");
	if (filter && !program) {
		prog = filter_compile(filter->str, why, size);
		if (!prog)
			return NULL;
	}
	len = (size_t)cmd_format(&copy, NULL, 0) + (prog ? strlen(prog) : 0) + (filter ? 2 * strlen(filter->str) : 0) + 64;
	line = malloc(len);
	quoted = filter ? malloc(2 * strlen(filter->str) + 3) : NULL;
	if (line && (quoted || !filter)) {
		size_t n = (size_t)cmd_format(&copy, line, len);

		if (prog)
			n += (size_t)snprintf(line + n, len - n, " program \"%s\"", prog);
		if (filter)
			snprintf(line + n, len - n, " filter %s", grammar_quote(filter->str, quoted, 2 * strlen(filter->str) + 3));
	} else {
		free(line);
		line = NULL;
	}
	free(quoted);
	free(prog);
	return line;
}

static void watch_signals(sigset_t *unblocked)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART }; /* a write goes on; ppoll does not */
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sa.sa_mask = set;
	sigprocmask(SIG_BLOCK, &set, unblocked);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigdelset(unblocked, SIGINT);
	sigdelset(unblocked, SIGTERM);
}

static int begin(struct capture *c, const char *line)
{
	char why[512], *bigger;
	json_t *first;
	int status;

	if (client_open(&c->client, c->ctl->socket, why, sizeof(why)) || client_ask(&c->client, line, &first, why, sizeof(why))) {
		fprintf(stderr, "nsctl: %s\n", why);
		return NSCTL_NO_DAEMON;
	}
	if (!rec_bool(first, "capture")) {
		status = nsctl_verdict(line, first);
		json_decref(first);
		return status ? status : NSCTL_NO_DAEMON;
	}
	json_decref(first);
	bigger = realloc(c->client.buf, STREAM_BUFFER);
	if (bigger && STREAM_BUFFER > c->client.size) {
		c->client.buf = bigger;
		c->client.size = STREAM_BUFFER;
	}
	return NSCTL_DONE;
}

int capture_run(const struct nsctl *ctl, const struct cmd *cmd)
{
	const struct cmd_arg *file = cmd_arg(cmd, "file"), *dev = cmd_arg(cmd, "dev");
	struct capture c = { .ctl = ctl, .client.fd = -1, .fd = -1, .file = file ? file->str : NULL };
	char why[768], *line = request_line(cmd, why, sizeof(why));
	sigset_t unblocked;
	int status;

	if (!line) {
		fprintf(stderr, "nsctl: %s\n", why);
		return NSCTL_WORDS;
	}
	status = c.file ? file_open(&c) : NSCTL_DONE;
	if (!status) {
		watch_signals(&unblocked);
		status = file_settle(&c, begin(&c, line));
	}
	if (!status) {
		fprintf(stderr, "nsctl: capturing on %s; Ctrl-C ends it\n", dev ? dev->str : "any");
		status = end(&c, follow(&c, &unblocked));
	}
	pcapng_reader_free(&c.reader);
	client_close(&c.client);
	free(line);
	return status;
}
