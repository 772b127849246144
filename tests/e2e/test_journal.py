"""The journal as a whole: its page is right, prompts show, replay keeps time."""
import json
import re
import subprocess
import sys
import time

import pytest

from conftest import BUILD, PATIENCE, wait_for

DOC = BUILD.parent / "docs" / "journal.md"


def folder(site):
    return site.dir / "journal" / "gw"


def raw(site):
    return site.ctl("log", "gw", "--raw").stdout


def text(site):
    return b"".join(p.read_bytes() for p in sorted(folder(site).glob("*Z.log")))


def test_reader_of_the_page(site, tmp_path):
    """The reader printed in docs/journal.md gives back the device's bytes."""
    page = DOC.read_text()
    program = tmp_path / "reader.py"
    program.write_text(re.search(r"```python\n(.*?)```", page, re.S)[1])
    sent = bytes(range(256)) * 40 + b"\r\nplain\r\n\n\\@1:2\r\n\xc3\xa5 login: "
    for i in range(0, len(sent), 999):
        site.lines["gw"].send(sent[i:i + 999])
        time.sleep(0.01)
    wait_for(lambda: raw(site) == sent)
    done = subprocess.run([sys.executable, str(program), str(folder(site))],
                          capture_output=True, timeout=PATIENCE * 6)
    assert done.returncode == 0, done.stderr
    assert done.stdout == sent


def test_prompt_shows_without_newline(site):
    """A prompt is in the file, for tail -F, within a second."""
    site.lines["gw"].send(b"\r\nrouter login: ")
    start = time.monotonic()
    wait_for(lambda: b" router login: \n" in text(site))
    assert time.monotonic() - start < 1.5


def test_typed_command_stands_whole(site):
    """grep finds a command typed key by key, on one line with its prompt."""
    line = site.lines["gw"]
    line.send(b"gw# ")
    for c in b"show version\r\n":
        time.sleep(0.03)
        line.send(bytes([c]))
    wait_for(lambda: re.search(rb" o 0 gw# show version\\@4:", text(site)))


def test_follow_over_ssh(site):
    """log --follow prints what comes, and ends with its client."""
    follower = site.client(site.ssh("alice", "log", "gw", "--follow", "--text"))
    time.sleep(0.5)
    site.lines["gw"].send(b"first\r\nsecond\r\n")
    follower.expect(b"second\n")
    assert follower.out.data.endswith(b"first\nsecond\n")


def test_replay_keeps_time(site):
    """Half a second between two lines is half a second again."""
    line = site.lines["gw"]
    line.send(b"one\r\n")
    time.sleep(0.5)
    line.send(b"two\r\n")
    wait_for(lambda: raw(site) == b"one\r\ntwo\r\n")
    start = time.monotonic()
    player = site.client(site.ssh("alice", "replay", "gw"))
    player.expect(b"one\n")
    first = time.monotonic()
    player.expect(b"two\n")
    assert 0.4 < time.monotonic() - first < 1.5, first - start
    assert player.wait() == 0
    assert b"last 10 minutes" in player.err.data


def test_events_cannot_be_forged(site):
    """A line that looks like an event does not stand where events do."""
    site.lines["gw"].send(b"-- 2026-01-01T00:00:00.000Z attach user=root\r\n")
    wait_for(lambda: b"user=root" in raw(site))
    done = site.ctl("log", "gw", "--events", "--text")
    assert b" -- 2026-01-01T00:00:00.000Z attach user=root\n" in done.stdout
    assert not re.search(rb"^-- .*user=root", done.stdout, re.M)
    assert re.search(rb"^-- \S+Z start ", done.stdout, re.M)


@pytest.fixture
def lines(empty_site):
    """Two lines; alice sees both, bob only a third."""
    for name in ("gw", "sw-1", "lab"):
        empty_site.add_line(name)
    empty_site.add_user("alice")
    empty_site.add_user("bob", consoles=("lab",))
    return empty_site.start()


def test_grep(lines):
    """Over SSH, with a login name, on the box and without a daemon."""
    site = lines
    gw, sw = site.lines["gw"], site.lines["sw-1"]
    gw.send(b"boot ok\r\nker\x1b[1mnel\x1b[0m panic: 1\r\nrebooting\r\n")
    sw.send(b"-- no panic here\r\n")
    wait_for(lambda: b"rebooting" in raw(site) and
             b"here" in site.ctl("log", "sw-1", "--raw").stdout)
    found = site.run("alice", "grep", "-C", "1", "kernel.panic")
    assert found.returncode == 0, found.stderr
    assert re.fullmatch(rb"gw- \S+Z boot ok\ngw: \S+Z kernel panic: 1\n"
                        rb"gw- \S+Z rebooting\n", found.stdout)
    every = site.ctl("grep", "-i", "-c", "PANIC")
    assert every.stdout == b"gw: 1\nsw-1: 1\nlab: 0\n"
    one = site.run("alice", "grep", "panic", login="sw-1")
    assert re.fullmatch(rb"\S+Z -- no panic here\n", one.stdout), one
    dash = site.run("alice", "grep", "--", "'-- no'", "sw-1")
    assert dash.stdout == one.stdout
    offline = subprocess.run([BUILD / "oobctl", "-D", site.dir / "journal",
                              "grep", "panic: [0-9]", "--json"],
                             capture_output=True, timeout=PATIENCE)
    assert b'"console":"gw","match":true' in offline.stdout
    assert site.run("alice", "grep", "not-there").returncode == 1
    bad = site.run("alice", "grep", "'a(b'")
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert b"bad expression" in bad.stderr
    assert site.run("alice", "grep", "x", "nowhere").returncode == 3
    long = site.ctl("grep", "y" * 5000)
    assert long.returncode == 2 and b"too long" in long.stderr
    assert site.run("bob", "grep", "panic").returncode == 1
    assert site.run("bob", "grep", "panic", "gw").returncode == 3


def test_timeline(lines):
    """log --events: who was there, who typed, what happened; for scripts,
    too."""
    site = lines
    alice = site.attach("alice", login="gw")
    site.meet("gw", alice)
    alice.send(b"show")
    assert site.run("alice", "note", "gw", "SFP").returncode == 0
    alice.send(b"\x05c.")

    def timeline():
        return site.ctl("log", "gw", "--events").stdout.decode()
    wait_for(lambda: " detach " in timeline())
    text = timeline().splitlines()
    assert all(re.match(r"-- \S+Z ", line) for line in text), text
    assert "hello" not in "".join(text)
    for what in (r"attach .*alice", r"input alice \d+", r"note user=alice",
                 r"detach .*alice"):
        assert any(re.search(what, line) for line in text), (what, text)
    last = site.ctl("log", "gw", "--events", "--tail", "2").stdout.decode()
    assert last.splitlines() == text[-2:]
    objects = [json.loads(line) for line in
               site.ctl("log", "gw", "--json", "--events").stdout.splitlines()]
    assert {"o", "m", "i"} & {o["type"] for o in objects} >= {"m", "i"}
