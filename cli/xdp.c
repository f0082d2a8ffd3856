/* SPDX-License-Identifier: MIT */
/*
 * xdp.c: "link set DEV xdp FILE": the file goes along with the command, in base64, read with the rights of who types, since the daemon can open nobody's files. The
 * path becomes absolute, so that it still means the same file when "nsctl save" has written it into a configuration.
 */
#include "base64.h"
#include "grammar.h"
#include "nsctl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OBJECT_MAX (768 * 1024) /* as EBPF_OBJECT_MAX of the daemon */

static int read_all(const char *path, unsigned char **ret, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = 0;
	unsigned char *p;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > OBJECT_MAX) {
		err = S_ISDIR(st.st_mode) ? -EISDIR : !S_ISREG(st.st_mode) ? -EINVAL : -EFBIG;
		close(fd);
		return err;
	}
	p = malloc((size_t)st.st_size + 1);
	while (p && len < (size_t)st.st_size) {
		ssize_t n = read(fd, p + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (!p || err) {
		free(p);
		return p ? err : -ENOMEM;
	}
	*ret = p;
	*ret_len = len;
	return 0;
}

int nsctl_add_object(struct cmd *cmd, char **ret_line)
{
	struct cmd_arg *file = NULL;
	unsigned char *object = NULL;
	char *path, *line = NULL;
	size_t len = 0, size;
	int err;

	for (unsigned i = 0; i < cmd->nargs; i++)
		if (strcmp(cmd->args[i].key, "xdp") == 0)
			file = &cmd->args[i];
	if (cmd->id != CMD_LINK_SET || !file || strcmp(file->str, "off") == 0 || cmd_arg(cmd, "object"))
		return 0;
	path = realpath(file->str, NULL);
	err = path ? read_all(path, &object, &len) : -errno;
	if (!err) {
		file->str = path;
		size = (size_t)cmd_format(cmd, NULL, 0);
		line = malloc(size + sizeof(" object ") + BASE64_LEN(len));
		if (line) {
			cmd_format(cmd, line, size + 1);
			strcpy(line + size, " object ");
			base64_encode(object, len, line + size + strlen(" object "));
		}
		err = line ? 0 : -ENOMEM;
		file->str = ""; /* path goes; the line has it */
	}
	free(object);
	free(path);
	*ret_line = line;
	return err;
}
