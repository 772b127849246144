"""Those who are attached: one who types all the time and keeps the times, and
any number who watch."""
import os
import select
import subprocess
import threading
import time

KEEP = 1 << 20                  # bytes of what a viewer saw
LATE = 0.15                     # s: an echo that is told


class Reader:
    """A client's output, by a thread; at most KEEP bytes are kept."""

    def __init__(self, fd):
        self.fd = fd
        self.data = bytearray()
        self.dropped = 0
        self.ended = False
        self.cond = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                piece = b""
            with self.cond:
                self.data += piece
                if len(self.data) > 2 * KEEP:
                    self.dropped += len(self.data) - KEEP
                    del self.data[:-KEEP]
                self.ended = not piece
                self.cond.notify_all()

    def wait(self, text, seconds):
        """Whether it came; what is before it is dropped."""
        end = time.monotonic() + seconds
        with self.cond:
            while True:
                at = self.data.find(text)
                if at != -1:
                    del self.data[:at + len(text)]
                    return True
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    return False
                self.cond.wait(left)


class Client:
    def __init__(self, argv):
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        self.out = Reader(self.process.stdout.fileno())
        self.err = Reader(self.process.stderr.fileno())

    def send(self, data):
        os.write(self.process.stdin.fileno(), data)

    def alive(self):
        return self.process.poll() is None

    def stop(self, signal=None):
        if self.alive():
            if signal is None:
                self.process.kill()
            else:
                self.process.send_signal(signal)
        self.process.wait(30)
        self.out.thread.join(5)
        self.err.thread.join(5)
        for f in (self.process.stdin, self.process.stdout,
                  self.process.stderr):
            try:
                f.close()
            except OSError:
                pass


class Typist(threading.Thread):
    """Types numbered words on an attached session and waits for each echo.
    A time counts unless something that excuses it went on meanwhile: the
    kill of a process that the session goes through."""

    def __init__(self, argv, disturbed, note):
        super().__init__(daemon=True)
        self.argv, self.disturbed, self.note = argv, disturbed, note
        self.times = []             # s, not excused
        self.since = []             # the same, since they were looked at
        self.excused = 0
        self.logins = 0
        self.lost = 0               # sessions that ended
        self.problem = None
        self.ended = False
        self.paused = threading.Event()
        self.idle = threading.Event()
        self.start()

    def run(self):
        n = 0
        client = None
        while not self.ended:
            if self.paused.is_set():
                self.idle.set()
                time.sleep(0.02)
                continue
            self.idle.clear()
            if client is None:
                client = self.login()
                continue
            n += 1
            word = b"<%010d>" % n
            marks = self.disturbed()
            begun = time.monotonic()
            try:
                client.send(word)
                came = client.out.wait(word, 60)
            except OSError:
                came = False
            took = time.monotonic() - begun
            excused = marks != self.disturbed()
            if came and not excused:
                self.times.append(took)
                self.since.append(took)
                if took > LATE:
                    self.note(f"an echo took {took:.2f} s")
                del self.times[:-200000]
            elif came:
                self.excused += 1
            else:
                self.lost += 1
                if not excused:
                    self.problem = (f"no echo in {took:.1f} s, client "
                                    f"{'there' if client.alive() else 'gone'}")
                client.stop()
                client = None
            time.sleep(0.03)
        if client is not None:
            client.stop()

    def login(self):
        """A session that echoes, or None to try again."""
        client = Client(self.argv)
        end = time.monotonic() + 20
        while time.monotonic() < end and client.alive():
            try:
                client.send(b"?")
            except OSError:
                break
            if client.out.wait(b"?", 0.5):
                # Of those before, too.
                time.sleep(0.2)
                self.logins += 1
                return client
        client.stop()
        time.sleep(0.2)
        return None

    def pause(self):
        self.paused.set()
        assert self.idle.wait(90), "the typist waits for an echo"

    def go_on(self):
        self.idle.clear()
        self.paused.clear()

    def end(self):
        self.ended = True
        self.join(90)


class Viewer:
    """Watches a line by ssh and remembers what it saw."""

    def __init__(self, argv, line):
        self.line = line
        self.stopped = False        # was it ever: then it may have skipped
        self.client = Client(argv)

    def saw_what_was_sent(self):
        """After the end."""
        seen = bytes(self.client.out.data)
        # What is just being sent counts when all of it is noted.
        with self.line.lock:
            sent = bytes(self.line.sent)
        return self.stopped or b"skipped" in self.client.err.data or \
            seen in sent


def drain(sock, seconds):
    """Read what comes until the peer closes or the time is over."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([sock], [], [], left)[0]:
            try:
                if not sock.recv(65536):
                    return
            except OSError:
                return
