"""The simulated router, by itself: other tests rely on what is shown here."""
import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import termios
import time

import pytest

BUILD = os.environ.get("OOBD_BUILD", "build")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
OOBSIM = os.path.join(ROOT, BUILD, "oobsim")


class Router:
    """oobsim router in a scratch folder, with its line open."""

    def __init__(self, folder, *args, link=True):
        self.path = str(folder / "ttyROUTER")
        self.record = str(folder / "record")
        self.typed = str(folder / "typed")
        self.control = str(folder / "control")
        command = [OOBSIM, "router", "--record", self.record, "--typed",
                   self.typed, "--control", self.control, *args]
        if link:
            command += ["--link", self.path]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.pty = self.process.stdout.readline().decode().strip()
        self.fd = -1
        self.got = b""

    def open(self):
        self.fd = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        return self

    def close(self):
        if self.fd != -1:
            os.close(self.fd)
        self.fd = -1

    def read(self, seconds):
        """What comes within this time; b"" when nothing does."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        data = os.read(self.fd, 65536)
        self.got += data
        return data

    def expect(self, what, seconds=20):
        """Read until what came; gives back the bytes up to its end."""
        end = time.monotonic() + seconds
        while what not in self.got:
            left = end - time.monotonic()
            assert left > 0, f"{what!r} not within {seconds} s: {self.got[-300:]!r}"
            self.read(left)
        at = self.got.index(what) + len(what)
        data, self.got = self.got[:at], self.got[at:]
        return data

    def type(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def login(self):
        self.type(b"\r")
        self.expect(b"login: ")
        self.type(b"root\r")
        self.expect(b"Password:")
        self.type(b"router\r")
        self.expect(b"root@gw:~ # ")
        return self

    def run(self, command, seconds=20):
        """Output of a shell command, without the echo and the prompt."""
        self.type(command + b"\r")
        self.expect(command + b"\r\n", seconds)
        return self.expect(b"root@gw:~ # ", seconds)[:-len(b"root@gw:~ # ")]

    def order(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.control)
            s.sendall(line.encode() + b"\n")
            return s.makefile().readline().strip()

    def stat(self):
        return dict(f.split("=") for f in self.order("stat").split())

    def wait_stat(self, key, value, seconds=5):
        end = time.monotonic() + seconds
        while self.stat()[key] != value:
            assert time.monotonic() < end, f"{self.stat()}, want {key}={value}"
            time.sleep(0.02)

    def stop(self):
        self.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(5)


@pytest.fixture
def router(tmp_path):
    made = []

    def make(*args, **kw):
        made.append(Router(tmp_path, *args, **kw))
        return made[-1]

    yield make
    for r in made:
        r.close()
        if r.process.poll() is None:
            r.process.kill()
        r.process.wait()
        r.process.stdout.close()


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def test_boots_slowly_to_a_login(router):
    r = router("--calm", "--wait").open()
    start = time.monotonic()
    boot = r.expect(b"login: ", 30)
    took = time.monotonic() - start
    assert b"---<<BOOT>>---" in boot and b"\033[" in boot
    assert len(boot) > 7000
    # The pauses alone are over 4 s, the bytes at 57600 bit/s over 1 s.
    assert took > len(boot) / 5760 + 3


def test_login_does_not_echo_the_password(router):
    r = router("--no-boot", "--calm").open()
    r.type(b"\r")
    r.expect(b"login: ")
    r.type(b"root\r")
    assert b"root\r\nPassword:" in r.expect(b"Password:")
    r.type(b"wrong\r")
    assert b"wrong" not in r.expect(b"Login incorrect", 5)
    r.expect(b"login: ")
    r.type(b"root\r")
    r.expect(b"Password:")
    r.type(b"router\r")
    assert b"router\r" not in r.expect(b"# ")


def test_pace_and_pieces(router):
    """Never faster than the line; as fast, whenever it has a processor."""
    r = router("--no-boot", "--calm").open().login()
    r.type(b"flood 400\r")
    r.expect(b"flood 400\r\n")
    start, sizes, got, rates = time.monotonic(), [], 0, []
    begun, before = start, 0
    while got < 400 * 64 - 64:
        n = len(r.read(2))
        sizes.append(n)
        got += n
        if got - before >= 3200:
            rates.append((got - before) / (time.monotonic() - begun))
            begun, before = time.monotonic(), got
    assert got / (time.monotonic() - start) < 1.1 * 5760
    assert max(rates) > 0.9 * 5760
    assert sorted(sizes)[len(sizes) // 2] <= 64


def test_flood_is_numbered_lines_of_64_bytes(router):
    r = router("--no-boot", "--calm", "--no-pace").open().login()
    lines = r.run(b"flood 20000", 60).split(b"\r\n")[:-1]
    assert len(lines) == 20000
    assert {len(line) for line in lines} == {62}
    assert [int(line[6:14]) for line in lines] == list(range(1, 20001))


def test_record_holds_exactly_what_was_read(router):
    r = router("--fast", "--calm", "--no-pace", "--wait")
    r.open()
    got = r.expect(b"login: ")
    for command in (b"noise 100000", b"dmesg", b"bytes", b"help"):
        if b"Password" not in got:
            r.type(b"root\r")
            got += r.expect(b"Password:")
            r.type(b"router\r")
            got += r.expect(b"root@gw:~ # ")
        r.type(command + b"\r")
        got += r.expect(b"root@gw:~ # ", 30)
    assert r.read(0.2) == b""
    assert contents(r.record) == got
    assert bytes(range(256)) in got


def test_noise_is_the_same_for_a_seed(router, tmp_path):
    r = router("--no-boot", "--calm", "--seed", "7").open().login()
    first = r.run(b"noise 1000")
    assert len(first) == 1002 and r.run(b"noise 1000") == first
    r.stop()
    r = router("--no-boot", "--calm", "--seed", "8").open().login()
    assert r.run(b"noise 1000") != first


def test_line_editing(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"ecgo\b\b\x7fcho one\r")
    assert b"one\r\n" in r.expect(b"# ").split(b"one\r\n", 1)[1] + b"one\r\n"
    r.type(b"echo wrong\x15echo right\r")
    out = r.expect(b"\r\nright\r\n")
    assert b"\b \b" in out and b"\r\nwrong" not in out
    r.expect(b"# ")
    r.type(b"echo no\x03")
    r.expect(b"^C\r\nroot@gw:~ # ")
    r.type(b"\033[A\033[Becho key\r")
    r.expect(b"\r\nkey\r\n")
    r.expect(b"# ")
    assert b"not found" in r.run(b"nonsense")
    r.type(b"\x04")
    r.expect(b"login: ")


@pytest.mark.parametrize("command, want", [
    (b"uname -a", rb"^FreeBSD gw 12\.2"),
    (b"ifconfig", rb"inet 192\.0\.2\.2"),
    (b"ps", rb"ntpd"),
    (b"ls", rb"/etc/rc\.conf"),
    (b"cat /etc/rc.conf", rb'hostname="gw'),
    (b"cat /nowhere", rb"No such file"),
    (b"date", rb"UTC 2\d\d\d"),
    (b"uptime", rb"load averages"),
    (b"who", rb"root +ttyu0"),
    (b"dmesg", rb"^---<<BOOT>>---(?s:.*)uart0"),
    (b"netstat", rb"default +192\.0\.2\.1"),
    (b"ping -c 1 192.0.2.1", rb"icmp_seq=0(?s:.*)1 packets received"),
    (b"sleep x", rb"usage: sleep SECONDS"),
    (b"help", rb"reboot +go down"),
])
def test_commands(router, command, want):
    r = router("--no-boot", "--calm").open().login()
    assert re.search(want, r.run(command), re.M)


def test_interrupt_stops_at_once(router):
    r = router("--no-boot", "--calm").open().login()
    for command in (b"flood 10000000", b"ping 192.0.2.1", b"sleep 1000",
                    b"top", b"cat"):
        r.type(command + b"\r")
        r.expect(command + b"\r\n")
        r.read(0.3)
        start = time.monotonic()
        r.type(b"\x03")
        r.expect(b"root@gw:~ # ", 3)
        assert time.monotonic() - start < 0.5


def test_top_is_a_full_screen_menu(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"top\r")
    r.expect(b"\033[2J")
    assert b"\033[6;1H\033[7m" in r.expect(b"q: leave")
    r.type(b"\033[B")
    r.expect(b"\033[7;1H\033[7m", 3)
    r.type(b"q")
    r.expect(b"root@gw:~ # ", 3)


def test_typed_bytes_arrive_all_and_in_order(router):
    r = router("--no-boot", "--calm", "--speed", "921600").open().login()
    typed = bytes(range(256)) * 400
    r.type(b"recv %d\r" % len(typed))
    r.expect(b"\r\n")
    r.type(typed)
    out = r.expect(b"# ", 30)
    want = subprocess.run(["cksum"], input=typed, stdout=subprocess.PIPE,
                          check=True).stdout.strip()
    assert out.startswith(want)
    assert contents(r.typed).endswith(typed)


def test_reboot_goes_down_is_silent_and_comes_back(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"reboot\r")
    r.expect(b"Rebooting...")
    r.expect(b"other CPUs\r\n")
    assert r.read(1.5) == b""       # firmware takes its time
    r.expect(b"---<<BOOT>>---", 30)
    r.expect(b"login: ", 30)


def test_panic_prints_what_alerts_look_for(router):
    r = router("--no-boot", "--calm", "--fast").open().login()
    r.type(b"panic\r")
    r.expect(b"Fatal trap 12")
    r.expect(b"panic: page fault")
    r.expect(b"---<<BOOT>>---", 30)


@pytest.mark.long
def test_kernel_talks_unasked(router):
    r = router("--no-boot").open().login()
    r.order("say igb1: link state changed to DOWN")
    assert b"\r\nigb1: link state changed to DOWN\r\nroot@gw:~ # " \
        in r.expect(b"DOWN\r\nroot@gw:~ # ")
    r.expect(b"igb1: link state changed", 40)    # and now by itself


def test_autologout(router):
    r = router("--no-boot", "--calm", "--autologout", "1s").open().login()
    r.expect(b"auto-logout\r\n", 5)
    r.expect(b"login: ")


def test_nobody_listening_is_not_waited_for(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"flood 300\r")
    r.expect(b"flood 00000010")
    r.close()
    r.wait_stat("heard", "0")
    before = os.path.getsize(r.record)
    time.sleep(2)
    assert os.path.getsize(r.record) == before
    r.open()
    r.got = b""
    r.wait_stat("heard", "1")
    out = r.expect(b"flood 00000300", 10)
    # The numbers went on at the line's pace: 2 s are 180 lines.
    first = int(re.search(rb"flood (\d{8}) of", out).group(1))
    assert 150 < first < 280
    assert int(r.stat()["dropped"]) > 8000


def test_new_reader_gets_nothing_stale(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"flood 20\r")
    time.sleep(1)                   # all of it waits in the kernel, unread
    r.close()
    r.wait_stat("heard", "0")
    r.open()
    r.wait_stat("heard", "1")
    r.got = b""
    assert r.read(0.3) == b""
    r.type(b"\r")
    assert r.expect(b"# ") == b"\r\nroot@gw:~ # "


def test_survives_every_close(router):
    r = router("--no-boot", "--calm")
    for _ in range(20):
        r.open()
        r.type(b"\r")
        r.expect(b"login: ", 5)
        r.close()
    assert r.process.poll() is None
    assert os.readlink(r.path) == r.pty


def test_exclusive_lock_ends_with_its_holder(router):
    r = router("--no-boot", "--calm").open()
    r.expect(b"login: ") if r.read(0.2) else None
    fcntl.ioctl(r.fd, termios.TIOCEXCL)
    r.close()
    r.wait_stat("heard", "0")
    r.open()
    r.type(b"\r")
    r.expect(b"login: ", 5)


def test_unplug_and_plug(router):
    r = router("--no-boot", "--calm").open().login()
    r.type(b"flood 100000\r")
    r.expect(b"flood 00000100")
    assert r.order("unplug") == "ok"
    assert not os.path.lexists(r.path)
    assert r.stat()["plugged"] == "0"
    with pytest.raises(OSError):
        while r.read(2):
            pass
        raise OSError("end of file, which is as good")
    r.close()
    assert r.order("plug") == "ok"
    r.open()
    r.got = b""
    r.expect(b"flood 0", 5)         # the box went on meanwhile
    assert r.process.stdout.readline().decode().strip() == \
        os.readlink(r.path)


def test_unplug_loses_nothing_that_is_on_record(router):
    r = router("--no-boot", "--calm").open()
    r.type(b"\r")
    got = r.expect(b"login: ")
    r.order("send " + "x" * 4000)   # for most of a second
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        time.sleep(0.05)
        r.order("unplug")
        os._exit(0)
    try:
        while True:
            data = r.read(2)
            if not data:
                break
            got += data
    except OSError:
        pass
    os.waitpid(child, 0)
    assert contents(r.record) == got
    assert len(got) < 3900          # it was cut in the middle


def test_hangup_logs_out(router):
    r = router("--no-boot", "--calm").open().login()
    assert r.order("hangup") == "ok"
    r.close()
    r.open()
    r.got = b""
    r.type(b"\r")
    r.expect(b"login: ", 5)
    assert r.stat()["state"] == "login"


def test_send_gives_any_byte(router):
    r = router("--no-boot", "--calm").open()
    r.type(b"\r")
    r.expect(b"login: ")
    assert r.order(r"send a\e[31m\x00\xff\r\nb\\") == "ok"
    r.expect(b"a\033[31m\x00\xff\r\nb\\")
    assert r.order(r"send \q").startswith("error:")
    assert r.order("nonsense").startswith("error: no such order")


def test_tell(router):
    r = router("--no-boot", "--calm")

    def tell(*words):
        return subprocess.run([OOBSIM, "tell", *words], text=True, timeout=10,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    answer = tell(r.control, "stat")
    assert answer.returncode == 0 and "state=login" in answer.stdout
    answer = tell(r.control, "send", r"\q")
    assert answer.returncode == 1 and "error:" in answer.stdout
    r.stop()
    answer = tell(r.control, "stat")
    assert answer.returncode == 1 and r.control in answer.stderr
    assert tell("stat").returncode == 2


def test_ends_cleanly(router):
    r = router("--no-boot")
    assert os.path.lexists(r.path) and os.path.exists(r.control)
    assert r.stop() == 0
    assert not os.path.lexists(r.path) and not os.path.exists(r.control)


def test_link_replaces_and_spares(router, tmp_path):
    first = router("--no-boot")
    second = Router(tmp_path, "--no-boot", "--control",
                    str(tmp_path / "control2"))
    assert os.readlink(second.path) == second.pty
    first.stop()
    assert os.readlink(second.path) == second.pty    # not the first's to take
    second.stop()
    assert not os.path.lexists(second.path)
    second.process.stdout.close()


def test_usage(tmp_path):
    def run(*args):
        return subprocess.run([OOBSIM, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=10)

    assert run("--help").returncode == 0
    assert "--record" in run("router", "--help").stdout
    for args, word in (((), "usage"), (("modern",), "modern"),
                       (("router", "--speed", "fast"), "--speed fast"),
                       (("router", "--nonsense"), "nonsense"),
                       (("router", "extra"), "extra")):
        r = run(*args)
        assert r.returncode == 2 and word in r.stderr
    r = run("router", "--record", str(tmp_path / "no" / "where"))
    assert r.returncode == 1 and "No such file" in r.stderr
