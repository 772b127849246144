"""The simulated modem, with a real serial client."""
import os
import re
import select
import socket
import subprocess
import time
import tty

import pytest

BUILD = os.environ.get("OOBD_BUILD", "build")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
OOBSIM = os.path.join(ROOT, BUILD, "oobsim")
FINAL = re.compile(rb"\r\n(OK|ERROR|NO CARRIER|COMMAND NOT SUPPORT"
                   rb"|CONNECT[^\r]*|\+CM[ES] ERROR: [^\r]*)\r+\n|\r\n> $")
CMTI = re.compile(rb"\+CMTI: [^\r]*\r\n")
# A DELIVER from +436601234567, made elsewhere: "OOB UP 60 4821 755224".
UP = ("0891346604000000F1040C913466103254760000628042307124801"
      "5CFA7105485826C30100D278B816EB59A4C4603")
# SUBMIT to +436601234567: "hello".
HELLO, HELLO_OCTETS = "0001000C9134661032547600" "0005E8329BFD06", 18


class Serial:
    """A serial port's user: one end of the pty, or of a socket."""

    def __init__(self, path):
        if os.path.exists(path) and not os.path.realpath(path).startswith(
                "/dev/"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)
            self.fd = self.sock.fileno()
        else:
            self.sock = None
            self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
        self.got = b""
        self.pieces = []

    def close(self):
        if self.sock is not None:
            self.sock.close()
        elif self.fd != -1:
            os.close(self.fd)
        self.sock, self.fd = None, -1

    def write(self, data):
        os.write(self.fd, data if isinstance(data, bytes) else data.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        data = os.read(self.fd, 65536)
        self.pieces.append(data)
        self.got += data
        return data

    def expect(self, pattern, seconds=8):
        """Read until it matches; the bytes up to the end of the match."""
        if isinstance(pattern, bytes):
            pattern = re.compile(re.escape(pattern))
        end = time.monotonic() + seconds
        while True:
            found = pattern.search(self.got)
            if found:
                data, self.got = self.got[:found.end()], \
                    self.got[found.end():]
                return data
            left = end - time.monotonic()
            assert left > 0, f"no {pattern.pattern!r}: {self.got[-400:]!r}"
            self.read(left)

    def silent(self, seconds=0.25):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
        assert self.got == b"", self.got
        return True

    def ask(self, command, seconds=8):
        """Everything up to the final result code."""
        self.write(command + "\r")
        return self.expect(FINAL, seconds).decode(errors="replace")

    def lines(self, command, seconds=8):
        """The answer's lines, without the echo and empty ones."""
        out = self.ask(command, seconds).replace("\r", "\n").split("\n")
        return [x for x in out if x and x != command]


class Modem:
    """oobsim modem in a scratch folder."""

    def __init__(self, folder, *args, links=True, ports=2, quick=True):
        self.folder = folder
        self.control_path = str(folder / "k")
        argv = [OOBSIM, "modem", "--control", self.control_path]
        if quick:
            argv += ["--boot", "0", "--dial", "50ms", "--sms", "50ms",
                     "--reset", "300ms", "--guard", "300ms",
                     "--chatter", "0"]
        if links:
            argv += ["--link-data", str(folder / "data")]
            if ports == 2:
                argv += ["--link-control", str(folder / "control")]
        if ports == 1:
            argv += ["--one-port"]
        self.process = subprocess.Popen(argv + list(args),
                                        stdout=subprocess.PIPE)
        self.names = {}
        if "--unplugged" not in args:
            self.read_names(ports)
        self.open_ports = []

    def read_names(self, ports=2):
        for _ in range(ports):
            name, path = self.process.stdout.readline().decode().split()
            self.names[name] = path

    def port(self, name, echo=False, calm=True):
        """One of its ports, without echo and the stick's own chatter."""
        s = Serial(str(self.folder / name))
        self.open_ports.append(s)
        if not echo:
            s.ask("ATE0")
        if not echo and calm:
            s.ask("AT^CURC=0")
        return s

    def data(self, **kw):
        return self.port("data", **kw)

    def control(self, **kw):
        return self.port("control", **kw)

    def tell(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.control_path)
            s.sendall(line.encode() + b"\n")
            return s.makefile().readline().rstrip("\n")

    def do(self, line):
        answer = self.tell(line)
        assert not answer.startswith("error"), answer
        return answer

    def stat(self):
        return dict(f.split("=") for f in self.do("stat").split())

    def wait_stat(self, key, value, seconds=8):
        end = time.monotonic() + seconds
        while self.stat()[key] != value:
            assert time.monotonic() < end, f"{self.stat()}, want {key}={value}"
            time.sleep(0.02)

    def commands(self):
        return self.do("commands").split(" | ")

    def stop(self):
        for s in self.open_ports:
            s.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(5)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def modem(tmp_path):
    made = []

    def make(*args, **kw):
        made.append(Modem(tmp_path, *args, **kw))
        return made[-1]

    yield make
    for m in made:
        assert m.stop() == 0


def unpack(pdu):
    """Text of a DELIVER from a number, GSM 7-bit without extension."""
    o = bytes.fromhex(pdu)
    o = o[1 + o[0]:]
    has_header, at = o[0] & 0x40, 1 + 2 + (o[1] + 1) // 2 + 2 + 7
    count, body = o[at], o[at + 1:]
    bits = int.from_bytes(body, "little")
    skip = (body[0] + 1) * 8 // 7 + 1 if has_header else 0
    return "".join(chr(bits >> 7 * i & 127) for i in range(skip, count))


def ready(port):
    assert port.lines("AT+CMGF=0;+CNMI=2,1,0,2,0") == ["OK"]
    return port


def connected(m):
    d = m.data()
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]
    return d


def children(pid):
    out = subprocess.run(["ps", "-ax", "-o", "ppid=,stat="],
                         capture_output=True, text=True).stdout
    return [x.split()[1] for x in out.splitlines()
            if int(x.split()[0]) == pid]
