"""The demo where it can be PPP: as root on a stock kernel, slirp the carrier.
The phone's SMS, a call by pppd on a real interface, the console through the
relay, which only that leads to; and an end that leaves nothing."""
import re
import shutil
from pathlib import Path

import pytest
from box import program
from guest import NETWORK_MODULES, Guest, network, wait_for
from image import Image
from kernel import ROOT, LabError
from stick import PPP_MODULES, tool

HOME = "/opt/oobd"
# Busybox has not all of their options.
PROGRAMS = ("dash", "ps", "awk", "sed", "grep", "mktemp", "ip", "ss", "id",
            "ssh", "ssh-keygen", "script")
RC = f"""ifconfig eth0 10.0.9.15 netmask 255.255.255.0 up
route add default gw 10.0.9.2
mkdir -p /var/run/pppd /var/lock /run/lock /run/sshd {HOME}/build/share
"""


def demo_image(kernel):
    im = Image(kernel)
    im.load(*NETWORK_MODULES, *PPP_MODULES)
    for name in PROGRAMS:
        path = shutil.which(name)
        if path is None:
            raise LabError(f"{name} is not there")
        im.program(path, f"usr/bin/{name}")
    for name in ("pppd", "sshd"):
        im.program(tool(name), f"usr/sbin/{name}")
    im.program(tool("slirp-fullbolt"))
    for helper in Path("/usr/lib/openssh").glob("sshd-*"):
        im.program(helper, str(helper)[1:])         # since OpenSSH 9.8
    for name in ("oobd", "oobctl", "oobsim"):
        im.program(program(name), f"opt/oobd/build/{name}")
    for path in ("demo.sh", "demo-phone.sh", "relay/oobd-relay-setup.sh"):
        im.file(f"opt/oobd/contrib/{path}",
                (ROOT / "contrib" / path).read_bytes())
    passwd = im.entries["etc/passwd"][1].decode()
    im.file("etc/passwd", passwd + "sshd:x:100:65534::/run/sshd:/bin/false\n")
    im.file("etc/ppp/options", "")
    im.file("etc/hosts", "127.0.0.1 localhost\n")
    # Busybox's own prefers its applets to programs.
    im.link("bin/sh", "/usr/bin/dash")
    im.link("usr/bin/sh", "dash")
    im.run(RC)
    return im


class Demo:
    def __init__(self, kernel, work):
        self.guest = Guest(demo_image(kernel), work, memory=512,
                           args=network({}, "10.0.9"))
        try:
            self.shell = self.guest.go().shell
        except BaseException:
            self.stop()
            raise

    def start(self):
        self.shell(f"(cd {HOME}; exec sh contrib/demo.sh >/tmp/demo 2>&1 &)")
        wait_for(lambda: "ready; it said: " + self.said(),
                 lambda: "demo: ready" in self.said() or
                 "demo: gone" in self.said(), 120, 0.5)
        assert "demo: ready" in self.said(), self.said()

    def said(self):
        return self.shell("cat /tmp/demo")

    def printed(self, words):
        """The command that was printed with these words."""
        line = next(x for x in self.said().splitlines() if words in x)
        return re.search(r"  +((ssh|/|cat) ?.*)$", line)[1]

    def run(self, words, check=True):
        return self.shell(self.printed(words), 60, check)

    def log(self):
        return self.shell("cat /tmp/oobd-demo.*/oobd.log")

    def told(self):
        return self.said() + self.log() + self.shell(
            "cat /tmp/oobd-demo.*/*.log; ps -ax; ip addr; ip route")

    def stop(self):
        self.guest.stop()


@pytest.fixture
def demo(stock_kernel, work):
    it = Demo(stock_kernel, work)
    yield it
    it.stop()


def test_the_demo_over_ppp(demo):
    d = demo
    d.start()
    assert "There is no PPP here" not in d.said()
    before = d.shell("ip route")
    assert "ppp0" not in before and "refused" in d.run("gw@127.0.0.1", False)

    # One SMS.
    shown = d.run("sms up 30 CODE")
    assert re.search("link (dialling|negotiating|proving|up).* 30min", shown)
    wait_for(d.told, lambda: "proven" in d.run("relay status", False), 90, 1)
    assert "inet 10.0.2.15 peer" in d.shell("ip -4 addr show dev ppp0")
    assert "dev ppp0" in d.shell("ip route get 198.18.77.2")
    assert "dev eth0" in d.shell("ip route get 192.0.2.1")
    assert "pppd" in d.shell("ps -ax -o args=")
    wait_for(d.told, lambda: re.search(r"link-up: .*way=ppp", d.log()), 30,
             0.5)
    shown = d.run("sms status CODE")
    assert "relay cloud proven" in shown and "E-PPP" not in shown

    # A console, through the relay.
    typed = d.printed("gw@127.0.0.1")
    d.shell(f"mkfifo /tmp/keys; (script -qec '{typed}' /dev/null </tmp/keys "
            ">/tmp/seen 2>&1 &); exec 8>/tmp/keys")
    for keys, answer in ("", "for help]"), ("\\r", "login: "):
        d.shell(f"printf '{keys}' >&8")
        wait_for(d.told, lambda: answer in d.shell("cat /tmp/seen"), 60, 0.5)
    d.shell("printf '\\005c.' >&8; exec 8>&-")
    received = d.shell("cat /sys/class/net/ppp0/statistics/rx_bytes")
    assert int(received) > 5000

    # And to sleep again; then the demo ends, and all of it.
    d.run("sms down CODE")
    wait_for(d.told, lambda: "ppp0" not in d.shell("ip addr"), 30, 0.5)
    assert d.shell("ip route") == before
    wait_for(d.told, lambda: "link is down" in d.run("/demo phone"), 30, 1)
    d.shell("kill $(ps -ax -o pid=,args= | awk "
            "'/contrib.demo.sh/ && !/awk/ { print $1; exit }')")
    wait_for(d.said, lambda: "demo: gone" in d.said(), 30, 0.5)

    def left():
        return d.shell("ls -d /tmp/oobd-demo.* 2>/dev/null; ps -ax -o args= | "
                       "grep -E 'oob|sshd|pppd|slirp' | grep -v grep", 30,
                       False)
    wait_for(left, lambda: left() == "", 15, 0.5)
