"""Lines: exact bytes both ways, unplugging, settings, pasting."""
import json
import os
import pty
import re
import select
import time
import tty

from conftest import BUILD, ROOT, Stream, wait_for
from test_survival import raw


def unplug(line):
    os.unlink(line.path)
    line.typed.stop()
    os.close(line.master)
    # The number of a pty is free for another test once this end is closed,
    # and a daemon on its way to open it would take that one.
    line.kept.append(line.slave)


def plug(line):
    line.master, line.slave = pty.openpty()
    tty.setraw(line.slave)
    line.typed = Stream(line.master, line._came)
    os.symlink(os.ttyname(line.slave), line.path)


def events(site, name="gw"):
    done = site.ctl("log", name, "--events")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


ALL = bytes(range(256))


def test_every_byte_value_both_ways(empty_site):
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    alice = site.client(site.ssh("alice", "-s", "console"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    for i in range(256):
        line.send(b"<%c>" % i)
        alice.send(b"[%c]" % i)
    want = b"".join(b"<%c>" % i for i in range(256))
    wait_for(lambda: len(alice.out.data) >= len(want))
    assert alice.out.data == want
    typed = b"".join(b"[%c]" % i for i in range(256))
    wait_for(lambda: len(line.typed.data) >= len(typed))
    assert line.typed.data == typed
    line.send(ALL * 40)
    alice.send(ALL * 40)
    wait_for(lambda: alice.out.data == want + ALL * 40)
    wait_for(lambda: line.typed.data == typed + ALL * 40)
    wait_for(lambda: raw(site) == want + ALL * 40)


def test_unplug_and_replug(site):
    line = site.lines["gw"]
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    unplug(line)
    at = alice.expect(b"the line is gone")
    alice.send(b"lost")
    alice.expect(b"the line is down", start=at)
    assert "DOWN" in site.ctl("list").stdout.decode()
    before = time.monotonic()
    plug(line)
    alice.expect(b"the line is back", start=at)
    assert time.monotonic() - before < 5
    alice.send(b"found")
    alice.expect(b"found")
    assert b"lost" not in line.typed.data   # refused, not queued
    text = events(site)
    assert "state=lost" in text and "state=up" in text


def test_missing_device_at_start(empty_site):
    site = empty_site
    line = site.add_line("gw", echo=True)
    site.add_user("alice")
    unplug(line)
    site.start()
    status = json.loads(site.ctl("status", "--json").stdout)
    assert status["consoles"][0]["up"] is False
    assert line.path in status["consoles"][0]["problem"]
    alice = site.attach("alice")
    at = alice.expect(b"the line is down; you will be told when it is back")
    plug(line)
    at = alice.expect(b"[oobd: the line is back]", start=at)
    alice.send(b"first key")
    line.typed.expect(b"first key")
    line.send(b"now there\r\n")
    alice.expect(b"now there", start=at)


def test_flapping_line_is_told_once(site):
    line = site.lines["gw"]
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    for _ in range(15):
        unplug(line)
        time.sleep(0.03)
        plug(line)
        time.sleep(0.15)
    at = 0
    wait_for(lambda: b"back" in alice.out.data, 6)
    time.sleep(2.5)
    notices = alice.out.data[at:].count(b"the line is")
    assert notices <= 4, alice.out.data
    assert len(re.findall("state=", events(site))) <= 6, events(site)
    line.send(b"alive\r\n")
    alice.expect(b"alive")


def test_locked_device_is_named(empty_site):
    import fcntl
    site = empty_site
    line = site.add_line("gw")
    fd = os.open(os.path.realpath(line.path), os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    site.start()
    status = json.loads(site.ctl("status", "--json").stdout)
    assert str(os.getpid()) in status["consoles"][0]["problem"]
    os.close(fd)
    wait_for(lambda: json.loads(site.ctl("status", "--json").stdout)
             ["consoles"][0]["up"])


def test_paste_of_a_megabyte(empty_site):
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    site.start()
    alice = site.client(site.ssh("alice", "-s", "console"))
    wait_for(lambda: b"alice" in site.ctl("who").stdout)
    text = b"".join(b"line %07d of a long configuration\n" % i
                    for i in range(1 << 20 // 36))[:1 << 20]
    text = (text * 60)[:1 << 20]
    alice.send(text)
    wait_for(lambda: len(line.typed.data) >= len(text), 60)
    assert line.typed.data == text


class DeafLine:
    """A device that takes nothing until asked to."""

    def __init__(self, path):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = str(path)
        os.symlink(os.ttyname(self.slave), self.path)

    def was_reached(self):
        return bool(select.select([self.master], [], [], 0)[0])

    def read_all(self):
        return Stream(self.master)

    def close(self):
        os.close(self.slave)
        os.close(self.master)
        os.unlink(self.path)


def test_interrupting_a_paste(empty_site):
    site = empty_site
    line = site.lines["gw"] = DeafLine(site.dir / "tty-gw")
    site.line_conf["gw"] = "\tspeed = 57600\n"
    site.add_user("alice")
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    paste = b"x" * 60000
    alice.send(paste)
    wait_for(line.was_reached)
    time.sleep(0.5)
    alice.send(b"\x03")
    time.sleep(0.5)
    alice.send(b"after")
    got = line.read_all()
    got.expect(b"after")
    assert b"\x03after" in got.data
    # most of the paste never went out
    assert got.data.count(b"x") < 40000, len(got.data)


def test_leaving_ends_a_paste(empty_site):
    site = empty_site
    line = site.lines["gw"] = DeafLine(site.dir / "tty-gw")
    site.line_conf["gw"] = "\tspeed = 57600\n"
    site.add_user("alice")
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    alice.send(b"x" * 60000)
    wait_for(line.was_reached)
    time.sleep(0.5)
    alice.send(b"\x05c.")
    assert alice.wait() == 0
    got = line.read_all()
    got.settle(1)
    assert 0 < got.data.count(b"x") < 60000


def test_set_and_default(site):
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    done = site.run("alice", "set", "gw", "speed", "9600")
    assert done.returncode == 0, done.stderr
    alice.expect(b"9600")
    assert b"9600" in site.run("alice", "list").stdout
    assert site.run("alice", "set", "gw", "speed", "fast").returncode == 2
    assert site.run("alice", "set", "gw", "mode", "7E1").returncode in (0, 1)
    assert site.run("bob", "set", "gw", "default").returncode == 4
    assert site.run("alice", "set", "gw", "default").returncode == 0
    assert b"115200" in site.run("alice", "list").stdout
    assert "set user=alice" in events(site)
    site.run("alice", "set", "gw", "speed", "9600")
    site.reload()
    wait_for(lambda: b"115200 " in site.run("alice", "list").stdout)


def test_reload_to_another_device(site):
    """Who is attached stays, and is told what becomes of the line."""
    line = site.lines["gw"]
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    old = line.path
    line.path = f"{old}-new"                # not there yet
    site.reload()
    at = alice.expect(re.compile(rb"the line is gone: \S+-new: no such "
                                 rb"device .*; what you type is not "
                                 rb"sent"))
    alice.send(b"lost")
    at = alice.expect(b"the line is down: not sent", start=at)
    os.rename(old, line.path)
    at = alice.expect(b"[oobd: the line is back]", start=at)
    alice.send(b"found")
    line.typed.expect(b"found")
    assert line.typed.data == b"found"      # refused, not queued
    known = re.findall(r"line state=(\w+) \w+=(\S+)", events(site))
    assert [state for state, _ in known] == ["up", "moved", "lost", "up"]
    assert known[1][1] == known[2][1] == line.path
    # One that is there is news to nobody but the journal.
    alice.out.settle()
    at = len(alice.out.data)
    os.rename(line.path, old)
    line.path = old
    site.reload()
    wait_for(lambda: events(site).count("state=up") == 3)
    alice.send(b"again")
    alice.expect(b"again", start=at)
    assert b"[oobd" not in alice.out.settle(2.5)[at:]


def test_line_that_is_down_has_its_status(site):
    unplug(site.lines["gw"])
    wait_for(lambda: b"DOWN" in site.ctl("list").stdout)
    done = site.run("alice", "break", "gw")
    assert done.returncode == 5 and b"down" in done.stderr, done
    assert site.run("bob", "break", "gw").returncode == 4


def test_break_on_a_pty_is_refused_clearly(site):
    done = site.run("alice", "break", "gw")
    assert done.returncode == 1
    assert b"cannot send a BREAK" in done.stderr
    assert site.run("bob", "break", "gw").returncode == 4


# What others may rely on: the shape of --json.

def test_json_of_list_who_status(site):
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    site.lines["gw"].send(b"hello\r\n")
    alice.expect(b"hello")
    console = json.loads(site.run("alice", "list", "--json").stdout)[0]
    assert console["name"] == "gw" and console["up"] is True
    assert console["line"] == "115200 8N1 none"
    assert console["writer"] == "alice" and console["attached"] == 1
    assert console["last_output"] == "hello"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
                        console["last_output_time"])
    who = json.loads(site.run("alice", "who", "--json").stdout)
    assert len(who) == 1
    assert who[0]["user"] == "alice" and who[0]["writes"] is True
    assert who[0]["from"] == "127.0.0.1" and who[0]["via"] == "ssh"
    assert who[0]["key"].startswith("SHA256:")
    status = json.loads(site.run("alice", "status", "--json").stdout)
    line = status["consoles"][0]
    assert line["received"] == 7 and line["driver"] == "tty"
    assert line["journal"]["healthy"] is True
    assert status["ssh"]["host_key"].startswith("SHA256:")
    roles = {p["role"] for p in status["processes"]}
    assert "ssh" in roles


def test_recorded_input(empty_site):
    site = empty_site
    line = site.add_line("gw", conf="\tspeed = 115200\n\trecord_input = true\n")
    site.add_user("alice")
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")

    def typed(text, echo):
        for c in text:
            alice.send(bytes([c]))
            wait_for(lambda: line.typed.data.endswith(bytes([c])))
            if echo:
                before = len(alice.out.data)
                line.send(bytes([c]))
                wait_for(lambda: len(alice.out.data) > before)
        alice.send(b"\r")
    typed(b"show version", True)
    typed(b"s3cret", False)
    # 12 and an end of line, 6 and another
    wait_for(lambda: sum(map(int, re.findall(
        rb"alice (\d+) bytes", journal(site)))) == 20)
    text = journal(site)
    assert b"show version" in text
    assert b"s3cret" not in text


def test_recording_of_input_can_be_stopped(empty_site):
    """By who types, for himself; that he typed is recorded all the same."""
    site = empty_site
    line = site.add_line("gw", echo=True,
                         conf="\tspeed = 115200\n\trecord_input = true\n")
    site.add_user("alice")
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")

    def type_line(text):
        for c in text:
            before = len(alice.out.data)
            alice.send(bytes([c]))
            wait_for(lambda: len(alice.out.data) > before)
        alice.send(b"\r")
        line.typed.expect(text + b"\r")
    type_line(b"first")
    alice.send(b"\x05cL")
    alice.expect(b"what you type is not recorded now")
    type_line(b"second")
    alice.send(b"\x05cL")
    alice.expect(b"what you type is recorded again")
    type_line(b"third")

    def told():
        return [(int(n), what) for n, what in re.findall(
            r"input alice (\d+) bytes ?(\w*)", events(site))]
    # 16, and three ends of a line
    wait_for(lambda: sum(n for n, _ in told()) == 19)
    text = "".join(what for _, what in told())
    assert "first" in text and "third" in text and "second" not in text
    assert b"second" in raw(site)           # the device's echo is its own
    del site.line_conf["gw"]
    site.line_conf["gw"] = "\tspeed = 115200\n"
    site.reload()
    alice.send(b"\x05cL")
    alice.expect(b"typed input is never recorded on this console")


def journal(site, name="gw"):
    folder = site.dir / "journal" / name
    return b"".join(p.read_bytes() for p in sorted(folder.glob("*.log")))


def test_sixty_four_consoles(empty_site):
    """All at once at the start, and all at once to a new console process."""
    site = empty_site
    for i in range(64):
        site.add_line(f"c{i}")
    site.start()

    def up():
        done = site.ctl("list", "--json")
        return done.returncode == 0 and \
            [c["up"] for c in json.loads(done.stdout)] == [True] * 64
    wait_for(up)
    old = site.children()["console"]
    os.kill(old, 9)
    wait_for(lambda: site.children().get("console", old) != old)
    wait_for(up)
    site.lines["c63"].send(b"the last one\r\n")
    wait_for(lambda: raw(site, "c63") == b"the last one\r\n")


def documented(verb):
    """The keys that oobctl(1) names for a verb, and those it may leave out."""
    page = (ROOT / "docs" / "oobctl.1").read_text()
    part = page.split(".Sh JSON")[1].split(".Sh ")[0]
    part = part.split(f".It Cm {verb}\n")[1].split(".It ")[0]
    names = re.findall(r"\.(?:Pq )?Va (\w+)( Ns \*)?", part)
    return {n for n, _ in names}, {n for n, star in names if star}


def keys_of(value):
    """Every key, at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    if isinstance(value, dict):
        return set(value) | keys_of(list(value.values()))
    return set()


def objects(text):
    """Of an object, an array, or an object per line."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def as_documented(verb, *texts):
    """All that can be there has its place in the page, and what the page does
    not call optional is in each."""
    named, optional = documented(verb)
    for text in texts:
        given = keys_of(objects(text))
        assert given, (verb, text)
        assert given <= named, (verb, given - named)
        assert named - optional <= given, (verb, named - optional - given)


def test_json_is_as_documented(empty_site):
    site = empty_site
    site.add_line("gw", echo=True)
    site.add_user("alice")
    site.add_user("bob", role="viewer")
    site.add_user("root", role="admin")
    site.top = "journal {\n    seal = 1s\n}"
    site.start()
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    site.lines["gw"].send(b"hello\r\n\x1b[1mbold\x1b[0m\r\n")
    alice.expect(b"bold")
    never = site.run("bob", "digest", "--json").stdout
    alice.send(b"\x05c.")
    alice.wait()
    site.lines["gw"].send(b"panic: while nobody looks\r\nprompt> ")
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    assert site.run("root", "grant", "bob", "gw", "1h",
                    "operator").returncode == 0
    wait_for(lambda: b"sealed_until" in
             site.run("root", "verify", "gw", "--json").stdout)
    for verb in ("list", "who", "status", "log", "verify", "last", "grant"):
        done = site.run("root", verb, "--json")
        assert done.returncode == 0, done.stderr
        as_documented(verb, done.stdout)
    as_documented("log", site.run("root", "log", "--json", "--events").stdout)
    as_documented("grep", *(site.run("root", "grep", *options, "--json", ".",
                                     "gw").stdout
                            for options in ([], ["-c"])))
    as_documented("digest", never,
                  site.run("alice", "digest", "--json").stdout)
    # A record that somebody edited.
    site.stop()
    segment, = (site.dir / "journal" / "gw").glob("*.log")
    segment.write_bytes(segment.read_bytes().replace(b"hello", b"hullo"))
    text = site.client([str(BUILD / "oobctl"), "-D", str(site.dir / "journal"),
                        "verify", "gw", "--json"])
    text.wait()
    found = objects(text.out.settle().decode())
    as_documented("verify", json.dumps(found))
    assert keys_of(found) >= {"kind", "segment", "text"}
