"""The SSH front under packets that mean harm, in every stage of a connection;
a good client is attached meanwhile.

OOBD_FUZZ_T: seconds; OOBD_FUZZ_SEED: of a run that failed.
"""
import logging
import os
import random
import re
import threading
import time

import paramiko
import pytest

from conftest import PATIENCE, SANITIZED, make_key, wait_for
from sshfuzz import Visit
from test_ssh_abuse import Typist
from test_ways_in import passwd

SECONDS = float(os.environ.get("OOBD_FUZZ_T", 30 if SANITIZED else 12))
SEED = int(os.environ.get("OOBD_FUZZ_SEED", 0)) or \
    random.SystemRandom().randrange(1, 10 ** 9)
TOGETHER = 2
# s, beside two fuzzers and as many gates, which compute.
ECHO = max(1, PATIENCE / 10)
# kB over the first memory; the sanitizer holds back what was freed.
BOUND = 65536 if SANITIZED else 6144
FREED = "quarantine_size_mb=16:malloc_context_size=10"


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+)", f.read(), re.M).group(1))


@pytest.fixture
def front(empty_site, monkeypatch):
    s = empty_site
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get(
        "ASAN_OPTIONS", "detect_leaks=0") + ":" + FREED)
    s.add_line("gw", echo=True)
    s.add_user("alice", consoles=("gw",))
    s.add_user("mallory", role="operator", consoles=("sw",))
    s.add_line("sw", echo=True)
    s.add_user("bob").extra = '\trequire = {"key+code", "password+code"}\n'
    ca = make_key(s.dir / "ca")
    s.top = (f'authority "ca" {{\n\tkeys = '
             f'{{"{ca.with_suffix(".pub").read_text().strip()}"}}\n}}\n')
    s.start()
    assert passwd(s, "bob").returncode == 0
    return s


def same(site):
    """The processes from the start are there; gates come and go."""
    return site.kept() == site.pids


class Fuzz(threading.Thread):
    def __init__(self, site, first, end):
        super().__init__(daemon=True)
        self.site, self.seed, self.end = site, first, end
        self.key = paramiko.Ed25519Key(
            filename=str(site.users["mallory"].key))
        self.visits = self.packets = 0
        self.failed = None
        self.start()

    def run(self):
        users = ["alice", "bob", "mallory", "nobody", "mallory:gw", ""]
        while time.monotonic() < self.end and self.failed is None:
            v = Visit(self.site.port, self.key, "mallory", users, self.seed)
            try:
                v.run()
            except Exception as e:      # the test's own fault
                self.failed = e
            self.seed += 1
            self.visits += 1
            self.packets += v.sent


@pytest.mark.timeout(SECONDS + 240)
def test_packets_that_mean_harm(front):
    pids = front.pids
    # It has much to say about what its peer makes of all this.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    print(f"OOBD_FUZZ_SEED={SEED}")
    typist = Typist(front)
    first = resident(pids["ssh"])
    begun = time.monotonic()
    crowd = [Fuzz(front, SEED + i * 10 ** 9, begun + SECONDS)
             for i in range(TOGETHER)]
    most = first
    while any(f.is_alive() for f in crowd):
        time.sleep(0.2)
        assert same(front), "a process was restarted"
        most = max(most, resident(pids["ssh"]))
    for f in crowd:
        assert f.failed is None, f.failed
    visits = sum(f.visits for f in crowd)
    packets = sum(f.packets for f in crowd)
    felt = typist.felt()
    print(f"{visits} connections, {packets} packets in {SECONDS:.0f} s; "
          f"memory {first} to {most} kB at most; {len(typist.times)} echoes, "
          f"{felt * 1000:.0f} ms at worst")
    assert visits > SECONDS and packets > 5 * SECONDS
    # From where a restart would take it, and the sanitizers would tell.
    assert same(front)
    assert felt < ECHO
    assert most - first < BOUND
    wait_for(lambda: front.fds("ssh") < 30, 30, text="closing")
    assert front.run("alice", "list").returncode == 0
    assert b"mallory" not in front.ctl("log", "gw", "--events").stdout
