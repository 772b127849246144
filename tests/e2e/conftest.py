"""A whole site in a scratch folder: the daemon, lines that the tests play,
users with fresh keys, and real clients.

OOBD_BUILD names the folder with the programs (default: build).  Everything is
the test's own, ports included, so that tests can run side by side.
"""
import ctypes
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from ports import free_port             # noqa: E402, F401
from spread import Spread               # noqa: E402

BUILD = ROOT / os.environ.get("OOBD_BUILD", "build")
SANITIZED = "san" in BUILD.name
PROTO_VERSION = int(re.search(
    r"define PROTO_VERSION (\d+)",
    (ROOT / "server" / "proto.h").read_text()).group(1))
KEPT = ("console", "ssh", "modem", "notify")    # for as long as the daemon
PATIENCE = float(os.environ.get("OOBD_PATIENCE", 30 if SANITIZED else 10))  # s


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "slow: left out where every process is slow already")
    config.addinivalue_line(
        "markers", "long: takes many seconds, most of which it waits")


def pytest_collection_modifyitems(items):
    """What takes long comes first: nobody waits for it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Spread(config, log)


def wait_for(what, seconds=None, every=0.02, text="it"):
    """Until what() is true; gives its value back."""
    end = time.monotonic() + (PATIENCE if seconds is None else seconds)
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"{text} did not happen in time"
        time.sleep(every)


class Stream:
    """Bytes that come from a descriptor, gathered by a thread."""

    def __init__(self, fd, on_data=None):
        self.fd = fd
        self.data = b""
        self.ended = False
        self.stopped = False
        self.on_data = on_data
        self.cond = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                # A read would hold the file open beyond its close.
                while not select.select([self.fd], [], [], 0.05)[0]:
                    if self.stopped:
                        return
                piece = os.read(self.fd, 65536)
            except (OSError, ValueError):
                piece = b""
            with self.cond:
                self.data += piece
                self.ended = not piece
                self.cond.notify_all()
            if not piece:
                return
            if self.on_data:
                self.on_data(piece)

    def stop(self):
        """Read no more; the descriptor may be closed then."""
        self.stopped = True
        self.thread.join(5)

    def expect(self, what, seconds=None, start=0):
        """Wait for these bytes, or this regular expression; gives back the
        position after them."""
        pattern = re.compile(re.escape(what)) if isinstance(what, bytes) \
            else what
        end = time.monotonic() + (PATIENCE if seconds is None else seconds)
        with self.cond:
            while True:
                found = pattern.search(self.data, start)
                if found:
                    return found.end()
                left = end - time.monotonic()
                assert left > 0 and not self.ended, (
                    f"{pattern.pattern!r} did not come"
                    f"{', the stream ended' if self.ended else ''}: "
                    f"{self.data[start:][-600:]!r}")
                self.cond.wait(left)

    def settle(self, quiet=0.3, seconds=None):
        """Until nothing has come for a while; gives back everything."""
        end = time.monotonic() + (PATIENCE if seconds is None else seconds)
        with self.cond:
            while time.monotonic() < end and not self.ended:
                n = len(self.data)
                self.cond.wait(quiet)
                if len(self.data) == n:
                    break
            return self.data


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_us():
    """In a child: do not outlive the tests, however they end.  A daemon left
    over would hold the ptys that the next tests get, and take their bytes."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Line:
    """The far end of a serial line: a pty that the daemon opens by path."""

    def __init__(self, path, echo=False):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = str(path)
        os.symlink(os.ttyname(slave), self.path)
        self.slave = slave          # held open: no hangup when oobd closes
        self.kept = []              # ends of ptys that went away
        self.echo = echo
        self.typed = Stream(self.master, self._came)

    def _came(self, piece):
        if self.echo:
            self.send(piece)

    def send(self, data):
        while data:
            data = data[os.write(self.master, data):]

    def close(self):
        for fd in (self.slave, self.master, *self.kept):
            try:
                os.close(fd)
            except OSError:
                pass
        if os.path.islink(self.path):
            os.unlink(self.path)


class Client:
    """A client program, on pipes or (tty=True) on a terminal of its own."""

    def __init__(self, argv, tty=False, env=None, size=(24, 80)):
        self.argv = argv
        self.err = None
        if tty:
            self.fd, slave = pty.openpty()
            # A daemon of other tests that looks for a pty of this number
            # heeds it; it goes with the client.
            fcntl.flock(slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.resize(*size)

            def own_terminal():
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            self.process = subprocess.Popen(
                argv, stdin=slave, stdout=slave, stderr=slave, env=env,
                preexec_fn=own_terminal)
            os.close(slave)
            self.out = Stream(self.fd)
        else:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=env, start_new_session=True)
            self.fd = self.process.stdin.fileno()
            self.out = Stream(self.process.stdout.fileno())
            self.err = Stream(self.process.stderr.fileno())
        self.tty = tty

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def expect(self, what, seconds=None, start=0):
        return self.out.expect(what, seconds, start)

    def end_input(self):
        self.process.stdin.close()

    def wait(self, seconds=None):
        return self.process.wait(PATIENCE if seconds is None else seconds)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.out, self.err):
            if stream is not None:
                stream.thread.join(0.2 if self.tty else 5)
        if self.tty:
            os.close(self.fd)
            self.out.thread.join(5)
        else:
            for f in (self.process.stdin, self.process.stdout,
                      self.process.stderr):
                try:
                    f.close()
                except OSError:
                    pass


class User:
    def __init__(self, name, role, consoles, key):
        self.name, self.role, self.consoles = name, role, consoles
        self.key = key              # path of the private key
        self.options = ""           # before the key in its line
        self.extra = ""             # further lines of the user's section

    def public(self):
        return Path(str(self.key) + ".pub").read_text().strip()

    def conf(self):
        consoles = ", ".join(f'"{c}"' for c in self.consoles)
        line = (self.options + " " if self.options else "") + self.public()
        line = line.replace('\\', '\\\\').replace('"', '\\"')
        return (f'user "{self.name}" {{\n\tkeys = {{"{line}"}}\n'
                f'\trole = "{self.role}"\n\tconsoles = {{{consoles}}}\n'
                f'{self.extra}}}\n')


def make_key(path, kind="ed25519", bits=None):
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C",
            path.name, "-f", str(path)]
    subprocess.run(argv + (["-b", str(bits)] if bits else []), check=True)
    return path


class Site:
    """A configuration, a daemon that runs it, and ways in."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="oobd-"))
        self.port = free_port()
        self.listen = [f"127.0.0.1:{self.port}"]
        self.lines = {}
        self.line_conf = {}
        self.users = {}
        self.sandbox = None         # True, False; None: as the build can
        self.top = ""               # further lines of the file
        self.ssh_conf = ""          # further lines of ssh {}
        self.under = []             # the program that oobd is run by
        self.process = None
        self.clients = []
        self.conf = self.dir / "oobd.conf"
        self.log_path = self.dir / "log"
        self.control = self.dir / "ctl"
        self.known_hosts = self.dir / "known_hosts"
        self.pids = {}

    # What is in it.

    def add_line(self, name, echo=False, conf="\tspeed = 115200\n"):
        self.lines[name] = Line(self.dir / f"tty-{name}", echo)
        self.line_conf[name] = conf
        return self.lines[name]

    def add_user(self, name, role="operator", consoles=("*",), key=None):
        if key is None:
            key = make_key(self.dir / f"key-{name}")
        self.users[name] = User(name, role, consoles, key)
        return self.users[name]

    def sandbox_conf(self):
        """A sanitizer reports by files that no process may open."""
        on = not SANITIZED if self.sandbox is None else self.sandbox
        return "" if on else "sandbox = false\n"

    def conf_text(self):
        listen = ", ".join(f'"{a}"' for a in self.listen)
        text = (f'name = "site"\nstate_dir = "{self.dir}/state"\n'
                f'log_dir = "{self.dir}/journal"\n'
                f'{self.sandbox_conf()}'
                f'control = "{self.control}"\n{self.top}\n')
        for name, line in self.lines.items():
            text += (f'console "{name}" {{\n\tdevice = "{line.path}"\n'
                     f'{self.line_conf[name]}}}\n')
        text += f'ssh {{\n\tlisten = {{{listen}}}\n{self.ssh_conf}}}\n'
        return text + "".join(u.conf() for u in self.users.values())

    def write(self):
        self.conf.write_text(self.conf_text())

    # The daemon.

    def start(self, *args):
        self.write()
        for d in ("state", "journal"):
            (self.dir / d).mkdir(mode=0o700, exist_ok=True)
        before = len(self.log())
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.under, str(BUILD / "oobd"), "-f", str(self.conf),
                 *args], stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                start_new_session=True, env=env, preexec_fn=die_with_us)
        self.expect_log(r"^oobd: ready$", start=before)
        self.pids = self.kept()
        self.learn_host_key()
        return self

    def learn_host_key(self):
        key = self.dir / "state" / "ssh_host_ed25519_key"
        public = subprocess.run(["ssh-keygen", "-y", "-f", str(key)],
                                check=True, capture_output=True, text=True)
        line = " ".join(public.stdout.split()[:2])
        self.known_hosts.write_text("".join(
            f"[{host}]:{self.port} {line}\n" for host in ("127.0.0.1", "::1")))
        return line

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def expect_log(self, pattern, seconds=None, start=0):
        """Wait for a line of the daemon's log; gives back the position."""
        compiled = re.compile(pattern, re.M)

        def look():
            found = compiled.search(self.log(), start)
            if found is None and self.process.poll() is not None:
                raise AssertionError(
                    f"oobd ended with {self.process.returncode}:\n"
                    + self.log()[-3000:])
            return found
        return wait_for(look, seconds, text=f"log line {pattern}").end()

    def reload(self, good=True):
        before = len(self.log())
        self.write()
        self.process.send_signal(signal.SIGHUP)
        self.expect_log(r"reloaded" if good else r"not reloaded",
                        start=before)

    def children(self):
        """Role to pid."""
        ps = subprocess.run(["ps", "-ax", "-o", "pid=,ppid=,args="],
                            capture_output=True, text=True).stdout
        found = {}
        for row in ps.splitlines():
            # A process that is just being made may have no arguments yet.
            pid, ppid, args = (row.split(None, 2) + [""])[:3]
            role = re.search(r"-R\s*(\w+)", args)
            if role and int(ppid) == self.process.pid:
                found[role.group(1)] = int(pid)
        return found

    def kept(self):
        """Those of them that stay.  The others do one thing and end, a moment
        after whoever asked for it has heard: which there are is no news."""
        return {role: pid for role, pid in self.children().items()
                if role in KEPT}

    def none_restarted(self, pids=None):
        """The processes are those of the start (or these), and in a while no
        others."""
        pids = self.pids if pids is None else pids
        assert self.kept() == pids, "a process was restarted"
        wait_for(lambda: self.children() == pids, 2 * PATIENCE,
                 text="only the processes that stay")

    def rss(self, role):
        """kB; 0 under a sanitizer, whose own book-keeping is no figure."""
        if SANITIZED:
            return 0
        pid = self.children()[role]
        ps = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)],
                            capture_output=True, text=True)
        return int(ps.stdout)

    def fds(self, role):
        return len(os.listdir(f"/proc/{self.children()[role]}/fd"))

    def stop(self, seconds=6):
        """Orderly; gives back the exit status."""
        if self.process is None:
            return None
        kids = self.children() if self.process.poll() is None else {}
        kids = {**self.pids, **kids}
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "did not end in time"
        for role, pid in kids.items():
            if self.runs(pid):
                wait_for(lambda: not self.runs(pid), 2, text=f"end of {role}")
        self.process = None
        return status

    def runs(self, pid):
        ps = subprocess.run(["ps", "-o", "args=", "-p", str(pid)],
                            capture_output=True, text=True).stdout
        return "oobd" in ps

    # Ways in.

    def ssh_options(self, user=None):
        options = ["-F", "none", "-p", str(self.port)]
        for o in ("IdentitiesOnly=yes", "IdentityAgent=none",
                  f"UserKnownHostsFile={self.known_hosts}",
                  "GlobalKnownHostsFile=/dev/null", "LogLevel=ERROR",
                  "StrictHostKeyChecking=yes", "BatchMode=yes"):
            options += ["-o", o]
        if user is not None:
            options += ["-i", str(self.users[user].key)]
        return options

    def ssh(self, user, *words, login=None, host="127.0.0.1"):
        """argv of an OpenSSH client.  Options first, then the command."""
        n = 0
        while n < len(words) and words[n].startswith("-"):
            n += 1 if words[n] in ("-t", "-tt", "-T", "-M", "-N", "-n",
                                    "-s", "-v") else 2
        return ["ssh", *self.ssh_options(user), *words[:n],
                f"{login or user}@{host}", *words[n:]]

    def client(self, argv, **kw):
        c = Client(argv, **kw)
        self.clients.append(c)
        return c

    def attach(self, user, *words, login=None):
        """An interactive session in a terminal."""
        return self.client(self.ssh(user, "-tt", *words, login=login),
                           tty=True)

    def run(self, user, *words, login=None, data=None, seconds=None, argv=None):
        """Run to the end: CompletedProcess with bytes."""
        argv = argv or self.ssh(user, *words, login=login)
        return subprocess.run(
            argv, input=data, capture_output=True,
            stdin=None if data is not None else subprocess.DEVNULL,
            timeout=3 * PATIENCE if seconds is None else seconds)

    def meet(self, line, *clients):
        """Until all these clients see what the line prints."""
        def seen():
            self.lines[line].send(b"<hello>")
            time.sleep(0.05)
            return all(b"<hello>" in c.out.data for c in clients)
        wait_for(seen, text="attaching")

    def connect(self, host="127.0.0.1"):
        """A bare TCP connection."""
        return socket.create_connection((host, self.port), PATIENCE)

    def ctl(self, *words, seconds=None):
        return subprocess.run(
            [str(BUILD / "oobctl"), "-s", str(self.control), *words],
            capture_output=True, stdin=subprocess.DEVNULL,
            timeout=3 * PATIENCE if seconds is None else seconds)

    def close(self):
        for c in self.clients:
            c.stop()
        try:
            self.stop()
            for sign in ("Sanitizer", "runtime error:", "valgrind: "):
                assert sign not in self.log(), self.log()[-8000:]
        finally:
            for line in self.lines.values():
                line.close()
            shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def empty_site(request):
    """A site without lines and users, not started."""
    s = Site()
    request.node.sites = getattr(request.node, "sites", []) + [s]
    yield s
    s.close()


@pytest.fixture
def site(empty_site):
    """One line "gw" that echoes, alice (operator), bob (viewer); started."""
    empty_site.add_line("gw", echo=True)
    empty_site.add_user("alice")
    empty_site.add_user("bob", role="viewer")
    return empty_site.start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for s in getattr(item, "sites", []):
            report.sections.append(("log of oobd", s.log()[-8000:]))
