"""replay in a real terminal: what the screen shows after each key."""
import re
import shlex
import shutil
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

from conftest import wait_for

T0 = datetime(2026, 11, 22, 2, 0, 0, tzinfo=timezone.utc)
ROWS = 24
MENU = (r"\e[2J\e[1;1H\e[7m BOOT MENU \e[0m\e[3;5H1. Boot\e[4;5H2. Single "
        r"user\e[20;1HChoice: \e[5;70HX\e[20;9H")


def record(second, kind, offset, payload):
    when = (T0 + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{when}.000000Z {1000 + second}.000000 {kind} {offset} {payload}\n"


def write_journal(folder):
    """Ten minutes: a line each second, a menu from 2:00 to 3:00, an attempt
    at the terminal, and two events.  docs/journal.md has the form."""
    folder.mkdir(parents=True)
    offset = 0
    text = record(0, "h", 0, "oobd-journal 1 console=gw box=b seq=1 "
                  "boot=0123456789abcdef prev=-")
    for i in range(600):
        payload = f"line {i}"
        if i == 100:
            payload += r"\e]52;c;ZXZpbA==\x07\e[c\e[6n\e[21t\e]0;evil\x07"
        if i == 120:
            payload = MENU
        if i in (200, 400):
            text += record(i, "m", offset, f"note text={i}")
        if i == 180:
            payload = r"\e[r\e[H\e[J" + payload
        if not 120 < i < 180:
            text += record(i, "o", offset, payload)
            raw = re.sub(r"\\(e|x..)", ".", payload)
            offset += len(raw) + 2
    (folder / "00000001-20261122T020000Z.log").write_text(text)
    (folder / "current").symlink_to("00000001-20261122T020000Z.log")


class Terminal:
    """tmux, which knows what a screen shows."""

    def __init__(self, folder, command):
        self.socket = str(folder / "tmux")
        self.ask("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y",
                 str(ROWS), "-s", "t",
                 f"echo before; {command}; echo after; sleep 60")

    def ask(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], check=True,
                              capture_output=True, text=True,
                              timeout=20).stdout

    def type(self, *keys):
        self.ask("send-keys", "-t", "t", *keys)

    def screen(self):
        return self.ask("capture-pane", "-p", "-t", "t").split("\n")[:ROWS]

    def status(self):
        return self.screen()[ROWS - 1]

    def shows(self, what, status=""):
        def look():
            lines = self.screen()
            return what in "\n".join(lines[:-1]) and status in lines[-1]
        try:
            wait_for(look, text=f"{what} with {status}", every=0.05)
        except AssertionError:
            print("\n".join(self.screen()))
            raise

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"],
                       capture_output=True)


@pytest.fixture
def replay(empty_site, tmp_path):
    if not shutil.which("tmux"):
        pytest.skip("no tmux")
    empty_site.add_line("gw")
    empty_site.add_user("alice")
    write_journal(empty_site.dir / "journal" / "gw")
    empty_site.start()
    command = empty_site.ssh("alice", "-tt", "replay", "gw", "--at",
                             "2026-11-22T02:00:00Z", "--until",
                             "2026-11-22T02:10:00Z")
    t = Terminal(tmp_path, shlex.join(command))
    yield t
    t.close()


def lines(first, last):
    return [f"line {i}" for i in range(first, last + 1)]


def test_replay_in_a_terminal(replay):
    t = replay
    t.shows("line 1", "00:00:0")
    t.type("Space")
    t.shows("", "paused")
    t.type("g", "02:02:30", "Enter")
    t.shows("2. Single user", "00:02:30 / 00:10:00")
    assert t.screen()[0] == " BOOT MENU"
    assert t.screen()[19] == "Choice:"
    assert t.screen()[4] == " " * 69 + "X"
    menu = t.screen()[:-1]
    # Back to before the menu: the lines that stood there.
    t.type("{")
    t.shows("line 90", "00:01:30")
    assert [x for x in t.screen()[:-1] if x] == lines(69, 90)
    # On again, by arrows: the menu, as it was.
    t.type("Up")
    t.shows("BOOT MENU", "00:02:30")
    assert t.screen()[:-1] == menu
    t.type("Left")
    t.shows("BOOT MENU", "00:02:20")
    t.type("Right", "Right")
    t.shows("BOOT MENU", "00:02:40")
    # Its attempts on the terminal did nothing.
    t.type("g", "02:01:45", "Enter")
    t.shows("line 105", "00:01:45")
    assert [x for x in t.screen()[:-1] if x] == lines(84, 105)
    # Events.
    t.type("n")
    t.shows("line 199", "note text=200")
    assert [x for x in t.screen()[:-1] if x] == lines(180, 200)
    t.type("n")
    t.shows("line 400", "note text=400")
    t.type("n")
    t.shows("line 400", "no event after")
    t.type("p")
    t.shows("line 200", "00:03:20")
    # Search, on and back.
    t.type("/", "line 30[05]", "Enter")
    t.shows("line 300", "00:05:00")
    t.type("N")
    t.shows("line 305", "00:05:05")
    t.type("?", "line 2.5$", "Enter")
    t.shows("line 295", "00:04:55")
    t.type("N")
    t.shows("line 285", "00:04:45")
    t.type("?", "nowhere", "Enter")
    t.shows("line 285", "not found")
    t.type("/", "a(b", "Enter")
    t.shows("line 285", "nmatched")
    # Step, help, speed.
    t.type(".")
    t.shows("line 286", "00:04:46")
    t.type("h")
    t.shows("Keys of a replay")
    t.type("x")
    t.shows("line 286", "00:04:46")
    t.type("+", "+", "+", "+", "Space")
    t.shows("line 320", "x16")
    # The end, and back from there.
    t.type("g", "02:09:58", "Enter")
    t.shows("line 599", "end")
    t.type("Left")
    t.shows("line 590", "00:09:")
    t.type("q")
    t.shows("after")
    screen = t.screen()
    assert screen[0] == "before" and "ended" in "".join(screen)
    assert "line" not in "".join(screen)


@pytest.mark.slow
def test_replay_follows_the_size(replay):
    """The line of ours stays the last one when the window changes."""
    t = replay
    t.shows("line 1", "00:00:0")
    t.ask("resize-window", "-t", "t", "-x", "100", "-y", "30")
    time.sleep(0.5)
    t.type("g", "02:01:30", "Enter", "Space")
    wait_for(lambda: "00:01:3" in t.ask("capture-pane", "-p", "-t", "t")
             .split("\n")[29], text="the line at the new end")
