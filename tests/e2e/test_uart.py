"""A line that looks like a real UART (tests/shim): libserialport's path, modem
lines and BREAK.  Nothing but what was asked for may ever disturb the device."""
import json
import os
import re
import signal
import time

import pytest

from conftest import BUILD, Stream, wait_for
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
