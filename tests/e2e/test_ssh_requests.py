"""What a client may ask of a channel, and what is refused."""
import re
import shutil
import signal
import subprocess
import time

import paramiko
import pytest

from conftest import PATIENCE, wait_for
from sshwire import raw_channel, request, transport


def start_stream(site, user, name="console", login=None):
    return site.client(site.ssh(user, "-s", name, login=login))


def test_stream_is_byte_exact_both_ways(empty_site):
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    c = start_stream(s, "alice")
    every = bytes(range(256)) * 40
    c.send(every)
    line.typed.expect(re.compile(re.escape(every), re.S))
    assert line.typed.data == every
    line.send(every)
    wait_for(lambda: len(c.out.data) >= len(every))
    assert c.out.settle() == every
    assert b"[oobd" not in c.out.data


def test_stream_names_its_console(empty_site):
    s = empty_site
    gw, sw = s.add_line("gw"), s.add_line("sw")
    s.add_user("alice")
    s.start()
    c = start_stream(s, "alice", "console:sw")
    c.send(b"hello")
    sw.typed.expect(b"hello")
    assert gw.typed.data == b""
    # The name in the subsystem wins over the login name's.
    c = start_stream(s, "alice", "console:gw", login="sw")
    c.send(b"there")
    gw.typed.expect(b"there")


def test_stream_without_a_clear_console(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_line("sw")
    s.add_user("alice")
    s.start()
    c = start_stream(s, "alice")
    assert c.wait() in (2, 3)
    assert c.out.data == b""
    assert b"console" in c.err.settle()
    c = start_stream(s, "alice", "console:none")
    assert c.wait() == 3
    assert b"none" in c.err.settle()


def test_end_of_input_ends_after_quiet(site):
    start = time.monotonic()
    done = site.run("alice", data=b"echo this\r",
                    argv=site.ssh("alice", "-s", "console"))
    assert done.returncode == 0
    assert done.stdout == b"echo this\r"
    assert 0.8 < time.monotonic() - start < 6


def test_a_watcher_without_input_stays(site):
    c = site.client(site.ssh("alice", "-n", "-s", "console"))
    site.expect_log("alice logged in")
    time.sleep(2.5)
    assert c.process.poll() is None
    site.lines["gw"].send(b"still here\r\n")
    c.expect(b"still here")


@pytest.mark.parametrize("words,status", [
    (["list"], 0), (["status"], 0), (["help"], 0), (["nonsense"], 2),
    (["attach", "none"], 3), (["log", "none"], 3)])
def test_exit_status(site, words, status):
    done = site.run("alice", *words)
    assert done.returncode == status, done.stderr
    if status:
        assert done.stdout == b"" and done.stderr != b""
    else:
        assert done.stdout != b"" and b"[oobd" not in done.stdout


def test_a_viewer_may_not_break(site):
    assert site.run("bob", "break", "gw").returncode == 4


def test_terminal_session(site):
    c = site.attach("alice")
    c.expect(b"[oobd: ")
    c.send(b"show version\r")
    c.expect(b"show version")
    assert site.lines["gw"].typed.expect(b"show version\r")
    c.resize(50, 132)
    c.send(b"more\r")
    c.expect(b"more")
    c.send(b"\x05c.")
    assert c.wait() == 0


def test_a_shell_without_a_terminal(site):
    """Stdout is the line and nothing else."""
    c = site.client(site.ssh("alice", "-T"))
    site.expect_log("alice logged in")
    c.send(b"abc\r")
    c.expect(b"abc\r")
    site.lines["gw"].send(b"\r\nrouter> ")
    c.expect(b"router> ")
    assert c.out.settle() == b"abc\r\r\nrouter> "


def test_openssh_break(site):
    c = site.attach("alice", "-e", "~")
    c.expect(b"[oobd: ")
    c.send(b"x\r")
    c.expect(b"x\r")
    c.send(b"~B")
    c.expect(re.compile(rb"\[oobd: [^\]]*[Bb][Rr][Ee][Aa][Kk]", re.S))


def test_break_request_answer_and_forgeries(site):
    """Only the request that is named break is one."""
    t = transport(site, "alice")
    c = t.open_session()
    c.get_pty()
    c.invoke_shell()
    time.sleep(0.5)
    for name in ("breakfast", "xbreak", "simple@putty.projects.tartarus.org",
                 "winadj@putty.projects.tartarus.org",
                 "break channel_request for channel X", "eow@openssh.com"):
        request(t, c, name)
    time.sleep(0.5)
    data = c.recv(65536) if c.recv_ready() else b""
    assert b"break" not in data.lower()
    request(t, c, "break", 500, reply=True)
    deadline = time.monotonic() + 10
    while b"break" not in data.lower() and time.monotonic() < deadline:
        time.sleep(0.05)
        if c.recv_ready():
            data += c.recv(65536)
    assert b"break" in data.lower()
    t.close()


def test_signals_do_no_harm(site):
    t = transport(site, "alice")
    c = t.open_session()
    c.get_pty()
    c.invoke_shell()
    time.sleep(0.3)
    for name in ("INT", "TERM", "x" * 300, "%n%s", ""):
        request(t, c, "signal", name)
    time.sleep(0.3)
    assert t.is_active()
    assert site.run("alice", "list").returncode == 0
    t.close()


def test_odd_requests(site):
    t = transport(site, "alice")
    c = t.open_session()
    for columns, rows in ((0, 0), (65535, 65535), (2**32 - 1, 2**32 - 1)):
        request(t, c, "window-change", columns, rows, 0, 0)
    request(t, c, "pty-req", "x" * 5000, 0, 0, 0, 0, b"\0", reply=False)
    request(t, c, "pty-req", "vt100", 80, 24, 0, 0, b"\0", reply=False)
    request(t, c, "window-change", 0, 0, 0, 0)
    request(t, c, "window-change", 2**32 - 1, 2**32 - 1, 0, 0)
    c.invoke_shell()
    # A second one on the same channel is refused.
    with pytest.raises(Exception):
        c.exec_command("list")
    for i in range(2000):
        request(t, c, "window-change", i, i, 0, 0)
    for name in ("", "\0", "shell", "exec", "subsystem", "pty-req", "env",
                 "x" * 10000):
        request(t, c, name)
    time.sleep(0.5)
    assert site.run("alice", "list").returncode == 0
    t.close()


def test_a_command_that_is_too_long(site):
    t = transport(site, "alice")
    c = t.open_session()
    with pytest.raises(Exception):
        c.exec_command("help " + "x" * 5000)
    t.close()
    site.expect_log("more than 4096 bytes")


def test_requests_before_a_login_are_none(site):
    t = transport(site)
    assert raw_channel(t, 1000000, 32768) is None
    t.close()


@pytest.mark.parametrize("words,what", [
    (["-W", "127.0.0.1:1"], "direct-tcpip"),
    (["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "-N"],
     "tcpip-forward"),
    (["-s"], "sftp")])
def test_refused_politely(site, words, what):
    argv = ["ssh", *site.ssh_options("alice"), *words, "alice@127.0.0.1"]
    if what == "sftp":
        argv.append("sftp")
    done = site.run("alice", argv=argv)
    assert done.returncode == 255
    site.expect_log(rf"alice from 127\.0\.0\.1: .*{what}.*refused")
    assert site.run("alice", "list").returncode == 0


def test_forwarding_of_agent_x11_and_environment(site, monkeypatch):
    """Refused, and the session goes on."""
    monkeypatch.setenv("OOBD_TEST", "x")
    done = site.run("alice", "-o", "SendEnv=OOBD_TEST", "-o",
                    "SetEnv=A=B", "-o", "LogLevel=VERBOSE", "list")
    assert done.returncode == 0
    t = transport(site, "alice")
    c = t.open_session()
    request(t, c, "x11-req", False, b"MIT-MAGIC-COOKIE-1", b"00", 0)
    request(t, c, "auth-agent-req@openssh.com")
    with pytest.raises(Exception):
        c.request_x11(auth_cookie="00" * 16)
    c = t.open_session()
    c.exec_command("list")
    assert c.recv_exit_status() == 0
    t.close()
    site.expect_log("X11 refused")


def test_connection_sharing(site):
    path = site.dir / "mux"
    words = ["-o", f"ControlPath={path}"]
    master = site.client(site.ssh("alice", *words, "-M", "-N"))
    wait_for(path.exists)
    for _ in range(5):
        done = site.run("alice", *words, "list")
        assert done.returncode == 0 and b"gw" in done.stdout
    assert site.log().count("alice logged in") == 1
    held = [site.client(site.ssh("alice", *words, "-s", "console"))
            for _ in range(8)]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and \
            not all(b"here" in h.out.data for h in held):
        site.lines["gw"].send(b"here\r\n")
        time.sleep(0.1)
    assert all(h.process.poll() is None for h in held)
    # The ninth is one too many, and the others do not notice.  ssh(1) then
    # connects by itself, which this keeps it from.
    done = site.run("alice", *words, "-o", "ProxyCommand=false",
                    "list")
    assert done.returncode == 255
    site.lines["gw"].send(b"to all\r\n")
    for h in held:
        h.expect(b"to all")
    held[0].stop()
    time.sleep(0.3)
    assert site.run("alice", *words, "list").returncode == 0
    assert master.process.poll() is None
    subprocess.run(["ssh", *site.ssh_options("alice"), *words, "-O", "exit",
                    "alice@127.0.0.1"], capture_output=True)


def test_channels_are_limited(site):
    t = transport(site, "alice")
    open_ones = [raw_channel(t, 100000, 32768) for _ in range(8)]
    assert all(open_ones)
    assert raw_channel(t, 100000, 32768) is None
    assert t.is_active()
    for c in open_ones:
        c.close()
    time.sleep(0.5)
    c = t.open_session()
    c.exec_command("list")
    assert c.recv_exit_status() == 0
    t.close()


def test_sessions_are_limited(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = "\tmax_sessions = 2\n"
    s.start()
    first = [transport(s, "alice") for _ in range(2)]
    done = s.run("alice", "list")
    assert done.returncode == 1
    assert done.stdout == b"" and b"too many sessions" in done.stderr
    first[0].close()
    wait_for(lambda: s.run("alice", "list").returncode == 0)
    first[1].close()


def test_other_limits(empty_site):
    """Those of the file hold, not those that are built in."""
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = ("\tmax_channels = 2\n\tmax_auth_tries = 2\n"
                  "\tmax_unauth = 3\n")
    s.start()
    t = transport(s, "alice")
    two = [raw_channel(t, 100000, 32768) for _ in range(2)]
    assert all(two) and raw_channel(t, 100000, 32768) is None
    t.close()
    t = transport(s)
    answered = 0
    with pytest.raises((paramiko.SSHException, EOFError)):
        while answered < 9:
            try:
                t.auth_password("alice", "guess", fallback=False)
            except paramiko.BadAuthenticationType:
                answered += 1
    assert answered <= 2
    wait_for(lambda: not t.is_active())
    time.sleep(0.3)
    before = s.fds("ssh")
    held = [s.connect() for _ in range(12)]
    time.sleep(0.3)
    assert 1 <= s.fds("ssh") - before <= 3
    for h in held:
        h.close()


@pytest.mark.skipif(shutil.which("strace") is None or
                    shutil.which("ss") is None, reason="no strace, no ss")
def test_sockets_are_quick(site, tmp_path):
    """No waiting for more to send, no acknowledgement that waits while keys
    are exchanged, and room for a crowd that comes at once."""
    said = tmp_path / "strace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(said), "-e", "trace=setsockopt", "-p",
         str(site.pids["ssh"])], stderr=subprocess.PIPE)
    try:
        first = tracer.stderr.readline()
        if b"attached" not in first:
            pytest.skip(first.decode())
        assert site.run("alice", "list").returncode == 0
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()
    text = said.read_text()
    assert text.count("TCP_NODELAY, [1], 4) = 0") == 1, text
    assert re.search(r"TCP_USER_TIMEOUT, \[75000\], 4\) += 0", text), text
    # With each step anew: it does not last.
    assert text.count("TCP_QUICKACK, [1], 4) = 0") >= 3, text
    listening = subprocess.run(
        ["ss", "-Hltn", f"sport = :{site.port}"], capture_output=True,
        text=True, check=True).stdout.split()
    assert listening[:3] == ["LISTEN", "0", "128"], listening


def test_large_input_arrives_whole(empty_site):
    """4 MB into a line that takes them as it can; the client may send only
    what fits into the buffers."""
    s = empty_site
    line = s.add_line("gw")
    s.add_user("alice")
    s.start()
    before = s.rss("ssh")
    block = b"".join(b"%06d 0123456789abcdef\n" % i for i in range(100000))
    c = start_stream(s, "alice")
    c.send(block)
    wait_for(lambda: len(line.typed.data) >= len(block), 120,
             text="the paste")
    assert line.typed.data == block
    assert s.rss("ssh") - before < 8000


def test_rekeying_loses_nothing(site):
    c = site.client(site.ssh("alice", "-o", "RekeyLimit=64K", "-s",
                             "console"))
    block = b"".join(b"%06d 0123456789abcdef\n" % i for i in range(40000))
    site.expect_log("alice logged in")
    time.sleep(0.3)
    site.lines["gw"].send(block)
    wait_for(lambda: len(c.out.data) >= len(block), 6 * PATIENCE)
    assert c.out.settle() == block
