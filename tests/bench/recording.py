"""What the record costs: processor time, and bytes on a disk, with a time for
every line, for each that keeps one."""
import os
import subprocess
import time
from pathlib import Path

import measure
import proc
from load import LINE, whole_lines
from proc import now

DISK_MB = 512
SECTOR = 512


class Disk:
    """A file system of its own, on a loop device that counts."""

    def __init__(self, image, where):
        self.image, self.where = image, where
        with open(image, "wb") as f:
            f.truncate(DISK_MB << 20)
        # All of its own tables now, not behind our back.
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E",
                        "lazy_itable_init=0,lazy_journal_init=0",
                        str(image)], check=True)
        where.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(where)],
                       check=True)
        device = os.stat(where).st_dev
        self.stat = Path(f"/sys/dev/block/{os.major(device)}:"
                         f"{os.minor(device)}/stat")

    def written(self):
        """Bytes, all that waits for it included."""
        fd = os.open(self.where, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        subprocess.run(["sync", "-f", str(self.where)], check=True)
        return int(self.stat.read_text().split()[6]) * SECTOR

    def close(self):
        subprocess.run(["umount", str(self.where)], check=True)
        self.image.unlink()


def stamped(system):
    """That system with a time on each line, its record on a disk of its
    own."""
    class Stamped(system):
        times = True

        def serve(self, ttys):
            self.disk = Disk(self.work / "image", self.log_dir())
            super().serve(ttys)

        def stop(self):
            super().stop()
            if self.disk is not None:
                self.disk.close()
                self.disk = None
    return Stamped


def wait_for_record(bench, server, n, limit=60):
    """Until the record has all n bytes of the payload; how many it lacks."""
    deadline = now() + limit
    while True:
        lost = bench.payload.lost(server.log_bytes(0), 0, n)
        if lost == 0 or now() > deadline:
            return lost
        time.sleep(0.5)


def flooded(bench, server, router):
    """As fast as it goes, and nobody looks."""
    n = whole_lines(bench.sizes.flood_mb)
    pids = server.pids()
    before, t0 = proc.cpu_ns(pids), now()
    router.flood(0, 0, n)
    while router.busy():
        time.sleep(0.05)
    took = now() - t0
    lost = wait_for_record(bench, server, n)
    cpu, _ = proc.cpu_used(before, proc.cpu_ns(pids))
    return dict(mb_s=n / 1e6 / took, cpu_s_per_100mb=cpu * 100e6 / n,
                log_lost=lost, record_x=record_bytes(server) / n)


def paced(bench, server, router):
    """At a UART's pace, for as long as it takes to settle a few times."""
    seconds = bench.sizes.paced_sec
    n = int(measure.UART_BPS * seconds) // LINE * LINE
    disk, pids = server.disk.written(), server.pids()
    before = proc.cpu_ns(pids)
    router.paced(0, 0, n, measure.UART_BPS, measure.UART_CHUNK)
    while router.busy():
        time.sleep(0.2)
    time.sleep(1)
    cpu, _ = proc.cpu_used(before, proc.cpu_ns(pids))
    return dict(paced_ms_per_mb=cpu * 1e9 / n,
                disk_x=(server.disk.written() - disk) / n)


def record_bytes(server):
    """Of all files that it writes, those included that it has for itself."""
    return sum(p.stat().st_size for p in server.log_dir().rglob("*")
               if p.is_file() and not p.is_symlink()
               and p.name != ".reserve")


def recording(bench, system):
    system = stamped(system)
    with bench.session(system) as (router, server):
        time.sleep(1)
        out = flooded(bench, server, router)
    with bench.session(system) as (router, server):
        time.sleep(1)
        out.update(paced(bench, server, router))
    return out


MEASUREMENTS = {
    "record": measure.Measurement(recording, "flood_runs", logs=True),
}
