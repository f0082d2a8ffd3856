/* SPDX-License-Identifier: MIT */
/*
 * packet_text.c: a packet in one line, for people: who to whom, what protocol, ports, flags, length.
 *
 * It tells a packet from the next one; for the inside of protocols there are tcpdump and tshark. Bytes are hostile: each layer is looked at only as far as it was captured,
 * and says so ("[cut]") when that is not far enough.
 *
 * Not done: protocols above UDP and TCP, IPv6 extension headers, checksums.
 */
#include "packets.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
	char  *p;
	size_t room;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p, t->room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= t->room)
		n = t->room ? (int)t->room - 1 : 0;
	t->p += n;
	t->room -= (size_t)n;
}

static void say_mac(struct text *t, const uint8_t *m)
{
	say(t, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void say_addr(struct text *t, int family, const uint8_t *a)
{
	char buf[INET6_ADDRSTRLEN];

	say(t, "%s", inet_ntop(family, a, buf, sizeof(buf)) ? buf : "?");
}

static void say_arp(struct text *t, const uint8_t *d, size_t n)
{
	if (n < 28) {
		say(t, "ARP [cut]");
		return;
	}
	if (get_be16(d + 6) == 1) {
		say(t, "ARP who has ");
		say_addr(t, AF_INET, d + 24);
		say(t, "? tell ");
		say_addr(t, AF_INET, d + 14);
	} else if (get_be16(d + 6) == 2) {
		say(t, "ARP ");
		say_addr(t, AF_INET, d + 14);
		say(t, " is at ");
		say_mac(t, d + 8);
	} else {
		say(t, "ARP operation %u", get_be16(d + 6));
	}
}

static void say_tcp(struct text *t, const uint8_t *d, size_t n, size_t len)
{
	static const char names[] = "FSRP.UEW";
	char flags[9], *f = flags;
	unsigned doff;

	if (n < 20) {
		say(t, " TCP [cut]");
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		if (d[13] & 1u << i)
			*f++ = names[i];
	*f = 0;
	doff = (d[12] >> 4) * 4u;
	say(t, " TCP [%s] seq %u", flags[0] ? flags : "none", get_be32(d + 4));
	if (d[13] & 0x10)
		say(t, " ack %u", get_be32(d + 8));
	say(t, " win %u len %zu", get_be16(d + 14), len >= doff ? len - doff : 0);
}

static const char *icmp_name(uint8_t type, uint8_t code, char *buf, size_t size)
{
	static const char *const unreach[] = { "net", "host", "protocol", "port", "fragmentation needed", "source route failed" };

	switch (type) {
	case 0: return "echo reply";
	case 3:
		if (code < sizeof(unreach) / sizeof(unreach[0]))
			snprintf(buf, size, code == 4 ? "%s" : "%s unreachable", unreach[code]);
		else
			snprintf(buf, size, "unreachable, code %u", code);
		return buf;
	case 5: return "redirect";
	case 8: return "echo request";
	case 11: return code ? "reassembly time exceeded" : "time exceeded";
	case 12: return "parameter problem";
	}
	snprintf(buf, size, "type %u code %u", type, code);
	return buf;
}

static void say_icmp(struct text *t, const uint8_t *d, size_t n, size_t len)
{
	char buf[48];

	if (n < 8) {
		say(t, " ICMP [cut]");
		return;
	}
	say(t, " ICMP %s", icmp_name(d[0], d[1], buf, sizeof(buf)));
	if (d[0] == 0 || d[0] == 8)
		say(t, " id %u seq %u", get_be16(d + 4), get_be16(d + 6));
	else if (d[0] == 3 && d[1] == 4)
		say(t, " mtu %u", get_be16(d + 6));
	say(t, " len %zu", len);
}

/* The addresses with the ports, where the protocol has some and they are there. */
static void say_ends(struct text *t, int family, const uint8_t *src, const uint8_t *dst, bool ports, const uint8_t *d, size_t n)
{
	const uint8_t *addr[2] = { src, dst };
	bool bracket = family == AF_INET6;

	ports = ports && n >= 4;
	for (unsigned i = 0; i < 2; i++) {
		say(t, "%s%s", i ? " > " : "", ports && bracket ? "[" : "");
		say_addr(t, family, addr[i]);
		if (ports)
			say(t, "%s:%u", bracket ? "]" : "", get_be16(d + 2 * i));
	}
}

static void say_transport(struct text *t, uint8_t proto, const uint8_t *d, size_t n, size_t len)
{
	switch (proto) {
	case 1:
		say_icmp(t, d, n, len);
		break;
	case 6:
		say_tcp(t, d, n, len);
		break;
	case 17:
		say(t, " UDP len %zu", len >= 8 ? len - 8 : 0);
		break;
	case 58:
		say(t, " ICMPv6 type %d len %zu", n ? d[0] : -1, len);
		break;
	default:
		say(t, " IP protocol %u len %zu", proto, len);
	}
}

static void say_ipv4(struct text *t, const uint8_t *d, size_t n)
{
	unsigned hlen, frag;
	size_t len;

	if (n < 20 || d[0] >> 4 != 4) {
		say(t, n < 20 ? "IPv4 [cut]" : "IPv4 [bad version]");
		return;
	}
	hlen = (d[0] & 15) * 4u;
	frag = get_be16(d + 6);
	len = get_be16(d + 2);
	len = len > hlen ? len - hlen : 0;
	if (hlen < 20 || hlen > n)
		hlen = (unsigned)n; /* nothing behind it can be read */
	say_ends(t, AF_INET, d + 12, d + 16, (d[9] == 6 || d[9] == 17) && !(frag & 0x1fff), d + hlen, n - hlen);
	if (frag & 0x1fff)
		say(t, " fragment of protocol %u at %u len %zu%s", d[9], (frag & 0x1fff) * 8u, len, frag & 0x2000 ? "+" : "");
	else
		say_transport(t, d[9], d + hlen, n - hlen, len);
	if (!(frag & 0x1fff) && frag & 0x2000)
		say(t, " first fragment");
}

static void say_ipv6(struct text *t, const uint8_t *d, size_t n)
{
	if (n < 40) {
		say(t, "IPv6 [cut]");
		return;
	}
	say_ends(t, AF_INET6, d + 8, d + 24, d[6] == 6 || d[6] == 17, d + 40, n - 40);
	say_transport(t, d[6], d + 40, n - 40, get_be16(d + 4));
}

void packet_text(const uint8_t *d, size_t n, size_t len, char *buf, size_t size)
{
	struct text t = { buf, size };
	uint16_t type;
	size_t off = 14;

	if (size)
		*buf = 0;
	if (n < 14) {
		say(&t, "a frame of %zu bytes", len);
		return;
	}
	type = get_be16(d + 12);
	for (unsigned tags = 0; (type == 0x8100 || type == 0x88a8) && tags < 4 && n >= off + 4; tags++) {
		say(&t, "vlan %u ", get_be16(d + off) & 0xfff);
		type = get_be16(d + off + 2);
		off += 4;
	}
	switch (type) {
	case 0x0800:
		say_ipv4(&t, d + off, n - off);
		break;
	case 0x0806:
		say_arp(&t, d + off, n - off);
		break;
	case 0x86dd:
		say_ipv6(&t, d + off, n - off);
		break;
	default:
		say_mac(&t, d + 6);
		say(&t, " > ");
		say_mac(&t, d);
		say(&t, type < 0x0600 ? " 802.3 len %zu" : " ethertype 0x%04zx", type < 0x0600 ? len - off : (size_t)type);
		if (type >= 0x0600)
			say(&t, " len %zu", len > off ? len - off : 0);
	}
}
