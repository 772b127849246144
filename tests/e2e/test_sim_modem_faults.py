"""The simulated modem's ways to fail."""
import os
import re

from sim_modem import modem  # noqa: F401  (a fixture)
from sim_modem import CMTI, FINAL, HELLO, UP, Serial, connected, ready


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
