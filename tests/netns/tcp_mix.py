#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tcp_mix.py ADDRESS PORT CONNECTIONS SEED SECONDS: odd applications against an echo service, all at once in one loop.

Each connection draws from the seed: buffers from tiny to the default, Nagle or not, the sizes of its writes and reads, pauses of its reader, how much it
sends, and how it ends: half-close and read to the end, close at once with the echo still on its way, or reset. Every byte that comes back is compared; who
half-closed must get all of it and then the end. The exit status is 0 when all did; what went wrong is printed.
"""
import random, selectors, socket, struct, sys, time

address, port, count, seed, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
POOL = random.Random(seed).randbytes(1 << 20)
sel = selectors.DefaultSelector()
failed = []


class Conn:
    def __init__(self, i):
        r = self.r = random.Random(seed * 1000003 + i)
        self.i, self.sent, self.got, self.state = i, 0, 0, "open"
        self.base = r.randrange(1 << 19)
        self.total = r.choice([0, 1, 2, r.randrange(200), r.randrange(5000), r.randrange(60000), r.randrange(300000)])
        self.end = r.choice(["half", "half", "half", "half", "close", "reset"])
        self.leave = r.randrange(self.total + 1)  # close, reset: when so much has been echoed
        self.write_max = r.choice([1, 7, 100, 1459, 1461, 5000, 70000])
        self.read_max = r.choice([3, 100, 1460, 8000, 100000])
        if self.total / min(self.write_max, self.read_max) > 3000:
            self.total = 3000 * min(self.write_max, self.read_max)
            self.leave = min(self.leave, self.total)
        self.lazy = r.choice([0, 0, 0, 0.01, 0.05])  # chance per read that the reader falls asleep
        self.asleep, self.naps = 0.0, 12
        self.s = socket.socket()
        self.s.setblocking(False)
        if r.random() < 0.5:
            rcvbuf = r.choice([1, 2304, 5000, 20000])
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            if rcvbuf < 10000:  # its window never holds a full segment: some hundred bytes for each timeout against silly windows
                self.total = min(self.total, 10000)
                self.leave = min(self.leave, self.total)
        if r.random() < 0.5:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, r.choice([1, 4608, 10000]))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(r.random() < 0.5))
        self.s.connect_ex((address, port))
        self.mask = 0
        self.want()

    def fail(self, what):
        failed.append(f"connection {self.i}: {what}: sent {self.sent} of {self.total}, got {self.got}, ends by {self.end}, {self.state}")
        self.over()

    def over(self):
        self.state = "over"
        self.want()
        self.s.close()

    def want(self):
        m = 0
        if self.state != "over" and not self.asleep:
            m |= selectors.EVENT_READ
        if self.state == "open":
            m |= selectors.EVENT_WRITE
        if m != self.mask:
            if not m:
                sel.unregister(self.s)
            elif self.mask:
                sel.modify(self.s, m, self)
            else:
                sel.register(self.s, m, self)
            self.mask = m

    def write(self):
        if self.sent < self.total:
            n = min(self.total - self.sent, self.r.randint(1, self.write_max))
            at = self.base + self.sent
            self.sent += self.s.send(POOL[at:at + n])
        if self.sent == self.total and self.end == "half":
            self.s.shutdown(socket.SHUT_WR)
            self.state = "half"
        elif self.sent == self.total:
            self.state = "sent"

    def read(self):
        b = self.s.recv(self.r.randint(1, self.read_max))
        if b != POOL[self.base + self.got:self.base + self.got + len(b)] or self.got + len(b) > self.sent:
            return self.fail(f"{len(b)} bytes differ at {self.got}")
        self.got += len(b)
        if not b:
            if self.state == "half" and self.got == self.total:
                return self.over()
            return self.fail("an early end")
        if self.r.random() < self.lazy and self.naps:
            self.naps -= 1
            self.asleep = time.monotonic() + self.r.uniform(0, 0.6)

    def step(self, events):
        try:
            if events & selectors.EVENT_READ:
                self.read()
            if events & selectors.EVENT_WRITE and self.state == "open":
                self.write()
        except BlockingIOError:
            pass
        except OSError as e:
            return self.fail(str(e))
        if self.state != "over" and self.end != "half" and self.got >= self.leave and (self.sent or not self.total) and self.state == "sent":
            if self.end == "reset":
                self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return self.over()
        self.want()


conns = [Conn(i) for i in range(count)]
deadline = time.monotonic() + seconds
left = conns
while left and time.monotonic() < deadline:
    for key, events in sel.select(0.02):
        if key.data.state != "over":
            key.data.step(events)
    now = time.monotonic()
    for c in left:
        if c.asleep and now >= c.asleep:
            c.asleep = 0.0
            c.step(0)
    left = [c for c in left if c.state != "over"]
for c in left:
    c.fail("not done in time")
for f in failed:
    print(f)
print(f"{count} connections, {sum(c.got for c in conns)} bytes came back, {len(failed)} failed")
sys.exit(bool(failed))
