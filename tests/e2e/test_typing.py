"""What is typed reaches the line, whole, in order and once, however early it
is typed: with the request itself, at the first prompt, into the menu."""
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from conftest import Site, wait_for
from relay_site import Relay, RelaySite
from sshwire import request, transport

SESSIONS = 8            # at a time
TIOCGPTN = 0x80045430   # number of a pty, Linux


@pytest.fixture
def home(request):
    """gw and sw, each for SESSIONS sessions, direct and through a relay."""
    relay = Relay().start()
    s = RelaySite()
    request.node.sites = [s]
    s.relay = relay
    for name in ("gw", "sw"):
        s.add_line(name, echo=True)
        s.line_conf[name] += '\tsharing = "all"\n'
    s.add_user("alice", role="admin")
    s.out = s.add_relay("cloud", relay, keepalive="20s")
    s.start()
    s.await_up("cloud")
    yield s
    try:
        s.close()
    finally:
        relay.close()


def terminal(t):
    """A channel whose terminal and shell are asked for, not yet granted."""
    c = t.open_session()
    request(t, c, "pty-req", b"xterm", 80, 24, 0, 0, b"")
    request(t, c, "shell")
    return c


def typed_of(line, word):
    """What of this session reached the line: its letters are its own."""
    return bytes(b for b in line.typed.data if b in word)


def words():
    """Each with letters that no other has, as sessions share the line."""
    letters = bytes(range(33, 33 + 10 * SESSIONS))
    return [letters[i * 10:i * 10 + 10] for i in range(SESSIONS)]


def test_typed_before_the_answer_to_the_request(home, monkeypatch):
    """The client does not wait: keys come behind the request, in the same
    segment, half of them through the relay."""
    line = home.lines["gw"]
    port = home.port
    came = []
    for i in range(SESSIONS):
        monkeypatch.setattr(home, "port", home.out if i % 2 else port)
        came.append(transport(home, "alice", "alice:gw"))
    channels = []               # one that is forgotten is closed
    for t, word in zip(came, words()):
        channels.append(terminal(t))
        for k in word:
            channels[-1].sendall(bytes([k]))
    for word in words():
        wait_for(lambda: len(typed_of(line, word)) >= len(word),
                 text=f"{word} in {line.typed.data}")
    time.sleep(0.3)
    for word in words():
        assert typed_of(line, word) == word
    for t in came:
        t.close()


def test_typed_ahead_into_the_menu(home):
    """The choice and what is typed after it, before the menu is there."""
    t = transport(home, "alice")
    c = terminal(t)
    c.sendall(b"sw\rto the switch")
    home.lines["sw"].typed.expect(b"to the switch")
    c.sendall(b"\x05c;gw\rto the router")
    home.lines["gw"].typed.expect(b"to the router")
    time.sleep(0.3)
    assert home.lines["sw"].typed.data == b"to the switch"
    assert home.lines["gw"].typed.data == b"to the router"
    t.close()


def test_first_key_at_the_prompt(home):
    """As people do it, with a real client in a terminal: the first key the
    moment there is a sign of life, many at a time."""
    line = home.lines["gw"]
    faults = []

    def visit(i, word):
        try:
            for n in range(2):
                argv = home.through("alice", home.out, "-tt",
                                    login="alice:gw") if (i + n) % 2 else \
                    home.ssh("alice", "-tt", login="alice:gw")
                c = home.client(argv, tty=True)
                c.expect(re.compile(rb"\[oobd"))
                part = word[n * 5:n * 5 + 5]
                for k in part:
                    c.send(bytes([k]))
                wait_for(lambda: typed_of(line, part) == part,
                         text=f"{part} in {line.typed.data}")
                c.send(b"\x05c.")
                c.wait()
        except AssertionError as e:
            faults.append(e)
    threads = [threading.Thread(target=visit, args=a)
               for a in enumerate(words())]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults, faults
    assert len(line.typed.data) == 10 * SESSIONS


# Who else might take it: a daemon whose test was killed goes on looking for
# its line, and its pty's number is another test's client's by now.

def test_a_terminal_in_use_is_left_alone(home, empty_site):
    alice = home.attach("alice", login="alice:gw")
    alice.expect(b"for help]")
    number, = struct.unpack("I", fcntl.ioctl(alice.fd, TIOCGPTN,
                                             bytes(4)))
    before = termios.tcgetattr(alice.fd)
    line = empty_site.add_line("lost")
    os.unlink(line.path)
    os.symlink(f"/dev/pts/{number}", line.path)
    empty_site.start()
    empty_site.expect_log(rf"console lost: /dev/pts/{number}: in use by")
    for n in range(20):
        word = b"<%d>" % n
        alice.send(word)
        home.lines["gw"].typed.expect(word)
        alice.expect(word)
    assert termios.tcgetattr(alice.fd) == before


ORPHAN = """
import sys, time
sys.path.insert(0, sys.argv[1])
from conftest import Site
s = Site()
s.add_line("gw")
s.start()
print(s.process.pid, s.dir, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_a_daemon_ends_with_its_test():
    here = str(Path(__file__).parent)
    test = subprocess.Popen([sys.executable, "-c", ORPHAN, here],
                            stdout=subprocess.PIPE)
    try:
        pid, folder = test.stdout.readline().decode().split()
        left = Site.children(type("", (), dict(process=type(
            "", (), dict(pid=int(pid))))))
        assert len(left) >= 3
    finally:
        test.send_signal(signal.SIGKILL)
        test.wait()
        test.stdout.close()
    for p in (int(pid), *left.values()):
        wait_for(lambda: "oobd" not in command(p), 5, text=f"end of {p}")
    subprocess.run(["rm", "-rf", folder], check=True)


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
