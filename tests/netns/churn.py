# SPDX-License-Identifier: MIT
"""churn.py NSCTL CONTROL SEED SECONDS CONFIG: commands at random, for so many seconds; see churn.sh. Runs in the namespace of the host's ends.

A command may be refused (exit status 1). A seed gives the same commands in the same order; what each meets depends on the time.
"""
import random, subprocess, sys, time

nsctl, control, seed, seconds, config = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
rnd = random.Random(seed)
print(f"seed {seed}", flush=True)
SPACES = ["", "n1", "n2", "n3"]
TAPS = ["t1", "t2", "t3", "t4"]
SOFT = ["v0", "v1", "d0", "d1", "b0", "q0", "q1"]
done = refused = 0
captures = []


def ctl(*words):
    global done, refused
    p = subprocess.run([nsctl, "-s", control, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    print(p.returncode, *words, flush=True)
    done += 1
    refused += p.returncode == 1
    if p.returncode not in (0, 1):
        sys.exit(f"nsctl {' '.join(words)}: status {p.returncode}: {p.stderr.decode(errors='replace')}")
    return p.stdout


def host(*words):
    subprocess.run(["ip", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def space():
    s = rnd.choice(SPACES)
    return ["-n", s] if s else []


def tap_add():
    t = rnd.choice(TAPS)
    s = space()
    ctl(*s, "link", "add", t, "type", "tap", "host-name", "tap" + t[1], *rnd.choice([[], ["queues", "1"], ["mtu", "9000"], ["backend", "read"]]))
    ctl(*s, "link", "set", t, "up")
    ctl(*s, "addr", "add", f"10.1{t[1]}.0.2/24", "dev", t)
    host("addr", "add", f"10.1{t[1]}.0.1/24", "dev", "tap" + t[1])


def soft_add():
    s = space()
    what = rnd.randrange(4)
    if what == 0:
        ctl(*s, "link", "add", "v0", "type", "veth", "peer", "v1", *rnd.choice([[], ["netns", "n1"], ["netns", "n2"]]))
    elif what == 1:
        ctl(*s, "link", "add", rnd.choice(["d0", "d1"]), "type", "dummy")
    elif what == 2:
        ctl(*s, "link", "add", "b0", "type", "bridge")
    else:
        ctl(*s, "link", "add", rnd.choice(["q0", "q1"]), "type", "vlan", "link", rnd.choice(TAPS + SOFT), "id", str(rnd.randrange(1, 4095)))


def any_link():
    return rnd.choice(TAPS + SOFT)


def link_set():
    ctl(*space(), "link", "set", any_link(), *rnd.choice([
        ["up"], ["down"], ["mtu", str(rnd.choice([576, 1400, 1500, 9000, 65520]))], ["carrier", "off"], ["carrier", "on"], ["promisc", "on"], ["promisc", "off"],
        ["master", "b0"], ["nomaster"], ["txqueuelen", str(rnd.randrange(0, 2000))]]))


def device_set(dev="eth0"):
    ctl("link", "set", dev, *rnd.choice([
        ["backend", "uring"], ["backend", "read"], ["backend", "auto"], ["offload", "off"], ["offload", "on"], ["offload", "tso", "off"], ["offload", "gro", "off"],
        ["offload", "gro", "on"], ["offload", "rx-gro-hw", rnd.choice(["on", "off"])], ["ring", "rx", str(rnd.choice([16, 512, 4096]))],
        ["ring", "tx", str(rnd.choice([16, 64, 1024]))], ["rx-usecs", str(rnd.choice([0, 50, 500]))], ["busy-poll", str(rnd.choice([0, 50]))],
        ["mtu", str(rnd.choice([1400, 1500, 4000]))], ["copybreak", str(rnd.choice([0, 256, 1942]))], ["rps-cpus", rnd.choice(["0", "1", "3"])]]))


def capture():
    while captures and captures[0].poll() is not None:
        captures.pop(0)
    if len(captures) < 6:
        captures.append(subprocess.Popen(["timeout", str(rnd.choice([0.05, 0.3, 1])), nsctl, "-s", control, *space(), "capture", "-i",
                                          rnd.choice(["any", "eth0", any_link()]), "-w", "-", *rnd.choice([[], ["--drops"], ["-c", "5"], ["icmp"]])],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def on_the_host():
    t = "tap" + rnd.choice(TAPS)[1]
    host(*rnd.choice([["link", "del", t], ["link", "set", t, "down"], ["link", "set", t, "up"], ["link", "set", t, "mtu", "1280"], ["link", "set", t, "down", "name", "tap8"],
                      ["link", "set", "tap8", "name", t]]))


def save_and_reload():
    text = ctl("save")
    with open(config, "wb") as f:
        f.write(text)
    ctl("reload")


def move():
    ctl(*space(), "link", "set", rnd.choice(TAPS + ["v0", "v1", "d0"]), "netns", rnd.choice(["default", "n1", "n2", "n3"]))


def service():
    s, port = space(), rnd.choice(["7", "70"])
    ctl(*s, "service", "add", "udp", port, "echo") if rnd.randrange(2) else ctl(*s, "service", "del", "udp", port)



ACTIONS = [
    (3, lambda: ctl("netns", "add", rnd.choice(SPACES[1:]))), (2, lambda: ctl("netns", "del", rnd.choice(SPACES[1:]))), (8, tap_add), (5, soft_add), (8, link_set), (8, device_set),
    (2, lambda: device_set(rnd.choice(TAPS))), (4, lambda: ctl(*space(), "link", "del", any_link())), (4, capture), (3, on_the_host), (2, save_and_reload), (2, move),
    (2, service),
    (2, lambda: ctl(*space(), *rnd.choice([["show", "softnet"], ["show", "rings"], ["link", "show", "-s", "-s"], ["show", "sockets"], ["neigh", "show"], ["show", "drops"]]))),
]


names = [a for w, a in ACTIONS for _ in range(w)]
end = time.monotonic() + seconds
while time.monotonic() < end:
    rnd.choice(names)()
for p in captures:
    p.wait()
print(f"{done} commands at random, {refused} of them refused, seed {seed}: the daemon answers", flush=True)
