"""Searching and replaying a long journal, beside grep(1) on its text and
zstdgrep on its packed form, in the same minutes."""
import os
import resource
import shutil
import subprocess
import time
from datetime import datetime, timedelta, timezone

import measure

T0 = datetime(2026, 11, 22, tzinfo=timezone.utc)
SEGMENT = 16 << 20
WORDS = ("usb 1-1: new high-speed USB device number",
         "sshd: Accepted publickey for alice from",
         "em0: link state changed to", "kernel: eth0: renamed from veth",
         "systemd: Started Session of user", "pci 0000:00: bridge window",
         "dhcpd: DHCPACK on")
TRIES = 5
# What is looked for, and how it is called in the figures.
EXPRESSIONS = (("word", "NEEDLE"), ("either", "NEEDLE|watchdog"),
               ("several", "link state .* 9999. "),
               ("digits", "[0-9]9999[0-9] port 1[0-9]*1"))


def stamp(ms):
    return (T0 + timedelta(milliseconds=ms)).strftime(
        "%Y-%m-%dT%H:%M:%S.%f") + "Z"


def lines(start, count, offset, needle):
    """Text of records, a hundred each second, and the offset behind them."""
    out, second = [], ""
    for i in range(start, start + count):
        if i % 100 == 0 or not second:
            second = stamp(i // 100 * 1000)[:20]
        text = f"[{i * 0.01:12.6f}] {WORDS[i % 7]} " \
            f"{i * 2654435761 % 100000} port {i % 65536}"
        if i == needle:
            text += " NEEDLE"
        out.append(f"{second}{i % 100:02d}0000Z {1000 + i * 0.01:.6f} o "
                   f"{offset} {text}\n")
        offset += len(text) + 2
    return "".join(out), offset


def write(folder, total, written=None):
    """Segments of about that much text in all, written() called behind each;
    when the needle came, and when it ends, ms."""
    folder.mkdir(parents=True)
    per = SEGMENT // 120
    count = max(2, total // SEGMENT)
    needle = int(per * count * 0.95)
    offset = 0
    for n in range(count):
        text, behind = lines(n * per, per, offset, needle)
        head = (f"{stamp(n * per * 10)} {1000 + n * per * 0.01:.6f} h "
                f"{offset} oobd-journal 1 console=gw box=b seq={n + 1} "
                f"boot=0123456789abcdef prev=-\n")
        when = (T0 + timedelta(milliseconds=n * per * 10)).strftime(
            "%Y%m%dT%H%M%SZ")
        path = folder / f"{n + 1:08d}-{when}.log"
        path.write_text(head + text)
        # Its time is part of the record: it tells when it ended.
        end = T0.timestamp() + (n + 1) * per / 100
        os.utime(path, (end, end))
        offset = behind
        if written is not None:
            written(n, count)
    return needle * 10, per * count * 10


def child_cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def timed(argv, found=True):
    """(seconds, CPU seconds, output); status 0 or 1 is fine."""
    cpu, start = child_cpu(), time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    took = time.monotonic() - start
    if done.returncode not in (0, 1) or (found and not done.stdout):
        raise RuntimeError(f"{argv}: {done.returncode}, {done.stdout[:100]}")
    return took, child_cpu() - cpu, done.stdout


def best(*argvs, found=True):
    """The shortest of several tries of each, taken in turns."""
    rows = [[] for _ in argvs]
    for _ in range(TRIES):
        for row, a in zip(rows, argvs):
            row.append(timed(a, found))
    return [(min(t for t, _, _ in row), min(c for _, c, _ in row),
             row[0][2]) for row in rows]


def first_byte(argv):
    """Seconds until a program writes something; it is ended then."""
    start = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        p.stdout.read(1)
        took = time.monotonic() - start
        p.kill()
    return took


def search(bench, _system):
    """Wall clock, oobctl beside the tools; the file cache is warm."""
    sizes = bench.sizes
    bench.count += 1
    work = bench.site.work / f"{bench.count:03d}-search"
    folder = work / "gw"
    needle_ms, end_ms = write(folder, sizes.search_mb << 20)
    oobctl = [str(bench.site.oobd.parent / "oobctl"), "-D", str(work)]
    files = [str(p) for p in sorted(folder.glob("*.log"))]
    out = {"mb": sum(p.stat().st_size for p in folder.iterdir()) >> 20}
    try:
        for name, ere in EXPRESSIONS:
            ours, grep = best([*oobctl, "grep", ere],
                              ["grep", "-hE", ere, *files],
                              found=name != "digits")
            if len(ours[2].splitlines()) != len(grep[2].splitlines()):
                raise RuntimeError(f"{ere}: another result than grep's")
            out[f"{name}_x"] = ours[0] / grep[0]
            out[f"{name}_cpu_x"] = ours[1] / grep[1]
            out[f"{name}_s"] = ours[0]
        subprocess.run([str(bench.site.build / "pack"), str(folder)],
                       check=True)
        packed = [str(p) for p in sorted(folder.glob("*.zst"))]
        if len(packed) != len(files):
            raise RuntimeError("not everything was packed")
        since = stamp(needle_ms - 5000)
        ours, zstdgrep, hit = best(
            [*oobctl, "grep", "NEEDLE"],
            ["zstdgrep", "-hE", "NEEDLE", *packed],
            [*oobctl, "grep", "-m", "1", "--since", since, "NEEDLE"])
        out["packed_x"] = ours[0] / zstdgrep[0]
        out["since_x"] = zstdgrep[0] / hit[0]
        out["since_ms"] = hit[0] * 1000
        out["seek_ms"] = 1000 * min(
            first_byte([*oobctl, "replay", "gw", "--at", stamp(at)])
            for at in (end_ms // 3, end_ms // 2, end_ms * 2 // 3))
    finally:
        if not bench.keep:
            shutil.rmtree(work, ignore_errors=True)
    return out


MEASUREMENTS = {
    "grep": measure.Measurement(search, alone=True),
}
