"""The demo as a newcomer runs it: start, type what it prints, ^C."""
import os
import re
import shlex
import signal
import subprocess
import threading

import pytest
from conftest import BUILD, ROOT, Client, free_port, wait_for


class Demo:
    """contrib/demo.sh, in a TMPDIR of its own so that leftovers show."""

    def __init__(self, tmp, *args):
        self.tmp = tmp
        env = dict(os.environ, TMPDIR=str(tmp),
                   OOBD_BUILD=str(BUILD.relative_to(ROOT)),
                   OOBD_DEMO_PORT=str(free_port()))
        self.process = subprocess.Popen(
            ["sh", str(ROOT / "contrib/demo.sh"), *args], env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.text = ""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def ready(self):
        wait_for(lambda: "demo: ready" in self.text or
                 self.process.poll() is not None, 40, text="demo: ready")
        assert self.process.poll() is None, self.text
        return self

    def printed(self, words):
        """The printed command that contains these words, ready to run."""
        lines = [x for x in self.text.splitlines() if words in x]
        assert lines, f"{words!r} is not in {self.text}"
        found = re.search(r"  +((ssh|/|grep|tail) ?.*)$", lines[0])
        return shlex.split(found.group(1))

    def run(self, words, **kw):
        return subprocess.run(self.printed(words), text=True, timeout=20,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              **kw)

    def processes(self):
        """Of this demo: all that have its folder in their arguments."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if os.fsencode(self.tmp) in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def end(self, signo):
        self.process.send_signal(signo)
        status = self.process.wait(15)
        self.thread.join(5)
        return status


@pytest.fixture
def demo(tmp_path):
    made = []

    def start(*args):
        made.append(Demo(tmp_path, *args))
        return made[-1].ready()

    yield start
    for d in made:
        if d.process.poll() is None:
            d.end(signal.SIGTERM)
        d.process.stdout.close()


def test_every_printed_command_works(demo):
    d = demo()
    first = Client(d.printed("gw@demo"), tty=True)
    try:
        first.expect(b"login: ", 30)
        assert "demo" in d.run("demo who").stdout
        first.send(b"\x05c.")
        assert first.wait(10) == 0
    finally:
        first.stop()
    assert d.run("note gw").returncode == 0
    log = d.run("log gw --tail 20")
    assert log.returncode == 0 and "login" in log.stdout
    assert "FreeBSD/amd64" in log.stdout
    assert "gw" in d.run("demo status").stdout
    assert "gw" in d.run("oobctl").stdout
    wait_for(lambda: d.run("relay test").returncode == 0, 20,
             text="the relay")
    assert "proven" in d.run("relay status").stdout
    far = Client(d.printed("gw@far"), tty=True)
    far.expect(b"? for help]")
    far.send(b"\x05c.")
    assert far.wait(10) == 0
    far.stop()
    grep = d.run("grep -r")
    assert grep.returncode == 0 and "login" in grep.stdout
    unplug, plug = d.run(" unplug"), d.run(" plug")
    assert unplug.stdout == "ok\n" and plug.stdout == "ok\n"


def test_second_admin_is_known_by_its_own_key(demo):
    d = demo()
    second = [w for w in d.printed("gw@second") if w != "-t"]
    second[-1] = "second"
    who = subprocess.run([*second, "list"], text=True, timeout=20,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert who.returncode == 0 and "gw" in who.stdout


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM,
                                   signal.SIGHUP])
def test_leaves_nothing_behind(demo, signo):
    d = demo()
    assert d.processes()
    assert d.end(signo) == 0
    wait_for(lambda: not d.processes(), 5, text="the end of all processes")
    assert os.listdir(d.tmp) == []


def test_keep(demo):
    d = demo("--keep")
    d.end(signal.SIGINT)
    left = os.listdir(d.tmp)
    assert len(left) == 1 and left[0] in d.text
    assert os.path.exists(d.tmp / left[0] / "log")
    wait_for(lambda: not [p for p in d.processes()
                          if p != os.getpid()], 5, text="the end")


def test_two_demos_side_by_side(demo, monkeypatch):
    port = str(free_port())
    monkeypatch.setattr("test_demo.free_port", lambda: port)
    first, second = demo(), demo()
    assert first.run("demo status").returncode == 0
    assert second.run("demo status").returncode == 0


def test_says_so_when_the_daemon_dies(demo):
    d = demo()
    found = [p for p in d.processes() if "oobd" in
             os.readlink(f"/proc/{p}/exe") and
             b"oobd.conf" in open(f"/proc/{p}/cmdline", "rb").read()]
    assert found
    os.kill(min(found), signal.SIGKILL)
    assert d.process.wait(20) == 1
    d.thread.join(5)
    assert "ended by itself" in d.text


def test_wrong_option():
    p = subprocess.run(["sh", str(ROOT / "contrib/demo.sh"), "--nonsense"],
                       stderr=subprocess.PIPE, text=True)
    assert p.returncode == 2 and "usage" in p.stderr
