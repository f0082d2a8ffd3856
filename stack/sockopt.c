/* SPDX-License-Identifier: MIT */
/*
 * sockopt.c: options of level SOL_SOCKET, with Linux's values, limits and errors (socket(7)), and of level SOL_NETSTACK.
 *
 * Most options are a flag or a number in struct sock: a table says which. What has a rule of its own has a case.
 *
 * SO_RCVTIMEO and SO_SNDTIMEO are kept and given back, for nothing here blocks: whoever blocks on behalf of an application reads them.
 * Filters are sock_filter.c's. Not done: SO_TIMESTAMPING, SO_PEEK_OFF, SO_ZEROCOPY, SO_TXTIME: -ENOPROTOOPT.
 */
#include "sock_priv.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/time.h>

#define MIN_SNDBUF 4608u
#define MIN_RCVBUF 2304u

/* In case the libc's headers are older than the kernel's. */
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

int opt_get_int(const void *val, socklen_t len, int *ret)
{
	if (len >= sizeof(int)) {
		memcpy(ret, val, sizeof(int));
		return 0;
	}
	if (len < 1)
		return -EINVAL;
	*ret = *(const unsigned char *)val;
	return 0;
}

int opt_put(void *val, socklen_t *len, const void *from, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	if (*len)
		memcpy(val, from, *len);
	return 0;
}

int opt_put_int(void *val, socklen_t *len, int v)
{
	return opt_put(val, len, &v, sizeof(v));
}

static bool *flag_of(struct sock *sk, int name)
{
	switch (name) {
	case SO_REUSEADDR: return &sk->reuse;
	case SO_REUSEPORT: return &sk->reuseport;
	case SO_BROADCAST: return &sk->broadcast;
	case SO_OOBINLINE: return &sk->oobinline;
	case SO_KEEPALIVE: return &sk->keepopen;
	case SO_NO_CHECK: return &sk->no_check;
	case SO_RXQ_OVFL: return &sk->rxq_ovfl;
	case SO_DONTROUTE: return &sk->localroute;
	default: return NULL;
	}
}

static void set_timestamp(struct sock *sk, bool on, bool ns)
{
	sk->timestamp = on && !ns;
	sk->timestampns = on && ns;
}

static int set_timeo(ktime_t *to, const void *val, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		*to = 0; /* as Linux: do not wait; nothing here does */
	else if (tv.tv_sec > INT64_MAX / NSEC_PER_SEC - 1)
		*to = 0; /* for ever */
	else
		*to = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * NSEC_PER_USEC;
	return 0;
}

static int set_linger(struct sock *sk, const void *val, socklen_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	sk->linger_on = l.l_onoff != 0;
	if (sk->linger_on)
		sk->linger_secs = l.l_linger < 0 ? INT32_MAX : l.l_linger;
	return 0;
}

static void set_device(struct sock *sk, int ifindex)
{
	sk->bound_dev_if = ifindex;
	sk->rt_genid = 0;
}

static int set_device_name(struct sock *sk, const void *val, socklen_t len)
{
	const struct net_snapshot *snap = sk->stack->snap;
	char name[NS_IFNAMSIZ] = "";

	memcpy(name, val, len < sizeof(name) ? len : sizeof(name) - 1);
	if (!name[0]) {
		set_device(sk, 0);
		return 0;
	}
	for (unsigned i = 0; snap && i < snap->nlinks; i++)
		if (!strcmp(snap->links[i].conf.name, name)) {
			set_device(sk, snap->links[i].conf.ifindex);
			return 0;
		}
	return -ENODEV;
}

/* The value asked for is doubled, because it is compared with truesize; what is read back is the doubled one (socket(7)). */
static uint32_t buf_size(int val, int max, uint32_t min, bool force)
{
	uint64_t v = val < 0 ? (uint64_t)(force ? 0 : max) : (uint64_t)val;

	if (!force && v > (uint64_t)max)
		v = (uint64_t)max;
	v *= 2;
	if (v > INT32_MAX)
		v = INT32_MAX;
	return v < min ? min : (uint32_t)v;
}

static void set_sndbuf(struct sock *sk, int val, bool force)
{
	sk->userlocks |= 1;
	sk->sndbuf = buf_size(val, sk->stack->sysctl->wmem_max, MIN_SNDBUF, force);
	sk_write_space(sk);
}

static void set_rcvbuf(struct sock *sk, int val, bool force)
{
	sk->userlocks |= 2;
	sk->rcvbuf = buf_size(val, sk->stack->sysctl->rmem_max, MIN_RCVBUF, force);
}

static int set_pacing(struct sock *sk, const void *val, socklen_t len)
{
	uint32_t v32;

	if (len >= sizeof(uint64_t)) {
		memcpy(&sk->max_pacing_rate, val, sizeof(uint64_t));
		return 0;
	}
	memcpy(&v32, val, sizeof(v32));
	sk->max_pacing_rate = v32 == UINT32_MAX ? UINT64_MAX : v32;
	return 0;
}

/* Options whose value is an int of their own meaning. */
static int set_number(struct sock *sk, int name, int v)
{
	switch (name) {
	case SO_DEBUG:
	case SO_BSDCOMPAT:
		return 0; /* accepted and without effect, as on Linux */
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		set_sndbuf(sk, v, name == SO_SNDBUFFORCE);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		set_rcvbuf(sk, v, name == SO_RCVBUFFORCE);
		return 0;
	case SO_PRIORITY:
		sk->priority = v;
		return 0;
	case SO_MARK:
		sk->mark = (uint32_t)v;
		sk->rt_genid = 0;
		return 0;
	case SO_RCVLOWAT:
		sk->rcvlowat = v < 0 ? INT32_MAX : v ? v : 1;
		if (sk->proto->poll(sk) & EPOLLIN) /* a lower mark may make ready what was not */
			sk_wake(sk, EPOLLIN | EPOLLRDNORM);
		return 0;
	case SO_INCOMING_CPU:
		sk->incoming_cpu = v;
		return 0;
	case SO_BUSY_POLL:
		return v < 0 ? -EINVAL : 0; /* a hint to who polls; nothing sleeps here */
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
		set_timestamp(sk, v != 0, false);
		return 0;
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
		set_timestamp(sk, v != 0, true);
		return 0;
	case SO_BINDTOIFINDEX:
		if (v < 0)
			return -EINVAL;
		if (v && (!sk->stack->snap || !snapshot_link(sk->stack->snap, v)))
			return -ENODEV;
		set_device(sk, v);
		return 0;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	case SO_ACCEPTCONN:
	case SO_SNDLOWAT:
	default:
		return -ENOPROTOOPT;
	}
}

int sock_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	bool *flag;
	int v;

	switch (name) { /* those that are no int */
	case SO_BINDTODEVICE:
		return set_device_name(sk, val, len);
	case SO_LINGER:
		return set_linger(sk, val, len);
	case SO_ATTACH_FILTER:
	case SO_DETACH_FILTER:
	case SO_LOCK_FILTER:
		return sk_filter_setsockopt(sk, name, val, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return set_timeo(&sk->rcvtimeo, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return set_timeo(&sk->sndtimeo, val, len);
	}
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (name == SO_MAX_PACING_RATE)
		return set_pacing(sk, val, len);
	flag = flag_of(sk, name);
	if (!flag)
		return set_number(sk, name, v);
	*flag = v != 0;
	if (name == SO_KEEPALIVE && sk->proto->keepalive)
		sk->proto->keepalive(sk, v != 0);
	return 0;
}

/* Before bind only: afterwards the other shards know of the socket already. */
int ns_private_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v, err;

	if (name != NS_SO_SHARD_REPLICA)
		return -ENOPROTOOPT;
	if (sk->type != SOCK_DGRAM)
		return -EOPNOTSUPP;
	err = opt_get_int(val, len, &v);
	if (err)
		return err;
	if (sk->bind)
		return -EINVAL;
	sk->replica = v != 0;
	return 0;
}

static int get_meminfo(const struct sock *sk, void *val, socklen_t *len)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };

	mem[SK_MEMINFO_RMEM_ALLOC] = sk->rmem;
	mem[SK_MEMINFO_RCVBUF] = sk->rcvbuf;
	mem[SK_MEMINFO_WMEM_ALLOC] = sk->wmem;
	mem[SK_MEMINFO_SNDBUF] = sk->sndbuf;
	mem[SK_MEMINFO_WMEM_QUEUED] = sk->wmem;
	mem[SK_MEMINFO_DROPS] = sk->drops;
	return opt_put(val, len, mem, sizeof(mem));
}

static int get_timeo(ktime_t to, void *val, socklen_t *len)
{
	struct timeval tv = { .tv_sec = to / NSEC_PER_SEC, .tv_usec = to % NSEC_PER_SEC / NSEC_PER_USEC };

	return opt_put(val, len, &tv, sizeof(tv));
}

static int get_device_name(const struct sock *sk, void *val, socklen_t *len)
{
	const struct snap_link *l = sk->bound_dev_if && sk->stack->snap ? snapshot_link(sk->stack->snap, sk->bound_dev_if) : NULL;

	if (!sk->bound_dev_if) {
		*len = 0;
		return 0;
	}
	if (*len < NS_IFNAMSIZ)
		return -EINVAL;
	if (!l)
		return -ENODEV;
	return opt_put(val, len, l->conf.name, strlen(l->conf.name) + 1);
}

static int get_error(struct sock *sk)
{
	int err = -sk_take_error(sk);

	if (!err) {
		err = sk->err_soft;
		sk->err_soft = 0;
	}
	return err;
}

static int get_number(struct sock *sk, int name, int *ret)
{
	switch (name) {
	case SO_DEBUG:
	case SO_BSDCOMPAT: *ret = 0; return 0;
	case SO_TYPE: *ret = sk->type; return 0;
	case SO_DOMAIN: *ret = sk->family; return 0;
	case SO_PROTOCOL: *ret = sk->protocol; return 0;
	case SO_ERROR: *ret = get_error(sk); return 0;
	case SO_LOCK_FILTER: *ret = sk->filter_locked; return 0;
	case SO_ACCEPTCONN: *ret = sk->state == SS_LISTEN; return 0;
	case SO_SNDBUF: *ret = (int)sk->sndbuf; return 0;
	case SO_RCVBUF: *ret = (int)sk->rcvbuf; return 0;
	case SO_PRIORITY: *ret = sk->priority; return 0;
	case SO_MARK: *ret = (int)sk->mark; return 0;
	case SO_RCVLOWAT: *ret = sk->rcvlowat; return 0;
	case SO_SNDLOWAT: *ret = 1; return 0;
	case SO_INCOMING_CPU: *ret = sk->incoming_cpu >= 0 ? sk->incoming_cpu : (int)sk->stack->params.cpu; return 0;
	case SO_BUSY_POLL: *ret = 0; return 0;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW: *ret = sk->timestamp; return 0;
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW: *ret = sk->timestampns; return 0;
	case SO_BINDTOIFINDEX: *ret = sk->bound_dev_if; return 0;
	case SO_PEERSEC:
	default: return -ENOPROTOOPT;
	}
}

int sock_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	struct linger l = { .l_onoff = sk->linger_on, .l_linger = sk->linger_secs };
	bool *flag = flag_of(sk, name);
	int v = 0, err;

	switch (name) {
	case SO_LINGER:
		return opt_put(val, len, &l, sizeof(l));
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return get_timeo(sk->rcvtimeo, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return get_timeo(sk->sndtimeo, val, len);
	case SO_BINDTODEVICE:
		return get_device_name(sk, val, len);
	case SO_COOKIE:
		return *len < sizeof(sk->ino) ? -EINVAL : opt_put(val, len, &sk->ino, sizeof(sk->ino));
	case SO_MEMINFO:
		return get_meminfo(sk, val, len);
	case SO_MAX_PACING_RATE:
		if (*len >= sizeof(uint64_t))
			return opt_put(val, len, &sk->max_pacing_rate, sizeof(sk->max_pacing_rate));
		return opt_put_int(val, len, sk->max_pacing_rate > UINT32_MAX ? -1 : (int)sk->max_pacing_rate);
	}
	if (flag)
		return opt_put_int(val, len, *flag);
	err = get_number(sk, name, &v);
	return err ? err : opt_put_int(val, len, v);
}
