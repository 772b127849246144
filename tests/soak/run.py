"""make soak T=600 SEED=7: attaches, detaches, floods, kills, replugs, full
disks and storms of SMS at random, from a seed that is printed.  From time to
time everybody leaves, and then nothing may be missing from the record, nobody
may have grown, and every echo must have come in time.

The last line is "soak: N passed, N failed" over the looks that were taken.
"""
import argparse
import random
import re
import shutil
import statistics
import sys
import time
import traceback
from pathlib import Path

from world import LONG, World, wait_for
from acts import Acts
from conftest import BUILD, SANITIZED

# An echo takes at most so long, in s; 98 of 100; half of them.  All on a
# machine that does other things, too.
WORST = 4.0 if SANITIZED else 2.0
MOST = 1.0 if SANITIZED else 0.4
USUAL = 0.1 if SANITIZED else 0.02
GROWTH = 2048                   # kB, since the first look at a process
FDS = 2                         # the same: what may just be closing
PERIOD = 20, 600                # s between two looks, at least and at most
SIGNS = ("Sanitizer", "runtime error:", "out of memory")


class Soak:
    def __init__(self, folder, seed):
        self.folder = folder
        self.dice = random.Random(seed)
        self.world = World(folder)
        self.acts = Acts(self.world, self.dice)
        self.first = {}             # (role, pid) to its first usage
        self.most = {}              # role to the greatest growth, kB
        self.looked = time.time()
        self.log_at = 0
        self.bytes = self.gaps = self.pongs = 0
        self.answered = int(self.world.modem.sim.stat()["sent"])

    # One period, and the look after it.

    def play(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.world.note(self.acts.one())
            time.sleep(min(self.dice.expovariate(2), 3))

    def look(self):
        w = self.world
        self.acts.settle()
        for v in list(w.viewers):
            w.leave(v)
        w.typist.pause()
        w.up()
        w.received(*w.site.lines)
        for name in w.site.lines:
            self.look_at_record(name)
        self.look_at_messages()
        self.look_at_echo()
        self.look_at_usage()
        self.look_at_log()
        self.looked = time.time()
        w.typist.go_on()

    def look_at_record(self, name):
        """What was sent since the last look, less what the record says is
        missing, is its end, to the byte."""
        w, line = self.world, self.world.site.lines[name]
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                              time.gmtime(self.looked - 2))
        events = w.site.ctl("log", name, "--events", "--since", since,
                            "--text", seconds=LONG).stdout
        sent, at, want = bytes(line.sent), 0, b""
        for size, start, end in re.findall(
                rb" gap bytes=(\d+) from=(\d+) to=(\d+)", events):
            start, end = int(start) - line.checked, int(end) - line.checked
            if end <= 0:
                continue            # seen by the last look
            assert int(size) == end - start and start >= at, events
            want += sent[at:start]
            at = end
            self.gaps += int(size)
        want += sent[at:]
        got = b""

        def same():
            nonlocal got
            got = w.site.ctl("log", name, "--raw", "--since", since,
                             seconds=LONG).stdout
            return got.endswith(want) or \
                (removed and want.endswith(got))
        # A full disk takes the oldest files, and says so.
        removed = b" removed console=" in events
        try:
            wait_for(same, 10, 0.5)
        except AssertionError:
            for suffix, data in (("sent", want), ("record", got),
                                 ("events", events)):
                (self.folder / f"{name}.{suffix}").write_bytes(data)
            raise AssertionError(
                f"the record of {name} is not what was sent: see "
                f"{self.folder}/{name}.*") from None
        done = w.site.ctl("verify", name, seconds=LONG)
        assert done.returncode == 0, done.stdout
        self.bytes += len(sent)
        line.forget()

    def look_at_messages(self):
        """Each good one was answered once, nothing else was."""
        modem = self.world.modem
        modem.empty(LONG)
        wait_for(lambda: "; 0 waiting" in modem.sms_line(), LONG, 0.1,
                 "answers to be sent")
        new = int(modem.sim.stat()["sent"]) - self.answered
        least = 0 if self.acts.modem_hurt else self.acts.pings
        assert least <= new <= self.acts.pings, \
            f"{self.acts.pings} good messages, {new} answers"
        self.answered += new
        self.pongs += new
        self.acts.pings = 0
        self.acts.modem_hurt = False
        modem.codes.given = modem.codes.given[-100:]

    def look_at_echo(self):
        t = self.world.typist
        assert t.problem is None, t.problem
        assert t.is_alive()
        times, t.since = t.since, []
        if times:
            assert max(times) < WORST, f"an echo took {max(times):.2f} s"
            late = sum(t > MOST for t in times)
            assert late <= len(times) / 50, \
                f"{late} of {len(times)} echoes took over {MOST} s"
            assert statistics.median(times) < USUAL, \
                f"half of the echoes took {statistics.median(times):.3f} s"

    def look_at_usage(self):
        """Nobody is there but the typist."""
        def grown():
            found = []
            for key, (kb, fds) in self.world.usage().items():
                before = self.first.setdefault(key, (kb, fds))
                self.most[key[0]] = max(self.most.get(key[0], 0),
                                        kb - before[0])
                if kb - before[0] > GROWTH and not SANITIZED:
                    found.append(f"{key[0]} {before[0]} to {kb} kB")
                if fds - before[1] > FDS:
                    found.append(f"{key[0]} {before[1]} to {fds} "
                                 f"descriptors")
            return found
        try:
            wait_for(lambda: not grown(), LONG / 3, 1)
        except AssertionError:
            raise AssertionError("; ".join(grown())) from None
        here = {key for key in self.world.usage()}
        self.first = {k: v for k, v in self.first.items() if k in here}

    def look_at_log(self):
        with open(self.world.site.log_path, "rb") as f:
            f.seek(self.log_at)
            text = f.read().decode(errors="replace")
            self.log_at = f.tell()
        for sign in SIGNS:
            assert sign not in text, text[-4000:]

    def figures(self):
        t = self.world.typist
        times = sorted(t.times) or [0]
        did = ", ".join(f"{n} {what}" for what, n in
                        sorted(self.acts.done.items()))
        grown = ", ".join(f"{role} {kb}" for role, kb in
                          sorted(self.most.items()))
        return (f"did: {did}\n"
                f"recorded {self.bytes} bytes, {self.gaps} in gaps that are "
                f"told; {self.pongs} commands by SMS\n"
                f"{len(times)} echoes: median "
                f"{statistics.median(times) * 1000:.1f} ms, 99 % within "
                f"{times[len(times) * 99 // 100] * 1000:.1f} ms, worst "
                f"{times[-1] * 1000:.0f} ms; {t.excused} across a kill, "
                f"{t.logins} logins\n"
                f"greatest growth in kB: {grown}")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--seconds", type=float, default=600)
    parse.add_argument("--seed", type=int,
                       default=random.SystemRandom().randrange(10 ** 6))
    args = parse.parse_args()
    folder = BUILD / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"soak: {args.seconds:.0f} s from seed {args.seed}; what is done "
          f"is written to {folder}/diary", flush=True)
    period = min(max(args.seconds / 10, PERIOD[0]), PERIOD[1])
    soak = Soak(Path(folder), args.seed)
    end = time.monotonic() + args.seconds
    good = bad = 0
    try:
        soak.look()
        while time.monotonic() < end:
            # In two of three nobody is killed: who grows is seen then.
            soak.acts.kills = good % 3 == 1
            soak.play(min(period, max(1, end - time.monotonic())))
            soak.look()
            soak.world.note(f"looked: all is well, {soak.most}")
            good += 1
    except (AssertionError, OSError, KeyError, ValueError) as e:
        traceback.print_exc()
        soak.world.note(f"failed: {e}")
        print(f"to do it again: make soak T={args.seconds:.0f} "
              f"SEED={args.seed}")
        print(soak.world.site.log()[-6000:])
        soak.world.note(f"processes: {soak.world.roles()}")
        shutil.rmtree(folder / "journal", ignore_errors=True)
        shutil.copytree(soak.world.site.dir / "journal", folder / "journal",
                        symlinks=True)
        bad = 1
    print(soak.figures())
    try:
        soak.world.close()
    except AssertionError:
        traceback.print_exc()
        bad = 1
    print(f"soak: {good} passed, {bad} failed")
    return bad


if __name__ == "__main__":
    sys.exit(main())
