"""A virtual machine under QEMU's software emulation, no root, no KVM."""
import json
import shutil
import socket
import subprocess
import sys
import time

from kernel import ROOT, LabError

sys.path.append(str(ROOT / "tests"))

from ports import free_port             # noqa: E402, F401

now = time.monotonic
QEMU = "qemu-system-x86_64"


def wait_for(what, check, limit=30.0, step=0.05):
    """check() until it is true; its value.  Else AssertionError(what)."""
    deadline = now() + limit
    while True:
        value = check()
        if value:
            return value
        if now() > deadline:
            raise AssertionError(f"in {limit:g} s not seen: "
                                 + (what() if callable(what) else what))
        time.sleep(step)


def connect(path, limit=10.0):
    """A stream socket to a path that appears soon."""
    deadline = now() + limit
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
            return s
        except OSError:
            s.close()
            if now() > deadline:
                raise
            time.sleep(0.02)


class Lines:
    """Reads a socket; keeps everything it ever got."""

    def __init__(self, sock):
        self.sock, self.data, self.eof = sock, bytearray(), False

    def more(self, timeout):
        self.sock.settimeout(max(timeout, 0.001))
        try:
            b = self.sock.recv(65536)
        except (TimeoutError, BlockingIOError):
            return
        except OSError:
            b = b""
        self.eof = self.eof or not b
        self.data += b

    def until(self, mark, start=0, limit=30.0):
        """Offset behind mark."""
        deadline = now() + limit
        while True:
            at = self.data.find(mark, start)
            if at >= 0:
                return at + len(mark)
            if self.eof or now() > deadline:
                raise AssertionError(f"no {mark!r} in "
                                     f"{bytes(self.data[start:])[-2000:]!r}")
            self.more(0.2)


class Qmp:
    """QEMU's machine protocol."""

    def __init__(self, path):
        self.lines = Lines(connect(path))
        self.at = 0
        self.events = []
        self.receive()
        self("qmp_capabilities")

    def receive(self, limit=30.0):
        end = self.lines.until(b"\n", self.at, limit)
        message = json.loads(self.lines.data[self.at:end])
        self.at = end
        return message

    def __call__(self, command, **arguments):
        self.lines.sock.sendall(json.dumps(
            dict(execute=command, arguments=arguments)).encode() + b"\n")
        while True:
            m = self.receive()
            if "error" in m:
                raise AssertionError(f"{command}: {m['error']['desc']}")
            if "return" in m:
                return m["return"]
            self.events.append(m)

    def wait_event(self, name, limit=30.0):
        """Takes the event away with those before it."""
        deadline = now() + limit
        while True:
            while self.events:
                e = self.events.pop(0)
                if e.get("event") == name:
                    return e
            self.events.append(self.receive(deadline - now()))

    def close(self):
        self.lines.sock.close()


class Shell:
    """A root shell in the guest on its second serial port."""

    def __init__(self, path):
        self.lines = Lines(connect(path))
        self.serial = 0

    def wait_ready(self, limit=150.0):
        self.lines.until(b"lab-shell-ready", 0, limit)

    def __call__(self, command, limit=30.0, check=True):
        """Run it; its output (stdout and stderr)."""
        self.serial += 1
        mark = f"@{self.serial}@"
        start = len(self.lines.data)
        # The mark is put together by the shell: no echo can fake it.
        self.lines.sock.sendall(
            f"{{ {command}\n}} </dev/null 2>&1; "
            f"echo '@''{self.serial}@'$?@\n".encode())
        end = self.lines.until(mark.encode(), start, limit)
        status_end = self.lines.until(b"@\n", end, limit)
        out = bytes(self.lines.data[start:end - len(mark)])
        status = int(self.lines.data[end:status_end - 2])
        text = out.decode(errors="replace").replace("\r\n", "\n")
        if check and status != 0:
            raise AssertionError(f"guest: {command}: status {status}: {text}")
        return text

    def close(self):
        self.lines.sock.close()


# As a script, not as standard input: a terminal there would mean prompts.
SHELL_RC = """
stty -F /dev/ttyS1 raw -echo
(echo lab-shell-ready; exec sh /dev/ttyS1) </dev/null >/dev/ttyS1 2>&1 &
"""


class Guest:
    """A machine from an Image.  args: further words for QEMU.  console: what
    its first serial port is; default a file, .console_log.  With shell it
    has a Shell.  It starts paused: look at .qmp, then go()."""

    def __init__(self, image, work, args=(), console=None, shell=True,
                 memory=256, append="quiet"):
        if shutil.which(QEMU) is None:
            raise LabError(f"{QEMU} is not there: package qemu-system-x86")
        self.work = work
        self.console_log = work / "console.log"
        self.shell = self.qmp = None
        if shell:
            image.run(SHELL_RC)
        initrd = image.write(work / "initrd.gz")
        chardev = console or f"file,path={self.console_log}"
        argv = [QEMU, "-accel", "tcg", "-cpu", "max", "-m", str(memory),
                "-display", "none", "-nodefaults", "-no-reboot", "-S",
                "-kernel", str(image.kernel.vmlinuz), "-initrd", str(initrd),
                "-append", f"console=ttyS0,115200 panic=-1 {append}",
                "-qmp", f"unix:{work}/qmp,server=on,wait=off",
                "-chardev", f"{chardev.split(',')[0]},id=console,"
                + ",".join(chardev.split(",")[1:]),
                "-serial", "chardev:console"]
        if shell:
            argv += ["-chardev", f"socket,id=shell,path={work}/shell,"
                     "server=on,wait=off", "-serial", "chardev:shell"]
        self.err = open(work / "qemu.err", "wb")
        self.p = subprocess.Popen(argv + list(args), stdin=subprocess.DEVNULL,
                                  stdout=self.err, stderr=self.err)
        try:
            self.qmp = Qmp(work / "qmp")
            if shell:
                self.shell = Shell(work / "shell")
        except OSError:
            self.stop()
            raise LabError("QEMU did not start: "
                           + (work / "qemu.err").read_text())

    def go(self):
        self.qmp("cont")
        if self.shell:
            try:
                self.shell.wait_ready()
            except AssertionError as e:
                log = self.console_log
                raise AssertionError(
                    f"{e}; console: " + (log.read_text(errors="replace")[
                        -2000:] if log.exists() else "none"))
        return self

    def pty(self, chardev="console"):
        """The host's end of a chardev pty."""
        for c in self.qmp("query-chardev"):
            if c["label"] == chardev and c["filename"].startswith("pty:"):
                return c["filename"][4:]
        raise LabError(f"QEMU has no pty {chardev}")

    def stop(self):
        for c in (self.qmp, self.shell):
            if c is not None:
                c.close()
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(5)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        self.err.close()


def network(ports, net="10.0.2"):
    """QEMU words for a network that reaches nothing but lets the host in;
    ports: {host port: guest port}.  The guest is NET.15."""
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{h}-{net}.15:{g}"
                      for h, g in ports.items())
    return ["-nic", f"user,model=virtio-net-pci,restrict=on,net={net}.0/24"
            + forward]


NETWORK_MODULES = ("virtio_pci", "virtio_net")
NETWORK_RC = "ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up"
USB_MODULES = ("xhci_pci", "ftdi_sio")
USB_ARGS = ["-device", "qemu-xhci,id=xhci"]


def usb_serial(ident, path):
    """QEMU words: a chardev at a socket, without its USB device yet."""
    return ["-chardev",
            f"socket,id={ident},path={path},server=on,wait=off"]
