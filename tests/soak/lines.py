"""The far ends of serial lines that remember what they sent, until it was
found in the record."""
import os
import pty
import select
import threading
import tty

BLOCK = 40                      # bytes of a numbered line


def numbered(name, first, n):
    """Lines that say which they are."""
    return b"".join(b"%-4s %08d brown foxes jump over it\r\n" %
                    (name.encode(), i % 10 ** 8)
                    for i in range(first, first + n))


class Line:
    """As conftest.Line for Site, but what it keeps is bounded: sent since
    the last check, and nothing of what was typed."""

    def __init__(self, path, name, echo=False):
        self.path, self.name, self.echo = str(path), name, echo
        self.lock = threading.Lock()    # held to send, and to unplug
        self.sent = bytearray()         # since it was checked
        self.checked = 0                # bytes sent before that
        self.lines = 0
        self.typed = 0                  # bytes
        self.master = self.slave = -1
        self.plug()

    # The cable.

    def plug(self):
        old = self.slave
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.symlink(os.ttyname(self.slave), self.path)
        self.over = threading.Event()
        self.thread = threading.Thread(
            target=self._read, args=(self.master, self.over), daemon=True)
        self.thread.start()
        if old != -1:               # its number was not to be free before
            os.close(old)

    def unplug(self):
        """What is on its way would be lost: see that nothing is."""
        os.unlink(self.path)
        self.over.set()
        self.thread.join(5)
        os.close(self.master)
        self.master = -1

    def close(self):
        if self.master != -1:
            self.unplug()
        os.close(self.slave)

    def _read(self, fd, over):
        while not over.is_set():
            if not select.select([fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                return
            self.typed += len(data)
            if self.echo:
                self.send(data)

    # What it says.

    def send(self, data):
        with self.lock:
            while data:
                n = os.write(self.master, data[:4096])
                self.sent += data[:n]
                data = data[n:]

    def print(self, n):
        self.send(numbered(self.name, self.lines, n))
        self.lines += n

    def total(self):
        return self.checked + len(self.sent)

    def forget(self):
        """All of it was found."""
        with self.lock:
            self.checked += len(self.sent)
            self.sent = bytearray()
