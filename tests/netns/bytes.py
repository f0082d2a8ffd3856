#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bytes.py: the documented sequence of /bytes/N, its CRC, and an echo that compares every byte.

make N           writes the first N bytes of the sequence
crc FILE         prints what PUT /sink answers for FILE
echo HOST PORT N sends N bytes and compares what comes back while it is still sending
"""
import random
import select
import socket
import struct
import sys
import time
import zlib

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def sequence(n):
    """The sequence of /bytes/N: 64-bit little-endian words, word k being k times GOLDEN modulo 2**64, cut at N bytes."""
    per, word = 1 << 16, 0
    while n > 0:
        block = struct.pack(f"<{per}Q", *[(k * GOLDEN) & MASK for k in range(word, word + per)])[:n]
        yield block
        word += per
        n -= len(block)


def echo(host, port, n):
    data = random.Random(n).randbytes(1 << 20)
    sock = socket.create_connection((host, port), 60)
    sock.setblocking(False)
    sent = got = 0
    last = time.monotonic()
    while got < n:
        readable, writable, _ = select.select([sock], [sock] if sent < n else [], [], 1)
        if readable:
            block = sock.recv(1 << 18)
            if not block:
                sys.exit(f"end of stream after {got} of {n} bytes")
            off = got % len(data)
            want = data[off : off + len(block)]
            want += data[: len(block) - len(want)]
            if block != want:
                sys.exit(f"wrong bytes near {got}")
            got += len(block)
            last = time.monotonic()
        if writable and sent < n:
            off = sent % len(data)
            sent += sock.send(data[off : off + min(1 << 18, n - sent)])
            if sent == n:
                sock.shutdown(socket.SHUT_WR)
        if time.monotonic() - last > 120:
            sys.exit(f"nothing for 120 s: {sent} sent, {got} received of {n}")
    sock.settimeout(120)
    if sock.recv(1):
        sys.exit("more came back than was sent")


def main():
    what = sys.argv[1]
    if what == "make":
        for block in sequence(int(sys.argv[2])):
            sys.stdout.buffer.write(block)
    elif what == "crc":
        crc = n = 0
        with open(sys.argv[2], "rb") as f:
            while block := f.read(1 << 20):
                crc = zlib.crc32(block, crc)
                n += len(block)
        print(f"{n} {crc:08x}")
    elif what == "echo":
        echo(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
