"""The modem in the daemon: found, unlocked, watched, brought back; and the
link over it, as far as a system without PPP lets it come."""
import json
import os
import re
import signal
import time
from datetime import date

import pytest
from conftest import BUILD, PATIENCE, SANITIZED, wait_for
from modem_site import ModemSite
from test_lines import documented, keys_of

LONG = 4 * PATIENCE


@pytest.fixture
def make(empty_site):
    made = []

    def new(**kw):
        made.append(ModemSite(empty_site, **kw))
        return made[-1]
    yield new
    for m in made:
        m.close()


def modem(m):
    done = m.site.ctl("modem", "status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {}


def until(m, state, seconds=LONG):
    wait_for(lambda: modem(m).get("state") == state, seconds, 0.1,
             f"modem {state}, {modem(m)}")
    return modem(m)


def link_until(m, what, seconds=LONG):
    wait_for(lambda: what(m.link()), seconds, 0.05, f"link, {m.link()}")
    return m.link()


def kill(m, role="modem"):
    old = m.site.children()[role]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: m.site.children().get(role, old) != old)


def test_status(make):
    m = make()
    m.start()
    seen = until(m, "ready")
    assert seen["manufacturer"] == "huawei" and seen["model"] == "E1752"
    assert seen["registration"] == "home" and not seen["roaming"]
    assert seen["operator"] and -113 <= seen["signal_dbm"] <= -51
    assert seen["data_port"] and seen["control_port"]
    assert seen["lost"] == 0 and set(seen["repairs"].values()) == {0}
    # enough of the numbers to tell one from another
    assert re.fullmatch(r"\*+\d{4}", seen["imei"])
    assert re.fullmatch(r"\*+\d{4}", seen["sim"])
    assert keys_of(seen) <= documented("modem status")[0]
    text = m.site.ctl("modem", "status").stdout.decode()
    assert text.startswith("modem: ready, home at ")
    assert "control port" in text and "E1752" in text
    assert m.status()["modem"]["device"].startswith("ready, home")
    assert any(e.startswith("modem-ready") for e in m.events("modem"))
    m.sim.do("signal 31")
    m.sim.do("net 2g")                  # such a change is looked into
    wait_for(lambda: "-51 dBm" in m.status()["modem"]["device"], LONG, 0.1)


@pytest.mark.long
def test_who_may(make):
    m = make()
    m.start()
    until(m, "ready")
    assert m.site.run("bob", "modem", "status").returncode == 0
    assert m.site.run("bob", "modem", "reset").returncode == 4
    assert m.site.run("alice", "modem", "retry-pin").returncode == 4
    done = m.site.ctl("modem", "retry-pin")
    assert done.returncode == 1 and b"waits for no PIN" in done.stderr
    for words in ((), ("stat",), ("reset", "now"), ("status", "-j")):
        done = m.site.ctl("modem", *words)
        assert done.returncode == 2
        assert done.stderr.startswith(b"usage: modem status [--json] | reset")
    assert m.site.run("alice", "modem", "reset").returncode == 0
    wait_for(lambda: modem(m)["state"] == "repairing")
    assert any(e.startswith("modem-repair") for e in m.events("modem"))
    assert any('who="alice (ssh)" what="reset"' in e
               for e in m.events("modem-order"))
    until(m, "ready", 3 * LONG)


def test_modem_only(make):
    """What a stick remembers for good is written by order alone."""
    m = make()
    m.start()
    until(m, "ready")
    m.alive()
    assert m.site.run("alice", "modem", "modem-only").returncode == 4
    assert not any("U2DIAG" in c for c in m.sim.commands())
    done = m.site.ctl("modem", "modem-only")
    assert done.returncode == 0 and b"plugged in again" in done.stdout
    assert "control:AT^U2DIAG=0" in m.sim.commands()
    assert any('what="modem-only"' in e for e in m.events("modem-order"))
    m.sim.do("fault ^U2DIAG x1 answer ERROR")
    done = m.site.ctl("modem", "modem-only")
    assert done.returncode == 1 and b"does not do it" in done.stderr
    m.sim.do("unplug")
    until(m, "absent")
    assert m.site.ctl("modem", "modem-only").returncode == 5
    m.sim.do("plug")


def test_modem_only_of_another_make(make):
    m = make(sim=("--personality", "generic"))
    m.start()
    until(m, "ready")
    done = m.site.ctl("modem", "modem-only")
    assert done.returncode == 1 and b"no such command" in done.stderr


def test_no_modem(site):
    done = site.ctl("modem", "status")
    assert done.returncode == 5 and b"there is no modem" in done.stderr


def test_one_port(make):
    m = make(ports=1)
    m.start()
    seen = until(m, "ready")
    assert seen["control_port"] == ""
    assert b"no messages while the link is up" in \
        m.site.ctl("modem", "status").stdout


def pin_tries(m):
    return [c for c in m.sim.commands() if "CPIN=" in c]


def test_pin(make):
    m = make(pin="4711")
    m.start()
    until(m, "ready")
    assert len(pin_tries(m)) == 1
    m.site.reload()
    kill(m)
    until(m, "ready")


def test_wrong_pin_costs_one_attempt(make):
    m = make(pin="73519264")
    m.sim.do("pin 1111")
    m.start(ready=False)
    seen = until(m, "blocked")
    assert "not taken" in seen["reason"] and seen["pin_tries"] == 2
    # neither time, nor a reload, nor death of the process tries it again
    m.site.reload()
    kill(m)
    until(m, "blocked")
    assert len(pin_tries(m)) == 1
    m.site.ctl("link", "up")
    seen = link_until(m, lambda s: s.get("failure") == "E-PIN")
    assert "correct the file" in seen["failure_text"] and seen["retry_at"]
    assert b": E-PIN: " in m.site.ctl("status").stdout
    m.site.ctl("link", "down")
    # a human does
    (m.site.dir / "pin").write_text("1111\n")
    m.pin = None
    assert m.site.ctl("modem", "retry-pin").returncode == 0
    until(m, "ready")
    assert len(pin_tries(m)) == 2


def test_wants_puk(make):
    m = make(pin="4711")
    m.sim.do("tries 0")
    m.start(ready=False)
    assert "PUK" in until(m, "blocked")["reason"]
    assert pin_tries(m) == []
    m.site.ctl("link", "up")
    link_until(m, lambda s: s.get("failure") == "E-PIN")


def test_no_sim(make):
    m = make()
    m.sim.do("sim out")
    m.start(ready=False)
    assert "no SIM" in until(m, "blocked")["reason"]
    up = m.site.ctl("link", "up")
    assert up.returncode == 0
    seen = link_until(m, lambda s: s.get("failure") == "E-SIM")
    assert seen["state"] in ("failed", "reporting") and seen["retry_at"]
    assert b"next try" in m.site.ctl("link", "status").stdout
    assert b"E-SIM" in m.site.ctl("status").stdout
    assert m.site.ctl("link", "down").returncode == 0
    link_until(m, lambda s: s["state"] == "idle")


def test_busy_sim(make):
    """As for some seconds after power up: waited for, by name."""
    m = make()
    m.sim.do("sim busy")
    m.start(ready=False)
    until(m, "unlocking")
    up(m)
    wait_for(lambda: b"waiting for it: E-SIM: the SIM is not ready" in
             m.site.ctl("link", "status").stdout)
    m.sim.do("sim ready")
    until(m, "ready")
    link_until(m, lambda s: s["state"] != "dialling" or s["failure"])
    assert any("ATD" in c for c in m.sim.commands())


def test_unplugged(make):
    m = make()
    m.start()
    until(m, "ready")
    m.sim.do("unplug")
    until(m, "absent")
    assert any("its port is gone" in e for e in m.events("modem-lost"))
    m.sim.do("plug")
    seen = until(m, "ready")
    assert seen["lost"] == 1
    m.alive()


def test_swapped_after_replug(make):
    """What comes back has the other's names; no console noticed."""
    m = make()
    m.start()
    until(m, "ready")
    m.sim.do("replug swap")
    wait_for(lambda: modem(m).get("lost") == 1, LONG)
    until(m, "ready")
    assert m.site.children()["console"] == m.site.pids["console"]


def power_hook(m, words):
    hook = m.site.dir / "hook"
    hook.write_text(f"#!/bin/sh\necho \"$@\" >>{m.site.dir}/hooked\n{words}\n")
    hook.chmod(0o755)
    m.site.top = m.site.top.replace("/bin/true", str(hook))


@pytest.mark.long
@pytest.mark.slow
def test_ladder_to_its_end(make):
    """A stick that never says a word again: asked, opened anew, and in the
    end without power for a moment.  The console notices nothing."""
    m = make(modem='\tpower_hook = "/bin/true"\n')
    power_hook(m, f"exec {BUILD}/oobsim tell {m.sim.control_path} reset")
    m.start()
    until(m, "ready")
    m.sim.do("fault +CSQ x1 dead")
    m.sim.do("fault +CMGL x1 dead")
    m.sim.do("urc ^MODE:5,4")           # it is looked at, now
    m.sim.do('urc +CMTI: "SM",1')
    wait_for(lambda: (m.site.dir / "hooked").exists(), 12 * LONG, 0.2)
    until(m, "ready", 6 * LONG)
    m.alive()
    steps = [e.rsplit(": ", 1)[1].strip('"') for e in
             m.events("modem-repair")]
    print(steps)
    assert steps[0] in ("resynchronise", "reopen the ports")
    assert "reopen the ports" in steps and steps[-1] == "cycle its power"
    assert steps.index("reopen the ports") < len(steps) - 1
    assert modem(m)["repairs"]["power"] == 1
    for role in ("modem", "console"):
        assert m.site.children()[role] == m.site.pids[role]


# All that it is told from the first AT on, and one that all begins with.
WORDS = ['+CMTI: "SM",3', "^RSSI:12", "+CREG: 1", "RING", "^BOOT:1,2",
         "NO CARRIER", '+CGREG: 1,"00AB","01CD"', "^SMMEMFULL: \"SM\""]


def start_commands(m):
    told = [c.split(":AT", 1)[1] for c in m.sim.commands() if ":AT" in c]
    return sorted({c for c in told if c and "CMEE?" not in c and
                   "CMGS" not in c})


def back_and_alive(m):
    lost = modem(m)["lost"]
    m.sim.do("replug")
    wait_for(lambda: modem(m).get("lost") == lost + 1 and
             modem(m)["state"] == "ready", 6 * LONG, 0.1, "coming back")
    m.listening()
    m.alive()


@pytest.mark.long
def test_word_at_any_point_of_the_start(make):
    """An unasked line in the middle of every command that sets it up."""
    m = make()
    m.sim.do("commands clear")
    m.start()
    until(m, "ready")
    commands = start_commands(m)
    assert {"+CGMI", "+CPIN?", "+CREG?", "+CSQ", "+COPS?", "+CMGF=0",
            "+CMGL=4", "^PORTSEL=0"} <= set(commands), commands
    for place in ("echo", "info", "line1", "final", "after"):
        m.sim.do("fault off")
        for i, command in enumerate(commands[:32]):
            m.sim.do(f"inject {place}:{command} {WORDS[i % len(WORDS)]}")
        back_and_alive(m)
        seen = modem(m)
        assert seen["model"] == "E1752" and seen["registration"] == "home"
        assert sum(seen["repairs"].values()) == 0, (place, seen)


@pytest.mark.long
@pytest.mark.slow
def test_faulty_answers_at_the_start(make):
    """Noise, half of an answer, none, a late one, a refusal."""
    m = make()
    m.start()
    until(m, "ready")
    for fault, commands in (
            ("garbage 40", ("+CGMI", "+CSQ", "+CPMS", "+CMGL")),
            ("cut 4", ("+CGMM", "+COPS?", "+CNMI")),
            ("slow 700", ("+CREG?", "+CMGL")),
            ("hang", ("+CGSN",)),
            ("answer ERROR", ("+CREG=2", "+CNMI", "+CSQ", "^PORTSEL")),
            ("answer +CME ERROR: 14", ("+CPIN?", "+CIMI"))):
        m.sim.do("fault off")
        for command in commands:
            m.sim.do(f"fault {command} x1 {fault}")
        back_and_alive(m)
    assert m.site.children()["modem"] == m.site.pids["modem"]


@pytest.mark.long
@pytest.mark.slow
def test_data_port_silent(make):
    """Only the call fails, by name; it dials when that is over."""
    m = make()
    m.start()
    until(m, "ready")
    m.sim.do("silent data")
    up(m, "1h")
    seen = link_until(m, lambda s: s["failure"], 6 * LONG)
    assert seen["failure"] == "E-MODEM" and seen["retry_at"], seen
    m.sim.do("silent off")
    until(m, "ready", 6 * LONG)
    link_until(m, lambda s: any("ATD" in c for c in m.sim.commands()),
               6 * LONG)


@pytest.mark.long
def test_power_hook(make):
    """By a human's order, where no command reaches it any more."""
    m = make(modem='\tpower_hook = "/bin/true"\n')
    power_hook(m, "")
    m.start()
    until(m, "ready")
    m.sim.do("unplug")
    until(m, "absent")
    assert m.site.ctl("modem", "reset").returncode == 0
    wait_for(lambda: (m.site.dir / "hooked").exists(), LONG)
    m.sim.do("plug")
    until(m, "ready", 3 * LONG)
    assert len((m.site.dir / "hooked").read_text().splitlines()) == 1


# The link over it.

def up(m, *words):
    done = m.site.ctl("link", "up", *words)
    assert done.returncode == 0, done
    return done


def told(m, name):
    """In status, and to who asked by SMS."""
    text = m.site.ctl("status").stdout.decode()
    assert re.search(r"link: failed, next try 20[0-9: -]+ UTC, asked for by "
                     rf"alice .*: {name}: ", text), text
    wait_for(lambda: any(re.match(rf"site: link failed: {name}; next try in "
                                  r"1\ds; ", t) for _, t in m.sent()),
             LONG, 0.1, f"{name} by SMS, {m.sent()}")


def fell_back(s):
    """PPP cannot be had here; the uplink that there is must do."""
    return s.get("state") == "up" and s["way"] == "existing"


def has_ppp():
    return os.path.exists("/dev/ppp") and os.geteuid() == 0


@pytest.mark.skipif(has_ppp(), reason="here PPP may work")
def test_without_ppp(make):
    m = make(modem='\tapn = "internet"\n')
    m.start()
    until(m, "ready")
    assert b"link: dialling" in up(m, "1h").stdout
    seen = link_until(m, fell_back)
    assert seen["failure"] == "E-PPP", seen
    assert b"last failure 0 s ago: E-PPP: " in \
        m.site.ctl("link", "status").stdout
    assert seen["interface"] == "" and seen["received"] == 0
    commands = m.sim.commands()
    assert 'control:AT+CGDCONT=1,"IP","internet"' in commands
    assert any(c.startswith("data:ATD*99#") for c in commands)
    found = [e for e in m.events("link") if "state=" in e or "up" in e]
    assert any("state=negotiating from=dialling" in e for e in found)
    assert any(e.startswith("link-up ") and "way=existing" in e and
               "over the existing uplink instead" in e for e in found)
    # the line came back, and serves
    wait_for(lambda: not modem(m)["carries_ppp"], LONG)
    m.alive()
    assert m.site.ctl("link", "down").returncode == 0
    link_until(m, lambda s: s["state"] == "idle")
    assert keys_of(m.link()) <= documented("link status")[0]


@pytest.mark.long
@pytest.mark.skipif(has_ppp(), reason="here PPP may work")
def test_without_ppp_one_port(make):
    m = make(ports=1)
    m.start()
    until(m, "ready")
    up(m, "1h")
    link_until(m, fell_back)
    until(m, "ready")
    m.alive()


def test_existing_uplink(make):
    m = make()
    m.start()
    until(m, "ready")
    up(m, "1h", "--existing")
    seen = m.link()
    assert fell_back(seen) and seen["failure"] == ""
    assert not any("ATD" in c for c in m.sim.commands())
    m.site.ctl("link", "down")
    link_until(m, lambda s: s["state"] == "idle")
    # it was for that one time
    up(m, "1h")
    link_until(m, lambda s: s["failure"] or s["state"] == "up")
    assert any("ATD" in c for c in m.sim.commands())


def test_wrong_apn(make):
    m = make(modem='\tapn = "wrong"\n', sim=("--apn", "right"),
             activation="\ttries = 2\n")
    m.start()
    until(m, "ready")
    m.command("up")
    seen = link_until(m, lambda s: s["state"] == "failed")
    assert seen["failure"] == "E-APN", seen
    assert seen["retry_at"] and seen["tries"] == 1
    told(m, "E-APN")
    # asked for again it tries now, from the beginning
    up(m)
    link_until(m, lambda s: s["state"] == "failed")
    m.site.top = m.site.top.replace("wrong", "right")
    m.site.reload()
    up(m)
    link_until(m, lambda s: s["failure"] in ("E-PPP", "") and
               s["state"] not in ("dialling", "failed"))


@pytest.mark.long
@pytest.mark.slow
def test_not_registered(make):
    m = make()
    m.sim.do("reg searching")
    m.start(ready=False)
    until(m, "searching")
    up(m)
    seen = m.link()
    assert seen["state"] == "dialling" and seen["failure"] == ""
    assert b"modem: waiting for it: E-REG" in \
        m.site.ctl("link", "status").stdout
    # once it has a network it dials, without being asked again
    m.sim.do("reg home")
    link_until(m, lambda s: s["state"] != "dialling")
    m.site.ctl("link", "down")
    link_until(m, lambda s: s["state"] == "idle")
    # messages go, data does not
    m.sim.do("reg denied ps")
    wait_for(lambda: "no data service" in m.site.ctl(
        "modem", "status").stdout.decode(), LONG)
    m.command("up")
    seen = link_until(m, lambda s: s["state"] == "failed", 90)
    assert seen["failure"] == "E-REG" and "denied" in seen["failure_text"]
    told(m, "E-REG")
    assert not any("ATD" in c for c in m.sim.commands()[-5:])


def test_roaming_is_not_paid_for(make):
    m = make()
    m.sim.do("reg roaming")
    m.start()
    until(m, "ready")
    up(m)
    wait_for(lambda: b"roaming is false" in
             m.site.ctl("link", "status").stdout)
    m.site.top = m.site.top.replace("modem {", "modem {\n\troaming = true")
    m.site.reload()
    link_until(m, lambda s: s["state"] not in ("dialling", "idle"))


def test_down_while_it_dials(make):
    m = make(sim=("--dial", "20s"))
    m.start()
    until(m, "ready")
    up(m)
    wait_for(lambda: any("ATD" in c for c in m.sim.commands()))
    m.site.ctl("link", "down")
    link_until(m, lambda s: s["state"] == "idle")
    until(m, "ready")
    m.alive()


def test_unplugged_while_it_dials(make):
    m = make(sim=("--dial", "20s"))
    m.start()
    until(m, "ready")
    up(m)
    wait_for(lambda: any("ATD" in c for c in m.sim.commands()))
    m.sim.do("unplug")
    seen = link_until(m, lambda s: s["state"] == "failed")
    assert seen["failure"] == "E-MODEM" and seen["retry_at"]
    m.sim.do("plug")
    until(m, "ready", 3 * LONG)


@pytest.mark.long
def test_killed_at_any_time(make):
    """The process comes back, dials again, and knows for whom."""
    m = make(sim=("--dial", "3s"))
    m.start()
    until(m, "ready")
    up(m, "1h")
    who = m.link()["who"]
    for wait in (0, 0.5, 2, 3.5, 6):
        time.sleep(wait)
        kill(m)
        wait_for(lambda: m.link(), LONG)
        seen = m.link()
        assert seen["state"] != "idle" and seen["who"] == who, seen
    link_until(m, lambda s: s["state"] == "up" or s["failure"] == "E-PPP",
               3 * LONG)
    m.site.ctl("link", "down")
    link_until(m, lambda s: s["state"] == "idle")
    until(m, "ready", 3 * LONG)
    m.alive()
    assert m.site.children()["console"] == m.site.pids["console"]


def test_reload_with_another_modem(make):
    m = make()
    m.start()
    until(m, "ready")
    section = re.search(r"modem \{.*?\n\}\n", m.site.top, re.S).group(0)
    one = re.sub(r"\tcontrol = .*\n", "", section)
    m.site.top = m.site.top.replace(section, one)
    m.site.reload()
    wait_for(lambda: modem(m).get("state") == "ready" and
             modem(m)["control_port"] == "", LONG)
    m.site.top = m.site.top.replace(one, "")
    m.site.reload()
    wait_for(lambda: m.site.ctl("modem", "status").returncode == 5)
    assert "device" not in m.status()["modem"]
    up(m)
    assert fell_back(m.link())
    m.site.top = section + m.site.top
    m.site.reload()
    until(m, "ready")
    # what was up stays
    assert fell_back(m.link())
    m.listening()


def test_budget(make):
    m = make(modem='\tday_limit = 1kb\n')
    m.start()
    until(m, "ready")
    assert modem(m)["budget"].startswith("0 B of 1.0 kB today")
    # as if so much had been moved
    m.site.stop()
    today = date.today().toordinal() - date(1970, 1, 1).toordinal()
    path = m.site.dir / "state" / "modem" / "budget"
    path.write_text(f"oobd budget 1\ndate {today}\nday 2000\nmonth 2000\n")
    m.start()
    done = m.site.ctl("link", "up")
    assert done.returncode == 1 and b"E-QUOTA" in done.stderr
    assert b"--force" in done.stderr and m.link()["state"] == "idle"
    m.command("up")
    assert m.sent_now(1)[0][1].startswith(
        "site: no link: E-QUOTA: 2.0 kB of 1.0 kB this day are used up")
    assert not any("ATD" in c for c in m.sim.commands())
    up(m, "--force")
    link_until(m, lambda s: s["failure"] == "E-PPP" or s["state"] == "up")
    assert any("ATD" in c for c in m.sim.commands())


@pytest.mark.long
@pytest.mark.skipif(SANITIZED or not os.path.exists("/proc/self/status"),
                    reason="no /proc, or no figure")
@pytest.mark.slow
def test_it_sleeps(make):
    """Idle it wakes for pings, and for what the stores hold, once a
    minute; nothing more."""
    m = make()
    m.start()
    until(m, "ready")

    def switches():
        with open(f"/proc/{m.site.children()['modem']}/status") as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)",
                                 f.read(), re.M).group(1))
    time.sleep(3)
    before, typed = switches(), len(m.sim.commands())
    time.sleep(20)
    # in a third of a minute at most one look at network and stores
    assert switches() - before <= 150
    assert len(m.sim.commands()) - typed <= 30
