"""A whole site.  In a guest: oobd on a real ttyUSB, a real pppd, a network
whose default route leads nowhere.  On this host: the router at the other end
of the console's cable, the modem, the relay, and everybody's ssh clients."""
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import tty

from box import Ssh, configuration, program, tool
from guest import NETWORK_MODULES, USB_ARGS, USB_MODULES, Guest, connect, \
    free_port, network, usb_serial, wait_for
from image import Image
from kernel import ROOT
from stick import HOST, PORTS, PPP_OPTIONS, Sim, ppp_image

sys.path += [str(ROOT / "tests"), str(ROOT / "tests/bench")]

import otp                              # noqa: E402
from stock_relay import Relay           # noqa: E402

SHARE = ROOT / "build" / "share"
NET = "10.0.9"
ROUTES = f"""ifconfig eth0 {NET}.15 netmask 255.255.255.0 up
route add default gw {NET}.2
mkdir -p /var/oobd/state /var/oobd/log
chmod 755 /var/oobd
chmod 700 /var/oobd/state
chown oobd /var/oobd/state/* /var/oobd/state /var/oobd/log
"""
MODEM = """	data = "usb:0403:6001:data"
	control = "usb:0403:6001:control"
	apn = "internet"
"""
OWNER, STRANGER = "+46701234567", "+46700000001"
ROUTER = "router"
PPPD = "pppd pppd.real"         # the latter is behind a script
ALWAYS = {"always-plugged": True}
BREAK_ON, SET_DATA = 0x4000, 0x4004     # FTDI: see test_usb.py
USERS = {"alice": "admin", "bob": "operator", "carol": "operator"}


class Router:
    """oobsim router, switched on when its cable is in; what it sent is in
    its own record."""

    def __init__(self, work):
        self.link, self.record = work / "tty", work / "record"
        self.out = open(work / "router.out", "wb")
        self.p = subprocess.Popen(
            [str(program("oobsim")), "router", "--link", str(self.link),
             "--no-pace", "--wait", "--fast", "--calm", "--autologout", "0",
             "--record", str(self.record)], stdin=subprocess.DEVNULL,
            stdout=self.out, stderr=self.out)
        wait_for("the router's line", self.link.exists)

    def sent(self):
        return self.record.read_bytes() if self.record.exists() else b""

    def stop(self):
        self.p.terminate()
        self.p.wait(5)
        self.out.close()


class Cable:
    """Bytes between a tty and a socket of QEMU's, both ways."""

    def __init__(self, path, socket_path):
        self.tty = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.tty)
        self.sock = connect(socket_path)
        for carry in (self.to_guest, self.to_router):
            threading.Thread(target=carry, daemon=True).start()

    def to_guest(self):
        try:
            while (data := os.read(self.tty, 4096)):
                self.sock.sendall(data)
        except OSError:
            pass

    def to_router(self):
        try:
            while (data := self.sock.recv(4096)):
                os.write(self.tty, data)
        except OSError:
            pass


def relay_conf(name, relay, port, more):
    """more: {option: text}, these or others."""
    more = {"host": f'"{HOST}"', "when": '"activated"', **more}
    return (f'relay "{name}" {{\n\tport = {relay.port}\n'
            f'\tsecond_port = 0\n\tuser = "{relay.account}"\n'
            f'\tidentity = "relay_{name}"\n'
            f'\thost_key = {{"{relay.host_key()}"}}\n'
            f'\tlisten = {{"localhost:{port}"}}\n'
            f'\tkeepalive = 1s\n\tkeepalive_count = 3\n'
            + "".join(f"\t{k} = {v}\n" for k, v in more.items()) + "}\n")


class Night:
    """relays: {name: {option: text}}; each gets a port in .ports.  more: of
    the configuration.  change: called with the image."""

    def __init__(self, kernel, work, keys, relays, more, carrier=None,
                 change=lambda image: None):
        self.work, self.keys = work, keys
        self.parts, self.starts, self.at = [], 0, 0
        self.local, self.trace = free_port(), work / "trace"
        self.ports = {name: free_port() for name in relays}
        account = pwd.getpwuid(os.geteuid()).pw_name
        self.relay = Relay(work / "relay", account)
        try:
            self.relay.start()
            self.conf = self.configuration(relays) + more
            self.router = self.add(Router(work))
            self.guest = self.add(Guest(
                self.image(kernel, change), work,
                args=USB_ARGS + network({self.local: 2222}, NET)
                + [w for port in (ROUTER, *PORTS)
                   for w in usb_serial(port, work / port)]
                + ["-trace", "enable=usb_serial_handle_control,"
                   f"file={self.trace}"]))
            self.sim = self.add(Sim(work, carrier))
            self.shell = self.guest.go().shell
            for port in PORTS:
                self.plug(port)
            self.plug(ROUTER, **ALWAYS)
            self.sim.order("plug")
            self.codes = otp.Codes(self.shell(
                "oobctl code new alice -f /etc/oobd.conf"))
            self.shell("chown -R oobd /var/oobd/state")
        except BaseException:
            self.stop()
            raise

    def add(self, part):
        self.parts.append(part)
        return part

    def configuration(self, relays):
        text = configuration(
            "/var/oobd", "0.0.0.0:2222",
            {"gw": {"device": f'"usb:0403:6001:{ROUTER}"',
                    "speed": "57600"}}, USERS, self.keys)
        for name, more in relays.items():
            public = self.keys.public(f"relay_{name}").split()[:2]
            self.relay.add_boxes([(name, self.ports[name],
                                   " ".join(public))])
            text += relay_conf(name, self.relay, self.ports[name], more)
        return text

    def image(self, kernel, change):
        im = Image(kernel)
        im.load(*NETWORK_MODULES, *USB_MODULES)
        ppp_image(im)
        im.file("etc/ppp/options", PPP_OPTIONS)
        for p in (program("oobd"), program("oobctl"), tool("stamp")):
            im.program(p)
        for part in SHARE.glob("player/*"):
            im.file(f"usr/local/share/oobd/player/{part.name}",
                    part.read_bytes())
        for name in self.ports:
            im.file(f"var/oobd/state/relay_{name}",
                    self.keys.private(f"relay_{name}").read_bytes(), 0o600)
        im.file("etc/oobd.conf", self.conf, 0o600)
        im.run(ROUTES)
        change(im)
        return im

    # The cables.

    def plug(self, ident, **options):
        """Without "always-plugged" it follows its socket."""
        self.guest.qmp("device_add", driver="usb-serial", chardev=ident,
                       id=ident, serial=ident, **options)

    def unplug(self, ident):
        self.guest.qmp("device_del", id=ident)
        self.guest.qmp.wait_event("DEVICE_DELETED")

    def connect_router(self):
        """It boots, now that somebody listens."""
        self.cable = Cable(self.router.link, self.work / ROUTER)

    def breaks(self):
        """How many BREAKs the console's adapter was told to send."""
        return sum(
            int(r, 16) == SET_DATA and bool(int(v, 16) & BREAK_ON)
            for r, v in re.findall(r"got control (\S+), value (\S+)",
                                   self.trace.read_text()))

    # The daemon.

    def start(self, ready=True):
        self.starts += 1
        # No job of the shell's, which would say "Killed" some time.
        self.shell(f"(oobd -d -f /etc/oobd.conf 2>&1 | "
                   f"stamp >/tmp/oobd.{self.starts} &)")
        if ready:
            wait_for(lambda: "oobd: ready; it said: " + self.said(),
                     lambda: "oobd: ready" in self.said(), 60)
        return self

    def said(self):
        return self.shell("grep -v 'RSSI\\|BOOT\\|CGACT\\|CPMS\\|CMGL\\|< OK' "
                          f"/tmp/oobd.{self.starts}", check=False)

    def told(self):
        """For a message: all that there is to know."""
        return (f"said {self.said()[-6000:]}\nevents " + "\n".join(
            f"{t:.1f} {k} {x}" for t, k, x in self.events()[-40:])
            + self.shell("ps | grep -v '\\['; ifconfig -a; route -n",
                         check=False))

    def ctl(self, *words, check=True):
        return self.shell("oobctl -s /var/oobd/ctl.sock " + " ".join(words),
                          check=check)

    def pids(self, name):
        return [int(p) for p in self.shell(f"pidof {name}",
                                           check=False).split()]

    def roles(self):
        """{role: pid} of the daemon's processes.  Those that end meanwhile
        have no words any more."""
        out = {}
        for line in self.shell(
                "for p in $(pidof oobd); do echo $p $(tr '\\000' ' ' "
                "</proc/$p/cmdline); done 2>/dev/null",
                check=False).splitlines():
            pid, _, words = line.partition(" ")
            if not words:
                continue
            role = re.search(r"-R (\S+)", words)
            out[role[1] if role else "supervisor"] = int(pid)
        return out

    def listening(self):
        wait_for(self.told, lambda: re.search(r"sms: +listening; ", self.ctl(
            "status", check=False)), 60, 0.5)

    # What it wrote.

    def events(self):
        """[(monotonic seconds of the guest, kind, text)] in their order, of
        all segments: a daemon that is started more than once, and so leaves
        some closed, is to pack none."""
        out = []
        for line in self.shell("cat /var/oobd/log/gw/0*.log | grep ' m '",
                               check=False).splitlines():
            field = line.split(" ", 4)
            if len(field) == 5 and field[2] == "m":
                kind, _, text = field[4].partition(" ")
                out.append((float(field[1]), kind, text))
        return out

    def expect(self, kind, *words, limit=150):
        """The next event of this kind with these words, behind the one that
        was expected last; its time and text."""
        def look():
            for i, (when, k, text) in enumerate(self.events()):
                if i >= self.at and k == kind and all(
                        w in text for w in words):
                    return i, when, text
            return None
        i, when, text = wait_for(
            lambda: f"{kind} {words} behind {self.at}: {self.told()}", look,
            limit, 0.2)
        self.at = i + 1
        return when, text

    def expect_each(self, *wanted):
        """The same for several, from processes that do not wait for each
        other."""
        begin, ends = self.at, []
        for words in wanted:
            self.at = begin
            self.expect(*words)
            ends.append(self.at)
        self.at = max(ends)

    def ends(self):
        """When the link is to end, to the second, as was said last."""
        return [re.search(r"until=([-0-9T:]+)", text)[1]
                for _, kind, text in self.events()
                if kind in ("link-up", "link-extend")][-1]

    def asked(self, words, limit=60):
        """What alice is told by ssh, which must be well."""
        ssh = Ssh(self.keys, "alice", self.local, [words])
        try:
            assert ssh.finish(limit) == 0, bytes(ssh.errors + ssh.data)
            return bytes(ssh.data)
        finally:
            ssh.stop()

    def raw(self):
        """The record of the console, byte by byte."""
        return self.asked("log gw --raw")

    # The phone.

    def text(self, words, sender=OWNER):
        self.sim.order(f"text {sender} {words}")

    def command(self, words):
        self.text(f"{words} {self.codes.next()}")

    def answers(self, n, limit=60):
        """The n messages that were sent; no more."""
        wait_for(lambda: f"{n} messages, {self.sim.sent()}; {self.told()}",
                 lambda: int(self.sim.stat()["sent"]) >= n, limit, 0.1)
        sent = self.sim.sent()
        assert len(sent) == n, sent
        return sent

    def emptied(self):
        wait_for(lambda: "deleted: " + self.sim.order("stores"),
                 lambda: self.sim.order("stores") == "none" and
                 self.sim.stat()["waiting"] == "0", 60, 0.2)

    # The network.

    def routes(self):
        """{destination: interface} of the guest, /32 and default alone."""
        out = {}
        for row in self.shell("route -n").splitlines():
            w = row.split()
            if len(w) == 8 and w[2] in ("255.255.255.255", "0.0.0.0"):
                assert w[0] not in out, row
                out[w[0]] = w[7]
        return out

    def over_ppp(self):
        """The routes while it is up: the relay, the other end, and whom the
        carrier named for names; the default is another's."""
        ppp = [text for _, kind, text in self.events()
               if kind == "link-ppp"][-1]
        hosts = [HOST, "10.64.64.64",
                 *filter(None, re.search(r"dns=(\S*)", ppp)[1].split(","))]
        assert self.routes() == {"0.0.0.0": "eth0",
                                 **{h: "ppp0" for h in hosts}}

    def gone(self, limit=15):
        """PPP, its interface, its routes."""
        def left():
            return self.pids(PPPD), self.shell(
                "cat /proc/net/dev /proc/net/route | grep ppp", check=False)
        wait_for(lambda: f"{left()}; {self.told()}",
                 lambda: left() == ([], ""), limit, 0.2)
        assert self.routes() == {"0.0.0.0": "eth0"}

    def nothing_left(self):
        """And the note for the next start, and the call."""
        def left():
            return self.shell("ls /var/oobd/ctl/ppp 2>/dev/null",
                              check=False), self.sim.stat()["session"]
        self.gone()
        wait_for(lambda: f"{left()}; {self.told()}",
                 lambda: left() == ("", "none"), 30, 0.2)

    def forwarded(self, name):
        """Without connecting, which would be somebody's connection."""
        return bool(subprocess.run(
            ["ss", "-Hltn", f"sport = :{self.ports[name]}"],
            capture_output=True, text=True).stdout.strip())

    def freeze(self, on):
        self.relay.signal(signal.SIGSTOP if on else signal.SIGCONT)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        self.relay.close()
