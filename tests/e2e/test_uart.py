"""A line that looks like a real UART (tests/shim): libserialport's path, modem
lines and BREAK.  Nothing but what was asked for may ever disturb the device."""
import json
import os
import re
import signal
import termios
import time

import pytest

from conftest import BUILD, PATIENCE, Stream, wait_for
from shim import Shim


class Uart:
    """A line of a site: /dev/ttyTEST0."""

    def __init__(self, shim, port):
        self.shim, self.port = shim, port
        self.path = f"/dev/{port}"
        self.plug()

    def plug(self):
        self.master = self.shim.plug(self.port)
        self.typed = Stream(self.master)

    def unplug(self):
        self.typed.stop()
        self.shim.unplug(self.port)

    def send(self, data):
        os.write(self.master, data)

    def close(self):
        if self.port in self.shim.ends:
            self.unplug()
        self.shim.close()


@pytest.fixture
def uart(empty_site, tmp_path, monkeypatch):
    """(site, line, shim); every process of the daemon has the shim."""
    site = empty_site
    # The shim's files are nobody's business but the shim's.
    site.sandbox = False
    shim = Shim(tmp_path, BUILD)
    line = site.lines["gw"] = Uart(shim, "ttyTEST0")
    site.line_conf["gw"] = "\tspeed = 57600\n"
    site.add_user("alice")
    begin = site.start

    def start(*args):
        with monkeypatch.context() as m:
            for key, value in shim.env().items():
                m.setenv(key, value)
            return begin(*args)
    site.start = start
    start()
    return site, line, shim


def status(site):
    return json.loads(site.ctl("status", "--json").stdout)["consoles"][0]


def events(site):
    return site.ctl("log", "gw", "--events").stdout.decode()


def test_libserialport_opens_it(uart):
    site, line, shim = uart
    s = status(site)
    assert s["up"] and s["driver"] == "uart", s
    assert s["path"] == "/dev/ttyTEST0"
    assert shim.speed("ttyTEST0") == 57600
    assert not shim.hupcl("ttyTEST0")
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    line.send(b"from the device\r\n")
    alice.expect(b"from the device")
    alice.send(b"to the device")
    line.typed.expect(b"to the device")
    assert shim.disturbed() == []


def test_marked_bytes_come_through_clean(uart):
    site, line, shim = uart
    alice = site.client(site.ssh("alice", "-s", "console"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    # 0xff is doubled by the tty and single again for everyone
    shim.receive("ttyTEST0", b"a\xff\xffb\xff\x00\x00c\xff\x00xd", b"\n")
    wait_for(lambda: b"d" in alice.out.data)
    assert alice.out.data.startswith(b"a\xffbcxd")
    wait_for(lambda: status(site)["breaks"] == 1 or
             "break=" in events(site))
    wait_for(lambda: "errors" in events(site))


def test_counters_are_seen_and_told_once_a_second(uart):
    site, line, shim = uart
    line.send(b"x")
    shim.counters("ttyTEST0", frame=3, overrun=2, brk=1)
    for _ in range(10):
        line.send(b"noise")
        time.sleep(0.1)
    wait_for(lambda: status(site)["framing_errors"] == 3)
    assert status(site)["overruns"] == 2
    wait_for(lambda: "frame=3" in events(site))
    assert len(re.findall("errors", events(site))) <= 2


def test_break_only_when_asked(uart):
    site, line, shim = uart
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    assert site.run("alice", "break", "gw").returncode == 0
    alice.expect(b"alice sent a BREAK")
    calls = lambda: [c.name for c in shim.trace("ttyTEST0")]
    wait_for(lambda: "TIOCCBRK" in calls()[calls().index("TIOCSBRK"):])
    assert calls().count("TIOCSBRK") == 1
    on = [c.ms for c in shim.trace("ttyTEST0") if c.name == "TIOCSBRK"][0]
    off = [c.ms for c in shim.trace("ttyTEST0")
           if c.name == "TIOCCBRK" and c.ms >= on][0]
    assert 250 <= off - on, (on, off)
    alice.send(b"\x05cb")
    wait_for(lambda: calls().count("TIOCSBRK") == 2)
    time.sleep(0.4)
    alice.send(b"\r~B")                 # OpenSSH's own key for it
    wait_for(lambda: calls().count("TIOCSBRK") == 3)
    wait_for(lambda: events(site).count("break tx user=alice") == 3)


def test_break_lasts_as_configured(uart):
    site, line, shim = uart
    site.line_conf["gw"] = "\tspeed = 57600\n\tbreak = 900ms\n"
    site.reload()
    assert site.run("alice", "break", "gw").returncode == 0

    def at(call):
        return [c.ms for c in shim.trace("ttyTEST0") if c.name == call]
    wait_for(lambda: at("TIOCSBRK") and at("TIOCCBRK") and
             at("TIOCCBRK")[-1] >= at("TIOCSBRK")[0] + 100)
    lasted = at("TIOCCBRK")[-1] - at("TIOCSBRK")[0]
    assert 850 <= lasted < 900 * max(2, PATIENCE / 5), lasted
    assert "break tx user=alice ms=900" in events(site)


def test_settings_for_now(uart):
    """What the device gets, until default or a reload."""
    site, line, shim = uart
    alice = site.attach("alice")
    alice.expect(b"you have the pen")

    def settings(*words):
        at = len(alice.out.data)
        done = site.run("alice", "set", "gw", *words)
        assert done.returncode == 0, done
        alice.expect(b"alice set the line to", start=at)
        return setting(shim)

    def flags():
        t = termios.tcgetattr(shim.ends["ttyTEST0"][0])
        return (bool(t[0] & termios.IXON), bool(t[0] & termios.IXOFF),
                bool(t[2] & termios.CRTSCTS))
    assert setting(shim) == (57600, "8N1")
    assert flags() == (False, False, False)
    assert settings("speed", "74880") == (74880, "8N1")
    assert settings("mode", "7E1") == (74880, "7E1")
    assert settings("mode", "8O2") == (74880, "8O2")
    settings("flow", "xonxoff")
    assert flags() == (True, True, False)
    settings("flow", "rtscts")
    assert flags() == (False, False, True)
    assert b"74880 8O2 rtscts" in site.run("alice", "list").stdout
    assert settings("default") == (57600, "8N1")
    assert flags() == (False, False, False)
    settings("speed", "9600")
    site.reload()
    wait_for(lambda: setting(shim) == (57600, "8N1"))
    text = events(site)
    for what in ("74880 8N1 none", "74880 7E1 none", "74880 8O2 rtscts",
                 "57600 8N1 none"):
        assert f'set user=alice line="{what}"' in text, text
    assert shim.disturbed() == []


def setting(shim):
    """Speed and mode as the device has them."""
    last = [c.detail for c in shim.trace("ttyTEST0")
            if c.name in ("TCSETS2", "tcsetattr")][-1]
    return shim.speed("ttyTEST0"), last.split("mode=")[1]


@pytest.fixture
def paced(uart, monkeypatch):
    """Its transmitter is as slow as 57600 bit/s are."""
    site, line, shim = uart
    assert site.stop() == 0
    before = shim.env

    def env():
        return dict(before(), OOBD_PACE="5760", LD_PRELOAD=f"{BUILD}"
                    f"/tests/pace.so:{shim.preload}")
    monkeypatch.setattr(shim, "env", env)
    site.start()
    return site, line


def test_input_is_paced_to_the_line(paced):
    """No more than 1/20 s of the line is out of reach, so ^C comes through
    a paste at once, and the rest of that never goes out."""
    site, line = paced
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    begun = time.monotonic()
    alice.send(b"x" * 3000)
    line.typed.expect(b"x" * 3000)
    assert time.monotonic() - begun >= 0.9 * (3000 / 5760 - 0.05)
    n = len(line.typed.data)
    begun = time.monotonic()
    alice.send(b"y" * 40000)
    time.sleep(0.5)
    alice.send(b"\x03")
    line.typed.expect(b"\x03")
    took = time.monotonic() - begun
    alice.send(b"after")
    line.typed.expect(b"after")
    went = len(line.typed.data) - n
    assert 1000 < went < 5760 * (took + 0.1) + 500, (went, took)
    assert went < 30000 and line.typed.data.endswith(b"\x03after")


def test_killed_in_a_break_ends_it(uart):
    site, line, shim = uart
    site.line_conf["gw"] = "\tspeed = 57600\n\tbreak = 5s\n"
    site.reload()
    assert site.run("alice", "break", "gw").returncode == 0
    old = site.children()["console"]
    os.kill(old, signal.SIGKILL)
    begun = [c.ms for c in shim.trace("ttyTEST0") if c.name == "TIOCSBRK"][-1]
    wait_for(lambda: [c for c in shim.trace("ttyTEST0")
                      if c.name == "TIOCCBRK" and c.ms > begun])


def test_nothing_disturbs_the_device(uart):
    """Start, attach, leave, kill -9, reload, hang up, stop: no BREAK, no fall
    of DTR or RTS, no stray byte."""
    site, line, shim = uart
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    for role in ("console", "ssh"):
        old = site.children()[role]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: site.children().get(role, old) != old)
    wait_for(lambda: status(site)["up"])
    site.top = "deadline = 3s"
    site.reload()
    site.line_conf["gw"] = "\tspeed = 9600\n"
    site.reload()
    wait_for(lambda: shim.speed("ttyTEST0") == 9600)
    assert site.stop() == 0
    site.start()
    for pid in [*site.children().values(), site.process.pid]:
        os.kill(pid, signal.SIGKILL)
    site.process.wait()
    site.process = None
    site.start()
    wait_for(lambda: status(site)["up"])
    line.unplug()
    wait_for(lambda: not status(site)["up"])
    line.plug()
    wait_for(lambda: status(site)["up"])
    assert site.stop() == 0
    assert shim.disturbed() == []
    assert line.typed.data == b""
