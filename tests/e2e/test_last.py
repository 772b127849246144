"""The journal of the box: who came, who did not, and what admins changed."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import paramiko
import pytest

from conftest import BUILD, PATIENCE, make_key, wait_for
from modem_site import Codes
from test_certificates import Authority

PASSWORD = "correct horse battery"


@pytest.fixture
def home(empty_site):
    """root is admin; bob has a password and codes."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("root", role="admin")
    s.add_user("bob").extra = '\trequire = {"key", "password+code"}\n'
    s.codes = {}
    return s.start()


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def last(s, *words):
    return json.loads(ok(s.ctl("last", "--json", *words)))


def box(s, *words):
    """Events of the box's journal, without times."""
    return [line.split(" ", 2)[2] for line in ok(
        s.ctl("log", ".box", "--events", *words)).splitlines()]


def wait_row(s, **want):
    """The newest row like that."""
    def look():
        for row in last(s, "-n", "1000"):
            if all(row.get(k) == v for k, v in want.items()):
                return row
        return None
    return wait_for(look, text=f"a row {want}")


def knock(s, name, *answers):
    t = paramiko.Transport(("127.0.0.1", s.port))
    t.start_client(timeout=PATIENCE)
    try:
        t.auth_interactive(name, lambda a, b, fields: list(
            answers if fields else []))
        return t
    except paramiko.SSHException:
        t.close()
        return None


def passwd(s, name, *words, password=PASSWORD):
    return subprocess.run(
        [str(BUILD / "oobctl"), "user", "-f", str(s.conf), "passwd", name,
         *words], input=password + "\n", text=True, capture_output=True,
        timeout=60)


def fingerprint(key):
    return subprocess.run(["ssh-keygen", "-lf", str(key) + ".pub"],
                          check=True, capture_output=True,
                          text=True).stdout.split()[1]


def test_logins_and_ends(home):
    s = home
    c = s.attach("bob", login="bob:gw")
    c.expect(b"you have the pen")
    there = wait_row(s, what="login", user="bob", over=False)
    assert there["way"] == "key" and there["from"] == "127.0.0.1"
    assert there["via"] == "ssh" and there["asserted"] is False
    assert there["key"] == fingerprint(s.users["bob"].key)
    assert "still there" in ok(s.ctl("last", "-n", "1"))
    c.send(b"\x05c.")
    c.wait()
    gone = wait_row(s, what="login", user="bob", over=True)
    assert gone["end"] == "connection closed" and 0 <= gone["lasted_s"] < 60
    assert re.search(r"bob +key +127\.0\.0\.1 +ssh +00:00:0\d +connection "
                     r"closed  SHA256:", ok(s.ctl("last")))
    # What cannot say that it ends.
    c = s.attach("bob", login="bob:gw")
    c.expect(b"you have the pen")
    old = s.children()["ssh"]
    os.kill(old, signal.SIGKILL)
    wait_row(s, what="login", user="bob", end="the ssh process ended")
    wait_for(lambda: s.children().get("ssh", old) != old)
    # A console process that is killed ends nobody's login.
    wait_for(lambda: s.run("root", "list").returncode == 0)
    c = s.attach("bob", login="bob:gw")
    c.expect(b"you have the pen")
    wait_row(s, user="bob", over=False)
    old = s.children()["console"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.children().get("console", old) != old)
    wait_for(lambda: s.ctl("list").returncode == 0)
    assert wait_row(s, user="bob", over=False)
    s.stop()
    rows = json.loads(subprocess.run(
        [str(BUILD / "oobctl"), "-D", str(s.dir / "journal"), "last",
         "--json"], check=True, capture_output=True, text=True).stdout)
    assert all(r["over"] for r in rows if r["what"] == "login")
    assert rows[0]["end"] in ("oobd stopped", "shutting down")
    assert len(rows) == len({r["time"] for r in rows})
    assert [r["time"] for r in rows] == sorted(
        (r["time"] for r in rows), reverse=True)
    s.start()
    assert [r["time"] for r in last(s)] == [r["time"] for r in rows]
    assert len(last(s, "-n", "2")) == 2


def test_refusals(home):
    """Names that are nobody's are not shown: they may be passwords."""
    s = home
    stranger = make_key(s.dir / "stranger")
    argv = ["ssh", *s.ssh_options(), "-i", str(stranger)]
    s.run(None, argv=[*argv, "hunter2@127.0.0.1", "list"])
    s.run(None, argv=[*argv, "bob:hunter2@127.0.0.1", "list"])
    s.run(None, argv=[*argv, "hunter2:gw@127.0.0.1", "list"])
    s.run(None, argv=[*argv, "gw@127.0.0.1", "list"])
    for user in ("?", "bob:?", "?:gw", "gw"):
        row = wait_row(s, what="refused", user=user)
        assert row["key"] == fingerprint(stranger)
        assert row["why"] in ("unknown key", "unknown name")
    assert re.search(r"refused: unknown key  SHA256:", ok(s.ctl("last")))
    assert not knock(s, "bob", "wrong " + PASSWORD, "12345678")
    wait_row(s, what="refused", user="bob",
             why="has no password: oobctl user passwd")
    for text in (s.log(), ok(s.ctl("last")), ok(s.ctl("log", ".box")),
                 ok(s.ctl("last", "--json"))):
        assert "hunter2" not in text and PASSWORD not in text


def test_changes_and_codes(home):
    s = home
    codes = Codes(s, "bob")
    assert passwd(s, "bob").returncode == 0
    wait_for(lambda: len([e for e in box(s) if e.startswith(
        "credentials user=bob")]) == 2)
    assert re.search(r'credentials user=bob via="oobctl of \w+" '
                     r'why="new codes"', "\n".join(box(s)))
    assert 'why="password set"' in "\n".join(box(s))
    t = knock(s, "bob", PASSWORD, codes.next())
    assert t is not None
    row = wait_row(s, what="login", user="bob")
    assert row["way"] == "password+code"
    assert re.search(r'code-used user=bob from=127\.0\.0\.1 via=ssh '
                     r'why="counter \d+"', "\n".join(box(s)))
    t.close()
    s.stop()
    assert passwd(s, "bob", "--remove").returncode == 0
    pending = s.dir / "state" / "witness" / "pending"
    assert pending.stat().st_mode & 0o777 == 0o600
    s.start()
    wait_for(lambda: 'via="oobctl, without a daemon" why="password removed"'
             in "\n".join(box(s)))
    assert not pending.exists()


def test_certificates_and_the_link(home, monkeypatch):
    """An expired, a revoked and a good certificate by their names; and what
    the other processes say of the box."""
    s = home
    s.stop()
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests" / "synced.so"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       "detect_leaks=0:verify_asan_link_order=0")
    ca = Authority(s.dir, "ca")
    laptop = make_key(s.dir / "laptop")
    s.add_user("carol", key=ca.key).options = "cert-authority"
    s.ssh_conf = '\trevoked = "serial:6"\n'
    s.start()
    for serial, valid, what, why in (
            (5, "-2h:-1h", "refused", "a certificate that has expired"),
            (6, "-1m:+1h", "refused", "revoked"),
            (7, "-1m:+1h", "login", None)):
        cert = ca.sign(laptop, principals="carol", serial=serial, valid=valid)
        s.run(None, argv=["ssh", *s.ssh_options(), "-i", str(laptop), "-o",
                          f"CertificateFile={cert}", "carol@127.0.0.1",
                          "list"])
        row = wait_row(s, what=what, user="carol",
                       key=f"certificate alice@laptop (serial {serial})")
        assert why is None or why in row["why"], row
    s.ctl("link", "up")
    wait_for(lambda: any(e.startswith("link-up who=") for e in box(s)))


def test_only_admins_read_it(home):
    s = home
    assert ok(s.run("root", "last"))
    assert "door id=" in ok(s.run("root", "log", ".box"))
    assert ok(s.run("root", "verify", ".box"))
    assert s.run("bob", "last").returncode == 4
    for verb in ("log", "verify", "grep x", "export --since -1h --format "
                 "text", "replay"):
        no = s.run("bob", *verb.split(), ".box")
        nothing = s.run("bob", *verb.split(), ".nothing")
        assert no.returncode == 3, verb
        assert no.stderr == nothing.stderr
    assert s.run("root", "log", ".box", "--raw").returncode == 2


def test_it_is_chained_and_sealed(home):
    """An edit of who was refused is found like any other."""
    s = home
    stranger = make_key(s.dir / "stranger")
    s.run(None, argv=["ssh", *s.ssh_options(), "-i", str(stranger),
                      "gw@127.0.0.1", "list"])
    wait_row(s, what="refused", user="gw")
    s.stop()
    argv = [str(BUILD / "oobctl"), "-D", str(s.dir / "journal"), "verify"]
    assert subprocess.run([*argv, "gw"]).returncode == 0
    for file in (s.dir / "journal" / ".box").glob("*.log"):
        text = file.read_text()
        if "refused user=gw" in text:
            file.write_text(text.replace("refused user=gw",
                                         "refused user=sw"))
    done = subprocess.run([*argv, "gw"], capture_output=True, text=True)
    assert done.returncode == 1 and "edited" in done.stdout


@pytest.mark.slow
def test_a_storm_fills_nothing(home):
    """Some hundred failures from one place: a few lines, and a count."""
    s = home
    s.ssh_conf = "\tmax_unauth = 8\n"
    s.reload()
    size = sum(p.stat().st_size
               for p in (s.dir / "journal" / ".box").glob("*"))
    n = 0
    end = time.monotonic() + 8
    while time.monotonic() < end or n <= 20:
        with socket.create_connection(("127.0.0.1", s.port)) as k:
            t = paramiko.Transport(k)
            try:
                t.start_client(timeout=PATIENCE)
                t.auth_none(f"hunter{n}")
            except paramiko.SSHException:
                pass
            try:
                t.auth_publickey(f"hunter{n}", paramiko.RSAKey.generate(3072)
                                 if n == 0 else KEY)
            except (paramiko.SSHException, EOFError):
                pass
            t.close()
        n += 1
    refused = [r for r in last(s, "-n", "1000") if r["what"] == "refused"]
    assert n > 20 and 1 <= len(refused) <= 5, (n, refused)
    assert sum(p.stat().st_size for p in (
        s.dir / "journal" / ".box").glob("*")) - size < 20000
    ok(s.run("root", "list"))
    wait_row(s, what="login", user="root")
    s.stop()                        # what was counted is written then
    rows = json.loads(subprocess.run(
        [str(BUILD / "oobctl"), "-D", str(s.dir / "journal"), "last",
         "--json"], check=True, capture_output=True, text=True).stdout)
    assert sum(r["count"] for r in rows if r["what"] == "refused") >= n


KEY = paramiko.ECDSAKey.generate()


@pytest.mark.parametrize("again", range(3))
def test_refused_and_still_there_at_the_stop(home, again):
    """The ssh process says so when it ends; somebody has to hear it."""
    s = home
    with socket.create_connection(("127.0.0.1", s.port)) as k:
        t = paramiko.Transport(k)
        t.start_client(timeout=PATIENCE)
        with pytest.raises(paramiko.SSHException):
            t.auth_publickey("hunter", KEY)
        s.stop()
        t.close()
    rows = json.loads(subprocess.run(
        [str(BUILD / "oobctl"), "-D", str(s.dir / "journal"), "last",
         "--json"], check=True, capture_output=True, text=True).stdout)
    assert [r["why"] for r in rows if r["what"] == "refused"] == [
        "unknown key"]
