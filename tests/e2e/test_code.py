"""oobctl code: what an authenticator app reads and makes must be what oobd
accepts."""
import base64
import hashlib
import hmac
import os
import pty
import pwd
import re
import shutil
import stat
import struct
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

import pytest

from conftest import BUILD, Stream

CTL = str(BUILD / "oobctl")


class Box:
    """A configuration with its state_dir; no daemon."""

    def __init__(self, path, top=""):
        self.path = path
        self.state = path / "state"
        self.conf = path / "oobd.conf"
        self.conf.write_text(
            f'name = "home-oob"\nstate_dir = "{self.state}"\n{top}'
            f'log_dir = "{path}/log"\ncontrol = "{path}/ctl"\n'
            f'console "gw" {{ device = "{path}/tty" }}\n'
            'ssh { listen = {"127.0.0.1:1"} }\n')

    def run(self, *words, **kw):
        return subprocess.run(
            [CTL, "code", *words, "-f", str(self.conf)], text=True,
            capture_output=True, timeout=60,
            **{"stdin": subprocess.DEVNULL, **kw})

    def good(self, *words, **kw):
        done = self.run(*words, **kw)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new(self, *words):
        out = self.good("new", *words)
        return out, Uri(re.search(r"^otpauth://\S+$", out, re.M).group(0))

    def state_of(self, name):
        text = (self.state / "codes" / name).read_text()
        return dict(row.split(" ", 1) for row in text.splitlines()
                    if " " in row)


class Uri:
    def __init__(self, text):
        self.text = text
        url = urllib.parse.urlsplit(text)
        self.kind, self.label = url.netloc, urllib.parse.unquote(url.path[1:])
        self.query = {k: v for k, [v] in
                      urllib.parse.parse_qs(url.query).items()}
        self.secret = base64.b32decode(self.query["secret"])

    def code(self, counter):
        """RFC 4226, in other hands."""
        mac = hmac.new(self.secret, struct.pack(">Q", counter),
                       hashlib.sha1).digest()
        at = mac[-1] & 15
        number = struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff
        return f"{number % 10 ** 8:08d}"


@pytest.fixture
def open_path():
    """A folder that every user can reach."""
    path = Path(tempfile.mkdtemp(prefix="oobd-code-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def qr_rows(text):
    """The lines that are a QR code, as booleans: dark?"""
    cells = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    lines = [x for x in text.splitlines()
             if len(x) > 20 and set(x) <= set(cells)]
    rows = []
    for line in lines:
        rows.append([cells[c][0] for c in line])
        rows.append([cells[c][1] for c in line])
    return rows


def read_qr(text, path):
    """What zbarimg sees on a terminal with a dark background."""
    rows = qr_rows(text)
    assert rows and len({len(r) for r in rows}) == 1
    scale = 5
    pixels = b"".join(
        bytes(0 if dark else 255 for dark in row for _ in range(scale)) * scale
        for row in rows)
    path.write_bytes(b"P5 %d %d 255\n" % (len(rows[0]) * scale,
                                          len(rows) * scale) + pixels)
    done = subprocess.run(["zbarimg", "-q", "--raw", str(path)], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


needs_zbar = pytest.mark.skipif(shutil.which("zbarimg") is None,
                                reason="no zbarimg")


def test_uri(box):
    out, uri = box.new("alice")
    assert uri.kind == "hotp" and uri.label == "home-oob:alice"
    assert uri.query["issuer"] == "home-oob" and uri.query["digits"] == "8"
    assert uri.query["counter"] == "0" and len(uri.secret) == 20
    _, other = box.new("bob", "--totp")
    assert other.kind == "totp" and other.query["period"] == "30"
    assert "counter" not in other.query
    assert other.secret != uri.secret


@needs_zbar
@pytest.mark.parametrize("words", [["alice"], ["alice", "--totp"],
                                   ["a" * 32]])
def test_qr_is_the_uri(box, words, tmp_path):
    out, uri = box.new(*words)
    assert read_qr(out, tmp_path / "qr.pgm") == uri.text
    rows = qr_rows(out)
    # The quiet zone is whole, and all fits a terminal.
    quiet = rows[:4] + rows[-4:] + [r[:4] + r[-4:] for r in rows]
    assert not any(any(r) for r in quiet)
    assert len(rows[0]) <= 79


@needs_zbar
def test_qr_on_a_terminal(box, tmp_path):
    master, slave = pty.openpty()
    out = Stream(master)
    done = subprocess.run([CTL, "code", "new", "alice", "-f", str(box.conf)],
                          stdout=slave, stderr=slave, timeout=60,
                          stdin=subprocess.DEVNULL)
    text = out.settle().decode().replace("\r\n", "\n")
    out.stop()
    os.close(slave)
    os.close(master)
    assert done.returncode == 0
    # Each of its lines says its colours and takes them back.
    lines = [x for x in text.splitlines() if "█" in x]
    assert all(x.startswith("\x1b[38;5;231;48;5;16m") and
               x.endswith("\x1b[0m") for x in lines)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert read_qr(plain, tmp_path / "qr.pgm") in plain


def test_paper_is_what_an_app_shows(box):
    out, uri = box.new("alice")
    sheet = {int(n): c for n, c in re.findall(r"(\d+)  (\d{8})\b", out)}
    assert sheet == {n: uri.code(n) for n in range(20)}
    if shutil.which("oathtool"):
        tool = subprocess.run(
            ["oathtool", "--hotp", "-d", "8", "-w", "19", uri.secret.hex()],
            check=True, capture_output=True, text=True).stdout.split()
        assert list(sheet.values()) == tool
    assert "otpauth" not in box.good("list")
    assert not re.search(r"\d{8}\b", box.good("list").replace("T", ""))
    out = box.good("list", "alice", "--paper", "7")
    assert re.findall(r"\b\d{8}\b", out) == [uri.code(n) for n in range(7)]
    out, _ = box.new("bob", "--paper", "0")
    assert not re.search(r"\b\d{8}\b", out)


def test_check_spends_nothing(box):
    _, uri = box.new("alice")
    for ahead in (0, 5, 20):
        for _ in range(2):
            assert box.good("check", "alice", uri.code(ahead)) == (
                f"alice: good, at counter 0 + {ahead}\n")
    far = box.run("check", "alice", uri.code(21))
    assert far.returncode == 1 and "0 + 21" in far.stdout
    assert "resync" in far.stdout
    wrong = box.run("check", "alice", "00000000")
    assert (wrong.returncode, wrong.stdout) == (1, "alice: wrong\n")
    assert box.run("check", "alice", "1234").stdout == "alice: wrong\n"
    none = box.run("check", "bob", "00000000")
    assert none.returncode == 1 and "code new bob" in none.stderr
    # From input, which no process list shows.
    assert "good" in box.good("check", "alice", "-", stdin=None,
                              input=uri.code(3) + "\n")
    assert "good" in box.good("check", "alice", stdin=None,
                              input=uri.code(3))
    assert box.state_of("alice")["counter"] == "0" * 20


def test_check_by_time(box):
    _, uri = box.new("alice", "--totp")
    step = int(time.time()) // 30
    assert "good" in box.good("check", "alice", uri.code(step))
    assert box.run("check", "alice", uri.code(step - 40)).returncode == 1
    paper = box.run("list", "--paper")
    assert paper.returncode == 0 and "time-based" in paper.stderr
    assert box.run("resync", "alice", uri.code(step),
                   uri.code(step + 1)).returncode == 1


def test_resync(box):
    _, uri = box.new("alice")
    for pair in ((50, 52), (51, 50), (201, 202)):
        done = box.run("resync", "alice", *map(uri.code, pair))
        assert done.returncode == 1 and done.stderr
    assert box.good("resync", "alice", uri.code(150), uri.code(151)) == (
        "alice: counter moved to 152\n")
    assert "152 + 0" in box.good("check", "alice", uri.code(152))
    used = box.run("check", "alice", uri.code(151))
    assert used.returncode == 1 and "used" in used.stdout
    back = box.run("resync", "alice", uri.code(150), uri.code(151))
    assert back.returncode == 1 and "never moves back" in back.stderr


def test_files_and_force(box):
    _, uri = box.new("alice")
    path = box.state / "codes" / "alice"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(box.state.stat().st_mode) == 0o700
    before = path.read_bytes()
    done = box.run("new", "alice")
    assert done.returncode == 1 and "--force" in done.stderr
    assert done.stdout == "" and path.read_bytes() == before
    _, again = box.new("alice", "--force")
    assert again.secret != uri.secret
    assert box.run("check", "alice", uri.code(0)).returncode == 1
    path.write_text("nonsense")
    done = box.run("list")
    assert done.returncode == 1 and "damaged" in done.stderr
    box.new("alice", "--force")
    assert box.run("remove", "alice").returncode == 0
    assert box.run("remove", "alice").returncode == 1
    assert not path.exists()
    # No temporary file stays.
    assert sorted(os.listdir(path.parent)) == []


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["new"], ["new", "a", "b"], ["list", "a", "b"],
    ["check"], ["check", "a", "b", "c"], ["resync"], ["remove"],
    ["new", "a", "--nonsense"], ["list", "-x"], ["a", "b", "c", "d", "e"]])
def test_usage(box, words):
    done = box.run(*words)
    assert done.returncode == 2 and done.stderr.startswith("usage: code ")


@pytest.mark.parametrize("name", ["../x", ".next", "a b", "-", "x" * 33])
def test_names(box, name):
    done = box.run("new", name)
    assert done.returncode == 1 and "a name is" in done.stderr
    assert not list((box.state / "codes").glob("*")
                    if (box.state / "codes").exists() else [])


def test_bad_configuration(box):
    box.conf.write_text("nonsense = 1\n")
    done = box.run("list")
    assert done.returncode == 1 and "oobd.conf:1:" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_root_works_as_the_service_user(open_path):
    nobody = pwd.getpwnam("nobody")
    box = Box(open_path, 'service_user = "nobody"\n')
    _, uri = box.new("alice")
    for path in (box.state, box.state / "codes",
                 box.state / "codes" / "alice"):
        assert path.stat().st_uid == nobody.pw_uid, path
        assert path.stat().st_mode & 0o077 == 0
    box.good("resync", "alice", uri.code(3), uri.code(4))
    assert (box.state / "codes" / "alice").stat().st_uid == nobody.pw_uid
    # What the service user plants there is not followed with root's rights.
    shutil.rmtree(box.state / "codes")
    target = open_path / "precious"
    target.mkdir(mode=0o700)
    os.symlink(target, box.state / "codes")
    assert box.run("new", "alice").returncode == 1
    assert list(target.iterdir()) == []


def test_not_over_ssh(empty_site):
    """Only the box itself makes secrets."""
    empty_site.add_line("gw", echo=True)
    empty_site.add_user("root", role="admin")
    site = empty_site.start()
    for words in (["code", "list"], ["code", "new", "eve"]):
        done = site.run("root", *words)
        assert done.returncode != 0
        assert b"otpauth" not in done.stdout + done.stderr
        assert b"oobctl" in done.stderr
    assert not list((site.dir / "state" / "codes").glob("*"))


def test_beside_the_daemon(site):
    """The secret never shows in what the daemon logs."""
    box = Box.__new__(Box)
    box.state, box.conf = site.dir / "state", site.conf
    _, uri = box.new("alice")
    assert "good" in box.good("check", "alice", uri.code(0))
    assert uri.query["secret"] not in site.log()
