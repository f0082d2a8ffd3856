/* SPDX-License-Identifier: MIT */
/*
 * main.c: netstackd: what happens in which order from the command line to the end.
 *
 * Start: the configuration is read and tried (and that is all with -n); the control socket is bound; the helper with CAP_NET_ADMIN is forked; the daemon
 * gives up its privileges; stacks and threads are made; the system-call filter goes on; the configuration is applied, with TAPs opened by the helper; ready.
 *
 * End (SIGTERM, SIGINT): services and connections are ended in order (FIN or RST); what is under way gets a moment, at most SHUTDOWN_ROUNDS, or SHUTDOWN_SECONDS
 * when a worker does not answer; threads end; TAPs
 * go away with their descriptors; the helper removes the control socket.
 *
 * The main thread is the control thread: signals, control clients, answers of the workers. It sleeps unless one of them wakes it.
 */
#include "apply.h"
#include "config_file.h"
#include "control.h"
#include "control_proto.h"
#include "daemon.h"
#include "gather.h"
#include "host_watch.h"
#include "links.h"
#include "log.h"
#include "netlink_proto.h"
#include "netlink_server.h"
#include "notify.h"
#include "priv.h"


#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netstack/socket.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#ifndef NETSTACKD_CONF
#define NETSTACKD_CONF "/etc/netstackd/netstackd.conf"
#endif

#define SHUTDOWN_ROUNDS 50
#define SHUTDOWN_SECONDS 3 /* a worker that does not answer */
#define SHUTDOWN_STEP_USEC 20000 /* between two looks: a second in all */

enum exit_code { EXIT_OK, EXIT_REFUSED, EXIT_USAGE };

struct options {
	const char *config, *control, *netlink, *user;
	unsigned    workers;
	bool        check, foreground;
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: netstackd [-c FILE] [-n] [--control PATH] [--netlink PATH] [--workers N] [--user NAME] [--foreground]\n"
		"\n"
		"A user-space TCP/IP host and router on TAP devices. nsctl(1) talks to it.\n"
		"\n"
		"  -c, --config FILE    the configuration (default " NETSTACKD_CONF ", if it is there)\n"
		"  -n, --check          check the configuration and end: 0 it is good, 1 it is not\n"
		"      --control PATH   the control socket (default $RUNTIME_DIRECTORY/control or " CONTROL_PATH_DEFAULT ")\n"
		"      --netlink PATH   the rtnetlink socket (default: rtnetlink, beside the control socket)\n"
		"  -w, --workers N      worker threads, 1 to %d (default 1)\n"
		"  -u, --user NAME      run as this user when started as root (default netstackd, or nobody; \"root\" stays root without capabilities)\n"
		"  -f, --foreground     stay in the foreground\n"
		"  -V, --version        print the version and end\n"
		"  -h, --help           print this and end\n",
		STACK_MAX_CPUS);
}

static int usage_error(const char *fmt, const char *arg)
{
	fprintf(stderr, fmt, arg);
	fputs("Try 'netstackd --help'.\n", stderr);
	return EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'n' }, { "control", required_argument, NULL, 'C' },
		{ "netlink", required_argument, NULL, 'N' },
		{ "workers", required_argument, NULL, 'w' }, { "user", required_argument, NULL, 'u' }, { "foreground", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	unsigned long n;
	char *end;
	int c;

	*o = (struct options){ .workers = 1 };
	while ((c = getopt_long(argc, argv, "c:nw:u:fVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'C':
			o->control = optarg;
			break;
		case 'N':
			o->netlink = optarg;
			break;
		case 'w':
			errno = 0;
			n = strtoul(optarg, &end, 10);
			if (errno || *end || end == optarg || n < 1 || n > STACK_MAX_CPUS)
				return usage_error("netstackd: --workers wants a number from 1 to 64, not \"%s\"\n", optarg);
			o->workers = (unsigned)n;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'V':
			printf("netstackd %s\n", netstack_version());
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			fputs("Try 'netstackd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("netstackd: \"%s\" is not an option\n", argv[optind]);
	return -1;
}

/* ---- configuration ------------------------------------------------------------------------------------------------------ */

static char *absolute(const char *path)
{
	char cwd[PATH_MAX], *full;

	if (path[0] == '/')
		return strdup(path);
	if (!getcwd(cwd, sizeof(cwd)) || asprintf(&full, "%s/%s", cwd, path) < 0)
		return NULL;
	return full;
}

static void config_warn(void *path, unsigned line, const char *text)
{
	log_msg(LOG_WARNING, "%s:%u: %s", (const char *)path, line, text);
}

/* Reads and tries the file. Without -c a missing default file is no error: there is nothing to configure. */
static int load_config(struct daemon *d, const struct options *o, struct conf_state *want)
{
	const char *path = o->config ? o->config : NETSTACKD_CONF;
	struct conf_error e = { .err = 0 };
	char *text = NULL, where[1024];
	size_t len = 0;
	int fd, err;

	err = conf_state_init(want, o->workers);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	err = fd < 0 ? -errno : config_read(fd, &text, &len);
	if (err == -ENOENT && !o->config && !o->check)
		return 0;
	if (err) {
		log_msg(LOG_ERR, "cannot read the configuration %s: %s", path, strerror(-err));
		return err;
	}
	want->check_group = true;
	want->cpus = (unsigned)get_nprocs_conf();
	want->warn = config_warn;
	want->warn_arg = (void *)(uintptr_t)path;
	err = config_parse(want, text, len, &e);
	want->warn = NULL;
	free(text);
	if (err) {
		config_error_text(&e, path, where, sizeof(where));
		log_msg(LOG_ERR, "%s", where);
		return err;
	}
	d->config_path = absolute(path);
	return d->config_path ? 0 : -ENOMEM;
}

/* ---- the background -------------------------------------------------------------------------------------------------------- */

/* The parent waits until the child is ready, so that who started us knows how it went. Returns in the child only. */
static int go_to_background(struct daemon *d)
{
	int fd[2];
	pid_t pid;
	char ok;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(fd[1]);
		_exit(read(fd[0], &ok, 1) == 1 ? EXIT_OK : EXIT_REFUSED);
	}
	close(fd[0]);
	setsid();
	d->ready_fd = fd[1];
	return 0;
}

static void tell_parent(struct daemon *d)
{
	int null;

	if (d->ready_fd < 0)
		return;
	log_detach();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) { /* whoever reads what we print, over a pipe or ssh, is not kept waiting. dup3, as the filter knows it on every architecture */
		dup3(null, STDIN_FILENO, 0);
		dup3(null, STDOUT_FILENO, 0);
		dup3(null, STDERR_FILENO, 0);
		close(null);
	}
	if (write(d->ready_fd, "1", 1) != 1)
		log_msg(LOG_WARNING, "whoever started netstackd did not wait");
	close(d->ready_fd);
	d->ready_fd = -1;
}

/* ---- events of the main thread ------------------------------------------------------------------------------------------------ */

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	do
		mailbox_run_jobs(&d->mail, d);
	while (!mailbox_sleep(&d->mail));
}

static void on_priv(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	char c;

	(void)what;
	if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	event_del(d->priv_event);
	if (!d->ending)
		log_msg(LOG_ERR, "the privileged helper has ended: links cannot be added or changed until netstackd is started again");
}

static void reload(struct daemon *d);

static void reload_done(struct daemon *d, void *arg, const struct conf_error *e)
{
	(void)arg;
	if (e)
		log_msg(LOG_ERR, "reloaded %s, but: %s", d->config_path, e->text);
	else
		log_msg(LOG_INFO, "reloaded %s", d->config_path);
	if (!d->ending)
		notify_ready(d);
	if (d->reload_wanted && !apply_busy(d))
		reload(d);
}

static void reload(struct daemon *d)
{
	struct conf_error e;
	char where[1024];

	d->reload_wanted = apply_busy(d);
	if (d->reload_wanted || d->ending)
		return;
	notify_reloading();
	if (apply_reload(d, reload_done, NULL, &e) == 0)
		return;
	config_error_text(&e, d->config_path ? d->config_path : "reload", where, sizeof(where));
	log_msg(LOG_ERR, "%s; what runs goes on unchanged", where);
	notify_ready(d);
}

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reload(arg);
}

static void on_ready(struct daemon *d, void *arg, const struct conf_error *e)
{
	const struct conf_state *st = NULL;
	unsigned nlinks = 0, nservices = 0;
	char netns[40] = "";

	(void)arg;
	if (e)
		log_msg(LOG_ERR, "%s", e->text);
	if (d->ending)
		return;
	while ((st = conf_netns_next(&d->conf, st))) {
		nlinks += st->nlinks;
		nservices += st->nservices;
	}
	if (d->conf.nnetns)
		snprintf(netns, sizeof(netns), " in %u network namespaces", d->conf.nnetns + 1);
	d->ready = true;
	log_msg(LOG_INFO, "ready in %lld ms: %u link%s, %u service%s%s, %u worker%s, control socket %s", (long long)((clock_now() - d->started) / NSEC_PER_MSEC),
		nlinks, nlinks == 1 ? "" : "s", nservices, nservices == 1 ? "" : "s", netns, d->nworkers, d->nworkers == 1 ? "" : "s",
		d->control_path ? d->control_path : "from systemd");
	notify_ready(d);
	tell_parent(d);
	if (d->reload_wanted)
		reload(d);
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------- */

static int still_sending(void *arg, const struct sock_info *info)
{
	static const uint32_t waits = 1u << TCP_ESTABLISHED | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK |
				      1u << TCP_CLOSING;

	if (info->protocol == IPPROTO_TCP && info->state < 32 && (waits & 1u << info->state))
		++*(size_t *)arg;
	return 0;
}

static void end_connections(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	(void)g;
	for (unsigned i = 0; i < w->nns; i++) {
		struct worker_ns *ns = w->list[i];

		worker_raise(ns);
		if (!w->ending) {
			services_shutdown(ns->services);
			stack_shutdown(ns->stack, w->now);
		}
		stack_sock_foreach(ns->stack, still_sending, &slot->n);
	}
	w->ending = true;
}

static void ended(struct gather *g)
{
	struct daemon *d = g->daemon;
	struct timeval step = { .tv_usec = SHUTDOWN_STEP_USEC };
	size_t left = 0;

	for (unsigned i = 0; i < g->n; i++)
		left += g->slot[i].n;
	if (left == 0 || ++d->shutdown_rounds > SHUTDOWN_ROUNDS)
		event_base_loopbreak(d->base);
	else
		evtimer_add(d->shutdown_event, &step);
}

static void shutdown_step(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (gather_start(d, end_connections, ended, NULL) < 0)
		event_base_loopbreak(d->base);
}

static void shutdown_late(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_msg(LOG_WARNING, "a worker does not answer: ending without it");
	event_base_loopbreak(d->base);
}

static void daemon_begin_shutdown(struct daemon *d)
{
	struct timeval patience = { .tv_sec = SHUTDOWN_SECONDS };

	if (d->ending) { /* asked again: at once */
		event_base_loopbreak(d->base);
		return;
	}
	d->ending = true;
	notify_stopping();
	log_msg(LOG_INFO, "ending");
	evtimer_add(d->late_event, &patience);
	shutdown_step(-1, 0, d);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	daemon_begin_shutdown(arg);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

static int add_event(struct daemon *d, struct event **ret, int fd, short what, event_callback_fn fn)
{
	*ret = event_new(d->base, fd, what, fn, d);
	return *ret && event_add(*ret, NULL) == 0 ? 0 : -ENOMEM;
}

static void libevent_says(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_msg(severity == EVENT_LOG_ERR ? LOG_ERR : LOG_WARNING, "%s", text);
}

/* libevent ends the process when it cannot make an event base. */
static void libevent_gives_up(int err)
{
	(void)err;
	log_msg(LOG_ERR, "cannot start: %s (file descriptors: ulimit -n, LimitNOFILE=)", strerror(errno));
	exit(EXIT_REFUSED);
}

static int make_loop(struct daemon *d)
{
	struct event_config *ec;
	int err;

	event_set_log_callback(libevent_says);
	event_set_fatal_callback(libevent_gives_up);
	ec = event_config_new();
	if (!ec)
		return -ENOMEM;
	event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
	d->base = event_base_new_with_config(ec);
	event_config_free(ec);
	if (!d->base)
		return -ENOMEM;
	err = mailbox_init(&d->mail, 0, 0, 0);
	if (!err)
		err = add_event(d, &d->mail_event, d->mail.efd, EV_READ | EV_PERSIST | EV_ET, on_mail);
	if (!err)
		err = add_event(d, &d->term_event, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term);
	if (!err)
		err = add_event(d, &d->int_event, SIGINT, EV_SIGNAL | EV_PERSIST, on_term);
	if (!err)
		err = add_event(d, &d->hup_event, SIGHUP, EV_SIGNAL | EV_PERSIST, on_hup);
	if (!err)
		err = add_event(d, &d->priv_event, priv_fd(d->priv), EV_READ | EV_PERSIST, on_priv);
	d->shutdown_event = evtimer_new(d->base, shutdown_step, d);
	d->late_event = evtimer_new(d->base, shutdown_late, d);
	if (!err && !mailbox_sleep(&d->mail)) /* from now on a job writes the eventfd */
		err = -EIO;
	return d->shutdown_event && d->late_event ? err : -ENOMEM;
}

static void free_loop(struct daemon *d)
{
	struct event *events[] = { d->mail_event, d->term_event, d->int_event, d->hup_event, d->priv_event, d->shutdown_event, d->late_event, d->watchdog_event };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	if (d->base)
		event_base_free(d->base);
	if (d->mail.efd >= 0)
		mailbox_exit(&d->mail);
}

/* As many descriptors as the administrator allows; epoll does not mind high numbers. */
static void raise_limits(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int fill_seed(struct daemon *d, unsigned workers)
{
	struct timespec wall;
	struct sysinfo si;

	clock_gettime(CLOCK_REALTIME, &wall);
	d->wall_offset = wall.tv_sec * NSEC_PER_SEC + wall.tv_nsec - clock_now();
	if (sysinfo(&si) == 0)
		d->mem_limit = (size_t)si.totalram * si.mem_unit / 4 / workers;
	return getrandom(d->seed, sizeof(d->seed), 0) == (ssize_t)sizeof(d->seed) ? 0 : -errno;
}

static gid_t control_gid(const struct conf_state *want)
{
	const struct group *gr = want->control_group[0] ? getgrnam(want->control_group) : NULL;

	return gr ? gr->gr_gid : 0;
}

static int fatal(const struct conf_error *e)
{
	log_msg(LOG_ERR, "%s", e->text);
	return e->err;
}

/* The rtnetlink socket, beside the control socket unless it is said where. One that cannot be had is a warning only if nobody has asked for it. */
static int listen_netlink(struct daemon *d, const struct options *o, const struct conf_state *want, bool *ret_inherited, struct conf_error *e)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;

	if (o->netlink)
		d->netlink_path = absolute(o->netlink);
	else if (nsnl_path(d->control_path, path, sizeof(path)) == 0)
		d->netlink_path = strdup(path);
	fd = d->netlink_path ? control_listen_at(d->netlink_path, SOCK_SEQPACKET, want->control_group, ret_inherited, e)
			     : conf_fail(e, -ENAMETOOLONG, "there is no room for a socket beside %s", d->control_path);
	if (fd < 0 && !o->netlink)
		log_msg(LOG_WARNING, "no rtnetlink socket: %s", e->text);
	return fd;
}

/* Everything between the configuration and the loop. */
static int start(struct daemon *d, const struct options *o, struct conf_state *want)
{
	uid_t owner = geteuid();
	struct conf_error e;
	const char *sockets[PRIV_SOCKETS];
	bool inherited, nl_inherited = false;
	int fd, nl_fd, err, host_err;

	fd = control_listen(d->control_path, want->control_group, &inherited, &e);
	if (fd < 0)
		return fatal(&e);
	nl_fd = listen_netlink(d, o, want, &nl_inherited, &e);
	if (nl_fd < 0 && o->netlink) {
		if (!inherited)
			unlink(d->control_path);
		close(fd);
		return fatal(&e);
	}
	sockets[0] = inherited ? NULL : d->control_path;
	sockets[1] = nl_fd < 0 || nl_inherited ? NULL : d->netlink_path;
	err = priv_start(&d->priv, d->config_path, sockets, d->ready_fd >= 0);
	if (err) {
		for (unsigned i = 0; i < PRIV_SOCKETS; i++)
			if (sockets[i])
				unlink(sockets[i]);
		close(fd);
		log_msg(LOG_ERR, "cannot start the privileged helper: %s", strerror(-err));
		return err;
	}
	err = priv_drop(o->user, control_gid(want), &e) ? fatal(&e) : fill_seed(d, o->workers);
	if (err) {
		close(fd);
		return err;
	}
	host_err = host_watch_open(d);
	if (host_err)
		log_msg(LOG_WARNING, "what the host does to its ends of links will not be followed: %s", strerror(-host_err));
	err = make_loop(d);
	if (!err)
		err = host_watch_start(d);
	if (!err)
		err = conf_state_init(&d->conf, o->workers);
	d->conf.object_open = xdp_open_nothing;
	d->conf.cpus = want->cpus;
	if (!err)
		err = workers_new(d, o->workers);
	if (!err)
		err = priv_drop_last();
	if (err) {
		close(fd);
		goto failed;
	}
	err = control_start(d, fd, inherited, owner);
	if (!err && nl_fd >= 0)
		err = netlink_start(d, nl_fd);
	if (!err)
		err = workers_start(d);
	if (err)
		goto failed;
	if (d->ready_fd >= 0)
		log_prepare_detach();
	if (priv_seccomp() < 0)
		log_msg(LOG_WARNING, "this kernel takes no seccomp filter: running without one");
	if (apply_state(d, want, on_ready, NULL, &e) < 0) {
		fatal(&e);
		workers_stop(d);
		return e.err;
	}
	err = notify_watchdog_start(d);
	if (!err)
		return 0;
	workers_stop(d);
failed:
	log_msg(LOG_ERR, "cannot start: %s", strerror(-err));
	return err;
}

static void finish(struct daemon *d)
{
	control_stop(d);
	netlink_stop(d);
	links_stop(d);
	host_watch_stop(d);
	apply_close_all(d);
	conf_state_exit(&d->conf);
	free_loop(d);
	priv_stop(d->priv);
	free(d->config_path);
	free(d->control_path);
	free(d->netlink_path);
}

static char *control_path(const struct options *o)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	char *path;

	if (o->control)
		return absolute(o->control);
	if (!runtime)
		return strdup(CONTROL_PATH_DEFAULT);
	return asprintf(&path, "%.*s/control", (int)strcspn(runtime, ":"), runtime) < 0 ? NULL : path;
}

/* From here on it ends: another signal would find no handler any more, and kill it in the middle. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
	struct daemon d = { .mail.efd = -1, .ready_fd = -1, .started = clock_now() };
	struct conf_state want;
	struct options o;
	int status = parse_options(argc, argv, &o), err;

	if (status >= 0)
		return status;
	log_init();
	signal(SIGPIPE, SIG_IGN);
	err = load_config(&d, &o, &want);
	if (err || o.check) {
		if (!err)
			printf("%s: the configuration is good\n", o.config ? o.config : NETSTACKD_CONF);
		conf_state_exit(&want);
		free(d.config_path);
		return err ? EXIT_REFUSED : EXIT_OK;
	}
	raise_limits();
	d.control_path = control_path(&o);
	err = d.control_path ? 0 : -ENOMEM;
	if (!err && !o.foreground)
		err = go_to_background(&d);
	if (!err)
		err = start(&d, &o, &want);
	conf_state_exit(&want);
	if (!err) {
		event_base_dispatch(d.base);
		hold_signals();
		control_stop(&d); /* first: no answer is sent from here on */
		netlink_stop(&d);
		if (workers_stop(&d) < 0) {
			priv_stop(d.priv);
			_exit(EXIT_REFUSED); /* a thread is still there: nothing may be freed; the kernel closes the TAPs */
		}
	}
	finish(&d);
	return err ? EXIT_REFUSED : EXIT_OK;
}
