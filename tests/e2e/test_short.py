"""Calls that do half of what they were asked to: short reads and writes and
interrupted calls at random (tests/shim/short.c), and no descriptor left."""
import os
import random
import re
import resource
import socket
import subprocess
import time

import pytest
from conftest import BUILD, PATIENCE, wait_for
from test_survival import Flood, raw

PASTE = b"".join(b"paste %06d %s\n" % (i, b"abcdefghij" * (i % 7))
                 for i in range(3000))


@pytest.fixture
def preloaded(monkeypatch):
    """Every process of the daemon has this shim, our clients have not."""
    def start(site, shim, **env):
        for key, value in env.items():
            monkeypatch.setenv(key, str(value))
        monkeypatch.setenv("LD_PRELOAD", str(BUILD / f"tests/{shim}.so"))
        monkeypatch.setenv("ASAN_OPTIONS",
                           "detect_leaks=0:verify_asan_link_order=0")
        site.start()
        monkeypatch.delenv("LD_PRELOAD")
    return start


def test_short_and_interrupted(empty_site, preloaded):
    """A flood one way, a paste the other, a record that is searched and
    packed meanwhile: the same bytes everywhere."""
    seed = int(os.environ.get("OOBD_SEED", random.randrange(1 << 32)))
    print(f"OOBD_SEED={seed}")
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.top = "journal {\n    seal = 1s\n    rotate_size = 64kb\n}"
    preloaded(s, "short", OOBD_SHORT=seed)
    assert "short.so" in open(f"/proc/{s.children()['ssh']}/maps").read()
    viewer = s.client(s.ssh("alice", "-n", "attach", "--ro"))
    wait_for(lambda: s.ctl("who").stdout.count(b"alice") == 1)
    typist = s.client(s.ssh("alice", "-s", "console"))
    wait_for(lambda: s.ctl("who").stdout.count(b"alice") == 2)
    flood = Flood(line, pause=0.005)
    flood.start()
    typist.send(PASTE)
    wait_for(lambda: len(line.typed.data) >= len(PASTE), 3 * PATIENCE,
             text="the paste")
    assert line.typed.data == PASTE
    done = s.run("alice", "grep", "0000001[0-9]", "gw")
    assert done.returncode == 0 and done.stdout.count(b"\n") >= 10
    s.reload()
    wait_for(lambda: len(flood.sent) > 500, 3 * PATIENCE)
    sent = flood.end()
    wait_for(lambda: viewer.out.data == sent, 3 * PATIENCE, text="viewer")
    wait_for(lambda: typist.out.data == sent, 3 * PATIENCE, text="typist")
    wait_for(lambda: raw(s) == sent, 3 * PATIENCE, text="the record")
    done = s.ctl("verify", "gw")
    assert done.returncode == 0, done.stdout
    assert "process ended" not in s.log(), s.log()


def test_reader_of_oobctl_that_comes_and_goes(site):
    """Its output has room at one look and none at another: it waits for what
    it saw, and all of the line comes out, with nothing more to wake it."""
    seed = int(os.environ.get("OOBD_SEED", random.randrange(1 << 32)))
    print(f"OOBD_SEED={seed}")
    site.lines["gw"].echo = False
    env = dict(os.environ, OOBD_SHORT=str(seed),
               LD_PRELOAD=str(BUILD / "tests/short.so"),
               ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0")
    viewer = site.client([str(BUILD / "oobctl"), "-s", str(site.control),
                          "attach", "--ro"], env=env)
    viewer.err.expect(b"you are watching")
    for n in range(20):
        site.lines["gw"].send(b"%02d" % n + b"x" * 20000 + b"%02d!" % n)
        viewer.expect(b"%02d!" % n)
    assert len(viewer.out.data) == 20 * 20005


# No descriptor left.

def highest(pid):
    return max(map(int, os.listdir(f"/proc/{pid}/fd")))


def limit(pid, n):
    """So many descriptors, from now on; gives back how many it were."""
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, old[1]))
    return old[0]


ROOM = int(re.search(r"define FD_ROOM (\d+)", open(
    BUILD.parent / "server/base/fileio.h").read())[1])


def echoes(client, line, text):
    """It is typed, and what the line says is seen."""
    client.send(text)
    wait_for(lambda: text in line.typed.data, text="typing")
    line.send(b"heard " + text + b"\r\n")
    client.expect(b"heard " + text)


def test_ssh_process_without_descriptors(empty_site):
    """Who is in does not notice, and goes on even when the console process is
    another one; who comes is turned away, and the log says why; later there
    is room again."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    # Her gate's descriptor is closed by then.
    wait_for(lambda: "gate" not in s.children())
    pid = s.children()["ssh"]
    old = limit(pid, highest(pid) + 1 + ROOM + 2)
    crowd = [socket.create_connection(("127.0.0.1", s.port), PATIENCE)
             for _ in range(3)]
    s.expect_log("cannot accept a connection: Too many open files")
    assert s.run("alice", "list").returncode == 255
    echoes(alice, line, b"one")
    other = s.children()["console"]
    os.kill(other, 9)
    wait_for(lambda: s.children().get("console", other) != other)
    echoes(alice, line, b"two")
    # Now not even for those that are there.
    limit(pid, highest(pid) + 1)
    echoes(alice, line, b"three")
    wait_for(lambda: b"heard three" in raw(s))
    for c in crowd:
        c.close()
    limit(pid, old)
    begun = time.monotonic()
    wait_for(lambda: s.run("alice", "list").returncode == 0)
    assert time.monotonic() - begun < PATIENCE / 2
    echoes(alice, line, b"four")
    assert s.children()["ssh"] == pid


def test_console_process_without_descriptors(empty_site):
    """The same, with a journal that cannot begin its next file."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.top = "journal {\n    rotate_size = 64kb\n}"
    s.start()
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    watch = s.client(s.ssh("alice", "-n", "attach", "--ro"))
    wait_for(lambda: s.ctl("who").stdout.count(b"alice") == 2)
    pid = s.children()["console"]
    old = limit(pid, highest(pid) + 1 + ROOM + 2)
    crowd = [subprocess.Popen([str(BUILD / "oobctl"), "-s", str(s.control),
                               "attach", "--ro"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
             for _ in range(6)]     # one that just left may make room
    s.expect_log("control socket: cannot accept a connection: Too many open")
    echoes(alice, line, b"one")
    done = s.run("alice", "log", "gw")
    assert done.returncode == 0 and b"heard one" in done.stdout
    # Now not even for those that are there: no reader, no new segment.
    limit(pid, highest(pid) + 1)
    before = len(watch.out.data)
    flood = Flood(line, pause=0.005)
    flood.start()
    done = s.run("alice", "log", "gw")
    assert done.returncode == 1 and done.stderr, done
    wait_for(lambda: len(flood.sent) > 500, 2 * PATIENCE, text="a flood")
    echoes(alice, line, b"two")
    s.expect_log("Too many open files|too many are open")
    limit(pid, old)
    for c in crowd:
        c.kill()
        c.wait()
    sent = flood.end()
    wait_for(lambda: s.ctl("list").returncode == 0)
    wait_for(lambda: len(watch.out.data) - before >= len(sent))
    wait_for(lambda: raw(s) == watch.out.data, 2 * PATIENCE,
             text="the record")
    assert len(list((s.dir / "journal/gw").glob("0*"))) > 1
    assert s.ctl("verify", "gw").returncode == 0
    assert b"gap bytes" not in s.ctl("log", "gw", "--events").stdout
    assert s.children()["console"] == pid
