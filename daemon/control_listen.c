/* SPDX-License-Identifier: MIT */
/*
 * control_listen.c: the sockets that clients find: of control (a stream) and of rtnetlink (packets). systemd's are taken when it has handed any over; else they are
 * made here, while the daemon is still privileged, with the mode and group that let the right people in.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG 64

/* systemd's socket of that type: a stream to control, packets for rtnetlink. -ENOENT: there is none. */
static int inherited_socket(int type, struct conf_error *e)
{
	int n = sd_listen_fds(type == SOCK_SEQPACKET /* asked for last: nobody else sees them */), found = -ENOENT;

	if (n <= 0)
		return n < 0 ? conf_fail(e, n, "systemd's socket: %s", strerror(-n)) : -ENOENT;
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		bool stream = sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0, packets = sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) > 0;

		if ((!stream && !packets) || (found >= 0 && stream == (type == SOCK_STREAM)))
			return conf_fail(e, -EINVAL, "systemd handed over something that is not one listening AF_UNIX stream socket, and one of packets");
		if (stream == (type == SOCK_STREAM))
			found = fd;
	}
	if (found >= 0 && (fcntl(found, F_SETFL, O_NONBLOCK) < 0 || fcntl(found, F_SETFD, FD_CLOEXEC) < 0))
		return conf_fail(e, -errno, "systemd's socket: %s", strerror(errno));
	return found;
}

static const char *option_of(int type)
{
	return type == SOCK_STREAM ? "control" : "netlink";
}

/* A socket file that nobody serves is left from one who was killed; one that is served is another netstackd's. */
static int clear_stale(const struct sockaddr_un *sun, int type, struct conf_error *e)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct stat st;

	if (fd < 0)
		return conf_fail(e, -errno, "no socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN)
		err = conf_fail(e, -EADDRINUSE, "another netstackd serves %s: end it, or give this one its own --%s", sun->sun_path, option_of(type));
	else if (errno == ECONNREFUSED && lstat(sun->sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			err = conf_fail(e, -EEXIST, "%s exists and is not a socket", sun->sun_path);
		else if (unlink(sun->sun_path) < 0)
			err = conf_fail(e, -errno, "cannot remove the old %s: %s", sun->sun_path, strerror(errno));
	}
	close(fd);
	return err;
}

static void make_folder(const char *path)
{
	char *copy = strdup(path);

	if (copy)
		mkdir(dirname(copy), 0755); /* one that is missing and cannot be made shows when binding */
	free(copy);
}

int control_listen(const char *path, const char *group, bool *ret_inherited, struct conf_error *e)
{
	return control_listen_at(path, SOCK_STREAM, group, ret_inherited, e);
}

int control_listen_at(const char *path, int type, const char *group, bool *ret_inherited, struct conf_error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const struct group *gr = NULL;
	mode_t mask;
	int fd, err;

	memset(e, 0, sizeof(*e));
	fd = inherited_socket(type, e);
	*ret_inherited = fd >= 0;
	if (fd >= 0 || e->err)
		return fd;
	if (strlen(path) >= sizeof(sun.sun_path))
		return conf_fail(e, -ENAMETOOLONG, "the path of the %s socket is longer than %zu bytes", option_of(type), sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	if (group[0] && !(gr = getgrnam(group)))
		return conf_fail(e, -ENOENT, "control group: there is no group %s", group);
	make_folder(path);
	err = clear_stale(&sun, type, e);
	if (err)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return conf_fail(e, -errno, "no socket: %s", strerror(errno));
	/* Made with its mode, and given away without following a link: in a folder of others the name could mean another file by then. */
	mask = umask(gr ? 0117 : 0177);
	err = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	umask(mask);
	if (!err && gr && lchown(path, (uid_t)-1, gr->gr_gid) < 0)
		err = -errno;
	if (!err && listen(fd, BACKLOG) < 0)
		err = -errno;
	if (err) {
		close(fd);
		if (err == -EADDRINUSE) /* and who has it was not to be found out: it belongs to another user */
			return conf_fail(e, err, "%s is taken, perhaps by another netstackd: end it, or give this one its own --%s", path, option_of(type));
		return conf_fail(e, err, "cannot serve %s: %s%s", path, strerror(-err),
				 err == -EACCES || err == -ENOENT ? type == SOCK_STREAM ? " (choose another place with --control)" : " (choose another place with --netlink)" : "");
	}
	return fd;
}
