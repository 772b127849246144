"""Clients other than OpenSSH's: PuTTY, Dropbear, paramiko."""
import re
import subprocess
import time

import pytest

from conftest import make_key
from sshwire import transport


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """alice's key in each client's own form."""
    d = tmp_path_factory.mktemp("keys")
    make_key(d / "openssh")
    subprocess.run(["puttygen", str(d / "openssh"), "-O", "private", "-o",
                    str(d / "putty.ppk")], check=True, capture_output=True)
    subprocess.run(["dropbearconvert", "openssh", "dropbear",
                    str(d / "openssh"), str(d / "dropbear")], check=True,
                   capture_output=True)
    return d


@pytest.fixture
def home(empty_site, keys):
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice", key=keys / "openssh")
    s.start()
    s.keys = keys
    return s


def plink(site, *words, login="alice"):
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf",
         str(site.dir / "state" / "ssh_host_ed25519_key")],
        check=True, capture_output=True, text=True).stdout.split()[1]
    return ["plink", "-batch", "-ssh", "-P", str(site.port), "-i",
            str(site.keys / "putty.ppk"), "-hostkey", fingerprint, "-l",
            login, *words]


def dbclient(site, *words, login="alice"):
    n = 0
    while n < len(words) and words[n].startswith("-"):
        n += 1
    return ["dbclient", "-y", "-y", "-p", str(site.port), "-i",
            str(site.keys / "dropbear"), *words[:n], f"{login}@127.0.0.1",
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
