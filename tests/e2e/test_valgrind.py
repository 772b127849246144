"""The main path under valgrind: no errors, nothing lost, in any process."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import conftest
from conftest import BUILD, wait_for
from test_lines import plug, unplug

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.skipif(
    "san" in os.environ.get("OOBD_BUILD", ""),
    reason="a sanitizer and valgrind do not go together")]


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(conftest, "PATIENCE", 90)


def start(site):
    """As Site.start, with every process under valgrind."""
    real = BUILD / "oobd"
    # What valgrind itself asks the system for would be refused.
    site.sandbox = False
    wrapper = site.dir / "bin"
    wrapper.mkdir()
    script = wrapper / "oobd"
    # What a thread still at work in the end has is only "possibly" lost.
    script.write_text(
        "#!/bin/sh\nexec valgrind -q --trace-children=yes "
        "--leak-check=full --show-leak-kinds=definite,indirect "
        "--errors-for-leak-kinds=definite,indirect "
        f"--track-fds=no --log-file={site.dir}/vg.%p '{real}' \"$@\"\n")
    script.chmod(0o755)
    shutil.copy(BUILD / "oobctl", wrapper / "oobctl")
    before, conftest.BUILD = conftest.BUILD, wrapper
    try:
        site.start()
    finally:
        conftest.BUILD = before
    return site


# It does not know what TIOCNXCL takes: nothing.
IGNORED = re.compile(r"==\d+== Warning: noted but unhandled ioctl 0x540d .*\n"
                     r"(==\d+==    .*\n)*")


def findings(site):
    """What valgrind said, by process."""
    said = {}
    for path in site.dir.glob("vg.*"):
        text = IGNORED.sub("", path.read_text())
        if text.strip():
            said[path.name] = text
    return said


def test_main_path(empty_site, patience):
    assert shutil.which("valgrind"), "valgrind is not installed"
    site = empty_site
    site.top = "deadline = 60s"
    line = site.add_line("gw", echo=True)
    site.add_line("sw", echo=True)
    site.add_user("alice", role="admin")
    site.add_user("bob", role="viewer")
    start(site)
    alice = site.attach("alice", login="alice:gw")
    alice.expect(b"you have the pen")
    bob = site.attach("bob", login="gw")
    bob.expect(b"may only watch")
    alice.send(b"hello")
    bob.expect(b"hello")
    bob.send(b"x")
    bob.expect(b"alice has the pen")
    alice.send(b"\x05ci\x05cr\x05cw\x05cn" + b"a note\r")
    bob.expect(b"a note")
    menu = site.attach("bob")
    menu.expect(b"sw")
    menu.send(b"q\r")
    menu.wait()
    for words in (["list"], ["who", "--json"], ["status", "--json"],
                  ["log", "gw"], ["log", "gw", "--raw"],
                  ["log", "gw", "--json", "--since", "-5min"],
                  ["replay", "gw", "--speed", "100"], ["note", "gw", "hi"],
                  ["say", "gw", "hi"], ["set", "gw", "speed", "9600"],
                  ["link", "up", "1h"], ["link", "extend", "5"],
                  ["link", "status", "--json"], ["link", "status"],
                  ["link", "down"], ["link", "up"], ["relay", "status"],
                  ["help"], ["nonsense"], ["break", "gw"]):
        site.run("alice", *words)
    assert site.ctl("status").returncode == 0
    assert site.run("bob", login="nobody").returncode == 255
    unplug(line)
    alice.expect(b"the line is gone")
    plug(line)
    alice.expect(b"the line is back")
    site.add_user("carol")
    site.reload()
    del site.users["bob"]
    site.reload()
    bob.expect(re.compile(rb"removed|withdrawn"))
    alice.send(b"\x05c.")
    assert alice.wait() == 0
    os.kill(site.children()["ssh"], signal.SIGTERM)
    time.sleep(1)
    wait_for(lambda: site.run("alice", "list").returncode == 0)
    assert site.stop(60) == 0
    assert list(site.dir.glob("vg.*")), "valgrind left no word"
    assert findings(site) == {}
