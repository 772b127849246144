"""The modem process by itself: the test is its supervisor, its console process
and its ssh process, so that PPP comes up, is proven, counted and lost as no
kernel here would do it.  The interface is lo."""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import BUILD, PATIENCE, PROTO_VERSION, wait_for
from modem_site import OWNER, Codes
from sim_modem import Modem

KEY = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk5Zr4x7LwQHHhGQyYpBqdYRAkdKTdN"
       "FzlDbYZnQdVS")
SV_CONFIG, SV_PEER, SV_READY, SV_STOP = 0x402, 0x405, 0x40a, 0x40b
SV_PORT, SV_PPP = 0x40d, 0x40f
UP_READY, UP_OPEN_PORT, UP_PPP, UP_PPP_LIFE = 0x505, 0x506, 0x507, 0x508
UP_PPP_STOP, UP_ROUTE = 0x509, 0x50a
RQ_HELLO, RQ_TAIL, AN_END = 0x101, 0x10a, 0x20b
RQ_INFO, RQ_TOLD, RQ_DONE, RQ_EVENT = 0x111, 0x112, 0x113, 0x114
AN_WELCOME, AN_TASK = 0x201, 0x20e
WY_LINK, WY_RELAY, WY_ROUTE = 0x601, 0x602, 0x603
UP, ENDED = 2, 3
FAILED = 4                          # of a relay


def text(s):
    return struct.pack(">H", len(s.encode())) + s.encode()


def texts(payload, n):
    found = []
    for _ in range(n):
        size, = struct.unpack_from(">H", payload)
        found.append(payload[2:2 + size].decode())
        payload = payload[2 + size:]
    return found


class End:
    """Our end of a link: frames that came, with their descriptor."""

    def __init__(self):
        self.sock, self.theirs = socket.socketpair()
        self.frames, self.fds, self.data = [], [], b""
        self.on = {}
        threading.Thread(target=self.read, daemon=True).start()

    def send(self, kind, payload=b"", fd=None):
        frame = struct.pack(">IHH", len(payload), kind,
                            fd is not None) + payload
        if fd is None:
            self.sock.sendall(frame)
        else:
            socket.send_fds(self.sock, [frame], [fd])

    def read(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 65536, 8)
            except OSError:
                return
            if not data:
                return
            self.data += data
            self.fds += fds
            while len(self.data) >= 8:
                size, kind, flags = struct.unpack_from(">IHH", self.data)
                if len(self.data) < 8 + size:
                    break
                payload = self.data[8:8 + size]
                self.data = self.data[8 + size:]
                fd = self.fds.pop(0) if flags & 1 else None
                if kind in self.on:
                    self.on[kind](payload, fd)
                self.frames.append((kind, payload, fd))

    def of(self, kind):
        return [(p, fd) for k, p, fd in list(self.frames) if k == kind]

    def wait(self, kind, n=1, seconds=None):
        wait_for(lambda: len(self.of(kind)) >= n, seconds or 2 * PATIENCE,
                 text=f"{n} frames {kind:#x}")
        return self.of(kind)[n - 1]


class Site:
    """As much of one as Codes wants."""

    def __init__(self, conf):
        self.conf = conf

    def codes(self):
        return Codes(self)


class Process:
    def __init__(self, folder, modem="", relay=True, host="192.0.2.7",
                 extra="", fast=None, before=(), ports=2):
        self.folder, self.tasks, self.fast = folder, 0, fast
        self.skipped = 0
        self.before, self.codes = list(before), None
        self.sim = Modem(folder, ports=ports)
        (folder / "state").mkdir()
        (folder / "journal").mkdir()
        self.conf = (
            f'name = "box"\nstate_dir = "{folder}/state"\n'
            f'log_dir = "{folder}/journal"\ncontrol = "{folder}/ctl"\n'
            f'modem {{\n\tdata = "{folder}/data"\n' +
            (f'\tcontrol = "{folder}/control"\n' if ports == 2 else '') +
            f'{modem}}}\n'
            'ssh { listen = {"127.0.0.1:2222"} }\n'
            'console "gw" { device = "/dev/null" }\n')
        if relay:
            self.conf += (f'relay "cloud" {{\n\thost = "{host}"\n'
                          f'\tuser = "oob"\n\tidentity = "id"\n'
                          f'\thost_key = {{"{KEY}"}}\n'
                          f'\tlisten = {{"localhost:31337"}}\n}}\n')
        self.conf += extra or f'activation {{ from = {{"{OWNER}"}} }}\n'
        self.process = None
        if fast:
            self.run_fast(fast)
        try:
            self.start()
        except BaseException:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
            self.sim.stop()
            raise

    def start(self):
        self.up, self.console, self.ssh = End(), End(), End()
        self.up.on[UP_OPEN_PORT] = self.open_port
        self.console.on[RQ_HELLO] = self.welcome
        self.console.on[RQ_TAIL] = self.no_tail
        log = open(self.folder / "log", "ab")
        theirs = self.up.theirs

        def take():
            os.dup2(theirs.fileno(), 3)
        self.process = subprocess.Popen(
            self.before + [str(BUILD / "oobd"), "-d", "-R", "modem"],
            stderr=log, preexec_fn=take, close_fds=True, pass_fds=(3,),
            env=self.environment())
        log.close()
        self.up.theirs.close()
        for role, end in (("console", self.console), ("ssh", self.ssh)):
            self.up.send(SV_PEER, text(role), end.theirs.fileno())
            end.theirs.close()
        self.configure()
        # What is asked before it was greeted has no answer.
        self.console.wait(RQ_HELLO)

    def environment(self):
        env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        if self.fast:
            env["LD_PRELOAD"] = str(BUILD / "tests" / "fast.so")
            env["OOBD_FAST"] = str(self.folder / "fast")
            env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        return env

    def run_fast(self, factor):
        """So many times as fast does its monotonic clock run from now on."""
        self.fast = factor
        path = self.folder / "new"
        path.write_text(f"{factor} {self.skipped}")
        path.rename(self.folder / "fast")

    def skip(self, seconds):
        """Its monotonic clock is that much later all at once."""
        self.skipped += seconds
        self.run_fast(self.fast)

    def configure(self):
        n = len(self.up.of(UP_READY))
        with open(self.folder / "conf", "w+") as f:
            f.write(self.conf)
            f.flush()
            self.up.send(SV_CONFIG, b"", f.fileno())
        self.up.send(SV_READY)
        self.up.wait(UP_READY, n + 1)

    def open_port(self, payload, _):
        request, = struct.unpack_from(">I", payload)
        path, = texts(payload[4:], 1)
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.up.send(SV_PORT, struct.pack(">I", request) + text(path) +
                     text(""), fd)
        os.close(fd)

    def welcome(self, payload, _):
        self.console.send(AN_WELCOME, struct.pack(">H", PROTO_VERSION) + text("box") +
                          struct.pack(">Q", 1))

    def no_tail(self, payload, _):
        """It asks for one to know that it heard of all consoles."""
        self.console.send(AN_END, payload[:4] + struct.pack(">BQ", 3, 0))

    def run(self, *words):
        """A verb: its status and what it said."""
        self.tasks += 1
        self.console.send(AN_TASK, struct.pack(">I", self.tasks) +
                          text("alice") + text("ssh") +
                          struct.pack(">BHB", 0, 80, len(words)) +
                          b"".join(map(text, words)))
        task = struct.pack(">I", self.tasks)

        def done():
            return [p for p, _ in self.console.of(RQ_DONE)
                    if p[:4] == task]
        wait_for(done, text=f"the end of {words}")
        said = b"".join(p[5:] for p, _ in self.console.of(RQ_TOLD)
                        if p[:4] == task)
        return done()[0][4], said.decode()

    def info(self, key):
        """What it gives the console process for status."""
        told = [t for k, t in (texts(p, 2) for p, _ in
                               self.console.of(RQ_INFO)) if k == key]
        return told[-1] if told else ""

    def by_sms(self, words):
        """A command as alice would send it, when it is heard."""
        wait_for(lambda: self.info("sms").startswith("listening"),
                 3 * PATIENCE, text="listening for messages")
        self.send(words)

    def send(self, words):
        if self.codes is None:
            self.codes = Site(self.folder / "conf").codes()
        self.sim.do(f"text {OWNER} {words} {self.codes.next()}")

    def told(self, name):
        """Everywhere: by this name, and when it is tried again."""
        seen = self.until(lambda s: s["state"] == "failed", 4 * PATIENCE)
        assert seen["failure"] == name and seen["retry_at"], seen
        assert seen["failure_text"].startswith(name + ": ")
        assert f"last failure 0 s ago: {name}: " in \
            self.run("link", "status")[1]
        assert self.info("link").startswith("failed, next try 20")
        assert f": {name}: " in self.info("link")
        wait_for(lambda: f"{OWNER}: box: link failed: {name}; next try in 1"
                 in self.sim.do("sent text"), 2 * PATIENCE,
                 text="the message")
        return seen

    def status(self, what):
        status, said = self.run(what, "status", "--json")
        assert status == 0 and said.startswith("{"), (status, said)
        return json.loads(said)

    def link(self):
        return self.status("link")

    def modem(self):
        return self.status("modem")

    def until(self, what, seconds=None):
        wait_for(lambda: what(self.link()), seconds or 2 * PATIENCE, 0.1,
                 "the link's change")
        return self.link()

    def ready(self):
        wait_for(lambda: self.modem()["state"] == "ready", 4 * PATIENCE, 0.1,
                 "the modem")

    def events(self, kind):
        return [t for k, t in (texts(p, 2) for p, _ in
                               self.console.of(RQ_EVENT)) if k == kind]

    def way(self):
        """What the ssh process was told last."""
        payload = self.ssh.of(WY_LINK)[-1][0]
        return payload[0], texts(payload[1:], 3)

    def ppp(self, state, failure="", words=""):
        self.up.send(SV_PPP, bytes([state]) + b"".join(map(text, (
            "lo", "127.0.0.1", "10.64.64.64", "192.0.2.53", failure,
            words))))

    def relay(self, state, failure="", words=""):
        self.ssh.send(WY_RELAY, text("cloud") + bytes([0, state]) +
                      text(failure) + text(words))

    def dialled(self, n=1):
        """Up to PPP with the line; its life in seconds."""
        payload, fd = self.up.wait(UP_PPP, n, 4 * PATIENCE)
        os.close(fd)
        self.ppp(1)
        return struct.unpack(">I", payload)[0]

    def stop(self):
        if self.process.poll() is None:
            self.up.send(SV_STOP)
        status = self.process.wait(2 * PATIENCE)
        log = (self.folder / "log").read_text(errors="replace")
        assert "Sanitizer" not in log and "runtime error" not in log, log
        assert self.sim.stop() == 0
        return status


def traffic(size=1000):
    """Something goes over lo."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x" * size, ("127.0.0.1", 9))


@pytest.fixture
def make(tmp_path):
    made = []

    def new(**kw):
        made.append(Process(tmp_path, **kw))
        made[-1].ready()
        return made[-1]
    yield new
    for p in made:
        assert p.stop() == 0


def bring_up(p, n=1):
    p.dialled(n)
    p.ppp(UP)
    p.until(lambda s: s["state"] == "proving")
    p.relay(3)
    traffic()
    return p.until(lambda s: s["state"] == "up")


@pytest.mark.long
def test_the_whole_way(make):
    p = make()
    assert p.run("link", "up", "1h")[0] == 0
    life = p.dialled()
    assert 3600 < life < 3600 + 400
    assert p.link()["state"] == "negotiating" and p.way()[0] == 0
    assert p.modem()["carries_ppp"]
    p.ppp(UP)
    seen = p.until(lambda s: s["state"] == "proving")
    assert seen["way"] == "ppp" and seen["interface"] == "lo"
    assert seen["address"] == "127.0.0.1" and seen["until"] is None
    assert p.way() == (2, ["lo", "127.0.0.1", "192.0.2.53"])
    # name server and relay are routed, and what the ssh process finds
    p.ssh.send(WY_ROUTE, text("192.0.2.8, 192.0.2.7, 2001:db8::1"))
    p.up.wait(UP_ROUTE, 3)
    routed = [texts(r[1:], 1)[0] for r, _ in p.up.of(UP_ROUTE)]
    assert routed == ["192.0.2.53", "192.0.2.7", "192.0.2.8"]
    p.relay(1)
    assert p.link()["state"] == "proving"
    p.relay(2)
    traffic()
    seen = p.until(lambda s: s["state"] == "up")
    assert seen["received"] > 0 and 3500 < seen["left_s"] <= 3600
    # its own end is never far behind ours
    wait_for(lambda: p.up.of(UP_PPP_LIFE))
    lives = [struct.unpack(">I", f)[0] for f, _ in p.up.of(UP_PPP_LIFE)]
    assert 3600 <= lives[-1] <= 3700
    p.run("link", "extend", "30min")
    wait_for(lambda: struct.unpack(
        ">I", p.up.of(UP_PPP_LIFE)[-1][0])[0] > 5300)
    assert "down first" in p.run("modem", "reset")[1]
    p.run("link", "down")
    p.up.wait(UP_PPP_STOP)
    assert p.way()[0] == 0 and p.link()["state"] == "closing"
    p.ppp(ENDED)
    p.until(lambda s: s["state"] == "idle")
    p.ready()
    wait_for(lambda: not p.modem()["carries_ppp"])
    assert [e.split()[0] for e in p.events("link-ppp")] == ["interface=lo"]
    assert "way=ppp" in p.events("link-up")[0]
    # and once more
    p.run("link", "up")
    bring_up(p, 2)


def test_nobody_is_notified_over_what_is_not_proven(make):
    """Relays know a portal by its key; a push service may not."""
    p = make(modem="\tprove_timeout = 5s\n")
    notify = End()
    p.up.send(SV_PEER, text("notify"), notify.theirs.fileno())
    notify.theirs.close()

    def ways():
        return [f[0] for f, _ in notify.of(WY_LINK)]
    p.run("link", "up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "proving")
    assert p.way()[0] == 2 and set(ways()) == {0}
    p.relay(FAILED, "host-key", "the key is another one")
    traffic()
    p.up.wait(UP_PPP_STOP)
    assert set(ways()) == {0}
    p.ppp(ENDED)
    p.until(lambda s: s["failure"] == "E-PORTAL")
    p.ready()
    p.run("link", "up")
    bring_up(p, 2)
    wait_for(lambda: ways()[-1] == 2)
    assert texts(notify.of(WY_LINK)[-1][0][1:], 3) == [
        "lo", "127.0.0.1", "192.0.2.53"]
    p.run("link", "down")
    wait_for(lambda: ways()[-1] == 0)


@pytest.mark.long
@pytest.mark.parametrize("failure", ["E-AUTH", "E-APN", "E-PDP"])
def test_ppp_fails(make, failure):
    p = make()
    p.by_sms("up")
    p.dialled()
    p.ppp(ENDED, failure, "it was not to be")
    assert p.told(failure)["failure_text"] == f"{failure}: it was not to be"
    assert p.way()[0] == 0
    p.ready()
    p.run("link", "up")
    bring_up(p, 2)
    assert p.link()["failure"] == failure     # the last, still


@pytest.mark.long
def test_login_is_refused_three_times(make):
    """Not more often, whatever tries says: contracts get locked."""
    p = make(extra="activation {\n\ttries = 9\n}\n")
    for n in (1, 2, 3):
        p.run("link", "up")
        p.dialled(n)
        p.ppp(ENDED, "E-AUTH", "user or password refused")
        p.until(lambda s: s["state"] != "negotiating")
        p.ready()
    seen = p.until(lambda s: s["state"] == "idle")
    assert seen["failure"] == "E-AUTH" and seen["retry_at"] is None
    # a human may think better of it
    p.run("link", "up")
    p.dialled(4)
    p.ppp(ENDED, "E-AUTH", "user or password refused")
    assert p.until(lambda s: s["state"] == "failed")["retry_at"]


@pytest.mark.parametrize("said, text, name", [
    ("host-key", "the key is another one", "E-PORTAL"),
    ("handshake", "it speaks HTTP", "E-PORTAL"),
    ("connect", "Connection refused", "E-RELAY"),
    ("silent", "", "E-RELAY"),
])
def test_not_proven(make, said, text, name):
    """PPP is there, and the network answers; not so the relay."""
    p = make(modem="\tprove_timeout = 5s\n")
    p.by_sms("up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "proving")
    p.relay(FAILED, said, text)
    traffic()
    wait_for(lambda: p.link()["received"] > 0)
    p.up.wait(UP_PPP_STOP)
    assert p.way()[0] == 2
    p.ppp(ENDED)
    assert text in p.told(name)["failure_text"]
    assert p.way()[0] == 0


def test_nothing_comes_back(make):
    """An address, and not a byte: as without credit.  lo is its own."""
    alone = ["unshare", "-rn", "sh", "-c",
             'ip link set lo up && exec "$@"', "sh"]
    try:
        if subprocess.run(alone + ["true"], stderr=subprocess.DEVNULL,
                          timeout=30).returncode != 0:
            pytest.skip("no network namespace to be had")
    except FileNotFoundError:
        pytest.skip("no unshare")
    p = make(modem="\tprove_timeout = 5s\n", before=alone)
    p.by_sms("up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "proving")
    p.relay(FAILED, "connect", "timed out")
    p.up.wait(UP_PPP_STOP)
    assert p.link()["received"] == 0
    p.ppp(ENDED)
    assert "no credit" in p.told("E-DEAD")["failure_text"]


def test_no_ppp_at_all(make):
    p = make()
    p.run("link", "up")
    p.dialled()
    p.ppp(ENDED, "E-PPP", "PPP needs root: start oobd as root")
    seen = p.until(lambda s: s["way"] == "existing")
    assert seen["failure"] == "E-PPP" and "root" in seen["failure_text"]
    assert p.way()[0] == 1


@pytest.mark.long
def test_one_port_is_deaf_and_looks_first(make):
    """No message while it carries data, and it says so; what came meanwhile
    is read before anything is sent."""
    p = make(ports=1)
    p.by_sms("ping")
    wait_for(lambda: "pong" in p.sim.do("sent text"), 2 * PATIENCE)
    p.run("link", "up", "1h")
    bring_up(p)
    assert p.modem()["state"] == "deaf"
    assert "no messages until it is down" in p.run("link", "status")[1]
    wait_for(lambda: p.info("sms").startswith("not listening"))
    p.send("status")
    assert p.sim.do("sent text").count(OWNER) == 1
    p.run("link", "down")
    p.up.wait(UP_PPP_STOP)
    p.sim.do("commands clear")
    p.ppp(ENDED)
    wait_for(lambda: p.sim.do("sent text").count(OWNER) == 2, 4 * PATIENCE,
             text="the answer")
    told = [c.split(":", 1)[1] for c in p.sim.commands()]
    kinds = [k for c in told for k in ("AT+CMGL", "AT+CMGS") if
             c.startswith(k)]
    assert kinds[0] == "AT+CMGL" and "AT+CMGS" in kinds, told
    assert "box: link " in p.sim.do("sent text")


@pytest.mark.long
def test_lost_while_up(make):
    p = make()
    p.run("link", "up", "1h")
    seen = bring_up(p)
    until = seen["until"]
    p.sim.do("no-carrier")
    p.ppp(ENDED, "E-DEAD", "the network hung up")
    seen = p.until(lambda s: s["state"] == "failed")
    assert seen["failure"] == "E-DEAD" and p.way()[0] == 0
    # dialled anew by itself; the end stays where it was
    seen = p.until(lambda s: s["state"] == "negotiating", 60)
    bring_up(p, 2)
    assert abs(len(until) - len(p.link()["until"])) == 0
    assert p.link()["until"][:19] == until[:19]


@pytest.mark.long
def test_vanishes_while_up(make):
    p = make()
    p.run("link", "up", "1h")
    bring_up(p)
    p.sim.do("unplug")
    p.up.wait(UP_PPP_STOP)
    p.ppp(ENDED)
    seen = p.until(lambda s: s["state"] == "failed")
    assert seen["failure"] == "E-MODEM" and seen["retry_at"]
    p.sim.do("plug")
    p.up.wait(UP_PPP, 2, 90)
    bring_up(p, 2)


def test_network_ends_the_call(make):
    """PPP does not see it, but the modem's other port tells."""
    p = make()
    p.run("link", "up", "1h")
    bring_up(p)
    wait_for(lambda: "control:AT+CGACT?" in p.sim.commands(), PATIENCE, 0.1)
    p.sim.do("no-carrier")
    p.up.wait(UP_PPP_STOP)
    p.ppp(ENDED)
    seen = p.until(lambda s: s["state"] == "failed")
    assert seen["failure"] == "E-DEAD" and seen["retry_at"]
    assert "the network ended the call" in seen["failure_text"]


def test_a_supervisor_that_says_nothing(make):
    """PPP that does not end is given up on after its time."""
    p = make()
    p.run("link", "up")
    p.dialled()
    p.run("link", "down")
    p.up.wait(UP_PPP_STOP)
    assert p.link()["state"] == "closing"
    p.until(lambda s: s["state"] == "idle", 20)
    p.ppp(ENDED, "E-PDP", "late")
    assert p.link()["state"] == "idle"


def test_limit_of_bytes(make):
    p = make(modem='\tday_soft = 1kb\n\tday_limit = 64kb\n', relay=False)
    p.run("link", "up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "up")      # nobody there to prove it
    for _ in range(100):
        traffic()
    p.up.wait(UP_PPP_STOP, 1, 30)
    p.ppp(ENDED)
    seen = p.until(lambda s: s["state"] == "idle")
    assert seen["failure"] == "E-QUOTA" and seen["retry_at"] is None
    assert ": E-QUOTA: " in p.info("link")
    status, said = p.run("link", "up")
    assert status == 1 and "E-QUOTA" in said
    p.by_sms("up")
    wait_for(lambda: f"{OWNER}: box: no link: E-QUOTA: " in
             p.sim.do("sent text"), 2 * PATIENCE, text="the message")


def test_bytes_are_known_after_a_power_cut(make):
    """As much as if it were: nothing had the time to write it down."""
    p = make(modem="\tday_limit = 100mb\n", relay=False)
    p.run("link", "up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "up")
    budget = p.folder / "state" / "modem" / "budget"
    for _ in range(150):
        traffic(4000)
    # without an end: because they are many
    wait_for(lambda: budget.exists(), 3 * PATIENCE, text="writing it")
    kept = int(re.search(r"^day (\d+)$", budget.read_text(), re.M).group(1))
    assert kept >= 2 * 150 * 4000
    p.process.send_signal(signal.SIGKILL)
    p.process.wait()
    p.start()
    p.ready()
    told = re.match(r"([\d.]+) MB of 104.9 MB today", p.modem()["budget"])
    assert told and float(told.group(1)) >= kept / 1e6 - 0.05, \
        p.modem()["budget"]


def test_relay_by_another_way_proves_nothing(make):
    """A relay is through, but not a byte came over PPP."""
    p = make()
    p.run("link", "up")
    p.dialled()
    p.ppp(UP)
    p.until(lambda s: s["state"] == "proving")
    if p.link()["received"] > 0:
        pytest.skip("others use lo")
    p.relay(3)
    time.sleep(1.5)
    seen = p.link()
    assert seen["state"] == "proving" or seen["received"] > 0


@pytest.mark.long
def test_modem_section_goes_while_up(make):
    p = make()
    p.run("link", "up", "1h")
    bring_up(p)
    full = p.conf
    p.conf = full.replace('\tcontrol = ', '\tapn = "x"\n\tcontrol = ')
    p.configure()
    assert p.link()["state"] == "up"
    # another port: not before the link is down
    p.conf = full.replace(f'\tcontrol = "{p.folder}/control"\n', "")
    p.configure()
    assert p.link()["state"] == "up" and p.modem()["control_port"]
    p.run("link", "down")
    p.ppp(ENDED)
    p.until(lambda s: s["state"] == "idle")
    wait_for(lambda: p.modem()["state"] == "ready" and
             p.modem()["control_port"] == "", 3 * PATIENCE, 0.1)
