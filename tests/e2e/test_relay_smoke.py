"""One box, one stock sshd as relay: in, out, and in again."""
import json
import re
import socket
import threading
import time

import pytest

from conftest import SANITIZED, free_port, wait_for
from relay_site import Relay, RelaySite, await_reachable, rss_kb


@pytest.fixture
def relay():
    r = Relay().start()
    yield r
    r.close()


@pytest.fixture
def site_of(request, relay):
    s = RelaySite()
    request.node.sites = [s]

    def make(host, port):
        s.add_line("gw", echo=True)
        s.add_user("alice", role="admin")
        s.add_relay("cloud", relay, port, listen=[f"{host}:{port}"])
        s.out = port
        return s
    yield make
    s.close()


@pytest.fixture
def home(site_of):
    s = site_of("localhost", free_port()).start()
    s.await_relay("cloud", "proven")
    return s


def test_in_through_the_relay(home):
    alice = home.attach_through("alice", home.out)
    alice.expect(b"you have the pen")
    alice.send(b"hello\r")
    alice.expect(b"hello\r")
    who = home.ctl("who").stdout
    assert re.search(rb"alice.*127\.0\.0\.1.*relay cloud", who), who
    assert home.relay_status("cloud")["channels"] == 1
    # Its address is what the relay says, and last says so.
    def row():
        return json.loads(home.ctl("last", "--json", "-n", "1").stdout)
    wait_for(lambda: row() and row()[0]["via"] == "relay cloud")
    assert row()[0]["asserted"] and row()[0]["from"] == "127.0.0.1"
    alice.send(b"\x05c.")
    assert alice.wait() == 0
    wait_for(lambda: home.relay_status("cloud")["channels"] == 0)


def test_every_step_is_shown(home):
    done = home.ctl("relay", "test")
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    for step in ("resolve", "connect", "key exchange", "host key", "login",
                 "forward", "self-test"):
        assert re.search(rf"^cloud: {step} +\d+ ms  \S", text, re.M), text
    assert "FAILED" not in text
    done = home.ctl("relay", "test", "none")
    assert done.returncode == 1 and b"no relay none" in done.stderr


def test_failing_step_is_shown(home, relay):
    relay.kill()
    home.await_relay("cloud", "failed")
    done = home.ctl("relay", "test", "cloud")
    assert done.returncode == 1
    assert re.search(rb"connect +\d+ ms  FAILED: .*refused", done.stdout), \
        done.stdout
    relay.start()
    done = home.ctl("relay", "test", "cloud")
    assert done.returncode == 0, done.stdout
    assert home.relay_status("cloud")["state"] == "proven"


class Other:
    """Another SSH server at the box's port, at an address that is tried
    first: all that connect to it reach the relay's own."""

    def __init__(self, port, to):
        self.to = to
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                here = self.socket.accept()[0]
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self.copy, args=(a, b),
                                 daemon=True).start()

    def copy(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="one address family only")
def test_somebody_else_answers(site_of, relay):
    """The relay listens (on ::), but who connects there (to 127.0.0.1) meets
    another server."""
    port = free_port()
    relay.kill()
    conf = relay.main.parent / "sshd_config.d/10-test.conf"
    conf.write_text(conf.read_text() + "\tGatewayPorts yes\n"
                    "\tPermitListen any\n")
    relay.start()
    s = site_of("*", port)
    relay.edit_keys(f'permitlisten="localhost:{port}"',
                    f'permitlisten="*:{port}"')
    other = Other(port, relay.port)
    try:
        s.start()
        row = s.await_relay("cloud", "failed")
        assert row["failure"] == "self-test", row
        assert "somebody else answers there" in row["text"], row
        done = s.ctl("relay", "test")
        assert done.returncode == 1
        assert b"self-test" in done.stdout and b"FAILED" in done.stdout
    finally:
        other.close()
    assert s.ctl("relay", "test").returncode == 0
    s.await_relay("cloud", "proven")


def test_told_what_was_missed(home, relay):
    line = home.lines["gw"]
    alice = home.attach_through("alice", home.out, login="alice:gw")
    alice.expect(b"you have the pen")
    alice.send(b"seen\r")
    alice.expect(b"seen\r")
    relay.kill()
    assert alice.wait() == 255
    missed = b"0123456789" * 5 + b"\r\n"
    line.send(missed)
    relay.start()
    await_reachable(home, home.out)
    alice = home.attach_through("alice", home.out, login="alice:gw")
    alice.expect(b"%d bytes since you were cut off at " % len(missed))
    found = re.search(rb"`(log gw --since \S+Z)` shows all", alice.out.data)
    assert found, alice.out.data
    done = home.run("alice", *found.group(1).decode().split())
    assert done.returncode == 0 and missed.strip() in done.stdout, done


def test_stays_small_over_reconnects(home, relay):
    ssh = home.children()["ssh"]

    def again():
        before = relay.accepted()
        since = home.relay_status("cloud")["since"]
        relay.kick()
        # It may be back before we look.
        wait_for(lambda: home.relay_status("cloud")["since"] != since)
        home.ctl("relay", "test")
        wait_for(lambda: relay.accepted() > before)
        home.await_relay("cloud", "proven")
    for _ in range(2):
        again()
    fds, rss = home.fds("ssh"), rss_kb(ssh)
    for _ in range(4):
        again()
    wait_for(lambda: home.fds("ssh") <= fds, text=f"back to {fds}")
    assert SANITIZED or rss_kb(ssh) < rss + 512


def test_orderly_end(home, relay):
    """Whoever came through is told; the relay's port is free at once."""
    alice = home.attach_through("alice", home.out)
    alice.expect(b"you have the pen")
    start = time.monotonic()
    assert home.stop() == 0
    assert time.monotonic() - start < 5
    alice.expect(b"[oobd: shutting down]")
    assert alice.wait() == 1
    wait_for(lambda: not relay.listening(home.out), 2)
    assert relay.accepted() == 1
