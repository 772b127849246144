"""Restarts, reloads, keepalive, and what must not grow."""
import os
import re
import signal
import socket
import time

import pytest

from conftest import PATIENCE, free_port, make_key, wait_for
from sshwire import transport

FULL = bool(os.environ.get("OOBD_FULL"))


def test_kill_of_the_ssh_process(site):
    c = site.attach("alice")
    c.expect(b"[oobd: ")
    console = site.pids["console"]
    before = len(site.log())
    os.kill(site.pids["ssh"], signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: site.run("alice", "list").returncode == 0, 5)
    assert time.monotonic() - killed < 1.5
    assert c.wait() == 255
    assert site.children()["console"] == console
    site.lines["gw"].send(b"the console goes on\r\n")
    wait_for(lambda: b"the console goes on" in site.run(
        "alice", "log", "gw", "--raw").stdout)
    site.expect_log("ssh", start=before)


def test_kill_of_the_console_process(site):
    c = site.client(site.ssh("alice", "-s", "console"))
    c.send(b"before")
    c.expect(b"before")
    os.kill(site.pids["console"], signal.SIGKILL)
    site.lines["gw"].send(b"<meanwhile>")
    c.expect(b"<meanwhile>", 10)
    wait_for(lambda: site.run("alice", "list").returncode == 0)
    c.send(b"after")
    c.expect(b"after", 10)
    assert c.process.poll() is None


def test_hang_of_the_ssh_process(empty_site):
    """It misses its deadline: killed and started again."""
    s = empty_site
    s.top = 'deadline = "1s"'
    s.add_line("gw")
    s.add_user("alice")
    s.start()
    os.kill(s.pids["ssh"], signal.SIGSTOP)
    wait_for(lambda: s.children().get("ssh") not in (None, s.pids["ssh"]), 8)
    wait_for(lambda: s.run("alice", "list").returncode == 0, 8)


def test_orderly_end(site):
    c = site.attach("alice")
    c.expect(b"[oobd: ")
    w = site.client(site.ssh("alice", "-s", "console"))
    site.meet("gw", c, w)
    start = time.monotonic()
    assert site.stop() == 0
    assert time.monotonic() - start < 5
    c.expect(b"[oobd: shutting down]")
    assert c.wait() == 1
    assert w.wait() == 1
    assert b"shutting down" in w.err.settle()
    assert b"oobd" not in w.out.data.replace(b"<hello>", b"")


def test_reload_touches_nobody_else(site):
    c = site.client(site.ssh("alice", "-s", "console"))
    c.send(b"one")
    c.expect(b"one")
    pids = site.kept()
    site.add_user("carol")
    site.reload()
    assert site.run("carol", "list").returncode == 0
    c.send(b"two")
    c.expect(b"onetwo")
    assert c.out.data == b"onetwo"
    site.none_restarted(pids)


def test_reload_ends_who_lost_the_right(empty_site):
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_line("sw")
    for name in ("alice", "bob", "carol"):
        s.add_user(name)
    s.start()
    clients = {}
    for name, login in (("alice", "alice"), ("bob", "bob:gw"),
                        ("carol", "carol:gw")):
        clients[name] = s.client(s.ssh(name, "-s", "console:gw",
                                       login=login))
        s.expect_log(f"{name} logged in")
    s.meet("gw", *clients.values())
    # alice is gone, bob has another key, carol may only see sw.
    alice = s.users.pop("alice")
    s.users["bob"].key = make_key(s.dir / "new")
    s.users["carol"].consoles = ["sw"]
    s.reload()
    for name in ("alice", "bob", "carol"):
        assert clients[name].wait() == 1, name
        # Either process may be the first to say so.
        assert re.search(rb"access was withdrawn|was removed|no longer use",
                         clients[name].err.settle())
    s.users["alice"] = alice
    assert s.run("alice", "list").returncode == 255
    assert s.run("bob", "list").returncode == 0


def test_reload_moves_the_listener(site):
    old = site.port
    c = site.client(site.ssh("alice", "-s", "console"))
    c.send(b"one")
    c.expect(b"one")
    site.port = free_port()
    site.listen = [f"127.0.0.1:{site.port}"]
    site.reload()
    site.learn_host_key()
    wait_for(lambda: site.run("alice", "list").returncode == 0)

    def closed():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", old)) != 0
    wait_for(closed)
    c.send(b"two")
    c.expect(b"onetwo")


def test_a_bad_reload_changes_nothing(site):
    c = site.client(site.ssh("alice", "-s", "console"))
    c.send(b"one")
    c.expect(b"one")
    site.top = "nonsense = 1"
    site.reload(good=False)
    assert site.run("alice", "list").returncode == 0
    c.send(b"two")
    c.expect(b"onetwo")


def test_keepalive_ends_the_dead(empty_site):
    """A client that is stopped does not answer; one that is idle does."""
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.add_user("bob")
    s.ssh_conf = '\tkeepalive = "1s"\n\tkeepalive_count = 2\n'
    s.start()
    idle = s.client(s.ssh("alice", "-s", "console"))
    dead = s.client(s.ssh("bob", "-s", "console"))
    s.expect_log("alice logged in")
    s.expect_log("bob logged in")
    dead.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    s.expect_log(r"bob from .* left: it does not answer", 15)
    assert 2 <= time.monotonic() - stopped < 8
    dead.process.send_signal(signal.SIGCONT)
    time.sleep(4)
    assert idle.process.poll() is None
    s.lines["gw"].send(b"hello")
    idle.expect(b"hello")


def test_idle_costs_nothing(site):
    """No wake-ups beyond keepalives and the supervisor's pings."""
    c = site.client(site.ssh("alice", "-s", "console"))
    c.send(b"x")
    c.expect(b"x")
    time.sleep(1)

    def switches():
        with open(f"/proc/{site.pids['ssh']}/status") as f:
            found = re.findall(r"ctxt_switches:\s*(\d+)", f.read())
        return sum(int(n) for n in found)
    before = switches()
    time.sleep(5)
    assert (switches() - before) / 5 <= 2


def test_a_stream_is_gathered(empty_site):
    """What comes in pieces of 16 bytes at 11520 B/s wakes each process once
    in 5 ms, not for each; what comes after quiet is not waited with."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    c = s.client(s.ssh("alice", "-s", "console"))
    s.meet("gw", c)

    def waits(role):
        with open(f"/proc/{s.pids[role]}/status") as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                                 f.read(), re.M).group(1))
    rates = {"console": [], "ssh": []}
    for _ in range(3):              # what disturbs only adds
        before = {role: waits(role) for role in rates}
        start = time.monotonic()
        for n in range(1, 1001):
            line.send(b"0123456789abcde\n")
            time.sleep(max(0, start + n / 720 - time.monotonic()))
        took = time.monotonic() - start
        for role, seen in rates.items():
            seen.append((waits(role) - before[role]) / took)
    assert min(rates["console"]) < 400 and min(rates["ssh"]) < 400, rates

    def median():
        times = []
        for _ in range(15):
            time.sleep(0.03)
            at = len(c.out.data)
            start = time.monotonic()
            line.send(b"x")
            c.expect(b"x", start=at)
            times.append(time.monotonic() - start)
        return sorted(times)[7]
    best = 1
    for _ in range(20):
        best = min(best, median())
        if best < 0.002:
            break
    assert best < 0.002 * max(1, PATIENCE / 10), best


def test_memory_of_a_further_client(site):
    first = [transport(site, "alice") for _ in range(4)]

    def attach(t):
        c = t.open_session()
        c.invoke_subsystem("console")
        return c
    channels = [attach(t) for t in first]
    time.sleep(0.5)
    before = site.rss("ssh")
    more = [transport(site, "alice") for _ in range(28)]
    channels += [attach(t) for t in more]
    time.sleep(0.5)
    per_client = (site.rss("ssh") - before) / len(more)
    assert len(channels) == 32
    for t in first + more:
        t.close()
    assert per_client <= 48, f"{per_client} kB"


def test_many_logins_leave_nothing_behind(site):
    def one():
        t = transport(site, "alice")
        c = t.open_session()
        c.exec_command("list")
        assert c.recv_exit_status() == 0
        t.close()
    for _ in range(30):
        one()
    wait_for(lambda: site.fds("ssh") < 20)
    fds, rss = site.fds("ssh"), site.rss("ssh")
    for _ in range(10000 if FULL else 300):
        one()
    wait_for(lambda: site.fds("ssh") <= fds)
    assert site.rss("ssh") - rss < 700


@pytest.mark.parametrize("shown", ["[oobd: ", "alice"])
def test_two_admins_see_each_other(site, shown):
    site.add_user("carol")
    site.reload()
    a = site.attach("alice")
    a.expect(b"[oobd: ")
    seen = len(a.out.settle())
    c = site.attach("carol")
    c.expect(shown.encode())
    a.expect(b"carol", start=seen)
