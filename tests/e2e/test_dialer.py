"""The process that connects to a relay: it lives as long as somebody waits
for it, and whatever becomes of it is one failed attempt."""
import os
import re
import signal
import socket
import subprocess

import pytest

from conftest import SANITIZED, wait_for
from relay_site import Relay, RelaySite, await_reachable


class Slow:
    """An address where a connection is neither taken nor refused."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.66.66.66", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.full = [socket.socket() for _ in range(4)]
        for f in self.full:
            f.setblocking(False)
            f.connect_ex(("127.66.66.66", self.port))

    def close(self):
        for s in self.full + [self.socket]:
            s.close()


@pytest.fixture
def site(request):
    s = RelaySite()
    request.node.sites = [s]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    slow = Slow()
    relay = Relay().start()
    s.out = s.add_relay("cloud", relay)
    s.add_relay("slow", relay, box="slow", host="127.66.66.66",
                port=slow.port)
    s.start()
    s.await_up("cloud")
    wait_for(lambda: dialers(s), text="a dialer at work")
    yield s
    s.close()
    relay.close()
    slow.close()


def dialers(site):
    ps = subprocess.run(["ps", "-ax", "-o", "pid=,ppid=,stat=,args="],
                        capture_output=True, text=True).stdout
    return [int(pid) for pid, ppid, stat in re.findall(
        r"^\s*(\d+)\s+(\d+)\s+(\S+) .*-R dialer\b", ps, re.M)
        if int(ppid) == site.process.pid and not stat.startswith("Z")]


def gone(site, pid, seconds=5):
    wait_for(lambda: pid not in dialers(site), seconds, text="its end")


def test_its_words_are_the_configurations(site):
    """Nothing else is in them, and nothing that is secret."""
    with open(f"/proc/{dialers(site)[0]}/cmdline", "rb") as f:
        words = f.read().split(b"\0")
    port = str(site.relays["slow"]["port"]).encode()
    assert words[words.index(b"--") + 1:] == [
        b"127.66.66.66", port, b"0", b"", b"", b"", b""]


def test_killed(site):
    """One attempt has failed, and the next one is made."""
    # A sanitizer reports SIGSEGV, whoever sent it, as what it looks for.
    for number in (signal.SIGKILL,
                   signal.SIGUSR1 if SANITIZED else signal.SIGSEGV):
        wait_for(lambda: dialers(site), 20, text="a dialer at work")
        pid = dialers(site)[0]
        tries = site.relay_status("slow")["attempts"]
        os.kill(pid, number)
        gone(site, pid)
        wait_for(lambda: site.relay_status("slow")["attempts"] > tries, 20,
                 text="the next attempt")
    site.expect_log("relay slow: the process that connects to it has ended")
    assert site.relay_status("cloud")["state"] in ("forwarded", "proven")
    assert site.reachable(site.out)


def test_frozen_costs_nobody_anything(site):
    pid = dialers(site)[0]
    os.kill(pid, signal.SIGSTOP)
    assert site.run("alice", "list").returncode == 0
    assert site.reachable(site.out)
    assert site.relay_status("slow")["state"] == "trying"
    # nor does it outlive what it was made for
    del site.relays["slow"]
    site.reload()
    gone(site, pid)
    assert set(site.relay_status()) == {"cloud"}


def test_ends_with_the_ssh_process(site):
    pid = dialers(site)[0]
    os.kill(pid, signal.SIGSTOP)
    os.kill(site.children()["ssh"], signal.SIGKILL)
    gone(site, pid)
    await_reachable(site, site.out, 20)


def test_ends_with_the_daemon(site):
    os.kill(dialers(site)[0], signal.SIGSTOP)
    pid = dialers(site)[0]
    assert site.stop() == 0
    wait_for(lambda: not site.runs(pid), 5, text="its end")


def test_reload_that_changes_it(site):
    """The one that leads elsewhere ends; what stays as it is goes on."""
    pid = dialers(site)[0]
    site.reload()
    assert pid in dialers(site)
    site.relays["slow"]["host"] = "127.66.66.67"
    site.reload()
    gone(site, pid)
    row = site.await_relay("slow", "failed")
    assert "127.66.66.67" in row["text"]
    assert "refused" in row["text"]


def test_given_up(site):
    """A link that is let go takes it along."""
    site.relays["slow"]["when"] = "activated"
    site.reload()
    wait_for(lambda: not dialers(site), text="no dialer")
    assert site.ctl("link", "up", "10min").returncode == 0
    wait_for(lambda: dialers(site), text="a dialer at work")
    pid = dialers(site)[0]
    assert site.ctl("link", "down").returncode == 0
    gone(site, pid)
    site.await_relay("slow", "off")


def test_nothing_is_left_of_many(site):
    """Thirty that were given up: no process and no descriptor."""
    site.relays["slow"]["when"] = "activated"
    site.reload()
    wait_for(lambda: not dialers(site), text="no dialer")
    pids = (site.process.pid, site.children()["ssh"])

    def descriptors():
        return [len(os.listdir(f"/proc/{p}/fd")) for p in pids]
    before = descriptors()
    for _ in range(30):
        site.ctl("link", "up", "10min")
        wait_for(lambda: dialers(site), text="a dialer at work")
        site.ctl("link", "down")
        site.await_relay("slow", "off")
    wait_for(lambda: not dialers(site), text="no dialer")
    wait_for(lambda: descriptors() == before, text="their descriptors")
