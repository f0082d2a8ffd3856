# SPDX-License-Identifier: MIT
"""A small client of netstackd's rtnetlink socket (conf/netlink_proto.h), and what links.sh asks of it:

rtnetlink.py SOCKET NSCTL CONTROL SPACE      TAP lines, numbered from 1; SPACE: the file of the host's network namespace
"""
import errno, os, select, socket, struct, subprocess, sys, time

REQUEST, MULTI, ACK, DUMP, CREATE, EXCL = 1, 2, 4, 0x300, 0x400, 0x200
CAPPED, ACK_TLVS, DUMP_INTR = 0x100, 0x200, 0x10
ERROR, DONE, NEWLINK, DELLINK, GETLINK, SETLINK, GETADDR, NEWADDR = 2, 3, 16, 17, 18, 19, 22, 20
SOCKOPT, SOL_NETLINK, SOL_NSNL = 8, 270, 0x6E73
ADD_MEMBERSHIP, DROP_MEMBERSHIP, CAP_ACK, EXT_ACK, STRICT = 1, 2, 10, 11, 12
ADDRESS, IFNAME, MTU, QDISC, STATS64, OPERSTATE, LINKMODE, LINKINFO, EXT_MASK = 1, 3, 4, 6, 23, 16, 17, 18, 29
CARRIER, CHANGES, UP_COUNT, DOWN_COUNT, MASTER, PARENT = 33, 35, 47, 48, 10, 56
UP, RUNNING, LOWER_UP = 1, 0x40, 0x10000


def attr(kind, data):
    data = data if isinstance(data, bytes) else struct.pack("=I", data)
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attrs(data):
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        assert 4 <= size <= len(data), "an attribute that is longer than what it is in"
        found[kind & 0x3FFF] = data[4:size]
        data = data[size + 3 & ~3:]
    return found


def ifinfo(index=0, flags=0, change=0, family=0):
    return struct.pack("=BxHiII", family, 0, index, flags, change)


class Link:
    def __init__(self, body):
        self.family, self.type, self.index, self.flags, self.change = struct.unpack_from("=BxHiII", body)
        self.attrs = attrs(body[16:])

    def num(self, kind):
        data = self.attrs[kind]
        return int.from_bytes(data, "little")

    name = property(lambda self: self.attrs[IFNAME].rstrip(b"\0").decode())


class Client:
    def __init__(self, path, bufsize=None):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if bufsize:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, bufsize)
        self.sock.connect(path)
        self.sock.settimeout(20)
        self.seq = 0

    def send(self, kind, flags, body, pid=0):
        self.seq += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, self.seq, pid) + body)
        return self.seq

    def packet(self):
        data = self.sock.recv(1 << 17)
        assert data, "netstackd has hung up"
        out = []
        while data:
            size, kind, flags, seq, pid = struct.unpack_from("=IHHII", data)
            assert 16 <= size <= len(data), "a message that is longer than its packet"
            out.append((kind, flags, seq, pid, data[16:size]))
            data = data[size + 3 & ~3:]
        return out

    def ask(self, kind, flags, body):
        """The answers up to the acknowledgement: [messages], errno, extended (message, offset)."""
        seq, got = self.send(kind, flags | ACK, body), []
        while True:
            for kind, flags, mseq, pid, data in self.packet():
                if mseq != seq:
                    continue
                if kind == ERROR:
                    error, length = struct.unpack_from("=iI", data)
                    tlvs = attrs(data[4 + (16 if flags & CAPPED else length):]) if flags & ACK_TLVS else {}
                    return got, -error, (tlvs.get(1, b"").rstrip(b"\0").decode(), struct.unpack("=I", tlvs.get(2, bytes(4)))[0])
                got.append((kind, flags, pid, data))

    def dump(self, kind=GETLINK, body=None, pause=lambda: None):
        seq, links, flags_all = self.send(kind, DUMP, ifinfo() if body is None else body), [], 0
        while True:
            for kind, flags, mseq, pid, data in self.packet():
                if mseq != seq:
                    continue
                if kind == ERROR:
                    return -struct.unpack_from("=i", data)[0], flags_all
                assert flags & MULTI
                flags_all |= flags
                if kind == DONE:
                    return links, flags_all
                links.append(Link(data))
            pause()

    def option(self, name, value=0, level=SOL_NETLINK, text=b""):
        return self.ask(SOCKOPT, 0, struct.pack("=iii", level, name, value) + text)[1]


def main(path, nsctl, control, space):
    count, failed = 0, 0

    def check(ok, text):
        nonlocal count, failed
        count += 1
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {count} - {text}", flush=True)

    def ns(*words):
        subprocess.run([nsctl, "-s", control, *words], check=True)

    def host(name, want):
        for i in range(200):
            if want in subprocess.run(["nsenter", f"--net={space}", "ip", "link", "show", name], capture_output=True, text=True).stdout:
                return True
            time.sleep(0.05)
        return False

    c = Client(path)
    links, flags = c.dump()
    names = {link.name: link for link in links}
    check(set(names) >= {"lo", "eth0", "eth1"} and not flags & DUMP_INTR, "a dump lists all links")
    eth0 = names["eth0"]
    check(eth0.flags & (UP | RUNNING | LOWER_UP) == UP | RUNNING | LOWER_UP and eth0.num(OPERSTATE) == 6 and eth0.num(CARRIER) == 1, "eth0 is up, running, with a carrier")
    check(names["lo"].type == 772 and names["lo"].num(OPERSTATE) == 0 and eth0.type == 1, "lo is a loopback, its state unknown")
    check(eth0.num(CHANGES) == eth0.num(UP_COUNT) + eth0.num(DOWN_COUNT) > 0, "changes of carrier are counted")
    check(len(eth0.attrs[STATS64]) >= 23 * 8 and struct.unpack_from("=Q", eth0.attrs[STATS64])[0] > 0, "statistics have been asked of the workers")
    check(attrs(eth0.attrs[LINKINFO])[1].rstrip(b"\0") == b"tun" and eth0.attrs[PARENT].rstrip(b"\0") == b"tap0", "it is a TAP, and its other end is named")
    got, err, _ = c.ask(GETLINK, 0, ifinfo(eth0.index))
    check(err == 0 and len(got) == 1 and Link(got[0][3]).name == "eth0", "one link by its number")
    got, err, _ = c.ask(GETLINK, 0, ifinfo() + attr(IFNAME, b"eth1\0") + attr(EXT_MASK, 8))
    check(err == 0 and Link(got[0][3]).name == "eth1" and STATS64 not in Link(got[0][3]).attrs, "one by its name, without statistics")
    links, _ = c.dump(body=ifinfo() + attr(LINKINFO, attr(1, b"dummy")))
    check(links == [], "a dump of one kind only")
    links, _ = c.dump(body=b"\0")
    check(len(links) >= 3, "a dump that an old program asks for, by a struct rtgenmsg")

    # refusals
    _, err, ext = c.ask(GETLINK, 0, ifinfo(4711))
    check(err == errno.ENODEV and ext == ("", 0), "no such link: ENODEV, and nothing extended that was not asked for")
    check(c.option(EXT_ACK, 1) == 0 and c.option(CAP_ACK, 1) == 0, "options are set by a message")
    _, err, ext = c.ask(GETLINK, 0, ifinfo(4711))
    check(err == errno.ENODEV and "4711" in ext[0], "then with a sentence")
    _, err, ext = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(EXT_MASK, 1) + attr(MTU, 12))
    check(err == errno.EINVAL and "MTU" in ext[0] and ext[1] == 32 + 8, "a bad MTU: the sentence, and where it is")
    _, err, ext = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(MTU, b"ab"))
    check(err == errno.ERANGE and ext[1] == 32, "an attribute that is too short: where it is")
    _, err, ext = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(ADDRESS, bytes([1, 2, 3, 4, 5, 6])))
    check(err == errno.EADDRNOTAVAIL and "multicast" in ext[0] and ext[1] == 32, "a multicast address is refused")
    for name in (b"\xc3\xa9\0", b"\xff\xfe\0", b"a\x7f\0"):  # what a configuration file could not say
        _, err, ext = c.ask(NEWLINK, CREATE | EXCL, ifinfo() + attr(IFNAME, name) + attr(LINKINFO, attr(1, b"dummy")))
        check(err == errno.EINVAL and "printable" in ext[0] and ext[1] == 32, f"a name that is not printable: {name}")
    _, err, _ = c.ask(NEWLINK, CREATE | EXCL, ifinfo() + attr(IFNAME, b"eth0\0"))
    check(err == errno.EEXIST, "NLM_F_EXCL: there is one")
    _, err, _ = c.ask(NEWADDR, 0, bytes(8))
    check(err == errno.EOPNOTSUPP, "what is not there yet says so")
    _, err, _ = c.ask(200, 0, bytes(8))
    check(err == errno.EOPNOTSUPP, "and what there is not at all")
    check(c.option(STRICT, 1) == 0 and c.dump(body=ifinfo(3))[0] == errno.EINVAL, "strict: a dump takes no number")
    check(c.option(99) == 0 and c.option(1, 65) == errno.EINVAL and c.option(1, 0, level=7) == errno.ENOPROTOOPT, "unknown options")
    check(c.option(1, level=SOL_NSNL, text=b"default\0") == 0 and c.option(1, level=SOL_NSNL, text=b"nowhere") == errno.ENOENT, "a namespace that is there, and one that is not")

    # events and changes
    m = Client(path)
    m.sock.send(struct.pack("=HHII", socket.AF_NETLINK, 0, 77, 1))  # bind: port 77, group 1
    seq = m.send(GETLINK, 0, ifinfo(eth0.index) + attr(EXT_MASK, 8))
    check([(k, s, p) for k, _, s, p, _ in m.packet()] == [(NEWLINK, seq, 77)], "after bind answers carry its port")
    _, err, _ = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(MTU, 1444))
    events = m.packet()
    link = Link(events[0][4])
    check(err == 0 and events[0][0] == NEWLINK and events[0][2:4] == (0, 0) and link.name == "eth0" and link.num(MTU) == 1444, "the MTU is set, and members of the group are told")
    _, err, _ = c.ask(NEWLINK, 0, ifinfo(eth0.index, 0, UP) + attr(MTU, 1500))
    seen = [Link(e[4]) for e in m.packet() + m.packet()]
    check(err == 0 and not seen[-1].flags & (UP | RUNNING) and seen[0].change & UP and seen[-1].num(OPERSTATE) == 2, "down")
    _, err, _ = c.ask(SETLINK, 0, ifinfo(0, UP, UP) + attr(IFNAME, b"eth0\0"))
    seen = [Link(m.packet()[0][4])]
    check(err == 0 and seen[0].flags & UP and seen[0].num(OPERSTATE) == 6, "up, by name")
    _, err, _ = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(CARRIER, b"\0"))
    seen = Link(m.packet()[0][4])
    check(err == 0 and not seen.flags & (RUNNING | LOWER_UP) and seen.num(OPERSTATE) == 2 and seen.num(DOWN_COUNT) > eth0.num(DOWN_COUNT), "the cable pulled")
    _, err, _ = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(LINKMODE, b"\1"))
    seen = Link(m.packet()[0][4])
    _, err2, _ = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(CARRIER, b"\1"))
    seen2 = Link(m.packet()[0][4])
    check((err, err2) == (0, 0) and seen.num(LINKMODE) == 1 and seen2.num(OPERSTATE) == 5, "link mode dormant: the carrier alone does not bring it up")
    check(host("tap0", "state DORMANT mode DORMANT"), "and the host sees that")
    _, err, _ = c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(OPERSTATE, b"\6"))
    seen = Link(m.packet()[0][4])
    check(err == 0 and seen.num(OPERSTATE) == 6 and seen.flags & RUNNING and host("tap0", "state UP"), "until somebody says so, to the host too")
    c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(LINKMODE, b"\0"))
    m.packet()
    ns("link", "add", "eth9", "type", "tap", "host-name", "tap9")
    added = Link(m.packet()[0][4])
    check(added.name == "eth9" and added.change == 0xFFFFFFFF, "a new link is told of")
    while True:  # what its carrier has to say comes first
        kind = None
        _, err, _ = c.ask(DELLINK, 0, ifinfo(added.index))
        while kind != DELLINK:
            kind, _, _, _, body = m.packet()[0]
        break
    check(err == 0 and Link(body).name == "eth9", "deleted over rtnetlink, and told of")
    check(m.option(DROP_MEMBERSHIP, 1) == 0, "out of the group")
    ns("link", "set", "eth0", "mtu", "1499")
    ns("link", "set", "eth0", "mtu", "1500")
    got, _, _ = m.ask(GETLINK, 0, ifinfo(eth0.index))
    check(len(got) == 1, "nothing more is told")
    check(m.option(ADD_MEMBERSHIP, 1) == 0, "in it again, by an option")

    # many messages in one packet
    one = struct.pack("=IHHII", 32 + 8, GETLINK, REQUEST, 5, 0) + ifinfo(eth0.index) + attr(EXT_MASK, 8)
    c.sock.send(one * 100)
    n = 0
    while n < 100:
        n += len([1 for k, _, s, _, _ in c.packet() if k == NEWLINK and s == 5])
    check(n == 100, "a hundred requests in one packet are a hundred answers")

    # bad packets
    for bad in (b"x", bytes(15), bytes(16), struct.pack("=IHHII", 4000, GETLINK, REQUEST, 9, 0), struct.pack("=IHHII", 16, GETLINK, REQUEST | ACK, 9, 0),
                struct.pack("=IHHII", 36, GETLINK, REQUEST, 9, 0) + ifinfo(eth0.index) + struct.pack("=HH", 2, 3)):
        c.sock.send(bad)
    c.sock.send(struct.pack("=IHHII", 20000, GETLINK, REQUEST, 10, 0) + bytes(20000 - 16))
    errors = []
    while 10 not in [s for s, _ in errors]:
        errors += [(s, -struct.unpack_from("=i", d)[0]) for k, _, s, _, d in c.packet() if k == ERROR]
    check((10, errno.EMSGSIZE) in errors and c.ask(GETLINK, 0, ifinfo(eth0.index))[1] == 0, "malformed packets: the client is served on; one that is too long is told so")

    # a slow reader: a member that reads nothing while there is more to tell than it may leave lying
    slow = Client(path, 4096)
    check(slow.option(ADD_MEMBERSHIP, 1) == 0, "one more member")
    for i in range(400):
        body = b"".join(struct.pack("=IHHII", 40, SETLINK, REQUEST, 0, 0) + ifinfo(eth0.index) + attr(MTU, 1000 + k) for k in (1, 2, 3, 4))
        c.sock.send(body)
    check(c.ask(SETLINK, 0, ifinfo(eth0.index) + attr(MTU, 1500))[1] == 0, "others are served while it does not read")
    events, overrun, last = 0, 0, None
    while True:
        for kind, _, seq, _, data in slow.packet():
            if kind == ERROR and seq == 0 and struct.unpack_from("=i", data)[0] == -errno.ENOBUFS:
                overrun += 1
            else:
                events += 1
        if overrun:
            break
    check(0 < events < 1601, "it is told that events were lost (ENOBUFS), after those that were kept")
    links, _ = slow.dump()
    check({link.name: link.num(MTU) for link in links}["eth0"] == 1500, "and asks for everything again")
    ns("link", "set", "eth0", "mtu", "1498")
    while True:
        kind, _, _, _, data = slow.packet()[0]
        if kind == NEWLINK and Link(data).num(MTU) == 1498:
            break
    check(True, "events go on")
    ns("link", "set", "eth0", "mtu", "1500")

    # DUMP_INTR: the list changes while a dump is read
    for i in range(40):
        ns("link", "add", f"many{i}", "type", "tap", "host-name", f"many{i}")
    interrupted, tries = False, 0
    while not interrupted and tries < 20:  # one dump has to be under way when the socket is full: most often it is
        tries += 1
        d, dumps, done = Client(path), 20, 0
        for i in range(dumps):
            d.send(GETLINK, DUMP, ifinfo() + attr(EXT_MASK, 8))
        d.packet()
        ns("link", "add", "one", "type", "tap", "host-name", "one")
        ns("link", "del", "one")
        while done < dumps:
            for kind, flags, _, _, data in d.packet():
                done += kind == DONE
                interrupted |= kind == DONE and bool(flags & DUMP_INTR)
        d.sock.close()
    check(interrupted, "a dump that was overtaken by a change says so")
    for i in range(40):
        ns("link", "del", f"many{i}")

    # as many clients as like
    crowd = []
    for i in range(100):
        crowd.append(Client(path))
    check(Client(path).ask(GETLINK, 0, ifinfo(eth0.index))[1] == 0, "idle clients give way")
    for one in crowd:
        one.sock.close()
    late = Client(path)
    late.send(SETLINK, ACK, ifinfo(eth0.index) + attr(MTU, 1500))
    late.sock.close()  # before it is answered
    check(Client(path).ask(GETLINK, 0, ifinfo(eth0.index))[1] == 0, "one that does not wait for its answer")
    print(f"# {count} checks, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
