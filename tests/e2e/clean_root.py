"""A minimal Debian in a folder, without network: copied from the packages of
this system that are essential, or that given ones depend on, and no others.
What runs in it has mounts and processes of its own, which end with it."""
import os
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

INFO = Path("/var/lib/dpkg/info")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def _installed():
    """Package to the fields that matter, and provided names to packages."""
    form = "${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t" \
        "${Provides}\t${db:Status-Abbrev}\n"
    rows = subprocess.run(["dpkg-query", "-W", "-f", form], check=True,
                          capture_output=True, text=True).stdout
    packages, provided = {}, {}
    for row in rows.splitlines():
        name, essential, depends, provides, status = row.split("\t")
        if not status.startswith("ii"):
            continue
        packages[name] = (essential == "yes", depends)
        for p in re.findall(r"[a-z0-9][a-z0-9.+-]+(?=[ ,(]|$)", provides):
            provided.setdefault(p, name)
    return packages, provided


def _closure(roots):
    packages, provided = _installed()
    wanted, todo = set(), [n for n, p in packages.items() if p[0]]
    todo += [r for r in roots]
    while todo:
        name = todo.pop()
        if name in wanted:
            continue
        assert name in packages, f"package {name} is not installed here"
        wanted.add(name)
        for clause in packages[name][1].split(","):
            names = [re.split(r"[ (:]", alt.strip())[0]
                     for alt in clause.split("|")]
            here = [n if n in packages else provided[n] for n in names
                    if n in packages or n in provided]
            todo += here[:1]
    return wanted


def _copy(source, target):
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(mode):
        if not os.path.isdir(target):
            os.makedirs(target)
            shutil.copystat(source, target)
    elif stat.S_ISREG(mode):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)
        s = os.stat(source)
        os.chown(target, s.st_uid, s.st_gid)
        os.chmod(target, stat.S_IMODE(mode))


def _dropped(path):
    """What no script needs: most of the bytes."""
    return re.match(r"/usr/share/(doc|man|locale|info|zoneinfo|i18n|perl/5)/|"
                    r"/usr/lib/[^/]*/(gconv|perl/5)/", path)


class CleanRoot:
    def __init__(self, folder, depends):
        self.root = Path(folder)
        self.packages = _closure(depends)
        self._fill()
        self._settle()
        self._enter()

    def _fill(self):
        for name in MERGED:
            if os.path.islink(f"/{name}"):
                (self.root / f"usr/{name}").mkdir(parents=True, exist_ok=True)
                (self.root / name).symlink_to(f"usr/{name}")
        for d in "proc", "sys", "dev", "run", "tmp", "etc/alternatives", \
                "var/lib/dpkg/info", "var/lib/dpkg/updates", \
                "var/lib/dpkg/triggers":
            (self.root / d).mkdir(parents=True, exist_ok=True)
        for name in self.packages:
            for info in list(INFO.glob(f"{name}.*")) + \
                    list(INFO.glob(f"{name}:*.*")):
                shutil.copy2(info, self.root / str(info)[1:])
                if info.suffix == ".list":
                    for path in info.read_text().splitlines():
                        if path != "/." and os.path.lexists(path) and \
                                not _dropped(path):
                            _copy(path, f"{self.root}{path}")
        status = Path("/var/lib/dpkg/status").read_text().split("\n\n")
        ours = [s for s in status if s.strip() and
                re.search(r"^Package: (.*)$", s, re.M)[1] in self.packages]
        for name, text in (("status", "\n\n".join(ours) + "\n"),
                           ("available", ""), ("diversions", ""),
                           ("statoverride", "")):
            (self.root / "var/lib/dpkg" / name).write_text(text)
        shutil.copy2(INFO / "format", self.root / str(INFO / "format")[1:])

    def _settle(self):
        """What the scripts of those packages would have made."""
        for link in Path("/etc/alternatives").iterdir():
            if link.is_symlink() and os.path.exists(
                    f"{self.root}{os.readlink(link)}"):
                _copy(link, f"{self.root}{link}")
        for folder in "/usr/bin", "/usr/sbin":
            for e in os.scandir(folder):
                if e.is_symlink() and os.readlink(e.path).startswith(
                        "/etc/alternatives/"):
                    _copy(e.path, f"{self.root}{e.path}")
        base = Path("/usr/share/base-passwd")
        for name in "passwd", "group":
            shutil.copy(base / f"{name}.master", self.root / "etc" / name)
        names = [line.split(":")[0] for line in
                 (self.root / "etc/passwd").read_text().splitlines()]
        (self.root / "etc/shadow").write_text(
            "".join(f"{n}:*:19000:0:99999:7:::\n" for n in names))
        (self.root / "tmp").chmod(0o1777)
        subprocess.run(["ldconfig", "-r", str(self.root)], check=True,
                       stderr=subprocess.DEVNULL)

    def _enter(self):
        setup = ('mount --make-rprivate / && mount --rbind /dev "$0/dev" && '
                 'mount -t proc proc "$0/proc" && '
                 'mount -t tmpfs run "$0/run" && mkdir "$0/run/lock" && '
                 'mount -t tmpfs tmp "$0/tmp" && echo in && '
                 # The first process has to bury the others.
                 'exec 3<&0 && { cat <&3 & wait; }')
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh",
             "-c", setup, str(self.root)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.holder.stdout.readline()
        assert line == "in\n", self.holder.stderr.read()
        tasks = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}")
        self.pid = (tasks / "children").read_text().split()[0]

    def argv(self, *words):
        return ["nsenter", "-t", self.pid, "-m", "-p", "--", "chroot",
                str(self.root), "/usr/bin/env", "-i", "LC_ALL=C.UTF-8",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb",
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
        return Path(f"{self.root}{name}")

    def close(self):
        self.holder.stdin.close()
        try:
            self.holder.wait(5)
        except subprocess.TimeoutExpired:
            self.holder.kill()
            self.holder.wait()
        # The last process of the namespace may take a moment to go.
        for _ in range(50):
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                return
            time.sleep(0.1)
