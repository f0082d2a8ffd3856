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
	put_opt(s->out, link, "master", "master");
	put_opt(s->out, link, "state", "operstate");
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
}

/* The counters of one direction as two lines that are aligned with the other direction's. */
static void link_stats(const struct show *s, const json_t *stats)
{
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
	}
	table_print(&t, s->out);
}

void show_links(const struct show *s, const json_t *records)
{
	size_t i;
	json_t *link;

	json_array_foreach(records, i, link) {
		show_link_line(s, link);
		link_kind(s, link);
		if (rec_obj(link, "stats"))
			link_stats(s, rec_obj(link, "stats"));
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
