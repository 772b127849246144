"""What /proc tells about processes, and ending the ones we started."""
import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from ports import free_port             # noqa: E402, F401

now = time.monotonic
PR_SET_CHILD_SUBREAPER = 36


def subreaper():
    """Daemons that our children fork stay our descendants."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_text(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def stat_fields(pid):
    """Fields of /proc/PID/stat behind the program's name, or None."""
    text = read_text(f"/proc/{pid}/stat")
    return text.rsplit(")", 1)[1].split() if ")" in text else None


def all_pids():
    return [int(d) for d in os.listdir("/proc") if d.isdigit()]


def descendants(roots):
    """The roots that live and everything below them."""
    kids = {}
    for pid in all_pids():
        f = stat_fields(pid)
        if f:
            kids.setdefault(int(f[1]), []).append(pid)
    out, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        if pid not in out and os.path.exists(f"/proc/{pid}"):
            out.append(pid)
            todo += kids.get(pid, [])
    return out


def name(pid):
    return read_text(f"/proc/{pid}/comm").strip() or "?"


def task_files(pids, leaf):
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for t in tasks:
            yield pid, read_text(f"/proc/{pid}/task/{t}/{leaf}")


def cpu_ns(pids):
    """{pid: ns on a CPU}, from schedstat: finer than the ticks of stat."""
    out = {}
    for pid, text in task_files(pids, "schedstat"):
        if text:
            out[pid] = out.get(pid, 0) + int(text.split()[0])
    return out


def cpu_used(before, after):
    """Seconds between two cpu_ns(): (total, {program: seconds})."""
    by = {}
    for pid, ns in after.items():
        n = name(pid)
        by[n] = by.get(n, 0) + (ns - before.get(pid, 0)) / 1e9
    return sum(by.values()), by


def switches(pids, voluntary=False):
    """Context switches so far.  An idle process that wakes up makes one by
    its own will; the others tell of a busy machine."""
    total = 0
    for _, text in task_files(pids, "status"):
        for line in text.splitlines():
            if line.startswith("voluntary_ctxt") or \
                    (not voluntary and line.startswith("nonvoluntary_ctxt")):
                total += int(line.split()[1])
    return total


def memory_kb(pids):
    """Rss, Pss and Pss_Anon in kB, summed.  Library pages are shared with
    the clients on this very machine, so only Pss_Anon is comparable."""
    out = dict(rss=0, pss=0, anon=0, processes=len(pids))
    key = {"Rss:": "rss", "Pss:": "pss", "Pss_Anon:": "anon"}
    for pid in pids:
        for line in read_text(f"/proc/{pid}/smaps_rollup").splitlines():
            w = line.split()
            if w[0] in key:
                out[key[w[0]]] += int(w[1])
    return out


def foreign_cpu():
    """{pid: CPU seconds} of the user processes that are not ours."""
    ours = set(descendants([os.getpid()]))
    hz = os.sysconf("SC_CLK_TCK")
    out = {}
    for pid in all_pids():
        f = None if pid in ours else stat_fields(pid)
        if f and pid != 2 and f[1] != "2":  # kernel threads work for all
            # With its children that ended: a compiler lives for a second.
            out[pid] = sum(map(int, f[11:15])) / hz
    return out


def foreign_share(before, after, seconds):
    """Share of one core that others used between two foreign_cpu().  What
    a process used goes to its parent when it ends: only the sum tells."""
    used = sum(after.values()) - sum(before.values())
    return round(max(0, used) / max(seconds, 0.001), 3)


def stolen():
    """CPU seconds the host of this virtual machine kept for itself."""
    return int(read_text("/proc/stat").split()[8]) / os.sysconf("SC_CLK_TCK")


def reap():
    """Collect orphans that came to us: a zombie keeps its lock file alive."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] > 0:
            pass
    except ChildProcessError:
        pass


def alive(pid):
    f = stat_fields(pid)
    return f is not None and f[0] != "Z"


def signal_all(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


def end(roots, wait=2.0):
    """End processes we started, and what they started, by pid."""
    pids = descendants(roots)
    signal_all(pids, signal.SIGTERM)
    deadline = now() + wait
    while now() < deadline:
        for pid in pids:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        if not any(alive(p) for p in pids):
            return
        time.sleep(0.02)
    signal_all([p for p in pids if alive(p)], signal.SIGKILL)


def wait_port(port, limit=8.0):
    deadline = now() + limit
    while now() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            time.sleep(0.03)
    raise RuntimeError(f"nothing listens on port {port}")
