"""A stock Debian kernel, fetched once per machine into a cache folder.

OOBD_LAB_CACHE names the folder, default build/lab-cache of the checkout.
No root needed: apt-get downloads for anybody once the package lists exist."""
import fcntl
import os
import re
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
META = "linux-image-amd64"

# What of the package is kept: the rest is 350 MB of other people's hardware.
WANTED = re.compile(
    r"\./(boot/vmlinuz-|lib/modules/[^/]+/kernel/("
    r"drivers/usb/|drivers/virtio/|drivers/net/ppp/|drivers/net/slip/|"
    r"drivers/net/virtio_net|drivers/net/net_failover|net/core/|lib/))")


class LabError(Exception):
    """The lab cannot run here; the text says what would help."""


def run(argv, **kw):
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.STDOUT, **kw)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not there: the lab needs Debian's "
                       "packages, see `sh contrib/bootstrap.sh check`")
    return p.returncode, p.stdout


def kernel_package():
    """The package the newest stock kernel of this release is in."""
    _, out = run(["apt-cache", "depends", META])
    m = re.search(r"Depends: (linux-image-\S+)", out)
    if m is None:
        raise LabError(f"apt knows no {META}: run `apt-get update` once "
                       "(as root), on Debian 12 or newer, amd64")
    return m.group(1)


def unpack(deb, to):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)],
                          stdout=subprocess.PIPE) as p:
        with tarfile.open(fileobj=p.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile() and WANTED.match(member.name):
                    member.name = os.path.normpath(member.name)
                    tar.extract(member, to)
    if p.returncode != 0:
        raise LabError(f"dpkg-deb cannot read {deb.name}")


def fetch(cache):
    """Make cache/tree; whole or not at all."""
    package, new = kernel_package(), cache / "new"
    run(["rm", "-rf", str(new)])
    new.mkdir()
    status, out = run(["apt-get", "download", package], cwd=new)
    debs = list(new.glob("*.deb"))
    if status != 0 or not debs:
        raise LabError(f"cannot download {package}: run `apt-get update` "
                       f"(as root) if its lists are old.\n{out}")
    unpack(debs[0], new / "tree")
    (new / "tree").rename(cache / "tree")
    run(["rm", "-rf", str(new)])


class Kernel:
    """.vmlinuz, and where modules are."""

    def __init__(self):
        cache = Path(os.environ.get("OOBD_LAB_CACHE",
                                    ROOT / "build" / "lab-cache"))
        if not (cache / "tree").exists():       # it may be another user's
            cache.mkdir(parents=True, exist_ok=True)
            with open(cache / "lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (cache / "tree").exists():
                    fetch(cache)
        try:
            self.vmlinuz = next((cache / "tree/boot").glob("vmlinuz-*"))
        except StopIteration:
            raise LabError(f"no kernel in {cache}: remove that folder")
        self.version = self.vmlinuz.name.split("-", 1)[1]
        self.modules = {
            p.name.split(".ko")[0].replace("-", "_"): p
            for p in (cache / "tree/lib/modules").rglob("*.ko*")}

    def module_chain(self, names):
        """Files to insmod in this order for these modules.  A name the
        package has no file for is built into the kernel."""
        out = []

        def add(name):
            path = self.modules.get(name.replace("-", "_"))
            if path is None or path in out:
                return
            text = re.search(rb"\0depends=([^\0]*)", path.read_bytes())
            for need in (text.group(1).decode() if text else "").split(","):
                add(need)
            out.append(path)
        for name in names:
            add(name)
        return out
