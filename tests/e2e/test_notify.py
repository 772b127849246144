"""Notifications: over HTTPS to servers that behave and to those that do not,
to programs, and through the loss of every process."""
import hashlib
import hmac
import http.server
import json
import os
import re
import signal
import ssl
import stat
import subprocess
import threading
import time
from urllib.parse import parse_qs

import pytest
from conftest import Site, free_port, wait_for

TOKEN = "tok3nT0K3Ntok3nT0K3Ntok3nT0K3N"
USER = "us3rUS3Rus3rUS3Rus3rUS3Rus3rUS"
KEY = "k3y-of-the-webhook"
SECRETS = (TOKEN, USER, KEY)


class Service(http.server.ThreadingHTTPServer):
    """A push service.  What it answers, one after the other: a status, or a
    tuple of status, headers and body, "hang", "close", "slow"; the last one
    for ever."""
    daemon_threads = True

    def __init__(self, cert=None, *answers, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.answers = list(answers) or [200]
        self.requests = []          # (time, path, headers, body)
        self.connections = self.now = self.most = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.scheme = "http"
        if cert is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert)
            # In the handler's thread: a client that hangs there hangs alone.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def url(self, path="/hook"):
        return f"{self.scheme}://localhost:{self.port}{path}"

    def handle_error(self, request, client_address):
        pass

    def process_request_thread(self, request, client_address):
        with self.lock:
            self.connections += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.now -= 1

    def next_answer(self):
        return self.answers.pop(0) if len(self.answers) > 1 \
            else self.answers[0]

    def stop(self):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(
            (time.monotonic(), self.path, dict(self.headers), body))
        answer = self.server.next_answer()
        if answer == "hang":
            self.server.over.wait(60)
            return
        if answer == "close":
            self.close_connection = True
            return
        if answer == "slow":
            time.sleep(2)
            answer = 200
        status, headers, text = answer if isinstance(answer, tuple) \
            else (answer, {}, b"{}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def certificate(where, name, alt, ca=None):
    """PEM of key and certificate; its own CA unless one is given."""
    pem = where / f"{name}.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
            f"/CN={name}", "-keyout", where / f"{name}.key", "-out",
            where / f"{name}.crt"]
    if alt:
        argv += ["-addext", f"subjectAltName={alt}", "-addext",
                 "basicConstraints=critical,CA:FALSE"]
    if ca:
        argv += ["-CA", ca.with_suffix(".crt"), "-CAkey",
                 ca.with_suffix(".key")]
    done = subprocess.run(argv, capture_output=True)
    assert done.returncode == 0, done.stderr
    pem.write_text((where / f"{name}.key").read_text()
                   + (where / f"{name}.crt").read_text())
    return pem


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")
    ca = certificate(where, "ca", None)
    certificate(where, "good", "DNS:localhost,IP:127.0.0.1", ca)
    certificate(where, "other", "DNS:elsewhere.example", ca)
    certificate(where, "unknown", "DNS:localhost")
    return where


class Told(Site):
    """A site that tells somebody."""

    def __init__(self, pki):
        super().__init__()
        self.pki = pki
        self.services = []
        self.add_line("gw")
        self.secret("token", TOKEN)
        self.secret("user", USER)
        self.secret("key", KEY)

    def secret(self, name, text):
        path = self.dir / name
        path.write_text(text + "\n")
        path.chmod(0o600)

    def service(self, *answers, cert="good", port=0):
        s = Service(cert and self.pki / f"{cert}.pem", *answers, port=port)
        self.services.append(s)
        return s

    def sink(self, name, kind, **options):
        text = f'notify "{name}" {{\n\ttype = "{kind}"\n'
        for key, value in options.items():
            text += f'\t{key} = "{value}"\n'
        self.top += text + "}\n"

    def webhook(self, name, service):
        ca = {} if service.scheme == "http" else {
            "ca_file": self.pki / "ca.crt"}
        self.sink(name, "webhook", url=service.url(),
                  secret_file=self.dir / "key", **ca)

    def ail(self, name):
        """Something to tell: a new console whose journal cannot be."""
        (self.dir / "journal").mkdir(mode=0o700, exist_ok=True)
        (self.dir / "journal" / name).write_text("in the way")
        self.add_line(name)
        self.reload()

    def test(self, *words, status=0):
        done = self.ctl("notify", "test", *words)
        assert done.returncode == status, done
        return done.stdout.decode()

    def shown(self, name):
        status = json.loads(self.ctl("status", "--json").stdout)
        return status["notify"].get(name, "")

    def queue(self):
        path = self.dir / "state/notify/queue"
        if not path.exists():       # nothing was ever to be told
            return {"messages": []}
        return json.loads(path.read_text())

    def waiting(self):
        return [m["text"] for m in self.queue()["messages"]]


@pytest.fixture
def told(pki):
    site = Told(pki)
    yield site
    for s in site.services:
        s.stop()
    site.close()


def check_secret(site):
    """Nothing of a secret in the log, the status, arguments, the queue."""
    seen = site.log() + site.ctl("status", "--json").stdout.decode()
    seen += site.ctl("log", "--events").stdout.decode()
    seen += json.dumps(site.queue())
    seen += subprocess.run(["ps", "-axww", "-o", "args="], text=True,
                           capture_output=True).stdout
    if os.path.exists("/proc/self/environ"):
        for pid in site.children().values():
            with open(f"/proc/{pid}/environ", "rb") as f:
                seen += f.read().decode(errors="replace")
    for secret in SECRETS:
        assert secret not in seen


def body_of(request):
    return json.loads(request[3])


def test_webhook_signed(told):
    s = told.service()
    told.webhook("hook", s)
    told.start()
    out = told.test()
    assert re.fullmatch(r"hook: sent, HTTP status 200, \d+ ms\n", out)
    _, path, headers, body = s.requests[0]
    assert path == "/hook"
    assert headers["Content-Type"] == "application/json"
    stamp = headers["X-Oob-Timestamp"]
    assert abs(int(stamp) - time.time()) < 10
    want = hmac.new(KEY.encode(), stamp.encode() + b"." + body,
                    hashlib.sha256).hexdigest()
    assert headers["X-Oob-Signature"] == "sha256=" + want
    told_of = json.loads(body)
    assert set(told_of) == {"box", "port", "event", "severity", "time", "seq",
                            "text"}
    assert told_of["box"] == "site" and told_of["event"] == "test"
    assert told_of["text"].startswith("a test, asked for by ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
                        told_of["time"])
    # Past the queue: nothing waits, nothing is counted.
    assert told.shown("hook") == "webhook, 0 waiting, nothing sent yet"


def test_pushover_and_ntfy(told):
    p = told.service((200, {}, b'{"status":1,"request":"x"}'))
    n = told.service()
    told.sink("phone", "pushover", url=p.url("/1/messages.json"),
              token_file=told.dir / "token", user_file=told.dir / "user",
              ca_file=told.pki / "ca.crt")
    told.sink("topic", "ntfy", url=n.url("/oob"), ca_file=told.pki / "ca.crt",
              token_file=told.dir / "token")
    told.start()
    told.ail("r1")
    wait_for(lambda: p.requests and n.requests)
    form = parse_qs(p.requests[0][3].decode(), strict_parsing=True)
    assert form["token"] == [TOKEN] and form["user"] == [USER]
    assert form["title"] == ["site: critical"] and form["priority"] == ["1"]
    assert form["message"][0].startswith("console r1 is NOT RECORDED: ")
    assert abs(int(form["timestamp"][0]) - time.time()) < 30
    _, path, headers, body = n.requests[0]
    assert path == "/oob" and headers["Title"] == "site: critical"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Priority"] == "5"
    assert body.decode() == form["message"][0]
    wait_for(lambda: "last sent" in told.shown("phone")
             and "last sent" in told.shown("topic"))
    assert told.waiting() == []
    out = told.test("topic")
    assert out.startswith("topic: sent") and len(n.requests) == 2
    assert len(p.requests) == 1
    check_secret(told)
    path = told.dir / "state" / "notify" / "queue"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_events_and_their_end(told):
    s = told.service()
    told.webhook("hook", s)
    told.start()
    told.ail("r1")
    wait_for(lambda: s.requests)
    first = body_of(s.requests[0])
    assert first["event"] == "journal-failed" and first["port"] == "r1"
    assert first["severity"] == "critical" and first["seq"] == 1
    (told.dir / "journal" / "r1").unlink()
    wait_for(lambda: len(s.requests) == 2)
    second = body_of(s.requests[1])
    assert second["event"] == "journal-back" and second["seq"] == 2
    assert second["text"].startswith("console r1 is recorded again")
    # A line that is back within a minute is no news.
    told.lines["gw"].close()
    time.sleep(1)
    assert len(s.requests) == 2 and told.waiting() == []


@pytest.mark.parametrize("answer", [400, 401, 404, 301])
def test_refused_is_never_sent_again(told, answer):
    s = told.service((answer, {"Location": "http://127.0.0.1:1/"}, b""), 200)
    told.webhook("hook", s)
    told.start()
    told.ail("r1")
    wait_for(lambda: f"HTTP status {answer}" in told.shown("hook"))
    assert told.waiting() == []
    time.sleep(6)
    assert len(s.requests) == 1
    assert f"notify hook: HTTP status {answer}" in told.log()


@pytest.mark.long
@pytest.mark.parametrize("answer", [500, 503, "close"])
def test_failed_is_sent_again_not_sooner_than_5_s(told, answer):
    s = told.service(answer, answer, 200)
    told.webhook("hook", s)
    told.start()
    told.ail("r1")
    wait_for(lambda: len(s.requests) == 3, 40)
    times = [r[0] for r in s.requests]
    assert 5 <= times[1] - times[0] < 9
    assert 9.5 <= times[2] - times[1] < 14      # backs off
    assert len({r[3] for r in s.requests}) == 1
    wait_for(lambda: told.waiting() == [])


def test_a_reload_meanwhile(told):
    """An attempt under way goes on, unless its sink has changed."""
    s, other = told.service("slow"), told.service()
    told.webhook("hook", s)
    told.start()
    told.ail("r1")
    wait_for(lambda: s.requests)
    hook = told.top
    told.top = ""
    told.webhook("first", other)
    told.top += hook                # it is the second one now
    told.reload()
    wait_for(lambda: told.waiting() == [])
    time.sleep(1)
    assert len(s.requests) == 1
    assert "0 waiting, last sent" in told.shown("hook")
    told.ail("r2")
    wait_for(lambda: len(s.requests) == 2)
    told.top = ""
    told.webhook("hook", other)
    told.reload()                   # while it is being told to s
    wait_for(lambda: told.waiting() == [])
    assert len(other.requests) == 2
    assert len(s.requests) == 2


def test_429_and_retry_after(told):
    s = told.service((429, {"Retry-After": "8"}, b""), 200)
    told.webhook("hook", s)
    told.start()
    told.ail("r1")
    wait_for(lambda: "too many" in told.shown("hook"))
    assert len(told.waiting()) == 1
    wait_for(lambda: len(s.requests) == 2, 15)
    assert 8 <= s.requests[1][0] - s.requests[0][0] < 12


def test_429_of_a_month_that_is_used_up(told):
    """Pushover has no Retry-After, but says when it takes more."""
    until = int(time.time()) + 9
    p = told.service((429, {"X-Limit-App-Reset": str(until)}, b""),
                     (200, {}, b'{"status":1}'))
    told.sink("phone", "pushover", url=p.url("/1/messages.json"),
              token_file=told.dir / "token", user_file=told.dir / "user",
              ca_file=told.pki / "ca.crt")
    told.start()
    told.ail("r1")
    wait_for(lambda: len(p.requests) == 2, 20)
    assert until - 1 <= time.time() < until + 5
    wait_for(lambda: told.waiting() == [])


def test_no_more_than_two_at_a_time_to_one_host(told):
    """Five sinks of one service; one that hangs holds up none elsewhere."""
    s, other = told.service("slow"), told.service()
    for i in range(5):
        told.webhook(f"s{i}", s)
    told.webhook("other", other)
    told.start()
    told.ail("r1")
    wait_for(lambda: other.requests, 2)
    wait_for(lambda: len(s.requests) == 5, 20)
    assert s.most == 2
    wait_for(lambda: told.waiting() == [])
    assert s.connections == 5       # none gave up and came again


@pytest.mark.parametrize("cert, why", [
    ("unknown", "certificate"), ("other", "subject name|certificate")])
def test_bad_certificate(told, cert, why):
    s = told.service(cert=cert)
    told.webhook("hook", s)
    told.start()
    out = told.test(status=1)
    assert re.search(rf"^hook: FAILED, .*({why})", out), out
    told.ail("r1")
    wait_for(lambda: re.search(why, told.shown("hook")))
    assert s.requests == [] and len(told.waiting()) == 1


@pytest.mark.long
def test_one_hangs_the_others_do_not(told):
    h, g, w = told.service("hang"), told.service(), told.service("slow")
    told.webhook("hanging", h)
    told.webhook("good", g)
    told.webhook("slow", w)
    told.start()
    begun = time.monotonic()
    told.ail("r1")
    wait_for(lambda: g.requests)
    wait_for(lambda: "last sent" in told.shown("good"))
    assert time.monotonic() - begun < 5
    wait_for(lambda: "last sent" in told.shown("slow"), 8)
    wait_for(lambda: "last error" in told.shown("hanging"), 20)
    # The daemon never was without the process: pings were answered.
    by_role = {p["role"]: p for p in json.loads(
        told.ctl("status", "--json").stdout)["processes"]}
    assert by_role["notify"]["restarts"] == 0


def test_answers_are_bounded(told):
    s = told.service((200, {"Content-Length": str(1 << 30)}, b"x" * (1 << 20)))
    told.webhook("hook", s)
    told.start()
    assert told.test().startswith("hook: sent, HTTP status 200")
    if "VmRSS" in open("/proc/self/status").read():
        assert told.rss("notify") < 60000


def test_queue_survives_kill_of_its_process(told):
    port = free_port()
    told.sink("hook", "webhook", url=f"https://localhost:{port}/hook",
              secret_file=told.dir / "key", ca_file=told.pki / "ca.crt")
    told.start()
    told.ail("r1")
    told.ail("r2")
    wait_for(lambda: len(told.waiting()) == 2)
    for _ in range(2):
        old = told.children()["notify"]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: told.children().get("notify", old) != old)
    s = told.service(port=port)
    wait_for(lambda: len(s.requests) == 2, 30)
    assert [body_of(r)["port"] for r in s.requests] == ["r1", "r2"]
    wait_for(lambda: told.waiting() == [])
    time.sleep(1)
    assert len(s.requests) == 2


def test_queue_survives_kill_of_all(told):
    port = free_port()
    told.sink("hook", "webhook", url=f"https://localhost:{port}/hook",
              secret_file=told.dir / "key", ca_file=told.pki / "ca.crt")
    told.start()
    told.ail("r1")
    wait_for(lambda: len(told.waiting()) == 1)
    kids = told.children()
    told.process.kill()
    for pid in kids.values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    told.process.wait()
    wait_for(lambda: not any(told.runs(pid) for pid in kids.values()))
    told.process = None
    (told.dir / "journal" / "r1").unlink()
    s = told.service(port=port)
    told.start()
    wait_for(lambda: s.requests, 15)
    assert body_of(s.requests[0])["text"].startswith("console r1 is NOT")
    wait_for(lambda: told.waiting() == [])
    assert len(s.requests) == 1


def test_said_while_the_process_is_away(told):
    s = told.service()
    told.webhook("hook", s)
    told.start()
    os.kill(told.children()["notify"], signal.SIGSTOP)
    told.ail("r1")
    time.sleep(0.5)
    os.kill(told.children()["notify"], signal.SIGKILL)
    wait_for(lambda: s.requests, 20)
    time.sleep(0.5)
    assert len(s.requests) == 1


def test_exec(told):
    out = told.dir / "out"
    script = told.dir / "tell"
    script.write_text(f'#!/bin/sh\n{{ cat; env | sort; }} > {out}.new\n'
                      f'mv {out}.new {out}\nexit $(cat {told.dir}/status)\n')
    script.chmod(0o700)
    (told.dir / "status").write_text("75")
    told.sink("run", "exec", command=script)
    os.environ["OOB_TEST_LEAK"] = "1"
    try:
        told.start()
    finally:
        del os.environ["OOB_TEST_LEAK"]
    told.ail("r1")
    wait_for(out.exists)
    text = out.read_text()
    first, *env = text.splitlines()
    assert first.startswith("site: console r1 is NOT RECORDED: ")
    env = dict(line.split("=", 1) for line in env)
    assert env["OOB_PORT"] == "r1" and env["OOB_EVENT"] == "journal-failed"
    assert env["OOB_SEVERITY"] == "critical" and env["OOB_BOX"] == "site"
    assert env["OOB_SINK"] == "run" and env["OOB_SEQ"] == "1"
    assert set(env) - {"PWD", "OLDPWD", "SHLVL", "_", "OOB_TIME"} == {
        "PATH", "OOB_PORT", "OOB_EVENT", "OOB_SEVERITY", "OOB_BOX",
        "OOB_SINK", "OOB_SEQ"}
    wait_for(lambda: "exit status 75" in told.shown("run"))
    assert len(told.waiting()) == 1
    (told.dir / "status").write_text("0")
    out.unlink()
    wait_for(out.exists, 15)
    wait_for(lambda: told.waiting() == [])


def ssh(site, user, *words):
    return subprocess.run(site.ssh(user, *words), capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)


def test_verb(told):
    told.add_user("alice", role="admin")
    told.add_user("bob", role="operator")
    good, bad = told.service(), told.service(500)
    told.webhook("good", good)
    told.webhook("bad", bad)
    told.start()
    done = ssh(told, "alice", "notify", "test")
    assert done.returncode == 1
    assert sorted(line.split(",")[0] for line in
                  done.stdout.decode().splitlines()) == [
                      "bad: FAILED", "good: sent"]
    assert body_of(good.requests[0])["text"] == "a test, asked for by alice"
    assert ssh(told, "bob", "notify", "test").returncode == 4
    done = told.ctl("notify", "test", "nobody")
    assert done.returncode == 1
    assert done.stderr == b"oobd: there is no notify section nobody\n"
    for words in ((), ("tset",), ("test", "good", "bad")):
        done = told.ctl("notify", *words)
        assert done.returncode == 2, words
        assert done.stderr.startswith(b"usage: notify test [NAME]")
    assert len(bad.requests) == 1


def test_sms_waits_for_the_modem(told):
    told.top = 'modem {\n\tdata = "/dev/null"\n}\n'
    told.top += 'notify "sms" {\n\ttype = "sms"\n\tto = {"+46701234567"}\n}\n'
    told.start()
    out = told.test()
    assert out.startswith("sms: sent, in the modem's queue, "), out


def test_reload(told):
    """A section comes, changes, goes; without one there is no process."""
    told.start()
    assert "notify" not in told.children()
    done = told.ctl("notify", "test")
    assert done.returncode == 1 and b"no notify section" in done.stderr
    one, two = told.service(), told.service()
    told.webhook("hook", one)
    told.reload()
    wait_for(lambda: told.shown("hook"))
    told.test()
    assert len(one.requests) == 1
    told.top = ""
    told.webhook("hook", two)
    told.reload()
    wait_for(lambda: told.ctl("notify", "test").returncode == 0
             and two.requests)
    assert len(one.requests) == 1
    told.top = ""
    told.reload()
    wait_for(lambda: told.shown("hook") == "")
    assert b"no notify section" in told.ctl("notify", "test").stderr
    assert told.children()["notify"]        # asleep


def test_secret_files_are_read_at_use(told):
    s = told.service()
    told.webhook("hook", s)
    told.start()
    told.test()
    told.secret("key", "another")
    told.test()
    headers = s.requests[1][2]
    want = hmac.new(b"another", headers["X-Oob-Timestamp"].encode() + b"."
                    + s.requests[1][3], hashlib.sha256).hexdigest()
    assert headers["X-Oob-Signature"] == "sha256=" + want
    (told.dir / "key").write_text("bad\x01key\n")
    out = told.test(status=1)
    assert "its first line is not" in out and "bad" not in out.replace(
        "bad: ", "")
    (told.dir / "key").unlink()
    assert "No such file" in told.test(status=1)


def test_damaged_queue_is_kept_aside(told):
    (told.dir / "state" / "notify").mkdir(parents=True, mode=0o700)
    queue = told.dir / "state" / "notify" / "queue"
    queue.write_text('{"format": "something else"}')
    s = told.service()
    told.webhook("hook", s)
    told.start()
    wait_for(lambda: "is not readable: kept as" in told.log())
    assert queue.with_name("queue.bad").read_text().startswith('{"format"')
    told.ail("r1")
    wait_for(lambda: s.requests)
