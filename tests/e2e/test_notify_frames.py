"""The notify process alone, between a supervisor, a console process and a
modem process that the test plays: what a whole site cannot show in a test's
time, SMS and the way over PPP."""
import array
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import BUILD, PATIENCE, PROTO_VERSION, wait_for
from test_notify import Service, body_of, certificate

SV_PING, SV_CONFIG, SV_PEER, SV_READY, SV_STOP = (
    0x0401, 0x0402, 0x0405, 0x040a, 0x040b)
AN_WELCOME, AN_END, AN_TASK = 0x0201, 0x020b, 0x020e
RQ_HELLO, RQ_TAIL, RQ_INFO, RQ_TOLD, RQ_DONE = (
    0x0101, 0x010a, 0x0111, 0x0112, 0x0113)
UP_PONG, UP_READY = 0x0501, 0x0505
WY_LINK = 0x0601
NT_EVENT, NT_TAKEN, NT_SMS, NT_SMS_DONE = 0x0701, 0x0702, 0x0703, 0x0704
WAY_DOWN, WAY_EXISTING, WAY_PPP = 0, 1, 2


def text(s):
    s = s.encode()
    return struct.pack(">H", len(s)) + s


class Peer:
    """One end of a link."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.frames = []

    def send(self, kind, payload=b"", fd=None):
        frame = struct.pack(">IHH", len(payload), kind,
                            0 if fd is None else 1) + payload
        rights = [] if fd is None else [(
            socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.sock.sendmsg([frame], rights)

    def read(self, seconds):
        """What came, as (type, payload); [] when nothing did in time."""
        if select.select([self.sock], [], [], seconds)[0]:
            piece = self.sock.recv(65536)
            assert piece, "the notify process closed the link"
            self.data += piece
        while len(self.data) >= 8:
            n, kind, _ = struct.unpack(">IHH", self.data[:8])
            if len(self.data) < 8 + n:
                break
            self.frames.append((kind, self.data[8:8 + n]))
            self.data = self.data[8 + n:]

    def expect(self, kind, seconds=None):
        """The payload of the next frame of this type; others are dropped."""
        end = time.monotonic() + (seconds or PATIENCE)
        while True:
            while self.frames:
                got, payload = self.frames.pop(0)
                if got == kind:
                    return payload
            left = end - time.monotonic()
            assert left > 0, f"no frame {kind:#x} came"
            self.read(left)

    def nothing(self, kind, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
            assert kind not in [k for k, _ in self.frames]


class Stage:
    def __init__(self, where):
        self.where = where
        self.process = None
        self.log = open(where / "log", "ab")
        (where / "key").write_text("k3y\n")
        self.sinks = ""

    def start(self):
        self.up, theirs = self.pair()
        # Standard input there is any descriptor here; a shell moves it.
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec {BUILD}/oobd -d -R notify 3<&0 </dev/null"],
            stdin=theirs, stderr=self.log,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        theirs.close()
        conf = self.where / "conf"
        conf.write_text(
            f'name = "box"\nstate_dir = "{self.where}"\n'
            f'log_dir = "{self.where}"\ncontrol = "{self.where}/c"\n'
            'console "gw" { device = "/dev/null" }\n'
            'modem { data = "/dev/zero" }\n' + self.sinks)
        with open(conf, "rb") as f:
            self.up.send(SV_CONFIG, fd=f.fileno())
        self.up.send(SV_READY)
        self.console = self.join("console")
        self.console.expect(RQ_HELLO)
        self.console.send(AN_WELCOME, struct.pack(">H", PROTO_VERSION) +
                          text("box") + struct.pack(">Q", 1))
        request = self.console.expect(RQ_TAIL)[:4]
        self.console.send(AN_END, request + bytes(9))
        self.up.expect(UP_READY)
        self.modem = self.join("modem")

    @staticmethod
    def pair():
        a, b = socket.socketpair()
        return Peer(a), b

    def join(self, role):
        ours, theirs = self.pair()
        self.up.send(SV_PEER, text(role), theirs.fileno())
        theirs.close()
        return ours

    def way(self, way, interface="", local="", servers=""):
        self.modem.send(WY_LINK, bytes([way]) + text(interface) + text(local)
                        + text(servers))

    def event(self, number, words, source="gw", severity=1):
        self.console.send(NT_EVENT, struct.pack(">QB", number, severity)
                          + text(source) + text("line-lost") + text(words))

    def taken(self):
        return struct.unpack(">Q", self.console.expect(NT_TAKEN))[0]

    def sms(self):
        p = self.modem.expect(NT_SMS)
        number, rest = struct.unpack(">I", p[:4])[0], p[4:]
        n = struct.unpack(">H", rest[:2])[0]
        return number, rest[2:2 + n].decode(), rest[n + 4:].decode()

    def sms_done(self, number, how, why):
        self.modem.send(NT_SMS_DONE, struct.pack(">IB", number, how)
                        + text(why))

    def test(self):
        self.console.send(AN_TASK, struct.pack(">I", 9) + text("alice")
                          + text("ssh") + bytes(3) + bytes([2])
                          + text("notify") + text("test"))
        told = self.console.expect(RQ_TOLD, 30)[5:].decode()
        return told, self.console.expect(RQ_DONE)[4]

    def waiting(self):
        queue = json.loads((self.where / "notify" / "queue").read_text())
        return [m["text"] for m in queue["messages"]]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.up.send(SV_STOP)
            assert self.process.wait(5) == 0
        self.log.close()
        log = (self.where / "log").read_text()
        assert "Sanitizer" not in log and "runtime error" not in log, log


SMS = 'notify "sms" { type = "sms" to = {"+46701234567", "+46707654321"} }\n'


@pytest.fixture
def stage(tmp_path):
    s = Stage(tmp_path)
    yield s
    s.stop()


def test_taken_once_on_disk(stage):
    stage.sinks = SMS
    stage.start()
    stage.event(7, "one")
    assert stage.taken() == 7
    assert stage.waiting() == ["one"]
    stage.kill()
    stage.start()
    stage.event(7, "one")               # as a console process repeats it
    assert stage.taken() == 7
    stage.event(8, "two", source="sw")
    assert stage.taken() == 8
    assert stage.waiting() == ["one", "two"]
    stage.up.send(SV_PING, struct.pack(">I", 5))
    assert stage.up.expect(UP_PONG) == struct.pack(">I", 5)


def test_sms(stage):
    stage.sinks = SMS
    stage.start()
    stage.event(1, "one")
    first = stage.sms()
    second = stage.sms()
    assert first[1:] == ("+46701234567", "box: one")
    assert second[1:] == ("+46707654321", "box: one")
    stage.sms_done(first[0], 1, "not allowed")
    stage.sms_done(second[0], 0, "queued")
    wait_for(lambda: stage.waiting() == [])
    # Later: not before 5 s; never: not at all.
    stage.event(2, "two", source="sw")
    for _ in range(2):
        stage.sms_done(stage.sms()[0], 2, "no modem")
    stage.modem.nothing(NT_SMS, 4.5)
    assert stage.waiting() == ["two"]
    for _ in range(2):
        stage.sms_done(stage.sms()[0], 1, "over the limit of the day")
    wait_for(lambda: stage.waiting() == [])
    # Answers to questions that nobody asked.
    stage.sms_done(12345, 0, "")
    stage.modem.nothing(NT_SMS, 0.5)


def test_modem_process_goes_away(stage):
    stage.sinks = SMS
    stage.start()
    stage.event(1, "one")
    stage.sms()
    stage.modem.sock.close()
    time.sleep(0.3)
    assert stage.waiting() == ["one"]
    told, status = stage.test()
    assert told.startswith("sms: FAILED, the modem process is being "
                           "restarted") and status == 1
    stage.modem = stage.join("modem")
    number, _, words = stage.sms()
    assert words == "box: one"
    stage.sms_done(number, 0, "queued")
    stage.sms_done(stage.sms()[0], 0, "queued")
    wait_for(lambda: stage.waiting() == [])


def serve_names(sock, address):
    """A name server that knows every A, and no AAAA."""
    while True:
        try:
            query, peer = sock.recvfrom(512)
        except OSError:
            return
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack(">H", query[end - 4:end - 2])[0]
        answer = query[:2] + b"\x81\x80" + b"\0\1" + (
            b"\0\1" if kind == 1 else b"\0\0") + bytes(4) + query[12:end]
        if kind == 1:
            answer += (b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4"
                       + socket.inet_aton(address))
        sock.sendto(answer, peer)


def test_over_ppp_when_it_is_the_only_way(stage):
    """The name is known to PPP's name server only: nobody can be connected
    to any other way."""
    service = Service()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 0))
    threading.Thread(target=serve_names, args=(names, "127.0.0.1"),
                     daemon=True).start()
    stage.sinks = ('notify "hook" {\n\ttype = "webhook"\n\turl = '
                   f'"http://push.oobd.invalid:{service.port}/h"\n'
                   f'\tsecret_file = "{stage.where}/key"\n}}\n')
    stage.start()
    try:
        stage.event(1, "one")
        stage.taken()
        told, status = stage.test()
        assert status == 1 and told.startswith("hook: FAILED, "), told
        stage.way(WAY_EXISTING)
        time.sleep(1)
        assert service.requests == [] and stage.waiting() == ["one"]
        stage.way(WAY_PPP, "lo", "127.0.0.1",
                  f"127.0.0.1:{names.getsockname()[1]}")
        wait_for(lambda: service.requests, 40)
        assert body_of(service.requests[0])["text"] == "one"
        wait_for(lambda: stage.waiting() == [])
        told, status = stage.test()
        assert status == 0 and told.startswith("hook: sent"), told
        # Down again: nothing goes there any more.
        stage.way(WAY_DOWN)
        assert stage.test()[1] == 1
        assert len(service.requests) == 2
    finally:
        service.stop()
        names.close()


def test_over_ppp_when_somebody_else_answers(stage, tmp_path):
    """A portal on the site's own uplink takes every connection, and is not
    who it should be: nothing was sent to it, so that PPP has its turn."""
    certificate(tmp_path, "portal", "DNS:localhost")
    service = Service(tmp_path / "portal.pem")
    stage.sinks = ('notify "hook" {\n\ttype = "webhook"\n\turl = '
                   f'"https://localhost:{service.port}/h"\n'
                   f'\tsecret_file = "{stage.where}/key"\n}}\n')
    stage.start()
    try:
        told, status = stage.test()
        assert status == 1 and "certificate" in told, told
        assert service.connections == 1
        stage.way(WAY_PPP, "lo", "127.0.0.1")
        told, status = stage.test()
        assert status == 1 and "certificate" in told, told
        assert service.connections == 3
        assert service.requests == []
    finally:
        service.stop()
