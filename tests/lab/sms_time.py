"""How long it takes from an SMS at the modem to PPP, and to a console's prompt
through the relay; whose time it is.

Read off the daemon's own log, stamped in the guest, and the log of the
person's ssh, stamped here.  Under TCG whatever the guest computes takes 10 to
20 times as long as on the machine that runs QEMU."""
import re
import statistics
import time

from box import Ssh
from guest import wait_for
from night import MODEM, OWNER, Night

CONF = f"""modem {{
{MODEM}	sms_per_number = 100
	sms_per_day = 100
}}
activation {{
	from = {{"{OWNER}"}}
}}
"""
# What is looked for, in this order.
MARKS = (
    ("message", "modem < .CMTI:"),
    ("dialled", "modem data > ATD"),
    ("connected", "modem data < CONNECT"),
    ("pppd", "PPP: Connect: "),
    ("address", r"PPP: local +IP address"),
    ("noticed", "link: negotiating to proving"),
    ("relay tried", "relay cloud: resolving -> connecting"),
    ("relay connected", "relay cloud: connecting -> handshake"),
    ("listening", "relay cloud: forwarding -> proving"),
    ("proven", "relay cloud: proving -> up"),
    ("up", "link: relaying to up"),
)


class Timed(Night):
    def __init__(self, kernel, work, keys):
        super().__init__(kernel, work, keys, {"cloud": {}}, CONF)

    def skew(self):
        """The guest's clock less ours: of the quickest of some questions."""
        best = None
        for _ in range(7):
            before = time.time()
            there = float(self.shell("echo | stamp").split()[0])
            took = time.time() - before
            if best is None or took < best[0]:
                best = took, there - before - took / 2
        return best[1]

    def logged(self):
        """[(guest's time, text)]"""
        return [(float(w[0]), w[1]) for w in (
            line.split(" ", 1) for line in self.shell(
                f"cat /tmp/oobd.{self.starts}").splitlines())
            if len(w) == 2 and re.fullmatch(r"\d+\.\d+", w[0])]

    def marks(self, first):
        """{mark: guest's time} of what was logged from that line on."""
        out = {}
        for when, text in self.logged()[first:]:
            for name, pattern in MARKS:
                if name not in out and re.search(pattern, text):
                    out[name] = when
        return out

    def listens(self):
        """As forwarded(), without a process for it."""
        port = f":{self.ports['cloud']:04X} "
        with open("/proc/net/tcp") as f:
            return any(port in row and row.split()[3] == "0A" for row in f)

    def prompt(self):
        """(relay listens, ssh connected, logged in, prompt), our clock."""
        wait_for(self.told, self.listens, 60, 0.01)
        found = [time.time()]
        ssh = Ssh(self.keys, "alice", self.ports["cloud"], login="gw",
                  options=["-tt", "-v", "-o", "LogLevel=DEBUG1"])
        try:
            for mark in (b"Connection established", b"Authenticated to"):
                self.take(ssh, ssh.errors, mark)
                found.append(time.time())
            ssh.send(b"\r")
            self.take(ssh, ssh.data, b"login: ")
            return found + [time.time()]
        finally:
            ssh.stop()

    def take(self, ssh, where, mark):
        end = time.monotonic() + 60
        while mark not in where:
            assert time.monotonic() < end and ssh.open, bytes(ssh.errors)
            ssh.more(0.01)

    def round(self):
        """Seconds, of one activation.  Ends with the link down."""
        first, skew = len(self.logged()), self.skew()
        sent = time.time()
        self.command("up 5")
        listens, connected, logged_in, prompt = self.prompt()
        wait_for(self.told, lambda: "up" in self.marks(first), 60)
        m = self.marks(first)
        assert list(m) == [name for name, _ in MARKS], (
            m, self.logged()[first:])
        self.ctl("link", "down")
        self.nothing_left()
        wait_for(self.told, lambda: '"carries_ppp": false' in self.ctl(
            "modem", "status", "--json"), 60, 0.5)
        # The skew is known to some milliseconds, and causes come first.
        return split(m, min(sent + skew, m["message"]), [t + skew for t in (
            listens, connected, logged_in, prompt)])

    def measure(self, rounds):
        """Figures as a dict: medians, and all rounds in "rounds"."""
        self.start()
        self.connect_router()
        wait_for("login", lambda: b"login: " in self.router.sent(), 60)
        self.listening()
        rows = [self.round() for _ in range(rounds)]
        return dict({k: round(statistics.median(r[k] for r in rows), 3)
                     for k in rows[0]}, rounds=rows)


def split(m, sent, ssh):
    """Whose time it was: the carrier's (the dial that oobsim simulates, LCP
    and IPCP with slirp, TCP), two SSH handshakes', and what is left: ours."""
    listens, connected, logged_in, prompt = ssh
    dial = m["connected"] - m["dialled"]
    negotiation = m["address"] - m["pppd"]
    tcp = m["relay connected"] - m["relay tried"]
    relay = m["listening"] - m["relay connected"]
    client = logged_in - connected
    start = connected - listens         # of the person's program
    r = {
        "sms_to_dial": m["dialled"] - sent,
        "dial": dial,
        "connect_to_pppd": m["pppd"] - m["connected"],
        "negotiation": negotiation,
        "address_to_noticed": m["noticed"] - m["address"],
        "noticed_to_relay": m["relay tried"] - m["noticed"],
        "relay_tcp": tcp,
        "relay_handshake": relay,
        "self_test": m["proven"] - m["listening"],
        "client_start": start,
        "client_handshake": client,
        "login_to_prompt": prompt - logged_in,
        "sms_to_ppp": m["noticed"] - sent,
        "sms_to_up": m["up"] - sent,
        "sms_to_prompt": prompt - sent,
    }
    r["own_ppp"] = r["sms_to_ppp"] - dial - negotiation
    r["own_prompt"] = r["sms_to_prompt"] - dial - negotiation - tcp \
        - relay - start - client
    return {k: round(v, 3) for k, v in r.items()}
