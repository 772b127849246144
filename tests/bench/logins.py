"""Logins by real ssh clients, right ones and wrong ones: how many a second,
and what one that failed leaves behind in memory."""
import os
import subprocess
import time

import measure
import proc

TICKS = os.sysconf("SC_CLK_TCK")
SIDE_BY_SIDE = 4
WARM = 100                      # the allocator's and the libraries' caches


def start(argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def run(argv, count):
    """That many, some side by side; those that failed, and seconds."""
    left, bad, running = count, 0, []
    t0 = time.monotonic()
    while left or running:
        while left and len(running) < SIDE_BY_SIDE:
            running.append(start(argv))
            left -= 1
        bad += running.pop(0).wait(timeout=30) != 0
    return bad, time.monotonic() - t0


def wrong_key(bench, argv):
    key = bench.site.work / "wrong"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                        "-f", str(key)], check=True)
    right = str(bench.site.work / "user")
    return [str(key) if a == right else a for a in argv]


def logins(bench, system):
    """A whole session each: handshake, key, a command of no weight."""
    count = bench.sizes.logins
    with bench.session(system) as (_, server):
        argv = bench.site.ssh(server.port, False, server.nothing())
        run(argv, WARM)
        before = cpu_with_the_ended(server)
        bad, took = run(argv, count)
        used = cpu_with_the_ended(server) - before
        return dict(per_s=count / took, failed=bad,
                    cpu_ms=used * 1000 / count)


def cpu_with_the_ended(server):
    """Seconds of what runs and of the children it has waited for: sshd has
    a process for each login."""
    fields = [proc.stat_fields(pid) for pid in server.pids()]
    return sum(int(n) for f in fields if f for n in f[11:15]) / TICKS


def refused(bench, system):
    """Clients with a key that nobody knows; loopback has no penalties."""
    count = bench.sizes.logins
    with bench.session(system) as (_, server):
        argv = wrong_key(bench, bench.site.ssh(server.port, False,
                                               server.nothing()))
        run(argv, WARM)
        time.sleep(1)
        before = proc.memory_kb(server.pids())["anon"]
        good, took = run(argv, count)
        time.sleep(1)
        after = proc.memory_kb(server.pids())["anon"]
        return dict(bytes_each=max(0, after - before) * 1024 / count,
                    per_s=count / took, let_in=count - good)


MEASUREMENTS = {
    "logins": measure.Measurement(logins, logins=True),
    "refused": measure.Measurement(refused, logins=True),
}
