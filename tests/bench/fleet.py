#!/usr/bin/env python3
"""A fleet at one relay: many real boxes, one stock sshd, one machine.

    tests/bench/fleet.py [--boxes N] [--down S ...] [-o FILE]

Every box is an oobd of its own with all its processes; the relay is set up
by contrib/relay/oobd-relay-setup.sh as docs/relay.md says.  Measures what
the relay holds per box, and for each --down what happens when the relay was
gone for so long: how the boxes come back, and how many at once.

Needs Linux (it reads /proc).  As root the boxes log in to an account made
for the run, as on a real relay; else to the caller's own, where sshd needs
fewer processes.  OOBD names the daemon, default build/oobd."""
import argparse
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import proc                         # noqa: E402
import report                       # noqa: E402
from proc import now                # noqa: E402
from stock_relay import Account, Relay, SSHD    # noqa: E402

ACCOUNT = "oobd-fleet"
FIRST = 20000       # port of the first box


def arguments():
    a = argparse.ArgumentParser(description="many boxes at one relay")
    a.add_argument("--boxes", type=int, default=200)
    a.add_argument("--down", type=float, nargs="*", default=[5, 120],
                   help="seconds that the relay is gone, one row each")
    a.add_argument("--limit", type=float, default=900,
                   help="seconds until all must be back")
    a.add_argument("-o", "--out", type=Path, help="markdown goes here, too")
    a.add_argument("--keep", action="store_true")
    return a.parse_args()


def say(text):
    print(f"fleet: {text}", file=sys.stderr, flush=True)


class Box:
    def __init__(self, work, number, relay, host_key, oobd):
        self.name = f"box{number:04d}"
        self.forward = FIRST + number
        self.oobd = oobd
        self.process = None
        d = self.dir = work / self.name
        (d / "state").mkdir(mode=0o700, parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        str(d / "state/relay_ed25519")], check=True)
        self.public = " ".join((d / "state/relay_ed25519.pub").read_text()
                               .split()[:2])
        self.conf = d / "oobd.conf"
        self.conf.write_text(
            f'name = "{self.name}"\nstate_dir = "{d}/state"\n'
            f'log_dir = "{d}/log"\ncontrol = "{d}/ctl"\n'
            f'service_user = "{pwd.getpwuid(os.geteuid()).pw_name}"\n'
            # Two hundred boxes share two cores here, not two each.
            'deadline = 60s\n'
            f'console "gw" {{\n\tdevice = "{d}/none"\n}}\n'
            'ssh {\n\tlisten = {}\n}\n'
            'relay "r" {\n\thost = "127.0.0.1"\n'
            f'\tport = {relay.port}\n\tsecond_port = 0\n'
            f'\tuser = "{relay.account}"\n'
            '\tidentity = "relay_ed25519"\n'
            f'\thost_key = {{"{host_key}"}}\n'
            f'\tlisten = "localhost:{self.forward}"\n'
            '\twhen = "always"\n}\n')

    def start(self):
        with open(self.dir / "out", "ab") as out:
            self.process = subprocess.Popen(
                [str(self.oobd), "-f", str(self.conf)], stdout=out,
                stderr=out, stdin=subprocess.DEVNULL)


def listening(count):
    """How many of the forwarded ports are there."""
    ss = subprocess.run(["ss", "-Hltn4"], capture_output=True, text=True)
    ports = {int(p) for p in re.findall(r"127\.0\.0\.1:(\d+)", ss.stdout)}
    return len(ports & set(range(FIRST, FIRST + count)))


def busiest(times, span):
    """The most logins in any stretch of so many seconds."""
    best = 0
    times = sorted(times)
    first = 0
    for last, t in enumerate(times):
        while times[first] <= t - span:
            first += 1
        best = max(best, last - first + 1)
    return best


class Fleet:
    """So many boxes, in this folder, and their relay; close() ends all."""

    def __init__(self, work, count, oobd, limit=900):
        self.count = count
        self.limit = limit          # s, until all must be back
        self.boxes = []
        self.relay = None
        self.account = Account(ACCOUNT)
        try:
            self.relay = Relay(work / "relay", self.account.name)
            key = self.relay.host_key()
            self.boxes = [Box(work, n, self.relay, key, oobd)
                          for n in range(count)]
            self.relay.add_boxes([(b.name, b.forward, b.public)
                                  for b in self.boxes])
        except BaseException:
            self.close()
            raise

    def close(self):
        started = [b.process for b in self.boxes if b.process is not None]
        proc.signal_all([p.pid for p in started], signal.SIGTERM)
        for p in started:
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                proc.end([p.pid])
        if self.relay is not None:
            self.relay.close()
        self.account.close()
        proc.end([p for p in proc.descendants([os.getpid()])
                  if p != os.getpid()])
        proc.reap()

    def watch(self, text, since):
        """Until all are there: [(seconds, how many)]."""
        rows = []
        while True:
            n = listening(self.count)
            rows.append((now() - since, n))
            if n == self.count:
                return rows
            if now() - since > self.limit:
                say(f"{text}: only {n} of {self.count} after "
                    f"{self.limit:g} s")
                return rows
            time.sleep(0.1)

    def start(self):
        """As fast as the machine takes them: it is not this that is
        measured.  (seconds, how many)"""
        since = now()
        for i, b in enumerate(self.boxes):
            b.start()
            while i - listening(self.count) > 8 and \
                    now() - since < self.limit:
                time.sleep(0.05)
        return self.watch("first start", since)[-1]

    def steady(self, settle=10, span=30):
        """Started, and nobody on them."""
        self.relay.start()
        empty = proc.memory_kb(self.relay.pids())
        took, back = self.start()
        say(f"{back} boxes up after {took:.0f} s")
        time.sleep(settle)
        pids = self.relay.pids()
        full = proc.memory_kb(pids)
        cpu, woke, t = proc.cpu_ns(pids), proc.switches(pids, True), now()
        time.sleep(span)
        took = now() - t
        used, _ = proc.cpu_used(cpu, proc.cpu_ns(pids))
        woke = (proc.switches(pids, True) - woke) / took
        ours = proc.memory_kb(proc.descendants(
            [b.process.pid for b in self.boxes]))
        n = max(1, back)
        return dict(
            boxes=back, processes=(full["processes"] - empty["processes"]) / n,
            pss_kb=(full["pss"] - empty["pss"]) / n,
            anon_kb=(full["anon"] - empty["anon"]) / n,
            cpu_pct=100 * used / took, wakeups=woke,
            box_kb=ours["anon"] / n)

    def outage(self, down):
        """The relay goes away with everything, and comes back."""
        relay = self.relay
        relay.kill()
        time.sleep(down)
        relay.logins.clear()
        relay.dropped = 0
        relay.start()
        since = now()
        cpu = proc.cpu_ns(relay.pids())
        rows = self.watch(f"down {down:g} s", since)
        used, _ = proc.cpu_used(cpu, proc.cpu_ns(relay.pids()))
        logins = [t - since for t in relay.logins]

        def reached(share):
            return next((t for t, n in rows if n >= share * self.count), None)
        return dict(down=down, back=rows[-1][1], first=reached(
            1 / self.count), half=reached(0.5), most=reached(0.9),
            all=reached(1), logins=len(logins), peak=busiest(logins, 1),
            dropped=relay.dropped, cpu=used)


def cell(v):
    return "-" if v is None else f"{v:.1f}" if isinstance(v, float) else \
        str(v)


def table(rows, columns):
    out = ["| " + " | ".join(title for title, _ in columns) + " |",
           "|" + "---|" * len(columns)]
    for r in rows:
        out.append("| " + " | ".join(cell(r[k]) for _, k in columns) + " |")
    return "\n".join(out)


STEADY = (
    ("boxes", "boxes"), ("sshd processes per box", "processes"),
    ("memory per box on the relay (Pss), kB", "pss_kb"),
    ("... of that its own (anonymous), kB", "anon_kb"),
    ("relay's CPU for all of them, idle, % of a core", "cpu_pct"),
    ("relay's wake-ups/s for all of them, idle", "wakeups"),
    ("anonymous memory of one box, all its processes, kB", "box_kb"))
OUTAGE = (
    ("relay gone for, s", "down"), ("first back, s", "first"),
    ("half, s", "half"), ("90 %, s", "most"), ("all, s", "all"),
    ("logins", "logins"), ("most in 1 s", "peak"),
    ("turned away (MaxStartups)", "dropped"), ("relay's CPU, s", "cpu"))


def measure(o, fleet):
    steady = fleet.steady()
    rows = [dict(what=title, value=steady[key]) for title, key in STEADY]
    out = [table(rows, (("steady state", "what"), ("", "value"))), ""]
    rows = []
    for down in o.down:
        rows.append(fleet.outage(down))
        say(str(rows[-1]))
        time.sleep(5)
    out.append(table(rows, OUTAGE))
    ok = all(r["back"] == o.boxes for r in [*rows, dict(
        back=steady["boxes"])])
    return "\n".join(out) + "\n", ok


def main():
    o = arguments()
    oobd = Path(os.environ.get("OOBD", ROOT / "build" / "oobd")).resolve()
    for p in (oobd, SSHD):
        if p is None or not os.path.exists(p):
            sys.exit(f"fleet: {p or 'sshd'} is not there")
    proc.subreaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = Path(tempfile.mkdtemp(prefix="oobd-fleet-"))
    work.chmod(0o755)
    fleet = None
    try:
        fleet = Fleet(work, o.boxes, oobd, o.limit)
        text, ok = measure(o, fleet)
        text = report.machine(oobd.name) + "\n\n" + text
    finally:
        if fleet is not None:
            fleet.close()
        if not o.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(text)
    if o.out:
        o.out.write_text(text)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
