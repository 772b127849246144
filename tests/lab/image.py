"""An initramfs from a list of files, written without root: busybox, programs
with the libraries they need, kernel modules, an init script."""
import gzip
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from kernel import LabError

FOLDERS = ("bin", "dev", "etc", "home", "lib", "lib64", "mnt", "modules",
           "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin",
           "usr/lib", "usr/local", "usr/sbin", "var", "var/db", "var/empty",
           "var/log", "var/run")

# Filesystems, /dev, all modules in order, then what the lab asks for.
INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
for m in $(cat /modules/order); do insmod /modules/$m; done
ifconfig lo 127.0.0.1
hostname lab
. /etc/rc.lab
while :; do sleep 1000; done
"""

PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
oobd:x:990:20:oobd:/var/empty:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
"""
GROUP = """root:x:0:
daemon:x:1:
tty:x:5:
dialout:x:20:oobd
oobd:x:990:
nogroup:x:65534:
"""


def libraries(program):
    """Absolute paths of the libraries a program is linked with."""
    p = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    if "not found" in p.stdout:
        raise LabError(f"ldd {program}: {p.stdout}")
    return re.findall(r"(/\S+) \(0x", p.stdout)


class Image:
    """An initramfs in the making."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.entries = {}               # path: (mode, bytes)
        self.modules = []
        self.rc = []
        for d in FOLDERS:
            self.entries[d] = (stat.S_IFDIR | 0o755, b"")
        self.entries["tmp"] = (stat.S_IFDIR | 0o1777, b"")
        # Before devtmpfs is mounted, init has nothing else to talk to.
        self.file("etc/passwd", PASSWD)
        self.file("etc/group", GROUP)
        self.file("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
        self.busybox()

    def busybox(self):
        path = shutil.which("busybox")
        if path is None or libraries(path):
            raise LabError("a static busybox is not there: "
                           "package busybox-static")
        self.program(path, "bin/busybox")
        out = subprocess.run([path, "--list"], capture_output=True,
                             text=True, check=True).stdout
        for applet in out.split():
            if applet != "busybox":
                self.link(f"bin/{applet}", "busybox")

    def file(self, path, data, mode=0o644):
        """data: text or bytes."""
        if isinstance(data, str):
            data = data.encode()
        parent = os.path.dirname(path)
        while parent and parent not in self.entries:
            self.entries[parent] = (stat.S_IFDIR | 0o755, b"")
            parent = os.path.dirname(parent)
        self.entries[path] = (stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def program(self, source, path=None):
        """A program with its libraries, default into /usr/bin."""
        source = Path(source)
        self.file(path or f"usr/bin/{source.name}", source.read_bytes(),
                  0o755)
        for lib in libraries(source):
            self.file(lib.lstrip("/"), Path(lib).read_bytes(), 0o755)

    def load(self, *modules):
        """Kernel modules to load at boot, with what they depend on."""
        self.modules += modules

    def run(self, script):
        """Shell lines for the end of the boot."""
        self.rc.append(script)

    def write(self, path):
        chain = self.kernel.module_chain(self.modules)
        for ko in chain:
            self.file(f"modules/{ko.name}", ko.read_bytes())
        self.file("modules/order", "".join(k.name + "\n" for k in chain))
        self.file("etc/rc.lab", "\n".join(self.rc) + "\n")
        self.file("init", INIT, 0o755)
        with gzip.open(path, "wb", compresslevel=1) as out:
            for i, (name, (mode, data)) in enumerate(
                    sorted(self.entries.items()), 1):
                out.write(cpio_entry(i, name, mode, data))
            out.write(cpio_entry(0, "TRAILER!!!", 0, b""))
        return path


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def cpio_entry(inode, name, mode, data):
    """One entry of the "newc" format (cpio(5)), owned by root."""
    links = 2 if stat.S_ISDIR(mode) else 1
    label = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0,
              len(label), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields)
    return padded(head + label) + padded(data)
