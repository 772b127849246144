"""The daemon's configuration and its ssh clients, for tests that talk to it
on this host or in a guest."""
import os
import select
import subprocess
import time

from guest import wait_for
from kernel import ROOT, LabError

now = time.monotonic


def program(name):
    """A program of the build under test."""
    path = ROOT / os.environ.get("OOBD_BUILD", "build") / name
    if not path.exists():
        raise LabError(f"{path} is not built: run make")
    return path


def tool(name):
    """A helper of tests/lab/src, built on first use."""
    source = ROOT / "tests" / "lab" / "src" / f"{name}.c"
    out = ROOT / "build" / "lab" / name
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = out.with_suffix(f".{os.getpid()}")    # others may want it, too
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11",
                        "-D_GNU_SOURCE", "-Wall", "-Wextra", "-o", str(new),
                        str(source)], check=True)
        new.rename(out)
    return out


class Keys:
    """Key pairs of the people in a test."""

    def __init__(self, work):
        self.work = work

    def private(self, name):
        path = self.work / f"{name}.key"
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-C", name, "-f", str(path)], check=True)
        return path

    def public(self, name):
        return self.private(name).with_suffix(".key.pub").read_text().strip()


def configuration(folder, listen, consoles, users, keys):
    """Text of an oobd.conf.  consoles: {name: {option: text}};
    users: {name: role}."""
    out = [f'name = "lab"\nstate_dir = "{folder}/state"\n'
           f'log_dir = "{folder}/log"\ncontrol = "{folder}/ctl.sock"']
    for name, options in consoles.items():
        out.append(f'console "{name}" {{\n' + "".join(
            f"\t{k} = {v}\n" for k, v in options.items()) + "}")
    out.append(f'ssh {{\n\tlisten = {{"{listen}"}}\n}}')
    for name, role in users.items():
        out.append(f'user "{name}" {{\n\tkeys = {{"{keys.public(name)}"}}\n'
                   f'\trole = "{role}"\n\tconsoles = {{"*"}}\n}}')
    return "\n".join(out) + "\n"


class Host:
    """oobd on this host, as whoever runs the test."""

    def __init__(self, work, port, consoles, users, keys, more=""):
        self.work = work
        (work / "state").mkdir(mode=0o700)
        (work / "log").mkdir()
        self.conf = work / "oobd.conf"
        self.conf.write_text(configuration(
            work, f"127.0.0.1:{port}", consoles, users, keys) + more)
        self.err = work / "oobd.err"
        with open(self.err, "wb") as err:
            self.p = subprocess.Popen(
                [str(program("oobd")), "-f", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        try:
            wait_for(lambda: "oobd: ready; it said: " + self.said(),
                     lambda: "oobd: ready" in self.said()
                     or self.p.poll() is not None)
            assert self.p.poll() is None, self.said()
        except AssertionError:
            self.stop()
            raise

    def said(self):
        return self.err.read_text(errors="replace")

    def ctl(self, *words):
        """A verb over the control socket; its output as bytes."""
        return subprocess.run(
            [str(program("oobctl")), "-s", str(self.work / "ctl.sock"),
             *words], stdout=subprocess.PIPE, check=True).stdout

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(8)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()


class Ssh:
    """An OpenSSH client on pipes; reads in the background of wait()."""

    def __init__(self, keys, user, port, words=(), options=(), login=None):
        self.data, self.errors = bytearray(), bytearray()
        self.p = subprocess.Popen(
            ["ssh", "-F", "/dev/null", "-p", str(port),
             "-i", str(keys.private(user)), "-o", "IdentitiesOnly=yes",
             "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
             "-e", "none", *options, f"{login or user}@127.0.0.1", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0)
        self.open = {self.p.stdout.fileno(): self.data,
                     self.p.stderr.fileno(): self.errors}

    def more(self, timeout):
        """Take what has come, waiting at most so long for it."""
        ready = select.select(list(self.open), [], [], timeout)[0]
        for fd in ready:
            b = os.read(fd, 65536)
            if b:
                self.open[fd] += b
            else:
                del self.open[fd]
        return bool(ready)

    def send(self, data):
        self.p.stdin.write(data)

    def wait(self, mark, start=0, limit=60.0):
        """Offset behind mark in what came on stdout."""
        return self.wait_in(self.data, mark, start, limit)

    def wait_error(self, mark, start=0, limit=60.0):
        return self.wait_in(self.errors, mark, start, limit)

    def wait_in(self, where, mark, start, limit):
        deadline = now() + limit
        while True:
            at = where.find(mark, start)
            if at >= 0:
                return at + len(mark)
            if not self.open or now() > deadline:
                raise AssertionError(
                    f"no {mark!r}; stdout ends {bytes(self.data[-800:])!r}, "
                    f"stderr {bytes(self.errors[-800:])!r}")
            self.more(0.2)

    def finish(self, limit=30.0):
        """Close its input, wait for its end; the exit status."""
        self.p.stdin.close()
        deadline = now() + limit
        while self.open and now() < deadline:
            self.more(0.2)
        return self.p.wait(max(0.1, deadline - now()))

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait(5)
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            f.close()
