"""One fault at a time that no other file of tests has: a full disk, a clock
that begins in 1970, names that lie, a power cut with somebody there, an uplink
that flaps.  docs/faults.md names them all."""
import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import pytest
from conftest import BUILD, PATIENCE, ROOT, wait_for
from modem_site import ModemSite
from relay_site import QUICK, SSHD, Relay, RelaySite, await_reachable
from test_modem_process import ENDED, bring_up
from test_relay import hosts_file
from test_survival import Flood
from test_uplink import Host, Process, uplink, until, watched

MEBI = 1024 * 1024


# A disk that is full.

@pytest.fixture
def small_disk(empty_site):
    """The journals' folder is a disk of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts")
    path = empty_site.dir / "journal"
    path.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700",
                    "journal", str(path)], check=True)
    yield path
    empty_site.stop()
    subprocess.run(["umount", str(path)], check=True)


def told_by_exec(site):
    """A notify program that keeps what it is told."""
    told = site.dir / "told"
    script = site.dir / "tell"
    script.write_text(f"#!/bin/sh\n{{ cat; echo; }} >> {told}\n")
    script.chmod(0o700)
    site.top += (f'notify "me" {{\n\ttype = "exec"\n'
                 f'\tcommand = "{script}"\n}}\n')
    return lambda: told.read_text() if told.exists() else ""


def recorded(site):
    """Bytes in the journal, and bytes that are said to be missing."""
    data = site.ctl("log", "gw", "--raw").stdout
    events = site.ctl("log", "gw", "--events").stdout.decode()
    return len(data), sum(map(int, re.findall(r"Z gap bytes=(\d+)", events)))


def test_disk_full(empty_site, small_disk):
    """Nobody who watches notices; the owner is told; room is enough."""
    s = empty_site
    line = s.add_line("gw", conf="\tspeed = 115200\n\tring = \"64kb\"\n")
    s.add_user("alice")
    told = told_by_exec(s)
    s.start()
    alice = s.attach("alice")
    s.meet("gw", alice)
    sent = len(alice.out.data)
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as f:
        with pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
    for i in range(80):                 # more than ring and buffers hold
        line.send(b"%06d %s\r\n" % (i, b"z" * 8000))
        alice.expect(b"%06d zzz" % i, start=sent)
    wait_for(lambda: "console gw is NOT RECORDED: " in told(), 2 * PATIENCE,
             text=f"being told, {told()}")
    assert "No space left" in told()
    assert b"No space left" in s.ctl("status").stdout
    filler.unlink()
    wait_for(lambda: "console gw is recorded again" in told(), PATIENCE,
             text="recording again")
    line.send(b"after\r\n")
    alice.expect(b"after")
    wait_for(lambda: b"after" in s.ctl("log", "gw", "--raw").stdout)
    status = s.ctl("status").stdout
    assert b"No space left" not in status
    # What could not be kept is known to the byte.
    kept, missing = recorded(s)
    received = int(re.search(rb"received (\d+),", status)[1])
    assert missing > 0 and kept + missing == received


# A box without a clock of its own.

@pytest.fixture
def made(empty_site):
    sites = []

    def new(**kw):
        sites.append(ModemSite(empty_site, **kw))
        return sites[-1]
    yield new
    for m in sites:
        m.close()


def set_clock(shift, by):
    """In place: the file is mapped by all who look at it."""
    with open(shift, "r+b" if shift.exists() else "wb") as f:
        f.write(struct.pack("=q", by))


def test_clock_at_1970(made, monkeypatch, tmp_path):
    """A counted code works all the same; setting the clock ends nothing."""
    m = made()
    m.site.sandbox = False      # or the shift could not be read
    shift = tmp_path / "shift"
    set_clock(shift, -int(time.time()))
    monkeypatch.setenv("OOBD_WALL", str(shift))
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests/wall.so"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       "detect_leaks=0:verify_asan_link_order=0")
    m.start()
    monkeypatch.delenv("LD_PRELOAD")
    assert m.events("start") and m.site.ctl(
        "log", "--events").stdout.startswith(b"-- 1970-01-01T")
    alice = m.site.attach("alice", login="alice:gw")
    m.site.meet("gw", alice)
    begun = time.monotonic()
    m.command("up 30")
    wait_for(lambda: m.link()["state"] in ("up", "failed"), 2 * PATIENCE)
    assert time.monotonic() - begun < 2 * PATIENCE
    if m.link()["state"] == "failed":   # where PPP may work
        pytest.skip("PPP works here, and the simulated call is silent")
    assert 1700 < m.link()["left_s"] <= 1800
    m.command("status")
    m.sent_now(2)
    # Now it learns the time.
    set_clock(shift, 0)
    m.site.lines["gw"].send(b"it is late\r\n")
    alice.expect(b"it is late")
    wait_for(lambda: m.events("clock step=+"), text="the clock's event")
    assert 1600 < m.link()["left_s"] <= 1800 and m.link()["state"] == "up"
    m.command("status")
    m.sent_now(3)
    last = m.site.ctl("log", "gw", "--tail", "1").stdout.decode()
    assert last.startswith(time.strftime("%Y-%m-", time.gmtime()))
    assert b"it is late" in m.site.ctl("log", "gw", "--since",
                                       "-10min").stdout
    alice.send(b"still here")
    alice.expect(b"still here")


def test_clock_jumps(empty_site, monkeypatch, tmp_path):
    """Forward and back by days and years, in a flood: nobody who is there
    notices, who comes gets in, and the record keeps its order."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.top = "journal {\n    seal = 1s\n    rotate_size = 64kb\n}"
    shift = tmp_path / "shift"
    set_clock(shift, 0)
    monkeypatch.setenv("OOBD_WALL", str(shift))
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests/wall.so"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       "detect_leaks=0:verify_asan_link_order=0")
    s.start()
    monkeypatch.delenv("LD_PRELOAD")
    viewer = s.client(s.ssh("alice", "-n", "attach", "--ro"))
    typist = s.client(s.ssh("alice", "-s", "console"))
    wait_for(lambda: s.ctl("who").stdout.count(b"alice") == 2)
    children = s.kept()
    flood = Flood(line, pause=0.005)
    flood.start()
    day, typed = 86400, b""
    for n, jump in enumerate((day, -2 * day, 10 * 365 * day, -day, 0)):
        set_clock(shift, jump)
        typist.send(b"typed %d\n" % n)
        typed += b"typed %d\n" % n
        wait_for(lambda: line.typed.data == typed)
        assert s.run("alice", "list").returncode == 0
        wait_for(lambda: s.ctl("log", "gw", "--events").stdout.count(
            b" clock step=") > n, text="the clock's event")
    sent = flood.end()
    line.send(b"now\r\n")
    sent += b"now\r\n"
    for client in (viewer, typist):
        wait_for(lambda: client.out.data == sent, text="all of it")
    wait_for(lambda: s.ctl("log", "gw", "--raw").stdout == sent)
    recent = s.ctl("log", "gw", "--since", "-1min").stdout
    assert recent.rstrip().endswith(b"now")
    assert s.ctl("verify", "gw").returncode == 0
    s.none_restarted(children)


# A relay's name that leads elsewhere.

@pytest.fixture
def impostor():
    """Another machine, at another address, with a key of its own."""
    if SSHD is None:
        pytest.skip("no sshd")
    real = Relay(config="ListenAddress 127.0.0.1\n" + QUICK)
    other = Relay(config="ListenAddress 127.66.66.66\n" + QUICK)
    for f in other.dir.rglob("*.conf"):
        f.write_text(re.sub(rf"^Port {other.port}$", f"Port {real.port}",
                            f.read_text(), flags=re.M))
    other.port = real.port
    other.ports = []                    # its address is not 127.0.0.1
    try:
        real.start()
        other.start()
        yield real, other
    finally:
        real.close()
        other.close()


def test_name_that_lies(impostor, monkeypatch):
    real, other = impostor
    s = RelaySite()
    try:
        s.add_line("gw", echo=True)
        s.add_user("alice")
        s.add_user("bob", role="viewer")
        hosts_file(s, monkeypatch, "127.66.66.66 relay.test\n")
        port = s.add_relay("cloud", real, host="relay.test")
        s.start()
        row = s.await_relay("cloud", "failed")
        assert row["failure"] == "host-key", row
        assert "Accepted" not in other.log() and "127." in other.log()
        assert not real.listening(port)
        hosts_file(s, monkeypatch, "127.0.0.1 relay.test\n")
        assert await_reachable(s, port, 40) < 40
    finally:
        s.close()


# The power goes, with somebody there and the link up.

def cut_power(site):
    """All at once; what was only in memory is gone, and the last piece of
    the journal is half written."""
    for pid in [site.process.pid, *site.children().values()]:
        with contextlib.suppress(ProcessLookupError):   # a reader that ended
            os.kill(pid, signal.SIGKILL)
    site.process.wait()
    shutil.rmtree(site.dir / "ctl.run")
    newest = sorted((site.dir / "journal/gw").glob("*.log"))[-1]
    os.truncate(newest, newest.stat().st_size - 10)
    path = site.dir / "state" / "modem" / "link"
    path.write_text(re.sub(r"^boot .*$", "boot another", path.read_text(),
                           flags=re.M))


def test_rebooted_with_somebody_there(empty_site, tmp_path):
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    assert s.ctl("link", "up", "1h").returncode == 0
    alice = s.attach("alice")
    s.meet("gw", alice)
    line.send(b"before the cut\r\n" * 200)
    wait_for(lambda: s.ctl("log", "gw", "--raw").stdout.count(
        b"before the cut\r\n") == 200)
    before = s.ctl("log", "gw", "--raw").stdout
    cut_power(s)
    assert alice.wait() == 255
    s.process = None
    begun = time.monotonic()
    s.start()
    alice = s.attach("alice")
    s.meet("gw", alice)
    assert time.monotonic() - begun < PATIENCE
    line.send(b"after the cut\r\n")
    wait_for(lambda: s.ctl("log", "gw", "--raw").stdout.endswith(
        b"after the cut\r\n"))
    after = s.ctl("log", "gw", "--raw").stdout
    kept = os.path.commonprefix([before, after])
    assert len(before) - len(kept) < 20
    assert re.fullmatch(rb"(<hello>|\r\n)*after the cut\r\n",
                        after[len(kept):].lstrip(b"before thcu\r\n"))
    # A reader made from the page finds no fault with what is on the disk.
    page = (ROOT / "docs/journal.md").read_text()
    (tmp_path / "reader.py").write_text(
        re.search(r"```python\n(.*?)```", page, re.S)[1])
    done = subprocess.run([sys.executable, str(tmp_path / "reader.py"),
                           str(s.dir / "journal/gw")], capture_output=True)
    assert (done.returncode, done.stdout) == (0, after), done.stderr
    done = s.ctl("link", "status")
    assert done.stdout.startswith(b"link: idle")


# An uplink that comes and goes.

@pytest.mark.long
@pytest.mark.slow
def test_uplink_flaps(tmp_path):
    """Silent for less than watch_for, again and again: nothing happens."""
    host = Host()
    host.answer()
    p = Process(tmp_path, extra=watched(f"127.0.0.1:{host.at[1]}"), fast=12)
    try:
        until(p, "alive")
        for _ in range(3):
            host.drop()
            until(p, "silent")
            time.sleep(1)               # of 5 s
            host.close()
            host.answer()
            until(p, "alive")
            assert p.link()["state"] == "idle"
        assert not p.events("uplink-dead") and uplink(p)["dead_since"] is None
    finally:
        status = p.stop()
        host.close()
    assert status == 0


# Somebody else at the modem's port.

@pytest.mark.long
def test_port_of_another(tmp_path):
    """PPP cannot have it: the ports are opened anew, and it is dialled."""
    p = Process(tmp_path)
    try:
        p.ready()
        p.by_sms("up")
        p.dialled()
        p.ppp(ENDED, "E-PORT", "another program has a lock on the port")
        seen = p.told("E-PORT")
        assert seen["retry_at"] and "lock" in seen["failure_text"]
        p.ready()
        p.run("link", "up")
        bring_up(p, 2)
    finally:
        status = p.stop()
    assert status == 0
