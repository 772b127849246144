"""A full disk: the console works, the gap is measured, recording comes back by
itself, and the record stays one that can be trusted."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import PATIENCE, wait_for
from modem_site import ModemSite
from test_survival import Flood

KBYTES = 8192


def mount_ext4(site, journal):
    """A file as a disk, with a file system that has a journal of its own."""
    image = site.dir / "image"
    image.write_bytes(bytes(KBYTES * 1024))
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("no mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return ["mount", "-o", "loop", str(image), str(journal)]


@pytest.fixture(params=["tmpfs", "ext4"])
def small_site(request, empty_site):
    """Journals on a file system of 3 or 8 MB of their own."""
    site = empty_site
    journal = site.dir / "journal"
    journal.mkdir(mode=0o700)
    argv = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(journal)]
    if request.param == "ext4":
        argv = mount_ext4(site, journal)
    mounted = subprocess.run(argv, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("may not mount: " + mounted.stderr.decode())
    journal.chmod(0o700)
    yield site
    site.stop()
    subprocess.run(["umount", str(journal)], check=True)


def healthy(site):
    status = json.loads(site.ctl("status", "--json").stdout)
    return status["consoles"][0]["journal"]["healthy"]


def fill(path):
    """Until nothing more goes in."""
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass


def seconds(what):
    start = time.monotonic()
    wait_for(what, PATIENCE, 0.05)
    return time.monotonic() - start


def test_full_and_free_again(small_site):
    site = small_site
    line = site.add_line("gw", conf="\tspeed = 115200\n\tring = 64kb\n"
                         "\tstrict = true\n")
    site.add_user("alice")
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    flood = Flood(line, pause=0.01, lines=20)
    flood.start()
    wait_for(lambda: site.ctl("log", "gw", "--raw").stdout)
    ballast = site.dir / "journal" / "ballast"
    fill(ballast)
    took = seconds(lambda: not healthy(site))
    assert took < 1 + PATIENCE / 10, took
    alice.expect(b"NOT RECORDED NOW")
    alice.expect(b"nobody may type")
    before = len(line.typed.data)
    alice.send(b"lost\r")
    time.sleep(3)                   # more than the ring and buffers hold
    assert len(line.typed.data) == before
    pids = site.kept()
    ballast.unlink()
    took = seconds(lambda: healthy(site))
    print(f"recording again after {took:.2f} s")
    assert took < 1 + (PATIENCE - 10) / 10, took
    alice.expect(b"recording again")
    alice.send(b"typed")
    wait_for(lambda: b"typed" in line.typed.data)
    sent = flood.end()
    # What is missing is what the journal says is missing, to the byte.
    wait_for(lambda: site.ctl("log", "gw", "--raw").stdout.endswith(
        sent[-40:]))
    events = site.ctl("log", "gw", "--events", "--text").stdout
    gaps = re.findall(rb"gap bytes=(\d+) from=(\d+) to=(\d+)", events)
    want, at = b"", 0
    for size, start, end in gaps:
        assert int(size) == int(end) - int(start)
        want += sent[at:int(start)]
        at = int(end)
    want += sent[at:]
    assert site.ctl("log", "gw", "--raw").stdout == want
    assert gaps, "the disk was full for too short a time"
    site.none_restarted(pids)
    assert b"disk-full why=" in events
    assert site.ctl("verify", "gw").returncode == 0
    assert os.path.exists(site.dir / "journal" / "gw" / ".reserve")


def test_folder_removed(site):
    """Somebody removes it all: a new one is begun, and says so."""
    site.lines["gw"].send(b"one\r\n")
    wait_for(lambda: b"one" in site.ctl("log", "gw", "--raw").stdout)
    subprocess.run(["rm", "-r", str(site.dir / "journal" / "gw")], check=True)
    time.sleep(1.2)
    site.lines["gw"].send(b"two\r\n")
    wait_for(lambda: b"two" in site.ctl("log", "gw", "--raw").stdout)
    assert b" gone file=00000001-" in \
        site.ctl("log", "gw", "--events").stdout
    names = os.listdir(site.dir / "journal" / "gw")
    assert any(n.startswith("00000002-") for n in names), names


@pytest.fixture
def small_state(empty_site):
    """A site with a modem whose state_dir is a file system of 512 KB."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts")
    state = empty_site.dir / "state"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700",
                    "state", str(state)], check=True)
    m = ModemSite(empty_site)
    yield m, state
    m.close()
    empty_site.stop()
    subprocess.run(["umount", str(state)], check=True)


def test_state_folder_full(small_state):
    """Who types, comes or sends an order by SMS does not notice, but for the
    answer: what is sent is counted on the disk.  A code counts once.  The log
    says what a restart would forget, and nothing is forgotten once there is
    room and something changed."""
    m, state = small_state
    site = m.start().site
    alice = site.attach("alice", login="alice:gw")
    site.meet("gw", alice)
    fill(state / "ballast")
    spent = m.codes.next()
    m.text(f"ping {spent}")
    wait_for(lambda: m.events("sms-command"), 3 * PATIENCE, 0.1)
    m.text(f"up 60 {spent}")
    wait_for(lambda: m.events("sms-refused"), 3 * PATIENCE, 0.1)
    assert len(m.events("sms-command")) == 1, "a code worked twice"
    site.expect_log("no answer by SMS to .* is there room in state_dir")
    assert site.ctl("link", "up", "1h").returncode == 0
    site.expect_log("link: a restart would end the link: No space left")
    alice.send(b"typed")
    alice.expect(b"typed")
    assert site.run("alice", "list").returncode == 0
    (state / "ballast").unlink()
    m.command("ping")
    m.sent_now(1, 3 * PATIENCE)
    assert site.ctl("link", "extend", "30min").returncode == 0
    assert "until_us" in (state / "modem" / "link").read_text()
