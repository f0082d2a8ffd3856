/* SPDX-License-Identifier: MIT */
/*
 * tcp.h: what the files of TCP share. RFC 9293 and, by file:
 *
 *   tcp.c            the calls of the socket layer that change the state: connect, listen, accept, shutdown, close; life of a connection
 *   tcp_ipv4.c       segments and ICMP errors from IP: checks, demultiplexing, replies without a connection
 *   tcp_input.c      RFC 9293 section 3.10.7: the arriving segment, step by step, and the header prediction in front of it
 *   tcp_data.c       steps 6 to 8: urgent pointer, text (queues, out-of-order tree, SACK to send), FIN; receive buffer and its autotuning
 *   tcp_ofo.c        the out-of-order tree and the SACK blocks to send
 *   tcp_ack.c        step 5: the acknowledgement: cleaning the send queue, RTT, window, recovery (RFC 5681, 6582, 6675, 6937), undo
 *   tcp_sack.c       the scoreboard: tagging the send queue from SACK blocks (RFC 2018, 2883), finding losses (RFC 6675)
 *   tcp_output.c     building and sending segments; what may be sent when (Nagle, windows); probes; RST
 *   tcp_timer.c      RTO (RFC 6298), zero-window probes, delayed ACK, keepalive, giving up (RFC 1122 4.2.3.5)
 *   tcp_minisocks.c  half-open connections and TIME-WAIT as small objects
 *   tcp_options.c    options of the header
 *   tcp_send.c, tcp_recv.c  the byte stream from and to the application
 *   tcp_sockopt.c, tcp_info.c, tcp_cong.c, tcp_cubic.c, tcp_rate.c
 *
 * Units. Everything that counts data in flight, windows and cwnd counts bytes of sequence space: segment boundaries may change (path MTU, splitting for
 * SACK) and nothing has to be recounted. Sequence numbers are host order and are compared with before()/after() only. Times are ktime_t (ns) unless the
 * name ends in _us (microseconds) or they are timestamp-option ticks (milliseconds).
 *
 * Send queue. wq holds segments in sequence order: [snd_una, snd_nxt) has been sent at least once, from send_head on nothing has. A segment's payload is
 * linear in an area that no other queued segment uses (or behind that area, in fragments of areas that nobody writes: tcp_send_area), so that a clone may push headers in front of it (skb_header_release); while a former clone still
 * holds the area - a queue below, or the receiver on this very host - the next clone gets a head of its own.
 */
#ifndef STACK_TCP_H
#define STACK_TCP_H

#include "sock.h"
#include "wire/wire.h"
#include <linux/tcp.h> /* struct tcp_info, enum tcp_ca_state, option numbers, TCP_MSS_DEFAULT (536) */

#define tcp_hdr_of(skb) ((struct tcp_hdr *)(void *)skb_transport_header(skb))

static inline bool before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool after(uint32_t a, uint32_t b) { return before(b, a); }
/* lo <= x <= hi */
static inline bool seq_between(uint32_t x, uint32_t lo, uint32_t hi) { return hi - lo >= x - lo; }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return before(a, b) ? b : a; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return before(a, b) ? a : b; }
static inline uint32_t u32_min(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t u32_max(uint32_t a, uint32_t b) { return a > b ? a : b; }

#define tcp_likely(x)   __builtin_expect(!!(x), 1)
#define tcp_unlikely(x) __builtin_expect(!!(x), 0)

/* Times and limits; where Linux and the RFCs leave a choice, Linux's. */
#define TCP_TIMEOUT_INIT   (1 * NSEC_PER_SEC) /* RFC 6298 2.1 */
#define TCP_RTO_MIN        (200 * NSEC_PER_MSEC)
#define TCP_RTO_MAX        (120 * NSEC_PER_SEC)
#define TCP_TIMEWAIT_LEN   (60 * NSEC_PER_SEC) /* 2 MSL */
#define TCP_DELACK_MIN     (40 * NSEC_PER_MSEC)
#define TCP_DELACK_MAX     (200 * NSEC_PER_MSEC)
#define TCP_PAWS_24DAYS_MS (UINT32_C(60) * 60 * 24 * 24 * 1000)
#define TCP_MAX_QUICKACKS  16u
#define TCP_INIT_CWND      10u /* RFC 6928, segments */
#define TCP_SNDBUF_SEG(mss) ((mss) + 1300u) /* what a full segment takes of the send buffer, bytes, with some to spare */
#define TCP_MIN_MSS        48u
#define TCP_MAX_WSCALE     14u
#define TCP_MAX_GSO_BYTES  65160u /* payload of one GSO segment: with headers it stays under 64 KiB */
#define TCP_ACK_STRETCH    65536u /* bytes that one acknowledgement at the end of a batch may cover */
#define TCP_NUM_SACKS      4
#define TCP_INFINITE_SSTHRESH UINT32_C(0x7fffffff)
#define TCP_MAX_OPTLEN     40u
#define TCP_MAX_HLEN       60u

struct tcp_sack_block { uint32_t start, end; };

/* skb->cb of a segment, sent or received */
#define TCPCB_SACKED_ACKED   0x01 /* the peer has it */
#define TCPCB_SACKED_RETRANS 0x02 /* a retransmission is under way */
#define TCPCB_LOST           0x04
#define TCPCB_EVER_RETRANS   0x80
struct tcp_skb_cb {
	uint32_t seq, end_seq; /* SYN and FIN counted */
	uint8_t  flags; /* TCPHDR_* */
	uint8_t  sacked; /* TCPCB_*, sent segments */
	bool     csum_valid; /* tx.csum holds the sum of the payload */
	union {
		struct {
			uint32_t csum;
			uint16_t sack_segs; /* segments it stood for when it was sacked */
			uint32_t retx_mark; /* snd_nxt when it was last retransmitted: what is sacked above it was sent later */
			uint64_t delivered; /* tcp_rate.c: at the time of sending */
			ktime_t  delivered_at, first_tx;
			bool     app_limited;
		} tx;
		struct {
			uint32_t ack_seq, prio; /* prio: of the out-of-order treap */
			uint32_t tsval, tsecr;
			uint16_t urg_ptr;
			uint32_t window; /* as in the header, not scaled */
		} rx;
	};
};
_Static_assert(sizeof(struct tcp_skb_cb) <= sizeof(((struct sk_buff *)0)->cb), "fits");
#define TCP_SKB_CB(skb) ((struct tcp_skb_cb *)(void *)(skb)->cb)

/* What the options of a segment say. */
struct tcp_options {
	uint32_t tsval, tsecr;
	uint16_t mss; /* 0: not there */
	uint8_t  wscale; /* at most 14 */
	uint8_t  nsacks;
	bool     saw_ts, saw_wscale, sack_perm;
	struct tcp_sack_block sacks[TCP_NUM_SACKS];
};

struct tcp_sock;

/* Congestion control, RFC 5681 and its kin. All but name and ssthresh, cong_avoid, undo may be NULL. Bytes everywhere. */
struct tcp_cong_ops {
	const char *name;
	void     (*init)(struct tcp_sock *tp); /* ca_priv is zero */
	uint32_t (*ssthresh)(struct tcp_sock *tp); /* new ssthresh on loss */
	void     (*cong_avoid)(struct tcp_sock *tp, uint32_t acked); /* acked bytes, and cwnd was in use */
	uint32_t (*undo_cwnd)(struct tcp_sock *tp); /* the loss was none: cwnd to go back to */
	void     (*pkts_acked)(struct tcp_sock *tp, int64_t rtt_us); /* an RTT sample */
	void     (*set_state)(struct tcp_sock *tp, enum tcp_ca_state to);
	void     (*tx_start)(struct tcp_sock *tp); /* first transmission after the network was empty */
};

enum tcp_timer_kind { TCP_TIMER_NONE, TCP_TIMER_RETRANS, TCP_TIMER_PROBE0 };

/* When an ACK is owed. */
#define TCP_ACK_SCHED 0x01 /* one is owed */
#define TCP_ACK_TIMER 0x02 /* the delayed-ACK timer runs */
#define TCP_ACK_NOW   0x04 /* owed at once, or at the end of the batch */
#define TCP_ACK_PUSHED 0x08 /* small data with PSH: answer soon after it has been read */

#define TCP_NAGLE_OFF  1
#define TCP_NAGLE_CORK 2
#define TCP_NAGLE_PUSH 4 /* once, in spite of both */

#define TCP_URG_VALID  0x0100
#define TCP_URG_NOTYET 0x0200
#define TCP_URG_READ   0x0400

struct tcp_listen { /* a listener's own */
	struct list_head reqs; /* struct tcp_req, oldest first */
	uint32_t         nreqs;
	struct list_head accept_queue; /* struct tcp_sock by accept_node */
	uint32_t         naccept, backlog;
};

struct tcp_sock {
	struct sock         sk; /* first */

	/* receive */
	uint32_t            rcv_nxt; /* next expected */
	uint32_t            copied_seq; /* next that the application reads */
	uint32_t            rcv_wup; /* rcv_nxt when the last ACK went out */
	uint32_t            rcv_wnd; /* window offered then */
	uint32_t            rcv_ssthresh; /* what of the buffer may be offered now: grows with evidence of full segments */
	uint32_t            window_clamp;
	uint32_t            rcv_mss; /* estimate of the peer's segments */
	uint16_t            advmss; /* what we said in our SYN */
	uint16_t            rcv_ratio; /* payload bytes per 256 bytes of truesize */
	/* send */
	uint32_t            snd_una, snd_nxt, write_seq;
	uint32_t            snd_wnd, snd_wl1, max_window;
	uint32_t            pushed_seq, snd_sml; /* end of the last marked PSH; of the last small segment sent (Minshall) */
	uint32_t            mss; /* payload bytes of a full segment, timestamps taken off */
	uint32_t            mss_clamp; /* the peer's MSS option */
	uint32_t            user_mss; /* TCP_MAXSEG; 0: none */
	uint32_t            pmtu; /* that mss was made from */
	uint32_t            gso_bytes; /* largest skb to build; mss without TSO */
	struct sk_buff_head wq;
	struct sk_buff     *send_head; /* first never sent; NULL: everything was */

	/* negotiated */
	uint8_t             snd_wscale, rcv_wscale;
	bool                wscale_ok, tstamp_ok, sack_ok;

	/* scoreboard, in bytes */
	uint32_t            sacked_out, lost_out, retrans_out;
	uint32_t            sacked_segs; /* sacked_out in segments */
	uint32_t            highest_sack; /* end of the highest sacked; valid while sacked_out and sack_ok */
	struct sk_buff     *sack_hint; /* near the last tagged; NULL: none */
	struct sk_buff     *lost_hint; /* first that is not known to be lost */
	uint32_t            lost_hint_sacked; /* sacked segments in front of it */
	struct sk_buff     *retx_hint; /* first that may have to be retransmitted */
	uint32_t            lost_retrans_low; /* no retransmission in flight has a lower retx_mark */
	struct tcp_sack_block sack_cache[TCP_NUM_SACKS]; /* as last received */
	uint32_t            reordering; /* segments */
	uint32_t            reord_seen;
	uint8_t             dupacks; /* without SACK; and in Disorder */

	/* congestion */
	uint8_t             ca_state;
	const struct tcp_cong_ops *ca;
	uint32_t            cwnd, ssthresh; /* bytes */
	uint32_t            cwnd_used, cwnd_used_seq, cwnd_cnt; /* most in flight in this window, and its end; bytes acked towards the next step */
	ktime_t             cwnd_stamp;
	bool                cwnd_limited;
	uint32_t            high_seq; /* recovery point */
	uint32_t            prior_cwnd, prior_ssthresh;
	uint32_t            undo_marker; /* snd_una when it began; 0: nothing to undo */
	int32_t             undo_retrans; /* retransmissions not yet DSACKed, segments; -1: cannot tell */
	uint32_t            prr_delivered, prr_out;
	uint64_t            ca_priv[13];

	/* timers */
	struct timer        rtx_timer, delack_timer, keep_timer;
	ktime_t             rtx_deadline; /* the timer may fire earlier and is moved then */
	ktime_t             delack_deadline;
	uint8_t             rtx_kind; /* enum tcp_timer_kind */
	uint8_t             retransmits, backoff, probes_out; /* unanswered: RTOs, doublings, window probes */
	uint8_t             syn_retries, keep_probes_out;
	ktime_t             rto;
	uint32_t            srtt_us, rttvar_us; /* 8 and 4 times: RFC 6298 without losing fractions */
	uint32_t            min_rtt_us;
	ktime_t             min_rtt_at;
	uint32_t            retrans_stamp; /* timestamp tick of the first retransmission of this episode; 0: none */
	ktime_t             retrans_since; /* time of the first timeout in a row: user timeout */
	ktime_t             probes_since;

	/* acknowledging */
	uint8_t             ack_flags, quick, pingpong;
	struct list_head    ack_node; /* tcp_state.ack_list */
	ktime_t             ato, lrcvtime, last_oow_ack, last_ack_rcv;
	ktime_t             lsndtime; /* last data sent */

	/* timestamps (RFC 7323) */
	uint32_t            ts_recent, ts_off, rcv_tsval, rcv_tsecr;
	ktime_t             ts_recent_at;
	bool                rcv_saw_ts;

	/* out of order, SACK to send */
	struct sk_buff     *ofo_root, *ofo_last; /* treap by seq through prev (left) and next (right) */
	uint32_t            ofo_count, ofo_truesize;
	uint8_t             nsacks; /* to send */
	bool                have_dsack;
	struct tcp_sack_block sack_tx[TCP_NUM_SACKS], dsack;

	/* autotuning of the receive buffer */
	uint32_t            rcvq_space, rcvq_seq;
	ktime_t             rcvq_time, rcv_rtt_time;
	uint32_t            rcv_rtt_us, rcv_rtt_seq; /* 8 times */
	uint32_t            rcv_rtt_last_tsecr;

	/* urgent */
	uint32_t            snd_up, urg_seq;
	uint16_t            urg_data;
	bool                urg_mode;

	/* options of the application */
	uint8_t             nagle, keep_probes;
	int8_t              syn_retries_max; /* 0: sysctl */
	bool                quickack_set;
	uint32_t            keep_time, keep_intvl, defer_accept, user_timeout_ms; /* seconds but the last; 0: sysctl */
	int32_t             linger2; /* ns would not fit: seconds; 0: sysctl, < 0: none */
	uint32_t            notsent_lowat; /* 0: sysctl */
	uint8_t             cong_index;

	/* life */
	struct ehash_entry  eh;
	struct tcp_listen  *listen; /* listener */
	struct list_head    accept_node; /* in the listener's accept_queue */
	struct tcp_sock    *parent; /* while in that queue */
	bool                connecting, orphan_counted, hashed, fin_rcvd, fin_pending /* no memory for it yet */, rescue_done;
	bool                in_place; /* ns_recv_inplace's callback looks at the first segment, which is not in the queue meanwhile */
	uint32_t            rcv_isn, snt_isn;
	ktime_t             snt_synack; /* first SYN or SYN-ACK */

	/* for people: tcp_info */
	uint64_t            bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	uint32_t            segs_in, segs_out, data_segs_in, data_segs_out, total_retrans, dsack_dups, rcv_ooopack;
	uint64_t            delivered; /* bytes */
	uint64_t            app_limited; /* delivered at which the bubble ends; 0: none */
	ktime_t             delivered_at, first_tx;
	uint64_t            rate_delivered;
	uint32_t            rate_interval_us;
	bool                rate_app_limited;
	uint8_t             chrono; /* 0 none, 1 busy, 2 rwnd limited, 3 sndbuf limited */
	ktime_t             chrono_start, chrono_stat[3];
};

static inline struct tcp_sock *tcp_sk(const struct sock *sk) { return (struct tcp_sock *)(void *)(uintptr_t)sk; }
static inline struct stack *tcp_stack(const struct tcp_sock *tp) { return tp->sk.stack; }

/* Small objects of one size, without malloc for each. */
struct tcp_cache { void *free; struct tcp_chunk *chunks; size_t size; uint32_t used; };
void *tcp_cache_get(struct tcp_cache *c); /* not zeroed; NULL: no memory */
void  tcp_cache_put(struct tcp_cache *c, void *obj);
void  tcp_cache_exit(struct tcp_cache *c);

struct tcp_state { /* of a shard */
	struct list_head ack_list; /* tcp_socks that owe an ACK at the end of the batch */
	uint64_t         mem; /* bytes of truesize in all queues of TCP */
	uint32_t         orphans, tw_count, req_count;
	struct { bool valid; uint32_t ts_recent, snd_nxt; ktime_t ts_recent_at; } tw_reused; /* what tcp_tw_reuse took over for the connect under way */
	ktime_t          challenge_start; /* RFC 5961 section 10 */
	uint32_t         challenge_count;
	struct tcp_cache reqs, tws;
	struct list_head tw_list; /* oldest first */
};

/* A half-open connection: SYN-RECEIVED of a passive open. */
struct tcp_req {
	struct ehash_entry eh;
	struct list_head   node; /* tcp_listen.reqs */
	struct tcp_sock   *listener;
	struct timer       timer;
	uint32_t           rcv_isn, snt_isn, ts_recent, ts_off;
	uint32_t           rcv_wnd, window_clamp;
	ktime_t            snt_synack, last_oow_ack;
	uint16_t           mss; /* the peer's, checked */
	uint16_t           advmss;
	uint8_t            snd_wscale, rcv_wscale, timeouts, retrans;
	bool               wscale_ok, tstamp_ok, sack_ok, acked;
};

/* TIME-WAIT, and FIN-WAIT-2 of what nobody holds any more. */
struct tcp_tw {
	struct ehash_entry eh;
	struct stack      *stack;
	struct timer       timer;
	struct list_head   node; /* tcp_state.tw_list */
	uint32_t           rcv_nxt, snd_nxt, rcv_wnd, ts_recent, ts_off;
	ktime_t            ts_recent_at, last_oow_ack;
	uint8_t            substate; /* SS_FIN_WAIT2 or SS_TIME_WAIT */
	uint8_t            rcv_wscale, tos;
	bool               tstamp_ok;
	int                bound_dev_if;
	uint64_t           ino;
	struct inet_tw_port port;
};

/* ---- tcp.c */
void tcp_set_state(struct tcp_sock *tp, enum tcp_sk_state state); /* asserts that the step is legal; counters */
void tcp_done(struct tcp_sock *tp); /* CLOSED: timers, tables; frees an orphan's last reference. tp may be gone unless the caller holds it */
void tcp_reset_rcvd(struct tcp_sock *tp); /* a valid RST came: ECONNREFUSED, EPIPE or ECONNRESET */
void tcp_abort(struct tcp_sock *tp, int err, bool send_rst);
void tcp_init_xfer(struct tcp_sock *tp); /* when a connection becomes established: buffers, cwnd */
uint32_t tcp_secure_seq(const struct stack *stack, const struct ipaddr *l, uint16_t lp, const struct ipaddr *r, uint16_t rp); /* RFC 6528 */
uint32_t tcp_secure_ts_off(const struct stack *stack, const struct ipaddr *l, uint16_t lp, const struct ipaddr *r, uint16_t rp);
void tcp_ehash_add(struct tcp_sock *tp);
void tcp_ehash_del(struct tcp_sock *tp);
void tcp_write_queue_purge(struct tcp_sock *tp);
static inline uint32_t tcp_ts_now(const struct stack *stack) { return (uint32_t)(stack->now / NSEC_PER_MSEC); }

/* ---- memory */
static inline void tcp_wmem_add(struct tcp_sock *tp, uint32_t n) { tp->sk.wmem += n; tp->sk.stack->tcp->mem += n; }
static inline void tcp_wmem_sub(struct tcp_sock *tp, uint32_t n) { tp->sk.wmem -= n; tp->sk.stack->tcp->mem -= n; }
static inline void tcp_rmem_add(struct tcp_sock *tp, uint32_t n) { tp->sk.rmem += n; tp->sk.stack->tcp->mem += n; }
static inline void tcp_rmem_sub(struct tcp_sock *tp, uint32_t n) { tp->sk.rmem -= n; tp->sk.stack->tcp->mem -= n; }
static inline bool tcp_mem_pressure(const struct stack *stack) { return stack->tcp->mem > (uint64_t)stack->sysctl->tcp_mem_limit / 4 * 3; }
static inline bool tcp_mem_over(const struct stack *stack) { return stack->tcp->mem > (uint64_t)stack->sysctl->tcp_mem_limit; }

/* ---- tcp_ipv4.c */
/* A segment without a connection: skb_in is answered with RST as RFC 9293 3.5.2 says. Does not consume. */
void tcp_v4_send_reset(struct stack *stack, const struct sk_buff *skb_in);
struct tcp_ctl { /* a bare segment, for those without a socket */
	struct ipaddr saddr, daddr;
	uint16_t sport, dport;
	uint32_t seq, ack, window, tsval, tsecr;
	uint8_t  flags, tos;
	bool     ts;
	int      oif;
	uint8_t  optlen; /* further options, a multiple of 4 */
	uint8_t  opt[TCP_MAX_OPTLEN];
};
int tcp_send_ctl(struct stack *stack, const struct tcp_ctl *ctl);
bool tcp_challenge_allowed(struct stack *stack); /* global limit, RFC 5961 section 10 */
bool tcp_oow_limited(struct stack *stack, ktime_t *last); /* net.ipv4.tcp_invalid_ratelimit; true: be silent */

/* ---- tcp_options.c */
/* 0, or -EINVAL when an option runs past the end or has no sensible length (MUST-7). th: the whole header, doff checked. */
int tcp_options_parse(const struct tcp_hdr *th, struct tcp_options *ret);
bool tcp_options_fast_ts(const struct tcp_hdr *th, uint32_t *tsval, uint32_t *tsecr); /* exactly NOP NOP TS */
struct tcp_syn_opts { uint16_t mss; uint8_t wscale; bool wscale_ok, ts, sack; uint32_t tsval, tsecr; };
unsigned tcp_options_write_syn(uint8_t *p, const struct tcp_syn_opts *o); /* at most 40 bytes, a multiple of 4 */
unsigned tcp_options_write_ts(uint8_t *p, uint32_t tsval, uint32_t tsecr); /* 12 */
unsigned tcp_options_write_sack(uint8_t *p, const struct tcp_sack_block *dsack, const struct tcp_sack_block *blocks, unsigned n, unsigned room);

/* ---- tcp_input.c */
void tcp_rcv_segment(struct tcp_sock *tp, struct sk_buff *skb); /* any state but LISTEN and TIME-WAIT; consumes skb */
void tcp_send_challenge_ack(struct tcp_sock *tp);
void tcp_store_ts_recent(struct tcp_sock *tp);
bool tcp_paws_reject(const struct stack *stack, uint32_t ts_recent, ktime_t ts_recent_at, uint32_t tsval, bool rst);
void tcp_schedule_ack(struct tcp_sock *tp); /* at the end of the batch */
void tcp_incr_quickack(struct tcp_sock *tp, unsigned max);
void tcp_enter_quickack(struct tcp_sock *tp, unsigned max); /* also ends a conversation */

/* ---- tcp_data.c */
void tcp_data_queue(struct tcp_sock *tp, struct sk_buff *skb); /* data at the text; consumes */
void tcp_queue_inorder(struct tcp_sock *tp, struct sk_buff *skb); /* fast path: exactly at rcv_nxt, fits; consumes */
void tcp_urg(struct tcp_sock *tp, struct sk_buff *skb, const struct tcp_hdr *th);
bool tcp_rmem_ok(struct tcp_sock *tp); /* after pruning if need be */
uint32_t tcp_space(const struct tcp_sock *tp); /* payload bytes for which there is room */
uint32_t tcp_full_space(const struct tcp_sock *tp);
uint32_t tcp_receive_window(const struct tcp_sock *tp); /* what of the offer is left */
void tcp_rcv_space_adjust(struct tcp_sock *tp); /* the application has read */
void tcp_init_buffer_space(struct tcp_sock *tp);

/* ---- tcp_ofo.c */
bool tcp_ofo_insert(struct tcp_sock *tp, struct sk_buff *skb); /* behind rcv_nxt, in the window; consumes; false: nothing of it was new */
struct sk_buff *tcp_ofo_next(struct tcp_sock *tp); /* whose turn it is now; NULL: none */
void tcp_ofo_purge(struct tcp_sock *tp, enum skb_drop_reason reason);
bool tcp_ofo_prune(struct tcp_sock *tp); /* gives up the far half; false: there was nothing */
void tcp_dsack_set(struct tcp_sock *tp, uint32_t start, uint32_t end, bool ofo);

/* ---- tcp_ack.c */
#define FLAG_DATA            0x01 /* the segment has text */
#define FLAG_WIN_UPDATE      0x02
#define FLAG_DATA_ACKED      0x04
#define FLAG_RETRANS_ACKED   0x08
#define FLAG_SYN_ACKED       0x10
#define FLAG_DATA_SACKED     0x20
#define FLAG_LOST_RETRANS    0x40
#define FLAG_DSACKING        0x80
#define FLAG_SND_UNA_ADVANCED 0x100
#define FLAG_ORIG_SACK_ACKED 0x200
#define FLAG_SACK_RENEGING   0x400
#define FLAG_SLOWPATH        0x1000
#define FLAG_UPDATE_TS       0x2000
#define FLAG_ACKED (FLAG_DATA_ACKED | FLAG_SYN_ACKED)
/* 1: acceptable; 0: old, harmless; -1: to be discarded (RFC 9293 3.10.7.4 step 5, RFC 5961 section 5), answered already where that is asked for. */
int  tcp_ack(struct tcp_sock *tp, const struct sk_buff *skb, const struct tcp_options *opt, int flag);
void tcp_rearm_rto(struct tcp_sock *tp);
void tcp_enter_loss(struct tcp_sock *tp);
void tcp_rtt_sample(struct tcp_sock *tp, int64_t rtt_us);
void tcp_set_rto(struct tcp_sock *tp);
void tcp_rtx_unlink_free(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_set_ca_state(struct tcp_sock *tp, enum tcp_ca_state st);
void tcp_simple_retransmit(struct tcp_sock *tp); /* the path MTU fell: what is too large is lost */
static inline uint32_t tcp_out(const struct tcp_sock *tp) { return tp->snd_nxt - tp->snd_una; }
/* RFC 6675 pipe */
static inline uint32_t tcp_in_flight(const struct tcp_sock *tp)
{
	int64_t v = (int64_t)tcp_out(tp) - tp->sacked_out - tp->lost_out + tp->retrans_out;
	return v > 0 ? (uint32_t)v : 0;
}

/* ---- tcp_sack.c */
struct tcp_rate_mark { ktime_t sent, delivered_at, first_tx; uint64_t delivered; bool app_limited, retrans; }; /* of the segment sent last among those delivered now */
struct tcp_ack_result { /* what one ACK brought */
	uint32_t delivered; /* bytes newly acknowledged or sacked */
	int      flag; /* FLAG_* */
	ktime_t  sack_sent, first_sent, last_sent; /* of never-retransmitted segments: latest sacked; oldest and latest acknowledged; 0: none */
	uint32_t reord; /* lowest sequence that came after a higher one */
	uint32_t prior_high; /* highest_sack before this ACK, and whether there was one */
	bool     prior_sacked;
	bool     reordered;
	struct tcp_rate_mark rate;
};
void tcp_sacktag(struct tcp_sock *tp, const struct tcp_options *opt, struct tcp_ack_result *res);
void tcp_update_reordering(struct tcp_sock *tp, const struct tcp_ack_result *res);
bool tcp_mark_lost(struct tcp_sock *tp); /* true: a retransmission was lost; RFC 6675 IsLost over the queue; and retransmissions that were lost again */
void tcp_mark_skb_lost(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_scoreboard_reset(struct tcp_sock *tp); /* forgets all SACK information */
void tcp_scoreboard_forget(struct tcp_sock *tp, struct sk_buff *skb, uint32_t bytes); /* bytes leave from its front, or all of it */

/* ---- tcp_output.c */
int  tcp_retransmit_skb(struct tcp_sock *tp, struct sk_buff *skb, uint32_t max_bytes);
void tcp_xmit_retransmit_queue(struct tcp_sock *tp);
void tcp_push_pending(struct tcp_sock *tp);
void tcp_push(struct tcp_sock *tp, int flags, uint32_t mss, int nonagle);
void tcp_push_one(struct tcp_sock *tp);
int  tcp_connect_send(struct tcp_sock *tp);
void tcp_send_ack(struct tcp_sock *tp);
void tcp_send_delayed_ack(struct tcp_sock *tp);
void tcp_send_fin(struct tcp_sock *tp);
void tcp_send_active_reset(struct tcp_sock *tp);
void tcp_send_synack(struct tcp_sock *tp); /* simultaneous open */
int  tcp_write_wakeup(struct tcp_sock *tp); /* a window probe or keepalive */
void tcp_send_probe0(struct tcp_sock *tp);
uint32_t tcp_current_mss(struct tcp_sock *tp); /* heeds route, path MTU and SACK blocks to send */
void tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu);
uint32_t tcp_offer_window(const struct tcp_sock *tp); /* what would be offered now */
/* Splits a segment of the send queue after len bytes (0 < len < skb->len); returns the front piece, behind which the rest stands. The smaller part is copied.
 * NULL: no memory, nothing changed. */
struct sk_buff *tcp_split(struct tcp_sock *tp, struct sk_buff *skb, uint32_t len);
struct sk_buff *tcp_alloc_tx(struct tcp_sock *tp, uint32_t payload); /* empty, headroom reserved */
void tcp_queue_tail(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_select_initial_window(const struct stack *stack, uint32_t space, uint32_t mss, uint32_t clamp, bool wscale_ok, uint32_t *ret_wnd, uint32_t *ret_clamp, uint8_t *ret_wscale);
static inline uint32_t tcp_wnd_end(const struct tcp_sock *tp) { return tp->snd_una + tp->snd_wnd; }
void tcp_skb_pull_front(struct tcp_sock *tp, struct sk_buff *skb, uint32_t n); /* acknowledged in part */

/* ---- tcp_timer.c */
void tcp_timers_init(struct tcp_sock *tp);
void tcp_timers_clear(struct tcp_sock *tp);
void tcp_rtx_timer_set(struct tcp_sock *tp, enum tcp_timer_kind kind, ktime_t delay); /* delay from now */
void tcp_rtx_timer_stop(struct tcp_sock *tp);
void tcp_delack_timer_set(struct tcp_sock *tp, ktime_t when);
void tcp_delack_timer_stop(struct tcp_sock *tp);
void tcp_keep_timer_set(struct tcp_sock *tp, ktime_t delay);
void tcp_set_keepalive(struct tcp_sock *tp, bool on);
ktime_t tcp_keep_time(const struct tcp_sock *tp);
ktime_t tcp_keep_intvl(const struct tcp_sock *tp);
unsigned tcp_keep_probes(const struct tcp_sock *tp);
ktime_t tcp_fin_time(const struct tcp_sock *tp); /* FIN-WAIT-2 of an orphan */
ktime_t tcp_probe0_when(const struct tcp_sock *tp);

/* ---- tcp_minisocks.c */
void tcp_conn_request(struct tcp_sock *lp, struct sk_buff *skb, const struct tcp_options *opt, uint32_t isn); /* SYN to a listener; consumes */
/* A segment for a half-open connection. The new connection (held once more by the caller's reference to be put) or NULL; skb is consumed if NULL is returned. */
struct tcp_sock *tcp_check_req(struct tcp_req *req, struct sk_buff *skb);
void tcp_req_free(struct stack *stack, struct tcp_req *req);
void tcp_req_err(struct stack *stack, struct tcp_req *req, uint32_t seq);
void tcp_time_wait(struct tcp_sock *tp, enum tcp_sk_state substate, ktime_t timeo); /* replaces the sock; tcp_done follows inside */
void tcp_timewait_rcv(struct stack *stack, struct tcp_tw *tw, struct sk_buff *skb, uint32_t hash); /* consumes */
void tcp_tw_free(struct tcp_tw *tw);
bool tcp_tw_reuse(struct stack *stack, struct ehash_entry *e);
struct tcp_tw *tcp_tw_of(struct ehash_entry *e);

/* ---- tcp_cong.c */
extern const struct tcp_cong_ops tcp_reno, tcp_cubic;
const struct tcp_cong_ops *tcp_cong_find(const char *name, size_t len, uint8_t *ret_index); /* NULL: none */
void tcp_cong_assign(struct tcp_sock *tp, uint8_t index);
uint32_t tcp_slow_start(struct tcp_sock *tp, uint32_t acked); /* returns what was not used */
void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t w, uint32_t acked); /* one segment for each w bytes */
uint32_t tcp_reno_undo_cwnd(struct tcp_sock *tp);
uint32_t tcp_init_cwnd_bytes(const struct tcp_sock *tp); /* RFC 6928 */
void tcp_cwnd_validate(struct tcp_sock *tp, bool limited);
void tcp_cwnd_after_idle(struct tcp_sock *tp);
bool tcp_is_cwnd_limited(const struct tcp_sock *tp);
static inline bool tcp_in_slow_start(const struct tcp_sock *tp) { return tp->cwnd < tp->ssthresh; }
static inline bool tcp_in_cwnd_reduction(const struct tcp_sock *tp) { return tp->ca_state == TCP_CA_CWR || tp->ca_state == TCP_CA_Recovery; }

/* ---- tcp_rate.c */
void tcp_rate_sent(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_rate_delivered(const struct sk_buff *skb, struct tcp_rate_mark *mark);
void tcp_rate_sample(struct tcp_sock *tp, const struct tcp_rate_mark *mark);
void tcp_rate_app_limited(struct tcp_sock *tp);
void tcp_chrono(struct tcp_sock *tp, uint8_t what);

/* ---- tcp_send.c, tcp_recv.c, tcp_sockopt.c, tcp_info.c */
ssize_t tcp_sendmsg(struct sock *sk, const struct msghdr *msg, int flags);
ssize_t tcp_send_area(struct sock *sk, struct skb_area *area, uint32_t off, size_t len, int flags);
ssize_t tcp_send_fill(struct sock *sk, size_t max, void (*fn)(void *, void *, size_t), void *arg);
bool tcp_stream_memory_free(const struct tcp_sock *tp);
ssize_t tcp_recvmsg(struct sock *sk, struct msghdr *msg, int flags);
ssize_t tcp_recv_inplace(struct sock *sk, size_t max, size_t (*fn)(void *, const void *, size_t), void *arg);
uint32_t tcp_inq(const struct tcp_sock *tp);
uint32_t tcp_poll(struct sock *sk);
int tcp_ioctl(struct sock *sk, unsigned long cmd, int *val);
int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len);
int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len);
void tcp_info_fill(struct sock *sk, struct sock_info *info);
void tcp_mini_info(struct stack *stack, const struct ehash_entry *e, struct sock_info *info);

#endif
