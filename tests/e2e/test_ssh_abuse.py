"""Bad clients: an attached session feels nothing, memory stays bounded, and a
good client gets in."""
import contextlib
import os
import random
import socket
import struct
import threading
import time

import paramiko
import pytest
from paramiko import common

from conftest import PATIENCE, make_key, wait_for
from sshwire import (Proxy, kexinit, plain_packet, raw_channel, read_all,
                     read_banner, read_plain_packet, request, transport)

FULL = bool(os.environ.get("OOBD_FULL"))


class Typist(threading.Thread):
    """Types on an attached session all the while, and keeps the times."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.client = site.client(site.ssh("alice", "-s", "console"))
        site.expect_log("alice logged in")
        self.client.send(b"0")
        self.client.expect(b"0")
        self.times = []
        self.ended = False
        self.start()

    def run(self):
        n = 1
        while not self.ended:
            n += 1
            start = time.monotonic()
            try:
                self.client.send(b"x")
                self.client.out.expect(b"x" * (n - 1), 20, start=1)
            except (AssertionError, OSError):
                self.times.append(99)
                return
            self.times.append(time.monotonic() - start)
            time.sleep(0.01)

    def felt(self):
        """The longest delay."""
        self.ended = True
        self.join(30)
        assert self.client.process.poll() is None, "the session died"
        assert len(self.times) > 3
        return max(self.times)


@pytest.fixture
def busy(site):
    t = Typist(site)
    site.typist = t
    site.channels = 500
    yield site
    assert t.felt() < 0.5 * max(1, PATIENCE / 10)
    site.none_restarted()


def idle_connections(site, n):
    found = []
    for _ in range(n):
        s = socket.socket()
        s.settimeout(5)
        s.connect(("127.0.0.1", site.port))
        found.append(s)
    return found


def test_half_open_storm(busy):
    """A thousand connections that say nothing."""
    before = busy.rss("ssh")
    held = idle_connections(busy, 1000)
    start = time.monotonic()
    done = busy.run("alice", "list", seconds=25)
    took = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    assert took < 20, "longer than the grace time"
    assert busy.rss("ssh") - before < 4000
    assert busy.fds("ssh") < 80
    for s in held:
        s.close()


@contextlib.contextmanager
def storm(site, most, pause):
    """Connections that say nothing, new ones all the time."""
    stop = threading.Event()

    def blow():
        held = []
        while not stop.is_set():
            try:
                held += idle_connections(site, 20)
            except OSError:
                pass
            while len(held) > most:
                held.pop(0).close()
            time.sleep(pause)
        for s in held:
            s.close()
    thread = threading.Thread(target=blow, daemon=True)
    thread.start()
    try:
        time.sleep(1)
        yield
    finally:
        stop.set()
        thread.join()


def test_half_open_storm_goes_on(busy):
    """New ones all the time."""
    with storm(busy, 300, 0.05):
        for _ in range(3):
            assert busy.run("alice", "list", seconds=25).returncode == 0


SAID = {
    "nothing": b"",
    "half a banner": b"SSH-2.0-x",
    "banner": b"SSH-2.0-x\r\n",
    "half a header": b"SSH-2.0-x\r\n\0\0",
    "promise": b"SSH-2.0-x\r\n" + struct.pack(">IB", 250000, 4),
    "kexinit": b"SSH-2.0-x\r\n" + plain_packet(kexinit()),
}


@pytest.mark.parametrize("what", SAID)
def test_stall_then_grace(empty_site, what):
    """Each stage of the handshake ends with the grace time."""
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = "\tlogin_grace = \"1s\"\n"
    s.start()
    with s.connect() as c:
        start = time.monotonic()
        c.sendall(SAID[what])
        assert read_all(c, 8) is not None
        assert time.monotonic() - start < 4
    assert s.run("alice", "list").returncode == 0


def test_stall_in_the_login(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = "\tlogin_grace = \"1s\"\n"
    s.start()
    t = transport(s)
    wait_for(lambda: not t.is_active(), 5)
    # Keys that cannot be parsed get no answer from the library at all.
    t = transport(s)
    t.auth_handler = paramiko.auth_handler.AuthHandler(t)
    m = paramiko.Message()
    m.add_byte(common.cMSG_SERVICE_REQUEST)
    m.add_string("ssh-userauth")
    t._send_message(m)
    for blob in (b"", b"\0\0\0\3foo", b"\0\0\0\x0bssh-ed25519", b"x" * 5000):
        m = paramiko.Message()
        m.add_byte(common.cMSG_USERAUTH_REQUEST)
        m.add_string("alice")
        m.add_string("ssh-connection")
        m.add_string("publickey")
        m.add_boolean(True)
        m.add_string("ssh-ed25519")
        m.add_string(blob)
        m.add_string(b"sig")
        try:
            t._send_message(m)
        except (EOFError, OSError):
            break               # the grace time was over before
    wait_for(lambda: not t.is_active(), 5)
    assert s.run("alice", "list").returncode == 0


def test_slowloris(busy):
    """A byte now and then, at different stages, from many at once."""
    stream = b"SSH-2.0-slow\r\n" + plain_packet(kexinit())
    held = idle_connections(busy, 12)
    for i, s in enumerate(held):
        s.sendall(stream[:i * 60])
    at = [i * 60 for i in range(12)]
    for _ in range(20):
        for i, s in enumerate(held):
            try:
                s.sendall(stream[at[i]:at[i] + 1] or b"\0")
                at[i] += 1
            except OSError:
                pass
        time.sleep(0.05)
    assert busy.run("alice", "list", seconds=25).returncode == 0
    for s in held:
        s.close()


JUNK = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "ssh1": b"SSH-1.5-old\r\n",
    "long banner": b"SSH-2.0-" + b"x" * 100000,
    "tls": bytes.fromhex("1603010200010001fc0303") + bytes(300),
    "nul": bytes(5000),
    "length 0": b"SSH-2.0-x\r\n" + bytes(64),
    "length max": b"SSH-2.0-x\r\n" + b"\xff" * 64,
    "length 300000": b"SSH-2.0-x\r\n" + struct.pack(">I", 300000) +
                     bytes(300000),
    "pad": b"SSH-2.0-x\r\n" + struct.pack(">IB", 12, 255) + bytes(20),
    "empty packet": b"SSH-2.0-x\r\n" + plain_packet(b""),
    "empty kexinit": b"SSH-2.0-x\r\n" + plain_packet(b"\x14" + bytes(16)),
    "kexinit of nothing": b"SSH-2.0-x\r\n" +
                          plain_packet(b"\x14" + bytes(16 + 40 + 5)),
    "long list": b"SSH-2.0-x\r\n" + plain_packet(
        b"\x14" + bytes(16) + struct.pack(">I", 30000) + b"a," * 15000),
    "no common kex": b"SSH-2.0-x\r\n" + plain_packet(kexinit(kex="none")),
    "short kexdh": b"SSH-2.0-x\r\n" + plain_packet(kexinit()) +
                   plain_packet(b"\x1e\0\0\0\x01a"),
    "zero point": b"SSH-2.0-x\r\n" + plain_packet(kexinit()) +
                  plain_packet(b"\x1e\0\0\0\x20" + bytes(32)),
    "disconnect": b"SSH-2.0-x\r\n" + plain_packet(b"\x01\0\0\0\2\0\0\0\0"),
}


@pytest.mark.parametrize("what", JUNK)
def test_junk(site, what):
    with site.connect() as s:
        try:
            s.sendall(JUNK[what])
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert read_all(s, 10) is not None
    assert site.run("alice", "list").returncode == 0
    site.none_restarted()


def test_random_junk(busy):
    rng = random.Random(2026)
    head = b"SSH-2.0-x\r\n" + plain_packet(kexinit())
    for i in range(200):
        with busy.connect() as s:
            data = bytearray(head + plain_packet(
                b"\x1e\0\0\0\x20" + rng.randbytes(32)) + rng.randbytes(200))
            for _ in range(rng.randrange(1, 8)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            try:
                s.sendall(data[:rng.randrange(len(data))] if i % 2 else data)
            except OSError:
                pass
    assert busy.run("alice", "list").returncode == 0


def test_ignores_before_the_key_exchange(site):
    """Ten thousand packets that mean nothing."""
    before = site.rss("ssh")
    with site.connect() as s:
        read_banner(s)
        s.sendall(b"SSH-2.0-x\r\n")
        one = plain_packet(b"\x02\0\0\0\x04abcd")
        try:
            for _ in range(100):
                s.sendall(one * 100)
        except OSError:
            pass
    assert site.run("alice", "list").returncode == 0
    assert site.rss("ssh") - before < 3000


def test_wrong_guess_of_the_key_exchange(site):
    """Each one once leaked a key."""
    before = None
    for i in range(60):
        with site.connect() as s:
            read_banner(s)
            s.sendall(b"SSH-2.0-x\r\n" + plain_packet(
                kexinit("diffie-hellman-group1-sha1,curve25519-sha256", 1)) +
                plain_packet(b"\x1e\0\0\0\x20" + os.urandom(32)) * 2)
            try:
                read_plain_packet(s)
            except (EOFError, OSError):
                pass
        if i == 10:
            before = site.rss("ssh")
    assert site.rss("ssh") - before < 1500


def login_and_list(port, site):
    """A whole login through the proxy; errors are expected."""
    t = paramiko.Transport(("127.0.0.1", port))
    t.banner_timeout = t.auth_timeout = t.handshake_timeout = 5
    try:
        t.start_client(timeout=5)
        t.auth_publickey("alice", paramiko.Ed25519Key(
            filename=str(site.users["alice"].key)))
        c = t.open_session(timeout=5)
        c.exec_command("list")
        c.settimeout(5)
        data = b""
        while (piece := c.recv(4096)):
            data += piece
        status = c.recv_exit_status()
        return status == 0 and b"gw" in data
    except (paramiko.SSHException, EOFError, OSError):
        return False
    finally:
        t.close()


def test_cut_at_every_byte(busy):
    """The stream to the server ends after N bytes of a login, for N all over
    its length (each one with OOBD_FULL=1)."""
    p = Proxy(busy.port)
    assert login_and_list(p.port, busy)
    p.close()
    whole = p.passed
    assert whole > 1000
    step = 1 if FULL else max(1, whole // 110)
    before = busy.rss("ssh")
    for n in range(1, whole, step):
        p = Proxy(busy.port, cut=n)
        login_and_list(p.port, busy)
        p.close()
    wait_for(lambda: busy.fds("ssh") < 30)
    assert busy.run("alice", "list").returncode == 0
    assert busy.rss("ssh") - before < 3000


def test_channel_storm(busy):
    """Many opened and closed; a hundred at once are refused beyond 8."""
    t = transport(busy, "alice")
    before = busy.rss("ssh")
    for _ in range(busy.channels if not FULL else 10000):
        c = t.open_session()
        c.close()
    assert busy.rss("ssh") - before < 1500
    t.close()
    t = transport(busy, "alice")
    m = paramiko.Message()
    for i in range(1000):
        m = paramiko.Message()
        m.add_byte(common.cMSG_CHANNEL_OPEN)
        m.add_string("session")
        m.add_int(1000 + i)
        m.add_int(1000000)
        m.add_int(32768)
        t._send_user_message(m)
    time.sleep(1)
    assert busy.rss("ssh") - before < 1500
    t.close()
    assert busy.run("alice", "list").returncode == 0


def test_channels_that_are_never_closed_by_the_client(busy):
    """We close, the client does not answer: it gets no more than its 8."""
    t = transport(busy, "alice")
    t._channel_handler_table = dict(t._channel_handler_table)
    t._channel_handler_table[common.MSG_CHANNEL_CLOSE] = lambda *a: None
    opened = []
    for _ in range(20):
        c = raw_channel(t, 1000000, 32768)
        if c is None:
            break
        opened.append(c)
        request(t, c, "exec", "list")
        time.sleep(0.1)
    assert len(opened) == 8
    t.close()


def flood(site, seconds, line="gw"):
    """The router prints as fast as it can, in a thread."""
    stop = threading.Event()
    block = b"".join(b"%06d the router prints a lot of lines\r\n" % i
                     for i in range(2000))

    def run():
        end = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < end:
            site.lines[line].send(block)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return stop, thread


@pytest.fixture
def flooded(empty_site):
    """alice types on gw while sw prints."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_line("sw")
    s.add_user("alice")
    s.start()
    c = s.client(s.ssh("alice", "-s", "console:gw"))
    s.expect_log("alice logged in")
    c.send(b"0")
    c.expect(b"0")
    s.good = c
    return s


def type_for(site, seconds):
    times, n = [], len(site.good.out.data)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        n += 1
        start = time.monotonic()
        site.good.send(b"x")
        wait_for(lambda: len(site.good.out.data) >= n, 20, 0.0005)
        times.append(time.monotonic() - start)
        time.sleep(0.02)
    return max(times)


def subsystem(t, c, name):
    request(t, c, "subsystem", name)


@pytest.mark.parametrize("window", [0, 1, 1000, 2**31, 2**32 - 1])
def test_reader_that_does_not_read(flooded, window):
    """A closed window, or a wide open one behind a socket that is not read."""
    s = flooded
    before = s.rss("ssh")
    t = transport(s, "alice")
    c = raw_channel(t, window, 32768)
    t.packetizer._orig = t.packetizer.read_message
    subsystem(t, c, "console:sw")
    time.sleep(0.3)
    # From now on nobody reads that socket.
    held = threading.Event()
    t.packetizer.read_message = lambda: held.wait(60) and None
    stop, thread = flood(s, 3)
    assert type_for(s, 3) < 0.5 * max(1, PATIENCE / 10)
    assert s.rss("ssh") - before < 6000
    stop.set()
    thread.join()
    t.sock.close()
    assert s.run("alice", "list").returncode == 0
    held.set()
    t.close()


@pytest.mark.parametrize("size", [10, 11, 20, 63])
def test_packets_of_no_size(flooded, size):
    """libssh 0.10 loops for ever at 10."""
    s = flooded
    t = transport(s, "alice")
    c = raw_channel(t, 1000000, size)
    subsystem(t, c, "console:sw")
    time.sleep(0.2)
    s.lines["sw"].send(b"something that is longer than any of these packets, "
                       b"so that it has to be cut into several of them\r\n")
    wait_for(lambda: not t.is_active(), 10)
    s.expect_log("wants packets under 64 bytes")
    assert type_for(s, 1) < 0.5 * max(1, PATIENCE / 10)
    s.none_restarted()
    t.close()


@pytest.mark.parametrize("size", [0, 1, 5, 64, 100, 2**32 - 1])
def test_packets_of_odd_size(flooded, size):
    """Either it works or it is refused; nobody else notices."""
    s = flooded
    t = transport(s, "alice")
    c = raw_channel(t, 1000000, size)
    if c is not None:
        subsystem(t, c, "console:sw")
        stop, thread = flood(s, 1)
        assert type_for(s, 1) < 0.5 * max(1, PATIENCE / 10)
        stop.set()
        thread.join()
    s.none_restarted()
    t.close()


def test_client_that_ignores_its_window(flooded):
    """Sends far more than it may, to a line that takes nothing."""
    s = flooded
    before = s.rss("ssh")
    t = transport(s, "alice")
    c = raw_channel(t, 1000000, 32768)
    subsystem(t, c, "console:none")
    c2 = raw_channel(t, 1000000, 32768)     # never asks for anything
    assert c is not None and c2 is not None
    most = before
    for i in range(400):
        m = paramiko.Message()
        m.add_byte(common.cMSG_CHANNEL_DATA)
        m.add_int(c2.remote_chanid)
        m.add_string(bytes(32000))
        try:
            t._send_user_message(m)
        except Exception:
            break
        if i % 40 == 0:
            most = max(most, s.rss("ssh"))
            if not t.is_active():
                break
    wait_for(lambda: not t.is_active(), 10)
    s.expect_log("ignores its window")
    assert most - before < 6000
    assert type_for(s, 1) < 0.5 * max(1, PATIENCE / 10)
    t.close()


def test_stall_in_a_rekey(flooded):
    """The client begins a key exchange and says no more, under a flood."""
    s = flooded
    t = transport(s, "alice")
    c = raw_channel(t, 100000000, 32768)
    subsystem(t, c, "console:sw")
    stop, thread = flood(s, 4)
    time.sleep(0.5)
    m = paramiko.Message()
    m.add_bytes(kexinit())
    held = threading.Event()
    t.packetizer.read_message = lambda: held.wait(60) and None
    t._send_message(m)
    time.sleep(0.5)
    ticks = cpu_ticks(s.pids["ssh"])
    assert type_for(s, 2) < 0.5 * max(1, PATIENCE / 10)
    used = (cpu_ticks(s.pids["ssh"]) - ticks) / os.sysconf("SC_CLK_TCK")
    assert used < 1.2 * max(1, PATIENCE / 10), "it spins"
    stop.set()
    thread.join()
    t.sock.close()
    held.set()
    t.close()


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_resets_in_the_middle(busy):
    """Connections that end with RST at odd moments."""
    for i in range(60):
        try:
            t = transport(busy, "alice")
            c = t.open_session()
            if i % 3:
                c.invoke_subsystem("console")
            if i % 2:
                c.send(b"")
        except (paramiko.SSHException, EOFError, OSError):
            continue
        finally:
            t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
            t.sock.close()
            t.close()
    wait_for(lambda: busy.fds("ssh") < 30)
    assert busy.run("alice", "list").returncode == 0


def own_address():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            address = s.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def test_limits_per_source(empty_site):
    """Four without a login per source, and one that misbehaves is turned
    away for a while; loopback and others are not."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.listen.append(f"{address}:{s.port}")
    s.ssh_conf = "\tmax_unauth_source = 4\n"
    s.start()
    held = [s.connect(address) for _ in range(4)]
    for h in held:
        assert read_banner(h).startswith(b"SSH-2.0-")
    with s.connect(address) as fifth:
        assert read_all(fifth, 5) == b""
    assert s.run("alice", "list").returncode == 0
    for h in held:
        h.close()
    host = s.known_hosts.read_text().split("]", 1)[1].splitlines()[0]
    with open(s.known_hosts, "a") as f:
        f.write(f"[{address}]{host}\n")

    def list_from_there():
        argv = s.ssh("alice", "list", host=address)
        return s.run("alice", argv=argv).returncode == 0
    wait_for(list_from_there)
    good, s.users["alice"].key = s.users["alice"].key, \
        s.users["alice"].key.with_name("key-evil")
    make_key(s.users["alice"].key)
    for _ in range(5):
        assert not list_from_there()
    s.users["alice"].key = good
    assert not list_from_there(), "penalties do not add up"
    with s.connect(address) as c:
        assert read_all(c, 5) == b""
    assert s.run("alice", "list").returncode == 0
