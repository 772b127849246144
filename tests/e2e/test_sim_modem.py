"""The simulated modem, by itself, with a real serial client: other tests
rely on what is shown here."""
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty

import pytest

BUILD = os.environ.get("OOBD_BUILD", "build")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
OOBSIM = os.path.join(ROOT, BUILD, "oobsim")
FINAL = re.compile(rb"\r\n(OK|ERROR|NO CARRIER|COMMAND NOT SUPPORT"
                   rb"|CONNECT[^\r]*|\+CM[ES] ERROR: [^\r]*)\r+\n|\r\n> $")
CMTI = re.compile(rb"\+CMTI: [^\r]*\r\n")
# A DELIVER from +436601234567, made elsewhere: "OOB UP 60 4821 755224".
UP = ("0891346604000000F1040C913466103254760000628042307124801"
      "5CFA7105485826C30100D278B816EB59A4C4603")
# SUBMIT to +436601234567: "hello".
HELLO, HELLO_OCTETS = "0001000C9134661032547600" "0005E8329BFD06", 18


class Serial:
    """A serial port's user: one end of the pty, or of a socket."""

    def __init__(self, path):
        if os.path.exists(path) and not os.path.realpath(path).startswith(
                "/dev/"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)
            self.fd = self.sock.fileno()
        else:
            self.sock = None
            self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
        self.got = b""
        self.pieces = []

    def close(self):
        if self.sock is not None:
            self.sock.close()
        elif self.fd != -1:
            os.close(self.fd)
        self.sock, self.fd = None, -1

    def write(self, data):
        os.write(self.fd, data if isinstance(data, bytes) else data.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        data = os.read(self.fd, 65536)
        self.pieces.append(data)
        self.got += data
        return data

    def expect(self, pattern, seconds=8):
        """Read until it matches; the bytes up to the end of the match."""
        if isinstance(pattern, bytes):
            pattern = re.compile(re.escape(pattern))
        end = time.monotonic() + seconds
        while True:
            found = pattern.search(self.got)
            if found:
                data, self.got = self.got[:found.end()], \
                    self.got[found.end():]
                return data
            left = end - time.monotonic()
            assert left > 0, f"no {pattern.pattern!r}: {self.got[-400:]!r}"
            self.read(left)

    def silent(self, seconds=0.25):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
        assert self.got == b"", self.got
        return True

    def ask(self, command, seconds=8):
        """Everything up to the final result code."""
        self.write(command + "\r")
        return self.expect(FINAL, seconds).decode(errors="replace")

    def lines(self, command, seconds=8):
        """The answer's lines, without the echo and empty ones."""
        out = self.ask(command, seconds).replace("\r", "\n").split("\n")
        return [x for x in out if x and x != command]


class Modem:
    """oobsim modem in a scratch folder."""

    def __init__(self, folder, *args, links=True, ports=2, quick=True):
        self.folder = folder
        self.control_path = str(folder / "k")
        argv = [OOBSIM, "modem", "--control", self.control_path]
        if quick:
            argv += ["--boot", "0", "--dial", "50ms", "--sms", "50ms",
                     "--reset", "300ms", "--guard", "300ms",
                     "--chatter", "0"]
        if links:
            argv += ["--link-data", str(folder / "data")]
            if ports == 2:
                argv += ["--link-control", str(folder / "control")]
        if ports == 1:
            argv += ["--one-port"]
        self.process = subprocess.Popen(argv + list(args),
                                        stdout=subprocess.PIPE)
        self.names = {}
        if "--unplugged" not in args:
            self.read_names(ports)
        self.open_ports = []

    def read_names(self, ports=2):
        for _ in range(ports):
            name, path = self.process.stdout.readline().decode().split()
            self.names[name] = path

    def port(self, name, echo=False, calm=True):
        """One of its ports, without echo and the stick's own chatter."""
        s = Serial(str(self.folder / name))
        self.open_ports.append(s)
        if not echo:
            s.ask("ATE0")
        if not echo and calm:
            s.ask("AT^CURC=0")
        return s

    def data(self, **kw):
        return self.port("data", **kw)

    def control(self, **kw):
        return self.port("control", **kw)

    def tell(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.control_path)
            s.sendall(line.encode() + b"\n")
            return s.makefile().readline().rstrip("\n")

    def do(self, line):
        answer = self.tell(line)
        assert not answer.startswith("error"), answer
        return answer

    def stat(self):
        return dict(f.split("=") for f in self.do("stat").split())

    def wait_stat(self, key, value, seconds=8):
        end = time.monotonic() + seconds
        while self.stat()[key] != value:
            assert time.monotonic() < end, f"{self.stat()}, want {key}={value}"
            time.sleep(0.02)

    def commands(self):
        return self.do("commands").split(" | ")

    def stop(self):
        for s in self.open_ports:
            s.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(5)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def modem(tmp_path):
    made = []

    def make(*args, **kw):
        made.append(Modem(tmp_path, *args, **kw))
        return made[-1]

    yield make
    for m in made:
        assert m.stop() == 0


def unpack(pdu):
    """Text of a DELIVER from a number, GSM 7-bit without extension."""
    o = bytes.fromhex(pdu)
    o = o[1 + o[0]:]
    has_header, at = o[0] & 0x40, 1 + 2 + (o[1] + 1) // 2 + 2 + 7
    count, body = o[at], o[at + 1:]
    bits = int.from_bytes(body, "little")
    skip = (body[0] + 1) * 8 // 7 + 1 if has_header else 0
    return "".join(chr(bits >> 7 * i & 127) for i in range(skip, count))


# Commands.

def test_echo_and_identity(modem):
    m = modem()
    c = m.control(echo=True)
    assert c.ask("AT") == "AT\r\r\nOK\r\n"
    assert c.ask("ATE0") == "ATE0\r\r\nOK\r\n"
    assert c.ask("AT") == "\r\nOK\r\n"
    assert c.lines("ATI")[:2] == ["Manufacturer: huawei", "Model: E1752"]
    assert c.lines("AT+CGMI;+CGMM;+CGSN") == ["huawei", "E1752",
                                              "353456789012343", "OK"]
    assert "^PORTSEL" in c.lines("AT+CLAC")
    assert "+CMUX" not in c.lines("AT+CLAC")


def test_settings_belong_to_a_port(modem):
    m = modem()
    c, d = m.control(), m.data(echo=True)
    assert c.ask("AT") == "\r\nOK\r\n"
    assert d.ask("AT") == "AT\r\r\nOK\r\n"
    d.ask("ATE0")
    assert c.ask("AT+CMEE=1") and d.ask("AT+CMEE=2")
    m.do("sim out")
    assert c.lines("AT+CIMI") == ["+CME ERROR: 10"]
    assert d.lines("AT+CIMI") == ["+CME ERROR: SIM not inserted"]
    assert c.ask("ATZ") and c.ask("AT+CIMI") == "AT+CIMI\r\r\nERROR\r\n"
    assert d.ask("AT") == "\r\nOK\r\n"
    c.ask("AT+CNMI=2,1,0,2,0")
    assert d.lines("AT+CNMI?") == ["+CNMI: 0,0,0,0,0", "OK"]


def test_numeric_and_quiet_results(modem):
    c = modem().control()
    c.write("ATV0\r")
    c.expect(b"0\r")
    c.write("AT+CSQ\r")
    assert c.expect(b"99\r\n0\r") == b"+CSQ: 18,99\r\n0\r"
    c.write("ATV1Q1\r")
    assert c.silent()


def test_unknown_commands(modem):
    assert modem().control().lines("AT+CMUX=?") == ["COMMAND NOT SUPPORT"]


def test_generic_personality(modem):
    m = modem("--personality", "generic")
    c = m.control()
    assert c.lines("AT^SYSINFO") == ["ERROR"]
    assert c.lines("AT+CCID")[0].startswith("+CCID: 89")
    assert c.lines("AT+CPINR")[0] == "+CPINR: SIM PIN,3,3"
    assert m.do("signal 3") == "ok"
    assert c.lines("AT+CSQ") == ["+CSQ: 3,99", "OK"]


def test_huawei_commands(modem):
    m = modem()
    c = m.control()
    assert c.lines("AT^SYSINFO") == ["^SYSINFO:2,3,0,5,1,,4", "OK"]
    assert c.lines("AT^GETPORTMODE")[0] == \
        "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:0,DIAG:1,PCUI:2"
    assert c.lines("AT^ICCID?")[0].startswith("^ICCID: 89")
    assert c.lines("AT^CPIN?") == ["^CPIN: READY,,10,3,10,3", "OK"]
    assert c.lines("AT^CURC=0;^CURC?") == ["^CURC: 0", "OK"]
    assert c.lines("AT^U2DIAG?") == ["^U2DIAG: 276", "OK"]
    assert c.lines("AT^U2DIAG=0") == ["OK"]
    assert m.stat()["u2diag"] == "0"
    m.do("net 2g")
    m.do("reg roaming")
    assert c.lines("AT^SYSINFO") == ["^SYSINFO:2,3,1,3,1,,2", "OK"]


def test_junk_before_a_command(modem):
    c = modem().control()
    c.write("~}#@!}!junk")
    assert c.lines("AT+CSQ") == ["+CSQ: 18,99", "OK"]
    c.write("\xa0no command\r")
    assert c.silent()


def test_commands_are_on_record(modem):
    m = modem("--log", "/dev/null")
    c = m.control(calm=False)
    c.ask('AT+CPIN="1234"')
    c.ask("AT+CMGF=1")
    assert m.commands() == ["control:ATE0", 'control:AT+CPIN="1234"',
                            "control:AT+CMGF=1"]
    assert m.stat()["text_mode"] == "1"
    assert c.lines("AT+CMGL=4") == ["+CMS ERROR: 303"]
    m.do("commands clear")
    assert m.tell("commands") == "none"


# Network.

def test_registration(modem):
    m = modem()
    c, d = m.control(), m.data()
    assert c.lines("AT+CREG?") == ["+CREG: 0,1", "OK"]
    c.ask("AT+CREG=1")
    d.ask("AT+CGREG=2")
    m.do("reg denied cs")
    c.expect(b"\r\n+CREG: 3\r\n")
    m.do("reg roaming")
    c.expect(b"\r\n+CREG: 5\r\n")
    d.expect(b'\r\n+CGREG: 5, "0A1B", "00C0FFEE"\r\n')
    assert c.lines("AT+CREG?") == ["+CREG: 1,5", "OK"]
    m.do("reg searching ps")
    assert c.lines("AT+CGREG?") == ["+CGREG: 0,2", "OK"]
    assert c.lines("AT+CGATT?") == ["+CGATT: 0", "OK"]


def test_operator_and_radio(modem):
    m = modem()
    c = m.control()
    assert c.lines("AT+COPS?") == ['+COPS: 0,0,"A1",2', "OK"]
    m.do("operator 23203 T-Mobile A")
    assert c.lines("AT+COPS=3,2;+COPS?") == ['+COPS: 0,2,"23203",2', "OK"]
    c.ask("AT+CFUN=4")
    assert c.lines("AT+COPS?") == ["+COPS: 0", "OK"]
    assert c.lines("AT+CREG?") == ["+CREG: 0,0", "OK"]
    c.ask("AT+CFUN=1")
    assert c.lines("AT+CREG?") == ["+CREG: 0,1", "OK"]


def test_unasked_lines_and_curc(modem):
    m = modem("--chatter", "50ms")
    c, d = m.control(calm=False), m.data(calm=False)
    c.expect(re.compile(rb"\r\n\^RSSI:18\r\n.*\^BOOT:", re.S))
    assert b"^RSSI" not in d.got
    c.ask("AT^CURC=0")
    c.got = b""
    assert c.silent(0.3)
    c.ask("AT^CURC=1")
    c.ask("AT^PORTSEL=1")
    c.got = b""
    d.expect(b"^RSSI:18")
    assert b"^RSSI" not in c.got


# The card.

def test_pin(modem):
    m = modem("--pin", "1234")
    c = m.control()
    c.ask("AT+CMEE=1")
    assert c.lines("AT+CPIN?") == ["+CPIN: SIM PIN", "OK"]
    assert c.lines("AT+CIMI") == ["+CME ERROR: 11"]
    assert c.lines("AT+CPMS?") == ["+CMS ERROR: 311"]
    assert c.lines("AT+CREG?") == ["+CREG: 0,0", "OK"]
    assert c.lines('AT+CPIN="9999"') == ["+CME ERROR: 16"]
    assert c.lines("AT^CPIN?") == ["^CPIN: SIM PIN,2,10,2,10,3", "OK"]
    assert m.stat()["pin_tries"] == "2"
    assert c.lines('AT+CPIN="1234"') == ["OK"]
    assert c.lines("AT+CPIN?") == ["+CPIN: READY", "OK"]
    assert c.lines("AT+CREG?") == ["+CREG: 0,1", "OK"]
    assert c.lines('AT+CLCK="SC",2') == ["+CLCK: 1", "OK"]
    assert c.lines('AT+CPIN="1234"') == ["+CME ERROR: 3"]


def test_puk(modem):
    m = modem("--pin", "1234", "--puk", "87654321")
    c = m.control()
    for _ in range(3):
        assert c.lines("AT+CPIN=0000") == ["ERROR"]
    assert c.lines("AT+CPIN?") == ["+CPIN: SIM PUK", "OK"]
    assert m.stat()["sim"] == "puk"
    c.ask('AT+CPIN="11111111","1234"')
    assert m.stat()["puk_tries"] == "9"
    assert c.lines('AT+CPIN="87654321","4321"') == ["OK"]
    m.do("reset")
    m.read_names()
    c.close()
    c = m.control()
    assert c.lines("AT+CPIN?") == ["+CPIN: SIM PIN", "OK"]
    assert c.lines("AT+CPIN=4321") == ["OK"]
    assert c.lines('AT+CLCK="SC",0,"4321"') == ["OK"]
    assert c.lines('AT+CPWD="SC","4321","1111"') == ["OK"]
    m.do("tries 0 0")
    c.ask("AT+CMEE=1")
    assert c.lines("AT+CPIN?") == ["+CME ERROR: 15"]


def test_card_out_and_busy(modem):
    m = modem("--boot", "400ms")
    c = m.control(calm=False)
    c.ask("AT+CMEE=1")
    assert c.lines("AT+CPIN?") == ["+CME ERROR: 14"]
    c.expect(b"^SIMST:1")
    c.expect(b"^MODE:5,4")
    assert c.lines("AT+CPIN?") == ["+CPIN: READY", "OK"]
    m.do("sim out")
    c.expect(b"^SIMST:255")
    c.expect(b"^MODE:5,4")
    assert c.lines("AT+CMGL=4") == ["+CMS ERROR: 310"]
    assert c.lines("AT^ICCID?") == ["+CME ERROR: 10"]
    c.ask("AT^CURC=0")
    m.do("sim in")
    m.do("sim busy")
    assert c.lines("AT+CPIN?") == ["+CME ERROR: 14"]
    m.do("pin 4711")
    m.do("sim ready")
    assert m.stat()["sim"] == "pin"


# Messages.

def ready(port):
    assert port.lines("AT+CMGF=0;+CNMI=2,1,0,2,0") == ["OK"]
    return port


def test_message_comes_in(modem):
    m = modem()
    c = ready(m.control())
    m.do(f"sms {UP}")
    c.expect(b'\r\n+CMTI: "SM",0\r\n')
    assert c.lines("AT+CMGL=4") == ["+CMGL: 0,0,,38", UP, "OK"]
    assert c.lines("AT+CMGL=0") == ["OK"]
    assert c.lines("AT+CMGR=0") == ["+CMGR: 1,,38", UP, "OK"]
    assert c.lines("AT+CMGR=1") == ["+CMS ERROR: 321"]
    assert c.lines("AT+CPMS?")[0].startswith('+CPMS: "SM",1,20,')
    assert c.lines("AT+CMGD=0") == ["OK"]
    assert c.lines("AT+CMGL=4") == ["OK"]
    assert unpack(UP) == "OOB UP 60 4821 755224"


def test_made_messages(modem):
    m = modem()
    c = ready(m.control())
    m.do("text +436601234567 status 12345678")
    c.expect(CMTI)
    pdu = c.lines("AT+CMGR=0")[1]
    assert unpack(pdu) == "status 12345678"
    assert pdu[16:34] == "04" + "0C91346610325476"
    when = [int(x[::-1]) for x in re.findall("..", pdu[38:50])]
    assert when[:3] == list(time.gmtime()[:3] if when[0] > 2000 else (
        time.gmtime()[0] % 100, *time.gmtime()[1:3]))
    long_text = "".join(chr(97 + i % 26) for i in range(200))
    m.do(f"text FONIC {long_text}")
    c.expect(CMTI)
    c.expect(CMTI)
    parts = [c.lines(f"AT+CMGR={i}")[1] for i in (1, 2)]
    assert [int(p[16:18], 16) & 0x40 for p in parts] == [0x40, 0x40]
    assert "09D0" + "C6A7333904" in parts[0]        # FONIC
    m.do("text 12345 \\xe2\\x82\\xac \\xf0\\x9f\\x98\\x80")
    c.expect(CMTI)
    assert c.lines("AT+CMGR=3")[1].endswith("20AC0020D83DDE00")
    assert m.tell("text + x").startswith("error: text: wanted: SENDER")
    assert m.tell("sms 0891").startswith("error: sms: not a PDU")


def test_copies(modem):
    m = modem()
    m.do("copies 8")
    m.do(f"sms {UP}")
    assert m.stat()["SM"] == "8/20"
    m.do(f"sms {UP}")
    assert m.stat()["SM"] == "9/20"


def test_stores_and_deleting(modem):
    m = modem("--stores", "SM=3,ME=2")
    c = ready(m.control())
    assert c.lines("AT+CPMS=?")[0] == '+CPMS: ' + ','.join(
        ['("SM","ME","MT")'] * 3)
    m.do(f"sms {UP} ME")
    c.expect(b'+CMTI: "ME",0')
    assert c.lines('AT+CMGL=4') == ["OK"]
    assert c.lines('AT+CPMS="ME"') == ["+CPMS: 1,2,0,3,0,3", "OK"]
    assert c.lines('AT+CMGL=4')[0] == "+CMGL: 0,0,,38"
    assert c.lines('AT+CPMS="MT","ME","ME"') == ["+CPMS: 1,5,1,2,1,2", "OK"]
    assert c.lines('AT+CMGL=4')[0] == "+CMGL: 3,1,,38"
    m.do(f"sms {UP} SM")
    c.expect(CMTI)
    assert c.lines("AT+CMGD=1,1") == ["OK"]          # only what was read
    assert c.lines("AT+CMGL=4")[0] == "+CMGL: 0,0,,38"
    assert c.lines("AT+CMGD=1,4") == ["OK"]
    assert m.tell("stores") == "none"
    assert c.lines('AT+CPMS="XX"') == ["+CMS ERROR: 302"]


def test_full_store(modem):
    m = modem("--stores", "SM=2")
    c = ready(m.control())
    m.do("fill SM")
    m.do(f"sms {UP}")
    c.expect(b'\r\n^SMMEMFULL: "SM"\r\n')
    assert m.stat()["waiting"] == "1"
    assert c.lines("AT+CMGD=1") == ["OK"]
    c.expect(b'+CMTI: "SM",1')          # the network tries again
    assert m.stat()["waiting"] == "0"
    assert m.do("stores").split()[1] == f"SM:1:0:{UP}"


def test_messages_wait_for_the_network(modem):
    m = modem("--pin", "1234")
    c = m.control()
    m.do(f"sms {UP}")
    assert m.stat()["waiting"] == "1"
    ready(c)
    c.write("AT+CPIN=1234\r")
    c.expect(CMTI)
    m.do("reg searching")
    m.do(f"sms {UP}")
    assert m.stat()["waiting"] == "1"
    m.do("reg home")
    c.expect(b'+CMTI: "SM",1')


def test_message_indications(modem):
    m = modem()
    c, d = m.control(), m.data()
    ready(d)
    m.do(f"sms {UP}")
    assert d.silent() and c.silent(0.05)    # the control port's, unwanted
    c.ask("AT+CNMI=1,2,0,0,0")
    m.do(f"sms {UP}")
    c.expect(f"\r\n+CMT: ,38\r\n\r\n{UP}\r\n".encode())
    assert m.stat()["SM"] == "1/20"
    m.do("index lost")
    ready(c)
    m.do(f"sms {UP}")
    c.expect(b'+CMTI: "SM",-1')
    report = "0006010C91346610325476" + "62804230712480" * 2 + "00"
    m.do(f"sms {report}")
    c.expect(b'+CDSI: "SM",-1')


def test_sending(modem):
    m = modem()
    c = m.control()
    c.write(f"AT+CMGS={HELLO_OCTETS}\r")
    assert c.expect(b"> ") == b"\r\n> "
    c.write(HELLO + "\x1a")
    assert c.expect(FINAL) == b"\r\n+CMGS: 1\r\n\r\nOK\r\n"
    assert m.do("sent") == HELLO
    assert m.do("sent text") == "+436601234567: hello"
    assert f"control:SUBMIT {HELLO}" in m.commands()
    assert c.ask("AT+CMGS=17").endswith("> ")
    c.write(HELLO + "\x1a")
    assert b"+CMS ERROR: 304" in c.expect(FINAL)
    assert c.ask("AT+CMGS=18").endswith("> ")
    c.write("\x1b")
    assert c.expect(FINAL) == b"\r\nOK\r\n"
    m.do("reg denied")
    assert c.ask("AT+CMGS=18").endswith("> ")
    c.write(HELLO + "\x1a")
    assert b"+CMS ERROR: 331" in c.expect(FINAL)
    assert m.do("sent") == HELLO
    m.do("sent clear")
    assert m.tell("sent") == "none"


def test_urc_waits_for_the_end_of_the_prompt(modem):
    m = modem()
    c = ready(m.control())
    c.ask("AT+CMGS=18")
    m.do(f"sms {UP}")
    assert c.silent()
    c.write(HELLO + "\x1a")
    c.expect(b'OK\r\n\r\n+CMTI: "SM",0\r\n')


# A call.

def connected(m):
    d = m.data()
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]
    return d


def test_call_through_a_program(modem):
    m = modem("--carrier", "exec cat")
    d = connected(m)
    every = bytes(range(256)) * 20
    d.write(every)
    assert d.expect(every) == every
    stat = m.stat()
    assert (stat["session"], stat["up"], stat["down"]) == (
        "data", "5120", "5120")
    m.do("no-carrier")
    assert d.expect(FINAL) == b"\r\nNO CARRIER\r\n"
    assert d.lines("AT^DSFLOWQRY")[0].endswith(
        "0000000000001400,0000000000001400")
    assert d.lines("ATD*99***1#") == ["CONNECT 7200000"]
    m.wait_stat("up", "0")


def test_program_ends(modem):
    m = modem("--carrier", "read x; printf bye")
    d = connected(m)
    d.write("\n")
    assert d.expect(FINAL) == b"bye\r\nNO CARRIER\r\n"
    assert m.stat()["session"] == "none"
    assert d.lines("AT") == ["OK"]


def children(pid):
    out = subprocess.run(["ps", "-ax", "-o", "ppid=,stat="],
                         capture_output=True, text=True).stdout
    return [x.split()[1] for x in out.splitlines()
            if int(x.split()[0]) == pid]


def test_program_is_killed(modem):
    m = modem("--carrier", "trap '' TERM HUP; sleep 1000 & sleep 1000; true")
    d = connected(m)
    assert len(children(m.process.pid)) == 1
    m.do("no-carrier")
    d.expect(FINAL)
    end = time.monotonic() + 5
    while children(m.process.pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_escape_and_back(modem):
    m = modem("--carrier", "exec cat")
    d = connected(m)
    d.write("a+++b")
    d.expect(b"a+++b")
    d.write("+++")              # no silence before them
    d.expect(b"+++")
    assert d.silent(0.5)
    d.write("+++")
    assert d.expect(FINAL).endswith(b"\r\nOK\r\n")
    assert m.stat()["session"] == "escaped"
    assert d.lines("AT+CSQ")[0] == "+CSQ: 18,99"
    assert d.lines("ATO") == ["CONNECT"]
    d.write("again")
    d.expect(b"again")
    time.sleep(0.35)
    d.write("+++")
    d.expect(FINAL)
    assert d.lines("ATH") == ["OK"]
    assert m.stat()["session"] == "none"
    assert d.lines("ATO") == ["NO CARRIER"]


def set_speed(fd, speed):
    t = termios.tcgetattr(fd)
    t[4] = t[5] = speed
    termios.tcsetattr(fd, termios.TCSANOW, t)


def test_dtr(modem):
    m = modem("--carrier", "exec cat")
    d = connected(m)
    set_speed(d.fd, termios.B0)
    assert d.expect(FINAL) == b"\r\nNO CARRIER\r\n"
    set_speed(d.fd, termios.B115200)
    d.ask("AT&D0")
    assert d.ask("ATD*99#")
    set_speed(d.fd, termios.B0)
    assert d.silent(0.3)
    set_speed(d.fd, termios.B115200)
    m.do("no-carrier")
    d.expect(FINAL)
    d.ask("AT&D1")
    d.ask("ATD*99#")
    m.do("dtr")
    assert d.expect(FINAL) == b"\r\nOK\r\n"
    assert m.stat()["session"] == "escaped"


def test_close_hangs_up(modem):
    m = modem("--carrier", "exec cat")
    connected(m).close()
    m.wait_stat("session", "none")
    d = m.data()
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]


def test_other_port_hangs_up(modem):
    m = modem("--carrier", "exec cat")
    d, c = connected(m), m.control()
    assert c.lines("ATD*99#") == ["NO CARRIER"]
    assert c.lines("ATH") == ["OK"]
    assert m.stat()["session"] == "data"
    assert c.lines("AT+CGACT=0,1") == ["OK"]
    assert d.expect(FINAL) == b"\r\nNO CARRIER\r\n"
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]
    assert c.lines("AT+CFUN=4") == ["OK"]
    assert d.expect(FINAL) == b"\r\nNO CARRIER\r\n"


def test_refused_calls(modem):
    m = modem("--apn", "internet")
    d = m.data()
    assert d.lines("ATD*99#") == ["NO CARRIER"]
    assert d.lines("AT+CEER")[0] == \
        "+CEER: Requested service option not subscribed"
    assert d.lines('AT+CGDCONT=1,"IP","wrong"') == ["OK"]
    assert d.lines("ATD*99#") == ["NO CARRIER"]
    assert d.lines('AT+CGDCONT=3,"IP","internet"') == ["OK"]
    assert d.lines("AT+CGDCONT?")[1] == '+CGDCONT: 3,"IP","internet","",0,0'
    assert d.lines("ATD*99***3#") == ["CONNECT 7200000"]
    m.do("no-carrier")
    d.expect(FINAL)
    m.do("reg denied ps")
    assert d.lines("ATD*99***3#") == ["NO CARRIER"]
    assert d.lines("ATD0123") == ["NO CARRIER"]
    assert m.stat()["dials"] == "4"


def test_a_key_ends_the_attempt(modem):
    m = modem("--dial", "10s")
    d = m.data()
    d.write("ATD*99#\r")
    m.wait_stat("session", "dialling")
    d.write("x")
    assert d.expect(FINAL, 3) == b"\r\nNO CARRIER\r\n"
    assert d.lines("AT") == ["OK"]


def test_messages_during_a_call(modem):
    m = modem("--carrier", "exec cat")
    d, c = connected(m), ready(m.control())
    m.do(f"sms {UP}")
    c.expect(b'+CMTI: "SM",0')          # two ports: at once
    assert d.silent(0.1)


def test_messages_during_a_call_on_one_port(modem):
    m = modem("--carrier", "exec cat", ports=1)
    d = m.data()
    for mode, told in ((2, True), (1, False)):
        d.ask(f"AT+CNMI={mode},1,0,2,0")
        d.ask("ATD*99#")
        m.do(f"sms {UP}")
        assert d.silent()
        m.do("no-carrier")
        d.expect(FINAL)
        if told:
            d.expect(b'+CMTI: "SM",0')
        else:
            assert d.silent()
    assert m.stat()["SM"] == "2/20"
    assert m.tell("silent control").startswith("error")


def test_stalled_call(modem):
    m = modem("--carrier", "exec cat")
    d = connected(m)
    m.do("stall on")
    d.write("lost")
    assert d.silent()
    m.do("stall off")
    d.write("not this")
    assert d.expect(b"not this") == b"not this"


# A PPP client of few words, for the simulator's own networks.

def fcs(data):
    f = 0xffff
    for c in data:
        f ^= c
        for _ in range(8):
            f = f >> 1 ^ 0x8408 if f & 1 else f >> 1
    return f ^ 0xffff


def frame(protocol, payload):
    body = b"\xff\x03" + struct.pack(">H", protocol) + payload
    body += struct.pack("<H", fcs(body))
    return b"\x7e" + b"".join(
        bytes((0x7d, c ^ 0x20)) if c < 0x20 or c in (0x7d, 0x7e)
        else bytes((c,)) for c in body) + b"\x7e"


class Ppp:
    def __init__(self, port):
        self.port = port
        self.seen = []

    def send(self, protocol, payload):
        self.port.write(frame(protocol, payload))

    def packet(self, protocol, code, ident, options):
        self.send(protocol, struct.pack(">BBH", code, ident,
                                        4 + len(options)) + options)

    def get(self, protocol, code=None, seconds=5):
        """The next frame of this protocol (and code); its payload."""
        end = time.monotonic() + seconds
        while True:
            for i, (p, payload) in enumerate(self.seen):
                if p == protocol and code in (None, payload[0]):
                    del self.seen[:i + 1]
                    return payload
            assert time.monotonic() < end, self.seen
            self.port.read(0.1)
            while self.port.got.count(b"\x7e") >= 2:
                _, raw, rest = self.port.got.split(b"\x7e", 2)
                self.port.got = rest if raw else b"\x7e" + rest
                if not raw:
                    continue
                plain = re.sub(rb"\x7d(.)", lambda m: bytes(
                    (m.group(1)[0] ^ 0x20,)), raw, flags=re.S)
                assert fcs(plain[:-2]) == struct.unpack(
                    "<H", plain[-2:])[0]
                self.seen.append((struct.unpack(">H", plain[2:4])[0],
                                  plain[4:-2]))

    def lcp(self):
        """Both sides agree; gives back the options it asked for."""
        self.packet(0xc021, 1, 1, b"\x01\x04\x05\xdc\x07\x02")
        assert self.get(0xc021, 4)[4:] == b"\x07\x02"   # no PFC here
        self.packet(0xc021, 1, 2, b"\x01\x04\x05\xdc")
        assert self.get(0xc021, 2)[1] == 2
        request = self.get(0xc021, 1)
        self.send(0xc021, b"\x02" + request[1:])
        return request[4:]

    def ipcp(self):
        """Our address."""
        self.packet(0x8021, 1, 3, b"\x03\x06\0\0\0\0\x81\x06\0\0\0\0")
        nak = self.get(0x8021, 3)[4:]
        request = self.get(0x8021, 1)
        self.send(0x8021, b"\x02" + request[1:])
        self.packet(0x8021, 1, 4, nak)
        return nak, self.get(0x8021, None)


def ppp_call(m, kind):
    m.do(f"carrier {kind}")
    return Ppp(connected(m))


def test_no_credit(modem):
    m = modem()
    p = ppp_call(m, "dead")
    p.lcp()
    nak, answer = p.ipcp()
    assert nak == b"\x03\x06\x0a\x40\x40\x07\x81\x06\x0a\x40\x40\x35"
    assert answer[0] == 2
    p.packet(0xc021, 9, 7, b"\0\0\0\0")
    assert p.get(0xc021, 10)[1] == 7
    p.send(0x21, ip(1, b"\x08\0\0\0\0\1\0\1"))
    time.sleep(0.2)
    p.packet(0xc021, 9, 8, b"\0\0\0\0")     # PPP lives, nothing came
    p.get(0xc021, 10)
    assert p.seen == []
    p.packet(0xc021, 5, 9, b"")
    p.get(0xc021, 6)
    p.port.expect(b"NO CARRIER")


def test_no_address(modem):
    p = ppp_call(modem(), "stuck")
    p.lcp()
    for i in range(3):
        p.packet(0x8021, 1, i, b"\x03\x06\0\0\0\0\x81\x06\x0a\x0b\x0c\x0d"
                 b"\x83\x06\x0a\x0b\x0c\x0e")
        assert p.get(0x8021, 3)[4:] == (
            b"\x03\x06\0\0\0\0\x81\x06\x0a\x0b\x0c\x0d"
            b"\x83\x06\x0a\x0b\x0c\x0e")


def test_refused_password(modem):
    m = modem()
    p = ppp_call(m, "refuse")
    assert b"\x03\x04\xc0\x23" in p.lcp()
    p.packet(0xc023, 1, 1, b"\x01u\x01p")
    assert b"no such account" in p.get(0xc023, 3)
    p.get(0xc021, 5)
    p.port.expect(b"NO CARRIER")
    assert m.stat()["session"] == "none"


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H",
                              data + b"\0" * (len(data) % 2)))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


HERE, THERE = bytes((10, 64, 64, 7)), bytes((203, 0, 113, 5))


def ip(protocol, body):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64,
                       protocol, 0) + HERE + THERE
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def body_of(packet, protocol):
    """Of an answer, with its checksums looked at."""
    assert checksum(packet[:20]) == 0 and packet[9] == protocol
    assert packet[12:20] == THERE + HERE
    assert len(packet) == struct.unpack(">H", packet[2:4])[0]
    body = packet[20:]
    pseudo = b"" if protocol == 1 else packet[12:20] + struct.pack(
        ">HH", protocol, len(body))
    assert checksum(pseudo + body) == 0
    return body


def test_portal(modem):
    p = ppp_call(modem(), "portal")
    p.lcp()
    p.ipcp()
    p.send(0x21, ip(1, b"\x08\0\0\0\0\1\0\1ping"))
    assert body_of(p.get(0x21), 1)[8:] == b"ping"
    dns = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + \
        b"\x05relay\x07example\x03net\0\0\1\0\1"
    p.send(0x21, ip(17, struct.pack(">HHHH", 999, 53, 8 + len(dns), 0)
                    + dns))
    assert body_of(p.get(0x21), 17).endswith(bytes((0, 4, 10, 64, 64, 80)))

    def tcp(seq, ack, flags, data=b""):
        p.send(0x21, ip(6, struct.pack(">HHIIBBHHH", 999, 22, seq, ack, 80,
                                       flags, 8192, 0, 0) + data))
        answer = body_of(p.get(0x21), 6)
        return (*struct.unpack(">IIBB", answer[4:14]), answer[20:])
    seq, ack, _, flags, data = tcp(100, 0, 2)
    assert (ack, flags, data) == (101, 0x12, b"")
    hello = b"SSH-2.0-OpenSSH\r\n"
    answer = tcp(101, seq + 1, 0x18, hello)
    assert (answer[1], answer[3]) == (101 + len(hello), 0x19)
    assert answer[4].startswith(b"HTTP/1.1 302 Found\r\n")
    assert len(answer[4].split(b"\r\n\r\n")[1]) == 27
    end = 101 + len(hello)
    assert tcp(end, answer[0] + len(answer[4]) + 1, 0x11)[1] == end + 1


# What goes wrong.

def test_silent_ports(modem):
    m = modem()
    c, d = m.control(), m.data()
    m.do("silent control")
    c.write("AT\r")
    assert c.silent()
    assert d.lines("AT") == ["OK"]
    m.do("silent off")
    assert c.lines("AT") == ["OK"]
    m.do("silent both")
    d.write("AT\r")
    assert d.silent()


def test_hanging_commands(modem):
    m = modem()
    c = m.control()
    m.do("fault +CMGL x1 hang")
    c.write("AT+CMGL=4\r")
    assert c.silent()
    assert c.lines("AT+CMGL=4") == ["OK"]
    m.do("fault +CMGL dead")
    c.write("AT+CMGL=4\r")
    assert c.silent()
    c.write("AT\r")
    assert c.silent()
    m.do("fault off")
    m.do("reset")
    m.read_names()
    c.close()
    assert m.control().lines("AT+CMGL=4") == ["OK"]
    assert m.stat()["resets"] == "1"


def test_wrong_answers(modem):
    m = modem()
    c = ready(m.control())
    m.do(f"sms {UP}")
    c.expect(CMTI)
    m.do("fault +CMGD x2 answer +CMS ERROR: 500")
    for _ in range(2):
        assert c.lines("AT+CMGD=0") == ["+CMS ERROR: 500"]
    m.do("fault +CMGD answer OK")
    assert c.lines("AT+CMGD=0") == ["OK"]
    assert m.stat()["SM"] == "1/20"         # it only says so
    m.do("fault off +cmgd")
    assert c.lines("AT+CMGD=0") == ["OK"]
    assert m.stat()["SM"] == "0/20"
    m.do("fault * x1 answer +CME ERROR: 14")
    assert c.lines("AT+CPIN?") == ["+CME ERROR: 14"]
    m.do("fault AT x1 answer ERROR")
    assert c.lines("AT") == ["ERROR"]
    assert m.tell("fault +CMGD burn").startswith("error: fault: the actions")


def test_slow_and_late_answers(modem):
    m = modem()
    c = m.control()
    m.do("fault +CSQ x1 slow 400")
    c.write("AT+CSQ\r")
    assert c.silent(0.2)
    c.write("AT+CREG?\r")               # typed ahead
    assert c.expect(re.compile(rb"CREG: 0,1\r\n\r\nOK\r\n")).startswith(
        b"\r\n+CSQ: 18,99\r\n\r\nOK\r\n\r\n+CREG")


def test_garbage_and_cut_answers(modem):
    m = modem()
    c = m.control()
    m.do("fault +CSQ x1 garbage 40")
    answer = c.ask("AT+CSQ").encode(errors="replace")
    assert len(answer) >= 40 and b"+CSQ: 18,99" in answer
    m.do("fault +CSQ x1 cut 9")
    c.write("AT+CSQ\r")
    c.expect(b"\r\n+CSQ: 1")
    assert c.silent()
    assert c.lines("AT+CSQ") == ["+CSQ: 18,99", "OK"]
    m.do(r"send control \x00\xffjunk\n")
    assert c.expect(b"junk\n") == b"\0\xffjunk\n"


def test_message_sent_without_a_word(modem):
    m = modem()
    c = m.control()
    m.do("fault SUBMIT x1 hang")
    c.ask("AT+CMGS=18")
    c.write(HELLO + "\x1a")
    assert c.silent()
    assert m.do("sent") == HELLO
    assert c.lines("AT") == ["OK"]
    m.do("fault SUBMIT x1 answer +CMS ERROR: 38")
    c.ask("AT+CMGS=18")
    c.write(HELLO + "\x1a")
    assert b"+CMS ERROR: 38" in c.expect(FINAL)
    assert m.do("sent") == HELLO
    m.do("fault SUBMIT x1 slow 300")
    c.ask("AT+CMGS=18")
    c.write(HELLO + "\x1a")
    assert b"+CMGS: 2" in c.expect(FINAL)


def test_line_ends(modem):
    m = modem()
    c = m.control()
    m.do("ends crcrlf")
    c.write("AT+CSQ\r")
    assert c.expect(b"OK\r\r\n") == \
        b"\r\r\n+CSQ: 18,99\r\r\n\r\r\nOK\r\r\n"
    m.do("ends crlf")
    assert c.ask("AT") == "\r\nOK\r\n"


def test_byte_by_byte(modem):
    m = modem()
    c = m.control()
    m.do("dribble 2")
    c.pieces = []
    assert c.lines("AT+CSQ") == ["+CSQ: 18,99", "OK"]
    assert len(c.pieces) > 12
    m.do("dribble off")
    assert c.lines("AT") == ["OK"]


PLACES = {
    "echo": b"\r\nURC\r\nAT+CMGL=4\r\r\n+CMGL: 0,1,,38\r\n%s\r\n\r\nOK\r\n",
    "info": b"AT+CMGL=4\r\r\nURC\r\n\r\n+CMGL: 0,1,,38\r\n%s\r\n\r\nOK\r\n",
    "line1": b"AT+CMGL=4\r\r\n+CMGL: 0,1,,38\r\n\r\nURC\r\n%s\r\n\r\nOK\r\n",
    "line2": b"AT+CMGL=4\r\r\n+CMGL: 0,1,,38\r\n%s\r\n\r\nURC\r\n\r\nOK\r\n",
    "final": b"AT+CMGL=4\r\r\n+CMGL: 0,1,,38\r\n%s\r\n\r\nURC\r\n\r\nOK\r\n",
    "after": b"AT+CMGL=4\r\r\n+CMGL: 0,1,,38\r\n%s\r\n\r\nOK\r\n\r\nURC\r\n",
}


def test_urc_at_every_place(modem):
    m = modem()
    m.do(f"sms {UP}")
    c = m.control(echo=True)
    c.ask("AT+CMGR=0")
    for place, shape in PLACES.items():
        m.do(f"inject {place} URC")
        c.write("AT+CMGL=4\r")
        want = shape % UP.encode()
        assert c.expect(want) == want, place
    c.ask("ATE0")
    m.do("inject prompt:+CMGS +CMTI: \"SM\",0")
    m.do("inject final:+CSQ ^BOOT:1")
    assert c.lines("AT") == ["OK"]
    assert c.ask("AT+CMGS=18") == '\r\n+CMTI: "SM",0\r\n\r\n> '
    c.write(HELLO + "\x1a")
    c.expect(FINAL)
    assert c.lines("AT+CSQ") == ["+CSQ: 18,99", "^BOOT:1", "OK"]
    m.do("urc data ^DSFLOWRPT:0")
    m.do("urc RING")
    c.expect(b"\r\nRING\r\n")
    assert m.tell("inject under x").startswith("error: inject: the places")


# The cable.

def test_unplug_and_back(modem):
    m = modem("--carrier", "exec cat")
    d, c = connected(m), m.control()
    old = dict(m.names)
    m.do("unplug")
    try:
        assert os.read(d.fd, 100) == b""
    except OSError:
        pass
    assert not os.path.lexists(m.folder / "data")
    assert not os.path.lexists(m.folder / "control")
    assert m.stat()["session"] == "none"
    m.do("plug")
    m.read_names()
    # Held open, the old ptys keep their names.
    assert set(m.names.values()).isdisjoint(old.values())
    assert os.readlink(m.folder / "data") == m.names["data"]
    c.close()
    c = m.control(echo=True)
    assert c.ask("AT") == "AT\r\r\nOK\r\n"
    assert m.tell("plug").startswith("error: plug: it is plugged in")


def test_ports_change_their_names(modem):
    m = modem()
    m.do("unplug")
    m.do("plug swap")
    m.read_names()
    assert os.readlink(m.folder / "data") == m.names["control"]
    c, d = m.data(), m.control()        # by their names
    assert c.lines("ATD*99#") == ["NO CARRIER"]
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]
    ready(c)
    m.do(f"sms {UP}")
    c.expect(CMTI)
    d.close()
    m.wait_stat("session", "none")
    m.do("replug swap")
    assert m.stat()["swapped"] == "0"


def test_reset_by_command(modem):
    m = modem("--pin", "1234")
    c = m.control()
    c.ask("AT+CPIN=1234")
    for command in ("AT+CFUN=1,1", "AT^RESET"):
        assert c.lines(command) == ["OK"]
        m.wait_stat("plugged", "0")
        c.close()
        m.read_names()
        c = m.control()
        assert c.lines("AT+CPIN?") == ["+CPIN: SIM PIN", "OK"]
    assert m.stat()["resets"] == "2"


def test_nobody_listens(modem):
    m = modem()
    c = ready(m.control())
    c.close()
    m.wait_stat("control", "closed")
    m.do(f"sms {UP}")
    c = Serial(str(m.folder / "control"))
    m.open_ports.append(c)
    assert c.silent()                   # what was said then is gone
    assert c.lines("AT+CMGL=4")[0] == "+CMGL: 0,0,,38"


# Sockets, and life.

def test_sockets(modem, tmp_path):
    m = modem("--data-socket", str(tmp_path / "data"), "--control-socket",
              str(tmp_path / "control"), "--carrier", "exec cat",
              links=False)
    d, c = m.data(), m.control()
    assert c.lines("AT+CSQ")[0] == "+CSQ: 18,99"
    assert d.lines("ATD*99#") == ["CONNECT 7200000"]
    data = bytes(range(256)) * 4000
    feeder = threading.Thread(target=d.sock.sendall, args=(data,))
    feeder.start()
    got = b""
    while len(got) < len(data):
        got += d.sock.recv(65536)
    feeder.join()
    assert got == data
    d.close()
    m.wait_stat("session", "none")
    m.do("unplug")
    assert not os.path.exists(tmp_path / "control")


def test_sockets_of_another(modem, tmp_path):
    paths = [str(tmp_path / n) for n in ("data", "control")]
    m = modem("--connect", "--data-socket", paths[0], "--control-socket",
              paths[1], links=False)
    listeners = []
    for path in paths:
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen()
        s.settimeout(5)
        listeners.append(s)
    for round_ in range(2):
        ends = [s.accept()[0] for s in listeners]
        ends[1].settimeout(5)
        ends[1].sendall(b"ATE0\r")
        assert ends[1].recv(100)
        if round_ == 0:
            ends[1].close()             # it comes again by itself
            listeners[1].accept()[0].close()
            m.do("unplug")
            assert ends[0].recv(10) == b""
            m.do("plug")
        for s in ends:
            s.close()
    for s in listeners:
        s.close()


def test_orders_through_the_program(modem):
    m = modem()

    def tell(*words):
        return subprocess.run([OOBSIM, "modem", "tell", m.control_path,
                               *words], capture_output=True, text=True)
    done = tell("signal", "7")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    done = tell("signal", "77")
    assert (done.returncode, done.stdout) == (
        1, "error: signal: wanted: 0 to 31, or 99\n")
    m.do("copies 64")
    m.do(f"sms {UP} ME")
    out = tell("stores").stdout         # longer than one read
    assert out.count(UP) == 50 and out.endswith("\n")


@pytest.mark.parametrize("simulator", ["router", "modem"])
def test_manual_names_what_the_usage_names(simulator):
    usage = subprocess.run([OOBSIM, simulator, "--help"], check=True,
                           capture_output=True, text=True).stdout
    with open(os.path.join(ROOT, "docs", "oobsim.1"),
              encoding="utf-8") as f:
        manual = f.read()
    options = re.findall(r"^  --([a-z-]+)", usage, re.M)
    orders = re.findall(r"^      ([a-z-]+)", usage, re.M)
    assert len(options) > 12 and len(orders) > 6
    for option in options:
        assert re.search(rf"Fl -{option}\b", manual), option
    for order in orders:
        assert re.search(rf"^\.It Ic {order}\b", manual, re.M), order


def test_wrong_usage():
    for bad in (["--pin", "12"], ["--stores", "SM"], ["--boot", "x"],
                ["--personality", "nokia"], ["--connect"], ["extra"],
                ["--portsel", "2"], ["--frobnicate"]):
        done = subprocess.run([OOBSIM, "modem", *bad], capture_output=True,
                              text=True, timeout=5)
        assert done.returncode in (1, 2) and bad[-1] in done.stderr, bad


def test_ends_on_a_signal(modem, tmp_path):
    m = modem("--carrier", "exec cat")
    connected(m)
    child = children(m.process.pid)
    assert len(child) == 1
    m.process.send_signal(signal.SIGINT)
    assert m.process.wait(5) == 0
    assert not os.path.lexists(tmp_path / "data")
    assert not os.path.exists(m.control_path)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
