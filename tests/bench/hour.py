"""Many consoles at a UART's pace for a long time, and looking things up in a
long journal: is memory constant, is nothing lost, is anything slow?"""
import os
import shutil
import subprocess
import time

import measure
import proc
import search
from load import LINE, LINES, Stream
from proc import now
from systems import Oobd

VIEWED = 4                      # consoles with a client each
OFFSET = 400_000                # of the payload, from console to console
SEGMENT_MOST = 16 << 20
MOST = (LINE * LINES - 48 * OFFSET) // measure.UART_BPS   # seconds


class Recorder(Oobd):
    """Its segments are as long as a journal of so many seconds needs, for
    some to be packed and some to be removed meanwhile.  What is removed is
    that of the consoles whose every byte a client sees."""
    seconds = 0

    def segment(self):
        """Bytes of text: about a fifth of a console's journal."""
        return max(64 << 10, min(
            SEGMENT_MOST, int(self.seconds * measure.UART_BPS * 2 / 5)))

    def journal_options(self):
        return f"rotate_size = {self.segment()}"

    def console_options(self, number):
        return f"keep_size = {self.segment()}" if number < VIEWED else ""


# ------------------------------------------------------------ memory
def memory_of_each(pids):
    """{pid: kB of anonymous memory}"""
    return {p: proc.memory_kb([p])["anon"] for p in pids}


def role(pid):
    """What a process of oobd is for."""
    words = proc.read_text(f"/proc/{pid}/cmdline").split("\0")
    return words[words.index("-R") + 1] if "-R" in words else "parent"


class Samples:
    """Anonymous memory of each process, now and then."""

    def __init__(self, pids, every):
        self.roles, self.every = {p: role(p) for p in pids}, every
        self.rows, self.next = [], 0

    def look(self):
        if now() < self.next:
            return
        self.next = now() + self.every
        self.rows.append(memory_of_each(self.roles))

    def highest(self):
        """Of the first and of the second half, {process: kB}."""
        half = len(self.rows) // 2
        return [{self.roles[p]: max(r[p] for r in rows) for p in self.roles}
                for rows in (self.rows[:half], self.rows[half:])]


# ------------------------------------------------------------ the record
def begins_at(folder):
    """Offset of the first byte that is kept."""
    first = sorted(p for p in folder.iterdir()
                   if p.name.endswith(("Z.log", "Z.log.zst")))[0]
    with subprocess.Popen(["zstdcat", "-f", str(first)],
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        head = p.stdout.readline()
        p.kill()
    return int(head.split()[3])


def missing(server, bench, port, start, off, sent, overrun):
    """(bytes that the record lacks of those sent, of how many): of what is
    kept, byte for byte.  Where the line overran, of which the record cannot
    know: by their number alone."""
    begin = begins_at(server.log_dir() / f"c{port}")
    oobctl = str(server.site.oobd.with_name("oobctl"))
    at = off + max(0, begin - start)
    got, exact = 0, overrun == 0
    with subprocess.Popen([oobctl, "-D", str(server.log_dir()), "log",
                           f"c{port}", "--raw"],
                          stdout=subprocess.PIPE) as p:
        got += len(p.stdout.read(max(0, start - begin)))
        while b := p.stdout.read(1 << 20):
            got += len(b)
            exact = exact and bench.payload.bytes[at:at + len(b)] == b
            at += len(b)
    lack = abs(start + sent - begin - got)
    if overrun == 0 and not exact:
        lack = max(1, lack)
    return lack, sent - max(0, begin - start)


def count(folder, ending):
    return sum(len(list(d.glob("*" + ending))) for d in folder.iterdir()
               if d.name[0] == "c")


def removals(folder):
    """Events of the box's journal that tell of a segment removed."""
    out = subprocess.run(
        ["zstdcat", "-f", *map(str, (folder / ".box").glob("[0-9]*Z.log*"))],
        stdout=subprocess.PIPE, check=True).stdout
    return out.count(b" removed console=c")


# ------------------------------------------------------------ recording
def record(bench, seconds, lines):
    n = int(measure.UART_BPS * seconds) // LINE * LINE
    ports = range(lines)
    off = [p * OFFSET for p in ports]
    Recorder.seconds = seconds
    with bench.session(Recorder, lines) as (router, server):
        clients = measure.attach(server, router, range(VIEWED))
        time.sleep(1)
        start = [len(server.log_bytes(p)) for p in ports]
        streams = [Stream(c, bench.payload, off[p], n)
                   for p, c in enumerate(clients)]
        samples = Samples(server.pids(), max(1, seconds / 120))
        before, t0 = proc.cpu_ns(server.pids()), now()
        for p in ports:
            router.paced(p, off[p], n, measure.UART_BPS, measure.UART_CHUNK)
        end = measure.pump(streams, seconds * 2 + 30, quiet=5, tick=0.02,
                           busy=lambda: router.busy(ports),
                           each=samples.look)
        while router.busy(ports):
            time.sleep(0.1)
        took = now() - t0
        cpu, _ = proc.cpu_used(before, proc.cpu_ns(server.pids()))
        stat = [router.stat(p) for p in ports]
        removed = removals(server.log_dir())
        packed = count(server.log_dir(), ".log.zst")
        server.stop()
        lost = [missing(server, bench, p, start[p], off[p],
                        stat[p]["sent"], stat[p]["overrun"]) for p in ports]
        first, second = samples.highest()
        return dict(
            lines=lines, seconds=seconds, ended=end, took=took,
            mb=n * lines / 1e6, compared_mb=sum(c for _, c in lost) / 1e6,
            overrun=sum(s["overrun"] for s in stat),
            log_lost=sum(m for m, _ in lost), viewed=VIEWED,
            lost=sum(abs(stat[p]["sent"] - s.total) or
                     (s.lost() if stat[p]["overrun"] == 0 else 0)
                     for p, s in enumerate(streams)),
            cpu_pct=100 * cpu / took, packed=packed, removed=removed,
            growth_kb=max(second[r] - first[r] for r in first),
            first_kb=first, second_kb=second,
            samples=len(samples.rows))


# ------------------------------------------------------------ looking up
def write_packed(bench, folder, megabytes):
    """A journal of so much text, packed but for its newest segments."""
    def pack(number, count):
        if number % 8 == 7 and number < count - 1:
            subprocess.run([str(bench.site.build / "pack"), str(folder)],
                           check=True)
    return search.write(folder, megabytes << 20, pack)


def forget(folder):
    """Have the file cache forget it."""
    for path in folder.iterdir():
        if path.is_symlink():
            continue
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def whole_ms(argv):
    """Until the program has said everything."""
    return 1000 * search.timed(argv)[0]


def first_ms(argv):
    """Until it says something."""
    return 1000 * search.first_byte(argv)


def reader_kb(argv, megabytes):
    """Anonymous memory of a program that is read from: when it has written
    a sixteenth of that and when it has written all."""
    kb = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as p:
        for n in (megabytes // 16, megabytes - megabytes // 16):
            left = n << 20
            while left > 0 and (b := p.stdout.read(min(left, 1 << 20))):
                left -= len(b)
            kb.append(proc.memory_kb([p.pid])["anon"])
        p.kill()
    return kb


def look_up(bench, megabytes):
    """The slowest of several places, each the median of several tries and
    one behind a cache that had forgotten the journal."""
    bench.count += 1
    work = bench.site.work / f"{bench.count:03d}-long"
    folder = work / "gw"
    oobctl = [str(bench.site.oobd.parent / "oobctl"), "-D", str(work)]
    out = {}
    try:
        _, end = write_packed(bench, folder, megabytes)
        out["disk_mb"] = sum(p.stat().st_size for p in folder.iterdir()) >> 20
        out["journal_gb"] = megabytes / 1024
        out["segments"] = len(list(folder.iterdir()))
        for share in (0.02, 0.5, 0.97):
            t, until = (search.stamp(int(end * share) + more)
                        for more in (0, 10_000))
            span = ["--since", t, "--until", until]
            for name, timer, argv in (
                    ("log_ms", whole_ms, ["log", "gw", *span]),
                    ("at_ms", first_ms, ["replay", "gw", "--at", t]),
                    ("hit_ms", first_ms,
                     ["grep", *span, "DHCPACK", "gw"])):
                forget(folder)
                cold = timer([*oobctl, *argv])
                warm = measure.median(timer([*oobctl, *argv])
                                      for _ in range(search.TRIES))
                for key, ms in ((name, warm), ("cold_" + name, cold)):
                    out[key] = max(ms, out.get(key, 0))
        first, last = reader_kb([*oobctl, "log", "gw"], megabytes // 8)
        out.update(reader_kb=last, reader_growth_kb=last - first)
        return out
    finally:
        if not bench.keep:
            shutil.rmtree(work, ignore_errors=True)


# ------------------------------------------------------------
def hour(bench, _system):
    out = record(bench, bench.sizes.hour_sec, bench.sizes.busy_lines)
    out.update(look_up(bench, bench.sizes.long_mb))
    return out


MEASUREMENTS = {"hour": measure.Measurement(hour, alone=True, once=True)}
