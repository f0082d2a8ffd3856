/* SPDX-License-Identifier: MIT */
/*
 * save.c: a file replaced as a whole: a new one beside it, written and synced, takes its name. The mode and, as root, the owner of the old one are kept.
 */
#include "nsctl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

int nsctl_write_file(const char *path, const char *data, size_t len)
{
	char real[PATH_MAX], tmp[PATH_MAX + 8];
	struct stat st;
	mode_t mask = umask(0);
	int fd, err;

	umask(mask);
	/* A link to the file stays one. */
	if (!realpath(path, real)) {
		if (errno != ENOENT || strlen(path) >= sizeof(real))
			return -errno;
		strcpy(real, path);
	}
	if (stat(real, &st) < 0) {
		st.st_mode = 0666 & ~mask;
		st.st_uid = geteuid();
		st.st_gid = getegid();
	} else if (!S_ISREG(st.st_mode)) { /* /dev/stdout and the like */
		fd = open(real, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		err = write_all(fd, data, len);
		close(fd);
		return err == -EINVAL || err == -EROFS ? 0 : err; /* what cannot be synced */
	}
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", real);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_all(fd, data, len);
	if (!err && fchown(fd, st.st_uid, st.st_gid) < 0 && geteuid() == 0)
		err = -errno;
	if (!err && fchmod(fd, st.st_mode & 07777) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(tmp, real) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}
