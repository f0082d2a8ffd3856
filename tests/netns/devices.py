#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# devices.py: tagged frames, raw, on the host's end of a TAP (the host's kernel needs no VLANs for that). Usage: devices.py DEV MAC TESTS..., where MAC is that of the
# link at the other end. Prints one line a test, "ok NAME" or "no NAME why"; the exit status is the number of failures.
#
#   arp:TAGS:ADDR      asks for ADDR inside of these tags; the answer comes in the same ones
#   silent:TAGS:ADDR   the same, and nobody answers
#   ping:TAGS:ADDR     an echo of 1,400 bytes inside of these tags
#   cut                tags that end in the middle, of every length
#   storm:N            N frames from N different stations
# TAGS: "10" is 802.1Q VLAN 10, "s20" 802.1ad, "s20.30" one in the other, "" none.
import socket, struct, sys, time

ME = bytes.fromhex("0200000000aa")
dev, mac = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", ""))
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.bind((dev, 0))
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10
sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
sock.settimeout(0.2)


def tags(text):
    out = b""
    for i, t in enumerate(text.split(".") if text else []):
        proto = 0x88A8 if t[0] == "s" else 0x8100
        out += struct.pack("!HH", proto, int(t.lstrip("s")))
    return out


def receive():
    """A frame, with the tag that the kernel took off put back; outgoing ones (our own) are passed over."""
    data, anc, _, addr = sock.recvmsg(70000, 512)
    if addr[2] == socket.PACKET_OUTGOING:
        return b""
    for level, kind, aux in anc:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", aux[:20])
            if status & TP_STATUS_VLAN_VALID:
                data = data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
    return data


def wait_for(match, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            frame = receive()
        except socket.timeout:
            continue
        if match(frame):
            return frame
    return None


def arp(vlan, address, seconds=60):
    ask = mac_all + ME + tags(vlan) + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + ME + socket.inet_aton("0.0.0.0") + bytes(6) + socket.inet_aton(address)
    head = ME + mac + tags(vlan) + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sock.send(ask)
        if wait_for(lambda f: f.startswith(head) and f[len(head) + 6:len(head) + 10] == socket.inet_aton(address), 1):
            return True
    return False


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(vlan, address):
    """From 0.0.0.0's neighbour: the last address but one of a /24."""
    src = socket.inet_aton(address.rsplit(".", 1)[0] + ".250")
    # the answer needs our MAC address: the host asks for it, inside of the tags
    body = struct.pack("!BBHHH", 8, 0, 0, 0x4E53, 7) + bytes(i & 0xFF for i in range(1400))
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 1, 0, src, socket.inet_aton(address))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    head = ME + mac + tags(vlan) + b"\x08\x00"

    def look(f):
        t = tags(vlan)
        if f[12:].startswith(t + b"\x08\x06") and f[12 + len(t) + 2 + 6:][:2] == b"\0\1" and f[12 + len(t) + 2 + 24:][:4] == src:
            sock.send(f[6:12] + ME + t + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + ME + src + f[12 + len(t) + 2 + 8:][:10])
        if not f.startswith(head) or f[len(head) + 9] != 1 or f[len(head) + 20] != 0:
            return False
        return checksum(f[len(head) + 20:len(head) + 20 + len(body)]) == 0 and f[len(head) + 28:len(head) + 20 + len(body)] == body[8:]

    end = time.monotonic() + 60
    while time.monotonic() < end:
        sock.send(mac + ME + tags(vlan) + b"\x08\x00" + ip + body)
        if wait_for(look, 1):
            return True
    return False


def cut():
    whole = mac + ME + tags("s20.30") + b"\x08\x00"
    for n in list(range(15, 18)) + list(range(19, 22)):
        sock.send(whole[:n])
    return True


def storm(n):
    for i in range(n):
        sock.send(mac_all + struct.pack("!BBI", 2, 0x77, i) + b"\x88\xb5" + bytes(46))
    return True


mac_all = b"\xff" * 6
failures = 0
for test in sys.argv[3:]:
    name, *args = test.split(":")
    if name == "arp":
        good = arp(*args)
    elif name == "silent":
        good = not arp(*args, seconds=1)
    elif name == "ping":
        good = ping(*args)
    elif name == "cut":
        good = cut()
    else:
        good = storm(int(args[0]))
    print("ok" if good else "no", test, flush=True)
    failures += not good
sys.exit(failures)
