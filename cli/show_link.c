/* SPDX-License-Identifier: MIT */
/*
 * show_link.c: links and addresses, laid out as "ip -s link" and "ip addr" do.
 */
#include "format.h"
#include "show.h"
#include <string.h>

void show_link_line(const struct show *s, const json_t *link)
{
	fprintf(s->out, "%s: ", rec_str(link, "ifindex"));
	put_text(s->out, rec_str(link, "name"));
	if (rec_has(link, "link") || rec_has(link, "link_index")) { /* as ip(8): its lower link, or the number of one in another namespace */
		fputs(rec_has(link, "link") ? "@" : "@if", s->out);
		put_text(s->out, rec_str(link, rec_has(link, "link") ? "link" : "link_index"));
	}
	fputc(':', s->out);
	if (json_is_array(json_object_get(link, "flags"))) /* of one that is gone nothing else is known */
		put_flags(s->out, json_object_get(link, "flags"), " <", ">");
	put_opt(s->out, link, "mtu", "mtu");
	if (rec_has(link, "xdp"))
		fputs(" xdpgeneric", s->out);
	put_opt(s->out, link, "master", "master");
	put_opt(s->out, link, "state", "operstate");
	put_opt(s->out, link, "mode", "linkmode");
	put_opt(s->out, link, "qlen", "qlen");
	fputc('\n', s->out);
}

static void put_map(const struct show *s, const json_t *data, const char *key, const char *word)
{
	const json_t *list = json_object_get(data, key);
	json_t *one;
	size_t i;

	if (!json_array_size(list))
		return;
	fprintf(s->out, " %s ", word);
	json_array_foreach(list, i, one)
		fprintf(s->out, "%s%s:%s", i ? "," : "", rec_str(one, "from"), rec_str(one, "to"));
}

/* What is particular to its kind, in the words that make it so. */
static void link_info(const struct show *s, const json_t *link)
{
	static const struct { const char *key; bool normal; } ports[] = {
		{ "learning", true }, { "flood", true }, { "mcast_flood", true }, { "bcast_flood", true }, { "hairpin", false }, { "isolated", false },
	};
	const json_t *info = rec_obj(link, "linkinfo"), *data = info ? rec_obj(info, "info_data") : NULL, *port = info ? rec_obj(info, "info_slave_data") : NULL;

	put_opt(s->out, link, "link-netns", "link_netns");
	if (data) {
		put_opt(s->out, data, "protocol", "protocol");
		put_opt(s->out, data, "id", "id");
		put_map(s, data, "ingress_qos", "ingress-qos-map");
		put_map(s, data, "egress_qos", "egress-qos-map");
		put_opt(s->out, data, "ageing_time", "ageing_time");
		put_opt(s->out, data, "fdb_max_learned", "fdb_max_learned");
	}
	if (port) {
		put_opt(s->out, port, "port", "state");
		for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
			if (rec_has(port, ports[i].key) && rec_bool(port, ports[i].key) != ports[i].normal)
				fprintf(s->out, " %s %s", ports[i].key, ports[i].normal ? "off" : "on");
	}
}

/* The second line: what it is, its MAC address, the host's end. */
static void link_kind(const struct show *s, const json_t *link)
{
	const char *type = rec_str(link, "type");

	fprintf(s->out, "    link/%s ", strcmp(type, "loopback") == 0 ? type : "ether");
	put_text(s->out, rec_has(link, "address") ? rec_str(link, "address") : "00:00:00:00:00:00");
	if (strcmp(type, "loopback") != 0) {
		fputc(' ', s->out);
		put_text(s->out, type);
	}
	link_info(s, link);
	put_opt(s->out, link, "host", "host_name");
	put_opt(s->out, link, "", "host_addr");
	put_opt(s->out, link, "queues", "queues");
	if (json_is_false(json_object_get(link, "offload")))
		fputs(" offload off", s->out);
	fputc('\n', s->out);
	if (rec_has(link, "xdp")) {
		const json_t *prog = rec_obj(rec_obj(link, "xdp"), "prog");

		fputs("    prog/xdp", s->out);
		put_opt(s->out, prog, "id", "id");
		put_opt(s->out, prog, "name", "name");
		fputc('\n', s->out);
	}
}

/* The counters of one direction as two lines that are aligned with the other direction's. */
static void link_stats(const struct show *s, const json_t *stats, bool errors)
{
	static const struct { const char *head, *key; } kinds[2][5] = {
		{ { "length", "length_errors" }, { "crc", "crc_errors" }, { "frame", "frame_errors" }, { "fifo", "fifo_errors" }, { "overrun", "over_errors" } },
		{ { "aborted", "aborted_errors" }, { "fifo", "fifo_errors" }, { "window", "window_errors" }, { "heartbt", "heartbeat_errors" }, { "busy", "busy" } },
	};
	static const char *const rx[] = { "bytes", "packets", "errors", "dropped", "missed", "multicast" };
	static const char *const tx[] = { "bytes", "packets", "errors", "dropped", "carrier", "queued" };
	struct table t;
	const char *cells[7];
	char num[6][24];

	table_init(&t, "<>>>>>>");
	for (unsigned dir = 0; dir < 2; dir++) {
		const char *const *keys = dir ? tx : rx;
		const json_t *o = rec_obj(stats, dir ? "tx" : "rx");

		cells[0] = dir ? "    TX:" : "    RX:";
		for (unsigned i = 0; i < 6; i++)
			cells[i + 1] = strcmp(keys[i], "multicast") == 0 ? "mcast" : keys[i];
		table_row(&t, cells);
		cells[0] = "";
		for (unsigned i = 0; i < 6; i++)
			cells[i + 1] = units(rec_num(o, keys[i]), s->human, num[i]);
		table_row(&t, cells);
		if (!errors)
			continue;
		cells[0] = dir ? "    TX errors:" : "    RX errors:";
		for (unsigned i = 0; i < 6; i++)
			cells[i + 1] = i < 5 ? kinds[dir][i].head : "";
		table_row(&t, cells);
		cells[0] = "";
		for (unsigned i = 0; i < 5; i++)
			cells[i + 1] = units(rec_num(o, kinds[dir][i].key), s->human, num[i]);
		table_row(&t, cells);
	}
	table_print(&t, s->out);
}

static void link_steering(const struct show *s, const json_t *link)
{
	static const char *const keys[][2] = { { "rps_cpus", "rps-cpus" }, { "rps_flow_cnt", "rps-flow-cnt" }, { "rss_indir", "rss-indir" }, { "rss_key", "rss-key" } };
	bool any = false;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!rec_has(link, keys[i][0]))
			continue;
		fprintf(s->out, "%s%s ", any ? " " : "    ", keys[i][1]);
		put_text(s->out, rec_str(link, keys[i][0]));
		any = true;
	}
	if (any)
		fputc('\n', s->out);
}

/* In words that "link set" knows. */
static void link_device(const struct show *s, const json_t *link)
{
	const json_t *dev = rec_obj(link, "device");
	json_t *r;
	size_t i;

	if (!dev)
		return;
	fprintf(s->out, "    backend %s", rec_str(dev, "backend"));
	i = 0;
	json_array_foreach(json_object_get(link, "rings"), i, r) {
		fprintf(s->out, "%s%s", i ? ", " : " (", rec_str(r, "backend"));
		if (rec_has(r, "backend_note")) {
			fputs(": ", s->out);
			put_text(s->out, rec_str(r, "backend_note"));
		}
	}
	fputs(i ? ") ring rx " : " ring rx ", s->out);
	fputs(rec_num(dev, "ring_rx") ? rec_str(dev, "ring_rx") : "host's", s->out);
	fprintf(s->out, " tx %s copybreak %s", rec_str(dev, "ring_tx"), rec_str(dev, "copybreak"));
	fprintf(s->out, "\n    rx-usecs %s rx-frames %s adaptive-rx %s", rec_str(dev, "rx_usecs"), rec_str(dev, "rx_frames"), rec_bool(dev, "adaptive_rx") ? "on" : "off");
	fprintf(s->out, " busy-poll %s irq-affinity %s", rec_str(dev, "busy_poll"), rec_str(dev, "irq_affinity"));
	fputs(json_is_false(json_object_get(dev, "vnet_hdr")) ? " vnet-hdr off\n" : "\n", s->out);
}

static const char *feature_text(const json_t *f, char buf[64])
{
	bool on = rec_bool(f, "active"), asked = rec_bool(f, "requested");

	snprintf(buf, 64, "%s%s%s", on ? "on" : "off", rec_bool(f, "fixed") ? " [fixed]" : "", on == asked || rec_bool(f, "fixed") ? "" : asked ? " [requested on]" : " [requested off]");
	return buf;
}

/* The layout of ethtool -k. */
void show_features(const struct show *s, const json_t *records)
{
	static const struct { const char *name, *text; } rows[] = { /* text: what never changes */
		{ "rx-checksumming", NULL }, { "tx-checksumming", NULL }, { "scatter-gather", "on [fixed]" }, { "tcp-segmentation-offload", NULL },
		{ "tx-tcp-segmentation", NULL }, { "tx-tcp6-segmentation", NULL }, { "generic-segmentation-offload", "on [fixed]" },
		{ "generic-receive-offload", NULL }, { "large-receive-offload", "off [fixed]" }, { "tx-udp-segmentation", NULL }, { "rx-gro-hw", NULL },
		{ "rx-udp-gro-forwarding", NULL }, { "rx-filter", NULL },
	};
	char buf[64];
	json_t *link;
	size_t i;

	if (!json_array_size(records))
		fputs("there is no TAP here, and other links have no offloads that could be switched\n", s->out);
	json_array_foreach(records, i, link) {
		const json_t *list = rec_obj(rec_obj(link, "device"), "features"), *f;
		bool tso = rec_bool(rec_obj(list, "tx-tcp-segmentation"), "active") || rec_bool(rec_obj(list, "tx-tcp6-segmentation"), "active");

		fputs("Features for ", s->out);
		put_text(s->out, rec_str(link, "name"));
		fputs(":\n", s->out);
		for (size_t k = 0; list && k < sizeof(rows) / sizeof(rows[0]); k++) {
			f = rec_obj(list, rows[k].name);
			fprintf(s->out, "%s%s: %s\n", strncmp(rows[k].name, "tx-tcp", 6) == 0 ? "\t" : "", rows[k].name,
				rows[k].text ? rows[k].text : f ? feature_text(f, buf) : tso ? "on" : "off");
		}
	}
}

void show_rings(const struct show *s, const json_t *records)
{
	static const char *const heads[] = { "DEV", "CPU", "BACKEND", "RX_RING", "RX_POSTED", "RX_PEAK", "RX_CALLS", "TX_RING", "TX_PENDING", "TX_PEAK", "TX_QUEUED" };
	static const char *const keys[] = { NULL, "worker", "backend", NULL, "rx_posted", "rx_peak", "rx_calls", NULL, "tx_pending", "tx_peak", "tx_queued" };
	json_t *link, *r;
	struct table t;
	size_t i, k;

	if (!json_array_size(records)) {
		fputs("there is no TAP here, and other links have no rings\n", s->out);
		return;
	}
	table_init(&t, "<>>>>>>>>>>");
	table_row(&t, heads);
	json_array_foreach(records, i, link)
		json_array_foreach(json_object_get(link, "rings"), k, r) {
			const json_t *dev = rec_obj(link, "device");
			const char *cells[11];
			char text[11][24];

			for (unsigned c = 0; c < 11; c++) {
				const char *v = c == 0 ? rec_str(link, "name") : c == 3 ? rec_num(dev, "ring_rx") ? rec_str(dev, "ring_rx") : "host's" :
						c == 7 ? rec_str(dev, "ring_tx") : rec_str(r, keys[c]);

				snprintf(text[c], sizeof(text[c]), "%s", v);
				cells[c] = text[c];
			}
			table_row(&t, cells);
		}
	table_print(&t, s->out);
	json_array_foreach(records, i, link)
		json_array_foreach(json_object_get(link, "rings"), k, r)
			if (rec_has(r, "backend_note")) {
				put_text(s->out, rec_str(link, "name"));
				fprintf(s->out, ", worker %s: ", rec_str(r, "worker"));
				put_text(s->out, rec_str(r, "backend_note"));
				fputc('\n', s->out);
			}
}

void show_links(const struct show *s, const json_t *records)
{
	size_t i;
	json_t *link;

	json_array_foreach(records, i, link) {
		show_link_line(s, link);
		link_kind(s, link);
		if (cmd_arg(s->cmd, "details")) {
			link_device(s, link);
			link_steering(s, link);
		}
		if (rec_obj(link, "stats"))
			link_stats(s, rec_obj(link, "stats"), cmd_count(s->cmd, "stats") > 1);
	}
}

void show_addr_line(const struct show *s, const json_t *addr)
{
	const char *local = rec_str(addr, "local");

	fputs(strchr(local, ':') ? "inet6 " : "inet ", s->out);
	put_text(s->out, local);
	fprintf(s->out, "/%s", rec_str(addr, "prefixlen"));
	put_opt(s->out, addr, "brd", "broadcast");
	put_opt(s->out, addr, "scope", "scope");
	if (rec_bool(addr, "secondary"))
		fputs(" secondary", s->out);
	fputc(' ', s->out);
	put_text(s->out, rec_has(addr, "label") ? rec_str(addr, "label") : rec_str(addr, "dev"));
	fputc('\n', s->out);
}

void show_addrs(const struct show *s, const json_t *records, const json_t *links)
{
	size_t i, k;
	json_t *link, *addr;

	json_array_foreach(links, i, link) {
		show_link_line(s, link);
		link_kind(s, link);
		json_array_foreach(records, k, addr) {
			if (strcmp(rec_str(addr, "dev"), rec_str(link, "name")) != 0)
				continue;
			fputs("    ", s->out);
			show_addr_line(s, addr);
		}
	}
}
