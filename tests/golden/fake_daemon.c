// SPDX-License-Identifier: MIT
/*
 * fake_daemon.c: answers on a control socket from a file, so that nsctl is tested without a daemon.
 *
 * fake_daemon SOCKET FILE prints "ready" and serves one client after another until its standard input ends. FILE holds answers: a line "> REQUEST", then the
 * lines to answer with. "!hangup" in place of a line closes the connection there, "!part TEXT" sends TEXT without a newline. What is not in the
 * file is refused.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *buf = NULL;
	size_t size = 0;

	if (!f || getdelim(&buf, &size, '\0', f) < 0) {
		perror(path);
		exit(2);
	}
	fclose(f);
	return buf;
}

static int send_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -1: hang up. */
static int answer(int fd, const char *script, const char *request)
{
	static const char refused[] = "{\"done\":false,\"errno\":\"EINVAL\",\"error\":\"the fake daemon knows no such request\"}\n";
	const char *s = script;

	for (; s && *s; s = strchr(s, '\n'), s = s ? s + 1 : NULL) {
		size_t n = strcspn(s, "\n");

		if (strncmp(s, "> ", 2) != 0 || n - 2 != strlen(request) || strncmp(s + 2, request, n - 2) != 0)
			continue;
		for (s += n + (s[n] == '\n'); *s && strncmp(s, "> ", 2) != 0; s += n + (s[n] == '\n')) {
			n = strcspn(s, "\n");
			if (strncmp(s, "!hangup", 7) == 0)
				return -1;
			if (strncmp(s, "!part ", 6) == 0) {
				if (send_all(fd, s + 6, n - 6))
					return -1;
			} else if (n && s[0] != '#' && send_all(fd, s, n + 1)) {
				return -1;
			}
		}
		return 0;
	}
	return send_all(fd, refused, sizeof(refused) - 1);
}

static void serve(int fd, const char *script)
{
	char line[65536];
	size_t len = 0;

	for (;;) {
		char *nl = memchr(line, '\n', len);
		ssize_t n;

		if (nl) {
			*nl = 0;
			if (answer(fd, script, line))
				return;
			len -= (size_t)(nl + 1 - line);
			memmove(line, nl + 1, len);
			continue;
		}
		n = recv(fd, line + len, sizeof(line) - len, 0);
		if (n <= 0)
			return;
		len += (size_t)n;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct pollfd fds[2] = { { .fd = 0, .events = POLLIN } };
	char *script;

	if (argc != 3 || strlen(argv[1]) >= sizeof(sa.sun_path))
		return 2;
	script = slurp(argv[2]);
	strcpy(sa.sun_path, argv[1]);
	fds[1].fd = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[1].events = POLLIN;
	if (fds[1].fd < 0 || bind(fds[1].fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fds[1].fd, 8)) {
		perror(argv[1]);
		return 2;
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0 && !fds[0].revents) {
		int fd = accept(fds[1].fd, NULL, NULL);

		if (fd < 0)
			continue;
		serve(fd, script);
		close(fd);
	}
	unlink(argv[1]);
	free(script);
	return 0;
}
