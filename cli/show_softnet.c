/* SPDX-License-Identifier: MIT */
/*
 * show_softnet.c: the receive path of each worker as /proc/net/softnet_stat has it, and in words: what was cut or dropped is explained under the table, with
 * the limit that did it. And where the time goes, by stages; and what GRO merged.
 */
#include "format.h"
#include "show.h"

struct column {
	const char *head, *key, *help;
};

static const struct column columns[] = {
	{ "CPU", "cpu", "the worker" },
	{ "PROCESSED", "processed", "frames that the protocols were given" },
	{ "DROPPED", "dropped", "frames that found the backlog or the ring to another worker full" },
	{ "TIME_SQUEEZE", "time_squeeze", "receive rounds that ended with frames left: netdev_budget frames were taken, or netdev_budget_usecs had passed" },
	{ "RECEIVED_RPS", "received_rps", "batches of frames that came from other workers while this one had none of them to do" },
	{ "FLOW_LIMIT", "flow_limit", "frames of large flows dropped so that small ones pass, while a backlog was more than half full" },
	{ "BACKLOG", "backlog", "frames that wait now, in the rings from other workers and in the backlog" },
	{ "STEERED", "steered", "frames handed to another worker: the owner of their flow, or one that rps-cpus names" },
	{ "RFS", "rfs", "frames that went straight to the worker of their socket, not by way of the one that their flow hashes to" },
	{ "KICKS", "kicks", "wake-ups of other workers, one for a batch; there is none for a worker that is awake" },
};
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

/* seq_printf's line of Linux 6: columns 4 to 9 are history. */
static void proc_line(FILE *out, const json_t *r)
{
	static const char *const keys[15] = {
		"processed", "dropped", "time_squeeze", NULL, NULL, NULL, NULL, NULL, NULL, "received_rps", "flow_limit", "backlog", "cpu", "input_qlen", "process_qlen",
	};

	for (unsigned i = 0; i < 15; i++)
		fprintf(out, "%08x%c", keys[i] ? (unsigned)rec_num(r, keys[i]) : 0, i == 14 ? '\n' : ' ');
}

/* What of it wants an explanation; silent about what went well. */
static void explain_worker(const struct show *s, const json_t *r)
{
	uint64_t dropped = rec_num(r, "dropped"), full = rec_num(r, "steer_full"), limited = rec_num(r, "flow_limit");
	char n[24], a[24], b[24];

	if (rec_num(r, "time_squeeze")) {
		fprintf(s->out, "cpu %s: %s receive rounds ended with frames left", rec_str(r, "cpu"), units(rec_num(r, "time_squeeze"), s->human, n));
		if (rec_has(r, "squeeze_budget"))
			fprintf(s->out, ": %s because net.core.netdev_budget (%s frames) was used up, %s because net.core.netdev_budget_usecs (%s us) had passed",
				units(rec_num(r, "squeeze_budget"), s->human, a), rec_str(r, "netdev_budget"), units(rec_num(r, "squeeze_time"), s->human, b),
				rec_str(r, "netdev_budget_usecs"));
		fputs("; nothing is lost by that: the rest had its turn in the next round\n", s->out);
	}
	if (dropped > full + limited)
		fprintf(s->out, "cpu %s: %s frames were dropped because as many as net.core.netdev_max_backlog (%s) waited for a worker\n", rec_str(r, "cpu"),
			units(dropped - full - limited, s->human, n), rec_has(r, "netdev_max_backlog") ? rec_str(r, "netdev_max_backlog") : "?");
	if (full)
		fprintf(s->out, "cpu %s: %s frames were dropped because the worker that owns their flow takes no more\n", rec_str(r, "cpu"), units(full, s->human, n));
	if (limited)
		fprintf(s->out, "cpu %s: %s frames of large flows were dropped while a backlog was more than half full (net.core.flow_limit_cpu_bitmap)\n", rec_str(r, "cpu"),
			units(limited, s->human, n));
}

/* What never reached a worker: it is in no column, and often most of what is lost. */
static void explain_missed(const struct show *s, const json_t *links)
{
	json_t *link;
	size_t i;
	char n[24];

	json_array_foreach(links, i, link) {
		uint64_t missed = rec_num(rec_obj(rec_obj(link, "stats"), "rx"), "fifo_errors");
		uint64_t ring = rec_num(rec_obj(link, "device"), "ring_rx");

		if (!missed)
			continue;
		put_text(s->out, rec_str(link, "name"));
		fprintf(s->out, ": %s frames more came faster than they were taken, and the host dropped them", units(missed, s->human, n));
		if (ring)
			fprintf(s->out, " when as many as ring rx (%llu) waited", (unsigned long long)ring);
		fputs("; they are in no column here (link show -s -s: fifo)\n", s->out);
	}
}

void show_softnet(const struct show *s, const json_t *records, const json_t *links)
{
	const char *heads[NCOLUMNS], *keys[NCOLUMNS];
	struct table t;
	json_t *rec;
	size_t i;

	if (cmd_arg(s->cmd, "proc")) {
		json_array_foreach(records, i, rec)
			proc_line(s->out, rec);
		return;
	}
	for (i = 0; i < NCOLUMNS; i++) {
		heads[i] = columns[i].head;
		keys[i] = columns[i].key;
	}
	plain_table(s, records, ">>>>>>>>>>", heads, keys);
	json_array_foreach(records, i, rec)
		explain_worker(s, rec);
	explain_missed(s, links);
	if (!cmd_arg(s->cmd, "explain"))
		return;
	table_init(&t, "<<");
	for (i = 0; i < NCOLUMNS; i++)
		table_row(&t, (const char *const[]){ columns[i].head, columns[i].help });
	table_print(&t, s->out);
}

/* n / d with a decimal place; "-" for nothing. */
static const char *ratio(uint64_t n, uint64_t d, char buf[24])
{
	if (d)
		snprintf(buf, 24, "%.1f", (double)n / (double)d);
	else
		snprintf(buf, 24, "-");
	return buf;
}

static uint64_t time_of_cpu(const json_t *records, uint64_t cpu)
{
	uint64_t sum = 0;
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		if (rec_num(rec, "cpu") == cpu)
			sum += rec_num(rec, "ns");
	return sum;
}

void show_runtime(const struct show *s, const json_t *records)
{
	struct table t;
	json_t *rec;
	size_t i;

	if (!json_array_size(records)) {
		char name[2 * GRAMMAR_NETNS_MAX + 3];
		const char *netns = s->cmd->netns;

		fprintf(s->out, "run times are not measured: \"nsctl %s%s%ssysctl net.core.runtime_stats=1\" switches them on\n", netns ? "-n " : "",
			netns ? grammar_quote(netns, name, sizeof(name)) : "", netns ? " " : "");
		return;
	}
	table_init(&t, "><>>>>>>");
	table_row(&t, (const char *const[]){ "CPU", "STAGE", "CALLS", "FRAMES", "FRAMES/CALL", "NS/FRAME", "NS/CALL", "SHARE%" });
	json_array_foreach(records, i, rec) {
		uint64_t calls = rec_num(rec, "calls"), frames = rec_num(rec, "frames"), ns = rec_num(rec, "ns");
		char b[6][24];

		table_row(&t, (const char *const[]){ rec_str(rec, "cpu"), rec_str(rec, "stage"), units(calls, s->human, b[0]), units(frames, s->human, b[1]),
						     ratio(frames, frames ? calls : 0, b[2]), ratio(ns, frames, b[3]), ratio(ns, calls, b[4]),
						     ratio(100 * ns, time_of_cpu(records, rec_num(rec, "cpu")), b[5]) });
	}
	table_print(&t, s->out);
}

/* A row of the table is a packet that was held: why it went on stands in the columns on the right. */
void show_gro(const struct show *s, const json_t *records)
{
	static const char *const counts[] = { "normal", "held", "merged", "flush_last", "flush_other", "flush_poll", "flush_age", "flush_bucket" };
	const char *row[11];
	struct table t;
	json_t *rec;
	size_t i;

	if (!json_array_size(records)) {
		fputs("there is no TAP here, and other links receive what was merged before or never is\n", s->out);
		return;
	}
	table_init(&t, "<<>>>>>>>>>");
	table_row(&t, (const char *const[]){ "DEV", "GRO", "NORMAL", "HELD", "MERGED", "LAST", "OTHER", "POLL", "AGE", "BUCKET", "SEGMENTS" });
	json_array_foreach(records, i, rec) {
		char n[8][24], segs[24];

		row[0] = rec_str(rec, "dev");
		row[1] = rec_bool(rec, "gro") ? "on" : "off";
		for (size_t k = 0; k < 8; k++)
			row[2 + k] = units(rec_num(rec, counts[k]), s->human, n[k]);
		row[10] = ratio(rec_num(rec, "held") + rec_num(rec, "merged"), rec_num(rec, "held"), segs);
		table_row(&t, row);
	}
	table_print(&t, s->out);
}
