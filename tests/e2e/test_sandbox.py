"""What somebody finds who has broken into one of the processes.

intruder.so (tests/shim/intruder.c) is his code: in the real process, once that
has confined itself.  Each role is told what to try; each answer is asserted.
"""
import os
import re
import socket
import subprocess
import sys

import pytest

import conftest
from conftest import BUILD, KEPT, PATIENCE, SANITIZED, make_key, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="seccomp, landlock"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer needs /proc"),
]

# Whatever the role: never answered "ok".
ALL = ("tty", "key", "file", "overkey", "memory", "serve", "control",
       "letter", "signal", "signalall", "fork", "handler", "inject", "unknown")
# What is sealed opens no path, be it one that it could.
SEALED = ("journal", "path_then", "readable_then", "looked_then")
# What the role needs not either.  The modem process checks the codes of
# messages.
MORE = {
    "console": ("codes", "out", "held_up", *SEALED),
    "ssh": ("codes", "out", "datagram", "netlink", "connectheld", "bindheld",
            "around", *SEALED),
    "dialer": ("codes", "journal"),
    "modem": ("journal",),
    "notify": ("codes", "journal"),
    "reader": ("codes", "out", "held_up", "held_write", *SEALED),
    "signer": ("codes", "out", *SEALED),
    "gate": ("journal", "out"),
}
# What its work is, so that it is seen that the deeds can be done at all.
MAY = {
    "console": ("held", "held_write"),
    "ssh": (),
    "dialer": ("out", "datagram", "netlink"),
    "modem": ("codes", "out"),
    "notify": ("out",),
    "reader": ("held",),
    "signer": ("held",),
    "gate": ("codes",),
}
# Two each: three in a row would end the killing.
DEADLY = {"console": ("exec", "trace"), "ssh": ("exec", "peek"),
          "modem": ("root", "mount"), "notify": ("trace", "exec")}
CALLS = {"exec": "execve", "trace": "ptrace", "peek": "process_vm_readv",
         "root": "setuid", "mount": "mount"}
REFUSED = ("EPERM", "EACCES")


def landlock():
    """Its version in this kernel; 0: none."""
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None)"
         ".syscall(444, None, 0, 1))"], capture_output=True, text=True)
    return max(0, int(done.stdout))


class Intruder:
    """Deeds in the processes of a site."""

    def __init__(self, site, monkeypatch, anyhow=False):
        self.site = site
        self.dir = site.dir / "orders"
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.box.bind(str(site.dir / "letters"))
        (site.dir / "letters").chmod(0o666)
        state = site.dir / "state"
        env = {"": self.dir, "_TTY": os.path.realpath(site.lines["gw"].path),
               "_KEY": state / "ssh_host_ed25519_key",
               "_CODES": state / "codes" / "alice",
               "_JOURNAL": site.dir / "journal" / "gw" / "current",
               "_FILE": site.dir / "new", "_CONTROL": site.control,
               "_LETTERS": site.dir / "letters",
               "_PORT": self.server.getsockname()[1]}
        for name, value in env.items():
            monkeypatch.setenv("OOBD_INTRUDER" + name, str(value))
        if anyhow:
            monkeypatch.setenv("OOBD_INTRUDER_ANYHOW", "1")
        self.preload = str(BUILD / "tests" / "intruder.so")

    def start(self, monkeypatch, *args):
        state = self.site.dir / "state"
        (state / "codes").mkdir(parents=True, exist_ok=True)
        (state / "codes" / "alice").write_text("nothing\n")
        monkeypatch.setenv("LD_PRELOAD", self.preload)
        self.site.start(*args)
        monkeypatch.delenv("LD_PRELOAD")

    def order(self, role, *deeds):
        for deed in deeds:
            (self.dir / f"{role}.{deed}").touch()

    def answers(self, role, deeds):
        """Deed to what came of it."""
        found = {}

        def look():
            for deed, what in re.findall(
                    rf"^intruder {role}\.(\w+): (\w+)$", self.site.log(),
                    re.M):
                found[deed] = what
            return set(deeds) <= set(found)
        wait_for(look, 3 * PATIENCE, text=f"deeds of {role}")
        return found

    def try_all(self, role):
        deeds = ALL + MORE[role] + MAY[role]
        self.order(role, *deeds)
        return self.answers(role, deeds)

    def close(self):
        self.server.close()
        self.box.close()


@pytest.fixture
def intruder(empty_site, monkeypatch):
    made = []

    def make(**kw):
        made.append(Intruder(empty_site, monkeypatch, **kw))
        return made[0]
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.top = 'notify "x" {\n\ttype = "exec"\n\tcommand = "/bin/true"\n}\n'
    yield make
    for i in made:
        i.close()


@pytest.fixture
def silent():
    """A port of 127.66.66.66 where a connection is neither taken nor
    refused."""
    with socket.socket() as s:
        s.bind(("127.66.66.66", 0))
        s.listen(0)
        full = [socket.socket() for _ in range(4)]
        for f in full:
            f.setblocking(False)
            f.connect_ex(s.getsockname())
        yield s.getsockname()[1]
        for f in full:
            f.close()


def judge(role, got):
    """Everything but its work is refused, and its work is done."""
    wrong = {d: got[d] for d in ALL + MORE[role] if got[d] not in REFUSED}
    # A number that this system has not is one to every library.
    assert wrong.pop("unknown", None) == "ENOSYS"
    assert wrong == {}, (role, got)
    assert {d: got[d] for d in MAY[role]} == {d: "ok" for d in MAY[role]}


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_kept_processes(intruder, monkeypatch):
    i = intruder()
    i.start(monkeypatch)
    for role in KEPT:
        judge(role, i.try_all(role))
    assert not (i.site.dir / "new").exists()
    # and they are none the worse for it
    i.site.none_restarted()
    assert i.site.run("alice", "status").returncode == 0


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_reader(intruder, monkeypatch):
    i = intruder()
    i.start(monkeypatch)
    i.site.lines["gw"].send(b"one\r\n")
    i.site.attach("alice", "replay", "gw")
    wait_for(lambda: "reader" in i.site.children(), text="a reader")
    judge("reader", i.try_all("reader"))


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_signer(intruder, monkeypatch):
    """The one that holds the journals' key, as it hands out what it signed."""
    i = intruder()
    i.site.top += "sync = 100ms\njournal {\n\tseal = 1s\n}\n"
    i.order("signer", *(ALL + MORE["signer"] + MAY["signer"]))
    i.start(monkeypatch)
    judge("signer", i.answers("signer", ALL + MORE["signer"] + MAY["signer"]))
    # and it was signed all the same
    wait_for(lambda: b"signed seal=" in i.site.run(
        "alice", "log", ".box", "--events").stdout, text="the signature")


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_dialer(intruder, monkeypatch, silent):
    """While it waits for an answer."""
    i = intruder()
    (i.site.dir / "state").mkdir(mode=0o700)
    key = make_key(i.site.dir / "state" / "relay")
    public = key.with_suffix(".pub").read_text().strip()
    i.site.top += (
        f'relay "slow" {{\n\thost = "127.66.66.66"\n'
        f'\tport = {silent}\n\tuser = "x"\n\twhen = "always"\n'
        f'\tidentity = "{key}"\n'
        f'\thost_key = {{"{public}"}}\n\tlisten = "localhost:1"\n}}\n')
    i.start(monkeypatch)
    wait_for(lambda: "dialer" in i.site.children(), text="a dialer")
    judge("dialer", i.try_all("dialer"))


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_gate(intruder, monkeypatch):
    """The one that checks a code: as long as it waits to be asked."""
    i = intruder()
    i.site.users["alice"].extra = '\trequire = {"key+code"}\n'
    i.start(monkeypatch)
    i.order("gate", *(ALL + MORE["gate"] + MAY["gate"]))
    argv = ["BatchMode=no" if a == "BatchMode=yes" else a
            for a in i.site.ssh("alice", "-tt")]
    c = i.site.client(argv, tty=True)
    c.expect(b"One-time code: ")
    c.send(b"123456\n")
    judge("gate", i.answers("gate", ALL + MORE["gate"] + MAY["gate"]))


@pytest.mark.skipif(landlock() == 0, reason="no landlock in this kernel")
def test_gate_that_was_asked(intruder, monkeypatch):
    """From before it reads a word of others it opens no path, be it one that
    it could."""
    i = intruder()
    i.start(monkeypatch)
    then = ("path_then", "readable_then", "looked_then")
    i.order("gate", *then)
    assert i.site.run("alice", "list").returncode == 0
    got = i.answers("gate", then)
    assert {d: got[d] for d in then} == {d: "EACCES" for d in then}


@pytest.mark.parametrize("role", KEPT)
def test_deadly(intruder, monkeypatch, role):
    """What only an intruder asks for ends the process, by name."""
    i = intruder()
    i.start(monkeypatch)
    for deed in DEADLY[role]:
        before = len(i.site.log())
        i.order(role, deed)
        i.site.expect_log(rf"^oobd: {role} process: killed by its sandbox for "
                          rf"the system call {CALLS[deed]}:", start=before)
        (i.dir / f"{role}.{deed}").unlink()
        i.site.expect_log(rf"^oobd: {role} process ended \(forbidden system "
                          rf"call: {CALLS[deed]}\)", start=before)
        assert f"intruder {role}.{deed}" not in i.site.log()
    wait_for(lambda: i.site.run("alice", "status").returncode == 0,
             text="another one")


BAD = {
    "console": (("unlisted", r"\(0x50b\): what it may not have"),
                ("malformed", r"\(0x502\): malformed"),
                ("hash", r"\(0x50d\): malformed"),
                ("replay", r"\(0x504\): out of turn, or once more")),
    "ssh": (("unlisted", r"\(0x502\): what it may not have"),
            ("oversized", "bad frame"),
            ("replay", r"\(0x50c\): out of turn, or once more"),
            ("dialbad", r"\(0x511\): malformed"),
            ("dialtwice", r"\(0x511\): out of turn, or once more"),
            ("fd", r"\(0x505\): a descriptor that it may not send")),
    "modem": (("malformed", r"\(0x50a\): malformed"),
              ("nofd", "bad frame"),
              ("pong", "answers a ping that it did not get"),
              ("unlisted", r"\(0x502\): what it may not have")),
    "notify": (("replay", r"\(0x50f\): out of turn, or once more"),
               ("ready", r"\(0x505\): out of turn, or once more"),
               ("malformed", r"\(0x50f\): malformed"),
               ("pong", "answers a ping that it did not get")),
}


@pytest.mark.parametrize("role", KEPT)
def test_bad_requests_end_the_asker(intruder, monkeypatch, role):
    i = intruder()
    i.start(monkeypatch)
    opened = i.site.log().count("is open")
    for deed, said in BAD[role]:
        pid = i.site.children()[role]
        before = len(i.site.log())
        i.order(role, deed)
        at = i.site.expect_log(rf"^oobd: {role} process\b.*{said}$",
                               start=before)
        (i.dir / f"{role}.{deed}").unlink()
        i.site.expect_log(rf"^oobd: {role} process ended \(bad frame\)", 20,
                          start=at)
        wait_for(lambda: i.site.children().get(role, pid) != pid, 20,
                 text="another one")
        wait_for(lambda: i.site.run("alice", "status").returncode == 0, 20,
                 text="its work")
    # the line was left alone but by a new console process
    if role != "console":
        assert i.site.log().count("is open") == opened


def test_nobody_is_locked_out(intruder, monkeypatch):
    """A library that has changed: after three times it is only refused."""
    i = intruder()
    i.start(monkeypatch)
    i.order("ssh", "exec")
    i.site.expect_log("3 times in a row by now", 3 * PATIENCE)
    assert i.answers("ssh", ["exec"])["exec"] == "EPERM"
    log = i.site.log()
    assert log.count("killed by its sandbox for the system call execve") == 3
    assert "sandbox = false" in log
    i.site.expect_log("logged in|ready")
    wait_for(lambda: i.site.run("alice", "status").returncode == 0,
             text="logging in")
    # still confined
    judge("ssh", i.try_all("ssh"))


def test_never_ready(intruder, monkeypatch):
    """It does not even begin in there: then without, rather than never."""
    i = intruder()
    monkeypatch.setenv("OOBD_INTRUDER_BROKEN", "modem")
    monkeypatch.setattr(conftest, "PATIENCE", 6 * PATIENCE)
    i.start(monkeypatch)
    log = i.site.log()
    assert log.count("modem process ended (exit status 1)") == 5
    assert "so from here on it runs WITHOUT its sandbox" in log
    assert "sandbox = false" in log
    # the others are confined as ever
    judge("ssh", i.try_all("ssh"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a tty of somebody else")
def test_switched_off(intruder, monkeypatch):
    """The same deeds without a sandbox: most can be done, so the tests above
    would have seen them."""
    i = intruder(anyhow=True)
    i.site.sandbox = False
    i.start(monkeypatch)
    i.site.expect_log("sandbox = false: processes are confined by their user")
    deeds = ("tty", "key", "codes", "journal", "file", "memory", "out",
             "serve", "control", "letter", "signal", "fork", "trace")
    i.order("ssh", *deeds)
    got = i.answers("ssh", deeds)
    assert {d: got[d] for d in deeds} == {d: "ok" for d in deeds}


def test_a_sandbox_that_a_library_does_not_bear(intruder, monkeypatch):
    """Nobody could log in from within: that is found before anybody comes,
    and ends as for a process that is never ready."""
    i = intruder()
    monkeypatch.setenv("OOBD_INTRUDER_NEEDS", "/etc/hosts")
    monkeypatch.setattr(conftest, "PATIENCE", 6 * PATIENCE)
    i.start(monkeypatch)
    log = i.site.log()
    assert log.count("nobody could log in from within the sandbox: libssh ") \
        == 5
    assert log.count("ssh process ended (exit status 1)") == 5
    assert "so from here on it runs WITHOUT its sandbox" in log
    assert i.site.run("alice", "list").returncode == 0
    # the others are confined as ever
    judge("console", i.try_all("console"))


def test_a_relay_that_nobody_configured(intruder, monkeypatch):
    """It is no crime, as a reload may have removed it, and nothing is
    done."""
    i = intruder()
    i.start(monkeypatch)
    i.order("ssh", "dialother")
    assert i.answers("ssh", ["dialother"])["dialother"] == "ok"
    assert i.site.run("alice", "list").returncode == 0
    assert i.site.children()["ssh"] == i.site.pids["ssh"]
    assert "dialer" not in i.site.children()


def test_a_reload_does_not_change_it(intruder, monkeypatch):
    i = intruder()
    i.start(monkeypatch)
    i.site.sandbox = False
    i.site.reload()
    assert "sandbox changes with the next start" in i.site.log()


def test_the_ssh_process_alone_makes_nobody_a_user(intruder, monkeypatch):
    """Who has taken it over can say who is logged in, and is not believed
    without what a gate gave for it."""
    i = intruder()
    i.site.add_user("bob", role="admin")
    i.start(monkeypatch)
    alice = i.site.attach("alice")
    alice.send(b"first")
    i.site.lines["gw"].typed.expect(b"first")
    i.order("ssh", "unvouched")
    assert i.answers("ssh", ["unvouched"])["unvouched"] == "ok"
    i.site.expect_log("says that bob is logged in, and nobody vouches for it")
    wait_for(lambda: b"unvouched user=bob" in i.site.run(
        "alice", "log", ".box", "--events").stdout, text="the event")
    # who is there is told; he never was, and typed nothing
    assert b"bob" not in i.site.run("alice", "who").stdout
    assert b"reboot" not in i.site.lines["gw"].typed.settle()
    # and who is what he says goes on
    alice.send(b"second")
    i.site.lines["gw"].typed.expect(b"second")
    assert i.site.run("bob", "status").returncode == 0
