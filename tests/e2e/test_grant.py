"""Rights for a while: given, used, ended, kept through restarts."""
import json
import os
import re
import signal

import pytest

from conftest import wait_for


@pytest.fixture
def home(empty_site):
    """root is admin; bob watches gw; eve may use nothing at all."""
    s = empty_site
    for name in ("gw", "sw"):
        s.add_line(name, echo=True)
    s.add_user("root", role="admin")
    s.add_user("half", role="admin", consoles=("sw",))
    s.add_user("bob", role="viewer", consoles=("gw",))
    s.add_user("eve", role="viewer", consoles=())
    return s.start()


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def grants(s, user="root"):
    return json.loads(ok(s.run(user, "grant", "--json")))


def events(s, console):
    text = ok(s.ctl("log", console, "--events"))
    return [" ".join(line.split(" ")[2:]) for line in text.splitlines()]


def box(s):
    """What the box's journal says, without times."""
    text = "".join(p.read_text() for p in sorted(
        (s.dir / "journal" / ".box").glob("*.log")))
    return re.findall(r"^\S+ \S+ m \S+ (.*)$", text, re.M)


def test_what_it_lets_and_what_it_does_not(home):
    s = home
    no = s.run("eve", "list", login="eve:gw")       # not even that name
    assert b"Permission denied" in no.stderr
    assert ok(s.run("eve", "list", "--json")) == "[]\n"
    said = ok(s.run("root", "grant", "eve", "gw", "30min"))
    assert re.match(r"eve is viewer of gw for 30min, until 20\S+Z\n", said)
    seen = json.loads(ok(s.run("eve", "list", "--json", login="eve:gw")))
    assert [c["name"] for c in seen] == ["gw"]
    assert seen[0]["grant"]["role"] == "viewer"
    assert 1700 < seen[0]["grant"]["left_s"] <= 1800
    s.lines["gw"].send(b"for your eyes\r\n")
    wait_for(lambda: "for your eyes" in ok(s.run("eve", "log", "gw")))
    for words in (["break", "gw"], ["note", "gw", "x"], ["say", "gw", "x"],
                  ["set", "gw", "default"], ["attach", "gw", "--force"],
                  ["link", "up"], ["grant", "eve", "sw", "1h"],
                  ["revoke", "eve"]):
        assert s.run("eve", *words).returncode == 4, words
    assert s.run("eve", "log", "sw").returncode == 3
    ok(s.run("root", "grant", "eve", "gw", "30", "operator"))
    c = s.attach("eve", login="eve:gw")
    c.expect(b"you have the pen")
    ok(s.run("eve", "note", "gw", "I am here"))
    assert s.run("eve", "set", "sw", "default").returncode == 3
    assert s.run("eve", "link", "up").returncode == 4
    who = json.loads(ok(s.ctl("who", "--json")))
    assert 1700 < who[0]["granted_s"] <= 1800
    assert "by a grant for 00:" in ok(s.ctl("who"))
    status = json.loads(ok(s.run("root", "status", "--json")))
    assert [g["user"] for g in status["grants"]] == ["eve"]
    assert json.loads(ok(s.run("bob", "status", "--json")))["grants"] == []


def test_who_may_give(home):
    s = home
    for words, status, why in (
            (["bob", "gw", "1h", "admin"], 2, "viewer or operator"),
            (["bob", "gw", "8d", "operator"], 2, "1s to 7d"),
            (["bob", "gw", "soon", "operator"], 2, "1s to 7d"),
            (["bob", "gw"], 2, "usage: grant"),
            (["nobody", "gw", "1h"], 1, "no such user"),
            (["bob", "nothing", "1h"], 3, "no such console"),
            (["bob", "gw", "1h", "viewer"], 1, "may do that anyway")):
        done = s.run("root", "grant", *words)
        assert done.returncode == status and why in done.stderr.decode()
    # An admin of some consoles knows of no others.
    hidden = s.run("half", "grant", "bob", "gw", "1h")
    nothing = s.run("half", "grant", "bob", "nonesuch", "1h")
    assert (hidden.returncode, hidden.stderr) == (3, nothing.stderr)
    ok(s.run("root", "grant", "half", "gw", "1h", "operator"))
    assert s.run("half", "grant", "bob", "gw", "1h").returncode == 4
    ok(s.ctl("grant", "bob", "gw", "1h", "operator"))
    assert [g["user"] for g in grants(s, "half")] == []
    assert s.run("half", "revoke", "bob").returncode == 1
    assert [(g["user"], g["role"]) for g in grants(s, "bob")] == \
        [("bob", "operator")]
    assert sorted(g["user"] for g in grants(s)) == ["bob", "half"]
    assert "bob is no longer operator of gw" in ok(
        s.run("root", "revoke", "bob", "gw"))
    assert s.run("root", "revoke", "bob", "gw").returncode == 1
    assert grants(s, "bob") == []


def test_it_holds_at_once(home):
    """The pen comes and goes; who is there by it alone is detached."""
    s = home
    bob = s.attach("bob", login="gw")
    bob.expect(b"gw")
    bob.send(b"not yet")
    bob.expect(b"you may only watch")
    ok(s.run("root", "grant", "bob", "gw", "1h", "operator"))
    bob.expect(b"root made you operator of gw for 1h")
    bob.send(b"now")
    s.lines["gw"].typed.expect(b"now")
    assert b"not yet" not in s.lines["gw"].typed.data
    ok(s.run("root", "revoke", "bob"))
    bob.expect(b"root took back your right as operator of gw")
    start = len(bob.out.data)
    bob.send(b"any more?")
    bob.expect(b"you may only watch", start=start)
    ok(s.run("root", "grant", "eve", "sw", "1h", "operator"))
    eve = s.attach("eve", login="eve:sw")
    eve.expect(b"you have the pen")
    ok(s.run("root", "revoke", "eve", "sw"))
    eve.expect(b"root took back your right as operator of sw")
    assert eve.wait() != 0
    assert b"any more?" not in s.lines["gw"].typed.data
    assert b"Permission denied" in s.run("eve", "list", login="eve:sw").stderr


def test_it_ends_by_itself(home):
    s = home
    ok(s.run("root", "grant", "eve", "sw", "6s", "operator"))
    eve = s.attach("eve", login="eve:sw")
    eve.expect(b"you have the pen")
    eve.expect(b"your right as operator of sw is over", seconds=20)
    eve.wait()
    assert grants(s) == []
    assert s.run("eve", "log", "sw").returncode == 3
    wait_for(lambda: "grant-over user=eve role=operator" in events(s, "sw"))
    got = [e for e in events(s, "sw") if e.startswith("grant")]
    assert got == ["grant user=eve role=operator for=6s by=root",
                   "grant-over user=eve role=operator"]
    wait_for(lambda: len([e for e in box(s) if e.startswith("grant")]) == 3)
    assert [e for e in box(s) if e.startswith("grant")] == [
        "grant user=eve console=sw role=operator for=6s by=root",
        "grant-used user=eve console=sw role=operator by=root",
        "grant-over user=eve console=sw role=operator"]


def test_it_survives(home):
    """A killed process, a restart of all; a damaged line is left out."""
    s = home
    ok(s.run("root", "grant", "eve", "sw", "1h", "operator"))
    ok(s.run("root", "grant", "bob", "gw", "2h", "operator"))
    file = s.dir / "state" / "witness" / "grants"
    wait_for(lambda: file.exists() and "bob" in file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    eve = s.attach("eve", login="eve:sw")
    eve.expect(b"you have the pen")
    old = s.children()["console"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.children().get("console", old) != old)
    wait_for(lambda: len(grants(s)) == 2)
    eve.send(b"still here")
    s.lines["sw"].typed.expect(b"still here")
    s.stop()
    file.write_text(file.read_text().replace("operator", "emperor", 1))
    s.start()
    s.expect_log("grants: 1 lines are damaged and left out")
    assert [g["user"] for g in grants(s)] == ["bob"]
    assert b"Permission denied" in s.run("eve", "list", login="eve:sw").stderr
    s.stop()
    file.write_text("nonsense\n")
    s.start()
    s.expect_log("grants is damaged: no grants are in force")
    assert grants(s) == []
