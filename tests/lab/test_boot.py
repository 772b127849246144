"""A stock Debian kernel boots on the console while two admins watch; one
logs in and works.  The record equals what the machine sent, byte by byte."""
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time

import pytest
from box import Host, Ssh
from guest import Guest, free_port, wait_for
from image import Image
from kernel import ROOT

sys.path.append(str(ROOT / "tests" / "e2e"))

from browser import Browser     # noqa: E402

PASSWORD = "let-me-in"

# Segments as small as they go: that of the boot is closed.
JOURNAL = "sync = 300ms\njournal {\n\trotate_size = 64kb\n\tseal = 1s\n}\n"

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
    os.environ["OOBD_SHARE"] = str(ROOT / "build" / "share")
    try:
        host = Host(work, port,
                    {"router": {"device": f'"{guest.pty()}"',
                                "speed": "115200"}},
                    {"alice": "operator", "bob": "operator"}, keys, JOURNAL)
        yield guest, host, port, sent
    finally:
        del os.environ["OOBD_SHARE"]
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


def in_terminal(command):
    """What it writes to a terminal, which script(1) has, byte by byte."""
    stdin, keys = os.pipe()     # at its end a ^D would be typed and echoed
    try:
        return subprocess.run(
            ["script", "-qec", f"stty raw; {command}", "/dev/null"],
            stdin=stdin, stdout=subprocess.PIPE, timeout=60).stdout
    finally:
        os.close(stdin)
        os.close(keys)


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
    want = sent.read_bytes().decode("utf-8", "replace").encode()
    assert in_terminal(f"asciinema cat {cast}") == want
    markers = [e for e in map(json.loads, cast.read_text().splitlines()[1:])
               if e[1] == "m"]
    assert any("alice" in e[2] for e in markers)


@pytest.mark.skipif(not shutil.which("ttyplay"), reason="no ttyrec")
def test_boot_in_ttyplay(site, tmp_path):
    _, host, _, sent = site
    rec = tmp_path / "boot.ttyrec"
    rec.write_bytes(exported(host, "ttyrec"))
    assert in_terminal(f"ttyplay -n {rec}") == sent.read_bytes()


def verified(host):
    """What `verify` says of the record."""
    return json.loads(host.ctl("verify", "router", "--json"))


def test_boot_is_verified(site, tmp_path):
    """By oobctl, and by b2sum and ssh-keygen as docs/journal.md tells."""
    _, host, _, _ = site
    wait_for(lambda: f"a signature; there is {verified(host)}",
             lambda: verified(host)["signed"]["state"] == "yes"
             and verified(host)["unsealed"] == 0, limit=90)
    assert verified(host)["ok"] and verified(host)["seals"] > 0
    recipe = re.search(r"```sh\n(.*?)```",
                       (ROOT / "docs" / "journal.md").read_text(), re.S)[1]
    for console in "router", ".box":
        said = subprocess.run(
            ["sh", "-c", recipe, "check", host.work / "log", console],
            capture_output=True, cwd=tmp_path, timeout=60)
        assert said.returncode == 0, said.stderr
        assert b"all seals are right" in said.stdout
    assert b'Good "journal@oobd" signature for lab' in said.stdout


@pytest.mark.skipif(not shutil.which("chromedriver") or
                    not (ROOT / "build/share/player").exists(),
                    reason="no chromedriver, or `make player` had no npm")
def test_boot_in_chromium(site, tmp_path):
    """The page plays the boot and says that its record is as written."""
    _, host, _, _ = site
    page = tmp_path / "boot.html"
    page.write_bytes(host.ctl("export", "router", "--since", "-1h",
                              "--format", "html"))
    with Browser() as b:
        b.open(page)
        wait_for(lambda: "the player",
                 lambda: b.run("return window.player !== undefined"))
        said = b.run("return document.getElementById('verified')"
                     ".textContent")
        assert said.startswith("verified when this was exported") \
            and "signed by SHA256:" in said, said
        # From its poster to the very end this player shows nothing.
        for to in 0.1, b.run("return player.getDuration()"):
            b.run("return player.seek(arguments[0])", to)
        wait_for(lambda: "the end of the boot",
                 lambda: "all-done-42" in b.run(
                     "return document.querySelector('.ap-player')"
                     "?.innerText ?? ''"))
        assert b.errors() == []


@pytest.mark.skipif(not shutil.which("zstdgrep"), reason="no zstd")
def test_boot_in_zstdgrep(site):
    """The segment of the boot, which was closed and is packed."""
    _, host, _, _ = site
    folder = host.work / "log" / "router"
    wait_for(lambda: f"a packed segment among {os.listdir(folder)}",
             lambda: list(folder.glob("*.log.zst")), limit=120, step=0.5)
    found = subprocess.run(
        ["zstdgrep", "-h", "Linux version",
         sorted(folder.glob("*.log.zst"))[0]],
        capture_output=True, timeout=60)
    assert found.returncode == 0 and b"Linux version 6." in found.stdout
    assert verified(host)["ok"]


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
