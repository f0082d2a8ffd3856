/* SPDX-License-Identifier: MIT */
/*
 * test_status.c: the daemon's pages from made-up data: JSON that a JSON parser takes, metrics in Prometheus' form, HTML in which nothing breaks out.
 */
#include "status_render.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mib[NET_MIB_MAX], drops[SKB_DROP_MAX];
static struct softnet_stats softnet[2];
static struct services_stats services[2];
static struct status_link links[2];
static struct sock_info socks[1];

static struct status_data make(void)
{
	struct status_data d = { .version = "1.\"2\"<3>", .uptime_ns = 90061 * NSEC_PER_SEC + 5 * NSEC_PER_MSEC, .pid = 42, .nworkers = 2, .nlinks = 2, .nsocks = 1,
				 .softnet = softnet, .services = services, .links = links, .socks = socks, .nsocks_total = 7, .mib = mib, .drops = drops };

	mib[MIB_TcpExt_TCPTimeouts] = 5;
	mib[MIB_Tcp_MaxConn] = (uint64_t)-1;
	drops[SKB_DROP_IP_CSUM] = 3;
	strcpy(links[0].conf.name, "lo");
	strcpy(links[1].conf.name, "<b>\"\\&\xe4");
	links[0].operstate = links[1].operstate = "UP";
	links[1].stats.rx_bytes = INT64_MAX;
	strcpy(links[1].addrs, "10.0.0.1/24");
	socks[0] = (struct sock_info){ .protocol = IPPROTO_TCP, .state = TCP_LISTEN, .lport = 80, .owner = "<http>" };
	d.tcp_states[TCP_LISTEN] = 2;
	return d;
}

Test(status, json_is_json)
{
	struct status_data d = make();
	json_error_t err;
	size_t len;
	char *text = status_render(PAGE_STATUS_JSON, &d, &len);
	json_t *j = json_loadb(text, len, 0, &err), *l;

	cr_assert_not_null(j, "%s at %d: %s", err.text, err.position, text);
	cr_assert_str_eq(json_string_value(json_object_get(j, "version")), "1.\"2\"<3>");
	cr_assert_eq(json_integer_value(json_object_get(j, "uptime_ms")), 90061005);
	l = json_array_get(json_object_get(j, "links"), 1);
	cr_assert_str_eq(json_string_value(json_object_get(l, "name")), "<b>\"\\&\xc3\xa4");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(j, "counters"), "TcpExtTCPTimeouts")), 5);
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(j, "drops"), "ip_csum")), 3);
	cr_assert_eq(json_array_size(json_object_get(j, "workers")), 2);
	json_decref(j);
	free(text);
}

Test(status, says_which_network_namespace)
{
	static const char *const all[] = { "default", "<r\"1>" };
	struct status_data d = make();
	json_error_t err;
	size_t len;
	char *text = status_render(PAGE_STATUS_JSON, &d, &len);
	json_t *j;

	cr_expect_null(strstr(text, "netns"), "one namespace needs no name");
	free(text);
	d.netns = all[1];
	d.all_netns = all;
	d.nnetns = 2;
	text = status_render(PAGE_STATUS_JSON, &d, &len);
	j = json_loadb(text, len, 0, &err);
	cr_assert_not_null(j, "%s at %d: %s", err.text, err.position, text);
	cr_expect_str_eq(json_string_value(json_object_get(j, "netns")), "<r\"1>");
	cr_expect_str_eq(json_string_value(json_array_get(json_object_get(j, "all_netns"), 0)), "default");
	json_decref(j);
	free(text);
	text = status_render(PAGE_METRICS, &d, &len);
	cr_expect(strstr(text, "netns=\"<r\\\"1>\"}"), "%s", text);
	free(text);
	text = status_render(PAGE_STATUS_HTML, &d, &len);
	cr_expect(strstr(text, "<b>&#60;r&#34;1&#62;</b>. There are: default, &#60;r"), "%s", text);
	free(text);
}

/* name{label="value",...} number, or a comment of the two kinds. */
static bool metric_line(const char *p, char *name, size_t size)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
		n++;
	if (!n || n >= size || isdigit((unsigned char)*p))
		return false;
	memcpy(name, p, n);
	name[n] = '\0';
	p += n;
	if (*p == '{') {
		for (p++; *p != '}'; p++) {
			while (isalnum((unsigned char)*p) || *p == '_')
				p++;
			if (p[0] != '=' || p[1] != '"')
				return false;
			for (p += 2; *p != '"'; p++)
				if (!*p || (*p == '\\' && !*++p))
					return false;
			if (p[1] == '}')
				continue;
			if (p[1] != ',')
				return false;
			p++;
		}
		p++;
	}
	if (*p++ != ' ')
		return false;
	if (*p == '-')
		p++;
	return isdigit((unsigned char)*p) && p[strspn(p, "0123456789.")] == '\0';
}

Test(status, metrics_have_help_and_type_once_and_belong_together)
{
	struct status_data d = make();
	char type[160] = "", seen[65536] = "", name[160];
	size_t len, lines = 0;
	char *text = status_render(PAGE_METRICS, &d, &len), *save = NULL;

	cr_assert_eq(text[len - 1], '\n');
	cr_assert_not_null(strstr(text, "\nnetstack_tcp_ext_tcp_timeouts_total 5\n"));
	cr_assert_not_null(strstr(text, "\nnetstack_tcp_max_conn -1\n"));
	cr_assert_not_null(strstr(text, "\nnetstack_drops_total{reason=\"ip_csum\"} 3\n"));
	cr_assert_not_null(strstr(text, "\nnetstack_link_rx_bytes_total{link=\"lo\"} 0\n"));
	cr_assert_not_null(strstr(text, "\nnetstack_uptime_seconds 90061.005\n"));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		if (!strncmp(line, "# HELP ", 7))
			continue;
		if (!strncmp(line, "# TYPE ", 7)) {
			cr_assert_eq(sscanf(line, "# TYPE %159s", type), 1);
			snprintf(name, sizeof(name), " %.150s ", type);
			cr_assert_null(strstr(seen, name), "%s twice", type);
			strcat(seen, name);
			continue;
		}
		cr_assert(metric_line(line, name, sizeof(name)), "%s", line);
		cr_assert_str_eq(name, type, "%s stands under %s", name, type);
	}
	cr_assert_gt(lines, 300);
	free(text);
}

Test(status, html_is_escaped)
{
	struct status_data d = make();
	size_t len;
	char *text = status_render(PAGE_STATUS_HTML, &d, &len);

	cr_assert_eq(strlen(text), len);
	cr_assert_null(strstr(text, "<b>"));
	cr_assert_null(strstr(text, "<http>"));
	cr_assert_not_null(strstr(text, "&#60;b&#62;"));
	cr_assert_not_null(strstr(text, "1 d 1:01:01"));
	cr_assert_not_null(strstr(text, "6 more"));
	free(text);
}
