"""Alerts on what consoles print, crash bundles, and the digest at attach."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import BUILD, SANITIZED, Line, wait_for

QUIET = '\tcrash_quiet = "1s"\n'


def events(site, console="gw"):
    done = site.ctl("log", console, "--events")
    assert done.returncode == 0, done
    return done.stdout.decode()


def status(site, console="gw"):
    done = site.ctl("status", "--json")
    assert done.returncode == 0, done
    found = [c for c in json.loads(done.stdout)["consoles"]
             if c["name"] == console]
    return found[0]["alerts"]


def bundles(site, console="gw"):
    """Finished crash bundles: (head, bytes), oldest first."""
    found = []
    for path in sorted((site.dir / "journal" / console).glob(
            "crash/*.crash")):
        head, _, data = path.read_bytes().partition(b"\n\n")
        found.append((dict(line.split("=", 1) for line in
                           head.decode().split("\n")[1:]), data))
    return found


class Router:
    """oobsim router, on a path that the daemon opens."""

    def __init__(self, folder, *args):
        self.path = folder / "tty-router"
        self.control = folder / "router.ctl"
        self.process = subprocess.Popen(
            [str(BUILD / "oobsim"), "router", "--link", str(self.path),
             "--control", str(self.control), "--fast", "--calm", *args],
            stdout=subprocess.DEVNULL)
        wait_for(self.path.exists, text="router")

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def router(empty_site):
    """A site whose line is the simulated router; tells a program."""
    s = empty_site
    r = Router(s.dir, "--no-boot")
    s.line_conf["gw"] = ('\tcrash_quiet = "2s"\n\talert "hello" {\n'
                         '\t\tmatch = "hello [0-9]+"\n\t\tsettle = "0"\n'
                         '\t\thourly = 3\n\t\tseverity = "info"\n\t}\n')
    s.lines["gw"] = r
    script = s.dir / "told.sh"
    script.write_text("#!/bin/sh\n{ echo \"$OOB_PORT $OOB_EVENT "
                      f"$OOB_SEVERITY\"; cat; echo; }} >>{s.dir}/told\n")
    script.chmod(0o700)
    s.top = f'notify "run" {{ type = "exec" command = "{script}" }}\n'
    s.add_user("alice")
    yield s.start()


def test_panic_and_reboot(router):
    """The whole of it: seen by who is attached, in the journal, in status,
    told to a program, and made into a bundle."""
    s = router
    told = s.dir / "told"
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    alice.send(b"\r")
    alice.expect(b"login: ")
    alice.send(b"root\r")
    alice.expect(b"assword:")
    alice.send(b"router\r")
    alice.expect(b"# ")
    # What is typed is echoed, and is no alert of the device's kernel.
    alice.send(b"echo panic: not really\r")
    alice.expect(b"\r\npanic: not really")
    alice.expect(b"CRITICAL ALERT panic: panic: not really]")
    alice.send(b"panic\r")
    at = alice.expect(b"Fatal trap 12")
    # De-bounced: it is the same thing that goes on.
    alice.expect(b"ALERT reboot: PC Engines apu2", 30, at)
    alice.expect(b"crash bundle 1 (panic, ", 30, at)
    assert alice.out.data.count(b"ALERT panic") == 1
    assert alice.out.data.count(b"ALERT reboot") == 1

    found = re.findall(r"alert name=(\S+) on=(\S+) severity=(\S+) "
                       r"state=raised offset=(\d+) text=(.*)", events(s))
    assert [f[:3] for f in found] == [
        ("panic", "panic", "critical"), ("reboot", "reboot", "warning")]
    assert found[0][4] == "panic: not really"
    raw = s.ctl("log", "gw", "--raw").stdout
    for f in found:
        assert raw[int(f[3]):].startswith(f[4].encode())
    assert re.search(r"crash id=1 alert=panic bytes=\d+ ended=quiet",
                     events(s))

    state = status(s)
    assert state["raised"] == 2 and state["reboots"] == 1
    assert [a["name"] for a in state["newest"]] == ["panic", "reboot"]
    (crash,) = state["crashes"]
    assert crash["alert"] == "panic" and crash["complete"]
    text = s.ctl("status").stdout.decode()
    assert "alert panic: " in text and "  crash 1: " in text

    ((head, data),) = bundles(s)
    assert head["alert"] == "panic,reboot" and head["console"] == "gw"
    assert len(data) == int(head["bytes"]) == crash["bytes"]
    assert data == raw[int(head["from"]):][:len(data)]
    assert b"echo panic" in data and b"Fatal trap 12" in data
    assert data.rstrip().endswith(b"login:")

    # Fetched by name, by who may see the console.
    done = s.run("alice", "export", "gw", "--crash", "1", "--raw")
    assert done.returncode == 0, done
    assert done.stdout.endswith(data) and b"\nended=quiet\n" in done.stdout
    done = s.run("alice", "export", "--crash", "last", login="gw")
    assert b"Fatal trap 12: page fault" in done.stdout
    assert b"\x1b" not in done.stdout and b"\r" not in done.stdout
    assert s.run("alice", "export", "gw", "--crash", "7").returncode == 1
    assert s.run("alice", "export", "gw", "--crash").returncode == 2

    wait_for(lambda: told.exists() and "alert-reboot" in told.read_text(),
             text="telling the program")
    first = told.read_text().split("\n")
    assert first[0] == "gw alert-panic critical", first
    assert first[1] == "site: console gw: panic: panic: not really", first

    # On a process of its own, and limited: told three times, then counted.
    for i in range(5):
        subprocess.run([str(BUILD / "oobsim"), "tell", str(s.lines["gw"]
                        .control), "send", f"hello {i}\\n"], check=True,
                       stdout=subprocess.DEVNULL)
    alice.expect(b"hello 2]")
    wait_for(lambda: status(s)["raised"] == 5)
    assert b"ALERT hello: hello 3" not in alice.out.data


@pytest.fixture
def line(empty_site):
    s = empty_site
    s.add_line("gw", conf=QUIET)
    s.add_user("alice")
    s.add_user("bob", role="viewer")
    return s.start()


def kill(site, role):
    pid = site.children()[role]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.children().get(role, pid) != pid,
             text=f"restart of {role}")


def test_killed_while_a_bundle_grows(line):
    s = line
    dev = s.lines["gw"]
    before = b"".join(b"line %06d\r\n" % i for i in range(6000))
    dev.send(before)
    dev.send(b"panic: out of luck\r\nfirst\r\n")
    part = s.dir / "journal" / "gw" / "crash"
    wait_for(lambda: list(part.glob("*.part")), text="a bundle")
    kill(s, "console")
    dev.send(b"second\r\n")
    wait_for(lambda: bundles(s), text="the end of the bundle")
    ((head, data),) = bundles(s)
    want = before[-65536:] + b"panic: out of luck\r\nfirst\r\nsecond\r\n"
    assert data == want and head["ended"] == "quiet"
    wait_for(lambda: not list(part.glob("*.part")), text="one name for it")
    # Not told twice: what was looked at before is not looked at again.
    assert len(re.findall("state=raised", events(s))) <= 2
    state = status(s)
    assert state["not_looked_at"] == 0 and len(state["crashes"]) == 1


def test_rules_follow_a_reload(line):
    s = line
    dev = s.lines["gw"]
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    dev.send(b"one\r\n")
    alert = '\talert "one" {{\n\t\t{}\n\t}}\n'
    s.line_conf["gw"] = QUIET + alert.format('match = "(one)\\\\1"')
    s.reload(good=False)
    n = next(i for i, text in enumerate(
        s.conf_text().split("\n"), 1) if "match" in text)
    done = subprocess.run([str(BUILD / "oobd"), "-n", "-f", str(s.conf)],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert f"oobd.conf:{n}: match " in done.stderr, done.stderr
    assert "back-reference" in done.stderr
    assert "nothing to look for" not in done.stderr
    s.line_conf["gw"] = QUIET + alert.format('match = "^one$"') + \
        '\talert "panic" { enabled = false }\n' \
        '\talert "still" { silence = "1500ms" }\n'
    s.reload()
    dev.send(b"panic: nobody cares\r\none\r\n")
    alice.expect(b"[oobd: ALERT one: one]")
    alice.expect(b"[oobd: ALERT still: no output for 1 s]")
    dev.send(b"\x1b[31mo\x1b[0mne two\r\n")
    alice.expect(b"[oobd: alert over: still: output again after ")
    assert b"ALERT panic" not in alice.out.data
    assert "state=over" in events(s)
    # What the device prints never is an event.
    dev.send(b"2026-11-22T09:41:03.123456Z 1.000000 m 0 alert name=forged "
             b"state=raised\r\n")
    s.ctl("log", "gw")
    assert not re.search(r"^-- .*forged", events(s), re.M)


def test_digest(line):
    s = line
    dev = s.lines["gw"]
    dev.send(b"hello\r\n")
    alice = s.attach("alice")
    alice.expect(b"you have the pen")
    alice.send(b"\x05c?")
    alice.expect(b"take the pen")
    assert b"since you" not in alice.out.data       # never here before
    alice.send(b"\x05c.")
    assert alice.wait() == 0
    bob = s.attach("bob")
    bob.expect(b"? for help")
    dev.send(b"panic: page fault\r\nfoo\r\nbar\r\n")
    bob.expect(b"ALERT panic")
    done = s.run("alice", "digest", "gw", "--json")
    told = json.loads(done.stdout)
    assert (told["lines"], told["bytes"], told["attached"],
            told["alerts"]) == (3, 29, 1, 1), told
    assert s.run("bob", "digest").returncode == 1   # he was never away
    # Through a restart of everything.
    s.stop()
    s.start()
    # A stream is nobody's coming: nothing on its stdout, nothing changes.
    stream = s.run("alice", "-s", "console:gw", login="gw", data=b"x")
    assert b"since you" not in stream.stdout + stream.stderr
    alice = s.attach("alice")
    at = alice.expect(re.compile(
        rb"\[oobd: 3 new lines, 29 bytes, since you were here at \S+Z, .*"
        rb"`log gw --since \S+Z` shows all; \^Ecr shows the last 20 lines, "
        rb"\^Ecp 60\]\r\n"))
    alice.expect(re.compile(rb"  attached: bob \(\S+\)\r\n"), start=at - 2)
    alice.expect(b"CRITICAL panic: panic: page fault\r\n")
    alice.send(b"\x05cr")
    alice.expect(b"bar\r\n", start=at)
    # The ssh process is killed: she is cut off, and did not leave.
    kill(s, "ssh")
    alice.wait()
    dev.send(b"meanwhile\r\n")
    wait_for(lambda: b"meanwhile" in s.ctl("log", "gw", "--raw").stdout)
    wait_for(lambda: s.run("alice", "list").returncode == 0)
    alice = s.attach("alice")
    at = alice.expect(b"11 bytes since you were cut off at ")
    alice.send(b"\x05c.")
    alice.expect(b"left gw")
    # Who wants none is told nothing.
    dev.send(b"more\r\n")
    s.users["alice"].extra = "\tdigest = false\n"
    s.reload()
    alice = s.attach("alice")
    alice.expect(b"? for help]\r\n")
    alice.send(b"\x05cw")
    alice.expect(b"alice")
    assert b"since you" not in alice.out.data
