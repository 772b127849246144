"""A whole site with everything that a soak plays with: three lines, people, a
modem, a relay, somebody to notify, and journals on a disk that can be full."""
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path += [str(ROOT / "tests" / "e2e"), str(ROOT / "tests")]

from conftest import wait_for                           # noqa: E402
from lines import Line                                  # noqa: E402
from modem_site import ModemSite                        # noqa: E402
from people import Client, Typist, Viewer               # noqa: E402
from relay_site import SSHD, Relay, RelaySite, descendants, rss_kb  # noqa: E402

DISK = 48                       # MB
LONG = 90                       # s: patience with what must come
TOP = """
sync = "1s"
digest = false
journal {{
	seal = 2s
	rotate_size = 1mb
	keep_size = 16mb
}}
notify "log" {{
	type = "exec"
	command = "{told}"
}}
"""
# Small enough that a full disk can cost something.
RING = "\tspeed = 115200\n\tring = 128kb\n"
MODEM = "\tsms_per_day = 10000\n\tsms_per_number = 10000\n"


class World:
    def __init__(self, folder):
        self.site = RelaySite()
        self.site.log_path = folder / "oobd.log"
        with contextlib.suppress(FileNotFoundError):
            self.site.log_path.unlink()
        self.relay = Relay().start() if SSHD else None
        self.disk = self._mount()
        for name in ("gw", "sw", "ap"):
            self.site.lines[name] = Line(self.site.dir / f"tty-{name}", name,
                                         echo=name == "gw")
            self.site.line_conf[name] = RING
        self.site.add_user("alice", role="admin")
        self.site.add_user("bob", role="viewer")
        if self.relay:
            self.forward = self.site.add_relay("cloud", self.relay)
        told = self.site.dir / "told"
        told.write_text("#!/bin/sh\nexec cat >/dev/null\n")
        told.chmod(0o755)
        self.modem = ModemSite(self.site, modem=MODEM,
                               extra=TOP.format(told=told))
        self.modem.args = ()
        self.diary = open(folder / "diary", "w", buffering=1)
        self.marks = 0
        self.open = 0
        self.viewers = []
        self.typist = None
        self.modem.start(ready=False)
        self.up()
        self.typist = Typist(self.site.ssh("alice", "-s", "console:gw"),
                             self.disturbed, self.note)

    def note(self, text):
        self.diary.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def _mount(self):
        """A journal that can be full, where that may be had."""
        journal = self.site.dir / "journal"
        journal.mkdir(mode=0o700)
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=700", "tmpfs",
             str(journal)], capture_output=True).returncode == 0

    # What excuses an echo that was late.

    def disturbed(self):
        return object() if self.open else self.marks

    @contextlib.contextmanager
    def disturbing(self):
        self.open += 1
        self.marks += 1
        try:
            yield
        finally:
            self.marks += 1
            self.open -= 1

    # What the daemon says.

    def status(self):
        done = self.site.ctl("status", "--json", seconds=LONG)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def consoles(self):
        return {c["name"]: c for c in self.status().get("consoles", [])}

    def roles(self):
        """Role to pid, the supervisor among them."""
        found = self.site.children()
        found["supervisor"] = self.site.process.pid
        return found

    def up(self):
        """Until everything that should run runs."""
        def look():
            assert self.site.process.poll() is None, "oobd has ended"
            s = self.status()
            return s and all(p["up"] for p in s["processes"]) and all(
                c["up"] for c in s["consoles"]) and \
                self.site.run("bob", "list", seconds=LONG).returncode == 0
        wait_for(look, LONG, 0.1, "everything to be up again")
        wait_for(lambda: self.modem.sms_line().startswith("listening"), LONG,
                 0.1, "listening for messages")
        if self.relay:
            self.site.await_up("cloud", LONG)

    def received(self, *names):
        """Until all that was sent on these lines has been read."""
        def look():
            seen = self.consoles()
            return all(n in seen and seen[n]["journal"]["offset"] ==
                       self.site.lines[n].total() for n in names)
        try:
            wait_for(look, LONG, 0.1)
        except AssertionError:
            raise AssertionError("bytes were lost: " + ", ".join(
                f"{n}: sent {self.site.lines[n].total()}, read "
                f"{self.consoles()[n]['journal']['offset']}"
                for n in names)) from None

    # People.

    def watch(self, name, through=False):
        user = "bob" if name == "gw" else "alice"
        if through:
            argv = self.site.through(user, self.forward, "-n",
                                     f"attach {name}")
        else:
            argv = self.site.ssh(user, "-n", f"attach {name}")
        self.viewers.append(Viewer(argv, self.site.lines[name]))

    def leave(self, viewer, signal=None):
        self.viewers.remove(viewer)
        viewer.client.stop(signal)
        assert viewer.saw_what_was_sent(), (
            f"a viewer of {viewer.line.name} saw what was not sent: "
            f"{bytes(viewer.client.out.data)[-300:]!r}")

    # Memory and descriptors.

    def usage(self):
        """(role, pid) to (anonymous kB, descriptors)."""
        found = {}
        for role, pid in self.roles().items():
            with contextlib.suppress(OSError):
                found[role, pid] = (rss_kb(pid),
                                    len(os.listdir(f"/proc/{pid}/fd")))
        return found

    def processes(self):
        return len(descendants(self.site.process.pid))

    def close(self):
        try:
            if self.typist:
                self.typist.end()
            for v in list(self.viewers):
                v.client.stop()
        finally:
            try:
                self.modem.close()
            finally:
                if self.disk:
                    subprocess.run(["umount", "-l",
                                    str(self.site.dir / "journal")])
                self.site.close()
                if self.relay:
                    self.relay.close()


__all__ = ["Client", "World", "wait_for", "LONG", "time"]
