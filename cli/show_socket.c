/* SPDX-License-Identifier: MIT */
/*
 * show_socket.c: sockets as "ss -tuanp" prints them, with "info" the inside of TCP as "ss -i" does: the same words, so what is known about reading one holds
 * for the other. Values that are 0 and mean nothing are left out.
 */
#include "format.h"
#include "show.h"
#include <linux/tcp.h>
#include <stdarg.h>
#include <string.h>

static void item(const struct show *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void item(const struct show *s, const char *fmt, ...)
{
	va_list ap;

	fputc(' ', s->out);
	va_start(ap, fmt);
	vfprintf(s->out, fmt, ap);
	va_end(ap);
}

/* " name:value" for those of the keys that are not 0; name and key are the same word unless two are given. */
static void counts(const struct show *s, const json_t *info, const char *const (*pairs)[2], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (rec_num(info, pairs[i][1]))
			item(s, "%s:%s", pairs[i][0], rec_str(info, pairs[i][1]));
}

#define COUNTS(s, info, ...) counts(s, info, (const char *const[][2]){ __VA_ARGS__ }, sizeof((const char *const[][2]){ __VA_ARGS__ }) / (2 * sizeof(char *)))

static void ms(const struct show *s, const char *name, uint64_t usec)
{
	item(s, "%s:%g", name, (double)usec / 1000);
}

static void tcp_times(const struct show *s, const json_t *i)
{
	if (rec_num(i, "rto"))
		ms(s, "rto", rec_num(i, "rto"));
	COUNTS(s, i, { "backoff", "backoff" });
	if (rec_num(i, "rtt"))
		item(s, "rtt:%g/%g", (double)rec_num(i, "rtt") / 1000, (double)rec_num(i, "rttvar") / 1000);
	if (rec_num(i, "ato"))
		ms(s, "ato", rec_num(i, "ato"));
}

static void tcp_rates(const struct show *s, const json_t *i)
{
	char buf[24];
	uint64_t rtt = rec_num(i, "rtt");

	if (rtt && rec_num(i, "snd_cwnd") && rec_num(i, "snd_mss"))
		item(s, "send %s", bitrate((double)rec_num(i, "snd_cwnd") * (double)rec_num(i, "snd_mss") * 8e6 / (double)rtt, buf));
	COUNTS(s, i, { "lastsnd", "last_data_sent" }, { "lastrcv", "last_data_recv" }, { "lastack", "last_ack_recv" });
	if (rec_num(i, "pacing_rate") && rec_num(i, "pacing_rate") < INT64_MAX)
		item(s, "pacing_rate %s", bitrate((double)rec_num(i, "pacing_rate") * 8, buf));
	if (rec_num(i, "delivery_rate"))
		item(s, "delivery_rate %s", bitrate((double)rec_num(i, "delivery_rate") * 8, buf));
	COUNTS(s, i, { "delivered", "delivered" });
	if (rec_num(i, "delivery_rate_app_limited") || rec_bool(i, "delivery_rate_app_limited"))
		item(s, "app_limited");
	if (rec_num(i, "busy_time"))
		item(s, "busy:%gms", (double)rec_num(i, "busy_time") / 1000);
	if (rec_num(i, "rwnd_limited"))
		item(s, "rwnd_limited:%gms", (double)rec_num(i, "rwnd_limited") / 1000);
	if (rec_num(i, "sndbuf_limited"))
		item(s, "sndbuf_limited:%gms", (double)rec_num(i, "sndbuf_limited") / 1000);
}

static void tcp_inside(const struct show *s, const json_t *sock)
{
	const json_t *i = rec_obj(sock, "tcp_info");
	uint64_t options = rec_num(i, "options");

	if (options & TCPI_OPT_TIMESTAMPS)
		item(s, "ts");
	if (options & TCPI_OPT_SACK)
		item(s, "sack");
	if (options & TCPI_OPT_ECN)
		item(s, options & TCPI_OPT_ECN_SEEN ? "ecn ecnseen" : "ecn");
	if (rec_has(sock, "cong")) {
		fputc(' ', s->out);
		put_text(s->out, rec_str(sock, "cong"));
	}
	if (options & TCPI_OPT_WSCALE)
		item(s, "wscale:%u,%u", (unsigned)rec_num(i, "snd_wscale"), (unsigned)rec_num(i, "rcv_wscale"));
	tcp_times(s, i);
	COUNTS(s, i, { "mss", "snd_mss" }, { "pmtu", "pmtu" }, { "rcvmss", "rcv_mss" }, { "advmss", "advmss" }, { "cwnd", "snd_cwnd" });
	if (rec_num(i, "snd_ssthresh") && rec_num(i, "snd_ssthresh") < 0x7fffffff)
		COUNTS(s, i, { "ssthresh", "snd_ssthresh" });
	COUNTS(s, i, { "bytes_sent", "bytes_sent" }, { "bytes_retrans", "bytes_retrans" }, { "bytes_acked", "bytes_acked" },
	       { "bytes_received", "bytes_received" }, { "segs_out", "segs_out" }, { "segs_in", "segs_in" }, { "data_segs_out", "data_segs_out" },
	       { "data_segs_in", "data_segs_in" });
	tcp_rates(s, i);
	if (strcmp(rec_str(sock, "state"), "LISTEN") == 0)
		return; /* the two that follow are the accept queue there, which stands in Recv-Q and Send-Q */
	COUNTS(s, i, { "unacked", "unacked" });
	if (rec_num(i, "retrans") || rec_num(i, "total_retrans"))
		item(s, "retrans:%u/%u", (unsigned)rec_num(i, "retrans"), (unsigned)rec_num(i, "total_retrans"));
	COUNTS(s, i, { "lost", "lost" }, { "sacked", "sacked" }, { "dsack_dups", "dsack_dups" });
	if (rec_num(i, "reordering") != 3)
		COUNTS(s, i, { "reordering", "reordering" });
	COUNTS(s, i, { "reord_seen", "reord_seen" });
	if (rec_num(i, "rcv_rtt"))
		ms(s, "rcv_rtt", rec_num(i, "rcv_rtt"));
	COUNTS(s, i, { "rcv_space", "rcv_space" }, { "rcv_ssthresh", "rcv_ssthresh" }, { "notsent", "notsent_bytes" });
	if (rec_num(i, "min_rtt") && rec_num(i, "min_rtt") < UINT32_MAX)
		ms(s, "minrtt", rec_num(i, "min_rtt"));
	COUNTS(s, i, { "rcv_ooopack", "rcv_ooopack" }, { "snd_wnd", "snd_wnd" });
}

/* The second line of a socket, with "info". */
static void inside(const struct show *s, const json_t *sock)
{
	const json_t *mem = rec_obj(sock, "skmem");
	char buf[24];

	fputc('\t', s->out);
	if (mem)
		item(s, "skmem:(r%s,rb%s,t%s,tb%s,d%s)", rec_str(mem, "rmem"), rec_str(mem, "rcvbuf"), rec_str(mem, "wmem"), rec_str(mem, "sndbuf"), rec_str(mem, "drops"));
	if (rec_has(sock, "timer"))
		item(s, "timer:(%s,%s,%u)", rec_str(sock, "timer"), duration(rec_num(sock, "expires_ms"), buf), (unsigned)rec_num(sock, "retrans"));
	if (rec_obj(sock, "tcp_info"))
		tcp_inside(s, sock);
	fputc('\n', s->out);
}

static bool wanted(const struct show *s, const json_t *sock)
{
	bool tcp = cmd_arg(s->cmd, "tcp"), udp = cmd_arg(s->cmd, "udp");
	const char *netid = rec_str(sock, "netid"), *state = rec_str(sock, "state");

	if ((tcp || udp) && !(tcp && strcmp(netid, "tcp") == 0) && !(udp && strcmp(netid, "udp") == 0))
		return false;
	return !cmd_arg(s->cmd, "listening") || strcmp(state, "LISTEN") == 0 || strcmp(state, "UNCONN") == 0;
}

/* "10.0.0.1:80", "[fd00::1]:80", "0.0.0.0%eth0:*" */
static const char *endpoint(const json_t *sock, const char *addr, const char *port, const char *dev, char *buf, size_t size)
{
	const char *a = rec_str(sock, addr);
	bool six = strchr(a, ':') != NULL;

	snprintf(buf, size, "%s%s%s%s%s:%s", six ? "[" : "", *a ? a : "*", six ? "]" : "", *dev ? "%" : "", dev, rec_num(sock, port) ? rec_str(sock, port) : "*");
	return buf;
}

void show_sockets(const struct show *s, const json_t *records)
{
	static const char *const head[] = { "Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Process" };
	bool info = cmd_arg(s->cmd, "info") != NULL;
	unsigned row = 1;
	struct table t;
	json_t *sock;
	size_t i;

	table_init(&t, "<<>><<<");
	table_row(&t, head);
	json_array_foreach(records, i, sock) {
		char local[128], peer[128], owner[80] = "";

		if (!wanted(s, sock))
			continue;
		if (rec_has(sock, "owner"))
			snprintf(owner, sizeof(owner), "%s%s%s", rec_str(sock, "owner"), rec_has(sock, "cpu") ? " cpu:" : "", rec_str(sock, "cpu"));
		table_row(&t, (const char *const[]){ rec_str(sock, "netid"), rec_str(sock, "state"), rec_str(sock, "recvq"), rec_str(sock, "sendq"),
			  endpoint(sock, "local", "lport", rec_str(sock, "dev"), local, sizeof(local)), endpoint(sock, "peer", "pport", "", peer, sizeof(peer)), owner });
	}
	if (!info) {
		table_print(&t, s->out);
		return;
	}
	table_print_rows(&t, s->out, 0, 1);
	json_array_foreach(records, i, sock) {
		if (!wanted(s, sock))
			continue;
		table_print_rows(&t, s->out, row, row + 1);
		row++;
		inside(s, sock);
	}
	table_free(&t);
}
