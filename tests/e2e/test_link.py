"""The link: held, extended, warned of, ended; through the loss of processes."""
import json
import os
import re
import signal
import socket
import stat
import time
from datetime import datetime, timezone

import pytest
from conftest import PATIENCE, free_port, wait_for
from frames import Frames
from sshwire import transport
from test_lines import documented, keys_of

KEY = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk5Zr4x7LwQHHhGQyYpBqdYRAkdKTdN"
       "FzlDbYZnQdVS")


def relay(name, when):
    """One that nobody answers for."""
    return (f'relay "{name}" {{\n\thost = "127.0.0.1"\n\tport = {free_port()}\n'
            f'\tsecond_port = 0\n\tuser = "oob"\n\tidentity = "id"\n'
            f'\thost_key = {{"{KEY}"}}\n\tlisten = {{"localhost:31337"}}\n'
            f'\twhen = "{when}"\n}}\n')


def start(site, extra=""):
    site.add_line("gw", echo=True)
    site.add_user("alice")
    site.add_user("bob", role="viewer")
    site.top = ('activation {\n\thold = "30min"\n\tmax_hold = "4h"\n}\n'
                + extra)
    return site.start()


def link(site, *words, status=0):
    done = site.ctl("link", *words)
    assert done.returncode == status, done
    return done


def look(site):
    return json.loads(link(site, "status", "--json").stdout)


def state(site):
    return look(site)["state"]


def events(site, kind=""):
    text = site.ctl("log", "--events").stdout.decode()
    return [line for line in text.splitlines() if f"Z {kind}" in line]


def when(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(
        tzinfo=timezone.utc)


def kill(site, role):
    old = site.children()[role]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: site.children().get(role, old) != old)


def back(site, role):
    """Until it is there again, and spoken with."""
    wait_for(lambda: site.ctl("link", "status").returncode == 0,
             text=f"the {role} process")


def test_up_and_down(empty_site):
    site = start(empty_site)
    seen = look(site)
    assert seen["state"] == "idle" and seen["way"] == "none"
    assert seen["until"] is None and seen["left_s"] == 0
    up = link(site, "up", "2h")
    assert up.stdout.startswith(b"link: up over the existing uplink until ")
    assert b"nothing follows the link" in up.stderr
    seen = look(site)
    assert seen["state"] == "up" and seen["way"] == "existing"
    assert 7100 < seen["left_s"] <= 7200
    until = when(seen["until"])
    assert abs((until - datetime.now(timezone.utc)).total_seconds()
               - seen["left_s"]) < 5
    assert seen["who"].endswith(" (oobctl)")
    assert seen["relays"] == [] and seen["attached"] == 0
    link(site, "down")
    wait_for(lambda: state(site) == "idle")
    assert "asked for it" in look(site)["reason"]
    assert b"down already" in link(site, "down").stderr
    found = [e.split()[2] for e in events(site, "link")]
    assert found == ["link-up", "link-state", "link-down", "link-state",
                     "link-state"]
    up, down = events(site, "link-up")[0], events(site, "link-down")[0]
    assert '(oobctl)" way=existing until=' in up
    assert 'why="asked for"' in up and "asked for it" in down


def test_status_everywhere(empty_site):
    site = start(empty_site)
    link(site, "up")
    status = json.loads(site.ctl("status", "--json").stdout)
    assert status["link"].startswith("up over the existing uplink until ")
    assert status["relays"] == {} and status["modem"] == {}
    assert {p["role"]: p["up"] for p in status["processes"]} == {
        "ssh": True, "modem": True}
    assert b"\nlink: up over" in site.ctl("status").stdout
    text = link(site, "status").stdout.decode()
    assert re.search(r"^  00:(30:00|29:5\d) left; .* at most$", text, re.M)
    assert "no relay follows the link" in text
    given = keys_of(look(site))
    named, optional = documented("link status")
    assert given <= named
    # keys of a relay stand there only when there is one
    assert named - optional - given <= {"name", "when", "failure", "text"}


def test_durations(empty_site):
    site = start(empty_site)
    for bad in ("0", "-5", "x", "5x", "", "999ms", "31d", "99999999999999",
                "1e3", "5 min"):
        done = link(site, "up", bad, status=2)
        assert b"is no duration" in done.stderr, bad
    assert state(site) == "idle"
    link(site, "up", "2")               # minutes
    assert 110 < look(site)["left_s"] <= 120
    link(site, "up", "90s")             # not shorter
    assert 110 < look(site)["left_s"] <= 120
    link(site, "up", "3min")
    assert 170 < look(site)["left_s"] <= 180
    link(site, "extend", "1h")
    assert 3770 < look(site)["left_s"] <= 3780
    # not beyond max_hold, and says so
    assert b"max_hold" in link(site, "up", "9h").stderr
    assert 14380 < look(site)["left_s"] <= 14400
    assert b"max_hold" in link(site, "extend", "1", status=1).stderr
    for words in ((), ("stats",), ("up", "1", "2"), ("extend",),
                  ("down", "now"), ("status", "-j")):
        done = link(site, *words, status=2)
        assert done.stderr.startswith(b"usage: link status [--json] | up")
    link(site, "down")
    done = link(site, "extend", "5", status=5)
    assert b"the link is not up" in done.stderr


def test_who_may(empty_site):
    site = start(empty_site)
    for words in (("up",), ("down",), ("extend", "5")):
        done = site.run("bob", "link", *words)
        assert done.returncode == 4 and b"not allowed" in done.stderr
    assert site.run("bob", "link", "status").returncode == 0
    assert state(site) == "idle"
    done = site.run("alice", "link", "up", "1h")
    assert done.returncode == 0 and b"alice (ssh)" in done.stdout
    assert look(site)["who"] == "alice (ssh)"
    assert 'who="alice (ssh)"' in events(site, "link-up")[0]
    assert site.run("bob", "link", "status", "--json").stdout


def test_warned_and_over(empty_site):
    site = start(empty_site, extra=relay("cloud", "activated"))
    viewer = site.attach("bob")
    site.meet("gw", viewer)
    # relaying all the time: attached or not, it is not extended
    link(site, "up", "4s")
    assert state(site) == "relaying"
    viewer.expect(re.compile(rb"\[oobd: the link is held for [12] s more, "
                             rb"until .* UTC"), 4)
    viewer.expect(b"[oobd: the link is down: the hold is over]", 5)
    wait_for(lambda: state(site) == "idle")
    assert viewer.out.data.count(b"is held for") == 1
    assert len(events(site, "link-warning")) == 1
    assert re.search(r"left_s=[12] until=", events(site, "link-warning")[0])
    assert 'why="the hold is over"' in events(site, "link-down")[0]
    assert events(site, "link-extend") == []


def test_extended_while_attached(empty_site):
    """In steps of the hold; max_hold is the unit test's affair."""
    site = start(empty_site)
    viewer = site.attach("bob")
    site.meet("gw", viewer)
    wait_for(lambda: look(site)["attached"] == 1)
    link(site, "up", "2s")
    at = viewer.expect(b"the link is held for 1 s more", 3)
    wait_for(lambda: len(events(site, "link-extend")) == 2, 6)
    viewer.expect(b"the link is held for 1 s more", 3, start=at)
    assert state(site) == "up"
    assert all('who="oobd" by_s=2 ' in e and "someone is attached" in e
               for e in events(site, "link-extend"))
    # whoever left holds nothing
    viewer.send(b"\x05c.")
    viewer.wait()
    wait_for(lambda: look(site)["attached"] == 0)
    wait_for(lambda: state(site) == "idle", 4)
    assert len(events(site, "link-extend")) <= 3


def test_extended_by_hand_warns_again(empty_site):
    site = start(empty_site)
    viewer = site.attach("bob")
    site.meet("gw", viewer)
    link(site, "up", "2s")
    at = viewer.expect(b"the link is held for", 3)
    done = site.run("alice", "link", "extend", "3s")
    assert done.returncode == 0
    viewer.expect(b"the link is held for", 5, start=at)
    assert 'who="alice (ssh)" by_s=3 ' in events(site, "link-extend")[0]


def test_presence_is_counted(empty_site):
    site = start(empty_site)
    assert look(site)["attached"] == 0
    one = site.attach("alice")
    two = site.attach("bob")
    site.meet("gw", one, two)
    wait_for(lambda: look(site)["attached"] == 2)
    assert look(site)["attached_by_relay"] == 0
    kill(site, "modem")
    wait_for(lambda: site.ctl("link", "status").returncode == 0 and
             look(site)["attached"] == 2)
    kill(site, "console")
    back(site, "console")
    wait_for(lambda: look(site)["attached"] == 2)
    two.send(b"\x05c.")
    wait_for(lambda: look(site)["attached"] == 1)
    one.process.kill()
    wait_for(lambda: look(site)["attached"] == 0)


def test_modem_process_is_killed(empty_site):
    site = start(empty_site)
    link(site, "up", "1h")
    before = look(site)
    path = site.dir / "state" / "modem" / "link"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for _ in range(2):
        kill(site, "modem")
        back(site, "modem")
        seen = look(site)
        assert seen["state"] == "up" and seen["who"] == before["who"]
        assert abs((when(seen["until"])
                    - when(before["until"])).total_seconds()) < 0.1
        assert abs((when(seen["until_max"])
                    - when(before["until_max"])).total_seconds()) < 0.1
    assert "resumed" in events(site, "link-up")[1]
    # no other process noticed
    assert site.children()["console"] == site.pids["console"]
    assert site.children()["ssh"] == site.pids["ssh"]
    link(site, "down")
    wait_for(lambda: not path.exists())
    kill(site, "modem")
    back(site, "modem")
    assert state(site) == "idle"


@pytest.mark.long
def test_killed_for_longer_than_the_hold(empty_site):
    site = start(empty_site)
    link(site, "up", "2s")
    pid = site.children()["modem"]
    os.kill(pid, signal.SIGSTOP)        # the watchdog needs 5 s to see it
    wait_for(lambda: site.children().get("modem", pid) != pid, 15)
    back(site, "modem")
    assert state(site) == "idle"
    assert not (site.dir / "state" / "modem" / "link").exists()


def test_after_another_boot_it_is_idle(empty_site):
    site = start(empty_site)
    link(site, "up", "1h")
    path = site.dir / "state" / "modem" / "link"
    text = path.read_text()
    site.stop()
    assert path.read_text() == text, "a restart of the daemon resumes, too"
    site.start()
    back(site, "modem")
    assert state(site) == "up"
    site.stop()
    path.write_text(re.sub(r"^boot .*$", "boot another", text, flags=re.M))
    site.start()
    back(site, "modem")
    assert state(site) == "idle"
    assert not path.exists()
    site.stop()
    path.write_bytes(b"\0\xff\n" * 500)
    site.start()
    back(site, "modem")
    assert state(site) == "idle"


def test_console_process_is_killed(empty_site):
    site = start(empty_site)
    link(site, "up", "3s")
    modem = site.children()["modem"]
    kill(site, "console")
    back(site, "console")
    assert site.children()["modem"] == modem
    wait_for(lambda: b"\nlink: " in site.ctl("status").stdout)
    wait_for(lambda: state(site) == "idle", 6)
    # also what came up while nobody could write it down is in the journal
    link(site, "up", "2s")
    os.kill(site.children()["console"], signal.SIGKILL)
    time.sleep(2.5)
    wait_for(lambda: len(events(site, "link-down")) == 2, 3 * PATIENCE)
    assert len(events(site, "link-up")) == 2


def ask(t, *words):
    """A channel on which this was asked."""
    c = t.open_session(timeout=PATIENCE)
    c.settimeout(PATIENCE)
    c.exec_command(" ".join(words))
    return c


def passed_on(t):
    """Until what was asked over this connection is where it belongs: it is
    handed on in its order."""
    assert ask(t, "list").recv_exit_status() == 0


def test_asked_of_one_that_is_away(empty_site):
    site = start(empty_site)
    t = transport(site, "alice")
    pid = site.children()["modem"]
    os.kill(pid, signal.SIGSTOP)
    asker = ask(t, "link", "status")
    passed_on(t)
    assert not asker.exit_status_ready()
    os.kill(pid, signal.SIGKILL)
    assert asker.recv_exit_status() == 5
    assert b"the modem process ended meanwhile, try again" in \
        asker.recv_stderr(4096)
    # the restart takes 200 ms: asked again at once it may be away
    wait_for(lambda: site.children().get("modem", pid) != pid)
    back(site, "modem")
    # an asker that goes away leaves nothing behind: 64 may wait at a time
    pid = site.children()["modem"]
    os.kill(pid, signal.SIGSTOP)
    for n in range(70):
        asker = ask(t, "link", "status")
        if n % 23 == 0:             # the last among them
            passed_on(t)
            assert not asker.exit_status_ready()
        asker.close()
    os.kill(pid, signal.SIGCONT)
    back(site, "modem")
    assert site.children()["modem"] == pid
    t.close()


def test_verbs_at_a_time_are_bounded(empty_site):
    site = start(empty_site)
    pid = site.children()["modem"]
    os.kill(pid, signal.SIGSTOP)
    asker = Frames(site)
    for n in range(100):
        asker.command(n, "link", "status")
    refused = asker.ends(36)
    assert set(refused) == set(range(64, 100))
    assert all(status == 1 and b"too many such verbs" in text
               for status, text in refused.values())
    os.kill(pid, signal.SIGCONT)
    answered = asker.ends(64)
    assert all(status == 0 and text.startswith(b"link: idle")
               for status, text in answered.values())
    assert site.ctl("link", "status").returncode == 0
    assert site.children()["modem"] == pid


def test_an_asker_that_does_not_listen(empty_site):
    """What it asked for is cut, its link ends in the worst case; nobody
    else notices, and nothing is kept for it."""
    site = start(empty_site)
    pids = site.kept()
    link(site, "up")
    before = site.rss("console")
    asker = Frames(site)
    asker.sock.settimeout(2)
    asked = 0
    try:
        while asked < 20000:
            asker.command(asked, "link", "status", "--json")
            asked += 1
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    assert asked > 500
    for _ in range(5):
        assert site.ctl("link", "status", seconds=5).returncode == 0
    assert site.rss("console") - before < 8192
    site.none_restarted(pids)
    # what it hears when it does listen is whole, and says what was cut
    answers = {}
    try:
        while len(answers) < asked:
            answers.update(asker.ends(1))
    except (EOFError, socket.timeout, ConnectionResetError):
        pass
    assert answers and {s for s, _ in answers.values()} <= {0, 1}
    for status, text in answers.values():
        if status == 0:
            json.loads(text)
        else:
            assert b"was cut" in text or b"too many such verbs" in text
    asker.sock.close()


def test_relays_that_do_not_get_through(empty_site):
    site = start(empty_site, extra=relay("cloud", "activated") +
                 relay("home", "always"))
    up = link(site, "up", "1h")
    assert b"nothing follows" not in up.stderr
    seen = look(site)
    assert seen["state"] == "relaying" and not seen["late"]
    assert [(r["name"], r["when"]) for r in seen["relays"]] == [
        ("cloud", "activated"), ("home", "always")]
    wait_for(lambda: look(site)["relays"][0]["state"] in ("trying", "failed"))
    named, optional = documented("link status")
    assert named - optional <= keys_of(look(site)) <= named
    kill(site, "ssh")
    wait_for(lambda: look(site)["relays"][0]["state"] in ("trying", "failed"),
             2 * PATIENCE)
    link(site, "down")
    wait_for(lambda: look(site)["relays"][0]["state"] == "off")


def test_always_relays_do_not_follow(empty_site):
    site = start(empty_site, extra=relay("home", "always"))
    up = link(site, "up", "1h")
    assert b"nothing follows the link" in up.stderr
    assert state(site) == "up"
    assert b"no relay follows the link" in link(site, "status").stdout


def test_reload(empty_site):
    site = start(empty_site)
    link(site, "up", "1h")
    site.top = ('activation {\n\thold = "2h"\n\tmax_hold = "3h"\n}\n'
                + relay("cloud", "activated"))
    site.reload()
    wait_for(lambda: state(site) == "relaying")
    assert 3500 < look(site)["left_s"] <= 3600
    link(site, "up")
    assert 7100 < look(site)["left_s"] <= 7200


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/status"),
                    reason="no /proc")
def test_it_sleeps(empty_site):
    """A link that is held costs no wake-ups but the answers to pings."""
    site = start(empty_site)
    link(site, "up", "1h")

    def switches():
        with open(f"/proc/{site.children()['modem']}/status") as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)",
                                 f.read(), re.M).group(1))
    time.sleep(0.5)
    before = switches()
    time.sleep(10)
    assert switches() - before <= 4
