"""The demo as a newcomer runs it: start, type what it prints, ^C."""
import os
import pwd
import re
import shlex
import signal
import subprocess
import threading

import pytest
from conftest import BUILD, ROOT, Client, free_port, wait_for
from pages import block
from relay_site import descendants


class Demo:
    """contrib/demo.sh, in a TMPDIR of its own so that leftovers show."""

    def __init__(self, tmp, *args, user=None, script="demo.sh"):
        self.tmp = tmp
        self.su = [] if user is None else [
            "setpriv", f"--reuid={user}", f"--regid={user}",
            "--clear-groups"]
        env = dict(os.environ, TMPDIR=str(tmp),
                   OOBD_BUILD=str(BUILD.relative_to(ROOT)),
                   OOBD_DEMO_PORT=str(free_port()))
        self.process = subprocess.Popen(
            [*self.su, "sh", str(ROOT / "contrib" / script), *args], env=env,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
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
        found = re.search(r"  +((ssh|/|grep|tail|cat) ?.*)$", lines[0])
        return self.su + shlex.split(found.group(1))

    def run(self, words, **kw):
        return subprocess.run(self.printed(words), text=True, timeout=60,
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
        status = self.process.wait(30)
        self.thread.join(5)
        return status


@pytest.fixture
def demo(tmp_path):
    made = []

    def start(*args, **kw):
        made.append(Demo(tmp_path, *args, **kw))
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


def answer(d, words):
    """What the phone showed."""
    done = d.run(words)
    assert done.returncode == 0, done
    sent, shown = done.stdout.split("\n", 1)
    assert re.fullmatch(r"demo: SMS from \+46701234567: .* \d{8}", sent)
    return shown


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def users():
    """Who runs these tests, and then somebody without rights, whom sshd lets
    in (libnss-systemd takes "nobody" for locked)."""
    return [None] + ([pwd.getpwnam("games").pw_uid]
                     if os.geteuid() == 0 else [])


@pytest.mark.long
@pytest.mark.parametrize("user", users())
def test_the_night(demo, tmp_path, user):
    """An SMS, and a person at the router through the relay; then ^C, with
    that person still there."""
    if user is not None:
        for path in [tmp_path, *tmp_path.parents[:3]]:
            path.chmod(0o755)
        os.chown(tmp_path, user, user)
    d = demo(user=user)
    ppp = "no PPP here" not in d.text
    assert not (ppp and user)
    # Closed until then; whoever does not have a code gets no answer.
    refused = d.run("gw@127.0.0.1")
    assert refused.returncode == 255 and "refused" in refused.stderr
    code = d.run("/demo codes").stdout.split()[0]
    assert code in d.run("codes.txt").stdout
    assert "no answer" in d.run("stranger up 30").stdout
    shown = answer(d, "sms up 30 CODE")
    assert re.search("link (dialling|up).* 30min", shown)
    assert d.run("/demo codes").stdout.split()[0] != code
    wait_for(lambda: "proven" in d.run("relay status").stdout, 60,
             text="the relay")
    assert d.run("relay test").returncode == 0
    shown = answer(d, "sms status CODE")
    assert "relay cloud proven" in shown and ("E-PPP" in shown) != ppp
    assert "login: " in answer(d, "sms tail 3 CODE")
    person = Client(d.printed("gw@127.0.0.1"), tty=True)
    try:
        person.expect(b"? for help]")
        person.send(b"\r")
        person.expect(b"login: ")
        assert re.search(r"\bgw +demo\b.*\bcloud\b",
                         d.run("demo who").stdout)
        answer(d, "sms down CODE")
        person.wait()
    finally:
        person.stop()
    wait_for(lambda: "demo: link is down: demo (sms +46701234567) asked for "
             "it; was up" in d.run("/demo phone").stdout)


@pytest.mark.long
@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM,
                                   signal.SIGHUP])
def test_leaves_nothing_behind(demo, signo):
    """Not even where somebody is there, through the relay; twice."""
    for _ in range(2):
        d = demo()
        answer(d, "sms up 30 CODE")
        wait_for(lambda: "proven" in d.run("relay status").stdout, 60)
        person = Client(d.printed("gw@far"), tty=True)
        try:
            person.expect(b"? for help]")
            there = {*d.processes(), *descendants(d.process.pid)}
            assert len(there) > 8
            assert d.end(signo) == 0
        finally:
            person.stop()
        wait_for(lambda: not [p for p in there if runs(p)], 5,
                 text="the end of all processes")
        assert os.listdir(d.tmp) == []


def test_keep(demo):
    d = demo("--keep")
    d.end(signal.SIGINT)
    left = os.listdir(d.tmp)
    assert len(left) == 1 and left[0] in d.text
    assert os.path.exists(d.tmp / left[0] / "log")
    wait_for(lambda: not [p for p in d.processes()
                          if p != os.getpid()], 5, text="the end")


@pytest.mark.long
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


@pytest.mark.skipif(BUILD.name != "build", reason="it builds in build/")
def test_the_command_of_the_readme(demo):
    line = block("README.md", "sh contrib/bootstrap.sh demo")[0]
    words = shlex.split(line, comments=True)
    assert words[:2] == ["sh", "contrib/bootstrap.sh"]
    d = demo(*words[2:], script="bootstrap.sh")
    assert "gw" in d.run("demo status").stdout
    assert d.end(signal.SIGINT) == 0
    assert os.listdir(d.tmp) == []


def test_wrong_option():
    p = subprocess.run(["sh", str(ROOT / "contrib/demo.sh"), "--nonsense"],
                       stderr=subprocess.PIPE, text=True)
    assert p.returncode == 2 and "usage" in p.stderr
