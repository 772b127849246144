"""What export gives is played by other people's tools."""
import html
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from browser import Browser
from conftest import BUILD, PATIENCE, Client, Site, wait_for

SINCE = ("--since", "-1h")
MENU = (b"\x1b[2J\x1b[1;1H\x1b[44;97m  BOOT MENU  \x1b[0m\x1b[3;5H1. Boot"
        b"\x1b[4;5H2. Single user\x1b[6;1HChoice: ")


@pytest.fixture(scope="module")
def site():
    """A console that booted, with a menu, noise, a note and a shell."""
    os.environ["OOBD_SHARE"] = str(BUILD / "share")
    s = Site()
    try:
        s.top = "sync = 300ms\njournal {\n    seal = 1s\n}\n"
        gw = s.add_line("gw")
        s.add_user("alice")
        s.start()
        gw.send(b"\x1b]0;title\x07BIOS \xe2\x9c\x93 \xff\r\n")
        time.sleep(0.3)
        for i in range(0, len(MENU), 9):
            gw.send(MENU[i:i + 9])
            time.sleep(0.02)
        gw.send(b"1\r\n\x1b[0m\x1b[2J\x1b[H")
        wait_for(lambda: b"[H" in s.ctl("log", "gw", "--raw").stdout)
        assert s.run("alice", "note", "gw", "rebooted").returncode == 0
        gw.send(b"kernel: \x1b[32mup\x1b[0m\r\nlogin: ")
        wait_for(lambda: b"login" in s.ctl("log", "gw", "--raw").stdout)
        yield s
    finally:
        s.close()
        del os.environ["OOBD_SHARE"]


def export(site, kind, *more):
    done = site.run("alice", "export", "gw", *SINCE, "--format", kind, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(site):
    return site.ctl("log", "gw", "--raw").stdout


def in_terminal(*argv):
    """What a program writes to a terminal, without the terminal's CR."""
    c = Client([str(a) for a in argv], tty=True)
    try:
        assert c.wait() == 0, c.out.data[-500:]
        wait_for(lambda: c.out.ended, text="the rest of its output")
        return c.out.data.replace(b"\r\r\n", b"\r\n")
    finally:
        c.stop()


def shown(site):
    """The device's bytes as a terminal may have them."""
    return raw(site).replace(b"\x1b]0;title\x07", b"") \
        .replace(b"\xff", "\ufffd".encode())


@pytest.mark.skipif(not shutil.which("asciinema"), reason="no asciinema")
def test_asciinema(site, tmp_path):
    cast = tmp_path / "gw.cast"
    cast.write_bytes(export(site, "cast2"))
    assert in_terminal("asciinema", "cat", cast) == shown(site)
    played = in_terminal("asciinema", "play", "-s", "50", cast)
    assert shown(site) in played
    lines = [json.loads(line) for line in cast.read_text().splitlines()]
    markers = [e[2] for e in lines[1:] if e[1] == "m"]
    assert any("rebooted" in m for m in markers), markers
    times = [e[0] for e in lines[1:]]
    assert times == sorted(times) and 0.4 < times[-1] < 60


def test_cast3_is_cast2(site):
    """The same events, their times as intervals."""
    two = [json.loads(x) for x in export(site, "cast2").splitlines()]
    three = [json.loads(x) for x in export(site, "cast3").splitlines()]
    assert (two[0]["version"], three[0]["version"]) == (2, 3)
    assert [e[1:] for e in two[1:]] == [e[1:] for e in three[1:]]
    now = 0
    for a, b in zip(two[1:], three[1:]):
        now += b[0]
        assert abs(a[0] - now) < 0.0011


@pytest.mark.skipif(not shutil.which("ttyplay"), reason="no ttyrec")
def test_ttyplay(site, tmp_path):
    rec = tmp_path / "gw.ttyrec"
    rec.write_bytes(export(site, "ttyrec", "--raw"))
    assert in_terminal("ttyplay", "-n", rec) == raw(site)


@pytest.mark.skipif(not shutil.which("scriptreplay"), reason="no bsdutils")
def test_scriptreplay(site, tmp_path):
    with tarfile.open(fileobj=io.BytesIO(export(site, "script", "--raw"))) \
            as tar:
        tar.extractall(tmp_path)
    files = ("--log-timing", tmp_path / "gw.timing",
             "--log-out", tmp_path / "gw.typescript")
    done = subprocess.run(["scriptreplay", "--divisor", "50", *files],
                          capture_output=True, timeout=PATIENCE)
    # It adds a newline of its own at the end.
    assert done.stdout.rstrip(b"\n") == raw(site)
    summary = subprocess.run(["scriptreplay", "--summary", *files],
                             capture_output=True, timeout=PATIENCE)
    assert b"START_TIME" in summary.stdout
    assert b"COLUMNS:  80" in summary.stdout


def test_text(site):
    text = export(site, "text")
    assert b"BIOS \xe2\x9c\x93 \xef\xbf\xbd\n" in text
    assert b"kernel: up\nlogin: " in text and b"\x1b" not in text


TERMINAL = """
const cells = document.querySelector('.ap-player');
return cells === null ? '' : cells.innerText;
"""


def vouched(page):
    """What the page says of its record."""
    return re.search(rb'<span id="verified">(.*?)</span>', page)[1].decode()


def test_page_is_verified(site, tmp_path):
    """It says what `verify` does, and what is wrong with an edited one."""
    if not (BUILD / "share/player").exists():
        pytest.skip("`make player` had no npm")
    wait_for(lambda: "signed by SHA256:" in vouched(export(site, "html")),
             text="a signature")
    wait_for(lambda: "not sealed" not in vouched(export(site, "html")),
             text="the last seal")
    said = vouched(export(site, "html"))
    assert said.startswith("verified when this was exported: segments 1 to 1")
    signed = json.loads(site.ctl("verify", "gw", "--json").stdout)["signed"]
    assert signed["key"] in said and "compare" not in said

    def offline():
        done = subprocess.run(
            [str(BUILD / "oobctl"), "-D", str(copy), "export", "gw", *SINCE,
             "--format", "html"], capture_output=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return vouched(done.stdout)

    copy = tmp_path / "copy"
    shutil.copytree(site.dir / "journal", copy, symlinks=True)
    assert signed["key"] in offline() and "compare that key" in offline()
    segment, = (copy / "gw").glob("0*.log")
    segment.write_bytes(segment.read_bytes().replace(b"kernel", b"colonel"))
    assert offline().startswith("NOT AS IT WAS WRITTEN: ")
    assert "edited" in offline()
    shutil.rmtree(copy / ".box")
    assert offline().startswith("not verified: ")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromedriver") or
                    not (BUILD / "share/player").exists(),
                    reason="no chromedriver, or `make player` had no npm")
def test_page_in_chromium(site, tmp_path):
    """Opened from a file it plays, seeks, and shows what was there."""
    page = tmp_path / "gw.html"
    page.write_bytes(export(site, "html"))
    assert b"http" not in page.read_bytes().split(b'id="recording"')[1]
    three = export(site, "cast3").decode()
    with Browser() as b:
        b.open(page)
        wait_for(lambda: b.run(TERMINAL), text="the player")
        assert b.run("return document.title").startswith("gw, 20")
        assert b.run("return document.getElementById('verified')"
                     ".textContent") == html.unescape(
                         vouched(page.read_bytes()))
        total = b.run("return player.getDuration()")
        assert 0.4 < total < 60
        # Seeks back and forth.  (From its poster to the very end this
        # player shows nothing: a step before.)
        for to in 0.1, total:
            b.run("return player.seek(arguments[0])", to)
        wait_for(lambda: "login:" in b.run(TERMINAL), text="the end")
        assert "BOOT MENU" not in b.run(TERMINAL)
        events = list(map(json.loads,
                          export(site, "cast2").splitlines()[1:]))
        menu = next(i for i, e in enumerate(events) if "oice" in e[2])
        b.run("return player.seek(arguments[0])",
              (events[menu][0] + events[menu + 1][0]) / 2)
        wait_for(lambda: "BOOT MENU" in b.run(TERMINAL), text="the menu")
        assert "2. Single user" in b.run(TERMINAL)
        assert "login:" not in b.run(TERMINAL)
        if os.environ.get("OOBD_PICTURE"):
            b.picture(tmp_path / "page.png")
            shutil.copy(tmp_path / "page.png", os.environ["OOBD_PICTURE"])
        # Events lead to their places.
        assert b.run("return [...document.querySelectorAll('#events button')"
                     "].filter(e => e.textContent.includes('rebooted'))"
                     ".map(e => e.click()).length") == 1
        wait_for(lambda: "BOOT MENU" not in b.run(TERMINAL), text="the event")
        # Plays by itself.
        b.run("player.seek(0); return player.play()")
        wait_for(lambda: b.run("return player.getCurrentTime()") > 0.2,
                 text="playing")
        # The other version of the format is as good.
        b.run("AsciinemaPlayer.create({data: arguments[0]}, document.body, "
              "{preload: true, autoPlay: true, speed: 50})", three)
        wait_for(lambda: b.run("return [...document.querySelectorAll("
                               "'.ap-player')].filter(e => e.innerText"
                               ".includes('login:')).length"), text="cast3")
        assert b.errors() == []


def test_refusals(site):
    bad = site.run("alice", "export", "gw", *SINCE, "--format", "avi")
    assert (bad.returncode, bad.stdout) == (2, b"") and b"cast2" in bad.stderr
    lost = site.run("alice", "export", "gw", "--since", "2000-01-01",
                    "--until", "2000-01-02", "--format", "cast2")
    assert lost.returncode == 1 and b"nothing" in lost.stderr
