/* SPDX-License-Identifier: MIT */
/*
 * test_netns.c: network namespaces in a configuration: they come and go, "-n NAME" finds them, a transaction is all or nothing across them, a reload follows by
 * name, and what is saved reads back as it was.
 */
#include "config_file.h"
#include "show.h"
#include "state.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What "save" answers, as text. */
static char *saved(struct conf_state *st)
{
	struct answer *a = save_lines(st);
	struct evbuffer *out = evbuffer_new();
	size_t len, n;
	char *text, *line;
	FILE *f = open_memstream(&text, &n);

	cr_assert(a && out && f);
	while (a->next(a, out))
		;
	a->free(a);
	while ((line = evbuffer_readln(out, &len, EVBUFFER_EOL_LF))) {
		json_t *r = json_loads(line, 0, NULL);

		cr_assert(r, "not JSON: %s", line);
		fprintf(f, "%s\n", json_string_value(json_object_get(r, "line")));
		json_decref(r);
		free(line);
	}
	fclose(f);
	evbuffer_free(out);
	return text;
}

static void load(struct conf_state *st, const char *text)
{
	struct conf_error e;

	cr_assert_eq(conf_state_init(st, 2), 0);
	memset(&e, 0, sizeof(e));
	cr_assert_eq(config_parse(st, text, strlen(text), &e), 0, "line %u column %u: %s\n%s", e.line, e.column, e.text, text);
}

/* One line, as the control socket would have it. */
static int run(struct conf_state *st, const char *line, struct conf_error *e)
{
	struct grammar_err g;
	struct cmd cmd;
	int err = grammar_parse(line, strlen(line), &cmd, &g);

	cr_assert_eq(err, 0, "%s: %s", line, g.text);
	memset(e, 0, sizeof(*e));
	err = conf_command(st, &cmd, e);
	cmd_free(&cmd);
	return err;
}

static void does(struct conf_state *st, const char *line)
{
	struct conf_error e;

	cr_assert_eq(run(st, line, &e), 0, "%s: %s", line, e.text);
}

static void refuses(struct conf_state *st, const char *line, int err, unsigned column, const char *suggestion)
{
	struct conf_error e;

	cr_expect_eq(run(st, line, &e), err, "%s: %d, %s", line, e.err, e.text);
	cr_expect_eq(e.column, column, "%s: column %u, %s", line, e.column, e.text);
	cr_expect_str_eq(e.suggestion, suggestion, "%s", line);
}

Test(netns, come_and_go)
{
	struct conf_state st;
	struct conf_state *red;
	uint32_t id;

	cr_assert_eq(conf_state_init(&st, 1), 0);
	does(&st, "netns add red");
	does(&st, "netns add blue");
	red = conf_netns_find(&st, "red");
	cr_assert(red && red->first == &st && st.first == &st);
	cr_expect_eq(conf_netns_by_id(&st, red->id), red);
	cr_expect_eq(conf_netns_find(&st, "default"), &st);
	cr_expect_eq(conf_netns_find(&st, NULL), &st);
	cr_expect_null(conf_netns_find(&st, "green"));
	cr_expect_str_eq(conf_netns_name(&st), "default");
	refuses(&st, "netns add red", -EEXIST, 11, "");
	refuses(&st, "netns add default", -EEXIST, 11, "");
	refuses(&st, "netns del green", -ENOENT, 11, "");
	refuses(&st, "netns del reed", -ENOENT, 11, "red");
	refuses(&st, "netns del default", -EBUSY, 11, "");
	refuses(&st, "-n rde link set lo down", -ENOENT, 4, "red");

	/* All of them in turn, and none after the last. */
	cr_expect_eq(conf_netns_next(&st, NULL), &st);
	cr_expect_eq(conf_netns_next(&st, &st), red);
	cr_expect_eq(conf_netns_next(&st, conf_netns_find(&st, "blue")), NULL);

	/* A number does not come back with the place. */
	id = red->id;
	does(&st, "netns del red");
	cr_expect_null(conf_netns_by_id(&st, id));
	does(&st, "netns add red");
	cr_expect_neq(conf_netns_find(&st, "red")->id, id);
	cr_expect_eq(conf_netns_find(&st, "red")->id % NETNS_MAX, id % NETNS_MAX);
	conf_state_exit(&st);
}

Test(netns, as_many_as_there_are_numbers)
{
	struct conf_state st;
	struct conf_error e;
	char line[64];

	cr_assert_eq(conf_state_init(&st, 1), 0);
	for (unsigned i = 1; i < NETNS_MAX; i++) {
		snprintf(line, sizeof(line), "netns add n%u", i);
		does(&st, line);
	}
	cr_expect_eq(run(&st, "netns add more", &e), -ENOSPC);
	for (unsigned i = 0; i < st.nnetns; i++) {
		cr_expect_leq(st.netns[i]->id, UINT16_MAX);
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(st.netns[i]->id % NETNS_MAX, st.netns[k]->id % NETNS_MAX);
		cr_assert_neq(st.netns[i]->id % NETNS_MAX, 0u);
	}
	does(&st, "netns del n77");
	does(&st, "netns add more");
	conf_state_exit(&st);
}

Test(netns, who_looks_holds_on)
{
	struct conf_state st;
	struct conf_state *red;

	load(&st, "netns add red\n-n red link add eth0 type tap host-name t0\n-n red addr add 10.0.0.1/24 dev eth0\n");
	red = conf_state_get(conf_netns_find(&st, "red"));
	does(&st, "netns del red");
	cr_expect_not_null(netcfg_link_by_name(red->cfg, "eth0"));
	cr_expect_str_eq(red->name, "red");
	conf_state_put(red);
	conf_state_exit(&st);
}

Test(netns, each_has_its_own)
{
	struct conf_state st;
	struct conf_state *red;
	struct conf_error e;
	char value[32];

	load(&st, "netns add red\n"
		  "link add eth0 type tap host-name t0\n"
		  "-n red link add eth0 type tap host-name t1\n"
		  "-n red addr add 10.0.0.1/24 dev eth0\n"
		  "-n default addr add 10.0.0.2/24 dev eth0\n"
		  "-n red sysctl net.ipv4.ip_forward=1\n"
		  "-n red service add tcp 7 echo\n");
	red = conf_netns_find(&st, "red");
	cr_expect_eq(st.nlinks, 1u);
	cr_expect_eq(red->nlinks, 1u);
	cr_expect_eq(st.nservices, 0u);
	cr_expect_eq(red->nservices, 1u);
	netcfg_sysctl_get(red->cfg, "net.ipv4.ip_forward", value, sizeof(value));
	cr_expect_str_eq(value, "1");
	netcfg_sysctl_get(st.cfg, "net.ipv4.ip_forward", value, sizeof(value));
	cr_expect_str_eq(value, "0");
	/* The host's ends are all in one namespace, the host's. */
	cr_expect_eq(run(&st, "-n red link add eth1 type tap host-name t0", &e), -EEXIST);
	cr_expect_str_eq(e.text, "host-name t0 is used by eth0 of network namespace default already");
	/* A service's address is one of its own namespace. */
	does(&st, "-n red service add tcp 9 discard address 10.0.0.2");
	cr_expect_eq(conf_check(&st, &e), -EADDRNOTAVAIL);
	conf_state_exit(&st);
}

Test(netns, all_or_nothing)
{
	static const char text[] = "netns add red\nnetns add blue\n"
				   "link add eth0 type tap host-name t0\naddr add 10.1.0.1/24 dev eth0\n"
				   "-n red link add eth0 type tap host-name t1\n-n red addr add 10.2.0.1/24 dev eth0\n-n red service add tcp 7 echo\n"
				   "-n blue sysctl net.ipv4.ip_forward=1\n";
	struct conf_state st;
	struct conf_undo undo;
	char *before, *after;
	uint32_t red_id;

	load(&st, text);
	before = saved(&st);
	red_id = conf_netns_find(&st, "red")->id;
	for (unsigned round = 0; round < 2; round++) { /* a second time, as the first must leave nothing behind */
		cr_assert_eq(conf_begin(&st, &undo), 0);
		does(&st, "-n red addr add 10.3.0.1/24 dev eth0");
		does(&st, "-n red service del tcp 7");
		does(&st, "netns del red");
		does(&st, "netns add green");
		does(&st, "-n green link add eth0 type tap host-name t1");
		does(&st, "-n blue sysctl net.ipv4.ip_forward=0");
		does(&st, "link del eth0");
		cr_expect(!conf_undo_of(&undo, conf_netns_find(&st, "green")));
		cr_expect(conf_undo_of(&undo, conf_netns_find(&st, "blue")));
		conf_rollback(&st, &undo);
		after = saved(&st);
		cr_expect_str_eq(after, before);
		cr_expect_eq(conf_netns_find(&st, "red")->id, red_id);
		free(after);
	}
	cr_assert_eq(conf_begin(&st, &undo), 0);
	does(&st, "netns del red");
	does(&st, "netns add green");
	conf_end(&st, &undo);
	cr_expect(conf_netns_find(&st, "green") && !conf_netns_find(&st, "red"));
	free(before);
	conf_state_exit(&st);
}

/* ---- save and reload -------------------------------------------------------------------------------------------------------- */

static void reads_back(struct conf_state *st)
{
	struct conf_state again, followed;
	struct conf_error e;
	char *first = saved(st), *second, *third;

	load(&again, first);
	second = saved(&again);
	cr_expect_str_eq(second, first);
	cr_assert_eq(conf_state_init(&followed, 2), 0);
	cr_assert_eq(conf_follow(&followed, &again, &e), 0, "%s\n%s", e.text, first);
	third = saved(&followed);
	cr_expect_str_eq(third, first);
	free(first);
	free(second);
	free(third);
	conf_state_exit(&again);
	conf_state_exit(&followed);
}

Test(netns, what_is_saved_reads_back)
{
	struct conf_state st;
	char *text;

	load(&st, "netns add red\nnetns add \"it's\"\nnetns add dev\n"
		  "-n \"it's\" sysctl net.ipv4.ip_forward=1\n"
		  "link add eth0 type tap host-name t0\nlink set eth0 up\naddr add 10.1.0.1/24 dev eth0\nroute add default via 10.1.0.9\n"
		  "-n red link add eth0 type tap host-name t1 mtu 9000\n-n red link set eth0 up\n-n red addr add 10.2.0.1/24 dev eth0\n"
		  "-n red route add 10.0.0.0/8 via 10.2.0.9\n-n red neigh add 10.2.0.9 lladdr 02:00:00:00:00:09 dev eth0\n"
		  "-n dev service add udp 7 echo\n");
	reads_back(&st);
	text = saved(conf_netns_find(&st, "red")); /* one of them alone: its lines say so, too */
	cr_expect_str_eq(text, "-n red link add eth0 type tap host-name t1 mtu 9000\n-n red link set eth0 up\n-n red addr add 10.2.0.1/24 dev eth0\n"
			       "-n red route add 10.0.0.0/8 via 10.2.0.9 dev eth0\n-n red neigh add 10.2.0.9 lladdr 02:00:00:00:00:09 dev eth0\n");
	free(text);
	conf_state_exit(&st);
}

Test(netns, reload_follows_by_name)
{
	struct conf_state st, want;
	struct conf_error e;
	struct conf_state *red, *blue;
	char *is, *should;

	load(&st, "netns add gone\nnetns add red\nnetns add blue\n-n gone link add eth0 type tap host-name t0\n"
		  "-n red link add eth0 type tap host-name t1\n-n red addr add 10.2.0.1/24 dev eth0\n"
		  "-n blue link add eth0 type tap host-name t2\n-n blue link set eth0 up\n-n blue addr add 10.3.0.1/24 dev eth0\n");
	/* In another order; t0 goes from one to the other; blue stays as it is. */
	load(&want, "netns add new\nnetns add blue\nnetns add red\n-n new link add eth0 type tap host-name t0\n"
		    "-n red link add eth0 type tap host-name t1\n-n red link set eth0 up\n-n red addr add 10.2.0.2/24 dev eth0\n"
		    "-n blue link add eth0 type tap host-name t2\n-n blue link set eth0 up\n-n blue addr add 10.3.0.1/24 dev eth0\n"
		    "-n new addr add 10.9.0.1/24 dev eth0\n");
	red = conf_netns_find(&st, "red");
	blue = conf_netns_find(&st, "blue");
	netcfg_commit(blue->cfg);
	netcfg_commit(red->cfg);
	cr_assert_eq(conf_follow(&st, &want, &e), 0, "%s", e.text);
	cr_expect_eq(conf_netns_find(&st, "red"), red);
	cr_expect_eq(conf_netns_find(&st, "blue"), blue);
	cr_expect(!netcfg_changed(blue->cfg), "what is the same was touched");
	cr_expect(netcfg_changed(red->cfg));
	cr_expect_null(conf_netns_find(&st, "gone"));
	is = saved(conf_netns_find(&st, "new"));
	should = saved(conf_netns_find(&want, "new"));
	cr_expect_str_eq(is, should);
	free(is);
	free(should);
	is = saved(red);
	should = saved(conf_netns_find(&want, "red"));
	cr_expect_str_eq(is, should);
	free(is);
	free(should);
	conf_state_exit(&st);
	conf_state_exit(&want);
}

/* ---- pairs between two ---------------------------------------------------------------------------------------------------- */

static const char pairs[] = "netns add red\nnetns add blue\n"
			    "link add a type veth peer b netns red\nlink set a up\n-n red link set b up\n"
			    "-n blue link add e type veth peer f netns default mtu 9000\n"
			    "-n red link add c type veth peer d netns blue\n-n red link set c up\n-n blue link set d up\n"
			    "addr add 10.1.0.1/24 dev a\n-n red addr add 10.1.0.2/24 dev b\n-n red addr add 10.2.0.1/24 dev c\n-n blue addr add 10.2.0.2/24 dev d\n"
			    "-n red route add default via 10.1.0.1\n-n blue route add 10.1.0.0/24 via 10.2.0.1\n";

static const struct link_conf *link_in(const struct conf_state *st, const char *netns, const char *name)
{
	return netcfg_link_by_name(conf_netns_find(st, netns)->cfg, name);
}

Test(netns, pairs_are_saved_and_read_back)
{
	struct conf_state st;

	load(&st, pairs);
	cr_expect_eq(link_in(&st, "red", "b")->link_netns, 0u);
	cr_expect_eq(link_in(&st, "red", "c")->link_netns, conf_netns_find(&st, "blue")->id);
	cr_expect(link_in(&st, "red", "c")->carrier);
	cr_expect(!link_in(&st, "blue", "e")->carrier);
	reads_back(&st);
	conf_state_exit(&st);
}

Test(netns, pairs_go_with_either_end)
{
	struct conf_state st;
	struct conf_undo undo;
	char *before, *after;

	load(&st, pairs);
	before = saved(&st);
	cr_assert_eq(conf_begin(&st, &undo), 0);
	does(&st, "netns del red");
	cr_expect_null(link_in(&st, NULL, "a"));
	cr_expect_null(conf_link_find(&st, "a"));
	cr_expect_null(link_in(&st, "blue", "d"));
	cr_expect_not_null(link_in(&st, "blue", "e"));
	cr_expect_eq(conf_netns_find(&st, "blue")->nlinks, 1u);
	does(&st, "link del f");
	cr_expect_null(link_in(&st, "blue", "e"));
	cr_expect_eq(conf_netns_find(&st, "blue")->nlinks, 0u);
	conf_rollback(&st, &undo);
	after = saved(&st);
	cr_expect_str_eq(after, before);
	free(before);
	free(after);
	refuses(&st, "link add g type veth peer h netns rot", -ENOENT, 35, "");
	refuses(&st, "link add g type veth peer b netns red", -EEXIST, 27, "");
	conf_state_exit(&st);
}

Test(netns, reload_moves_an_end)
{
	struct conf_state st, want;
	struct conf_error e;
	char *is, *should;

	load(&st, pairs);
	load(&want, "netns add red\nnetns add blue\n"
		    "link add a type veth peer b netns blue\n"
		    "-n red link add c type veth peer d netns blue\n-n red link set c up\n-n blue link set d up\n"
		    "-n red addr add 10.2.0.1/24 dev c\n-n blue addr add 10.2.0.2/24 dev d\n");
	netcfg_commit(st.cfg);
	cr_assert_eq(conf_follow(&st, &want, &e), 0, "%s", e.text);
	is = saved(&st);
	should = saved(&want);
	cr_expect_str_eq(is, should);
	free(is);
	free(should);
	conf_state_exit(&st);
	conf_state_exit(&want);
}

Test(netns, an_end_moves)
{
	struct conf_state st;
	struct conf_undo undo;
	struct conf_state *red, *blue;
	struct conf_error e;
	char *before, *after;

	load(&st, pairs);
	red = conf_netns_find(&st, "red");
	blue = conf_netns_find(&st, "blue");
	before = saved(&st);
	cr_assert_eq(conf_begin(&st, &undo), 0);
	does(&st, "-n red link set b netns blue");
	cr_expect_null(link_in(&st, "red", "b"));
	cr_expect_null(conf_link_find(red, "b"));
	cr_assert_not_null(link_in(&st, "blue", "b"));
	cr_assert_not_null(conf_link_find(blue, "b"));
	cr_expect(!(link_in(&st, "blue", "b")->flags & NS_IFF_UP));
	cr_expect_eq(link_in(&st, NULL, "a")->link_netns, blue->id);
	cr_expect_eq(link_in(&st, NULL, "a")->link, link_in(&st, "blue", "b")->ifindex);
	cr_expect_eq(link_in(&st, "blue", "b")->link, link_in(&st, NULL, "a")->ifindex);
	cr_expect(!link_in(&st, NULL, "a")->carrier);
	does(&st, "-n blue link set b up");
	cr_expect(link_in(&st, NULL, "a")->carrier);
	does(&st, "-n blue link set b netns default"); /* both ends in one */
	cr_expect_eq(link_in(&st, NULL, "a")->link_netns, 0u);
	does(&st, "link del b");
	cr_expect_null(link_in(&st, NULL, "a"));
	conf_rollback(&st, &undo);
	after = saved(&st);
	cr_expect_str_eq(after, before);
	cr_expect(link_in(&st, NULL, "a")->carrier);
	free(before);
	free(after);

	does(&st, "link add x type dummy");
	does(&st, "addr add 10.8.0.1/24 dev x");
	does(&st, "link set x netns red");
	does(&st, "-n red link set x netns red"); /* where it is */
	refuses(&st, "link set lo netns red", -EOPNOTSUPP, 10, "");
	refuses(&st, "link set nix netns red", -ENODEV, 10, "");
	refuses(&st, "-n red link set x netns blau", -ENOENT, 25, "blue");
	refuses(&st, "-n red link set x up netns blue", -EINVAL, 28, "");
	does(&st, "link add x type dummy");
	refuses(&st, "link set x netns red", -EEXIST, 18, "");
	does(&st, "link add t type tap host-name t9");
	refuses(&st, "link set t netns red", -EOPNOTSUPP, 10, "");
	cr_expect_eq(conf_check(&st, &e), 0);
	reads_back(&st);
	conf_state_exit(&st);
}

/* ---- the grammar -------------------------------------------------------------------------------------------------------------- */

static void formats(const char *line, const char *netns, const char *canonical)
{
	struct grammar_err g;
	struct cmd cmd;
	char buf[512];
	int err = grammar_parse(line, strlen(line), &cmd, &g);

	cr_assert_eq(err, 0, "%s: %s", line, g.text);
	if (netns)
		cr_expect(cmd.netns && strcmp(cmd.netns, netns) == 0, "%s", line);
	else
		cr_expect_null(cmd.netns, "%s", line);
	cmd_format(&cmd, buf, sizeof(buf));
	cr_expect_str_eq(buf, canonical);
	cmd_free(&cmd);
	if (strcmp(line, canonical) != 0)
		formats(canonical, netns, canonical);
}

static void wrong(const char *line, unsigned column, const char *expected)
{
	struct grammar_err g;
	struct cmd cmd;

	cr_expect_eq(grammar_parse(line, strlen(line), &cmd, &g), -EINVAL, "%s", line);
	cr_expect_eq(g.column, column, "%s: column %u, %s", line, g.column, g.text);
	cr_expect(strstr(g.expected, expected), "%s: expected %s", line, g.expected);
}

Test(netns, prefix_of_a_line)
{
	formats("-n red link sh", "red", "-n red link show");
	formats("-n default r add default via 10.0.0.1", "default", "-n default route add default via 10.0.0.1");
	formats("-n link link del link", "link", "-n link link del link");
	formats("-n \"it's\" save", "it's", "-n \"it's\" save");
	formats("-n '#1' mon", "#1", "-n \"#1\" monitor");
	formats("show sockets -n", NULL, "show sockets numeric");
	formats("netns list", NULL, "netns show");
	formats("netns", NULL, "netns show");
	formats("netns add -n", NULL, "netns add \"-n\"");
	wrong("-n", 3, "NETNS");
	wrong("-n red", 7, "link");
	wrong("-n red frob", 8, "link");
	wrong("-n a/b link show", 4, "");
	wrong("-n .. link show", 4, "");
	wrong("-n red reload", 1, "");
	wrong("-n red netns add x", 1, "");
	wrong("-n red netns del x", 1, "");
	wrong("netns add a/b", 11, "");
}

static void note_candidate(void *arg, const char *word, const char *value, const char *help)
{
	char *buf = arg;

	(void)help;
	strcat(buf, *word ? word : value);
	strcat(buf, " ");
}

static void completes(const char *line, const char *candidates)
{
	char buf[2048] = "";

	grammar_complete(line, strlen(line), note_candidate, buf);
	cr_expect_str_eq(buf, candidates, "%s: %s", line, buf);
}

Test(netns, completion)
{
	completes("-n ", "netns ");
	completes("-n re", "netns ");
	completes("-n red ro", "route ");
	completes("-n red route a", "add ");
	completes("netns ", "add del show help ");
	completes("netns del ", "netns ");
}
