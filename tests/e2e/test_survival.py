"""Any process may be killed at any time: what a viewer saw is in the journal."""
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import BUILD, PATIENCE, wait_for


def raw(site, name="gw", offline=False):
    """The exact bytes of the record."""
    if offline:
        argv = [str(BUILD / "oobctl"), "-D", str(site.dir / "journal"),
                "log", name, "--raw"]
        done = subprocess.run(argv, capture_output=True, timeout=60)
    else:
        done = site.ctl("log", name, "--raw")
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbered(first, n):
    return b"".join(b"%08d the quick brown fox jumps over it\r\n" % i
                    for i in range(first, first + n))


class Flood(threading.Thread):
    """Numbered lines on a line until told to stop; remembers all of it."""

    def __init__(self, line, pause=0.001, lines=10):
        super().__init__(daemon=True)
        self.line, self.pause, self.lines = line, pause, lines
        self.sent = []
        self.going = True

    def run(self):
        n = 0
        while self.going:
            piece = numbered(n, self.lines)
            n += self.lines
            self.line.send(piece)
            self.sent.append(piece)
            time.sleep(self.pause)

    def end(self):
        self.going = False
        self.join(PATIENCE)
        assert not self.is_alive(), "the line takes no more"
        return b"".join(self.sent)


def kill(site, role):
    os.kill(site.children()[role], signal.SIGKILL)


def test_console_process_killed_in_a_flood(empty_site):
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    viewer = site.client(site.ssh("alice", "-n", "attach"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    flood = Flood(line)
    flood.start()
    for _ in range(3):
        time.sleep(0.4)
        old = site.children()["console"]
        kill(site, "console")
        wait_for(lambda: site.children().get("console", old) != old)
        time.sleep(0.6)
    sent = flood.end()
    wait_for(lambda: raw(site) == sent, text="the whole flood in the journal")
    # the viewer went through all of it, byte for byte
    wait_for(lambda: viewer.out.data == sent, text="the viewer's stream")
    assert viewer.process.poll() is None


def test_killed_between_reading_and_writing(empty_site):
    """A flood as fast as a pty goes: the kill finds bytes that the process
    has read and nobody else has seen.  They are in the journal all the same,
    once."""
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    flood = Flood(line, pause=0, lines=2000)
    flood.start()
    for n in range(1, 6):           # more, and the restarts back off too far
        wait_for(lambda: len(flood.sent) >= 40 * n)
        old = site.children()["console"]
        kill(site, "console")
        wait_for(lambda: site.children().get("console", old) != old)
        wait_for(lambda: b"gw" in site.ctl("list").stdout)
        if len(flood.sent) > 600:
            break                   # a fast machine: enough to compare
    sent = flood.end()

    def received():
        status = json.loads(site.ctl("status", "--json").stdout)
        return status["consoles"][0]["journal"]["offset"]
    wait_for(lambda: received() >= len(sent), 3 * PATIENCE, 0.5,
             text="the last byte")
    record = raw(site)
    assert len(record) == len(sent), len(sent) - len(record)
    assert record == sent


def test_pen_and_keys_survive_the_console_process(site):
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    old = site.children()["console"]
    kill(site, "console")
    wait_for(lambda: site.children().get("console", old) != old)

    def typing():
        return b"alice" in site.ctl("who").stdout
    wait_for(typing)
    alice.send(b"ping")
    alice.expect(b"ping")
    who = site.ctl("who").stdout.decode()
    assert re.search(r"gw\s+alice\s+pen", who), who


def test_ssh_process_killed(site):
    line = site.lines["gw"]
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    line.send(b"before\r\n")
    kill(site, "ssh")
    line.send(b"meanwhile\r\n")
    start = time.monotonic()
    while True:
        done = site.run("bob", "list")
        if done.returncode == 0:
            break
        assert time.monotonic() - start < PATIENCE
    took = time.monotonic() - start
    line.send(b"after\r\n")
    wait_for(lambda: raw(site) == b"before\r\nmeanwhile\r\nafter\r\n")
    # generous: the goal is a second, the machine may be busy
    assert took < 3, took


def test_everything_killed_at_once(empty_site):
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    viewer = site.client(site.ssh("alice", "-n", "attach"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    sent = b""
    for _ in range(3):
        flood = Flood(line)
        flood.start()
        time.sleep(0.5)
        pids = [*site.children().values(), site.process.pid]
        seen_at = len(viewer.out.data)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        site.process.wait()
        flood.going = False
        flood.join(2)
        seen = viewer.out.data
        assert len(seen) >= seen_at > 0
        site.process = None
        site.start()
        record = raw(site)
        assert seen in record, "a viewer saw what the journal has not"
        viewer = site.client(site.ssh("alice", "-n", "attach"))
        wait_for(lambda: b"alice" in site.ctl("who").stdout)
        sent = record
    assert sent


def test_supervisor_killed_children_leave(site):
    pids = site.children()
    site.process.kill()
    site.process.wait()
    for role, pid in pids.items():
        wait_for(lambda: not site.runs(pid), 5, text=f"end of {role}")
    site.process = None
    site.lines["gw"].send(b"x")
    site.start()                    # neither lock nor socket is in the way


def test_sigterm_ends_everything_in_time(site):
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    start = time.monotonic()
    assert site.stop() == 0
    assert time.monotonic() - start < 5.5
    alice.expect(b"shutting down")


def test_hung_child_is_killed_and_replaced(empty_site):
    site = empty_site
    site.add_line("gw")
    site.add_user("alice")
    site.top = "deadline = 1s"
    site.start()
    old = site.children()
    os.kill(old["ssh"], signal.SIGSTOP)
    wait_for(lambda: site.children().get("ssh", old["ssh"]) != old["ssh"])
    wait_for(lambda: site.run("alice", "list").returncode == 0)
    assert site.children()["console"] == old["console"]
    assert "does not answer" in site.log()
    os.kill(old["console"], signal.SIGSTOP)
    wait_for(lambda: site.children().get("console", old["console"]) !=
             old["console"])
    wait_for(lambda: site.run("alice", "list").returncode == 0)


def test_deadline_of_a_reload(site):
    site.top = "deadline = 1s"
    site.reload()
    old = site.children()["ssh"]
    os.kill(old, signal.SIGSTOP)
    stopped = time.monotonic()
    site.expect_log("ssh process does not answer")
    # With the default of 5 s it is never sooner.
    assert time.monotonic() - stopped < 4.5
    wait_for(lambda: site.run("alice", "list").returncode == 0)
    site.top = 'control_group = "tty"'
    site.reload()
    site.expect_log("control_group changes with the next start")


def test_hung_children_do_not_delay_the_end(site):
    """Not even all of them."""
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    kids = site.children()
    for role in ("console", "modem", "ssh"):
        os.kill(kids[role], signal.SIGSTOP)
    start = time.monotonic()
    assert site.stop(10) == 0
    assert time.monotonic() - start < 5.5
    for role in ("console", "modem", "ssh"):
        assert f"{role} process did not stop in time" in site.log()
        assert not site.runs(kids[role])
    assert not site.control.exists()
    site.start()                    # neither lock nor socket is in the way


def test_verbs_pass_a_flood(empty_site):
    """What an ssh process that stands still has not read of a flood leaves
    room for verbs that it answers."""
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    viewer = site.client(site.ssh("alice", "-n", "attach"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    pid = site.children()["ssh"]
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(2.5, os.kill, (pid, signal.SIGCONT)).start()
    line.send(numbered(0, 30000))
    done = site.ctl("relay", "status")
    assert b"no relay" in done.stdout + done.stderr, done
    assert site.children()["ssh"] == pid
    wait_for(lambda: len(viewer.out.data) > 1000)


def test_second_daemon_is_refused(site):
    done = subprocess.run([str(BUILD / "oobd"), "-f", str(site.conf)],
                          capture_output=True, timeout=20)
    assert done.returncode == 1
    assert b"runs already" in done.stderr


def test_start_when_the_address_is_taken(empty_site):
    site = empty_site
    site.add_line("gw")
    site.start()
    other = type(site)()
    try:
        other.add_line("gw")
        other.port, other.listen = site.port, site.listen
        other.write()
        done = subprocess.run([str(BUILD / "oobd"), "-f", str(other.conf)],
                              capture_output=True, timeout=30)
        assert done.returncode == 1
        assert str(site.port).encode() in done.stderr
    finally:
        other.close()


# Reload.

def test_reload_adds_and_removes(site):
    alice = site.attach("alice", login="gw")
    alice.expect(b"you have the pen")
    site.add_line("new", echo=True)
    site.add_user("carol")
    old = site.kept()
    site.reload()
    assert site.run("carol", "list").stdout.count(b"\n") == 3
    wait_for(lambda: all(c["up"] for c in json.loads(
        site.ctl("list", "--json").stdout)))
    new = site.attach("carol", login="new")
    new.expect(b"you have the pen")
    new.send(b"hello")
    new.expect(b"hello")
    # alice felt nothing
    alice.send(b"still here")
    alice.expect(b"still here")
    del site.users["carol"]
    site.reload()
    new.expect(re.compile(rb"removed|withdrawn"))
    assert new.wait() != 0
    assert site.run("alice", "list").returncode == 0
    gone = site.lines.pop("new")
    site.reload()
    wait_for(lambda: b"new" not in site.run("alice", "list").stdout)
    gone.close()
    alice.send(b"and here")
    alice.expect(b"and here")
    site.none_restarted(old)


def test_bad_reload_changes_nothing(site):
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    good = site.top
    site.top = 'colour = "green"'
    site.reload(good=False)
    assert "colour" in site.log()
    alice.send(b"fine")
    alice.expect(b"fine")
    assert site.run("bob", "list").returncode == 0
    site.top = good
    site.reload()


def test_reload_changes_a_role(site):
    bob = site.attach("bob")
    bob.expect(b"may only watch")
    site.users["bob"].role = "operator"
    site.reload()
    bob.send(b"\x05ca")
    bob.expect(b"you have the pen")
    bob.send(b"typed")
    bob.expect(b"typed")


def test_reload_moves_the_listener(site):
    from conftest import free_port
    old = site.port
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    site.port = free_port()
    site.listen = [f"127.0.0.1:{site.port}"]
    site.reload()
    site.learn_host_key()
    assert site.run("bob", "list").returncode == 0
    alice.send(b"old one lives")
    alice.expect(b"old one lives")
    site.port = old
    site.learn_host_key()
    assert site.run("bob", "list").returncode != 0


def kill_supervisor(site):
    """And have it started again, as an init would, when all have left."""
    pids = site.children()
    site.process.kill()
    site.process.wait()
    for role, pid in pids.items():
        wait_for(lambda: not site.runs(pid), text=f"end of {role}")
    site.process = None
    site.start()


@pytest.mark.slow
def test_any_process_killed_at_any_time(empty_site):
    """Every process, at random, during a numbered flood: whatever a viewer saw
    is in the record, and the record is whole.  OOBD_KILLS says how often (200
    for the long run), OOBD_SEED which and when."""
    seed = int(os.environ.get("OOBD_SEED", random.randrange(1 << 32)))
    print(f"OOBD_SEED={seed}")
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.top = "journal {\n    seal = 1s\n    rotate_size = 256kb\n}"
    site.start()
    viewers = [site.client(site.ssh("alice", "-n", "attach"))]
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    flood = Flood(line, pause=0.005)
    flood.start()
    dice = random.Random(seed)
    killed = {}
    for _ in range(int(os.environ.get("OOBD_KILLS", 8))):
        time.sleep(dice.random())
        roles = site.children()
        victim = dice.choice(sorted([*roles, "supervisor"]))
        killed[victim] = killed.get(victim, 0) + 1
        if victim == "supervisor":
            kill_supervisor(site)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(roles[victim], signal.SIGKILL)
        if viewers[-1].process.poll() is not None:  # its ssh process died
            viewers.append(site.client(site.ssh("alice", "-n", "attach")))
    flood.going = False
    flood.join(6 * PATIENCE)        # the line may wait for a restart
    assert not flood.is_alive()
    sent = flood.end()
    print(killed, len(sent), "bytes", len(viewers), "viewers")
    wait_for(lambda: raw(site) == sent, 6 * PATIENCE, 0.5)
    assert sum(len(v.out.data) for v in viewers) > 0
    assert all(v.out.data in sent for v in viewers)
    done = site.ctl("verify", "gw")
    assert done.returncode == 0, done.stdout
