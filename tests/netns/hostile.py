#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hostile.py: what an attacker on the wire, or at the control socket, would send. Bounded in count; seeded.

frames IF DST-MAC SRC-IP DST-IP COUNT SEED   malformed frames of every kind, and mutations of right ones
synflood IF DST-MAC NET DST-IP PORT COUNT    SYNs from many addresses
arpflood IF COUNT                            ARP requests from many made-up neighbours
hold DST-IP COUNT                            connections that ask for much and read nothing
monitors PATH NSCTL                          as many monitors, and then silent clients, as are let in; nsctl beside them
control PATH                                 garbage, half requests, a megabyte, clients that go away
"""
import random
import resource
import socket
import struct
import subprocess
import sys
import time


def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip(src, dst, proto, payload, *, opts=b"", ident=1, frag=0, ttl=64, length=None, ver=4, ihl=None, fix=True):
    opts += b"\0" * (-len(opts) % 4)
    ihl = 5 + len(opts) // 4 if ihl is None else ihl
    total = 20 + len(opts) + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", (ver << 4 | ihl) & 255, 0, total & 0xFFFF, ident, frag, ttl, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    if fix:
        head = head[:10] + struct.pack("!H", csum(head + opts)) + head[12:]
    return head + opts + payload


def l4sum(src, dst, proto, seg, at):
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, len(seg))
    return seg[:at] + struct.pack("!H", csum(pseudo + seg)) + seg[at + 2 :]


def tcp(src, dst, sport, dport, flags, *, seq=0, ack=0, win=65535, opts=b"", data=b"", doff=None, urg=0):
    opts += b"\0" * (-len(opts) % 4)
    doff = 5 + len(opts) // 4 if doff is None else doff
    seg = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (doff << 4) & 255, flags, win, 0, urg) + opts + data
    return l4sum(src, dst, 6, seg, 16)


def udp(src, dst, sport, dport, data, length=None):
    seg = struct.pack("!HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data
    return l4sum(src, dst, 17, seg, 6)


def icmp(kind, code, rest):
    msg = struct.pack("!BBH", kind, code, 0) + rest
    return msg[:2] + struct.pack("!H", csum(msg)) + msg[4:]


def catalogue(r, s, d, smac):
    """One of everything that is wrong. Yields (ethertype, payload)."""
    ping = icmp(8, 0, struct.pack("!HH", 7, 7) + b"p" * 56)
    for n in range(0, 40):
        yield 0x0800, ip(s, d, 1, ping)[:n]
        yield 0x0806, (struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + smac + socket.inet_aton(s) + bytes(6) + socket.inet_aton(d))[:n]
    for ver in (0, 5, 6, 15):
        yield 0x0800, ip(s, d, 1, ping, ver=ver)
    for ihl in range(16):
        yield 0x0800, ip(s, d, 1, ping, ihl=ihl)
    for length in (0, 1, 19, 20, 21, 84, 85, 1500, 65535):
        yield 0x0800, ip(s, d, 1, ping, length=length)
    yield 0x0800, ip(s, d, 1, ping, fix=False)
    for src in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", d, "240.0.0.1", s[: s.rfind(".")] + ".255"):
        yield 0x0800, ip(src, d, 1, ping)
        yield 0x0800, ip(src, d, 6, tcp(src, d, 1, 80, 2))
        yield 0x0800, ip(src, d, 17, udp(src, d, 7, 7, b"loop"))
    for dst in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "239.1.2.3", "255.255.255.255", "240.0.0.1", d[: d.rfind(".")] + ".255", d[: d.rfind(".")] + ".0"):
        yield 0x0800, ip(s, dst, 1, ping)
        yield 0x0800, ip(s, dst, 6, tcp(s, dst, 1, 80, 2))
        yield 0x0800, ip(s, dst, 17, udp(s, dst, 7, 7, b"loop"))
    for proto in (0, 2, 3, 41, 47, 50, 58, 132, 255):
        yield 0x0800, ip(s, d, proto, b"x" * 40)
    # IP options: each kind with each length
    for kind in (0, 1, 7, 68, 130, 131, 136, 137, 148, 255):
        for length in (0, 1, 2, 3, 4, 7, 11, 39, 40, 41, 255):
            for ptr in (0, 1, 3, 4, 5, 8, 40, 255):
                yield 0x0800, ip(s, d, 1, ping, opts=bytes([kind, length, ptr]) + b"\1" * r.choice((1, 5, 37)))
    # fragments: overlaps, teardrop, too far, tiny, two ends
    for ident in range(100, 140):
        pieces = [(r.randrange(0, 200) * 8, r.randrange(0, 400), r.random() < 0.8) for _ in range(r.randrange(1, 12))]
        for off, n, more in pieces:
            yield 0x0800, ip(s, d, 17, bytes(n), ident=ident, frag=(0x2000 if more else 0) | off >> 3)
    for off in (65528, 65520, 65512, 64000):
        yield 0x0800, ip(s, d, 1, b"D" * 1400, ident=9, frag=off >> 3)
    yield 0x0800, ip(s, d, 17, b"", ident=10, frag=0x2000)
    yield 0x0800, ip(s, d, 17, b"1234567", ident=10, frag=0x2001)
    for n in range(100):  # never completed
        yield 0x0800, ip(s, d, 17, bytes(1400), ident=1000 + n, frag=0x2000)
    # ICMP: every type; errors with bogus insides
    for kind in range(256):
        yield 0x0800, ip(s, d, 1, icmp(kind, 0, bytes(r.randrange(0, 60))))
    for inner in (b"", b"\x45", ip(d, s, 6, b"12345678"), ip(d, s, 17, b"1234"), ip(s, d, 1, ping), ip(d, s, 1, icmp(3, 3, bytes(4))), ip(d, s, 6, bytes(20), ihl=15), ip(d, s, 6, b"\0\7" * 10, ver=6)):
        for kind, code in ((3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 13), (3, 255), (4, 0), (5, 1), (11, 0), (11, 1), (12, 0)):
            yield 0x0800, ip(s, d, 1, icmp(kind, code, struct.pack("!HH", 0, r.choice((0, 1, 68, 576, 65535))) + inner))
    # UDP lengths
    for length in (0, 1, 7, 8, 9, 12, 13, 65535):
        yield 0x0800, ip(s, d, 17, udp(s, d, 5, 7, b"data", length=length))
    # TCP: data offsets, flags, options
    for doff in range(16):
        yield 0x0800, ip(s, d, 6, tcp(s, d, 9, 80, 2, doff=doff))
    for flags in range(256):
        for port in (80, 7, 81):
            yield 0x0800, ip(s, d, 6, tcp(s, d, 1000 + flags, port, flags, seq=r.getrandbits(32), ack=r.getrandbits(32), urg=r.choice((0, 1, 65535)), data=bytes(r.choice((0, 1, 100)))))
    for kind in (0, 1, 2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 69, 253, 254, 255):
        for length in (0, 1, 2, 3, 4, 10, 18, 34, 40, 41, 255):
            yield 0x0800, ip(s, d, 6, tcp(s, d, r.randrange(1024, 65535), 80, 2, opts=bytes([kind, length]) + bytes(r.randrange(0, 36))))
    for n in range(0, 20):
        yield 0x0800, ip(s, d, 6, tcp(s, d, 9, 80, 2)[:n])
    # ARP nonsense
    for hrd, pro, hln, pln, op in ((0, 0x800, 6, 4, 1), (1, 0x86DD, 6, 4, 1), (1, 0x800, 255, 4, 1), (1, 0x800, 6, 255, 1), (1, 0x800, 6, 4, 0), (1, 0x800, 6, 4, 3), (1, 0x800, 6, 4, 65535)):
        yield 0x0806, struct.pack("!HHBBH", hrd, pro, hln, pln, op) + smac + socket.inet_aton(s) + bytes(6) + socket.inet_aton(d)
    for sip, tip in ((d, d), ("0.0.0.0", d), ("255.255.255.255", d), ("224.0.0.1", d), (s, "0.0.0.0"), ("127.0.0.1", "127.0.0.1")):
        for op in (1, 2):
            for mac in (b"\xff" * 6, bytes(6), b"\1\0\0\0\0\1"):
                yield 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac + socket.inet_aton(sip) + bytes(6) + socket.inet_aton(tip)
    for kind in (0, 1, 46, 0x05DC, 0x0600, 0x8100, 0x88A8, 0x86DD, 0x8847, 0xFFFF):
        yield kind, bytes(r.randrange(0, 100))


def raw(ifname):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((ifname, 0))
    return sock


def send(sock, frame):
    for _ in range(100):
        try:
            return sock.send(frame[:1514])
        except (BlockingIOError, OSError):
            time.sleep(0.001)


def frames(ifname, dmac, s, d, count, seed):
    r = random.Random(seed)
    sock = raw(ifname)
    dmac = bytes.fromhex(dmac.replace(":", ""))
    smac = sock.getsockname()[4]
    every = list(catalogue(r, s, d, smac))
    for kind, payload in every:
        for to in (dmac, b"\xff" * 6) if r.random() < 0.2 else (dmac,):
            send(sock, to + smac + struct.pack("!H", kind) + payload)
    for n in range(count):
        kind, payload = r.choice(every)
        frame = bytearray(dmac + smac + struct.pack("!H", kind) + payload)
        for _ in range(r.randrange(1, 4)):
            what = r.random()
            if what < 0.6 and len(frame) > 14:
                frame[r.randrange(12, len(frame))] = r.getrandbits(8)
            elif what < 0.8:
                del frame[r.randrange(14, len(frame) + 1) :]
            else:
                frame += r.randbytes(r.randrange(0, 64))
        if len(frame) < 14:
            continue
        send(sock, bytes(frame))
        if n % 256 == 0:
            time.sleep(0.001)
    print(f"seed {seed}: {len(every) + count} frames")


def synflood(ifname, dmac, net, d, port, count):
    sock = raw(ifname)
    dmac = bytes.fromhex(dmac.replace(":", ""))
    smac = sock.getsockname()[4]
    for n in range(count):
        s = f"{net}.{n >> 8 & 255}.{n & 255}"
        send(sock, dmac + smac + b"\x08\0" + ip(s, d, 6, tcp(s, d, 1024 + n % 60000, port, 2, seq=n * 7919, opts=b"\2\4\5\xb4")))


def arpflood(ifname, d, count):
    sock = raw(ifname)
    for n in range(count):
        mac = b"\2" + struct.pack("!I", n) + b"\1"
        s = f"10.10.{1 + (n >> 8) % 250}.{n & 255}"
        send(sock, b"\xff" * 6 + mac + b"\x08\6" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + socket.inet_aton(s) + bytes(6) + socket.inet_aton(d))


def hold(d, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    held = []
    for _ in range(count):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.settimeout(100)
        c.connect((d, 80))
        c.sendall(b"GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(c)
    time.sleep(0.5)


def monitors(path, nsctl):
    clients = []
    for request in (b"monitor\n", b"", b"show ver"):
        for _ in range(70):
            c = socket.socket(socket.AF_UNIX)
            c.connect(path)
            try:
                c.sendall(request)
            except OSError:
                pass  # turned away
            clients.append(c)
        for _ in range(5):
            subprocess.run([nsctl, "-s", path, "show", "version"], check=True, timeout=100, stdout=subprocess.DEVNULL)


def control(path):
    def client(patience=5):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(patience)
        c.connect(path)
        return c

    def feed(data, read=True):
        c = client(100)
        try:
            c.sendall(data)
            if read:
                c.shutdown(socket.SHUT_WR)
                while c.recv(65536):
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        c.close()

    r = random.Random(5)
    feed(b"")
    feed(b"\n" * 1000)
    feed(b"show version", read=False)  # half a request
    feed(b"\0\0\0\n")
    feed(r.randbytes(100000))
    feed(b"a" * (1 << 20))  # a line without an end
    feed(b"link add " + b"x" * 60000 + b" type tap\n")
    feed(b"show version\n" * 2000)
    for _ in range(50):
        feed(b"show counters all\nshow sockets\nshow sysctl\n", read=False)  # goes away in the middle of the answer
    c = client()
    try:
        for _ in range(1024):  # a gigabyte that never ends a line
            c.sendall(b"b" * (1 << 20))
    except OSError:
        pass
    c.close()
    idle = []
    try:
        for _ in range(300):
            idle.append(client())
    except OSError:
        pass
    slow = idle[0] if idle else client()
    try:
        slow.sendall(b"show counters all\n" * 500)  # asks much and reads nothing
    except OSError:
        pass
    time.sleep(0.5)
    for c in idle:
        c.close()


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "frames":
        frames(args[0], args[1], args[2], args[3], int(args[4]), int(args[5]))
    elif what == "synflood":
        synflood(args[0], args[1], args[2], args[3], int(args[4]), int(args[5]))
    elif what == "arpflood":
        arpflood(args[0], args[1], int(args[2]))
    elif what == "hold":
        hold(args[0], int(args[1]))
    elif what == "monitors":
        monitors(args[0], args[1])
    elif what == "control":
        control(args[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
