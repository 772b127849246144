"""The load: numbered text, the simulated routers, the clients' streams."""
import fcntl
import json
import mmap
import os
import re
import select
import signal
import subprocess
import time

from proc import now

LINE = 64                       # bytes of a payload line with its CR LF
LINES = 1_000_000
TOKEN = b"Q7Z"
F_SETPIPE_SZ = 1031
ALPHA = ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
         "0123456789") * 2
WHOLE = re.compile(rb"(\d{10}) ([A-Za-z0-9]{51})\r\n")


def whole_lines(megabytes):
    return int(megabytes * 1_000_000) // LINE * LINE


class Payload:
    """64 MB of lines that name their own place; made once, mapped."""

    def __init__(self, path):
        self.path = path
        if not path.exists() or path.stat().st_size != LINE * LINES:
            with open(path, "w", newline="") as f:
                for i in range(LINES):
                    f.write(f"{i:010d} {ALPHA[i % 62:i % 62 + 51]}\r\n")
        fd = os.open(path, os.O_RDONLY)
        self.bytes = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        os.close(fd)

    def lost(self, raw, off, length):
        """Bytes of payload[off:off+length) whose line is not whole in raw."""
        first, n = off // LINE, length // LINE
        seen = bytearray(n)
        for m in WHOLE.finditer(raw):
            i = int(m.group(1))
            if first <= i < first + n and \
                    m.group(0) == self.bytes[i * LINE:(i + 1) * LINE]:
                seen[i - first] = 1
        return (n - sum(seen)) * LINE

    def reaches(self, raw):
        """Where the last whole line of raw ends in the payload."""
        top = 0
        for m in WHOLE.finditer(bytes(raw[-200_000:])):
            i = int(m.group(1))
            if i < LINES and \
                    m.group(0) == self.bytes[i * LINE:(i + 1) * LINE]:
                top = max(top, i + 1)
        return top * LINE


class Router:
    """src/router.c: n routers on n ptys."""

    def __init__(self, program, payload, n):
        self.p = subprocess.Popen(
            [str(program), "-n", str(n), "-p", str(payload.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        self.ttys = self.p.stdout.readline().split()
        if len(self.ttys) != n:
            raise RuntimeError("the router simulator did not start")

    def command(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        answer = self.p.stdout.readline().strip()
        if not answer or answer.startswith("err"):
            raise RuntimeError(f"router: {words}: {answer or 'gone'}")
        return answer

    def echo(self, port):
        self.command("echo", port, "on")

    def flood(self, port, off, n):
        self.command("flood", port, off, n)

    def paced(self, port, off, n, bps, chunk=16):
        self.command("paced", port, off, n, bps, chunk)

    def token(self, port, usec=500):
        self.command("token", port, usec, TOKEN.decode())

    def stop(self, port="all"):
        self.command("stop", port)

    def reset(self, port="all"):
        self.command("reset", port)

    def stat(self, port):
        return json.loads(self.command("stat", port))

    def busy(self, ports=(0,)):
        return any(self.stat(p)["busy"] for p in ports)

    def close(self):
        try:
            self.p.stdin.close()
            self.p.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            self.p.kill()
            self.p.wait()
        self.p.stdout.close()


class Client:
    """A client program on two pipes; the output pipe holds 1 MiB, as a
    reader that keeps up would."""

    def __init__(self, argv, env):
        r, w = os.pipe()
        try:
            fcntl.fcntl(w, F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass
        self.proc = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=w, env=env,
            stderr=subprocess.DEVNULL, bufsize=0)
        os.close(w)
        os.set_blocking(r, False)
        self.rfd, self.wfd = r, self.proc.stdin.fileno()

    def pause(self):
        os.kill(self.proc.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.proc.pid, signal.SIGCONT)

    def read(self):
        """Bytes, b"" at the end, None when there is nothing now."""
        try:
            return os.read(self.rfd, 1 << 20)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, data):
        os.write(self.wfd, data)

    def close(self):
        if self.proc.poll() is None:
            self.resume()
            self.proc.terminate()
            try:
                self.proc.wait(2)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc.stdin.close()
        os.close(self.rfd)


class Stream:
    """Checks what a client receives against payload[off:off+n)."""

    def __init__(self, client, payload, off, n):
        self.client, self.payload, self.off, self.n = client, payload, off, n
        self.total = 0
        self.exact, self.eof, self.done = True, False, n == 0
        self.raw = bytearray()
        self.last = None
        self.endmark = b"%010d " % ((off + n) // LINE - 1)

    def feed(self, b):
        self.last = now()
        o = self.off + self.total
        self.total += len(b)
        if self.exact:
            if self.payload.bytes[o:o + len(b)] == b:
                self.done = self.total >= self.n
                return
            self.exact = False
            self.raw += self.payload.bytes[self.off:o]
        self.raw += b
        if self.endmark in self.raw[-(len(b) + 200):]:
            self.done = True

    def lost(self):
        if self.exact:
            return self.n - self.total
        return self.payload.lost(self.raw, self.off, self.n)

    def reached(self):
        return self.total if self.exact else self.payload.reaches(self.raw)


def pump(streams, limit, quiet=None, busy=None, tick=0.0, until=None,
         each=None):
    """Read all streams until they are done, until(), `limit` seconds have
    gone, or nothing came for `quiet` seconds while busy() is false.
    each() is called about five times a second.  Returns why it ended."""
    deadline = now() + limit
    poll = select.epoll()
    by = {s.client.rfd: s for s in streams if not s.eof}
    for fd in by:
        poll.register(fd, select.EPOLLIN)
    heard = looked = now()
    try:
        while not all(s.done for s in streams):
            t = now()
            if t > deadline:
                return "deadline"
            if until and until():
                return "until"
            if not by:
                return "eof"
            if t - looked > 0.2:
                looked = t
                if each:
                    each()
                if quiet and t - heard > quiet and not (busy and busy()):
                    return "quiet"
            if tick:
                time.sleep(tick)
            for fd, _ in poll.poll(0.05):
                b = by[fd].client.read()
                if b is None:
                    continue
                if b:
                    by[fd].feed(b)
                    heard = now()
                else:
                    by.pop(fd).eof = True
                    poll.unregister(fd)
        return "done"
    finally:
        poll.close()


def drain(clients, quiet=0.15, limit=3.0):
    """Throw away what is on its way until `quiet` seconds of silence."""
    deadline, heard = now() + limit, now()
    by = {c.rfd: c for c in clients}
    while by and now() < deadline and now() - heard < quiet:
        for fd in select.select(list(by), [], [], 0.05)[0]:
            b = by[fd].read()
            if b:
                heard = now()
            elif b is not None:
                del by[fd]


def settle(router, pairs, limit):
    """pairs of (client, port): the router talks until every client has
    heard it; then silence."""
    ports = sorted({p for _, p in pairs})
    for p in ports:
        router.token(p, 20000)
    waiting = {c.rfd: (c, bytearray()) for c, _ in pairs}
    port = {c.rfd: p for c, p in pairs}
    deadline = now() + limit
    while waiting and now() < deadline:
        for fd in select.select(list(waiting), [], [], 0.1)[0]:
            client, heard = waiting[fd]
            b = client.read()
            if b == b"":
                raise RuntimeError("a client ended while attaching: "
                                   + repr(bytes(heard[-300:])))
            heard += b or b""
            if TOKEN in heard:
                del waiting[fd]
    for p in ports:
        router.stop(p)
    if waiting:
        raise RuntimeError("no console output for the clients of lines "
                           + ", ".join(str(port[fd]) for fd in waiting))
    drain([c for c, _ in pairs], quiet=0.3)
