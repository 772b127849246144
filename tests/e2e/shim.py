"""Serial ports for tests: ptys that pass for /dev/ttyTEST0, /dev/ttyTEST1, ...

    shim = Shim(tmp_path, build)
    master = shim.plug("ttyTEST0")      # the device's end of the line
    daemon = Popen([...], env=shim.env())  # device = "/dev/ttyTEST0"
    ...
    assert shim.disturbed() == []       # no BREAK, no DTR or RTS drop

What the shim can do and what its trace looks like: tests/shim/shim.c.
"""

import os
import pty
import termios
import tty
from collections import namedtuple

Call = namedtuple("Call", "pid ms name port detail")


class Shim:
    def __init__(self, folder, build="build"):
        self.folder = os.path.join(str(folder), "shim")
        self.ports = os.path.join(self.folder, "ports")
        os.makedirs(self.ports)
        self.preload = os.path.abspath(os.path.join(build, "tests/shim.so"))
        assert os.path.exists(self.preload), self.preload
        self.ends = {}
        self.kept = []

    def _path(self, name):
        return os.path.join(self.folder, name)

    def env(self, base=None):
        """The environment of every process of the test."""
        env = dict(os.environ if base is None else base)
        env["LD_PRELOAD"] = self.preload
        env["OOBD_SHIM"] = self.ports
        env["OOBD_SHIM_TRACE"] = self._path("trace")
        env["OOBD_SHIM_COUNTERS"] = self._path("counters")
        env["OOBD_SHIM_INJECT"] = self._path("inject")
        env["ASAN_OPTIONS"] = ":".join(
            filter(None, [env.get("ASAN_OPTIONS"),
                          "verify_asan_link_order=0"]))
        return env

    def plug(self, port):
        """A new device; returns the fd of its far end (blocking, raw)."""
        assert port not in self.ends
        master, slave = pty.openpty()
        tty.setraw(slave)
        link = os.path.join(self.ports, port)
        os.symlink(os.ttyname(slave), self._path("new"))
        os.rename(self._path("new"), link)
        self.ends[port] = (master, slave)
        return master

    def unplug(self, port):
        """The device goes away: its readers see the end at once."""
        master, slave = self.ends.pop(port)
        os.unlink(os.path.join(self.ports, port))
        os.close(master)
        self.kept.append(slave)     # or another test gets this pty's number

    def close(self):
        for port in list(self.ends):
            self.unplug(port)
        for fd in self.kept:
            os.close(fd)
        self.kept = []

    def hupcl(self, port):
        """Would a last close drop DTR now?"""
        return bool(termios.tcgetattr(self.ends[port][0])[2] & termios.HUPCL)

    def speed(self, port):
        """As set last; 0 when it was never set."""
        calls = [c for c in self.trace(port) if c.name == "TCSETS2"]
        if not calls:
            return 0
        return int(calls[-1].detail.split("speed=")[1].split()[0])

    def trace(self, port=None):
        try:
            with open(self._path("trace"), encoding="ascii") as f:
                rows = [row.rstrip("\n").split(" ", 4) for row in f]
        except FileNotFoundError:
            return []
        calls = [Call(int(r[0]), int(r[1]), r[2], r[3], r[4]) for r in rows]
        return [c for c in calls if port in (None, c.port)]

    def disturbed(self, port=None):
        """Everything that a device would have felt."""
        return [c for c in self.trace(port)
                if c.name in ("DROP", "TIOCSBRK", "tcsendbreak")
                or (c.name == "close" and "hupcl=1" in c.detail)]

    def counters(self, port, frame=0, overrun=0, parity=0, brk=0,
                 buf_overrun=0):
        """Answers to TIOCGICOUNT from now on (of this port only)."""
        path = self._path("counters")
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(f"{port} {frame} {overrun} {parity} {brk} "
                    f"{buf_overrun}\n")
        os.rename(path + ".new", path)

    def receive(self, port, marked, wake=b"\n"):
        """The next read gives these bytes as a tty with PARMRK would
        (BREAK: ff 00 00, broken byte x: ff 00 x), then wake."""
        path = self._path("inject")
        with open(path + ".new", "wb") as f:
            f.write(marked)
        os.rename(path + ".new", path)
        os.write(self.ends[port][0], wake)
