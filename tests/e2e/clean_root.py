"""A minimal Debian that runs its own systemd: made once by debootstrap, kept
below build/clean, and lived in through an overlay that is thrown away.  It has
processes, mounts, a hostname and devices of its own, in which tests can play
lines; the network is this system's.

What is missing is said by Unable; a test skips then."""
import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess
import time
import tty
from pathlib import Path

from conftest import ROOT, Line, Stream, wait_for

CACHE = ROOT / "build/clean"
# Beside what the package depends on.
INCLUDE = ("systemd", "systemd-sysv", "passwd", "ppp")
# Of systemd's own: nothing that a container has no use for.
MASKED = ("console-getty.service", "getty@tty1.service", "getty.target",
          "systemd-logind.service", "apt-daily.timer", "dpkg-db-backup.timer",
          "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer",
          "e2scrub_reap.service", "systemd-networkd.service")
# It is thrown away, and nobody reads in it.
DPKG = "force-unsafe-io\n" + "".join(
    f"path-exclude=/usr/share/{d}/*\n"
    for d in ("doc", "man", "locale", "info", "zoneinfo"))
TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430
NODES = ("null", "zero", "full", "random", "urandom", "tty")

# $1 lower $2 upper $3 work $4 root $5 group
ENTER = """
set -e
mount --make-rprivate /
mount -t overlay -o lowerdir="$1",upperdir="$2",workdir="$3" overlay "$4"
cd "$4"
mount -t proc proc proc
mount -t sysfs -o ro sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t tmpfs -o mode=755 dev dev
for n in %s; do : > dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
exec chroot . /usr/bin/env -i container=oobd-test PATH=/usr/sbin:/usr/bin \
    /lib/systemd/systemd --log-target=null --unit=multi-user.target
""" % " ".join(NODES)
# $1 where a cgroup file system may be mounted, $2 the group
JOIN = """
mkdir -p "$1"
mount -t cgroup2 cgroup "$1" || exit 9
mkdir "$1/$2"
echo $$ > "$1/$2/cgroup.procs"
umount "$1"
shift 2
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc \
    sh -c "$@"
"""


class Unable(Exception):
    pass


def mirror():
    """(suite, URL) of where this system's own packages are from."""
    release = Path("/etc/os-release").read_text()
    suite = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.M)[1]
    rows = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)"],
        capture_output=True, text=True).stdout.splitlines()
    return suite, next((r.split()[1] for r in rows
                        if r.split()[0] == suite), None)


def make(argv):
    done = subprocess.run(argv, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-3000:]


def base(depends):
    """The folder with that Debian, once and for all tests of this clone."""
    suite, url = mirror()
    if url is None or not shutil.which("debootstrap"):
        raise Unable("no debootstrap, or no mirror of Debian is known")
    packages = ",".join([*INCLUDE, *sorted(depends)])
    name = hashlib.sha256(f"{suite} {packages} {MASKED}".encode()).hexdigest()
    found = CACHE / name[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found.exists():
            return found
        for old in CACHE.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        part = CACHE / "part"
        make(["debootstrap", "--foreign", "--variant=minbase",
              f"--include={packages}", suite, str(part), url])
        (part / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
        (part / "etc/dpkg/dpkg.cfg.d/quick").write_text(DPKG)
        make(["chroot", str(part), "/debootstrap/debootstrap",
              "--second-stage"])
        for d in "var/cache/apt", "var/lib/apt/lists":
            shutil.rmtree(part / d)
            (part / d).mkdir()
        for unit in MASKED:
            (part / "etc/systemd/system" / unit).symlink_to("/dev/null")
        part.rename(found)
    return found


class InnerLine(Line):
    """The far end of a line whose pty is in there."""

    def __init__(self, root):
        self.master = os.open(root.path("/dev/pts/ptmx"),
                              os.O_RDWR | os.O_NOCTTY)
        number = struct.pack("i", 0)
        fcntl.ioctl(self.master, TIOCSPTLCK, number)
        n, = struct.unpack("i", fcntl.ioctl(self.master, TIOCGPTN, number))
        self.path = f"/dev/pts/{n}"
        self.slave = os.open(root.path(self.path), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.slave)
        self.kept, self.echo = [], False
        self.typed = Stream(self.master)


class CleanRoot:
    def __init__(self, folder, depends):
        self.folder = Path(folder)
        self.group = f"oobd-test-{os.getpid()}-{time.monotonic_ns()}"
        lower = base(depends)
        for d in "upper", "work", "root", "cgroup":
            (self.folder / d).mkdir(parents=True)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", JOIN, "join",
             str(self.folder / "cgroup"), self.group, ENTER, "enter",
             str(lower), *[str(self.folder / d)
                           for d in ("upper", "work", "root")]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        try:
            self.pid = wait_for(self._first, 10, text="the first process")
            self.boot()
        except BaseException:
            self.close()
            raise

    def _first(self):
        if self.holder.poll() is not None:
            raise Unable(self.holder.stdout.read().strip())
        tasks = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}")
        for child in (tasks / "children").read_text().split():
            try:
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return child
            except OSError:
                pass
        return None

    def boot(self):
        wait_for(lambda: self.run("systemctl", "is-system-running",
                                  good=False).stdout.strip() in
                 ("running", "degraded"), 60, 0.2, "booting")

    def argv(self, *words):
        """In there, in the slice of nobody in particular."""
        return ["nsenter", "-t", self.pid, "-m", "-p", "-u", "-i", "-C",
                "-r", "-w", "/usr/bin/env", "-i", "LC_ALL=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
                "TERM=dumb",
                "DEBIAN_FRONTEND=noninteractive", *map(str, words)]

    def run(self, *words, good=True):
        done = subprocess.run(self.argv(*words), text=True, timeout=60,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert not good or done.returncode == 0, \
            f"{words}: {done.returncode}\n{done.stdout}"
        return done

    def path(self, name):
        return Path(f"/proc/{self.pid}/root{name}")

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        subprocess.run(
            ["unshare", "--mount", "sh", "-c",
             'mount -t cgroup2 cgroup "$1" && cd "$1" && '
             'find "$2" -depth -type d -exec rmdir {} +', "leave",
             str(self.folder / "cgroup"), self.group],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)
