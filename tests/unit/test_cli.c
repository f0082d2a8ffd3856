// SPDX-License-Identifier: MIT
/*
 * test_cli.c: what nsctl's transcript (tests/golden) does not reach: rounding, joining words to a line, files replaced as a whole.
 */
#include "format.h"
#include "grammar.h"
#include "nsctl.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(cli, units)
{
	static const struct {
		uint64_t    v;
		const char *human;
	} rows[] = {
		{ 0, "0" }, { 999, "999" }, { 1000, "1.00K" }, { 1234, "1.23K" }, { 9994, "9.99K" }, { 9996, "10.0K" }, { 99949, "99.9K" }, { 99951, "100K" },
		{ 999499, "999K" }, { 999500, "1.00M" }, { 1500000000, "1.50G" }, { UINT64_MAX, "18.4E" },
	};
	char buf[24];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(units(rows[i].v, true, buf), rows[i].human, "%lu: %s", (unsigned long)rows[i].v, buf);
	cr_expect_str_eq(units(UINT64_MAX, false, buf), "18446744073709551615");
}

Test(cli, duration_and_rate)
{
	static const struct {
		uint64_t    ms;
		const char *text;
	} rows[] = {
		{ 0, "0ms" }, { 999, "999ms" }, { 1000, "1.0s" }, { 59999, "59.9s" }, { 60000, "1m 0s" }, { 3599999, "59m 59s" }, { 3600000, "1h 0m" },
		{ 86399999, "23h 59m" }, { 86400000, "1d 0h" }, { 90000000, "1d 1h" }, { UINT64_MAX, "213503982334d 14h" },
	};
	char buf[24];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(duration(rows[i].ms, buf), rows[i].text, "%lu: %s", (unsigned long)rows[i].ms, buf);
	cr_expect_str_eq(bitrate(0, buf), "0bps");
	cr_expect_str_eq(bitrate(12345678, buf), "12.3Mbps");
	cr_expect_str_eq(bitrate(1e18, buf), "1e+06Tbps");
}

/* What a shell hands over as words, the parser sees as the same words. */
Test(cli, join)
{
	static const char *const values[] = { "plain", "two words", "", "#", "a#b", "\"", "\\", "'", "tab\there", "\"a b\\\" 'c'", "#\"\\" };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *words[] = { (char[]){ "save" }, (char *)(uintptr_t)values[i] }, *line = nsctl_join(2, words);
		struct grammar_err err;
		struct cmd cmd;
		int r;

		cr_assert_not_null(line);
		r = grammar_parse(line, strlen(line), &cmd, &err);
		if (!*values[i]) {
			cr_expect_eq(r, -EINVAL, "an empty file name");
		} else {
			cr_assert_eq(r, 0, "%s: %s", line, err.text);
			cr_expect_str_eq(cmd_arg(&cmd, "file")->str, values[i], "%s", line);
			cmd_free(&cmd);
		}
		free(line);
	}
}

static char *content(const char *path)
{
	static char buf[64];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	buf[n] = 0;
	if (f)
		fclose(f);
	return buf;
}

Test(cli, write_file)
{
	char dir[] = "/tmp/nsctl-test.XXXXXX", path[64], link[64], missing[64];
	struct stat st;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(missing, sizeof(missing), "%s/none/conf", dir);
	umask(022);
	cr_expect_eq(nsctl_write_file(path, "one\n", 4), 0);
	cr_expect_str_eq(content(path), "one\n");
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644, "a new file has the mode that umask gives");
	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(symlink(path, link), 0);
	cr_expect_eq(nsctl_write_file(link, "two\n", 4), 0);
	cr_expect_str_eq(content(path), "two\n", "a link is followed");
	cr_expect(lstat(link, &st) == 0 && S_ISLNK(st.st_mode), "and stays one");
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "the mode stays");
	cr_expect_eq(nsctl_write_file(missing, "x", 1), -ENOENT);
	cr_expect_eq(nsctl_write_file("/dev/null", "x", 1), 0, "a device is written, not replaced");
	cr_expect(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
	cr_expect_eq(nsctl_write_file("/dev/full", "x", 1), -ENOSPC);
	unlink(link);
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "no temporary file is left");
}
