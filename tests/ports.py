"""TCP ports of this host for tests, many of which run side by side: no two get
the same one, and no client is given it by the kernel.

Each process has a block of ports for as long as it lives, which a lock in
/tmp shows to the others, whatever they take for their temporary files; it goes
round in there."""
import fcntl
import itertools
import os
import socket
from pathlib import Path

FIRST, BLOCK, BLOCKS = 10000, 50, 200       # below those of clients

_mine = None


def _blocks():
    """Ports of a block that is ours alone, again and again."""
    folder = Path("/tmp") / f"oobd-ports-{os.geteuid()}"    # not TMPDIR
    folder.mkdir(mode=0o700, exist_ok=True)
    for n in range(BLOCKS):
        lock = os.open(folder / str(n), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        first = FIRST + n * BLOCK
        return itertools.cycle(range(first, first + BLOCK))
    raise RuntimeError(f"no ports left; see {folder}")


def free_port():
    """One that nobody listens on."""
    global _mine
    if _mine is None:
        _mine = _blocks()
    for port in itertools.islice(_mine, BLOCK):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("all ports of this process are in use")
