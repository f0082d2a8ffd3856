/* SPDX-License-Identifier: MIT */
/*
 * linkwatch.c: carrier events, the operational state of RFC 2863, dev_activate and dev_deactivate, the notifier chain.
 *
 * Theory. A device has at most one event pending. linkwatch_fire_event queues it and sets the next run: at once when the event is urgent, else not before a
 * second after the last run. A run takes all that is pending; one that came early because of an urgent event takes the urgent ones only and leaves the
 * others their second. Urgent is a carrier that comes to a device that is up and whose queue is still off, and anything of a device that stands on
 * another one, or whose hardware has gone, so that nothing that was learned over it outlives it; a carrier that goes is not, so a contact that flickers costs two runs a second at the most. Whether a thing is urgent is judged again
 * at the run: a carrier that has gone once more by then can wait.
 *
 * The carrier of a device that stands on another (VLAN), is its other end (veth) or has ports (bridge) follows from theirs by the rules of netcfg_upper.c, from
 * the carriers that are in effect; linkwatch_transfer makes events of what came out.
 *
 * Operational state: computed from testing, carrier, dormancy, the carrier below, and the link mode. It is changed by a run only, or by hand
 * (linkwatch_set_operstate); a device for which no event was ever fired stays UNKNOWN, which counts as operational. So lo and dummy are UNKNOWN as on Linux.
 *
 * Invariants: devs is sorted by ifindex; a device is on the pending list if and only if pending is set; qdisc_active implies NS_IFF_UP; the configuration's carrier
 * is written nowhere else while a linkwatch follows it, but by netcfg_upper.c.
 *
 * Deviations from Linux. A device whose hardware is gone (netif_device_detach) gets its event and the state NOTPRESENT, where Linux puts the event back until the
 * device is there again. Flags of a device that is up are compared as a whole.
 * Not done: changes of features as events; bonding (lag ports are urgent, too).
 */
#include <netstack/linkwatch.h>

#include "list.h"
#include "netcfg_priv.h"

#include <errno.h>
#include <stdlib.h>

#define RUN_INTERVAL   NSEC_PER_SEC
#define DEVICES_A_RUN  100 /* the rest has to wait for the next one */

struct netdev {
	struct netdev_state s; /* first */
	struct list_head    pending_node;
	bool                pending;
	uint32_t            seen; /* generation of linkwatch_follow */
	uint32_t            told_flags; /* netdev_flags that the last event told */
};

struct linkwatch {
	struct netcfg          *cfg;
	struct netdev         **devs; /* by ifindex */
	unsigned                ndevs, cap;
	struct list_head        pending;
	ktime_t                 next_run; /* no earlier, but for urgent events */
	ktime_t                 timer; /* of the run that is arranged; KTIME_MAX: none */
	bool                    urgent; /* it was arranged for an urgent event */
	uint32_t                generation;
	uint64_t                changes; /* of the list of devices */
	struct netdev_notifier *chain;
};

/* ---- finding, telling ------------------------------------------------------------------------------------------------------- */

static unsigned dev_place(const struct linkwatch *lw, int ifindex)
{
	unsigned lo = 0, hi = lw->ndevs;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (lw->devs[mid]->s.conf.ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct netdev *dev_find(const struct linkwatch *lw, int ifindex)
{
	unsigned i = dev_place(lw, ifindex);

	return i < lw->ndevs && lw->devs[i]->s.conf.ifindex == ifindex ? lw->devs[i] : NULL;
}

const struct netdev_state *linkwatch_dev(const struct linkwatch *lw, int ifindex)
{
	const struct netdev *dev = dev_find(lw, ifindex);

	return dev ? &dev->s : NULL;
}

uint64_t linkwatch_generation(const struct linkwatch *lw)
{
	return lw->changes;
}

int linkwatch_foreach(const struct linkwatch *lw, int after, int (*fn)(void *arg, const struct netdev_state *dev), void *arg)
{
	for (unsigned i = after ? dev_place(lw, after + 1) : 0; i < lw->ndevs; i++) {
		int r = fn(arg, &lw->devs[i]->s);

		if (r)
			return r;
	}
	return 0;
}

static bool netif_running(const struct netdev *dev)
{
	return (dev->s.conf.flags & NS_IFF_UP) != 0;
}

static bool oper_up(const struct netdev_state *s)
{
	return s->operstate == OPER_UP || s->operstate == OPER_UNKNOWN;
}

uint8_t netdev_operstate(const struct netdev_state *s)
{
	if (!s->present)
		return OPER_NOTPRESENT;
	return s->conf.flags & NS_IFF_UP ? s->operstate : OPER_DOWN;
}

uint32_t netdev_flags(const struct netdev_state *s)
{
	uint32_t flags = s->conf.flags;

	if (!(flags & NS_IFF_UP))
		return flags;
	return flags | (oper_up(s) ? NS_IFF_RUNNING : 0) | (s->carrier ? NS_IFF_LOWER_UP : 0) | (s->dormant ? NS_IFF_DORMANT : 0);
}

const char *netdev_operstate_name(uint8_t operstate)
{
	static const char *const names[] = {
		[OPER_UNKNOWN] = "UNKNOWN", [OPER_NOTPRESENT] = "NOTPRESENT", [OPER_DOWN] = "DOWN", [OPER_LOWERLAYERDOWN] = "LOWERLAYERDOWN",
		[OPER_TESTING] = "TESTING", [OPER_DORMANT] = "DORMANT", [OPER_UP] = "UP",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == OPER_MAX, "a name for each state");
	return operstate < OPER_MAX ? names[operstate] : "?";
}

const char *netdev_event_name(enum netdev_event event)
{
	static const char *const names[] = {
		[NETDEV_REGISTER] = "NETDEV_REGISTER", [NETDEV_UNREGISTER] = "NETDEV_UNREGISTER", [NETDEV_UP] = "NETDEV_UP",
		[NETDEV_GOING_DOWN] = "NETDEV_GOING_DOWN", [NETDEV_DOWN] = "NETDEV_DOWN", [NETDEV_CHANGE] = "NETDEV_CHANGE",
		[NETDEV_CHANGEMTU] = "NETDEV_CHANGEMTU", [NETDEV_CHANGEADDR] = "NETDEV_CHANGEADDR", [NETDEV_CHANGENAME] = "NETDEV_CHANGENAME",
		[NETDEV_CHANGEINFO] = "NETDEV_CHANGEINFO",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == NETDEV_EVENT_MAX, "a name for each event");
	return (unsigned)event < NETDEV_EVENT_MAX ? names[event] : "?";
}

static void tell(struct linkwatch *lw, struct netdev *dev, enum netdev_event event)
{
	uint32_t flags = netdev_flags(&dev->s), change = flags ^ dev->told_flags;

	dev->told_flags = flags;
	lw->changes += event == NETDEV_REGISTER || event == NETDEV_UNREGISTER || event == NETDEV_CHANGENAME;
	for (struct netdev_notifier *nb = lw->chain, *next; nb; nb = next) {
		next = nb->next;
		nb->call(nb, event, &dev->s, change);
	}
}

void linkwatch_subscribe(struct linkwatch *lw, struct netdev_notifier *nb)
{
	struct netdev_notifier **p = &lw->chain;

	while (*p)
		p = &(*p)->next;
	*p = nb;
	nb->next = NULL;
	for (unsigned i = 0; i < lw->ndevs; i++) {
		struct netdev *dev = lw->devs[i];

		nb->call(nb, NETDEV_REGISTER, &dev->s, 0);
		if (netif_running(dev))
			nb->call(nb, NETDEV_UP, &dev->s, dev->told_flags);
	}
}

void linkwatch_unsubscribe(struct linkwatch *lw, struct netdev_notifier *nb)
{
	for (struct netdev_notifier **p = &lw->chain; *p; p = &(*p)->next)
		if (*p == nb) {
			*p = nb->next;
			return;
		}
}

/* ---- events ------------------------------------------------------------------------------------------------------------------- */

static bool is_stacked(const struct netdev *dev)
{
	return dev->s.conf.link != 0;
}

/* False: it has its carrier from its driver; true: the configuration works it out (netcfg_upper.c). */
static bool carrier_follows(const struct netdev *dev)
{
	return cfg_carrier_follows(dev->s.conf.type);
}

static bool urgent_event(const struct netdev *dev)
{
	if (!netif_running(dev))
		return false;
	return carrier_follows(dev) || (dev->s.carrier && !dev->s.qdisc_active) || (!dev->s.present && dev->s.qdisc_active);
}

static void schedule_run(struct linkwatch *lw, bool urgent, ktime_t now)
{
	ktime_t at = now < lw->next_run ? lw->next_run : now;

	if (lw->urgent)
		return; /* it will be looked at then */
	if (urgent) {
		lw->urgent = true;
		lw->timer = now;
	} else if (lw->timer > at) {
		lw->timer = at;
	}
}

static void fire_event(struct linkwatch *lw, struct netdev *dev, ktime_t now)
{
	bool urgent = urgent_event(dev);

	if (!dev->pending) {
		dev->pending = true;
		list_add_tail(&dev->pending_node, &lw->pending);
	} else if (!urgent) {
		return;
	}
	schedule_run(lw, urgent, now);
}

/* A device without carrier: because of the one that it stands on? */
static bool lower_layer_down(const struct linkwatch *lw, const struct netdev *dev)
{
	const struct netdev_state *lower;

	if (!is_stacked(dev))
		return false;
	if (dev->s.conf.type == LINK_VETH) /* both ends have the same */
		return true;
	lower = linkwatch_dev(lw, dev->s.conf.link);
	return lower && !lower->carrier;
}

static uint8_t default_operstate(const struct linkwatch *lw, const struct netdev *dev)
{
	if (!dev->s.present)
		return OPER_NOTPRESENT;
	if (dev->s.testing)
		return OPER_TESTING;
	if (!dev->s.carrier)
		return lower_layer_down(lw, dev) ? OPER_LOWERLAYERDOWN : OPER_DOWN;
	return dev->s.dormant ? OPER_DORMANT : OPER_UP;
}

/* RFC 2863 section 3.1.13 and what the mode adds: who has to authenticate first does not get to UP by a cable alone. */
static void rfc2863_policy(const struct linkwatch *lw, struct netdev *dev)
{
	uint8_t state = default_operstate(lw, dev);

	if (state == dev->s.operstate)
		return;
	if (state == OPER_UP && dev->s.link_mode == LINK_MODE_DORMANT)
		state = OPER_DORMANT;
	else if (state == OPER_UP && dev->s.link_mode == LINK_MODE_TESTING)
		state = OPER_TESTING;
	dev->s.operstate = state;
}

static void set_qdisc(struct linkwatch *lw, struct netdev *dev, bool active)
{
	dev->s.qdisc_active = active;
	dev->s.conf.carrier = active;
	if (!carrier_follows(dev))
		netcfg_link_set_carrier(lw->cfg, dev->s.conf.ifindex, active);
}

static void do_dev(struct linkwatch *lw, struct netdev *dev)
{
	dev->pending = false;
	list_del(&dev->pending_node);
	rfc2863_policy(lw, dev);
	if (!netif_running(dev))
		return;
	set_qdisc(lw, dev, dev->s.carrier);
	tell(lw, dev, NETDEV_CHANGE);
}

bool linkwatch_run(struct linkwatch *lw, ktime_t now)
{
	unsigned left = DEVICES_A_RUN;
	bool urgent_only, done = false;
	struct netdev *dev, *tmp;

	while (now >= lw->timer && left) {
		struct list_head todo;

		urgent_only = now < lw->next_run;
		if (!urgent_only)
			lw->next_run = now + RUN_INTERVAL;
		lw->urgent = false;
		lw->timer = KTIME_MAX;
		list_init(&todo);
		while (!list_empty(&lw->pending))
			list_move_tail(lw->pending.next, &todo);
		list_for_each_safe(dev, tmp, &todo, struct netdev, pending_node) {
			if (!left || (urgent_only && !urgent_event(dev))) {
				list_move_tail(&dev->pending_node, &lw->pending);
				continue;
			}
			do_dev(lw, dev);
			left--;
			done = true;
		}
		if (!list_empty(&lw->pending))
			schedule_run(lw, false, now);
		linkwatch_transfer(lw, now); /* what stands on them: may fire urgent events, which are done in another turn */
	}
	return done;
}

ktime_t linkwatch_deadline(const struct linkwatch *lw)
{
	return lw->timer;
}

/* ---- what stands on others ------------------------------------------------------------------------------------------------------- */

static void set_carrier(struct linkwatch *lw, struct netdev *dev, bool on, ktime_t now)
{
	if (dev->s.carrier == on)
		return;
	dev->s.carrier = on;
	if (on)
		dev->s.carrier_up_count++;
	else
		dev->s.carrier_down_count++;
	fire_event(lw, dev, now);
}

static void set_bit(struct linkwatch *lw, struct netdev *dev, bool *bit, bool on, ktime_t now)
{
	if (*bit == on)
		return;
	*bit = on;
	fire_event(lw, dev, now);
}

/* Dormancy and testing go up from a device to the VLANs on it. True: something went. */
static bool transfer_bits(struct linkwatch *lw, struct netdev *dev, ktime_t now)
{
	const struct netdev_state *lower = dev->s.conf.type == LINK_VLAN ? linkwatch_dev(lw, dev->s.conf.link) : NULL;

	if (!lower || (dev->s.dormant == lower->dormant && dev->s.testing == lower->testing))
		return false;
	set_bit(lw, dev, &dev->s.dormant, lower->dormant, now);
	set_bit(lw, dev, &dev->s.testing, lower->testing, now);
	return true;
}

void linkwatch_transfer(struct linkwatch *lw, ktime_t now)
{
	bool again = true;

	for (unsigned i = 0; i < lw->ndevs; i++) {
		struct netdev *dev = lw->devs[i];
		const struct link_conf *conf = carrier_follows(dev) ? netcfg_link_by_index(lw->cfg, dev->s.conf.ifindex) : NULL;

		if (conf)
			set_carrier(lw, dev, conf->carrier != 0, now);
	}
	for (unsigned storey = 0; again && storey <= lw->ndevs; storey++) {
		again = false;
		for (unsigned i = 0; i < lw->ndevs; i++)
			again |= transfer_bits(lw, lw->devs[i], now);
	}
}

/* ---- from the driver ------------------------------------------------------------------------------------------------------------ */

void netif_carrier_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	if (dev && !carrier_follows(dev))
		set_carrier(lw, dev, on, now);
}

void netif_dormant_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	if (dev)
		set_bit(lw, dev, &dev->s.dormant, on, now);
}

void netif_testing_set(struct linkwatch *lw, int ifindex, bool on, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	if (dev)
		set_bit(lw, dev, &dev->s.testing, on, now);
}

void netif_device_detach(struct linkwatch *lw, int ifindex, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	if (!dev)
		return;
	set_bit(lw, dev, &dev->s.present, false, now);
	set_carrier(lw, dev, false, now);
}

void netif_device_attach(struct linkwatch *lw, int ifindex, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	if (dev)
		set_bit(lw, dev, &dev->s.present, true, now);
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------------------ */

static void tell_changed(struct linkwatch *lw, struct netdev *dev)
{
	tell(lw, dev, netif_running(dev) ? NETDEV_CHANGE : NETDEV_CHANGEINFO);
}

int linkwatch_set_mode(struct linkwatch *lw, int ifindex, uint8_t mode, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);

	(void)now;
	if (!dev)
		return -ENODEV;
	if (mode > LINK_MODE_TESTING)
		return -EINVAL;
	if (dev->s.link_mode == mode)
		return 0;
	dev->s.link_mode = mode; /* it counts from the next change of carrier on */
	tell_changed(lw, dev);
	return 0;
}

int linkwatch_set_operstate(struct linkwatch *lw, int ifindex, uint8_t transition, ktime_t now)
{
	struct netdev *dev = dev_find(lw, ifindex);
	uint8_t state;

	(void)now;
	if (!dev)
		return -ENODEV;
	state = dev->s.operstate;
	switch (transition) {
	case OPER_UP:
		if ((state == OPER_DORMANT || state == OPER_TESTING || state == OPER_UNKNOWN) && !dev->s.dormant && !dev->s.testing && dev->s.carrier)
			state = OPER_UP;
		break;
	case OPER_TESTING:
	case OPER_DORMANT:
		if (oper_up(&dev->s))
			state = transition;
		break;
	default:
		return -EINVAL;
	}
	if (state == dev->s.operstate)
		return 0;
	dev->s.operstate = state;
	tell_changed(lw, dev);
	return 0;
}

/* ---- following the configuration --------------------------------------------------------------------------------------------------------- */

static void dev_open(struct linkwatch *lw, struct netdev *dev)
{
	dev->s.conf.flags |= NS_IFF_UP;
	set_qdisc(lw, dev, dev->s.carrier);
	tell(lw, dev, NETDEV_UP);
}

static void dev_close(struct linkwatch *lw, struct netdev *dev)
{
	tell(lw, dev, NETDEV_GOING_DOWN);
	dev->s.qdisc_active = false;
	dev->s.conf.flags &= ~NS_IFF_UP;
	tell(lw, dev, NETDEV_DOWN);
}

static bool same_end(const struct link_conf *a, const struct link_conf *b)
{
	return a->master == b->master && a->link == b->link && a->link_netns == b->link_netns && a->txqlen == b->txqlen &&
		strcmp(a->host_name, b->host_name) == 0;
}

/* A device that has changed. Up comes last and down first, so that what is told in between fits to what it is. */
static void dev_change(struct linkwatch *lw, struct netdev *dev, const struct link_conf *to)
{
	struct link_conf old;
	bool up = to->flags & NS_IFF_UP, was_up = netif_running(dev);

	if (was_up && !up)
		dev_close(lw, dev);
	old = dev->s.conf;
	dev->s.conf = *to;
	dev->s.conf.flags = (to->flags & ~NS_IFF_UP) | (old.flags & NS_IFF_UP);
	dev->s.conf.carrier = old.carrier;
	if (strcmp(old.name, to->name) != 0)
		tell(lw, dev, NETDEV_CHANGENAME);
	if (old.mtu != to->mtu)
		tell(lw, dev, NETDEV_CHANGEMTU);
	if (memcmp(&old.addr, &to->addr, sizeof(old.addr)) != 0)
		tell(lw, dev, NETDEV_CHANGEADDR);
	if (!same_end(&old, to))
		tell(lw, dev, NETDEV_CHANGEINFO);
	if ((old.flags ^ to->flags) & ~NS_IFF_UP)
		tell_changed(lw, dev);
	if (up && !was_up)
		dev_open(lw, dev);
	if (carrier_follows(dev))
		dev->s.conf.carrier = to->carrier;
	else if (dev->s.conf.carrier != to->carrier) /* the configuration was taken back, or set by others */
		netcfg_link_set_carrier(lw->cfg, to->ifindex, dev->s.conf.carrier);
}

static void dev_register(struct linkwatch *lw, struct netdev *dev, const struct link_conf *conf)
{
	dev->s.conf = *conf;
	dev->s.conf.flags &= ~NS_IFF_UP;
	dev->s.present = true;
	/* One that follows from others begins without, so that what it comes to have is an event. */
	dev->s.carrier = conf->type == LINK_LOOPBACK || conf->type == LINK_DUMMY || conf->type == LINK_VIRTUAL;
	dev->told_flags = 0;
	tell(lw, dev, NETDEV_REGISTER);
	if (!dev->s.carrier) {
		rfc2863_policy(lw, dev); /* no event told of it: it has never had one */
		set_qdisc(lw, dev, false);
	}
	if (conf->flags & NS_IFF_UP)
		dev_open(lw, dev);
}

static void dev_unregister(struct linkwatch *lw, struct netdev *dev)
{
	if (netif_running(dev))
		dev_close(lw, dev);
	tell(lw, dev, NETDEV_UNREGISTER);
	if (dev->pending)
		list_del(&dev->pending_node);
	free(dev);
}

struct counted {
	struct linkwatch *lw;
	unsigned          n;
};

static int count_new(void *arg, const struct link_conf *conf)
{
	struct counted *c = arg;

	if (!dev_find(c->lw, conf->ifindex))
		c->n++;
	return 0;
}

struct following {
	struct linkwatch *lw;
	struct list_head  spare; /* structures for the new ones, so that nothing fails half way */
	ktime_t           now;
};

static int follow_link(void *arg, const struct link_conf *conf)
{
	struct following *f = arg;
	struct linkwatch *lw = f->lw;
	unsigned at = dev_place(lw, conf->ifindex);
	struct netdev *dev = at < lw->ndevs && lw->devs[at]->s.conf.ifindex == conf->ifindex ? lw->devs[at] : NULL;
	struct link_conf copy = *conf; /* set_qdisc changes the original */

	if (dev) {
		dev->seen = lw->generation;
		if (dev->s.conf.gen != conf->gen)
			dev_change(lw, dev, &copy);
		if (dev->pending && urgent_event(dev)) /* it got its carrier while it was down, and is up now */
			schedule_run(lw, true, f->now);
		return 0;
	}
	dev = list_first(&f->spare, struct netdev, pending_node);
	list_del(&dev->pending_node);
	memmove(&lw->devs[at + 1], &lw->devs[at], (lw->ndevs - at) * sizeof(*lw->devs));
	lw->devs[at] = dev;
	lw->ndevs++;
	dev->seen = lw->generation;
	dev_register(lw, dev, &copy);
	return 0;
}

static int reserve(struct linkwatch *lw, struct following *f, unsigned n)
{
	struct netdev *dev, *tmp;

	if (lw->ndevs + n > lw->cap) {
		unsigned cap = 2 * lw->cap > lw->ndevs + n ? 2 * lw->cap : lw->ndevs + n;
		struct netdev **devs = realloc(lw->devs, cap * sizeof(*devs));

		if (!devs)
			return -ENOMEM;
		lw->devs = devs;
		lw->cap = cap;
	}
	for (; n; n--) {
		dev = calloc(1, sizeof(*dev));
		if (!dev)
			goto err_free;
		list_add_tail(&dev->pending_node, &f->spare);
	}
	return 0;
err_free:
	list_for_each_safe(dev, tmp, &f->spare, struct netdev, pending_node)
		free(dev);
	return -ENOMEM;
}

static int mark_seen(void *arg, const struct link_conf *conf)
{
	struct linkwatch *lw = arg;
	struct netdev *dev = dev_find(lw, conf->ifindex);

	if (dev)
		dev->seen = lw->generation;
	return 0;
}

int linkwatch_follow(struct linkwatch *lw, ktime_t now)
{
	struct counted c = { .lw = lw };
	struct following f = { .lw = lw, .now = now };

	list_init(&f.spare);
	netcfg_link_foreach(lw->cfg, count_new, &c);
	if (reserve(lw, &f, c.n))
		return -ENOMEM;
	lw->generation++;
	netcfg_link_foreach(lw->cfg, mark_seen, lw);
	/* What is gone goes first: its name may be another's by now. From the end, as a VLAN has a higher number than what it stands on. */
	for (unsigned i = lw->ndevs; i-- > 0;) {
		struct netdev *dev = lw->devs[i];

		if (dev->seen == lw->generation)
			continue;
		memmove(&lw->devs[i], &lw->devs[i + 1], (lw->ndevs - i - 1) * sizeof(*lw->devs));
		lw->ndevs--;
		dev_unregister(lw, dev);
	}
	netcfg_link_foreach(lw->cfg, follow_link, &f);
	linkwatch_transfer(lw, now);
	return 0;
}

struct linkwatch *linkwatch_new(struct netcfg *cfg)
{
	struct linkwatch *lw = calloc(1, sizeof(*lw));

	if (!lw)
		return NULL;
	lw->cfg = cfg;
	lw->timer = KTIME_MAX;
	lw->next_run = INT64_MIN;
	list_init(&lw->pending);
	return lw;
}

void linkwatch_free(struct linkwatch *lw)
{
	if (!lw)
		return;
	for (unsigned i = 0; i < lw->ndevs; i++)
		free(lw->devs[i]);
	free(lw->devs);
	free(lw);
}
