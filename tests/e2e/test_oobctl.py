"""oobctl: the same verbs on the box itself."""
import os
import signal
import stat
import subprocess
import termios
import time

import pytest

from conftest import BUILD, PATIENCE, wait_for

CTL = str(BUILD / "oobctl")


def run(*words, **kw):
    return subprocess.run([CTL, *words], capture_output=True, timeout=60,
                          stdin=kw.pop("stdin", subprocess.DEVNULL), **kw)


def attach(site, *words):
    c = site.client([CTL, "-s", str(site.control), "attach", *words],
                    tty=True)
    c.expect(b"? for help]\r\n")
    return c


@pytest.mark.parametrize("words", [
    [], ["-x"], ["nonsense"], ["-D", "/nowhere", "list"], ["-e", "xyz",
                                                           "list"]])
def test_usage(words):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == b"" and done.stderr != b""


def test_help_needs_no_daemon():
    done = run("help")
    assert done.returncode == 0 and b"  attach  attach" in done.stdout
    assert run("help", "log").stdout.startswith(b"usage: log [CONSOLE]")
    assert run("help", "nonsense").returncode == 2
    assert run("--version").stdout.startswith(b"oobctl ")
    assert run("--help").returncode == 0


def test_no_daemon(tmp_path):
    done = run("-s", str(tmp_path / "none"), "list")
    assert done.returncode == 1
    assert done.stderr == (f"oobctl: {tmp_path}/none: is oobd running? "
                           "(No such file or directory)\n").encode()
    env = dict(os.environ, OOBD_CONTROL=str(tmp_path / "other"))
    assert b"other: is oobd running" in run("list", env=env).stderr


def test_socket_is_its_groups(site):
    assert stat.S_IMODE(os.stat(site.control).st_mode) == 0o660
    assert os.stat(site.control).st_gid == os.getgid()


def test_verbs(site):
    assert b"gw" in site.ctl("list").stdout
    assert site.ctl("note", "gw", "it's", "here").returncode == 0
    events = site.ctl("log", "--events").stdout
    assert b"note user=" in events and b"it's here" in events
    assert site.ctl("log", "none").returncode == 3
    assert site.ctl("kick", "4711").returncode == 1
    assert site.ctl("set", "gw", "speed", "9600").returncode == 0
    assert b"9600 8N1 none" in site.ctl("list").stdout
    # A verb leaves standard input alone.
    done = subprocess.run(["sh", "-c", f'"{CTL}" -s "{site.control}" list '
                           ">/dev/null; cat"], input=b"mine",
                          capture_output=True, timeout=60)
    assert done.stdout == b"mine"


def test_offline(site):
    site.lines["gw"].send(b"recorded\r\n")
    wait_for(lambda: b"recorded" in site.ctl("log", "gw").stdout)
    site.stop()
    journal = str(site.dir / "journal")
    assert b"recorded" in run("-D", journal, "log", "gw", "--raw").stdout
    assert b"recorded" in run("-D", journal, "log").stdout
    assert run("-D", journal, "log", "none").returncode == 3


def test_stream(site):
    """Without a terminal: the line, byte for byte, both ways."""
    everything = bytes(range(256)) * 8
    done = subprocess.run([CTL, "-s", str(site.control), "attach"],
                          input=everything, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == everything
    assert done.stderr.startswith(b"oobd: gw: you have the pen")


@pytest.mark.parametrize("sign", [
    None, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV,
    signal.SIGABRT])
def test_terminal_is_restored(site, sign):
    c = attach(site)
    before = termios.tcgetattr(c.fd)
    assert not before[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    if sign is None:
        c.send(b"\x05c.")
    else:
        c.process.send_signal(sign)
    status = c.wait()
    after = termios.tcgetattr(c.fd)
    assert after[3] & termios.ICANON and after[3] & termios.ECHO
    assert after[0] & termios.ICRNL and after[1] & termios.OPOST
    assert status == 0 if sign in (None, signal.SIGTERM, signal.SIGHUP,
                                   signal.SIGQUIT) else status != 0


def test_session_survives_the_console_process(site):
    c = attach(site)
    c.send(b"before")
    c.expect(b"before")
    n = len(c.out.settle())
    old = site.children()["console"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: site.children().get("console", old) != old)
    wait_for(lambda: b"pen" in site.ctl("who").stdout)
    c.send(b" after")
    c.expect(b" after", start=n)
    assert site.lines["gw"].typed.data == b"before after"
    c.send(b"\x05c.")
    assert c.wait() == 0


def test_daemon_stops_under_it(site):
    c = attach(site)
    site.stop()
    c.expect(b"oobd is stopping")
    assert c.wait() == 1


def test_output_that_nobody_reads(site):
    """A full pipe stops oobctl, not the daemon."""
    c = subprocess.Popen([CTL, "-s", str(site.control), "attach", "--ro"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    other = attach(site)
    site.lines["gw"].echo = False
    start = time.monotonic()
    site.lines["gw"].send(b"0123456789abcde\n" * 200000 + b"the end")
    other.expect(b"the end", 3 * PATIENCE)
    assert time.monotonic() - start < 3 * PATIENCE
    c.stdout.close()
    site.lines["gw"].send(b"more")
    assert c.wait(PATIENCE) in (0, 1)
    c.stderr.close()
