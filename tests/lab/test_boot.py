"""A stock Debian kernel boots on the console while two admins watch; one
logs in and works.  The record equals what the machine sent, byte by byte."""
import io
import json
import re
import shutil
import subprocess
import tarfile
import time

import pytest
from box import Host, Ssh
from guest import Guest, free_port, wait_for
from image import Image

PASSWORD = "let-me-in"

RC = """
echo "Welcome: the lab's router is up"
while :; do
	getty -L 115200 ttyS0 vt100
	sleep 1
done &
"""


@pytest.fixture(scope="module")
def image(stock_kernel):
    im = Image(stock_kernel)
    hashed = subprocess.run(["busybox", "mkpasswd", "-m", "sha512", PASSWORD],
                            capture_output=True, text=True,
                            check=True).stdout.strip()
    im.file("etc/shadow", f"root:{hashed}:19000:0:99999:7:::\n", 0o600)
    im.file("etc/securetty", "ttyS0\n")
    im.file("etc/issue", "lab router, serial console\n")
    im.file("etc/profile", "PS1='router# '\n")
    im.run(RC)
    return im


@pytest.fixture(scope="module")
def site(image, work, keys):
    """The paused machine and the daemon on its console."""
    sent = work / "sent.log"
    guest = Guest(image, work, shell=False, append="",
                  console=f"pty,logfile={sent},logappend=off")
    port = free_port()
    host = None
    try:
        host = Host(work, port,
                    {"router": {"device": f'"{guest.pty()}"',
                                "speed": "115200"}},
                    {"alice": "operator", "bob": "operator"}, keys)
        yield guest, host, port, sent
    finally:
        guest.stop()
        if host is not None:
            host.stop()


def login_and_work(alice):
    """As a person would: answers the prompts, runs commands."""
    at = alice.wait(b"login: ")
    alice.send(b"root\r")
    at = alice.wait(b"Password: ", at)
    time.sleep(0.5)         # login turns echo off after it asked
    alice.send(PASSWORD.encode() + b"\r")
    at = alice.wait(b"router# ", at)
    for command, answer in ((b"uname -s -r\r", b"Linux 6."),
                            (b"echo sum=$((6*7))\r", b"sum=42"),
                            (b"dmesg | tail -n 40\r", b"router# "),
                            (b"seq 1 2000\r", b"\r\n2000\r\n"),
                            (b"echo all-done-$((40+2))\r",
                             b"all-done-42\r\n")):
        alice.send(command)
        at = alice.wait(answer, at)
    return at


def test_record_of_a_real_boot(site, keys, clients):
    guest, host, port, sent = site
    alice = Ssh(keys, "alice", port, options=["-tt"])
    clients.append(alice)
    alice.wait(b"[oobd: ")
    bob = Ssh(keys, "bob", port, ["console"], options=["-s"])
    clients.append(bob)
    bob.wait_error(b"alice")            # is told who has the pen

    guest.qmp("cont")
    bob.wait(b"Linux version")
    bob.wait(b"login: ")
    login_and_work(alice)
    bob.wait(b"all-done-42\r\n")

    def recorded():
        return host.ctl("log", "router", "--raw")
    wait_for(lambda: f"{sent.stat().st_size} bytes in the record, which has "
             f"{len(recorded())}",
             lambda: sent.stat().st_size > 10_000
             and len(recorded()) == sent.stat().st_size, limit=20)
    truth = sent.read_bytes()
    assert recorded() == truth
    while bob.more(0.5):
        pass
    assert bytes(bob.data) == truth     # the watcher saw the very same bytes
    assert PASSWORD.encode() not in truth


def test_lines_carry_their_time(site):
    """Plain files, one record line per console line, in order of time."""
    _, host, _, _ = site
    text = host.ctl("log", "router").decode()
    boot = next(line for line in text.splitlines()
                if "Linux version" in line)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", boot), boot
    times = [line.split()[0] for line in text.splitlines()
             if re.match(r"\d{4}-\d\d-\d\dT", line)]
    assert len(times) > 100 and times == sorted(times)
    events = host.ctl("log", "router", "--events").decode()
    assert "alice" in events and "bob" in events


def exported(host, kind):
    return host.ctl("export", "router", "--since", "-1h", "--format", kind,
                    "--raw")


@pytest.mark.skipif(not shutil.which("scriptreplay"), reason="no bsdutils")
def test_boot_in_scriptreplay(site, tmp_path):
    """The typescript of a real boot is played, byte by byte what was sent."""
    _, host, _, sent = site
    with tarfile.open(fileobj=io.BytesIO(exported(host, "script"))) as tar:
        tar.extractall(tmp_path)
    done = subprocess.run(
        ["scriptreplay", "--maxdelay", "0", "--log-timing",
         tmp_path / "router.timing", "--log-out",
         tmp_path / "router.typescript"], capture_output=True, timeout=60)
    # It ends with a newline of its own.
    assert done.stdout.removesuffix(b"\n") == sent.read_bytes()


@pytest.mark.skipif(not shutil.which("asciinema"), reason="no asciinema")
def test_boot_in_asciinema(site, tmp_path):
    _, host, _, sent = site
    cast = tmp_path / "boot.cast"
    cast.write_bytes(exported(host, "cast2"))
    # It wants a terminal, which script(1) has; CR LF becomes CR CR LF there.
    shown = subprocess.run(
        ["script", "-qec", f"asciinema cat {cast}", "/dev/null"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60).stdout
    want = sent.read_bytes().decode("utf-8", "replace").encode()
    assert shown.replace(b"\r\n", b"\n") == want
    markers = [e for e in map(json.loads, cast.read_text().splitlines()[1:])
               if e[1] == "m"]
    assert any("alice" in e[2] for e in markers)


def test_machine_gone_is_told(site, keys, clients):
    """QEMU takes the pty away: who is attached learns it, nobody is cut."""
    guest, host, port, _ = site
    alice = Ssh(keys, "alice", port, options=["-tt"])
    clients.append(alice)
    at = alice.wait(b"[oobd: ")
    guest.stop()
    alice.wait(b"[oobd: ", at)
    assert alice.p.poll() is None
    assert b"router" in host.ctl("status")
