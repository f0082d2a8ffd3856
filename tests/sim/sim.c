/* SPDX-License-Identifier: MIT */
/*
 * sim.c: many connections over bad wires between hosts of 1 to 8 shards, in simulated time and one thread.
 *
 * Every connection carries a stream each way, of lengths and contents that follow from the seed. Writers and readers use odd chunk sizes and act only when
 * they are woken, so a lost wake-up shows as a stall. Checked: every byte of both streams and nothing behind them, an orderly end on both sides, bounded
 * simulated time, an hour later no packet buffer and no socket but the listeners is left. One line of TAP for each number of shards; the same arguments
 * give the same run.
 */
#include "net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define PORT       5001
#define HEADER     16 /* bytes with which a client says which connection this is */
#define LISTENER   (UINT64_C(1) << 62)
#define UNASSIGNED (UINT64_C(1) << 61) /* accepted, header not read yet */

struct options {
	uint64_t          seed;
	unsigned          connections, parallel, clients, max_bytes;
	bool              router, bridge, steer, trace, twice, verbose;
	uint32_t          mtu;
	double            limit; /* simulated seconds for one connection */
	ktime_t           pace; /* between two that begin: uniform in [0, 2 * pace) */
	struct link_model model;
};

struct end {
	struct socket *sock;
	uint32_t       tx, tx_len, rx, rx_len;
	bool           shut, eof, closed;
	uint8_t        hdr[HEADER];
};

struct conn {
	unsigned    id;
	struct end  end[2]; /* 0: client, 1: server */
	ktime_t     started;
	bool        done;
	uint64_t    rng;
};

struct pending { /* accepted, and not yet known whose it is */
	struct pending *next;
	struct socket  *sock;
	uint64_t        id;
	uint8_t         hdr[HEADER];
	uint32_t        got;
};

struct sim {
	const struct options *opt;
	struct net            net;
	unsigned              ncpu;
	struct conn          *conn;
	unsigned              started, done, running;
	uint64_t              bytes;
	struct pending       *pending;
	uint64_t              pending_id;
	struct sim_host      *server, *client[NET_MAX_HOSTS];
	char                  error[400];
};

static void failed(struct sim *s, const struct conn *c, const char *what, long v)
{
	struct sockaddr_in sa = { 0 };
	socklen_t          len = sizeof(sa);

	if (c && c->end[0].sock)
		ns_getsockname(c->end[0].sock, (struct sockaddr *)&sa, &len);
	if (!*s->error)
		snprintf(s->error, sizeof(s->error), "connection %u (port %u), at %.6f s: %s (%ld); client sent %u/%u got %u/%u, server sent %u/%u got %u/%u", c ? c->id : 0, ntohs(sa.sin_port),
			 (double)(s->net.now - NSEC_PER_SEC) / 1e9, what, v, c ? c->end[0].tx : 0, c ? c->end[0].tx_len : 0, c ? c->end[0].rx : 0,
			 c ? c->end[0].rx_len : 0, c ? c->end[1].tx : 0, c ? c->end[1].tx_len : 0, c ? c->end[1].rx : 0, c ? c->end[1].rx_len : 0);
}

/* Byte off of the stream that side of connection id sends. */
static inline uint8_t stream_byte(unsigned id, unsigned side, uint32_t off)
{
	uint32_t v = off * 2654435761u + id * 40503u + side * 77u;

	return (uint8_t)(v >> 24 ^ v >> 11);
}

static void header(const struct conn *c, uint8_t *h)
{
	memcpy(h, "nsim", 4);
	put_be32(h + 4, c->id);
	put_be32(h + 8, c->end[0].tx_len);
	put_be32(h + 12, c->end[1].tx_len);
}

/* ---- one end of one connection ---------------------------------------------------------------------------------------- */

static uint32_t stream_length(struct sim *s, uint64_t *rng)
{
	uint32_t kind = test_random_below(rng, 100), max = s->opt->max_bytes;

	if (kind < 10)
		return 0;
	if (kind < 50)
		return 1 + test_random_below(rng, 2000 < max ? 2000 : max);
	if (kind < 97)
		return 1 + test_random_below(rng, 30000 < max ? 30000 : max);
	return 1 + test_random_below(rng, max);
}

static void do_write(struct sim *s, struct conn *c, unsigned side)
{
	struct end *e = &c->end[side];
	uint8_t     buf[9000];

	while (e->tx < e->tx_len) {
		uint32_t n = 1 + test_random_below(&c->rng, sizeof(buf));
		ssize_t  r;

		if (n > e->tx_len - e->tx)
			n = e->tx_len - e->tx;
		for (uint32_t i = 0; i < n; i++)
			buf[i] = side == 0 && e->tx + i < HEADER ? e->hdr[e->tx + i] : stream_byte(c->id, side, e->tx + i);
		r = ns_send(e->sock, buf, n, MSG_NOSIGNAL);
		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			failed(s, c, "send", (long)r);
			return;
		}
		e->tx += (uint32_t)r;
		s->bytes += (uint64_t)r;
	}
	if (!e->shut) {
		int r = ns_shutdown(e->sock, SHUT_WR);

		if (r)
			failed(s, c, "shutdown", r);
		e->shut = true;
	}
}

static void do_read(struct sim *s, struct conn *c, unsigned side)
{
	struct end *e = &c->end[side];
	uint8_t     buf[9000], want;

	while (!e->eof) {
		ssize_t r = ns_recv(e->sock, buf, 1 + test_random_below(&c->rng, sizeof(buf)), 0);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			failed(s, c, "recv", (long)r);
			return;
		}
		if (r == 0) {
			if (e->rx != e->rx_len)
				failed(s, c, "the stream ended early", e->rx);
			e->eof = true;
			return;
		}
		if ((size_t)r > e->rx_len - e->rx) {
			failed(s, c, "more bytes than were sent", (long)r);
			return;
		}
		for (ssize_t i = 0; i < r; i++, e->rx++) {
			want = side == 1 && e->rx < HEADER ? c->end[0].hdr[e->rx] : stream_byte(c->id, !side, e->rx);
			if (buf[i] != want) {
				failed(s, c, "a wrong byte at offset", e->rx);
				return;
			}
		}
	}
}

static void drive(struct sim *s, struct conn *c, unsigned side)
{
	struct end *e = &c->end[side];

	if (!e->sock || *s->error)
		return;
	do_read(s, c, side);
	if (!*s->error)
		do_write(s, c, side);
	if (e->eof && e->shut && !*s->error) {
		ns_close(e->sock);
		e->sock = NULL;
		e->closed = true;
		if (c->end[0].closed && c->end[1].closed) {
			c->done = true;
			s->done++;
			s->running--;
		}
	}
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

static void start_one(struct sim *s)
{
	struct conn       *c = &s->conn[s->started];
	struct sim_host   *h = s->client[s->started % s->opt->clients];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	unsigned           cpu = test_random_below(&s->net.rng, s->ncpu);
	int                r;

	c->id = s->started++;
	c->rng = test_random(&s->net.rng);
	c->started = s->net.now;
	c->end[0].tx_len = HEADER + stream_length(s, &c->rng);
	c->end[1].tx_len = stream_length(s, &c->rng);
	c->end[0].rx_len = c->end[1].tx_len;
	c->end[1].rx_len = c->end[0].tx_len;
	header(c, c->end[0].hdr);
	s->running++;
	to.sin_addr.s_addr = inet_addr("10.0.0.2");
	host_run(h->host, s->net.now);
	r = ns_socket(host_touch(h->host, cpu), AF_INET, SOCK_STREAM, 0, &c->end[0].sock);
	if (r) {
		failed(s, c, "socket", r);
		return;
	}
	ns_set_cookie(c->end[0].sock, (uint64_t)c->id * 2 + 1, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	r = ns_connect(c->end[0].sock, (struct sockaddr *)&to, sizeof(to));
	if (r && r != -EINPROGRESS)
		failed(s, c, "connect", r);
}

static void do_pending(struct sim *s, struct pending **pp)
{
	struct pending *p = *pp;
	struct conn    *c;
	unsigned        id;

	while (p->got < HEADER) {
		ssize_t r = ns_recv(p->sock, p->hdr + p->got, HEADER - p->got, 0);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			failed(s, NULL, "reading the header of an accepted connection", (long)r);
			return;
		}
		p->got += (uint32_t)r;
	}
	id = get_be32(p->hdr + 4);
	if (memcmp(p->hdr, "nsim", 4) != 0 || id >= s->started || memcmp(p->hdr, s->conn[id].end[0].hdr, HEADER) != 0 || s->conn[id].end[1].sock) {
		failed(s, NULL, "the header of an accepted connection is wrong", id);
		return;
	}
	c = &s->conn[id];
	c->end[1].sock = p->sock;
	c->end[1].rx = HEADER;
	ns_set_cookie(p->sock, (uint64_t)id * 2 + 2, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	*pp = p->next;
	free(p);
	drive(s, c, 1);
}

static void on_wake(void *arg, struct sim_host *h, unsigned cpu, uint64_t cookie, uint32_t events)
{
	struct sim *s = arg;

	(void)events;
	(void)cpu;
	(void)h;
	if (*s->error)
		return;
	if (cookie & LISTENER) {
		struct socket *l = (struct socket *)(uintptr_t)(cookie & ~LISTENER), *sock;
		int            r;

		while ((r = ns_accept(l, &sock, NULL, NULL)) == 0) {
			struct pending *p = calloc(1, sizeof(*p));

			if (!p)
				abort();
			p->sock = sock;
			p->id = ++s->pending_id;
			p->next = s->pending;
			s->pending = p;
			ns_set_cookie(sock, UNASSIGNED | p->id, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
			do_pending(s, &s->pending);
		}
		if (r != -EAGAIN)
			failed(s, NULL, "accept", r);
	} else if (cookie & UNASSIGNED) {
		for (struct pending **pp = &s->pending; *pp; pp = &(*pp)->next)
			if ((*pp)->id == (cookie & ~UNASSIGNED)) {
				do_pending(s, pp);
				break;
			}
	} else {
		drive(s, &s->conn[(cookie - 1) / 2], (cookie - 1) & 1);
	}
}

/* ---- a run -------------------------------------------------------------------------------------------------------------------- */

/* A VLAN on the host's link, with the address. */
static void vlan(struct sim_host *h, const char *addr)
{
	struct link_conf l = { .name = "v10", .type = LINK_VLAN, .flags = NS_IFF_UP, .link = h->port[0].ifindex, .vlan_id = 10 };
	struct addr_conf a = { .local = { ipaddr_v4(inet_addr(addr)), 24 } };

	if (netcfg_link_add(h->host->cfg, &l, 1, &a.ifindex, NULL) || netcfg_addr_add(h->host->cfg, &a, false, NULL))
		abort();
	host_apply(h->host);
}

static void port(struct netcfg *cfg, int ifindex, const char *bridge)
{
	struct link_conf l = *netcfg_link_by_index(cfg, ifindex);

	l.master = netcfg_link_by_name(cfg, bridge)->ifindex;
	if (netcfg_link_set(cfg, &l, NULL))
		abort();
}

/*
 * Everybody in one VLAN, across two bridges that a veth joins:
 *	client -- VLAN 10, wire -- br0 -- veth -- br1 -- wire, VLAN 10 -- server
 */
static void switched(struct sim *s)
{
	struct link_conf  veth = { .name = "veth0", .flags = NS_IFF_UP }, peer = { .name = "veth1", .flags = NS_IFF_UP };
	struct link_conf  br = { .type = LINK_BRIDGE, .flags = NS_IFF_UP };
	struct sim_host  *sw = net_add_host(&s->net, "switch", s->ncpu);
	struct netcfg    *cfg = sw->host->cfg;
	const struct options *o = s->opt;
	int               a, b;

	for (int i = 0; i < 2; i++) {
		snprintf(br.name, sizeof(br.name), "br%d", i);
		if (netcfg_link_add(cfg, &br, 1, NULL, NULL))
			abort();
	}
	if (netcfg_veth_add(cfg, &veth, &peer, 1, &a, &b, NULL))
		abort();
	port(cfg, a, "br0");
	port(cfg, b, "br1");
	for (unsigned i = 0; i <= o->clients; i++) {
		struct sim_host *h = i < o->clients ? s->client[i] : s->server;
		char             addr[24];

		net_join(&s->net, h, NULL, sw, NULL, o->mtu, &o->model);
		port(cfg, sw->port[i].ifindex, h == s->server ? "br1" : "br0");
		snprintf(addr, sizeof(addr), "10.0.0.%u", h == s->server ? 2 : 10 + i);
		vlan(h, addr);
	}
	host_apply(sw->host);
}

static void topology(struct sim *s)
{
	const struct options *o = s->opt;
	struct netcfg_err     err;
	char                  a[24], b[24];
	static const char    *names[] = { "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7" };

	s->server = net_add_host(&s->net, "server", s->ncpu);
	for (unsigned i = 0; i < o->clients; i++)
		s->client[i] = net_add_host(&s->net, names[i], s->ncpu);
	/* Both ends close with data still under way. By default such a connection is given up after eight retransmissions, a SYN after six and its answer
	 * after five: of ten thousand connections on a queue that drops every fourth frame, a few have that bad luck. */
	for (unsigned i = 0; i < s->net.nhosts; i++)
		if (netcfg_sysctl_set(s->net.host[i].host->cfg, "net.ipv4.tcp_orphan_retries", "15", &err) ||
		    netcfg_sysctl_set(s->net.host[i].host->cfg, "net.ipv4.tcp_syn_retries", "15", &err) ||
		    netcfg_sysctl_set(s->net.host[i].host->cfg, "net.ipv4.tcp_synack_retries", "15", &err))
			abort();
	if (o->bridge) {
		switched(s);
		return;
	}
	if (!o->router) {
		net_join(&s->net, s->server, "10.0.0.2/24", s->client[0], "10.0.0.1/24", o->mtu, &o->model);
		return;
	}
	struct sim_host *r = net_add_host(&s->net, "router", s->ncpu);

	net_join(&s->net, s->server, "10.0.0.2/24", r, "10.0.0.1/24", o->mtu, &o->model);
	for (unsigned i = 0; i <= o->clients; i++) {
		struct sim_host  *h = i < o->clients ? s->client[i] : s->server;
		struct route_conf rt = { .protocol = RTPROT_STATIC, .dst = { .addr = { .family = AF_INET } } };

		snprintf(a, sizeof(a), "10.0.%u.2/24", i + 1);
		snprintf(b, sizeof(b), "10.0.%u.1/24", i + 1);
		if (h != s->server)
			/* the first client's link takes larger packets than the server's: path MTU discovery has work */
			net_join(&s->net, h, a, r, b, i == 0 && o->mtu <= 1500 ? 1500 : o->mtu, &o->model);
		snprintf(b, sizeof(b), "10.0.%u.1", h == s->server ? 0 : i + 1);
		rt.gateway = ipaddr_v4(inet_addr(b));
		if (netcfg_route_add(h->host->cfg, &rt, false, &err)) {
			fprintf(stderr, "route: %s\n", err.text);
			abort();
		}
		host_apply(h->host);
	}
	if (netcfg_sysctl_set(r->host->cfg, "net.ipv4.ip_forward", "1", &err))
		abort();
	host_apply(r->host);
}

static void listeners(struct sim *s, struct socket **l)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	for (unsigned i = 0; i < s->ncpu; i++)
		if (ns_socket(host_touch(s->server->host, i), AF_INET, SOCK_STREAM, 0, &l[i]) || ns_bind(l[i], (struct sockaddr *)&any, sizeof(any)) ||
		    ns_listen(l[i], 4096))
			failed(s, NULL, "listen", 0);
		else
			ns_set_cookie(l[i], LISTENER | (uint64_t)(uintptr_t)l[i], EPOLLIN);
}

static void stalled(struct sim *s)
{
	for (unsigned i = 0; i < s->started; i++)
		if (!s->conn[i].done && s->net.now - s->conn[i].started > (ktime_t)(s->opt->limit * 1e9))
			failed(s, &s->conn[i], "not finished after simulated seconds", (long)((s->net.now - s->conn[i].started) / NSEC_PER_SEC));
}

static int count_sock(void *arg, const struct sock_info *info)
{
	struct sim *s = arg;

	if (info->state != 10 /* TCP_LISTEN */)
		failed(s, NULL, "an hour later a socket is left in state", info->state);
	return 0;
}

/* What a failed run leaves behind. */
static int show_sock(void *arg, const struct sock_info *info)
{
	const struct host_shard *sh = arg;

	if (info->state != 10)
		printf("#   %s/%u port %u peer %u state %u recvq %u sendq %u timer %u in %.3f s, %u retransmits; the shard is due in %.3f s\n", sh->host->name, sh->cpu,
		       info->lport, info->rport, info->state, info->recvq, info->sendq, info->timer, (double)info->expires / 1e9, info->retrans,
		       sh->next == KTIME_MAX ? -1.0 : (double)(sh->next - sh->host->now) / 1e9);
	return 0;
}

static void leftovers(struct sim *s)
{
	const char *idle;

	while (!*s->error && net_step(&s->net, s->net.now))
		;
	for (ktime_t end = s->net.now + 3600 * NSEC_PER_SEC; !*s->error && net_step(&s->net, end);)
		;
	for (unsigned i = 0; i < s->net.nhosts && !*s->error; i++) {
		for (unsigned k = 0; k < s->ncpu; k++)
			stack_sock_foreach(s->net.host[i].host->shard[k].stack, count_sock, s);
		idle = host_idle_error(s->net.host[i].host);
		if (idle && !*s->error)
			snprintf(s->error, sizeof(s->error), "an hour later: %s", idle);
	}
}

static uint64_t sum(struct sim *s, enum net_mib m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->net.nhosts; i++)
		n += host_mib(s->net.host[i].host, m);
	return n;
}

/* Segments that GRO put behind others, on all hosts. */
static uint64_t merged(const struct sim *s)
{
	struct gro_stats st;
	uint64_t n = 0;

	for (unsigned i = 0; i < s->net.nhosts; i++)
		for (unsigned p = 0; p < s->net.host[i].nlinks; p++)
			for (unsigned k = 0; k < s->ncpu; k++)
				if (stack_gro_stats(s->net.host[i].host->shard[k].stack, s->net.host[i].port[p].ifindex, &st) == 0)
					n += st.merged;
	return n;
}

/* Another way for forwarded flows on some link of some host, and another memory of flows there. */
static void change_steering(struct sim *s)
{
	struct sim_host  *h = &s->net.host[test_random_below(&s->net.rng, s->net.nhosts)];
	struct link_conf  link = *netcfg_link_by_index(h->host->cfg, h->port[test_random_below(&s->net.rng, h->nlinks)].ifindex);
	uint32_t          kind = test_random_below(&s->net.rng, 3);
	struct netcfg_err err;

	link.rps_set = kind == 0;
	link.rps_cpus = test_random_below(&s->net.rng, 1u << s->ncpu);
	link.rss.set = kind == 1;
	for (unsigned i = 0; i < RSS_KEY_LEN; i++)
		link.rss.key[i] = (uint8_t)test_random_below(&s->net.rng, 256);
	for (unsigned i = 0; i < RSS_INDIR_LEN; i++)
		link.rss.indir[i] = (uint8_t)test_random_below(&s->net.rng, s->ncpu);
	link.rps_flow_cnt = test_random_below(&s->net.rng, 2) * 512;
	if (netcfg_link_set(h->host->cfg, &link, &err) ||
	    netcfg_sysctl_set(h->host->cfg, "net.core.rps_sock_flow_entries", test_random_below(&s->net.rng, 2) ? "1024" : "0", &err))
		abort();
	host_apply(h->host);
}

static bool run(const struct options *opt, unsigned ncpu, unsigned nr, uint64_t *ret_digest)
{
	struct sim            s = { .opt = opt, .ncpu = ncpu };
	struct socket        *l[HOST_MAX_CPUS] = { NULL };
	struct link_stats_sim st = { 0 };
	struct timespec       t0, t1;
	ktime_t               finished, check = 0, next_start, next_change = opt->steer ? 0 : KTIME_MAX;
	uint64_t              bad, steered = 0;
	bool                  ok;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	net_init(&s.net, opt->seed);
	s.net.wake = on_wake;
	s.net.arg = &s;
	s.net.trace = opt->trace ? stderr : NULL;
	s.net.digesting = opt->twice;
	s.conn = calloc(opt->connections, sizeof(*s.conn));
	if (!s.conn)
		abort();
	topology(&s);
	listeners(&s, l);
	next_start = s.net.now;
	while (!*s.error && s.done < opt->connections) {
		bool    more = s.started < opt->connections && s.running < opt->parallel;
		ktime_t until = s.net.now + 3600 * NSEC_PER_SEC;

		if (more && next_start <= s.net.now) {
			start_one(&s);
			next_start = s.net.now + (opt->pace ? (ktime_t)(test_random(&s.net.rng) % (uint64_t)(2 * opt->pace)) : 0);
			continue;
		}
		if (more)
			until = next_start;
		if (s.net.now >= next_change) {
			change_steering(&s);
			next_change = s.net.now + (1 + test_random_below(&s.net.rng, 20)) * NSEC_PER_MSEC;
		}
		if (until > next_change)
			until = next_change;
		if ((!net_step(&s.net, until) && !more && !opt->steer) || s.net.now > check) {
			stalled(&s);
			check = s.net.now + 10 * NSEC_PER_SEC;
		}
	}
	finished = s.net.now;
	leftovers(&s);
	for (unsigned i = 0; i < s.net.nlinks; i++) {
		const struct link_stats_sim *a = &s.net.link[i].stats;

		st.sent += a->sent, st.lost += a->lost, st.queue_full += a->queue_full, st.dup += a->dup, st.reordered += a->reordered, st.corrupted += a->corrupted;
	}
	bad = sum(&s, MIB_Tcp_InCsumErrors) + sum(&s, MIB_IpExt_InCsumErrors) + sum(&s, MIB_Icmp_InCsumErrors) + sum(&s, MIB_Ip_InHdrErrors);
	if (!*s.error && st.corrupted > 100 && bad < st.corrupted / 4)
		snprintf(s.error, sizeof(s.error), "%llu frames were damaged, but checksums found only %llu", (unsigned long long)st.corrupted, (unsigned long long)bad);
	if (!*s.error && st.lost + st.queue_full + st.dup + st.reordered + st.corrupted == 0 && sum(&s, MIB_Tcp_RetransSegs))
		snprintf(s.error, sizeof(s.error), "on a perfect wire %llu segments were sent again", (unsigned long long)sum(&s, MIB_Tcp_RetransSegs));
	for (unsigned i = 0; i < s.net.nhosts; i++)
		steered += s.net.host[i].host->steered;
	if (!*s.error && ncpu > 1 && steered == 0)
		snprintf(s.error, sizeof(s.error), "no frame went from shard to shard");
	ok = !*s.error;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%s %u - %u shard%s: %u of %u connections, %.1f MB, %llu frames, %.0f simulated s, %.1f s\n", ok ? "ok" : "not ok", nr, ncpu, ncpu > 1 ? "s" : "", s.done,
	       opt->connections, (double)s.bytes / 1e6, (unsigned long long)st.sent, (double)(finished - NSEC_PER_SEC) / 1e9,
	       (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
	printf("# lost %llu, queue full %llu, doubled %llu, overtaken %llu, damaged %llu (found by checksums %llu), steered %llu, merged %llu\n", (unsigned long long)st.lost,
	       (unsigned long long)st.queue_full, (unsigned long long)st.dup, (unsigned long long)st.reordered, (unsigned long long)st.corrupted,
	       (unsigned long long)bad, (unsigned long long)steered, (unsigned long long)merged(&s));
	printf("# retransmitted %llu, timeouts %llu, fast %llu, loss probes %llu\n", (unsigned long long)sum(&s, MIB_Tcp_RetransSegs),
	       (unsigned long long)sum(&s, MIB_TcpExt_TCPTimeouts), (unsigned long long)sum(&s, MIB_TcpExt_TCPFastRetrans),
	       (unsigned long long)sum(&s, MIB_TcpExt_TCPLossProbes));
	if (!ok) {
		printf("# %s\n", s.error);
		for (unsigned i = 0; i < s.net.nhosts; i++)
			for (unsigned k = 0; k < ncpu; k++) {
				struct host_shard *sh = &s.net.host[i].host->shard[k];

				stack_sock_foreach(sh->stack, show_sock, sh);
			}
	}
	if (opt->verbose)
		for (int r = 1; r < SKB_DROP_MAX; r++) {
			uint64_t n = 0;

			for (unsigned i = 0; i < s.net.nhosts; i++)
				n += host_drops(s.net.host[i].host, (enum skb_drop_reason)r);
			if (n)
				printf("# drop %s %llu\n", skb_drop_reason_name((enum skb_drop_reason)r), (unsigned long long)n);
		}
	fflush(stdout);
	for (unsigned i = 0; i < opt->connections; i++)
		for (unsigned k = 0; k < 2; k++)
			if (s.conn[i].end[k].sock)
				ns_close(s.conn[i].end[k].sock);
	for (struct pending *p = s.pending, *n; p; p = n) {
		n = p->next;
		ns_close(p->sock);
		free(p);
	}
	for (unsigned i = 0; i < ncpu; i++)
		if (l[i])
			ns_close(l[i]);
	*ret_digest = s.net.digest;
	net_free(&s.net);
	free(s.conn);
	return ok;
}

static void usage(void)
{
	puts("sim [--seed N] [--pace MS] [--shards 1,2,8] [--connections N] [--parallel N] [--clients N] [--router | --bridge] [--steer] [--mtu N] [--loss P] [--reorder P] [--dup P] [--corrupt P] [--swap P]\n"
	     "    [--delay MS] [--jitter MS] [--rate MBIT] [--queue FRAMES] [--max-bytes N] [--limit SECONDS] [--twice] [--trace] [--verbose]\n"
	     "--twice: each run once more, and every frame that is sent must be the same, at the same time.\n"
	     "P is a probability in percent, of each frame on each link. One client without --router or --bridge, up to eight with them. --bridge: VLANs across two bridges joined by a veth. --steer: steering changes all the time.");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' }, { "shards", 1, NULL, 'n' }, { "connections", 1, NULL, 'c' }, { "parallel", 1, NULL, 'p' }, { "clients", 1, NULL, 'C' },
		{ "router", 0, NULL, 'R' }, { "bridge", 0, NULL, 'B' }, { "steer", 0, NULL, 'S' }, { "mtu", 1, NULL, 'm' }, { "loss", 1, NULL, 'l' }, { "reorder", 1, NULL, 'r' }, { "dup", 1, NULL, 'd' },
		{ "corrupt", 1, NULL, 'x' }, { "swap", 1, NULL, 'w' }, { "delay", 1, NULL, 'D' }, { "jitter", 1, NULL, 'J' }, { "rate", 1, NULL, 'b' }, { "queue", 1, NULL, 'q' },
		{ "max-bytes", 1, NULL, 'M' }, { "limit", 1, NULL, 'L' }, { "pace", 1, NULL, 'P' }, { "twice", 0, NULL, '2' }, { "trace", 0, NULL, 'T' }, { "verbose", 0, NULL, 'v' }, { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options opt = { .connections = 1000, .parallel = 200, .clients = 1, .max_bytes = 300000, .mtu = 1500, .limit = 900, .pace = 2 * NSEC_PER_MSEC,
			       .model = { .delay = 10 * NSEC_PER_MSEC, .jitter = 2 * NSEC_PER_MSEC, .loss = 0.02, .reorder = 0.05, .dup = 0.01, .corrupt = 0.01,
					  .bits_per_sec = 1000000000, .queue = 2000 } };
	const char    *shards = "1,2,8";
	unsigned       n = 0, bad = 0, total = 1;
	uint64_t       digest[2];
	int            o;

	opt.seed = 0;
	while ((o = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		switch (o) {
		case 's': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'n': shards = optarg; break;
		case 'c': opt.connections = (unsigned)atoi(optarg); break;
		case 'p': opt.parallel = (unsigned)atoi(optarg); break;
		case 'C': opt.clients = (unsigned)atoi(optarg); break;
		case 'R': opt.router = true; break;
		case 'B': opt.bridge = true; break;
		case 'S': opt.steer = true; break;
		case 'm': opt.mtu = (uint32_t)atoi(optarg); break;
		case 'l': opt.model.loss = atof(optarg) / 100; break;
		case 'r': opt.model.reorder = atof(optarg) / 100; break;
		case 'd': opt.model.dup = atof(optarg) / 100; break;
		case 'x': opt.model.corrupt = atof(optarg) / 100; break;
		case 'w': opt.model.swap = atof(optarg) / 100; break;
		case 'D': opt.model.delay = (ktime_t)(atof(optarg) * 1e6); break;
		case 'J': opt.model.jitter = (ktime_t)(atof(optarg) * 1e6); break;
		case 'b': opt.model.bits_per_sec = (uint64_t)(atof(optarg) * 1e6); break;
		case 'q': opt.model.queue = (unsigned)atoi(optarg); break;
		case 'M': opt.max_bytes = (unsigned)atoi(optarg); break;
		case 'L': opt.limit = atof(optarg); break;
		case 'P': opt.pace = (ktime_t)(atof(optarg) * 1e6); break;
		case '2': opt.twice = true; break;
		case 'T': opt.trace = true; break;
		case 'v': opt.verbose = true; break;
		default: usage(); return o == 'h' ? 0 : 2;
		}
	if (opt.connections == 0 || opt.clients == 0 || opt.clients > 8 || opt.max_bytes == 0 || (!opt.router && !opt.bridge && opt.clients != 1) || (opt.router && opt.bridge)) {
		usage();
		return 2;
	}
	if (opt.seed == 0)
		opt.seed = test_seed("sim", 1);
	for (const char *p = shards; *p; p++)
		total += *p == ',';
	printf("1..%u\n# --seed %llu\n", opt.twice ? total * 3 : total, (unsigned long long)opt.seed);
	for (const char *p = shards; *p;) {
		char *end;
		long  ncpu = strtol(p, &end, 10);

		if (ncpu < 1 || ncpu > HOST_MAX_CPUS || end == p) {
			usage();
			return 2;
		}
		bad += !run(&opt, (unsigned)ncpu, ++n, &digest[0]);
		if (opt.twice) {
			bad += !run(&opt, (unsigned)ncpu, ++n, &digest[1]);
			n++;
			printf("%s %u - %ld shard%s: the same seed gives the same frames\n", digest[0] == digest[1] ? "ok" : "not ok", n, ncpu, ncpu > 1 ? "s" : "");
			bad += digest[0] != digest[1];
		}
		p = *end == ',' ? end + 1 : end;
	}
	return bad != 0;
}
