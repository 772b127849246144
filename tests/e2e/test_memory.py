"""Memory that is not given: any one allocation of any process of the daemon
fails (tests/shim/alloc.c).  Who watches and what is recorded lose nothing; what
ended is started again, and the owner gets in.  The supervisor does not end.

Which ones, is drawn from OOBD_SEED, printed; OOBD_SWEEP=N tries the first N of
every process one by one, which takes hours for all that there are (2000).
"""
import contextlib
import mmap
import os
import random
import re
import resource
import signal
import struct
import subprocess
import time

import pytest
from conftest import BUILD, PATIENCE, SANITIZED, User, make_key, wait_for
from relay_site import rss_kb
from test_survival import Flood, raw

SWEEP = int(os.environ.get("OOBD_SWEEP", 0))
DEATHS = 4              # tried with one daemon: each death makes the next
                        # start wait longer


class Order:
    """What the shim is told."""

    def __init__(self, path):
        path.write_bytes(struct.pack("=IiIi", 0, -1, 0, 0))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)

    def fail(self, role, at):
        """The allocation number `at` (from 0) of this role from now on."""
        self.map[8:12] = struct.pack("=I", 0)
        self.map[0:4] = struct.pack("=I", ord(role))
        self.map[4:8] = struct.pack("=i", at)

    def stop(self):
        self.map[4:8] = struct.pack("=i", -1)

    def failed(self):
        return struct.unpack("=I", self.map[8:12])[0]


@pytest.fixture
def short_of_memory(empty_site, tmp_path, monkeypatch):
    """(site, line, order), running."""
    s = empty_site
    line = s.add_line("gw", conf='\tspeed = 115200\n\talert "panic" '
                      '{ match = "Pan[i]c" }\n')
    s.add_user("alice", role="admin")
    s.top = ("journal {\n    seal = 1s\n    rotate_size = 64kb\n}\n"
             'notify "me" {\n\ttype = "exec"\n\tcommand = "/bin/true"\n}\n')
    order = Order(tmp_path / "order")
    monkeypatch.setenv("OOBD_ALLOC", str(tmp_path / "order"))
    monkeypatch.setenv("OOBD_ALLOC_NOT", "libconfuse")
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests/alloc.so"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       "detect_leaks=0:verify_asan_link_order=0")
    s.start()
    monkeypatch.delenv("LD_PRELOAD")
    return s, line, order


def numbers(batch):
    """Which allocations."""
    if SWEEP:
        return range(batch * DEATHS, (batch + 1) * DEATHS)
    seed = int(os.environ.get("OOBD_SEED", random.randrange(1 << 32)))
    print(f"OOBD_SEED={seed}")
    dice = random.Random(seed)
    return [int(2000 ** dice.random()) - 1 for _ in range(DEATHS)]


def life(s, line, n):
    """A bit of everything, any of which may fail now."""
    line.send(b"Panic %d\r\n" % n)
    for words in (("list",), ("log", "gw", "--tail", "3"), ("status",),
                  ("note", "gw", "n%d" % n), ("link", "status"),
                  ("notify", "list")):
        s.run("alice", *words)


def get_in(s, n):
    """The owner does, whatever it was that ended."""
    def tried():
        done = s.run("alice", "list")
        return done.returncode == 0 and b"gw" in done.stdout
    wait_for(tried, 3 * PATIENCE, 0.1, text=f"logging in, {n}")


class Viewer:
    """Attached over SSH; again, when that process ended."""

    def __init__(self, site):
        self.site = site
        self.seen = []
        self.come()

    def come(self):
        self.client = self.site.client(self.site.ssh(
            "alice", "-n", "attach", "--ro"))
        self.seen.append(self.client.out)

    def stay(self):
        if self.client.process.poll() is not None:
            self.come()


ROLES = {"c": "console", "s": "ssh", "m": "modem", "n": "notify"}


def flood_in(data):
    """Without the lines of life()."""
    return re.sub(rb"Panic \d+\r\n", b"", data)


def lines_of(s):
    return flood_in(raw(s))


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("batch", range(max(1, SWEEP // DEATHS)))
def test_one_fails(short_of_memory, role, batch):
    s, line, order = short_of_memory
    viewer = Viewer(s)
    wait_for(lambda: b"alice" in s.ctl("who").stdout)
    flood = Flood(line, pause=0.01)
    flood.start()
    failed = 0
    for i, n in enumerate(numbers(batch)):
        order.fail(role, n)
        if i % 2:               # as it starts
            pid = wait_for(lambda: s.children().get(ROLES[role]),
                           3 * PATIENCE)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        life(s, line, n)
        if i % 2 and not SWEEP:     # more than these are asked for by then
            wait_for(order.failed, 3 * PATIENCE, text=f"its start, {n}")
        order.stop()
        failed += order.failed()
        get_in(s, n)
        viewer.stay()
    assert failed > 0 or SWEEP
    sent = flood.end()
    wait_for(lambda: lines_of(s) == sent, 3 * PATIENCE, text="the record")
    for out in viewer.seen:
        assert flood_in(out.data) in sent
    if role != "s":             # nobody noticed
        assert len(viewer.seen) == 1
        wait_for(lambda: flood_in(viewer.client.out.data) == sent)
    assert s.ctl("verify", "gw").returncode == 0
    assert b"gap bytes" not in s.ctl("log", "gw", "--events").stdout


# The supervisor: nothing is its end.

def serves(s, line, client, n):
    """Who is in types and sees; who comes gets in; a reader starts."""
    client.send(b"typed %d " % n)
    wait_for(lambda: b"typed %d " % n in line.typed.data)
    get_in(s, n)
    assert s.run("alice", "log", "gw", "--tail", "1").returncode == 0


def test_supervisor_goes_on(short_of_memory):
    """Whichever of its own allocations fails: as it reloads, opens a device,
    starts a process or a reader."""
    s, line, order = short_of_memory
    pid = s.process.pid
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    tried = 0
    for n in range(SWEEP) if SWEEP else numbers(0) + numbers(1)[:3]:
        order.fail("S", n)
        if n % 2:
            s.process.send_signal(signal.SIGHUP)
        else:
            os.kill(s.children()["notify"], signal.SIGKILL)
        s.run("alice", "log", "gw", "--tail", "1")
        wait_for(lambda: "notify" in s.children(), 4 * PATIENCE)
        order.stop()
        tried += order.failed()
        assert s.process.poll() is None and s.process.pid == pid, s.log()
    assert tried > 0
    serves(s, line, alice, 0)
    s.reload()


def used(pid):
    """Bytes that count for RLIMIT_DATA."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmData:\s+(\d+) kB", f.read())[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory has no limit")
def test_supervisor_at_its_limit(site):
    """A real limit, a bit higher each time, until a reload of a configuration
    that has grown works: not one of them ends it or what it looks after."""
    s = site
    pid = s.process.pid
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    s.line_conf["gw"] += "".join(
        f'\talert "a{i}" {{ match = "abc{i}+" }}\n' for i in range(60))
    s.top += "".join(f"# {i:06} {'x' * 60}\n" for i in range(3000))
    s.write()
    hard = resource.prlimit(pid, resource.RLIMIT_DATA)[1]
    kinds = set()
    for more in [0, 16384, 65536, 262144, *range(1 << 20, 32 << 20, 1 << 20)]:
        before = len(s.log())
        resource.prlimit(pid, resource.RLIMIT_DATA, (used(pid) + more, hard))
        s.process.send_signal(signal.SIGHUP)
        s.expect_log(r"reloaded", start=before)
        kinds.add("not reloaded" in s.log()[before:])
        assert s.process.poll() is None
        if not kinds & {True} or "too little memory" not in s.log()[before:]:
            break
    assert kinds == {True, False}, s.log()[-2000:]
    assert "free some" in s.log()
    alice.send(b"still here")
    alice.expect(b"still here")
    resource.prlimit(pid, resource.RLIMIT_DATA, (hard, hard))
    assert s.run("bob", "list").returncode == 0


WARM, RELOADS = 80, 100
REFUSED = 300
LEFT = 4096             # bytes that malloc has given out
# kB: glibc keeps up to 128 free at the top, and goes up and down by as much.
LEFT_RSS = 128 + 24


@pytest.fixture
def counted(empty_site, tmp_path, monkeypatch):
    """A site whose processes tell what they have from malloc
    (tests/shim/inuse.c), not started; glibc's caches, which fill up for
    hundreds of reloads and thousands of logins, are off."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice")
    s.add_user("bob", role="viewer")
    s.in_use = tmp_path
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:"
                       "glibc.malloc.mxfast=0")
    monkeypatch.setenv("OOBD_INUSE", str(tmp_path))
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests/inuse.so"))
    s.start()
    monkeypatch.delenv("LD_PRELOAD")
    return s


def memory(s):
    """{role: (bytes from malloc, kB that are resident)} of what stays, while
    nobody is served."""
    def in_use():
        return {role: struct.unpack("Q", (s.in_use / str(pid)).read_bytes())[0]
                for role, pid in pids.items()}

    def settled():
        before = in_use()
        time.sleep(0.3)
        return in_use() == before

    assert s.run("alice", "list").returncode == 0
    s.none_restarted()
    pids = {"supervisor": s.process.pid, **s.pids}
    wait_for(settled, text="quiet")
    return {role: (n, rss_kb(pids[role])) for role, n in in_use().items()}


def leaves_nothing(s, do, warm, times):
    """In no process that stays, once all that is done was done before."""
    memory(s)
    do(warm)
    before = memory(s)
    do(times)
    after = memory(s)
    print({role: (before[role], now) for role, now in after.items()})
    for role, (n, kb) in after.items():
        assert n - before[role][0] < LEFT, role
        assert kb - before[role][1] < LEFT_RSS, role


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what is freed")
def test_reloads_leave_nothing(counted):
    """Of none that is heeded, and of none that is not, in any process."""
    s = counted

    def reload(times):
        for n in range(times):
            s.top = f"# {n}\n" if n % 4 else 'colour = "green"\n'
            s.reload(good=n % 4 != 0)

    leaves_nothing(s, reload, WARM, RELOADS)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what is freed")
def test_refused_logins_leave_nothing(counted):
    """Neither ours nor libssh's."""
    s = counted
    s.users["mallory"] = User("mallory", "admin", (),
                              make_key(s.dir / "key-mallory"))
    argv = s.ssh("mallory", "list", login="alice")

    def knock(times):
        clients = []
        for n in range(times + 4):
            if n < times:
                clients.append(subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            if n >= 4:
                assert clients.pop(0).wait(PATIENCE) != 0

    leaves_nothing(s, knock, REFUSED, REFUSED)
