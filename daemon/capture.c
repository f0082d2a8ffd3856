/* SPDX-License-Identifier: MIT */
/*
 * capture.c: "nsctl capture".
 *
 * Theory of operation. A capture has a tap and a ring on every worker. The tap's callback filters (the checked BPF program of the client), copies up to snaplen bytes into the
 * ring and stamps them with the wall clock; what finds no room is lost and counted. It does nothing else: the path is never slowed by who reads, or does not. At the
 * end of a turn of its loop the worker publishes and kicks the control thread, once until that has looked. The control thread takes the records of all workers in the order
 * of their time, and writes them as pcapng to the client's connection, while less than OUT_HIGH waits to be sent there; a client that does not read lets the rings fill, and
 * that is all that happens.
 *
 * A packet that dies in the turn in which it was seen gets its reason into its record, which is not published yet. What dies later, or before it was ever sent, is shown by
 * a capture of drops alone (drops), which has nothing else: a capture of packets has each of them once.
 *
 * Life, on the control thread: a gather attaches the taps, then the connection becomes a stream; at the client's end, after count packets, or with its namespace, a second
 * gather (made beforehand, so that it cannot fail) takes the taps away; its return also says that no kick is on its way any more. Then the rest is
 * written, with the statistics of each link, and the connection ends. With the client gone the rest is thrown away.
 *
 * Not done: time order among workers beyond what is there at once (a late record may stand behind a younger one of another worker).
 */
#include "capture.h"

#include "capture_ring.h"
#include "config.h"
#include "daemon.h"
#include "gather.h"
#include "pcapng.h"
#include "worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <netstack/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define MAX_CAPTURES  16
#define OUT_HIGH      (256u * 1024) /* bytes that wait to be sent before the rings are left alone */
#define BUFFER_KIB    4096u
#define SNAPLEN_MAX   262144u
#define LO_IFINDEX    1

struct link_count { /* of one link on one worker */
	int      ifindex;
	uint64_t seen, accepted, dropped;
};

struct capture_worker { /* the worker's until its tap is gone, but for what is marked */
	struct job             kick; /* first: comes to the control thread as itself; on its way only while kicked */
	struct capture        *capture;
	struct capture_worker *next; /* worker->captures */
	struct stack          *stack;
	struct stack_tap      *tap; /* NULL: not attached, or gone with its namespace */
	struct link_count     *counts;
	unsigned               ncounts;
	_Atomic bool           kicked; /* both: set by the worker, cleared by the control thread when it is about to look */
	bool                   held; /* control thread's: kicked stays set, since the client takes nothing at the moment */
	struct capture_ring    ring;
};

struct capture_link { /* an interface block that was written; its number is its place */
	int      ifindex;
	uint64_t delivered;
};

struct capture {
	struct stream        stream; /* first */
	struct capture      *next; /* daemon->capture_list */
	struct daemon       *daemon;
	struct conf_state   *st;
	struct claim        *claim; /* until the stream begins */
	struct evbuffer     *out; /* NULL: no client, or not yet */
	struct gather       *detach; /* waits to be posted */
	/* constant while taps are attached: the workers read it */
	int                  ifindex; /* 0: any */
	unsigned             what; /* STACK_TAP_* */
	uint32_t             netns, snaplen;
	bool                 drops;
	struct sock_filter  *prog; /* NULL: all packets */
	_Atomic bool         ns_gone; /* set by a worker */

	char                 why[64]; /* it ended without being asked to: stands in the statistics */
	char                *filter; /* as the client wrote it; NULL: none */
	char                 dev[NS_IFNAMSIZ];
	uint64_t             count, written, start; /* count 0: no limit */
	struct capture_link *links;
	unsigned             nlinks;
	bool                 ending, ended; /* the taps are being, or have been, taken away */
	unsigned             nworkers;
	struct capture_worker workers[];
};

static void capture_pump(struct capture *c);
static void capture_finish(struct capture *c);

static uint64_t wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- on the workers -------------------------------------------------------------------------------------------------------- */

static void kick_run(struct job *job, void *owner)
{
	struct capture_worker *cw = (struct capture_worker *)job;
	struct capture *c = cw->capture;

	(void)owner;
	if (c->out && evbuffer_get_length(c->out) >= OUT_HIGH) {
		cw->held = true; /* stays kicked: no more of them until the client has read */
		return;
	}
	atomic_exchange(&cw->kicked, false);
	capture_pump(c);
}

static void kick(struct capture_worker *cw)
{
	if (!atomic_exchange(&cw->kicked, true))
		mailbox_post(&cw->capture->daemon->mail, &cw->kick);
}

/* NULL: no memory; then this link's packets are captured and not counted. */
static struct link_count *count_of(struct capture_worker *cw, int ifindex)
{
	struct link_count *p;

	for (unsigned i = 0; i < cw->ncounts; i++)
		if (cw->counts[i].ifindex == ifindex)
			return &cw->counts[i];
	p = realloc(cw->counts, (cw->ncounts + 1) * sizeof(*p));
	if (!p)
		return NULL;
	cw->counts = p;
	p[cw->ncounts] = (struct link_count){ .ifindex = ifindex };
	return &p[cw->ncounts++];
}

static void capture_frame(struct capture_worker *cw, const struct stack_tap_frame *f)
{
	const struct capture *c = cw->capture;
	struct link_count *count = count_of(cw, f->ifindex), none = { .ifindex = 0 };
	uint32_t caplen = f->len < c->snaplen ? f->len : c->snaplen;
	struct capture_record *rec;

	count = count ? count : &none;
	count->seen++;
	if (c->prog && !ns_bpf_run(c->prog, f, cw->stack))
		return;
	count->accepted++;
	rec = capture_ring_reserve(&cw->ring, caplen);
	if (!rec || stack_tap_copy(f, 0, rec->data, caplen)) {
		count->dropped++;
		return;
	}
	rec->time = wall_clock();
	rec->len = f->len;
	rec->ifindex = f->ifindex;
	rec->reason = (uint16_t)f->reason;
	rec->dir = (uint8_t)f->dir;
	rec->pkt_type = f->skb->pkt_type;
	capture_ring_push(&cw->ring, rec, f->skb, f->id);
	if (capture_ring_pending(&cw->ring) > cw->ring.mask / 4 && capture_ring_publish(&cw->ring))
		kick(cw); /* a long turn: not all of it fits */
}

/* The tap's callback. A packet that dies is marked where it was captured, or is a packet of its own in a capture of drops. */
static void capture_tap(void *arg, const struct stack_tap_frame *f)
{
	struct capture_worker *cw = arg;

	if (f->reason && !cw->capture->drops) {
		struct capture_record *rec = f->again ? capture_ring_find(&cw->ring, f->skb, f->id) : NULL;

		if (rec && !rec->reason)
			rec->reason = (uint16_t)f->reason;
		return;
	}
	if (f->ifindex == LO_IFINDEX && f->dir == STACK_TAP_DIR_OUT && !f->reason)
		return; /* comes in again at once: one of the two is enough, as for tcpdump */
	capture_frame(cw, f);
}

void capture_flush(struct worker *w)
{
	for (struct capture_worker *cw = w->captures; cw; cw = cw->next)
		if (capture_ring_publish(&cw->ring))
			kick(cw);
}

static void unlist(struct worker *w, struct capture_worker *cw)
{
	for (struct capture_worker **p = &w->captures; *p; p = &(*p)->next)
		if (*p == cw) {
			*p = cw->next;
			return;
		}
}

void capture_ns_gone(struct worker *w, uint32_t netns)
{
	for (struct capture_worker *cw = w->captures; cw; cw = cw->next)
		if (cw->capture->netns == netns) {
			cw->tap = NULL;
			cw->stack = NULL;
			capture_ring_publish(&cw->ring);
			atomic_store(&cw->capture->ns_gone, true);
			kick(cw);
		}
}

static void attach_collect(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct capture *c = g->arg;
	struct capture_worker *cw = &c->workers[w->cpu];
	struct worker_ns *ns = worker_ns(w, c->netns);

	slot->err = ns ? stack_tap_attach(ns->stack, c->ifindex, c->what, capture_tap, cw, &cw->tap) : -ENODEV;
	if (slot->err)
		return;
	cw->stack = ns->stack;
	cw->next = w->captures;
	w->captures = cw;
}

static void detach_collect(struct gather *g, struct gather_slot *slot, struct worker *w)
{
	struct capture *c = g->arg;
	struct capture_worker *cw = &c->workers[w->cpu];

	(void)slot;
	unlist(w, cw);
	if (cw->tap)
		stack_tap_detach(cw->tap);
	cw->tap = NULL;
	capture_ring_publish(&cw->ring);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

static void capture_free(struct capture *c)
{
	for (struct capture **p = &c->daemon->capture_list; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	for (unsigned i = 0; i < c->nworkers; i++) {
		capture_ring_exit(&c->workers[i].ring);
		free(c->workers[i].counts);
	}
	conf_state_put(c->st);
	c->daemon->captures--;
	gather_free(c->detach); /* only one that was never posted */
	free(c->prog);
	free(c->filter);
	free(c->links);
	free(c);
}

/* Number of the interface block of this link, which is written when it is the first time that it is needed. -ENOMEM. */
static int64_t interface_of(struct capture *c, int ifindex)
{
	const struct link_conf *link = netcfg_link_by_index(c->st->cfg, ifindex);
	struct pcapng_if i = { .snaplen = c->snaplen, .filter = c->filter };
	struct capture_link *p;
	char name[32];

	for (unsigned k = 0; k < c->nlinks; k++)
		if (c->links[k].ifindex == ifindex)
			return k;
	p = realloc(c->links, (c->nlinks + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	c->links = p;
	if (link) {
		i.name = link->name;
		i.addr = link->type == LINK_LOOPBACK ? NULL : &link->addr;
	} else if (ifindex) {
		snprintf(name, sizeof(name), "if%d", ifindex);
		i.name = name;
		i.description = "a link that is gone";
	} else {
		i.name = "none";
		i.description = "packets that had no link yet";
	}
	if (pcapng_interface(c->out, &i))
		return -ENOMEM;
	p[c->nlinks] = (struct capture_link){ .ifindex = ifindex };
	return c->nlinks++;
}

static uint32_t packet_flags(const struct capture_record *rec)
{
	uint32_t flags = rec->dir == STACK_TAP_DIR_OUT ? PCAPNG_OUT : PCAPNG_IN;

	if (rec->dir == STACK_TAP_DIR_OUT)
		return flags;
	switch (rec->pkt_type) {
	case SKB_PKT_BROADCAST: return flags | PCAPNG_BROADCAST;
	case SKB_PKT_MULTICAST: return flags | PCAPNG_MULTICAST;
	case SKB_PKT_OTHERHOST: return flags | PCAPNG_PROMISC;
	default: return flags | PCAPNG_UNICAST;
	}
}

static int write_record(struct capture *c, const struct capture_record *rec, unsigned cpu)
{
	int64_t id = interface_of(c, rec->ifindex);
	struct pcapng_packet k = { .time = rec->time, .len = rec->len, .caplen = rec->caplen, .flags = packet_flags(rec), .queue = cpu, .lost = rec->lost };
	char comment[192];

	if (id < 0)
		return -ENOMEM;
	k.interface = (uint32_t)id;
	if (rec->reason) {
		snprintf(comment, sizeof(comment), "dropped: %s: %s", skb_drop_reason_name(rec->reason), skb_drop_reason_help(rec->reason));
		k.comment = comment;
	}
	if (pcapng_packet(c->out, &k, rec->data))
		return -ENOMEM;
	c->links[id].delivered++;
	c->written++;
	return 0;
}

/* The oldest record that waits on any worker; *ret_cpu: whose. */
static const struct capture_record *oldest(struct capture *c, unsigned *ret_cpu)
{
	const struct capture_record *best = NULL;

	for (unsigned i = 0; i < c->nworkers; i++) {
		const struct capture_record *rec = capture_ring_peek(&c->workers[i].ring);

		if (rec && (!best || rec->time < best->time)) {
			best = rec;
			*ret_cpu = i;
		}
	}
	return best;
}

static bool count_reached(const struct capture *c)
{
	return c->count && c->written >= c->count;
}

static void write_statistics(struct capture *c)
{
	uint64_t now = wall_clock();

	for (unsigned k = 0; k < c->nlinks; k++) {
		struct pcapng_stats s = { .interface = k, .time = now, .start = c->start, .end = now, .delivered = c->links[k].delivered,
					.comment = c->why[0] ? c->why : NULL };

		for (unsigned i = 0; i < c->nworkers; i++)
			for (unsigned n = 0; n < c->workers[i].ncounts; n++) {
				const struct link_count *count = &c->workers[i].counts[n];

				if (count->ifindex != c->links[k].ifindex)
					continue;
				s.received += count->seen;
				s.accepted += count->accepted;
				s.dropped += count->dropped;
			}
		pcapng_statistics(c->out, &s); /* without memory for it the stream ends without */
	}
}

/* Every link that was looked at has its statistics, also one without a packet that could be written. */
static void mention_links(struct capture *c)
{
	for (unsigned i = 0; i < c->nworkers; i++)
		for (unsigned n = 0; n < c->workers[i].ncounts; n++)
			interface_of(c, c->workers[i].counts[n].ifindex);
}

/* Writes what there is while the client takes it; ends what has come to its end. c may be gone afterwards. */
static void capture_pump(struct capture *c)
{
	const struct capture_record *rec;
	unsigned cpu = 0;

	while (c->out && !count_reached(c) && evbuffer_get_length(c->out) < OUT_HIGH && (rec = oldest(c, &cpu))) {
		if (write_record(c, rec, cpu)) {
			capture_finish(c); /* what was written is whole */
			snprintf(c->why, sizeof(c->why), "netstackd is out of memory");
			c->count = c->written ? c->written : 1;
			c->written = c->count;
			break;
		}
		capture_ring_pop(&c->workers[cpu].ring, rec);
	}
	if (atomic_load(&c->ns_gone) && !c->why[0])
		snprintf(c->why, sizeof(c->why), "the network namespace was removed");
	if (!c->ending && (count_reached(c) || atomic_load(&c->ns_gone) || (!c->out && !c->claim))) {
		capture_finish(c);
		return;
	}
	if (!c->ended)
		return;
	if (c->out && !count_reached(c) && oldest(c, &cpu))
		return; /* the rest when the client has read */
	if (c->out) {
		mention_links(c);
		write_statistics(c);
		stream_end(&c->stream);
	}
	capture_free(c);
}

static void detach_done(struct gather *g)
{
	struct capture *c = g->arg;

	c->ended = true;
	capture_pump(c);
}

static void capture_finish(struct capture *c)
{
	struct gather *g = c->detach;

	if (c->ending)
		return;
	c->ending = true;
	c->detach = NULL;
	gather_post(g);
}

void capture_links_changed(struct daemon *d)
{
	for (struct capture *c = d->capture_list; c; c = c->next) {
		if (!c->ifindex || c->ending || atomic_load(&c->ns_gone) || netcfg_link_by_index(c->st->cfg, c->ifindex))
			continue;
		snprintf(c->why, sizeof(c->why), "%s was removed", c->dev);
		capture_finish(c);
	}
}

/* ---- the client ------------------------------------------------------------------------------------------------------------- */

static void on_drained(struct stream *s)
{
	struct capture *c = (struct capture *)s;

	for (unsigned i = 0; i < c->nworkers; i++)
		if (c->workers[i].held) {
			c->workers[i].held = false;
			atomic_exchange(&c->workers[i].kicked, false);
		}
	capture_pump(c);
}

static void on_hangup(struct stream *s)
{
	capture_finish((struct capture *)s);
}

static void on_gone(struct stream *s)
{
	struct capture *c = (struct capture *)s;

	c->out = NULL;
	if (c->ended)
		capture_free(c);
	else
		capture_finish(c);
}

static int mention_link(void *arg, const struct link_conf *link)
{
	return interface_of(arg, link->ifindex) < 0 ? -ENOMEM : 0;
}

static int write_header(struct capture *c)
{
	struct utsname u;
	char os[sizeof(u.sysname) + sizeof(u.release) + 2] = "";

	if (uname(&u) == 0)
		snprintf(os, sizeof(os), "%s %s", u.sysname, u.release);
	evbuffer_add_printf(c->out, "{\"capture\":true,\"workers\":%u,\"snaplen\":%u}\n", c->nworkers, c->snaplen);
	if (pcapng_section(c->out, PACKAGE_STRING, os[0] ? os : NULL))
		return -ENOMEM;
	if (!c->ifindex)
		return netcfg_link_foreach(c->st->cfg, mention_link, c);
	return interface_of(c, c->ifindex) < 0 ? -ENOMEM : 0;
}

static void attach_done(struct gather *g)
{
	struct capture *c = g->arg;
	struct claim *claim = c->claim;
	struct conf_error e;
	int err = 0;

	for (unsigned i = 0; i < g->n; i++)
		err = err ? err : g->slot[i].err;
	c->claim = NULL;
	if (err) {
		if (err == -ENODEV)
			conf_fail(&e, err, "%s has just been removed", c->dev[0] ? c->dev : "the namespace");
		else
			conf_fail(&e, err, "no memory to capture on every worker");
		claim_result(claim, &e);
		capture_finish(c);
		return;
	}
	c->start = wall_clock();
	c->out = stream_begin(claim, &c->stream);
	if (!c->out || write_header(c))
		capture_finish(c);
	else
		capture_pump(c);
}

/* ---- the request ------------------------------------------------------------------------------------------------------------ */

static bool take_number(const char **p, uint64_t max, char end, uint64_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	if (*s != end && !(end == ',' && !*s))
		return false;
	*p = *s ? s + 1 : s;
	*ret = v;
	return true;
}

int capture_parse_program(const char *text, struct sock_filter **ret, const char **why)
{
	struct sock_filter *prog;
	uint64_t n, v[4];

	*why = "it is to be as tcpdump -ddd prints it, with commas between the lines";
	if (!take_number(&text, BPF_MAXINSNS, ',', &n) || !n)
		return -EINVAL;
	prog = calloc(n, sizeof(*prog));
	if (!prog)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++) {
		if (!take_number(&text, UINT16_MAX, ' ', &v[0]) || !take_number(&text, UINT8_MAX, ' ', &v[1]) || !take_number(&text, UINT8_MAX, ' ', &v[2]) ||
		    !take_number(&text, UINT32_MAX, ',', &v[3]))
			goto err_free;
		prog[i] = (struct sock_filter){ (uint16_t)v[0], (uint8_t)v[1], (uint8_t)v[2], (uint32_t)v[3] };
	}
	if (*text)
		goto err_free;
	if (ns_bpf_check(prog, (unsigned)n)) {
		*why = "it is not a safe program: an unknown instruction, a jump out of it, or memory read before it is written";
		goto err_free;
	}
	*ret = prog;
	return (int)n;

err_free:
	free(prog);
	return -EINVAL;
}

static int parse_filter(struct capture *c, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *filter = cmd_arg(cmd, "filter"), *program = cmd_arg(cmd, "program");
	const char *why;
	int n;

	if (filter && !program)
		return conf_fail(e, -EINVAL, "a filter has to come with its program, which nsctl makes of it");
	if (!program)
		return 0;
	n = capture_parse_program(program->str, &c->prog, &why);
	if (n == -EINVAL) {
		conf_fail(e, n, "the filter's program is refused: %s", why);
		e->column = program->column;
		return n;
	}
	if (n > 0 && filter)
		c->filter = strdup(filter->str);
	if (n < 0 || (filter && !c->filter))
		return conf_fail(e, -ENOMEM, "no memory for the filter");
	return 0;
}

static int parse_request(struct capture *c, const struct cmd *cmd, struct conf_error *e)
{
	const struct cmd_arg *dev = cmd_arg(cmd, "dev"), *count = cmd_arg(cmd, "count"), *snaplen = cmd_arg(cmd, "snaplen");

	if (dev && strcmp(dev->str, "any") != 0) {
		const struct link_conf *link = netcfg_link_by_name(c->st->cfg, dev->str);

		if (!link) {
			conf_fail(e, -ENODEV, "there is no link %s; \"any\" means all of them", dev->str);
			e->column = dev->column;
			return -ENODEV;
		}
		c->ifindex = link->ifindex;
		snprintf(c->dev, sizeof(c->dev), "%s", link->name);
	}
	c->drops = cmd_arg(cmd, "drops") != NULL;
	c->what = c->drops ? STACK_TAP_DROPS : STACK_TAP_RX | STACK_TAP_TX | STACK_TAP_DROPS;
	if (!c->drops && !cmd_arg(cmd, "no-promisc"))
		c->what |= STACK_TAP_PROMISC;
	c->count = count ? count->num : 0;
	c->snaplen = snaplen ? snaplen->num : SNAPLEN_MAX;
	return parse_filter(c, cmd, e);
}

int capture_request(struct daemon *d, struct conf_state *st, const struct cmd *cmd, struct claim *claim, struct conf_error *e)
{
	const struct cmd_arg *buffer = cmd_arg(cmd, "buffer");
	uint64_t size = (uint64_t)(buffer ? buffer->num : BUFFER_KIB) * 1024;
	struct capture *c;
	int err;

	if (d->captures >= MAX_CAPTURES)
		return conf_fail(e, -EBUSY, "%u captures run already: that is all that may", (unsigned)MAX_CAPTURES);
	c = calloc(1, sizeof(*c) + d->nworkers * sizeof(c->workers[0]));
	if (!c)
		return conf_fail(e, -ENOMEM, "no memory for a capture");
	d->captures++;
	c->stream = (struct stream){ .drained = on_drained, .hangup = on_hangup, .gone = on_gone };
	c->daemon = d;
	c->st = conf_state_get(st);
	c->netns = st->id;
	c->claim = claim;
	c->next = d->capture_list;
	d->capture_list = c;
	err = parse_request(c, cmd, e);
	for (unsigned i = 0; i < d->nworkers && !err; i++) {
		c->workers[i].kick.run = kick_run;
		c->workers[i].capture = c;
		err = capture_ring_init(&c->workers[i].ring, size);
		c->nworkers += !err;
	}
	if (!err)
		c->detach = gather_new(d, detach_collect, detach_done, c);
	if (!err && (!c->detach || gather_start(d, attach_collect, attach_done, c)))
		err = -ENOMEM;
	if (err) {
		if (err == -ENOMEM)
			conf_fail(e, err, "no memory for a capture");
		capture_free(c);
	}
	return err;
}
