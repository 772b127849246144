"""Several admins at one console, each with a real ssh client."""
import json
import re
import time

from conftest import wait_for


def who(site):
    return json.loads(site.ctl("who", "--json").stdout)


def three(site):
    """alice with the pen, carol watching, bob a viewer."""
    site.add_user("carol")
    site.reload()
    clients = []
    for name, word in (("alice", b"you have the pen"),
                       ("carol", b"alice has the pen"),
                       ("bob", b"may only watch")):
        c = site.attach(name)
        c.expect(word)
        clients.append(c)
    return clients


def test_the_pen_goes_round(site):
    line = site.lines["gw"]
    alice, carol, bob = three(site)
    at = len(carol.out.data)
    carol.send(b"x")
    at = carol.expect(re.compile(rb"alice has the pen \(ssh from 127.0.0.1, "
                                 rb"idle \d+ s\); \^Eca asks.*\]"), start=at)
    carol.send(b"yz")                       # told once, not per key
    time.sleep(0.3)
    assert b"has the pen" not in carol.out.data[at:]
    assert line.typed.data == b""
    carol.send(b"\x05ca")                   # asks
    alice.expect(b"carol asks for the pen")
    alice.send(b"\x05cs")                   # gives
    carol.expect(b"you have the pen")
    bob.expect(b"carol has the pen")
    carol.send(b"from carol")
    line.typed.expect(b"from carol")
    alice.send(b"\x05cf")                   # takes
    carol.expect(b"alice took the pen")
    alice.send(b"from alice")
    line.typed.expect(b"from alice")
    for key in (b"a", b"f"):                # never a viewer
        bob.send(b"\x05c" + key)
    bob.expect(b"may only watch")
    # not even when it is the only one left
    alice.send(b"\x05c.")
    carol.send(b"\x05c.")
    assert alice.wait() == 0 and carol.wait() == 0
    wait_for(lambda: len(who(site)) == 1)
    bob.send(b"nobody else here")
    time.sleep(0.3)
    assert b"nobody" not in line.typed.data
    text = site.ctl("log", "gw", "--events").stdout.decode()
    for word in ("attach user=alice", "pen user=carol", "detach user=alice"):
        assert word in text, text


def test_your_own_dead_session_is_taken_over(site):
    line = site.lines["gw"]
    first = site.attach("alice")
    first.expect(b"you have the pen")
    first.process.send_signal(19)           # the laptop sleeps
    time.sleep(1.2)
    second = site.attach("alice")
    second.expect(b"you have the pen")
    second.send(b"again")
    line.typed.expect(b"again")
    first.process.send_signal(18)


def test_everyone_types_where_sharing_is_all(site):
    line = site.lines["gw"]
    site.line_conf["gw"] += '\tsharing = "all"\n'
    alice, carol, bob = None, None, None
    site.reload()
    site.add_user("carol")
    site.reload()
    alice, carol = site.attach("alice"), site.attach("carol")
    alice.expect(b"everyone may type")
    carol.expect(b"everyone may type")
    alice.send(b"one")
    line.typed.expect(b"one")
    carol.send(b"two")
    line.typed.expect(b"two")
    bob = site.attach("bob")
    bob.expect(b"may only watch")
    bob.send(b"three")
    time.sleep(0.3)
    assert b"three" not in line.typed.data


def test_note_say_and_kick(site):
    alice, carol, bob = three(site)
    assert site.run("carol", "note", "gw", "moved the cable").returncode == 0
    alice.expect(b"note by carol: moved the cable")
    alice.send(b"\x05cn" + b"rebooting it\r")
    bob.expect(b"note by alice: rebooting it")
    assert site.run("alice", "say", "gw", "lunch").returncode == 0
    carol.expect(b"alice says: lunch")
    target = [w["id"] for w in who(site) if w["user"] == "bob"][0]
    assert site.run("bob", "kick", str(target)).returncode == 4
    assert site.run("alice", "kick", str(target)).returncode == 0
    bob.expect(b"kicked by alice")
    assert bob.wait() != 0
    carol.expect(b"alice kicked bob")
    assert site.run("alice", "kick", "99999").returncode == 1
    text = site.run("alice", "log", "gw", "--events").stdout.decode()
    for word in ("note user=carol text=moved the cable", "say user=alice",
                 "kick user=bob"):
        assert word in text, text
    # and the device cannot forge one
    site.lines["gw"].send(b"-- 2026-01-01T00:00:00.000Z attach user=eve\r\n")
    alice.expect(b"eve")
    text = site.run("alice", "log", "gw", "--events").stdout.decode()
    forged = [row for row in text.splitlines() if "eve" in row]
    assert not any(row.startswith("--") for row in forged), forged


def test_menu_and_another_console(site):
    site.add_line("sw", conf='\tdescription = "the switch"\n\tspeed = 9600\n',
                  echo=True)
    site.reload()
    site.expect_log(r"console sw: .* is open")
    alice = site.attach("alice")
    alice.expect(b"the switch")
    alice.send(b"sw\r")
    at = alice.expect(re.compile(rb"sw: the switch, 9600 8N1 none; you have"))
    alice.send(b"hello")
    at = alice.expect(b"hello", start=at)
    alice.send(b"\x05c;")
    at = alice.expect(b"the switch", start=at)
    alice.send(b"gw\r")
    alice.expect(re.compile(rb"gw, .*you have the pen"), start=at)
    assert [w["console"] for w in who(site)] == ["gw"]


def test_a_user_sees_only_what_is_his(site):
    site.add_line("secret")
    site.users["bob"].consoles = ("gw",)
    site.reload()
    assert b"secret" not in site.run("bob", "list").stdout
    nothing = site.run("bob", "log", "nosuch")
    hidden = site.run("bob", "log", "secret")
    assert nothing.returncode == hidden.returncode == 3
    assert nothing.stderr.replace(b"nosuch", b"") == \
        hidden.stderr.replace(b"secret", b"")
    status = json.loads(site.run("bob", "status", "--json").stdout)
    assert [c["name"] for c in status["consoles"]] == ["gw"]
    # one console allowed: no menu
    bob = site.attach("bob")
    bob.expect(b"may only watch")


def test_keys_of_a_terminal_session(site):
    line = site.lines["gw"]
    line.send(b"".join(b"line %d\r\n" % i for i in range(100)))
    alice = site.attach("alice", "attach", "gw", "--tail", "5")
    alice.expect(b"line 99")
    assert b"line 90" not in alice.out.data
    alice.send(b"\x05cr")
    alice.expect(b"line 80")
    assert b"line 75" not in alice.out.data
    alice.send(b"\x05cp")
    alice.expect(b"line 40")
    alice.send(b"\x05cw")
    alice.expect(b"alice")
    alice.send(b"\x05ci")
    alice.expect(b"received")
    alice.send(b"\x05c\x05")                # the lead-in itself
    line.typed.expect(b"\x05")
    alice.send(b"\x05")                     # alone: sent after 3 s
    wait_for(lambda: line.typed.data.count(b"\x05") == 2, 8)
    alice.send(b"\x05c.")
    assert alice.wait() == 0


def test_a_stopped_viewer_is_told_what_it_missed(site):
    line = site.lines["gw"]
    alice = site.client(site.ssh("alice", "-tt"), tty=True)
    alice.expect(b"you have the pen")
    alice.process.send_signal(19)
    text = b"".join(b"%07d flood\r\n" % i for i in range(200000))
    start = time.monotonic()
    line.send(text)
    assert time.monotonic() - start < 30    # delays nobody
    alice.process.send_signal(18)
    alice.expect(re.compile(rb"[\d,]+ bytes skipped"), 20)
    alice.send(b"typing works")
    line.typed.expect(b"typing works")
    wait_for(lambda: site.ctl("log", "gw", "--raw").stdout.startswith(text))
