"""What a relay may say about an admin, what the box says about a relay, and
ways that come and go faster than anybody can connect."""
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import paramiko
import pytest

import hostile_relay as hr
from conftest import BUILD, SANITIZED, free_port, make_key, wait_for
from hostile_relay import Behaviour, HostileRelay
from relay_site import Relay, RelaySite, await_reachable

OOBCTL = BUILD / "oobctl"


def events(site):
    done = site.ctl("log", "gw", "--events")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def cpu_s(pid):
    text = Path(f"/proc/{pid}/stat").read_text()
    words = text.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def relay():
    r = Relay().start()
    yield r
    r.close()


@pytest.fixture
def out_site(request):
    s = RelaySite()
    request.node.sites = [s]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    yield s
    s.close()


@pytest.fixture
def evil(request, tmp_path):
    """Not started yet; the behaviour is the test's to set."""
    relay = HostileRelay(make_key(tmp_path / "host"))
    s = RelaySite()
    request.node.sites = [s]
    s.relay = relay
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.out = s.add_relay(
        "evil", None, free_port(), host="127.0.0.1", port=relay.port,
        second_port=0, user="oob", identity=str(make_key(tmp_path / "id")),
        host_key=[" ".join((tmp_path / "host.pub").read_text().split()[:2])])
    yield s
    try:
        s.close()
    finally:
        relay.close()


# Who it is, as the relay says.

LIES = {
    b"192.0.2.7": "192.0.2.7",
    b"2001:db8::7": "2001:db8::7",
    b"": "unknown",
    b"\x1b]0;owned\x07\r\n[oobd: bob took the pen]": "unknown",
    b"127.0.0.1 via=local": "unknown",
    b'1.2.3.4" user="root': "unknown",
    b"a" * 10000: "unknown",
    b"\xff\xfe\x80": "unknown",
}


class Door(threading.Thread):
    """What connects here goes to the box, from where the test says."""

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection = connection
        self.lie = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        table = connection._handler_table
        table[hr.OPENED] = paramiko.Transport._parse_channel_open_success
        table[hr.NOT_OPENED] = paramiko.Transport._parse_channel_open_failure
        self.start()

    def run(self):
        while True:
            try:
                here = self.socket.accept()[0]
            except OSError:
                return
            there = self.connection.open_channel(
                "forwarded-tcpip", dest_addr=self.connection.forwards[0],
                src_addr=(self.lie, 4711))
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self.copy, args=(a, b),
                                 daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(32768):
                b.sendall(data)
            b.close()
        except (OSError, EOFError):
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def test_what_it_says_of_an_admin_is_only_said(evil):
    """Shown with its name, journalled as its word; nothing that it makes up
    gets into either."""
    doors = []
    evil.relay.behaviour = Behaviour(act=lambda c: doors.append(Door(c)))
    evil.start()
    evil.await_up("evil")
    wait_for(lambda: doors)
    door = doors[0]
    try:
        for lie, shown in LIES.items():
            door.lie = lie
            alice = evil.attach_through("alice", door.port)
            alice.expect(b"you have the pen")
            who = evil.ctl("who").stdout
            assert who.count(b"\n") <= 2 and b"\x1b" not in who, who
            assert re.search(rb"alice.*%s.*relay evil" % shown.encode(),
                             who), (lie, who)
            alice.send(b"\x05c.")
            alice.wait()
            wait_for(lambda: b"alice" not in evil.ctl("who").stdout)
    finally:
        door.close()
    said = evil.ctl("log", "gw", "--events").stdout
    for text in (said, evil.log().encode()):
        assert b"\x1b" not in text and b"took the pen" not in text
        assert b"aaaa" not in text and b"via=local" not in text
        assert b'user="root' not in text
    attached = [e for e in said.splitlines() if b" attach " in e]
    assert len(attached) == len(LIES), said.decode()
    assert all(b"relay evil" in e for e in attached), said.decode()


# Liveness.

@pytest.mark.long
def test_quiet_relay_stands(out_site):
    """Nothing is heard of it but the answers to what it is asked: that is
    enough, for as long as one likes."""
    s, relay = out_site, Relay(config="").start()   # asks after 15 s itself
    try:
        port = s.add_relay("cloud", relay, keepalive_count=2)
        s.start()
        s.await_relay("cloud", "proven")
        alice = s.attach_through("alice", port)
        alice.expect(b"you have the pen")
        since = s.relay_status("cloud")["since"]
        time.sleep(8)               # it would be given up after 3
        row = s.relay_status("cloud")
        assert (row["state"], row["since"]) == ("proven", since), row
        assert relay.accepted() == 1
        s.meet("gw", alice)
    finally:
        relay.close()


@pytest.mark.long
def test_any_byte_is_a_sign_of_life(evil):
    """From one that leaves all questions open; until it falls silent."""
    quiet = threading.Event()

    def talk(c):
        while not quiet.is_set():
            c.send(hr.IGNORE, b"x")
            time.sleep(1.5)         # a question is open by then
    evil.relay.behaviour = Behaviour(hooks={hr.REQUEST_FAILURE: hr.drop},
                                     act=talk)
    evil.start()
    evil.await_up("evil")
    time.sleep(8)                   # twice what silence may last
    row = evil.relay_status("evil")
    assert row["state"] == "forwarded" and len(evil.relay.times) == 1, row
    quiet.set()
    row = evil.await_relay("evil", "failed", seconds=10)
    assert row["failure"] == "silent", row


def test_no_keepalive_while_a_forward_is_asked_for(evil):
    """libssh would take the answer to the one for that to the other."""
    asked = []
    answered = []

    def late(c, data):
        def say():
            time.sleep(4)           # four times the keepalive
            answered.append(time.monotonic())
            paramiko.Transport._send_message(c, data)
        threading.Thread(target=say, daemon=True).start()

    class Noting(hr.Connection):
        def __init__(self, *a):
            super().__init__(*a)
            usual = paramiko.Transport._handler_table[hr.GLOBAL_REQUEST]

            def note(self, m):
                at = m.packet.tell()
                asked.append((time.monotonic(), m.get_text()))
                m.packet.seek(at)
                usual(self, m)
            self._handler_table[hr.GLOBAL_REQUEST] = note
    usual, hr.Connection = hr.Connection, Noting
    try:
        evil.relay.behaviour = Behaviour(hooks={hr.REQUEST_SUCCESS: late})
        evil.start()
        evil.await_up("evil", 20)
        wait_for(lambda: any(k.startswith("keepalive") for _, k in asked), 20)
    finally:
        hr.Connection = usual
    kinds = [kind for _, kind in asked]
    assert kinds[0] == "tcpip-forward", kinds
    assert all(at > answered[0] for at, kind in asked[1:]), (asked, answered)
    assert len(evil.relay.times) == 1, "it connected again"


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_unacknowledged_data_has_a_limit(out_site, relay, tmp_path):
    """TCP_USER_TIMEOUT: four keepalives' time."""
    s = out_site
    s.add_relay("cloud", relay)
    s.start()
    s.await_up("cloud")
    said = tmp_path / "strace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(said), "-e", "trace=setsockopt,bind",
         "-p", str(s.children()["ssh"])], stderr=subprocess.PIPE)
    try:
        first = tracer.stderr.readline()
        if b"attached" not in first:
            pytest.skip(first.decode())
        n = relay.accepted()
        relay.kick()
        wait_for(lambda: relay.accepted() > n, 10)
        s.await_up("cloud")
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()
    text = said.read_text()
    assert re.search(r"TCP_USER_TIMEOUT, \[4000\], 4\) += 0", text), text
    assert "SO_KEEPALIVE, [1], 4) = 0" in text
    assert "TCP_NODELAY, [1], 4) = 0" in text


@pytest.mark.skipif(SANITIZED, reason="measures time")
def test_frozen_relay_costs_no_time(out_site, relay):
    """With data for it that it does not take: wait, do not spin."""
    s = out_site
    port = s.add_relay("cloud", relay, keepalive="60s")
    s.start()
    s.await_relay("cloud", "proven")
    s.lines["gw"].echo = False
    reader = subprocess.Popen(s.through("alice", port, "attach gw"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_for(lambda: b"alice" in s.ctl("who").stdout)
        relay.freeze()
        for _ in range(30):
            s.lines["gw"].send(b"x" * 65536)
        time.sleep(1)
        pid = s.children()["ssh"]
        before = cpu_s(pid)
        time.sleep(2)
        assert cpu_s(pid) - before < 0.2
        assert b"gw" in s.run("alice", "list").stdout
    finally:
        relay.thaw()
        reader.kill()
        reader.wait()
        reader.stdin.close()
        reader.stdout.close()


# A forward that dies.

def test_standing_forward_that_dies(evil):
    """It was well when it was made, and is bound still: the next self-test
    finds that nobody is there, and the connection is made anew."""
    behaviour = evil.relay.behaviour = Behaviour()
    evil.start()
    evil.await_relay("evil", "forwarded")
    behaviour.self_test = lambda *a: paramiko.OPEN_FAILED_CONNECT_FAILED
    evil.relay.behaviour = Behaviour()
    done = evil.ctl("relay", "test")
    assert done.returncode == 1, done
    assert re.search(rb"self-test +\d+ ms  FAILED: .* leads nowhere: nothing "
                     rb"listens there", done.stdout), done.stdout
    evil.await_relay("evil", "forwarded")
    assert len(evil.relay.times) == 2
    assert re.search(r"relay-down relay=evil failure=self-test", events(evil))


# What the journal says.

def test_dead_forward_never_was_up(evil):
    """However often it is bound: who waits to be told of an outage must not
    be told that it is over."""
    evil.relay.behaviour = Behaviour(
        self_test=lambda *a: paramiko.OPEN_FAILED_CONNECT_FAILED)
    evil.start()
    evil.await_relay("evil", "failed")
    n = len(evil.relay.times)
    evil.ctl("relay", "test")
    assert len(evil.relay.times) > n
    said = events(evil)
    assert "relay-up" not in said and "relay-down" not in said, said
    assert said.count("relay-failed") == 1 and "self-test" in said, said
    evil.relay.behaviour = Behaviour()
    assert evil.ctl("relay", "test").returncode == 0
    assert "relay-up" in events(evil)


def test_forward_alone_is_no_link(evil):
    """Bound, but not yet seen to lead here: the link is not up for that."""
    go_on = threading.Event()

    def late(*_):
        go_on.wait(20)
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
    evil.relay.behaviour = Behaviour(self_test=late)
    evil.relays["evil"].update(when="activated", keepalive="20s")
    evil.start()
    assert evil.ctl("link", "up").returncode == 0
    wait_for(lambda: evil.relay_status("evil")["doing"] == "proving")

    def link():
        return json.loads(evil.ctl("link", "status", "--json").stdout)
    time.sleep(0.5)
    seen = link()
    assert seen["state"] == "relaying", seen
    assert seen["relays"][0]["state"] == "trying"
    go_on.set()
    evil.await_relay("evil", "forwarded")
    wait_for(lambda: link()["state"] == "up")


def test_failed_and_no_longer_wanted(out_site, relay):
    """That it failed is no trouble once the link is down."""
    s = out_site
    s.add_relay("cloud", relay, when="activated")
    relay.kill()
    s.start()
    assert s.ctl("link", "up").returncode == 0
    s.await_relay("cloud", "failed")
    assert "relay-failed" in events(s)
    assert s.ctl("link", "down").returncode == 0
    s.await_relay("cloud", "off")
    assert re.search(r'relay-down relay=cloud why="no longer wanted"',
                     events(s)), events(s)


def test_test_of_what_is_taken_away(evil):
    """Who waits for it is told, and soon."""
    evil.relay.behaviour = Behaviour(raw=hr.silent)
    evil.start()
    wait_for(lambda: evil.relay.times)
    asker = subprocess.Popen(
        [str(OOBCTL), "-s", str(evil.control), "relay", "test"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    del evil.relays["evil"]
    evil.reload()
    out, err = asker.communicate(timeout=10)
    assert asker.returncode == 1, (out, err)
    assert b"no longer wanted" in out, (out, err)


# Ways.

def test_all_addresses_of_the_relay(out_site, relay):
    """listen = "0.0.0.0:PORT": what keygen prints is enough for the
    self-test, which goes to the relay's loopback."""
    s = out_site
    port = free_port()
    s.add_relay("cloud", relay, port, listen=[f"0.0.0.0:{port}"],
                identity=str(s.dir / "new_identity"))
    s.write()
    done = subprocess.run([str(OOBCTL), "relay", "keygen", "-f",
                           str(s.conf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    relay.kill()
    conf = relay.main.parent / "sshd_config.d/10-test.conf"
    conf.write_text(conf.read_text() + "\tGatewayPorts clientspecified\n"
                    "\tPermitListen any\n\tPermitOpen any\n")
    relay.keys_file().write_text(done.stdout)
    relay.start()
    s.start()
    row = s.await_relay("cloud", "proven", "forwarded", "failed")
    assert row["state"] == "proven", row
    assert row["listen"][0]["tested"] == "ok", row


def test_link_and_reload_storm(out_site, relay):
    """Faster than any connection is made; then it is as if nothing were."""
    s = out_site
    port = s.add_relay("cloud", relay, when="activated")
    base = s.add_relay("base", relay, box="base")
    s.start()
    s.await_up("base")
    pid, fds = s.children()["ssh"], s.fds("ssh")
    for n in range(40):
        s.ctl("link", "up" if n % 2 == 0 else "down")
        s.process.send_signal(signal.SIGHUP)
        if n % 5 == 0:              # another configuration, and back
            s.relays["cloud"]["max_channels"] = 10 + n
            s.relays["base"]["keepalive_count"] = 3 + n % 2
            s.write()
        time.sleep(0.05 * (n % 4))
    s.ctl("link", "down")
    s.await_relay("cloud", "off", seconds=15)
    s.ctl("link", "up")
    await_reachable(s, port, 20)
    await_reachable(s, base, 20)
    assert s.children()["ssh"] == pid
    s.ctl("link", "down")
    s.await_relay("cloud", "off")
    s.await_up("base")
    wait_for(lambda: s.fds("ssh") <= fds, text=f"back to {fds} descriptors")


def test_link_up_is_not_waited_out(out_site, relay):
    """A long wait from an earlier try does not count."""
    s = out_site
    port = s.add_relay("cloud", relay, when="activated")
    relay.kill()
    s.start()
    s.ctl("link", "up")
    for _ in range(4):
        s.ctl("relay", "test")
    s.ctl("link", "down")
    s.await_relay("cloud", "off")
    relay.start()
    s.ctl("link", "up")
    assert await_reachable(s, port, 5) < 3


# What an admin is given.

def test_ssh_config_of_many(out_site, tmp_path):
    """Each way in has a block that ssh understands, with a jump where the
    relay listens for itself only."""
    s = out_site
    make_key(tmp_path / "other")
    pin = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    same = dict(second_port=0, user="oob", host_key=[pin],
                identity=str(make_key(tmp_path / "id")), when="activated")
    s.add_relay("one", None, 20001, 20002, host="one.test", port=22, **same)
    s.add_relay("two", None, 20003, host="2001:db8::7", port=2222, **same)
    s.add_relay("open", None, host="three.test", port=22, listen=["*:31337"],
                **same)
    s.add_relay("any", None, 0, host="four.test", port=22, **same)
    s.start()
    text = s.run("alice", "ssh-config").stdout.decode()
    assert re.search(r"^# .*relay any chooses the port", text, re.M), text
    config = tmp_path / "config"
    config.write_text(text)

    def said(host):
        done = subprocess.run(["ssh", "-F", str(config), "-G", host],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rows = dict(r.split(" ", 1) for r in done.stdout.splitlines()
                    if " " in r)
        assert rows["user"] == "alice" and rows["checkhostip"] == "no"
        assert rows["userknownhostsfile"].endswith("/.ssh/known_hosts_oob")
        assert rows["hostkeyalias"] == "oob-" + box
        return rows["hostname"], rows["port"], rows.get("proxyjump")
    box = re.search(r"^# oob-(\S+) ssh-ed25519 ", text, re.M).group(1)
    assert said(box) == said(f"{box}-one") == ("localhost", "20001",
                                               "one.test")
    assert said(f"{box}-one-2") == ("localhost", "20002", "one.test")
    assert said(f"{box}-two") == ("localhost", "20003", "[2001:db8::7]:2222")
    assert said(f"{box}-open") == ("three.test", "31337", None)
    # At the box itself nobody knows who will come.
    assert "\tUser " not in s.ctl("ssh-config").stdout.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_keygen_by_root_is_for_the_service_user(out_site, relay):
    s = out_site
    s.top = 'service_user = "nobody"\n'
    s.add_relay("cloud", relay, identity="relay_ed25519")
    s.write()
    done = subprocess.run([str(OOBCTL), "relay", "keygen", "-f",
                           str(s.conf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    nobody = pwd.getpwnam("nobody")
    for name, mode in (("", 0o700), ("relay_ed25519", 0o600)):
        found = (s.dir / "state" / name).stat()
        assert (found.st_uid, found.st_gid) == (nobody.pw_uid,
                                                nobody.pw_gid), name
        assert found.st_mode & 0o777 == mode, (name, oct(found.st_mode))


# Secrets.

def test_identity_stays_secret(out_site, relay):
    s = out_site
    s.add_relay("cloud", relay)
    path = s.dir / "new_identity"
    s.relays["cloud"]["identity"] = str(path)
    s.write()
    done = subprocess.run([str(OOBCTL), "relay", "keygen", "-f",
                           str(s.conf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    body = [ln for ln in path.read_text().splitlines()
            if ln and not ln.startswith("-")]
    s.start("-d")
    s.await_relay("cloud", "failed")
    # Once others may read it, it is not used.
    path.chmod(0o644)
    done = s.ctl("relay", "test")
    assert b"others may read it" in done.stdout, done
    ps = subprocess.run(["ps", "-ax", "-o", "args="], capture_output=True,
                        text=True).stdout
    journal = "".join(f.read_text(errors="replace") for f in
                      (s.dir / "journal").rglob("*") if f.is_file())
    for text in (ps, s.log(), journal, done.stdout.decode()):
        assert not any(ln in text for ln in body)
