"""The drill: the whole way and back through a stock sshd, and nobody else by
its login."""
import json
import os
import re
import signal
import stat
import struct
import time

import pytest

from conftest import BUILD, make_key, wait_for
from relay_site import Relay, RelaySite
from test_lines import documented, keys_of
from test_link import look
from test_modem_process import Process, text, texts, traffic

SCHEDULE = 'activation {\n\tdrill = "weekly sun 03:00"\n}\n'


@pytest.fixture
def relay():
    r = Relay().start()
    yield r
    r.close()


@pytest.fixture
def site(request, relay, tmp_path):
    """gw, alice, and a relay that follows the link; somebody is notified."""
    s = RelaySite()
    request.node.sites = [s]
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.add_user("bob", role="viewer")
    s.told = tmp_path / "told"
    tell = tmp_path / "tell"
    tell.write_text(f'#!/bin/sh\necho "$OOB_EVENT $(cat)" >>{s.told}\n')
    tell.chmod(0o755)
    s.top = SCHEDULE + (f'notify "file" {{\n\ttype = "exec"\n'
                        f'\tcommand = "{tell}"\n}}\n')
    s.out = s.add_relay("cloud", relay, when="activated")
    yield s
    s.close()


def drill(site, status=0):
    done = site.ctl("link", "drill", seconds=60)
    assert done.returncode == status, done
    return done.stdout.decode()


def told(site):
    return site.told.read_text().splitlines() if site.told.exists() else []


def events(site, kind=""):
    text = site.ctl("log", "gw", "--events").stdout.decode()
    return [line for line in text.splitlines() if f"Z {kind}" in line]


def test_the_whole_way(site, relay):
    site.start()
    seen = look(site)["drill"]
    assert seen["schedule"] == "weekly sun 03:00"
    assert seen["last"] is None and seen["proven"] is None
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:00:00\.000000Z",
                        seen["next"])
    wait_for(lambda: json.loads(site.ctl("list", "--json").stdout)[
        0]["up"])
    text = drill(site)
    steps = ("asking for the link", "there is a way; waiting for a relay",
             "a relay is through; logging in", "logged in; going down",
             "proven over the existing uplink, took ")
    at = [text.index(s) for s in steps]
    assert at == sorted(at), text
    assert text.endswith(": 1 of 1 lines up\n")
    # It ends with the link down, and nothing of it is left.
    seen = look(site)
    assert seen["state"] == "idle" and seen["way"] == "none"
    assert relay.accepted() == 1
    wait_for(lambda: not relay.listening(site.out), text="the relay let go")
    last = seen["drill"]["last"]
    assert last == seen["drill"]["proven"] and last["result"] == "good"
    assert keys_of(seen["drill"]) <= documented("link status")[0]
    assert last["way"] == "existing" and 0 < last["seconds"] < 30
    assert 3000 < last["bytes"] < 100000
    assert "drill: last proven working 20" in site.ctl(
        "link", "status").stdout.decode()
    status = json.loads(site.ctl("status", "--json").stdout)
    assert status["modem"]["drill"].startswith("last proven working 20")
    # In the journal: who, and how it went.  The log knows the login.
    assert 'who="' in events(site, "drill-start")[0]
    assert "proven over the existing uplink" in events(site, "drill-done")[0]
    assert 'who="drill"' in events(site, "link-up")[0]
    assert '(drill) logged in from' in site.log()
    # Nobody attached, and no byte was typed into the router.
    assert not events(site, "attach") and not events(site, "pen")
    assert site.lines["gw"].typed.data == b""
    console = json.loads(site.ctl("status", "--json").stdout)["consoles"][0]
    assert console["sent"] == 0
    # Nobody is told that all is well.
    assert told(site) == []
    # It outlives everything.
    path = site.dir / "state" / "modem" / "drill"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    site.stop()
    site.start()
    assert look(site)["drill"]["proven"] == last


def test_fails_by_name_and_is_told_once(site, relay):
    site.start()
    relay.kill()
    text = drill(site, status=1)
    assert "drill: E-RELAY: cloud: connect: " in text
    seen = look(site)
    assert seen["state"] == "idle"
    last = seen["drill"]["last"]
    assert last["result"] == "failed" and last["way"] == "none"
    assert last["text"].startswith("E-RELAY: cloud: connect: ")
    assert seen["drill"]["proven"] is None
    wait_for(lambda: told(site), text="the notification")
    # Once more, with another key; told once in a while only.
    relay.new_host_key()
    relay.start()
    text = drill(site, status=1)
    assert "drill: E-RELAY: cloud: host-key: " in text
    time.sleep(0.5)
    said, = told(site)
    assert said.startswith("drill-failed site: the drill failed: E-RELAY: "
                           "cloud: connect: ")
    assert b"drill: FAILED 20" in site.ctl("status").stdout
    # Good again: that is told, once.
    site.relays["cloud"]["host_key"] = [relay.host_key()]
    site.write()
    site.reload()
    drill(site)
    wait_for(lambda: len(told(site)) == 2, text="the end of the trouble")
    assert told(site)[-1].startswith("drill-done site: the drill went well: "
                                    "proven")
    drill(site)
    time.sleep(0.5)
    assert len(told(site)) == 2


def test_not_while_the_link_is_wanted(site):
    site.start()
    assert site.ctl("link", "up", "1h").returncode == 0
    done = site.ctl("link", "drill")
    assert done.returncode == 1 and b"the link is up" in done.stderr
    site.await_up("cloud")
    assert look(site)["state"] == "up"
    assert site.ctl("link", "down").returncode == 0
    wait_for(lambda: look(site)["state"] == "idle")
    done = site.run("bob", "link", "drill")
    assert done.returncode == 4


def under_way(site):
    """A drill that waits for the frozen relay."""
    asked = site.client([str(BUILD / "oobctl"), "-s", str(site.control),
                         "link", "drill"])
    wait_for(lambda: look(site)["state"] == "relaying")
    return asked


def test_who_asks_for_the_link_keeps_it(site, relay):
    site.start()
    relay.freeze()
    asked = under_way(site)
    assert look(site)["who"] == "drill"
    assert site.ctl("link", "up", "1h").returncode == 0
    assert look(site)["who"].endswith("(oobctl)")
    relay.thaw()
    assert asked.wait(20) == 0
    assert b"the link stays, for others" in asked.out.data
    seen = look(site)
    assert seen["state"] == "up" and seen["left_s"] > 3500
    assert seen["drill"]["last"]["result"] == "good"
    assert site.ctl("link", "down").returncode == 0
    # Who ends it ends the drill, which is nothing to be told of.
    wait_for(lambda: look(site)["state"] == "idle")
    relay.freeze()
    asked = under_way(site)
    assert site.ctl("link", "down").returncode == 0
    assert asked.wait(20) == 1
    assert b"cut short: " in asked.out.data
    assert look(site)["drill"]["last"]["result"] == "cut"
    assert look(site)["drill"]["proven"] is not None
    time.sleep(0.5)
    assert told(site) == []


def test_a_killed_process_leaves_no_link(site, relay):
    site.start()
    relay.freeze()          # it waits for the relay
    asked = under_way(site)
    old = site.children()["modem"]
    os.kill(old, signal.SIGKILL)
    assert asked.wait(20) == 5
    wait_for(lambda: site.children().get("modem", old) != old)
    wait_for(lambda: site.ctl("link", "status").returncode == 0)
    seen = look(site)
    assert seen["state"] == "idle" and seen["way"] == "none"
    assert seen["drill"]["last"]["result"] == "failed"
    assert "ended during the drill" in seen["drill"]["last"]["text"]
    wait_for(lambda: told(site), text="the notification")
    relay.thaw()
    drill(site)


def test_nobody_else_by_its_login(site, relay, tmp_path):
    site.start()
    drill(site)
    assert site.ctl("link", "up", "1h").returncode == 0
    site.await_up("cloud")
    key = make_key(tmp_path / "stranger")

    def attempt(*words, login="drill"):
        argv = site.through("alice", site.out, *words, login=login)
        argv[argv.index("-i") + 1] = str(key)
        return site.run("alice", argv=argv)
    for words in (("drill", "0" * 32), ("list",), ()):
        assert attempt(*words).returncode == 255
    assert site.ctl("link", "down").returncode == 0
    wait_for(lambda: look(site)["state"] == "idle")
    # While a drill is logged in, and waits for its echo: no more than before.
    relay.freeze()
    asked = under_way(site)
    console = site.children()["console"]
    os.kill(console, signal.SIGSTOP)
    try:
        relay.thaw()
        wait_for(lambda: site.log().count("(drill) logged in") == 2)
        assert attempt("drill", "0" * 32).returncode == 255
        argv = site.ssh("alice", "drill", "0" * 32, login="drill")
        argv[argv.index("-i") + 1] = str(key)
        assert site.run("alice", argv=argv).returncode == 255
    finally:
        os.kill(console, signal.SIGCONT)
    assert asked.wait(20) == 0
    assert site.ctl("link", "up", "1h").returncode == 0
    site.await_up("cloud")
    # Nor does the name mean anything to who has a key here.
    done = site.run_through("alice", site.out, "drill", "0" * 32,
                            login="drill")
    assert done.returncode == 255
    done = site.run_through("alice", site.out, "drill", "0" * 32)
    assert done.returncode == 2 and b"no such verb" in done.stderr
    assert site.log().count("(drill) logged in") == 2


# By its schedule, over PPP: the test is all that is around the modem process.

WY_DRILL, WY_DRILLED = 0x604, 0x605
SETTLE = 120            # seconds that it waits after a start


@pytest.fixture
def process(tmp_path):
    made = []

    def new(when, **kw):
        at = time.strftime("%H:%M", time.localtime(when))
        made.append(Process(tmp_path, fast=1, extra=(
            f'activation {{\n\tdrill = "daily {at}"\n'
            f'\treport = {{"+46701234567"}}\n}}\n'), **kw))
        made[-1].ready()
        return made[-1]
    yield new
    for p in made:
        assert p.stop() == 0


def answered(p, how, words, n=1):
    """As the ssh process does; gives back the relay asked for."""
    asked, _ = p.ssh.wait(WY_DRILL, n)
    p.ssh.send(WY_DRILLED, asked[:4] + struct.pack(">BQ", how, 777) +
               text(words))
    return texts(asked[4:], 1)[0]


@pytest.mark.slow
def test_by_schedule_over_ppp(process):
    p = process(time.time() - 120)      # two minutes late
    assert p.link()["drill"]["last"] is None
    p.skip(SETTLE)
    wait_for(lambda: p.events("drill-start"), 30, 0.02, "its time")
    assert 'who="schedule"' in p.events("drill-start")[0]
    p.dialled()
    p.ppp(2)
    p.until(lambda s: s["state"] == "proving")
    assert "proving" in p.link()["drill"]["doing"]
    p.relay(3)
    traffic()
    assert answered(p, 0, "2 of 2 lines up") == "cloud"
    p.until(lambda s: s["state"] == "closing")
    traffic()
    p.ppp(3)
    seen = p.until(lambda s: s["state"] == "idle")
    last = seen["drill"]["proven"]
    assert last["way"] == "ppp" and last["text"] == "2 of 2 lines up"
    assert last["bytes"] >= 1000 and last["bytes"] != 777
    assert "proven over PPP, took " in p.events("drill-done")[0]
    # No SMS says that the link is down, no notice that it was up.
    assert int(p.sim.stat()["sent"]) == 0
    assert p.way()[0] == 0
    # Not twice, whatever becomes of the process.
    p.process.kill()
    p.process.wait()
    p.start()
    p.ready()
    assert p.link()["drill"]["proven"] == last
    for _ in range(4):
        p.skip(SETTLE // 2)
        time.sleep(0.5)
    assert not p.events("drill-start")
    assert p.link()["state"] == "idle"


@pytest.mark.slow
def test_schedule_waits_for_the_link(process):
    p = process(time.time() - 120, modem='\tapn = "internet"\n')
    assert p.run("link", "up", "--existing", "4h")[0] == 0
    p.relay(3)
    p.until(lambda s: s["state"] == "up")
    p.skip(SETTLE)
    wait_for(lambda: p.events("drill-wait"), 30, 0.1, "its time")
    assert not p.events("drill-start")
    assert p.run("link", "down")[0] == 0
    p.relay(0)
    p.until(lambda s: s["state"] == "idle")
    p.skip(60)
    wait_for(lambda: p.events("drill-start"), 20, 0.02, "its turn")
    # A login that fails over PPP, by its name.
    p.dialled()
    p.ppp(2)
    p.until(lambda s: s["state"] == "proving")
    p.relay(3)
    traffic()
    answered(p, 2, "no echo: what?")
    p.until(lambda s: s["state"] == "closing")
    p.ppp(3)
    wait_for(lambda: p.events("drill-failed"), text="the failure")
    assert "E-LOGIN: no echo: what?" in p.events("drill-failed")[0]
    seen = p.until(lambda s: s["state"] == "idle")
    assert seen["drill"]["last"]["result"] == "failed"
