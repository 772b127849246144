"""The simulated modem, by itself: other tests rely on what is shown here."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from sim_modem import modem  # noqa: F401  (a fixture)
from sim_modem import (CMTI, FINAL, HELLO, HELLO_OCTETS, OOBSIM, ROOT, UP,
                       children, connected, ready, unpack)


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
