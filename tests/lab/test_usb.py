"""oobd inside a guest on a real ttyUSB: the libserialport driver, every byte
value, BREAK and modem lines as the USB device saw them, unplug and replug.

QEMU's usb-serial is an FTDI FT232B to the guest.  Its traffic with us is a
socket; the control requests of the guest's driver (DTR, RTS, BREAK) are read
from QEMU's own trace.  A received BREAK it cannot show: it sends the status
without a data byte, which Linux's driver overlooks; a PCI 16550 can."""
import calendar
import json
import re
import time

import pytest
from box import Keys, Ssh, configuration, program, tool
from guest import NETWORK_MODULES, NETWORK_RC, USB_ARGS, USB_MODULES, \
    Guest, Lines, connect, free_port, network, usb_serial, wait_for
from image import Image

SET_MODEM, SET_DATA = 0x4001, 0x4004    # FTDI vendor requests
DTR, RTS = (0x0100, 0x0001), (0x0200, 0x0002)   # (mask, on)
BREAK_ON = 0x4000
ROUTER, OTHER = "router", "other"       # chardevs, USB devices, serials
PCI, PCI_TTY = "pci", "/dev/ttyS2"      # a 16550


class Lab:
    """The guest, the daemon in it, the far ends of its two lines."""

    def __init__(self, kernel, work):
        self.keys, self.work, self.starts = Keys(work), work, 0
        self.port, self.trace = free_port(), work / "trace"
        self.guest = Guest(
            self.image(kernel), work,
            args=USB_ARGS + network({self.port: 2222})
            + usb_serial(ROUTER, work / ROUTER)
            + usb_serial(OTHER, work / OTHER)
            + usb_serial(PCI, work / PCI)
            + ["-device", f"pci-serial,chardev={PCI}"]
            + ["-msg", "timestamp=on",
               "-trace", "enable=usb_serial_handle_control,"
               f"file={self.trace}"])
        try:
            self.router = Lines(connect(work / ROUTER))
            self.pci = Lines(connect(work / PCI))
            self.shell = self.guest.go().shell
            self.plug(ROUTER)
            self.wait_node("/dev/ttyUSB0")
            self.start()
        except BaseException:
            self.guest.stop()
            raise

    def image(self, kernel):
        im = Image(kernel)
        im.load(*NETWORK_MODULES, *USB_MODULES)
        im.run(NETWORK_RC)
        for p in (program("oobd"), program("oobctl"), tool("modemlines")):
            im.program(p)
        im.file("etc/oobd.conf", configuration(
            "/var/oobd", "0.0.0.0:2222",
            {"gw": {"device": f'"usb:0403:6001:{ROUTER}"',
                    "speed": "115200"},
             "pci": {"device": f'"{PCI_TTY}"', "speed": "115200"}},
            {"alice": "operator"}, self.keys), 0o600)
        im.run("mkdir -p /var/oobd/state /var/oobd/log; "
               "chmod 755 /var/oobd; chmod 700 /var/oobd/state")
        return im

    def start(self):
        self.starts += 1
        log = f"/tmp/oobd.{self.starts}"
        self.shell(f"oobd -f /etc/oobd.conf >{log} 2>&1 &")
        wait_for(lambda: "oobd: ready; it said: " + self.said(),
                 lambda: "oobd: ready" in self.said())

    def said(self):
        return self.shell(f"cat /tmp/oobd.{self.starts}")

    def plug(self, ident):
        self.guest.qmp("device_add", driver="usb-serial", chardev=ident,
                       id=ident, serial=ident, **{"always-plugged": True})

    def unplug(self, ident):
        self.guest.qmp("device_del", id=ident)
        self.guest.qmp.wait_event("DEVICE_DELETED")

    def wait_node(self, path):
        wait_for(path, lambda: self.shell(f"test -c {path} && echo yes",
                                          check=False).strip() == "yes")

    def requests(self):
        """[(request, value, seconds)] the guest's driver sent."""
        return [(int(r, 16), int(v, 16), float(t)) for t, r, v in re.findall(
            r"@([0-9.]+):\S+ dev \S+ got control (\S+), value (\S+)",
            self.trace.read_text())]

    def ctl(self, *words):
        return self.shell("oobctl -s /var/oobd/ctl.sock " + " ".join(words))

    def stop(self):
        self.guest.stop()


@pytest.fixture(scope="module")
def lab(stock_kernel, work):
    it = Lab(stock_kernel, work)
    yield it
    it.stop()


@pytest.fixture
def stream(lab, clients):
    """Attach a client whose stdin and stdout are the line."""
    def attach(console="gw", far=None):
        c = Ssh(lab.keys, "alice", lab.port, [f"console:{console}"],
                options=["-s"])
        clients.append(c)
        hear(lab, c, far or lab.router)
        return c
    return attach


def hear(lab, client, far, limit=40):
    """Until the client hears the far end; it heard the rest by then."""
    token = b"<token %d>" % (time.monotonic_ns() // 1000)
    deadline = time.monotonic() + limit
    while token not in client.data:
        assert time.monotonic() < deadline and client.open, \
            (bytes(client.data), bytes(client.errors), lab.said())
        far.sock.sendall(token)
        client.more(0.5)
    while client.more(0.7):
        pass
    client.data.clear()


def typed(lab, client, data):
    """data typed by the client arrives at the router."""
    start = len(lab.router.data)
    client.send(data)
    lab.router.until(data, start, 30)


def lines_state(lab, node="/dev/ttyUSB0"):
    return dict(w.split("=") for w in lab.shell(f"modemlines {node}").split())


def drops(requests):
    """Requests that take DTR or RTS away, or make a BREAK."""
    out = []
    for request, value, _ in requests:
        if request == SET_MODEM and any(
                value & mask and not value & on for mask, on in (DTR, RTS)):
            out.append((request, value))
        if request == SET_DATA and value & BREAK_ON:
            out.append((request, value))
    return out


def seconds(text):
    """Of "2026-11-22 17:40:01.336", UTC."""
    whole, _, part = text.replace("T", " ").rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%d %H:%M:%S")) \
        + float("0." + (part or "0"))


def events(lab, console="gw"):
    """The journal's events: [(UTC seconds, text)]."""
    lines = lab.ctl("log", console, "--events").splitlines()
    return [(seconds(w[1]), w[2]) for w in (
        line.split(" ", 2) for line in lines if line.startswith("-- "))]


def test_driver(lab):
    """libserialport has the line, speed and all, nothing was dropped."""
    status = lab.ctl("status")
    assert "uart" in status and "/dev/ttyUSB0" in status, status
    state = lines_state(lab)
    assert (state["dtr"], state["rts"]) == ("1", "1"), state
    assert state["hupcl"] == "0"
    assert drops(lab.requests()) == []


def test_every_byte_value_both_ways(lab, stream):
    client, every = stream(), bytes(range(256))
    typed(lab, client, every)
    for data in (every, every[::-1] * 8):
        client.data.clear()
        lab.router.sock.sendall(data)
        client.wait(data)
        assert bytes(client.data) == data
    raw = Ssh(lab.keys, "alice", lab.port, ["log gw --raw"])
    assert raw.finish() == 0
    raw.stop()
    assert bytes(raw.data).endswith(every + every[::-1] * 8)


def test_break_received(lab, stream):
    """Seen, counted, journalled; the bytes around it unharmed."""
    client = stream("pci", lab.pci)
    lab.pci.sock.sendall(b"before")
    client.wait(b"before")
    lab.guest.qmp("human-monitor-command",
                  **{"command-line": f"chardev-send-break {PCI}"})
    lab.pci.sock.sendall(b"after")
    client.wait(b"after")
    assert lines_state(lab, PCI_TTY)["brk"] == "1"
    wait_for(lambda: f"a break event in {events(lab, 'pci')}",
             lambda: any("break=1" in t for _, t in events(lab, "pci")))
    assert bytes(client.data) == b"beforeafter"
    assert "breaks 1," in lab.ctl("status")


def test_break_sent(lab, stream):
    """On the wire: BREAK on, BREAK off, 300 ms apart, once."""
    client, before = stream(), len(lab.requests())
    ssh = Ssh(lab.keys, "alice", lab.port, ["break gw"])
    assert ssh.finish() == 0, bytes(ssh.errors)
    ssh.stop()

    def breaks():
        return [(bool(v & BREAK_ON), t)
                for r, v, t in lab.requests()[before:] if r == SET_DATA]
    wait_for(lambda: f"BREAK on and off, but {breaks()}",
             lambda: [on for on, _ in breaks()] == [True, False])
    (_, began), (_, ended) = breaks()
    assert 0.25 < ended - began < 1.0
    typed(lab, client, b"typed after the break")
    assert any("break" in text and "alice" in text
               for _, text in events(lab))


def test_restart_leaves_the_lines_alone(lab, clients):
    """kill -9 of every process, and an orderly end: DTR and RTS stay, no
    BREAK, nothing typed into the router."""
    before, heard = len(lab.requests()), len(lab.router.data)
    for signal in ("-9", "-15"):
        lab.shell(f"killall {signal} oobd; "
                  "while pidof oobd; do sleep 0.1; done")
        assert drops(lab.requests()[before:]) == []
        lab.start()
        wait_for("the line", lambda: lines_state(lab)["dtr"] == "1")
    assert drops(lab.requests()[before:]) == []
    lab.router.more(0.5)
    assert bytes(lab.router.data[heard:]) == b""


def born(lab, node):
    """When the node was made, UTC seconds of the guest."""
    return seconds(lab.shell(f"TZ=UTC stat -c %z {node}").split(" +")[0])


def unplug_and_back(lab, client, node, meanwhile=None):
    """Seconds from the device's return to the journal's word of it."""
    errors = len(client.errors)
    lab.unplug(ROUTER)
    client.wait_error(b"the line is gone", errors)
    client.send(b"lost words")          # refused, not queued
    if meanwhile is not None:
        meanwhile()
    while client.more(0.5):
        pass
    errors, heard = len(client.errors), len(lab.router.data)
    known = len(events(lab))
    lab.plug(ROUTER)
    lab.wait_node(node)
    client.wait_error(b"the line is back", errors)
    when, what = events(lab)[known]
    assert "state=up" in what, what
    took = when - born(lab, node)
    hear(lab, client, lab.router)
    typed(lab, client, b"typed after it came back")
    assert b"lost words" not in lab.router.data[heard:]
    assert client.p.poll() is None
    return took


def test_unplug_and_replug(lab, stream):
    assert unplug_and_back(lab, stream(), "/dev/ttyUSB0") < 1.0


def test_replug_under_a_new_name(lab, stream):
    """Another adapter takes the old name meanwhile: the serial number, not
    the name, says which one is the router's."""
    def other():
        lab.plug(OTHER)
        lab.wait_node("/dev/ttyUSB0")
    assert unplug_and_back(lab, stream(), "/dev/ttyUSB1", other) < 1.0
    assert "/dev/ttyUSB1" in lab.ctl("status")


STEPS = (("before", 0), ("ahead", 7200), ("behind", -3600), ("after", 0))


class Clock:
    """The guest's clock, which its root sets as he likes."""

    def __init__(self, lab):
        self.shell = lab.shell
        self.began, self.up = self.true() - self.uptime(), self.uptime()

    def true(self):
        return float(self.shell("date +%s"))

    def uptime(self):
        return float(self.shell("cat /proc/uptime").split()[0])

    def set(self, off):
        self.shell(f"date -s @{self.at(off):.0f} >/dev/null")

    def at(self, off):
        """UTC now of a clock that is off by so many seconds."""
        return self.began + self.uptime() + off


def rfc3339(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


@pytest.fixture(scope="module")
def stepped(lab):
    """A line said before and after each time the clock was set: the time of
    the first of them, and the clock."""
    clock = Clock(lab)
    first = clock.at(0)
    for name, off in STEPS:
        clock.set(off)
        lab.pci.sock.sendall(f"\r\nclock {name}\r\n".encode())
        wait_for(name, lambda: f"clock {name}\n" in
                 lab.ctl("log", "pci", "--text"))
    return first, clock


def said(lab, *words):
    """Which of the lines a verb shows, in its order."""
    return re.findall(r"clock (before|ahead|behind|after)\n",
                      lab.ctl(*words).replace("\r", ""))


def objects(lab, *words):
    return [json.loads(line) for line in
            lab.ctl("log", "pci", "--json", *words).splitlines()]


def test_clock_set_while_recording(lab, stepped):
    """Order is what it was; each step is an event between the lines."""
    rows = [r for r in objects(lab) if r["text"].startswith("clock ")]
    assert [r["text"] for r in rows] == \
        ["clock " + name for name, _ in STEPS]
    # How long it took can be told all the same.
    mono = [r["mono"] for r in rows]
    assert mono == sorted(mono) and 0 < mono[-1] - mono[0] < 300
    for (_, off), row in zip(STEPS, rows):
        took = seconds(row["time"]) - seconds(rows[0]["time"]) - off
        assert abs(took - (row["mono"] - mono[0])) < 30, rows
    events = [r for r in objects(lab, "--events")
              if r["text"].startswith("clock step=")]
    steps = [float(r["text"].split("=")[1].rstrip("s")) for r in events]
    # The guest sets whole seconds, and late when it is busy: a second or two
    # off is what it was told, not one of the steps.
    steps = [s for s in steps if abs(s) > 30]
    assert [round(s / 60) for s in steps] == [120, -180, 60], events
    for event, before, behind in zip(events, rows, rows[1:]):
        assert before["offset"] < event["offset"] <= behind["offset"]
        assert before["mono"] < event["mono"] <= behind["mono"]


def test_times_asked_for_when_it_was_set(lab, stepped):
    """What bears a time is found by it, whatever stands before or behind."""
    first, _ = stepped
    for since, until, want in (
            (first + 5400, None, ["ahead"]),
            (first - 5, None, ["before", "ahead", "after"]),
            (first - 1800, first + 1800, ["before", "after"]),
            (first - 5400, first - 1800, ["behind"]),
            (first + 9000, None, [])):
        span = ["--since", rfc3339(since)]
        if until is not None:
            span += ["--until", rfc3339(until)]
        assert said(lab, "log", "pci", "--text", *span) == want, span
        shown = lab.shell("oobctl -s /var/oobd/ctl.sock grep '^clock ' pci "
                          + " ".join(span), check=False)
        assert re.findall(r"clock (\w+)", shown) == want, span
    assert said(lab, "replay", "pci", "--speed", "1000", "--idle", "1s",
                "--at", rfc3339(first + 5400))[:1] == ["ahead"]
    lab.ctl("verify", "pci")        # or its status would be 1
