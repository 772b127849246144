"""The owner's night: locked out, one SMS, a console.  Everything real but the
router, the stick and the operator: kernel, USB, pppd, routes, sshd, ssh."""
import json
import re
import sys
import time

import pytest
from box import Ssh
from guest import wait_for
from kernel import ROOT
from night import ALWAYS, MODEM, OWNER, PPPD, ROUTER, STRANGER, Night
from stick import HOST, PORTS

sys.path.append(str(ROOT / "tests" / "e2e"))

from browser import Browser             # noqa: E402

CONF = f"""journal {{
	seal = 5s
}}
modem {{
{MODEM}}}
activation {{
	from = {{"{OWNER}"}}
	report = {{"{OWNER}"}}
	hold = 1min
	max_hold = 30min
}}
"""
LEAD = b"\x05c"         # of the escape keys
# Events that are a state by themselves.
STATES = {"link-up": "relaying", "link-down": "closing"}


@pytest.fixture(scope="module")
def night(stock_kernel, work, keys):
    it = Night(stock_kernel, work, keys, {"cloud": {}}, CONF)
    yield it
    it.stop()


class Story:
    """The steps, in their order, and who takes part."""

    def __init__(self, night, clients):
        self.n, self.clients = night, clients
        self.began = time.monotonic()

    def step(self, what):
        print(f"{time.monotonic() - self.began:6.1f} s: {what}")

    def attach(self, user, port, mark=b"[oobd: "):
        ssh = Ssh(self.n.keys, user, port, options=["-tt", "-e", "~"],
                  login="gw")
        self.clients.append(ssh)
        ssh.wait(mark, limit=60)
        return ssh

    def far(self, user):
        """Over the relay."""
        return self.attach(user, self.n.ports["cloud"])

    def near(self, user):
        return self.attach(user, self.n.local)

    def leave(self, ssh):
        ssh.stop()
        self.clients.remove(ssh)

    def asks(self, ssh, command, answer):
        """Typed at the router, and what that says."""
        at = len(ssh.data)
        ssh.send(command + b"\r")
        ssh.wait(answer, at)

    def exact(self):
        """What was journalled is what the router sent, byte by byte."""
        wait_for(lambda: f"{len(self.n.router.sent())} bytes sent, "
                 f"{len(self.n.raw())} recorded",
                 lambda: self.n.raw() == self.n.router.sent(), 30, 0.5)

    def alone(self):
        """Nobody attached, and the router is on record from its boot on."""
        n = self.n
        n.start()
        n.connect_router()
        wait_for("the router's boot", lambda: b"login: " in n.router.sent(),
                 60)
        self.exact()
        assert len(n.router.sent()) > 1000
        assert "attach" not in [k for _, k, _ in n.events()]
        n.listening()

    def nothing_happens(self):
        """Whatever strangers send: no call, no answer, all deleted."""
        n = self.n
        old = n.codes.next()
        n.text(f"ping {old}")
        assert "pong" in n.answers(1)[0][1]
        n.expect("sms-command", "ping")
        good = n.codes.at(n.codes.counter)
        for words, sender, why in (
                (f"up 1 {n.codes.wrong()}", OWNER, "code"),
                (f"up 1 {old}", OWNER, "code"),
                (f"up 1 {good}", STRANGER, STRANGER),
                ("up 1", OWNER, "")):
            n.text(words, sender)
            n.expect("sms-refused", why)
        n.emptied()
        assert len(n.answers(1)) == 1
        assert "ATD" not in n.sim.order("commands")
        assert not n.pids(PPPD)
        assert "link-state" not in [k for _, k, _ in n.events()]

    def up(self):
        n = self.n
        n.command("up 2")
        n.expect("sms-command", "up")
        for state in ("dialling", "negotiating", "proving"):
            n.expect("link-state", f"state={state} ")
        n.expect("link-ppp", "interface=ppp0 address=10.0.2.15")
        n.expect_each(("relay-up", "relay=cloud", f"address={HOST}"),
                      ("link-up", "who=\"alice (sms ", "way=ppp"),
                      ("link-state", "state=up from=relaying"))
        assert n.answers(2)[1][0] == OWNER

    def proven(self):
        """The default route is another's, and only the relay goes by PPP."""
        n = self.n
        n.over_ppp()
        assert len(n.relay.logins) == 1
        assert n.forwarded("cloud")
        received = int(n.shell("cat /sys/class/net/ppp0/statistics/rx_bytes"))
        assert received > 1000
        proof = [text for _, k, text in n.events() if k == "link-up"][-1]
        assert "relay cloud answers" in proof, proof

    def people(self):
        """A console through the relay, a second and a third admin at it."""
        n = self.n
        alice = self.far("alice")
        self.asks(alice, b"", b"login: ")
        self.asks(alice, b"root", b"Password:")
        self.asks(alice, b"router", b"root@gw:~ # ")
        self.asks(alice, b"hostname", b"\r\ngw\r\n")
        n.expect("attach", "alice")
        bob, carol = self.far("bob"), self.near("carol")
        n.expect("attach", "bob")
        n.expect("attach", "carol")
        bob.send(LEAD + b"f")
        alice.wait(b"bob took the pen")
        carol.wait(b"bob took the pen")
        n.expect("pen", "bob")
        self.asks(bob, b"echo by-bob", b"\r\nby-bob\r\n")
        for who in (alice, carol):
            who.wait(b"\r\nby-bob\r\n")
        before = n.breaks()
        bob.send(b"\r~B")
        n.expect("break", "bob")
        wait_for("a BREAK on the wire", lambda: n.breaks() == before + 1)
        return carol

    def status(self):
        n = self.n
        n.command("status")
        n.expect("sms-command", "status")
        number, text = n.answers(3)[2]
        assert number == OWNER
        assert re.match(r"lab: link up \d+s, .* left; relay cloud proven; "
                        r".*dBm 23201", text), text

    def frozen(self):
        """The relay falls silent, and comes to itself again."""
        n = self.n
        n.freeze(True)
        n.expect_each(("relay-down", "relay=cloud failure=silent"),
                      ("link-state", "state=relaying from=up"))
        n.freeze(False)
        self.back()

    def ssh_killed(self):
        """The process that talks to the network dies; the line feels
        nothing."""
        n = self.n
        roles = n.roles()
        n.shell(f"kill -9 {roles['ssh']}")
        n.expect("link-state", "state=relaying from=up")
        self.back()
        now = n.roles()
        assert now["console"] == roles["console"]
        assert now["modem"] == roles["modem"] and now["ssh"] != roles["ssh"]

    def console_pulled(self):
        """It is told, and comes back, for those who stay attached."""
        n = self.n
        self.carol = self.near("carol")
        who = self.far("alice")
        n.unplug(ROUTER)
        who.wait(b"the line is gone")
        n.expect("line", "state=lost")
        n.plug(ROUTER, **ALWAYS)
        who.wait(b"the line is back")
        n.expect("line", "state=up")
        who.send(LEAD + b"f")
        self.asks(who, b"echo plugged-in", b"\r\nplugged-in\r\n")
        self.leave(who)

    def back(self):
        """A relay is through again, on the same way."""
        self.n.expect_each(("relay-up", "relay=cloud"),
                           ("link-state", "state=up from=relaying"))

    def again(self):
        """Another way, by itself, until the same moment."""
        n, until = self.n, self.n.ends()
        begin = n.at
        _, text = n.expect("link-up", "way=ppp")
        assert f"until={until}" in text, (until, text)
        n.at = begin                    # the relay may have been first
        self.back()
        n.over_ppp()

    def carrier_lost(self):
        """The network hangs up; called again, and all is as before."""
        n = self.n
        n.sim.order("no-carrier")
        n.expect("link-state", "state=failed ", "E-DEAD: the network ended")
        number, text = n.answers(4)[3]
        assert number == OWNER
        assert re.match(r"lab: link failed: E-DEAD; next try in \d+s; .*dBm",
                        text), text
        self.again()

    def stick_pulled(self):
        n = self.n
        for port in PORTS:
            n.unplug(port)
        n.sim.order("unplug")
        # Which of both is noticed first, the port or the call, is chance; and
        # who waited for the dialling to fail, too, would outlast the hold.
        begin = n.at
        n.expect("modem-lost")
        lost, n.at = n.at, begin
        _, text = n.expect("link-state", "state=failed ")
        assert re.search(r"E-MODEM|E-DEAD", text), text
        n.at = max(n.at, lost)
        n.nothing_left()
        n.sim.order("plug")
        for port in PORTS:
            n.plug(port)
        n.expect("modem-ready")
        self.again()

    def hold_over(self):
        """Nobody is there any more: it ends, and says so."""
        n = self.n
        far = self.far("alice")
        far.send(LEAD + b"f")
        self.asks(far, b"echo still-here", b"\r\nstill-here\r\n")
        self.carol.wait(b"\r\nstill-here\r\n")
        for ssh in list(self.clients):
            self.leave(ssh)
        n.expect("link-down", "the hold is over", limit=150)
        n.expect("link-state", "state=reporting ")
        n.expect("sms-sent", OWNER)
        n.expect("link-state", "state=idle ")
        number, text = n.answers(5)[4]
        assert number == OWNER
        assert re.match(r"lab: link is down: .*hold.*; was up \d+min, "
                        r"[0-9.]+ kB used \([0-9.]+ kB in, [0-9.]+ kB out\)$",
                        text), text

    def told(self):
        """The journal has the whole story, each state of the link once."""
        events = self.n.events()
        call = ["dialling", "negotiating", "proving", "relaying", "up"]
        states = [re.search(r"state=(\S+)", text)[1]
                  if kind == "link-state" else STATES[kind]
                  for _, kind, text in events
                  if kind == "link-state" or kind in STATES]
        # The relay may fall silent before the modem tells.
        states = [a for a, b in zip(states, states[1:] + [""])
                  if (a, b) != ("relaying", "failed")]
        assert states == call + ["relaying", "up"] * 2 \
            + (["failed"] + call) * 2 + ["closing", "reporting", "idle"]
        people = [re.search(r"user=(\w+) .*via=\"?(\w+)", text).groups()
                  for _, kind, text in events if kind == "attach"]
        assert people == [("alice", "relay"), ("bob", "relay"),
                          ("carol", "ssh"), ("carol", "ssh"),
                          ("alice", "relay"), ("alice", "relay")]
        assert [re.search(r"state=(\w+)", text)[1] for _, kind, text in
                events if kind == "line"] == ["up", "lost", "up"]
        assert [e[1] for e in events].count("detach") == len(people)
        assert "link-warning" in [e[1] for e in events]
        times = [when for when, _, _ in events]
        assert times == sorted(times)

    def verified(self):
        """The record is as it was written, signed by the box; of all of the
        night nothing is missing."""
        def verify():
            return json.loads(self.n.asked("verify gw --json"))
        wait_for(verify, lambda: verify()["unsealed"] == 0 and
                 verify()["signed"]["state"] == "yes", 90, 1)
        said = verify()
        assert said["ok"] and said["findings"] == [] and said["seals"] > 2
        assert "nothing is wrong" in self.n.asked("verify gw").decode()

    def replayed(self):
        """In a terminal: to what people typed, one after the other."""
        ssh = Ssh(self.n.keys, "alice", self.n.local,
                  ["replay gw --at -1h"], options=["-tt", "-e", "none"])
        self.clients.append(ssh)
        ssh.wait(b"h: help")            # the last line
        for words in (b"by-bob", b"plugged-in", b"still-here"):
            at = len(ssh.data)
            ssh.send(b"/" + words + b"\r")
            ssh.wait(b"echo " + words, at)
        ssh.send(b"q")
        assert ssh.finish() == 0, bytes(ssh.errors)
        self.clients.remove(ssh)

    def exported(self):
        """A page that plays the night, and says what verify says."""
        page = self.n.work / "night.html"
        page.write_bytes(self.n.asked("export gw --since -1h --format html"))
        with Browser() as b:
            b.open(page)
            wait_for("the player",
                     lambda: b.run("return window.player !== undefined"))
            said = b.run("return document.getElementById('verified')"
                         ".textContent")
            assert said.startswith("verified when this was exported") \
                and "signed by SHA256:" in said, said
            told = b.run("return document.body.textContent")
            for words in ("link-up", "modem-lost", "link-down"):
                assert words in told, told[-3000:]
            for to in 0.1, b.run("return player.getDuration()"):
                b.run("return player.seek(arguments[0])", to)
            wait_for("the end of the night", lambda: "still-here" in b.run(
                "return document.querySelector('.ap-player')"
                "?.innerText ?? ''"))
            assert b.errors() == []

    def ended(self):
        n = self.n
        n.nothing_left()
        n.emptied()
        wait_for("the forward's end", lambda: not n.forwarded("cloud"))
        self.exact()
        wait_for(n.told, lambda: set(n.roles()) == {
            "supervisor", "console", "ssh", "modem"}, 10)
        assert "does not answer" not in n.said()    # nobody hung
        n.shell("killall oobd")
        wait_for(n.told, lambda: not n.roles(), 10)
        written = n.shell("cat /var/oobd/log/gw/*.log /tmp/oobd.*")
        for code in n.codes.given:
            assert code not in written


@pytest.mark.timeout(600)
def test_the_night(night, clients):
    s = Story(night, clients)
    for step in (s.alone, s.nothing_happens, s.up, s.proven, s.people,
                 s.status, s.frozen, s.ssh_killed, s.console_pulled,
                 s.carrier_lost, s.stick_pulled, s.hold_over, s.told,
                 s.verified, s.replayed, s.exported, s.ended):
        step()
        s.step(step.__name__)
