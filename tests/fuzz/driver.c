/* SPDX-License-Identifier: MIT */
/*
 * driver.c: main() for a fuzz program where libFuzzer is not there (gcc, make check).
 *
 *	fuzz_X [--seconds N] [--runs N] [--seed N] FILE|DIRECTORY...
 *
 * Runs every file; then, if asked, random changes of them until the time or the count is up. An input that kills the program is in the file
 * crash-input of the working directory, as libFuzzer leaves crash-*. Prints TAP.
 */
#include <dirent.h>
#include <signal.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *data;
	size_t   size;
};

static struct input  *corpus;
static size_t         ncorpus;
static const uint8_t *running;
static size_t         running_size;
static uint64_t       rng;

static uint32_t below(uint32_t n)
{
	rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((rng >> 33) % n);
}

static void on_crash(int sig)
{
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0) {
		if (write(fd, running, running_size) < 0)
			_exit(99);
		close(fd);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void one(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* a block of exactly that size, so that reading past the end is seen */

	if (!copy)
		abort();
	memcpy(copy, data, size);
	running = copy;
	running_size = size;
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void load(const char *path)
{
	struct stat    st;
	struct dirent *e;
	char           sub[4096];
	FILE          *f;

	if (stat(path, &st))
		return;
	if (S_ISDIR(st.st_mode)) {
		DIR *d = opendir(path);

		while (d && (e = readdir(d)))
			if (e->d_name[0] != '.') {
				snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
				load(sub);
			}
		if (d)
			closedir(d);
		return;
	}
	f = fopen(path, "rb");
	corpus = realloc(corpus, (ncorpus + 1) * sizeof(*corpus));
	if (!f || !corpus)
		abort();
	corpus[ncorpus].data = malloc(INPUT_MAX);
	corpus[ncorpus].size = fread(corpus[ncorpus].data, 1, INPUT_MAX, f);
	ncorpus++;
	fclose(f);
}

/* A few random changes; now and then a piece of another input. */
static size_t mutate(uint8_t *buf)
{
	const struct input *a = &corpus[below((uint32_t)ncorpus)], *b = &corpus[below((uint32_t)ncorpus)];
	size_t              size = a->size;

	memcpy(buf, a->data, size);
	for (uint32_t n = 1 + below(8); n && size; n--) {
		size_t at = below((uint32_t)size), len = 1 + below(16);

		switch (below(7)) {
		case 0: buf[at] ^= (uint8_t)(1u << below(8)); break;
		case 1: buf[at] = (uint8_t)below(256); break;
		case 2: buf[at] = (uint8_t[]){ 0, 1, 0x7f, 0x80, 0xff, 20, 6, 17 }[below(8)]; break;
		case 3: /* cut out */
			if (at + len < size) {
				memmove(buf + at, buf + at + len, size - at - len);
				size -= len;
			}
			break;
		case 4: /* say twice */
			if (at + len <= size && size + len <= INPUT_MAX) {
				memmove(buf + at + len, buf + at, size - at);
				size += len;
			}
			break;
		case 5: /* from another one */
			if (b->size) {
				size_t from = below((uint32_t)b->size);

				len = 1 + below(200);
				if (len > b->size - from)
					len = b->size - from;
				if (size + len <= INPUT_MAX) {
					memmove(buf + at + len, buf + at, size - at);
					memcpy(buf + at, b->data + from, len);
					size += len;
				}
			}
			break;
		case 6: size = at + 1; break;
		}
	}
	return size;
}

int main(int argc, char **argv)
{
	unsigned long  seconds = 0, runs = 0, done = 0;
	uint8_t        buf[INPUT_MAX];
	struct timespec t0, t;

	rng = 1;
	for (int i = 1; i < argc; i++) {
		if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
			seconds = strtoul(argv[++i], NULL, 10);
		else if (i + 1 < argc && strcmp(argv[i], "--runs") == 0)
			runs = strtoul(argv[++i], NULL, 10);
		else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
			rng = strtoull(argv[++i], NULL, 0);
		else
			load(argv[i]);
	}
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	printf("1..1\n# seed %llu\n", (unsigned long long)rng);
	fflush(stdout);
	for (size_t i = 0; i < ncorpus; i++)
		one(corpus[i].data, corpus[i].size);
	if (ncorpus == 0) {
		printf("not ok 1 - no input was found\n");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (t = t0; (seconds && (unsigned long)(t.tv_sec - t0.tv_sec) < seconds) || done < runs; done++) {
		size_t n = mutate(buf);

		one(buf, n);
		clock_gettime(CLOCK_MONOTONIC, &t);
	}
	printf("ok 1 - %zu inputs and %lu changes of them\n", ncorpus, done);
	for (size_t i = 0; i < ncorpus; i++)
		free(corpus[i].data);
	free(corpus);
	return 0;
}
