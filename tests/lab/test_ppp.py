"""Real PPP through the simulated modem: a guest's pppd dials with chat on a
usb-serial adapter, whose other end is oobsim modem on this host with slirp as
its carrier.  Behind that is this host's loopback, as 10.0.2.2."""
import re
import socket
import subprocess

import pytest
from guest import USB_ARGS, USB_MODULES, Guest, free_port, usb_serial, \
    wait_for
from image import Image
from kernel import LabError
from stick import Sim, ppp_image, tool

# slirp names no address of its own: the guest's pppd must know both.
OPTIONS = ("115200 nodetach noauth nodefaultroute noipdefault local "
           "nocrtscts noccp novj noipv6 ipcp-accept-local "
           "ipcp-accept-remote ipparam lab lcp-echo-interval 1 "
           "lcp-echo-failure 3 lcp-max-terminate 1 maxfail 1")
CHAT = """ABORT ERROR
ABORT 'NO CARRIER'
TIMEOUT 10
'' ATZ
OK 'AT+CGDCONT=1,"IP","internet"'
OK ATD*99***1#
CONNECT ''
"""
SSHD = """ListenAddress 127.0.0.1:{port}
HostKey {work}/host_key
PidFile none
UsePAM no
AuthorizedKeysFile none
"""


class Sshd:
    """An OpenSSH server on this host's loopback, for its banner."""

    def __init__(self, work):
        self.port = free_port()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        str(work / "host_key")], check=True)
        conf = work / "sshd_config"
        conf.write_text(SSHD.format(port=self.port, work=work))
        if subprocess.run(["mkdir", "-p", "/run/sshd"]).returncode != 0:
            raise LabError("sshd wants /run/sshd: make it, as root")
        self.err = open(work / "sshd.err", "wb")
        self.p = subprocess.Popen([tool("sshd"), "-D", "-e", "-f", str(conf)],
                                  stdin=subprocess.DEVNULL, stderr=self.err)
        wait_for(lambda: "sshd: " + (work / "sshd.err").read_text(),
                 self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                return s.recv(100).startswith(b"SSH-2.0-")
        except OSError:
            return False

    def stop(self):
        self.p.terminate()
        self.p.wait(5)
        self.err.close()


class Lab:
    def __init__(self, kernel, work):
        self.parts = []
        try:
            self.sshd = self.add(Sshd(work))
            self.guest = self.add(Guest(
                self.image(kernel), work,
                args=USB_ARGS + usb_serial("data", work / "data")
                + usb_serial("control", work / "control")))
            self.sim = self.add(Sim(work))
            self.shell = self.guest.go().shell
            # Without "always-plugged" they follow the sockets.
            for port in ("data", "control"):
                self.guest.qmp("device_add", driver="usb-serial",
                               chardev=port, id=port, serial=port)
        except BaseException:
            self.stop()
            raise

    def add(self, part):
        self.parts.append(part)
        return part

    def image(self, kernel):
        im = Image(kernel)
        im.load(*USB_MODULES)
        ppp_image(im)
        im.program(tool("chat"), "usr/sbin/chat")
        im.file("etc/chat", CHAT)
        return im

    def node(self, serial):
        """The tty of the adapter with this serial number."""
        return self.shell(
            "for t in /sys/bus/usb-serial/devices/*; do "
            "u=$(readlink -f $t); grep -qs '^" + serial + "$' "
            "${u%/*/*}/serial && echo /dev/${t##*/}; done", check=False
        ).strip()

    def dial(self, number):
        """pppd in the background; its log's name."""
        log = f"/tmp/ppp.{number}"
        node = self.node("data")
        self.shell(
            f"(pppd {node} {OPTIONS} 10.0.2.15:10.0.2.2 "
            f"connect 'chat -vsS -f /etc/chat' ip-up-script /none "
            f"ip-down-script /none >{log} 2>&1; echo exit=$? >>{log}) &")
        return log

    def address(self):
        return "10.0.2.15" in self.shell("ifconfig ppp0", check=False)

    def wait_up(self, log):
        wait_for(lambda: "an address; " + self.shell(f"cat {log}"),
                 self.address, 20, 0.2)

    def exit_status(self, log):
        wait_for(lambda: "its end; " + self.shell(f"cat {log}"),
                 lambda: "exit=" in self.shell(f"cat {log}"), 30, 0.2)
        return int(re.search(r"exit=(\d+)", self.shell(f"cat {log}"))[1])

    def banner(self):
        return self.shell(f"sleep 2 | nc 10.0.2.2 {self.sshd.port} -w 3 | "
                          "head -n 1", check=False)

    def at(self, command, mark):
        """Ask the control port, without a terminal's help."""
        node = self.node("control")
        return self.shell(
            f"stty -F {node} raw -echo; exec 3<>{node}; "
            f"printf '{command}\\r' >&3; "
            f"timeout 5 awk '{{print}} /{mark}/ {{exit}}' <&3; exec 3<&-")

    def stop(self):
        for part in reversed(self.parts):
            part.stop()


@pytest.fixture(scope="module")
def lab(stock_kernel, work):
    it = Lab(stock_kernel, work)
    yield it
    it.stop()


def test_stick_is_plugged_in(lab):
    assert lab.node("data") == ""
    lab.sim.order("plug")
    wait_for("two ttys", lambda: lab.node("data") and lab.node("control"))
    assert "huawei" in lab.at("ATI", "OK")


def test_call(lab):
    """A real pppd, a real interface, a real server behind it."""
    log = lab.dial(1)
    lab.wait_up(log)
    text = lab.shell(f"cat {log}")
    assert "remote IP address 10.0.2.2" in text, text
    assert "0% packet loss" in lab.shell("ping -c 3 -W 5 10.0.2.2")
    assert lab.banner().startswith("SSH-2.0-")
    stat = lab.sim.stat()
    assert stat["session"] == "data"
    assert int(stat["up"]) > 300 and int(stat["down"]) > 300


def test_control_port_works_during_the_call(lab):
    assert lab.sim.stat()["session"] == "data"
    lab.sim.order("signal 9")
    assert "+CSQ: 9,99" in lab.at("AT+CSQ", "OK")


def test_carrier_lost_midway(lab):
    """slirp dies: the modem says NO CARRIER, pppd finds out."""
    assert lab.address()
    lab.sim.order("no-carrier")
    # The adapter has no carrier line: pppd's own echo must tell.
    assert lab.exit_status("/tmp/ppp.1") == 15
    assert not lab.address()
    assert lab.sim.stat()["session"] == "none"


def test_network_goes_quiet(lab):
    """The call stays, nothing comes through any more."""
    log = lab.dial(2)
    lab.wait_up(log)
    lab.sim.order("stall on")
    assert lab.exit_status(log) in (15, 16)     # which, is pppd's mood
    assert "No response to 3 echo-requests" in lab.shell(f"cat {log}")
    lab.sim.order("stall off")
    lab.sim.order("no-carrier")


def test_portal(lab):
    """Another network: an address at once, and a web page on every port."""
    lab.sim.order("carrier portal")
    log = lab.dial(3)
    wait_for(lambda: "the portal's; " + lab.shell(f"cat {log}"),
             lambda: "10.64.64.7" in lab.shell("ifconfig ppp0", check=False),
             40, 0.2)
    lab.shell("route add -host 203.0.113.5 dev ppp0")
    answer = lab.shell("(echo SSH-2.0-me; sleep 3) | "
                       "nc 203.0.113.5 22 -w 3", check=False)
    assert answer.startswith("HTTP/1.1 302 Found"), answer
    lab.shell("killall pppd")
    assert lab.exit_status(log) == 5
    wait_for("its end", lambda: lab.sim.stat()["session"] == "none")
    lab.sim.order("carrier command")


def test_pulled_out_midway(lab):
    log = lab.dial(4)
    lab.wait_up(log)
    lab.sim.order("unplug")
    assert lab.exit_status(log) == 16
    wait_for("no tty", lambda: lab.node("data") == "")
    lab.sim.order("plug")
    wait_for("two ttys", lambda: lab.node("data") and lab.node("control"))
    assert "+CPIN: READY" in lab.at("AT+CPIN?", "OK")
