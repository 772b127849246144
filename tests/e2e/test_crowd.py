"""A crowd at one console: what each of them sees and may do, to the word."""
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import PATIENCE, Stream, wait_for

KEY = b"\x05c"


@pytest.fixture
def crowd(empty_site):
    """Two lines; alice and carol may type, bob may not."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_line("sw", echo=True, conf='\tspeed = 9600\n\tdescription = '
               '"switch"\n')
    s.add_user("alice", role="admin")
    s.add_user("carol")
    s.add_user("bob", role="viewer")
    return s.start()


def seated(site, user, login="gw"):
    c = site.attach(user, login=login)
    c.expect(b"? for help]\r\n")
    return c


def test_first_come_asks_and_takes(crowd):
    alice = seated(crowd, "alice")
    alice.expect(b"you have the pen")
    carol = seated(crowd, "carol")
    carol.expect(b"alice has the pen (ssh from 127.0.0.1")
    alice.expect(b"\r\n[oobd: carol attached from 127.0.0.1, watching]\r\n")
    # A refused key is told once, and reaches nobody.
    carol.send(b"x")
    n = carol.expect(b"alice has the pen", start=carol.expect(b"for help]"))
    carol.send(b"yz")
    time.sleep(0.3)
    assert b"has the pen" not in carol.out.data[n:]
    assert crowd.lines["gw"].typed.data == b""
    # Asked for, it goes over when alice leaves.
    carol.send(KEY + b"a")
    carol.expect(b"asked alice for the pen")
    alice.expect(b"carol asks for the pen")
    alice.send(KEY + b".")
    assert alice.wait() == 0
    carol.expect(b"you have the pen, alice gave it up")
    carol.send(b"mine")
    carol.expect(b"mine")
    assert crowd.lines["gw"].typed.data == b"mine"
    # And is taken by force: both are told by name.
    alice = seated(crowd, "alice")
    alice.send(KEY + b"f")
    alice.expect(b"\r\n[oobd: you took the pen from carol]\r\n")
    carol.expect(b"\r\n[oobd: alice took the pen")
    done = crowd.ctl("log", "gw", "--events")
    assert re.search(rb"pen user=alice .*how=taken before=carol",
                     done.stdout)


def test_a_viewer_never_gets_it(crowd):
    alice = seated(crowd, "alice")
    bob = seated(crowd, "bob")
    bob.send(KEY + b"a" + KEY + b"f")
    bob.expect(b"you may only watch")
    alice.send(KEY + b".")
    assert alice.wait() == 0
    bob.expect(b"alice left")
    bob.send(b"hello?")
    time.sleep(0.3)
    assert crowd.lines["gw"].typed.data == b""
    done = crowd.run("bob", "attach", "gw", "--force")
    assert done.returncode == 4
    assert done.stdout == b""


def test_own_dead_session_is_told_once_it_wakes(crowd):
    dead = seated(crowd, "alice")
    dead.send(b"half a")
    dead.expect(b"half a")
    dead.process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    alive = seated(crowd, "alice")
    alive.expect(b"you have the pen")
    alive.send(b" word")
    alive.expect(b" word")
    assert crowd.lines["gw"].typed.data == b"half a word"
    dead.process.send_signal(signal.SIGCONT)
    dead.expect(b"the pen went to your session from 127.0.0.1")


def test_menu_of_more_than_one(crowd):
    c = crowd.attach("alice")
    c.expect(re.compile(rb"1  gw +up +.*\r\n +2  sw +up +9600 8N1 none .*"
                        rb"switch"))
    c.expect(b"q to quit): ")
    c.send(b"nothing\r")
    c.expect(b"no such console")
    c.send(b"sw\r")
    c.expect(b"[oobd: sw: switch, 9600 8N1 none; you have the pen")
    c.send(KEY + b";")
    c.expect(b"Esc to go back): ")
    c.send(b"1\r")
    n = c.expect(b"[oobd: gw")
    crowd.meet("gw", c)
    crowd.lines["sw"].send(b"not for here")
    crowd.lines["gw"].send(b"for here")
    c.expect(b"for here", start=n)
    assert b"not for here" not in c.out.data
    assert b"sw" not in crowd.ctl("who").stdout
    # The menu of one who may see one console is none.
    crowd.users["carol"].consoles = ("sw",)
    crowd.reload()
    carol = crowd.attach("carol")
    carol.expect(b"[oobd: sw")
    assert crowd.run("carol", "attach", "gw").returncode == 3
    assert b"gw" not in crowd.run("carol", "list").stdout


def test_every_key(crowd):
    c = seated(crowd, "alice")
    crowd.meet("gw", c)
    c.send(KEY + b"?")
    c.expect(b"  ^Ec .   leave\r\n")
    c.send(KEY + b"w")
    c.expect(re.compile(rb"gw +alice +pen"))
    c.send(KEY + b"i")
    c.expect(re.compile(rb"\[oobd: gw: 115200 8N1 none, .*, up\]"))
    c.send(KEY + b"nreplaced the fan\r")
    c.expect(b"[oobd: note by alice: replaced the fan]")
    c.send(KEY + b"r")
    c.expect(b"[oobd: the last 20 lines]\r\n")
    c.send(KEY + b"\x05")
    wait_for(lambda: crowd.lines["gw"].typed.data == b"\x05")
    done = crowd.ctl("log", "gw", "--events")
    assert b"note user=alice" in done.stdout


def test_other_lead_in(empty_site):
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice").extra = '\tescape = "^T"\n'
    s.add_user("carol").extra = '\tescape = "off"\n'
    s.start()
    alice = s.attach("alice")
    alice.expect(b"^Tc? for help]")
    alice.send(b"\x05c.")
    alice.expect(b"\x05c.")
    carol = s.attach("carol")
    carol.expect(b"alice has the pen")
    assert b"for help" not in carol.out.data
    alice.send(b"\x14c.")
    assert alice.wait() == 0


def test_paste_of_a_megabyte(empty_site):
    """Complete and in order."""
    s = empty_site
    line = s.add_line("gw", conf="\tspeed = 1000000\n")
    s.add_user("alice")
    s.start()
    c = seated(s, "alice")
    paste = b"".join(b"line %06d of a long paste\r" % i
                     for i in range(40000))
    c.send(paste)
    wait_for(lambda: len(line.typed.data) >= len(paste), 6 * PATIENCE)
    assert line.typed.data == paste


def test_interrupted_paste(empty_site):
    """^C comes to a line that takes no more, before what waits for it."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    c = seated(s, "alice")
    line.typed.stop()
    paste = b"x" * 500000
    c.send(paste)
    time.sleep(1)
    c.send(b"\x03after")
    time.sleep(1)
    again = Stream(line.master)
    again.expect(b"\x03after")
    assert len(again.data) + len(line.typed.data) < len(paste) / 2
    again.stop()


class Slow(Stream):
    """Reads 64 kB a second of what comes."""

    def __init__(self, fd):
        super().__init__(fd, lambda piece: time.sleep(len(piece) / 65536))


def test_who_is_behind_can_type(crowd):
    """A flood comes many times as fast as she takes it; what she types goes
    out all the same.  (On a terminal it is ssh itself that waits for that.)"""
    line = crowd.lines["gw"]
    line.echo = False
    alice = crowd.client(crowd.ssh("alice", "-s", "console", login="gw"))
    crowd.meet("gw", alice)
    alice.out.stop()
    alice.out = Slow(alice.process.stdout.fileno())
    stop = threading.Event()
    sent = []

    def flood():
        while not stop.is_set():
            n = 500 * len(sent)
            sent.append(b"".join(b"%08d the router prints this\r\n" % i
                                 for i in range(n, n + 500)))
            line.send(sent[-1])
            time.sleep(0.005)
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        # Beyond the window and the ring: she is lapped by now.
        wait_for(lambda: len(sent) > 500, 6 * PATIENCE)
        worst = 0
        for i in range(10):
            key = b"<%d>" % i
            start = time.monotonic()
            alice.send(key)
            line.typed.expect(key)
            worst = max(worst, time.monotonic() - start)
            time.sleep(0.1)
    finally:
        stop.set()
        thread.join()
    assert worst < 0.5 * max(1, PATIENCE / 10), worst
    assert len(alice.out.data) < len(b"".join(sent)) / 3
    assert b"not sent" not in alice.err.data


@pytest.mark.parametrize("words,may", [(["--ro"], False),
                                       (["--force"], True)])
def test_how_to_attach(crowd, words, may):
    alice = seated(crowd, "alice")
    carol = crowd.attach("carol", "attach", "gw", *words)
    carol.expect(b"? for help]\r\n")
    carol.send(b"carol's")
    if may:
        alice.expect(b"carol attached from 127.0.0.1 and took the pen")
        crowd.lines["gw"].typed.expect(b"carol's")
        return
    alice.expect(b"carol attached from 127.0.0.1, watching")
    alice.send(KEY + b".")
    assert alice.wait() == 0
    carol.expect(b"alice left")
    carol.send(b" not even now")            # the pen is free
    carol.expect(b"you are watching")
    time.sleep(0.3)
    assert crowd.lines["gw"].typed.data == b""


def test_a_slow_viewer_skips_and_is_told(crowd):
    """Others lose nothing meanwhile."""
    with open(crowd.dir / "fast", "wb") as out:
        fast = subprocess.Popen(crowd.ssh("alice", "attach gw"),
                                stdin=subprocess.PIPE, stdout=out)
    slow = seated(crowd, "bob")
    wait_for(lambda: b"alice" in crowd.ctl("who").stdout)
    slow.process.send_signal(signal.SIGSTOP)
    flood = b"".join(b"%07d abcdefghijklmnopqrstuvwxyz\r\n" % i
                     for i in range(400000))
    crowd.lines["gw"].echo = False
    crowd.lines["gw"].send(flood)
    crowd.lines["gw"].send(b"the end")

    def got():
        return (crowd.dir / "fast").read_bytes()
    wait_for(lambda: got().endswith(b"the end"), 6 * PATIENCE, every=0.5)
    assert got() == flood + b"the end"
    slow.process.send_signal(signal.SIGCONT)
    slow.expect(re.compile(rb"\[oobd: [0-9,]+ bytes skipped, \^Ecr shows "
                           rb"the last lines\]\r\n"), 3 * PATIENCE)
    slow.expect(b"the end", 3 * PATIENCE)
    fast.stdin.close()
    fast.kill()
    fast.wait()
