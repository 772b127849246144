"""Commands by SMS, from the air to what they do and what is answered: who may,
once, whatever the modem does; reports; messages sent."""
import json
import os
import re
import signal
import time

import pytest
from conftest import BUILD, PATIENCE, SANITIZED, wait_for
from modem_site import OTHER, OWNER, PIN, STRANGER, ModemSite

# What is measured is bound by this; the target is 2 s.
ACTS_WITHIN = 2.0 if not SANITIZED else 10.0
GSM_EXTENDED = "^{}\\[~]|€"
SMSC = "07916407000000F0"


@pytest.fixture
def site(empty_site, request):
    made = []

    def make(*args, start=True, **kw):
        made.append(ModemSite(empty_site, *args, **kw))
        return made[-1].start() if start else made[-1]

    yield make
    for m in made:
        m.close()


@pytest.fixture(params=[2, 1], ids=["two-ports", "one-port"])
def ports(request):
    return request.param


def septets(text):
    return sum(2 if c in GSM_EXTENDED else 1 for c in text)


def refusals(m):
    return [e.split(": ", 1)[1] for e in m.events("sms-refused")]


def deliver(sender, text, stamp=None):
    """A DELIVER, made here: 7-bit ASCII only."""
    digits = sender.lstrip("+")
    swapped = "".join(b + a for a, b in zip(
        *[iter(digits + ("F" if len(digits) % 2 else ""))] * 2))
    bits = sum(ord(c) << 7 * i for i, c in enumerate(text))
    packed = bits.to_bytes((len(text) * 7 + 7) // 8, "little").hex()
    when = time.strftime("%y%m%d%H%M%S", time.gmtime(stamp or time.time()))
    scts = "".join(b + a for a, b in zip(*[iter(when)] * 2)) + "00"
    return (SMSC + "04" + f"{len(digits):02X}" + "91" + swapped + "00" + "00"
            + scts + f"{len(text):02X}" + packed).upper()


# A good code acts.

def test_up_acts_at_once(site, ports):
    m = site(ports=ports, pin=PIN, sim=("--dial", "50ms"))
    begun = time.monotonic()
    m.command("up 60")
    wait_for(lambda: int(m.sim.stat()["dials"]) >= 1, every=0.01,
             text="dialling")
    took = time.monotonic() - begun
    print(f"{ports} ports: dialled {took:.2f} s after the message")
    assert took < ACTS_WITHIN
    [event] = m.events("sms-command")
    assert event.endswith(f"from={OWNER} user=alice up 60"), event
    assert m.link()["who"] == f"alice (sms {OWNER})"
    m.empty()


def test_spelling_does_not_matter(site):
    m = site()
    for words in ("OOB Ping", "  pInG ", "oob\\xc2\\xa0PING",
                  "\\xef\\xbb\\xbfping\\xe2\\x80\\x8b"):
        m.text(f"{words}  {m.codes.next()} ")
    found = m.sent_now(4)
    assert {number for number, _ in found} == {OWNER}
    for _, text in found:
        assert re.fullmatch(r"site: pong, oobd [\d.]+, \d{4}-\d\d-\d\dT\d\d:"
                            r"\d\dZ( \(clock not set\))?", text)
    m.empty()


def test_status_in_one_message(site):
    m = site()
    m.sim.do("signal 21")
    m.command("status")
    [(number, text)] = m.sent_now(1)
    assert number == OWNER and septets(text) <= 160, text
    assert re.match(r"site: link idle \d+(s|min)", text), text
    assert "alerts" not in text and "error" not in text
    # a line that is lost is an alert
    m.site.lines["gw"].close()
    wait_for(lambda: not json.loads(m.site.ctl("list", "--json").stdout)
             [0]["up"], text="the line to be lost")
    m.command("status")
    assert "alerts 1" in m.sent_now(2)[1][1]


def test_status_while_the_console_process_is_away(site):
    m = site()
    os.kill(m.site.children()["console"], signal.SIGSTOP)
    try:
        m.command("status")
        [(_, text)] = m.sent_now(1)
    finally:
        os.kill(m.site.children()["console"], signal.SIGCONT)
    assert text.startswith("site: link idle")


def test_tail_and_who(site):
    m = site()
    m.command("who")
    assert m.sent_now(1)[0] == (OWNER, "site: nobody is attached")
    c = m.site.attach("alice")
    m.site.meet("gw", c)
    m.site.lines["gw"].send(b"\r\n" + b"".join(
        b"line %d of the router\r\n\r\n" % i for i in range(30)))
    c.expect(b"line 29 of the router")
    m.command("who")
    assert re.fullmatch(r"site: alice@gw pen \d+s", m.sent_now(2)[1][1])
    m.command("tail 3")
    assert m.sent_now(3)[2][1] == "gw:\n" + "\n".join(
        f"line {i} of the router" for i in (27, 28, 29))
    # two messages, and the newest of it
    m.sim.do("sent clear")
    m.command("tail 20")
    wait_for(lambda: m.sim.stat()["sent"] == "2", text="two parts")
    [(_, text)] = m.sent()
    assert text.endswith("line 29 of the router")
    assert 200 < septets(text) <= 2 * 153


def test_link_by_sms(site):
    m = site()
    m.command("extend 10")
    assert "the link is not up" in m.sent_now(1)[0][1]
    m.command("down")
    assert "down already" in m.sent_now(2)[1][1]
    assert m.site.ctl("link", "up", "--existing").returncode == 0
    wait_for(lambda: m.link()["state"] == "up")
    m.command("extend 10")
    text = m.sent_now(3)[2][1]
    assert text == "site: link up, for 40min", text
    assert 2300 < m.link()["left_s"] <= 2400
    m.command("extend 1000")
    assert "max_hold is the most" in m.sent_now(4)[3][1]
    m.command("down")
    assert m.sent_now(5)[4][1] == "site: the link is going down"
    wait_for(lambda: m.link()["state"] == "idle")
    assert f"alice (sms {OWNER}) asked for it" in m.link()["reason"]


@pytest.mark.long
def test_reset(site):
    m = site()
    before = int(m.sim.stat()["resets"])
    m.command("reset")
    wait_for(lambda: int(m.sim.stat()["resets"]) == before + 1,
             text="the modem's restart")
    found = m.sent_now(1, 6 * PATIENCE)
    assert found[0][1] == "site: the modem was reset, and is back"


# Everything else does not.

def test_wrong_codes(site):
    m = site()
    m.text(f"up 60 {m.codes.wrong()}")
    code = m.codes.next()
    m.text(f"ping {code}")
    m.text(f"oob ping {code}")              # used
    skipped = m.codes.next()
    m.alive()
    m.text(f"up {skipped}")                 # passed over
    m.codes.counter += 21
    m.text(f"up {m.codes.next()}")          # too far
    m.codes.counter -= 22
    found = m.alive()
    assert len(found) == 3 and all("pong" in text for _, text in found)
    assert [r.split(" (")[0] for r in refusals(m)] == [
        "wrong code", "the code was used, or passed over, before",
        "the code was used, or passed over, before", "wrong code"]
    assert m.link()["state"] == "idle" and m.sim.stat()["dials"] == "0"
    m.empty()


def test_no_commands(site):
    m = site()
    for text in ("up", "up 60", "hello 12345678", "up 60 1234567", "up x "
                 "12345678", "up 60 12345678 now", "up -1 12345678",
                 "reboot 12345678", "\\xe2\\x82\\xac"):
        m.text(text)
    found = m.alive()
    assert len(found) == 1
    assert set(refusals(m)) == {"no command"} and len(refusals(m)) == 9
    m.empty()


def test_strangers_get_no_reply(site):
    m = site()
    code = m.codes.next()
    # the owner's number as others write it, and another's
    for sender in (STRANGER, "0701234567", "46701234567", "72404", "Bank",
                   OWNER + "0", OTHER):
        m.text(f"up 60 {code}", sender)
    found = m.alive()
    assert [number for number, _ in found] == [OWNER]
    assert refusals(m) == ["the sender is not in the list"] * 7
    assert m.sim.stat()["dials"] == "0" and m.link()["state"] == "idle"
    m.empty()


def test_replay_of_eight(site, ports):
    m = site(ports=ports)
    m.sim.do("copies 8")
    m.command("ping")
    m.empty()
    m.sent_now(1)
    # the same once more, with another stamp: another message, an old code
    for _ in range(8):
        m.text(f"up {m.codes.given[-1]}")
    found = m.alive()
    assert len(found) == 2 and m.sim.stat()["dials"] == "0"
    m.empty()


def test_replay_after_restart(site):
    m = site()
    pdu = deliver(OWNER, f"ping {m.codes.next()}")
    m.sim.do(f"sms {pdu}")
    m.sent_now(1)
    m.empty()
    m.site.stop()
    m.sim.do("copies 8")
    m.sim.do(f"sms {pdu}")                  # while nobody listens
    m.start()
    m.sim.do("copies 8")
    m.sim.do(f"sms {pdu}")
    found = m.alive()
    assert len(found) == 2
    m.empty()


def test_what_lay_there_before(site):
    m = site(start=False)
    for store in ("SM", "ME"):
        m.sim.do(f"sms {deliver(OWNER, 'up 60 ' + m.codes.next())} {store}")
    m.start()
    m.empty()
    found = m.alive()
    assert len(found) == 1 and m.sim.stat()["dials"] == "0"
    assert refusals(m) == ["it lay in the modem when oobd started"] * 2
    assert m.link()["state"] == "idle"


def test_another_admin(site):
    from modem_site import Codes
    m = site(activation=f'\treport = {{"{OTHER}"}}\n')
    other = Codes(m.site, "bob")
    m.text(f"ping {other.next()}")
    m.sent_now(1)
    assert m.events("sms-command")[0].endswith("user=bob ping")
    m.codes.given += other.given


def test_long_messages_are_no_commands(site):
    m = site()
    code = m.codes.next()
    m.text("up 60 " + " " * 200 + code)
    m.text("x" * 300)
    found = m.alive()
    assert len(found) == 1 and m.sim.stat()["dials"] == "0"
    assert len(refusals(m)) == 2
    m.empty()


def test_guessing_does_not_lock_out(site):
    m = site()
    for _ in range(14):
        m.text(f"up {m.codes.wrong()}")
    found = m.alive()                       # the next code works at once
    assert len(found) == 1
    assert "somebody guesses codes" in m.sms_line()
    assert m.sim.stat()["dials"] == "0"


# Modems as they are.

def test_full_store(site):
    m = site(sim=("--stores", "SM=5,ME=5"))
    m.sim.do("fill SM")
    m.sim.do("fill ME")
    m.command("ping")
    m.sent_now(1, 6 * PATIENCE)
    m.empty()


def test_index_lost(site, ports):
    m = site(ports=ports)
    m.sim.do("index lost")
    m.command("ping")
    m.sent_now(1)
    m.empty()


@pytest.mark.slow
def test_list_hangs(site):
    m = site()
    m.sim.do("fault +CMGL x3 hang")         # SM, ME, SM: 20 s each
    m.command("ping")
    m.sent_now(1, 120)
    assert "it is read message by message" in m.site.log()
    m.empty()
    assert len(m.alive()) == 2


def test_delete_fails(site):
    m = site(sim=("--stores", "SM=5,ME=5"))
    m.sim.do("fault +CMGD answer ERROR")
    for _ in range(3):
        m.command("ping")
    m.sent_now(3)
    m.sim.do("fault off")
    assert len(m.alive()) == 4              # none acted again
    m.empty()


@pytest.mark.parametrize("urc", [
    '+CMTI: "SM",3', "^RSSI:12", '+CREG: 1', '^SMMEMFULL: "SM"',
    "+CMS ERROR: 322", "NO CARRIER"])
def test_word_at_any_point(site, urc):
    """An unasked line in the middle of every command for messages."""
    m = site()
    n = 0
    for where in ("echo", "info", "line1", "line2", "final", "prompt",
                  "after"):
        m.sim.do("fault off")
        for command in ("+CMGL", "+CMGD", "+CPMS", "+CMGS"):
            # an error in place of the final code is no unasked line
            if "ERROR" in urc and where in ("final", "line1", "line2",
                                            "info", "echo", "prompt"):
                continue
            m.sim.do(f"inject {where}:{command} {urc}")
        m.command("ping")
        n += 1
        m.sent_now(n, 6 * PATIENCE)
    m.empty()
    assert m.sim.stat()["dials"] == "0"


def test_bytes_in_pieces(site, ports):
    m = site(ports=ports)
    m.sim.do("ends crcrlf")
    m.sim.do("dribble 1")
    m.command("ping")
    m.sent_now(1, 6 * PATIENCE)
    m.sim.do("dribble off")
    m.empty()


def test_unplugged_in_the_middle(site, ports):
    m = site(ports=ports)
    m.sim.do("fault +CMGL x1 slow 1500")
    m.command("ping")
    time.sleep(0.5)
    m.sim.do("unplug")
    wait_for(lambda: m.sms_line().startswith("not listening"),
             text="noticing")
    m.sim.do("plug")
    m.sent_now(1, 6 * PATIENCE)
    assert len(m.alive()) == 2
    m.empty()


def test_unplugged_while_it_sends(site):
    """Not known whether it was sent: never doubled."""
    m = site(sim=("--sms", "2s"))
    m.command("ping")
    wait_for(lambda: "+CMGS" in m.sim.do("commands"), text="sending")
    time.sleep(0.2)
    m.sim.do("replug")
    m.listening(6 * PATIENCE)
    m.alive()
    texts = [text for _, text in m.sent()]
    assert len(texts) <= 2
    assert m.events("sms-failed") or len(texts) == 2


# Processes that die.

def test_modem_process_killed(site):
    m = site()
    m.command("ping")
    m.sent_now(1)
    old = m.site.children()["modem"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: m.site.children().get("modem", old) != old)
    wait_for(lambda: m.sim.stat()["control"] == "open")
    m.listening()
    assert len(m.alive()) == 2


@pytest.mark.skipif(SANITIZED, reason="its own library must come first")
def test_killed_between_counter_and_action(site, monkeypatch, tmp_path):
    """The code is spent on the disk, then the process dies: it never acts."""
    armed = tmp_path / "armed"
    monkeypatch.setenv("OOBD_FATAL", str(armed))
    monkeypatch.setenv("OOBD_FATAL_RENAME", "alice")
    m = site(start=False)
    m.site.sandbox = False      # or it could not remove its file
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests" / "fatal.so"))
    m.start()
    monkeypatch.delenv("LD_PRELOAD")
    old = m.site.children()["modem"]
    m.sim.do("copies 3")
    armed.write_text("")
    m.command("up 60")
    wait_for(lambda: not armed.exists(), text="death")
    wait_for(lambda: m.site.children().get("modem", old) != old)
    m.listening()
    m.empty()
    assert len(m.alive()) == 1              # none but this
    assert m.sim.stat()["dials"] == "0" and m.link()["state"] == "idle"
    assert m.events("sms-command")[0].endswith("user=alice ping")
    assert len(m.events("sms-command")) == 1


def test_answer_survives_a_kill(site):
    """Queued while it cannot be sent, then killed: sent once by the next."""
    m = site()
    m.sim.do("fault +CMGS answer +CMS ERROR: 500")
    m.command("ping")
    wait_for(lambda: "+CMGS" in m.sim.do("commands"))
    wait_for(lambda: "1 waiting" in m.sms_line())
    old = m.site.children()["modem"]
    os.kill(old, signal.SIGKILL)
    m.sim.do("fault off")
    wait_for(lambda: m.site.children().get("modem", old) != old)
    m.sent_now(1, 6 * PATIENCE)
    assert len(m.alive()) == 2


# Reports.

def test_report_when_it_ends(site):
    m = site(activation=f'\treport = {{"{OWNER}", "{OTHER}"}}\n')
    assert m.site.ctl("link", "up", "--existing").returncode == 0
    wait_for(lambda: m.link()["state"] == "up")
    time.sleep(1.1)
    assert m.site.ctl("link", "down").returncode == 0
    found = m.sent_now(2)
    assert [number for number, _ in found] == [OWNER, OTHER]
    for _, text in found:
        assert re.fullmatch(r"site: link is down: \w+ \(oobctl\) asked for "
                            r"it; was up [1-9]\d?s, .*used.*", text), text
        assert septets(text) <= 160
    wait_for(lambda: m.link()["state"] == "idle")


@pytest.mark.slow
def test_report_that_cannot_be_sent_holds_nothing(site):
    m = site(activation=f'\treport = {{"{OWNER}"}}\n')
    m.site.ctl("link", "up", "--existing")
    wait_for(lambda: m.link()["state"] == "up")
    m.sim.do("fault +CMGS hang")
    m.site.ctl("link", "down")
    wait_for(lambda: m.link()["state"] == "reporting")
    # asked for again meanwhile, it comes up again within the deadline
    m.site.ctl("link", "up", "--existing")
    wait_for(lambda: m.link()["state"] == "up", 60)


def test_failure_is_reported_once(site):
    m = site(sim=("--dial", "50ms"), activation="\ttries = 2\n")
    m.sim.do("fault D answer NO CARRIER")
    m.command("up")
    wait_for(lambda: int(m.sim.stat()["dials"]) >= 0)
    wait_for(lambda: "failed" in [m.link()["state"]], 6 * PATIENCE)
    found = wait_for(lambda: len(m.sent()) >= 2 and m.sent(), 6 * PATIENCE)
    assert {number for number, _ in found} == {OWNER}
    assert re.match(r"site: link \w+, for 30min", found[0][1]), found
    assert re.match(r"site: link failed: E-[A-Z]+; next try in 1\ds; "
                    r"-?\d+dBm", found[1][1]), found
    m.command("status")
    assert "last error E-" in m.sent_now(3)[2][1]
    # the last one: no more tries
    found = m.sent_now(4, 90)
    assert re.match(r"site: link failed: E-[A-Z]+; no more tries",
                    found[3][1])
    wait_for(lambda: m.link()["state"] == "idle")


def test_failure_is_reported_to_who_asks_again(site):
    m = site(sim=("--dial", "50ms"), activation="\ttries = 9\n")
    m.sim.do("fault D answer NO CARRIER")

    def failures():
        return sum("link failed: E-" in text for _, text in m.sent())
    m.command("up")
    wait_for(lambda: failures() == 1, 6 * PATIENCE)
    m.command("up")
    wait_for(lambda: failures() == 2, 6 * PATIENCE)


# Sending.

def test_send(site):
    m = site()
    done = m.site.ctl("sms", "send", OTHER, "hello", "there", "€")
    assert done.returncode == 0 and done.stdout == b"sent\n", done
    long = "0123456789" * 35
    assert m.site.run("alice", "sms", "send", OTHER, long).stdout == b"sent\n"
    wait_for(lambda: m.sim.stat()["sent"] == "4")
    assert m.sent() == [(OTHER, "hello there €"), (OTHER, long)]
    assert [e.split("to=")[1] for e in m.events("sms-queued")] == [OTHER] * 2
    assert "hello" not in m.written()


def test_send_wrongly(site):
    m = site()
    for words in (("send",), ("send", OTHER), ("send", OTHER, ""), ("sent",)):
        done = m.site.ctl("sms", *words)
        assert done.returncode == 2 and b"usage: sms" in done.stderr, words
    for number, text, why in (("12", "x", b"not a phone number"),
                              ("+46x0123", "x", b"not a phone number"),
                              (OTHER, "x" * 1025, b"longer than three"),
                              (OTHER, "é€" * 200, b"")):
        done = m.site.ctl("sms", "send", number, text)
        assert done.returncode == 1, done
        assert done.stderr.startswith(b"oobd: not sent: ")
        assert why in done.stderr
    denied = m.site.run("bob", "sms", "send", OTHER, "hello")
    assert denied.returncode == 4
    assert m.sim.stat()["sent"] == "0"


def test_send_within_caps(site):
    m = site(modem="\tsms_per_day = 3\n\tsms_per_number = 2\n")

    def send(number, text="x"):
        return m.site.ctl("sms", "send", number, text)
    assert send(OTHER).returncode == 0 and send(OTHER).returncode == 0
    done = send(OTHER)
    assert done.returncode == 1 and b"2 of 2 messages" in done.stderr
    assert send(STRANGER).returncode == 0
    done = send(OWNER)
    assert done.returncode == 1 and b"3 of 3 messages" in done.stderr
    # kept over a restart; a new limit counts at once
    m.site.stop()
    m.start()
    assert send(OWNER).returncode == 1
    m.site.top = m.site.top.replace("sms_per_day = 3", "sms_per_day = 4")
    m.site.reload()
    wait_for(lambda: "3 of 4" in m.sms_line())
    assert send(OWNER).returncode == 0
    assert len(m.sent_now(4)) == 4


def test_send_refused_by_the_network(site):
    m = site()
    m.sim.do("fault SUBMIT x1 answer +CMS ERROR: 21")
    done = m.site.ctl("sms", "send", OTHER, "hello")
    assert done.returncode in (0, 1)
    if done.returncode == 1:
        assert b"oobd: not sent: " in done.stderr
        assert m.events("sms-failed")
    else:                                   # tried again
        assert done.stdout == b"sent\n"
    assert len(m.sent()) == (done.returncode == 0)


@pytest.mark.slow
def test_send_without_network(site):
    m = site()
    m.sim.do("reg searching")
    wait_for(lambda: json.loads(m.site.ctl(
        "modem", "status", "--json").stdout)["state"] == "searching")
    wait_for(lambda: b"queued: " in m.site.ctl(
        "sms", "send", OTHER, "hello").stdout, every=0.5)
    n = len(m.events("sms-queued"))
    m.sim.do("reg home")
    m.sent_now(n, 6 * PATIENCE)


def test_without_modem(empty_site):
    empty_site.add_line("gw")
    empty_site.add_user("alice")
    empty_site.start()
    done = empty_site.ctl("sms", "send", OTHER, "hello")
    assert done.returncode == 5 and b"no modem" in done.stderr


# Life.

def test_reload(site):
    m = site()
    m.text(f"ping {m.codes.next()}", OTHER)
    m.alive()
    m.site.top = m.site.top.replace(f'from = {{"{OWNER}"}}',
                                    f'from = {{"{OTHER}"}}')
    m.site.reload()
    m.listening()
    m.text(f"ping {m.codes.next()}", OTHER)
    assert [n for n, _ in m.sent_now(2)] == [OWNER, OTHER]
    m.text(f"ping {m.codes.next()}", OWNER)
    m.text(f"ping {m.codes.next()}", OTHER)
    assert [n for n, _ in m.sent_now(3)] == [OWNER, OTHER, OTHER]
