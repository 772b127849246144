"""Secrets of every kind, planted, used rightly and wrongly, and looked for in
everything that the daemon wrote; and no core file of any process."""
import base64
import os
import re
import resource
import signal
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

import paramiko
import pytest

from conftest import (BUILD, PATIENCE, SANITIZED, free_port, make_key,
                      wait_for)
from modem_site import STRANGER, ModemSite
from relay_site import RelaySite, descendants
from test_notify import Service
from test_ways_in import answer, knock, may_ask, passwd

PIN, WRONG_PIN = "73519264", "86420975"
PASSWORD = "planted correct horse battery"
WRONG = "planted wr0ng-passw0rd-of-m4llory"
CARRIER = "planted-c4rrier-p4ssword"
HMAC = "planted-hm4c-k3y-of-the-webhook"
TOKEN = "plantedT0k3nplantedT0k3nplante"
USER = "plantedUs3rplantedUs3rplantedU"
# The daemon's own files of which a secret is the whole content; those of
# one-time codes have theirs, and no other.
FILES = {"ssh_host_ed25519_key", "journal_key"}
# The sanitizer has a say of its own about the other.
CRASHES = (signal.SIGABRT,) if SANITIZED else (signal.SIGSEGV, signal.SIGABRT)


def forms(secret):
    """What a secret may look like once it is written."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    found = {raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(),
             urllib.parse.quote(raw).encode(),
             "".join(f"\\x{b:02x}" for b in raw).encode(),
             "".join(f"\\{b:03o}" for b in raw).encode(),
             base64.b32encode(raw).rstrip(b"=")}
    for at in range(3):
        # Wherever it stands in what was encoded.
        text = base64.b64encode(bytes(at) + raw)
        found.add(text[4 if at else 0:len(text) - 4])
    return {f for f in found if len(f) >= 8}


def private_parts(path):
    """Of a key file of OpenSSH's: lines of its text, and the seed."""
    key = paramiko.Ed25519Key(filename=str(path))
    lines = path.read_text().splitlines()
    # The first two hold what is public.
    return [bytes(key._signing_key)] + [
        line for line in lines[3:-1] if len(line) >= 32]


class Processes(threading.Thread):
    """Arguments and environment of every process there was."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.seen, self.ended = pid, {}, False
        self.start()

    def run(self):
        while not self.ended:
            for pid in [self.pid, *descendants(self.pid)]:
                for what in ("cmdline", "environ"):
                    try:
                        data = Path(f"/proc/{pid}/{what}").read_bytes()
                    except OSError:
                        continue
                    self.seen[pid, what, data] = data
            time.sleep(0.05)

    def end(self):
        self.ended = True
        self.join(10)
        assert any(b"-R\0ssh" in d for d in self.seen.values())
        return self.seen


@pytest.fixture
def box(request):
    s = RelaySite()
    request.node.sites = [s]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.add_user("bob").extra = '\trequire = {"key", "password+code"}\n'
    s.identity = make_key(s.dir / "identity")
    host = make_key(s.dir / "relay-host").with_suffix(".pub").read_text()
    s.add_relay("cloud", None, free_port(), host="127.0.0.1",
                port=free_port(), second_port=0, user="oob",
                identity=str(s.identity),
                host_key=[" ".join(host.split()[:2])])
    s.hook = Service(None, 500)
    for name, text in (("hmac", HMAC), ("token", TOKEN), ("user", USER),
                       ("carrier", CARRIER)):
        (s.dir / name).write_text(text + "\n")
        (s.dir / name).chmod(0o600)
    s.modem = ModemSite(
        s, pin=PIN, modem=f'\tuser = "oob"\n\tpassword_file = '
        f'"{s.dir}/carrier"\n',
        extra=f'notify "hook" {{\n\ttype = "webhook"\n\turl = '
        f'"{s.hook.url()}"\n\tsecret_file = "{s.dir}/hmac"\n}}\n'
        f'notify "push" {{\n\ttype = "pushover"\n\turl = '
        f'"https://localhost:{free_port()}/"\n\ttoken_file = '
        f'"{s.dir}/token"\n\tuser_file = "{s.dir}/user"\n}}\n'
        'sync = "100ms"\njournal {\n\tseal = 1s\n}\n')
    s.said = []                 # what clients and tools printed
    yield s
    s.hook.stop()
    s.modem.close()
    s.close()


def say(site, *words, status=None):
    done = site.ctl(*words)
    site.said.append(done.stdout + done.stderr)
    assert status is None or done.returncode == status, done
    return done


def by_password(site, password, code):
    t = knock(site)
    try:
        answer(t, "bob", password, code)
        return True
    except paramiko.AuthenticationException:
        return False
    finally:
        t.close()


def use_logins(site):
    codes = site.modem.codes
    assert site.run("alice", "list").returncode == 0
    codes_of_bob = type(codes)(site, "bob")
    assert by_password(site, PASSWORD, codes_of_bob.next())
    assert not by_password(site, WRONG, codes_of_bob.next())
    assert not by_password(site, PASSWORD, codes_of_bob.wrong())
    # One who takes the login name's place for the password's.
    argv = may_ask(site.ssh("alice", "list", login=WRONG.replace(" ", "")))
    argv[argv.index(str(site.users["alice"].key))] = str(site.identity)
    site.run("alice", argv=argv)
    return codes_of_bob


def use_modem(site):
    """A wrong PIN first, then the right one; messages good and bad."""
    m = site.modem
    wait_for(lambda: "PIN" in str(m.status().get("modem", "")),
             3 * PATIENCE, 0.1, "the wrong PIN to be told")
    say(site, "modem", "status")
    (site.dir / "pin").write_text(PIN + "\n")
    say(site, "modem", "retry-pin", status=0)
    m.listening()
    m.command("ping")
    m.text(f"ping {m.codes.wrong()}")
    m.text(f"up {m.codes.wrong()}", STRANGER)
    m.command("status")
    m.sent_now(2, 3 * PATIENCE)
    say(site, "link", "up", "1min", status=0)
    wait_for(lambda: int(m.sim.stat()["dials"]) >= 1, 3 * PATIENCE, 0.1,
             "dialling")
    time.sleep(1)               # for a pppd, where there is one
    say(site, "link", "status", "--json")
    say(site, "link", "down")


def use_notify(site):
    say(site, "notify", "test")
    wait_for(lambda: site.hook.requests, text="the webhook")


def use_configuration(site):
    """Reloads that fail near each secret; printed with all defaults."""
    good = site.conf.read_text()
    for name in ("pin", "hmac", "token", "carrier"):
        (site.dir / name).chmod(0o644)
        before = len(site.log())
        site.process.send_signal(signal.SIGHUP)
        site.expect_log("not reloaded", start=before)
        (site.dir / name).chmod(0o600)
    site.conf.write_text(good + f'colour = "{site.dir}/hmac"\n')
    before = len(site.log())
    site.process.send_signal(signal.SIGHUP)
    site.expect_log("not reloaded", start=before)
    site.conf.write_text(good)
    for option in ("-n", "-nv"):
        done = subprocess.run([str(BUILD / "oobd"), option, "-f",
                               str(site.conf)], capture_output=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        site.said.append(done.stdout + done.stderr)


def use_crashes(site):
    for role in ("ssh", "modem", "notify", "console"):
        old = site.children()[role]
        os.kill(old, CRASHES[0])
        wait_for(lambda: site.children().get(role, old) != old,
                 3 * PATIENCE, text=f"another {role}")
    wait_for(lambda: site.run("alice", "list").returncode == 0,
             3 * PATIENCE)


def use_verbs(site):
    for words in (("status", "--json"), ("status",), ("who", "--json"),
                  ("relay", "status", "--json"), ("relay", "test"),
                  ("log", "--events"), ("log", "gw", "--json", "--events"),
                  ("digest",), ("verify",), ("ssh-config",),
                  ("code", "list", "-f", str(site.conf)),
                  ("export", "gw", "--since", "-60min", "--format", "cast3"),
                  ("export", "gw", "--since", "-60min", "--format", "text")):
        say(site, *words)


def written(site):
    """(where, bytes) of all that the daemon wrote."""
    yield "log", site.log_path.read_bytes()
    for folder in ("journal", "state", "ctl.run"):
        for path in sorted((site.dir / folder).rglob("*")):
            if not path.is_file() or path.name in FILES:
                continue
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = subprocess.check_output(["zstdcat", str(path)])
            yield str(path), data
    for n, data in enumerate(site.said):
        yield f"said {n}", data
    for n, (_, path, headers, body) in enumerate(site.hook.requests):
        yield f"webhook {n}", repr((path, headers)).encode() + body
    for pdu in site.modem.sim.do("sent").split():
        yield "sms", bytes(pdu, "ascii")
    for number, text in site.modem.sent():
        yield f"sms to {number}", text.encode()


def test_no_secret_is_written(box):
    s = box
    s.modem.args = ("-d",)
    (s.dir / "pin").write_text(WRONG_PIN + "\n")
    s.modem.start(ready=False)
    seen = Processes(s.process.pid)
    assert passwd(s, "bob", PASSWORD).returncode == 0
    bobs = use_logins(s)
    use_modem(s)
    use_notify(s)
    use_configuration(s)
    use_verbs(s)
    use_crashes(s)
    use_verbs(s)
    wait_for((s.dir / "state/journal_key").exists, text="a signed seal")
    processes = seen.end()
    planted = {
        "PIN": [PIN], "wrong PIN": [WRONG_PIN], "password": [PASSWORD],
        "wrong password": [WRONG], "carrier": [CARRIER], "HMAC": [HMAC],
        "token": [TOKEN], "user": [USER],
        "code": s.modem.codes.given + bobs.given,
        "code secret": [s.modem.codes.secret, bobs.secret],
        "host key": private_parts(s.dir / "state/ssh_host_ed25519_key"),
        "identity": private_parts(s.identity),
        "journal key": [re.search(r"[0-9a-f]{64}", (
            s.dir / "state/journal_key").read_text()).group(0)],
    }
    wanted = [(kind, f) for kind, all_of in planted.items()
              for one in all_of for f in forms(one)]
    places = [*written(s), *((f"{what} of {pid}", data) for
                             (pid, what, _), data in processes.items())]
    assert len(places) > 40
    names = {Path(where).name for where, _ in places}
    assert {"log", "queue", "pins", "bob", "alice"} <= names, names
    found = {(kind, Path(where).parent.name) for where, data in places
             for kind, form in wanted if form in data}
    assert found == {("code secret", "codes")}, found


# Core files.

def cores(*folders):
    return [p for f in folders for p in Path(f).glob("core*")]


@pytest.fixture
def dumping(tmp_path, monkeypatch):
    """A folder where what crashes leaves a core file; and the proof."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    if limits[1] != resource.RLIM_INFINITY:
        pytest.skip("core files are limited here")
    monkeypatch.chdir(tmp_path)
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
    subprocess.run(["sh", "-c", "kill -ABRT $$"])
    found = cores(tmp_path)
    if not found:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
        pytest.skip("this system puts core files elsewhere")
    for p in found:
        p.unlink()
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_CORE, limits)


def test_no_core_file(dumping, site):
    places = {dumping, site.dir, "/"}
    for number in CRASHES:
        for role, pid in sorted(site.children().items()):
            places.add(os.readlink(f"/proc/{pid}/cwd"))
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"core file size +0 +0 ", limits), role
            os.kill(pid, number)
            wait_for(lambda: site.children().get(role, pid) != pid,
                     3 * PATIENCE, text=f"another {role}")
    os.kill(site.process.pid, signal.SIGABRT)
    site.process.wait(10)
    assert not cores(*places)
