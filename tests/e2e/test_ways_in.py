"""Ways in besides a key alone: a key and a code, a password and a code."""
import os
import re
import resource
import signal
import subprocess
import threading
import time

import paramiko
import pytest

from conftest import BUILD, SANITIZED, make_key, wait_for
from modem_site import Codes
from sshwire import transport

PASSWORD = "correct horse battery"


def may_ask(argv):
    """A client of OpenSSH's that asks its user."""
    return ["BatchMode=no" if a == "BatchMode=yes" else a for a in argv]


def passwd(site, name, password=PASSWORD, *words):
    return subprocess.run(
        [str(BUILD / "oobctl"), "user", "-f", str(site.conf), "passwd", name,
         *words], input=password + "\n", text=True, capture_output=True,
        timeout=60)


@pytest.fixture
def home(empty_site):
    """alice: her key and a code; bob: password and code, or his key."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice").extra = '\trequire = {"key+code"}\n'
    s.add_user("bob").extra = '\trequire = {"key", "password+code"}\n'
    s.add_user("carol")
    s.start()
    s.codes = {n: Codes(s, n) for n in ("alice", "bob", "carol")}
    done = passwd(s, "bob")
    assert done.returncode == 0, done.stderr
    return s


def answer(transport_, name, *answers):
    """keyboard-interactive by paramiko: what was asked."""
    asked = []

    def reply(title, instructions, fields):
        asked.append([text for text, _ in fields])
        return list(answers) if fields else []
    transport_.auth_interactive(name, reply)
    return asked


def knock(site):
    t = paramiko.Transport(("127.0.0.1", site.port))
    t.start_client(timeout=20)
    return t


def refused(site, name, *answers):
    """Seconds that a refusal took; it must be one."""
    t = knock(site)
    begun = time.monotonic()
    with pytest.raises(paramiko.AuthenticationException):
        answer(t, name, *answers)
    took = time.monotonic() - begun
    t.close()
    return took


def test_password_and_code(home):
    t = knock(home)
    asked = answer(t, "bob", PASSWORD, home.codes["bob"].next())
    assert asked == [["Password: ", "One-time code: "], []]
    c = t.open_session()
    c.exec_command("who --json")
    assert c.recv_exit_status() == 0
    t.close()
    home.expect_log(r'bob logged in from 127\.0\.0\.1 port \d+ as "bob" with '
                    r'password and code')


def test_password_after_a_key_that_was_refused(home):
    """Clients that sign without asking first."""
    t = knock(home)
    stranger = paramiko.Ed25519Key.from_private_key_file(str(
        make_key(home.dir / "stranger")))
    with pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey("bob", stranger)
    answer(t, "bob", PASSWORD, home.codes["bob"].next())
    assert t.is_authenticated()
    t.close()


def test_code_after_another_key_that_was_refused(home):
    t = knock(home)
    key = paramiko.Ed25519Key.from_private_key_file(str(
        home.users["alice"].key))
    stranger = paramiko.Ed25519Key.from_private_key_file(str(
        make_key(home.dir / "stranger")))
    assert t.auth_publickey("alice", key) == ["keyboard-interactive"]
    with pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey("alice", stranger)
    answer(t, "alice", home.codes["alice"].next())
    assert t.is_authenticated()
    t.close()


def test_key_and_code(home):
    t = knock(home)
    key = paramiko.Ed25519Key.from_private_key_file(str(
        home.users["alice"].key))
    assert t.auth_publickey("alice", key) == ["keyboard-interactive"]
    assert not t.is_authenticated()
    assert answer(t, "alice", home.codes["alice"].next()) == [
        ["One-time code: "], []]
    assert t.is_authenticated()
    t.close()


@pytest.mark.parametrize("client", ["ssh", "plink", "dbclient"])
def test_real_clients(home, client):
    code = home.codes["bob"].next()
    argv = {
        "ssh": ["ssh", *home.ssh_options(), "-o",
                "PreferredAuthentications=keyboard-interactive",
                "bob:gw@127.0.0.1"],
        "plink": ["plink", "-ssh", "-P", str(home.port), "-hostkey",
                  subprocess.run(
                      ["ssh-keygen", "-lf", str(
                          home.dir / "state" / "ssh_host_ed25519_key")],
                      check=True, capture_output=True, text=True,
                  ).stdout.split()[1], "bob:gw@127.0.0.1"],
        "dbclient": ["dbclient", "-y", "-y", "-t", "-p", str(home.port),
                     "bob:gw@127.0.0.1"],
    }[client]
    c = home.client(may_ask(argv), tty=True)
    c.expect(b"assword: ")
    c.send(PASSWORD.encode() + b"\r")
    c.expect(b"code: ")
    c.send(f"{code[:4]} {code[4:]}\r".encode())
    if client == "plink":
        c.expect(b"Press Return to begin")
        c.send(b"\r")
    c.expect(b"you have the pen")
    c.send(b"hello")
    c.expect(b"hello")


def test_openssh_key_then_code(home):
    c = home.client(may_ask(home.ssh("alice", "-tt", login="gw")), tty=True)
    c.expect(b"One-time code: ")
    c.send(home.codes["alice"].next().encode() + b"\r")
    c.expect(b"you have the pen")


def test_neither_is_enough_alone(home):
    bob, alice = home.codes["bob"], home.codes["alice"]
    assert b"Permission denied" in home.run("alice", "list").stderr
    good = bob.next()
    refused(home, "bob", "wrong " + PASSWORD, good)
    refused(home, "bob", PASSWORD, bob.wrong())
    refused(home, "bob", PASSWORD, alice.next())    # somebody else's
    refused(home, "alice", PASSWORD, alice.next())  # needs her key
    refused(home, "carol", PASSWORD, home.codes["carol"].next())
    refused(home, "gw", PASSWORD, good)             # nobody's name
    refused(home, "bob", "", good)
    t = knock(home)                 # and the good ones were not spent
    answer(t, "bob", PASSWORD, good)
    assert t.is_authenticated()
    t.close()
    refused(home, "bob", PASSWORD, good)            # now it is
    for why in ("wrong password", "wrong code", "used before",
                "a password does not get this user in", "unknown name"):
        home.expect_log(why)
    said = home.log()
    assert PASSWORD not in said and good not in said


def test_refusals_look_the_same(home):
    """Somebody who is there, who is not, and who has no password."""
    took = {n: min(refused(home, n, "nonsense at all", "12345678")
                   for _ in range(2))
            for n in ("bob", "carol", "nobody", "gw", "bob:gw")}
    assert min(took.values()) > 0.9, took
    assert max(took.values()) - min(took.values()) < 0.5, took


def test_pace_tells_nothing(home):
    """Guesses become slow for names that are nobody's, too: the sixth wrong
    answer for a name takes 10 seconds, whoever it is."""
    took = {n: [] for n in ("bob", "nobody", "gw")}

    def guess(name):
        for _ in range(6):
            took[name].append(refused(home, name, "nonsense", "12345678"))
    threads = [threading.Thread(target=guess, args=(n,)) for n in took]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name, seconds in took.items():
        assert all(0.9 < s < 5 for s in seconds[:5]), (name, seconds)
        assert 9.9 < seconds[5] < 14, (name, seconds)
    for n in range(6):
        at = [seconds[n] for seconds in took.values()]
        assert max(at) - min(at) < 1.5, took


def test_keys_refused_look_the_same(home):
    """A stranger's key, somebody else's, and one's own for a console that is
    not there: neither words nor time tell which it was."""
    stranger = paramiko.Ed25519Key.from_private_key_file(str(
        make_key(home.dir / "stranger")))
    bob, carol = (paramiko.Ed25519Key.from_private_key_file(str(
        home.users[n].key)) for n in ("bob", "carol"))
    cases = {"stranger": ("carol", stranger), "nobody": ("nobody", stranger),
             "console": ("gw", stranger), "other": ("carol", bob),
             "no console": ("carol:nothing", carol),
             "nothing": ("x:y", carol)}
    took = {case: [] for case in cases}
    said = set()
    for _ in range(8):
        for case, (name, key) in cases.items():
            t = knock(home)
            for _ in range(3):
                begun = time.monotonic()
                with pytest.raises(paramiko.AuthenticationException) as e:
                    t.auth_publickey(name, key)
                took[case].append(time.monotonic() - begun)
                said.add((type(e.value), str(e.value)))
            t.close()
    assert len(said) == 1, said
    best = {case: min(seconds) for case, seconds in took.items()}
    assert max(best.values()) - min(best.values()) < 0.005, best


def gates(home):
    """Pids of those who check a password just now."""
    ps = subprocess.run(["ps", "-ax", "-o", "pid=,ppid=,args="],
                        capture_output=True, text=True).stdout
    return [int(row.split()[0]) for row in ps.splitlines()
            if int(row.split()[1]) == home.process.pid and
            re.search(r"-R\s*gate", row)]


def peak_kb(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
    except (OSError, AttributeError):
        return 0


def test_two_at_a_time(home):
    """However many log in at once; and what each takes is bounded."""
    threads = [threading.Thread(target=refused, args=(
        home, "bob", "not the password", "00000000")) for _ in range(8)]
    for t in threads:
        t.start()
    most = kb = 0
    while any(t.is_alive() for t in threads) and most < 8:
        now = gates(home)
        most = max(most, len(now))
        kb = max([kb, *map(peak_kb, now)])
    for t in threads:
        t.join()
    assert 1 <= most <= 2
    assert SANITIZED or 32768 <= kb < 48 * 1024, kb


def test_codes_are_those_of_sms(home):
    """One secret, one counter; on paper, too."""
    def check(code):
        return subprocess.run(
            [str(BUILD / "oobctl"), "code", "-f", str(home.conf), "check",
             "bob", code], capture_output=True, text=True, timeout=60)
    code = home.codes["bob"].next()
    assert check(code).returncode == 0
    t = knock(home)
    answer(t, "bob", PASSWORD, code)
    t.close()
    assert check(code).returncode == 1 and "used" in check(code).stdout
    sheet = subprocess.run(
        [str(BUILD / "oobctl"), "code", "-f", str(home.conf), "list", "bob",
         "--paper", "3"], capture_output=True, text=True, timeout=60).stdout
    paper = re.findall(r"\b\d{4} ?\d{4}\b", sheet)
    t = knock(home)
    answer(t, "bob", PASSWORD, paper[-1])
    assert t.is_authenticated()
    t.close()
    refused(home, "bob", PASSWORD, paper[0])        # it was passed over


def test_one_name_for_all_steps(home):
    """Who showed alice's key does not go on as bob."""
    t = knock(home)
    key = paramiko.Ed25519Key.from_private_key_file(str(
        home.users["alice"].key))
    assert t.auth_publickey("alice", key) == ["keyboard-interactive"]
    with pytest.raises(paramiko.SSHException):
        answer(t, "bob", PASSWORD, home.codes["bob"].next())
    assert not t.is_authenticated()
    wait_for(lambda: not t.is_active())
    home.expect_log(r'login "alice".*changed its login name')


def test_a_login_stalls_nobody(home):
    """Passwords being checked are not felt by who is attached."""
    a = home.attach("carol", login="carol:gw")
    a.expect(b"you have the pen")
    threads = [threading.Thread(target=refused, args=(
        home, "bob", "not the password", "00000000")) for _ in range(4)]
    for t in threads:
        t.start()
    worst = 0
    for i in range(40):
        mark, start = b"<%d>" % i, len(a.out.data)
        begun = time.monotonic()
        a.send(mark)
        a.expect(mark, start=start)
        worst = max(worst, time.monotonic() - begun)
    for t in threads:
        t.join()
    assert worst < 0.5, worst


def test_answers_out_of_turn(home):
    """An answer that nobody asked for ends the connection; and a client that
    leaves while the gate is at it leaves nothing behind."""
    t = knock(home)
    m = paramiko.Message()
    m.add_byte(bytes([61]))         # USERAUTH_INFO_RESPONSE
    m.add_int(1)
    m.add_string("x")
    t._send_message(m)
    wait_for(lambda: not t.is_active())
    fds = home.fds("ssh")
    for _ in range(3):
        t = knock(home)
        threading.Thread(target=lambda: pytest.raises(
            Exception, answer, t, "bob", PASSWORD, "1"), daemon=True).start()
        time.sleep(0.2)
        t.close()
    wait_for(lambda: home.fds("ssh") <= fds)
    t = knock(home)
    answer(t, "bob", PASSWORD, home.codes["bob"].next())
    t.close()


def test_reload_takes_the_way_away(home):
    t = knock(home)
    answer(t, "bob", PASSWORD, home.codes["bob"].next())
    home.users["bob"].extra = ""
    home.reload()
    wait_for(lambda: not t.is_active(), text="end of bob's session")
    assert home.run("bob", "list").returncode == 0      # his key


def test_passwd(home):
    assert passwd(home, "nobody").returncode == 1
    assert "no user" in passwd(home, "nobody").stderr
    assert "at least 8" in passwd(home, "bob", "short").stderr
    done = passwd(home, "carol")
    assert done.returncode == 0
    assert "does not get carol in" in done.stderr
    kept = home.dir / "state" / "passwords" / "bob"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert re.match(r"\$argon2id\$v=19\$m=32768,t=3,p=1\$",
                    kept.read_text())
    assert passwd(home, "bob", "", "--remove").returncode == 0
    refused(home, "bob", PASSWORD, home.codes["bob"].next())
    assert passwd(home, "bob", "", "--remove").returncode == 1


def test_configuration_says_what_is_wrong(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice", key=make_key(s.dir / "k")).extra = \
        '\trequire = {"password+code"}\n'
    s.write()
    done = subprocess.run([str(BUILD / "oobd"), "-n", "-f", str(s.conf)],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert "has keys that no way in of require uses" in done.stderr
    s.users["alice"].extra = '\trequire = {"password"}\n'
    s.write()
    done = subprocess.run([str(BUILD / "oobd"), "-n", "-f", str(s.conf)],
                          capture_output=True, text=True)
    assert "write key, key+code or password+code" in done.stderr


def test_without_passwords_nobody_is_asked(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.start()
    t = knock(s)
    with pytest.raises(paramiko.BadAuthenticationType) as e:
        answer(t, "alice", PASSWORD, "12345678")
    assert e.value.allowed_types == ["publickey"]
    t.close()
    t = transport(s, "alice")
    assert t.is_authenticated()
    t.close()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer must be loaded first")
def test_another_libssh_locks_nobody_out(empty_site, monkeypatch):
    """One whose checks cannot be listened to: all ways in are as before, and
    the log says what that costs."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_user("alice").extra = '\trequire = {"key+code"}\n'
    s.add_user("bob").extra = '\trequire = {"key", "password+code"}\n'
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests" / "gcrypt.so"))
    s.start()
    monkeypatch.delenv("LD_PRELOAD")
    s.expect_log(r"^oobd: libssh is not built with OpenSSL: what clients sign "
                 r"cannot be listened to, so who is logged in is the ssh "
                 r"process's word \(privsep\.md\)$")
    s.codes = {n: Codes(s, n) for n in ("alice", "bob")}
    assert passwd(s, "bob").returncode == 0
    assert s.run("bob", "list").returncode == 0
    test_key_and_code(s)
    test_password_and_code(s)
    assert s.run("alice", "list").returncode != 0       # a key alone


def test_a_key_waits_for_its_gate(home):
    """A supervisor that has no descriptor left starts none; who has the key
    is let in as soon as it can again."""
    pid = home.process.pid
    held = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
    free = next(n for n in range(len(held) + 1) if n not in held)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE,
                     (free, limits[1]))
    try:
        c = home.client(home.ssh("bob", "list"))
        time.sleep(1.5)
        assert c.process.poll() is None
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert c.wait() == 0


def test_a_new_ssh_process_has_other_vouchers(home):
    """And so has a new console process those of the ssh process that is."""
    bob = home.attach("bob")
    bob.send(b"one")
    home.lines["gw"].typed.expect(b"one")
    os.kill(home.children()["console"], signal.SIGKILL)
    home.expect_log("console process ended")
    wait_for(lambda: home.run("bob", "status").returncode == 0,
             text="the new console process believes")
    bob.send(b"two")
    home.lines["gw"].typed.expect(b"two")
    os.kill(home.children()["ssh"], signal.SIGKILL)
    home.expect_log("ssh process ended")
    wait_for(lambda: home.run("bob", "status").returncode == 0,
             text="the new ssh process is believed")
    assert "nobody vouches" not in home.log()
