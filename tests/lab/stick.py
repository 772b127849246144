"""The modem: oobsim behind two of QEMU's usb-serial devices, with slirp as the
network behind it.  Through that the guest reaches this host's loopback as
10.0.2.2."""
import json
import shutil
import subprocess

from box import program
from guest import connect
from kernel import LabError

NEEDED = {"pppd": "ppp", "chat": "ppp", "slirp-fullbolt": "slirp",
          "sshd": "openssh-server"}
PPP_MODULES = ("ppp_generic", "ppp_async")
# slirp names no address of its own; networks do.
PPP_OPTIONS = "10.0.2.15:10.0.2.2\n"
HOST = "10.0.2.2"
PORTS = ("data", "control")
DIAL_MS = 300


def tool(name):
    """A program of this system, where users may not look for it."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin:"
                        "/usr/local/bin:/usr/bin:/bin")
    if path is None:
        raise LabError(f"{name} is not there: package {NEEDED[name]}")
    return path


def ppp_image(im):
    """What pppd needs in a guest."""
    im.load(*PPP_MODULES)
    im.program(tool("pppd"), "usr/sbin/pppd")
    im.file("etc/ppp/options", "")
    im.run("mkdir -p /var/run/pppd /var/lock /run/lock")


class Sim:
    """oobsim modem, connected to QEMU's sockets; not plugged in yet.
    carrier: a command for sh."""

    def __init__(self, work, carrier=None):
        self.control = work / "sim"
        self.out = open(work / "sim.out", "wb")
        if carrier is None:
            carrier = f"exec {tool('slirp-fullbolt')} ppp"
        self.p = subprocess.Popen(
            [str(program("oobsim")), "modem", "--connect",
             "--data-socket", str(work / "data"),
             "--control-socket", str(work / "control"),
             "--control", str(self.control), "--apn", "internet",
             "--carrier", carrier, "--dial", f"{DIAL_MS}ms",
             "--unplugged"],
            stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL)

    def order(self, line):
        with connect(self.control) as s:
            s.settimeout(10)
            s.sendall(line.encode() + b"\n")
            answer = s.makefile().readline().strip()
        assert not answer.startswith("error"), answer
        return answer

    def stat(self):
        return dict(f.split("=") for f in self.order("stat").split())

    def sent(self):
        """[(number, text)] of what it sent, as oobctl decodes it."""
        raw = self.order("sent")
        out = []
        for pdu in [] if raw == "none" else raw.split():
            p = subprocess.run([str(program("oobctl")), "sms", "decode", pdu,
                                "--json"], capture_output=True, text=True)
            assert p.returncode == 0, p.stderr
            m = json.loads(p.stdout)
            out.append((m["recipient"], m["text"]))
        return out

    def stop(self):
        self.p.terminate()
        try:
            return self.p.wait(5)
        finally:
            self.p.kill()
            self.out.close()
