"""Out through a stock sshd as relay: every client, every verb, every fault
that is not malice."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import conftest
from conftest import BUILD, PATIENCE, free_port, make_key, wait_for
from relay_site import QUICK, Relay, RelaySite, await_reachable
from test_lines import documented, keys_of
from test_ssh_clients import keys  # noqa: F401  (a fixture)

UP = ("forwarded", "proven")


@pytest.fixture
def relay(request):
    """Its parameter: what stands at the head of its configuration."""
    r = Relay(config=getattr(request, "param", "") + QUICK).start()
    yield r
    r.close()


@pytest.fixture
def relays():
    """As many as a test wants; they are not started."""
    made = []

    def make(**kw):
        made.append(Relay(**kw))
        return made[-1]
    yield make
    for r in made:
        r.close()


@pytest.fixture
def out_site(request):
    """gw that echoes, alice and bob; not started, no relay yet."""
    s = RelaySite()
    request.node.sites = [s]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.add_user("bob", role="viewer")
    yield s
    s.close()


@pytest.fixture
def home(out_site, relay):
    """A site that is up at one relay, "cloud"."""
    out_site.out = out_site.add_relay("cloud", relay)
    out_site.start()
    out_site.await_up("cloud")
    return out_site


def events(site):
    return site.ctl("log", "gw", "--events").stdout.decode()


# Ways in.

def test_openssh_attach_and_share(home):
    local = home.attach("bob")
    local.expect(b"? for help]\r\n")
    alice = home.attach_through("alice", home.out, login="alice:gw")
    alice.expect(b"you have the pen")
    # Who they are is told with where from, and that the relay says so.
    local.expect(re.compile(rb"alice attached from 127\.0\.0\.1"))
    home.meet("gw", alice, local)
    alice.send(b"show version\r")
    local.expect(b"show version\r")
    who = home.ctl("who").stdout
    assert re.search(rb"alice.*127\.0\.0\.1.*cloud", who), who
    row = next(r for r in json.loads(home.ctl("who", "--json").stdout)
               if r["user"] == "alice")
    assert "cloud" in row["via"]
    assert row["from"].startswith("127.0.0.1")
    assert re.search(r"attach .*user=alice.*via=.?relay cloud", events(home)), \
        events(home)
    alice.send(b"\x05c.")
    assert alice.wait() == 0
    local.expect(b"alice left")
    done = home.run_through("alice", home.out, "attach", "none")
    assert done.returncode == 3
    # Nobody gets in that would not have got in at the box itself.
    home.users["alice"].key = make_key(home.dir / "other")
    assert home.run_through("alice", home.out, "list").returncode == 255


def test_no_other_way_in(out_site, relay):
    """Not one inbound port: `ssh -p PORT gw@relay` is the console."""
    s = out_site
    s.listen = []
    port = s.add_relay("cloud", relay)
    s.start()
    s.await_relay("cloud", "proven")
    ss = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True)
    ours = set(s.children().values()) | {s.process.pid}
    assert not any(f"pid={pid}," in ss.stdout for pid in ours), ss.stdout
    assert relay.listening(port)
    alice = s.attach_through("alice", port, login="gw")
    alice.expect(b"you have the pen")
    alice.send(b"show version\r")
    alice.expect(b"show version\r")
    alice.send(b"\x05c.")
    assert alice.wait() == 0


def test_plink_and_dbclient(out_site, relay, keys):
    s = out_site
    s.add_user("carol", role="operator", key=keys / "openssh")
    port = s.add_relay("cloud", relay)
    s.start()
    s.await_up("cloud")
    finger = subprocess.run(
        ["ssh-keygen", "-lf", str(s.dir / "state/ssh_host_ed25519_key")],
        check=True, capture_output=True, text=True).stdout.split()[1]
    plink = ["plink", "-batch", "-ssh", "-P", str(port), "-i",
             str(keys / "putty.ppk"), "-hostkey", finger, "-l", "carol",
             "127.0.0.1"]
    done = s.run("carol", argv=plink + ["list"])
    assert done.returncode == 0 and b"gw" in done.stdout, done.stderr
    dbclient = ["dbclient", "-y", "-y", "-p", str(port), "-i",
                str(keys / "dropbear"), "carol@127.0.0.1"]
    done = s.run("carol", argv=dbclient + ["list"])
    assert done.returncode == 0 and b"gw" in done.stdout, done.stderr
    for argv in (plink[:1] + ["-t"] + plink[1:],
                 dbclient[:1] + ["-t"] + dbclient[1:]):
        c = s.client(argv, tty=True)
        c.expect(b"? for help]")
        c.send(b"hello\r")
        c.expect(b"hello\r")
        c.send(b"\x05c.")
        assert c.wait() == 0


def jump_block(relay, site, key):
    """ssh_config of an admin: the relay's side of it."""
    known = site.dir / "known_relay"
    known.write_text(f"[127.0.0.1]:{relay.port} {relay.host_key()}\n")
    return (f"Host 127.0.0.1 relay\n\tHostName 127.0.0.1\n"
            f"\tPort {relay.port}\n\tUser {relay.account()}\n"
            f"\tIdentityFile {key}\n\tIdentitiesOnly yes\n"
            f"\tUserKnownHostsFile {known}\n\tStrictHostKeyChecking yes\n"
            "\tIdentityAgent none\n\tBatchMode yes\n")


def test_ssh_config_is_usable_as_printed(home, relay):
    """With nothing added but what is the admin's own: keys."""
    jump = make_key(home.dir / "jump")
    relay.setup("add-admin", "alice",
                data=(home.dir / "jump.pub").read_text())
    done = home.ctl("ssh-config")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "ProxyJump" in text and "HostKeyAlias" in text
    # The block names the hosts; a line for known_hosts comes as a comment,
    # so that the output as a whole is a configuration.
    known = re.search(r"^#\s*(\S+ ssh-ed25519 \S+)", text, re.M).group(1)
    hosts = re.findall(r"^Host (\S+)", text, re.M)
    config = home.dir / "admin_config"
    known_file = home.dir / "admin_known"
    known_file.write_text(known + "\n")
    own = (f"Host {' '.join(hosts)}\n\tIdentityFile "
           f"{home.users['alice'].key}\n\tIdentitiesOnly yes\n"
           f"\tUserKnownHostsFile {known_file}\n"
           "\tIdentityAgent none\n\tBatchMode yes\n"
           "\tStrictHostKeyChecking yes\n")
    config.write_text(own + jump_block(relay, home, jump) + text)
    check = subprocess.run(["ssh", "-F", str(config), "-G", hosts[0]],
                           capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert f"port {home.out}" in check.stdout
    done = home.run("alice", argv=["ssh", "-F", str(config), "-l", "alice",
                                   hosts[0], "list"])
    assert done.returncode == 0 and b"gw" in done.stdout, done.stderr
    assert relay.accepted() >= 2


def test_keygen_line_is_usable_as_printed(out_site, relay):
    s = out_site
    port = free_port()
    s.add_relay("cloud", None, port, host="127.0.0.1", port=relay.port,
                second_port=0, user=relay.account(),
                identity="relay_ed25519", host_key=[relay.host_key()])
    s.write()
    (s.dir / "state").mkdir(mode=0o700)
    argv = [str(BUILD / "oobctl"), "relay", "keygen", "-f", str(s.conf)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = s.dir / "state" / "relay_ed25519"
    assert made.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in done.stdout
    line = next(row for row in done.stdout.splitlines()
                if "ssh-ed25519" in row and not row.startswith("#"))
    assert f'permitlisten="localhost:{port}"' in line
    assert f'permitopen="localhost:{port}"' in line
    # As it stands, without the script between.
    relay.keys_file().write_text(line + "\n")
    s.start()
    s.await_relay("cloud", "proven")
    assert s.reachable(port)
    # A second time the same key is told again, not made anew.
    again = subprocess.run(argv, capture_output=True, text=True)
    assert line in again.stdout
    # And the script takes it from the same line.
    relay.keys_file().write_text("")
    assert "box2" in relay.setup("add-box", "box2", "20001",
                                 data=line).stderr


def test_twenty_at_once(home):
    jobs = [subprocess.Popen(home.through("alice", home.out, "list"),
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(20)]
    for j in jobs:
        out, err = j.communicate(timeout=3 * PATIENCE)
        assert j.returncode == 0 and b"gw" in out, err
    assert home.relay_status("cloud")["state"] in UP


REKEY = "RekeyLimit 256K\nLogLevel DEBUG1\n"


@pytest.mark.long
@pytest.mark.parametrize("relay", ["", REKEY], indirect=True,
                         ids=["plain", "rekeyed"])
def test_four_megabytes(home, relay):
    """Out as they came from the line, in as they were typed, both at once.
    The line has no more on its way than a viewer's ring holds: this is about
    the relay, not about who is left behind by a flood."""
    line = home.lines["gw"]
    line.echo = False
    out, typed = os.urandom(1 << 20) * 4, os.urandom(1 << 20) * 4
    reader = home.client(home.through("alice", home.out, "attach gw"))
    reader.err.expect(b"you have the pen")

    def type_all():
        reader.send(typed)
    typist = threading.Thread(target=type_all)
    typist.start()
    for at in range(0, len(out), 65536):
        wait_for(lambda: len(reader.out.data) >= at - 65536, 6 * PATIENCE)
        line.send(out[at:at + 65536])
    wait_for(lambda: len(reader.out.data) >= len(out), 6 * PATIENCE)
    assert reader.out.data == out
    typist.join()
    wait_for(lambda: len(line.typed.data) >= len(typed), 6 * PATIENCE)
    assert line.typed.data == typed
    assert b"skipped" not in reader.err.data
    done = home.run_through("alice", home.out, "log", "gw", "--raw")
    assert done.stdout == out
    # New keys are agreed upon all the time, with data on their way.
    if "DEBUG" in (relay.main.parent / "sshd_config.d/10-test.conf") \
            .read_text():
        assert relay.log().count("SSH2_MSG_KEXINIT sent") > 20


# Faults of the relay.

def test_killed_relay(home, relay):
    """Attached viewers end; the way is there again with the relay."""
    alice = home.attach_through("alice", home.out)
    alice.expect(b"you have the pen")
    local = home.attach("bob")
    local.expect(b"alice has the pen")
    alice.send(b"before\r\n")
    alice.expect(b"before\r\n")
    relay.kill()
    assert alice.wait() == 255
    local.expect(b"alice left")
    row = home.await_relay("cloud", "failed", "trying")
    assert row["failure"]
    home.lines["gw"].send(b"y" * 12345 + b"\r\n")
    local.expect(b"y" * 12345)
    relay.start()
    await_reachable(home, home.out, 12)
    # What was missed is told to the byte, and shown.
    alice = home.attach_through("alice", home.out, login="alice:gw")
    alice.expect(b"you have the pen")
    alice.expect(b"12,347 bytes since you were cut off")
    alice.send(b"\x05cr")
    alice.expect(b"before\r\nyyyyyyy")
    assert re.search(r"relay-down.*cloud", events(home))
    assert re.search(r"relay-up.*cloud", events(home))


def test_frozen_relay(home, relay):
    """Noticed by silence within keepalive x count, and left alone."""
    local = home.attach("bob")
    local.expect(b"? for help]\r\n")
    alice = home.attach_through("alice", home.out)
    alice.expect(b"you have the pen")
    # A new connection would come back at once: the server stays as it is.
    relay.freeze()
    start = time.monotonic()
    home.lines["gw"].send(b"z" * 500 + b"\r\n")
    local.expect(b"z" * 500)
    home.await_relay("cloud", "failed", "trying", seconds=10)
    assert time.monotonic() - start < 7
    local.expect(b"alice left")
    relay.thaw()
    await_reachable(home, home.out, 25)
    # From where she was last heard, not from where she was found dead.
    alice = home.attach_through("alice", home.out)
    alice.expect(b"502 bytes since you were cut off")


@pytest.mark.long
def test_stale_listener(out_site, relay):
    """The port is taken by a session of before: refused, said so, and got
    as soon as it is free."""
    s = out_site
    port = s.add_relay("cloud", relay)
    old = subprocess.Popen(
        ["ssh", "-F", "none", "-N", "-p", str(relay.port), "-i",
         str(relay.identity), "-o", "IdentitiesOnly=yes", "-o",
         "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "IdentityAgent=none", "-o", "LogLevel=ERROR",
         "-R", f"localhost:{port}:localhost:9", "127.0.0.1"],
        stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: relay.listening(port))
        s.start()
        row = s.await_relay("cloud", "failed")
        assert "forward" in row["failure"] or "refused" in row["failure"], row
        assert str(port) in row["text"], row
    finally:
        old.kill()
        old.wait()
    assert await_reachable(s, port, 22) < 20


def test_forward_not_permitted(out_site, relay):
    s = out_site
    port = s.add_relay("cloud", relay)
    relay.edit_keys(f'permitlisten="localhost:{port}"',
                    'permitlisten="localhost:1"')
    s.start()
    row = s.await_relay("cloud", "failed")
    assert str(port) in row["text"] and "permitlisten" in row["text"], row
    text = s.ctl("relay", "status").stdout.decode()
    assert "permitlisten" in text
    assert not relay.listening(port)
    assert b"gw" in s.run("alice", "list").stdout


@pytest.mark.parametrize("relay", [
    "", "Match all\n\tAllowTcpForwarding remote\n"], indirect=True,
    ids=["permitopen", "remote"])
def test_self_test_not_permitted_is_no_fault(out_site, relay, request):
    s = out_site
    port = s.add_relay("cloud", relay)
    if "permitopen" in request.node.name:
        relay.edit_keys(f'permitopen="localhost:{port}"',
                        'permitopen="localhost:1"')
    s.start()
    s.await_relay("cloud", "forwarded")
    done = s.ctl("relay", "test", "cloud")
    assert b"not permitted" in done.stdout + done.stderr, done
    assert done.returncode == 0
    row = s.relay_status("cloud")
    assert row["state"] == "forwarded"
    assert s.reachable(port)


def test_refused_login(out_site, relay):
    s = out_site
    s.add_relay("cloud", relay, identity=str(make_key(s.dir / "strange")))
    s.start()
    row = s.await_relay("cloud", "failed")
    assert "key" in row["text"] or "refused" in row["text"], row
    assert relay.accepted() == 0


def test_wrong_then_rotated_host_key(out_site, relay):
    s = out_site
    port = s.add_relay("cloud", relay)
    good = relay.host_key()
    before = make_key(s.dir / "otherkey")
    other = " ".join((s.dir / "otherkey.pub").read_text().split()[:2])
    s.relays["cloud"]["host_key"] = [other]
    s.start()
    row = s.await_relay("cloud", "failed")
    finger = [subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=key, capture_output=True,
        text=True).stdout.split()[1] for key in (good, other)]
    text = s.ctl("relay", "status").stdout.decode() + json.dumps(row)
    for f in finger:
        assert f in text, text
    # It was not even asked to let the box in.
    assert relay.accepted() == 0
    # Both pinned: the old one and the one to come.
    s.relays["cloud"]["host_key"] = [other, good]
    s.reload()
    s.await_up("cloud")
    relay.kill()
    (relay.dir / "etc/ssh/ssh_host_ed25519_key").write_bytes(
        before.read_bytes())
    relay.start()
    await_reachable(s, port, 12)


def test_second_port(out_site, relays):
    """The first is closed, or filtered: the second does it."""
    s = out_site
    r = relays(ports=2).start()
    port = s.add_relay("cloud", r, port=free_port(), second_port=r.ports[1])
    s.start()
    s.await_up("cloud")
    assert s.reachable(port)
    row = s.relay_status("cloud")
    assert str(r.ports[1]) in json.dumps(row)


def test_second_port_where_no_ssh_answers(out_site, relay):
    """A proxy, say, that takes every connection to the first."""
    s = out_site
    proxy = socket.create_server(("127.0.0.1", 0))
    asked = []

    def run():
        while True:
            try:
                c = proxy.accept()[0]
            except OSError:
                return
            asked.append(c)
            c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200)
            c.close()
    threading.Thread(target=run, daemon=True).start()
    try:
        port = s.add_relay("cloud", relay, port=proxy.getsockname()[1],
                           second_port=relay.port)
        s.start()
        row = s.await_up("cloud", 15)
        assert asked and row["address"] == f"127.0.0.1:{relay.port}", row
        assert row["last_error"]
        assert s.reachable(port)
    finally:
        proxy.shutdown(socket.SHUT_RDWR)
        proxy.close()


@pytest.mark.long
def test_second_port_where_the_first_is_silent(out_site, relay):
    """A firewall that drops: after 20 s, which is one attempt still."""
    s = out_site
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        full = [socket.socket() for _ in range(4)]
        for f in full:
            f.setblocking(False)
            f.connect_ex(dead.getsockname())
        port = s.add_relay("cloud", relay, port=dead.getsockname()[1],
                           second_port=relay.port)
        s.start()
        row = s.await_up("cloud", 30)
        assert row["address"] == f"127.0.0.1:{relay.port}", row
        assert "last_error" not in row, row
        assert s.reachable(port)
        for f in full:
            f.close()


def test_port_zero_and_several(out_site, relay):
    s = out_site
    second = free_port()
    first = s.add_relay("cloud", relay, free_port(), second, 0)
    relay.edit_keys('restrict,', 'restrict,permitlisten="localhost:*",'
                    'permitopen="localhost:*",')
    s.start()
    row = s.await_up("cloud")
    assert s.reachable(first) and s.reachable(second)
    ports = [int(p) for p in re.findall(r"localhost:(\d+)", json.dumps(row))]
    bound = [p for p in ports if p not in (0, first, second)]
    assert bound, row
    assert s.reachable(bound[0])


def test_three_relays_at_once(out_site, relays):
    s = out_site
    three = [relays().start() for _ in range(3)]
    ports = [s.add_relay(f"r{i}", r) for i, r in enumerate(three)]
    s.start()
    for i in range(3):
        s.await_up(f"r{i}")
    assert all(s.reachable(p) for p in ports)
    three[1].kill()
    s.await_relay("r1", "failed", "trying")
    assert s.reachable(ports[0]) and s.reachable(ports[2])
    assert s.relay_status("r0")["state"] in UP


# Names.

def hosts_file(site, monkeypatch, text):
    site.sandbox = False            # or it could not be read there
    path = site.dir / "hosts"
    path.write_text(text)
    monkeypatch.setenv("CARES_HOSTS", str(path))
    site.sandbox = False        # or only the system's own can be read


def test_name_with_a_dead_and_a_live_address(out_site, relay, monkeypatch):
    """All addresses are tried; none holds up the others."""
    s = out_site
    hosts_file(s, monkeypatch, "127.66.66.66 relay.test\n"
               "127.0.0.1 relay.test\n::1 relay.test\n")
    # A listener whose queue is full takes no connection, and refuses none.
    with socket.socket() as dead:
        dead.bind(("127.66.66.66", relay.port))
        dead.listen(0)
        full = [socket.socket() for _ in range(4)]
        for f in full:
            f.setblocking(False)
            f.connect_ex(("127.66.66.66", relay.port))
        port = s.add_relay("cloud", relay, host="relay.test")
        s.start()
        s.await_up("cloud")
        assert s.reachable(port)
        for f in full:
            f.close()


def test_name_that_is_not_there(out_site, relay, monkeypatch):
    s = out_site
    hosts_file(s, monkeypatch, "127.0.0.1 relay.test\n")
    s.add_relay("lost", relay, host="gone.invalid", box="lost")
    s.start()
    row = s.await_relay("lost", "failed", seconds=40)
    assert "gone.invalid" in row["text"], row


@pytest.fixture
def silent_resolver(monkeypatch, tmp_path):
    """A name server that never answers, for processes started meanwhile.
    As root it is one of our own, bound over resolv.conf; else the
    documentation's network, where nothing is."""
    if os.geteuid() == 0:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.77.0.1", 53))
        server = "127.77.0.1"
        space = "unshare -m"
    else:
        s = None
        server = "192.0.2.1"
        space = "unshare -Urm"
    (tmp_path / "resolv.conf").write_text(f"nameserver {server}\n")
    wrapper = tmp_path / "bin"
    wrapper.mkdir()
    script = wrapper / "oobd"
    script.write_text(
        f"#!/bin/sh\nexec {space} sh -c 'mount --bind "
        f"{tmp_path}/resolv.conf /etc/resolv.conf && exec \"$@\"' sh "
        f"'{BUILD}/oobd' \"$@\"\n")
    script.chmod(0o755)
    os.symlink(BUILD / "oobctl", wrapper / "oobctl")
    monkeypatch.setattr(conftest, "BUILD", wrapper)
    yield s
    if s is not None:
        s.close()


def test_resolver_that_hangs(out_site, relay, silent_resolver):
    """Nobody waits for it: not the other relay, not an admin here."""
    s = out_site
    s.add_relay("slow", relay, host="somewhere.example.net", box="slow")
    port = s.add_relay("cloud", relay)
    s.start()
    s.await_up("cloud")
    alice = s.attach("alice", login="alice:gw")
    alice.expect(b"you have the pen")
    for i in range(20):
        start = time.monotonic()
        n = len(alice.out.data)
        alice.send(b"%c" % (97 + i))
        alice.expect(b"%c" % (97 + i), start=n)
        assert time.monotonic() - start < 1
    assert s.reachable(port)
    assert s.relay_status("slow")["state"] in ("trying", "failed")
    if silent_resolver is not None:
        silent_resolver.settimeout(5)
        assert b"somewhere" in silent_resolver.recv(512)
    assert s.stop() == 0


# When it goes out.

def test_activated_follows_the_link(out_site, relay):
    s = out_site
    port = s.add_relay("cloud", relay, when="activated")
    always = s.add_relay("base", relay, box="base")
    s.start()
    s.await_up("base")
    assert s.relay_status("cloud")["state"] == "off"
    assert not relay.listening(port)
    done = s.ctl("link", "up", "10min")
    assert done.returncode == 0, done.stderr
    s.await_up("cloud")
    assert s.reachable(port)
    assert b"cloud" in s.ctl("status").stdout
    assert s.ctl("link", "extend", "5min").returncode == 0
    assert s.relay_status("cloud")["state"] in UP
    alice = s.attach_through("alice", port)
    alice.expect(b"you have the pen")
    assert s.ctl("link", "down").returncode == 0
    alice.expect(b"the link is down")
    alice.expect(b"this way in is closed")
    assert alice.wait() != 0
    s.await_relay("cloud", "off")
    wait_for(lambda: not relay.listening(port))
    assert s.relay_status("base")["state"] in UP
    assert s.reachable(always)


def test_reload_adds_changes_removes(out_site, relay, relays):
    s = out_site
    other = relays().start()
    port = s.add_relay("cloud", relay)
    s.start()
    s.await_up("cloud")
    alice = s.attach_through("alice", port)
    alice.expect(b"you have the pen")
    at = relay.accepted()
    # Another one beside it leaves it alone.
    second = s.add_relay("two", other)
    s.reload()
    s.await_up("two")
    assert s.reachable(second)
    assert relay.accepted() == at
    s.meet("gw", alice)
    # Another port: its connection is a new one.
    moved = free_port()
    relay.setup("remove-box", "box")
    relay.add_box("box", port, moved)
    s.relays["cloud"]["listen"] = [f"localhost:{moved}"]
    s.reload()
    await_reachable(s, moved, 12)
    wait_for(lambda: not relay.listening(port))
    alice.expect(b"this way in is closed")
    assert alice.wait() != 0
    assert s.reachable(second)
    # Gone from the file, gone from the relay.
    del s.relays["two"]
    s.reload()
    wait_for(lambda: not other.listening(second))
    assert set(s.relay_status()) == {"cloud"}
    # What does not parse changes nothing.
    s.relays["cloud"]["listen"] = ["nonsense"]
    s.reload(good=False)
    assert s.relay_status("cloud")["state"] in UP


def test_killed_ssh_process(home, relay):
    """The old connection ends with it, so that its port is free."""
    os.kill(home.children()["ssh"], signal.SIGKILL)
    assert await_reachable(home, home.out, 15) < 12
    assert b"gw" in home.run("alice", "list").stdout


def test_reload_retries_at_once(out_site, relay):
    """A long wait is cut short: by SIGHUP."""
    s = out_site
    port = s.add_relay("cloud", relay)
    relay.kill()
    s.start()
    for _ in range(3):
        s.await_relay("cloud", "failed")
        time.sleep(1)
    relay.start()
    s.reload()
    assert await_reachable(s, port, 5) < 4


# What it says.

def test_status_schema(home):
    row = home.relay_status("cloud")
    for key, kind in (("name", str), ("host", str), ("state", str),
                      ("when", str), ("failure", str), ("text", str),
                      ("attempts", int), ("listen", list),
                      ("channels", int)):
        assert isinstance(row[key], kind), (key, row)
    assert row["when"] == "always"
    assert "since" in row
    named, optional = documented("relay status")
    given = keys_of(dict(relays=[row]))
    assert named - optional <= given <= named, given ^ named
    text = home.ctl("relay", "status").stdout.decode()
    assert "cloud" in text and str(home.out) in text
    # Over SSH, too, and to whom it belongs.
    done = home.run("alice", "relay", "status", "--json")
    assert json.loads(done.stdout)["relays"][0]["name"] == "cloud"
    assert "relay" in json.dumps(json.loads(
        home.ctl("status", "--json").stdout))


def test_test_names_each_step(home):
    done = home.ctl("relay", "test", "cloud")
    text = done.stdout.decode()
    assert done.returncode == 0, (text, done.stderr)
    for step in ("resolve", "connect", "host key", "log", "forward",
                 "own host key"):
        assert step in text.lower(), text
    assert len(re.findall(r"\d ms", text)) >= 4, text
    # Testing disturbs nobody.
    assert home.reachable(home.out)
    done = home.ctl("relay", "test", "nowhere")
    assert done.returncode != 0
    assert b"nowhere" in done.stderr


def test_test_of_a_dead_relay(out_site, relay):
    s = out_site
    s.add_relay("cloud", relay)
    relay.kill()
    s.start()
    done = s.ctl("relay", "test", "cloud", seconds=60)
    assert done.returncode == 1, done
    assert b"connect" in (done.stdout + done.stderr).lower()


def test_presence_is_exact(home):
    """Many come and go; nothing is left over."""
    before = home.fds("ssh")

    def visit():
        for _ in range(3):
            home.run_through("alice", home.out, "list")
    threads = [threading.Thread(target=visit) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_for(lambda: home.relay_status("cloud")["channels"] == 0)
    wait_for(lambda: home.fds("ssh") <= before)
