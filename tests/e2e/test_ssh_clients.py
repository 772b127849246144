"""Clients other than OpenSSH's: PuTTY, Dropbear, paramiko."""
import re
import subprocess
import time

import pytest

from conftest import PATIENCE, make_key
from sshwire import transport


def in_each_form(d):
    """A key in each client's own form."""
    make_key(d / "openssh")
    subprocess.run(["puttygen", str(d / "openssh"), "-O", "private", "-o",
                    str(d / "putty.ppk")], check=True, capture_output=True)
    subprocess.run(["dropbearconvert", "openssh", "dropbear",
                    str(d / "openssh"), str(d / "dropbear")], check=True,
                   capture_output=True)
    return d


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """alice's."""
    return in_each_form(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def home(empty_site, keys):
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice", key=keys / "openssh")
    s.start()
    s.keys = keys
    return s


def plink(site, *words, login="alice", keys=None):
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf",
         str(site.dir / "state" / "ssh_host_ed25519_key")],
        check=True, capture_output=True, text=True).stdout.split()[1]
    return ["plink", "-batch", "-ssh", "-P", str(site.port), "-i",
            str((keys or site.keys) / "putty.ppk"), "-hostkey", fingerprint,
            "-l",
            login, *words]


def dbclient(site, *words, login="alice", keys=None):
    n = 0
    while n < len(words) and words[n].startswith("-"):
        n += 1
    return ["dbclient", "-y", "-y", "-p", str(site.port), "-i",
            str((keys or site.keys) / "dropbear"), *words[:n],
            f"{login}@127.0.0.1",
            *words[n:]]


CLIENTS = ("plink", "dbclient")


def argv(client, site, *words, **kw):
    if client == "plink":
        options = [w for w in words if w.startswith("-")]
        rest = [w for w in words if not w.startswith("-")]
        return plink(site, *options, "127.0.0.1", *rest, **kw)
    return dbclient(site, *words, **kw)


@pytest.mark.parametrize("client", CLIENTS)
def test_verb_and_status(home, client):
    done = home.run("alice", argv=argv(client, home, "list"))
    assert done.returncode == 0, done.stderr
    assert b"gw" in done.stdout
    done = home.run("alice", argv=argv(client, home, "attach", "none"))
    assert done.returncode == 3
    assert done.stdout == b""


@pytest.mark.parametrize("client", CLIENTS)
def test_subsystem(home, client):
    c = home.client(argv(client, home, "-s", "console"))
    home.expect_log("alice logged in")
    c.send(b"hello")
    c.expect(b"hello")
    home.lines["gw"].send(bytes(range(256)))
    c.expect(re.compile(re.escape(bytes(range(256))), re.S))
    assert c.out.settle() == b"hello" + bytes(range(256))


@pytest.mark.parametrize("client", CLIENTS)
def test_terminal(home, client):
    c = home.client(argv(client, home, "-t", login="gw"), tty=True)
    c.expect(b"[oobd: ")
    c.send(b"show clock\r")
    c.expect(b"show clock\r")
    # PuTTY asks for things on each session that are unknown here: none of
    # them may become a BREAK on the line.
    assert b"break" not in c.out.settle().lower()
    c.send(b"\x05c.")
    assert c.wait() == 0


class Shell:
    """paramiko, in a terminal, as far as Client goes."""

    def __init__(self, site, user):
        self.transport = transport(site, user)
        self.channel = self.transport.open_session()
        self.channel.get_pty("vt100", 80, 24)
        self.channel.invoke_shell()
        self.channel.settimeout(PATIENCE)
        self.data = b""
        self.send = self.channel.sendall

    def expect(self, what, start=0):
        while what not in self.data[start:]:
            self.data += self.channel.recv(4096)
        return self.data.index(what, start) + len(what)

    def wait(self):
        status = self.channel.recv_exit_status()
        self.transport.close()
        return status


def test_each_of_another_kind_at_one_console(home, tmp_path):
    """They share it, take the pen from each other, ask for it, and watch."""
    line = home.lines["gw"]
    kinds = {}
    for name in ("carol", "dave"):
        (tmp_path / name).mkdir()
        kinds[name] = in_each_form(tmp_path / name)
        home.add_user(name, key=kinds[name] / "openssh")
    home.add_user("bob", role="viewer")
    home.reload()
    alice = home.client(plink(home, "-t", "127.0.0.1"), tty=True)
    alice.expect(b"you have the pen")
    carol = home.client(dbclient(home, "-t", login="carol",
                                 keys=kinds["carol"]), tty=True)
    carol.expect(b"alice has the pen")
    dave = Shell(home, "dave")
    dave.expect(b"alice has the pen")
    bob = home.attach("bob")
    bob.expect(b"may only watch")
    alice.send(b"from plink\r")
    for c in (alice, carol, dave, bob):
        c.expect(b"from plink")
    carol.send(b"x")
    at = carol.expect(b"^Ecf takes it")
    carol.send(b"\x05cf")
    carol.expect(b"you took the pen from alice", start=at)
    alice.expect(b"carol took the pen")
    carol.send(b"from dbclient\r")
    for c in (alice, carol, dave, bob):
        c.expect(b"from dbclient")
    dave.send(b"\x05ca")
    carol.expect(b"dave asks for the pen")
    carol.send(b"\x05cs")
    dave.expect(b"you have the pen")
    dave.send(b"from paramiko\r")
    for c in (alice, carol, dave, bob):
        c.expect(b"from paramiko")
    assert line.typed.data == b"from plink\rfrom dbclient\rfrom paramiko\r"
    for argv_of in (plink(home, "127.0.0.1", "who"),
                    dbclient(home, "who", login="carol",
                             keys=kinds["carol"])):
        who = home.run("alice", argv=argv_of)
        assert who.returncode == 0, who.stderr
        rows = who.stdout.decode().splitlines()[1:]
        assert sorted(r.split()[2] for r in rows) == \
            ["alice", "bob", "carol", "dave"], rows
    for c in (alice, carol, dave):
        c.send(b"\x05c.")
        assert c.wait() == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_wrong_key(home, client):
    home.users["alice"].key = make_key(home.dir / "other")
    home.reload()
    done = home.run("alice", argv=argv(client, home, "list"))
    assert done.returncode not in (0, 3)
    assert done.stdout == b""


def test_paramiko_shell(home):
    t = transport(home, "alice")
    c = t.open_session()
    c.get_pty("vt100", 100, 30)
    c.invoke_shell()
    c.settimeout(10)
    data = b""
    while b"[oobd: " not in data:
        data += c.recv(4096)
    c.send(b"abc\r")
    while b"abc\r" not in data:
        data += c.recv(4096)
    c.resize_pty(80, 24)
    c.send(b"\x05c.")
    assert c.recv_exit_status() == 0
    t.close()


def test_paramiko_stderr_and_eof(home):
    t = transport(home, "alice")
    c = t.open_session()
    c.exec_command("log none")
    assert c.recv_exit_status() == 3
    assert c.recv(100) == b""
    assert b"console" in c.recv_stderr(1000)
    # What a client sends as stderr is nobody's.
    c = t.open_session()
    c.invoke_subsystem("console")
    c.send_stderr(b"lost")
    c.send(b"kept")
    home.lines["gw"].typed.expect(b"kept")
    assert b"lost" not in home.lines["gw"].typed.data
    start = time.monotonic()
    c.shutdown_write()
    assert c.recv_exit_status() == 0
    assert time.monotonic() - start < 8
    t.close()
