/* SPDX-License-Identifier: MIT */
/*
 * status_render.c: the daemon's state as a page for people (HTML), for Prometheus (text format 0.0.4) and as JSON. Pure: data in, text out.
 *
 * Everything that stands in the data as text is escaped for where it goes, whoever chose it. Counters keep their Linux names in JSON and in HTML; Prometheus names are
 * netstack_GROUP_NAME_total in lower case with underscores, gauges without "_total".
 */
#include "status_render.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out {
	char  *buf;
	size_t len, cap;
	bool   failed; /* no memory: nothing more is written */
};

static bool out_room(struct out *o, size_t n)
{
	size_t cap = o->cap ? o->cap : 16384;
	char *buf;

	if (o->failed)
		return false;
	if (o->len + n < o->cap)
		return true;
	while (cap <= o->len + n)
		cap *= 2;
	buf = realloc(o->buf, cap);
	if (!buf) {
		o->failed = true;
		return false;
	}
	o->buf = buf;
	o->cap = cap;
	return true;
}

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !out_room(o, (size_t)n + 1))
		return;
	va_start(ap, fmt);
	vsnprintf(o->buf + o->len, o->cap - o->len, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

enum escape { ESC_HTML, ESC_JSON, ESC_LABEL };

static void put_escaped(struct out *o, enum escape how, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (how == ESC_HTML && strchr("<>&\"'", c))
			put(o, "&#%u;", c);
		else if (how != ESC_HTML && (c == '"' || c == '\\'))
			put(o, "\\%c", c);
		else if (how == ESC_LABEL && c == '\n')
			put(o, "\\n");
		else if (how == ESC_JSON && (c < 0x20 || c >= 0x7f)) /* names are bytes: what is not ASCII is shown as Latin-1 */
			put(o, "\\u%04x", c);
		else if (how == ESC_HTML && c >= 0x7f)
			put(o, "&#%u;", c);
		else
			put(o, "%c", c);
	}
}

static bool mib_is_gauge(enum net_mib m)
{
#define IS_COUNTER(group, name) [MIB_##group##_##name] = false,
#define IS_GAUGE(group, name)   [MIB_##group##_##name] = true,
	static const bool gauge[NET_MIB_MAX] = { NET_MIBS(IS_COUNTER, IS_GAUGE) };
#undef IS_COUNTER
#undef IS_GAUGE
	return gauge[m];
}

static const char *const tcp_state_names[16] = {
	[TCP_ESTABLISHED] = "ESTAB", [TCP_SYN_SENT] = "SYN-SENT", [TCP_SYN_RECV] = "SYN-RECV", [TCP_FIN_WAIT1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT2] = "FIN-WAIT-2", [TCP_TIME_WAIT] = "TIME-WAIT", [TCP_CLOSE] = "UNCONN", [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_LAST_ACK] = "LAST-ACK", [TCP_LISTEN] = "LISTEN", [TCP_CLOSING] = "CLOSING",
};

/* Members of struct link_stats: field, name, help. */
#define LINK_STATS(X) \
	X(rx_packets, "frames received") X(tx_packets, "frames sent") X(rx_bytes, "bytes received") X(tx_bytes, "bytes sent") \
	X(rx_errors, "receive errors") X(tx_errors, "transmit errors") X(rx_dropped, "received frames dropped") X(tx_dropped, "frames to be sent that were dropped") \
	X(multicast, "multicast frames received")

/* Members of struct softnet_stats, likewise. */
#define SOFTNET_STATS(X) \
	X(processed, "frames that the worker took up") X(dropped, "frames dropped because the backlog was full") \
	X(time_squeeze, "receive rounds cut short by budget or time") X(received_rps, "batches of frames that other workers handed over") \
	X(flow_limit_count, "frames of large flows dropped under pressure") X(rounds, "receive rounds") X(steered, "frames handed to other workers")

/* ---- JSON ---- */

static void json_netns(struct out *o, const struct status_data *d)
{
	if (!d->netns)
		return;
	put(o, "\"netns\":\"");
	put_escaped(o, ESC_JSON, d->netns);
	put(o, "\",\"all_netns\":[");
	for (unsigned i = 0; i < d->nnetns; i++) {
		put(o, "%s\"", i ? "," : "");
		put_escaped(o, ESC_JSON, d->all_netns[i]);
		put(o, "\"");
	}
	put(o, "],");
}

static void json_links(struct out *o, const struct status_data *d)
{
	put(o, "\"links\":[");
	for (unsigned i = 0; i < d->nlinks; i++) {
		const struct status_link *l = &d->links[i];

		put(o, "%s{\"ifindex\":%d,\"name\":\"", i ? "," : "", l->conf.ifindex);
		put_escaped(o, ESC_JSON, l->conf.name);
		put(o, "\",\"mtu\":%u,\"up\":%s,\"carrier\":%s,\"operstate\":\"%s\",\"addresses\":\"", l->conf.mtu, l->conf.flags & NS_IFF_UP ? "true" : "false",
		    l->conf.carrier ? "true" : "false", l->operstate);
		put_escaped(o, ESC_JSON, l->addrs);
		put(o, "\",\"stats\":{\"txq_len\":%u", l->stats.txq_len);
#define LINK_JSON(field, help) put(o, ",\"" #field "\":%llu", (unsigned long long)l->stats.field);
		LINK_STATS(LINK_JSON)
#undef LINK_JSON
		put(o, "}}");
	}
	put(o, "],");
}

static void json_workers(struct out *o, const struct status_data *d)
{
	put(o, "\"workers\":[");
	for (unsigned i = 0; i < d->nworkers; i++) {
		put(o, "%s{\"cpu\":%u", i ? "," : "", i);
#define SOFTNET_JSON(field, help) put(o, ",\"" #field "\":%llu", (unsigned long long)d->softnet[i].field);
		SOFTNET_STATS(SOFTNET_JSON)
#undef SOFTNET_JSON
		put(o, ",\"backlog\":%u,\"services\":%u,\"connections\":%u,\"accepted\":%llu,\"requests\":%llu,\"refused\":%llu}", d->softnet[i].backlog_len,
		    d->services[i].services, d->services[i].connections, (unsigned long long)d->services[i].accepted,
		    (unsigned long long)d->services[i].requests, (unsigned long long)d->services[i].refused);
	}
	put(o, "],");
}

static void json_counts(struct out *o, const struct status_data *d)
{
	bool first = true;

	put(o, "\"sockets\":{\"total\":%llu", (unsigned long long)d->nsocks_total);
	for (unsigned i = 0; i < 16; i++)
		if (tcp_state_names[i])
			put(o, ",\"tcp_%s\":%llu", tcp_state_names[i], (unsigned long long)d->tcp_states[i]);
	put(o, "},\"counters\":{");
	for (unsigned m = 0; m < NET_MIB_MAX; m++)
		put(o, "%s\"%s%s\":%lld", m ? "," : "", net_mib_group(m), net_mib_name(m), (long long)d->mib[m]); /* MaxConn is -1 */
	put(o, "},\"drops\":{");
	for (unsigned r = 1; r < SKB_DROP_MAX; r++) {
		if (!d->drops[r])
			continue;
		put(o, "%s\"%s\":%llu", first ? "" : ",", skb_drop_reason_name(r), (unsigned long long)d->drops[r]);
		first = false;
	}
	put(o, "}");
}

static void render_json(struct out *o, const struct status_data *d)
{
	put(o, "{\"version\":\"");
	put_escaped(o, ESC_JSON, d->version);
	put(o, "\",\"pid\":%d,\"uptime_ms\":%lld,", d->pid, (long long)(d->uptime_ns / NSEC_PER_MSEC));
	json_netns(o, d);
	json_links(o, d);
	json_workers(o, d);
	json_counts(o, d);
	put(o, "}\n");
}

/* ---- Prometheus ---- */

static void prom_head(struct out *o, const char *name, const char *type, const char *help)
{
	put(o, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* "TcpExt", "TCPTimeouts" to "tcp_ext_tcp_timeouts": a new word begins where a capital follows a small letter or is followed by one. */
static void snake(char *to, size_t size, const char *s)
{
	size_t n = 0;

	for (const char *p = s; *p && n + 2 < size; p++) {
		bool upper = *p >= 'A' && *p <= 'Z', after_lower = p > s && ((p[-1] >= 'a' && p[-1] <= 'z') || (p[-1] >= '0' && p[-1] <= '9'));
		bool before_lower = p > s && p[1] >= 'a' && p[1] <= 'z';

		if (upper && (after_lower || before_lower))
			to[n++] = '_';
		to[n++] = upper ? (char)(*p | 32) : *p;
	}
	to[n] = '\0';
}

static void prom_mibs(struct out *o, const struct status_data *d)
{
	for (unsigned m = 0; m < NET_MIB_MAX; m++) {
		char group[32], item[64], name[128];
		bool gauge = mib_is_gauge(m);

		snake(group, sizeof(group), net_mib_group(m));
		snake(item, sizeof(item), net_mib_name(m));
		snprintf(name, sizeof(name), "netstack_%s_%s%s", group, item, gauge ? "" : "_total");
		put(o, "# HELP %s %s%s of snmp and netstat.\n# TYPE %s %s\n%s ", name, net_mib_group(m), net_mib_name(m), name, gauge ? "gauge" : "counter", name);
		/* MaxConn is -1 where there is no limit. */
		if (gauge)
			put(o, "%lld\n", (long long)d->mib[m]);
		else
			put(o, "%llu\n", (unsigned long long)d->mib[m]);
	}
}

static void prom_link_value(struct out *o, const char *name, const struct status_link *l, unsigned long long value)
{
	put(o, "%s{link=\"", name);
	put_escaped(o, ESC_LABEL, l->conf.name);
	put(o, "\"} %llu\n", value);
}

static void prom_links(struct out *o, const struct status_data *d)
{
	prom_head(o, "netstack_link_up", "gauge", "Whether the link is set up.");
	for (unsigned i = 0; i < d->nlinks; i++)
		prom_link_value(o, "netstack_link_up", &d->links[i], d->links[i].conf.flags & NS_IFF_UP ? 1 : 0);
	prom_head(o, "netstack_link_carrier", "gauge", "Whether the link has carrier.");
	for (unsigned i = 0; i < d->nlinks; i++)
		prom_link_value(o, "netstack_link_carrier", &d->links[i], d->links[i].conf.carrier);
#define LINK_PROM(field, help) \
	prom_head(o, "netstack_link_" #field "_total", "counter", "Link: " help "."); \
	for (unsigned i = 0; i < d->nlinks; i++) \
		prom_link_value(o, "netstack_link_" #field "_total", &d->links[i], d->links[i].stats.field);
	LINK_STATS(LINK_PROM)
#undef LINK_PROM
}

static void prom_workers(struct out *o, const struct status_data *d)
{
#define WORKER_PROM(name, type, help, value) \
	prom_head(o, "netstack_" name, type, help); \
	for (unsigned i = 0; i < d->nworkers; i++) \
		put(o, "netstack_" name "{cpu=\"%u\"} %llu\n", i, (unsigned long long)(value));
#define SOFTNET_PROM(field, help) WORKER_PROM("softnet_" #field "_total", "counter", "Softnet: " help ".", d->softnet[i].field)
	SOFTNET_STATS(SOFTNET_PROM)
	WORKER_PROM("softnet_backlog", "gauge", "Frames in the backlog.", d->softnet[i].backlog_len)
	WORKER_PROM("services_connections", "gauge", "Connections of built-in services.", d->services[i].connections)
	WORKER_PROM("services_accepted_total", "counter", "Connections that built-in services took.", d->services[i].accepted)
	WORKER_PROM("services_requests_total", "counter", "Requests to built-in services.", d->services[i].requests)
	WORKER_PROM("services_refused_total", "counter", "Connections and datagrams that built-in services refused, and connections that were ended to make room.", d->services[i].refused)
#undef SOFTNET_PROM
#undef WORKER_PROM
}

static void render_metrics(struct out *o, const struct status_data *d)
{
	prom_head(o, "netstack_info", "gauge", "The version, as a label.");
	put(o, "netstack_info{version=\"");
	put_escaped(o, ESC_LABEL, d->version);
	if (d->netns) {
		put(o, "\",netns=\"");
		put_escaped(o, ESC_LABEL, d->netns);
	}
	put(o, "\"} 1\n");
	prom_head(o, "netstack_uptime_seconds", "gauge", "Seconds since the start.");
	put(o, "netstack_uptime_seconds %lld.%03lld\n", (long long)(d->uptime_ns / NSEC_PER_SEC), (long long)(d->uptime_ns / NSEC_PER_MSEC % 1000));
	prom_head(o, "netstack_workers", "gauge", "Worker threads.");
	put(o, "netstack_workers %u\n", d->nworkers);
	prom_head(o, "netstack_sockets", "gauge", "Sockets of all protocols.");
	put(o, "netstack_sockets %llu\n", (unsigned long long)d->nsocks_total);
	prom_head(o, "netstack_tcp_sockets", "gauge", "TCP sockets by state.");
	for (unsigned i = 0; i < 16; i++)
		if (tcp_state_names[i])
			put(o, "netstack_tcp_sockets{state=\"%s\"} %llu\n", tcp_state_names[i], (unsigned long long)d->tcp_states[i]);
	prom_head(o, "netstack_drops_total", "counter", "Packets dropped, by reason.");
	for (unsigned r = 1; r < SKB_DROP_MAX; r++)
		put(o, "netstack_drops_total{reason=\"%s\"} %llu\n", skb_drop_reason_name(r), (unsigned long long)d->drops[r]);
	prom_links(o, d);
	prom_workers(o, d);
	prom_mibs(o, d);
}

/* ---- HTML ---- */

static const char style[] =
	"body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#222;background:#fcfcfa}"
	"h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin:1.8em 0 .4em}"
	"table{border-collapse:collapse;display:block;overflow-x:auto}th,td{padding:.15em .9em .15em 0;text-align:left;vertical-align:top}"
	"th{font-weight:600;border-bottom:1px solid #bbb}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
	".up{color:#17702b}.down{color:#b3261e}.dim{color:#777}code{font-size:.95em}"
	"@media(prefers-color-scheme:dark){body{color:#ddd;background:#181a1b}th{border-color:#555}.up{color:#6fcf7f}.down{color:#ff8a80}a{color:#8ab4f8}}";

static void html_uptime(struct out *o, int64_t ns)
{
	long long s = ns / NSEC_PER_SEC;

	if (s >= 86400)
		put(o, "%lld d ", s / 86400);
	put(o, "%lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
}

static void html_netns(struct out *o, const struct status_data *d)
{
	if (!d->netns)
		return;
	put(o, "<p>This is the network namespace <b>");
	put_escaped(o, ESC_HTML, d->netns);
	put(o, "</b>. There are:");
	for (unsigned i = 0; i < d->nnetns; i++) {
		put(o, "%s ", i ? "," : "");
		put_escaped(o, ESC_HTML, d->all_netns[i]);
	}
	put(o, ".</p>\n");
}

static void html_links(struct out *o, const struct status_data *d)
{
	put(o, "<h2>Links</h2><table><tr><th>name<th>state<th>addresses<th class=n>MTU<th class=n>frames in<th class=n>bytes in<th class=n>dropped"
	       "<th class=n>frames out<th class=n>bytes out<th class=n>dropped</tr>\n");
	for (unsigned i = 0; i < d->nlinks; i++) {
		const struct status_link *l = &d->links[i];
		bool up = l->conf.flags & NS_IFF_UP && l->conf.carrier;

		put(o, "<tr><td>");
		put_escaped(o, ESC_HTML, l->conf.name);
		put(o, "<td class=%s>%s<td>", up ? "up" : "down", l->operstate);
		put_escaped(o, ESC_HTML, l->addrs);
		put(o, "<td class=n>%u<td class=n>%llu<td class=n>%llu<td class=n>%llu<td class=n>%llu<td class=n>%llu<td class=n>%llu</tr>\n", l->conf.mtu,
		    (unsigned long long)l->stats.rx_packets, (unsigned long long)l->stats.rx_bytes, (unsigned long long)l->stats.rx_dropped,
		    (unsigned long long)l->stats.tx_packets, (unsigned long long)l->stats.tx_bytes, (unsigned long long)l->stats.tx_dropped);
	}
	put(o, "</table>\n");
}

static void put_endpoint(struct out *o, const struct ipaddr *a, uint16_t port)
{
	if (ipaddr_is_any(a))
		put(o, "*");
	else
		put(o, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2], a->b[3]);
	if (port)
		put(o, ":%u", port);
	else
		put(o, ":*");
}

static void html_sockets(struct out *o, const struct status_data *d)
{
	put(o, "<h2>Sockets</h2><table><tr><th>protocol<th>state<th>local<th>peer<th class=n>receive queue<th class=n>send queue<th>used by</tr>\n");
	for (unsigned i = 0; i < d->nsocks; i++) {
		const struct sock_info *s = &d->socks[i];
		const char *proto = s->protocol == IPPROTO_TCP ? "tcp" : s->protocol == IPPROTO_UDP ? "udp" : "raw";

		put(o, "<tr><td>%s<td>%s<td>", proto, s->state < 16 && tcp_state_names[s->state] ? tcp_state_names[s->state] : "?");
		put_endpoint(o, &s->local, s->lport);
		put(o, "<td>");
		put_endpoint(o, &s->remote, s->rport);
		put(o, "<td class=n>%u<td class=n>%u<td>", s->recvq, s->sendq);
		put_escaped(o, ESC_HTML, s->owner);
		put(o, "</tr>\n");
	}
	put(o, "</table>\n");
	if (d->nsocks_total > d->nsocks)
		put(o, "<p class=dim>%llu more; <code>nsctl show sockets</code> lists them all.</p>\n", (unsigned long long)(d->nsocks_total - d->nsocks));
}

static void html_workers(struct out *o, const struct status_data *d)
{
	put(o, "<h2>Workers</h2><table><tr><th class=n>worker<th class=n>frames<th class=n>dropped<th class=n>rounds cut short<th class=n>handed over"
	       "<th class=n>service connections<th class=n>requests</tr>\n");
	for (unsigned i = 0; i < d->nworkers; i++)
		put(o, "<tr><td class=n>%u<td class=n>%llu<td class=n>%llu<td class=n>%llu<td class=n>%llu<td class=n>%u<td class=n>%llu</tr>\n", i,
		    (unsigned long long)d->softnet[i].processed, (unsigned long long)d->softnet[i].dropped, (unsigned long long)d->softnet[i].time_squeeze,
		    (unsigned long long)d->softnet[i].received_rps, d->services[i].connections, (unsigned long long)d->services[i].requests);
	put(o, "</table>\n");
}

static void html_counts(struct out *o, const struct status_data *d)
{
	bool any = false;

	put(o, "<h2>Packets dropped</h2>\n<table>");
	for (unsigned r = 1; r < SKB_DROP_MAX; r++) {
		if (!d->drops[r])
			continue;
		put(o, "<tr><td>%s<td class=n>%llu<td class=dim>", skb_drop_reason_name(r), (unsigned long long)d->drops[r]);
		put_escaped(o, ESC_HTML, skb_drop_reason_help(r));
		put(o, "</tr>\n");
		any = true;
	}
	put(o, "</table>%s\n<h2>Counters</h2>\n<table>", any ? "" : "<p class=dim>None so far.</p>");
	for (unsigned m = 0; m < NET_MIB_MAX; m++)
		if (d->mib[m])
			put(o, "<tr><td>%s%s<td class=n>%lld</tr>\n", net_mib_group(m), net_mib_name(m), (long long)d->mib[m]);
	put(o, "</table>\n<p class=dim>Counters that are zero are left out here; <a href=/metrics>/metrics</a> has all.</p>\n");
}

static void render_html(struct out *o, const struct status_data *d)
{
	put(o, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>netstackd</title><style>%s</style></head>"
	       "<body>\n<h1>netstackd</h1>\n<p>A TCP/IP host and router in user space. You are talking to its own TCP; version ", style);
	put_escaped(o, ESC_HTML, d->version);
	put(o, ", up ");
	html_uptime(o, d->uptime_ns);
	put(o, ", process %d, %u worker%s.</p>\n<p><a href=/metrics>/metrics</a> for Prometheus, <a href=/status.json>/status.json</a>, "
	       "<a href=/bytes/1000000>/bytes/N</a> sends N bytes, <code>PUT /sink</code> counts what it gets.</p>\n", d->pid, d->nworkers, d->nworkers == 1 ? "" : "s");
	html_netns(o, d);
	html_links(o, d);
	html_sockets(o, d);
	html_workers(o, d);
	html_counts(o, d);
	put(o, "</body></html>\n");
}

char *status_render(enum service_page page, const struct status_data *data, size_t *ret_len)
{
	struct out o = { .buf = NULL };

	switch (page) {
	case PAGE_STATUS_HTML: render_html(&o, data); break;
	case PAGE_METRICS: render_metrics(&o, data); break;
	case PAGE_STATUS_JSON: render_json(&o, data); break;
	}
	if (o.failed) {
		free(o.buf);
		return NULL;
	}
	*ret_len = o.len;
	return o.buf;
}

const char *status_content_type(enum service_page page)
{
	switch (page) {
	case PAGE_STATUS_HTML: return "text/html; charset=utf-8";
	case PAGE_METRICS: return "text/plain; version=0.0.4; charset=utf-8";
	case PAGE_STATUS_JSON: return "application/json";
	}
	return "text/plain";
}
