"""A call of the simulated modem, and its own networks behind it."""
import re
import struct
import termios
import time

from sim_modem import modem  # noqa: F401  (a fixture)
from sim_modem import FINAL, UP, children, connected, ready


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
