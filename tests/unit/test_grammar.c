// SPDX-License-Identifier: MIT
/*
 * test_grammar.c: what is accepted and as what, what is refused and with which words, that formatting and parsing are inverse, help, completion, files.
 */
#include "grammar_priv.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netstack/netcfg.h>
#include <stdlib.h>

/* A line, what it is, and what cmd_format makes of it. */
static const struct {
	const char *line;
	int         id;
	const char *canonical;
} good[] = {
	{ "link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24 mtu 1500 address 02:00:00:00:00:02 queues 2", CMD_LINK_ADD,
	  "link add eth0 type tap host-name tap0 host-addr 10.10.0.1/24 mtu 1500 address 02:00:00:00:00:02 queues 2" },
	{ "link add name eth0 type tap", CMD_LINK_ADD, "link add eth0 type tap" },
	{ "link add type loopback name lo1", CMD_LINK_ADD, "link add type loopback lo1" },
	{ "link set eth0 up", CMD_LINK_SET, "link set eth0 up" },
	{ "link set dev eth0 down mtu 9000", CMD_LINK_SET, "link set eth0 down mtu 9000" },
	{ "link set up dev eth0", CMD_LINK_SET, "link set up eth0" },
	{ "link set eth0 ring rx 1024 tx 512 mtu 1400", CMD_LINK_SET, "link set eth0 ring rx 1024 ring tx 512 mtu 1400" },
	{ "link add v0 type veth peer name v1", CMD_LINK_ADD, "link add v0 type veth peer v1" },
	{ "link add v0 type veth peer name", CMD_LINK_ADD, "link add v0 type veth peer \"name\"" },
	{ "link set eth0 name lan0 mode dormant state up", CMD_LINK_SET, "link set eth0 name lan0 mode dormant state up" },
	{ "link set eth0 ring rx def", CMD_LINK_SET, "link set eth0 ring rx default" },
	{ "link set eth0 ring rx 1024 ring tx 512", CMD_LINK_SET, "link set eth0 ring rx 1024 ring tx 512" },
	{ "link set eth0 offload off tso on rx on ring rx 99", CMD_LINK_SET, "link set eth0 offload off offload tso on offload rx on ring rx 99" },
	{ "link set eth0 offload rx off ring rx 99", CMD_LINK_SET, "link set eth0 offload rx off ring rx 99" },
	{ "link set eth0 offload tso on offload off", CMD_LINK_SET, "link set eth0 offload tso on offload off" },
	{ "link set eth0 rx-usecs 5 rx-frames 6", CMD_LINK_SET, "link set eth0 rx-usecs 5 rx-frames 6" },
	{ "link set eth0 txqlen 5 promisc on carrier of", CMD_LINK_SET, "link set eth0 txqueuelen 5 promisc on carrier off" },
	{ "link", CMD_LINK_SHOW, "link show" },
	{ "l", CMD_LINK_SHOW, "link show" },
	{ "l sh eth0", CMD_LINK_SHOW, "link show eth0" },
	{ "l s eth0 up", CMD_LINK_SET, "link set eth0 up" },
	{ "link ls up", CMD_LINK_SHOW, "link show up" },
	{ "show links", CMD_LINK_SHOW, "show links" },
	{ "addr add 10.10.0.2/24 dev eth0", CMD_ADDR_ADD, "addr add 10.10.0.2/24 dev eth0" },
	{ "a a 10.10.0.2/24 d eth0 brd +", CMD_ADDR_ADD, "addr add 10.10.0.2/24 dev eth0 broadcast +" },
	{ "address add local fd00::1/64 dev eth0", CMD_ADDR_ADD, "addr add fd00::1/64 dev eth0" },
	{ "addr delete 10.10.0.2 dev eth0", CMD_ADDR_DEL, "addr del 10.10.0.2 dev eth0" },
	{ "addr flush eth0", CMD_ADDR_FLUSH, "addr flush eth0" },
	{ "r", CMD_ROUTE_SHOW, "route show" },
	{ "r a default via 10.10.0.1", CMD_ROUTE_ADD, "route add default via 10.10.0.1" },
	{ "route add 10.20.0.0/16 via 10.10.0.7 dev eth0 metric 100", CMD_ROUTE_ADD, "route add 10.20.0.0/16 via 10.10.0.7 dev eth0 metric 100" },
	{ "route add black 10.0.0.0/8 proto static table 200", CMD_ROUTE_ADD, "route add blackhole 10.0.0.0/8 proto static table 200" },
	{ "route replace def dev eth0 onlink via 10.0.0.1 src 10.0.0.2 advmss 1400 mtu 1440 scope gl", CMD_ROUTE_REPLACE,
	  "route replace default dev eth0 onlink via 10.0.0.1 src 10.0.0.2 advmss 1400 mtu 1440 scope global" },
	{ "route del 10.20.0.0/16", CMD_ROUTE_DEL, "route del 10.20.0.0/16" },
	{ "route flush table all dev eth0", CMD_ROUTE_FLUSH, "route flush table all dev eth0" },
	{ "route get 1.2.3.4 from 10.0.0.1 iif eth0", CMD_ROUTE_GET, "route get 1.2.3.4 from 10.0.0.1 iif eth0" },
	{ "route show default table local", CMD_ROUTE_SHOW, "route show default table local" },
	{ "neigh add 10.10.0.9 lladdr 2:0:0:0:0:9 dev eth0", CMD_NEIGH_ADD, "neigh add 10.10.0.9 lladdr 2:0:0:0:0:9 dev eth0" },
	{ "arp", CMD_NEIGH_SHOW, "neigh show" },
	{ "link add veth0 type veth peer veth1 netns red", CMD_LINK_ADD, "link add veth0 type veth peer veth1 netns red" },
	{ "link add name eth0.10 link eth0 type vlan proto 802.1ad id 10 egress-qos-map 0:1,5:6", CMD_LINK_ADD,
	  "link add eth0.10 link eth0 type vlan protocol 802.1ad id 10 egress-qos-map 0:1,5:6" },
	{ "link add br0 type bridge ageing_time 0", CMD_LINK_ADD, "link add br0 type bridge ageing_time 0" },
	{ "link set eth1 master br0 isolated on", CMD_LINK_SET, "link set eth1 master br0 isolated on" },
	{ "link set eth1 nomaster", CMD_LINK_SET, "link set eth1 nomaster" },
	{ "bridge fdb add 2:0:0:0:0:9 dev eth1 master static", CMD_FDB_ADD, "fdb add 2:0:0:0:0:9 dev eth1 master static" },
	{ "fdb replace 2:0:0:0:0:9 dev eth1 local", CMD_FDB_REPLACE, "fdb replace 2:0:0:0:0:9 dev eth1 permanent" },
	{ "bridge fdb", CMD_FDB_SHOW, "fdb show" },
	{ "fdb show br br0", CMD_FDB_SHOW, "fdb show br0" },
	{ "fdb flush", CMD_FDB_FLUSH, "fdb flush" },
	{ "neigh flush", CMD_NEIGH_FLUSH, "neigh flush" },
	{ "neigh del 10.10.0.9 dev eth0", CMD_NEIGH_DEL, "neigh del 10.10.0.9 dev eth0" },
	{ "sysctl net.ipv4.ip_forward=1", CMD_SYSCTL_SET, "sysctl net.ipv4.ip_forward=1" },
	{ "sysctl -w net/ipv4/ip_forward=1", CMD_SYSCTL_SET, "sysctl net/ipv4/ip_forward=1" },
	{ "sysctl net.ipv4.tcp_rmem='4096 8192 16384'", CMD_SYSCTL_SET, "sysctl \"net.ipv4.tcp_rmem=4096 8192 16384\"" },
	{ "sysctl net.ipv4.ip_forward", CMD_SYSCTL_SHOW, "sysctl net.ipv4.ip_forward" },
	{ "sysctl -a", CMD_SYSCTL_SHOW, "sysctl all" },
	{ "sysctl", CMD_SYSCTL_SHOW, "sysctl" },
	{ "service add tcp 80 http", CMD_SERVICE_ADD, "service add tcp 80 http" },
	{ "service add u 7 e address 10.0.0.1", CMD_SERVICE_ADD, "service add udp 7 echo address 10.0.0.1" },
	{ "service del tcp 80", CMD_SERVICE_DEL, "service del tcp 80" },
	{ "show sockets -ti", CMD_SHOW_SOCKETS, "show sockets tcp info" },
	{ "sh so i", CMD_SHOW_SOCKETS, "show sockets info" },
	{ "show sockets -tlna", CMD_SHOW_SOCKETS, "show sockets tcp listening numeric all" },
	{ "show counters Tcp", CMD_SHOW_COUNTERS, "show counters Tcp" },
	{ "show drops -a", CMD_SHOW_DROPS, "show drops all" },
	{ "show v", CMD_SHOW_VERSION, "show version" },
	{ "save", CMD_SAVE, "save" },
	{ "save \"/tmp/a b\"", CMD_SAVE, "save \"/tmp/a b\"" },
	{ "save 'it\"s \\here'", CMD_SAVE, "save \"it\\\"s \\\\here\"" },
	{ "monitor", CMD_MONITOR, "monitor" },
	{ "m l", CMD_MONITOR, "monitor link" },
	{ "reload", CMD_RELOAD, "reload" },
	{ "control group netdev", CMD_CONTROL_GROUP, "control group netdev" },
	{ "help", CMD_HELP, "help" },
	{ "r help", CMD_HELP, "help route" },
	{ "r a help", CMD_HELP, "help route add" },
	{ "help r a", CMD_HELP, "help route add" },
	{ "route add default help", CMD_HELP, "help route add" },
	{ "  link\tset  eth0   up  # the first", CMD_LINK_SET, "link set eth0 up" },
	{ "link set eth0 up\r\n", CMD_LINK_SET, "link set eth0 up" },
	{ "link set 'up' up", CMD_LINK_SET, "link set \"up\" up" },
	{ "link set dev up up", CMD_LINK_SET, "link set \"up\" up" },
	{ "link add \"help\" type tap", CMD_LINK_ADD, "link add \"help\" type tap" },
	{ "link add a\\ b\\#c type tap", CMD_NONE, NULL }, /* a blank in a name */
	{ "link set a#b up", CMD_LINK_SET, "link set a#b up" },
	{ "save \\#x", CMD_SAVE, "save \"#x\"" },
};

Test(grammar, accepted)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct grammar_err err;
		struct cmd cmd;
		char buf[512];
		int r = grammar_parse(good[i].line, strlen(good[i].line), &cmd, &err);

		if (!good[i].id) {
			cr_expect_eq(r, -EINVAL, "\"%s\" must be refused", good[i].line);
			continue;
		}
		cr_assert_eq(r, 0, "\"%s\": %s", good[i].line, err.text);
		cr_expect_eq(cmd.id, good[i].id, "\"%s\" is %d, not %d", good[i].line, cmd.id, good[i].id);
		cr_expect_eq(cmd_format(&cmd, buf, sizeof(buf)), (int)strlen(buf));
		cr_expect_str_eq(buf, good[i].canonical, "\"%s\" became \"%s\"", good[i].line, buf);
		cmd_free(&cmd);
	}
}

/* A line, the column and word of the error, the suggestion, and a piece of the sentence. */
static const struct {
	const char *line;
	unsigned    column;
	const char *word, *suggestion, *piece;
} bad[] = {
	{ "rotue add", 1, "rotue", "route", "did you mean \"route\"?" },
	{ "zzz", 1, "zzz", "", "expected one of: link, addr, route" },
	{ "re", 0, NULL, NULL, NULL }, /* reload */
	{ "s", 2, "", "", "sockets, links" },
	{ "se", 0, NULL, NULL, NULL },
	{ "c", 2, "", "", "group GROUP is missing" },
	{ "route ad", 9, "", "", "PREFIX is missing" },
	{ "route foo", 7, "foo", "", "add, replace, del, flush, get, show" },
	{ "route dle 1.2.3.4", 7, "dle", "del", "did you mean" },
	{ "route add 10.20.0.0/16 vai 10.10.0.7", 24, "vai", "via", "unexpected word" },
	{ "route add 10.20.0.0/16 via 10.10.0.777", 28, "10.10.0.777", "", "is not an address" },
	{ "route add 10.20.0.0/16 via", 27, "", "", "the value of \"via\" is missing" },
	{ "route add 10.20.0.0/33", 11, "10.20.0.0/33", "", "is not an address with its prefix length" },
	{ "route add 10.20.0.0/", 11, "10.20.0.0/", "", "is not an address" },
	{ "route add unicst 10.0.0.0/8", 11, "unicst", "unicast", "did you mean" },
	{ "route add default metric 4294967296", 26, "4294967296", "", "a number from 0 to 4294967295" },
	{ "route add default metric -1", 26, "-1", "", "a number" },
	{ "route add default via 1.2.3.4 via 1.2.3.5", 31, "via", "", "given twice" },
	{ "route add default m 5", 19, "m", "", "several words begin with" },
	{ "route show defualt", 12, "defualt", "default", "did you mean" },
	{ "link set eth0", 14, "", "", "nothing to change is given" },
	{ "link set eth0   # up", 14, "", "", "nothing to change is given" },
	{ "link set eth0 up down", 18, "down", "", "contradicts" },
	{ "route flush", 12, "", "", "nothing to flush is given; expected one of: table, dev" },
	{ "link set eth0 ring", 19, "", "", "something must follow the last word; expected one of: rx, tx" },
	{ "link set eth0 ring mtu 1400", 20, "mtu", "", "unexpected word" },
	{ "link set eth0 ring rx 8", 23, "8", "", "a number from 16 to 65536" },
	{ "link set eth0 ring rx 64 rx 65", 26, "rx", "", "given twice" },
	{ "link set eth0 mtu 1400 rx 64", 24, "rx", "", "several words begin with" },
	{ "link set eth0 offload tzo off", 23, "tzo", "tso", "did you mean" },
	{ "link set eth0 offload maybe", 23, "maybe", "", "unexpected word" },
	{ "link set eth0 pu", 15, "pu", "up", "did you mean" },
	{ "link set eth0 mtu 67", 19, "67", "", "from 68 to 65536" },
	{ "link add eth0 type tap mtu 65521", 28, "65521", "", "from 68 to 65520" },
	{ "link add eth0 type tap mtu 65520", 0, NULL, NULL, NULL },
	{ "link set lo mtu 65536", 0, NULL, NULL, NULL },
	{ "link add eth0 type tab", 20, "tab", "tap", "did you mean" },
	{ "link add eth0", 14, "", "", "type TYPE is missing" },
	{ "link add type type tap", 15, "type", "", "expected one of: tap, loopback" },
	{ "link add abcdefghijklmnop type tap", 10, "abcdefghijklmnop", "", "is not a name" },
	{ "link add a/b type tap", 10, "a/b", "", "is not a name" },
	{ "addr add 10.0.0.1/24", 21, "", "", "dev NAME is missing" },
	{ "neigh add 10.0.0.1 lladdr 02:00:00:00:00 dev eth0", 27, "02:00:00:00:00", "", "is not a MAC address" },
	{ "neigh add 10.0.0.1 lladdr 02:00:00:00:00:00:00 dev eth0", 27, "02:00:00:00:00:00:00", "", "is not a MAC address" },
	{ "sysctl =1", 8, "=1", "", "is not NAME=VALUE" },
	{ "sysctl a.b = 1", 8, "a.b", "", "is not NAME=VALUE" },
	{ "sysctl a.b =1", 8, "a.b", "", "is not NAME=VALUE" },
	{ "sysctl -w a.b = 1", 11, "a.b", "", "is not NAME=VALUE" },
	{ "sysctl a=1 b=2", 12, "b=2", "", "unexpected word" },
	{ "sysctl -a net", 11, "net", "", "unexpected word" },
	{ "service add tcp 99999 http", 17, "99999", "", "from 1 to 65535" },
	{ "service add tcp 0 http", 17, "0", "", "from 1 to 65535" },
	{ "service add tcp 80 htpp", 20, "htpp", "http", "did you mean" },
	{ "show sockets -tz", 14, "-tz", "", "unknown option" },
	{ "reload now", 8, "now", "", "unexpected word" },
	{ "link add a \"b", 12, "\"", "", "is not closed" },
	{ "save a\\", 7, "\\", "", "backslash" },
	{ "link\001show", 5, "", "", "control byte" },
	{ "# a comment\177", 12, "", "", "control byte" },
};

Test(grammar, refused)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct grammar_err err;
		struct cmd cmd;
		int r = grammar_parse(bad[i].line, strlen(bad[i].line), &cmd, &err);

		if (!bad[i].word) {
			cr_expect_eq(r, 0, "\"%s\": %s", bad[i].line, err.text);
			cmd_free(&cmd);
			continue;
		}
		cr_assert_eq(r, -EINVAL, "\"%s\" must be refused", bad[i].line);
		cr_expect_eq(err.column, bad[i].column, "\"%s\": column %u, not %u", bad[i].line, err.column, bad[i].column);
		cr_expect_str_eq(err.word, bad[i].word, "\"%s\": word \"%s\"", bad[i].line, err.word);
		cr_expect_str_eq(err.suggestion, bad[i].suggestion, "\"%s\": suggestion \"%s\"", bad[i].line, err.suggestion);
		cr_expect_not_null(strstr(err.text, bad[i].piece), "\"%s\": %s", bad[i].line, err.text);
	}
}

Test(grammar, empty_lines)
{
	static const char *const lines[] = { "", "\n", "  \t ", "# link", "   # link add", "\r\n" };
	struct grammar_err err;
	struct cmd cmd;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect_eq(grammar_parse(lines[i], strlen(lines[i]), &cmd, &err), 1);
	cr_expect_eq(grammar_parse("\0", 1, &cmd, &err), -EINVAL, "a zero byte");
}

Test(grammar, values)
{
	struct cmd cmd;
	const char *line = "route add prohibit 10.1.2.0/23 table main scope link proto static metric 4294967295 src 10.0.0.1 mtu 1400";

	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_eq(cmd_arg(&cmd, "type")->num, RTN_PROHIBIT);
	cr_expect_eq(cmd_arg(&cmd, "prefix")->prefix.addr.v4, cpu_to_be32(0x0a010200));
	cr_expect_eq(cmd_arg(&cmd, "prefix")->prefix.len, 23);
	cr_expect(cmd_arg(&cmd, "prefix")->has_len);
	cr_expect_eq(cmd_arg(&cmd, "table")->num, RT_TABLE_MAIN);
	cr_expect_eq(cmd_arg(&cmd, "scope")->num, RT_SCOPE_LINK);
	cr_expect_eq(cmd_arg(&cmd, "proto")->num, RTPROT_STATIC);
	cr_expect_eq(cmd_arg(&cmd, "metric")->num, UINT32_MAX);
	cr_expect_eq(cmd_arg(&cmd, "src")->prefix.addr.family, AF_INET);
	cr_expect_eq(cmd_arg(&cmd, "mtu")->num, 1400);
	cr_expect_null(cmd_arg(&cmd, "via"));
	cr_expect(cmd_is_config(&cmd));
	cr_expect_not(cmd_is_readonly(&cmd));
	cmd_free(&cmd);

	line = "addr add 10.0.0.1 dev eth0 broadcast -";
	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_eq(cmd_arg(&cmd, "prefix")->prefix.len, 32);
	cr_expect_not(cmd_arg(&cmd, "prefix")->has_len);
	cr_expect_eq(cmd_arg(&cmd, "broadcast")->num, BROADCAST_NONE);
	cr_expect_eq(cmd_arg(&cmd, "broadcast")->prefix.addr.family, 0);
	cr_expect_eq(cmd_arg(&cmd, "dev")->column, 23);
	cmd_free(&cmd);

	line = "neigh add fd00::1 lladdr 2:aB:0:0:0:ff dev eth0";
	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_eq(cmd_arg(&cmd, "addr")->prefix.addr.family, AF_INET6);
	cr_expect_eq(cmd_arg(&cmd, "addr")->prefix.addr.b[15], 1);
	cr_expect_arr_eq(cmd_arg(&cmd, "lladdr")->lladdr.b, ((uint8_t[]){ 2, 0xab, 0, 0, 0, 0xff }), 6);
	cmd_free(&cmd);

	line = "sysctl net.ipv4.x=\"1 2\"";
	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_str_eq(cmd_arg(&cmd, "name")->str, "net.ipv4.x");
	cr_expect_str_eq(cmd_arg(&cmd, "value")->str, "1 2");
	cmd_free(&cmd);

	line = "link add t type tap offload off";
	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_eq(cmd_arg(&cmd, "type")->num, LINK_TAP);
	cr_expect_eq(cmd_arg(&cmd, "offload")->num, 0);
	cmd_free(&cmd);

	line = "show sockets -i";
	cr_assert_eq(grammar_parse(line, strlen(line), &cmd, NULL), 0);
	cr_expect_not_null(cmd_arg(&cmd, "info"));
	cr_expect(cmd_is_readonly(&cmd));
	cr_expect_not(cmd_is_config(&cmd));
	cmd_free(&cmd);
}

Test(grammar, limits)
{
	char *line = malloc(GRAMMAR_LINE_MAX + 2);
	struct grammar_err err;
	struct cmd cmd;

	cr_assert_not_null(line);
	memset(line, 'x', GRAMMAR_LINE_MAX + 1);
	memcpy(line, "save ", 5);
	cr_expect_eq(grammar_parse(line, GRAMMAR_LINE_MAX, &cmd, &err), 0, "the longest line");
	cr_expect_eq(strlen(cmd_arg(&cmd, "file")->str), GRAMMAR_LINE_MAX - 5);
	cmd_free(&cmd);
	cr_expect_eq(grammar_parse(line, GRAMMAR_LINE_MAX + 1, &cmd, &err), -EINVAL, "one byte more");
	line[0] = 'q';
	cr_expect_eq(grammar_parse(line, GRAMMAR_LINE_MAX, &cmd, &err), -EINVAL);
	cr_expect_str_eq(err.word, "qave");
	for (size_t i = 0; i < GRAMMAR_LINE_MAX; i += 2)
		memcpy(line + i, "a ", 2);
	cr_expect_eq(grammar_parse(line, GRAMMAR_LINE_MAX, &cmd, &err), -EINVAL, "too many words");
	cr_expect_not_null(strstr(err.text, "too many words"));
	free(line);
}

/* Every row: its example parses to it and is already canonical; its values fit; help about it exists. */
Test(grammar, table)
{
	for (const struct cmd_def *d = grammar_table; d->id; d++) {
		unsigned n = 0;
		char topic[64], buf[512];
		struct cmd cmd;
		struct grammar_err err;
		char *text;
		size_t size;
		FILE *f;

		for (const struct arg_def *a = d->args; a->key; a++, n++) {
			cr_expect_not_null(a->help);
			cr_expect(a->type != ARG_ENUM || a->words, "%s %s: an enum without words", d->group, a->key);
			cr_expect(!(a->flags & ARG_F_POS) || a == d->args || (a[-1].flags & ARG_F_POS), "%s %s: positional values come first", d->group, a->key);
		}
		cr_expect_leq(n + 1, CMD_MAX_ARGS);
		snprintf(topic, sizeof(topic), "%s%s%s", d->group, d->verb ? " " : "", d->verb ? d->verb : "");
		f = open_memstream(&text, &size);
		cr_assert_not_null(f);
		cr_expect_eq(grammar_help(topic, f, &err), 0, "help about %s", topic);
		fclose(f);
		cr_expect_not_null(strstr(text, d->help), "help about %s: %s", topic, text);
		free(text);
		if (!d->example)
			continue;
		cr_assert_eq(grammar_parse(d->example, strlen(d->example), &cmd, &err), 0, "%s: %s", d->example, err.text);
		cr_expect_eq(cmd.def, d, "%s is another command", d->example);
		cmd_format(&cmd, buf, sizeof(buf));
		cmd_free(&cmd);
		cr_assert_eq(grammar_parse(buf, strlen(buf), &cmd, &err), 0);
		cmd_free(&cmd);
	}
}

static void add_word(void *arg, const char *word, const char *value, const char *help)
{
	char *s = arg;

	cr_expect_not_null(help);
	sprintf(s + strlen(s), "%s%s%s%s ", word, *value ? "<" : "", value, *value ? ">" : "");
}

Test(grammar, completion)
{
	static const struct {
		const char *line, *words;
	} rows[] = {
		{ "ro", "route " },
		{ "route ", "add replace del flush get show help " },
		{ "route d", "del " },
		{ "link set eth0 m", "mtu mode master mcast_flood " },
		{ "link set eth0 up ", "mtu address txqueuelen carrier name mode state promisc allmulti arp master nomaster learning flood mcast_flood bcast_flood hairpin isolated "
		  "ingress-qos-map egress-qos-map ageing_time fdb_max_learned host-name host-addr netns xdp section object backend offload ring copybreak "
		  "rx-usecs rx-frames adaptive-rx busy-poll irq-affinity rps-cpus rps-flow-cnt rss-indir rss-key " },
		{ "link set eth0 ring ", "rx tx " },
		{ "link set eth0 ring r", "rx " },
		{ "link set eth0 offload t", "tx tso tso4 tso6 " },
		{ "link set eth0 offload ", "on off rx tx tso tso4 tso6 uso gro rx-udp-gro-forwarding rx-gro-hw rx-filter " },
		{ "link set eth0 ring rx 64 t", "txqueuelen tx " },
		{ "link set eth0 carrier ", "on off " },
		{ "link set ", "<dev> " },
		{ "service add ", "tcp udp " },
		{ "service add tcp ", "<port> " },
		{ "addr add 10.0.0.1/24 ", "dev broadcast scope label " },
		{ "addr add 10.0.0.1/24 dev ", "<dev> " },
		{ "save ", "<FILE> " },
		{ "route add nonsense here ", "" },
		{ "reload ", "" },
		{ "save \"", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[1024] = "";

		grammar_complete(rows[i].line, strlen(rows[i].line), add_word, got);
		cr_expect_str_eq(got, rows[i].words, "\"%s\": %s", rows[i].line, got);
	}
}

/* A link of any name that is allowed comes back from a line that was put together with grammar_quote. */
Test(grammar, quote)
{
	static const char *const names[] = { "eth0", "up", "dev", "help", "type", "name", "a#b", "#a", "\"", "\\", "a'b", "-i", "--help", "mt", "u", "d", "a\"b\\c'd#e" };
	static const char *const lines[] = { "link set %s up", "link show %s", "addr add 10.0.0.1/8 dev %s", "link add %s type tap host-name %s", "addr flush %s" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t k = 0; k < sizeof(lines) / sizeof(lines[0]); k++) {
			const char *key = k == 3 ? "host-name" : "dev";
			char line[256], quoted[40];
			struct grammar_err err;
			struct cmd cmd;

			grammar_quote(names[i], quoted, sizeof(quoted));
			snprintf(line, sizeof(line), lines[k], quoted, quoted);
			cr_assert_eq(grammar_parse(line, strlen(line), &cmd, &err), 0, "%s: %s", line, err.text);
			cr_assert_not_null(cmd_arg(&cmd, key), "%s", line);
			cr_expect_str_eq(cmd_arg(&cmd, key)->str, names[i], "%s", line);
			cmd_free(&cmd);
		}
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static int add_line(void *arg, unsigned line, struct cmd *cmd, struct grammar_err *err)
{
	char *s = arg, buf[256];

	cmd_format(cmd, buf, sizeof(buf));
	sprintf(s + strlen(s), "%u:%s;", line, buf);
	if (strstr(buf, "refuse-me")) {
		grammar_fail(err, cmd->args[0].column, cmd->args[0].str, "no");
		return -ENODEV;
	}
	return 0;
}

Test(grammar, files)
{
	static const struct {
		const char *text, *got;
		int         r;
		unsigned    line, column;
	} rows[] = {
		{ "link set eth0 up\nlink set eth1 up\n", "1:link set eth0 up;2:link set eth1 up;", 0, 0, 0 },
		{ "link set eth0 up\r\n\r\n# x\r\nlink set eth1 up", "1:link set eth0 up;4:link set eth1 up;", 0, 0, 0 },
		{ "link set \\\n  eth0 \\\r\n up\nlink set eth1 up\n", "1:link set eth0 up;4:link set eth1 up;", 0, 0, 0 },
		{ "link set et\\\nh0 up\n", "1:link set eth0 up;", 0, 0, 0 },
		{ "", "", 0, 0, 0 },
		{ "\n\nlink set eth0 pu\n", "", -EINVAL, 3, 15 },
		{ "link set eth0 up\n\nlink set \\\n  eth0 \\\n  pu\n", "1:link set eth0 up;", -EINVAL, 5, 3 },
		{ "link set \\\n  eth0 \\\n  pu \\\n down\n", "", -EINVAL, 3, 3 },
		{ "link set eth0 up\nroute show\nlink set eth1 up\n", "1:link set eth0 up;", -EINVAL, 2, 1 },
		{ "help\n", "", -EINVAL, 1, 1 },
		{ "link set eth0 up\nlink set refuse-me up\nfoo\n", "1:link set eth0 up;2:link set refuse-me up;", -ENODEV, 2, 10 },
		{ "link set eth0 up\\", "", -EINVAL, 1, 17 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct grammar_err err;
		char got[512] = "";
		unsigned line = 0;
		int r = grammar_parse_text(rows[i].text, strlen(rows[i].text), add_line, got, &line, &err);

		cr_expect_eq(r, rows[i].r, "row %zu: %d %s", i, r, err.text);
		cr_expect_str_eq(got, rows[i].got, "row %zu: %s", i, got);
		cr_expect_eq(line, rows[i].line, "row %zu: line %u", i, line);
		if (r)
			cr_expect_eq(err.column, rows[i].column, "row %zu: column %u (%s)", i, err.column, err.text);
	}
}

Test(grammar, file_of_one_endless_line)
{
	size_t n = 3 * GRAMMAR_LINE_MAX;
	char *text = malloc(n), got[64] = "";
	struct grammar_err err;
	unsigned line = 0;

	cr_assert_not_null(text);
	for (size_t i = 0; i < n; i += 2)
		memcpy(text + i, "\\\n", 2);
	cr_expect_eq(grammar_parse_text(text, n, add_line, got, &line, &err), 0, "nothing but continuations is an empty line: %s", err.text);
	memset(text, 'a', n);
	cr_expect_eq(grammar_parse_text(text, n, add_line, got, &line, &err), -EINVAL);
	cr_expect_eq(line, 1);
	cr_expect_not_null(strstr(err.text, "longer than"));
	free(text);
}
