"""Who reads the record does so as long as he may, and no longer."""
import os
import signal
import struct
import time

import pytest

from conftest import BUILD, wait_for
from frames import Frames

GONE = b"oobd: you no longer have rights on gw\n"
DENIED, NO_CONSOLE = 4, 3


@pytest.fixture
def home(empty_site):
    """root is admin; bob and eve watch gw, eve by a grant alone."""
    s = empty_site
    for name in ("gw", "sw"):
        s.add_line(name)
    s.add_user("root", role="admin")
    s.add_user("bob", role="viewer", consoles=("gw", "sw"))
    s.add_user("eve", role="viewer", consoles=())
    s.start()
    for name in ("gw", "sw"):
        s.lines[name].send(b"first line\r\n")
        wait_for(lambda: b"first" in s.ctl("log", name).stdout)
    return s


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def reads(s, user, *words):
    """A verb of this user that has shown something, and goes on."""
    c = s.client(s.ssh(user, *words))
    c.expect(b"first line")
    return c


def follows(s, user="bob"):
    c = reads(s, user, "log", "gw", "--follow", "--text")
    s.lines["gw"].send(b"and more\r\n")
    c.expect(b"and more\n")
    return c


def ends(s, c, status=DENIED, said=GONE):
    """It ends by itself, says why, and its reader is gone."""
    assert c.wait() == status
    c.err.expect(said)
    wait_for(lambda: "reader" not in s.children())
    shown = c.out.data
    s.lines["gw"].send(b"not for your eyes\r\n")
    wait_for(lambda: b"not for" in ok(s.ctl("log", "gw", "--text")))
    assert c.out.data == shown


def take_gw(s):
    s.users["bob"].consoles = ("sw",)
    s.reload()


def test_it_works_by_a_grant_and_ends_with_it(home):
    s = home
    ok(s.run("root", "grant", "eve", "gw", "1h"))
    c = follows(s, "eve")
    ok(s.run("root", "grant", "bob", "gw", "1h", "operator"))
    ok(s.run("root", "revoke", "bob"))      # of no concern to her
    s.lines["gw"].send(b"still here\r\n")
    c.expect(b"still here\n")
    ok(s.run("root", "revoke", "eve"))
    ends(s, c)
    c.err.expect(b"oobd: root took back your right as viewer of gw\n")
    ok(s.run("root", "grant", "eve", "gw", "4s"))
    c = follows(s, "eve")
    ends(s, c)
    c.err.expect(b"oobd: your right as viewer of gw is over\n")


def test_a_reload_takes_the_console(home):
    s = home
    c = follows(s)
    other = reads(s, "bob", "log", "sw", "--follow", "--text")
    s.reload()                              # nothing has changed
    s.lines["gw"].send(b"still here\r\n")
    c.expect(b"still here\n")
    take_gw(s)
    assert c.wait() == DENIED
    c.err.expect(GONE)
    s.lines["sw"].send(b"of the other\r\n")
    other.expect(b"of the other\n")
    assert other.process.poll() is None
    assert s.run("bob", "log", "gw").returncode == NO_CONSOLE


def test_the_user_is_removed(home):
    s = home
    c = follows(s)
    del s.users["bob"]
    s.reload()
    # Either process may be the first to say so: the one that ends the reader,
    # or the one that ends whatever he does.
    if c.wait() == DENIED:
        ends(s, c)
    else:
        ends(s, c, 1, b"your access was withdrawn")


def test_the_console_is_removed(home):
    """Whoever it was."""
    s = home
    s.users["bob"].consoles = ("*",)
    s.reload()
    c = follows(s)
    local = s.client([str(BUILD / "oobctl"), "-s", str(s.control), "log",
                      "gw", "--follow"])
    local.expect(b"first line")
    del s.lines["gw"], s.line_conf["gw"]
    s.reload()
    for x in (c, local):
        assert x.wait() == NO_CONSOLE
        x.err.expect(b"oobd: gw was removed\n")
    wait_for(lambda: "reader" not in s.children())


def test_the_journal_of_the_box(home):
    s = home
    c = s.client(s.ssh("root", "log", ".box", "--follow"))
    wait_for(lambda: "reader" in s.children())
    ok(s.run("bob", "list"))
    c.expect(b" user=bob ")
    s.users["root"].role = "operator"
    s.reload()
    assert c.wait() == DENIED
    c.err.expect(b"oobd: you no longer have rights on .box\n")
    wait_for(lambda: "reader" not in s.children())


def test_whatever_reads(home):
    """Into a pipe at its pace, of several consoles, and held up by one that
    does not take it."""
    s = home
    s.lines["gw"].send(b"x" * 200 + b"\r\n")
    time.sleep(1.5)
    s.lines["gw"].send(b"last line\r\n")
    wait_for(lambda: b"last line" in ok(s.ctl("log", "gw")))
    at = ok(s.ctl("log", "gw")).split()[0].decode()
    slow = reads(s, "bob", "replay", "gw", "--at", at, "--speed", "0.001")
    take_gw(s)
    ends(s, slow)
    s.users["bob"].consoles = ("gw", "sw")
    s.reload()
    for _ in range(160):
        s.lines["gw"].send((b"y" * 250 + b"\r\n") * 256)
    s.lines["gw"].send(b"that was it\r\n")
    wait_for(lambda: b"that was it" in ok(s.ctl("log", "gw", "--tail", "1")))
    held = reads(s, "bob", "grep", ".", "sw", "gw")
    held.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    assert "reader" in s.children()
    take_gw(s)
    wait_for(lambda: "reader" not in s.children())
    held.process.send_signal(signal.SIGCONT)
    assert held.wait() == DENIED
    held.err.expect(GONE)
    assert b"that was it" not in held.out.data


def test_a_terminal_is_given_back(home):
    """Paused in the middle of a screen."""
    s = home
    c = s.attach("bob", "replay", "gw")
    c.expect(b"\x1b[?1049h")
    c.send(b" ")
    c.expect(b"paused")
    take_gw(s)
    at = c.expect(b"\x1b[?1049l\r\n")
    c.expect(GONE.replace(b"\n", b"\r\n"), start=at)
    assert c.wait() == DENIED
    wait_for(lambda: "reader" not in s.children())
    # As it is to who does not wait for its answer.
    s.users["bob"].consoles = ("gw",)
    s.reload()
    c = s.attach("bob", "replay", "gw")
    c.expect(b"h: help")
    c.send(b"\x03")
    c.expect(b"\x1b[?1049l\r\n")
    assert c.wait() == 1


def test_a_new_console_process_knows(home):
    """Of a right that ended before, and of one that ends later."""
    s = home
    ok(s.run("root", "grant", "eve", "gw", "1h"))
    mine, hers = follows(s), reads(s, "eve", "log", "gw", "--follow", "--text")
    old = s.children()["console"]
    s.users["bob"].consoles = ("sw",)
    s.write()
    s.process.send_signal(signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    s.process.send_signal(signal.SIGHUP)
    s.process.send_signal(signal.SIGCONT)
    wait_for(lambda: s.children().get("console", old) != old)
    assert mine.wait() == DENIED
    mine.err.expect(GONE)
    s.lines["gw"].send(b"to her\r\n")
    hers.expect(b"to her\n")
    wait_for(lambda: s.ctl("list").returncode == 0)
    ok(s.run("root", "revoke", "eve"))
    ends(s, hers)


def test_there_are_not_too_many(home):
    """Of one session, which a client of ours never has."""
    s = home
    asker = Frames(s)
    for n in range(9):
        asker.command(n, "log", "gw", "--follow")
    status, said = asker.ends(1)[8]
    assert status == 1 and b"too many verbs of this session" in said
    asker.send(0x010c, struct.pack(">I", 3))
    asker.command(9, "log", "none")
    assert asker.ends(1)[9][0] == NO_CONSOLE
    asker.command(10, "log", "gw")
    asker.command(11, "log", "gw")
    status, said = asker.ends(1)[11]
    assert status == 1 and b"too many verbs of this session" in said
    wait_for(lambda: s.children().get("reader"))
    asker.close()
    wait_for(lambda: "reader" not in s.children())
