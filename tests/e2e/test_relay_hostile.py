"""A hostile relay: local admins notice nothing, nobody gets in, memory stays
within its bound."""
import re
import socket
import struct
import threading
import time

import paramiko
import pytest

import hostile_relay as hr
from conftest import PATIENCE, SANITIZED, free_port, make_key, wait_for
from hostile_relay import Behaviour, HostileRelay
from relay_site import RelaySite, rss_kb

pytestmark = pytest.mark.long

# What it may cost at most, in kB, as docs/relay.md says: 16 connections
# without a login, 256 each, 64 channels that wait, 16 each; and overhead.
BOUND = 8192
# A key typed at the box itself is answered within, s.
ECHO = 2 if SANITIZED else 1


class Echo(threading.Thread):
    """A local admin who types on and on, and how long it took at worst."""

    def __init__(self, client, pid):
        super().__init__(daemon=True)
        self.client = client
        self.pid = pid              # whose memory is watched meanwhile
        self.memory = 0
        self.worst = 0
        self.count = 0
        self.failed = None
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            key = b"<%06d>" % self.count
            start = time.monotonic()
            try:
                self.client.send(key)
                self.client.expect(key, 10)
            except (AssertionError, OSError) as e:
                self.failed = e
                return
            self.worst = max(self.worst, time.monotonic() - start)
            self.count += 1
            self.memory = max(self.memory, rss_kb(self.pid))
            time.sleep(0.02)

    def verdict(self):
        self.stopping = True
        self.join(12)
        assert self.failed is None, self.failed
        assert self.count > 5
        assert self.worst < ECHO, f"an echo took {self.worst:.2f} s"


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A site with a relay whose behaviour each test sets."""
    d = tmp_path_factory.mktemp("evil")
    relay = HostileRelay(make_key(d / "host"))
    s = RelaySite()
    s.relay = relay
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    # The forward it grants is not really there: only the test would know.
    s.add_relay("evil", None, free_port(), host="127.0.0.1",
                port=relay.port, second_port=0, user="oob",
                identity=str(make_key(d / "identity")),
                host_key=[" ".join((d / "host.pub").read_text()
                                   .split()[:2])], max_channels=16)
    s.start()
    s.await_up("evil")
    s.pid = s.children()["ssh"]
    s.grown = 0                 # kB
    first = rss_kb(s.pid)
    yield s
    kept = rss_kb(s.pid) - first
    print(f"memory grew by {s.grown} kB at most, {kept} kB in all")
    try:
        s.close()
        assert SANITIZED or kept < BOUND, f"it kept {kept} kB"
    finally:
        relay.close()


def reconnect(site, behaviour):
    """The next connection behaves like this."""
    relay = site.relay
    n = len(relay.times)
    relay.behaviour = behaviour
    relay.kick()
    deadline = time.monotonic() + PATIENCE
    while len(relay.times) == n:
        site.reload()               # no waiting for a back-off
        time.sleep(0.3)
        assert time.monotonic() < deadline, "the box does not come back"


def attack(site, act=None, seconds=0.0, **kw):
    """Let it happen while a local admin types; gives the connection."""
    local = site.attach("alice", login="alice:gw")
    local.expect(b"? for help]\r\n")
    before = len(site.log())
    memory = rss_kb(site.pid)
    done = threading.Event()
    made, failed = [], []

    def wrapped(connection):
        made.append(connection)
        try:
            if act is not None:
                act(connection)
        except (AssertionError, KeyError) as e:
            failed.append(e)        # in a thread that nobody asks
        finally:
            done.set()
    typist = Echo(local, site.pid)
    try:
        reconnect(site, Behaviour(act=wrapped, **kw))
        if act is not None:
            assert done.wait(4 * PATIENCE), "the attack did not end"
            assert not failed, failed
        time.sleep(seconds)
        # Whoever comes now gets in, too.
        assert b"gw" in site.run("alice", "list").stdout
        typist.verdict()
    finally:
        typist.stopping = True      # or who comes next could not type
        local.send(b"\x05c.")
        local.wait()
    grown = typist.memory - memory
    print(f"grown by {grown} kB, echo {typist.worst * 1000:.0f} ms at worst")
    site.grown = max(site.grown, grown)
    if not SANITIZED:
        assert grown < BOUND, f"grew by {grown} kB"
    said = site.log()[before:]
    # The local admin alone: twice.
    assert len(re.findall(r"logged in", said)) <= 2, said
    assert b"relay" not in site.ctl("who").stdout
    assert site.children()["ssh"] == site.pid, "restarted: " + said[-2000:]
    return made[0] if made else None


def settle(connection, want, seconds=10):
    """Until so many opens were answered, or the box hung up."""
    try:
        wait_for(lambda: connection.answered() >= want or
                 not connection.is_active(), seconds, every=0.002)
    except AssertionError:
        pass


def test_junk_channels(evil):
    kinds = ("session", "direct-tcpip", "x11", "auth-agent@openssh.com",
             "forwarded-streamlocal@openssh.com", "tun@openssh.com",
             "direct-streamlocal@openssh.com", "", "x" * 1000,
             "forwarded-tcp", "forwarded-tcpip2")

    def act(c):
        n = 0
        for kind in kinds:
            for rest in (None, b"", b"\0" * 40, b"\xff" * 40):
                c.open(n, kind=kind, rest=rest)
                n += 1
        settle(c, n - 4, 5)
    c = attack(evil, act)
    assert c.opened == {}
    # What cannot be parsed at all may go without an answer.
    missing = set(range(0, 4 * len(kinds), 4)) - set(c.refused)
    assert not missing or not c.is_active(), [kinds[n // 4] for n in missing]
    evil.await_up("evil")


def test_ten_thousand_opens(evil):
    def act(c):
        for n in range(10000):
            c.open(n)
        settle(c, 10000, 30)
    c = attack(evil, act)
    assert len(c.opened) <= 16
    if c.is_active():
        assert c.answered() == 10000


def test_ports_not_asked_for(evil):
    asked = int(evil.relays["evil"]["listen"][0].split(":")[1])

    def act(c):
        ports = [0, 22, evil.port, asked + 1, asked - 1, hr.U32]
        for n, port in enumerate(ports):
            c.open(n, port=port)
        settle(c, len(ports))
    c = attack(evil, act)
    assert c.opened == {}


class Sink:
    """In place of paramiko's channel: notes what comes for it."""

    def __init__(self, c, number):
        self.got = []               # bytes of each packet
        self.answers = []           # to requests: their messages' numbers
        table = c._channel_handler_table
        table[hr.DATA] = lambda sink, m: sink.got.append(m.get_binary())
        for k in (hr.ADJUST, hr.EOF, hr.CLOSE, hr.REQUEST, hr.EXTENDED):
            table[k] = lambda sink, m: None
        for k in (hr.SUCCESS, hr.FAILURE):
            table[k] = lambda sink, m, k=k: sink.answers.append(k)
        c._channels.put(number, self)

    def __getattr__(self, name):
        return lambda *a, **k: None


TOO_SMALL = "packets under 64 bytes"
# Window, largest packet; how much comes, at least and at most.
SIZES = {
    "plenty": (hr.U32, hr.U32, 500, 5000),
    "none": (0, 32768, 0, 0),
    "one byte": (1, 32768, 1, 1),
    "ten bytes": (10, 1 << 31, 10, 10),
    "packets of 100": (1 << 21, 100, 500, 5000),
    "packets of 50": (1 << 21, 50, TOO_SMALL, 100),
    "packets of 10": (1 << 21, 10, TOO_SMALL, 10),
    # libssh leaves ten bytes of each for its head, and goes below nothing:
    # who wants less gets more than it wants, and no more than all.
    "packets of 1": (1 << 21, 1, 500, 5000),
    "packets of none": (1 << 21, 0, 0, 0),
}


@pytest.mark.parametrize("size", SIZES)
def test_packet_and_window_sizes(evil, size):
    """What is promised about sizes holds, whatever they are; a relay whose
    packets are too small to be meant is done with."""
    window, packet, least, most = SIZES[size]
    sinks = []

    def act(c):
        sinks.append(Sink(c, 0))
        c.open(0, window=window, packet=packet)
        settle(c, 1)
        assert c.opened or packet == 0
        if packet == 0:
            return                  # such a channel there is not
        c.send(hr.DATA, c.opened[0][0], b"SSH-2.0-x\r\n")
        time.sleep(1)
        c._channels.delete(0)
    c = attack(evil, act)
    sizes = [len(data) for data in sinks[0].got]
    assert all(n <= packet for n in sizes) or packet < 10, sizes
    if least == TOO_SMALL:
        error = evil.relay_status("evil").get("last_error", "")
        assert TOO_SMALL in error, error
        assert not c.is_active() and sum(sizes) <= most, sizes
    else:
        assert c.is_active() and least <= sum(sizes) <= most, sizes


def test_requests_of_its_own(evil):
    """All that it may ask of us is refused, and each time that is said."""
    port = free_port()
    here = (b"127.0.0.1", port)
    asked = {"tcpip-forward": here, "cancel-tcpip-forward": here,
             "streamlocal-forward@openssh.com": (b"/tmp/oobd-none",),
             "no-more-sessions@openssh.com": (), "x" * 1000: (), "": ()}
    of_channel = {"exec": (b"id",), "shell": (), "subsystem": (b"sftp",),
                  "env": (b"A", b"B"),
                  "pty-req": (b"xterm", 80, 24, 0, 0, b""),
                  "x11-req": (False, b"MIT-MAGIC-COOKIE-1", b"00", 0),
                  "auth-agent-req@openssh.com": (), "y" * 1000: (), "": ()}
    said, sinks = [], []

    def act(c):
        for k in (hr.REQUEST_SUCCESS, hr.REQUEST_FAILURE):
            c._handler_table[k] = lambda c, m, k=k: said.append(k)
        for kind, fields in asked.items():
            c.send(hr.GLOBAL_REQUEST, kind, True, *fields)
        sinks.append(Sink(c, 0))
        c.open(0)
        settle(c, 1)
        for kind, fields in of_channel.items():
            c.send(hr.REQUEST, c.opened[0][0], kind, True, *fields)
        wait_for(lambda: len(said) >= len(asked) and
                 len(sinks[0].answers) >= len(of_channel), 5)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        c._channels.delete(0)
    attack(evil, act)
    assert set(said) == {hr.REQUEST_FAILURE}, said
    assert set(sinks[0].answers) == {hr.FAILURE}, sinks[0].answers


def test_data_beyond_the_window(evil):
    def act(c):
        for n in range(4):
            c.open(n)
        settle(c, 4)
        theirs = [t for t, _, _ in c.opened.values()]
        for _ in range(400):                # 50 MB
            for t in theirs:
                c.send(hr.DATA, t, b"x" * 32000)
    attack(evil, act)


def test_data_into_channels_that_wait(evil):
    """The default number of channels.  The first hold all places that our
    server has for connections without a login, the others wait for one, and
    get as much as libssh takes at the most, whatever it granted."""
    evil.relays["evil"]["max_channels"] = 64
    evil.reload()

    def act(c):
        for n in range(64):
            c.open(n)
        settle(c, 64)
        waiting = [c.opened[n][0] for n in range(20, 64) if n in c.opened]
        for _ in range(40):                 # 1.2 MB each, 53 MB in all
            for theirs in waiting:
                c.send(hr.DATA, theirs, b"x" * 30000)
    try:
        c = attack(evil, act, seconds=0.5)
    finally:
        evil.relays["evil"]["max_channels"] = 16
    assert len(c.opened) == 64


def test_window_adjusts(evil):
    def act(c):
        c.open(0, window=0)
        settle(c, 1)
        for theirs, _, _ in c.opened.values():
            for _ in range(5000):
                c.send(hr.ADJUST, theirs, hr.U32)
    attack(evil, act)


def test_messages_for_nobody(evil):
    def act(c):
        for n in (0, 1, 77, hr.U32):
            c.send(hr.DATA, n, b"hello")
            c.send(hr.EXTENDED, n, 1, b"hello")
            c.send(hr.ADJUST, n, 100)
            c.send(hr.EOF, n)
            c.send(hr.REQUEST, n, "exit-status", True, 0)
            c.send(hr.SUCCESS, n)
            c.send(hr.OPENED, n, 0, 100, 100)
            c.send(hr.NOT_OPENED, n, 1, "no", "")
            c.send(hr.CLOSE, n)
    attack(evil, act, seconds=0.5)


def test_open_and_close(evil):
    """Churn: nothing is left of any of them."""
    before = evil.fds("ssh")

    def act(c):
        for n in range(500):
            c.open(n)
            settle(c, n + 1, 2)
            if n in c.opened:
                c.send(hr.CLOSE, c.opened[n][0])
            if not c.is_active():
                break
    attack(evil, act)
    wait_for(lambda: evil.fds("ssh") <= before + 1)


def test_silent_channels_leave_room(evil):
    """Sixteen that never log in: an admin at the box still does."""
    def act(c):
        for n in range(16):
            c.open(n)
        settle(c, 16)
        time.sleep(1)
        done = evil.run("alice", "list")
        assert b"gw" in done.stdout
    attack(evil, act)


def test_garbage_in_channels(evil):
    def act(c):
        for n in range(12):
            c.open(n)
        settle(c, 12)
        for i, (theirs, _, _) in enumerate(list(c.opened.values())):
            c.send(hr.DATA, theirs, (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 30000,
                                     b"SSH-2.0-x\r\n" + b"\xff" * 30000,
                                     b"SSH-1.5-x\r\n")[i % 4])
    attack(evil, act, seconds=1)


def test_half_packets_in_channels(evil):
    """In as many as our server lets in without a login: nearly all of the
    largest packet that the library takes, and never its end."""
    half = b"SSH-2.0-x\r\n" + struct.pack(">I", 250000) + b"\x04" * 240000

    def act(c):
        for n in range(16):
            c.open(n)
        settle(c, 16)
        for at in range(0, len(half), 30000):
            for theirs, _, _ in list(c.opened.values()):
                c.send(hr.DATA, theirs, half[at:at + 30000])
    attack(evil, act, seconds=0.5)


def test_global_requests_without_end(evil):
    """Thousands, whose answers nobody reads: they must not pile up."""
    def act(c):
        c.wire.deaf.set()
        c.wire.sock.settimeout(2)
        try:
            for _ in range(60000):
                c.send(hr.GLOBAL_REQUEST, "keepalive@openssh.com", True)
        except OSError:
            pass
        c.wire.deaf.clear()
    attack(evil, act)


def test_ignore_debug_unknown(evil):
    def act(c):
        for _ in range(800):
            c.send(hr.IGNORE, b"x" * 30000)
            c.send(hr.DEBUG, True, b"y" * 30000, "")
        for _ in range(3000):
            c.send(199)
            c.send(hr.UNIMPLEMENTED, 5)
    attack(evil, act)


def test_rekey_storm(evil):
    def act(c):
        for _ in range(20):
            c.renegotiate_keys()
    attack(evil, act)


def test_rekey_begun_and_left(evil):
    def act(c):
        c.hooks = {hr.KEX_REPLY: hr.drop, hr.NEWKEYS: hr.drop}
        c._send_kex_init()
    attack(evil, act, seconds=1)


def test_packet_of_four_gigabytes(evil):
    attack(evil, hr.bad_length, seconds=0.5)


BANNERS = {"line": b"x" * 4096, "lines": b"come in\r\n" * 400,
           "version": b"SSH-2.0-" + b"y" * 4000, "zeros": b"\0" * 4096}


@pytest.mark.parametrize("kind", BANNERS)
def test_endless_banner(evil, kind):
    attack(evil, raw=hr.fast(BANNERS[kind], 1.5), seconds=1.2)


def test_endless_login_banner(evil):
    def flood(c, data):
        for _ in range(2000):
            c.send(hr.AUTH_BANNER, b"welcome\r\n" * 1000, "")
        paramiko.Transport._send_message(c, data)
    attack(evil, hooks={hr.AUTH_SUCCESS: flood}, seconds=2)
    # What it says there is not let into the log as it stands.
    assert evil.log().count("welcome") < 10


def test_each_step_cut_or_told_twice(evil):
    """The connection ends, or a reply comes double, at every step."""
    steps = (hr.KEXINIT, hr.KEX_REPLY, hr.NEWKEYS, hr.SERVICE_ACCEPT,
             hr.AUTH_PK_OK, hr.AUTH_SUCCESS, hr.REQUEST_SUCCESS)
    local = evil.attach("alice", login="alice:gw")
    local.expect(b"? for help]\r\n")
    typist = Echo(local, evil.pid)
    for hook in (hr.cut, hr.twice):
        for step in steps:
            reconnect(evil, Behaviour(hooks={step: hook}))
            time.sleep(0.2)
    typist.verdict()
    local.send(b"\x05c.")
    local.wait()
    assert evil.children()["ssh"] == evil.pid
    reconnect(evil, Behaviour())
    evil.await_up("evil")


def test_replies_nobody_asked_for(evil):
    def early(c, data):
        for _ in range(50):
            c.send(hr.REQUEST_SUCCESS)
            c.send(hr.REQUEST_FAILURE)
            c.send(hr.AUTH_SUCCESS)
        paramiko.Transport._send_message(c, data)
    attack(evil, hooks={hr.AUTH_SUCCESS: early}, seconds=0.5)
    attack(evil, hooks={hr.REQUEST_SUCCESS: early}, seconds=0.5)


# What the self-test is told.

def answer_with(data):
    """The relay opens the box's own port, and this comes from there."""
    def say(c, chanid, destination):
        def speak():
            channel = c.accept(5)
            if channel is None:
                return
            if data is not None:
                channel.sendall(data)
            while channel.recv(4096):
                pass
        threading.Thread(target=speak, daemon=True).start()
        return paramiko.OPEN_SUCCEEDED
    return say


def to_another_server(c, chanid, destination):
    """A real SSH server with another key: this very relay."""
    def splice():
        channel = c.accept(5)
        sock = socket.create_connection(("127.0.0.1", c.relay.port))

        def one(source, sink):
            try:
                while True:
                    data = source(32768)
                    if not data:
                        break
                    sink(data)
            except (OSError, EOFError):
                pass
        threading.Thread(target=one, args=(sock.recv, channel.sendall),
                         daemon=True).start()
        one(channel.recv, sock.sendall)
        sock.close()
    threading.Thread(target=splice, daemon=True).start()
    return paramiko.OPEN_SUCCEEDED


def test_dead_forward_is_found(evil):
    """Bound, but what is there is not us: a fault, unlike a test that is
    not permitted."""
    for say in (to_another_server, answer_with(b"SSH-2.0-x\r\n" + b"z" * 999),
                lambda *a: paramiko.OPEN_FAILED_CONNECT_FAILED):
        reconnect(evil, Behaviour(self_test=say))
        row = evil.await_relay("evil", "failed", seconds=40)
        assert row["failure"], row
    reconnect(evil, Behaviour())
    row = evil.await_up("evil")
    assert row["state"] == "forwarded"


# Slowness, at every step: all at once, and given up in time.

SLOW = {
    "says nothing": Behaviour(raw=hr.silent),
    "banner by the byte": Behaviour(raw=hr.paced([b"S"], 1)),
    "lines before the banner": Behaviour(raw=hr.paced([b"wait\r\n"], 0.5)),
    "no key exchange": Behaviour(hooks={hr.KEXINIT: hr.drop}),
    "no key reply": Behaviour(hooks={hr.KEX_REPLY: hr.drop}),
    "no service": Behaviour(hooks={hr.SERVICE_ACCEPT: hr.drop}),
    "no login": Behaviour(hooks={hr.AUTH_SUCCESS: hr.drop}),
    "no answer to the forward": Behaviour(hooks={hr.REQUEST_SUCCESS:
                                                 hr.drop}),
}
PROMISED = 60 + 5       # s, the whole way from connect to forward


@pytest.fixture(scope="module", autouse=True)
def slow(tmp_path_factory):
    """Begun before everything else here, looked at when all is done."""
    d = tmp_path_factory.mktemp("slow")
    key = make_key(d / "host")
    identity = make_key(d / "identity")
    s = RelaySite()
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.slow = {}
    for i, (what, behaviour) in enumerate(SLOW.items()):
        r = HostileRelay(key, behaviour)
        s.slow[what] = r
        s.add_relay(f"slow{i}", None, free_port(), host="127.0.0.1",
                    port=r.port, second_port=0, user="oob",
                    identity=str(identity), keepalive="20s", host_key=[
                        " ".join((d / "host.pub").read_text().split()[:2])])
    s.start()
    yield s
    try:
        s.close()
    finally:
        for r in s.slow.values():
            r.close()


def test_slow_relays_are_given_up(slow):
    local = slow.attach("alice", login="alice:gw")
    local.expect(b"? for help]\r\n")
    typist = Echo(local, slow.pids["ssh"])
    assert all(r.times for r in slow.slow.values())
    for what, r in slow.slow.items():
        wait_for(lambda: r.times[0][1] is not None, PROMISED,
                 text=f"giving up on one that {what}")
        took = r.times[0][1] - r.times[0][0]
        assert took < PROMISED, (what, took)
    wait_for(lambda: typist.count > 20 or typist.failed)
    typist.verdict()
    rows = slow.relay_status()
    assert all(row["state"] in ("failed", "trying") for row in rows.values())
    assert b"gw" in slow.run("alice", "list").stdout
