"""Who gets in, who does not, and what they can tell from it."""
import os
import shutil
import socket
import stat
import subprocess
import time

import paramiko
import pytest

from conftest import BUILD, make_key
from sshwire import (parse_kexinit, plain_packet, read_all, read_banner,
                     read_plain_packet, transport)

TOKEN = str(BUILD / "tests" / "token.so")


@pytest.mark.parametrize("kind,bits", [
    ("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521),
    ("rsa", 3072)])
def test_key_types(empty_site, kind, bits):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice", key=make_key(s.dir / "key", kind, bits))
    s.start()
    done = s.run("alice", "list")
    assert done.returncode == 0, done.stderr
    assert b"gw" in done.stdout


def make_token_key(path):
    """A key pair of a FIDO token, which is one in software."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519-sk", "-w", TOKEN,
                    "-N", "", "-f", str(path)], check=True)
    return path


def test_key_on_a_token(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice", key=make_token_key(s.dir / "token"))
    s.add_user("bob")
    s.start()
    provider = f"SecurityKeyProvider={TOKEN}"
    done = s.run("alice", "-o", provider, "list")
    assert done.returncode == 0, done.stderr
    assert b"gw" in done.stdout
    # The same public part, another token's signature.
    other = make_token_key(s.dir / "other")
    shutil.copy(s.dir / "token.pub", s.dir / "other.pub")
    s.users["alice"].key = other
    done = s.run("alice", "-o", provider, "list")
    assert done.returncode == 255
    assert b"Permission denied" in done.stderr


def test_rsa_with_sha1_is_refused(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice", key=make_key(s.dir / "key", "rsa", 3072))
    s.start()
    assert s.run("alice", "list").returncode == 0
    done = s.run("alice", "-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "list")
    assert done.returncode == 255


@pytest.fixture
def two(empty_site):
    """alice may see both lines, bob only sw."""
    s = empty_site
    s.add_line("gw", echo=True)
    s.add_line("sw", echo=True)
    s.add_user("alice")
    s.add_user("bob", consoles=["sw"])
    return s.start()


@pytest.mark.parametrize("user,login,console", [
    ("alice", "gw", "gw"), ("alice", "sw", "sw"), ("alice", "alice:gw", "gw"),
    ("bob", "sw", "sw"), ("bob", "bob:sw", "sw"), ("bob", "bob", "sw")])
def test_login_name_picks_the_console(two, user, login, console):
    c = two.client(two.ssh(user, "-s", "console", login=login))
    two.expect_log(rf"{user} logged in from 127\.0\.0\.1")
    deadline = time.monotonic() + 10
    while b"hello" not in c.out.data and time.monotonic() < deadline:
        two.lines[console].send(b"hello\r\n")
        time.sleep(0.05)
    assert c.out.data.startswith(b"hello\r\n")
    assert set(c.out.data.split(b"\r\n")) <= {b"hello", b""}


@pytest.mark.parametrize("user,login", [
    ("bob", "gw"), ("bob", "bob:gw"), ("bob", "alice"), ("bob", "alice:sw"),
    ("alice", "bob"), ("alice", "nobody"), ("alice", "alice:none"),
    ("alice", "root"), ("alice", "alice:"), ("alice", ":gw"),
    ("alice", "ALICE"), ("alice", "*"), ("alice", "%s%n"),
    pytest.param("alice", "a" * 900, id="long")])
def test_refused_all_alike(two, user, login):
    c = two.run(user, "list", login=login)
    assert c.returncode == 255
    assert c.stderr.strip().endswith(b"Permission denied (publickey).")
    assert c.stdout == b""


def answers(site, login, key):
    """The whole conversation about one signed login attempt, and its time."""
    t = transport(site)
    start = time.monotonic()
    with pytest.raises(paramiko.AuthenticationException) as e:
        t.auth_publickey(login, key)
    took = time.monotonic() - start
    kind, allowed = type(e.value).__name__, getattr(
        e.value, "allowed_types", None)
    t.close()
    return kind, allowed, took


def test_no_name_can_be_told_from_another(two):
    stranger = paramiko.Ed25519Key(filename=str(make_key(two.dir / "evil")))
    bob = paramiko.Ed25519Key(filename=str(two.users["bob"].key))
    cases = {("alice", "evil"): stranger, ("nobody", "evil"): stranger,
             ("gw", "evil"): stranger, ("gw", "bob"): bob,
             ("alice", "bob"): bob, ("nobody", "bob"): bob}
    seen, times = set(), {}

    def apart():
        """Seconds between the quickest of each: what disturbs only adds."""
        best = [min(v) for v in times.values()]
        return max(best) - min(best)
    rounds = 0
    while rounds < 5 or (rounds < 25 and apart() >= 0.005):
        rounds += 1
        for (login, who), key in cases.items():
            kind, allowed, took = answers(two, login, key)
            seen.add((kind, tuple(allowed or ())))
            times.setdefault((login, who), []).append(took)
    assert len(seen) == 1, seen
    assert apart() < 0.005, times


def test_the_key_that_signed_decides(two):
    """Show alice's key, then sign with bob's: it is bob who comes in."""
    shown = two.dir / "shown"
    for end in ("", ".pub"):
        shutil.copy(f"{two.users['alice'].key}{end}", f"{shown}{end}")
    # It can be shown, but nobody knows the passphrase to sign with it.
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f",
                    str(shown)], check=True, capture_output=True)
    argv = ["ssh", *two.ssh_options(), "-i", str(shown), "-i",
            str(two.users["bob"].key), "-v", "sw@127.0.0.1", "who"]
    done = two.run("bob", argv=argv)
    assert done.returncode == 0, done.stderr
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(shown) + ".pub"], check=True,
        capture_output=True).stdout.split()[1]
    assert b"Server accepts key: " + str(shown).encode() in done.stderr
    assert fingerprint in done.stderr
    two.expect_log(r"bob logged in")
    assert "alice logged in" not in two.log()


def test_a_name_cannot_be_changed(two):
    evil = paramiko.Ed25519Key(filename=str(make_key(two.dir / "evil")))
    alice = paramiko.Ed25519Key(filename=str(two.users["alice"].key))
    t = transport(two)
    with pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey("bob", evil)
    with pytest.raises((paramiko.SSHException, EOFError)):
        t.auth_publickey("alice", alice)
    two.expect_log(r'login "bob".*changed its login name')
    t.close()


@pytest.mark.parametrize("method", ["password", "keyboard-interactive",
                                    "hostbased", "gssapi-with-mic"])
def test_only_keys(two, method):
    done = two.run("alice", "-o", f"PreferredAuthentications={method}",
                   "-o", "GSSAPIAuthentication=yes", "list")
    assert done.returncode == 255
    assert b"Permission denied (publickey)." in done.stderr


def test_passwords_are_counted(two):
    t = transport(two)
    tries = 0
    with pytest.raises((paramiko.SSHException, EOFError)):
        for tries in range(20):
            with pytest.raises(paramiko.AuthenticationException):
                t.auth_password("alice", "guess", fallback=False)
    assert tries <= 7
    two.expect_log(r"too many authentication failures")


def test_offered_keys_are_counted(two):
    keys = [make_key(two.dir / f"k{i}") for i in range(14)]
    words = []
    for k in keys:
        words += ["-i", str(k)]
    argv = ["ssh", *two.ssh_options(), *words, "alice@127.0.0.1", "list"]
    done = two.run("alice", argv=argv)
    assert done.returncode == 255
    assert b"too many keys offered" in done.stderr
    two.expect_log(r'login "alice" from 127\.0\.0\.1 port \d+ refused: '
                   r'unknown key, SHA256:\S+ \(too many keys offered\)')


def test_a_certificate_is_no_key(two):
    """Not even one signed by an authorised key."""
    key = make_key(two.dir / "evil")
    subprocess.run(["ssh-keygen", "-q", "-s", str(two.users["alice"].key),
                    "-I", "x", "-n", "alice", str(key) + ".pub"], check=True)
    argv = ["ssh", *two.ssh_options(), "-i", str(key), "-o",
            f"CertificateFile={key}-cert.pub", "alice@127.0.0.1", "list"]
    assert two.run("alice", argv=argv).returncode == 255
    # One for alice's own key does not keep her out, either.
    key = two.users["alice"].key
    subprocess.run(["ssh-keygen", "-q", "-s", str(two.dir / "evil"), "-I",
                    "x", "-n", "alice", str(key) + ".pub"], check=True)
    assert two.run("alice", "list").returncode == 0


@pytest.mark.parametrize("option,good", [
    ('from="127.0.0.1"', True), ('from="10.0.0.0/8,127.0.0.0/8"', True),
    ('from="10.0.0.0/8"', False), ('from="!127.0.0.1,127.0.0.0/8"', False),
    ('expiry-time="20300101"', True), ('expiry-time="20200101"', False),
    ("restrict", True)])
def test_key_options(empty_site, option, good):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice").options = option
    s.start()
    assert s.run("alice", "list").returncode == (0 if good else 255)


def test_keys_of_a_file(empty_site):
    """Lines as in authorized_keys; it is read at a reload, and then only."""
    s = empty_site
    s.add_line("gw")
    alice = s.add_user("alice")
    laptop = s.users["alice"].key
    phone, old = make_key(s.dir / "phone"), make_key(s.dir / "old")
    keys = s.dir / "alice.keys"

    def public(key):
        return (key.parent / (key.name + ".pub")).read_text()
    keys.write_text("# of alice\n\n" + public(phone) +
                    'restrict,from="10.0.0.0/8" ' + public(old))
    alice.extra = f'\tkeys_file = "{keys}"\n'
    s.start()

    def gets_in(key):
        s.users["alice"].key = key
        done = s.run("alice", "list")
        s.users["alice"].key = laptop
        return done.returncode == 0
    assert gets_in(laptop) and gets_in(phone) and not gets_in(old)
    keys.write_text(public(old))
    assert gets_in(phone) and not gets_in(old)
    s.reload()
    assert gets_in(laptop) and gets_in(old) and not gets_in(phone)
    keys.write_text(public(old) + "command=\"sh\" " + public(phone))
    s.reload(good=False)
    assert f"{keys}:2: " in s.log() or "alice.keys" in s.log()
    assert gets_in(old) and not gets_in(phone)


def test_login_grace(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = "\tlogin_grace = \"1s\"\n"
    s.start()
    start = time.monotonic()
    with s.connect() as idle:
        assert read_all(idle, 5) is not None
        took = time.monotonic() - start
    assert 0.9 < took < 3
    # Who is in is in.
    c = s.client(s.ssh("alice", "-s", "console"))
    s.expect_log("alice logged in")
    time.sleep(1.5)
    assert c.process.poll() is None


def test_host_key(two):
    path = two.dir / "state" / "ssh_host_ed25519_key"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True,
                           capture_output=True, text=True).stdout.split()[1]
    two.expect_log(rf"host key {shown.replace('+', '.')}")
    first = two.learn_host_key()
    assert two.stop() == 0
    two.start()
    assert two.learn_host_key() == first
    assert two.run("alice", "list").returncode == 0


def test_algorithms(two):
    with two.connect() as s:
        banner = read_banner(s)
        assert banner.startswith(b"SSH-2.0-oobd")
        assert b"libssh" not in banner
        s.sendall(b"SSH-2.0-test\r\n")
        offer = parse_kexinit(read_plain_packet(s))
    kex = [k for k in offer["kex"] if k not in (
        "kex-strict-s-v00@openssh.com", "ext-info-s")]
    assert "kex-strict-s-v00@openssh.com" in offer["kex"]
    assert kex[-2:] == ["curve25519-sha256", "curve25519-sha256@libssh.org"]
    assert set(kex[:-2]) <= {
        "mlkem768x25519-sha256", "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com"}
    assert offer["hostkey"] == ["ssh-ed25519"]
    ciphers = ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com",
               "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr",
               "aes128-ctr"]
    macs = ["hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com"]
    assert offer["cipher_cs"] == offer["cipher_sc"] == ciphers
    assert offer["mac_cs"] == offer["mac_sc"] == macs
    assert offer["compress_cs"] == offer["compress_sc"] == ["none"]


@pytest.mark.parametrize("cipher", [
    "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr"])
def test_ciphers_work(two, cipher):
    done = two.run("alice", "-c", cipher, "list")
    assert done.returncode == 0 and b"gw" in done.stdout


@pytest.mark.parametrize("option,good,bad", [
    ("KexAlgorithms", "curve25519-sha256", "diffie-hellman-group14-sha256"),
    ("KexAlgorithms", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"),
    ("MACs", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-512"),
    ("HostKeyAlgorithms", "ssh-ed25519", "rsa-sha2-512"),
    ("Ciphers", "aes256-ctr", "aes128-cbc")])
def test_weak_algorithms_fail(two, option, good, bad):
    for value, status in ((good, 0), (bad, 255)):
        words = ["-o", f"{option}={value}"]
        if option == "MACs":
            words += ["-o", "Ciphers=aes128-ctr"]
        assert two.run("alice", *words, "list").returncode == status, value


def test_ipv6(empty_site):
    s = empty_site
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    s.add_line("gw")
    s.add_user("alice").options = 'from="::1"'
    s.listen.append(f"[::1]:{s.port}")
    s.start()
    argv = s.ssh("alice", "list", host="::1")
    assert s.run("alice", argv=argv).returncode == 0
    assert s.run("alice", "list").returncode == 255


def test_login_in_the_same_packet(two):
    """Dropbear's client asks for the login before the key exchange is over
    for the server."""
    key = two.dir / "dropbear"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", str(key)],
                   check=True, capture_output=True)
    public = subprocess.run(["dropbearkey", "-y", "-f", str(key)], check=True,
                            capture_output=True, text=True).stdout
    line = [x for x in public.splitlines() if x.startswith("ssh-")][0]
    (two.dir / "dropbear.pub").write_text(line + "\n")
    two.add_user("carol", key=key)
    two.reload()
    for _ in range(3):
        done = subprocess.run(
            ["dbclient", "-y", "-y", "-p", str(two.port), "-i", str(key),
             "carol@127.0.0.1", "list"], capture_output=True, timeout=20,
            stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        assert b"gw" in done.stdout


def test_messages_out_of_order_end_it(two):
    """What must not work before the login: SUCCESS, a channel, NEWKEYS."""
    for payload in (b"\x34", b"\x5a\0\0\0\7session\0\0\0\0\0\0\1\0\0\0\1\0",
                    b"\x15", b"\x32\0\0\0\5alice\0\0\0\0\0\0\0\0",
                    b"\x50\0\0\0\1x\1", b"\x14"):
        with two.connect() as s:
            read_banner(s)
            s.sendall(b"SSH-2.0-test\r\n" + plain_packet(payload))
            assert read_all(s, 5) is not None, payload
    assert "logged in" not in two.log()
    assert two.run("alice", "list").returncode == 0
