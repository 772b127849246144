"""Messages that go to syslogd: one that is started anew, away, or stopped.

The daemon runs in a mount namespace with a /dev of its own; the socket in it
is this file's, so what is sent there is what a syslogd would get.
"""
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import PATIENCE, SANITIZED, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts"),
]

# $1 a folder, then what is to run with it for /dev and nobody at stderr.
OWN_DEV = r"""
set -e
dev=$1; shift
mount --make-rprivate /
for n in null zero full random urandom tty ptmx; do
	: > "$dev/$n"
	mount --bind "/dev/$n" "$dev/$n"
done
for n in pts shm; do
	mkdir -p "$dev/$n"
	mount --rbind "/dev/$n" "$dev/$n"
done
mount --rbind "$dev" /dev
exec "$@" 2>/dev/null
"""

ERR, WARNING, INFO, DEBUG = 3, 4, 6, 7
DAEMON = 3 << 3

RECORD = re.compile(r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                    r"(oobd(?:\[\w+\])?)\[(\d+)\]: (.*)", re.S)


class Syslogd:
    """Records as (priority, tag, pid, text)."""

    def __init__(self, path, log):
        self.path, self.log = path, log
        self.records = []
        self.socket = None
        self.start()

    def start(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o666)
        self.go_on()

    def go_on(self):
        """Take what is sent."""
        self.socket.settimeout(0.05)
        self.reads = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def hang(self):
        """There, and taking nothing."""
        self.reads = False
        self.thread.join()

    def end(self):
        self.hang()
        self.path.unlink()
        self.socket.close()

    def _read(self):
        while self.reads:
            try:
                record = self.socket.recv(65536).decode()
            except TimeoutError:
                continue
            found = RECORD.fullmatch(record)
            assert found, record
            prio, tag, pid, text = found.groups()
            self.records.append((int(prio), tag, int(pid), text))
            # What the other tests read on stderr.
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(f"{tag}: {text}\n")

    def expect(self, prio, tag, pid, text):
        def look():
            return any(r[:3] == (DAEMON | prio, tag, pid) and
                       re.search(text, r[3]) for r in list(self.records))
        wait_for(look, text=f"{tag}[{pid}]: {text} among {self.records}")

    def has(self, text):
        return any(re.search(text, r[3]) for r in list(self.records))


@pytest.fixture
def syslogd(empty_site):
    s = empty_site
    dev = s.dir / "dev"
    dev.mkdir()
    s.dir.chmod(0o711)
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", OWN_DEV, "sh",
                            str(dev), "true"], capture_output=True)
    if tried.returncode != 0:
        pytest.skip(f"may not mount: {tried.stderr.decode()}")
    s.under = ["unshare", "--mount", "sh", "-c", OWN_DEV, "sh", str(dev)]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    made = Syslogd(dev / "log", s.log_path)
    yield made
    s.stop()
    if made.path.exists():
        made.end()


def test_started_anew(empty_site, syslogd):
    """Each role is heard by the new one: who it is, and how bad it is."""
    s = empty_site
    s.start()
    roles = s.kept()
    top = s.process.pid
    syslogd.expect(INFO, "oobd", top, "^ready$")
    syslogd.expect(INFO, "oobd[ssh]", roles["ssh"], "^host key ")
    syslogd.end()
    # While there is none, nobody waits for it, and it is not lost.
    assert s.run("alice", "list").returncode == 0
    syslogd.records.clear()
    syslogd.start()
    syslogd.expect(INFO, "oobd[ssh]", roles["ssh"], "^alice logged in from ")
    # And the next thing that each has to say.
    syslogd.records.clear()
    assert s.run("alice", "list").returncode == 0
    syslogd.expect(INFO, "oobd[ssh]", roles["ssh"], "^alice logged in from ")
    s.lines["gw"].close()
    syslogd.expect(WARNING, "oobd[console]", roles["console"],
                   "^console gw: lost ")
    s.process.send_signal(1)
    syslogd.expect(INFO, "oobd", top, "reloaded$")
    s.none_restarted(roles)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs /proc")
def test_processes_of_one_question(empty_site, syslogd):
    """Those that live for a moment, once they are confined."""
    s = empty_site
    s.start("-d")
    syslogd.end()
    syslogd.start()
    syslogd.records.clear()
    assert s.run("alice", "log", "gw").returncode == 0
    for role in ("gate", "reader"):
        wait_for(lambda: any(
            r[:2] == (DAEMON | DEBUG, f"oobd[{role}]") and
            r[3].startswith("confined: ") for r in list(syslogd.records)),
            text=f"{role} among {syslogd.records}")


def test_one_that_takes_nothing(empty_site, syslogd):
    """It is there and stopped: nobody waits for it; then it is told all."""
    s = empty_site
    s.start()
    roles = s.kept()
    syslogd.hang()
    before = len(syslogd.records)
    began = time.monotonic()
    for _ in range(12):         # each says more than one thing
        assert s.run("alice", "list").returncode == 0
    assert time.monotonic() - began < 4 * PATIENCE
    s.process.send_signal(1)
    assert s.run("alice", "status").returncode == 0
    assert len(syslogd.records) == before
    syslogd.go_on()
    syslogd.expect(INFO, "oobd", s.process.pid, "reloaded$")
    wait_for(lambda: len([r for r in syslogd.records[before:]
                          if "alice logged in" in r[3]]) == 13,
             text=f"13 logins among {syslogd.records[before:]}")
    assert not syslogd.has("were lost")
    s.none_restarted(roles)


def test_its_stop_is_told(empty_site, syslogd):
    """Up to the last word of each process."""
    s = empty_site
    s.start()
    top = s.process.pid
    syslogd.end()
    syslogd.start()
    assert s.stop() == 0
    syslogd.expect(INFO, "oobd", top, r"^stopping \(signal 15\)")
